//! What two recovery copies are compared by: the path of each entry, and a salted digest of what it is.
//!
//! The copies themselves only the owner's key opens. A list holds no content, and of the digests nobody without its salt
//! can tell what they are of; still it is as private as the copy (0600), and goes when it was compared. It is one JSON value a line:
//! the salt, then a pair for each entry. Times are not in it: a file that was written again as it was is no change.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use assay_bundle::digest::sha256_hex;
use assay_bundle::recovery::tape::Item;
use assay_bundle::recovery::{EntryKind, path_text};

use crate::output::{self, PartialFile};

/// Entries that are compared at most; of what comes after them it is said that it was not.
const MOST_ENTRIES: usize = 100_000;

/// A list in the making.
pub(super) struct Digests {
    salt: String,
    out: BufWriter<PartialFile>,
}

/// What differs between two copies, as paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// New paths.
    pub(crate) added: Vec<String>,
    /// Paths that are gone.
    pub(crate) removed: Vec<String>,
    /// Paths that are something else now.
    pub(crate) changed: Vec<String>,
    /// Whether there were more entries than are compared.
    pub(crate) cut: bool,
}

/// Begins a list at `path`: it holds its salt only until a copy fills it.
pub(crate) fn prepare(path: &Path, salt: &str) -> anyhow::Result<()> {
    output::replace_private(path, &line(&salt)?)
}

fn line(value: &impl serde::Serialize) -> anyhow::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

impl Digests {
    /// Fills the list that was prepared at `path`.
    pub(super) fn fill(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("the list {} cannot be filled", path.display());
        let mut first = String::new();
        BufReader::new(File::open(path).with_context(cannot)?).read_line(&mut first).with_context(cannot)?;
        let salt: String = serde_json::from_str(&first).with_context(cannot)?;
        let mut out = BufWriter::new(PartialFile::begin(path, 0o600)?);
        out.write_all(&line(&salt)?).with_context(cannot)?;
        Ok(Self { salt, out })
    }

    /// Notes an entry of the copy.
    pub(super) fn note(&mut self, item: &Item, sha256: Option<&str>) -> anyhow::Result<()> {
        let Item { path, kind, mode, uid, gid, target, .. } = item;
        let kind = match kind {
            EntryKind::File | EntryKind::HardLink => "file",
            EntryKind::Folder => "folder",
            EntryKind::Link => "link",
        };
        let content = sha256.map_or_else(|| path_text(target), str::to_owned);
        let what = format!("{} {kind} {mode:o} {uid} {gid} {content}", self.salt);
        self.out.write_all(&line(&(path_text(path), sha256_hex(what.as_bytes())))?)?;
        Ok(())
    }

    /// Makes it durable.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let out = self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        out.finish()
    }
}

/// Salt and entries of a list, and whether it was cut.
fn read(path: &Path) -> anyhow::Result<(String, BTreeMap<String, String>, bool)> {
    let cannot = || format!("the list {} cannot be read", path.display());
    let mut lines = BufReader::new(File::open(path).with_context(cannot)?).lines();
    let salt = lines.next().context("it is empty").with_context(cannot)?.with_context(cannot)?;
    let mut entries = BTreeMap::new();
    for line in lines {
        if entries.len() >= MOST_ENTRIES {
            return Ok((salt, entries, true));
        }
        let (path, digest) = serde_json::from_str(&line.with_context(cannot)?).with_context(cannot)?;
        entries.insert(path, digest);
    }
    Ok((salt, entries, false))
}

/// What differs between two copies whose lists have one salt.
pub(crate) fn compare(before: &Path, after: &Path) -> anyhow::Result<Changes> {
    let (one, before, cut) = read(before)?;
    let (other, after, cut_too) = read(after)?;
    anyhow::ensure!(one == other, "the lists of the two copies cannot be compared: their salts differ");
    let missing = |from: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        from.keys().filter(|path| !other.contains_key(*path)).cloned().collect()
    };
    let differs =
        |(path, digest): &(&String, &String)| after.get(*path).is_some_and(|other| other != *digest);
    Ok(Changes {
        added: missing(&after, &before),
        removed: missing(&before, &after),
        changed: before.iter().filter(differs).map(|(path, _)| path.clone()).collect(),
        cut: cut || cut_too,
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn item(path: &str, kind: EntryKind, mode: u32, target: &str) -> Item {
        Item { path: path.into(), kind, mode, target: target.into(), ..Item::document("", 0, 0) }
    }

    #[test]
    fn two_lists_tell_what_changed_and_nothing_else() {
        use EntryKind::{File, Folder, Link};
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, salt: &str, items: &[(Item, Option<&str>)]| {
            let path = folder.path().join(name);
            prepare(&path, salt).expect("begun");
            let mut list = Digests::fill(&path).expect("its salt");
            for (item, sha256) in items {
                list.note(item, *sha256).expect("written");
            }
            list.finish().expect("kept");
            path
        };
        let passwd = |digest| (item("etc/passwd", File, 0o644, ""), Some(digest));
        let before = write(
            "before",
            "s",
            &[
                (item("etc", Folder, 0o755, ""), None),
                passwd("aa"),
                (item("etc/gone", File, 0o600, ""), Some("bb")),
                (item("etc/link", Link, 0o777, "here"), None),
                (item("etc/mode", File, 0o600, ""), Some("cc")),
                (item("etc/touched", File, 0o600, ""), Some("dd")),
            ],
        );
        let touched = Item { mtime_s: 7, ..item("etc/touched", File, 0o600, "") };
        let after = write(
            "after",
            "s",
            &[
                (item("etc", Folder, 0o755, ""), None),
                passwd("ab"),
                (item("etc/link", Link, 0o777, "there"), None),
                (item("etc/mode", File, 0o666, ""), Some("cc")),
                (item("etc/new", File, 0o600, ""), Some("bb")),
                (touched, Some("dd")),
            ],
        );
        let text = |list: &[&str]| list.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let expected = Changes {
            added: text(&["etc/new"]),
            removed: text(&["etc/gone"]),
            changed: text(&["etc/link", "etc/mode", "etc/passwd"]),
            cut: false,
        };
        assert_eq!(compare(&before, &after).expect("one salt"), expected);
        assert_eq!(compare(&before, &before).expect("one salt"), Changes::default());
        let bytes = std::fs::read_to_string(&before).expect("readable");
        assert!(!bytes.contains("\"aa\""), "no digest as it stands in the copy: {bytes}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&before.metadata().expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
        let salted = write("salted", "t", &[passwd("aa")]);
        assert!(compare(&before, &salted).is_err());
        prepare(&salted, "s").expect("begun");
        assert_eq!(compare(&before, &salted).expect("an empty list").removed.len(), 6);
    }
}
