//! What a provider of secrets is asked with, and what it says. What says who asks goes where it is bound to.

use super::local::Locals;
use super::{SecretError, SecretsAround};
use crate::asking::Line;
pub(super) use crate::asking::{Answer, Question};
use ringmail_core::address::{Pattern, Target};
use ringmail_core::project::{Project, ProviderSetting, SecretSetting, SecretSource};
use ringmail_core::value::{Str, Value};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// A secret that says who asks.
#[derive(Clone)]
struct Own {
    name: Str,
    from: SecretSource,
    bound_to: Vec<Pattern>,
}

/// What one provider is asked with.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) setting: ProviderSetting,
    own: Option<Own>,
    session: Option<Own>,
    locals: Arc<Locals>,
    line: Line,
}

/// The token that a login gave to ask a provider with, as long as it counts.
#[derive(Default)]
pub(super) struct Pass(Mutex<Option<Token>>);

struct Token {
    made_from: Zeroizing<String>,
    token: Zeroizing<String>,
    until: Instant,
}

/// How much earlier a pass is given up, so that nobody comes too late with it.
const EARLY_S: u64 = 30;

impl Pass {
    /// The token made from what says who asks; another one, if that was exchanged.
    pub(super) fn token(
        &self,
        asker: &Asker,
        own: Zeroizing<String>,
        log_in: impl FnOnce(&str) -> Result<Value, SecretError>,
    ) -> Result<Zeroizing<String>, SecretError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = &*held
            && *held.made_from == *own
            && Instant::now() < held.until
        {
            return Ok(held.token.clone());
        }
        let found = log_in(&own)?;
        let token = found.get("access_token").and_then(Value::as_str);
        let token = Zeroizing::new(token.ok_or_else(|| asker.wrong("it gives no token"))?.to_string());
        let lasts = Duration::from_secs(seconds(found.get("expires_in")).saturating_sub(EARLY_S));
        *held = Some(Token { made_from: own, token: token.clone(), until: Instant::now() + lasts });
        Ok(token)
    }
}

impl Asker {
    pub(super) fn new(
        setting: &ProviderSetting,
        project: &Project,
        locals: Arc<Locals>,
        around: Arc<SecretsAround>,
    ) -> Asker {
        let named = |name: &str| {
            let found = project.secrets.iter().find(|secret| &*secret.name == name);
            found.map(|SecretSetting { name, from, bound_to, .. }| Own {
                name: name.clone(),
                from: from.clone(),
                bound_to: bound_to.clone(),
            })
        };
        Asker {
            own: named(&setting.secret),
            session: setting.text("session").and_then(named),
            line: Line {
                resolves_to: setting.resolves_to.clone(),
                roots: project.extra_roots.clone(),
                around,
            },
            setting: setting.clone(),
            locals,
        }
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> SecretError {
        SecretError::Provider { provider: self.setting.name.clone(), why: why.into() }
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.setting.text(key).unwrap_or_default()
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.line.around.clock.now_ms()
    }

    /// What says who asks, for whoever only signs with it.
    pub(super) fn own(&self) -> Result<Zeroizing<String>, SecretError> {
        let own = self.own.as_ref().ok_or_else(|| self.wrong("it has no secret"))?;
        self.locals.read(&own.name, &own.from)
    }

    /// The same, where it is sent to this address: it must be bound to it.
    pub(super) fn own_for(&self, url: &str) -> Result<Zeroizing<String>, SecretError> {
        self.bound(self.own.as_ref(), url)?;
        self.own()
    }

    pub(super) fn session_for(&self, url: &str) -> Result<Option<Zeroizing<String>>, SecretError> {
        let Some(session) = &self.session else { return Ok(None) };
        self.bound(Some(session), url)?;
        self.locals.read(&session.name, &session.from).map(Some)
    }

    fn bound(&self, own: Option<&Own>, url: &str) -> Result<(), SecretError> {
        let target = Target::parse(url).map_err(|why| self.wrong(why))?;
        match own {
            Some(own) if !own.bound_to.iter().any(|pattern| pattern.takes(&target)) => {
                Err(self.wrong(format!(
                    "it is asked with the secret `{}`, which is not bound to `{}`",
                    own.name,
                    target.origin()
                )))
            }
            _ => Ok(()),
        }
    }

    /// The address below the provider's own.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.setting.url.as_str().trim_end_matches('/'))
    }

    /// Asks; an answer that is no success is a problem.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<Value, SecretError> {
        let answer = self.ask_any(question)?;
        self.good(answer)
    }

    pub(super) fn good(&self, answer: Answer) -> Result<Value, SecretError> {
        match answer.status {
            200..300 => Ok(answer.body),
            404 => Err(self.wrong("it answers 404: there is no such secret")),
            status @ (401 | 403) => {
                Err(self.wrong(format!("it answers {status}: whoever asks may not have it")))
            }
            status => Err(self.wrong(format!("it answers {status}"))),
        }
    }

    pub(super) fn ask_any(&self, question: &Question<'_>) -> Result<Answer, SecretError> {
        self.line.ask(question).map_err(|why| self.wrong(why))
    }
}

/// A name as a part of a path, whatever stands in it. No name is a way up or down.
pub(super) fn part_of_path(text: &str) -> Option<String> {
    if matches!(text, "" | "." | "..") {
        return None;
    }
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(out)
}

/// A text as the value of a field of a form.
pub(super) fn field_of_form(text: &str) -> Zeroizing<String> {
    Zeroizing::new(part_of_path(text).unwrap_or_else(|| text.replace('.', "%2E")))
}

/// A member of the members of a map.
pub(super) fn within<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

pub(super) fn seconds(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(seconds)) => u64::try_from(*seconds).unwrap_or(0),
        _ => 0,
    }
}
