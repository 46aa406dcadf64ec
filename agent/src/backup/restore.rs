//! Putting a copy back: first what would change, then, when the owner agrees, exactly that.
//!
//! The copy is gone through twice. The first time everything is verified and compared and nothing is written; what is to
//! be done is held as a few bits an entry. The second time each entry has to be the one of the first, by its digest,
//! before it takes its place. What is replaced is kept in a folder of its own. What is only in the tree is never touched.

use std::collections::HashSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use assay_bundle::recovery::tape::Item;
use assay_bundle::recovery::{CopyHead, EntryKind, path_text};
use serde::Serialize;

use super::attributes;
use super::check::{self, Visit};
use super::place::{Change, Place, Waiting};
use super::profile::{Profile, is_below, is_protected};
use super::walk::At;
use crate::output;
use crate::trouble::{NextStep, refuse};

/// What is asked for.
pub(crate) struct Wanted {
    /// The tree.
    pub(crate) root: PathBuf,
    /// Paths below it, plain; all when there are none.
    pub(crate) paths: Vec<Vec<u8>>,
    /// Only what another unit can take.
    pub(crate) portable: bool,
}

/// How many entries have which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Not in the tree.
    pub(crate) added: u64,
    /// In the tree, and different.
    pub(crate) changed: u64,
    /// The same, or only of another time.
    pub(crate) same: u64,
    /// Not selected.
    pub(crate) not_selected: u64,
    /// Restored only when named.
    pub(crate) protected: u64,
    /// In the tree and not in the copy.
    pub(crate) only_here: u64,
}

/// What is done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Not asked for, or protected.
    Leave,
    /// The same.
    Same,
    /// The same but for its time.
    Time,
    /// Other, or not there; `keeps`: what stands there is kept.
    Put { keeps: bool },
}

/// The first pass.
pub(crate) struct Plan {
    fates: Vec<Fate>,
    digests: Vec<u64>,
    /// What the copy says about its machine.
    pub(crate) head: CopyHead,
    /// The numbers.
    pub(crate) counts: Counts,
}

impl Plan {
    /// Whether anything would be written.
    pub(crate) fn writes(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Time | Fate::Put { .. }))
    }
}

fn in_words(path: &[u8]) -> String {
    assay_diagnosis::text::escaped(&path_text(path))
}

/// Whether the owner asked for this path, and whether by its own name.
fn selected(path: &[u8], wanted: &Wanted, profile: &Profile) -> (bool, bool) {
    let named = wanted.paths.iter().any(|asked| is_below(path, asked) && is_protected(asked));
    let selected = wanted.paths.is_empty() || wanted.paths.iter().any(|asked| is_below(path, asked));
    (selected && (!wanted.portable || profile.is_portable(path)), named)
}

/// Whether a path is restored at all.
fn is_whole(path: &[u8], wanted: &Wanted, profile: &Profile) -> bool {
    let (selected, named) = selected(path, wanted, profile);
    selected && (named || !is_protected(path))
}

/// A path in eight bytes. Two paths that meet cost one link that is made anew.
fn short(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// Compares a copy with a tree and writes the difference to `out`, one path a line. Writes nothing else.
pub(crate) fn plan(
    file: &File,
    path: &Path,
    key: &str,
    wanted: &Wanted,
    accepts: &dyn Fn(&CopyHead) -> anyhow::Result<()>,
    out: &mut dyn Write,
) -> anyhow::Result<Plan> {
    let mut comparing = Comparing {
        wanted,
        accepts,
        out,
        place: None,
        fates: Vec::new(),
        counts: Counts::default(),
        open: Vec::new(),
        put: HashSet::new(),
    };
    let walked = check::walk(file, path, key, &mut comparing)?;
    comparing.leave(b"")?;
    let Comparing { fates, counts, .. } = comparing;
    Ok(Plan { fates, digests: walked.digests, head: walked.head, counts })
}

struct Comparing<'a> {
    wanted: &'a Wanted,
    accepts: &'a dyn Fn(&CopyHead) -> anyhow::Result<()>,
    out: &'a mut dyn Write,
    place: Option<(Place, &'static Profile)>,
    fates: Vec<Fate>,
    counts: Counts,
    /// Folders of the copy that the walk is in, with the names in the tree that were not met yet.
    open: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Which files are put back: what is another name of one of them is put back with it.
    put: HashSet<u64>,
}

impl Comparing<'_> {
    /// Leaves every folder that `path` is not below, and tells what is only in the tree.
    fn leave(&mut self, path: &[u8]) -> anyhow::Result<()> {
        while let Some((folder, rest)) = self.open.pop_if(|(folder, _)| !is_below(path, folder)) {
            for name in rest {
                self.counts.only_here += 1;
                let only = [folder.as_slice(), b"/", &name].concat();
                writeln!(self.out, "  {} (only here; stays)", in_words(&only))?;
            }
        }
        Ok(())
    }

    fn met(&mut self, path: &[u8]) {
        if let Some((folder, rest)) = self.open.last_mut()
            && let Some(name) = path.strip_prefix(folder.as_slice()).and_then(|p| p.strip_prefix(b"/"))
            && let Ok(at) = rest.binary_search_by(|there| there.as_slice().cmp(name))
        {
            rest.remove(at);
        }
    }
}

impl Visit for Comparing<'_> {
    fn head(&mut self, head: &CopyHead) -> anyhow::Result<()> {
        (self.accepts)(head)?;
        let profile = Profile::named(&head.profile).ok_or_else(|| {
            refuse(
                format!("the copy has a profile {:?} that this program does not know", head.profile),
                "update Assay and call again",
            )
        })?;
        self.place = Some((Place::new(&self.wanted.root, profile), profile));
        Ok(())
    }

    fn entry(&mut self, _index: usize, item: &Item, content: &mut dyn Read) -> anyhow::Result<()> {
        self.leave(&item.path)?;
        self.met(&item.path);
        let Some((place, profile)) = &mut self.place else { return Ok(()) };
        let (selected, named) = selected(&item.path, self.wanted, profile);
        let fate = if !selected {
            self.counts.not_selected += 1;
            Fate::Leave
        } else if is_protected(&item.path) && !named {
            self.counts.protected += 1;
            if item.kind != EntryKind::Folder {
                writeln!(self.out, "! {} (protected: restored only when named)", in_words(&item.path))?;
            }
            Fate::Leave
        } else if item.kind == EntryKind::HardLink && !is_whole(&item.target, self.wanted, profile) {
            self.counts.protected += 1;
            let (path, first) = (in_words(&item.path), in_words(&item.target));
            writeln!(self.out, "! {path} (another name of {first}: restored only with it)")?;
            Fate::Leave
        } else {
            let mut change = place.difference(item, content)?;
            if item.kind == EntryKind::HardLink && self.put.contains(&short(&item.target)) {
                change.content |= !change.added;
            }
            if item.kind == EntryKind::File && change.is_shown() {
                self.put.insert(short(&item.path));
            }
            self.count(item, change)?;
            match change {
                change if change.is_none() => Fate::Same,
                change if !change.is_shown() => Fate::Time,
                change => Fate::Put { keeps: !change.added },
            }
        };
        self.fates.push(fate);
        if selected
            && item.kind == EntryKind::Folder
            && let Some((place, _)) = &mut self.place
        {
            let names = place.names(&item.path)?;
            self.open.push((item.path.clone(), names));
        }
        Ok(())
    }
}

impl Comparing<'_> {
    fn count(&mut self, item: &Item, change: Change) -> anyhow::Result<()> {
        let path = in_words(&item.path);
        if change.added {
            self.counts.added += 1;
            writeln!(self.out, "+ {path}")?;
        } else if change.is_shown() {
            self.counts.changed += 1;
            writeln!(self.out, "~ {path} ({})", change.words())?;
        } else {
            self.counts.same += 1;
        }
        Ok(())
    }
}

/// What was done.
pub(crate) struct Applied {
    /// Whether anything that was replaced is kept.
    pub(crate) keeps: bool,
    /// Entries that could not be given their access lists or attributes.
    pub(crate) without_attributes: u64,
}

/// Does what was planned. `kept`: the folder for what is replaced, made when there is something.
pub(crate) fn apply(
    file: &File,
    path: &Path,
    key: &str,
    wanted: &Wanted,
    plan: &Plan,
    kept: &Path,
) -> anyhow::Result<Applied> {
    let profile =
        Profile::named(&plan.head.profile).ok_or_else(|| refuse("no such profile", "update Assay"))?;
    let place = Place::new(&wanted.root, profile);
    let mut putting = Putting {
        plan,
        place,
        kept: kept.to_owned(),
        keeps: false,
        waiting: None,
        open: Vec::new(),
        touched: Vec::new(),
    };
    check::walk(file, path, key, &mut putting)?;
    putting.leave(b"")?;
    Ok(Applied { keeps: putting.keeps, without_attributes: putting.place.without_attributes })
}

struct Putting<'a> {
    plan: &'a Plan,
    place: Place,
    kept: PathBuf,
    /// Whether anything was kept.
    keeps: bool,
    waiting: Option<Waiting>,
    /// Folders whose mode and time are set when the walk leaves them.
    open: Vec<(Item, bool)>,
    /// The folder in which something took its place last.
    touched: Vec<u8>,
}

impl Putting<'_> {
    fn leave(&mut self, path: &[u8]) -> anyhow::Result<()> {
        while let Some((item, set)) = self.open.pop_if(|(item, _)| !is_below(path, &item.path)) {
            match set {
                true => self.place.finish_folder(&item)?,
                false if self.touched == item.path => self.place.sync_folder(&item.path),
                false => {}
            }
        }
        Ok(())
    }

    /// Copies what stands at a path into the folder of what was replaced, flushed, before it is replaced.
    fn keep(&mut self, item: &Item) -> anyhow::Result<()> {
        let target = self.kept.join(std::ffi::OsStr::from_bytes(&item.path));
        let cannot = || format!("{} could not be kept, so it was not replaced", in_words(&item.path));
        let next = "see that there is room for what is replaced, or name a folder with --keep-in DIR";
        output::private_folder(target.parent().unwrap_or(&self.kept))?;
        if let Some(link) = self.place.link(&item.path)? {
            std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(&link), &target)
                .or_advise(cannot(), next)?;
            self.keeps = true;
            return Ok(());
        }
        let Some(mut old) = self.place.open_file(&item.path)? else {
            return Err(refuse(cannot(), "look at it by hand: it is neither a file nor a link"));
        };
        let attributes = self.place.attributes(&item.path)?;
        let kept = (|| -> io::Result<()> {
            let meta = old.metadata()?;
            if !meta.is_file() {
                return Err(io::Error::other("it is no plain file"));
            }
            let mut new = File::options().write(true).create_new(true).open(&target)?;
            new.set_permissions(fs::Permissions::from_mode(0o600))?;
            io::copy(&mut old, &mut new)?;
            // Someone who is not root restores what is theirs: a foreign owner cannot be kept then.
            let _ = std::os::unix::fs::fchown(&new, Some(meta.uid()), Some(meta.gid()));
            // Nor can an access list where the file system has none.
            if let Ok(folder) = File::open(target.parent().unwrap_or(&self.kept)) {
                let name = target.file_name().unwrap_or_default().as_bytes();
                let _ = attributes::write(At { parent: folder.as_fd(), name }, &attributes);
            }
            new.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
            new.set_modified(meta.modified()?)?;
            new.sync_all()
        })();
        kept.or_advise(cannot(), next)?;
        self.keeps = true;
        Ok(())
    }

    fn fate(&self, index: usize) -> Fate {
        self.plan.fates.get(index).copied().unwrap_or(Fate::Leave)
    }
}

impl Visit for Putting<'_> {
    fn entry(&mut self, index: usize, item: &Item, content: &mut dyn Read) -> anyhow::Result<()> {
        self.leave(&item.path)?;
        let fate = self.fate(index);
        if item.kind == EntryKind::Folder {
            // Set also where it is the same: its time changes with what is put into it.
            let is_mine = fate != Fate::Leave;
            if matches!(fate, Fate::Put { keeps: false }) {
                self.place.make_folder(item)?;
            } else if is_mine {
                self.place.sweep(&item.path)?;
            }
            self.open.push((item.clone(), is_mine && !self.place.is_linked_root(&item.path)));
            return Ok(());
        }
        if let Fate::Put { .. } = fate {
            self.waiting = Some(match item.kind {
                EntryKind::File => self.place.begin_file(item, content)?,
                _ => self.place.begin_link(item)?,
            });
        }
        Ok(())
    }

    fn read_whole(&mut self, index: usize, item: &Item, digest: u64) -> anyhow::Result<()> {
        if self.plan.digests.get(index) != Some(&digest) {
            return Err(refuse(
                "the copy changed while it was restored; what was put back until now is whole",
                "verify the copy (`assay backup verify`) and call again",
            ));
        }
        match self.fate(index) {
            Fate::Leave | Fate::Same => {}
            Fate::Time if item.kind != EntryKind::Folder => self.place.set_time(item)?,
            Fate::Time => {}
            Fate::Put { keeps } => {
                let Some(waiting) = self.waiting.take() else { return Ok(()) };
                if keeps {
                    self.keep(item)?;
                }
                waiting.appear()?;
                let parent = item.path.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
                self.touched = item.path.get(..parent).unwrap_or_default().to_vec();
            }
        }
        Ok(())
    }
}
