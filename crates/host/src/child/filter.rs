//! Which system calls a confined process may make: a list of those that ordinary programs need, and nothing else. What
//! is not listed does not exist there (`ENOSYS`), so that a call some later kernel adds is not there either. What a
//! program may well try, and must not have, is refused by name (`EPERM`).

use super::spec::ChildNet;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// What the filter is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose<'p> {
    pub(super) net: &'p ChildNet,
    /// Whether a mount namespace hides what lies outside, so that the owner of a file may change its mode.
    pub(super) hidden: bool,
    /// For a worker of our own code: it starts no other program and no other process.
    pub(super) alone: bool,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filters, in the order in which they are put on.
pub(super) fn compile(purpose: Purpose<'_>) -> Result<Vec<BpfProgram>, String> {
    let shown = |error: seccompiler::BackendError| format!("the system call filter cannot be built: {error}");
    let arch = std::env::consts::ARCH.try_into().map_err(shown)?;
    let build = |rules: Rules, otherwise: SeccompAction, listed: SeccompAction| {
        let filter = SeccompFilter::new(rules, otherwise, listed, arch).map_err(shown)?;
        BpfProgram::try_from(filter).map_err(shown)
    };
    let errno = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    let known = build(known(purpose).map_err(shown)?, errno(libc::ENOSYS), SeccompAction::Allow)?;
    let refused = build(refused(purpose).map_err(shown)?, SeccompAction::Allow, errno(libc::EPERM))?;
    Ok(vec![refused, known])
}

type Built<T> = Result<T, seccompiler::BackendError>;

/// A condition on the lower half of an argument, which is all the kernel reads of flags and small numbers.
fn word(arg: u8, op: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(arg, SeccompCmpArgLen::Dword, op, value)
}

fn rule(conditions: Vec<SeccompCondition>) -> Built<SeccompRule> {
    SeccompRule::new(conditions)
}

/// Every bit of these, as conditions of which one is enough.
fn any_bit(arg: u8, bits: u64) -> Built<Vec<SeccompRule>> {
    (0..32)
        .map(|at| 1u64 << at)
        .filter(|bit| bits & bit != 0)
        .map(|bit| rule(vec![word(arg, SeccompCmpOp::MaskedEq(bit), bit)?]))
        .collect()
}

/// The list of what exists. A call of the second list exists as well, so that it can be refused by name.
fn known(purpose: Purpose<'_>) -> Built<Rules> {
    let mut out = Rules::new();
    let everywhere =
        [FILES, MEMORY, PROCESSES, TIME, EVENTS, FORBIDDEN, OLD, &[FCHMODAT2]].into_iter().flatten();
    out.extend(everywhere.map(|call| (*call, Vec::new())));
    // Of itself only: these name a process.
    for call in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_prlimit64,
    ] {
        out.insert(call, vec![rule(vec![word(0, SeccompCmpOp::Eq, 0)?])?]);
    }
    let process = libc::PRIO_PROCESS.into();
    let own = rule(vec![word(0, SeccompCmpOp::Eq, process)?, word(1, SeccompCmpOp::Eq, 0)?])?;
    out.insert(libc::SYS_setpriority, vec![own]);
    if purpose.net.is_none() {
        out.extend(SOCKETS.iter().map(|call| (*call, Vec::new())));
        return Ok(out);
    }
    out.extend(SOCKETS.iter().chain(CONNECTED).map(|call| (*call, Vec::new())));
    let mut streams = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        // TCP itself: Landlock's ports hold for no other protocol, multipath TCP included.
        for protocol in [0, libc::IPPROTO_TCP] {
            streams.push(rule(vec![
                word(0, SeccompCmpOp::Eq, unsigned(family))?,
                word(1, SeccompCmpOp::MaskedEq(0xf), unsigned(libc::SOCK_STREAM))?,
                word(2, SeccompCmpOp::Eq, unsigned(protocol))?,
            ])?);
        }
    }
    out.insert(libc::SYS_socket, streams);
    Ok(out)
}

fn unsigned(number: i32) -> u64 {
    u64::from(number.unsigned_abs())
}

/// What is refused by name, some of it by its arguments.
fn refused(purpose: Purpose<'_>) -> Built<Rules> {
    let mut out: Rules = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    if !purpose.hidden {
        out.extend(
            UNHIDDEN_NOW.iter().chain(UNHIDDEN_OLD).chain(&[FCHMODAT2]).map(|call| (*call, Vec::new())),
        );
    }
    let net = purpose.net;
    if net.is_none() {
        out.insert(libc::SYS_socket, Vec::new());
    } else {
        // Data with the first packet connects without asking about ports.
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            out.insert(call, any_bit(flags, unsigned(libc::MSG_FASTOPEN))?);
        }
        if net.bind.is_empty() {
            // A socket that listens without a name gets a port of the kernel's choice.
            out.extend([libc::SYS_bind, libc::SYS_listen].map(|call| (call, Vec::new())));
        }
    }
    let pair = word(0, SeccompCmpOp::Ne, unsigned(libc::AF_UNIX))?;
    out.insert(libc::SYS_socketpair, vec![rule(vec![pair])?]);
    let mut clone = any_bit(0, NAMESPACES)?;
    if purpose.alone {
        out.extend(STARTS.iter().map(|call| (*call, Vec::new())));
        clone.push(rule(vec![word(0, SeccompCmpOp::MaskedEq(THREAD), 0)?])?);
    }
    out.insert(libc::SYS_clone, clone);
    // A file of the host's user that runs as that user for whoever finds it.
    for (call, mode) in MODES {
        out.entry(*call).or_insert(any_bit(*mode, u64::from(libc::S_ISUID | libc::S_ISGID))?);
    }
    let death = word(0, SeccompCmpOp::Eq, unsigned(libc::PR_SET_PDEATHSIG))?;
    out.insert(libc::SYS_prctl, vec![rule(vec![death])?]);
    // Words put into a terminal as if somebody had typed them.
    let typed = |request: u64| rule(vec![word(1, SeccompCmpOp::Eq, request)?]);
    out.insert(libc::SYS_ioctl, vec![typed(libc::TIOCSTI)?, typed(libc::TIOCLINUX)?]);
    Ok(out)
}

const THREAD: u64 = libc::CLONE_THREAD as u64;
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

macro_rules! calls {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}

/// Where a call that makes a file or changes one takes its mode.
const MODES: &[(i64, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (FCHMODAT2, 2),
    (libc::SYS_openat, 3),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, 1),
];

/// The same number everywhere; not named everywhere.
const FCHMODAT2: i64 = 452;

const FILES: &[i64] = calls![
    SYS_chdir SYS_close SYS_close_range SYS_copy_file_range SYS_dup SYS_dup3 SYS_faccessat SYS_faccessat2
    SYS_fadvise64 SYS_fallocate SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_fcntl
    SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fremovexattr SYS_fsetxattr SYS_fstat SYS_fstatfs
    SYS_fsync SYS_ftruncate SYS_getcwd SYS_getdents64 SYS_getxattr SYS_inotify_add_watch SYS_inotify_init1
    SYS_inotify_rm_watch SYS_ioctl SYS_lgetxattr SYS_linkat SYS_listxattr SYS_llistxattr SYS_lremovexattr
    SYS_lseek SYS_lsetxattr SYS_mkdirat SYS_newfstatat SYS_openat SYS_pipe2 SYS_pread64 SYS_preadv SYS_preadv2
    SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_removexattr
    SYS_renameat2 SYS_sendfile SYS_setxattr SYS_splice SYS_statfs SYS_statx SYS_symlinkat SYS_tee SYS_truncate
    SYS_umask SYS_unlinkat SYS_utimensat SYS_vmsplice SYS_write SYS_writev
];

const MEMORY: &[i64] = calls![
    SYS_brk SYS_madvise SYS_membarrier SYS_memfd_create SYS_mincore SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap
    SYS_mprotect SYS_mremap SYS_mseal SYS_msync SYS_munlock SYS_munlockall SYS_munmap SYS_pkey_alloc SYS_pkey_free
    SYS_pkey_mprotect SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget SYS_semctl SYS_semget SYS_semop SYS_semtimedop
    SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd
];

const PROCESSES: &[i64] = calls![
    SYS_capget SYS_capset SYS_clone SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_getcpu SYS_getegid SYS_geteuid
    SYS_getgid SYS_getgroups SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid
    SYS_getresuid SYS_getrusage SYS_getsid SYS_gettid SYS_getuid SYS_get_robust_list SYS_ioprio_get SYS_kill
    SYS_landlock_add_rule SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_pidfd_open SYS_pidfd_send_signal
    SYS_prctl SYS_restart_syscall SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask SYS_rt_sigqueueinfo
    SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait SYS_rt_tgsigqueueinfo SYS_sched_getaffinity
    SYS_sched_getattr SYS_sched_getparam SYS_sched_get_priority_max SYS_sched_get_priority_min
    SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_yield SYS_seccomp SYS_setfsgid SYS_setfsuid SYS_setgid
    SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid SYS_setuid SYS_set_robust_list SYS_set_tid_address
    SYS_sigaltstack SYS_sysinfo SYS_tgkill SYS_tkill SYS_uname SYS_wait4 SYS_waitid
];

const TIME: &[i64] = calls![
    SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_getitimer SYS_gettimeofday SYS_nanosleep SYS_setitimer
    SYS_timer_create SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create
    SYS_timerfd_gettime SYS_timerfd_settime SYS_times
];

const EVENTS: &[i64] = calls![
    SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_futex SYS_futex_waitv SYS_ppoll
    SYS_pselect6 SYS_signalfd4
];

/// On pairs of sockets, which reach nobody outside.
const SOCKETS: &[i64] = calls![
    SYS_socket SYS_socketpair SYS_recvfrom SYS_recvmsg SYS_recvmmsg SYS_sendto SYS_sendmsg SYS_sendmmsg SYS_shutdown
    SYS_getsockname SYS_getpeername SYS_getsockopt SYS_setsockopt
];

const CONNECTED: &[i64] = calls![SYS_connect SYS_bind SYS_listen SYS_accept SYS_accept4];

/// Older names of the above.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = calls![
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create SYS_epoll_wait
    SYS_eventfd SYS_fork SYS_futimesat SYS_getdents SYS_getpgrp SYS_getrlimit SYS_inotify_init SYS_lchown SYS_link
    SYS_lstat SYS_mkdir SYS_open SYS_pause SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_renameat SYS_rmdir SYS_select
    SYS_setrlimit SYS_signalfd SYS_stat SYS_symlink SYS_sync_file_range SYS_time SYS_unlink SYS_utime SYS_utimes
    SYS_vfork
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];

/// What starts a program or a process, besides `clone`.
#[cfg(target_arch = "x86_64")]
const STARTS: &[i64] = calls![SYS_execve SYS_execveat SYS_fork SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const STARTS: &[i64] = calls![SYS_execve SYS_execveat];

/// Never, whatever is granted: leaving the process group, other processes' memory, namespaces and mounts, the kernel's
/// own doors, and rings that would do all of it unseen.
const FORBIDDEN: &[i64] = calls![
    SYS_setsid SYS_setpgid SYS_setgroups SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise
    SYS_process_mrelease SYS_pidfd_getfd SYS_kcmp SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_move_mount
    SYS_open_tree SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick SYS_mount_setattr SYS_unshare SYS_setns SYS_bpf
    SYS_perf_event_open SYS_userfaultfd SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register SYS_io_setup
    SYS_keyctl SYS_add_key SYS_request_key SYS_init_module SYS_finit_module SYS_delete_module SYS_kexec_load
    SYS_kexec_file_load SYS_reboot SYS_swapon SYS_swapoff SYS_acct SYS_quotactl SYS_quotactl_fd SYS_syslog
    SYS_sethostname SYS_setdomainname SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex
    SYS_personality SYS_open_by_handle_at SYS_name_to_handle_at SYS_fanotify_init SYS_fanotify_mark SYS_vhangup
    SYS_lookup_dcookie SYS_mknodat SYS_mq_open SYS_mq_unlink SYS_ioprio_set SYS_migrate_pages SYS_move_pages
];

/// Landlock asks nobody about these, so they need a mount namespace that shows nothing to use them on, or an IPC
/// namespace of their own.
#[cfg(target_arch = "x86_64")]
const UNHIDDEN_OLD: &[i64] =
    calls![SYS_chmod SYS_chown SYS_lchown SYS_utime SYS_utimes SYS_futimesat SYS_inotify_init];
#[cfg(not(target_arch = "x86_64"))]
const UNHIDDEN_OLD: &[i64] = &[];
const UNHIDDEN_NOW: &[i64] = calls![
    SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_setxattr SYS_fsetxattr SYS_lsetxattr SYS_removexattr
    SYS_fremovexattr SYS_lremovexattr SYS_utimensat SYS_inotify_init1 SYS_shmget SYS_shmat SYS_semget SYS_msgget
];
