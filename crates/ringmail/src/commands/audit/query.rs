//! `ringmail audit query`, `tail` and `export`: records that fit, as lines for people or as JSON.

use crate::exit::{Exit, Fault};
use crate::input::moment;
use crate::place::Place;
use crate::records::{number, text};
use crate::terminal::{BOLD, DIM, Format, clean, paint, print, print_data, time};
use anyhow::Context;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{AuditReader, Clock, DataSubject, Entry, Sought, SystemClock};
use std::collections::VecDeque;
use std::time::Duration;

const UNREAD: &str = "cannot read the log";
/// How often somebody who follows looks.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Which records are meant.
#[derive(clap::Args)]
pub(super) struct Fits {
    /// Not before then: `2h` (ago), `2026-12-31` or `2026-12-31T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Of this principal
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Of this tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Of runs of this chain
    #[arg(long, value_name = "NAME")]
    chain: Option<String>,
    /// Of the run whose id begins so
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Where something was refused: by any rule, or by this one
    #[arg(long, value_name = "RULE", num_args = 0..=1, default_missing_value = "")]
    refused: Option<String>,
    /// Where an effect was given a value with this tag, or a detector found it
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Of this kind: `run`, `turned-away`, `ordered`, ...
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    fits: Fits,
    /// No more than so many, the latest of them
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    fits: Fits,
    #[arg(short = 'n', long, default_value_t = 10)]
    limit: usize,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    fits: Fits,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let (mut fits, log) = (Wanted::of(&self.fits)?, place.recorded(0)?);
        fits.know(&log)?;
        let (latest, _) = fits.latest(log, self.limit)?;
        latest.iter().try_for_each(|entry| show(entry, self.format))?;
        Ok(Exit::Done)
    }
}

impl TailArgs {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let fits = Wanted::of(&self.fits)?;
        let (latest, mut next) = fits.latest(place.recorded(0)?, self.limit)?;
        latest.iter().try_for_each(|entry| show(entry, self.format))?;
        if !self.follow {
            return Ok(Exit::Done);
        }
        loop {
            std::thread::sleep(LOOK_AGAIN);
            let mut log = place.recorded(next)?;
            while let Some(entry) = log.next_where(|_| true).context(UNREAD)? {
                next = entry.at + 1;
                if fits.takes(&entry) {
                    show(&entry, self.format)?;
                }
            }
        }
    }
}

impl ExportArgs {
    pub(super) fn run(self, place: &Place) -> Result<Exit, Fault> {
        let (mut fits, mut log) = (Wanted::of(&self.fits)?, place.recorded(0)?);
        fits.know(&log)?;
        let sought = fits.sought();
        for file in log.files().context(UNREAD)? {
            let places = log.places(file, &sought).context(UNREAD)?;
            log.look_at(places);
            while let Some(entry) = log.next_where(|text| fits.may_take(text)).context(UNREAD)? {
                if fits.takes(&entry) {
                    show(&entry, Format::Json)?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// What was asked for, with times as numbers.
struct Wanted<'f> {
    said: &'f Fits,
    since_ms: u64,
    until_ms: u64,
    /// How the principals stand in the log who were asked for; nothing if none were.
    who: Option<Vec<Str>>,
}

impl Wanted<'_> {
    fn of(said: &Fits) -> Result<Wanted<'_>, Fault> {
        let moment = |text: &Option<String>, otherwise: u64| {
            text.as_deref().map_or(Ok(otherwise), |text| moment(text, SystemClock.now_ms()))
        };
        let (since_ms, until_ms) = (moment(&said.since, 0)?, moment(&said.until, u64::MAX)?);
        Ok(Wanted { said, since_ms, until_ms, who: None })
    }

    /// Looks up who was asked for: comparing ids is cheaper than opening every record.
    fn know(&mut self, log: &AuditReader) -> Result<(), Fault> {
        let (name, tenant) = (&self.said.principal, &self.said.tenant);
        if name.is_some() || tenant.is_some() {
            let fits = |who: &DataSubject| {
                name.as_deref().is_none_or(|name| *name == *who.name)
                    && tenant.as_deref().is_none_or(|tenant| who.tenant.as_deref() == Some(tenant))
            };
            let ids = log.ids_of(fits).context("cannot read the keys of subjects")?;
            self.who = Some(ids);
        }
        Ok(())
    }

    /// Whether a record may fit, from its text: most do not, and need not be taken apart.
    fn may_take(&self, record: &[u8]) -> bool {
        let holds = |text: &Option<String>| {
            text.as_ref()
                .is_none_or(|text| text.is_empty() || memchr::memmem::find(record, text.as_bytes()).is_some())
        };
        let said = self.said;
        let who = |ids: &Vec<Str>| ids.iter().any(|id| memchr::memmem::find(record, id.as_bytes()).is_some());
        self.who.as_ref().is_none_or(who)
            && [&said.chain, &said.run, &said.refused, &said.kind, &said.tag].into_iter().all(holds)
    }

    fn takes(&self, entry: &Entry) -> bool {
        let (said, record) = (self.said, &entry.record);
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == found)
        };
        let at_ms = number(record, "at_ms").unwrap_or(0);
        let who = entry.who.as_ref();
        let run =
            said.run.as_ref().is_none_or(|run| text(record, "run").is_some_and(|id| id.starts_with(run)));
        let stages =
            || record.get("stages").and_then(Value::as_list).into_iter().flat_map(|list| list.iter());
        let refused = |rule: &String| {
            stages().any(|stage| text(stage, "rule").is_some_and(|found| rule.is_empty() || rule == found))
        };
        let tags = |value: &Value, key: &str, tag: &str| {
            let list = value.get(key).and_then(Value::as_list);
            list.into_iter().flat_map(|list| list.iter()).any(|found| found.as_str() == Some(tag))
        };
        let tagged = |tag: &String| {
            record.get("intent").is_some_and(|intent| tags(intent, "tags", tag))
                || stages().any(|stage| tags(stage, "tagged", tag))
        };
        (self.since_ms..self.until_ms).contains(&at_ms)
            && is(&said.principal, who.map(|who| &*who.name))
            && is(&said.tenant, who.and_then(|who| who.tenant.as_deref()))
            && is(&said.chain, text(record, "chain"))
            && is(&said.kind, text(record, "kind"))
            && run
            && said.refused.as_ref().is_none_or(refused)
            && said.tag.as_ref().is_none_or(tagged)
    }

    /// The same for whole blocks of records.
    fn sought(&self) -> Sought {
        let said = self.said;
        let (mut from_ms, mut until_ms) = (self.since_ms, self.until_ms);
        if let Some(begun_ms) = said.run.as_deref().and_then(begun_ms) {
            from_ms = from_ms.max(begun_ms.start);
            until_ms = until_ms.min(begun_ms.end);
        }
        let mut sought = Sought::between(from_ms, Some(until_ms).filter(|until| *until < u64::MAX));
        if let Some(ids) = &self.who {
            sought = sought.with("who", ids.iter().map(|id| &**id));
        }
        for (name, wanted) in [("chain", &said.chain), ("kind", &said.kind), ("tag", &said.tag)] {
            if let Some(wanted) = wanted {
                sought = sought.with(name, std::iter::once(wanted.as_str()));
            }
        }
        match said.refused.as_deref() {
            Some("") => sought.refused(),
            Some(rule) => sought.with("rule", std::iter::once(rule)),
            None => sought,
        }
    }

    /// The latest that fit, and the number of the record that comes next.
    fn latest(&self, mut log: AuditReader, limit: usize) -> Result<(VecDeque<Entry>, u64), Fault> {
        let (mut latest, mut next, sought) = (VecDeque::new(), None, self.sought());
        for file in log.files().context(UNREAD)?.into_iter().rev() {
            for place in log.places(file, &sought).context(UNREAD)?.into_iter().rev() {
                log.look_at(vec![place]);
                let mut found = VecDeque::new();
                while let Some(entry) = log.next_where(|text| self.may_take(text)).context(UNREAD)? {
                    if self.takes(&entry) {
                        found.push_back(entry);
                        if found.len() + latest.len() > limit {
                            found.pop_front();
                        }
                    }
                }
                next.get_or_insert(log.next_number());
                found.append(&mut latest);
                latest = found;
                if latest.len() >= limit {
                    return Ok((latest, next.unwrap_or(0)));
                }
            }
        }
        Ok((latest, next.unwrap_or(0)))
    }
}

/// When runs may have begun whose ids begin so: ids begin with the time, and a schedule gives one out before its run.
fn begun_ms(id: &str) -> Option<std::ops::Range<u64>> {
    const DIGITS: usize = 12;
    const LATER_MS: u64 = 8 * 24 * 3_600_000;
    let digits = id.get(..id.len().min(DIGITS))?;
    let padded =
        |digit: &str| u64::from_str_radix(&format!("{digits}{}", digit.repeat(DIGITS - digits.len())), 16);
    let (first, last) = (padded("0").ok()?, padded("f").ok()?);
    // Clocks may be put back a little between the two.
    Some(first.saturating_sub(LATER_MS)..last.saturating_add(LATER_MS))
}

fn show(entry: &Entry, format: Format) -> Result<(), Fault> {
    match format {
        Format::Text => print(&line(entry)),
        Format::Json => print_data(&format!("{}\n", to_string(&whole(entry)))),
    }
}

/// A record with its number, whose it is, and what could be opened of it.
fn whole(entry: &Entry) -> Value {
    let name = entry.who.as_ref().map_or(Value::Null, |who| Value::Str(who.name.clone()));
    let tenant = entry.who.as_ref().and_then(|who| who.tenant.clone()).map_or(Value::Null, Value::Str);
    let head = [
        (Str::from("number"), Value::Int(i64::try_from(entry.at).unwrap_or(i64::MAX))),
        ("principal".into(), name),
        ("tenant".into(), tenant),
    ];
    let members = entry.record.as_map().into_iter().flat_map(|map| map.iter());
    let members = members.filter(|(name, _)| !name.starts_with("carried"));
    let members = members.map(|(name, value)| match (&**name, &entry.sealed) {
        ("sealed", Some(opened)) => (name.clone(), without_data(opened)),
        _ => (name.clone(), value.clone()),
    });
    Value::map(head.into_iter().chain(members).collect::<Vec<_>>())
}

/// What happened, without what a run carried: `ringmail runs show` and `subject export` give that.
fn without_data(opened: &Value) -> Value {
    let members = opened.as_map().into_iter().flat_map(|map| map.iter());
    let told = members.filter(|(name, _)| !matches!(&***name, "began" | "kept"));
    Value::map(told.map(|(name, value)| (name.clone(), value.clone())))
}

fn line(entry: &Entry) -> String {
    let record = &entry.record;
    let kind = text(record, "kind").unwrap_or("?");
    let who =
        entry.who.as_ref().map_or_else(|| paint(DIM, "somebody erased"), |who| clean(&who.name).into_owned());
    let head = format!("{:>6}  {}", entry.at, time(number(record, "at_ms").unwrap_or(0)));
    let what = match kind {
        "run" => {
            let chain = clean(text(record, "chain").unwrap_or("?")).into_owned();
            let run = text(record, "run").unwrap_or("?");
            format!("run {} of {} {}", run.get(..12).unwrap_or(run), paint(BOLD, &chain), story(entry))
        }
        "approval" => {
            let yes = record.get("yes") == Some(&Value::Bool(true));
            let (link, run) = (text(record, "link").unwrap_or("?"), text(record, "run").unwrap_or("?"));
            let run = run.get(..12).unwrap_or(run);
            format!("said {} to {} of run {run}", if yes { "yes" } else { "no" }, clean(link))
        }
        "approvals-shown" => {
            let asked = record.get("asked").and_then(Value::as_list);
            let links = asked.into_iter().flat_map(|all| all.iter()).filter_map(|one| text(one, "link"));
            format!("was shown what is asked: {}", clean(&links.collect::<Vec<_>>().join(", ")))
        }
        _ => {
            let sealed = |key: &str| entry.sealed.as_ref().and_then(|all| text(all, key)).map(clean);
            let parts =
                ["code", "order", "schedule", "period"].iter().filter_map(|key| text(record, key)).map(clean);
            let parts: Vec<_> = parts.chain(["what", "why"].iter().filter_map(|key| sealed(key))).collect();
            format!("{kind} {}", parts.join(": "))
        }
    };
    format!("{}  {who}  {}", paint(DIM, &head), what)
}

/// What is worth a word of a part of a run.
fn story(entry: &Entry) -> String {
    let stages = entry.record.get("stages").and_then(Value::as_list);
    let stages: Vec<&Value> = stages.into_iter().flat_map(|list| list.iter()).collect();
    let mut parts: Vec<String> = Vec::new();
    for stage in &stages {
        let link = clean(text(stage, "link").unwrap_or("?"));
        match text(stage, "stage") {
            Some("refused") => {
                parts.push(format!("refused {} at {link}", text(stage, "rule").unwrap_or("?")))
            }
            Some("failed") => parts.push(format!("failed at {link}")),
            Some(
                ended @ ("answered" | "cancelled" | "endorsed" | "declassified" | "approved" | "resumed"
                | "waiting"),
            ) => parts.push(ended.into()),
            _ => {}
        }
    }
    if let Some(intent) = entry.record.get("intent") {
        let sinks = intent.get("sinks").and_then(Value::as_list);
        let sinks: Vec<_> =
            sinks.into_iter().flat_map(|list| list.iter()).filter_map(Value::as_str).map(clean).collect();
        parts.push(format!(
            "is about to act at {} on {}",
            clean(text(intent, "link").unwrap_or("?")),
            sinks.join(", ")
        ));
    }
    if parts.is_empty() { format!("{} stages", stages.len()) } else { parts.join(", ") }
}
