//! What a poll tells beside requests: the latest version of the agent, and open replacements.

use sqlx::FromRow;

use super::{Doing, Store, StoreError};

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
    /// Unit that comes.
    pub new_serial: String,
}

impl Store {
    /// Sets the latest version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_notice(&self, notice: &Notice, now: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO update_notice (only, version, sha256, url, set_at) VALUES (1, ?, ?, ?, ?)
             ON CONFLICT (only) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256,
                 url = excluded.url, set_at = excluded.set_at",
        )
        .bind(&notice.version)
        .bind(&notice.sha256)
        .bind(&notice.url)
        .bind(now)
        .execute(&self.writer)
        .await
        .doing("set the latest version")?;
        Ok(())
    }

    /// The latest version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notice(&self) -> Result<Option<Notice>, StoreError> {
        sqlx::query_as("SELECT version, sha256, url FROM update_notice")
            .fetch_optional(&self.readers)
            .await
            .doing("find the latest version")
    }

    /// Names a replacement; one that named either unit before is forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn name_replacement(&self, replacement: &Replacement, now: i64) -> Result<(), StoreError> {
        const DOING: &str = "name a replacement";
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.doing(DOING)?;
        sqlx::query("DELETE FROM replacements WHERE old_serial = ? OR new_serial = ?")
            .bind(&replacement.old_serial)
            .bind(&replacement.new_serial)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        sqlx::query("INSERT INTO replacements (old_serial, new_serial, created_at) VALUES (?, ?, ?)")
            .bind(&replacement.old_serial)
            .bind(&replacement.new_serial)
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
            "SELECT old_serial, new_serial FROM replacements WHERE old_serial = ?1 OR new_serial = ?1",
        )
        .bind(serial)
        .fetch_optional(&self.readers)
        .await
        .doing("find a replacement")
    }
}
