//! The kernel's own calls, as far as confinement needs them. All of them may be made between `clone` and `exec`: they
//! take no lock, allocate nothing and unwind nowhere. They are made directly, because the C library's versions of some
//! ask every thread to take part.

use std::ffi::CStr;
use std::os::fd::RawFd;

/// The number the kernel gave for an error.
pub(super) type Errno = i32;

fn errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// One call of the kernel.
///
/// # Safety
/// What the call does with its arguments must be sound: pointers among them lead to what the call reads or writes.
#[allow(unsafe_code, reason = "the only way to the kernel; callers say why theirs is sound")]
pub(super) unsafe fn call(number: i64, args: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller's promise.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    usize::try_from(result).map_err(|_| errno())
}

/// A call whose arguments are numbers, so that it can touch no memory of ours.
pub(super) fn plain(number: i64, args: [usize; 4]) -> Result<usize, Errno> {
    let [a, b, c, d] = args;
    // SAFETY: every caller passes numbers where the kernel takes numbers.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(number, [a, b, c, d, 0, 0])
    }
}

pub(super) fn fd(fd: RawFd) -> usize {
    // As the kernel reads it: the lower half of the register.
    fd as usize
}

fn at(text: &CStr) -> usize {
    text.as_ptr() as usize
}

/// Nothing, where a call takes a text and may do without.
pub(super) const NO_PATH: usize = 0;

pub(super) fn prctl(option: i32, value: usize) -> Result<usize, Errno> {
    plain(libc::SYS_prctl, [option as usize, value, 0, 0])
}

pub(super) fn close(old: RawFd) {
    // A descriptor that cannot be closed is one that is not open.
    let _closed = plain(libc::SYS_close, [fd(old), 0, 0, 0]);
}

/// Moves a descriptor to a number of its own, so that what stands there next does not close it.
pub(super) fn move_to(old: RawFd, new: RawFd, flags: i32) -> Result<usize, Errno> {
    plain(libc::SYS_dup3, [fd(old), fd(new), flags as usize, 0])
}

pub(super) fn open(path: &CStr, flags: i32, mode: u32) -> Result<RawFd, Errno> {
    // SAFETY: `path` ends with a zero and lives through the call.
    #[allow(unsafe_code, reason = "see above")]
    let opened = unsafe {
        call(libc::SYS_openat, [fd(libc::AT_FDCWD), at(path), flags as usize, mode as usize, 0, 0])
    };
    opened.map(|fd| fd as RawFd)
}

/// A call that takes a path first.
pub(super) fn on_path(number: i64, path: &CStr, rest: [usize; 2]) -> Result<usize, Errno> {
    // SAFETY: `path` ends with a zero and lives through the call; the rest are numbers.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(number, [at(path), rest[0], rest[1], 0, 0, 0])
    }
}

/// A call that takes a folder's descriptor and a path.
pub(super) fn at_path(number: i64, path: &CStr, rest: [usize; 2]) -> Result<usize, Errno> {
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(number, [fd(libc::AT_FDCWD), at(path), rest[0], rest[1], 0, 0])
    }
}

/// A symbolic link, relative to the current folder.
pub(super) fn symlink(target: &CStr, path: &CStr) -> Result<usize, Errno> {
    // SAFETY: both texts end with a zero and live through the call.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(libc::SYS_symlinkat, [at(target), fd(libc::AT_FDCWD), at(path), 0, 0, 0])
    }
}

pub(super) fn mount(
    source: &CStr,
    path: &CStr,
    kind: &CStr,
    flags: u64,
    data: &CStr,
) -> Result<usize, Errno> {
    // SAFETY: all texts end with a zero and live through the call.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(libc::SYS_mount, [at(source), at(path), at(kind), flags as usize, at(data), 0])
    }
}

/// Makes the current folder, which a mount stands on, the root, with the old one beneath it.
pub(super) fn pivot() -> Result<usize, Errno> {
    // SAFETY: both texts end with a zero and live for ever.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(libc::SYS_pivot_root, [at(c"."), at(c"."), 0, 0, 0, 0])
    }
}

/// A copy of what is mounted at `path`, attached nowhere.
pub(super) fn open_tree(path: &CStr) -> Result<RawFd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC as u32;
    let flags = flags as usize | (libc::AT_RECURSIVE | libc::AT_SYMLINK_NOFOLLOW) as usize;
    at_path(libc::SYS_open_tree, path, [flags, 0]).map(|fd| fd as RawFd)
}

pub(super) fn move_mount(tree: RawFd, path: &CStr) -> Result<usize, Errno> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH as usize;
    // SAFETY: both texts end with a zero and live through the call.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(libc::SYS_move_mount, [fd(tree), at(c""), fd(libc::AT_FDCWD), at(path), flags, 0])
    }
}

/// Takes away what a mount, and all mounted below it, may be used for.
pub(super) fn narrow_mount(tree: RawFd, attributes: u64) -> Result<usize, Errno> {
    // As `struct mount_attr`: what to set, what to clear, propagation, user namespace.
    let wanted: [u64; 4] = [attributes, 0, 0, 0];
    let flags = (libc::AT_EMPTY_PATH | libc::AT_RECURSIVE) as usize;
    // SAFETY: the text ends with a zero, and the four numbers are as many bytes as the call is told.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        let at_attributes = wanted.as_ptr() as usize;
        call(libc::SYS_mount_setattr, [fd(tree), at(c""), flags, at_attributes, size_of_val(&wanted), 0])
    }
}

/// Where a file lies: device and number.
pub(super) fn identity(fd: RawFd) -> Result<(u64, u64), Errno> {
    // SAFETY: every field of the struct is a number, for which zero is a value.
    #[allow(unsafe_code, reason = "see above")]
    let mut found: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `fstat` writes one `stat`, and `found` is one.
    #[allow(unsafe_code, reason = "see above")]
    let result = unsafe { libc::fstat(fd, &raw mut found) };
    if result == 0 { Ok((found.st_dev, found.st_ino)) } else { Err(errno()) }
}

pub(super) fn limit(resource: u32, most: u64) -> Result<(), Errno> {
    let wanted = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the call reads one `rlimit`, and writes none where the last pointer is nothing.
    #[allow(unsafe_code, reason = "see above")]
    let result =
        unsafe { call(libc::SYS_prlimit64, [0, resource as usize, &raw const wanted as usize, 0, 0, 0]) };
    result.map(drop)
}

/// No memory of this process is written to a disk, not by a program either that the kernel hands it to: it leaves
/// processes alone whose limit is one byte, as it does its own handler of them.
pub fn without_core_dumps() -> std::io::Result<()> {
    limit(libc::RLIMIT_CORE, 1).map_err(std::io::Error::from_raw_os_error)
}

/// What this process may have at most of something.
pub(super) fn hard_limit(resource: u32) -> u64 {
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: u64::MAX };
    // SAFETY: the call writes one `rlimit`.
    #[allow(unsafe_code, reason = "see above")]
    let asked =
        unsafe { call(libc::SYS_prlimit64, [0, resource as usize, 0, &raw mut found as usize, 0, 0]) };
    asked.map_or(u64::MAX, |_| found.rlim_max)
}

/// Reads one byte; nothing at the end.
pub(super) fn read_byte(from: RawFd) -> Result<Option<u8>, Errno> {
    let mut byte = 0_u8;
    loop {
        // SAFETY: one byte is read into one byte.
        #[allow(unsafe_code, reason = "see above")]
        let read = unsafe { call(libc::SYS_read, [fd(from), &raw mut byte as usize, 1, 0, 0, 0]) };
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte)),
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

pub(super) fn write(to: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads as many bytes as there are.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        call(libc::SYS_write, [fd(to), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])
    }
}

/// Whether nobody reads the other end of a pipe any more.
pub(super) fn is_unread(writer: RawFd) -> bool {
    let mut polled = libc::pollfd { fd: writer, events: 0, revents: 0 };
    let at_once = [0_u64; 2];
    // SAFETY: one `pollfd` is read and written, and a `timespec` is two numbers.
    #[allow(unsafe_code, reason = "see above")]
    let ready =
        unsafe { call(libc::SYS_ppoll, [&raw mut polled as usize, 1, at_once.as_ptr() as usize, 0, 0, 0]) };
    ready.is_ok() && polled.revents & libc::POLLERR != 0
}

/// Puts a filter on. It stays for good, and on all that this thread starts.
pub(super) fn filter(program: &[seccompiler::sock_filter]) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| libc::EINVAL)?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    // SAFETY: `seccompiler::sock_filter` is laid out as the kernel's, and the kernel reads `len` of them and writes none.
    #[allow(unsafe_code, reason = "see above")]
    let result = unsafe { call(libc::SYS_seccomp, [mode, 0, &raw const program as usize, 0, 0, 0]) };
    result.map(drop)
}

/// Gives up every capability: the bounding set, and what the process has.
pub(super) fn drop_capabilities() -> Result<(), Errno> {
    for capability in 0..64 {
        // Beyond the last one there is nothing to drop; without the right to, there is none to be had either.
        let _dropped = prctl(libc::PR_CAPBSET_DROP, capability);
    }
    let _none = prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as usize);
    // Version 3, of this process; two sets of effective, permitted and inheritable ones.
    let (header, none): ([u32; 2], [u32; 6]) = ([0x2008_0522, 0], [0; 6]);
    // SAFETY: header and sets are laid out as version 3 says.
    #[allow(unsafe_code, reason = "see above")]
    let result =
        unsafe { call(libc::SYS_capset, [header.as_ptr() as usize, none.as_ptr() as usize, 0, 0, 0, 0]) };
    result.map(drop)
}

/// Every signal does what it does by default, and none waits.
pub(super) fn default_signals() -> Result<(), Errno> {
    // As `struct sigaction` of the kernel: the handler, flags, restorer and mask.
    let (default, none): ([usize; 4], u64) = ([libc::SIG_DFL, 0, 0, 0], 0);
    for signal in 1..=64 {
        // Two cannot be changed, and are what they should be.
        // SAFETY: the kernel reads one action of this layout, whose mask has eight bytes.
        #[allow(unsafe_code, reason = "see above")]
        let _changed = unsafe {
            call(libc::SYS_rt_sigaction, [signal, default.as_ptr() as usize, 0, size_of_val(&none), 0, 0])
        };
    }
    set_signal_mask(none).map(drop)
}

/// Holds these signals back; gives those that were.
pub(super) fn set_signal_mask(mask: u64) -> Result<u64, Errno> {
    let mut before = 0_u64;
    // SAFETY: both masks are eight bytes, as the call is told.
    #[allow(unsafe_code, reason = "see above")]
    let result = unsafe {
        call(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_SETMASK as usize,
                &raw const mask as usize,
                &raw mut before as usize,
                size_of_val(&mask),
                0,
                0,
            ],
        )
    };
    result.map(|_| before)
}

/// Sends a signal to the process that the descriptor stands for, and no other.
pub(super) fn signal(pidfd: RawFd, signal: i32) -> Result<(), Errno> {
    plain(libc::SYS_pidfd_send_signal, [fd(pidfd), signal as usize, NO_PATH, 0]).map(drop)
}

/// Sends a signal to everything in a process group.
pub(super) fn signal_group(group: i32, signal: i32) -> Result<(), Errno> {
    plain(libc::SYS_kill, [group.wrapping_neg() as usize, signal as usize, 0, 0]).map(drop)
}

/// Whether filters of this kernel can answer so.
pub(super) fn knows_action(question: usize, action: u32) -> bool {
    // SAFETY: the kernel reads one number of four bytes.
    #[allow(unsafe_code, reason = "see above")]
    unsafe { call(libc::SYS_seccomp, [question, 0, &raw const action as usize, 0, 0, 0]) }.is_ok()
}

/// Starts a copy of this process in namespaces of its own; gives its number and its descriptor to the parent, and
/// nothing to the copy.
///
/// # Safety
/// The copy has one thread and every lock as it was: until it starts a program or ends, it must make no call but those
/// of this file, and must neither allocate nor unwind.
#[allow(unsafe_code, reason = "the caller keeps the promise")]
pub(super) unsafe fn clone(namespaces: u64) -> Result<Option<(i32, RawFd)>, Errno> {
    let mut pidfd: RawFd = -1;
    let flags = namespaces | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    // SAFETY: without a stack of its own the copy goes on with a copy of ours, as after `fork`; the kernel writes the
    // descriptor where `pidfd` is.
    let pid = unsafe { call(libc::SYS_clone, [flags as usize, 0, &raw mut pidfd as usize, 0, 0, 0]) }?;
    Ok((pid != 0).then_some((pid as i32, pidfd)))
}

/// Starts the program behind a descriptor.
///
/// # Safety
/// `argv` and `envp` point to lists of texts that end with a zero; both lists end with nothing.
#[allow(unsafe_code, reason = "the caller keeps the promise")]
pub(super) unsafe fn execute(
    program: RawFd,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
) -> Errno {
    let flags = libc::AT_EMPTY_PATH as usize;
    // SAFETY: the caller's promise.
    let result =
        unsafe { call(libc::SYS_execveat, [fd(program), at(c""), argv as usize, envp as usize, flags, 0]) };
    result.err().unwrap_or(libc::EIO)
}

/// Starts the program at a path.
///
/// # Safety
/// As above.
#[allow(unsafe_code, reason = "the caller keeps the promise")]
pub(super) unsafe fn execute_path(
    program: &CStr,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
) -> Errno {
    // SAFETY: the caller's promise, and `program` ends with a zero.
    let result = unsafe { call(libc::SYS_execve, [at(program), argv as usize, envp as usize, 0, 0, 0]) };
    result.err().unwrap_or(libc::EIO)
}

/// Ends this process at once, with nothing of the host's run on the way.
pub(super) fn exit(code: i32) -> ! {
    loop {
        let _gone = plain(libc::SYS_exit_group, [code as usize, 0, 0, 0]);
    }
}

/// What a process that ended left: how, and what it used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) status: i32,
    pub(super) cpu_us: u64,
    pub(super) memory_peak_bytes: u64,
}

/// Takes a process off the list, if it has ended.
pub(super) fn reap(pid: i32, wait: bool) -> Result<Option<Left>, Errno> {
    let mut status = 0_i32;
    // SAFETY: every field of the struct is a number, for which zero is a value.
    #[allow(unsafe_code, reason = "see above")]
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let flags = if wait { 0 } else { libc::WNOHANG };
    // SAFETY: the kernel writes one number and one `rusage`.
    #[allow(unsafe_code, reason = "see above")]
    let reaped = unsafe {
        let (status, usage) = (&raw mut status as usize, &raw mut usage as usize);
        call(libc::SYS_wait4, [pid as usize, status, flags as usize, usage, 0, 0])
    };
    let us = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    match reaped? {
        0 => Ok(None),
        _ => Ok(Some(Left {
            status,
            cpu_us: us(usage.ru_utime) + us(usage.ru_stime),
            memory_peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
        })),
    }
}

/// Waits until a process has ended, or for so long.
pub(super) fn wait_end(pidfd: RawFd, timeout_ms: u64) -> bool {
    let mut polled = libc::pollfd { fd: pidfd, events: libc::POLLIN, revents: 0 };
    let most: [u64; 2] = [timeout_ms / 1000, timeout_ms % 1000 * 1_000_000];
    // SAFETY: one `pollfd` is read and written, and a `timespec` is two numbers.
    #[allow(unsafe_code, reason = "see above")]
    let ready =
        unsafe { call(libc::SYS_ppoll, [&raw mut polled as usize, 1, most.as_ptr() as usize, 0, 0, 0]) };
    ready.is_ok_and(|ready| ready > 0)
}
