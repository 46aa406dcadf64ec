//! A recording as a folder: `source/` below it has the shape of a bundle's `raw/`, and `--source` reads it again.
//!
//! Only what has passed the redaction door is written. The folder is new or empty: nothing is overwritten, and two
//! recordings are never mixed.

use std::fs;
use std::path::{Component, Path};

use crate::trouble::{NextStep, refuse};

/// Writes files (name below `raw/`, content) to `source/` below `folder`. Returns how many.
pub(crate) fn write<'a>(
    folder: &Path,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> anyhow::Result<usize> {
    check(folder)?;
    let shown = folder.display();
    let source = folder.join("source");
    let mut count = 0;
    for (name, bytes) in files {
        let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !plain {
            return Err(refuse(
                format!("the recording names a file {name:?} outside its folder"),
                "do not use it: no agent makes such a recording",
            ));
        }
        let path = source.join(name);
        let parent = path.parent().unwrap_or(&source);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, bytes))
            .or_advise(format!("cannot write {}", path.display()), "name a folder on a volume with room")?;
        count += 1;
    }
    if count == 0 {
        return Err(refuse(
            format!("nothing was read, so there is nothing to write to {shown}"),
            "`assay check` says why",
        ));
    }
    Ok(count)
}

/// Refuses a folder with something in it; told before anything is read.
pub(crate) fn check(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    match fs::read_dir(folder).map(|mut names| names.next().is_some()) {
        Ok(true) => Err(refuse(
            format!("{shown} is not empty"),
            "name a folder that is not there yet: a recording is never written over something else",
        )),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).or_advise(format!("cannot look into {shown}"), "name a folder"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_write(files: &[(&str, &str)], expected: Option<usize>) {
        let place = tempfile::tempdir().expect("a folder");
        let files = files.iter().map(|(name, text)| (*name, text.as_bytes()));
        assert_eq!(write(&place.path().join("new"), files).ok(), expected);
    }

    #[test]
    fn only_plain_names_are_written() {
        check_write(&[("proc/mdstat", "x"), ("sys/block/.list", "sda\n")], Some(2));
        check_write(&[], None);
        for bad in ["../x", "/etc/x", "a/../../x", ""] {
            check_write(&[(bad, "x")], None);
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let place = tempfile::tempdir().expect("a folder");
        fs::write(place.path().join("mine"), "x").expect("a file");
        assert!(write(place.path(), [("proc/mdstat", &b"x"[..])].into_iter()).is_err());
        assert!(check(&place.path().join("mine")).is_err());
    }
}
