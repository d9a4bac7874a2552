//! Guests in text form, as components of the plugin world. The engine's tests use them too.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What every guest has: a memory, an allocator that never frees, and `$ok` and `$err` for its answer.
const COMMON: &str = r#"
  (global $next (mut i32) (i32.const 65536))
  (func $alloc (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $size) (i32.const 65536))))))
    (local.get $at))
  (func $answer (param $kind i32) (param $ptr i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 16) (local.get $kind))
    (i32.store (i32.const 20) (local.get $ptr))
    (i32.store (i32.const 24) (local.get $len))
    (i32.const 16))
  (func $ok (param $ptr i32) (param $len i32) (result i32)
    (call $answer (i32.const 0) (local.get $ptr) (local.get $len)))
  (func $err (param $ptr i32) (param $len i32) (result i32)
    (call $answer (i32.const 1) (local.get $ptr) (local.get $len)))
"#;

const REALLOC: &str =
    r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))"#;

/// A component around the fields of a core module. `call` is the body of the exported function, which has its input
/// in `$p` and `$n`; `imports` come first, and `more` is whatever else there is.
pub struct Guest<'g> {
    pub imports: &'g str,
    pub more: &'g str,
    pub call: &'g str,
    pub realloc: &'g str,
    pub memory: &'g str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Guest {
            imports: "",
            more: "",
            call: "(call $ok (local.get $p) (local.get $n))",
            realloc: REALLOC,
            memory: r#"(memory (export "memory") 2)"#,
        }
    }
}

impl Guest<'_> {
    /// A guest whose call has this body.
    pub fn calling(call: &str) -> Guest<'_> {
        Guest { call, ..Guest::default() }
    }

    pub fn module(&self) -> Vec<u8> {
        let Guest { imports, more, call, realloc, memory } = self;
        let text = format!(
            "(module {imports} {memory} {COMMON} {realloc} {more} (func (export \"call\") (param $p i32) (param $n i32) (result i32) {call}))"
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    pub fn component(&self) -> Vec<u8> {
        component(self.module())
    }
}

/// A core module as a component of the plugin world.
pub fn component(mut module: Vec<u8>) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("ringmail.wit", include_str!("../../../../sdk/wit/ringmail.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}
