//! Where a run's intents and stages go. An effect runs only after its intent is durable; everything else is noted
//! without waiting. The durable audit log is another implementation of the same seam.

use crate::sign::SignedAct;
use ringmail_core::json::to_string;
use ringmail_core::refusal::Refusal;
use ringmail_core::trail::{Event, Stage};
use ringmail_core::value::{Str, Value};
use std::collections::{HashMap, HashSet};
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

/// Appends JSON lines to a file, and syncs it before an effect. All runs of one recorder share its file, and those that
/// wait at the same time share one sync; when it is full the next one begins.
#[derive(Debug)]
pub struct FileRecorder(mpsc::SyncSender<Job>);

/// Lines waiting for the writer; a run that is faster than the disk waits here.
const QUEUE_MAX: usize = 4_096;
/// Where a file is full. The last runs in it may go on in the next.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes written at once.
const BATCH_BYTES_MAX: usize = 1 << 20;

type Done = tokio::sync::oneshot::Sender<Result<(), RecordError>>;

#[derive(Debug)]
enum Job {
    Line(Str, String),
    /// Answered once all before it, and the line, would survive a crash.
    Sync(Str, String, Done),
    /// Answered once all before it is written; what may have had an effect, once it would survive a crash.
    Close(Str, Done),
}

impl FileRecorder {
    /// Writes files in this folder, each named by the first run in it.
    pub fn open(folder: &Path) -> std::io::Result<FileRecorder> {
        std::fs::create_dir_all(folder)?;
        let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
        let mut writer = Writer::new(folder);
        std::thread::Builder::new().name("ringmail-record".into()).spawn(move || {
            while let Ok(job) = receiver.recv() {
                writer.take(job);
                while !writer.is_full()
                    && let Ok(job) = receiver.try_recv()
                {
                    writer.take(job);
                }
                writer.write();
            }
        })?;
        Ok(FileRecorder(sender))
    }

    fn line(&self, run: &Str, line: Value) {
        // A full queue makes the run wait rather than lose a note; a writer that is gone fails the next intent.
        let _gone = self.0.send(Job::Line(run.clone(), to_string(&line)));
    }

    fn ask(&self, job: impl FnOnce(Done) -> Job) -> Recorded<'_> {
        let (done, wait) = tokio::sync::oneshot::channel();
        let sent = self.0.send(job(done));
        Box::pin(async move {
            sent.map_err(|_| RecordError("the record writer has ended".into()))?;
            wait.await.unwrap_or_else(|_| Err(RecordError("the record writer has ended".into())))
        })
    }
}

impl Recorder for FileRecorder {
    fn intent(&self, intent: Intent) -> Recorded<'_> {
        let line = to_string(&intent_value(&intent));
        self.ask(|done| Job::Sync(intent.run.clone(), line, done))
    }

    fn start(&self, start: &Start) {
        self.line(&start.run, start_value(start));
    }

    fn note(&self, run: &Str, event: &Event) {
        self.line(run, event_value(run, event));
    }

    fn close(&self, run: &Str) -> Recorded<'_> {
        self.ask(|done| Job::Close(run.clone(), done))
    }
}

struct Writer {
    folder: PathBuf,
    file: Option<(std::fs::File, u64)>,
    /// What is written next, and who waits for it.
    batch: Vec<u8>,
    /// A run in the batch, to name a file by.
    first: Option<Str>,
    runs: Vec<Str>,
    waiting: Vec<(Str, Done)>,
    syncs: bool,
    /// Runs that may have had an effect.
    acting: HashSet<Str>,
    /// Runs with a line that could not be written: none of their effects may happen any more.
    broken: HashMap<Str, String>,
}

impl Writer {
    fn new(folder: &Path) -> Writer {
        Writer {
            folder: folder.to_path_buf(),
            file: None,
            batch: Vec::new(),
            first: None,
            runs: Vec::new(),
            waiting: Vec::new(),
            syncs: false,
            acting: HashSet::new(),
            broken: HashMap::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_BYTES_MAX
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Line(run, line) => self.append(run, &line),
            Job::Sync(run, line, done) => {
                self.acting.insert(run.clone());
                self.append(run.clone(), &line);
                self.waiting.push((run, done));
                self.syncs = true;
            }
            Job::Close(run, done) => {
                self.syncs |= self.acting.remove(&run);
                self.waiting.push((run, done));
            }
        }
    }

    fn append(&mut self, run: Str, line: &str) {
        self.batch.extend_from_slice(line.as_bytes());
        self.batch.push(b'\n');
        self.first.get_or_insert_with(|| run.clone());
        if self.runs.last() != Some(&run) {
            self.runs.push(run);
        }
    }

    /// Writes the batch and answers all who wait for it.
    fn write(&mut self) {
        let written = self.whole();
        if let Err(error) = &written {
            // Part of a line may stand at its end.
            self.file = None;
            let told = error.to_string();
            self.broken.extend(self.runs.drain(..).map(|run| (run, told.clone())));
        }
        self.batch.clear();
        self.runs.clear();
        (self.first, self.syncs) = (None, false);
        for (run, done) in self.waiting.drain(..) {
            let failed = match &written {
                Err(error) => Some(error.to_string()),
                Ok(()) => self.broken.get(&run).cloned(),
            };
            if !self.acting.contains(&run) {
                self.broken.remove(&run);
            }
            // The run may have been cancelled meanwhile; then nobody waits.
            let _unheard = done.send(failed.map_or(Ok(()), |why| Err(RecordError(why))));
        }
    }

    fn whole(&mut self) -> std::io::Result<()> {
        let syncs = self.syncs;
        if self.file.as_ref().is_some_and(|(_, bytes)| *bytes >= FILE_BYTES_MAX) {
            // What was not synced yet is, with what it belongs to.
            self.file.take().map_or(Ok(()), |(file, _)| file.sync_data())?;
        }
        let batch = std::mem::take(&mut self.batch);
        let written = match self.file() {
            Ok(Some((file, bytes))) => {
                *bytes += batch.len() as u64;
                let whole = file.write_all(&batch);
                whole.and_then(|()| if syncs { file.sync_data() } else { Ok(()) })
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        self.batch = batch;
        written
    }

    /// The file to write to; none, if there never was anything to write.
    fn file(&mut self) -> std::io::Result<Option<&mut (std::fs::File, u64)>> {
        if let Some((file, _)) = &self.file
            && std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0
        {
            // Somebody removed it: what is written there, nobody finds.
            self.file = None;
        }
        if let (None, Some(run)) = (&self.file, &self.first) {
            let mut options = std::fs::OpenOptions::new();
            options.append(true).create(true);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            self.file = Some((options.open(self.folder.join(format!("{run}.jsonl")))?, 0));
        }
        Ok(self.file.as_mut())
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
fn event_value(run: &Str, event: &Event) -> Value {
    let mut members = vec![
        ("stage", Value::from(event.stage.name())),
        ("run", Value::Str(run.clone())),
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
