//! Keys of `plugin.toml`.

use super::guests::{
    CALLS, DRAWS, ECHO, GETS, GROWS, KEEPER, LATE, LOGS, LONG, LOOPS, POSTS, READS, SETTING, TELLS, WRITES,
};
use super::{CASE, Case};

const NET: &str = "net = [{ address = \"@URL@\", methods = [\"GET\", \"POST\"] }]";
const THERE: &str = "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: '@URL@/'}\noutput: ${p}";
const IN: &str = "[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"";
const SECRETS: &str = "[secret.a]\nfrom = \"file:one.secret\"\nbound_to = [\"@URL@\"]\n[secret.b]\nfrom = \"file:two.secret\"\nbound_to = [\"@URL@\"]";
const UNASKED: &str = "and its manifest never asks for it";

pub(super) const CASES: &[Case] = &[
    Case {
        guest: Some(ECHO),
        manifest: "plugin = \"<<p||q>>\"\nversion = \"1.0.0\"\ndescription = \"d\"\n",
        ends: ["= 1\n", "its manifest calls the plugin `q`, and not `p`"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "plugin = \"p\"\nversion = \"<<1.0.0||2.0.0>>\"\ndescription = \"d\"\n[[needs]]\nplugin = \"p\"\nversion = \"^1\"\nreason = \"r\"\n",
        ends: ["= 1\n", "`p` needs `p` ^1, and the project has 2.0.0"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "module = \"<<plugin||other>>.wasm\"\n",
        ends: ["= 1\n", "`t.p` failed: panicked"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "[input]\ntype = \"<<integer||string>>\"\n",
        ends: ["= 1\n", "the input does not fit"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "[returns]\ntype = \"<<integer||string>>\"\n",
        ends: ["= 1\n", "the output does not fit"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "<<||[[needs]]\nplugin = \"q\"\nversion = \"^1\"\nreason = \"r\"\n>>",
        ends: ["= 1\n", "`p` needs `q` ^1, and the project has none"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "[[needs]]\nplugin = \"<<p||q>>\"\nversion = \"^1\"\nreason = \"r\"\n",
        ends: ["= 1\n", "`p` needs `q` ^1, and the project has none"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        manifest: "[[needs]]\nplugin = \"p\"\nversion = \"<<^1||^2>>\"\nreason = \"r\"\n",
        ends: ["= 1\n", "`p` needs `p` ^2, and the project has 1.0.0"],
        ..CASE
    },
    Case {
        guest: Some(GETS),
        manifest: "<<[[net]]\naddress = \"@URL@\"\nmethods = [\"GET\", \"POST\"]\nreason = \"r\"\n||>>",
        grants: NET,
        chain: THERE,
        ends: ["= \"there\"", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(GETS),
        manifest: "[[net]]\naddress = \"<<@URL@||https://other.test>>\"\nreason = \"r\"\n",
        grants: "net = [{ address = \"@URL@\" }, { address = \"https://other.test\" }]",
        chain: THERE,
        ends: ["is granted `net GET/HEAD https://other.test`, and", "is granted `net GET/HEAD http://127"],
        ..CASE
    },
    Case {
        guest: Some(POSTS),
        manifest: "[[net]]\naddress = \"@URL@\"\nmethods = [\"GET\", \"<<POST||PUT>>\"]\nreason = \"r\"\n",
        grants: NET,
        chain: THERE,
        ends: ["= \"there\"", "manifest does not ask for it"],
        ..CASE
    },
    Case {
        guest: Some(READS),
        manifest: "<<[[fs]]\nmount = \"in\"\naccess = \"read\"\nreason = \"r\"\n||>>",
        grants: "fs = [{ mount = \"in\", access = \"read\" }]",
        project: IN,
        inputs: &["\"in:a.txt\""],
        ends: ["= \"a text of", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(READS),
        manifest: "[[fs]]\nmount = \"<<in||out>>\"\naccess = \"read\"\nreason = \"r\"\n",
        grants: "fs = [{ mount = \"in\", access = \"read\" }]",
        project: IN,
        inputs: &["\"in:a.txt\""],
        ends: ["= \"a text of", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(WRITES),
        manifest: "[[fs]]\nmount = \"in\"\naccess = \"<<write||read>>\"\nreason = \"r\"\n",
        grants: "fs = [{ mount = \"in\", access = \"write\" }]",
        project: IN,
        chain: "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: 'in:b.txt'}\noutput: ${p}",
        ends: ["= \"in:b.txt\"", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(LOGS),
        manifest: "<<[log]\nreason = \"r\"\n||>>",
        grants: "log = {}",
        ends: ["log [\"t.p.log: 1\"]", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(TELLS),
        manifest: "[[net]]\naddress = \"@URL@\"\nmethods = [\"GET\", \"POST\"]\nreason = \"r\"\n<<[[secret]]\nname = \"a\"\nreason = \"r\"\n||>>",
        grants: "net = [{ address = \"@URL@\", methods = [\"GET\", \"POST\"] }]\nsecret = [\"a\"]",
        project: SECRETS,
        chain: THERE,
        ends: ["first-secret-value", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(TELLS),
        manifest: "[[net]]\naddress = \"@URL@\"\nmethods = [\"GET\", \"POST\"]\nreason = \"r\"\n[[secret]]\nname = \"<<a||b>>\"\nreason = \"r\"\n",
        grants: "net = [{ address = \"@URL@\", methods = [\"GET\", \"POST\"] }]\nsecret = [\"a\"]",
        project: SECRETS,
        chain: THERE,
        ends: ["first-secret-value", "`p` is granted `secret a`"],
        ..CASE
    },
    Case {
        guest: Some(SETTING),
        manifest: "<<[[env]]\nname = \"GREETING\"\nreason = \"r\"\n||>>",
        grants: "env = [{ name = \"GREETING\", value = \"[1]\" }]",
        inputs: &["\"GREETING\""],
        ends: ["= [1]", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(SETTING),
        manifest: "[[env]]\nname = \"<<GREETING||OTHER>>\"\nreason = \"r\"\n",
        grants: "env = [{ name = \"GREETING\", value = \"[1]\" }]",
        inputs: &["\"GREETING\""],
        ends: ["= [1]", "`p` is granted `env GREETING`"],
        ..CASE
    },
    Case {
        guest: Some(KEEPER),
        manifest: "<<[kv]\nreason = \"r\"\n||>>",
        grants: "kv = {}",
        ends: ["= 1\n", UNASKED],
        inputs: &["1"],
        ..CASE
    },
    Case {
        guest: Some(LATE),
        manifest: "<<[clock]\nreason = \"r\"\n||>>",
        grants: "clock = true",
        ends: ["= 1\n", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(DRAWS),
        manifest: "<<[random]\nreason = \"r\"\n||>>",
        grants: "random = true",
        ends: ["= 1\n", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(CALLS),
        manifest: "<<[[tool]]\nname = \"double\"\nreason = \"r\"\n||>>",
        grants: "tool = [\"double\"]",
        inputs: &["\"double,21\""],
        ends: ["= 42", UNASKED],
        ..CASE
    },
    Case {
        guest: Some(CALLS),
        manifest: "[[tool]]\nname = \"<<double||note>>\"\nreason = \"r\"\n",
        grants: "tool = [\"double\"]",
        inputs: &["\"double,21\""],
        ends: ["= 42", "`p` is granted `tool double`"],
        ..CASE
    },
    Case {
        guest: Some(GROWS),
        manifest: "[limits]\nfuel = 1000000\n<<||memory = \"1MiB\"\n>>",
        ends: ["= 1\n", "it asked for more than 1048576 bytes of memory"],
        ..CASE
    },
    Case {
        guest: Some(LOOPS),
        manifest: "[limits]\ntime = \"<<50ms||51ms>>\"\n",
        ends: ["it ran longer than 50 ms", "it ran longer than 51 ms"],
        ..CASE
    },
    Case {
        guest: Some(LOOPS),
        manifest: "<<||[limits]\nfuel = 1000\n>>",
        grants: "[plugin.p.limits]\ntime = \"50ms\"",
        ends: ["it ran longer than 50 ms", "it used more than 1000 units of fuel"],
        ..CASE
    },
    Case {
        guest: Some(LONG),
        manifest: "[limits]\nfuel = 1000000\n<<||output = \"1KiB\"\n>>",
        ends: ["= 1\n", "its output is larger than 1024 bytes"],
        ..CASE
    },
    Case {
        guest: Some(LOGS),
        manifest: "[log]\nreason = \"r\"\n[limits]\nfuel = 1000000\n<<||asks = 0\n>>",
        grants: "log = {}",
        ends: ["= 1\n", "it asked the host more than 0 times"],
        ..CASE
    },
    Case {
        guest: Some(GETS),
        manifest: "[[net]]\naddress = \"@URL@\"\nreason = \"r\"\n[limits]\nasks = 10\n<<||data_out = \"5B\"\n>>",
        grants: "net = [{ address = \"@URL@\" }]",
        chain: THERE,
        ends: ["= \"there\"", "as much as `limits.data_out` lets it"],
        ..CASE
    },
    Case {
        guest: Some(GETS),
        manifest: "[[net]]\naddress = \"@URL@\"\nreason = \"r\"\n[limits]\nasks = 10\n<<||data_in = \"5B\"\n>>",
        grants: "net = [{ address = \"@URL@\" }]",
        chain: THERE,
        ends: ["= \"there\"", "as much as `limits.data_in` lets it"],
        ..CASE
    },
];
