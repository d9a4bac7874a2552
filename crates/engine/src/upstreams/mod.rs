//! Servers of MCP that links call. One session for each principal, never shared; what a server says it offers is held
//! against what was pinned before any of it is called. Takes permits, not names.

mod look;
mod message;
mod open;
mod pipe;
mod rest;
mod served;
mod web;

use crate::circuit::Circuit;
use crate::engine::Inner;
use crate::pieces::Pieces;
use open::Session;
use ringmail_core::doc::{Problems, Source, yaml};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, ToolPermit};
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::label::{Label, TagTable, Tags};
use ringmail_core::offer::Offered;
use ringmail_core::upstream::{Upstream, UpstreamAt, UpstreamSetting, pins_file};
use ringmail_core::value::{Str, Value};
pub(crate) use served::Served;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use web::Through;

/// Whose session it is.
type Who = (Str, Option<Str>);

/// The servers of a project, by name.
#[derive(Default)]
pub(crate) struct Upstreams {
    known: BTreeMap<Str, Arc<Upstream>>,
    lines: BTreeMap<Str, Line>,
}

/// What is open to one server.
#[derive(Default)]
struct Line {
    seats: Arc<Mutex<BTreeMap<Who, Arc<Seat>>>>,
    /// By what is called; lists have no name.
    circuits: Mutex<BTreeMap<Option<Str>, Arc<Circuit>>>,
}

/// One principal's place, and its session once there is one.
struct Seat {
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
    busy: AtomicUsize,
    used: Mutex<Instant>,
}

/// A call in somebody's seat.
struct Seated(Arc<Seat>);

impl Drop for Seated {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call of something that a server offers.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) args: &'a Value,
    /// Not the call, but what its arguments may be.
    pub(crate) completes: bool,
    pub(crate) pieces: Option<&'a Pieces>,
}

/// What is asked of a server.
struct Ask<'a> {
    method: &'static str,
    /// What it is about, as heads of requests say it, too.
    name: Option<String>,
    params: Vec<(&'static str, Value)>,
    /// Heads of requests that repeat arguments.
    heads: Vec<(String, String)>,
    pieces: Option<&'a Pieces>,
}

impl Ask<'_> {
    fn of(method: &'static str, params: Vec<(&'static str, Value)>) -> Self {
        Ask { method, name: None, params, heads: Vec::new(), pieces: None }
    }

    fn params(&self, id: i64) -> Vec<(&'static str, Value)> {
        let mut params = self.params.clone();
        if self.pieces.is_some() {
            params.push(("_meta", Value::map([("progressToken", Value::Int(id))])));
        }
        params
    }
}

/// What a server answered, or the code of its error; and tags of secrets that stand in it.
struct Answer {
    result: Result<Value, i64>,
    echoed: Tags,
}

/// What a call brought.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) value: Value,
    pub(crate) echoed: Tags,
}

fn broken(message: &str) -> Failure {
    Failure::new(FailureKind::Unavailable, message)
}

/// What a server says of how far it is, without the name that the request has here.
fn progress(params: &Value) -> Value {
    let members = params.as_map().into_iter().flat_map(|map| map.iter());
    let kept = members.filter(|(name, _)| ["progress", "total", "message"].contains(&&***name));
    Value::map(kept.map(|(name, value)| (name.clone(), value.clone())))
}

/// Bytes of a file of pins, or of a document.
const PINS_BYTES_MAX: u64 = 16 << 20;

/// The servers that a project names, with what is pinned of each.
pub(crate) fn pinned(
    settings: Vec<UpstreamSetting>,
    source: &Arc<Source>,
    folder: &Path,
    tags: &mut TagTable,
) -> Result<Upstreams, Problems> {
    let mut problems = Problems::default();
    let mut all = Vec::new();
    for setting in settings {
        let span = setting.span;
        let described = match &setting.at {
            UpstreamAt::Http(http) => http.openapi.clone(),
            UpstreamAt::Command(_) => None,
        };
        let (file, read) = match described {
            Some(file) => {
                let read = read_document(folder, &file);
                (file.to_string(), read.and_then(|document| Upstream::described(setting, &document, tags)))
            }
            None => {
                let file = pins_file(&setting.name);
                let read = read_pins(&folder.join(&file));
                (file, read.and_then(|pinned| Upstream::new(setting, &pinned, tags)))
            }
        };
        match read {
            Ok(upstream) => all.push(upstream),
            Err(why) => problems.add(source, span, format!("cannot use `{file}`: {why}")),
        }
    }
    problems.or(())?;
    Ok(Upstreams::new(all))
}

/// A file of the project; nothing if there is none.
fn read(path: &Path) -> Result<Option<String>, String> {
    let length = match std::fs::metadata(path) {
        Ok(known) => known.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if length > PINS_BYTES_MAX {
        return Err(format!("it is larger than {PINS_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| error.to_string())
}

fn read_document(folder: &Path, file: &str) -> Result<Value, String> {
    let text = read(&folder.join(file))?.ok_or("there is no such file")?;
    let node = yaml::parse(&Source::new(file, text)).map_err(|problems| problems.to_string())?;
    Ok(node.to_value())
}

/// The definitions in a file of pins; none if there is no file.
fn read_pins(path: &Path) -> Result<Vec<(Offered, Value)>, String> {
    let Some(text) = read(path)? else { return Ok(Vec::new()) };
    let limits = JsonLimits { bytes_max: usize::MAX, ..JsonLimits::default() };
    let pins = parse(text.as_bytes(), &limits).map_err(|error| error.to_string())?;
    if pins.get(Offered::Tool.member()).is_none() {
        return Err("it has no list of `tools`".into());
    }
    let listed = |offer: Offered| {
        let list = pins.get(offer.member()).and_then(Value::as_list).into_iter();
        list.flat_map(|list| list.iter()).map(move |said| (offer, said.clone()))
    };
    Ok(Offered::ALL.into_iter().flat_map(listed).collect())
}

impl Upstreams {
    fn new(all: Vec<Upstream>) -> Upstreams {
        let known: BTreeMap<Str, Arc<Upstream>> =
            all.into_iter().map(|upstream| (upstream.setting.name.clone(), Arc::new(upstream))).collect();
        let lines = known.keys().map(|name| (name.clone(), Line::default())).collect();
        Upstreams { known, lines }
    }

    pub(crate) fn known(&self) -> &BTreeMap<Str, Arc<Upstream>> {
        &self.known
    }

    /// What callers of the project see of servers, each as a chain.
    pub(crate) fn served(&self) -> Vec<Served> {
        let all = self.known.values().flat_map(|upstream| {
            upstream.served().flat_map(|(name, card)| served::chains(upstream, &name, card))
        });
        all.collect()
    }

    /// Makes the call that was permitted, or asks what there is.
    pub(crate) async fn call(
        &self,
        engine: &Arc<Inner>,
        permit: &ToolPermit,
        who: Who,
        wanted: Wanted<'_>,
    ) -> Result<Brought, Blocked> {
        let setting = &permit.upstream().setting;
        let line = self.lines.get(&setting.name).ok_or_else(|| broken("there is no such server"))?;
        let circuit = line.circuit(permit.tool());
        let mut probe = circuit.probe(who.1.clone())?;
        let through = Through { engine, permit, lost: AtomicBool::new(false) };
        let limit = Duration::from_millis(setting.timeout_ms);
        let card = permit.tool().and_then(|tool| permit.upstream().cards.get(tool));
        let operation = card.and_then(|card| card.operation.as_ref());
        let seated = match operation {
            Some(_) => None,
            None => Some(line.seat(who, setting)?),
        };
        let work = async {
            match (&seated, operation) {
                (Some(seated), _) => seated.0.work(&through, wanted).await,
                (None, Some(operation)) => rest::call(&through, operation, wanted.args).await,
                (None, None) => Err(broken("there is no such tool").into()),
            }
        };
        let ended = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let message = format!("the server did not answer within {} ms", limit.as_millis());
            Err(Failure::new(FailureKind::Timeout, message).into())
        });
        let crashed = match &ended {
            // What is too large was asked for, or is somebody's own.
            Err(Blocked::Failed(failure)) => {
                matches!(failure.kind, FailureKind::Unavailable | FailureKind::Timeout)
            }
            _ => false,
        };
        probe.leave(crashed);
        if let Some(seated) = seated.filter(|_| crashed) {
            // Whatever is wrong with it, the next call begins anew.
            seated.0.session.lock().await.take();
        }
        ended.map_err(untrusted)
    }
}

/// What went wrong over there tells of what the server does.
fn untrusted(blocked: Blocked) -> Blocked {
    let told = Label { untrusted: true, ..Label::BOTTOM };
    match blocked {
        Blocked::Failed(failure) => Blocked::Failed(Box::new(failure.labelled(told))),
        refused => refused,
    }
}

impl Line {
    fn circuit(&self, tool: Option<&Str>) -> Arc<Circuit> {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        circuits.entry(tool.cloned()).or_default().clone()
    }

    /// The principal's seat; a new one takes the place of whoever has not used theirs for longest.
    fn seat(&self, who: Who, setting: &UpstreamSetting) -> Result<Seated, Failure> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = match seats.get(&who) {
            Some(seat) => seat.clone(),
            None => {
                if seats.len() >= setting.sessions_max {
                    let free = seats.iter().filter(|(_, seat)| seat.busy.load(Ordering::Relaxed) == 0);
                    let oldest = free.min_by_key(|(_, seat)| seat.last_used()).map(|(who, _)| who.clone());
                    let full = || broken("as many sessions are open to the server as there may be");
                    seats.remove(&oldest.ok_or_else(full)?);
                }
                let seat = Arc::new(Seat {
                    session: tokio::sync::Mutex::new(None),
                    busy: AtomicUsize::new(0),
                    used: Mutex::new(Instant::now()),
                });
                seats.insert(who.clone(), seat.clone());
                let idle = Duration::from_millis(setting.idle_ms);
                tokio::spawn(leave_when_idle(Arc::downgrade(&self.seats), who, Arc::downgrade(&seat), idle));
                seat
            }
        };
        seat.busy.fetch_add(1, Ordering::Relaxed);
        Ok(Seated(seat))
    }
}

/// The shortest time between two looks at whether a session is still used.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Ends a session that nobody has used for as long as it may be kept.
async fn leave_when_idle(
    seats: Weak<Mutex<BTreeMap<Who, Arc<Seat>>>>,
    who: Who,
    seat: Weak<Seat>,
    idle: Duration,
) {
    let idle = idle.max(LOOK_AGAIN);
    loop {
        let Some(until) = seat.upgrade().map(|seat| seat.last_used() + idle) else { return };
        tokio::time::sleep_until(until.into()).await;
        let (Some(seats), Some(seat)) = (seats.upgrade(), seat.upgrade()) else { return };
        let mut seats = seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seat.busy.load(Ordering::Relaxed) > 0 {
            *seat.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        } else if seat.last_used().elapsed() >= idle {
            if seats.get(&who).is_some_and(|known| Arc::ptr_eq(known, &seat)) {
                seats.remove(&who);
            }
            return;
        }
    }
}

impl Seat {
    fn last_used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self, through: &Through<'_>, wanted: Wanted<'_>) -> Result<Brought, Blocked> {
        let mut again = true;
        loop {
            let session = {
                let mut session = self.session.lock().await;
                match &*session {
                    Some(session) => session.clone(),
                    None => session.insert(Arc::new(Session::open(through).await?)).clone(),
                }
            };
            let ended = match through.permit.tool() {
                None => session.list(through).await,
                Some(name) => session.call(through, name, wanted).await,
            };
            // Who does not know the session has not taken the call, so that it may be made once more.
            if !(std::mem::take(&mut again) && through.lost.swap(false, Ordering::Relaxed)) {
                return ended;
            }
            let mut known = self.session.lock().await;
            if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &session)) {
                known.take();
            }
        }
    }
}
