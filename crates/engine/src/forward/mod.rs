//! What is sent on to others: records, and checkpoints over them. The log is the queue: a place in it says for each receiver what
//! has arrived there, and moves when the receiver has said so. Nothing waits for a receiver, nothing is held in memory for it, and
//! nothing is left out: whoever is behind gets everything once it answers, and a record twice rather than never.

mod anchor;
mod file;
mod records;
mod syslog;
mod web;

use crate::audit::{Audit, LogLines};
use crate::packages::write_whole;
use crate::recorder::{DataSubject, Note, Recorder};
use crate::secrets::SecretsAround;
use crate::steady::steadily;
use records::Records;
use ringmail_core::policy::Principal;
use ringmail_core::project::Project;
use ringmail_core::value::{Str, Value};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it is looked whether there is something new.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long it is waited after a failure, twice as long each time.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Sends what one receiver has not got yet.
trait Sends: Send {
    /// Sends what comes behind `arrived`. Nothing if there is nothing to send now.
    fn send(&mut self, arrived: u64) -> Result<Option<Sent>, String>;
}

/// How much went out at once, and how many records are there with it.
struct Sent {
    count: usize,
    arrived: u64,
}

/// What is sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    Records,
    Checkpoints,
}

impl Sending {
    /// Where the places are, in the data folder.
    fn folder(self) -> &'static str {
        match self {
            Sending::Records => "forward",
            Sending::Checkpoints => "anchor",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Sending::Records => "records",
            Sending::Checkpoints => "checkpoints",
        }
    }

    /// How it stands on record that a receiver is behind, or no longer.
    fn kinds(self) -> (&'static str, &'static str) {
        match self {
            Sending::Records => ("forward-behind", "forward-resumed"),
            Sending::Checkpoints => ("anchor-behind", "anchor-resumed"),
        }
    }

    /// Who receives it.
    pub fn receivers(self, project: &Project) -> Vec<Str> {
        match self {
            Sending::Records => project.forwards.iter().map(|setting| setting.name.clone()).collect(),
            Sending::Checkpoints => project.anchors.iter().map(|setting| setting.name.clone()).collect(),
        }
    }

    fn place(self, data: &Path, name: &str) -> PathBuf {
        data.join(self.folder()).join(format!("{name}.at"))
    }

    fn trouble(self, data: &Path, name: &str) -> PathBuf {
        data.join(self.folder()).join(format!("{name}.failed"))
    }

    /// What is to be said where not all is here that arrived there.
    fn lost(self, name: &str, arrived: u64, recorded: u64) -> Option<String> {
        let words = match self {
            Sending::Records => format!("{arrived} records arrived at `{name}`"),
            Sending::Checkpoints => format!("{arrived} records were signed for to `{name}`"),
        };
        let place = format!("{}/{name}.at", self.folder());
        (arrived > recorded).then(|| {
            format!("{words}, and {recorded} are here: the log was cut or put back. Nothing is sent there until somebody has looked, and has removed `{place}` from the data folder")
        })
    }

    fn arrived(self, data: &Path, name: &str) -> Result<u64, String> {
        let path = self.place(data, name);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                text.trim().parse().map_err(|_| format!("`{}` does not hold a number", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(format!("cannot read `{}`: {error}", path.display())),
        }
    }
}

/// What is sent on with.
pub struct ForwardAround {
    /// The project's data folder.
    pub data: PathBuf,
    /// The folder of the log.
    pub audit: PathBuf,
    pub secrets: SecretsAround,
    /// What is signed for; where it stands, too, that a receiver is behind.
    pub log: Audit,
}

impl std::fmt::Debug for ForwardAround {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForwardAround").field("audit", &self.audit).finish_non_exhaustive()
    }
}

/// How far a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardStatus {
    pub name: Str,
    /// Records that have arrived, or are signed for in what has.
    pub arrived: u64,
    pub recorded: u64,
    /// Why the last attempt failed, if it did.
    pub failed: Option<String>,
    /// What is to be said where less is on record than had arrived.
    pub lost: Option<String>,
}

/// Sends to one receiver, and is the only one that does.
pub struct Forwarder {
    name: Str,
    what: Sending,
    sends: Box<dyn Sends>,
    around: Arc<ForwardAround>,
    arrived: u64,
    /// Held while it is this one that sends.
    turn: Option<File>,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How far every receiver of a project is.
pub fn forward_status(
    what: Sending,
    project: &Project,
    data: &Path,
    audit: &Path,
) -> Result<Vec<ForwardStatus>, String> {
    let mut all = Vec::new();
    for name in what.receivers(project) {
        let arrived = what.arrived(data, &name)?;
        let mut lines = LogLines::open(audit, arrived).map_err(|error| error.to_string())?;
        lines.by_ref().try_for_each(|line| line.map(drop)).map_err(|error| error.to_string())?;
        let recorded = lines.next_number();
        let lost = what.lost(&name, arrived, recorded);
        let failed = match std::fs::read_to_string(what.trouble(data, &name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            // Why is told by somebody else; that it failed is known.
            failed => Some(failed.unwrap_or_else(|error| error.to_string())),
        };
        let failed = lost.clone().or(failed);
        all.push(ForwardStatus { name, arrived, recorded, failed, lost });
    }
    Ok(all)
}

/// What is to be said where less is on record than has arrived anywhere: whoever put the log back, or cut it, did not think of
/// where it is known how far receivers are.
pub fn lost_records(project: &Project, data: &Path, audit: &Path) -> Result<Option<String>, String> {
    for what in [Sending::Records, Sending::Checkpoints] {
        let all = forward_status(what, project, data, audit)?;
        if let Some(lost) = all.into_iter().find_map(|one| one.lost) {
            return Ok(Some(lost));
        }
    }
    Ok(None)
}

/// Holds the log against what has arrived elsewhere, and against every anchor that this machine can read. What knows more of it, or
/// something else, says so.
pub fn hold_against_others(project: &Project, around: &ForwardAround) -> Result<(), String> {
    if let Some(lost) = lost_records(project, &around.data, &around.audit)? {
        return Err(lost);
    }
    project.anchors.iter().try_for_each(|setting| anchor::hold(setting, around))
}

impl Forwarder {
    /// All of a project.
    pub fn all(
        what: Sending,
        project: &Project,
        around: &Arc<ForwardAround>,
    ) -> Result<Vec<Forwarder>, String> {
        let of = |name: &Str, sends: Box<dyn Sends>| {
            let (name, around) = (name.clone(), around.clone());
            Forwarder { name, what, sends, around, arrived: 0, turn: None }
        };
        match what {
            Sending::Records => project
                .forwards
                .iter()
                .map(|setting| Ok(of(&setting.name, Box::new(Records::new(setting, project, around)?))))
                .collect(),
            Sending::Checkpoints => {
                let anchors = project.anchors.iter();
                Ok(anchors
                    .map(|setting| of(&setting.name, Box::new(anchor::Anchor::new(setting, project, around))))
                    .collect())
            }
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Becomes the only one that sends to this receiver, and goes on where the one before stopped. Answers whether it is.
    pub fn take_turn(&mut self) -> Result<bool, String> {
        let folder = self.around.data.join(self.what.folder());
        let failed = |error: std::io::Error| format!("cannot use `{}`: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let turn = File::create(folder.join(format!("{}.lock", self.name))).map_err(failed)?;
        match turn.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let arrived = self.what.arrived(&self.around.data, &self.name)?;
        let recorded = self.around.log.settle().map_err(|error| error.to_string())?;
        if let Some(lost) = self.what.lost(&self.name, arrived, recorded) {
            return Err(lost);
        }
        (self.arrived, self.turn) = (arrived, Some(turn));
        Ok(true)
    }

    /// Sends what is next. Answers how much went out; nothing if there is none.
    pub fn step(&mut self) -> Result<usize, String> {
        if self.turn.is_none() && !self.take_turn()? {
            return Err("another process sends to it".into());
        }
        let Some(sent) = self.sends.send(self.arrived)? else { return Ok(0) };
        // A crash before this sends them once more, and after it never.
        let path = self.what.place(&self.around.data, &self.name);
        write_whole(&path, sent.arrived.to_string().as_bytes())
            .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
        self.arrived = sent.arrived;
        Ok(sent.count)
    }

    /// Sends until `stopped`, whatever happens to the receiver. `told` hears when it falls behind, and when it is back.
    pub fn go_on(mut self, stopped: &AtomicBool, told: &dyn Fn(&str)) {
        let mut behind = self.what.trouble(&self.around.data, &self.name).exists();
        // A reload ends one and begins the next; they are not at it at once.
        loop {
            match self.take_turn() {
                Ok(true) => break,
                Ok(false) => {}
                Err(why) if !behind => {
                    behind = true;
                    self.says(Some(&why), told);
                }
                Err(_) => {}
            }
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let mut pause = PAUSE;
        while !stopped.load(Ordering::Relaxed) {
            // What a receiver answers may break what reads it, and ends nothing but that attempt.
            let stepped = steadily(|| self.step());
            let stepped = stepped.unwrap_or_else(|| Err("what it answered could not be read".into()));
            let wait = match stepped {
                Ok(sent) => {
                    pause = PAUSE;
                    if behind && sent > 0 {
                        behind = false;
                        self.says(None, told);
                    }
                    if sent > 0 { continue } else { LOOK_EVERY }
                }
                Err(why) => {
                    if !behind {
                        behind = true;
                        self.says(Some(&why), told);
                    }
                    let wait = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                    wait
                }
            };
            let until = std::time::Instant::now() + wait;
            while !stopped.load(Ordering::Relaxed) && std::time::Instant::now() < until {
                std::thread::sleep(LOOK_EVERY.min(wait));
            }
        }
    }

    /// On record, for `--status`, and to whoever looks on.
    fn says(&self, why: Option<&str>, told: &dyn Fn(&str)) {
        let trouble = self.what.trouble(&self.around.data, &self.name);
        let ((behind, resumed), words) = (self.what.kinds(), self.what.words());
        let (kind, text) = match why {
            Some(why) => {
                // It is for people to look at; the place itself is what counts.
                let _unwritten = write_whole(&trouble, crate::redaction::judged(why).as_bytes());
                (behind, format!("{words} do not arrive at `{}`: {why}", self.name))
            }
            None => {
                let _gone = std::fs::remove_file(&trouble);
                (resumed, format!("{words} arrive at `{}` again", self.name))
            }
        };
        let open = vec![
            ("receiver", Value::Str(self.name.clone())),
            ("arrived", Value::Int(i64::try_from(self.arrived).unwrap_or(i64::MAX))),
        ];
        let sealed = why.map(|why| ("why", Value::from(why))).into_iter().collect();
        let at_ms = self.around.secrets.clock.now_ms();
        let who = DataSubject::of(&Principal::host());
        // A log that takes nothing stops every effect by itself.
        let _told_there = self.around.log.note(&Note { kind, at_ms, open, who, sealed });
        told(&text);
    }
}

/// Sends on as long as it lives.
#[derive(Debug)]
pub struct Forwards(Arc<AtomicBool>);

impl Drop for Forwards {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Forwards {
    /// Sends to every receiver of a project, each on a thread of its own. Where another process still does, it is waited for.
    pub fn start(
        what: &[Sending],
        project: &Project,
        around: ForwardAround,
        told: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<Forwards, String> {
        let (stop, around) = (Arc::new(AtomicBool::new(false)), Arc::new(around));
        let forwards = Forwards(stop.clone());
        for what in what {
            for forwarder in Forwarder::all(*what, project, &around)? {
                let (stop, told) = (stop.clone(), told.clone());
                let thread = std::thread::Builder::new().name("forward".into());
                let spawned = thread.spawn(move || forwarder.go_on(&stop, &told));
                spawned.map_err(|error| error.to_string())?;
            }
        }
        Ok(forwards)
    }
}
