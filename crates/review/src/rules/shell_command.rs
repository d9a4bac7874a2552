//! Commands that a shell reads.

use crate::flow::Sink;
use crate::python::{CallSite, HOLE, folded, literal, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "shell-command",
    area: Area::Execution,
    title: "a command line is put together from data",
    why: "A shell reads `;`, `|` and `$()` in the data as more commands.",
    mend: "give the program and its arguments as a list, without a shell; in Ringmail, a `command` link with fixed arguments",
    file: "tool.py",
    bad: "import subprocess\n\nfrom agents import function_tool\n\n\n@function_tool\ndef ping(host: str) -> str:\n    return subprocess.run(f\"ping -c 1 {host}\", shell=True, capture_output=True).stdout\n",
    good: "import subprocess\n\n\ndef ping() -> str:\n    return subprocess.run([\"ping\", \"-c\", \"1\", \"example.com\"], capture_output=True).stdout\n",
    owasp: &["LLM10", "ASI05", "MCP05"],
    refusal: Some("no-grant"),
    looks: &[Look::Flow(Sink::Shell), Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    let shell = matches!(site.named("shell"), Some(Expr::BooleanLiteral(shell)) if shell.value)
        && site.name.starts_with("subprocess.");
    let always = site.is(&[
        "os.system",
        "os.popen",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "asyncio.create_subprocess_shell",
    ]);
    let first = site.call.arguments.args.first().filter(|_| shell || always)?;
    let fixed = literal(first).is_some() || folded(first).is_some_and(|text| !text.contains(HOLE));
    (!fixed).then(|| Hit::medium(span(first.range()), "a shell reads what is put together here"))
}
