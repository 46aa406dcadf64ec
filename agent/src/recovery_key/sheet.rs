//! The sheet that the owner keeps: the words, the plain key, its QR code, the stock commands, and what they belong to.
//! As text for a terminal, and as one HTML page that prints on one sheet of A4 and loads nothing.
//!
//! Everything that holds the secret is one buffer that is wiped when it is dropped.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};
use zeroize::Zeroizing;

use super::secret::Secret;
use super::words::{COUNT, Words};
use super::{LOOK, UNPACK};
use crate::{clock, qr};

/// Columns of words.
const COLUMNS: usize = 3;
/// Words in a column.
const ROWS: usize = COUNT / COLUMNS;
/// Room for a whole page, so that its text is never moved in memory and left behind.
const PAGE_BYTES: usize = 64 << 10;

/// What the key belongs to, as far as it could be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Belongs {
    /// Model of the machine.
    pub(crate) model: Option<String>,
    /// Its serial number.
    pub(crate) serial: Option<String>,
    /// Folder on this machine below which Assay keeps what it writes; none without a data volume.
    pub(crate) data: Option<String>,
}

impl Belongs {
    fn machine(&self) -> String {
        let model = self.model.as_deref().unwrap_or("model not read");
        let serial = self.serial.as_deref().unwrap_or("not read");
        format!("{model}, serial number {serial}")
    }

    fn copies(&self) -> String {
        match &self.data {
            Some(folder) => format!("on this machine below {folder}, and wherever you carried them"),
            None => "wherever you carried them; no data volume was mounted".to_owned(),
        }
    }
}

/// What is on the sheet.
pub(crate) struct Sheet {
    words: Words,
    plain: Zeroizing<String>,
    recipient: String,
    machine: String,
    copies: String,
    made: String,
}

impl Sheet {
    /// The sheet of a key made at `made_unix_s`.
    pub(crate) fn of(secret: &Secret, belongs: &Belongs, made_unix_s: i64) -> anyhow::Result<Self> {
        Ok(Self {
            words: secret.words(),
            plain: secret.plain()?,
            recipient: secret.recipient()?,
            machine: belongs.machine(),
            copies: belongs.copies(),
            made: clock::day(made_unix_s).map_or_else(|| "day not known".to_owned(), |day| day.to_string()),
        })
    }

    /// Row by row: number and word of each column.
    fn rows(&self) -> Vec<Vec<(usize, &'static str)>> {
        let all: Vec<&str> = self.words.iter().collect();
        let words = all.as_slice();
        let row = |row: usize| {
            (0..COLUMNS).filter_map(move |column| {
                let place = column * ROWS + row;
                words.get(place).map(|word| (place + 1, *word))
            })
        };
        (0..ROWS).map(|index| row(index).collect()).collect()
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PAGE_BYTES));
        let Self { machine, made, copies, recipient, .. } = self;
        let _ = writeln!(*text, "Recovery key of {machine}\nmade {made}\n");
        for row in self.rows() {
            for (number, word) in row {
                let _ = write!(*text, "{number:>4}  {word:<10}");
            }
            text.push('\n');
        }
        let _ = write!(
            *text,
            "\nplain key    {}\n\
             public half  {recipient}\n\
             copies       {copies}\n\
             \n\
             To open a copy without Assay, on any machine with age, zstd and tar: put the plain key on a line of its\n\
             own into key.txt, then\n  {LOOK}\n  {UNPACK}\n\
             The words give the plain key again: assay recovery-key --words\n",
            self.plain.as_str()
        );
        text
    }

    /// For a printer.
    pub(crate) fn html(&self) -> anyhow::Result<Zeroizing<String>> {
        let mut page = Zeroizing::new(String::with_capacity(PAGE_BYTES));
        let Self { made, recipient, .. } = self;
        let (machine, copies) = (escaped(&self.machine), escaped(&self.copies));
        let policy = assay_bundle::digest::policy_source(STYLE);
        let _ = write!(
            *page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{policy}'\">\n\
             <title>Recovery key</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>Recovery key</h1>\n\
             <p class=\"warn\">Whoever holds this sheet can open every recovery copy made with it. Keep it where you \
             keep deeds, not beside the machine. Delete the file it was printed from.</p>\n\
             <dl><dt>Machine</dt><dd>{machine}</dd><dt>Made</dt><dd>{made}</dd><dt>Copies</dt><dd>{copies}</dd></dl>\n\
             <h2>The {COUNT} words</h2>\n<table>\n"
        );
        for row in self.rows() {
            page.push_str("<tr>");
            for (number, word) in row {
                let _ = write!(*page, "<td class=\"n\">{number}</td><td>{word}</td>");
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</table>\n<h2>The same key in one line</h2>\n<div class=\"key\">\n");
        qr(&mut page, &self.plain)?;
        let _ = write!(
            *page,
            "<div><p><code>{}</code></p>\n<p>Public half: <code>{recipient}</code></p></div>\n</div>\n\
             <h2>To open a copy without Assay</h2>\n\
             <p>On any machine with age, zstd and tar: put the key of one line into <code>key.txt</code>. The first \
             command lists what is in a copy, the second unpacks it.</p>\n\
             <pre>{LOOK}\n{UNPACK}</pre>\n\
             <p>The words give the line again, on any machine and without a network: \
             <code>assay recovery-key --words</code></p>\n</body>\n</html>\n",
            self.plain.as_str()
        );
        Ok(page)
    }
}

/// Black on white, one page of A4 with its margins.
const STYLE: &str = "@page{size:A4 portrait;margin:15mm}\
    body{font:11pt/1.4 sans-serif;color:#000;background:#fff;max-width:180mm;margin:auto}\
    h1{font-size:18pt;margin:0 0 3mm}h2{font-size:12pt;margin:5mm 0 2mm}\
    p,dl{margin:0 0 2mm}dt{float:left;width:20mm;font-weight:bold}dd{margin-left:22mm}\
    .warn{border:1pt solid #000;padding:2mm}\
    table{border-collapse:collapse;width:100%}\
    td{font:14pt/1.5 monospace;border-bottom:.5pt solid #999;width:27%}\
    td.n{color:#555;text-align:right;padding-right:3mm;width:6%}\
    .key{display:flex;gap:6mm;align-items:center}.key svg{flex:none;width:42mm;height:42mm}\
    code,pre{font:10pt/1.5 monospace;overflow-wrap:anywhere}pre{white-space:pre-wrap;margin:0 0 2mm}\
    h1,h2,table,.key,pre{break-inside:avoid}";

/// Adds the QR code of a text as SVG: one path, a rectangle for each run of dark modules in a row.
fn qr(page: &mut String, text: &str) -> anyhow::Result<()> {
    let code = QrCode::encode_text(text, QrCodeEcc::Quartile)?;
    qr::add_svg(page, &code, "QR code of the key");
    Ok(())
}

/// A text inside HTML. Model and serial number are what a machine says of itself.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn sheet() -> (Secret, Sheet) {
        let secret = Secret::generate().expect("randomness");
        let belongs = Belongs {
            model: Some("TS-h973AX".to_owned()),
            serial: Some("Q1<script>&".to_owned()),
            data: Some("/share/CACHEDEV1_DATA/.assay".to_owned()),
        };
        let sheet = Sheet::of(&secret, &belongs, 1_700_000_000).expect("a sheet");
        (secret, sheet)
    }

    #[test]
    fn both_forms_have_everything() {
        let (secret, sheet) = sheet();
        let (text, html) = (sheet.text(), sheet.html().expect("a page"));
        let plain = secret.plain().expect("text");
        let recipient = secret.recipient().expect("text");
        for form in [&text, &html] {
            for wanted in
                [plain.as_str(), &recipient, LOOK, UNPACK, "TS-h973AX", "2023-11-14", ".assay", "--words"]
            {
                assert!(form.contains(wanted), "{wanted}: {}", form.as_str());
            }
            assert!(form.len() < PAGE_BYTES, "it was never moved");
        }
        for (index, word) in secret.words().iter().enumerate() {
            assert!(text.contains(&format!("{:>4}  {word}", index + 1)), "{}", text.as_str());
            let cell = format!("<td class=\"n\">{}</td><td>{word}</td>", index + 1);
            assert!(html.contains(&cell), "{}", html.as_str());
        }
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{}", text.as_str());
    }

    #[test]
    fn the_page_loads_nothing_and_says_only_what_it_is_told() {
        let (_, sheet) = sheet();
        let html = sheet.html().expect("a page");
        assert!(!html.contains("<script"), "{}", html.as_str());
        assert!(html.contains("Q1&lt;script&gt;&amp;"));
        assert_eq!(html.matches("http").count(), 2, "the name of a policy and of SVG; no address");
        for loads in ["src=", "href=", "url(", "@import", "<link", "<img"] {
            assert!(!html.contains(loads), "{loads}");
        }
    }

    /// What the path of the SVG paints.
    fn painted(html: &str) -> Vec<Vec<bool>> {
        let path = html.split("<path d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        let side: usize = html
            .split("viewBox=\"0 0 ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .and_then(|n| n.parse().ok())
            .expect("a size");
        let mut dark = vec![vec![false; side]; side];
        for run in path.split('M').skip(1) {
            let (at, rest) = run.split_once('h').expect("a run");
            let (x, y) = at.split_once(' ').expect("a place");
            let (x, y): (usize, usize) = (x.parse().expect("x"), y.parse().expect("y"));
            let count: usize = rest.split('v').next().and_then(|n| n.parse().ok()).expect("a length");
            for cell in dark[y].iter_mut().skip(x).take(count) {
                *cell = true;
            }
        }
        let quiet = qr::QUIET as usize;
        for (y, row) in dark.iter().enumerate() {
            for (x, cell) in row.iter().enumerate() {
                let border = [x, y].iter().any(|n| *n < quiet || *n >= side - quiet);
                assert!(!(border && *cell), "the border is light");
            }
        }
        dark[quiet..side - quiet].iter().map(|row| row[quiet..side - quiet].to_vec()).collect()
    }

    #[test]
    fn the_code_reads_as_the_key() {
        for _ in 0..8 {
            let (secret, sheet) = sheet();
            let html = sheet.html().expect("a page");
            assert_eq!(reader::read(&painted(&html)), *secret.plain().expect("text"));
        }
    }

    /// A reader of QR codes of version 5, level Q, alphanumeric, written from the standard's tables and not from the
    /// encoder: undisturbed codes only, so the correction bytes are compared with a division of their own.
    mod reader {
        const SIDE: usize = 37;
        const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

        /// Finder, separator, timing, alignment at (30, 30), format: modules that carry no data.
        fn function(x: usize, y: usize) -> bool {
            let corner = |a: usize, b: usize| a < 9 && b < 9;
            corner(x, y)
                || x >= SIDE - 8 && y < 9
                || y >= SIDE - 8 && x < 9
                || x == 6
                || y == 6
                || (28..=32).contains(&x) && (28..=32).contains(&y)
        }

        fn masked(mask: u32, x: usize, y: usize) -> bool {
            0 == match mask {
                0 => (x + y) % 2,
                1 => y % 2,
                2 => x % 3,
                3 => (x + y) % 3,
                4 => (x / 3 + y / 2) % 2,
                5 => x * y % 2 + x * y % 3,
                6 => (x * y % 2 + x * y % 3) % 2,
                _ => ((x + y) % 2 + x * y % 3) % 2,
            }
        }

        /// Remainder of the division by the generator of `degree`, in the field of 0x11d.
        fn correction(data: &[u8], degree: usize) -> Vec<u8> {
            let times = |a: u8, b: u8| {
                let (mut product, mut a) = (0_u16, u16::from(a));
                for bit in 0..8 {
                    product ^= if b >> bit & 1 == 1 { a } else { 0 };
                    a = a << 1 ^ if a & 0x80 != 0 { 0x11d } else { 0 };
                }
                product as u8
            };
            let (mut generator, mut root) = (vec![1_u8], 1);
            for _ in 0..degree {
                let mut next = generator.clone();
                next.push(0);
                for (index, value) in generator.iter().enumerate() {
                    next[index + 1] ^= times(*value, root);
                }
                (generator, root) = (next, times(root, 2));
            }
            let mut rest = data.to_vec();
            rest.resize(data.len() + degree, 0);
            for index in 0..data.len() {
                let lead = rest[index];
                for (offset, value) in generator.iter().enumerate() {
                    rest[index + offset] ^= times(*value, lead);
                }
            }
            rest.split_off(data.len())
        }

        pub(super) fn read(dark: &[Vec<bool>]) -> String {
            assert_eq!(dark.len(), SIDE, "version 5");
            // The format's first bits lie in the ninth row: level and mask, under 10101….
            let format = (0..5).fold(0, |bits, x| bits << 1 | u32::from(dark[8][x])) ^ 0b10101;
            assert_eq!(format >> 3, 0b11, "level Q");
            let mut bits = Vec::new();
            let mut right = SIDE as i32 - 1;
            let mut upward = true;
            while right > 0 {
                right -= i32::from(right == 6);
                for step in 0..SIDE {
                    let y = if upward { SIDE - 1 - step } else { step };
                    for x in [right as usize, right as usize - 1] {
                        if !function(x, y) {
                            bits.push(dark[y][x] ^ masked(format & 7, x, y));
                        }
                    }
                }
                (right, upward) = (right - 2, !upward);
            }
            let codewords: Vec<u8> = bits
                .chunks_exact(8)
                .map(|bits| bits.iter().fold(0, |b, bit| b << 1 | u8::from(*bit)))
                .collect();
            assert_eq!(codewords.len(), 134);
            // Two blocks of 15 and two of 16 data bytes, interleaved; then 18 correction bytes each.
            let lengths = [15, 15, 16, 16];
            let mut blocks = vec![Vec::new(); 4];
            let mut rest = codewords.iter();
            for round in 0..16 {
                for (block, length) in blocks.iter_mut().zip(lengths) {
                    if round < length {
                        block.push(*rest.next().expect("data"));
                    }
                }
            }
            let mut corrections = vec![Vec::new(); 4];
            for _ in 0..18 {
                corrections
                    .iter_mut()
                    .for_each(|block: &mut Vec<u8>| block.push(*rest.next().expect("correction")));
            }
            for (block, found) in blocks.iter().zip(&corrections) {
                assert_eq!(&correction(block, 18), found);
            }
            let mut bits =
                blocks.concat().into_iter().flat_map(|b| (0..8).rev().map(move |i| usize::from(b >> i & 1)));
            let mut take = |count: usize| (0..count).fold(0, |n, _| n << 1 | bits.next().expect("bits"));
            assert_eq!(take(4), 0b0010, "alphanumeric");
            let count = take(9);
            let mut text = Vec::new();
            for _ in 0..count / 2 {
                let pair = take(11);
                text.extend([ALPHABET[pair / 45], ALPHABET[pair % 45]]);
            }
            if count % 2 == 1 {
                text.push(ALPHABET[take(6)]);
            }
            String::from_utf8(text).expect("ASCII")
        }
    }
}
