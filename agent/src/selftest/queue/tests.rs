//! The queue as tables, and over any order of events: one test at a time, none lost, none decided but by the drive's log.

use assay_bundle::Observed;
use assay_bundle::units::Hours;
use assay_collector::smartctl;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_000_000;

fn entry(serial: &str) -> Entry {
    Entry {
        serial: serial.to_owned(),
        place: "bay 1".to_owned(),
        kind: SelfTestKind::Short,
        asked_unix_s: NOW,
        request: None,
        state: State::Waiting { why: None, not_before_unix_s: 0 },
    }
}

fn row(hours: u64, outcome: SelfTestOutcome) -> SelfTest {
    SelfTest {
        kind: "Short offline".to_owned(),
        outcome,
        text: "as printed".to_owned(),
        at_power_on_hours: Some(Hours(hours)),
        first_error_lba: None,
    }
}

/// A look at a drive with this log, on which a test runs when `left` says how much is.
fn look(log: Vec<SelfTest>, left: Option<u8>) -> Look {
    let running = left.map(|_| row(0, SelfTestOutcome::Running));
    let mut parsed = smartctl::nothing("nobody".to_owned());
    parsed.drive.self_tests = Observed::seen(running.into_iter().chain(log).collect(), "test");
    Look { parsed, remaining_percent: left, short_minutes: Some(2), extended_minutes: Some(500) }
}

fn drive(log: Vec<SelfTest>, left: Option<u8>) -> Seen {
    Seen::Drive(Box::new(look(log, left)))
}

fn run(kind: SelfTestKind) -> Run {
    Run::begins(("sda", "sat"), kind, &look(vec![row(5, SelfTestOutcome::Passed)], None), None, NOW)
}

#[test]
fn looks_follow_the_drives_own_estimate() {
    use SelfTestKind::{Extended, Short};
    for (kind, look, size, expected) in [
        (Short, look(Vec::new(), None), None, 120),
        (Extended, look(Vec::new(), None), None, 500 * 60),
        (
            Extended,
            Look { extended_minutes: None, ..look(Vec::new(), None) },
            Some(4_000_000_000_000),
            417 * 60,
        ),
        (Extended, Look { extended_minutes: None, ..look(Vec::new(), None) }, None, 8 * 3600),
        (Short, Look { short_minutes: None, ..look(Vec::new(), None) }, Some(1), 120),
    ] {
        let run = Run::begins(("sda", "sat"), kind, &look, size, NOW);
        assert_eq!(run.estimate_s, expected);
        assert_eq!(run.wait_s(NOW), expected + MARGIN_S, "no look before the drive can be done");
        assert_eq!(run.wait_s(NOW - 10_000_000), 0, "a clock that was set back puts nothing off");
    }
    let at = |left: Option<u8>| match run(Extended)
        .after(drive(vec![row(5, SelfTestOutcome::Passed)], left), NOW + 30_060)
    {
        State::Running(run) => run.look_unix_s - (NOW + 30_060),
        other => panic!("{other:?}"),
    };
    assert_eq!((at(Some(10)), at(Some(90)), at(Some(0))), (3_000, 3_600, 1_500));
    assert_eq!(run(Short).estimate_s, 120);
}

#[test]
fn what_the_drives_log_says_decides() {
    use SelfTestOutcome::{Failed, NotCompleted, Passed};
    fn check(seen: Seen, after_s: i64, expected: &str) {
        let words = match run(SelfTestKind::Short).after(seen, NOW + after_s) {
            State::Running(run) => format!("runs {:?} {:?}", run.remaining_percent, run.unseen.is_some()),
            State::Ended { test, .. } => format!("ended {}", result_words(&test)),
            State::Unknown { why, .. } => format!("unknown {why}"),
            other => format!("{other:?}"),
        };
        assert!(words.contains(expected), "{expected}: {words}");
    }
    let old = || row(5, Passed);
    check(drive(vec![row(7, Passed), old()], None), 200, "ended passed");
    check(drive(vec![row(7, Failed), old()], None), 200, "ended FAILED");
    // A NAS that was switched off in between.
    check(drive(vec![row(7, NotCompleted), old()], None), 90_000, "ended not completed");
    // Somebody else's test runs: ours has ended before it.
    check(drive(vec![row(7, Passed), old()], Some(90)), 200, "ended passed");
    check(drive(vec![old()], Some(40)), 200, "runs Some(40) false");
    // Not yet begun, or not yet written.
    check(drive(vec![old()], None), 5, "runs");
    check(drive(vec![old()], None), 200, "unknown no test runs");
    check(drive(vec![old()], None), -200, "unknown no test runs");
    check(Seen::Asleep, 200, "runs None true");
    check(Seen::Not("gone".to_owned()), 200, "runs None true");
    check(Seen::Not("gone".to_owned()), WATCHED_S + 1, "unknown the drive could not be asked for days: gone");
    check(Seen::Asleep, WATCHED_S + 1, "was not woken");
    check(drive(vec![old()], Some(90)), WATCHED_S + 1, "watched no more");
    let mut unread = look(Vec::new(), None);
    unread.parsed.drive.self_tests = Observed::unreadable("a broken log");
    check(Seen::Drive(Box::new(unread)), 200, "runs None true");
}

#[test]
fn a_drive_is_queued_once_and_the_list_is_bounded() {
    let mut queue = Queue::default();
    assert_eq!(queue.add(entry("A")), Ok(()));
    assert_eq!(queue.add(entry("A")), Err(Full::Already));
    for n in 0..MOST_ENDED + 20 {
        let ended = State::Aborted { why: String::new(), at_unix_s: NOW };
        queue.entries.push(Entry { state: ended, ..entry(&format!("old {n}")) });
    }
    assert_eq!(queue.add(entry("B")), Ok(()));
    assert_eq!(queue.entries.len(), MOST_ENDED + 2);
    assert_eq!(queue.open_of("a"), Some(0), "the oldest ended ones go");
    for n in 0..MOST_WAITING - 2 {
        assert_eq!(queue.add(entry(&format!("W{n}"))), Ok(()));
    }
    assert_eq!(queue.add(entry("X")), Err(Full::TooMany));
}

#[derive(Clone, Debug)]
enum Happens {
    Add(u8, Option<u8>),
    Begin,
    Look(u8),
    Later(i64),
    Abort(u8),
    Restart,
}

fn any() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (0_u8..5, proptest::option::of(0_u8..2)).prop_map(|(drive, request)| Happens::Add(drive, request)),
        4 => Just(Happens::Begin),
        4 => (0_u8..6).prop_map(Happens::Look),
        2 => (-500_000_i64..900_000).prop_map(Happens::Later),
        1 => (0_u8..5).prop_map(Happens::Abort),
        2 => Just(Happens::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order, with the state written and read between any two things: at most one test
    /// runs, each that was added is still there, and a result is one that the drive logged.
    #[test]
    fn one_at_a_time_and_none_lost(steps in proptest::collection::vec(any(), 1..50)) {
        let (mut queue, mut now, mut added, mut hours) = (Queue::default(), NOW, 0, 100);
        for step in steps {
            match step {
                Happens::Add(n, request) => {
                    let request = request.map(|id| format!("r{id}"));
                    added += usize::from(queue.add(Entry { request, ..entry(&n.to_string()) }).is_ok());
                }
                Happens::Begin => if let Some(at) = queue.next(now) {
                    prop_assert!(queue.running().is_none());
                    let log = look(vec![row(hours, SelfTestOutcome::Passed)], None);
                    queue.entries[at].state = State::Running(Run::begins(("sda", "sat"), SelfTestKind::Short, &log, None, now));
                },
                Happens::Look(kind) => if let Some(at) = queue.running() {
                    let run = queue.entries[at].run().cloned().expect("it runs");
                    let (before, began) = (run.before.clone(), run.started_unix_s);
                    hours += 1;
                    let logged = |outcome| std::iter::once(row(hours, outcome)).chain(before.clone()).collect();
                    let seen = match kind {
                        0 => Seen::Asleep,
                        1 => Seen::Not("gone".to_owned()),
                        2 => drive(before.clone(), Some(50)),
                        3 => drive(before.clone(), None),
                        4 => drive(logged(SelfTestOutcome::Passed), None),
                        _ => drive(logged(SelfTestOutcome::Failed), None),
                    };
                    let state = run.after(seen, now);
                    match (&state, kind) {
                        (State::Ended { test, .. }, 4 | 5) => prop_assert_eq!(test.at_power_on_hours, Some(Hours(hours))),
                        (State::Running(_), 0..=3) | (State::Unknown { .. }, 3) => {}
                        (State::Unknown { .. }, 0..=2) => prop_assert!(now - began > WATCHED_S),
                        other => prop_assert!(false, "{:?}", other),
                    }
                    queue.entries[at].state = state;
                },
                Happens::Later(seconds) => now += seconds,
                Happens::Abort(n) => if let Some(at) = queue.open_of(&n.to_string()) {
                    queue.entries[at].state = State::Aborted { why: String::new(), at_unix_s: now };
                },
                Happens::Restart => {
                    let bytes = serde_json::to_vec(&queue).expect("plain data");
                    let again: Queue = serde_json::from_slice(&bytes).expect("the same");
                    prop_assert_eq!(&again, &queue);
                    queue = again;
                }
            }
            prop_assert!(queue.entries.iter().filter(|entry| entry.run().is_some()).count() <= 1);
            prop_assert_eq!(queue.entries.len(), added);
            let open = queue.entries.iter().any(Entry::is_open);
            prop_assert_eq!(queue.wait_s(now).is_some(), open, "what is open is come back to");
            prop_assert!(queue.wait_s(now).is_none_or(|wait| (0..=LATER_S.max(3_700)).contains(&wait)));
        }
    }
}
