//! What `dmsetup status` prints: `name: start length kind state…`, a line for each piece of a device.
//!
//! The state's words are the kernel's (`Documentation/admin-guide/device-mapper/`), with more at the end in newer
//! kernels. flashcache writes its statistics over several lines; those are left out. A piece whose state is not what its
//! kind says keeps its kind only.

use std::collections::BTreeMap;

use assay_bundle::facts::lvm::{DmCache, DmRaid, DmTarget, PoolMode, ThinPool, Usage};

use crate::lines;

/// Reads a text: pieces by the name of their device.
pub fn parse(text: &str) -> BTreeMap<String, Vec<DmTarget>> {
    let mut devices: BTreeMap<String, Vec<DmTarget>> = BTreeMap::new();
    for line in lines::whole(text).lines() {
        if let Some((name, target)) = piece(line) {
            devices.entry(name.to_owned()).or_default().push(target);
        }
    }
    devices
}

/// One line: the name of its device and the piece.
pub(crate) fn piece(line: &str) -> Option<(&str, DmTarget)> {
    // A name may hold colons, but no blank.
    let (name, rest) = line.split_once(": ")?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [start, length, kind, state @ ..] = words.as_slice() else { return None };
    let _: (u64, u64) = (start.parse().ok()?, length.parse().ok()?);
    let target = DmTarget {
        kind: (*kind).to_owned(),
        failed: matches!(state, ["Fail" | "Error"]),
        thin_pool: (*kind == "thin-pool").then(|| thin_pool(state)).flatten(),
        cache: (*kind == "cache").then(|| cache(state)).flatten(),
        raid: (*kind == "raid").then(|| raid(state)).flatten(),
    };
    Some((name, target))
}

/// `406/4161600`.
fn usage(word: &str) -> Option<Usage> {
    let (used, all) = word.split_once('/')?;
    let usage = Usage { used_blocks: used.parse().ok()?, all_blocks: all.parse().ok()? };
    (usage.all_blocks > 0 && usage.used_blocks <= usage.all_blocks).then_some(usage)
}

/// `1 406/4161600 88/20480 - rw discard_passdown queue_if_no_space - 1024`; kernels before 4.x end earlier.
fn thin_pool(state: &[&str]) -> Option<ThinPool> {
    let [_, metadata, data, _, more @ ..] = state else { return None };
    let modes = [
        ("rw", PoolMode::ReadWrite),
        ("ro", PoolMode::ReadOnly),
        ("out_of_data_space", PoolMode::OutOfDataSpace),
    ];
    let mode = modes.into_iter().find(|(word, _)| more.contains(word)).map(|(_, mode)| mode);
    Some(ThinPool {
        metadata: usage(metadata)?,
        data: usage(data)?,
        mode: mode.unwrap_or_default(),
        needs_check: more.contains(&"needs_check"),
    })
}

/// `8 21/4096 128 1000/1000 70 17 2 5 0 3 0 1 writeback 2 migration_threshold 2048 smq 0 rw -`.
fn cache(state: &[&str]) -> Option<DmCache> {
    let [_, metadata, _, data, _, _, _, _, _, _, dirty, more @ ..] = state else { return None };
    let mode = ["writeback", "writethrough", "passthrough"].into_iter().find(|mode| more.contains(mode));
    Some(DmCache {
        metadata: usage(metadata)?,
        data: usage(data)?,
        dirty_blocks: dirty.parse().ok()?,
        mode: mode.map(str::to_owned),
        metadata_read_only: more.contains(&"ro"),
        needs_check: more.contains(&"needs_check"),
    })
}

/// `raid6_zr 4 AAAa 10/100 recover 0 0 -`.
fn raid(state: &[&str]) -> Option<DmRaid> {
    let [level, count, devices, _, more @ ..] = state else { return None };
    let known = devices.bytes().all(|b| matches!(b, b'A' | b'a' | b'D' | b'-'));
    (known && count.parse() == Ok(devices.len())).then(|| DmRaid {
        level: (*level).to_owned(),
        devices: (*devices).to_owned(),
        action: more.first().map(|action| (*action).to_owned()),
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const WHOLE: &str = "cachedev1: 0 41943040 flashcache stats: \n\treads(1), writes(2): 3\n\
        vg1-lv1: 0 20971520 thin 18874368 20971519\nvg1-lv2: 0 8192 linear \nvg1-lv2: 8192 8192 linear \n\
        vg1-tp1-tpool: 0 20971520 thin-pool 1 406/4161600 20480/20480 - out_of_data_space discard_passdown queue_if_no_space needs_check 1024\n\
        vg2-c: 0 100 cache 8 21/4096 128 1000/1000 70 17 2 5 0 3 9 2 metadata2 writeback 2 migration_threshold 2048 smq 0 ro needs_check -\n\
        vg3-r: 0 100 raid raid6_zr 4 AADa 10/100 recover 0 0 -\nvg4-x: 0 100 thin-pool Fail\n";

    #[test]
    fn pieces() {
        let devices = parse(WHOLE);
        let names: Vec<_> = devices.iter().map(|(name, all)| (name.as_str(), all.len())).collect();
        assert_eq!(
            names,
            [
                ("cachedev1", 1),
                ("vg1-lv1", 1),
                ("vg1-lv2", 2),
                ("vg1-tp1-tpool", 1),
                ("vg2-c", 1),
                ("vg3-r", 1),
                ("vg4-x", 1)
            ]
        );
        let pool = devices["vg1-tp1-tpool"][0].thin_pool.as_ref().unwrap();
        assert_eq!((pool.mode, pool.needs_check), (PoolMode::OutOfDataSpace, true));
        assert_eq!((pool.data.hundredths_of_percent(), pool.metadata.hundredths_of_percent()), (10_000, 0));
        let cache = devices["vg2-c"][0].cache.as_ref().unwrap();
        assert_eq!((cache.mode.as_deref(), cache.dirty_blocks), (Some("writeback"), 9));
        assert!(cache.metadata_read_only && cache.needs_check);
        let raid = devices["vg3-r"][0].raid.as_ref().unwrap();
        assert_eq!((raid.devices.as_str(), raid.action.as_deref()), ("AADa", Some("recover")));
        assert!(devices["vg4-x"][0].failed && devices["vg4-x"][0].thin_pool.is_none());
    }

    #[test]
    fn thin_pools_of_old_and_new_kernels() {
        fn check(state: &str, expected: Option<(PoolMode, bool)>) {
            let words: Vec<&str> = state.split(' ').collect();
            assert_eq!(thin_pool(&words).map(|pool| (pool.mode, pool.needs_check)), expected, "{state}");
        }
        check(
            "0 1/2 3/4 - rw no_discard_passdown queue_if_no_space - 1024",
            Some((PoolMode::ReadWrite, false)),
        );
        check(
            "0 1/2 3/4 - ro no_discard_passdown error_if_no_space needs_check",
            Some((PoolMode::ReadOnly, true)),
        );
        check("0 1/2 3/4 -", Some((PoolMode::Other, false)));
        for bad in ["Fail", "", "0 1/2 3 -", "0 1/0 3/4 - rw", "0 5/2 3/4 - rw"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_cut_or_damaged_text_says_nothing_else() {
        assert!(parse("No devices found\n").is_empty());
        let parse = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes));
        hostile::cut(WHOLE.as_bytes(), parse);
        hostile::mutate(WHOLE.as_bytes(), 1000, parse, |devices| {
            for pool in devices.values().flatten().filter_map(|target| target.thin_pool.as_ref()) {
                assert!(pool.data.used_blocks <= pool.data.all_blocks && pool.metadata.all_blocks > 0);
            }
        });
    }
}
