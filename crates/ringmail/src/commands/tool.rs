//! `ringmail tool`: the tools of servers of MCP, as they were pinned and as they are.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{DIM, Format, clean, paint, print, print_json, say};
use anyhow::Context;
use ringmail_engine::Engine;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::upstream::{ToolChange, Upstream, UpstreamAt, compare, pins_file, tool_name};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::write_whole;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of a description in a list.
const WORDS_MAX: usize = 80;

/// Look at the tools of servers of MCP, and pin what links and callers may use
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum What {
    /// The tools that are pinned
    List {
        /// Of this server alone, as `[upstream.NAME]` calls it
        server: Option<String>,
    },
    /// How what a server offers now differs from what is pinned
    Diff { server: String },
    /// Pin the tools as the server defines them now: look at them first
    Pin {
        server: String,
        /// Only this one, such as `read_*`; others stay as they are pinned
        #[arg(long, value_name = "TOOL")]
        tool: Vec<String>,
    },
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        match &self.what {
            What::List { server } => self.list(&place, server.as_deref()),
            What::Diff { server } => {
                let (engine, now) = ask(&place, server)?;
                self.diff(known(&engine, server)?, &now)
            }
            What::Pin { server, tool } => {
                let (engine, now) = ask(&place, server)?;
                self.pin(&place, known(&engine, server)?, &now, tool)
            }
        }
    }

    fn list(&self, place: &Place, server: Option<&str>) -> Result<Exit, Fault> {
        let engine = place.checker()?;
        let all: Vec<&Arc<Upstream>> = match server {
            Some(server) => vec![known(&engine, server)?],
            None => engine.upstreams().values().collect(),
        };
        let mut cards = Vec::new();
        for upstream in &all {
            let served: BTreeMap<Str, String> =
                upstream.served().map(|(name, card)| (card.name.clone(), name)).collect();
            let server = &upstream.setting.name;
            for card in upstream.cards.values() {
                let words = card.said.get("description").and_then(Value::as_str).unwrap_or_default();
                let seen = served.get(&card.name);
                match self.format {
                    Format::Text => {
                        let words: String =
                            words.lines().next().unwrap_or_default().chars().take(WORDS_MAX).collect();
                        let seen = seen.map_or_else(String::new, |name| format!(" (callers see `{name}`)"));
                        let allowed = if upstream.allows(&card.name) { "" } else { " (not among `tools`)" };
                        print(&format!(
                            "{server}/{}{seen}{allowed}  {}",
                            card.name,
                            paint(DIM, &clean(&words))
                        ))?;
                    }
                    Format::Json => cards.push(Value::map([
                        ("server", Value::Str(server.clone())),
                        ("tool", card.said.clone()),
                        ("allowed", Value::Bool(upstream.allows(&card.name))),
                        ("seen_as", seen.map_or(Value::Null, |name| Value::from(name.as_str()))),
                    ])),
                }
            }
            for (name, why) in &upstream.unusable {
                say(&format!("{server}/{name} cannot be used: {}", clean(why)));
            }
            if upstream.cards.is_empty() {
                say(&format!(
                    "nothing of `{server}` is pinned; look at what it offers: ringmail tool diff {server}"
                ));
            }
        }
        if self.format == Format::Json {
            print_json(&Value::list(cards))?;
        } else if all.is_empty() {
            say("the project names no servers of MCP: `[upstream.NAME]` in `ringmail.toml`");
        }
        Ok(Exit::Done)
    }

    fn diff(&self, upstream: &Upstream, now: &BTreeMap<Str, Value>) -> Result<Exit, Fault> {
        let mut told = Vec::new();
        for (name, said) in now {
            let how = match upstream.cards.get(name).map(|card| compare(&card.said, said)) {
                _ if upstream.unusable.contains_key(name) => "cannot be used",
                None => "new",
                Some(ToolChange::Same) => continue,
                Some(ToolChange::Wording) => "other words",
                Some(ToolChange::Capability) => "another tool; it is not called until it is pinned again",
            };
            told.push((name.clone(), how, said.clone()));
        }
        let gone = upstream.cards.keys().filter(|name| !now.contains_key(*name));
        told.extend(gone.map(|name| (name.clone(), "gone", Value::Null)));
        match self.format {
            Format::Json => print_json(&Value::list(told.iter().map(|(name, how, said)| {
                let pinned = upstream.cards.get(name).map_or(Value::Null, |card| card.said.clone());
                Value::map([
                    ("tool", Value::Str(name.clone())),
                    ("change", Value::from(*how)),
                    ("pinned", pinned),
                    ("now", said.clone()),
                ])
            })))?,
            Format::Text if told.is_empty() => say("what the server offers is what is pinned"),
            Format::Text => {
                for (name, how, said) in &told {
                    print(&format!("{name}: {how}"))?;
                    if let Some(card) = upstream.cards.get(name) {
                        print(&paint(DIM, &format!("  pinned  {}", clean(&to_string(&card.said)))))?;
                    }
                    if *said != Value::Null {
                        print(&paint(DIM, &format!("  now     {}", clean(&to_string(said)))))?;
                    }
                }
            }
        }
        Ok(Exit::Done)
    }

    fn pin(
        &self,
        place: &Place,
        upstream: &Upstream,
        now: &BTreeMap<Str, Value>,
        tools: &[String],
    ) -> Result<Exit, Fault> {
        let patterns: Vec<Str> = tools.iter().map(|tool| tool.as_str().into()).collect();
        let chosen =
            |name: &Str| patterns.is_empty() || ringmail_engine::core::upstream::names(&patterns, name);
        let new =
            now.iter().filter(|(name, _)| chosen(name)).map(|(name, said)| (name.clone(), said.clone()));
        let kept = upstream.cards.values().filter(|card| !chosen(&card.name));
        let mut all: BTreeMap<Str, Value> = kept.map(|card| (card.name.clone(), card.said.clone())).collect();
        let mut count = 0_i64;
        for (name, said) in new {
            all.insert(name, said);
            count += 1;
        }
        if count == 0 {
            return Err(
                Fault::user("the server offers no such tool").hint("what it offers: ringmail tool diff")
            );
        }
        let server = &upstream.setting.name;
        let text =
            Value::map([("server", Value::Str(server.clone())), ("tools", Value::list(all.into_values()))]);
        let path = place.root.join(pins_file(server));
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| write_whole(&path, ringmail_engine::core::json::to_pretty(&text).as_bytes()));
        written.with_context(|| format!("cannot write `{}`", path.display()))?;
        match self.format {
            Format::Json => print_json(&Value::map([("pinned", Value::Int(count))]))?,
            Format::Text => {
                print(&format!("{count} tools of `{server}` are pinned in `{}`", pins_file(server)))?
            }
        }
        Ok(Exit::Done)
    }
}

fn known<'e>(engine: &'e Engine, server: &str) -> Result<&'e Arc<Upstream>, Fault> {
    engine.upstreams().get(server).ok_or_else(|| no_server(server))
}

fn no_server(server: &str) -> Fault {
    let help = format!("add to `ringmail.toml`:\n[upstream.{server}]\nurl = \"https://...\"");
    Fault::user(format!("there is no upstream `{}`", clean(server))).hint(help)
}

/// What the server says its tools are now, by name.
fn ask(place: &Place, server: &str) -> Result<(Engine, BTreeMap<Str, Value>), Fault> {
    if !place.project.upstreams.iter().any(|known| &*known.name == server) {
        return Err(no_server(server));
    }
    let engine = place.engine_looking_at(server)?;
    if let UpstreamAt::Http(http) = &known(&engine, server)?.setting.at
        && let Some(file) = &http.openapi
    {
        let message = format!("the tools of `{server}` are what `{}` says", clean(file));
        return Err(Fault::user(message).hint(format!("ringmail tool list {server}")));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("cannot start")?;
    let said = runtime.block_on(engine.tools_of(server));
    let said =
        said.map_err(|why| Fault::user(format!("cannot ask `{server}` for its tools: {}", clean(&why))))?;
    let named = said.into_iter().filter_map(|said| Some((tool_name(&said).ok()?, said)));
    let named = named.collect();
    runtime.shutdown_background();
    Ok((engine, named))
}
