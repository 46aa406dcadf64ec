//! What an entry may be called, inside a bundle that we write and inside one that we read.
//!
//! A name is refused when some tool somewhere would read it in another way than we do: that goes beyond traversal to
//! names that differ only in case (one file on a share, two in the tar), and to a file that is also another's folder.

/// Longest name, in bytes: the longest file name that Linux takes as one component.
pub const LONGEST_NAME_BYTES: usize = 255;

/// Whether `name` may stand in a bundle; else why not.
pub(crate) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > LONGEST_NAME_BYTES {
        return Err("it is longer than 255 bytes");
    }
    if name.starts_with('/') {
        return Err("it is absolute");
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\\' | '"')) {
        return Err("it holds a control character, a backslash or a quotation mark");
    }
    for part in name.split('/') {
        match part {
            "" => return Err("it has an empty component"),
            "." | ".." => return Err("it has a component . or .."),
            _ => {}
        }
    }
    Ok(())
}

/// Whether `names` may stand beside each other; else one that may not, and why.
pub(crate) fn check_together<'a>(
    names: impl Iterator<Item = &'a str>,
) -> Result<(), (&'a str, &'static str)> {
    // With the separator as the lowest character, a folder's contents follow the folder's own name at once.
    let mut folded: Vec<(String, &str)> = names.map(|n| (n.to_lowercase().replace('/', "\0"), n)).collect();
    folded.sort_unstable();
    for pair in folded.windows(2) {
        let [(one, _), (two, name)] = pair else { continue };
        match two.strip_prefix(one.as_str()) {
            Some("") => return Err((name, "another entry has this name, or has it in other case")),
            Some(rest) if rest.starts_with('\0') => return Err((name, "a folder in it is an entry itself")),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let longest = "x".repeat(255);
        for (name, ok) in [
            ("facts.json", true),
            ("raw/proc/mdstat", true),
            ("raw/sys/bus/pci/devices/0000:00:1f.2/.list", true),
            ("raw/...", true),
            ("raw/a b ü", true),
            (longest.as_str(), true),
            (&format!("{longest}x"), false),
            ("", false),
            ("/etc/passwd", false),
            ("../x", false),
            ("raw/../../x", false),
            ("raw/..", false),
            ("./x", false),
            ("raw//x", false),
            ("raw/", false),
            ("raw\\x", false),
            ("raw/a\0b", false),
            ("raw/\u{1b}[2J", false),
            ("raw/a\"b", false),
        ] {
            assert_eq!(check(name).is_ok(), ok, "{name:?}");
        }
    }

    #[test]
    fn names_agree_with_each_other() {
        let check = |names: &[&str], expected: Option<&str>| {
            let found = check_together(names.iter().copied());
            assert_eq!(found.err().map(|(name, _)| name), expected, "{names:?}");
        };
        check(&[], None);
        check(&["a", "b", "a.link", "a-b", "a b"], None);
        check(&["a/.list", "a/b", "a.link", "a.unreadable"], None);
        check(&["a", "b", "a"], Some("a"));
        check(&["raw/Fan", "raw/fan"], Some("raw/fan"));
        check(&["raw/ÄRGER", "raw/ärger"], Some("raw/ärger"));
        check(&["a", "a-b", "a.b", "a/b"], Some("a/b"));
        check(&["a/b/c", "A/B"], Some("a/b/c"));
    }
}
