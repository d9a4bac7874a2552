//! Core dumps of plugins, where the operator asks for them: so many files at most, readable by their owner alone, in the
//! data folder. They hold what the plugin had in memory, whatever its label, and pass no gate: that is why nobody but the
//! operator can ask for them. Values of secrets are not in them.

use crate::secrets::Secrets;
use memchr::memmem;
use ringmail_host::Dumps;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The folder below a project's data.
pub(crate) const DUMPS: &str = "dumps";
const ENDING: &str = "coredump";

/// Where the dumps of one plugin go.
#[derive(Debug)]
pub(crate) struct DumpFolder {
    folder: PathBuf,
    plugin: String,
    most: u64,
    /// Held while one is counted and written.
    writes: Mutex<()>,
}

impl DumpFolder {
    pub(crate) fn new(data: &Path, plugin: &str, most: u64) -> Arc<DumpFolder> {
        Arc::new(DumpFolder {
            folder: data.join(DUMPS),
            plugin: plugin.into(),
            most,
            writes: Mutex::default(),
        })
    }

    /// Keeps a dump, unless there are as many as there may be.
    pub(crate) fn keep(&self, run: &str, dump: &[u8]) -> io::Result<Option<PathBuf>> {
        let _alone = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        if self.count()? >= self.most {
            return Ok(None);
        }
        for at in 1..=self.most {
            let path = self.folder.join(format!("{}-{run}-{at}.{ENDING}", self.plugin));
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => return file.write_all(dump).map(|()| Some(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn count(&self) -> io::Result<u64> {
        let mut count = 0;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // Names of plugins have no `-`.
            let own = name.split_once('-').is_some_and(|(plugin, _)| plugin == self.plugin);
            count += u64::from(own && name.ends_with(ENDING));
        }
        Ok(count)
    }
}

/// Dumps of a plugin, with the values of all secrets taken out: an answer may have repeated one.
pub(crate) fn dumps_of(plugin: &str, secrets: &Arc<Secrets>) -> Dumps {
    let secrets = secrets.clone();
    let hide = move |memory: &mut [u8]| {
        for (_, value) in secrets.values() {
            hide(memory, value.as_bytes());
        }
    };
    Dumps { name: plugin.into(), hide: Arc::new(hide) }
}

fn hide(memory: &mut [u8], value: &[u8]) {
    let mut from = 0;
    while let Some(at) = memory.get(from..).and_then(|rest| memmem::find(rest, value)) {
        from += at;
        memory.iter_mut().skip(from).take(value.len()).for_each(|byte| *byte = b'*');
        from += value.len();
    }
}

#[cfg(test)]
mod tests {
    use super::hide;

    /// A secret of asterisks was found again where it had just been hidden, without end.
    #[test]
    fn every_secret_is_hidden_once() {
        for (memory, value, hidden) in
            [("a key, a key", "key", "a ***, a ***"), ("a ***", "***", "a ***"), ("aaa", "aa", "**a")]
        {
            let mut bytes = memory.as_bytes().to_vec();
            hide(&mut bytes, value.as_bytes());
            assert_eq!(String::from_utf8_lossy(&bytes), hidden);
        }
    }
}
