//! Bundles that a person brought, and the requests whose code was read to an owner.

use super::requests::RequestRow;
use super::{Doing, Only, StoreError, TenantStore, can_be};

/// A bundle that a person brought. Its bytes lie among the objects already.
pub struct Brought<'a> {
    /// Portal's name for it, when it turns out to be new.
    pub id: &'a str,
    /// Whose key signed it, as its manifest says; the signature is checked like any other's.
    pub device_id: &'a str,
    /// Digest, lower-case hex.
    pub sha256: &'a str,
    /// Size.
    pub size_bytes: i64,
    /// Who brought it.
    pub by: &'a str,
    /// Portal's time.
    pub now: i64,
}

impl TenantStore<'_> {
    /// Queues a bundle that a person brought. The answer is the bundle's id, which is an older one when the portal has
    /// the same bytes of the same device already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_brought(&self, brought: &Brought<'_>) -> Result<String, StoreError> {
        const DOING: &str = "queue a bundle that was brought by hand";
        let mut tx = self.store.begin(&[Only::Device(brought.device_id)]).await.doing(DOING)?;
        sqlx::query(
            "INSERT INTO bundles (tenant, id, upload_id, device_id, sha256, size_bytes, received_at, state, brought_by)
             VALUES ($1, $2, $2, $3, $4, $5, $6, 'pending', $7) ON CONFLICT (device_id, sha256) DO NOTHING",
        ).bind(self.tenant)
        .bind(brought.id)
        .bind(brought.device_id)
        .bind(brought.sha256)
        .bind(brought.size_bytes)
        .bind(brought.now)
        .bind(brought.by)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        let id =
            sqlx::query_scalar("SELECT id FROM bundles WHERE tenant = $1 AND device_id = $2 AND sha256 = $3")
                .bind(self.tenant)
                .bind(brought.device_id)
                .bind(brought.sha256)
                .fetch_one(&mut *tx)
                .await
                .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(id)
    }

    /// Marks a request as one whose code is read to the owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_typed(&self, request_id: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE requests SET typed = 1 WHERE tenant = $1 AND id = $2")
            .bind(self.tenant)
            .bind(request_id)
            .execute(&self.store.writer)
            .await
            .doing("mark a support request as typed")?;
        Ok(())
    }

    /// The request of a device by its nonce.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_by_nonce(
        &self,
        device_id: &str,
        nonce: &str,
    ) -> Result<Option<RequestRow>, StoreError> {
        if !can_be(nonce) {
            return Ok(None);
        }
        sqlx::query_as(
            "SELECT id, device_id, engineer, issued_at, expires_at, document, signature, state, closed_at, words,
                 bundle_id, ready
             FROM requests WHERE tenant = $1 AND nonce = $2 AND device_id = $3",
        ).bind(self.tenant)
        .bind(nonce)
        .bind(device_id)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find a support request by its nonce")
    }
}
