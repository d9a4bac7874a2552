//! The client in JavaScript, and its types.

use super::WRITTEN;
use super::model::{Model, Object, Type};
use super::words::{Escape, Taken, quoted, remark};
use serde_json::Value as Json;

const FIXED: &str = include_str!("parts/client.js");
const FIXED_TYPES: &str = include_str!("parts/client.d.ts");
/// Members that every object has, or that give it another meaning.
const KNOWN: &[&str] = &["constructor", "then"];

fn named(model: &Model) -> Vec<(String, &super::model::ChainModel)> {
    let mut taken = Taken::of(KNOWN);
    model.chains.iter().map(|chain| (taken.free(&chain.name), chain)).collect()
}

pub(super) fn module(model: &Model) -> String {
    let mut out = format!("// {WRITTEN}: write it anew rather than change it.\n{FIXED}");
    out.push_str("\n/** The chains that may be called, each by its name. */\nexport class Client {\n");
    out.push_str("  constructor(url, options) {\n    const ask = asker(url, options);\n");
    for (name, chain) in named(model) {
        let (name, own) = (quoted(&name, Escape::Braces), quoted(&chain.name, Escape::Braces));
        out.push_str(&format!("    this[{name}] = chain(ask, {own});\n"));
    }
    out.push_str("    Object.freeze(this);\n  }\n}\n");
    out
}

pub(super) fn types(model: &Model) -> String {
    let mut out = format!("// {WRITTEN}: write it anew rather than change it.\n{FIXED_TYPES}");
    for object in &model.objects {
        out.push_str(&object_text(object, model));
    }
    out.push_str(
        "\n/** The chains that may be called, each by its name. */\nexport declare class Client {\n",
    );
    out.push_str("  constructor(url: string, options?: ClientOptions);\n");
    for (name, chain) in named(model) {
        let output = written(&chain.output, model);
        let kind = match &chain.input {
            Some(input) => format!("Chain<{}, {output}>", written(input, model)),
            None => format!("OpenChain<{output}>"),
        };
        let said = said(&chain.doc, "  ");
        out.push_str(&format!("{said}  readonly {}: {kind};\n", quoted(&name, Escape::Braces)));
    }
    out.push_str("}\n");
    out
}

fn said(doc: &str, indent: &str) -> String {
    let said = remark(doc);
    if said.is_empty() { String::new() } else { format!("{indent}/** {said} */\n") }
}

fn object_text(object: &Object, model: &Model) -> String {
    let mut out = format!("\n{}export interface {} {{\n", said(&object.doc, ""), object.name);
    for member in &object.members {
        let optional = if member.required { "" } else { "?" };
        out.push_str(&format!(
            "{}  {}{optional}: {};\n",
            said(&member.doc, "  "),
            quoted(&member.name, Escape::Braces),
            written(&member.kind, model)
        ));
    }
    out + "}\n"
}

fn written(kind: &Type, model: &Model) -> String {
    match kind {
        Type::Any => "any".into(),
        Type::Null => "null".into(),
        Type::Bool => "boolean".into(),
        Type::Int | Type::Float => "number".into(),
        Type::Text => "string".into(),
        Type::File => "(Uint8Array | string)".into(),
        Type::Words(words) => format!("({})", words.iter().map(word).collect::<Vec<_>>().join(" | ")),
        Type::List(items) => format!("Array<{}>", written(items, model)),
        Type::Map(values) => format!("Record<string, {}>", written(values, model)),
        Type::Object(at) => model.objects.get(*at).map_or("any".into(), |object| object.name.clone()),
        Type::Either(several) => {
            let several: Vec<String> = several.iter().map(|one| written(one, model)).collect();
            format!("({})", several.join(" | "))
        }
    }
}

fn word(word: &Json) -> String {
    match word {
        Json::String(text) => quoted(text, Escape::Braces),
        other => other.to_string(),
    }
}
