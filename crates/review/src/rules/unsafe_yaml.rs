//! Readers of YAML that make objects.

use crate::python::{CallSite, literal, span, word_of};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "unsafe-yaml",
    area: Area::Serialization,
    title: "YAML is read with a loader that makes objects",
    why: "Tags such as `!!python/object/apply` call functions while the file is read.",
    mend: "use `yaml.safe_load`",
    file: "loader.py",
    bad: "import yaml\n\n\ndef read(text):\n    return yaml.load(text, Loader=yaml.Loader)\n",
    good: "import yaml\n\n\ndef read(text):\n    return yaml.safe_load(text)\n",
    owasp: &["LLM04", "ASI05", "MCP05"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let always =
        site.is(&["yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"]);
    let asked = site.is(&["yaml.load", "yaml.load_all"]);
    let loader = site.arg("Loader", 1);
    let safe = loader
        .map(word_of)
        .is_some_and(|loader| loader.contains("safe") || loader.contains("base") && loader != "fullloader");
    let safe = safe || loader.is_some_and(|loader| derives_safe(site, loader));
    let first = site.call.arguments.args.first()?;
    if !(always || asked && !safe) || literal(first).is_some() {
        return None;
    }
    let hit = Hit::high(site.span(), format!("`{}` makes objects that the text asks for", site.name));
    // Only where what is left means the same.
    let (open, end) = (span(site.call.func.range()), span(first.range()).end);
    let plain = site.call.arguments.len() == 1 || loader.is_some() && site.call.arguments.len() == 2;
    let many = if site.name.ends_with("_all") { "_all" } else { "" };
    let module = site.receiver().filter(|_| plain).map(|module| site.text_of(span(module.range())));
    Some(match module {
        Some(module) => hit
            .edit(open, format!("{module}.safe_load{many}"))
            .edit(Span { start: end, end: site.span().end }, ")"),
        None => hit,
    })
}

/// A loader of the project that is a safe one with more.
fn derives_safe(site: &CallSite<'_, '_>, loader: &Expr) -> bool {
    let name = site.place.program.names.resolve(loader);
    let class = name.and_then(|name| site.place.index.class_named(&name));
    class.is_some_and(|class| site.place.index.derives(class, &["SafeLoader", "CSafeLoader", "BaseLoader"]))
}
