//! The third layer: Cedar policies over principal, action, resource and facts. Nothing matched means deny, an
//! explicit forbid wins, and a policy that fails to evaluate denies. Policies are indexed by what their scope can
//! match, so a decision looks only at those that can matter, and equal questions are answered once.

mod audit;
mod load;

pub use audit::{Described, Inventory, Stray};

use crate::doc::{Problems, Source, Span, Spot};
use crate::label::{Label, Labeled, Labels, TagTable, Tags};
use crate::refusal::Rule;
use crate::run::Run;
use crate::value::{Seg, Str, Value};
use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    Policy, PolicyId, PolicySet, PrincipalConstraint, Request, ResourceConstraint, RestrictedExpression,
};
use foldhash::HashMap as FastMap;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, RwLock};

/// The published schema.
pub const SCHEMA: &str = include_str!("ringmail.cedarschema");

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    pub subject: Str,
    pub roles: Vec<Str>,
    pub tenant: Option<Str>,
    /// How it proved who it is.
    pub authenticated: Str,
}

impl Principal {
    /// The program that embeds the engine.
    pub fn host() -> Principal {
        static HOST: LazyLock<Str> = LazyLock::new(|| "host".into());
        Principal { subject: HOST.clone(), roles: Vec::new(), tenant: None, authenticated: HOST.clone() }
    }
}

/// What a principal may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Run,
    Vouch,
    Call,
    Endorse,
    Declassify,
    Approve,
    Control,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Run => "run",
            Action::Vouch => "vouch",
            Action::Call => "call",
            Action::Endorse => "endorse",
            Action::Declassify => "declassify",
            Action::Approve => "approve",
            Action::Control => "control",
        }
    }

    pub fn named(name: &str) -> Option<Action> {
        let all = [
            Action::Run,
            Action::Vouch,
            Action::Call,
            Action::Endorse,
            Action::Declassify,
            Action::Approve,
            Action::Control,
        ];
        all.into_iter().find(|action| action.name() == name)
    }
}

/// What is acted on: a chain, or a link of one; the host itself, by the name of its project, where it is controlled.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The chain's name, or the link's full one.
    pub name: &'a Str,
    pub chain: &'a str,
    /// The link's kind; nothing for a chain.
    pub kind: Option<&'static str>,
}

/// The facts of one call, looked up only as far as policies read them.
#[derive(Debug)]
pub struct Facts<'a> {
    pub args: &'a Labeled,
    pub decision: Label,
    pub sinks: &'a [String],
    pub consequential: bool,
    pub run: &'a Run,
    pub elapsed_ms: u64,
    pub tags: &'a TagTable,
}

/// The answer of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub allowed: bool,
    /// The policies that decided, by id.
    pub policies: Vec<Str>,
    /// Policies that could not be evaluated.
    pub failed: Vec<Str>,
}

impl Ruling {
    /// Why it is a no.
    pub fn rule(&self) -> Option<Rule> {
        match (self.allowed, self.failed.is_empty(), self.policies.is_empty()) {
            (true, ..) => None,
            (_, false, _) => Some(Rule::PolicyFailed),
            (_, _, true) => Some(Rule::PolicySilent),
            _ => Some(Rule::PolicyForbids),
        }
    }

    pub(crate) fn plain(allowed: bool) -> Arc<Ruling> {
        Arc::new(Ruling { allowed, policies: Vec::new(), failed: Vec::new() })
    }

    /// Denied, because this could not be evaluated.
    pub(crate) fn failed(what: &str) -> Arc<Ruling> {
        Arc::new(Ruling { allowed: false, policies: Vec::new(), failed: vec![what.into()] })
    }
}

/// A loaded, validated policy set.
pub struct Policies {
    policies: Vec<Known>,
    /// Whether any policy may forbid a call; most sets have none, and then nobody pays for asking.
    forbids_calls: bool,
    authorizer: Authorizer,
    slices: RwLock<Slices>,
}

type Slices = FastMap<Principal, FastMap<(Asked, Action, Str, Option<&'static str>), Arc<Slice>>>;

/// What policies are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asked {
    /// A permit, and that nothing forbids it.
    Leave,
    /// Only that nothing forbids it: permits are not looked at, and none is needed.
    Veto,
}

impl Asked {
    fn concerns(self, policy: &Policy) -> bool {
        self == Asked::Leave || policy.effect() == cedar_policy::Effect::Forbid
    }
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.policies.iter().map(|known| known.policy.id())).finish()
    }
}

struct Known {
    policy: Policy,
    spot: Spot,
    reads: Reads,
}

impl Known {
    fn id(&self) -> Str {
        self.policy.id().to_string().into()
    }

    /// Where this text stands in the policy; the whole policy where it does not.
    fn span_of(&self, text: &str) -> Span {
        let Span { start, end } = self.spot.span;
        let found = self.spot.source.text.get(start..end).and_then(|policy| policy.find(text));
        found.map_or(self.spot.span, |at| Span { start: start + at, end: start + at + text.len() })
    }

    /// Whether it holds whoever asks and whatever the facts. Where that is not plain, it is not said.
    fn is_for_everyone(&self) -> bool {
        let text = self.policy.to_cedar().unwrap_or_default();
        self.policy.principal_constraint() == PrincipalConstraint::Any
            && !text.contains("when")
            && !text.contains("unless")
    }
}

/// What policy can be seen to do before anybody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// Some policy permits, and none forbids.
    Open,
    /// No policy permits anybody.
    Silent,
    /// This policy forbids everybody.
    Forbidden(Str),
    /// These policies forbid some, or under conditions.
    Conditional(Vec<Str>),
}

/// Policies of the embedded default: the host program runs chains; effects still need grants and policies.
pub const EMBEDDED: &str = r#"@id("host-runs-chains")
permit (principal == Ringmail::Principal::"host", action == Ringmail::Action::"run", resource);
"#;

impl Policies {
    /// Loads policy files, reporting every problem with its place.
    pub fn load(files: &[Arc<Source>]) -> Result<Policies, Problems> {
        let mut problems = Problems::default();
        let mut policies: Vec<Known> = Vec::new();
        for file in files {
            load::load_file(file, &mut policies, &mut problems);
        }
        load::validate(&policies, &mut problems);
        problems.or(Policies::new(policies))
    }

    fn new(policies: Vec<Known>) -> Policies {
        let call = uid("Action", Action::Call.name());
        let forbids_call = |known: &Known| {
            Asked::Veto.concerns(&known.policy)
                && call.as_ref().is_none_or(|call| action_fits(&known.policy, call))
        };
        let forbids_calls = policies.iter().any(forbids_call);
        Policies { policies, forbids_calls, authorizer: Authorizer::new(), slices: RwLock::default() }
    }

    /// The policies for a program that embeds the engine and says nothing else.
    pub fn embedded() -> Policies {
        Policies::load(&[Source::new("embedded.cedar", EMBEDDED)])
            .unwrap_or_else(|_| Policies::new(Vec::new()))
    }

    /// Where a policy stands.
    pub fn spot(&self, id: &str) -> Option<Spot> {
        self.policies.iter().find(|known| *known.id() == *id).map(|known| known.spot.clone())
    }

    pub fn ids(&self) -> Vec<Str> {
        self.policies.iter().map(Known::id).collect()
    }

    pub fn decide(
        &self,
        principal: &Principal,
        action: Action,
        resource: Resource<'_>,
        facts: &Facts<'_>,
    ) -> Arc<Ruling> {
        self.slice(Asked::Leave, principal, action, resource).decide(&self.authorizer, facts)
    }

    /// What forbids a call that needs no leave, because it has no way out.
    pub fn veto(
        &self,
        principal: &Principal,
        resource: Resource<'_>,
        facts: &Facts<'_>,
    ) -> Option<Arc<Ruling>> {
        if !self.forbids_calls {
            return None;
        }
        let slice = self.slice(Asked::Veto, principal, Action::Call, resource);
        Some(slice.decide(&self.authorizer, facts)).filter(|ruling| !ruling.allowed)
    }

    /// The policy that can be seen to forbid everybody a call, if there is one.
    pub fn foresee_veto(&self, resource: Resource<'_>) -> Option<Str> {
        let names = Names::new(&Principal::host(), Action::Call, resource)?;
        let vetoes = |known: &&Known| {
            Asked::Veto.concerns(&known.policy)
                && names.action_fits(&known.policy)
                && names.resource_fits(&known.policy)
                && known.is_for_everyone()
        };
        self.policies.iter().find(vetoes).map(Known::id)
    }

    /// What can be said of an action before anybody asks for it.
    pub fn foresee(&self, action: Action, resource: Resource<'_>) -> Prospect {
        let Some(names) = Names::new(&Principal::host(), action, resource) else { return Prospect::Silent };
        let fits = |known: &&Known| names.action_fits(&known.policy) && names.resource_fits(&known.policy);
        let permits = |known: &Known| known.policy.effect() == cedar_policy::Effect::Permit;
        let (permit, forbid): (Vec<&Known>, Vec<&Known>) =
            self.policies.iter().filter(fits).partition(|known| permits(known));
        if permit.is_empty() {
            return Prospect::Silent;
        }
        match forbid.iter().find(|known| known.is_for_everyone()) {
            Some(known) => Prospect::Forbidden(known.id()),
            None if forbid.is_empty() => Prospect::Open,
            None => Prospect::Conditional(forbid.iter().map(|known| known.id()).collect()),
        }
    }

    /// Whether a principal may ever do this, as far as can be said before it asks: what it is shown in lists.
    pub fn may_ever(&self, principal: &Principal, action: Action, resource: Resource<'_>) -> bool {
        let Some(names) = Names::new(principal, action, resource) else { return false };
        let fits = |known: &&Known| {
            names.principal_fits(&known.policy)
                && names.action_fits(&known.policy)
                && names.resource_fits(&known.policy)
        };
        let permits = |known: &Known| known.policy.effect() == cedar_policy::Effect::Permit;
        let unconditional = |known: &Known| !known.policy.has_non_scope_constraint();
        let mut fitting = self.policies.iter().filter(fits);
        let forbidden =
            self.policies.iter().filter(fits).any(|known| !permits(known) && unconditional(known));
        !forbidden && fitting.any(permits)
    }

    fn slice(
        &self,
        asked: Asked,
        principal: &Principal,
        action: Action,
        resource: Resource<'_>,
    ) -> Arc<Slice> {
        const PRINCIPALS_MAX: usize = 10_000;
        let key = (asked, action, resource.name.clone(), resource.kind);
        if let Ok(slices) = self.slices.read()
            && let Some(slice) = slices.get(principal).and_then(|of| of.get(&key))
        {
            return slice.clone();
        }
        let slice = Arc::new(self.build_slice(asked, principal, action, resource));
        if let Ok(mut slices) = self.slices.write() {
            if slices.len() >= PRINCIPALS_MAX {
                slices.clear();
            }
            slices.entry(principal.clone()).or_default().insert(key, slice.clone());
        }
        slice
    }

    fn build_slice(
        &self,
        asked: Asked,
        principal: &Principal,
        action: Action,
        resource: Resource<'_>,
    ) -> Slice {
        let Some(names) = Names::new(principal, action, resource) else {
            return Slice::Settled(Ruling::failed(FACTS));
        };
        let fitting: Vec<&Known> = self
            .policies
            .iter()
            .filter(|known| {
                asked.concerns(&known.policy)
                    && names.principal_fits(&known.policy)
                    && names.action_fits(&known.policy)
                    && names.resource_fits(&known.policy)
            })
            .collect();
        let permits = fitting.iter().any(|known| known.policy.effect() == cedar_policy::Effect::Permit);
        match asked {
            Asked::Leave if !permits => return Slice::Settled(Ruling::plain(false)),
            Asked::Veto if fitting.is_empty() => return Slice::Settled(Ruling::plain(true)),
            _ => {}
        }
        let mut reads = Reads::default();
        fitting.iter().for_each(|known| reads.add(&known.reads));
        match PolicySet::from_policies(fitting.iter().map(|known| known.policy.clone())) {
            Ok(set) => Slice::Open(Box::new(Open { set, asked, reads, names, answers: Mutex::default() })),
            Err(_) => Slice::Settled(Ruling::failed(FACTS)),
        }
    }
}

/// Which facts a policy reads.
#[derive(Clone, Debug, Default)]
struct Reads {
    facts: BTreeSet<String>,
    /// The context is used as a whole, so all facts are needed.
    all: bool,
}

impl Reads {
    fn add(&mut self, other: &Reads) {
        self.facts.extend(other.facts.iter().cloned());
        self.all |= other.all;
    }

    fn has(&self, fact: &str) -> bool {
        self.all || self.facts.contains(fact)
    }

    /// Walks a policy in its JSON form; `context` outside of a member access means all facts.
    fn collect(&mut self, json: &serde_json::Value) {
        match json {
            serde_json::Value::Object(members) => {
                for (key, inner) in members {
                    let context = inner
                        .get("left")
                        .is_some_and(|left| left.get("Var").is_some_and(|var| var == "context"));
                    match inner.get("attr").and_then(serde_json::Value::as_str) {
                        Some(fact) if context && matches!(key.as_str(), "." | "has") => {
                            self.facts.insert(fact.to_string());
                        }
                        _ if key == "Var" && inner == "context" => self.all = true,
                        _ => self.collect(inner),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }
}

/// The Cedar names of one question.
struct Names {
    principal: EntityUid,
    /// The principal itself, its roles and its tenant.
    principals: HashSet<EntityUid>,
    action: EntityUid,
    resource: EntityUid,
    /// The resource and the chains around it.
    resources: HashSet<EntityUid>,
    /// What is the same in every question.
    entities: Entities,
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind = EntityTypeName::from_str(&format!("Ringmail::{kind}")).ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn action_fits(policy: &Policy, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == *action,
        ActionConstraint::In(uids) => uids.contains(action),
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_string())
}

impl Names {
    fn new(principal: &Principal, action: Action, resource: Resource<'_>) -> Option<Names> {
        let who = uid("Principal", &principal.subject)?;
        let mut parents: HashSet<EntityUid> =
            principal.roles.iter().filter_map(|role| uid("Role", role)).collect();
        parents.extend(principal.tenant.as_ref().and_then(|tenant| uid("Tenant", tenant)));
        let chain = uid(if action == Action::Control { "Host" } else { "Chain" }, resource.chain)?;
        let mut entities: Vec<Entity> =
            parents.iter().map(|parent| Entity::new_no_attrs(parent.clone(), HashSet::new())).collect();
        let attributes = HashMap::from([
            ("name".to_string(), text(&principal.subject)),
            ("authenticated".to_string(), text(&principal.authenticated)),
        ]);
        entities.push(Entity::new(who.clone(), attributes, parents.clone()).ok()?);
        let attributes = HashMap::from([("name".to_string(), text(resource.chain))]);
        entities.push(Entity::new(chain.clone(), attributes, HashSet::new()).ok()?);
        let mut resources = HashSet::from([chain.clone()]);
        let mut what = chain.clone();
        if let Some(kind) = resource.kind {
            let link = resource.name;
            what = uid("Link", link)?;
            let attributes =
                HashMap::from([("name".to_string(), text(link)), ("kind".to_string(), text(kind))]);
            entities.push(Entity::new(what.clone(), attributes, HashSet::from([chain])).ok()?);
            resources.insert(what.clone());
        }
        let mut principals = parents;
        principals.insert(who.clone());
        Some(Names {
            principal: who,
            principals,
            action: uid("Action", action.name())?,
            resource: what,
            resources,
            entities: Entities::from_entities(entities, None).ok()?,
        })
    }

    fn principal_fits(&self, policy: &Policy) -> bool {
        match policy.principal_constraint() {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(uid) => uid == self.principal,
            PrincipalConstraint::In(uid) => self.principals.contains(&uid),
            PrincipalConstraint::Is(kind) => kind == *self.principal.type_name(),
            PrincipalConstraint::IsIn(kind, uid) => {
                kind == *self.principal.type_name() && self.principals.contains(&uid)
            }
        }
    }

    fn action_fits(&self, policy: &Policy) -> bool {
        action_fits(policy, &self.action)
    }

    fn resource_fits(&self, policy: &Policy) -> bool {
        match policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Eq(uid) => uid == self.resource,
            ResourceConstraint::In(uid) => self.resources.contains(&uid),
            ResourceConstraint::Is(kind) => kind == *self.resource.type_name(),
            ResourceConstraint::IsIn(kind, uid) => {
                kind == *self.resource.type_name() && self.resources.contains(&uid)
            }
        }
    }
}

/// The policies that can matter for one principal, action and resource.
enum Slice {
    /// The answer is the same whatever the facts.
    Settled(Arc<Ruling>),
    Open(Box<Open>),
}

struct Open {
    set: PolicySet,
    asked: Asked,
    reads: Reads,
    names: Names,
    answers: Mutex<FastMap<Seen, Arc<Ruling>>>,
}

/// The facts an answer may be remembered by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Seen {
    untrusted: bool,
    untrusted_decision: bool,
    consequential: bool,
    tags: Tags,
    read: Tags,
    steps: u64,
    /// At the entry of a chain it is nearly always the same.
    elapsed_ms: u64,
}

/// Facts that [`Seen`] holds; a slice that reads any other is asked each time.
const REMEMBERED: &[&str] =
    &["untrusted", "untrusted_decision", "consequential", "tags", "read", "steps", "elapsed_ms"];

impl Slice {
    fn decide(&self, authorizer: &Authorizer, facts: &Facts<'_>) -> Arc<Ruling> {
        match self {
            Slice::Settled(ruling) => ruling.clone(),
            Slice::Open(open) => open.decide(authorizer, facts),
        }
    }
}

impl Open {
    fn decide(&self, authorizer: &Authorizer, facts: &Facts<'_>) -> Arc<Ruling> {
        const ANSWERS_MAX: usize = 1_024;
        if self.reads.all || self.reads.facts.iter().any(|fact| !REMEMBERED.contains(&fact.as_str())) {
            return self.ask(authorizer, facts);
        }
        let all = facts.args.labels.all();
        let read = |fact: &str| self.reads.has(fact);
        let seen = Seen {
            untrusted: all.untrusted && read("untrusted"),
            untrusted_decision: facts.decision.untrusted && read("untrusted_decision"),
            consequential: facts.consequential && read("consequential"),
            tags: if read("tags") { all.tags } else { Tags::NONE },
            read: if read("read") { facts.run.read } else { Tags::NONE },
            steps: if read("steps") { facts.run.steps() } else { 0 },
            elapsed_ms: if read("elapsed_ms") { facts.elapsed_ms } else { 0 },
        };
        if let Ok(answers) = self.answers.lock()
            && let Some(verdict) = answers.get(&seen)
        {
            return verdict.clone();
        }
        let verdict = self.ask(authorizer, facts);
        if let Ok(mut answers) = self.answers.lock() {
            if answers.len() >= ANSWERS_MAX {
                answers.clear();
            }
            answers.insert(seen, verdict.clone());
        }
        verdict
    }

    fn ask(&self, authorizer: &Authorizer, facts: &Facts<'_>) -> Arc<Ruling> {
        let names = &self.names;
        let mut more = Vec::new();
        let pairs = match self.pairs(facts, &mut more) {
            Ok(pairs) => pairs,
            Err(why) => return Ruling::failed(why),
        };
        let Ok(context) = Context::from_pairs(pairs) else { return Ruling::failed(FACTS) };
        let entities = match more.is_empty() {
            true => Ok(Cow::Borrowed(&names.entities)),
            false => names.entities.clone().add_entities(more, None).map(Cow::Owned),
        };
        let Ok(entities) = entities else { return Ruling::failed(FACTS) };
        let request = Request::new(
            names.principal.clone(),
            names.action.clone(),
            names.resource.clone(),
            context,
            None,
        );
        let Ok(request) = request else { return Ruling::failed(FACTS) };
        let response = authorizer.is_authorized(&request, &self.set, &entities);
        let ids = |ids: &mut dyn Iterator<Item = &PolicyId>| {
            let mut ids: Vec<Str> = ids.map(|id| id.to_string().into()).collect();
            ids.sort();
            ids
        };
        let failed = ids(&mut response.diagnostics().errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
        }));
        // Cedar skips a policy that fails, which would let a failing forbid pass.
        let policies = ids(&mut response.diagnostics().reason());
        let passes = match self.asked {
            Asked::Leave => response.decision() == Decision::Allow,
            Asked::Veto => policies.is_empty(),
        };
        Arc::new(Ruling { allowed: passes && failed.is_empty(), policies, failed })
    }

    fn pairs(
        &self,
        facts: &Facts<'_>,
        entities: &mut Vec<Entity>,
    ) -> Result<Vec<(String, RestrictedExpression)>, &'static str> {
        let all = facts.args.labels.all();
        let read = |fact: &str| self.reads.has(fact);
        let set = |names: Vec<Str>| RestrictedExpression::new_set(names.iter().map(|name| text(name)));
        let long = |number: u64| RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX));
        let mut pairs: Vec<(String, RestrictedExpression)> = Vec::new();
        let mut put = |fact: &str, value: &dyn Fn() -> RestrictedExpression| {
            if read(fact) {
                pairs.push((fact.to_string(), value()));
            }
        };
        put("untrusted", &|| RestrictedExpression::new_bool(all.untrusted));
        put("untrusted_decision", &|| RestrictedExpression::new_bool(facts.decision.untrusted));
        put("consequential", &|| RestrictedExpression::new_bool(facts.consequential));
        put("tags", &|| set(facts.tags.names(all.tags)));
        put("origins", &|| set(facts.run.origins.names(all.origins.with(facts.decision.origins))));
        put("read", &|| set(facts.tags.names(facts.run.read)));
        put("called", &|| set(facts.run.done().into_iter().collect()));
        put("sinks", &|| RestrictedExpression::new_set(facts.sinks.iter().map(|sink| text(sink))));
        put("signals", &|| set(facts.run.signals().map(Str::from).collect()));
        put("steps", &|| long(facts.run.steps()));
        put("elapsed_ms", &|| long(facts.elapsed_ms));
        if read("args") || read("numbers") || read("untrusted_args") {
            let mut leaves = Leaves::default();
            leaves.visit(&facts.args.value, &facts.args.labels, "");
            if leaves.cut {
                return Err("the arguments, which are too many,");
            }
            if read("numbers") && leaves.odd {
                return Err("a number among the arguments, which is not whole,");
            }
            let untrusted = RestrictedExpression::new_set(leaves.untrusted.iter().map(|path| text(path)));
            if read("untrusted_args") {
                pairs.push(("untrusted_args".to_string(), untrusted));
            }
            if read("args") || read("numbers") {
                let texts = tagged("Texts", "args", leaves.texts, entities).ok_or(FACTS)?;
                let numbers = tagged("Numbers", "numbers", leaves.numbers, entities).ok_or(FACTS)?;
                pairs.push(("args".to_string(), texts));
                pairs.push(("numbers".to_string(), numbers));
            }
        }
        if read("counts") {
            let counts = facts.run.counts().into_iter().map(|(link, count)| (link.to_string(), long(count)));
            let counts = tagged("Numbers", "counts", counts.collect(), entities).ok_or(FACTS)?;
            pairs.push(("counts".to_string(), counts));
        }
        Ok(pairs)
    }
}

/// What could not be evaluated, where nothing more is known.
const FACTS: &str = "the facts";

/// An entity that carries values by path as Cedar tags.
fn tagged(
    kind: &str,
    id: &str,
    tags: Vec<(String, RestrictedExpression)>,
    entities: &mut Vec<Entity>,
) -> Option<RestrictedExpression> {
    let uid = uid(kind, id)?;
    entities.push(Entity::new_with_tags(uid.clone(), [], [], tags).ok()?);
    Some(RestrictedExpression::new_entity_uid(uid))
}

/// Arguments by path: texts and bools as texts, whole numbers as numbers.
// INVARIANT: what a policy reads is all there is. A leaf that cannot be shown makes the policy fail, which denies.
#[derive(Default)]
struct Leaves {
    texts: Vec<(String, RestrictedExpression)>,
    numbers: Vec<(String, RestrictedExpression)>,
    /// Paths with anything untrusted at or below them.
    untrusted: Vec<String>,
    /// There are more than are shown.
    cut: bool,
    /// A number is not whole, or does not fit.
    odd: bool,
}

impl Leaves {
    /// Bounded, so that a large list cannot stall a decision.
    fn visit(&mut self, value: &Value, labels: &Labels, path: &str) {
        const LEAVES_MAX: usize = 1_000;
        if self.texts.len() + self.numbers.len() + self.untrusted.len() >= LEAVES_MAX {
            self.cut = true;
            return;
        }
        if labels.all().untrusted && !path.is_empty() {
            self.untrusted.push(path.to_string());
        }
        let number = |number: i64| (path.to_string(), RestrictedExpression::new_long(number));
        match value {
            Value::Map(map) => {
                for (key, inner) in map.iter() {
                    self.visit(inner, &labels.at(&[Seg::Key(key.clone())]), &below(path, key));
                }
            }
            Value::List(list) => {
                for (at, inner) in list.iter().enumerate() {
                    self.visit(inner, &labels.at(&[Seg::Index(at)]), &below(path, &at.to_string()));
                }
            }
            Value::Str(leaf) => self.texts.push((path.to_string(), text(leaf))),
            Value::Bool(truth) => {
                self.texts.push((path.to_string(), text(if *truth { "true" } else { "false" })))
            }
            Value::Int(int) => self.numbers.push(number(*int)),
            Value::Float(float) => match whole(*float) {
                Some(int) => self.numbers.push(number(int)),
                None => self.odd = true,
            },
            Value::Null => {}
        }
    }
}

/// A path one step on; a key that would read as several steps stands in quotes.
fn below(path: &str, step: &str) -> String {
    let plain = !step.is_empty() && !step.contains(['.', '"']);
    let step = if plain { step.to_string() } else { crate::json::to_string(&Value::from(step)) };
    if path.is_empty() { step } else { format!("{path}.{step}") }
}

/// A float without a fraction is the whole number that JSON Schema takes it for.
fn whole(float: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "whole and within what a float holds exactly")]
    (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then_some(float as i64)
}
