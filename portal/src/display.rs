//! How text from a bundle is shown: control and bidirectional characters become visible, so that a log line can
//! neither move the cursor, nor reorder what is read, nor hide. Escaping for HTML is the templates' and comes after.

use serde_json::Value;

/// Whether a character could change how its neighbours are read.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional marks, embeddings, overrides and isolates (Unicode UAX #9).
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // What has no width: joiners, word joiner, byte order mark, tags.
            | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}')
}

/// The text with every deceptive character as `[U+XXXX]`.
pub fn visible(text: &str) -> String {
    if !text.chars().any(is_deceptive) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_deceptive(c) {
            out.push_str(&format!("[U+{:04X}]", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// The same for every string in a document, keys included.
pub fn visible_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(visible(&text)),
        Value::Array(list) => Value::Array(list.into_iter().map(visible_value).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (visible(&key), visible_value(value))).collect())
        }
        other => other,
    }
}

/// The lines of a raw file, each visible; tabs stay. Bytes that are no UTF-8 become replacement characters.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = text
        .split('\n')
        .map(|line| {
            line.strip_suffix('\r').unwrap_or(line).split('\t').map(visible).collect::<Vec<_>>().join("\t")
        })
        .collect();
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &str) {
        assert_eq!(visible(input), expected);
    }

    #[test]
    fn what_deceives_is_seen() {
        check("WD40EFRX – 4 TB", "WD40EFRX – 4 TB");
        check("\u{1b}[31mred", "[U+001B][31mred");
        check("a\u{202e}b", "a[U+202E]b");
        check("two\nlines", "two[U+000A]lines");
        check("<script>", "<script>");
        assert_eq!(lines(b"one\r\n\ttwo\x07\n"), ["one", "\ttwo[U+0007]"]);
        let document = serde_json::json!({"a\u{200b}": ["\u{7}", 1, null]});
        assert_eq!(visible_value(document), serde_json::json!({"a[U+200B]": ["[U+0007]", 1, null]}));
    }
}
