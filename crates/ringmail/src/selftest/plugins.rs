//! Guests that loop, grow, lie and ask for more than they were given.

use super::{ATTACK, Attack};

const SHORT: &str = "limits = { time = \"200ms\", memory = \"4MiB\", output = \"64KiB\" }\n";
const ECHO: &str = "(func (export \"call\") (param $p i32) (param $n i32) (result i32) (call $ok (local.get $p) (local.get $n)))";

pub(super) const ATTACKS: &[Attack] = &[
    Attack { class: 0, what: "a plugin that behaves", module: ECHO, inputs: &["7"], ends: &["7"], ..ATTACK },
    Attack {
        class: 9,
        what: "a call that loops",
        module: "(func (export \"call\") (param i32 i32) (result i32) (loop $l (br $l)) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: timeout"],
        ..ATTACK
    },
    Attack {
        class: 9,
        what: "a start function that loops",
        module: "(func $loops (loop $l (br $l))) (start $loops) (func (export \"call\") (param $p i32) (param $n i32) (result i32) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: timeout"],
        ..ATTACK
    },
    Attack {
        class: 9,
        what: "an allocator that loops",
        module: "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (loop $l (br $l)) (unreachable)) (func (export \"call\") (param i32 i32) (result i32) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: timeout"],
        ..ATTACK
    },
    Attack {
        class: 11,
        what: "memory that grows",
        module: "(func (export \"call\") (param i32 i32) (result i32) (loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: limit: it asked for more than 4194304 bytes of memory"],
        ..ATTACK
    },
    Attack {
        class: 11,
        what: "recursion without end",
        module: "(func $deep (call $deep)) (func (export \"call\") (param i32 i32) (result i32) (call $deep) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: limit: its stack overflowed"],
        ..ATTACK
    },
    Attack {
        class: 12,
        what: "an answer of four gigabytes",
        module: "(func (export \"call\") (param $p i32) (param $n i32) (result i32) (call $ok (local.get $p) (i32.const -1)))",
        granted: SHORT,
        ends: &["`t.p` failed: panicked", "`t.p` failed: too-large"],
        ..ATTACK
    },
    Attack {
        class: 12,
        what: "an answer that is no text",
        module: "(func (export \"call\") (param i32 i32) (result i32) (i32.store8 (i32.const 1000) (i32.const 255)) (call $ok (i32.const 1000) (i32.const 1)))",
        granted: SHORT,
        ends: &["`t.p` failed: panicked", "`t.p` failed: invalid"],
        ..ATTACK
    },
    Attack {
        class: 14,
        what: "an import that was not granted",
        module: "(import \"ringmail:plugin/clock@0.1.0\" \"now\" (func $now (result i64)))\n;; --\n(func (export \"call\") (param $p i32) (param $n i32) (result i32) (call $ok (local.get $p) (local.get $n)))",
        ends: &["`p` imports `ringmail:plugin/clock@0.1.0`, and `clock` is not"],
        ..ATTACK
    },
    Attack {
        class: 15,
        what: "state left for the next call",
        module: "(global $seen (mut i32) (i32.const 48)) (func (export \"call\") (param i32 i32) (result i32)
            (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
            (i32.store8 (i32.const 1000) (global.get $seen))
            (i32.store8 (i32.const 1001) (i32.load8_u (i32.const 1001)))
            (call $ok (i32.const 1000) (i32.const 1)))",
        inputs: &["1", "2", "3"],
        ends: &["1"],
        ..ATTACK
    },
    Attack {
        class: 17,
        what: "a module exchanged after it was pinned",
        module: ECHO,
        before: |stage| {
            let path = stage.path().join("p/plugin.wasm");
            let mut bytes = std::fs::read(&path)?;
            // A section that means nothing, with a name of one letter.
            bytes.extend_from_slice(&[0, 2, 1, b'x']);
            std::fs::write(path, bytes)
        },
        ends: &["the plugin `p` is not what was reviewed"],
        ..ATTACK
    },
    Attack {
        class: 18,
        what: "a manifest that asks for more after it was pinned",
        module: ECHO,
        before: |stage| {
            let path = stage.path().join("p/plugin.toml");
            let text = std::fs::read_to_string(&path)?;
            std::fs::write(path, format!("{text}[log]\nreason = \"says more\"\n"))
        },
        ends: &["the plugin `p` is not what was reviewed"],
        ..ATTACK
    },
];
