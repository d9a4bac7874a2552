//! Files of a project put back, all of them or none: what is to be done is written down before the first is touched, and
//! whoever opens the project next finishes what was interrupted.

use crate::exit::Fault;
use anyhow::{Context, anyhow};
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use ringmail_engine::core::value::Value;
use ringmail_engine::packages::write_whole;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

/// What is under way in a project's folder.
const JOURNAL: &str = ".ringmail-rollback";
const JOURNAL_BYTES_MAX: u64 = 4 << 20;

/// Puts files in, and takes others out. Nothing is touched unless all that is new is on disk.
pub(crate) fn put_back(root: &Path, put: &BTreeMap<String, Vec<u8>>, take: &[String]) -> Result<(), Fault> {
    let mut staged: Vec<(String, String)> = Vec::new();
    let done = stage(root, put, take, &mut staged).and_then(|()| {
        let pairs = staged
            .iter()
            .map(|(new, path)| Value::list([Value::from(new.as_str()), Value::from(path.as_str())]));
        let journal = Value::map([
            ("put", Value::list(pairs)),
            ("take", Value::list(take.iter().map(|path| Value::from(path.as_str())))),
        ]);
        let written = write_whole(&root.join(JOURNAL), to_string(&journal).as_bytes());
        Ok(written.with_context(|| format!("cannot write to `{}`", root.display()))?)
    });
    if let Err(fault) = done {
        for (new, _) in &staged {
            // It is hidden, and nobody reads it.
            let _left = std::fs::remove_file(root.join(new));
        }
        return Err(fault);
    }
    finish(root)
}

/// Writes what is new beside what it will replace.
fn stage(
    root: &Path,
    put: &BTreeMap<String, Vec<u8>>,
    take: &[String],
    staged: &mut Vec<(String, String)>,
) -> Result<(), Fault> {
    for path in put.keys().chain(take) {
        if !is_inside(path) {
            return Err(Fault::user(format!("`{path}` lies outside of the project's folder"))
                .hint("put it back by hand"));
        }
        let odd = root.join(path).symlink_metadata().is_ok_and(|meta| !meta.is_file());
        if odd {
            return Err(Fault::user(format!("`{path}` is a link or no file")).hint("put it back by hand"));
        }
    }
    for (path, bytes) in put {
        let failed = || format!("cannot write `{path}`");
        let place = Path::new(path);
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let new = place.with_file_name(format!(".{name}.{}.rollback", std::process::id()));
        let (whole, old) = (root.join(&new), root.join(path));
        whole.parent().map_or(Ok(()), std::fs::create_dir_all).with_context(failed)?;
        staged.push((new.display().to_string(), path.clone()));
        let mut file = File::create(&whole).with_context(failed)?;
        if let Ok(known) = std::fs::metadata(&old) {
            file.set_permissions(known.permissions()).with_context(failed)?;
        }
        file.write_all(bytes).and_then(|()| file.sync_all()).with_context(failed)?;
    }
    Ok(())
}

/// Whether something was written down that is not finished.
pub(crate) fn pending(root: &Path) -> bool {
    root.join(JOURNAL).exists()
}

/// Finishes what was written down, if anything is.
pub(crate) fn finish(root: &Path) -> Result<(), Fault> {
    let path = root.join(JOURNAL);
    let Ok(journal) = File::open(&path) else { return Ok(()) };
    let failed = || format!("cannot finish the rollback in `{}`", root.display());
    journal.lock().with_context(failed)?;
    if !path.exists() {
        // Somebody else finished it meanwhile.
        return Ok(());
    }
    let (put, take) = read(&path).with_context(failed)?;
    for (new, path) in put {
        match std::fs::rename(root.join(&new), root.join(&path)) {
            Ok(()) => sync(&root.join(&path)).with_context(failed)?,
            // It was put in place before.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(anyhow!(error).context(failed()).into()),
        }
    }
    for path in take {
        match std::fs::remove_file(root.join(&path)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(anyhow!(error).context(failed()).into());
            }
            _ => sync(&root.join(&path)).with_context(failed)?,
        }
    }
    std::fs::remove_file(&path).with_context(failed)?;
    Ok(())
}

type Steps = (Vec<(String, String)>, Vec<String>);

fn read(path: &Path) -> anyhow::Result<Steps> {
    let size = std::fs::metadata(path)?.len();
    anyhow::ensure!(size <= JOURNAL_BYTES_MAX, "`{}` is too large", path.display());
    let unread = || anyhow!("`{}` is not what was written there", path.display());
    let value = parse(&std::fs::read(path)?, &JsonLimits::default()).map_err(|_| unread())?;
    let inside = |value: &Value| value.as_str().filter(|path| is_inside(path)).map(String::from);
    let pair = |pair: &Value| {
        let pair = pair.as_list()?;
        Some((inside(pair.get(0)?)?, inside(pair.get(1)?)?))
    };
    let put = value.get("put").and_then(Value::as_list).and_then(|list| list.iter().map(pair).collect());
    let take = value.get("take").and_then(Value::as_list).and_then(|list| list.iter().map(inside).collect());
    put.zip(take).ok_or_else(unread)
}

fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|step| matches!(step, Component::Normal(_)))
}

fn sync(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    if folder.is_dir() { File::open(folder)?.sync_all() } else { Ok(()) }
}
