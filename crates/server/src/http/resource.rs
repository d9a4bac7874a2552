//! What clients of OAuth are told: what this place is called, whose tokens it takes, and what a token lacked.

use super::answer::{Answer, json};
use crate::server::Doors;
use crate::world::World;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use ringmail_core::listener::{ListenerSetting, Proof};
use ringmail_core::value::{Str, Value};
use std::collections::BTreeSet;

const METADATA: &str = "/.well-known/oauth-protected-resource";
const KEYS: &str = "/.well-known/jwks.json";
/// Where a resource of its own stands below the listener's.
const MCP: &str = "/mcp";

/// Whom a token may be for at this path: the listener, or the one door below it.
pub(super) fn resources(listener: &ListenerSetting, path: &str) -> Vec<Str> {
    let Some(resource) = &listener.resource else { return Vec::new() };
    let mut all = vec![resource.clone()];
    if path == MCP {
        all.push(format!("{resource}{MCP}").into());
    }
    all
}

/// What anybody may read here.
pub(super) fn public<B>(
    doors: &Doors,
    world: &World,
    listener: &ListenerSetting,
    request: &Request<B>,
) -> Option<Answer> {
    if request.method() != Method::GET || !listener.accept.contains(&Proof::Jwt) {
        return None;
    }
    let path = request.uri().path();
    if path == KEYS {
        return Some(json(StatusCode::OK, &doors.tokens.published()));
    }
    let below = path.strip_prefix(METADATA).filter(|below| ["", MCP].contains(below))?;
    let resource = listener.resource.as_ref()?;
    let issuers: Vec<Value> = world.issuers.settings().map(|issuer| Value::Str(issuer.url.clone())).collect();
    let scopes: BTreeSet<&str> =
        world.issuers.settings().flat_map(|issuer| issuer.scopes.iter().map(|scope| &*scope.name)).collect();
    let mut members = vec![
        ("resource", Value::from(format!("{resource}{below}"))),
        ("bearer_methods_supported", Value::list([Value::from("header")])),
    ];
    if !issuers.is_empty() {
        members.push(("authorization_servers", Value::list(issuers)));
    }
    if !scopes.is_empty() {
        members.push(("scopes_supported", Value::list(scopes.into_iter().map(Value::from))));
    }
    Some(json(StatusCode::OK, &Value::map(members)))
}

/// Says whoever was turned away how to be let in: the same to all who were not proved, and to who was, the scope it
/// needs.
pub(super) fn challenge(answer: &mut Answer, listener: &ListenerSetting, path: &str, scope: Option<&str>) {
    let mut said = match (answer.status(), scope) {
        (StatusCode::UNAUTHORIZED, _) => "Bearer realm=\"ringmail\"".to_string(),
        (StatusCode::FORBIDDEN, Some(scope)) => {
            format!("Bearer realm=\"ringmail\", error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        _ => return,
    };
    if let (Some(resource), true) = (&listener.resource, listener.accept.contains(&Proof::Jwt)) {
        let below = if path == MCP { MCP } else { "" };
        said.push_str(&format!(", resource_metadata=\"{resource}{METADATA}{below}\""));
    }
    if let Ok(said) = HeaderValue::from_str(&said) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, said);
    }
}
