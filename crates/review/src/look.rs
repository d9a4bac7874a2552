//! What several rules ask of a text: whether it is drawn at random, stands in for something, or names a place.

use ringmail_core::detect::{Detectors, Found};
use ringmail_core::label::TagTable;
use std::sync::LazyLock;

static ALL: LazyLock<Detectors> = LazyLock::new(|| Detectors::all(&mut TagTable::default()));

/// What detectors of the runtime find.
pub(crate) fn detected(text: &str) -> Vec<Found> {
    ALL.find(text)
}

/// Bits that a letter tells, by how often letters occur.
pub(crate) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let all = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX)).max(1.0);
    let share = |count: &u32| f64::from(*count) / all;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

/// Whether somebody is to put something else in its place.
pub(crate) fn is_placeholder(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "your",
        "example",
        "xxx",
        "placeholder",
        "changeme",
        "change_me",
        "change-me",
        "dummy",
        "fake",
        "insert",
        "replace",
        "todo",
        "sample",
        "<",
        "...",
        "***",
        "not-needed",
        "notneeded",
        "n/a",
        "test",
        "mock",
        "${",
        "{{",
        "redacted",
        "none",
        "foobar",
        "my-",
        "my_",
        "env:",
        "$(",
        "secret_name",
        "vault:",
    ];
    let text = text.to_ascii_lowercase();
    text.is_empty() || WORDS.iter().any(|word| text.contains(word)) || text.starts_with('$')
}

/// Whether a text looks like a key rather than a word, a path or a name.
pub(crate) fn is_random(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-.~!@#%^&*".contains(&byte));
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    letters && text.len() >= 16 && digits >= 2 && entropy(text) >= 3.5 && !is_placeholder(text)
}

/// The host of an address, without user, port and path.
pub(crate) fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', ' ', '"', '\'', ')', '>', '<', '`', '\\', '\n']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => host.split(':').next()?,
    };
    Some(host).filter(|host| !host.is_empty())
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.starts_with("127.")
        || host == "::1"
        || host == "0.0.0.0"
        || host.ends_with(".localhost")
}

/// Whether a host is known inside of one network only.
pub(crate) fn is_internal(host: &str) -> bool {
    let endings =
        [".local", ".internal", ".corp", ".lan", ".intra", ".intranet", ".private", ".svc", ".cluster.local"];
    let private = host.starts_with("10.") || host.starts_with("192.168.") || is_172(host);
    let address =
        host.split('.').count() == 4 && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    endings.iter().any(|ending| host.ends_with(ending)) || private && address
}

fn is_172(host: &str) -> bool {
    let second = host.strip_prefix("172.").and_then(|rest| rest.split('.').next());
    second.and_then(|second| second.parse::<u8>().ok()).is_some_and(|second| (16..32).contains(&second))
}

/// Whether a function of this name holds something against a rule.
pub(crate) fn is_check(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "validate", "check", "ensure", "verify", "assert", "allowed", "sanitize", "sanitise", "is_safe",
        "is_valid",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Whether a name says that somebody is asked who they are.
pub(crate) fn is_auth(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "authent",
        "authoriz",
        "authoris",
        "jwt",
        "apikey",
        "api_key",
        "oauth",
        "bearer",
        "permission",
        "credential",
        "hmac",
        "signature",
        "currentuser",
        "login_required",
        "compare_digest",
        "require_auth",
    ];
    const WORDS: &[&str] = &[
        "auth",
        "user",
        "token",
        "principal",
        "admin",
        "role",
        "roles",
        "scopes",
        "identity",
        "verify",
        "login",
        "required",
        "who",
        "secure",
        "security",
        "session_user",
        "caller",
    ];
    let lower = name.to_ascii_lowercase();
    let starts = lower.starts_with("auth") && !lower.starts_with("author");
    PARTS.iter().any(|part| lower.contains(part))
        || starts
        || lower.split(['_', '-', '.']).any(|word| WORDS.contains(&word))
}
