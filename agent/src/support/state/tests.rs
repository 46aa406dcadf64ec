//! Every odd event has its word; and over any order of events, nothing is ready without a copy or a waiver, and nothing
//! leaves that was not agreed to.

use assay_bundle::consent::{CopyTaken, WaiverReason};
use assay_bundle::statement::Signed;
use proptest::prelude::*;

use super::super::store::{Record, Store, Via};
use super::*;

const BEGIN: i64 = 1_000_000;
const END: i64 = BEGIN + 7 * 86_400;

fn around() -> Around {
    let text = |text: &str| text.to_owned();
    Around { key_id: text("K"), portal: text("P"), recipient: text("R"), configuration: text("C") }
}

fn at(after_s: i64) -> Moment {
    Moment { now_unix_s: BEGIN + after_s, around: around(), paused: false }
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
    // Self-tests come before the bundle, and by a yes of their own.
    check(7, Event::TestsAgreed, &now, Err(Odd::NoCopy), &Step::Received);
    check(6, Event::TestsAgreed, &now, Ok(()), &Step::Protected);
    check(6, Event::TestsEnded, &now, Err(Odd::NoTests), &Step::Protected);
    check(5, Event::TestsAgreed, &now, Ok(()), &Step::Protected);
    check(2, Event::TestsAgreed, &now, Ok(()), &Step::Protected);
    check(1, Event::TestsAgreed, &now, Err(Odd::TooLate), &Step::Leaving);
    check(6, Event::TestsDeclined, &now, Ok(()), &Step::Protected);
    let paused = Moment { paused: true, ..at(10) };
    check(2, leaving(1, 1), &paused, Err(Odd::Paused), &Step::Delivered);
    check(1, leaving(1, 1), &paused, Err(Odd::Paused), &Step::Leaving);
    check(7, denied(), &paused, Ok(()), &Step::Denied { reason: "no".to_owned() });
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
        let moment = Moment { around, ..at(10) };
        check(2, leaving(1, 1), &moment, Err(Odd::Changed(changed)), &Step::Void { changed });
    }
}

#[test]
fn a_bundle_waits_for_the_self_tests() {
    let mut handling = walk(vec![copy(CopyLevel::ReadBack), Event::TestsAgreed]);
    for event in [sealed(1), Event::TestsAgreed, Event::TestsDeclined] {
        assert_eq!(handling.apply(event, &at(20)), Err(Odd::TestsRun));
    }
    handling.apply(Event::TestsEnded, &at(30)).expect("they end");
    assert_eq!(handling.apply(Event::TestsEnded, &at(30)), Err(Odd::NoTests));
    for event in way(0).into_iter().skip(1) {
        handling.apply(event, &at(40)).expect("the rest of the way");
    }
    assert_eq!((handling.step, handling.tests), (Step::Ready, Tests::Ended));
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
    let configuration = prop_oneof![4 => Just("C"), 1 => Just("D")];
    prop_oneof![
        2 => level.prop_map(copy),
        2 => (0_i64..5, 1_i64..3, configuration).prop_map(|(day, days, configuration)| {
            waiver(BEGIN + day * 86_400, days * WAIVER_LIFE_S, configuration)
        }),
        1 => Just(Event::TestsAgreed),
        1 => Just(Event::TestsDeclined),
        2 => Just(Event::TestsEnded),
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

/// The alphabet: what happens to a request, and what happens around it.
#[derive(Clone, Debug)]
enum Happens {
    /// Something happens to it.
    To(Event),
    /// The way as it should be, from wherever it stands: without it a random walk hardly ever arrives.
    TheNextStep,
    /// Time passes; over days the request expires and waivers lapse.
    Later(i64),
    /// Everything is paused, or goes on.
    Paused(bool),
    /// Key, portal, recipient or configuration become another, or the first again.
    Around(u8, bool),
    /// The program ends and begins: the state is what lies on the disk.
    Restart,
}

fn any_happening() -> impl Strategy<Value = Happens> {
    let later = prop_oneof![6 => 0_i64..4_000, 2 => 4_000_i64..40_000, 1 => 80_000_i64..200_000];
    prop_oneof![
        8 => any_event().prop_map(Happens::To),
        8 => Just(Happens::TheNextStep),
        3 => later.prop_map(Happens::Later),
        1 => any::<bool>().prop_map(Happens::Paused),
        1 => (0_u8..8, prop_oneof![1 => Just(true), 2 => Just(false)]).prop_map(|(n, other)| Happens::Around(n, other)),
        3 => Just(Happens::Restart),
    ]
}

/// The event that brings a request on.
fn next_step(handling: &Handling, now: i64) -> Event {
    let bundle = handling.sealed.as_ref().map_or(1, |sealed| if sealed.entry == "e2" { 2 } else { 1 });
    match &handling.step {
        _ if handling.tests == Tests::Agreed => Event::TestsEnded,
        Step::Received if now % 2 == 0 => copy(CopyLevel::ReadBack),
        Step::Received => waiver(now, WAIVER_LIFE_S, "C"),
        Step::Protected => sealed(1 + u8::from(now % 3 == 0)),
        Step::Sealed if handling.shown.is_none() => Event::Shown(manifest(bundle)),
        Step::Sealed => Event::Agreed(manifest(bundle)),
        Step::Agreed => Event::Delivered,
        Step::Delivered => leaving(bundle, bundle),
        _ => receipt(bundle, Said::Ready),
    }
}

/// What was allowed to happen, in order: the judge knows nothing of steps.
type History = Vec<Event>;

/// Whether the history, looked at backwards, allows exactly this bundle to leave at this moment.
fn history_allows(history: &History, m: &str, f: &str, at: &Moment) -> Result<(), &'static str> {
    let last = |wanted: &dyn Fn(&Event) -> bool| history.iter().rposition(wanted);
    if last(&|e| matches!(e, Event::Denied(_) | Event::Cancelled)).is_some() {
        return Err("denied or cancelled");
    }
    if at.now_unix_s >= END {
        return Err("expired");
    }
    let first = around();
    if (&at.around.key_id, &at.around.portal, &at.around.recipient)
        != (&first.key_id, &first.portal, &first.recipient)
    {
        return Err("key, portal or recipient changed");
    }
    let guard = last(&|e| matches!(e, Event::Protected(_))).ok_or("no safeguard")?;
    match &history[guard] {
        Event::Protected(Safeguard::Copy(copy)) if copy.level == CopyLevel::Written => {
            return Err("unproven");
        }
        Event::Protected(Safeguard::Waiver(w)) if at.now_unix_s >= w.expires_unix_s => {
            return Err("waiver lapsed");
        }
        Event::Protected(Safeguard::Waiver(w)) if w.configuration_sha256 != at.around.configuration => {
            return Err("waived for another configuration");
        }
        _ => {}
    }
    let sealing = last(&|e| matches!(e, Event::Sealed(_))).ok_or("nothing sealed")?;
    let Event::Sealed(bundle) = &history[sealing] else { return Err("nothing sealed") };
    if bundle.manifest_sha256 != m || bundle.file_sha256 != f {
        return Err("other bytes");
    }
    if let Some(tests) = last(&|e| matches!(e, Event::TestsAgreed)) {
        let ended = last(&|e| matches!(e, Event::TestsEnded)).ok_or("drives are being tested")?;
        if !(tests < ended && ended < sealing) {
            return Err("sealed before the self-tests ended");
        }
    }
    let shown = last(&|e| matches!(e, Event::Shown(x) if x == m)).ok_or("not shown")?;
    let agreed = last(&|e| matches!(e, Event::Agreed(x) if x == m)).ok_or("not agreed")?;
    let delivered = last(&|e| matches!(e, Event::Delivered)).ok_or("not delivered")?;
    let in_order = guard < sealing && sealing < shown && sealing < agreed && agreed < delivered;
    if in_order { Ok(()) } else { Err("out of order") }
}

/// Walks through what happens and holds every state against the judge; whether the request became ready.
fn walk_and_judge(
    steps: Vec<Happens>,
    reload: &mut dyn FnMut(&Handling) -> Handling,
) -> Result<bool, TestCaseError> {
    let mut handling = Handling::received(around(), END);
    let mut history: History = Vec::new();
    let mut moment = at(0);
    for step in steps {
        let event = match step {
            Happens::To(event) => event,
            Happens::TheNextStep => next_step(&handling, moment.now_unix_s),
            Happens::Later(seconds) => {
                moment.now_unix_s += seconds;
                continue;
            }
            Happens::Paused(paused) => {
                moment.paused = paused;
                continue;
            }
            Happens::Around(which, other) => {
                let now = &mut moment.around;
                let (value, first) = match which {
                    0 => (&mut now.key_id, "K"),
                    1 => (&mut now.portal, "P"),
                    2 => (&mut now.recipient, "R"),
                    _ => (&mut now.configuration, "C"),
                };
                *value = if other { "D" } else { first }.to_owned();
                continue;
            }
            Happens::Restart => {
                let again = reload(&handling);
                prop_assert_eq!(&again, &handling, "what is kept is all there is");
                handling = again;
                continue;
            }
        };
        let before = handling.step.clone();
        if handling.apply(event.clone(), &moment).is_ok() {
            if let Event::Leaving { manifest_sha256, file_sha256 } = &event {
                let allowed = history_allows(&history, manifest_sha256, file_sha256, &moment);
                prop_assert_eq!(allowed, Ok(()), "bytes left: {:?}", history);
                prop_assert!(!moment.paused, "bytes left during a pause");
            }
            history.push(event);
        }
        for (m, f) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            if handling.may_leave(&manifest(m), &file(f), &moment).is_ok() {
                let allowed = history_allows(&history, &manifest(m), &file(f), &moment);
                prop_assert_eq!(allowed, Ok(()), "{}, {}: {:?}", m, f, history);
                prop_assert!(!moment.paused);
            }
        }
        if handling.step == Step::Ready && before != Step::Ready {
            let bundle = handling.sealed.clone().expect("a ready request has its bundle");
            let allowed = history_allows(&history, &bundle.manifest_sha256, &bundle.file_sha256, &moment);
            prop_assert_eq!(allowed, Ok(()), "ready: {:?}", history);
            prop_assert!(handling.safeguard.is_some(), "ready without a copy or a waiver");
            let left = |e: &Event| matches!(e, Event::Leaving { file_sha256, .. } if *file_sha256 == bundle.file_sha256);
            prop_assert!(history.iter().any(left), "ready without having sent it");
            let last_is_receipt = matches!(history.last().expect("one"),
                Event::Receipt { file_sha256, says: Said::Ready } if *file_sha256 == bundle.file_sha256);
            prop_assert!(last_is_receipt, "ready by the portal's receipt alone");
        }
    }
    Ok(handling.step == Step::Ready)
}

fn any_walk() -> impl Strategy<Value = Vec<Happens>> {
    proptest::collection::vec(any_happening(), 1..40)
}

/// The judge sees requests that arrive, not only such that are refused everything.
#[test]
fn nothing_leaves_unasked_and_nothing_is_ready_unprotected() {
    let cases = 4_000;
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let arrived = std::cell::Cell::new(0_u32);
    let done = runner.run(&any_walk(), |steps| {
        let mut reload = |handling: &Handling| {
            serde_json::from_slice(&serde_json::to_vec(handling).expect("plain data")).expect("the same")
        };
        arrived.set(arrived.get() + u32::from(walk_and_judge(steps, &mut reload)?));
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
    let ready = arrived.get();
    assert!(ready >= cases / 100, "only {ready} of {cases} walks arrived: they prove little");
}

/// The same with the real file between any two events.
#[test]
fn a_restart_between_any_two_events_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::at(folder.path().join("support"), folder.path(), false);
    let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let done = runner.run(&any_walk(), |steps| {
        // After each of them, not only where one happens by itself.
        let steps = steps.into_iter().flat_map(|step| [step, Happens::Restart]).collect();
        let mut reload = |handling: &Handling| {
            store.save("0199-a", &record(handling.clone())).expect("kept");
            store.load("0199-a").expect("there").handling
        };
        walk_and_judge(steps, &mut reload).map(|_| ())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}

fn record(handling: Handling) -> Record {
    Record {
        request: Signed { document: "{}".to_owned(), signature: String::new() },
        received_unix_s: BEGIN,
        via: Via::Poll,
        handling,
        copy_receipt: None,
        why_no_copy: None,
        answers: None,
        consent: None,
        receipt: None,
        denial_untold: false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The machine is not merely closed: who does everything in order gets through, whatever was tried before.
    #[test]
    fn the_right_order_always_arrives(noise in proptest::collection::vec(any_event(), 0..12), tested: bool) {
        let mut handling = Handling::received(around(), END);
        for event in noise {
            let ends = matches!(event, Event::Denied(_) | Event::Cancelled | Event::Leaving { .. });
            if !ends {
                let _ = handling.apply(event, &at(10));
            }
        }
        if handling.tests == Tests::Agreed {
            prop_assert_eq!(handling.apply(Event::TestsEnded, &at(20)), Ok(()));
        }
        let mut way = way(0);
        if tested {
            way.splice(1..1, [Event::TestsAgreed, Event::TestsEnded]);
        }
        for event in way {
            prop_assert_eq!(handling.apply(event, &at(20)), Ok(()));
        }
        prop_assert_eq!(handling.step, Step::Ready);
    }
}
