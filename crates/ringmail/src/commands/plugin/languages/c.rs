//! C, with the clang that PyPI's `ziglang` brings along, and no library. What comes out is a core module.

use super::{Language, MODULE, Tool};

pub(super) const LANGUAGE: Language = Language {
    name: "c",
    told_by: "plugin.c",
    files: &[&[
        ("plugin.c", include_str!("../../../templates/c/plugin.c")),
        ("ringmail.h", include_str!("../../../../../../sdk/c/ringmail.h")),
        ("requirements.txt", include_str!("../../../templates/c/requirements.txt")),
        (".gitignore", include_str!("../../../templates/c/gitignore")),
    ]],
    guide: &[("plugin.c", "what it does"), ("ringmail.h", "what it may ask the host")],
    build: |folder| {
        let language =
            ["cc", "--target=wasm32-freestanding", "-std=c11", "-Os", "-mbulk-memory", "-Wall", "-Wextra"];
        let linked = ["-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=131072"];
        ZIG.run(folder, &[&language[..], &linked, &["plugin.c", "-o", MODULE]].concat())
    },
};

const ZIG: Tool = Tool {
    path: ".venv/bin/python-zig",
    install: &[
        &["python3", "-m", "venv", ".venv"],
        &[".venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
    ],
    needs: "plugins in c need Python 3 with `venv`, which brings the compiler from PyPI",
};
