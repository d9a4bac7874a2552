//! Folders that go with whoever made them.

use crate::exit::Fault;
use anyhow::Context;
use std::path::PathBuf;

/// A folder that is removed when it is dropped, unless it is to be kept.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) kept: bool,
}

impl Folder {
    /// An empty one among temporary files; `what` is part of its name.
    pub(crate) fn temporary(what: &str) -> Result<Folder, Fault> {
        let mut nonce = [0_u8; 8];
        getrandom::fill(&mut nonce).context("the operating system gives no randomness")?;
        let name = format!("ringmail-{what}-{:016x}", u64::from_ne_bytes(nonce));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(Folder { path, kept: false })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // Left behind, it lies among temporary files.
            let _left = std::fs::remove_dir_all(&self.path);
        }
    }
}
