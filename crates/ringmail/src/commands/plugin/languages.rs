//! The languages a plugin can be started in: the files of its template, and the toolchain that builds it. Both toolchains
//! come from their language's own registry, at the version the template names.

use std::path::Path;

/// A language with its template and its toolchain.
pub(super) struct Language {
    pub(super) name: &'static str,
    /// The file that tells the language of a plugin's folder.
    pub(super) source: &'static str,
    /// Files besides those that every plugin has.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// The tool, once it is installed.
    pub(super) tool: &'static str,
    pub(super) install: &'static [&'static [&'static str]],
    /// What the tool is told.
    pub(super) build: &'static [&'static str],
    /// What to have, where the installation cannot even begin.
    pub(super) needs: &'static str,
}

/// Files of every plugin.
pub(super) const FILES: &[(&str, &str)] = &[
    ("plugin.toml", include_str!("../../templates/plugin.toml")),
    ("plugin.test.json", include_str!("../../templates/plugin.test.json")),
    ("wit/world.wit", include_str!("../../templates/world.wit")),
    ("wit/deps/ringmail/ringmail.wit", include_str!("../../../../../sdk/wit/ringmail.wit")),
];

pub(super) const LANGUAGES: &[Language] = &[
    Language {
        name: "js",
        source: "plugin.js",
        files: &[
            ("plugin.js", include_str!("../../templates/js/plugin.js")),
            ("package.json", include_str!("../../templates/js/package.json")),
            (".gitignore", include_str!("../../templates/js/gitignore")),
        ],
        tool: "node_modules/.bin/componentize-qjs",
        install: &[&["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]],
        build: &[
            "--wit",
            "wit",
            "--world",
            "guest",
            "--js",
            "plugin.js",
            "--sync",
            "--output",
            "plugin.wasm",
        ],
        needs: "Node.js with npm",
    },
    Language {
        name: "python",
        source: "plugin.py",
        files: &[
            ("plugin.py", include_str!("../../templates/python/plugin.py")),
            ("requirements.txt", include_str!("../../templates/python/requirements.txt")),
            (".gitignore", include_str!("../../templates/python/gitignore")),
        ],
        tool: ".venv/bin/componentize-py",
        install: &[
            &["python3", "-m", "venv", ".venv"],
            &[".venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
        ],
        build: &["-d", "wit", "-w", "guest", "componentize", "plugin", "-o", "plugin.wasm"],
        needs: "Python 3.10 or later with `venv`",
    },
];

/// The language of a plugin's folder.
pub(super) fn of(folder: &Path) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| folder.join(language.source).is_file())
}
