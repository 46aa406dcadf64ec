//! What a check of a NAS in trouble starts from: built-in settings, short deadlines, RAM and nothing else.
//!
//! No configuration file is read, because the area that holds it may hang or be gone; flags still count. What the
//! ordinary check reads is read here too, remembered history included, where it can be.

use std::path::{Path, PathBuf};

use rustix::fs::statfs;

use crate::config::{self, ConfigError, Override, Settings};
use crate::paths::Paths;

/// Seconds after which reading ends (judgement: a person stands in front of the machine).
const DEADLINE_S: &str = "60";
/// Seconds after which one drive is given up: what answers at all answers within a spin-up (about 15 s).
const PER_DRIVE_DEADLINE_S: &str = "25";
/// A place that cannot be made: who is given it goes on without.
const NOWHERE: &str = "/dev/null/assay";
/// Types of file systems that are RAM (linux/magic.h): tmpfs and ramfs.
const IN_RAM: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// The built-in settings with short deadlines, and the flags on top.
pub(crate) fn settings(flags: Vec<Override>) -> Result<Settings, ConfigError> {
    let short = [
        ("collect.deadline_s", DEADLINE_S.to_owned(), "--rescue"),
        ("collect.per_drive_deadline_s", PER_DRIVE_DEADLINE_S.to_owned(), "--rescue"),
    ];
    // The first that names a setting counts.
    let all = flags.into_iter().chain(short).collect::<Vec<_>>();
    config::load(Path::new(""), false, &|_| None, &all)
}

/// The places, with the runtime folder only where it is RAM.
pub(crate) fn paths(paths: &Paths) -> Paths {
    let runtime_dir = match is_in_ram(&paths.runtime_dir) {
        true => paths.runtime_dir.clone(),
        false => PathBuf::from(NOWHERE),
    };
    Paths { runtime_dir, ..paths.clone() }
}

/// Whether a folder is in RAM, or would be if it were made.
fn is_in_ram(path: &Path) -> bool {
    let there = path.ancestors().find(|path| path.exists());
    let kind = there.and_then(|path| statfs(path).ok()).and_then(|found| u64::try_from(found.f_type).ok());
    kind.is_some_and(|kind| IN_RAM.contains(&kind))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn built_in_settings_with_short_deadlines_and_flags_on_top() {
        let of = |flags: Vec<Override>| settings(flags).expect("settings").config;
        let config = of(Vec::new());
        assert_eq!((config.collect_deadline_s, config.collect_per_drive_deadline_s), (60, 25));
        let config = of(vec![("collect.deadline_s", "30".to_owned(), "--deadline-s")]);
        assert_eq!(config.collect_deadline_s, 30);
    }

    #[test]
    fn only_ram_is_written_to() {
        let paths = Paths::find(None);
        let at =
            |runtime_dir: &str| super::paths(&Paths { runtime_dir: runtime_dir.into(), ..paths.clone() });
        assert_eq!(at("/proc/assay").runtime_dir, Path::new(NOWHERE));
        if is_in_ram(Path::new("/dev/shm")) {
            assert_eq!(at("/dev/shm/assay-test").runtime_dir, Path::new("/dev/shm/assay-test"));
        }
    }
}
