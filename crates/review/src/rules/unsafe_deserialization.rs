//! Readers that make whatever objects the bytes ask for.

use crate::finding::Certainty;
use crate::flow::{Sink, is_opt_in};
use crate::python::{CallSite, last, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "unsafe-deserialization",
    area: Area::Serialization,
    title: "bytes are read into whatever objects they ask for",
    why: "`pickle` and `jsonpickle` call what the bytes name. Whoever can write the file, the cache or the row runs code.",
    mend: "keep data as JSON and read it into a schema; where it has to be pickle, verify a signature first",
    file: "store.py",
    bad: "import jsonpickle\n\n\ndef load(row):\n    return jsonpickle.decode(row[\"state\"])\n",
    good: "import json\n\n\ndef load(row):\n    return json.loads(row[\"state\"])\n",
    owasp: &["LLM04", "ASI05", "MCP05"],
    refusal: None,
    looks: &[Look::Flow(Sink::Deserializer), Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    const READERS: &[&str] = &[
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "cloudpickle.load",
        "cloudpickle.loads",
        "dill.load",
        "dill.loads",
        "marshal.load",
        "marshal.loads",
        "jsonpickle.decode",
        "jsonpickle.loads",
        "joblib.load",
        "pandas.read_pickle",
        "shelve.open",
        "_pickle.loads",
        "cPickle.loads",
    ];
    let torch = site.is(&["torch.load"])
        && matches!(site.named("weights_only"), Some(Expr::BooleanLiteral(only)) if !only.value);
    let safe =
        site.named("safe").is_some_and(|safe| matches!(safe, Expr::BooleanLiteral(safe) if safe.value))
            && last(&site.name) != "decode";
    let first = site.call.arguments.args.first();
    let at = first.map_or(site.span(), |first| span(first.range()));
    let fixed = first.is_some_and(|first| matches!(first, Expr::BytesLiteral(_)));
    if !(READERS.contains(&site.name.as_str()) || torch) || safe || fixed {
        return None;
    }
    // A function that does so only for who asked for it says so.
    let func = site.place.func.and_then(|func| site.place.index.funcs.get(func));
    let asked = func.is_some_and(|func| is_opt_in(site.text_of(span(func.def.range()))));
    let certainty = if asked { Certainty::Low } else { Certainty::Medium };
    Some(Hit::new(at, certainty, format!("`{}` makes whatever the bytes ask for", site.name)))
}
