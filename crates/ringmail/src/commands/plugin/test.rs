//! `ringmail plugin test`: calls behind the real walls, without a project. What the plugin asks of the world is denied.

use crate::commands::Common;
use crate::exit::{Exit, Fault};
use crate::input::From;
use crate::terminal::{clean, print};
use ringmail_engine::core::json::to_string;
use ringmail_engine::core::label::TagTable;
use ringmail_engine::core::value::Value;
use ringmail_engine::{Failure, PluginFolder};
use std::path::Path;

/// Where a plugin's tests stand, beside its manifest.
pub(super) const TESTS: &str = "plugin.test.json";

pub(super) fn run(folder: &Path, common: &Common) -> Result<Exit, Fault> {
    let read = PluginFolder::read(folder, &mut TagTable::default())?;
    let cases = cases(folder)?;
    let cache = super::cache_around(common, folder)?;
    let cache = cache.as_ref().map(|(key, folder)| (key, folder.clone()));
    let alone = read.alone(None, cache).map_err(|failure| Fault::user(failure.message))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::user(format!("there is no runtime: {error}")))?;
    let (mut out, mut wrong) = (String::new(), 0);
    for case in &cases {
        let input = case.get("input").cloned().unwrap_or_default();
        let ended = runtime.block_on(alone.call(&input));
        let input = to_string(&input);
        match difference(case, &ended) {
            None => out.push_str(&format!("✓ {}\n", clean(&input))),
            Some(found) => {
                wrong += 1;
                out.push_str(&format!("✗ {}\n  {}\n", clean(&input), clean(&found)));
            }
        }
    }
    print(&out)?;
    if wrong == 0 {
        return Ok(Exit::Done);
    }
    Err(Fault::user(format!("{wrong} of {} tests fail", cases.len())))
}

/// The cases beside a plugin's manifest.
pub(super) fn cases(folder: &Path) -> Result<Vec<Value>, Fault> {
    let path = folder.join(TESTS);
    let tests = From::File(&path).read()?;
    let Some(cases) = tests.as_list() else {
        return Err(Fault::user(format!("`{}` is not a list", path.display()))
            .hint("write `[{\"input\": ..., \"output\": ...}, {\"input\": ..., \"error\": \"...\"}]`"));
    };
    Ok(cases.iter().cloned().collect())
}

/// What a call brought instead of what its test says.
fn difference(case: &Value, ended: &Result<Value, Failure>) -> Option<String> {
    match (case.get("output"), case.get("error").and_then(Value::as_str), ended) {
        (Some(expected), None, Ok(output)) if expected == output => None,
        (None, Some(part), Err(failure)) if failure.message.contains(part) => None,
        (None, None, _) | (Some(_), Some(_), _) => Some("the test needs an `output` or an `error`".into()),
        (_, _, Ok(output)) => Some(format!("it answered {}", to_string(output))),
        (_, _, Err(failure)) => Some(format!("it failed: {failure}")),
    }
}
