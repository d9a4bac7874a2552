//! The client in Python.

use super::WRITTEN;
use super::model::{Model, Object, Type};
use super::words::{Escape, Taken, quoted, remark};
use serde_json::Value as Json;

const FIXED: &str = include_str!("parts/client.py");
/// Words that cannot name a chain.
const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

pub(super) fn module(model: &Model) -> String {
    let mut out = format!("# {WRITTEN}: write it anew rather than change it.\n{FIXED}");
    out.push_str("\n\nif TYPE_CHECKING:\n    from typing import Literal, TypedDict\n");
    for object in &model.objects {
        out.push_str(&object_text(object, model));
    }
    out.push_str(
        "\n\nclass Client(_Client):\n    \"\"\"The chains that may be called, each by its name.\"\"\"\n",
    );
    let mut taken = Taken::of(KEYWORDS);
    for chain in &model.chains {
        let name = taken.free(&chain.name);
        let input = chain.input.as_ref().map_or("Any".into(), |input| written(input, model));
        let (output, optional) = (written(&chain.output, model), chain.input.is_none());
        let kind = if optional { "_OpenChain" } else { "_Chain" };
        let types = if optional { output } else { format!("{input}, {output}") };
        let said = remark(&chain.doc);
        let said = if said.is_empty() { String::new() } else { format!("    # {said}\n") };
        out.push_str(&format!(
            "\n{said}    @property\n    def {name}(self) -> {kind}[{types}]:\n        return {kind}(self, {})\n",
            quoted(&chain.name, Escape::Eight)
        ));
    }
    if model.chains.is_empty() {
        out.push_str("    # This project has none.\n");
    }
    out
}

/// One type; where some members must be there and others may, it is made of two.
fn object_text(object: &Object, model: &Model) -> String {
    let name = &object.name;
    let said = remark(&object.doc);
    let said = if said.is_empty() { String::new() } else { format!("\n    # {said}") };
    let needed = object.members.iter().filter(|member| member.required).count();
    if needed == 0 || needed == object.members.len() {
        return format!("{said}{}", half(name, object, model, needed > 0));
    }
    let (must, may) = (format!("_{name}Needed"), format!("_{name}Optional"));
    format!(
        "{said}{}{}\n    class {name}({must}, {may}):\n        pass\n",
        half(&must, object, model, true),
        half(&may, object, model, false),
    )
}

fn half(name: &str, object: &Object, model: &Model, required: bool) -> String {
    let members = object.members.iter().filter(|member| member.required == required);
    let members: String = members
        .map(|member| {
            let said = remark(&member.doc);
            let said = if said.is_empty() { String::new() } else { format!("        # {said}\n") };
            let kind = quoted(&written(&member.kind, model), Escape::Eight);
            format!("{said}        {}: {kind},\n", quoted(&member.name, Escape::Eight))
        })
        .collect();
    let total = if required { "True" } else { "False" };
    format!("\n    {name} = TypedDict(\n        \"{name}\", {{\n{members}        }}, total={total})\n")
}

fn written(kind: &Type, model: &Model) -> String {
    match kind {
        Type::Any => "Any".into(),
        Type::Null => "None".into(),
        Type::Bool => "bool".into(),
        Type::Int => "int".into(),
        Type::Float => "float".into(),
        Type::Text => "str".into(),
        Type::File => "Union[bytes, str]".into(),
        Type::Words(words) => {
            let words: Vec<String> = words.iter().map(word).collect();
            format!("Literal[{}]", words.join(", "))
        }
        Type::List(items) => format!("List[{}]", written(items, model)),
        Type::Map(values) => format!("Dict[str, {}]", written(values, model)),
        Type::Object(at) => model.objects.get(*at).map_or("Any".into(), |object| object.name.clone()),
        Type::Either(several) => {
            let several: Vec<String> = several.iter().map(|one| written(one, model)).collect();
            format!("Union[{}]", several.join(", "))
        }
    }
}

fn word(word: &Json) -> String {
    match word {
        Json::String(text) => quoted(text, Escape::Eight),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Null => "None".into(),
        other => other.to_string(),
    }
}
