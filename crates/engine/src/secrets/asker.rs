//! The way to a provider of secrets. It is the way everything takes: an `http` link of a chain that may reach that address
//! and nothing else, through the gate and the one egress, on record. What says who asks is a secret of that chain, so it
//! goes where it is bound to. Called from anywhere; whoever asks waits, within a time limit.

use super::local::Locals;
use super::{SecretError, SecretsAround};
use crate::engine::Engine;
use crate::run::RunError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::address::{Pattern, Target};
use ringmail_core::detect::DETECTORS;
use ringmail_core::doc::Source;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::project::{Project, ProviderSetting, SecretSetting, SecretSource};
use ringmail_core::value::{Str, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What a provider answers with is not larger.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long one answer may take, and all of one request with it.
const TIME: &str = "10s";
const TIME_IN_ALL: &str = "20s";
const PERMIT: &str = "permit (principal, action == Ringmail::Action::\"run\", resource);
permit (principal, action == Ringmail::Action::\"call\", resource);
";

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
    roots: Vec<String>,
    locals: Arc<Locals>,
    around: Arc<SecretsAround>,
}

/// One request. `headers` and `body` are templates of a chain; `input` and `secrets` are what stands in them.
#[derive(Default)]
pub(super) struct Question<'q> {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: &'q [(&'q str, &'q str)],
    /// In YAML.
    pub(super) body: Option<&'q str>,
    pub(super) input: &'q [(&'static str, &'q str)],
    pub(super) secrets: &'q [(&'q str, &'q str)],
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// What a provider gave to be asked with, as long as it counts.
pub(super) struct Pass {
    pub(super) token: Zeroizing<String>,
    pub(super) until: Instant,
}

impl Pass {
    /// Ends a while before it really does, so that nobody comes too late with it.
    pub(super) fn new(token: &str, seconds: u64) -> Pass {
        let until = Instant::now() + Duration::from_secs(seconds.saturating_sub(EARLY_S));
        Pass { token: Zeroizing::new(token.into()), until }
    }

    pub(super) fn still(&self) -> bool {
        Instant::now() < self.until
    }
}

/// How much earlier a pass is given up.
const EARLY_S: u64 = 30;

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
            setting: setting.clone(),
            roots: project.extra_roots.clone(),
            locals,
            around,
        }
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> SecretError {
        SecretError::Provider { provider: self.setting.name.clone(), why: why.into() }
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.setting.text(key).unwrap_or_default()
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.around.clock.now_ms()
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

    /// Asks on a thread of its own: whoever calls may be in the middle of something that must not wait for a future.
    pub(super) fn ask_any(&self, question: &Question<'_>) -> Result<Answer, SecretError> {
        let asked = std::thread::scope(|scope| {
            let asking = std::thread::Builder::new().name("secrets".into());
            let asking = asking.spawn_scoped(scope, || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|error| error.to_string())?.block_on(self.exchange(question))
            });
            match asking.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(asked)) => asked,
                Ok(Err(_)) => Err("asking it failed".into()),
                Err(error) => Err(error.to_string()),
            }
        });
        asked.map_err(|why: String| self.wrong(why))
    }

    async fn exchange(&self, question: &Question<'_>) -> Result<Answer, String> {
        let origin = Target::parse(&question.url)?.origin();
        let mut builder = Engine::builder()
            .project(
                Source::new("the grant of a provider", self.grant(&origin, question)),
                &self.around.folder,
            )
            .policies(vec![Source::new("the policy of a provider", PERMIT)])
            .clock(self.around.clock.clone())
            .resolver(self.around.resolver.clone());
        for (name, value) in question.secrets {
            builder = builder.secret(name, value);
        }
        if let Some(recorder) = &self.around.recorder {
            builder = builder.recorder(recorder.clone());
        }
        let engine = builder.build().map_err(|error| error.to_string())?;
        let chain = Source::new("secret.yaml", question.chain());
        let chains = engine.load(&[chain]).map_err(|problems| problems.to_string())?;
        let chain = chains.into_iter().next().ok_or("there is no chain")?;
        let input = question.input.iter().map(|(name, value)| (Str::from(*name), Value::from(*value)));
        let input = input.chain([(Str::from("url"), Value::from(question.url.as_str()))]);
        let request = chain.request(Value::map(input)).map_err(|error| error.to_string())?;
        let answer = request.run().await.result.map_err(|error| match error {
            RunError::Refused(refusal) => refusal.message,
            other => other.to_string(),
        })?;
        let answer = answer.value();
        let status = match answer.get("status") {
            Some(Value::Int(status)) => u16::try_from(*status).unwrap_or(0),
            _ => 0,
        };
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let body = Zeroizing::new(STANDARD.decode(body).map_err(|error| error.to_string())?);
        let limits = JsonLimits { bytes_max: ANSWER_BYTES_MAX, ..JsonLimits::default() };
        match parse(&body, &limits) {
            Ok(body) => Ok(Answer { status, body }),
            Err(_) if !(200..300).contains(&status) => Ok(Answer { status, body: Value::Null }),
            // What is no JSON may hold the secret all the same.
            Err(_) => Err("what it answers is no JSON".into()),
        }
    }

    /// One address, and nothing in the answer is looked at: it goes nowhere but to whoever reads the secret.
    fn grant(&self, origin: &str, question: &Question<'_>) -> String {
        let list = |texts: &mut dyn Iterator<Item = &str>| to_string(&Value::list(texts.map(Value::from)));
        let origin = to_string(&Value::from(origin));
        let mut text = format!(
            "[limits]\ntime = \"{TIME_IN_ALL}\"\n[net]\nextra_roots = {}\n[detect]\n",
            list(&mut self.roots.iter().map(String::as_str)),
        );
        for detector in DETECTORS {
            text.push_str(&format!("{} = false\n", detector.name));
        }
        let tags: Vec<String> = question.secrets.iter().map(|(name, _)| format!("secret:{name}")).collect();
        for (name, _) in question.secrets {
            text.push_str(&format!("[secret.{name}]\nfrom = \"env:NONE\"\nbound_to = [{origin}]\n"));
        }
        let resolves = list(&mut self.setting.resolves_to.iter().map(String::as_str));
        text.push_str(&format!(
            "[[grant]]\nto = \"secret\"\nreason = \"a provider of the project\"\nrespond = {{ clearance = {} }}\n\
             net = [{{ address = {origin}, methods = [\"{}\"], consequential = false, response_max = \"1MiB\", resolves_to = {resolves} }}]\n",
            list(&mut tags.iter().map(String::as_str)),
            question.method,
        ));
        text
    }
}

impl Question<'_> {
    fn chain(&self) -> String {
        let quoted = |text: &str| to_string(&Value::from(text));
        let headers: Vec<String> =
            self.headers.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
        let body = self.body.map_or_else(String::new, |body| format!("      body: {body}\n"));
        format!(
            "chain: secret\nlinks:\n  ask:\n    kind: http\n    timeout: {TIME}\n    with:\n      method: {}\n      url: '${{input.url}}'\n      headers: {{{}}}\n{body}      as: base64\n      expect: any\noutput: ${{ask}}\n",
            self.method,
            headers.join(", "),
        )
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
