//! Addresses: which URL a call may go to and which IP address a name may lead to. Judges, never resolves.
//! The grammar of a grant is `scheme://host[:port]`; the host is a name, `*.name`, `*`, an address or a range.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A URL a call asks for, normalised the way a browser would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: url::Url,
    host: Host,
    port: u16,
}

/// Where a target leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Lower case, punycode, without a trailing dot.
    Name(String),
    Ip(IpAddr),
}

impl Target {
    /// Reads an http or https URL. Anything a client and a server could read differently is refused.
    pub fn parse(text: &str) -> Result<Target, String> {
        const BYTES_MAX: usize = 8 << 10;
        let shown = || crate::json::shorten(text);
        if text.len() > BYTES_MAX {
            return Err(format!("a URL is at most {BYTES_MAX} bytes long"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(format!(
                "`{}` has a space, backslash or control character, which a URL may not have",
                shown()
            ));
        }
        let mut url = url::Url::parse(text).map_err(|_| format!("`{}` is not a URL", shown()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}` is not an http or https URL", shown()));
        }
        if !url.username().is_empty() || url.password().is_some() || authority_of(text).contains('@') {
            return Err(format!("`{}` has a user or password, which belong into a secret", shown()));
        }
        let host = match url.host() {
            Some(url::Host::Ipv4(ip)) => Host::Ip(IpAddr::V4(ip)),
            Some(url::Host::Ipv6(ip)) => Host::Ip(IpAddr::V6(ip)),
            Some(url::Host::Domain(name)) => Host::Name(name.strip_suffix('.').unwrap_or(name).to_string()),
            None => return Err(format!("`{}` names no host", shown())),
        };
        if let Host::Name(name) = &host {
            if !is_host_name(name) {
                return Err(format!("`{}` names no valid host", shown()));
            }
            if url.host_str() != Some(name) {
                url.set_host(Some(name)).map_err(|_| format!("`{}` names no valid host", shown()))?;
            }
        }
        url.set_fragment(None);
        let port = url.port_or_known_default().unwrap_or(0);
        if port == 0 {
            return Err(format!("`{}` names port 0", shown()));
        }
        Ok(Target { url, host, port })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is an address of this machine, and written as such.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self.host, Host::Ip(ip) if ip.is_loopback())
    }

    /// `https://host:port`: what grants and refusals name.
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.url.scheme(), self.host, self.port)
    }

    /// The whole URL as it will be asked for.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Where a `Location` header leads from here.
    pub fn follow(&self, location: &str) -> Result<Target, String> {
        if location.chars().any(|c| c.is_control()) {
            return Err("the redirect has a control character".into());
        }
        let next = self.url.join(location).map_err(|_| "the redirect is not a URL".to_string())?;
        Target::parse(next.as_str())
    }

    /// The same target with query pairs appended.
    pub fn with_query<'q>(mut self, pairs: impl IntoIterator<Item = (&'q str, String)>) -> Target {
        for (name, value) in pairs {
            self.url.query_pairs_mut().append_pair(name, &value);
        }
        self
    }
}

/// What stands between `//` and the next `/`, `?` or `#`.
fn authority_of(text: &str) -> &str {
    let after = text.split_once("://").map_or(text, |(_, after)| after).trim_start_matches('/');
    after.split(['/', '?', '#']).next().unwrap_or_default()
}

fn is_host_name(name: &str) -> bool {
    const CHARS_MAX: usize = 253;
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= CHARS_MAX && name.split('.').all(label)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

impl Host {
    /// Why this host is not a public one, as far as its spelling tells.
    pub fn special(&self) -> Option<&'static str> {
        match self {
            Host::Ip(ip) => special(*ip),
            Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => Some("loopback"),
            Host::Name(_) => None,
        }
    }
}

/// A pattern of addresses in a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tls: bool,
    pub(crate) host: HostPattern,
    /// Nothing means any port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostPattern {
    /// Any name that is not an address.
    Any,
    Exact(String),
    /// Every name below this one, but not the name itself.
    Below(String),
    Range(IpRange),
}

impl Pattern {
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn parse(text: &str) -> Result<Pattern, String> {
        let shown = crate::json::shorten(text);
        let wrong = |why: &str| Err(format!("`{shown}` is not an address: {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("write `https://host` or `https://host:port`");
        };
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return wrong("the scheme is `https` or `http`"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest);
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let range = IpRange::parse(bracketed.unwrap_or(host));
        if host.contains(['[', ']', ':']) && !(bracketed.is_some() && range.is_some_and(IpRange::is_v6)) {
            return wrong("an IPv6 address or range stands in brackets, such as `[::1]`");
        }
        if host.contains(['/', '?', '#', '@']) && range.is_none() {
            return wrong("it names a host, without user, path or query");
        }
        let port = match port {
            None => Some(if tls { 443 } else { 80 }),
            Some("*") => None,
            Some(digits) => match number(digits) {
                Some(port @ 1..) => Some(port),
                _ => return wrong("a port lies between 1 and 65535, or is `*`"),
            },
        };
        let host = if host == "*" {
            HostPattern::Any
        } else if let Some(below) = host.strip_prefix("*.") {
            match Target::parse(&format!("https://{below}/")).map(|target| target.host) {
                Ok(Host::Name(name)) => HostPattern::Below(name),
                _ => return wrong("`*.` stands before a host name"),
            }
        } else if host.contains('*') {
            return wrong("`*` stands alone or as `*.` in front");
        } else if let Some(range) = range {
            HostPattern::Range(range)
        } else {
            match Target::parse(&format!("https://{host}/")).map(|target| target.host) {
                Ok(Host::Name(name)) => HostPattern::Exact(name),
                Ok(Host::Ip(ip)) => HostPattern::Range(IpRange::of(ip)),
                Err(_) => return wrong("this is no host"),
            }
        };
        Ok(Pattern { text: text.to_string(), tls, host, port })
    }

    /// Whether a target fits in scheme, host and port.
    pub fn takes(&self, target: &Target) -> bool {
        self.tls == target.is_tls()
            && self.port.is_none_or(|port| port == target.port)
            && match (&self.host, &target.host) {
                (HostPattern::Any, Host::Name(_)) => true,
                (HostPattern::Exact(known), Host::Name(name)) => known == name,
                (HostPattern::Below(parent), Host::Name(name)) => name
                    .strip_suffix(parent.as_str())
                    .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
                (HostPattern::Range(range), Host::Ip(ip)) => range.contains(*ip),
                _ => false,
            }
    }

    /// Whether some target fits both. Where that is not plain, it is taken to.
    pub fn meets(&self, other: &Pattern) -> bool {
        let below = |name: &str, parent: &str| {
            name.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        };
        let hosts = match (&self.host, &other.host) {
            (HostPattern::Exact(one), HostPattern::Exact(other)) => one == other,
            (HostPattern::Exact(name), HostPattern::Below(parent))
            | (HostPattern::Below(parent), HostPattern::Exact(name)) => below(name, parent),
            (HostPattern::Below(one), HostPattern::Below(other)) => {
                one == other || below(one, other) || below(other, one)
            }
            (HostPattern::Range(_), HostPattern::Range(_)) => true,
            (HostPattern::Range(_), _) | (_, HostPattern::Range(_)) => false,
            (HostPattern::Any, _) | (_, HostPattern::Any) => true,
        };
        let ports = self.port.is_none() || other.port.is_none() || self.port == other.port;
        hosts && ports && self.tls == other.tls
    }

    /// What both patterns take, as a pattern of its own.
    #[must_use]
    pub fn within(&self, other: &Pattern) -> Option<Pattern> {
        if !self.meets(other) {
            return None;
        }
        let narrower = match (&self.host, &other.host) {
            (HostPattern::Range(one), HostPattern::Range(two)) if one.holds(*two) => other,
            (HostPattern::Range(one), HostPattern::Range(two)) if two.holds(*one) => self,
            (HostPattern::Range(_), HostPattern::Range(_)) => return None,
            (HostPattern::Any, _) => other,
            (_, HostPattern::Any) | (HostPattern::Exact(_), _) => self,
            (_, HostPattern::Exact(_)) => other,
            (HostPattern::Below(one), HostPattern::Below(two)) if one.len() < two.len() => other,
            _ => self,
        };
        let port = self.port.or(other.port);
        let written = narrower.text.split_once("://").map_or("", |(_, rest)| rest);
        let (host, _) = split_port(written.strip_suffix('/').unwrap_or(written));
        let scheme = if self.tls { "https" } else { "http" };
        let port_text = match port {
            None => ":*".to_string(),
            Some(port) if port == if self.tls { 443 } else { 80 } => String::new(),
            Some(port) => format!(":{port}"),
        };
        let text = format!("{scheme}://{host}{port_text}");
        Some(Pattern { text, tls: self.tls, host: narrower.host.clone(), port })
    }

    /// Whether the pattern names this very address.
    pub(crate) fn names_ip(&self, ip: IpAddr) -> bool {
        matches!(&self.host, HostPattern::Range(range) if range.contains(ip))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') && (!host.contains(':') || host.ends_with(']')) => {
            (host, Some(port))
        }
        _ => (text, None),
    }
}

/// A number in digits alone: other readers of the same text must not see another one.
fn number(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// An address, or a range such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    base: IpAddr,
    bits: u8,
}

impl IpRange {
    pub fn parse(text: &str) -> Option<IpRange> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base.parse().ok()?, number(bits).and_then(|bits| bits.try_into().ok())?),
            None => return text.parse().ok().map(IpRange::of),
        };
        let most = if matches!(base, IpAddr::V4(_)) { 32 } else { 128 };
        (bits <= most).then_some(IpRange { base, bits })
    }

    fn is_v6(self) -> bool {
        self.base.is_ipv6()
    }

    pub fn of(ip: IpAddr) -> IpRange {
        IpRange { base: ip, bits: if ip.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether every address of the other range is in this one.
    fn holds(self, other: IpRange) -> bool {
        self.bits <= other.bits && self.contains(other.base)
    }

    pub fn contains(self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(ip) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(ip) & mask
            }
            _ => false,
        }
    }
}

/// Address ranges with a special purpose, from the IANA registries.
const SPECIAL_V4: &[(Ipv4Addr, u8, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Only 2000::/3 is public unicast; these parts of it are not.
const SPECIAL_V6: &[(Ipv6Addr, u8, &str)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

const PUBLIC_V6: IpRange = IpRange { base: IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), bits: 3 };
const NAT64: IpRange = IpRange { base: IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0)), bits: 96 };

/// Why an address is not a public one; nothing if it is. An IPv4 address inside an IPv6 one is judged as itself.
pub fn special(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) => SPECIAL_V4
            .iter()
            .find(|(base, bits, _)| in_range((*base).into(), *bits, v4.into()))
            .map(|(_, _, why)| *why),
        IpAddr::V6(v6) if v6.is_loopback() => Some("loopback"),
        IpAddr::V6(v6) if v6.is_unspecified() => Some("unspecified"),
        IpAddr::V6(v6) => match inner_v4(v6) {
            Some(v4) => special(v4.into()),
            None if !PUBLIC_V6.contains(ip) => Some("not public unicast"),
            None => SPECIAL_V6
                .iter()
                .find(|(base, bits, _)| in_range((*base).into(), *bits, ip))
                .map(|(_, _, why)| *why),
        },
    }
}

fn in_range(base: IpAddr, bits: u8, ip: IpAddr) -> bool {
    IpRange { base, bits }.contains(ip)
}

/// The IPv4 address that a mapped or NAT64 address stands for.
fn inner_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    if NAT64.contains(v6.into()) {
        let [.., a, b, c, d] = v6.octets();
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    v6.to_ipv4_mapped()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, url: &str) -> bool {
        let pattern = Pattern::parse(pattern).unwrap();
        Target::parse(url).is_ok_and(|target| pattern.takes(&target))
    }

    #[test]
    fn attack_01_a_wildcard_takes_what_is_below_and_nothing_else() {
        let pattern = "https://*.example.com";
        for url in [
            "https://a.example.com/",
            "https://a.b.example.com",
            "https://A.EXAMPLE.com./x",
            "https://a.example.com:443/",
        ] {
            assert!(takes(pattern, url), "{url}");
        }
        for url in [
            "https://evilexample.com/",
            "https://example.com/",
            "https://example.com./",
            "https://.example.com/",
            "https://api.example.com@evil.test/",
            "https://evil.test/?.example.com",
            "https://evil.test#.example.com",
            "https://evil.test\\.example.com/",
            "https://a.xn--exampl-gva.com/",
            "https://a.example.com.evil.test/",
            "https://a.еxample.com/",
            "https://user:pw@a.example.com/",
            "https://@a.example.com/",
        ] {
            assert!(!takes(pattern, url), "{url}");
        }
    }

    #[test]
    fn attack_02_scheme_and_port_are_part_of_the_address() {
        assert!(takes("https://api.example.com", "https://api.example.com/x"));
        assert!(!takes("https://api.example.com", "https://api.example.com:22/"));
        assert!(!takes("https://api.example.com", "http://api.example.com/"));
        assert!(!takes("https://api.example.com", "http://api.example.com:443/"));
        assert!(takes("http://api.example.com:8080", "http://api.example.com:8080/"));
        assert!(takes("https://api.example.com:*", "https://api.example.com:9/"));
    }

    #[test]
    fn attack_04_every_spelling_of_a_private_address_is_one() {
        for url in [
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://0/",
            "http://[::]/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:a00:1::]/",
            "http://169.254.169.254/",
            "http://100.64.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://１２７.０.０.１/",
            "http://localhost./",
            "http://LOCALHOST/",
            "http://x.localhost/",
            "http://[fe80::1]/",
            "http://[fc00::1]/",
            "http://192.168.1.1./",
            "http://0x7f.1/",
            "http://[::127.0.0.1]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
            "http://[64:ff9b:1::1]/",
            "http://[2001::1]/",
            "http://[ff02::1]/",
            "http://198.18.0.1/",
            "http://①②⑦.0.0.1/",
        ] {
            let target = Target::parse(url);
            assert!(target.is_err() || target.unwrap().host().special().is_some(), "{url}");
            assert!(!takes("http://*", url) || url.to_lowercase().contains("localhost"), "{url}");
        }
        for ip in
            ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::808:808", "::ffff:8.8.8.8"]
        {
            assert_eq!(special(ip.parse().unwrap()), None, "{ip}");
        }
    }

    #[test]
    fn granted_addresses_and_ranges_are_taken() {
        assert!(takes("http://127.0.0.1:8080", "http://127.1:8080/"));
        assert!(takes("http://[::1]:8080", "http://[0:0::1]:8080/"));
        assert!(takes("https://[fd00::/8]", "https://[fd12::1]/"));
        assert!(takes("http://10.0.0.0/8:*", "http://10.9.8.7:1234/"));
        assert!(!takes("http://10.0.0.0/8", "http://11.0.0.1/"));
        assert!(!takes("http://*", "http://8.8.8.8/"));
    }

    #[test]
    fn attack_08_control_characters_are_refused() {
        for url in [
            "https://a.test/\r\nHost: b",
            "https://a.test/\tx",
            "https://a .test/",
            "https://a.test/x y",
            " https://a.test/",
        ] {
            assert!(Target::parse(url).is_err(), "{url:?}");
        }
        let base = Target::parse("https://a.test/x/y").unwrap();
        assert!(base.follow("/a\r\nb").is_err());
        assert_eq!(base.follow("../z?q=1").unwrap().as_str(), "https://a.test/z?q=1");
        assert_eq!(base.follow("//b.test/").unwrap().origin(), "https://b.test:443");
        assert!(base.follow("file:///etc/passwd").is_err());
        assert_eq!(
            base.with_query([("q", "a&b\r\n".to_string())]).as_str(),
            "https://a.test/x/y?q=a%26b%0D%0A"
        );
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for text in [
            "example.com",
            "ftp://x",
            "https://",
            "https://a/b",
            "https://*x.com",
            "https://a.*.com",
            "https://x:0",
            "https://x:99999",
            "https://u@x",
            "https://*.127.0.0.1",
            "https://x?y",
            "https://10.0.0.0/33",
            "https://*.",
            "https://a b",
            // What one reader takes for a port or an address, another does not.
            "https://x:+80",
            "https://10.0.0.0/+8",
            "https://[::1",
            "https://::1",
            "https://::1:80",
            "https://[[::1]]",
            "https://[10.0.0.1]",
            "https://1.2.3.4]",
            "https://fd00::/8",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_cut_at_any_bit() {
        let range = IpRange::parse("10.1.128.0/17").unwrap();
        assert!(range.contains("10.1.200.1".parse().unwrap()));
        assert!(!range.contains("10.1.127.255".parse().unwrap()));
        assert!(IpRange::parse("0.0.0.0/0").unwrap().contains("9.9.9.9".parse().unwrap()));
        assert!(!IpRange::parse("0.0.0.0/0").unwrap().contains("::1".parse().unwrap()));
        assert!(IpRange::parse("::/0").unwrap().contains("::1".parse().unwrap()));
    }

    #[test]
    fn what_two_patterns_share_is_what_both_take() {
        let patterns = [
            "https://*",
            "https://*:*",
            "https://a.test",
            "https://a.test:*",
            "https://a.test:8443",
            "https://*.test",
            "https://*.a.test",
            "https://*.test:8443/",
            "http://a.test",
            "https://10.0.0.0/8",
            "https://10.1.0.0/16:*",
            "https://10.1.2.3",
            "https://11.0.0.0/8",
            "https://[fc00::]/7",
        ];
        let targets = [
            "https://a.test/",
            "https://a.test:8443/",
            "https://x.a.test/",
            "https://x.a.test:8443/",
            "https://b.test/",
            "https://test/",
            "http://a.test/",
            "https://10.1.2.3/",
            "https://10.1.2.3:99/",
            "https://10.2.0.1/",
            "https://11.0.0.1/",
            "https://[fc00::1]/",
        ];
        let parsed: Vec<Pattern> = patterns.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        assert!(parsed.len() >= 13);
        for (one, two) in parsed.iter().flat_map(|one| parsed.iter().map(move |two| (one, two))) {
            let shared = one.within(two);
            if let Some(shared) = &shared {
                assert_eq!(Pattern::parse(&shared.text).as_ref(), Ok(shared), "{} {}", one.text, two.text);
            }
            for target in targets.map(|text| Target::parse(text).unwrap()) {
                let both = one.takes(&target) && two.takes(&target);
                let said = shared.as_ref().is_some_and(|shared| shared.takes(&target));
                assert_eq!(said, both, "{} and {} of {}", one.text, two.text, target.as_str());
            }
        }
    }
}
