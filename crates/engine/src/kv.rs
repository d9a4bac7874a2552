//! What plugins keep from call to call: one database in the data folder, a namespace for each plugin and tenant. A
//! change is whole and on disk before it is answered, or it never was. Labels are kept by name beside each value: their
//! numbers mean something else in the next run. Decides nothing about who may keep what.

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::plugin::Keeps;
use ringmail_core::value::{Str, Value};
use std::collections::BTreeSet;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// Longest key.
pub(crate) const KEY_BYTES_MAX: usize = 512;
/// Most keys that are listed at once.
const KEYS_MAX: usize = 1_000;
/// What the database keeps in memory.
const CACHE_BYTES: usize = 4 << 20;

/// Plugin, tenant and key to label and value.
const ENTRIES: TableDefinition<'_, (&str, &str, &str), (&str, &[u8])> = TableDefinition::new("entries");
/// Plugin and tenant to bytes, entries and the label of all that was ever changed there.
const SPACES: TableDefinition<'_, (&str, &str), (u64, u64, &str)> = TableDefinition::new("spaces");

/// Where values are kept; opened when the first one is asked for.
#[derive(Debug, Default)]
pub(crate) struct KeyValue {
    path: Option<PathBuf>,
    open: Mutex<Option<Arc<Database>>>,
}

/// Whose values.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub(crate) plugin: Str,
    tenant: String,
}

impl Space {
    /// Another publisher's plugin of the same name is another plugin.
    pub(crate) fn new(plugin: &Str, origin: &str, tenant: Option<&Str>) -> Space {
        let plugin = format!("{plugin}@{origin}").into();
        // Nobody is not the tenant without a name.
        Space { plugin, tenant: tenant.map_or_else(String::new, |name| format!("={name}")) }
    }

    fn name(&self) -> (&str, &str) {
        (&self.plugin, &self.tenant)
    }

    fn key<'k>(&'k self, key: &'k str) -> (&'k str, &'k str, &'k str) {
        (&self.plugin, &self.tenant, key)
    }
}

/// A label by its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptLabel {
    pub(crate) untrusted: bool,
    /// Whether it belongs to the tenant of the space.
    pub(crate) owned: bool,
    pub(crate) tags: BTreeSet<Str>,
    pub(crate) origins: BTreeSet<Str>,
}

impl KeptLabel {
    fn join(mut self, other: &KeptLabel) -> KeptLabel {
        self.untrusted |= other.untrusted;
        self.owned |= other.owned;
        self.tags.extend(other.tags.iter().cloned());
        self.origins.extend(other.origins.iter().cloned());
        self
    }

    fn to_text(&self) -> String {
        let list = |names: &BTreeSet<Str>| Value::list(names.iter().map(|name| Value::from(&**name)));
        to_string(&Value::map([
            ("untrusted", Value::Bool(self.untrusted)),
            ("owned", Value::Bool(self.owned)),
            ("tags", list(&self.tags)),
            ("origins", list(&self.origins)),
        ]))
    }

    fn read(text: &str) -> Result<KeptLabel, KeptError> {
        let value = parse(text.as_bytes(), &JsonLimits::default()).map_err(|_| KeptError::Damaged)?;
        let truth = |key: &str| match value.get(key) {
            Some(Value::Bool(truth)) => Ok(*truth),
            _ => Err(KeptError::Damaged),
        };
        let names = |key: &str| match value.get(key) {
            Some(Value::List(list)) => {
                let names = list.iter().map(|name| name.as_str().map(Str::from).ok_or(KeptError::Damaged));
                names.collect::<Result<BTreeSet<Str>, KeptError>>()
            }
            _ => Err(KeptError::Damaged),
        };
        let (untrusted, owned) = (truth("untrusted")?, truth("owned")?);
        Ok(KeptLabel { untrusted, owned, tags: names("tags")?, origins: names("origins")? })
    }
}

/// Why nothing came of it. The first three are the guest's business.
#[derive(Debug, Error)]
pub(crate) enum KeptError {
    #[error("the {0} is larger than {1} bytes")]
    TooLarge(&'static str, u64),
    #[error("it keeps as much as it may: {0}")]
    Full(String, Box<KeptLabel>),
    #[error("this engine keeps nothing: it has no data folder")]
    Nowhere,
    #[error("another process has it open")]
    InUse,
    #[error("what is kept is damaged")]
    Damaged,
    #[error("it cannot be read or written: {0}")]
    Storage(String),
}

/// One thing to do, as a guest asked.
#[derive(Debug)]
pub(crate) enum Keeping {
    Get(String),
    Set(String, Vec<u8>),
    Delete(String),
    Keys { prefix: String, after: Option<String> },
}

/// What came of it, and what that tells of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) found: Found,
    pub(crate) label: KeptLabel,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Done,
    Value(Option<Vec<u8>>),
    Keys(Vec<String>),
}

macro_rules! storage_errors {
    ($($error:ident,)*) => {$(
        impl From<redb::$error> for KeptError {
            fn from(error: redb::$error) -> KeptError {
                KeptError::Storage(error.to_string())
            }
        }
    )*};
}

storage_errors! { TransactionError, TableError, StorageError, CommitError, }

fn opened(error: &redb::DatabaseError) -> KeptError {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => KeptError::InUse,
        other => KeptError::Storage(other.to_string()),
    }
}

struct SpaceFacts {
    bytes: u64,
    entries: u64,
    label: KeptLabel,
}

impl KeyValue {
    pub(crate) fn new(path: PathBuf) -> KeyValue {
        KeyValue { path: Some(path), ..KeyValue::default() }
    }

    /// Does one thing; blocks. `label` is what a change is made of.
    pub(crate) fn act(
        &self,
        space: &Space,
        keeps: Keeps,
        asked: Keeping,
        label: &KeptLabel,
    ) -> Result<Kept, KeptError> {
        let database = self.database()?;
        let short = |key: &str| match key.len() > KEY_BYTES_MAX {
            true => Err(KeptError::TooLarge("key", KEY_BYTES_MAX as u64)),
            false => Ok(()),
        };
        match asked {
            Keeping::Get(key) => get(&database, space, &key),
            Keeping::Keys { prefix, after } => keys(&database, space, &prefix, after.as_deref()),
            Keeping::Delete(key) => delete(&database, space, &key, label),
            Keeping::Set(_, value) if value.len() as u64 > keeps.value_bytes_max => {
                Err(KeptError::TooLarge("value", keeps.value_bytes_max))
            }
            Keeping::Set(key, value) => {
                short(&key)?;
                set(&database, space, keeps, (&key, &value), label)
            }
        }
    }

    /// A copy of all that is kept, as it is at one moment, beside where it is kept. Nothing if nothing ever was.
    pub(crate) fn copy(&self) -> Result<Option<PathBuf>, KeptError> {
        let Some(path) = self.path.as_ref().filter(|path| path.exists()) else { return Ok(None) };
        let to = path.with_extension("copy");
        match std::fs::remove_file(&to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(KeptError::Storage(error.to_string()));
            }
            _ => {}
        }
        let (from, copy) = (self.database()?, create(&to)?);
        let read = from.begin_read()?;
        let write = copy.begin_write()?;
        {
            let mut entries = write.open_table(ENTRIES)?;
            for row in read.open_table(ENTRIES)?.iter()? {
                let (key, value) = row?;
                entries.insert(key.value(), value.value())?;
            }
            let mut spaces = write.open_table(SPACES)?;
            for row in read.open_table(SPACES)?.iter()? {
                let (key, value) = row?;
                spaces.insert(key.value(), value.value())?;
            }
        }
        write.commit()?;
        Ok(Some(to))
    }

    fn database(&self) -> Result<Arc<Database>, KeptError> {
        let path = self.path.as_ref().ok_or(KeptError::Nowhere)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*open {
            return Ok(database.clone());
        }
        Ok(open.insert(Arc::new(create(path)?)).clone())
    }
}

fn create(path: &Path) -> Result<Database, KeptError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(|error| KeptError::Storage(error.to_string()))?;
    let file = redb::backends::FileBackend::new(file).map_err(|error| opened(&error))?;
    let database = redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file);
    let database = database.map_err(|error| opened(&error))?;
    // Readers find the tables there.
    let write = database.begin_write()?;
    write.open_table(ENTRIES)?;
    write.open_table(SPACES)?;
    write.commit()?;
    Ok(database)
}

/// A copy of what plugins keep in a file that no other process has open; nothing if there is none.
pub fn copy_kept(path: &Path) -> Result<Option<PathBuf>, String> {
    KeyValue::new(path.to_path_buf()).copy().map_err(|error| error.to_string())
}

/// How many values plugins keep in a file, if it is whole; nothing if another process has it open.
pub fn check_kept(path: &Path) -> Result<Option<u64>, String> {
    let look = || -> Result<u64, KeptError> {
        let mut database = create(path)?;
        match database.check_integrity() {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(KeptError::Damaged),
        }
        let (read, mut count) = (database.begin_read()?, 0);
        for row in read.open_table(ENTRIES)?.iter()? {
            KeptLabel::read(row?.1.value().0)?;
            count += 1;
        }
        for row in read.open_table(SPACES)?.iter()? {
            KeptLabel::read(row?.1.value().2)?;
        }
        Ok(count)
    };
    match look() {
        Ok(count) => Ok(Some(count)),
        Err(KeptError::InUse) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn facts(
    table: &impl ReadableTable<(&'static str, &'static str), (u64, u64, &'static str)>,
    space: &Space,
) -> Result<SpaceFacts, KeptError> {
    Ok(match table.get(space.name())? {
        Some(row) => {
            let (bytes, entries, label) = row.value();
            SpaceFacts { bytes, entries, label: KeptLabel::read(label)? }
        }
        None => SpaceFacts { bytes: 0, entries: 0, label: KeptLabel::default() },
    })
}

/// What is there carries its own label; that nothing is there tells of every change in the space.
fn get(database: &Database, space: &Space, key: &str) -> Result<Kept, KeptError> {
    let read = database.begin_read()?;
    if let Some(row) = read.open_table(ENTRIES)?.get(space.key(key))? {
        let (label, value) = row.value();
        return Ok(Kept { found: Found::Value(Some(value.to_vec())), label: KeptLabel::read(label)? });
    }
    let facts = facts(&read.open_table(SPACES)?, space)?;
    Ok(Kept { found: Found::Value(None), label: facts.label })
}

fn keys(database: &Database, space: &Space, prefix: &str, after: Option<&str>) -> Result<Kept, KeptError> {
    let read = database.begin_read()?;
    let entries = read.open_table(ENTRIES)?;
    let from = after.filter(|after| *after >= prefix).unwrap_or(prefix);
    let mut found = Vec::new();
    for row in entries.range(space.key(from)..)? {
        let (name, _) = row?;
        let (plugin, tenant, key) = name.value();
        if (plugin, tenant) != space.name() || !key.starts_with(prefix) || found.len() >= KEYS_MAX {
            break;
        }
        if after != Some(key) {
            found.push(key.to_string());
        }
    }
    let facts = facts(&read.open_table(SPACES)?, space)?;
    Ok(Kept { found: Found::Keys(found), label: facts.label })
}

fn set(
    database: &Database,
    space: &Space,
    keeps: Keeps,
    (key, value): (&str, &[u8]),
    label: &KeptLabel,
) -> Result<Kept, KeptError> {
    let write = database.begin_write()?;
    {
        let mut entries = write.open_table(ENTRIES)?;
        let mut spaces = write.open_table(SPACES)?;
        let mut facts = facts(&spaces, space)?;
        let mut own = label.clone();
        if let Some((bytes, before)) = entry(&entries, space, key)? {
            // That it was replaced tells of what was there: a value never loses a label.
            own = own.join(&before);
            facts.bytes = facts.bytes.saturating_sub(bytes);
            facts.entries = facts.entries.saturating_sub(1);
        }
        facts.bytes = facts.bytes.saturating_add((key.len() + value.len()) as u64);
        facts.entries += 1;
        let full = match () {
            () if facts.bytes > keeps.bytes_max => format!("{} bytes", keeps.bytes_max),
            () if facts.entries > keeps.entries_max => format!("{} values", keeps.entries_max),
            () => String::new(),
        };
        if !full.is_empty() {
            return Err(KeptError::Full(full, Box::new(facts.label)));
        }
        entries.insert(space.key(key), (own.to_text().as_str(), value))?;
        note(&mut spaces, space, facts, label)?;
    }
    write.commit()?;
    Ok(Kept { found: Found::Done, label: KeptLabel::default() })
}

fn delete(database: &Database, space: &Space, key: &str, label: &KeptLabel) -> Result<Kept, KeptError> {
    let write = database.begin_write()?;
    {
        let mut entries = write.open_table(ENTRIES)?;
        let mut spaces = write.open_table(SPACES)?;
        let Some((bytes, before)) = entry(&entries, space, key)? else {
            return Ok(Kept { found: Found::Done, label: KeptLabel::default() });
        };
        let mut facts = facts(&spaces, space)?;
        facts.bytes = facts.bytes.saturating_sub(bytes);
        facts.entries = facts.entries.saturating_sub(1);
        entries.remove(space.key(key))?;
        note(&mut spaces, space, facts, &before.join(label))?;
    }
    write.commit()?;
    Ok(Kept { found: Found::Done, label: KeptLabel::default() })
}

/// What an entry counts, and its label.
fn entry(
    entries: &Table<'_, (&'static str, &'static str, &'static str), (&'static str, &'static [u8])>,
    space: &Space,
    key: &str,
) -> Result<Option<(u64, KeptLabel)>, KeptError> {
    let Some(row) = entries.get(space.key(key))? else { return Ok(None) };
    let (label, value) = row.value();
    Ok(Some(((key.len() + value.len()) as u64, KeptLabel::read(label)?)))
}

fn note(
    spaces: &mut Table<'_, (&'static str, &'static str), (u64, u64, &'static str)>,
    space: &Space,
    facts: SpaceFacts,
    label: &KeptLabel,
) -> Result<(), KeptError> {
    let SpaceFacts { bytes, entries, label: before } = facts;
    spaces.insert(space.name(), (bytes, entries, before.join(label).to_text().as_str()))?;
    Ok(())
}
