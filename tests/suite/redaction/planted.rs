//! Secrets planted in every file of every recorded device: none may come out anywhere, and the evidence beside them must
//! stay byte for byte.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use assay_bundle::Facts;
use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_collector::recorded::RecordedSource;
use assay_collector::{Collection, Options, collect};

use super::secrets::{SECRETS, plant};
use crate::support::{Rng, devices, replay};

fn read(files: BTreeMap<String, Vec<u8>>) -> Collection {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(collect(&RecordedSource::from_files(files), &Options::default()))
}

fn files(device: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    RecordedSource::from_dir(&device.join("source")).expect("a recorded device").files().clone()
}

/// What passed the door: raw files, and our own documents.
struct Through {
    raw: BTreeMap<String, Vec<u8>>,
    documents: Vec<Vec<u8>>,
    facts: Facts,
}

fn through(collection: &Collection, level: Level) -> Through {
    let mut door = Door::open(&PseudonymKey([7; 32].into()), level).expect("the door opens");
    door.learn(&collection.facts);
    let (facts_file, facts) = door.document("facts.json", collection.facts.clone()).expect("facts are JSON");
    let (steps, _) = door.document("steps.json", collection.steps.clone()).expect("steps are JSON");
    let diagnosis = assay_diagnosis::diagnose(&facts);
    let (diagnosis, _) = door.document("diagnosis.json", diagnosis).expect("a diagnosis is JSON");
    let raw = collection
        .raw
        .iter()
        .filter_map(|(name, bytes)| door.raw(name, bytes).map(|clean| (name.clone(), clean.bytes().to_vec())))
        .collect();
    let receipt = door.close().expect("canaries are gone");
    let receipt = serde_json::to_vec(&receipt).expect("plain data");
    let documents = [facts_file, steps, diagnosis].map(|clean| clean.bytes().to_vec());
    Through { raw, documents: documents.into_iter().chain([receipt]).collect(), facts }
}

/// Files of one kind have one parser: `sda`, `sdb` and numbers do not make a new one.
fn kind(path: &str) -> String {
    let stem: String = path.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let part = |part: &str| {
        if part.starts_with("sd") && part.len() <= 4 { "sda".to_owned() } else { part.to_owned() }
    };
    stem.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Plants two lines where a parser reads text, or two strings where it reads JSON. Links are one path and no text.
fn planted(path: &str, bytes: &[u8], at: usize, rng: &mut Rng) -> Option<(Vec<u8>, Vec<String>)> {
    if [".link", ".list", ".truncated"].iter().any(|end| path.ends_with(end)) || path.ends_with("status.json")
    {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let (mut lines, mut secrets) = (Vec::new(), Vec::new());
    for number in 0..2 {
        let (_, line) = SECRETS[(at * 2 + number) % SECRETS.len()];
        let (line, own) = plant(line, rng);
        lines.push(line);
        secrets.extend(own);
    }
    let new = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(mut object)) => {
            object.insert("planted".to_owned(), lines.into());
            serde_json::Value::Object(object).to_string()
        }
        _ => {
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            format!("{text}{end}{}\n", lines.join("\n"))
        }
    };
    Some((new.into_bytes(), secrets))
}

/// Six bytes in a row are more than chance.
const PIECE: usize = 6;

/// Every piece of every secret, with the number of the secret: one look at a file finds them all.
fn pieces(secrets: &[(String, String)]) -> HashMap<&[u8], usize> {
    secrets
        .iter()
        .enumerate()
        .flat_map(|(n, (_, secret))| secret.as_bytes().windows(PIECE).map(move |w| (w, n)))
        .collect()
}

/// The secrets of which a piece stands in these bytes.
fn found_in(bytes: &[u8], pieces: &HashMap<&[u8], usize>) -> BTreeSet<usize> {
    bytes.windows(PIECE).filter_map(|window| pieces.get(window).copied()).collect()
}

#[test]
fn nothing_planted_comes_out() {
    let (mut count, mut kinds, mut found) = (0, BTreeSet::new(), Vec::new());
    for (device, path) in devices() {
        let mut rng = Rng::new(7);
        let mut secrets: Vec<(String, String)> = Vec::new();
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        let mut all = files(&path);
        for (at, (name, bytes)) in all.iter_mut().enumerate() {
            let Some((new, own)) = planted(name, bytes, at, &mut rng) else { continue };
            let text = String::from_utf8_lossy(&new);
            for secret in &own {
                let line = text.lines().find(|line| line.contains(secret.as_str())).unwrap_or_default();
                lines.insert(secret.clone(), line.chars().take(120).collect());
            }
            *bytes = new;
            secrets.extend(own.into_iter().map(|secret| (name.clone(), secret)));
        }
        let collection = read(all);
        // Only what a probe asked for could leave.
        secrets.retain(|(name, _)| collection.raw.contains_key(name));
        kinds.extend(secrets.iter().map(|(name, _)| kind(name)));
        count += secrets.len();
        let through = through(&collection, Level::Standard);
        let pieces = pieces(&secrets);
        let files = through.raw.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let documents = through.documents.iter().map(|bytes| ("our documents", bytes.as_slice()));
        for (place, bytes) in files.chain(documents) {
            for number in found_in(bytes, &pieces) {
                let (name, secret) = &secrets[number];
                found.push(format!("{device}: {secret} of {name} is in {place}: {}", lines[secret]));
            }
        }
    }
    println!("{count} secrets in {} kinds of files", kinds.len());
    let name = "redaction::planted::nothing_planted_comes_out";
    assert!(found.is_empty(), "{} of {count} came out:\n{}\n{}", found.len(), found.join("\n"), replay(name));
    assert!(count >= 500 && kinds.len() >= 40, "{count} secrets in {} kinds of files", kinds.len());
}

/// How often a value stands in the raw files.
fn times(raw: &BTreeMap<String, Vec<u8>>, value: &str) -> usize {
    raw.values().map(|bytes| String::from_utf8_lossy(bytes).matches(value).count()).sum()
}

/// Serial numbers and world wide names in every notation, PCI addresses, identifiers of arrays.
fn evidence(collection: &Collection) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    let facts = &collection.facts;
    values.extend(facts.identity.serial.value().cloned());
    for drive in facts.drives.value().into_iter().flatten() {
        values.extend(drive.serial.value().cloned());
        if let Some(wwn) = drive.wwn.value().filter(|wwn| wwn.len() == 16) {
            let octets: Vec<&str> = (0..8).map(|at| &wwn[at * 2..at * 2 + 2]).collect();
            values.extend([
                wwn.clone(),
                wwn.to_uppercase(),
                format!("{} {} {}", &wwn[..1], &wwn[1..7], &wwn[7..]),
                octets.join(":"),
            ]);
        }
    }
    for block in facts.block_devices.value().into_iter().flatten() {
        values.extend(block.attached_through.value().into_iter().flatten().cloned());
    }
    values.retain(|value| value.len() >= 5);
    values
}

#[test]
fn evidence_stays_and_at_the_strict_level_serial_numbers_go() {
    let mut kept = 0;
    for (device, path) in devices() {
        let collection = read(files(&path));
        let values = evidence(&collection);
        let standard = through(&collection, Level::Standard);
        for value in &values {
            let before = times(&collection.raw, value);
            assert_eq!(times(&standard.raw, value), before, "{device}: {value}");
            kept += before;
        }
        let strict = through(&collection, Level::Strict);
        let serials = values.iter().filter(|value| !value.contains(':') && !value.starts_with("ata"));
        let masked = collection.facts.drives.value().into_iter().flatten().filter_map(|d| d.serial.value());
        let unit = collection.facts.identity.serial.value();
        for serial in masked.chain(unit).filter(|serial| serial.trim().len() >= 5) {
            let left: Vec<&String> = strict
                .raw
                .iter()
                .filter(|(_, b)| String::from_utf8_lossy(b).contains(serial))
                .map(|(n, _)| n)
                .collect();
            assert!(left.is_empty(), "{device}: {serial} is left in {left:?}");
            let documents = strict.documents.iter().any(|b| String::from_utf8_lossy(b).contains(serial));
            assert!(!documents, "{device}: {serial} is left in our documents");
        }
        let wwns: Vec<&String> =
            serials.filter(|v| v.len() >= 16 && v.bytes().all(|b| b.is_ascii_hexdigit())).collect();
        for wwn in wwns {
            assert_eq!(times(&strict.raw, wwn), 0, "{device}: {wwn} is left");
        }
        // Buffers are left out at this level, and what only they said with them; a device without any reads the same.
        if !collection.raw.keys().any(|name| name.starts_with("ioctl/")) {
            assert_eq!(
                read(strict.raw).facts,
                strict.facts,
                "{device}: reading what is masked gives other facts"
            );
        }
    }
    println!("{kept} values of evidence, each as often as before");
    assert!(kept > 500, "{kept}");
}
