//! `plugin`: a guest behind the walls. It gets its arguments as JSON and answers with JSON; what it asks of the world is
//! a call of its own, with all that the guest was told as its label.

use super::chain::blocked;
use super::{Call, Runs, fail};
use crate::bound::{Bound, Called};
use crate::run::{Way, pass};
use ringmail_core::chain::walk::Frame;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{self, Blocked, Unchecked};
use ringmail_core::json::{JsonLimits, parse, to_string};
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::label::{Label, Labeled};
use ringmail_core::plugin::Plugin;
use ringmail_core::value::Str;
use ringmail_host::{Denied, Desk, Errand, Halt, Reply};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) static KIND: Kind = Kind {
    name: "plugin",
    doc: "a WebAssembly component of the project, behind walls, with what it was granted",
    settings: &[Key::required("plugin", Form::Name, "which one, as `[plugin.NAME]` of the project calls it")],
    with: With::Anything,
    role: Role::Plugin,
    source: false,
    patient: true,
    passes: None,
    needs: no_needs,
    reach: Reach::Nothing,
};

pub(super) struct Run;

impl Runs for Run {
    fn call(&self, way: &Way, _: &Link, call: Call) -> Called {
        Box::pin(run(way.clone(), call))
    }
}

async fn run(way: Way, call: Call) -> Result<Unchecked, Blocked> {
    let (link, bound) = way.link(call.admitted.position())?;
    let Detail::Plugin { plugin, ways } = &link.detail else {
        return fail(Failure::new(FailureKind::Invalid, "the link has no plugin")).await;
    };
    let Some(guest) = way.shared.engine.plugins.guest(&plugin.manifest.name) else {
        return fail(Failure::new(FailureKind::NotFound, "the plugin is not there")).await;
    };
    if let Some(schema) = &plugin.manifest.input {
        schema.check(call.admitted.args()).map_err(|wrong| gate::invalid("the input", &wrong))?;
    }
    let input = to_string(call.admitted.args());
    let told = Told::new(call.admitted.labels().all().join(call.admitted.decision()));
    let asks = ways.iter().zip(&bound.bodies);
    let desk = GuestDesk {
        asks: asks.map(|((capability, _), body)| (*capability, body.clone())).collect(),
        link: link.full.clone(),
        plugin: plugin.clone(),
        frame: call.frame.clone(),
        told: told.clone(),
        way: way.clone(),
    };
    let limits = &guest.limits;
    let ended = guest.confined.call(&input, limits, desk).await;
    let result = ended.result.map_err(failure).and_then(|text| {
        let bounds = JsonLimits { bytes_max: limits.output_bytes_max, ..JsonLimits::default() };
        let wrong = |error| Failure::new(FailureKind::Invalid, format!("its output is not JSON: {error}"));
        parse(text.as_bytes(), &bounds).map_err(wrong)
    });
    match result {
        Ok(value) => Ok(Unchecked::told(value, told.all())),
        Err(failure) => Err(failure.labelled(told.all()).into()),
    }
}

/// All that a guest has been told: nobody knows what it makes of it, so everything it does carries the whole.
#[derive(Clone)]
struct Told(Arc<Mutex<Label>>);

impl Told {
    fn new(given: Label) -> Told {
        Told(Arc::new(Mutex::new(given)))
    }

    fn all(&self) -> Label {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, label: Label) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.join(label);
    }
}

/// Answers one guest, for one call.
struct GuestDesk {
    /// What it may ask, with the body that does it.
    asks: Vec<(&'static str, Arc<Bound>)>,
    link: Str,
    plugin: Arc<Plugin>,
    frame: Option<Arc<Frame>>,
    told: Told,
    way: Way,
}

impl Desk for GuestDesk {
    fn ask(&mut self, asked: Errand) -> Reply<'_> {
        Box::pin(async move {
            let body = self.asks.iter().find(|(capability, _)| *capability == asked.capability);
            let (Some((_, body)), Some(frame)) = (body, &self.frame) else {
                return Err(Denied { refused: true, message: "it was not granted".into() });
            };
            let told = self.told.all();
            let call = Labeled::new(asked.args, told);
            let walk = frame.inside(&body.plan, &[("call", call)], told);
            let left = pass(self.way.to_ask(body.clone()), walk).await.map_err(blocked);
            let left = left.and_then(|left| self.way.hold(&self.link, &left).map(|()| left));
            match left {
                Ok(left) => {
                    let answer = left.labeled();
                    self.told.join(answer.labels.all());
                    Ok(answer.value.clone())
                }
                Err(Blocked::Refused(refusal)) => {
                    self.told.join(refusal.label);
                    Err(Denied { refused: true, message: refusal.rule.doc().into() })
                }
                Err(Blocked::Failed(failure)) => {
                    self.told.join(failure.label);
                    Err(Denied { refused: false, message: failure.kind.public().into() })
                }
            }
        })
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        let granted = self.plugin.powers.secrets.iter().any(|known| &**known == name);
        let secrets = &self.way.shared.engine.authority.secrets;
        let secret = secrets.iter().find(|secret| granted && &*secret.name == name)?;
        self.told.join(Label { tags: secret.tag, ..Label::BOTTOM });
        Some(secret.placeholder.to_string())
    }

    fn setting(&mut self, key: &str) -> Option<String> {
        let env = &self.plugin.powers.env;
        env.iter().find(|(known, _)| &**known == key).map(|(_, value)| value.to_string())
    }

    fn now_ms(&mut self) -> u64 {
        self.way.shared.moment().now_ms
    }

    fn random(&mut self, into: &mut [u8]) -> bool {
        getrandom::fill(into).is_ok()
    }
}

/// A guest's end, in the words of links.
fn failure(halt: Halt) -> Failure {
    let kind = match &halt {
        Halt::Failed(_) => FailureKind::Native,
        Halt::Time(_) => FailureKind::Timeout,
        Halt::Output(_) => FailureKind::TooLarge,
        Halt::Fuel(_) | Halt::Memory(_) | Halt::Stack | Halt::Asks(_) => FailureKind::Limit,
        Halt::Broke(_) => FailureKind::Panicked,
    };
    Failure::new(kind, halt.to_string())
}
