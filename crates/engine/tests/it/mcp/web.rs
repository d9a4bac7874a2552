//! A server of MCP behind HTTP, as tests want it: without sessions under `/mcp`, with them under `/old`.

use super::{MORE, TOOLS};
use crate::server::answer;
use ringmail_engine::Value;
use ringmail_engine::core::json::{JsonLimits, parse, to_string};

fn has(request: &str, header: &str) -> bool {
    let head = request.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    head.lines().any(|line| line == header)
}

fn json(status: u16, headers: &str, body: &str) -> Vec<u8> {
    answer(status, &format!("content-type: application/json\r\n{headers}"), body.as_bytes())
}

/// Answers a message as the path's server would.
pub fn web(request: &str) -> Vec<u8> {
    if request.starts_with("DELETE ") {
        return answer(204, "", b"");
    }
    let path = request.split(' ').nth(1).unwrap();
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let message = parse(body.as_bytes(), &JsonLimits::default()).unwrap();
    let method = message.get("method").and_then(Value::as_str).unwrap();
    let Some(id) = message.get("id") else { return answer(202, "", b"") };
    let said = |result: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{result}}}", to_string(id));
    let params = message.get("params").unwrap();
    let named = |key: &str| params.get(key).and_then(Value::as_str);
    let tool = named("name").or(named("uri")).unwrap_or_default();
    let args = params.get("arguments").map_or_else(String::new, to_string);
    let result = match method {
        "server/discover" => {
            "\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"prompts\":{},\"resources\":{}},\"resultType\":\"complete\"}".into()
        }
        "initialize" => "\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"prompts\":{},\"resources\":{}},\"serverInfo\":{\"name\":\"old\",\"version\":\"1\"}}".into(),
        "tools/list" => {
            let tools = to_string(&parse(TOOLS.as_bytes(), &JsonLimits::default()).unwrap());
            format!("\"result\":{{\"tools\":{tools}}}")
        }
        "prompts/list" | "resources/list" => format!("\"result\":{}", to_string(&parse(MORE.as_bytes(), &JsonLimits::default()).unwrap())),
        // It has nothing to say of templates.
        "prompts/get" => {
            let text = to_string(&Value::from(format!("{tool} {args}")));
            format!("\"result\":{{\"messages\":[{{\"role\":\"user\",\"content\":{{\"type\":\"text\",\"text\":{text}}}}}]}}")
        }
        "resources/read" => format!("\"result\":{{\"contents\":[{{\"uri\":\"{tool}\",\"text\":\"read {tool}\"}}]}}"),
        "tools/call" if tool == "asks" => "\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{}}".into(),
        "tools/call" if tool == "big" => {
            let bytes = params.get("arguments").and_then(|args| args.get("bytes")).unwrap();
            let Value::Int(bytes) = bytes else { panic!("{bytes:?}") };
            let text = "x".repeat(usize::try_from(*bytes).unwrap());
            format!("\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}]}}")
        }
        "tools/call" => {
            let text = to_string(&Value::from(format!("{tool} {args}")));
            format!("\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":{text}}}]}}")
        }
        _ => "\"error\":{\"code\":-32601,\"message\":\"no\"}".into(),
    };
    let path = match path {
        "/auth" if has(request, "authorization: bearer first-secret-value") => "/mcp",
        "/keyed" if has(request, "x-key: first-secret-value") => "/mcp",
        path => path,
    };
    match path {
        "/mcp" => {
            let fits = has(request, "mcp-protocol-version: 2026-07-28")
                && has(request, &format!("mcp-method: {method}").to_ascii_lowercase())
                && (tool.is_empty() || has(request, &format!("mcp-name: {tool}")))
                && params.get("_meta").is_some_and(|meta| to_string(meta).contains("2026-07-28"));
            match fits {
                true => json(200, "", &said(&result)),
                false => json(400, "", &said("\"error\":{\"code\":-32020,\"message\":\"no\"}")),
            }
        }
        "/old" if method == "server/discover" => answer(400, "", b"no session"),
        "/old" if method == "initialize" => json(200, "mcp-session-id: s-1\r\n", &said(&result)),
        "/old"
            if !has(request, "mcp-session-id: s-1") || !has(request, "mcp-protocol-version: 2025-11-25") =>
        {
            answer(400, "", b"no session")
        }
        "/old" => {
            // What comes after the answer is not waited for: the stream says that it is longer.
            let token = params.get("_meta").and_then(|meta| meta.get("progressToken")).map(to_string);
            let progress = token.map_or_else(String::new, |token| {
                format!("data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":1}}}}\n\n")
            });
            let changed = match tool {
                "turn" => "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n",
                _ => "",
            };
            let events = format!(
                ": hello\n\nid: 0\nretry: 9\ndata:\n\n{changed}{progress}event: message\ndata: {}\n\n",
                said(&result)
            );
            let head = "content-type: text/event-stream\r\ncontent-length: 9999\r\n";
            format!("HTTP/1.1 200 X\r\n{head}\r\n{events}").into_bytes()
        }
        "/away" => answer(307, "location: http://127.0.0.1:1/mcp\r\n", b""),
        _ => answer(401, "", b""),
    }
}
