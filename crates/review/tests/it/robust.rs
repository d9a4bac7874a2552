//! No input crashes the reviewer or keeps it busy; what cannot be read is said, and the rest goes on.

use crate::setup::{all, look};

#[test]
fn what_nests_too_deep_is_told_and_the_rest_goes_on() {
    let deep = [
        "(".repeat(100_000),
        "x = ".to_string() + &"[".repeat(100_000),
        "x = ".to_string() + &"-".repeat(100_000) + "1",
        "x = a".to_string() + &".b".repeat(100_000),
        "x = f".to_string() + &"()".repeat(100_000),
        "x = 1".to_string() + &" + 1".repeat(100_000),
        "x = ".to_string() + &"lambda: ".repeat(100_000) + "1",
        (0..3000).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect(),
    ];
    for text in &deep {
        let review = look(&[("deep.py", text), ("fine.py", "eval(x)\n")], &all());
        assert_eq!(review.unread.len(), 1, "{}", &text[..20]);
        assert_eq!(review.findings.len(), 1);
    }
    let yaml = "a: ".to_string() + &"[".repeat(100_000);
    assert_eq!(look(&[("deep.yaml", &yaml)], &all()).unread.len(), 1);
}

#[test]
fn what_is_not_python_or_yaml_is_told() {
    let review = look(
        &[("a.py", "def (:\n"), ("b.yaml", "a: [1\n"), ("c.toml", "a = \n"), ("d.json", "{\"a\": }")],
        &all(),
    );
    let told: Vec<&str> = review.unread.iter().map(|(path, ..)| path.as_str()).collect();
    assert!(told.contains(&"a.py") && told.contains(&"b.yaml") && told.contains(&"c.toml"), "{told:?}");
}

/// Pieces of programs in any order: none of it may panic.
#[test]
fn pieces_of_programs_in_any_order_are_looked_at() {
    let pieces = [
        "def f(x):\n",
        "    return ",
        "eval(",
        "x",
        ")",
        "\n",
        "class A(B):\n",
        "    ",
        "f\"{x}\"",
        "'''",
        "\"",
        "{",
        "}",
        "[",
        "]",
        "@tool\n",
        "async ",
        "await ",
        "lambda y: ",
        "=",
        "import os\n",
        "from . import a\n",
        "try:\n",
        "except E as e:\n",
        "%",
        "é",
        "\u{0}",
        "\r",
        "\t",
        "\\",
        "#",
        "**kwargs",
        "*",
        "if ",
        "else:",
        ":",
        "open(",
        "self.a",
        "yaml.load(",
        "verify=False",
        ",",
    ];
    let mut seed = 7_u64;
    for _ in 0..1000 {
        let mut text = String::new();
        for _ in 0..30 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(seed >> 33) as usize % pieces.len()]);
        }
        for name in ["a.py", "a.yaml", "a.toml", "a.json", "requirements.txt", "Dockerfile", ".env"] {
            look(&[(name, &text)], &all());
        }
    }
}

/// Ways that part again and again, each with a copy of all that is known: the work would grow with the square.
#[test]
fn a_function_that_takes_too_many_steps_is_told_and_the_rest_goes_on() {
    let mut text = String::from("def wide(x):\n");
    (0..2000).for_each(|at| text.push_str(&format!("    name_{at} = x\n")));
    (0..2000).for_each(|at| text.push_str(&format!("    if name_{at}:\n        pass\n")));
    text.push_str("\n\ndef fine(x):\n    return eval(x)\n");
    let review = look(&[("wide.py", &text)], &all());
    let told = &review.unread;
    assert!(told.len() == 1 && told[0].2.contains("in `wide` is not followed to the end"), "{told:?}");
    assert_eq!(told[0].1, 1);
    assert_eq!(review.findings.len(), 1);
}

#[test]
fn a_file_with_too_many_findings_keeps_the_worst_of_them() {
    let text = "def f(x):\n".to_string()
        + &"    requests.get('http://files.example.com/a')\n".repeat(600)
        + "    eval(x)\n";
    let review = look(&[("many.py", &format!("import requests\n\n\n{text}"))], &all());
    assert_eq!(review.findings.len(), 500);
    assert_eq!(review.findings[0].rule.id, "dynamic-execution");
    assert!(review.unread[0].2.contains("more than 500 findings"), "{:?}", review.unread);
}
