//! Scripts that loop, grow and reach out.

use super::stage::{Stage, runtime, told};
use super::{ATTACK, Attack};

macro_rules! script {
    ($class:literal, $what:literal, $body:literal, $($end:literal),*) => {
        Attack {
            class: $class,
            what: $what,
            chain: concat!(
                "links:\n  s:\n    kind: script\n    limits: {time: 200ms, memory: 4MiB, output: 64KiB}\n    with: '${input}'\n    code: |\n      ",
                $body,
                "\noutput: ${s}\n"
            ),
            ends: &[$($end),*],
            ..ATTACK
        }
    };
}

pub(super) const ATTACKS: &[Attack] = &[
    script!(0, "a script that behaves", "fn main(x) { x + 41 }", "42"),
    script!(23, "a script that loops", "fn main(x) { loop {} }", "`t.s` failed: timeout"),
    script!(
        23,
        "a loop that catches its end",
        "fn main(x) { loop { try { loop {} } catch { } } }",
        "`t.s` failed: timeout"
    ),
    script!(23, "recursion", "fn main(x) { main(x) }", "`t.s` failed: limit"),
    script!(
        23,
        "a text that doubles",
        "fn main(x) { let s = \"x\"; loop { s += s; } }",
        "`t.s` failed: limit"
    ),
    script!(
        23,
        "`replace` of much by much",
        "fn main(x) { let s = \"x\"; for i in 0..17 { s += s; } s.replace('x', s); s }",
        "`t.s` failed: limit"
    ),
    script!(
        23,
        "functions curried into functions",
        "fn main(x) { let f = |x| x; loop { f = f.curry(f); } }",
        "`t.s` failed: limit"
    ),
    script!(
        23,
        "many values, each of them small",
        "fn main(x) { let all = #{}; for i in 0..60000 { all[`key ${i}`] = [i, i, i, i]; } all.len() }",
        "`t.s` failed: limit",
        "`t.s` failed: timeout"
    ),
    script!(23, "`eval`", "fn main(x) { eval(\"1\") }", "`eval` is disabled"),
    script!(23, "`sleep`", "fn main(x) { sleep(1000) }", "there is no function `sleep`"),
    script!(
        23,
        "`import`",
        "import \"/etc/passwd\" as x; fn main(x) { 1 }",
        "`import` is a reserved keyword"
    ),
    script!(
        24,
        "code that runs by being loaded",
        "loop {} fn main(x) { 1 }",
        "this would run by being loaded"
    ),
    script!(24, "a script that throws", "fn main(x) { throw \"no\" }", "`t.s` failed: native"),
    Attack {
        class: 25,
        what: "a file that is broken when it is read again",
        files: &[("s.rhai", "fn main(x) { 1 }")],
        chain: "links:\n  s: {kind: script, file: s.rhai, with: '${input}'}\noutput: ${s}\n",
        by_hand: Some(reloaded),
        ..ATTACK
    },
];

fn reloaded(stage: &Stage) -> Result<String, String> {
    let engine = stage.engine()?;
    let chain = stage.chain(engine)?;
    let runtime = runtime()?;
    let mut seen = String::new();
    for text in ["fn main(x) { 1 }", "fn main(x) { 2", "fn other(x) { 3 }", "fn main(x) { 4 }"] {
        std::fs::write(stage.path().join("s.rhai"), text).map_err(|error| error.to_string())?;
        runtime.block_on(engine.reload_scripts());
        seen.push_str(&told(runtime.block_on(chain.run(stage.input("1")?))));
    }
    match &*seen {
        "1114" => Ok("the last good one went on, and the next good one took over".into()),
        _ => Err(seen),
    }
}
