//! Paths that callers choose.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "path-from-input",
    area: Area::Validation,
    title: "a caller chooses the path of a file",
    why: "`../` and absolute paths reach keys, settings and other people's files.",
    mend: "join it to a fixed folder, `resolve()` it, and go on only if it `is_relative_to` that folder; in Ringmail, a mount",
    file: "app.py",
    bad: "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/notes\")\ndef note(name: str, user=Depends(who)):\n    return open(\"notes/\" + name).read()\n",
    good: "from pathlib import Path\n\nfrom fastapi import FastAPI\n\napp = FastAPI()\nROOT = Path(\"notes\").resolve()\n\n\n@app.get(\"/notes\")\ndef note(name: str, user=Depends(who)):\n    path = (ROOT / name).resolve()\n    if not path.is_relative_to(ROOT):\n        raise ValueError(\"no such note\")\n    return path.read_text()\n",
    owasp: &["LLM03", "ASI02", "MCP05"],
    refusal: Some("bad-address"),
    looks: &[Look::Flow(Sink::Path)],
};
