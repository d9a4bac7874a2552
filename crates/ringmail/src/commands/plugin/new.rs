//! `ringmail plugin new`: a plugin that builds and passes its test as it is.

use super::languages::{FILES, LANGUAGES};
use crate::commands::init::{create, new_folder};
use crate::exit::{Exit, Fault};
use crate::terminal::{BOLD, paint, print};
use std::path::Path;

pub(super) fn run(folder: &Path, language: &str) -> Result<Exit, Fault> {
    let Some(language) = LANGUAGES.iter().find(|known| known.name == language) else {
        let known: Vec<&str> = LANGUAGES.iter().map(|language| language.name).collect();
        return Err(Fault::user(format!("there is no template in `{language}`"))
            .hint(format!("known: {}", known.join(", "))));
    };
    new_folder(folder)?;
    let name = name(folder);
    for (file, text) in FILES.iter().chain(language.files.iter().copied().flatten()) {
        let text = text.replace("@NAME@", &name).replace("@PACKAGE@", &name.replace('_', "-"));
        create(&folder.join(file), &text)?;
    }
    let shown = folder.display();
    let about = [
        &[("plugin.toml", "what it takes, gives and asks for")][..],
        language.guide,
        &[("plugin.test.json", "what it answers to what")],
    ];
    let mut out = format!("{}\n", paint(BOLD, &format!("The plugin `{name}` in `{shown}`")));
    for (file, what) in about.concat() {
        out.push_str(&format!("  {file:<17} {what}\n"));
    }
    out.push_str("\nNext:\n");
    for next in ["build", "test", "inspect"] {
        out.push_str(&format!("  ringmail plugin {next} {shown}\n"));
    }
    print(&out)?;
    Ok(Exit::Done)
}

/// The folder's own name, as far as it is fit to be a plugin's.
fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = whole.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fit = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
    let name: String = name.chars().map(fit).collect();
    let name = name.trim_matches('_').trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    // A package of WIT wants a letter after each dash.
    let words: Vec<&str> =
        name.split('_').filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    if words.is_empty() { "plugin".into() } else { words.join("_") }
}
