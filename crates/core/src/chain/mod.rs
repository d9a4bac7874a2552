//! The chain graph: what a chain is once it is loaded, and what runs next. Never runs anything itself.
//! `load` makes plans from documents, `graph` refuses what cannot work, `walk` steps through one run of a plan,
//! `flow` says before any run where labels will lead.

pub mod extract;
pub mod flow;

mod graph;
pub mod keys;
mod load;
pub mod mcp;
mod names;
pub mod types;
pub mod walk;

pub use load::{Surroundings, load};

use self::mcp::McpSetting;
use crate::doc::{Source, Span, Spot};
use crate::expr::{Expr, Slot};
use crate::failure::FailureKind;
use crate::kind::{Kind, Role};
use crate::label::Tags;
use crate::offer::Card;
use crate::plugin::{Plugin, Use};
use crate::program::Program;
use crate::run::Limits;
use crate::schema::Schema;
use crate::template::Template;
use crate::upstream::Upstream;
use crate::value::{Str, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A loaded chain, or the body of an `each`, `repeat` or `choice` link. Frozen: nothing can change it.
#[derive(Debug)]
pub struct Plan {
    /// `chain`, or `chain.link` for a body.
    pub name: Str,
    /// Where the file names it.
    pub named: Span,
    pub description: Str,
    pub source: Arc<Source>,
    pub input: Option<Schema>,
    pub returns: Option<Schema>,
    pub links: Vec<Link>,
    /// What names beyond the links stand for; slots after the links.
    pub roots: Vec<Root>,
    pub output: Template,
    pub limits: Limits,
    pub middleware: Vec<Str>,
    /// The link whose pieces are passed on to the caller as they come.
    pub stream: Option<usize>,
    pub mcp: McpSetting,
    pub(crate) graph: graph::Graph,
    /// SHA-256 of the text the plan was loaded from.
    pub digest: Str,
}

/// A name that is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    Input,
    Run,
    Secrets,
    /// The failure that led to this link.
    Error,
    /// A variable of the body: an item, its index, the state.
    Local(Str),
    /// A value of the plan around this body.
    Outer(Slot),
}

/// One link of a plan.
#[derive(Debug)]
pub struct Link {
    pub name: Str,
    /// `chain.link`
    pub full: Str,
    /// Whom its grants are for: itself, or the plugin that asks through it.
    pub power: Str,
    pub kind: &'static Kind,
    pub span: Span,
    pub with: Template,
    pub when: Option<Expr>,
    /// The kind's own settings.
    pub settings: Value,
    pub detail: Detail,
    pub edges: Vec<Edge>,
    /// For each attempt; nothing for a patient kind that names none.
    pub timeout_ms: Option<u64>,
    pub retry: Retry,
    pub fallback: Option<Template>,
    pub cache: Option<Cache>,
    pub idempotency_key: Option<Template>,
    /// Whether it may happen twice.
    pub repeatable: bool,
    pub concurrency: Option<u32>,
    pub middleware: Vec<Str>,
    pub returns: Option<Schema>,
}

/// What some kinds have beyond settings.
#[derive(Debug)]
pub enum Detail {
    Nothing,
    /// A native function and the effect it declares.
    Native {
        call: Str,
        effect: Option<Str>,
    },
    Chain {
        chain: Str,
        depth_max: u64,
    },
    Each {
        over: Expr,
        body: Arc<Plan>,
        items_max: usize,
        parallel: usize,
    },
    Repeat {
        start: Template,
        until: Expr,
        body: Arc<Plan>,
        rounds_max: u64,
    },
    Choice {
        cases: Vec<Case>,
    },
    Extract(extract::Range, Tags),
    Act(Act),
    Approve(Consent),
    Validate(Option<Schema>, Option<&'static crate::checks::TextCheck>),
    Script(Scripted),
    /// A program of the project.
    Command(Str),
    /// A tool of a server; without one, the list of its tools.
    Tool {
        upstream: Arc<Upstream>,
        card: Option<Arc<Card>>,
    },
    /// A guest, and all its ways out.
    Plugin {
        plugin: Arc<Plugin>,
        ways: Vec<Outlet>,
    },
    /// A program, unless it comes as an argument; what one run may use; and its ways out.
    Python {
        program: Option<Program>,
        limits: Use,
        ways: Vec<Outlet>,
    },
}

/// A way out of a guest, and the body that is the call.
#[derive(Debug)]
pub struct Outlet {
    pub capability: &'static str,
    /// Which tool, for the capability `tool`.
    pub tool: Option<Str>,
    pub body: Arc<Plan>,
}

/// A script, and what one run of it may use.
#[derive(Debug)]
pub struct Scripted {
    pub program: Program,
    /// The file of the project that it stands in, if it does not stand in the chain.
    pub file: Option<Str>,
    /// The function it begins with.
    pub entry: Str,
    pub limits: Use,
}

/// One case of a choice; no condition means otherwise.
#[derive(Debug)]
pub struct Case {
    pub when: Option<Expr>,
    pub body: Arc<Plan>,
}

/// An endorsement or declassification: the act of a principal, with its bounds.
#[derive(Debug)]
pub struct Act {
    pub reason: Str,
    /// A condition on `value`.
    pub scope: Option<Expr>,
    /// Milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// What is dropped; an endorsement drops nothing.
    pub drop: Tags,
    /// Whether a principal who may not act ends the run; otherwise the value passes unchanged.
    pub required: bool,
}

/// That persons say yes before it goes on.
#[derive(Debug)]
pub struct Consent {
    /// What they are told.
    pub reason: Str,
    /// How many it takes.
    pub people: usize,
    /// How long somebody may take.
    pub within_ms: u64,
}

/// What may follow a link. The first edge whose condition holds is taken.
#[derive(Debug)]
pub struct Edge {
    pub on: On,
    pub when: Option<Expr>,
    pub to: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Success,
    Error,
    Refused,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    pub attempts: u32,
    pub backoff_ms: u64,
    pub backoff_ms_max: u64,
    /// Whether each pause is drawn at random up to its length.
    pub jitter: bool,
    pub on: BTreeSet<FailureKind>,
}

impl Default for Retry {
    fn default() -> Retry {
        let on = BTreeSet::from([FailureKind::Timeout, FailureKind::Unavailable]);
        Retry { attempts: 1, backoff_ms: 200, backoff_ms_max: 10_000, jitter: true, on }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    pub ttl_ms: u64,
    pub entries_max: usize,
}

impl Plan {
    pub fn link(&self, at: usize) -> Option<&Link> {
        self.links.get(at)
    }

    /// The link with this full name, here or in a body.
    pub fn find(&self, full: &str) -> Option<&Link> {
        let here = self.links.iter().find(|link| &*link.full == full);
        here.or_else(|| {
            self.links.iter().find_map(|link| link.bodies().into_iter().find_map(|body| body.find(full)))
        })
    }

    /// The chain a plan belongs to: its own name without the links it is a body of.
    pub fn chain(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    pub(crate) fn root(&self, slot: Slot) -> Option<&Root> {
        self.roots.get((slot.0 as usize).checked_sub(self.links.len())?)
    }

    pub fn spot(&self, span: Span) -> Option<Spot> {
        (span != Span::default()).then(|| Spot { source: self.source.clone(), span })
    }

    /// What runs only after what: pairs of links, with what leads from one to the other.
    pub fn arrows(&self) -> Vec<(usize, usize, Arrow)> {
        let reads = self.graph.needs.iter().enumerate().flat_map(|(to, needs)| {
            needs.iter().map(move |(from, how)| {
                (*from, to, if *how == graph::How::After { Arrow::After } else { Arrow::Data })
            })
        });
        let edges = self.links.iter().enumerate().flat_map(|(from, link)| {
            link.edges.iter().map(move |edge| (from, edge.to, Arrow::Edge(edge.on, edge.when.is_some())))
        });
        reads.chain(edges).collect()
    }

    /// The links whose results the output is made of.
    pub fn answered_by(&self) -> BTreeSet<usize> {
        let slots = self.output.refs().into_iter().map(|reference| reference.slot.0 as usize);
        slots.filter(|slot| *slot < self.links.len()).collect()
    }

    /// The links that read the input.
    pub fn fed_by_input(&self) -> BTreeSet<usize> {
        let reads =
            |link: &Link| link.refs().iter().any(|reference| self.root(reference.slot) == Some(&Root::Input));
        self.links.iter().enumerate().filter(|(_, link)| reads(link)).map(|(at, _)| at).collect()
    }

    /// The bodies inside this plan, by link.
    pub fn bodies(&self) -> Vec<(usize, &Arc<Plan>)> {
        let links = self.links.iter().enumerate();
        links.flat_map(|(at, link)| link.bodies().into_iter().map(move |body| (at, body))).collect()
    }

    /// Names of the chains this plan calls, with where it does.
    pub fn calls(&self) -> BTreeMap<Str, Span> {
        let mut out = BTreeMap::new();
        for link in &self.links {
            if let Detail::Chain { chain, .. } = &link.detail {
                out.insert(chain.clone(), link.span);
            }
        }
        for (_, body) in self.bodies() {
            out.extend(body.calls());
        }
        out
    }
}

impl Link {
    /// Whether the chain goes on, another way, when this link fails or is refused.
    pub(crate) fn is_watched(&self) -> bool {
        self.fallback.is_some() || self.edges.iter().any(|edge| edge.on != On::Success)
    }

    /// Whether its failure need not be the end of what it stands in.
    pub fn may_go_on(&self) -> bool {
        self.is_watched() || self.retry.attempts > 1
    }

    /// Whether it is a pass through links of its own.
    pub fn is_pass(&self) -> bool {
        matches!(
            self.kind.role,
            Role::Chain | Role::Each | Role::Repeat | Role::Choice | Role::Plugin | Role::Python
        )
    }

    /// Whether what it lets through counts for more than what it was given.
    pub(crate) fn lowers(&self) -> bool {
        matches!(self.kind.role, Role::Extract | Role::Endorse | Role::Declassify | Role::Approve)
    }

    /// What its output must fit: what its plugin promises, and what the link itself says.
    pub fn promises(&self) -> impl Iterator<Item = &Schema> {
        let plugin = match &self.detail {
            Detail::Plugin { plugin, .. } => plugin.manifest.returns.as_ref(),
            _ => None,
        };
        plugin.into_iter().chain(&self.returns)
    }

    /// The plans inside this link.
    pub fn bodies(&self) -> Vec<&Arc<Plan>> {
        match &self.detail {
            Detail::Each { body, .. } | Detail::Repeat { body, .. } => vec![body],
            Detail::Choice { cases } => cases.iter().map(|case| &case.body).collect(),
            Detail::Plugin { ways, .. } | Detail::Python { ways, .. } => {
                ways.iter().map(|way| &way.body).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// What leads from one link to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrow {
    Data,
    After,
    Edge(On, bool),
}
