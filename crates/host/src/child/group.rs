//! A process with everything it started. Ends whole: when it is over, when its time is, and when nobody wants it any
//! more. With a process namespace the kernel sees to it that nobody outlives the first; without one nobody can leave the
//! process group, because the filter lets nobody.

use super::cgroup::Groups;
use super::sys::{self, Left};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long a dropped group is waited for on the spot. Longer takes a process that the kernel does not let go of.
const DROP_WAIT_MS: u64 = 200;
/// How long a group may take to be gone after it was killed.
const GONE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Group {
    pid: i32,
    pidfd: Option<OwnedFd>,
    /// Whether the kernel ends everything with the first process.
    contained: bool,
    groups: Groups,
    left: Option<Left>,
}

impl Group {
    pub(super) fn new(pid: i32, pidfd: OwnedFd, contained: bool, groups: Groups) -> Group {
        Group { pid, pidfd: Some(pidfd), contained, groups, left: None }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn take_in(&self) -> io::Result<()> {
        self.groups.take_in(self.pid)
    }

    pub(super) fn memory_peak_bytes(&self) -> Option<u64> {
        self.groups.memory_peak_bytes()
    }

    /// Ends everything at once. There is no asking first: what was not granted more time gets none.
    pub(super) fn kill(&self) {
        // INVARIANT: the first process has not been reaped, so that neither its number nor its group's is anybody else's.
        let Some(pidfd) = self.pidfd.as_ref().filter(|_| self.left.is_none()) else { return };
        // What has ended cannot be sent a signal, and that is what was wanted.
        let _ended = sys::signal(pidfd.as_raw_fd(), libc::SIGKILL);
        if !self.contained {
            let _ended = sys::signal_group(self.pid, libc::SIGKILL);
        }
    }

    /// Waits for the end of the first process, then ends the others and takes all of them off the list.
    pub(super) async fn ended(&mut self) -> io::Result<Left> {
        if let Some(left) = self.left {
            return Ok(left);
        }
        let Some(pidfd) = &self.pidfd else { return Err(io::Error::other("it was given up")) };
        // SAFETY: what is registered owns its descriptor, and closes it only when it is dropped itself.
        #[allow(unsafe_code, reason = "see above")]
        let readable = unsafe { AsyncFd::register_with_interest(pidfd.try_clone()?, Interest::READABLE) }?;
        let _ready = readable.readable().await?;
        drop(readable);
        self.kill();
        let left = self.reap()?;
        let waited = Instant::now();
        while !self.contained && self.is_there() {
            if waited.elapsed() > GONE_MAX {
                return Err(io::Error::other("some of its processes do not end"));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(left)
    }

    fn is_there(&self) -> bool {
        sys::signal_group(self.pid, 0).is_ok()
    }

    fn reap(&mut self) -> io::Result<Left> {
        let left = sys::reap(self.pid, true).map_err(io::Error::from_raw_os_error)?;
        let left = left.ok_or_else(|| io::Error::other("it has not ended"))?;
        self.left = Some(left);
        Ok(left)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.left.is_some() {
            return;
        }
        self.kill();
        let Some(pidfd) = self.pidfd.take() else { return };
        let (pid, groups) = (self.pid, std::mem::take(&mut self.groups));
        if sys::wait_end(pidfd.as_raw_fd(), DROP_WAIT_MS) {
            let _left = sys::reap(pid, false);
            return drop(groups);
        }
        // Killed, and the kernel takes its time: somebody has to take it off the list.
        thread::spawn(move || {
            let _left = sys::reap(pid, true);
            drop((pidfd, groups));
        });
    }
}
