//! Keys of `[upstream.NAME]` in `ringmail.toml`, and of grants of its tools.

use super::{CASE, Case, VOUCH};

macro_rules! up {
    ($rule:literal, $keys:literal) => {
        concat!(
            "[mount.peer]\npath = \"peer\"\n[command.peer]\nprogram = \"/usr/bin/python3\"\nargs = [\"@SCRIPT@\"]\nmounts = [{ mount = \"peer\", access = \"read\" }]\n",
            "[command.other]\nprogram = \"/bin/false\"\n[secret.one]\nfrom = \"file:one.secret\"\nbound_to = [\"@URL@\"]\n[secret.two]\nfrom = \"file:two.secret\"\nbound_to = [\"@URL@\"]\n[upstream.web]\nurl = \"@URL@/mcp\"\n",
            "[[grant]]\nto = \"t\"\nreason = \"r\"\n",
            $rule,
            "\n",
            $keys
        )
    };
}

macro_rules! keyed {
    ($keys:literal) => {
        up!("tool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [] }]", $keys)
    };
}

macro_rules! ruled {
    ($rule:literal) => {
        up!($rule, "[upstream.peer]\ncommand = \"peer\"")
    };
}

macro_rules! served {
    ($keys:literal) => {
        concat!(
            keyed!("[[grant]]\nto = \"upstream:peer\"\nreason = \"r\"\ntool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [] }]\n[upstream.peer]\ncommand = \"peer\"\n"),
            $keys
        )
    };
}

const ECHO: &str =
    "chain: t\nlinks:\n  c: {kind: tool, tool: peer/echo, with: {v: '${input}'}}\noutput: ${c.text}";
const ECHO_TAGGED: &str = "chain: t\ninput: {type: integer, x-ringmail-label: [pii]}\nlinks:\n  c: {kind: tool, tool: peer/echo, with: {v: '${input}'}}\noutput: 1";
const SLOW: &str = "chain: t\nlinks:\n  c: {kind: tool, tool: peer/slow, with: {ms: 500}}\noutput: ${c.text}";
const BIG: &str =
    "chain: t\nlinks:\n  c: {kind: tool, tool: peer/big, with: {bytes: 30000}}\noutput: ${c.text}";
const COUNT: &str = "chain: t\nlinks:\n  c: {kind: tool, tool: peer/count}\noutput: ${c.text}";
const TWICE: &str = "chain: t\nlinks:\n  a: {kind: tool, tool: peer/count}\n  w: {kind: wait, with: {for: 100ms}, after: [a]}\n  b: {kind: tool, tool: peer/count, after: [w]}\noutput: '${a.text} ${b.text}'";
const TURN: &str = "chain: t\nlinks:\n  a: {kind: tool, tool: peer/turn, with: {what: input, say: false}}\n  w: {kind: wait, with: {for: 20ms}, after: [a]}\n  b: {kind: tool, tool: peer/echo, with: {v: 1}, after: [w]}\noutput: ${b.text}";
const SERVED: &str = "chain: t\nlinks:\n  c: {kind: chain, chain: peer_echo, with: {v: '${input}'}}\noutput: '${c.content[0].text}'";

const UP: Case = Case { chain: ECHO, ends: ["= \"1\"", ""], ..CASE };
const WEB: Case = Case { ends: ["= \"echo", ""], ..UP };
const RULE: Case = Case { ends: ["= \"1\"", "nothing grants"], ..UP };

pub(super) const CASES: &[Case] = &[
    Case {
        project: keyed!("<<[upstream.peer]\ncommand = \"peer\"||>>"),
        ends: ["= \"1\"", "there is no upstream `peer`"],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"<<peer||other>>\""),
        ends: ["= \"1\"", "failed: unavailable"],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\nurl = \"<<@URL@/mcp||http://127.0.0.1:1/mcp>>\""),
        ends: ["= \"echo", "failed: unavailable: cannot connect"],
        ..WEB
    },
    Case {
        project: keyed!("[upstream.peer]\nurl = \"@URL@/mcp\"\n<<openapi = \"api.json\"||>>"),
        ends: ["= \"\\\"there\\\"\"", "= \"echo"],
        ..WEB
    },
    Case {
        project: keyed!("[upstream.peer]\nurl = \"@URL@/auth\"\n<<bearer = \"one\"||>>"),
        ends: ["= \"echo", "the server answered 401"],
        ..WEB
    },
    Case {
        project: keyed!(
            "[upstream.peer]\nurl = \"@URL@/keyed\"\n<<headers = [{ name = \"x-key\", secret = \"one\" }]||>>"
        ),
        ends: ["= \"echo", "the server answered 401"],
        ..WEB
    },
    Case {
        project: keyed!(
            "[upstream.peer]\nurl = \"@URL@/keyed\"\nheaders = [{ name = \"<<X-Key||x-other>>\", secret = \"one\" }]"
        ),
        ends: ["= \"echo", "the server answered 401"],
        ..WEB
    },
    Case {
        project: keyed!(
            "[upstream.peer]\nurl = \"@URL@/keyed\"\nheaders = [{ name = \"x-key\", secret = \"<<one||two>>\" }]"
        ),
        ends: ["= \"echo", "the server answered 401"],
        ..WEB
    },
    Case {
        project: keyed!(
            "[upstream.peer]\nurl = \"@URL@/keyed\"\nheaders = [{ name = \"<<x-key||Mcp-Name>>\", secret = \"one\" }]"
        ),
        ends: ["= \"echo", "`mcp-name` is not the project's to set"],
        ..WEB
    },
    Case {
        project: keyed!(
            "[upstream.peer]\nurl = \"http://name.test:@PORT@/mcp\"\n<<resolves_to = [\"127.0.0.0/8\"]||>>"
        ),
        ends: ["= \"echo", "refused special-address"],
        ..WEB
    },
    Case {
        project: concat!(
            keyed!(
                "[upstream.peer]\nurl = \"https://name.test:@TLS@/mcp\"\nresolves_to = [\"127.0.0.1\"]\npins = [\"<<@PRINT@||0000000000000000000000000000000000000000000000000000000000000000>>\"]"
            ),
            "\n[net]\nextra_roots = [\"ca.pem\"]"
        ),
        ends: ["the server did not answer what it was asked", "a certificate that is not pinned"],
        ..WEB
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"peer\"\n<<||tools = [\"who\"]>>"),
        ends: ["= \"1\"", "is not among the `tools`"],
        ..UP
    },
    Case {
        project: served!("serve = [\"<<echo||who>>\"]"),
        chain: SERVED,
        ends: ["= \"1\"", "there is no chain `peer_echo`"],
        ..UP
    },
    Case {
        project: served!("serve = [\"echo\"]\nprefix = \"<<peer_||x_>>\""),
        chain: SERVED,
        ends: ["= \"1\"", "there is no chain `peer_echo`"],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"peer\"\ntimeout = \"<<20s||100ms>>\""),
        chain: SLOW,
        ends: ["= \"late\"", "did not answer within 100 ms"],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"peer\"\nanswer = \"<<1MiB||20KiB>>\""),
        chain: BIG,
        ends: ["= \"xxx", "the server ended before it answered"],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"peer\"\nsessions = <<2||1>>"),
        chain: COUNT,
        inputs: &["1", "1", "1"],
        by: &["alice", "bob", "alice"],
        ends: ["= \"2\"", ""],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"peer\"\nidle = \"<<1m||1ms>>\""),
        chain: TWICE,
        ends: ["= \"1 2\"", "= \"1 1\""],
        ..UP
    },
    Case {
        project: keyed!("[upstream.peer]\ncommand = \"peer\"\ncheck = \"<<1m||1ms>>\""),
        chain: TURN,
        ends: ["= \"1\"", "refused tool-changed"],
        ..UP
    },
    Case { project: ruled!("<<tool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [] }]||>>"), ..RULE },
    Case {
        project: ruled!("tool = [{ upstream = \"<<peer||web>>\", tools = [\"*\"], trusted = [] }]"),
        ..RULE
    },
    Case {
        project: ruled!("tool = [{ upstream = \"peer\", tools = [\"<<echo||who>>\"], trusted = [] }]"),
        ..RULE
    },
    Case {
        project: ruled!(
            "tool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [], clearance = [<<\"pii\"||>>] }]"
        ),
        chain: ECHO_TAGGED,
        ends: ["= 1\n", "carries `pii`"],
        ..UP
    },
    Case {
        project: ruled!("tool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [<<||\"v\">>] }]"),
        ends: ["= \"1\"", "refused untrusted-argument"],
        ..UP
    },
    Case {
        project: ruled!("tool = [{ upstream = \"peer\", tools = [\"*\"], consequential = <<false||true>> }]"),
        ends: ["= \"1\"", "refused untrusted-argument"],
        ..UP
    },
    Case {
        project: ruled!(
            "tool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [], <<||label = [\"inner\"]>> }]"
        ),
        ends: ["= \"1\"", "carries `inner`"],
        ..UP
    },
    Case {
        project: concat!(
            ruled!("tool = [{ upstream = \"peer\", tools = [\"*\"], trusted = [] }]"),
            "\n[ceiling]\nupstreams = [<<\"peer\"||>>]"
        ),
        policy: VOUCH,
        ends: ["= \"1\"", "nothing grants"],
        ..UP
    },
];
