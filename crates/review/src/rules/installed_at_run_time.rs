//! Packages that are installed while the program runs.

use crate::python::{CallSite, assigned, literal};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Expr;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "installed-at-run-time",
    area: Area::Dependencies,
    title: "a program installs packages while it runs",
    why: "What runs is no longer what was tested, and a name that a model made up may be registered by somebody.",
    mend: "declare dependencies, optional ones as extras, and fail clearly where one is missing",
    file: "plugin.py",
    bad: "import subprocess\nimport sys\n\nsubprocess.check_call([sys.executable, \"-m\", \"pip\", \"install\", \"acme\"])\n",
    good: "try:\n    import acme\nexcept ImportError as error:\n    raise RuntimeError(\"install the extra `acme`\") from error\n",
    owasp: &["LLM04", "ASI04", "MCP04"],
    refusal: None,
    looks: &[Look::Call(call)],
};

fn call(site: &CallSite<'_, '_>) -> Option<Hit> {
    if site.is(&["pip.main", "pip._internal.main"]) {
        return Some(Hit::high(site.span(), "this installs packages"));
    }
    let runs = site.name.starts_with("subprocess.") || site.is(&["os.system"]);
    let first = site.call.arguments.args.first().filter(|_| runs)?;
    let index = site.place.index;
    let body = site.place.func.and_then(|func| index.funcs.get(func)).map_or(&[][..], |func| &func.def.body);
    // A list that has a name before it is run.
    let given = match first {
        Expr::Name(name) => {
            let lists = assigned(body, 0).into_iter().filter(|(names, _)| names.contains(&name.id.as_str()));
            lists.map(|(_, value)| value).find(|value| value.is_list_expr()).unwrap_or(first)
        }
        first => first,
    };
    let words: Vec<&str> = match given {
        Expr::List(list) => list.elts.iter().filter_map(literal).collect(),
        other => literal(other)?.split_whitespace().collect(),
    };
    let pip = words.windows(2).any(|two| matches!(two, ["pip" | "pip3" | "uv", "install" | "add"]));
    pip.then(|| Hit::high(site.span(), "this installs packages"))
}
