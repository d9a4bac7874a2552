//! Files that everybody may write.

use crate::python::{CallSite, number, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "open-permissions",
    area: Area::Files,
    title: "everybody on the machine may write a file",
    why: "Another account changes what the program reads or runs next.",
    mend: "give no more than `0o700` or `0o600`",
    file: "setup.py",
    bad: "import os\n\nos.chmod(\"run.sh\", 0o777)\n",
    good: "import os\n\nos.chmod(\"run.sh\", 0o700)\n",
    owasp: &["LLM03", "ASI03", "MCP02"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let changes = site.is(&["os.chmod", "os.fchmod"]) || site.method() == "chmod";
    let last = site.call.arguments.args.last().filter(|_| changes)?;
    let mode = site.named("mode").or(Some(last)).and_then(number)?;
    (mode & 0o002 != 0).then(|| Hit::high(span(last.range()), "everybody may write it"))
}
