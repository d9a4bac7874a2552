//! What a process sees of the file system: a root of its own, made of what it may use at the paths it has outside, a
//! `/tmp` that ends with it, a `/proc` of its own processes, and the devices that do no harm. Planned here by the host,
//! built by the process itself once it stands in its own mount namespace.

use super::spec::{ChildAccess, ChildError, ChildSpec, DEVICES, NET_READ, SYSTEM, SYSTEM_READ};
use super::sys::{self, Errno};
use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More than anybody grants; room for them is on the stack.
pub(super) const TREES_MAX: usize = 64;

/// Something to be seen, and used so.
#[derive(Debug)]
pub(super) struct Tree {
    source: CString,
    /// Relative to the new root.
    target: CString,
    pub(super) path: CString,
    pub(super) access: ChildAccess,
    pub(super) folder: bool,
    attributes: u64,
    /// What must be found at the source, where that was looked at before.
    identity: (u64, u64),
    /// Folders above the target, and the target itself if it is a file.
    makes: Vec<CString>,
    /// Whether the grant names it, so that it must be of use.
    pub(super) granted: bool,
}

/// The whole plan.
#[derive(Debug)]
pub(super) struct Layout {
    /// The folder that the new root is built over; nobody else sees that.
    over: CString,
    pub(super) trees: Vec<Tree>,
    /// Target and path of each link of the system that leads to what is seen.
    links: Vec<(CString, CString)>,
    scratch: CString,
}

fn text(path: &Path) -> Result<CString, ChildError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| ChildError::Path(path.display().to_string()))
}

/// What mounts are never good for here, and what they may not be used for besides.
fn attributes(access: ChildAccess) -> u64 {
    let never = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    match access {
        ChildAccess::Read => never | libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOEXEC,
        ChildAccess::Execute => never | libc::MOUNT_ATTR_RDONLY,
        ChildAccess::Write => never | libc::MOUNT_ATTR_NOEXEC,
    }
}

/// Every folder above a path.
fn above(path: &Path) -> Result<Vec<CString>, ChildError> {
    let mut out = Vec::new();
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        out.insert(0, text(folder)?);
    }
    Ok(out)
}

impl Layout {
    pub(super) fn plan(spec: &ChildSpec, program: Option<&Path>) -> Result<Layout, ChildError> {
        let over = ["/tmp", "/run", "/var", "/mnt"].into_iter().find(|path| Path::new(path).is_dir());
        let mut out = Layout {
            over: text(Path::new(over.unwrap_or("/tmp")))?,
            trees: Vec::new(),
            links: Vec::new(),
            // A mebibyte of names goes with it, whatever it holds.
            scratch: text(Path::new(&format!(
                "mode=1777,nr_inodes=4096,size={}",
                spec.limits.scratch_bytes_max
            )))?,
        };
        if spec.system {
            for path in SYSTEM {
                out.system(Path::new(path), ChildAccess::Execute)?;
            }
            for path in SYSTEM_READ {
                out.system(Path::new(path), ChildAccess::Read)?;
            }
        }
        if !spec.net.is_none() {
            for path in NET_READ {
                out.system(Path::new(path), ChildAccess::Read)?;
            }
        }
        for path in DEVICES.iter().map(Path::new).filter(|path| path.exists()) {
            out.add(path, path, ChildAccess::Write, false)?;
            if let Some(device) = out.trees.last_mut() {
                device.attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
            }
        }
        let mut granted: Vec<(PathBuf, ChildAccess)> =
            spec.files.iter().map(|file| (file.path.clone(), file.access)).collect();
        if let Some(program) = program.filter(|program| !out.starts(spec, program)) {
            granted.push((program.to_path_buf(), ChildAccess::Execute));
        }
        // What lies inside of another comes after it, and so covers it.
        granted.sort();
        for (path, access) in granted {
            if path.parent().is_none() {
                return Err(ChildError::Path("/".into()));
            }
            out.add(&path, &path, access, true)?;
        }
        match out.trees.len() > TREES_MAX {
            true => Err(ChildError::Path(format!("more than {TREES_MAX} folders"))),
            false => Ok(out),
        }
    }

    /// Whether a program can start from what is seen already.
    fn starts(&self, spec: &ChildSpec, program: &Path) -> bool {
        let granted = spec.files.iter().filter(|file| program.starts_with(&file.path));
        let nearest = granted.max_by_key(|file| file.path.as_os_str().len());
        match nearest {
            Some(file) => file.access == ChildAccess::Execute,
            None => spec.system && SYSTEM.iter().any(|path| program.starts_with(path)),
        }
    }

    /// A place of the system, if it is there: itself, or a link that leads to another of them.
    fn system(&mut self, path: &Path, access: ChildAccess) -> Result<(), ChildError> {
        let leads = fs::read_link(path).ok().filter(|_| access == ChildAccess::Execute);
        if let Some(target) = leads {
            let relative = path.strip_prefix("/").unwrap_or(path);
            self.links.push((text(&target)?, text(relative)?));
            return Ok(());
        }
        match fs::canonicalize(path) {
            Ok(real) => self.add(&real, path, access, false),
            Err(_) => Ok(()),
        }
    }

    fn add(
        &mut self,
        real: &Path,
        path: &Path,
        access: ChildAccess,
        granted: bool,
    ) -> Result<(), ChildError> {
        let found = fs::symlink_metadata(real)
            .map_err(|cause| ChildError::File { path: real.display().to_string(), cause })?;
        let relative = path.strip_prefix("/").map_err(|_| ChildError::Path(path.display().to_string()))?;
        let mut makes = above(relative)?;
        if found.is_dir() {
            makes.push(text(relative)?);
        }
        self.trees.push(Tree {
            source: text(real)?,
            target: text(relative)?,
            path: text(path)?,
            access,
            folder: found.is_dir(),
            attributes: attributes(access),
            identity: (found.dev(), found.ino()),
            makes,
            granted,
        });
        Ok(())
    }

    /// Takes hold of all that will be seen, while the old root is still there. Before the process gives up its user,
    /// because only that may lead it there.
    pub(super) fn gather(&self, held: &mut [RawFd; TREES_MAX]) -> Result<(), Errno> {
        let private = libc::MS_REC | libc::MS_PRIVATE;
        sys::mount(c"none", c"/", c"none", private, c"")?;
        for (tree, slot) in self.trees.iter().zip(held) {
            *slot = sys::open_tree(&tree.source)?;
            if sys::identity(*slot)? != tree.identity {
                return Err(libc::ESTALE);
            }
            sys::narrow_mount(*slot, tree.attributes)?;
        }
        Ok(())
    }

    /// Builds the new root and moves into it. The old one is gone.
    pub(super) fn enter(&self, held: &[RawFd; TREES_MAX]) -> Result<(), Errno> {
        let bare = libc::MS_NOSUID | libc::MS_NODEV;
        sys::mount(c"root", &self.over, c"tmpfs", bare, c"mode=755,size=1m,nr_inodes=4096")?;
        sys::on_path(libc::SYS_chdir, &self.over, [0, 0])?;
        for folder in [c"tmp", c"proc", c"dev"] {
            sys::at_path(libc::SYS_mkdirat, folder, [0o755, 0])?;
        }
        for (target, path) in &self.links {
            sys::symlink(target, path)?;
        }
        for (target, path) in DEVICE_LINKS {
            sys::symlink(target, path)?;
        }
        sys::mount(c"tmp", c"tmp", c"tmpfs", bare | libc::MS_NOEXEC, &self.scratch)?;
        for (tree, held) in self.trees.iter().zip(held) {
            for folder in &tree.makes {
                made(sys::at_path(libc::SYS_mkdirat, folder, [0o755, 0]).map(drop))?;
            }
            if !tree.folder {
                let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_CLOEXEC;
                made(sys::open(&tree.target, flags, 0o600).map(sys::close))?;
            }
            sys::move_mount(*held, &tree.target)?;
            sys::close(*held);
        }
        // Where the kernel shows no `/proc` to a namespace like this one, there is none.
        let processes = bare | libc::MS_NOEXEC | libc::MS_RDONLY;
        let _shown = sys::mount(c"proc", c"proc", c"proc", processes, c"subset=pid");
        sys::pivot()?;
        sys::on_path(libc::SYS_umount2, c".", [libc::MNT_DETACH as usize, 0])?;
        sys::on_path(libc::SYS_chdir, c"/", [0, 0])?;
        let fixed = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | bare;
        sys::mount(c"none", c"/", c"none", fixed, c"").map(drop)
    }
}

const DEVICE_LINKS: &[(&CStr, &CStr)] = &[
    (c"/proc/self/fd", c"dev/fd"),
    (c"/proc/self/fd/0", c"dev/stdin"),
    (c"/proc/self/fd/1", c"dev/stdout"),
    (c"/proc/self/fd/2", c"dev/stderr"),
];

fn made(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(libc::EEXIST) => Ok(()),
        other => other,
    }
}
