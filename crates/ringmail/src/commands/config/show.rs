//! `ringmail config show`.

use super::super::Common;
use crate::exit::{Exit, Fault};
use crate::layers::{environment, layer_file};
use crate::place::{PROJECT_FILE, Place};
use crate::terminal::{BOLD, DIM, Format, clean, paint, print, print_json, say};
use ringmail_engine::core::config::{ConfigValue, ValueFrom};
use ringmail_engine::core::doc::Spot;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::Value;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Show also what holds where the files say nothing
    #[arg(long)]
    resolved: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        let environment = environment()?;
        let Some(config) = &place.config else { return Ok(Exit::Done) };
        let values = config.values(self.resolved);
        let layers = config.source.texts();
        match self.format {
            Format::Json => print_json(&Value::map([
                ("environment", Value::from(environment)),
                ("layers", Value::list(layers.iter().map(|layer| Value::from(layer.name.as_str())))),
                ("values", Value::list(values.iter().map(as_json))),
            ]))?,
            Format::Text => {
                let over = match layers.len() {
                    1 => PROJECT_FILE.to_string(),
                    _ => format!("{} over {PROJECT_FILE}", layer_file(&environment)),
                };
                say(&format!("environment {}: {over}", paint(BOLD, &environment)));
                print(&values.iter().map(line).collect::<String>())?;
            }
        }
        Ok(Exit::Done)
    }
}

fn line(value: &ConfigValue) -> String {
    let shown = match (&value.value, &value.from) {
        (None, _) => "(not shown)".to_string(),
        (Some(Value::Str(words)), ValueFrom::Default) => words.to_string(),
        (Some(value), _) => to_string(value),
    };
    let from = match &value.from {
        ValueFrom::Default => "default".to_string(),
        ValueFrom::File { spot, variables, over } => {
            let mut from = place_of(spot);
            if !variables.is_empty() {
                from.push_str(&format!(" from {}", variables.join(", ")));
            }
            if let Some(over) = over {
                from.push_str(&format!(" over {}", place_of(over)));
            }
            from
        }
    };
    format!("{} = {}  {}\n", paint(BOLD, &value.path), clean(&shown), paint(DIM, &clean(&from)))
}

fn place_of(spot: &Spot) -> String {
    format!("{}:{}", spot.source.name, spot.source.line_column(spot.span.start).0)
}

fn as_json(value: &ConfigValue) -> Value {
    let place = |spot: &Spot| {
        let (line, _) = spot.source.line_column(spot.span.start);
        Value::map([
            ("file", Value::from(spot.source.name.as_str())),
            ("line", Value::Int(i64::try_from(line).unwrap_or(i64::MAX))),
        ])
    };
    let mut members = vec![("path", Value::from(value.path.as_str()))];
    match &value.value {
        Some(value) => members.push(("value", value.clone())),
        None => members.push(("hidden", Value::Bool(true))),
    }
    match &value.from {
        ValueFrom::Default => members.push(("from", Value::from("default"))),
        ValueFrom::File { spot, variables, over } => {
            members.push(("from", place(spot)));
            let names = variables.iter().map(|name| Value::Str(name.clone()));
            members.push(("variables", Value::list(names)));
            members.push(("over", over.as_ref().map_or(Value::Null, place)));
        }
    }
    Value::map(members)
}
