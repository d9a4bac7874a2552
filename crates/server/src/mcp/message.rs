//! JSON-RPC as MCP has it: one message at a time, with ids that are short texts or whole numbers.

use http::StatusCode;
use ringmail_core::json::{JsonLimits, parse};
use ringmail_core::value::{Str, Value};

/// Bytes of an id that is a text: answers repeat it.
const ID_BYTES_MAX: usize = 256;
const METHOD_BYTES_MAX: usize = 128;
/// Deeper than any message of the protocol around the deepest input.
const DEPTH_MAX: usize = 64;

pub(crate) const INVALID_REQUEST: i64 = -32600;
pub(crate) const UNKNOWN_METHOD: i64 = -32601;
pub(crate) const INVALID_PARAMS: i64 = -32602;
const PARSE_ERROR: i64 = -32700;
const LACKING: i64 = -32021;

/// What a peer calls its request by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    Int(i64),
    Text(Str),
}

impl Id {
    pub(crate) fn read(value: &Value) -> Option<Id> {
        match value {
            Value::Int(int) => Some(Id::Int(*int)),
            Value::Str(text) if text.len() <= ID_BYTES_MAX => Some(Id::Text(text.clone())),
            _ => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Id::Int(int) => Value::Int(*int),
            Id::Text(text) => Value::Str(text.clone()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: Id,
    pub(crate) method: Str,
    pub(crate) params: Value,
}

impl Request {
    /// What stands beside the parameters.
    pub(crate) fn meta(&self, key: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(key)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Message {
    Request(Request),
    Notification {
        method: Str,
        params: Value,
    },
    /// An answer to what was asked of the peer; nothing if the peer could not.
    Response {
        id: Id,
        result: Option<Value>,
    },
}

/// Why a request has no result.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
    /// What HTTP says of it.
    pub(crate) status: StatusCode,
}

impl Fault {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), data: None, status: StatusCode::OK }
    }

    #[must_use]
    pub(crate) fn data(mut self, data: Value) -> Fault {
        self.data = Some(data);
        self
    }

    #[must_use]
    pub(crate) fn status(mut self, status: StatusCode) -> Fault {
        self.status = status;
        self
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut told = vec![("code", Value::Int(self.code)), ("message", Value::from(self.message.as_str()))];
        told.extend(self.data.clone().map(|data| ("data", data)));
        Value::map(told)
    }

    /// A message that is none.
    pub(crate) fn envelope(message: impl Into<String>) -> Fault {
        Fault::new(INVALID_REQUEST, message).status(StatusCode::BAD_REQUEST)
    }

    pub(crate) fn params(message: impl Into<String>) -> Fault {
        Fault::new(INVALID_PARAMS, message)
    }

    /// What needs a client that says it is able to do more.
    pub(crate) fn lacking(able: Value, message: &str) -> Fault {
        let data = Value::map([("requiredCapabilities", able)]);
        Fault::new(LACKING, message).data(data).status(StatusCode::BAD_REQUEST)
    }
}

impl Message {
    /// One message; whose it was as far as that can be told, if it is none.
    pub(crate) fn read(text: &[u8], bytes_max: usize) -> Result<Message, (Option<Id>, Fault)> {
        let limits = JsonLimits { bytes_max, depth_max: DEPTH_MAX, ..JsonLimits::default() };
        let value = parse(text, &limits).map_err(|error| {
            let fault = Fault::new(PARSE_ERROR, format!("this is no JSON: {error}"));
            (None, fault.status(StatusCode::BAD_REQUEST))
        })?;
        let id = value.get("id").and_then(Id::read);
        Message::judge(&value, id.clone()).map_err(|why| (id, Fault::envelope(why)))
    }

    fn judge(value: &Value, id: Option<Id>) -> Result<Message, &'static str> {
        if value.as_list().is_some() {
            return Err("messages come one by one, not in batches");
        }
        let map = value.as_map().ok_or("a message is an object")?;
        if map.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err("a message says `\"jsonrpc\": \"2.0\"`");
        }
        let has_id = map.contains("id");
        if has_id && id.is_none() {
            return Err("an id is a whole number or a text of at most 256 bytes");
        }
        let Some(method) = map.get("method") else {
            let result = map.get("result").cloned();
            let answers = result.is_some() != map.contains("error");
            return match id {
                Some(id) if answers => Ok(Message::Response { id, result }),
                _ => Err("a request has a `method`"),
            };
        };
        let method = match method {
            Value::Str(method) if method.len() <= METHOD_BYTES_MAX => method.clone(),
            _ => return Err("a `method` is a text of at most 128 bytes"),
        };
        let params = map.get("params").cloned().unwrap_or_else(|| Value::map::<Str>([]));
        if params.as_map().is_none() {
            return Err("`params` is an object");
        }
        Ok(match id {
            Some(id) => Message::Request(Request { id, method, params }),
            None => Message::Notification { method, params },
        })
    }
}

/// What a request is answered with.
pub(crate) fn answer(id: Option<&Id>, result: Result<&Value, &Fault>) -> Value {
    let mut members = vec![("jsonrpc", Value::from("2.0"))];
    // Nobody's answer has the id null.
    members.push(("id", id.map_or(Value::Null, Id::to_value)));
    match result {
        Ok(result) => members.push(("result", result.clone())),
        Err(fault) => members.push(("error", fault.to_value())),
    }
    Value::map(members)
}

/// What a peer is asked.
pub(crate) fn request(id: &Id, method: &str, params: Value) -> Value {
    Value::map([
        ("jsonrpc", Value::from("2.0")),
        ("id", id.to_value()),
        ("method", Value::from(method)),
        ("params", params),
    ])
}

pub(crate) fn notification(method: &str, params: Value) -> Value {
    Value::map([("jsonrpc", Value::from("2.0")), ("method", Value::from(method)), ("params", params)])
}
