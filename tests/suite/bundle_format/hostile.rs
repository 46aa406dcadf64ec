//! Bundles that are wrong in one way each. All are signed by an enrolled key: a device may be somebody else's by now.

use assay_bundle::archive::ArchiveError;
use serde_json::{Value, json};

use super::forge::{self, Entry, bundle, file, inner, inner_listed, list, special, tar};
use super::{open, open_with, small_bundle, walk_at_once};
use crate::support::{Rng, replay};

/// The error with its chain, as a person sees it.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Refused with these words, whether digests are looked at first or last.
fn check(what: &str, file: &[u8], expected: &str) {
    for found in [open(file).map(drop), walk_at_once(file).map(drop)] {
        let found = found.map_or_else(|e| words(&e), |()| "accepted".to_owned());
        assert!(found.contains(expected), "{what}: {found:?}, not {expected:?}");
    }
}

fn keep(_: &mut Value) {}

fn honest() -> Vec<Entry> {
    vec![file("facts.json", b"{}"), file("raw/proc/mdstat", b"unused devices: <none>\n")]
}

#[test]
fn a_bundle_made_by_hand_is_read() {
    let (_, kept, listed) = open(&bundle(&inner(&honest()), keep)).expect("it follows FORMAT.md");
    assert_eq!(listed.len(), 2);
    assert_eq!(kept.0["facts.json"], b"{}");
}

#[test]
fn names_that_lead_astray() {
    let long = "x".repeat(256);
    for (name, expected) in [
        ("../etc/passwd", "component . or .."),
        ("raw/../../x", "component . or .."),
        ("/etc/passwd", "absolute"),
        ("raw\\..\\x", "backslash"),
        ("raw//x", "empty component"),
        ("raw/\u{1b}]0;x", "control character"),
        ("", "it is empty"),
    ] {
        check(name, &bundle(&inner(&[file(name, b"x")]), keep), expected);
    }
    // The list may lie about a name as well as the header.
    let good = [file("raw/x", b"x")];
    let lying = json!({"entries": [{"name": "../x", "size_bytes": 1, "sha256": "0"}]});
    check("a list", &bundle(&inner_listed(&lying, &good), keep), "component . or ..");
    let announced = Entry { kind: b'L', ..file("././@LongLink", format!("{long}\0").as_bytes()) };
    let files = [announced, file(&long, b"x")];
    check("a name of 256 bytes", &bundle(&inner_listed(&list(&good), &files), keep), "101 to 255");
    let announced =
        Entry { kind: b'L', ..file("././@LongLink", format!("/{}\0", "x".repeat(150)).as_bytes()) };
    let files = [announced, file(&format!("/{}", "x".repeat(150)), b"x")];
    check("a long absolute name", &bundle(&inner_listed(&list(&good), &files), keep), "absolute");
}

#[test]
fn entries_that_are_not_files() {
    let listed = list(&[file("raw/x", b"")]);
    for (kind, expected) in [
        (b'1', "a link"),
        (b'2', "a link"),
        (b'3', "a device"),
        (b'4', "a device"),
        (b'5', "a folder"),
        (b'6', "a device or a pipe"),
        (b'S', "a sparse file"),
        (b'x', "a PAX record"),
        (b'g', "a PAX record"),
        (b'K', "a long link"),
        (b'7', "not a plain file"),
        (0, "not a plain file"),
    ] {
        let entry = special("raw/x", kind, "/etc/passwd");
        check(expected, &bundle(&inner_listed(&listed, &[entry]), keep), expected);
    }
    // A plain file that names a link target, and a PAX record that would change the size of what follows.
    let linked = special("raw/x", b'0', "/etc/passwd");
    check("a target", &bundle(&inner_listed(&listed, &[linked]), keep), "a link, or not of plain GNU tar");
    let pax = Entry { kind: b'x', ..file("pax", b"12 size=4096\n") };
    let files = [pax, file("raw/x", b"")];
    check("pax", &bundle(&inner_listed(&listed, &files), keep), "a PAX record");
    // The same in the outer file.
    let mut entries = forge::outer(&inner(&honest()), keep);
    entries[2].kind = b'2';
    check("an outer link", &tar(&entries), "a link");
}

#[test]
fn lists_that_do_not_fit() {
    let (a, b) = (file("raw/a", b"a"), file("raw/b", b"b"));
    let both = list(&[a.clone(), b.clone()]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("duplicate", inner(&[a.clone(), a.clone()]), "another entry has this name"),
        ("case", inner(&[file("raw/A", b""), file("raw/a", b"")]), "in other case"),
        ("file and folder", inner(&[file("raw/a", b""), file("raw/a/b", b"")]), "a folder in it is an entry"),
        ("missing", inner_listed(&both, std::slice::from_ref(&a)), "is listed and missing"),
        ("extra", inner_listed(&list(std::slice::from_ref(&a)), &[a.clone(), b.clone()]), "is not listed"),
        ("order", inner_listed(&both, &[b.clone(), a.clone()]), "stands where"),
        (
            "content",
            inner_listed(&list(&[file("raw/a", b"x")]), std::slice::from_ref(&a)),
            "raw/a does not match",
        ),
        ("size", inner_listed(&list(&[file("raw/a", b"aa")]), std::slice::from_ref(&a)), "the size of raw/a"),
        ("lists itself", inner(&[file("entries.json", b"")]), "does not list itself"),
        ("no list", tar(std::slice::from_ref(&a)), "not entries.json"),
        ("no end", inner(&[])[..1024].to_vec(), "ends too early"),
        ("empty", Vec::new(), "ends too early"),
        ("not JSON", tar(&[file("entries.json", b"{")]), "not a list of entries"),
        ("not a list", tar(&[file("entries.json", b"{\"entries\":1}")]), "not a list of entries"),
        (
            "no digest",
            tar(&[file("entries.json", b"{\"entries\":[{\"name\":\"a\"}]}")]),
            "not a list of entries",
        ),
        ("trailing bytes", [inner(&[]), b"x".to_vec()].concat(), "behind the end"),
        ("much padding", [inner(&[]), vec![0; 20_000]].concat(), "behind the end"),
    ];
    for (what, inner, expected) in cases {
        check(what, &bundle(&inner, keep), expected);
    }
}

#[test]
fn more_than_the_limits() {
    let zeros = vec![0; 80 << 20];
    check(
        "a bomb",
        &bundle(&inner(&[file("raw/a", &zeros)]), keep),
        "the compression ratio is over the limit",
    );
    // A window beyond 2^27 would have to be held in memory, whatever is in it.
    let honest_inner = inner(&honest());
    for (arguments, expected) in [(["-3", "--long=27"], "accepted"), (["-3", "--long=28"], "does not open")] {
        let payload = forge::zstd(&honest_inner, &arguments);
        check(arguments[1], &tar(&forge::outer_of(&payload, &honest_inner, keep)), expected);
    }
    let large = bundle(&inner(&honest()), |m| m["payload"]["inner"]["size_bytes"] = json!(1_u64 << 40));
    check("announces a terabyte", &large, "the unpacked size is over the limit");
    let short = bundle(&inner(&honest()), |m| m["payload"]["inner"]["size_bytes"] = json!(512));
    check("announces less than it has", &short, "the size of the inner tar does not match");
    let many: Vec<Value> =
        (0..50_001).map(|i| json!({"name": format!("raw/{i}"), "size_bytes": 0, "sha256": ""})).collect();
    let many = inner_listed(&json!({ "entries": many }), &[]);
    check("too many entries", &bundle(&many, keep), "the number of entries is over the limit of 50000");
    let listed = json!({"entries": [{"name": "raw/a", "size_bytes": 1_u64 << 40, "sha256": ""}]});
    check(
        "a large entry",
        &bundle(&inner_listed(&listed, &[]), keep),
        "the size of an entry is over the limit",
    );
    let long = bundle(&inner(&honest()), |m| m["note"] = "x".repeat(300_000).into());
    check("a long manifest", &long, "manifest.json is over the limit of 262144");
    let mut entries = forge::outer(&inner(&honest()), keep);
    entries[1].bytes.resize(5000, b'\n');
    check("a long signature", &tar(&entries), "manifest.json.sig is over the limit of 4096");
}

#[test]
fn outer_files_that_are_not_three_entries() {
    let good = forge::outer(&inner(&honest()), keep);
    let with = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = good.clone();
        change(&mut entries);
        tar(&entries)
    };
    check("a fourth", &with(&|e| e.push(file("x", b"x"))), "follows the payload");
    check("a second payload", &with(&|e| e.push(e[2].clone())), "follows the payload");
    check("signature first", &with(&|e| e.swap(0, 1)), "stands in the place of manifest.json");
    check("payload second", &with(&|e| e.swap(1, 2)), "stands in the place of manifest.json.sig");
    check("no signature", &with(&|e| drop(e.remove(1))), "stands in the place of manifest.json.sig");
    check("no payload", &with(&|e| drop(e.remove(2))), "it has no payload");
    check("no manifest", &with(&|e| drop(e.remove(0))), "stands in the place of manifest.json");
    check("nothing", &tar(&[]), "it has no manifest.json");
    check(
        "another name",
        &with(&|e| e[2].name = b"payload.tar.gz".to_vec()),
        "stands in the place of the payload",
    );
    check("trailing bytes", &[with(&|_| {}), b"x".to_vec()].concat(), "behind the end");
    check("trailing bundle", &[with(&|_| {}), with(&|_| {})].concat(), "behind the end");
    check("a text", b"hello", "cut short");
    check("a photograph", &Rng::new(2).bytes(4096), "not an Assay bundle");
    check("a zip", &[b"PK\x03\x04".to_vec(), vec![0; 2048]].concat(), "not an Assay bundle");
    let sealed = with(&|e| e[2].name = b"payload.tar.zst.age".to_vec());
    check("a form that is not named", &sealed, "the manifest names no such form");
}

#[test]
fn manifests_that_do_not_fit() {
    let inner = inner(&honest());
    let edited = |edit: fn(&mut Value)| bundle(&inner, edit);
    check(
        "digest",
        &edited(|m| m["payload"]["plain"]["sha256"] = "0".repeat(64).into()),
        "the payload does not match",
    );
    check(
        "inner digest",
        &edited(|m| m["payload"]["inner"]["sha256"] = "0".repeat(64).into()),
        "the inner tar",
    );
    check("size", &edited(|m| m["payload"]["plain"]["size_bytes"] = json!(7)), "the size of the payload");
    check("newer", &edited(|m| *m = json!({"format": 2})), "bundle format 2 is newer");
    check("no version", &edited(|m| *m = json!({})), "is not a manifest");
    check("version 0", &edited(|m| m["format"] = json!(0)), "does not exist");
    check(
        "half of it",
        &edited(|m| drop(m.as_object_mut().and_then(|o| o.remove("seq")))),
        "is not a manifest",
    );
    check("another key's", &edited(|m| m["device"]["key_id"] = "SHA256:x".into()), "signed by key SHA256:x");
    check(
        "a live signature over a recorded run",
        &edited(|m| m["source"] = "recorded".into()),
        "signed under namespace \"assay-bundle\", not \"assay-replay\"",
    );
    let mut swapped = forge::outer(&inner, keep);
    swapped[1].bytes = forge::outer(&inner, |m| m["seq"] = json!(8))[1].bytes.clone();
    check("another manifest's signature", &tar(&swapped), "they were changed after signing");
    swapped[1].bytes = b"\xff".to_vec();
    check("not text", &tar(&swapped), "not an SSH signature");
    let other = assay_bundle::keys::SigningKey::generate().expect("randomness").public();
    let found = open_with(&bundle(&inner, keep), &other, None).map(drop);
    assert!(matches!(found, Err(ArchiveError::Signature(_))), "{found:?}");
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = small_bundle();
    let mut rng = Rng::new(3);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << rng.below(8);
        let (one, two) = (open(&bad), walk_at_once(&bad));
        assert!(
            one.is_err() && two.is_err(),
            "byte {at} of {}: {}",
            good.len(),
            replay("bundle_format::hostile")
        );
    }
}

#[test]
fn every_cut_is_noticed() {
    let good = small_bundle();
    for length in 0..good.len() {
        let cut = &good[..length];
        let found = open(cut).map(drop).and(walk_at_once(cut).map(drop));
        assert!(
            matches!(found, Err(ArchiveError::Truncated(_))),
            "cut to {length} of {}: {found:?}",
            good.len()
        );
    }
    let mut rng = Rng::new(4);
    for _ in 0..200 {
        let (one, two) = (rng.below(good.len() as u64) as usize, rng.below(good.len() as u64) as usize);
        let (from, to) = (one.min(two), one.max(two));
        let hole = [&good[..from], &good[to..]].concat();
        assert!(from == to || open(&hole).is_err(), "{from}..{to}: {}", replay("bundle_format::hostile"));
    }
}
