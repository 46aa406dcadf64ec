//! The one open shipping case of a serial number. A tenant is told "free" or "taken", and nothing else: not by whom, nor
//! that the unit was reported stolen.

use sqlx::AnyConnection;

use super::super::{Doing, Only, Store, StoreError};
use super::{LedgerError, find};
use crate::ledger::rules::RuleError;

/// A tenant's case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder<'a> {
    /// Tenant.
    pub tenant: &'a str,
    /// Its case.
    pub case_id: &'a str,
}

/// What a tenant is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It was free, and the case has it from now on.
    Free,
    /// Something stands against it.
    Taken,
}

impl Store {
    /// Takes a serial number for a shipping case. The same case asking again is told the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_hold(&self, serial: &str, holder: &Holder<'_>, now: i64) -> Result<Held, StoreError> {
        const DOING: &str = "hold a serial number";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        let held = hold_in(&mut tx, serial, holder, now).await?;
        tx.commit().await.doing(DOING)?;
        Ok(held)
    }

    /// Gives a serial number back; `false` when the case did not have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_release(&self, serial: &str, holder: &Holder<'_>) -> Result<bool, StoreError> {
        const DOING: &str = "give a serial number back";
        let mut writer = self.writer.acquire().await.doing(DOING)?;
        release_in(&mut writer, serial, holder).await
    }
}

/// [`Store::ledger_hold`] inside the caller's transaction.
pub(in crate::store) async fn hold_in(
    tx: &mut AnyConnection,
    serial: &str,
    holder: &Holder<'_>,
    now: i64,
) -> Result<Held, StoreError> {
    const DOING: &str = "hold a serial number";
    let barred =
        find(tx, serial).await.doing(DOING)?.is_some_and(|unit| unit.status.bars_shipping().is_some());
    if barred {
        return Ok(Held::Taken);
    }
    sqlx::query(
        "INSERT INTO ledger_holds (serial, tenant, case_id, since) VALUES ($1, $2, $3, $4) ON CONFLICT (serial) DO NOTHING",
    )
    .bind(serial)
    .bind(holder.tenant)
    .bind(holder.case_id)
    .bind(now)
    .execute(&mut *tx)
    .await
    .doing(DOING)?;
    Ok(if is_held_by(tx, serial, holder).await? { Held::Free } else { Held::Taken })
}

/// [`Store::ledger_release`] inside the caller's transaction.
pub(in crate::store) async fn release_in(
    tx: &mut AnyConnection,
    serial: &str,
    holder: &Holder<'_>,
) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM ledger_holds WHERE serial = $1 AND tenant = $2 AND case_id = $3")
        .bind(serial)
        .bind(holder.tenant)
        .bind(holder.case_id)
        .execute(tx)
        .await
        .doing("give a serial number back")?;
    Ok(done.rows_affected() == 1)
}

async fn is_held_by(tx: &mut AnyConnection, serial: &str, holder: &Holder<'_>) -> Result<bool, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM ledger_holds WHERE serial = $1 AND tenant = $2 AND case_id = $3",
    )
    .bind(serial)
    .bind(holder.tenant)
    .bind(holder.case_id)
    .fetch_one(tx)
    .await
    .doing("look who holds a serial number")?;
    Ok(count == 1)
}

/// The case must have the serial number.
pub(super) async fn held_by(
    tx: &mut AnyConnection,
    serial: &str,
    holder: &Holder<'_>,
) -> Result<(), LedgerError> {
    if is_held_by(tx, serial, holder).await? {
        return Ok(());
    }
    Err(RuleError::Taken(serial.to_owned()).into())
}

/// A unit that is itself waiting for a replacement does not ship as one.
pub(super) async fn not_held(tx: &mut AnyConnection, serial: &str) -> Result<(), LedgerError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_holds WHERE serial = $1")
        .bind(serial)
        .fetch_one(tx)
        .await
        .doing("look who holds a serial number")?;
    if count == 0 { Ok(()) } else { Err(RuleError::NotInStock(serial.to_owned()).into()) }
}
