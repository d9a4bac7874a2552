//! Where the boxes of a drawing stand: in layers from top to bottom, ordered within each layer so that few arrows
//! cross. Bodies are laid out first and make their box as large as they need.

use super::{Box, Drawing};

pub(super) const CHAR_W: f64 = 7.2;
const PAD: f64 = 14.0;
const BOX_H: f64 = 44.0;
const GAP_X: f64 = 28.0;
const GAP_Y: f64 = 52.0;
const TITLE_H: f64 = 22.0;
/// Rounds of ordering; few layers still move after this many.
const ROUNDS: usize = 6;

/// A drawing with places.
pub(super) struct Laid<'d> {
    pub(super) drawing: &'d Drawing,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) places: Vec<Placed<'d>>,
    /// For each arrow, the gaps between boxes that it goes through on its way down.
    pub(super) ways: Vec<Vec<Gap>>,
}

/// A gap in a layer: where it is, and from where to where it goes down.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    pub(super) x: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// A box with its place in its drawing.
pub(super) struct Placed<'d> {
    pub(super) one: &'d Box,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) w: f64,
    pub(super) h: f64,
    /// Bodies with their place in the box.
    pub(super) inside: Vec<(f64, f64, Laid<'d>)>,
}

/// What stands in a layer: a box, or an arrow on its way to a later one.
#[derive(Clone, Copy, PartialEq)]
enum Node {
    Box(usize),
    Way { arrow: usize, rank: usize },
}

/// Room for an arrow between boxes.
const WAY_W: f64 = 4.0;

pub(super) fn lay(drawing: &Drawing) -> Laid<'_> {
    let mut places: Vec<Placed<'_>> = drawing.boxes.iter().map(sized).collect();
    let mut ways: Vec<Vec<Gap>> = vec![Vec::new(); drawing.arrows.len()];
    let rows = ordered(drawing);
    let wide = |node: &Node, places: &[Placed<'_>]| match node {
        Node::Box(at) => places.get(*at).map_or(0.0, |place| place.w),
        Node::Way { .. } => WAY_W,
    };
    let row_width = |row: &[Node], places: &[Placed<'_>]| {
        let nodes: f64 = row.iter().map(|node| wide(node, places)).sum();
        nodes + GAP_X * row.len().saturating_sub(1) as f64
    };
    let width = rows.iter().map(|row| row_width(row, &places)).fold(0.0, f64::max);
    let mut y = PAD;
    for row in &rows {
        let mut x = PAD + (width - row_width(row, &places)) / 2.0;
        let mut height = 0.0_f64;
        for node in row {
            let w = wide(node, &places);
            match node {
                Node::Box(at) => {
                    if let Some(place) = places.get_mut(*at) {
                        (place.x, place.y) = (x, y);
                        height = height.max(place.h);
                    }
                }
                Node::Way { arrow, .. } => {
                    if let Some(way) = ways.get_mut(*arrow) {
                        way.push(Gap { x: x + w / 2.0, top: y, bottom: y });
                    }
                }
            }
            x += w + GAP_X;
        }
        for gap in ways.iter_mut().flatten().filter(|gap| gap.top >= y) {
            gap.bottom = y + height;
        }
        y += height + GAP_Y;
    }
    let height = if rows.is_empty() { 2.0 * PAD } else { y - GAP_Y + PAD };
    Laid { drawing, width: width + 2.0 * PAD, height, places, ways }
}

fn sized(one: &Box) -> Placed<'_> {
    let letters = one.name.chars().count().max(one.note.chars().count()).max(6);
    let mut w = letters as f64 * CHAR_W + 2.0 * PAD;
    let mut h = BOX_H;
    let mut inside = Vec::new();
    let mut x = PAD;
    let mut tallest = 0.0_f64;
    for drawing in &one.inside {
        let laid = lay(drawing);
        let title = drawing.title.chars().count() as f64 * CHAR_W + 2.0 * PAD;
        let wide = laid.width.max(title);
        tallest = tallest.max(laid.height + TITLE_H);
        inside.push((x, BOX_H + TITLE_H, laid));
        x += wide + PAD;
    }
    if !inside.is_empty() {
        w = w.max(x);
        h = BOX_H + tallest + PAD;
    }
    Placed { one, x: 0.0, y: 0.0, w, h, inside }
}

/// The boxes by layer, each layer from left to right, with room for the arrows that pass.
fn ordered(drawing: &Drawing) -> Vec<Vec<Node>> {
    let ranks = ranks(drawing);
    let rank = |at: usize| ranks.get(at).copied().unwrap_or(0);
    let last = ranks.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<Node>> = vec![Vec::new(); last];
    let mut put = |rank: usize, node: Node| {
        if let Some(row) = rows.get_mut(rank) {
            row.push(node);
        }
    };
    (0..drawing.boxes.len()).for_each(|at| put(rank(at), Node::Box(at)));
    // Which nodes lead to which, one layer at a time.
    let mut steps: Vec<(Node, Node)> = Vec::new();
    for (arrow, line) in drawing.arrows.iter().enumerate() {
        let mut from = Node::Box(line.from);
        for between in rank(line.from) + 1..rank(line.to) {
            let way = Node::Way { arrow, rank: between };
            put(between, way);
            steps.push((from, way));
            from = way;
        }
        steps.push((from, Node::Box(line.to)));
    }
    for _ in 0..ROUNDS {
        for rank in 1..rows.len() {
            sort_row(&steps, &mut rows, rank);
        }
    }
    rows
}

/// Sorts a layer by where the nodes that lead into it stand.
fn sort_row(steps: &[(Node, Node)], rows: &mut [Vec<Node>], rank: usize) {
    let place = |node: Node| {
        rows.iter().find_map(|row| {
            let position = row.iter().position(|other| *other == node)?;
            Some((position as f64 + 0.5) / row.len() as f64)
        })
    };
    let centre = |node: Node| {
        let places: Vec<f64> =
            steps.iter().filter(|(_, to)| *to == node).filter_map(|(from, _)| place(*from)).collect();
        match places.len() {
            0 => place(node).unwrap_or(0.5),
            count => places.iter().sum::<f64>() / count as f64,
        }
    };
    let Some(row) = rows.get(rank) else { return };
    let mut sorted: Vec<(f64, Node)> = row.iter().map(|node| (centre(*node), *node)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some(row) = rows.get_mut(rank) {
        *row = sorted.into_iter().map(|(_, node)| node).collect();
    }
}

/// The longest way from a start to each box. Chains have no circles, so this ends; the bound keeps that true here.
fn ranks(drawing: &Drawing) -> Vec<usize> {
    let mut ranks = vec![0_usize; drawing.boxes.len()];
    for _ in 0..drawing.boxes.len() {
        let mut moved = false;
        for line in &drawing.arrows {
            let needed = ranks.get(line.from).map_or(0, |rank| rank + 1);
            if let Some(rank) = ranks.get_mut(line.to).filter(|rank| **rank < needed) {
                *rank = needed;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    ranks
}
