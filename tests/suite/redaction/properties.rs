//! Whatever the text: cleaning twice changes nothing, every way in agrees, and the time grows with the length.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{door, every_way};
use crate::support::{Rng, replay};

/// Pieces that rules look at, in any order and glued in any way.
const PIECES: &[&str] = &[
    "password",
    "pass",
    "pw",
    "secret",
    "token",
    "user",
    "host",
    "share name",
    "sid",
    "auth",
    "snmp community",
    "PSK",
    "mac",
    "=",
    ": ",
    " = ",
    "\"",
    "'",
    "\\\"",
    ", ",
    ";",
    "&",
    " ",
    "  ",
    "\t",
    "\\",
    "<",
    ">",
    "/",
    "@",
    "://",
    "//",
    ".",
    "-",
    "{",
    "}",
    "bob",
    "hunter2",
    "s3cret",
    "nas",
    "qnap-office",
    "example.com",
    "smith.de",
    "co.uk",
    "local",
    "x.xlsx",
    "/share/",
    "/home/",
    "/share/CACHEDEV1_DATA/",
    "https://",
    "Authorization: ",
    "Bearer ",
    "Basic ",
    "Cookie: ",
    "10.1.2.3",
    "192.168.1.255",
    "4.5.2.15",
    "version ",
    "24:5e:be:12:34:56",
    "24-5E-BE-12-34-56",
    ":50:01:4e:e2:b9:a4:b3:c1",
    "fd00:1234::5",
    "fe80::1",
    "0000:03:00.0",
    "$6$salt$abcdefghijkl",
    "eyJhbGciOi.eyJzdWIi.abc",
    "AGE-SECRET-KEY-1ABC",
    "[redacted:password]",
    "[redacted:",
    "]",
    "host-7k3m9q2x",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "\n",
    "ä",
    "日本",
    "\u{202e}",
    "0",
    "12:34:56",
    "is ",
    "for ",
    "--",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(str::to_owned),
        2 => "[ -~]{0,12}",
        1 => "[a-f0-9:.]{1,24}",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// How many texts are tried; `ASSAY_CASES` asks for a long run.
fn cases() -> u32 {
    std::env::var("ASSAY_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000)
}

fn check(name: &str, property: impl Fn(&String) -> Result<(), TestCaseError>) {
    let mut seed = [0; 32];
    seed.iter_mut().zip(Rng::new(2).bytes(32)).for_each(|(to, from)| *to = from);
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    if let Err(failure) = runner.run(&text(), |text| property(&text)) {
        panic!("{failure}\n{}", replay(name));
    }
}

#[test]
fn cleaning_twice_changes_nothing() {
    let door = std::cell::RefCell::new(door());
    check("redaction::properties::cleaning_twice_changes_nothing", |text| {
        let once = door.borrow_mut().text(text);
        let twice = door.borrow_mut().text(&once);
        prop_assert_eq!(twice, once);
        Ok(())
    });
}

#[test]
fn every_way_in_agrees() {
    let door = std::cell::RefCell::new(door());
    check("redaction::properties::every_way_in_agrees", |text| {
        // A record of the log is one line; the header before the text is the only difference.
        let line = text.replace('\n', " ");
        let line = line.trim_end();
        let ways = every_way(&mut door.borrow_mut(), line);
        for (way, clean) in &ways {
            prop_assert_eq!(clean.trim_end(), ways[0].1.trim_end(), "{}", way);
        }
        Ok(())
    });
}

#[test]
fn json_stays_json_and_keeps_its_shape() {
    fn shape(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Array(list) => list.iter().map(shape).collect(),
            serde_json::Value::Object(map) => map.iter().map(|(_, v)| shape(v)).collect::<Vec<_>>().into(),
            serde_json::Value::String(_) => "".into(),
            other => other.clone(),
        }
    }
    let door = std::cell::RefCell::new(door());
    check("redaction::properties::json_stays_json_and_keeps_its_shape", |text| {
        let before =
            serde_json::json!({ "n": 1.50, "list": [text, null, true, { "v": text }], "e": [], "t": text });
        let (clean, after) = door
            .borrow_mut()
            .document("x.json", before.clone())
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(shape(&before), shape(&after));
        let (again, _) =
            door.borrow_mut().document("x.json", after).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(again.bytes(), clean.bytes());
        Ok(())
    });
}

/// Text that makes careless rules quadratic: openings without ends.
#[test]
fn time_grows_with_the_length_only() {
    /// Generous: an unoptimised build on a busy machine. A quadratic rule takes hours.
    const CEILING: Duration = Duration::from_secs(120);
    const SIZE: usize = 1 << 18;
    let start = Instant::now();
    for piece in [
        "password=\"",
        "a.com",
        "user@",
        "/share/a b ",
        "-----BEGIN PRIVATE KEY",
        "://a:",
        "24:5e:",
        "x",
        "sid=",
        "\\\"password\\\":\\\"",
        ":",
    ] {
        let line = piece.repeat(SIZE / piece.len());
        let (_, clean) = door().document("x.json", line).expect("a document");
        assert!(clean.len() <= 8 * SIZE, "{piece:?} grew to {}", clean.len());
        assert!(start.elapsed() < CEILING, "{piece:?} is not linear");
    }
    println!("{:?}", start.elapsed());
}

/// The log that the benchmark measures holds what must survive, and it does: every serial number, world wide name and
/// array stands as often as before, and no address does.
#[test]
fn a_long_kernel_log_keeps_its_evidence() {
    use super::kernel_log::{DRIVES, array, drive, write};
    let mut rng = Rng::new(11);
    let log = write(1 << 20, &mut |bound| rng.below(bound));
    let clean = door().text(&log);
    for n in 0..DRIVES {
        let (serial, wwn) = drive(n);
        for value in [serial, wwn, array(n)] {
            let times = log.matches(value.as_str()).count();
            assert!(times > 0, "{value} is not in the log");
            assert_eq!(clean.matches(value.as_str()).count(), times, "{value}");
        }
    }
    assert_eq!(log.lines().count(), clean.lines().count());
    assert!(!clean.contains("192.168.1.") && log.contains("192.168.1."));
}
