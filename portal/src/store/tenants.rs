//! Tenants: who shares this portal without seeing one another.
//!
//! A [`Tenant`] comes out of the database only: with a signed-in session, with the device of a key, or with a job. No
//! text of a request becomes one. [`TenantStore`] is the only way to what a tenant has, and names it in every statement.

use std::fmt;

use sqlx::FromRow;

use super::{Doing, Only, Store, StoreError};

/// The tenant that is there from the beginning.
pub const DEFAULT: &str = "default";
/// Longest name of a tenant in ids, in bytes (judgement: it stands in lists beside other things).
const LONGEST_ID: usize = 40;

/// A tenant that is known to be there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Tenant(String);

impl Tenant {
    /// Its name in ids.
    pub fn id(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tenant as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct TenantRow {
    /// Its name in ids.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// What one tenant has.
#[derive(Clone, Copy)]
pub struct TenantStore<'s> {
    pub(super) store: &'s Store,
    pub(super) tenant: &'s Tenant,
}

impl<'s> TenantStore<'s> {
    /// Whose it is.
    pub fn tenant(&self) -> &'s Tenant {
        self.tenant
    }

    /// What stands outside tenants.
    pub fn outside(&self) -> &'s Store {
        self.store
    }
}

/// Whether a text can name a tenant in ids: what fits into a label of a host name.
pub fn is_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(fits) && !text.starts_with('-')
}

impl Store {
    /// What one tenant has.
    pub fn of<'s>(&'s self, tenant: &'s Tenant) -> TenantStore<'s> {
        TenantStore { store: self, tenant }
    }

    /// The tenant of this name in ids, for who runs the portal. Nothing that comes in over the network asks this.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenant_named(&self, id: &str) -> Result<Option<Tenant>, StoreError> {
        sqlx::query_scalar("SELECT id FROM tenants WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .doing("find a tenant")
    }

    /// Every tenant, by its name in ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tenants(&self) -> Result<Vec<TenantRow>, StoreError> {
        sqlx::query_as("SELECT id, name FROM tenants ORDER BY id")
            .fetch_all(&self.readers)
            .await
            .doing("list the tenants")
    }

    /// Adds a tenant, or gives one another name for people; returns whether it is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_tenant(&self, id: &str, name: &str) -> Result<bool, StoreError> {
        const DOING: &str = "keep a tenant";
        let mut tx = self.begin(&[Only::People]).await.doing(DOING)?;
        let changed = sqlx::query("UPDATE tenants SET name = $1 WHERE id = $2")
            .bind(name)
            .bind(id)
            .execute(&mut *tx)
            .await
            .doing(DOING)?
            .rows_affected();
        if changed == 0 {
            sqlx::query("INSERT INTO tenants (id, name) VALUES ($1, $2)")
                .bind(id)
                .bind(name)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        tx.commit().await.doing(DOING)?;
        Ok(changed == 0)
    }
}
