//! Checkpoints of the log, where whoever puts the log back cannot put them back with it: added to a file, or sent to whoever takes
//! them. Before one goes to a file, the log is held against the newest that stands there.

use super::web::Post;
use super::{ForwardAround, Sending, Sends, Sent};
use ringmail_core::json::to_string;
use ringmail_core::project::{AnchorAt, AnchorSetting, Project};
use ringmail_core::value::Value;
use ringmail_store::root_at;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file that is as large is full; what is in it is kept beside it, and another begins.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// How much of a file is looked at for its newest checkpoint.
const END_BYTES: u64 = 64 << 10;

enum To {
    File(PathBuf),
    Web(Box<Post>),
}

pub(super) struct Anchor {
    to: To,
    every: Duration,
    last: Option<Instant>,
    around: Arc<ForwardAround>,
}

impl Anchor {
    pub(super) fn new(setting: &AnchorSetting, project: &Project, around: &Arc<ForwardAround>) -> Anchor {
        let to = match &setting.at {
            AnchorAt::File(path) => To::File(around.secrets.folder.join(path)),
            AnchorAt::Web { url, resolves_to, secret } => {
                To::Web(Box::new(Post::new(project, around, url, resolves_to, secret.as_ref())))
            }
        };
        let every = Duration::from_millis(setting.every_ms);
        Anchor { to, every, last: None, around: around.clone() }
    }
}

impl Sends for Anchor {
    fn send(&mut self, arrived: u64) -> Result<Option<Sent>, String> {
        if self.last.is_some_and(|last| last.elapsed() < self.every) {
            return Ok(None);
        }
        let known = match &self.to {
            To::File(path) => held(path, arrived, &self.around)?,
            To::Web(_) => arrived,
        };
        if self.around.log.count() == 0 {
            return Ok(None);
        }
        let checkpoint = self.around.log.checkpoint().map_err(|error| error.to_string())?;
        let size: u64 = checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0);
        if size > known {
            match &self.to {
                To::File(path) => add(path, &checkpoint, known)
                    .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?,
                To::Web(post) => {
                    let number = i64::try_from(size).unwrap_or(i64::MAX);
                    let body = Value::map([
                        ("log", Value::from(self.around.log.origin())),
                        ("records", Value::Int(number)),
                        ("checkpoint", Value::from(checkpoint)),
                    ]);
                    post.send("application/json", &to_string(&body))?;
                }
            }
        }
        self.last = Some(Instant::now());
        Ok((size > arrived).then_some(Sent { count: 1, arrived: size }))
    }
}

/// Holds the log against what one anchor has, where that can be read from here.
pub(super) fn hold(setting: &AnchorSetting, around: &ForwardAround) -> Result<(), String> {
    match &setting.at {
        AnchorAt::File(path) => {
            let arrived = Sending::Checkpoints.arrived(&around.data, &setting.name)?;
            held(&around.secrets.folder.join(path), arrived, around).map(drop)
        }
        AnchorAt::Web { .. } => Ok(()),
    }
    .map_err(|why| format!("the anchor `{}`: {why}", setting.name))
}

/// How many records the newest checkpoint in a file is for, if they are those that are here.
fn held(path: &Path, arrived: u64, around: &ForwardAround) -> Result<u64, String> {
    let text = match end(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && arrived == 0 => return Ok(0),
        text => text.map_err(|error| format!("cannot read `{}`: {error}", path.display()))?,
    };
    let Some((size, root)) = around.log.lineage().newest_note(&text) else {
        if text.trim().is_empty() {
            return Ok(0);
        }
        return Err(format!("`{}` holds no checkpoint of this log", path.display()));
    };
    match root_at(&around.audit, size).map_err(|error| error.to_string())? {
        Some(here) if here == root => Ok(size),
        Some(_) => Err(format!("the log is another than the one whose {size} records were signed for")),
        None => Err(format!(
            "{size} records were signed for, and not all of them are here: the log was cut or put back"
        )),
    }
}

fn end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(END_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds a checkpoint to a file, which nothing is ever taken out of: it may be one that can only grow.
fn add(path: &Path, checkpoint: &str, known: u64) -> std::io::Result<()> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    // One that a crash left in part ends before it.
    let text = format!("\n\n{checkpoint}");
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() >= FILE_BYTES_MAX) {
        let new = beside(".new");
        write(&new, &text)?;
        std::fs::rename(path, beside(&format!(".{known}")))?;
        return std::fs::rename(new, path);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    write(path, &text)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
