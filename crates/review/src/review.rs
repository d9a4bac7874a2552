//! The whole of a review: files are read, programs are followed, every rule looks, and what was allowed, is known
//! already or was not asked for is left out.

use crate::allow;
use crate::baseline::Baseline;
use crate::data;
use crate::file::{Format, Looked, TextFile};
use crate::finding::{Certainty, Finding};
use crate::hands::{Hands, gather};
use crate::memory::{ReviewMemory, remembered};
use crate::rule::{Area, Grade, Hit};
use crate::rules::{RULES, suppressed, vulnerable};
use crate::seen::{self, Seen, Sight};
use foldhash::{HashMap, HashMapExt};
use ringmail_core::doc::Span;
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

pub fn review(files: Vec<TextFile>, ask: &Terms, hands: &dyn Hands) -> Review {
    with(files, ask, hands, None)
}

/// The same, by somebody who remembers what was seen before.
pub fn review_again(
    files: Vec<TextFile>,
    ask: &Terms,
    hands: &dyn Hands,
    memory: &dyn ReviewMemory,
) -> Review {
    with(files, ask, hands, Some(memory))
}

fn with(files: Vec<TextFile>, ask: &Terms, hands: &dyn Hands, memory: Option<&dyn ReviewMemory>) -> Review {
    let files: Vec<Arc<Looked>> = files.into_iter().filter_map(Looked::new).map(Arc::new).collect();
    let mut done = Review { files: files.len(), ..Review::default() };
    done.lines = files.iter().map(|file| file.lines.count()).sum();
    let (programs, others): (Vec<_>, Vec<_>) =
        files.iter().cloned().partition(|file| file.format == Format::Python);
    let together = remembered(memory, &programs, || seen::programs(&programs, hands));
    let apart = gather(hands, others.len(), |at| match others.get(at) {
        Some(file) => remembered(memory, std::slice::from_ref(file), || seen::alone(file)),
        None => Seen::default(),
    });
    let mut drafts = Drafts::default();
    for seen in std::iter::once(together).chain(apart) {
        done.unread.extend(seen.unread);
        seen.sights.into_iter().for_each(|sight| drafts.add(sight));
    }
    for file in others.iter().filter(|file| !ask.advisories.is_empty() && vulnerable::pins(file.path())) {
        let node = data::parse(file).ok();
        let hits = vulnerable::hits(file, node.as_ref(), &ask.advisories);
        hits.into_iter().for_each(|hit| drafts.add(Sight::new(&vulnerable::RULE, file, hit)));
    }
    for told in &ask.told {
        let file = files.iter().find(|file| file.path() == told.path);
        let rule = RULES.iter().find(|rule| rule.id == told.rule);
        if let (Some(file), Some(rule)) = (file, rule) {
            drafts.add(Sight::new(rule, file, Hit::high(told.span, told.message.as_str())));
        }
    }
    finish(drafts, &files, ask, done)
}

/// What was seen so far: one of a rule at a place, the surest.
#[derive(Default)]
struct Drafts {
    all: HashMap<(&'static str, String, usize), Sight>,
}

impl Drafts {
    fn add(&mut self, mut sight: Sight) {
        // One rule says a thing once a line.
        let line = sight.file.lines.line(sight.hit.span.start);
        let key = (sight.rule.id, sight.file.path().to_string(), line);
        let better = self.all.get(&key).is_none_or(|known| {
            (sight.hit.certainty, !sight.steps.is_empty()) > (known.hit.certainty, !known.steps.is_empty())
        });
        if better {
            if let Some(known) = self.all.remove(&key)
                && sight.hit.edits.is_empty()
            {
                sight.hit.edits = known.hit.edits;
            }
            self.all.insert(key, sight);
        }
    }
}

fn finish(drafts: Drafts, files: &[Arc<Looked>], ask: &Terms, mut done: Review) -> Review {
    let mut all: Vec<Sight> = drafts.all.into_values().collect();
    all.sort_by(|one, two| {
        let place = |sight: &Sight| (sight.file.path().to_string(), sight.hit.span.start);
        (one.rule.area, place(one), one.rule.id).cmp(&(two.rule.area, place(two), two.rule.id))
    });
    let mut allowances: HashMap<&str, allow::Allowances> = HashMap::new();
    for file in files {
        allowances.insert(file.path(), allow::Allowances::read(file, &ask.today));
    }
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut findings = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for sight in all {
        let (rule, test) = (sight.rule, sight.file.test);
        let line = sight.file.lines.line(sight.hit.span.start);
        let finding = finding(sight, &mut seen);
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
            let finding = finding(Sight::new(&suppressed::RULE, file, hit), &mut seen);
            findings.extend(Some(finding).filter(|finding| wanted(finding, ask, file.test)));
        }
    }
    findings.sort_by(|one, two| two.grade().cmp(&one.grade()).then(one.rule.area.cmp(&two.rule.area)));
    done.findings = findings;
    done
}

fn finding(sight: Sight, seen: &mut HashMap<u64, u32>) -> Finding {
    let Sight { rule, file, hit, steps } = sight;
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
