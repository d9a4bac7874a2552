//! `ringmail selftest`: the attacks that must fail, on this host.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::selftest::{End, Interpreter, Means, Verdict, run};
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, YELLOW, clean, paint, print, print_json};
use ringmail_engine::core::value::Value;
use std::path::Path;

/// Attack this host the way hostile plugins, scripts and servers would
///
/// Runs small projects that are made to be broken, each in a folder of its own below the temporary files, against a
/// server on loopback: plugins as instances of this process and in worker processes. Tells of each attack how it ended.
/// Changes nothing else, and needs no network. Programs in Python are tried with the interpreter of the project.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the attacks of this number
    #[arg(long, value_name = "NUMBER")]
    attack: Option<u8>,
    /// Take the wall away from each attack where a setting can, and see that it gets through
    #[arg(long)]
    without_walls: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let means = Means { python: interpreter(common), open: self.without_walls };
        let mut verdicts = Vec::new();
        for verdict in run(self.attack, &means) {
            let verdict = verdict?;
            if self.format == Format::Text {
                print(&line(&verdict, self.without_walls))?;
            }
            verdicts.push(verdict);
        }
        let Some(number) = self.attack.filter(|_| verdicts.is_empty()) else {
            return self.told(&verdicts);
        };
        Err(Fault::user(format!("there is no attack with the number {number}"))
            .hint("all of them: ringmail selftest"))
    }

    fn told(&self, verdicts: &[Verdict]) -> Result<Exit, Fault> {
        let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
        let untried = count(|verdict| matches!(verdict.end, End::Untried(_)));
        let fell = count(|verdict| matches!(verdict.end, End::Fell(_)));
        let held = count(|verdict| matches!(verdict.end, End::Held));
        let attacks = count(|verdict| verdict.attack.class > 0 && !matches!(verdict.end, End::Untried(_)));
        let wrong = if self.without_walls { held } else { fell };
        let more = match untried {
            0 => String::new(),
            _ => format!("; {untried} trials are not possible here"),
        };
        match self.format {
            Format::Json => print_json(&as_json(verdicts))?,
            Format::Text if wrong > 0 || attacks == 0 => {}
            Format::Text if self.without_walls => {
                print(&format!("\nall {attacks} attacks got through once their wall was gone{more}\n"))?;
            }
            Format::Text => print(&format!("\nall {attacks} attacks failed, as they must{more}\n"))?,
        }
        match (wrong, self.without_walls) {
            (0, _) => Ok(Exit::Done),
            (_, true) => Err(Fault::user(format!(
                "{held} of {} attacks failed without the wall they test",
                verdicts.len()
            ))
            .hint("what they show on this host is worth nothing: tell us, with this output")),
            (_, false) => {
                Err(Fault::user(format!("{fell} of {} trials did not end as they must", verdicts.len()))
                    .hint("this host does not hold what Ringmail promises: tell us, with this output"))
            }
        }
    }
}

/// The interpreter of the project around, if there is one.
fn interpreter(common: &Common) -> Option<Interpreter> {
    let place = Place::open(common.project.as_deref(), Path::new(".")).ok()?;
    let python = place.project.python.as_ref()?;
    let path = std::path::absolute(place.root.join(&python.interpreter.path)).ok()?;
    path.is_file().then(|| Interpreter {
        path,
        digest: python.interpreter.digest.clone(),
        data: place.data(),
    })
}

/// Longest words of what was seen.
const SEEN_CHARS_MAX: usize = 100;

fn line(verdict: &Verdict, open: bool) -> String {
    let (good, bad) = if open { (RED, GREEN) } else { (GREEN, RED) };
    let (mark, seen) = match &verdict.end {
        End::Held => (paint(good, "held"), &verdict.seen),
        End::Fell(why) => (paint(bad, "FELL"), why),
        End::Untried(why) => (paint(YELLOW, "none"), why),
    };
    let seen: String = seen.lines().next().unwrap_or_default().chars().take(SEEN_CHARS_MAX).collect();
    let class = if verdict.attack.class == 0 { "-".into() } else { verdict.attack.class.to_string() };
    let (mode, what) = (verdict.mode.name(), paint(BOLD, verdict.attack.what));
    let took = format!("{} ms: {}", verdict.took.as_millis(), clean(&seen));
    format!("{mark} {class:>3}  {mode:<8}  {what}\n                    {}\n", paint(DIM, &took))
}

fn as_json(verdicts: &[Verdict]) -> Value {
    Value::list(verdicts.iter().map(|verdict| {
        let took = i64::try_from(verdict.took.as_millis()).unwrap_or(i64::MAX);
        let (held, seen, untried) = match &verdict.end {
            End::Held => (Value::from(true), verdict.seen.as_str(), Value::Null),
            End::Fell(why) => (Value::from(false), why.as_str(), Value::Null),
            End::Untried(why) => (Value::Null, "", Value::from(why.as_str())),
        };
        Value::map([
            ("attack", Value::from(i64::from(verdict.attack.class))),
            ("mode", verdict.mode.name().into()),
            ("what", verdict.attack.what.into()),
            ("held", held),
            ("untried", untried),
            ("seen", seen.into()),
            ("took_ms", Value::from(took)),
        ])
    }))
}
