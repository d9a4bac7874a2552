//! `ringmail init`: a project that checks and runs as it is.

use super::Common;
use crate::exit::{Exit, Fault};
use crate::place::{PROJECT_FILE, shown};
use crate::terminal::{BOLD, paint, print};
use anyhow::Context;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Make a project: a chain, a policy, a grant
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the new project
    #[arg(default_value = ".")]
    folder: PathBuf,
}

const FILES: &[(&str, &str)] = &[
    (PROJECT_FILE, include_str!("../init/ringmail.toml")),
    ("chains/greet.yaml", include_str!("../init/chains/greet.yaml")),
    ("policies/main.cedar", include_str!("../init/policies/main.cedar")),
    (".gitignore", ".ringmail/\n"),
];
/// In the example's project file, the place of the project's name.
const NAME: &str = "{name}";

impl Args {
    pub(crate) fn run(self, _: &Common) -> Result<Exit, Fault> {
        let folder = self.folder;
        for (name, _) in FILES.iter().filter(|(name, _)| *name != ".gitignore") {
            if folder.join(name).exists() {
                return Err(Fault::user(format!("`{}` is there already", shown(&folder.join(name))))
                    .hint("nothing was changed; name another folder: ringmail init FOLDER"));
            }
        }
        for (name, text) in FILES {
            let path = folder.join(name);
            if *name == ".gitignore" && path.exists() {
                continue;
            }
            create(&path, &text.replace(NAME, &project_name(&folder)))?;
        }
        let mut out = format!("{}\n", paint(BOLD, &format!("A project in `{}`", folder.display())));
        for (name, what) in [
            (PROJECT_FILE, "who may run chains, what links were granted"),
            ("chains/greet.yaml", "a chain"),
            ("policies/main.cedar", "what policy permits"),
        ] {
            out.push_str(&format!("  {name:<20} {what}\n"));
        }
        let enter =
            if folder == Path::new(".") { String::new() } else { format!("  cd {}\n", folder.display()) };
        out.push_str(&format!(
            "\nNext:\n{enter}  ringmail check\n  ringmail run greet --input '{{\"name\": \"Ada\"}}'\n"
        ));
        print(&out)?;
        Ok(Exit::Done)
    }
}

/// The folder's own name, as far as it is fit to be one.
fn project_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fit = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(fit).collect();
    if name.is_empty() { "project".into() } else { name }
}

/// A folder that is not there yet, or holds nothing.
pub(super) fn new_folder(folder: &Path) -> Result<(), Fault> {
    let failed = || format!("cannot create `{}`", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    if std::fs::read_dir(folder).with_context(failed)?.next().is_some() {
        return Err(Fault::user(format!("`{}` is not empty", folder.display())).hint("name a new folder"));
    }
    Ok(())
}

/// Writes a file that must not be there.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Fault> {
    let failed = || format!("cannot create `{}`", shown(path));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(failed)?;
    }
    let mut file = std::fs::File::create_new(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    Ok(())
}
