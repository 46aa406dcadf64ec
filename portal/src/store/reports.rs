//! Health reports: the newest few of each device. They are shown and judge nothing.

use sqlx::FromRow;

use super::{Doing, StoreError, TenantStore};

/// Reports that are kept of one device: a month of daily ones.
pub const KEPT: i64 = 31;

/// A report as it is kept.
#[derive(Clone, Debug, FromRow)]
pub struct KeptReport {
    /// When it came, seconds since 1970.
    pub received_at: i64,
    /// JSON of the closed field list.
    pub report: String,
}

impl TenantStore<'_> {
    /// Keeps a report, and forgets the oldest of the device beyond [`KEPT`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_report(
        &self,
        id: &str,
        device_id: &str,
        received_at: i64,
        report: &str,
    ) -> Result<(), StoreError> {
        let doing = "keep a health report";
        let mut change = self.store.writer.begin().await.doing(doing)?;
        sqlx::query("INSERT INTO health_reports (tenant, id, device_id, received_at, report) VALUES ($1, $2, $3, $4, $5)").bind(self.tenant)
            .bind(id)
            .bind(device_id)
            .bind(received_at)
            .bind(report)
            .execute(&mut *change)
            .await
            .doing(doing)?;
        sqlx::query(
            "DELETE FROM health_reports WHERE tenant = $1 AND device_id = $2 AND id NOT IN
                 (SELECT id FROM health_reports WHERE tenant = $1 AND device_id = $3 ORDER BY received_at DESC, id DESC LIMIT $4)",
        ).bind(self.tenant)
        .bind(device_id)
        .bind(device_id)
        .bind(KEPT)
        .execute(&mut *change)
        .await
        .doing(doing)?;
        change.commit().await.doing(doing)
    }

    /// Reports of a device, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reports_of_device(&self, device_id: &str, most: i64) -> Result<Vec<KeptReport>, StoreError> {
        sqlx::query_as(
            "SELECT received_at, report FROM health_reports WHERE tenant = $1 AND device_id = $2
             ORDER BY received_at DESC, id DESC LIMIT $3",
        )
        .bind(self.tenant)
        .bind(device_id)
        .bind(most)
        .fetch_all(&self.store.readers)
        .await
        .doing("list health reports")
    }
}
