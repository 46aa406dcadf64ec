//! Bundles: what was received, what became of it, and the receipt, which is written once and never again.

use sqlx::FromRow;

use super::{Doing, Flag, Only, Store, StoreError, Tenant, TenantStore, kept};

/// A bundle that waits for the worker, or waited when the portal stopped.
#[derive(Clone, Debug, FromRow)]
pub struct Pending {
    /// Whose tenant.
    pub tenant: Tenant,
    /// Portal's name for it.
    pub id: String,
    /// Upload that brought it: the name of its file until it is moved.
    pub upload_id: String,
    /// Whose.
    pub device_id: String,
    /// Digest as received, lower-case hex.
    pub sha256: String,
    /// Size.
    pub size_bytes: i64,
    /// When the last byte came.
    pub received_at: i64,
    /// Who brought it by hand; nobody when the device sent it.
    pub brought_by: Option<String>,
}

/// A bundle as lists show it.
#[derive(Clone, Debug, FromRow)]
pub struct BundleRow {
    /// Portal's name for it.
    pub id: String,
    /// Whose.
    pub device_id: String,
    /// Digest as received, lower-case hex.
    pub sha256: String,
    /// Size.
    pub size_bytes: i64,
    /// When the last byte came.
    pub received_at: i64,
    /// `pending`, `accepted`, `refused`.
    pub state: String,
    /// Why it was refused.
    pub reason: String,
    /// `live`, `recorded`, `judged`.
    pub source: Option<String>,
    /// Whether it counts as evidence.
    #[sqlx(try_from = "i64")]
    pub evidence: Flag,
    /// Device's number of it.
    pub seq: Option<i64>,
    /// Model as its manifest names it.
    pub model: Option<String>,
    /// Serial number as its manifest names it.
    pub serial: Option<String>,
    /// Portal's verdict.
    pub overall: Option<String>,
    /// Device's verdict.
    pub device_overall: Option<String>,
    /// JSON list of sentences.
    pub flags: String,
    /// Receipt's exact bytes.
    pub receipt: Option<String>,
    /// Signature over them.
    pub receipt_signature: Option<String>,
    /// Who brought it by hand; nobody when the device sent it.
    pub brought_by: Option<String>,
}

/// What became of a bundle.
pub struct Outcome<'a> {
    /// Whether it was accepted.
    pub accepted: bool,
    /// Why not.
    pub reason: &'a str,
    /// Source, where the manifest could be read.
    pub source: Option<&'a str>,
    /// Whether it counts as evidence.
    pub evidence: bool,
    /// Device's number of it.
    pub seq: Option<i64>,
    /// Model as the manifest names it.
    pub model: Option<&'a str>,
    /// Serial number as the manifest names it.
    pub serial: Option<&'a str>,
    /// Portal's verdict.
    pub overall: Option<&'a str>,
    /// Device's verdict.
    pub device_overall: Option<&'a str>,
    /// JSON list of sentences.
    pub flags: &'a str,
    /// Manifest and signature, where they could be read.
    pub manifest: Option<(&'a str, &'a str)>,
    /// What the worker read.
    pub reading: Option<&'a str>,
    /// Receipt and its signature.
    pub receipt: (&'a str, &'a str),
    /// Highest accepted `seq` of the device from here on.
    pub last_seq: i64,
    /// Support request that it answers, where it answers one.
    pub answers: Option<Answers<'a>>,
}

/// What an accepted bundle does to its support request.
pub struct Answers<'a> {
    /// Request.
    pub request_id: &'a str,
    /// Consent that names the bundle; none where it names the request by its nonce alone and was brought by hand.
    pub consent_id: Option<i64>,
    /// Whether the receipt says "ready".
    pub ready: bool,
    /// Portal's time.
    pub now: i64,
}

/// How a decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is written.
    Done,
    /// There was one before.
    Before,
    /// Request or consent changed in the meantime: nothing is written, and the bundle is looked at again.
    RequestChanged,
}

impl Store {
    /// Bundles that wait, oldest first, of all tenants: for the worker.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_bundles(&self) -> Result<Vec<Pending>, StoreError> {
        sqlx::query_as(
            "SELECT tenant, id, upload_id, device_id, sha256, size_bytes, received_at, brought_by
             FROM bundles WHERE state = 'pending' ORDER BY id",
        )
        .fetch_all(&self.readers)
        .await
        .doing("list bundles that wait")
    }
}

impl TenantStore<'_> {
    /// Writes what became of a bundle, with its receipt, reading and the device's `seq`, all or nothing, and only
    /// once. A support request that it answers is answered in the same transaction, while it is open and its consent
    /// still counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decide_bundle(
        &self,
        bundle: &Pending,
        outcome: &Outcome<'_>,
    ) -> Result<Decided, StoreError> {
        const DOING: &str = "keep what became of a bundle";
        let mut tx = self.store.begin(&[Only::Device(&bundle.device_id)]).await.doing(DOING)?;
        let done = sqlx::query(
            "UPDATE bundles SET state = $2, reason = $3, source = $4, evidence = $5, seq = $6, model = $7, serial = $8,
                 overall = $9, device_overall = $10, flags = $11, manifest = $12, signature = $13, receipt = $14,
                 receipt_signature = $15
             WHERE tenant = $1 AND id = $16 AND state = 'pending'",
        ).bind(self.tenant)
        .bind(if outcome.accepted { "accepted" } else { "refused" })
        .bind(kept(outcome.reason).as_ref())
        .bind(outcome.source)
        .bind(i64::from(outcome.evidence))
        .bind(outcome.seq)
        .bind(outcome.model.map(kept).as_deref())
        .bind(outcome.serial.map(kept).as_deref())
        .bind(outcome.overall)
        .bind(outcome.device_overall)
        .bind(outcome.flags)
        .bind(outcome.manifest.map(|(manifest, _)| manifest))
        .bind(outcome.manifest.map(|(_, signature)| signature))
        .bind(outcome.receipt.0)
        .bind(outcome.receipt.1)
        .bind(&bundle.id)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() != 1 {
            return Ok(Decided::Before);
        }
        if let Some(answers) = &outcome.answers {
            let done = sqlx::query(
                "UPDATE requests SET state = 'answered', closed_at = $2, bundle_id = $3, ready = $4
                 WHERE tenant = $1 AND id = $5 AND state = 'open'
                     AND ($6 IS NULL
                         OR EXISTS (SELECT 1 FROM consents WHERE tenant = $1 AND id = $6 AND replaced_at IS NULL))",
            ).bind(self.tenant)
            .bind(answers.now)
            .bind(&bundle.id)
            .bind(i64::from(answers.ready))
            .bind(answers.request_id)
            .bind(answers.consent_id)
            .execute(&mut *tx)
            .await
            .doing(DOING)?;
            if done.rows_affected() != 1 {
                return Ok(Decided::RequestChanged);
            }
        }
        if let Some(reading) = outcome.reading {
            sqlx::query("INSERT INTO readings (tenant, bundle_id, document) VALUES ($1, $2, $3)")
                .bind(self.tenant)
                .bind(&bundle.id)
                .bind(reading)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
        }
        sqlx::query(
            "UPDATE devices SET last_seq = CASE WHEN last_seq < $2 THEN $2 ELSE last_seq END
             WHERE tenant = $1 AND id = $3",
        )
        .bind(self.tenant)
        .bind(outcome.last_seq)
        .bind(&bundle.device_id)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(Decided::Done)
    }

    /// One bundle.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bundle(&self, id: &str) -> Result<Option<BundleRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, device_id, sha256, size_bytes, received_at, state, reason, source, evidence, seq, model,
                 serial, overall, device_overall, flags, receipt, receipt_signature, brought_by
             FROM bundles WHERE tenant = $1 AND id = $2",
        ).bind(self.tenant)
        .bind(id)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find a bundle")
    }

    /// The newest bundles after skipping `offset` of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_bundles(&self, limit: i64, offset: i64) -> Result<Vec<BundleRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, device_id, sha256, size_bytes, received_at, state, reason, source, evidence, seq, model,
                 serial, overall, device_overall, flags, receipt, receipt_signature, brought_by
             FROM bundles WHERE tenant = $1 ORDER BY received_at DESC, id DESC LIMIT $2 OFFSET $3",
        ).bind(self.tenant)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.store.readers)
        .await
        .doing("list bundles")
    }

    /// The newest bundles of a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bundles_of_device(&self, device_id: &str, limit: i64) -> Result<Vec<BundleRow>, StoreError> {
        sqlx::query_as(
            "SELECT id, device_id, sha256, size_bytes, received_at, state, reason, source, evidence, seq, model,
                 serial, overall, device_overall, flags, receipt, receipt_signature, brought_by
             FROM bundles WHERE tenant = $1 AND device_id = $2 ORDER BY received_at DESC, id DESC LIMIT $3",
        ).bind(self.tenant)
        .bind(device_id)
        .bind(limit)
        .fetch_all(&self.store.readers)
        .await
        .doing("list the bundles of a device")
    }

    /// The manifest of a bundle, byte for byte as it was signed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn manifest(&self, bundle_id: &str) -> Result<Option<String>, StoreError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("SELECT manifest FROM bundles WHERE tenant = $1 AND id = $2")
                .bind(self.tenant)
                .bind(bundle_id)
                .fetch_optional(&self.store.readers)
                .await
                .doing("find the manifest of a bundle")?;
        Ok(found.flatten())
    }

    /// What the worker read of a bundle.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reading(&self, bundle_id: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT document FROM readings WHERE tenant = $1 AND bundle_id = $2")
            .bind(self.tenant)
            .bind(bundle_id)
            .fetch_optional(&self.store.readers)
            .await
            .doing("find the reading of a bundle")
    }
}
