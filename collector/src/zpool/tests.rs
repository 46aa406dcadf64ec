//! Pools of OpenZFS, of QuTS hero and of old releases; ugly lines; cut and damaged texts.

use super::*;
use crate::hostile;

/// QuTS hero: four blanks, its own lines, names with enclosure and bay.
const HERO: &str = "  pool: zpool1
 state: ONLINE
status: Some supported features are not enabled on the pool. The pool can
    still be used, but some features are unavailable.
action: Enable all features using 'zpool upgrade'.
  scan: scrub repaired 0 in 2 days 00:36:53 with 0 errors on Thu Sep  3 02:36:56 2026
 prune: last pruned 1166760 entries, 132089760 entries are pruned ever
        total pruning count #176, avg. pruning rate = 6115507 (entry/sec)
expand: none requested
 ztier: [reloc] none requested
        [smart] none requested
config:
    NAME                                        STATE     READ WRITE CKSUM
    zpool1                                      ONLINE       0     0     0
      raidz1-0                                  ONLINE       0     0     0
        qzfs/enc_0/disk_0x4_5000C500A1B2C3D4_3  ONLINE       0     0     0
        qzfs/enc_0/disk_0x10_5000C500A1B2C3D5_3  ONLINE       0     0     0
    logs
      mirror-1                                  ONLINE       0     0     0
        qzfs/enc_1/disk_0x1_23115U800000_3      ONLINE       0     0     0
errors: No known data errors

  pool: zpool256
 state: ONLINE
  scan: none requested
config:
    NAME                                      STATE     READ WRITE CKSUM
    zpool256                                  ONLINE       0     0     0
      qzfs/enc_0/disk_0x4_5000C500A1B2C3D4_2  ONLINE       0     0     0
errors: No known data errors
";

/// OpenZFS: tabs, a failing device, a resilver, spares, a message.
const OPEN: &str = "  pool: tank
 state: DEGRADED
status: One or more devices is currently being resilvered.  The pool will
\tcontinue to function, possibly in a degraded state.
action: Wait for the resilver to complete.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-9P
  scan: resilver in progress since Sun Nov  1 02:00:00 2026
\t1.20T / 4.00T scanned at 1.1G/s, 800G / 4.00T issued at 700M/s
\t200G resilvered, 19.53% done, 01:20:00 to go
config:

\tNAME                      STATE     READ WRITE CKSUM
\ttank                      DEGRADED     0     0     0
\t  mirror-0                DEGRADED     0     0     0
\t    spare-0               DEGRADED     0     0     0
\t      sda                 FAULTED     12  1.2K     0  too many errors
\t      sdf                 ONLINE       0     0     3  (resilvering)
\t    1234567890123456789   UNAVAIL      0     0     0  was /dev/sdb1
\tspecial
\t  sdh                     ONLINE       0     0     0
\tcache
\t  nvme0n1                 ONLINE       0     0     0
\tspares
\t  sdf                     INUSE     currently in use
\t  sdg                     AVAIL

errors: 3 data errors, use '-v' for a list
";

fn tree(pool: &ZfsPool) -> Vec<String> {
    let count = |reading: &Observed<ZfsNumber>| match reading {
        Observed::Seen { value, .. } => format!("{}{}", value.value, if value.rounded { "~" } else { "" }),
        Observed::Absent => "-".to_owned(),
        _ => "?".to_owned(),
    };
    let line = |v: &ZfsVdev| {
        let counts = [&v.read_errors, &v.write_errors, &v.checksum_errors].map(count).join(" ");
        let state = v.state.value().map_or("?", String::as_str);
        let place = v.enclosure.zip(v.bay).map(|(enclosure, bay)| format!(" @{enclosure}/{bay}"));
        let note = v.note.as_ref().map(|note| format!(" [{note}]"));
        format!(
            "{} {:?} {:?} {} {state} {counts}{}{}",
            v.depth,
            v.class,
            v.kind,
            v.name,
            place.unwrap_or_default(),
            note.unwrap_or_default()
        )
    };
    pool.vdevs.iter().map(line).collect()
}

#[test]
fn quts_hero() {
    let pools = parse(HERO, "x");
    let [pool, system] = pools.as_slice() else { panic!("two pools") };
    let status = "Some supported features are not enabled on the pool. The pool can still be used, but some features are unavailable.";
    assert_eq!(pool.status.value().map(String::as_str), Some(status));
    assert_eq!(pool.message_id, Observed::Absent);
    assert_eq!(pool.data_errors.value(), Some(&0));
    let scan = pool.scan.value().expect("a scrub");
    assert_eq!((scan.kind, scan.state, scan.errors), (ZfsScanKind::Scrub, ZfsScanState::Finished, Some(0)));
    assert_eq!(scan.ended.as_deref(), Some("Thu Sep 3 02:36:56 2026"));
    assert_eq!(
        tree(pool),
        [
            "0 Data Pool zpool1 ONLINE 0 0 0",
            "1 Data Group raidz1-0 ONLINE 0 0 0",
            "2 Data Device qzfs/enc_0/disk_0x4_5000C500A1B2C3D4_3 ONLINE 0 0 0 @0/4",
            "2 Data Device qzfs/enc_0/disk_0x10_5000C500A1B2C3D5_3 ONLINE 0 0 0 @0/16",
            "1 Log Group mirror-1 ONLINE 0 0 0",
            "2 Log Device qzfs/enc_1/disk_0x1_23115U800000_3 ONLINE 0 0 0 @1/1",
        ]
    );
    assert_eq!(pool.vdevs[5].drive_id.as_deref(), Some("23115U800000"));
    assert_eq!((system.name.as_str(), &system.status), ("zpool256", &Observed::Absent));
    assert_eq!(system.scan.value().map(|scan| scan.kind), Some(ZfsScanKind::None));
}

#[test]
fn openzfs() {
    let pools = parse(OPEN, "x");
    let [pool] = pools.as_slice() else { panic!("one pool") };
    assert_eq!(pool.message_id.value().map(String::as_str), Some("ZFS-8000-9P"));
    assert_eq!(pool.data_errors.value(), Some(&3));
    let scan = pool.scan.value().expect("a resilver");
    assert_eq!((scan.kind, scan.state), (ZfsScanKind::Resilver, ZfsScanState::InProgress));
    assert_eq!(scan.done_hundredths_of_percent, Some(1953));
    assert_eq!(scan.repaired_bytes, Some(ZfsNumber { value: 200 << 30, rounded: true }));
    assert_eq!(
        tree(pool),
        [
            "0 Data Pool tank DEGRADED 0 0 0",
            "1 Data Group mirror-0 DEGRADED 0 0 0",
            "2 Data Group spare-0 DEGRADED 0 0 0",
            "3 Data Device sda FAULTED 12 1228~ 0 [too many errors]",
            "3 Data Device sdf ONLINE 0 0 3 [(resilvering)]",
            "2 Data Device 1234567890123456789 UNAVAIL 0 0 0 [was /dev/sdb1]",
            "1 Special Device sdh ONLINE 0 0 0",
            "1 Cache Device nvme0n1 ONLINE 0 0 0",
            "1 Spare Device sdf INUSE - - - [currently in use]",
            "1 Spare Device sdg AVAIL - - -",
        ]
    );
}

#[test]
fn what_a_scan_says() {
    fn check(
        text: &str,
        kind: ZfsScanKind,
        state: ZfsScanState,
        done: Option<u32>,
        repaired: Option<u64>,
        ended: &str,
    ) {
        let scan = scan(text);
        let found =
            (scan.kind, scan.state, scan.done_hundredths_of_percent, scan.repaired_bytes.map(|n| n.value));
        assert_eq!(found, (kind, state, done, repaired), "{text}");
        assert_eq!(scan.ended.unwrap_or_default(), ended, "{text}");
    }
    use ZfsScanKind::{None as Nothing, Other, Resilver, Scrub};
    use ZfsScanState::{Canceled, Finished, InProgress, Paused};
    check("none requested", Nothing, ZfsScanState::None, None, None, "");
    check(
        "scrub repaired 0B in 11:16:03 with 0 errors on Sun Feb 12 11:40:04 2023",
        Scrub,
        Finished,
        None,
        Some(0),
        "Sun Feb 12 11:40:04 2023",
    );
    check(
        "scrub completed after 0h0m with 0 errors on Tue Feb 2 13:08:42 2010",
        Scrub,
        Finished,
        None,
        None,
        "Tue Feb 2 13:08:42 2010",
    );
    check(
        "scrub canceled on Fri Aug 19 15:33:19 2022",
        Scrub,
        Canceled,
        None,
        None,
        "Fri Aug 19 15:33:19 2022",
    );
    check(
        "scrub paused since Fri Aug 19 15:33:19 2022 scrub started on Thu Aug 18 1T scanned, 0B repaired, 33.3% done",
        Scrub,
        Paused,
        Some(3330),
        Some(0),
        "",
    );
    check(
        "scrub in progress since Sun Jul 25 16:07:49 2022 403M scanned out of 405M at 100M/s, 0h0m to go 512 repaired, 99.53% done",
        Scrub,
        InProgress,
        Some(9953),
        Some(512),
        "",
    );
    check(
        "resilvered 1.5K in 10:00:00 with 2 errors on Sun Feb 12 11:40:04 2023",
        Resilver,
        Finished,
        None,
        Some(1536),
        "Sun Feb 12 11:40:04 2023",
    );
    check("removal of vdev 1 copied 1G", Other, ZfsScanState::Other, None, None, "");
    check("scrub in progress 100.01% done", Scrub, InProgress, None, None, "");
}

#[test]
fn numbers_of_zfs() {
    fn check(word: &str, expected: Option<(u64, bool)>) {
        assert_eq!(number(word).map(|n| (n.value, n.rounded)), expected, "{word}");
    }
    check("0", Some((0, false)));
    check("1023", Some((1023, false)));
    check("0B", Some((0, false)));
    check("1.2K", Some((1228, true)));
    check("16E", None);
    check("15.9E", Some((18_331_451_923_248_866_918, true)));
    for bad in ["", "-", "-1", "K", "1.2.3K", "ONLINE", "1e3", "18446744073709551616", "1.23456K", ".5K"] {
        check(bad, None);
    }
}

#[test]
fn other_texts() {
    fn check(text: &str, pools: usize) {
        assert_eq!(parse(text, "x").len(), pools, "{text}");
    }
    check("no pools available\n", 0);
    check("", 0);
    check("{}", 0);
    check("{\"pools\":[1]}", 0);
    check("errors: No known data errors\nconfig:\n  x ONLINE\n", 0);
    let text = "  pool: a\n state: ONLINE\n  scan: none requested\nconfig:\n\n\tNAME STATE READ WRITE CKSUM SLOW\n\ta ONLINE 0 0 0 -\n\t  sda ONLINE 0 x 0 4\n\nerrors: Permanent errors have been detected in the following files:\n\n        /a/b c: d\n";
    let pools = parse(text, "x");
    assert_eq!(tree(&pools[0]), ["0 Data Pool a ONLINE 0 0 0", "1 Data Device sda ONLINE 0 ? ? [x 0 4]"]);
    assert!(matches!(pools[0].data_errors, Observed::Unreadable { .. }));
    assert!(!serde_json::to_string(&pools).unwrap().contains("/a/b"));
}

const JSON: &str = r#"{"output_version":{"command":"zpool status","vers_major":0,"vers_minor":1},"pools":{"tank":{
"name":"tank","state":"DEGRADED","pool_guid":"1","status":"One or more devices\nhas failed.","msgid":"ZFS-8000-9P",
"scan_stats":{"function":"SCRUB","state":"SCANNING","end_time":"-","to_examine":"4T","issued":"1T","processed":"0B","errors":"0"},
"vdevs":{"tank":{"name":"tank","vdev_type":"root","state":"DEGRADED","read_errors":"0","write_errors":"0","checksum_errors":"0",
"vdevs":{"mirror-0":{"vdev_type":"mirror","state":"DEGRADED","read_errors":"0","write_errors":"0","checksum_errors":"0",
"vdevs":{"sda":{"vdev_type":"disk","state":"FAULTED","read_errors":"1.2K","write_errors":3,"checksum_errors":"x"}}}}}},
"logs":{"sdl":{"vdev_type":"disk","state":"ONLINE","read_errors":"0","write_errors":"0","checksum_errors":"0"}},
"spares":{"sds":{"vdev_type":"disk","state":"AVAIL"}},"error_count":"2"}}}"#;

#[test]
fn json_of_new_releases() {
    let pools = parse(JSON, "x");
    let [pool] = pools.as_slice() else { panic!("one pool") };
    assert_eq!(
        (pool.data_errors.value(), pool.message_id.value().map(String::as_str)),
        (Some(&2), Some("ZFS-8000-9P"))
    );
    let scan = pool.scan.value().expect("a scrub");
    assert_eq!((scan.state, scan.done_hundredths_of_percent), (ZfsScanState::InProgress, Some(2500)));
    assert_eq!(
        tree(pool),
        [
            "0 Data Pool tank DEGRADED 0 0 0",
            "1 Data Group mirror-0 DEGRADED 0 0 0",
            "2 Data Device sda FAULTED 1228~ 3 ?",
            "1 Log Device sdl ONLINE 0 0 0",
            "1 Spare Device sds AVAIL - - -",
        ]
    );
}

#[test]
fn a_cut_or_damaged_text_says_nothing_else() {
    let parse = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), "x");
    for whole in [HERO, OPEN, JSON] {
        hostile::cut(whole.as_bytes(), parse);
        hostile::mutate(whole.as_bytes(), 1000, parse, |pools| {
            for pool in pools {
                let done = pool.scan.value().and_then(|scan| scan.done_hundredths_of_percent);
                assert!(done.is_none_or(|done| done <= 10_000));
            }
        });
    }
}
