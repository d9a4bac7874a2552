//! How a log is opened: its newest file is read and held against its hashes. What a crash cut off is put aside; what was
//! signed for has to be there.

use super::segment::{self, SEALED, Tip};
use super::{LOCK_FILE, LogError, LogSettings, NOTE_FILE, State, disk};
use std::fs::File;
use std::io::{Read as _, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What is cut off at one record is kept so often.
const ASIDE_MAX: u32 = 1_000;

/// Makes a file that only its owner reads, with its first line in it.
pub(super) fn new_file(path: &Path, head: &[u8]) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.read(true).append(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(head)?;
    file.sync_all()?;
    sync_folder(path)?;
    Ok(file)
}

/// What a folder holds survives a crash once the folder is synced.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// How many records somebody has signed for.
pub(super) fn signed_for(folder: &Path) -> Result<u64, LogError> {
    match std::fs::read_to_string(folder.join(NOTE_FILE)) {
        Ok(text) => {
            let size = text.lines().nth(1).and_then(|line| line.parse().ok());
            size.ok_or_else(|| LogError::Changed("its checkpoint is none".into()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(disk("read the log's checkpoint")(error)),
    }
}

impl State {
    pub(super) fn open(folder: &Path, settings: LogSettings) -> Result<State, LogError> {
        std::fs::create_dir_all(folder).map_err(disk("make the log's folder"))?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let turn = options.open(folder.join(LOCK_FILE)).map_err(disk("open the log's lock"))?;
        turn.lock().map_err(disk("lock the log"))?;
        let state = State::open_in_turn(folder, settings, turn);
        let mut state = state?;
        state.turn.unlock().map_err(disk("unlock the log"))?;
        state.noted = signed_for(folder)?;
        Ok(state)
    }

    fn open_in_turn(folder: &Path, settings: LogSettings, turn: File) -> Result<State, LogError> {
        let signed = signed_for(folder)?;
        let known = segment::all(folder).map_err(disk("list the log's files"))?;
        let Some((first, path)) = known.last() else {
            if signed > 0 {
                return Err(LogError::Changed(format!(
                    "{signed} records were signed for, and none is there"
                )));
            }
            let tip = Tip::default();
            let file = new_file(&folder.join(segment::name(0)), tip.head().as_bytes());
            let file = file.map_err(disk("begin the log"))?;
            let bytes = tip.head().len() as u64;
            return Ok(State::of(folder, settings, turn, (file, bytes, tip)));
        };
        let file = std::fs::OpenOptions::new().read(true).append(true).open(path);
        let file = file.map_err(disk("open the log"))?;
        let mut head = Vec::new();
        let tip = head_of(&file, &mut head).map_err(disk("read the log"))?;
        let tip = match tip {
            Some(tip) if tip.count() == *first => tip,
            // A crash can leave a file without its first line.
            _ if head.len() < Tip::default().head().len() && !head.contains(&b'\n') => {
                std::fs::remove_file(path).map_err(disk("remove a file that never began"))?;
                return State::open_in_turn(folder, settings, turn);
            }
            _ => return Err(LogError::Changed(format!("`{}` does not begin as it should", path.display()))),
        };
        let bytes = head.len() as u64;
        let mut state = State::of(folder, settings, turn, (file, bytes, tip));
        state.read_on()?;
        if state.tip.count() < signed {
            let message = format!("{signed} records were signed for, and {} are there", state.tip.count());
            return Err(LogError::Changed(message));
        }
        state.synced = state.tip.count();
        // What was only in the kernel's memory is durable from here on.
        state.file.sync_data().map_err(disk("sync the log"))?;
        Ok(state)
    }

    fn of(folder: &Path, settings: LogSettings, turn: File, (file, bytes, tip): (File, u64, Tip)) -> State {
        let synced = tip.count();
        State {
            folder: folder.to_path_buf(),
            settings,
            turn,
            file: Arc::new(file),
            bytes,
            tip,
            synced,
            noted: 0,
            waiting: Vec::new(),
            broken: None,
            ended: false,
        }
    }

    /// Takes in what stands in the file behind what is known, and in those that follow it. What a crash cut off is put
    /// aside, unless it was signed for.
    pub(super) fn read_on(&mut self) -> Result<(), LogError> {
        loop {
            let text = self.rest()?;
            match self.take_in(&text) {
                End::Whole => return Ok(()),
                End::Sealed => self.follow()?,
                End::Wrong(rest) => return self.put_aside(rest),
            }
        }
    }

    fn put_aside(&mut self, rest: &[u8]) -> Result<(), LogError> {
        let count = self.tip.count();
        if count < signed_for(&self.folder)? {
            return Err(LogError::Changed(format!("record {count} was signed for, and is another now")));
        }
        self.keep_aside(&format!("cut-{count:020}"), rest).map_err(disk("put aside what a crash cut off"))?;
        self.file.set_len(self.bytes).map_err(disk("cut the log where it is whole"))
    }

    /// It is as secret as the log, it is on disk before the log lets go of it, and nothing that was put aside before goes for it.
    fn keep_aside(&self, name: &str, rest: &[u8]) -> std::io::Result<()> {
        let mut path = self.folder.join(name);
        for again in 1..=ASIDE_MAX {
            match new_file(&path, rest) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => return made.map(drop),
            }
            path = self.folder.join(format!("{name}-{again}"));
        }
        Err(std::io::Error::other(format!("{ASIDE_MAX} pieces lie there that were cut off at this record")))
    }

    fn rest(&self) -> Result<Vec<u8>, LogError> {
        let mut text = Vec::new();
        let mut file = &*self.file;
        let read = file.seek(SeekFrom::Start(self.bytes)).and_then(|_| file.read_to_end(&mut text));
        read.map_err(disk("read the log")).map(|_| text)
    }

    fn take_in<'t>(&mut self, text: &'t [u8]) -> End<'t> {
        let mut rest = text;
        loop {
            if rest.is_empty() {
                return End::Whole;
            }
            if rest == SEALED {
                self.bytes += SEALED.len() as u64;
                return End::Sealed;
            }
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return End::Wrong(rest) };
            let (line, after) =
                (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default());
            if self.tip.read(line).is_none() {
                return End::Wrong(rest);
            }
            self.bytes += end as u64 + 1;
            rest = after;
        }
    }

    /// Goes on in the file that follows, which a crash may have left to be begun.
    fn follow(&mut self) -> Result<(), LogError> {
        let path = self.folder.join(segment::name(self.tip.count()));
        let file = match std::fs::OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return self.begin_next(),
            Err(error) => return Err(disk("open the log's next file")(error)),
        };
        let mut head = Vec::new();
        let tip = head_of(&file, &mut head).map_err(disk("read the log"))?;
        if tip.as_ref() != Some(&self.tip) {
            return Err(LogError::Changed(format!("`{}` does not go on where the log was", path.display())));
        }
        (self.file, self.bytes) = (Arc::new(file), head.len() as u64);
        Ok(())
    }
}

/// How a text of lines ends.
enum End<'t> {
    Whole,
    Sealed,
    /// With what is no line of this log.
    Wrong(&'t [u8]),
}

/// The first line of a file, which `line` holds with its end.
fn head_of(file: &File, line: &mut Vec<u8>) -> std::io::Result<Option<Tip>> {
    use std::io::BufRead;
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    // A log of as many records as a number can say has this many hashes in its head.
    let mut reader = std::io::BufReader::new(file.take(4 << 10));
    reader.read_until(b'\n', line)?;
    Ok(line.strip_suffix(b"\n").and_then(Tip::of_head))
}
