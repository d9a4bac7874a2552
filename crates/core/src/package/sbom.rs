//! The bill of materials: CycloneDX, generated from what is known. It names the plugin with the digest of its module, and
//! whatever else was found, each with the place that named it; it claims no more than that.

use super::statement::sha256;
use crate::json::{JsonLimits, parse, to_pretty};
use crate::plugin::Manifest;
use crate::value::Value;

const SPEC: &str = "1.6";

/// Something a plugin is made of, as far as somebody said so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    pub name: String,
    /// Empty where it is not known.
    pub version: String,
    /// What named it: a lock file, or the module itself.
    pub named_by: String,
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn hashes(module: &[u8]) -> Value {
    let digest = sha256(module);
    let content = text(digest.trim_start_matches("sha256:"));
    Value::list([Value::map([("alg", text("SHA-256")), ("content", content)])])
}

/// The SBOM of a plugin. Components are sorted, and none is named twice.
pub fn sbom(manifest: &Manifest, module: &[u8], mut components: Vec<Component>) -> Vec<u8> {
    components.sort();
    components.dedup();
    let components = components.iter().map(|part| {
        let named = Value::map([("name", text("ringmail:named-by")), ("value", text(&part.named_by))]);
        let mut members = vec![("type", text("library")), ("name", text(&part.name))];
        if !part.version.is_empty() {
            members.push(("version", text(&part.version)));
        }
        members.push(("properties", Value::list([named])));
        Value::map(members)
    });
    let plugin = Value::map([
        ("type", text("application")),
        ("name", Value::Str(manifest.name.clone())),
        ("version", Value::Str(manifest.version.clone())),
        ("description", Value::Str(manifest.description.clone())),
        ("hashes", hashes(module)),
    ]);
    let whole = Value::map([
        ("bomFormat", text("CycloneDX")),
        ("specVersion", text(SPEC)),
        ("version", Value::Int(1)),
        ("metadata", Value::map([("component", plugin)])),
        ("components", Value::list(components)),
    ]);
    format!("{}\n", to_pretty(&whole)).into_bytes()
}

/// Whether an SBOM is about this plugin.
pub(super) fn check(bytes: &[u8], manifest: &Manifest, module: &[u8]) -> Result<(), String> {
    let limits = JsonLimits { bytes_max: bytes.len(), ..JsonLimits::default() };
    let read = parse(bytes, &limits).map_err(|error| format!("is not JSON: {error}"))?;
    if read.get("bomFormat").and_then(Value::as_str) != Some("CycloneDX") {
        return Err("is not CycloneDX".into());
    }
    let said = read.get("metadata").and_then(|metadata| metadata.get("component"));
    let is = |key: &str, value: &str| {
        said.and_then(|said| said.get(key)).and_then(Value::as_str).is_some_and(|said| said == value)
    };
    if !is("name", &manifest.name) || !is("version", &manifest.version) {
        return Err("is of another plugin or version".into());
    }
    match said.and_then(|said| said.get("hashes")) == Some(&hashes(module)) {
        true => Ok(()),
        false => Err("is of another module".into()),
    }
}
