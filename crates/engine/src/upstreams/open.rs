//! A session with a server of MCP: how it is opened in whichever era the server speaks, and what is asked in it.

use super::message::{Era, UNKNOWN_METHOD, UNKNOWN_VERSION, chosen, hello, is_stateless};
use super::pipe::Pipe;
use super::web::{Through, Web};
use super::{Answer, Ask, Brought, Wanted, broken};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Blocked;
use ringmail_core::json::to_string;
use ringmail_core::label::Tags;
use ringmail_core::offer::{Card, Offered, ToolChange};
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::upstream::{OFFERS_MAX, UpstreamAt};
use ringmail_core::value::{Str, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pages of one list, and bytes of all of them.
const PAGES_MAX: usize = 1_000;
const LIST_BYTES_MAX: usize = 16 << 20;
/// How long a server may think about a question that only newer ones know.
const DISCOVER_MAX: Duration = Duration::from_secs(5);

pub(super) struct Session {
    wire: Wire,
    era: Era,
    /// What the server says it can do.
    able: Value,
    /// What the server says it offers of each kind, and when it said so.
    live: tokio::sync::Mutex<BTreeMap<Offered, (Instant, Arc<Live>)>>,
}

enum Wire {
    Pipe(Pipe),
    Web(Web),
}

#[derive(Default)]
struct Live {
    /// By the names that pins have them by.
    said: BTreeMap<Str, Value>,
    echoed: Tags,
}

impl Wire {
    async fn ask(&self, through: &Through<'_>, ask: Ask<'_>, era: Option<&Era>) -> Result<Answer, Blocked> {
        match self {
            Wire::Pipe(pipe) => pipe.ask(ask, era).await,
            Wire::Web(web) => web.ask(through, ask, era).await,
        }
    }

    async fn tell(&self, through: &Through<'_>, method: &'static str, era: &Era) -> Result<(), Blocked> {
        match self {
            Wire::Pipe(pipe) => Ok(pipe.tell(method).await?),
            Wire::Web(web) => web.tell(through, method, era).await,
        }
    }
}

impl Session {
    pub(super) async fn open(through: &Through<'_>) -> Result<Session, Blocked> {
        let setting = &through.permit.upstream().setting;
        let bytes_max = usize::try_from(setting.answer_bytes_max).unwrap_or(usize::MAX);
        let wire = match &setting.at {
            UpstreamAt::Http(_) => Wire::Web(Web::default()),
            UpstreamAt::Command(name) => {
                let (spec, walls) =
                    through.engine.commands.get(name).ok_or_else(|| broken("its command is not there"))?;
                Wire::Pipe(Pipe::start(spec, walls, bytes_max).await?)
            }
        };
        let (era, able) = greet(&wire, through).await?;
        Ok(Session { wire, era, able, live: Default::default() })
    }

    /// What the server says it offers, as files of pins have it.
    pub(super) async fn list(&self, through: &Through<'_>) -> Result<Brought, Blocked> {
        let (mut all, mut echoed) = (Vec::new(), Tags::NONE);
        for offer in Offered::ALL {
            let live = self.ask_for(offer, through).await?;
            echoed = echoed.with(live.echoed);
            all.push((offer.member(), Value::list(live.said.values().cloned())));
            self.live.lock().await.insert(offer, (Instant::now(), live));
        }
        Ok(Brought { value: Value::map(all), echoed })
    }

    async fn ask_for(&self, offer: Offered, through: &Through<'_>) -> Result<Arc<Live>, Blocked> {
        let (mut live, mut cursor, mut bytes) = (Live::default(), None, 0);
        let (method, part) = match offer {
            Offered::Tool => ("tools/list", None),
            Offered::Prompt => ("prompts/list", Some("prompts")),
            Offered::Resource => ("resources/list", Some("resources")),
            Offered::Template => ("resources/templates/list", Some("resources")),
        };
        if part.is_some_and(|part| self.able.get(part).is_none()) {
            return Ok(Arc::new(live));
        }
        for _ in 0..PAGES_MAX {
            let params = cursor.iter().map(|cursor: &Str| ("cursor", Value::Str(cursor.clone())));
            let answer = self.wire.ask(through, Ask::of(method, params.collect()), Some(&self.era)).await?;
            live.echoed = live.echoed.with(answer.echoed);
            let page = match answer.result {
                // Some have resources and nothing to say of templates.
                Err(UNKNOWN_METHOD) if offer == Offered::Template => return Ok(Arc::new(live)),
                result => result.map_err(said)?,
            };
            let listed = page.get(offer.member()).and_then(Value::as_list).ok_or_else(misshapen)?;
            for of in listed.iter() {
                // What has no name that anybody could use is not there.
                let Ok(name) = offer.name(of) else { continue };
                live.said.insert(name, of.clone());
            }
            bytes += page.bytes();
            if live.said.len() > OFFERS_MAX || bytes > LIST_BYTES_MAX {
                return Err(too_large(&format!("the list of {} is too long", offer.member())));
            }
            match page.get("nextCursor") {
                Some(Value::Str(next)) if Some(next) != cursor.as_ref() => cursor = Some(next.clone()),
                _ => return Ok(Arc::new(live)),
            }
        }
        Err(too_large(&format!("the list of {} does not end", offer.member())))
    }

    /// What the server says it offers, as it said it not too long ago.
    async fn live(&self, offer: Offered, through: &Through<'_>) -> Result<Arc<Live>, Blocked> {
        let fresh = Duration::from_millis(through.permit.upstream().setting.check_ms);
        let mut live = self.live.lock().await;
        let changed = match &self.wire {
            Wire::Pipe(pipe) => pipe.has_changed(),
            Wire::Web(web) => web.has_changed(),
        };
        if changed {
            // What was said before counts no more, whether or not it can be asked for anew.
            live.clear();
        }
        match live.get(&offer) {
            Some((at, known)) if at.elapsed() < fresh => Ok(known.clone()),
            _ => {
                let known = self.ask_for(offer, through).await?;
                live.insert(offer, (Instant::now(), known.clone()));
                Ok(known)
            }
        }
    }

    pub(super) async fn call(
        &self,
        through: &Through<'_>,
        name: &Str,
        wanted: Wanted<'_>,
    ) -> Result<Brought, Blocked> {
        let upstream = through.permit.upstream();
        let card = upstream.cards.get(name).ok_or_else(|| broken("the tool is not pinned"))?;
        let live = self.live(card.offer, through).await?;
        let server = &upstream.setting.name;
        let refuse = |message: String| {
            let refusal = Refusal::new(Rule::ToolChanged, through.permit.link(), message);
            let look = format!("look at it, and pin it again: ringmail tool diff {server}");
            Blocked::from(refusal.towards(format!("tool:{server}/{name}")).change(look))
        };
        match live.said.get(name).map(|now| card.change(now)) {
            None => return Err(refuse(format!("`{server}` does not offer `{name}` any more"))),
            Some(ToolChange::Capability) => {
                return Err(refuse(format!("`{name}` of `{server}` is not the one that was pinned")));
            }
            Some(ToolChange::Same | ToolChange::Wording) => {}
        }
        if wanted.completes && self.able.get("completions").is_none() {
            // Whoever offers no completions has none.
            let nothing = Value::map([("values", Value::list([]))]);
            return Ok(Brought { value: Value::map([("completion", nothing)]), echoed: live.echoed });
        }
        let answer = self.wire.ask(through, asked(card, wanted)?, Some(&self.era)).await?;
        let value = answer.result.map_err(said)?;
        if value.get("resultType").and_then(Value::as_str).is_some_and(|kind| kind != "complete") {
            let message = "the tool asks for more, and nobody is there to answer it";
            return Err(Failure::new(FailureKind::Status, message).into());
        }
        Ok(Brought { value, echoed: answer.echoed.with(live.echoed) })
    }
}

/// The request that a call is.
fn asked<'a>(card: &Card, wanted: Wanted<'a>) -> Result<Ask<'a>, Failure> {
    let args = wanted.args;
    if wanted.completes {
        let of = match card.offer {
            Offered::Template => ("ref/resource", "uri"),
            _ => ("ref/prompt", "name"),
        };
        let of = [("type", Value::from(of.0)), (of.1, Value::from(card.bare()))];
        let given = ["argument", "context"].into_iter().filter_map(|key| Some((key, args.get(key)?.clone())));
        let params = [("ref", Value::map(of))].into_iter().chain(given).collect();
        return Ok(Ask::of("completion/complete", params));
    }
    let (method, name, params) = match card.offer {
        Offered::Tool | Offered::Prompt => {
            let method = if card.offer == Offered::Tool { "tools/call" } else { "prompts/get" };
            let name = card.bare().to_string();
            (method, name.clone(), vec![("name", Value::from(name)), ("arguments", args.clone())])
        }
        Offered::Resource | Offered::Template => {
            let uri = card.uri.as_ref().and_then(|uri| uri.fill(args));
            let uri = uri.ok_or_else(|| Failure::new(FailureKind::Invalid, "the arguments make no URI"))?;
            ("resources/read", uri.clone(), vec![("uri", Value::from(uri))])
        }
    };
    let heads = card.headers.iter().filter_map(|(name, header)| head(header, args.get(name)?)).collect();
    Ok(Ask { method, name: Some(name), params, heads, pieces: wanted.pieces })
}

/// An argument as a head of its request. What would not come through as it is, is written in base64.
fn head(header: &str, value: &Value) -> Option<(String, String)> {
    let text = match value {
        Value::Str(text) => text.to_string(),
        Value::Int(_) | Value::Bool(_) => to_string(value),
        _ => return None,
    };
    let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let text = match plain && text.trim() == text && !text.starts_with("=?base64?") {
        true => text,
        false => format!("=?base64?{}?=", STANDARD.encode(text)),
    };
    Some((format!("mcp-param-{}", header.to_ascii_lowercase()), text))
}

/// Finds out which era the server speaks, opens a session if it is the one that has them, and hears what it can do.
async fn greet(wire: &Wire, through: &Through<'_>) -> Result<(Era, Value), Blocked> {
    let able = |result: &Value| result.get("capabilities").cloned().unwrap_or_default();
    let discover = || wire.ask(through, Ask::of("server/discover", Vec::new()), Some(&Era::Stateless));
    let asking = async {
        match discover().await {
            // Who knows of versions in this way speaks without sessions, and may have thought better of it.
            Ok(Answer { result: Err(UNKNOWN_VERSION), .. }) => discover().await,
            answer => answer,
        }
    };
    match tokio::time::timeout(DISCOVER_MAX, asking).await {
        Ok(Ok(Answer { result: Ok(result), .. })) if is_stateless(&result) => {
            return Ok((Era::Stateless, able(&result)));
        }
        // Older servers do not know the question, and some say nothing to what they do not know.
        Ok(Ok(_)) | Err(_) => {}
        Ok(Err(Blocked::Failed(failure))) if failure.kind == FailureKind::Status => {}
        Ok(Err(other)) => return Err(other),
    }
    let answer = wire.ask(through, Ask::of("initialize", hello()), None).await?;
    let result = answer.result.map_err(said)?;
    let era = chosen(&result)?;
    wire.tell(through, "notifications/initialized", &era).await?;
    Ok((era, able(&result)))
}

fn too_large(message: &str) -> Blocked {
    Failure::new(FailureKind::TooLarge, message).into()
}

/// An error of the protocol; its words are the server's, and stay there.
fn said(code: i64) -> Failure {
    Failure::new(FailureKind::Status, format!("the server answered with the error {code}"))
}

fn misshapen() -> Failure {
    Failure::new(FailureKind::Invalid, "the server's list is none")
}
