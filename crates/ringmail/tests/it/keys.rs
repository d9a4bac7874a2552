//! The keys that the binary reads, or that only it can show at work: each changes what a command does. Which key a case
//! is about, its two documents say; the engine's tests walk the schemas and know which keys are left to these.

mod forwards;
mod providers;
mod retention;
mod schedules;
#[path = "../../../engine/tests/it/keys/schema.rs"]
mod schema;

use crate::guest::Guest;
use crate::providers::{secret_file, service_account};
use crate::setup::Place;
use crate::shop::{Release, publisher, sign};
use ringmail_engine::PluginFolder;
use ringmail_engine::core::label::TagTable;
use schema::{MANIFEST, PROJECT};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A document with `<<one||other>>` where its two versions differ, what is done with it, and what is seen of each.
struct Case {
    file: &'static str,
    text: &'static str,
    place: fn() -> Place,
    commands: &'static [&'static [&'static str]],
    ends: [&'static str; 2],
}

const CASE: Case = Case { file: PROJECT, text: "", place: plain, commands: &[&["run", "t"]], ends: ["", ""] };

/// Chains that show who runs them, and a plugin.
fn plain() -> Place {
    let place = Place::empty();
    place.write(
        "chains/t.yaml",
        "chain: t\nlinks:\n  l: {kind: log, with: {message: logged}}\noutput: ${json(run)}\n",
    );
    place.write("others/u.yaml", "chain: t\noutput: from elsewhere\n");
    place.write("chains/p.yaml", "chain: p\nlinks:\n  p: {kind: plugin, plugin: p, with: 1}\noutput: ${p}\n");
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place.write(
        "strict/none.cedar",
        "permit (principal == Ringmail::Principal::\"nobody\", action, resource);\n",
    );
    place
}

/// A policy that lets one role run, and a chain that calls no plugin.
fn roles() -> Place {
    let place = plain();
    std::fs::remove_file(place.path().join("chains/p.yaml")).unwrap();
    place.write("chains/t.yaml", "chain: t\noutput: ${json(run)}\n");
    place.write("policies/all.cedar", "permit (principal in Ringmail::Role::\"desk\", action, resource);\n");
    place
}

fn alone() -> Place {
    let place = plain();
    std::fs::remove_file(place.path().join("chains/p.yaml")).unwrap();
    place.write("chains/t.yaml", "chain: t\noutput: ${json(run)}\n");
    place
}

fn packed() -> Place {
    let place = Place::project();
    for name in ["acme", "other"] {
        place.write(&format!("{name}.public"), &publisher(&place, name));
    }
    let name = Release::default().pack(&place);
    sign(&place, &name, "acme");
    place
}

/// The plugin is installed, and everybody is believed.
fn installed() -> Place {
    let place = packed();
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place.write(
        "chains/use.yaml",
        "chain: use\nlinks:\n  m: {kind: plugin, plugin: mask, with: '${input}'}\noutput: ${m}\n",
    );
    let text =
        filled(&place, "[publisher.acme]\nkeys = [{ public = \"@ACME@\" }]\nplugins = [\"mask\"]\n", &[]);
    place.write(PROJECT, &text);
    assert_eq!(place.run(&["plugin", "install", "mask-1.0.0.tar"]).code, 0);
    place
}

fn shelved() -> Place {
    let place = packed();
    std::fs::create_dir(place.path().join("shelf")).unwrap();
    std::fs::create_dir(place.path().join("empty")).unwrap();
    std::fs::rename(place.path().join("mask-1.0.0.tar"), place.path().join("shelf/mask-1.0.0.tar")).unwrap();
    for folder in ["shelf", "empty"] {
        assert_eq!(place.run(&["plugin", "index", folder]).code, 0);
    }
    place.write("one.secret", "first-secret");
    place.write("two.secret", "second-secret");
    for name in ["one.secret", "two.secret"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(place.path().join(name), mode).unwrap();
    }
    place
}

/// The same, with an index that is signed.
fn signed_shelf() -> Place {
    let place = shelved();
    let sign = ["plugin", "index", "shelf", "--registry", "main", "--key", "acme.key"];
    assert_eq!(place.run(&sign).code, 0);
    place
}

/// Something is known of the plugin.
fn advised() -> Place {
    let place = packed();
    let affected = r#"[{"package": {"ecosystem": "Ringmail", "name": "mask"}}]"#;
    let known = format!(
        "{{\"id\": \"HOLE-1\", \"database_specific\": {{\"severity\": \"HIGH\"}}, \"affected\": {affected}}}"
    );
    place.write("osv/one.json", &known);
    // Of another plugin.
    place.write("none/one.json", &known.replace("mask", "other"));
    place
}

/// A chain under a signature.
fn signed() -> Place {
    let place = packed();
    std::fs::remove_dir_all(place.path().join("chains")).unwrap();
    place.write("chains/t.yaml", "chain: t\noutput: 1\n");
    let sign = ["sign", "chains/t.yaml", "--publisher", "acme", "--key", "acme.key"];
    assert_eq!(place.run(&sign).code, 0);
    place
}

fn python() -> Place {
    programs(Place::with_python())
}

fn fast() -> Place {
    programs(Place::with_fast_python())
}

fn programs(place: Place) -> Place {
    for entry in std::fs::read_dir(place.path().join("chains")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    place.write("policies/all.cedar", "permit (principal, action, resource);\n");
    place.write("one/shop.py", "VAT = 1\n");
    place.write("two/shop.py", "VAT = 2\n");
    for (name, code) in [
        ("plain", "result = f'sum {1 + 2}'"),
        ("imports", "import shop\nresult = f'vat {shop.VAT}'"),
        ("late", "import time\nresult = time.time() > 1e9"),
        ("loops", "while True: pass"),
        ("grows", "result = len('x' * 30000000)"),
        ("long", "result = 'x' * 5000"),
    ] {
        let code: String = code.lines().map(|line| format!("      {line}\n")).collect();
        let text =
            format!("chain: {name}\nlinks:\n  p:\n    kind: python\n    code: |\n{code}output: ${{p}}\n");
        place.write(&format!("chains/{name}.yaml"), &text);
    }
    let draws = "{kind: python, code: 'import random; result = random.random()'}";
    place.write(
        "chains/draws.yaml",
        &format!("chain: draws\nlinks:\n  a: {draws}\n  b: {draws}\noutput: ${{a == b}}\n"),
    );
    place.write("chains/one.yaml", "chain: one\noutput: 1\n");
    let asks = "chain: asks\nlinks:\n  p: {kind: python, tools: [one], code: 'result = f\"one {one()}\"'}\noutput: ${p}\n";
    place.write("chains/asks.yaml", asks);
    place
}

const PLUGIN: &str = "[plugin.p]\npath = \"p\"\ndigest = \"@DIGEST@\"\nreason = \"r\"\n";
/// Reads what the manifest says of itself.
const INSPECT: &[&[&str]] = &[&["plugin", "inspect", "p"]];
const EXPLAIN: &[&[&str]] = &[&["plugin", "explain", "p"]];
const INSTALL: &[&[&str]] = &[&["plugin", "install", "mask-1.0.0.tar"]];
const FROM: &[&[&str]] = &[&["plugin", "install", "mask"]];
const USE: &[&[&str]] = &[&["run", "use", "--input", "\"hello\""]];
const ASKED: Case = Case { file: MANIFEST, commands: INSPECT, ends: ["first words", "other words"], ..CASE };
const INSTALLED: Case =
    Case { place: packed, commands: INSTALL, ends: ["it may do nothing yet", ""], ..CASE };
const OFFERED: Case = Case { place: shelved, commands: FROM, ends: ["it may do nothing yet", ""], ..CASE };
const ADVISED: Case = Case { place: advised, ..INSTALLED };
const INDEXED: Case = Case { place: signed_shelf, ..OFFERED };
const PROGRAM: Case = Case { place: python, ..CASE };
const QUICK: Case = Case { place: fast, commands: &[&["run", "plain", "--figures"]], ..CASE };

macro_rules! asks {
    ($table:literal) => {
        Case { text: concat!($table, "reason = \"<<first words||other words>>\"\n"), ..ASKED }
    };
}

macro_rules! believed {
    ($rest:literal) => {
        concat!("[publisher.acme]\nkeys = [{ public = \"@ACME@\" }]\nplugins = [\"mask\"]\n", $rest)
    };
}

macro_rules! programs {
    ($rest:literal) => {
        concat!(
            "[python]\ninterpreter = \".ringmail/python/interpreter.wasm\"\ndigest = \"@PYTHON@\"\n",
            $rest
        )
    };
}

const PLAIN: &[Case] = &[
    Case {
        text: "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"<<first words||other words>>\"\n",
        ..ASKED
    },
    asks!("[[needs]]\nplugin = \"q\"\nversion = \"^1\"\n"),
    asks!("[[net]]\naddress = \"https://a.example\"\n"),
    asks!("[[fs]]\nmount = \"in\"\naccess = \"read\"\n"),
    asks!("[log]\n"),
    asks!("[[secret]]\nname = \"s\"\n"),
    asks!("[[env]]\nname = \"S\"\n"),
    asks!("[kv]\n"),
    asks!("[clock]\n"),
    asks!("[random]\n"),
    asks!("[[tool]]\nname = \"t\"\n"),
    Case {
        text: "[[grant]]\nto = \"t.l\"\nreason = \"<<first words||other words>>\"\nlog = {}\n",
        commands: &[&["inspect", "t"]],
        ends: ["first words", "other words"],
        ..CASE
    },
    Case {
        text: "[[grant]]\nto = \"t.l\"\nreason = \"r\"\napproved_by = \"<<maria||peter>>\"\nlog = {}\n",
        commands: &[&["inspect", "t"]],
        ends: ["approved by maria", "approved by peter"],
        ..CASE
    },
    Case {
        text: "[plugin.p]\npath = \"p\"\ndigest = \"@DIGEST@\"\nreason = \"<<first words||other words>>\"\n",
        commands: EXPLAIN,
        ends: ["first words", "other words"],
        ..CASE
    },
    Case {
        text: "[plugin.p]\npath = \"p\"\ndigest = \"@DIGEST@\"\nreason = \"r\"\napproved_by = \"<<maria||peter>>\"\n",
        commands: EXPLAIN,
        ends: ["approved by maria", "approved by peter"],
        ..CASE
    },
    Case {
        place: installed,
        text: believed!(
            "[publisher.other]\nkeys = [{ public = \"@OTHER@\" }]\n[plugin.mask]\npublisher = \"<<acme||other>>\"\ndigest = \"@MASK@\"\nreason = \"r\"\n"
        ),
        commands: USE,
        ends: ["hello", "it was published by `acme`"],
        ..CASE
    },
    Case {
        place: roles,
        text: "<<[[principal]]\nname = \"alice\"\nroles = [\"desk\"]\n||>>",
        commands: &[&["run", "t", "--as", "alice"]],
        ends: ["\"principal\":\"alice\"", "there is no principal `alice`"],
        ..CASE
    },
    Case {
        place: roles,
        text: "[[principal]]\nname = \"<<alice||bob>>\"\nroles = [\"desk\"]\n",
        commands: &[&["run", "t", "--as", "alice"]],
        ends: ["\"principal\":\"alice\"", "there is no principal `alice`"],
        ..CASE
    },
    Case {
        place: roles,
        text: "[[principal]]\nname = \"alice\"\nroles = [\"<<desk||other>>\"]\n",
        commands: &[&["run", "t", "--as", "alice"]],
        ends: ["\"roles\":[\"desk\"]", "refused"],
        ..CASE
    },
    Case {
        place: roles,
        text: "[[principal]]\nname = \"alice\"\nroles = [\"desk\"]\ntenant = \"<<acme||other>>\"\n",
        commands: &[&["run", "t", "--as", "alice"]],
        ends: ["\"tenant\":\"acme\"", "\"tenant\":\"other\""],
        ..CASE
    },
    Case {
        place: alone,
        text: "[[principal]]\nname = \"alice\"\n<<[run]\nas = \"alice\"\n||>>",
        ends: ["\"principal\":\"alice\"", "\"principal\":\"host\""],
        ..CASE
    },
    Case {
        place: alone,
        text: "<<||[project]\nname = \"shop\"\n>>",
        ends: ["\"project\":\"ringmail\"", "\"project\":\"shop\""],
        ..CASE
    },
    Case {
        place: alone,
        text: "[project]\nchains = \"<<chains||others>>\"\n",
        ends: ["\"roles\":", "from elsewhere"],
        ..CASE
    },
    Case {
        place: alone,
        text: "[project]\npolicies = \"<<policies||strict>>\"\n",
        ends: ["\"roles\":", "refused"],
        ..CASE
    },
    Case {
        place: alone,
        text: "[project]\ndata = \"<<.ringmail||elsewhere>>\"\n",
        ends: ["in .ringmail", "in elsewhere"],
        ..CASE
    },
    Case {
        place: alone,
        text: "[project]\nrequire_signed = <<false||true>>\n",
        ends: ["\"roles\":", "not signed"],
        ..CASE
    },
];

const PUBLISHERS: &[Case] = &[
    Case {
        text: "<<[publisher.acme]\nkeys = [{ public = \"@ACME@\" }]\nplugins = [\"mask\"]\n||>>",
        ends: ["it may do nothing yet", "does not know its publisher `acme`"],
        ..INSTALLED
    },
    Case {
        text: "[publisher.acme]\nkeys = [<<{ public = \"@ACME@\" }||>>]\nplugins = [\"mask\"]\n",
        ends: ["it may do nothing yet", "has no key"],
        ..INSTALLED
    },
    Case {
        text: "[publisher.acme]\nkeys = [{ public = \"<<@ACME@||@OTHER@>>\" }]\nplugins = [\"mask\"]\n",
        ends: ["it may do nothing yet", "a key that is none of `acme`'s"],
        ..INSTALLED
    },
    Case {
        text: "[publisher.acme]\nkeys = [{ public = \"@ACME@\", not_before = <<2001||2999>>-01-01 }]\nplugins = [\"mask\"]\n",
        ends: ["it may do nothing yet", "could not sign"],
        ..INSTALLED
    },
    Case {
        text: "[publisher.acme]\nkeys = [{ public = \"@ACME@\", not_after = <<2999||2001>>-01-01 }]\nplugins = [\"mask\"]\n",
        ends: ["it may do nothing yet", "could not sign"],
        ..INSTALLED
    },
    Case {
        text: "[publisher.acme]\nkeys = [{ public = \"@ACME@\"<<||, revoked = \"a stolen laptop\">> }]\nplugins = [\"mask\"]\n",
        ends: ["it may do nothing yet", "a stolen laptop"],
        ..INSTALLED
    },
    Case {
        text: "[publisher.acme]\nkeys = [{ public = \"@ACME@\" }]\nplugins = [\"<<mask||tools>>\"]\n",
        ends: ["it may do nothing yet", "may not publish the plugin `mask`"],
        ..INSTALLED
    },
    Case {
        place: signed,
        text: "[publisher.acme]\nkeys = [{ public = \"@ACME@\" }]\nfiles = <<true||false>>\n",
        commands: &[&["verify", "chains/t.yaml"]],
        ends: ["signed by acme", "may not sign files"],
        ..CASE
    },
];

const REGISTRIES: &[Case] = &[
    Case {
        text: believed!("<<[registry.main]\nfolder = \"shelf\"\n||>>"),
        ends: ["it may do nothing yet", "registry"],
        ..OFFERED
    },
    Case {
        text: believed!("[registry.main]\nfolder = \"<<shelf||empty>>\"\n"),
        ends: ["it may do nothing yet", "there is none"],
        ..OFFERED
    },
    Case {
        text: believed!("[registry.main]\nurl = \"http://127.0.0.1:@PORT@/<<one||two>>/\"\n"),
        ends: ["GET /one/index.json", "GET /two/index.json"],
        ..OFFERED
    },
    Case {
        text: believed!("[registry.main]\noci = \"http://127.0.0.1:@PORT@/<<one||two>>\"\n"),
        ends: ["GET /v2/one/mask/", "GET /v2/two/mask/"],
        ..OFFERED
    },
    Case {
        text: believed!(
            "[registry.main]\nfolder = \"shelf\"\n[registry.empty]\nfolder = \"empty\"\nplugins = [\"<<other||mask>>\"]\n"
        ),
        ends: ["it may do nothing yet", "there is none"],
        ..OFFERED
    },
    Case {
        text: believed!(
            "[registry.main]\nurl = \"https://localhost:@PORT@/\"\nresolves_to = [<<\"127.0.0.0/8\", \"::1\"||>>]\n"
        ),
        ends: ["no secure connection", "special"],
        ..OFFERED
    },
    Case {
        text: believed!(
            "[registry.main]\nurl = \"http://127.0.0.1:@PORT@/\"\nsecret = \"<<one||two>>\"\n[secret.one]\nfrom = \"file:one.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\"]\n[secret.two]\nfrom = \"file:two.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\"]\n"
        ),
        ends: ["Bearer first-secret", "Bearer second-secret"],
        ..OFFERED
    },
    Case {
        text: believed!(
            "[registry.main]\nurl = \"http://127.0.0.1:@PORT@/private/\"\nsecret = \"one\"\nuser = \"<<ci||other>>\"\n[secret.one]\nfrom = \"file:one.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\"]\n"
        ),
        ends: ["Basic Y2k6Zmlyc3Qtc2VjcmV0", "Basic b3RoZXI6Zmlyc3Qtc2VjcmV0"],
        ..OFFERED
    },
    Case {
        text: believed!("[registry.main]\nfolder = \"shelf\"\n<<||keys = [{ public = \"@OTHER@\" }]\n>>"),
        ends: ["it may do nothing yet", "its index is not signed"],
        ..OFFERED
    },
    Case {
        text: believed!(
            "[registry.main]\nfolder = \"shelf\"\nkeys = [{ public = \"<<@ACME@||@OTHER@>>\" }]\n"
        ),
        ends: ["it may do nothing yet", "a key that is none of `main`'s"],
        ..INDEXED
    },
    Case {
        text: believed!(
            "[registry.main]\nfolder = \"shelf\"\nkeys = [{ public = \"@ACME@\", not_before = <<2001||2999>>-01-01 }]\n"
        ),
        ends: ["it may do nothing yet", "could not sign"],
        ..INDEXED
    },
    Case {
        text: believed!(
            "[registry.main]\nfolder = \"shelf\"\nkeys = [{ public = \"@ACME@\", not_after = <<2999||2001>>-01-01 }]\n"
        ),
        ends: ["it may do nothing yet", "could not sign"],
        ..INDEXED
    },
    Case {
        text: believed!(
            "[registry.main]\nfolder = \"shelf\"\nkeys = [{ public = \"@ACME@\"<<||, revoked = \"a stolen laptop\">> }]\n"
        ),
        ends: ["it may do nothing yet", "a stolen laptop"],
        ..INDEXED
    },
    Case {
        text: believed!(
            "[registry.main]\nfolder = \"shelf\"\nkeys = [{ public = \"@ACME@\" }]\nfresh = \"<<1d||1ms>>\"\n"
        ),
        ends: ["it may do nothing yet", "longer than 1ms ago"],
        ..INDEXED
    },
];

const KNOWN: &[Case] = &[
    Case {
        text: believed!("<<||[advisories]\npath = \"osv\"\n>>"),
        ends: ["it may do nothing yet", "is not installed: HOLE-1"],
        ..ADVISED
    },
    Case {
        text: believed!("[advisories]\npath = \"<<none||osv>>\"\n"),
        ends: ["it may do nothing yet", "is not installed: HOLE-1"],
        ..ADVISED
    },
    Case {
        text: believed!("[advisories]\npath = \"osv\"\nrefuse = \"<<critical||high>>\"\n"),
        ends: ["it may do nothing yet", "is not installed: HOLE-1"],
        ..ADVISED
    },
];

const PROGRAMS: &[Case] = &[
    Case {
        text: "<<[python]\ninterpreter = \".ringmail/python/interpreter.wasm\"\ndigest = \"@PYTHON@\"\n||>>",
        commands: &[&["run", "plain"]],
        ends: ["sum 3", "needs a Python interpreter"],
        ..PROGRAM
    },
    Case {
        text: "[python]\ninterpreter = \".ringmail/python/<<interpreter||none>>.wasm\"\ndigest = \"@PYTHON@\"\n",
        commands: &[&["run", "plain"]],
        ends: ["sum 3", "none.wasm"],
        ..PROGRAM
    },
    Case {
        text: "[python]\ninterpreter = \".ringmail/python/interpreter.wasm\"\ndigest = \"<<@PYTHON@||sha256:00>>\"\n",
        commands: &[&["run", "plain"]],
        ends: ["sum 3", "is not what was set up"],
        ..PROGRAM
    },
    Case {
        text: programs!("<<fast = { interpreter = \".ringmail/python/fast.wasm\", digest = \"@FAST@\" }||>>"),
        ends: ["fast 1 call", "whole 1 call"],
        ..QUICK
    },
    Case {
        text: programs!(
            "fast = { interpreter = \".ringmail/python/<<fast||none>>.wasm\", digest = \"@FAST@\" }"
        ),
        ends: ["fast 1 call", "none.wasm"],
        ..QUICK
    },
    Case {
        text: programs!(
            "fast = { interpreter = \".ringmail/python/fast.wasm\", digest = \"<<@FAST@||sha256:00>>\" }"
        ),
        ends: ["fast 1 call", "is not what was set up"],
        ..QUICK
    },
    Case {
        text: programs!("<<libraries = [{ path = \"one\", digest = \"@ONE@\" }]||>>"),
        commands: &[&["run", "imports"]],
        ends: ["vat 1", "No module named 'shop'"],
        ..PROGRAM
    },
    Case {
        text: programs!("libraries = [{ path = \"<<one||two>>\", digest = \"@ONE@\" }]"),
        commands: &[&["run", "imports"]],
        ends: ["vat 1", "the library in `two` is not what was reviewed"],
        ..PROGRAM
    },
    Case {
        text: programs!("libraries = [{ path = \"one\", digest = \"<<@ONE@||sha256:00>>\" }]"),
        commands: &[&["run", "imports"]],
        ends: ["vat 1", "is not what was reviewed"],
        ..PROGRAM
    },
    Case {
        text: programs!("clock = <<true||false>>\n"),
        commands: &[&["run", "late"]],
        ends: ["true\n", "false\n"],
        ..PROGRAM
    },
    Case {
        text: programs!("random = <<true||false>>\n"),
        commands: &[&["run", "draws"]],
        ends: ["false\n", "true\n"],
        ..PROGRAM
    },
    Case {
        text: programs!("<<||limits = { time = \"300ms\" }>>"),
        commands: &[&["run", "loops"]],
        ends: ["it ran longer than 5000 ms", "it ran longer than 300 ms"],
        ..PROGRAM
    },
    Case {
        text: programs!("limits = { time = \"<<300ms||301ms>>\" }"),
        commands: &[&["run", "loops"]],
        ends: ["it ran longer than 300 ms", "it ran longer than 301 ms"],
        ..PROGRAM
    },
    Case {
        text: programs!("limits = { fuel = <<10000000000||1000>> }"),
        commands: &[&["run", "plain"]],
        ends: ["sum 3", "more than 1000 units of fuel"],
        ..PROGRAM
    },
    Case {
        text: programs!("limits = { memory = \"<<128MiB||40MiB>>\" }"),
        commands: &[&["run", "grows"]],
        ends: ["30000000\n", "of memory"],
        ..PROGRAM
    },
    Case {
        text: programs!("limits = { output = \"<<1MiB||4KiB>>\" }"),
        commands: &[&["run", "long"]],
        ends: ["xxxxx", "larger than 4096 bytes"],
        ..PROGRAM
    },
    Case {
        text: programs!("limits = { asks = <<10||0>> }"),
        commands: &[&["run", "asks"]],
        ends: ["one 1", "it asked the host more than 0 times"],
        ..PROGRAM
    },
];

/// A text with what is different each time filled in.
fn filled(place: &Place, text: &str, more: &[(&str, &str)]) -> String {
    let mut text = text.to_string();
    for name in ["acme", "other"] {
        let word = format!("@{}@", name.to_uppercase());
        if text.contains(&word) {
            let public = std::fs::read_to_string(place.path().join(format!("{name}.public"))).unwrap();
            text = text.replace(&word, &public);
        }
    }
    more.iter().fold(text, |text, (word, with)| text.replace(word, with))
}

impl Case {
    fn keys(&self) -> BTreeSet<String> {
        schema::differing(self.file, &self.text.replace("@PORT@", "8"))
    }

    fn play(&self, side: usize) -> String {
        let place = (self.place)();
        let server = Server::start();
        let text = &schema::variants(self.text)[side];
        let manifest = match self.file {
            MANIFEST if text.contains("plugin = \"p\"") => text.clone(),
            MANIFEST => format!("plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"d\"\n{text}"),
            _ => "plugin = \"p\"\nversion = \"1.0.0\"\ndescription = \"d\"\n".into(),
        };
        place.write("p/plugin.toml", &manifest);
        place.write_bytes("p/plugin.wasm", &Guest::default().component());
        let read = PluginFolder::read(&place.path().join("p"), &mut TagTable::default()).unwrap();
        let project = if self.file == PROJECT { text } else { PLUGIN };
        let pinned = |name: &str, after: &str| {
            let text = std::fs::read_to_string(place.path().join(name)).unwrap_or_default();
            let found = text.split_once(after).and_then(|(_, rest)| rest.split('"').next().map(String::from));
            found.unwrap_or_default()
        };
        let library = match place.path().join("one").is_dir() {
            true => place.run(&["python", "inspect", "one"]).out,
            false => String::new(),
        };
        let library =
            library.split("digest = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let more = [
            ("@DIGEST@", &*read.digest),
            ("@MASK@", &pinned("ringmail.lock", "digest = \"")),
            ("@PYTHON@", &pinned(PROJECT, "digest = \"")),
            ("@FAST@", &pinned(PROJECT, "fast.wasm\", digest = \"")),
            ("@ONE@", library),
            ("@PORT@", &server.port.to_string()),
        ];
        place.write(PROJECT, &filled(&place, project, &more));
        if text.contains("sa.secret") {
            let login = format!("http://127.0.0.1:{}/login", server.port);
            secret_file(&place, "sa.secret", &service_account(&login));
        }
        let mut seen = String::new();
        for command in self.commands {
            let output = place.command(command).output().unwrap();
            seen.push_str(&String::from_utf8_lossy(&output.stdout));
            seen.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        for folder in [".ringmail", "elsewhere"] {
            let Some(recorded) = place.recorded_in(folder) else { continue };
            seen.push_str(&format!("in {folder}\n{recorded}"));
        }
        format!("{seen}asked {:?}", server.asked.lock().unwrap())
    }
}

/// Whatever any provider of secrets calls what it gives.
const GIVEN: &str = r#"{"access_token": "t", "expires_in": 60, "auth": {"client_token": "t", "lease_duration": 60}, "data": {"ttl": 0}}"#;

/// Answers that there is nothing, unless somebody wants to be let in, and notes what was asked.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let notes = asked.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let lines = reader.by_ref().lines().map_while(Result::ok);
                let mut request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let length = request.iter().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                reader.read_exact(&mut body).unwrap();
                request.push(String::from_utf8_lossy(&body).into_owned());
                let (status, body) = match &request[0] {
                    line if line.contains("/private/") => ("401 X\r\nwww-authenticate: Basic realm=x", ""),
                    line if line.contains("login") || line.contains("/auth/") => ("200 X", GIVEN),
                    _ => ("404 X", ""),
                };
                notes.lock().unwrap().push(request.join("\n"));
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _gone = stream.write_all(head.as_bytes());
            }
        });
        Server { port, asked }
    }
}

fn prove(cases: &[Case]) {
    let mut faults = String::new();
    for case in cases {
        let (keys, seen) = (case.keys(), [case.play(0), case.play(1)]);
        for (at, end) in case.ends.iter().enumerate() {
            let [this, other] = [&seen[at], &seen[1 - at]];
            if !this.contains(end) || other.contains(end) {
                faults.push_str(&format!("{keys:?}: `{end}` is not in\n{this}\nor is in\n{other}\n\n"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_key_that_commands_read_changes_what_they_do() {
    prove(PLAIN);
}

#[test]
fn every_key_of_a_publisher_changes_what_comes_in() {
    prove(PUBLISHERS);
}

#[test]
fn every_key_of_a_registry_changes_what_comes_in() {
    prove(REGISTRIES);
}

#[test]
fn every_key_of_a_provider_changes_what_is_asked() {
    prove(providers::CASES);
}

#[test]
fn every_key_of_a_receiver_changes_what_is_sent() {
    prove(forwards::CASES);
}

#[test]
fn every_key_of_a_schedule_changes_when_it_runs() {
    prove(schedules::CASES);
}

#[test]
fn every_key_of_retention_changes_what_is_kept() {
    prove(retention::CASES);
}

#[test]
fn every_key_of_advisories_changes_what_comes_in() {
    prove(KNOWN);
}

#[test]
fn every_key_of_python_changes_what_programs_do() {
    prove(PROGRAMS);
}

#[test]
fn every_key_that_is_left_to_the_binary_has_a_case() {
    let left: BTreeSet<String> = schema::OF_THE_BINARY.iter().map(|key| (*key).to_string()).collect();
    let shown: BTreeSet<String> = [
        PLAIN,
        PUBLISHERS,
        REGISTRIES,
        providers::CASES,
        forwards::CASES,
        schedules::CASES,
        retention::CASES,
        KNOWN,
        PROGRAMS,
    ]
    .into_iter()
    .flatten()
    .flat_map(Case::keys)
    .collect();
    assert_eq!(shown, left);
    let known: BTreeSet<String> = [MANIFEST, PROJECT].into_iter().flat_map(schema::keys).collect();
    assert!(shown.is_subset(&known));
}
