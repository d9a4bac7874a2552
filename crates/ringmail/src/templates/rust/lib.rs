//! Takes JSON and gives JSON. An `Err` is why the link fails.

mod arena;

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "wit", world: "guest", generate_all });

#[derive(Deserialize)]
struct Input {
    name: String,
}

#[derive(Serialize)]
struct Output {
    greeting: String,
}

fn greet(input: Input) -> Result<Output, String> {
    if input.name.is_empty() {
        return Err("there is nobody to greet".into());
    }
    Ok(Output { greeting: format!("hello {}", input.name) })
}

struct Plugin;

impl Guest for Plugin {
    fn call(input: String) -> Result<String, String> {
        let input = serde_json::from_str(&input).map_err(|error| error.to_string())?;
        serde_json::to_string(&greet(input)?).map_err(|error| error.to_string())
    }
}

export!(Plugin);
