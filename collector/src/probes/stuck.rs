//! Readers that hang in the kernel, as the source knows them: `sample/stuck.json`.
//!
//! Live, this is the list that the source keeps so that no new reader touches a device on which one hangs. On a
//! machine without any the list is empty, which is Seen: it was looked at.

use assay_bundle::Observed;
use assay_bundle::facts::stuck::StuckReader;

use crate::door::Door;
use crate::source::Request;

/// Reads the list. A recording without one says nothing about stuck readers.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<StuckReader>> {
    match door.ask(&Request::StuckReaders).await {
        Ok(fetched) => door.noted(parse(&fetched.bytes, &fetched.place)),
        Err(missing) => missing.observed(),
    }
}

/// Reads a list that stands at `place`.
pub fn parse(bytes: &[u8], place: &str) -> Observed<Vec<StuckReader>> {
    match assay_bundle::json::from_slice(bytes) {
        Ok(readers) => Observed::seen(readers, place),
        Err(error) => Observed::unreadable(format!("{place}: not a list of readers (line {})", error.line())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<usize>) {
        assert_eq!(parse(text.as_bytes(), "sample/stuck.json").value().map(Vec::len), expected, "{text}");
    }

    #[test]
    fn a_list_or_nothing() {
        let one = r#"{"pid":7,"started_ticks":9,"target":"/dev/sda","command":"smartctl","since_unix_s":1}"#;
        check("[]", Some(0));
        check(&format!("[{one}]"), Some(1));
        for bad in ["", "[", "{}", "[{}]", r#"[{"pid":-1}]"#, "null"] {
            check(bad, None);
        }
    }
}
