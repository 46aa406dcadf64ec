//! One-time enrolment codes, stored as digests, and the one transaction in which a code becomes a device.
//!
//! A plain SHA-256 of 50 random bits can be searched offline in hours by who steals the database, but a code lives
//! for minutes; what matters is guessing online, which is limited per code, per address and in all.

use sqlx::{AnyConnection, FromRow};

use super::devices::{Device, devices};
use super::{Doing, Only, Store, StoreError, Tenant, TenantStore, key_life};

/// Failed tries after which a code is dead.
pub const MOST_TRIES: i64 = 5;

/// What a device wants to enrol with.
pub struct Candidate<'a> {
    /// Digest of the normalised code.
    pub code_sha256: &'a str,
    /// Key's fingerprint.
    pub key_id: &'a str,
    /// Key.
    pub public_key: &'a str,
    /// Model as told.
    pub model: Option<&'a str>,
    /// Serial number as told.
    pub serial: Option<&'a str>,
    /// JSON list of chassis digests.
    pub chassis: &'a str,
    /// Whether the card that the owner accepted is ours.
    pub card_matches: bool,
    /// Portal's time.
    pub now: i64,
    /// Id for a device that is new.
    pub new_id: &'a str,
}

/// How a try ended.
#[derive(Debug)]
pub enum Redeemed {
    /// The key is enrolled.
    Enrolled(Box<Device>),
    /// No such code.
    Unknown,
    /// It was used by another key.
    Used,
    /// It is too old.
    Expired,
    /// It was tried too often.
    TooManyTries,
    /// The owner accepted another portal's card.
    CardMismatch,
    /// It is for another unit.
    SerialMismatch,
    /// The key was revoked: a code does not bring it back.
    KeyRevoked,
    /// The key was replaced by another one of its device.
    KeyReplaced,
    /// The key is enrolled with another tenant.
    OtherTenant,
    /// The ledger has the unit as replaced, come back, scrapped or reported stolen.
    NotInService,
}

#[derive(FromRow)]
struct Code {
    tenant: Tenant,
    serial: Option<String>,
    expires_at: i64,
    failed_tries: i64,
    used_by_key: Option<String>,
}

impl TenantStore<'_> {
    /// Who made the codes with which keys of a unit were enrolled; `None` for a code that does not say.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn code_issuers(&self, key_id: &str) -> Result<Vec<Option<String>>, StoreError> {
        sqlx::query_scalar(
            "SELECT DISTINCT issued_by FROM enrolment_codes WHERE tenant = $1 AND used_by_key = $2",
        )
        .bind(self.tenant)
        .bind(key_id)
        .fetch_all(&self.store.readers)
        .await
        .doing("find who made an enrolment code")
    }

    /// Notes who made a code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_code(&self, code_sha256: &str, who: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE enrolment_codes SET issued_by = $2
             WHERE tenant = $1 AND code_sha256 = $3 AND issued_by IS NULL",
        )
        .bind(self.tenant)
        .bind(who)
        .bind(code_sha256)
        .execute(&self.store.writer)
        .await
        .doing("note who made an enrolment code")?;
        Ok(())
    }

    /// Keeps a new code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_code(
        &self,
        code_sha256: &str,
        serial: Option<&str>,
        now: i64,
        expires_at: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO enrolment_codes (tenant, code_sha256, serial, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(self.tenant)
        .bind(code_sha256)
        .bind(serial)
        .bind(now)
        .bind(expires_at)
        .execute(&self.store.writer)
        .await
        .doing("keep an enrolment code")?;
        Ok(())
    }
}

impl Store {
    /// Tries a code, which is its tenant's: all or nothing, and a second try by the same key with the same code gives the same answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem(&self, candidate: &Candidate<'_>) -> Result<Redeemed, StoreError> {
        const DOING: &str = "redeem an enrolment code";
        let mut tx = self.begin(&[Only::Enrolment]).await.doing(DOING)?;
        let outcome = redeem_in(&mut tx, candidate).await.doing(DOING)?;
        // Committed whatever the outcome: a failed try has to count.
        tx.commit().await.doing(DOING)?;
        Ok(outcome)
    }
}

async fn redeem_in(tx: &mut AnyConnection, candidate: &Candidate<'_>) -> Result<Redeemed, sqlx::Error> {
    let code: Option<Code> = sqlx::query_as(
        "SELECT tenant, serial, expires_at, failed_tries, used_by_key FROM enrolment_codes WHERE code_sha256 = $1",
    )
    .bind(candidate.code_sha256)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(code) = code else {
        // Which code was meant is not known, but for which unit: whoever guesses for one unit kills its codes.
        sqlx::query(
            "UPDATE enrolment_codes SET failed_tries = failed_tries + 1
             WHERE serial = $1 AND used_by_key IS NULL AND expires_at > $2",
        )
        .bind(candidate.serial)
        .bind(candidate.now)
        .execute(&mut *tx)
        .await?;
        return Ok(Redeemed::Unknown);
    };
    match &code.used_by_key {
        Some(key) if key == candidate.key_id => {
            return Ok(match device(tx, candidate.key_id).await? {
                Some(device) => Redeemed::Enrolled(Box::new(device)),
                None => Redeemed::Used,
            });
        }
        Some(_) => return Ok(Redeemed::Used),
        None => {}
    }
    if code.failed_tries >= MOST_TRIES {
        return Ok(Redeemed::TooManyTries);
    }
    if code.expires_at <= candidate.now {
        return Ok(Redeemed::Expired);
    }
    let wrong = if !candidate.card_matches {
        Some(Redeemed::CardMismatch)
    } else if code.serial.is_some() && code.serial.as_deref() != candidate.serial {
        Some(Redeemed::SerialMismatch)
    } else if !super::ledger::may_enrol(tx, candidate.serial).await? {
        Some(Redeemed::NotInService)
    } else {
        None
    };
    if let Some(wrong) = wrong {
        sqlx::query("UPDATE enrolment_codes SET failed_tries = failed_tries + 1 WHERE code_sha256 = $1")
            .bind(candidate.code_sha256)
            .execute(&mut *tx)
            .await?;
        return Ok(wrong);
    }
    // The owner's code is not worn by these: it serves for another key.
    if let Some(known) = device(tx, candidate.key_id).await? {
        if known.revoked_at.is_some() {
            return Ok(Redeemed::KeyRevoked);
        }
        // A key is one tenant's: a code of another does not take the device over.
        if known.tenant != code.tenant {
            return Ok(Redeemed::OtherTenant);
        }
    } else if key_life::is_known(tx, candidate.key_id).await? {
        return Ok(Redeemed::KeyReplaced);
    }
    // A unit that comes with a new key goes on above the numbers of its old one.
    sqlx::query(
        "INSERT INTO devices (tenant, id, key_id, public_key, model, serial, chassis, enrolled_at, last_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
             coalesce((SELECT max(last_seq) FROM devices WHERE tenant = $1 AND serial = $6), 0))
         ON CONFLICT (key_id) DO UPDATE SET model = excluded.model, serial = excluded.serial,
             chassis = excluded.chassis, enrolled_at = excluded.enrolled_at",
    )
    .bind(&code.tenant)
    .bind(candidate.new_id)
    .bind(candidate.key_id)
    .bind(candidate.public_key)
    .bind(candidate.model)
    .bind(candidate.serial)
    .bind(candidate.chassis)
    .bind(candidate.now)
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE enrolment_codes SET used_by_key = $1 WHERE code_sha256 = $2")
        .bind(candidate.key_id)
        .bind(candidate.code_sha256)
        .execute(&mut *tx)
        .await?;
    let Some(device) = device(tx, candidate.key_id).await? else { return Ok(Redeemed::Unknown) };
    key_life::enrolled(tx, &device, candidate.now).await?;
    Ok(Redeemed::Enrolled(Box::new(device)))
}

async fn device(tx: &mut AnyConnection, key_id: &str) -> Result<Option<Device>, sqlx::Error> {
    sqlx::query_as(devices!("WHERE key_id = $1")).bind(key_id).fetch_optional(tx).await
}
