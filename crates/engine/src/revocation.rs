//! Authority that ends while an engine runs: a plugin whose grant is gone or not what it was, or whose publisher is no
//! longer believed, is called no more, and calls of it that are under way end. It never comes back within an engine:
//! authority does not grow from inside.

use crate::engine::Engine;
use crate::steady::steadily;
use crate::variables::variable;
use ringmail_core::config::Config;
use ringmail_core::doc::Source;
use ringmail_core::label::TagTable;
use ringmail_core::project::Project;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often `ringmail.toml` is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PROJECT_BYTES_MAX: u64 = 4 << 20;

/// Looks at `ringmail.toml` as long as it lives.
#[derive(Debug)]
pub struct GrantWatch(Arc<AtomicBool>);

impl Drop for GrantWatch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Ends all that a plugin may in this engine, calls under way included. Answers whether there is such a plugin.
    pub fn revoke_plugin(&self, name: &str, why: &str) -> bool {
        let (Some(plugin), Some(guest)) = (self.plugins().get(name), self.0.plugins.guest(name)) else {
            return false;
        };
        // The first reason stays.
        let _known = plugin.revoked.set(why.into());
        guest.revoked.cancel();
        true
    }

    /// Revokes what `ringmail.toml` and the layers over it no longer grant, from now on, as long as the answer is kept. `told`
    /// hears of each plugin that is revoked, and of a file that cannot be read or parsed: until it can, what was granted before
    /// holds. One that is not there grants nothing, and what is wrong elsewhere in a file does not keep a grant.
    pub fn watch_grants(
        &self,
        layers: Vec<PathBuf>,
        told: impl Fn(&str) + Send + 'static,
    ) -> std::io::Result<GrantWatch> {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (self.clone(), stop.clone());
        std::thread::Builder::new().name("grants".into()).spawn(move || {
            let (mut held, mut last) = (None, None);
            while !stopped.load(Ordering::Relaxed) {
                let read = |path: &PathBuf| match path.try_exists() {
                    Ok(false) => Ok(Vec::new()),
                    _ => crate::packages::read_bounded(path, PROJECT_BYTES_MAX),
                };
                let now: Result<Vec<Vec<u8>>, String> = layers.iter().map(read).collect();
                // Whoever writes a file may not be done with it: what ends for ever is looked at twice.
                if last.as_ref() == Some(&now) && held.as_ref() != Some(&now) {
                    if steadily(|| engine.look_again(&layers, now.clone(), &told)).is_none() {
                        told("what is granted could not be looked at; what was granted before holds");
                    }
                    held = Some(now.clone());
                }
                last = Some(now);
                std::thread::sleep(LOOK_EVERY);
            }
        })?;
        Ok(GrantWatch(stop))
    }

    fn look_again(&self, layers: &[PathBuf], texts: Result<Vec<Vec<u8>>, String>, told: &impl Fn(&str)) {
        let sources = match texts.and_then(|texts| sources_of(layers, texts)) {
            Ok(sources) => sources,
            Err(why) => return told(&format!("{why}; what was granted before holds")),
        };
        let project =
            Config::load(&sources, &variable).and_then(|config| config.project(&mut TagTable::default()));
        let problems = match project {
            Ok(project) => return self.hold_against(&project, told),
            Err(problems) => problems,
        };
        let why = unread(layers.first().map_or(Path::new(""), PathBuf::as_path), &problems);
        match Config::standing(&sources, &variable) {
            Some(project) => {
                told(&format!("{why}; what it no longer grants ends, and all else is as before"));
                self.hold_against(&project, told);
            }
            None => told(&format!("{why}; what was granted before holds")),
        }
    }

    fn hold_against(&self, project: &Project, told: &impl Fn(&str)) {
        for (name, plugin) in self.plugins() {
            let Some(guest) = self.0.plugins.guest(name).filter(|_| plugin.revoked.get().is_none()) else {
                continue;
            };
            let setting = project.plugins.iter().find(|setting| setting.name == *name);
            let why = match (setting, &guest.signed) {
                (None, _) => Some("its grant was revoked".to_string()),
                (Some(setting), _) if setting.written != guest.written => {
                    Some("its grant was changed".into())
                }
                (_, Some(signed)) => project.publishers.still(signed, name).err().map(|why| why.to_string()),
                _ => None,
            };
            if let Some(why) = why {
                self.revoke_plugin(name, &why);
                told(&format!("the plugin `{name}` may do nothing any more: {why}"));
            }
        }
    }
}

fn unread(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("`{}` cannot be read: {why}", path.display())
}

fn sources_of(layers: &[PathBuf], texts: Vec<Vec<u8>>) -> Result<Vec<Arc<Source>>, String> {
    let source = |(path, bytes): (&PathBuf, Vec<u8>)| {
        let text = String::from_utf8(bytes).map_err(|_| unread(path, &"it is not UTF-8 text"))?;
        Ok(Source::new(path.display().to_string(), text))
    };
    layers.iter().zip(texts).map(source).collect()
}
