//! Python, with its interpreter inside of each module.

use super::{Language, MODULE, Tool, WIT};

pub(super) const LANGUAGE: Language = Language {
    name: "python",
    told_by: "plugin.py",
    files: &[
        &[
            ("plugin.py", include_str!("../../../templates/python/plugin.py")),
            ("requirements.txt", include_str!("../../../templates/python/requirements.txt")),
            (".gitignore", include_str!("../../../templates/python/gitignore")),
        ],
        WIT,
    ],
    guide: &[("plugin.py", "what it does"), ("wit/world.wit", "what it imports")],
    build: |folder| {
        COMPONENTIZE.run(folder, &["-d", "wit", "-w", "guest", "componentize", "plugin", "-o", MODULE])
    },
};

const COMPONENTIZE: Tool = Tool {
    path: ".venv/bin/componentize-py",
    install: &[
        &["python3", "-m", "venv", ".venv"],
        &[".venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
    ],
    needs: "plugins in python need Python 3.10 or later with `venv`",
};
