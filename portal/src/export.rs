//! Everything that is kept of a device, as a list of files: written into a folder by an operator, or sent to the device
//! itself as a tar.
//!
//! Bundles are as they were received, so encrypted to this portal; what was read of them stands beside them.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use assay_bundle::recovery::tape;
use assay_bundle::statement::Signed;

use crate::clock;
use crate::files::DataDir;
use crate::store::devices::Device;
use crate::store::{StoreError, TenantStore};

/// One file of an export.
pub struct Item {
    /// Path in the export.
    pub path: String,
    /// What is in it.
    pub content: Content,
}

/// Where the bytes of a file come from.
pub enum Content {
    /// Here they are.
    Bytes(Vec<u8>),
    /// A bundle as it was received.
    File(PathBuf),
}

/// Lists everything of a device.
///
/// # Errors
/// When the database fails, or a document cannot be written as JSON.
pub async fn items(dir: &DataDir, store: TenantStore<'_>, device: &Device) -> Result<Vec<Item>, ExportError> {
    let mut items = Vec::new();
    for (place, one) in store.same_unit(device).await?.iter().enumerate() {
        let about = if place == 0 { "device.json".to_owned() } else { format!("device-{}.json", one.id) };
        add_device(dir, store, one, about, &mut items).await?;
    }
    Ok(items)
}

async fn add_device(
    dir: &DataDir,
    store: TenantStore<'_>,
    device: &Device,
    about_path: String,
    items: &mut Vec<Item>,
) -> Result<(), ExportError> {
    let mut add = |path: String, content| items.push(Item { path, content });
    let keys = store.keys_of(&device.id).await?.into_iter().map(|key| {
        serde_json::json!({ "key_id": key.key_id, "public_key": key.public_key,
            "valid_from": clock::rfc3339(key.valid_from), "valid_to": key.valid_to.map(clock::rfc3339) })
    });
    let events = store.events_of(&device.id).await?.into_iter().map(|event| {
        serde_json::json!({ "at": clock::rfc3339(event.at), "what": event.what, "words": event.words })
    });
    let about = serde_json::json!({
        "device_id": device.id, "key_id": device.key_id, "public_key": device.public_key, "model": device.model,
        "serial": device.serial, "enrolled_at": clock::rfc3339(device.enrolled_at), "last_seq": device.last_seq,
        "revoked_at": device.revoked_at.map(clock::rfc3339), "revoked_reason": device.revoked_reason,
        "doubt": device.doubt, "keys": keys.collect::<Vec<_>>(), "events": events.collect::<Vec<_>>(),
    });
    add(about_path, Content::Bytes(serde_json::to_vec_pretty(&about)?));
    for document in store.documents_of(&device.id).await? {
        let signed = Signed { document: document.document, signature: document.signature };
        let path = format!("documents/{}-{}.json", document.kind, document.id);
        add(path, Content::Bytes(serde_json::to_vec(&signed)?));
    }
    for (place, report) in store.reports_of_device(&device.id, i64::MAX).await?.into_iter().enumerate() {
        add(format!("reports/{}-{place:04}.json", device.id), Content::Bytes(report.report.into_bytes()));
    }
    for (id, _) in store.bundle_files_of(&device.id).await? {
        for folder in [dir.objects(), dir.quarantine()] {
            let from = folder.join(&id);
            if from.exists() {
                add(format!("bundles/{id}.assay"), Content::File(from));
            }
        }
        if let Some(reading) = store.reading(&id).await? {
            add(format!("readings/{id}.json"), Content::Bytes(reading.into_bytes()));
        }
    }
    Ok(())
}

/// Writes an export as a tar.
///
/// # Errors
/// When something cannot be read or written.
pub fn write_tar(items: Vec<Item>, out: &mut dyn Write) -> io::Result<()> {
    let now = clock::now_unix_s();
    for item in items {
        let mut write = |size_bytes: u64, from: &mut dyn io::Read| {
            tape::write_head(out, &tape::Item::document(&item.path, size_bytes, now))?;
            // A file that grew meanwhile must not shift what follows it.
            let copied = io::copy(&mut io::Read::take(from, size_bytes), out)?;
            if copied != size_bytes {
                return Err(io::Error::other("a file of the export became shorter while it was read"));
            }
            tape::pad(out, size_bytes)
        };
        match item.content {
            Content::Bytes(bytes) => write(bytes.len() as u64, &mut bytes.as_slice())?,
            Content::File(path) => {
                let mut file = File::open(path)?;
                write(file.metadata()?.len(), &mut file)?;
            }
        }
    }
    tape::end(out)
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document: our own bug.
    #[error("a document cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}
