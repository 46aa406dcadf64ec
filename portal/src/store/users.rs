//! Engineers and their sessions. Of a session only the digest of its token is kept.

use sqlx::FromRow;

use super::{Doing, Store, StoreError};

/// A session that is valid.
#[derive(Clone, Debug, FromRow)]
pub struct SessionRow {
    /// Who.
    pub user_name: String,
    /// Token that every form of this session carries.
    pub csrf: String,
}

impl Store {
    /// Adds a person, or gives an existing one a new password; returns whether the person is new. Sessions under an
    /// old password end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_user(&self, name: &str, password_hash: &str, now: i64) -> Result<bool, StoreError> {
        const DOING: &str = "keep a user";
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.doing(DOING)?;
        let changed = sqlx::query("UPDATE users SET password_hash = ? WHERE name = ?")
            .bind(password_hash)
            .bind(name)
            .execute(&mut *tx)
            .await
            .doing(DOING)?
            .rows_affected();
        if changed == 0 {
            sqlx::query("INSERT INTO users (name, password_hash, created_at) VALUES (?, ?, ?)")
                .bind(name)
                .bind(password_hash)
                .bind(now)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        sqlx::query("DELETE FROM sessions WHERE user_name = ? COLLATE NOCASE")
            .bind(name)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(changed == 0)
    }

    /// A person's name as first written, and password hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, name: &str) -> Result<Option<(String, String)>, StoreError> {
        sqlx::query_as("SELECT name, password_hash FROM users WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .doing("find a user")
    }

    /// How many people there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_count(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&self.readers).await.doing("count users")
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_session(
        &self,
        token_sha256: &str,
        user_name: &str,
        csrf: &str,
        now: i64,
        expires_at: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (token_sha256, user_name, csrf, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(token_sha256)
        .bind(user_name)
        .bind(csrf)
        .bind(now)
        .bind(expires_at)
        .execute(&self.writer)
        .await
        .doing("open a session")?;
        Ok(())
    }

    /// The session of a token, when it is still valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token_sha256: &str, now: i64) -> Result<Option<SessionRow>, StoreError> {
        sqlx::query_as("SELECT user_name, csrf FROM sessions WHERE token_sha256 = ? AND expires_at > ?")
            .bind(token_sha256)
            .bind(now)
            .fetch_optional(&self.readers)
            .await
            .doing("find a session")
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_session(&self, token_sha256: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE token_sha256 = ?")
            .bind(token_sha256)
            .execute(&self.writer)
            .await
            .doing("end a session")?;
        Ok(())
    }

    /// Forgets sessions that ran out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_sessions(&self, now: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE expires_at <= ?")
            .bind(now)
            .execute(&self.writer)
            .await
            .doing("forget old sessions")?;
        Ok(())
    }
}
