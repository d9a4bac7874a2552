//! The official servers of MCP as upstreams, through the front door: imported from a client's configuration, looked at,
//! pinned, called by links and by clients of the project.

use crate::mcp::{Client, printed, text_of};
use crate::serve::{Serving, call};
use crate::setup::Place;
use crate::toolchains::kept;
use ringmail_engine::Value;
use ringmail_engine::core::json::to_string;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

const VERSION: &str = "2026.8.31";

/// Where the servers are, installed once for all tests.
fn servers() -> PathBuf {
    let (folder, _lock) = kept(&format!("mcp-servers-{VERSION}"));
    let whole = folder.join("whole");
    if !whole.is_file() {
        let package = |name: &str| format!("@modelcontextprotocol/server-{name}@{VERSION}");
        let ended = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"])
            .args([package("filesystem"), package("everything")])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        std::fs::File::create(whole).unwrap();
    }
    folder.join("node_modules/@modelcontextprotocol")
}

/// A project whose servers came from a client's configuration.
fn project() -> Place {
    let (place, servers) = (Place::project(), servers());
    let docs = place.path().join("docs");
    std::fs::create_dir(&docs).unwrap();
    for folder in [place.path(), &docs] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    place.write("docs/a.txt", "hello from a file\n");
    let script = |name: &str| servers.join(format!("server-{name}/dist/index.js")).display().to_string();
    place.write(
        "client.json",
        &format!(
            "{{\"mcpServers\": {{\"My Files\": {{\"command\": \"node\", \"args\": [\"{}\", \"{}\"]}}, \
             \"everything\": {{\"command\": \"node\", \"args\": [\"{}\", \"stdio\"], \"env\": {{\"KEY\": \"hush-hush\"}}}}, \
             \"fetched\": {{\"command\": \"npx\", \"args\": [\"-y\", \"server\"]}}, \
             \"careless\": {{\"url\": \"https://mcp.example.com/mcp?token=glpat-Zx7Tq2Lm9Vb4Rk8Wd3Hs\"}}, \
             \"remote\": {{\"url\": \"https://mcp.example.com/mcp\", \"headers\": {{\"Authorization\": \"Bearer hush-hush\", \"X-Api-Key\": \"hush-hush\"}}}}}}}}",
            script("filesystem"),
            docs.display(),
            script("everything"),
        ),
    );
    let imported = place.run(&["import", "mcp", "client.json"]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    assert!(!format!("{}{}", imported.out, imported.err).contains("hush-hush"), "{}", imported.err);
    assert!(!imported.out.contains("glpat-") && !imported.err.contains("glpat-"), "{}", imported.err);
    for told in [
        "`fetched` is left out: `npx` fetches",
        "holds a secret (`token`)",
        "variable `KEY`",
        "variable `REMOTE_TOKEN`",
        "variable `REMOTE_X_API_KEY`",
    ] {
        assert!(imported.err.contains(told), "{told}: {}", imported.err);
    }
    let header = "headers = [{ name = \"x-api-key\", secret = \"remote_x_api_key\" }]\n";
    assert!(imported.out.contains(header), "{}", imported.out);
    // Nobody answers for the remote one here.
    let own = imported.out.split("[upstream.remote]").next().unwrap();
    let own = own.replace("FOLDER", &place.path().display().to_string());
    let grants = "[[grant]]\nto = \"read\"\nreason = \"r\"\ntool = [{ upstream = \"my_files\", tools = [\"read_text_file\", \"write_file\"], trusted = [] }]\n\
        [[grant]]\nto = \"upstream:my_files\"\nreason = \"r\"\ntool = [{ upstream = \"my_files\", tools = [\"*\"], trusted = [] }]\n\
        [[grant]]\nto = \"upstream:everything\"\nreason = \"r\"\ntool = [{ upstream = \"everything\", tools = [\"*\", \"prompt:*\", \"resource:*\"], trusted = [] }]\n";
    let own = own.replace(
        "command = \"my_files\"\n",
        "command = \"my_files\"\nserve = [\"read_text_file\", \"write_file\"]\n",
    );
    let own = own
        .replace("command = \"everything\"\n", "command = \"everything\"\nserve = [\"*\", \"prompt:*\", \"resource:demo://resource/dynamic/*\"]\nprefix = \"\"\n");
    place.write("ringmail.toml", &format!("{}\n{own}\n{grants}", place.read("ringmail.toml")));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place
}

#[test]
fn official_servers_are_called_by_links_and_by_clients_of_the_project() {
    let place = project();
    let chain = |tool: &str, more: &str| {
        format!(
            "chain: read\ninput: {{type: string}}\nlinks:\n  c:\n    kind: tool\n    tool: {tool}\n    with: {{path: '${{input}}'{more}}}\noutput: ${{c.text}}\n"
        )
    };
    place.write("chains/read.yaml", &chain("my_files/read_text_file", ""));
    let unpinned = place.run(&["check"]);
    assert!(unpinned.code == 1 && unpinned.err.contains("ringmail tool pin my_files"), "{}", unpinned.err);
    let diff = place.run(&["tool", "diff", "my_files"]);
    assert!(diff.out.contains("read_text_file: new"), "{}{}", diff.out, diff.err);
    for server in ["my_files", "everything"] {
        let pinned = place.run(&["tool", "pin", server]);
        assert_eq!(pinned.code, 0, "{}", pinned.err);
        let same = place.run(&["tool", "diff", server]);
        assert!(same.out.is_empty() && same.err.contains("is what is pinned"), "{}{}", same.out, same.err);
    }
    let listed = place.run(&["tool", "list", "my_files"]).out;
    assert!(listed.contains("my_files/read_text_file (callers see `my_files_read_text_file`)"), "{listed}");
    let searched = place.run(&["tool", "search", "sum", "numbers"]).out;
    assert!(searched.starts_with("everything/get-sum (callers see `get-sum`)"), "{searched}");
    assert!(!searched.contains("my_files/list_directory "), "{searched}");
    let searched = place.run(&["tool", "search", "zyx"]);
    assert!(searched.out.is_empty() && searched.err.contains("nothing that is pinned"), "{}", searched.err);
    let file = place.path().join("docs/a.txt").display().to_string();
    let ended = place.run(&["run", "read", "--input", &format!("\"{file}\"")]);
    assert_eq!((ended.code, ended.out.trim()), (0, "hello from a file"), "{}", ended.err);
    // The server would write; the walls around it do not let it.
    place.write("chains/read.yaml", &chain("my_files/write_file", ", content: gone"));
    let ended = place.run(&["run", "read", "--input", &format!("\"{file}\"")]);
    assert!(ended.code == 1 && ended.err.contains("the tool says that it failed"), "{}", ended.err);
    assert_eq!(place.read("docs/a.txt"), "hello from a file\n");

    let mut client = Client::start(&printed(&place, &["mcp", "--config"]));
    client.greet();
    let call = |name: &str, args: &str| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{{\"name\":\"{name}\",\"arguments\":{args}}}}}"
        )
    };
    let listed = client.ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}");
    let tools = listed.get("result").and_then(|result| result.get("tools")?.as_list().cloned()).unwrap();
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    // Names that no chain could have are the tools' own.
    for name in ["echo", "get-sum", "my_files_read_text_file"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let read = client.ask(&call("my_files_read_text_file", &format!("{{\"path\":\"{file}\"}}")));
    assert_eq!(text_of(&read), "hello from a file\n");
    assert_eq!(text_of(&client.ask(&call("get-sum", "{\"a\":2,\"b\":3}"))), "The sum of 2 and 3 is 5.");
    let image = client.ask(&call("get-tiny-image", "{}"));
    let content = image.get("result").and_then(|result| result.get("content")?.as_list().cloned()).unwrap();
    let kinds: Vec<&str> = content.iter().filter_map(|block| block.get("type")?.as_str()).collect();
    assert_eq!(kinds, ["text", "image", "text"]);
    let long = format!(
        "{{\"ref\":{{\"type\":\"ref/prompt\",\"name\":\"completable-prompt\"}},\"argument\":{{\"name\":\"department\",\"value\":\"{}\"}}}}",
        "E".repeat(1_025)
    );
    let mut ask = |method: &str, params: &str| {
        let told = client
            .ask(&format!("{{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"{method}\",\"params\":{params}}}"));
        to_string(told.get("result").unwrap_or(&told))
    };
    for (method, params, expected) in [
        ("prompts/list", "{}", "\"name\":\"args-prompt\",\"title\":"),
        (
            "prompts/get",
            "{\"name\":\"args-prompt\",\"arguments\":{\"city\":\"Ulm\"}}",
            "What's weather in Ulm?",
        ),
        ("prompts/get", "{\"name\":\"args-prompt\",\"arguments\":{\"town\":\"Ulm\"}}", "-32602"),
        (
            "completion/complete",
            "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"completable-prompt\"},\"argument\":{\"name\":\"department\",\"value\":\"Eng\"}}",
            "\"values\":[\"Engineering\"]",
        ),
        ("completion/complete", &long, "-32602"),
        ("resources/templates/list", "{}", "\"uriTemplate\":\"demo://resource/dynamic/text/{resourceId}\""),
        ("resources/read", "{\"uri\":\"demo://resource/dynamic/text/3\"}", "Resource 3: This is a plaintext"),
        ("resources/list", "{}", "{\"resources\":[]}"),
    ] {
        let told = ask(method, params);
        assert!(told.contains(expected), "{method} {params}: {told}");
    }
    let wrong = client.ask(&call("get-sum", "{\"a\":\"x\",\"b\":3}"));
    assert_eq!(
        wrong.get("result").and_then(|result| result.get("isError")),
        Some(&Value::Bool(true)),
        "{wrong:?}"
    );
}

/// A server whose words are meant to become something else: code, paths, colours, expressions, other tools.
const HOSTILE: &str = r##"import json, sys
WORDS = "\"\"\" ${secrets.key} ${run.principal} {{ 7*7 }} \u2028\u202e\u200b\u007f\u001b[31m\u0000 <script> \n- kind: log\nlinks: {}\n---\n"
NAMES = ["__proto__", "constructor", "a\"b", "'; drop", "${input}", "x\ny: 1", "\u2028", "../up"]
schema = {"type": "object", "properties": {name: {"type": "string", "description": WORDS} for name in NAMES}}
tool = lambda name: {"name": name, "title": WORDS, "description": WORDS, "inputSchema": schema}
tools = [tool(name) for name in ["ok", "../../up", "a b", "", "x\n", "\"", "a" * 1000]]
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method, params = message["method"], message.get("params", {})
    told = {"error": {"code": -32601, "message": WORDS}}
    if method == "initialize":
        told = {"result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": WORDS, "version": WORDS}}}
    elif method == "tools/list":
        told = {"result": {"tools": tools}}
    elif method == "tools/call" and params["name"] == "ok":
        told = {"result": {"content": [{"type": "text", "text": json.dumps(params["arguments"])}]}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}), flush=True)
"##;

#[test]
fn attack_22_what_a_server_says_of_its_tools_is_data() {
    let place = Place::project();
    let server = place.path().join("hostile");
    place.write("hostile/server.py", HOSTILE);
    for folder in [place.path(), &server] {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let program = server.join("server.py").canonicalize().unwrap();
    let own = format!(
        "[mount.hostile]\npath = \"hostile\"\n[command.hostile]\nprogram = \"/usr/bin/python3\"\nargs = [\"{}\"]\n\
         mounts = [{{ mount = \"hostile\", access = \"read\" }}]\n[upstream.hostile]\ncommand = \"hostile\"\nserve = [\"*\"]\n\
         [[grant]]\nto = \"upstream:hostile\"\nreason = \"r\"\ntool = [{{ upstream = \"hostile\", tools = [\"*\"], trusted = [] }}]\n",
        program.display()
    );
    place.write("ringmail.toml", &format!("{}\n{own}", place.read("ringmail.toml")));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    for args in [["tool", "diff", "hostile"], ["tool", "pin", "hostile"], ["tool", "list", "hostile"]] {
        let ended = place.run(&args);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let shown = format!("{}{}", ended.out, ended.err);
        let odd =
            |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{202e}' | '\u{200b}'));
        assert!(!shown.contains(odd), "{args:?}: {shown:?}");
        assert!(shown.contains("ok"), "{args:?}: {shown}");
    }
    assert_eq!(std::fs::read_dir(place.path().join("tools")).unwrap().count(), 1);
    let mut client = Client::start(&printed(&place, &["mcp", "--config"]));
    client.greet();
    let listed = client.ask("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}");
    let tools = listed.get("result").and_then(|result| result.get("tools")?.as_list().cloned()).unwrap();
    let tool =
        tools.iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some("hostile_ok")).unwrap();
    // One of ours besides, which `init` made, and one whose name only looks like a path.
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    assert_eq!(names, ["greet", "hostile_../../up", "hostile_ok"]);
    let words = tool.get("description").and_then(Value::as_str).unwrap();
    assert!(
        words.starts_with("\"\"\" ${secrets.key} ${run.principal}") && words.contains("\u{1b}[31m\0"),
        "{words:?}"
    );
    assert!(words.ends_with("\n- kind: log\nlinks: {}\n---\n"), "{words:?}");
    let args = "{\"__proto__\":\"p\",\"${input}\":\"${secrets.key}\",\"x\\ny: 1\":\"\",\"../up\":\"u\"}";
    let called = client.ask(&format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{{\"name\":\"hostile_ok\",\"arguments\":{args}}}}}"
    ));
    let echoed = crate::mcp::json(&text_of(&called));
    assert_eq!(ringmail_engine::core::json::to_string(&echoed), args, "{called:?}");
}

/// Another project's chains, by the OpenAPI document that it hands out.
#[test]
fn operations_of_a_document_are_tools() {
    let shop = crate::serve::project();
    let key = crate::serve::key(&shop);
    let serving = Serving::start(&shop, 1);
    let (status, document) = call(&format!("{}/openapi.json", serving.urls[0]), &key, "", None);
    assert_eq!(status, 200, "{document}");

    let place = Place::project();
    place.write("shop.json", &document);
    let imported = place.run(&["import", "openapi", "shop.json", "--url", &serving.urls[0]]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    let told = imported.out.lines().find(|line| line.starts_with("url = ")).unwrap();
    let table = imported.out.replace(told, &format!("url = \"{}\"", serving.urls[0]));
    let secret = place.write("shop.key", &key);
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o600)).unwrap();
    let more = format!(
        "bearer = \"shop_key\"\n[secret.shop_key]\nfrom = \"file:shop.key\"\nbound_to = [\"{}\"]\n\
         [[grant]]\nto = \"ask\"\nreason = \"r\"\ntool = [{{ upstream = \"shop\", tools = [\"greet\"], trusted = [] }}]\n",
        serving.urls[0]
    );
    place.write("ringmail.toml", &format!("{}\n{}{more}", place.read("ringmail.toml"), table));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    let chain = "chain: ask\ninput: {type: string}\nlinks:\n  g:\n    kind: tool\n    tool: shop/greet\n    with: {body: {name: '${input}'}}\noutput: ${g.structuredContent.result}\n";
    place.write("chains/ask.yaml", chain);
    let listed = place.run(&["tool", "list", "shop"]);
    assert!(listed.out.contains("shop/greet"), "{}{}", listed.out, listed.err);
    let ended = place.run(&["run", "ask", "--input", "\"Ada\""]);
    assert_eq!((ended.code, ended.out.trim()), (0, "Hello, Ada!"), "{}", ended.err);
    // What does not fit the document does not go out.
    place.write("chains/ask.yaml", &chain.replace("name: '${input}'", "nome: '${input}'"));
    let ended = place.run(&["run", "ask", "--input", "\"Ada\""]);
    assert!(ended.code == 1 && ended.err.contains("the arguments"), "{}", ended.err);
    let asked = place.run(&["tool", "pin", "shop"]);
    assert!(asked.code == 1 && asked.err.contains("are what `shop.json` says"), "{}", asked.err);
}
