//! Hostile guests as real toolchains make them, as instances of the host and in worker processes.

use crate::authoring::{build_with_shared, new};
use crate::setup::Place;
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;

const LIMITS: &str = "[limits]\nmemory = \"32MiB\"\ntime = \"2s\"\noutput = \"1MiB\"\n";
const MANIFEST: &str = "plugin = \"hostile\"\nversion = \"1.0.0\"\ndescription = \"attacks\"\n";

/// Writes what makes any template's plugin the hostile one.
pub fn manifest(place: &Place) {
    place.write("hostile/plugin.toml", &format!("{MANIFEST}{LIMITS}"));
}

/// Calls the plugin in `hostile` with each input, in every isolation; each call must end with one of these words.
pub fn contained(place: &Place, cases: &[(&str, &[&str])]) {
    let read = PluginFolder::read(&place.path().join("hostile"), &mut TagTable::default()).unwrap();
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place.write(
        "chains/t.yaml",
        "chain: t\nlinks:\n  p: {kind: plugin, plugin: hostile, with: '${input}'}\noutput: ${p}\n",
    );
    for isolation in ["instance", "process"] {
        let table = format!(
            "[plugin.hostile]\npath = \"hostile\"\ndigest = \"{}\"\nreason = \"r\"\nisolation = \"{isolation}\"\n",
            read.digest
        );
        place.write("ringmail.toml", &table);
        for (input, ends) in cases {
            let run = place.run(&["run", "t", "--input", &format!("\"{input}\"")]);
            let seen = format!("{}{}", run.out, run.err);
            assert!(
                ends.iter().any(|end| seen.contains(end)),
                "{isolation}, {input}: {ends:?} in {}",
                run.shown()
            );
        }
    }
}

const TIME: &[&str] = &["failed: timeout: it ran longer than"];
const MEMORY: &[&str] = &["33554432 bytes of memory"];
const OUTPUT: &[&str] = &["its output is larger than 1048576 bytes"];
/// The host's stack limit, or the guest's own stack, which runs into its end.
const STACK: &[&str] = &["its stack overflowed", "out of bounds memory access"];
const ONE: &[&str] = &["1\n"];

/// An input, and how the call of it may end.
type Attempt = (&'static str, &'static [&'static str]);

/// What a guest of any compiled language tries.
const NATIVE: &[Attempt] = &[
    ("loop", TIME),
    ("grow", MEMORY),
    ("deep", STACK),
    ("long", OUTPUT),
    ("wild", &["out of bounds memory access"]),
    ("state", ONE),
    ("state", ONE),
];

const RUST: &str = r#"
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

wit_bindgen::generate!({ path: "wit", world: "guest" });

static CALLS: AtomicU32 = AtomicU32::new(0);

fn deep(n: u64) -> u64 {
    let here = black_box([n; 64]);
    1 + deep(here[0] + 1) + here[63]
}

struct Plugin;

impl Guest for Plugin {
    fn call(input: String) -> Result<String, String> {
        match input.trim_matches('"') {
            "loop" => loop { black_box(()); },
            "grow" => {
                let mut all: Vec<Vec<u8>> = Vec::new();
                loop { all.push(black_box(vec![1; 1 << 20])); }
            }
            "deep" => Ok(deep(black_box(0)).to_string()),
            "long" => Ok(format!("\"{}\"", "x".repeat(3_000_000))),
            "wild" => Ok(unsafe { black_box(0xffff_fff0_u32 as *const u32).read_volatile() }.to_string()),
            "state" => Ok((CALLS.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
            other => panic!("{other}"),
        }
    }
}

export!(Plugin);
"#;

#[test]
fn attack_09_11_12_15_a_guest_in_rust_is_contained_in_every_isolation() {
    let place = Place::empty();
    new(&place, "hostile", "rust");
    place.write("hostile/src/lib.rs", RUST);
    manifest(&place);
    build_with_shared(&place, "hostile");
    let own: &[Attempt] = &[("panic", &["failed: panicked"])];
    contained(&place, &[NATIVE, own].concat());
}

const C: &str = r#"#include "ringmail.h"

static volatile int calls;
static volatile int sink;

static int deep(int n) {
  volatile int here[256];
  here[n & 255] = n;
  return 1 + deep(n + 1) + here[0];
}

static bool is(rm_text input, rm_text word) { return rm_same(input, word); }

rm_result call(rm_text json) {
  rm_text input;
  rm_out out = {0};
  if (!rm_string(json, &input)) return rm_fail(RM("no text"));
  if (is(input, RM("loop"))) for (;;) sink++;
  if (is(input, RM("grow"))) for (;;) sink = __builtin_wasm_memory_grow(0, 16);
  if (is(input, RM("deep"))) rm_put_integer(&out, deep(0));
  if (is(input, RM("long"))) {
    rm_put(&out, RM("\""));
    for (int i = 0; i < 3000000; i++) rm_put(&out, RM("x"));
    rm_put(&out, RM("\""));
  }
  if (is(input, RM("wild"))) sink = *(volatile int *)0xfffffff0u;
  if (is(input, RM("lie"))) return (rm_result){false, {(const char *)16, 0xffffffffu}};
  if (is(input, RM("trap"))) __builtin_trap();
  if (is(input, RM("state"))) rm_put_integer(&out, ++calls);
  return rm_ok(rm_written(&out));
}
"#;

#[test]
fn attack_09_11_12_15_a_guest_in_c_is_contained_in_every_isolation() {
    let place = Place::empty();
    new(&place, "hostile", "c");
    place.write("hostile/plugin.c", C);
    manifest(&place);
    build_with_shared(&place, "hostile");
    let own: &[Attempt] =
        &[("lie", &["failed: panicked", "failed: too-large"]), ("trap", &["failed: panicked"])];
    contained(&place, &[NATIVE, own].concat());
}
