//! How values become text that is safe to show: moments of a clock, and strings that a device made up.
//!
//! Refuses to pass anything on that could rewrite what stands around it: control characters, escape sequences,
//! invisible and direction-changing characters are written as their code. What a person reads as a whole is
//! [`crate::report`].

use jiff::tz::Offset;

/// A moment of the device's clock in UTC, as `2023-11-14T22:13:20Z`; seconds where it is no date at all.
pub(crate) fn date(unix_s: i64) -> String {
    jiff::Timestamp::from_second(unix_s).map_or_else(|_| seconds(unix_s), |t| t.to_string())
}

/// The same for a sentence: `2023-11-14 22:13 UTC`.
pub(crate) fn moment(unix_s: i64) -> String {
    match jiff::Timestamp::from_second(unix_s) {
        Ok(at) => {
            let time = Offset::UTC.to_datetime(at);
            format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute())
        }
        Err(_) => seconds(unix_s),
    }
}

/// The day of a moment in UTC: `2023-11-14`.
pub(crate) fn day(unix_s: i64) -> String {
    match jiff::Timestamp::from_second(unix_s) {
        Ok(at) => Offset::UTC.to_datetime(at).date().to_string(),
        Err(_) => seconds(unix_s),
    }
}

fn seconds(unix_s: i64) -> String {
    format!("{unix_s} s since 1970")
}

/// Makes a string harmless wherever it is shown: control characters, escape sequences, invisible and
/// direction-changing characters are written as their code. What a page or a ticket needs besides is the work of their
/// own writers.
pub fn escaped(text: &str) -> String {
    // Nearly everything: what is printable ASCII is harmless.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
    out
}

/// Refused: C0 and C1 controls, soft hyphen, combining grapheme joiner, Arabic letter mark, Hangul and Khmer fillers,
/// zero-width and direction marks, line and paragraph separators, embeddings, overrides and isolates, variation
/// selectors, byte order mark, interlinear and tag characters.
pub(crate) fn is_harmless(c: char) -> bool {
    let tricks = matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff9..=0xfffb
        | 0xe0000..=0xe0fff);
    !(c.is_control() || tricks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_rewrite_its_surroundings_is_written_as_its_code() {
        for (text, shown) in [
            ("TS-453D bay 3, 41 °C", "TS-453D bay 3, 41 °C"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("x\r\ny", "x\\u{d}\\u{a}y"),
            ("\u{202e}x\u{200b}", "\\u{202e}x\\u{200b}"),
            ("\u{feff}\u{e0041}\u{fe0f}", "\\u{feff}\\u{e0041}\\u{fe0f}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn moments_read_like_a_calendar() {
        for (unix_s, whole, short, day_only) in [
            (1_700_000_000, "2023-11-14T22:13:20Z", "2023-11-14 22:13 UTC", "2023-11-14"),
            (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00 UTC", "1970-01-01"),
            (
                i64::MAX,
                "9223372036854775807 s since 1970",
                "9223372036854775807 s since 1970",
                "9223372036854775807 s since 1970",
            ),
        ] {
            assert_eq!(
                (date(unix_s).as_str(), moment(unix_s).as_str(), day(unix_s).as_str()),
                (whole, short, day_only)
            );
        }
    }
}
