//! JSON-RPC as clients of MCP say and hear it, in both eras: with a session that is opened once, and without, where each
//! request says for itself who asks.

use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::value::{Str, Value};

/// The revision without sessions, and the newest with.
pub(super) const STATELESS: &str = "2026-07-28";
pub(super) const WITH_SESSIONS: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_ABLE: &str = "io.modelcontextprotocol/clientCapabilities";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
pub(super) const UNKNOWN_METHOD: i64 = -32601;
pub(super) const UNKNOWN_VERSION: i64 = -32022;

/// How a server wants to be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Era {
    Stateless,
    /// The revision that was agreed on.
    Session(Str),
}

impl Era {
    pub(super) fn version(&self) -> &str {
        match self {
            Era::Stateless => STATELESS,
            Era::Session(version) => version,
        }
    }
}

fn client() -> Value {
    Value::map([("name", Value::from("ringmail")), ("version", Value::from(env!("CARGO_PKG_VERSION")))])
}

/// A request; whoever asks without a session says who it is each time.
pub(super) fn request(id: i64, method: &str, params: Vec<(&str, Value)>, era: Option<&Era>) -> Value {
    let mut params: Vec<(Str, Value)> =
        params.into_iter().map(|(name, value)| (Str::from(name), value)).collect();
    if era == Some(&Era::Stateless) {
        let own = [
            (META_VERSION, Value::from(STATELESS)),
            (META_ABLE, Value::map::<Str>([])),
            (META_CLIENT, client()),
        ];
        let own = own.map(|(name, value)| (Str::from(name), value));
        match params.iter_mut().find(|(name, _)| &**name == "_meta") {
            Some((_, Value::Map(meta))) => {
                let more = meta.iter().map(|(name, value)| (name.clone(), value.clone())).chain(own);
                let all = Value::map(more.collect::<Vec<_>>());
                params.retain(|(name, _)| &**name != "_meta");
                params.push(("_meta".into(), all));
            }
            _ => params.push(("_meta".into(), Value::map(own))),
        }
    }
    Value::map([
        ("jsonrpc", Value::from("2.0")),
        ("id", Value::Int(id)),
        ("method", Value::from(method)),
        ("params", Value::map(params)),
    ])
}

pub(super) fn notification(method: &str, params: Vec<(&str, Value)>) -> Value {
    Value::map([
        ("jsonrpc", Value::from("2.0")),
        ("method", Value::from(method)),
        ("params", Value::map(params)),
    ])
}

pub(super) fn hello() -> Vec<(&'static str, Value)> {
    let newest = WITH_SESSIONS.first().copied().unwrap_or(STATELESS);
    vec![
        ("protocolVersion", Value::from(newest)),
        ("capabilities", Value::map::<Str>([])),
        ("clientInfo", client()),
    ]
}

/// What a server says.
#[derive(Debug)]
pub(super) enum Heard {
    Answer {
        id: i64,
        result: Result<Value, i64>,
    },
    /// It asks something of us.
    Request {
        id: Value,
        method: Str,
    },
    Notification {
        method: Str,
        params: Value,
    },
    /// Nothing that the protocol has.
    Nothing,
}

pub(super) fn hear(value: &Value) -> Heard {
    let id = value.get("id");
    match (value.get("method"), id) {
        (Some(Value::Str(method)), Some(id @ (Value::Int(_) | Value::Str(_)))) => {
            Heard::Request { id: id.clone(), method: method.clone() }
        }
        (Some(Value::Str(method)), None) => {
            let params = value.get("params").cloned().unwrap_or(Value::Null);
            Heard::Notification { method: method.clone(), params }
        }
        (None, Some(Value::Int(id))) => match (value.get("result"), value.get("error")) {
            (Some(result), None) => Heard::Answer { id: *id, result: Ok(result.clone()) },
            (None, Some(error)) => {
                let code = match error.get("code") {
                    Some(Value::Int(code)) => *code,
                    _ => 0,
                };
                Heard::Answer { id: *id, result: Err(code) }
            }
            _ => Heard::Nothing,
        },
        _ => Heard::Nothing,
    }
}

/// Whether a server says that what it offers is something else now.
pub(super) fn is_change(method: &str) -> bool {
    let lists = ["tools", "prompts", "resources"];
    lists.iter().any(|list| method == format!("notifications/{list}/list_changed"))
}

/// What a server is answered that asks: that we are there, and nothing else.
pub(super) fn reply(id: Value, method: &str) -> Value {
    let said = match method {
        "ping" => ("result", Value::map::<Str>([])),
        _ => {
            let error = [
                ("code", Value::Int(UNKNOWN_METHOD)),
                ("message", Value::from("this client answers no such request")),
            ];
            ("error", Value::map(error))
        }
    };
    Value::map([("jsonrpc", Value::from("2.0")), ("id", id), said])
}

/// The revision that a server chose, if it is one that is spoken here.
pub(super) fn chosen(result: &Value) -> Result<Era, Failure> {
    let version = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    match WITH_SESSIONS.iter().find(|known| **known == version) {
        Some(known) => Ok(Era::Session(Str::from(*known))),
        None => {
            let message = "the server speaks no revision of MCP that is spoken here";
            Err(Failure::new(FailureKind::Unavailable, message))
        }
    }
}

/// Whether a server that was asked who it is speaks without sessions.
pub(super) fn is_stateless(result: &Value) -> bool {
    let versions = result.get("supportedVersions").and_then(Value::as_list);
    versions.is_some_and(|versions| versions.iter().any(|version| version.as_str() == Some(STATELESS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringmail_core::json::to_string;

    #[test]
    fn without_a_session_each_request_says_who_asks() {
        let plain = to_string(&request(1, "tools/list", vec![], None));
        assert_eq!(plain, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#);
        let meta = Value::map([("progressToken", Value::Int(1))]);
        let alone = request(1, "tools/call", vec![("_meta", meta)], Some(&Era::Stateless));
        let meta = alone.get("params").and_then(|params| params.get("_meta")).unwrap();
        assert_eq!(meta.get(META_VERSION).and_then(Value::as_str), Some(STATELESS));
        assert!(meta.get("progressToken").is_some() && meta.get(META_ABLE).is_some());
    }

    #[test]
    fn a_server_that_asks_learns_that_we_are_there_and_no_more() {
        assert!(to_string(&reply(Value::Int(7), "ping")).contains(r#""id":7,"result":{}"#));
        for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
            assert!(to_string(&reply(Value::from("x"), method)).contains("-32601"), "{method}");
        }
    }
}
