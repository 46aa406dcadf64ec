//! INI files as QTS writes them: `[Section]`, `Key = value`, no quoting to speak of, any case.

/// Every section with its keys, in order. Keys before the first section stand in a section without a name; a line
/// that is neither is left out.
pub(crate) fn sections(text: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut all: Vec<(&str, Vec<(&str, &str)>)> = vec![("", Vec::new())];
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            all.push((name.trim(), Vec::new()));
        } else if let Some((key, value)) = line.split_once('=')
            && let Some((_, keys)) = all.last_mut()
        {
            keys.push((key.trim(), value.trim().trim_matches('"')));
        }
    }
    all
}

/// The first value of a key that is not empty.
pub(crate) fn value(text: &str, section: &str, key: &str) -> Option<String> {
    sections(text)
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(section))
        .flat_map(|(_, keys)| keys)
        .find(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_empty())
        .map(|(_, value)| (*value).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_section() {
        fn check(text: &str, section: &str, key: &str, expected: Option<&str>) {
            assert_eq!(value(text, section, key).as_deref(), expected, "{text}");
        }
        let text = "Platform = X86\n[MISC]\nDISPLAY_NAME = \"TS-453D\"\nempty =\n[misc]\nx=1=2\nodd\n[open\n";
        check(text, "", "platform", Some("X86"));
        check(text, "misc", "display_name", Some("TS-453D"));
        check(text, "MISC", "X", Some("1=2"));
        check(text, "MISC", "empty", None);
        check(text, "MISC", "odd", None);
        check("", "", "", None);
        check("[]\n=\n", "", "", None);
    }
}
