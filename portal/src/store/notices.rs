//! What a poll tells beside requests: the latest version of the agent, and open replacements.

use assay_bundle::replacement::{LIFETIME_S, Replacement as Statement};
use assay_bundle::statement::STATEMENT_FORMAT;
use sqlx::FromRow;

use super::devices::Device;
use super::{Doing, Only, StoreError, TenantStore};

/// The latest version, as the operator set it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Notice {
    /// Version.
    pub version: String,
    /// SHA-256 of its release.
    pub sha256: String,
    /// Where it can be had.
    pub url: String,
}

/// An open replacement.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Replacement {
    /// Unit that goes.
    pub old_serial: String,
    /// Unit that comes; the portal's name for it where it has no serial number.
    pub new_serial: String,
    /// Case under which it comes; without one nothing is restored from the copy of the unit that goes.
    pub case_id: Option<String>,
}

impl Replacement {
    /// What is signed for the unit that comes; `None` without a case.
    pub fn statement(&self, device: &Device, fingerprint: &str, now: i64) -> Option<Statement> {
        Some(Statement {
            format: STATEMENT_FORMAT,
            case_id: self.case_id.clone()?,
            old_serial: self.old_serial.clone(),
            new_serial: device.serial.clone(),
            device_id: device.id.clone(),
            key_id: device.key_id.clone(),
            issued_unix_s: now,
            expires_unix_s: now.saturating_add(LIFETIME_S),
            portal_fingerprint: fingerprint.to_owned(),
        })
    }
}

impl TenantStore<'_> {
    /// Sets the latest version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_notice(&self, notice: &Notice, now: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO update_notice (tenant, version, sha256, url, set_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256,
                 url = excluded.url, set_at = excluded.set_at",
        )
        .bind(self.tenant)
        .bind(&notice.version)
        .bind(&notice.sha256)
        .bind(&notice.url)
        .bind(now)
        .execute(&self.store.writer)
        .await
        .doing("set the latest version")?;
        Ok(())
    }

    /// The latest version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notice(&self) -> Result<Option<Notice>, StoreError> {
        sqlx::query_as("SELECT version, sha256, url FROM update_notice WHERE tenant = $1")
            .bind(self.tenant)
            .fetch_optional(&self.store.readers)
            .await
            .doing("find the latest version")
    }

    /// Names a replacement; one that named either unit before is forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn name_replacement(&self, replacement: &Replacement, now: i64) -> Result<(), StoreError> {
        const DOING: &str = "name a replacement";
        let mut tx = self.store.begin(&[Only::Replacements(self.tenant.id())]).await.doing(DOING)?;
        sqlx::query("DELETE FROM replacements WHERE tenant = $1 AND (old_serial = $2 OR new_serial = $3)")
            .bind(self.tenant)
            .bind(&replacement.old_serial)
            .bind(&replacement.new_serial)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        sqlx::query(
            "INSERT INTO replacements (tenant, old_serial, new_serial, case_id, created_at) VALUES ($1, $2, $3, $4, $5)",
        ).bind(self.tenant)
        .bind(&replacement.old_serial)
        .bind(&replacement.new_serial)
        .bind(&replacement.case_id)
        .bind(now)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)
    }

    /// The open replacement that names a unit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replacement_of(&self, serial: &str) -> Result<Option<Replacement>, StoreError> {
        sqlx::query_as(
            "SELECT old_serial, new_serial, case_id FROM replacements WHERE tenant = $1 AND (old_serial = $2 OR new_serial = $2)",
        ).bind(self.tenant)
        .bind(serial)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find a replacement")
    }

    /// The open replacement in which this device is the unit that comes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replacement_by(&self, device: &Device) -> Result<Option<Replacement>, StoreError> {
        sqlx::query_as(
            "SELECT old_serial, new_serial, case_id FROM replacements WHERE tenant = $1 AND (new_serial = $2 OR new_serial = $3)",
        ).bind(self.tenant)
        .bind(&device.serial)
        .bind(&device.id)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find a replacement")
    }

    /// Ends a replacement; `false` when none named this unit as the one that goes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_replacement(&self, old_serial: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM replacements WHERE tenant = $1 AND old_serial = $2")
            .bind(self.tenant)
            .bind(old_serial)
            .execute(&self.store.writer)
            .await
            .doing("end a replacement")?;
        Ok(done.rows_affected() > 0)
    }
}
