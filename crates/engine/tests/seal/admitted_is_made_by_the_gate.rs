#![allow(unreachable_code)]

use ringmail_engine::core::gate::Admitted;

fn main() {
    let _ = Admitted { call: todo!(), power: None, special: None, source: None };
}
