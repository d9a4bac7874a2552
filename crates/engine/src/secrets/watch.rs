//! Secrets that are exchanged while an engine runs. Each is read again after its time; a new value takes over from the next
//! request on, and the one before counts for the overlap. What cannot be read stays what it was.

use super::{SecretLedger, SecretReader, Secrets};
use crate::engine::Engine;
use crate::recorder::{DataSubject, Note};
use crate::steady::steadily;
use ringmail_core::policy::Principal;
use ringmail_core::project::SecretSetting;
use ringmail_core::value::{Str, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked whether something is to be read.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often it is noted when secrets were used.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// What a process was given at its start does not change.
const FIXED: &str = "env";

/// How secrets came to an engine, to read them once more.
pub(crate) struct SecretSources {
    pub(crate) reader: SecretReader,
    pub(crate) settings: Vec<SecretSetting>,
    pub(crate) ledger: Option<SecretLedger>,
}

impl SecretSources {
    /// Nobody waits for this, and nothing hangs on it: a note that cannot be written is written with the next.
    pub(crate) fn note(&self, secrets: &Secrets, now_ms: u64) {
        if let Some(ledger) = &self.ledger {
            let _unwritten = ledger.note(now_ms, &secrets.used());
        }
    }

    pub(crate) fn overlap(&self, name: &str) -> Duration {
        let setting = self.settings.iter().find(|setting| &*setting.name == name);
        Duration::from_millis(setting.map_or(0, |setting| setting.overlap_ms))
    }
}

/// Looks after the secrets of an engine as long as it lives.
#[derive(Debug)]
pub struct SecretWatch(Arc<AtomicBool>);

impl Drop for SecretWatch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Reads secrets anew from now on, each after its time, as long as the answer is kept. `told` hears of each that was
    /// exchanged, and once of each that cannot be read.
    pub fn watch_secrets(
        &self,
        told: impl Fn(&str) + Send + 'static,
    ) -> std::io::Result<Option<SecretWatch>> {
        if self.0.sources.settings.is_empty() {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (self.clone(), stop.clone());
        let thread = std::thread::Builder::new().name("secrets".into());
        thread.spawn(move || engine.read_secrets_anew(&stopped, &told))?;
        Ok(Some(SecretWatch(stop)))
    }

    fn read_secrets_anew(&self, stopped: &AtomicBool, told: &impl Fn(&str)) {
        let sources = &self.0.sources;
        let due = |setting: &SecretSetting| Instant::now() + Duration::from_millis(setting.refresh_ms);
        let changing = sources.settings.iter().filter(|setting| &*setting.from.place != FIXED);
        let mut waiting: Vec<(&SecretSetting, Instant, Option<String>)> =
            changing.map(|setting| (setting, due(setting), None)).collect();
        let mut noted = Instant::now();
        while !stopped.load(Ordering::Relaxed) {
            for (setting, at, failed) in &mut waiting {
                if *at > Instant::now() || stopped.load(Ordering::Relaxed) {
                    continue;
                }
                let read = steadily(|| sources.reader.read(setting).map_err(|error| error.to_string()));
                match read.unwrap_or_else(|| Err("what its provider answered could not be read".into())) {
                    Ok(value) => {
                        *failed = None;
                        let overlap = Duration::from_millis(setting.overlap_ms);
                        if self.0.secrets.rotate(&setting.name, &value, overlap) {
                            self.rotated(&setting.name);
                            told(&format!("the secret `{}` has a new value", setting.name));
                        }
                    }
                    Err(why) => {
                        if failed.as_ref() != Some(&why) {
                            told(&format!(
                                "the secret `{}`: {why}; the value of before goes on",
                                setting.name
                            ));
                            *failed = Some(why);
                        }
                    }
                }
                *at = due(setting);
            }
            if noted.elapsed() >= NOTE_EVERY {
                sources.note(&self.0.secrets, self.0.clock.now_ms());
                noted = Instant::now();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn rotated(&self, name: &Str) {
        let at_ms = self.0.clock.now_ms();
        self.0.sources.note(&self.0.secrets, at_ms);
        if let Some(recorder) = &self.0.recorder {
            let open = vec![("secret", Value::Str(name.clone()))];
            let who = DataSubject::of(&Principal::host());
            // A log that takes nothing stops every effect by itself.
            let _told_there =
                recorder.note(&Note { kind: "secret-rotated", at_ms, open, who, sealed: Vec::new() });
        }
    }
}
