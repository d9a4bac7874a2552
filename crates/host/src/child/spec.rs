//! What a confined process is and may do. The default is nothing but to compute.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// How a process may use a folder or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChildAccess {
    Read,
    /// Reading, and starting what lies there.
    Execute,
    /// Reading, and making, changing and removing files and folders. What lies there never starts.
    Write,
}

/// A folder or a file that a process sees, at the same path as the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildFile {
    /// Absolute, without links.
    pub path: PathBuf,
    pub access: ChildAccess,
}

/// TCP ports a process may connect to and listen on. None means that there is no network at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildNet {
    pub connect: Vec<u16>,
    pub bind: Vec<u16>,
}

impl ChildNet {
    pub fn is_none(&self) -> bool {
        self.connect.is_empty() && self.bind.is_empty()
    }
}

/// What a process and all it starts may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildLimits {
    /// From the start to the end of the last of its processes.
    pub time_max: Duration,
    /// Processor time of each process.
    pub cpu_max: Duration,
    /// Address space of each process; of all together where there is a memory cgroup.
    pub memory_bytes_max: u64,
    /// Processes and threads together.
    pub processes_max: u64,
    /// Open descriptors of each process.
    pub files_max: u64,
    /// Largest file it may write.
    pub file_bytes_max: u64,
    /// All that lies in its `/tmp`, which ends with it.
    pub scratch_bytes_max: u64,
    /// Its standard output; as much again for what it says on its error output.
    pub output_bytes_max: usize,
}

impl Default for ChildLimits {
    fn default() -> ChildLimits {
        ChildLimits {
            time_max: Duration::from_secs(10),
            cpu_max: Duration::from_secs(10),
            memory_bytes_max: 512 << 20,
            processes_max: 64,
            files_max: 256,
            file_bytes_max: 8 << 20,
            scratch_bytes_max: 16 << 20,
            output_bytes_max: 8 << 20,
        }
    }
}

/// A process to start behind walls.
#[derive(Clone, Debug)]
pub struct ChildSpec {
    /// Absolute, without links.
    pub program: PathBuf,
    /// SHA-256 of the program, if it is pinned.
    pub digest: Option<[u8; 32]>,
    /// After the program's name.
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it starts; without it in `/`.
    pub folder: Option<PathBuf>,
    pub files: Vec<ChildFile>,
    /// Whether it sees the programs and libraries of the system (`/usr`, `/bin`, `/lib` and the like).
    pub system: bool,
    pub net: ChildNet,
    pub limits: ChildLimits,
    /// Starts it with those walls that there are, where the kernel lacks some that it needs.
    pub unconfined: bool,
}

impl ChildSpec {
    /// A program that may compute, and read what every program of the system needs.
    pub fn new(program: impl Into<PathBuf>) -> ChildSpec {
        ChildSpec {
            program: program.into(),
            digest: None,
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            files: Vec::new(),
            system: true,
            net: ChildNet::default(),
            limits: ChildLimits::default(),
            unconfined: false,
        }
    }
}

/// The user that processes run as where the host is root.
pub const CHILD_UID: u32 = 65_534;

/// What every program of the system needs, as far as it is there; read and started only.
pub(super) const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
pub(super) const SYSTEM_READ: &[&str] = &[
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/ssl/certs",
];
/// For programs that may use the network.
pub(super) const NET_READ: &[&str] =
    &["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services"];
pub(super) const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Why a process did not start.
#[derive(Debug, Error)]
pub enum ChildError {
    #[error("this kernel cannot confine it: {0}")]
    Missing(String),
    #[error("`{0}` cannot be shown to a confined process")]
    Path(String),
    #[error("cannot show `{path}` to it: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error(
        "`{path}` is granted, and the user it runs as (uid {uid}) may not {what} it; change its owner or mode"
    )]
    Reach { path: String, uid: u32, what: &'static str },
    #[error("cannot start `{path}`: {cause}")]
    Program { path: String, cause: std::io::Error },
    #[error("`{path}` is not the program whose digest is pinned")]
    Digest { path: String },
    #[error("an argument or a variable holds a zero byte")]
    Zero,
    #[error("it cannot be confined ({step}): {cause}")]
    Walls { step: &'static str, cause: std::io::Error },
    #[error("the operating system does not start it: {0}")]
    Host(std::io::Error),
    #[error("{0}")]
    Filter(String),
}
