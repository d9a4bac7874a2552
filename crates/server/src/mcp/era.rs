//! Which revision of the protocol a message speaks, and whether all that says so agrees. Newer ones have no session:
//! each request says for itself what older ones agreed on once.

use super::message::{Fault, INVALID_PARAMS, Message, Request};
use super::tasks;
use http::StatusCode;
use http::header::HeaderMap;
use ringmail_core::value::{Str, Value};

/// The revision without sessions.
pub(crate) const STATELESS: &str = "2026-07-28";
/// Those with, the newest first.
pub(crate) const WITH_SESSIONS: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26"];

pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_ABLE: &str = "io.modelcontextprotocol/clientCapabilities";
const META_LEVEL: &str = "io.modelcontextprotocol/logLevel";
pub(crate) const META_SERVER: &str = "io.modelcontextprotocol/serverInfo";

const HEADER_MISMATCH: i64 = -32020;
const UNKNOWN_VERSION: i64 = -32022;

pub(crate) fn versions() -> Value {
    Value::list([STATELESS].iter().chain(WITH_SESSIONS).map(|version| Value::from(*version)))
}

/// What the head of an HTTP request says of its message. Nothing of it is believed: it has to agree with the message.
#[derive(Debug, Default)]
pub(crate) struct Said {
    version: Option<String>,
    method: Option<String>,
    name: Option<String>,
    pub(crate) session: Option<String>,
}

impl Said {
    /// A header that comes twice, or is no text, agrees with nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Said {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().unwrap_or_default().trim();
            Some(if values.next().is_none() { value.to_string() } else { String::new() })
        };
        Said {
            version: one("mcp-protocol-version"),
            method: one("mcp-method"),
            name: one("mcp-name"),
            session: one("mcp-session-id"),
        }
    }
}

/// How much of what a chain says meanwhile a client wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Level {
    pub(crate) fn named(name: &str) -> Option<Level> {
        use Level::{Alert, Critical, Debug, Emergency, Error, Info, Notice, Warning};
        let all = [
            ("debug", Debug),
            ("info", Info),
            ("notice", Notice),
            ("warning", Warning),
            ("error", Error),
            ("critical", Critical),
            ("alert", Alert),
            ("emergency", Emergency),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, level)| level)
    }
}

/// A request that says of itself all that there is to know.
#[derive(Clone, Debug)]
pub(crate) struct Alone {
    pub(crate) level: Option<Level>,
    /// Whether there is a person who can be asked.
    pub(crate) asks: bool,
    /// Whether a call may become a task.
    pub(crate) tasks: bool,
}

/// Whether a message belongs to the revision without sessions.
pub(crate) fn is_stateless(message: &Message, said: &Said) -> bool {
    let known = |version: &str| WITH_SESSIONS.contains(&version);
    let params = match message {
        Message::Request(request) => &request.params,
        Message::Notification { params, .. } => params,
        Message::Response { .. } => return false,
    };
    let asks_who_is_there =
        matches!(message, Message::Request(request) if &*request.method == "server/discover");
    let meta = params.get("_meta").and_then(|meta| meta.get(META_VERSION));
    asks_who_is_there
        || meta.is_some_and(|version| version.as_str().is_none_or(|version| !known(version)))
        || said.version.as_deref().is_some_and(|version| !known(version))
}

/// Whether a request without a session says all it has to, and its head the same. Over pipes there is no head.
pub(crate) fn alone(request: &Request, said: Option<&Said>) -> Result<Alone, Fault> {
    let bad = |code, message: &str| Fault::new(code, message).status(StatusCode::BAD_REQUEST);
    let version = request.meta(META_VERSION).and_then(Value::as_str);
    let able = request.meta(META_ABLE).filter(|able| able.as_map().is_some());
    if let Some(said) = said
        && said.version.is_none()
    {
        return Err(bad(HEADER_MISMATCH, "the header `MCP-Protocol-Version` is missing"));
    }
    let (Some(version), Some(able)) = (version, able) else {
        let wanted = "each request has its protocol version and the capabilities of its client in `_meta`";
        return Err(bad(INVALID_PARAMS, wanted));
    };
    if let Some(said) = said {
        agree(request, version, said).map_err(|why| bad(HEADER_MISMATCH, why))?;
    }
    if version != STATELESS {
        let data = Value::map([("supported", versions()), ("requested", Value::from(version))]);
        return Err(bad(UNKNOWN_VERSION, "this revision of the protocol is not spoken here").data(data));
    }
    let level = match request.meta(META_LEVEL) {
        None => None,
        Some(level) => {
            let level = level.as_str().and_then(Level::named);
            Some(level.ok_or_else(|| bad(INVALID_PARAMS, "there is no such level of messages"))?)
        }
    };
    Ok(Alone { level, asks: can_ask(able), tasks: tasks::are_known(able) })
}

/// Whether a client says that it can put a form before a person; one that only opens addresses cannot.
pub(crate) fn can_ask(able: &Value) -> bool {
    let asks = able.get("elicitation").and_then(Value::as_map);
    asks.is_some_and(|asks| {
        asks.get("form").is_some_and(|form| form.as_map().is_some()) || !asks.contains("url")
    })
}

/// What the head says, and what a proxy may have judged by, is what the message says.
fn agree(request: &Request, version: &str, said: &Said) -> Result<(), &'static str> {
    if said.version.as_deref() != Some(version) {
        return Err("`MCP-Protocol-Version` is not the version in the message");
    }
    if said.method.as_deref() != Some(&*request.method) {
        return Err("`Mcp-Method` is not the method of the message");
    }
    let named = match &*request.method {
        "tools/call" | "prompts/get" => request.params.get("name"),
        "resources/read" => request.params.get("uri"),
        method if tasks::METHODS.contains(&method) => request.params.get(tasks::ID),
        _ => return Ok(()),
    };
    let said = said.name.as_deref().map(plain);
    if said != Some(named.and_then(Value::as_str).map(String::from)) {
        return Err("`Mcp-Name` is not what the message names");
    }
    Ok(())
}

/// A header's text; what does not fit into one comes as `=?base64?...?=`.
fn plain(written: &str) -> Option<String> {
    use base64::Engine as _;
    let Some(coded) = written.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(written.to_string());
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(coded).ok()?;
    String::from_utf8(bytes).ok()
}

/// The revision with sessions that both sides speak.
pub(crate) fn agreed(wanted: Option<&str>) -> Str {
    let known = WITH_SESSIONS.iter().find(|known| Some(**known) == wanted);
    Str::from(*known.or(WITH_SESSIONS.first()).unwrap_or(&STATELESS))
}
