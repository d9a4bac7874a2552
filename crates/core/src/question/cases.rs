//! Test cases of policies: a YAML file of questions, each with the answer it must have. Read whole, all problems at
//! once; what a case does not say is what a run would have it be.

use super::{History, Mark, Question};
use crate::chain::flow::Reached;
use crate::detect::{DETECTORS, Gives};
use crate::doc::form::{Form, Key, conform, duration_ms, table_schema};
use crate::doc::{Data, Node, Problems, Source, Span, Spot, suggest};
use crate::label::TagTable;
use crate::policy::{Action, Inventory, Policies, Principal, Ruling};
use crate::refusal::Rule;
use crate::value::{Str, parse_path};
use std::collections::BTreeSet;
use std::sync::Arc;

pub const TESTS_KEYS: &[Key] = &[Key::required(
    "tests",
    Form::List(&Form::Table(TEST_KEYS)),
    "the cases, each a question and its answer",
)];

pub const TEST_KEYS: &[Key] = &[
    Key::required("case", Form::Text, "what is tested, in words"),
    Key::required(
        "as",
        Form::Either(&[Form::Text, Form::Table(WHO_KEYS)]),
        "who asks: a `[[principal]]` of the project by name, or somebody described here",
    ),
    Key::new(
        "action",
        Form::OneOf(&["run", "vouch", "call", "endorse", "declassify", "approve", "control"]),
        "what is asked for; default `call` of a link, `run` of a chain, `control` where `on` names neither",
    ),
    Key::new("on", Form::Text, "the chain, or the link as `chain.link`; without it the host is meant"),
    Key::new(
        "args",
        Form::Any,
        "the arguments of the call, or the input of the chain; of `control` the `order`",
    ),
    Key::new(
        "labels",
        Form::List(&Form::Table(CASE_LABEL_KEYS)),
        "what is known of the arguments; default nothing, and of a chain's input that it is untrusted",
    ),
    Key::new("decision", Form::Table(DECISION_KEYS), "what is known of the decision to call"),
    Key::new(
        "sinks",
        Form::List(&Form::Text),
        "what the call would reach, such as `https://bank.example:443`; default what the chain's file says",
    ),
    Key::new(
        "consequential",
        Form::Bool,
        "whether the call changes something; default what the chain's file says",
    ),
    Key::new("history", Form::Table(HISTORY_KEYS), "what went before, in the run and in its session"),
    Key::required("expect", Form::OneOf(&["allow", "deny"]), "the answer"),
    Key::new("by", Form::Text, "the policy that must be among those that decide"),
    Key::new(
        "rule",
        Form::OneOf(&["policy-forbids", "policy-silent", "policy-failed"]),
        "why it must be denied",
    ),
];

pub const WHO_KEYS: &[Key] = &[
    Key::required("name", Form::Text, "the subject that policies see"),
    Key::new("roles", Form::List(&Form::Text), "its roles"),
    Key::new("tenant", Form::Text, "its tenant"),
    Key::new(
        "proof",
        Form::OneOf(&["local", "host", "key", "jwt", "mtls", "unix", "webhook", "anonymous"]),
        "how it proved who it is; default `local`",
    ),
];

pub const CASE_LABEL_KEYS: &[Key] = &[
    Key::new("at", Form::Text, "the path in `args`; without it all of them"),
    Key::new("untrusted", Form::Bool, "whether it is untrusted; default no"),
    Key::new("tags", Form::List(&Form::Text), "its tags"),
    Key::new("from", Form::List(&Form::Text), "where it came from: `input`, or links"),
];

pub const DECISION_KEYS: &[Key] = &[
    Key::new("untrusted", Form::Bool, "whether untrusted data decided; default no"),
    Key::new("from", Form::List(&Form::Text), "where that data came from"),
];

pub const HISTORY_KEYS: &[Key] = &[
    Key::new("called", Form::List(&Form::Text), "links that ended well"),
    Key::new(
        "counts",
        Form::List(&Form::Table(COUNT_KEYS)),
        "how often links were called; one that ended well was, once",
    ),
    Key::new("read", Form::List(&Form::Text), "tags of what was read"),
    Key::new("signals", Form::List(&Form::Text), "detectors that advised of something"),
    Key::new("steps", Form::Int { min: 0, max: i64::MAX }, "steps so far"),
    Key::new("elapsed", Form::Duration, "how long the run has lasted"),
];

pub const COUNT_KEYS: &[Key] = &[
    Key::required("link", Form::Text, "the link"),
    Key::required("times", Form::Int { min: 0, max: i64::MAX }, "how often it was called"),
];

/// The JSON Schema of a file of cases, for editors.
pub fn tests_schema() -> serde_json::Value {
    let mut schema = table_schema(&[TESTS_KEYS]);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".into(), "tests of Ringmail policies".into());
    }
    schema
}

/// What cases are read against.
pub struct Grounds<'g> {
    pub inventory: &'g Inventory,
    pub principals: &'g [Principal],
    pub policies: &'g Policies,
    /// What a call of a link would reach and whether it is consequential, where that can be known.
    pub reach: &'g dyn Fn(&str) -> Option<Reached>,
}

impl std::fmt::Debug for Grounds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grounds").field("policies", self.policies).finish_non_exhaustive()
    }
}

/// A question with the answer it must have.
#[derive(Clone, Debug)]
pub struct PolicyCase {
    pub name: String,
    pub spot: Spot,
    pub question: Question,
    allow: bool,
    by: Option<Str>,
    rule: Option<Rule>,
}

/// How a case went.
#[derive(Clone, Debug)]
pub struct Tried {
    pub ruling: Arc<Ruling>,
    /// What was expected and is not so; nothing if the case holds.
    pub wrong: Option<String>,
}

impl PolicyCase {
    pub fn run(&self, policies: &Policies, tags: &TagTable) -> Tried {
        let ruling = self.question.ask(policies, tags);
        let word = |allowed: bool| if allowed { "allowed" } else { "denied" };
        let deciding = || ruling.policies.iter().chain(&ruling.failed);
        let named = || match deciding().map(|id| format!("`{id}`")).collect::<Vec<_>>() {
            ids if ids.is_empty() => "no policy".to_string(),
            ids => ids.join(", "),
        };
        let wrong = if ruling.allowed != self.allow {
            Some(format!(
                "expected it to be {}, and it is {} by {}",
                word(self.allow),
                word(ruling.allowed),
                named()
            ))
        } else if let Some(by) = self.by.as_ref().filter(|by| !deciding().any(|id| id == *by)) {
            Some(format!("expected `{by}` to decide, and it was {}", named()))
        } else {
            let rule = ruling.rule();
            let other = self.rule.filter(|expected| Some(*expected) != rule);
            other.map(|expected| {
                let found = rule.map_or("nothing", Rule::id);
                format!("expected it to be denied as `{}`, and it is as `{found}`", expected.id())
            })
        };
        Tried { ruling, wrong }
    }
}

/// The cases of one file.
pub fn load_cases(
    node: &Node,
    source: &Arc<Source>,
    grounds: &Grounds<'_>,
) -> Result<Vec<PolicyCase>, Problems> {
    let mut problems = Problems::default();
    conform(node, &Form::Table(TESTS_KEYS), "the tests", source, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut reader = Reader { source, grounds, problems: &mut problems };
    let mut cases: Vec<PolicyCase> = Vec::new();
    for item in node.get("tests").map_or(&[][..], Node::items) {
        let Some(case) = reader.case(item) else { continue };
        if cases.iter().any(|known| known.name == case.name) {
            reader.wrong(case.spot.span, format!("two cases are called `{}`", case.name));
        }
        cases.push(case);
    }
    problems.or(cases)
}

struct Reader<'r> {
    source: &'r Arc<Source>,
    grounds: &'r Grounds<'r>,
    problems: &'r mut Problems,
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::text)
}

fn words<'n>(node: &'n Node, key: &str) -> impl Iterator<Item = (&'n str, Span)> {
    node.get(key).map_or(&[][..], Node::items).iter().filter_map(|item| Some((item.text()?, item.span)))
}

fn truth(node: &Node, key: &str) -> Option<bool> {
    match node.get(key).map(|node| &node.data) {
        Some(Data::Bool(truth)) => Some(*truth),
        _ => None,
    }
}

fn number(node: &Node, key: &str) -> Option<u64> {
    match node.get(key).map(|node| &node.data) {
        Some(Data::Int(int)) => u64::try_from(*int).ok(),
        _ => None,
    }
}

impl Reader<'_> {
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.problems.add(self.source, span, message);
    }

    /// A name that stands for nothing.
    fn unknown<'k>(&mut self, span: Span, what: &str, name: &str, known: impl Iterator<Item = &'k str>) {
        let message = format!("there is no {what} `{}`", crate::json::shorten(name));
        match suggest(name, known) {
            Some(near) => {
                self.problems.add_help(self.source, span, message, format!("did you mean `{near}`?"))
            }
            None => self.wrong(span, message),
        }
    }

    fn case(&mut self, node: &Node) -> Option<PolicyCase> {
        let principal = self.principal(node.get("as")?);
        let (action, name, kind) = self.target(node);
        let mut question = Question::new(principal?, action, &name, kind);
        question.args = node.get("args").map(Node::to_value).unwrap_or_default();
        question.marks = self.marks(node, action);
        if let Some(decision) = node.get("decision") {
            question.decision = self.mark(decision);
        }
        self.reach(node, &mut question);
        if let Some(history) = node.get("history") {
            question.history = self.history(history);
        }
        let by = node.get("by").map(|by| (by.text().unwrap_or_default(), by.span));
        let allow = text(node, "expect") == Some("allow");
        if let Some((id, span)) = by
            && self.grounds.policies.spot(id).is_none()
        {
            let ids = self.grounds.policies.ids();
            self.unknown(span, "policy", id, ids.iter().map(|id| &**id));
        }
        if let Some(rule) = node.get("rule").filter(|_| allow) {
            self.wrong(rule.span, "`rule` says why it is denied, and it is expected to be allowed");
        }
        let span = node.get("case").map_or(node.span, |case| case.span);
        Some(PolicyCase {
            name: text(node, "case").unwrap_or_default().into(),
            spot: Spot { source: self.source.clone(), span },
            question,
            allow,
            by: by.map(|(id, _)| id.into()),
            rule: text(node, "rule").and_then(|id| Rule::ALL.iter().find(|rule| rule.id() == id).copied()),
        })
    }

    fn principal(&mut self, node: &Node) -> Option<Principal> {
        let Some(name) = node.text() else {
            return Some(Principal {
                subject: text(node, "name").unwrap_or_default().into(),
                roles: words(node, "roles").map(|(role, _)| role.into()).collect(),
                tenant: text(node, "tenant").map(Str::from),
                authenticated: text(node, "proof").unwrap_or("local").into(),
            });
        };
        let known = self.grounds.principals.iter().find(|principal| *principal.subject == *name);
        if known.is_none() {
            let names: Vec<Str> = self.grounds.principals.iter().map(|known| known.subject.clone()).collect();
            self.unknown(node.span, "principal", name, names.iter().map(|name| &**name));
        }
        known.cloned()
    }

    fn target(&mut self, node: &Node) -> (Action, Str, Option<&'static str>) {
        let inventory = self.grounds.inventory;
        let on = node.get("on").map(|on| (on.text().unwrap_or_default(), on.span));
        let link = on.and_then(|(name, _)| inventory.links.get_key_value(name));
        let usual = match (on, link) {
            (None, _) => Action::Control,
            (Some((name, _)), _) if name.contains('.') => Action::Call,
            _ => Action::Run,
        };
        let action = text(node, "action").and_then(Action::named).unwrap_or(usual);
        let Some((name, span)) = on else {
            if action != Action::Control {
                let message = format!("`{}` needs `on`: the chain or link that is meant", action.name());
                self.wrong(node.get("action").map_or(node.span, |action| action.span), message);
            }
            return (action, inventory.host.clone(), None);
        };
        match action {
            Action::Control => {
                self.wrong(span, "`control` is about the host, and `on` about a chain or link")
            }
            Action::Run | Action::Vouch if !inventory.chains.contains(name) => {
                self.unknown(span, "chain", name, inventory.chains.iter().map(|name| &**name));
            }
            Action::Call | Action::Endorse | Action::Declassify | Action::Approve if link.is_none() => {
                self.unknown(span, "link", name, inventory.links.keys().map(|name| &**name));
            }
            _ => {}
        }
        (action, name.into(), link.map(|(_, kind)| *kind))
    }

    fn marks(&mut self, node: &Node, action: Action) -> Vec<(Vec<crate::value::Seg>, Mark)> {
        if node.get("labels").is_none() {
            // What callers send is untrusted, whoever they are.
            let input = Mark { untrusted: true, from: vec!["input".into()], ..Mark::default() };
            return match action {
                Action::Run | Action::Vouch => vec![(Vec::new(), input)],
                _ => Vec::new(),
            };
        }
        let args = node.get("args").map(Node::to_value).unwrap_or_default();
        let mut out = Vec::new();
        for item in node.get("labels").map_or(&[][..], Node::items) {
            let path = text(item, "at").map(parse_path).unwrap_or_default();
            if args.at(&path).is_none() {
                let span = item.get("at").map_or(item.span, |at| at.span);
                self.wrong(span, "there is nothing there in `args`");
            }
            out.push((path, self.mark(item)));
        }
        out
    }

    fn mark(&mut self, node: &Node) -> Mark {
        Mark {
            untrusted: truth(node, "untrusted").unwrap_or(false),
            tags: self.tags(node, "tags"),
            from: words(node, "from").map(|(name, _)| name.into()).collect(),
        }
    }

    fn tags(&mut self, node: &Node, key: &str) -> BTreeSet<Str> {
        let known = &self.grounds.inventory.tags;
        let mut out = BTreeSet::new();
        for (tag, span) in words(node, key) {
            if !known.contains(tag) {
                self.unknown(span, "tag", tag, known.iter().map(|tag| &**tag));
            }
            out.insert(tag.into());
        }
        out
    }

    /// What the call would reach: as the case says it, or as the chain's file does.
    fn reach(&mut self, node: &Node, question: &mut Question) {
        let said = node.get("sinks");
        if let Some(sinks) = said {
            question.sinks = sinks.items().iter().filter_map(|sink| sink.text().map(String::from)).collect();
        }
        let written = (question.action == Action::Call).then(|| (self.grounds.reach)(&question.name));
        match (said, written) {
            (None, Some(Some(reached))) => {
                (question.sinks, question.consequential) = (reached.sinks, reached.consequential);
            }
            (Some(_), Some(Some(reached))) => question.consequential = reached.consequential,
            (None, Some(None)) if question.kind.is_some() => {
                let message = format!("what `{}` reaches is not known before it runs", question.name);
                let span = node.get("on").map_or(node.span, |on| on.span);
                self.problems.add_help(self.source, span, message, "say it: `sinks: [...]`");
            }
            // Where it is not known, the worst is.
            (Some(_), Some(None)) => question.consequential = true,
            _ => {}
        }
        if let Some(truth) = truth(node, "consequential") {
            question.consequential = truth;
        }
    }

    fn history(&mut self, node: &Node) -> History {
        let links = &self.grounds.inventory.links;
        let mut out = History {
            read: self.tags(node, "read"),
            steps: number(node, "steps").unwrap_or(0),
            elapsed_ms: text(node, "elapsed").and_then(|text| duration_ms(text).ok()).unwrap_or(0),
            ..History::default()
        };
        for (link, span) in words(node, "called") {
            if !links.contains_key(link) {
                self.unknown(span, "link", link, links.keys().map(|name| &**name));
            }
            out.called.insert(link.into());
        }
        for item in node.get("counts").map_or(&[][..], Node::items) {
            let link = text(item, "link").unwrap_or_default();
            if !links.contains_key(link) {
                let span = item.get("link").map_or(item.span, |link| link.span);
                self.unknown(span, "link", link, links.keys().map(|name| &**name));
            }
            out.counts.insert(link.into(), number(item, "times").unwrap_or(0));
        }
        for (name, span) in words(node, "signals") {
            let signals = || DETECTORS.iter().filter(|detector| detector.gives == Gives::Signal);
            match signals().find(|signal| signal.name == name) {
                Some(signal) => out.signals.push(signal.name),
                None => self.unknown(span, "signal", name, signals().map(|signal| signal.name)),
            }
        }
        out
    }
}
