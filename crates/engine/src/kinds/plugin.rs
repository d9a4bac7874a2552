//! `plugin`: a guest behind the walls. It gets its arguments as JSON and answers with JSON; what it asks of the world is
//! a call of its own, with all that the guest was told as its label.

use super::chain::blocked;
use super::{Call, Runs, fail};
use crate::bound::{Bound, Called};
use crate::plugins::{output_of, takes};
use crate::run::{Way, pass};
use ringmail_core::chain::walk::Frame;
use ringmail_core::chain::{Detail, Link};
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::failure::{Failure, FailureKind};
use ringmail_core::gate::{Blocked, Unchecked};
use ringmail_core::json::to_string;
use ringmail_core::kind::{Kind, Reach, Role, With, no_needs};
use ringmail_core::label::{Label, Labeled, Labels, Tags};
use ringmail_core::plugin::Plugin;
use ringmail_core::value::{Str, Value};
use ringmail_host::{Denied, Desk, Errand, Reply};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    takes(&plugin.manifest, call.admitted.args())?;
    let input = to_string(call.admitted.args());
    let given = call.admitted.labels().all().join(call.admitted.decision());
    let schema = plugin.manifest.input.as_ref();
    let tagged =
        schema.map_or(Label::BOTTOM, |schema| schema.label(call.admitted.args(), &Labels::default()).all());
    let told = Told::new(given.join(tagged));
    let asks = ways.iter().zip(&bound.bodies);
    let desk = GuestDesk {
        asks: asks.map(|((capability, _), body)| (*capability, body.clone())).collect(),
        link: link.full.clone(),
        plugin: plugin.clone(),
        frame: call.frame.clone(),
        told: told.clone(),
        way: way.clone(),
    };
    let (limits, mut printer) = (&guest.limits, desk.clone());
    let ended = guest.confined.call(&input, limits, desk).await;
    if !ended.printed.is_empty() {
        printer.print(&ended.printed).await;
    }
    let result = output_of(ended.result, limits.output_bytes_max);
    guest.count(ended.figures, result.as_ref().err().map(|failure| failure.kind));
    match result {
        Ok(value) => {
            let all = printer.labels(&value, told.all()).all();
            Ok(Unchecked::told(value, all))
        }
        Err(failure) => Err(failure.labelled(told.all()).into()),
    }
}

/// All that a guest has been told: nobody knows what it makes of it, so everything it does carries the whole.
#[derive(Clone)]
struct Told(Arc<Mutex<Heard>>);

struct Heard {
    label: Label,
    /// Whether it waits for an answer: that none came before its time was over may be due to anything out there.
    waits: bool,
}

impl Told {
    fn new(given: Label) -> Told {
        Told(Arc::new(Mutex::new(Heard { label: given, waits: false })))
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Label {
        let heard = self.heard();
        match heard.waits {
            true => heard.label.join(Label { untrusted: true, tags: Tags::ALL, ..Label::BOTTOM }),
            false => heard.label,
        }
    }

    /// What it has been told when it asks.
    fn ask(&self) -> Label {
        let mut heard = self.heard();
        heard.waits = true;
        heard.label
    }

    /// What it is answered carries this.
    fn answered(&self, label: Label) {
        let mut heard = self.heard();
        heard.label = heard.label.join(label);
        heard.waits = false;
    }
}

/// Answers one guest, for one call.
#[derive(Clone)]
struct GuestDesk {
    /// What it may ask, with the body that does it.
    asks: Vec<(&'static str, Arc<Bound>)>,
    link: Str,
    plugin: Arc<Plugin>,
    frame: Option<Arc<Frame>>,
    told: Told,
    way: Way,
}

impl GuestDesk {
    /// Everything carries what the guest was told, and a text that holds a placeholder the tag of its secret: a
    /// placeholder by itself tells nothing.
    fn labels(&self, value: &Value, told: Label) -> Labels {
        match value {
            Value::Str(text) => {
                let secrets = self.way.shared.engine.authority.secrets.iter();
                let held = secrets.filter(|secret| text.contains(&*secret.placeholder));
                let tags = held.fold(Tags::NONE, |tags, secret| tags.with(secret.tag));
                Label { tags: told.tags.with(tags), ..told }.into()
            }
            Value::List(list) => {
                Labels::items(told, list.iter().map(|item| self.labels(item, told)).collect())
            }
            Value::Map(map) => {
                Labels::keys(told, map.iter().map(|(key, value)| (key.clone(), self.labels(value, told))))
            }
            _ => told.into(),
        }
    }

    /// What a guest printed goes where it may log, if it may.
    async fn print(&mut self, printed: &str) {
        if self.plugin.powers.has("log") {
            let args = Value::map([("message", Value::from(printed.trim_end()))]);
            let _on_the_trail = self.ask(Errand { capability: "log", args }).await;
        }
    }
}

impl Desk for GuestDesk {
    fn ask(&mut self, asked: Errand) -> Reply<'_> {
        Box::pin(async move {
            let body = self.asks.iter().find(|(capability, _)| *capability == asked.capability);
            let (Some((_, body)), Some(frame)) = (body, &self.frame) else {
                return Err(Denied { refused: true, message: "it was not granted".into() });
            };
            // It may have worked for long since anything was recorded.
            self.way.shared.moment();
            let told = self.told.ask();
            let labels = self.labels(&asked.args, told);
            let call = Labeled { value: asked.args, labels };
            let walk = frame.inside(&body.plan, &[("call", call.clone())], told);
            let way = self.way.to_ask(body.clone());
            let left = match self.way.spend(&self.link, &call) {
                Ok(()) => pass(way, walk).await.map_err(blocked),
                Err(blocked) => Err(blocked),
            };
            let left = left.and_then(|left| self.way.hold(&self.link, &left).map(|()| left));
            let label = match &left {
                Ok(left) => left.labeled().labels.all(),
                Err(Blocked::Refused(refusal)) => refusal.label,
                Err(Blocked::Failed(failure)) => failure.label,
            };
            self.told.answered(label);
            // It goes on knowing this, beside whatever runs beside it.
            self.way.tell(self.told.all());
            match left {
                Ok(left) => Ok(left.labeled().value.clone()),
                Err(Blocked::Refused(refusal)) => {
                    Err(Denied { refused: true, message: refusal.rule.doc().into() })
                }
                Err(Blocked::Failed(failure)) => {
                    Err(Denied { refused: false, message: failure.kind.public().into() })
                }
            }
        })
    }

    fn secret(&mut self, name: &str) -> Option<String> {
        let granted = self.plugin.powers.secrets.iter().any(|known| &**known == name);
        let secrets = &self.way.shared.engine.authority.secrets;
        let secret = secrets.iter().find(|secret| granted && &*secret.name == name)?;
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
