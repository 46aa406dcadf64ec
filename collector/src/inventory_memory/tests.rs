//! Simulated runs: drives that come, move, swap, vanish, return, are replaced, or do not say who they are.

use assay_bundle::facts::block::BlockDevice;
use assay_bundle::facts::edac::{Dimm, MemoryController};
use assay_bundle::facts::hwmon::Fan;
use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_bundle::units::{Bytes, Rpm};

use super::*;
use crate::hostile;

const MODEL: &str = "ST4000VN008-2DR166";
const PLACE: &str = "state/inventory.json";

fn seen<T>(value: T) -> Observed<T> {
    Observed::seen(value, "x")
}

fn drive(serial: &str, bay: u32) -> Drive {
    Drive {
        device: format!("sd{}", char::from(b'a' + u8::try_from(bay).expect("small"))),
        bay: seen(bay),
        model: seen(MODEL.to_owned()),
        serial: seen(serial.to_owned()),
        firmware: seen("SC60".to_owned()),
        capacity_bytes: seen(Bytes(4_000_787_030_016)),
        ..Drive::default()
    }
}

/// A drive that did not say who it is; what the system calls it is shorter.
fn nameless(model: Observed<String>) -> Drive {
    Drive { device: "sdz".into(), model, serial: Observed::unreadable("it sleeps"), ..Drive::default() }
}

fn run(day: i64, drives: Vec<Drive>) -> Facts {
    let mut facts = Facts::default();
    facts.clock.unix_s = seen(1_760_000_000 + day * 86_400);
    facts.clock.boot_id = seen(format!("boot-{day}"));
    facts.identity.serial = seen("Q123".to_owned());
    facts.drives = seen(drives);
    facts.block_devices = seen(vec![BlockDevice::default()]);
    facts
}

/// What is remembered after these runs, stored and read again each time.
fn after(runs: &[Facts]) -> Inventory {
    let mut file: Option<Vec<u8>> = None;
    for facts in runs {
        let before = file.as_deref().map(|bytes| parse(bytes).expect("own form"));
        if let Some(memory) = updated(before.as_ref(), facts) {
            file = Some(serde_json::to_vec(&memory).expect("plain data"));
        }
    }
    parse(&file.expect("something was written")).expect("own form")
}

/// One line for each remembered drive: serial, presence, and what is different.
fn check(runs: &[Facts], now: &Facts, expected: &[&str]) {
    let inventory = compare(after(runs), PLACE, now);
    let lines = inventory.remembered_drives.iter().map(|drive| {
        let presence = match &drive.present {
            Observed::Seen { value: true, .. } => "here",
            Observed::Seen { value: false, .. } => "gone",
            Observed::Unreadable { .. } => "unknown",
            _ => "not compared",
        };
        let mut line = format!("{} {presence}", drive.serial);
        let mut add = |name: &str, value: Option<String>| {
            line.extend(value.map(|value| format!(" {name}={value}")));
        };
        add("bay", drive.bay_now.map(|bay| bay.to_string()));
        add("model", drive.model_now.clone());
        add("firmware", drive.firmware_now.clone());
        add("capacity", drive.capacity_now_bytes.map(|bytes| bytes.0.to_string()));
        add("taken", drive.bay_taken_by.clone());
        line
    });
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn presence() {
    let two = || run(0, vec![drive("A", 1), drive("B", 2)]);
    check(&[two()], &two(), &["A here", "B here"]);
    check(&[two()], &run(1, vec![drive("B", 2)]), &["A gone", "B here"]);
    check(&[two()], &run(1, vec![drive("B", 1), drive("A", 2)]), &["A here bay=2", "B here bay=1"]);
    check(&[two()], &run(1, vec![drive("C", 1), drive("B", 2)]), &["A gone taken=C", "B here"]);
    // Gone in one run, back in the next: still remembered from the first.
    let without = run(1, vec![drive("B", 2)]);
    check(&[two(), without.clone()], &without, &["A gone", "B here"]);
    check(&[two(), without], &two(), &["A here", "B here"]);
}

#[test]
fn not_seen_is_not_gone() {
    let two = || run(0, vec![drive("A", 1), drive("B", 2)]);
    let short = || seen("ST4000VN008-2DR1".to_owned());
    check(&[two()], &run(1, vec![nameless(short()), drive("B", 2)]), &["A unknown", "B here"]);
    check(&[two()], &run(1, vec![nameless(Observed::Absent), drive("B", 2)]), &["A unknown", "B here"]);
    // Another make cannot be it.
    let other = nameless(seen("Samsung SSD 860".to_owned()));
    check(&[two()], &run(1, vec![other, drive("B", 2)]), &["A gone", "B here"]);
    let mut unlisted = two();
    unlisted.drives = Observed::unreadable("/sys/block: it burnt");
    check(&[two()], &unlisted, &["A unknown", "B unknown"]);
    unlisted.drives = Observed::NotCollected;
    check(&[two()], &unlisted, &["A unknown", "B unknown"]);
    // The system lists devices, and none is a drive: a dead controller.
    unlisted.drives = Observed::Absent;
    check(&[two()], &unlisted, &["A gone", "B gone"]);
    // A unit that sleeps, or drives without serial numbers at all, are nobody.
    assert_eq!(updated(Some(&after(&[two()])), &run(0, vec![nameless(short()), nameless(short())])), None);
}

#[test]
fn a_drive_that_changed_under_its_serial_number() {
    let before = run(0, vec![drive("A", 1)]);
    let panicked = || {
        let capacity_bytes = seen(Bytes(8_388_608));
        Drive { model: seen("SATAFIRM   S11".to_owned()), capacity_bytes, ..drive("A", 1) }
    };
    let line = "A here model=SATAFIRM   S11 capacity=8388608";
    check(std::slice::from_ref(&before), &run(1, vec![panicked()]), &[line]);
    // It is not forgotten by having been seen.
    check(
        &[before.clone(), run(1, vec![panicked()]), run(5, vec![panicked()])],
        &run(6, vec![panicked()]),
        &[line],
    );
    let updated = Drive { firmware: seen("SC61".to_owned()), ..drive("A", 1) };
    check(std::slice::from_ref(&before), &run(1, vec![updated.clone()]), &["A here firmware=SC61"]);
    check(&[before, run(1, vec![updated.clone()])], &run(2, vec![updated]), &["A here"]);
}

#[test]
fn one_serial_number_for_several_drives() {
    let other = || Drive { model: seen("Other".to_owned()), ..drive("0000", 2) };
    let both = || run(0, vec![drive("0000", 1), other()]);
    check(&[both()], &both(), &["0000 here", "0000 here"]);
    check(&[run(0, vec![drive("0000", 1)]), both()], &both(), &["0000 here", "0000 here"]);
    check(&[both()], &run(0, vec![other()]), &["0000 gone", "0000 here"]);
}

#[test]
fn bays_over_time() {
    let memory = after(&[
        run(0, vec![drive("A", 1)]),
        run(3, vec![drive("A", 1)]),
        run(4, vec![drive("A", 3)]),
        run(9, vec![]),
        run(10, vec![drive("A", 1)]),
    ]);
    let known = &memory.remembered_drives[0];
    let day = |seconds: Option<i64>| (seconds.expect("a clock") - 1_760_000_000) / 86_400;
    let stays: Vec<_> =
        known.seen_in.iter().map(|stay| (stay.bay, day(stay.from_unix_s), day(stay.until_unix_s))).collect();
    assert_eq!(stays, [(1, 0, 3), (3, 4, 4), (1, 10, 10)]);
    assert_eq!((day(known.first_seen.unix_s), day(known.last_seen.unix_s)), (0, 10));
    assert_eq!(known.last_seen.boot_id.as_deref(), Some("boot-10"));
}

#[test]
fn written_only_when_it_changes_or_once_a_day() {
    let memory = after(&[run(0, vec![drive("A", 1)])]);
    let mut later = run(0, vec![drive("A", 1)]);
    later.clock.boot_id = seen("another".to_owned());
    later.clock.unix_s = seen(1_760_000_000 + 86_399);
    assert_eq!(updated(Some(&memory), &later), None);
    later.clock.unix_s = seen(1_760_000_000 + 86_400);
    assert!(updated(Some(&memory), &later).is_some());
    assert_eq!(updated(None, &Facts::default()), None, "nothing to remember");
    assert_eq!(
        updated(Some(&memory), &run(2, vec![])),
        None,
        "a drive that is gone is no news to the memory"
    );
}

#[test]
fn the_memory_is_bounded_and_drops_whom_it_missed_longest() {
    let runs: Vec<Facts> = (0..300).map(|day| run(day, vec![drive(&format!("S{day}"), 1)])).collect();
    let memory = after(&runs);
    assert_eq!((memory.remembered_drives.len(), memory.drives_dropped), (MOST_DRIVES, 44));
    assert_eq!(memory.remembered_drives[0].serial, "S44");
    let wild = |day: i64| run(day, vec![drive("A", u32::try_from(day % 7).expect("small"))]);
    let memory = after(&(0..100).map(wild).collect::<Vec<_>>());
    assert_eq!(memory.remembered_drives[0].seen_in.len(), MOST_STAYS);
    let size = serde_json::to_vec(&after(&runs)).expect("plain data").len();
    assert!(u64::try_from(size).expect("small") < MOST_BYTES, "{size}");
}

#[test]
fn fans_and_modules_and_another_chassis() {
    let with_parts = |day: i64, unit: &str| {
        let mut facts = run(day, vec![drive("A", 2)]);
        facts.identity.serial = seen(unit.to_owned());
        let fan =
            |name: &str, speed| Fan { name: name.into(), speed_rpm: seen(Rpm(speed)), ..Fan::default() };
        facts.fans = seen(vec![fan("it87/fan1", 900), fan("it87/fan2", 0)]);
        let dimm = Dimm { name: "dimm0".into(), label: seen("DIMM_A1".to_owned()), ..Dimm::default() };
        let dimms = seen(vec![dimm]);
        facts.memory_controllers =
            seen(vec![MemoryController { name: "mc0".into(), dimms, ..Default::default() }]);
        facts
    };
    let memory = after(&[with_parts(0, "Q1")]);
    let compared = |facts: &Facts| {
        let inventory = compare(memory.clone(), PLACE, facts);
        let parts =
            inventory.remembered_parts.iter().map(|part| (part.name.clone(), part.present.value().copied()));
        (inventory.same_unit.value().copied(), parts.collect::<Vec<_>>())
    };
    let both = |fan, dimm| vec![("it87/fan1".to_owned(), fan), ("DIMM_A1".to_owned(), dimm)];
    assert_eq!(compared(&with_parts(1, "Q1")), (Some(true), both(Some(true), Some(true))));
    let mut fewer = with_parts(1, "Q2");
    fewer.fans = seen(vec![]);
    fewer.memory_controllers = Observed::Absent;
    assert_eq!(compared(&fewer), (Some(false), both(Some(false), None)));
    let moved = after(&[with_parts(0, "Q1"), run(1, vec![])]);
    assert_eq!((moved.unit_serial.as_deref(), moved.remembered_parts.len()), (Some("Q123"), 0));
    assert_eq!(moved.remembered_drives[0].last_bay, None);
    assert!(moved.remembered_drives[0].seen_in.is_empty());
}

#[test]
fn comparing_twice_is_comparing_once() {
    let now = run(1, vec![drive("B", 1)]);
    let once = compare(after(&[run(0, vec![drive("A", 1), drive("B", 2)])]), PLACE, &now);
    assert_eq!(compare(once.clone(), PLACE, &now), once);
    let stored_again = parse(&serde_json::to_vec(&once).expect("plain data")).expect("own form");
    assert_eq!(compare(stored_again, PLACE, &now), once);
}

#[test]
fn hostile_memories() {
    let memory = after(&[run(0, vec![drive("A", 1), drive("B", 2)]), run(3, vec![drive("A", 2)])]);
    let bytes = serde_json::to_vec_pretty(&memory).expect("plain data");
    let now = run(4, vec![drive("A", 1), nameless(Observed::Absent)]);
    let read = |bytes: &[u8]| match parse(bytes) {
        Ok(memory) => Observed::seen(compare(memory, PLACE, &now), PLACE),
        Err(why) => Observed::unreadable(why),
    };
    hostile::cut(&bytes, read);
    hostile::mutate(&bytes, 1000, read, |inventory| {
        if let Some(inventory) = inventory.value() {
            assert!(inventory.remembered_drives.len() <= MOST_DRIVES);
            assert!(updated(Some(inventory), &now).is_some());
        }
    });
    assert!(parse(b"[]").is_err() && parse(b"").is_err());
}

#[test]
fn redaction_and_reading_can_be_swapped() {
    let odd = Drive { model: seen("mail bob@example.com".to_owned()), ..drive("00:11:22:33:44:55", 4) };
    let memory = after(&[run(0, vec![drive("A", 1), odd])]);
    let raw = serde_json::to_vec(&memory).expect("plain data");
    let mut door = Door::open(&PseudonymKey([7; 32].into()), Level::default()).expect("sound rules");
    let clean = door.raw(PLACE, &raw).expect("it may leave");
    let read_clean = Observed::seen(parse(clean.bytes()).expect("own form"), PLACE);
    let (_, clean_read) =
        door.document("facts.json", Observed::seen(memory.clone(), PLACE)).expect("plain data");
    assert_ne!(clean_read.value(), Some(&memory), "something was replaced");
    assert_eq!(clean_read, read_clean);
}
