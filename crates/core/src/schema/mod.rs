//! JSON Schema 2020-12 for inputs, outputs and links: strict (closed objects, asserted formats, no unknown keyword,
//! no remote reference), judged straight on values, with `x-ringmail-label` for labels and `x-ringmail-check` for
//! the named text checks; `contentMediaType` is held against the content. A schema never changes a value.

mod content;
pub mod form;
#[cfg(test)]
mod tests;
mod values;

use crate::checks::TextCheck;
use crate::doc::{Data, Node, Problems, Source, Span, suggest};
use crate::expr::Shape;
use crate::label::{Label, Labels, TagTable};
use crate::value::{Str, Value};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use values::Values;

pub const LABEL_KEY: &str = "x-ringmail-label";
pub const CHECK_KEY: &str = "x-ringmail-check";
/// How many schemas may apply to one place of a value, references followed.
pub const APPLIED_MAX: usize = 1_000;

/// A loaded schema. Cheap to clone.
#[derive(Clone)]
pub struct Schema {
    validator: Arc<jsonschema::Validator<Values>>,
    json: Arc<Json>,
    labels: Arc<PlaceLabels>,
    /// Labels that every fitting value carries.
    must: Labels,
    shape: Shape,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({})", self.json)
    }
}

/// One way in which a value does not fit; the text never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub path: String,
    pub message: String,
}

impl Schema {
    /// Loads a schema from a document, reporting every problem at its place.
    pub fn load(
        node: &Node,
        source: &Arc<Source>,
        tags: &mut TagTable,
        problems: &mut Problems,
    ) -> Option<Schema> {
        let before = problems.0.len();
        let json = Json::from(&node.to_value());
        let mut loader = Loader {
            source,
            problems,
            tags,
            root: node,
            applied: BTreeMap::new(),
            labelled: BTreeMap::new(),
        };
        loader.schema(node);
        loader.required_members(node);
        form::problems(node, |span, message| loader.wrong(span, message));
        let labels = loader.labels(node);
        let must = loader.must(node, 0);
        if problems.0.len() > before {
            return None;
        }
        let shape = shape_of(&json, &json, 0);
        let closed = close(&json);
        match compile(&closed) {
            Ok(validator) => {
                Some(Schema { validator: Arc::new(validator), json: Arc::new(closed), labels, must, shape })
            }
            Err(message) => {
                problems.add(source, node.span, format!("not a JSON Schema: {message}"));
                None
            }
        }
    }

    /// Every mismatch up to a handful, or nothing.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Mismatch>> {
        const SHOWN_MAX: usize = 5;
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let errors = self.validator.iter_errors(value).take(SHOWN_MAX);
        Err(errors
            .map(|error| Mismatch {
                path: error.instance_path().as_str().trim_start_matches('/').replace('/', "."),
                message: mismatch(&error),
            })
            .collect())
    }

    /// The labels of a value that came with `base`, tags of the schema added at their paths.
    pub fn label(&self, value: &Value, base: &Labels) -> Labels {
        if self.labels.is_empty() { base.clone() } else { base.merged(&self.labels.apply(value)) }
    }

    /// The labels that values of this schema may carry, by path.
    pub fn may_labels(&self) -> Labels {
        self.labels.everywhere()
    }

    /// The labels that every value of this schema carries: optional members count only where they are read.
    pub(crate) fn must_labels(&self) -> &Labels {
        &self.must
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The schema as it is enforced: objects closed.
    pub fn json(&self) -> &Json {
        &self.json
    }
}

/// What does not fit, without a word of the value: messages end up in records.
fn mismatch(error: &jsonschema::ValidationError<'_>) -> String {
    use jsonschema::error::ValidationErrorKind as Kind;
    match error.kind() {
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "a member is not among those that the schema lists".into()
        }
        Kind::PropertyNames { .. } => "the name of a member does not fit".into(),
        // Which of several types it is not says more than that it is none.
        Kind::AnyOf { context } | Kind::OneOfNotValid { context }
            if context.iter().all(|branch| matches!(&branch[..], [one] if content::is_misfit(one))) =>
        {
            let branches = context.iter().flatten().map(mismatch);
            branches.collect::<Vec<_>>().join("; ")
        }
        _ => error.masked_with("the value").to_string(),
    }
}

fn compile(schema: &Json) -> Result<jsonschema::Validator<Values>, String> {
    let options = jsonschema::options_for::<Values>()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .with_keyword(CHECK_KEY, |_, value, _| {
            let check = value.as_str().and_then(TextCheck::find);
            check
                .map(|check| Box::new(Named(check)) as Box<dyn for<'i> jsonschema::Keyword<'i, Values>>)
                .ok_or_else(|| jsonschema::ValidationError::custom("unknown check"))
        });
    content::keywords(options).build(schema).map_err(|error| crate::json::shorten(&error.to_string()))
}

struct Named(&'static TextCheck);

impl<'i> jsonschema::Keyword<'i, Values> for Named {
    fn validate(&self, instance: &'i Value) -> Result<(), jsonschema::ValidationError<'i>> {
        let name = self.0.name;
        self.0.test(instance).map_err(|why| {
            jsonschema::ValidationError::custom(format!("not a safe `{name}`: the value {why}"))
        })
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.0.test(instance).is_ok()
    }
}

/// Where a keyword holds further schemas.
#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Nothing,
    One,
    Many,
    Named,
}

/// The 2020-12 vocabulary, and whether a keyword's schemas apply to the same place of the value.
const KEYWORDS: &[(&str, Holds, bool)] = &[
    ("$schema", Holds::Nothing, false),
    ("$id", Holds::Nothing, false),
    ("$anchor", Holds::Nothing, false),
    ("$comment", Holds::Nothing, false),
    ("$ref", Holds::Nothing, false),
    ("$defs", Holds::Named, false),
    ("type", Holds::Nothing, false),
    ("enum", Holds::Nothing, false),
    ("const", Holds::Nothing, false),
    ("multipleOf", Holds::Nothing, false),
    ("maximum", Holds::Nothing, false),
    ("exclusiveMaximum", Holds::Nothing, false),
    ("minimum", Holds::Nothing, false),
    ("exclusiveMinimum", Holds::Nothing, false),
    ("maxLength", Holds::Nothing, false),
    ("minLength", Holds::Nothing, false),
    ("pattern", Holds::Nothing, false),
    ("maxItems", Holds::Nothing, false),
    ("minItems", Holds::Nothing, false),
    ("uniqueItems", Holds::Nothing, false),
    ("maxContains", Holds::Nothing, false),
    ("minContains", Holds::Nothing, false),
    ("maxProperties", Holds::Nothing, false),
    ("minProperties", Holds::Nothing, false),
    ("required", Holds::Nothing, false),
    ("dependentRequired", Holds::Nothing, false),
    ("dependentSchemas", Holds::Named, true),
    ("allOf", Holds::Many, true),
    ("anyOf", Holds::Many, true),
    ("oneOf", Holds::Many, true),
    ("not", Holds::One, true),
    ("if", Holds::One, true),
    ("then", Holds::One, true),
    ("else", Holds::One, true),
    ("prefixItems", Holds::Many, false),
    ("items", Holds::One, false),
    ("contains", Holds::One, false),
    ("properties", Holds::Named, false),
    ("patternProperties", Holds::Named, false),
    ("additionalProperties", Holds::One, false),
    ("propertyNames", Holds::One, false),
    ("unevaluatedItems", Holds::One, false),
    ("unevaluatedProperties", Holds::One, false),
    ("format", Holds::Nothing, false),
    ("contentEncoding", Holds::Nothing, false),
    ("contentMediaType", Holds::Nothing, false),
    ("contentSchema", Holds::Nothing, false),
    ("title", Holds::Nothing, false),
    ("description", Holds::Nothing, false),
    ("default", Holds::Nothing, false),
    ("deprecated", Holds::Nothing, false),
    ("readOnly", Holds::Nothing, false),
    ("writeOnly", Holds::Nothing, false),
    ("examples", Holds::Nothing, false),
    (LABEL_KEY, Holds::Nothing, false),
    (CHECK_KEY, Holds::Nothing, false),
    (form::FILE_NAME_KEY, Holds::Nothing, false),
];

struct Loader<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
    tags: &'a mut TagTable,
    root: &'a Node,
    /// Schemas applied at one place, by the schema: what was written by no hand stands nowhere in a text.
    applied: BTreeMap<*const Node, usize>,
    /// Labels by the schema; nothing while they are being collected.
    labelled: BTreeMap<*const Node, Option<Arc<PlaceLabels>>>,
}

impl<'a> Loader<'a> {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.problems.add(self.source, span, message);
    }

    fn schema(&mut self, node: &Node) {
        if matches!(node.data, Data::Bool(_)) {
            return;
        }
        let Data::Map(entries) = &node.data else {
            return self.wrong(node.span, format!("a schema is a map, not {}", node.type_name()));
        };
        self.count(node, &mut Vec::new());
        content::problems(node, |span, message, help| {
            self.problems.add_help(self.source, span, message, help);
        });
        for (key, value) in entries {
            match KEYWORDS.iter().find(|(name, _, _)| *name == key.name) {
                None if key.name.starts_with("x-") && !key.name.starts_with("x-ringmail") => {}
                None => {
                    let near = suggest(&key.name, KEYWORDS.iter().map(|(name, _, _)| *name));
                    let help = near.map_or("see JSON Schema 2020-12".to_string(), |near| {
                        format!("did you mean `{near}`?")
                    });
                    let message =
                        format!("unknown keyword `{}` in a schema", crate::json::shorten(&key.name));
                    self.problems.add_help(self.source, key.span, message, help);
                }
                Some(_) if key.name == "$ref" => {
                    if self.reference(value).is_none() {
                        let shown = crate::json::shorten(value.text().unwrap_or_default());
                        let message = format!("`$ref` leads nowhere: `{shown}`");
                        let help = "references stay inside the schema, such as `#/$defs/name`";
                        self.problems.add_help(self.source, value.span, message, help);
                    }
                }
                Some(_) if key.name == CHECK_KEY => self.named_check(value),
                Some((_, holds, _)) => {
                    subschemas(value, *holds).into_iter().for_each(|inner| self.schema(inner))
                }
            }
        }
    }

    /// A closed object that requires a member it does not allow fits nothing.
    fn required_members(&mut self, node: &Node) {
        let names = |key: &str| node.get(key).map(Node::entries);
        for (_, inner) in names("properties").unwrap_or_default() {
            self.required_members(inner);
        }
        if let Some(items) = node.get("items") {
            self.required_members(items);
        }
        let (Some(listed), Some(required)) = (names("properties"), node.get("required")) else { return };
        let open = ["patternProperties", "additionalProperties", "unevaluatedProperties", "$ref"];
        let combined = open.iter().chain(COMBINERS).any(|key| node.get(key).is_some());
        for name in required.items().iter().filter(|_| !combined) {
            let Some(text) = name.text().filter(|text| !listed.iter().any(|(key, _)| key.name == **text))
            else {
                continue;
            };
            let message =
                format!("`{}` is required and not listed in `properties`", crate::json::shorten(text));
            self.problems.add_help(self.source, name.span, message, "objects are closed: nothing would fit");
        }
    }

    fn named_check(&mut self, node: &Node) {
        if node.text().and_then(TextCheck::find).is_none() {
            let known = crate::checks::CHECKS
                .iter()
                .map(|check| format!("`{}`", check.name))
                .collect::<Vec<_>>()
                .join(", ");
            self.wrong(node.span, format!("`{CHECK_KEY}` is one of {known}"));
        }
    }

    /// The schema a `$ref` leads to: within this document only.
    fn reference(&self, reference: &Node) -> Option<&'a Node> {
        lookup(self.root, reference.text()?.strip_prefix('#')?)
    }

    /// How many schemas apply to one place of the value; refuses what multiplies or never ends.
    fn count(&mut self, node: &Node, path: &mut Vec<*const Node>) -> usize {
        let which = std::ptr::from_ref(node);
        if let Some(known) = self.applied.get(&which) {
            return *known;
        }
        if path.contains(&which) {
            self.wrong(node.span, "this schema refers to itself at the same place of the value");
            return 1;
        }
        path.push(which);
        let mut total = 1_usize;
        for (key, value) in node.entries() {
            if key.name == "$ref" {
                let target = self.reference(value);
                total = total.saturating_add(target.map_or(0, |target| self.count(target, path)));
            }
            let in_place = KEYWORDS.iter().find(|(name, _, in_place)| *name == key.name && *in_place);
            for inner in in_place.map_or(Vec::new(), |(_, holds, _)| subschemas(value, *holds)) {
                total = total.saturating_add(self.count(inner, path));
            }
        }
        path.pop();
        if total > APPLIED_MAX && self.applied.values().all(|known| *known <= APPLIED_MAX) {
            self.wrong(node.span, format!("more than {APPLIED_MAX} schemas apply to one place of the value"));
        }
        self.applied.insert(which, total);
        total
    }

    fn labels(&mut self, node: &Node) -> Arc<PlaceLabels> {
        let which = std::ptr::from_ref(node);
        match self.labelled.get(&which) {
            Some(Some(known)) => return known.clone(),
            // A schema inside itself: all below it gets every tag the document names.
            Some(None) => {
                return Arc::new(PlaceLabels { own: self.all_tags(self.root), ..PlaceLabels::default() });
            }
            None => self.labelled.insert(which, None),
        };
        let mut out = PlaceLabels::default();
        for (key, value) in node.entries() {
            let holds = KEYWORDS
                .iter()
                .find(|(name, ..)| *name == key.name)
                .map_or(Holds::Nothing, |(_, holds, _)| *holds);
            match key.name.as_str() {
                LABEL_KEY => out.own = out.own.join(self.label_value(value)),
                "$ref" => {
                    if let Some(target) = self.reference(value) {
                        let inner = self.labels(target);
                        out.merge(&inner);
                    }
                }
                "properties" => {
                    for (name, inner) in value.entries() {
                        let inner = self.labels(inner);
                        out.keys.entry(name.name.as_str().into()).or_default().merge(&inner);
                    }
                }
                "prefixItems" => {
                    for (at, inner) in value.items().iter().enumerate() {
                        let inner = self.labels(inner);
                        out.places.entry(at).or_default().merge(&inner);
                    }
                }
                "$defs" => {}
                name => {
                    for inner in subschemas(value, holds) {
                        let inner = self.labels(inner);
                        match name {
                            "items" | "contains" | "unevaluatedItems" => {
                                out.items.get_or_insert_default().merge(&inner)
                            }
                            "additionalProperties" | "unevaluatedProperties" | "patternProperties" => {
                                out.rest.get_or_insert_default().merge(&inner);
                            }
                            _ => out.merge(&inner),
                        }
                    }
                }
            }
        }
        out.prune();
        let out = Arc::new(out);
        self.labelled.insert(which, Some(out.clone()));
        out
    }

    /// What every fitting value carries: the schema's own labels, those of required members, of all of `allOf`.
    fn must(&mut self, node: &Node, depth: usize) -> Labels {
        const DEPTH_MAX: usize = 16;
        if depth > DEPTH_MAX {
            return Labels::default();
        }
        let mut labels = Labels::default();
        let required: Vec<&str> =
            node.get("required").map_or(&[][..], Node::items).iter().filter_map(Node::text).collect();
        for (key, value) in node.entries() {
            let more = match key.name.as_str() {
                LABEL_KEY => self.label_value(value).into(),
                "$ref" => match self.reference(value).cloned() {
                    Some(target) => self.must(&target, depth + 1),
                    None => continue,
                },
                "properties" => {
                    let always =
                        value.entries().iter().filter(|(name, _)| required.contains(&name.name.as_str()));
                    let parts: Vec<(Str, Labels)> = always
                        .map(|(name, inner)| (name.name.as_str().into(), self.must(inner, depth + 1)))
                        .collect();
                    Labels::keys(Label::BOTTOM, parts)
                }
                "allOf" => value
                    .items()
                    .iter()
                    .fold(Labels::default(), |all, inner| all.merged(&self.must(inner, depth + 1))),
                _ => continue,
            };
            labels = labels.merged(&more);
        }
        labels
    }

    fn all_tags(&mut self, node: &Node) -> Label {
        let below = node.entries().iter().fold(Label::BOTTOM, |label, (key, value)| {
            let own = if key.name == LABEL_KEY { self.label_value(value) } else { Label::BOTTOM };
            label.join(own).join(self.all_tags(value))
        });
        node.items().iter().fold(below, |label, item| label.join(self.all_tags(item)))
    }

    /// `x-ringmail-label: [pii]`; the word `untrusted` lowers integrity.
    fn label_value(&mut self, node: &Node) -> Label {
        let mut label = Label::BOTTOM;
        if node.items().is_empty() {
            self.wrong(node.span, format!("`{LABEL_KEY}` is a list of tags, such as `[pii]`"));
        }
        for item in node.items() {
            match item.text() {
                Some("untrusted") => label.untrusted = true,
                Some(name) if is_tag_name(name) => match self.tags.intern(name) {
                    Some(tag) => label.tags = label.tags.with(tag),
                    None => {
                        self.wrong(item.span, format!("more than {} different tags", crate::label::TAGS_MAX))
                    }
                },
                _ => self
                    .wrong(item.span, "a tag is lower case letters, digits, `_`, `-` and `:`, such as `pii`"),
            }
        }
        label
    }
}

/// Whether a text can name a tag.
pub fn is_tag_name(name: &str) -> bool {
    const CHARS_MAX: usize = 64;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | ':');
    (1..=CHARS_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(letter)
}

fn subschemas(value: &Node, holds: Holds) -> Vec<&Node> {
    match holds {
        Holds::Nothing => Vec::new(),
        Holds::One => vec![value],
        Holds::Many => value.items().iter().collect(),
        Holds::Named => value.entries().iter().map(|(_, inner)| inner).collect(),
    }
}

fn lookup<'n>(root: &'n Node, pointer: &str) -> Option<&'n Node> {
    if pointer.is_empty() {
        return Some(root);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(root, |node, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        node.get(&step).or_else(|| step.parse::<usize>().ok().and_then(|at| node.items().get(at)))
    })
}

/// Labels by place of a schema.
#[derive(Debug, Default)]
struct PlaceLabels {
    own: Label,
    keys: BTreeMap<Str, PlaceLabels>,
    /// Members not in `keys`.
    rest: Option<Box<PlaceLabels>>,
    places: BTreeMap<usize, PlaceLabels>,
    items: Option<Box<PlaceLabels>>,
}

impl PlaceLabels {
    fn is_empty(&self) -> bool {
        self.own == Label::BOTTOM
            && self.keys.is_empty()
            && self.rest.is_none()
            && self.places.is_empty()
            && self.items.is_none()
    }

    fn prune(&mut self) {
        self.keys.retain(|_, inner| !inner.is_empty());
        self.places.retain(|_, inner| !inner.is_empty());
        self.rest.take_if(|inner| inner.is_empty());
        self.items.take_if(|inner| inner.is_empty());
    }

    fn merge(&mut self, other: &PlaceLabels) {
        self.own = self.own.join(other.own);
        for (key, inner) in &other.keys {
            self.keys.entry(key.clone()).or_default().merge(inner);
        }
        for (at, inner) in &other.places {
            self.places.entry(*at).or_default().merge(inner);
        }
        if let Some(rest) = &other.rest {
            self.rest.get_or_insert_default().merge(rest);
        }
        if let Some(items) = &other.items {
            self.items.get_or_insert_default().merge(items);
        }
    }

    fn apply(&self, value: &Value) -> Labels {
        match value {
            Value::Map(map) if !self.keys.is_empty() || self.rest.is_some() => {
                let parts = map.iter().filter_map(|(key, inner)| {
                    let place = self.keys.get(key).or(self.rest.as_deref())?;
                    Some((key.clone(), place.apply(inner)))
                });
                Labels::keys(self.own, parts)
            }
            Value::List(list) if !self.places.is_empty() || self.items.is_some() => {
                let part = |(at, inner): (usize, &Value)| match self.places.get(&at).or(self.items.as_deref())
                {
                    Some(place) => place.apply(inner),
                    None => Labels::default(),
                };
                Labels::items(self.own, list.iter().enumerate().map(part).collect())
            }
            _ => self.own.into(),
        }
    }

    /// All that can be carried anywhere; list items join into their list, whose length is not known yet.
    fn everywhere(&self) -> Labels {
        let whole = |inner: &PlaceLabels| inner.everywhere().all();
        let lists = self.places.values().map(whole).chain(self.items.as_deref().map(whole));
        let own = lists.chain(self.rest.as_deref().map(whole)).fold(self.own, Label::join);
        Labels::keys(own, self.keys.iter().map(|(key, inner)| (key.clone(), inner.everywhere())))
    }
}

/// Closes objects that list their members. A schema that takes part in a combination stays open, because its
/// siblings may allow more; the combination itself is closed by `unevaluatedProperties`.
fn close(schema: &Json) -> Json {
    let mut combined = BTreeSet::new();
    collect_combined(schema, false, &mut combined);
    let mut closed = schema.clone();
    close_at(&mut closed, "#", false, &combined);
    closed
}

const COMBINERS: &[&str] = &["allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas"];

/// The targets of references that stand inside a combination or beside other members.
fn collect_combined(schema: &Json, inside: bool, out: &mut BTreeSet<String>) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(target)) = members.get("$ref")
                && (inside || members.contains_key("properties"))
            {
                out.insert(target.clone());
            }
            for (key, value) in members {
                collect_combined(value, COMBINERS.contains(&key.as_str()), out);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect_combined(item, inside, out)),
        _ => {}
    }
}

fn close_at(schema: &mut Json, pointer: &str, inside: bool, combined: &BTreeSet<String>) {
    let Json::Object(members) = schema else { return };
    for (keyword, holds, in_place) in KEYWORDS {
        let Some(value) = members.get_mut(*keyword) else { continue };
        match (holds, value) {
            (Holds::One, value) => close_at(value, &format!("{pointer}/{keyword}"), *in_place, combined),
            (Holds::Many, Json::Array(items)) => {
                for (at, item) in items.iter_mut().enumerate() {
                    close_at(item, &format!("{pointer}/{keyword}/{at}"), *in_place, combined);
                }
            }
            (Holds::Named, Json::Object(named)) => {
                for (name, item) in named.iter_mut() {
                    close_at(item, &format!("{pointer}/{keyword}/{name}"), *in_place, combined);
                }
            }
            _ => {}
        }
    }
    let lists = members.contains_key("properties") || members.contains_key("patternProperties");
    let decided =
        members.contains_key("additionalProperties") || members.contains_key("unevaluatedProperties");
    if !lists || decided || inside || combined.contains(pointer) {
        return;
    }
    let combines =
        members.contains_key("$ref") || COMBINERS.iter().any(|keyword| members.contains_key(*keyword));
    let keyword = if combines { "unevaluatedProperties" } else { "additionalProperties" };
    members.insert(keyword.into(), json!(false));
}

/// What a schema says about types, members and items; anything it does not say simply is any.
fn shape_of(schema: &Json, root: &Json, depth: usize) -> Shape {
    const DEPTH_MAX: usize = 16;
    let Json::Object(members) = schema else { return Shape::ANY };
    if depth > DEPTH_MAX {
        return Shape::ANY;
    }
    if let Some(Json::String(target)) = members.get("$ref") {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Shape::ANY, |target| shape_of(target, root, depth + 1));
    }
    if COMBINERS.iter().any(|keyword| members.contains_key(*keyword)) {
        return match members.get("anyOf").or(members.get("oneOf")) {
            Some(Json::Array(branches)) if members.len() == 1 => {
                let shapes = branches.iter().map(|branch| shape_of(branch, root, depth + 1));
                shapes.reduce(|a, b| a.or(&b)).unwrap_or(Shape::ANY)
            }
            _ => Shape::ANY,
        };
    }
    if let Some(value) = members.get("const") {
        return Shape::of_value(&Value::from(value));
    }
    if let Some(Json::Array(values)) = members.get("enum") {
        let shapes = values.iter().map(|value| Shape::of_value(&Value::from(value)));
        return shapes.reduce(|a, b| a.or(&b)).unwrap_or(Shape::ANY);
    }
    let types = match members.get("type") {
        Some(Json::String(one)) => vec![one.as_str()],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => return Shape::ANY,
    };
    types
        .iter()
        .map(|name| typed_shape(name, members, root, depth))
        .reduce(|a, b| a.or(&b))
        .unwrap_or(Shape::ANY)
}

fn typed_shape(name: &str, members: &serde_json::Map<String, Json>, root: &Json, depth: usize) -> Shape {
    match name {
        "object" => match members.get("properties") {
            Some(Json::Object(listed)) => {
                let closed = matches!(members.get("additionalProperties"), None | Some(Json::Bool(false)))
                    && !members.contains_key("patternProperties");
                let shapes =
                    listed.iter().map(|(key, inner)| (key.as_str().into(), shape_of(inner, root, depth + 1)));
                Shape::map_of(shapes.collect(), closed)
            }
            _ => Shape::json_types(["object"]),
        },
        "array" => match members.get("items") {
            Some(items) if !members.contains_key("prefixItems") => {
                Shape::list_of(shape_of(items, root, depth + 1))
            }
            _ => Shape::json_types(["array"]),
        },
        other => Shape::json_types([other]),
    }
}
