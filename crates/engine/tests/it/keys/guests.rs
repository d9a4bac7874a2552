//! What the plugins of cases do: imports, and the body of the call.

use crate::kept::{KEEPS, KV, LOG, WRITE, WRITE_INPUT};
use crate::plugins::HTTP;
use crate::tools::{CALL, TOOLS};

pub type Does = (&'static str, &'static str);

pub const ECHO: Does = ("", "(call $ok (local.get $p) (local.get $n))");
pub const LOOPS: Does = ("", "(loop $l (br $l)) (unreachable)");
pub const TRAPS: Does = ("", "(unreachable)");
pub const GROWS: Does = ("", "(drop (memory.grow (i32.const 100))) (call $ok (local.get $p) (local.get $n))");
/// Answers with two thousand bytes of nothing.
pub const LONG: Does = (
    "",
    "(memory.fill (i32.const 1000) (i32.const 32) (i32.const 2000)) (i32.store8 (i32.const 1000) (i32.const 49)) (call $ok (i32.const 1000) (i32.const 2000))",
);
pub const KEEPER: Does = (KV, KEEPS);
pub const CALLS: Does = (TOOLS, CALL);
pub const WRITES: Does = (WRITE, WRITE_INPUT);

/// Logs its input.
pub const LOGS: Does = (
    LOG,
    "(call $log (i32.const 2) (local.get $p) (local.get $n) (i32.const 200)) (call $ok (local.get $p) (local.get $n))",
);

/// Asks the address that its input is, and answers with what came; the constant is the method and its length.
macro_rules! asks {
    ($method:literal) => {
        (
            HTTP,
            concat!(
                "(i64.store (i32.const 64) (i64.const ",
                $method,
                "))
    (call $send (i32.const 64) (i32.load8_u (i32.const 71)) (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2))
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))
    (if (result i32) (i32.load8_u (i32.const 200))
      (then (call $err (i32.load (i32.const 208)) (i32.load (i32.const 212))))
      (else (call $ok (i32.load (i32.const 216)) (i32.load (i32.const 220)))))"
            ),
        )
    };
}
pub const GETS: Does = asks!("216172782119306567");
pub const POSTS: Does = asks!("288230377566457680");

/// Hands the name between its quotes to `$f`, and answers with what comes back, or fails.
macro_rules! of_name {
    ($import:literal, $well:literal) => {
        (
            $import,
            concat!(
                "(call $f (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2)) (i32.const 200))
    (if (result i32) (i32.eq (i32.load8_u (i32.const 200)) (i32.const ",
                $well,
                "))
      (then (call $ok (i32.load (i32.const 204)) (i32.load (i32.const 208))))
      (else (call $err (local.get $p) (local.get $n))))"
            ),
        )
    };
}
pub const SETTING: Does =
    of_name!(r#"(import "ringmail:plugin/config@0.1.0" "get" (func $f (param i32 i32 i32)))"#, "1");
pub const READS: Does =
    of_name!(r#"(import "ringmail:plugin/files@0.1.0" "read" (func $f (param i32 i32 i32)))"#, "0");

/// Fails unless it is later than 2023.
pub const LATE: Does = (
    r#"(import "ringmail:plugin/clock@0.1.0" "now" (func $now (result i64)))"#,
    "(if (i64.lt_u (call $now) (i64.const 1700000000000)) (then (unreachable))) (call $ok (local.get $p) (local.get $n))",
);
/// Fails unless chance brings something.
pub const DRAWS: Does = (
    r#"(import "ringmail:plugin/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#,
    "(call $bytes (i32.const 8) (i32.const 200)) (if (i64.eqz (i64.load (i32.load (i32.const 200)))) (then (unreachable))) (call $ok (local.get $p) (local.get $n))",
);
/// Posts the placeholder of the secret `a` to the address that its input is.
pub const TELLS: Does = (
    r#"(import "ringmail:plugin/http@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "ringmail:plugin/secrets@0.1.0" "placeholder" (func $secret (param i32 i32 i32)))"#,
    "(i32.store8 (i32.const 100) (i32.const 97))
        (call $secret (i32.const 100) (i32.const 1) (i32.const 300))
        (i32.store (i32.const 64) (i32.const 0x54534f50))
        (call $send (i32.const 64) (i32.const 4) (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2))
          (i32.const 0) (i32.const 0) (i32.const 1) (i32.load (i32.const 304)) (i32.load (i32.const 308)) (i32.const 200))
        (call $ok (i32.load (i32.const 216)) (i32.load (i32.const 220)))",
);
