//! Every odd event has its word; and over any order of events, nothing is ready without a copy or a waiver, and nothing
//! leaves that was not agreed to.

use assay_bundle::consent::{CopyTaken, WaiverReason};
use proptest::prelude::*;

use super::*;

const BEGIN: i64 = 1_000_000;
const END: i64 = BEGIN + 7 * 86_400;

fn around() -> Around {
    let text = |text: &str| text.to_owned();
    Around { key_id: text("K"), portal: text("P"), recipient: text("R"), configuration: text("C") }
}

fn at(after_s: i64) -> Moment {
    Moment { now_unix_s: BEGIN + after_s, around: around() }
}

fn copy(level: CopyLevel) -> Event {
    Event::Protected(Safeguard::Copy(CopyTaken { level, sha256: "aa".repeat(32), made_unix_s: BEGIN }))
}

fn waiver(accepted: i64, life_s: i64, configuration: &str) -> Event {
    Event::Protected(Safeguard::Waiver(Waiver {
        reason: WaiverReason::NoVolume,
        accepted_unix_s: accepted,
        expires_unix_s: accepted + life_s,
        configuration_sha256: configuration.to_owned(),
    }))
}

fn sealed(n: u8) -> Event {
    Event::Sealed(Sealed { entry: format!("e{n}"), manifest_sha256: manifest(n), file_sha256: file(n) })
}

fn manifest(n: u8) -> String {
    format!("m{n}")
}

fn file(n: u8) -> String {
    format!("f{n}")
}

fn leaving(m: u8, f: u8) -> Event {
    Event::Leaving { manifest_sha256: manifest(m), file_sha256: file(f) }
}

fn receipt(n: u8, says: Said) -> Event {
    Event::Receipt { file_sha256: file(n), says }
}

/// The way from the beginning to the end, without its last `missing` events.
fn way(missing: usize) -> Vec<Event> {
    let mut way = vec![
        copy(CopyLevel::ReadBack),
        sealed(1),
        Event::Shown(manifest(1)),
        Event::Agreed(manifest(1)),
        Event::Delivered,
        leaving(1, 1),
        receipt(1, Said::Ready),
    ];
    way.truncate(way.len() - missing);
    way
}

fn walk(events: Vec<Event>) -> Handling {
    let mut handling = Handling::received(around(), END);
    for event in events {
        handling.apply(event.clone(), &at(10)).unwrap_or_else(|odd| panic!("{event:?}: {odd}"));
    }
    handling
}

/// After the way without its last `missing` events, `event` at `moment` gives `expected` and leaves `step`.
fn check(missing: usize, event: Event, moment: &Moment, expected: Result<(), Odd>, step: &Step) {
    let mut handling = walk(way(missing));
    assert_eq!(handling.apply(event.clone(), moment), expected, "{event:?}");
    assert_eq!(handling.step, *step, "{event:?}");
}

#[test]
fn the_way_ends_ready() {
    let steps: Vec<Step> = (0..=7).rev().map(|missing| walk(way(missing)).step).collect();
    use Step::{Agreed, Delivered, Leaving, Protected, Ready, Received, Sealed};
    assert_eq!(steps, [Received, Protected, Sealed, Sealed, Agreed, Delivered, Leaving, Ready]);
}

#[test]
fn odd_events_in_words() {
    let now = at(10);
    let late = at(7 * 86_400);
    let denied = || Event::Denied("no".to_owned());
    // Out of order.
    check(7, sealed(1), &now, Err(Odd::NoCopy), &Step::Received);
    check(7, copy(CopyLevel::Written), &now, Err(Odd::CopyUnproven), &Step::Received);
    check(6, Event::Shown(manifest(1)), &now, Err(Odd::NothingSealed), &Step::Protected);
    check(5, Event::Agreed(manifest(1)), &now, Err(Odd::NotShown), &Step::Sealed);
    check(4, Event::Agreed(manifest(2)), &now, Err(Odd::OtherBytes), &Step::Sealed);
    check(4, Event::Delivered, &now, Err(Odd::NoConsent), &Step::Sealed);
    check(3, leaving(1, 1), &now, Err(Odd::NoConsent), &Step::Agreed);
    check(2, leaving(2, 1), &now, Err(Odd::OtherBytes), &Step::Delivered);
    check(2, leaving(1, 2), &now, Err(Odd::OtherBytes), &Step::Delivered);
    check(2, receipt(1, Said::Ready), &now, Err(Odd::NoConsent), &Step::Delivered);
    check(1, receipt(2, Said::Ready), &now, Err(Odd::OtherBytes), &Step::Leaving);
    // Twice.
    check(3, Event::Agreed(manifest(1)), &now, Err(Odd::AlreadyApproved), &Step::Agreed);
    check(0, Event::Agreed(manifest(1)), &now, Err(Odd::AlreadyReady), &Step::Ready);
    // Sealed again: asked again.
    check(3, sealed(2), &now, Ok(()), &Step::Sealed);
    check(2, sealed(2), &now, Ok(()), &Step::Sealed);
    // Too late, too early.
    check(1, sealed(2), &now, Err(Odd::TooLate), &Step::Leaving);
    check(1, denied(), &now, Err(Odd::TooLate), &Step::Leaving);
    check(3, Event::Agreed(manifest(1)), &late, Err(Odd::Expired), &Step::Expired);
    check(7, denied(), &late, Err(Odd::Expired), &Step::Expired);
    // The other side.
    check(1, receipt(1, Said::Taken), &now, Ok(()), &Step::Taken);
    let refused = Step::Refused { reason: "no".to_owned() };
    check(1, receipt(1, Said::Refused("no".to_owned())), &now, Ok(()), &refused);
    check(5, Event::Cancelled, &now, Ok(()), &Step::Cancelled);
    check(0, Event::Cancelled, &now, Ok(()), &Step::Cancelled);
    // What it rests on.
    for (changed, around) in [
        (Changed::Key, Around { key_id: "X".to_owned(), ..around() }),
        (Changed::Portal, Around { portal: "X".to_owned(), ..around() }),
        (Changed::Recipient, Around { recipient: "X".to_owned(), portal: "X".to_owned(), ..around() }),
    ] {
        let moment = Moment { now_unix_s: BEGIN + 10, around };
        check(2, leaving(1, 1), &moment, Err(Odd::Changed(changed)), &Step::Void { changed });
    }
}

#[test]
fn what_is_over_stays_over() {
    for (event, expected) in [
        (Event::Cancelled, Odd::Cancelled),
        (Event::Denied("no".to_owned()), Odd::Denied),
        (receipt(1, Said::Refused("bad".to_owned())), Odd::Refused("bad".to_owned())),
    ] {
        let missing = if matches!(event, Event::Denied(_)) { 2 } else { 1 };
        let mut handling = walk(way(missing));
        handling.apply(event, &at(10)).expect("it may end here");
        for later in way(0).into_iter().chain([Event::Cancelled]) {
            assert_eq!(handling.apply(later, &at(20)), Err(expected.clone()));
        }
        assert!(!expected.next().is_empty());
    }
}

#[test]
fn a_waiver_lapses() {
    let day = WAIVER_LIFE_S;
    let good = || waiver(BEGIN, day, "C");
    let try_one = |event, after_s| walk(Vec::new()).apply(event, &at(after_s));
    assert_eq!(try_one(good(), 10), Ok(()));
    assert_eq!(try_one(waiver(BEGIN, day + 1, "C"), 10), Err(Odd::BadWaiver));
    assert_eq!(try_one(good(), day), Err(Odd::BadWaiver));
    assert_eq!(try_one(waiver(BEGIN + 3_600, day, "C"), 10), Err(Odd::BadWaiver));
    assert_eq!(try_one(waiver(BEGIN, day, "other"), 10), Err(Odd::BadWaiver));
    for missing in 0..=5 {
        let mut events = way(missing);
        events[0] = good();
        for (moment, lapses) in [
            (at(day - 1), false),
            (at(day), true),
            (Moment { around: Around { configuration: "D".to_owned(), ..around() }, ..at(10) }, true),
        ] {
            let mut handling = walk(events.clone());
            let before = handling.clone();
            handling.settle(&moment);
            let expected = match (lapses, missing) {
                (false, _) => before.step.clone(),
                (true, 0) => Step::Lapsed,
                (true, _) => Step::Received,
            };
            assert_eq!(handling.step, expected);
            assert!(lapses || handling == before);
            assert_eq!(handling.may_leave("m1", "f1", &moment).is_ok(), !lapses && matches!(missing, 1 | 2));
        }
    }
}

/// Any event, over two bundles whose parts may be mixed up.
fn any_event() -> impl Strategy<Value = Event> {
    let n = || 1_u8..=2;
    let level =
        prop_oneof![Just(CopyLevel::Written), Just(CopyLevel::ReadBack), Just(CopyLevel::OpenedWithKey)];
    let said = prop_oneof![Just(Said::Ready), Just(Said::Taken), Just(Said::Refused("no".to_owned()))];
    prop_oneof![
        2 => level.prop_map(copy),
        2 => (0_i64..5, 1_i64..3).prop_map(|(day, days)| {
            waiver(BEGIN + day * 86_400, days * WAIVER_LIFE_S, "C")
        }),
        3 => n().prop_map(sealed),
        3 => n().prop_map(|n| Event::Shown(manifest(n))),
        3 => n().prop_map(|n| Event::Agreed(manifest(n))),
        3 => Just(Event::Delivered),
        3 => (n(), n()).prop_map(|(m, f)| leaving(m, f)),
        2 => (n(), said).prop_map(|(n, said)| receipt(n, said)),
        1 => Just(Event::Denied("no".to_owned())),
        1 => Just(Event::Cancelled),
    ]
}

/// What was allowed to happen, and when: the judge knows nothing of steps.
type History = Vec<(Event, i64)>;

/// Whether the history, looked at backwards, allows exactly this bundle to leave at `now`.
fn history_allows(history: &History, m: &str, f: &str, now: i64) -> Result<(), &'static str> {
    let last = |wanted: &dyn Fn(&Event) -> bool| history.iter().rposition(|(event, _)| wanted(event));
    if last(&|e| matches!(e, Event::Denied(_) | Event::Cancelled)).is_some() {
        return Err("denied or cancelled");
    }
    if now >= END {
        return Err("expired");
    }
    let guard = last(&|e| matches!(e, Event::Protected(_))).ok_or("no safeguard")?;
    match &history[guard].0 {
        Event::Protected(Safeguard::Copy(copy)) if copy.level == CopyLevel::Written => {
            return Err("unproven");
        }
        Event::Protected(Safeguard::Waiver(w)) if now >= w.expires_unix_s => return Err("waiver lapsed"),
        _ => {}
    }
    let sealing = last(&|e| matches!(e, Event::Sealed(_))).ok_or("nothing sealed")?;
    let Event::Sealed(bundle) = &history[sealing].0 else { return Err("nothing sealed") };
    if bundle.manifest_sha256 != m || bundle.file_sha256 != f {
        return Err("other bytes");
    }
    let shown = last(&|e| matches!(e, Event::Shown(x) if x == m)).ok_or("not shown")?;
    let agreed = last(&|e| matches!(e, Event::Agreed(x) if x == m)).ok_or("not agreed")?;
    let delivered = last(&|e| matches!(e, Event::Delivered)).ok_or("not delivered")?;
    let in_order = guard < sealing && sealing < shown && sealing < agreed && agreed < delivered;
    if in_order { Ok(()) } else { Err("out of order") }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_leaves_unasked_and_nothing_is_ready_unprotected(
        steps in proptest::collection::vec((any_event(), 0_i64..40_000), 1..40),
    ) {
        let mut handling = Handling::received(around(), END);
        let mut history: History = Vec::new();
        let mut now = BEGIN;
        for (event, later) in steps {
            now += later;
            let moment = Moment { now_unix_s: now, around: around() };
            let before = handling.step.clone();
            if handling.apply(event.clone(), &moment).is_ok() {
                history.push((event.clone(), now));
            }
            for (m, f) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
                let allowed = history_allows(&history, &manifest(m), &file(f), now);
                if handling.may_leave(&manifest(m), &file(f), &moment).is_ok() {
                    prop_assert_eq!(allowed, Ok(()), "{}, {}: {:?}", m, f, history);
                }
            }
            if handling.step == Step::Ready && before != Step::Ready {
                let bundle = handling.sealed.clone().expect("a ready request has its bundle");
                let allowed = history_allows(&history, &bundle.manifest_sha256, &bundle.file_sha256, now);
                prop_assert_eq!(allowed, Ok(()), "ready: {:?}", history);
                let last_is_receipt = matches!(&history.last().expect("one").0,
                    Event::Receipt { file_sha256, says: Said::Ready } if *file_sha256 == bundle.file_sha256);
                prop_assert!(last_is_receipt, "ready by the portal's receipt alone");
            }
        }
    }

    /// The machine is not merely closed: who does everything in order gets through, whatever was tried before.
    #[test]
    fn the_right_order_always_arrives(noise in proptest::collection::vec(any_event(), 0..12)) {
        let mut handling = Handling::received(around(), END);
        for event in noise {
            let ends = matches!(event, Event::Denied(_) | Event::Cancelled | Event::Leaving { .. });
            if !ends {
                let _ = handling.apply(event, &at(10));
            }
        }
        for event in way(0) {
            prop_assert_eq!(handling.apply(event, &at(20)), Ok(()));
        }
        prop_assert_eq!(handling.step, Step::Ready);
    }
}
