//! Tables of logs, and the causes that they show.

use super::*;
use crate::fixture::log::{attached, dropped, earlier, event};
use crate::fixture::{hdd, nas, nvme, nvme_health, with_drives, with_log};
use crate::happenings::Happenings;
use assay_bundle::Observed;
use assay_bundle::facts::kernel_log::KernelEvent;

/// `mark: devices, ancestor` of each cause.
fn check(facts: &Facts, expected: &[&str]) {
    let log = Happenings::of(facts);
    let said: Vec<String> = causes(facts, &log)
        .iter()
        .map(|c| {
            let leads = c.leader.map(|at| format!(", {} leads", c.members[at].place)).unwrap_or_default();
            format!("{:?} {:?}: {}, {}{leads}", c.mark, c.when, c.devices.join(" "), c.ancestor)
        })
        .collect();
    assert_eq!(said, expected);
}

fn logged(facts: Facts, events: Vec<KernelEvent>) -> Facts {
    with_log(facts, events)
}

fn on(paths: &[(&str, &str)]) -> Facts {
    attached(nas(), paths)
}

const SPREAD: [(&str, &str); 3] = [
    ("sda", "0000:00:17.0 ata1 host0"),
    ("sdb", "0000:00:17.0 ata2 host1"),
    ("sdc", "0000:03:00.0 ata9 host8"),
];

#[test]
fn the_smallest_ancestor() {
    let timeouts = || vec![event("ata-timeout", "sda", 500), event("ata-timeout", "sdb", 530)];
    let one = [
        ("sda", "0000:00:17.0 ata1 host0"),
        ("sdb", "0000:00:17.0 ata2 host1"),
        ("sdc", "0000:00:17.0 ata3 host2"),
    ];
    let apart = [("sda", "0000:00:17.0 ata1"), ("sdb", "0000:03:00.0 ata9"), ("sdc", "0000:03:00.0 ata10")];
    let behind_one_port = [
        ("sda", "0000:03:00.0 ata9 host8"),
        ("sdb", "0000:03:00.0 ata9 host8"),
        ("sdc", "0000:00:17.0 ata1"),
    ];
    let expander = [
        ("sda", "0000:01:00.0 host0 expander-0:0"),
        ("sdb", "0000:01:00.0 host0 expander-0:0"),
        ("sdc", "0000:01:00.0 host0 expander-0:1"),
    ];
    for (paths, ancestor) in [
        (SPREAD, "the controller 0000:00:17.0"),
        (one, "the power, the backplane and the one controller of the unit"),
        (apart, "the power of the unit and nothing else that is known"),
        (behind_one_port, "the port multiplier on ata9"),
        (expander, "the SAS expander expander-0:0"),
    ] {
        check(&logged(on(&paths), timeouts()), &[&format!("Timeout SameWindow: sda sdb, {ancestor}")]);
    }
    let unread = "something that was not read (power, backplane, controller)";
    check(&logged(nas(), timeouts()), &[&format!("Timeout SameWindow: sda sdb, {unread}")]);
    let mut shelf = on(&expander);
    if let Observed::Seen { value, .. } = &mut shelf.drives {
        value.iter_mut().for_each(|d| d.enclosure = Observed::seen(40, "x"));
    }
    check(&logged(shelf, timeouts()), &["Timeout SameWindow: sda sdb, the SAS expander expander-0:0"]);
    let mut shelf = on(&one);
    if let Observed::Seen { value, .. } = &mut shelf.drives {
        value.iter_mut().take(2).for_each(|d| d.enclosure = Observed::seen(32, "x"));
    }
    check(&logged(shelf, timeouts()), &["Timeout SameWindow: sda sdb, enclosure 32"]);
}

#[test]
fn several_nvme_drives_behind_one_switch() {
    let drives = |n: u32| -> Vec<Drive> {
        (0..n)
            .map(|i| Drive {
                bay: Observed::seen(i + 1, "x"),
                ..nvme(&format!("nvme{i}"), nvme_health(0, 0, 0))
            })
            .collect()
    };
    let facts = attached(
        with_drives(drives(3)),
        &[
            ("nvme0n1", "0000:00:1c.0 0000:02:00.0 0000:03:00.0 0000:04:00.0"),
            ("nvme1n1", "0000:00:1c.0 0000:02:00.0 0000:03:08.0 0000:05:00.0"),
            ("nvme2n1", "0000:00:1d.0 0000:06:00.0"),
        ],
    );
    let events = vec![
        event("nvme-timeout", "nvme0", 900),
        event("nvme-controller-down", "0000:05:00.0", 905),
        event("nvme-device-lost", "nvme1", 906),
    ];
    check(&logged(facts, events), &["Timeout SameMoment: nvme0 nvme1, the PCI bridge 0000:02:00.0"]);
}

#[test]
fn a_port_with_several_drives_speaks_for_all() {
    let paths = [
        ("sda", "0000:03:00.0 ata9 host8"),
        ("sdb", "0000:03:00.0 ata9 host8"),
        ("sdc", "0000:00:17.0 ata1"),
    ];
    let twice = vec![event("ata-link-reset", "ata9", 500), event("ata-link-reset", "ata9", 700)];
    check(&logged(on(&paths), twice), &["Timeout SameWindow: sda sdb, the port multiplier on ata9"]);
    check(&logged(on(&paths), vec![event("ata-link-reset", "ata9", 500)]), &[]);
    // The lines of the disk say whose they are.
    let of_one = |mark: &str, disk: &str| {
        let lines = [
            event(mark, "ata9", 500),
            event(disk, "sda", 501),
            event(mark, "ata9", 700),
            event(disk, "sda", 700),
        ];
        logged(on(&paths), lines.to_vec())
    };
    check(&of_one("ata-link-reset", "timeout-error"), &[]);
    check(&of_one("ata-uncorrectable", "medium-error"), &[]);
    check(&logged(on(&paths), vec![event("ata-uncorrectable", "ata9", 5); 3]), &[]);
    check(
        &logged(on(&paths), vec![event("ata-link-reset", "ata1", 500), event("ata-link-reset", "ata1", 500)]),
        &[],
    );
}

#[test]
fn windows() {
    let at = |a: u64, b: u64| {
        logged(on(&SPREAD), vec![event("ata-timeout", "sda", a), event("ata-timeout", "sdb", b)])
    };
    let said = |when: &str| format!("Timeout {when}: sda sdb, the controller 0000:00:17.0");
    check(&at(500, 500), &[&said("SameMoment")]);
    check(&at(500, 1_100), &[&said("SameWindow")]);
    check(&at(500, 1_101), &[]);
    // Without a clock the seconds since boot do.
    let mut facts = at(500, 520);
    facts.clock.unix_s = Observed::NotCollected;
    check(&facts, &[&said("SameWindow")]);
    // Reads that fail within minutes fail for reasons of their own.
    let media =
        |b| logged(on(&SPREAD), vec![event("medium-error", "sda", 500), event("medium-error", "sdb", b)]);
    check(&media(505), &["Media SameMoment: sda sdb, the controller 0000:00:17.0"]);
    check(&media(530), &[]);
}

#[test]
fn one_drive_that_leads() {
    let mut events: Vec<KernelEvent> =
        (0..10).map(|n| event("ata-timeout", "sda", 500 + n * 4_000)).collect();
    events.push(event("ata-timeout", "sdb", 505));
    check(
        &logged(on(&SPREAD), events.clone()),
        &["Timeout SameMoment: sda sdb, the controller 0000:00:17.0, bay 1 leads"],
    );
    events.extend([event("ata-timeout", "sdb", 506), event("ata-timeout", "sdb", 507)]);
    check(&logged(on(&SPREAD), events), &["Timeout SameMoment: sda sdb, the controller 0000:00:17.0"]);
}

#[test]
fn turns_over_weeks() {
    let turns = |days: &[(&str, u64)]| {
        logged(on(&SPREAD), days.iter().map(|(d, day)| event("ata-interface-crc", d, day * 86_400)).collect())
    };
    check(
        &turns(&[("sda", 1), ("sdb", 3), ("sda", 6), ("sdb", 12)]),
        &["LinkError Turns: sda sdb, the controller 0000:00:17.0"],
    );
    check(&turns(&[("sda", 1), ("sda", 3), ("sda", 6), ("sdb", 12)]), &[]);
    check(&turns(&[("sda", 1), ("sdb", 2), ("sda", 3), ("sdb", 4)]), &[]);
}

#[test]
fn a_hand_is_no_cause() {
    let pulled = |port: &str, at| {
        vec![
            dropped(port, "PHYRdyChg DevExch", at),
            event("ata-link-reset", port, at + 1),
            event("ata-reset-failed", port, at + 11),
            event("ata-link-lost", port, at + 60),
            event("ata-device-lost", port, at + 61),
        ]
    };
    let two = |at| [pulled("ata1", 500), pulled("ata2", at)].concat();
    check(&logged(on(&SPREAD), pulled("ata1", 500)), &[]);
    check(&logged(on(&SPREAD), two(520)), &[]);
    // At once: two hands do not.
    let log = Happenings::of(&logged(on(&SPREAD), two(501))).iter().count();
    assert_eq!(log, 10);
    let facts = logged(on(&SPREAD), two(501));
    let all = causes(&facts, &Happenings::of(&facts));
    assert!(all.iter().any(|c| c.mark == Mark::Gone) && all.iter().any(|c| c.mark == Mark::Power), "{all:?}");
    // A command waited in vain before: the link was lost, not taken.
    let mut troubled = two(520);
    troubled.extend([event("ata-timeout", "ata1", 450), event("ata-timeout", "ata2", 460)]);
    let facts = logged(on(&SPREAD), troubled);
    let all = causes(&facts, &Happenings::of(&facts));
    assert!(all.iter().any(|c| c.mark == Mark::Gone), "{all:?}");
}

#[test]
fn the_boot_is_no_cause() {
    let resets = |at| vec![event("ata-link-reset", "ata1", at), event("ata-link-reset", "ata2", at)];
    check(&logged(on(&SPREAD), resets(4)), &[]);
    check(&logged(on(&SPREAD), resets(90)), &["Timeout SameMoment: sda sdb, the controller 0000:00:17.0"]);
}

#[test]
fn a_shelf_that_is_switched_on_is_no_cause() {
    let on_at = |at| vec![event("scsi-power-on-reset", "sda", at), event("scsi-power-on-reset", "sdb", at)];
    check(&logged(on(&SPREAD), on_at(900)), &[]);
    check(
        &logged(on(&SPREAD), [on_at(900), on_at(8_000)].concat()),
        &["Power SameMoment: sda sdb, the controller 0000:00:17.0"],
    );
}

#[test]
fn earlier_boots_name_ports_only() {
    let at = "2023-11-01 00:00:50";
    let events =
        |a: &str, b: &str| vec![(at, event("ata-timeout", a, 500)), (at, event("ata-timeout", b, 501))];
    check(
        &earlier(on(&SPREAD), events("ata1", "ata2")),
        &["Timeout SameMoment: sda sdb, the controller 0000:00:17.0"],
    );
    check(&earlier(on(&SPREAD), events("sda", "sdb")), &[]);
}

#[test]
fn what_is_no_drive_of_the_unit_counts_for_nothing() {
    let events = vec![event("scsi-offlined", "sdy", 500), event("scsi-offlined", "sdz", 500)];
    check(&logged(on(&SPREAD), events.clone()), &[]);
    let mut facts = logged(on(&SPREAD), events);
    facts.drives = Observed::NotCollected;
    check(&facts, &["Gone SameMoment: , something that was not read (power, backplane, controller)"]);
}

#[test]
fn order_and_names_decide_nothing() {
    let events = vec![event("ata-timeout", "sda", 500), event("ata-timeout", "sdb", 530)];
    let mut facts = logged(on(&SPREAD), events);
    if let Observed::Seen { value, .. } = &mut facts.drives {
        value.reverse();
    }
    check(&facts, &["Timeout SameWindow: sda sdb, the controller 0000:00:17.0"]);
    assert_eq!(hdd("sda", 1).bay, Observed::seen(1, "etc/enclosure_0.conf"));
}
