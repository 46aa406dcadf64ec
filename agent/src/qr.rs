//! A QR code as a picture: for a page, for a file, for a terminal.
//!
//! On a terminal two rows of modules share a line of half blocks; where the locale has no such characters, each module is
//! two signs wide, which is for printing more than for a telephone. The light modules are what is painted, because most
//! terminals are dark; where colour is wanted, black and white are said to the terminal, whatever its theme. The level
//! of correction is the caller's; a text that fits no code is refused.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

use crate::trouble::NextStep;

/// Light border that readers of QR codes need (ISO/IEC 18004), in modules.
pub(crate) const QUIET: i32 = 4;

/// How a code is drawn on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Two rows in a line.
    HalfBlocks,
    /// Two signs for a module.
    Ascii,
}

/// The code of a text, as small as it can be.
pub(crate) fn code(text: &str) -> anyhow::Result<QrCode> {
    QrCode::encode_text(text, QrCodeEcc::Low)
        .or_advise("the text is too long for a QR code", "copy the text itself: it says the same")
}

/// The modules, without a border.
pub(crate) fn rows(code: &QrCode) -> Vec<Vec<bool>> {
    (0..code.size()).map(|y| (0..code.size()).map(|x| code.get_module(x, y)).collect()).collect()
}

/// A picture for a page: one path, a rectangle for each run of dark modules in a row.
pub(crate) fn svg(code: &QrCode, label: &str) -> String {
    let mut picture = String::new();
    add_svg(&mut picture, code, label);
    picture
}

/// The same behind what stands in a page already: a secret's picture is in that one buffer only.
pub(crate) fn add_svg(page: &mut String, code: &QrCode, label: &str) {
    let size = code.size();
    let whole = size + 2 * QUIET;
    let _ = write!(
        page,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" shape-rendering=\"crispEdges\" \
         role=\"img\" aria-label=\"{label}\"><path fill=\"#fff\" d=\"M0 0h{whole}v{whole}H0z\"/>\
         <path d=\""
    );
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let run = (x..size).take_while(|x| code.get_module(*x, y)).count() as i32;
            if run > 0 {
                let _ = write!(page, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run.max(1);
        }
    }
    page.push_str("\"/></svg>\n");
}

/// How many columns a code takes.
pub(crate) fn columns(code: &QrCode, style: Style) -> usize {
    let whole = usize::try_from(code.size() + 2 * QUIET).unwrap_or(usize::MAX);
    match style {
        Style::HalfBlocks => whole,
        Style::Ascii => whole.saturating_mul(2),
    }
}

/// Lines for a terminal.
pub(crate) fn terminal(code: &QrCode, style: Style, colour: bool) -> String {
    let range = || -QUIET..code.size() + QUIET;
    let light = |x: i32, y: i32| !code.get_module(x, y);
    let mut text = String::new();
    let step = if style == Style::HalfBlocks { 2 } else { 1 };
    for y in range().step_by(step) {
        if colour {
            text.push_str("\u{1b}[97;40m");
        }
        for x in range() {
            let below = y + 1 < code.size() + QUIET && light(x, y + 1);
            text.push_str(match (style, light(x, y), below) {
                (Style::HalfBlocks, true, true) => "█",
                (Style::HalfBlocks, true, false) => "▀",
                (Style::HalfBlocks, false, true) => "▄",
                (Style::HalfBlocks, false, false) => " ",
                // Dark is painted: on paper that is the right way round.
                (Style::Ascii, true, _) => "  ",
                (Style::Ascii, false, _) => "##",
            });
        }
        if colour {
            text.push_str("\u{1b}[0m");
        }
        text.push('\n');
    }
    text
}

/// What the locale can show, by the variables that say so.
pub(crate) fn style_of(variable: impl Fn(&str) -> Option<String>) -> Style {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
    let utf8 = locale.contains("utf-8") || locale.contains("utf8");
    if utf8 { Style::HalfBlocks } else { Style::Ascii }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// A slip's worth of text.
    fn long() -> String {
        let text: String = (0..1_023).map(|n| char::from(b'A' + (n * 7 % 26) as u8)).collect();
        format!("https://portal.example:8443/slip#ASSAY1.{}", text.to_lowercase())
    }

    /// What a reader that knows nothing of our encoder reads off a picture of dark modules.
    fn read(dark: &[Vec<bool>]) -> String {
        const SCALE: usize = 4;
        let side = dark.len() * SCALE;
        let shade = |x: usize, y: usize| if dark[y / SCALE][x / SCALE] { 0 } else { 255 };
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side, side, shade);
        let grids = picture.detect_grids();
        assert_eq!(grids.len(), 1, "one code");
        grids[0].decode().expect("it reads").1
    }

    /// Dark modules of what stands on a terminal, its border included.
    fn seen(text: &str, style: Style) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let signs: Vec<char> = line.chars().collect();
            match style {
                Style::HalfBlocks => {
                    rows.push(signs.iter().map(|c| !matches!(c, '█' | '▀')).collect::<Vec<bool>>());
                    rows.push(signs.iter().map(|c| !matches!(c, '█' | '▄')).collect());
                }
                Style::Ascii => rows.push(signs.chunks(2).map(|pair| pair == ['#', '#']).collect()),
            }
        }
        // The last line of an odd number of rows holds one that is none.
        rows.truncate(rows[0].len());
        rows
    }

    #[test]
    fn what_is_drawn_on_a_terminal_is_read_back() {
        for text in ["ASSAY1.abc".to_owned(), long()] {
            let code = code(&text).expect("a code");
            for style in [Style::HalfBlocks, Style::Ascii] {
                let drawn = terminal(&code, style, false);
                assert!(drawn.lines().all(|line| line.chars().count() == columns(&code, style)));
                assert_eq!(read(&seen(&drawn, style)), text, "{style:?}");
            }
        }
        assert!(code(&"x".repeat(3_000)).is_err());
    }

    #[test]
    fn colours_are_said_and_taken_back_on_every_line() {
        let code = code("ASSAY1.abc").expect("a code");
        for line in terminal(&code, Style::HalfBlocks, true).lines() {
            assert!(line.starts_with("\u{1b}[97;40m") && line.ends_with("\u{1b}[0m"), "{line:?}");
        }
    }

    #[test]
    fn the_picture_in_a_file_is_read_back() {
        let text = long();
        let code = code(&text).expect("a code");
        let picture = svg(&code, "a code");
        // As a viewer paints it: from the path alone.
        let side = usize::try_from(code.size() + 2 * QUIET).expect("positive");
        let mut dark = vec![vec![false; side]; side];
        let path = picture.rsplit("d=\"").next().expect("a path").split('"').next().expect("its end");
        for run in path.split('M').filter(|run| !run.is_empty()) {
            let (x, rest) = run.split_once(' ').expect("x");
            let (y, rest) = rest.split_once('h').expect("y");
            let (length, _) = rest.split_once('v').expect("length");
            let [x, y, length] = [x, y, length].map(|n| n.parse::<usize>().expect("a number"));
            dark[y][x..x + length].fill(true);
        }
        assert_eq!(read(&dark), text);
        assert_eq!(rows(&code).len() + 8, side);
    }

    #[test]
    fn the_locale_decides() {
        fn check(set: &[(&str, &str)], expected: Style) {
            let variable =
                |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(style_of(variable), expected, "{set:?}");
        }
        check(&[], Style::Ascii);
        check(&[("LANG", "C")], Style::Ascii);
        check(&[("LANG", "en_US.UTF-8")], Style::HalfBlocks);
        check(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], Style::Ascii);
        check(&[("LANG", "C"), ("LC_ALL", ""), ("LC_CTYPE", "C.utf8")], Style::HalfBlocks);
    }
}
