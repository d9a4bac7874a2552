//! The client in Rust.

use super::WRITTEN;
use super::model::{Model, Object, Type};
use super::words::{Escape, Taken, identifier, quoted, remark};

const FIXED: &str = include_str!("parts/client.rs.txt");
/// Words that cannot name a chain or a member, and what the client itself has.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "new", "override", "priv", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield", "call",
];

pub(super) fn module(model: &Model) -> String {
    let mut out = format!("// {WRITTEN}: write it anew rather than change it.\n\n{FIXED}");
    for object in &model.objects {
        out.push_str(&object_text(object, model));
    }
    out.push_str("\n/// The chains that may be called, each by its name.\nimpl Client {\n");
    let mut taken = Taken::of(KEYWORDS);
    for chain in &model.chains {
        let name = taken.free(&chain.name);
        let input = chain.input.as_ref().map_or("Value".into(), |input| written(input, model));
        let output = written(&chain.output, model);
        out.push_str(&format!(
            "{}    pub fn {name}(&self, input: &{input}) -> Call<{output}> {{\n        self.call({}, input)\n    }}\n\n",
            said(&chain.doc, "    "),
            quoted(&chain.name, Escape::Braces)
        ));
    }
    out.truncate(out.trim_end().len());
    out.push_str("\n}\n");
    out
}

fn said(doc: &str, indent: &str) -> String {
    let said = remark(doc);
    if said.is_empty() { String::new() } else { format!("{indent}// {said}\n") }
}

fn object_text(object: &Object, model: &Model) -> String {
    let derived = "#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]";
    let mut out = format!("\n{}{derived}\npub struct {} {{\n", said(&object.doc, ""), object.name);
    let mut taken = Taken::of(KEYWORDS);
    for member in &object.members {
        let name = taken.free(&identifier(&member.name).to_ascii_lowercase());
        let own = quoted(&member.name, Escape::Braces);
        let kind = written(&member.kind, model);
        let (rename, kind) = match (member.required, kind.starts_with("Option<")) {
            (true, _) => (format!("rename = {own}"), kind),
            (false, nullable) => (
                format!("rename = {own}, default, skip_serializing_if = \"Option::is_none\""),
                if nullable { kind } else { format!("Option<{kind}>") },
            ),
        };
        out.push_str(&format!(
            "{}    #[serde({rename})]\n    pub {name}: {kind},\n",
            said(&member.doc, "    ")
        ));
    }
    out + "}\n"
}

fn written(kind: &Type, model: &Model) -> String {
    match kind {
        Type::Any | Type::Null => "Value".into(),
        Type::Bool => "bool".into(),
        Type::Int => "i64".into(),
        Type::Float => "f64".into(),
        // Bytes go through `base64`.
        Type::Text | Type::File => "String".into(),
        Type::Words(words) if words.iter().all(|word| word.is_string()) => "String".into(),
        Type::Words(_) => "Value".into(),
        Type::List(items) => format!("Vec<{}>", written(items, model)),
        Type::Map(values) => format!("BTreeMap<String, {}>", written(values, model)),
        Type::Object(at) => model.objects.get(*at).map_or("Value".into(), |object| object.name.clone()),
        Type::Either(several) => match several.as_slice() {
            [Type::Null, one] | [one, Type::Null] => match written(one, model) {
                any if any == "Value" => any,
                one => format!("Option<{one}>"),
            },
            _ => "Value".into(),
        },
    }
}
