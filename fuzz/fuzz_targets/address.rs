//! Addresses: whatever parses as a target or a pattern means the same to this grammar, to the `url` crate and to
//! `http`, so that no request goes elsewhere than where the gate judged. A second line is a redirect.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringmail_core::address::{Host, Pattern, Target};
use std::net::IpAddr;

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(target) = Target::parse(first) {
        agrees(first, &target);
        if let Ok(next) = target.follow(second) {
            agrees(next.as_str(), &next);
        }
    }
    if let Ok(pattern) = Pattern::parse(first) {
        means_what_it_says(&pattern);
    }
});

/// The host and port of a target, as every reader of its text sees them.
fn agrees(text: &str, target: &Target) {
    for text in [text, target.as_str()] {
        let url = url::Url::parse(text).expect("a target is a URL");
        assert_eq!(url_host(&url), target.host().to_string(), "host of {text}");
        assert_eq!(url.port_or_known_default(), Some(target.port()), "port of {text}");
    }
    let again = Target::parse(target.as_str()).expect("a target's own text is a target");
    assert_eq!(&again, target, "a target is its own normal form");
    let origin = Target::parse(&target.origin()).expect("an origin is a target");
    assert_eq!((origin.host(), origin.port()), (target.host(), target.port()), "an origin names its target");
    assert_eq!(origin.origin(), target.origin());
    if let Ok(uri) = target.as_str().parse::<http::Uri>() {
        assert_eq!(uri.host(), Some(target.host().to_string().as_str()), "host as `http` reads {target:?}");
        let standard = if target.is_tls() { 443 } else { 80 };
        assert_eq!(uri.port_u16().unwrap_or(standard), target.port(), "port as `http` reads {target:?}");
    }
    if let Host::Name(name) = target.host() {
        assert!(name.parse::<IpAddr>().is_err(), "`{name}` is an address, not a name");
    }
}

fn url_host(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host).to_string()
}

/// A pattern takes the address it spells out, and what it spells out is a URL.
fn means_what_it_says(pattern: &Pattern) {
    /// Names near the longest there is have no room for a label in front.
    const BYTES_MAX: usize = 200;
    let text = pattern.as_str();
    assert_eq!(Pattern::parse(text).as_ref(), Ok(pattern));
    if text.len() > BYTES_MAX {
        return;
    }
    let example = example(text);
    let target = Target::parse(&example);
    let target = target.unwrap_or_else(|why| panic!("the pattern `{text}` parses, but: {why}"));
    assert!(pattern.takes(&target), "the pattern `{text}` does not take `{example}`");
    agrees(&example, &target);
}

/// A URL the pattern should take: wildcards and ranges replaced by one of what they stand for.
fn example(pattern: &str) -> String {
    let (scheme, rest) = pattern.split_once("://").unwrap_or_default();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = rest.strip_suffix(":*").map_or((rest, ""), |host| (host, ":1234"));
    let host = match host.strip_prefix('*') {
        Some(after) => format!("a{after}"),
        None => host.to_string(),
    };
    let host = match host.split_once('/') {
        Some((base, bits)) => format!("{base}{}", bits.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => host,
    };
    format!("{scheme}://{host}{port}/")
}
