//! The numbers of this key's bundles: rising, never used twice, and written to the configuration area at most once in
//! 64 bundles, because its flash and its sleeping drives are to be spared.
//!
//! `seq` in the identity folder holds the end of the reserved block; the next number inside the block is in RAM and
//! valid for one boot only. Whatever is lost (a crash, a boot, the RAM file), the next block begins above the last
//! reservation: numbers are skipped, never repeated.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assay_bundle::json;
use serde::{Deserialize, Serialize};

use crate::output;
use crate::trouble::{NextStep, refuse};

/// How many numbers one write reserves.
const BLOCK: u64 = 64;
/// Where the kernel names this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The numbers of one identity.
pub(crate) struct Sequence {
    reservation: PathBuf,
    position: PathBuf,
    folder: PathBuf,
}

/// Where in the reserved block we are.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    boot_id: String,
    next: u64,
    reserved_to: u64,
}

impl Sequence {
    /// The numbers reserved in `identity_dir`, counted in `runtime_dir`.
    pub(crate) fn new(identity_dir: &Path, runtime_dir: &Path) -> Self {
        let whole = std::path::absolute(identity_dir).unwrap_or_else(|_| identity_dir.to_owned());
        let name = assay_bundle::digest::sha256_hex(whole.as_os_str().as_encoded_bytes());
        Self {
            reservation: identity_dir.join("seq"),
            position: runtime_dir.join(format!("seq-{}.json", name.get(..16).unwrap_or(&name))),
            folder: runtime_dir.to_owned(),
        }
    }

    /// The next number, never given out before and never again.
    pub(crate) fn next(&self) -> anyhow::Result<u64> {
        let boot_id = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        self.next_in(&boot_id)
    }

    fn next_in(&self, boot_id: &str) -> anyhow::Result<u64> {
        // Without a boot id a position of an earlier boot could not be told from one of this boot.
        let mut file = match boot_id {
            "" => None,
            _ => self.lock()?,
        };
        let reserved_to = self.reserved_to()?;
        let position = file.as_mut().and_then(read_position).unwrap_or_default();
        let goes_on = position.boot_id == boot_id
            && position.reserved_to == reserved_to
            && (1..=reserved_to).contains(&position.next);
        let (number, reserved_to) = match (goes_on, &file) {
            (true, Some(_)) => (position.next, reserved_to),
            _ => {
                let number = reserved_to.checked_add(1).context("the numbers of bundles are used up")?;
                let reserved_to = reserved_to.saturating_add(BLOCK);
                self.reserve(reserved_to)?;
                (number, reserved_to)
            }
        };
        if let Some(file) = &mut file {
            // Before the number is used. When the write fails, a block is lost and nothing else.
            let position =
                Position { boot_id: boot_id.to_owned(), next: number.saturating_add(1), reserved_to };
            if write_position(file, &position).is_err() {
                let _ = fs::remove_file(&self.position);
            }
        }
        Ok(number)
    }

    /// Goes on above `last`, the portal's last accepted number.
    pub(crate) fn go_above(&self, last: u64) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        if self.reserved_to()? < last {
            self.reserve(last)?;
        }
        Ok(())
    }

    /// The highest number that may have been given out; `None` when it cannot be told.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.reserved_to().ok()
    }

    fn reserved_to(&self) -> anyhow::Result<u64> {
        let shown = self.reservation.display();
        match fs::read_to_string(&self.reservation) {
            Ok(text) => text.trim().parse().map_err(|_| {
                refuse(
                    format!("{shown} is damaged"),
                    "remove it and enrol again: the portal's answer says where to go on",
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error).or_advise(format!("cannot read {shown}"), "run as administrator (root)"),
        }
    }

    fn reserve(&self, to: u64) -> anyhow::Result<()> {
        output::replace_private(&self.reservation, format!("{to}\n").as_bytes())
    }

    /// The position's file, locked against other processes; `None` when RAM cannot be written, which costs a block.
    fn lock(&self) -> anyhow::Result<Option<File>> {
        if output::private_folder(&self.folder).is_err() {
            return Ok(None);
        }
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.position);
        let Ok(file) = opened else { return Ok(None) };
        file.lock().or_advise(format!("cannot lock {}", self.position.display()), "call again")?;
        Ok(Some(file))
    }
}

fn read_position(file: &mut File) -> Option<Position> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    json::from_slice(text.as_bytes()).ok()
}

fn write_position(file: &mut File, position: &Position) -> anyhow::Result<()> {
    let text = serde_json::to_vec(position)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    enum Event {
        /// So many numbers are taken in boot `.0`.
        Take(&'static str, u64),
        /// The RAM file is lost.
        LoseRam,
        /// RAM cannot be written.
        BreakRam,
        /// The portal says this number.
        Portal(u64),
    }

    /// Runs the events; gives the numbers and how often the reservation was written.
    fn check(events: &[Event], expected: &[u64], writes: usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = folder.path().join("run");
        let identity = folder.path().join("identity");
        let mut numbers = Vec::new();
        let mut written = 0;
        let mut last = String::new();
        for event in events {
            let sequence = Sequence::new(&identity, &run);
            match event {
                Event::Take(boot, count) => {
                    for _ in 0..*count {
                        // A fresh value each time: every number is taken by another process.
                        numbers.push(Sequence::new(&identity, &run).next_in(boot).expect("a number"));
                        let now = fs::read_to_string(identity.join("seq")).expect("reserved");
                        written += usize::from(now != last);
                        last = now;
                    }
                }
                Event::LoseRam => fs::remove_dir_all(&run).expect("removed"),
                Event::BreakRam => {
                    let file = folder.path().join("file");
                    fs::write(&file, "").expect("a file");
                    run = file;
                }
                Event::Portal(number) => sequence.go_above(*number).expect("raised"),
            }
        }
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted, numbers, "rising and never twice");
        assert_eq!(numbers, expected);
        assert_eq!(written, writes, "writes of the reservation");
    }

    #[test]
    fn rising_never_twice_and_seldom_written() {
        use Event::{BreakRam, LoseRam, Portal, Take};
        check(&[Take("a", 3)], &[1, 2, 3], 1);
        check(&[Take("a", 2), Take("b", 2)], &[1, 2, 65, 66], 2);
        check(&[Take("a", 2), LoseRam, Take("a", 2)], &[1, 2, 65, 66], 2);
        check(&[Take("a", 2), BreakRam, Take("a", 2)], &[1, 2, 65, 129], 3);
        check(&[Take("a", 1), Portal(500), Take("a", 2)], &[1, 501, 502], 2);
        check(&[Take("a", 1), Portal(7), Take("a", 1)], &[1, 2], 1);
        check(&[Take("", 2)], &[1, 65], 2);
        let many: Vec<u64> = (1..=130).collect();
        check(&[Take("a", 130)], &many, 3);
    }
}
