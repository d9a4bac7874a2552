//! Guests that loop, grow, lie and ask for more than they were given.

use super::stage::{Stage, runtime, told};
use super::{ATTACK, Attack, OPEN, Open};
use std::time::{Duration, Instant};

const SHORT: &str = "limits = { time = \"200ms\", memory = \"4MiB\", output = \"64KiB\" }\n";
const LONGER: Open = Open { swaps: &[("200ms", "60s")], ..OPEN };
const ECHO: &str = "(func (export \"call\") (param $p i32) (param $n i32) (result i32) (call $ok (local.get $p) (local.get $n)))";

pub(super) const ATTACKS: &[Attack] = &[
    Attack { class: 0, what: "a plugin that behaves", module: ECHO, inputs: &["7"], ends: &["7"], ..ATTACK },
    Attack {
        class: 9,
        what: "a call that loops",
        module: "(func (export \"call\") (param i32 i32) (result i32) (loop $l (br $l)) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: timeout: it ran longer than 200 ms"],
        open: Some(LONGER),
        ..ATTACK
    },
    Attack {
        class: 9,
        what: "a start function that loops",
        module: "(func $loops (loop $l (br $l))) (start $loops) (func (export \"call\") (param $p i32) (param $n i32) (result i32) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: timeout: it ran longer than 200 ms"],
        open: Some(LONGER),
        ..ATTACK
    },
    Attack {
        class: 9,
        what: "an allocator that loops",
        module: "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (loop $l (br $l)) (unreachable)) (func (export \"call\") (param i32 i32) (result i32) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: timeout: it ran longer than 200 ms"],
        open: Some(LONGER),
        ..ATTACK
    },
    Attack {
        class: 10,
        what: "waiting for a server that is slow",
        module: "(import \"ringmail:plugin/http@0.1.0\" \"send\" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))\n;; --\n(func (export \"call\") (param $p i32) (param $n i32) (result i32)
            (i32.store (i32.const 64) (i32.const 0x544547))
            (call $send (i32.const 64) (i32.const 3) (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 2))
              (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200))
            (call $ok (local.get $p) (local.get $n)))",
        asks: "[[net]]\naddress = \"http://127.0.0.1:@PORT@\"\nreason = \"r\"\n",
        granted: "limits = { time = \"200ms\" }\nnet = [{ address = \"http://127.0.0.1:@PORT@\" }]\n",
        inputs: &["\"http://127.0.0.1:@PORT@/slow\""],
        ends: &["`t.p` failed: timeout"],
        open: Some(LONGER),
        ..ATTACK
    },
    Attack {
        class: 11,
        what: "memory that grows",
        module: "(func (export \"call\") (param i32 i32) (result i32) (loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable))",
        granted: SHORT,
        ends: &["`t.p` failed: limit: it asked for more than 4194304 bytes of memory"],
        open: Some(Open { swaps: &[("4MiB", "64MiB")], ..OPEN }),
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
        open: Some(Open { asks: "[clock]\nreason = \"r\"\n", granted: "clock = true\n", ..OPEN }),
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
        class: 16,
        what: "one module, another and the first again under one name",
        module: ECHO,
        by_hand: Some(|stage| {
            let answers = [ONE, TWO, ONE].map(|module| answer(stage, module));
            match answers {
                [Ok(one), Ok(two), Ok(third)] if (&*one, &*two, &*third) == ("1", "2", "1") => {
                    Ok("each call ran its own module".into())
                }
                other => Err(format!("{other:?}")),
            }
        }),
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
        open: Some(Open { pinned_late: true, ..OPEN }),
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
        open: Some(Open { pinned_late: true, ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 19,
        what: "an edited entry among the compiled modules",
        module: ECHO,
        by_hand: Some(edited_entry),
        ..ATTACK
    },
    Attack {
        class: 21,
        what: "running on after being revoked",
        module: "(func (export \"call\") (param i32 i32) (result i32) (loop $l (br $l)) (unreachable))",
        granted: "limits = { time = \"60s\" }\n",
        by_hand: Some(revoked),
        ..ATTACK
    },
    Attack {
        class: 22,
        what: "a manifest whose words are paths and orders",
        module: ECHO,
        asks: "[[fs]]\nmount = \"../../etc\"\naccess = \"read\"\nreason = \"`rm -rf /`\"\n[[tool]]\nname = \"../../../tmp/x\"\nreason = \"r\"\n",
        ends: &["`../../etc` is not a name"],
        ..ATTACK
    },
    Attack {
        class: 22,
        what: "a description that speaks to the terminal",
        module: ECHO,
        asks: "[log]\nreason = \"\\u001b]0;owned\\u0007\\u001b[2J '; DROP TABLE plugins; --\"\n",
        by_hand: Some(|stage| {
            let engine = stage.engine()?;
            let reasons = engine.plugins().values().flat_map(|plugin| &plugin.manifest.asks);
            let shown: String = reasons.map(|ask| crate::terminal::clean(&ask.reason).into_owned()).collect();
            match shown.contains("DROP TABLE") && !shown.contains(char::is_control) {
                true => Ok("shown as a text without control characters".into()),
                false => Err(format!("{shown:?}")),
            }
        }),
        ..ATTACK
    },
];

const ONE: &str = "(data (i32.const 1000) \"1\") (func (export \"call\") (param i32 i32) (result i32) (call $ok (i32.const 1000) (i32.const 1)))";
const TWO: &str = "(data (i32.const 1000) \"2\") (func (export \"call\") (param i32 i32) (result i32) (call $ok (i32.const 1000) (i32.const 1)))";

/// What the plugin answers if this is its module, in an engine of its own.
fn answer(stage: &Stage, module: &str) -> Result<String, String> {
    stage.put(module).map_err(|error| error.to_string())?;
    let engine = stage.build(&stage.project())?;
    let chain = stage.chain(&engine)?;
    Ok(told(runtime()?.block_on(chain.run(stage.input("1")?))))
}

fn edited_entry(stage: &Stage) -> Result<String, String> {
    let folder = stage.path().join("modules");
    let entries = || -> std::io::Result<Vec<std::path::PathBuf>> {
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let failed = |error: std::io::Error| error.to_string();
    answer(stage, ONE)?;
    let first = entries().map_err(failed)?;
    answer(stage, TWO)?;
    let all = entries().map_err(failed)?;
    let second = all.iter().find(|path| !first.contains(path)).ok_or("nothing was kept")?;
    let other = std::fs::read(second).map_err(failed)?;
    // The code of the second, whole, under the name of the first.
    for path in &first {
        std::fs::write(path, &other).map_err(failed)?;
    }
    match answer(stage, ONE)?.as_str() {
        "1" => Ok("it was compiled anew".into()),
        other => Err(format!("it answered {other}")),
    }
}

/// How long authority may last that was taken away.
const REVOKED_MAX: Duration = Duration::from_secs(1);

fn revoked(stage: &Stage) -> Result<String, String> {
    let engine = stage.engine()?;
    let chain = stage.chain(engine)?;
    let input = stage.input("1")?;
    runtime()?.block_on(async {
        let mut run = std::pin::pin!(chain.run(input));
        tokio::select! {
            ended = &mut run => return Err(format!("it ended by itself: {}", told(ended))),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
        let since = Instant::now();
        engine.revoke_plugin("p", "it attacks");
        let ended = tokio::time::timeout(REVOKED_MAX, run).await.map_err(|_| "it went on for a second")?;
        match told(ended) {
            told if told.starts_with("refused grant-revoked") => {
                Ok(format!("{told}, after {} ms", since.elapsed().as_millis()))
            }
            other => Err(other),
        }
    })
}
