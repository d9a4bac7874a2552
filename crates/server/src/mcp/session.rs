//! Sessions of the revisions that have them: found by an id that nobody guesses, and by their own principal alone.

use super::era::Level;
use super::message::{Fault, Id};
use crate::identity::kept::{hex, random};
use ringmail_core::policy::Principal;
use ringmail_core::value::{Str, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Sessions in all, and of one principal; one more of it ends the one it left alone longest.
const SESSIONS_MAX: usize = 10_000;
const SESSIONS_OF_ONE_MAX: usize = 64;
/// A session is forgotten that was left alone so long.
const IDLE: Duration = Duration::from_secs(3_600);

/// What a client said once, and what it is waiting for.
#[derive(Debug)]
pub(crate) struct Session {
    listener: Str,
    owner: Principal,
    now: Mutex<Now>,
    pub(crate) under_way: UnderWay,
    /// Whether there is a person who can be asked, and what is.
    pub(crate) asks: bool,
    pub(crate) asked: AskedThere,
}

#[derive(Debug)]
struct Now {
    level: Option<Level>,
    used: Instant,
}

impl Session {
    pub(crate) fn new(owner: Principal, listener: Str, asks: bool) -> Session {
        let now = Mutex::new(Now { level: None, used: Instant::now() });
        let (under_way, asked) = (UnderWay::default(), AskedThere::default());
        Session { listener, owner, now, under_way, asks, asked }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn level(&self) -> Option<Level> {
        self.now().level
    }

    pub(crate) fn set_level(&self, level: Level) {
        self.now().level = Some(level);
    }
}

/// What the client of a session was asked and has not answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedThere(Arc<Mutex<(u64, BTreeMap<Id, Brings>)>>);

/// Brings what a client answers; nothing if it could not.
type Brings = oneshot::Sender<Option<Value>>;

/// A question that waits for its answer; whoever drops it waits no more.
#[derive(Debug)]
pub(crate) struct OpenQuestion {
    all: AskedThere,
    pub(crate) id: Id,
    pub(crate) answer: oneshot::Receiver<Option<Value>>,
}

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        self.all.take(&self.id);
    }
}

impl AskedThere {
    pub(crate) fn ask(&self) -> OpenQuestion {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        let id = Id::Text(format!("ask-{}", all.0).into());
        let (brings, answer) = oneshot::channel();
        all.1.insert(id.clone(), brings);
        OpenQuestion { all: self.clone(), id, answer }
    }

    pub(crate) fn take(&self, id: &Id) -> Option<Brings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(id)
    }
}

/// Requests that are being answered, to be cancelled by their ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay {
    requests: Arc<Mutex<BTreeMap<Id, CancellationToken>>>,
    ended: CancellationToken,
}

/// A request that is being answered; whoever drops it has answered it.
#[derive(Debug)]
pub(crate) struct Begun {
    all: UnderWay,
    id: Id,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.all().remove(&self.id);
    }
}

impl UnderWay {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Id, CancellationToken>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends with the session that all of it is under way in.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Makes a request one that can be cancelled, unless its id is in use.
    pub(crate) fn begin(&self, id: &Id, cancel: CancellationToken) -> Result<Begun, Fault> {
        let mut all = self.all();
        if all.contains_key(id) {
            return Err(Fault::envelope("a request with this id is still under way"));
        }
        all.insert(id.clone(), cancel);
        Ok(Begun { all: self.clone(), id: id.clone() })
    }

    pub(crate) fn cancel(&self, id: &Id) {
        if let Some(cancel) = self.all().get(id) {
            cancel.cancel();
        }
    }

    pub(crate) fn cancel_all(&self) {
        self.ended.cancel();
        self.all().values().for_each(CancellationToken::cancel);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<Str, Arc<Session>>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Str, Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session in and says what it is called, unless there are too many.
    pub(crate) fn begin(&self, session: Session) -> Option<Str> {
        let id: Str = hex(&random::<32>().ok()?).into();
        let mut all = self.all();
        let own = all.iter().filter(|(_, known)| known.owner == session.owner);
        if own.clone().count() >= SESSIONS_OF_ONE_MAX {
            let oldest = own.min_by_key(|(_, known)| known.now().used).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest.and_then(|oldest| all.remove(&oldest)) {
                oldest.under_way.cancel_all();
            }
        }
        if all.len() >= SESSIONS_MAX {
            all.retain(|_, known| known.now().used.elapsed() < IDLE);
        }
        if all.len() >= SESSIONS_MAX {
            return None;
        }
        all.insert(id.clone(), Arc::new(session));
        Some(id)
    }

    /// Another's session is as unknown as none.
    pub(crate) fn find(&self, id: &str, owner: &Principal, listener: &str) -> Option<Arc<Session>> {
        let mut all = self.all();
        let session = all.get(id).filter(|known| known.owner == *owner && *known.listener == *listener)?;
        let session = session.clone();
        let idle = std::mem::replace(&mut session.now().used, Instant::now()).elapsed();
        if idle >= IDLE {
            all.remove(id);
            return None;
        }
        Some(session)
    }

    pub(crate) fn end(&self, id: &str) {
        if let Some(session) = self.all().remove(id) {
            session.under_way.cancel_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(who: &str) -> Session {
        let owner = Principal { subject: who.into(), ..Principal::host() };
        Session::new(owner, "web".into(), false)
    }

    fn left_alone(session: &Session, how_long: Duration) {
        session.now().used = Instant::now().checked_sub(how_long).unwrap();
    }

    #[test]
    fn one_more_of_a_principal_ends_the_one_it_left_alone_longest() {
        let sessions = Sessions::default();
        let ids: Vec<Str> = (0..SESSIONS_OF_ONE_MAX).map(|_| sessions.begin(of("a")).unwrap()).collect();
        let owner = of("a").owner;
        left_alone(&sessions.find(&ids[7], &owner, "web").unwrap(), Duration::from_secs(60));
        let other = sessions.begin(of("b")).unwrap();
        let cancel = CancellationToken::new();
        let oldest = sessions.all().get(&ids[7]).unwrap().clone();
        let _begun = oldest.under_way.begin(&Id::Int(1), cancel.clone()).unwrap();
        sessions.begin(of("a")).unwrap();
        assert!(sessions.find(&ids[7], &owner, "web").is_none() && cancel.is_cancelled());
        assert!(ids.iter().enumerate().all(|(at, id)| at == 7 || sessions.find(id, &owner, "web").is_some()));
        assert!(sessions.find(&other, &of("b").owner, "web").is_some());
    }

    #[test]
    fn there_are_so_many_and_those_left_alone_make_room() {
        let sessions = Sessions::default();
        for at in 0..SESSIONS_MAX {
            sessions.all().insert(format!("{at}").into(), Arc::new(of(&format!("{at}"))));
        }
        assert!(sessions.begin(of("new")).is_none());
        left_alone(sessions.all().get("42").unwrap(), IDLE);
        assert!(sessions.begin(of("new")).is_some());
        assert!(sessions.begin(of("newer")).is_none());
    }

    #[test]
    fn a_session_that_was_left_alone_is_forgotten() {
        let sessions = Sessions::default();
        let owner = of("a").owner;
        let id = sessions.begin(of("a")).unwrap();
        assert!(sessions.find(&id, &owner, "other").is_none(), "of another listener");
        left_alone(&sessions.find(&id, &owner, "web").unwrap(), IDLE);
        assert!(sessions.find(&id, &owner, "web").is_none());
        assert!(sessions.all().is_empty());
    }
}
