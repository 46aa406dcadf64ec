//! What a verdict slip is worth here: which enrolled key signed it, whether it came whole, and what it says.
//!
//! A slip is for triage only. It opens no case, passes no gate and is not kept. Refused are a text that is none, and one
//! whose signature does not fit: a slip of a key that was never enrolled is read, and said to be nobody's.

use assay_bundle::keys::PublicKey;
use assay_bundle::manifest::RunSource;
use assay_bundle::slip::{Slip, SlipError};
use assay_bundle::sshsig::SignatureError;

use crate::store::devices::Device;
use crate::store::{StoreError, TenantStore};

/// A slip whose signature fits.
pub struct Examined {
    /// What it says.
    pub slip: Slip,
    /// The device whose key signed it; none where the key was never enrolled here.
    pub device: Option<Device>,
}

/// Why a slip says nothing.
#[derive(Debug, thiserror::Error)]
pub enum SlipRefusal {
    /// It is none.
    #[error(transparent)]
    Form(#[from] SlipError),
    /// Its signature does not fit.
    #[error("the slip is forged or was typed wrong: scan it again, or ask for a bundle")]
    Signature(#[from] SignatureError),
    /// The enrolled key cannot be read.
    #[error("the enrolled key cannot be read")]
    Key(#[source] assay_bundle::keys::KeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a slip and looks for its key among the tenant's.
///
/// # Errors
/// When it is no slip, or not signed as it says.
pub async fn examine(store: TenantStore<'_>, text: &str) -> Result<Examined, SlipRefusal> {
    let read = Slip::read(text)?;
    let device = store.device_by_key(&read.slip.key_id).await?;
    match &device {
        Some(device) => {
            read.verify(&PublicKey::from_openssh(&device.public_key).map_err(SlipRefusal::Key)?)?
        }
        None => read.is_whole()?,
    }
    Ok(Examined { slip: read.slip, device })
}

impl Examined {
    /// Whose it is, in a sentence.
    pub fn whose(&self) -> String {
        match &self.device {
            None => {
                "UNKNOWN KEY: it came whole, and its key was never enrolled here: nobody can say whose it is"
                    .to_owned()
            }
            Some(device) if device.revoked_at.is_some() => {
                format!("signed by a key of device {} THAT WAS REVOKED", device.id)
            }
            Some(device) => format!("signed by the enrolled key of device {}", device.id),
        }
    }

    /// What speaks against relying on it even for triage.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.slip.source != RunSource::Live {
            warnings.push("It was made of a recording: it says nothing of the machine that signed it.");
        }
        let enrolled = self.device.as_ref().and_then(|device| device.serial.as_ref());
        if let (Some(enrolled), Some(named)) = (enrolled, &self.slip.serial)
            && enrolled != named
        {
            warnings.push("The key is enrolled for another serial number: drives may sit in another unit.");
        }
        warnings
    }

    /// The counts in a line.
    pub fn counts(&self) -> String {
        let summary = &self.slip.summary;
        format!(
            "{} confirmed, {} suspected, {} to watch, {} cannot tell",
            summary.confirmed, summary.suspected, summary.watch, summary.cannot_tell
        )
    }
}
