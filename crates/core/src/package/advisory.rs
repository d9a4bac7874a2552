//! Known advisories, as OSV publishes them, held against what plugins are made of. Where a version cannot be compared, or
//! a severity is not said, the worse is assumed: nothing is passed over because it was written in another way.

use super::Package;
use crate::json::{JsonLimits, parse, shorten};
use crate::value::Value;
use std::cmp::Ordering;

/// The ecosystem of plugins themselves; a publisher may follow, as in `Ringmail:acme`.
const OWN: &str = "Ringmail";
/// What names the parts of a plugin, and whose packages those are.
const ECOSYSTEMS: &[(&str, &str)] =
    &[("Cargo.lock", "crates.io"), ("package-lock.json", "npm"), ("requirements.txt", "PyPI")];

/// How bad an advisory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Moderate,
    High,
    Critical,
}

impl Severity {
    pub const NAMES: [(&'static str, Severity); 4] = [
        ("low", Severity::Low),
        ("moderate", Severity::Moderate),
        ("high", Severity::High),
        ("critical", Severity::Critical),
    ];

    pub fn name(self) -> &'static str {
        Severity::NAMES.iter().find(|(_, severity)| *severity == self).map_or("", |(name, _)| name)
    }

    fn of_word(word: &str) -> Option<Severity> {
        let word = word.to_ascii_lowercase();
        let word = if word == "medium" { "moderate" } else { &word };
        Severity::NAMES.iter().find(|(name, _)| *name == word).map(|(_, severity)| *severity)
    }
}

/// A plugin, or something that it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub ecosystem: String,
    pub name: String,
    /// Empty where it is not known.
    pub version: String,
}

impl Part {
    /// A plugin itself; who published it, where it was signed.
    pub fn plugin(name: &str, version: &str, publisher: Option<&str>) -> Part {
        let ecosystem = publisher.map_or_else(|| OWN.to_string(), |publisher| format!("{OWN}:{publisher}"));
        Part { ecosystem, name: name.into(), version: version.into() }
    }

    /// Whether an advisory of that ecosystem and name is about this.
    fn is(&self, ecosystem: &str, name: &str) -> bool {
        let own = self.ecosystem.split(':').next() == Some(OWN) && ecosystem == OWN;
        let plain = |name: &str| match ecosystem {
            "PyPI" => name.to_ascii_lowercase().replace(['_', '.'], "-"),
            _ => name.to_string(),
        };
        (own || ecosystem == self.ecosystem) && plain(name) == plain(&self.name)
    }
}

/// A package's plugin, and what its SBOM names.
pub fn parts(package: &Package) -> Vec<Part> {
    let publisher = package.signed.as_ref().map(|signed| signed.statement.get("publisher"));
    let mut out = vec![Part::plugin(&package.manifest.name, &package.manifest.version, publisher)];
    let limits = JsonLimits { bytes_max: package.sbom.len(), ..JsonLimits::default() };
    let bill = parse(&package.sbom, &limits).unwrap_or_default();
    for item in list(&bill, "components") {
        let named = |property: &&Value| text(property, "name") == "ringmail:named-by";
        let by = list(item, "properties").find(named).map_or("", |property| text(property, "value"));
        if let Some((_, ecosystem)) = ECOSYSTEMS.iter().find(|(file, _)| *file == by) {
            let (name, version) = (text(item, "name").into(), text(item, "version").into());
            out.push(Part { ecosystem: (*ecosystem).into(), name, version });
        }
    }
    out
}

/// One advisory, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    pub id: String,
    pub summary: String,
    pub severity: Severity,
    affected: Vec<Affected>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Affected {
    ecosystem: String,
    name: String,
    versions: Vec<String>,
    ranges: Vec<Vec<Event>>,
    /// Whether it says nothing of versions that anything can be held against.
    all: bool,
}

/// Where a range begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Event::Introduced(version) | Event::Fixed(version) | Event::LastAffected(version) => version,
        }
    }
}

impl Advisory {
    /// Reads one; nothing, if it was withdrawn.
    pub fn read(value: &Value) -> Result<Option<Advisory>, String> {
        let id = text(value, "id");
        if id.is_empty() || value.get("affected").and_then(Value::as_list).is_none() {
            return Err("it is no advisory of OSV: it has no `id` or no `affected`".into());
        }
        if !text(value, "withdrawn").is_empty() {
            return Ok(None);
        }
        let affected: Result<Vec<Affected>, String> =
            list(value, "affected").map(|item| Affected::read(item, id)).collect();
        let summary = Some(text(value, "summary")).filter(|summary| !summary.is_empty());
        Ok(Some(Advisory {
            id: shorten(id),
            summary: shorten(summary.unwrap_or_else(|| text(value, "details"))),
            severity: severity(value, id),
            affected: affected?,
        }))
    }

    /// Whether it could be about any of these, whatever their versions.
    pub fn names(&self, parts: &[Part]) -> bool {
        self.affected.iter().any(|one| parts.iter().any(|part| part.is(&one.ecosystem, &one.name)))
    }

    pub fn hits(&self, part: &Part) -> bool {
        let about = self.affected.iter().filter(|one| part.is(&one.ecosystem, &one.name));
        about.into_iter().any(|one| {
            part.version.is_empty()
                || one.all
                || one.versions.contains(&part.version)
                || one.ranges.iter().any(|range| is_within(range, &part.version))
        })
    }
}

impl Affected {
    /// Whatever says nothing of versions that can be held against one is about all of them.
    fn read(item: &Value, id: &str) -> Result<Affected, String> {
        let wrong = |what: &str| format!("`{}` has {what}, which is not OSV's", shorten(id));
        item.as_map().ok_or_else(|| wrong("something else than a table in `affected`"))?;
        let said = |key: &str| match item.get("package") {
            // Only what lies in a repository has none.
            None => Ok(String::new()),
            Some(package) => {
                let text = package.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
                text.map(String::from).ok_or_else(|| wrong("a `package` without ecosystem or name"))
            }
        };
        let versions = entries(item, "versions").map_err(&wrong)?;
        let versions: Option<Vec<&str>> = versions.into_iter().map(Value::as_str).collect();
        let versions = versions.ok_or_else(|| wrong("a version that is no text"))?;
        let mut ranges = Vec::new();
        for range in entries(item, "ranges").map_err(&wrong)? {
            let git = match range.get("type").and_then(Value::as_str) {
                Some("GIT") => true,
                Some("SEMVER" | "ECOSYSTEM") => false,
                _ => return Err(wrong("a range of another type")),
            };
            // A limit is about branches of a repository.
            let events = entries(range, "events").map_err(&wrong)?.into_iter();
            let events = events.filter(|event| event.get("limit").is_none());
            let events: Option<Vec<Event>> = events.map(event).collect();
            let events = events.ok_or_else(|| wrong("an event"))?;
            if !git && !events.is_empty() {
                ranges.push(sorted(events));
            }
        }
        Ok(Affected {
            ecosystem: said("ecosystem")?,
            name: said("name")?,
            all: versions.is_empty() && ranges.is_empty(),
            versions: versions.into_iter().map(String::from).collect(),
            ranges,
        })
    }
}

/// What a list holds that may be missing and must be nothing else.
fn entries<'v>(value: &'v Value, key: &str) -> Result<Vec<&'v Value>, &'static str> {
    match value.get(key) {
        None => Ok(Vec::new()),
        Some(Value::List(list)) => Ok(list.iter().collect()),
        Some(_) => Err("something else than a list where one belongs"),
    }
}

fn event(item: &Value) -> Option<Event> {
    let said = |key: &str| item.get(key).and_then(Value::as_str).map(String::from);
    let introduced = said("introduced").map(Event::Introduced);
    let fixed = || said("fixed").map(Event::Fixed);
    introduced.or_else(fixed).or_else(|| said("last_affected").map(Event::LastAffected))
}

/// Sorted by an order that is one for any texts whatever.
fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_cached_key(|event| {
        let (mut numbers, rest) = release(event.version());
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        let parts: Vec<Piece> = rest.trim_start_matches('-').split('.').map(piece).collect();
        (numbers, rest.is_empty(), parts)
    });
    events
}

fn is_within(range: &[Event], version: &str) -> bool {
    // What nobody says the beginning of has none.
    let mut inside = !range.iter().any(|event| matches!(event, Event::Introduced(_)));
    for event in range {
        match event {
            Event::Introduced(from) if compare(version, from).is_none_or(Ordering::is_ge) => inside = true,
            Event::Fixed(at) if compare(version, at).is_some_and(Ordering::is_ge) => inside = false,
            Event::LastAffected(last) if compare(version, last).is_some_and(Ordering::is_gt) => {
                inside = false
            }
            _ => {}
        }
    }
    inside
}

/// Which version is newer; nothing where only its ecosystem could tell.
fn compare(one: &str, two: &str) -> Option<Ordering> {
    let (first, rest_one) = release(one);
    let (second, rest_two) = release(two);
    let longer = first.len().max(second.len());
    let padded = |numbers: &[u64]| -> Vec<u64> {
        (0..longer).map(|at| numbers.get(at).copied().unwrap_or(0)).collect()
    };
    match padded(&first).cmp(&padded(&second)) {
        Ordering::Equal if rest_one == rest_two => Some(Ordering::Equal),
        Ordering::Equal => before(rest_one, rest_two),
        order => Some(order),
    }
}

/// The numbers in front, and what follows them but for the build.
fn release(version: &str) -> (Vec<u64>, &str) {
    let version = version.trim_start_matches('v');
    let version = version.split('+').next().unwrap_or_default();
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let (numbers, rest) = version.split_at_checked(end).unwrap_or((version, ""));
    (numbers.split('.').filter_map(|number| number.parse().ok()).collect(), rest)
}

/// The order of what stands behind equal numbers, as semantic versions have it.
fn before(one: &str, two: &str) -> Option<Ordering> {
    let parts = |rest: &str| -> Option<Vec<Piece>> {
        rest.strip_prefix('-').map(|rest| rest.split('.').map(piece).collect())
    };
    match (one, two) {
        ("", two) => parts(two).map(|_| Ordering::Greater),
        (one, "") => parts(one).map(|_| Ordering::Less),
        (one, two) => Some(parts(one)?.cmp(&parts(two)?)),
    }
}

/// Numbers come before words, and by their size.
type Piece = (bool, u64, String);

fn piece(text: &str) -> Piece {
    text.parse().map_or_else(|_| (true, 0, text.to_string()), |number| (false, number, String::new()))
}

/// What an advisory says of itself; the worse of what it could mean where it says nothing.
fn severity(value: &Value, id: &str) -> Severity {
    let specific = |value: &Value| {
        let said = value.get("database_specific")?;
        Severity::of_word(text(said, "severity"))
    };
    let own = specific(value).or_else(|| list(value, "affected").find_map(specific));
    let all = list(value, "severity").chain(list(value, "affected").flat_map(|item| list(item, "severity")));
    let scored = all.filter_map(|item| cvss3(text(item, "score"))).max_by(f64::total_cmp);
    let informational = list(value, "affected").any(|item| {
        let said = item.get("database_specific");
        said.and_then(|said| said.get("informational")).is_some_and(|said| said.as_str().is_some())
    });
    match (own, scored) {
        (Some(own), _) => own,
        (None, Some(score)) if score >= 9.0 => Severity::Critical,
        (None, Some(score)) if score >= 7.0 => Severity::High,
        (None, Some(score)) if score >= 4.0 => Severity::Moderate,
        (None, Some(_)) => Severity::Low,
        (None, None) if id.starts_with("MAL-") => Severity::Critical,
        (None, None) if informational => Severity::Low,
        (None, None) => Severity::High,
    }
}

/// The base score of a vector of CVSS 3.
fn cvss3(vector: &str) -> Option<f64> {
    let rest = vector.strip_prefix("CVSS:3.0/").or_else(|| vector.strip_prefix("CVSS:3.1/"))?;
    let metric = |name: &str| rest.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix(':'));
    let pick = |name: &str, of: &[(&str, f64)]| {
        let said = metric(name)?;
        of.iter().find(|(value, _)| *value == said).map(|(_, weight)| *weight)
    };
    let changed = metric("S")? == "C";
    let (low, high) = if changed { (0.68, 0.5) } else { (0.62, 0.27) };
    let harm = |name: &str| pick(name, &[("H", 0.56), ("L", 0.22), ("N", 0.0)]);
    let lost = 1.0 - (1.0 - harm("C")?) * (1.0 - harm("I")?) * (1.0 - harm("A")?);
    let impact = match changed {
        true => 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15),
        false => 6.42 * lost,
    };
    let reach = pick("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
    let effort = pick("AC", &[("L", 0.77), ("H", 0.44)])?;
    let rights = pick("PR", &[("N", 0.85), ("L", low), ("H", high)])?;
    let person = pick("UI", &[("N", 0.85), ("R", 0.62)])?;
    let ease = 8.22 * reach * effort * rights * person;
    let whole = if changed { 1.08 * (impact + ease) } else { impact + ease };
    Some(if impact <= 0.0 { 0.0 } else { ((whole.min(10.0) * 100_000.0).round() / 10_000.0).ceil() / 10.0 })
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_list).into_iter().flat_map(|list| list.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Advisory> {
        Advisory::read(&parse(json.as_bytes(), &JsonLimits::default()).unwrap()).unwrap()
    }

    fn about(ecosystem: &str, name: &str, rest: &str) -> Advisory {
        let package = format!("\"package\": {{\"ecosystem\": \"{ecosystem}\", \"name\": \"{name}\"}}");
        read(&format!("{{\"id\": \"X-1\", \"affected\": [{{{package}{rest}}}]}}")).unwrap()
    }

    fn part(ecosystem: &str, name: &str, version: &str) -> Part {
        Part { ecosystem: ecosystem.into(), name: name.into(), version: version.into() }
    }

    #[test]
    fn versions_are_held_against_ranges() {
        let events = |events: &str| {
            about(
                "crates.io",
                "x",
                &format!(", \"ranges\": [{{\"type\": \"SEMVER\", \"events\": [{events}]}}]"),
            )
        };
        let first = r#"{"introduced": "0"}, {"fixed": "1.2.3"}, {"introduced": "2.0.0-rc.2"}, {"last_affected": "2.1.0"}"#;
        let shuffled = r#"{"last_affected": "2.1.0"}, {"fixed": "1.2.3"}, {"introduced": "2.0.0-rc.2"}, {"introduced": "0"}"#;
        for advisory in [events(first), events(shuffled)] {
            for (version, hit) in [
                ("0.0.1", true),
                ("1.2.2", true),
                ("1.2.3-alpha", true),
                ("1.2.3", false),
                ("1.10.0", false),
                ("2.0.0-rc.1", false),
                ("2.0.0-rc.10", true),
                ("2.0.0", true),
                ("2.1.0+build.7", true),
                ("2.1.1", false),
                // Only its ecosystem knows how this compares, and nobody says which version it is.
                ("2.1.0.post1", true),
                ("", true),
            ] {
                assert_eq!(advisory.hits(&part("crates.io", "x", version)), hit, "{version}");
            }
        }
        let listed = about("PyPI", "Py_Yaml", ", \"versions\": [\"5.3\"]");
        assert!(
            listed.hits(&part("PyPI", "py-yaml", "5.3")) && !listed.hits(&part("PyPI", "py-yaml", "5.4"))
        );
        assert!(!listed.hits(&part("npm", "py-yaml", "5.3")));
        let all = about("Ringmail:acme", "mask", "");
        assert!(all.hits(&Part::plugin("mask", "1.0.0", Some("acme"))));
        assert!(!all.hits(&Part::plugin("mask", "1.0.0", Some("other"))));
        assert!(about("Ringmail", "mask", "").hits(&Part::plugin("mask", "1.0.0", Some("acme"))));
        assert_eq!(read(r#"{"id": "X", "withdrawn": "2020-01-01T00:00:00Z", "affected": []}"#), None);
    }

    /// Each of these was read as an advisory that is about no version at all.
    #[test]
    fn what_says_nothing_of_versions_is_about_all_of_them() {
        let git = r#"{"type": "GIT", "events": [{"introduced": "0"}]}"#;
        for rest in [
            String::new(),
            ", \"versions\": [], \"ranges\": []".into(),
            format!(", \"ranges\": [{git}]"),
            format!(", \"versions\": [], \"ranges\": [{git}]"),
            ", \"ranges\": [{\"type\": \"SEMVER\", \"events\": []}]".into(),
            ", \"ranges\": [{\"type\": \"SEMVER\", \"events\": [{\"limit\": \"2\"}]}]".into(),
            ", \"ranges\": [{\"type\": \"SEMVER\", \"events\": [{\"fixed\": \"10.0.0\"}]}]".into(),
        ] {
            assert!(about("npm", "kit", &rest).hits(&part("npm", "kit", "9.0.0")), "{rest}");
        }
        let package = r#""package": {"ecosystem": "npm", "name": "kit"}"#;
        for affected in [
            format!("{{{package}, \"versions\": \"9.0.0\"}}"),
            format!("{{{package}, \"versions\": [9]}}"),
            format!("{{{package}, \"ranges\": {{}}}}"),
            format!("{{{package}, \"ranges\": [{{\"events\": []}}]}}"),
            format!("{{{package}, \"ranges\": [{{\"type\": \"SEMVER\", \"events\": {{}}}}]}}"),
            format!("{{{package}, \"ranges\": [{{\"type\": \"SEMVER\", \"events\": [{{}}]}}]}}"),
            "{\"package\": \"kit\"}".into(),
            "{\"package\": {\"name\": \"kit\"}}".into(),
            "\"kit\"".into(),
        ] {
            let text = format!("{{\"id\": \"X\", \"affected\": [{affected}]}}");
            let read = Advisory::read(&parse(text.as_bytes(), &JsonLimits::default()).unwrap());
            assert!(read.unwrap_err().starts_with("`X` has "), "{affected}");
        }
    }

    /// A sort panics where the order is none, and these are no versions of anything.
    #[test]
    fn any_texts_are_read_and_compared() {
        let pieces = [
            "",
            "0",
            "1.0",
            "1.0.0",
            "1.0-a",
            "1.0b",
            "1.0-1",
            "v1",
            "-",
            "..",
            "1.0.post1",
            "\u{e9}1",
            "9-9.9",
        ];
        let all = pieces.iter().flat_map(|one| pieces.iter().map(move |two| format!("{one}{two}")));
        let all: Vec<String> = all.collect();
        let events = all.iter().enumerate().map(|(at, text)| {
            let kind = ["introduced", "fixed", "last_affected", "limit"][at % 4];
            format!("{{\"{kind}\": \"{text}\"}}")
        });
        let events: Vec<String> = events.collect();
        let range =
            format!(", \"ranges\": [{{\"type\": \"ECOSYSTEM\", \"events\": [{}]}}]", events.join(", "));
        let advisory = about("npm", "x", &range);
        for text in &all {
            let _any = advisory.hits(&part("npm", "x", text));
        }
    }

    #[test]
    fn severity_is_what_it_says_or_the_worse() {
        let said = |more: &str| read(&format!("{{\"id\": \"X\", \"affected\": []{more}}}")).unwrap().severity;
        let vector = |score: &str| {
            said(&format!(", \"severity\": [{{\"type\": \"CVSS_V3\", \"score\": \"{score}\"}}]"))
        };
        assert_eq!(said(", \"database_specific\": {\"severity\": \"MODERATE\"}"), Severity::Moderate);
        assert_eq!(said(""), Severity::High);
        assert_eq!(vector("CVSS:4.0/AV:N"), Severity::High);
        assert_eq!(vector("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), Severity::Critical);
        assert_eq!(vector("CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N"), Severity::Low);
        for (score, vector) in [
            (9.8, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            (10.0, "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"),
            (6.1, "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"),
            (7.5, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"),
            (0.0, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"),
        ] {
            assert!((cvss3(vector).unwrap() - score).abs() < 1e-9, "{vector}: {:?}", cvss3(vector));
        }
        let malicious = read(r#"{"id": "MAL-2024-1", "affected": []}"#).unwrap();
        assert_eq!(malicious.severity, Severity::Critical);
    }
}
