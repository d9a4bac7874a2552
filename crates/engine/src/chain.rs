//! A chain that can be run: loaded, checked, bound to its engine, frozen.

use crate::bound::Bound;
use crate::builder::ChainBuilder;
use crate::caller::{CallerQuestion, SeatWord};
use crate::ends::run_id;
use crate::engine::Engine;
use crate::journal::{Past, session_of, tags_of};
use crate::kinds;
use crate::recorder::RecordError;
use crate::run::{self, RunError};
use crate::watch::Watch;
use ringmail_core::chain::walk::Stop;
use ringmail_core::chain::{Detail, Link, Plan};
use ringmail_core::gate::Answer;
use ringmail_core::json::{IntoValue, into_serde};
use ringmail_core::label::{Label, Labels, OriginTable, TagTable, Tags};
use ringmail_core::policy::Principal;
use ringmail_core::trail::{Event, Stage};
use ringmail_core::value::{Str, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// A chain ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Chain {
    pub(crate) engine: Engine,
    pub(crate) bound: Arc<Bound>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({})", self.plan().name)
    }
}

impl Chain {
    /// Starts a chain built in Rust.
    pub fn builder(name: &str) -> ChainBuilder {
        ChainBuilder::new(name)
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.bound.plan
    }

    /// Whether a run of it may wait for persons, in its own links or in those of chains it calls.
    pub fn asks_persons(&self) -> bool {
        self.has(|link| matches!(link.detail, Detail::Approve(_)))
    }

    /// Whether a run of it may wait for persons, for its caller or for a moment.
    pub fn may_wait(&self) -> bool {
        self.has(|link| kinds::waits(link.kind))
    }

    /// Whether there is such a link among its own, or those of chains it calls.
    fn has(&self, fits: impl Fn(&Link) -> bool) -> bool {
        let mut known: BTreeSet<Str> = BTreeSet::from([self.plan().name.clone()]);
        let mut all = vec![self.plan().clone()];
        while let Some(plan) = all.pop() {
            for link in &plan.links {
                if fits(link) {
                    return true;
                }
                all.extend(link.bodies().into_iter().cloned());
            }
            for (name, _) in plan.calls() {
                if known.insert(name.clone()) {
                    all.extend(self.engine.chain(&name).map(|chain| chain.plan().clone()));
                }
            }
        }
        false
    }

    pub fn name(&self) -> &str {
        &self.plan().name
    }

    /// Runs the chain for the embedding program and waits for its output.
    pub async fn run(&self, input: impl IntoValue) -> Result<Output, RunError> {
        self.request(input)?.run().await.output()
    }

    /// A run with everything about it settable.
    pub fn request(&self, input: impl IntoValue) -> Result<Request, RunError> {
        let input = input.into_value().map_err(RunError::Input)?;
        let nonce = self.engine.0.next_nonce();
        Ok(Request {
            id: run_id(self.engine.0.clock.now_ms(), nonce),
            nonce,
            chain: self.clone(),
            input,
            principal: Principal::host(),
            session: Session::default(),
            watch: None,
            pieces: None,
            caller: None,
            seat: None,
            cancel: None,
            past: None,
            unattended: false,
            comes_back: false,
            keeps: true,
            promise: None,
            alone: false,
            replays: false,
            leave: CancellationToken::new(),
        })
    }
}

impl Chain {
    /// Goes on with a run of this chain, whose process ended before it did.
    pub fn resume(&self, past: Past) -> Request {
        let began = past.start.began.clone();
        let (counts, done) = session_of(&began.session);
        let read = tags_of(&began.session, &self.engine.0.authority.tags);
        Request {
            id: past.start.run.clone(),
            nonce: u128::from(began.nonce),
            chain: self.clone(),
            input: began.input,
            principal: began.principal,
            session: Session { counts, done, read },
            watch: None,
            pieces: None,
            caller: None,
            seat: None,
            cancel: None,
            unattended: past.start.unattended,
            comes_back: past.start.began.comes_back,
            keeps: true,
            promise: None,
            alone: false,
            replays: false,
            leave: CancellationToken::new(),
            past: Some(Box::new(past)),
        }
    }
}

/// What a caller did before this run, for policies about sequences.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) counts: BTreeMap<Str, u64>,
    pub(crate) done: BTreeSet<Str>,
    pub(crate) read: Tags,
}

/// A run about to start.
pub struct Request {
    pub(crate) id: Str,
    pub(crate) nonce: u128,
    pub(crate) chain: Chain,
    pub(crate) input: Value,
    pub(crate) principal: Principal,
    pub(crate) session: Session,
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) pieces: Option<mpsc::Sender<Value>>,
    pub(crate) caller: Option<mpsc::Sender<CallerQuestion>>,
    pub(crate) seat: Option<mpsc::UnboundedSender<SeatWord>>,
    pub(crate) cancel: Option<CancellationToken>,
    pub(crate) past: Option<Box<Past>>,
    pub(crate) unattended: bool,
    pub(crate) comes_back: bool,
    pub(crate) keeps: bool,
    pub(crate) promise: Option<Promise>,
    pub(crate) alone: bool,
    pub(crate) replays: bool,
    pub(crate) leave: CancellationToken,
}

/// Whoever wants to know that a run is on record before it does anything.
pub(crate) type Promise = oneshot::Sender<Result<(), RecordError>>;

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} for {})", self.chain.name(), self.principal.subject)
    }
}

impl Request {
    /// What the run will be called.
    pub fn id(&self) -> &Str {
        &self.id
    }

    /// Who is calling; the embedding program unless said otherwise.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// Continues a session: what the earlier report of the same caller did counts as history.
    #[must_use]
    pub fn after(mut self, earlier: &Report) -> Self {
        self.session = earlier.session();
        self
    }

    /// Looks on while the run happens.
    #[must_use]
    pub fn watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Receives the pieces of the link the chain streams, as they come. A slow receiver slows the link down.
    #[must_use]
    pub fn pieces(mut self, pieces: mpsc::Sender<Value>) -> Self {
        self.pieces = Some(pieces);
        self
    }

    /// Receives what links ask the caller. Nobody can be asked without it.
    #[must_use]
    pub fn caller(mut self, questions: mpsc::Sender<CallerQuestion>) -> Self {
        self.caller = Some(questions);
        self
    }

    /// Tells whenever it waits for persons or for its caller, and asks before it goes on after that.
    #[must_use]
    pub fn seat(mut self, words: mpsc::UnboundedSender<SeatWord>) -> Self {
        self.seat = Some(words);
        self
    }

    /// Whether its caller comes back for what it is asked, to a process after this one as well.
    #[must_use]
    pub fn comes_back(mut self) -> Self {
        self.comes_back = true;
        self
    }

    /// Ends the run from outside, every link of it.
    #[must_use]
    pub fn cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// Whether the run goes on by itself when its process comes back after a crash: nobody sits in front of it.
    #[must_use]
    pub fn unattended(mut self) -> Self {
        self.unattended = true;
        self
    }

    /// Leaves the run open where it would wait for persons, for whoever resumes it.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// A run that was given its name before, and never began.
    #[must_use]
    pub fn called(mut self, id: Str) -> Self {
        self.id = id;
        self
    }

    /// Keeps nothing of what the run carries, so that nobody can go on with it.
    pub(crate) fn unkept(mut self) -> Self {
        self.keeps = false;
        self
    }

    pub(crate) fn replayed(mut self) -> Self {
        self.replays = true;
        self
    }

    /// Leaves the run open, once this is cancelled, as soon as it waits for a moment or for persons.
    #[must_use]
    pub fn leave(mut self, leave: CancellationToken) -> Self {
        self.leave = leave;
        self
    }

    /// Tells as soon as a crash can no longer lose the run.
    #[must_use]
    pub fn promise(mut self, told: oneshot::Sender<Result<(), RecordError>>) -> Self {
        self.promise = Some(told);
        self
    }

    /// Runs to the end. Dropping the future cancels the run.
    pub fn run(self) -> impl Future<Output = Report> + Send {
        run::run(self)
    }
}

/// How a run ended, with its trail.
#[derive(Debug)]
pub struct Report {
    pub run: Str,
    pub result: Result<Answer, RunError>,
    pub trail: Vec<Event>,
    pub(crate) session: Session,
    pub(crate) names: Names,
}

/// The names behind the labels of one run.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) tags: Arc<RwLock<ringmail_core::label::TagTable>>,
    pub(crate) origins: ringmail_core::label::OriginTable,
}

impl Report {
    /// What a next run of the same caller has as its history.
    fn session(&self) -> Session {
        let mut session = self.session.clone();
        for event in self.trail.iter().filter(|event| matches!(event.stage, Stage::Admitted { .. })) {
            *session.counts.entry(event.link.clone()).or_default() += 1;
        }
        let done = self.trail.iter().filter(|event| event.stage.is_done());
        session.done.extend(done.map(|event| event.link.clone()));
        session
    }

    pub fn output(self) -> Result<Output, RunError> {
        self.result.map(|answer| Output(answer.value().clone()))
    }

    /// The labels of the output by path, in words.
    pub fn labels(&self) -> Vec<(String, String)> {
        let Ok(answer) = &self.result else { return Vec::new() };
        self.label_words(&answer.labeled().labels)
    }

    fn label_words(&self, labels: &Labels) -> Vec<(String, String)> {
        let paths = labels.paths().into_iter();
        let Ok(tags) = self.names.tags.read() else { return Vec::new() };
        let words = |label| words(label, &tags, &self.names.origins);
        paths.map(|(path, label)| (ringmail_core::value::path_text(&path), words(label))).collect()
    }
}

/// A label as persons read it.
pub(crate) fn words(label: Label, tags: &TagTable, origins: &OriginTable) -> String {
    let mut words = vec![if label.untrusted { "untrusted".to_string() } else { "trusted".to_string() }];
    words.extend(tags.names(label.tags).iter().map(|tag| tag.to_string()));
    let origins = origins.names(label.origins);
    if !origins.is_empty() {
        words.push(format!("from {}", origins.join(", ")));
    }
    words.join(" · ")
}

/// What a chain answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Output(pub(crate) Value);

impl Output {
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The output as a Rust type.
    pub fn get<T: serde::de::DeserializeOwned>(&self) -> Result<T, RunError> {
        into_serde(&self.0).map_err(|message| {
            RunError::Input(ringmail_core::failure::Failure::new(
                ringmail_core::failure::FailureKind::Invalid,
                message,
            ))
        })
    }
}

impl From<Stop> for RunError {
    fn from(stop: Stop) -> RunError {
        match stop {
            Stop::Refused(refusal) => RunError::Refused(refusal),
            Stop::Failed { link, failure } => RunError::Failed { link, failure },
        }
    }
}
