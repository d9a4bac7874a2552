use ringmail_engine::core::address::Target;
use ringmail_engine::core::gate::{CheckedAddress, FsPermit, NetPermit};
use std::net::SocketAddr;

fn target(permit: &mut NetPermit, target: Target) {
    permit.target = target;
}

fn path(permit: &mut FsPermit) {
    permit.path = "../secret".into();
}

fn socket(address: &mut CheckedAddress, socket: SocketAddr) {
    address.0 = socket;
}

fn main() {}
