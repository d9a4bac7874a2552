//! What is installed: archives named after their digest, and `ringmail.lock`, which says which of them count. One process
//! changes it at a time. Archives are written before the lock that names them, whole or not at all, so whoever is stopped
//! halfway leaves nothing that anybody would use, and the next one clears it away.

use ringmail_core::doc::{Problems, Source};
use ringmail_core::label::TagTable;
use ringmail_core::package::{
    LOCK_FILE, Lock, Locked, PACKAGE_BYTES_MAX, Package, Rollback, SeenIndex, Vouched, sha256,
};
use ringmail_core::value::Str;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where archives are, in the data folder.
pub(crate) const ARCHIVES: &str = "plugins";
const LOCK_BYTES_MAX: u64 = 4 << 20;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("cannot use `{path}`: {cause}")]
    Io { path: String, cause: std::io::Error },
    #[error("{0}")]
    Problems(Problems),
    #[error("{0}")]
    Rollback(#[from] Rollback),
    #[error("{0}")]
    Unreadable(String),
}

/// A package that is about to be installed.
#[derive(Debug)]
pub struct Arrival {
    pub vouched: Vouched,
    pub archive: Vec<u8>,
    /// A registry's name, or `file`.
    pub source: String,
}

/// The packages of a project, held by one process.
#[derive(Debug)]
pub struct PackageStore {
    lock_path: PathBuf,
    archives: PathBuf,
    lock: Lock,
    /// Others wait as long as this is open.
    _held: File,
}

/// The lock file of a project's folder; one that is not there says nothing.
pub fn read_lock(root: &Path) -> Result<Lock, StoreError> {
    let path = root.join(LOCK_FILE);
    if let Err(error) = std::fs::symlink_metadata(&path)
        && error.kind() == ErrorKind::NotFound
    {
        return Ok(Lock::default());
    }
    let bytes = super::read_bounded(&path, LOCK_BYTES_MAX).map_err(StoreError::Unreadable)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| StoreError::Unreadable(format!("`{}` is not UTF-8 text", path.display())))?;
    Lock::parse(&Source::new(path.display().to_string(), text)).map_err(StoreError::Problems)
}

/// What a project has installed, as far as its archives are here; nothing is held, and nothing believed.
pub fn installed(root: &Path, data: &Path) -> Result<Vec<(Locked, Package)>, StoreError> {
    let mut out = Vec::new();
    for locked in read_lock(root)?.all() {
        let archive = super::read_bounded(&data.join(ARCHIVES).join(locked.file()), PACKAGE_BYTES_MAX as u64);
        let package = archive.ok().filter(|archive| *sha256(archive) == *locked.package);
        let package = package.and_then(|archive| Package::read(&archive, &mut TagTable::default()).ok());
        out.extend(package.map(|package| (locked.clone(), package)));
    }
    Ok(out)
}

/// Writes a file so that whoever looks finds the old content or the new, and never something else.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Where a link leads is what is meant to change.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let new = folder.join(format!(".{name}.{}.new", std::process::id()));
    let write = || {
        let mut file = File::create(&new)?;
        if let Ok(known) = std::fs::metadata(&path) {
            file.set_permissions(known.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        let _never_there = std::fs::remove_file(&new);
    })
}

impl PackageStore {
    /// Opens the packages of a project and keeps others out; waits for whoever has them open.
    pub fn open(root: &Path, data: &Path) -> Result<PackageStore, StoreError> {
        let archives = data.join(ARCHIVES);
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |cause| StoreError::Io { path, cause }
        };
        std::fs::create_dir_all(&archives).map_err(io(&archives))?;
        let ignore = data.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(&ignore, "*\n").map_err(io(&ignore))?;
        }
        let held = archives.join("held");
        let file = File::options().create(true).truncate(false).write(true).open(&held).map_err(io(&held))?;
        file.lock().map_err(io(&held))?;
        let store =
            PackageStore { lock_path: root.join(LOCK_FILE), archives, lock: read_lock(root)?, _held: file };
        store.clear();
        Ok(store)
    }

    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Takes packages in, all or none. `granted` says of a plugin which digest the project pins, to be kept beside.
    pub fn install(
        &mut self,
        arrivals: &[Arrival],
        granted: &BTreeMap<Str, Str>,
        older_too: bool,
    ) -> Result<Vec<Locked>, StoreError> {
        let mut lock = self.lock.clone();
        let mut out = Vec::new();
        for arrival in arrivals {
            let next = Locked::new(&arrival.vouched, &arrival.archive, &arrival.source);
            let granted = granted.get(&next.name).map(|digest| &**digest);
            lock = lock.with(next.clone(), granted, older_too)?;
            out.push(next);
        }
        for (arrival, next) in arrivals.iter().zip(&out) {
            let path = self.archives.join(next.file());
            let written = write_whole(&path, &arrival.archive);
            if let Err(cause) = written {
                self.clear();
                return Err(StoreError::Io { path: path.display().to_string(), cause });
            }
        }
        self.put(lock)?;
        Ok(out)
    }

    /// Remembers the newest index of a registry, whatever comes of asking it.
    pub fn saw(&mut self, seen: SeenIndex) -> Result<(), StoreError> {
        match self.lock.seen(&seen.registry) == Some(&seen) {
            true => Ok(()),
            false => self.put(self.lock.clone().with_seen(seen)),
        }
    }

    /// Brings an archive back that the lock names, if these are its bytes.
    pub fn restore(&self, locked: &Locked, archive: &[u8]) -> Result<bool, StoreError> {
        if *sha256(archive) != *locked.package {
            return Ok(false);
        }
        let path = self.archives.join(locked.file());
        let io = |cause| StoreError::Io { path: path.display().to_string(), cause };
        write_whole(&path, archive).map_err(io).map(|()| true)
    }

    /// Forgets a plugin and what was installed of it.
    pub fn remove(&mut self, plugin: &str) -> Result<(), StoreError> {
        self.put(self.lock.clone().without(plugin))
    }

    fn put(&mut self, lock: Lock) -> Result<(), StoreError> {
        let written = write_whole(&self.lock_path, lock.text().as_bytes());
        let path = self.lock_path.display().to_string();
        let written = written.map_err(|cause| StoreError::Io { path, cause });
        if written.is_ok() {
            self.lock = lock;
        }
        self.clear();
        written
    }

    /// The archive of one that is locked, whatever its bytes are.
    pub fn archive(&self, locked: &Locked) -> Result<Vec<u8>, StoreError> {
        let path = self.archives.join(locked.file());
        super::read_bounded(&path, PACKAGE_BYTES_MAX as u64).map_err(StoreError::Unreadable)
    }

    /// Removes what no lock names: left behind by somebody who was stopped, or replaced.
    fn clear(&self) {
        let known: Vec<String> = self.lock.all().iter().map(Locked::file).collect();
        for entry in std::fs::read_dir(&self.archives).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "held" && !known.contains(&name) {
                let _used_by_nobody = std::fs::remove_file(entry.path());
            }
        }
    }
}
