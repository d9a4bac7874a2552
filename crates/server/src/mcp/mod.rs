//! MCP without a transport: a message of a proved caller in, what it is told out. A tool is a chain and is called as
//! one; nothing is decided here that a gate decides.

mod ask;
mod call;
mod complete;
pub(crate) mod era;
pub(crate) mod list;
pub(crate) mod listen;
pub(crate) mod message;
pub(crate) mod parked;
mod play;
pub(crate) mod search;
pub(crate) mod session;
mod shape;
mod stdio;
mod tasks;
mod told;

pub use stdio::serve_stdio;

use crate::caller::Caller;
use crate::calls::{Asked, Turned, turn_away};
use crate::limits::{Held, Subject};
use crate::problem::Problem;
use crate::server::Doors;
use crate::world::World;
use era::{Alone, Level, META_SERVER, versions};
use http::StatusCode;
use message::{Fault, Request, UNKNOWN_METHOD};
use ringmail_core::chain::mcp::Shown;
use ringmail_core::listener::ListenerSetting;
use ringmail_core::value::{Str, Value};
use ringmail_engine::Chain;
use session::{Session, UnderWay};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a request that is turned away is told, as servers may choose.
const TURNED_AWAY: i64 = -32000;
/// Counted under this name, which is no chain's.
const COUNTED_AS: &str = "mcp:";
/// How long lists may be kept: what they hold changes with the project and with keys.
const LIST_TTL_MS: i64 = 60_000;

/// A proved caller that speaks MCP, and the world it came into.
pub(crate) struct Guest {
    pub(crate) doors: Arc<Doors>,
    pub(crate) world: Arc<World>,
    pub(crate) listener: Arc<ListenerSetting>,
    pub(crate) caller: Caller,
    /// Where it calls from, for the record.
    pub(crate) from: String,
}

/// How one request is spoken about.
pub(crate) struct Talk {
    pub(crate) era: Era,
    /// Where what is told meanwhile goes, if anywhere.
    pub(crate) out: Option<mpsc::Sender<Value>>,
    /// Ends when it is cancelled, or nobody waits for the answer any more.
    pub(crate) gone: CancellationToken,
}

#[derive(Clone)]
pub(crate) enum Era {
    Stateless(Alone),
    Session(Arc<Session>),
}

impl Era {
    fn is_stateless(&self) -> bool {
        matches!(self, Era::Stateless(_))
    }

    fn level(&self) -> Option<Level> {
        match self {
            Era::Stateless(alone) => alone.level,
            Era::Session(session) => session.level(),
        }
    }

    /// Whether a call of the client may become a task.
    fn tasks(&self) -> bool {
        matches!(self, Era::Stateless(alone) if alone.tasks)
    }

    /// Whether the client can ask a person.
    pub(crate) fn asks(&self) -> bool {
        match self {
            Era::Stateless(alone) => alone.asks,
            Era::Session(session) => session.asks,
        }
    }
}

impl Guest {
    fn asked(&self) -> Asked<'_> {
        Asked { doors: &self.doors, world: &self.world, listener: &self.listener, caller: &self.caller }
    }

    /// The chains that the caller is shown as one kind of thing.
    fn shown<'g>(&'g self, kind: fn(&Shown) -> bool) -> impl Iterator<Item = &'g Chain> + 'g {
        let chains = self.world.chains_for(&self.listener, &self.caller);
        chains.filter(move |chain| kind(&chain.plan().mcp.shown))
    }

    /// The same caller in the world there is now; nothing if its listener is not there any more.
    fn now(&self) -> Option<Guest> {
        let world = self.doors.world();
        let listener = Arc::new(world.listener(&self.listener.name)?.clone());
        let (doors, caller, from) = (self.doors.clone(), self.caller.clone(), self.from.clone());
        Some(Guest { doors, world, listener, caller, from })
    }

    /// Counts a request that is no call of a chain.
    fn count(&self, method: &str) -> Result<Held, Fault> {
        let principal = self.caller.principal();
        let subject = Subject {
            principal: &principal.subject,
            tenant: principal.tenant.as_deref(),
            chain: Some(COUNTED_AS),
        };
        let held = self.doors.rates.enter(&self.world.setting.rates, &subject);
        held.map_err(|wait| {
            let why = "too many calls of this caller".to_string();
            self.turned(method, &(Problem::too_often(wait), why)).0
        })
    }

    /// Writes down that a request was turned away; says what its caller is told, and under which id it is known.
    fn turned(&self, method: &str, turned: &Turned) -> (Fault, Str) {
        let what = format!("MCP {}", ringmail_core::json::shorten(method));
        let id =
            turn_away(&self.doors, &self.listener.name, self.from.clone(), Some(&self.caller), what, turned);
        (fault(&turned.0, &id), id)
    }
}

/// A problem as JSON-RPC has it.
fn fault(problem: &Problem, id: &Str) -> Fault {
    Fault::new(TURNED_AWAY, problem.title).data(problem.to_value(id)).status(problem.status)
}

/// What a request is answered with.
pub(crate) async fn answer(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    let method = &*request.method;
    match (method, talk.era.is_stateless()) {
        ("tools/call", _) => return call::tool(guest, talk, &search::meant(guest, request)).await,
        ("prompts/get", _) => return call::prompt(guest, talk, request).await,
        ("resources/read", _) => return call::resource(guest, talk, request).await,
        ("completion/complete", _) => return complete::complete(guest, talk, request).await,
        (method, true) if tasks::METHODS.contains(&method) => {
            return tasks::answer(guest, talk, request).await;
        }
        ("subscriptions/listen", true) => return listen::subscribed(guest, talk, request).await,
        _ => {}
    }
    let _held = guest.count(method)?;
    let result = match (method, &talk.era) {
        ("tools/list", _) => list::tools(guest, request)?,
        ("prompts/list", _) => list::prompts(guest, request)?,
        ("resources/list", _) => list::resources(guest, request)?,
        ("resources/templates/list", _) => list::templates(guest, request)?,
        ("server/discover", Era::Stateless(_)) => discover(guest),
        ("ping", Era::Session(_)) => Vec::new(),
        ("logging/setLevel", Era::Session(session)) => {
            let level = request.params.get("level").and_then(Value::as_str).and_then(Level::named);
            session.set_level(level.ok_or_else(|| Fault::params("there is no such level"))?);
            Vec::new()
        }
        _ => {
            let fault = Fault::new(UNKNOWN_METHOD, "there is no such method");
            let status = if talk.era.is_stateless() { StatusCode::NOT_FOUND } else { StatusCode::OK };
            return Err(fault.status(status));
        }
    };
    let kept = match method {
        "server/discover" | "tools/list" | "prompts/list" => Some(LIST_TTL_MS),
        "resources/list" | "resources/templates/list" => Some(LIST_TTL_MS),
        _ => None,
    };
    Ok(finished(guest, &talk.era, result, kept))
}

/// A result as its era has it. What may be kept is kept for one caller: lists are made for it.
fn finished(
    guest: &Guest,
    era: &Era,
    mut members: Vec<(&'static str, Value)>,
    kept_ms: Option<i64>,
) -> Value {
    if era.is_stateless() {
        if !members.iter().any(|(name, _)| *name == "resultType") {
            members.push(("resultType", Value::from("complete")));
        }
        if let Some(ms) = kept_ms {
            members.push(("ttlMs", Value::Int(ms)));
            members.push(("cacheScope", Value::from("private")));
        }
        let meta = [(META_SERVER, server(guest))];
        let said = members.iter_mut().find(|(name, _)| *name == "_meta");
        match said {
            Some((_, Value::Map(known))) => *known = known.with(META_SERVER, server(guest)),
            _ => members.push(("_meta", Value::map(meta))),
        }
    }
    Value::map(members)
}

fn server(guest: &Guest) -> Value {
    Value::map([
        ("name", Value::from(guest.world.engine.name())),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
    ])
}

fn able(guest: &Guest, stateless: bool) -> Value {
    let nothing = || Value::map::<Str>([]);
    let list = || match listen::is_offered(guest) {
        true => Value::map([("listChanged", Value::Bool(true))]),
        false => nothing(),
    };
    let mut able =
        vec![("tools", list()), ("prompts", list()), ("resources", list()), ("completions", nothing())];
    able.push(match stateless {
        true => ("extensions", tasks::extension()),
        false => ("logging", nothing()),
    });
    Value::map(able)
}

fn discover(guest: &Guest) -> Vec<(&'static str, Value)> {
    vec![("supportedVersions", versions()), ("capabilities", able(guest, true))]
}

/// Begins a session: what both sides speak, and what this one can do.
pub(crate) fn initialize(guest: &Guest, request: &Request) -> Result<(Session, Value), Fault> {
    let _held = guest.count("initialize")?;
    let wanted = request.params.get("protocolVersion").and_then(Value::as_str);
    let said = request.params.get("capabilities").filter(|able| able.as_map().is_some());
    let (Some(_), Some(client)) = (wanted, said) else {
        return Err(Fault::params("`initialize` says its `protocolVersion` and its `capabilities`"));
    };
    let version = era::agreed(wanted);
    let result = Value::map([
        ("protocolVersion", Value::Str(version)),
        ("capabilities", able(guest, false)),
        ("serverInfo", server(guest)),
    ]);
    let owner = guest.caller.principal().clone();
    Ok((Session::new(owner, guest.listener.name.clone(), era::can_ask(client)), result))
}

/// Hears what needs no answer.
pub(crate) fn hear(guest: &Guest, under_way: &UnderWay, method: &str, params: &Value) -> Result<(), Fault> {
    let _held = guest.count(method)?;
    if method == "notifications/cancelled"
        && let Some(id) = params.get("requestId").and_then(message::Id::read)
    {
        under_way.cancel(&id);
    }
    Ok(())
}

/// Hears what a client answers to a question. What was never asked of it, and what it has answered before, is nothing.
pub(crate) fn hear_answer(
    guest: &Guest,
    session: &Session,
    id: &message::Id,
    result: Option<Value>,
) -> Result<(), Fault> {
    let _held = guest.count("an answer")?;
    match session.asked.take(id) {
        Some(waiting) => {
            // Whoever asked may wait no more.
            let _unheard = waiting.send(result);
            Ok(())
        }
        None => Err(Fault::envelope("nothing was asked")),
    }
}

/// Whether a client may be asked something before a request is answered.
pub(crate) fn may_ask(era: &Era, request: &Request) -> bool {
    !era.is_stateless() && era.asks() && ask::CALLS.contains(&&*request.method)
}

/// Whether a request may be told something before it is answered.
pub(crate) fn may_stream(guest: &Guest, era: &Era, request: &Request) -> bool {
    if &*request.method == "subscriptions/listen" {
        return era.is_stateless();
    }
    if &*request.method != "tools/call" {
        return false;
    }
    let request = &*search::meant(guest, request);
    let name = request.params.get("name").and_then(Value::as_str);
    let streams = name.is_some_and(|name| {
        guest
            .shown(list::is_tool)
            .any(|chain| list::shown_name(chain) == name && chain.plan().stream.is_some())
    });
    streams
        && (request.meta("progressToken").is_some()
            || era.level() <= Some(Level::Info) && era.level().is_some())
}
