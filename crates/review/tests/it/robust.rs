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
