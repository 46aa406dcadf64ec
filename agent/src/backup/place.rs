//! The tree that is restored into, touched only through descriptors of its folders, each opened from its parent without
//! following a link: a link that stands where a folder should is refused, whoever put it there and whenever.
//!
//! The one exception is compiled in: a root of the profile may be a link of the system itself (`/etc/config` on QTS).
//! Whatever replaces something is written beside it, with its owner, mode and time, flushed, and then renamed: a name
//! means the old content or the new one, never a part.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assay_bundle::digest::Sha256;
use assay_bundle::recovery::attributes::Attributes;
use assay_bundle::recovery::tape::Item;
use assay_bundle::recovery::{EntryKind, path_text};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chownat, fchmod, fchown, futimens,
    linkat, mkdirat, open, openat, readlinkat, renameat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::attributes;
use super::profile::{Profile, is_below};
use super::walk::{At, FOLDER, names, resolve};
use crate::output;
use crate::trouble::{NextStep, refuse};

const BUFFER_BYTES: usize = 64 << 10;
/// What waits beside its place is named so, with a random part.
const WAITING: &str = ".assay-restore.";

/// What the difference between the copy and the tree is, for one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// It is not in the tree.
    pub(super) added: bool,
    /// Content, or a link's target.
    pub(super) content: bool,
    /// Permission bits.
    pub(super) mode: bool,
    /// Owner or group.
    pub(super) owner: bool,
    /// Access lists and extended attributes.
    pub(super) attributes: bool,
    /// Time alone counts for nothing a person has to decide, but is set.
    pub(super) time: bool,
}

impl Change {
    /// Whether there is none.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether a person should see it.
    pub(super) fn is_shown(self) -> bool {
        self.added || self.content || self.mode || self.owner || self.attributes
    }

    /// In words.
    pub(super) fn words(self) -> String {
        let words = [
            (self.content, "content"),
            (self.mode, "mode"),
            (self.owner, "owner"),
            (self.attributes, "access list or attributes"),
        ];
        words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    }
}

/// A tree that is restored into.
pub(super) struct Place {
    root: PathBuf,
    /// Roots of the profile that are links of the system, and where they lead.
    linked: Vec<(&'static str, PathBuf)>,
    /// The folder that was opened last.
    last: Option<(Vec<u8>, OwnedFd)>,
    /// Entries whose attributes this file system, or this caller, cannot set.
    pub(super) without_attributes: u64,
}

fn parts(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

fn in_words(path: &[u8]) -> String {
    assay_diagnosis::text::escaped(&path_text(path))
}

impl Place {
    /// The tree below `root`, laid out as `profile` says.
    pub(super) fn new(root: &Path, profile: &'static Profile) -> Self {
        let linked = profile.roots.iter().filter_map(|place| {
            let real = resolve(root, place);
            (real != root.join(place) && real.is_dir()).then_some((*place, real))
        });
        Self { root: root.to_owned(), linked: linked.collect(), last: None, without_attributes: 0 }
    }

    /// Opens the folder `path`, making what is missing on the way when `make`; `None` when it is not there.
    fn folder(&mut self, path: &[u8], make: bool) -> anyhow::Result<Option<&OwnedFd>> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let Some(opened) = self.open_folder(path, make)? else { return Ok(None) };
            self.last = Some((path.to_vec(), opened));
        }
        Ok(self.last.as_ref().map(|(_, folder)| folder))
    }

    fn open_folder(&self, path: &[u8], make: bool) -> anyhow::Result<Option<OwnedFd>> {
        let linked = self.linked.iter().find(|(place, _)| is_below(path, place.as_bytes()));
        let (top, rest) = match linked {
            Some((place, real)) => (real.as_path(), path.get(place.len()..).unwrap_or_default()),
            None => (self.root.as_path(), path),
        };
        let cannot = || format!("cannot open {}", top.display());
        let mut folder = open(top, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())
            .or_advise(cannot(), "name a folder that exists: --to ROOT")?;
        for part in rest.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let part = OsStr::from_bytes(part);
            folder = match openat(&folder, part, FOLDER, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::NOENT) if !make => return Ok(None),
                Err(Errno::NOENT) => {
                    match mkdirat(&folder, part, Mode::from_raw_mode(0o755)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => {
                            return Err(error).or_advise(self.cannot(path), "run as administrator (root)");
                        }
                    }
                    openat(&folder, part, FOLDER, Mode::empty()).or_advise(self.cannot(path), "call again")?
                }
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    return Err(refuse(
                        format!(
                            "{} in {} is a link or a file where the copy has a folder",
                            part.display(),
                            in_words(path)
                        ),
                        "nothing is restored through a link: remove it by hand if it does not belong there, \
                         or restore other paths",
                    ));
                }
                Err(error) => return Err(error).or_advise(self.cannot(path), "run as administrator (root)"),
            };
        }
        Ok(Some(folder))
    }

    fn cannot(&self, path: &[u8]) -> String {
        format!("cannot restore {} below {}", in_words(path), self.root.display())
    }

    /// What stands at a path.
    pub(super) fn stat(&mut self, path: &[u8]) -> anyhow::Result<Option<Stat>> {
        let cannot = self.cannot(path);
        let (parent, name) = parts(path);
        let Some(folder) = self.folder(parent, false)? else { return Ok(None) };
        match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).or_advise(cannot, "run as administrator (root)"),
        }
    }

    /// Whether a root of the profile stands at this path as a link of the system.
    pub(super) fn is_linked_root(&self, path: &[u8]) -> bool {
        self.linked.iter().any(|(place, _)| place.as_bytes() == path)
    }

    /// Names in a folder that is there.
    pub(super) fn names(&mut self, path: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
        let cannot = self.cannot(path);
        let Some(folder) = self.folder(path, false)? else { return Ok(Vec::new()) };
        names(folder).or_advise(cannot, "run as administrator (root)")
    }

    /// How what stands at a path differs from an entry, whose content is read from `content`.
    pub(super) fn difference(&mut self, item: &Item, content: &mut dyn Read) -> anyhow::Result<Change> {
        let added = Change { added: true, ..Change::default() };
        if item.kind == EntryKind::Folder && self.is_linked_root(&item.path) {
            return Ok(Change::default());
        }
        let Some(stat) = self.stat(&item.path)? else { return Ok(added) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let folder_there = kind == FileType::Directory;
        if folder_there != (item.kind == EntryKind::Folder) {
            return Err(refuse(
                format!("{}: the copy and the tree disagree on whether it is a folder", in_words(&item.path)),
                "move what stands there away by hand, or restore other paths",
            ));
        }
        let mut change = Change {
            mode: item.kind != EntryKind::Link && stat.st_mode & 0o7777 != item.mode,
            owner: (stat.st_uid, stat.st_gid) != (item.uid, item.gid),
            time: (super::signed(stat.st_mtime), stat.st_mtime_nsec) != (item.mtime_s, item.mtime_ns.into()),
            ..Change::default()
        };
        let (parent, name) = parts(&item.path);
        let Some(folder) = self.folder(parent, false)? else { return Ok(added) };
        change.content = match (item.kind, kind) {
            (EntryKind::Folder, _) => false,
            (EntryKind::Link, FileType::Symlink) => {
                readlinkat(folder, name, Vec::new()).ok().map(std::ffi::CString::into_bytes).as_ref()
                    != Some(&item.target)
            }
            (EntryKind::File, FileType::RegularFile) => {
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                size != item.size_bytes || !same(folder, name, content)?
            }
            (EntryKind::HardLink, FileType::RegularFile) => {
                let first = self.stat(&item.target)?;
                first.is_none_or(|first| (first.st_dev, first.st_ino) != (stat.st_dev, stat.st_ino))
            }
            _ => true,
        };
        // Of another name of a file the first one's count. Where none can be, none can differ.
        if item.kind != EntryKind::HardLink {
            let Some(folder) = self.folder(parent, false)? else { return Ok(added) };
            let found = attributes::read(At { parent: folder.as_fd(), name });
            change.attributes = found.is_ok_and(|found| !found.impossible && found.kept != item.attributes);
        }
        Ok(change)
    }

    /// Opens what stands at a path to keep it; files only.
    pub(super) fn open_file(&mut self, path: &[u8]) -> anyhow::Result<Option<File>> {
        let (parent, name) = parts(path);
        let Some(folder) = self.folder(parent, false)? else { return Ok(None) };
        Ok(openat(folder, name, READ, Mode::empty()).ok().map(File::from))
    }

    /// The target of a link that stands at a path.
    pub(super) fn link(&mut self, path: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        let (parent, name) = parts(path);
        let Some(folder) = self.folder(parent, false)? else { return Ok(None) };
        Ok(readlinkat(folder, name, Vec::new()).ok().map(std::ffi::CString::into_bytes))
    }

    /// Writes a file beside its place.
    pub(super) fn begin_file(&mut self, item: &Item, content: &mut dyn Read) -> anyhow::Result<Waiting> {
        let cannot = self.cannot(&item.path);
        let waiting = self.waiting(item)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&waiting.folder, &waiting.temporary, flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(made.or_advise(cannot.as_str(), "run as administrator (root)")?);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut without = false;
        let written = (|| -> io::Result<()> {
            loop {
                match content.read(&mut buffer)? {
                    0 => break,
                    read => file.write_all(buffer.get(..read).unwrap_or_default())?,
                }
            }
            // The owner first: changing it takes set-id bits away.
            fchown(&file, Some(Uid::from_raw(item.uid)), Some(Gid::from_raw(item.gid)))?;
            // An access list carries the group's bits as well, so the mode comes after it.
            let at = At { parent: waiting.folder.as_fd(), name: waiting.temporary.as_bytes() };
            without = set_attributes(at, item)?;
            fchmod(&file, Mode::from_raw_mode(item.mode))?;
            futimens(&file, &times(item))?;
            file.sync_all()
        })();
        written.or_advise(cannot, "see that there is room, and run as administrator (root)")?;
        self.without_attributes += u64::from(without);
        Ok(waiting)
    }

    /// Makes a link, or another name of a file, beside its place.
    pub(super) fn begin_link(&mut self, item: &Item) -> anyhow::Result<Waiting> {
        let cannot = self.cannot(&item.path);
        let first = match item.kind {
            EntryKind::HardLink => {
                let (parent, name) = parts(&item.target);
                let folder = self.open_folder(parent, false)?;
                Some((folder.ok_or_else(|| refuse(cannot.as_str(), "restore its first name with it"))?, name))
            }
            _ => None,
        };
        let waiting = self.waiting(item)?;
        let (folder, name) = (&waiting.folder, &waiting.temporary);
        let mut without = false;
        let made = match first {
            Some((first, first_name)) => linkat(first, first_name, folder, name, AtFlags::empty()),
            None => symlinkat(OsStr::from_bytes(&item.target), folder, name).and_then(|()| {
                let owner = (Some(Uid::from_raw(item.uid)), Some(Gid::from_raw(item.gid)));
                chownat(folder, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
                without = set_attributes(At { parent: folder.as_fd(), name: name.as_bytes() }, item)?;
                utimensat(folder, name, &times(item), AtFlags::SYMLINK_NOFOLLOW)
            }),
        };
        made.or_advise(cannot, "run as administrator (root)")?;
        self.without_attributes += u64::from(without);
        Ok(waiting)
    }

    fn waiting(&mut self, item: &Item) -> anyhow::Result<Waiting> {
        let cannot = self.cannot(&item.path);
        let (parent, name) = parts(&item.path);
        let missing = || refuse(cannot.as_str(), "call again");
        let folder = self.folder(parent, true)?.ok_or_else(missing)?;
        let folder = folder.try_clone().or_advise(cannot.as_str(), "call again")?;
        let temporary = format!("{WAITING}{}.part", output::random_name()?);
        Ok(Waiting { folder, name: name.to_vec(), temporary, cannot })
    }

    /// Makes a folder that is missing, for its owner alone until it gets its own mode.
    pub(super) fn make_folder(&mut self, item: &Item) -> anyhow::Result<()> {
        let cannot = self.cannot(&item.path);
        let (parent, name) = parts(&item.path);
        let Some(folder) = self.folder(parent, true)? else { return Ok(()) };
        match mkdirat(folder, name, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error).or_advise(cannot, "run as administrator (root)"),
        }
    }

    /// Gives a folder its owner, mode and time, and makes the names in it durable.
    pub(super) fn finish_folder(&mut self, item: &Item) -> anyhow::Result<()> {
        let cannot = self.cannot(&item.path);
        let Some(folder) = self.folder(&item.path, false)? else { return Ok(()) };
        let mut without = false;
        let done = fchown(folder, Some(Uid::from_raw(item.uid)), Some(Gid::from_raw(item.gid)))
            .and_then(|()| {
                without = set_attributes(At { parent: folder.as_fd(), name: b"." }, item)?;
                Ok(())
            })
            .and_then(|()| fchmod(folder, Mode::from_raw_mode(item.mode)))
            .and_then(|()| rustix::fs::fsync(folder))
            .and_then(|()| futimens(folder, &times(item)));
        done.or_advise(cannot, "run as administrator (root)")?;
        self.without_attributes += u64::from(without);
        Ok(())
    }

    /// What a copy would keep of the attributes that stand at a path.
    pub(super) fn attributes(&mut self, path: &[u8]) -> anyhow::Result<Attributes> {
        let (parent, name) = parts(path);
        let Some(folder) = self.folder(parent, false)? else { return Ok(Attributes::new()) };
        Ok(attributes::read(At { parent: folder.as_fd(), name }).unwrap_or_default().kept)
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_folder(&mut self, path: &[u8]) {
        if let Ok(Some(folder)) = self.folder(path, false) {
            let _ = rustix::fs::fsync(folder);
        }
    }

    /// Removes what a restore that was killed left beside its place.
    pub(super) fn sweep(&mut self, path: &[u8]) -> anyhow::Result<()> {
        let names = self.names(path)?;
        let Some(folder) = self.folder(path, false)? else { return Ok(()) };
        for name in names.iter().filter(|n| n.starts_with(WAITING.as_bytes()) && n.ends_with(b".part")) {
            let _ = unlinkat(folder, name.as_slice(), AtFlags::empty());
        }
        Ok(())
    }

    /// Sets only the time of what is otherwise the same.
    pub(super) fn set_time(&mut self, item: &Item) -> anyhow::Result<()> {
        let cannot = self.cannot(&item.path);
        let (parent, name) = parts(&item.path);
        let Some(folder) = self.folder(parent, false)? else { return Ok(()) };
        utimensat(folder, name, &times(item), AtFlags::SYMLINK_NOFOLLOW)
            .or_advise(cannot, "run as administrator (root)")
    }
}

/// How a file of the tree is read.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Gives something its attributes; `true` when it cannot have them here. It is restored without, and that is said.
fn set_attributes(at: At<'_>, item: &Item) -> rustix::io::Result<bool> {
    match attributes::write(at, &item.attributes) {
        Ok(()) => Ok(false),
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM | Errno::INVAL) => Ok(true),
        Err(error) => Err(error),
    }
}

fn same(folder: &OwnedFd, name: &[u8], content: &mut dyn Read) -> anyhow::Result<bool> {
    // A file that cannot be read differs: it is replaced, and what it was cannot be kept is said then.
    let Ok(file) = openat(folder.as_fd(), name, READ, Mode::empty()) else { return Ok(false) };
    let digest = |from: &mut dyn Read| -> io::Result<(u64, String)> {
        let mut to = Sha256::new(io::sink());
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match from.read(&mut buffer)? {
                0 => break,
                read => to.write_all(buffer.get(..read).unwrap_or_default())?,
            }
        }
        let (_, size, sha256) = to.finish();
        Ok((size, sha256))
    };
    let there = digest(&mut File::from(file)).ok();
    Ok(there == Some(digest(content)?))
}

fn times(item: &Item) -> Timestamps {
    let time = Timespec { tv_sec: item.mtime_s, tv_nsec: item.mtime_ns.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Something that is whole and waits beside its place; dropped, it vanishes.
pub(super) struct Waiting {
    folder: OwnedFd,
    name: Vec<u8>,
    temporary: String,
    cannot: String,
}

impl Waiting {
    /// Puts it in its place in one step.
    pub(super) fn appear(self) -> anyhow::Result<()> {
        // Two names of one file are left both by a rename; the temporary one goes when this is dropped.
        renameat(&self.folder, &self.temporary, &self.folder, &self.name)
            .or_advise(self.cannot.as_str(), "run as administrator (root)")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = unlinkat(&self.folder, &self.temporary, AtFlags::empty());
    }
}
