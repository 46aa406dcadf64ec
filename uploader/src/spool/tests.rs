//! What is on disk after a crash at each step, and who may be removed to make room.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assay_bundle::receipt::SignedReceipt;

use super::*;

const ROOMY: SpoolLimits = SpoolLimits { bytes: 1 << 20, bundles: 8 };

fn about(seq: u64) -> SpoolEntry {
    SpoolEntry { seq, reason: "asked".to_owned(), created_unix_s: 1_000, held_for: None }
}

fn put(spool: &Spool, seq: u64, plain: &[u8], sealed: &[u8]) -> Result<Entry, SpoolError> {
    let slot = spool.begin()?;
    for (path, bytes) in [(slot.plain_path(), plain), (slot.sealed_path(), sealed)] {
        if !bytes.is_empty() {
            fs::write(path, bytes).expect("the slot is a folder of ours");
        }
    }
    fs::write(slot.scratch_dir().join("x"), "scratch").expect("the scratch folder is there");
    slot.commit(about(seq))
}

fn receipt() -> SignedReceipt {
    SignedReceipt { receipt: "{}".to_owned(), signature: "signature".to_owned() }
}

fn finish(spool: &Spool, entry: &Entry) {
    spool
        .accepted(&entry.id, |meta| meta.state = State::Done { receipt: receipt() })
        .expect("a disk that works");
}

/// Names in the spool without locks, entries shortened to their number.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .expect("the spool is there")
        .map(|item| item.expect("an item").file_name().into_string().expect("our names are ASCII"))
        .filter(|name| !name.ends_with("lock"))
        .map(|name| if name.starts_with('.') { name } else { name[..8].to_owned() })
        .collect();
    names.sort();
    names
}

/// `seq:state:forms` of each entry.
fn listing(spool: &Spool) -> Vec<String> {
    let word = |state: &State| match state {
        State::Waiting => "waiting",
        State::Uploading { .. } => "uploading",
        State::Done { .. } => "done",
        State::Refused { .. } => "refused",
    };
    let forms = |entry: &Entry| {
        format!(
            "{}{}",
            if entry.plain.is_some() { "p" } else { "" },
            if entry.sealed.is_some() { "s" } else { "" }
        )
    };
    let entries = spool.entries().expect("a readable spool");
    entries.iter().map(|e| format!("{}:{}:{}", e.meta.seq, word(&e.meta.state), forms(e))).collect()
}

#[test]
fn an_entry_keeps_both_forms_and_its_state_over_a_restart() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(&dir.path().join("spool"), ROOMY).expect("a new spool");
    let entry = put(&spool, 7, b"plain", b"abc").expect("room");
    assert_eq!(entry.meta.sha256_sealed.as_deref(), Some(&*assay_bundle::digest::sha256_hex(b"abc")));
    assert_eq!(entry.meta.size_sealed_bytes, Some(3));
    let state = State::Uploading { url: "/api/v1/uploads/1".to_owned(), part_bytes: 65_536 };
    spool.update(&entry.id, |meta| meta.state = state.clone()).expect("a disk that works");

    let again = Spool::open(spool.dir(), ROOMY).expect("the same spool");
    let found = again.entry(&entry.id).expect("the entry");
    assert_eq!(found.meta.state, state);
    assert_eq!(fs::read(found.plain.expect("a plain form")).expect("readable"), b"plain");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&found.sealed.expect("a sealed form")), 0o600);
    assert_eq!(mode(spool.dir()), 0o700);
    assert_eq!(names(spool.dir()), ["00000001"]);
}

#[test]
fn a_dropped_slot_leaves_nothing_and_a_living_one_is_left_alone() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let slot = spool.begin().expect("room");
    fs::write(slot.plain_path(), "half").expect("writable");
    let other = Spool::open(dir.path(), ROOMY).expect("a second process");
    assert!(slot.plain_path().is_file(), "swept a living writer");
    drop(slot);
    assert!(names(dir.path()).is_empty());
    let empty = other.begin().expect("room").commit(about(1));
    assert!(matches!(empty, Err(SpoolError::NothingWritten { .. })));
    assert!(names(dir.path()).is_empty());
}

/// Puts one entry into the spool, lets `crash` leave what a crash would, opens again and lists.
fn check_crash(crash: impl FnOnce(&Path, &Path), expected: &[&str]) {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let entry = put(&spool, 1, b"plain", b"sealed").expect("room");
    crash(dir.path(), &dir.path().join(&entry.id));
    let spool = Spool::open(dir.path(), ROOMY).expect("a spool after a crash");
    assert_eq!(listing(&spool), expected);
    assert_eq!(names(dir.path()).len(), expected.len(), "{:?}", names(dir.path()));
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("writable");
}

#[test]
fn crash_points() {
    // While the bundle is written.
    check_crash(
        |spool, _| {
            fs::create_dir_all(spool.join(".tmp-1/scratch")).expect("a folder");
            write(&spool.join(".tmp-1/plain.assay"), b"ha");
        },
        &["1:waiting:ps"],
    );
    // After everything was written and before the rename.
    check_crash(
        |spool, entry| {
            fs::create_dir(spool.join(".tmp-2")).expect("a folder");
            for name in ["plain.assay", "sealed.assay", "entry.json"] {
                fs::copy(entry.join(name), spool.join(".tmp-2").join(name)).expect("a copy");
            }
        },
        &["1:waiting:ps"],
    );
    // While the state was replaced.
    check_crash(|_, entry| write(&entry.join(".entry.json.new"), b"{\"seq\":"), &["1:waiting:ps"]);
    // A state that the disk ate: rebuilt from the files, seq unknown.
    check_crash(|_, entry| write(&entry.join("entry.json"), b""), &["0:waiting:ps"]);
    check_crash(|_, entry| fs::remove_file(entry.join("entry.json")).expect("there"), &["0:waiting:ps"]);
    // A new sealed form that was moved in and not yet named.
    check_crash(|_, entry| write(&entry.join("sealed-00000000.assay"), b"new"), &["1:waiting:ps"]);
    // While an entry was removed.
    check_crash(|spool, entry| fs::rename(entry, spool.join(".tmp-3")).expect("renamed"), &[]);
}

#[test]
fn a_rebuilt_state_can_be_sent_and_says_why() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let entry = put(&spool, 1, b"", b"abc").expect("room");
    write(&dir.path().join(&entry.id).join("entry.json"), b"{}");
    let found = spool.entry(&entry.id).expect("rebuilt");
    assert_eq!(found.meta.sha256_sealed, entry.meta.sha256_sealed);
    assert!(found.meta.last_error.is_some_and(|why| why.contains("unreadable")));
}

#[test]
fn after_acceptance_the_sealed_form_goes_even_when_the_removal_was_interrupted() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let entry = put(&spool, 1, b"plain", b"sealed").expect("room");
    finish(&spool, &entry);
    assert_eq!(listing(&spool), ["1:done:p"]);
    let orphan = dir.path().join(&entry.id).join("sealed.assay");
    write(&orphan, b"sealed");
    let spool = Spool::open(dir.path(), ROOMY).expect("the same spool");
    assert!(!orphan.exists());
    assert_eq!(listing(&spool), ["1:done:p"]);
}

#[test]
fn a_new_sealed_form_replaces_the_old_one_and_waits() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let entry = put(&spool, 1, b"plain", b"for an old recipient").expect("room");
    spool
        .update(&entry.id, |meta| meta.state = State::Refused { reason: "old".to_owned(), receipt: None })
        .expect("a disk that works");
    let slot = spool.begin().expect("room");
    let file = slot.scratch_dir().join("new");
    write(&file, b"new");
    let found = spool.put_sealed(&entry.id, &file).expect("moved");
    assert_eq!(found.meta.sha256_sealed.as_deref(), Some(&*assay_bundle::digest::sha256_hex(b"new")));
    assert_eq!(listing(&spool), ["1:waiting:ps"]);
    let kept = entry::unnamed_sealed(&dir.path().join(&entry.id), &found).expect("readable");
    assert!(kept.is_empty(), "the old form is still there: {kept:?}");
}

/// Entries as `d`one or `w`aiting with so many bytes each; then one more of `new_bytes`. Which are left, by seq, or
/// none when the new one was refused (and then nothing may be gone).
fn check_room(limits: SpoolLimits, entries: &[(char, usize)], new_bytes: usize, expected: Option<&[u64]>) {
    let dir = tempfile::tempdir().expect("a temp folder");
    let roomy = Spool::open(dir.path(), SpoolLimits { bytes: u64::MAX, bundles: 99 }).expect("a new spool");
    for (seq, (kind, bytes)) in (1..).zip(entries) {
        let entry = put(&roomy, seq, &vec![0; *bytes], b"").expect("room");
        if *kind == 'd' {
            finish(&roomy, &entry);
        }
    }
    let before = listing(&roomy);
    let spool = Spool::open(dir.path(), limits).expect("the same spool");
    let result = put(&spool, 99, &vec![0; new_bytes], b"");
    let left: Vec<u64> = spool.entries().expect("readable").iter().map(|entry| entry.meta.seq).collect();
    match expected {
        Some(expected) => {
            result.expect("there was room");
            assert_eq!(left, expected);
        }
        None => {
            let message = result.expect_err("there was no room").to_string();
            assert!(message.contains("is full") && message.contains("assay upload"), "{message}");
            assert_eq!(listing(&spool), before);
            assert_eq!(names(dir.path()).len(), before.len(), "the refused bundle left something");
        }
    }
}

#[test]
fn only_accepted_entries_make_room_oldest_first() {
    let bundles = |bundles| SpoolLimits { bytes: u64::MAX, bundles };
    check_room(bundles(4), &[('w', 1), ('d', 1), ('d', 1)], 1, Some(&[1, 2, 3, 99]));
    check_room(bundles(3), &[('w', 1), ('d', 1), ('d', 1)], 1, Some(&[1, 3, 99]));
    check_room(bundles(2), &[('d', 1), ('w', 1), ('d', 1)], 1, Some(&[2, 99]));
    check_room(bundles(1), &[('d', 1), ('d', 1)], 1, Some(&[99]));
    check_room(bundles(2), &[('w', 1), ('w', 1)], 1, None);
    // The state files count too, a few hundred bytes each.
    let bytes = |bytes| SpoolLimits { bytes, bundles: 99 };
    check_room(bytes(20_000), &[('d', 8_000), ('d', 8_000)], 8_000, Some(&[2, 99]));
    check_room(bytes(20_000), &[('w', 8_000), ('w', 8_000)], 8_000, None);
    check_room(bytes(20_000), &[('d', 8_000), ('w', 8_000)], 16_000, None);
    check_room(bytes(1_000), &[], 8_000, None);
}

#[test]
fn a_number_is_never_below_what_is_there() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let first = put(&spool, 1, b"1", b"").expect("room");
    let second = put(&spool, 2, b"2", b"").expect("room");
    spool.remove(&first.id).expect("removed");
    let third = put(&spool, 3, b"3", b"").expect("room");
    assert!(first.id < second.id && second.id < third.id);
    for id in ["nothing", "../x", ".lock", ""] {
        assert!(matches!(spool.entry(id), Err(SpoolError::NoSuchEntry { .. })), "{id}");
    }
}

#[test]
fn one_upload_run_at_a_time() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let lock = spool.lock_uploads().expect("free");
    assert!(matches!(spool.lock_uploads(), Err(SpoolError::Busy { .. })));
    drop(lock);
    assert!(spool.lock_uploads().is_ok());
}

#[test]
fn a_full_disk_has_its_own_words() {
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
        let error = at("write", Path::new("/spool/x"))(kind.into());
        assert!(matches!(error, SpoolError::DiskFull { .. }));
        assert!(error.to_string().contains("free some space"));
    }
    let error = at("write", Path::new("/spool/x"))(std::io::ErrorKind::ReadOnlyFilesystem.into());
    assert!(error.to_string().starts_with("cannot write /spool/x"));
}

#[test]
fn a_held_entry_stays_held_until_it_is_released() {
    let dir = tempfile::tempdir().expect("a temp folder");
    let spool = Spool::open(dir.path(), ROOMY).expect("a new spool");
    let slot = spool.begin().expect("room");
    fs::write(slot.sealed_path(), "sealed").expect("writable");
    let about = SpoolEntry { held_for: Some("req-1".to_owned()), ..about(1) };
    let id = slot.commit(about).expect("committed").id;
    let held = |spool: &Spool| spool.entry(&id).expect("there").held_for;
    assert_eq!(held(&spool).as_deref(), Some("req-1"));
    // A record that is made again from the files forgets everything but this.
    fs::write(dir.path().join(&id).join("entry.json"), "torn").expect("writable");
    assert_eq!(held(&spool).as_deref(), Some("req-1"));
    assert_eq!(spool.release(&id).expect("released").held_for, None);
    assert_eq!(spool.release(&id).expect("again is nothing").held_for, None);
    spool.hold(&id, "req-1").expect("held");
    assert_eq!(held(&spool).as_deref(), Some("req-1"));
}
