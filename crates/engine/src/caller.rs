//! What a run asks its caller while it runs. A door that can ask takes the questions and brings the answers; what is asked has
//! passed the gate before, and what is answered is held to the form here, whichever door it came through.

use crate::run::Way;
use ringmail_core::answer::AnswerForm;
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::value::{Str, Value};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;

/// Questions of one run: whoever is asked more often says yes to anything.
const QUESTIONS_MAX: usize = 16;

/// What the caller is asked.
#[derive(Debug)]
pub struct CallerQuestion {
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

    /// Comes to an end when nobody waits for the answer any more.
    pub async fn given_up(&mut self) {
        self.answer.closed().await;
    }
}

/// What a link wants to know.
pub(crate) struct Wanted {
    pub(crate) name: Str,
    pub(crate) message: Str,
    pub(crate) schema: Value,
    pub(crate) form: AnswerForm,
    pub(crate) within: Duration,
}

impl Way {
    /// Asks the caller, and waits.
    pub(crate) async fn ask_caller(&self, wanted: Wanted) -> Result<CallerAnswer, Failure> {
        let shared = &self.shared;
        let unasked = |why: &str| Failure::new(FailureKind::Unasked, why);
        let questions = shared.caller.as_ref().ok_or_else(|| unasked("whoever called cannot be asked"))?;
        if shared.caller_asked.fetch_add(1, Ordering::Relaxed) >= QUESTIONS_MAX {
            let why = format!("the run has asked its caller {QUESTIONS_MAX} times, which is its limit");
            return Err(Failure::new(FailureKind::Limit, why));
        }
        let (answer, answered) = oneshot::channel();
        let Wanted { name, message, schema, form, within } = wanted;
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let until_ms = shared.engine.clock.now_ms().saturating_add(within_ms);
        let question = CallerQuestion { name, message, schema, until_ms, form: form.clone(), answer };
        questions.send(question).await.map_err(|_| unasked("the caller has gone"))?;
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
}
