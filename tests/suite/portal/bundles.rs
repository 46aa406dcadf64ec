//! Bundles as a device makes them, and bundles as nobody should.

use std::collections::BTreeMap;
use std::io::Cursor;

use assay_bundle::Facts;
use assay_bundle::keys::SigningKey;
use assay_bundle::manifest::{
    FORMAT_VERSION, Manifest, ManifestAgent, ManifestClock, ManifestDevice, ManifestRedaction, Payload,
    Reason, RunSource, Summary,
};
use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_bundle::seal::{Content, seal};
use assay_bundle::sshsig;
use assay_collector::recorded::RecordedSource;
use assay_collector::{Options, PARSER_SET, collect};

use super::server::Device;

/// What goes into a bundle; the defaults are a small healthy-looking machine.
pub(crate) struct Recipe {
    pub(crate) raw: BTreeMap<String, Vec<u8>>,
    pub(crate) source: RunSource,
    pub(crate) seq: u64,
    pub(crate) recipient: String,
    pub(crate) level: Level,
    /// Support request that it answers: id and nonce.
    pub(crate) request: Option<(String, String)>,
    /// Boot and device time that the manifest names.
    pub(crate) boot: Option<(String, String)>,
    /// A lie about the facts, told by the device after it read them.
    pub(crate) lie: fn(&mut Facts),
}

impl Recipe {
    pub(crate) fn new(recipient: &str) -> Self {
        let raw = [
            ("sys/class/dmi/id/product_name", "TS-453D\n"),
            ("sys/class/dmi/id/product_serial", "Q123\n"),
            ("sys/class/dmi/id/sys_vendor", "QNAP\n"),
            ("proc/sys/kernel/hostname", "nas-of-eva\n"),
            ("proc/uptime", "12345.67 45678.90\n"),
            ("sys/class/hwmon/hwmon0/name", "it87\n"),
            ("sys/class/hwmon/hwmon0/fan1_input", "0\n"),
            ("sys/class/hwmon/hwmon0/fan1_min", "500\n"),
            ("sys/class/hwmon/hwmon0/fan1_alarm", "1\n"),
            ("sys/class/hwmon/hwmon0/fan1_fault", "1\n"),
        ];
        Self {
            raw: raw.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into(),
            source: RunSource::Live,
            seq: 1,
            recipient: recipient.to_owned(),
            level: Level::Standard,
            request: None,
            boot: None,
            lie: |_| {},
        }
    }

    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        self.raw.insert(name.to_owned(), text.as_bytes().to_vec());
        self
    }
}

/// Both forms: plain and encrypted.
pub(crate) fn forms(device: &Device, recipe: &Recipe) -> (Vec<u8>, Vec<u8>) {
    let source = RecordedSource::from_files(recipe.raw.clone());
    // A thread of its own, because tests are async already.
    let collected = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(collect(&source, &Options::default()))
    });
    let collection = collected.join().expect("a collection");
    let mut door = Door::open(&PseudonymKey([7; 32].into()), recipe.level).expect("the door opens");
    let mut entries: Vec<_> =
        collection.raw.iter().filter_map(|(name, bytes)| door.raw(name, bytes)).collect();
    let mut facts = collection.facts.clone();
    (recipe.lie)(&mut facts);
    let (clean, facts) = door.document("facts.json", facts).expect("JSON");
    entries.push(clean);
    let diagnosis = assay_diagnosis::diagnose(&facts);
    entries.push(door.document("diagnosis.json", diagnosis.clone()).expect("JSON").0);
    entries.push(door.document("steps.json", collection.steps).expect("JSON").0);
    entries.push(door.document("cost.json", collection.cost).expect("JSON").0);
    let draft = Manifest {
        format: FORMAT_VERSION,
        source: recipe.source,
        device: ManifestDevice {
            model: facts.identity.model.value().cloned(),
            // At the strict level the facts hold a stand-in, which names no device.
            serial: match recipe.level {
                Level::Standard => facts.identity.serial.value().cloned(),
                Level::Strict => None,
            },
            serial_digest: None,
            ..ManifestDevice::default()
        },
        agent: ManifestAgent { version: "0.1.0".to_owned(), binary_sha256: String::new() },
        reason: if recipe.request.is_some() { Reason::SupportRequest } else { Reason::Owner },
        request_id: recipe.request.as_ref().map(|(id, _)| id.clone()),
        nonce: recipe.request.as_ref().map(|(_, nonce)| nonce.clone()),
        seq: recipe.seq,
        boot_id: recipe.boot.as_ref().map(|(boot, _)| boot.clone()),
        clock: ManifestClock {
            plausible: true,
            device_time: recipe.boot.as_ref().map(|(_, time)| time.clone()).unwrap_or_default(),
            ..ManifestClock::default()
        },
        payload: Payload::default(),
        parser_set: PARSER_SET,
        rule_pack: assay_diagnosis::RULE_PACK,
        redaction: ManifestRedaction::default(),
        recipients: Vec::new(),
        recovery_copy: None,
        summary: Summary::of(&diagnosis),
        extra: serde_json::Map::new(),
    };
    let content = Content { entries, receipt: door.close().expect("canaries are gone") };
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    let (mut first, mut second) = (Cursor::new(Vec::new()), Cursor::new(Vec::new()));
    let recipients = [recipe.recipient.clone()];
    seal(draft, content, &device.key, &recipients, [&mut first, &mut second], &mut plain, &mut sealed)
        .expect("seals");
    (plain, sealed)
}

/// The exact bytes of a bundle's manifest.
pub(crate) fn manifest_of(bundle: &[u8]) -> &[u8] {
    &bundle[512..512 + size_of(bundle, 0)]
}

/// Size of the entry whose header stands here.
fn size_of(bundle: &[u8], header: usize) -> usize {
    let digits = std::str::from_utf8(&bundle[header + 124..header + 135]).expect("octal");
    usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).expect("octal")
}

/// The form that is uploaded.
pub(crate) fn sealed(device: &Device, recipe: &Recipe) -> Vec<u8> {
    forms(device, recipe).1
}

/// The manifest with one text replaced by another of the same length, signed again by `key`: what a program with the
/// key could make, but ours does not.
pub(crate) fn forged(mut bundle: Vec<u8>, key: &SigningKey, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let size = size_of(&bundle, 0);
    let manifest = String::from_utf8(bundle[512..512 + size].to_vec()).expect("UTF-8");
    assert!(manifest.contains(from), "{from} is not in {manifest}");
    let manifest = manifest.replacen(from, to, 1);
    let parsed: Result<Manifest, _> = serde_json::from_str(&manifest);
    let namespace = parsed.map_or(sshsig::namespace::BUNDLE, |manifest| manifest.namespace());
    let signature = sshsig::sign(key, namespace, manifest.as_bytes());
    bundle[512..512 + size].copy_from_slice(manifest.as_bytes());
    let header = 512 + size.next_multiple_of(512);
    assert_eq!(size_of(&bundle, header), signature.len());
    bundle[header + 512..header + 512 + signature.len()].copy_from_slice(signature.as_bytes());
    bundle
}
