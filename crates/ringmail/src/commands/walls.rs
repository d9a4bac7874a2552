//! `ringmail walls`: what this kernel holds processes with.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::terminal::print;
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::{KernelWalls, Value, Wall};
use std::fmt::Write;

/// Show which walls this kernel puts around commands, and why others are not there
///
/// Each is tried out, not looked up. A command whose grant needs one that is not there does not start.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let walls = KernelWalls::of_this_host();
        match self.format {
            Format::Text => print(text(&walls).trim_end())?,
            Format::Json => print(&to_pretty(&Value::list(Wall::ALL.iter().map(|wall| row(&walls, *wall)))))?,
        }
        Ok(Exit::Done)
    }
}

fn text(walls: &KernelWalls) -> String {
    let mut out = String::new();
    for wall in Wall::ALL {
        let mark = if walls.has(wall) { "✓" } else { "✗" };
        let _infallible = writeln!(out, "{mark} {:<16}  {}", wall.name(), wall.doc());
        if let Some(why) = walls.why_not(wall) {
            let _infallible = writeln!(out, "  {:<16}  {why}", "");
        }
    }
    out
}

fn row(walls: &KernelWalls, wall: Wall) -> Value {
    Value::map([
        ("wall", Value::from(wall.name())),
        ("there", Value::from(walls.has(wall))),
        ("what", Value::from(wall.doc())),
        ("why_not", walls.why_not(wall).map_or(Value::Null, Value::from)),
    ])
}
