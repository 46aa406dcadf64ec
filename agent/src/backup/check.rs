//! Opening a copy with the key and going through it once, every digest recomputed: verifying, and what restoring builds on.
//!
//! The list at the copy's end was made from what was read of the machine; here it is made again from the tar, line for
//! line, and compared. Of each line eight bytes of its digest are held, so that a difference can be named; nothing else
//! grows with the copy.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use assay_bundle::digest::{Sha256, sha256_hex};
use assay_bundle::recovery::sealing::{self, SealingError};
use assay_bundle::recovery::tape::{Item, Tape};
use assay_bundle::recovery::{
    COPY_FORMAT, CopyEntry, CopyHead, EntryKind, HEAD_NAME, LIST_NAME, OWN_FOLDER, path_text,
};

use crate::trouble::{NextStep, refuse};

/// Largest document of ours that is held in memory.
const MOST_DOCUMENT_BYTES: u64 = 4 << 20;
/// Most entries: the digests that are held of so many stay below four megabytes.
const MOST_ENTRIES: usize = 500_000;
/// Longest line of the list: a path and a target, each byte in four letters.
const MOST_LINE_BYTES: u64 = 64 << 10;
const BUFFER_BYTES: usize = 64 << 10;

/// What to do with a copy that is not whole.
const NEXT: &str = "`assay backup list` shows other copies; keep this one until another is verified";

/// What is done with each entry of the machine.
pub(super) trait Visit {
    /// The head, before any entry. An error ends the walk.
    fn head(&mut self, _head: &CopyHead) -> anyhow::Result<()> {
        Ok(())
    }
    /// An entry; what is not read of its content is skipped.
    fn entry(&mut self, index: usize, item: &Item, content: &mut dyn Read) -> anyhow::Result<()>;
    /// The same entry, its content read whole: a digest of all that the list says of it.
    fn read_whole(&mut self, _index: usize, _item: &Item, _digest: u64) -> anyhow::Result<()> {
        Ok(())
    }
}

/// What a copy holds.
pub(super) struct Walked {
    pub(super) head: CopyHead,
    /// A digest of each entry's line.
    pub(super) digests: Vec<u64>,
}

/// Opens the copy and verifies it whole.
pub(super) fn verify(path: &Path, key: &str, beat: &mut dyn FnMut(&[u8])) -> anyhow::Result<Walked> {
    struct Only<'a>(&'a mut dyn FnMut(&[u8]));
    impl Visit for Only<'_> {
        fn entry(&mut self, _index: usize, item: &Item, _content: &mut dyn Read) -> anyhow::Result<()> {
            (self.0)(&item.path);
            Ok(())
        }
    }
    walk(&open(path)?, path, key, &mut Only(beat))
}

/// Opens the file of a copy.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path)
        .or_advise(format!("cannot open {}", path.display()), "name a recovery copy; `assay backup list`")
}

/// Goes through a copy from its beginning.
pub(super) fn walk(file: &File, path: &Path, key: &str, visit: &mut dyn Visit) -> anyhow::Result<Walked> {
    let refused = || format!("{} is refused", path.display());
    let mut file = file;
    file.rewind().or_advise(refused(), NEXT)?;
    let tar = sealing::open(&mut file, key).map_err(|error| match error {
        SealingError::Key => refuse(
            format!("{} cannot be opened with this key", path.display()),
            "give the recovery key that was the owner's when the copy was made; \
             `assay backup show COPY` names its recipients",
        ),
        other => anyhow::Error::new(other).context(refused()),
    })?;
    let mut tape = Tape::new(tar);
    let next = |tape: &mut Tape<_>| tape.next().or_advise(refused(), NEXT);
    let head = match next(&mut tape)? {
        Some(item) if item.path == HEAD_NAME.as_bytes() => {
            document(&item, &mut tape).or_advise(refused(), NEXT)?
        }
        _ => return Err(refuse(format!("{} does not begin with {HEAD_NAME}", path.display()), NEXT)),
    };
    let head: CopyHead = assay_bundle::json::from_slice(&head).or_advise(refused(), NEXT)?;
    if head.format != COPY_FORMAT {
        return Err(refuse(
            format!("{} has format {}, this program reads {COPY_FORMAT}", path.display(), head.format),
            "update Assay and open it again",
        ));
    }
    visit.head(&head)?;
    let mut digests: Vec<u64> = Vec::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let Some(item) = next(&mut tape)? else {
            return Err(refuse(format!("{} has no {LIST_NAME}: it is not whole", path.display()), NEXT));
        };
        if item.path == LIST_NAME.as_bytes() {
            compare(&mut tape, &digests, path)?;
            return match next(&mut tape)? {
                None => Ok(Walked { head, digests }),
                Some(_) => Err(refuse(format!("{} goes on after its list", path.display()), NEXT)),
            };
        }
        if item.path.starts_with(OWN_FOLDER.as_bytes()) {
            continue;
        }
        if digests.len() >= MOST_ENTRIES {
            return Err(refuse(
                format!("{} has more than {MOST_ENTRIES} entries", path.display()),
                "open it with stock tools: `age -d -i KEY COPY | zstd -d | tar x`",
            ));
        }
        let index = digests.len();
        let mut content = Sha256::new(&mut tape);
        visit.entry(index, &item, &mut content)?;
        while content.read(&mut buffer).or_advise(refused(), NEXT)? > 0 {}
        let (_, _, sha256) = content.finish();
        let digest = line_digest(&item.entry((item.kind == EntryKind::File).then_some(sha256)))?;
        visit.read_whole(index, &item, digest)?;
        digests.push(digest);
    }
}

fn document(item: &Item, content: &mut dyn Read) -> io::Result<Vec<u8>> {
    if item.size_bytes > MOST_DOCUMENT_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its head is too large"));
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn line_digest(entry: &CopyEntry) -> anyhow::Result<u64> {
    Ok(first_bytes(&serde_json::to_vec(entry)?))
}

fn first_bytes(line: &[u8]) -> u64 {
    let hex = sha256_hex(line);
    hex.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

/// Compares the list with what the tar held.
fn compare(list: &mut dyn Read, digests: &[u64], path: &Path) -> anyhow::Result<()> {
    let differs = |what: String| refuse(format!("{} is damaged: {what}", path.display()), NEXT);
    let mut lines = BufReader::with_capacity(BUFFER_BYTES, list);
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| -> anyhow::Result<usize> {
        line.clear();
        Ok(lines.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', line)?)
    };
    next(&mut line)?;
    if line != b"{\"entries\":[\n" {
        return Err(differs(format!("{LIST_NAME} is no list of entries")));
    }
    let mut index = 0;
    while next(&mut line)? > 0 && line != b"]}\n" {
        let one = line.strip_suffix(b"\n").unwrap_or(&line);
        let one = one.strip_suffix(b",").unwrap_or(one);
        if digests.get(index) != Some(&first_bytes(one)) {
            let entry: Result<CopyEntry, _> = serde_json::from_slice(one);
            let named = entry.map_or_else(|_| format!("entry {index}"), |entry| entry.path);
            return Err(differs(format!("{named} is not what was read of the machine")));
        }
        index += 1;
    }
    match index == digests.len() && line == b"]}\n" {
        true => Ok(()),
        false => Err(differs(format!("it holds {} entries and its list {index}", digests.len()))),
    }
}

/// Prints what is in a copy, one entry a line, and verifies it by the way.
pub(super) fn list(path: &Path, key: &str, out: &mut dyn Write) -> anyhow::Result<Walked> {
    struct Lines<'a>(&'a mut dyn Write);
    impl Visit for Lines<'_> {
        fn entry(&mut self, _index: usize, item: &Item, _content: &mut dyn Read) -> anyhow::Result<()> {
            let sign = match item.kind {
                EntryKind::File => '-',
                EntryKind::Folder => 'd',
                EntryKind::Link => 'l',
                EntryKind::HardLink => 'h',
            };
            let path = assay_diagnosis::text::escaped(&path_text(&item.path));
            let Item { mode, uid, gid, size_bytes, .. } = item;
            writeln!(self.0, "{sign}{mode:04o} {uid}:{gid} {size_bytes:>10} {path}")?;
            Ok(())
        }
    }
    walk(&open(path)?, path, key, &mut Lines(out))
}
