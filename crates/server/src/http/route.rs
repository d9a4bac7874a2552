//! The order of a request: counted, asked for by its right name, proved, routed. Nothing is read of its body before.

use super::answer::{Answer, empty, json};
use super::from::{Page, address, host, host_fits, page};
use super::given::Given;
use super::{Peer, approvals, call, hook, mcp, openapi, resource, token};
use crate::caller::Caller;
use crate::calls::{Asked, Turned, turn_away};
use crate::identity::{Shown, prove};
use crate::limits::Held;
use crate::problem::Problem;
use crate::server::Doors;
use crate::world::World;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, AUTHORIZATION, HeaderValue, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, StatusCode};
use ringmail_core::listener::{ListenerSetting, Proof};
use ringmail_core::value::Value;
use std::sync::Arc;

/// A request and its answer.
pub(super) async fn answer(doors: &Arc<Doors>, peer: &Peer, request: Request<Given>) -> Answer {
    let world = doors.world();
    let Some(listener) = world.listener(&peer.listener) else {
        return Problem::not_found().answer(&doors.next_id());
    };
    let origin = match page(request.headers(), listener) {
        Page::Allowed(origin) => HeaderValue::from_str(origin).ok(),
        Page::None | Page::Foreign => None,
    };
    let mut answer = admit(doors, &world, listener, peer, request).await;
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("ringmail-run, location, retry-after, www-authenticate, mcp-session-id"),
        );
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    answer
}

async fn admit(
    doors: &Arc<Doors>,
    world: &Arc<World>,
    listener: &ListenerSetting,
    peer: &Peer,
    request: Request<Given>,
) -> Answer {
    let from = address(peer, listener, request.headers());
    let path = request.uri().path().to_string();
    let what = format!("{} {path}", request.method());
    let note = |caller: Option<&Caller>, turned: &Turned| {
        turn_away(doors, &listener.name, from.to_string(), caller, what.clone(), turned)
    };
    let turned = |caller: Option<&Caller>, turned: Turned| {
        let mut answer = turned.0.answer(&note(caller, &turned));
        resource::challenge(&mut answer, listener, &path, turned.0.scope.as_deref());
        answer
    };
    let knocked: Held = match doors.rates.knock(&world.setting.rates, Some(from)) {
        Ok(held) => held,
        Err(wait) => {
            return turned(None, (Problem::too_often(wait), "too many calls from this address".into()));
        }
    };
    if !host_fits(host(&request), listener) {
        let problem =
            Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", "this is not the host asked for");
        return turned(None, (problem, "the listener does not answer to this name".into()));
    }
    match page(request.headers(), listener) {
        Page::Foreign => {
            let problem = Problem::new(StatusCode::FORBIDDEN, "foreign-origin", "this page may not call");
            return turned(None, (problem, "the origin is not among those that may call".into()));
        }
        Page::Allowed(_) if request.method() == Method::OPTIONS => return preflight(),
        Page::Allowed(_) | Page::None => {}
    }
    let public = health(doors, &request).or_else(|| resource::public(doors, world, listener, &request));
    if let Some(answer) = public {
        return answer;
    }
    if let (&Method::POST, Some(name)) = (request.method(), request.uri().path().strip_prefix("/hooks/")) {
        let name = name.to_string();
        let delivered = hook::deliver(doors, world, listener, from, &name, request).await;
        return delivered.unwrap_or_else(|why| turned(None, why));
    }
    if path == "/token" && request.method() == Method::POST && listener.accept.contains(&Proof::Jwt) {
        let told = token::answer(doors, world.setting.limits.body_ms, from, request).await;
        return told.unwrap_or_else(|(word, why)| token::refused(word, &note(None, &token::turned(&why))));
    }
    let resources = resource::resources(listener, &path);
    let shown = Shown { bearer: bearer(&request), resources: &resources, subject: peer.subject.as_ref() };
    let caller = match prove(&shown, listener, world, doors).await {
        Ok(caller) => caller.having_knocked(knocked),
        Err(why) => return turned(None, (Problem::unproved(), why.to_string())),
    };
    let asked = Asked { doors, world, listener, caller: &caller };
    route(asked, from.to_string(), request).await.unwrap_or_else(|why| turned(Some(&caller), why))
}

async fn route(asked: Asked<'_>, from: String, request: Request<Given>) -> Result<Answer, Turned> {
    let path = request.uri().path().to_string();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let nothing = || (Problem::not_found(), "there is nothing at this path".to_string());
    // Calls of chains, and what clients of MCP ask for, are counted where it is known what they are.
    let _counted = match (request.method().as_str(), parts.as_slice()) {
        (_, ["mcp"]) => None,
        ("GET", _) | ("DELETE", ["runs", _]) | ("POST", ["approvals", _]) => Some(asked.count_other()?),
        _ => None,
    };
    match (request.method().as_str(), parts.as_slice()) {
        ("GET", ["openapi.json"]) => Ok(json(StatusCode::OK, &openapi::all(asked))),
        ("GET", ["chains"]) => {
            let chains = asked.world.chains_for(asked.listener, asked.caller).map(openapi::card);
            Ok(json(StatusCode::OK, &Value::map([("chains", Value::list(chains))])))
        }
        ("GET", ["chains", name]) => {
            let chain =
                asked.world.chains_for(asked.listener, asked.caller).find(|chain| chain.name() == *name);
            chain.map(|chain| json(StatusCode::OK, &openapi::card(chain))).ok_or_else(nothing)
        }
        ("GET", ["chains", name, "openapi.json"]) => {
            let mut chains = asked.world.chains_for(asked.listener, asked.caller);
            let chain = chains.find(|chain| chain.name() == *name).ok_or_else(nothing)?;
            Ok(json(StatusCode::OK, &openapi::one(asked, chain)))
        }
        ("POST", ["chains", name]) => call::chain(asked, name, request).await,
        ("GET", ["runs", id]) => call::poll(asked, id).await,
        ("DELETE", ["runs", id]) => call::cancel(asked, id).await,
        ("GET", ["approvals"]) => approvals::list(asked),
        ("POST", ["approvals", id]) => approvals::say(asked, id, request).await,
        (_, ["approvals"]) => Ok(not_allowed(asked, "GET")),
        (_, ["approvals", _]) => Ok(not_allowed(asked, "POST")),
        ("POST", ["mcp"]) if asked.listener.mcp => mcp::post(asked, from, request).await,
        ("DELETE", ["mcp"]) if asked.listener.mcp => Ok(mcp::delete(asked, from, request.headers())),
        ("GET", ["mcp"]) if asked.listener.mcp => Ok(mcp::listen(asked, from, request.headers())),
        (_, ["mcp"]) if asked.listener.mcp => Ok(not_allowed(asked, "GET, POST, DELETE")),
        (_, ["openapi.json" | "chains"] | ["chains", _, "openapi.json"]) => Ok(not_allowed(asked, "GET")),
        (_, ["chains", _]) => Ok(not_allowed(asked, "GET, POST")),
        (_, ["runs", _]) => Ok(not_allowed(asked, "GET, DELETE")),
        _ => Err(nothing()),
    }
}

fn not_allowed(asked: Asked<'_>, methods: &'static str) -> Answer {
    let problem =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "this is not how it is asked for");
    let mut answer = problem.answer(&asked.doors.next_id());
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

/// What stands behind `Bearer` in the one `Authorization`. A token in the query string is none.
fn bearer<B>(request: &Request<B>) -> Option<&str> {
    let mut shown = request.headers().get_all(AUTHORIZATION).iter();
    let value = shown.next()?.to_str().ok()?;
    if shown.next().is_some() {
        return Some("");
    }
    let (scheme, rest) = value.split_once(' ')?;
    Some(if scheme.eq_ignore_ascii_case("bearer") { rest.trim() } else { "" })
}

/// For whoever looks after this server; tells nothing but that it is there.
fn health(doors: &Doors, request: &Request<Given>) -> Option<Answer> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/health/live") => Some(empty(StatusCode::NO_CONTENT)),
        (&Method::GET, "/health/ready") => Some(empty(match doors.stopping.is_cancelled() {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::NO_CONTENT,
        })),
        _ => None,
    }
}

fn preflight() -> Answer {
    let mut answer = empty(StatusCode::NO_CONTENT);
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, accept, prefer, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    answer
}
