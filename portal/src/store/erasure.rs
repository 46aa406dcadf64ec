//! All of one device, to be handed out and to be destroyed. SQLite overwrites what it deletes; on PostgreSQL the rows are
//! gone for every statement at once, and their bytes with its next vacuum.

use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::statement::{self, Signed};
use sqlx::FromRow;

use super::{Doing, Kind, Only, Store, StoreError, TenantStore};

/// A document of a device, with its signature, as it is handed out.
#[derive(Clone, Debug, FromRow)]
pub struct Document {
    /// What it is: `request`, `consent`, `session-start`, `session-stop`, `receipt`,
    /// `key-change`.
    pub kind: String,
    /// Portal's name for what it belongs to.
    pub id: String,
    /// Exact bytes that were signed.
    pub document: String,
    /// Signature over them.
    pub signature: String,
}

/// What a deletion leaves: its receipt.
pub struct Deletion<'a> {
    /// Portal's name for it.
    pub id: &'a str,
    /// When.
    pub now: i64,
    /// Exact bytes that were signed.
    pub document: &'a str,
    /// Signature over them.
    pub signature: &'a str,
}

/// Statements that leave nothing of a device, in the order that the references demand. `$1` is the tenant, `$2` the
/// device. The first one holds up, on PostgreSQL, whoever would refer to the device meanwhile.
const ERASE: [&str; 19] = [
    "UPDATE devices SET key_id = 'deleted ' || id WHERE tenant = $1 AND id = $2",
    "DELETE FROM consents WHERE tenant = $1
         AND request_id IN (SELECT id FROM requests WHERE tenant = $1 AND device_id = $2)",
    "DELETE FROM support_sessions WHERE tenant = $1 AND device_id = $2",
    "DELETE FROM requests WHERE tenant = $1 AND device_id = $2",
    "DELETE FROM readings WHERE tenant = $1
         AND bundle_id IN (SELECT id FROM bundles WHERE tenant = $1 AND device_id = $2)",
    "DELETE FROM bundles WHERE tenant = $1 AND device_id = $2",
    "DELETE FROM uploads WHERE tenant = $1 AND device_id = $2",
    "DELETE FROM health_reports WHERE tenant = $1 AND device_id = $2",
    "DELETE FROM nonces WHERE key_id IN (SELECT key_id FROM device_keys WHERE tenant = $1 AND device_id = $2)",
    "DELETE FROM enrolment_codes WHERE tenant = $1
         AND used_by_key IN (SELECT key_id FROM device_keys WHERE tenant = $1 AND device_id = $2)",
    "DELETE FROM boots WHERE tenant = $1 AND device_id = $2",
    "DELETE FROM device_events WHERE tenant = $1 AND (device_id = $2 OR EXISTS (SELECT 1 FROM device_keys
         WHERE device_keys.tenant = $1 AND device_keys.device_id = $2
             AND replace(device_events.words, device_keys.key_id, '') <> device_events.words))",
    "UPDATE devices SET revoked_reason = 'the key moved' WHERE tenant = $1 AND moved_to = $2",
    "DELETE FROM device_keys WHERE tenant = $1 AND device_id = $2",
    "UPDATE devices SET moved_to = NULL WHERE tenant = $1 AND moved_to = $2",
    "DELETE FROM enrolment_codes WHERE tenant = $1
         AND serial = (SELECT serial FROM devices WHERE tenant = $1 AND id = $2)",
    "DELETE FROM replacements WHERE tenant = $1
         AND old_serial = (SELECT serial FROM devices WHERE tenant = $1 AND id = $2)",
    "DELETE FROM replacements WHERE tenant = $1 AND (new_serial = $2
         OR new_serial = (SELECT serial FROM devices WHERE tenant = $1 AND id = $2))",
    "DELETE FROM devices WHERE tenant = $1 AND id = $2",
];

impl TenantStore<'_> {
    /// Every signed document of a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn documents_of(&self, device_id: &str) -> Result<Vec<Document>, StoreError> {
        sqlx::query_as(
            "SELECT 'request' AS kind, id, document, signature FROM requests WHERE tenant = $1 AND device_id = $2
             UNION ALL
             SELECT 'consent', requests.id || '-' || consents.id, consents.document, consents.signature
             FROM consents JOIN requests ON requests.id = consents.request_id
             WHERE consents.tenant = $1 AND requests.tenant = $1 AND device_id = $2
             UNION ALL
             SELECT 'session-start', id, start_document, start_signature FROM support_sessions
             WHERE tenant = $1 AND device_id = $2 AND start_document IS NOT NULL
             UNION ALL
             SELECT 'session-stop', id, stop_document, stop_signature FROM support_sessions
             WHERE tenant = $1 AND device_id = $2 AND stop_document IS NOT NULL
             UNION ALL
             SELECT 'receipt', id, receipt, receipt_signature FROM bundles
             WHERE tenant = $1 AND device_id = $2 AND receipt IS NOT NULL
             UNION ALL
             SELECT 'key-change', 'from-' || valid_from || '-to-' || valid_to, document, signature FROM device_keys
             WHERE tenant = $1 AND device_id = $2 AND document IS NOT NULL",
        )
        .bind(self.tenant)
        .bind(device_id)
        .fetch_all(&self.store.readers)
        .await
        .doing("list the documents of a device")
    }

    /// Ids and sizes of all bundles of a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bundle_files_of(&self, device_id: &str) -> Result<Vec<(String, i64)>, StoreError> {
        sqlx::query_as("SELECT id, size_bytes FROM bundles WHERE tenant = $1 AND device_id = $2 ORDER BY id")
            .bind(self.tenant)
            .bind(device_id)
            .fetch_all(&self.store.readers)
            .await
            .doing("list the bundles of a device")
    }

    /// Names of the files of a device's uploads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_files_of(&self, device_id: &str) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM uploads WHERE tenant = $1 AND device_id = $2")
            .bind(self.tenant)
            .bind(device_id)
            .fetch_all(&self.store.readers)
            .await
            .doing("list the uploads of a device")
    }

    /// Leaves nothing of these devices, which are one unit's, but the receipt, in one transaction.
    ///
    /// # Errors
    /// When the database fails; everything is still there then.
    pub async fn erase_devices(
        &self,
        device_ids: &[String],
        deletion: &Deletion<'_>,
    ) -> Result<(), StoreError> {
        const DOING: &str = "delete a device";
        let mut only: Vec<Only<'_>> = device_ids.iter().map(|id| Only::Device(id)).collect();
        only.push(Only::Enrolment);
        let mut tx = self.store.begin(&only).await.doing(DOING)?;
        sqlx::query(
            "INSERT INTO deletions (tenant, id, deleted_at, document, signature) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(self.tenant)
        .bind(deletion.id)
        .bind(deletion.now)
        .bind(deletion.document)
        .bind(deletion.signature)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        for device_id in device_ids {
            for statement in ERASE {
                sqlx::query(statement)
                    .bind(self.tenant)
                    .bind(device_id)
                    .execute(&mut *tx)
                    .await
                    .doing(DOING)?;
            }
        }
        tx.commit().await.doing(DOING)?;
        if self.store.kind == Kind::Sqlite {
            // Older pages stand in the write-ahead log until it is folded in.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.store.writer).await.doing(DOING)?;
        }
        Ok(())
    }
}

impl Store {
    /// The receipt of the deletion of a key's device, when there was one: for whoever has the key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deletion_of_key(&self, key_id: &str) -> Result<Option<Signed>, StoreError> {
        // The receipt alone names the key, so nothing but receipts is searched.
        let found: Vec<(String, String)> = sqlx::query_as(
            "SELECT document, signature FROM deletions WHERE replace(document, $1, '') <> document
             ORDER BY deleted_at DESC",
        )
        .bind(key_id)
        .fetch_all(&self.readers)
        .await
        .doing("find the receipt of a deletion")?;
        let names = |document: &str| {
            statement::read::<DeletionReceipt>(document).is_ok_and(|receipt| receipt.key_id == key_id)
        };
        let found = found.into_iter().find(|(document, _)| names(document));
        Ok(found.map(|(document, signature)| Signed { document, signature }))
    }
}
