//! The progress tree: one line a link, redrawn in place while a run happens and left standing when it ends. Drawn
//! from the trail alone, so `explain` draws the same tree from a record.

use crate::terminal::{self, BLUE, DIM, GREEN, RED, YELLOW, clean, paint};
use ringmail_engine::Watch;
use ringmail_engine::core::trail::{Event, Stage};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines of the tree at most; a chain with more links shows the first.
const LINES_MAX: usize = 200;
/// Different notes shown of one link.
const NOTES_MAX: usize = 3;
const REDRAW: Duration = Duration::from_millis(80);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Running,
    Done,
    Refused,
    Failed,
    Skipped,
}

/// One link; in a body it may be called many times.
#[derive(Debug)]
struct Line {
    link: String,
    depth: usize,
    running: bool,
    done: u32,
    failed: u32,
    refused: u32,
    began_us: u64,
    took_us: u64,
    /// What happened, and how often.
    notes: Vec<(String, u32)>,
}

impl Line {
    /// What the line says of all calls together: that one went well outweighs that others did not.
    fn mark(&self) -> Mark {
        match self {
            Line { running: true, .. } => Mark::Running,
            Line { refused: 1.., .. } => Mark::Refused,
            Line { done: 1.., .. } => Mark::Done,
            Line { failed: 1.., .. } => Mark::Failed,
            _ => Mark::Skipped,
        }
    }
}

/// The state of all links of a run, in the order they came up.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    lines: Vec<Line>,
    cut: bool,
}

impl Tree {
    /// One stage as a record or the trail has it.
    pub(crate) fn stage(&mut self, link: &str, stage: &str, at_us: u64, note: Option<String>) {
        let Some(line) = self.line(link, at_us) else { return };
        match stage {
            "entered" => line.running = true,
            "admitted" => {
                line.running = true;
                line.began_us = at_us;
            }
            "released" | "reused" | "answered" | "endorsed" | "declassified" | "extracted" | "fell-back" => {
                line.running = false;
                line.done += u32::from(stage != "reused");
                line.took_us += at_us.saturating_sub(line.began_us);
                line.began_us = at_us;
            }
            "refused" => (line.running, line.refused) = (false, line.refused + 1),
            "failed" | "cancelled" => (line.running, line.failed) = (false, line.failed + 1),
            _ => {}
        }
        let note = note.or_else(|| match stage {
            "reused" | "fell-back" | "endorsed" | "declined" | "declassified" | "extracted" | "cancelled" => {
                Some(stage.replace('-', " "))
            }
            _ => None,
        });
        let Some(note) = note else { return };
        match line.notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, times)) => *times += 1,
            None => line.notes.push((note, 1)),
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let note = match &event.stage {
            Stage::Intended { sink } if *sink != event.link => Some(format!("to {sink}")),
            Stage::Found { tagged, signals } => Some(found(tagged.iter().chain(signals).copied())),
            Stage::Refused(refusal) => Some(refusal.rule.id().to_string()),
            Stage::Failed { failure, .. } => Some(failure.to_string()),
            Stage::Undumped { why } => Some(format!("no core dump: {why}")),
            Stage::Dumped { file } => Some(format!("core dump in {file}")),
            Stage::Retrying { .. } => Some("tried again".to_string()),
            Stage::Skipped(why) => Some(why.words().to_string()),
            Stage::Took { target } => Some(format!("-> {}", last(target))),
            Stage::MiddlewareFailed { middleware } => Some(format!("middleware: {middleware}")),
            _ => None,
        };
        self.stage(&event.link, event.stage.name(), event.at_us, note);
    }

    /// The run is over: what had not ended by itself was ended by what went wrong.
    pub(crate) fn end(&mut self) {
        let any = |mark: Mark| self.lines.iter().any(|line| line.mark() == mark);
        let (refused, failed) = (any(Mark::Refused), any(Mark::Failed));
        for line in self.lines.iter_mut().filter(|line| line.running && (refused || failed)) {
            line.running = false;
            line.refused += u32::from(refused);
            line.failed += u32::from(!refused);
        }
    }

    fn line(&mut self, link: &str, at_us: u64) -> Option<&mut Line> {
        if let Some(at) = self.lines.iter().position(|line| line.link == link) {
            return self.lines.get_mut(at);
        }
        if self.lines.len() >= LINES_MAX {
            self.cut = true;
            return None;
        }
        self.lines.push(Line {
            link: link.to_string(),
            depth: link.matches('.').count(),
            running: false,
            done: 0,
            failed: 0,
            refused: 0,
            began_us: at_us,
            took_us: 0,
            notes: Vec::new(),
        });
        self.lines.last_mut()
    }

    /// The tree, each line no wider than `columns`.
    pub(crate) fn draw(&self, columns: usize) -> Vec<String> {
        let wide = |line: &Line| 2 * line.depth + last(&line.link).chars().count();
        let wide = self.lines.iter().map(wide).max().unwrap_or(0);
        let mut out: Vec<String> = self.lines.iter().map(|line| draw_line(line, wide, columns)).collect();
        if self.cut {
            out.push(paint(DIM, "  more links are not shown"));
        }
        out
    }

    pub(crate) fn text(&self) -> String {
        self.draw(usize::MAX).join("\n")
    }
}

/// What detectors found, as a note.
pub(crate) fn found<'n>(names: impl Iterator<Item = &'n str>) -> String {
    format!("found: {}", names.collect::<Vec<_>>().join(", "))
}

fn last(link: &str) -> &str {
    link.rsplit('.').next().unwrap_or(link)
}

fn draw_line(line: &Line, wide: usize, columns: usize) -> String {
    let (sign, colour) = match line.mark() {
        Mark::Running => (paint(BLUE, "›"), YELLOW),
        Mark::Done => (paint(GREEN, "✓"), YELLOW),
        Mark::Refused => (paint(RED, "⊘"), RED),
        Mark::Failed => (paint(RED, "✗"), RED),
        Mark::Skipped => (paint(DIM, "·"), DIM),
    };
    let name = format!("{}{}", "  ".repeat(line.depth), clean(last(&line.link)));
    let timed = line.done > 0 && !line.running && line.depth > 0;
    let took = if timed { duration(line.took_us) } else { String::new() };
    let plain = format!("{name:<wide$}  {took:>8} ");
    let notes = cut(&notes(line), columns.saturating_sub(2 + plain.chars().count()));
    match notes.is_empty() {
        true => format!("{sign} {}", plain.trim_end()),
        false => format!("{sign} {plain}{}", paint(if colour == YELLOW { DIM } else { colour }, &notes)),
    }
}

/// How often it was called and what happened, on one line.
fn notes(line: &Line) -> String {
    let mut parts: Vec<String> = Vec::new();
    let calls = line.done + line.failed + line.refused;
    if calls > 1 {
        let bad =
            |count: u32, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
        parts.push(format!(
            "{} of {calls}{}{}",
            line.done,
            bad(line.failed, "failed"),
            bad(line.refused, "refused")
        ));
    }
    for (note, times) in line.notes.iter().take(NOTES_MAX) {
        let times = if *times > 1 { format!(" ×{times}") } else { String::new() };
        parts.push(format!("{}{times}", clean(note).replace(['\n', '\t'], " ")));
    }
    if line.notes.len() > NOTES_MAX {
        parts.push(format!("{} more", line.notes.len() - NOTES_MAX));
    }
    parts.join(", ")
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_string();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

pub(crate) fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

pub(crate) fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes >= MIB && bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{bytes} bytes")
    }
}

/// Draws the tree of a running chain on a terminal, now and then, until it is finished.
pub(crate) struct Live {
    shared: Arc<Shown>,
    drawing: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shown {
    tree: Mutex<Tree>,
    over: Mutex<bool>,
    ends: Condvar,
}

impl Live {
    pub(crate) fn start() -> Live {
        let shared = Arc::new(Shown::default());
        let drawn = shared.clone();
        let drawing = std::thread::spawn(move || {
            let mut over = drawn.over.lock().unwrap_or_else(PoisonError::into_inner);
            while !*over {
                terminal::status(&drawn.lines());
                let woken = drawn.ends.wait_timeout(over, REDRAW);
                over = woken.map_or_else(|poisoned| poisoned.into_inner().0, |(over, _)| over);
            }
        });
        Live { shared, drawing: Mutex::new(Some(drawing)) }
    }

    /// Leaves the whole tree standing.
    pub(crate) fn finish(&self) {
        *self.shared.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.ends.notify_all();
        let drawing = self.drawing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A drawing thread that broke leaves an older tree; the result does not depend on it.
        let _broken = drawing.map(JoinHandle::join);
        self.shared.tree().end();
        terminal::status(&[]);
        terminal::say(&self.shared.tree().draw(terminal::columns()).join("\n"));
    }
}

impl Shown {
    fn tree(&self) -> std::sync::MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the tree, as much as the terminal holds.
    fn lines(&self) -> Vec<String> {
        let mut lines = self.tree().draw(terminal::columns());
        let from = lines.len().saturating_sub(terminal::rows().saturating_sub(2).max(1));
        lines.split_off(from)
    }
}

impl Watch for Live {
    fn stage(&self, event: &Event) {
        self.shared.tree().event(event);
    }
}
