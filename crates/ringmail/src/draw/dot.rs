//! A drawing as Graphviz text.

use super::{Drawing, Look, Style, id};
use std::fmt::Write;

pub(crate) fn write(drawing: &Drawing) -> String {
    let mut out = format!("digraph \"{}\" {{\n", escape(&drawing.title));
    out.push_str("  compound=true; node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n");
    body(drawing, &mut Vec::new(), &mut out);
    out.push_str("}\n");
    out
}

fn body(drawing: &Drawing, path: &mut Vec<usize>, out: &mut String) {
    let indent = "  ".repeat(path.len() + 1);
    for (at, one) in drawing.boxes.iter().enumerate() {
        path.push(at);
        let note = if one.note.is_empty() { String::new() } else { format!("\\n{}", escape(&one.note)) };
        let fill = match one.look {
            Look::Pure => "white",
            Look::Port => "gray93",
            Look::Reaching => "#ffe3d3",
            Look::Lowering => "#e6dcff",
            Look::Control => "#dcebff",
        };
        let _infallible = writeln!(
            out,
            "{indent}{} [label=\"{}{note}\", fillcolor=\"{fill}\"];",
            id(path),
            escape(&one.name)
        );
        for (number, inner) in one.inside.iter().enumerate() {
            path.push(number);
            let _infallible = writeln!(
                out,
                "{indent}subgraph cluster_{} {{ label=\"{}: {}\";",
                id(path),
                escape(&one.name),
                escape(&inner.title)
            );
            body(inner, path, out);
            let _infallible = writeln!(out, "{indent}}}");
            path.pop();
        }
        path.pop();
    }
    for line in &drawing.arrows {
        let ends = [line.from, line.to].map(|end| id(&[path.as_slice(), &[end]].concat()));
        let style = match line.style {
            Style::Data => "solid",
            Style::Order => "dotted",
            Style::Edge => "bold",
        };
        let _infallible =
            writeln!(out, "{indent}{} -> {} [style={style}, label=\"{}\"];", ends[0], ends[1], line.note);
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
