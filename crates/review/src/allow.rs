//! Allowances in the code: `ringmail: allow RULE until 2027-01-31: the reason`, on the line or the one before it.
//! One without a reason or a day, or whose day has come, allows nothing and is a finding itself.

use crate::file::Looked;
use crate::rule::{Hit, ReviewRule};
use ringmail_core::doc::Span;

const MARK: &str = "ringmail: allow ";

struct Allowance {
    rules: Vec<String>,
    line: usize,
    /// It stands on a line of its own and is about the next.
    alone: bool,
}

pub(crate) struct Allowances {
    all: Vec<Allowance>,
    pub(crate) wrong: Vec<Hit>,
}

impl Allowances {
    pub(crate) fn read(file: &Looked, today: &str) -> Allowances {
        let mut out = Allowances { all: Vec::new(), wrong: Vec::new() };
        let text = file.text();
        for at in memchr::memmem::find_iter(text.as_bytes(), MARK) {
            let line = file.lines.line(at);
            let whole = file.lines.text(text, line);
            let Some((before, said)) = whole.split_once(MARK) else { continue };
            if !before.trim_end().ends_with(['#', '/', ';']) {
                continue;
            }
            match parse(said, today) {
                Ok(rules) => {
                    let alone = before.trim().chars().all(|c| matches!(c, '#' | '/' | ';'));
                    out.all.push(Allowance { rules, line, alone });
                }
                Err(why) => {
                    let span = Span { start: at, end: at + MARK.len() + said.len() };
                    out.wrong.push(Hit::high(span, why));
                }
            }
        }
        out
    }

    pub(crate) fn allow(&mut self, rule: &str, line: usize) -> bool {
        self.all.iter().any(|one| {
            one.rules.iter().any(|known| known == rule)
                && (one.line == line || one.alone && one.line + 1 == line)
        })
    }
}

fn parse(said: &str, today: &str) -> Result<Vec<String>, String> {
    let form = "write: ringmail: allow RULE until YYYY-MM-DD: the reason";
    let (rules, rest) =
        said.split_once(" until ").ok_or(format!("an allowance without a day on which it ends; {form}"))?;
    let (day, reason) = rest.split_once(':').ok_or(format!("an allowance without a reason; {form}"))?;
    let day = day.trim();
    if ringmail_core::doc::form::date_ms(&format!("{day}T00:00:00Z")).is_err() {
        return Err(format!("`{day}` is not a day; {form}"));
    }
    if reason.trim().len() < 8 {
        return Err(format!("an allowance without a reason; {form}"));
    }
    if day < today {
        return Err(format!("this allowance ended on {day}"));
    }
    let rules: Vec<String> = rules.split(',').map(|rule| rule.trim().to_string()).collect();
    match rules.iter().find(|rule| ReviewRule::find(rule).is_none()) {
        Some(unknown) => Err(format!("there is no rule `{unknown}`")),
        None => Ok(rules),
    }
}
