//! What a module says it was made with. Anybody can write that, so it is told on and believed by nobody.

use wasmparser::{KnownCustom, Parser, Payload};

/// More are not read: no toolchain names so many.
const PRODUCERS_MAX: usize = 256;

/// Names and versions from the module's `producers` sections, its parts' included. A section that cannot be read names
/// nothing.
pub fn producers(module: &[u8]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Ok(payload) = payload else { break };
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                let named = (value.name.to_string(), value.version.to_string());
                if out.len() < PRODUCERS_MAX && !out.contains(&named) {
                    out.push(named);
                }
            }
        }
    }
    out
}
