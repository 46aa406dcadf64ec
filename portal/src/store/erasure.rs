//! All of one device, to be handed out and to be destroyed. The database overwrites what it deletes.

use assay_bundle::statement::Signed;
use sqlx::FromRow;

use super::{Doing, Store, StoreError};

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

/// Statements that leave nothing of a device, in the order that the references demand. `?1` is the device.
const ERASE: [&str; 18] = [
    "DELETE FROM consents WHERE request_id IN (SELECT id FROM requests WHERE device_id = ?1)",
    "DELETE FROM support_sessions WHERE device_id = ?1",
    "DELETE FROM requests WHERE device_id = ?1",
    "DELETE FROM readings WHERE bundle_id IN (SELECT id FROM bundles WHERE device_id = ?1)",
    "DELETE FROM bundles WHERE device_id = ?1",
    "DELETE FROM uploads WHERE device_id = ?1",
    "DELETE FROM health_reports WHERE device_id = ?1",
    "DELETE FROM nonces WHERE key_id IN (SELECT key_id FROM device_keys WHERE device_id = ?1)",
    "DELETE FROM enrolment_codes WHERE used_by_key IN (SELECT key_id FROM device_keys WHERE device_id = ?1)",
    "DELETE FROM boots WHERE device_id = ?1",
    "DELETE FROM device_events WHERE device_id = ?1 OR EXISTS (SELECT 1 FROM device_keys
         WHERE device_keys.device_id = ?1 AND instr(device_events.words, device_keys.key_id) > 0)",
    "UPDATE devices SET revoked_reason = 'the key moved' WHERE moved_to = ?1",
    "DELETE FROM device_keys WHERE device_id = ?1",
    "UPDATE devices SET moved_to = NULL WHERE moved_to = ?1",
    "DELETE FROM enrolment_codes WHERE serial = (SELECT serial FROM devices WHERE id = ?1)",
    "DELETE FROM replacements WHERE old_serial = (SELECT serial FROM devices WHERE id = ?1)",
    "DELETE FROM replacements WHERE new_serial = ?1
         OR new_serial = (SELECT serial FROM devices WHERE id = ?1)",
    "DELETE FROM devices WHERE id = ?1",
];

impl Store {
    /// Every signed document of a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn documents_of(&self, device_id: &str) -> Result<Vec<Document>, StoreError> {
        sqlx::query_as(
            "SELECT 'request' AS kind, id, document, signature FROM requests WHERE device_id = ?1
             UNION ALL
             SELECT 'consent', requests.id || '-' || consents.id, consents.document, consents.signature
             FROM consents JOIN requests ON requests.id = consents.request_id WHERE device_id = ?1
             UNION ALL
             SELECT 'session-start', id, start_document, start_signature FROM support_sessions
             WHERE device_id = ?1 AND start_document IS NOT NULL
             UNION ALL
             SELECT 'session-stop', id, stop_document, stop_signature FROM support_sessions
             WHERE device_id = ?1 AND stop_document IS NOT NULL
             UNION ALL
             SELECT 'receipt', id, receipt, receipt_signature FROM bundles
             WHERE device_id = ?1 AND receipt IS NOT NULL
             UNION ALL
             SELECT 'key-change', 'from-' || valid_from || '-to-' || valid_to, document, signature FROM device_keys
             WHERE device_id = ?1 AND document IS NOT NULL",
        )
        .bind(device_id)
        .fetch_all(&self.readers)
        .await
        .doing("list the documents of a device")
    }

    /// Ids and sizes of all bundles of a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bundle_files_of(&self, device_id: &str) -> Result<Vec<(String, i64)>, StoreError> {
        sqlx::query_as("SELECT id, size_bytes FROM bundles WHERE device_id = ? ORDER BY id")
            .bind(device_id)
            .fetch_all(&self.readers)
            .await
            .doing("list the bundles of a device")
    }

    /// Names of the files of a device's uploads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_files_of(&self, device_id: &str) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM uploads WHERE device_id = ?")
            .bind(device_id)
            .fetch_all(&self.readers)
            .await
            .doing("list the uploads of a device")
    }

    /// The receipt of the deletion of a key's device, when there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deletion_of_key(&self, key_id: &str) -> Result<Option<Signed>, StoreError> {
        let found: Option<(String, String)> =
            // The receipt alone names the key, so nothing but the receipt is searched.
            sqlx::query_as(
                "SELECT document, signature FROM deletions WHERE json_extract(document, '$.key_id') = ?
                 ORDER BY deleted_at DESC",
            )
                .bind(key_id)
                .fetch_optional(&self.readers)
                .await
                .doing("find the receipt of a deletion")?;
        Ok(found.map(|(document, signature)| Signed { document, signature }))
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
        let mut connection = self.writer.acquire().await.doing(DOING)?;
        let mut tx = sqlx::Connection::begin(&mut *connection).await.doing(DOING)?;
        sqlx::query("INSERT INTO deletions (id, deleted_at, document, signature) VALUES (?, ?, ?, ?)")
            .bind(deletion.id)
            .bind(deletion.now)
            .bind(deletion.document)
            .bind(deletion.signature)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        for device_id in device_ids {
            for statement in ERASE {
                sqlx::query(statement).bind(device_id).execute(&mut *tx).await.doing(DOING)?;
            }
        }
        tx.commit().await.doing(DOING)?;
        // Older pages stand in the write-ahead log until it is folded in.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await.doing(DOING)?;
        Ok(())
    }
}
