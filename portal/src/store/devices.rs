//! Devices: one row for each enrolment, with the key that counts now. Earlier keys are in [`super::key_life`].

use sqlx::{AnyConnection, FromRow};

use super::{Doing, Only, Store, StoreError, Tenant, TenantStore};

/// An enrolled key.
#[derive(Clone, Debug, FromRow)]
pub struct Device {
    /// Whose it is.
    pub tenant: Tenant,
    /// Portal's name for it.
    pub id: String,
    /// `SHA256:…`.
    pub key_id: String,
    /// `ssh-ed25519 …`.
    pub public_key: String,
    /// Model as told at enrolment.
    pub model: Option<String>,
    /// Serial number as told at enrolment.
    pub serial: Option<String>,
    /// Seconds since 1970.
    pub enrolled_at: i64,
    /// Highest accepted `seq`.
    pub last_seq: i64,
    /// When the key was revoked, seconds since 1970.
    pub revoked_at: Option<i64>,
    /// Why it was revoked, for its owner; empty when it was not, or long ago.
    pub revoked_reason: String,
    /// Device whose key took over, after a key move.
    pub moved_to: Option<String>,
    /// `state_lost` or `cloned`: what an engineer has to decide.
    pub doubt: Option<String>,
    /// Why, in words.
    pub doubt_words: String,
    /// Since when, seconds since 1970.
    pub doubt_at: Option<i64>,
}

impl Device {
    /// Why the key was revoked, in words that are never empty.
    pub fn revoked_words(&self) -> &str {
        match self.revoked_reason.as_str() {
            "" => "no reason was written down",
            words => words,
        }
    }
}

/// Every column of [`Device`], and the rest of the query.
macro_rules! devices {
    ($tail:literal) => {
        concat!(
            "SELECT tenant, id, key_id, public_key, model, serial, enrolled_at, last_seq, revoked_at, revoked_reason, moved_to,
                 doubt, doubt_words, doubt_at
             FROM devices ",
            $tail
        )
    };
}
pub(super) use devices;

impl Store {
    /// The device whose key signed something: whoever has the key is heard, and gets its tenant from here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn caller_by_key(&self, key_id: &str) -> Result<Option<Device>, StoreError> {
        sqlx::query_as(devices!("WHERE key_id = $1"))
            .bind(key_id)
            .fetch_optional(&self.readers)
            .await
            .doing("find a device by its key")
    }
}

impl TenantStore<'_> {
    /// The device of a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_by_key(&self, key_id: &str) -> Result<Option<Device>, StoreError> {
        sqlx::query_as(devices!("WHERE tenant = $1 AND key_id = $2"))
            .bind(self.tenant)
            .bind(key_id)
            .fetch_optional(&self.store.readers)
            .await
            .doing("find a device by its key")
    }

    /// A device by the portal's name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device(&self, id: &str) -> Result<Option<Device>, StoreError> {
        sqlx::query_as(devices!("WHERE tenant = $1 AND id = $2"))
            .bind(self.tenant)
            .bind(id)
            .fetch_optional(&self.store.readers)
            .await
            .doing("find a device")
    }

    /// Other keys that were enrolled for the same serial number: a replaced key, or two boxes with one identity.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn same_serial(&self, device: &Device) -> Result<Vec<Device>, StoreError> {
        sqlx::query_as(devices!("WHERE tenant = $1 AND serial = $2 AND id <> $3 ORDER BY enrolled_at"))
            .bind(self.tenant)
            .bind(&device.serial)
            .bind(&device.id)
            .fetch_all(&self.store.readers)
            .await
            .doing("find other keys of a serial number")
    }

    /// Keys that a person may mean by a text: the portal's name, a fingerprint, or a serial number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn devices_named(&self, text: &str) -> Result<Vec<Device>, StoreError> {
        sqlx::query_as(devices!(
            "WHERE tenant = $1 AND (id = $2 OR key_id = $2 OR serial = $2) ORDER BY enrolled_at"
        ))
        .bind(self.tenant)
        .bind(text)
        .fetch_all(&self.store.readers)
        .await
        .doing("find devices by name")
    }

    /// Revokes a key and cancels its open requests; `false` when it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_device(&self, id: &str, words: &str, now: i64) -> Result<bool, StoreError> {
        const DOING: &str = "revoke a key";
        let mut tx = self.store.begin(&[Only::Device(id)]).await.doing(DOING)?;
        let done = revoke_in(&mut tx, self.tenant, id, words, now).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(done)
    }

    /// How many devices are enrolled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_count(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT count(*) FROM devices WHERE tenant = $1")
            .bind(self.tenant)
            .fetch_one(&self.store.readers)
            .await
            .doing("count devices")
    }
}

/// Revokes a key inside the caller's transaction; `false` when it was revoked before.
pub(super) async fn revoke_in(
    tx: &mut AnyConnection,
    tenant: &Tenant,
    id: &str,
    words: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE devices SET revoked_at = $2, revoked_reason = $3 WHERE tenant = $1 AND id = $4 AND revoked_at IS NULL",
    ).bind(tenant)
    .bind(now)
    .bind(words)
    .bind(id)
    .execute(&mut *tx)
    .await
    ?;
    if done.rows_affected() == 1 {
        super::key_life::note(tx, tenant, id, now, "revoked", words).await?;
    }
    sqlx::query(
        "UPDATE requests SET state = 'cancelled', words = $2, closed_at = $3
         WHERE tenant = $1 AND device_id = $4 AND state = 'open'",
    )
    .bind(tenant)
    .bind(words)
    .bind(now)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE support_sessions SET closed_at = $2
         WHERE tenant = $1 AND device_id = $3 AND closed_at IS NULL AND stopped_at IS NULL",
    )
    .bind(tenant)
    .bind(now)
    .bind(id)
    .execute(&mut *tx)
    .await?;
    Ok(done.rows_affected() == 1)
}
