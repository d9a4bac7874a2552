//! What people and pipes see. Results go to stdout, talk to stderr; colour only where it is wanted. Text that came
//! from outside never reaches a terminal with its control characters.

use crate::exit::{Exit, Fault};
use ringmail_engine::core::json::to_pretty;
use ringmail_engine::core::value::Value;
use ringmail_engine::redaction;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Writes a result; a reader that has gone ends the command.
pub(crate) fn print(text: &str) -> Result<(), Fault> {
    written(write_line(&mut anstream::stdout().lock(), &redaction::without_secrets(text)))
}

pub(crate) fn print_json(value: &Value) -> Result<(), Fault> {
    print_data(&to_pretty(value))
}

/// Lines at the end of the terminal that are drawn over: what is said stands above them.
static STATUS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Talks. Nobody may be listening, and that is no reason to stop.
pub(crate) fn say(text: &str) {
    let status = STATUS.lock().unwrap_or_else(PoisonError::into_inner);
    let text = redaction::judged(text.trim_end_matches('\n')).into_owned();
    let _unheard = talk(status.len(), &[text], &status);
}

/// Replaces the lines at the end of the terminal.
pub(crate) fn status(lines: &[String]) {
    let mut status = STATUS.lock().unwrap_or_else(PoisonError::into_inner);
    if *status != lines {
        let shown: Vec<String> = lines.iter().map(|line| redaction::judged(line).into_owned()).collect();
        let _unseen = talk(status.len(), &[], &shown);
        *status = lines.to_vec();
    }
}

fn talk(drawn: usize, said: &[String], status: &[String]) -> std::io::Result<()> {
    let mut out = anstream::stderr().lock();
    if drawn > 0 {
        write!(out, "\u{1b}[{drawn}F\u{1b}[0J")?;
    }
    for line in said.iter().chain(status) {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Whether stderr is a terminal that can be drawn over.
pub(crate) fn is_live() -> bool {
    let stderr = std::io::stderr();
    let moves = anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
    stderr.is_terminal() && moves
}

pub(crate) fn columns() -> usize {
    size().map_or(usize::MAX, |(columns, _)| columns)
}

pub(crate) fn rows() -> usize {
    size().map_or(24, |(_, rows)| rows)
}

fn size() -> Option<(usize, usize)> {
    let (columns, rows) = terminal_size::terminal_size_of(std::io::stderr())?;
    Some((usize::from(columns.0), usize::from(rows.0)))
}

/// Writes what a chain answered, and nothing but that: strings as they are, the rest as JSON. A terminal gets it
/// without what it would obey.
pub(crate) fn print_value(value: &Value) -> Result<(), Fault> {
    let text = match value {
        Value::Str(text) => text.to_string(),
        other => to_pretty(other),
    };
    print_data(&text)
}

/// Writes data byte for byte, whatever colours it seems to have.
pub(crate) fn print_data(text: &str) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    let text = redaction::without_secrets(text);
    let text = &*text;
    let text = if out.is_terminal() { clean(text) } else { Cow::Borrowed(text) };
    written(write_line(&mut out, &text))
}

fn write_line(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn written(result: std::io::Result<()>) -> Result<(), Fault> {
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Fault::silent(Exit::Pipe),
        _ => Fault::from(anyhow::Error::new(error).context("cannot write to stdout")),
    })
}

/// Text without anything a terminal would obey or nobody would see, of the same length, so that places in it stay.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match obeyed(c) {
            true => (0..c.len_utf8()).for_each(|_| out.push('?')),
            false => out.push(c),
        }
    }
    out.into()
}

/// The same as one line: where a line is meant, a break in somebody else's words would begin one of theirs.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match clean(text) {
        text if text.contains(['\n', '\t']) => text.replace('\n', "\\n").replace('\t', "\\t").into(),
        text => text,
    }
}

/// A moment as `2026-12-31 12:00:00 UTC`.
pub(crate) fn time(ms: u64) -> String {
    const DAY_S: u64 = 86_400;
    let (day, second) = (ms / 1000 / DAY_S, ms / 1000 % DAY_S);
    // Days since 0000-03-01, in which every 400 years are alike and the leap day is the last of its year.
    let days = day + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{date:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

pub(crate) const RED: &str = "\u{1b}[31m";
pub(crate) const GREEN: &str = "\u{1b}[32m";
pub(crate) const YELLOW: &str = "\u{1b}[33m";
pub(crate) const BLUE: &str = "\u{1b}[34m";
pub(crate) const DIM: &str = "\u{1b}[2m";
pub(crate) const BOLD: &str = "\u{1b}[1m";

/// Text in a colour; colours fall away where they are not wanted.
pub(crate) fn paint(colour: &str, text: &str) -> String {
    format!("{colour}{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_follow_the_calendar() {
        use ringmail_engine::core::doc::form::date_ms;
        for day in ["1970-01-01", "2024-02-29", "2025-12-31", "2026-03-01", "2100-02-28"] {
            let ms = date_ms(&format!("{day}T23:59:58Z")).unwrap();
            assert_eq!(time(ms), format!("{day} 23:59:58 UTC"));
        }
    }

    #[test]
    fn attack_22_no_control_character_reaches_a_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{7}\n\u{202e}c"), "a?[2Jb?\n???c");
        assert!(matches!(clean("plain\ttext\n"), Cow::Borrowed(_)));
    }
}
