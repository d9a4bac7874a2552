//! Which walls this kernel gives. Found out by putting them up, not by asking for versions.

use super::landlock::{FILES_VERSION, PORTS_VERSION, SCOPES_VERSION};
use super::launch;
use super::spec::{ChildError, ChildSpec};
use super::{cgroup, landlock, sys};
use std::sync::{Arc, OnceLock};

/// Something that holds a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wall {
    /// Landlock for files, truncation included.
    Files,
    /// Landlock for TCP ports.
    Ports,
    /// Landlock for signals and abstract sockets.
    Scopes,
    /// A filter of system calls.
    Calls,
    /// User, mount, process, network, IPC and host name namespaces.
    Namespaces,
    /// A cgroup for the memory of all processes of a call.
    MemoryGroup,
    /// A cgroup for their number.
    ProcessGroup,
}

impl Wall {
    pub const ALL: [Wall; 7] = [
        Wall::Files,
        Wall::Ports,
        Wall::Scopes,
        Wall::Calls,
        Wall::Namespaces,
        Wall::MemoryGroup,
        Wall::ProcessGroup,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Wall::Files => "landlock-files",
            Wall::Ports => "landlock-ports",
            Wall::Scopes => "landlock-scopes",
            Wall::Calls => "seccomp",
            Wall::Namespaces => "namespaces",
            Wall::MemoryGroup => "cgroup-memory",
            Wall::ProcessGroup => "cgroup-processes",
        }
    }

    pub fn doc(self) -> &'static str {
        match self {
            Wall::Files => "files outside of what is granted cannot be opened",
            Wall::Ports => "TCP only to and on granted ports",
            Wall::Scopes => "no signals and no abstract sockets to processes outside",
            Wall::Calls => "system calls that a program has no use for do not exist",
            Wall::Namespaces => "a root, process list, network and users of its own",
            Wall::MemoryGroup => "a bound on the memory of all processes of a call together",
            Wall::ProcessGroup => "a bound on their number that holds for any user",
        }
    }
}

/// Something a process must be held back from, and the walls of which one is enough for that.
struct Need {
    from: &'static str,
    walls: &'static [Wall],
    asked: fn(&ChildSpec) -> bool,
}

const NEEDS: &[Need] = &[
    Need { from: "files", walls: &[Wall::Files], asked: |_| true },
    Need { from: "system calls", walls: &[Wall::Calls], asked: |_| true },
    Need { from: "other processes", walls: &[Wall::Namespaces, Wall::Scopes], asked: |_| true },
    Need {
        from: "starting processes without end",
        walls: &[Wall::Namespaces, Wall::ProcessGroup],
        asked: |_| true,
    },
    Need { from: "ports", walls: &[Wall::Ports], asked: |spec| !spec.net.is_none() },
];

/// Walls of Landlock, with the version that each takes.
const LANDLOCK: [(Wall, u32); 3] =
    [(Wall::Files, FILES_VERSION), (Wall::Ports, PORTS_VERSION), (Wall::Scopes, SCOPES_VERSION)];

/// The walls of one kernel, as far as this process may put them up.
#[derive(Clone, Debug)]
pub struct KernelWalls {
    pub(super) landlock: u32,
    /// Why there is none, for those that are not there.
    lacking: Vec<(Wall, String)>,
    pub(super) groups: Vec<cgroup::Place>,
}

impl KernelWalls {
    /// Found out once for a process.
    pub fn of_this_host() -> Arc<KernelWalls> {
        static FOUND: OnceLock<Arc<KernelWalls>> = OnceLock::new();
        FOUND.get_or_init(|| Arc::new(KernelWalls::probe())).clone()
    }

    fn probe() -> KernelWalls {
        let landlock = landlock::version();
        let mut lacking = Vec::new();
        for (wall, least) in LANDLOCK {
            if landlock < least {
                lacking.push((wall, format!("Landlock has version {landlock} here, and this needs {least}")));
            }
        }
        const AVAILABLE: usize = libc::SECCOMP_GET_ACTION_AVAIL as usize;
        if !sys::knows_action(AVAILABLE, libc::SECCOMP_RET_ERRNO) {
            lacking.push((Wall::Calls, "the kernel has no seccomp filters".into()));
        }
        let groups = cgroup::of_this_host();
        let none = "no cgroup of its own can be made here, as a rule because only root may";
        if !cgroup::has_memory(&groups) {
            lacking.push((Wall::MemoryGroup, none.into()));
        }
        if !cgroup::has_processes(&groups) {
            lacking.push((Wall::ProcessGroup, none.into()));
        }
        let mut out = KernelWalls { landlock, lacking, groups };
        if let Err(error) = launch::try_namespaces() {
            out.lacking.push((Wall::Namespaces, error.to_string()));
        }
        out
    }

    /// As if this kernel lacked a wall.
    #[must_use]
    pub fn without(&self, wall: Wall) -> KernelWalls {
        let mut out = self.clone();
        match wall {
            Wall::Files => out.landlock = 0,
            Wall::Ports => out.landlock = out.landlock.min(PORTS_VERSION - 1),
            Wall::Scopes => out.landlock = out.landlock.min(SCOPES_VERSION - 1),
            Wall::MemoryGroup | Wall::ProcessGroup => out.groups.clear(),
            Wall::Calls | Wall::Namespaces => {}
        }
        let mut gone = vec![wall];
        match wall {
            Wall::Files => gone.extend([Wall::Ports, Wall::Scopes]),
            Wall::Ports => gone.push(Wall::Scopes),
            Wall::MemoryGroup | Wall::ProcessGroup => gone.extend([Wall::MemoryGroup, Wall::ProcessGroup]),
            _ => {}
        }
        out.lacking.extend(gone.into_iter().map(|wall| (wall, "it was left out".to_string())));
        out
    }

    pub fn has(&self, wall: Wall) -> bool {
        self.why_not(wall).is_none()
    }

    /// Why a wall is not there.
    pub fn why_not(&self, wall: Wall) -> Option<&str> {
        self.lacking.iter().find(|(lacking, _)| *lacking == wall).map(|(_, why)| why.as_str())
    }

    /// What a process needs that this kernel does not give, in words; nothing if it may start.
    pub fn missing(&self, spec: &ChildSpec) -> Option<String> {
        let lacks = |walls: &[Wall]| walls.iter().all(|wall| !self.has(*wall));
        let missing: Vec<String> = NEEDS
            .iter()
            .filter(|need| (need.asked)(spec) && lacks(need.walls))
            .map(|Need { from, walls, .. }| {
                let names: Vec<&str> = walls.iter().map(|wall| wall.name()).collect();
                let why = walls.first().and_then(|wall| self.why_not(*wall)).unwrap_or_default();
                format!("nothing holds it back from {from}; it takes {} ({why})", names.join(" or "))
            })
            .collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    /// Refuses what cannot be confined, unless that was written down.
    pub(super) fn hold(&self, spec: &ChildSpec) -> Result<(), ChildError> {
        match self.missing(spec) {
            Some(missing) if !spec.unconfined => Err(ChildError::Missing(missing)),
            _ => Ok(()),
        }
    }
}
