//! Where a run's intents and stages go. An effect runs only after its intent is durable; everything else is noted
//! without waiting. The durable audit log is another implementation of the same seam.

use crate::sign::SignedAct;
use ringmail_core::json::to_string;
use ringmail_core::refusal::Refusal;
use ringmail_core::trail::{Event, Stage};
use ringmail_core::value::{Str, Value};
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc;
use thiserror::Error;

/// What is about to happen.
#[derive(Clone, Debug)]
pub struct Intent {
    pub run: Str,
    pub principal: Str,
    pub link: Str,
    pub kind: &'static str,
    pub attempt: u32,
    pub sinks: Vec<String>,
    /// SHA-256 of the arguments in canonical form.
    pub args_digest: String,
    pub idempotency_key: Option<Str>,
    /// Names of the tags in the arguments, and where they come from.
    pub tags: Vec<Str>,
    pub origins: Vec<Str>,
    pub act: Option<SignedAct>,
    pub at_ms: u64,
}

/// A run about to be asked for.
#[derive(Clone, Debug)]
pub struct Start {
    pub run: Str,
    /// What the project calls itself.
    pub project: Str,
    pub chain: Str,
    /// SHA-256 of the chain's text.
    pub digest: Str,
    pub principal: Str,
    pub tenant: Option<Str>,
    pub at_ms: u64,
}

#[derive(Debug, Error)]
#[error("{0}")]
pub struct RecordError(pub String);

type Recorded<'r> = Pin<Box<dyn Future<Output = Result<(), RecordError>> + Send + 'r>>;

pub trait Recorder: Send + Sync {
    /// Ends only once the intent would survive a crash.
    fn intent(&self, intent: Intent) -> Recorded<'_>;

    /// Notes who asked for which chain, before anything is decided.
    fn start(&self, start: &Start);

    /// Notes a stage without waiting.
    fn note(&self, run: &Str, event: &Event);

    /// Ends once all notes of the run are written.
    fn close(&self, run: &Str) -> Recorded<'_>;
}

/// Appends JSON lines to a file for each run, and syncs them before an effect.
#[derive(Debug)]
pub struct FileRecorder {
    sender: mpsc::SyncSender<Job>,
    folder: PathBuf,
}

/// Notes waiting for the writer; a run that is faster than the disk waits here.
const QUEUE_MAX: usize = 4_096;
/// Files the writer keeps open.
const OPEN_MAX: usize = 64;

#[derive(Debug)]
enum Job {
    Line(Str, String),
    Sync(Str, Option<String>, tokio::sync::oneshot::Sender<Result<(), RecordError>>),
    Close(Str, tokio::sync::oneshot::Sender<Result<(), RecordError>>),
}

impl FileRecorder {
    /// Writes `FOLDER/RUN.jsonl` for each run.
    pub fn open(folder: &Path) -> std::io::Result<FileRecorder> {
        std::fs::create_dir_all(folder)?;
        let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
        let mut writer = Writer { folder: folder.to_path_buf(), files: Vec::new(), broken: Vec::new() };
        std::thread::Builder::new().name("ringmail-record".into()).spawn(move || {
            while let Ok(job) = receiver.recv() {
                writer.job(job);
            }
        })?;
        Ok(FileRecorder { sender, folder: folder.to_path_buf() })
    }

    /// Where the records of a run are.
    pub fn path(&self, run: &str) -> PathBuf {
        self.folder.join(format!("{run}.jsonl"))
    }

    fn line(&self, run: &Str, line: &Value) {
        // A full queue makes the run wait rather than lose a note; a writer that is gone fails the next intent.
        let _gone = self.sender.send(Job::Line(run.clone(), to_string(line)));
    }

    fn ask(
        &self,
        job: impl FnOnce(tokio::sync::oneshot::Sender<Result<(), RecordError>>) -> Job,
    ) -> Recorded<'_> {
        let (done, wait) = tokio::sync::oneshot::channel();
        let sent = self.sender.send(job(done));
        Box::pin(async move {
            sent.map_err(|_| RecordError("the record writer has ended".into()))?;
            wait.await.unwrap_or_else(|_| Err(RecordError("the record writer has ended".into())))
        })
    }
}

impl Recorder for FileRecorder {
    fn intent(&self, intent: Intent) -> Recorded<'_> {
        let line = to_string(&intent_value(&intent));
        self.ask(|done| Job::Sync(intent.run.clone(), Some(line), done))
    }

    fn start(&self, start: &Start) {
        self.line(&start.run, &start_value(start));
    }

    fn note(&self, run: &Str, event: &Event) {
        self.line(run, &event_value(event));
    }

    fn close(&self, run: &Str) -> Recorded<'_> {
        self.ask(|done| Job::Close(run.clone(), done))
    }
}

struct Writer {
    folder: PathBuf,
    files: Vec<(Str, std::fs::File)>,
    /// Runs with a line that could not be written: none of their effects may happen any more.
    broken: Vec<(Str, String)>,
}

impl Writer {
    fn job(&mut self, job: Job) {
        match job {
            Job::Line(run, line) => {
                if let Err(error) = self.append(&run, &line) {
                    self.broken.push((run, error.to_string()));
                }
            }
            Job::Sync(run, line, done) => {
                let result = self.sync(&run, line.as_deref());
                // The run may have been cancelled meanwhile; then nobody waits.
                let _unheard = done.send(result);
            }
            Job::Close(run, done) => {
                let result = self.sync(&run, None);
                self.files.retain(|(known, _)| *known != run);
                self.broken.retain(|(known, _)| *known != run);
                let _unheard = done.send(result);
            }
        }
    }

    fn sync(&mut self, run: &Str, line: Option<&str>) -> Result<(), RecordError> {
        if let Some((_, error)) = self.broken.iter().find(|(known, _)| known == run) {
            return Err(RecordError(error.clone()));
        }
        let written = match line {
            Some(line) => self.append(run, line),
            None => Ok(()),
        };
        written.and_then(|()| self.file(run)?.sync_data()).map_err(|error| RecordError(error.to_string()))
    }

    fn append(&mut self, run: &Str, line: &str) -> std::io::Result<()> {
        let file = self.file(run)?;
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        file.write_all(&bytes)
    }

    fn file(&mut self, run: &Str) -> std::io::Result<&mut std::fs::File> {
        let at = match self.files.iter().position(|(known, _)| known == run) {
            Some(at) => at,
            None => {
                let path = self.folder.join(format!("{run}.jsonl"));
                let mut options = std::fs::OpenOptions::new();
                options.append(true).create(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(path)?;
                if self.files.len() >= OPEN_MAX {
                    self.files.remove(0);
                }
                self.files.push((run.clone(), file));
                self.files.len() - 1
            }
        };
        match self.files.get_mut(at) {
            Some((_, file)) => Ok(file),
            None => Err(std::io::Error::other("the file was closed")),
        }
    }
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn names(names: &[Str]) -> Value {
    Value::list(names.iter().map(|name| Value::Str(name.clone())))
}

fn start_value(start: &Start) -> Value {
    Value::map([
        ("stage", Value::from("started")),
        ("at_ms", number(start.at_ms)),
        ("run", Value::Str(start.run.clone())),
        ("project", Value::Str(start.project.clone())),
        ("chain", Value::Str(start.chain.clone())),
        ("chain_sha256", Value::Str(start.digest.clone())),
        ("principal", Value::Str(start.principal.clone())),
        ("tenant", start.tenant.clone().map_or(Value::Null, Value::Str)),
    ])
}

fn intent_value(intent: &Intent) -> Value {
    let act = intent.act.as_ref().map_or(Value::Null, |signed| {
        Value::map([
            ("record", signed.act.clone()),
            ("public_key", Value::from(signed.public_key.as_str())),
            ("signature", Value::from(signed.signature.as_str())),
        ])
    });
    Value::map([
        ("stage", Value::from("intent")),
        ("at_ms", number(intent.at_ms)),
        ("run", Value::Str(intent.run.clone())),
        ("principal", Value::Str(intent.principal.clone())),
        ("link", Value::Str(intent.link.clone())),
        ("kind", Value::from(intent.kind)),
        ("attempt", number(intent.attempt.into())),
        ("sinks", Value::list(intent.sinks.iter().map(|sink| Value::from(sink.as_str())))),
        ("args_sha256", Value::from(intent.args_digest.as_str())),
        ("idempotency_key", intent.idempotency_key.clone().map_or(Value::Null, Value::Str)),
        ("tags", names(&intent.tags)),
        ("origins", names(&intent.origins)),
        ("act", act),
    ])
}

/// One stage as a record.
pub(crate) fn event_value(event: &Event) -> Value {
    let mut members = vec![
        ("stage", Value::from(event.stage.name())),
        ("at_us", number(event.at_us)),
        ("link", Value::Str(event.link.clone())),
    ];
    match &event.stage {
        Stage::Admitted { attempt } => members.push(("attempt", number(u64::from(*attempt)))),
        Stage::Found { tagged, signals } => {
            let names = |names: &[&'static str]| Value::list(names.iter().map(|name| Value::from(*name)));
            members.push(("tagged", names(tagged)));
            members.push(("signals", names(signals)));
        }
        Stage::Intended { sink } => members.push(("sink", Value::Str(sink.clone()))),
        Stage::Failed { failure, attempt } => {
            members.push(("failure", Value::Str(failure.clone())));
            members.push(("attempt", number(u64::from(*attempt))));
        }
        Stage::Undumped { why } => members.push(("why", Value::Str(why.clone()))),
        Stage::Dumped { file } => members.push(("file", Value::Str(file.clone()))),
        Stage::Retrying { pause_ms } => members.push(("pause_ms", number(*pause_ms))),
        Stage::Skipped(why) => members.push(("why", Value::from(why.words()))),
        Stage::Took { target } => members.push(("target", Value::Str(target.clone()))),
        Stage::MiddlewareFailed { middleware } => {
            members.push(("middleware", Value::Str(middleware.clone())))
        }
        Stage::Refused(refusal) => members.push(("refusal", refusal_value(refusal))),
        _ => {}
    }
    Value::map(members)
}

/// A refusal as a record: everything `explain` needs.
pub fn refusal_value(refusal: &Refusal) -> Value {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let spot = refusal.spot.as_ref().map_or(Value::Null, |spot| {
        let (line, column) = spot.source.line_column(spot.span.start);
        Value::map([
            ("file", Value::from(spot.source.name.as_str())),
            ("line", number(line as u64)),
            ("column", number(column as u64)),
            ("start", number(spot.span.start as u64)),
            ("end", number(spot.span.end as u64)),
        ])
    });
    Value::map([
        ("layer", Value::from(refusal.rule.layer().name())),
        ("rule", Value::from(refusal.rule.id())),
        ("link", Value::Str(refusal.link.clone())),
        ("sink", text(&refusal.sink)),
        ("path", text(&refusal.path)),
        ("origins", names(&refusal.origins)),
        ("message", Value::from(refusal.message.as_str())),
        ("changes", Value::list(refusal.changes.iter().map(|change| Value::from(change.as_str())))),
        ("policies", names(&refusal.policies)),
        ("spot", spot),
    ])
}
