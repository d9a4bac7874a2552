//! What can be said of chains together before any runs: names that lead nowhere, circles, programs, flows, and grants
//! for nobody.

use crate::engine::{Checked, Engine};
use ringmail_core::chain::flow::{self, Foreseen};
use ringmail_core::chain::types;
use ringmail_core::chain::{Detail, Plan};
use ringmail_core::doc::Problems;
use ringmail_core::gate::CALLER;
use ringmail_core::plugin::power_of;
use ringmail_core::value::Str;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Engine {
    pub(crate) fn check_names(&self, out: &mut Checked) {
        let mut seen: BTreeMap<Str, Arc<Plan>> = BTreeMap::new();
        let plans = out.plans.clone();
        for plan in &plans {
            if let Some(first) = seen.insert(plan.name.clone(), plan.clone()) {
                let message = format!("the chain `{}` is also in `{}`", plan.name, first.source.name);
                out.problems.add(&plan.source, plan.named, message);
            }
        }
        for plan in &plans {
            for (name, span) in plan.calls() {
                if !seen.contains_key(&name) && self.chain(&name).is_none() {
                    let known = seen.keys().cloned().collect::<Vec<_>>();
                    let near = ringmail_core::doc::suggest(&name, known.iter().map(|name| &**name));
                    let message = format!("there is no chain `{name}`");
                    match near {
                        Some(near) => out.problems.add_help(
                            &plan.source,
                            span,
                            message,
                            format!("did you mean `{near}`?"),
                        ),
                        None => out.problems.add(&plan.source, span, message),
                    }
                }
            }
            check_recursion(plan, &seen, &mut out.problems);
        }
    }

    pub(crate) fn check_programs(&self, plan: &Plan, problems: &mut Problems) {
        for link in &plan.links {
            if let (Detail::Python { program: Some(program), ways, .. }, Some(python)) =
                (&link.detail, &self.0.python)
            {
                let tools: Vec<Str> = ways.iter().filter_map(|way| way.tool.clone()).collect();
                python.check(program, &tools, problems);
            }
        }
        plan.bodies().iter().for_each(|(_, body)| self.check_programs(body, problems));
    }

    pub(crate) fn check_flows(&self, out: &mut Checked) {
        let plans = out.plans.clone();
        let secrets: Vec<Str> = self.0.authority.secrets.iter().map(|secret| secret.name.clone()).collect();
        let find = |name: &str| {
            plans
                .iter()
                .find(|plan| &*plan.name == name)
                .cloned()
                .or_else(|| self.chain(name).map(|chain| chain.plan().clone()))
        };
        for plan in &plans {
            for (span, message) in types::type_problems(plan, &secrets, &find) {
                out.problems.add(&plan.source, span, message);
            }
            for verdict in flow::foresee(plan, &self.0.authority, self.0.clock.now_ms(), &find) {
                // A chain that only others call answers to them, and their callers are judged there.
                let answers = verdict.sink != CALLER || !plans.iter().any(|other| calls(other, &plan.name));
                if let Foreseen::Never { message, changes, .. } = &verdict.answer
                    && answers
                {
                    out.problems.add_help(&plan.source, verdict.span, message.clone(), changes.join("\n"));
                }
                out.verdicts.push((plan.clone(), verdict));
            }
        }
    }

    /// Grants for links and chains that do not exist.
    pub fn check_grants(&self, plans: &[Arc<Plan>], problems: &mut Problems) {
        let mut names: BTreeMap<Str, Option<Str>> = BTreeMap::new();
        for plan in plans {
            collect_names(plan, &mut names);
        }
        self.check_tools(&names, plans, problems);
        for grant in self.0.authority.grants.all() {
            if let (Some(Some(plugin)), Some(spot)) = (names.get(&grant.to), &grant.spot) {
                let message = format!("`{}` is a plugin's, which this grant gives nothing", grant.to);
                let help = format!("what it may stands in `[plugin.{plugin}]`, beside its digest");
                problems.add_help(&spot.source, spot.span, message, help);
            }
            // Those of plugins stand with the plugin, those of servers were held against their names.
            if names.contains_key(&grant.to) || grant.to.contains(':') {
                continue;
            }
            let Some(spot) = &grant.spot else { continue };
            let message = format!("a grant is for `{}`, and there is no such chain or link", grant.to);
            match ringmail_core::doc::suggest(&grant.to, names.keys().map(|name| &**name)) {
                Some(near) => {
                    problems.add_help(&spot.source, spot.span, message, format!("did you mean `{near}`?"))
                }
                None => problems.add(&spot.source, spot.span, message),
            }
        }
    }
}

impl Engine {
    /// Tools that no chain is, granted to plugins that no chain calls: where one does, its link is told of.
    fn check_tools(&self, names: &BTreeMap<Str, Option<Str>>, plans: &[Arc<Plan>], problems: &mut Problems) {
        for plugin in self.0.plugins.known().values() {
            for tool in plugin.powers.tools.iter().filter(|tool| !names.contains_key(*tool)) {
                let power = power_of(&plugin.manifest.name);
                let grant = self.0.authority.grants.all().iter().find(|grant| *grant.to == *power);
                let Some(spot) = grant.and_then(|grant| grant.spot.as_ref()) else { continue };
                let message = format!("`{tool}` is granted as a tool, and there is no such chain");
                if plans.iter().any(|plan| calls(plan, tool)) {
                    continue;
                }
                match ringmail_core::doc::suggest(tool, plans.iter().map(|plan| &*plan.name)) {
                    Some(near) => {
                        problems.add_help(&spot.source, spot.span, message, format!("did you mean `{near}`?"))
                    }
                    None => problems.add(&spot.source, spot.span, message),
                }
            }
        }
    }
}

fn calls(plan: &Plan, chain: &str) -> bool {
    plan.calls().iter().any(|(name, _)| &**name == chain)
}

/// What a grant may be for, with the plugin that gets its powers elsewhere.
fn collect_names(plan: &Plan, names: &mut BTreeMap<Str, Option<Str>>) {
    names.entry(plan.name.clone()).or_default();
    for link in &plan.links {
        let plugin = match &link.detail {
            Detail::Plugin { plugin, .. } => Some(plugin.manifest.name.clone()),
            _ => link.power.strip_prefix("plugin:").map(Str::from),
        };
        names.insert(link.full.clone(), plugin);
    }
    plan.bodies().iter().for_each(|(_, body)| collect_names(body, names));
}

/// A chain that leads back to itself needs a bound on one of its steps.
fn check_recursion(plan: &Arc<Plan>, all: &BTreeMap<Str, Arc<Plan>>, problems: &mut Problems) {
    let mut open: Vec<(Arc<Plan>, Vec<Str>)> = vec![(plan.clone(), vec![plan.name.clone()])];
    let mut seen = BTreeSet::new();
    while let Some((at, path)) = open.pop() {
        for (chain, depth_max, span) in unbounded_calls(&at) {
            if chain == plan.name && depth_max <= 1 {
                let circle = path.iter().chain([&chain]).map(|name| &**name).collect::<Vec<_>>().join(" -> ");
                let message = format!("chains call each other in a circle: {circle}");
                let help =
                    "bound it: `depth: N` on the link that calls; a tool cannot lead back to its caller";
                problems.add_help(&at.source, span, message, help);
            } else if depth_max <= 1
                && seen.insert(chain.clone())
                && let Some(next) = all.get(&chain)
            {
                let mut path = path.clone();
                path.push(chain);
                open.push((next.clone(), path));
            }
        }
    }
}

fn unbounded_calls(plan: &Plan) -> Vec<(Str, u64, ringmail_core::doc::Span)> {
    let mut out: Vec<_> = plan
        .links
        .iter()
        .filter_map(|link| match &link.detail {
            Detail::Chain { chain, depth_max } => Some((chain.clone(), *depth_max, link.span)),
            _ => None,
        })
        .collect();
    plan.bodies().iter().for_each(|(_, body)| out.extend(unbounded_calls(body)));
    out
}
