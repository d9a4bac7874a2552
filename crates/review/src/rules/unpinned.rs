//! Dependencies that are whatever they are on the day.

use crate::data::Entry;
use crate::file::{Format, Looked};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ringmail_core::doc::Span;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "unpinned-dependency",
    area: Area::Dependencies,
    title: "a dependency has no upper bound",
    why: "The next release, made by somebody else or by whoever took over their account, is installed without a look.",
    mend: "pin versions, in a lock file with digests; pin actions and images by digest",
    file: "requirements.txt",
    bad: "openai>=1.0\n",
    good: "openai==1.51.0\n",
    owasp: &["LLM04", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::File(file), Look::Entry(entry)],
};

/// Those whose holes are holes of everything.
const CRITICAL: &[&str] = &[
    "restrictedpython",
    "litellm",
    "jsonpickle",
    "openai",
    "anthropic",
    "langchain",
    "transformers",
    "torch",
    "mcp",
    "requests",
    "urllib3",
    "aiohttp",
    "jinja2",
    "pyyaml",
    "pillow",
    "cryptography",
    "lxml",
    "vllm",
    "pydantic",
    "httpx",
    "fastapi",
    "starlette",
    "unstructured",
];

fn file(file: &Looked) -> Vec<Hit> {
    match file.format {
        Format::Requirements => by_line(file, requirement),
        Format::Docker => by_line(file, image),
        Format::Toml if file.path().ends_with("pyproject.toml") => by_line(file, listed),
        _ => Vec::new(),
    }
}

fn by_line(file: &Looked, look: fn(&str) -> Option<String>) -> Vec<Hit> {
    let one = |line: usize| {
        let text = file.lines.text(file.text(), line);
        let start = file.lines.start(line);
        look(text).map(|message| Hit::medium(Span { start, end: start + text.len() }, message))
    };
    (1..=file.lines.count()).filter_map(one).collect()
}

/// A line of a list of `pyproject.toml` that is a requirement, or a key of Poetry: those whose holes are holes of
/// everything, and those that have no bound at all.
fn listed(line: &str) -> Option<String> {
    let line = line.trim();
    let (name, rest) = match line.split_once(" = ") {
        Some((name, rest)) => {
            let version =
                rest.strip_prefix("{version = ").unwrap_or(rest).trim_start_matches('{').split(',').next()?;
            let version = version.trim_matches(['"', '\'', ' ', '}']);
            let loose = version == "*" || version.starts_with(">=") && !version.contains('<');
            (loose && !rest.starts_with('[')).then_some((name.trim_matches('"'), ">="))?
        }
        None => {
            let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let text = line.get(1..)?.split(quote).next()?.split(';').next()?;
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))?;
            text.split_at_checked(end)?
        }
    };
    let known = CRITICAL.contains(&name.to_ascii_lowercase().as_str());
    (known && name != "python" && !is_bounded(rest)).then(|| format!("`{name}` has no upper bound"))
}

fn requirement(line: &str) -> Option<String> {
    let line = line.split(['#', ';']).next()?.trim();
    let end = line
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end)?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    (begins && !is_bounded(rest)).then(|| format!("`{name}` has no upper bound"))
}

fn is_bounded(rest: &str) -> bool {
    ["==", "<", "~=", "@", "==="].iter().any(|bound| rest.contains(bound))
}

fn image(line: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("FROM ")?;
    let image = rest.split_whitespace().find(|word| !word.starts_with("--"))?;
    let name = image.rsplit('/').next()?;
    let loose = !image.contains('@') && (image.ends_with(":latest") || !name.contains(':'));
    (loose && image != "scratch" && !image.contains('$') && image.contains(['/', ':', '.'])
        || loose && ["python", "node", "ubuntu", "debian", "alpine", "rust", "golang"].contains(&image))
    .then(|| format!("`{image}` is another image tomorrow"))
}

fn entry(entry: &Entry<'_>) -> Option<Hit> {
    let workflow =
        entry.file.path().contains(".github/workflows/") || entry.file.path().contains(".gitlab-ci");
    if workflow && entry.key == "uses" {
        let action = entry.value.text()?;
        let (name, at) = action.split_once('@')?;
        let branch = ["main", "master", "develop", "latest", "HEAD"].contains(&at);
        let own = name.starts_with("./");
        return (branch && !own)
            .then(|| Hit::high(entry.span, format!("`{action}` is whatever its branch is on the day")));
    }
    let server = entry.under("mcpServers") && entry.key == "args";
    let command = entry.beside("command").and_then(|node| node.text()).unwrap_or_default();
    let package =
        entry.value.items().iter().filter_map(|item| item.text()).find(|text| !text.starts_with('-'))?;
    let pinned = match command {
        "npx" => package.trim_start_matches('@').contains('@') && !package.ends_with("@latest"),
        "uvx" => package.contains("==") || package.contains('@') && !package.ends_with("@latest"),
        _ => true,
    };
    (server && !pinned)
        .then(|| Hit::high(entry.span, format!("`{package}` is whatever is published on the day")))
}
