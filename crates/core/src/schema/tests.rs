//! What schemas let through, refuse and label.

use super::*;
use crate::doc::yaml;
use crate::label::Tags;
use crate::value::parse_path;

fn load(text: &str) -> Result<(Schema, TagTable), String> {
    let source = Source::new("s", text);
    let node = yaml::parse(&source).unwrap();
    let (mut tags, mut problems) = (TagTable::default(), Problems::default());
    let schema = Schema::load(&node, &source, &mut tags, &mut problems);
    schema.map(|schema| (schema, tags)).ok_or(problems.to_string())
}

fn check(schema: &str, value: &str, expected: &str) {
    let (schema, _) = load(schema).unwrap();
    let value = crate::json::parse(value.as_bytes(), &crate::json::JsonLimits::default()).unwrap();
    let shown = match schema.check(&value) {
        Ok(()) => "fits".to_string(),
        Err(mismatches) => {
            mismatches.iter().map(|m| format!("{}: {}", m.path, m.message)).collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(shown, expected);
}

const ORDER: &str = "type: object
properties:
  id: {type: integer}
  card: {type: string, x-ringmail-label: [pii]}
  lines: {type: array, items: {type: object, properties: {sku: {type: string}, note: {type: string, x-ringmail-label: [free-text]}}}}
required: [id]";

#[test]
fn strict_without_coercion_or_silent_drops() {
    check(ORDER, r#"{"id": 1}"#, "fits");
    check(ORDER, r#"{"id": "1"}"#, r#"id: the value is not of type "integer""#);
    check(ORDER, r#"{"id": 1, "idd": 2}"#, r#": a member is not among those that the schema lists"#);
    check(
        ORDER,
        r#"{"id": 1, "lines": [{"sku": "a", "x": 1}]}"#,
        r#"lines.0: a member is not among those that the schema lists"#,
    );
    check("{type: integer}", "1.0", "fits");
    check("{type: string, format: date}", r#""2026-02-30""#, r#": the value is not a "date""#);
    check("{const: 1}", "1.0", "fits");
    check("{type: array, uniqueItems: true}", "[1, 1.0]", ": the value has non-unique elements");
}

#[test]
fn combinations_close_as_a_whole() {
    let schema = "{$defs: {base: {type: object, properties: {a: {type: integer}}}}, allOf: [{$ref: '#/$defs/base'}], properties: {b: {}}}";
    check(schema, r#"{"a": 1, "b": 2}"#, "fits");
    check(schema, r#"{"a": 1, "c": 2}"#, ": a member is not among those that the schema lists");
    check("{type: object, properties: {a: {}}, additionalProperties: true}", r#"{"b": 1}"#, "fits");
}

#[test]
fn named_checks_are_enforced() {
    check(
        "{type: string, x-ringmail-check: path}",
        r#""../x""#,
        ": not a safe `path`: the value has a `..` step",
    );
    check("{x-ringmail-check: line}", r#""ok""#, "fits");
}

#[test]
fn schemas_that_cannot_work_are_refused() {
    let reason = |text: &str| load(text).unwrap_err();
    assert_eq!(reason("{typ: string}"), "s:1:2: unknown keyword `typ` in a schema (did you mean `type`?)");
    assert!(reason("{$ref: 'https://evil.test/x'}").contains("references stay inside the schema"));
    assert!(reason("{$ref: '#/$defs/none'}").contains("leads nowhere"));
    assert!(reason("{$ref: '#'}").contains("refers to itself"));
    assert!(reason("{type: strin}").contains("not a JSON Schema"), "{}", reason("{type: strin}"));
    assert!(reason("{format: emial}").contains("not a JSON Schema"));
    assert!(reason("{x-ringmail-check: nope}").contains("is one of `text`"));
    assert!(reason("{x-ringmail-label: pii}").contains("is a list of tags"));
    assert!(reason("{x-ringmail-lable: [pii]}").contains("did you mean `x-ringmail-label`?"));
    assert!(reason("{pattern: '(a'}").contains("not a JSON Schema"));
    assert!(reason("{pattern: '(a)\\1'}").contains("not a JSON Schema"), "only linear-time patterns");
}

#[test]
fn attack_32_references_that_multiply_are_refused() {
    let mut text = String::from("$defs:\n  d0: {type: string}\n");
    for level in 1..40 {
        let below = level - 1;
        text.push_str(&format!(
            "  d{level}: {{allOf: [{{$ref: '#/$defs/d{below}'}}, {{$ref: '#/$defs/d{below}'}}]}}\n"
        ));
    }
    text.push_str("$ref: '#/$defs/d39'\n");
    assert!(load(&text).unwrap_err().contains("more than 1000 schemas apply"));
}

#[test]
fn labels_come_by_path() {
    let (schema, tags) = load(ORDER).unwrap();
    let value = crate::json::parse(
        br#"{"id": 1, "card": "4111", "lines": [{"sku": "a", "note": "hi"}]}"#,
        &crate::json::JsonLimits::default(),
    )
    .unwrap();
    let labels = schema.label(&value, &Labels::default());
    let at = |path: &str| tags.names(labels.at(&parse_path(path)).all().tags).join(",");
    assert_eq!(at("id"), "");
    assert_eq!(at("card"), "pii");
    assert_eq!(at("lines.0.sku"), "");
    assert_eq!(at("lines.0.note"), "free-text");
    assert_eq!(at("lines"), "free-text");
    assert_eq!(at(""), "pii,free-text");
    let ahead = schema.may_labels();
    assert_eq!(tags.names(ahead.at(&parse_path("card")).all().tags), ["pii".into()]);
    assert_eq!(tags.names(ahead.at(&parse_path("lines.3.note")).all().tags), ["free-text".into()]);
    assert_eq!(ahead.at(&parse_path("id")).all().tags, Tags::NONE);
    assert_eq!(schema.must_labels().all().tags, Tags::NONE, "`card` is optional");
}

#[test]
fn recursive_schemas_label_every_depth() {
    let (schema, tags) = load("{$defs: {n: {type: object, properties: {v: {x-ringmail-label: [pii]}, next: {$ref: '#/$defs/n'}}}}, $ref: '#/$defs/n'}").unwrap();
    let text = format!("{}{}{}", r#"{"next":"#.repeat(40), r#"{"v":1}"#, "}".repeat(40));
    let value = crate::json::parse(text.as_bytes(), &crate::json::JsonLimits::default()).unwrap();
    let path = parse_path(&format!("{}v", "next.".repeat(40)));
    assert_eq!(tags.names(schema.label(&value, &Labels::default()).at(&path).all().tags), ["pii".into()]);
}

#[test]
fn shapes_follow_types() {
    let (schema, _) = load(ORDER).unwrap();
    assert_eq!(schema.shape().member("id").unwrap().words(), "int or float");
    assert!(schema.shape().member("crad").unwrap_err().1.unwrap().contains("card"));
    let (either, _) = load("{anyOf: [{type: string}, {type: 'null'}]}").unwrap();
    assert_eq!(either.shape().words(), "null or string");
}

#[test]
fn content_is_held_to_what_the_schema_says() {
    let gif = "R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAkQBADs=";
    let schema = "{contentEncoding: base64, contentMediaType: image/gif}";
    check(schema, &format!("\"{gif}\""), "fits");
    check(schema, &format!("\"{gif} \""), ": not base64: the value does not decode");
    check(schema, "\"R0lGODk\"", ": not base64: the value does not decode");
    check(schema, "\"R0lGODlh\"", ": not `image/gif`: the value ends in the middle of a block");
    check(schema, "\"\"", ": not `image/gif`: the value is empty");
    check(schema, "\"iVBORw0KGgo=\"", ": not `image/gif`: the value begins as `image/png` does");
    check(schema, "7", "fits");
    check("{contentEncoding: base64}", "\"AAEC\"", "fits");
    check("{contentEncoding: base64}", "\"AAE\"", ": not base64: the value does not decode");
    check(
        "{contentMediaType: application/json}",
        "\"{]\"",
        ": not `application/json`: the value is not valid JSON",
    );
    let either = "{type: string, anyOf: [{contentEncoding: base64, contentMediaType: image/png}, {contentEncoding: base64, contentMediaType: image/gif}]}";
    check(either, &format!("\"{gif}\""), "fits");
    check(
        either,
        "\"AAEC\"",
        ": not `image/png`: the value does not begin as one; not `image/gif`: the value does not begin as one",
    );
    check(either, "7", ": the value is not of type \"string\"");
    for (schema, message) in [
        ("{contentEncoding: base32}", "`contentEncoding` is `base64`"),
        ("{contentEncoding: base64, contentMediaType: image/tiff}", "not known by its bytes"),
        ("{contentMediaType: image/png}", "is no text"),
        (
            "{contentMediaType: application/json, contentSchema: {type: integer}}",
            "`contentSchema` is not checked",
        ),
        ("{properties: {a: {type: string}, b: {x-ringmail-file-name: a}}}", "names a member beside it"),
        (
            "{properties: {a: {contentEncoding: base64}, b: {items: {x-ringmail-file-name: a}}}}",
            "names a member beside it",
        ),
    ] {
        let told = load(schema).unwrap_err();
        assert!(told.contains(message), "{told}");
    }
}
