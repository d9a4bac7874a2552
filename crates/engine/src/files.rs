//! Mounted folders: opened once as capabilities, so that no path, link or rename can lead out of them.

use crate::engine::BuildError;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::FsPermit;
use ringmail_core::grant::Access;
use ringmail_core::plugin::PluginPlace;
use ringmail_core::project::Project;
use ringmail_core::value::Str;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Layers over it lie beside it.
const PROJECT_FILE: &str = "ringmail.toml";

/// The mounts of a project.
#[derive(Debug, Default)]
pub(crate) struct Mounts(BTreeMap<Str, Arc<Dir>>);

impl Mounts {
    pub(crate) fn open(project: &Project, folder: &Path) -> Result<Mounts, BuildError> {
        let mut out = BTreeMap::new();
        let own = own(project, folder);
        for (name, path) in &project.mounts {
            let place = real(&folder.join(path));
            if let Some(own) = own.iter().find(|own| own.starts_with(&place) || place.starts_with(own)) {
                let (name, path, own) = (name.to_string(), path.clone(), own.display().to_string());
                return Err(BuildError::OwnMount { name, path, own });
            }
            let dir = Dir::open_ambient_dir(folder.join(path), cap_std::ambient_authority());
            let dir =
                dir.map_err(|cause| BuildError::Mount { name: name.to_string(), path: path.clone(), cause })?;
            out.insert(name.clone(), Arc::new(dir));
        }
        Ok(Mounts(out))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Dir>> {
        self.0.get(name).cloned()
    }
}

/// What says what may happen here, and what is known of what did: whoever may write there grants himself whatever he likes.
fn own(project: &Project, folder: &Path) -> Vec<PathBuf> {
    let plugins = project.plugins.iter().filter_map(|plugin| match &plugin.place {
        PluginPlace::Folder(path) => Some(&**path),
        PluginPlace::Installed(_) => None,
    });
    let parts = [PROJECT_FILE, &project.data, &project.policies, &project.chains];
    parts.into_iter().chain(plugins).map(|path| real(&folder.join(path))).collect()
}

/// Without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(found) = above.canonicalize() {
            return path.strip_prefix(above).map_or_else(|_| found.clone(), |rest| found.join(rest));
        }
    }
    path.to_path_buf()
}

fn failed(error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => FailureKind::NotFound,
        _ => FailureKind::File,
    };
    Failure::new(kind, error.to_string())
}

// INVARIANT: the kind asks for the access it uses; this is the second lock on the same door.
fn needs(access: Access, permit: &FsPermit) -> Result<(), Failure> {
    if permit.access() >= access {
        return Ok(());
    }
    Err(Failure::new(FailureKind::File, format!("the permit is not for this: {}", permit.access().name())))
}

/// A pipe or device would block the open or never end. Where endings count, a link would give a file another one.
fn flags(permit: &FsPermit) -> i32 {
    libc::O_NONBLOCK | if permit.is_by_name() { libc::O_NOFOLLOW } else { 0 }
}

/// Reads a regular file whole, up to what the grant allows.
pub(crate) fn read(dir: &Dir, permit: &FsPermit) -> Result<Vec<u8>, Failure> {
    needs(Access::Read, permit)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags(permit));
    let file = dir.open_with(permit.path(), &options).map_err(|error| failed(&error))?;
    let meta = file.metadata().map_err(|error| failed(&error))?;
    if !meta.is_file() {
        return Err(Failure::new(FailureKind::File, "it is not a regular file"));
    }
    let most = permit.file_bytes_max();
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > most {
        return Err(Failure::new(FailureKind::TooLarge, format!("the file is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Replaces a file in one step: readers see the old content or the new, never half of it.
pub(crate) fn write(dir: &Dir, permit: &FsPermit, bytes: &[u8], nonce: u128) -> Result<(), Failure> {
    needs(Access::Write, permit)?;
    let most = permit.file_bytes_max();
    if bytes.len() as u64 > most {
        return Err(Failure::new(FailureKind::TooLarge, format!("the content is larger than {most} bytes")));
    }
    let path = Path::new(permit.path());
    let _alone = room(dir, permit, bytes.len() as u64, true)?;
    let draft = path.with_file_name(format!(".ringmail-{nonce:032x}"));
    let result = write_draft(dir, &draft, bytes).and_then(|()| dir.rename(&draft, dir, path));
    if let Err(error) = result {
        // The draft may not even exist; what matters is the error that led here.
        let _gone = dir.remove_file(&draft);
        return Err(failed(&error));
    }
    Ok(())
}

/// Writes to mounts that are measured happen one after the other.
static MEASURED: Mutex<()> = Mutex::new(());
/// Files of a mount that are looked at to measure it.
const FILES_MAX: u64 = 100_000;
const DEPTH_MAX: u32 = 32;

/// Makes sure that the mount holds no more than it may after so many bytes were written to the permit's file, which
/// `replaces` says they take the place of.
fn room(
    dir: &Dir,
    permit: &FsPermit,
    bytes: u64,
    replaces: bool,
) -> Result<Option<MutexGuard<'static, ()>>, Failure> {
    let (bytes_max, files_max) = permit.mount_max();
    if bytes_max.is_none() && files_max.is_none() {
        return Ok(None);
    }
    let alone = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut held, mut files) = (0, 0);
    measure(dir, Path::new("."), 0, &mut held, &mut files)?;
    let before = dir.symlink_metadata(permit.path()).ok().filter(|meta| meta.is_file());
    let replaced = before.as_ref().filter(|_| replaces).map_or(0, |meta| meta.len());
    let full = |what: String| {
        Err(Failure::new(FailureKind::TooLarge, format!("the mount would hold more than {what}")))
    };
    match (bytes_max, files_max) {
        (Some(most), _) if held.saturating_sub(replaced).saturating_add(bytes) > most => {
            full(format!("{most} bytes"))
        }
        (_, Some(most)) if files + u64::from(before.is_none()) > most => full(format!("{most} files")),
        _ => Ok(Some(alone)),
    }
}

fn measure(dir: &Dir, folder: &Path, depth: u32, held: &mut u64, files: &mut u64) -> Result<(), Failure> {
    for entry in dir.read_dir(folder).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let meta = entry.metadata().map_err(|error| failed(&error))?;
        if meta.is_dir() && depth < DEPTH_MAX {
            measure(dir, &folder.join(entry.file_name()), depth + 1, held, files)?;
            continue;
        }
        *files += 1;
        *held = held.saturating_add(meta.len());
        if *files > FILES_MAX || meta.is_dir() {
            return Err(Failure::new(FailureKind::TooLarge, "the mount is too large to be measured"));
        }
    }
    Ok(())
}

fn write_draft(dir: &Dir, draft: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = dir.open_with(draft, &options)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Adds to the end of a file, making it if need be.
pub(crate) fn append(dir: &Dir, permit: &FsPermit, bytes: &[u8]) -> Result<(), Failure> {
    needs(Access::Write, permit)?;
    let _alone = room(dir, permit, bytes.len() as u64, false)?;
    let mut options = OpenOptions::new();
    options.append(true).create(true).custom_flags(flags(permit));
    let mut file = dir.open_with(permit.path(), &options).map_err(|error| failed(&error))?;
    let meta = file.metadata().map_err(|error| failed(&error))?;
    if !meta.is_file() {
        return Err(Failure::new(FailureKind::File, "it is not a regular file"));
    }
    let most = permit.file_bytes_max();
    if meta.len().saturating_add(bytes.len() as u64) > most {
        return Err(Failure::new(
            FailureKind::TooLarge,
            format!("the file would be larger than {most} bytes"),
        ));
    }
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| failed(&error))
}

pub(crate) fn remove(dir: &Dir, permit: &FsPermit) -> Result<(), Failure> {
    needs(Access::Write, permit)?;
    dir.remove_file(permit.path()).map_err(|error| failed(&error))
}

/// Names in a folder, in order, up to a limit.
pub(crate) fn list(dir: &Dir, permit: &FsPermit) -> Result<Vec<String>, Failure> {
    const NAMES_MAX: usize = 10_000;
    let mut names = Vec::new();
    for entry in dir.read_dir(permit.path()).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        if names.len() >= NAMES_MAX {
            return Err(Failure::new(
                FailureKind::TooLarge,
                format!("the folder holds more than {NAMES_MAX} names"),
            ));
        }
        if let Ok(name) = entry.file_name().into_string()
            && (permit.shows(&name) || entry.file_type().is_ok_and(|kind| kind.is_dir()))
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
