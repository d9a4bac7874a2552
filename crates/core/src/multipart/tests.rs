//! Forms as clients send them, cut anywhere, and those that are none.

use super::*;
use crate::doc::{Problems, Source, yaml};
use crate::json::to_string;
use crate::label::TagTable;
use crate::schema::Schema;

const SCHEMA: &str = "type: object
properties:
  title: {type: string}
  count: {type: integer}
  tags: {type: array, items: {type: string}}
  about: {type: object, properties: {a: {type: integer}}}
  file: {$ref: '#/$defs/file'}
  more: {type: array, items: {$ref: '#/$defs/file'}}
  called: {type: string, x-ringmail-file-name: named}
  named: {anyOf: [{contentEncoding: base64, contentMediaType: image/png}, {contentEncoding: base64, contentMediaType: image/gif}]}
$defs: {file: {type: string, contentEncoding: base64}}";

fn form() -> InputForm {
    let source = Source::new("s", SCHEMA);
    let node = yaml::parse(&source).unwrap();
    let mut problems = Problems::default();
    let schema = Schema::load(&node, &source, &mut TagTable::default(), &mut problems);
    schema.unwrap_or_else(|| panic!("{problems}")).form().unwrap()
}

fn part(head: &str, data: &str) -> String {
    format!("--b\r\n{head}\r\n\r\n{data}\r\n")
}

fn named(name: &str, data: &str) -> String {
    part(&format!("Content-Disposition: form-data; name=\"{name}\""), data)
}

fn read_in(body: &[u8], step: usize) -> String {
    let form = form();
    let limits = FormLimits { parts_max: 9, part_bytes_max: 40 };
    let read = || {
        let mut parts = Multipart::new("multipart/form-data; boundary=b", &form, limits)?;
        body.chunks(step.max(1)).try_for_each(|piece| parts.feed(piece))?;
        parts.finish()
    };
    match read() {
        Ok(value) => to_string(&value),
        Err(FormError::TooLarge(why)) => format!("too large: {why}"),
        Err(FormError::Malformed(why)) => why,
    }
}

/// However it is cut, the same comes of it.
fn check(body: &str, expected: &str) {
    for step in [1, 2, 7, body.len()] {
        assert_eq!(read_in(body.as_bytes(), step), expected, "in pieces of {step}: {body}");
    }
}

#[test]
fn each_part_becomes_the_member_of_its_name() {
    let file = "Content-Disposition: form-data; name=\"named\"; filename=\"..\\\\x \\\"y\\\".png\"\r\nContent-Type: text/html";
    let body = [
        named("title", "7"),
        named("count", "7"),
        named("tags", "a"),
        named("tags", ""),
        named("about", "{\"a\": 1}"),
        named("file", "\r\n--c\r\n-"),
        part(file, "\u{89}x"),
        named("more", ""),
        "--b--\r\n".into(),
    ];
    check(
        &body.concat(),
        r#"{"title":"7","count":7,"about":{"a":1},"file":"DQotLWMNCi0=","named":"wol4","tags":["a",""],"more":[""],"called":"..\\x \"y\".png"}"#,
    );
    check("--b--", "{}");
    check("\r\n--b--\r\n", "{}");
    let own = named("called", "mine") + &part(file, "x") + "--b--";
    check(&own, r#"{"called":"mine","named":"eA=="}"#);
    check(&(part("content-disposition: form-data; name=title", "x") + "--b--"), r#"{"title":"x"}"#);
}

#[test]
fn attack_29_what_is_no_form_says_where() {
    let unread = "part 1 does not say in its head, once and readably, what it is";
    let disposition = "Content-Disposition: form-data; name=\"title\"";
    for (body, expected) in [
        (String::new(), "the form breaks off: there is no boundary at its end"),
        ("{}".into(), "the form does not begin with its boundary"),
        ("preamble\r\n--b--".into(), "the form does not begin with its boundary"),
        (named("title", "x"), "the form breaks off: there is no boundary at its end"),
        (named("title", "x") + "--b", "the form breaks off: there is no boundary at its end"),
        (named("title", "x") + "--bc--", "a boundary is not at the end of its line"),
        ("--b--more".into(), "there is more behind the end of the form"),
        (named("title", "x") + &named("title", "y") + "--b--", "`title` is there twice"),
        (named("__proto__", "x") + "--b--", "part 1 has the name of nothing that the chain takes"),
        (named("error", "x") + "--b--", "part 1 has the name of nothing that the chain takes"),
        (named("", "x") + "--b--", "part 1 has the name of nothing that the chain takes"),
        (
            named("count", "07") + "--b--",
            "`count` is not valid JSON: a number does not start with 0 at line 1, column 1",
        ),
        (
            named("about", "{\"a\":1,\"a\":2}") + "--b--",
            "`about` is not valid JSON: a key stands twice at line 1, column 8",
        ),
        (part("Content-Type: text/plain", "x") + "--b--", unread),
        (part(&format!("{disposition}\r\n{disposition}"), "x") + "--b--", unread),
        (part(&format!("{disposition}; name=\"count\""), "x") + "--b--", unread),
        (part(&format!("{disposition}\r\n folded"), "x") + "--b--", unread),
        (part(&format!("{disposition}\r\nContent-Transfer-Encoding: base64"), "x") + "--b--", unread),
        (part("Content-Disposition: attachment; name=\"title\"", "x") + "--b--", unread),
        (part("Content-Disposition: form-data; name=\"title", "x") + "--b--", unread),
        (named(&"n".repeat(257), "x") + "--b--", unread),
        (part(&"a: b\r\n".repeat(9), "x") + "--b--", unread),
        (
            named("title", &"x".repeat(41)) + "--b--",
            "too large: `title` is larger than a part may be: 40 bytes",
        ),
        (named("tags", "x").repeat(10) + "--b--", "too large: a form has at most 9 parts"),
        (format!("--b\r\na: {}", "x".repeat(5_000)), "too large: a part's head has at most 4096 bytes"),
    ] {
        let told = read_in(body.as_bytes(), body.len());
        assert_eq!(told, expected, "{body}");
        assert_eq!(read_in(body.as_bytes(), 3), expected, "{body}");
    }
    let latin =
        [b"--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n\xe9\r\n--b--".as_slice()].concat();
    assert_eq!(read_in(&latin, 5), "`title` is not UTF-8");
}

#[test]
fn a_boundary_is_named_once_and_is_one() {
    let form = form();
    let limits = FormLimits { parts_max: 9, part_bytes_max: 40 };
    let opens = |said: &str| Multipart::new(said, &form, limits).is_ok();
    for said in ["multipart/form-data; boundary=b", "multipart/form-data; charset=utf-8; Boundary=\"a b\""] {
        assert!(opens(said), "{said}");
    }
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for said in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a\r\nb\"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a ",
        "multipart/form-data; boundary=a{b",
        &long,
    ] {
        assert!(!opens(said), "{said}");
    }
}
