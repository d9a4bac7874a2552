//! What rules see in files, whoever asks: of programs of Python together, since data goes from one to another; of
//! every other file for itself. Which of it is a finding is decided afterwards.

use crate::data;
use crate::file::{Format, Looked};
use crate::finding::FlowStep;
use crate::flow::{self, Arrival};
use crate::hands::{Hands, gather};
use crate::python::{self, Hits, Index, LOOKS, Program};
use crate::rule::{Hit, Look, ReviewRule};
use crate::rules::RULES;
use foldhash::HashSet;
use std::sync::Arc;

/// One thing that a rule saw.
pub(crate) struct Sight {
    pub(crate) rule: &'static ReviewRule,
    pub(crate) file: Arc<Looked>,
    pub(crate) hit: Hit,
    pub(crate) steps: Vec<FlowStep>,
}

impl Sight {
    pub(crate) fn new(rule: &'static ReviewRule, file: &Arc<Looked>, hit: Hit) -> Sight {
        Sight { rule, file: file.clone(), hit, steps: Vec::new() }
    }
}

/// What was seen, and what could not be looked at: the file, the line and why.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sights: Vec<Sight>,
    pub(crate) unread: Vec<(String, usize, String)>,
}

impl Seen {
    fn hits(&mut self, file: &Arc<Looked>, hits: Hits) {
        self.sights.extend(hits.into_iter().map(|(rule, hit)| Sight::new(rule, file, hit)));
    }
}

/// Folders that packages lie in: what is imported is named from there, wherever a review begins.
struct Roots<'f>(HashSet<&'f str>);

impl<'f> Roots<'f> {
    fn of(files: &'f [Arc<Looked>]) -> Roots<'f> {
        Roots(files.iter().filter_map(|file| file.path().strip_suffix("/__init__.py")).collect())
    }

    /// What comes before the outermost package of a path.
    fn root<'p>(&self, path: &'p str) -> &'p str {
        let mut folders = path.match_indices('/').map(|(at, _)| path.get(..at).unwrap_or_default());
        let package = folders.find(|folder| self.0.contains(folder));
        let end = package.and_then(|package| package.rfind('/')).map_or(0, |at| at + 1);
        path.get(..end).unwrap_or_default()
    }
}

/// All programs of a review.
pub(crate) fn programs(files: &[Arc<Looked>], hands: &dyn Hands) -> Seen {
    let mut seen = Seen::default();
    let roots = Roots::of(files);
    let parsed = gather(hands, files.len(), |at| {
        files.get(at).map(|file| Program::parse(file, roots.root(file.path())))
    });
    let mut programs = Vec::new();
    for (file, parsed) in files.iter().zip(parsed) {
        seen.hits(file, whole(file));
        match parsed {
            Some(Ok(program)) => programs.push(program),
            Some(Err((span, why))) => {
                seen.unread.push((file.path().to_string(), file.lines.line(span.start), why));
            }
            None => {}
        }
    }
    let index = Index::new(&programs);
    let walked = gather(hands, programs.len(), |at| {
        programs.get(at).map_or_else(Hits::new, |program| python::walk(&index, program))
    });
    programs.iter().zip(walked).for_each(|(program, hits)| seen.hits(&program.file, hits));
    let flows = flow::follow(&index, hands);
    seen.sights.extend(flows.arrivals.iter().filter_map(|one| arrival(&programs, one)));
    for (program, at, what) in flows.cut {
        let Some(file) = programs.get(program).map(|program| &program.file) else { continue };
        let why = format!("data {what} is not followed to the end: it takes more steps than there are");
        seen.unread.push((file.path().to_string(), file.lines.line(at.start), why));
    }
    seen
}

/// One file that is no program.
pub(crate) fn alone(file: &Arc<Looked>) -> Seen {
    let mut seen = Seen::default();
    seen.hits(file, whole(file));
    if matches!(file.format, Format::Yaml | Format::Json | Format::Toml) {
        match data::parse(file) {
            Ok(node) => seen.hits(file, data::walk(file, &node)),
            Err((span, why)) => {
                seen.unread.push((file.path().to_string(), file.lines.line(span.start), why));
            }
        }
    }
    seen
}

fn whole(file: &Looked) -> Hits {
    let hits = LOOKS.files.iter().flat_map(|(rule, look)| look(file).into_iter().map(|hit| (*rule, hit)));
    hits.collect()
}

fn arrival(programs: &[Program], arrival: &Arrival) -> Option<Sight> {
    let certainty = match arrival.from {
        Some(origin) => arrival.sink.harm(origin),
        None => arrival.sink.open(arrival.part, arrival.named),
    }?;
    let rule = rule_of(arrival)?;
    let file = &programs.get(arrival.at.0)?.file;
    let what = match arrival.from {
        Some(origin) => format!("{} comes to {}", origin.words(), arrival.sink.words()),
        None if arrival.part => format!("what callers give is put into {}", arrival.sink.words()),
        None => format!("what callers give is {}", arrival.sink.words()),
    };
    let steps = arrival.steps().into_iter().filter_map(|(program, span, note)| {
        let source = programs.get(program)?.file.source.clone();
        Some(FlowStep { source, span, note: note.to_string() })
    });
    let steps = steps.collect();
    Some(Sight { steps, ..Sight::new(rule, file, Hit::new(arrival.at.1, certainty, what)) })
}

/// The rule that says most of it.
fn rule_of(arrival: &Arrival) -> Option<&'static ReviewRule> {
    let of =
        |wanted: &dyn Fn(&Look) -> bool| RULES.iter().find(|rule| rule.looks.iter().any(wanted)).copied();
    let special = arrival.from.and_then(|from| {
        of(&|look| matches!(look, Look::FlowOf(origin, sink) if *origin == from && *sink == arrival.sink))
    });
    special.or_else(|| of(&|look| matches!(look, Look::Flow(sink) if *sink == arrival.sink)))
}
