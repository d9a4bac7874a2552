//! `ringmail store check`.

use super::parts::{Part, look};
use super::plural;
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{BOLD, DIM, Format, RED, clean, paint, print, print_json, say};
use ringmail_engine::core::value::Value;

#[derive(clap::Args)]
pub(super) struct Args {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let parts = look(place)?;
        match self.format {
            Format::Json => print_json(&Value::list(parts.iter().map(card)))?,
            Format::Text => parts.iter().try_for_each(show)?,
        }
        if parts.iter().any(|part| !part.left.is_empty()) {
            say("take out what nothing names any more: ringmail store compact");
        }
        let wrong: usize = parts.iter().map(|part| part.wrong.len()).sum();
        match (wrong, self.format) {
            (0, _) => Ok(Exit::Done),
            (_, Format::Json) => Ok(Exit::User),
            (count, Format::Text) => {
                Err(Fault::user(format!("the data folder is not whole: {}", plural(count as u64, "fault"))))
            }
        }
    }
}

fn show(part: &Part) -> Result<(), Fault> {
    let holds = if part.holds.is_empty() { paint(DIM, "nothing") } else { clean(&part.holds).into_owned() };
    let left = match part.left.len() as u64 {
        0 => String::new(),
        1 => ", of which nothing names 1 any more".to_string(),
        count => format!(", of which nothing names {count} any more"),
    };
    print(&format!("{}  {holds}{left}", paint(BOLD, part.name)))?;
    part.wrong.iter().try_for_each(|why| print(&format!("  {} {}", paint(RED, "✗"), clean(why))))
}

fn card(part: &Part) -> Value {
    let left = part.left.iter().map(|path| Value::from(shown(path)));
    Value::map([
        ("part", Value::from(part.name)),
        ("holds", Value::from(part.holds.as_str())),
        ("wrong", Value::list(part.wrong.iter().map(|why| Value::from(why.as_str())))),
        ("left", Value::list(left)),
    ])
}
