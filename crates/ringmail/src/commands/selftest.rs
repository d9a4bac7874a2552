//! `ringmail selftest`: the attacks that must fail, on this host.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::selftest::{Verdict, run};
use crate::terminal::{BOLD, DIM, Format, GREEN, RED, clean, paint, print, print_json};
use ringmail_engine::core::value::Value;

/// Attack this host the way hostile plugins, scripts and servers would
///
/// Runs small projects that are made to be broken, each in a folder of its own below the temporary files, against a
/// server on loopback. Tells of each attack how it ended. Changes nothing else, and needs no network.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the attacks of this number
    #[arg(long, value_name = "NUMBER")]
    attack: Option<u8>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let mut verdicts = Vec::new();
        for verdict in run(self.attack) {
            let verdict = verdict?;
            if self.format == Format::Text {
                print(&line(&verdict))?;
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
        let attacks = verdicts.iter().filter(|verdict| verdict.attack.class > 0).count();
        let fell = verdicts.iter().filter(|verdict| verdict.fell.is_some()).count();
        match self.format {
            Format::Json => print_json(&as_json(verdicts))?,
            Format::Text if fell == 0 => print(&format!("\nall {attacks} attacks failed, as they must\n"))?,
            Format::Text => {}
        }
        match fell {
            0 => Ok(Exit::Done),
            _ => Err(Fault::user(format!("{fell} of {} trials did not end as they must", verdicts.len()))
                .hint("this host does not hold what Ringmail promises: tell us, with this output")),
        }
    }
}

/// Longest words of what was seen.
const SEEN_CHARS_MAX: usize = 100;

fn line(verdict: &Verdict) -> String {
    let (mark, seen) = match &verdict.fell {
        None => (paint(GREEN, "held"), &verdict.seen),
        Some(why) => (paint(RED, "FELL"), why),
    };
    let seen: String = seen.lines().next().unwrap_or_default().chars().take(SEEN_CHARS_MAX).collect();
    let class = if verdict.attack.class == 0 { "-".into() } else { verdict.attack.class.to_string() };
    let what = paint(BOLD, verdict.attack.what);
    let took = format!("{} ms: {}", verdict.took.as_millis(), clean(&seen));
    format!("{mark} {class:>3}  {what}\n          {}\n", paint(DIM, &took))
}

fn as_json(verdicts: &[Verdict]) -> Value {
    Value::list(verdicts.iter().map(|verdict| {
        let took = i64::try_from(verdict.took.as_millis()).unwrap_or(i64::MAX);
        Value::map([
            ("attack", Value::from(i64::from(verdict.attack.class))),
            ("what", verdict.attack.what.into()),
            ("held", Value::from(verdict.fell.is_none())),
            ("seen", verdict.fell.as_deref().unwrap_or(&verdict.seen).into()),
            ("took_ms", Value::from(took)),
        ])
    }))
}
