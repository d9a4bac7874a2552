//! Orders to a server of this project that runs on this machine, over the socket in its data folder.

use crate::exit::Fault;
use crate::place::Place;
use anyhow::Context;
use ringmail_engine::core::json::{JsonLimits, parse};
use ringmail_engine::core::value::Value;
use ringmail_server::CONTROL_FILE;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A server that says nothing for so long does not follow.
const PATIENCE: Duration = Duration::from_secs(120);
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Gives one order; answers what the server says of it.
pub(crate) fn order(chosen: Option<&Path>, method: &str, path: &str) -> Result<Value, Fault> {
    let place = Place::project_in(chosen)?;
    let socket = place.data().join(CONTROL_FILE);
    let none = |_| Fault::user("no server of this project runs here").hint("start one: ringmail serve");
    let mut stream = UnixStream::connect(&socket).map_err(none)?;
    let failed = || "the server cannot be asked".to_string();
    stream.set_read_timeout(Some(PATIENCE)).with_context(failed)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: control\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).with_context(failed)?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).with_context(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let value = parse(body.as_bytes(), &JsonLimits::default()).unwrap_or(Value::Null);
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let told = |key: &str| value.get(key).and_then(Value::as_str);
    let why = told("detail").or_else(|| told("title")).unwrap_or("the server does not follow");
    Err(Fault::user(why.to_string()))
}
