//! The progress tree: one line a link, redrawn in place while a run happens and left standing when it ends. Drawn
//! from the trail alone, so `explain` draws the same tree from a record.

use crate::terminal::{BLUE, DIM, GREEN, RED, YELLOW, clean, paint};
use ringmail_engine::Watch;
use ringmail_engine::core::trail::{Event, Stage};
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lines of the tree at most; a chain with more links shows the latest.
const LINES_MAX: usize = 200;
const REDRAW: Duration = Duration::from_millis(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Running,
    Done,
    Refused,
    Failed,
    Skipped,
}

/// One link.
#[derive(Debug)]
struct Line {
    link: String,
    depth: usize,
    mark: Mark,
    /// Calls, for links in bodies.
    calls: u32,
    began_us: u64,
    took_us: u64,
    notes: Vec<String>,
}

/// The state of all links of a run, in the order they came up.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    lines: Vec<Line>,
    cut: usize,
}

impl Tree {
    /// One stage as a record or the trail has it.
    pub(crate) fn stage(&mut self, link: &str, stage: &str, at_us: u64, note: Option<String>) {
        let Some(line) = self.line(link, at_us) else { return };
        match stage {
            "entered" => line.mark = Mark::Running,
            "admitted" => {
                line.calls += 1;
                line.mark = Mark::Running;
                line.began_us = at_us;
            }
            "released" | "reused" | "answered" | "endorsed" | "declassified" | "extracted" => {
                line.mark = Mark::Done;
                line.took_us += at_us.saturating_sub(line.began_us);
                line.began_us = at_us;
            }
            "refused" => line.mark = Mark::Refused,
            "failed" | "cancelled" => line.mark = Mark::Failed,
            "skipped" => line.mark = Mark::Skipped,
            _ => {}
        }
        let note = note.or_else(|| match stage {
            "reused" | "fell-back" | "endorsed" | "declined" | "declassified" | "extracted" | "cancelled" => {
                Some(stage.replace('-', " "))
            }
            _ => None,
        });
        if let Some(note) = note.filter(|note| line.notes.last() != Some(note)) {
            line.notes.push(note);
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        let note = match &event.stage {
            Stage::Intended { sink } if *sink != event.link => Some(format!("to {sink}")),
            Stage::Refused(refusal) => Some(refusal.rule.id().to_string()),
            Stage::Failed { failure, .. } => Some(failure.to_string()),
            Stage::Retrying { pause_ms } => Some(format!("again in {pause_ms} ms")),
            Stage::Skipped(why) => Some(why.words().to_string()),
            Stage::Took { target } => Some(format!("-> {target}")),
            Stage::MiddlewareFailed { middleware } => Some(format!("middleware: {middleware}")),
            _ => None,
        };
        self.stage(&event.link, event.stage.name(), event.at_us, note);
    }

    /// The run is over: what had not ended by itself was ended by what went wrong.
    pub(crate) fn end(&mut self) {
        let any = |mark: Mark| self.lines.iter().any(|line| line.mark == mark);
        let mark = match (any(Mark::Refused), any(Mark::Failed)) {
            (true, _) => Mark::Refused,
            (_, true) => Mark::Failed,
            _ => return,
        };
        self.lines.iter_mut().filter(|line| line.mark == Mark::Running).for_each(|line| line.mark = mark);
    }

    fn line(&mut self, link: &str, at_us: u64) -> Option<&mut Line> {
        if let Some(at) = self.lines.iter().position(|line| line.link == link) {
            return self.lines.get_mut(at);
        }
        if self.lines.len() >= LINES_MAX {
            self.cut += 1;
            return None;
        }
        self.lines.push(Line {
            link: link.to_string(),
            depth: link.matches('.').count(),
            mark: Mark::Running,
            calls: 0,
            began_us: at_us,
            took_us: 0,
            notes: Vec::new(),
        });
        self.lines.last_mut()
    }

    /// The last `rows` lines of the tree.
    pub(crate) fn draw(&self, rows: usize) -> String {
        let wide =
            self.lines.iter().map(|line| 2 * line.depth + name(line).chars().count()).max().unwrap_or(0);
        let from = self.lines.len().saturating_sub(rows);
        let lines = self.lines.iter().skip(from).map(|line| draw_line(line, wide));
        let mut out: Vec<String> = lines.collect();
        if self.cut > 0 {
            out.push(paint(DIM, "  more links are not shown"));
        }
        out.join("\n")
    }
}

fn name(line: &Line) -> &str {
    line.link.rsplit('.').next().unwrap_or(&line.link)
}

fn draw_line(line: &Line, wide: usize) -> String {
    let mark = match line.mark {
        Mark::Running => paint(BLUE, "›"),
        Mark::Done => paint(GREEN, "✓"),
        Mark::Refused => paint(RED, "⊘"),
        Mark::Failed => paint(RED, "✗"),
        Mark::Skipped => paint(DIM, "·"),
    };
    let name = format!("{}{}", "  ".repeat(line.depth), clean(name(line)));
    let calls = if line.calls > 1 { format!(" ×{}", line.calls) } else { String::new() };
    let took = if line.mark == Mark::Done && line.depth > 0 { duration(line.took_us) } else { String::new() };
    let colour = match line.mark {
        Mark::Refused | Mark::Failed => RED,
        Mark::Running | Mark::Done => YELLOW,
        Mark::Skipped => DIM,
    };
    let notes = match line.notes.is_empty() {
        true => String::new(),
        false => paint(if colour == YELLOW { DIM } else { colour }, &clean(&line.notes.join(", "))),
    };
    format!("{mark} {name:<wide$}  {:>8} {notes}{calls}", took).trim_end().to_string()
}

pub(crate) fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// Draws the tree of a running chain on a terminal.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<Screen>);

#[derive(Debug, Default)]
struct Screen {
    tree: Tree,
    /// Lines on the screen now.
    drawn: usize,
    last: Option<Instant>,
}

impl Live {
    /// Draws the last state and leaves it standing.
    pub(crate) fn finish(&self) {
        if let Ok(mut screen) = self.0.lock() {
            screen.tree.end();
            screen.draw();
        }
    }
}

impl Watch for Live {
    fn stage(&self, event: &Event) {
        let Ok(mut screen) = self.0.lock() else { return };
        screen.tree.event(event);
        if screen.last.is_none_or(|last| last.elapsed() >= REDRAW) {
            screen.draw();
        }
    }
}

impl Screen {
    fn draw(&mut self) {
        let rows = terminal_size::terminal_size_of(std::io::stderr())
            .map_or(24, |(_, height)| usize::from(height.0));
        let text = self.tree.draw(rows.saturating_sub(2).max(1));
        let up = match self.drawn {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}F\u{1b}[0J"),
        };
        self.drawn = text.lines().count();
        self.last = Some(Instant::now());
        let mut out = anstream::stderr().lock();
        // A terminal that cannot be written to shows no progress; the run goes on.
        let _unseen = write!(out, "{up}{text}\n").and_then(|()| out.flush());
    }
}
