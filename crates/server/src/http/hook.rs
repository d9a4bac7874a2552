//! Webhooks: a delivery counts if its sender signed it with the secret that both know, now, and for the first time. The
//! chain runs after the sender has its answer.

use super::answer::Answer;
use super::call;
use super::deliveries::Noted;
use super::given::Given;
use crate::caller::Caller;
use crate::calls::{Asked, Turned};
use crate::identity::kept::from_hex;
use crate::problem::Problem;
use crate::server::Doors;
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use ringmail_core::json::{JsonLimits, is_json, parse};
use ringmail_core::listener::ListenerSetting;
use ringmail_core::value::Value;
use ringmail_core::webhook::{HookScheme, WebhookSetting};
use ringmail_engine::CancellationToken;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;

/// A delivery as its headers say it.
struct Delivery<'h> {
    /// Nothing where the sender does not name it: what is signed is its name then.
    id: Option<&'h str>,
    time: Option<&'h str>,
    /// Any of them may be the right one: keys are rotated.
    macs: Vec<Vec<u8>>,
}

pub(super) async fn deliver(
    doors: &Arc<Doors>,
    world: &Arc<World>,
    listener: &ListenerSetting,
    from: IpAddr,
    name: &str,
    request: Request<Given>,
) -> Result<Answer, Turned> {
    let hook = world.setting.webhooks.iter().find(|hook| &*hook.name == name);
    let hook = hook.ok_or_else(|| (Problem::not_found(), format!("there is no webhook `{name}`")))?;
    // Nobody is proved before all of it is here, so few may bring theirs at once.
    let _room = doors
        .delivering
        .add_unproved(from)
        .ok_or_else(|| (Problem::overloaded(), "too many deliveries are being read".to_string()))?;
    let headers = request.headers().clone();
    let body = call::body(world, request.into_body()).await?;
    let unproved = |why: &str| (Problem::unproved(), format!("webhook `{name}`: {why}"));
    let delivery =
        read(hook.scheme, &headers).ok_or_else(|| unproved("it is not signed as its scheme says"))?;
    if !is_signed(world, hook, &delivery, &body) {
        return Err(unproved("the signature is not that of its secret"));
    }
    let now_ms = doors.now_ms();
    if let Some(time) = delivery.time {
        let at_ms = time.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000));
        if at_ms.is_none_or(|at_ms| at_ms.abs_diff(now_ms) > hook.within_ms) {
            return Err(unproved("it was signed too long ago, or is yet to be"));
        }
    }
    // Never by what it was signed with alone: whoever sends it once more may add signatures that mean nothing.
    let named = match delivery.id {
        Some(id) => [name.as_bytes(), b" ", id.as_bytes()].concat(),
        None => [&[name.as_bytes(), b" "], &*signed_parts(hook.scheme, &delivery, &body)].concat().concat(),
    };
    // Until its time is past, whichever way clocks differ.
    let until_ms = now_ms.saturating_add(hook.within_ms.saturating_mul(2));
    let known: [u8; 32] = Sha256::digest(&named).into();
    match doors.deliveries.note(known, now_ms, until_ms) {
        Noted::First => {}
        Noted::Again => {
            let problem = Problem::new(StatusCode::CONFLICT, "repeated", "this was delivered before");
            return Err((problem, format!("webhook `{name}`: it was delivered before")));
        }
        Noted::Not(why) => return Err((Problem::overloaded(), format!("webhook `{name}`: {why}"))),
    }
    let begun = begin(doors, world, listener, hook, &delivery, &headers, &body).await;
    begun.inspect_err(|_| doors.deliveries.forget(&known, now_ms))
}

/// Has the chain run for a delivery that counts.
async fn begin(
    doors: &Arc<Doors>,
    world: &Arc<World>,
    listener: &ListenerSetting,
    hook: &WebhookSetting,
    delivery: &Delivery<'_>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Answer, Turned> {
    let principal = world.named(&format!("webhook:{}", hook.name), "webhook");
    let caller = Caller::new(principal, None, CancellationToken::new());
    let asked = Asked { doors, world, listener, caller: &caller };
    let counted = asked.count(&hook.chain)?;
    let input = input(world, hook, delivery, headers, body)?;
    let plan = counted.chain.plan().clone();
    call::later(asked, &plan, counted.ready(input).await?).await
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn read(scheme: HookScheme, headers: &HeaderMap) -> Option<Delivery<'_>> {
    let delivery = match scheme {
        HookScheme::Standard => {
            let macs =
                text(headers, "webhook-signature")?.split(' ').filter_map(|one| one.strip_prefix("v1,"));
            Delivery {
                id: Some(text(headers, "webhook-id")?),
                time: Some(text(headers, "webhook-timestamp")?),
                macs: macs.filter_map(|mac| STANDARD.decode(mac).ok()).collect(),
            }
        }
        HookScheme::Github => Delivery {
            id: None,
            time: None,
            macs: vec![from_hex(text(headers, "x-hub-signature-256")?.strip_prefix("sha256=")?)?],
        },
        HookScheme::Stripe => {
            let parts = || text(headers, "stripe-signature").into_iter().flat_map(|value| value.split(','));
            Delivery {
                id: None,
                time: Some(parts().find_map(|part| part.trim().strip_prefix("t="))?),
                macs: parts().filter_map(|part| from_hex(part.trim().strip_prefix("v1=")?)).collect(),
            }
        }
        HookScheme::Slack => Delivery {
            id: None,
            time: Some(text(headers, "x-slack-request-timestamp")?),
            macs: vec![from_hex(text(headers, "x-slack-signature")?.strip_prefix("v0=")?)?],
        },
    };
    Some(delivery)
}

/// What its sender signs.
fn signed_parts<'d>(scheme: HookScheme, delivery: &Delivery<'d>, body: &'d [u8]) -> Vec<&'d [u8]> {
    let (id, time) =
        (delivery.id.unwrap_or_default().as_bytes(), delivery.time.unwrap_or_default().as_bytes());
    match scheme {
        HookScheme::Standard => vec![id, b".", time, b".", body],
        HookScheme::Github => vec![body],
        HookScheme::Stripe => vec![time, b".", body],
        HookScheme::Slack => vec![b"v0:", time, b":", body],
    }
}

fn is_signed(world: &World, hook: &WebhookSetting, delivery: &Delivery<'_>, body: &[u8]) -> bool {
    const MACS_MAX: usize = 8;
    let parts = signed_parts(hook.scheme, delivery, body);
    delivery.macs.iter().take(MACS_MAX).any(|mac| world.engine.is_signed_with(&hook.secret, &parts, mac))
}

/// What the chain is given: the delivery's name and time where it has them, the headers it asked for, the body.
fn input(
    world: &World,
    hook: &WebhookSetting,
    delivery: &Delivery<'_>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Value, Turned> {
    let said = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let bad = |detail: String| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid-json", "the body is not valid JSON");
        (problem.detail(detail.clone()), detail)
    };
    let body = if is_json(said) {
        let limits = JsonLimits { bytes_max: world.setting.limits.body_bytes_max, ..JsonLimits::default() };
        parse(body, &limits).map_err(|error| bad(error.to_string()))?
    } else {
        Value::from(std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8 text".into()))?)
    };
    let asked = hook.headers.iter().map(|name| {
        let value = text(headers, name).map_or(Value::Null, Value::from);
        (name.as_str(), value)
    });
    let known = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    Ok(Value::map([
        ("id", known(delivery.id)),
        ("time", known(delivery.time)),
        ("headers", Value::map(asked)),
        ("body", body),
    ]))
}
