//! Removable disks on which something is carried away: which one, and in which words it failed.
//!
//! Only what is mounted already is looked at; nothing is ever mounted. A disk that is named and not mounted is refused:
//! its folder may still be there, in RAM, and what is written there never reaches the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assay_bundle::keys::PublicKey;
use assay_bundle::units::Bytes;
use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;

use crate::paths;
use crate::trouble::{NextStep, refuse};

/// Least room on a disk before anything is read (judgement: a bundle of a small NAS is some 100 kB).
const LEAST_FREE_BYTES: u64 = 512 << 10;
/// How the file of a bundle begins.
const BEGINNING: &str = "assay-";
/// How it ends.
const ENDING: &str = ".assay";
/// Longest part of its name that says which device.
const LONGEST_DEVICE: usize = 24;
/// Largest file with a recipient: a card in words has a quarter.
const MOST_RECIPIENT_BYTES: u64 = 16 << 10;

/// Mounted removable disks that can be written to, by path.
pub(crate) fn writable() -> Vec<PathBuf> {
    paths::removable().into_iter().filter(|disk| can_write(disk)).collect()
}

fn can_write(disk: &Path) -> bool {
    access(disk, Access::WRITE_OK).is_ok()
}

/// The disk that is meant: the one that is named, or the only one.
pub(crate) fn choose(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    choose_of(paths::removable(), named, can_write, free_bytes)
}

fn free_bytes(disk: &Path) -> Option<u64> {
    let space = statvfs(disk).ok()?;
    space.f_bavail.checked_mul(space.f_frsize)
}

fn choose_of(
    disks: Vec<PathBuf>,
    named: Option<&Path>,
    writable: impl Fn(&Path) -> bool,
    free_bytes: impl Fn(&Path) -> Option<u64>,
) -> anyhow::Result<PathBuf> {
    let list = |disks: &[PathBuf]| {
        disks.iter().map(|disk| disk.display().to_string()).collect::<Vec<_>>().join(", ")
    };
    let here = disks.clone();
    let candidates: Vec<PathBuf> = match named {
        Some(named) => disks.into_iter().filter(|disk| disk == named).collect(),
        None => disks,
    };
    if candidates.is_empty() {
        let next = match here.is_empty() {
            true => "plug one in and wait until the NAS has mounted it; a disk that is mounted elsewhere is reached \
                     with --sealed-output FILE"
                .to_owned(),
            false => format!("name one that is: {}", list(&here)),
        };
        return Err(match named {
            Some(named) => refuse(format!("no removable disk is mounted at {}", named.display()), next),
            None => refuse("no removable disk is mounted, and Assay mounts none", next),
        });
    }
    let (good, read_only): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|disk| writable(disk));
    let disk = match good.as_slice() {
        [disk] => disk.clone(),
        [] => {
            return Err(refuse(
                format!("{} cannot be written to: it is read-only, or not yours", list(&read_only)),
                "slide its switch, run as administrator (root), or take another disk; nothing was written",
            ));
        }
        many => {
            return Err(refuse(
                format!("more than one removable disk is mounted: {}", list(many)),
                "name one: --usb=DIR",
            ));
        }
    };
    match free_bytes(&disk) {
        Some(free) if free < LEAST_FREE_BYTES => Err(refuse(
            format!("the disk {} is full: {} free", disk.display(), Bytes(free)),
            "remove something from it, or take another disk; nothing was written",
        )),
        _ => Ok(disk),
    }
}

/// Where the bundle of a device goes on a disk. Letters, digits and dashes only: any file system keeps them.
pub(crate) fn target(disk: &Path, device: &str, seq: u64) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let device: String = device.chars().map(plain).take(LONGEST_DEVICE).collect();
    disk.join(format!("{BEGINNING}{device}-{seq}{ENDING}"))
}

/// Removes what calls that were cut short left on a disk.
pub(crate) fn sweep(disk: &Path) {
    for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let half = name.starts_with(&format!(".{BEGINNING}")) && name.ends_with(".part");
        let scratch = name.starts_with(".assay.") && name.ends_with(".scratch");
        if (half || scratch) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The same failure in words about the disk.
pub(crate) fn explain(disk: &Path, error: anyhow::Error) -> anyhow::Error {
    let errno =
        error.chain().find_map(|cause| cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error));
    let shown = disk.display();
    let (what, next) = match errno.map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT) => (
            format!("the disk {shown} is full"),
            "remove something from it, or take another disk, and call again; nothing partial was left on it",
        ),
        Some(Errno::ROFS) => (
            format!("the disk {shown} became read-only"),
            "it may be failing or its switch slid: take another disk, and call again",
        ),
        Some(Errno::NODEV | Errno::NXIO | Errno::IO | Errno::NOENT | Errno::NOTCONN | Errno::STALE) => (
            format!("the disk {shown} went away or failed while it was written"),
            "there is no bundle on it. Plug it in again, or another, and call again: what is half written is removed then",
        ),
        _ => return error,
    };
    match Err::<(), _>(error).or_advise(what, next) {
        Err(told) => told,
        // There is no such case: what went in was an error.
        Ok(()) => refuse("the disk could not be written", "call again"),
    }
}

/// The age recipient in a file that an engineer gave: the only word in it that begins with `age1`, whatever is around
/// it (a card as `assay-portal card` prints it, its JSON, a plain line).
pub(crate) fn recipient(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read a recipient from {}", path.display());
    let mut text = String::new();
    let file =
        fs::File::open(path).or_advise(cannot(), "name the file that your support engineer gave you")?;
    io::Read::read_to_string(&mut io::Read::take(file, MOST_RECIPIENT_BYTES), &mut text)
        .or_advise(cannot(), "name the file that your support engineer gave you")?;
    recipient_in(&text).ok_or_else(|| {
        refuse(
            format!("{} does not hold exactly one recipient (age1…)", path.display()),
            "ask your support engineer for the portal's card: `assay-portal card` prints it; nothing was read",
        )
    })
}

fn recipient_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with("age1"));
    let mut found: Vec<&str> = words.collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] if one.parse::<age::x25519::Recipient>().is_ok() => Some((*one).to_owned()),
        _ => None,
    }
}

/// What a file on a disk is called after, where the serial number is not known or is masked.
pub(crate) fn by_key(key: &PublicKey) -> String {
    let fingerprint = key.fingerprint();
    format!("key-{}", fingerprint.trim_start_matches("SHA256:").get(..8).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// Disks by name: `!` read-only, `~` full.
    fn check(disks: &[&str], named: Option<&str>, expected: Result<&str, &str>) {
        let found = choose_of(
            disks.iter().map(PathBuf::from).collect(),
            named.map(Path::new),
            |disk| !disk.to_string_lossy().contains('!'),
            |disk| Some(if disk.to_string_lossy().contains('~') { 1_000 } else { 1 << 30 }),
        );
        match (found, expected) {
            (Ok(disk), Ok(path)) => assert_eq!(disk, Path::new(path)),
            (Err(error), Err(words)) => assert!(format!("{error:#}").contains(words), "{error:#}"),
            (found, expected) => panic!("{found:?} and not {expected:?}"),
        }
    }

    #[test]
    fn the_disk_that_is_meant() {
        check(&["/media/a"], None, Ok("/media/a"));
        check(&["/media/a", "/media/b"], Some("/media/b"), Ok("/media/b"));
        check(&["/media/a", "/media/b!"], None, Ok("/media/a"));
        check(&[], None, Err("Assay mounts none"));
        check(&[], Some("/media/a"), Err("no removable disk is mounted at /media/a"));
        check(&["/media/b"], Some("/media/a"), Err("no removable disk is mounted at /media/a"));
        check(&["/media/a!"], None, Err("it is read-only"));
        check(
            &["/media/a", "/media/b"],
            None,
            Err("more than one removable disk is mounted: /media/a, /media/b"),
        );
        check(&["/media/a~"], None, Err("is full: "));
    }

    #[test]
    fn names_that_every_file_system_keeps() {
        let check = |device: &str, expected: &str| {
            assert_eq!(target(Path::new("/media/a"), device, 65), Path::new("/media/a").join(expected));
        };
        check("Q23I1234567", "assay-Q23I1234567-65.assay");
        check("../x:\u{202e}y", "assay----x--y-65.assay");
        check(&"x".repeat(99), &format!("assay-{}-65.assay", "x".repeat(24)));
    }

    #[test]
    fn a_recipient_among_other_words() {
        const ONE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        fn check(text: &str, expected: bool) {
            assert_eq!(recipient_in(text).is_some(), expected, "{text}");
        }
        check(ONE, true);
        check(&format!("portal  Assay portal\nrecipient    {ONE}\npin x\n"), true);
        check(&format!("{{\"recipient\":\"{ONE}\",\"again\":\"{ONE}\"}}"), true);
        check("", false);
        check(&ONE[..40], false);
        check(&format!("{ONE} age1another"), false);
    }

    #[test]
    fn failures_of_a_disk_in_words() {
        fn check(errno: Errno, words: &str) {
            let error =
                anyhow::Error::new(io::Error::from_raw_os_error(errno.raw_os_error())).context("sealing");
            let told = explain(Path::new("/media/a"), error);
            assert!(format!("{told:#}").contains(words), "{told:#}");
        }
        check(Errno::NOSPC, "/media/a is full");
        check(Errno::ROFS, "became read-only");
        check(Errno::IO, "went away or failed");
        check(Errno::NODEV, "went away or failed");
        check(Errno::INVAL, "sealing");
    }

    #[test]
    fn only_what_is_half_written_goes() {
        let disk = tempfile::tempdir().expect("a folder");
        for name in
            ["assay-Q1-1.assay", ".assay-Q1-2.assay.00ff.part", ".assay.00ff.scratch", ".other.part", "x"]
        {
            fs::write(disk.path().join(name), "").expect("a file");
        }
        sweep(disk.path());
        let mut left: Vec<_> =
            fs::read_dir(disk.path()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, [".other.part", "assay-Q1-1.assay", "x"]);
    }
}
