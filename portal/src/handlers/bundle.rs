//! `GET /bundles/{id}`: what is wrong, on what evidence, and how to check all of it by hand.

use askama::Template;
use assay_bundle::Manifest;
use assay_bundle::diagnosis::{Diagnosis, Evidence, Finding, Removable, Verdict};
use assay_bundle::entitlement::StandardPeriod;
use assay_bundle::steps::StepStatus;
use axum::extract::{Path, State};
use axum::response::Html;

use crate::app::Shared;
use crate::clock;
use crate::display::visible_value;
use crate::ingest::compare::Difference;
use crate::ingest::reading::Reading;
use crate::page::{PageError, Viewer, render};
use crate::store::bundles::BundleRow;
use crate::view::{Badge, Line, coverage_words, known};

#[derive(Template)]
#[template(path = "bundle.html")]
struct Page {
    viewer: Viewer,
    line: Line,
    facts: Envelope,
    public_key: String,
    reading: Option<Reading>,
    device_says: Option<Diagnosis>,
    entitlement: String,
    ledger_notes: Vec<String>,
}

/// What the row and the manifest say.
struct Envelope {
    sha256: String,
    size: String,
    key_id: String,
    firmware: String,
    agent: String,
    reason: String,
    device_time: String,
    freshness: String,
    boot_id: String,
    recipients: Vec<String>,
    parser_set: u32,
    rule_pack: u32,
    rule_set: u32,
    namespace: &'static str,
}

/// A link to a line of a raw file.
struct RawLink {
    index: usize,
    anchor: String,
}

impl Page {
    /// The raw file that a place below `raw/` means. A place may be a file, a link or a folder's list, and may name a
    /// line behind `#`.
    fn raw_link(&self, from: &str) -> Option<RawLink> {
        let (file, line) = from.split_once('#').unwrap_or((from, ""));
        let entries = &self.reading.as_ref()?.entries;
        let at = |suffix: &str| {
            let name = format!("raw/{file}{suffix}");
            entries.iter().position(|entry| entry.name == name)
        };
        let index = ["", ".link", "/.list", "/stdout"].into_iter().find_map(at)?;
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        let anchor = if digits.is_empty() { String::new() } else { format!("#L{digits}") };
        Some(RawLink { index, anchor })
    }

    /// A finding's style.
    fn class(&self, verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Watch => "attention",
            Verdict::Suspected => "suspected",
            Verdict::Confirmed => "confirmed",
        }
    }

    /// A stored yes is never shown: arrays may have changed since (design: older than ten minutes is unknown).
    fn removal(&self, finding: &Finding) -> Option<String> {
        let stored = finding.safe_to_remove.as_ref()?;
        Some(match stored.answer {
            Removable::No => format!("No, when this was read: {}", stored.why),
            Removable::Yes | Removable::Unknown => {
                "Not known from a stored bundle: ask the NAS again (assay check) right before anything is pulled."
                    .to_owned()
            }
        })
    }

    /// What speaks for a finding and what against it.
    fn evidence<'a>(&self, finding: &'a Finding) -> [(&'static str, &'a [Evidence]); 2] {
        [("Evidence", &finding.evidence), ("Evidence against", &finding.counter_evidence)]
    }

    /// Where the device's facts and our reading differ.
    fn differences<'a>(&self, reading: &'a Reading) -> [(&'static str, &'a [Difference]); 2] {
        [("Facts ≠ raw", &reading.contradictions), ("Differences of parsers", &reading.parser_differences)]
    }

    fn badge(&self, diagnosis: &Diagnosis) -> Badge {
        Badge::of(diagnosis.overall)
    }

    fn status(&self, status: &StepStatus) -> &'static str {
        match status {
            StepStatus::Complete => "complete",
            StepStatus::Partial => "partial",
            StepStatus::DeadlineExceeded => "ran out of time",
            StepStatus::Failed => "failed",
            StepStatus::NothingHere => "nothing of its kind here",
        }
    }
}

/// Shows the bundle.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let row = app.store.of(&viewer.tenant).bundle(&id).await?.ok_or(PageError::NotFound)?;
    let device = app.store.of(&viewer.tenant).device(&row.device_id).await?.ok_or(PageError::NotFound)?;
    let mut reading =
        app.store.of(&viewer.tenant).reading(&id).await?.map(|text| shown(&text)).transpose()?;
    // As of today: the ledger may have learnt of the unit since, and plans end.
    let own = device.serial.as_deref().filter(|_| row.source.as_deref() == Some("live"));
    let record = app.store.ledger_of_device(row.serial.as_deref().or(own)).await?;
    let ledger_notes =
        reading.as_mut().map(|reading| reading.judge(clock::today(), record.as_ref())).unwrap_or_default();
    let manifest = app.store.of(&viewer.tenant).manifest(&id).await?.and_then(|text| {
        let value = visible_value(serde_json::from_str(&text).ok()?);
        serde_json::from_value::<Manifest>(value).ok()
    });
    // Both are shown when they differ in anything that a person would act on.
    let device_says = reading.as_ref().and_then(|reading| {
        let device = reading.device_diagnosis.clone()?;
        (verdicts(&device) != verdicts(&reading.diagnosis)).then_some(device)
    });
    let entitlement = reading.as_ref().map(entitlement_words).unwrap_or_default();
    render(&Page {
        viewer,
        line: Line::from(&row),
        facts: envelope(&row, &device.key_id, manifest.as_ref()),
        public_key: device.public_key,
        reading,
        device_says,
        entitlement,
        ledger_notes,
    })
}

/// The stored document with every text of outside made visible before anything is rendered.
fn shown(text: &str) -> Result<Reading, PageError> {
    let internal = |error: serde_json::Error| {
        PageError::Internal(format!("a stored reading is not understood: {error}"))
    };
    let value = serde_json::from_str(text).map_err(internal)?;
    serde_json::from_value(visible_value(value)).map_err(internal)
}

fn verdicts(diagnosis: &Diagnosis) -> (assay_bundle::Overall, Vec<(&str, &str, Verdict)>) {
    let findings = diagnosis.findings.iter();
    (diagnosis.overall, findings.map(|f| (f.code.as_str(), f.title.as_str(), f.verdict)).collect())
}

fn envelope(row: &BundleRow, key_id: &str, manifest: Option<&Manifest>) -> Envelope {
    let text = |get: fn(&Manifest) -> Option<&str>| known(manifest.and_then(get), "not known");
    Envelope {
        sha256: row.sha256.clone(),
        size: assay_bundle::units::Bytes(u64::try_from(row.size_bytes).unwrap_or_default()).to_string(),
        key_id: key_id.to_owned(),
        firmware: text(|m| m.device.firmware.as_deref()),
        agent: text(|m| Some(&m.agent.version)),
        reason: manifest
            .and_then(|m| serde_json::to_value(m.reason).ok())
            .and_then(|value| value.as_str().map(|word| word.replace('_', " ")))
            .unwrap_or_else(|| "not known".to_owned()),
        device_time: text(|m| Some(&m.clock.device_time)),
        freshness: match manifest.and_then(|m| m.request_id.as_deref().zip(m.nonce.as_deref())) {
            Some((request, _)) => format!("names request {request}"),
            None => "unproven: made for no request".to_owned(),
        },
        boot_id: text(|m| m.boot_id.as_deref()),
        recipients: manifest.map(|m| m.recipients.clone()).unwrap_or_default(),
        parser_set: manifest.map_or(0, |m| m.parser_set),
        rule_pack: manifest.map_or(0, |m| m.rule_pack),
        rule_set: manifest.map_or(0, |m| m.redaction.rule_set),
        namespace: manifest.map_or(assay_bundle::sshsig::namespace::BUNDLE, Manifest::namespace),
    }
}

fn entitlement_words(reading: &Reading) -> String {
    let entitlement = &reading.entitlement;
    let period = match &entitlement.standard_period {
        StandardPeriod::Years { years, series, .. } => {
            format!("Standard warranty of series {series}: {years} years.")
        }
        StandardPeriod::Unknown { why } => format!("Standard warranty period not known: {why}."),
    };
    let today = coverage_words(&entitlement.standard);
    format!("{period} {today} Rules: {}.", entitlement.rules.join(", "))
}
