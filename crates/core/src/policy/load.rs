//! Policy files: read, refused where Cedar could not bear them, validated against the published schema.

use super::{Known, Reads, SCHEMA};
use crate::doc::{Problems, Source, Span, Spot, suggest};
use cedar_policy::{
    EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationError, ValidationMode, Validator,
};
use std::str::FromStr;
use std::sync::Arc;

/// Brackets within brackets, and operators in one policy, that Cedar is given: it works itself down into both, and a
/// stack that ends takes the process with it.
const NESTING_MAX: usize = 24;
const OPERATORS_MAX: usize = 100;

/// The first place that is too deep, with what is wrong there.
fn too_deep(text: &str) -> Option<(Span, String)> {
    let (mut nesting, mut operators, mut quoted) = (0_usize, 0_usize, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quoted => {
                chars.next();
            }
            '"' => quoted = !quoted,
            _ if quoted => {}
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            '(' | '[' | '{' => nesting += 1,
            ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
            ';' => operators = 0,
            '|' | '&' | '+' | '-' | '*' | '!' | '.' | '<' | '>' | '=' => operators += 1,
            'i' if text.get(at..).is_some_and(|rest| rest.starts_with("if ") || rest.starts_with("if(")) => {
                operators += 1
            }
            _ => {}
        }
        let span = Span { start: at, end: at + c.len_utf8() };
        if nesting > NESTING_MAX {
            return Some((span, format!("brackets stand more than {NESTING_MAX} deep")));
        }
        // Operators of two characters count twice.
        if operators > 2 * OPERATORS_MAX {
            return Some((span, format!("a policy has more than {OPERATORS_MAX} operators")));
        }
    }
    None
}

pub(super) fn load_file(file: &Arc<Source>, policies: &mut Vec<Known>, problems: &mut Problems) {
    if let Some((span, message)) = too_deep(&file.text) {
        let help = "write it as several policies, or test a set: `[\"a\", \"b\"].contains(value)`";
        return problems.add_help(file, span, message, help);
    }
    let set = match PolicySet::from_str(&file.text) {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                let span = miette_span(error).unwrap_or_default();
                let problem = format!("not valid Cedar: {error}");
                match miette::Diagnostic::help(error) {
                    Some(help) => problems.add_help(file, span, problem, help.to_string()),
                    None => problems.add(file, span, problem),
                }
            }
            return;
        }
    };
    for template in set.templates() {
        problems.add(
            file,
            Span::default(),
            format!("`{}` is a template; write policies without slots", template.id()),
        );
    }
    let mut found: Vec<&Policy> = set.policies().collect();
    found.sort_by_key(|policy| {
        policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    });
    let mut from = 0;
    for (position, policy) in found.into_iter().enumerate() {
        let text = policy.to_cedar().unwrap_or_default();
        let start = file.text.get(from..).and_then(|rest| rest.find(&text)).map_or(from, |at| from + at);
        let span = Span { start, end: start + text.len() };
        from = span.end.min(file.text.len());
        let stem = file.name.rsplit('/').next().unwrap_or_default().trim_end_matches(".cedar");
        let id = policy.annotation("id").map_or_else(|| format!("{stem}-{}", position + 1), String::from);
        if policies.iter().any(|known| known.policy.id().to_string() == id) {
            problems.add(file, span, format!("two policies are called `{id}`"));
        }
        let json = policy.to_json().unwrap_or_default();
        let mut reads = Reads::default();
        reads.collect(&json);
        let spot = Spot { source: file.clone(), span };
        policies.push(Known { policy: policy.new_id(PolicyId::new(id)), spot, reads });
    }
}

pub(super) fn validate(policies: &[Known], problems: &mut Problems) {
    let schema = match Schema::from_cedarschema_str(SCHEMA) {
        Ok((schema, _)) => schema,
        Err(error) => return problems.add_bare(format!("the built-in policy schema does not load: {error}")),
    };
    let Ok(set) = PolicySet::from_policies(policies.iter().map(|known| known.policy.clone())) else { return };
    let mut actions: Vec<EntityUid> = schema.actions().cloned().collect();
    actions.sort();
    for error in Validator::new(schema).validate(&set, ValidationMode::Strict).validation_errors() {
        let known = policies.iter().find(|known| known.policy.id() == error.policy_id());
        let (message, help) = match (words(error), error) {
            // Cedar's own guess depends on chance.
            ((message, _), ValidationError::UnrecognizedActionId(_)) => {
                let help = action_like(&message, &actions);
                (message, Some(help))
            }
            (words, _) => words,
        };
        let Some(Spot { source, span }) = known.map(|known| &known.spot) else {
            problems.add_bare(message);
            continue;
        };
        // Cedar knows the place, but for what it read from elsewhere.
        let within = miette_span(error).filter(|inner| span.start <= inner.start && inner.end <= span.end);
        let span = within.unwrap_or(*span);
        match help {
            Some(help) => problems.add_help(source, span, message, help),
            None => problems.add(source, span, message),
        }
    }
}

/// The action that was meant by the one in `message`, or those that there are.
fn action_like(message: &str, actions: &[EntityUid]) -> String {
    let written = message.split('`').nth(1).and_then(|uid| uid.parse::<EntityUid>().ok());
    let names = || actions.iter().map(|action| action.id().unescaped());
    let near = written.and_then(|uid| suggest(uid.id().unescaped(), names()).map(String::from));
    match near.and_then(|near| actions.iter().find(|action| action.id().unescaped() == near)) {
        Some(action) => format!("did you mean `{action}`?"),
        None => format!("there are `{}`", names().collect::<Vec<_>>().join("`, `")),
    }
}

/// What Cedar says of a policy, without the policy's name in front, and what it advises.
pub(super) fn words(told: &(impl std::fmt::Display + miette::Diagnostic)) -> (String, Option<String>) {
    let message = told.to_string();
    let named = message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
    let message = named.map_or(message.as_str(), |(_, reason)| reason).to_string();
    (message, miette::Diagnostic::help(told).map(|help| help.to_string()))
}

fn miette_span(error: &impl miette::Diagnostic) -> Option<Span> {
    let label = error.labels()?.next()?;
    Some(Span { start: label.offset(), end: label.offset() + label.len() })
}
