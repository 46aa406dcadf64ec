//! Failed tries inside a sliding window: what limits guessing of codes and passwords, over restarts too.

use super::{Doing, Store, StoreError};

impl Store {
    /// Remembers a failed try.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_failure(&self, kind: &str, subject: &str, now: i64) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO failures (kind, subject, at) VALUES ($1, $2, $3)")
            .bind(kind)
            .bind(subject)
            .bind(now)
            .execute(&self.writer)
            .await
            .doing("remember a failed try")?;
        Ok(())
    }

    /// Failed tries of one subject since a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failures_of(&self, kind: &str, subject: &str, since: i64) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT count(*) FROM failures WHERE kind = $1 AND subject = $2 AND at > $3")
            .bind(kind)
            .bind(subject)
            .bind(since)
            .fetch_one(&self.readers)
            .await
            .doing("count failed tries")
    }

    /// Failed tries of a kind since a time, whoever made them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failures_in_all(&self, kind: &str, since: i64) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT count(*) FROM failures WHERE kind = $1 AND at > $2")
            .bind(kind)
            .bind(since)
            .fetch_one(&self.readers)
            .await
            .doing("count failed tries")
    }

    /// Takes back one failed try of a subject: it was counted before it was known to be right.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_back(&self, kind: &str, subject: &str, at: i64) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM failures WHERE id =
                 (SELECT max(id) FROM failures WHERE kind = $1 AND subject = $2 AND at = $3)",
        )
        .bind(kind)
        .bind(subject)
        .bind(at)
        .execute(&self.writer)
        .await
        .doing("take back a failed try")?;
        Ok(())
    }

    /// Forgets the failed tries of one subject: it has proved itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forgive(&self, kind: &str, subject: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM failures WHERE kind = $1 AND subject = $2")
            .bind(kind)
            .bind(subject)
            .execute(&self.writer)
            .await
            .doing("forget failed tries")?;
        Ok(())
    }

    /// Forgets everything that happened before a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_failures(&self, before: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM failures WHERE at < $1")
            .bind(before)
            .execute(&self.writer)
            .await
            .doing("forget old failed tries")?;
        Ok(())
    }
}
