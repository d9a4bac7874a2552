//! Where a failed link stands, as closely as the failure tells: the innermost link, and the place in an expression.

use ringmail_engine::Checked;
use ringmail_engine::core::chain::Plan;
use ringmail_engine::core::doc::{Problem, Span, Spot};
use std::sync::Arc;

/// A failure of a link as a problem in the chain's file; `message` as the engine words it.
pub(crate) fn problem(checked: &Checked, link: &str, message: &str, help: Option<String>) -> Problem {
    let known =
        |name: &str| checked.plans.iter().any(|plan| *plan.name == *name || plan.find(name).is_some());
    let (inner, rest) = innermost(link, message, &known);
    let plan = checked.plans.iter().find(|plan| *plan.name == *inner || plan.find(inner).is_some());
    let spot = plan.and_then(|plan| place(plan, rest).or_else(|| plan.spot(plan.find(inner)?.span)));
    Problem { spot, message: format!("`{inner}` failed: {rest}"), help }
}

/// A failure that came out of a body or another chain names the link it came from in front.
fn innermost<'t>(link: &'t str, message: &'t str, known: &dyn Fn(&str) -> bool) -> (&'t str, &'t str) {
    let (kind, said) = message.split_once(": ").unwrap_or(("", message));
    let (mut link, mut rest, mut said) = (link, message, said);
    while let Some((name, inner)) = said.strip_prefix('`').and_then(|text| text.split_once("`: ")) {
        if !known(name) || kind.contains(' ') {
            break;
        }
        (link, rest, said) = (name, inner, inner);
    }
    (link, rest)
}

/// The place that an expression's failure names: `` `with` at 3:14: `` and what is wrong there.
fn place(plan: &Arc<Plan>, message: &str) -> Option<Spot> {
    let (_, after) = message.split_once("` at ")?;
    let (line, rest) = after.split_once(':')?;
    let (column, _) = rest.split_once(':')?;
    let (line, column) = (line.parse::<usize>().ok()?, column.parse::<usize>().ok()?);
    let text = &plan.source.text;
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let within = text.get(start..)?.char_indices().nth(column.checked_sub(1)?)?;
    let start = start + within.0;
    plan.spot(Span { start, end: start + within.1.len_utf8() })
}
