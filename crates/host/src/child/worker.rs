//! The walls around the process that calls: for a worker of our own code that is about to run what nobody trusts. It
//! keeps what it has open, and gets nothing more.

use super::filter::{self, Purpose};
use super::landlock::{self, FILES_VERSION, Ruleset};
use super::launch::{is_root, limits_of};
use super::spec::{CHILD_UID, ChildAccess, ChildError, ChildFile, ChildLimits, ChildNet};
use super::sys;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;

/// What a worker keeps.
#[derive(Clone, Debug, Default)]
pub struct WorkerWalls {
    /// Read or written only; it starts nothing.
    pub files: Vec<ChildFile>,
    pub limits: ChildLimits,
}

/// Gives up, for good, all but computing, what is open, and `keeps`: no program or process is started any more, no
/// socket made, no other file opened. It has to come before there is a second thread, which would go on without walls.
pub fn confine_this_process(keeps: &WorkerWalls) -> Result<(), ChildError> {
    let version = landlock::version();
    if version < FILES_VERSION {
        return Err(ChildError::Missing(format!("Landlock has version {version} here")));
    }
    let wall = |step: &'static str, cause| ChildError::Walls { step, cause };
    let threads = std::fs::read_dir("/proc/self/task").map_err(|cause| wall("threads", cause))?.count();
    if threads != 1 {
        return Err(wall("threads", io::Error::other(format!("{threads} of them run already"))));
    }
    let failed = |step: &'static str| move |errno| wall(step, io::Error::from_raw_os_error(errno));
    let net = ChildNet::default();
    let filters =
        filter::compile(Purpose { net: &net, hidden: false, alone: true }).map_err(ChildError::Filter)?;
    let rules = Ruleset::new(version).map_err(failed("landlock"))?;
    for file in &keeps.files {
        let path = CString::new(file.path.as_os_str().as_bytes()).map_err(|_| ChildError::Zero)?;
        let access = match file.access {
            ChildAccess::Execute => ChildAccess::Read,
            other => other,
        };
        rules.allow(&path, access, file.path.is_dir()).map_err(failed("landlock"))?;
    }
    if is_root() {
        let user = CHILD_UID as usize;
        sys::plain(libc::SYS_setgroups, [0; 4]).map_err(failed("user"))?;
        sys::plain(libc::SYS_setresgid, [user, user, user, 0]).map_err(failed("user"))?;
        sys::plain(libc::SYS_setresuid, [user, user, user, 0]).map_err(failed("user"))?;
    }
    for (resource, most) in limits_of(&keeps.limits) {
        sys::limit(resource, most).map_err(failed("limits"))?;
    }
    sys::drop_capabilities().map_err(failed("privileges"))?;
    sys::prctl(libc::PR_SET_DUMPABLE, 0).map_err(failed("privileges"))?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(failed("privileges"))?;
    rules.restrict().map_err(failed("landlock"))?;
    filters.iter().try_for_each(|filter| sys::filter(filter)).map_err(failed("seccomp"))
}
