//! Files of callers, taken whatever they are.

use crate::python::{FunctionSite, last, span, type_name};
use crate::rule::{Area, Hit, Look, ReviewRule};
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
    owasp: &["LLM05", "ASI02", "MCP05"],
    refusal: None,
    looks: &[Look::Function(function)],
};

fn function(site: &FunctionSite<'_, '_>) -> Option<Hit> {
    let names = &site.place.program.names;
    let upload = site.def.parameters.iter_non_variadic_params().find(|one| {
        let made = one.parameter.annotation.as_ref().and_then(|annotation| type_name(annotation, names));
        made.is_some_and(|made| last(&made) == "UploadFile")
    })?;
    let at = span(site.def.range());
    let text = site.place.program.file.text().get(at.start..at.end)?.to_ascii_lowercase();
    let checks = [
        "content_type",
        ".size",
        "mimetype",
        "magic",
        "suffix",
        "max_",
        "validate",
        "allowed",
        "splitext",
        "endswith(",
    ];
    (!checks.iter().any(|check| text.contains(check))).then(|| {
        Hit::high(span(upload.range()), format!("`{}` is taken whatever it is", upload.parameter.name))
    })
}
