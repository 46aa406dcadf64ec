//! The life of a device's keys: changes of key, moves, doubts about the unit behind one, and what was done about them.

use assay_bundle::statement::Signed;
use sqlx::{AnyConnection, FromRow};

use super::devices::{Device, devices, revoke_in};
use super::{Doing, Only, StoreError, Tenant, TenantStore, can_be};
use crate::boots::{Boot, Doubt, Heard, judge};

/// Boots of one device that are remembered (judgement: more boots than that within the life of a spool tell nothing).
const MOST_BOOTS: i64 = 64;
/// Earlier enrolments of a unit that are followed.
const MOST_EARLIER: usize = 100;
/// Events of one device that are shown.
const MOST_EVENTS: i64 = 100;

/// A key that a device had before.
#[derive(Clone, Debug, FromRow)]
pub struct FormerKey {
    /// `SHA256:…`.
    pub key_id: String,
    /// `ssh-ed25519 …`.
    pub public_key: String,
    /// Since when it counted, seconds since 1970.
    pub valid_from: i64,
    /// Until when; none while it counts.
    pub valid_to: Option<i64>,
}

/// Something that happened to a device.
#[derive(Clone, Debug, FromRow)]
pub struct DeviceEvent {
    /// When, seconds since 1970.
    pub at: i64,
    /// One word or two.
    pub what: String,
    /// In words.
    pub words: String,
}

/// How a change of key ended.
#[derive(Debug)]
pub enum KeyChange {
    /// The new key counts; it did before, when the same change came again.
    Done(Device),
    /// No such device, or another key counts than the one that signed.
    NotTheKey,
    /// The key that signed was revoked.
    Revoked(Device),
    /// The new key is or was a device's already.
    Known,
}

/// A change of key to be kept.
pub struct NewKey<'a> {
    /// Whose.
    pub device_id: &'a str,
    /// The key that signed.
    pub old_key_id: &'a str,
    /// The key that comes.
    pub key_id: &'a str,
    /// The same, `ssh-ed25519 …`.
    pub public_key: &'a str,
    /// The statement.
    pub change: &'a Signed,
    /// Portal's time.
    pub now: i64,
}

/// Whether a key is or was a device's, whoever has it.
pub(super) async fn is_known(tx: &mut AnyConnection, key_id: &str) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM device_keys WHERE key_id = $1")
        .bind(key_id)
        .fetch_one(tx)
        .await?;
    Ok(found > 0)
}

/// Writes down that a key was enrolled, at the other keys of its serial number too: a second key for a known unit is
/// never silent.
pub(super) async fn enrolled(tx: &mut AnyConnection, device: &Device, now: i64) -> Result<(), sqlx::Error> {
    let tenant = &device.tenant;
    sqlx::query(
        "INSERT INTO device_keys (tenant, key_id, device_id, public_key, valid_from) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (key_id) DO NOTHING",
    ).bind(tenant)
    .bind(&device.key_id)
    .bind(&device.id)
    .bind(&device.public_key)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let others: Vec<Device> = sqlx::query_as(devices!(
        "WHERE tenant = $1 AND serial = $2 AND id <> $3 AND revoked_at IS NULL ORDER BY enrolled_at"
    ))
    .bind(tenant)
    .bind(&device.serial)
    .bind(&device.id)
    .fetch_all(&mut *tx)
    .await?;
    for other in &others {
        let words = format!(
            "key {} was enrolled for the same serial number: if it is the same unit, device key-move ends this key",
            device.key_id
        );
        note(tx, tenant, &other.id, now, "second key", &words).await?;
    }
    let words = match others.first() {
        Some(other) => {
            format!("enrolled; key {} is enrolled for the same serial number and still counts", other.key_id)
        }
        None => "enrolled with a one-time code".to_owned(),
    };
    note(tx, tenant, &device.id, now, "enrolled", &words).await
}

/// Writes down what happened to a device.
pub(super) async fn note(
    tx: &mut AnyConnection,
    tenant: &Tenant,
    device_id: &str,
    at: i64,
    what: &str,
    words: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO device_events (tenant, device_id, at, what, words) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(device_id)
        .bind(at)
        .bind(what)
        .bind(words)
        .execute(tx)
        .await?;
    Ok(())
}

async fn by_id(tx: &mut AnyConnection, tenant: &Tenant, id: &str) -> Result<Option<Device>, sqlx::Error> {
    sqlx::query_as(devices!("WHERE tenant = $1 AND id = $2")).bind(tenant).bind(id).fetch_optional(tx).await
}

impl TenantStore<'_> {
    /// Puts a new key in the place of the one that signed it, all or nothing. Open requests name the old key and are
    /// cancelled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_key(&self, new: &NewKey<'_>) -> Result<KeyChange, StoreError> {
        const DOING: &str = "change a device's key";
        let mut tx = self.store.begin(&[Only::Enrolment, Only::Device(new.device_id)]).await.doing(DOING)?;
        let outcome = change_key_in(&mut tx, self.tenant, new).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(outcome)
    }

    /// A key that a device had before the one that counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn former_key(&self, device_id: &str, key_id: &str) -> Result<Option<FormerKey>, StoreError> {
        if !can_be(key_id) {
            return Ok(None);
        }
        sqlx::query_as(
            "SELECT key_id, public_key, valid_from, valid_to FROM device_keys
             WHERE tenant = $1 AND device_id = $2 AND key_id = $3 AND valid_to IS NOT NULL",
        )
        .bind(self.tenant)
        .bind(device_id)
        .bind(key_id)
        .fetch_optional(&self.store.readers)
        .await
        .doing("find an earlier key")
    }

    /// Every key that a device had, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys_of(&self, device_id: &str) -> Result<Vec<FormerKey>, StoreError> {
        sqlx::query_as(
            "SELECT key_id, public_key, valid_from, valid_to FROM device_keys WHERE tenant = $1 AND device_id = $2
             ORDER BY valid_from, CASE WHEN valid_to IS NULL THEN 1 ELSE 0 END, valid_to, key_id",
        ).bind(self.tenant)
        .bind(device_id)
        .fetch_all(&self.store.readers)
        .await
        .doing("list the keys of a device")
    }

    /// Ends the old key of a unit for the new one; `false` when it was revoked before. Of the same unit, bundles that
    /// were sealed under the old key are the new one's from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_key(
        &self,
        old: &Device,
        new: &Device,
        same_unit: bool,
        now: i64,
    ) -> Result<bool, StoreError> {
        const DOING: &str = "move a key";
        let words = format!("the key moved to {}", new.key_id);
        let only = [Only::Device(&old.id), Only::Device(&new.id)];
        let mut tx = self.store.begin(&only).await.doing(DOING)?;
        if !revoke_in(&mut tx, self.tenant, &old.id, &words, now).await.doing(DOING)? {
            return Ok(false);
        }
        let moved = async {
            sqlx::query("UPDATE devices SET moved_to = $2, doubt = NULL WHERE tenant = $1 AND id = $3")
                .bind(self.tenant)
                .bind(&new.id)
                .bind(&old.id)
                .execute(&mut *tx)
                .await?;
            if same_unit {
                sqlx::query(
                    "UPDATE device_keys SET device_id = $2, valid_to = coalesce(valid_to, $3),
                         next_key_id = coalesce(next_key_id, $4)
                     WHERE tenant = $1 AND device_id = $5",
                )
                .bind(self.tenant)
                .bind(&new.id)
                .bind(now)
                .bind(&new.key_id)
                .bind(&old.id)
                .execute(&mut *tx)
                .await?;
                sqlx::query(
                    "UPDATE devices SET last_seq = CASE WHEN last_seq < $2 THEN $2 ELSE last_seq END
                     WHERE tenant = $1 AND id = $3",
                )
                .bind(self.tenant)
                .bind(old.last_seq)
                .bind(&new.id)
                .execute(&mut *tx)
                .await?;
            }
            let words = format!("took the place of key {} (device {})", old.key_id, old.id);
            note(&mut tx, self.tenant, &new.id, now, "key moved", &words).await
        };
        moved.await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(true)
    }

    /// A device and those whose key moved to it within the same unit: what belongs together for its owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn same_unit(&self, device: &Device) -> Result<Vec<Device>, StoreError> {
        let mut all = vec![device.clone()];
        let mut next = 0;
        while let Some(heir) = all.get(next).map(|heir| heir.id.clone()) {
            let before: Vec<Device> = sqlx::query_as(devices!(
                "WHERE tenant = $1 AND moved_to = $2 AND serial = $3 ORDER BY enrolled_at"
            ))
            .bind(self.tenant)
            .bind(&heir)
            .bind(&device.serial)
            .fetch_all(&self.store.readers)
            .await
            .doing("find earlier enrolments of a unit")?;
            // A key moves once, so this ends; a circle would not.
            all.extend(before.into_iter().filter(|one| one.id != device.id));
            next += 1;
            if next > MOST_EARLIER {
                break;
            }
        }
        Ok(all)
    }

    /// Takes a revocation back; `false` when the key was not revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unrevoke_device(&self, id: &str, words: &str, now: i64) -> Result<bool, StoreError> {
        const DOING: &str = "take a revocation back";
        let mut tx = self.store.begin(&[Only::Device(id)]).await.doing(DOING)?;
        let done = sqlx::query(
            "UPDATE devices SET revoked_at = NULL, revoked_reason = '' WHERE tenant = $1 AND id = $2 AND revoked_at IS NOT NULL",
        ).bind(self.tenant)
        .bind(id)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 1 {
            note(&mut tx, self.tenant, id, now, "revocation taken back", words).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps that a boot of a device was heard of, and what follows from it. A doubt stays until an engineer decides;
    /// it only grows worse by itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heard(&self, device_id: &str, heard: &Heard) -> Result<Option<Doubt>, StoreError> {
        const DOING: &str = "keep what was heard of a device";
        let mut tx = self.store.begin(&[Only::Device(device_id)]).await.doing(DOING)?;
        let doubt = heard_in(&mut tx, self.tenant, device_id, heard).await.doing(DOING)?;
        tx.commit().await.doing(DOING)?;
        Ok(doubt)
    }

    /// Manifests of other accepted bundles of a device under this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn manifests_of_seq(
        &self,
        device_id: &str,
        seq: i64,
        except: &str,
    ) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT manifest FROM bundles
             WHERE tenant = $1 AND device_id = $2 AND seq = $3 AND id <> $4 AND source = 'live' AND manifest IS NOT NULL",
        ).bind(self.tenant)
        .bind(device_id)
        .bind(seq)
        .bind(except)
        .fetch_all(&self.store.readers)
        .await
        .doing("find bundles by their number")
    }

    /// Ends a doubt: what was heard before is forgotten, so that it is not raised again by the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_doubt(&self, id: &str, words: &str, now: i64) -> Result<bool, StoreError> {
        const DOING: &str = "end a doubt";
        let mut tx = self.store.begin(&[Only::Device(id)]).await.doing(DOING)?;
        let done = sqlx::query(
            "UPDATE devices SET doubt = NULL, doubt_words = '', doubt_at = NULL WHERE tenant = $1 AND id = $2 AND doubt IS NOT NULL",
        ).bind(self.tenant)
        .bind(id)
        .execute(&mut *tx)
        .await
        .doing(DOING)?;
        if done.rows_affected() == 1 {
            sqlx::query("DELETE FROM boots WHERE tenant = $1 AND device_id = $2")
                .bind(self.tenant)
                .bind(id)
                .execute(&mut *tx)
                .await
                .doing(DOING)?;
            note(&mut tx, self.tenant, id, now, "doubt ended", words).await.doing(DOING)?;
        }
        tx.commit().await.doing(DOING)?;
        Ok(done.rows_affected() == 1)
    }

    /// What happened to a device, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_of(&self, device_id: &str) -> Result<Vec<DeviceEvent>, StoreError> {
        sqlx::query_as(
            "SELECT at, what, words FROM device_events WHERE tenant = $1 AND device_id = $2 ORDER BY id DESC LIMIT $3",
        ).bind(self.tenant)
        .bind(device_id)
        .bind(MOST_EVENTS)
        .fetch_all(&self.store.readers)
        .await
        .doing("list what happened to a device")
    }
}

async fn change_key_in(
    tx: &mut AnyConnection,
    tenant: &Tenant,
    new: &NewKey<'_>,
) -> Result<KeyChange, sqlx::Error> {
    let Some(device) = by_id(tx, tenant, new.device_id).await? else { return Ok(KeyChange::NotTheKey) };
    if device.revoked_at.is_some() {
        return Ok(KeyChange::Revoked(device));
    }
    if device.key_id == new.key_id {
        let before: Option<String> = sqlx::query_scalar(
            "SELECT key_id FROM device_keys WHERE tenant = $1 AND key_id = $2 AND next_key_id = $3",
        )
        .bind(tenant)
        .bind(new.old_key_id)
        .bind(new.key_id)
        .fetch_optional(&mut *tx)
        .await?;
        return Ok(if before.is_some() { KeyChange::Done(device) } else { KeyChange::NotTheKey });
    }
    if device.key_id != new.old_key_id {
        return Ok(KeyChange::NotTheKey);
    }
    if is_known(tx, new.key_id).await? {
        return Ok(KeyChange::Known);
    }
    sqlx::query(
        "UPDATE device_keys SET valid_to = $2, next_key_id = $3, document = $4, signature = $5 WHERE tenant = $1 AND key_id = $6",
    ).bind(tenant)
    .bind(new.now)
    .bind(new.key_id)
    .bind(&new.change.document)
    .bind(&new.change.signature)
    .bind(new.old_key_id)
    .execute(&mut *tx)
    .await?;
    sqlx::query("INSERT INTO device_keys (tenant, key_id, device_id, public_key, valid_from) VALUES ($1, $2, $3, $4, $5)").bind(tenant)
        .bind(new.key_id)
        .bind(new.device_id)
        .bind(new.public_key)
        .bind(new.now)
        .execute(&mut *tx)
        .await?;
    sqlx::query("UPDATE devices SET key_id = $2, public_key = $3 WHERE tenant = $1 AND id = $4")
        .bind(tenant)
        .bind(new.key_id)
        .bind(new.public_key)
        .bind(new.device_id)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "UPDATE requests SET state = 'cancelled', words = 'the key of the device changed', closed_at = $2
         WHERE tenant = $1 AND device_id = $3 AND state = 'open'",
    )
    .bind(tenant)
    .bind(new.now)
    .bind(new.device_id)
    .execute(&mut *tx)
    .await?;
    let words = format!("from {} to {}, signed by both", new.old_key_id, new.key_id);
    note(tx, tenant, new.device_id, new.now, "key changed", &words).await?;
    Ok(match by_id(tx, tenant, new.device_id).await? {
        Some(device) => KeyChange::Done(device),
        None => KeyChange::NotTheKey,
    })
}

async fn heard_in(
    tx: &mut AnyConnection,
    tenant: &Tenant,
    device_id: &str,
    heard: &Heard,
) -> Result<Option<Doubt>, sqlx::Error> {
    let Some(device) = by_id(tx, tenant, device_id).await? else { return Ok(None) };
    let boots: Vec<Boot> = sqlx::query_as(
        "SELECT boot_id, first_no, live_no, first_made_at, most_seq FROM boots WHERE tenant = $1 AND device_id = $2",
    ).bind(tenant)
    .bind(device_id)
    .fetch_all(&mut *tx)
    .await?;
    let doubt = judge(&boots, device.last_seq, heard);
    let place =
        1 + boots.iter().map(|boot| boot.live_no.unwrap_or_default().max(boot.first_no)).max().unwrap_or(0);
    sqlx::query(
        "INSERT INTO boots (tenant, device_id, boot_id, first_no, live_no, first_made_at, most_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (device_id, boot_id) DO UPDATE SET
             live_no = coalesce(excluded.live_no, boots.live_no),
             first_made_at = CASE WHEN excluded.first_made_at < boots.first_made_at OR boots.first_made_at IS NULL
                 THEN excluded.first_made_at ELSE boots.first_made_at END,
             most_seq = CASE WHEN excluded.most_seq > boots.most_seq OR boots.most_seq IS NULL
                 THEN excluded.most_seq ELSE boots.most_seq END",
    ).bind(tenant)
    .bind(device_id)
    .bind(&heard.boot_id)
    .bind(place)
    .bind(heard.is_live.then_some(place))
    .bind(heard.made_at)
    .bind(heard.seq)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "DELETE FROM boots WHERE tenant = $1 AND device_id = $2 AND boot_id NOT IN
             (SELECT boot_id FROM boots WHERE tenant = $1 AND device_id = $2
              ORDER BY coalesce(live_no, first_no) DESC LIMIT $3)",
    )
    .bind(tenant)
    .bind(device_id)
    .bind(MOST_BOOTS)
    .execute(&mut *tx)
    .await?;
    if let Some(doubt) = &doubt {
        let is_worse = match device.doubt.as_deref() {
            None => true,
            Some(before) => before != "cloned" && doubt.kind() == "cloned",
        };
        if is_worse {
            sqlx::query("UPDATE devices SET doubt = $2, doubt_words = $3, doubt_at = $4 WHERE tenant = $1 AND id = $5").bind(tenant)
                .bind(doubt.kind())
                .bind(doubt.words())
                .bind(heard.at)
                .bind(device_id)
                .execute(&mut *tx)
                .await?;
            note(tx, tenant, device_id, heard.at, doubt.name(), &doubt.words()).await?;
        }
    }
    Ok(doubt)
}
