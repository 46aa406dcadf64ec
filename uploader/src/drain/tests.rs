//! What a run leaves in the spool, bundle by bundle.

use std::cell::RefCell;
use std::fs;
use std::time::Duration;

use super::*;
use crate::tus::Phase;
use crate::tus::double::{DEVICE_NOW_S, Double, Fault};
use crate::{SpoolEntry, SpoolLimits};

const OPTIONS: DrainOptions = DrainOptions {
    policy: RetryPolicy {
        failures: 3,
        base: Duration::from_millis(1),
        cap: Duration::from_secs(60),
        longest_wait: Duration::from_secs(2),
        receipt_wait: Duration::from_millis(1),
    },
    only_due: false,
    only_begun: false,
};

/// A spool with one sealed bundle for each letter, its portal, and the key.
struct Bench {
    _dir: tempfile::TempDir,
    spool: Spool,
    double: Double,
    key: SigningKey,
}

impl Bench {
    async fn new(bundles: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temp folder");
        let spool = Spool::open(dir.path(), SpoolLimits::default()).expect("a new spool");
        for (seq, content) in (1..).zip(bundles) {
            let slot = spool.begin().expect("room");
            fs::write(slot.plain_path(), "plain").expect("writable");
            if !content.is_empty() {
                fs::write(slot.sealed_path(), content).expect("writable");
            }
            slot.commit(SpoolEntry { seq, ..SpoolEntry::default() }).expect("committed");
        }
        let key = SigningKey::generate().expect("random");
        let double = Double::start(&key).await;
        Self { _dir: dir, spool, double, key }
    }

    async fn drain(&self, options: &DrainOptions) -> DrainReport {
        self.drain_telling(options, &|_| ()).await
    }

    async fn drain_telling(&self, options: &DrainOptions, progress: &dyn Fn(Progress)) -> DrainReport {
        let (portal, card) = (self.double.portal(), self.double.card());
        drain(&self.spool, &portal, &self.key, &card, options, progress).await.expect("a run")
    }

    /// A word for each entry: its state, its forms, and whether an error is kept.
    fn states(&self) -> Vec<String> {
        let word = |entry: &Entry| {
            let state = match &entry.meta.state {
                State::Waiting => "waiting",
                State::Uploading { .. } => "uploading",
                State::Done { .. } => "done",
                State::Refused { receipt: Some(_), .. } => "refused by receipt",
                State::Refused { .. } => "refused",
            };
            let sealed = if entry.sealed.is_some() { "+sealed" } else { "" };
            let error = if entry.meta.last_error.is_some() { "!" } else { "" };
            format!("{state}{sealed}{error}")
        };
        self.spool.entries().expect("readable").iter().map(word).collect()
    }

    fn fail(&self, faults: impl IntoIterator<Item = (&'static str, Fault)>) {
        self.double.inner().faults.extend(faults);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// The states that a run through `faults` leaves of three bundles, and how many were not tried.
fn check(faults: &[(&'static str, Fault)], expected: [&str; 3], not_tried: usize) {
    block_on(async {
        let bench = Bench::new(&["a", "b", "c"]).await;
        bench.fail(faults.iter().cloned());
        let report = bench.drain(&OPTIONS).await;
        assert_eq!(bench.states(), expected, "{faults:?}: {report:?}");
        assert_eq!(report.not_tried, not_tried, "{faults:?}: {report:?}");
        assert_eq!(report.is_complete(), expected == ["done", "done", "done"], "{faults:?}");
        // Whatever happened, the next run brings everything but what was refused.
        let report = bench.drain(&OPTIONS).await;
        assert!(
            report.bundles.iter().all(|(_, outcome)| matches!(outcome, Outcome::Accepted(_))),
            "{report:?}"
        );
        assert!(bench.states().iter().all(|state| state == "done" || state.starts_with("refused")));
    });
}

#[test]
fn one_failure_does_not_stop_the_others_and_a_common_one_does() {
    let answer = |status, kind| Fault::Answer(status, "", kind);
    check(&[], ["done", "done", "done"], 0);
    check(&[("POST", answer(422, Some("not-a-bundle")))], ["refused+sealed!", "done", "done"], 0);
    let busy = ("PATCH", answer(503, None));
    check(&[busy.clone(), busy.clone(), busy], ["uploading+sealed!", "done", "done"], 0);
    check(&[("PATCH", answer(400, None))], ["uploading+sealed!", "done", "done"], 0);
    let unknown = Some("unknown-key");
    check(&[("POST", answer(401, unknown))], ["waiting+sealed!", "waiting+sealed", "waiting+sealed"], 2);
    check(&[("PATCH", answer(401, unknown))], ["uploading+sealed!", "waiting+sealed", "waiting+sealed"], 2);
}

#[test]
fn without_a_connection_nothing_is_tried_twice() {
    block_on(async {
        let bench = Bench::new(&["a", "b"]).await;
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = nobody.local_addr().expect("bound");
        drop(nobody);
        let portal = Portal::plain_for_tests(address, std::sync::Arc::new(|| DEVICE_NOW_S));
        let card = bench.double.card();
        let report = drain(&bench.spool, &portal, &bench.key, &card, &OPTIONS, &|_| ()).await.expect("a run");
        assert_eq!((report.bundles.len(), report.not_tried), (1, 1));
        assert_eq!(bench.states(), ["waiting+sealed!", "waiting+sealed"]);
    });
}

#[test]
fn bundles_without_a_sealed_form_are_left_alone() {
    block_on(async {
        let bench = Bench::new(&["", "b"]).await;
        let report = bench.drain(&OPTIONS).await;
        assert_eq!(report.bundles.len(), 1);
        assert_eq!(bench.states(), ["waiting", "done"]);
    });
}

#[test]
fn a_portal_that_still_reads_is_asked_again_without_sending() {
    block_on(async {
        let bench = Bench::new(&["a"]).await;
        bench.double.inner().pending = 2;
        let report = bench.drain(&OPTIONS).await;
        assert!(matches!(report.bundles[..], [(_, Outcome::StillReading)]), "{report:?}");
        assert_eq!(bench.states(), ["uploading+sealed"]);
        assert_eq!(bench.double.take_log(), ["POST", "HEAD", "PATCH 0+1", "GET"]);
        bench.double.inner().pending = 0;
        assert!(bench.drain(&OPTIONS).await.is_complete());
        assert_eq!(bench.double.take_log(), ["HEAD", "GET"]);
        assert_eq!(bench.drain(&OPTIONS).await.bundles.len(), 0);
    });
}

#[test]
fn a_signed_refusal_is_kept_with_its_receipt() {
    block_on(async {
        let bench = Bench::new(&["a"]).await;
        bench.double.inner().status = ReceiptStatus::Refused;
        let report = bench.drain(&OPTIONS).await;
        assert!(
            matches!(&report.bundles[..], [(_, Outcome::Refused { reason })] if reason == "no bundle of ours")
        );
        assert_eq!(bench.states(), ["refused by receipt+sealed!"]);
        // A person may ask again.
        bench.double.inner().status = ReceiptStatus::Accepted;
        let id = &bench.spool.entries().expect("readable")[0].id;
        bench.spool.requeue(id).expect("requeued");
        assert!(bench.drain(&OPTIONS).await.is_complete());
    });
}

#[test]
fn a_scheduled_run_waits_its_time_and_a_person_does_not() {
    block_on(async {
        let bench = Bench::new(&["a"]).await;
        bench.fail([("POST", Fault::Answer(429, "retry-after: 3000\r\n", None))]);
        bench.drain(&OPTIONS).await;
        let meta = bench.spool.entries().expect("readable").remove(0).meta;
        assert_eq!(meta.attempts, 1);
        let due = meta.next_attempt_unix_s.expect("a time");
        assert!((DEVICE_NOW_S + 3_000..=DEVICE_NOW_S + 3_600).contains(&due), "{due}");
        let scheduled = DrainOptions { only_due: true, ..OPTIONS };
        let report = bench.drain(&scheduled).await;
        assert_eq!((report.bundles.len(), report.not_due), (0, 1));
        // A time set by a clock that has jumped back since.
        let id = &bench.spool.entries().expect("readable")[0].id;
        let far = DEVICE_NOW_S + 30 * 365 * 86_400;
        bench.spool.update(id, |meta| meta.next_attempt_unix_s = Some(far)).expect("updated");
        assert!(bench.drain(&scheduled).await.is_complete());
    });
}

#[test]
fn progress_names_each_bundle_and_grows() {
    block_on(async {
        let bench = Bench::new(&["aaaa", "bb"]).await;
        let told = RefCell::new(Vec::new());
        bench.drain_telling(&OPTIONS, &|progress| told.borrow_mut().push(progress)).await;
        let told = told.into_inner();
        let ids: Vec<String> =
            bench.spool.entries().expect("readable").into_iter().map(|entry| entry.id).collect();
        for (id, total) in ids.iter().zip([4, 2]) {
            let mine: Vec<&Progress> = told.iter().filter(|progress| progress.id == *id).collect();
            assert!(mine.iter().all(|progress| progress.total_bytes == total));
            assert!(mine.is_sorted_by_key(|progress| progress.sent_bytes), "{mine:?}");
            let last = mine.last().expect("progress");
            assert_eq!((last.phase, last.sent_bytes), (Phase::Done, total));
        }
    });
}

#[test]
fn the_last_seq_comes_back() {
    block_on(async {
        let bench = Bench::new(&["a"]).await;
        assert_eq!(bench.drain(&OPTIONS).await.last_seq(), Some(7));
        assert_eq!(bench.drain(&OPTIONS).await.last_seq(), None);
    });
}

#[tokio::test]
async fn a_held_bundle_is_passed_over_and_one_alone_leaves_alone() {
    let bench = Bench::new(&["one", "two", "three"]).await;
    let ids: Vec<String> = bench.spool.entries().expect("readable").into_iter().map(|e| e.id).collect();
    bench.spool.hold(&ids[0], "req-1").expect("held");
    let (portal, card) = (bench.double.portal(), bench.double.card());
    for (id, expected) in [(&ids[0], 0), (&ids[2], 1)] {
        let report = drain_one(&bench.spool, &portal, &bench.key, &card, id, &|_| ()).await.expect("a run");
        assert_eq!(report.bundles.len(), expected);
    }
    assert_eq!(bench.states(), ["waiting+sealed", "waiting+sealed", "done"]);
    assert_eq!(bench.drain(&OPTIONS).await.bundles.len(), 1);
    assert_eq!(bench.states(), ["waiting+sealed", "done", "done"]);
}
