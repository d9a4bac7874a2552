//! Chains that run by themselves. Which moment of a schedule was run last, and as which run, is on disk before that run begins;
//! a process that comes after finds it on record, or begins it under the same name: no moment runs twice, and none is lost.

use crate::resumed::told;
use crate::runs::Of;
use crate::server::Doors;
use crate::world::World;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::policy::Principal;
use ringmail_core::schedule::ScheduleSetting;
use ringmail_core::value::{Str, Value};
use ringmail_engine::packages::write_whole;
use ringmail_engine::{Audit, Chain, DataSubject, Note, PastError};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;

/// In the data folder: how far each schedule is.
const FOLDER: &str = "schedules";
/// Held by the one process whose schedules run.
const LOCK_FILE: &str = "lock";
/// How often it is looked at least: clocks may jump.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY_MIN: Duration = Duration::from_millis(10);

#[derive(Debug, Error)]
pub enum ScheduleError {
    #[error("cannot use `{0}`: {1}")]
    Disk(String, std::io::Error),
    #[error("`{0}` does not say how far a schedule is")]
    Unread(String),
    #[error(transparent)]
    Record(#[from] PastError),
}

/// How far a schedule is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleDone {
    /// What said when, as it was written.
    words: Str,
    /// The last moment that was looked at.
    pub at_ms: u64,
    /// The last run that it began.
    pub run: Option<Str>,
    /// Whether that is on record.
    begun: bool,
}

impl ScheduleDone {
    /// As it stands in a data folder; nothing if the schedule, as it says now, was never looked at.
    pub fn read(data: &Path, setting: &ScheduleSetting) -> Result<Option<ScheduleDone>, ScheduleError> {
        let path = place_of(data, &setting.name);
        let shown = || path.display().to_string();
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| ScheduleError::Disk(shown(), error))?,
        };
        let read = parse(&bytes, &JsonLimits::default()).ok().and_then(|value| ScheduleDone::of(&value));
        let done = read.ok_or_else(|| ScheduleError::Unread(shown()))?;
        Ok(Some(done).filter(|done| done.words == setting.words))
    }

    fn of(value: &Value) -> Option<ScheduleDone> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(Str::from);
        let Value::Int(at_ms) = value.get("at_ms")? else { return None };
        let (words, run, at_ms) = (text("words")?, text("run"), u64::try_from(*at_ms).ok()?);
        Some(ScheduleDone { words, at_ms, run, begun: value.get("begun") == Some(&Value::Bool(true)) })
    }

    fn write(&self, data: &Path, name: &str) -> Result<(), ScheduleError> {
        let at_ms = Value::Int(i64::try_from(self.at_ms).unwrap_or(i64::MAX));
        let run = self.run.clone().map_or(Value::Null, Value::Str);
        let text = to_string(&Value::map([
            ("words", Value::Str(self.words.clone())),
            ("at_ms", at_ms),
            ("run", run),
            ("begun", Value::Bool(self.begun)),
        ]));
        let path = place_of(data, name);
        write_whole(&path, text.as_bytes())
            .map_err(|error| ScheduleError::Disk(path.display().to_string(), error))
    }
}

fn place_of(data: &Path, name: &str) -> PathBuf {
    data.join(FOLDER).join(format!("{name}.json"))
}

/// The schedules of a server.
pub(crate) struct Schedules {
    doors: Arc<Doors>,
    data: PathBuf,
    audit: Audit,
    say: fn(&str),
    done: BTreeMap<Str, ScheduleDone>,
    /// What was said of a schedule last, so that it is said once.
    said: BTreeMap<Str, String>,
    /// Those whose last run was looked for.
    looked: BTreeSet<Str>,
}

impl Schedules {
    pub(crate) fn new(doors: Arc<Doors>, data: PathBuf, audit: Audit, say: fn(&str)) -> Schedules {
        let (done, said, looked) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Schedules { doors, data, audit, say, done, said, looked }
    }

    /// Runs what is due, as long as anything is let in.
    pub(crate) async fn keep(mut self) {
        let mut reloads = self.doors.reloads.subscribe();
        let mut turn: Option<File> = None;
        loop {
            let world = self.doors.world();
            if turn.is_none() && !world.setting.schedules.is_empty() {
                turn = match self.take_turn() {
                    Ok(taken) => taken,
                    Err(error) => {
                        self.says("", error.to_string());
                        None
                    }
                };
            }
            let now_ms = self.doors.now_ms();
            let mut wait = LOOK_EVERY;
            for setting in world.setting.schedules.iter().filter(|_| turn.is_some()) {
                match self.look(&world, setting, now_ms).await {
                    Ok(()) => drop(self.said.remove(&setting.name)),
                    Err(why) => self.says(&setting.name, why.to_string()),
                }
                let next = setting.after(now_ms).map(|next| Duration::from_millis(next - now_ms));
                wait = wait.min(next.unwrap_or(wait)).max(LOOK_EVERY_MIN);
            }
            drop(world);
            tokio::select! {
                () = self.doors.stopping.cancelled() => return,
                _ = reloads.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Becomes the one whose schedules run; nothing while that is another process.
    fn take_turn(&self) -> Result<Option<File>, ScheduleError> {
        let folder = self.data.join(FOLDER);
        let failed = |error| ScheduleError::Disk(folder.display().to_string(), error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let turn = File::create(folder.join(LOCK_FILE)).map_err(failed)?;
        match turn.try_lock() {
            Ok(()) => Ok(Some(turn)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn says(&mut self, name: &str, what: String) {
        if self.said.get(name) != Some(&what) {
            let of = if name.is_empty() { "schedules".to_string() } else { format!("schedule `{name}`") };
            (self.say)(&format!("{of}: {what}"));
            self.said.insert(name.into(), what);
        }
    }

    fn set(&mut self, setting: &ScheduleSetting, done: ScheduleDone) -> Result<(), ScheduleError> {
        done.write(&self.data, &setting.name)?;
        self.done.insert(setting.name.clone(), done);
        Ok(())
    }

    /// How far a schedule is. One that is new, or says something else than before, begins now.
    fn done(&mut self, setting: &ScheduleSetting, now_ms: u64) -> Result<ScheduleDone, ScheduleError> {
        if let Some(done) = self.done.get(&setting.name).filter(|done| done.words == setting.words) {
            return Ok(done.clone());
        }
        let done = match ScheduleDone::read(&self.data, setting)? {
            Some(done) => done,
            None => ScheduleDone { words: setting.words.clone(), at_ms: now_ms, run: None, begun: true },
        };
        self.set(setting, done.clone())?;
        Ok(done)
    }

    async fn look(
        &mut self,
        world: &Arc<World>,
        setting: &ScheduleSetting,
        now_ms: u64,
    ) -> Result<(), ScheduleError> {
        let mut done = self.done(setting, now_ms)?;
        if self.looked.insert(setting.name.clone())
            && let Some(run) = done.run.clone().filter(|_| !done.begun)
        {
            if let Err(error) = self.find(world, setting, &done, run).await {
                self.looked.remove(&setting.name);
                return Err(error);
            }
            done = self.done(setting, now_ms)?;
        }
        let due = setting.due(done.at_ms, now_ms);
        if let Some((from_ms, until_ms)) = due.passed {
            self.note(world, setting, "schedule-missed", (from_ms, until_ms));
            done.at_ms = until_ms;
            self.set(setting, done)?;
        }
        for at_ms in due.moments {
            let principal = world.named(&setting.subject(), "schedule");
            if !setting.beside && self.is_under_way(setting, &principal) {
                if setting.waits() {
                    return Ok(());
                }
                self.note(world, setting, "schedule-left-out", (at_ms, at_ms));
                let run = self.done.get(&setting.name).and_then(|done| done.run.clone());
                let words = setting.words.clone();
                self.set(setting, ScheduleDone { words, at_ms, run, begun: true })?;
                continue;
            }
            self.begin(world, setting, at_ms, None).await?;
        }
        Ok(())
    }

    fn is_under_way(&self, setting: &ScheduleSetting, principal: &Principal) -> bool {
        let run = self.done.get(&setting.name).and_then(|done| done.run.as_ref());
        let seen =
            run.and_then(|run| self.doors.runs.see(run, principal, &self.doors.world().setting.limits));
        seen.is_some_and(|seen| seen.ended.is_none())
    }

    /// The process before this one ended before it knew that a run had begun. What is on record is gone on with like any other.
    async fn find(
        &mut self,
        world: &Arc<World>,
        setting: &ScheduleSetting,
        done: &ScheduleDone,
        run: Str,
    ) -> Result<(), ScheduleError> {
        let (audit, wanted) = (self.audit.clone(), run.clone());
        let found = tokio::task::spawn_blocking(move || audit.past(&wanted)).await;
        match found {
            // Whose input nobody reads any more has begun as well.
            Ok(Ok(_) | Err(PastError::Erased(_))) => {
                self.set(setting, ScheduleDone { begun: true, ..done.clone() })
            }
            Ok(Err(PastError::Unrecorded(_))) => self.begin(world, setting, done.at_ms, Some(run)).await,
            Ok(Err(error)) => Err(error.into()),
            // Nobody knows; it is looked for again.
            Err(error) => Err(ScheduleError::Disk(run.to_string(), std::io::Error::other(error))),
        }
    }

    /// Begins the run of one moment, under the name that it had if it was about to begin before.
    async fn begin(
        &mut self,
        world: &Arc<World>,
        setting: &ScheduleSetting,
        at_ms: u64,
        known: Option<Str>,
    ) -> Result<(), ScheduleError> {
        let unknown = || Unrun(format!("there is no chain `{}`", setting.chain));
        let begun = match world.engine.chain(&setting.chain).ok_or_else(unknown) {
            Ok(chain) => self.start(world, setting, &chain, at_ms, known).await?,
            Err(why) => Err(why),
        };
        let run = match begun {
            Ok(run) => Some(run),
            Err(Unrun(why)) => {
                (self.say)(&format!("schedule `{}`: {why}", setting.name));
                self.note(world, setting, "schedule-left-out", (at_ms, at_ms));
                None
            }
        };
        let words = setting.words.clone();
        self.set(setting, ScheduleDone { words, at_ms, run, begun: true })
    }

    async fn start(
        &mut self,
        world: &Arc<World>,
        setting: &ScheduleSetting,
        chain: &Chain,
        at_ms: u64,
        known: Option<Str>,
    ) -> Result<Result<Str, Unrun>, ScheduleError> {
        let request = match chain.request(setting.input(at_ms)) {
            Ok(request) => request,
            Err(error) => return Ok(Err(Unrun(error.to_string()))),
        };
        let request = match known {
            Some(run) => request.called(run),
            None => request,
        };
        let (run, principal) = (request.id().clone(), world.named(&setting.subject(), "schedule"));
        let words = setting.words.clone();
        self.set(setting, ScheduleDone { words, at_ms, run: Some(run.clone()), begun: false })?;
        let (limits, doors) = (world.setting.limits, self.doors.clone());
        let room = doors.runs.begin(&run, &principal, Of::plan(chain.plan()), &limits);
        let Some(cancel) = room else { return Ok(Err(Unrun("too many runs are kept".into()))) };
        let (promise, promised) = oneshot::channel();
        let request = request.principal(principal).cancel(cancel).leave(doors.leaving.clone());
        let running = request.unattended().promise(promise).run();
        let (world, name, id, say) = (world.clone(), setting.name.clone(), run.clone(), self.say);
        tokio::spawn(async move {
            let _world = world;
            let report = running.await;
            if let Err(error) = &report.result {
                say(&format!("schedule `{name}`: run {id} has no answer: {}", error.public()));
            }
            doors.runs.end(&id, told(&report));
        });
        match promised.await {
            Ok(Ok(())) => Ok(Ok(run)),
            Ok(Err(error)) => Ok(Err(Unrun(format!("its run is not on record: {error}")))),
            Err(_) => Ok(Err(Unrun("its run ended before it began".into()))),
        }
    }

    /// Moments for which nothing is run are on record, too.
    fn note(
        &mut self,
        world: &World,
        setting: &ScheduleSetting,
        kind: &'static str,
        (from_ms, until_ms): (u64, u64),
    ) {
        let number = |at_ms: u64| Value::Int(i64::try_from(at_ms).unwrap_or(i64::MAX));
        let open = vec![
            ("schedule", Value::Str(setting.name.clone())),
            ("chain", Value::Str(setting.chain.clone())),
            ("from_ms", number(from_ms)),
            ("until_ms", number(until_ms)),
        ];
        let who = DataSubject::of(&world.named(&setting.subject(), "schedule"));
        let note = Note { kind, at_ms: self.doors.now_ms(), open, who, sealed: Vec::new() };
        if let Some(Err(error)) = world.engine.recorder().map(|recorder| recorder.note(&note)) {
            self.says(&setting.name, format!("what was left out is not on record: {error}"));
        }
    }
}

/// Why nothing is run for a moment.
struct Unrun(String);
