//! The verdict slip on a page: the code to photograph, and its text below.
//!
//! Signing and encoding are the caller's: here stand the modules of a finished code. It is drawn black on white in every
//! colour scheme, with the light border that readers need.

use super::markup::Markup;
use super::words;

/// Light border that readers of QR codes need (ISO/IEC 18004), in modules.
const QUIET: usize = 4;

/// A signed slip and its QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlipDrawing {
    /// The slip, `ASSAY1.…`.
    pub text: String,
    /// The code's rows; `true` is a dark module. Without a border.
    pub rows: Vec<Vec<bool>>,
}

pub(super) fn draw(page: &mut Markup, slip: &SlipDrawing) {
    page.line();
    page.open("section", &[("aria-labelledby", "slip")]);
    page.leaf("h2", &[("id", "slip")], words::SLIP);
    page.open("div", &[("class", "card map")]);
    page.leaf("p", &[], words::SLIP_NOTE);
    let side = (slip.rows.len() + 2 * QUIET).to_string();
    let view_box = format!("0 0 {side} {side}");
    page.open(
        "svg",
        &[
            ("viewBox", &view_box),
            ("shape-rendering", "crispEdges"),
            ("role", "img"),
            ("aria-label", words::SLIP_CODE),
        ],
    );
    page.shape("rect", &[("width", &side), ("height", &side), ("fill", "#fff")]);
    page.shape("path", &[("fill", "#000"), ("d", &path(&slip.rows))]);
    page.close();
    page.open("p", &[("class", "soft")]);
    page.path(&slip.text);
    page.close();
    page.close();
    page.close();
}

/// One path: a rectangle for each run of dark modules in a row.
fn path(rows: &[Vec<bool>]) -> String {
    let mut path = String::new();
    for (row, y) in rows.iter().zip(QUIET..) {
        let mut x = QUIET;
        for run in row.chunk_by(|a, b| a == b) {
            let length = run.len();
            if run.first() == Some(&true) {
                path.push_str(&format!("M{x} {y}h{length}v1h-{length}z"));
            }
            x += length;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dark_runs_become_rectangles() {
        fn check(rows: &[&str], expected: &str) {
            let rows: Vec<Vec<bool>> =
                rows.iter().map(|row| row.chars().map(|c| c == '#').collect()).collect();
            assert_eq!(path(&rows), expected);
        }
        check(&["##.#", "....", ".###"], "M4 4h2v1h-2zM7 4h1v1h-1zM5 6h3v1h-3z");
        check(&[], "");
    }
}
