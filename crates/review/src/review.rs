//! The whole of a review: files are read, programs are followed, every rule looks, and what was allowed, is known
//! already or was not asked for is left out.

use crate::allow;
use crate::baseline::Baseline;
use crate::data;
use crate::file::{Format, Looked, TextFile};
use crate::finding::{Certainty, Finding, FlowStep};
use crate::flow::{self, Arrival};
use crate::hands::{Hands, gather};
use crate::python::{self, Hits, Index, LOOKS, Program};
use crate::rule::{Area, Grade, Hit, Look, ReviewRule};
use crate::rules::{RULES, vulnerable};
use foldhash::{HashMap, HashMapExt};
use ringmail_core::doc::{Node, Span};
use ringmail_core::package::{Advisory, Part};
use std::sync::Arc;

/// More findings than these in one file tell nobody more; the worst come first.
const FINDINGS_MAX: usize = 500;

/// What is asked of a review.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The day it is, as `2026-12-31`: allowances end.
    pub today: String,
    /// None for all.
    pub areas: Vec<Area>,
    pub grade_min: Grade,
    pub certainty_min: Certainty,
    /// What is known of packages.
    pub advisories: Vec<Advisory>,
    /// Where lines changed, by path, first and last; only findings there count.
    pub changed: Option<Vec<(String, usize, usize)>>,
    pub baseline: Option<Baseline>,
    /// What needs more than texts to be seen.
    pub told: Vec<SeenElsewhere>,
    /// Whether code of tests is held to all rules.
    pub tests: bool,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            today: "1970-01-01".into(),
            areas: Vec::new(),
            grade_min: Grade::Medium,
            certainty_min: Certainty::Medium,
            advisories: Vec::new(),
            changed: None,
            baseline: None,
            told: Vec::new(),
            tests: false,
        }
    }
}

/// Something that whoever asks for a review saw by itself, in one of its files: a policy that matches nothing once the
/// project is loaded, a server that offers something else.
#[derive(Clone, Debug)]
pub struct SeenElsewhere {
    pub rule: &'static str,
    pub path: String,
    pub span: Span,
    pub message: String,
}

/// What a review found.
#[derive(Clone, Debug, Default)]
pub struct Review {
    /// Worst first.
    pub findings: Vec<Finding>,
    /// Files that could not be looked at, with the line and why.
    pub unread: Vec<(String, usize, String)>,
    pub files: usize,
    pub lines: usize,
    /// How many were allowed in the code, and how many the baseline knows.
    pub allowed: usize,
    pub known: usize,
}

/// The packages that files pin: what advisories are wanted about.
pub fn packages(files: &[TextFile]) -> Vec<Part> {
    let mut out = Vec::new();
    for file in files.iter().filter(|file| vulnerable::pins(&file.path)) {
        if let Some(file) = Looked::new(file.clone()) {
            // One that cannot be read is told where it is reviewed.
            let node = data::parse(&file).ok();
            out.extend(vulnerable::parts(&file, node.as_ref()).into_iter().map(|(part, _)| part));
        }
    }
    out
}

enum Parsed {
    Program(Program),
    Document(Node),
    Lines,
    Not(Span, String),
}

pub fn review(files: Vec<TextFile>, ask: &Terms, hands: &dyn Hands) -> Review {
    let files: Vec<Arc<Looked>> = files.into_iter().filter_map(Looked::new).map(Arc::new).collect();
    let mut done = Review { files: files.len(), ..Review::default() };
    done.lines = files.iter().map(|file| file.lines.count()).sum();
    let parsed = gather(hands, files.len(), |at| files.get(at).map_or(Parsed::Lines, parse));
    let (mut programs, mut documents) = (Vec::new(), Vec::new());
    for (file, parsed) in files.iter().zip(parsed) {
        match parsed {
            Parsed::Program(program) => programs.push(program),
            Parsed::Document(node) => documents.push((file, node)),
            Parsed::Lines => {}
            Parsed::Not(span, why) => {
                done.unread.push((file.path().to_string(), file.lines.line(span.start), why));
            }
        }
    }
    let mut drafts = Drafts::default();
    for file in &files {
        for (rule, look) in &LOOKS.files {
            look(file).into_iter().for_each(|hit| drafts.hit(rule, file, hit));
        }
    }
    let index = Index::new(&programs);
    let walked = gather(hands, programs.len(), |at| {
        programs.get(at).map_or_else(Hits::new, |program| python::walk(&index, program))
    });
    for (program, hits) in programs.iter().zip(walked) {
        hits.into_iter().for_each(|(rule, hit)| drafts.hit(rule, &program.file, hit));
    }
    let flows = flow::follow(&index, hands);
    flows.arrivals.iter().for_each(|arrival| drafts.arrival(&programs, arrival));
    for (program, at, what) in flows.cut {
        let Some(file) = programs.get(program).map(|program| &program.file) else { continue };
        let why = format!("data {what} is not followed to the end: it takes more steps than there are");
        done.unread.push((file.path().to_string(), file.lines.line(at.start), why));
    }
    for (file, node) in &documents {
        data::walk(file, node).into_iter().for_each(|(rule, hit)| drafts.hit(rule, file, hit));
    }
    let nodes: HashMap<&str, &Node> = documents.iter().map(|(file, node)| (file.path(), node)).collect();
    for file in &files {
        let node = nodes.get(file.path()).copied();
        let hits = vulnerable::hits(file, node, &ask.advisories);
        hits.into_iter().for_each(|hit| drafts.hit(&vulnerable::RULE, file, hit));
    }
    for told in &ask.told {
        let file = files.iter().find(|file| file.path() == told.path);
        let rule = RULES.iter().find(|rule| rule.id == told.rule);
        if let (Some(file), Some(rule)) = (file, rule) {
            drafts.hit(rule, file, Hit::high(told.span, told.message.as_str()));
        }
    }
    finish(drafts, &files, ask, done)
}

fn parse(file: &Arc<Looked>) -> Parsed {
    match file.format {
        Format::Python => {
            Program::parse(file).map_or_else(|(span, why)| Parsed::Not(span, why), Parsed::Program)
        }
        Format::Yaml | Format::Json | Format::Toml => {
            data::parse(file).map_or_else(|(span, why)| Parsed::Not(span, why), Parsed::Document)
        }
        Format::Docker | Format::Requirements | Format::Lines => Parsed::Lines,
    }
}

struct Draft {
    file: Arc<Looked>,
    hit: Hit,
    steps: Vec<FlowStep>,
}

/// What was found so far: one of a rule at a place, the surest.
#[derive(Default)]
struct Drafts {
    all: HashMap<(&'static str, String, usize), (&'static ReviewRule, Draft)>,
}

impl Drafts {
    fn hit(&mut self, rule: &'static ReviewRule, file: &Arc<Looked>, hit: Hit) {
        self.add(rule, Draft { file: file.clone(), hit, steps: Vec::new() });
    }

    fn add(&mut self, rule: &'static ReviewRule, mut draft: Draft) {
        // One rule says a thing once a line.
        let line = draft.file.lines.line(draft.hit.span.start);
        let key = (rule.id, draft.file.path().to_string(), line);
        let better = self.all.get(&key).is_none_or(|(_, known)| {
            (draft.hit.certainty, !draft.steps.is_empty()) > (known.hit.certainty, !known.steps.is_empty())
        });
        if better {
            if let Some((_, known)) = self.all.remove(&key)
                && draft.hit.edits.is_empty()
            {
                draft.hit.edits = known.hit.edits;
            }
            self.all.insert(key, (rule, draft));
        }
    }

    fn arrival(&mut self, programs: &[Program], arrival: &Arrival) {
        let certainty = match arrival.from {
            Some(origin) => arrival.sink.harm(origin),
            None => arrival.sink.open(arrival.part),
        };
        let rule = rule_of(arrival);
        let (Some(certainty), Some(rule)) = (certainty, rule) else { return };
        let Some(file) = programs.get(arrival.at.0).map(|program| &program.file) else { return };
        let what = match arrival.from {
            Some(origin) => format!("{} comes to {}", origin.words(), arrival.sink.words()),
            None if arrival.part => format!("what callers give is put into {}", arrival.sink.words()),
            None => format!("what callers give is {}", arrival.sink.words()),
        };
        let steps = arrival.steps().into_iter().filter_map(|(program, span, note)| {
            let source = programs.get(program)?.file.source.clone();
            Some(FlowStep { source, span, note: note.to_string() })
        });
        let hit = Hit::new(arrival.at.1, certainty, what);
        self.add(rule, Draft { file: file.clone(), hit, steps: steps.collect() });
    }
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

fn finish(drafts: Drafts, files: &[Arc<Looked>], ask: &Terms, mut done: Review) -> Review {
    let mut all: Vec<(&'static ReviewRule, Draft)> = drafts.all.into_values().collect();
    all.sort_by(|(rule, one), (other, two)| {
        let place = |draft: &Draft| (draft.file.path().to_string(), draft.hit.span.start);
        (rule.area, place(one), rule.id).cmp(&(other.area, place(two), other.id))
    });
    let mut allowances: HashMap<&str, allow::Allowances> = HashMap::new();
    for file in files {
        allowances.insert(file.path(), allow::Allowances::read(file, &ask.today));
    }
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut findings = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (rule, draft) in all {
        let (test, line) = (draft.file.test, draft.file.lines.line(draft.hit.span.start));
        let finding = finding(rule, draft, &mut seen);
        if !wanted(&finding, ask, test) {
            continue;
        }
        let count = counts.entry(finding.path().to_string()).or_default();
        *count += 1;
        if *count == FINDINGS_MAX + 1 {
            let why = format!("there are more than {FINDINGS_MAX} findings; the others are left out");
            done.unread.push((finding.path().to_string(), line, why));
        }
        if *count > FINDINGS_MAX {
            continue;
        }
        let allowed = allowances.get_mut(finding.path()).is_some_and(|one| one.allow(rule.id, finding.line));
        let known = ask.baseline.as_ref().is_some_and(|baseline| baseline.knows(&finding.mark));
        match (allowed, known) {
            (true, _) => done.allowed += 1,
            (false, true) => done.known += 1,
            (false, false) => findings.push(finding),
        }
    }
    for file in files {
        let Some(wrong) = allowances.remove(file.path()).map(|one| one.wrong) else { continue };
        for hit in wrong {
            let draft = Draft { file: file.clone(), hit, steps: Vec::new() };
            let finding = finding(&crate::rules::suppressed::RULE, draft, &mut seen);
            findings.extend(Some(finding).filter(|finding| wanted(finding, ask, file.test)));
        }
    }
    findings.sort_by(|one, two| two.grade().cmp(&one.grade()).then(one.rule.area.cmp(&two.rule.area)));
    done.findings = findings;
    done
}

fn finding(rule: &'static ReviewRule, draft: Draft, seen: &mut HashMap<u64, u32>) -> Finding {
    let Draft { file, hit, steps } = draft;
    let line = file.lines.line(hit.span.start);
    let before = file.text().get(file.lines.start(line)..hit.span.start).unwrap_or_default();
    let text = file.lines.text(file.text(), line).trim();
    let hash = Baseline::hash(&[rule.id, file.path(), text]);
    let again = seen.entry(hash).or_default();
    *again += 1;
    let mark = format!("{hash:016x}-{again}");
    Finding {
        rule,
        line,
        column: before.chars().count() + 1,
        source: file.source.clone(),
        span: hit.span,
        message: hit.message,
        certainty: hit.certainty,
        steps,
        edits: hit.edits,
        mark,
    }
}

fn wanted(finding: &Finding, ask: &Terms, test: bool) -> bool {
    let area = ask.areas.is_empty() || ask.areas.contains(&finding.rule.area);
    let bad = finding.grade() >= ask.grade_min && finding.certainty >= ask.certainty_min;
    let changed = ask.changed.as_ref().is_none_or(|changed| {
        changed.iter().any(|(path, from, to)| path == finding.path() && (*from..=*to).contains(&finding.line))
    });
    let leaks = finding.rule.area == Area::Credentials
        && finding.certainty == Certainty::High
        && finding.steps.is_empty();
    area && bad && changed && (ask.tests || leaks || !test)
}
