//! The program that a process will run: opened, recognised, held against its pin. What was looked at is what starts:
//! the process compares the file it opens with the one that was read here.

use super::spec::ChildError;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Largest program that is read to check its digest.
const PROGRAM_BYTES_MAX: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Program {
    pub(super) identity: (u64, u64),
    /// Starts by its path, because its interpreter opens it again.
    pub(super) script: bool,
    /// Holds its number until the process has started.
    _file: File,
}

/// A digest that was worked out, and what the file was like then.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    file: [u64; 3],
    times: [i64; 4],
}

type Digests = HashMap<PathBuf, (Seen, [u8; 32])>;

pub(super) fn open(path: &Path, digest: Option<&[u8; 32]>) -> Result<Program, ChildError> {
    let failed = |cause| ChildError::Program { path: path.display().to_string(), cause };
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() || found.mode() & 0o111 == 0 {
        return Err(failed(std::io::Error::other("it is no file that can be started")));
    }
    let mut start = [0; 2];
    let script = file.read_at(&mut start, 0).map_err(failed)? == 2 && &start == b"#!";
    if let Some(pin) = digest {
        if script {
            let why = "its digest says nothing about its interpreter; pin that, and hand it the script";
            return Err(failed(std::io::Error::other(why)));
        }
        if digest_of(path, &file).map_err(failed)? != *pin {
            return Err(ChildError::Digest { path: path.display().to_string() });
        }
    }
    Ok(Program { identity: (found.dev(), found.ino()), script, _file: file })
}

/// Worked out again whenever the file was touched.
fn digest_of(path: &Path, file: &File) -> std::io::Result<[u8; 32]> {
    static KNOWN: OnceLock<Mutex<Digests>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = |file: &File| {
        let found = file.metadata()?;
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        std::io::Result::Ok(Seen { file: [found.dev(), found.ino(), found.size()], times })
    };
    let before = seen(file)?;
    if let Some((_, digest)) = lock().get(path).filter(|(known, _)| *known == before) {
        return Ok(*digest);
    }
    let mut hasher = Sha256::new();
    let mut limited = file.take(PROGRAM_BYTES_MAX);
    let mut piece = vec![0; 1 << 16];
    loop {
        match limited.read(&mut piece)? {
            0 => break,
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
    let digest: [u8; 32] = hasher.finalize().into();
    if seen(file)? != before {
        return Err(std::io::Error::other("it changed while it was read"));
    }
    lock().insert(path.to_path_buf(), (before, digest));
    Ok(digest)
}

/// The digest of a program, for whoever pins it.
pub fn program_digest(path: &Path) -> std::io::Result<[u8; 32]> {
    digest_of(path, &File::open(path)?)
}
