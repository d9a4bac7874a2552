//! The lists of OWASP that rules are mapped to, by what they call their entries: for applications of language models
//! (2026), for agents (2026) and for MCP (2025, beta).

const ENTRIES: &[(&str, &str)] = &[
    ("LLM01", "prompt injection"),
    ("LLM02", "sensitive information disclosure"),
    ("LLM03", "excessive agency"),
    ("LLM04", "supply chain"),
    ("LLM05", "data and model poisoning"),
    ("LLM06", "unbounded consumption"),
    ("LLM07", "misinformation"),
    ("LLM08", "hidden context exposure"),
    ("LLM09", "vector and embedding weaknesses"),
    ("LLM10", "improper output handling"),
    ("ASI01", "agent goal hijack"),
    ("ASI02", "tool misuse"),
    ("ASI03", "identity and privilege abuse"),
    ("ASI04", "agentic supply chain"),
    ("ASI05", "unexpected code execution"),
    ("ASI06", "memory and context poisoning"),
    ("ASI07", "insecure inter-agent communication"),
    ("ASI08", "cascading failures"),
    ("ASI09", "human-agent trust exploitation"),
    ("ASI10", "rogue agents"),
    ("MCP01", "token and secret exposure"),
    ("MCP02", "scope creep"),
    ("MCP03", "tool poisoning"),
    ("MCP04", "dependency tampering"),
    ("MCP05", "command injection and execution"),
    ("MCP06", "intent flow subversion"),
    ("MCP07", "insufficient authentication and authorization"),
    ("MCP08", "lack of audit and telemetry"),
    ("MCP09", "shadow MCP servers"),
    ("MCP10", "context injection and over-sharing"),
];

/// What an entry is called; nothing for what is on none of the lists.
pub fn owasp_entry(id: &str) -> Option<&'static str> {
    ENTRIES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// Entries with their names, for people.
pub(crate) fn named(ids: &[&str]) -> String {
    let one = |id: &&str| owasp_entry(id).map_or_else(|| id.to_string(), |name| format!("{id} {name}"));
    ids.iter().map(one).collect::<Vec<_>>().join(", ")
}
