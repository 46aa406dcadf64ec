//! The copies that there are: their folder, names, receipts, and which may be removed.
//!
//! A name carries a number that only counts up: which copy is the newest must not depend on a clock that may be dead.
//! A copy without a receipt was never proven and is shown as that. Nothing is removed that is the newest good one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use assay_bundle::digest::Sha256;
use assay_bundle::recovery::{CopyLevel, CopyReceipt};

use crate::clock;
use crate::context::Context;
use crate::output;
use crate::paths;
use crate::stick;
use crate::trouble::{NextStep, refuse};

/// What the file of a copy ends with; its receipt ends with `.json` instead.
pub(crate) const ENDING: &str = ".tar.zst.age";
/// What its name begins with, before the number.
const BEGINNING: &str = "recovery-";
/// Folder on a removable disk.
const ON_USB: &str = "assay-recovery";
/// Largest receipt.
const MOST_RECEIPT_BYTES: u64 = 1 << 20;
const BUFFER_BYTES: usize = 64 << 10;

/// A copy in a folder.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Its number.
    pub(crate) number: u64,
    /// Its size on the disk.
    pub(crate) size_bytes: u64,
    /// Its receipt, where there is one that can be read.
    pub(crate) receipt: Option<CopyReceipt>,
}

impl Held {
    /// Whether only keys that the owner lost open it.
    pub(crate) fn is_lost(&self, lost: &[String]) -> bool {
        let recipients =
            self.receipt.as_ref().map(|receipt| receipt.recipients.as_slice()).unwrap_or_default();
        !recipients.is_empty() && recipients.iter().all(|recipient| lost.contains(recipient))
    }

    /// Whether it was proven once, still has its size, and somebody can open it.
    fn seems_good(&self, lost: &[String]) -> bool {
        let receipt = self.receipt.as_ref();
        receipt.is_some_and(|r| r.level >= CopyLevel::ReadBack && r.size_bytes == self.size_bytes)
            && !self.is_lost(lost)
    }

    /// Whether it is good, read whole.
    fn is_good(&self, lost: &[String]) -> bool {
        let digest = File::open(&self.path).and_then(|file| digest(&file, &mut || ()));
        let wanted = self.receipt.as_ref().map(|receipt| (receipt.size_bytes, receipt.sha256.clone()));
        self.seems_good(lost) && digest.ok() == wanted
    }
}

/// Where copies are written: the data volume, else a removable disk that can be written to.
pub(crate) fn folder(context: &Context) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &context.paths.recovery_dir {
        return Ok(folder.clone());
    }
    stick::writable().first().map(|disk| disk.join(ON_USB)).ok_or_else(|| {
        refuse(
            "no data volume is mounted, and no removable disk that can be written",
            "plug in a USB disk, or name a file: `assay backup create -o FILE` (- is standard output)",
        )
    })
}

/// Every folder that may hold copies.
pub(crate) fn folders(context: &Context) -> Vec<PathBuf> {
    let usb = paths::removable().into_iter().map(|disk| disk.join(ON_USB));
    context.paths.recovery_dir.iter().cloned().chain(usb).collect()
}

/// The copies in a folder, oldest first.
pub(crate) fn held(folder: &Path) -> Vec<Held> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut held: Vec<Held> = entries
        .filter_map(|entry| {
            let number = number_of(&entry.file_name().to_string_lossy())?;
            let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let path = entry.path();
            let receipt = receipt(&path).ok();
            Some(Held { path, number, size_bytes: meta.len(), receipt })
        })
        .collect();
    held.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
    held
}

/// The receipt of the newest copy that was read back and that somebody can open, in any of the folders.
pub(crate) fn newest_verified(context: &Context, lost: &[String]) -> Option<CopyReceipt> {
    newest_verified_in(&folders(context), lost)
}

fn newest_verified_in(folders: &[PathBuf], lost: &[String]) -> Option<CopyReceipt> {
    let all = folders.iter().flat_map(|folder| held(folder));
    all.filter(|held| held.seems_good(lost)).max_by_key(|held| held.number)?.receipt
}

/// The copy that a person means: a file, a name or number in one of the folders, or `latest`.
pub(crate) fn find(context: &Context, word: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(word);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let all: Vec<Held> = folders(context).iter().flat_map(|folder| held(folder)).collect();
    let found = match word {
        "latest" => all.iter().max_by_key(|held| held.number),
        _ => all.iter().rev().find(|held| {
            let name =
                held.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name == word || name.strip_suffix(ENDING) == Some(word) || word.parse() == Ok(held.number)
        }),
    };
    found.map(|held| held.path.clone()).ok_or_else(|| {
        refuse(
            format!("there is no recovery copy {word:?}"),
            "`assay backup list` shows what there is; a file can be named by its path, the newest as latest",
        )
    })
}

/// The path of the next copy in a folder.
pub(crate) fn next(folder: &Path, now_unix_s: i64) -> PathBuf {
    let number = held(folder).last().map_or(0, |held| held.number).saturating_add(1);
    let time: String = clock::rfc3339(now_unix_s).chars().filter(char::is_ascii_alphanumeric).collect();
    folder.join(format!("{BEGINNING}{number:05}-{time}{ENDING}"))
}

fn number_of(name: &str) -> Option<u64> {
    let (number, _) = name.strip_suffix(ENDING)?.strip_prefix(BEGINNING)?.split_once('-')?;
    number.parse().ok()
}

/// Where the receipt of a copy stands.
pub(crate) fn receipt_path(copy: &Path) -> PathBuf {
    let name = copy.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    copy.with_file_name(format!("{}.json", name.strip_suffix(ENDING).unwrap_or(&name)))
}

/// The receipt of a copy.
pub(crate) fn receipt(copy: &Path) -> anyhow::Result<CopyReceipt> {
    let path = receipt_path(copy);
    let mut bytes = Vec::new();
    let cannot = || format!("the receipt {} cannot be read", path.display());
    let next = "`assay backup verify COPY --identity FILE` proves a copy without its receipt";
    File::open(&path)
        .and_then(|file| file.take(MOST_RECEIPT_BYTES).read_to_end(&mut bytes))
        .or_advise(cannot(), next)?;
    assay_bundle::json::from_slice(&bytes).or_advise(cannot(), next)
}

/// Puts a receipt beside its copy.
pub(crate) fn keep_receipt(copy: &Path, receipt: &CopyReceipt) -> anyhow::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(receipt)?;
    bytes.push(b'\n');
    output::replace_private(&receipt_path(copy), &bytes)
}

/// Size and SHA-256 of a file; `beat` is told about progress.
pub(crate) fn digest(mut file: &File, beat: &mut dyn FnMut()) -> io::Result<(u64, String)> {
    let mut to = Sha256::new(io::sink());
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut count = 0_u32;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => to.write_all(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        count = count.wrapping_add(1);
        if count.is_multiple_of(64) {
            beat();
        }
    }
    let (_, size_bytes, sha256) = to.finish();
    Ok((size_bytes, sha256))
}

/// Removes all but the newest `keep` copies of a folder, and never the newest good one; returns their names. `proven`
/// was read back just now.
pub(crate) fn prune(
    folder: &Path,
    keep: usize,
    lost: &[String],
    proven: Option<&Path>,
) -> anyhow::Result<Vec<String>> {
    let all = held(folder);
    let (older, newest) = all.split_at(all.len().saturating_sub(keep.max(1)));
    if older.is_empty() {
        return Ok(Vec::new());
    }
    // Read whole before anything goes: a copy that seems good may lie on a bad sector.
    let is_good = |held: &&Held| match Some(held.path.as_path()) == proven {
        true => held.seems_good(lost),
        false => held.is_good(lost),
    };
    let good = newest.iter().rev().chain(older.iter().rev()).find(is_good).map(|held| &held.path);
    let mut removed = Vec::new();
    for held in older.iter().filter(|held| Some(&held.path) != good) {
        let cannot = || format!("cannot remove {}", held.path.display());
        fs::remove_file(&held.path).or_advise(cannot(), "remove it by hand")?;
        match fs::remove_file(receipt_path(&held.path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).or_advise(cannot(), "remove it by hand");
            }
            _ => {}
        }
        removed.push(held.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default());
    }
    Ok(removed)
}

/// Removes what copies that were killed left half done. Only while no other copy is made.
pub(crate) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&format!(".{BEGINNING}")) && name.ends_with(".part") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// A copy whose receipt is of `level` and, when `whole`, of its bytes.
    fn put(folder: &Path, number: u64, level: CopyLevel, whole: bool, recipient: &str) {
        let path = folder.join(format!("{BEGINNING}{number:05}-x{ENDING}"));
        fs::write(&path, "abc").expect("a file");
        let content = if whole { "abc" } else { "abd" };
        let receipt = CopyReceipt {
            format: 1,
            name: String::new(),
            made_at: String::new(),
            made_unix_s: i64::try_from(number).expect("small"),
            agent_version: String::new(),
            profile: String::new(),
            size_bytes: 3,
            sha256: assay_bundle::digest::sha256_hex(content.as_bytes()),
            entries: 0,
            content_bytes: 0,
            recipients: vec![recipient.to_owned()],
            level,
            volume_keys: false,
            notes: Default::default(),
            left_out: Default::default(),
            extra: Default::default(),
        };
        keep_receipt(&path, &receipt).expect("kept");
    }

    #[test]
    fn the_newest_copy_that_counts() {
        let (folder, usb) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let folders = [folder.path().to_owned(), usb.path().to_owned(), folder.path().join("missing")];
        let check = |step: &dyn Fn(), expected: Option<i64>| {
            step();
            let found = newest_verified_in(&folders, &["age1lost".to_owned()]);
            assert_eq!(found.map(|receipt| receipt.made_unix_s), expected);
        };
        check(&|| {}, None);
        check(&|| put(folder.path(), 1, CopyLevel::Written, true, "age1a"), None);
        check(&|| put(folder.path(), 2, CopyLevel::ReadBack, true, "age1a"), Some(2));
        check(&|| put(usb.path(), 3, CopyLevel::OpenedWithKey, true, "age1a"), Some(3));
        check(&|| put(folder.path(), 4, CopyLevel::Written, true, "age1a"), Some(3));
        check(&|| put(folder.path(), 5, CopyLevel::ReadBack, true, "age1lost"), Some(3));
        // One that was cut short since is no copy.
        let cut = || {
            put(folder.path(), 6, CopyLevel::ReadBack, true, "age1a");
            fs::write(folder.path().join(format!("{BEGINNING}00006-x{ENDING}")), "ab").expect("a file");
        };
        check(&cut, Some(3));
    }

    fn numbers(folder: &Path) -> Vec<u64> {
        held(folder).iter().map(|held| held.number).collect()
    }

    #[test]
    fn the_newest_good_one_stays() {
        fn check(copies: &[(CopyLevel, bool, &str)], keep: usize, expected: &[u64]) {
            let folder = tempfile::tempdir().expect("a folder");
            for (number, (level, whole, recipient)) in (1..).zip(copies) {
                put(folder.path(), number, *level, *whole, recipient);
            }
            prune(folder.path(), keep, &["lost".to_owned()], None).expect("pruned");
            assert_eq!(numbers(folder.path()), expected);
            let files = fs::read_dir(folder.path()).expect("a folder").count();
            assert_eq!(files, 2 * expected.len(), "receipts go with their copies");
        }
        use CopyLevel::{ReadBack, Written};
        let good = (ReadBack, true, "mine");
        check(&[good, good, good], 2, &[2, 3]);
        check(&[good, good, good], 0, &[3]);
        check(&[good, good, (ReadBack, false, "mine")], 1, &[2, 3]);
        check(&[good, (Written, true, "mine"), (Written, true, "mine")], 1, &[1, 3]);
        check(&[good, (ReadBack, true, "lost")], 1, &[1, 2]);
        check(&[good], 7, &[1]);
        check(&[], 1, &[]);
    }

    #[test]
    fn names_count_up_whatever_the_clock_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = next(folder.path(), 1_700_000_000);
        assert!(first.ends_with("recovery-00001-20231114T221320Z.tar.zst.age"), "{}", first.display());
        assert!(receipt_path(&first).ends_with("recovery-00001-20231114T221320Z.json"));
        fs::write(&first, "").expect("a file");
        assert!(next(folder.path(), 0).ends_with("recovery-00002-19700101T000000Z.tar.zst.age"));
        fs::write(folder.path().join(".recovery-00002-x.tar.zst.age.00.part"), "").expect("a file");
        sweep(folder.path());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
