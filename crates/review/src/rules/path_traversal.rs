//! Names of files from somewhere else.

use crate::flow::{Origin, Sink};
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "path-traversal",
    area: Area::Files,
    title: "a model or another host chooses the path of a file",
    why: "A name with `../` in it, or one that begins with `/`, leaves the folder that it was meant for.",
    mend: "take the last part of the name only, or check that the resolved path lies below the folder",
    file: "fetch.py",
    bad: "import requests\n\n\ndef fetch(url_list):\n    listed = requests.get(\"https://files.example.com/list\", timeout=10).json()\n    for item in listed:\n        open(\"downloads/\" + item[\"name\"], \"wb\").write(b\"\")\n",
    good: "import os\n\nimport requests\n\n\ndef fetch(url_list):\n    listed = requests.get(\"https://files.example.com/list\", timeout=10).json()\n    for item in listed:\n        open(\"downloads/\" + os.path.basename(item[\"name\"]), \"wb\").write(b\"\")\n",
    owasp: &["LLM10", "ASI02", "MCP05"],
    refusal: Some("bad-address"),
    looks: &[Look::FlowOf(Origin::Remote, Sink::Path), Look::FlowOf(Origin::Model, Sink::Path)],
};
