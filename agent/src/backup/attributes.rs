//! Access lists and extended attributes of a file or folder: read for a copy, compared and put back by a restore.
//!
//! Kept are `user.*`, `trusted.*` and the POSIX access lists, as the kernel's own bytes. Not kept are labels of
//! security modules, which belong to the policy of one system, and what a file system makes up itself. The kernel has
//! no call that takes a folder's descriptor and a name for these, so the way leads through `/proc/self/fd`, whose last
//! part is not followed when it is a link. A file system without attributes has none; that is no failure.

use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use assay_bundle::recovery::attributes::{Attributes, MOST_BYTES, is_kept};
use rustix::fs::{XattrFlags, lgetxattr, llistxattr, llistxattr_query, lremovexattr, lsetxattr};
use rustix::io::Errno;

use super::walk::At;

/// What stands at a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What a copy keeps.
    pub(super) kept: Attributes,
    /// There are others that it does not keep, labels of security modules aside.
    pub(super) others: bool,
    /// The file system has none at all.
    pub(super) impossible: bool,
}

fn place(at: At<'_>) -> PathBuf {
    let name = OsString::from_vec(at.name.to_vec());
    PathBuf::from(format!("/proc/self/fd/{}", at.parent.as_raw_fd())).join(name)
}

fn names(place: &Path) -> rustix::io::Result<Vec<Vec<u8>>> {
    // Nearly always there are none, and one question tells.
    let size = llistxattr_query(place)?;
    if size == 0 {
        return Ok(Vec::new());
    }
    let mut list = vec![0_u8; size.max(MOST_BYTES)];
    let size = llistxattr(place, list.as_mut_slice())?;
    list.truncate(size);
    Ok(list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

/// Reads what stands at a place.
///
/// # Errors
/// `TOOBIG` when it is more than a copy takes for one entry; else what the kernel says.
pub(super) fn read(at: At<'_>) -> rustix::io::Result<Found> {
    let place = place(at);
    let (mut found, mut total) = (Found::default(), 0);
    let names = match names(&place) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Found { impossible: true, ..found }),
        names => names?,
    };
    for name in names {
        if !is_kept(&name) {
            found.others |= !name.starts_with(b"security.");
            continue;
        }
        let mut value = vec![0_u8; MOST_BYTES];
        let size = match lgetxattr(&place, name.as_slice(), value.as_mut_slice()) {
            Ok(size) => size,
            // Gone meanwhile.
            Err(Errno::NODATA) => continue,
            Err(Errno::RANGE) => return Err(Errno::TOOBIG),
            Err(error) => return Err(error),
        };
        value.truncate(size);
        total += name.len() + value.len();
        if total > MOST_BYTES {
            return Err(Errno::TOOBIG);
        }
        found.kept.insert(name, value);
    }
    Ok(found)
}

/// Makes what stands at a place be exactly this: what is more of the kinds that a copy keeps is taken away, such as an
/// access list that a new file inherits from its folder.
///
/// # Errors
/// What the kernel says: `OPNOTSUPP` where the file system has none, `PERM` for whoever is not root.
pub(super) fn write(at: At<'_>, wanted: &Attributes) -> rustix::io::Result<()> {
    let place = place(at);
    let there = match names(&place) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) if wanted.is_empty() => return Ok(()),
        there => there?,
    };
    for name in there.iter().filter(|name| is_kept(name) && !wanted.contains_key(*name)) {
        match lremovexattr(&place, name.as_slice()) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(error) => return Err(error),
        }
    }
    for (name, value) in wanted {
        lsetxattr(&place, name.as_slice(), value, XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::{AsFd, OwnedFd};

    #[test]
    fn what_was_read_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a", "b"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        std::os::unix::fs::symlink("a", folder.path().join("link")).expect("a link");
        let opened: OwnedFd = File::open(folder.path()).expect("opened").into();
        let at = |name| At { parent: opened.as_fd(), name };
        let wanted =
            Attributes::from([(b"user.x".to_vec(), b"1".to_vec()), (b"user.y".to_vec(), vec![0, 255])]);
        match write(at(b"a"), &wanted) {
            // The folder for temporary files may lie where there are no attributes.
            Err(Errno::OPNOTSUPP) => return,
            written => written.expect("written"),
        }
        assert_eq!(read(at(b"a")).expect("read"), Found { kept: wanted, ..Found::default() });
        assert_eq!(read(at(b"link")).expect("read"), Found::default(), "a link is not followed");
        let less = Attributes::from([(b"user.y".to_vec(), b"2".to_vec())]);
        write(at(b"a"), &less).expect("written");
        assert_eq!(read(at(b"a")).expect("read").kept, less, "what is more goes");
        assert_eq!(read(at(b"b")).expect("read"), Found::default());
        assert_eq!(read(at(b"none")).err(), Some(Errno::NOENT));
    }
}
