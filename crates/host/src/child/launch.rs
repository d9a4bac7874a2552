//! Starts a process behind its walls. Everything it will need is made ready before; what runs between `clone` and `exec`
//! makes calls of the kernel and nothing else, because other threads of the host may have held any lock at that moment.
//! A step that fails ends the process before its program: there is no program behind half a wall.

use super::cgroup::Groups;
use super::filter::{self, Purpose};
use super::group::Group;
use super::landlock::Ruleset;
use super::probe::{KernelWalls, Wall};
use super::program::{self, Program};
use super::root::{Layout, TREES_MAX};
use super::spec::{CHILD_UID, ChildAccess, ChildError, ChildLimits, ChildNet, ChildSpec};
use super::sys::{self, Errno};
use seccompiler::BpfProgram;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use tokio::sync::oneshot;

/// A confined process that runs, and the host's ends of its pipes.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) group: Group,
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// Steps by name, for whoever reads why a process did not start.
#[derive(Clone, Copy)]
enum Step {
    Signals,
    Session,
    Descriptors,
    Gather,
    User,
    Root,
    Folder,
    Limits,
    Rules,
    Privileges,
    Reach,
    Calls,
    Program,
}

const STEPS: &[&str] = &[
    "signals",
    "session",
    "descriptors",
    "folders",
    "user",
    "root",
    "working folder",
    "limits",
    "landlock",
    "privileges",
    "reach",
    "seccomp",
    "program",
];

/// All that the process needs to put its walls up, made by the host.
struct Ready {
    layout: Option<Layout>,
    rules: Option<Rules>,
    limits: Vec<(u32, u64)>,
    filters: Vec<BpfProgram>,
    user: Option<u32>,
    folder: CString,
    start: Option<Start>,
}

struct Rules {
    landlock: u32,
    files: Vec<(CString, ChildAccess, bool, bool)>,
    net: ChildNet,
}

struct Start {
    program: Program,
    path: CString,
    /// Both own what the lists of pointers lead to.
    _args: Vec<CString>,
    _env: Vec<CString>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

// SAFETY: the pointers lead to texts that the value owns and nobody changes.
#[allow(unsafe_code, reason = "see above")]
unsafe impl Send for Start {}

fn c_text(text: &OsStr) -> Result<CString, ChildError> {
    CString::new(text.as_bytes()).map_err(|_| ChildError::Zero)
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
}

impl Start {
    fn new(spec: &ChildSpec) -> Result<Start, ChildError> {
        let program = program::open(&spec.program, spec.digest.as_ref())?;
        let path = c_text(spec.program.as_os_str())?;
        let args = spec.args.iter().map(|arg| c_text(arg));
        let args = std::iter::once(Ok(path.clone())).chain(args).collect::<Result<Vec<_>, _>>()?;
        let pair = |(name, value): &(std::ffi::OsString, std::ffi::OsString)| {
            let mut text = name.clone();
            text.push("=");
            text.push(value);
            c_text(&text)
        };
        let env = spec.env.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let (argv, envp) = (pointers(&args), pointers(&env));
        Ok(Start { program, path, _args: args, _env: env, argv, envp })
    }
}

pub(super) fn limits_of(limits: &ChildLimits) -> Vec<(u32, u64)> {
    let seconds = limits.cpu_max.as_secs().max(1);
    let wanted = [
        (libc::RLIMIT_AS, limits.memory_bytes_max),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_CPU, seconds),
        (libc::RLIMIT_FSIZE, limits.file_bytes_max),
        (libc::RLIMIT_MEMLOCK, 64 << 10),
        (libc::RLIMIT_MSGQUEUE, 0),
        (libc::RLIMIT_NOFILE, limits.files_max),
        (libc::RLIMIT_NPROC, limits.processes_max),
        (libc::RLIMIT_SIGPENDING, 256),
        (libc::RLIMIT_STACK, 8 << 20),
    ];
    // What the host itself may not have, nobody can be given.
    wanted.map(|(resource, most)| (resource, most.min(sys::hard_limit(resource)))).to_vec()
}

pub(super) fn is_root() -> bool {
    sys::plain(libc::SYS_geteuid, [0; 4]) == Ok(0)
}

fn ready(spec: &ChildSpec, walls: &KernelWalls) -> Result<Ready, ChildError> {
    walls.hold(spec)?;
    let layout = Layout::plan(spec, Some(&spec.program))?;
    let hidden = walls.has(Wall::Namespaces);
    let mut files: Vec<_> =
        layout.trees.iter().map(|tree| (tree.path.clone(), tree.access, tree.folder, tree.granted)).collect();
    if hidden {
        files.push((c"/tmp".into(), ChildAccess::Write, true, false));
        files.push((c"/proc".into(), ChildAccess::Read, true, false));
    }
    let rules = Rules { landlock: walls.landlock, files, net: spec.net.clone() };
    let filters = match walls.has(Wall::Calls) {
        true => {
            filter::compile(Purpose { net: &spec.net, hidden, alone: false }).map_err(ChildError::Filter)?
        }
        false => Vec::new(),
    };
    let folder = spec.folder.as_deref().map_or(OsStr::new("/"), |folder| folder.as_os_str());
    Ok(Ready {
        layout: hidden.then_some(layout),
        rules: walls.has(Wall::Files).then_some(rules),
        limits: limits_of(&spec.limits),
        filters,
        user: is_root().then_some(CHILD_UID),
        folder: c_text(folder)?,
        start: Some(Start::new(spec)?),
    })
}

/// Starts a process; blocks until its program runs, or does not.
fn start(spec: &ChildSpec, walls: &KernelWalls) -> Result<Started, ChildError> {
    let groups = Groups::make(&walls.groups, &spec.limits).map_err(ChildError::Host)?;
    let namespaces = match walls.has(Wall::Namespaces) {
        true if spec.net.is_none() => NAMESPACES | libc::CLONE_NEWNET as u64,
        true => NAMESPACES,
        false => 0,
    };
    launch(&ready(spec, walls)?, namespaces, groups, spec)
}

/// Whether namespaces can be made here, with all that is done in them before a program runs.
pub(super) fn try_namespaces() -> Result<(), ChildError> {
    let spec = ChildSpec::new("/");
    let layout = Layout::plan(&spec, None)?;
    let ready = Ready {
        layout: Some(layout),
        rules: None,
        limits: Vec::new(),
        filters: Vec::new(),
        user: is_root().then_some(CHILD_UID),
        folder: c"/".into(),
        start: None,
    };
    let all = NAMESPACES | libc::CLONE_NEWNET as u64;
    let (answer, answered) = mpsc::channel();
    on_starter(move || {
        let _gone = answer.send(launch(&ready, all, Groups::default(), &spec).map(drop));
    })?;
    answered.recv().unwrap_or_else(|_| Err(no_starter()))
}

const NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

/// Starts a process on the thread that does so.
pub(super) async fn start_elsewhere(spec: ChildSpec, walls: Arc<KernelWalls>) -> Result<Started, ChildError> {
    let (answer, answered) = oneshot::channel();
    on_starter(move || {
        // Whoever asked may have gone; what was started ends as it is dropped.
        let _gone = answer.send(start(&spec, &walls));
    })?;
    answered.await.unwrap_or_else(|_| Err(no_starter()))
}

fn no_starter() -> ChildError {
    ChildError::Host(io::Error::other("the thread that starts processes is gone"))
}

/// Does something on the thread that starts processes. The kernel ends a process with the *thread* that started it, so
/// that is one which lasts as long as the host.
fn on_starter(job: impl FnOnce() + Send + 'static) -> Result<(), ChildError> {
    type Job = Box<dyn FnOnce() + Send>;
    static STARTER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (jobs, waiting) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for job in waiting {
                // A job that panics answers nobody, which is noticed there; the thread has to last.
                let _noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
        });
        Mutex::new(jobs)
    });
    let starter = starter.lock().unwrap_or_else(PoisonError::into_inner);
    starter.send(Box::new(job)).map_err(|_| no_starter())
}

/// The descriptors that a process starts with.
struct Ends {
    stdin: RawFd,
    stdout: RawFd,
    stderr: RawFd,
    go: RawFd,
    report: RawFd,
}

fn launch(ready: &Ready, namespaces: u64, groups: Groups, spec: &ChildSpec) -> Result<Started, ChildError> {
    let (child_stdin, stdin) = io::pipe().map_err(ChildError::Host)?;
    let (stdout, child_stdout) = io::pipe().map_err(ChildError::Host)?;
    let (stderr, child_stderr) = io::pipe().map_err(ChildError::Host)?;
    let (child_go, mut go) = io::pipe().map_err(ChildError::Host)?;
    let (mut report, child_report) = io::pipe().map_err(ChildError::Host)?;
    let ends = Ends {
        stdin: child_stdin.as_raw_fd(),
        stdout: child_stdout.as_raw_fd(),
        stderr: child_stderr.as_raw_fd(),
        go: child_go.as_raw_fd(),
        report: child_report.as_raw_fd(),
    };
    let host = |errno: Errno| ChildError::Host(io::Error::from_raw_os_error(errno));
    // A signal that came between would run the host's own handlers in the copy.
    let mask = sys::set_signal_mask(u64::MAX).map_err(host)?;
    // SAFETY: the copy goes into `run`, which keeps to the calls of `sys` and never returns.
    #[allow(unsafe_code, reason = "see above")]
    let cloned = unsafe { sys::clone(namespaces) };
    if let Ok(None) = cloned {
        run(ready, &ends, go.as_raw_fd(), report.as_raw_fd());
    }
    sys::set_signal_mask(mask).map_err(host)?;
    let Some((pid, pidfd)) = cloned.map_err(host)? else { sys::exit(0) };
    // SAFETY: the kernel has just opened it for us.
    #[allow(unsafe_code, reason = "see above")]
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let group = Group::new(pid, pidfd, namespaces != 0, groups);
    drop((child_stdin, child_stdout, child_stderr, child_go, child_report));
    group.take_in().map_err(ChildError::Host)?;
    if namespaces != 0 {
        map_user(pid, ready.user).map_err(|cause| ChildError::Walls { step: "user map", cause })?;
    }
    go.write_all(&[1]).map_err(ChildError::Host)?;
    let mut told = Vec::new();
    // It closes as the program starts.
    report.read_to_end(&mut told).map_err(ChildError::Host)?;
    match failure(&told, ready, spec) {
        Some(error) => Err(error),
        None => Ok(Started { group, stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() }),
    }
}

/// One user in the namespace, and it is no more outside than inside.
fn map_user(pid: i32, user: Option<u32>) -> io::Result<()> {
    let folder = format!("/proc/{pid}");
    let write = |file: &str, text: String| fs::write(format!("{folder}/{file}"), text);
    let id = |call| sys::plain(call, [0; 4]).map_err(io::Error::from_raw_os_error);
    if user.is_none() {
        write("setgroups", "deny".into())?;
    }
    let (uid, gid) = match user {
        Some(user) => (user as usize, user as usize),
        None => (id(libc::SYS_geteuid)?, id(libc::SYS_getegid)?),
    };
    write("uid_map", format!("{uid} {uid} 1"))?;
    write("gid_map", format!("{gid} {gid} 1"))
}

/// What the process said of a step that failed.
fn failure(told: &[u8], ready: &Ready, spec: &ChildSpec) -> Option<ChildError> {
    let (words, _) = told.as_chunks::<4>();
    let mut numbers = words.iter().map(|word| i32::from_ne_bytes(*word));
    let (step, at, errno) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let cause = io::Error::from_raw_os_error(errno);
    if step == Step::Program as i32 {
        return Some(ChildError::Program { path: spec.program.display().to_string(), cause });
    }
    if step == Step::Reach as i32 {
        let rules = ready.rules.as_ref()?;
        let (path, access, ..) = rules.files.get(usize::try_from(at).ok()?)?;
        let what = if *access == ChildAccess::Write { "write" } else { "read" };
        let uid = ready.user.unwrap_or(0);
        return Some(ChildError::Reach { path: path.to_string_lossy().into_owned(), uid, what });
    }
    let step = STEPS.get(usize::try_from(step).ok()?).copied()?;
    Some(ChildError::Walls { step, cause })
}

/// Where what the process needs to the end stands, above its own three.
const REPORT: RawFd = 3;
const PROGRAM: RawFd = 4;

type Done = Result<(), (Step, usize, Errno)>;

fn at(step: Step) -> impl Fn(Errno) -> (Step, usize, Errno) {
    move |errno| (step, 0, errno)
}

/// The process, from its first moment to its program.
fn run(ready: &Ready, ends: &Ends, go: RawFd, report: RawFd) -> ! {
    let mut tells = ends.report;
    let failed = match wall_in(ready, ends, [go, report], &mut tells) {
        Ok(()) if ready.start.is_none() => sys::exit(0),
        Ok(()) => (Step::Program, 0, execute(ready)),
        Err(failed) => failed,
    };
    let (step, place, errno) = failed;
    let [a, b, c, d] = (step as i32).to_ne_bytes();
    let [e, f, g, h] = (place as i32).to_ne_bytes();
    let [i, j, k, l] = errno.to_ne_bytes();
    let words = [a, b, c, d, e, f, g, h, i, j, k, l];
    let _told = sys::write(tells, &words);
    sys::exit(127)
}

fn wall_in(ready: &Ready, ends: &Ends, of_host: [RawFd; 2], tells: &mut RawFd) -> Done {
    // Ends of the host: while this process had them open too, neither would notice that the other is gone.
    of_host.into_iter().for_each(sys::close);
    // The host has to write the user map first. If it is gone, so is this process.
    if sys::read_byte(ends.go) != Ok(Some(1)) {
        sys::exit(127);
    }
    sys::default_signals().map_err(at(Step::Signals))?;
    sys::plain(libc::SYS_setsid, [0; 4]).map_err(at(Step::Session))?;
    descriptors(ends).map_err(at(Step::Descriptors))?;
    *tells = REPORT;
    let mut held = [-1; TREES_MAX];
    if let Some(layout) = &ready.layout {
        layout.gather(&mut held).map_err(at(Step::Gather))?;
    }
    if let Some(user) = ready.user {
        become_user(user as usize).map_err(at(Step::User))?;
    }
    if let Some(layout) = &ready.layout {
        layout.enter(&held).map_err(at(Step::Root))?;
    }
    sys::on_path(libc::SYS_chdir, &ready.folder, [0, 0]).map_err(at(Step::Folder))?;
    sys::plain(libc::SYS_umask, [0o022, 0, 0, 0]).map_err(at(Step::Folder))?;
    if let Some(start) = &ready.start {
        hold_program(start).map_err(at(Step::Program))?;
    }
    for (resource, most) in &ready.limits {
        sys::limit(*resource, *most).map_err(at(Step::Limits))?;
    }
    sys::drop_capabilities().map_err(at(Step::Privileges))?;
    reach(ready)?;
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as usize).map_err(at(Step::Privileges))?;
    sys::prctl(libc::PR_SET_DUMPABLE, 0).map_err(at(Step::Privileges))?;
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map_err(at(Step::Privileges))?;
    if sys::is_unread(REPORT) {
        // The host ended before the kernel knew that this process is to end with it.
        sys::exit(127);
    }
    if let Some(rules) = &ready.rules {
        rules.put_up().map_err(at(Step::Rules))?;
    }
    ready.filters.iter().try_for_each(|filter| sys::filter(filter)).map_err(at(Step::Calls))
}

/// The three ends of its pipes, the report, and nothing else that the host has open.
fn descriptors(ends: &Ends) -> Result<(), Errno> {
    // First out of the way, so that none is written over by another.
    const ABOVE: usize = 10;
    let mut moved = [-1; 4];
    for (slot, from) in moved.iter_mut().zip([ends.stdin, ends.stdout, ends.stderr, ends.report]) {
        let copied = sys::plain(libc::SYS_fcntl, [sys::fd(from), libc::F_DUPFD_CLOEXEC as usize, ABOVE, 0])?;
        *slot = copied as RawFd;
    }
    let [stdin, stdout, stderr, report] = moved;
    for (from, to, flags) in
        [(stdin, 0, 0), (stdout, 1, 0), (stderr, 2, 0), (report, REPORT, libc::O_CLOEXEC)]
    {
        sys::move_to(from, to, flags)?;
    }
    sys::plain(libc::SYS_close_range, [PROGRAM as usize, u32::MAX as usize, 0, 0]).map(drop)
}

fn become_user(user: usize) -> Result<(), Errno> {
    sys::plain(libc::SYS_setgroups, [0, 0, 0, 0])?;
    sys::plain(libc::SYS_setresgid, [user, user, user, 0])?;
    sys::plain(libc::SYS_setresuid, [user, user, user, 0]).map(drop)
}

/// Opens the program where it will run, and makes sure that it is the one the host looked at.
fn hold_program(start: &Start) -> Result<(), Errno> {
    let found = sys::open(&start.path, libc::O_PATH | libc::O_CLOEXEC, 0)?;
    if sys::identity(found)? != start.program.identity {
        return Err(libc::ESTALE);
    }
    if found != PROGRAM {
        sys::move_to(found, PROGRAM, libc::O_CLOEXEC)?;
        sys::close(found);
    }
    Ok(())
}

/// A grant that is of no use, because the files belong to somebody else, is better said than found out.
fn reach(ready: &Ready) -> Done {
    let files = ready.rules.iter().flat_map(|rules| &rules.files).enumerate();
    for (place, (path, access, folder, _)) in files.filter(|(_, (.., granted))| *granted) {
        let search = if *folder { libc::X_OK } else { 0 };
        let wanted = match access {
            ChildAccess::Read => libc::R_OK | search,
            ChildAccess::Execute => search,
            ChildAccess::Write => libc::R_OK | libc::W_OK | search,
        };
        sys::at_path(libc::SYS_faccessat, path, [wanted as usize, 0])
            .map_err(|errno| (Step::Reach, place, errno))?;
    }
    Ok(())
}

impl Rules {
    fn put_up(&self) -> Result<(), Errno> {
        let rules = Ruleset::new(self.landlock)?;
        for (path, access, folder, _) in &self.files {
            rules.allow(path, *access, *folder)?;
        }
        self.net.connect.iter().try_for_each(|port| rules.allow_connect(*port))?;
        self.net.bind.iter().try_for_each(|port| rules.allow_bind(*port))?;
        rules.restrict()
    }
}

fn execute(ready: &Ready) -> Errno {
    let Some(start) = &ready.start else { return libc::ENOENT };
    let (argv, envp) = (start.argv.as_ptr(), start.envp.as_ptr());
    // SAFETY: both lists were made by `pointers`, from texts that `start` owns.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        match start.program.script {
            true => sys::execute_path(&start.path, argv, envp),
            false => sys::execute(PROGRAM, argv, envp),
        }
    }
}
