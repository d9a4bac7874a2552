//! Since when a secret has its value, and when it was used last: a file in the data folder, which tells neither the value nor
//! whether two are alike. It is for people to look at; nothing is decided by it.

use crate::packages::write_whole;
use crate::sign::{HostKey, to_hex};
use ringmail_core::json::{JsonLimits, parse, to_pretty};
use ringmail_core::value::{Str, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const LOCK: &str = "secrets.lock";
const BYTES_MAX: u64 = 4 << 20;

/// What is known of one secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretTimes {
    /// When its value was met first.
    pub since_ms: Option<u64>,
    pub used_ms: Option<u64>,
    mark: String,
}

/// The times of a project's secrets.
pub struct SecretLedger {
    folder: PathBuf,
    key: ring::hmac::Key,
}

impl std::fmt::Debug for SecretLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretLedger({})", self.folder.display())
    }
}

impl SecretLedger {
    pub(crate) const FILE: &str = "secrets.json";

    pub fn new(data: &Path, key: &HostKey) -> SecretLedger {
        let secret = key.secret_for("times of secrets");
        SecretLedger { folder: data.into(), key: ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*secret) }
    }

    /// What is known in a data folder, for a host that will have another key: it marks values anew, and they are as old as they are.
    pub(crate) fn unmarked(data: &Path) -> Option<String> {
        let text = crate::packages::read_bounded(&data.join(SecretLedger::FILE), BYTES_MAX).ok()?;
        let read = parse(&text, &JsonLimits::default()).ok()?;
        let unmarked =
            |value: &Value| value.as_map().map(|map| Value::Map(map.with("mark", Value::from(""))));
        let all = read.as_map()?.iter();
        let all = all.filter_map(|(name, value)| Some((name.clone(), unmarked(value)?)));
        Some(to_pretty(&Value::map(all)))
    }

    pub fn read(&self) -> BTreeMap<Str, SecretTimes> {
        let text = crate::packages::read_bounded(&self.folder.join(SecretLedger::FILE), BYTES_MAX)
            .unwrap_or_default();
        let read = parse(&text, &JsonLimits::default()).unwrap_or_default();
        let number = |value: &Value, key: &str| match value.get(key) {
            Some(Value::Int(ms)) => u64::try_from(*ms).ok(),
            _ => None,
        };
        let times = |value: &Value| SecretTimes {
            since_ms: number(value, "since_ms"),
            used_ms: number(value, "used_ms"),
            mark: value.get("mark").and_then(Value::as_str).unwrap_or_default().into(),
        };
        let all = read.as_map().into_iter().flat_map(|map| map.iter());
        all.map(|(name, value)| (name.clone(), times(value))).collect()
    }

    /// Notes values and when they were used, 0 for never. Others may do the same at once.
    pub(super) fn note(&self, now_ms: u64, values: &[(Str, Zeroizing<String>, u64)]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let turn = File::create(self.folder.join(LOCK))?;
        turn.lock()?;
        let before = self.read();
        let mut all = before.clone();
        for (name, value, used_ms) in values {
            let times = all.entry(name.clone()).or_default();
            let mark = ring::hmac::sign(&self.key, format!("{name}\0{}", value.as_str()).as_bytes());
            let mark = to_hex(mark.as_ref().get(..16).unwrap_or_default());
            if times.mark.is_empty() && times.since_ms.is_some() {
                times.mark = mark;
            } else if times.mark != mark {
                (times.mark, times.since_ms) = (mark, Some(now_ms));
            }
            times.used_ms = times.used_ms.max((*used_ms > 0).then_some(*used_ms));
        }
        if all == before {
            return Ok(());
        }
        let number =
            |ms: Option<u64>| ms.and_then(|ms| i64::try_from(ms).ok()).map_or(Value::Null, Value::Int);
        let lines = all.into_iter().map(|(name, times)| {
            let value = Value::map([
                ("since_ms", number(times.since_ms)),
                ("used_ms", number(times.used_ms)),
                ("mark", Value::from(times.mark)),
            ]);
            (name, value)
        });
        write_whole(&self.folder.join(SecretLedger::FILE), to_pretty(&Value::map(lines)).as_bytes())
    }
}
