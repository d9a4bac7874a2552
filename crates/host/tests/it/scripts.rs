//! Scripts, and what they may do to the thread they run on.

use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::value::Value;
use ringmail_host::{CallLimits, Halt, Script, ScriptEnded, ScriptError, ScriptFault};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BUDGET: Duration = Duration::from_millis(200);

fn limits() -> CallLimits {
    CallLimits {
        time_max: BUDGET,
        memory_bytes_max: 16 << 20,
        output_bytes_max: 1 << 20,
        ..CallLimits::default()
    }
}

fn script(source: &str) -> Arc<Script> {
    Arc::new(Script::compile(source, "main").unwrap_or_else(|error| panic!("{source}: {error:?}")))
}

async fn run(body: &str, limits: &CallLimits) -> ScriptEnded {
    call(&format!("fn main(input) {{ {body} }}"), limits).await
}

async fn call(source: &str, limits: &CallLimits) -> ScriptEnded {
    let input = parse(br#"{"name": "Ada", "prices": [1.5, 2, 40], "none": null}"#, &JsonLimits::default());
    script(source).call(&input.unwrap(), limits).await
}

fn shown(ended: &ScriptEnded) -> String {
    match &ended.result {
        Ok(value) => to_string(value),
        Err(halted) => halted.halt.to_string(),
    }
}

fn faults(source: &str) -> Vec<ScriptFault> {
    match Script::compile(source, "main") {
        Err(ScriptError::Faults(faults)) => faults,
        other => panic!("{source}: {other:?}"),
    }
}

#[tokio::test]
async fn a_script_takes_a_value_and_gives_one() {
    for (body, expected) in [
        ("input", r#"{"name":"Ada","none":null,"prices":[1.5,2,40]}"#),
        ("`hello ${input.name}`", r#""hello Ada""#),
        ("input.prices.filter(|price| price > 1.6)", "[2,40]"),
        ("let least = 1.9; input.prices.filter((|least, price| price > least).curry(least))", "[2,40]"),
        ("let all = 0.0; for price in input.prices { all += price; } all", "43.5"),
        ("#{a: 'x', b: (), c: [true]}", r#"{"a":"x","b":null,"c":[true]}"#),
        ("input.none", "null"),
        ("parse_json(\"[1, {\\\"a\\\": 2}]\")[1].a", "2"),
        ("to_json(input.prices)", r#""[1.5,2,40]""#),
        ("\"a-b-c\".split('-')", r#"["a","b","c"]"#),
        ("let text = \"a-b\"; text.replace('-', \"--\"); text", r#""a--b""#),
        ("return 9223372036854775807;", "9223372036854775807"),
        ("if input.name == \"Ada\" { return 1; } 2", "1"),
    ] {
        assert_eq!(shown(&run(body, &limits()).await), expected, "{body}");
    }
    let two = "fn twice(x) { x * 2 } fn main(input) { twice(21) }";
    assert_eq!(shown(&call(two, &limits()).await), "42");
}

#[tokio::test]
async fn what_goes_wrong_says_where() {
    for (source, expected, place) in [
        ("fn main(input) {\n  throw \"no name\";\n}", "no name", Some((2, 3))),
        ("fn main(input) {\n  let x = 1;\n  x / 0\n}", "Division by zero: 1 / 0", Some((3, 5))),
        ("fn main(input) {\n  input.nmae\n}", "Property not found: nmae", Some((2, 9))),
        ("fn deeper(x) {\n  throw x;\n}\nfn main(input) { deeper(7) }", "7", Some((2, 3))),
        ("fn main(input) { |x| x }", "it gives a function, which is no data", None),
        ("fn main(input) { 0.0 / 0.0 }", "it gives a number that is not finite", None),
    ] {
        let ended = call(source, &limits()).await;
        let halted = ended.result.unwrap_err();
        assert_eq!((halted.halt, halted.place), (Halt::Failed(expected.into()), place), "{source}");
    }
}

#[test]
fn a_script_is_checked_without_being_run() {
    for (source, place, message) in [
        ("fn main(input) {\n  let x = ;\n}", (2, 11), "unexpected"),
        ("fn main(input) { input\n", (2, 1), "expecting `;` to terminate this statement"),
        ("fn main(input) { inptu }", (1, 18), "there is no variable `inptu` here"),
        ("fn main(input) {\n  inpput(1)\n}", (2, 3), "there is no function `inpput`"),
        (
            "fn half(x) { x / 2 }\nfn main(input) { half(1, 2) }",
            (2, 18),
            "`half` takes 1 arguments, and is called with 2",
        ),
        ("fn mian(input) { 1 }", (0, 0), "there is no function `main`"),
        ("fn main(a, b) { 1 }", (0, 0), "`main` is called with one argument, and takes 2"),
        ("let x = 1;\nfn main(input) { 1 }", (1, 1), "would run by being loaded"),
        ("throw 1;\nfn main(input) { 1 }", (1, 1), "would run by being loaded"),
        ("fn main(input) { eval(\"1\") }", (1, 18), "eval"),
        ("fn main(input) { print(1) }", (1, 18), "print"),
        ("fn main(input) { sleep(1) }", (1, 18), "there is no function `sleep`"),
        ("fn main(input) { timestamp() }", (1, 18), "there is no function `timestamp`"),
        ("import \"x\" as y; fn main(input) { 1 }", (1, 1), "import"),
        (
            "fn main(input) { let least = 1; [1].filter(|x| x > least) }",
            (1, 52),
            "there is no variable `least` here",
        ),
    ] {
        let faults = faults(source);
        assert!(
            faults.iter().any(|fault| (fault.line, fault.column) == place && fault.message.contains(message)),
            "{source:?} {faults:?}"
        );
    }
    let fault = &faults("fn main(input) { inputt(1) + lne(\"x\") }");
    assert_eq!(fault.len(), 2);
    assert_eq!(fault[1].help.as_deref(), Some("did you mean `len`?"));
    let large = format!("fn main(input) {{ 1 }} // {}", "x".repeat(20 << 20));
    assert!(faults(&large)[0].message.contains("larger than 262144 bytes"));
    let deep = format!("fn main(input) {{ {}1{} }}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(faults(&deep)[0].message.contains("complexity"), "{:?}", faults(&deep));
}

/// Sources as long as they may be, made of one thing inside or after another.
#[test]
fn attack_23_a_source_that_is_hard_to_read_is_read_or_refused_in_time() {
    let times = |part: &str, count: usize| part.repeat(count);
    let bodies = [
        times("(", 100_000),
        times("[", 100_000),
        times("#{a:", 50_000),
        times("{", 100_000),
        times("!", 100_000) + "true",
        times("-", 100_000) + "1",
        times("1+", 100_000) + "1",
        times("1-(", 50_000) + "1",
        times("x&&", 60_000) + "x",
        times("1**", 60_000) + "1",
        format!("let x = #{{}}; x{}", times(".a", 100_000)),
        format!("let x = []; x{}", times("[0]", 80_000)),
        format!("let x = 1; x{}", times(".f()", 50_000)),
        times("if true {} else ", 15_000) + "{}",
        times("if true {", 20_000),
        times("switch 1 { 1 => ", 15_000),
        times("|x|", 60_000) + "1",
        times("loop {", 40_000),
        times("`${", 60_000),
        times("/*", 100_000),
        format!("\"{}\"", times("\\u{", 50_000)),
        format!("let x = 1; {}", times("x=", 100_000)),
        format!("f({}", times("1,", 100_000)),
        format!("[{}]", times("1,", 100_000)),
        times("let x = 1;", 20_000),
        times("return ", 30_000),
        times("a??", 60_000),
        format!("1{}", times(" in [1]", 30_000)),
        times("try {", 40_000),
        times("'", 100_000),
    ];
    for body in bodies {
        let source = format!("fn main(x) {{ {body} }}");
        let started = Instant::now();
        let compiled = Script::compile(&source, "main");
        drop(compiled);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{}: {took:?}", &body[..40]);
    }
    let many: String = (0..20_000).map(|at| format!("fn f{at}(){{}}")).collect();
    assert!(!faults(&many).is_empty());
}

const MEMORY: &str = "it asked for more than 16777216 bytes of memory";
const TEXT: &str = "it built too much: text";

/// What a hostile script does, and the word it ends with.
const HOSTILE: &[(&str, &str)] = &[
    ("loop {}", "it ran longer"),
    ("let x = 0; while true { x += 1; }", "it ran longer"),
    ("let s = \"x\"; loop { s += s; }", "it built too much: length of string"),
    ("let s = \"x\"; for i in 0..17 { s += s; } s.replace(\"x\", s); s", "it built too much: text"),
    ("let s = \"x\"; for i in 0..17 { s += s; } s.replace('x', s); s", "it built too much: text"),
    ("let s = \"x\"; for i in 0..18 { s += s; } s.replace(\"\", s); s", "it built too much: text"),
    ("let s = \"x\"; for i in 0..18 { s += s; } s.split(\"\").len()", "it built too much: list"),
    ("let s = \"x\"; for i in 0..18 { s += s; } s.to_chars().len()", "it built too much: list"),
    ("let s = \"x\"; for i in 0..18 { s += s; } loop { s.index_of(\"y\"); }", "it ran longer"),
    ("let s = \"\"; s.pad(1000000000, 'x'); s", "it built too much: length of string"),
    ("let a = []; a.pad(1000000000, 1); a", "it built too much: size of array/blob"),
    ("let a = [1]; loop { a += a; }", "it built too much: size of array/blob"),
    ("let a = []; loop { a = [a]; }", "it "),
    ("let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }", "it "),
    (
        "let m = #{}; for i in 0..300 { m[`k${i}`] = i; } let a = []; for i in 0..300 { a.push(m); } a",
        "it built too much: size of object map",
    ),
    (
        "let k = \"k\"; for i in 0..16 { k += k; } let m = #{}; let i = 0; loop { m[`${k}${i}`] = 1; i += 1; }",
        "it asked for more than 16777216 bytes of memory",
    ),
    ("let f = |x| x; loop { f = f.curry(f); }", "it asked for more than 16777216 bytes of memory"),
    ("let f = |x| x; loop { f = (|g, x| x).curry(f); }", "it "),
    (
        "let all = []; loop { let s = \"x\"; s.pad(100000, 'y'); all.push(|x| x); all.push(s); }",
        "it built too much",
    ),
    (
        "let a = []; for i in 0..60000 { a.push(`${i}abcdefghijklmnopqrstuvwxyz`); } let b = [a, a, a, a, a, a]; b",
        "it ",
    ),
    (
        "let flood = Fn(\"print\"); loop { flood.call(\"flood\"); }",
        "Syntax error: 'print' is a reserved keyword",
    ),
    ("let a = []; for i in 0..60000 { a.push(i); } a.sort(|x, y| { loop {} }); a", "it ran longer"),
    ("let a = []; for i in 0..60000 { a.push(-i); } loop { a.sort(); a.reverse(); }", "it ran longer"),
    ("for x in 0..9223372036854775807 {}", "it ran longer"),
    ("try { loop {} } catch { 1 }", "it ran longer"),
    ("loop { try { loop {} } catch { } }", "it ran longer"),
    ("let s = \"x\"; try { loop { s += s; } } catch { 1 }", "it built too much"),
    // Functions, with what they were handed and their names, count as nothing in the interpreter's own sizes.
    (
        "let l = []; l.pad(60000, 0); let f = Fn(\"main\").curry(l); let a = []; a.pad(60000, f); a.len()",
        MEMORY,
    ),
    (
        "let a = [Fn(\"main\")]; let m = #{}; m.f = Fn(\"main\").curry(|x| x); a.pad(65000, m); loop { a = [Fn(\"main\").curry(a), a]; }",
        MEMORY,
    ),
    ("let s = \"x\"; for i in 0..18 { s += s; } let a = []; a.pad(60000, s.chars()); a.len()", MEMORY),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(\"main\"); for i in 0..2000 { f = f.curry(s); } let m = #{}; m.f = f; m.to_json().len()",
        "it gives a function, which is no data",
    ),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(s); let a = []; a.pad(2000, f); let t = `${a}`; t.len()",
        TEXT,
    ),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(s); let a = []; a.pad(2000, f); (\"\" + a).len()",
        TEXT,
    ),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(s); let a = []; a.pad(2000, f); (a + \"\").len()",
        TEXT,
    ),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(s); let a = []; a.pad(2000, f); let t = \"\"; t += a; t.len()",
        TEXT,
    ),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(s); let a = []; a.pad(2000, f); to_debug(#{a: a}).len()",
        TEXT,
    ),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } let f = Fn(s); let a = []; a.pad(2000, f); try { to_string(a) } catch { 1 }",
        TEXT,
    ),
    ("let s = \"x\"; for i in 0..19 { s += s; } s.split(\"x\", 1000000).len()", "it built too much: list"),
    ("let s = \"x\"; for i in 0..19 { s += s; } s.split('x', 1000000).len()", "it built too much: list"),
    (
        "let s = \"x\"; for i in 0..19 { s += s; } s.split_rev(\"x\", 1000000).len()",
        "it built too much: list",
    ),
    ("let s = \"x\"; for i in 0..19 { s += s; } s.split_rev('x', 1000000).len()", "it built too much: list"),
    (
        "let s = \"\"; for i in 0..60000 { s += \"{\\\"\\\":0},\"; } parse_json(\"[\" + s + \"0]\").len()",
        MEMORY,
    ),
    ("let x = 1; for i in 0..2000 { let x = x + 1; } switch x { _ => [x, \"\".len(), type_of(x)] }", "[1,0,"),
    ("let a = []; a.push(a); a.push(a); a", "[[],[[]]]"),
];

#[tokio::test]
async fn attack_23_what_a_script_does_ends_inside_its_budget() {
    for (body, expected) in HOSTILE {
        // What ends by its size does so however slow the machine is.
        let sized = expected.len() > 3 && !expected.starts_with("it ran");
        let time_max = if sized { Duration::from_secs(60) } else { BUDGET };
        let started = Instant::now();
        let ended = run(body, &CallLimits { time_max, ..limits() }).await;
        let took = started.elapsed();
        let shown = shown(&ended);
        assert!(shown.starts_with(expected), "{body}: {}", shown.chars().take(200).collect::<String>());
        assert!(sized || took < BUDGET + Duration::from_secs(1), "{body}: {took:?}");
        // What one step takes comes on top: no more than there was, once.
        assert!(ended.figures.memory_bytes_peak <= 2 * (16 << 20) + (4 << 20), "{body}: {:?}", ended.figures);
    }
}

/// A value too large to print was printed all the same, and whole, where the run was stopped in the step that prints it:
/// the interpreter falls back on printing without asking. So the stop is tried at each step there is.
#[tokio::test]
async fn attack_23_a_run_that_is_stopped_while_it_prints_prints_nothing() {
    let body =
        "let s = \"x\"; for i in 0..19 { s += s; } let a = []; a.pad(500, Fn(s)); let t = `${a}`; t.len()";
    for fuel_max in 100..180 {
        let before = peak_bytes();
        let ended = run(body, &CallLimits { fuel_max, time_max: Duration::from_secs(60), ..limits() }).await;
        assert!(ended.result.is_err());
        // As text it is 262 MB.
        assert!(peak_bytes() < before + (64 << 20), "{fuel_max}: {} bytes", peak_bytes() - before);
    }
}

/// The most memory this process ever had.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn what_is_printed_is_what_the_language_prints() {
    for (body, expected) in [
        ("`${[1, \"a\\\"b\", 'c', (), true, 1.5, [2]]}`", r#"[1, "a\"b", c, (), true, 1.5, [2]]"#),
        ("\"\" + #{a: 1, \"b c\": \"x\"}", r##"#{"a": 1, "b c": "x"}"##),
        ("to_string(Fn(\"main\").curry(1))", "Fn(main)"),
        ("let t = \"x\"; t += [0..3, 0..=3]; t", "x[0..3, 0..=3]"),
        ("#{a: 1}.to_json()", r#"{"a":1}"#),
        ("`${\"a b c d\".split(' ', 2)} ${\"a b c\".split_rev(\" \", 2)}`", r#"["a", "b c d"] ["c", "a b"]"#),
        ("let a = [1]; a.pad(3, [2]); a.pad(-1, 0); `${a}`", "[1, [2], [2]]"),
    ] {
        assert_eq!(run(body, &limits()).await.result, Ok(Value::from(expected)), "{body}");
    }
}

#[tokio::test]
async fn attack_23_recursion_ends() {
    for source in [
        "fn main(input) { main(input) }",
        "fn f(x) { g(x) } fn g(x) { f(x) } fn main(input) { f(1) }",
        "fn main(input) { let f = |g| g.call(g); f.call(f) }",
    ] {
        assert_eq!(shown(&call(source, &limits()).await), "its stack overflowed", "{source}");
    }
    // Past sixty-four levels of its own, whatever is on each.
    let wide = "fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } fn main(input) { f(50) }";
    assert_eq!(shown(&call(wide, &limits()).await), "50");
}

#[tokio::test]
async fn attack_23_steps_are_counted() {
    let few = CallLimits { fuel_max: 1_000, ..limits() };
    assert_eq!(shown(&run("for i in 0..10 {} 1", &few).await), "1");
    assert_eq!(shown(&run("loop {}", &few).await), "it used more than 1000 units of fuel");
}

#[tokio::test]
async fn attack_23_names_are_counted() {
    let many = |count: usize| (0..count).map(|at| format!("let x{at} = 1; ")).collect::<String>();
    assert_eq!(shown(&run(&format!("{} 1", many(900)), &limits()).await), "1");
    let over = shown(&run(&format!("{} 1", many(1_100)), &limits()).await);
    assert_eq!(over, "it built too much: number of variables");
}

#[tokio::test]
async fn a_time_past_every_clock_is_a_day() {
    let endless = CallLimits { time_max: Duration::MAX, ..limits() };
    assert_eq!(shown(&run("1", &endless).await), "1");
    assert_eq!(shown(&run("let x = 0; for i in 0..300000 { x += 1; } x", &endless).await), "300000");
}

#[tokio::test]
async fn attack_23_what_it_gives_is_bounded() {
    let small = CallLimits { output_bytes_max: 1_000, ..limits() };
    assert_eq!(
        shown(&run("let s = \"\"; s.pad(999, 'x'); s", &small).await),
        "its output is larger than 1000 bytes"
    );
    assert_eq!(shown(&run("let s = \"\"; s.pad(99, 'x'); s.len()", &small).await), "99");
    let nested = "let a = []; for i in 0..100 { a = [a]; } a";
    assert_eq!(shown(&run(nested, &limits()).await), "it gives values nested too deep");
}

#[tokio::test(flavor = "current_thread")]
async fn attack_23_others_run_while_a_script_loops() {
    let long = CallLimits { time_max: Duration::from_secs(2), ..limits() };
    let looping = script("fn main(input) { loop {} }");
    let short = script("fn main(input) { input + 1 }");
    let looped = tokio::spawn(async move { looping.call(&Value::Null, &long).await });
    tokio::task::yield_now().await;
    for i in 0..100 {
        let ended = short.call(&Value::Int(i), &limits()).await;
        assert_eq!(ended.result, Ok(Value::Int(i + 1)));
    }
    assert!(!looped.is_finished());
    looped.abort();
}

/// A run that nobody waits for any more is stopped, not left to its time.
#[tokio::test]
async fn attack_23_a_script_nobody_waits_for_stops() {
    let long = CallLimits { time_max: Duration::from_secs(3600), fuel_max: u64::MAX, ..limits() };
    let looping = script("fn main(input) { loop {} }");
    // More of them than there are threads for long runs: each has to end for the next to begin.
    for _ in 0..64 {
        let given = tokio::time::timeout(Duration::from_millis(20), looping.call(&Value::Null, &long)).await;
        assert!(given.is_err());
    }
    let short = script("fn main(input) { let x = 0; for i in 0..100000 { x += i; } x }");
    let ended = short.call(&Value::Null, &CallLimits { time_max: Duration::from_secs(60), ..limits() }).await;
    assert_eq!(ended.result, Ok(Value::Int(4_999_950_000)));
}

#[tokio::test]
async fn attack_15_nothing_is_left_for_the_next_run() {
    let counts = script("fn main(input) { let seen = is_def_var(\"left\"); let left = 1; seen }");
    for _ in 0..3 {
        assert_eq!(counts.call(&Value::Null, &limits()).await.result, Ok(Value::Bool(false)));
    }
}

#[tokio::test]
async fn what_a_run_used_is_known() {
    let ended = run("let x = 0; for i in 0..10 { x += i; } x", &limits()).await;
    assert!(ended.figures.fuel > 10 && ended.figures.memory_bytes_peak > 0, "{:?}", ended.figures);
}
