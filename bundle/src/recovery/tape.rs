//! The tar of a recovery copy, written and read in one form only: ustar with a PAX record where a field does not fit.
//!
//! Stock tar reads it. The reader takes nothing else, because a copy may come from whoever knows the owner's public
//! recipient: no device, no sparse file, no unknown PAX key, no path that leaves its root or names a place twice by `.`
//! or an empty part. Targets of symbolic links are data and may be anything; nobody follows them.

use std::io::{self, Read, Write};

use super::attributes::{self, Attributes};
use super::{CopyEntry, EntryKind, path_text};

const BLOCK: usize = 512;
/// Name and link field of a header.
const NAME_BYTES: usize = 100;
/// Largest number in a field of seven octal digits.
const SEVEN: u64 = 0o7_777_777;
/// Largest number in a field of eleven octal digits.
const ELEVEN: u64 = 0o77_777_777_777;
/// Longest path and link target, the kernel's own `PATH_MAX`.
const MOST_PATH_BYTES: usize = 4096;
/// Most bytes of PAX records: a path, a target and four numbers, and the attributes with what surrounds each.
const MOST_RECORD_BYTES: u64 = (12 << 10) + 5 * attributes::MOST_BYTES as u64;
/// Most bytes of zeros after the end.
const MOST_PADDING_BYTES: u64 = 20 * BLOCK as u64;

/// One entry: a path with all that belongs to it but the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Path below the root, without a leading or trailing slash.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change, seconds since 1970.
    pub mtime_s: i64,
    /// Nanoseconds of it.
    pub mtime_ns: u32,
    /// Bytes of content; zero for all but files.
    pub size_bytes: u64,
    /// Target of a link; empty for files and folders.
    pub target: Vec<u8>,
    /// Access lists and extended attributes; none for another name of a file.
    pub attributes: Attributes,
}

impl Item {
    /// A document of ours.
    pub fn document(path: &str, size_bytes: u64, mtime_s: i64) -> Self {
        Self {
            path: path.as_bytes().to_vec(),
            kind: EntryKind::File,
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime_s,
            mtime_ns: 0,
            size_bytes,
            target: Vec::new(),
            attributes: Attributes::new(),
        }
    }

    /// Its line in the list, with the digest of a file's content.
    pub fn entry(&self, sha256: Option<String>) -> CopyEntry {
        let target = matches!(self.kind, EntryKind::Link | EntryKind::HardLink);
        CopyEntry {
            path: path_text(&self.path),
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime_s: self.mtime_s,
            mtime_ns: self.mtime_ns,
            size_bytes: self.size_bytes,
            sha256,
            target: target.then(|| path_text(&self.target)),
            attributes_sha256: attributes::digest(&self.attributes),
        }
    }
}

/// Whether a path stays below its root and names each place in one way only.
pub fn is_plain(path: &[u8]) -> bool {
    path.len() <= MOST_PATH_BYTES
        && !path.contains(&0)
        && path.split(|b| *b == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Writes the header of an entry; its content and [`pad`] follow.
pub fn write_head(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    let mut path = item.path.clone();
    if item.kind == EntryKind::Folder {
        path.push(b'/');
    }
    let mut records = Vec::new();
    if path.len() > NAME_BYTES {
        record(&mut records, b"path", &path);
    }
    if item.target.len() > NAME_BYTES {
        record(&mut records, b"linkpath", &item.target);
    }
    for (key, value, most) in
        [("uid", item.uid.into(), SEVEN), ("gid", item.gid.into(), SEVEN), ("size", item.size_bytes, ELEVEN)]
    {
        if value > most {
            record(&mut records, key.as_bytes(), value.to_string().as_bytes());
        }
    }
    let plain_time = u64::try_from(item.mtime_s).ok().filter(|s| *s <= ELEVEN && item.mtime_ns == 0);
    if plain_time.is_none() {
        record(&mut records, b"mtime", time_text(item.mtime_s, item.mtime_ns).as_bytes());
    }
    for (name, value) in &item.attributes {
        record(&mut records, &[attributes::KEY, name].concat(), value);
    }
    if !records.is_empty() {
        let size = records.len() as u64;
        out.write_all(&block(b"././@PaxHeader", b'x', [0o600, 0, 0, size, 0], b""))?;
        out.write_all(&records)?;
        pad(out, size)?;
    }
    let kind = match item.kind {
        EntryKind::File => b'0',
        EntryKind::HardLink => b'1',
        EntryKind::Link => b'2',
        EntryKind::Folder => b'5',
    };
    let fits = |value: u64, most| if value <= most { value } else { 0 };
    let numbers = [
        u64::from(item.mode),
        fits(item.uid.into(), SEVEN),
        fits(item.gid.into(), SEVEN),
        fits(item.size_bytes, ELEVEN),
        plain_time.unwrap_or_default(),
    ];
    out.write_all(&block(&path, kind, numbers, &item.target))
}

/// Fills the last block of an entry.
pub fn pad(out: &mut dyn Write, size_bytes: u64) -> io::Result<()> {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let count = usize::try_from(size_bytes.wrapping_neg() % BLOCK as u64).unwrap_or_default();
    out.write_all(ZEROS.get(..count).unwrap_or_default())
}

/// Ends the tar.
pub fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// `123 path=…\n`: the length counts itself.
fn record(to: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    to.extend_from_slice(format!("{length} ").as_bytes());
    to.extend_from_slice(key);
    to.push(b'=');
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// Seconds with nine decimals, as PAX writes times: before 1970 the number counts down.
fn time_text(s: i64, ns: u32) -> String {
    match (s, ns) {
        (s, 0) => s.to_string(),
        (s, ns) if s >= 0 => format!("{s}.{ns:09}"),
        (s, ns) => {
            format!("-{}.{:09}", s.unsigned_abs().saturating_sub(1), 1_000_000_000_u32.saturating_sub(ns))
        }
    }
}

fn parse_time(text: &str) -> Option<(i64, u32)> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let (negative, digits) = whole.strip_prefix('-').map_or((false, whole), |digits| (true, digits));
    let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if digits.is_empty() || !plain(digits) || !plain(decimals) || decimals.len() > 9 {
        return None;
    }
    let s: i64 = digits.parse().ok()?;
    let ns: u32 = format!("{decimals:0<9}").parse().ok()?;
    match (negative, ns) {
        (false, ns) => Some((s, ns)),
        (true, 0) => Some((-s, 0)),
        (true, ns) => Some(((-s).checked_sub(1)?, 1_000_000_000 - ns)),
    }
}

/// A header block: mode, owner, group, size and time in octal.
fn block(path: &[u8], kind: u8, numbers: [u64; 5], target: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, most: usize, bytes: &[u8]| {
        let bytes = bytes.get(..most).unwrap_or(bytes);
        if let Some(field) = block.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, NAME_BYTES, path);
    let [mode, uid, gid, size, mtime] = numbers;
    for (at, number) in [(100, mode), (108, uid), (116, gid)] {
        put(at, 8, format!("{number:07o}\0").as_bytes());
    }
    put(124, 12, format!("{size:011o}\0").as_bytes());
    put(136, 12, format!("{mtime:011o}\0").as_bytes());
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, NAME_BYTES, target);
    put(257, 8, b"ustar\x0000");
    put(329, 8, b"0000000\0");
    put(337, 8, b"0000000\0");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    let text = format!("{sum:06o}\0 ");
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(text.as_bytes());
    }
    block
}

/// Reads a tar of that form: [`Tape::next`], then the content of that entry through [`Read`].
pub struct Tape<R> {
    inner: R,
    /// Content of this entry that was not read yet.
    left_bytes: u64,
    padding_bytes: u64,
}

impl<R: Read> Tape<R> {
    /// Reads from the first header on.
    pub fn new(inner: R) -> Self {
        Self { inner, left_bytes: 0, padding_bytes: 0 }
    }

    /// The next entry, whatever was left of the one before; `None` after the last, when the stream has ended well.
    #[expect(clippy::should_implement_trait, reason = "it lends itself out between two entries")]
    pub fn next(&mut self) -> io::Result<Option<Item>> {
        io::copy(self, &mut io::sink())?;
        let padding = self.padding_bytes;
        io::copy(&mut (&mut self.inner).take(padding), &mut io::sink())?;
        self.padding_bytes = 0;
        let first = self.block()?;
        if first.iter().all(|byte| *byte == 0) {
            self.ended()?;
            return Ok(None);
        }
        let (records, header) = match kind(&first) {
            b'x' => {
                let size = octal(field(&first, 124, 12))?;
                if size > MOST_RECORD_BYTES {
                    return Err(refused("a PAX record is longer than any of a recovery copy"));
                }
                let mut bytes = Vec::new();
                (&mut self.inner).take(size).read_to_end(&mut bytes)?;
                if bytes.len() as u64 != size {
                    return Err(cut());
                }
                let padding = size.wrapping_neg() % BLOCK as u64;
                io::copy(&mut (&mut self.inner).take(padding), &mut io::sink())?;
                (bytes, self.block()?)
            }
            _ => (Vec::new(), first),
        };
        let item = item(&header, &records)?;
        self.left_bytes = item.size_bytes;
        self.padding_bytes = item.size_bytes.wrapping_neg() % BLOCK as u64;
        Ok(Some(item))
    }

    fn block(&mut self) -> io::Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        self.inner.read_exact(&mut block).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => cut(),
            _ => e,
        })?;
        Ok(block)
    }

    /// What follows the last entry: zeros, and then the end that age and zstd vouch for.
    fn ended(&mut self) -> io::Result<()> {
        if self.block()?.iter().any(|byte| *byte != 0) {
            return Err(refused("something follows the end of the tar"));
        }
        let mut rest = Vec::new();
        (&mut self.inner).take(MOST_PADDING_BYTES + 1).read_to_end(&mut rest)?;
        match rest.len() as u64 > MOST_PADDING_BYTES || rest.iter().any(|byte| *byte != 0) {
            true => Err(refused("something follows the end of the tar")),
            false => Ok(()),
        }
    }
}

impl<R: Read> Read for Tape<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.inner.read(buffer)? {
            0 => Err(cut()),
            read => {
                self.left_bytes = self.left_bytes.saturating_sub(read as u64);
                Ok(read)
            }
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the copy ends too early")
}

fn field(block: &[u8; BLOCK], at: usize, length: usize) -> &[u8] {
    let bytes = block.get(at..at + length).unwrap_or_default();
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn kind(block: &[u8; BLOCK]) -> u8 {
    block.get(156).copied().unwrap_or_default()
}

fn octal(text: &[u8]) -> io::Result<u64> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    u64::from_str_radix(text, 8).map_err(|_| refused("a number in a tar header is not octal"))
}

/// The entry of a header and its records. The header is written again from what was read and must be the same.
fn item(header: &[u8; BLOCK], records: &[u8]) -> io::Result<Item> {
    let narrow =
        |value: u64| u32::try_from(value).map_err(|_| refused("a number in a tar header is too large"));
    let mut item = Item {
        path: field(header, 0, NAME_BYTES).to_vec(),
        kind: match kind(header) {
            b'0' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Link,
            b'5' => EntryKind::Folder,
            other => {
                return Err(refused(format!(
                    "an entry of type {:?} is none of a recovery copy",
                    char::from(other)
                )));
            }
        },
        mode: narrow(octal(field(header, 100, 8))?)?,
        uid: narrow(octal(field(header, 108, 8))?)?,
        gid: narrow(octal(field(header, 116, 8))?)?,
        size_bytes: octal(field(header, 124, 12))?,
        mtime_s: i64::try_from(octal(field(header, 136, 12))?).map_err(|_| refused("a time is too large"))?,
        mtime_ns: 0,
        target: field(header, 157, NAME_BYTES).to_vec(),
        attributes: Attributes::new(),
    };
    let mut rest = records;
    while !rest.is_empty() {
        rest = read_record(rest, &mut item)?;
    }
    if item.kind == EntryKind::Folder && item.path.last() == Some(&b'/') {
        item.path.pop();
    }
    if item.mode > 0o7777 || !is_plain(&item.path) {
        return Err(refused(format!("the path {:?} is none of a recovery copy", path_text(&item.path))));
    }
    let linked = match item.kind {
        EntryKind::File | EntryKind::Folder => item.target.is_empty(),
        EntryKind::Link => (1..=MOST_PATH_BYTES).contains(&item.target.len()) && !item.target.contains(&0),
        EntryKind::HardLink => is_plain(&item.target),
    };
    let attributes = attributes::are_whole(&item.attributes)
        && (item.kind != EntryKind::HardLink || item.attributes.is_empty());
    if !linked || !attributes || (item.size_bytes > 0 && item.kind != EntryKind::File) {
        return Err(refused(format!("the entry {:?} is none of a recovery copy", path_text(&item.path))));
    }
    let mut again = Vec::new();
    write_head(&mut again, &item)?;
    match again.ends_with(header) {
        true => Ok(item),
        false => {
            Err(refused(format!("the header of {:?} is none of a recovery copy", path_text(&item.path))))
        }
    }
}

fn read_record<'a>(records: &'a [u8], item: &mut Item) -> io::Result<&'a [u8]> {
    let bad = || refused("a PAX record is none of a recovery copy");
    let space = records.iter().position(|b| *b == b' ').ok_or_else(bad)?;
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
    let length: usize = records.get(..space).and_then(text).and_then(|t| t.parse().ok()).ok_or_else(bad)?;
    let (one, rest) = records.split_at_checked(length).ok_or_else(bad)?;
    let one = one.get(space + 1..).and_then(|one| one.strip_suffix(b"\n")).ok_or_else(bad)?;
    let equals = one.iter().position(|b| *b == b'=').ok_or_else(bad)?;
    let (key, value) = one.split_at(equals);
    let value = value.get(1..).unwrap_or_default();
    let number = || text(value).and_then(|t| t.parse().ok()).ok_or_else(bad);
    match key {
        b"path" => item.path = value.to_vec(),
        b"linkpath" => item.target = value.to_vec(),
        b"uid" => item.uid = number()?,
        b"gid" => item.gid = number()?,
        b"size" => item.size_bytes = text(value).and_then(|t| t.parse().ok()).ok_or_else(bad)?,
        b"mtime" => (item.mtime_s, item.mtime_ns) = text(value).and_then(parse_time).ok_or_else(bad)?,
        _ => match key.strip_prefix(attributes::KEY) {
            // The same one twice would have two readings.
            Some(name) if item.attributes.insert(name.to_vec(), value.to_vec()).is_none() => {}
            _ => return Err(bad()),
        },
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Item {
        Item { mode: 0o644, mtime_s: 1_700_000_000, ..Item::document(path, 3, 0) }
    }

    fn written(item: &Item) -> Vec<u8> {
        let mut tar = Vec::new();
        write_head(&mut tar, item).expect("memory");
        if item.size_bytes == 3 {
            tar.extend_from_slice(b"abc");
            pad(&mut tar, 3).expect("memory");
        }
        end(&mut tar).expect("memory");
        tar
    }

    fn check(item: &Item) {
        let tar = written(item);
        let mut tape = Tape::new(&tar[..]);
        assert_eq!(tape.next().expect("reads").as_ref(), Some(item));
        if item.size_bytes == 3 {
            let mut content = String::new();
            tape.read_to_string(&mut content).expect("reads");
            assert_eq!(content, "abc");
        }
        assert_eq!(tape.next().expect("ends"), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let long = format!("etc/{}", "x".repeat(300));
        let empty = |item: Item| Item { size_bytes: 0, ..item };
        for item in [
            file("etc/config/a"),
            file(&long),
            file(&"x".repeat(100)),
            Item { uid: 4_000_000_000, gid: 2_097_152, ..file("a") },
            Item { mtime_ns: 5, ..file("a") },
            Item { mtime_s: -1, mtime_ns: 999_999_999, ..file("a") },
            Item { mtime_s: -7, ..file("a") },
            Item { mtime_s: i64::MAX / 4, ..file("a") },
            empty(Item { kind: EntryKind::Folder, ..file("etc/config") }),
            empty(Item { kind: EntryKind::Folder, ..file(&long) }),
            empty(Item {
                kind: EntryKind::Link,
                target: b"/usr/share/zoneinfo/UTC".to_vec(),
                ..file("etc/l")
            }),
            empty(Item { kind: EntryKind::Link, target: long.clone().into_bytes(), ..file("etc/l") }),
            empty(Item { kind: EntryKind::HardLink, target: b"etc/a".to_vec(), ..file("etc/b") }),
            Item { path: b"etc/\xff".to_vec(), ..file("") },
            Item {
                attributes: Attributes::from([
                    (b"system.posix_acl_access".to_vec(), vec![2, 0, 0, 0, b'=', b'\n', 0xff]),
                    (b"user.empty".to_vec(), Vec::new()),
                    (b"user.large".to_vec(), vec![b'\n'; 60_000]),
                ]),
                ..file("etc/acl")
            },
            empty(Item {
                kind: EntryKind::Folder,
                attributes: Attributes::from([(b"trusted.x".to_vec(), b"1".to_vec())]),
                ..file("etc/d")
            }),
        ] {
            check(&item);
        }
        check(&Item { size_bytes: 0, ..file("empty") });
    }

    #[test]
    fn what_a_copy_never_holds_is_refused() {
        fn refused(item: &Item) {
            let tar = written(item);
            assert!(Tape::new(&tar[..]).next().is_err(), "{item:?}");
        }
        let empty = |item: Item| Item { size_bytes: 0, ..item };
        for path in ["/etc/passwd", "../a", "a/../b", "a//b", "./a", "", "a/"] {
            refused(&file(path));
        }
        refused(&empty(Item { kind: EntryKind::HardLink, target: b"../a".to_vec(), ..file("b") }));
        refused(&empty(Item { kind: EntryKind::HardLink, target: b"/a".to_vec(), ..file("b") }));
        refused(&empty(Item { kind: EntryKind::Link, ..file("b") }));
        refused(&Item { mode: 0o10_644, ..file("a") });
        let with = |name: &str, bytes: usize| Attributes::from([(name.as_bytes().to_vec(), vec![0; bytes])]);
        for (name, bytes) in [("security.capability", 20), ("user.", 1), ("user.x", 65_536)] {
            refused(&Item { attributes: with(name, bytes), ..file("a") });
        }
        refused(&empty(Item {
            kind: EntryKind::HardLink,
            target: b"a".to_vec(),
            attributes: with("user.x", 1),
            ..file("b")
        }));
        for kind in [b'3', b'4', b'6', b'7', b'L', b'S', b'g', 0] {
            let mut tar = written(&file("a"));
            tar[156] = kind;
            assert!(Tape::new(&tar[..]).next().is_err(), "{kind}");
        }
        let tar = written(&file("a"));
        for cut in [0, 100, 512, 514, 1024, 1536, tar.len() - 1] {
            let mut tape = Tape::new(&tar[..cut]);
            assert!((0..3).any(|_| tape.next().is_err()), "{cut}");
        }
        let mut tar = tar;
        tar.extend_from_slice(&[1]);
        let mut tape = Tape::new(&tar[..]);
        tape.next().expect("the entry");
        assert!(tape.next().is_err(), "something follows");
    }
}
