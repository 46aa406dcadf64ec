//! Uploads: how much of which file has arrived. The offset here is the truth, not the length of the file.

use sqlx::{Any, FromRow, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::{Doing, Kind, Only, Store, StoreError, Tenant, TenantStore};

/// One upload.
#[derive(Clone, Debug, FromRow)]
pub struct Upload {
    /// Whose tenant.
    pub tenant: Tenant,
    /// Portal's name for it.
    pub id: String,
    /// Whose it is.
    pub device_id: String,
    /// Digest as announced, lower-case hex.
    pub announced_sha256: Option<String>,
    /// Whole length.
    pub length_bytes: i64,
    /// What has been committed.
    pub offset_bytes: i64,
    /// When it is given up, seconds since 1970.
    pub expires_at: i64,
    /// The bundle that it brought, once it is whole.
    pub bundle_id: Option<String>,
}

impl Upload {
    /// Whether every byte has arrived.
    pub fn is_whole(&self) -> bool {
        self.offset_bytes == self.length_bytes
    }
}

/// A new upload.
pub struct NewUpload<'a> {
    /// Id, when it turns out to be new.
    pub id: &'a str,
    /// Whose.
    pub device_id: &'a str,
    /// Announced digest.
    pub sha256: Option<&'a str>,
    /// Length.
    pub length_bytes: i64,
    /// Portal's time.
    pub now: i64,
    /// When it is given up.
    pub expires_at: i64,
    /// Most uploads of one device that are not whole.
    pub most_open: i64,
}

/// How a creation ended.
#[derive(Debug)]
pub enum Created {
    /// It is new.
    New(Upload),
    /// The device announced the same digest before.
    Same(Upload),
    /// The device has too many that are not whole.
    TooMany,
}

impl TenantStore<'_> {
    /// Creates an upload, or finds the one that the same device announced with the same digest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_upload(&self, new: &NewUpload<'_>) -> Result<Created, StoreError> {
        const DOING: &str = "create an upload";
        let mut tx = self.store.begin(&[Only::Device(new.device_id)]).await.doing(DOING)?;
        let same: Option<Upload> = sqlx::query_as(
            "SELECT tenant, id, device_id, announced_sha256, length_bytes, offset_bytes, expires_at, bundle_id
             FROM uploads WHERE tenant = $1 AND device_id = $2 AND announced_sha256 = $3",
        ).bind(self.tenant)
        .bind(new.device_id)
        .bind(new.sha256)
        .fetch_optional(&mut *tx)
        .await
        .doing(DOING)?;
        if let Some(upload) = same {
            return Ok(Created::Same(upload));
        }
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM uploads WHERE tenant = $1 AND device_id = $2 AND offset_bytes < length_bytes",
        ).bind(self.tenant)
        .bind(new.device_id)
        .fetch_one(&mut *tx)
        .await
        .doing(DOING)?;
        if open >= new.most_open {
            return Ok(Created::TooMany);
        }
        let upload: Upload = sqlx::query_as(
            "INSERT INTO uploads (tenant, id, device_id, announced_sha256, length_bytes, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             RETURNING tenant, id, device_id, announced_sha256, length_bytes, offset_bytes, expires_at, bundle_id",
        ).bind(self.tenant)
        .bind(new.id)
        .bind(new.device_id)
        .bind(new.sha256)
        .bind(new.length_bytes)
        .bind(new.now)
        .bind(new.expires_at)
        .fetch_one(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Created::New(upload))
    }

    /// An upload of a device; another device's is as unknown as none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload(&self, device_id: &str, id: &str) -> Result<Option<Upload>, StoreError> {
        sqlx::query_as(
            "SELECT tenant, id, device_id, announced_sha256, length_bytes, offset_bytes, expires_at, bundle_id
             FROM uploads WHERE tenant = $1 AND id = $2 AND device_id = $3",
        ).bind(self.tenant)
        .bind(id)
        .bind(device_id)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find an upload")
    }

    /// Moves the offset, only from where it was thought to be; `false` when it was elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn advance_upload(
        &self,
        id: &str,
        from: i64,
        to: i64,
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE uploads SET offset_bytes = $2, expires_at = $3 WHERE tenant = $1 AND id = $4 AND offset_bytes = $5",
        ).bind(self.tenant)
        .bind(to)
        .bind(expires_at)
        .bind(id)
        .bind(from)
        .execute(&self.store.writer)
        .await
        .doing("move the offset of an upload")?;
        Ok(done.rows_affected() == 1)
    }

    /// Commits the last part and queues the bundle, in one transaction. The answer is the bundle's id, which is an
    /// older one when the device has brought the same bytes before; `None` when the offset was elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_upload(
        &self,
        upload: &Upload,
        new_bundle_id: &str,
        sha256: &str,
        now: i64,
    ) -> Result<Option<String>, StoreError> {
        const DOING: &str = "finish an upload";
        let mut tx = self.store.begin(&[Only::Device(&upload.device_id)]).await.doing(DOING)?;
        sqlx::query(
            "INSERT INTO bundles (tenant, id, upload_id, device_id, sha256, size_bytes, received_at, state)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending') ON CONFLICT (device_id, sha256) DO NOTHING",
        )
        .bind(self.tenant)
        .bind(new_bundle_id)
        .bind(&upload.id)
        .bind(&upload.device_id)
        .bind(sha256)
        .bind(upload.length_bytes)
        .bind(now)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        let bundle_id: String =
            sqlx::query_scalar("SELECT id FROM bundles WHERE tenant = $1 AND device_id = $2 AND sha256 = $3")
                .bind(self.tenant)
                .bind(&upload.device_id)
                .bind(sha256)
                .fetch_one(&mut *tx)
                .await
                .doing(DOING)?;
        let done = sqlx::query(
            "UPDATE uploads SET offset_bytes = length_bytes, bundle_id = $2 WHERE tenant = $1 AND id = $3 AND offset_bytes = $4",
        ).bind(self.tenant)
        .bind(&bundle_id)
        .bind(&upload.id)
        .bind(upload.offset_bytes)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() != 1 {
            return Ok(None);
        }
        tx.commit().await.doing(DOING)?;
        Ok(Some(bundle_id))
    }

    /// Forgets an upload that is not whole; `false` when it is whole or gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_upload(&self, id: &str) -> Result<bool, StoreError> {
        let done =
            sqlx::query("DELETE FROM uploads WHERE tenant = $1 AND id = $2 AND offset_bytes < length_bytes")
                .bind(self.tenant)
                .bind(id)
                .execute(&self.store.writer)
                .await
                .doing("drop an upload")?;
        Ok(done.rows_affected() == 1)
    }
}

/// Nobody else writes to the file of an upload while this is there.
pub struct Alone(
    #[expect(dead_code, reason = "held, never asked")]
    Option<(Transaction<'static, Any>, OwnedSemaphorePermit)>,
);

impl Store {
    /// Keeps other portals off the file of an upload. On SQLite there is none other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alone_with_upload(&self, id: &str) -> Result<Alone, StoreError> {
        if self.kind == Kind::Sqlite {
            return Ok(Alone(None));
        }
        const DOING: &str = "keep other portals off an upload";
        let room = self.holders.clone().acquire_owned().await;
        let room = room.map_err(|_| sqlx::Error::PoolClosed).doing(DOING)?;
        Ok(Alone(Some((self.begin(&[Only::Upload(id)]).await.doing(DOING)?, room))))
    }

    /// Uploads of all tenants that were given up: for housekeeping.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expired_uploads(&self, now: i64) -> Result<Vec<(Tenant, String)>, StoreError> {
        sqlx::query_as("SELECT tenant, id FROM uploads WHERE expires_at < $1 AND offset_bytes < length_bytes")
            .bind(now)
            .fetch_all(&self.readers)
            .await
            .doing("find expired uploads")
    }

    /// Every upload of all tenants that is not whole: names of files that are not swept away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_uploads(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM uploads WHERE offset_bytes < length_bytes")
            .fetch_all(&self.readers)
            .await
            .doing("list open uploads")
    }
}
