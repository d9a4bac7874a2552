#![allow(unreachable_code)]

use ringmail_engine::core::chain::walk::Ready;
use ringmail_engine::core::gate::{Answer, CheckedAddress, Left, Released, Unchecked};
use ringmail_engine::core::label::Labeled;
use std::net::SocketAddr;

fn address(socket: SocketAddr) -> CheckedAddress {
    CheckedAddress(socket)
}

fn released(output: Labeled) -> Released {
    Released(output)
}

fn left(output: Labeled) -> Left {
    Left(output)
}

fn answer(output: Labeled) -> Answer {
    Answer(output)
}

fn opened(unchecked: Unchecked) {
    let Unchecked(_output) = unchecked;
}

fn ready() -> Ready {
    Ready(todo!())
}

fn main() {}
