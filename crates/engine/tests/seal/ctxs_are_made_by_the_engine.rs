#![allow(unreachable_code)]

use ringmail_engine::{Ctx, Value};

fn main() {
    let _ = Ctx { args: Value::Null, link: todo!(), shared: todo!(), child: None, pieces: todo!() };
}
