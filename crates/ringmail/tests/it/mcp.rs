//! `ringmail mcp` as a client starts it: from the configuration it printed, over pipes.

use crate::setup::Place;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Client {
    child: Child,
    say: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
}

impl Drop for Client {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Client {
    /// Starts the one server that a client's configuration names, from a folder of the client's own.
    pub fn start(config: &str) -> Client {
        let config = json(config);
        let servers = config.get("mcpServers").and_then(Value::as_map).unwrap();
        let (_, entry) = servers.iter().next().unwrap();
        let args = entry.get("args").and_then(Value::as_list).unwrap();
        let elsewhere = std::env::temp_dir();
        let mut child = Command::new(entry.get("command").and_then(Value::as_str).unwrap())
            .args(args.iter().map(|arg| arg.as_str().unwrap()))
            .current_dir(elsewhere)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (say, hear) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Client { child, say, hear }
    }

    pub fn say(&mut self, text: &str) {
        let pipe = self.say.as_mut().unwrap();
        pipe.write_all(format!("{text}\n").as_bytes()).unwrap();
        pipe.flush().unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.hear.read_line(&mut line).unwrap() > 0, "it ended");
        json(&line)
    }

    pub fn ask(&mut self, text: &str) -> Value {
        self.say(text);
        self.hear()
    }

    /// Closes its side, and waits until the server has ended.
    pub fn ends(&mut self) {
        self.say = None;
        assert!(self.child.wait().unwrap().success());
    }

    /// Begins a session; gives what the server said of itself.
    pub fn greet(&mut self) -> Value {
        let told = self.ask(
            "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        );
        self.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        told
    }
}

pub fn json(text: &str) -> Value {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub fn text_of(answer: &Value) -> String {
    let content = answer.get("result").and_then(|result| result.get("content")?.as_list()?.get(0).cloned());
    content
        .and_then(|block| Some(block.get("text")?.as_str()?.to_string()))
        .unwrap_or_else(|| to_string(answer))
}

fn project() -> Place {
    let place = Place::project();
    let more = "[[principal]]\nname = \"helper\"\nroles = [\"staff\"]\n";
    place.write("ringmail.toml", &format!("{}\n{more}", place.read("ringmail.toml")));
    place.write("policies/main.cedar", "permit (principal, action, resource);\n");
    place.write("chains/who.yaml", "chain: who\noutput: ${run}\n");
    place.write(
        "chains/pause.yaml",
        "chain: pause\nlinks:\n  w: {kind: wait, timeout: 1m, with: {for: 50s}}\noutput: waited\n",
    );
    place
}

/// What a command prints, paths included.
pub fn printed(place: &Place, args: &[&str]) -> String {
    let output = place.command(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_client_starts_what_the_printed_configuration_says() {
    let place = project();
    let mut client = Client::start(&printed(&place, &["mcp", "--config", "--as", "helper"]));
    let begun = client.greet();
    assert!(to_string(&begun).contains("\"protocolVersion\":\"2025-06-18\""), "{begun:?}");
    let tools = to_string(&client.ask("{\"jsonrpc\":\"2.0\",\"id\":\"l\",\"method\":\"tools/list\"}"));
    assert!(tools.contains("\"name\":\"greet\"") && tools.contains("\"id\":\"l\""), "{tools}");
    let greet = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"greet\",\"arguments\":{\"name\":\"Ada\"}}}";
    assert_eq!(text_of(&client.ask(greet)), "Hello, Ada!");
    let who = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"who\"}}";
    assert!(text_of(&client.ask(who)).contains("\"principal\":\"helper\""));
    // Without a session, in the same pipe.
    let alone = "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"server/discover\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
    assert!(to_string(&client.ask(alone)).contains("\"resultType\":\"complete\""));
    // What is cancelled has no answer, and what comes after it has.
    client.say("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"pause\"}}");
    client.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":4}}");
    assert_eq!(
        to_string(&client.ask("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}")),
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}"
    );
    client.ends();
}

/// A person at the other end of the pipe is asked, in a session and without one.
#[test]
fn a_client_asks_the_person_before_it() {
    let place = project();
    let schema = "{type: object, properties: {name: {type: string}}, required: [name]}";
    let chain = format!(
        "chain: named\nlinks:\n  who: {{kind: ask, with: {{message: who?, schema: {schema}}}}}\noutput: 'hello ${{who.name}}'\n"
    );
    place.write("chains/named.yaml", &chain);
    let mut client = Client::start(&printed(&place, &["mcp", "--config"]));
    let able = "\"capabilities\":{\"elicitation\":{}}";
    client.ask(&format!("{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"2025-11-25\",{able}}}}}"));
    let asked = client
        .ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"named\"}}");
    assert_eq!(asked.get("method").and_then(Value::as_str), Some("elicitation/create"), "{asked:?}");
    let answer = "{\"action\":\"accept\",\"content\":{\"name\":\"Ada\"}}";
    client.say(&format!("{{\"jsonrpc\":\"2.0\",\"id\":\"never\",\"result\":{answer}}}"));
    let told = client.ask(&format!("{{\"jsonrpc\":\"2.0\",\"id\":\"ask-1\",\"result\":{answer}}}"));
    assert_eq!(text_of(&told), "hello Ada");
    let meta = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}";
    let call = |more: &str| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{{\"name\":\"named\"{more},{meta}}}}}"
        )
    };
    let asked = client.ask(&call(""));
    let state = asked.get("result").and_then(|result| result.get("requestState").cloned()).unwrap();
    let told = client.ask(&call(&format!(
        ",\"requestState\":{},\"inputResponses\":{{\"who\":{answer}}}",
        to_string(&state)
    )));
    assert_eq!(text_of(&told), "hello Ada");
    // What was answered is kept like what any link brought.
    let run =
        told.get("result").and_then(|result| result.get("_meta")?.get("ringmail/run").cloned()).unwrap();
    let again = json(&printed(&place, &["replay", run.as_str().unwrap(), "--format", "json"]));
    assert_eq!(again.get("same_answer"), Some(&Value::Bool(true)), "{again:?}");
}

#[test]
fn attack_29_a_pipe_survives_what_is_no_message() {
    let place = project();
    let mut client = Client::start(&printed(&place, &["mcp", "--config"]));
    let huge = "x".repeat(3 << 20);
    for (line, code) in [
        ("nonsense", "-32700"),
        (huge.as_str(), "-32600"),
        ("[]", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", "-32600"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}", "-32602"),
    ] {
        let told = to_string(&client.ask(line));
        assert!(told.contains(&format!("\"code\":{code}")) && told.len() < 600, "{told}");
    }
    // More at once than there is room for: the rest is told so, and nothing waits for it.
    let begin = "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}";
    client.ask(begin);
    for id in 100..165 {
        client.say(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"pause\"}}}}"
        ));
    }
    let told = to_string(&client.hear());
    assert!(told.contains("\"id\":164") && told.contains("overloaded"), "{told}");
}
