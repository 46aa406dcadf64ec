//! Lines of a text that may have been cut: the piece after the last line break is not a line.
//!
//! Kernels and tools end every line. A piece without an end is what a limit, a full disk or a killed tool left over, and
//! half a number is not a number. What a person pastes gets its last line break from the one who takes it in.

use std::borrow::Cow;

/// The text of bytes, with a mark for each that is none. What is whole, which is nearly all, is not looked at letter by
/// letter.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// The text up to its last line break.
pub(crate) fn whole(text: &str) -> &str {
    text.rfind('\n').and_then(|end| text.get(..=end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_none() {
        for (text, expected) in [("", ""), ("a", ""), ("a\nb", "a\n"), ("a\nb\n", "a\nb\n")] {
            assert_eq!(whole(text), expected);
        }
    }
}
