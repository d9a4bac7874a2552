//! Steps of a workflow that take whatever comes.

use crate::python::{ClassSite, last, span};
use crate::rule::{Area, Hit, Look, ReviewRule};
use ruff_python_ast::Stmt;
use ruff_text_size::Ranged;

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "node-without-schema",
    area: Area::Validation,
    title: "a node or tool does not say what it takes",
    why: "Without a schema nothing is checked before `execute`: types, lengths and unknown fields are whatever a caller or a model sends.",
    mend: "give the class an `input_schema` (or `args_schema`) that names and bounds every field",
    file: "nodes.py",
    bad: "from dynamiq.nodes import Node\n\n\nclass Lookup(Node):\n    name: str = \"lookup\"\n\n    def execute(self, input_data, config=None, **kwargs):\n        return {\"content\": input_data[\"query\"]}\n",
    good: "from typing import ClassVar\n\nfrom dynamiq.nodes import Node\nfrom pydantic import BaseModel\n\n\nclass LookupInput(BaseModel):\n    query: str\n\n\nclass Lookup(Node):\n    name: str = \"lookup\"\n    input_schema: ClassVar[type[LookupInput]] = LookupInput\n\n    def execute(self, input_data: LookupInput, config=None, **kwargs):\n        return {\"content\": input_data.query}\n",
    owasp: &["LLM10", "ASI02", "MCP05"],
    refusal: Some("untrusted-argument"),
    looks: &[Look::Class(class)],
};

const NODES: &[&str] = &["Node", "ConnectionNode", "VectorStoreNode", "BaseNode"];

fn class(site: &ClassSite<'_, '_>) -> Option<Hit> {
    let index = site.place.index;
    let known = index.classes.get(site.class)?;
    if !index.derives(site.class, NODES) || index.field(site.class, "input_schema") {
        return None;
    }
    let abstract_class = known.bases.iter().any(|base| ["ABC", "Protocol"].contains(&last(base)))
        || known
            .name
            .rsplit('.')
            .next()
            .is_some_and(|name| name.starts_with("Base") || name.starts_with('_'));
    let executes = known.methods.contains_key("execute");
    let takes = site.def.body.iter().find_map(|statement| match statement {
        Stmt::FunctionDef(def) if def.name.as_str() == "execute" => Some(def),
        _ => None,
    })?;
    let stub = takes.decorator_list.iter().any(|one| {
        site.place.program.names.resolve(&one.expression).is_some_and(|name| last(&name) == "abstractmethod")
    });
    (executes && !abstract_class && !stub).then(|| {
        Hit::high(span(site.def.name.range()), format!("`{}` runs without an `input_schema`", site.def.name))
    })
}
