//! Landlock: which files a process may touch and which ports it may use, whatever its user may. Works for anybody, and
//! for good. The kernel's three calls, directly: rules are made between `clone` and `exec`, on mounts that exist only
//! there.

use super::spec::ChildAccess;
use super::sys::{self, Errno};
use std::ffi::CStr;
use std::os::fd::RawFd;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
/// Everything the first version knows: the above and devices, sockets, pipes and links, which nobody may make.
const FIRST: u64 = (1 << 13) - 1;
const IOCTL_DEV: u64 = 1 << 15;

const BIND_TCP: u64 = 1;
const CONNECT_TCP: u64 = 1 << 1;

/// Rights that make sense for a file that is no folder.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE;

/// From which on files are held whole: shortening one is writing, too.
pub(super) const FILES_VERSION: u32 = 3;
pub(super) const PORTS_VERSION: u32 = 4;
pub(super) const SCOPES_VERSION: u32 = 6;

/// The version of the kernel's Landlock; nothing if there is none.
pub(super) fn version() -> u32 {
    const VERSION: usize = 1;
    let version = sys::plain(libc::SYS_landlock_create_ruleset, [0, 0, VERSION, 0]);
    version.ok().and_then(|version| u32::try_from(version).ok()).unwrap_or(0)
}

fn rights(access: ChildAccess) -> u64 {
    let read = READ_FILE | READ_DIR;
    match access {
        ChildAccess::Read => read,
        ChildAccess::Execute => read | EXECUTE,
        ChildAccess::Write => {
            read | WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER
        }
    }
}

/// Rules on their way: nothing is allowed but what is added.
pub(super) struct Ruleset {
    fd: RawFd,
    handled: u64,
}

impl Ruleset {
    /// Of all that this version of the kernel can hold back.
    pub(super) fn new(version: u32) -> Result<Ruleset, Errno> {
        let handled = match version {
            0 => return Err(libc::ENOSYS),
            1 => FIRST,
            2 => FIRST | REFER,
            3 | 4 => FIRST | REFER | TRUNCATE,
            _ => FIRST | REFER | TRUNCATE | IOCTL_DEV,
        };
        // Files, ports, and what a process may reach of others: abstract sockets and signals.
        let attributes: [u64; 3] = [handled, BIND_TCP | CONNECT_TCP, 0b11];
        let known = match version {
            1..=3 => 1,
            4 | 5 => 2,
            _ => attributes.len(),
        };
        // SAFETY: the kernel reads as many bytes as it is told, and the numbers are at least as many.
        #[allow(unsafe_code, reason = "see above")]
        let fd = unsafe {
            let at = attributes.as_ptr() as usize;
            sys::call(libc::SYS_landlock_create_ruleset, [at, known * size_of::<u64>(), 0, 0, 0, 0])
        }?;
        Ok(Ruleset { fd: fd as RawFd, handled })
    }

    /// Allows a folder, with all below it, or a file.
    pub(super) fn allow(&self, path: &CStr, access: ChildAccess, folder: bool) -> Result<(), Errno> {
        let below = sys::open(path, libc::O_PATH | libc::O_CLOEXEC, 0)?;
        let wanted = rights(access) & self.handled & if folder { u64::MAX } else { OF_FILES };
        // As `struct landlock_path_beneath_attr`, which is packed: the rights, then the descriptor.
        let [a, b, c, d, e, f, g, h] = wanted.to_ne_bytes();
        let [i, j, k, l] = below.to_ne_bytes();
        let added = self.add(1, &[a, b, c, d, e, f, g, h, i, j, k, l]);
        sys::close(below);
        added
    }

    pub(super) fn allow_connect(&self, port: u16) -> Result<(), Errno> {
        self.allow_port(CONNECT_TCP, port)
    }

    pub(super) fn allow_bind(&self, port: u16) -> Result<(), Errno> {
        self.allow_port(BIND_TCP, port)
    }

    fn allow_port(&self, rights: u64, port: u16) -> Result<(), Errno> {
        let [a, b, c, d, e, f, g, h] = rights.to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = u64::from(port).to_ne_bytes();
        self.add(2, &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    fn add(&self, kind: usize, rule: &[u8]) -> Result<(), Errno> {
        // SAFETY: the callers pass the bytes of the struct that the kind of rule has.
        #[allow(unsafe_code, reason = "see above")]
        let added = unsafe {
            sys::call(libc::SYS_landlock_add_rule, [sys::fd(self.fd), kind, rule.as_ptr() as usize, 0, 0, 0])
        };
        added.map(drop)
    }

    /// From now on, for this thread and all it starts.
    pub(super) fn restrict(self) -> Result<(), Errno> {
        let done = sys::plain(libc::SYS_landlock_restrict_self, [sys::fd(self.fd), 0, 0, 0]);
        sys::close(self.fd);
        done.map(drop)
    }
}
