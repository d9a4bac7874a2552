//! `ringmail explain`: why a run was refused, from its record; or what a rule means.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::failure;
use crate::place::{Place, origins};
use crate::progress::{Tree, found};
use crate::records::{Record, number, refusal, text};
use crate::snippet;
use crate::terminal::{BOLD, DIM, Format, clean, paint, print, print_json};
use ringmail_engine::Checked;
use ringmail_engine::core::doc::Source;
use ringmail_engine::core::refusal::Rule;
use ringmail_engine::core::value::Value;
use std::path::Path;
use std::sync::Arc;

/// Explain what a run did and why it was refused, or what a rule means
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run, by the first digits of its id, or a rule such as `clearance`; by default the latest run
    #[arg(value_name = "RUN|RULE")]
    what: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let rule = Rule::ALL.iter().find(|rule| Some(rule.id()) == self.what.as_deref());
        if let Some(rule) = rule {
            return explain_rule(*rule, self.format);
        }
        let place = Place::open(common.project.as_deref(), Path::new(""))?;
        let record = Record::find(&place, self.what.as_deref())?;
        match self.format {
            Format::Json => {
                let members =
                    [("run", Value::from(record.run.as_str())), ("stages", Value::list(record.lines))];
                print_json(&Value::map(members))?;
            }
            Format::Text => print(&story(&place, &record))?,
        }
        Ok(Exit::Done)
    }
}

fn explain_rule(rule: Rule, format: Format) -> Result<Exit, Fault> {
    match format {
        Format::Json => print_json(&Value::map([
            ("rule", Value::from(rule.id())),
            ("layer", Value::from(rule.layer().name())),
            ("meaning", Value::from(rule.doc())),
        ]))?,
        Format::Text => {
            print(&format!("{} ({} layer)\n{}\n", paint(BOLD, rule.id()), rule.layer().name(), rule.doc()))?;
        }
    }
    Ok(Exit::Done)
}

/// A recorded run as text: its head, its tree, its refusals.
fn story(place: &Place, record: &Record) -> String {
    // Chains that no longer load cannot show where a refusal came from; the record still tells the rest.
    let checked = place.checker().map(|engine| engine.check(&place.chains)).unwrap_or_default();
    let mut parts = vec![head(record, &checked), tree(record).text()];
    let sources: Vec<Arc<Source>> = place.sources();
    for recorded in record.refusals() {
        if let Some(refusal) = refusal(recorded, &sources) {
            parts.push(String::new());
            parts.push(snippet::refusal(&refusal, &origins(&refusal, &checked)));
        }
    }
    if record.refusals().is_empty()
        && let Some((link, message)) = record.failure()
    {
        parts.push(String::new());
        parts.push(snippet::problem(&failure::problem(&checked, link, message, None)));
    }
    parts.join("\n")
}

fn head(record: &Record, checked: &Checked) -> String {
    let Some(start) = record.start() else {
        return format!("run {}\n{}", record.run, paint(DIM, "the record has no beginning"));
    };
    let chain = text(start, "chain").unwrap_or("?");
    let principal = text(start, "principal").unwrap_or("?");
    let when = number(start, "at_ms").map(crate::terminal::time).unwrap_or_default();
    let mut out = format!(
        "run {} of {} as {} {}",
        paint(BOLD, &record.run),
        paint(BOLD, &clean(chain)),
        paint(BOLD, &clean(principal)),
        paint(DIM, &when)
    );
    let plan = checked.plans.iter().find(|plan| &*plan.name == chain);
    let note = match plan {
        None => Some("the chain is not among those of this project, so places cannot be shown"),
        Some(plan) if Some(&*plan.digest) != text(start, "chain_sha256") => {
            Some("the chain was changed since, so places may be off")
        }
        Some(_) => None,
    };
    if let Some(note) = note {
        out.push_str(&format!("\n{}", paint(DIM, note)));
    }
    out
}

fn tree(record: &Record) -> Tree {
    let mut tree = Tree::default();
    for line in &record.lines {
        let (Some(stage), Some(link)) = (text(line, "stage"), text(line, "link")) else { continue };
        if stage == "intent" {
            continue;
        }
        let note = match stage {
            "refused" => line.get("refusal").and_then(|refusal| text(refusal, "rule")).map(String::from),
            "found" => {
                let names = ["tagged", "signals"].iter().filter_map(|key| line.get(key)?.as_list());
                Some(found(names.flat_map(|list| list.iter().filter_map(Value::as_str))))
            }
            "intended" => text(line, "sink").filter(|sink| *sink != link).map(|sink| format!("to {sink}")),
            "failed" => text(line, "failure").map(String::from),
            "retrying" => Some("tried again".to_string()),
            "skipped" => text(line, "why").map(String::from),
            "took" => text(line, "target").map(|to| format!("-> {}", to.rsplit('.').next().unwrap_or(to))),
            "dumped" => text(line, "file").map(|file| format!("core dump in {file}")),
            "undumped" => text(line, "why").map(|why| format!("no core dump: {why}")),
            "middleware-failed" => text(line, "middleware").map(|name| format!("middleware: {name}")),
            _ => None,
        };
        tree.stage(link, stage, number(line, "at_us").unwrap_or(0), note);
    }
    tree.end();
    tree
}
