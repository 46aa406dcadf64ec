//! Support requests and what became of them. A request leaves `open` once and never comes back.

use assay_bundle::statement::{self, Signed, StatementError};
use assay_bundle::support_request::SupportRequest;
use sqlx::FromRow;

use super::{Doing, Flag, Only, StoreError, TenantStore, can_be, kept};

/// A request.
#[derive(Clone, Debug, FromRow)]
pub struct RequestRow {
    /// Portal's name for it.
    pub id: String,
    /// Whose.
    pub device_id: String,
    /// Who asks.
    pub engineer: String,
    /// Seconds since 1970.
    pub issued_at: i64,
    /// Seconds since 1970.
    pub expires_at: i64,
    /// Exact bytes that were signed.
    pub document: String,
    /// Signature over them.
    pub signature: String,
    /// `open`, `denied`, `cancelled`, `answered`.
    pub state: String,
    /// When it left `open`.
    pub closed_at: Option<i64>,
    /// Why it was denied or cancelled.
    pub words: String,
    /// Bundle that answered it.
    pub bundle_id: Option<String>,
    /// Whether its receipt says that it is ready for remote support.
    #[sqlx(try_from = "i64")]
    pub ready: Flag,
}

impl RequestRow {
    /// Whether it can still be answered.
    pub fn is_open(&self, now: i64) -> bool {
        self.state == "open" && now < self.expires_at
    }

    /// The request as it was signed.
    ///
    /// # Errors
    /// When the row was written by another version.
    pub fn request(&self) -> Result<SupportRequest, StatementError> {
        statement::read(&self.document)
    }

    /// Its bytes with their signature.
    pub fn signed(&self) -> Signed {
        Signed { document: self.document.clone(), signature: self.signature.clone() }
    }

    /// What became of it, in one word for people.
    pub fn state_words(&self, now: i64) -> &'static str {
        match self.state.as_str() {
            "open" if now >= self.expires_at => "expired",
            "open" => "open",
            "denied" => "denied by the owner",
            "cancelled" => "cancelled",
            _ if self.ready.is_set() => "ready for remote support",
            _ => "answered",
        }
    }
}

macro_rules! rows {
    ($tail:literal) => {
        concat!(
            "SELECT id, device_id, engineer, issued_at, expires_at, document, signature, state, closed_at, words,
                 bundle_id, ready
             FROM requests ",
            $tail
        )
    };
}

impl TenantStore<'_> {
    /// Keeps a new request, unless the device has as many open ones as it may: then `false`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_request(
        &self,
        request: &SupportRequest,
        signed: &Signed,
        most_open: i64,
    ) -> Result<bool, StoreError> {
        const DOING: &str = "keep a support request";
        let mut tx = self.store.begin(&[Only::Device(&request.device_id)]).await.doing(DOING)?;
        let done = sqlx::query(
            "INSERT INTO requests (tenant, id, device_id, nonce, engineer, issued_at, expires_at, document, signature)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
             WHERE (SELECT count(*) FROM requests
                    WHERE tenant = $1 AND device_id = $10 AND state = 'open' AND expires_at > $11) < $12",
        ).bind(self.tenant)
        .bind(&request.id)
        .bind(&request.device_id)
        .bind(&request.nonce)
        .bind(&request.engineer)
        .bind(request.issued_unix_s)
        .bind(request.expires_unix_s)
        .bind(&signed.document)
        .bind(&signed.signature)
        .bind(&request.device_id)
        .bind(request.issued_unix_s)
        .bind(most_open)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(done.rows_affected() == 1)
    }

    /// A request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request(&self, id: &str) -> Result<Option<RequestRow>, StoreError> {
        if !can_be(id) {
            return Ok(None);
        }
        sqlx::query_as(rows!("WHERE tenant = $1 AND id = $2"))
            .bind(self.tenant)
            .bind(id)
            .fetch_optional(&self.store.readers)
            .await
            .doing("find a support request")
    }

    /// A request of a device; another device's is as unknown as none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_of(&self, device_id: &str, id: &str) -> Result<Option<RequestRow>, StoreError> {
        Ok(self.request(id).await?.filter(|row| row.device_id == device_id))
    }

    /// The newest requests, of one device where it is given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_requests(
        &self,
        device_id: Option<&str>,
        limit: i64,
    ) -> Result<Vec<RequestRow>, StoreError> {
        sqlx::query_as(rows!(
            "WHERE tenant = $1 AND ($2 IS NULL OR device_id = $2) ORDER BY issued_at DESC, id DESC LIMIT $3"
        ))
        .bind(self.tenant)
        .bind(device_id)
        .bind(limit)
        .fetch_all(&self.store.readers)
        .await
        .doing("list support requests")
    }

    /// Open requests of a device, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_requests(&self, device_id: &str, now: i64) -> Result<Vec<RequestRow>, StoreError> {
        sqlx::query_as(rows!(
            "WHERE tenant = $1 AND device_id = $2 AND state = 'open' AND expires_at > $3 ORDER BY issued_at, id"
        )).bind(self.tenant)
        .bind(device_id)
        .bind(now)
        .fetch_all(&self.store.readers)
        .await
        .doing("list open support requests")
    }

    /// Ids of requests that were cancelled before they would have expired, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancelled_requests(
        &self,
        device_id: &str,
        now: i64,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT id FROM requests WHERE tenant = $1 AND device_id = $2 AND state = 'cancelled' AND expires_at > $3
             ORDER BY closed_at DESC, id DESC LIMIT $4",
        ).bind(self.tenant)
        .bind(device_id)
        .bind(now)
        .bind(limit)
        .fetch_all(&self.store.readers)
        .await
        .doing("list cancelled support requests")
    }

    /// Takes a request back (`cancelled`) or says no to it (`denied`); `false` when it had left `open` before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_request(
        &self,
        id: &str,
        state: &'static str,
        words: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE requests SET state = $2, words = $3, closed_at = $4 WHERE tenant = $1 AND id = $5 AND state = 'open'",
        ).bind(self.tenant)
        .bind(state)
        .bind(kept(words).as_ref())
        .bind(now)
        .bind(id)
        .execute(&self.store.writer)
        .await
        .doing("close a support request")?;
        Ok(done.rows_affected() == 1)
    }
}
