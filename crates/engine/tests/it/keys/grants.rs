//! Keys of `[[grant]]` in `ringmail.toml`.

use super::{CASE, Case, VOUCH};

const GET: &str = "chain: t\nlinks:\n  g: {kind: http, with: {url: '${input}'}}\noutput: ${g.body}";
const POST: &str = "chain: t\nlinks:\n  g: {kind: http, with: {method: POST, url: '@URL@/', body: {v: '${input}'}}}\noutput: ${g.body}";
/// Its input is tagged, and nothing of it is answered.
const TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\nlinks:\n  g: {kind: http, with: {url: '${input}'}}\noutput: 1";
const READ: &str = "chain: t\nlinks:\n  f: {kind: file, with: {op: read, path: 'in:a.txt'}}\noutput: ${f}";
const WRITE: &str = "chain: t\nlinks:\n  f: {kind: file, with: {op: write, path: 'in:b.txt', content: '${input}'}}\noutput: 1";
const WRITE_TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\nlinks:\n  f: {kind: file, with: {op: write, path: 'in:b.txt', content: '${input}'}}\noutput: 1";
const LOG: &str = "chain: t\nlinks:\n  l: {kind: log, with: {message: hello}}\noutput: 1";
const LOG_TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\nlinks:\n  l: {kind: log, with: {message: '${input}'}}\noutput: 1";
const ACT: &str = "chain: t\nlinks:\n  a: {kind: native, call: act, with: {v: '${input}'}}\noutput: 1";
const ACT_TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\nlinks:\n  a: {kind: native, call: act, with: {v: '${input}'}}\noutput: 1";
const RUN: &str =
    "chain: t\nlinks:\n  c: {kind: command, command: tool, with: {stdin: '${input}'}}\noutput: ${c.out}";
const RUN_TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\nlinks:\n  c: {kind: command, command: tool, with: {stdin: '${input}'}}\noutput: 1";
const ANSWERED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\noutput: ${input}";

macro_rules! granted {
    ($powers:literal) => {
        concat!(
            "[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"\n[[grant]]\nto = \"t\"\nreason = \"r\"\n",
            $powers
        )
    };
}

macro_rules! commanded {
    ($powers:literal) => {
        concat!(
            "[command.tool]\nprogram = \"/bin/cat\"\n[command.other]\nprogram = \"/bin/cat\"\n[[grant]]\nto = \"t\"\nreason = \"r\"\n",
            $powers
        )
    };
}

const NOTHING: &str = "nothing grants";
const THERE: &[&str] = &["\"@URL@/\""];
const TEXT: &[&str] = &["\"some text\""];

const NET: Case = Case { chain: GET, inputs: THERE, ends: ["= \"there\"", ""], ..CASE };
const FS: Case = Case { chain: WRITE, policy: VOUCH, inputs: TEXT, ends: ["= 1\n", ""], ..CASE };

pub(super) const CASES: &[Case] = &[
    Case {
        project: "<<||[[grant]]\nto = \"t\"\nreason = \"r\"\nlog = {}>>",
        chain: LOG,
        ends: [NOTHING, "= 1\n"],
        ..CASE
    },
    Case {
        project: "[[grant]]\nto = \"<<t.l||t.other>>\"\nreason = \"r\"\nlog = {}",
        chain: LOG,
        ends: ["= 1\n", NOTHING],
        ..CASE
    },
    Case {
        project: granted!("expires = <<2999||2001>>-01-01\nlog = {}"),
        chain: LOG,
        ends: ["= 1\n", "expired"],
        ..CASE
    },
    Case {
        project: granted!("<<net = [{ address = \"@URL@\" }]||>>"),
        ends: ["= \"there\"", NOTHING],
        ..NET
    },
    Case {
        project: granted!("net = [{ address = \"<<@URL@||http://127.0.0.1:1>>\" }]"),
        ends: ["= \"there\"", "refused no-grant"],
        ..NET
    },
    Case {
        project: granted!("net = [{ address = \"@URL@\", methods = [\"<<GET||POST>>\"] }]"),
        ends: ["= \"there\"", NOTHING],
        ..NET
    },
    Case {
        project: granted!("net = [{ address = \"@URL@\", clearance = [<<\"pii\"||>>] }]"),
        chain: TAGGED,
        ends: ["= 1\n", "carries `pii`"],
        ..NET
    },
    Case {
        project: granted!(
            "net = [{ address = \"@URL@\", methods = [\"POST\"], trusted = [<<||\"body.v\">>] }]"
        ),
        chain: POST,
        ends: ["= \"there\"", "refused untrusted-argument"],
        ..NET
    },
    Case {
        project: granted!("net = [{ address = \"@URL@\", <<||consequential = true>> }]"),
        ends: ["= \"there\"", "refused untrusted-argument"],
        ..NET
    },
    Case {
        project: granted!("net = [{ address = \"@URL@\", <<||label = [\"inner\"]>> }]"),
        ends: ["= \"there\"", "carries `inner`"],
        ..NET
    },
    Case {
        project: granted!(
            "net = [{ address = \"http://name.test:@PORT@\", <<resolves_to = [\"127.0.0.0/8\"]||>> }]"
        ),
        inputs: &["\"http://name.test:@PORT@/\""],
        ends: ["= \"there\"", "refused special-address"],
        ..NET
    },
    Case {
        project: granted!("net = [{ address = \"@URL@\", response_max = \"<<1MiB||1KiB>>\" }]"),
        inputs: &["\"@URL@/big\""],
        ends: ["= \"xxx", "larger than 1024 bytes"],
        ..NET
    },
    Case {
        project: concat!(
            granted!(
                "net = [{ address = \"https://name.test:@TLS@\", resolves_to = [\"127.0.0.1\"], pins = [\"<<@PRINT@||0000000000000000000000000000000000000000000000000000000000000000>>\"] }]"
            ),
            "\n[net]\nextra_roots = [\"ca.pem\"]"
        ),
        inputs: &["\"https://name.test:@TLS@/\""],
        ends: ["= \"safe\"", "failed: unavailable"],
        ..NET
    },
    Case {
        project: granted!("<<fs = [{ mount = \"in\", access = \"write\" }]||>>"),
        ends: ["= 1\n", NOTHING],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"<<in||out>>\", access = \"write\" }]"),
        ends: ["= 1\n", NOTHING],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"<<write||read>>\" }]"),
        ends: ["= 1\n", NOTHING],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"write\", clearance = [<<\"pii\"||>>] }]"),
        chain: WRITE_TAGGED,
        ends: ["= 1\n", "carries `pii`"],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"write\", trusted = [<<||\"content\">>] }]"),
        policy: CASE.policy,
        ends: ["= 1\n", "refused untrusted-argument"],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"read\", <<||label = [\"inner\"]>> }]"),
        chain: READ,
        ends: ["a text of", "carries `inner`"],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"read\", extensions = [\"<<txt||json>>\"] }]"),
        chain: READ,
        ends: ["a text of", "`txt`"],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"read\", file_max = \"<<1KiB||10B>>\" }]"),
        chain: READ,
        ends: ["a text of", "the file is larger than 10 bytes"],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"write\", quota = \"<<1KiB||20B>>\" }]"),
        ends: ["= 1\n", "the mount would hold more than"],
        ..FS
    },
    Case {
        project: granted!("fs = [{ mount = \"in\", access = \"write\", files = <<2||1>> }]"),
        ends: ["= 1\n", "the mount would hold more than"],
        ..FS
    },
    Case { project: granted!("<<log = {}||>>"), chain: LOG, ends: ["= 1\n", NOTHING], ..CASE },
    Case {
        project: granted!("log = { clearance = [<<\"pii\"||>>] }"),
        chain: LOG_TAGGED,
        inputs: TEXT,
        ends: ["= 1\n", "carries `pii`"],
        ..CASE
    },
    Case {
        project: granted!("<<effect = [{ name = \"act\" }]||>>"),
        chain: ACT,
        policy: VOUCH,
        ends: ["= 1\n", NOTHING],
        ..CASE
    },
    Case {
        project: granted!("effect = [{ name = \"<<act||other>>\" }]"),
        chain: ACT,
        policy: VOUCH,
        ends: ["= 1\n", NOTHING],
        ..CASE
    },
    Case {
        project: granted!("effect = [{ name = \"act\", clearance = [<<\"pii\"||>>] }]"),
        chain: ACT_TAGGED,
        policy: VOUCH,
        inputs: TEXT,
        ends: ["= 1\n", "carries `pii`"],
        ..CASE
    },
    Case {
        project: granted!("effect = [{ name = \"act\", trusted = [<<||\"v\">>] }]"),
        chain: ACT,
        ends: ["= 1\n", "refused untrusted-argument"],
        ..CASE
    },
    Case {
        project: commanded!("<<command = [{ name = \"tool\", trusted = [] }]||>>"),
        chain: RUN,
        inputs: TEXT,
        ends: ["= \"some text\"", NOTHING],
        ..CASE
    },
    Case {
        project: commanded!("command = [{ name = \"<<tool||other>>\", trusted = [] }]"),
        chain: RUN,
        inputs: TEXT,
        ends: ["= \"some text\"", NOTHING],
        ..CASE
    },
    Case {
        project: commanded!("command = [{ name = \"tool\", trusted = [], clearance = [<<\"pii\"||>>] }]"),
        chain: RUN_TAGGED,
        inputs: TEXT,
        ends: ["= 1\n", "carries `pii`"],
        ..CASE
    },
    Case {
        project: commanded!("command = [{ name = \"tool\", trusted = [<<||\"stdin\">>] }]"),
        chain: RUN,
        inputs: TEXT,
        ends: ["= \"some text\"", "refused untrusted-argument"],
        ..CASE
    },
    Case {
        project: commanded!("command = [{ name = \"tool\", trusted = [], <<||label = [\"inner\"]>> }]"),
        chain: RUN,
        inputs: TEXT,
        ends: ["= \"some text\"", "carries `inner`"],
        ..CASE
    },
    Case {
        project: granted!("<<respond = { clearance = [\"pii\"] }||>>"),
        chain: ANSWERED,
        inputs: TEXT,
        ends: ["= \"some text\"", "carries `pii`"],
        ..CASE
    },
];
