//! Records over HTTP, through the one egress: one a line, or as OTLP in JSON. They have arrived when the receiver says so.

use super::ForwardAround;
use super::records::{Going, Takes};
use crate::asking::{Answer, Line, Question};
use crate::recorder::{LogMark, Note, RecordError, Recorded, Recorder, RunPart};
use crate::secrets::{SecretReader, SecretsAround};
use ringmail_core::address::Target;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::project::{Project, SecretSetting};
use ringmail_core::value::{Str, Value};
use std::sync::Arc;

/// One address that is sent to.
pub(super) struct Post {
    url: Target,
    line: Line,
    /// Shown as a bearer token, read anew each time.
    shown: Option<(SecretReader, SecretSetting)>,
}

impl Post {
    pub(super) fn new(
        project: &Project,
        around: &ForwardAround,
        url: &Target,
        resolves_to: &[String],
        secret: Option<&Str>,
    ) -> Post {
        let mut secrets = project.secrets.iter();
        let secret = secret.and_then(|name| secrets.find(|known| known.name == *name));
        let shown = secret.map(|secret| (SecretReader::new(project, around.secrets.clone()), secret.clone()));
        let quiet = SecretsAround { recorder: Some(Arc::new(Unrecorded)), ..around.secrets.clone() };
        let line = Line {
            resolves_to: resolves_to.to_vec(),
            roots: project.extra_roots.clone(),
            around: Arc::new(quiet),
        };
        Post { url: url.clone(), line, shown }
    }

    /// Sends a text of some media type. What is not answered with a 2xx has not arrived.
    pub(super) fn send(&self, kind: &str, body: &str) -> Result<Answer, String> {
        let secret = match &self.shown {
            Some((_, setting)) if !setting.bound_to.iter().any(|bound| bound.takes(&self.url)) => {
                let origin = self.url.origin();
                return Err(format!("the secret `{}` is not bound to `{origin}`", setting.name));
            }
            Some((reader, setting)) => Some(reader.read(setting).map_err(|error| error.to_string())?),
            None => None,
        };
        let mut headers = vec![("content-type", kind)];
        let mut secrets = Vec::new();
        if let Some(secret) = &secret {
            headers.push(("authorization", "Bearer ${secrets.own}"));
            secrets.push(("own", secret.as_str()));
        }
        let answer = self.line.ask(&Question {
            method: "POST",
            url: self.url.as_str().into(),
            headers: &headers,
            body: Some("'${input.body}'"),
            input: &[("body", body)],
            secrets: &secrets,
            any_body: true,
        })?;
        if !(200..300).contains(&answer.status) {
            return Err(format!("it answers {}", answer.status));
        }
        Ok(answer)
    }
}

pub(super) struct Web {
    pub(super) otlp: bool,
    pub(super) post: Post,
    pub(super) origin: String,
}

impl Web {
    fn body(&self, records: &[Going]) -> String {
        if !self.otlp {
            return records.iter().map(|record| record.line(&self.origin) + "\n").collect();
        }
        let text = |text: &str| Value::map([("stringValue", Value::from(text))]);
        let attribute = |key: &str, value: Value| Value::map([("key", Value::from(key)), ("value", value)]);
        let logs = records.iter().map(|record| {
            let read = parse(record.record.as_bytes(), &JsonLimits::default()).unwrap_or_default();
            let at_ms = match read.get("at_ms") {
                Some(Value::Int(ms)) => *ms,
                _ => 0,
            };
            let at = Value::map([("intValue", Value::from(record.at.to_string()))]);
            let kind = read.get("kind").and_then(Value::as_str).unwrap_or_default();
            Value::map([
                ("timeUnixNano", Value::from(format!("{at_ms}000000"))),
                ("severityNumber", Value::Int(9)),
                ("severityText", Value::from("INFO")),
                ("body", text(&record.record)),
                (
                    "attributes",
                    Value::list([attribute("ringmail.at", at), attribute("ringmail.kind", text(kind))]),
                ),
            ])
        });
        let scope = Value::map([
            ("scope", Value::map([("name", Value::from("ringmail.audit"))])),
            ("logRecords", Value::list(logs.collect::<Vec<_>>())),
        ]);
        let own =
            [attribute("service.name", text("ringmail")), attribute("ringmail.log", text(&self.origin))];
        let resource = Value::map([
            ("resource", Value::map([("attributes", Value::list(own))])),
            ("scopeLogs", Value::list([scope])),
        ]);
        to_string(&Value::map([("resourceLogs", Value::list([resource]))]))
    }
}

/// Where it would stand that records were sent on, which would be another record to send on. That a receiver cannot be reached
/// is on record by itself.
struct Unrecorded;

impl Recorder for Unrecorded {
    fn part(&self, _: RunPart<'_>) -> Result<LogMark, RecordError> {
        Ok(LogMark(0))
    }

    fn note(&self, _: &Note) -> Result<LogMark, RecordError> {
        Ok(LogMark(0))
    }

    fn durable(&self, _: LogMark) -> Recorded<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Takes for Web {
    fn take(&mut self, records: &[Going]) -> Result<(), String> {
        let kind = if self.otlp { "application/json" } else { "application/x-ndjson" };
        let answer = self.post.send(kind, &self.body(records))?;
        let refused = answer.body.get("partialSuccess").and_then(|part| part.get("rejectedLogRecords"));
        match refused {
            None | Some(Value::Int(0)) => Ok(()),
            Some(Value::Str(none)) if &**none == "0" => Ok(()),
            Some(_) => Err("it does not take all of them".into()),
        }
    }
}
