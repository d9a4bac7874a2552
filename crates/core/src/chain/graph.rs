//! The graph between links: what waits for what, what an edge leads to, and what can never run.

use super::{Edge, Link, On};
use crate::doc::{Problems, Source};
use crate::expr::{Read, Ref, Slot};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How a link needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// Reads its output; without it there is nothing to run on.
    Reads,
    /// Reads it only where `done(...)` says it is there.
    Maybe,
    /// Must come after its success.
    After,
}

#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// For each link, the links it needs and how.
    pub(crate) needs: Vec<Vec<(usize, How)>>,
    /// For each link, the links that wait for it; edges included.
    pub(crate) followers: Vec<Vec<usize>>,
    /// For each link, all it waits for: what it needs, and what has an edge to it.
    pub(crate) upstream: Vec<Vec<usize>>,
    /// For each link, how many that are.
    pub(crate) waits: Vec<usize>,
    /// For each link, the links with an edge to it.
    pub(crate) edges_in: Vec<Vec<usize>>,
    /// For each edge target, what follows from it, itself included.
    pub(crate) follows: BTreeMap<usize, BTreeSet<usize>>,
}

impl Graph {
    /// Builds the graph from what each link reads and comes after.
    pub(crate) fn new(links: &[Link], after: &[Vec<usize>]) -> Graph {
        let needs: Vec<Vec<(usize, How)>> =
            links.iter().zip(after).map(|(link, after)| needs_of(&link.refs(), after, links.len())).collect();
        let mut edges_in = vec![Vec::new(); links.len()];
        for (from, link) in links.iter().enumerate() {
            for edge in &link.edges {
                if let Some(sources) =
                    edges_in.get_mut(edge.to).filter(|sources: &&mut Vec<usize>| !sources.contains(&from))
                {
                    sources.push(from);
                }
            }
        }
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); links.len()];
        let mut waits = Vec::with_capacity(links.len());
        let mut all_upstream = Vec::with_capacity(links.len());
        for (to, needs) in needs.iter().enumerate() {
            let mut upstream: BTreeSet<usize> = needs.iter().map(|(from, _)| *from).collect();
            upstream.extend(edges_in.get(to).into_iter().flatten());
            for from in &upstream {
                if let Some(list) = followers.get_mut(*from) {
                    list.push(to);
                }
            }
            waits.push(upstream.len());
            all_upstream.push(upstream.into_iter().collect());
        }
        let targets = edges_in.iter().enumerate().filter(|(_, sources)| !sources.is_empty());
        let follows = targets.map(|(target, _)| (target, reach(target, &followers))).collect();
        Graph { needs, followers, upstream: all_upstream, waits, edges_in, follows }
    }

    /// Whether a link runs only when an edge leads to it.
    pub(crate) fn is_target(&self, link: usize) -> bool {
        self.edges_in.get(link).is_some_and(|sources| !sources.is_empty())
    }

    /// All links a link waits for, directly or not.
    pub(crate) fn before(&self, link: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::new();
        let mut open = vec![link];
        while let Some(at) = open.pop() {
            let needs = self.needs.get(at).into_iter().flatten().map(|(from, _)| *from);
            let sources = self.edges_in.get(at).into_iter().flatten().copied();
            for from in needs.chain(sources) {
                if seen.insert(from) {
                    open.push(from);
                }
            }
        }
        seen
    }

    /// Links in an order in which each comes after all it waits for; links in a cycle are missing.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut waits = self.waits.clone();
        let mut ready: VecDeque<usize> =
            waits.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(at) = ready.pop_front() {
            order.push(at);
            for follower in self.followers.get(at).into_iter().flatten() {
                if let Some(count) = waits.get_mut(*follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push_back(*follower);
                    }
                }
            }
        }
        order
    }
}

fn reach(from: usize, followers: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for next in followers.get(at).into_iter().flatten() {
            if seen.insert(*next) {
                open.push(*next);
            }
        }
    }
    seen
}

fn needs_of(refs: &[Ref], after: &[usize], links: usize) -> Vec<(usize, How)> {
    let mut needs: BTreeMap<usize, How> = BTreeMap::new();
    for at in after {
        needs.insert(*at, How::After);
    }
    let is_link = |slot: Slot| (slot.0 as usize) < links;
    let tested: BTreeSet<Slot> = refs.iter().filter(|r| r.read == Read::Ran).map(|r| r.slot).collect();
    for reference in refs.iter().filter(|reference| is_link(reference.slot)) {
        let at = reference.slot.0 as usize;
        if tested.contains(&reference.slot) {
            needs.insert(at, How::Maybe);
        } else {
            needs.insert(at, How::Reads);
        }
    }
    needs.into_iter().collect()
}

/// Reports cycles, edges that lead backwards and links that nothing can reach.
pub(crate) fn check(links: &[Link], graph: &Graph, source: &Arc<Source>, problems: &mut Problems) {
    let order = graph.order();
    if order.len() < links.len() {
        report_cycle(links, graph, &order, source, problems);
        return;
    }
    for (at, link) in links.iter().enumerate() {
        check_edges(at, link, graph, links, source, problems);
    }
}

fn report_cycle(
    links: &[Link],
    graph: &Graph,
    order: &[usize],
    source: &Arc<Source>,
    problems: &mut Problems,
) {
    let stuck: BTreeSet<usize> = (0..links.len()).filter(|at| !order.contains(at)).collect();
    let next = |at: usize| {
        let needs = graph.needs.get(at).into_iter().flatten().map(|(from, _)| *from);
        let edges = graph.edges_in.get(at).into_iter().flatten().copied();
        needs.chain(edges).find(|from| stuck.contains(from))
    };
    let Some(mut at) = stuck.first().copied() else { return };
    let mut path = Vec::new();
    while !path.contains(&at) {
        path.push(at);
        match next(at) {
            Some(from) => at = from,
            None => return,
        }
    }
    let from = path.iter().position(|seen| *seen == at).unwrap_or(0);
    let cycle: Vec<usize> = path.split_off(from);
    let name = |at: usize| links.get(at).map_or("", |link| &*link.name).to_string();
    let mut names: Vec<String> = cycle.iter().rev().map(|at| name(*at)).collect();
    names.push(names.first().cloned().unwrap_or_default());
    let span = cycle.first().and_then(|at| links.get(*at)).map_or_else(Default::default, |link| link.span);
    problems.add_help(
        source,
        span,
        format!("links wait for each other in a circle: {}", names.join(" -> ")),
        "to run links again and again, put them into a `repeat` with `at_most`",
    );
}

fn check_edges(
    at: usize,
    link: &Link,
    graph: &Graph,
    links: &[Link],
    source: &Arc<Source>,
    problems: &mut Problems,
) {
    let before = graph.before(at);
    let mut open: Vec<On> = Vec::new();
    for edge in &link.edges {
        let target = links.get(edge.to).map_or("", |target| &*target.name);
        if open.contains(&edge.on) {
            problems.add(
                source,
                link.span,
                format!("the edge to `{target}` is never taken: one before it always is"),
            );
        }
        if edge.when.is_none() {
            open.push(edge.on);
        }
        report_reads(edge, at, &before, link, links, source, problems);
    }
}

/// An edge's condition is judged the moment its link ends, so it can read only what is settled by then.
fn report_reads(
    edge: &Edge,
    at: usize,
    before: &BTreeSet<usize>,
    link: &Link,
    links: &[Link],
    source: &Arc<Source>,
    problems: &mut Problems,
) {
    let Some(when) = &edge.when else { return };
    for reference in when.refs() {
        let read = reference.slot.0 as usize;
        if read < links.len() && !before.contains(&read) && (read != at || edge.on != On::Success) {
            let name = links.get(read).map_or("", |link| &*link.name);
            let why = if read == at { "has no output then" } else { "may not have ended then" };
            problems.add(
                source,
                when.span(),
                format!("an edge of `{}` cannot read `{name}`, which {why}", link.name),
            );
        }
    }
}
