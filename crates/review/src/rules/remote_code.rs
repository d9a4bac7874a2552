//! Models and data sets that bring code.

use crate::python::Bind;
use crate::rule::{Area, Hit, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "remote-code",
    area: Area::Serialization,
    title: "code that comes with a model is run",
    why: "`trust_remote_code` runs files from the model's repository, as they are on the day.",
    mend: "use a model that needs no code of its own, or pin a `revision` that somebody read",
    file: "model.py",
    bad: "from transformers import AutoModel\n\nmodel = AutoModel.from_pretrained(\"some/model\", trust_remote_code=True)\n",
    good: "from transformers import AutoModel\n\nmodel = AutoModel.from_pretrained(\"some/model\")\n",
    owasp: &["LLM04", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::Bind(bind)],
};

fn bind(bind: &Bind<'_>) -> Option<Hit> {
    let named = ["trust_remote_code", "allow_dangerous_deserialization"].contains(&bind.name);
    (named && bind.is_true())
        .then(|| Hit::high(bind.span, format!("`{}` runs what was downloaded", bind.name)))
}
