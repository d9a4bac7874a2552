//! Where the boxes of a drawing stand: in layers from top to bottom, ordered within each layer so that few arrows
//! cross. Bodies are laid out first and make their box as large as they need.

use super::{Box, Drawing};

pub(super) const CHAR_W: f64 = 7.2;
const PAD: f64 = 14.0;
const BOX_H: f64 = 44.0;
const GAP_X: f64 = 28.0;
pub(super) const GAP_Y: f64 = 52.0;
const TITLE_H: f64 = 22.0;
/// Rounds of ordering; few layers still move after this many.
const ROUNDS: usize = 6;

/// A drawing with places.
pub(super) struct Laid<'d> {
    pub(super) drawing: &'d Drawing,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) places: Vec<Placed<'d>>,
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

pub(super) fn lay(drawing: &Drawing) -> Laid<'_> {
    let mut places: Vec<Placed<'_>> = drawing.boxes.iter().map(sized).collect();
    let rows = ordered(drawing);
    let row_width = |row: &Vec<usize>, places: &[Placed<'_>]| {
        let boxes: f64 = row.iter().filter_map(|at| places.get(*at)).map(|place| place.w).sum();
        boxes + GAP_X * row.len().saturating_sub(1) as f64
    };
    let width = rows.iter().map(|row| row_width(row, &places)).fold(0.0, f64::max);
    let mut y = PAD;
    for row in &rows {
        let mut x = PAD + (width - row_width(row, &places)) / 2.0;
        let mut height = 0.0_f64;
        for at in row {
            let Some(place) = places.get_mut(*at) else { continue };
            (place.x, place.y) = (x, y);
            x += place.w + GAP_X;
            height = height.max(place.h);
        }
        y += height + GAP_Y;
    }
    let height = if rows.is_empty() { 2.0 * PAD } else { y - GAP_Y + PAD };
    Laid { drawing, width: width + 2.0 * PAD, height, places }
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

/// The boxes by layer, each layer from left to right.
fn ordered(drawing: &Drawing) -> Vec<Vec<usize>> {
    let ranks = ranks(drawing);
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for (at, rank) in ranks.iter().enumerate() {
        if rows.len() <= *rank {
            rows.resize(rank + 1, Vec::new());
        }
        if let Some(row) = rows.get_mut(*rank) {
            row.push(at);
        }
    }
    for _ in 0..ROUNDS {
        for rank in 1..rows.len() {
            sort_row(drawing, &mut rows, rank);
        }
    }
    rows
}

/// Sorts a layer by where the boxes that lead into it stand.
fn sort_row(drawing: &Drawing, rows: &mut [Vec<usize>], rank: usize) {
    let place = |at: usize| {
        rows.iter().find_map(|row| {
            let position = row.iter().position(|other| *other == at)?;
            Some((position as f64 + 0.5) / row.len() as f64)
        })
    };
    let centre = |at: usize| {
        let from = drawing.arrows.iter().filter(|line| line.to == at).filter_map(|line| place(line.from));
        let places: Vec<f64> = from.collect();
        if places.is_empty() {
            place(at).unwrap_or(0.5)
        } else {
            places.iter().sum::<f64>() / places.len() as f64
        }
    };
    let Some(row) = rows.get(rank) else { return };
    let mut sorted: Vec<(f64, usize)> = row.iter().map(|at| (centre(*at), *at)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some(row) = rows.get_mut(rank) {
        *row = sorted.into_iter().map(|(_, at)| at).collect();
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
