//! One request to one address, outside of any project's chains: to a provider of secrets, to whoever records are sent on to. It
//! goes the way everything goes: by an `http` link of a chain that may reach that address and nothing else, through the gate and
//! the one egress. What says who asks is a secret of that chain. Called from anywhere; whoever asks waits, within a time limit.

use crate::chain::Chain;
use crate::engine::Engine;
use crate::run::RunError;
use crate::secrets::SecretsAround;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::address::Target;
use ringmail_core::detect::DETECTORS;
use ringmail_core::doc::Source;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::{Str, Value};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What is answered is not larger.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long one answer may take, and all of one request with it.
const TIME: &str = "10s";
const TIME_IN_ALL: &str = "20s";
const PERMIT: &str = "permit (principal, action == Ringmail::Action::\"run\", resource);
permit (principal, action == Ringmail::Action::\"call\", resource);
";

/// One request. `headers` and `body` are templates of a chain; `input` and `secrets` are what stands in them.
#[derive(Default)]
pub(crate) struct Question<'q> {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: &'q [(&'q str, &'q str)],
    /// In YAML.
    pub(crate) body: Option<&'q str>,
    pub(crate) input: &'q [(&'static str, &'q str)],
    pub(crate) secrets: &'q [(&'q str, &'q str)],
    /// Whether an answer may be something else than JSON.
    pub(crate) any_body: bool,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// What the way to one address needs of its surroundings.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) resolves_to: Vec<String>,
    pub(crate) roots: Vec<String>,
    pub(crate) around: Arc<SecretsAround>,
}

impl Line {
    /// Asks on a thread of its own: whoever calls may be in the middle of something that must not wait for a future.
    pub(crate) fn ask(&self, question: &Question<'_>) -> Result<Answer, String> {
        std::thread::scope(|scope| {
            let asking = std::thread::Builder::new().name("asking".into());
            let asking = asking.spawn_scoped(scope, || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(|error| error.to_string())?.block_on(self.exchange(question))
            });
            match asking.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(asked)) => asked,
                Ok(Err(_)) => Err("asking it failed".into()),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    async fn exchange(&self, question: &Question<'_>) -> Result<Answer, String> {
        let origin = Target::parse(&question.url)?.origin();
        let mut builder = Engine::builder()
            .project(
                Source::new("the grant of a request", self.grant(&origin, question)),
                &self.around.folder,
            )
            .policies(vec![Source::new("the policy of a request", PERMIT)])
            .clock(self.around.clock.clone())
            .resolver(self.around.resolver.clone());
        for (name, value) in question.secrets {
            builder = builder.secret(name, value);
        }
        if let Some(recorder) = &self.around.recorder {
            builder = builder.recorder(recorder.clone());
        }
        let engine = builder.build().map_err(|error| error.to_string())?;
        let chain = Source::new("request.yaml", question.chain());
        let chains = engine.load(&[chain]).map_err(|problems| problems.to_string())?;
        let chain = chains.into_iter().next().ok_or("there is no chain")?;
        let input = question.input.iter().map(|(name, value)| (Str::from(*name), Value::from(*value)));
        let input = input.chain([(Str::from("url"), Value::from(question.url.as_str()))]);
        let answer = chain.ask(Value::map(input)).await?;
        let status = match answer.get("status") {
            Some(Value::Int(status)) => u16::try_from(*status).unwrap_or(0),
            _ => 0,
        };
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let body = Zeroizing::new(STANDARD.decode(body).map_err(|error| error.to_string())?);
        let limits = JsonLimits { bytes_max: ANSWER_BYTES_MAX, ..JsonLimits::default() };
        match parse(&body, &limits) {
            Ok(body) => Ok(Answer { status, body }),
            Err(_) if question.any_body || !(200..300).contains(&status) => {
                Ok(Answer { status, body: Value::Null })
            }
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
        let resolves = list(&mut self.resolves_to.iter().map(String::as_str));
        text.push_str(&format!(
            "[[grant]]\nto = \"request\"\nreason = \"a server of the project\"\nrespond = {{ clearance = {} }}\n\
             net = [{{ address = {origin}, methods = [\"{}\"], consequential = false, response_max = \"1MiB\", resolves_to = {resolves} }}]\n",
            list(&mut tags.iter().map(String::as_str)),
            question.method,
        ));
        text
    }
}

impl Chain {
    /// Runs it for the host itself. Nothing of what it carries is kept: it may be a secret, and nobody goes on with it.
    pub(crate) async fn ask(&self, input: Value) -> Result<Value, String> {
        let request = self.request(input).map_err(RunError::told)?;
        let answer = request.unkept().run().await.result.map_err(RunError::told)?;
        Ok(answer.value().clone())
    }
}

impl Question<'_> {
    fn chain(&self) -> String {
        let quoted = |text: &str| to_string(&Value::from(text));
        let headers: Vec<String> =
            self.headers.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
        let body = self.body.map_or_else(String::new, |body| format!("      body: {body}\n"));
        format!(
            "chain: request\nlinks:\n  ask:\n    kind: http\n    timeout: {TIME}\n    with:\n      method: {}\n      url: '${{input.url}}'\n      headers: {{{}}}\n{body}      as: base64\n      expect: any\noutput: ${{ask}}\n",
            self.method,
            headers.join(", "),
        )
    }
}
