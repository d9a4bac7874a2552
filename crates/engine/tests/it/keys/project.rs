//! The other keys of `ringmail.toml` that an engine knows.

use super::{CASE, Case};

const SENDS: &str = "chain: t\nlinks:\n  g: {kind: http, with: {url: '@URL@/', headers: {x-key: '${secrets.a}'}}}\noutput: ${g.body}";
const GET: &str = "chain: t\nlinks:\n  g: {kind: http, with: {url: '@URL@/'}}\noutput: ${g.body}";
const SECURE: &str =
    "chain: t\nlinks:\n  g: {kind: http, with: {url: 'https://name.test:@TLS@/'}}\noutput: ${g.body}";
const READ: &str = "chain: t\nlinks:\n  f: {kind: file, with: {op: read, path: 'in:a.txt'}}\noutput: ${f}";
const RUN: &str = "chain: t\nlinks:\n  c: {kind: command, command: tool, with: {stdin: x}}\noutput: ${c.out}";
const TWO: &str = "chain: t\nlinks:\n  a: {kind: native, call: same, with: 1}\n  b: {kind: native, call: same, with: '${a}'}\noutput: ${b}";
const WAITS: &str = "chain: t\nlinks:\n  w: {kind: wait, with: {for: 300ms}}\noutput: 1";
const DEEP: &str = "chain: t\nlinks:\n  d: {kind: chain, chain: double, with: 1}\noutput: ${d}";
const LARGE: &str = "chain: t\nlinks:\n  a: {kind: native, call: same, with: '${input}'}\noutput: 1";

macro_rules! over {
    ($rest:literal) => {
        concat!("[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{ address = \"@URL@\" }]\n", $rest)
    };
}

macro_rules! mounted {
    ($rest:literal) => {
        concat!(
            "[[grant]]\nto = \"t\"\nreason = \"r\"\nfs = [{ mount = \"in\", access = \"read\" }]\n",
            $rest
        )
    };
}

macro_rules! secured {
    ($rest:literal) => {
        concat!(
            "[[grant]]\nto = \"t\"\nreason = \"r\"\nnet = [{ address = \"https://name.test:@TLS@\", resolves_to = [\"127.0.0.1\"] }]\n",
            $rest
        )
    };
}

pub(super) const CASES: &[Case] = &[
    Case { project: "<<||[limits]\nsteps = 1>>", chain: TWO, ends: ["= 1\n", "refused step-budget"], ..CASE },
    Case {
        project: "[limits]\nsteps = <<2||1>>",
        chain: TWO,
        ends: ["= 1\n", "refused step-budget"],
        ..CASE
    },
    Case {
        project: "[limits]\ntime = \"<<60s||20ms>>\"",
        chain: WAITS,
        ends: ["= 1\n", "refused time-budget"],
        ..CASE
    },
    Case {
        project: "[limits]\ndepth = <<2||1>>",
        chain: DEEP,
        ends: ["= 2\n", "refused depth-budget"],
        ..CASE
    },
    Case {
        project: "[limits]\nbytes = \"<<1MiB||10B>>\"",
        chain: LARGE,
        inputs: &["\"a text of some length\""],
        ends: ["= 1\n", "refused byte-budget"],
        ..CASE
    },
    Case {
        project: over!("<<[secret.a]\nfrom = \"file:one.secret\"\nbound_to = [\"@URL@\"]||>>"),
        chain: SENDS,
        ends: ["first-secret-value", "not loaded"],
        ..CASE
    },
    Case {
        project: over!("[secret.a]\nfrom = \"file:<<one||two>>.secret\"\nbound_to = [\"@URL@\"]"),
        chain: SENDS,
        ends: ["first-secret-value", "second-secret-value"],
        ..CASE
    },
    Case {
        project: over!(
            "[secret.a]\nfrom = \"file:one.secret\"\nbound_to = [\"<<@URL@||https://other.test>>\"]"
        ),
        chain: SENDS,
        ends: ["first-secret-value", "carries `secret:a`"],
        ..CASE
    },
    Case {
        project: mounted!("<<[mount.in]\npath = \"in\"||>>"),
        chain: READ,
        ends: ["a text of", "there is no mount `in`"],
        ..CASE
    },
    Case {
        project: mounted!("[mount.in]\npath = \"<<in||out>>\""),
        chain: READ,
        ends: ["a text of", "= \"\\\"out"],
        ..CASE
    },
    Case { project: over!("<<||[ceiling]\nnet = []>>"), chain: GET, ends: ["= \"there\"", "above"], ..CASE },
    Case {
        project: over!("[ceiling]\nnet = [\"<<@URL@||https://other.test>>\"]"),
        chain: GET,
        ends: ["= \"there\"", "ceiling"],
        ..CASE
    },
    Case {
        project: mounted!("[mount.in]\npath = \"in\"\n[ceiling]\nmounts = [<<\"in\"||>>]"),
        chain: READ,
        ends: ["a text of", "refused above-ceiling"],
        ..CASE
    },
    Case {
        project: "[command.tool]\nprogram = \"/bin/cat\"\n[[grant]]\nto = \"t\"\nreason = \"r\"\ncommand = [{ name = \"tool\" }]\n[ceiling]\ncommands = [<<\"tool\"||>>]",
        chain: RUN,
        ends: ["= \"x\"", "nothing grants"],
        ..CASE
    },
    Case {
        project: secured!("<<[net]\nextra_roots = [\"ca.pem\"]||>>"),
        chain: SECURE,
        ends: ["= \"safe\"", "no secure connection"],
        ..CASE
    },
    Case {
        project: secured!("[net]\nextra_roots = [<<\"ca.pem\"||>>]"),
        chain: SECURE,
        ends: ["= \"safe\"", "no secure connection"],
        ..CASE
    },
];
