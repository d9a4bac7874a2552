//! A log that can only grow. Records are written by whoever brings them, in one piece and in order; a thread of its own makes
//! durable what somebody waits for, all at once. Several processes may append to one log, and neither forks it.

mod copy;
mod group;
mod open;
mod read;
mod segment;

use crate::lineage;
use crate::note::{Signs, note};
pub use copy::copy_log;
pub use read::{LogSpan, Logged, Reader, root_at};
use segment::{SEALED, Tip};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::oneshot;

/// Where a file is full, and the next begins.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Bytes of one record.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// How long something is only in the kernel's memory.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long a log that grows has no newer checkpoint.
const NOTE_EVERY: Duration = Duration::from_secs(10);
const LOCK_FILE: &str = "lock";
const NOTE_FILE: &str = "checkpoint";

#[derive(Clone, Debug, Error)]
pub enum LogError {
    #[error("cannot {what}: {why}")]
    Disk { what: &'static str, why: String },
    /// Somebody else has changed what was written.
    #[error("the log is not what was written: {0}")]
    Changed(String),
    #[error("a record has at most {} bytes and no line ends", RECORD_BYTES_MAX)]
    Unfit,
    #[error("the log has ended")]
    Ended,
    #[error("another key than this host's took the log over")]
    TakenOver,
}

pub(crate) fn disk(what: &'static str) -> impl FnOnce(std::io::Error) -> LogError {
    move |error| LogError::Disk { what, why: error.to_string() }
}

/// A log's name in its checkpoints, and who signs them.
#[derive(Clone, Debug)]
pub struct LogSettings {
    pub origin: String,
    pub signs: Arc<dyn Signs>,
    /// Where a file is full.
    pub file_bytes_max: u64,
}

impl LogSettings {
    pub fn new(origin: impl Into<String>, signs: Arc<dyn Signs>) -> LogSettings {
        LogSettings { origin: origin.into(), signs, file_bytes_max: FILE_BYTES_MAX }
    }
}

/// How many records there are up to and with some record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

type Done = oneshot::Sender<Result<(), LogError>>;

#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    syncer: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    group: group::Group,
}

#[derive(Debug)]
struct State {
    folder: PathBuf,
    settings: LogSettings,
    /// Held while something is appended, so that processes take turns.
    turn: File,
    file: Arc<File>,
    bytes: u64,
    tip: Tip,
    synced: u64,
    noted: u64,
    waiting: Vec<(u64, Done)>,
    /// What cannot be mended without somebody looking; nothing is appended any more.
    broken: Option<LogError>,
    ended: bool,
}

impl Log {
    /// Opens the log in a folder, or begins one. What a crash cut off is cut off, and kept aside.
    pub fn open(folder: &Path, settings: LogSettings) -> Result<Log, LogError> {
        let state = State::open(folder, settings)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wake: Condvar::new(),
            group: group::Group::default(),
        });
        let own = shared.clone();
        let syncer = std::thread::Builder::new()
            .name("ringmail-audit".into())
            .spawn(move || {
                // Without this thread nothing becomes durable, so nothing is promised any more.
                if catch_unwind(AssertUnwindSafe(|| own.sync())).is_err() {
                    let end = own.lock().tip.count();
                    own.lock().synced_to(end, &Err(LogError::Ended));
                }
            })
            .map_err(disk("start the log's thread"))?;
        Ok(Log { shared, syncer: Some(syncer) })
    }

    /// Writes records, all or none, and says where the last one stands. They outlive this process, and the machine once
    /// [`Log::durable`] says so.
    pub fn append(&self, records: &[&[u8]]) -> Result<Position, LogError> {
        if !records.iter().all(|record| fits(record)) {
            return Err(LogError::Unfit);
        }
        self.shared.append_to(&mut self.shared.lock(), records)
    }

    /// The same for one record, in one piece with what others bring at the same time: many small writes cost more than one.
    pub async fn append_together(&self, record: Vec<u8>) -> Result<Position, LogError> {
        if !fits(&record) {
            return Err(LogError::Unfit);
        }
        group::append(&self.shared, record).await
    }

    /// Ends once everything up to `position` would survive a crash of the machine.
    pub async fn durable(&self, position: Position) -> Result<(), LogError> {
        let wait = {
            let mut state = self.shared.lock();
            if state.synced >= position.0 {
                return Ok(());
            }
            if let Some(broken) = &state.broken {
                return Err(broken.clone());
            }
            let (done, wait) = oneshot::channel();
            state.waiting.push((position.0, done));
            self.shared.wake.notify_one();
            wait
        };
        wait.await.unwrap_or(Err(LogError::Ended))
    }

    /// The same for who may wait with a thread.
    pub fn sync(&self) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        let end = state.tip.count();
        let synced = state.file.sync_data().map_err(disk("sync the log"));
        state.synced_to(end, &synced);
        synced
    }

    /// Makes durable what anybody has written so far; answers how many records that are. Others may append meanwhile.
    pub fn settle(&self) -> Result<u64, LogError> {
        let (end, file) = {
            let mut state = self.shared.lock();
            state.in_turn(State::catch_up)?;
            let end = state.tip.count();
            if state.synced >= end {
                return Ok(end);
            }
            (end, state.file.clone())
        };
        let synced = file.sync_data().map_err(disk("sync the log"));
        self.shared.lock().synced_to(end, &synced);
        synced.map(|()| end)
    }

    /// Makes everything durable, what others wrote as well, signs for it, and answers what was signed.
    pub fn checkpoint(&self) -> Result<String, LogError> {
        let mut state = self.shared.lock();
        state.in_turn(State::catch_up)?;
        let (end, tip, synced) = (state.tip.count(), state.tip.clone(), state.file.sync_data());
        let synced = synced.map_err(disk("sync the log"));
        state.synced_to(end, &synced);
        synced?;
        state.in_turn(|state| {
            state.note(&tip);
            Ok(())
        })?;
        std::fs::read_to_string(state.folder.join(NOTE_FILE)).map_err(disk("read the log's checkpoint"))
    }

    /// Makes everything durable, and says under both keys that another one signs for what comes. Whoever appends from now on does it
    /// with a log that was opened with that key.
    pub fn hand_over(&self, to: &dyn Signs) -> Result<(), LogError> {
        self.checkpoint()?;
        let mut state = self.shared.lock();
        state.in_turn(|state| {
            let LogSettings { origin, signs, .. } = &state.settings;
            let (size, root) = (state.tip.count(), state.tip.tree.root());
            let path = state.folder.join(lineage::FILE);
            let mut text = match std::fs::read_to_string(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                text => text.map_err(disk("read whose log this is"))?,
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&lineage::taken_over(origin, size, &root, &**signs, to));
            let own = note(origin, size, &root, "", &[to]);
            let put = state.put(lineage::FILE, &text).and_then(|()| state.put(NOTE_FILE, &own));
            let put = put.and_then(|()| File::open(&state.folder)?.sync_all());
            put.map_err(disk("write whose log this is"))
        })
    }

    pub fn count(&self) -> u64 {
        self.shared.lock().tip.count()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.wake.notify_one();
        if let Some(syncer) = self.syncer.take() {
            // It ends by itself; a panic in it was told where it happened.
            let _ended = syncer.join();
        }
    }
}

fn fits(record: &[u8]) -> bool {
    record.len() <= RECORD_BYTES_MAX && memchr::memchr(b'\n', record).is_none()
}

impl Shared {
    fn append_to(&self, state: &mut State, records: &[&[u8]]) -> Result<Position, LogError> {
        let first = state.tip.count() == state.synced;
        state.append(records)?;
        if first {
            // Somebody has to begin to count the time.
            self.wake.notify_one();
        }
        Ok(Position(state.tip.count()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes durable what others wait for, and what nobody has waited for a while; signs what is durable.
    fn sync(&self) {
        let mut state = self.lock();
        let mut noted_at = Instant::now();
        loop {
            let grown = state.tip.count();
            let until = match (grown > state.synced, state.synced > state.noted) {
                (true, _) => SYNC_EVERY,
                (false, true) => NOTE_EVERY.saturating_sub(noted_at.elapsed()),
                (false, false) => Duration::MAX,
            };
            // Whoever appends to a log at rest begins the count anew.
            let rests = |state: &mut State| {
                let begun = until > SYNC_EVERY && state.tip.count() > grown;
                state.waiting.is_empty() && !state.ended && !begun
            };
            let waited = self.wake.wait_timeout_while(state, until, rests);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.tip.count() > grown && grown == state.synced && state.waiting.is_empty() && !state.ended
            {
                continue;
            }
            let (end, tip, file) = (state.tip.count(), state.tip.clone(), state.file.clone());
            if end > state.synced {
                drop(state);
                let synced = file.sync_data().map_err(disk("sync the log"));
                state = self.lock();
                state.synced_to(end, &synced);
            }
            let over = state.ended && state.waiting.is_empty();
            if state.synced > state.noted && (over || noted_at.elapsed() >= NOTE_EVERY) {
                noted_at = Instant::now();
                state.note(&tip);
            }
            if over {
                return;
            }
        }
    }
}

impl State {
    fn append(&mut self, records: &[&[u8]]) -> Result<(), LogError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if self.ended {
            return Err(LogError::Ended);
        }
        self.in_turn(|state| state.append_in_turn(records))
    }

    /// Does something while no other process does.
    fn in_turn(&mut self, act: impl FnOnce(&mut State) -> Result<(), LogError>) -> Result<(), LogError> {
        self.turn.lock().map_err(disk("lock the log"))?;
        let done = act(self);
        let unlocked = self.turn.unlock().map_err(disk("unlock the log"));
        done.and(unlocked)
    }

    fn append_in_turn(&mut self, records: &[&[u8]]) -> Result<(), LogError> {
        self.catch_up()?;
        if self.bytes >= self.settings.file_bytes_max {
            self.turn_over()?;
        }
        let (mut tip, mut lines) = (self.tip.clone(), Vec::new());
        for record in records {
            tip.write(record, &mut lines);
        }
        if let Err(error) = (&*self.file).write_all(&lines) {
            return Err(self.cut(disk("write the log")(error)));
        }
        self.bytes += lines.len() as u64;
        self.tip = tip;
        Ok(())
    }

    /// Takes in what others appended meanwhile.
    fn catch_up(&mut self) -> Result<(), LogError> {
        let meta = self.file.metadata().map_err(disk("look at the log"))?;
        if meta.nlink() == 0 || meta.len() < self.bytes {
            let broken = LogError::Changed("its newest file was removed or cut while it was written".into());
            self.broken = Some(broken.clone());
            return Err(broken);
        }
        if meta.len() == self.bytes {
            return Ok(());
        }
        let read = self.read_on();
        if let Err(error @ LogError::Changed(_)) = &read {
            self.broken = Some(error.clone());
        }
        read
    }

    /// Ends the file, and begins the next.
    fn turn_over(&mut self) -> Result<(), LogError> {
        let synced = self.file.sync_data().map_err(disk("sync the log"));
        self.synced_to(self.tip.count(), &synced);
        synced?;
        let ended = (&*self.file).write_all(SEALED).and_then(|()| self.file.sync_data());
        match ended.map_err(disk("end a file of the log")).and_then(|()| self.begin_next()) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.cut(error)),
        }
    }

    fn begin_next(&mut self) -> Result<(), LogError> {
        let head = self.tip.head();
        let file = open::new_file(&self.folder.join(segment::name(self.tip.count())), head.as_bytes());
        let file = file.map_err(disk("begin a file of the log"))?;
        (self.file, self.bytes) = (Arc::new(file), head.len() as u64);
        Ok(())
    }

    /// Cuts off what was written in part.
    fn cut(&mut self, error: LogError) -> LogError {
        if let Err(worse) = self.file.set_len(self.bytes) {
            let why = format!("{error}, and it cannot be cut off: {worse}");
            self.broken = Some(LogError::Disk { what: "write the log", why });
        }
        error
    }

    /// Everything up to `end` is durable, or never will be.
    fn synced_to(&mut self, end: u64, synced: &Result<(), LogError>) {
        match synced {
            Ok(()) => self.synced = self.synced.max(end),
            // The kernel may have dropped what it could not write.
            Err(error) => self.broken = Some(error.clone()),
        }
        let (done, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(position, _)| *position <= end || synced.is_err());
        self.waiting = waiting;
        let done: Vec<(u64, Done)> = done;
        for (_, done) in done {
            // Who waited may have gone.
            let _unheard = done.send(synced.clone());
        }
    }

    /// Signs what is durable. One that cannot be written is tried again with the next.
    fn note(&mut self, tip: &Tip) {
        if tip.count() <= self.noted || tip.count() > self.synced {
            return;
        }
        // Another process may have signed for more.
        if open::signed_for(&self.folder).is_ok_and(|signed| signed >= tip.count()) {
            self.noted = tip.count();
            return;
        }
        let text = note(&self.settings.origin, tip.count(), &tip.tree.root(), "", &[&*self.settings.signs]);
        let written = self.put(NOTE_FILE, &text);
        if written.is_ok() {
            self.noted = tip.count();
        }
    }

    /// A file beside the log, whole or not at all.
    fn put(&self, name: &str, text: &str) -> std::io::Result<()> {
        let (path, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)
    }
}
