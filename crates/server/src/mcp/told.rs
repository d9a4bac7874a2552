//! What a run says on its way, as its client wants to hear it.

use super::message::{Request, notification};
use super::{Era, Talk, era};
use ringmail_core::json::to_string;
use ringmail_core::value::Value;
use ringmail_engine::Chain;

/// What a run says on its way, as progress if the caller asked for that, or else as messages if it wants such.
pub(super) struct Told<'r> {
    token: Option<&'r Value>,
    logger: &'r str,
    messages: bool,
    count: i64,
    last: f64,
}

impl<'r> Told<'r> {
    pub(super) fn new(request: &'r Request, chain: &'r Chain, era: &Era) -> Told<'r> {
        let token = request.meta("progressToken");
        let token = token.filter(|token| matches!(token, Value::Str(_) | Value::Int(_)));
        let messages = token.is_none() && era.level().is_some_and(|level| level <= era::Level::Info);
        Told { token, logger: chain.name(), messages, count: 0, last: f64::NEG_INFINITY }
    }

    pub(super) async fn tell(&mut self, talk: &Talk, piece: &Value) {
        let Some(out) = &talk.out else { return };
        let told = match self.token {
            Some(token) => self.progress(token, piece),
            None if self.messages => Some(notification(
                "notifications/message",
                Value::map([
                    ("level", Value::from("info")),
                    ("logger", Value::from(self.logger)),
                    ("data", piece.clone()),
                ]),
            )),
            None => None,
        };
        if let Some(told) = told {
            // Whoever listened has gone, and the run is told to end.
            let _unheard = out.send(told).await;
        }
    }

    /// A piece says how far it is, or counts as one step. Progress only grows.
    fn progress(&mut self, token: &Value, piece: &Value) -> Option<Value> {
        self.count += 1;
        let number = |value: Option<&Value>| match value {
            Some(Value::Int(int)) => Some((*int as f64, Value::Int(*int))),
            Some(Value::Float(float)) => Some((*float, Value::Float(*float))),
            _ => None,
        };
        let said = number(piece.get("progress"));
        let message = match &said {
            Some(_) => piece.get("message").and_then(Value::as_str).map(Value::from),
            None => Some(Value::from(piece.as_str().map_or_else(|| to_string(piece), String::from))),
        };
        let (at, written) = said.unwrap_or((self.count as f64, Value::Int(self.count)));
        if at <= self.last {
            return None;
        }
        self.last = at;
        let mut params = vec![("progressToken", token.clone()), ("progress", written)];
        params.extend(number(piece.get("total")).map(|(_, total)| ("total", total)));
        params.extend(message.map(|message| ("message", message)));
        Some(notification("notifications/progress", Value::map(params)))
    }
}
