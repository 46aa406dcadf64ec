//! Who reads which bundle: several portals on one database take each bundle once, and a portal that dies in the middle
//! gives it back by time. What became of a bundle is decided once anyway; a lease only saves the work.
//!
//! Times are the portals' own: their clocks may differ by less than what is left of a lease when it is renewed.

use super::bundles::Pending;
use super::{Doing, Only, Store, StoreError};

impl Store {
    /// Takes a bundle that waits, for one portal until a time; `false` when another has it, or another bundle of the same
    /// device: the numbers of a device are judged in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_bundle(
        &self,
        bundle: &Pending,
        by: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        const DOING: &str = "take a bundle that waits";
        let mut tx = self.begin(&[Only::Device(&bundle.device_id)]).await.doing(DOING)?;
        let done = sqlx::query(
            "UPDATE bundles SET lease_by = $1, lease_until = $2
             WHERE id = $3 AND state = 'pending' AND (lease_until IS NULL OR lease_until <= $4)
                 AND NOT EXISTS (SELECT 1 FROM bundles other WHERE other.device_id = $5
                     AND other.state = 'pending' AND other.id <> $3 AND other.lease_until > $4)",
        )
        .bind(by)
        .bind(until)
        .bind(&bundle.id)
        .bind(now)
        .bind(&bundle.device_id)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps a bundle for longer; `false` when it was lost, or is decided.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_lease(&self, bundle_id: &str, by: &str, until: i64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE bundles SET lease_until = $1 WHERE id = $2 AND lease_by = $3 AND state = 'pending'",
        )
        .bind(until)
        .bind(bundle_id)
        .bind(by)
        .execute(&self.writer)
        .await
        .doing("keep a bundle that is read")?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a bundle back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_lease(&self, bundle_id: &str, by: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE bundles SET lease_by = NULL, lease_until = NULL WHERE id = $1 AND lease_by = $2")
            .bind(bundle_id)
            .bind(by)
            .execute(&self.writer)
            .await
            .doing("give a bundle back")?;
        Ok(())
    }

    /// Gives back what a portal has; with `None` whatever anybody had, for a portal that is alone and starts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_leases(&self, by: Option<&str>) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE bundles SET lease_by = NULL, lease_until = NULL
             WHERE state = 'pending' AND lease_by IS NOT NULL AND ($1 IS NULL OR lease_by = $1)",
        )
        .bind(by)
        .execute(&self.writer)
        .await
        .doing("give bundles back")?;
        Ok(())
    }
}
