//! `ringmail graph`: a chain as a picture.

use super::Common;
use crate::draw::{Drawing, dot, mermaid, svg};
use crate::exit::{Exit, Fault};
use crate::place::{Place, shown};
use crate::terminal::{print, say};
use anyhow::Context;
use std::path::PathBuf;

/// Draw a chain as SVG, Mermaid or Graphviz text
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Chain file, or the name of a chain of the project
    chain: String,
    #[arg(long, value_enum, default_value = "svg")]
    format: Picture,
    /// File to write to; by default stdout
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Picture {
    /// A picture that any browser shows
    Svg,
    /// For Markdown that renders Mermaid
    Mermaid,
    /// For Graphviz
    Dot,
    /// Links and arrows as JSON
    Json,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let (place, wanted) = Place::around(common.project.as_deref(), &self.chain)?;
        let checked = place.checker()?.check(&place.chains);
        // A chain whose flows have problems can still be drawn; one that does not load cannot.
        let picked = wanted.pick(&checked.plans, |plan| plan);
        let plan = match picked {
            Ok(plan) => plan,
            Err(_) if !checked.problems.is_empty() => return Err(checked.problems.into()),
            Err(fault) => return Err(fault),
        };
        let drawing = Drawing::of(plan);
        let text = match self.format {
            Picture::Svg => svg::write(&drawing),
            Picture::Mermaid => mermaid::write(&drawing),
            Picture::Dot => dot::write(&drawing),
            Picture::Json => ringmail_engine::core::json::to_pretty(&drawing.to_value()),
        };
        match &self.out {
            None => print(&text)?,
            Some(path) => {
                std::fs::write(path, text).with_context(|| format!("cannot write `{}`", shown(path)))?;
                say(&format!("wrote `{}`", shown(path)));
            }
        }
        Ok(Exit::Done)
    }
}
