//! A new key in the place of the device's old one: the old key signs the new, and at every moment the portal knows the
//! key that this device can sign with.
//!
//! Three steps, each whole or not at all: the new key is written beside the old one; the portal takes it, and gives the
//! same answer as often as it is asked; the new key takes the old one's place. A stop between any two of them leaves the
//! second file, by which the next call to the portal knows that the change was begun, and ends it first. What was sealed
//! before stays the device's: its earlier public keys are remembered here, and by the portal.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;

use assay_bundle::key_life::DeviceKeyChange;
use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::statement::{STATEMENT_FORMAT, Signed};
use assay_uploader::Portal;

use crate::audit::{Log, What};
use crate::context::Context;
use crate::identity::{Enrolment, Identity};
use crate::output;
use crate::trouble::{NextStep, refuse};

const LOCK: &str = "rotate.lock";

/// Begins a change: the new key is there from now on, and not in use.
pub(crate) fn begin(identity: &Identity) -> anyhow::Result<SigningKey> {
    if let Some(next) = identity.next_key()? {
        return Ok(next);
    }
    let key = SigningKey::generate().or_advise("no key could be made", "try again in a minute")?;
    identity.keep_next_key(&key)?;
    Ok(key)
}

/// Ends a change that was begun, when there is one: the key that counts after it.
pub(crate) async fn finish(
    context: &Context,
    identity: &Identity,
    enrolment: &Enrolment,
    portal: &Portal,
) -> anyhow::Result<Option<SigningKey>> {
    if !identity.has_next_key() {
        return Ok(None);
    }
    // Two calls at once must not end two changes.
    let Some(_lock) = lock(identity)? else { return Ok(None) };
    let (Some(old), Some(new)) = (identity.key()?, identity.next_key()?) else { return Ok(None) };
    if old.public() == new.public() {
        identity.put_next_key_in_place()?;
        return Ok(Some(new));
    }
    let root = PublicKey::from_openssh(&enrolment.card.root_key)?;
    let change = DeviceKeyChange {
        format: STATEMENT_FORMAT,
        device_id: enrolment.device_id.clone(),
        old_key_id: old.public().fingerprint(),
        new_key: new.public().to_openssh(),
        made_unix_s: context.clock.now_unix_s,
        portal_root: root.fingerprint(),
    };
    let changed = portal.change_key(&new, &Signed::new(&change, &old)?).await?;
    identity.remember_former(&old.public(), context.clock.now_unix_s, true)?;
    identity.update(&Enrolment { key_id: changed.key_id, ..enrolment.clone() })?;
    identity.sequence().go_above(changed.last_seq)?;
    // Last: this file is what says that the change is not over.
    identity.put_next_key_in_place()?;
    let words =
        format!("the key changed from {} to {}", old.public().fingerprint(), new.public().fingerprint());
    Log::of(context).note(What::Key, None, &words);
    Ok(Some(new))
}

/// The key that counts for the calls that follow: a change that was begun is ended first, and one that cannot be ended
/// now holds nothing up, because the portal knows the old key or the new one.
pub(crate) async fn settled(
    context: &Context,
    identity: &Identity,
    enrolment: &Enrolment,
    portal: &Portal,
    key: SigningKey,
) -> SigningKey {
    match finish(context, identity, enrolment, portal).await {
        Ok(new) => new.unwrap_or(key),
        Err(error) => {
            output::say(&format!("The change of the key is not over: {error:#}. The old one is used."));
            key
        }
    }
}

/// The lock of all changes; `None` while another call has it.
fn lock(identity: &Identity) -> anyhow::Result<Option<File>> {
    let path = identity.dir().join(LOCK);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.or_advise(format!("cannot open {}", path.display()), "run as administrator (root)")?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Some(file)),
        Err(error) => Err(error).or_advise(format!("cannot lock {}", path.display()), "call again"),
    }
}

/// Changes the key now. Nothing is lost when the portal cannot be reached: the next call to it ends the change.
pub(crate) async fn rotate(
    context: &Context,
    identity: &Identity,
    enrolment: &Enrolment,
    portal: &Portal,
) -> anyhow::Result<SigningKey> {
    begin(identity)?;
    match finish(context, identity, enrolment, portal).await {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(refuse("another call changes the key at this moment", "`assay status` shows when it is done")),
        Err(error) => Err(error).or_advise(
            "the portal does not know the new key yet",
            "both keys are kept and the old one counts; the next call to the portal (`assay rotate-key`, `assay upload`) \
             ends the change",
        ),
    }
}

/// Remembered for a key that was replaced; see [`Identity::former_keys`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct FormerKey {
    /// `ssh-ed25519 …`.
    pub(crate) public_key: String,
    /// Device's clock, seconds since 1970.
    pub(crate) replaced_unix_s: i64,
    /// Whether the portal knows it as an earlier key of this device: then what it sealed is sent as it is.
    pub(crate) at_portal: bool,
}

/// Most earlier keys that are remembered (judgement: a spool outlives no more changes than that).
const MOST_FORMER: usize = 32;

/// The list with one more at its end, without repetition.
pub(crate) fn with_former(
    mut list: Vec<FormerKey>,
    key: &PublicKey,
    now_unix_s: i64,
    at_portal: bool,
) -> Vec<FormerKey> {
    let public_key = key.to_openssh();
    list.retain(|former| former.public_key != public_key);
    list.push(FormerKey { public_key, replaced_unix_s: now_unix_s, at_portal });
    let surplus = list.len().saturating_sub(MOST_FORMER);
    list.drain(..surplus);
    list
}

/// Removes a file that need not be there.
pub(crate) fn remove_if_there(path: &std::path::Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).or_advise(format!("cannot remove {}", path.display()), "remove it by hand")
        }
        _ => Ok(()),
    }
}

/// Overwrites a secret before it goes, for file systems that write in place; on others it helps nothing and harms
/// nothing.
pub(crate) fn destroy(path: &std::path::Path) -> anyhow::Result<()> {
    if let Ok(meta) = fs::metadata(path) {
        let zeros = vec![0; usize::try_from(meta.len()).unwrap_or_default()];
        let file = OpenOptions::new().write(true).open(path);
        let written = file.and_then(|mut file| {
            std::io::Write::write_all(&mut file, &zeros)?;
            file.sync_all()
        });
        if let Err(error) = written {
            output::say(&format!("{} could not be overwritten ({error}); it is removed", path.display()));
        }
    }
    remove_if_there(path)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn earlier_keys_are_remembered_once_and_not_for_ever() {
        let key = || SigningKey::generate().expect("a key").public();
        let one = key();
        let list = with_former(with_former(Vec::new(), &one, 1, true), &one, 2, true);
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].replaced_unix_s, 2);
        let many = (0..40).fold(list, |list, at| with_former(list, &key(), at, true));
        assert_eq!(many.len(), MOST_FORMER);
        assert_eq!(many.last().map(|former| former.replaced_unix_s), Some(39));
    }

    #[test]
    fn a_begun_change_is_the_same_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity::new(folder.path().join("identity"), folder.path().join("run"));
        let old = identity.key_or_new().expect("made").public();
        let next = begin(&identity).expect("begun").public();
        assert_eq!(begin(&identity).expect("goes on").public(), next);
        assert_eq!(identity.key().expect("read").map(|key| key.public()), Some(old));
        identity.put_next_key_in_place().expect("in place");
        assert_eq!(identity.key().expect("read").map(|key| key.public()), Some(next));
        assert!(!identity.has_next_key());
        // Again, after a stop right behind it.
        identity.put_next_key_in_place().expect("nothing is left to do");
        assert_eq!(identity.key().expect("read").map(|key| key.public()), Some(next));
    }

    #[test]
    fn a_secret_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        fs::write(&path, "secret").expect("written");
        destroy(&path).expect("gone");
        destroy(&path).expect("and stays gone");
        assert!(!path.exists());
    }
}
