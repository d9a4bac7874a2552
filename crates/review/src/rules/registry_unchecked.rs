//! Classes that are made by their names, whatever they are.

use crate::python::{FunctionSite, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "registry-unchecked",
    area: Area::Serialization,
    title: "a class is found by name and nobody asks what it is",
    why: "A loader that takes any dotted name makes `subprocess.Popen` as gladly as a node. A prefix, or `issubclass`, keeps it to what was meant.",
    mend: "check the name against a prefix or a table, and the class with `issubclass`, before it is used",
    file: "manager.py",
    bad: "import importlib\n\n\ndef get_node(path: str):\n    module, name = path.rsplit(\".\", 1)\n    return getattr(importlib.import_module(module), name)\n",
    good: "import importlib\n\nfrom nodes import Node\n\n\ndef get_node(path: str):\n    module, name = path.rsplit(\".\", 1)\n    found = getattr(importlib.import_module(module), name)\n    if not issubclass(found, Node):\n        raise ValueError(\"not a node\")\n    return found\n",
    owasp: &["LLM03", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::Function(function)],
};

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let at = span(site.def.range());
    let text = site.place.program.file.text().get(at.start..at.end)?;
    let body = text.split_once("import_module(").map(|(_, rest)| rest)?;
    let argument = body.split([')', ',']).next()?.trim();
    let fixed = argument.starts_with(['"', '\''])
        || argument.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        || argument == "__name__";
    // Modules that are loaded when a package's own attribute is asked for are its own.
    let lazy = ["__getattr__", "_get_module", "__dir__"].contains(&site.def.name.as_str())
        || argument.starts_with("f\"{__")
        || argument.starts_with("f\".")
        || argument.starts_with("\".\"");
    let checked = ["issubclass(", "startswith(", "isinstance(", "callable(", " in ALLOWED", "not in "]
        .iter()
        .any(|check| text.contains(check));
    let made = text.contains("getattr(");
    (made && !fixed && !lazy && !checked).then(|| {
        Hit::medium(
            span(site.def.name.range()),
            format!("`{}` gives whatever class a name stands for", site.def.name),
        )
    })
}
