//! Clients that wait to hear that what they are shown has become something else. A reload tells them, and nothing else: the
//! old list and the new one are compared for each of them, so that nobody hears of what it is not shown.

use super::list::{card_of, is_prompt, is_resource, is_tool, prompt_of, resource_of};
use super::message::{Fault, Request, UNKNOWN_METHOD, notification};
use super::{Era, Guest, Talk, finished, tasks};
use crate::problem::Problem;
use ringmail_core::json::to_canonical;
use ringmail_core::listener::ListenAt;
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Streams of one principal that wait.
const STREAMS_OF_ONE_MAX: usize = 8;
const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// What a client may wait for: how it says so, and what it is told.
const KINDS: [(&str, &str); 3] = [
    ("toolsListChanged", "notifications/tools/list_changed"),
    ("promptsListChanged", "notifications/prompts/list_changed"),
    ("resourcesListChanged", "notifications/resources/list_changed"),
];

/// How many streams wait, by whose they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<Principal, usize>>>);

/// A stream that waits.
#[derive(Debug)]
struct Waiting(Streams, Principal);

impl Streams {
    fn enter(&self, who: &Principal) -> Option<Waiting> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(who.clone()).or_default();
        (*own < STREAMS_OF_ONE_MAX).then(|| {
            *own += 1;
            Waiting(self.clone(), who.clone())
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.1) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Whether anything can change for a client: nobody reloads what is served over pipes.
pub(super) fn is_offered(guest: &Guest) -> bool {
    matches!(guest.listener.at, ListenAt::Http(_))
}

/// What a caller is shown now, of each kind.
fn shown(guest: &Guest) -> [u64; 3] {
    let digest = |cards: &mut dyn Iterator<Item = Value>| {
        let mut hasher = DefaultHasher::new();
        cards.for_each(|card| to_canonical(&card).hash(&mut hasher));
        hasher.finish()
    };
    [
        digest(&mut guest.shown(is_tool).map(card_of)),
        digest(&mut guest.shown(is_prompt).map(prompt_of)),
        digest(&mut guest.shown(is_resource).map(resource_of)),
    ]
}

/// Waits in a stream of its own, without a session, until either side ends it.
pub(super) async fn subscribed(guest: &Guest, talk: &Talk, request: &Request) -> Result<Value, Fault> {
    drop(guest.count(&request.method)?);
    let (Some(out), true) = (&talk.out, is_offered(guest)) else {
        return Err(Fault::new(UNKNOWN_METHOD, "who waits takes `text/event-stream`, over HTTP"));
    };
    let asked = request.params.get("notifications").filter(|asked| asked.as_map().is_some());
    let asked = asked.ok_or_else(|| Fault::params("`notifications` says what is waited for"))?;
    if asked.get("taskIds").is_some() {
        // How a task stands is asked for; but who does not know of tasks is told that it has to.
        tasks::known_to(talk)?;
    }
    let wants = KINDS.map(|(key, _)| asked.get(key) == Some(&Value::Bool(true)));
    let meta = (META_SUBSCRIPTION, request.id.to_value());
    let granted = KINDS.iter().zip(wants).filter(|(_, wanted)| *wanted);
    let granted = Value::map(granted.map(|((key, _), _)| (*key, Value::Bool(true))));
    let params = Value::map([("_meta", Value::map([meta.clone()])), ("notifications", granted)]);
    let said = notification("notifications/subscriptions/acknowledged", params);
    wait(guest, out, wants, (Some(said), Some(&meta.1)), &talk.gone).await?;
    Ok(finished(guest, &talk.era, vec![("_meta", Value::map([meta]))], None))
}

/// Waits in the stream of a session until that ends.
pub(crate) async fn in_session(guest: &Guest, talk: &Talk) -> Result<(), Fault> {
    let (Some(out), Era::Session(session)) = (&talk.out, &talk.era) else { return Ok(()) };
    let ended = session.under_way.ended();
    let waiting = wait(guest, out, [true; 3], (None, None), &talk.gone);
    tokio::select! {
        ended = waiting => ended,
        () = ended.cancelled() => Ok(()),
    }
}

async fn wait(
    guest: &Guest,
    out: &mpsc::Sender<Value>,
    wants: [bool; 3],
    (first, subscription): (Option<Value>, Option<&Value>),
    gone: &CancellationToken,
) -> Result<(), Fault> {
    let full =
        || guest.turned("subscriptions/listen", &(Problem::overloaded(), "too many streams wait".into())).0;
    let _waiting = guest.doors.streams.enter(guest.caller.principal()).ok_or_else(full)?;
    let mut reloads = guest.doors.reloads.subscribe();
    let mut before = shown(guest);
    if let Some(first) = first
        && out.send(first).await.is_err()
    {
        return Ok(());
    }
    let revoked = guest.caller.revoked();
    loop {
        let Some(now) = guest.now() else { return Ok(()) };
        let after = shown(&now);
        for (((_, method), wanted), same) in
            KINDS.iter().zip(wants).zip(before.iter().zip(after).map(|(a, b)| *a == b))
        {
            let meta = subscription.map(|id| ("_meta", Value::map([(META_SUBSCRIPTION, id.clone())])));
            let told = notification(method, Value::map::<Str>([]));
            let told = meta.map_or(told, |meta| notification(method, Value::map([meta])));
            if wanted && !same && out.send(told).await.is_err() {
                return Ok(());
            }
        }
        before = after;
        drop(now);
        tokio::select! {
            biased;
            () = gone.cancelled() => return Ok(()),
            () = guest.doors.stopping.cancelled() => return Ok(()),
            () = revoked.cancelled() => return Ok(()),
            reloaded = reloads.changed() => if reloaded.is_err() { return Ok(()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_principal_waits_in_so_many_streams() {
        let streams = Streams::default();
        let (one, other) = (Principal::host(), Principal { subject: "other".into(), ..Principal::host() });
        let mut all: Vec<Waiting> = (0..STREAMS_OF_ONE_MAX).map(|_| streams.enter(&one).unwrap()).collect();
        assert!(streams.enter(&one).is_none() && streams.enter(&other).is_some());
        drop(all.pop());
        assert!(streams.enter(&one).is_some());
        all.clear();
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
