//! Deleting all of a device, with the earlier enrolments of its unit whose key moved to it: files first, then rows, and a
//! signed receipt is what is left.
//!
//! A stop in between leaves rows without files, and asking again ends the work. Whoever calls this has made sure that
//! nobody has a file of the device in hand.

use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::enrolment::PortalCard;
use assay_bundle::keys::SigningKey;
use assay_bundle::statement::{STATEMENT_FORMAT, Signed, StatementError};

use crate::clock;
use crate::files::{DataDir, FileError};
use crate::store::devices::Device;
use crate::store::erasure::Deletion;
use crate::store::{StoreError, TenantStore};

/// Why a device was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The receipt cannot be signed: our own bug.
    #[error("the receipt of the deletion cannot be made")]
    Receipt(#[from] StatementError),
}

/// Deletes a device and gives the receipt.
///
/// # Errors
/// With what is left, when something cannot be removed.
pub async fn erase(
    dir: &DataDir,
    store: TenantStore<'_>,
    card: &PortalCard,
    online: &SigningKey,
    device: &Device,
) -> Result<Signed, EraseError> {
    let unit = store.same_unit(device).await?;
    let (mut bundles, mut uploads, mut requests) = (Vec::new(), Vec::new(), 0);
    for one in &unit {
        bundles.extend(store.bundle_files_of(&one.id).await?);
        uploads.extend(store.upload_files_of(&one.id).await?);
        requests += store.newest_requests(Some(&one.id), i64::MAX).await?.len();
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let receipt = DeletionReceipt {
        format: STATEMENT_FORMAT,
        id: uuid::Uuid::now_v7().to_string(),
        device_id: device.id.clone(),
        key_id: device.key_id.clone(),
        deleted_unix_s: clock::now_unix_s(),
        bundles: count(bundles.len()),
        bundle_bytes: bundles.iter().map(|(_, size)| u64::try_from(*size).unwrap_or_default()).sum(),
        requests: count(requests),
        portal_fingerprint: card.fingerprint(),
    };
    let signed = Signed::new(&receipt, online)?;
    let kept = bundles.iter().flat_map(|(id, _)| [dir.objects().join(id), dir.quarantine().join(id)]);
    // A bundle that waits may lie under its upload's name still.
    for path in kept.chain(uploads.iter().map(|id| dir.uploads().join(id))) {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(FileError { what: "remove", path, source }.into()),
        }
    }
    let deletion = Deletion {
        id: &receipt.id,
        now: receipt.deleted_unix_s,
        document: &signed.document,
        signature: &signed.signature,
    };
    let ids: Vec<String> = unit.into_iter().map(|one| one.id).collect();
    store.erase_devices(&ids, &deletion).await?;
    Ok(signed)
}
