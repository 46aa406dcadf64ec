//! Consents, byte for byte as the owner's device signed them. A replaced one stays; only one counts at a time.

use assay_bundle::consent::Consent;
use assay_bundle::statement::{self, Signed, StatementError};
use sqlx::FromRow;

use super::{Doing, Store, StoreError};

/// The consent that counts for a request.
#[derive(Clone, Debug, FromRow)]
pub struct ConsentRow {
    /// Row.
    pub id: i64,
    /// Request that it answers.
    pub request_id: String,
    /// Manifest that was consented to.
    pub manifest_sha256: String,
    /// Exact bytes that were signed.
    pub document: String,
    /// Signature over them.
    pub signature: String,
    /// Portal's time.
    pub received_at: i64,
}

impl ConsentRow {
    /// The consent as it was signed.
    ///
    /// # Errors
    /// When the row was written by another version.
    pub fn consent(&self) -> Result<Consent, StatementError> {
        statement::read(&self.document)
    }
}

/// How a consent was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It counts from now on.
    New,
    /// The very same was taken before.
    Same,
    /// Another one counts, and the upload for it is under way.
    UnderWay,
    /// The request is no longer open.
    Closed,
}

impl Store {
    /// Keeps a consent. It replaces another one, unless the device has announced an upload since then that has not
    /// been answered yet: those bytes may be the ones that were consented to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_consent(
        &self,
        consent: &Consent,
        signed: &Signed,
        now: i64,
    ) -> Result<Kept, StoreError> {
        const DOING: &str = "keep a consent";
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.doing(DOING)?;
        let current: Option<ConsentRow> = sqlx::query_as(
            "SELECT id, request_id, manifest_sha256, document, signature, received_at
             FROM consents WHERE request_id = ? AND replaced_at IS NULL",
        )
        .bind(&consent.request_id)
        .fetch_optional(&mut *tx)
        .await
        .doing(DOING)?;
        if current.as_ref().is_some_and(|current| current.document == signed.document) {
            return Ok(Kept::Same);
        }
        let open: Option<String> = sqlx::query_scalar(
            "SELECT device_id FROM requests WHERE id = ? AND state = 'open' AND expires_at > ?",
        )
        .bind(&consent.request_id)
        .bind(now)
        .fetch_optional(&mut *tx)
        .await
        .doing(DOING)?;
        let Some(device_id) = open else { return Ok(Kept::Closed) };
        if let Some(current) = current {
            let under_way: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM uploads LEFT JOIN bundles ON bundles.id = uploads.bundle_id
                 WHERE uploads.device_id = ? AND uploads.created_at >= ?
                     AND (uploads.bundle_id IS NULL OR bundles.state = 'pending')",
            )
            .bind(&device_id)
            .bind(current.received_at)
            .fetch_one(&mut *tx)
            .await
            .doing(DOING)?;
            if under_way > 0 {
                return Ok(Kept::UnderWay);
            }
            sqlx::query("UPDATE consents SET replaced_at = ? WHERE id = ?")
                .bind(now)
                .bind(current.id)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        sqlx::query(
            "INSERT INTO consents (request_id, manifest_sha256, document, signature, received_at)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&consent.request_id)
        .bind(&consent.manifest_sha256)
        .bind(&signed.document)
        .bind(&signed.signature)
        .bind(now)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Kept::New)
    }

    /// The consent that counts for a request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn consent(&self, request_id: &str) -> Result<Option<ConsentRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, request_id, manifest_sha256, document, signature, received_at
             FROM consents WHERE request_id = ? AND replaced_at IS NULL",
        )
        .bind(request_id)
        .fetch_optional(&self.readers)
        .await
        .doing("find a consent")
    }
}
