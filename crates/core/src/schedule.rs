//! When chains run by themselves: `[schedule.NAME]`. Which moments a schedule names follows from it and a calendar alone; what
//! time it is, and what has run, is for whoever asks to say.

mod cron;

use crate::doc::form::{Form, Key, duration_ms};
use crate::doc::{Data, Node};
use crate::listener::Wrong;
use crate::value::{Str, Value};
use cron::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub const SCHEDULE_KEYS: &[Key] = &[
    Key::required("chain", Form::Text, "the chain that is run"),
    Key::new(
        "cron",
        Form::Text,
        "minute, hour, day of the month, month and day of the week, as `cron` has them; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`",
    ),
    Key::new("zone", Form::Text, "cron: where its hours count, such as `Europe/Berlin`; default `UTC`"),
    Key::new("every", Form::Duration, "instead of `cron`: so often, counted from the beginning of 1970"),
    Key::new(
        "input",
        Form::Any,
        "what the chain is given; default the schedule's name and the moment it names, `{schedule, at}`",
    ),
    Key::new(
        "missed",
        Form::OneOf(&["none", "last", "all"]),
        "what is made up for of the moments at which nothing served; default `last`",
    ),
    Key::new("late", Form::Duration, "how late a missed one still begins, `7d` at most; default 1h"),
    Key::new(
        "beside",
        Form::Bool,
        "whether one begins while the one before is under way; where not, it is left out; default no",
    ),
];

const LATE_MS: u64 = 3_600_000;
/// How late one may begin that is not made up for: machines are busy.
const PUNCTUAL_MS: u64 = 30_000;
const LATE_MS_MAX: u64 = 7 * 24 * LATE_MS;
const EVERY_MS_MIN: u64 = 1_000;
/// How many are made up for at once.
const MADE_UP_MAX: usize = 1_000;

/// One schedule.
#[derive(Clone, Debug)]
pub struct ScheduleSetting {
    pub name: Str,
    pub chain: Str,
    times: Times,
    input: Option<Value>,
    missed: Missed,
    late_ms: u64,
    pub beside: bool,
    /// What says when, as it is written: another one begins anew.
    pub words: Str,
}

#[derive(Clone, Debug)]
enum Times {
    Every(u64),
    Cron(Box<Cron>, TimeZone),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missed {
    None,
    Last,
    All,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueMoments {
    /// To be run now, in their order.
    pub moments: Vec<u64>,
    /// The first and the last of those that nothing is run for any more.
    pub passed: Option<(u64, u64)>,
}

impl ScheduleSetting {
    pub(crate) fn load(name: &str, node: &Node, wrong: Wrong<'_>) -> Option<ScheduleSetting> {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let spot = |key: &str| node.get(key).map_or(node.span, |node| node.span);
        let ms = |key: &str| text(key).and_then(|text| duration_ms(text).ok());
        let (times, words) = match (text("cron"), ms("every")) {
            (Some(written), None) => {
                let cron = Cron::parse(written);
                let cron = cron.map_err(|why| wrong(spot("cron"), why, None)).ok()?;
                let zone = text("zone").unwrap_or("UTC");
                let Some(found) = jiff::tz::db().get(zone).ok() else {
                    let help = "its name in the time zone database, such as `Europe/Berlin`";
                    wrong(spot("zone"), format!("there is no time zone `{zone}`"), Some(help.into()));
                    return None;
                };
                (Times::Cron(Box::new(cron), found), format!("{written} {zone}"))
            }
            (None, Some(every)) if every < EVERY_MS_MIN => {
                wrong(spot("every"), "a schedule runs once a second at most".into(), None);
                return None;
            }
            (None, Some(every)) if node.get("zone").is_none() => {
                (Times::Every(every), format!("every {}", text("every").unwrap_or_default()))
            }
            (None, Some(_)) => {
                wrong(spot("zone"), "`zone` is for `cron`".into(), None);
                return None;
            }
            _ => {
                wrong(node.span, "a schedule has `cron` or `every`, and one of them".into(), None);
                return None;
            }
        };
        let missed = match text("missed") {
            Some("none") => Missed::None,
            Some("all") => Missed::All,
            _ => Missed::Last,
        };
        if missed == Missed::None && node.get("late").is_some() {
            wrong(spot("late"), "`late` says nothing where nothing missed is made up for".into(), None);
        }
        let late_ms = ms("late").unwrap_or(LATE_MS);
        if late_ms > LATE_MS_MAX {
            wrong(spot("late"), "what is missed is made up for within `7d`".into(), None);
        }
        let setting = ScheduleSetting {
            name: name.into(),
            chain: text("chain")?.into(),
            times,
            input: node.get("input").map(Node::to_value),
            missed,
            late_ms,
            beside: node.get("beside").map(|node| &node.data) == Some(&Data::Bool(true)),
            words: words.as_str().into(),
        };
        if setting.after(0).is_none() {
            wrong(spot("cron"), "no day is ever like this".into(), None);
            return None;
        }
        Some(setting)
    }

    /// The first moment after another one.
    pub fn after(&self, at_ms: u64) -> Option<u64> {
        match &self.times {
            Times::Every(every) => (at_ms / every).checked_add(1)?.checked_mul(*every),
            Times::Cron(cron, zone) => {
                let after = Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
                u64::try_from(cron.after(after, zone)?.as_millisecond()).ok()
            }
        }
    }

    /// What is to be done of all that came after `done_ms` and not after `now_ms`.
    pub fn due(&self, done_ms: u64, now_ms: u64) -> DueMoments {
        let late_ms = if self.missed == Missed::None { PUNCTUAL_MS } else { self.late_ms.max(PUNCTUAL_MS) };
        let mut due = DueMoments::default();
        let Some(first) = self.after(done_ms).filter(|first| *first <= now_ms) else { return due };
        let from_ms = done_ms.max(now_ms.saturating_sub(late_ms).saturating_sub(1));
        let mut at_ms = from_ms;
        let mut passed = (from_ms > done_ms && first <= from_ms).then_some((first, from_ms));
        while let Some(next) = self.after(at_ms).filter(|next| *next <= now_ms) {
            if self.missed != Missed::All || due.moments.len() >= MADE_UP_MAX {
                for left in due.moments.drain(..1.min(due.moments.len())) {
                    passed = Some((passed.map_or(left, |(from, _)| from), left));
                }
            }
            due.moments.push(next);
            at_ms = next;
        }
        due.passed = passed;
        due
    }

    /// What the chain is given at a moment.
    pub fn input(&self, at_ms: u64) -> Value {
        self.input.clone().unwrap_or_else(|| {
            let at = i64::try_from(at_ms).ok().and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
            let at = at.map(|at| at.to_string()).unwrap_or_default();
            Value::map([("schedule", Value::Str(self.name.clone())), ("at", Value::from(at))])
        })
    }

    /// Whether moments wait for the run before: none of them is to be left out.
    pub fn waits(&self) -> bool {
        self.missed == Missed::All
    }

    /// Who its runs are for.
    pub fn subject(&self) -> String {
        format!("schedule:{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::{Source, toml};

    const DAY: u64 = 24 * 3_600_000;

    fn load(text: &str) -> Result<ScheduleSetting, String> {
        let source = Source::new("t", format!("chain = \"c\"\n{text}"));
        let node = toml::parse(&source).unwrap();
        let mut problems = Vec::new();
        let setting = ScheduleSetting::load("s", &node, &mut |_, message, _| problems.push(message));
        if problems.is_empty() { Ok(setting.unwrap()) } else { Err(problems.join("; ")) }
    }

    fn ms(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    fn shown(at_ms: u64) -> String {
        Timestamp::from_millisecond(i64::try_from(at_ms).unwrap()).unwrap().to_string()
    }

    /// The next moments after one.
    #[track_caller]
    fn check(text: &str, after: &str, expected: &[&str]) {
        let setting = load(text).unwrap();
        let mut at_ms = ms(after);
        for expected in expected {
            at_ms = setting.after(at_ms).unwrap();
            assert_eq!(shown(at_ms), *expected, "{text}");
        }
    }

    #[test]
    fn a_schedule_names_its_moments() {
        check("every = '15m'", "2026-03-01T00:00:00Z", &["2026-03-01T00:15:00Z", "2026-03-01T00:30:00Z"]);
        check("every = '7s'", "1970-01-01T00:00:20Z", &["1970-01-01T00:00:21Z"]);
        check("cron = '30 3 * * *'", "2026-03-01T03:30:00Z", &["2026-03-02T03:30:00Z"]);
        check(
            "cron = '*/20 9-10 * * mon-fri'",
            "2026-03-06T10:20:00Z",
            &["2026-03-06T10:40:00Z", "2026-03-09T09:00:00Z"],
        );
        check(
            "cron = '5/25 0 * * *'",
            "2026-03-06T00:05:00Z",
            &["2026-03-06T00:30:00Z", "2026-03-06T00:55:00Z"],
        );
        check("cron = '@monthly'", "2026-12-01T00:00:00Z", &["2027-01-01T00:00:00Z"]);
        check("cron = '0 0 29 feb *'", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z"]);
        // One of both is enough, where both are named; a step of all names none.
        check(
            "cron = '0 0 13 * 5'",
            "2026-03-01T00:00:00Z",
            &["2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z"],
        );
        check(
            "cron = '0 0 */2 * 0'",
            "2026-03-01T00:00:00Z",
            &["2026-03-15T00:00:00Z", "2026-03-29T00:00:00Z"],
        );
        check("cron = '0 0 * * 7'", "2026-03-02T00:00:00Z", &["2026-03-08T00:00:00Z"]);
    }

    #[test]
    fn clocks_that_are_put_forward_or_back_change_no_day() {
        let berlin = "zone = 'Europe/Berlin'";
        check(&format!("cron = '0 3 * * *'\n{berlin}"), "2026-07-01T00:00:00Z", &["2026-07-01T01:00:00Z"]);
        // From 02:00 to 03:00 there is nothing: it comes as much later, and once.
        check(
            &format!("cron = '30 2 * * *'\n{berlin}"),
            "2026-03-28T12:00:00Z",
            &["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
        );
        // From 02:00 to 03:00 there is everything twice: what names the hour comes once, what comes in each comes in both.
        check(
            &format!("cron = '30 2 * * *'\n{berlin}"),
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        check(
            &format!("cron = '30 * * * *'\n{berlin}"),
            "2026-10-24T23:45:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
        );
    }

    #[test]
    fn what_is_no_schedule_is_told() {
        for (text, why) in [
            ("", "a schedule has `cron` or `every`, and one of them"),
            ("cron = '@daily'\nevery = '1h'", "a schedule has `cron` or `every`, and one of them"),
            ("every = '10ms'", "a schedule runs once a second at most"),
            ("every = '1h'\nzone = 'UTC'", "`zone` is for `cron`"),
            ("cron = '@daily'\nzone = 'Europe/Atlantis'", "there is no time zone `Europe/Atlantis`"),
            ("cron = '0 0 30 2 *'", "no day is ever like this"),
            ("cron = '* * * *'", "`cron` has five fields"),
            ("cron = '60 * * * *'", "`60` is no minute"),
            ("cron = '* * 0 * *'", "`0` is no day of the month"),
            ("cron = '* 5-2 * * *'", "`5-2` is no hour"),
            ("cron = '*/0 * * * *'", "`*/0` is no minute"),
            ("cron = '* * * foo *'", "`foo` is no month"),
            ("cron = '+1 * * * *'", "`+1` is no minute"),
            ("cron = '@daily'\nmissed = 'none'\nlate = '1h'", "`late` says nothing"),
            ("cron = '@daily'\nlate = '8d'", "within `7d`"),
        ] {
            let problem = load(text).unwrap_err();
            assert!(problem.contains(why), "{text}: {problem}");
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_it_says() {
        let now = 100 * DAY + 5_000;
        let hour = 3_600_000;
        let due = |missed: &str, done: u64| load(&format!("every = '1h'\n{missed}")).unwrap().due(done, now);
        // Nothing is due before its time, and nothing twice.
        assert_eq!(due("", 100 * DAY), DueMoments::default());
        assert_eq!(due("", now + DAY), DueMoments::default());
        assert_eq!(due("", 100 * DAY - 1).moments, [100 * DAY]);
        assert_eq!(due("missed = 'none'", 100 * DAY - 1).moments, [100 * DAY]);
        let late = "late = '150m'";
        let last = due(late, 99 * DAY);
        assert_eq!(
            last,
            DueMoments { moments: vec![100 * DAY], passed: Some((99 * DAY + hour, 100 * DAY - hour)) }
        );
        let all = due(&format!("missed = 'all'\n{late}"), 99 * DAY);
        assert_eq!(all.moments, [100 * DAY - 2 * hour, 100 * DAY - hour, 100 * DAY]);
        assert_eq!(all.passed.map(|(from, _)| from), Some(99 * DAY + hour));
        // What nobody makes up for is late after a moment.
        let none = load("every = '1h'\nmissed = 'none'").unwrap().due(99 * DAY, 100 * DAY + 60_000);
        assert!(none.moments.is_empty() && none.passed.is_some(), "{none:?}");
        // However many there are, so many at once.
        let many = load("every = '1s'\nmissed = 'all'\nlate = '1h'").unwrap().due(99 * DAY, 100 * DAY);
        assert_eq!((many.moments.len(), many.moments.last()), (MADE_UP_MAX, Some(&(100 * DAY))));
    }

    #[test]
    fn a_chain_is_told_which_moment_it_is_or_what_was_written() {
        let told = load("every = '1h'").unwrap().input(DAY);
        assert_eq!(crate::json::to_string(&told), r#"{"schedule":"s","at":"1970-01-02T00:00:00Z"}"#);
        let told = load("every = '1h'\ninput = {n = 1}").unwrap().input(DAY);
        assert_eq!(crate::json::to_string(&told), r#"{"n":1}"#);
    }
}
