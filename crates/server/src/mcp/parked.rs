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
const STATE_BYTES_MAX: usize = 1_024;

#[derive(Default)]
pub(crate) struct Parked(Mutex<Lying>);

#[derive(Default)]
struct Lying {
    count: u64,
    calls: BTreeMap<Str, Call>,
}

struct Call {
    number: u64,
    owner: Principal,
    left: Left,
    _ends: AbortOnDropHandle<()>,
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
        write!(f, "Parked({})", self.lying().calls.len())
    }
}

impl Parked {
    fn lying(&self) -> MutexGuard<'_, Lying> {
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
                let _over = all.lying().calls.remove(&own);
            }
        }));
        let owner = guest.caller.principal().clone();
        let mut lying = self.lying();
        let lying = &mut *lying;
        let mine = || lying.calls.iter().filter(|(_, call)| call.owner == owner);
        let mut over = None;
        if mine().count() >= PARKED_OF_ONE_MAX {
            let oldest = mine().min_by_key(|(_, call)| call.number).map(|(id, _)| id.clone());
            over = oldest.and_then(|oldest| lying.calls.remove(&oldest));
        }
        if lying.calls.len() >= PARKED_MAX {
            return None;
        }
        lying.count += 1;
        lying.calls.insert(id, Call { number: lying.count, owner, left, _ends: ends });
        drop(over);
        Some(told)
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
        if state.len() > STATE_BYTES_MAX {
            return Err(unknown());
        }
        let sealed = URL_SAFE_NO_PAD.decode(state).map_err(|_| unknown())?;
        let plain = guest.world.engine.open_state(&sealed, bound).ok_or_else(unknown)?;
        let plain = std::str::from_utf8(&plain).map_err(|_| unknown())?;
        let (id, until_ms) = plain.split_once(' ').ok_or_else(unknown)?;
        if until_ms.parse::<u64>().map_err(|_| unknown())? <= guest.doors.now_ms() {
            return Err(unknown());
        }
        let mut lying = self.lying();
        let call = lying.calls.get(id).ok_or_else(unknown)?;
        let question = &call.left.question;
        let answers = request.params.get("inputResponses");
        let Some(answer) = answers.and_then(|answers| answers.get(&question.name)) else {
            return Ok(Back::Again(ask::required(question, state.into())));
        };
        let answer = ask::read(answer);
        question.check(&answer).map_err(|why| Fault::params(format!("the answer does not fit: {why}")))?;
        let Some(Call { left: Left { playing, question }, .. }) = lying.calls.remove(id) else {
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
