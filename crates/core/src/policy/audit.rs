//! What can be said of policies before anybody asks: names in them that stand for nothing in the project, and what
//! each can match at all. Decides nothing; called for `policy check` and `check`.

use super::{Action, Known, Names, Policies, Principal, Resource, SCHEMA, load};
use crate::detect::{DETECTORS, Gives};
use crate::doc::{Problem, Span, Spot, suggest};
use crate::issuer::SUBJECT_MARK;
use crate::value::Str;
use cedar_policy::{Effect, EntityUid, PolicySet, ResourceConstraint, Schema, ValidationMode, Validator};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What a project has that policies may name.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// What the project calls itself.
    pub host: Str,
    pub chains: BTreeSet<Str>,
    /// Links by their full names, with their kinds.
    pub links: BTreeMap<Str, &'static str>,
    pub kinds: BTreeSet<&'static str>,
    /// Of principals, keys, tokens and issuers.
    pub roles: BTreeSet<Str>,
    pub tenants: BTreeSet<Str>,
    pub subjects: BTreeSet<Str>,
    pub issuers: BTreeSet<Str>,
    pub tags: BTreeSet<Str>,
    /// Sinks that are known by name: mounts, commands, effects, what plugins keep, and the log.
    pub sinks: BTreeSet<Str>,
}

/// Something in a policy that is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub policy: Str,
    pub problem: Problem,
    /// Whether nothing outside of the project's files could make it right.
    pub certain: bool,
}

/// One policy, as a list shows it.
#[derive(Clone, Debug)]
pub struct Described {
    pub id: Str,
    pub permits: bool,
    pub conditional: bool,
    pub spot: Spot,
    /// The chains and links it can match, whoever asks.
    pub reach: usize,
}

/// How a principal can have proved who it is.
const PROOFS: &[&str] = &["local", "host", "key", "jwt", "mtls", "unix", "webhook", "anonymous"];

impl Policies {
    /// Every policy in the order of the files, and what it can match.
    pub fn described(&self, inventory: &Inventory) -> Vec<Described> {
        let describe = |known: &Known| Described {
            id: known.id(),
            permits: known.policy.effect() == Effect::Permit,
            conditional: known.policy.has_non_scope_constraint(),
            spot: known.spot.clone(),
            reach: inventory.reach(known),
        };
        self.policies.iter().map(describe).collect()
    }

    /// What in the policies stands for nothing, or cannot ever hold.
    pub fn strays(&self, inventory: &Inventory) -> Vec<Stray> {
        let mut out = warnings(&self.policies);
        for known in &self.policies {
            let found = out.len();
            scope_names(known, inventory, &mut out);
            let json = known.policy.to_json().unwrap_or_default();
            let mut literals = Vec::new();
            collect(&json, &mut literals);
            for (fact, literal) in literals {
                inventory.literal(known, &fact, &literal, &mut out);
            }
            if out.len() == found
                && inventory.reach(known) == 0
                && !out.iter().any(|one| one.policy == known.id())
            {
                let message =
                    format!("`{}` can never match: no chain or link here is what its head says", known.id());
                out.push(stray(known, known.spot.span, message, None, true));
            }
        }
        out.sort_by_key(|one| one.problem.spot.as_ref().map(|spot| (spot.source.name.clone(), spot.span)));
        out.dedup();
        out
    }
}

/// What Cedar itself finds odd: conditions that are never true, characters that look like others.
fn warnings(policies: &[Known]) -> Vec<Stray> {
    let Ok((schema, _)) = Schema::from_cedarschema_str(SCHEMA) else { return Vec::new() };
    let Ok(set) = PolicySet::from_policies(policies.iter().map(|known| known.policy.clone())) else {
        return Vec::new();
    };
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    let warned = result.validation_warnings().filter_map(|warning| {
        let known = policies.iter().find(|known| known.policy.id() == warning.policy_id())?;
        let (message, help) = load::words(warning);
        Some(stray(known, known.spot.span, format!("`{}`: {message}", known.id()), help, true))
    });
    warned.collect()
}

fn stray(known: &Known, span: Span, message: String, help: Option<String>, certain: bool) -> Stray {
    let spot = Some(Spot { source: known.spot.source.clone(), span });
    Stray { policy: known.id(), problem: Problem { spot, message, help }, certain }
}

/// Principals, roles, tenants, chains, links and hosts that are named anywhere in a policy.
fn scope_names(known: &Known, inventory: &Inventory, out: &mut Vec<Stray>) {
    let mut seen = BTreeSet::new();
    for uid in known.policy.entity_literals() {
        let (kind, id) = (uid.type_name().basename().to_string(), uid.id().unescaped().to_string());
        if !seen.insert((kind.clone(), id.clone())) {
            continue;
        }
        let Some((message, help, certain)) = inventory.entity(&kind, &id) else { continue };
        let message = match in_head(known, &uid) {
            true => format!("`{}` can never match: {message}", known.id()),
            false => message,
        };
        let message =
            if certain { message } else { message.replacen("can never match", "may never match", 1) };
        out.push(stray(known, known.span_of(&format!("{kind}::{}", quoted(&id))), message, help, certain));
    }
}

/// Whether a policy that is about nothing but this can match nothing else.
fn in_head(known: &Known, uid: &EntityUid) -> bool {
    use cedar_policy::PrincipalConstraint as Who;
    let who = match known.policy.principal_constraint() {
        Who::Eq(named) | Who::In(named) | Who::IsIn(_, named) => named == *uid,
        Who::Any | Who::Is(_) => false,
    };
    let what = match known.policy.resource_constraint() {
        ResourceConstraint::Eq(named)
        | ResourceConstraint::In(named)
        | ResourceConstraint::IsIn(_, named) => named == *uid,
        ResourceConstraint::Any | ResourceConstraint::Is(_) => false,
    };
    who || what
}

type Judged = Option<(String, Option<String>, bool)>;

/// What is meant, or where such names come from.
fn help(id: &str, known: &BTreeSet<Str>, otherwise: &str) -> Option<String> {
    Some(match suggest(id, known.iter().map(|name| &**name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => otherwise.to_string(),
    })
}

impl Inventory {
    fn entity(&self, kind: &str, id: &str) -> Judged {
        let links = || self.links.keys().cloned().collect::<BTreeSet<Str>>();
        match kind {
            "Chain" if !self.chains.contains(id) => {
                let here = format!("chains here: {}", listed(&self.chains));
                Some((format!("there is no chain `{id}`"), help(id, &self.chains, &here), true))
            }
            "Link" if !self.links.contains_key(id) => {
                let otherwise = "a link is named `chain.link`; see them: ringmail inspect CHAIN";
                Some((format!("there is no link `{id}`"), help(id, &links(), otherwise), true))
            }
            "Host" if *self.host != *id => {
                let help = format!("this project is `{}`: `name` of `[project]`", self.host);
                Some((format!("there is no host `{id}`"), Some(help), true))
            }
            "Role" if !self.roles.contains(id) => {
                let otherwise =
                    "roles come from `[[principal]]`, from an issuer's `roles`, and from keys and tokens";
                Some((format!("nobody here has the role `{id}`"), help(id, &self.roles, otherwise), false))
            }
            "Tenant" if !self.tenants.contains(id) => {
                let otherwise =
                    "tenants come from `[[principal]]`, from an issuer's `tenants`, and from keys and tokens";
                Some((
                    format!("nobody here is of the tenant `{id}`"),
                    help(id, &self.tenants, otherwise),
                    false,
                ))
            }
            "Principal" => self.subject(id),
            _ => None,
        }
    }

    /// Whoever calls may be called anything, but for names that this project gives out.
    fn subject(&self, id: &str) -> Judged {
        if self.subjects.contains(id) {
            return None;
        }
        if let Some((issuer, _)) = id.split_once(SUBJECT_MARK) {
            let otherwise = "subjects of issuers are named `ISSUER|SUBJECT`, after `[issuer.NAME]`";
            let unknown = !self.issuers.contains(issuer);
            let help = || help(issuer, &self.issuers, otherwise);
            return unknown.then(|| (format!("there is no issuer `{issuer}`"), help(), true));
        }
        if let Some(hook) = id.strip_prefix("webhook:") {
            return Some((
                format!("there is no webhook `{hook}`"),
                help(id, &self.subjects, "add `[webhook.NAME]`"),
                true,
            ));
        }
        // Others come with certificates and keys: only what looks like a slip is worth a word.
        let near = suggest(id, self.subjects.iter().map(|name| &**name))?;
        Some((format!("nobody here is called `{id}`"), Some(format!("did you mean `{near}`?")), false))
    }

    /// Texts that a condition compares with what only this project gives out.
    fn literal(&self, known: &Known, fact: &str, literal: &str, out: &mut Vec<Stray>) {
        let links = || self.links.keys().cloned().collect::<BTreeSet<Str>>();
        let own =
            |names: &[&'static str]| names.iter().map(|name| Str::from(*name)).collect::<BTreeSet<Str>>();
        let (what, all, otherwise) = match fact {
            "called" | "counts" => ("link", links(), "a link is named `chain.link`"),
            "tags" | "read" => {
                ("tag", self.tags.clone(), "tags come from schemas, grants, secrets and `[detect]`")
            }
            "signals" => {
                let signals = DETECTORS.iter().filter(|detector| detector.gives == Gives::Signal);
                let signals: Vec<&'static str> = signals.map(|detector| detector.name).collect();
                ("signal", own(&signals), "signals are the detectors that tag nothing")
            }
            "kind" => (
                "kind of links",
                self.kinds.iter().map(|kind| Str::from(*kind)).collect(),
                "see docs/reference/links.md",
            ),
            "authenticated" => (
                "proof",
                own(PROOFS),
                "a proof is one of key, jwt, mtls, unix, webhook, anonymous, local, host",
            ),
            // Addresses are known only once a call has its arguments.
            "sinks" if !literal.contains("://") => (
                "sink",
                self.sinks.clone(),
                "sinks are addresses, `mount:NAME`, `command:NAME`, `effect:NAME`, `tool:SERVER/TOOL`, `kv:PLUGIN` and `log`",
            ),
            _ => return,
        };
        // Of a tool its server is known.
        let server = literal.split_once('/').filter(|_| fact == "sinks" && literal.starts_with("tool:"));
        if !all.contains(server.map_or(literal, |(server, _)| server)) {
            let message = format!("there is no {what} `{literal}`");
            let span = known.span_of(&quoted(literal));
            // A rule may wait for a tag that nothing gives yet.
            let certain = what != "tag";
            out.push(stray(known, span, message, help(literal, &all, otherwise), certain));
        }
    }

    /// How many chains, links and hosts the head of a policy fits, for any of its actions.
    fn reach(&self, known: &Known) -> usize {
        let anyone = Principal::host();
        let fits = |action: Action, resource: Resource<'_>| {
            Names::new(&anyone, action, resource)
                .is_some_and(|names| names.action_fits(&known.policy) && names.resource_fits(&known.policy))
        };
        let chain = |name: &Str| {
            let resource = Resource { name, chain: name, kind: None };
            [Action::Run, Action::Vouch].into_iter().any(|action| fits(action, resource))
        };
        let link = |name: &Str, kind: &'static str| {
            let resource = Resource { name, chain: name.split('.').next().unwrap_or(name), kind: Some(kind) };
            [Action::Call, Action::Endorse, Action::Declassify, Action::Approve]
                .into_iter()
                .any(|action| fits(action, resource))
        };
        let host = fits(Action::Control, Resource { name: &self.host, chain: &self.host, kind: None });
        self.chains.iter().filter(|name| chain(name)).count()
            + self.links.iter().filter(|(name, kind)| link(name, kind)).count()
            + usize::from(host)
    }
}

fn listed(names: &BTreeSet<Str>) -> String {
    if names.is_empty() {
        return "none".into();
    }
    names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
}

fn quoted(id: &str) -> String {
    crate::json::to_string(&crate::value::Value::from(id))
}

/// Texts in conditions, each with the fact it is compared with.
fn collect(json: &Json, out: &mut Vec<(String, String)>) {
    match json {
        Json::Object(members) => {
            for (op, inner) in members {
                let sides = (inner.get("left"), inner.get("right"));
                if let (
                    "contains" | "containsAny" | "containsAll" | "hasTag" | "getTag" | "==" | "!=",
                    (Some(left), Some(right)),
                ) = (op.as_str(), sides)
                {
                    for (fact, text) in [(left, right), (right, left)] {
                        if let Some(fact) = fact_of(fact) {
                            texts(text, &mut |text| out.push((fact.to_string(), text.to_string())));
                        }
                    }
                }
                collect(inner, out);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, out)),
        _ => {}
    }
}

/// The fact that an expression reads.
fn fact_of(json: &Json) -> Option<&str> {
    let access = json.get(".")?;
    let var = access.get("left")?.get("Var")?.as_str()?;
    let fact = access.get("attr")?.as_str()?;
    let known = match var {
        "context" => matches!(fact, "called" | "counts" | "tags" | "read" | "signals" | "sinks"),
        "resource" => fact == "kind",
        "principal" => fact == "authenticated",
        _ => false,
    };
    known.then_some(fact)
}

fn texts(json: &Json, each: &mut dyn FnMut(&str)) {
    match (json.get("Value"), json.get("Set")) {
        (Some(Json::String(text)), _) => each(text),
        (_, Some(Json::Array(items))) => items.iter().for_each(|item| texts(item, each)),
        _ => {}
    }
}
