//! `ringmail policy test`.

use super::super::Common;
use super::{Court, placed};
use crate::exit::{Exit, Fault};
use crate::place::{read, read_all};
use crate::snippet::problems_value;
use crate::terminal::{DIM, Format, GREEN, RED, clean, paint, print, print_json, say};
use ringmail_engine::core::doc::{Problem, Problems, Source, yaml};
use ringmail_engine::core::question::{Grounds, PolicyCase, Tried, load_cases};
use ringmail_engine::core::value::{Str, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// How files of cases end.
const ENDING: &str = ".test.yaml";

/// What a first file of cases looks like.
const FIRST: &str = "write `policies/main.test.yaml`:\ntests:\n  - case: a stranger may run nothing\n    as: {name: stranger}\n    on: CHAIN\n    expect: deny";

#[derive(clap::Args)]
pub(super) struct Args {
    /// Files of cases; by default all `*.test.yaml` in the folder of policies
    files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let court = Court::open(common)?;
        let cases = cases(&court, &self.sources(&court)?)?;
        let tried = court.with_tags(|tags| {
            let run = |case: PolicyCase| {
                let tried = case.run(court.policies(), tags);
                (case, tried)
            };
            cases.into_iter().map(run).collect::<Vec<(PolicyCase, Tried)>>()
        })?;
        let undecided = undecided(&court, &tried);
        let failed = failed(&court, &tried)?;
        match self.format {
            Format::Json => print_json(&as_json(&court, &tried, &undecided, &failed))?,
            Format::Text => print_text(&court, &tried, &undecided)?,
        }
        match (failed.is_empty(), self.format) {
            (true, _) => Ok(Exit::Done),
            (false, Format::Json) => Err(Fault::silent(Exit::User)),
            (false, Format::Text) => Err(failed.into()),
        }
    }

    fn sources(&self, court: &Court) -> Result<Vec<Arc<Source>>, Fault> {
        let sources: Vec<Arc<Source>> = if self.files.is_empty() {
            let folder = court.place.root.join(&court.place.project.policies);
            let all = read_all(&folder, &["yaml"])?;
            all.into_iter().filter(|source| source.name.ends_with(ENDING)).collect()
        } else {
            self.files.iter().map(|file| read(file)).collect::<Result<_, Fault>>()?
        };
        if sources.is_empty() {
            return Err(Fault::user("there are no tests of policies").hint(FIRST));
        }
        Ok(sources)
    }
}

fn cases(court: &Court, sources: &[Arc<Source>]) -> Result<Vec<PolicyCase>, Fault> {
    let grounds = Grounds {
        inventory: &court.inventory,
        principals: &court.place.project.principals,
        policies: court.policies(),
        reach: &|name| court.reach(name),
    };
    let (mut cases, mut problems) = (Vec::new(), Problems::default());
    for source in sources {
        match yaml::parse(source).and_then(|node| load_cases(&node, source, &grounds)) {
            Ok(read) => cases.extend(read),
            Err(wrong) => problems.0.extend(wrong.0),
        }
    }
    Ok(problems.or(cases)?)
}

/// Policies that decided no case.
fn undecided(court: &Court, tried: &[(PolicyCase, Tried)]) -> Vec<Str> {
    let rulings = tried.iter().map(|(_, tried)| &tried.ruling);
    let decided: BTreeSet<&Str> =
        rulings.flat_map(|ruling| ruling.policies.iter().chain(&ruling.failed)).collect();
    court.policies().ids().into_iter().filter(|id| !decided.contains(id)).collect()
}

/// What is wrong with each case that does not hold, and what would make it hold.
fn failed(court: &Court, tried: &[(PolicyCase, Tried)]) -> Result<Problems, Fault> {
    let mut problems = Problems::default();
    for (case, tried) in tried {
        let Some(wrong) = &tried.wrong else { continue };
        let deciding = tried.ruling.policies.iter().chain(&tried.ruling.failed);
        let mut help: Vec<String> =
            deciding.map(|id| format!("`{id}` stands in {}", court.place_of(id))).collect();
        if !tried.ruling.allowed {
            let changes = |tags: &_| case.question.changes(court.policies(), tags, &court.inventory);
            help.extend(court.with_tags(changes)?);
        }
        let help = (!help.is_empty()).then(|| help.join("\n"));
        let message = format!("{}: {wrong}", case.name);
        problems.0.push(Problem { spot: Some(case.spot.clone()), message, help });
    }
    Ok(problems)
}

fn print_text(court: &Court, tried: &[(PolicyCase, Tried)], undecided: &[Str]) -> Result<(), Fault> {
    let mut out = String::new();
    for (case, tried) in tried {
        let mark = if tried.wrong.is_none() { paint(GREEN, "✓") } else { paint(RED, "✗") };
        let by = match &*tried.ruling.policies {
            [] => String::new(),
            ids => paint(DIM, &format!(" by {}", clean(&ids.join(", ")))),
        };
        out.push_str(&format!("{mark} {}{by}\n", clean(&case.name)));
    }
    let held = tried.iter().filter(|(_, tried)| tried.wrong.is_none()).count();
    out.push_str(&format!("{held} of {} cases hold\n", tried.len()));
    print(&out)?;
    for id in undecided {
        say(&format!("no case was decided by `{}` ({})", clean(id), clean(&court.place_of(id))));
    }
    Ok(())
}

fn as_json(court: &Court, tried: &[(PolicyCase, Tried)], undecided: &[Str], failed: &Problems) -> Value {
    let id = |id: &Str| placed(id, court.policies().spot(id).as_ref());
    let case = |(case, tried): &(PolicyCase, Tried)| {
        Value::map([
            ("case", Value::from(case.name.as_str())),
            ("file", Value::from(case.spot.source.name.as_str())),
            ("holds", Value::Bool(tried.wrong.is_none())),
            ("allowed", Value::Bool(tried.ruling.allowed)),
            ("rule", tried.ruling.rule().map_or(Value::Null, |rule| Value::from(rule.id()))),
            ("policies", Value::list(tried.ruling.policies.iter().chain(&tried.ruling.failed).map(id))),
        ])
    };
    Value::map([
        ("cases", Value::list(tried.iter().map(case))),
        ("undecided", Value::list(undecided.iter().map(id))),
        ("problems", problems_value(failed)),
    ])
}
