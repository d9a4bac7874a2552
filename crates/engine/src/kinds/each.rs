//! `each`: a body for every item of a list, some at a time, results in order.

use super::chain::blocked;
use super::{Call, Runs, fail};
use crate::bound::{Bound, Called};
use crate::run::{Way, pass};
use futures_util::StreamExt;
use ringmail_core::chain::keys::{DO_CHAIN_KEY, DO_KEY};
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Left, Unchecked};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::label::{Label, Labeled};
use ringmail_core::value::{Seg, Value};
use std::sync::Arc;

pub(super) static KIND: Kind = Kind {
    name: "each",
    doc: "a body for every item of a list",
    settings: &[
        Key::required("over", Form::Expr, "the list"),
        Key::new("as", Form::Name, "what the body calls an item; default `item`, its position is `index`"),
        DO_KEY,
        DO_CHAIN_KEY,
        Key::new("at_most", Form::Int { min: 1, max: 100_000 }, "items; a longer list fails; default 1000"),
        Key::new("parallel", Form::Int { min: 1, max: 256 }, "items at the same time; default 1"),
    ],
    with: With::Nothing,
    role: Role::Each,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(each(way.clone(), call))
    }
}

async fn each(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let (link, _) = way.link(call.admitted.position())?;
    let Detail::Each { over, items_max, parallel, .. } = &link.detail else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no list")).await;
    };
    let (Some(frame), Some(body)) = (&call.frame, body_at(&way, &call, 0)) else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no body")).await;
    };
    let list = frame.eval(over)?;
    let Value::List(items) = &list.value else {
        let message = format!("`over` must be a list, not {}", list.value.type_name());
        return Err(Failure::new(FailureKind::Invalid, message).labelled(list.labels.all()).into());
    };
    if items.len() > *items_max {
        let message = format!("{} items are more than `at_most` {items_max}", items.len());
        return Err(Failure::new(FailureKind::TooLarge, message).labelled(list.labels.all()).into());
    }
    // How often the body runs is decided by the list, so its length decides everything in the body.
    let decision = call.admitted.decision().join(list.labels.own());
    let name = item_name(link);
    let full = link.full.clone();
    let labels = list.labels.clone();
    let items: Vec<Value> = items.iter().cloned().collect();
    let count = items.len();
    // One way for all items: they share what they come to know.
    let inner = way.to_body(link, body.clone());
    let passes = items.into_iter().enumerate().map(|(at, item)| {
        let item = Labeled { value: item, labels: labels.at(&[Seg::Index(at)]) };
        let index = Labeled::new(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), Label::BOTTOM);
        let (way, body, frame) = (inner.clone(), body.clone(), frame.clone());
        let (full, name) = (full.clone(), name.clone());
        async move {
            let step = way.shared.facts().spend_step(&full);
            step.map_err(|refusal| Blocked::Refused(refusal).labelled(decision))?;
            let walk = frame.inside(&body.plan, &[(&name, item), ("index", index)], decision);
            let left = pass(way.to_item(&full, at), walk).await.map_err(blocked)?;
            way.hold(&full, &left).map(|()| left)
        }
    });
    let mut left: Vec<Left> = Vec::with_capacity(count);
    let mut results = futures_util::stream::iter(passes).buffered(*parallel);
    while let Some(result) = results.next().await {
        left.push(result?.joined(decision));
    }
    Ok(Unchecked::many(left, decision))
}

/// The bound body at a position of the link that is running.
pub(super) fn body_at(way: &Way, call: &Call, position: usize) -> Option<Arc<Bound>> {
    way.bound.links.get(call.admitted.position())?.bodies.get(position).cloned()
}

fn item_name(link: &Link) -> String {
    link.settings.get("as").and_then(Value::as_str).unwrap_or("item").to_string()
}
