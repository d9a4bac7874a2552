//! A drawing as Mermaid text.

use super::{Drawing, Look, Style, id};
use std::fmt::Write;

pub(crate) fn write(drawing: &Drawing) -> String {
    let mut out = String::from("flowchart TD\n");
    body(drawing, &mut Vec::new(), &mut out);
    for (look, fill) in
        [("reaching", "#ffe3d3"), ("lowering", "#e6dcff"), ("control", "#dcebff"), ("port", "#eeeeee")]
    {
        let _infallible = writeln!(out, "  classDef {look} fill:{fill},stroke:#555,color:#111");
    }
    out
}

fn body(drawing: &Drawing, path: &mut Vec<usize>, out: &mut String) {
    let indent = "  ".repeat(path.len() + 1);
    for (at, one) in drawing.boxes.iter().enumerate() {
        path.push(at);
        let note = if one.note.is_empty() {
            String::new()
        } else {
            format!("<br/><small>{}</small>", escape(&one.note))
        };
        let class = if one.look == Look::Pure { String::new() } else { format!(":::{}", one.look.name()) };
        let _infallible = if one.inside.is_empty() {
            writeln!(out, "{indent}{}[\"{}{note}\"]{class}", id(path), escape(&one.name))
        } else {
            inside(drawing, at, path, out);
            Ok(())
        };
        path.pop();
    }
    for line in &drawing.arrows {
        let ends = [line.from, line.to].map(|end| id(&[path.as_slice(), &[end]].concat()));
        let arrow = match line.style {
            Style::Data => "-->",
            Style::Order => "-.->",
            Style::Edge => "==>",
        };
        let note = if line.note.is_empty() { String::new() } else { format!("|{}|", line.note) };
        let _infallible = writeln!(out, "{indent}{} {arrow}{note} {}", ends[0], ends[1]);
    }
}

fn inside(drawing: &Drawing, at: usize, path: &mut Vec<usize>, out: &mut String) {
    let Some(one) = drawing.boxes.get(at) else { return };
    let indent = "  ".repeat(path.len());
    let _infallible =
        writeln!(out, "{indent}subgraph {}[\"{} ({})\"]", id(path), escape(&one.name), escape(&one.note));
    for (number, drawing) in one.inside.iter().enumerate() {
        path.push(number);
        let _infallible = writeln!(out, "{indent}  subgraph {}s[\"{}\"]", id(path), escape(&drawing.title));
        body(drawing, path, out);
        let _infallible = writeln!(out, "{indent}  end");
        path.pop();
    }
    let _infallible = writeln!(out, "{indent}end");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
