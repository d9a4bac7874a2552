//! `ringmail plugin build`: the module, by the toolchain of its language.

use super::languages::{LANGUAGES, MODULE, of};
use crate::exit::{Exit, Fault};
use crate::terminal::print;
use std::path::Path;

pub(super) fn run(folder: &Path) -> Result<Exit, Fault> {
    let Some(language) = of(folder) else {
        let files: Vec<&str> = LANGUAGES.iter().map(|language| language.told_by).collect();
        let message = format!("there is none of `{}` in `{}`", files.join("`, `"), folder.display());
        return Err(Fault::user(message).hint(
            "a component made by any other toolchain does as well: put it where `module` of plugin.toml says",
        ));
    };
    (language.build)(folder)?;
    print(&format!("built {}\n", folder.join(MODULE).display()))?;
    Ok(Exit::Done)
}
