//! `ringmail inspect`: what a chain is made of and what it may reach.

use super::Common;
use super::check::{verdict_json, verdict_lines, verdicts_of};
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::progress::{duration, size};
use crate::terminal::{BOLD, DIM, Format, clean, paint, print, print_json, time};
use ringmail_engine::Engine;
use ringmail_engine::core::chain::{Arrow, Link, On, Plan};
use ringmail_engine::core::grant::Grant;
use ringmail_engine::core::json::from_serde;
use ringmail_engine::core::value::{Str, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Show what a chain is made of, what it was granted and where its data may flow
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Chain file, or the name of a chain of the project
    chain: String,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let (place, wanted) = Place::around(common.project.as_deref(), &self.chain)?;
        let engine = place.checker()?;
        let checked = engine.check(&place.chains);
        let plan = match wanted.pick(&checked.plans, |plan| plan) {
            Ok(plan) => plan,
            Err(_) if !checked.problems.is_empty() => return Err(checked.problems.into()),
            Err(fault) => return Err(fault),
        };
        let verdicts = verdicts_of(&checked, plan);
        match self.format {
            Format::Json => {
                let mut members = describe(&engine, plan);
                members.push(("sinks", Value::list(verdicts.into_iter().map(verdict_json))));
                print_json(&Value::map(members))?;
            }
            Format::Text => {
                let mut out = text(&engine, plan);
                if !verdicts.is_empty() {
                    out.push_str(&format!("{}\n{}", paint(BOLD, "sinks"), verdict_lines(&verdicts)));
                }
                print(&out)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn text(engine: &Engine, plan: &Arc<Plan>) -> String {
    let mut out = format!("{} {}\n", paint(BOLD, &plan.name), paint(DIM, &clean(&plan.source.name)));
    let mut line = |name: &str, value: &str| out.push_str(&format!("  {name:<10} {}\n", clean(value)));
    if !plan.description.is_empty() {
        line("for", &plan.description);
    }
    line("sha256", &plan.digest);
    line("input", &plan.input.as_ref().map_or("anything".into(), |schema| schema.json().to_string()));
    line("returns", &plan.returns.as_ref().map_or("anything".into(), |schema| schema.json().to_string()));
    let limits = plan.limits;
    let time = duration(limits.time_ms_max.saturating_mul(1000));
    line(
        "limits",
        &format!("{} steps, {time}, {} deep, {}", limits.steps_max, limits.depth_max, size(limits.bytes_max)),
    );
    if !plan.middleware.is_empty() {
        line("middleware", &plan.middleware.join(", "));
    }
    out.push_str(&format!("{}\n", paint(BOLD, "links")));
    links(plan, 1, &mut out);
    let grants = grants(engine, plan);
    out.push_str(&format!("{}\n", paint(BOLD, "grants")));
    if grants.is_empty() {
        out.push_str("  none: nothing in it may reach anything\n");
    }
    for grant in grants {
        out.push_str(&format!("  {} {}\n", clean(&grant.to), paint(DIM, &clean(&decided(&grant)))));
        for power in powers(&grant) {
            out.push_str(&format!("    {}\n", clean(&power)));
        }
    }
    out
}

fn links(plan: &Plan, depth: usize, out: &mut String) {
    let wide = plan.links.iter().map(|link| link.name.chars().count()).max().unwrap_or(0);
    for (at, link) in plan.links.iter().enumerate() {
        let after = leads(plan, at);
        let indent = "  ".repeat(depth);
        let after = if after.is_empty() { String::new() } else { paint(DIM, &after.join(", ")) };
        let line = format!("{indent}{:<wide$}  {:<10} {after}", link.name, link.kind.name);
        out.push_str(&format!("{}\n", line.trim_end()));
        link.bodies().into_iter().for_each(|body| links(body, depth + 1, out));
    }
}

/// What leads to a link.
fn leads(plan: &Plan, at: usize) -> Vec<String> {
    let name = |from: usize| plan.link(from).map_or("?", |link: &Link| &*link.name);
    let arrows = plan.arrows().into_iter().filter(|(_, to, _)| *to == at);
    arrows
        .map(|(from, _, arrow)| match arrow {
            Arrow::Data => format!("reads {}", name(from)),
            Arrow::After => format!("after {}", name(from)),
            Arrow::Edge(On::Success, false) => format!("from {}", name(from)),
            Arrow::Edge(On::Success, true) => format!("from {} if", name(from)),
            Arrow::Edge(On::Error, _) => format!("if {} fails", name(from)),
            Arrow::Edge(On::Refused, _) => format!("if {} is refused", name(from)),
        })
        .collect()
}

/// The grants for a chain, any of its links, and the plugins they call.
fn grants(engine: &Engine, plan: &Plan) -> Vec<Arc<Grant>> {
    let inside =
        |to: &str| to.strip_prefix(&*plan.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let plugins = plugin_powers(plan);
    let all = engine.authority().grants.all().iter();
    all.filter(|grant| inside(&grant.to) || plugins.contains(&grant.to)).cloned().collect()
}

/// Whom the grants of a plan's plugins are for.
fn plugin_powers(plan: &Plan) -> BTreeSet<Str> {
    let bodies = plan.bodies().into_iter().flat_map(|(_, body)| plugin_powers(body));
    plan.links
        .iter()
        .map(|link| link.power.clone())
        .filter(|power| power.contains(':'))
        .chain(bodies)
        .collect()
}

/// Why there is a grant, who approved it, and until when.
pub(super) fn decided(grant: &Grant) -> String {
    let by = grant.approved_by.as_ref().map(|by| format!(", approved by {by}"));
    let until = grant.expires_ms.map(|end_ms| format!(", until {}", time(end_ms)));
    format!("{}{}{}", grant.reason, by.unwrap_or_default(), until.unwrap_or_default())
}

pub(super) fn powers(grant: &Grant) -> Vec<String> {
    let net =
        grant.net.iter().map(|rule| format!("net {} {}", rule.methods.join("/"), rule.address.as_str()));
    let fs = grant.fs.iter().map(|rule| format!("fs {} {}", rule.access.name(), rule.mount));
    let effects = grant.effects.iter().map(|rule| format!("effect {}", rule.name));
    let commands = grant.commands.iter().map(|rule| format!("command {}", rule.name));
    let tools = grant.tools.iter().map(|rule| format!("tool {}/{}", rule.upstream, rule.tools.join(",")));
    let effects = effects.chain(commands).chain(tools);
    let log = grant.log.iter().map(|_| "log".to_string());
    let respond = grant.respond.iter().map(|_| "respond".to_string());
    net.chain(fs).chain(effects).chain(log).chain(respond).collect()
}

fn describe(engine: &Engine, plan: &Arc<Plan>) -> Vec<(&'static str, Value)> {
    let schema = |schema: &Option<ringmail_engine::core::schema::Schema>| {
        schema.as_ref().and_then(|schema| from_serde(schema.json()).ok()).unwrap_or_default()
    };
    let grants = grants(engine, plan);
    vec![
        ("chain", Value::Str(plan.name.clone())),
        ("file", Value::from(plan.source.name.as_str())),
        ("description", Value::Str(plan.description.clone())),
        ("sha256", Value::Str(plan.digest.clone())),
        ("input", schema(&plan.input)),
        ("returns", schema(&plan.returns)),
        ("links", links_json(plan)),
        (
            "grants",
            Value::list(grants.iter().map(|grant| {
                Value::map([
                    ("to", Value::Str(grant.to.clone())),
                    ("reason", Value::Str(grant.reason.clone())),
                    ("approved_by", grant.approved_by.clone().map_or(Value::Null, Value::Str)),
                    ("expires", grant.expires_ms.map_or(Value::Null, |end_ms| Value::from(time(end_ms)))),
                    ("powers", Value::list(powers(grant).into_iter().map(Value::from))),
                ])
            })),
        ),
    ]
}

fn links_json(plan: &Plan) -> Value {
    Value::list(plan.links.iter().enumerate().map(|(at, link)| {
        Value::map([
            ("link", Value::Str(link.full.clone())),
            ("kind", Value::from(link.kind.name)),
            ("leads", Value::list(leads(plan, at).into_iter().map(Value::from))),
            ("settings", link.settings.clone()),
            ("bodies", Value::list(link.bodies().into_iter().map(|body| links_json(body)))),
        ])
    }))
}
