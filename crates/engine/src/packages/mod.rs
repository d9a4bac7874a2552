//! Packages on disk: what is installed, under a lock of its own; the keys of publishers; where packages come from. Nothing
//! of a package runs here, and nothing is written that was not vouched for.

mod advisories;
mod fetch;
mod key;
mod push;
mod registry;
mod store;

pub use advisories::read_advisories;
pub use fetch::Credentials;
pub use key::{KeyError, PublisherKey};
pub use push::Pushed;
pub use registry::{
    INDEX_FILE, Listed, OCI_LAYER, OCI_NEEDS, Offers, Registry, RegistryAccess, RegistryError,
};
pub(crate) use store::ARCHIVES;
pub use store::{Arrival, PackageStore, StoreError, installed, read_lock, write_whole};

use crate::audit::Audit;
use ringmail_core::package::{Distrust, Publishers};
use ringmail_core::value::Str;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A signature stands beside its file, under the file's name with this behind it.
pub const SIGNATURE: &str = ".sig";
/// No larger file is signed.
pub const SIGNED_BYTES_MAX: u64 = 64 << 20;

/// Where a project is, for whoever asks other machines on its behalf.
#[derive(Clone, Copy, Debug)]
pub struct ProjectFolders<'a> {
    pub root: &'a Path,
    /// Where runs are recorded.
    pub audit: &'a Audit,
    /// Certificate authorities besides the public ones.
    pub roots: &'a [String],
}

/// Who signed these bytes of a file, if the project believes it. `now_ms` is given where they are new here.
pub fn believed(
    publishers: &Publishers,
    path: &Path,
    bytes: &[u8],
    now_ms: Option<u64>,
) -> Result<Str, Distrust> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = PathBuf::from(format!("{}{SIGNATURE}", path.display()));
    if std::fs::symlink_metadata(&beside).is_err() {
        return Err(Distrust::Unsigned);
    }
    let signature = read_bounded(&beside, 4 << 10).map_err(Distrust::Malformed)?;
    publishers.file(&name, bytes, &signature, now_ms).cloned()
}

/// Reads a file that is one, and not larger than this.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let fault = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    // A pipe would keep whoever opens it waiting.
    if !std::fs::metadata(path).map_err(fault)?.is_file() {
        return Err(format!("`{}` is not a file", path.display()));
    }
    let file = std::fs::File::open(path).map_err(fault)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("`{}` is larger than {bytes_max} bytes", path.display()));
    }
    Ok(bytes)
}
