//! Addresses that callers choose.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "ssrf",
    area: Area::Network,
    title: "a caller chooses which address is asked",
    why: "The service reaches what the caller cannot: the metadata of the cloud, databases, other people's admin pages. Redirects lead there, too.",
    mend: "allow hosts by a list and check the address that the name resolves to; in Ringmail, a grant for the host does both",
    file: "app.py",
    bad: "import requests\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/preview\")\ndef preview(url: str, user=Depends(who)):\n    return requests.get(url, timeout=10).text\n",
    good: "from urllib.parse import urlparse\n\nimport requests\nfrom fastapi import FastAPI\n\napp = FastAPI()\nHOSTS = {\"docs.example.com\"}\n\n\n@app.get(\"/preview\")\ndef preview(url: str, user=Depends(who)):\n    if urlparse(url).hostname not in HOSTS:\n        raise ValueError(\"not one of our hosts\")\n    return requests.get(url, timeout=10).text\n",
    owasp: &["LLM03", "ASI02", "MCP05"],
    refusal: Some("special-address"),
    looks: &[Look::Flow(Sink::Url)],
};
