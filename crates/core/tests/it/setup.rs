//! Plans, runs and gates without an engine around them.

use ringmail_core::chain::walk::{Next, Outcome, Ready, Walk};
use ringmail_core::chain::{Link, Plan, Surroundings, load};
use ringmail_core::detect::Detectors;
use ringmail_core::doc::form::{Form, Key};
use ringmail_core::doc::{Source, toml, yaml};
use ringmail_core::gate::{self, Admitted, Authority, Blocked, Moment, Unchecked};
use ringmail_core::grant::{Ceiling, EffectRule, Flow, Grant, Grants};
use ringmail_core::kind::{Kind, Need, Reach, Role, With, no_needs};
use ringmail_core::label::{Labeled, TagTable};
use ringmail_core::policy::{Policies, Principal};
use ringmail_core::project::Project;
use ringmail_core::refusal::Refusal;
use ringmail_core::run::{Limits, Run};
use ringmail_core::trail::Stage;
use ringmail_core::value::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// A link without a way out.
static STEP: Kind = Kind { name: "step", ..kind() };

/// A link with the effect `act`.
static ACT: Kind = Kind { name: "act", needs: acts, reach: Reach::Effect, ..kind() };

/// A link that brings something from outside.
static SOURCE: Kind = Kind { name: "source", source: true, ..kind() };

/// A link that passes its argument `value` on.
static PASS: Kind = Kind { name: "pass", passes: Some("value"), ..kind() };

static EXTRACT: Kind = Kind { name: "extract", role: Role::Extract, settings: EXTRACT_KEYS, ..kind() };

const EXTRACT_KEYS: &[Key] = &[
    Key::required("as", Form::Text, ""),
    Key::new("values", Form::List(&Form::Text), ""),
    Key::new("drop", Form::List(&Form::Text), ""),
];

const ACT_KEYS: &[Key] = &[
    Key::required("reason", Form::Text, ""),
    Key::new("drop", Form::List(&Form::Text), ""),
    Key::new("required", Form::Bool, ""),
];

static ENDORSE: Kind =
    Kind { name: "endorse", role: Role::Endorse, settings: ACT_KEYS, passes: Some("value"), ..kind() };

static DECLASSIFY: Kind =
    Kind { name: "declassify", role: Role::Declassify, settings: ACT_KEYS, passes: Some("value"), ..kind() };

const fn kind() -> Kind {
    Kind {
        name: "",
        doc: "",
        settings: &[],
        with: With::Anything,
        role: Role::Step,
        source: false,
        patient: false,
        passes: None,
        needs: no_needs,
        reach: Reach::Nothing,
    }
}

fn acts(_: &Link, _: &Value) -> Result<Vec<Need>, String> {
    Ok(vec![Need::Effect { name: "act".into() }])
}

pub const PERMIT_ALL: &str =
    "permit (principal, action in [Ringmail::Action::\"run\", Ringmail::Action::\"call\"], resource);";

/// What gates decide by, with a run of `alice` of tenant `acme`.
pub struct Bench {
    pub authority: Arc<Authority>,
    pub run: Arc<Mutex<Run>>,
}

impl Bench {
    pub fn new(policy: &str, grants: Vec<Grant>, limits: Limits) -> Bench {
        let mut tags = TagTable::default();
        let detectors = Detectors::standard(&mut tags);
        Bench::made(policy, grants, limits, tags, detectors)
    }

    /// With the detectors that a project file asks for.
    pub fn project(policy: &str, grants: Vec<Grant>, text: &str) -> Bench {
        let mut tags = TagTable::default();
        let project = load_project(text, &mut tags).unwrap_or_else(|problems| panic!("{problems}"));
        Bench::made(policy, grants, Limits::default(), tags, project.detectors)
    }

    /// What is wrong with a project file.
    pub fn project_problems(text: &str) -> String {
        load_project(text, &mut TagTable::default()).err().unwrap_or_default()
    }

    fn made(policy: &str, grants: Vec<Grant>, limits: Limits, tags: TagTable, detectors: Detectors) -> Bench {
        let authority = Authority {
            grants: Grants::new(grants, Ceiling::default()),
            policies: Policies::load(&[Source::new("p.cedar", policy)]).unwrap(),
            secrets: Vec::new(),
            tags: Arc::new(RwLock::new(tags)),
            detectors,
        };
        let alice = Principal {
            subject: "alice".into(),
            roles: Vec::new(),
            tenant: Some("acme".into()),
            authenticated: "local".into(),
        };
        let run = Run::new("r".into(), alice, limits, 0, 1);
        Bench { authority: Arc::new(authority), run: Arc::new(Mutex::new(run)) }
    }

    pub fn facts(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap()
    }

    pub fn plan(&self, text: &str) -> Arc<Plan> {
        let source = Source::new("t.yaml", text);
        let mut tags = self.authority.tags.write().unwrap();
        let mut around = Surroundings {
            kinds: &[&STEP, &ACT, &SOURCE, &PASS, &EXTRACT, &ENDORSE, &DECLASSIFY],
            natives: &BTreeMap::new(),
            middleware: &[],
            secrets: &[],
            plugins: &BTreeMap::new(),
            commands: &[],
            upstreams: &BTreeMap::new(),
            files: &|name| Err(format!("there is no `{name}`")),
            python: None,
            tags: &mut tags,
            limits: Limits::default(),
        };
        let loaded = yaml::parse(&source).and_then(|node| load(&node, &source, &mut around));
        Arc::new(loaded.unwrap_or_else(|problems| panic!("{problems}")))
    }

    pub fn walk(&self, plan: &Arc<Plan>, input: Value) -> Walk {
        let entered = gate::enter(plan, input, &mut self.facts(), &self.authority, at(0)).unwrap();
        Walk::begin(entered, self.run.clone(), &Labeled::default())
    }

    pub fn admit(&self, plan: &Arc<Plan>, ready: Ready, moment: Moment) -> Result<Admitted, Box<Refusal>> {
        gate::admit(plan, ready, 1, &mut self.facts(), &self.authority, moment)
    }

    /// Admits the next call of a walk and lets it return `value`.
    pub fn hop(&self, walk: &mut Walk, value: Value) -> Result<Labeled, Blocked> {
        let plan = walk.plan().clone();
        let ready = ready(walk);
        let link = ready.link();
        let mut admitted = self.admit(&plan, ready, at(0)).map_err(Blocked::Refused)?;
        let released = gate::release(
            &plan,
            admitted.due(),
            Unchecked::new(value),
            &mut self.facts(),
            &self.authority,
            at(0),
        )?;
        let labeled = released.labeled().clone();
        walk.settle(link, Outcome::Done(released)).unwrap();
        Ok(labeled)
    }

    /// The stages of the run, one word each.
    pub fn stages(&self) -> Vec<&'static str> {
        self.facts().trail().iter().map(|event| event.stage.name()).collect()
    }

    /// What the trail says was refused last.
    pub fn refused(&self) -> Refusal {
        let facts = self.facts();
        match &facts.trail().last().unwrap().stage {
            Stage::Refused(refusal) => (**refusal).clone(),
            stage => panic!("{stage:?}"),
        }
    }
}

fn load_project(text: &str, tags: &mut TagTable) -> Result<Project, String> {
    let source = Source::new("ringmail.toml", text);
    let loaded = toml::parse(&source).and_then(|node| Project::load(&node, &source, tags));
    loaded.map_err(|problems| problems.to_string())
}

/// The next call of a walk.
pub fn ready(walk: &mut Walk) -> Ready {
    match walk.step() {
        Some(Next::Call(ready)) => ready,
        other => panic!("{other:?}"),
    }
}

pub fn at(at_us: u64) -> Moment {
    Moment { now_ms: at_us / 1000, at_us }
}

/// A grant of the effect `act` to chain `t`.
pub fn act_grant(flow: Flow) -> Grant {
    let effects = vec![EffectRule { name: "act".into(), flow }];
    Grant { to: "t".into(), reason: "test".into(), effects, ..Grant::default() }
}
