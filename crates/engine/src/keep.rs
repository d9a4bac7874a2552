//! What a guest keeps, between its words and the store: whose it is, what it is labelled, what it tells.

use crate::desk::{Behind, GuestDesk};
use crate::kv::{Found, Keeping, Kept, KeptError, KeptLabel, Space};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::gate::{self, KvAsk};
use ringmail_core::label::{Label, Tags, Tenant};
use ringmail_core::trail::Stage;
use ringmail_core::value::Value;
use ringmail_host::Denied;
use std::sync::PoisonError;

fn denied(message: impl Into<String>) -> Denied {
    Denied { refused: false, message: message.into() }
}

impl GuestDesk {
    /// Reads or changes what the plugin keeps for this run's tenant. What is written carries all the guest was told,
    /// and what is read tells it all that was carried there.
    pub(crate) async fn keep(&mut self, args: &Value) -> Result<Value, Denied> {
        let Behind::Plugin(plugin) = &self.behind else {
            return Err(Denied { refused: true, message: "it was not granted".into() });
        };
        let Some(keeps) = plugin.powers.kv else {
            return Err(Denied { refused: true, message: "it was not granted".into() });
        };
        let asked = keeping(args).ok_or_else(|| denied("it was not asked properly"))?;
        self.way.shared.moment();
        let label = self.labels(&legible(&asked), self.told.ask()).all();
        self.allowed(&plugin.manifest.name, &asked, label)?;
        let own = self.by_name(label).ok_or_else(|| denied("nothing may carry its label on"))?;
        let tenant = self.way.shared.facts().principal.tenant.clone();
        let space = Space::new(&plugin.manifest.name, &plugin.origin, tenant.as_ref());
        let engine = self.way.shared.engine.clone();
        let done = tokio::task::spawn_blocking(move || engine.kept.act(&space, keeps, asked, &own)).await;
        let (told, answer) = match done
            .unwrap_or_else(|_| Err(KeptError::Storage("it was broken off".into())))
        {
            Ok(Kept { found, label }) => (label, Ok(answer(found))),
            Err(KeptError::Full(what, label)) => {
                (*label, Err(denied(format!("it keeps as much as it may: {what}"))))
            }
            Err(error @ KeptError::TooLarge(..)) => (KeptLabel::default(), Err(denied(error.to_string()))),
            Err(error) => {
                let failure = format!("what `{}` keeps: {error}", plugin.manifest.name);
                let stage = Stage::Failed { failure: failure.into(), attempt: 0 };
                self.way.shared.record(&self.link, stage);
                (
                    KeptLabel { untrusted: true, ..KeptLabel::default() },
                    Err(denied("the store is unavailable")),
                )
            }
        };
        self.told.answered(self.by_number(&told));
        self.way.tell(self.told.all());
        answer
    }

    /// Refused, if a policy forbids it.
    fn allowed(&self, plugin: &str, asked: &Keeping, told: Label) -> Result<(), Denied> {
        let (op, key, bytes) = match asked {
            Keeping::Get(key) => ("get", key, 0),
            Keeping::Set(key, value) => ("set", key, value.len()),
            Keeping::Delete(key) => ("delete", key, 0),
            Keeping::Keys { prefix, .. } => ("keys", prefix, 0),
        };
        let shared = &self.way.shared;
        let chain = self.way.bound.plan.chain();
        let ask = KvAsk { plugin, link: &self.link, chain, op, key, bytes, told };
        let answer = gate::keep(ask, &shared.facts(), &shared.engine.authority, shared.latest());
        answer.map_err(|refusal| {
            self.told.answered(refusal.label);
            self.way.tell(self.told.all());
            let message = refusal.rule.doc().into();
            shared.record(&refusal.link.clone(), Stage::Refused(refusal));
            Denied { refused: true, message }
        })
    }

    /// A label by its names. Nothing where some of it has no name: kept, it would be forgotten.
    fn by_name(&self, label: Label) -> Option<KeptLabel> {
        let shared = &self.way.shared;
        // INVARIANT: whoever holds the facts may ask for the tags, so nobody holds the tags and asks for the facts.
        let origins = shared.facts().origins.names(label.origins);
        let tags = shared.engine.authority.tags.read().unwrap_or_else(PoisonError::into_inner);
        let names = tags.names(label.tags);
        let named = names.iter().filter_map(|name| tags.find(name)).fold(Tags::NONE, Tags::with);
        (named == label.tags && label.tenant != Tenant::MIXED).then(|| KeptLabel {
            untrusted: label.untrusted,
            owned: label.tenant != Tenant::NONE,
            tags: names.into_iter().collect(),
            origins: origins.into_iter().collect(),
        })
    }

    fn by_number(&self, label: &KeptLabel) -> Label {
        let shared = &self.way.shared;
        let mut known = shared.engine.authority.tags.write().unwrap_or_else(PoisonError::into_inner);
        // A tag there is no room for is every tag.
        let tags = label.tags.iter().map(|name| known.intern(name).unwrap_or(Tags::ALL));
        let tags = tags.fold(Tags::NONE, Tags::with);
        drop(known);
        let mut facts = shared.facts();
        let tenant = if label.owned { facts.tenant() } else { Tenant::NONE };
        let origins = label.origins.iter().map(|name| facts.origins.intern(name)).reduce(|a, b| a.with(b));
        Label { untrusted: label.untrusted, tags, tenant, origins: origins.unwrap_or_default() }
    }
}

fn keeping(args: &Value) -> Option<Keeping> {
    let text = |key: &str| args.get(key).and_then(Value::as_str).map(String::from);
    Some(match text("op")?.as_str() {
        "get" => Keeping::Get(text("key")?),
        "set" => Keeping::Set(text("key")?, STANDARD.decode(text("value")?).ok()?),
        "delete" => Keeping::Delete(text("key")?),
        _ => Keeping::Keys { prefix: text("prefix")?, after: text("after") },
    })
}

/// What it is asked with, so that a placeholder in it is seen.
fn legible(asked: &Keeping) -> Value {
    match asked {
        Keeping::Set(key, value) => {
            Value::list([Value::from(key.as_str()), Value::from(String::from_utf8_lossy(value).into_owned())])
        }
        Keeping::Get(key) | Keeping::Delete(key) => Value::from(key.as_str()),
        Keeping::Keys { prefix, .. } => Value::from(prefix.as_str()),
    }
}

fn answer(found: Found) -> Value {
    match found {
        Found::Done | Found::Value(None) => Value::Null,
        Found::Value(Some(value)) => Value::from(STANDARD.encode(value)),
        Found::Keys(keys) => Value::list(keys.into_iter().map(Value::from)),
    }
}
