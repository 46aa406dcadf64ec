//! The bundle as its contract (`bundle/FORMAT.md`) says: what is written reads back, stock tools agree, and whatever
//! else comes along is refused. How a single header, key or signature is read is tested beside its code.

use std::collections::BTreeMap;
use std::io::Cursor;

use assay_bundle::archive::{ArchiveError, EntryDigest, Envelope, Limits, Visitor, read_envelope};
use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::manifest::{
    Form, Manifest, ManifestAgent, ManifestClock, ManifestDevice, ManifestRedaction, Payload, Reason,
    RunSource, Summary,
};
use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_bundle::seal::{Content, SealError, seal};
use assay_bundle::{Diagnosis, Facts};

mod forge;
mod hostile;
mod round_trip;
mod stock;
mod versions;

/// A device's key, made once: most tests care that it is the same, none which it is.
fn key() -> &'static SigningKey {
    static KEY: std::sync::OnceLock<SigningKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate().expect("randomness"))
}

/// A manifest before sealing, with every optional field filled.
fn draft(source: RunSource) -> Manifest {
    Manifest {
        format: 1,
        source,
        device: ManifestDevice {
            key_id: String::new(),
            model: Some("TS-453D".to_owned()),
            serial: Some("Q000000000".to_owned()),
            serial_digest: None,
            firmware: Some("5.2.3".to_owned()),
        },
        agent: ManifestAgent { version: "0.1.0".to_owned(), binary_sha256: "0".repeat(64) },
        reason: Reason::SupportRequest,
        request_id: Some("request-1".to_owned()),
        nonce: Some("bm9uY2U".to_owned()),
        seq: 7,
        boot_id: Some("5a1f2c4e-0000-4000-8000-000000000000".to_owned()),
        clock: ManifestClock {
            device_time: "2026-11-22T13:00:00Z".to_owned(),
            uptime_s: Some(3600),
            synchronised: Some(true),
            plausible: true,
        },
        payload: Payload { inner: Form::default(), plain: Form::default(), sealed: None },
        parser_set: 1,
        rule_pack: 1,
        redaction: ManifestRedaction::default(),
        recipients: Vec::new(),
        recovery_copy: Some(recovery_copy()),
        summary: Summary::of(&Diagnosis::new(1, Vec::new(), Vec::new(), Vec::new())),
        extra: serde_json::Map::new(),
    }
}

/// Passes documents and raw files through the door, as the agent does. Returns the content and what the door made of it.
fn content(
    documents: &[(&str, serde_json::Value)],
    raw: &BTreeMap<String, Vec<u8>>,
) -> (Content, BTreeMap<String, Vec<u8>>) {
    let mut pseudonyms = PseudonymKey(Default::default());
    pseudonyms.0.fill(7);
    let mut door = Door::open(&pseudonyms, Level::Standard).expect("the door opens");
    let mut entries = Vec::new();
    for (name, value) in documents {
        entries.push(door.document(name, value.clone()).expect("a document").0);
    }
    entries.extend(raw.iter().filter_map(|(path, bytes)| door.raw(path, bytes)));
    let receipt = door.close().expect("no canary survived");
    let cleaned = entries.iter().map(|c| (c.name().to_owned(), c.bytes().to_vec())).collect();
    (Content { entries, receipt }, cleaned)
}

/// A small but whole content.
fn small_content() -> (Content, BTreeMap<String, Vec<u8>>) {
    let raw: BTreeMap<String, Vec<u8>> = [
        ("proc/mdstat", "Personalities : [raid1]\nunused devices: <none>\n"),
        ("sys/class/hwmon/hwmon0/fan1_input", "1180\n"),
        ("sys/class/hwmon/.list", "hwmon0\n"),
        (
            "sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/hwmon/hwmon4/temp1_input",
            "34000\n",
        ),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .collect();
    let facts = serde_json::to_value(Facts::default()).expect("facts are JSON");
    content(&[("facts.json", facts), ("steps.json", serde_json::json!([]))], &raw)
}

/// Seals into memory: the manifest and both forms.
fn seal_with(
    draft: Manifest,
    content: Content,
    recipients: &[String],
) -> Result<(Manifest, Vec<u8>, Vec<u8>), SealError> {
    let (mut one, mut two) = (Cursor::new(Vec::new()), Cursor::new(Vec::new()));
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    let manifest = seal(draft, content, key(), recipients, [&mut one, &mut two], &mut plain, &mut sealed)?;
    Ok((manifest, plain, sealed))
}

/// A small sealed bundle of a live run, in its plain form.
fn small_bundle() -> Vec<u8> {
    seal_with(draft(RunSource::Live), small_content().0, &[]).expect("it seals").1
}

/// Keeps every entry.
#[derive(Debug, Default)]
struct Kept(BTreeMap<String, Vec<u8>>);

impl Visitor for Kept {
    fn wants(&mut self, _: &str, _: u64) -> bool {
        true
    }
    fn entry(&mut self, name: &str, bytes: Vec<u8>) {
        assert!(self.0.insert(name.to_owned(), bytes).is_none(), "{name} came twice");
    }
}

/// Opens a bundle in the order that trusts least.
fn open_with(
    file: &[u8],
    key: &PublicKey,
    identity: Option<&str>,
) -> Result<(Envelope, Kept, Vec<EntryDigest>), ArchiveError> {
    let limits = Limits::default();
    let mut reader = file;
    let envelope = read_envelope(&mut reader, &limits)?;
    envelope.verify_signature(key)?;
    envelope.check_payload(&mut &*reader, &limits)?;
    let mut kept = Kept::default();
    let listed = envelope.walk_payload(&mut reader, identity, &limits, &mut kept)?;
    Ok((envelope, kept, listed))
}

/// Opens a plain bundle of [`key`].
fn open(file: &[u8]) -> Result<(Envelope, Kept, Vec<EntryDigest>), ArchiveError> {
    open_with(file, &key().public(), None)
}

/// Walks a bundle without looking at its digests first, as one would who cannot read it twice.
fn walk_at_once(file: &[u8]) -> Result<Vec<EntryDigest>, ArchiveError> {
    let limits = Limits::default();
    let mut reader = file;
    let envelope = read_envelope(&mut reader, &limits)?;
    envelope.verify_signature(&key().public())?;
    envelope.walk_payload(&mut reader, None, &limits, &mut Kept::default())
}

/// A receipt with something in each field.
fn recovery_copy() -> assay_bundle::recovery::CopyReceipt {
    assay_bundle::recovery::CopyReceipt {
        format: 1,
        name: "recovery-00001-20261122T000000Z.tar.zst.age".to_owned(),
        made_at: "2026-11-22T00:00:00Z".to_owned(),
        made_unix_s: 1_795_305_600,
        agent_version: "0.1.0".to_owned(),
        profile: "qts".to_owned(),
        size_bytes: 1,
        sha256: "00".repeat(32),
        entries: 1,
        content_bytes: 1,
        recipients: vec!["age1".to_owned()],
        level: assay_bundle::recovery::CopyLevel::ReadBack,
        volume_keys: false,
        notes: [("changed-while-read".to_owned(), 1)].into(),
        left_out: [("not-a-file".to_owned(), 1)].into(),
        extra: serde_json::Map::new(),
    }
}
