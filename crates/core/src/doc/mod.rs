//! Documents people write: a tree of plain data in which every node knows its place in the text, and the problems
//! found in it. Chains come as YAML, projects and grants as TOML; both become the same tree.
//! Nothing here knows what a key means; `form` does.

pub mod form;
pub mod toml;
pub mod yaml;

use std::sync::Arc;

/// A stretch of a source text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A named text that spans point into.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
    /// The texts that this one was joined from, each with where it starts; none for a text of its own.
    parts: Vec<(usize, Arc<Source>)>,
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into(), parts: Vec::new() })
    }

    /// Several texts, one after the other. Places in it are told as places in the text they came from.
    pub fn joined(texts: &[Arc<Source>]) -> Arc<Source> {
        if let [one] = texts {
            return one.clone();
        }
        let (mut text, mut parts) = (String::new(), Vec::new());
        for part in texts {
            parts.push((text.len(), part.clone()));
            text.push_str(&part.text);
            text.push('\n');
        }
        let name = texts.first().map_or_else(String::new, |first| first.name.clone());
        Arc::new(Source { name, text, parts })
    }

    /// The texts it was joined from, or itself.
    pub fn texts(self: &Arc<Source>) -> Vec<Arc<Source>> {
        match self.parts.is_empty() {
            true => vec![self.clone()],
            false => self.parts.iter().map(|(_, part)| part.clone()).collect(),
        }
    }

    /// Where a part starts.
    pub(crate) fn start_of(&self, part: usize) -> usize {
        self.parts.get(part).map_or(0, |(start, _)| *start)
    }

    /// A place, in the text that it was written in.
    pub fn spot(self: &Arc<Source>, span: Span) -> Spot {
        match self.parts.iter().rev().find(|(start, _)| *start <= span.start) {
            Some((start, part)) => {
                let span = Span { start: span.start - start, end: span.end.saturating_sub(*start) };
                Spot { source: part.clone(), span }
            }
            None => Spot { source: self.clone(), span },
        }
    }

    /// Line and column of a position, both from 1.
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        (line, column)
    }
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    pub source: Arc<Source>,
    pub span: Span,
}

/// One node of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub span: Span,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(NodeKey, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodeKey {
    pub name: String,
    pub span: Span,
}

impl Node {
    /// The member `name` of a map.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The members of a map; none for anything else.
    pub fn entries(&self) -> &[(NodeKey, Node)] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The node as a plain value, places forgotten.
    pub fn to_value(&self) -> crate::value::Value {
        use crate::value::Value;
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(truth) => Value::Bool(*truth),
            Data::Int(int) => Value::Int(*int),
            Data::Float(float) => Value::float(*float).unwrap_or_default(),
            Data::Text(text) => Value::from(text.as_str()),
            Data::List(items) => Value::list(items.iter().map(Node::to_value)),
            Data::Map(entries) => {
                Value::map(entries.iter().map(|(key, node)| (key.name.as_str(), node.to_value())))
            }
        }
    }

    /// A value as a document that stands nowhere.
    pub fn of(value: &crate::value::Value) -> Node {
        use crate::value::Value;
        let span = Span::default();
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(truth) => Data::Bool(*truth),
            Value::Int(int) => Data::Int(*int),
            Value::Float(float) => Data::Float(*float),
            Value::Str(text) => Data::Text(text.to_string()),
            Value::List(items) => Data::List(items.iter().map(Node::of).collect()),
            Value::Map(map) => Data::Map(
                map.iter()
                    .map(|(name, value)| (NodeKey { name: name.to_string(), span }, Node::of(value)))
                    .collect(),
            ),
        };
        Node { span, data }
    }

    /// The word used for this node's type in messages.
    pub fn type_name(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a bool",
            Data::Int(_) => "a whole number",
            Data::Float(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub spot: Option<Spot>,
    pub message: String,
    pub help: Option<String>,
}

/// More are not told: nobody mends more at once.
pub const PROBLEMS_MAX: usize = 100;

/// Everything wrong with a set of documents, collected before anything is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn add(&mut self, source: &Arc<Source>, span: Span, message: impl Into<String>) {
        self.push(Some(source.spot(span)), message.into(), None);
    }

    pub fn add_help(
        &mut self,
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Some(source.spot(span)), message.into(), Some(help.into()));
    }

    pub fn add_bare(&mut self, message: impl Into<String>) {
        self.push(None, message.into(), None);
    }

    fn push(&mut self, spot: Option<Spot>, message: String, help: Option<String>) {
        let problem = Problem { spot, message, help };
        if self.0.len() < PROBLEMS_MAX && !self.0.contains(&problem) {
            self.0.push(problem);
        } else if self.0.len() == PROBLEMS_MAX {
            let message = format!("these are the first {PROBLEMS_MAX} problems; there are more");
            self.0.push(Problem { spot: None, message, help: None });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `done` when nothing is wrong, all problems in the order of their places otherwise.
    pub fn or<T>(mut self, done: T) -> Result<T, Problems> {
        if self.is_empty() {
            return Ok(done);
        }
        let place = |problem: &Problem| {
            let spot = problem.spot.as_ref();
            (spot.is_none(), spot.map(|spot| (spot.source.name.clone(), spot.span)))
        };
        self.0.sort_by_key(place);
        Err(self)
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            if let Some(spot) = &problem.spot {
                let (line, column) = spot.source.line_column(spot.span.start);
                write!(f, "{}:{line}:{column}: ", spot.source.name)?;
            }
            write!(f, "{}", problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known word nearest to a misspelt one, if any is near enough to be meant.
pub fn suggest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let far = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(steps, _)| *steps <= far)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// Edits between two words, a swap of neighbours counted as one.
fn distance(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 64;
    let a: Vec<char> = a.chars().take(CHARS_MAX).collect();
    let b: Vec<char> = b.chars().take(CHARS_MAX).collect();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut steps =
                (at(&last, j) + usize::from(from != to)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(to) && b.get(j - 1) == Some(from);
            if swapped {
                steps = steps.min(at(&before, j - 1) + 1);
            }
            row.push(steps);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_meant() {
        let known = ["capabilities", "timeout", "retry", "when"];
        assert_eq!(suggest("capabilties", known), Some("capabilities"));
        assert_eq!(suggest("wehn", known), Some("when"));
        assert_eq!(suggest("tmieout", known), Some("timeout"));
        assert_eq!(suggest("banana", known), None);
    }

    #[test]
    fn places_count_characters_not_bytes() {
        let source = Source::new("a.yaml", "é: 1\nkey: é x");
        assert_eq!(source.line_column(source.text.find("x").unwrap()), (2, 8));
    }
}
