//! Redirects that callers choose.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "open-redirect",
    area: Area::Network,
    title: "a caller chooses where a redirect leads",
    why: "An address of yours that leads anywhere is what a phishing mail needs.",
    mend: "redirect to paths of your own",
    file: "app.py",
    bad: "from flask import redirect, request\n\n\ndef back():\n    return redirect(request.args[\"next\"])\n",
    good: "from flask import redirect\n\n\ndef back():\n    return redirect(\"/home\")\n",
    owasp: &["LLM10", "ASI09", "MCP07"],
    refusal: None,
    looks: &[Look::Flow(Sink::Redirect)],
};
