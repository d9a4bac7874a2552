//! `ringmail tool`: the tools of servers of MCP, as they were pinned and as they are.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{DIM, Format, clean, paint, print, print_json, say};
use anyhow::Context;
use ringmail_engine::Engine;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::offer::{self, Card, Offered};
use ringmail_engine::core::search::Index;
use ringmail_engine::core::upstream::{Upstream, UpstreamAt, pins_file};
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::packages::write_whole;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of a description in a list.
const WORDS_MAX: usize = 80;

/// Look at tools, prompts and resources of servers of MCP, and pin what links and callers may use
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[arg(long, value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(clap::Subcommand)]
enum What {
    /// What is pinned
    List {
        /// Of this server alone, as `[upstream.NAME]` calls it
        server: Option<String>,
    },
    /// Find what is pinned by words of its name, its description and its parameters
    Search {
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// How what a server offers now differs from what is pinned
    Diff { server: String },
    /// Pin what the server offers as it defines it now: look at it first
    Pin {
        server: String,
        /// Only this one, such as `read_*` or `prompt:*`; others stay as they are pinned
        #[arg(long, value_name = "TOOL")]
        tool: Vec<String>,
    },
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        match &self.what {
            What::List { server } => self.list(&place, server.as_deref()),
            What::Search { words } => self.search(&place, words),
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
        let cards =
            all.iter().flat_map(|upstream| upstream.cards.values().map(move |card| (&***upstream, &**card)));
        self.show(cards)?;
        for upstream in &all {
            let server = &upstream.setting.name;
            for (name, why) in &upstream.unusable {
                say(&format!("{server}/{name} cannot be used: {}", clean(why)));
            }
            if upstream.cards.is_empty() {
                say(&format!(
                    "nothing of `{server}` is pinned; look at what it offers: ringmail tool diff {server}"
                ));
            }
        }
        if all.is_empty() && self.format == Format::Text {
            say("the project names no servers of MCP: `[upstream.NAME]` in `ringmail.toml`");
        }
        Ok(Exit::Done)
    }

    fn search(&self, place: &Place, asked: &[String]) -> Result<Exit, Fault> {
        let engine = place.checker()?;
        let cards = engine.upstreams().values();
        let cards: Vec<(&Upstream, &Card)> = cards
            .flat_map(|upstream| upstream.cards.values().map(move |card| (&**upstream, &**card)))
            .collect();
        let mut index = Index::default();
        for (_, card) in &cards {
            let text = |key: &str| card.said.get(key).and_then(Value::as_str).unwrap_or_default();
            let properties = card.input.json().get("properties").map(Value::from);
            let names = properties.as_ref().and_then(Value::as_map).into_iter().flat_map(|map| map.iter());
            let all = [(3.0, &*card.name), (1.0, text("title")), (1.0, text("description"))];
            index.add(all.into_iter().chain(names.map(|(name, _)| (1.5, &**name))));
        }
        let found = index.find(&asked.join(" "), |_| true);
        if found.is_empty() && self.format == Format::Text {
            say("nothing that is pinned has any of these words: ringmail tool list");
        }
        self.show(found.iter().filter_map(|number| cards.get(*number).copied()))?;
        Ok(Exit::Done)
    }

    fn show<'c>(&self, cards: impl Iterator<Item = (&'c Upstream, &'c Card)>) -> Result<(), Fault> {
        let mut told = Vec::new();
        for (upstream, card) in cards {
            let server = &upstream.setting.name;
            let words = card.said.get("description").and_then(Value::as_str).unwrap_or_default();
            let seen = upstream.seen_as(card);
            match self.format {
                Format::Text => {
                    let words: String =
                        words.lines().next().unwrap_or_default().chars().take(WORDS_MAX).collect();
                    let seen = seen.map_or_else(String::new, |name| format!(" (callers see `{name}`)"));
                    let allowed = if upstream.allows(&card.name) { "" } else { " (not among `tools`)" };
                    let words = paint(DIM, &clean(&words));
                    print(&format!("{server}/{}{seen}{allowed}  {words}", card.name))?;
                }
                Format::Json => told.push(Value::map([
                    ("server", Value::Str(server.clone())),
                    ("tool", card.said.clone()),
                    ("allowed", Value::Bool(upstream.allows(&card.name))),
                    ("seen_as", seen.map_or(Value::Null, |name| Value::from(name.as_str()))),
                ])),
            }
        }
        match self.format {
            Format::Json => print_json(&Value::list(told)),
            Format::Text => Ok(()),
        }
    }

    fn diff(&self, upstream: &Upstream, now: &Offers) -> Result<Exit, Fault> {
        let all = changes(upstream, now);
        match self.format {
            Format::Json => print_json(&Value::list(all.iter().map(Change::to_value)))?,
            Format::Text if all.is_empty() => say("what the server offers is what is pinned"),
            Format::Text => all.iter().try_for_each(Change::print)?,
        }
        Ok(Exit::Done)
    }

    fn pin(&self, place: &Place, upstream: &Upstream, now: &Offers, tools: &[String]) -> Result<Exit, Fault> {
        let patterns: Vec<Str> = tools.iter().map(|tool| tool.as_str().into()).collect();
        let chosen = |name: &Str| patterns.is_empty() || offer::names(&patterns, name);
        let new: Vec<(Str, (Offered, Value))> =
            now.clone().into_iter().filter(|(name, _)| chosen(name)).collect();
        let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
        if count == 0 {
            return Err(
                Fault::user("the server offers no such tool").hint("what it offers: ringmail tool diff")
            );
        }
        // The server may say something else than when somebody looked, so what is taken is shown.
        let taken: Vec<Change> =
            changes(upstream, now).into_iter().filter(|change| chosen(&change.tool)).collect();
        let kept = upstream.cards.values().filter(|card| !chosen(&card.name));
        let kept = kept.map(|card| (card.name.clone(), (card.offer, card.said.clone())));
        let all: Offers = kept.chain(new).collect();
        let server = &upstream.setting.name;
        let listed = |offer: Offered| {
            let of = all.values().filter(|(known, _)| *known == offer).map(|(_, said)| said.clone());
            (offer.member(), Value::list(of))
        };
        let named = [("server", Value::Str(server.clone()))];
        let text = Value::map(named.into_iter().chain(Offered::ALL.map(listed)));
        let path = place.root.join(pins_file(server));
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| write_whole(&path, ringmail_engine::core::json::to_pretty(&text).as_bytes()));
        written.with_context(|| format!("cannot write `{}`", path.display()))?;
        match self.format {
            Format::Json => {
                let changes = Value::list(taken.iter().map(Change::to_value));
                print_json(&Value::map([("pinned", Value::Int(count)), ("changes", changes)]))?
            }
            Format::Text => {
                taken.iter().try_for_each(Change::print)?;
                print(&format!("{count} definitions of `{server}` are pinned in `{}`", pins_file(server)))?
            }
        }
        Ok(Exit::Done)
    }
}

/// What a server offers, by the names that pins have it by.
pub(super) type Offers = BTreeMap<Str, (Offered, Value)>;

/// How one tool differs from what is pinned of it.
pub(super) struct Change {
    pub(super) tool: Str,
    pub(super) how: &'static str,
    pinned: Value,
    now: Value,
}

pub(super) fn changes(upstream: &Upstream, now: &Offers) -> Vec<Change> {
    let pinned = |name: &Str| upstream.cards.get(name).map_or(Value::Null, |card| card.said.clone());
    let changed = now.iter().filter_map(|(name, (_, said))| {
        let how = match upstream.cards.get(name).map(|card| card.change(said)) {
            _ if upstream.unusable.contains_key(name) => "cannot be used",
            None => "new",
            Some(offer::ToolChange::Same) => return None,
            Some(offer::ToolChange::Wording) => "other words",
            Some(offer::ToolChange::Capability) => "another tool; it is not called until it is pinned again",
        };
        Some(Change { tool: name.clone(), how, pinned: pinned(name), now: said.clone() })
    });
    let gone = upstream.cards.keys().filter(|name| !now.contains_key(*name)).map(|name| Change {
        tool: name.clone(),
        how: "gone",
        pinned: pinned(name),
        now: Value::Null,
    });
    changed.chain(gone).collect()
}

impl Change {
    fn to_value(&self) -> Value {
        Value::map([
            ("tool", Value::Str(self.tool.clone())),
            ("change", Value::from(self.how)),
            ("pinned", self.pinned.clone()),
            ("now", self.now.clone()),
        ])
    }

    fn print(&self) -> Result<(), Fault> {
        print(&format!("{}: {}", self.tool, self.how))?;
        for (which, said) in [("pinned", &self.pinned), ("now   ", &self.now)] {
            if *said != Value::Null {
                print(&paint(DIM, &format!("  {which}  {}", clean(&to_string(said)))))?;
            }
        }
        Ok(())
    }
}

fn known<'e>(engine: &'e Engine, server: &str) -> Result<&'e Arc<Upstream>, Fault> {
    engine.upstreams().get(server).ok_or_else(|| no_server(server))
}

fn no_server(server: &str) -> Fault {
    let help = format!("add to `ringmail.toml`:\n[upstream.{server}]\nurl = \"https://...\"");
    Fault::user(format!("there is no upstream `{}`", clean(server))).hint(help)
}

/// What the server says it offers now.
pub(super) fn ask(place: &Place, server: &str) -> Result<(Engine, Offers), Fault> {
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
    let said = runtime.block_on(engine.offers_of(server));
    let said =
        said.map_err(|why| Fault::user(format!("cannot ask `{server}` what it offers: {}", clean(&why))))?;
    let listed = |offer: Offered| {
        let list = said.get(offer.member()).and_then(Value::as_list).into_iter();
        let all = list.flat_map(|list| list.iter());
        all.filter_map(move |said| Some((offer.name(said).ok()?, (offer, said.clone()))))
    };
    let named = Offered::ALL.into_iter().flat_map(listed).collect();
    runtime.shutdown_background();
    Ok((engine, named))
}
