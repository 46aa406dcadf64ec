//! Consents, byte for byte as the owner's device signed them. A replaced one stays; only one counts at a time.

use assay_bundle::consent::Consent;
use assay_bundle::statement::{self, Signed, StatementError};
use sqlx::FromRow;

use super::{Doing, Only, StoreError, TenantStore};

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

impl TenantStore<'_> {
    /// Keeps a consent of a device. It replaces another one, unless the device has announced an upload since then that has not
    /// been answered yet: those bytes may be the ones that were consented to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_consent(
        &self,
        device_id: &str,
        consent: &Consent,
        signed: &Signed,
        now: i64,
    ) -> Result<Kept, StoreError> {
        const DOING: &str = "keep a consent";
        let mut tx = self.store.begin(&[Only::Device(device_id)]).await.doing(DOING)?;
        let current: Option<ConsentRow> = sqlx::query_as(
            "SELECT id, request_id, manifest_sha256, document, signature, received_at
             FROM consents WHERE tenant = $1 AND request_id = $2 AND replaced_at IS NULL",
        )
        .bind(self.tenant)
        .bind(&consent.request_id)
        .fetch_optional(&mut *tx)
        .await
        .doing(DOING)?;
        if current.as_ref().is_some_and(|current| current.document == signed.document) {
            return Ok(Kept::Same);
        }
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM requests
             WHERE tenant = $1 AND id = $2 AND device_id = $3 AND state = 'open' AND expires_at > $4",
        )
        .bind(self.tenant)
        .bind(&consent.request_id)
        .bind(device_id)
        .bind(now)
        .fetch_one(&mut *tx)
        .await
        .doing(DOING)?;
        if open == 0 {
            return Ok(Kept::Closed);
        }
        if let Some(current) = current {
            let under_way: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM uploads
                     LEFT JOIN bundles ON bundles.id = uploads.bundle_id AND bundles.tenant = $1
                 WHERE uploads.tenant = $1 AND uploads.device_id = $2 AND uploads.created_at >= $3
                     AND (uploads.bundle_id IS NULL OR bundles.state = 'pending')",
            )
            .bind(self.tenant)
            .bind(device_id)
            .bind(current.received_at)
            .fetch_one(&mut *tx)
            .await
            .doing(DOING)?;
            if under_way > 0 {
                return Ok(Kept::UnderWay);
            }
            sqlx::query("UPDATE consents SET replaced_at = $2 WHERE tenant = $1 AND id = $3")
                .bind(self.tenant)
                .bind(now)
                .bind(current.id)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        sqlx::query(
            "INSERT INTO consents (tenant, request_id, manifest_sha256, document, signature, received_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.tenant)
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
             FROM consents WHERE tenant = $1 AND request_id = $2 AND replaced_at IS NULL",
        )
        .bind(self.tenant)
        .bind(request_id)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find a consent")
    }
}
