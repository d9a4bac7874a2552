//! Files that are there whole or not at all, readable by their owner alone, on disk before anybody counts on them.

use crate::tree::Hash;
use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Copies a file to where none is; answers its SHA-256. A link is not followed.
pub fn copy_file(from: &Path, to: &Path) -> std::io::Result<Hash> {
    if !std::fs::symlink_metadata(from)?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    if let Some(folder) = to.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut options = File::options();
    let (mut from, mut to) = (File::open(from)?, options.write(true).create_new(true).mode(0o600).open(to)?);
    let digest = read_on(&mut from, |bytes| to.write_all(bytes))?;
    to.sync_all()?;
    Ok(digest)
}

/// Writes a file that nobody else has written; whoever comes second leaves the first one's. It is never there in part.
pub fn put_once(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let new = folder.join(format!(".{name}.{}.{count}.new", std::process::id()));
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        match std::fs::hard_link(&new, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    });
    let removed = std::fs::remove_file(&new);
    written.and(removed).and_then(|()| File::open(folder)?.sync_all())
}

/// Puts on disk which files are in a folder, and in those below it so far down.
pub fn sync_folders(folder: &Path, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && depth > 0 {
            sync_folders(&entry.path(), depth - 1)?;
        }
    }
    File::open(folder)?.sync_all()
}

/// The SHA-256 of a file.
pub fn digest_file(path: &Path) -> std::io::Result<Hash> {
    read_on(&mut File::open(path)?, |_| Ok(()))
}

fn read_on(from: &mut File, mut take: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<Hash> {
    let (mut hasher, mut buffer) = (Context::new(&SHA256), vec![0; BUFFER_BYTES]);
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            let mut digest = [0; 32];
            digest.copy_from_slice(hasher.finish().as_ref());
            return Ok(digest);
        }
        hasher.update(bytes);
        take(bytes)?;
    }
}
