//! Files of a backup: copied with their digests, readable by their owner alone, on disk before anybody counts on them.

use crate::tree::Hash;
use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

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
