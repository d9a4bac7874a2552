//! What a client has to know of chains, without a language: their names, and the types of what they take and answer.

use super::words::{Taken, type_name};
use ringmail_engine::core::chain::Plan;
use serde_json::Value as Json;

/// Deeper types, and more of them, are anything.
const DEPTH_MAX: usize = 12;
const OBJECTS_MAX: usize = 1_000;
/// Words that the fixed part of some client has for itself.
const OWN: &[&str] = &[
    "Any",
    "Array",
    "Box",
    "Call",
    "CallOptions",
    "Chain",
    "Client",
    "ClientOptions",
    "Deserialize",
    "Dict",
    "Duration",
    "Err",
    "Error",
    "Failed",
    "Generic",
    "Input",
    "InvalidInput",
    "Iterator",
    "List",
    "Literal",
    "Map",
    "None",
    "NotAllowed",
    "NotFound",
    "Ok",
    "OpenChain",
    "Option",
    "Optional",
    "Options",
    "Output",
    "Pieces",
    "Problem",
    "Promise",
    "Record",
    "Result",
    "RingmailError",
    "Run",
    "Self",
    "Serialize",
    "Some",
    "Stream",
    "String",
    "TooManyCalls",
    "TypeVar",
    "TypedDict",
    "Uint8Array",
    "Unauthenticated",
    "Union",
    "Unreachable",
    "Value",
    "Vec",
];

/// Chains, and the objects that their types name.
pub(crate) struct Model {
    pub(super) chains: Vec<ChainModel>,
    pub(super) objects: Vec<Object>,
}

pub(super) struct ChainModel {
    pub(super) name: String,
    pub(super) doc: String,
    /// Nothing where anything may be sent, and nothing need be.
    pub(super) input: Option<Type>,
    pub(super) output: Type,
}

/// Members by name.
pub(super) struct Object {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) members: Vec<Member>,
}

pub(super) struct Member {
    /// As it is called in JSON.
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) required: bool,
    pub(super) kind: Type,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Any,
    Null,
    Bool,
    Int,
    Float,
    Text,
    /// Text that is base64 of bytes.
    File,
    /// One of these: texts, whole numbers, truths.
    Words(Vec<Json>),
    List(Box<Type>),
    Map(Box<Type>),
    /// By its place in the model.
    Object(usize),
    Either(Vec<Type>),
}

impl Model {
    pub(crate) fn of<'p>(plans: impl Iterator<Item = &'p Plan>) -> Model {
        let mut reader = Reader { objects: Vec::new(), taken: Taken::of(OWN), within: Vec::new() };
        let mut chains = Vec::new();
        for plan in plans {
            let part = |reader: &mut Reader, schema: &Json, part: &str| {
                reader.read(schema, schema, &format!("{}_{part}", plan.name), 0)
            };
            let input = plan.input.as_ref().map(|schema| part(&mut reader, schema.json(), "input"));
            let output = plan.returns.as_ref().map(|schema| part(&mut reader, schema.json(), "output"));
            chains.push(ChainModel {
                name: plan.name.to_string(),
                doc: plan.description.to_string(),
                input,
                output: output.unwrap_or(Type::Any),
            });
        }
        Model { chains, objects: reader.objects }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }
}

struct Reader {
    objects: Vec<Object>,
    taken: Taken,
    /// The references that led here.
    within: Vec<String>,
}

impl Reader {
    fn read(&mut self, schema: &Json, root: &Json, name: &str, depth: usize) -> Type {
        if depth > DEPTH_MAX {
            return Type::Any;
        }
        if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
            let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            // What refers to itself has no end that could be written down.
            let Some(found) = found.filter(|_| !self.within.iter().any(|known| known == target)) else {
                return Type::Any;
            };
            self.within.push(target.to_string());
            let kind = self.read(found, root, name, depth + 1);
            self.within.pop();
            return kind;
        }
        if let Some(words) = words(schema) {
            return words;
        }
        if schema.get("contentEncoding").is_some() {
            return Type::File;
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(key).and_then(Json::as_array) {
                return self.either(branches.iter(), root, name, depth);
            }
        }
        if schema.get("allOf").is_some() {
            return Type::Any;
        }
        match schema.get("type") {
            Some(Json::String(one)) => self.typed(one, schema, root, name, depth),
            Some(Json::Array(several)) => {
                let types = several.iter().filter_map(Json::as_str);
                let types: Vec<Type> = types.map(|one| self.typed(one, schema, root, name, depth)).collect();
                either(types)
            }
            _ if schema.get("properties").is_some() => self.typed("object", schema, root, name, depth),
            _ => Type::Any,
        }
    }

    fn either<'s>(
        &mut self,
        branches: impl Iterator<Item = &'s Json>,
        root: &Json,
        name: &str,
        depth: usize,
    ) -> Type {
        let types = branches.enumerate().map(|(at, branch)| {
            self.read(
                branch,
                root,
                &if at == 0 { name.to_string() } else { format!("{name}_{}", at + 1) },
                depth + 1,
            )
        });
        either(types.collect())
    }

    fn typed(&mut self, kind: &str, schema: &Json, root: &Json, name: &str, depth: usize) -> Type {
        match kind {
            "null" => Type::Null,
            "boolean" => Type::Bool,
            "integer" => Type::Int,
            "number" => Type::Float,
            "string" => Type::Text,
            "array" => {
                let items = schema.get("items").filter(|_| schema.get("prefixItems").is_none());
                let items = items.map(|items| self.read(items, root, &format!("{name}_item"), depth + 1));
                Type::List(Box::new(items.unwrap_or(Type::Any)))
            }
            "object" => self.object(schema, root, name, depth),
            _ => Type::Any,
        }
    }

    fn object(&mut self, schema: &Json, root: &Json, name: &str, depth: usize) -> Type {
        let Some(listed) = schema.get("properties").and_then(Json::as_object) else {
            let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
            let rest = rest.map(|rest| self.read(rest, root, &format!("{name}_value"), depth + 1));
            return Type::Map(Box::new(rest.unwrap_or(Type::Any)));
        };
        if self.objects.len() >= OBJECTS_MAX {
            return Type::Any;
        }
        let at = self.objects.len();
        let own = self.taken.free(&type_name(name));
        let doc = schema.get("description").or(schema.get("title")).and_then(Json::as_str);
        self.objects.push(Object { name: own, doc: doc.unwrap_or_default().into(), members: Vec::new() });
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let mut members = Vec::new();
        for (key, inner) in listed {
            let kind = self.read(inner, root, &format!("{name}_{key}"), depth + 1);
            let doc = inner.get("description").or(inner.get("title")).and_then(Json::as_str);
            let (doc, required) = (doc.unwrap_or_default().to_string(), required.contains(&key.as_str()));
            members.push(Member { name: key.clone(), doc, required, kind });
        }
        if let Some(object) = self.objects.get_mut(at) {
            object.members = members;
        }
        Type::Object(at)
    }
}

/// `const` and `enum` of what every language can write down.
fn words(schema: &Json) -> Option<Type> {
    let words = match (schema.get("const"), schema.get("enum")) {
        (Some(one), _) => vec![one.clone()],
        (None, Some(Json::Array(several))) => several.clone(),
        _ => return None,
    };
    let plain = |word: &Json| word.is_string() || word.is_boolean() || word.is_i64() || word.is_null();
    Some(if words.iter().all(plain) && !words.is_empty() { Type::Words(words) } else { Type::Any })
}

fn either(types: Vec<Type>) -> Type {
    let mut distinct: Vec<Type> = Vec::new();
    for kind in types {
        if !distinct.contains(&kind) {
            distinct.push(kind);
        }
    }
    if distinct.contains(&Type::Any) {
        return Type::Any;
    }
    match distinct.len() {
        0 => Type::Any,
        1 => distinct.remove(0),
        _ => Type::Either(distinct),
    }
}
