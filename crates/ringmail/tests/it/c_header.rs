//! `sdk/c/ringmail.h`, compiled by the toolchain of its template and called in the real host.

use crate::authoring::{build_with_shared, new};
use crate::setup::Place;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Reads JSON and writes it again.
const MIRROR: &str = r#"#include "ringmail.h"

static bool mirror(rm_out *out, rm_text json) {
  rm_text text;
  int64_t number;
  if (rm_string(json, &text)) return rm_put_string(out, text), true;
  if (rm_integer(json, &number)) return rm_put_integer(out, number), true;
  bool list = json.length && *json.at == '[', map = json.length && *json.at == '{';
  if (!list && !map) {
    bool word = rm_same(json, RM("true")) || rm_same(json, RM("false")) || rm_same(json, RM("null"));
    return word ? (rm_put(out, json), true) : false;
  }
  rm_put(out, list ? RM("[") : RM("{"));
  bool first = true;
  for (rm_each each = rm_all(json); rm_next(&each); first = false) {
    if (!first) rm_put(out, RM(","));
    if (map) {
      rm_text name;
      if (!rm_string(each.name, &name)) return false;
      rm_put_string(out, name);
      rm_put(out, RM(":"));
    }
    if (!mirror(out, each.value)) return false;
  }
  rm_put(out, list ? RM("]") : RM("}"));
  return true;
}

rm_result call(rm_text input) {
  rm_text text, found;
  rm_out out = {0};
  if (rm_member(input, RM("find"), &found)) return rm_ok(found);
  if (rm_member_string(input, RM("broken"), &text)) return mirror(&out, text) ? rm_fail(RM("read")) : rm_fail(RM("not read"));
  if (rm_member(input, RM("grow"), &text)) {
    for (int i = 0; i < 100000; i++) rm_put(&out, RM("0123456789"));
    rm_out size = {0};
    rm_put_integer(&size, (int64_t)rm_written(&out).length);
    return rm_ok(rm_written(&size));
  }
  return mirror(&out, input) ? rm_ok(rm_written(&out)) : rm_fail(RM("not read"));
}
"#;

/// What is read and written comes out as it went in.
const SAME: &[&str] = &[
    r#""""#,
    r#""a\"b\\c/d\b\f\n\r\t""#,
    r#""\u0000\u001f\u00e9\u20ac\ud83d\ude00 é€😀""#,
    r#"[0,-1,42,9223372036854775807,-9223372036854775808]"#,
    r#"[true,false,null]"#,
    r#"[]"#,
    r#"{}"#,
    r#"[[],{},[[]],[{"a":[1,"]"]}]]"#,
    r#"{"":"","a":{"b":{"c":[1,{"d":"}"}]}},"e\"f":",:"}"#,
];

/// What is no value is not taken for one.
const BROKEN: &[&str] = &[
    "",
    "\"",
    "\"a",
    "\\",
    "\"\\",
    "\"\\u12",
    "\"\\ud800\\u0041\"",
    "\"\\ud800\"",
    "\"\\x\"",
    "[\"a",
    "{1:2}",
    "-",
    "9223372036854775808",
    "-9223372036854775809",
    "1.5",
    "nul",
];

/// What breaks off is read as far as it goes, and not beyond.
const OPEN: &[&str] = &["[", "[1", "[1,", "{", "{\"a\"", "{\"a\":", "[["];

#[test]
fn json_is_read_and_written_in_c() {
    let place = Place::empty();
    new(&place, "mirror", "c");
    place.write("mirror/plugin.c", MIRROR);
    place.write(
        "mirror/plugin.toml",
        "plugin = \"mirror\"\nversion = \"1.0.0\"\ndescription = \"reads and writes\"\n",
    );
    let mut cases: Vec<String> =
        SAME.iter().map(|json| format!("{{\"input\": {json}, \"output\": {json}}}")).collect();
    let broken = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let cased = |text: &&str, ends: &str| {
        format!("{{\"input\": {{\"broken\": \"{}\"}}, \"error\": \"{ends}\"}}", broken(text))
    };
    cases.extend(BROKEN.iter().map(|text| cased(text, "not read")));
    cases.extend(OPEN.iter().map(|text| cased(text, "read")));
    cases.push(r#"{"input": {"a": {"find": 1}, "b": "find", "fi\u006ed": [2]}, "output": [2]}"#.into());
    cases.push(r#"{"input": {"grow": 1}, "output": 1000000}"#.into());
    place.write("mirror/plugin.test.json", &format!("[{}]", cases.join(",\n")));
    build_with_shared(&place, "mirror");
    let test = place.run(&["plugin", "test", "mirror"]);
    assert_eq!(test.code, 0, "{}", test.shown());
}

/// Asks for all there is. What changes files must not have been told anything before.
const ASKS: &str = r#"#include "ringmail.h"

static rm_out out;

static void say(const char *at, size_t length, rm_text what) {
  rm_put(&out, out.length ? RM(",") : RM("{"));
  rm_put_string(&out, (rm_text){at, length});
  rm_put(&out, RM(":"));
  rm_put_string(&out, what);
}
#define SAY(name, what) say(name, sizeof(name) - 1, what)
#define DONE(done) if ((done).failed) return rm_fail((done).error.message)

rm_result call(rm_text input) {
  if (rm_same(input, RM("\"write\""))) {
    DONE(rm_write(RM("desk:note.txt"), RM("written")));
    return rm_ok(RM("null"));
  }
  if (rm_same(input, RM("\"remove\""))) {
    DONE(rm_remove(RM("desk:gone.txt")));
    return rm_ok(RM("null"));
  }
  DONE(rm_emit(RM("\"first\"")));
  DONE(rm_log(RM_WARN, RM("from C")));
  DONE(rm_kv_set(RM("k/a"), RM("1")));
  DONE(rm_kv_set(RM("k/b"), RM("2")));
  DONE(rm_kv_delete(RM("k/b")));
  DONE(rm_kv_set(RM("k/c"), RM("3")));
  rm_texts_or keys = rm_kv_keys(RM("k/"), (rm_maybe){true, RM("k/a")});
  DONE(keys);
  SAY("keys", keys.ok.length == 1 ? keys.ok.at[0] : RM("wrong"));
  rm_maybe_or kept = rm_kv_get(RM("k/a")), none = rm_kv_get(RM("k/b"));
  DONE(kept);
  DONE(none);
  SAY("kept", kept.ok.is && !none.ok.is ? kept.ok.text : RM("wrong"));
  SAY("setting", rm_setting(RM("GREETING")).text);
  SAY("clock", rm_now() > 1700000000000 ? RM("ticks") : RM("stands"));
  SAY("random", rm_random(7).length == 7 ? RM("seven") : RM("wrong"));
  SAY("secret", rm_secret(RM("bank")).is && !rm_secret(RM("other")).is ? RM("placeholder") : RM("wrong"));
  rm_tools tools = rm_tool_list();
  SAY("tools", tools.length == 1 && tools.at[0].input.is ? tools.at[0].name : RM("wrong"));
  SAY("about", tools.at[0].description);
  rm_text_or told = rm_tool_call(RM("double"), RM("{\"n\": 21}"));
  DONE(told);
  SAY("tool", told.ok);
  rm_text_or no = rm_tool_call(RM("other"), RM("{}"));
  SAY("no", no.failed && no.error.refused ? RM("refused") : RM("wrong"));
  rm_header header = {RM("x-from"), RM("c")};
  rm_response_or page = rm_send((rm_request){RM("GET"), RM("http://ADDRESS/page"), {&header, 1}, {0}});
  DONE(page);
  rm_text made = {0};
  for (size_t i = 0; i < page.ok.headers.length; i++) {
    if (rm_same(page.ok.headers.at[i].name, RM("x-made"))) made = page.ok.headers.at[i].value;
  }
  SAY("page", page.ok.status == 200 ? page.ok.body : RM("wrong"));
  SAY("made", made);
  rm_texts_or names = rm_names(RM("desk:"));
  DONE(names);
  SAY("names", names.ok.length == 1 ? names.ok.at[0] : RM("wrong"));
  rm_text_or file = rm_read(RM("desk:note.txt"));
  DONE(file);
  SAY("file", file.ok);
  rm_put(&out, RM("}"));
  return rm_ok(rm_written(&out));
}
"#;

const MANIFEST: &str = r#"plugin = "asks"
version = "1.0.0"
description = "asks for all there is"
net = [{ address = "http://ADDRESS", reason = "r" }]
fs = [{ mount = "desk", access = "write", reason = "r" }]
log = { reason = "r" }
kv = { reason = "r" }
clock = { reason = "r" }
random = { reason = "r" }
secret = [{ name = "bank", reason = "r" }]
env = [{ name = "GREETING", reason = "r" }]
tool = [{ name = "double", reason = "r" }]
"#;

const PROJECT: &str = r#"
[mount.desk]
path = "desk"

[secret.bank]
from = "env:BANK_KEY"
bound_to = ["http://ADDRESS"]
"#;

const CHAIN: &str = "chain: ask
links:
  wrote: {kind: plugin, plugin: asks, with: write}
  removed: {kind: plugin, plugin: asks, with: remove}
  all: {kind: plugin, plugin: asks, after: [wrote, removed]}
output: ${all}
";
const TOLD: &str = r#"{
  "keys": "k/c",
  "kept": "1",
  "setting": "good morning",
  "clock": "ticks",
  "random": "seven",
  "secret": "placeholder",
  "tools": "double",
  "about": "twice a number",
  "tool": "42",
  "no": "refused",
  "page": "hello",
  "made": "here",
  "names": "note.txt",
  "file": "written"
}
"#;

const TOOL: &str = "chain: double\ndescription: twice a number\ninput:\n  type: object\n  properties:\n    n: {type: integer}\n  required: [n]\nlinks:\n  twice:\n    kind: native\n    call: sum\n    with: {list: ['${input.n}', '${input.n}']}\noutput: ${twice}\n";
const POLICY: &str =
    "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);\n";

/// Answers one request, and gives back what it was.
fn page() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let (mut seen, mut some) = (Vec::new(), [0; 1024]);
        while !seen.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut some).unwrap();
            seen.extend_from_slice(&some[..read]);
        }
        let answer = "HTTP/1.1 200 OK\r\nx-made: here\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(seen).unwrap()
    });
    (address, served)
}

#[test]
fn all_that_a_plugin_may_ask_for_is_there_in_c() {
    let place = Place::project();
    let (address, served) = page();
    new(&place, "plugins/asks", "c");
    place.write("plugins/asks/plugin.c", &ASKS.replace("ADDRESS", &address));
    place.write("plugins/asks/plugin.toml", &MANIFEST.replace("ADDRESS", &address));
    place.write("chains/ask.yaml", CHAIN);
    place.write("chains/double.yaml", TOOL);
    place.write("policies/main.cedar", POLICY);
    place.write(
        "ringmail.toml",
        &format!("{}{}", place.read("ringmail.toml"), PROJECT.replace("ADDRESS", &address)),
    );
    place.write("desk/gone.txt", "old");
    build_with_shared(&place, "plugins/asks");
    let grant =
        place.run(&["plugin", "grant", "plugins/asks", "--reason", "r", "--env", "GREETING=good morning"]);
    assert_eq!(grant.code, 0, "{}", grant.shown());
    let run = place.command(&["run", "ask"]).env("BANK_KEY", "geheim").output().unwrap();
    let run = place.ended(run);
    assert_eq!((run.code, &*run.out), (0, TOLD), "{}", run.shown());
    assert!(run.err.contains("warn ask.all.log: from C"), "{}", run.shown());
    let request = served.join().unwrap();
    assert!(request.starts_with("GET /page ") && request.contains("x-from: c"), "{request}");
    assert_eq!(place.read("desk/note.txt"), "written");
    assert!(!place.path().join("desk/gone.txt").exists());
}
