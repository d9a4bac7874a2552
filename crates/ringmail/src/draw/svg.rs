//! A drawing as SVG, without any program but this one. Readable on light and dark pages.

use super::layout::{Gap, Laid, Placed, lay};
use super::{Drawing, Line, Look, Style};
use std::fmt::Write;

const STYLE: &str = "\
text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1b1f24}\
.note{font-size:11px;fill:#57606a}\
.box{fill:#fff;stroke:#8c959f;stroke-width:1.2}\
.reaching{fill:#fff1e5;stroke:#bc4c00}.lowering{fill:#fbefff;stroke:#8250df}\
.control{fill:#eef6ff;stroke:#0969da}.port{fill:#f6f8fa;stroke-dasharray:3 3}\
.line{fill:none;stroke:#57606a;stroke-width:1.3}.order{stroke-dasharray:2 4}.edge{stroke:#0969da;stroke-dasharray:6 3}\
.frame{fill:none;stroke:#d0d7de}";

const LEGEND: &[(&str, &str)] = &[
    ("reaching", "reaches out"),
    ("lowering", "changes a label"),
    ("control", "decides or loops"),
    ("pure", "pure"),
];
const LEGEND_H: f64 = 30.0;
const HEAD_H: f64 = 28.0;

pub(crate) fn write(drawing: &Drawing) -> String {
    const WIDTH_MIN: f64 = 460.0;
    let laid = lay(drawing);
    let (width, height) = (laid.width.max(WIDTH_MIN), laid.height + HEAD_H + LEGEND_H);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"chain {title}\">\n\
         <style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#57606a\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"14\" y=\"20\" font-weight=\"600\">{title}</text>\n",
        title = escape(&drawing.title)
    );
    group(&mut out, (width - laid.width) / 2.0, HEAD_H, &laid);
    legend(&mut out, height - LEGEND_H / 2.0);
    out.push_str("</svg>\n");
    out
}

fn group(out: &mut String, x: f64, y: f64, laid: &Laid<'_>) {
    let _infallible = writeln!(out, "<g transform=\"translate({x:.1} {y:.1})\">");
    for (line, way) in laid.drawing.arrows.iter().zip(&laid.ways) {
        if let (Some(from), Some(to)) = (laid.places.get(line.from), laid.places.get(line.to)) {
            arrow(out, from, to, way, line);
        }
    }
    for place in &laid.places {
        boxed(out, place);
    }
    out.push_str("</g>\n");
}

fn boxed(out: &mut String, place: &Placed<'_>) {
    let Placed { one, x, y, w, h, .. } = place;
    let _infallible = writeln!(
        out,
        "<rect class=\"box {}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"7\"/>",
        one.look.name()
    );
    let middle = x + w / 2.0;
    let (name_y, note_y) = if one.look == Look::Port { (y + 27.0, 0.0) } else { (y + 19.0, y + 35.0) };
    let _infallible = writeln!(
        out,
        "<text x=\"{middle:.1}\" y=\"{name_y:.1}\" text-anchor=\"middle\">{}</text>",
        escape(&one.name)
    );
    if !one.note.is_empty() {
        let _infallible = writeln!(
            out,
            "<text class=\"note\" x=\"{middle:.1}\" y=\"{note_y:.1}\" text-anchor=\"middle\">{}</text>",
            escape(&one.note)
        );
    }
    for (dx, dy, laid) in &place.inside {
        let (left, top) = (x + dx, y + dy);
        let _infallible = writeln!(
            out,
            "<rect class=\"frame\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\"/>\n<text class=\"note\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>",
            laid.width,
            laid.height,
            top - 6.0,
            escape(&laid.drawing.title)
        );
        group(out, left, top, laid);
    }
}

fn arrow(out: &mut String, from: &Placed<'_>, to: &Placed<'_>, way: &[Gap], line: &Line) {
    let (x, y) = (from.x + from.w / 2.0, from.y + from.h);
    let end = Gap { x: to.x + to.w / 2.0, top: to.y - 1.0, bottom: to.y - 1.0 };
    let class = match line.style {
        Style::Data => "line",
        Style::Order => "line order",
        Style::Edge => "line edge",
    };
    let mut path = format!("M{x:.1} {y:.1}");
    let (mut x, mut y) = (x, y);
    // Down through the gaps of each layer, so that no arrow runs behind a box.
    for gap in way.iter().chain([&end]) {
        let bend = (gap.top - y) * 0.45;
        let _infallible = write!(
            path,
            "C{x:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            y + bend,
            gap.x,
            gap.top - bend,
            gap.x,
            gap.top
        );
        if gap.bottom > gap.top {
            let _infallible = write!(path, "V{:.1}", gap.bottom);
        }
        (x, y) = (gap.x, gap.bottom);
    }
    let _infallible = writeln!(out, "<path class=\"{class}\" marker-end=\"url(#tip)\" d=\"{path}\"/>");
    if !line.note.is_empty() {
        // By the tip: there no two arrows of one link meet.
        let _infallible = writeln!(
            out,
            "<text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            end.x + 6.0,
            end.top - 9.0,
            escape(line.note)
        );
    }
}

fn legend(out: &mut String, y: f64) {
    let mut x = 14.0;
    for (class, words) in LEGEND {
        let _infallible = writeln!(
            out,
            "<rect class=\"box {class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" rx=\"3\"/><text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">{words}</text>",
            y - 8.0,
            x + 18.0,
            y + 2.0
        );
        x += 34.0 + words.len() as f64 * 6.2;
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
