//! Types that can never fit, before anything runs: what expressions do, held against what schemas say.

use super::{Detail, Link, Plan, Root};
use crate::expr::{Shape, Slot};
use crate::value::Str;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types that can never fit: what expressions do with what schemas say.
pub fn type_problems(
    plan: &Plan,
    secrets: &[Str],
    chains: &dyn Fn(&str) -> Option<Arc<Plan>>,
) -> Vec<(crate::doc::Span, String)> {
    let mut problems = Vec::new();
    let known = secrets.iter().map(|name| (name.clone(), Shape::json_types(["string"])));
    let known = Shape::map_of(known.collect(), true);
    let outer = |root: &Root| if *root == Root::Secrets { known.clone() } else { Shape::ANY };
    types_of(plan, &outer, chains, &mut problems);
    problems
}

fn types_of(
    plan: &Plan,
    outer: &dyn Fn(&Root) -> Shape,
    chains: &dyn Fn(&str) -> Option<Arc<Plan>>,
    problems: &mut Vec<(crate::doc::Span, String)>,
) -> Shape {
    let mut shapes: BTreeMap<usize, Shape> = BTreeMap::new();
    for at in plan.graph.order() {
        let Some(link) = plan.link(at) else { continue };
        let root = |slot: Slot| match plan.root(slot) {
            Some(Root::Input) => plan.input.as_ref().map_or(Shape::ANY, |schema| schema.shape().clone()),
            Some(root) => outer(root),
            None => shapes.get(&(slot.0 as usize)).cloned().unwrap_or(Shape::ANY),
        };
        let with = link.with.shape(&root, problems);
        for expr in link.when.iter() {
            let shape = expr.shape(&root, problems);
            if !shape.meets(&Shape::bool()) {
                problems.push((
                    expr.span(),
                    format!("`when` must be true or false, and this is {}", shape.words()),
                ));
            }
        }
        let inner = |body: &Plan, local: Shape, problems: &mut Vec<_>| {
            let outer = |of: &Root| match of {
                Root::Outer(slot) => root(*slot),
                Root::Local(name) if &**name != "index" => local.clone(),
                Root::Local(_) => Shape::number(),
                Root::Secrets => outer(of),
                _ => Shape::ANY,
            };
            types_of(body, &outer, chains, problems)
        };
        let shape = match &link.detail {
            Detail::Each { over, body, .. } => {
                let range = over.shape(&root, problems);
                if !range.meets(&Shape::json_types(["array"])) {
                    problems
                        .push((over.span(), format!("`over` must be a list, and this is {}", range.words())));
                }
                Shape::list_of(inner(body, range.items(), problems))
            }
            Detail::Repeat { body, .. } => inner(body, Shape::ANY, problems),
            Detail::Choice { cases } => {
                let shapes: Vec<Shape> =
                    cases.iter().map(|case| inner(&case.body, Shape::ANY, problems)).collect();
                shapes.into_iter().reduce(|a, b| a.or(&b)).unwrap_or(Shape::ANY)
            }
            Detail::Chain { chain, .. } => chain_shape(chain, link, &with, chains, problems),
            Detail::Act(_) | Detail::Approve(_) | Detail::Validate(..) => {
                with.member("value").unwrap_or(Shape::ANY)
            }
            _ => Shape::ANY,
        };
        let shape = link.promises().fold(shape, |_, schema| schema.shape().clone());
        shapes.insert(
            at,
            link.fallback
                .as_ref()
                .map_or(shape.clone(), |fallback| shape.or(&fallback.shape(&root, problems))),
        );
    }
    let root = |slot: Slot| match plan.root(slot) {
        Some(Root::Input) => plan.input.as_ref().map_or(Shape::ANY, |schema| schema.shape().clone()),
        Some(root) => outer(root),
        None => shapes.get(&(slot.0 as usize)).cloned().unwrap_or(Shape::ANY),
    };
    plan.output.shape(&root, problems)
}

fn chain_shape(
    chain: &str,
    link: &Link,
    with: &Shape,
    chains: &dyn Fn(&str) -> Option<Arc<Plan>>,
    problems: &mut Vec<(crate::doc::Span, String)>,
) -> Shape {
    let Some(plan) = chains(chain) else { return Shape::ANY };
    let wanted = plan.input.as_ref().map_or(Shape::ANY, |schema| schema.shape().clone());
    if let Some(message) = wanted.refuses(with) {
        problems.push((link.with.span(), format!("chain `{chain}` cannot take this: {message}")));
    }
    plan.returns.as_ref().map_or(Shape::ANY, |schema| schema.shape().clone())
}
