//! Calls whose callers were asked something where there are no sessions: the run lies here, and does not move, until the same
//! caller calls once more with the answer. What it carries meanwhile is sealed for that caller and that call, and is good once.

use super::Guest;
use super::ask;
use super::message::{Fault, Request};
use super::play::Playing;
use crate::identity::kept::{hex, random};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringmail_core::json::to_canonical;
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use ringmail_engine::CallerQuestion;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Calls that lie here in all, and of one principal; one more of it ends the one that has lain longest.
const PARKED_MAX: usize = 1_000;
const PARKED_OF_ONE_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct Parked(Mutex<Shelf<Call>>);

/// What lies here for its owners.
struct Shelf<T> {
    count: u64,
    all: BTreeMap<Str, Lying<T>>,
}

struct Lying<T> {
    number: u64,
    owner: Principal,
    what: T,
}

struct Call {
    left: Left,
    _ends: AbortOnDropHandle<()>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf { count: 0, all: BTreeMap::new() }
    }
}

impl<T> Shelf<T> {
    /// Gives what had to go for it, and the thing itself if there is no room.
    fn put(&mut self, id: Str, owner: Principal, what: T) -> Result<Option<T>, T> {
        let own = self.all.iter().filter(|(_, lying)| lying.owner == owner);
        let full = own.clone().count() >= PARKED_OF_ONE_MAX;
        let oldest = own.min_by_key(|(_, lying)| lying.number).filter(|_| full).map(|(id, _)| id.clone());
        let over = oldest.and_then(|oldest| self.take(&oldest));
        if self.all.len() >= PARKED_MAX {
            return Err(what);
        }
        self.count += 1;
        self.all.insert(id, Lying { number: self.count, owner, what });
        Ok(over)
    }

    fn take(&mut self, id: &str) -> Option<T> {
        self.all.remove(id).map(|lying| lying.what)
    }
}

/// A run, and what its caller was asked.
pub(super) struct Left {
    pub(super) playing: Playing,
    pub(super) question: CallerQuestion,
}

/// What a caller came back with.
pub(super) enum Back {
    /// The answer was told to the run.
    Told(Playing),
    /// It is asked once more.
    Again(Vec<(&'static str, Value)>),
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parked({})", self.lying().all.len())
    }
}

impl Parked {
    fn lying(&self) -> MutexGuard<'_, Shelf<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a run for its caller, and says what to come back with; nothing if there is no room.
    pub(super) fn keep(
        self: &Arc<Self>,
        guest: &Guest,
        bound: &[u8],
        left: Left,
    ) -> Option<Vec<(&'static str, Value)>> {
        let id: Str = hex(&random::<16>().ok()?).into();
        let until_ms = left.question.until_ms;
        let plain = format!("{id} {until_ms}");
        let sealed = guest.world.engine.seal_state(plain.as_bytes(), bound)?;
        let told = ask::required(&left.question, URL_SAFE_NO_PAD.encode(sealed).into());
        let wait = Duration::from_millis(until_ms.saturating_sub(guest.doors.now_ms()));
        let (all, own) = (Arc::downgrade(self), id.clone());
        let ends = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Some(all) = all.upgrade() {
                // A run that nobody comes back to ends with whoever asked for it.
                let _over = all.lying().take(&own);
            }
        }));
        let owner = guest.caller.principal().clone();
        // What goes ends only when others can come here again.
        let put = self.lying().put(id, owner, Call { left, _ends: ends });
        put.is_ok().then_some(told)
    }

    /// Goes on with a run whose caller came back, if it is this caller, with this call, in time and for the first time.
    pub(super) fn go_on(
        &self,
        guest: &Guest,
        bound: &[u8],
        state: &str,
        request: &Request,
    ) -> Result<Back, Fault> {
        let unknown = || Fault::params("`requestState` is not one that this call is waited for with");
        let sealed = URL_SAFE_NO_PAD.decode(state).map_err(|_| unknown())?;
        let plain = guest.world.engine.open_state(&sealed, bound).ok_or_else(unknown)?;
        let plain = std::str::from_utf8(&plain).map_err(|_| unknown())?;
        let (id, until_ms) = plain.split_once(' ').ok_or_else(unknown)?;
        if until_ms.parse::<u64>().map_err(|_| unknown())? <= guest.doors.now_ms() {
            return Err(unknown());
        }
        let mut lying = self.lying();
        let question = &lying.all.get(id).ok_or_else(unknown)?.what.left.question;
        let answers = request.params.get("inputResponses");
        let Some(answer) = answers.and_then(|answers| answers.get(&question.name)) else {
            return Ok(Back::Again(ask::required(question, state.into())));
        };
        let answer = ask::read(answer);
        question.check(&answer).map_err(|why| Fault::params(format!("the answer does not fit: {why}")))?;
        let Some(Call { left: Left { playing, question }, .. }) = lying.take(id) else {
            return Err(unknown());
        };
        drop(lying);
        question.tell(answer);
        Ok(Back::Told(playing))
    }
}

/// What a state is sealed for: who may come back with it, and with which call.
pub(super) fn bound(guest: &Guest, request: &Request, chain: &str, input: &Value) -> Vec<u8> {
    let who = guest.caller.principal();
    let text = |text: &Str| Value::Str(text.clone());
    let arguments = Sha256::digest(to_canonical(input).as_bytes());
    let all = [
        text(&guest.listener.name),
        text(&who.subject),
        Value::list(who.roles.iter().map(text)),
        who.tenant.as_ref().map_or(Value::Null, text),
        text(&who.authenticated),
        text(&request.method),
        Value::from(chain),
        Value::from(hex(&arguments)),
    ];
    to_canonical(&Value::list(all)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_lies_here_and_of_one_principal_its_newest() {
        let mut shelf = Shelf::default();
        let who = |name: usize| Principal { subject: format!("{name}").into(), ..Principal::host() };
        let id = |at: usize| Str::from(format!("{at}"));
        for at in 0..PARKED_OF_ONE_MAX {
            assert_eq!(shelf.put(id(at), who(0), at), Ok(None));
        }
        assert_eq!(shelf.put(id(9_998), who(0), 9_998), Ok(Some(0)));
        assert_eq!(shelf.put(id(9_999), who(1), 9_999), Ok(None), "another has its own");
        for at in shelf.all.len()..PARKED_MAX {
            shelf.put(id(at), who(at), at).unwrap();
        }
        assert_eq!(shelf.put("more".into(), who(2_000), 7), Err(7));
        assert!(shelf.take("9999").is_some() && shelf.put("more".into(), who(2_000), 7).is_ok());
    }
}
