//! Engineers and their sessions. Of a session only the digest of its token is kept.

use sqlx::{AnyConnection, FromRow};

use crate::roles::Roles;

use super::{Doing, Only, Store, StoreError, Tenant, TenantStore, can_be};

/// A session that is valid.
#[derive(Clone, Debug, FromRow)]
pub struct SessionRow {
    /// Whose people the person is of.
    pub tenant: Tenant,
    /// Who.
    pub user_name: String,
    /// Token that every form of this session carries.
    pub csrf: String,
    /// What the person may do.
    #[sqlx(try_from = "String")]
    pub roles: Roles,
}

/// A person as listed.
#[derive(Clone, Debug, FromRow)]
pub struct UserRow {
    /// Name as first written.
    pub name: String,
    /// What the person may do.
    #[sqlx(try_from = "String")]
    pub roles: Roles,
    /// Since when the person cannot log in.
    pub disabled_at: Option<i64>,
    /// When the person was added.
    pub created_at: i64,
}

/// How a person was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptUser {
    /// The person is new.
    New,
    /// The person was there, and has a new password.
    Changed,
    /// The name is somebody's of another tenant: names are unique over all, because who logs in gives nothing else.
    Elsewhere,
}

impl TenantStore<'_> {
    /// Adds a person, or gives an existing one a new password, and other roles where some are named. Sessions under an
    /// old password end. A person who is disabled stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_user(
        &self,
        name: &str,
        password_hash: &str,
        roles: Option<Roles>,
        now: i64,
    ) -> Result<KeptUser, StoreError> {
        const DOING: &str = "keep a user";
        let mut tx = self.store.begin(&[Only::People]).await.doing(DOING)?;
        let whose: Option<Tenant> = sqlx::query_scalar("SELECT tenant FROM users WHERE lower(name) = $1")
            .bind(name.to_ascii_lowercase())
            .fetch_optional(&mut *tx)
            .await
            .doing(DOING)?;
        match &whose {
            Some(tenant) if tenant != self.tenant => return Ok(KeptUser::Elsewhere),
            Some(_) => {
                sqlx::query(
                    "UPDATE users SET password_hash = $2, roles = coalesce($3, roles)
                     WHERE tenant = $1 AND lower(name) = $4",
                )
                .bind(self.tenant)
                .bind(password_hash)
                .bind(roles.map(|roles| roles.to_string()))
                .bind(name.to_ascii_lowercase())
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
                self.end_sessions_of(name, &mut tx).await.doing(DOING)?;
            }
            None => {
                sqlx::query(
                    "INSERT INTO users (tenant, name, password_hash, created_at, roles)
                     VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(self.tenant)
                .bind(name)
                .bind(password_hash)
                .bind(now)
                .bind(roles.unwrap_or_default().to_string())
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
            }
        }
        tx.commit().await.doing(DOING)?;
        Ok(if whose.is_some() { KeptUser::Changed } else { KeptUser::New })
    }

    async fn end_sessions_of(&self, name: &str, tx: &mut AnyConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM sessions WHERE tenant = $1 AND lower(user_name) = $2")
            .bind(self.tenant)
            .bind(name.to_ascii_lowercase())
            .execute(tx)
            .await
            .map(drop)
    }

    /// Gives a person these roles and no others; `false` when there is no such person. Open sessions end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_roles(&self, name: &str, roles: Roles) -> Result<bool, StoreError> {
        const DOING: &str = "change a person's roles";
        let mut tx = self.store.begin(&[Only::People]).await.doing(DOING)?;
        let done = sqlx::query("UPDATE users SET roles = $2 WHERE tenant = $1 AND lower(name) = $3")
            .bind(self.tenant)
            .bind(roles.to_string())
            .bind(name.to_ascii_lowercase())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        self.end_sessions_of(name, &mut tx).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps a person from logging in, since a time, or lets the person again; `false` when there is no such person.
    /// Open sessions end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disable_user(&self, name: &str, since: Option<i64>) -> Result<bool, StoreError> {
        const DOING: &str = "disable a person";
        let mut tx = self.store.begin(&[Only::People]).await.doing(DOING)?;
        let done = sqlx::query("UPDATE users SET disabled_at = $2 WHERE tenant = $1 AND lower(name) = $3")
            .bind(self.tenant)
            .bind(since)
            .bind(name.to_ascii_lowercase())
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
        self.end_sessions_of(name, &mut tx).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(done.rows_affected() == 1)
    }

    /// The people of this tenant, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people(&self) -> Result<Vec<UserRow>, StoreError> {
        sqlx::query_as(
            "SELECT name, roles, disabled_at, created_at FROM users WHERE tenant = $1 ORDER BY lower(name)",
        )
        .bind(self.tenant)
        .fetch_all(&self.store.readers)
        .await
        .doing("list people")
    }

    /// The name of a person of this tenant, as first written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person(&self, name: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT name FROM users WHERE tenant = $1 AND lower(name) = $2")
            .bind(self.tenant)
            .bind(name.to_ascii_lowercase())
            .fetch_optional(&self.store.readers)
            .await
            .doing("find a user")
    }
}

impl Store {
    /// Name as first written and password hash of a person who may log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, name: &str) -> Result<Option<(String, String)>, StoreError> {
        if !can_be(name) {
            return Ok(None);
        }
        sqlx::query_as("SELECT name, password_hash FROM users WHERE lower(name) = $1 AND disabled_at IS NULL")
            .bind(name.to_ascii_lowercase())
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

    /// Opens a session of a person, in the person's tenant.
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
            "INSERT INTO sessions (tenant, token_sha256, user_name, csrf, created_at, expires_at)
             SELECT tenant, $1, name, $3, $4, $5 FROM users WHERE name = $2 AND disabled_at IS NULL",
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
        sqlx::query_as(
            "SELECT s.tenant, s.user_name, s.csrf, u.roles FROM sessions s JOIN users u ON u.name = s.user_name
             WHERE s.token_sha256 = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL",
        )
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
        sqlx::query("DELETE FROM sessions WHERE token_sha256 = $1")
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
        sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
            .bind(now)
            .execute(&self.writer)
            .await
            .doing("forget old sessions")?;
        Ok(())
    }
}
