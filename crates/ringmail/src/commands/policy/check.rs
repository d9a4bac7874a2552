//! `ringmail policy check`.

use super::super::Common;
use super::{Court, line};
use crate::exit::{Exit, Fault};
use crate::snippet::{self, problems_value};
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, clean, paint, print, print_json, say};
use ringmail_engine::core::doc::Problems;
use ringmail_engine::core::policy::Described;
use ringmail_engine::core::value::Value;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Count as problems also names that keys, tokens and certificates could bring: roles, tenants and principals
    #[arg(long)]
    strict: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let court = Court::open(common)?;
        let all = court.policies().described(&court.inventory);
        let strays = court.policies().strays(&court.inventory);
        let (problems, warnings): (Vec<_>, Vec<_>) =
            strays.into_iter().partition(|stray| stray.certain || self.strict);
        let told = |strays: Vec<_>| {
            let mut problems = Problems::default();
            problems
                .0
                .extend(strays.into_iter().map(|stray: ringmail_engine::core::policy::Stray| stray.problem));
            problems
        };
        let (problems, warnings) = (told(problems), told(warnings));
        match self.format {
            Format::Json => print_json(&Value::map([
                ("policies", Value::list(all.iter().map(row))),
                ("problems", problems_value(&problems)),
                ("warnings", problems_value(&warnings)),
            ]))?,
            Format::Text => {
                print(&table(&all))?;
                warnings.0.iter().for_each(|warning| say(&snippet::warning(warning)));
            }
        }
        match (problems.is_empty(), self.format) {
            (true, _) => Ok(Exit::Done),
            (false, Format::Json) => Err(Fault::silent(Exit::User)),
            (false, Format::Text) => Err(problems.into()),
        }
    }
}

/// One line a policy: what it says, where it stands, what it can match.
fn table(all: &[Described]) -> String {
    if all.is_empty() {
        return "no policies, so nothing is permitted\n".into();
    }
    let wide = |text: fn(&Described) -> usize| all.iter().map(text).max().unwrap_or(0);
    let (ids, places) = (wide(|one| one.id.chars().count()), wide(|one| line(&one.spot).chars().count()));
    let mut out = String::new();
    for one in all {
        let effect = if one.permits { paint(GREEN, "permits") } else { paint(RED, "forbids") };
        let matches = match one.reach {
            1 => "1 chain or link".to_string(),
            reach => format!("{reach} chains and links"),
        };
        let conditions = if one.conditional { ", under conditions" } else { "" };
        let id = paint(BOLD, &format!("{:<ids$}", clean(&one.id)));
        let place = paint(DIM, &format!("{:<places$}", clean(&line(&one.spot))));
        out.push_str(&format!("{id}  {place}  {effect} on {matches}{conditions}\n"));
    }
    out
}

fn row(one: &Described) -> Value {
    let (line, _) = one.spot.source.line_column(one.spot.span.start);
    let number = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Value::map([
        ("id", Value::Str(one.id.clone())),
        ("effect", Value::from(if one.permits { "permit" } else { "forbid" })),
        ("conditional", Value::Bool(one.conditional)),
        ("file", Value::from(one.spot.source.name.as_str())),
        ("line", number(line)),
        ("matches", number(one.reach)),
    ])
}
