//! The languages a plugin can be started in, one file each: the files of its template, and how its toolchain makes the
//! module. What a toolchain is fetched from is its language's own registry, at the version the template names.

mod c;
mod javascript;
mod python;
mod rust;

use crate::exit::Fault;
use crate::toolchain::step;
use std::path::Path;

/// A file of a template: its name in the plugin's folder, and what stands in it.
type File = (&'static str, &'static str);

/// A language with its template and its toolchain.
pub(super) struct Language {
    pub(super) name: &'static str,
    /// The file that tells the language of a plugin's folder.
    pub(super) told_by: &'static str,
    /// Files besides those that every plugin has.
    pub(super) files: &'static [&'static [File]],
    /// The files somebody looks at first, with what they are for.
    pub(super) guide: &'static [(&'static str, &'static str)],
    /// Makes `plugin.wasm` in the folder.
    pub(super) build: fn(&Path) -> Result<(), Fault>,
}

pub(super) const LANGUAGES: &[Language] =
    &[javascript::LANGUAGE, python::LANGUAGE, rust::LANGUAGE, c::LANGUAGE];

/// What toolchains leave behind.
pub(super) const MODULE: &str = "plugin.wasm";

/// Files of every plugin.
pub(super) const FILES: &[File] = &[
    ("plugin.toml", include_str!("../../../templates/plugin.toml")),
    ("plugin.test.json", include_str!("../../../templates/plugin.test.json")),
];

/// For toolchains that read which interfaces there are.
const WIT: &[File] = &[
    ("wit/world.wit", include_str!("../../../templates/world.wit")),
    ("wit/deps/ringmail/ringmail.wit", include_str!("../../../../../../sdk/wit/ringmail.wit")),
];

/// The language of a plugin's folder.
pub(super) fn of(folder: &Path) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| folder.join(language.told_by).is_file())
}

/// A tool that is installed in the plugin's folder where it is not there yet.
struct Tool {
    path: &'static str,
    install: &'static [&'static [&'static str]],
    /// What to have, where the installation cannot even begin.
    needs: &'static str,
}

impl Tool {
    fn run(&self, folder: &Path, args: &[&str]) -> Result<(), Fault> {
        if !folder.join(self.path).exists() {
            for words in self.install {
                step(folder, words, self.needs)?;
            }
        }
        step(folder, &[&[self.path], args].concat(), self.needs)
    }
}
