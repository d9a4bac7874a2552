//! `ringmail check`: everything that can be known before running.

use super::Common;
use super::plugin::advisories::{self, Finding};
use crate::exit::{Exit, Fault};
use crate::inventory::inventory;
use crate::place::{Place, Wanted};
use crate::snippet::problems_value;
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, YELLOW, clean, paint, print, print_json};
use ringmail_engine::Checked;
use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::chain::flow::{Foreseen, Verdict};
use ringmail_engine::core::refusal::Rule;
use ringmail_engine::core::value::{Str, Value};
use std::path::Path;

/// Check chains, grants and policies without running anything
///
/// Reports every problem at once, and for each sink whether data may flow there: always, never, or depending on who
/// runs the chain.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Chain files or names of chains; by default all of the project
    chains: Vec<String>,
    #[command(flatten)]
    advisories: advisories::Source,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let (mut place, wanted) = self.place(common)?;
        if place.chains.is_empty() {
            return Err(Fault::user("there is no chain to check")
                .hint("name a chain file, or make a project: ringmail init my-project"));
        }
        let engine = place.checker()?;
        let all = place.chains.len();
        if let [one] = wanted.as_slice() {
            place.keep_needed(&engine, one)?;
        }
        let mut checked = engine.check(&place.chains);
        // What a grant is for cannot be known while its chain does not load.
        if checked.plans.len() == all {
            engine.check_grants(&checked.plans, &mut checked.problems);
            let strays = engine.authority().policies.strays(&inventory(&place, &engine, &checked)?);
            checked
                .problems
                .0
                .extend(strays.into_iter().filter(|stray| stray.certain).map(|stray| stray.problem));
        }
        for name in wanted.iter().filter(|wanted| matches!(wanted, Wanted::Name(_))) {
            name.pick(&checked.plans, |plan| plan)?;
        }
        let known = self.advisories.here(&place)?;
        let shown = |plan: &Plan| wanted.is_empty() || wanted.iter().any(|wanted| is(wanted, plan));
        match self.format {
            Format::Json => print_json(&as_json(&checked, &known, &shown))?,
            Format::Text => print_text(&checked, &known, &shown)?,
        }
        match (checked.problems.is_empty(), self.format) {
            (true, _) => Ok(Exit::Done),
            (false, Format::Json) => Err(Fault::silent(Exit::User)),
            (false, Format::Text) => Err(checked.problems.into()),
        }
    }

    fn place(&self, common: &Common) -> Result<(Place, Vec<Wanted>), Fault> {
        let chosen = common.project.as_deref();
        let Some((first, rest)) = self.chains.split_first() else {
            return Ok((Place::open(chosen, Path::new(""))?, Vec::new()));
        };
        let (mut place, wanted) = Place::around(chosen, first)?;
        let mut all = vec![wanted];
        for name in rest {
            let path = Path::new(name);
            all.push(match path.is_file() || path.extension().is_some() {
                true => Wanted::File(place.add(path)?),
                false => Wanted::Name(name.clone()),
            });
        }
        Ok((place, all))
    }
}

fn is(wanted: &Wanted, plan: &Plan) -> bool {
    match wanted {
        Wanted::Name(name) => *plan.name == **name,
        Wanted::File(file) => plan.source.name == *file,
    }
}

fn print_text(checked: &Checked, known: &[Finding], shown: &dyn Fn(&Plan) -> bool) -> Result<(), Fault> {
    let mut out = String::new();
    for plan in checked.plans.iter().filter(|plan| shown(plan)) {
        let verdicts = verdicts_of(checked, plan);
        let links = if plan.links.len() == 1 { "1 link" } else { &format!("{} links", plan.links.len()) };
        let file = paint(DIM, &clean(&plan.source.name));
        out.push_str(&format!("{} {file} {links}\n", paint(BOLD, &plan.name)));
        out.push_str(&verdict_lines(&verdicts));
    }
    out.push_str(&advisories::lines(known));
    if out.is_empty() { Ok(()) } else { print(&out) }
}

pub(super) fn verdicts_of<'c>(checked: &'c Checked, plan: &Plan) -> Vec<&'c Verdict> {
    let own = checked.verdicts.iter().filter(|(of, _)| of.name == plan.name);
    own.map(|(_, verdict)| verdict).collect()
}

/// One line a sink: what, where to, and what is known of it.
pub(super) fn verdict_lines(verdicts: &[&Verdict]) -> String {
    let wide = |text: fn(&Verdict) -> usize| verdicts.iter().map(|verdict| text(verdict)).max().unwrap_or(0);
    let (links, sinks) =
        (wide(|verdict| verdict.link.chars().count()), wide(|verdict| verdict.sink.chars().count()));
    let mut out = String::new();
    for verdict in verdicts {
        let (link, sink) = (clean(&verdict.link), clean(&verdict.sink));
        out.push_str(&format!("  {link:<links$}  {sink:<sinks$}  {}\n", answer(&verdict.answer)));
    }
    out
}

fn answer(answer: &Foreseen) -> String {
    match answer {
        Foreseen::Allowed { unless } if unless.is_empty() => paint(GREEN, "allowed"),
        Foreseen::Allowed { unless } => {
            let unless = format!("unless it holds a {}", unless.join(" or "));
            format!("{} {}", paint(GREEN, "allowed"), paint(DIM, &unless))
        }
        Foreseen::Depends { rule, path, origins } => format!(
            "{} {}",
            paint(YELLOW, "depends"),
            paint(DIM, &clean(&format!("{}{}", rule.id(), what(*rule, path, origins))))
        ),
        Foreseen::Never { rule, path, origins, .. } => format!(
            "{} {}",
            paint(RED, "never"),
            paint(DIM, &clean(&format!("{}{}", rule.id(), what(*rule, path, origins))))
        ),
    }
}

fn what(rule: Rule, path: &str, origins: &[Str]) -> String {
    if rule == Rule::PolicyForbids {
        return format!(" by `{}`", origins.join("`, `"));
    }
    let path = if path.is_empty() { String::new() } else { format!(" `{path}`") };
    let from = if origins.is_empty() { String::new() } else { format!(" from {}", origins.join(", ")) };
    format!("{path}{from}")
}

fn as_json(checked: &Checked, known: &[Finding], shown: &dyn Fn(&Plan) -> bool) -> Value {
    let plans = checked.plans.iter().filter(|plan| shown(plan)).map(|plan| {
        Value::map([
            ("chain", Value::Str(plan.name.clone())),
            ("file", Value::from(plan.source.name.as_str())),
            ("sha256", Value::Str(plan.digest.clone())),
            ("sinks", Value::list(verdicts_of(checked, plan).into_iter().map(verdict_json))),
        ])
    });
    Value::map([
        ("chains", Value::list(plans)),
        ("problems", problems_value(&checked.problems)),
        ("advisories", advisories::value(known, None)),
    ])
}

pub(super) fn verdict_json(verdict: &Verdict) -> Value {
    let (word, rule, path, origins) = match &verdict.answer {
        Foreseen::Allowed { .. } => ("allowed", Value::Null, "", &[][..]),
        Foreseen::Depends { rule, path, origins } => ("depends", Value::from(rule.id()), &**path, &**origins),
        Foreseen::Never { rule, path, origins, .. } => ("never", Value::from(rule.id()), &**path, &**origins),
    };
    let unless = match &verdict.answer {
        Foreseen::Allowed { unless } => &**unless,
        _ => &[],
    };
    let names = |names: &[Str]| Value::list(names.iter().map(|name| Value::Str(name.clone())));
    Value::map([
        ("link", Value::Str(verdict.link.clone())),
        ("sink", Value::from(verdict.sink.as_str())),
        ("answer", Value::from(word)),
        ("rule", rule),
        ("path", Value::from(path)),
        ("origins", names(origins)),
        ("unless", names(unless)),
    ])
}
