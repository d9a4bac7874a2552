//! OpenAPI documents as tools: each operation that can be held to its schemas is one. What an operation is called with
//! becomes one request below the address that the project names; what the document says of servers counts for nothing.

use crate::address::Target;
use crate::expr::text_of;
use crate::grant::METHODS;
use crate::json::is_json;
use crate::value::{Str, Value};
use std::collections::{BTreeMap, BTreeSet};

/// References followed from one place.
const REFS_MAX: usize = 16;
/// Depth of a schema.
const DEPTH_MAX: usize = 64;
/// Headers that are not an operation's to set, whatever its document says.
const OWN_HEADERS: &[&str] = &["accept", "content-type", "authorization"];
/// Keywords that a schema keeps; what else documents write into theirs says nothing of values.
const KEPT: &[&str] = &[
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "prefixItems",
    "items",
    "contains",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "title",
    "description",
    "default",
];
const NAMED: &[&str] = &["properties", "patternProperties"];
const DATA: &[&str] = &["enum", "const", "default", "required"];

/// Where an argument goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Path,
    Query,
    Header,
}

/// One operation, as a request is made of it.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: &'static str,
    path: Str,
    params: Vec<(Str, Place)>,
    body: bool,
    /// The answer is a member `result` of what its tool promises, because it is no object.
    pub wraps: bool,
}

/// What a document has: operations with the definitions of their tools, and those that cannot be used.
#[derive(Debug, Default)]
pub struct Operations {
    pub usable: Vec<(Value, Operation)>,
    pub unusable: BTreeMap<Str, String>,
}

/// The operations of a document.
pub fn operations(document: &Value) -> Result<Operations, String> {
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        return Err("it is no document of OpenAPI 3".into());
    }
    let paths = document.get("paths").and_then(Value::as_map).ok_or("it has no `paths`")?;
    let mut out = Operations::default();
    let mut seen = BTreeSet::new();
    for (path, item) in paths.iter() {
        let Some(item) = resolved(document, item) else { continue };
        for method in METHODS {
            let Some(said) = item.get(&method.to_ascii_lowercase()) else { continue };
            let name = name_of(said, method, path);
            let read = Reader { document, used: BTreeSet::new() }.operation(&name, method, path, item, said);
            match read {
                _ if !seen.insert(name.clone()) => {
                    out.unusable.insert(name, "two operations have this name".into());
                }
                Ok(operation) => out.usable.push(operation),
                Err(why) => drop(out.unusable.insert(name, why)),
            }
        }
    }
    out.usable.retain(|(said, _)| {
        !said.get("name").and_then(Value::as_str).is_some_and(|name| out.unusable.contains_key(name))
    });
    Ok(out)
}

/// What an operation is called: its id, or its method and path, in letters that names of tools have.
fn name_of(said: &Value, method: &str, path: &str) -> Str {
    let id = said.get("operationId").and_then(Value::as_str).filter(|id| !id.is_empty());
    let text = id.map_or_else(|| format!("{}{path}", method.to_ascii_lowercase()), String::from);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' };
    let name: String = text.chars().take(100).map(plain).collect();
    name.trim_end_matches('_').into()
}

fn pointed<'d>(document: &'d Value, reference: &str) -> Option<&'d Value> {
    let mut at = document;
    for part in reference.strip_prefix("#/")?.split('/') {
        at = at.get(&part.replace("~1", "/").replace("~0", "~"))?;
    }
    Some(at)
}

/// What stands here, or where its reference leads.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> Option<&'d Value> {
    let mut at = value;
    for _ in 0..REFS_MAX {
        match at.get("$ref").and_then(Value::as_str) {
            Some(reference) => at = pointed(document, reference)?,
            None => return Some(at),
        }
    }
    None
}

struct Reader<'d> {
    document: &'d Value,
    /// Schemas of the document that the ones so far lead to.
    used: BTreeSet<String>,
}

type Members = Vec<(Str, Value)>;

impl Reader<'_> {
    fn operation(
        mut self,
        name: &Str,
        method: &'static str,
        path: &str,
        item: &Value,
        said: &Value,
    ) -> Result<(Value, Operation), String> {
        let (mut properties, mut required): (Members, Vec<Value>) = (Vec::new(), Vec::new());
        let mut params: Vec<(Str, Place)> = Vec::new();
        let listed = [item, said].into_iter().filter_map(|of| of.get("parameters")?.as_list());
        for param in listed.flat_map(|list| list.iter()) {
            let param = resolved(self.document, param).ok_or("a reference leads nowhere")?;
            let Some((param, place, must, schema)) = self.param(param)? else { continue };
            // An operation's own stands in place of its path's.
            params.retain(|(known, _)| *known != param);
            properties.retain(|(known, _)| *known != param);
            required.retain(|known| known.as_str() != Some(&*param));
            params.push((param.clone(), place));
            properties.push((param.clone(), schema));
            if must {
                required.push(Value::Str(param));
            }
        }
        let mut body = false;
        if let Some(wanted) = said.get("requestBody") {
            let wanted = resolved(self.document, wanted).ok_or("a reference leads nowhere")?;
            let must = wanted.get("required") == Some(&Value::Bool(true));
            match self.content(wanted, false)? {
                Some(schema) if params.iter().all(|(known, _)| &**known != "body") => {
                    body = true;
                    properties.push(("body".into(), schema));
                    if must {
                        required.push(Value::from("body"));
                    }
                }
                Some(_) => return Err("a parameter has the name `body`".into()),
                None if must => return Err("it takes no JSON".into()),
                None => {}
            }
        }
        let mut input = vec![
            (Str::from("type"), Value::from("object")),
            ("properties".into(), Value::map(properties)),
            ("required".into(), Value::list(required)),
            ("additionalProperties".into(), Value::Bool(false)),
        ];
        input.extend(self.definitions(false)?);
        let (output, wraps) = self.output(said)?;
        let words = ["summary", "description"].iter().find_map(|key| said.get(key)?.as_str());
        let mut members = vec![("name", Value::Str(name.clone())), ("inputSchema", Value::map(input))];
        members.extend(words.map(|words| ("description", Value::from(words))));
        members.extend(output.map(|schema| ("outputSchema", schema)));
        for text in path.split('{').skip(1) {
            let named = text.split('}').next().unwrap_or_default();
            if !params.iter().any(|(known, place)| &**known == named && *place == Place::Path) {
                return Err(format!("`{}` in its path is no parameter", crate::json::shorten(named)));
            }
        }
        Ok((Value::map(members), Operation { method, path: path.into(), params, body, wraps }))
    }

    fn param(&mut self, param: &Value) -> Result<Option<(Str, Place, bool, Value)>, String> {
        let name = param.get("name").and_then(Value::as_str).ok_or("a parameter has no name")?;
        let must = param.get("required") == Some(&Value::Bool(true));
        let place = match param.get("in").and_then(Value::as_str) {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("header") if OWN_HEADERS.contains(&&*name.to_ascii_lowercase()) => return Ok(None),
            Some("header") => Place::Header,
            _ if must => return Err(format!("`{}` cannot be sent", crate::json::shorten(name))),
            _ => return Ok(None),
        };
        let schema = match param.get("schema") {
            Some(schema) => self.schema(schema, false, 0)?,
            None => Value::map([("type", Value::from("string"))]),
        };
        Ok(Some((name.into(), place, must || place == Place::Path, schema)))
    }

    /// The schema of what is sent or answered as JSON, if it may be.
    fn content(&mut self, of: &Value, open: bool) -> Result<Option<Value>, String> {
        let media = of.get("content").and_then(Value::as_map).into_iter().flat_map(|map| map.iter());
        let Some((_, json)) = media.into_iter().find(|(media, _)| is_json(media)) else { return Ok(None) };
        Ok(Some(match json.get("schema") {
            Some(schema) => self.schema(schema, open, 0)?,
            None => Value::Bool(true),
        }))
    }

    /// What the answer of a success is, if that is said.
    fn output(&mut self, said: &Value) -> Result<(Option<Value>, bool), String> {
        self.used.clear();
        let responses = said.get("responses").and_then(Value::as_map);
        let good = |(status, _): &(&Str, &Value)| status.starts_with('2');
        let response = responses.and_then(|all| all.iter().find(good)).map(|(_, response)| response);
        let Some(response) = response else { return Ok((None, true)) };
        let response = resolved(self.document, response).ok_or("a reference leads nowhere")?;
        let Some(mut schema) = self.content(response, true)? else { return Ok((None, true)) };
        let definitions = self.definitions(true)?;
        let is_object = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("object");
        if let Some(name) = schema.get("$ref").and_then(|to| to.as_str()?.strip_prefix("#/$defs/"))
            && let Some(named) = definitions.as_ref().and_then(|(_, all)| all.get(name))
            && is_object(named)
        {
            schema = named.clone();
        }
        if is_object(&schema) {
            let members = schema.as_map().into_iter().flat_map(|map| map.iter());
            let all = members.map(|(name, value)| (name.clone(), value.clone())).chain(definitions);
            return Ok((Some(Value::map(all.collect::<Members>())), false));
        }
        let wrapped = [
            (Str::from("type"), Value::from("object")),
            ("properties".into(), Value::map([("result", schema)])),
            ("required".into(), Value::list([Value::from("result")])),
        ];
        Ok((Some(Value::map(wrapped.into_iter().chain(definitions).collect::<Members>())), true))
    }

    /// Every schema that those so far lead to.
    fn definitions(&mut self, open: bool) -> Result<Option<(Str, Value)>, String> {
        let mut done: BTreeMap<String, Value> = BTreeMap::new();
        while let Some(name) = self.used.iter().find(|name| !done.contains_key(*name)).cloned() {
            let schemas = self.document.get("components").and_then(|components| components.get("schemas"));
            let schema = schemas.and_then(|all| all.get(&name)).ok_or("a reference leads nowhere")?;
            let read = self.schema(schema, open, 0)?;
            done.insert(name, read);
        }
        let all = done.into_iter().map(|(name, schema)| (Str::from(name), schema)).collect::<Members>();
        Ok((!all.is_empty()).then(|| ("$defs".into(), Value::map(all))))
    }

    /// A schema in the words of JSON Schema 2020-12. Where it is of answers, objects may hold more than is listed.
    fn schema(&mut self, schema: &Value, open: bool, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return Err("a schema is too deep".into());
        }
        let Value::Map(map) = schema else { return Ok(schema.clone()) };
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            let Some(name) =
                reference.strip_prefix("#/components/schemas/").filter(|name| !name.contains('/'))
            else {
                return Err("a reference leads outside its schemas".into());
            };
            self.used.insert(name.replace("~1", "/").replace("~0", "~"));
            return Ok(Value::map([("$ref", Value::from(format!("#/$defs/{name}")))]));
        }
        let mut out: Members = Vec::new();
        for (name, value) in map.iter().filter(|(name, _)| KEPT.contains(&&***name)) {
            let value = match (&**name, value) {
                // Older documents say whether the bound itself is left out.
                ("exclusiveMaximum" | "exclusiveMinimum", Value::Bool(_)) => continue,
                ("maximum", _) if map.get("exclusiveMaximum") == Some(&Value::Bool(true)) => {
                    out.push(("exclusiveMaximum".into(), value.clone()));
                    continue;
                }
                ("minimum", _) if map.get("exclusiveMinimum") == Some(&Value::Bool(true)) => {
                    out.push(("exclusiveMinimum".into(), value.clone()));
                    continue;
                }
                ("type", Value::Str(kind)) if map.get("nullable") == Some(&Value::Bool(true)) => {
                    Value::list([Value::Str(kind.clone()), Value::from("null")])
                }
                (key, value) if DATA.contains(&key) => value.clone(),
                (key, Value::Map(named)) if NAMED.contains(&key) => {
                    let each = named
                        .iter()
                        .map(|(name, value)| Ok((name.clone(), self.schema(value, open, depth + 1)?)));
                    Value::map(each.collect::<Result<Members, String>>()?)
                }
                (_, Value::List(list)) => {
                    let each = list.iter().map(|value| self.schema(value, open, depth + 1));
                    Value::list(each.collect::<Result<Vec<_>, String>>()?)
                }
                (_, value) => self.schema(value, open, depth + 1)?,
            };
            out.push((name.clone(), value));
        }
        let has = |key: &str| map.get(key).is_some();
        if open && has("properties") && !has("additionalProperties") {
            out.push(("additionalProperties".into(), Value::Bool(true)));
        }
        Ok(Value::map(out))
    }
}

/// A request as an operation's arguments make it: where to, headers, and the body.
#[derive(Debug)]
pub struct Asking {
    pub target: Target,
    pub headers: Vec<(String, String)>,
    pub body: Option<Value>,
}

impl Operation {
    /// The request that these arguments ask for; they fit the operation's schema.
    pub fn request(&self, base: &Target, args: &Value) -> Result<Asking, String> {
        let given = |name: &Str| args.get(name).filter(|value| !matches!(value, Value::Null));
        let mut path = self.path.to_string();
        let (mut query, mut headers): (Vec<(&str, String)>, Vec<_>) = (Vec::new(), Vec::new());
        for (name, place) in &self.params {
            let Some(value) = given(name) else { continue };
            let texts = texts(value).ok_or_else(|| format!("`{name}` must not be a map"))?;
            match place {
                Place::Path => {
                    let text = segment(&texts.join(","))?;
                    path = path.replace(&format!("{{{name}}}"), &text);
                }
                Place::Query => query.extend(texts.into_iter().map(|text| (&**name, text))),
                Place::Header => headers.push((name.to_lowercase(), texts.join(","))),
            }
        }
        let root = base.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let target = Target::parse(&format!("{root}{path}"))?.with_query(query);
        // INVARIANT: arguments choose neither the server nor what lies above its address.
        if !target.as_str().starts_with(&format!("{root}/")) {
            return Err("the address leads away from the server".into());
        }
        let body = if self.body { args.get("body").cloned() } else { None };
        Ok(Asking { target, headers, body })
    }
}

/// The texts of a scalar or of a list of scalars.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Map(_) => None,
        Value::List(list) => list
            .iter()
            .map(|item| match item {
                Value::Map(_) | Value::List(_) => None,
                item => Some(text_of(item).to_string()),
            })
            .collect(),
        value => Some(vec![text_of(value).to_string()]),
    }
}

/// A text as one part of a path: it can neither end the part nor climb.
fn segment(text: &str) -> Result<String, String> {
    if text.is_empty() || text == "." || text == ".." {
        return Err("a part of the path is empty or a dot".into());
    }
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{JsonLimits, parse, to_string};

    fn value(text: &str) -> Value {
        parse(text.as_bytes(), &JsonLimits::default()).unwrap()
    }

    const SHOP: &str = r##"{"openapi": "3.0.3", "servers": [{"url": "https://evil.example"}], "paths": {
        "/pets/{id}": {"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "get": {"operationId": "getPet", "summary": "a pet", "parameters": [
                {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                {"name": "Authorization", "in": "header", "schema": {"type": "string"}}],
              "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}},
            "delete": {"responses": {"204": {}}}},
        "/pets": {"post": {"operationId": "add pet", "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
            "responses": {"201": {"content": {"application/json": {"schema": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid", "example": "x"}}}}}}}}},
        "/form": {"post": {"operationId": "form", "requestBody": {"required": true, "content": {"text/csv": {}}}, "responses": {}}},
        "/a": {"get": {"operationId": "same", "responses": {}}}, "/b": {"get": {"operationId": "same", "responses": {}}},
        "/out": {"get": {"operationId": "out", "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "https://evil.example/s"}}}}}}}},
        "components": {"schemas": {"Pet": {"type": "object", "properties": {"name": {"type": "string", "nullable": true}, "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": true}, "friend": {"$ref": "#/components/schemas/Pet"}}}}}}"##;

    #[test]
    fn operations_become_tools_with_schemas_that_hold() {
        let found = operations(&value(SHOP)).unwrap();
        let names: Vec<&str> =
            found.usable.iter().filter_map(|(said, _)| said.get("name")?.as_str()).collect();
        assert_eq!(names, ["getPet", "delete_pets__id", "add_pet"]);
        let why: Vec<(&str, &str)> =
            found.unusable.iter().map(|(name, why)| (&**name, why.as_str())).collect();
        assert_eq!(
            why,
            [
                ("form", "it takes no JSON"),
                ("out", "a reference leads outside its schemas"),
                ("same", "two operations have this name")
            ]
        );
        let (get, _) = &found.usable[0];
        let input = to_string(get.get("inputSchema").unwrap());
        assert!(input.contains("\"required\":[\"id\"]") && !input.contains("Authorization"), "{input}");
        let output = to_string(get.get("outputSchema").unwrap());
        for part in ["[\"string\",\"null\"]", "\"exclusiveMinimum\":0", "\"$ref\":\"#/$defs/Pet\""] {
            assert!(output.contains(part), "{part}: {output}");
        }
        assert!(!found.usable[0].1.wraps && output.contains("\"type\":\"object\""), "{output}");
        let added = to_string(found.usable[2].0.get("outputSchema").unwrap());
        assert!(!added.contains("format") && !added.contains("example"), "{added}");
        assert!(operations(&value("{\"swagger\": \"2.0\"}")).is_err());
    }

    #[test]
    fn arguments_choose_no_server_and_no_other_path() {
        let found = operations(&value(SHOP)).unwrap();
        let get = &found.usable[0].1;
        let base = Target::parse("https://shop.test/api/").unwrap();
        let check = |args: &str, expected: &str| {
            let asked = get.request(&base, &value(args));
            assert_eq!(
                asked.map_or_else(|why| why, |asked| asked.target.as_str().to_string()),
                expected,
                "{args}"
            );
        };
        check(r#"{"id": "1", "tags": ["a", "b&c"]}"#, "https://shop.test/api/pets/1?tags=a&tags=b%26c");
        check(r#"{"id": "../../admin"}"#, "https://shop.test/api/pets/..%2F..%2Fadmin");
        check(r#"{"id": "@evil.example/?x#y"}"#, "https://shop.test/api/pets/%40evil.example%2F%3Fx%23y");
        check(r#"{"id": ".."}"#, "a part of the path is empty or a dot");
        check(r#"{"id": ""}"#, "a part of the path is empty or a dot");
        let asked = get.request(&base, &value(r#"{"id": "1", "X-Trace": "t", "body": 1}"#)).unwrap();
        assert_eq!(asked.headers, [("x-trace".to_string(), "t".to_string())]);
        assert!(asked.body.is_none(), "an operation without a body sends none");
    }
}
