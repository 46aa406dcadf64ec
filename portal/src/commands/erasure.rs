//! `assay-portal export` and `assay-portal delete`: hand out all of a device, and leave nothing of it but a receipt.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::statement::{STATEMENT_FORMAT, Signed};

use super::card::published;
use crate::clock;
use crate::config::Settings;
use crate::files::{DataDir, write_whole};
use crate::identity::Identity;
use crate::store::Store;
use crate::store::devices::Device;
use crate::store::erasure::Deletion;

/// A device by its portal's name or key, revoked ones too.
async fn device(store: &Store, text: &str) -> anyhow::Result<Device> {
    let mut named = store.devices_named(text).await?;
    match (named.pop(), named.is_empty()) {
        (Some(device), true) => Ok(device),
        (Some(_), false) => bail!("{text:?} means more than one key: name one by its fingerprint"),
        (None, _) => bail!("no device is called {text:?}: see the portal's queue for names"),
    }
}

/// Writes everything of a device into a new folder.
///
/// # Errors
/// When the device is not known, the folder is there, or something cannot be read or written.
pub async fn export(settings: &Settings, name: &str, out: &Path) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let store = Store::open(&dir.database()).await?;
    let device = device(&store, name).await?;
    let make = |path: PathBuf| {
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make the folder {}: name one that is not there", path.display()))
    };
    make(out.to_path_buf())?;
    make(out.join("bundles"))?;
    make(out.join("readings"))?;
    make(out.join("documents"))?;
    let about = serde_json::json!({
        "device_id": device.id, "key_id": device.key_id, "public_key": device.public_key, "model": device.model,
        "serial": device.serial, "enrolled_at": clock::rfc3339(device.enrolled_at), "last_seq": device.last_seq,
        "revoked_at": device.revoked_at.map(clock::rfc3339),
    });
    write_whole(&out.join("device.json"), &serde_json::to_vec_pretty(&about)?, 0o600)?;
    for document in store.documents_of(&device.id).await? {
        let signed = Signed { document: document.document, signature: document.signature };
        let path = out.join("documents").join(format!("{}-{}.json", document.kind, document.id));
        write_whole(&path, &serde_json::to_vec(&signed)?, 0o600)?;
    }
    let bundles = store.bundle_files_of(&device.id).await?;
    for (id, _) in &bundles {
        for folder in [dir.objects(), dir.quarantine()] {
            let from = folder.join(id);
            if from.exists() {
                let to = out.join("bundles").join(format!("{id}.assay"));
                std::fs::copy(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
            }
        }
        if let Some(reading) = store.reading(id).await? {
            write_whole(&out.join("readings").join(format!("{id}.json")), reading.as_bytes(), 0o600)?;
        }
    }
    store.close().await;
    super::print(&format!("exported     {} bundles to {}\n", bundles.len(), out.display()))?;
    Ok(())
}

/// Deletes a device and prints the signed receipt.
///
/// # Errors
/// When the portal serves, the device is not known or `--yes` is missing; or, with the files that are left, when one cannot be removed.
pub async fn delete(settings: &Settings, name: &str, yes: bool) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    // No upload and no worker may have a file of it in hand.
    let _taken = dir.take().context("a device is deleted while the portal does not serve")?;
    let card = published(&dir)?;
    let identity = Identity::open(&dir)?;
    let store = Store::open(&dir.database()).await?;
    let device = device(&store, name).await?;
    let bundles = store.bundle_files_of(&device.id).await?;
    if !yes {
        bail!(
            "this destroys {} bundles of key {} for good: export them first (assay-portal export), then give --yes",
            bundles.len(),
            device.key_id
        );
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let requests = store.newest_requests(Some(&device.id), i64::MAX).await?;
    let receipt = DeletionReceipt {
        format: STATEMENT_FORMAT,
        id: uuid::Uuid::now_v7().to_string(),
        device_id: device.id.clone(),
        key_id: device.key_id.clone(),
        deleted_unix_s: clock::now_unix_s(),
        bundles: count(bundles.len()),
        bundle_bytes: bundles.iter().map(|(_, size)| u64::try_from(*size).unwrap_or_default()).sum(),
        requests: count(requests.len()),
        portal_fingerprint: card.fingerprint(),
    };
    let signed = Signed::new(&receipt, &identity.online)?;
    // Files first: a stop in between leaves rows without files, and the same command ends the work.
    let uploads = store.upload_files_of(&device.id).await?;
    let kept = bundles.iter().flat_map(|(id, _)| [dir.objects().join(id), dir.quarantine().join(id)]);
    for path in kept.chain(uploads.iter().map(|id| dir.uploads().join(id))) {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
        }
    }
    let deletion = Deletion {
        id: &receipt.id,
        now: receipt.deleted_unix_s,
        document: &signed.document,
        signature: &signed.signature,
    };
    store.erase_device(&device.id, &deletion).await?;
    store.close().await;
    super::print(&format!("{}\n", serde_json::to_string(&signed)?))?;
    Ok(())
}
