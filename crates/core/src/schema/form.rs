//! Forms: which members of an input the parts of one fill, and how. A form fills nothing that the schema does not list.

use super::{Schema, content};
use crate::doc::{Node, Span};
use crate::value::Str;
use serde_json::Value as Json;

/// Puts the name of a file into a member beside it. Without it, names of files go nowhere.
pub const FILE_NAME_KEY: &str = "x-ringmail-file-name";
const DEPTH_MAX: usize = 16;

/// What a part may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Text, as it stands there.
    Text,
    /// JSON: a number, a truth, a map.
    Json,
    /// Bytes, of one of these types. Empty if any will do.
    File(Vec<&'static str>),
}

/// A member that a part may fill.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: Str,
    pub takes: Takes,
    /// Whether it is a list, with an item for each part.
    pub many: bool,
}

/// The members of an input that parts may fill.
#[derive(Clone, Debug, Default)]
pub struct InputForm {
    pub fields: Vec<Field>,
    /// A file, and the member that its name goes to.
    names: Vec<(Str, Str)>,
    required: Vec<Str>,
}

impl Schema {
    /// The form of an input, if it is an object whose members are listed.
    pub fn form(&self) -> Option<InputForm> {
        let mut form = InputForm::default();
        form.collect(&self.json, &self.json, 0);
        (!form.fields.is_empty()).then_some(form)
    }
}

impl InputForm {
    fn collect(&mut self, schema: &Json, root: &Json, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        if let Some(target) = target(schema, root) {
            self.collect(target, root, depth + 1);
        }
        for branch in schema.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            self.collect(branch, root, depth + 1);
        }
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        self.required.extend(required.filter_map(Json::as_str).map(Str::from));
        for (name, member) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
            if self.field(name).is_some() {
                continue;
            }
            if let Some(file) = member.get(FILE_NAME_KEY).and_then(Json::as_str) {
                self.names.push((file.into(), name.as_str().into()));
            }
            let items = items(member, root, 0);
            let takes = takes(items.unwrap_or(member), root);
            self.fields.push(Field { name: name.as_str().into(), takes, many: items.is_some() });
        }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| *field.name == *name)
    }

    /// The member that the name of a file goes to.
    pub(crate) fn name_of(&self, file: &str) -> Option<&Str> {
        self.names.iter().find(|(known, _)| **known == *file).map(|(_, name)| name)
    }

    /// The one member that can be a file, if nothing else is needed: such a file needs no form around it.
    pub fn lone_file(&self) -> Option<&Field> {
        let mut files = self.fields.iter().filter(|field| matches!(field.takes, Takes::File(_)));
        let file = files.next().filter(|file| !file.many && files.next().is_none())?;
        self.required.iter().all(|needed| *needed == file.name).then_some(file)
    }
}

fn target<'j>(schema: &'j Json, root: &'j Json) -> Option<&'j Json> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}

/// The schema of the items of a list.
fn items<'j>(schema: &'j Json, root: &'j Json, depth: usize) -> Option<&'j Json> {
    if let Some(target) = target(schema, root).filter(|_| depth < DEPTH_MAX) {
        return items(target, root, depth + 1);
    }
    let is_list = schema.get("type").and_then(Json::as_str) == Some("array");
    schema.get("items").filter(|_| is_list)
}

fn takes(schema: &Json, root: &Json) -> Takes {
    match content::file(schema, root, 0) {
        Some(types) => Takes::File(types),
        None if takes_text(schema, root, 0) => Takes::Text,
        None => Takes::Json,
    }
}

/// Whether a text may fit; then every part is one.
fn takes_text(schema: &Json, root: &Json, depth: usize) -> bool {
    if let Some(target) = target(schema, root).filter(|_| depth < DEPTH_MAX) {
        return takes_text(target, root, depth + 1);
    }
    match schema.get("type") {
        Some(Json::String(one)) => return one == "string",
        Some(Json::Array(several)) => return several.iter().any(|one| one == "string"),
        _ => {}
    }
    if let Some(one) = schema.get("const") {
        return one.is_string();
    }
    if let Some(several) = schema.get("enum").and_then(Json::as_array) {
        return several.iter().any(Json::is_string);
    }
    let branches = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    match branches.filter(|_| depth < DEPTH_MAX) {
        Some(branches) => branches.iter().any(|branch| takes_text(branch, root, depth + 1)),
        None => !schema.get("properties").is_some_and(Json::is_object),
    }
}

/// A name can go only into a member of the input itself, where there is a file beside.
pub(super) fn problems(root: &Node, mut wrong: impl FnMut(Span, String)) {
    let members = root.get("properties").map_or(&[][..], Node::entries);
    let mut said = Vec::new();
    mentions(root, &mut said);
    if said.is_empty() {
        return;
    }
    let whole = Json::from(&root.to_value());
    let is_file = |name: &str| {
        let member = whole.get("properties").and_then(|all| all.get(name));
        member.is_some_and(|member| content::file(member, &whole, 0).is_some())
    };
    for node in said {
        let mut own = members.iter().filter_map(|(_, member)| member.get(FILE_NAME_KEY));
        let at_top = own.any(|own| std::ptr::eq(own, node));
        if !at_top || !node.text().is_some_and(is_file) {
            wrong(node.span, format!("`{FILE_NAME_KEY}` names a member beside it with `contentEncoding`"));
        }
    }
}

fn mentions<'n>(node: &'n Node, out: &mut Vec<&'n Node>) {
    for (key, inner) in node.entries() {
        if key.name == FILE_NAME_KEY && inner.text().is_some() {
            out.push(inner);
        }
        mentions(inner, out);
    }
    node.items().iter().for_each(|item| mentions(item, out));
}
