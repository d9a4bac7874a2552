//! The programs of a project: found where they are named, with what they may see, and refused if this kernel cannot
//! hold them.

use crate::engine::BuildError;
use ringmail_core::command::{CommandAccess, CommandSetting, CommandUse};
use ringmail_core::doc::{Problems, Source};
use ringmail_core::value::Str;
use ringmail_host::{ChildAccess, ChildFile, ChildLimits, ChildNet, ChildSpec, KernelWalls};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The programs by name, and what they are confined with; nothing where there is none.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    known: BTreeMap<Str, ChildSpec>,
    walls: Option<Arc<KernelWalls>>,
}

impl Commands {
    pub(crate) fn open(
        settings: &[CommandSetting],
        mounts: &[(Str, String)],
        source: &Arc<Source>,
        folder: &Path,
        walls: Option<Arc<KernelWalls>>,
    ) -> Result<Commands, BuildError> {
        let mut out = Commands::default();
        if settings.is_empty() {
            return Ok(out);
        }
        let walls = walls.unwrap_or_else(KernelWalls::of_this_host);
        let mut problems = Problems::default();
        for setting in settings {
            match spec(setting, mounts, folder) {
                Ok(spec) => {
                    if let Some(missing) = walls.missing(&spec).filter(|_| !spec.unconfined) {
                        let message =
                            format!("`{}` cannot be confined on this host: {missing}", setting.name);
                        let help = "`ringmail walls` shows what there is; `dangerous = { unconfined = true }` runs it all the same";
                        problems.add_help(source, setting.span, message, help);
                    }
                    out.known.insert(setting.name.clone(), spec);
                }
                Err(message) => problems.add(source, setting.span, message),
            }
        }
        problems.or(())?;
        out.walls = Some(walls);
        Ok(out)
    }

    pub(crate) fn names(&self) -> Vec<Str> {
        self.known.keys().cloned().collect()
    }

    /// What to start, and what with.
    pub(crate) fn get(&self, name: &str) -> Option<(ChildSpec, Arc<KernelWalls>)> {
        Some((self.known.get(name)?.clone(), self.walls.clone()?))
    }
}

fn spec(setting: &CommandSetting, mounts: &[(Str, String)], folder: &Path) -> Result<ChildSpec, String> {
    let found = |path: &str| -> Result<PathBuf, String> {
        std::fs::canonicalize(folder.join(path)).map_err(|cause| format!("cannot find `{path}`: {cause}"))
    };
    let mount = |name: &Str| -> Result<PathBuf, String> {
        let path = mounts.iter().find(|(known, _)| known == name).map(|(_, path)| path.as_str());
        found(path.unwrap_or_default())
    };
    let mut files = Vec::new();
    for (name, access) in &setting.mounts {
        let access = match access {
            CommandAccess::Read => ChildAccess::Read,
            CommandAccess::Execute => ChildAccess::Execute,
            CommandAccess::Write => ChildAccess::Write,
        };
        files.push(ChildFile { path: mount(name)?, access });
    }
    let env = setting.env.iter().map(|(name, value)| (name.into(), value.into()));
    Ok(ChildSpec {
        digest: setting.digest.as_deref().and_then(bytes),
        args: setting.args.iter().map(Into::into).collect(),
        env: env.collect(),
        folder: setting.folder.as_ref().map(mount).transpose()?,
        files,
        system: setting.system,
        net: ChildNet { connect: setting.connect.clone(), bind: setting.listen.clone() },
        limits: limits(&setting.limits),
        unconfined: setting.unconfined,
        ..ChildSpec::new(found(&setting.program)?)
    })
}

/// Of a text that was checked as it was loaded.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    for (place, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some(out)
}

fn limits(written: &CommandUse) -> ChildLimits {
    let standard = ChildLimits::default();
    let time = |ms: Option<u64>, otherwise| ms.map_or(otherwise, Duration::from_millis);
    let output = written.output_bytes_max.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    ChildLimits {
        time_max: time(written.time_ms_max, standard.time_max),
        cpu_max: time(written.cpu_ms_max, standard.cpu_max),
        memory_bytes_max: written.memory_bytes_max.unwrap_or(standard.memory_bytes_max),
        processes_max: written.processes_max.unwrap_or(standard.processes_max),
        files_max: written.open_files_max.unwrap_or(standard.files_max),
        file_bytes_max: written.file_bytes_max.unwrap_or(standard.file_bytes_max),
        scratch_bytes_max: written.scratch_bytes_max.unwrap_or(standard.scratch_bytes_max),
        output_bytes_max: output.unwrap_or(standard.output_bytes_max),
    }
}
