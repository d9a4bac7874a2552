//! Which files are looked at, what of them changed, and who looks: reading is the command's, judging is not.

use crate::exit::Fault;
use ringmail_review::{Hands, TextFile, is_read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Folders of what was fetched or built, or that tools keep.
const APART: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    "target",
    "site-packages",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".ringmail",
    ".eggs",
];
const FILE_BYTES_MAX: u64 = 8 << 20;
const FILES_MAX: usize = 200_000;
const DEPTH_MAX: usize = 64;
/// Trees of programs are walked on the stack.
const STACK_BYTES: usize = 64 << 20;

pub(super) struct Found {
    pub(super) files: Vec<TextFile>,
    pub(super) unread: Vec<(String, usize, String)>,
}

/// All files below some paths whose names say that they are of a known kind. A file that is named itself is read.
pub(super) fn read(paths: &[PathBuf]) -> Result<Found, Fault> {
    let mut all = Vec::new();
    for path in paths {
        let known = std::fs::metadata(path);
        let known =
            known.map_err(|error| Fault::user(format!("cannot read `{}`: {error}", path.display())))?;
        if known.is_dir() {
            collect(path, DEPTH_MAX, &mut all);
        } else if is_read(&shown(path)) {
            all.push(path.clone());
        } else {
            return Err(Fault::user(format!("`{}` is of no kind that is reviewed", path.display()))
                .hint("Python, YAML, TOML, JSON, Dockerfiles, requirements and lock files are"));
        }
    }
    all.sort();
    all.dedup();
    let mut found = Found { files: Vec::new(), unread: Vec::new() };
    if all.len() > FILES_MAX {
        return Err(
            Fault::user(format!("these are more than {FILES_MAX} files")).hint("name folders one by one")
        );
    }
    for path in all {
        match text(&path) {
            Ok(text) => found.files.push(TextFile { path: shown(&path), text }),
            Err(why) => found.unread.push((shown(&path), 1, why)),
        }
    }
    Ok(found)
}

/// All files of a known kind below a folder, for who looks again and again; what cannot be read is not among them.
pub(in crate::commands) fn below(folder: &Path) -> Vec<TextFile> {
    read(&[folder.to_path_buf()]).map_or_else(|_| Vec::new(), |found| found.files)
}

/// A path as it is shown and compared: `/` between parts, no `./`.
pub(in crate::commands) fn shown(path: &Path) -> String {
    let parts = path.components().filter(|part| !matches!(part, std::path::Component::CurDir));
    let path: PathBuf = parts.collect();
    path.to_string_lossy().replace('\\', "/")
}

fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("the file is larger than {FILE_BYTES_MAX} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not text in UTF-8".into())
}

fn collect(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
    // What vanishes or may not be read while this goes on is not there.
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        let name = entry.file_name();
        // Links lead in circles and out of what was named.
        if kind.is_symlink() || out.len() > FILES_MAX {
            continue;
        }
        if kind.is_dir() {
            if depth > 0 && !APART.contains(&&*name.to_string_lossy()) {
                collect(&path, depth - 1, out);
            }
        } else if kind.is_file() && is_read(&shown(&path)) {
            out.push(path);
        }
    }
}

/// Which lines changed since a revision, those of files that git does not know included.
pub(super) fn changed(revision: &str, paths: &[PathBuf]) -> Result<Vec<(String, usize, usize)>, Fault> {
    if revision.starts_with('-') {
        return Err(Fault::user(format!("`{revision}` is not a revision")));
    }
    let git = |arguments: &[&str]| -> Result<String, Fault> {
        let done = Command::new("git").args(arguments).arg("--").args(paths).output();
        let done = done.map_err(|error| Fault::user(format!("cannot run git: {error}")))?;
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            return Err(Fault::user(format!("git says: {}", why.lines().next().unwrap_or_default()))
                .hint("`--diff` needs a repository of git and a revision of it"));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let plain = ["-c", "core.quotepath=off"];
    let diff =
        ["diff", "--unified=0", "--no-color", "--no-ext-diff", "--relative", "--dst-prefix=b/", revision];
    let mut out = Vec::new();
    let mut path = String::new();
    for line in git(&[&plain[..], &diff[..]].concat())?.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            path = name.to_string();
        } else if let Some(hunk) = line.strip_prefix("@@ ")
            && let Some((start, count)) = added(hunk)
            && count > 0
        {
            out.push((path.clone(), start, start + count - 1));
        }
    }
    let others = git(&[&plain[..], &["ls-files", "--others", "--exclude-standard"]].concat())?;
    out.extend(others.lines().map(|path| (path.to_string(), 1, usize::MAX)));
    Ok(out)
}

/// Where a hunk lies in the new file: `-1,2 +3,4 @@`.
fn added(hunk: &str) -> Option<(usize, usize)> {
    let new = hunk.split(' ').find_map(|part| part.strip_prefix('+'))?;
    match new.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((new.parse().ok()?, 1)),
    }
}

/// As many as this machine runs at once.
pub(in crate::commands) struct Threads;

impl Hands for Threads {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let most = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(count.max(1));
        let next = AtomicUsize::new(0);
        let take = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    break;
                }
                work(at);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..most {
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
                if thread.spawn_scoped(scope, take).is_err() {
                    take();
                }
            }
        });
    }
}
