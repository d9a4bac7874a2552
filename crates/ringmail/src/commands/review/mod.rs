//! `ringmail review`: what is unsafe in code, workflows and configuration of agents.

mod cache;
pub(super) mod files;
mod fix;
pub(super) mod projects;
mod shown;

use super::Common;
use crate::exit::{Exit, Fault};
use crate::terminal::{self, clean, print, print_data, print_json, say};
use ringmail_engine::packages::read_advisories;
use ringmail_review::{
    Area, Baseline, Certainty, Grade, RULES, Review, ReviewRule, Terms, annotations, as_value, explain,
    markdown, packages, review, review_again, sarif,
};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Review code, workflows and configuration of agents
///
/// Looks at Python, YAML, TOML, JSON, Dockerfiles, requirements and lock files, follows data from callers, models and other
/// hosts to where it does harm, and says what it found, how bad it is and how sure. Nothing is run and nothing leaves this
/// machine, unless `--live` asks for it. The exit code tells the worst finding.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Files and folders; by default this folder
    paths: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// Only findings of this severity or worse
    #[arg(long, value_name = "SEVERITY", value_parser = grade, default_value = "medium")]
    severity: Grade,
    /// Only findings that are at least so sure: low, medium or high
    #[arg(long, value_name = "CERTAINTY", value_parser = certainty, default_value = "medium")]
    certainty: Certainty,
    /// Only findings of this area, by its name or number; may be given again
    #[arg(long, value_name = "AREA", value_parser = area)]
    area: Vec<Area>,
    /// Only findings on lines that changed since a revision of git
    #[arg(long, value_name = "REV")]
    diff: Option<String>,
    /// Leave out what this file knows
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found into a file for `--baseline`, and exit with 0
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Advisories as OSV exports them, a file or a folder, for packages in lock files
    #[arg(long, value_name = "PATH")]
    advisories: Option<PathBuf>,
    /// Keep what was seen in this folder, and look again only at what changed; it may not lie in what is reviewed
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Hold code of tests to all rules, too; by default only keys are looked for there
    #[arg(long)]
    tests: bool,
    /// Ask the servers of MCP of Ringmail's projects among these what they offer now, and hold it against what is pinned; starts
    /// the programs that the projects name, behind their walls
    #[arg(long)]
    live: bool,
    /// Mend what can be mended without changing what the code means
    #[arg(long)]
    fix: bool,
}

#[derive(clap::Subcommand)]
enum What {
    /// Say what a rule looks for, why, and what to do; without a rule, list them
    Explain {
        /// The rule, as findings name it
        rule: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Text,
    Json,
    Markdown,
    Sarif,
    Github,
}

fn grade(text: &str) -> Result<Grade, String> {
    let known = Grade::ALL.into_iter().find(|grade| grade.name() == text);
    known.ok_or_else(|| "it is `medium`, `high` or `critical`".into())
}

fn certainty(text: &str) -> Result<Certainty, String> {
    let known = Certainty::ALL.into_iter().find(|certainty| certainty.name() == text);
    known.ok_or_else(|| "it is `low`, `medium` or `high`".into())
}

fn area(text: &str) -> Result<Area, String> {
    let known = Area::ALL.into_iter().find(|area| area.id() == text || area.number().to_string() == text);
    let names = || Area::ALL.map(Area::id).join("`, `");
    known.ok_or_else(|| format!("the areas are `{}`, or 1 to {}", names(), Area::ALL.len()))
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        if let Some(What::Explain { rule }) = &self.what {
            return explained(rule.as_deref());
        }
        let paths = if self.paths.is_empty() { vec![PathBuf::from(".")] } else { self.paths.clone() };
        let mut found = files::read(&paths)?;
        let mut ask = self.ask(&found, &paths)?;
        ask.told = projects::dead_policies(&mut found);
        if self.live {
            ask.told.extend(projects::live(&mut found));
        }
        let mut done = match &self.cache {
            None => review(found.files, &ask, &files::Threads),
            Some(folder) => {
                let cache = cache::Cache::open(folder, &paths)?;
                let done = review_again(found.files, &ask, &files::Threads, &cache);
                cache.trim();
                done
            }
        };
        done.unread.extend(found.unread);
        done.unread.sort();
        if let Some(path) = &self.write_baseline {
            let text = Baseline::of(&done.findings).write();
            std::fs::write(path, text).map_err(|error| cannot("write", path, &error))?;
            say(&format!(
                "{} findings are known from now on: --baseline {}",
                done.findings.len(),
                path.display()
            ));
            return Ok(Exit::Done);
        }
        if self.fix {
            let fixed = fix::apply(&done)?;
            done.findings.retain(|finding| finding.edits.is_empty());
            say(&format!("{fixed} findings were mended"));
        }
        self.print(&done)?;
        Ok(exit(&done))
    }

    fn ask(&self, found: &files::Found, paths: &[PathBuf]) -> Result<Terms, Fault> {
        let baseline = match &self.baseline {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
                let wrong = |why| Fault::user(format!("`{}`: {why}", path.display()));
                Some(Baseline::read(&text).map_err(wrong)?)
            }
        };
        let advisories = match &self.advisories {
            None => Vec::new(),
            Some(path) => read_advisories(path, &packages(&found.files))
                .map_err(|why| Fault::user(clean(&why).into_owned()))?,
        };
        let changed = self.diff.as_ref().map(|revision| files::changed(revision, paths)).transpose()?;
        Ok(Terms {
            today: today(),
            areas: self.area.clone(),
            grade_min: self.severity,
            certainty_min: self.certainty,
            advisories,
            changed,
            baseline,
            told: Vec::new(),
            tests: self.tests,
        })
    }

    fn print(&self, done: &Review) -> Result<(), Fault> {
        match self.format {
            Form::Text => print(&shown::text(done)),
            Form::Json => print_json(&as_value(done)),
            Form::Markdown => print_data(&markdown(done)),
            Form::Sarif => print_json(&sarif(done, env!("CARGO_PKG_VERSION"))),
            Form::Github => {
                let lines = annotations(done);
                if lines.is_empty() { Ok(()) } else { print_data(&lines) }
            }
        }
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::user(format!("cannot {what} `{}`: {error}", path.display()))
}

/// The worst decides.
fn exit(done: &Review) -> Exit {
    match done.findings.iter().map(|finding| finding.grade()).max() {
        Some(Grade::Critical) => Exit::Critical,
        Some(Grade::High) => Exit::High,
        Some(Grade::Medium) => Exit::Medium,
        None if !done.unread.is_empty() => Exit::Unread,
        None => Exit::Done,
    }
}

/// The day it is.
pub(super) fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = terminal::time(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    text.split(' ').next().unwrap_or_default().to_string()
}

fn explained(rule: Option<&str>) -> Result<Exit, Fault> {
    let Some(id) = rule else {
        print(&shown::list())?;
        return Ok(Exit::Done);
    };
    let Some(rule) = ReviewRule::find(id) else {
        let near = ringmail_engine::core::doc::suggest(id, RULES.iter().map(|rule| rule.id));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "ringmail review explain lists them".into(),
        };
        return Err(Fault::user(format!("there is no rule `{}`", clean(id))).hint(hint));
    };
    print(&explain(rule))?;
    Ok(Exit::Done)
}
