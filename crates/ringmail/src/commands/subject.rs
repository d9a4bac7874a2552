//! `ringmail subject`: what is on record of one person or program, given out or erased.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::Place;
use crate::records::{number, text};
use crate::terminal::{BOLD, Format, clean, paint, print, print_data, print_json, say, time};
use anyhow::Context;
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::value::{Str, Value};
use ringmail_engine::{Approvals, Clock, DataSubject, Entry, Note, OpenRun, Recorder, SystemClock, stages};
use std::collections::BTreeMap;

/// What is on record of somebody: report, export, erase
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Args)]
struct Who {
    /// As `principal` of a run: the name of a key, the subject of a token, a name in a certificate
    name: String,
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
}

#[derive(clap::Subcommand)]
enum What {
    /// Everybody who is on record
    List {
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// What somebody ran, how often, and what it reached
    Report {
        #[command(flatten)]
        who: Who,
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// All that is on record of somebody, as lines of JSON
    Export {
        #[command(flatten)]
        who: Who,
    },
    /// Take somebody's key away: what was sealed with it is gone for good, and the log still verifies
    Erase {
        #[command(flatten)]
        who: Who,
        /// It cannot be taken back
        #[arg(long)]
        yes: bool,
    },
}

/// What a run of the subject was given, and what its calls brought.
fn carried(entry: &Entry) -> Option<Value> {
    let sealed = entry.sealed.as_ref()?;
    let part = |key: &str| sealed.get(key).cloned();
    let input = part("began").and_then(|began| began.get("input").cloned());
    let calls = part("kept");
    if input.is_none() && calls.is_none() {
        return None;
    }
    Some(Value::map([
        ("stage", Value::from("data")),
        ("run", entry.record.get("run").cloned().unwrap_or_default()),
        ("input", input.unwrap_or_default()),
        ("calls", calls.unwrap_or_default()),
    ]))
}

impl Args {
    pub(crate) fn run(self, common: &Common) -> Result<Exit, Fault> {
        let place = Place::project_in(common.project.as_deref())?;
        match self.what {
            What::List { format } => list(&place, format),
            What::Report { who, format } => report(&place, &who.subject(), format),
            What::Export { who } => {
                each(&place, &who.subject(), |entry| {
                    let all = stages(entry).into_iter().chain(carried(entry));
                    all.into_iter().try_for_each(|line| print_data(&format!("{}\n", to_string(&line))))
                })?;
                Ok(Exit::Done)
            }
            What::Erase { who, yes } => erase(&place, &who.subject(), yes),
        }
    }
}

impl Who {
    fn subject(&self) -> DataSubject {
        DataSubject { name: self.name.as_str().into(), tenant: self.tenant.as_deref().map(Str::from) }
    }
}

fn shown(who: &DataSubject) -> String {
    let tenant = who.tenant.as_ref().map_or_else(String::new, |tenant| format!(" of {}", clean(tenant)));
    format!("{}{tenant}", clean(&who.name))
}

/// Goes through the records of somebody; answers how many there are.
fn each(
    place: &Place,
    who: &DataSubject,
    mut see: impl FnMut(&Entry) -> Result<(), Fault>,
) -> Result<i64, Fault> {
    let mut log = place.recorded(0)?;
    let mut count = 0;
    while let Some(entry) = log.next_where(|_| true).context("cannot read the log")? {
        if entry.who.as_ref() == Some(who) {
            count += 1;
            see(&entry)?;
        }
    }
    match count {
        0 => Err(Fault::user(format!("nothing is on record of `{}`", shown(who)))
            .hint("who is: ringmail subject list")),
        _ => Ok(count),
    }
}

fn list(place: &Place, format: Format) -> Result<Exit, Fault> {
    let audit = place.audit()?;
    let all = audit.subjects().all().context("cannot read the keys of subjects")?;
    let mut all: Vec<(&Str, &DataSubject)> = all.iter().map(|(id, (who, _))| (id, who)).collect();
    all.sort_by(|one, other| (&one.1.name, &one.1.tenant).cmp(&(&other.1.name, &other.1.tenant)));
    match format {
        Format::Text => all.iter().try_for_each(|(_, who)| print(&shown(who)))?,
        Format::Json => print_json(&Value::list(all.iter().map(|(id, who)| {
            let tenant = who.tenant.clone().map_or(Value::Null, Value::Str);
            Value::map([
                ("name", Value::Str(who.name.clone())),
                ("tenant", tenant),
                ("who", Value::Str((*id).clone())),
            ])
        })))?,
    }
    Ok(Exit::Done)
}

/// What somebody did with one chain.
#[derive(Default)]
struct Used {
    runs: i64,
    refused: i64,
    effects: BTreeMap<String, i64>,
    first_ms: u64,
    last_ms: u64,
}

fn report(place: &Place, who: &DataSubject, format: Format) -> Result<Exit, Fault> {
    let mut used: BTreeMap<String, Used> = BTreeMap::new();
    each(place, who, |entry| {
        let record = &entry.record;
        let name = text(record, "chain").or_else(|| text(record, "kind")).unwrap_or("?");
        let at_ms = number(record, "at_ms").unwrap_or(0);
        let one = used.entry(clean(name).into_owned()).or_default();
        if one.runs == 0 {
            one.first_ms = at_ms;
        }
        one.last_ms = at_ms;
        one.runs += i64::from(!matches!(number(record, "part"), Some(1..)));
        let stages = record.get("stages").and_then(Value::as_list);
        let stages = stages.into_iter().flat_map(|list| list.iter());
        one.refused += i64::from(stages.into_iter().any(|stage| text(stage, "stage") == Some("refused")));
        let sinks = record.get("intent").and_then(|intent| intent.get("sinks")?.as_list());
        for sink in sinks.into_iter().flat_map(|list| list.iter()).filter_map(Value::as_str) {
            *one.effects.entry(clean(sink).into_owned()).or_default() += 1;
        }
        Ok(())
    })?;
    let ms = |ms: u64| Value::Int(i64::try_from(ms).unwrap_or(i64::MAX));
    match format {
        Format::Json => print_json(&Value::map(used.iter().map(|(name, one)| {
            let effects = one.effects.iter().map(|(sink, count)| (sink.as_str(), Value::Int(*count)));
            let members = [
                ("runs", Value::Int(one.runs)),
                ("refused", Value::Int(one.refused)),
                ("first_ms", ms(one.first_ms)),
                ("last_ms", ms(one.last_ms)),
                ("effects", Value::map(effects)),
            ];
            (name.as_str(), Value::map(members))
        })))?,
        Format::Text => {
            for (name, one) in &used {
                print(&format!(
                    "{}: {} times, {} refused, from {} to {}",
                    paint(BOLD, name),
                    one.runs,
                    one.refused,
                    time(one.first_ms),
                    time(one.last_ms)
                ))?;
                for (sink, count) in &one.effects {
                    print(&format!("  acted on {sink} {count} times"))?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

fn erase(place: &Place, who: &DataSubject, yes: bool) -> Result<Exit, Fault> {
    let audit = place.audit()?;
    let failed = "cannot erase";
    let known = audit.subjects().all().context(failed)?;
    let Some((id, _)) = known.iter().find(|(_, (known, _))| known == who) else {
        return Err(Fault::user(format!("nothing is on record of `{}`", shown(who)))
            .hint("who is: ringmail subject list"));
    };
    let open = audit.open_runs().context("cannot tell which runs are open")?;
    let open: Vec<&OpenRun> = open.iter().filter(|run| run.who.as_ref() == Some(who)).collect();
    if let Some(run) = open.iter().find(|run| run.lives) {
        // What it carries is in the memory of the process that has it, and would be written under a new key.
        let why = format!("the run {} of `{}` is under way, and nothing is erased", run.run, shown(who));
        return Err(Fault::user(why).hint(
            "its caller ends it with `DELETE /runs/ID`; one whose process has ended ends with the subject",
        ));
    }
    if yes {
        for run in &open {
            audit.cancel(&run.run).context("cannot end an open run")?;
        }
    }
    let count = each(place, who, |_| Ok(()))?;
    if !yes {
        if !open.is_empty() {
            say(&format!("{} open runs of `{}` would be over", open.len(), shown(who)));
        }
        say(&format!("{count} records of `{}` would be sealed for good", shown(who)));
        return Err(Fault::user("nothing is erased").hint("it cannot be taken back; say so with --yes"));
    }
    let at_ms = SystemClock.now_ms();
    let by = DataSubject { name: "host".into(), tenant: None };
    // That it is done is on record before it is done, and does not say of whom.
    let open = vec![("erased", Value::Str(id.clone())), ("records", Value::Int(count))];
    let note = Note { kind: "erased", at_ms, open, who: by, sealed: Vec::new() };
    audit.note(&note).context(failed)?;
    let checkpoint = audit.checkpoint().context(failed)?;
    let approvals = Approvals::new(place.approvals(), &place.host_key()?);
    approvals.forget_subject(who).context("what its runs asked cannot be removed, and nothing is erased")?;
    audit.subjects().erase(who).context(failed)?;
    let certificate = Value::map([
        ("erased", Value::Str(id.clone())),
        ("records", Value::Int(count)),
        ("at_ms", Value::Int(i64::try_from(at_ms).unwrap_or(i64::MAX))),
        ("checkpoint", Value::from(checkpoint)),
    ]);
    let signed = place.host_key()?.signed(certificate);
    print_json(&Value::map([
        ("certificate", signed.act),
        ("public_key", Value::from(signed.public_key)),
        ("signature", Value::from(signed.signature)),
    ]))?;
    Ok(Exit::Done)
}
