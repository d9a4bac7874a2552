//! One log line before each call and one after it. What a call is given or gives stays out: for data, the log is a
//! sink that needs a grant.

use super::{CallView, End, Middleware};
use crate::log::{LogLine, LogSink};
use ringmail_core::value::Value;
use std::sync::Arc;

pub(super) struct Logging(pub(super) Arc<dyn LogSink>);

impl Logging {
    fn write(&self, call: &CallView<'_>, message: String, fields: Value) {
        self.0.write(&LogLine {
            run: call.run_id().clone(),
            link: call.link().clone(),
            level: "debug".into(),
            message: message.into(),
            fields,
        });
    }
}

impl Middleware for Logging {
    fn before(&self, call: &CallView<'_>) -> Result<(), String> {
        let fields = Value::map([("attempt", Value::Int(call.attempt().into()))]);
        self.write(call, format!("{} starts", call.kind()), fields);
        Ok(())
    }

    fn after(&self, call: &CallView<'_>, end: &End<'_>) -> Result<(), String> {
        let took_us = i64::try_from(call.elapsed().as_micros()).unwrap_or(i64::MAX);
        let fields = Value::map([("end", Value::from(end.id())), ("took_us", Value::Int(took_us))]);
        self.write(call, format!("{} ended", call.kind()), fields);
        Ok(())
    }
}
