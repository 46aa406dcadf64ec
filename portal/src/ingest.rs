//! What happens to a bundle: limits -> signature -> consent, where it answers a request -> decrypt in the worker -> digests -> read `raw/` again into facts ->
//! diagnose again -> store.
//!
//! The first two steps are done here, against the enrolled key; everything that needs the payload is done by a process
//! of its own ([`crate::worker`]), which may crash. A bundle that is refused keeps its bytes in quarantine and gets a
//! receipt with the reason; our own trouble (no identity, no memory for a process) decides nothing and is tried again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_bundle::Manifest;
use assay_bundle::health_report::is_boot_id;
use assay_bundle::manifest::RunSource;
use assay_bundle::receipt::{Receipt, ReceiptStatus};
use assay_bundle::sshsig::{self, namespace};
use tokio::task::{Id, JoinSet};

use crate::app::{App, Shared};
use crate::boots::{self, Doubt, Heard, Used};
use crate::clock;
use crate::files::{FileError, sync_folder};
use crate::refusal::chain;
use crate::store::bundles::{Answers, Decided, Outcome, Pending};
use crate::store::devices::Device;
use crate::store::{Kind, StoreError};

pub mod compare;
pub mod envelope;
pub mod process;
pub mod reading;
pub mod request;

use envelope::Admitted;
use reading::Reading;
use request::Answered;

/// Workers at once: each may take half a GiB and a processor.
const AT_ONCE: usize = 2;
/// How often is looked for bundles that another process queued (`assay-portal bundle import`), which cannot ring.
const LOOK: Duration = Duration::from_secs(5);
/// For how long a bundle is taken, in seconds: after that, a portal that died has lost it.
const LEASE_S: i64 = 60;
/// How often it is kept for longer; the clocks of two portals may differ by what is left then.
const RENEW: Duration = Duration::from_secs(20);
/// After trouble of our own, a bundle rests for so long.
const REST: Duration = Duration::from_secs(30);

/// Why a bundle has no outcome, or this one.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The bundle is refused, for good, with the reason for its receipt.
    #[error("refused: {0}")]
    Refused(String),
    /// We could not look; nothing is decided.
    #[error("cannot look at the bundle: {0}")]
    Trouble(String),
}

impl From<StoreError> for IngestError {
    fn from(error: StoreError) -> Self {
        Self::Trouble(chain(&error))
    }
}

impl From<FileError> for IngestError {
    fn from(error: FileError) -> Self {
        Self::Trouble(chain(&error))
    }
}

/// Everything that was learnt about an accepted bundle.
struct Learnt {
    admitted: Admitted,
    reading: Box<Reading>,
    answered: Option<Answered>,
    flags: Vec<String>,
}

/// The sentence.
async fn ingest(app: &App, bundle: &Pending) -> Result<(), IngestError> {
    let gone = || IngestError::Trouble("its device is being deleted".to_owned());
    let _working = app.busy.enter(&bundle.device_id).ok_or_else(gone)?;
    let device = app.store.of(&bundle.tenant).device(&bundle.device_id).await?;
    let device = device.ok_or_else(|| IngestError::Trouble("its device is gone".to_owned()))?;
    let object = keep(app, bundle)?;
    let learnt = look(app, bundle, &device, &object).await;
    match learnt {
        Err(IngestError::Trouble(why)) => Err(IngestError::Trouble(why)),
        Err(IngestError::Refused(reason)) => refuse(app, bundle, &device, &object, &reason).await,
        Ok(learnt) => accept(app, bundle, &device, &learnt).await,
    }
}

async fn look(app: &App, bundle: &Pending, device: &Device, object: &Path) -> Result<Learnt, IngestError> {
    let envelope = envelope::read(object).await?;
    let former =
        app.store.of(&bundle.tenant).former_key(&device.id, &envelope.manifest.device.key_id).await?;
    let admitted = envelope::admit(envelope, device, former.as_ref(), &|named| app.is_our_recipient(named))?;
    let answered = request::check(app, bundle, &admitted).await?;
    let mut reading = process::read(app, object, bundle.received_at).await?;
    by_ledger(app, &admitted.manifest, device, bundle.received_at, &mut reading).await?;
    let mut flags = flags(&admitted.manifest, device, &reading);
    if let Some(doubt) = hear(app, bundle, device, &admitted.manifest).await? {
        flags.push(format!("{}: {}", doubt.name(), doubt.words()));
    } else if let Some(doubt) = &device.doubt {
        flags.push(format!("{} (not decided yet): {}", boots::name_of(doubt), device.doubt_words));
    }
    if let Some(by) = &bundle.brought_by {
        let code = match answered.as_ref().is_some_and(|answered| answered.consent_id.is_none()) {
            true => {
                " It answers a request that its owner named on the device, by code or file; there is no consent record."
            }
            false => "",
        };
        flags.insert(0, format!("Brought by hand by {by}: the device did not send it itself.{code}"));
    }
    Ok(Learnt { admitted, reading, answered, flags })
}

/// What the boot and number of a live bundle tell of the unit behind the key.
async fn hear(
    app: &App,
    bundle: &Pending,
    device: &Device,
    manifest: &Manifest,
) -> Result<Option<Doubt>, IngestError> {
    let boot_id = manifest.boot_id.clone().filter(|id| is_boot_id(id));
    let (RunSource::Live, Some(boot_id)) = (manifest.source, boot_id) else { return Ok(None) };
    let seq = i64::try_from(manifest.seq).unwrap_or(i64::MAX);
    let mut used = Used::No;
    for text in app.store.of(&bundle.tenant).manifests_of_seq(&device.id, seq, &bundle.id).await? {
        // One that is not understood any more says nothing.
        let Ok(other) = serde_json::from_str::<Manifest>(&text) else { continue };
        match other.boot_id.as_ref() == Some(&boot_id) {
            true => used = Used::BySameBoot,
            false if used == Used::No => used = Used::ByOtherBoot,
            false => {}
        }
    }
    let made: Option<jiff::Timestamp> = manifest.clock.device_time.parse().ok();
    let heard = Heard {
        boot_id,
        at: bundle.received_at,
        is_live: false,
        made_at: made.filter(|_| manifest.clock.plausible).map(|made| made.as_second()),
        seq: Some(seq),
        used,
    };
    Ok(app.store.of(&bundle.tenant).heard(&device.id, &heard).await?)
}

/// What the terms grant and what to do, by what the ledger has of the unit. A recording is of the unit that it names.
async fn by_ledger(
    app: &App,
    manifest: &Manifest,
    device: &Device,
    received_at: i64,
    reading: &mut Reading,
) -> Result<(), IngestError> {
    let own = device.serial.as_deref().filter(|_| manifest.source == RunSource::Live);
    let record = app.store.ledger_of_device(manifest.device.serial.as_deref().or(own)).await?;
    reading.judge(clock::day(received_at), record.as_ref());
    Ok(())
}

/// Moves the bytes to where bundles are kept; a second time, nothing is left to do.
fn keep(app: &App, bundle: &Pending) -> Result<PathBuf, IngestError> {
    let (from, to) = (app.dir.uploads().join(&bundle.upload_id), app.dir.objects().join(&bundle.id));
    if !to.exists() {
        let failed = |source| FileError { what: "move an upload to", path: to.clone(), source };
        std::fs::rename(&from, &to).map_err(failed)?;
        sync_folder(&app.dir.objects()).map_err(failed)?;
    }
    Ok(to)
}

/// What an engineer has to see before anything else. None of these refuses a bundle.
fn flags(manifest: &Manifest, device: &Device, reading: &Reading) -> Vec<String> {
    let mut flags = Vec::new();
    let last_seq = u64::try_from(device.last_seq).unwrap_or_default();
    if manifest.seq <= last_seq {
        flags.push(format!(
            "Number {} is not above the last accepted one ({last_seq}): an older state of the device was restored, \
             two devices share one key, or bundles arrived out of order.",
            manifest.seq
        ));
    }
    if manifest.source == RunSource::Live && manifest.device.serial.is_none() && device.serial.is_some() {
        flags.push("The device could not read its own serial number in this run.".to_owned());
    }
    if !manifest.clock.plausible {
        flags.push("The device's clock is implausible: its times mean nothing.".to_owned());
    }
    match reading.contradictions.len() {
        0 => {}
        count => flags.push(format!(
            "Facts ≠ raw: {count} value(s) that the device states are not what its own raw files say. The portal's \
             reading counts."
        )),
    }
    if reading.device_diagnosis.as_ref().is_none_or(|device| device.overall != reading.diagnosis.overall) {
        flags.push("The device's verdict differs from the portal's.".to_owned());
    }
    flags
}

async fn accept(app: &App, bundle: &Pending, device: &Device, learnt: &Learnt) -> Result<(), IngestError> {
    let manifest = &learnt.admitted.manifest;
    let evidence = manifest.source == RunSource::Live;
    let overall = learnt.reading.diagnosis.overall;
    let seq = i64::try_from(manifest.seq).unwrap_or(i64::MAX);
    let last_seq = device.last_seq.max(seq);
    let receipt = Receipt {
        bundle_sha256: bundle.sha256.clone(),
        bundle_id: bundle.id.clone(),
        status: ReceiptStatus::Accepted,
        reason: String::new(),
        received_at: clock::rfc3339(bundle.received_at),
        evidence,
        overall: Some(overall),
        last_seq: u64::try_from(last_seq).unwrap_or_default(),
        request_id: learnt.answered.as_ref().map(|answered| answered.request_id.clone()),
        ready: learnt.answered.as_ref().is_some_and(|answered| answered.ready),
    };
    let (receipt, signature) = signed(app, &receipt)?;
    let document = reading::to_json(&learnt.reading)?;
    let source = word(&manifest.source)?;
    let outcome = Outcome {
        accepted: true,
        reason: "",
        source: Some(&source),
        evidence,
        seq: Some(seq),
        model: manifest.device.model.as_deref(),
        serial: manifest.device.serial.as_deref(),
        overall: Some(&word(&overall)?),
        device_overall: Some(&word(&manifest.summary.overall)?),
        flags: &json(&learnt.flags)?,
        manifest: Some((&learnt.admitted.manifest_text, &learnt.admitted.signature)),
        reading: Some(&document),
        receipt: (&receipt, &signature),
        last_seq,
        answers: learnt.answered.as_ref().map(|answered| Answers {
            request_id: &answered.request_id,
            consent_id: answered.consent_id,
            ready: answered.ready,
            now: clock::now_unix_s(),
        }),
    };
    match app.store.of(&bundle.tenant).decide_bundle(bundle, &outcome).await? {
        Decided::Done => {
            tracing::info!(bundle = %bundle.id, device = %device.id, overall = overall.words(), evidence, "accepted");
        }
        Decided::Before => {}
        Decided::RequestChanged => {
            return Err(IngestError::Trouble("its request changed while it was read".to_owned()));
        }
    }
    Ok(())
}

async fn refuse(
    app: &App,
    bundle: &Pending,
    device: &Device,
    object: &Path,
    reason: &str,
) -> Result<(), IngestError> {
    let receipt = Receipt {
        bundle_sha256: bundle.sha256.clone(),
        bundle_id: bundle.id.clone(),
        status: ReceiptStatus::Refused,
        reason: reason.to_owned(),
        received_at: clock::rfc3339(bundle.received_at),
        evidence: false,
        overall: None,
        last_seq: u64::try_from(device.last_seq).unwrap_or_default(),
        request_id: None,
        ready: false,
    };
    let (receipt, signature) = signed(app, &receipt)?;
    let outcome = Outcome {
        accepted: false,
        reason,
        source: None,
        evidence: false,
        seq: None,
        model: None,
        serial: None,
        overall: None,
        device_overall: None,
        flags: "[]",
        manifest: None,
        reading: None,
        receipt: (&receipt, &signature),
        last_seq: device.last_seq,
        answers: None,
    };
    if app.store.of(&bundle.tenant).decide_bundle(bundle, &outcome).await? == Decided::Done {
        tracing::warn!(bundle = %bundle.id, device = %device.id, ?reason, "refused");
        // After the decision: a stop in between leaves the bytes among the objects, where nobody opens them either.
        let quarantined = app.dir.quarantine().join(&bundle.id);
        std::fs::rename(object, &quarantined).map_err(|source| FileError {
            what: "move a refused bundle to",
            path: quarantined,
            source,
        })?;
    }
    Ok(())
}

fn signed(app: &App, receipt: &Receipt) -> Result<(String, String), IngestError> {
    let text = json(receipt)?;
    let signature = sshsig::sign(&app.online, namespace::RECEIPT, text.as_bytes());
    Ok((text, signature))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, IngestError> {
    serde_json::to_string(value).map_err(|error| IngestError::Trouble(chain(&error)))
}

/// The one word of a unit variant, without its quotes.
fn word<T: serde::Serialize>(value: &T) -> Result<String, IngestError> {
    json(value).map(|text| text.trim_matches('"').to_owned())
}

/// Starts the loop that takes waiting bundles, those of before the last stop included.
pub fn start(app: &Shared) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(run(app.clone()));
    tasks
}

/// Whether the bytes are in our folder: of several portals, one with a folder of its own reads what came to it. A portal
/// that is alone looks for them and says that they are missing.
fn is_here(app: &App, bundle: &Pending) -> bool {
    app.store.kind() == Kind::Sqlite
        || app.dir.uploads().join(&bundle.upload_id).exists()
        || app.dir.objects().join(&bundle.id).exists()
}

/// Reads a bundle that we have taken, and keeps it taken meanwhile.
async fn leased(app: &App, bundle: &Pending) -> Result<(), IngestError> {
    let work = ingest(app, bundle);
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(RENEW) => {
                let until = clock::now_unix_s() + LEASE_S;
                if !app.store.renew_lease(&bundle.id, &app.me, until).await? {
                    return Err(IngestError::Trouble("another portal took it over".to_owned()));
                }
            }
        }
    };
    app.store.end_lease(&bundle.id, &app.me).await?;
    done
}

async fn run(app: Shared) {
    let mut busy: JoinSet<Result<(), IngestError>> = JoinSet::new();
    // Bundle and device of each task, and bundles that rest after trouble.
    let mut taken: HashMap<Id, Pending> = HashMap::new();
    let mut resting: HashMap<String, tokio::time::Instant> = HashMap::new();
    loop {
        resting.retain(|_, until| *until > tokio::time::Instant::now());
        match app.store.pending_bundles().await {
            Ok(pending) => {
                for bundle in pending {
                    // One at a time for each device, so that its numbers are judged in order.
                    let in_hand = taken.values().any(|t| t.device_id == bundle.device_id);
                    if busy.len() >= AT_ONCE || in_hand || resting.contains_key(&bundle.id) {
                        continue;
                    }
                    if !is_here(&app, &bundle) {
                        continue;
                    }
                    let now = clock::now_unix_s();
                    match app.store.lease_bundle(&bundle, &app.me, now, now + LEASE_S).await {
                        Ok(true) => {}
                        Ok(false) => continue,
                        Err(error) => {
                            tracing::error!(error = %chain(&error), "a waiting bundle cannot be taken");
                            continue;
                        }
                    }
                    let (app, job) = (app.clone(), bundle.clone());
                    let task = busy.spawn(async move { leased(&app, &job).await });
                    taken.insert(task.id(), bundle);
                }
            }
            Err(error) => tracing::error!(error = %chain(&error), "waiting bundles cannot be listed"),
        }
        tokio::select! {
            () = app.bell.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(ended) = busy.join_next_with_id() => {
                let (id, result) = match ended {
                    Ok((id, result)) => (id, result),
                    Err(error) => (error.id(), Err(IngestError::Trouble(chain(&error)))),
                };
                if let Some(bundle) = taken.remove(&id)
                    && let Err(error) = result
                {
                    tracing::error!(bundle = %bundle.id, error = %chain(&error), "a bundle waits and is tried again");
                    resting.insert(bundle.id, tokio::time::Instant::now() + REST);
                }
            }
        }
    }
}
