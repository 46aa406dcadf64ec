//! Remote sessions: opened by an engineer, started and stopped by the owner. What the device signed is kept as it was.

use assay_bundle::statement::Signed;
use sqlx::FromRow;

use super::{Doing, StoreError, TenantStore};

/// A session.
#[derive(Clone, Debug, FromRow)]
pub struct SupportSession {
    /// Portal's name for it.
    pub id: String,
    /// Request under which it is.
    pub request_id: String,
    /// Whose.
    pub device_id: String,
    /// Who looks.
    pub engineer: String,
    /// How: a word of [`assay_bundle::support_request::SessionMethod`].
    pub method: String,
    /// For how long at most from the start.
    pub most_hours: i64,
    /// When the engineer opened it.
    pub opened_at: i64,
    /// Until when the owner can start it.
    pub start_before: i64,
    /// The owner's start.
    pub started_at: Option<i64>,
    /// When it ends whatever happens.
    pub hard_expiry: Option<i64>,
    /// The record at its start.
    pub start_document: Option<String>,
    /// The end.
    pub stopped_at: Option<i64>,
    /// The record at its end.
    pub stop_document: Option<String>,
    /// When an engineer closed it.
    pub closed_at: Option<i64>,
}

impl SupportSession {
    /// In one word for people.
    pub fn state_words(&self, now: i64) -> &'static str {
        match (self.stopped_at, self.closed_at, self.started_at) {
            (Some(_), ..) => "stopped",
            (None, Some(_), _) => "closed by an engineer",
            (None, None, Some(_)) if self.hard_expiry.is_some_and(|end| now >= end) => "past its hard expiry",
            (None, None, Some(_)) => "running",
            (None, None, None) if now >= self.start_before => "never started",
            (None, None, None) => "waits for the owner's start",
        }
    }
}

macro_rules! rows {
    ($tail:literal) => {
        concat!(
            "SELECT id, request_id, device_id, engineer, method, most_hours, opened_at, start_before, started_at,
                 hard_expiry, start_document, stopped_at, stop_document, closed_at
             FROM support_sessions ",
            $tail
        )
    };
}

impl TenantStore<'_> {
    /// Opens a session; `false` when the request has one that is not over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_support_session(&self, session: &SupportSession) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO support_sessions (tenant, id, request_id, device_id, engineer, method, most_hours, opened_at,
                 start_before)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        ).bind(self.tenant)
        .bind(&session.id)
        .bind(&session.request_id)
        .bind(&session.device_id)
        .bind(&session.engineer)
        .bind(&session.method)
        .bind(session.most_hours)
        .bind(session.opened_at)
        .bind(session.start_before)
        .execute(&self.store.writer)
        .await
        .doing("open a remote session")?;
        Ok(done.rows_affected() == 1)
    }

    /// A session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn support_session(&self, id: &str) -> Result<Option<SupportSession>, StoreError> {
        sqlx::query_as(rows!("WHERE tenant = $1 AND id = $2"))
            .bind(self.tenant)
            .bind(id)
            .fetch_optional(&self.store.readers)
            .await
            .doing("find a remote session")
    }

    /// The newest sessions, of one device where it is given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_support_sessions(
        &self,
        device_id: Option<&str>,
        limit: i64,
    ) -> Result<Vec<SupportSession>, StoreError> {
        sqlx::query_as(rows!(
            "WHERE tenant = $1 AND ($2 IS NULL OR device_id = $2) ORDER BY opened_at DESC, id DESC LIMIT $3"
        ))
        .bind(self.tenant)
        .bind(device_id)
        .bind(limit)
        .fetch_all(&self.store.readers)
        .await
        .doing("list remote sessions")
    }

    /// Keeps the record of the owner's start; `false` when it was started, or is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_support_session(
        &self,
        id: &str,
        started_at: i64,
        hard_expiry: i64,
        signed: &Signed,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE support_sessions SET started_at = $2, hard_expiry = $3, start_document = $4, start_signature = $5
             WHERE tenant = $1 AND id = $6 AND started_at IS NULL AND closed_at IS NULL",
        ).bind(self.tenant)
        .bind(started_at)
        .bind(hard_expiry)
        .bind(&signed.document)
        .bind(&signed.signature)
        .bind(id)
        .execute(&self.store.writer)
        .await
        .doing("start a remote session")?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps the record of the end, also of a session that was closed; `false` when there is one, or no start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop_support_session(
        &self,
        id: &str,
        stopped_at: i64,
        signed: &Signed,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE support_sessions SET stopped_at = $2, stop_document = $3, stop_signature = $4
             WHERE tenant = $1 AND id = $5 AND started_at IS NOT NULL AND stopped_at IS NULL",
        )
        .bind(self.tenant)
        .bind(stopped_at)
        .bind(&signed.document)
        .bind(&signed.signature)
        .bind(id)
        .execute(&self.store.writer)
        .await
        .doing("stop a remote session")?;
        Ok(done.rows_affected() == 1)
    }

    /// Closes a session from our side; `false` when it is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_support_session(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE support_sessions SET closed_at = $2 WHERE tenant = $1 AND id = $3 AND closed_at IS NULL AND stopped_at IS NULL",
        ).bind(self.tenant)
        .bind(now)
        .bind(id)
        .execute(&self.store.writer)
        .await
        .doing("close a remote session")?;
        Ok(done.rows_affected() == 1)
    }
}
