//! Compiled modules on disk. An entry is machine code that would run outside of all walls, so it is used only if this
//! host's own key says that this host wrote it, for this very module and these very settings.

use crate::walls::Walls;
use ring::hmac;
use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;
use wasmtime::component::Component;

/// Bytes of the code that authenticates an entry, before the entry.
const TAG_BYTES: usize = 32;

/// A folder of compiled modules, and the key that vouches for them.
pub struct ModuleCache {
    folder: PathBuf,
    key: hmac::Key,
    writes: bool,
}

impl std::fmt::Debug for ModuleCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModuleCache({})", self.folder.display())
    }
}

impl ModuleCache {
    /// `secret` is the host's alone. Without `writes`, entries are used and none are made.
    pub fn new(folder: PathBuf, secret: &[u8; 32], writes: bool) -> ModuleCache {
        ModuleCache { folder, key: hmac::Key::new(hmac::HMAC_SHA256, secret), writes }
    }

    /// The compiled module, if this host compiled it before.
    pub(crate) fn get(&self, walls: &Walls, module: &[u8]) -> Option<Component> {
        let name = name(walls, module);
        let entry = fs::read(self.folder.join(&name)).ok()?;
        let (tag, code) = entry.split_at_checked(TAG_BYTES)?;
        hmac::verify(&self.key, &signed(&name, code), tag).ok()?;
        // SAFETY: `deserialize` wants bytes that `serialize` made and nobody changed. The tag was made by `put` over
        // these bytes with a key that only this host has, and the bytes were read once, before it was checked.
        #[allow(unsafe_code, reason = "see above")]
        unsafe { Component::deserialize(&walls.engine, code) }.ok()
    }

    /// Keeps a compiled module. That it cannot be kept costs the next start some time, and nothing else.
    pub(crate) fn put(&self, walls: &Walls, module: &[u8], component: &Component) {
        if self.writes {
            let name = name(walls, module);
            let _slower = component.serialize().ok().and_then(|code| self.write(&name, &code).ok());
        }
    }

    /// Whole or not at all, whoever else writes it.
    fn write(&self, name: &str, code: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let tag = hmac::sign(&self.key, &signed(name, code));
        let beside = self.folder.join(format!("{name}.{}", std::process::id()));
        let mut file = fs::File::create(&beside)?;
        file.write_all(tag.as_ref())?;
        file.write_all(code)?;
        drop(file);
        fs::rename(&beside, self.folder.join(name))
    }
}

/// What a tag covers: the entry's name, which stands for module and settings, and the code.
fn signed(name: &str, code: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\n", code].concat()
}

/// Module and engine settings, by digest.
fn name(walls: &Walls, module: &[u8]) -> String {
    let mut settings = Settings(Sha256::new());
    walls.engine.precompile_compatibility_hash().hash(&mut settings);
    settings.0.update(Sha256::digest(module));
    settings.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes with a digest, whose short form nobody asks for.
struct Settings(Sha256);

impl Hasher for Settings {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
