//! Scripts as links of a chain.

use crate::setup::{Bench, PERMIT_ALL, bench, bench_in, shown};
use ringmail_engine::core::doc::Source;

fn inline(script: &str, more: &str) -> String {
    let body = script.replace('\n', "\n      ");
    format!(
        "chain: t\nlinks:\n  s:\n    kind: script\n    with: '${{input}}'\n{more}    code: |\n      {body}\noutput: ${{s}}\n"
    )
}

async fn ran(script: &str, more: &str, input: &str) -> String {
    shown(&bench("", PERMIT_ALL).run(&[&inline(script, more)], input).await)
}

/// A project whose chain runs `scripts/s.rhai`.
fn project(script: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("scripts")).unwrap();
    std::fs::write(folder.path().join("scripts/s.rhai"), script).unwrap();
    bench_in(folder, "", PERMIT_ALL, |builder| builder)
}

impl Bench {
    fn rewrite(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("scripts").join(name), text).unwrap();
    }
}

const FILE: &str =
    "chain: t\nlinks:\n  s: {kind: script, file: scripts/s.rhai, with: '${input}'}\noutput: ${s}\n";

#[tokio::test]
async fn a_script_takes_its_arguments_and_gives_the_result() {
    assert_eq!(
        ran("fn main(input) { `hello ${input.name}` }", "", r#"{"name": "Ada"}"#).await,
        r#""hello Ada""#
    );
    let named = "fn half(x) { x / 2 }\nfn begin(input) { half(input) }";
    assert_eq!(ran(named, "    entry: begin\n", "84").await, "42");
    let bench = project("fn main(input) { input.len() }");
    assert_eq!(shown(&bench.run(&[FILE], "[1, 2, 3]").await), "3");
}

/// A script has no way out, so nothing is refused to it, and all that it was told comes out with its label.
#[tokio::test]
async fn attack_38_what_a_script_gives_carries_what_it_was_told() {
    let chain = inline("fn main(input) { `${input.iban}`.len() }", "")
        .replace("chain: t\n", "chain: t\ninput: {type: object, properties: {iban: {type: string, x-ringmail-label: [pii]}}, required: [iban]}\n");
    let problems = bench("", PERMIT_ALL).problems(&chain);
    assert!(problems.contains("the output carries `pii`"), "{problems}");
}

#[test]
fn problems_of_a_script_stand_where_it_was_written() {
    for (script, expected) in [
        ("fn main(input) {\n  inptu + 1\n}", "c.yaml:8:9: there is no variable `inptu` here"),
        ("fn main(input) {\n  halve(input)\n}", "c.yaml:8:9: there is no function `halve`"),
        ("fn main(input) {\n  1 +\n}", "c.yaml:9:7: unexpected `}`"),
        ("fn start(input) { 1 }", "c.yaml:7:7: there is no function `main`"),
        (
            "loop {}\nfn main(input) { 1 }",
            "c.yaml:7:7: a script is made of functions; this would run by being loaded",
        ),
    ] {
        let problems = bench("", PERMIT_ALL).problems(&inline(script, ""));
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
    let bench = project("fn main(input) {\n  inptu\n}");
    let problems = bench.problems(FILE);
    assert!(problems.contains("scripts/s.rhai:2:3: there is no variable `inptu` here"), "{problems}");
}

#[test]
fn a_script_stands_in_one_place_of_its_project() {
    let bench = project("fn main(input) { 1 }");
    std::os::unix::fs::symlink("/etc/passwd", bench.folder.path().join("scripts/out.rhai")).unwrap();
    for (from, to, expected) in [
        ("file: scripts/s.rhai", "file: scripts/t.rhai", "cannot read"),
        ("file: scripts/s.rhai", "file: ../s.rhai", "does not lie in the project's folder"),
        ("file: scripts/s.rhai", "file: /etc/passwd", "does not lie in the project's folder"),
        ("file: scripts/s.rhai", "file: scripts/out.rhai", "does not lie in the project's folder"),
        ("file: scripts/s.rhai", "file: scripts/s.rhai, code: 'fn main(x) { x }'", "not in both"),
        ("file: scripts/s.rhai, ", "", "the link has no script"),
        ("with:", "limits: {asks: 1}, with:", "unknown key `asks`"),
    ] {
        let problems = bench.problems(&FILE.replace(from, to));
        assert!(problems.contains(expected), "{expected} in {problems}");
    }
}

#[tokio::test]
async fn attack_23_each_limit_of_a_link_is_held() {
    for (script, limit, expected) in [
        ("fn main(input) { loop {} }", "time: 50ms", "`t.s` failed: timeout: it ran longer than 50 ms"),
        (
            "fn main(input) { loop {} }",
            "fuel: 1000, time: 60s",
            "`t.s` failed: limit: it used more than 1000 units of fuel",
        ),
        (
            "fn main(input) { let a = []; for i in 0..60000 { a.push(`${i}`); } a.len() }",
            "memory: 1MiB, time: 60s",
            "`t.s` failed: limit: it asked for more than 1048576 bytes of memory",
        ),
        // No link gives a script more than its stack is made for.
        (
            "fn big() { let a = ``; a.pad(1000, 'y'); for i in 0..9 { a += a; } a }\nfn f(n) { let a = big(); let b = big(); let c = big(); f(n + 1) }\nfn main(input) { f(0) }",
            "memory: 1GiB, time: 60s",
            "`t.s` failed: limit: it asked for more than 67108864 bytes of memory",
        ),
        (
            "fn main(input) { let s = \"\"; s.pad(2000, 'x'); s }",
            "output: 1KiB",
            "`t.s` failed: too-large: its output is larger than 1024 bytes",
        ),
    ] {
        let shown = ran(script, &format!("    limits: {{{limit}}}\n"), "1").await;
        assert!(shown.replace("0.yaml:9: ", "").starts_with(expected), "{limit}: {shown}");
    }
}

/// A peer took a script that threw for one that was not there, and tried something else.
#[tokio::test]
async fn attack_24_a_script_that_throws_is_a_failed_link() {
    let throws = "fn main(input) {\n  throw `no ${input}`;\n}";
    assert_eq!(ran(throws, "", "7").await, "`t.s` failed: native: 0.yaml:8: no 7");
    let bench = project(throws);
    let retried = FILE.replace("with:", "retry: {attempts: 3, backoff: 1ms}, with:");
    assert_eq!(shown(&bench.run(&[&retried], "7").await), "`t.s` failed: native: scripts/s.rhai:2: no 7");
    let figures = bench.engine.script_figures();
    let figures = &figures["scripts/s.rhai"];
    assert_eq!((figures.calls, &figures.failures), (1, &[("native", 1)].into()));
    assert!(figures.fuel > 0 && figures.memory_bytes_peak > 0, "{figures:?}");
    let fallback = FILE.replace("with:", "fallback: instead, with:");
    assert_eq!(shown(&bench.run(&[&fallback], "7").await), r#""instead""#);
}

#[tokio::test]
async fn a_script_is_compiled_once() {
    let bench = project("fn main(input) { input + 1 }");
    let twice = "chain: u\nlinks:\n  s: {kind: script, file: scripts/s.rhai, with: '${input}'}\n  t: {kind: script, code: 'fn main(input) { input + 1 }', with: '${s}'}\noutput: ${t}\n";
    let sources = [Source::new("t.yaml", FILE), Source::new("u.yaml", twice)];
    let chains = bench.engine.load(&sources).unwrap();
    for _ in 0..50 {
        assert_eq!(shown(&chains[1].request(1).unwrap().principal(crate::setup::alice()).run().await), "3");
    }
    assert_eq!(bench.engine.script_compilations(), 1);
}

#[tokio::test]
async fn attack_25_a_broken_file_leaves_the_last_good_version_serving() {
    let bench = project("fn main(input) { 1 }");
    let chain = bench.engine.load(&[Source::new("t.yaml", FILE)]).unwrap().remove(0);
    let answer = async || shown(&chain.request(0).unwrap().principal(crate::setup::alice()).run().await);
    assert_eq!(answer().await, "1");
    let reloaded = bench.engine.reload_scripts().await;
    assert!(reloaded.changed.is_empty() && reloaded.problems.is_empty(), "{reloaded:?}");

    for (broken, expected) in [
        ("fn main(input) { 2", "scripts/s.rhai:1:19: "),
        ("fn mian(input) { 2 }", "there is no function `main`"),
        ("loop {} fn main(input) { 2 }", "would run by being loaded"),
        ("fn main(input) { eval(\"2\") }", "eval"),
        (&"// ".repeat(100_000), "larger than 262144 bytes"),
    ] {
        bench.rewrite("s.rhai", broken);
        let reloaded = bench.engine.reload_scripts().await;
        assert!(reloaded.changed.is_empty(), "{broken}");
        assert!(reloaded.problems.to_string().contains(expected), "{expected} in {}", reloaded.problems);
        assert_eq!(answer().await, "1");
    }

    // Cases that stand beside it are run first.
    bench.rewrite("s.test.json", r#"[{"input": 0, "output": 3}, {"input": "x", "error": "no number"}]"#);
    bench.rewrite("s.rhai", "fn main(input) { 2 }");
    let reloaded = bench.engine.reload_scripts().await.problems.to_string();
    assert!(reloaded.contains("the case 0 of `scripts/s.test.json` does not hold: 2"), "{reloaded}");
    bench.rewrite("s.rhai", "fn main(input) { 3 }");
    let reloaded = bench.engine.reload_scripts().await.problems.to_string();
    assert!(reloaded.contains("the case \"x\" of `scripts/s.test.json` does not hold: 3"), "{reloaded}");
    bench.rewrite("s.rhai", "fn main(input) { loop {} }");
    let reloaded = bench.engine.reload_scripts().await.problems.to_string();
    assert!(reloaded.contains("it ran longer than 1000 ms"), "{reloaded}");
    assert_eq!(answer().await, "1");

    bench.rewrite("s.rhai", "fn main(input) {\n  if input == \"x\" { throw \"no number\"; }\n  3\n}");
    let reloaded = bench.engine.reload_scripts().await;
    assert!(reloaded.problems.is_empty(), "{}", reloaded.problems);
    assert_eq!(reloaded.changed, ["scripts/s.rhai".into()]);
    assert_eq!(answer().await, "3");

    std::fs::remove_file(bench.folder.path().join("scripts/s.rhai")).unwrap();
    let reloaded = bench.engine.reload_scripts().await;
    assert!(reloaded.problems.to_string().contains("cannot read"), "{}", reloaded.problems);
    assert_eq!(answer().await, "3");
}
