//! Which drive is in which bay, when the sources agree and when they do not.

use assay_bundle::facts::block::{BlockDevice, Transport};

use super::*;
use crate::door::testing::run;

const MAP: &str = "[PhysicalDisk_1]\nport_id = 1\npd_sys_name = /dev/sdb\nserial_no = A1\nwwn = 5000A0B1C2D3E4F5\n[PhysicalDisk_2]\nport_id = 2\npd_sys_name = /dev/sda\nserial_no = A2LONG\n[PhysicalDisk_3]\nport_id = 3\npd_sys_name = /dev/nvme0n1\nserial_no = N1\n[PhysicalDisk_4]\nport_id = x\npd_sys_name = /dev/sdd\n";

/// Drive with this serial number and WWN at this node; the bay by these files, and how many notes.
fn check(
    files: &[(&str, &str)],
    (node, serial, wwn): (&str, Option<&str>, Option<&str>),
    expected: Result<(u32, u32), &str>,
    notes: usize,
) {
    let (bays, _) = run(files, async |door| {
        let (bays, departed) = Bays::collect(door).await;
        let hints = bays.hints_of_qcli(door).await;
        (bays.with_hints(hints), departed)
    });
    let seen =
        |text: Option<&str>| text.map_or(Observed::NotCollected, |t| Observed::seen(t.to_owned(), "x"));
    let drive = Drive { serial: seen(serial), wwn: seen(wwn), ..Drive::default() };
    let block = BlockDevice { name: node.to_owned(), ..BlockDevice::default() };
    let transport = if node == "sdu" { Transport::Usb } else { Transport::Sata };
    let found = bays.find(&drive, &block, transport);
    match expected {
        Ok(bay) => assert_eq!(found.bay.value(), Some(&bay), "{node} {serial:?}"),
        Err("absent") => assert_eq!(found.bay, Observed::Absent, "{node}"),
        Err("nobody looked") => assert_eq!(found.bay, Observed::NotCollected, "{node}"),
        Err(words) => assert!(found.bay.why_not().is_some_and(|why| why.contains(words)), "{:?}", found.bay),
    }
    assert_eq!(found.notes.len(), notes, "{:?}", found.notes);
}

#[test]
fn serial_then_wwn_then_node() {
    let map = [("etc/enclosure_0.conf", MAP)];
    check(&map, ("sdb", Some("A1"), None), Ok((0, 1)), 0);
    check(&map, ("sda", None, None), Ok((0, 2)), 0);
    // The serial number counts, and that the node is another one is said.
    check(&map, ("sda", Some("A1"), None), Ok((0, 1)), 1);
    check(&map, ("sdz", Some(" A1 "), None), Ok((0, 1)), 1);
    check(&map, ("sdb", None, Some("5000a0b1c2d3e4f5")), Ok((0, 1)), 0);
    check(&map, ("sdz", Some("B9"), Some("5000a0b1c2d3e4f5")), Ok((0, 1)), 1);
    // The node alone does not count against the serial number, and a part of one is no contradiction.
    check(&map, ("sda", Some("B9"), None), Err("another serial number"), 0);
    check(&map, ("sda", Some("A2LONGER"), None), Ok((0, 2)), 0);
    check(&map, ("nvme0n1", Some("N1"), None), Ok((0, 3)), 0);
    check(&map, ("nvme0n2", None, None), Ok((0, 3)), 0);
    check(&map, ("sdd", None, None), Err("no port"), 0);
    check(&map, ("sdaa", Some("C3"), None), Err("absent"), 0);
    // A bridge has a serial number of its own.
    let usb = MAP.replace("/dev/sda", "/dev/sdu");
    check(&[("etc/enclosure_33.conf", &usb)], ("sdu", Some("B9"), None), Ok((33, 2)), 0);
}

#[test]
fn a_map_that_is_not_there_says_nothing() {
    check(&[], ("sda", None, None), Err("nobody looked"), 0);
    check(&[("etc/os-release", "x")], ("sda", None, None), Err("nobody looked"), 0);
    check(&[("etc/enclosure_0_del.conf", MAP)], ("sda", None, None), Err("nobody looked"), 0);
    let denied = r#"{"denied":{"what":"/etc/enclosure_0.conf"}}"#;
    check(&[("etc/enclosure_0.conf.unreadable", denied)], ("sda", None, None), Err("no permission"), 0);
    check(&[("etc/.list.unreadable", denied)], ("sda", None, None), Err("no permission"), 0);
    check(&[("etc/enclosure_0.conf", "")], ("sda", None, None), Err("absent"), 0);
}

#[test]
fn other_sources_help_out_and_disagree() {
    let map = ("etc/enclosure_0.conf", MAP);
    let empty = ("etc/enclosure_0.conf", "[Index]\n");
    let qcli =
        ("cmd/qcli_storage.d/stdout", "NAS_HOST 2 /dev/sda x\nNAS_HOST 7 /dev/sdb x\nREXP 1 /dev/sdk x\n");
    check(&[map, qcli], ("sda", None, None), Ok((0, 2)), 0);
    check(&[map, qcli], ("sdb", None, None), Ok((0, 1)), 1);
    check(&[empty, qcli], ("sdb", None, None), Ok((0, 7)), 0);
    check(&[empty, qcli], ("sdk", None, None), Err("absent"), 0);
    check(&[qcli], ("sdb", None, None), Err("nobody looked"), 0);
    let qzfs = ("dev/qzfs/enc_0/.list", "disk_0x1_5000A0B1C2D3E4F5_1\ndisk_0x1_5000A0B1C2D3E4F5_3\n");
    let other = ("dev/qzfs/enc_1/.list", "disk_0x1_5000A0B1C2D3E4F5_3\n");
    let folders = ("dev/qzfs/.list", "enc_0\nenc_x\n");
    check(&[qzfs, folders], ("sdq", None, Some("5000a0b1c2d3e4f5")), Ok((0, 1)), 0);
    check(&[map, qzfs], ("sdb", Some("A1"), Some("5000a0b1c2d3e4f5")), Ok((0, 1)), 0);
    check(&[map, other], ("sdb", Some("A1"), Some("5000a0b1c2d3e4f5")), Ok((0, 1)), 1);
}

#[test]
fn drives_that_left_are_remembered() {
    let departed = |files: &[(&str, &str)]| run(files, async |door| Bays::collect(door).await.1);
    let row = "[PhysicalDisk_9]\nport_id = 9\nvendor = EXA\nmodel = HD4\nserial_no = GONE1\nwwn = 5000A0\n";
    let found = departed(&[("etc/enclosure_0_del.conf", row), ("etc/enclosure_2_del.conf", MAP)]);
    let all = found.value().expect("they are listed");
    assert_eq!(all.len(), 5);
    let expected = DepartedDrive {
        enclosure: 0,
        bay: Some(9),
        model: Some("EXA HD4".into()),
        serial: Some("GONE1".into()),
        wwn: Some("5000A0".into()),
        from: "etc/enclosure_0_del.conf".into(),
    };
    assert_eq!(all[0], expected);
    assert_eq!((all[1].enclosure, all[4].bay), (2, None));
    assert_eq!(departed(&[("etc/enclosure_0.conf", MAP)]), Observed::Absent);
    assert_eq!(departed(&[]), Observed::NotCollected);
    let denied = ("etc/enclosure_0_del.conf.unreadable", r#"{"denied":{"what":"x"}}"#);
    assert!(departed(&[denied]).why_not().is_some_and(|why| why.contains("no permission")));
}

#[test]
fn a_row_that_nobody_claims_is_a_drive() {
    fn check(found: &[usize], listed: &str, bays_left: &[u32]) {
        let (bays, _) = run(&[("etc/enclosure_0.conf", MAP)], async |door| Bays::collect(door).await);
        let rows = bays.unlisted(found, |name| name == listed);
        assert_eq!(rows.iter().filter_map(|row| row.bay).collect::<Vec<_>>(), bays_left, "{found:?}");
    }
    check(&[], "", &[1, 2, 3]);
    check(&[0, 2], "", &[2]);
    check(&[0], "sda", &[3]);
}
