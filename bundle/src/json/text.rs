//! Where values end in a text that is known to be JSON.

use serde::de::Error as _;
use serde_json::{Error, Result};

use super::Text;

/// The first value of a text that goes on behind it. The syntax was checked when the document was taken: what is looked
/// for here is only where the value ends.
#[inline(never)]
pub(super) fn cut(text: &str) -> Result<(Text<'_>, &str)> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    break;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            // The end of this value, or of the one around it, which belongs to that.
            b'}' | b']' => {
                at += depth;
                break;
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    match text.split_at_checked(at) {
        Some((value, below)) if at > 0 => Ok((Text(value), below)),
        _ => Err(not_json()),
    }
}

pub(super) fn after_comma(text: &str) -> &str {
    let text = text.trim_ascii_start();
    text.strip_prefix(',').unwrap_or(text).trim_ascii_start()
}

#[cold]
pub(super) fn not_json() -> Error {
    Error::custom("the text is no JSON")
}

/// The place after the closing quote of the string whose opening quote is at `start`.
pub(crate) fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}
