//! The way of a run. [`attempt`] shows the order every call takes: gate, middleware, intent, link, gate. Nothing else
//! in this crate calls a link.

use crate::bound::{Bound, BoundLink};
use crate::chain::{Promise, Report, Request};
use crate::ends::{Abandoned, begin, end, entry_error};
use crate::kinds::Call;
use crate::middleware::cache::{Earlier, Key};
use crate::middleware::{CallView, End, caught};
use crate::pieces::Pieces;
use crate::recorder::Intent;
use crate::running::{Running, panicked};
use crate::shared::{Shared, aside};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ringmail_core::chain::walk::{Frame, Next, Outcome, Ready, Stop, Told, Walk};
use ringmail_core::chain::{Link, Plan};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Admitted, Answer, Blocked, Due, Left, Redirect, Released, Unchecked};
use ringmail_core::label::{Label, Labeled, Tags};
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value};
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;

/// Why a run has no output.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RunError {
    #[error("{0}")]
    Refused(Box<Refusal>),
    #[error("`{link}` failed: {failure}")]
    Failed { link: Str, failure: Failure },
    #[error("{0}")]
    Input(Failure),
    #[error("the run was cancelled")]
    Cancelled,
    /// It is not over: somebody has to say what happened.
    #[error("{0}")]
    InDoubt(Box<Refusal>),
    /// It is not over: it goes on when it is resumed.
    #[error("the run waits")]
    Left,
}

impl RunError {
    /// What whoever runs the host can be told.
    pub(crate) fn told(self) -> String {
        match self {
            RunError::Refused(refusal) => refusal.message,
            other => other.to_string(),
        }
    }

    /// What a caller who may not look inside can be told.
    pub fn public(&self) -> &'static str {
        match self {
            RunError::Refused(_) => "refused",
            RunError::Failed { failure, .. } | RunError::Input(failure) => failure.kind.public(),
            RunError::Cancelled => FailureKind::Cancelled.public(),
            RunError::InDoubt(_) => "it is not known whether something happened",
            RunError::Left => "it goes on later",
        }
    }
}

/// Where a pass stands: in which chain, how deep, called by whom.
#[derive(Clone)]
pub(crate) struct Way(Arc<Place>);

pub(crate) struct Place {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bound: Arc<Bound>,
    depth: u64,
    callers: Option<Arc<Caller>>,
    /// Which pass of the run it is: the calls of links that stand beside each other in it have one name each.
    pub(crate) path: Str,
    /// Set where whoever started this pass goes on, another way, when it fails.
    watched: Option<Told>,
    /// What pieces of this pass's stream link carry besides their own label; nothing if nobody listens to them.
    streams: Option<Label>,
}

impl Deref for Way {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

struct Caller {
    link: Str,
    before: Option<Arc<Caller>>,
}

/// Runs a request from its entry to its answer.
pub(crate) async fn run(request: Request) -> Report {
    let mut request = request;
    let promise = request.promise.take();
    let (way, input) = begin(request);
    let mut guard = Abandoned(Some(way.shared.clone()));
    let result = whole(&way, input, promise).await;
    guard.0 = None;
    end(&way.shared, result).await
}

/// Walks a request over what is on record; answers where that ends, too.
pub(crate) async fn replay(request: Request) -> (Report, Option<Str>) {
    let (way, input) = begin(request);
    let result = whole(&way, input, None).await;
    let beyond = way.shared.beyond.get().cloned();
    (end(&way.shared, result).await, beyond)
}

/// One run from gate to gate, within its time and until it is cancelled.
async fn whole(way: &Way, input: Value, promise: Option<Promise>) -> Result<Answer, RunError> {
    let shared = &way.shared;
    let plan = way.bound.plan.clone();
    let moment = shared.moment();
    let authority = &shared.engine.authority;
    let entered = aside(input.bytes(), || gate::enter(&plan, input, &mut shared.facts(), authority, moment));
    shared.note();
    if let Some(promise) = promise {
        // What is known of the input says how long it is kept. Whoever asked may have gone.
        let _unheard = promise.send(shared.begun().await);
    }
    let entered = entered.map_err(entry_error)?;
    let walk = Walk::begin(entered, shared.facts.clone(), &shared.engine.placeholders);
    let left = within(way, pass(way.clone(), walk)).await?;
    let moment = shared.moment();
    let bytes = left.labeled().value.bytes();
    let answer = aside(bytes, || gate::respond(&plan, left, &mut shared.facts(), authority, moment));
    shared.note();
    answer.map_err(RunError::Refused)
}

/// A pass that is cancelled from outside, or out of time, ends there.
async fn within(way: &Way, mut pass: Pass) -> Result<Left, RunError> {
    let (shared, plan) = (&way.shared, &way.bound.plan);
    if !shared.cancel.is_cancelled() {
        // Most runs end without waiting, and should pay for neither a timer nor an ear for the cancellation.
        let first = poll_fn(|cx| Poll::Ready(pass.as_mut().poll(cx))).await;
        if let Poll::Ready(ended) = first {
            return Ok(ended?);
        }
    }
    // Whoever looks while it waits finds it.
    shared.write_on();
    Box::pin(async {
        tokio::select! {
            biased;
            () = shared.leaving.cancelled() => Err(match shared.left.get() {
                Some(Some(doubt)) => RunError::InDoubt(doubt.clone()),
                _ => RunError::Left,
            }),
            () = shared.cancel.cancelled() => {
                shared.record(&plan.name, Stage::Cancelled);
                Err(RunError::Cancelled)
            }
            ended = pass => Ok(ended?),
            () = shared.time_is_over() => Err(shared.out_of_time(plan).into()),
        }
    })
    .await
}

type Pass = Pin<Box<dyn Future<Output = Result<Left, Stop>> + Send>>;

/// Walks one plan: starts what is ready, takes in what has ended, until nothing is left.
pub(crate) fn pass(way: Way, walk: Walk) -> Pass {
    let mut walk = walk.watched(way.watched.clone());
    Box::pin(async move {
        let mut flight = Flight::default();
        loop {
            match walk.step() {
                Some(Next::Call(ready)) => {
                    let frame = way.frame(&walk, ready.link());
                    if walk.has_more() || flight.is_under_way() {
                        flight.push(apart(way.clone(), ready, frame));
                    } else {
                        // A single call needs no place of its own.
                        let (at, outcome) = hop(&way, ready, frame).await;
                        way.settle(&mut walk, at, outcome)?;
                    }
                }
                Some(Next::Skipped(at, why)) => way.record(at, Stage::Skipped(why)),
                Some(Next::Failed(at, failure)) => {
                    way.record(at, Stage::Failed { failure: failure.told().into(), attempt: 0 });
                    let untrusted = Label { untrusted: true, ..Label::BOTTOM };
                    way.settle(&mut walk, at, Outcome::Failed(failure, untrusted))?;
                }
                None => match flight.next().await {
                    Some((at, outcome)) => way.settle(&mut walk, at, outcome)?,
                    None => return gate::leave(&walk),
                },
            }
        }
    })
}

fn apart(way: Way, ready: Ready, frame: Option<Arc<Frame>>) -> Flying {
    Box::pin(async move { hop(&way, ready, frame).await })
}

/// The order of one call, and the only place where a link is called.
async fn attempt(way: &Way, ready: Ready, asked: &Asked) -> Result<Released, Blocked> {
    let (link, bound) = way.link(ready.link())?;
    let mut admitted = way.admit(ready, asked.number)?;
    let due = admitted.due();
    if let Some(known) = way.known(link, &admitted).await {
        return way.release(due, way.reuse(link, known?));
    }
    way.before(link, bound, &admitted, asked)?;
    let earlier =
        if bound.remembers() { Box::pin(way.earlier(bound, &admitted, asked)).await? } else { None };
    if let Some(Earlier::Hit(hit)) = earlier {
        let hit = Ok(hit);
        way.keep(link, &hit, false);
        return way.release(due, way.reuse(link, hit?));
    }
    if admitted.has_effect() && !way.shared.replays {
        Box::pin(way.intend(link, &admitted, asked)).await?;
    }
    let (found, acts) = (admitted.found(), admitted.has_effect());
    let ended = way.call(link, bound, admitted, asked).await;
    way.keep(link, &ended, acts);
    let released = ended.map_err(|ended| cut_short(link, ended.labelled(found))).and_then(|unchecked| {
        keep(earlier, &unchecked);
        way.release(due, unchecked)
    });
    if acts {
        // The sooner it is known, the less stays in doubt.
        way.shared.write_on();
    }
    released
}

/// A pass that took too long may have done so by anything that it came to know.
fn cut_short(link: &Link, ended: Blocked) -> Blocked {
    match &ended {
        Blocked::Failed(failure)
            if failure.kind == FailureKind::Timeout && link.is_pass() && link.timeout_ms.is_some() =>
        {
            ended.labelled(Label { untrusted: true, tags: Tags::ALL, ..Label::BOTTOM })
        }
        _ => ended,
    }
}

/// What is the same for all layers of one attempt.
struct Asked {
    number: u32,
    /// For middleware; nothing where there is none.
    started: Option<Instant>,
    /// For links that are more than a call.
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    key: Option<Key>,
    frame: Option<Arc<Frame>>,
}

impl Asked {
    fn key(&self) -> Option<&Key> {
        self.more.as_ref()?.key.as_ref()
    }

    fn frame(&self) -> Option<&Arc<Frame>> {
        self.more.as_ref()?.frame.as_ref()
    }
}

fn keep(earlier: Option<Earlier>, unchecked: &Unchecked) {
    if let Some(Earlier::Mine(claim)) = earlier {
        claim.keep(unchecked);
    }
}

/// Calls that run beside each other; most chains never have any.
#[derive(Default)]
struct Flight(Option<FuturesUnordered<Flying>>);

impl Flight {
    fn push(&mut self, call: Flying) {
        self.0.get_or_insert_default().push(call);
    }

    fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    async fn next(&mut self) -> Option<Ended> {
        let ended = self.0.as_mut()?.next().await;
        self.0.take_if(|flight| flight.is_empty());
        ended
    }
}

type Ended = (usize, Outcome);
type Flying = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// One call of a link as the chain sees it.
async fn hop(way: &Way, ready: Ready, frame: Option<Arc<Frame>>) -> Ended {
    let at = ready.link();
    let Some((link, bound)) = way.bound.link(at) else {
        let failure = Failure::new(FailureKind::Invalid, "the plan has no such link");
        return (at, Outcome::Failed(Box::new(failure), Label::BOTTOM));
    };
    if !bound.plain {
        return (at, Box::pin(attempts(way, link, bound, ready, frame)).await);
    }
    let label = ready.label();
    let more = frame.map(|frame| Box::new(More { key: None, frame: Some(frame) }));
    let asked = Asked { number: 1, started: bound.starts(), more };
    let outcome = attempt(way, ready, &asked).await;
    let outcome = if bound.middleware.is_empty() { outcome } else { way.after(link, bound, outcome, &asked) };
    let outcome = match outcome {
        Ok(released) => Outcome::Done(released),
        Err(Blocked::Refused(refusal)) => {
            way.refused(&refusal);
            Outcome::Refused(refusal, way.outside(link, label))
        }
        Err(Blocked::Failed(failure)) => {
            let label = way.outside(link, label);
            let told = failure.clone().labelled(label).told();
            way.record(at, Stage::Failed { failure: told.into(), attempt: 1 });
            Outcome::Failed(failure, label)
        }
    };
    (at, outcome)
}

/// Attempts of a call, pauses between them, and its fallback.
async fn attempts(
    way: &Way,
    link: &Link,
    bound: &BoundLink,
    ready: Ready,
    frame: Option<Arc<Frame>>,
) -> Outcome {
    let at = ready.link();
    let label = way.outside(link, ready.label());
    let (key, ready) = match once_key(way, link, frame.as_deref(), &ready) {
        // The key decides whether there is an effect, and the other side sees its digest.
        Ok(Some((key, read))) => (Some(key), ready.decided(read)),
        Ok(None) => (None, ready),
        Err(failure) => return Outcome::Failed(Box::new(failure), label),
    };
    let _slot = match &bound.slots {
        Some(slots) => slots.acquire().await.ok(),
        None => None,
    };
    let more = Some(Box::new(More { key, frame: frame.clone() }));
    let (mut ready, mut label) = (ready, label);
    let mut asked = Asked { number: 1, started: bound.starts(), more };
    loop {
        way.shared.moment();
        let outcome = attempt(way, ready.clone(), &asked).await;
        match way.after(link, bound, outcome, &asked) {
            Ok(released) => return Outcome::Done(released),
            Err(Blocked::Refused(refusal)) => {
                way.refused(&refusal);
                return Outcome::Refused(refusal, label);
            }
            Err(Blocked::Failed(failure)) => {
                label = label.join(failure.label);
                let told = failure.clone().labelled(label).told();
                way.record(at, Stage::Failed { failure: told.into(), attempt: asked.number });
                if asked.number >= link.retry.attempts || !link.retry.on.contains(&failure.kind) {
                    return way.fall_back(at, link, failure, label, frame.as_deref());
                }
                way.pause(at, link, asked.number).await;
                // That it is tried again was decided by what failed.
                ready = ready.decided(failure.label);
                asked.number += 1;
                asked.started = bound.starts();
            }
        }
    }
}

/// The idempotency key of a call, bound to link and tenant.
fn once_key(
    way: &Way,
    link: &Link,
    frame: Option<&Frame>,
    ready: &Ready,
) -> Result<Option<(Key, Label)>, Failure> {
    let (Some(template), Some(frame)) = (&link.idempotency_key, frame) else { return Ok(None) };
    let filled = frame.fill(template)?;
    let text = ringmail_core::expr::text_of(&filled.value);
    if text.is_empty() {
        return Err(Failure::new(FailureKind::Invalid, "the idempotency key is empty"));
    }
    let tenant = way.shared.facts().principal.tenant.clone();
    Ok(Some((Key::once(tenant, &link.full, &text, ready.args(), ready.label()), filled.labels.all())))
}

impl Way {
    /// The way of a run's own chain.
    pub(crate) fn first(shared: Arc<Shared>, bound: Arc<Bound>) -> Way {
        let streams = Some(Label::BOTTOM);
        Way(Arc::new(Place {
            shared,
            bound,
            depth: 1,
            callers: None,
            path: Str::default(),
            watched: None,
            streams,
        }))
    }

    /// The way into a body of a link.
    pub(crate) fn to_body(&self, link: &Link, body: Arc<Bound>) -> Way {
        Way(Arc::new(Place {
            shared: self.shared.clone(),
            bound: body,
            depth: self.depth,
            callers: self.callers.clone(),
            path: self.path.clone(),
            watched: self.watched_by(link),
            streams: None,
        }))
    }

    /// The way of one item of many, which may stand beside the others.
    pub(crate) fn to_item(&self, link: &Str, index: usize) -> Way {
        Way(Arc::new(Place {
            shared: self.shared.clone(),
            bound: self.bound.clone(),
            depth: self.depth,
            callers: self.callers.clone(),
            path: format!("{}{link}[{index}]/", self.path).into(),
            watched: self.watched.clone(),
            streams: None,
        }))
    }

    /// The way of what a guest asks. What its end tells is in the answer's label, or the failure's.
    pub(crate) fn to_ask(&self, body: Arc<Bound>) -> Way {
        Way(Arc::new(Place {
            shared: self.shared.clone(),
            bound: body,
            depth: self.depth,
            callers: self.callers.clone(),
            path: self.path.clone(),
            watched: self.watched.clone(),
            streams: None,
        }))
    }

    /// Lets whatever stands under the same watch know what has been learnt.
    pub(crate) fn tell(&self, label: Label) {
        if let Some(watched) = &self.watched {
            let mut told = watched.lock().unwrap_or_else(PoisonError::into_inner);
            *told = told.join(label);
        }
    }

    /// Counts what a guest hands out against the bytes of the run.
    pub(crate) fn spend(&self, link: &Str, call: &Labeled) -> Result<(), Blocked> {
        gate::spend(link, call, &mut self.shared.facts()).map_err(Blocked::Refused)
    }

    /// Counts what a pass hands out while the link that made it still runs.
    pub(crate) fn hold(&self, link: &Str, left: &Left) -> Result<(), Blocked> {
        gate::hold(link, left, &mut self.shared.facts()).map_err(Blocked::Refused)
    }

    /// All that stands under one watched link shares what it knows.
    fn watched_by(&self, link: &Link) -> Option<Told> {
        self.watched.clone().or_else(|| link.may_go_on().then(Told::default))
    }

    /// The way into another chain, called by this link.
    pub(crate) fn to_chain(&self, link: &Link, bound: Arc<Bound>) -> Way {
        let plan = &self.bound.plan;
        let streamed =
            plan.stream.and_then(|at| plan.link(at)).is_some_and(|streamed| streamed.full == link.full);
        let streams = self.streams.filter(|_| streamed).map(|label| label.join(returned(plan, link)));
        let caller = Caller { link: link.full.clone(), before: self.callers.clone() };
        Way(Arc::new(Place {
            shared: self.shared.clone(),
            bound,
            depth: self.depth + 1,
            callers: Some(Arc::new(caller)),
            path: format!("{}{}/", self.path, link.full).into(),
            watched: self.watched_by(link),
            streams,
        }))
    }

    pub(crate) fn depth(&self) -> u64 {
        self.depth
    }

    /// How often this link already stands in the line of callers.
    pub(crate) fn nested(&self, link: &Str) -> u64 {
        let mut count = 0;
        let mut at = &self.callers;
        while let Some(caller) = at {
            count += u64::from(caller.link == *link);
            at = &caller.before;
        }
        count
    }

    pub(crate) fn link(&self, at: usize) -> Result<(&Link, &BoundLink), Blocked> {
        self.bound
            .link(at)
            .ok_or_else(|| Failure::new(FailureKind::Invalid, "the plan has no such link").into())
    }

    fn frame(&self, walk: &Walk, at: usize) -> Option<Arc<Frame>> {
        self.bound.links.get(at).filter(|link| link.needs_frame).map(|_| Arc::new(walk.frame(at)))
    }

    fn record(&self, at: usize, stage: Stage) {
        if let Some(link) = self.bound.plan.link(at) {
            self.shared.record(&link.full, stage);
        }
    }

    fn settle(&self, walk: &mut Walk, at: usize, outcome: Outcome) -> Result<(), Stop> {
        if let Some(target) = walk.settle(at, outcome)? {
            let target = self.bound.plan.link(target).map_or_else(|| "".into(), |link| link.full.clone());
            self.record(at, Stage::Took { target });
        }
        Ok(())
    }

    fn admit(&self, ready: Ready, number: u32) -> Result<Admitted, Blocked> {
        let shared = &self.shared;
        let moment = shared.latest();
        let authority = &shared.engine.authority;
        let answer = aside(ready.bytes(), || {
            gate::admit(&self.bound.plan, ready, number, &mut shared.facts(), authority, moment)
        });
        shared.note();
        answer.map_err(Blocked::Refused)
    }

    fn release(&self, due: Due, unchecked: Unchecked) -> Result<Released, Blocked> {
        let moment = self.shared.moment();
        let shared = &self.shared;
        let authority = &shared.engine.authority;
        let answer = aside(unchecked.bytes(), || {
            gate::release(&self.bound.plan, due, unchecked, &mut shared.facts(), authority, moment)
        });
        self.shared.note();
        answer
    }

    fn call(&self, link: &Link, bound: &BoundLink, admitted: Admitted, asked: &Asked) -> Running {
        let (key, frame) = (asked.key().map(Key::name), asked.frame().cloned());
        let call = Call { admitted, key, frame };
        // A native closure may panic before there is a future to poll.
        let called = catch_unwind(AssertUnwindSafe(|| bound.runner.call(self, link, call)))
            .unwrap_or_else(|panic| Box::pin(std::future::ready(Err(panicked(&*panic)))));
        Running::new(called, link.timeout_ms)
    }

    /// An effect's intent is durable before it runs; without a recorder no effect runs.
    /// What a redirect asks for passes the gate like any call, and its intent is recorded like any other.
    pub(crate) async fn admit_again(
        &self,
        link: &Link,
        admitted: Admitted,
        redirect: &Redirect<'_>,
    ) -> Result<Admitted, Blocked> {
        let ready = admitted.redirected(link, redirect, &mut self.shared.facts());
        let asked = Asked { number: 1, started: None, more: None };
        let admitted = self.admit(ready, asked.number)?;
        if admitted.has_effect() {
            self.intend(link, &admitted, &asked).await?;
        }
        Ok(admitted)
    }

    async fn intend(&self, link: &Link, admitted: &Admitted, asked: &Asked) -> Result<(), Blocked> {
        let (at, kind, repeatable, link) = (self.at(link), link.kind.name, link.repeatable, &link.full);
        let refuse = |rule, message: String| Blocked::from(Refusal::new(rule, link, message));
        let Some(recorder) = &self.shared.engine.recorder else {
            return Err(refuse(Rule::NoRecorder, "the engine has no recorder, and effects need one".into()));
        };
        let mut intent = self.intent(at, link, kind, admitted, asked);
        intent.once &= !repeatable;
        let recorded = match self.shared.write(Some(&intent), false) {
            Some(Ok(mark)) => recorder.durable(mark).await,
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Err(error) = recorded {
            let failed = Stage::Failed { failure: error.to_string().into(), attempt: asked.number };
            self.shared.record(link, failed);
            return Err(refuse(Rule::RecordFailed, "the intent could not be recorded".into()));
        }
        let sink = admitted.sinks().first().map_or_else(|| link.clone(), |sink| sink.as_str().into());
        self.shared.record(link, Stage::Intended { sink });
        Ok(())
    }

    fn intent(&self, at: Str, link: &Str, kind: &'static str, admitted: &Admitted, asked: &Asked) -> Intent {
        let shared = &self.shared;
        let now_ms = shared.moment().now_ms;
        let label = admitted.labels().all().join(admitted.decision());
        let tags = shared.engine.authority.tags.read().map(|tags| tags.names(label.tags)).unwrap_or_default();
        let facts = shared.facts();
        Intent {
            link: link.clone(),
            at,
            kind,
            acts: admitted.is_consequential(),
            once: admitted.is_consequential(),
            attempt: asked.number,
            sinks: admitted.sinks().to_vec(),
            args_digest: aside(admitted.args().bytes(), || crate::middleware::cache::digest(admitted.args())),
            idempotency_key: asked.key().map(Key::name),
            tags,
            origins: facts.origins.names(label.origins),
            act: admitted.act().map(|act| shared.engine.key.sign(&shared.id, act, now_ms)),
            at_ms: now_ms,
        }
    }

    /// A result of an earlier call that may stand for this one, or the right to make it.
    async fn earlier(
        &self,
        bound: &BoundLink,
        admitted: &Admitted,
        asked: &Asked,
    ) -> Result<Option<Earlier>, Blocked> {
        let (results, key) = match (&bound.once, asked.key(), &bound.cache) {
            (Some(once), Some(key), _) => (once, key.clone()),
            (_, _, Some(cache)) => {
                (cache, Key::cached(self.shared.facts().principal.tenant.clone(), admitted))
            }
            _ => return Ok(None),
        };
        results.claim(key).await.map(Some).map_err(Blocked::from)
    }

    fn reuse(&self, link: &Link, hit: Unchecked) -> Unchecked {
        self.shared.record(&link.full, Stage::Reused);
        hit
    }

    fn before(
        &self,
        link: &Link,
        bound: &BoundLink,
        admitted: &Admitted,
        asked: &Asked,
    ) -> Result<(), Blocked> {
        if bound.middleware.is_empty() {
            return Ok(());
        }
        let view = CallView::new(link, &self.shared, asked.number, asked.started, Some(admitted));
        for (name, middleware) in &bound.middleware {
            if let Err(why) = caught(name, || middleware.before(&view)) {
                if middleware.is_guard() {
                    return Err(Failure::new(FailureKind::Guard, why).into());
                }
                self.shared.record(&link.full, Stage::MiddlewareFailed { middleware: why.into() });
            }
        }
        Ok(())
    }

    /// Lets middleware see the end, innermost first; only a guard can change it.
    fn after(
        &self,
        link: &Link,
        bound: &BoundLink,
        outcome: Result<Released, Blocked>,
        asked: &Asked,
    ) -> Result<Released, Blocked> {
        let mut outcome = outcome;
        for (name, middleware) in bound.middleware.iter().rev() {
            let view = CallView::new(link, &self.shared, asked.number, asked.started, None);
            let seen = caught(name, || middleware.after(&view, &End::of(&outcome)));
            match seen {
                Ok(()) => {}
                Err(why) if middleware.is_guard() => {
                    // It has seen how the call ended.
                    let told = match &outcome {
                        Ok(released) => released.labeled().labels.all(),
                        Err(Blocked::Refused(refusal)) => refusal.label,
                        Err(Blocked::Failed(failure)) => failure.label,
                    };
                    outcome = Err(Failure::new(FailureKind::Guard, why).labelled(told).into())
                }
                Err(why) => {
                    self.shared.record(&link.full, Stage::MiddlewareFailed { middleware: why.into() })
                }
            }
        }
        outcome
    }

    /// A gate records its own refusals; one that came about later is recorded here. If the gate just said no, that is
    /// the last that was heard of the link.
    fn refused(&self, refusal: &Refusal) {
        let recorded = {
            let facts = self.shared.facts();
            let last = facts.trail().iter().rev().find(|event| event.link == refusal.link);
            last.is_some_and(|event| matches!(&event.stage, Stage::Refused(known) if known.is_same(refusal)))
        };
        if !recorded {
            self.shared.record(&refusal.link, Stage::Refused(Box::new(refusal.clone())));
        }
    }

    /// What the end of a call may tell: all it was given, and what the outside answered.
    fn outside(&self, link: &Link, label: Label) -> Label {
        if !link.kind.source {
            return label;
        }
        let origins = self.shared.facts().origins.intern(&link.full);
        let tags = self.shared.engine.authority.grants.effective(&link.power).source_tags(link.kind.reach).1;
        label.join(Label { untrusted: true, origins, tags, ..Label::BOTTOM })
    }

    fn fall_back(
        &self,
        at: usize,
        link: &Link,
        failure: Box<Failure>,
        label: Label,
        frame: Option<&Frame>,
    ) -> Outcome {
        let (Some(template), Some(frame)) = (&link.fallback, frame) else {
            return Outcome::Failed(failure, label);
        };
        let moment = self.shared.moment();
        let released = frame.fill(template).map_err(Blocked::from).and_then(|filled: Labeled| {
            gate::fall_back(&self.bound.plan, at, filled, label, &mut self.shared.facts(), moment)
        });
        self.shared.note();
        match released {
            Ok(released) => Outcome::Done(released),
            Err(Blocked::Refused(refusal)) => Outcome::Refused(refusal, label),
            Err(Blocked::Failed(failure)) => Outcome::Failed(failure, label),
        }
    }

    async fn pause(&self, at: usize, link: &Link, number: u32) {
        let doubled = link.retry.backoff_ms.saturating_mul(1_u64.checked_shl(number - 1).unwrap_or(u64::MAX));
        let longest = doubled.min(link.retry.backoff_ms_max);
        let pause_ms = match crate::engine::random() {
            Some(random) if link.retry.jitter => {
                u64::try_from(random % u128::from(longest + 1)).unwrap_or(longest)
            }
            _ => longest,
        };
        self.record(at, Stage::Retrying { pause_ms });
        if self.shared.replays {
            return;
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }

    /// Where the pieces of a link go, if anywhere.
    pub(crate) fn pieces(&self, admitted: &Admitted, tags: Tags) -> Pieces {
        let plan = &self.bound.plan;
        let at = admitted.position();
        let (Some(label), Some(link)) = (self.streams.filter(|_| plan.stream == Some(at)), plan.link(at))
        else {
            return Pieces::none();
        };
        // A piece is judged before the whole is there, so it carries whatever the schemas may put on any part of it.
        let label = label.join(returned(plan, link)).join(admitted.output_label());
        let label = Label { tags: label.tags.with(tags), ..label };
        Pieces::new(self.shared.clone(), label)
    }
}

/// What the schemas of a link's and its chain's output may add.
fn returned(plan: &Plan, link: &Link) -> Label {
    let schemas = link.promises().chain(&plan.returns);
    schemas.fold(Label::BOTTOM, |label, schema| label.join(schema.may_labels().all()))
}
