//! The writer against the reader of this crate, over plain entries: what the door does to content is tested with it.
//! Compiled only under `#[cfg(test)]`.

use std::collections::BTreeMap;
use std::io::Cursor;

use age::secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::*;
use crate::archive::{Envelope, PayloadForm, Visitor, read_envelope};
use crate::diagnosis::Overall;
use crate::manifest::{ManifestAgent, ManifestClock, ManifestDevice, Reason, RunSource, Summary};

fn key() -> SigningKey {
    SigningKey::from_seed(Zeroizing::new([1; 32])).expect("a seed")
}

fn draft() -> Manifest {
    Manifest {
        format: 0,
        source: RunSource::Live,
        device: ManifestDevice::default(),
        agent: ManifestAgent::default(),
        reason: Reason::Owner,
        request_id: None,
        nonce: None,
        seq: 1,
        boot_id: None,
        clock: ManifestClock::default(),
        payload: Payload::default(),
        parser_set: 1,
        rule_pack: 1,
        redaction: ManifestRedaction { rule_set: 1, level: "standard".to_owned() },
        recipients: Vec::new(),
        recovery_copy: None,
        summary: Summary {
            overall: Overall::Healthy,
            confirmed: 0,
            suspected: 0,
            watch: 0,
            cannot_tell: 0,
            top_codes: Vec::new(),
        },
        extra: serde_json::Map::new(),
    }
}

/// Seals, and returns the manifest and the two files.
fn seal_plainly(
    draft: Manifest,
    entries: &[(&str, Vec<u8>)],
    recipients: &[age::x25519::Recipient],
) -> Result<(Manifest, Vec<u8>, Vec<u8>), SealError> {
    let entries = in_order(entries.iter().map(|(name, bytes)| Entry { name, bytes }).collect())?;
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    let (mut one, mut two) = (Cursor::new(Vec::new()), Cursor::new(Vec::new()));
    let manifest = write(draft, &entries, &key(), recipients, [&mut one, &mut two], &mut plain, &mut sealed)?;
    Ok((manifest, plain, sealed))
}

#[derive(Default, Debug)]
struct Kept(BTreeMap<String, Vec<u8>>);

impl Visitor for Kept {
    fn wants(&mut self, name: &str, _: u64) -> bool {
        !name.ends_with("unwanted")
    }
    fn entry(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.insert(name.to_owned(), bytes);
    }
}

fn open(file: &[u8], identity: Option<&str>) -> Result<(Envelope, Kept, Vec<EntryDigest>), ArchiveError> {
    let limits = Limits::default();
    let mut reader = file;
    let envelope = read_envelope(&mut reader, &limits)?;
    envelope.verify_signature(&key().public())?;
    envelope.check_payload(&mut &*reader, &limits)?;
    let mut kept = Kept::default();
    let listed = envelope.walk_payload(&mut reader, identity, &limits, &mut kept)?;
    assert!(reader.is_empty(), "read to the end");
    Ok((envelope, kept, listed))
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn both_forms_open_to_the_same_entries() {
    let identity = age::x25519::Identity::generate();
    let long = format!("raw/{}/temp1_input", "d".repeat(200));
    let entries = [
        ("raw/proc/mdstat", b"Personalities".to_vec()),
        (&long, b"42000\n".to_vec()),
        ("raw/unwanted", noise(200_000)),
        ("steps.json", b"[]\n".to_vec()),
        ("facts.json", vec![b' '; 300_000]),
        ("raw/empty", Vec::new()),
    ];
    let (manifest, plain, sealed) =
        seal_plainly(draft(), &entries, &[identity.to_public()]).expect("it seals");
    assert_eq!(manifest.recipients, [identity.to_public().to_string()]);
    assert_eq!(manifest.device.key_id, key().public().fingerprint());
    assert_eq!(manifest.format, FORMAT_VERSION);
    let order = ["facts.json", "steps.json", &long, "raw/empty", "raw/proc/mdstat", "raw/unwanted"];
    for (file, form, identity) in [
        (&plain, PayloadForm::Plain, None),
        (&sealed, PayloadForm::Sealed, Some(identity.to_string().expose_secret().to_owned())),
    ] {
        let (envelope, kept, listed) = open(file, identity.as_deref()).expect("it opens");
        assert_eq!(envelope.form, form);
        assert_eq!(envelope.manifest, manifest);
        assert_eq!(envelope.named_key().expect("a key"), key().public());
        assert_eq!(listed.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), order);
        assert_eq!(kept.0.len(), entries.len() - 1);
        for (name, bytes) in entries.iter().filter(|(name, _)| *name != "raw/unwanted") {
            assert_eq!(kept.0.get(*name), Some(bytes), "{name}");
        }
    }
    let refused = open(&sealed, None).expect_err("no identity").to_string();
    assert!(refused.contains(&identity.to_public().to_string()), "{refused}");
    let other = age::x25519::Identity::generate().to_string();
    assert!(matches!(open(&sealed, Some(other.expose_secret())), Err(ArchiveError::Decrypt)));
}

#[test]
fn without_recipients_there_is_no_sealed_form() {
    let (manifest, plain, sealed) =
        seal_plainly(draft(), &[("facts.json", b"{}".to_vec())], &[]).expect("it seals");
    assert_eq!((manifest.payload.sealed, sealed), (None, Vec::new()));
    assert!(open(&plain, None).is_ok());
}

#[test]
fn what_is_sealed_twice_is_the_same() {
    let seal = || seal_plainly(draft(), &[("facts.json", b"{}".to_vec())], &[]).expect("it seals").1;
    assert_eq!(seal(), seal());
}

#[test]
fn names_that_are_not_allowed_are_refused() {
    for names in [
        &["/etc/passwd"][..],
        &["raw/../x"],
        &["entries.json"],
        &["Entries.JSON"],
        &["a.json", "a.json"],
        &["raw/a", "raw/A"],
        &["raw/a", "raw/a/b"],
        &[""],
    ] {
        let entries: Vec<_> = names.iter().map(|n| (*n, Vec::new())).collect();
        let found = seal_plainly(draft(), &entries, &[]);
        assert!(matches!(found, Err(SealError::Name(_))), "{names:?}");
    }
}

#[test]
fn a_flooded_log_still_arrives() {
    let flood = b"ata3.00: exception Emask 0x0\n".repeat(400_000);
    assert!(seal_plainly(draft(), &[("raw/a", flood)], &[]).is_ok());
}

#[test]
fn what_readers_would_refuse_is_not_signed() {
    let check = |draft: Manifest, bytes: Vec<u8>, expected: &str| {
        let Err(SealError::Refused(found)) = seal_plainly(draft, &[("raw/a", bytes)], &[]) else {
            panic!("sealed; wanted {expected:?}");
        };
        assert!(found.to_string().contains(expected), "{found}");
    };
    check(draft(), vec![0; 80 << 20], "ratio is over the limit of 150");
    let mut twice = draft();
    twice.extra.insert("seq".to_owned(), 2.into());
    check(twice, Vec::new(), "is not a manifest");
    let mut large = draft();
    large.extra.insert("note".to_owned(), "x".repeat(300_000).into());
    check(large, Vec::new(), "manifest.json is over the limit");
}

#[test]
fn recipients_are_age_recipients() {
    let good = age::x25519::Identity::generate().to_public().to_string();
    for (texts, expected) in [
        (vec![], Some(0)),
        (vec![good.clone(), format!(" {good}\n")], Some(1)),
        (vec!["age1x".to_owned()], None),
        (vec!["ssh-ed25519 AAAA".to_owned()], None),
        (vec![good, String::new()], None),
    ] {
        assert_eq!(parse_recipients(&texts).map(|r| r.len()).ok(), expected, "{texts:?}");
    }
    let many: Vec<_> =
        (0..=MOST_RECIPIENTS).map(|_| age::x25519::Identity::generate().to_public().to_string()).collect();
    assert!(matches!(parse_recipients(&many), Err(SealError::Recipients(33))));
    let most: Vec<_> = many.iter().take(MOST_RECIPIENTS).cloned().collect();
    let most = parse_recipients(&most).expect("as many as may be");
    let sealed = seal_plainly(draft(), &[("raw/a", noise(10))], &most).expect("it seals").2;
    assert!(matches!(open(&sealed, Some("AGE-SECRET-KEY-1X")), Err(ArchiveError::Decrypt)));
    let other = age::x25519::Identity::generate().to_string();
    assert!(matches!(open(&sealed, Some(other.expose_secret())), Err(ArchiveError::Decrypt)));
}

/// A scratch file on a disk that forgets: what is read is not what was written.
struct Forgetful {
    inner: Cursor<Vec<u8>>,
    reads_until_it_forgets: u32,
}

impl Read for Forgetful {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.reads_until_it_forgets = self.reads_until_it_forgets.saturating_sub(1);
        if self.reads_until_it_forgets == 0 && read > 0 {
            buffer[0] ^= 1;
        }
        Ok(read)
    }
}

impl Write for Forgetful {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Forgetful {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_disk_that_forgets_is_noticed() {
    let bytes = noise(300_000);
    let entries = [Entry { name: "raw/a", bytes: &bytes }];
    let recipient = age::x25519::Identity::generate().to_public();
    // Three passes (read back, encrypt, copy) of about five reads each: wherever it starts to forget, it is noticed.
    for reads in 1..12 {
        let mut one = Forgetful { inner: Cursor::new(Vec::new()), reads_until_it_forgets: reads };
        let mut two = Cursor::new(Vec::new());
        let (mut plain, mut sealed) = (Vec::new(), Vec::new());
        let found = write(
            draft(),
            &entries,
            &key(),
            std::slice::from_ref(&recipient),
            [&mut one, &mut two],
            &mut plain,
            &mut sealed,
        );
        assert!(matches!(found, Err(SealError::Refused(_))), "{reads}: {:?}", found.map(|m| m.seq));
    }
}
