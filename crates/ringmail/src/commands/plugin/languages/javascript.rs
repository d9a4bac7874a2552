//! JavaScript, in QuickJS.

use super::{Language, MODULE, Tool, WIT};

pub(super) const LANGUAGE: Language = Language {
    name: "js",
    told_by: "plugin.js",
    files: &[
        &[
            ("plugin.js", include_str!("../../../templates/js/plugin.js")),
            ("package.json", include_str!("../../../templates/js/package.json")),
            (".gitignore", include_str!("../../../templates/js/gitignore")),
        ],
        WIT,
    ],
    guide: &[("plugin.js", "what it does"), ("wit/world.wit", "what it imports")],
    build: |folder| {
        let what = ["--wit", "wit", "--world", "guest", "--js", "plugin.js", "--sync"];
        COMPONENTIZE.run(folder, &[&what[..], &["--output", MODULE]].concat())
    },
};

const COMPONENTIZE: Tool = Tool {
    path: "node_modules/.bin/componentize-qjs",
    install: &[&["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]],
    needs: "plugins in js need Node.js with npm",
};
