//! `GET /devices/{id}`: one enrolled key, its bundles, and what it reports of itself.

use askama::Template;
use assay_bundle::Verdict;
use assay_bundle::consent::{Consent, Safeguard};
use assay_bundle::health_report::HealthReport;
use assay_warranty::entitlement_of;
use axum::extract::{Path, State};
use axum::response::Html;

use crate::app::Shared;
use crate::boots;
use crate::clock;
use crate::display::visible;
use crate::ledger::plans;
use crate::ledger::record::Record;
use crate::page::{PageError, Viewer, render};
use crate::store::devices::Device;
use crate::store::reports::KeptReport;
use crate::store::requests::RequestRow;
use crate::view::{Badge, Line, coverage_words, known};

/// Bundles shown.
const MOST: i64 = 100;
/// Support requests and sessions shown.
const MOST_REQUESTS: i64 = 10;
/// Health reports shown.
const MOST_REPORTS: i64 = 7;

/// A device in words.
struct Shown {
    id: String,
    model: String,
    serial: String,
    key_id: String,
    enrolled: String,
    revoked: Option<String>,
    revoked_words: String,
    moved_to: Option<String>,
    /// What is in doubt about the unit behind the key: two words, since when, why.
    doubt: Option<(&'static str, String, String)>,
    last_seq: i64,
}

impl From<&Device> for Shown {
    fn from(device: &Device) -> Self {
        Self {
            id: device.id.clone(),
            model: known(device.model.as_deref(), "model not known"),
            serial: known(device.serial.as_deref(), "serial not known"),
            key_id: device.key_id.clone(),
            enrolled: clock::for_people(device.enrolled_at),
            revoked: device.revoked_at.map(clock::for_people),
            revoked_words: visible(device.revoked_words()),
            moved_to: device.moved_to.clone(),
            doubt: device.doubt.as_deref().map(|doubt| {
                let since = device.doubt_at.map(clock::for_people).unwrap_or_default();
                (boots::name_of(doubt), since, visible(&device.doubt_words))
            }),
            last_seq: device.last_seq,
        }
    }
}

/// A support request in words.
struct ShownRequest {
    id: String,
    state: &'static str,
    issued: String,
    expires: String,
    engineer: String,
    bundle: Option<String>,
    words: String,
    /// That there is no recovery copy, and until when that was accepted: shown in red.
    waiver: Option<String>,
}

/// A remote session in words.
struct ShownSession {
    state: &'static str,
    opened: String,
    engineer: String,
}

impl ShownRequest {
    fn of(row: &RequestRow, consent: Option<&Consent>, now: i64) -> Self {
        let waiver = consent.and_then(|consent| match &consent.safeguard {
            Safeguard::Copy(_) => None,
            Safeguard::Waiver(waiver) => Some(format!(
                "No recovery copy: {}. The owner accepted that until {} or until the configuration changes.",
                waiver.reason.words(),
                clock::for_people(waiver.expires_unix_s)
            )),
        });
        Self {
            id: row.id.clone(),
            state: row.state_words(now),
            issued: clock::for_people(row.issued_at),
            expires: clock::for_people(row.expires_at),
            engineer: visible(&row.engineer),
            bundle: row.bundle_id.clone(),
            words: visible(&row.words),
            waiver,
        }
    }
}

/// A health report in words: what the device says of itself.
struct Reported {
    received: String,
    verdict: Option<Badge>,
    findings: String,
    versions: String,
    waiting: String,
    recovery_copy: String,
    daemon: String,
}

impl Reported {
    /// Nothing for a report that is not understood any more.
    fn read(kept: &KeptReport) -> Option<Self> {
        let report: HealthReport = serde_json::from_str(&kept.report).ok()?;
        let check = report.last_check.as_ref();
        let findings = check.into_iter().flat_map(|check| &check.findings).map(|finding| {
            let verdict: Verdict = finding.verdict;
            format!("{} {} ({})", finding.count, visible(&finding.code), verdict.word())
        });
        let findings: Vec<String> = findings.collect();
        let firmware =
            report.versions.firmware.as_deref().map_or_else(String::new, |f| format!(", firmware {f}"));
        let spool = report.spool;
        let daemon = report.daemon;
        Some(Self {
            received: clock::for_people(kept.received_at),
            verdict: check.map(|check| Badge::of(check.overall)),
            findings: if findings.is_empty() { "none".to_owned() } else { findings.join(", ") },
            versions: visible(&format!(
                "agent {}{firmware}, rules {}",
                report.versions.agent, report.versions.rule_pack
            )),
            waiting: format!("{} waiting, {} refused", spool.waiting, spool.refused),
            recovery_copy: match report.recovery_copy_age_s {
                Some(age_s) => format!("{} days old", age_s / 86_400),
                None => "none that it can tell of".to_owned(),
            },
            daemon: format!(
                "{} jobs done, {} failed, {} failing now",
                daemon.runs, daemon.failures, daemon.crash_loops
            ),
        })
    }
}

/// What the ledger has of the unit, in words.
struct Sold {
    status: String,
    /// Why nothing ships for it.
    barred: Option<&'static str>,
    model: String,
    invoice: String,
    plans: String,
    price: String,
    moved_to: Option<String>,
    coverage: Vec<(&'static str, String)>,
}

impl Sold {
    fn of(record: &Record) -> Self {
        let purchase = record.purchase();
        let granted = entitlement_of(clock::today(), &purchase);
        let words = |coverage| visible(&coverage_words(coverage));
        Self {
            status: record.status.word().replace('-', " "),
            barred: record.status.bars_shipping(),
            model: known(purchase.model.as_deref(), "not recorded"),
            invoice: known(purchase.invoice_date.as_deref(), "not recorded"),
            plans: match purchase.plans.as_deref() {
                None => "not recorded".to_owned(),
                plans => plans::write(plans),
            },
            price: record.list_price.as_ref().map_or_else(|| "not recorded".to_owned(), ToString::to_string),
            moved_to: record.replaced_by.clone(),
            coverage: vec![
                ("Standard warranty", words(&granted.standard)),
                ("Extended warranty", words(&granted.extended)),
                ("Advanced replacement", words(&granted.advanced_replacement)),
                ("On-site service", words(&granted.on_site)),
            ],
        }
    }
}

#[derive(Template)]
#[template(path = "device.html")]
struct Page {
    viewer: Viewer,
    device: Shown,
    sold: Option<Sold>,
    others: Vec<Shown>,
    requests: Vec<ShownRequest>,
    sessions: Vec<ShownSession>,
    lines: Vec<Line>,
    reports: Vec<Reported>,
    /// Keys of before, with the times in which they counted.
    keys: Vec<(String, String, String)>,
    /// What happened: when, what, in words.
    events: Vec<(String, String, String)>,
}

/// Shows the device.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Html<String>, PageError> {
    let device = app.store.of(&viewer.tenant).device(&id).await?.ok_or(PageError::NotFound)?;
    let others = app.store.of(&viewer.tenant).same_serial(&device).await?;
    let record = app.store.ledger_of_device(device.serial.as_deref()).await?;
    let rows = app.store.of(&viewer.tenant).bundles_of_device(&device.id, MOST).await?;
    let now = clock::now_unix_s();
    let mut requests = Vec::new();
    for row in app.store.of(&viewer.tenant).newest_requests(Some(&device.id), MOST_REQUESTS).await? {
        let kept = app.store.of(&viewer.tenant).consent(&row.id).await?;
        // A consent that this version cannot read is shown as none; its bytes stay.
        let consent = kept.and_then(|kept| kept.consent().ok());
        requests.push(ShownRequest::of(&row, consent.as_ref(), now));
    }
    let sessions =
        app.store.of(&viewer.tenant).newest_support_sessions(Some(&device.id), MOST_REQUESTS).await?;
    let sessions = sessions.iter().map(|session| ShownSession {
        state: session.state_words(now),
        opened: clock::for_people(session.opened_at),
        engineer: visible(&session.engineer),
    });
    let reports = app.store.of(&viewer.tenant).reports_of_device(&device.id, MOST_REPORTS).await?;
    let keys = app.store.of(&viewer.tenant).keys_of(&device.id).await?.into_iter().filter_map(|key| {
        let until = clock::for_people(key.valid_to?);
        Some((key.key_id, clock::for_people(key.valid_from), until))
    });
    let events = app.store.of(&viewer.tenant).events_of(&device.id).await?.into_iter();
    let events =
        events.map(|event| (clock::for_people(event.at), visible(&event.what), visible(&event.words)));
    render(&Page {
        viewer,
        keys: keys.collect(),
        events: events.collect(),
        device: Shown::from(&device),
        sold: record.as_ref().map(Sold::of),
        others: others.iter().map(Shown::from).collect(),
        requests,
        sessions: sessions.collect(),
        lines: rows.iter().map(Line::from).collect(),
        reports: reports.iter().filter_map(Reported::read).collect(),
    })
}
