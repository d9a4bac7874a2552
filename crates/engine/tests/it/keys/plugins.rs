//! Keys of `[plugin.NAME]` in `ringmail.toml`.

use super::guests::{
    CALLS, DRAWS, ECHO, GETS, GROWS, KEEPER, LATE, LOGS, LONG, LOOPS, POSTS, READS, SETTING, TELLS, TRAPS,
    WRITES,
};
use super::{CASE, Case, VOUCH};

const ASKS: &str = "[[net]]\naddress = \"@URL@\"\nmethods = [\"GET\", \"POST\"]\nreason = \"r\"\n[[net]]\naddress = \"http://name.test:@PORT@\"\nreason = \"r\"\n[[net]]\naddress = \"https://name.test:@TLS@\"\nreason = \"r\"\n[[secret]]\nname = \"a\"\nreason = \"r\"\n[[secret]]\nname = \"b\"\nreason = \"r\"\n";
const FILES: &str = "[[fs]]\nmount = \"in\"\naccess = \"write\"\nreason = \"r\"\n[[fs]]\nmount = \"out\"\naccess = \"write\"\nreason = \"r\"\n";
const IN: &str = "[mount.in]\npath = \"in\"\n[mount.out]\npath = \"out\"";
const SECRETS: &str = "[secret.a]\nfrom = \"file:one.secret\"\nbound_to = [\"@URL@\"]\n[secret.b]\nfrom = \"file:two.secret\"\nbound_to = [\"@URL@\"]";
const THERE: &str = "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: '@URL@/'}\noutput: ${p}";
const NAME: &str =
    "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: 'http://name.test:@PORT@/'}\noutput: ${p}";
const SECURE: &str =
    "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: 'https://name.test:@TLS@/'}\noutput: ${p}";
const BIG: &str = "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: '@URL@/big'}\noutput: ${p}";
const WRITTEN: &str = "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: 'in:b.txt'}\noutput: ${p}";
/// Its input is tagged, and nothing of it is answered.
const TAGGED: &str = "chain: t\ninput: {type: string, x-ringmail-label: [pii]}\nlinks:\n  p: {kind: plugin, plugin: p, with: '${input}'}\noutput: 1";
const QUIET: &str = "chain: t\nlinks:\n  p: {kind: plugin, plugin: p, with: '${input}'}\noutput: 1";
const LOG: &str = "[log]\nreason = \"r\"\n";
const ENV: &str = "[[env]]\nname = \"GREETING\"\nreason = \"r\"\n[[env]]\nname = \"OTHER\"\nreason = \"r\"\n";
const KV: &str = "[kv]\nreason = \"r\"\n";
const TOOLS: &str =
    "[[tool]]\nname = \"double\"\nreason = \"r\"\n[[tool]]\nname = \"note\"\nreason = \"r\"\n";
const NOT_BOTH: &str = "is not both asked for and granted";
const LONG_TEXT: &str =
    "{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": 1}";

/// One that asks the address of its input.
const NET: Case = Case { guest: Some(GETS), manifest: ASKS, chain: THERE, ends: ["= \"there\"", ""], ..CASE };
/// One that reads or writes the file that its input names.
const FS: Case = Case { guest: Some(READS), manifest: FILES, project: IN, inputs: &["\"in:a.txt\""], ..CASE };

pub(super) const CASES: &[Case] = &[
    Case {
        guest: Some(ECHO),
        grants: "<<[plugin.p]\npath = \"p\"\ndigest = \"@DIGEST@\"\nreason = \"r\"||>>",
        ends: ["= 1\n", "there is no plugin `p`"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        grants: "path = \"<<p||in>>\"\ndigest = \"@DIGEST@\"\nreason = \"r\"",
        ends: ["= 1\n", "cannot read"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        grants: "path = \"p\"\ndigest = \"<<@DIGEST@||sha256:00>>\"\nreason = \"r\"",
        ends: ["= 1\n", "is not what was reviewed"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        grants: "expires = <<2999||2001>>-01-01",
        ends: ["= 1\n", "the leave to run `p` has expired"],
        ..CASE
    },
    Case {
        guest: Some(ECHO),
        grants: "isolation = \"<<instance||process>>\"",
        ends: ["= 1\n", "`p` is to run in processes of its own, and this program starts none"],
        ..CASE
    },
    Case { grants: "<<net = [{ address = \"@URL@\" }]||>>", ends: ["= \"there\"", NOT_BOTH], ..NET },
    Case {
        grants: "net = [{ address = \"<<@URL@||http://name.test:@PORT@>>\" }]",
        ends: ["= \"there\"", "rule: NoGrant"],
        ..NET
    },
    Case {
        guest: Some(POSTS),
        grants: "net = [{ address = \"@URL@\", methods = [\"<<POST||GET>>\"] }]",
        ends: ["= \"there\"", "rule: NoGrant"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\", clearance = [<<\"pii\"||>>] }]",
        chain: TAGGED,
        inputs: &["\"@URL@/\""],
        ends: ["= 1\n", "carries `pii`"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\", methods = [\"GET\", \"POST\"], <<||consequential = true>> }]",
        chain: QUIET,
        inputs: &["\"@URL@/\""],
        ends: ["/ HTTP/1.1", "rule: UntrustedArgument"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\", <<||label = [\"inner\"]>> }]",
        ends: ["= \"there\"", "carries `inner`"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"http://name.test:@PORT@\", <<resolves_to = [\"127.0.0.0/8\"]||>> }]",
        chain: NAME,
        ends: ["= \"there\"", "rule: SpecialAddress"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\", response_max = \"<<1MiB||1KiB>>\" }]",
        chain: BIG,
        ends: ["= \"xxx", "the answer is larger than 1024 bytes"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"https://name.test:@TLS@\", resolves_to = [\"127.0.0.1\"], pins = [\"<<@PRINT@||0000000000000000000000000000000000000000000000000000000000000000>>\"] }]",
        project: "[net]\nextra_roots = [\"ca.pem\"]",
        chain: SECURE,
        ends: ["= \"safe\"", "failed: native"],
        ..NET
    },
    Case {
        grants: "<<fs = [{ mount = \"in\", access = \"read\" }]||>>",
        ends: ["= \"a text of", NOT_BOTH],
        ..FS
    },
    Case {
        grants: "fs = [{ mount = \"<<in||out>>\", access = \"read\" }]",
        ends: ["= \"a text of", "rule: NoGrant"],
        ..FS
    },
    Case {
        guest: Some(WRITES),
        grants: "fs = [{ mount = \"in\", access = \"<<write||read>>\" }]",
        chain: WRITTEN,
        ends: ["= \"in:b.txt\"", "it allows reading only"],
        ..FS
    },
    Case {
        grants: "fs = [{ mount = \"in\", access = \"read\", clearance = [<<\"pii\"||>>] }]",
        chain: TAGGED,
        ends: ["= 1\n", "carries `pii`"],
        ..FS
    },
    Case {
        grants: "fs = [{ mount = \"in\", access = \"read\", <<||label = [\"inner\"]>> }]",
        ends: ["= \"a text of", "carries `inner`"],
        ..FS
    },
    Case {
        grants: "fs = [{ mount = \"in\", access = \"read\", extensions = [\"<<txt||json>>\"] }]",
        ends: ["= \"a text of", "it does not list files ending in `txt`"],
        ..FS
    },
    Case {
        grants: "fs = [{ mount = \"in\", access = \"read\", file_max = \"<<1KiB||10B>>\" }]",
        ends: ["= \"a text of", "the file is larger than 10 bytes"],
        ..FS
    },
    Case {
        guest: Some(WRITES),
        grants: "fs = [{ mount = \"in\", access = \"write\", quota = \"<<1KiB||20B>>\" }]",
        chain: WRITTEN,
        ends: ["= \"in:b.txt\"", "the mount would hold more than 20 bytes"],
        ..FS
    },
    Case {
        guest: Some(WRITES),
        grants: "fs = [{ mount = \"in\", access = \"write\", files = <<2||1>> }]",
        chain: WRITTEN,
        ends: ["= \"in:b.txt\"", "the mount would hold more than 1 files"],
        ..FS
    },
    Case {
        guest: Some(LOGS),
        manifest: LOG,
        grants: "<<log = {}||>>",
        ends: ["log [\"t.p.log: 1\"]", NOT_BOTH],
        ..CASE
    },
    Case {
        guest: Some(LOGS),
        manifest: LOG,
        grants: "log = { clearance = [<<\"pii\"||>>] }",
        chain: TAGGED,
        inputs: &["\"x\""],
        ends: ["log [\"t.p.log: \\\"x", "carries `pii`"],
        ..CASE
    },
    Case {
        guest: Some(TELLS),
        manifest: ASKS,
        grants: "net = [{ address = \"@URL@\", methods = [\"POST\"] }]\nsecret = [\"<<a||b>>\"]",
        project: SECRETS,
        chain: THERE,
        policy: VOUCH,
        ends: ["first-secret-value", "utf-8\\r\\n\\r\\n\""],
        ..CASE
    },
    Case {
        guest: Some(SETTING),
        manifest: ENV,
        grants: "<<env = [{ name = \"GREETING\", value = \"[1]\" }]||>>",
        inputs: &["\"GREETING\""],
        ends: ["= [1]", NOT_BOTH],
        ..CASE
    },
    Case {
        guest: Some(SETTING),
        manifest: ENV,
        grants: "env = [{ name = \"<<GREETING||OTHER>>\", value = \"[1]\" }]",
        inputs: &["\"GREETING\""],
        ends: ["= [1]", "failed: native"],
        ..CASE
    },
    Case {
        guest: Some(SETTING),
        manifest: ENV,
        grants: "env = [{ name = \"GREETING\", value = \"[<<1||2>>]\" }]",
        inputs: &["\"GREETING\""],
        ends: ["= [1]", "= [2]"],
        ..CASE
    },
    Case {
        guest: Some(KEEPER),
        manifest: KV,
        grants: "<<kv = {}||>>",
        inputs: &["12"],
        ends: ["= 12", NOT_BOTH],
        ..CASE
    },
    Case {
        guest: Some(KEEPER),
        manifest: KV,
        grants: "kv = { quota = \"<<1KiB||60B>>\" }",
        inputs: &[LONG_TEXT],
        ends: ["= {\"xx", "it keeps as much as it may: 60 bytes"],
        ..CASE
    },
    Case {
        guest: Some(KEEPER),
        manifest: KV,
        grants: "kv = { entries = <<2||1>> }",
        inputs: &["12", "13"],
        ends: ["= 13", "it keeps as much as it may: 1 values"],
        ..CASE
    },
    Case {
        guest: Some(KEEPER),
        manifest: KV,
        grants: "kv = { value = \"<<1KiB||60B>>\" }",
        inputs: &[LONG_TEXT],
        ends: ["= {\"xx", "the value is larger than 60 bytes"],
        ..CASE
    },
    Case {
        guest: Some(LATE),
        manifest: "[clock]\nreason = \"r\"\n",
        grants: "clock = <<true||false>>",
        ends: ["= 1\n", NOT_BOTH],
        ..CASE
    },
    Case {
        guest: Some(DRAWS),
        manifest: "[random]\nreason = \"r\"\n",
        grants: "random = <<true||false>>",
        ends: ["= 1\n", NOT_BOTH],
        ..CASE
    },
    Case {
        guest: Some(CALLS),
        manifest: TOOLS,
        grants: "tool = [\"<<double||note>>\"]",
        inputs: &["\"double,21\""],
        ends: ["= 42", "nothing grants it the tool `double`"],
        ..CASE
    },
    Case {
        guest: Some(GROWS),
        grants: "<<||limits = { memory = \"1MiB\" }>>",
        ends: ["= 1\n", "it asked for more than 1048576 bytes of memory"],
        ..CASE
    },
    Case {
        guest: Some(LOOPS),
        grants: "limits = { time = \"<<50ms||51ms>>\" }",
        ends: ["it ran longer than 50 ms", "it ran longer than 51 ms"],
        ..CASE
    },
    Case {
        guest: Some(LOOPS),
        grants: "limits = { fuel = <<1000||2000>> }",
        ends: ["more than 1000 units of fuel", "more than 2000 units of fuel"],
        ..CASE
    },
    Case {
        guest: Some(LONG),
        grants: "limits = { output = \"<<1MiB||1KiB>>\" }",
        ends: ["= 1\n", "its output is larger than 1024 bytes"],
        ..CASE
    },
    Case {
        guest: Some(LOGS),
        manifest: LOG,
        grants: "log = {}\nlimits = { asks = <<1||0>> }",
        ends: ["= 1\n", "it asked the host more than 0 times"],
        ..CASE
    },
    Case {
        grants: "net = [{ address = \"@URL@\" }]\nlimits = { data_out = \"<<1KiB||5B>>\" }",
        ends: ["= \"there\"", "as much as `limits.data_out` lets it"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\" }]\nlimits = { data_in = \"<<1KiB||5B>>\" }",
        ends: ["= \"there\"", "as much as `limits.data_in` lets it"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\" }]\nquota = { requests = 1, every = \"<<1ms||1h>>\" }",
        inputs: &["1", "1"],
        ends: ["\", \"GET / ", "as much as `quota.requests` lets it"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\" }]\n<<||quota = { requests = 1 }>>",
        inputs: &["1", "1"],
        ends: ["\", \"GET / ", "as much as `quota.requests` lets it"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\" }]\nquota = { data_out = \"<<1KiB||5B>>\" }",
        ends: ["= \"there\"", "as much as `quota.data_out` lets it"],
        ..NET
    },
    Case {
        grants: "net = [{ address = \"@URL@\" }]\nquota = { data_in = \"<<1KiB||5B>>\" }",
        ends: ["= \"there\"", "as much as `quota.data_in` lets it"],
        ..NET
    },
    Case {
        guest: Some(WRITES),
        grants: "fs = [{ mount = \"in\", access = \"write\" }]\nquota = { writes = <<1||0>> }",
        chain: WRITTEN,
        ends: ["= \"in:b.txt\"", "as much as `quota.writes` lets it"],
        ..FS
    },
    Case {
        guest: Some(WRITES),
        grants: "fs = [{ mount = \"in\", access = \"write\" }]\nquota = { written = \"<<1KiB||5B>>\" }",
        chain: WRITTEN,
        ends: ["= \"in:b.txt\"", "as much as `quota.written` lets it"],
        ..FS
    },
    Case {
        guest: Some(LOGS),
        manifest: LOG,
        grants: "log = {}\nquota = { lines = <<1||0>> }",
        ends: ["log [\"t.p.log: 1\"]", "as much as `quota.lines` lets it"],
        ..CASE
    },
    Case {
        guest: Some(LOGS),
        manifest: LOG,
        grants: "log = {}\nquota = { logged = \"<<1KiB||1B>>\" }",
        inputs: &["12345"],
        ends: ["log [\"t.p.log: 12345\"]", "as much as `quota.logged` lets it"],
        ..CASE
    },
    Case { guest: Some(TRAPS), grants: "dumps = <<1||0>>", ends: ["dumps 1\n", "dumps 0\n"], ..CASE },
];
