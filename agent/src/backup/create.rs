//! Making a copy: what the child of [`super::child`] does. Reads the machine, writes one file, proves it.
//!
//! Streamed: what is held is a file of at most half a megabyte, zstd's window and the notes. The list of entries waits in
//! a file without a name when it grows. Reading, sealing and reading back go on at the same time. A copy that cannot be
//! finished, or does not read back as it was written, leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use assay_bundle::recovery::sealing::Sealer;
use assay_bundle::recovery::tape::{self, Item};
use assay_bundle::recovery::{
    COPY_FORMAT, CopyHead, CopyLevel, CopyNote, CopyReceipt, EntryKind, HEAD_NAME, LIST_NAME, NOTES_NAME,
    path_text,
};
use assay_bundle::units::Bytes;
use rustix::fs::{FileType, Stat, readlinkat, statvfs};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::attributes;
use super::digests::Digests;
use super::pipe::Pipe;
use super::profile::Profile;
use super::proof::Proof;
use super::reading::{self, COMPANIONS, Database, Large, Missed, Read, Reading, Spool};
use super::walk::{At, Visit, resolve, walk};
use crate::output::PartialFile;
use crate::trouble::{NextStep, refuse};

/// Room that is left free beyond the estimate: file systems need some, and so do the list and the receipt.
const SPARE_BYTES: u64 = 1 << 20;
/// What to do about a disk that does not give back what it got.
const NEXT_DISK: &str =
    "the disk may be failing: run `assay check`, and make the copy elsewhere with -o FILE";
/// Most notes that are kept with their paths; their number is counted on.
const MOST_NOTES: usize = 5_000;
/// Most names of files with several names that are remembered, some hundred bytes each.
const MOST_LINKED: usize = 10_000;

/// What the child is sent to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    /// Top of the system that is copied.
    pub(crate) root: PathBuf,
    /// Where the copy will stand; none: standard output.
    pub(crate) target: Option<PathBuf>,
    /// What is said about the machine; packages are filled in here.
    pub(crate) head: CopyHead,
    /// Seconds since 1970 at its beginning.
    pub(crate) made_unix_s: i64,
    /// What the collector's commands said, by name.
    pub(crate) documents: BTreeMap<String, String>,
    /// age recipients.
    pub(crate) recipients: Vec<String>,
    /// An identity that opens the copy for its proof, when the owner offered one.
    pub(crate) key: Option<String>,
    /// Copies that are kept in the same folder; none: nothing is removed.
    pub(crate) keep: Option<usize>,
    /// A list that was prepared for the comparison with another copy; see [`super::digests`].
    #[serde(default)]
    pub(crate) digests: Option<PathBuf>,
    /// Recipients whose key is lost.
    pub(crate) lost: Vec<String>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The receipt, which stands beside the copy.
    pub(crate) receipt: CopyReceipt,
    /// Some of what was noted, with paths: for the owner's eyes.
    pub(crate) notes: Vec<CopyNote>,
    /// Older copies that were removed.
    pub(crate) removed: Vec<String>,
}

/// Told what is read at the moment: who waits knows from it where reading hangs.
pub(super) trait Beat {
    /// `path` is next.
    fn at(&mut self, path: &[u8]);
    /// A file in the making that somebody has to remove when this process is killed.
    fn partial(&mut self, path: &Path);
}

/// Adds up what there is to copy.
struct Estimate<'a> {
    profile: &'static Profile,
    volume_keys: bool,
    beat: &'a mut dyn Beat,
    bytes: u64,
    largest: u64,
}

impl Visit for Estimate<'_> {
    fn refuses(&self, path: &[u8]) -> Option<&'static str> {
        self.profile.left_out(path, self.volume_keys)
    }

    fn found(&mut self, path: &[u8], _at: At<'_>, stat: &Stat) -> anyhow::Result<()> {
        self.beat.at(path);
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            self.bytes = self.bytes.saturating_add(size);
            self.largest = self.largest.max(size);
        }
        Ok(())
    }

    fn left_out(&mut self, _path: &[u8], _why: &'static str) {}

    fn unreadable(&mut self, _path: &[u8], _error: Errno) {}
}

/// Where the copy goes.
enum Out {
    File { file: PartialFile, proof: Proof, size_bytes: u64 },
    Stdout(io::Stdout),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { file, proof, size_bytes } => {
                let written = file.write(bytes)?;
                *size_bytes = size_bytes.saturating_add(written as u64);
                proof.grown(*size_bytes);
                Ok(written)
            }
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// Makes the copy, reads it back, and opens it when a key was offered.
pub(super) fn make(errand: &Errand, beat: &mut dyn Beat) -> anyhow::Result<Made> {
    let profile = Profile::named(&errand.head.profile)
        .ok_or_else(|| refuse("no such profile", "this is for the program itself only"))?;
    let folder =
        errand.target.as_deref().and_then(Path::parent).map_or_else(std::env::temp_dir, Path::to_owned);
    // Only for a file: how much room is behind a pipe nobody here can ask.
    if errand.target.is_some() {
        let volume_keys = errand.head.volume_keys;
        let mut estimate = Estimate { profile, volume_keys, beat, bytes: 0, largest: 0 };
        walk(&errand.root, profile.roots, &mut estimate)?;
        check_room(&folder, estimate.bytes, estimate.largest)?;
    }
    let out = match &errand.target {
        Some(target) => {
            let file = PartialFile::begin(target, 0o600)?;
            beat.partial(file.temporary());
            let proof = Proof::follow(file.temporary())
                .or_advise("no copy was made: what is written cannot be read back", NEXT_DISK)?;
            Out::File { file, proof, size_bytes: 0 }
        }
        None => Out::Stdout(io::stdout()),
    };
    let digests = errand.digests.as_deref().map(Digests::fill).transpose()?;
    let sealer = Sealer::new(out, &errand.recipients)
        .or_advise("nothing was copied", "name recipients as `age-keygen -y` prints them (age1…)")?;
    let mut copying = Copying::new(errand, profile, Pipe::new(sealer)?, &folder, beat);
    copying.digests = digests;
    let written = copying.all().and_then(|()| copying.finish());
    let digests = copying.digests.take();
    let (out, mut receipt, notes) = written.map_err(|error| no_room(error, &folder))?;
    if let (Out::File { file, proof, .. }, Some(target)) = (out, &errand.target) {
        file.sync()?;
        let reading = b"reading the copy back";
        beat.at(reading);
        let read = proof.finish(receipt.size_bytes, &mut || beat.at(reading));
        // What was begun vanishes: a copy that is not what was written never stands under its name.
        if read.or_advise("the copy cannot be read back; it is removed", NEXT_DISK)?
            != (receipt.size_bytes, receipt.sha256.clone())
        {
            return Err(refuse("the copy read back is not what was written; it is removed", NEXT_DISK));
        }
        file.finish()?;
        receipt.level = CopyLevel::ReadBack;
        if let Some(key) = &errand.key {
            super::check::verify(target, key, &mut |path| beat.at(path))?;
            receipt.level = CopyLevel::OpenedWithKey;
        }
    }
    if let Some(digests) = digests {
        digests.finish()?;
    }
    Ok(Made { receipt, notes, removed: Vec::new() })
}

/// Refuses when the copy could not fit.
fn check_room(folder: &Path, bytes: u64, largest: u64) -> anyhow::Result<()> {
    // What cannot be asked is found out by writing.
    let Ok(space) = statvfs(folder) else { return Ok(()) };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    // Compressed it is smaller, but how much nobody knows before; the largest file waits beside it while it is read.
    let needed = bytes.saturating_add(largest).saturating_add(SPARE_BYTES);
    if free >= needed {
        return Ok(());
    }
    Err(refuse(
        format!(
            "no copy was made: {} has {} free, and up to {} are needed",
            folder.display(),
            Bytes(free),
            Bytes(needed)
        ),
        "free some space, or name another place: `assay backup create -o FILE`",
    ))
}

/// A full disk in words, with its next step.
fn no_room(error: anyhow::Error, folder: &Path) -> anyhow::Error {
    let full = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    });
    match full {
        true => refuse(
            format!("no copy was made: {} is full; what was begun is removed", folder.display()),
            "free some space, or name another place: `assay backup create -o FILE`",
        ),
        false => error.context("no copy was made, and what was begun is removed"),
    }
}

/// The copy while it is written.
struct Copying<'a> {
    errand: &'a Errand,
    profile: &'static Profile,
    beat: &'a mut dyn Beat,
    out: Option<Pipe<Out>>,
    folder: PathBuf,
    spool: Spool,
    list: Spool,
    digests: Option<Digests>,
    entries: u64,
    content_bytes: u64,
    notes: Vec<CopyNote>,
    counts: [BTreeMap<String, u64>; 2],
    /// First name of each file that has several.
    linked: BTreeMap<(u64, u64), Vec<u8>>,
    /// Files that were taken with their database.
    taken: BTreeSet<Vec<u8>>,
}

impl<'a> Copying<'a> {
    fn new(
        errand: &'a Errand,
        profile: &'static Profile,
        out: Pipe<Out>,
        folder: &Path,
        beat: &'a mut dyn Beat,
    ) -> Self {
        Self {
            errand,
            profile,
            beat,
            out: Some(out),
            folder: folder.to_owned(),
            spool: Spool::new(folder),
            list: Spool::new(folder),
            digests: None,
            entries: 0,
            content_bytes: 0,
            notes: Vec::new(),
            counts: [BTreeMap::new(), BTreeMap::new()],
            linked: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    fn all(&mut self) -> anyhow::Result<()> {
        let errand = self.errand;
        let mut head = errand.head.clone();
        head.format = COPY_FORMAT;
        let registry = resolve(&errand.root, self.profile.packages);
        if let Ok(file) = File::open(registry) {
            head.packages =
                super::profile::packages(self.profile.name == "qts", &mut io::BufReader::new(file));
        }
        self.document(HEAD_NAME, &serde_json::to_vec_pretty(&head)?)?;
        walk(&errand.root, self.profile.roots, self)?;
        if self.profile.name == "qts" && !self.notes.iter().any(|note| note.path.ends_with("autorun.sh")) {
            let there = ["tmp/config/autorun.sh", "tmp/nasconfig_tmp/autorun.sh"];
            if !there.iter().any(|place| resolve(&errand.root, place).exists()) {
                self.note("boot-partition-not-mounted", b"autorun.sh", true);
            }
        }
        for (name, text) in &errand.documents {
            self.document(&format!("assay/storage/{name}"), text.as_bytes())?;
        }
        let notes = serde_json::to_vec_pretty(&self.notes)?;
        self.document(NOTES_NAME, &notes)
    }

    /// Writes the list and the end; returns what was written.
    fn finish(&mut self) -> anyhow::Result<(Out, CopyReceipt, Vec<CopyNote>)> {
        let mut list = std::mem::replace(&mut self.list, Spool::new(&self.folder));
        list.write_all(if self.entries == 0 { b"{\"entries\":[\n]}\n" } else { b"\n]}\n" })?;
        let item = Item::document(LIST_NAME, list.size_bytes(), self.errand.made_unix_s);
        let out = self.out()?;
        tape::write_head(out, &item)?;
        list.pour(out)?;
        tape::pad(out, item.size_bytes)?;
        tape::end(out)?;
        let out = self.out.take().ok_or_else(|| anyhow::anyhow!("the copy is already finished"))?;
        let (out, size_bytes, sha256) = out.finish()?;
        let [notes, left_out] = std::mem::take(&mut self.counts);
        let name = self.errand.target.as_deref().and_then(Path::file_name);
        let receipt = CopyReceipt {
            format: COPY_FORMAT,
            name: name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            made_at: self.errand.head.made_at.clone(),
            made_unix_s: self.errand.made_unix_s,
            agent_version: self.errand.head.agent_version.clone(),
            profile: self.profile.name.to_owned(),
            size_bytes,
            sha256,
            entries: self.entries,
            content_bytes: self.content_bytes,
            recipients: self.errand.recipients.clone(),
            level: CopyLevel::Written,
            volume_keys: self.errand.head.volume_keys,
            notes,
            left_out,
            extra: serde_json::Map::new(),
        };
        Ok((out, receipt, std::mem::take(&mut self.notes)))
    }

    fn out(&mut self) -> anyhow::Result<&mut Pipe<Out>> {
        self.out.as_mut().ok_or_else(|| anyhow::anyhow!("the copy is already finished"))
    }

    /// A document of ours.
    fn document(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let item = Item::document(name, bytes.len() as u64, self.errand.made_unix_s);
        let out = self.out()?;
        tape::write_head(out, &item)?;
        out.write_all(bytes)?;
        tape::pad(out, item.size_bytes)?;
        Ok(())
    }

    fn note(&mut self, kind: &str, path: &[u8], left_out: bool) {
        if let Some(count) = self.counts.get_mut(usize::from(left_out)) {
            *count.entry(kind.to_owned()).or_default() += 1;
        }
        if self.notes.len() < MOST_NOTES {
            self.notes.push(CopyNote { kind: kind.to_owned(), path: path_text(path), left_out });
        }
    }

    /// Writes an entry; the content of a file is what the spool holds.
    fn entry(&mut self, item: &Item, content: Option<(&mut Spool, String)>) -> anyhow::Result<()> {
        let (spool, sha256) = content.map_or((None, None), |(spool, sha256)| (Some(spool), Some(sha256)));
        let out = self.out()?;
        tape::write_head(out, item)?;
        if let Some(spool) = spool {
            spool.pour(out)?;
            tape::pad(out, item.size_bytes)?;
        }
        self.line(item, sha256)
    }

    /// Writes the line of an entry into the list.
    fn line(&mut self, item: &Item, sha256: Option<String>) -> anyhow::Result<()> {
        self.list.write_all(if self.entries == 0 { b"{\"entries\":[\n" } else { b",\n" })?;
        if let Some(digests) = &mut self.digests {
            digests.note(item, sha256.as_deref())?;
        }
        let line = serde_json::to_vec(&item.entry(sha256))?;
        self.list.write_all(&line)?;
        self.entries += 1;
        self.content_bytes = self.content_bytes.saturating_add(item.size_bytes);
        Ok(())
    }

    /// What stands at a path, with its attributes.
    fn item(&mut self, path: &[u8], kind: EntryKind, at: At<'_>, stat: &Stat) -> Item {
        let mut item = item(path, kind, stat);
        match attributes::read(at) {
            Ok(found) => {
                if found.others {
                    self.note("attributes-not-kept", path, false);
                }
                item.attributes = found.kept;
            }
            // Gone meanwhile: its content was read before.
            Err(Errno::NOENT) => {}
            Err(_) => self.note("attributes-not-kept", path, false),
        }
        item
    }

    fn file(&mut self, path: &[u8], at: At<'_>) -> anyhow::Result<()> {
        let mut spool = std::mem::replace(&mut self.spool, Spool::new(&self.folder));
        let result = match reading::read(at, &mut spool, &mut || self.beat.at(path)) {
            Ok(Read::Database(database)) => return self.database(path, at, &database),
            Ok(Read::Large(large)) => {
                self.spool = spool;
                return self.large(path, at, *large);
            }
            Ok(Read::File(reading)) => Ok(reading),
            Err(missed) => Err(missed),
        };
        self.content(path, at, result, &mut spool)?;
        self.spool = spool;
        Ok(())
    }

    /// A large file, read for the second time while it is written.
    fn large(&mut self, path: &[u8], at: At<'_>, large: Large) -> anyhow::Result<()> {
        let mut item = self.item(path, EntryKind::File, at, &large.stat);
        item.size_bytes = large.size_bytes;
        let mut out = self.out.take().ok_or_else(|| anyhow::anyhow!("the copy is already finished"))?;
        tape::write_head(&mut out, &item)?;
        let poured = large.pour(&mut out, &mut || self.beat.at(path))?;
        tape::pad(&mut out, item.size_bytes)?;
        self.out = Some(out);
        if poured.changed {
            self.note("changed-while-read", path, false);
        }
        if poured.failed {
            self.note("read-error", path, false);
        }
        self.line(&item, Some(poured.sha256))
    }

    /// A database and what belongs to it, all read before the lock is given up.
    fn database(&mut self, path: &[u8], at: At<'_>, database: &Database) -> anyhow::Result<()> {
        let mut spool = Spool::new(&self.folder);
        let result = database.read(&mut spool, &mut || self.beat.at(path));
        let mut companions = Vec::new();
        for ending in COMPANIONS {
            let name = [at.name, ending].concat();
            let mut spool = Spool::new(&self.folder);
            let at = At { parent: at.parent, name: &name };
            match reading::read_plain(at, &mut spool, &mut || self.beat.at(path)) {
                Err(Missed::Gone) => {}
                result => companions.push(([path, ending].concat(), name.clone(), result, spool)),
            }
        }
        if !database.locked {
            self.note("database-not-locked", path, false);
        }
        self.content(path, at, result, &mut spool)?;
        for (path, name, result, mut spool) in companions {
            self.taken.insert(path.clone());
            self.content(&path, At { parent: at.parent, name: &name }, result, &mut spool)?;
        }
        Ok(())
    }

    fn content(
        &mut self,
        path: &[u8],
        at: At<'_>,
        result: Result<Reading, Missed>,
        spool: &mut Spool,
    ) -> anyhow::Result<()> {
        let reading = match result {
            Ok(reading) => reading,
            Err(Missed::Gone) => {
                self.note("gone-while-read", path, true);
                return Ok(());
            }
            Err(Missed::Special) => {
                self.note("not-a-file", path, true);
                return Ok(());
            }
            Err(Missed::Source(error)) => {
                self.note(why_unread(&error), path, true);
                return Ok(());
            }
            Err(Missed::Keeping(error)) => return Err(error.into()),
        };
        if reading.changed {
            self.note("changed-while-read", path, false);
        }
        let item = self.item(path, EntryKind::File, at, &reading.stat);
        let item = Item { size_bytes: spool.size_bytes(), ..item };
        self.entry(&item, Some((spool, reading.sha256)))
    }
}

impl Visit for Copying<'_> {
    fn refuses(&self, path: &[u8]) -> Option<&'static str> {
        self.profile.left_out(path, self.errand.head.volume_keys)
    }

    fn found(&mut self, path: &[u8], at: At<'_>, stat: &Stat) -> anyhow::Result<()> {
        self.beat.at(path);
        if self.taken.remove(path) {
            return Ok(());
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let item = self.item(path, EntryKind::Folder, at, stat);
                self.entry(&item, None)
            }
            FileType::Symlink => match readlinkat(at.parent, at.name, Vec::new()) {
                Ok(target) => {
                    let target = target.into_bytes();
                    let item = self.item(path, EntryKind::Link, at, stat);
                    self.entry(&Item { target, ..item }, None)
                }
                Err(error) => {
                    self.unreadable(path, error);
                    Ok(())
                }
            },
            FileType::RegularFile => {
                let several = super::wide(stat.st_nlink) > 1;
                let key = (super::wide(stat.st_dev), super::wide(stat.st_ino));
                if let Some(target) = self.linked.get(&key).cloned().filter(|_| several) {
                    return self.entry(&Item { target, ..item(path, EntryKind::HardLink, stat) }, None);
                }
                let before = self.entries;
                self.file(path, at)?;
                if several && self.entries > before && self.linked.len() < MOST_LINKED {
                    self.linked.insert(key, path.to_vec());
                }
                Ok(())
            }
            _ => {
                self.note("not-a-file", path, true);
                Ok(())
            }
        }
    }

    fn left_out(&mut self, path: &[u8], why: &'static str) {
        self.note(why, path, true);
    }

    fn unreadable(&mut self, path: &[u8], error: Errno) {
        self.note(why_unread(&error.into()), path, true);
    }
}

/// The note of what could not be read. A permission is the caller's, an error the disk's.
fn why_unread(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "no-permission",
        _ => "read-error",
    }
}

/// What `stat` says of a path.
fn item(path: &[u8], kind: EntryKind, stat: &Stat) -> Item {
    Item {
        path: path.to_vec(),
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime_s: super::signed(stat.st_mtime),
        mtime_ns: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        size_bytes: 0,
        target: Vec::new(),
        attributes: Default::default(),
    }
}
