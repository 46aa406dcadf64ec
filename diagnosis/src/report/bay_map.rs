//! The bay map as a drawing: one box for each bay, fan and power unit, four in a row, each with its state in a word.
//!
//! Narrow on purpose, so that its letters are readable on a telephone. State shows by word, mark and outline; colour
//! only repeats it. The list beside it says the same in words: the drawing is never the only place.

use super::bays::{Cell, Shelf, State};
use super::markup::Markup;
use super::words;

const COLUMNS: usize = 4;
const WIDTH: usize = 84;
const HEIGHT: usize = 52;
const GAP: usize = 6;
/// Space between the frame and the boxes.
const EDGE: usize = 8;
/// Space between the bays and the fans.
const APART: usize = 20;
/// Width of the whole drawing.
const TOTAL: usize = 2 * EDGE + COLUMNS * WIDTH + (COLUMNS - 1) * GAP;

/// Draws one shelf; `number` makes its names unique on the page.
pub(super) fn draw(page: &mut Markup, shelf: &Shelf, number: usize) {
    let bays = rows_height(shelf.bays.len());
    let apart = if bays > 0 && !shelf.parts.is_empty() { APART } else { 0 };
    let height = 2 * EDGE + bays + apart + rows_height(shelf.parts.len());
    let (title, desc) = (format!("map{number}t"), format!("map{number}d"));
    let view = format!("0 0 {TOTAL} {height}");
    page.open("svg", &[("viewBox", &view), ("role", "img"), ("aria-labelledby", &format!("{title} {desc}"))]);
    page.leaf("title", &[("id", &title)], &format!("{}: {}", words::CHASSIS, shelf.name));
    page.leaf("desc", &[("id", &desc)], &words::map(&shelf.name, &counted(shelf)));
    let (inner_width, inner_height) = ((TOTAL - 2).to_string(), (height - 2).to_string());
    page.shape(
        "rect",
        &[
            ("class", "f"),
            ("x", "1"),
            ("y", "1"),
            ("width", &inner_width),
            ("height", &inner_height),
            ("rx", "6"),
        ],
    );
    for (cell, place) in shelf.bays.iter().zip(0..) {
        draw_cell(page, cell, place, EDGE);
    }
    if apart > 0 {
        let y = (EDGE + bays + apart - 6).to_string();
        page.leaf("text", &[("class", "s"), ("x", "8"), ("y", &y)], words::FANS_AND_POWER);
    }
    for (cell, place) in shelf.parts.iter().zip(0..) {
        draw_cell(page, cell, place, EDGE + bays + apart);
    }
    page.close();
}

/// How many there are of each state, worst first.
fn counted(shelf: &Shelf) -> Vec<(State, usize)> {
    let cells = || shelf.bays.iter().chain(&shelf.parts);
    let mut states: Vec<State> = cells().map(|cell| cell.state).collect();
    states.sort_unstable_by(|a, b| b.cmp(a));
    states.dedup();
    states.into_iter().map(|state| (state, cells().filter(|cell| cell.state == state).count())).collect()
}

/// Name of a state in the style sheet.
pub(super) fn class(state: State) -> &'static str {
    match state {
        State::Confirmed => "confirmed",
        State::Suspected => "suspected",
        State::Watch => "watch",
        State::Clear => "clear",
        State::Unknown => "unknown",
        State::Empty => "empty",
    }
}

fn rows_height(cells: usize) -> usize {
    let rows = cells.div_ceil(COLUMNS);
    rows * HEIGHT + rows.saturating_sub(1) * GAP
}

fn draw_cell(page: &mut Markup, cell: &Cell, place: usize, top: usize) {
    let x = EDGE + place % COLUMNS * (WIDTH + GAP);
    let y = top + place / COLUMNS * (HEIGHT + GAP);
    let at = |offset: usize| (y + offset).to_string();
    let (mark, word) = words::state(cell.state);
    let (left, text) = (x.to_string(), (x + 7).to_string());
    page.open("g", &[("class", class(cell.state))]);
    let (width, height) = (WIDTH.to_string(), HEIGHT.to_string());
    page.shape("rect", &[("x", &left), ("y", &at(0)), ("width", &width), ("height", &height), ("rx", "4")]);
    page.leaf("text", &[("class", "l"), ("x", &text), ("y", &at(15))], &cell.label);
    page.leaf("text", &[("class", "w"), ("x", &text), ("y", &at(30))], &format!("{mark} {word}"));
    if !cell.short.is_empty() {
        page.leaf("text", &[("class", "s"), ("x", &text), ("y", &at(44))], &cell.short);
    }
    page.close();
}
