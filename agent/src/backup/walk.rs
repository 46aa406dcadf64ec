//! Walking the places of a profile in one order: by the bytes of the parts of each path, a folder before what is in it.
//!
//! Each folder is opened from its parent's descriptor without following links, so that a link put there meanwhile
//! leads nowhere. Another file system, and more levels than any configuration has, are left out and said.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, open, openat, statat};
use rustix::io::Errno;

/// Deepest folder. Each level holds a descriptor.
const MOST_LEVELS: usize = 64;
/// Most links on the way to a root, as the kernel counts them.
const MOST_LINKS: usize = 40;

/// How a folder is opened.
pub(super) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Where something stands: its parent's descriptor and its name there.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) parent: BorrowedFd<'a>,
    pub(super) name: &'a [u8],
}

/// What is done with what is found. An error ends the walk.
pub(super) trait Visit {
    /// Whether this path is not looked at, and why.
    fn refuses(&self, path: &[u8]) -> Option<&'static str>;
    /// A file, folder, link or anything else that is there.
    fn found(&mut self, path: &[u8], at: At<'_>, stat: &Stat) -> anyhow::Result<()>;
    /// Something that was left out.
    fn left_out(&mut self, path: &[u8], why: &'static str);
    /// Something that could not be looked at.
    fn unreadable(&mut self, path: &[u8], error: Errno);
}

/// Walks `roots` below `root`.
pub(super) fn walk(root: &Path, roots: &[&str], visit: &mut dyn Visit) -> anyhow::Result<()> {
    for place in roots {
        let path = place.as_bytes();
        if let Some(why) = visit.refuses(path) {
            visit.left_out(path, why);
            continue;
        }
        let real = resolve(root, place);
        let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else { continue };
        let parent = match open(folder, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty()) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(error) => {
                visit.unreadable(path, error);
                continue;
            }
        };
        one(path, At { parent: parent.as_fd(), name: name.as_bytes() }, None, 0, visit)?;
    }
    Ok(())
}

fn one(
    path: &[u8],
    at: At<'_>,
    device: Option<u64>,
    level: usize,
    visit: &mut dyn Visit,
) -> anyhow::Result<()> {
    let stat = match statat(at.parent, at.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => {
            visit.unreadable(path, error);
            return Ok(());
        }
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return visit.found(path, at, &stat);
    }
    let own = super::wide(stat.st_dev);
    if device.is_some_and(|device| device != own) || level >= MOST_LEVELS {
        visit.left_out(path, if level >= MOST_LEVELS { "too-deep" } else { "another-file-system" });
        return Ok(());
    }
    let opened = openat(at.parent, at.name, FOLDER, Mode::empty());
    let (folder, names) = match opened.and_then(|folder| names(&folder).map(|names| (folder, names))) {
        Ok(read) => read,
        Err(error) => {
            visit.unreadable(path, error);
            return Ok(());
        }
    };
    visit.found(path, at, &stat)?;
    for name in names {
        let mut below = path.to_vec();
        below.push(b'/');
        below.extend_from_slice(&name);
        match visit.refuses(&below) {
            Some(why) => visit.left_out(&below, why),
            None => one(&below, At { parent: folder.as_fd(), name: &name }, Some(own), level + 1, visit)?,
        }
    }
    Ok(())
}

/// The names in a folder, sorted.
pub(super) fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    names.sort();
    Ok(names)
}

/// Where a place of the profile really is: links on the way are followed, but never out of `root`.
pub(super) fn resolve(root: &Path, place: &str) -> PathBuf {
    let parts = |path: &Path| -> VecDeque<OsString> {
        path.components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some("..".into()),
                _ => None,
            })
            .collect()
    };
    let (mut real, mut left, mut links) = (root.to_owned(), parts(Path::new(place)), 0);
    while let Some(part) = left.pop_front() {
        if part == ".." {
            if real != root {
                real.pop();
            }
            continue;
        }
        let next = real.join(&part);
        match rustix::fs::readlink(&next, Vec::new()) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    real = root.to_owned();
                }
                let mut ahead = parts(&target);
                ahead.append(&mut left);
                left = ahead;
            }
            _ => real = next,
        }
    }
    real
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Seen(Vec<String>);

    impl Visit for Seen {
        fn refuses(&self, path: &[u8]) -> Option<&'static str> {
            path.ends_with(b".no").then_some("asked")
        }
        fn found(&mut self, path: &[u8], _at: At<'_>, _stat: &Stat) -> anyhow::Result<()> {
            self.0.push(String::from_utf8_lossy(path).into_owned());
            Ok(())
        }
        fn left_out(&mut self, path: &[u8], why: &'static str) {
            self.0.push(format!("{} {why}", String::from_utf8_lossy(path)));
        }
        fn unreadable(&mut self, path: &[u8], error: Errno) {
            self.0.push(format!("{} {error}", String::from_utf8_lossy(path)));
        }
    }

    #[test]
    fn one_order_and_no_way_out() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |path: &str| root.path().join(path);
        for folder in ["mnt/HDA_ROOT/.config/a/b", "mnt/HDA_ROOT/.config/a-b", "etc"] {
            std::fs::create_dir_all(at(folder)).expect("folders");
        }
        for file in ["a/b/x", "a/z", "a-b/y", "k.no"] {
            std::fs::write(at("mnt/HDA_ROOT/.config").join(file), "").expect("a file");
        }
        // As on QTS: the link is absolute, and stays below the root that was named.
        symlink("/mnt/HDA_ROOT/.config", at("etc/config")).expect("a link");
        symlink("/", at("mnt/HDA_ROOT/.config/out")).expect("a link");
        symlink("../../../../../etc", at("etc/up")).expect("a link");
        let mut seen = Seen(Vec::new());
        walk(root.path(), &["etc/config", "etc/none"], &mut seen).expect("walked");
        let expected = [
            "etc/config",
            "etc/config/a",
            "etc/config/a/b",
            "etc/config/a/b/x",
            "etc/config/a/z",
            "etc/config/a-b",
            "etc/config/a-b/y",
            "etc/config/k.no asked",
            "etc/config/out",
        ];
        assert_eq!(seen.0, expected);
        assert_eq!(resolve(root.path(), "etc/up"), at("etc"));
    }
}
