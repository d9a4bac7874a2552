//! What a file is, by its name. Called for every file that is looked at, and by whoever looks for files.

use ringmail_core::doc::Source;
use std::sync::Arc;

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct TextFile {
    /// As it is shown, with `/` between its parts.
    pub path: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Python,
    Yaml,
    Json,
    Toml,
    Docker,
    Requirements,
    /// Settings and scripts, looked at line by line.
    Lines,
}

impl Format {
    pub(crate) fn of(path: &str) -> Option<Format> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        let required = name.starts_with("requirements") || path.contains("requirements/");
        Some(match () {
            () if ends(&[".py", ".pyi"]) => Format::Python,
            () if ends(&[".yaml", ".yml"]) => Format::Yaml,
            () if name == "pipfile.lock" || ends(&[".json"]) => Format::Json,
            () if ends(&[".toml"])
                || ["uv.lock", "poetry.lock", "cargo.lock", "pipfile"].contains(&&*name) =>
            {
                Format::Toml
            }
            () if name.starts_with("dockerfile") || ends(&[".dockerfile", "containerfile"]) => Format::Docker,
            () if required && ends(&[".txt", ".in"]) => Format::Requirements,
            () if name.starts_with(".env")
                || ends(&[".ini", ".cfg", ".conf", ".sh", ".env", "go.mod", "go.sum", ".cedar"]) =>
            {
                Format::Lines
            }
            () => return None,
        })
    }
}

/// Whether a file of this name is looked at.
pub fn is_read(path: &str) -> bool {
    Format::of(path).is_some()
}

/// Whether a file tries code out rather than runs it for anybody.
pub(crate) fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = |word: &str| path.starts_with(&format!("{word}/")) || path.contains(&format!("/{word}/"));
    ["tests", "test", "testing", "fixtures", "cassettes"].iter().any(|word| folder(word))
        || name.starts_with("test_")
        || name.ends_with("_test.py")
        || name == "conftest.py"
}

/// Positions of a text as lines and columns, without counting from the start each time.
#[derive(Debug)]
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Lines {
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1));
        Lines { starts: starts.collect() }
    }

    /// From 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Where a line begins and ends, its end mark left out.
    pub(crate) fn text<'t>(&self, text: &'t str, line: usize) -> &'t str {
        let start = line.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or(text.len());
        let end = self.starts.get(line).copied().unwrap_or(text.len());
        text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    pub(crate) fn start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or(0)
    }

    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }
}

/// A file on its way through the rules.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) source: Arc<Source>,
    pub(crate) format: Format,
    pub(crate) lines: Lines,
    pub(crate) test: bool,
}

impl Looked {
    pub(crate) fn new(file: TextFile) -> Option<Looked> {
        let format = Format::of(&file.path)?;
        let lines = Lines::new(&file.text);
        Some(Looked { test: is_test(&file.path), lines, format, source: Source::new(file.path, file.text) })
    }

    pub(crate) fn path(&self) -> &str {
        &self.source.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.source.text
    }
}
