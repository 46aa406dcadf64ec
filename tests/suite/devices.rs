//! Every recorded device through every stage: read, redact, diagnose, recommend, report. The results are reviewed
//! snapshots in `tests/devices/<name>/expected/`; read the diff of *every* device before you accept one.

use std::collections::BTreeMap;
use std::path::Path;

use assay_bundle::redact::{Door, Level, PseudonymKey};
use assay_bundle::{Diagnosis, Facts, Observed};
use assay_collector::recorded::RecordedSource;
use assay_collector::{Collection, Options, collect};
use assay_diagnosis::report::{Layout, Material, Origin, View, html, markdown, terminal};

use crate::support::{devices, snapshot};

fn run(source: RecordedSource) -> Collection {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(collect(&source, &Options::default()))
}

/// A fixed key, so that pseudonyms in snapshots stay the same.
fn door(facts: &Facts) -> Door {
    let key = PseudonymKey([7; 32].into());
    let mut door = Door::open(&key, Level::Standard).expect("the door opens");
    if let Observed::Seen { value, .. } = &facts.identity.hostname {
        door.learn_host(value);
    }
    door
}

struct Stages {
    collection: Collection,
    redacted: Facts,
    raw: BTreeMap<String, Vec<u8>>,
    diagnosis: Diagnosis,
    report: String,
    page: String,
    ticket: String,
}

fn stages(path: &Path) -> Stages {
    let collection = run(RecordedSource::from_dir(&path.join("source")).expect("a recorded device"));
    let mut door = door(&collection.facts);
    let raw: BTreeMap<String, Vec<u8>> = collection
        .raw
        .iter()
        .filter_map(|(name, bytes)| door.raw(name, bytes).map(|clean| (name.clone(), clean.bytes().to_vec())))
        .collect();
    let (_, redacted) = door.document("facts.json", collection.facts.clone()).expect("facts are JSON");
    let receipt = door.close().expect("canaries are gone");
    assert!(receipt.left_out.is_empty(), "a probe reads what may not leave: {:?}", receipt.left_out);
    let diagnosis = assay_diagnosis::diagnose(&redacted);
    let model = redacted.identity.model.value().map(String::as_str);
    let entitlement = assay_warranty::entitlement(None, model, None);
    let recommendation = assay_warranty::recommend(&diagnosis, &entitlement);
    let material = Material {
        entitlement: Some(&entitlement),
        ..Material::new(&redacted, &diagnosis, &recommendation, Origin::Live)
    };
    let view = View::of(&material);
    let report = terminal(&view, Layout { width: 80, colour: false, all: false });
    let (page, ticket) = (html(&view), markdown(&view));
    Stages { collection, redacted, raw, diagnosis, report, page, ticket }
}

#[test]
fn every_device_has_its_parts() {
    let devices = devices();
    assert!(devices.len() >= 4, "only {} recorded devices", devices.len());
    for (name, path) in devices {
        for part in ["about.md", "source", "expected"] {
            assert!(path.join(part).exists(), "{name} lacks {part}");
        }
    }
}

#[test]
fn snapshots() {
    for (_, path) in devices() {
        let stages = stages(&path);
        let expected = path.join("expected");
        let pretty = |value: &dyn erased::Json| value.pretty();
        snapshot(&expected.join("facts.json"), &pretty(&stages.redacted));
        snapshot(&expected.join("diagnosis.json"), &pretty(&stages.diagnosis));
        snapshot(&expected.join("report.txt"), &stages.report);
    }
}

mod erased {
    //! Serialisation behind a reference, so that one closure prints every kind.
    pub(super) trait Json {
        fn pretty(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn pretty(&self) -> String {
            let mut text = serde_json::to_string_pretty(self).expect("plain data");
            text.push('\n');
            text
        }
    }
}

/// Design section 4: parse(redact(raw)) == redact(parse(raw)).
#[test]
fn redaction_commutes_with_parsing() {
    for (name, path) in devices() {
        let stages = stages(&path);
        let again = run(RecordedSource::from_files(stages.raw.clone()));
        assert_eq!(again.facts, stages.redacted, "{name}: reading the redacted raw gives other facts");
    }
}

/// Design invariant 11: a bundle's `raw/` has the shape of a device's `source/`.
#[test]
fn a_recording_reads_like_the_machine() {
    for (name, path) in devices() {
        let first = run(RecordedSource::from_dir(&path.join("source")).expect("a recorded device"));
        let again = run(RecordedSource::from_files(first.raw.clone()));
        assert_eq!(again.facts, first.facts, "{name}: a recording of the recording differs");
    }
}

#[test]
fn what_was_seen_stands_in_raw() {
    for (name, path) in devices() {
        let stages = stages(&path);
        let facts = serde_json::to_value(&stages.collection.facts).expect("plain data");
        let mut places = Vec::new();
        collect_places(&facts, &mut places);
        assert!(places.len() > 20, "{name}: only {} readings", places.len());
        for place in places {
            let file = place.split('#').next().unwrap_or(&place);
            let known = stages.collection.raw.contains_key(file)
                || stages
                    .collection
                    .raw
                    .keys()
                    .any(|k| k.starts_with(&format!("{file}/")) || *k == format!("{file}.link"));
            assert!(known, "{name}: a reading says it stands in {place}, which is not in raw/");
        }
    }
}

fn collect_places(value: &serde_json::Value, places: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            if let (Some(_), Some(serde_json::Value::String(from))) = (map.get("value"), map.get("from")) {
                places.push(from.clone());
            }
            map.values().for_each(|v| collect_places(v, places));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|v| collect_places(v, places)),
        _ => {}
    }
}

#[test]
fn the_same_facts_give_the_same_answer() {
    for (name, path) in devices() {
        let (first, second) = (stages(&path), stages(&path));
        assert_eq!(first.diagnosis, second.diagnosis, "{name}");
        assert_eq!(first.report, second.report, "{name}");
    }
}

/// Most bytes of a page: it is sent by mail and kept in tickets.
const MOST_PAGE_BYTES: usize = 150_000;

#[test]
fn every_device_has_a_page_and_a_ticket() {
    for (name, path) in devices() {
        let Stages { diagnosis, report, page, ticket, .. } = stages(&path);
        assert!(report.lines().all(|row| row.chars().count() <= 80), "{name}: {report}");
        assert!(report.starts_with(&diagnosis.overall.words().to_uppercase()), "{name}: {report}");
        assert!(page.len() <= MOST_PAGE_BYTES, "{name}: {} bytes", page.len());
        let tags = || page.split('<').skip(1).filter_map(|tag| tag.split('>').next());
        for word in ["script", "src=", "href=", "http:", "https:", "url("] {
            assert!(!tags().any(|tag| tag.contains(word)), "{name}: {word}");
        }
        // What a device says may hold an address, as text; nothing of ours does.
        for tag in ["html", "head", "body", "main", "h1", "table", "svg", "section", "article"] {
            let opened = tags().filter(|own| *own == tag || own.starts_with(&format!("{tag} "))).count();
            let closed = tags().filter(|own| own.strip_prefix('/') == Some(tag)).count();
            assert_eq!(opened, closed, "{name}: <{tag}>");
        }
        assert_eq!(page.matches("<article").count(), diagnosis.findings.len(), "{name}");
        for finding in &diagnosis.findings {
            assert!(
                page.contains(&finding.code) && ticket.contains(&finding.code),
                "{name}: {}",
                finding.code
            );
        }
        assert!(page.contains("<svg ") || name == "hostile-garbage", "{name}: no bay map");
    }
}
