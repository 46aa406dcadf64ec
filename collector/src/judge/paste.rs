//! The text of a paste, whatever it went through: UTF-8 with or without a byte order mark, UTF-16 (what PowerShell
//! writes into a file), line ends of Windows, a last line without its end. Parsers take a line without an end for one
//! that was cut, and a person's clipboard cuts exactly that.

use std::borrow::Cow;

use crate::lines;

/// The text with plain line ends, the last one included.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => lines::text(rest),
        _ => lines::text(bytes),
    }
    .into_owned();
    if text.contains("\r\n") {
        text = text.replace("\r\n", "\n");
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn wide(bytes: &[u8], number: fn([u8; 2]) -> u16) -> Cow<'_, str> {
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [one, other] => number([*one, *other]),
        _ => 0,
    });
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_shells_do_to_a_text() {
        fn check(bytes: &[u8], expected: &str) {
            assert_eq!(text(bytes), expected, "{bytes:?}");
        }
        check(b"", "");
        check(b"a", "a\n");
        check(b"a\r\nb\r\n", "a\nb\n");
        check(b"\xef\xbb\xbfa\n", "a\n");
        check(b"\xff\xfea\0\r\0\n\0", "a\n");
        check(b"\xfe\xff\0a\0\n", "a\n");
        check(b"\xff\xfea\0\x00\xd8\n", "a\u{fffd}\n");
        check(b"a\xffb\n", "a\u{fffd}b\n");
    }
}
