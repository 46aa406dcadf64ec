//! The table of [`super`], line by line, against a portal that misbehaves to the byte.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use assay_bundle::receipt::ReceiptStatus;
use assay_bundle::sshsig::namespace;

use super::double::{Double, Fault, Inner};
use super::*;
use crate::TrustError;

/// Waits are milliseconds here; everything else is as in the product.
const POLICY: RetryPolicy = RetryPolicy {
    failures: 4,
    base: Duration::from_millis(1),
    cap: Duration::from_millis(4),
    longest_wait: Duration::from_secs(2),
    receipt_wait: Duration::from_millis(600),
};

const KIB: usize = 1024;

/// Bytes that differ from part to part.
fn bytes(size: usize) -> Vec<u8> {
    (0..size as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

struct Run {
    double: Double,
    key: SigningKey,
    file: tempfile::NamedTempFile,
    data: Vec<u8>,
    resume: Option<Resume>,
    policy: RetryPolicy,
    remembered: RefCell<Vec<u64>>,
}

impl Run {
    async fn new(size_kib: usize) -> Self {
        let key = SigningKey::generate().expect("random");
        let data = bytes(size_kib * KIB);
        let file = tempfile::NamedTempFile::new().expect("a temp file");
        std::fs::write(file.path(), &data).expect("writable");
        let double = Double::start(&key).await;
        Self { double, key, file, data, resume: None, policy: POLICY, remembered: RefCell::default() }
    }

    async fn upload(&self) -> Result<Sent, UploadError> {
        let portal = self.double.portal();
        let trust = Trust::from_card(&self.double.card()).expect("its own card");
        self.upload_to(&portal, &trust).await
    }

    async fn upload_to(&self, portal: &Portal, trust: &Trust) -> Result<Sent, UploadError> {
        let mut upload = Upload::of_file("1", self.file.path()).expect("readable");
        upload.resume = self.resume.clone();
        let mut remember = |resume: &Resume| {
            self.remembered.borrow_mut().push(resume.part_bytes / KIB as u64);
            Ok(())
        };
        upload_file(portal, &self.key, trust, &self.policy, &upload, &mut remember, &|_| ()).await
    }

    fn stored_once(&self) -> bool {
        let inner = self.double.inner();
        inner.uploads.len() == 1 && inner.uploads.values().all(|upload| upload.data == self.data)
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Uploads 4 MiB through the faults; it must arrive once and whole, by exactly these calls.
fn check(faults: &[(&'static str, Fault)], expected: &[&str]) {
    block_on(async {
        let run = Run::new(4 * KIB).await;
        run.double.inner().faults.extend(faults.iter().cloned());
        let sent = run.upload().await;
        assert!(matches!(sent, Ok(Sent::Receipt { .. })), "{faults:?}: {sent:?}");
        assert_eq!(run.double.take_log(), expected, "{faults:?}");
        assert!(run.stored_once(), "{faults:?}");
        assert!(run.double.inner().faults.is_empty(), "{faults:?}: not all met");
    });
}

/// Uploads through the faults; it must end with an error that says `piece`.
fn check_error(faults: &[(&'static str, Fault)], is: impl Fn(&UploadError) -> bool, piece: &str) {
    block_on(async {
        let run = Run::new(4 * KIB).await;
        run.double.inner().faults.extend(faults.iter().cloned());
        let error = run.upload().await.expect_err("an error");
        assert!(is(&error), "{faults:?}: {error:?}");
        let message = crate::portal::chain(&error);
        assert!(message.contains(piece), "{faults:?}: {message}");
    });
}

#[test]
fn a_good_line_gets_growing_parts() {
    check(&[], &["POST", "HEAD", "PATCH 0+1024", "PATCH 1024+2048", "PATCH 3072+1024", "GET"]);
}

#[test]
fn a_break_inside_a_part_halves_it() {
    let smaller = &[
        "POST",
        "HEAD",
        "PATCH 0+1024",
        "HEAD",
        "PATCH 0+512",
        "PATCH 512+512",
        "PATCH 1024+512",
        "PATCH 1536+512",
        "PATCH 2048+1024",
        "PATCH 3072+1024",
        "GET",
    ];
    check(&[("PATCH", Fault::Cut(300_000))], smaller);
    check(&[("PATCH", Fault::Cut(0))], smaller);
    check(&[("PATCH", Fault::Damage)], smaller);
    check(&[("PATCH", Fault::Answer(502, "", None))], smaller);
    check(&[("PATCH", Fault::Answer(413, "", None))], smaller);
}

#[test]
fn an_answer_that_was_lost_costs_nothing() {
    let log = &[
        "POST",
        "HEAD",
        "PATCH 0+1024",
        "HEAD",
        "PATCH 1024+512",
        "PATCH 1536+512",
        "PATCH 2048+512",
        "PATCH 2560+512",
        "PATCH 3072+1024",
        "GET",
    ];
    check(&[("PATCH", Fault::LoseAnswer)], log);
    let good = ["POST", "POST", "HEAD", "PATCH 0+1024", "PATCH 1024+2048", "PATCH 3072+1024", "GET"];
    check(&[("POST", Fault::LoseAnswer)], &good);
    check(&[("POST", Fault::Cut(0))], &good);
    check(&[("POST", Fault::Answer(503, "retry-after: 0\r\n", None))], &good);
    check(&[("POST", Fault::Answer(409, "", Some("replay")))], &good);
    check(&[("POST", Fault::Answer(401, "", Some("clock-skew")))], &good);
}

#[test]
fn a_conflict_asks_how_far() {
    let log =
        ["POST", "HEAD", "PATCH 0+1024", "HEAD", "PATCH 0+1024", "PATCH 1024+2048", "PATCH 3072+1024", "GET"];
    check(&[("PATCH", Fault::Answer(409, "", Some("offset")))], &log);
    check(&[("PATCH", Fault::Answer(423, "", None))], &log);
    check(&[("PATCH", Fault::Answer(503, "retry-after: 1\r\n", None))], &log);
}

#[test]
fn an_upload_that_vanished_is_begun_again() {
    let log = [
        "POST",
        "HEAD",
        "PATCH 0+1024",
        "POST",
        "HEAD",
        "PATCH 0+1024",
        "PATCH 1024+2048",
        "PATCH 3072+1024",
        "GET",
    ];
    check(&[("PATCH", Fault::Forget)], &log);
    check(&[("PATCH", Fault::Answer(410, "", Some("expired")))], &log);
    // Where everything had arrived already; the part size has grown by then.
    let at_the_end = [
        "POST",
        "HEAD",
        "PATCH 0+1024",
        "PATCH 1024+2048",
        "PATCH 3072+1024",
        "GET",
        "POST",
        "HEAD",
        "PATCH 0+4096",
        "GET",
    ];
    check(&[("GET", Fault::Forget)], &at_the_end);
}

#[test]
fn a_silent_portal_is_left() {
    block_on(async {
        let run = Run::new(256).await;
        run.double.inner().faults.push_back(("PATCH", Fault::Silence(Duration::from_secs(600))));
        let mut portal = run.double.portal();
        portal.set_idle_timeout(Duration::from_millis(100));
        let trust = Trust::from_card(&run.double.card()).expect("its own card");
        let sent = run.upload_to(&portal, &trust).await;
        assert!(matches!(sent, Ok(Sent::Receipt { .. })), "{sent:?}");
        assert!(run.stored_once());
    });
}

#[test]
fn refusals_end_it() {
    let refused = |error: &UploadError| matches!(error, UploadError::Refused(_));
    check_error(
        &[("POST", Fault::Answer(413, "", Some("too-large")))],
        refused,
        "problem too-large; do this",
    );
    check_error(&[("PATCH", Fault::Answer(422, "", Some("not-a-bundle")))], refused, "problem not-a-bundle");
    let stopped = |error: &UploadError| matches!(error, UploadError::Stopped(_));
    check_error(&[("POST", Fault::Answer(401, "", Some("unknown-key")))], stopped, "problem unknown-key");
    check_error(
        &[("POST", Fault::Answer(302, "location: https://evil/\r\n", None))],
        stopped,
        "https://evil/",
    );
    check_error(&[("POST", Fault::Answer(200, "", None))], stopped, "without the path of an upload");
    let elsewhere = "location: https://evil.example/api/v1/uploads/1\r\n";
    check_error(&[("POST", Fault::Answer(201, elsewhere, None))], stopped, "without the path of an upload");
    check_error(&[("POST", Fault::Answer(200, "x: y\r\n", Some("login page")))], stopped, "without the path");
    // Without a body there is no reason; the reason is asked for by creating again.
    let asks =
        [("HEAD", Fault::Answer(401, "", None)), ("POST", Fault::Answer(401, "", Some("unknown-key")))];
    check_error(&asks, stopped, "problem unknown-key");
}

#[test]
fn patience_ends() {
    let gave_up = |error: &UploadError| matches!(error, UploadError::GaveUp { failures: 4, .. });
    let busy = ("PATCH", Fault::Answer(503, "", None));
    check_error(&[busy.clone(), busy.clone(), busy.clone(), busy], gave_up, "0 of 4194304 bytes");
    let long = |error: &UploadError| matches!(error, UploadError::GaveUp { failures: 1, wait, .. } if wait.as_secs() >= 3_600);
    check_error(&[("POST", Fault::Answer(429, "retry-after: 3600\r\n", None))], long, "status 429");
    let gone = ("HEAD", Fault::Answer(404, "", None));
    let any = |error: &UploadError| matches!(error, UploadError::GaveUp { .. });
    check_error(&[gone.clone(), gone.clone(), gone.clone(), gone], any, "the next `assay upload` goes on");
}

#[test]
fn a_portal_that_is_not_there() {
    block_on(async {
        let run = Run::new(64).await;
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = nobody.local_addr().expect("bound");
        drop(nobody);
        let portal = Portal::plain_for_tests(address, crate::system_now());
        let trust = Trust::from_card(&run.double.card()).expect("its own card");
        let error = run.upload_to(&portal, &trust).await.expect_err("nothing listens there");
        let message = crate::portal::chain(&error);
        assert!(message.contains("nothing listens there"), "{message}");
        assert!(matches!(error, UploadError::GaveUp { failures: 4, .. }), "{error:?}");
    });
}

#[test]
fn a_run_goes_on_where_the_last_one_was_killed() {
    block_on(async {
        let mut run = Run::new(4 * KIB).await;
        for _ in 0..4 {
            run.double.inner().faults.push_back(("PATCH", Fault::Cut(1_000)));
        }
        // The first part broke; what is remembered before each part is half of it, until there is no smaller one.
        let cut = run.upload().await;
        assert!(matches!(cut, Err(UploadError::GaveUp { .. })), "{cut:?}");
        assert_eq!(run.remembered.take(), [512, 256, 128, 64]);
        run.double.take_log();
        run.resume = Some(Resume { url: "/api/v1/uploads/1".to_owned(), part_bytes: 256 * 1024 });
        assert!(matches!(run.upload().await, Ok(Sent::Receipt { .. })));
        let log = run.double.take_log();
        assert_eq!(log[..4], ["HEAD", "PATCH 0+256", "PATCH 256+512", "PATCH 768+1024"]);
        assert!(run.stored_once());
        // Once more after it is complete: only questions.
        assert!(matches!(run.upload().await, Ok(Sent::Receipt { .. })));
        assert_eq!(run.double.take_log(), ["HEAD", "GET"]);
    });
}

#[test]
fn clocks_that_differ_by_decades() {
    for ahead_s in [3_600, -3_600, 10 * 365 * 86_400, -20 * 365 * 86_400] {
        for resume in [None, Some(Resume { url: "/api/v1/uploads/9".to_owned(), part_bytes: 65_536 })] {
            block_on(async {
                let mut run = Run::new(64).await;
                run.resume = resume.clone();
                run.double.inner().ahead_s = ahead_s;
                let sent = run.upload().await;
                assert!(matches!(sent, Ok(Sent::Receipt { .. })), "{ahead_s} {resume:?}: {sent:?}");
                let log = run.double.take_log();
                let posts = log.iter().filter(|call| *call == "POST").count();
                assert_eq!(posts, 2, "{log:?}");
            });
        }
    }
}

/// A receipt that `spoil` made unbelievable.
fn check_receipt(spoil: impl FnOnce(&mut Inner), expected: fn(&TrustError) -> bool) {
    block_on(async {
        let run = Run::new(64).await;
        let trust = Trust::from_card(&run.double.card()).expect("its own card");
        spoil(&mut run.double.inner());
        match run.upload_to(&run.double.portal(), &trust).await {
            Err(UploadError::Stopped(PortalError::Trust(error))) => assert!(expected(&error), "{error:?}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn receipts_that_are_not_believed() {
    let new_key = || SigningKey::generate().expect("random");
    check_receipt(
        |portal| portal.receipt_sha256 = Some("00".repeat(32)),
        |e| matches!(e, TrustError::OtherBundle { .. }),
    );
    check_receipt(
        |portal| portal.receipt_namespace = namespace::REQUEST,
        |e| matches!(e, TrustError::Receipt(_)),
    );
    // Another key signs, and the card does not know it.
    check_receipt(
        |portal| {
            portal.card_online = Some(portal.online.public().to_openssh());
            portal.online = new_key();
        },
        |e| matches!(e, TrustError::Receipt(_)),
    );
    // Another key signs and another root vouches for it.
    check_receipt(
        |portal| (portal.root, portal.online) = (new_key(), new_key()),
        |e| matches!(e, TrustError::Root),
    );
}

#[test]
fn a_newer_online_key_counts_when_the_pinned_root_signed_it() {
    block_on(async {
        let run = Run::new(64).await;
        let trust = Trust::from_card(&run.double.card()).expect("its own card");
        run.double.inner().online = SigningKey::generate().expect("random");
        let sent = run.upload_to(&run.double.portal(), &trust).await;
        assert!(matches!(sent, Ok(Sent::Receipt { .. })), "{sent:?}");
    });
}

#[test]
fn a_signed_refusal_is_a_receipt_and_a_slow_portal_is_asked_later() {
    block_on(async {
        let run = Run::new(64).await;
        run.double.inner().pending = 2;
        run.double.inner().status = ReceiptStatus::Refused;
        let sent = run.upload().await;
        let Ok(Sent::Receipt { receipt, .. }) = &sent else { panic!("{sent:?}") };
        assert_eq!((receipt.status, receipt.reason.as_str()), (ReceiptStatus::Refused, "no bundle of ours"));
        assert_eq!(run.double.take_log(), ["POST", "HEAD", "PATCH 0+64", "GET", "GET", "GET"]);
        run.double.inner().pending = u32::MAX;
        let sent = run.upload().await;
        assert!(matches!(sent, Ok(Sent::StillReading { .. })), "{sent:?}");
    });
}

#[test]
fn a_file_that_changed_or_went_is_not_sent() {
    block_on(async {
        let run = Run::new(64).await;
        let (portal, card) = (run.double.portal(), run.double.card());
        let trust = Trust::from_card(&card).expect("its own card");
        let mut upload = Upload::of_file("1", run.file.path()).expect("readable");
        upload.sha256 = "00".repeat(32);
        let missing = Upload { path: &PathBuf::from("/nonexistent"), ..upload.clone() };
        for (upload, piece) in [(upload, "changed on disk"), (missing, "cannot read the bundle")] {
            let result =
                upload_file(&portal, &run.key, &trust, &POLICY, &upload, &mut |_| Ok(()), &|_| ()).await;
            let message = result.expect_err("not sent").to_string();
            assert!(message.contains(piece), "{message}");
        }
        assert!(run.double.take_log().is_empty());
    });
}

/// Every connection is cut after `cut` bytes of bodies, whether it carries several parts or one.
fn check_cutting_line(cut: usize, one_part_each: bool) {
    block_on(async {
        let mut run = Run::new(8 * KIB).await;
        run.policy.failures = RetryPolicy::default().failures;
        run.double.inner().cut_each_connection = Some(cut);
        run.double.inner().one_part_each = one_part_each;
        let sent = run.upload().await;
        assert!(matches!(sent, Ok(Sent::Receipt { .. })), "{sent:?}");
        assert!(run.stored_once());
        let (sent_bytes, bytes) = (run.double.inner().body_bytes, run.data.len());
        assert!(sent_bytes <= 2 * bytes, "{cut} {one_part_each}: {sent_bytes} bytes were sent for {bytes}");
    });
}

#[test]
fn a_line_that_always_cuts_costs_less_than_the_bundle_again() {
    for cut in [66_000, 100_000, 300_000, 530_000] {
        check_cutting_line(cut, false);
        check_cutting_line(cut, true);
    }
}

#[test]
fn a_volume_that_remembers_nothing_does_not_keep_a_bundle() {
    block_on(async {
        let run = Run::new(64).await;
        let (portal, trust) =
            (run.double.portal(), Trust::from_card(&run.double.card()).expect("its own card"));
        let upload = Upload::of_file("1", run.file.path()).expect("readable");
        let mut remember = |_: &Resume| {
            Err(SpoolError::DiskFull { path: PathBuf::new(), source: io::ErrorKind::StorageFull.into() })
        };
        let sent = upload_file(&portal, &run.key, &trust, &POLICY, &upload, &mut remember, &|_| ()).await;
        assert!(matches!(sent, Ok(Sent::Receipt { .. })), "{sent:?}");
        assert!(run.stored_once());
    });
}
