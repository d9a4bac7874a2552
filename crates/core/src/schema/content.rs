//! `contentEncoding` and `contentMediaType`: annotations for others, assertions here. What a string says of itself, its
//! bytes must be.

use super::values::Values;
use crate::doc::{Node, Span};
use crate::media::{MEDIA_TYPES, MediaType};
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::Arc;

pub(super) const ENCODING: &str = "contentEncoding";
pub(super) const MEDIA_TYPE: &str = "contentMediaType";
const BASE64: &str = "base64";

type Options<'o> = ValidationOptions<'o, Arc<dyn jsonschema::Retrieve>, Values>;

/// Teaches a validator both words.
pub(super) fn keywords(options: Options<'_>) -> Options<'_> {
    let options = options.with_keyword(MEDIA_TYPE, |parent, value, _| {
        let kind = value.as_str().and_then(MediaType::find);
        let kind = kind.ok_or_else(|| ValidationError::custom("unknown media type"))?;
        Ok(Box::new(Content { kind: Some(kind), encoded: parent.contains_key(ENCODING) }))
    });
    options.with_keyword(ENCODING, |parent, _, _| {
        // Beside a media type, that one decodes.
        Ok(Box::new(Content { kind: None, encoded: !parent.contains_key(MEDIA_TYPE) }))
    })
}

struct Content {
    kind: Option<&'static MediaType>,
    encoded: bool,
}

impl Content {
    fn test(&self, value: &Value) -> Result<(), String> {
        let Some(text) = value.as_str() else { return Ok(()) };
        let bytes = match self.encoded {
            true => {
                let decoded = STANDARD.decode(text);
                Cow::Owned(decoded.map_err(|_| "not base64: the value does not decode".to_string())?)
            }
            false => Cow::Borrowed(text.as_bytes()),
        };
        let Some(kind) = self.kind else { return Ok(()) };
        kind.test(&bytes).map_err(|why| format!("not `{}`: the value {why}", kind.name))
    }
}

impl<'i> Keyword<'i, Values> for Content {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        self.test(instance).map_err(ValidationError::custom)
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.test(instance).is_ok()
    }
}

/// Whether an error is about content.
pub(super) fn is_misfit(error: &ValidationError<'_>) -> bool {
    match error.kind() {
        jsonschema::error::ValidationErrorKind::Custom { keyword, .. } => {
            keyword == MEDIA_TYPE || keyword == ENCODING
        }
        _ => false,
    }
}

/// What a schema says of content that nothing here could hold anybody to.
pub(super) fn problems(schema: &Node, mut wrong: impl FnMut(Span, String, String)) {
    let encoding = schema.get(ENCODING);
    if let Some(node) = encoding.filter(|node| node.text() != Some(BASE64)) {
        wrong(node.span, format!("`{ENCODING}` is `{BASE64}`"), "no other encoding is checked".into());
    }
    if let Some(node) = schema.get(MEDIA_TYPE) {
        match node.text().and_then(MediaType::find) {
            None => {
                let known: Vec<String> = MEDIA_TYPES.iter().map(|kind| format!("`{}`", kind.name)).collect();
                let help = format!("those that are: {}", known.join(", "));
                wrong(node.span, "content of this type is not known by its bytes".into(), help);
            }
            Some(kind) if !kind.is_text && encoding.is_none() => {
                let message = format!("`{}` is no text, so it cannot stand in a string as it is", kind.name);
                wrong(node.span, message, format!("add `{ENCODING}: {BASE64}`"));
            }
            Some(_) => {}
        }
    }
    if let Some(node) = schema.get("contentSchema") {
        let message = "`contentSchema` is not checked".into();
        wrong(node.span, message, "take the content apart in a link, and validate that".into());
    }
}

/// The types of files that a string of this schema may hold, if it holds one at all. Empty if any will do.
pub(super) fn file(schema: &Json, root: &Json, depth: usize) -> Option<Vec<&'static str>> {
    const DEPTH_MAX: usize = 16;
    if depth > DEPTH_MAX {
        return None;
    }
    if schema.get(ENCODING).is_some() {
        let named = schema.get(MEDIA_TYPE).and_then(Json::as_str).and_then(MediaType::find);
        return Some(named.map(|kind| kind.name).into_iter().collect());
    }
    if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
        return file(root.pointer(target.strip_prefix('#')?)?, root, depth + 1);
    }
    let branches = |key: &str| schema.get(key).and_then(Json::as_array).into_iter().flatten();
    if let Some(found) = branches("allOf").find_map(|branch| file(branch, root, depth + 1)) {
        return Some(found);
    }
    let either = branches("anyOf").chain(branches("oneOf"));
    let files: Vec<_> = either.map(|branch| file(branch, root, depth + 1)).collect();
    if files.is_empty() {
        return None;
    }
    let all: Option<Vec<Vec<_>>> = files.into_iter().collect();
    Some(all?.concat())
}
