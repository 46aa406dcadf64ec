//! Who this device is: its Ed25519 key, the owner's key for pseudonyms, and the portal that it is enrolled at.
//!
//! Both keys are made on first need (0600, never replaced, in a folder of 0700) and never leave the device. A key
//! that others can read is refused as `ssh` refuses it: a leaked key signs for somebody else.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assay_bundle::enrolment::PortalCard;
use assay_bundle::json;
use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::redact::PseudonymKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::chassis::Mark;
use crate::output;
use crate::rotation::{self, FormerKey, remove_if_there};
use crate::sequence::Sequence;
use crate::trouble::{NextStep, refuse};

const KEY: &str = "device.key";
/// The key that a change has begun with; see [`crate::rotation`].
const NEXT_KEY: &str = "device.key.next";
const FORMER_KEYS: &str = "former-keys.json";
const KEY_COMMENT: &str = "assay device key";
const PSEUDONYM_KEY: &str = "pseudonym.key";
const ENROLMENT: &str = "enrolment.json";
const PORTAL_CA: &str = "portal-ca.pem";

/// The enrolment as it is kept: the portal's card is the pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enrolment {
    /// Portal's name for this device.
    pub(crate) device_id: String,
    /// Fingerprint of the key that was enrolled.
    pub(crate) key_id: String,
    /// The portal's card that the owner accepted.
    pub(crate) card: PortalCard,
    /// What the key is bound to.
    pub(crate) chassis: Vec<Mark>,
    /// Device's clock at enrolment, seconds since 1970.
    pub(crate) enrolled_unix_s: i64,
}

/// The identity folder; nothing is read or made before it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    dir: PathBuf,
    runtime_dir: PathBuf,
}

impl Identity {
    /// The identity kept in `dir`; what may die with the boot is in `runtime_dir`.
    pub(crate) fn new(dir: PathBuf, runtime_dir: PathBuf) -> Self {
        Self { dir, runtime_dir }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file that says where this device is enrolled, whether or not it is there.
    pub(crate) fn enrolment_file(&self) -> PathBuf {
        self.dir.join(ENROLMENT)
    }

    /// The device's key, when there is one already.
    pub(crate) fn key(&self) -> anyhow::Result<Option<SigningKey>> {
        self.key_in(KEY)
    }

    /// The key that a change has begun with, when one has.
    pub(crate) fn next_key(&self) -> anyhow::Result<Option<SigningKey>> {
        self.key_in(NEXT_KEY)
    }

    /// Whether a change of the key has begun and is not over.
    pub(crate) fn has_next_key(&self) -> bool {
        self.dir.join(NEXT_KEY).exists()
    }

    /// Keeps the key that a change begins with.
    pub(crate) fn keep_next_key(&self, key: &SigningKey) -> anyhow::Result<()> {
        output::replace_private(&self.dir.join(NEXT_KEY), key.to_openssh(KEY_COMMENT).as_bytes())
    }

    /// Puts it in the place of the old one; nothing when that was done.
    pub(crate) fn put_next_key_in_place(&self) -> anyhow::Result<()> {
        // One step. Should a power loss undo it, the change is ended once more.
        match fs::rename(self.dir.join(NEXT_KEY), self.dir.join(KEY)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).or_advise("the new key cannot be put in place", "call again; the portal knows it")
            }
            _ => Ok(()),
        }
    }

    /// Gives up a change that was begun: an enrolment decided which key counts.
    pub(crate) fn drop_next_key(&self) -> anyhow::Result<()> {
        rotation::destroy(&self.dir.join(NEXT_KEY))
    }

    /// The keys that this device had before, oldest first. Those of another unit are not among them.
    pub(crate) fn former_keys(&self) -> anyhow::Result<Vec<FormerKey>> {
        let path = self.dir.join(FORMER_KEYS);
        match fs::read(&path) {
            Ok(bytes) => json::from_slice(&bytes).or_advise(
                format!("{} is damaged", path.display()),
                "remove it: the portal remembers them too",
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).or_advise(cannot_read(&path), "run as administrator (root)"),
        }
    }

    /// Whether a bundle under this key is this device's own.
    pub(crate) fn is_own(&self, key: &PublicKey) -> anyhow::Result<bool> {
        if self.public()? == Some(*key) {
            return Ok(true);
        }
        let line = key.to_openssh();
        Ok(self.former_keys()?.iter().any(|former| former.public_key == line))
    }

    /// Whether the portal takes what this key sealed: the key of now, or one that it saw replaced.
    pub(crate) fn is_at_portal(&self, key_id: &str) -> anyhow::Result<bool> {
        if self.public()?.is_some_and(|key| key.fingerprint() == key_id) {
            return Ok(true);
        }
        let named = |former: &FormerKey| {
            PublicKey::from_openssh(&former.public_key).is_ok_and(|key| key.fingerprint() == key_id)
        };
        Ok(self.former_keys()?.iter().any(|former| former.at_portal && named(former)))
    }

    /// Remembers a key that another one takes the place of. One that the portal did not see replaced (a new enrolment)
    /// takes the earlier ones with it: that portal knows none of them as this enrolment's.
    pub(crate) fn remember_former(
        &self,
        key: &PublicKey,
        now_unix_s: i64,
        at_portal: bool,
    ) -> anyhow::Result<()> {
        let mut list = rotation::with_former(self.former_keys()?, key, now_unix_s, at_portal);
        if !at_portal {
            list.iter_mut().for_each(|former| former.at_portal = false);
        }
        output::replace_private(&self.dir.join(FORMER_KEYS), &serde_json::to_vec_pretty(&list)?)
    }

    /// Keeps an enrolment that changed: another key, or newer keys of the portal.
    pub(crate) fn update(&self, enrolment: &Enrolment) -> anyhow::Result<()> {
        output::replace_private(&self.dir.join(ENROLMENT), &serde_json::to_vec_pretty(enrolment)?)
    }

    /// Ends the enrolment and destroys the key. What was sealed, the numbers and the owner's pseudonyms stay.
    pub(crate) fn end(&self) -> anyhow::Result<()> {
        // First, because it is what says that the device is enrolled.
        remove_if_there(&self.dir.join(ENROLMENT))?;
        rotation::destroy(&self.dir.join(NEXT_KEY))?;
        rotation::destroy(&self.dir.join(KEY))?;
        remove_if_there(&self.dir.join(FORMER_KEYS))?;
        remove_if_there(&self.dir.join(PORTAL_CA))
    }

    fn key_in(&self, name: &str) -> anyhow::Result<Option<SigningKey>> {
        let path = self.dir.join(name);
        let Some(bytes) = read_private(&path)? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        SigningKey::from_openssh(text).map(Some).or_advise(
            format!("{} is damaged", path.display()),
            "restore it from a backup of this folder, or remove it and enrol again",
        )
    }

    /// The public half, when there is a key already.
    pub(crate) fn public(&self) -> anyhow::Result<Option<PublicKey>> {
        Ok(self.key()?.map(|key| key.public()))
    }

    /// The device's key, made when there is none.
    pub(crate) fn key_or_new(&self) -> anyhow::Result<SigningKey> {
        if let Some(key) = self.key()? {
            return Ok(key);
        }
        let key = SigningKey::generate().or_advise("no key could be made", "try again in a minute")?;
        if output::create_private(&self.dir.join(KEY), key.to_openssh(KEY_COMMENT).as_bytes())? {
            return Ok(key);
        }
        // Another process was first; its key is the device's.
        self.key()?.context("the device's key vanished while it was made")
    }

    /// Puts a new key in place of one that belongs to another unit.
    pub(crate) fn replace_key(&self, key: &SigningKey) -> anyhow::Result<()> {
        output::replace_private(&self.dir.join(KEY), key.to_openssh(KEY_COMMENT).as_bytes())
    }

    /// The owner's key for pseudonyms, when there is one already.
    pub(crate) fn pseudonym_key(&self) -> anyhow::Result<Option<PseudonymKey>> {
        let path = self.dir.join(PSEUDONYM_KEY);
        let Some(text) = read_private(&path)? else { return Ok(None) };
        let bytes = data_encoding::HEXLOWER.decode(text.trim_ascii()).map(Zeroizing::new).ok();
        let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        match key {
            Some(key) => Ok(Some(PseudonymKey(Zeroizing::new(key)))),
            None => Err(refuse(
                format!("{} is damaged", path.display()),
                "remove it: a new one is made, and the same name gets another pseudonym from then on",
            )),
        }
    }

    /// The owner's key for pseudonyms, made when there is none.
    pub(crate) fn pseudonym_key_or_new(&self) -> anyhow::Result<PseudonymKey> {
        if let Some(key) = self.pseudonym_key()? {
            return Ok(key);
        }
        let key = passing_pseudonym_key()?;
        let text = Zeroizing::new(data_encoding::HEXLOWER.encode(key.0.as_slice()));
        if output::create_private(&self.dir.join(PSEUDONYM_KEY), text.as_bytes())? {
            return Ok(key);
        }
        self.pseudonym_key()?.context("the pseudonym key vanished while it was made")
    }

    /// The owner's key for pseudonyms, so that what is shown has the names that the bundles have; where there is none or
    /// it cannot be read, one that nobody keeps: looking alone makes no key.
    pub(crate) fn pseudonym_key_for_showing(&self) -> anyhow::Result<PseudonymKey> {
        match self.pseudonym_key() {
            Ok(Some(key)) => Ok(key),
            Ok(None) | Err(_) => passing_pseudonym_key(),
        }
    }

    /// The enrolment, when there is one.
    pub(crate) fn enrolment(&self) -> anyhow::Result<Option<Enrolment>> {
        let path = self.dir.join(ENROLMENT);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).or_advise(cannot_read(&path), "run as administrator (root)"),
        };
        let damaged = || format!("{} is damaged", path.display());
        json::from_slice(&bytes).map(Some).or_advise(damaged(), "enrol again with a new code")
    }

    /// Keeps an enrolment, with the certificates that it needs, and goes on above the portal's last number.
    pub(crate) fn keep(&self, enrolment: &Enrolment, ca: Option<&[u8]>, last_seq: u64) -> anyhow::Result<()> {
        let ca_path = self.dir.join(PORTAL_CA);
        match ca {
            Some(pem) => output::replace_private(&ca_path, pem)?,
            None => remove_if_there(&ca_path)?,
        }
        self.sequence().go_above(last_seq)?;
        // Last, because it is what says that the device is enrolled.
        output::replace_private(&self.dir.join(ENROLMENT), &serde_json::to_vec_pretty(enrolment)?)
    }

    /// The certificates that the owner gave at enrolment.
    pub(crate) fn portal_ca(&self) -> Option<PathBuf> {
        Some(self.dir.join(PORTAL_CA)).filter(|path| path.is_file())
    }

    /// The numbers of this identity's bundles.
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence::new(&self.dir, &self.runtime_dir)
    }
}

/// A pseudonym key that nobody keeps, for output that stays with the person who asked.
pub(crate) fn passing_pseudonym_key() -> anyhow::Result<PseudonymKey> {
    let mut key = Zeroizing::new([0_u8; 32]);
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), key.as_mut_slice()).map_err(|_| {
        refuse("the system gave no randomness", "try again when the machine has been up for a minute")
    })?;
    Ok(PseudonymKey(key))
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// Reads a private file; `None` when it is not there, refused when others may read or write it.
fn read_private(path: &Path) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).or_advise(cannot_read(path), "run as administrator (root)"),
    };
    let mode = fs::metadata(path).or_advise(cannot_read(path), "call again")?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(refuse(
            format!("{} can be read by others (mode {:o})", path.display(), mode & 0o777),
            format!("`chmod 600 {}`, and enrol again if somebody may have copied it", path.display()),
        ));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn identity(folder: &Path) -> Identity {
        Identity::new(folder.join("identity"), folder.join("run"))
    }

    #[test]
    fn keys_are_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = identity(folder.path());
        assert!(identity.key().expect("looked").is_none());
        let first = identity.key_or_new().expect("made").public();
        assert_eq!(identity.key_or_new().expect("read").public(), first);
        let first = identity.pseudonym_key_or_new().expect("made");
        assert_eq!(*identity.pseudonym_key_or_new().expect("read").0, *first.0);
    }

    #[test]
    fn a_key_that_others_read_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = identity(folder.path());
        identity.key_or_new().expect("made");
        let path = identity.dir().join(KEY);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        let error = identity.key().map(|_| ()).expect_err("refused").to_string();
        assert!(error.contains("can be read by others (mode 644)"), "{error}");
    }
}
