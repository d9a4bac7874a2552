//! Callers on a socket of this machine: the kernel says which user they are.

use super::Subjected;
use ringmail_core::listener::Proof;
use tokio::net::UnixStream;

const USERS: &str = "/etc/passwd";

/// The user at the other end as `unix:NAME`, or `unix:NUMBER` where it has no name here.
pub(crate) fn subject(stream: &UnixStream) -> Option<Subjected> {
    let uid = stream.peer_cred().ok()?.uid();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    let name = named.map_or_else(|| format!("unix:{uid}"), |name| format!("unix:{name}"));
    Some(Subjected { name: name.into(), proof: Proof::Unix })
}
