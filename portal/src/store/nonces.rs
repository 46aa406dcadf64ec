//! Nonces of signed calls: each is good once for its key, for as long as its signature is valid.

use super::{Doing, Store, StoreError};

impl Store {
    /// Spends a nonce; `false` when it was spent before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spend_nonce(&self, key_id: &str, nonce: &str, expires_at: i64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO nonces (key_id, nonce, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(key_id)
        .bind(nonce)
        .bind(expires_at)
        .execute(&self.writer)
        .await
        .doing("spend a nonce")?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets nonces whose signatures are no longer valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_nonces(&self, now: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM nonces WHERE expires_at < $1")
            .bind(now)
            .execute(&self.writer)
            .await
            .doing("forget old nonces")?;
        Ok(())
    }
}
