//! Runs that are on record and not over. Each process that has any says so in a file that it holds as long as it lives: from
//! which record on they stand. A file that nobody holds is of a process that died, and what stands open there has no one.

use crate::sign::to_hex;
use ringmail_core::value::Str;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the mark moves on.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// Held while somebody takes over a run, or looks who has none.
const CLAIM_FILE: &str = "claim";

/// The open runs of this process.
#[derive(Debug)]
pub(super) struct OpenRuns {
    folder: PathBuf,
    /// What the process calls itself on record.
    pub(super) by: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    /// The first records of runs that are open.
    first: HashMap<Str, u64>,
    /// Every open run stands here or after it.
    mark: u64,
    marked: Option<Instant>,
}

impl OpenRuns {
    pub(super) fn new(folder: PathBuf) -> Option<OpenRuns> {
        let mut id = [0_u8; 8];
        getrandom::fill(&mut id).ok()?;
        Some(OpenRuns { folder, by: to_hex(&id), state: Mutex::default() })
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.open", self.by))
    }

    /// Before anything of a run that may stay open is written at `first` or after it.
    pub(super) fn begin(&self, run: &Str, first: u64) -> std::io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.file.is_none() {
            std::fs::create_dir_all(&self.folder)?;
            let mut options = File::options();
            let new = self.path().with_extension("new");
            let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.lock()?;
            write_mark(&file, first)?;
            file.sync_data()?;
            // Nobody ever sees one that its process does not hold.
            std::fs::rename(&new, self.path())?;
            File::open(&self.folder)?.sync_all()?;
            *state =
                State { file: Some(file), mark: first, marked: Some(Instant::now()), ..State::default() };
        } else if first < state.mark {
            state.set(first)?;
        }
        state.first.insert(run.clone(), first);
        Ok(())
    }

    /// A run is over; the mark moves on now and then. One that stands too far back does no harm.
    pub(super) fn end(&self, run: &Str, next: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.first.remove(run);
        if state.file.is_some() && state.marked.is_none_or(|marked| marked.elapsed() >= MARK_EVERY) {
            let mark = state.first.values().copied().min().unwrap_or(next);
            if mark > state.mark {
                let _left_where_it_was = state.write(mark);
            }
        }
    }
}

impl State {
    fn write(&mut self, mark: u64) -> std::io::Result<()> {
        self.marked = Some(Instant::now());
        if let Some(file) = &self.file {
            write_mark(file, mark)?;
            self.mark = mark;
        }
        Ok(())
    }

    /// Back to where a run stands that is taken over, whatever happens next.
    fn set(&mut self, mark: u64) -> std::io::Result<()> {
        self.write(mark)?;
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

fn write_mark(file: &File, mark: u64) -> std::io::Result<()> {
    file.write_all_at(format!("{mark:020}\n").as_bytes(), 0)
}

impl Drop for OpenRuns {
    /// Whoever has nothing open leaves nothing behind.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.file.is_some() && state.first.is_empty() {
            let _left_behind = std::fs::remove_file(self.path());
        }
    }
}

/// A process that said it had open runs.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) by: String,
    pub(super) mark: u64,
    pub(super) lives: bool,
    path: PathBuf,
}

impl Process {
    /// Of a process that died, and all its runs are over or somebody else's.
    pub(super) fn forget(&self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Keeps others from taking over runs, as long as it lives.
pub(super) fn claim(folder: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(folder.join(CLAIM_FILE))?;
    file.lock()?;
    Ok(file)
}

/// Every process that said so.
pub(super) fn processes(folder: &Path) -> std::io::Result<Vec<Process>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut out = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Some(by) =
            path.file_name().and_then(|name| name.to_str()?.strip_suffix(".open").map(String::from))
        else {
            continue;
        };
        let mut file = match File::open(&path) {
            // It ended just now, and left nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let lives = file.try_lock_shared().is_err();
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // One that was cut off while it was made says nothing yet, and nothing was written after it.
        let mark = text.trim().parse().unwrap_or(0);
        out.push(Process { by, mark, lives, path });
    }
    Ok(out)
}
