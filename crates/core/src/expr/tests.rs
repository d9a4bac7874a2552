//! The language against examples, against its limits, and against the `cel` crate on random expressions.

use super::*;
use crate::json::{JsonLimits, parse as json};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Names for tests: each gets the next slot.
struct Table(Vec<(Str, Labeled)>);

impl Names for Table {
    fn slot(&mut self, name: &str) -> Option<Slot> {
        self.0.iter().position(|(known, _)| &**known == name).map(|at| Slot(at as u32))
    }

    fn known(&self) -> Vec<Str> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Roots for Table {
    fn root(&self, slot: Slot) -> Option<&Labeled> {
        self.0
            .get(slot.0 as usize)
            .map(|(_, value)| value)
            .filter(|value| value.value != Value::from("missing"))
    }

    fn control(&self, _: Slot) -> Label {
        Label::BOTTOM
    }
}

fn table() -> Table {
    let data = r#"{"i": 7, "j": -2, "f": 2.5, "s": "héllo", "t": "lo", "b": true, "l": [1, 2, 3],
        "m": {"a": 1, "b c": {"d": "x"}}, "words": ["x", "y"], "gone": "missing"}"#;
    let value = json(data.as_bytes(), &JsonLimits::default()).unwrap();
    let map = value.as_map().unwrap();
    Table(
        map.iter().map(|(name, value)| (name.clone(), Labeled::new(value.clone(), Label::BOTTOM))).collect(),
    )
}

fn run(text: &str) -> String {
    let mut names = table();
    match Expr::parse(text, 0, &mut names) {
        Err(error) => {
            format!("{}{}", error.message, error.help.map_or(String::new(), |help| format!(" ({help})")))
        }
        Ok(expr) => match expr.eval(&names, &mut Budget::default()) {
            Ok(result) => crate::json::to_string(&result.value),
            Err(error) => error.message,
        },
    }
}

fn check(text: &str, expected: &str) {
    assert_eq!(run(text), expected, "for {text}");
}

#[test]
fn evaluates_the_language() {
    check("1 + 2 * 3 - 4 / 2 % 3", "5");
    check("-i - -j", "-9");
    check("f * 2.0 + double(i)", "12.0");
    check("s + ' ' + t", r#""héllo lo""#);
    check("b && i > 6 || false", "true");
    check("!b ? 'yes' : 'no'", r#""no""#);
    check("l[1] + m.a + m['a']", "4");
    check("m['b c'].d", r#""x""#);
    check("2 in l && 'a' in m && !('z' in m)", "true");
    check("has(m.a) && !has(m.z)", "true");
    check("l.all(x, x > 0) && l.exists(x, x == 2) && l.exists_one(x, x > 2)", "true");
    check("l.map(x, x * i).filter(y, y > 7)", "[14,21]");
    check("l.map(x, x > 1, string(x))", r#"["2","3"]"#);
    check("m.map(k, k)", r#"["a","b c"]"#);
    check("l.map(x, l.map(y, x * y)).size()", "3");
    check("[1, 2] + [3] == l", "true");
    check("{'a': i, 'b': [s]}", r#"{"a":7,"b":["héllo"]}"#);
    check("size(s) + size(l) + size(m)", "10");
    check("1 == 1.0 && 1 < 1.5 && 'a' < 'b' && false < true", "true");
    check("0x1F", "31");
    check(r#"'\u00e9\n\x41' + r'\d' + """x"y""""#, r#""é\nA\\dx\"y""#);
    check("i == 7 // a comment", "true");
    check("done(i) && !done(gone)", "true");
    check("done(gone) ? gone : 'else'", r#""else""#);
}

#[test]
fn functions_work_on_characters_and_refuse_what_they_do_not_take() {
    check("s.substring(1, 3) + s.substring(4)", r#""élo""#);
    check("s.indexOf('l') + s.indexOf('z')", "1");
    check("'a,b,c'.split(',') + 'a,b,c'.split(',', 2)", r#"["a","b","c","a","b,c"]"#);
    check("'ab'.split('')", r#"["a","b"]"#);
    check("words.join('-') + words.join()", r#""x-yxy""#);
    check("' X '.trim().lowerAscii() + 'y'.upperAscii()", r#""xY""#);
    check("'aXbX'.replace('X', '--')", r#""a--b--""#);
    check("s.startsWith('hé') && s.endsWith('lo') && s.contains('l') && s.matches('^h.l+o$')", "true");
    check("int('42') + int(3.9) + int(-3.9)", "42");
    check("string(1.0) + string(2.5) + string(7) + string(true) + string(1e20)", r#""12.57true1e20""#);
    check("greatest(1, 2.5, i) == 7 && least(l) == 1 && json(l) == '[1,2,3]'", "true");
    check("bool('true')", "true");
    check("int('x')", "not a 64-bit integer");
    check("int(1e30)", "not a 64-bit integer");
    check("size(1)", "`size` does not take (int)");
    check("s.substring(3, 1)", "there is no such substring");
    check("[1].join()", "`join` needs a list of strings");
}

#[test]
fn errors_say_what_is_wrong() {
    check("i + f", "`+` does not take int and float; convert with `double(...)` or `int(...)`");
    check("i / 0", "division by zero");
    check("9223372036854775807 + 1", "integer overflow");
    check("m.zz", "no member `zz`");
    check("i.zz", "int has no member `zz`");
    check("l[9]", "there is no such item");
    check("1 && b", "`&&` and `||` need bools, not int");
    check("gone", "this link did not run; test it with `done(...)` first");
    check("mm", "unknown name `mm` (did you mean `m`?)");
    check("wrods", "unknown name `wrods` (did you mean `words`?)");
    check("s.lenght()", "unknown function `lenght`");
    check("s.trm()", "unknown function `trm` (did you mean `trim`?)");
    check("trim(s)", "`trim` is not called this way (write `value.trim(...)`)");
    check("i = 7", "compare with `==`");
    check("b & b", "write `&&`");
    check("5u", "unsigned numbers are not used here: values are JSON");
    check("b'x'", "byte strings are not used here: values are JSON");
    check("'x", "the string does not end");
    check("if", "`if` is a reserved word");
    check("__proto__", "`__proto__` is a reserved name");
    check("i i", "expected the expression to end here");
    check("", "expected a value, and the expression ends");
    check("l.map(x)", "expected `,`");
    check("s.matches(t)", "the pattern of `matches` must be one literal string");
    check("has(i)", "`has` takes a member, such as `has(input.name)`");
    check("{'a': 1, 'a': 2}", "a key stands twice");
    check("[1, 2][0.5]", "list cannot be indexed by float");
    check("1e308 * 10.0", "the result is not a finite number");
    check("99999999999999999999", "this number does not fit a 64-bit integer");
    check("'\\ud800'", "this escape is not a character");
}

#[test]
fn an_operand_that_decides_outweighs_an_error() {
    check("false && 1 / 0 == 1", "false");
    check("1 / 0 == 1 && false", "false");
    check("true || 1 / 0 == 1", "true");
    check("1 / 0 == 1 || b", "true");
    check("1 / 0 == 1 || false", "division by zero");
    check("[0, 1].exists(x, 1 / x == 1)", "true");
    check("[0, 2].exists(x, 1 / x == 1)", "division by zero");
}

#[test]
fn attack_32_nothing_blows_up() {
    check(&"(".repeat(1000), &format!("an expression nests at most {DEPTH_MAX} levels"));
    check(&format!("{}1", "!".repeat(1000)), "`!` cannot stand here");
    check(&vec!["1"; 1000].join(" + "), "more than 48 operators in a row; use parentheses or a list");
    check(&format!("m{}", ".a".repeat(1000)), "a path has at most 48 steps");
    check(&"a".repeat(9000), &format!("an expression is at most {SOURCE_BYTES_MAX} bytes long"));
    let bomb = "l.map(a, l.map(b, l.map(c, l.map(d, l.map(e, l.map(f, l.map(g, l.map(h, l.map(i, l.map(j, l.map(k, l.map(n, l.map(o, 1)))))))))))))";
    check(bomb, "the expression needs more than 2000000 steps");
    let product = "('x' + s).split('').map(a, s.split('')).map(r, r.join('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')).join('b').replace('a', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb').replace('b', 'cccccccccccccccccccccccccccccccccccccccc').replace('c', 'dddddddddddddddddddddddddddddddddddddddddddddddd').size()";
    check(product, "the expression needs more than 2000000 steps");
    check("s.matches('(a+)+$') || s.matches('(x|x)*y')", "false");
    check(
        "s.matches('((((a{100}){100}){100}){100})')",
        "`((((a{100}){100}){100}){100})` is not a regular expression",
    );
    // A long chain of `&&` is balanced, so it costs no depth.
    check(&vec!["b"; 1000].join("&&"), "true");
}

#[test]
fn reads_are_known_without_running() {
    let reads = |text: &str| {
        let mut names = table();
        let expr = Expr::parse(text, 0, &mut names).unwrap();
        let known = names.known();
        let shown = |r: &Ref| {
            let path = crate::value::path_text(&r.path);
            let dot = if path.is_empty() { "" } else { "." };
            let mark = match r.read {
                Read::Whole => "",
                Read::Shape => "?",
                Read::Ran => "!",
            };
            format!("{}{dot}{path}{mark}", known[r.slot.0 as usize])
        };
        expr.refs().iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(reads("m.a + l[0] + m['b c'].d"), "l.0 m.a m.b c.d");
    assert_eq!(reads("l[i]"), "i l");
    assert_eq!(reads("has(m.a) ? m.a : 0"), "m? m.a");
    assert_eq!(reads("l.map(x, x + m.a)"), "l m.a");
    assert_eq!(reads("done(gone) && b"), "b gone!");
    assert_eq!(reads("(b ? m : m).a"), "b m");
}

#[test]
fn labels_follow_what_is_read() {
    let mut names = table();
    let untrusted = Label { untrusted: true, ..Label::BOTTOM };
    let at = names.0.iter().position(|(name, _)| &**name == "m").unwrap();
    names.0[at].1.labels = Labels::keys(Label::BOTTOM, [("b c".into(), untrusted.into())]);
    let mut label = |text: &str| {
        let expr = Expr::parse(text, 0, &mut names).unwrap();
        expr.eval(&names, &mut Budget::default()).unwrap().labels.all().untrusted
    };
    assert!(!label("m.a"));
    assert!(label("m['b c'].d"));
    assert!(label("m"));
    assert!(label("m['b c'].d == 'x' ? 1 : 2"));
    assert!(!label("has(m.a) ? 1 : 2"));
    assert!(label("m.map(k, 1)"));
}

#[test]
fn types_that_can_never_work_are_found() {
    let shapes = |slot: Slot| match slot.0 {
        0 => Shape::map_of(
            BTreeMap::from([
                ("n".into(), Shape::number()),
                ("s".into(), Shape::text()),
                ("l".into(), Shape::list_of(Shape::text())),
            ]),
            true,
        ),
        _ => Shape::ANY,
    };
    let problems = |text: &str| {
        let mut names = Table(vec![("input".into(), Labeled::default()), ("any".into(), Labeled::default())]);
        let expr = Expr::parse(text, 0, &mut names).unwrap();
        let mut problems = Vec::new();
        let shape = expr.shape(&shapes, &mut problems);
        let found = problems.into_iter().map(|(_, message)| message).collect::<Vec<_>>().join("; ");
        format!("{}|{found}", shape.words())
    };
    assert_eq!(problems("input.n + 1"), "int|");
    assert_eq!(problems("input.n + 1.5 > 2"), "bool|");
    assert_eq!(problems("any.x.y + 'z'"), "string|");
    assert_eq!(problems("input.s + 1"), "anything|`+` does not take string and int");
    assert_eq!(problems("input.nn"), "anything|no member `nn` here; did you mean `n`?");
    assert_eq!(problems("input.s.x"), "anything|string has no member `x`");
    assert_eq!(problems("input.l.map(x, x + 1)"), "list|`+` does not take string and int");
    assert_eq!(problems("!input.s"), "bool|`!` needs bool, and this is string");
    assert_eq!(
        problems("input.l.filter(x, x)"),
        "list|a condition must be true or false, and this is string"
    );
    assert_eq!(
        problems("1 + 1.5"),
        "anything|`+` does not take int and float; convert with `double(...)` or `int(...)`"
    );
}

/// Random expressions over the names of [`table`], types mostly right.
fn expression() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "1",
        "0",
        "2.5",
        "-3",
        "i",
        "j",
        "f",
        "s",
        "t",
        "b",
        "true",
        "false",
        "null",
        "'a'",
        "'h'",
        "l",
        "m",
        "m.a",
        "words",
        "l[0]",
        "l[5]",
        "m.zz",
        "[]",
        "[1, 2]",
        "{'a': 1}",
        "9223372036854775807",
        "1e308",
    ])
    .prop_map(String::from);
    leaf.prop_recursive(4, 32, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (
                pair.clone(),
                proptest::sample::select(vec![
                    "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"
                ])
            )
                .prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
            (inner.clone(), pair.clone()).prop_map(|(c, (a, b))| format!("({c} ? {a} : {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("size({a})")),
            pair.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            (pair.clone(), proptest::sample::select(vec!["all", "exists", "exists_one", "map", "filter"]))
                .prop_map(|((a, b), name)| format!("({a}).{name}(x, {b} == x)")),
            (pair, proptest::sample::select(vec!["contains", "startsWith", "endsWith"]))
                .prop_map(|((a, b), name)| format!("({a}).{name}({b})")),
        ]
    })
}

/// The value the `cel` crate gives, as JSON; nothing if it reports an error.
fn cel_value(text: &str) -> Option<serde_json::Value> {
    let program = cel::Program::compile(text).ok()?;
    let mut context = cel::Context::default();
    for (name, value) in table().0 {
        context.add_variable(name.to_string(), serde_json::Value::from(&value.value)).unwrap();
    }
    program.execute(&context).ok()?.json().ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Where both interpreters have a value, it is the same; a value on one side only is a listed difference.
    #[test]
    fn agrees_with_the_cel_crate(text in expression()) {
        let mut names = table();
        let ours = Expr::parse(&text, 0, &mut names).ok().and_then(|expr| expr.eval(&names, &mut Budget::default()).ok());
        let theirs = cel_value(&text);
        if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
            let theirs = Value::from(theirs);
            prop_assert_eq!(&ours.value, &theirs, "for {}", text);
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let mut names = table();
        if let Ok(expr) = Expr::parse(&text, 0, &mut names) {
            let _value = expr.eval(&names, &mut Budget::default());
        }
    }
}
