//! Records as those read them who may: with what is sealed, where its key is still there.

use super::index::{Index, Sought};
use super::periods::Period;
use super::record::purpose;
use super::subjects::{SubjectKey, Subjects};
use super::{ASIDE, AuditError, SUBJECTS};
use crate::recorder::DataSubject;
use crate::sign::{HostKey, from_hex, to_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::{Str, Value};
use ringmail_store::{LogError, LogSpan, Reader};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What was written here is as deep and as long as a run may make it.
const RECORD: JsonLimits = JsonLimits { bytes_max: usize::MAX, depth_max: 160, values_max: usize::MAX };

/// Goes through the records of a log.
#[derive(Debug)]
pub struct AuditReader {
    folder: PathBuf,
    records: Reader,
    keys: Option<Arc<Subjects>>,
    index: Option<Index>,
    /// Whom an id in the log stands for, as far as somebody asked; nothing for those who were erased.
    known: HashMap<Str, Option<(DataSubject, Arc<SubjectKey>)>>,
}

/// One record, and what could be opened of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log, from 0.
    pub at: u64,
    pub record: Value,
    /// Nothing, if there is no such key any more, or none was at hand.
    pub who: Option<DataSubject>,
    /// What was sealed; nothing the same way.
    pub sealed: Option<Value>,
}

impl AuditReader {
    /// From a record on; without the host's key, with what is open alone.
    pub fn open(folder: &Path, key: Option<&HostKey>, from: u64) -> Result<AuditReader, AuditError> {
        let subjects = folder.join(SUBJECTS);
        let keys = key.filter(|_| subjects.is_dir()).map(|key| Subjects::open(&subjects, key)).transpose()?;
        let index = key.map(|key| Index::new(folder, key));
        Ok(AuditReader { index, ..AuditReader::of(folder, keys.map(Arc::new), from)? })
    }

    pub(super) fn with(folder: &Path, keys: Arc<Subjects>, from: u64) -> Result<AuditReader, AuditError> {
        AuditReader::of(folder, Some(keys), from)
    }

    fn of(folder: &Path, keys: Option<Arc<Subjects>>, from: u64) -> Result<AuditReader, AuditError> {
        let records = Reader::open(folder, from)?;
        Ok(AuditReader { folder: folder.to_path_buf(), records, keys, index: None, known: HashMap::new() })
    }

    /// The files of the log, in order.
    pub fn files(&self) -> Result<Vec<LogSpan>, AuditError> {
        Ok(LogSpan::all(&self.folder)?)
    }

    /// Where in a file something may stand, in order. Of the last file that is all of it.
    pub fn places(&self, whole: LogSpan, sought: &Sought) -> Result<Vec<LogSpan>, AuditError> {
        match self.index.as_ref().filter(|_| whole.is_sealed) {
            Some(index) => index.spans(&whole, sought),
            None => Ok(vec![whole]),
        }
    }

    /// Goes through these from now on.
    pub fn look_at(&mut self, places: Vec<LogSpan>) {
        self.records = Reader::of(places);
    }

    /// The next record that `wants` from its text; nothing at the end.
    pub fn next_where(&mut self, wants: impl Fn(&[u8]) -> bool) -> Result<Option<Entry>, AuditError> {
        loop {
            let Some(read) = self.records.next_record()? else { return Ok(None) };
            if !wants(read.record) {
                continue;
            }
            let record = parse(read.record, &RECORD)
                .map_err(|error| LogError::Changed(format!("record {} is no JSON: {error}", read.at)))?;
            let at = read.at;
            let known = self.who(record.get("who").and_then(Value::as_str).unwrap_or_default())?;
            let sealed = known.as_ref().and_then(|(_, key)| self.unseal(&record, key));
            return Ok(Some(Entry { at, who: known.map(|(who, _)| who), record, sealed }));
        }
    }

    /// How those stand in the log who fit, as far as they can be known.
    pub fn ids_of(&self, fits: impl Fn(&DataSubject) -> bool) -> Result<Vec<Str>, AuditError> {
        let all = self.keys.as_ref().map(|keys| keys.all()).transpose()?.unwrap_or_default();
        Ok(all.into_iter().filter(|(_, (who, _))| fits(who)).map(|(id, _)| id).collect())
    }

    /// The number that the record after all that were read has.
    pub fn next_number(&self) -> u64 {
        self.records.next_number()
    }

    fn unseal(&self, record: &Value, key: &SubjectKey) -> Option<Value> {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let purpose = match (text("run"), record.get("part")) {
            (Some(run), Some(Value::Int(number))) => purpose(run, u64::try_from(*number).ok()?),
            _ => String::new(),
        };
        let read = |opened: Zeroizing<Vec<u8>>| parse(&opened, &RECORD).ok();
        let sealed = self.sealed(record, "sealed", "sealed_sha256");
        let sealed = sealed.and_then(|sealed| key.unseal(&sealed, purpose.as_bytes())).and_then(read);
        let carried = || {
            let made_of = self.keys.as_ref()?.periods().find(&Period::read(text("period")?)?).ok()??;
            let carried = self.sealed(record, "carried", "carried_sha256")?;
            key.carrier(&made_of).open(&carried, purpose.as_bytes()).and_then(read)
        };
        let all: Vec<Value> = [sealed, carried()].into_iter().flatten().collect();
        let members = all.iter().filter_map(Value::as_map).flat_map(|map| map.iter());
        (!all.is_empty()).then(|| Value::map(members.map(|(name, value)| (name.clone(), value.clone()))))
    }

    /// What stands sealed in a record, or beside the log under its digest.
    fn sealed(&self, record: &Value, key: &str, digest: &str) -> Option<Vec<u8>> {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        match (text(key), text(digest)) {
            (Some(sealed), _) => STANDARD.decode(sealed).ok(),
            // A name that is no digest leads nowhere.
            (None, Some(name)) if from_hex(name).is_some_and(|digest| digest.len() == 32) => {
                let sealed = std::fs::read(self.folder.join(ASIDE).join(name)).ok()?;
                (to_hex(&Sha256::digest(&sealed)) == name).then_some(sealed)
            }
            _ => None,
        }
    }

    /// Whom an id stands for. Keys are looked for once more where one is not known yet: somebody may have come since.
    fn who(&mut self, id: &str) -> Result<Option<(DataSubject, Arc<SubjectKey>)>, AuditError> {
        if let (None, Some(keys)) = (self.known.get(id), &self.keys) {
            self.known.extend(keys.all()?.into_iter().map(|(id, known)| (id, Some(known))));
            self.known.entry(id.into()).or_default();
        }
        Ok(self.known.get(id).cloned().flatten())
    }
}

/// Records as they stand in a log, with their numbers.
#[derive(Debug)]
pub struct LogLines(Reader);

impl LogLines {
    pub fn open(folder: &Path, from: u64) -> Result<LogLines, AuditError> {
        Ok(LogLines(Reader::open(folder, from)?))
    }

    /// How many records there are up to where it is.
    pub fn next_number(&self) -> u64 {
        self.0.next_number()
    }
}

impl Iterator for LogLines {
    type Item = Result<(u64, Vec<u8>), AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.0.next_record().map(|read| read.map(|read| (read.at, read.record.to_vec())));
        read.map_err(AuditError::from).transpose()
    }
}

/// What a record names by its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedBy {
    /// Whose it is, by the id in the log.
    pub who: Option<Str>,
    /// What is sealed for that one and has to be there, until it is erased.
    pub sealed: Option<Str>,
    /// What a run carried, and the period until whose end it has to be there besides.
    pub carried: Option<(Str, Str)>,
    /// Every digest in it, whatever for: nothing that may be meant is taken for nobody's.
    pub all: Vec<Str>,
}

/// The digests in a record; nothing if there are none.
pub fn named_by(record: &[u8]) -> Option<NamedBy> {
    const BEFORE: &str = "_sha256\":\"";
    const DIGITS: usize = 64;
    let text = std::str::from_utf8(record).ok()?;
    let digest = |rest: &str| {
        let name = rest.get(..DIGITS)?;
        name.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| Str::from(name))
    };
    let all: Vec<Str> = text.split(BEFORE).skip(1).filter_map(digest).collect();
    if all.is_empty() {
        return None;
    }
    let read = parse(record, &RECORD).ok()?;
    let text = |key: &str| read.get(key).and_then(Value::as_str).map(Str::from);
    let carried = text("period").zip(text("carried_sha256"));
    Some(NamedBy { who: text("who"), sealed: text("sealed_sha256"), carried, all })
}

/// Everything on record as lines of JSON, one for each stage.
pub fn transcript(folder: &Path, key: Option<&HostKey>) -> Result<String, AuditError> {
    let mut reader = AuditReader::open(folder, key, 0)?;
    let mut out = String::new();
    while let Some(entry) = reader.next_where(|_| true)? {
        for stage in stages(&entry) {
            out.push_str(&to_string(&stage));
            out.push('\n');
        }
    }
    Ok(out)
}

fn text(value: &Str) -> Value {
    Value::Str(value.clone())
}

/// What a record says happened, a line each, in the order it happened in.
pub fn stages(entry: &Entry) -> Vec<Value> {
    let record = &entry.record;
    let member = |key: &'static str| (Str::from(key), record.get(key).cloned().unwrap_or_default());
    let who = |out: &mut Vec<(Str, Value)>| {
        let name = entry.who.as_ref();
        out.push(("principal".into(), name.map_or(Value::Null, |who| text(&who.name))));
        out.push(("tenant".into(), name.and_then(|who| who.tenant.as_ref()).map_or(Value::Null, text)));
    };
    let members = |value: &Value| -> Vec<(Str, Value)> {
        let map = value.as_map().into_iter().flat_map(|map| map.iter());
        map.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let sealed =
        |key: &str| entry.sealed.as_ref().and_then(|all| all.get(key)).map(members).unwrap_or_default();
    if record.get("kind").and_then(Value::as_str) != Some("run") {
        let mut out = vec![(Str::from("stage"), record.get("kind").cloned().unwrap_or_default())];
        out.extend(
            members(record).into_iter().filter(|(name, _)| !matches!(&**name, "kind" | "who" | "sealed")),
        );
        who(&mut out);
        out.extend(entry.sealed.as_ref().map(members).unwrap_or_default());
        return vec![Value::map(out)];
    }
    let mut out = Vec::new();
    if record.get("part") == Some(&Value::Int(0)) {
        let mut line = vec![(Str::from("stage"), Value::from("started"))];
        line.extend(["at_ms", "run", "project", "chain", "chain_sha256"].map(member));
        who(&mut line);
        out.push(Value::map(line));
    }
    let recorded = record.get("stages").and_then(Value::as_list);
    for (at, stage) in recorded.into_iter().flat_map(|list| list.iter()).enumerate() {
        let mut line = members(stage);
        line.insert(0, member("run"));
        line.extend(sealed(&at.to_string()));
        out.push(Value::map(line));
    }
    if let Some(intent) = record.get("intent") {
        let mut line = vec![(Str::from("stage"), Value::from("intent")), member("run")];
        line.extend(members(intent));
        who(&mut line);
        line.extend(sealed("intent"));
        out.push(Value::map(line));
    }
    out
}
