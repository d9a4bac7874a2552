//! Outputs of chains as MCP has them. What is said to be content already is looked at before it goes out as such.

use crate::problem::Problem;
use ringmail_core::chain::mcp::McpSetting;
use ringmail_core::json::to_string;
use ringmail_core::value::{Str, Value};

pub(super) type Members = Vec<(&'static str, Value)>;

fn text_of(output: &Value) -> Value {
    match output {
        Value::Str(text) => Value::Str(text.clone()),
        other => Value::from(to_string(other)),
    }
}

pub(super) fn text_block(text: Value) -> Value {
    Value::map([("type", Value::from("text")), ("text", text)])
}

fn take(output: &Value, members: &[&'static str]) -> Members {
    members.iter().filter_map(|name| Some((*name, output.get(name)?.clone()))).collect()
}

/// Whether an object has nothing but these members.
fn only(output: &Value, known: &[&str]) -> bool {
    output.as_map().is_some_and(|map| map.iter().all(|(name, _)| known.contains(&&**name)))
}

fn has_text(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_str).is_some()
}

/// Whether this is one block of content.
fn is_block(block: &Value) -> bool {
    match block.get("type").and_then(Value::as_str) {
        Some("text") => has_text(block, "text"),
        Some("image" | "audio") => has_text(block, "data") && has_text(block, "mimeType"),
        Some("resource_link") => has_text(block, "uri") && has_text(block, "name"),
        Some("resource") => block
            .get("resource")
            .is_some_and(|of| has_text(of, "uri") && (has_text(of, "text") != has_text(of, "blob"))),
        _ => false,
    }
}

fn all(list: Option<&Value>, fits: impl Fn(&Value) -> bool) -> bool {
    list.and_then(Value::as_list).is_some_and(|list| list.iter().all(fits))
}

/// A tool's answer; nothing if it was to be content and is none.
pub(super) fn tool(content: bool, output: &Value) -> Option<Members> {
    if content {
        let known = ["content", "structuredContent", "isError"];
        let fits = only(output, &known) && all(output.get("content"), is_block);
        let object = output.get("structuredContent").is_none_or(|of| of.as_map().is_some());
        let truth = output.get("isError").is_none_or(|of| matches!(of, Value::Bool(_)));
        return (fits && object && truth).then(|| take(output, &known));
    }
    let mut members = vec![("content", Value::list([text_block(text_of(output))]))];
    if output.as_map().is_some() {
        members.push(("structuredContent", output.clone()));
    }
    Some(members)
}

/// A tool's answer that tells why there is none.
pub(super) fn failed(problem: &Problem, id: &Str) -> Members {
    let mut text = problem.title.to_string();
    if let Some(detail) = &problem.detail {
        text.push_str(&format!(": {detail}"));
    }
    text.push_str(&format!(" (code {}, id {id})", problem.code));
    vec![("content", Value::list([text_block(Value::from(text))])), ("isError", Value::Bool(true))]
}

pub(super) fn prompt(setting: &McpSetting, output: &Value) -> Option<Members> {
    if setting.content {
        let message = |message: &Value| {
            matches!(message.get("role").and_then(Value::as_str), Some("user" | "assistant"))
                && only(message, &["role", "content"])
                && message.get("content").is_some_and(is_block)
        };
        let fits = only(output, &["messages", "description"]) && all(output.get("messages"), message);
        let described = output.get("description").is_none_or(|of| of.as_str().is_some());
        return (fits && described).then(|| take(output, &["messages", "description"]));
    }
    let message = Value::map([("role", Value::from("user")), ("content", text_block(text_of(output)))]);
    Some(vec![("messages", Value::list([message]))])
}

pub(super) fn resource(setting: &McpSetting, uri: &str, media: &Str, output: &Value) -> Option<Members> {
    if setting.content && output.get("contents").is_some() {
        let known = ["uri", "mimeType", "text", "blob", "_meta"];
        let fits = |of: &Value| {
            only(of, &known) && has_text(of, "uri") && has_text(of, "text") != has_text(of, "blob")
        };
        let fits = only(output, &["contents"]) && all(output.get("contents"), fits);
        return fits.then(|| take(output, &["contents"]));
    }
    let mut contents = vec![("uri", Value::from(uri)), ("mimeType", Value::Str(media.clone()))];
    if setting.content {
        if !only(output, &["text", "blob"]) || has_text(output, "text") == has_text(output, "blob") {
            return None;
        }
        contents.extend(take(output, &["text", "blob"]));
    } else {
        contents.push(("text", text_of(output)));
    }
    Some(vec![("contents", Value::list([Value::map(contents)]))])
}
