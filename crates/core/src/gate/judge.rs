//! Whether labelled data may flow into a sink: the one function that runs, static checks and tests all ask.

use super::{Authority, Moment};
use crate::grant::{Flow, Trusted};
use crate::label::{Label, Labels, Tags, Tenant};
use crate::refusal::Rule;
use crate::run::Run;
use crate::value::{Seg, parse_path};

/// A way out, as label flow sees it.
#[derive(Clone, Debug)]
pub struct Sink<'f> {
    pub flow: &'f Flow,
    /// Tags allowed besides the clearance: secrets bound to this very sink.
    pub also: Tags,
    /// Whether a call changes something behind the sink.
    pub consequential: bool,
    /// Arguments that choose the sink and the act: they must be trusted for every consequential call.
    pub steering: &'static [&'static str],
}

/// Why data may not flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub rule: Rule,
    /// The argument at fault; empty for the decision.
    pub path: Vec<Seg>,
    /// The label at that place.
    pub label: Label,
}

/// The first fault of a flow, or nothing: tenant, then clearance, then integrity of arguments and decision.
pub fn flow_fault(sink: &Sink<'_>, args: &Labels, decision: Label, tenant: Tenant) -> Option<Fault> {
    tenant_fault(args, decision, tenant)
        .or_else(|| clearance_fault(sink, args, decision))
        .or_else(|| integrity_fault(sink, args, decision))
}

/// The first fault of a flow to the caller of a run while it lasts: what the run's own chain may say to it.
pub(super) fn caller_fault(
    args: &Labels,
    decision: Label,
    run: &Run,
    authority: &Authority,
    moment: Moment,
) -> Option<Fault> {
    let effective = authority.grants.effective(&run.answering);
    let granted = effective.respond(moment.now_ms);
    let nothing = Flow::default();
    let flow = granted.as_ref().map_or(&nothing, |fit| fit.rule);
    let sink = Sink { flow, also: Tags::NONE, consequential: false, steering: &[] };
    flow_fault(&sink, args, decision, run.tenant())
}

/// Data of another tenant, or of several, may flow nowhere.
pub(crate) fn tenant_fault(args: &Labels, decision: Label, tenant: Tenant) -> Option<Fault> {
    let foreign = |label: Label| label.tenant != Tenant::NONE && label.tenant != tenant;
    fault(Rule::ForeignTenant, args, decision, foreign)
}

fn clearance_fault(sink: &Sink<'_>, args: &Labels, decision: Label) -> Option<Fault> {
    let allowed = sink.flow.clearance.with(sink.also);
    fault(Rule::Clearance, args, decision, |label| !label.tags.within(allowed))
}

fn integrity_fault(sink: &Sink<'_>, args: &Labels, decision: Label) -> Option<Fault> {
    if !sink.consequential || !(args.all().untrusted || decision.untrusted) {
        return None;
    }
    let at = |path: Vec<Seg>| {
        let found = args.at(&path).find(&|label| label.untrusted)?;
        let (below, label) = found;
        Some(Fault { rule: Rule::UntrustedArgument, path: path.into_iter().chain(below).collect(), label })
    };
    let steering = sink.steering.iter().find_map(|name| at(parse_path(name)));
    let arguments = || match &sink.flow.trusted {
        Trusted::All => at(Vec::new()),
        Trusted::Paths(paths) => paths.iter().find_map(|path| at(path.clone())),
    };
    let decided = || {
        decision.untrusted.then(|| Fault { rule: Rule::UntrustedDecision, path: Vec::new(), label: decision })
    };
    steering.or_else(arguments).or_else(decided)
}

fn fault(rule: Rule, args: &Labels, decision: Label, bad: impl Fn(Label) -> bool) -> Option<Fault> {
    if !bad(args.all()) && !bad(decision) {
        return None;
    }
    let (path, label) = args.find(&bad).unwrap_or((Vec::new(), decision));
    Some(Fault { rule, path, label })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::TagTable;

    /// What the rules say, written down the slow way.
    fn naive(sink: &Sink<'_>, a: Label, b: Label, decision: Label, tenant: Tenant) -> Option<Rule> {
        for label in [a, b, decision] {
            if label.tenant != Tenant::NONE && label.tenant != tenant {
                return Some(Rule::ForeignTenant);
            }
        }
        // `all` of a map whose members belong to two tenants is mixed, even where each member alone would pass.
        if a.join(b).tenant == Tenant::MIXED {
            return Some(Rule::ForeignTenant);
        }
        for label in [a, b, decision] {
            for tag in tags(label.tags) {
                if !tags(sink.flow.clearance).contains(&tag) && !tags(sink.also).contains(&tag) {
                    return Some(Rule::Clearance);
                }
            }
        }
        if !sink.consequential {
            return None;
        }
        let must = |name: &str| {
            sink.steering.contains(&name)
                || match &sink.flow.trusted {
                    Trusted::All => true,
                    Trusted::Paths(paths) => paths.contains(&parse_path(name)),
                }
        };
        if (must("a") && a.untrusted) || (must("b") && b.untrusted) {
            return Some(Rule::UntrustedArgument);
        }
        decision.untrusted.then_some(Rule::UntrustedDecision)
    }

    fn tags(tags: Tags) -> Vec<String> {
        table().names(tags).iter().map(|name| name.to_string()).collect()
    }

    fn table() -> TagTable {
        let mut table = TagTable::default();
        table.intern("x");
        table.intern("y");
        table
    }

    /// Every sink over two tags against every pair of argument labels and every decision: 1.3 million judgements.
    #[test]
    fn judgement_is_sound_and_complete_over_all_small_cases() {
        let table = table();
        let (x, y) = (table.find("x").unwrap(), table.find("y").unwrap());
        let sets = [Tags::NONE, x, y, x.with(y)];
        let tenants = [Tenant::NONE, Tenant::number(1).unwrap(), Tenant::number(2).unwrap(), Tenant::MIXED];
        let mut labels = Vec::new();
        for tags in sets {
            for tenant in tenants {
                for untrusted in [false, true] {
                    labels.push(Label { tags, tenant, untrusted, ..Label::BOTTOM });
                }
            }
        }
        let flows: Vec<Flow> = sets
            .iter()
            .flat_map(|clearance| {
                [Trusted::All, Trusted::Paths(vec![]), Trusted::Paths(vec![parse_path("a")])]
                    .map(|trusted| Flow { clearance: *clearance, trusted })
            })
            .collect();
        for flow in &flows {
            for (consequential, steering) in [(true, &["b"][..]), (true, &[][..]), (false, &[][..])] {
                let sink = Sink { flow, also: Tags::NONE, consequential, steering };
                for &a in &labels {
                    for &b in &labels {
                        let args =
                            Labels::keys(Label::BOTTOM, [("a".into(), a.into()), ("b".into(), b.into())]);
                        for &decision in &labels {
                            let judged = flow_fault(&sink, &args, decision, tenants[1]);
                            let expected = naive(&sink, a, b, decision, tenants[1]);
                            assert_eq!(
                                judged.map(|fault| fault.rule),
                                expected,
                                "{sink:?} {a:?} {b:?} {decision:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_fault_names_the_argument() {
        let untrusted = Label { untrusted: true, ..Label::BOTTOM };
        let body = Labels::keys(Label::BOTTOM, [("iban".into(), untrusted.into())]);
        let args = Labels::keys(Label::BOTTOM, [("body".into(), body)]);
        let flow = Flow::default();
        let sink = Sink { flow: &flow, also: Tags::NONE, consequential: true, steering: &[] };
        let fault = flow_fault(&sink, &args, Label::BOTTOM, Tenant::NONE).unwrap();
        assert_eq!(crate::value::path_text(&fault.path), "body.iban");
    }
}
