//! What a plugin may use beyond one answer: so much in one call, and so much within a time for all its calls together.

use ringmail_core::plugin::{Quota, Use};
use ringmail_core::value::Value;
use ringmail_host::Errand;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What one errand costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    requests: u64,
    data_out: u64,
    pub(crate) data_in: u64,
    writes: u64,
    written: u64,
    lines: u64,
    logged: u64,
}

/// What was used up: the setting that says so, and whether that is for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) setting: &'static str,
    pub(crate) of_call: bool,
}

/// What all calls of one plugin have used since the time began.
#[derive(Debug, Default)]
pub(crate) struct Window(Mutex<Option<(Instant, Cost)>>);

impl Cost {
    pub(crate) fn of(errand: &Errand) -> Cost {
        let bytes = |key: &str| errand.args.get(key).map_or(0, size);
        match errand.capability {
            "net" => Cost {
                requests: 1,
                data_out: bytes("url") + bytes("headers") + bytes("body"),
                ..Cost::default()
            },
            "fs" => match errand.args.get("op").and_then(Value::as_str) {
                // Base64 is four letters for three bytes.
                Some("write" | "append") => {
                    Cost { writes: 1, written: bytes("content") / 4 * 3, ..Cost::default() }
                }
                Some("remove") => Cost { writes: 1, ..Cost::default() },
                _ => Cost::default(),
            },
            "log" => Cost { lines: 1, logged: bytes("message"), ..Cost::default() },
            _ => Cost::default(),
        }
    }

    /// What an answer adds.
    pub(crate) fn answered(errand: &'static str, answer: &Value) -> Cost {
        let data_in = if errand == "net" { size(answer) } else { 0 };
        Cost { data_in, ..Cost::default() }
    }

    pub(crate) fn add(&mut self, more: Cost) {
        let Cost { requests, data_out, data_in, writes, written, lines, logged } = more;
        let sum = |one: &mut u64, more: u64| *one = one.saturating_add(more);
        sum(&mut self.requests, requests);
        sum(&mut self.data_out, data_out);
        sum(&mut self.data_in, data_in);
        sum(&mut self.writes, writes);
        sum(&mut self.written, written);
        sum(&mut self.lines, lines);
        sum(&mut self.logged, logged);
    }

    /// The first limit of one call that this is above.
    pub(crate) fn over_call(&self, limits: &Use) -> Option<Over> {
        let used = [
            ("limits.data_out", self.data_out, limits.data_out_bytes_max),
            ("limits.data_in", self.data_in, limits.data_in_bytes_max),
        ];
        over(&used).map(|setting| Over { setting, of_call: true })
    }

    fn over_quota(&self, quota: &Quota) -> Option<Over> {
        let used = [
            ("quota.requests", self.requests, quota.requests_max),
            ("quota.data_out", self.data_out, quota.data_out_bytes_max),
            ("quota.data_in", self.data_in, quota.data_in_bytes_max),
            ("quota.writes", self.writes, quota.writes_max),
            ("quota.written", self.written, quota.written_bytes_max),
            ("quota.lines", self.lines, quota.lines_max),
            ("quota.logged", self.logged, quota.logged_bytes_max),
        ];
        over(&used).map(|setting| Over { setting, of_call: false })
    }
}

fn over(used: &[(&'static str, u64, Option<u64>)]) -> Option<&'static str> {
    let above = |(_, used, most): &&(&str, u64, Option<u64>)| most.is_some_and(|most| *used > most);
    used.iter().find(above).map(|(setting, ..)| *setting)
}

impl Window {
    /// Counts a cost, if it fits; what is over is not counted, so that less may still fit.
    pub(crate) fn take(&self, cost: Cost, quota: &Quota, now: Instant) -> Result<(), Over> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let every = Duration::from_millis(quota.every_ms);
        let (began, used) =
            window.filter(|(began, _)| now.duration_since(*began) < every).unwrap_or((now, Cost::default()));
        let mut with = used;
        with.add(cost);
        if let Some(over) = with.over_quota(quota) {
            // An answer that came has come.
            *window = Some((began, if cost.data_in > 0 { with } else { used }));
            return Err(over);
        }
        *window = Some((began, with));
        Ok(())
    }
}

/// Bytes of all texts in a value, names of members included.
fn size(value: &Value) -> u64 {
    match value {
        Value::Str(text) => text.len() as u64,
        Value::List(list) => list.iter().map(size).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() as u64 + size(value)).sum(),
        _ => 8,
    }
}
