//! Control groups: memory and processes of all that a call starts, together. A bonus, because only root and whoever was
//! handed a part of the tree can make them; limits on each process hold without.

use super::spec::ChildLimits;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const TREE: &str = "/sys/fs/cgroup";
/// How long the kernel gets to notice that a group is empty.
const TRIES_MAX: u32 = 50;
/// Names that are tried for a group: a host that was killed left some, and its number may be ours now.
const NAMES_MAX: u32 = 1_000;
/// Age from which a group without a host is swept away. A younger one may be somebody's who does not see our processes.
const LEFT_FOR: Duration = Duration::from_secs(60);

/// Where groups can be made for a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    folder: PathBuf,
    memory: bool,
    processes: bool,
    unified: bool,
}

/// The places of this host, as `/proc/self/cgroup` tells.
pub(super) fn places(tree: &Path, own: &str) -> Vec<Place> {
    let mut out = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (parts.next(), parts.next()) else { continue };
        let path = path.trim_start_matches('/');
        let names: Vec<&str> = names.split(',').collect();
        let (memory, processes) = (names.contains(&"memory"), names.contains(&"pids"));
        if memory || processes {
            let folder = tree.join(names.join(",")).join(path);
            out.push(Place { folder, memory, processes, unified: false });
        } else if names == [""] {
            out.extend(unified(tree, path));
        }
    }
    out.retain(|place| can_make(&place.folder));
    out
}

/// In the one tree of version 2, a group gets a controller if the group above it hands it on.
fn unified(tree: &Path, own: &str) -> Option<Place> {
    let roots = [tree.to_path_buf(), tree.join("unified")];
    let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists())?;
    let own = root.join(own);
    [Some(own.as_path()), own.parent()].into_iter().flatten().filter(|at| at.starts_with(&root)).find_map(
        |at| {
            let handed = fs::read_to_string(at.join("cgroup.subtree_control")).ok()?;
            let hands = |name: &str| handed.split_whitespace().any(|known| known == name);
            let (memory, processes) = (hands("memory"), hands("pids"));
            (memory || processes).then(|| Place {
                folder: at.to_path_buf(),
                memory,
                processes,
                unified: true,
            })
        },
    )
}

/// Makes a group that nobody has.
fn fresh(folder: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut tries = 0;
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("ringmail-{}-{count}", std::process::id()));
        tries += 1;
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < NAMES_MAX => {}
            made => return made.map(|()| path),
        }
    }
}

fn can_make(folder: &Path) -> bool {
    fresh(folder).is_ok_and(|trial| fs::remove_dir(&trial).is_ok())
}

/// Removes the groups of hosts that were killed. The kernel keeps those in which something still runs.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((pid, _)) = name.to_str().and_then(|name| name.strip_prefix("ringmail-")?.split_once('-'))
        else {
            continue;
        };
        let is_left = !Path::new("/proc").join(pid).exists();
        let changed = entry.metadata().and_then(|about| about.modified());
        let is_old = changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age >= LEFT_FOR));
        if is_left && is_old {
            let _kept = fs::remove_dir(entry.path());
        }
    }
}

pub(super) fn of_this_host() -> Vec<Place> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let found = places(Path::new(TREE), &own);
    found.iter().for_each(|place| sweep(&place.folder));
    found
}

pub(super) fn has_memory(places: &[Place]) -> bool {
    places.iter().any(|place| place.memory)
}

pub(super) fn has_processes(places: &[Place]) -> bool {
    places.iter().any(|place| place.processes)
}

/// The groups of one call. They end with it.
#[derive(Debug, Default)]
pub(super) struct Groups(Vec<PathBuf>);

impl Groups {
    pub(super) fn make(places: &[Place], limits: &ChildLimits) -> io::Result<Groups> {
        let mut out = Groups::default();
        for place in places {
            let folder = fresh(&place.folder)?;
            out.0.push(folder.clone());
            let set = |file: &str, most: u64| fs::write(folder.join(file), most.to_string());
            if place.memory && place.unified {
                set("memory.max", limits.memory_bytes_max)?;
                // Not there without swap.
                let _swap = set("memory.swap.max", 0);
            } else if place.memory {
                set("memory.limit_in_bytes", limits.memory_bytes_max)?;
                let _swap = set("memory.memsw.limit_in_bytes", limits.memory_bytes_max);
            }
            if place.processes {
                set("pids.max", limits.processes_max)?;
            }
        }
        Ok(out)
    }

    pub(super) fn take_in(&self, pid: i32) -> io::Result<()> {
        self.0.iter().try_for_each(|folder| fs::write(folder.join("cgroup.procs"), pid.to_string()))
    }

    /// Most memory that all of its processes had together.
    pub(super) fn memory_peak_bytes(&self) -> Option<u64> {
        self.0.iter().find_map(|folder| {
            let files = ["memory.peak", "memory.max_usage_in_bytes"];
            let text = files.iter().find_map(|file| fs::read_to_string(folder.join(file)).ok())?;
            text.trim().parse().ok()
        })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in &self.0 {
            for _ in 0..TRIES_MAX {
                match fs::remove_dir(folder) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                    _ => break,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_both_versions_of_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        for folder in ["memory/a", "pids", "unified/b/c", "cpu"] {
            fs::create_dir_all(tree.join(folder)).unwrap();
        }
        fs::write(tree.join("unified/cgroup.controllers"), "").unwrap();
        fs::write(tree.join("unified/b/cgroup.subtree_control"), "cpu pids\n").unwrap();
        let found = places(tree, "4:memory:/a\n3:cpu:/\n2:pids:/gone\n0::/b/c\n");
        let place = |folder: &str, memory, processes, unified| Place {
            folder: tree.join(folder),
            memory,
            processes,
            unified,
        };
        assert_eq!(found, [place("memory/a", true, false, false), place("unified/b", false, true, true)]);
        assert!(has_memory(&found) && has_processes(&found));
    }

    /// A host that was killed left groups, and a later one had its number: it took the host for one that cannot make
    /// groups, or failed to start what it was told to.
    #[test]
    fn groups_that_a_killed_host_left_are_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let (own, gone) = (std::process::id(), u32::MAX);
        for count in 0..50 {
            fs::create_dir(dir.path().join(format!("ringmail-{own}-{count}"))).unwrap();
        }
        assert!(can_make(dir.path()));
        fresh(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 51);

        let make = |name: String, age: u64| {
            let path = dir.path().join(name);
            fs::create_dir(&path).unwrap();
            let then = std::time::SystemTime::now() - Duration::from_secs(age);
            fs::File::open(&path).unwrap().set_modified(then).unwrap();
            path
        };
        let old = make(format!("ringmail-{gone}-0"), 3_600);
        let kept = [
            make(format!("ringmail-{gone}-1"), 0),
            make(format!("ringmail-{own}-1000000"), 3_600),
            make(format!("other-{gone}-0"), 3_600),
        ];
        sweep(dir.path());
        assert!(!old.exists() && kept.iter().all(|path| path.exists()));
    }
}
