//! Keys of a cloud where a role would do.

use crate::python::{CallSite, last, literal};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "cloud-keys",
    area: Area::Authentication,
    title: "keys of a cloud are handed around instead of a role",
    why: "Access keys last until somebody ends them. A role gives keys that end by themselves and can do no more than it says.",
    mend: "take the session's own credentials: an IAM role or a profile",
    file: "storage.py",
    bad: "import boto3\n\nclient = boto3.client(\"s3\", aws_access_key_id=\"AKIAQWERTYUIOPASDFGH\", aws_secret_access_key=key)\n",
    good: "import boto3\n\nclient = boto3.Session(profile_name=\"reader\").client(\"s3\")\n",
    owasp: &["LLM02", "ASI03", "MCP01"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let given = site.named("aws_secret_access_key").or_else(|| site.named("aws_access_key_id"))?;
    let cloud = ["client", "resource", "Session", "session"].contains(&last(&site.name));
    let fixed = [site.named("aws_access_key_id"), site.named("aws_secret_access_key")];
    match (cloud, fixed.into_iter().flatten().any(|one| literal(one).is_some()), given) {
        (false, ..) | (_, _, Expr::NoneLiteral(_)) => None,
        (true, true, _) => Some(Hit::high(site.span(), "a key of the cloud stands in the code")),
        (true, false, _) => {
            Some(Hit::low(site.span(), "keys of the cloud are handed on; a role would do without"))
        }
    }
}
