//! Where a request comes from: the address that counts, the name it asked for, the page that sent it. What a peer says
//! of itself is believed of proxies alone.

use super::Peer;
use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use ringmail_core::listener::ListenerSetting;
use std::net::IpAddr;

/// The address that counts. Proxies append whom they saw, so the last one that is no proxy is it.
pub(super) fn address(peer: &Peer, listener: &ListenerSetting, headers: &HeaderMap) -> IpAddr {
    let is_proxy = |ip: &IpAddr| listener.proxies.iter().any(|range| range.contains(*ip));
    let direct = peer.address.ip();
    if !is_proxy(&direct) {
        return direct;
    }
    let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut nearest = direct;
    for hop in said.iter().rev() {
        let Ok(ip) = hop.parse::<IpAddr>() else { return nearest };
        nearest = ip;
        if !is_proxy(&ip) {
            break;
        }
    }
    nearest
}

/// A name without its port, in lower case.
fn bare(authority: &str) -> String {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether the listener answers to the name that was asked for: a page that made a name of its own lead here gets
/// nothing.
pub(super) fn host_fits(asked: Option<&str>, listener: &ListenerSetting) -> bool {
    let Some(asked) = asked.map(bare) else { return false };
    match &listener.hosts {
        Some(hosts) => hosts.contains(&asked),
        None if listener.at.is_loopback() => {
            asked == "localhost" || asked.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => true,
    }
}

/// The name a request asks for: in its target, or in its one `Host`.
pub(super) fn host<B>(request: &http::Request<B>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// What a request says of the page that sent it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page<'r> {
    /// No page did.
    None,
    Allowed(&'r str),
    Foreign,
}

pub(super) fn page<'r>(headers: &'r HeaderMap, listener: &ListenerSetting) -> Page<'r> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Page::None };
    let Ok(origin) = origin.to_str() else { return Page::Foreign };
    let known = listener.origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
    if known && origins.next().is_none() { Page::Allowed(origin) } else { Page::Foreign }
}
