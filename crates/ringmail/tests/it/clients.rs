//! Clients as `ringmail client` writes them, in all their languages, against a server; and what no text of a project
//! makes of them.

use crate::serve::{Serving, key_of};
use crate::setup::Place;
use crate::toolchains::kept;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

const ORDER: &str = "chain: order
description: orders something
input:
  type: object
  properties:
    customer: {$ref: '#/$defs/customer'}
    lines: {type: array, items: {type: object, properties: {sku: {type: string}, count: {type: integer}}, required: [sku, count]}}
    way: {enum: [post, van]}
    note: {type: string}
  required: [customer, lines, way]
  $defs: {customer: {type: object, properties: {name: {type: string}, class: {type: [string, 'null']}}, required: [name]}}
returns: {type: object, properties: {total: {type: integer}, to: {type: string}}, required: [total, to]}
output: {total: '${input.lines.size() * 2}', to: '${input.customer.name}'}
";
const STEPS: &str = "chain: steps
stream: lines
input: {type: object, additionalProperties: true}
links:
  lines: {kind: http, with: {url: 'http://ADDRESS/lines', as: lines}}
output: ${size(lines.body)}
returns: {type: integer}
";
const MORE: &[(&str, &str)] = &[
    (
        "picture",
        "input: {type: object, properties: {it: {contentEncoding: base64, contentMediaType: image/gif}}, required: [it]}\nreturns: {type: string}\noutput: a picture\n",
    ),
    ("class", "output: ${run.principal}\n"),
    ("pause", "links:\n  w: {kind: wait, timeout: 1m, with: {for: 50s}}\noutput: 1\n"),
    ("broken", "links:\n  b: {kind: native, call: json_parse, with: {text: '{'}}\noutput: ${b}\n"),
    ("gone", "output: 1\n"),
    ("rare", "output: 1\n"),
];
/// What all three print.
const PRINTED: &[&str] = &[
    "2 Ada",
    "a picture",
    "me",
    "400 invalid-input true true",
    "404 not-found",
    "401 unauthenticated true",
    "500 invalid None",
    "2",
    "[\"one\",\"two\"] 2",
    "one",
    "invalid",
    "Bob answered",
    "running",
    "the run goes on; nobody waits for it any more",
    "cancelled",
    "late",
    "ValueError",
    "ValueError",
    "ValueError",
    "ValueError",
    "true false",
    "429 true",
];

/// A project with all that a client meets, behind TLS.
fn project() -> Place {
    let place = Place::project();
    assert_eq!(place.run(&["cert", "dev"]).code, 0);
    let lines = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = lines.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in lines.incoming().flatten() {
            let mut stream = stream;
            let _asked = stream.read(&mut [0; 4096]);
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\nconnection: close\r\n\r\none\ntwo\n");
        }
    });
    let served = "chains = [\"order\", \"steps\", \"picture\", \"class\", \"pause\", \"broken\", \"rare\"]\n";
    let rest = format!(
        "[[rate]]\nper = \"chain\"\nchains = [\"rare\"]\ncalls = 2\nwithin = \"1h\"\n\
         [[grant]]\nto = \"steps.lines\"\nreason = \"a stream\"\nnet = [{{ address = \"http://{address}\", methods = [\"GET\"] }}]\n"
    );
    let bound = |bind: &str| format!("bind = \"127.0.0.1:{bind}\"\n");
    let text = place.read("ringmail.toml").replace(&bound("8080"), &(bound("0") + served));
    place.write("ringmail.toml", &format!("{text}\n{rest}"));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write("chains/order.yaml", ORDER);
    place.write("chains/steps.yaml", &STEPS.replace("ADDRESS", &address));
    for (name, text) in MORE {
        place.write(&format!("chains/{name}.yaml"), &format!("chain: {name}\n{text}"));
    }
    place
}

fn printed(output: Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(|line| line.replace("True", "true").replace("False", "false")).collect()
}

fn write(place: &Place, language: &str) {
    let ended = place.run(&["client", language, "-o", "client"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_python_program_calls_chains_by_their_names() {
    let place = project();
    write(&place, "python");
    place.write("client/use.py", include_str!("clients/use.py"));
    let key = key_of(&place, "me");
    let serving = Serving::start(&place, 1);
    let mut command = Command::new("python3");
    command.args(["-W", "error", "use.py", &serving.urls[0], &key, "../.ringmail/certs/authority.pem"]);
    let told = printed(command.current_dir(place.path().join("client")).output().unwrap());
    let wanted: Vec<String> =
        PRINTED.iter().map(|line| line.replace("[\"one\",\"two\"]", "['one', 'two']")).collect();
    assert_eq!(told, wanted);
}

#[test]
fn a_javascript_program_calls_chains_by_their_names() {
    let place = project();
    write(&place, "javascript");
    place.write("client/package.json", "{\"type\": \"module\"}");
    place.write("client/use.mjs", include_str!("clients/use.mjs"));
    let key = key_of(&place, "me");
    let serving = Serving::start(&place, 1);
    let mut command = Command::new("node");
    command.args(["use.mjs", &serving.urls[0], &key]);
    command.env("NODE_EXTRA_CA_CERTS", place.path().join(".ringmail/certs/authority.pem"));
    assert_eq!(printed(command.current_dir(place.path().join("client")).output().unwrap()), PRINTED);
}

/// A crate of its own, with what the client says it needs, in the versions that are known here.
fn built(client: &Path, hostile: &Path) -> std::path::PathBuf {
    let (folder, _lock) = kept("rust-client");
    let manifest = "[package]\nname = \"use-client\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
        bytes = \"1\"\nhttp-body-util = \"0.1\"\nhyper = { version = \"1\", features = [\"client\", \"http1\"] }\n\
        hyper-util = { version = \"0.1\", features = [\"tokio\"] }\n\
        rustls = { version = \"0.23\", default-features = false, features = [\"ring\", \"std\", \"tls12\"] }\n\
        serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n\
        tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt\", \"time\"] }\n\
        tokio-rustls = { version = \"0.26\", default-features = false, features = [\"ring\", \"tls12\"] }\nwebpki-roots = \"1\"\n\
        [profile.dev]\ndebug = false\n";
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    std::fs::copy(client, folder.join("src/ringmail_client.rs")).unwrap();
    std::fs::copy(hostile, folder.join("src/hostile.rs")).unwrap();
    std::fs::write(folder.join("src/main.rs"), include_str!("clients/use.rs.txt")).unwrap();
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--offline", "--quiet"]).env("CARGO_TARGET_DIR", folder.join("target"));
    let ended = cargo.env_remove("RUSTFLAGS").current_dir(&folder).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    folder.join("target/debug/use-client")
}

#[test]
fn a_rust_program_calls_chains_by_their_names() {
    let (place, other) = (project(), hostile());
    write(&place, "rust");
    write(&other, "rust");
    let file = "client/ringmail_client.rs";
    let program = built(&place.path().join(file), &other.path().join(file));
    let key = key_of(&place, "me");
    let serving = Serving::start(&place, 1);
    let mut command = Command::new(program);
    command.args([&serving.urls[0], &key, ".ringmail/certs/authority.pem"]);
    assert_eq!(printed(command.current_dir(place.path()).output().unwrap()), PRINTED);
}

/// Names and descriptions that mean something to a language, if they get there.
fn hostile() -> Place {
    let place = Place::project();
    let text = r#""\"\"\" */ ${x} \u2028\u202e `x` {% x %} \n__import__('os').system('touch hacked')\n\\\n#{1} //! </script>""#;
    let names = [
        text,
        "\"\\\"\"",
        "\"a b\"",
        "\"a_b\"",
        "\"__proto__\"",
        "\"constructor\"",
        "\"self\"",
        "\"type\"",
        "\"\\\\\"",
        "\"1\"",
        "\"é😀\"",
    ];
    let members = |kind: &str| -> String {
        let member = |name: &&str| format!("{name}: {{type: {kind}, description: {text}, title: {text}}}");
        names.iter().map(member).collect::<Vec<_>>().join(", ")
    };
    for chain in ["then", "constructor", "new", "call", "self", "import", "none", "print"] {
        place.write(
            &format!("chains/{chain}.yaml"),
            &format!(
                "chain: {chain}\ndescription: {text}\ninput: {{type: object, description: {text}, properties: {{{}, \
                 words: {{enum: [{text}, true, 1, null]}}, deep: {{anyOf: [{{type: object, properties: {{{}}}}}, {{type: 'null'}}]}}}}, \
                 required: [{}]}}\noutput: 1\n",
                members("string"),
                members("integer"),
                names.join(", "),
            ),
        );
    }
    place
}

#[test]
fn attack_22_no_text_of_a_project_becomes_code_of_a_client() {
    let place = hostile();
    for language in ["python", "javascript"] {
        write(&place, language);
    }
    let folder = place.path().join("client");
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // Every text stands in a literal of plain letters or in a remark, and the names are those that were meant.
    let check = "import ast, typing; typing.TYPE_CHECKING = True; import ringmail_client as c\n\
        names = [n for n in vars(c.Client) if not n.startswith('_')]\n\
        keys = sorted(c._ThenInputNeeded.__annotations__)\n\
        print(names, len(keys), all(len(k) < 200 for k in keys))\n\
        calls = [n.func.id for n in ast.walk(ast.parse(open('ringmail_client.py').read())) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]\n\
        print('__import__' in calls)";
    assert_eq!(
        run("python3", &["-W", "error", "-c", check]),
        "['call', 'constructor', 'greet', 'import_', 'new', 'none', 'print', 'self', 'then'] 11 True\nFalse\n"
    );
    place.write("client/package.json", "{\"type\": \"module\"}");
    let check = "const { Client } = await import('./ringmail_client.js');\n\
        const client = await Promise.resolve(new Client('https://a.example'));\n\
        console.log(Object.keys(client).join(' '), client.constructor === Client);";
    assert_eq!(
        run("node", &["--input-type=module", "-e", check]),
        "call constructor_ greet import new none print self then_ true\n"
    );
    assert!(!folder.join("hacked").exists() && !place.path().join("hacked").exists());
    let types = place.read("client/ringmail_client.d.ts");
    for line in types.lines().filter(|line| line.contains("hacked")) {
        let line = line.trim();
        let remark = line.starts_with("/** ") && line.ends_with(" */") && line.matches("*/").count() == 1;
        assert!(remark || line.starts_with('"') || line.contains("words"), "{line}");
    }
}

#[test]
fn what_somebody_else_wrote_is_not_written_over() {
    let place = Place::project();
    let ended = place.run(&["client", "python", "-o", "out", "--chain", "greet"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "out/ringmail_client.py\n"), "{}", ended.err);
    assert_eq!(place.run(&["client", "python", "-o", "out"]).code, 0);
    place.write("out/ringmail_client.py", "mine = 1\n");
    let ended = place.run(&["client", "python", "-o", "out"]);
    assert!(ended.code == 1 && ended.err.contains("was not written by this command"), "{}", ended.err);
    assert_eq!(place.read("out/ringmail_client.py"), "mine = 1\n");
    let ended = place.run(&["client", "python", "-o", "other", "--chain", "gret"]);
    assert!(ended.code == 1 && ended.err.contains("there is no chain `gret`"), "{}", ended.err);
    assert_eq!(Place::empty().run(&["client", "python", "-o", "x"]).code, 1);
}
