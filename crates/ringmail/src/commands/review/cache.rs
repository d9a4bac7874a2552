//! `--cache`: what was seen before, in files of a folder. Whoever can write there can hide findings, so it may not lie
//! in what is reviewed; what another version of this program saw does not count.

use crate::exit::Fault;
use ringmail_engine::packages::write_whole;
use ringmail_review::ReviewMemory;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

/// What was not used in the latest review goes once there are more than these.
const ENTRIES_MAX: usize = 20_000;
const BYTES_MAX: u64 = 256 << 20;

pub(super) struct Cache {
    folder: PathBuf,
    used: Mutex<BTreeSet<String>>,
}

impl Cache {
    pub(super) fn open(folder: &Path, reviewed: &[PathBuf]) -> Result<Cache, Fault> {
        let failed = |error: std::io::Error| super::cannot("use", folder, &error);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let whole = folder.canonicalize().map_err(failed)?;
        let inside = |path: &PathBuf| path.canonicalize().is_ok_and(|path| whole.starts_with(path));
        if reviewed.iter().any(inside) {
            return Err(Fault::user(format!("`{}` lies in what is reviewed", folder.display()))
                .hint("whoever writes there could hide findings: name a folder of your own, such as ~/.cache/ringmail"));
        }
        let folder = whole.join(version());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(Cache { folder, used: Mutex::new(BTreeSet::new()) })
    }

    fn use_of(&self, key: &str) -> Option<PathBuf> {
        self.used.lock().ok()?.insert(key.to_string());
        Some(self.folder.join(key))
    }

    /// Takes out what was not used, where there is too much.
    pub(super) fn trim(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let entries =
            entries.flatten().map(|entry| (entry.path(), entry.metadata().map_or(0, |meta| meta.len())));
        let entries: Vec<(PathBuf, u64)> = entries.collect();
        let bytes: u64 = entries.iter().map(|(_, bytes)| bytes).sum();
        let Ok(used) = self.used.lock() else { return };
        if entries.len() <= ENTRIES_MAX && bytes <= BYTES_MAX {
            return;
        }
        for (path, _) in entries {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !used.contains(&name) {
                // It costs a look when it is wanted again, and no more.
                let _gone = std::fs::remove_file(path);
            }
        }
    }
}

/// This program and no other: its version, and which build of it.
fn version() -> String {
    let built = || {
        let meta = std::env::current_exe().ok()?.metadata().ok()?;
        let time = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{}-{}", meta.len(), time.as_nanos()))
    };
    format!("{}-{}", env!("CARGO_PKG_VERSION"), built().unwrap_or_default())
}

impl ReviewMemory for Cache {
    fn recall(&self, key: &str) -> Option<String> {
        std::fs::read_to_string(self.use_of(key)?).ok()
    }

    fn keep(&self, key: &str, text: &str) {
        if let Some(path) = self.use_of(key) {
            // A cache that cannot be written costs time, and no finding.
            let _kept = write_whole(&path, text.as_bytes());
        }
    }
}
