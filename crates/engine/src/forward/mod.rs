//! Records that are sent on to others. The log is the queue: a place in it says for each receiver what has arrived there, and
//! moves when the receiver has said so. Nothing waits for a receiver, nothing is held in memory for it, and nothing is left
//! out: whoever is behind gets everything once it answers, and a record twice rather than never.

mod file;
mod syslog;
mod web;

use crate::asking::Line;
use crate::audit::LogLines;
use crate::packages::write_whole;
use crate::recorder::{DataSubject, Note, Recorder};
use crate::secrets::{SecretReader, SecretsAround};
use ringmail_core::policy::Principal;
use ringmail_core::project::{ForwardAt, ForwardSetting, Project};
use ringmail_core::value::{Str, Value};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where the places are, beside the log.
const FOLDER: &str = "forward";
/// Bytes of records that are sent at once, whatever their number.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// How often it is looked whether there is something new.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long it is waited after a failure, twice as long each time.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A record as it goes out: its number in the log, and its text.
#[derive(Clone, Debug)]
struct Going {
    at: u64,
    record: String,
}

impl Going {
    /// One line of JSON.
    fn line(&self, origin: &str) -> String {
        format!("{{\"log\":\"{origin}\",\"at\":{},\"record\":{}}}", self.at, self.record)
    }
}

/// Someone who takes records, and answers once they are there.
trait Takes: Send {
    fn take(&mut self, records: &[Going]) -> Result<(), String>;
}

/// What records are sent on with.
pub struct ForwardAround {
    /// The project's data folder.
    pub data: PathBuf,
    /// The folder of the log.
    pub audit: PathBuf,
    /// What the log calls itself.
    pub origin: String,
    pub secrets: SecretsAround,
    /// Where it stands that a receiver is behind.
    pub recorder: Option<Arc<dyn Recorder>>,
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
    /// Records that have arrived.
    pub arrived: u64,
    pub recorded: u64,
    /// Why the last attempt failed, if it did.
    pub failed: Option<String>,
}

/// Sends to one receiver, and is the only one that does.
pub struct Forwarder {
    name: Str,
    batch: usize,
    receiver: Box<dyn Takes>,
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

fn place_of(data: &Path, name: &str) -> PathBuf {
    data.join(FOLDER).join(format!("{name}.at"))
}

fn trouble_of(data: &Path, name: &str) -> PathBuf {
    data.join(FOLDER).join(format!("{name}.failed"))
}

fn arrived(data: &Path, name: &str) -> Result<u64, String> {
    let path = place_of(data, name);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| format!("`{}` does not hold a number", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(format!("cannot read `{}`: {error}", path.display())),
    }
}

/// How far every receiver of a project is.
pub fn forward_status(project: &Project, data: &Path, audit: &Path) -> Result<Vec<ForwardStatus>, String> {
    let mut all = Vec::new();
    for setting in &project.forwards {
        let arrived = arrived(data, &setting.name)?;
        let mut lines = LogLines::open(audit, arrived).map_err(|error| error.to_string())?;
        let last = lines.by_ref().try_fold(arrived, |_, line| line.map(|(at, _)| at + 1));
        let recorded = last.map_err(|error| error.to_string())?;
        let failed = std::fs::read_to_string(trouble_of(data, &setting.name)).ok();
        all.push(ForwardStatus { name: setting.name.clone(), arrived, recorded, failed });
    }
    Ok(all)
}

impl Forwarder {
    pub fn new(
        setting: &ForwardSetting,
        project: &Project,
        around: &Arc<ForwardAround>,
    ) -> Result<Forwarder, String> {
        let receiver: Box<dyn Takes> = match &setting.at {
            ForwardAt::File { path, bytes_max, keep } => {
                let path = around.secrets.folder.join(path);
                Box::new(file::Files::new(&path, *bytes_max, *keep, &around.origin))
            }
            ForwardAt::Syslog(at) => Box::new(syslog::Syslog::new(at, project, around)?),
            ForwardAt::Web { otlp, url, resolves_to, secret } => {
                let mut secrets = project.secrets.iter();
                let secret = secret.as_ref().and_then(|name| secrets.find(|known| known.name == *name));
                let shown =
                    secret.map(|secret| (SecretReader::new(project, around.secrets.clone()), secret.clone()));
                let line = Line {
                    resolves_to: resolves_to.clone(),
                    roots: project.extra_roots.clone(),
                    around: Arc::new(SecretsAround {
                        recorder: Some(Arc::new(web::Unrecorded)),
                        ..around.secrets.clone()
                    }),
                };
                Box::new(web::Web {
                    otlp: *otlp,
                    url: url.clone(),
                    line,
                    shown,
                    origin: around.origin.clone(),
                })
            }
        };
        let (name, batch, around) = (setting.name.clone(), setting.batch, around.clone());
        Ok(Forwarder { name, batch, receiver, around, arrived: 0, turn: None })
    }

    /// Becomes the only one that sends to this receiver, and goes on where the one before stopped. Answers whether it is.
    pub fn take_turn(&mut self) -> Result<bool, String> {
        let folder = self.around.data.join(FOLDER);
        let failed = |error: std::io::Error| format!("cannot use `{}`: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let turn = File::create(folder.join(format!("{}.lock", self.name))).map_err(failed)?;
        match turn.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        self.arrived = arrived(&self.around.data, &self.name)?;
        self.turn = Some(turn);
        Ok(true)
    }

    /// Sends the next batch. Answers how many records arrived; none if there are none.
    pub fn step(&mut self) -> Result<usize, String> {
        if self.turn.is_none() && !self.take_turn()? {
            return Err("another process sends to it".into());
        }
        let lines = LogLines::open(&self.around.audit, self.arrived).map_err(|error| error.to_string())?;
        let (mut going, mut bytes) = (Vec::new(), 0);
        for line in lines.take(self.batch) {
            let (at, record) = line.map_err(|error| error.to_string())?;
            let record = String::from_utf8(record).map_err(|_| format!("record {at} is no text"))?;
            bytes += record.len();
            going.push(Going { at, record });
            if bytes >= BATCH_BYTES_MAX {
                break;
            }
        }
        let Some(last) = going.last().map(|going| going.at) else { return Ok(0) };
        self.receiver.take(&going)?;
        // A crash before this sends them once more, and after it never.
        let path = place_of(&self.around.data, &self.name);
        write_whole(&path, (last + 1).to_string().as_bytes())
            .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
        self.arrived = last + 1;
        Ok(going.len())
    }

    /// Sends until `stopped`, whatever happens to the receiver. `told` hears when it falls behind, and when it is back.
    pub fn go_on(mut self, stopped: &AtomicBool, told: &dyn Fn(&str)) {
        // A reload ends one and begins the next; they are not at it at once.
        while !matches!(self.take_turn(), Ok(true)) {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let mut behind = trouble_of(&self.around.data, &self.name).exists();
        let mut pause = PAUSE;
        while !stopped.load(Ordering::Relaxed) {
            let wait = match self.step() {
                Ok(sent) => {
                    pause = PAUSE;
                    if behind && sent > 0 {
                        behind = false;
                        self.says("forward-resumed", None, told);
                    }
                    if sent > 0 { continue } else { LOOK_EVERY }
                }
                Err(why) => {
                    if !behind {
                        behind = true;
                        self.says("forward-behind", Some(&why), told);
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
    fn says(&self, kind: &'static str, why: Option<&str>, told: &dyn Fn(&str)) {
        let trouble = trouble_of(&self.around.data, &self.name);
        let text = match why {
            Some(why) => {
                // It is for people to look at; the place itself is what counts.
                let _unwritten = write_whole(&trouble, crate::redaction::judged(why).as_bytes());
                format!("records do not arrive at `{}`: {why}", self.name)
            }
            None => {
                let _gone = std::fs::remove_file(&trouble);
                format!("records arrive at `{}` again", self.name)
            }
        };
        told(&text);
        if let Some(recorder) = &self.around.recorder {
            let open = vec![
                ("receiver", Value::Str(self.name.clone())),
                ("arrived", Value::Int(i64::try_from(self.arrived).unwrap_or(i64::MAX))),
            ];
            let sealed = why.map(|why| ("why", Value::from(why))).into_iter().collect();
            let at_ms = self.around.secrets.clock.now_ms();
            let who = DataSubject::of(&Principal::host());
            // A log that takes nothing stops every effect by itself.
            let _told_there = recorder.note(&Note { kind, at_ms, open, who, sealed });
        }
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
        project: &Project,
        around: ForwardAround,
        told: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<Forwards, String> {
        let (stop, around) = (Arc::new(AtomicBool::new(false)), Arc::new(around));
        let forwards = Forwards(stop.clone());
        for setting in &project.forwards {
            let forwarder = Forwarder::new(setting, project, &around)?;
            let (stop, told) = (stop.clone(), told.clone());
            let thread = std::thread::Builder::new().name("forward".into());
            let spawned = thread.spawn(move || forwarder.go_on(&stop, &told));
            spawned.map_err(|error| error.to_string())?;
        }
        Ok(forwards)
    }
}
