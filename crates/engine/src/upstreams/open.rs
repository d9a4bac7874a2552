//! A session with a server of MCP: how it is opened in whichever era the server speaks, and what is asked in it.

use super::message::{Era, chosen, is_stateless};
use super::pipe::Pipe;
use super::web::{Through, Web};
use super::{Answer, Ask, Brought, broken};
use crate::pieces::Pieces;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::Blocked;
use ringmail_core::label::Tags;
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::upstream::{TOOLS_MAX, ToolChange, UpstreamAt, compare, tool_name};
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
    /// What the server says its tools are, and when it said so.
    live: tokio::sync::Mutex<Option<(Instant, Arc<Live>)>>,
}

enum Wire {
    Pipe(Pipe),
    Web(Web),
}

#[derive(Default)]
struct Live {
    tools: BTreeMap<Str, Value>,
    echoed: Tags,
}

impl Wire {
    async fn ask(&self, through: &Through<'_>, ask: Ask<'_>, era: Option<&Era>) -> Result<Answer, Blocked> {
        match self {
            Wire::Pipe(pipe) => pipe.ask(ask, era).await,
            Wire::Web(web) => web.ask(through, ask, era).await,
        }
    }

    async fn tell(&self, through: &Through<'_>, method: &str, era: &Era) -> Result<(), Blocked> {
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
        let era = greet(&wire, through).await?;
        Ok(Session { wire, era, live: tokio::sync::Mutex::new(None) })
    }

    /// What the server says its tools are.
    pub(super) async fn list(&self, through: &Through<'_>) -> Result<Brought, Blocked> {
        let live = self.ask_for_tools(through).await?;
        *self.live.lock().await = Some((Instant::now(), live.clone()));
        Ok(Brought { value: Value::list(live.tools.values().cloned()), echoed: live.echoed })
    }

    async fn ask_for_tools(&self, through: &Through<'_>) -> Result<Arc<Live>, Blocked> {
        let (mut live, mut cursor, mut bytes) = (Live::default(), None, 0);
        for _ in 0..PAGES_MAX {
            let ask = Ask { cursor: cursor.as_ref(), ..Ask::of("tools/list") };
            let answer = self.wire.ask(through, ask, Some(&self.era)).await?;
            live.echoed = live.echoed.with(answer.echoed);
            let page = answer.result.map_err(said)?;
            let tools = page.get("tools").and_then(Value::as_list).ok_or_else(misshapen)?;
            for tool in tools.iter() {
                // What has no name that anybody could use is no tool.
                let Ok(name) = tool_name(tool) else { continue };
                live.tools.insert(name, tool.clone());
            }
            bytes += page.bytes();
            if live.tools.len() > TOOLS_MAX || bytes > LIST_BYTES_MAX {
                return Err(Failure::new(FailureKind::TooLarge, "the list of tools is too long").into());
            }
            match page.get("nextCursor") {
                Some(Value::Str(next)) if Some(next) != cursor.as_ref() => cursor = Some(next.clone()),
                _ => return Ok(Arc::new(live)),
            }
        }
        Err(Failure::new(FailureKind::TooLarge, "the list of tools does not end").into())
    }

    /// What the server says its tools are, as it said it not too long ago.
    async fn live(&self, through: &Through<'_>) -> Result<Arc<Live>, Blocked> {
        let fresh = Duration::from_millis(through.permit.upstream().setting.check_ms);
        let mut live = self.live.lock().await;
        if matches!(&self.wire, Wire::Pipe(pipe) if pipe.has_changed()) {
            // What was said before counts no more, whether or not it can be asked for anew.
            *live = None;
        }
        match &*live {
            Some((at, known)) if at.elapsed() < fresh => Ok(known.clone()),
            _ => {
                let known = self.ask_for_tools(through).await?;
                *live = Some((Instant::now(), known.clone()));
                Ok(known)
            }
        }
    }

    pub(super) async fn call(
        &self,
        through: &Through<'_>,
        tool: &Str,
        args: &Value,
        pieces: Option<&Pieces>,
    ) -> Result<Brought, Blocked> {
        let upstream = through.permit.upstream();
        let live = self.live(through).await?;
        let card = upstream.cards.get(tool).ok_or_else(|| broken("the tool is not pinned"))?;
        let server = &upstream.setting.name;
        let refuse = |message: String| {
            let refusal = Refusal::new(Rule::ToolChanged, through.permit.link(), message);
            let look = format!("look at it, and pin it again: ringmail tool diff {server}");
            Blocked::from(refusal.towards(format!("tool:{server}/{tool}")).change(look))
        };
        match live.tools.get(tool).map(|now| compare(&card.said, now)) {
            None => return Err(refuse(format!("`{server}` does not offer `{tool}` any more"))),
            Some(ToolChange::Capability) => {
                return Err(refuse(format!("`{tool}` of `{server}` is not the one that was pinned")));
            }
            Some(ToolChange::Same | ToolChange::Wording) => {}
        }
        let ask = Ask { tool: Some(tool), args: Some(args), pieces, ..Ask::of("tools/call") };
        let answer = self.wire.ask(through, ask, Some(&self.era)).await?;
        let value = answer.result.map_err(said)?;
        if value.get("resultType").and_then(Value::as_str).is_some_and(|kind| kind != "complete") {
            let message = "the tool asks for more, and nobody is there to answer it";
            return Err(Failure::new(FailureKind::Status, message).into());
        }
        Ok(Brought { value, echoed: answer.echoed.with(live.echoed) })
    }
}

/// Finds out which era the server speaks, and opens a session if it is the one that has them.
async fn greet(wire: &Wire, through: &Through<'_>) -> Result<Era, Blocked> {
    let asking = wire.ask(through, Ask::of("server/discover"), Some(&Era::Stateless));
    match tokio::time::timeout(DISCOVER_MAX, asking).await {
        Ok(Ok(Answer { result: Ok(result), .. })) if is_stateless(&result) => return Ok(Era::Stateless),
        // Older servers do not know the question, and some say nothing to what they do not know.
        Ok(Ok(_)) | Err(_) => {}
        Ok(Err(Blocked::Failed(failure))) if failure.kind == FailureKind::Status => {}
        Ok(Err(other)) => return Err(other),
    }
    let answer = wire.ask(through, Ask::of("initialize"), None).await?;
    let era = chosen(&answer.result.map_err(said)?)?;
    wire.tell(through, "notifications/initialized", &era).await?;
    Ok(era)
}

/// An error of the protocol; its words are the server's, and stay there.
fn said(code: i64) -> Failure {
    Failure::new(FailureKind::Status, format!("the server answered with the error {code}"))
}

fn misshapen() -> Failure {
    Failure::new(FailureKind::Invalid, "the server's list of tools is none")
}
