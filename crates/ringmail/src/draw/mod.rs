//! A chain as boxes and arrows, from its plan alone. The writers of each format and the layout stand beside.

pub(crate) mod dot;
mod layout;
pub(crate) mod mermaid;
pub(crate) mod svg;

use ringmail_engine::core::chain::{Arrow, Detail, Link, On, Plan};
use ringmail_engine::core::kind::{Reach, Role};
use ringmail_engine::core::value::{Str, Value};

/// One chain or body: its boxes, and the arrows between them.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) title: String,
    pub(crate) boxes: Vec<Box>,
    pub(crate) arrows: Vec<Line>,
}

#[derive(Debug)]
pub(crate) struct Box {
    pub(crate) name: String,
    /// The second line: kind and what it calls.
    pub(crate) note: String,
    pub(crate) look: Look,
    pub(crate) inside: Vec<Drawing>,
}

/// How a box looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Input or output.
    Port,
    Pure,
    /// Reaches out of the process.
    Reaching,
    /// Lowers a label.
    Lowering,
    /// Decides or loops.
    Control,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) style: Style,
    pub(crate) note: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Data flows.
    Data,
    /// Order alone.
    Order,
    /// An edge that is taken or not.
    Edge,
}

impl Look {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Look::Port => "port",
            Look::Pure => "pure",
            Look::Reaching => "reaching",
            Look::Lowering => "lowering",
            Look::Control => "control",
        }
    }
}

impl Drawing {
    pub(crate) fn of(plan: &Plan) -> Drawing {
        Drawing::titled(plan, plan.name.to_string(), true)
    }

    fn titled(plan: &Plan, title: String, ports: bool) -> Drawing {
        let mut boxes: Vec<Box> = plan.links.iter().map(link_box).collect();
        let mut arrows: Vec<Line> = Vec::new();
        for (from, to, arrow) in plan.arrows() {
            let line = match arrow {
                Arrow::Data => Line { from, to, style: Style::Data, note: "" },
                Arrow::After => Line { from, to, style: Style::Order, note: "after" },
                Arrow::Edge(On::Success, false) => Line { from, to, style: Style::Edge, note: "then" },
                Arrow::Edge(On::Success, true) => Line { from, to, style: Style::Edge, note: "if" },
                Arrow::Edge(On::Error, _) => Line { from, to, style: Style::Edge, note: "on error" },
                Arrow::Edge(On::Refused, _) => Line { from, to, style: Style::Edge, note: "on refused" },
            };
            // One arrow between two boxes says enough; an edge says more than the data it implies.
            arrows.retain(|known| (known.from, known.to) != (from, to) || line.style != Style::Edge);
            if !arrows.iter().any(|known| (known.from, known.to) == (from, to)) {
                arrows.push(line);
            }
        }
        if ports {
            add_ports(plan, &mut boxes, &mut arrows);
        }
        Drawing { title, boxes, arrows }
    }

    pub(crate) fn to_value(&self) -> Value {
        let text = |text: &str| Value::from(text);
        let name = |at: usize| self.boxes.get(at).map_or(Value::Null, |one| text(&one.name));
        let boxes = self.boxes.iter().map(|one| {
            Value::map([
                ("name", text(&one.name)),
                ("note", text(&one.note)),
                ("look", text(one.look.name())),
                ("inside", Value::list(one.inside.iter().map(Drawing::to_value))),
            ])
        });
        let arrows = self.arrows.iter().map(|line| {
            Value::map([("from", name(line.from)), ("to", name(line.to)), ("note", text(line.note))])
        });
        Value::map([
            ("title", text(&self.title)),
            ("boxes", Value::list(boxes)),
            ("arrows", Value::list(arrows)),
        ])
    }
}

fn add_ports(plan: &Plan, boxes: &mut Vec<Box>, arrows: &mut Vec<Line>) {
    let port =
        |name: &str| Box { name: name.into(), note: String::new(), look: Look::Port, inside: Vec::new() };
    let fed = plan.fed_by_input();
    if !fed.is_empty() {
        let from = boxes.len();
        boxes.push(port("input"));
        arrows.extend(fed.into_iter().map(|to| Line { from, to, style: Style::Data, note: "" }));
    }
    let answered = plan.answered_by();
    if !answered.is_empty() {
        let to = boxes.len();
        boxes.push(port("output"));
        arrows.extend(answered.into_iter().map(|from| Line { from, to, style: Style::Data, note: "" }));
    }
}

fn link_box(link: &Link) -> Box {
    let kind = link.kind.name;
    let note = match &link.detail {
        Detail::Native { call, .. } => format!("{kind} {call}"),
        Detail::Chain { chain, .. } => format!("{kind} {chain}"),
        Detail::Command(command) => format!("{kind} {command}"),
        Detail::Plugin { plugin, .. } => format!("{kind} {}", plugin.manifest.name),
        _ => kind.to_string(),
    };
    let look = match (link.kind.role, link.kind.reach, &link.detail) {
        (Role::Extract | Role::Endorse | Role::Declassify, ..) => Look::Lowering,
        (Role::Each | Role::Repeat | Role::Choice | Role::Chain, ..) => Look::Control,
        (_, _, Detail::Native { effect: None, .. }) | (_, Reach::Nothing, _) => Look::Pure,
        _ => Look::Reaching,
    };
    let titles = titles(link);
    let inside =
        link.bodies().into_iter().zip(titles).map(|(body, title)| Drawing::titled(body, title, false));
    Box {
        name: link.name.to_string(),
        note,
        look,
        inside: inside.filter(|drawing| !drawing.boxes.is_empty()).collect(),
    }
}

fn titles(link: &Link) -> Vec<String> {
    match &link.detail {
        Detail::Choice { cases } => {
            let title = |case: &ringmail_engine::core::chain::Case| match case.when {
                Some(_) => "when".to_string(),
                None => "otherwise".to_string(),
            };
            cases.iter().map(title).collect()
        }
        Detail::Each { .. } => vec!["for each".into()],
        _ => vec!["until done".into()],
    }
}

/// Boxes of all drawings get names of their own in text formats.
pub(crate) fn id(path: &[usize]) -> Str {
    let parts: Vec<String> = path.iter().map(ToString::to_string).collect();
    format!("b{}", parts.join("_")).into()
}
