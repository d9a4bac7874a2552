//! The way of a call from a door to the engine, whatever it came in by: found, counted, given its turn.

use crate::caller::{Caller, are_for};
use crate::limits::{Held, Subject};
use crate::problem::Problem;
use crate::recorded::TurnedAway;
use crate::server::Doors;
use crate::world::World;
use ringmail_core::listener::ListenerSetting;
use ringmail_core::value::{Str, Value};
use ringmail_engine::{CancellationToken, Chain, DataSubject, Request, SeatWord, Turn};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A caller that is known, and the world it came into.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) doors: &'a Arc<Doors>,
    pub(crate) world: &'a Arc<World>,
    pub(crate) listener: &'a ListenerSetting,
    pub(crate) caller: &'a Caller,
}

/// What is told instead of an answer, and why, for the record.
pub(crate) type Turned = (Problem, String);

/// A chain that a caller may ask for, and asked for no more often than it may.
pub(crate) struct Counted<'a> {
    asked: Asked<'a>,
    pub(crate) chain: &'a Chain,
    pub(crate) held: Held,
}

/// A run that is about to begin. It holds its turn as long as it lives.
pub(crate) struct Ready {
    pub(crate) run: Request,
    pub(crate) cancel: CancellationToken,
    pub(crate) held: (Seat, Held),
}

/// A run's turn among others. One that may wait for somebody gives it away meanwhile.
#[derive(Debug)]
pub(crate) enum Seat {
    Kept { _turn: Turn },
    Lent,
}

impl<'a> Asked<'a> {
    /// Whoever might run a chain with another token hears which scope that needs; nobody else hears of it.
    fn not_for(&self, name: &str) -> Turned {
        let served = self.world.served(name, self.listener);
        let may = served.filter(|chain| self.world.may_run(chain, self.caller.principal()));
        let scope = may.and_then(|_| self.world.issuers.scope_for(name, self.caller.principal()));
        match scope {
            Some(scope) => {
                let why = format!("the token is not good for `{name}`: it lacks the scope `{scope}`");
                (Problem::scope_needed(scope), why)
            }
            None => (Problem::not_found(), format!("`{name}` is not served to this caller here")),
        }
    }

    pub(crate) fn count(self, name: &str) -> Result<Counted<'a>, Turned> {
        let (world, caller) = (self.world, self.caller);
        let chain = world.chain_for(name, self.listener, caller).ok_or_else(|| self.not_for(name))?;
        let principal = caller.principal();
        // Whatever way of answering was asked for, it begins no differently from where there is nothing.
        if !world.may_run(chain, principal) {
            return Err((Problem::not_found(), format!("policy never lets this caller run `{name}`")));
        }
        Ok(Counted { asked: self, chain, held: self.enter(Some(name))? })
    }

    /// Counts what is asked for besides calls of chains.
    pub(crate) fn count_other(&self) -> Result<Held, Turned> {
        self.enter(None)
    }

    fn enter(&self, chain: Option<&str>) -> Result<Held, Turned> {
        let principal = self.caller.principal();
        let subject = Subject { principal: &principal.subject, tenant: principal.tenant.as_deref(), chain };
        let held = self.doors.rates.enter(&self.world.setting.rates, &subject);
        let held =
            held.map_err(|wait| (Problem::too_often(wait), "too many calls of this caller".to_string()))?;
        Ok(held.beside(self.caller.knocked()))
    }
}

impl Asked<'_> {
    /// Whether this caller's proof and this door are for a chain: what a run of it asks or came to is not told to others.
    pub(crate) fn is_for(&self, chain: &str) -> bool {
        are_for(self.listener.chains.as_deref(), chain) && self.caller.covers(chain)
    }

    /// Has a run give its turn away while it waits for somebody, and take it again. Ends with the run.
    fn lend(&self, turn: Turn) -> mpsc::UnboundedSender<SeatWord> {
        /// How long a place in the queue is kept before another is taken.
        const AGAIN: Duration = Duration::from_secs(10);
        let (words, mut heard) = mpsc::unbounded_channel();
        let (doors, party) = (self.doors.clone(), self.caller.party().to_string());
        tokio::spawn(async move {
            let mut turn = Some(turn);
            while let Some(word) = heard.recv().await {
                let SeatWord::Wanted(told) = word else {
                    turn = None;
                    continue;
                };
                // Whoever did not get one in time stands at the end of the queue again.
                while turn.is_none() && !told.is_closed() {
                    turn = doors.queue().enter(&party, usize::MAX, AGAIN).await.ok();
                }
                // It may have ended meanwhile.
                let _unheard = told.send(());
            }
        });
        words
    }

    /// Waits for the caller's turn.
    pub(crate) async fn turn(&self) -> Result<Turn, Turned> {
        let limits = self.world.setting.limits;
        let wait = Duration::from_millis(limits.wait_ms);
        let turn = self.doors.queue().enter(self.caller.party(), limits.waiting_max, wait).await;
        turn.map_err(|_| (Problem::overloaded(), "there was no room".to_string()))
    }
}

impl Counted<'_> {
    /// Waits for its turn; there is room for the run then.
    pub(crate) async fn ready(self, input: Value) -> Result<Ready, Turned> {
        let (asked, chain) = (self.asked, self.chain);
        let turn = asked.turn().await?;
        let (principal, cancel) = (asked.caller.principal(), asked.caller.revoked());
        let run = chain.request(input).map_err(|error| (Problem::of(&error), error.to_string()))?;
        let run = run.principal(principal.clone()).cancel(cancel.clone()).unattended();
        let run = run.leave(asked.doors.leaving.clone());
        let (run, seat) = match asked.world.waiting.contains(&chain.plan().name) {
            true => (run.seat(asked.lend(turn)), Seat::Lent),
            false => (run, Seat::Kept { _turn: turn }),
        };
        Ok(Ready { run, cancel, held: (seat, self.held) })
    }
}

/// Writes down that somebody was turned away; answers under which id.
pub(crate) fn turn_away(
    doors: &Doors,
    listener: &Str,
    peer: String,
    caller: Option<&Caller>,
    what: String,
    (problem, why): &Turned,
) -> Str {
    let id = doors.next_id();
    let turned = TurnedAway {
        id: id.clone(),
        at_ms: doors.now_ms(),
        listener: listener.clone(),
        peer,
        who: caller.map(|caller| DataSubject::of(caller.principal())),
        what,
        code: problem.code,
        why: why.clone(),
    };
    doors.log.note(doors.world().engine.recorder(), turned);
    id
}
