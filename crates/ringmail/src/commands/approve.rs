//! `ringmail approve`: what runs wait for somebody to say yes to, and saying it.

use super::Common;
use super::runs::{Going, go_on};
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::terminal::{DIM, Format, clean, paint, print, print_json, say, time};
use anyhow::Context;
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Approvals, Clock, Inquiry, SystemClock};
use std::path::PathBuf;

/// See what runs ask persons about, and say yes or no
///
/// Whether what somebody says counts is for policy: the action is `approve`, the resource is the link. A run that nobody has goes
/// on at once.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A question, or the run that asks it, or how either begins; not needed if only one is asked
    question: Option<String>,
    /// Say yes to exactly what is shown
    #[arg(long, conflicts_with = "no")]
    yes: bool,
    /// Say no: the run is refused there
    #[arg(long)]
    no: bool,
    /// The principal who says it; by default `run.as` of the project
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// The chain's file, where it is none of a project
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::here(common.project.as_deref())?;
        let approvals = Approvals::new(place.approvals(), &place.host_key()?);
        let open = approvals.open().context("cannot read what is asked")?;
        let wanted = self.question.as_deref().unwrap_or_default();
        let fits = |known: &&Inquiry| known.id.starts_with(wanted) || known.run.starts_with(wanted);
        let fitting: Vec<Inquiry> = open.iter().filter(fits).cloned().collect();
        if !(self.yes || self.no) {
            return self.list(&fitting);
        }
        let question = match &*fitting {
            [question] => question,
            [] => {
                return Err(Fault::user("nothing is asked that fits").hint("what is asked: ringmail approve"));
            }
            _ => {
                return Err(Fault::user(format!("{} questions are asked that fit", fitting.len()))
                    .hint("name one by its id: ringmail approve"));
            }
        };
        let audit = place.audit()?;
        let engine = place.checker()?;
        let principal = place.principal(&engine, self.principal.as_deref())?;
        if !engine.may_approve(&principal, question) {
            let (who, link) = (&principal.subject, &question.link);
            return Err(Fault::user(format!("policy does not let `{who}` approve this of `{link}`"))
                .hint(format!("what it would take: ringmail policy explain {link} --action approve")));
        }
        let said = approvals.say(question, &principal, !self.no, SystemClock.now_ms(), &audit);
        said.context("what was said could not be recorded, so it was not said")?;
        let word = if self.no { "no" } else { "yes" };
        let lives = audit.open_runs().map_err(super::runs::fault)?;
        let lives = lives.iter().any(|open| open.run == question.run && open.lives);
        if lives {
            say(&clean(&format!("`{}` said {word}; the run looks at it where it waits", principal.subject)));
            return Ok(Exit::Done);
        }
        let run = question.run.to_string();
        go_on(place, &Going { run, found: Vec::new(), file: self.file, format: self.format })
    }

    fn list(&self, open: &[Inquiry]) -> Result<Exit, Fault> {
        if self.format == Format::Json {
            print_json(&Value::list(open.iter().map(Inquiry::to_value)))?;
            return Ok(Exit::Done);
        }
        for question in open {
            let Inquiry { id, run, link, reason, asked_by, people, until_ms, .. } = question;
            print(&clean(&format!("{id}  {reason}")))?;
            let who = if *people == 1 { "one person".to_string() } else { format!("{people} persons") };
            let until = time(*until_ms);
            let line = format!("  {link} of run {run} for {}, by {who} until {until}", asked_by.name);
            print(&paint(DIM, &clean(&line)))?;
            for line in to_pretty(&question.value).lines() {
                print(&clean(&format!("  {line}")))?;
            }
            for (path, words) in &question.labels {
                let path = if path.is_empty() { "(whole)" } else { path };
                print(&paint(DIM, &clean(&format!("  {path}  {words}"))))?;
            }
        }
        match open {
            [] => say("nothing is asked"),
            [one, ..] => say(&format!("say it: ringmail approve {} --yes, or --no", one.id)),
        }
        Ok(Exit::Done)
    }
}
