//! The folder of an editor and the texts in it that are open: what was found there, and what the editor is told of it.
//! Open texts stand in for those on disk, so that what one file does to another shows before anything is saved.

use super::checked;
use super::text::{Position, path, range, uri};
use crate::commands::review::{files, projects, today};
use ringmail_engine::core::doc::{Problem, Span};
use ringmail_engine::core::value::Value;
use ringmail_review::{Finding, Grade, Review, Terms, TextFile, is_read, review, rule_page};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Larger workspaces are looked at whole when something is saved, and file by file while somebody types.
const TYPED_BYTES_MAX: usize = 8 << 20;

pub(super) struct Workspace {
    /// Nothing if no folder is open: each text is for itself then.
    root: Option<PathBuf>,
    open: BTreeMap<PathBuf, String>,
    /// The files of the folder, as they were read last.
    disk: BTreeMap<PathBuf, String>,
    /// The disk is to be read again.
    stale: bool,
    /// Something changed since it was looked at.
    dirty: bool,
    found: Vec<(PathBuf, Finding)>,
    problems: Vec<Told>,
    /// Whom the editor was told of, to take it back.
    told: BTreeSet<PathBuf>,
}

/// Something that is not a finding of a rule.
struct Told {
    path: PathBuf,
    span: Span,
    message: String,
    severity: i64,
    source: &'static str,
}

impl Workspace {
    pub(super) fn of(root: Option<PathBuf>) -> Workspace {
        Workspace {
            root,
            open: BTreeMap::new(),
            disk: BTreeMap::new(),
            stale: true,
            dirty: false,
            found: Vec::new(),
            problems: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    pub(super) fn open(&mut self, path: PathBuf, text: String) {
        self.open.insert(path, text);
        (self.stale, self.dirty) = (true, true);
    }

    pub(super) fn change(&mut self, path: PathBuf, text: String) {
        if let Some(known) = self.open.get_mut(&path) {
            *known = text;
            self.dirty = true;
        }
    }

    pub(super) fn saved(&mut self) {
        (self.stale, self.dirty) = (true, true);
    }

    pub(super) fn close(&mut self, path: &Path) {
        self.open.remove(path);
        (self.stale, self.dirty) = (true, true);
    }

    /// Looks again if anything changed; the diagnostics of every file that has some or had some.
    pub(super) fn look(&mut self) -> Vec<Value> {
        if !std::mem::take(&mut self.dirty) {
            return Vec::new();
        }
        let fresh = std::mem::take(&mut self.stale);
        if fresh {
            self.read();
        }
        let large = self.disk.values().map(String::len).sum::<usize>() > TYPED_BYTES_MAX;
        let texts = self.texts(large && !fresh);
        let done = review(texts, &Terms { today: today(), ..Terms::default() }, &files::Threads);
        self.keep(done, large && !fresh);
        self.publish()
    }

    fn read(&mut self) {
        let Some(root) = &self.root else { return };
        let read = files::below(root);
        self.disk = read.into_iter().map(|file| (PathBuf::from(file.path), file.text)).collect();
    }

    /// What is looked at: everything, or only what is open.
    fn texts(&self, typed: bool) -> Vec<TextFile> {
        let name = |path: &Path| self.name(path);
        let open = self.open.iter();
        let disk = self.disk.iter().filter(|(path, _)| !typed && !self.open.contains_key(*path));
        let all = open.chain(disk).filter(|(path, _)| is_read(&name(path)));
        all.map(|(path, text)| TextFile { path: name(path), text: text.clone() }).collect()
    }

    /// As it is called below the folder, which is what modules are called by.
    fn name(&self, path: &Path) -> String {
        let below = self.root.as_ref().and_then(|root| path.strip_prefix(root).ok());
        files::shown(below.unwrap_or(path))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.root.as_ref().map_or_else(|| PathBuf::from(name), |root| root.join(name))
    }

    fn keep(&mut self, done: Review, typed: bool) {
        if typed {
            self.found.retain(|(path, _)| !self.open.contains_key(path));
            self.problems.retain(|told| !self.open.contains_key(&told.path));
        } else {
            self.found.clear();
            self.problems.clear();
        }
        let unread = done.unread.into_iter().map(|(name, line, why)| {
            let path = self.place(&name);
            let span = self.text(&path).map_or_else(Span::default, |text| line_span(text, line));
            Told {
                path,
                span,
                message: format!("not reviewed: {why}"),
                severity: 3,
                source: "ringmail review",
            }
        });
        let unread: Vec<Told> = unread.collect();
        self.problems.extend(unread);
        let found: Vec<(PathBuf, Finding)> =
            done.findings.into_iter().map(|finding| (self.place(finding.path()), finding)).collect();
        self.found.extend(found);
        let roots: BTreeSet<PathBuf> = self.projects();
        for root in roots {
            let unloaded = checked::unloaded(&root);
            let problems = if unloaded.is_empty() { checked::problems(&root, &self.open) } else { unloaded };
            self.problems.retain(|told| told.source != "ringmail check" || !told.path.starts_with(&root));
            self.problems.extend(problems.into_iter().filter_map(told));
        }
    }

    /// The folders of projects that have a file open.
    fn projects(&self) -> BTreeSet<PathBuf> {
        let folders = self.open.keys().filter_map(|path| projects::around(path));
        folders.collect()
    }

    fn text(&self, path: &Path) -> Option<&String> {
        self.open.get(path).or_else(|| self.disk.get(path))
    }

    fn publish(&mut self) -> Vec<Value> {
        let mut all: BTreeMap<PathBuf, Vec<Value>> = BTreeMap::new();
        for path in &self.told {
            all.entry(path.clone()).or_default();
        }
        for (path, finding) in &self.found {
            let diagnostic = self.finding(finding);
            all.entry(path.clone()).or_default().push(diagnostic);
        }
        for told in &self.problems {
            let Some(text) =
                self.text(&told.path).cloned().or_else(|| std::fs::read_to_string(&told.path).ok())
            else {
                continue;
            };
            let diagnostic = Value::map([
                ("range", range(&text, told.span)),
                ("severity", Value::Int(told.severity)),
                ("source", Value::from(told.source)),
                ("message", Value::from(told.message.as_str())),
            ]);
            all.entry(told.path.clone()).or_default().push(diagnostic);
        }
        self.told = all.iter().filter(|(_, list)| !list.is_empty()).map(|(path, _)| path.clone()).collect();
        let one = |(path, list): (PathBuf, Vec<Value>)| {
            Value::map([("uri", Value::from(uri(&path))), ("diagnostics", Value::list(list))])
        };
        all.into_iter().map(one).collect()
    }

    fn finding(&self, finding: &Finding) -> Value {
        let steps = finding.steps.iter().map(|step| {
            let path = self.place(&step.source.name);
            let place = [("uri", Value::from(uri(&path))), ("range", range(&step.source.text, step.span))];
            Value::map([("location", Value::map(place)), ("message", Value::from(step.note.as_str()))])
        });
        let severity = if finding.grade() == Grade::Medium { 2 } else { 1 };
        Value::map([
            ("range", range(&finding.source.text, finding.span)),
            ("severity", Value::Int(severity)),
            ("code", Value::from(finding.rule.id)),
            ("source", Value::from("ringmail review")),
            ("message", Value::from(format!("{}; {}", finding.message, finding.rule.mend))),
            ("relatedInformation", Value::list(steps)),
        ])
    }

    /// Findings of a file that lie in a range.
    fn within(&self, params: &Value, ends: impl Fn(&Value) -> Option<(Position, Position)>) -> Vec<&Finding> {
        let asked = || Some((path(params.get("textDocument")?.get("uri")?.as_str()?)?, ends(params)?));
        let Some((path, (from, to))) = asked() else { return Vec::new() };
        let touches = |finding: &Finding| {
            let text = &finding.source.text;
            let (start, end) = (Position::of(text, finding.span.start), Position::of(text, finding.span.end));
            start <= to && from <= end
        };
        let all = self.found.iter().filter(|(known, finding)| *known == path && touches(finding));
        all.map(|(_, finding)| finding).collect()
    }

    /// What `--fix` would write.
    pub(super) fn actions(&self, params: &Value) -> Value {
        let ends = |params: &Value| {
            let range = params.get("range")?;
            Some((Position::read(range.get("start")?)?, Position::read(range.get("end")?)?))
        };
        let mendable = self.within(params, ends).into_iter().filter(|finding| !finding.edits.is_empty());
        Value::list(mendable.map(|finding| {
            let text = &finding.source.text;
            let edits = finding.edits.iter().map(|edit| {
                Value::map([("range", range(text, edit.span)), ("newText", Value::from(edit.text.as_str()))])
            });
            let changes = [(uri(&self.place(finding.path())), Value::list(edits))];
            Value::map([
                ("title", Value::from(format!("{} ({})", finding.rule.mend, finding.rule.id))),
                ("kind", Value::from("quickfix")),
                ("diagnostics", Value::list([self.finding(finding)])),
                ("edit", Value::map([("changes", Value::map(changes))])),
            ])
        }))
    }

    /// The page of the rules whose findings stand there.
    pub(super) fn hover(&self, params: &Value) -> Value {
        let ends = |params: &Value| {
            let at = Position::read(params.get("position")?)?;
            Some((at, at))
        };
        let found = self.within(params, ends);
        let pages: Vec<String> = found.iter().map(|finding| rule_page(finding.rule)).collect();
        if pages.is_empty() {
            return Value::Null;
        }
        let contents = [("kind", Value::from("markdown")), ("value", Value::from(pages.join("\n---\n")))];
        Value::map([("contents", Value::map(contents))])
    }
}

fn told(problem: Problem) -> Option<Told> {
    let spot = problem.spot?;
    let message = match &problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message,
    };
    let (path, span) = (PathBuf::from(&spot.source.name), spot.span);
    Some(Told { path, span, message, severity: 1, source: "ringmail check" })
}

/// A line of a text, from 1, without its end.
fn line_span(text: &str, line: usize) -> Span {
    let mut start = 0;
    for (at, one) in text.split('\n').enumerate() {
        if at + 1 == line {
            return Span { start, end: start + one.len() };
        }
        start += one.len() + 1;
    }
    Span::default()
}
