//! Five fields, as `cron` has had them for decades. Where clocks are put forward, what falls into the hour that is left out comes
//! as much later; where they are put back, what names an hour comes once, and what comes every hour comes in both.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Days that are looked at for the next moment: a 29th of February on some weekday comes within 40 years.
const DAYS_MAX: usize = 366 * 41;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What one field may hold.
struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Words for its numbers, from `min` on.
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, words: &[] },
    Field { name: "hour", min: 0, max: 23, words: &[] },
    Field { name: "day of the month", min: 1, max: 31, words: &[] },
    Field { name: "month", min: 1, max: 12, words: MONTHS },
    // Sunday is 0 and 7.
    Field { name: "day of the week", min: 0, max: 7, words: DAYS },
];

/// A bit for each number that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day of the month, and one of the week, was named: either is enough then.
    either: bool,
}

const HOURS_ALL: u64 = (1 << 24) - 1;

impl Cron {
    pub(super) fn parse(text: &str) -> Result<Cron, String> {
        let text = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let Ok(words) = <[&str; 5]>::try_from(words) else {
            return Err(
                "`cron` has five fields: minute, hour, day of the month, month, day of the week".into()
            );
        };
        let mut bits = [0_u64; 5];
        for ((bits, word), field) in bits.iter_mut().zip(words).zip(&FIELDS) {
            *bits = field.parse(word)?;
        }
        let [minutes, hours, days, months, weekdays] = bits;
        let weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let [_, _, day, _, weekday] = words;
        let either = !day.starts_with('*') && !weekday.starts_with('*');
        Ok(Cron { minutes, hours, days, months, weekdays, either })
    }

    fn is_on(&self, date: Date) -> bool {
        let bit = |bits: u64, at: i8| u32::try_from(at).is_ok_and(|at| bits >> at & 1 == 1);
        let day = bit(self.days, date.day());
        let weekday = bit(self.weekdays, date.weekday().to_sunday_zero_offset());
        bit(self.months, date.month()) && if self.either { day || weekday } else { day && weekday }
    }

    pub(super) fn after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut date = after.to_zoned(zone.clone()).date();
        for _ in 0..DAYS_MAX {
            if self.is_on(date)
                && let Some(next) = self.moments(date, zone).into_iter().find(|moment| *moment > after)
            {
                return Some(next);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// All of one day, in their order.
    fn moments(&self, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
        if self.hours == HOURS_ALL {
            return self.of_every_hour(date, zone).unwrap_or_default();
        }
        let set = |bits: u64| (0_i8..60).filter(move |at| bits >> at & 1 == 1);
        let times = set(self.hours).flat_map(|hour| set(self.minutes).map(move |minute| (hour, minute)));
        let moments = times.filter_map(|(hour, minute)| {
            let time = Time::new(hour, minute, 0, 0).ok()?;
            zone.to_timestamp(date.to_datetime(time)).ok()
        });
        let mut moments: Vec<Timestamp> = moments.collect();
        moments.sort();
        moments.dedup();
        moments
    }

    /// Minute by minute, so that an hour that comes twice does.
    fn of_every_hour(&self, date: Date, zone: &TimeZone) -> Option<Vec<Timestamp>> {
        let start = date.to_zoned(zone.clone()).ok()?;
        let end = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.timestamp();
        let (mut at, mut moments) = (start.timestamp(), Vec::new());
        while at < end {
            let minute = zone.to_datetime(at).minute();
            if self.minutes >> minute & 1 == 1 {
                moments.push(at);
            }
            at = at.checked_add(1.minute()).ok()?;
        }
        Some(moments)
    }
}

impl Field {
    /// A list of numbers, ranges and steps.
    fn parse(&self, word: &str) -> Result<u64, String> {
        let wrong = |part: &str| {
            let (name, min, max) = (self.name, self.min, self.max);
            format!(
                "`{part}` is no {name}: a number from {min} to {max}, `*`, `a-b`, `*/step`, or several with commas"
            )
        };
        let mut bits = 0;
        for part in word.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => {
                    let step = step.parse::<u8>().ok().filter(|step| (1..=self.max).contains(step));
                    (range, step.ok_or_else(|| wrong(part))?)
                }
                None => (part, 1),
            };
            let (from, to) = match range.split_once('-') {
                _ if range == "*" => (self.min, self.max),
                Some((from, to)) => (
                    self.number(from).ok_or_else(|| wrong(part))?,
                    self.number(to).ok_or_else(|| wrong(part))?,
                ),
                None => {
                    let from = self.number(range).ok_or_else(|| wrong(part))?;
                    (from, if part.contains('/') { self.max } else { from })
                }
            };
            if from > to {
                return Err(wrong(part));
            }
            bits = (from..=to).step_by(step.into()).fold(bits, |bits, at| bits | 1 << at);
        }
        Ok(bits)
    }

    fn number(&self, text: &str) -> Option<u8> {
        let lower = text.to_ascii_lowercase();
        let word = self.words.iter().position(|word| *word == lower);
        let number = match word {
            Some(at) => u8::try_from(at).ok()?.checked_add(self.min)?,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.min..=self.max).contains(&number).then_some(number)
    }
}
