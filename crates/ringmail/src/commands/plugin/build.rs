//! `ringmail plugin build`: the component, by the toolchain of its language.

use super::languages::{LANGUAGES, of};
use crate::exit::{Exit, Fault};
use crate::terminal::print;
use crate::toolchain::step;
use std::path::Path;

pub(super) fn run(folder: &Path) -> Result<Exit, Fault> {
    let Some(language) = of(folder) else {
        let sources: Vec<&str> = LANGUAGES.iter().map(|language| language.source).collect();
        let message = format!("there is none of `{}` in `{}`", sources.join("`, `"), folder.display());
        return Err(Fault::user(message).hint(
            "a component made by any other toolchain does as well: put it where `module` of plugin.toml says",
        ));
    };
    let needs = format!("plugins in {} need {}", language.name, language.needs);
    if !folder.join(language.tool).exists() {
        for words in language.install {
            step(folder, words, &needs)?;
        }
    }
    let build: Vec<&str> = [language.tool].iter().chain(language.build).copied().collect();
    step(folder, &build, &needs)?;
    print(&format!("built {}\n", folder.join("plugin.wasm").display()))?;
    Ok(Exit::Done)
}
