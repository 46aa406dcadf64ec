//! What can be decided before anything is decrypted: form, signature, whose, for whom, and whether it was redacted.
//!
//! Refused are: a plain payload, a signature by any key but the enrolled one, a manifest that names another key or
//! another unit, one without a redaction rule set, and one that is not encrypted to us.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use assay_bundle::Manifest;
use assay_bundle::archive::{ArchiveError, Envelope, Limits, PayloadForm, read_envelope};
use assay_bundle::keys::PublicKey;
use assay_bundle::manifest::RunSource;

use super::IngestError;
use crate::refusal::chain;
use crate::store::devices::Device;
use crate::store::key_life::FormerKey;

/// How long after its replacement a key may have sealed, by the device's clock, in seconds: a run that had begun, and a
/// clock that is wrong by days (judgement: a week).
const OVERLAP_S: i64 = 7 * 86_400;

/// An envelope that may go on to the worker.
pub struct Admitted {
    /// What is signed.
    pub manifest: Manifest,
    /// Its exact text.
    pub manifest_text: String,
    /// The signature.
    pub signature: String,
}

/// Reads manifest and signature under the limits.
///
/// # Errors
/// Refused when it is no bundle; trouble when the file cannot be read.
pub async fn read(object: &Path) -> Result<Envelope, IngestError> {
    let object = object.to_path_buf();
    let read = tokio::task::spawn_blocking(move || {
        let mut file = BufReader::new(File::open(&object).map_err(ArchiveError::Io)?);
        read_envelope(&mut file, &Limits::default())
    });
    match read.await {
        Ok(Ok(envelope)) => Ok(envelope),
        Ok(Err(error @ ArchiveError::Io(_))) => Err(IngestError::Trouble(chain(&error))),
        Ok(Err(error)) => Err(IngestError::Refused(chain(&error))),
        Err(error) => Err(IngestError::Trouble(chain(&error))),
    }
}

/// Admits the envelope of a device, or says why not.
///
/// # Errors
/// Refused, with the reason and the next step.
pub fn admit(
    envelope: Envelope,
    device: &Device,
    former: Option<&FormerKey>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Result<Admitted, IngestError> {
    let refuse = |reason: String| Err(IngestError::Refused(reason));
    if envelope.form != PayloadForm::Sealed {
        return refuse(
            "the payload is not encrypted: upload the sealed form, which the device makes after enrolment"
                .to_owned(),
        );
    }
    // What was sealed before the key changed is signed by the key of then; the call that brought it is the present key's.
    let (key_id, public_key) = match former {
        Some(former) => (&former.key_id, &former.public_key),
        None => (&device.key_id, &device.public_key),
    };
    let key = PublicKey::from_openssh(public_key).map_err(|error| IngestError::Trouble(chain(&error)))?;
    if let Err(error) = envelope.verify_signature(&key) {
        return refuse(chain(&error));
    }
    let manifest = &envelope.manifest;
    if manifest.device.key_id != *key_id {
        return refuse(format!(
            "the manifest names key {}, but it was signed and sent by {key_id}",
            manifest.device.key_id
        ));
    }
    if let Some(until) = former.and_then(|former| former.valid_to)
        && manifest.clock.plausible
        && let Ok(made) = manifest.clock.device_time.parse::<jiff::Timestamp>()
        && made.as_second() > until.saturating_add(OVERLAP_S)
    {
        return refuse(format!(
            "it was sealed under key {key_id} after that key had been replaced: collect anew, under the key of now"
        ));
    }
    // A recording is of another unit by nature, and it is no evidence about this one.
    if manifest.source == RunSource::Live
        && let (Some(enrolled), Some(named)) = (&device.serial, &manifest.device.serial)
        && enrolled != named
    {
        return refuse(format!(
            "it was made on serial number {named}, but its key is enrolled for {enrolled}: enrol this unit again"
        ));
    }
    if manifest.redaction.rule_set == 0 {
        return refuse("the manifest names no redaction rule set: nothing unredacted is taken".to_owned());
    }
    if !manifest.recipients.iter().any(|named| is_ours(named)) {
        return refuse("it is encrypted for another recipient: seal it again for this portal".to_owned());
    }
    let Ok(manifest_text) = String::from_utf8(envelope.manifest_bytes) else {
        return refuse("the manifest is not UTF-8".to_owned());
    };
    Ok(Admitted { manifest: envelope.manifest, manifest_text, signature: envelope.signature })
}
