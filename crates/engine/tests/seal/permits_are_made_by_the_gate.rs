#![allow(unreachable_code)]

use ringmail_engine::core::gate::{FsPermit, NetPermit};

fn net(permit: NetPermit) -> NetPermit {
    NetPermit { method: "DELETE".into(), ..permit }
}

fn fs() -> FsPermit {
    FsPermit { mount: "inbox".into(), path: "/etc/passwd".into(), access: todo!(), rule: todo!() }
}

fn main() {}
