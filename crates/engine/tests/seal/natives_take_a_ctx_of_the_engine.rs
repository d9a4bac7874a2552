use ringmail_engine::{Chain, Value};

fn main() {
    let _ = Chain::builder("t").link("a", |args: Value| async move { Ok(args) });
}
