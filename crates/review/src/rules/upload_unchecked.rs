//! Files of callers, taken whatever they are.

use crate::python::{
    FunctionSite, Index, Names, Thing, calls_in, has_word, last, mentions, method_of, names_in, scan, span,
    type_name,
};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "upload-unchecked",
    area: Area::Files,
    title: "an upload is taken without a look at its type or size",
    why: "A caller fills the disk or the memory, or leaves a page, a program or an archive where a picture was meant.",
    mend: "bound the size, and hold the bytes against the types that are meant; in Ringmail, `contentMediaType` and `maxLength`",
    file: "app.py",
    bad: "from fastapi import Depends, FastAPI, UploadFile\n\napp = FastAPI()\n\n\n@app.post(\"/files\")\nasync def take(file: UploadFile, user=Depends(who)):\n    return await keep(await file.read())\n",
    good: "from fastapi import Depends, FastAPI, UploadFile\n\napp = FastAPI()\n\n\n@app.post(\"/files\")\nasync def take(file: UploadFile, user=Depends(who)):\n    if file.content_type != \"image/png\" or file.size > 1_000_000:\n        raise ValueError(\"not a small picture\")\n    return await keep(await file.read())\n",
    owasp: &["LLM10", "ASI02", "MCP05"],
    refusal: None,
    looks: &[Look::Function(function)],
};

/// An upload goes through no more functions than this before it is looked at.
const CALLS_MAX: usize = 3;
const TYPES: &[&str] = &[
    "content_type",
    "mimetype",
    "mime",
    "mime_type",
    "magic",
    "filetype",
    "guess_type",
    "suffix",
    "splitext",
    "endswith",
    "extension",
    "ext",
    "allowed_extensions",
    "allowed_file",
    "from_buffer",
    "verify_image",
];
const SIZES: &[&str] = &[
    "size",
    "max_size",
    "max_bytes",
    "max_content_length",
    "content_length",
    "file_size",
    "max_file_size",
    "max_length",
];

/// What was looked at.
#[derive(Clone, Copy, Default)]
struct Looked {
    size: bool,
    kind: bool,
}

impl Looked {
    fn or(self, other: Looked) -> Looked {
        Looked { size: self.size || other.size, kind: self.kind || other.kind }
    }
}

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let (program, index) = (site.place.program, site.place.index);
    let names = &program.names;
    let upload =
        site.def.parameters.iter_non_variadic_params().find(|one| {
            one.parameter.annotation.as_ref().is_some_and(|annotation| is_upload(annotation, names))
        });
    let flask = || {
        names.uses("flask")
            && calls_in(&site.def.body, 0)
                .iter()
                .any(|call| ["save", "read"].contains(&method_of(call)) && mentions(&call.func, &["files"]))
    };
    let routed = site.def.decorator_list.iter().any(crate::flow::is_route);
    let (name, at) = match upload {
        Some(upload) if routed => (upload.parameter.name.as_str(), span(upload.range())),
        None if flask() => ("request.files", span(site.def.name.range())),
        _ => return None,
    };
    let looked = looks(index, names, &site.def.body, &[name.rsplit('.').next().unwrap_or(name)], 0);
    match (looked.size, looked.kind) {
        (false, false) => Some(Hit::high(at, format!("`{name}` is taken whatever it is, and however large"))),
        (false, true) => Some(Hit::medium(at, format!("`{name}` is taken however large it is"))),
        (true, false) => Some(Hit::low(at, format!("`{name}` is taken whatever it is"))),
        (true, true) => None,
    }
}

/// `UploadFile`, and a list of them.
fn is_upload(annotation: &Expr, names: &Names) -> bool {
    match annotation {
        Expr::Subscript(generic) => match &*generic.slice {
            Expr::Tuple(tuple) => tuple.elts.iter().any(|one| is_upload(one, names)),
            inner => is_upload(inner, names),
        },
        other => type_name(other, names).is_some_and(|made| last(&made) == "UploadFile"),
    }
}

/// What a body looks at of an upload, and what the functions do that it hands it to.
fn looks(index: &Index<'_>, names: &Names, body: &[Stmt], uploads: &[&str], calls: usize) -> Looked {
    let mut looked = Looked::default();
    let mut onward = Vec::new();
    let words = |expr: &Expr, words: &[&str]| names_in(expr).iter().any(|name| has_word(name, words));
    scan(body, 1, &mut |thing| match thing {
        Thing::Expr(Expr::Compare(compare)) => {
            let sides = || std::iter::once(&*compare.left).chain(&*compare.comparators);
            let counted = |expr: &Expr| matches!(expr, Expr::Call(call) if method_of(call) == "len");
            let number =
                |expr: &Expr| expr.is_number_literal_expr() || words(expr, &["max", "limit", "maximum"]);
            looked.size |= sides().any(|side| words(side, SIZES) || counted(side) && sides().any(number));
            looked.kind |= sides().any(|side| words(side, TYPES));
        }
        Thing::Expr(Expr::Call(call)) => {
            let method = method_of(call);
            looked.kind |= has_word(method, TYPES);
            // So many bytes and no more.
            looked.size |= method == "read" && !call.arguments.is_empty();
            looked.size |= call
                .arguments
                .keywords
                .iter()
                .any(|one| one.arg.as_ref().is_some_and(|name| has_word(name.as_str(), SIZES)));
            let given =
                call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|one| &one.value));
            if given.clone().any(|one| mentions(one, uploads)) {
                let all = crate::look::is_check(method);
                looked = looked.or(Looked { size: all, kind: all });
                onward.extend(names.resolve(&call.func).and_then(|name| index.func_named(&name)));
            }
        }
        _ => {}
    });
    for func in onward.into_iter().take(8).filter(|_| calls < CALLS_MAX) {
        let Some(func) = index.funcs.get(func) else { continue };
        let Some(program) = index.programs.get(func.program) else { continue };
        let given: Vec<&str> = func.params.iter().map(|one| one.name.as_str()).collect();
        looked = looked.or(looks(index, &program.names, &func.def.body, &given, calls + 1));
    }
    looked
}
