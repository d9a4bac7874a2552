//! Runs as they stand on record, to be gone on with: which are not over, whose they are, and all that is known of one.

use super::open::{Process, claim, processes};
use super::{Audit, AuditError, AuditReader, Entry, OPEN};
use crate::journal::Past;
use crate::recorder::{Began, DataSubject, RecordError, Recorder, RunPart, Start};
use ringmail_core::policy::Principal;
use ringmail_core::trail::{Event, Stage};
use ringmail_core::value::{Str, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use thiserror::Error;

/// A run that is on record and not over.
#[derive(Clone, Debug)]
pub struct OpenRun {
    pub run: Str,
    pub chain: Str,
    /// Nothing, once that subject was erased.
    pub who: Option<DataSubject>,
    pub at_ms: u64,
    /// Whether a process has it.
    pub lives: bool,
    pub unattended: bool,
    /// Calls of which nobody knows whether they happened.
    pub in_doubt: Vec<Str>,
    by: String,
    first: u64,
}

/// A run that nobody waited for, and that is over.
#[derive(Clone, Debug)]
pub struct OverRun {
    pub run: Str,
    /// Nothing, once that subject was erased.
    pub who: Option<DataSubject>,
    pub ended_ms: u64,
    first: u64,
}

#[derive(Debug, Error)]
pub enum PastError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("cannot look at the runs that are open: {0}")]
    Disk(#[from] std::io::Error),
    #[error("no run `{0}` is open")]
    NotOpen(String),
    #[error("a process that lives has the run `{0}`")]
    Lives(String),
    #[error(
        "what the run `{0}` was given cannot be read: it was not kept or is kept no longer, its subject was erased, or the host's key is another"
    )]
    Erased(String),
    #[error("no run `{0}` is on record")]
    Unrecorded(String),
    #[error("it cannot be recorded: {0}")]
    Record(#[from] RecordError),
}

/// What a record of a run says at its head, before anything that a chain chooses.
struct Head<'r> {
    at_ms: u64,
    run: &'r str,
    part: &'r str,
    rest: &'r str,
}

fn head(record: &[u8]) -> Option<Head<'_>> {
    let text = std::str::from_utf8(record.get(..record.len().min(192))?)
        .or_else(|error| std::str::from_utf8(record.get(..error.valid_up_to()).unwrap_or_default()));
    let text = text.ok()?.strip_prefix("{\"kind\":\"run\",\"at_ms\":")?;
    let (at_ms, text) = text.split_once(",\"run\":\"")?;
    let at_ms = at_ms.parse().ok()?;
    let (run, text) = text.split_once("\",\"part\":")?;
    let (part, rest) = text.split_once(',')?;
    Some(Head { at_ms, run, part, rest })
}

impl Audit {
    fn reader(&self, from: u64) -> Result<AuditReader, AuditError> {
        AuditReader::with(&self.folder, self.subjects.clone(), from)
    }

    /// Every run that is not over, oldest first.
    pub fn open_runs(&self) -> Result<Vec<OpenRun>, PastError> {
        let _claim = claim(&self.folder.join(OPEN))?;
        let all = processes(&self.folder.join(OPEN))?;
        let mut open = self.scan(&all)?;
        let wanted: HashMap<Str, u64> = open.iter().map(|open| (open.run.clone(), open.first)).collect();
        let pasts = self.pasts(&wanted)?;
        for open in &mut open {
            if let Some(past) = pasts.get(&open.run) {
                open.in_doubt = past.in_doubt();
            }
        }
        Ok(open)
    }

    /// Takes over a run that has nobody; this process has it from now on.
    pub fn claim(&self, wanted: &str) -> Result<Past, PastError> {
        let claim = claim(&self.folder.join(OPEN))?;
        let open = self.left(wanted)?;
        let past = self.pasts(&HashMap::from([(open.run.clone(), open.first)]))?.remove(&open.run);
        let past = past.ok_or_else(|| PastError::Erased(open.run.to_string()))?;
        *past.claim.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(claim);
        Ok(past)
    }

    /// The one run of this name that is open and has nobody.
    fn left(&self, wanted: &str) -> Result<OpenRun, PastError> {
        let open = self.scan(&processes(&self.folder.join(OPEN))?)?;
        let mut found = open.into_iter().filter(|open| open.run.starts_with(wanted));
        let (Some(open), None) = (found.next(), found.next()) else {
            return Err(PastError::NotOpen(wanted.into()));
        };
        // Its own are with it, too.
        match open.lives {
            true => Err(PastError::Lives(open.run.to_string())),
            false => Ok(open),
        }
    }

    /// Ends a run that has nobody, whether or not it can be read what it was given; answers which one.
    pub fn cancel(&self, wanted: &str) -> Result<Str, PastError> {
        let _claim = claim(&self.folder.join(OPEN))?;
        let open = self.left(wanted)?;
        let (mut parts, mut elapsed_us) = (0, 0);
        let mut reader = self.reader(open.first)?;
        let fits = |record: &[u8]| head(record).is_some_and(|head| head.run == &*open.run);
        while let Some(entry) = reader.next_where(fits)? {
            parts = u32::try_from(number(&entry.record, "part")).unwrap_or(u32::MAX).saturating_add(1);
            let stages = entry.record.get("stages").and_then(Value::as_list);
            let all = stages.into_iter().flat_map(|list| list.iter());
            elapsed_us = all.map(|stage| number(stage, "at_us")).fold(elapsed_us, u64::max);
        }
        // Whoever was erased gets no new key for the end of a run.
        let (principal, run) = (Principal::host(), open.run);
        let start = Start {
            run: run.clone(),
            project: Str::default(),
            chain: open.chain.clone(),
            digest: Str::default(),
            who: open.who.unwrap_or_else(|| DataSubject::of(&principal)),
            at_ms: open.at_ms,
            unattended: open.unattended,
            keeps: true,
            began: Began { principal, nonce: 0, input: Value::Null, session: Value::Null, comes_back: false },
        };
        let part = RunPart {
            run: &start,
            number: parts,
            events: &[Event { at_us: elapsed_us, link: open.chain, stage: Stage::Cancelled }],
            kept: &[],
            class: "",
            intent: None,
            is_last: true,
            resumes: Some(open.first),
        };
        self.part(part)?;
        Ok(run)
    }

    fn scan(&self, all: &[Process]) -> Result<Vec<OpenRun>, PastError> {
        let Some(from) = all.iter().map(|process| process.mark).min() else { return Ok(Vec::new()) };
        let mut open: BTreeMap<Str, OpenRun> = BTreeMap::new();
        let mut reader = self.reader(from)?;
        let wanted = |record: &[u8]| {
            head(record)
                .is_some_and(|head| ["\"last\":", "\"by\":"].iter().any(|key| head.rest.starts_with(key)))
        };
        while let Some(entry) = reader.next_where(wanted)? {
            let text = |key: &str| entry.record.get(key).and_then(Value::as_str).unwrap_or_default();
            let run: Str = text("run").into();
            if entry.record.get("last").is_some() {
                open.remove(&run);
                continue;
            }
            let by = text("by").to_string();
            let lives = all.iter().any(|process| process.by == by && process.lives);
            if let Some(known) = open.get_mut(&run) {
                (known.by, known.lives) = (by, lives);
                continue;
            }
            let at_ms = number(&entry.record, "at_ms");
            let unattended = entry.record.get("unattended").is_some();
            let (chain, who, first) = (text("chain").into(), entry.who.clone(), entry.at);
            let in_doubt = Vec::new();
            open.insert(
                run.clone(),
                OpenRun { run, chain, who, at_ms, lives, unattended, in_doubt, by, first },
            );
        }
        for process in all.iter().filter(|process| !process.lives) {
            if !open.values().any(|open| open.by == process.by) {
                process.forget()?;
            }
        }
        Ok(open.into_values().collect())
    }

    /// All that is on record of these runs, from their first records on; those that cannot be read are left out.
    fn pasts(&self, wanted: &HashMap<Str, u64>) -> Result<HashMap<Str, Past>, AuditError> {
        let Some(from) = wanted.values().copied().min() else { return Ok(HashMap::new()) };
        let mut reader = self.reader(from)?;
        let mut pasts: HashMap<Str, Past> = HashMap::new();
        let fits = |record: &[u8]| head(record).is_some_and(|head| wanted.contains_key(head.run));
        while let Some(entry) = reader.next_where(fits)? {
            if let Some(past) = begun(&entry) {
                pasts.insert(past.start.run.clone(), past);
            }
            let run = entry.record.get("run").and_then(Value::as_str).unwrap_or_default();
            if let Some(past) = pasts.get_mut(run) {
                extend(past, &entry);
            }
        }
        Ok(pasts)
    }

    /// All that is on record of the runs of some time, the latest at most; and how many of those cannot be read any more.
    pub fn latest(&self, since_ms: u64, most: usize) -> Result<(Vec<Past>, usize), PastError> {
        let mut first: VecDeque<(Str, u64)> = VecDeque::new();
        let mut reader = self.reader(0)?;
        let begins = |record: &[u8]| head(record).is_some_and(|head| head.part == "0");
        while let Some(entry) = reader.next_where(begins)? {
            let keeps = entry.record.get("period").is_some();
            if keeps && number(&entry.record, "at_ms") >= since_ms {
                let run = entry.record.get("run").and_then(Value::as_str).unwrap_or_default();
                first.push_back((run.into(), entry.at));
                if first.len() > most {
                    first.pop_front();
                }
            }
        }
        let order: Vec<Str> = first.iter().map(|(run, _)| run.clone()).collect();
        let mut pasts = self.pasts(&first.into_iter().collect())?;
        let found: Vec<Past> = order.iter().filter_map(|run| pasts.remove(run)).collect();
        let unread = order.len() - found.len();
        Ok((found, unread))
    }

    /// Runs that nobody waited for and that ended since then, so many at most. Begins at the end of the log, and looks no further back
    /// than a file of which nothing is of that time.
    pub fn over(&self, since_ms: u64, most: usize) -> Result<Vec<OverRun>, PastError> {
        let mut reader = self.reader(0)?;
        let mut ends: HashMap<Str, u64> = HashMap::new();
        let mut over = Vec::new();
        for file in reader.files()?.into_iter().rev() {
            let mut begun = Vec::new();
            let is_recent = Cell::new(false);
            let wanted = |record: &[u8]| {
                let Some(head) = head(record) else { return false };
                is_recent.set(is_recent.get() || head.at_ms >= since_ms);
                // Most are of runs that somebody waited for, and are not opened.
                let is_last = head.rest.starts_with("\"last\":");
                if head.part == "0" { !is_last } else { is_last }
            };
            reader.look_at(vec![file]);
            while let Some(entry) = reader.next_where(wanted)? {
                let text = |key: &str| entry.record.get(key).and_then(Value::as_str).unwrap_or_default();
                let stages = entry.record.get("stages").and_then(Value::as_list);
                let took_us =
                    stages.and_then(|all| all.iter().last()).map_or(0, |last| number(last, "at_us"));
                let at_ms = number(&entry.record, "at_ms").saturating_add(took_us / 1_000);
                is_recent.set(is_recent.get() || at_ms >= since_ms);
                if entry.record.get("last").is_some() {
                    ends.insert(text("run").into(), at_ms);
                }
                let is_first = entry.record.get("part") == Some(&Value::Int(0));
                if is_first && entry.record.get("unattended").is_some() {
                    begun.push((Str::from(text("run")), entry.who.clone(), entry.at));
                }
            }
            over.extend(begun.into_iter().rev().filter_map(|(run, who, first)| {
                let ended_ms = ends.remove(&run).filter(|ended| *ended >= since_ms)?;
                Some(OverRun { run, who, ended_ms, first })
            }));
            if !is_recent.get() || over.len() >= most {
                break;
            }
        }
        over.truncate(most);
        Ok(over)
    }

    /// All that is on record of one that is over.
    pub fn past_of(&self, over: &OverRun) -> Result<Past, PastError> {
        let past = self.pasts(&HashMap::from([(over.run.clone(), over.first)]))?.remove(&over.run);
        past.ok_or_else(|| PastError::Erased(over.run.to_string()))
    }

    /// All that is on record of one run, whether it is over or not.
    pub fn past(&self, run: &str) -> Result<Past, PastError> {
        let wanted = HashMap::from([(Str::from(run), 0)]);
        if let Some(past) = self.pasts(&wanted)?.remove(run) {
            return Ok(past);
        }
        let mut reader = self.reader(0)?;
        match reader.next_where(|record| head(record).is_some_and(|head| head.run == run))? {
            Some(_) => Err(PastError::Erased(run.into())),
            None => Err(PastError::Unrecorded(run.into())),
        }
    }
}

fn number(value: &Value, key: &str) -> u64 {
    match value.get(key) {
        Some(Value::Int(int)) => u64::try_from(*int).unwrap_or(0),
        _ => 0,
    }
}

/// How a run began, from its first record.
fn begun(entry: &Entry) -> Option<Past> {
    if entry.record.get("part") != Some(&Value::Int(0)) {
        return None;
    }
    let text = |key: &str| entry.record.get(key).and_then(Value::as_str).map(Str::from);
    let began = entry.sealed.as_ref()?.get("began")?;
    let who = entry.who.clone()?;
    let roles = began.get("roles").and_then(Value::as_list).into_iter().flat_map(|list| list.iter());
    let principal = Principal {
        subject: who.name.clone(),
        roles: roles.filter_map(Value::as_str).map(Str::from).collect(),
        tenant: who.tenant.clone(),
        authenticated: began.get("authenticated")?.as_str()?.into(),
    };
    let start = Start {
        run: text("run")?,
        project: text("project")?,
        chain: text("chain")?,
        digest: text("chain_sha256")?,
        who,
        at_ms: number(&entry.record, "at_ms"),
        unattended: entry.record.get("unattended").is_some(),
        keeps: true,
        began: Began {
            principal,
            nonce: u64::from_str_radix(began.get("nonce")?.as_str()?, 16).ok()?,
            input: began.get("input").cloned().unwrap_or_default(),
            session: began.get("session").cloned().unwrap_or_default(),
            comes_back: began.get("comes_back").is_some(),
        },
    };
    Some(Past::new(start, entry.at))
}

fn extend(past: &mut Past, entry: &Entry) {
    past.parts = u32::try_from(number(&entry.record, "part")).unwrap_or(u32::MAX).saturating_add(1);
    let stages = entry.record.get("stages").and_then(Value::as_list);
    for stage in stages.into_iter().flat_map(|list| list.iter()) {
        past.elapsed_us = past.elapsed_us.max(number(stage, "at_us"));
        let text = |key: &str| stage.get(key).and_then(Value::as_str).unwrap_or_default();
        let rule = stage.get("rule").and_then(Value::as_str).map(Str::from);
        past.decided((text("link").into(), text("stage").into(), rule));
        let stood = match text("stage") {
            "admitted" => Stage::Admitted { attempt: 1 },
            "released" | "endorsed" | "declassified" | "extracted" | "approved" => Stage::Released,
            _ => continue,
        };
        past.happened(text("link").into(), stood);
    }
    let sealed = |key: &str| entry.sealed.as_ref().and_then(|sealed| sealed.get(key));
    for kept in sealed("kept").and_then(Value::as_list).into_iter().flat_map(|list| list.iter()) {
        if let (Some(at), Some(what)) = (kept.get("at").and_then(Value::as_str), kept.get("what")) {
            past.ended(at.into(), what.clone());
        }
    }
    if let Some(intent) = sealed("intent") {
        let text = |key: &str| intent.get(key).and_then(Value::as_str).unwrap_or_default();
        let open = entry.record.get("intent").and_then(|intent| intent.get("once"));
        past.begun(text("at").into(), text("args_sha256").into(), open != Some(&Value::Bool(false)));
    }
}
