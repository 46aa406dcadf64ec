//! The serial ledger's rows: the one repository outside tenants. A tenant learns of a serial number only whether it is
//! free.
//!
//! Every change goes through [`crate::ledger::rules`] inside one transaction that also writes the audit: all of it is
//! there afterwards, or nothing. The rows are read in that transaction, so that two writers never decide on the same
//! state. The audit is only ever added to; the database itself refuses the rest.

use assay_bundle::entitlement::Purchase;
use jiff::civil::Date;
use sqlx::{AnyConnection, FromRow};

use super::{Doing, Only, Store, StoreError};
use crate::ledger::import::{Line, Remark, apply, make};
use crate::ledger::record::{Price, Record, Status, serial};
use crate::ledger::rules::{self, Reinstated, RuleError, Swap};

mod hold;

pub use hold::{Held, Holder};

/// Records that one page of an export has.
const PAGE: i64 = 1_000;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The rules refuse it.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who changes something, and why.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// Name of the person.
    pub who: &'a str,
    /// What for: a file, a case, a call.
    pub reason: &'a str,
    /// Portal's time.
    pub now: i64,
}

/// One change, as the audit has it.
#[derive(Clone, Debug, FromRow)]
pub struct Change {
    /// Seconds since 1970.
    pub at: i64,
    /// Who.
    pub who: String,
    /// Unit.
    pub serial: String,
    /// What was done, in one word.
    pub action: String,
    /// What for.
    pub reason: String,
    /// JSON of the record; none when it was new.
    pub before: Option<String>,
    /// JSON of the record.
    pub after: String,
}

/// What a table did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Units that were new.
    pub added: usize,
    /// Units of which something changed.
    pub changed: usize,
    /// Units that already were as the table says.
    pub unchanged: usize,
    /// Lines that the rules refuse. Nothing was taken while one stands here.
    pub errors: Vec<Remark>,
}

#[derive(FromRow)]
struct Row {
    serial: String,
    status: String,
    replaced_by: Option<String>,
    replaces: Option<String>,
    sold_to: Option<String>,
    price_hundredths: Option<i64>,
    currency: Option<String>,
    purchase: String,
}

impl Row {
    fn record(self) -> Result<Record, sqlx::Error> {
        let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
        let status: Status = self.status.parse().map_err(|why: String| decode(why.into()))?;
        let bought: Purchase = serde_json::from_str(&self.purchase).map_err(|error| decode(error.into()))?;
        let list_price = match (self.price_hundredths, self.currency) {
            (Some(hundredths), Some(currency)) => {
                Some(Price { hundredths: u64::try_from(hundredths).unwrap_or_default(), currency })
            }
            _ => None,
        };
        Ok(Record {
            serial: self.serial,
            status,
            replaced_by: self.replaced_by,
            replaces: self.replaces,
            sold_to: self.sold_to,
            list_price,
            bought,
        })
    }
}

macro_rules! rows {
    ($tail:literal) => {
        concat!(
            "SELECT serial, status, replaced_by, replaces, sold_to, price_hundredths, currency, purchase FROM ledger ",
            $tail
        )
    };
}

async fn find(tx: &mut AnyConnection, serial: &str) -> Result<Option<Record>, sqlx::Error> {
    let row: Option<Row> =
        sqlx::query_as(rows!("WHERE serial = $1")).bind(serial).fetch_optional(&mut *tx).await?;
    row.map(Row::record).transpose()
}

/// Writes one record with its line in the audit. What did not change is not written.
async fn put(
    tx: &mut AnyConnection,
    before: Option<&Record>,
    after: &Record,
    action: &str,
    actor: &Actor<'_>,
) -> Result<bool, sqlx::Error> {
    if before == Some(after) {
        return Ok(false);
    }
    let json =
        |record: &Record| serde_json::to_string(record).map_err(|error| sqlx::Error::Encode(error.into()));
    let purchase = serde_json::to_string(&after.bought).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let hundredths =
        after.list_price.as_ref().map(|price| i64::try_from(price.hundredths).unwrap_or(i64::MAX));
    sqlx::query(
        "INSERT INTO ledger (serial, status, replaced_by, replaces, sold_to, price_hundredths, currency, purchase,
             changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (serial) DO UPDATE SET status = excluded.status, replaced_by = excluded.replaced_by,
             replaces = excluded.replaces, sold_to = excluded.sold_to, price_hundredths = excluded.price_hundredths,
             currency = excluded.currency, purchase = excluded.purchase, changed_at = excluded.changed_at",
    )
    .bind(&after.serial)
    .bind(after.status.word())
    .bind(&after.replaced_by)
    .bind(&after.replaces)
    .bind(&after.sold_to)
    .bind(hundredths)
    .bind(after.list_price.as_ref().map(|price| price.currency.as_str()))
    .bind(purchase)
    .bind(actor.now)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO ledger_audit (at, who, serial, action, reason, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(actor.now)
    .bind(actor.who)
    .bind(&after.serial)
    .bind(action)
    .bind(actor.reason)
    .bind(before.map(json).transpose()?)
    .bind(json(after)?)
    .execute(&mut *tx)
    .await?;
    Ok(true)
}

/// Both records of a unit and its replacement. The unit that gives comes first: the index that keeps coverage in one
/// place looks at every statement, not only at the end.
async fn put_swap(
    tx: &mut AnyConnection,
    before: (&Record, Option<&Record>),
    after: &Swap,
    action: &str,
    actor: &Actor<'_>,
) -> Result<(), sqlx::Error> {
    put(tx, Some(before.0), &after.original, action, actor).await?;
    put(tx, before.1, &after.replacement, action, actor).await?;
    Ok(())
}

impl Store {
    /// What the ledger has of a unit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_record(&self, serial: &str) -> Result<Option<Record>, StoreError> {
        const DOING: &str = "find a unit in the ledger";
        let mut reader = self.readers.acquire().await.doing(DOING)?;
        find(&mut reader, serial).await.doing(DOING)
    }

    /// What the ledger has of a unit by a serial number as a device tells it; none for what is no serial number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_of_device(&self, told: Option<&str>) -> Result<Option<Record>, StoreError> {
        match told.and_then(|told| serial(told).ok()) {
            Some(serial) => self.ledger_record(&serial).await,
            None => Ok(None),
        }
    }

    /// Up to a thousand units behind a serial number, by serial number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_after(&self, serial: &str) -> Result<Vec<Record>, StoreError> {
        const DOING: &str = "list the ledger";
        let rows: Vec<Row> = sqlx::query_as(rows!("WHERE serial > $1 ORDER BY serial LIMIT $2"))
            .bind(serial)
            .bind(PAGE)
            .fetch_all(&self.readers)
            .await
            .doing(DOING)?;
        rows.into_iter().map(Row::record).collect::<Result<_, _>>().doing(DOING)
    }

    /// The newest changes of a unit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_history(&self, serial: &str, limit: i64) -> Result<Vec<Change>, StoreError> {
        sqlx::query_as(
            "SELECT at, who, serial, action, reason, before, after FROM ledger_audit
             WHERE serial = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(serial)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .doing("list the changes of a unit")
    }

    /// People who edited the entitlement of a unit by hand: they neither confirm nor approve for it. A shipment and what
    /// follows from it are no edits; they have two persons already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_editors(&self, serial: &str) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT DISTINCT who FROM ledger_audit WHERE serial = $1 AND action IN ('set', 'import') ORDER BY who",
        )
        .bind(serial)
        .fetch_all(&self.readers)
        .await
        .doing("list who edited an entitlement")
    }

    /// Changes one unit by hand, or adds it.
    ///
    /// # Errors
    /// When the rules refuse it or the database fails; nothing is changed then.
    pub async fn ledger_set(
        &self,
        line: &Line,
        action: &'static str,
        actor: &Actor<'_>,
    ) -> Result<Record, LedgerError> {
        const DOING: &str = "change a unit in the ledger";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        let before = find(&mut tx, &line.serial).await.doing(DOING)?;
        let after = match &before {
            Some(record) => apply(record, &line.edits)?,
            None => make(&line.serial, &line.edits)?,
        };
        put(&mut tx, before.as_ref(), &after, action, actor).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(after)
    }

    /// Another status by hand: reported stolen, refurbished.
    ///
    /// # Errors
    /// When the unit is not in the ledger, it cannot follow, or the database fails; nothing is changed then.
    pub async fn ledger_status(
        &self,
        serial: &str,
        status: Status,
        actor: &Actor<'_>,
    ) -> Result<Record, LedgerError> {
        const DOING: &str = "change the status of a unit";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        let before =
            find(&mut tx, serial).await.doing(DOING)?.ok_or_else(|| RuleError::Unknown(serial.to_owned()))?;
        let after = rules::change_status(&before, status)?;
        put(&mut tx, Some(&before), &after, status.word(), actor).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(after)
    }

    /// Takes a table, all of it or nothing. With `dry_run` nothing is taken in any case.
    ///
    /// # Errors
    /// When the database fails; nothing is changed then.
    pub async fn ledger_import(
        &self,
        lines: &[Line],
        dry_run: bool,
        actor: &Actor<'_>,
    ) -> Result<Imported, StoreError> {
        const DOING: &str = "import into the ledger";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        let mut imported = Imported::default();
        for line in lines {
            let before = find(&mut tx, &line.serial).await.doing(DOING)?;
            let after = match &before {
                Some(record) => apply(record, &line.edits),
                None => make(&line.serial, &line.edits),
            };
            let after = match after {
                Ok(after) => after,
                Err(error) => {
                    let column = match error {
                        RuleError::Link { column } => Some(column),
                        RuleError::Status { .. } => Some("status"),
                        _ => None,
                    };
                    imported.errors.push(Remark { line: line.line, column, text: error.to_string() });
                    continue;
                }
            };
            let wrote = put(&mut tx, before.as_ref(), &after, "import", actor).await.doing(DOING)?;
            match (before.is_some(), wrote) {
                (false, _) => imported.added += 1,
                (true, true) => imported.changed += 1,
                (true, false) => imported.unchanged += 1,
            }
        }
        if dry_run || !imported.errors.is_empty() {
            tx.rollback().await.doing(DOING)?;
        } else {
            tx.commit().await.doing(DOING)?;
        }
        Ok(imported)
    }

    /// A replacement ships for an open case: the coverage moves in the same transaction (A13).
    ///
    /// # Errors
    /// When the case does not hold the serial number, the rules refuse it, or the database fails; nothing is changed
    /// then.
    pub async fn ledger_ship(
        &self,
        holder: &Holder<'_>,
        original: &str,
        replacement: (&str, Option<&str>),
        actor: &Actor<'_>,
    ) -> Result<Swap, LedgerError> {
        const DOING: &str = "move coverage to a replacement";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        let swap = ship_in(&mut tx, holder, original, replacement, actor).await?;
        tx.commit().await.doing(DOING)?;
        Ok(swap)
    }

    /// A replacement was lost on its way, and the next ships: the coverage moves on (A14).
    ///
    /// # Errors
    /// As [`Store::ledger_ship`].
    pub async fn ledger_lost_outbound(
        &self,
        holder: &Holder<'_>,
        (original, lost): (&str, &str),
        next: (&str, Option<&str>),
        actor: &Actor<'_>,
    ) -> Result<Swap, LedgerError> {
        const DOING: &str = "move coverage on to the next replacement";
        const ACTION: &str = "lost-outbound";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        hold::held_by(&mut tx, original, holder).await?;
        hold::not_held(&mut tx, next.0).await?;
        let before = known(&mut tx, original).await?;
        let lost = known(&mut tx, lost).await?;
        let stock = find(&mut tx, next.0).await.doing(DOING)?;
        let (first, swap) = rules::lost_outbound(&before, &lost, next.0, next.1, stock.as_ref())?;
        put(&mut tx, Some(&before), &first, ACTION, actor).await.doing(DOING)?;
        put_swap(&mut tx, (&lost, stock.as_ref()), &swap, ACTION, actor).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(swap)
    }

    /// The inspection found damage by the customer: the original has its warranty again (A12).
    ///
    /// # Errors
    /// As [`Store::ledger_ship`], and when nobody inspected.
    pub async fn ledger_reinstate(
        &self,
        holder: &Holder<'_>,
        (original, replacement): (&str, &str),
        inspected: Option<Date>,
        actor: &Actor<'_>,
    ) -> Result<Reinstated, LedgerError> {
        const DOING: &str = "reinstate an original warranty";
        let mut tx = self.begin(&[Only::Ledger]).await.doing(DOING)?;
        hold::held_by(&mut tx, original, holder).await?;
        let before = (known(&mut tx, original).await?, known(&mut tx, replacement).await?);
        let reinstated = rules::reinstate(&before.0, &before.1, inspected)?;
        put_swap(&mut tx, (&before.0, Some(&before.1)), &reinstated.units, "customer-damage", actor)
            .await
            .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(reinstated)
    }
}

async fn known(tx: &mut AnyConnection, serial: &str) -> Result<Record, LedgerError> {
    let found = find(tx, serial).await.doing("find a unit in the ledger")?;
    Ok(found.ok_or_else(|| RuleError::Unknown(serial.to_owned()))?)
}

/// Whether a unit may be enrolled with this serial number. What the ledger does not have may be.
pub(super) async fn may_enrol(tx: &mut AnyConnection, told: Option<&str>) -> Result<bool, sqlx::Error> {
    match told.and_then(|told| serial(told).ok()) {
        Some(serial) => Ok(find(tx, &serial).await?.is_none_or(|unit| unit.status.may_enrol())),
        None => Ok(true),
    }
}

/// What a shipment does to the ledger, inside the caller's transaction.
pub(super) async fn ship_in(
    tx: &mut AnyConnection,
    holder: &Holder<'_>,
    original: &str,
    (serial, model): (&str, Option<&str>),
    actor: &Actor<'_>,
) -> Result<Swap, LedgerError> {
    const DOING: &str = "move coverage to a replacement";
    hold::held_by(tx, original, holder).await?;
    hold::not_held(tx, serial).await?;
    let before = known(tx, original).await?;
    let stock = find(tx, serial).await.doing(DOING)?;
    let swap = rules::ship(&before, serial, model, stock.as_ref())?;
    put_swap(tx, (&before, stock.as_ref()), &swap, "shipped", actor).await.doing(DOING)?;
    Ok(swap)
}

#[cfg(test)]
mod tests;
