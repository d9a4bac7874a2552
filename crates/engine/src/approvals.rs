//! What runs ask persons about, and what those said. A folder for each question, sealed with a key of the host: whoever can
//! write there and has no key of it can neither read a question nor make up an answer.

use crate::recorder::{DataSubject, Note, RecordError, Recorder};
use crate::sealed::SealKey;
use crate::sign::{HostKey, to_hex};
use ringmail_core::gate::Said;
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const QUESTION: &str = "question";
const SAID: &str = "said";

#[derive(Debug)]
pub struct Approvals {
    folder: PathBuf,
    key: SealKey,
    host: HostKey,
}

/// What somebody is asked.
#[derive(Clone, Debug)]
pub struct Inquiry {
    pub id: Str,
    pub run: Str,
    pub chain: Str,
    pub link: Str,
    pub reason: Str,
    /// For whom the run is.
    pub asked_by: DataSubject,
    /// Exactly what goes on if enough say yes.
    pub value: Value,
    /// What is known of it, path by path, in words.
    pub labels: Vec<(String, String)>,
    pub value_digest: String,
    pub people: usize,
    pub at_ms: u64,
    pub until_ms: u64,
    /// What policy is asked about whoever might say yes.
    pub(crate) consent: Value,
}

impl Approvals {
    pub fn new(folder: PathBuf, host: &HostKey) -> Approvals {
        Approvals { folder, key: SealKey::of(&host.secret_for("approvals")), host: host.again() }
    }

    /// What the question of one call is called.
    pub(crate) fn id(run: &str, at: &str, number: u32) -> Str {
        let digest = Sha256::digest(format!("{run}\n{at}\n{number}").as_bytes());
        to_hex(digest.get(..8).unwrap_or_default()).into()
    }

    /// Asks, unless it was asked before the run's process ended: then what was asked there holds.
    pub(crate) fn ask(&self, question: Inquiry) -> std::io::Result<Inquiry> {
        if let Some(before) = self.question(&question.id)?
            && before.value_digest == question.value_digest
        {
            return Ok(before);
        }
        let folder = self.folder.join(&*question.id);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        self.write(&folder.join(QUESTION), &question.kept())?;
        Ok(question)
    }

    /// Every question that is open, oldest first.
    pub fn open(&self) -> std::io::Result<Vec<Inquiry>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut out = Vec::new();
        for entry in entries {
            if let Some(name) = entry?.file_name().to_str() {
                out.extend(self.question(name)?);
            }
        }
        out.sort_by(|one, other| (one.at_ms, &one.id).cmp(&(other.at_ms, &other.id)));
        Ok(out)
    }

    /// Every folder of a question, whether it is open or not, with the question where it can be read.
    pub fn all(&self) -> std::io::Result<Vec<(PathBuf, Option<Inquiry>)>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut out = Vec::new();
        for entry in entries {
            let entry = entry?;
            let question = entry.file_name().to_str().map(|name| self.question(name)).transpose()?;
            out.push((entry.path(), question.flatten()));
        }
        Ok(out)
    }

    fn question(&self, id: &str) -> std::io::Result<Option<Inquiry>> {
        Ok(self.read(&self.folder.join(id).join(QUESTION))?.as_ref().and_then(Inquiry::of))
    }

    /// Puts on record that somebody is shown what is asked.
    pub fn shown(
        open: &[Inquiry],
        principal: &Principal,
        now_ms: u64,
        recorder: &dyn Recorder,
    ) -> Result<(), RecordError> {
        let asked = open.iter().map(|question| {
            let (run, link) = (Value::Str(question.run.clone()), Value::Str(question.link.clone()));
            Value::map([("run", run), ("link", link)])
        });
        recorder.note(&Note {
            kind: "approvals-shown",
            at_ms: now_ms,
            open: vec![("asked", Value::list(asked))],
            who: DataSubject::of(principal),
            sealed: Vec::new(),
        })?;
        Ok(())
    }

    /// Says yes or no for somebody who proved who it is; on record first. Whether it counts is for the run's own gate.
    pub fn say(
        &self,
        question: &Inquiry,
        principal: &Principal,
        yes: bool,
        now_ms: u64,
        recorder: &dyn Recorder,
    ) -> Result<(), RecordError> {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let act = Value::map([
            ("action", Value::from("approve")),
            ("run", Value::Str(question.run.clone())),
            ("link", Value::Str(question.link.clone())),
            ("principal", Value::Str(principal.subject.clone())),
            ("yes", Value::Bool(yes)),
            ("value_sha256", Value::from(question.value_digest.as_str())),
            ("at_ms", number(now_ms)),
        ]);
        let signed = self.host.signed(act);
        recorder.note(&Note {
            kind: "approval",
            at_ms: now_ms,
            open: vec![
                ("run", Value::Str(question.run.clone())),
                ("link", Value::Str(question.link.clone())),
                ("yes", Value::Bool(yes)),
            ],
            who: DataSubject::of(principal),
            sealed: vec![
                ("act", signed.act),
                ("public_key", Value::from(signed.public_key)),
                ("signature", Value::from(signed.signature)),
            ],
        })?;
        let value_digest = question.value_digest.clone();
        let said = said_words(&Said { principal: principal.clone(), yes, value_digest });
        let who = format!("{:?} {}", principal.tenant, principal.subject);
        let name = to_hex(Sha256::digest(who.as_bytes()).get(..16).unwrap_or_default());
        let path = self.folder.join(&*question.id).join(format!("{name}.{SAID}"));
        self.write(&path, &said).map_err(|error| RecordError(error.to_string()))
    }

    /// What was said so far.
    pub fn said(&self, id: &str) -> std::io::Result<Vec<Said>> {
        let mut out = Vec::new();
        for entry in std::fs::read_dir(self.folder.join(id))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == SAID) {
                out.extend(self.read(&path)?.as_ref().and_then(said));
            }
        }
        Ok(out)
    }

    /// The run is over.
    pub(crate) fn forget(&self, id: &str) -> std::io::Result<()> {
        std::fs::remove_dir_all(self.folder.join(id))
    }

    /// A run that was ended from outside asks nothing any more.
    pub fn forget_run(&self, run: &str) -> std::io::Result<()> {
        self.forget_where(|question| *question.run == *run)
    }

    fn forget_where(&self, fits: impl Fn(&Inquiry) -> bool) -> std::io::Result<()> {
        let open = self.open()?;
        open.iter().filter(|question| fits(question)).try_for_each(|question| self.forget(&question.id))
    }

    /// Whoever is erased is asked about no more.
    pub fn forget_subject(&self, who: &DataSubject) -> std::io::Result<()> {
        self.forget_where(|question| question.asked_by == *who)
    }

    /// Seals every question, and what was said to it, for another host; answers the first that this one cannot open.
    pub(crate) fn wrap_for(&self, other: &Approvals) -> std::io::Result<Option<PathBuf>> {
        for (folder, _) in self.all()? {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                // What a crash left in part is nobody's answer.
                if path.extension().is_some_and(|ending| ending == "new") {
                    continue;
                }
                let Some(value) = self.read(&path)? else { return Ok(Some(path)) };
                let to = other.folder.join(path.strip_prefix(&self.folder).unwrap_or(&path));
                to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                other.write(&to, &value)?;
            }
        }
        Ok(None)
    }

    /// A file is sealed for its own place: one that is put elsewhere says nothing there.
    fn place<'p>(&self, path: &'p Path) -> &'p [u8] {
        path.strip_prefix(&self.folder).unwrap_or(path).as_os_str().as_encoded_bytes()
    }

    fn write(&self, path: &Path, value: &Value) -> std::io::Result<()> {
        let sealed = self.key.seal(to_string(value).as_bytes(), self.place(path));
        let sealed = sealed.ok_or_else(|| std::io::Error::other("there is no randomness"))?;
        let new = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    }

    fn read(&self, path: &Path) -> std::io::Result<Option<Value>> {
        let sealed = match std::fs::read(path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let opened = self.key.open(&sealed, self.place(path));
        Ok(opened.and_then(|text| parse(&text, &JsonLimits::default()).ok()))
    }
}

fn text(value: &Value, key: &str) -> Option<Str> {
    value.get(key).and_then(Value::as_str).map(Str::from)
}

fn number(value: &Value, key: &str) -> Option<u64> {
    match value.get(key)? {
        Value::Int(int) => u64::try_from(*int).ok(),
        _ => None,
    }
}

/// What somebody said, in words.
pub(crate) fn said_words(said: &Said) -> Value {
    let principal = &said.principal;
    let roles = principal.roles.iter().map(|role| Value::Str(role.clone()));
    Value::map([
        ("subject", Value::Str(principal.subject.clone())),
        ("roles", Value::list(roles)),
        ("tenant", principal.tenant.clone().map_or(Value::Null, Value::Str)),
        ("authenticated", Value::Str(principal.authenticated.clone())),
        ("yes", Value::Bool(said.yes)),
        ("value_sha256", Value::from(said.value_digest.as_str())),
    ])
}

pub(crate) fn said_of(all: &Value) -> Vec<Said> {
    all.as_list().into_iter().flat_map(|list| list.iter()).filter_map(said).collect()
}

fn said(value: &Value) -> Option<Said> {
    let roles = value.get("roles")?.as_list()?.iter().filter_map(Value::as_str).map(Str::from).collect();
    let principal = Principal {
        subject: text(value, "subject")?,
        roles,
        tenant: text(value, "tenant"),
        authenticated: text(value, "authenticated")?,
    };
    let yes = value.get("yes")? == &Value::Bool(true);
    Some(Said { principal, yes, value_digest: text(value, "value_sha256")?.to_string() })
}

impl Inquiry {
    pub fn to_value(&self) -> Value {
        let number = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let labels = self.labels.iter().map(|(path, words)| (path.as_str(), Value::from(words.as_str())));
        Value::map([
            ("id", Value::Str(self.id.clone())),
            ("run", Value::Str(self.run.clone())),
            ("chain", Value::Str(self.chain.clone())),
            ("link", Value::Str(self.link.clone())),
            ("reason", Value::Str(self.reason.clone())),
            ("asked_by", Value::Str(self.asked_by.name.clone())),
            ("tenant", self.asked_by.tenant.clone().map_or(Value::Null, Value::Str)),
            ("value", self.value.clone()),
            ("labels", Value::map(labels)),
            ("value_sha256", Value::from(self.value_digest.as_str())),
            ("people", number(self.people as u64)),
            ("at_ms", number(self.at_ms)),
            ("until_ms", number(self.until_ms)),
        ])
    }

    /// With what nobody is shown.
    fn kept(&self) -> Value {
        let shown = self.to_value();
        let members = shown.as_map().into_iter().flat_map(|map| map.iter());
        let members = members.map(|(key, value)| (key.clone(), value.clone()));
        Value::map(members.chain([(Str::from("consent"), self.consent.clone())]))
    }

    fn of(value: &Value) -> Option<Inquiry> {
        let labels = value.get("labels")?.as_map()?.iter();
        let labels = labels.filter_map(|(path, words)| Some((path.to_string(), words.as_str()?.to_string())));
        Some(Inquiry {
            id: text(value, "id")?,
            run: text(value, "run")?,
            chain: text(value, "chain")?,
            link: text(value, "link")?,
            reason: text(value, "reason")?,
            asked_by: DataSubject { name: text(value, "asked_by")?, tenant: text(value, "tenant") },
            value: value.get("value")?.clone(),
            labels: labels.collect(),
            value_digest: text(value, "value_sha256")?.to_string(),
            people: usize::try_from(number(value, "people")?).ok()?,
            at_ms: number(value, "at_ms")?,
            until_ms: number(value, "until_ms")?,
            consent: value.get("consent")?.clone(),
        })
    }
}
