//! Who answers a guest: everything it asks of the world is a call like any other, with all it was told as its label.

use crate::bound::Bound;
use crate::chain::Chain;
use crate::engine::Engine;
use crate::kinds::blocked;
use crate::pieces::Pieces;
use crate::plugins::Guest;
use crate::python::Modules;
use crate::quota::{Cost, Over};
use crate::run::{Way, pass};
use ringmail_core::address::Target;
use ringmail_core::chain::Outlet;
use ringmail_core::chain::walk::Frame;
use ringmail_core::gate::Blocked;
use ringmail_core::label::{Label, Labeled, Labels, Tags};
use ringmail_core::plugin::{Plugin, TOOL};
use ringmail_core::refusal::{Refusal, Rule};
use ringmail_core::trail::Stage;
use ringmail_core::value::{Str, Value};
use ringmail_host::{Denied, Desk, Errand, Reply, ToolCard};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// All that a guest has been told: nobody knows what it makes of it, so everything it does carries the whole.
#[derive(Clone)]
pub(crate) struct Told(Arc<Mutex<Heard>>);

struct Heard {
    label: Label,
    /// Whether it waits for an answer: that none came before its time was over may be due to anything out there.
    waits: bool,
}

impl Told {
    pub(crate) fn new(given: Label) -> Told {
        Told(Arc::new(Mutex::new(Heard { label: given, waits: false })))
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Label {
        let heard = self.heard();
        match heard.waits {
            true => heard.label.join(Label { untrusted: true, tags: Tags::ALL, ..Label::BOTTOM }),
            false => heard.label,
        }
    }

    /// What it has been told when it asks.
    pub(crate) fn ask(&self) -> Label {
        let mut heard = self.heard();
        heard.waits = true;
        heard.label
    }

    /// What it is answered carries this.
    pub(crate) fn answered(&self, label: Label) {
        let mut heard = self.heard();
        heard.label = heard.label.join(label);
        heard.waits = false;
    }
}

/// What stands behind a guest, besides what it asks.
#[derive(Clone)]
pub(crate) enum Behind {
    Plugin(Arc<Plugin>),
    /// The interpreter, with the libraries of its project.
    Python(Arc<Modules>),
}

/// What a guest may ask: a capability, which of its kind, and the body that does it.
type Asks = Vec<(&'static str, Option<Str>, Arc<Bound>)>;

pub(crate) fn asks(ways: &[Outlet], bodies: &[Arc<Bound>]) -> Asks {
    let ways = ways.iter().zip(bodies);
    ways.map(|(way, body)| (way.capability, way.tool.clone(), body.clone())).collect()
}

/// Answers one guest, for one call.
#[derive(Clone)]
pub(crate) struct GuestDesk {
    pub(crate) asks: Asks,
    pub(crate) link: Str,
    pub(crate) behind: Behind,
    pub(crate) frame: Option<Arc<Frame>>,
    pub(crate) told: Told,
    pub(crate) way: Way,
    /// Where pieces of its output go, if anywhere.
    pub(crate) pieces: Pieces,
    /// What this call has used of its limits.
    pub(crate) used: Arc<Mutex<Cost>>,
}

impl GuestDesk {
    /// Everything carries what the guest was told, and a text that holds a placeholder the tag of its secret: a
    /// placeholder by itself tells nothing.
    pub(crate) fn labels(&self, value: &Value, told: Label) -> Labels {
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
    pub(crate) async fn print(&mut self, printed: &str) {
        if !printed.is_empty() && self.asks.iter().any(|(capability, ..)| *capability == "log") {
            let args = Value::map([("message", Value::from(printed.trim_end()))]);
            let _on_the_trail = self.ask(Errand { capability: "log", tool: None, args }).await;
        }
    }

    /// A tool that is not there for it. Its name came from the guest, and records hold none but those of chains.
    fn refuse(&self, tool: &str) {
        let engine = Engine(self.way.shared.engine.clone());
        let refusal = match engine.chain(tool) {
            Some(chain) => {
                let name = &chain.plan().name;
                let link = format!("{}.{TOOL}_{name}", self.link).into();
                Refusal::new(Rule::NoGrant, &link, format!("nothing grants it the tool `{name}`"))
                    .towards(format!("{TOOL}:{name}"))
                    .change(self.behind.to_have(name))
            }
            None => Refusal::new(Rule::NoGrant, &self.link, "it asked for a tool that does not exist")
                .towards(TOOL),
        };
        let refusal = refusal.labelled(self.told.all());
        self.way.shared.record(&refusal.link.clone(), Stage::Refused(Box::new(refusal)));
    }
}

impl GuestDesk {
    fn guest(&self) -> Option<(&Plugin, &Guest)> {
        let Behind::Plugin(plugin) = &self.behind else { return None };
        Some((plugin, self.way.shared.engine.plugins.guest(&plugin.manifest.name)?))
    }

    /// Counts what an errand or its answer costs, if the plugin may have that much.
    fn spend(&self, cost: Cost) -> Result<(), Denied> {
        let Some((plugin, guest)) = self.guest() else { return Ok(()) };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.add(cost);
        let over = match used.over_call(&plugin.powers.limits) {
            Some(over) => Err(over),
            None => guest.quota.take(cost, &plugin.powers.quota, Instant::now().into_std()),
        };
        over.map_err(|over| self.used_up(&plugin.manifest.name, over))
    }

    fn used_up(&self, plugin: &str, over: Over) -> Denied {
        let message = format!("`{plugin}` has used as much as `{}` lets it", over.setting);
        let change = format!("raise `{}` in `[plugin.{plugin}]`, if this much is meant", over.setting);
        let refusal = Refusal::new(Rule::Quota, &self.link, message).change(change);
        // What other calls used was theirs to decide.
        let others = Label { untrusted: true, ..Label::BOTTOM };
        let label = if over.of_call { self.told.all() } else { self.told.all().join(others) };
        self.told.answered(label);
        self.way.tell(label);
        let refusal = refusal.labelled(label);
        self.way.shared.record(&self.link, Stage::Refused(Box::new(refusal)));
        Denied { refused: true, message: Rule::Quota.doc().into() }
    }

    /// A piece of the output, which carries what the whole will carry so far.
    async fn emit(&mut self, piece: Value) -> Result<Value, Denied> {
        let told = self.told.ask();
        let label = self.labels(&piece, told).all();
        let sent = self.pieces.send_as(piece, label).await;
        self.told.answered(Label::BOTTOM);
        match sent {
            Ok(()) => Ok(Value::Null),
            Err(Blocked::Refused(refusal)) => {
                self.told.answered(refusal.label);
                Err(Denied { refused: true, message: refusal.rule.doc().into() })
            }
            Err(Blocked::Failed(failure)) => {
                Err(Denied { refused: false, message: failure.kind.public().into() })
            }
        }
    }
}

impl Desk for GuestDesk {
    fn ask(&mut self, asked: Errand) -> Reply<'_> {
        Box::pin(async move {
            match asked.capability {
                "kv" => return self.keep(&asked.args).await,
                "output" => return self.emit(asked.args).await,
                _ => {}
            }
            let fits = |way: &&(&'static str, Option<Str>, Arc<Bound>)| {
                way.0 == asked.capability && way.1.as_deref() == asked.tool.as_deref()
            };
            let (Some((.., body)), Some(frame)) = (self.asks.iter().find(fits), &self.frame) else {
                asked.tool.iter().for_each(|tool| self.refuse(tool));
                return Err(Denied { refused: true, message: "it was not granted".into() });
            };
            // It may have worked for long since anything was recorded.
            self.way.shared.moment();
            self.spend(Cost::of(&asked))?;
            let (capability, named) = (asked.capability, named(&asked));
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
            if let (Some(name), Ok(_) | Err(Blocked::Failed(_)), Some((_, guest))) =
                (named, &left, self.guest())
            {
                guest.touch(capability, name);
            }
            match left {
                Ok(left) => {
                    let answer = left.labeled().value.clone();
                    self.spend(Cost::answered(capability, &answer)).map(|()| answer)
                }
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
        let Behind::Plugin(plugin) = &self.behind else { return None };
        let granted = plugin.powers.secrets.iter().any(|known| &**known == name);
        let secrets = &self.way.shared.engine.authority.secrets;
        let secret = secrets.iter().find(|secret| granted && &*secret.name == name)?;
        Some(secret.placeholder.to_string())
    }

    fn setting(&mut self, key: &str) -> Option<String> {
        match &self.behind {
            Behind::Plugin(plugin) => {
                let env = &plugin.powers.env;
                env.iter().find(|(known, _)| &**known == key).map(|(_, value)| value.to_string())
            }
            Behind::Python(modules) => {
                let (_, source) = modules.get(key.strip_prefix("module:")?)?;
                Some(source.to_string())
            }
        }
    }

    fn now_ms(&mut self) -> u64 {
        self.way.shared.moment().now_ms
    }

    fn random(&mut self, into: &mut [u8]) -> bool {
        getrandom::fill(into).is_ok()
    }

    fn party(&self) -> String {
        // Nobody is not the tenant without a name.
        self.way.shared.facts().principal.tenant.as_ref().map_or_else(String::new, |name| format!("={name}"))
    }

    fn tools(&mut self) -> Vec<ToolCard> {
        let engine = Engine(self.way.shared.engine.clone());
        let names = self.asks.iter().filter_map(|(_, tool, _)| tool.as_ref());
        let chains = names.filter_map(|name| engine.chain(name));
        let card = |chain: Chain| ToolCard {
            name: chain.plan().name.to_string(),
            description: chain.plan().description.to_string(),
            input: chain.plan().input.as_ref().map(|schema| schema.json().to_string()),
        };
        chains.map(card).collect()
    }
}

/// The host or file that an errand goes to, as figures name it.
fn named(asked: &Errand) -> Option<Str> {
    let text = |key: &str| asked.args.get(key).and_then(Value::as_str);
    match asked.capability {
        "net" => Some(Target::parse(text("url")?).ok()?.origin().into()),
        "fs" => Some(text("path")?.into()),
        _ => None,
    }
}

impl Behind {
    /// The change that would give it a tool.
    fn to_have(&self, tool: &str) -> String {
        match self {
            Behind::Plugin(plugin) => format!(
                "add it to `[plugin.{}]`: tool = [\"{tool}\"]; the manifest has to ask for it, too",
                plugin.manifest.name
            ),
            Behind::Python(_) => format!("add it to the link's `tools`: [{tool}]"),
        }
    }
}
