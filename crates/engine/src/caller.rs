//! What a run asks its caller while it runs. A door that can ask takes the questions and brings the answers; what is asked has
//! passed the gate before, and what is answered is held to the form here, whichever door it came through.

use crate::run::Way;
use ringmail_core::answer::AnswerForm;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::value::{Str, Value};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

/// Questions of one run: whoever is asked more often says yes to anything.
const QUESTIONS_MAX: usize = 16;

/// What the caller is asked.
#[derive(Debug)]
pub struct CallerQuestion {
    /// The one question it is: the same in every process that goes on with the run, and no other's.
    pub id: Str,
    /// What it is called among the questions of its run: the link that asks.
    pub name: Str,
    pub message: Str,
    /// What an answer has to be, as it is shown.
    pub schema: Value,
    pub until_ms: u64,
    form: AnswerForm,
    answer: oneshot::Sender<CallerAnswer>,
}

/// What the caller made of it.
#[derive(Clone, Debug, PartialEq)]
pub enum CallerAnswer {
    Given(Value),
    /// It said no.
    Declined,
    /// It said nothing.
    Dismissed,
}

impl CallerQuestion {
    /// Why an answer is not what was asked for.
    pub fn check(&self, answer: &CallerAnswer) -> Result<(), String> {
        match answer {
            CallerAnswer::Given(value) => self.form.check(value),
            CallerAnswer::Declined | CallerAnswer::Dismissed => Ok(()),
        }
    }

    /// Brings the answer. Whoever asked may wait for it no more.
    pub fn tell(self, answer: CallerAnswer) {
        let _unheard = self.answer.send(answer);
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    /// Comes to an end when nobody waits for the answer any more.
    pub async fn given_up(&mut self) {
        self.answer.closed().await;
    }
}

/// What a run says of its turn among others.
#[derive(Debug)]
pub enum SeatWord {
    /// It waits for somebody who takes his time.
    Left,
    /// It goes on as soon as it is told so.
    Wanted(oneshot::Sender<()>),
}

/// What a link wants to know.
pub(crate) struct Wanted {
    pub(crate) id: Str,
    pub(crate) name: Str,
    pub(crate) message: Str,
    pub(crate) schema: Value,
    pub(crate) form: AnswerForm,
    pub(crate) within: Duration,
}

impl Wanted {
    /// The question, and where its answer comes in.
    fn posed(self, now_ms: u64) -> (CallerQuestion, oneshot::Receiver<CallerAnswer>) {
        let (answer, answered) = oneshot::channel();
        let Wanted { id, name, message, schema, form, within } = self;
        let until_ms = now_ms.saturating_add(u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
        (CallerQuestion { id, name, message, schema, until_ms, form, answer }, answered)
    }
}

/// A question on its way beside others who are asked the same.
pub(crate) enum Posed {
    /// The answer comes in here.
    Open(oneshot::Receiver<CallerAnswer>),
    /// Another question is before it.
    Later(Wanted),
    /// There is nobody to ask.
    Nobody,
}

impl Way {
    /// Whether the run may ask its caller once more.
    fn may_ask_more(&self) -> Result<(), Failure> {
        if self.shared.caller_asked.fetch_add(1, Ordering::Relaxed) < QUESTIONS_MAX {
            return Ok(());
        }
        let why = format!("the run has asked its caller {QUESTIONS_MAX} times, which is its limit");
        Err(Failure::new(FailureKind::Limit, why))
    }

    /// Asks the caller, and waits.
    pub(crate) async fn ask_caller(&self, wanted: Wanted) -> Result<CallerAnswer, Failure> {
        let shared = &self.shared;
        let unasked = |why: &str| Failure::new(FailureKind::Unasked, why);
        let questions = shared.caller.as_ref().ok_or_else(|| unasked("whoever called cannot be asked"))?;
        self.may_ask_more()?;
        let place = questions.reserve().await.map_err(|_| unasked("the caller has gone"))?;
        let (within, form) = (wanted.within, wanted.form.clone());
        let (question, answered) = wanted.posed(shared.engine.clock.now_ms());
        place.send(question);
        let answer = match self.wait_for_caller(tokio::time::timeout(within, answered)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err(unasked("the caller has gone")),
            Err(_) => return Err(Failure::new(FailureKind::Timeout, "the caller did not answer in time")),
        };
        if let CallerAnswer::Given(value) = &answer {
            form.check(value).map_err(|why| Failure::new(FailureKind::Invalid, why))?;
        }
        Ok(answer)
    }

    /// Asks the caller, and does not wait.
    pub(crate) fn pose_to_caller(&self, wanted: Wanted) -> Posed {
        let Some(questions) = &self.shared.caller else { return Posed::Nobody };
        match questions.try_reserve() {
            Err(TrySendError::Full(())) => Posed::Later(wanted),
            Err(TrySendError::Closed(())) => Posed::Nobody,
            Ok(_) if self.may_ask_more().is_err() => Posed::Nobody,
            Ok(place) => {
                let (question, answered) = wanted.posed(self.shared.engine.clock.now_ms());
                place.send(question);
                Posed::Open(answered)
            }
        }
    }
}
