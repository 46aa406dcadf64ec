//! The portal's own keys: made once on the first start, read on every other, each file 0600.
//!
//! The root key signs the online key, and the online key signs receipts, so that the online key can be replaced
//! without enrolling every device again. The keys in force are numbered and signed by the root key as one statement
//! (`keys.json`); writing that file is the one step in which a rotation happens, and everything it needs is written
//! before it. The decryption identity is only written here; reading it is the worker's, except that a rotation puts a new
//! one in front of the old ones, which go on opening what was sealed for them.

use assay_bundle::enrolment::PortalCard;
use assay_bundle::key_life::PortalKeys;
use assay_bundle::keys::{KeyError, PublicKey, SigningKey};
use assay_bundle::sshsig::{self, namespace};
use assay_bundle::statement::{STATEMENT_FORMAT, Signed, StatementError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock;
use crate::files::{DataDir, FileError, read_text, write_whole};

const ROOT_KEY: &str = "root.key";
const ONLINE_KEY: &str = "online.key";
const ONLINE_SIGNATURE: &str = "online.key.sig";
const RECIPIENT: &str = "recipient.txt";
const KEYS: &str = "keys.json";
/// For the owner alone.
const SECRET: u32 = 0o600;

/// What the serving process holds. The root key is not among it: it is read to sign a new online key and dropped.
pub struct Identity {
    /// Signs receipts.
    pub online: SigningKey,
    /// Public half of the root key.
    pub root_public: PublicKey,
    /// Root key's signature over the online key.
    pub online_signature: String,
    /// Recipient that devices encrypt to.
    pub recipient: String,
    /// Number of the keys in force.
    pub number: u64,
    /// The root key's statement of them.
    pub keys: Signed,
    /// Recipients of before, newest first.
    pub former_recipients: Vec<String>,
}

/// `keys.json`: what is in force, and what was.
#[derive(Debug, Serialize, Deserialize)]
struct InForce {
    keys: Signed,
    former_recipients: Vec<String>,
}

/// What a rotation replaces.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// The online key.
    pub online: bool,
    /// The recipient, and with it the card's fingerprint.
    pub recipient: bool,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key file holds no key.
    #[error(
        "{name} in the data folder is not a key: restore it from a backup; devices trust only the old one"
    )]
    Key {
        /// File.
        name: String,
        /// Why not.
        #[source]
        source: KeyError,
    },
    /// The online key is not signed by the root key.
    #[error("{ONLINE_SIGNATURE} does not fit {ONLINE_KEY}: restore both from a backup")]
    Chain(#[source] sshsig::SignatureError),
    /// The statement of the keys is not the root key's, or not of these keys.
    #[error("{KEYS} does not fit the keys beside it: restore the data folder from a backup")]
    Keys(#[source] Option<StatementError>),
    /// It is no JSON.
    #[error("{KEYS} is damaged: restore it from a backup; devices take no lower number than they have")]
    Damaged(#[from] serde_json::Error),
    /// Some files of the set are missing, so it is not a first start.
    #[error("{0} is missing from the data folder, but other keys are there: restore it from a backup")]
    Missing(&'static str),
}

impl Identity {
    /// Reads the keys, or makes them all when none is there.
    ///
    /// # Errors
    /// When some are missing or damaged: they are never replaced in silence, because every device has pinned them.
    pub fn open(dir: &DataDir) -> Result<Self, IdentityError> {
        let names = [ROOT_KEY, ONLINE_KEY, ONLINE_SIGNATURE, RECIPIENT, "identity.age"];
        let present = names.map(|name| dir.file(name).exists());
        // identity.age is written last: a start that was cut short before it begins again.
        if !present[4] {
            if dir.database().exists() && present[..4].iter().all(|p| *p) {
                return Err(IdentityError::Missing("identity.age"));
            }
            Self::create(dir)?;
        }
        for (name, present) in names.iter().zip(present).take(4) {
            if !present && !dir.file(name).exists() {
                return Err(IdentityError::Missing(name));
            }
        }
        Self::read(dir)
    }

    fn read(dir: &DataDir) -> Result<Self, IdentityError> {
        let root = key(dir, ROOT_KEY)?;
        let (keys, former_recipients, in_force) = match dir.file(KEYS).exists() {
            true => {
                let kept: InForce = serde_json::from_str(&read_text(&dir.file(KEYS))?)?;
                let in_force: PortalKeys =
                    kept.keys.open(&root.public()).map_err(|error| IdentityError::Keys(Some(error)))?;
                (kept.keys, kept.former_recipients, in_force)
            }
            // The first start, or one after the keys were numbered: what is there is number 1.
            false => {
                let in_force = PortalKeys {
                    format: STATEMENT_FORMAT,
                    number: 1,
                    online_key: key(dir, ONLINE_KEY)?.public().to_openssh(),
                    recipient: read_text(&dir.file(RECIPIENT))?.trim().to_owned(),
                    made_unix_s: clock::now_unix_s(),
                };
                let keys = put_in_force(dir, &root, &in_force, Vec::new())?;
                (keys, Vec::new(), in_force)
            }
        };
        let (key_name, signature_name) = online_names(in_force.number);
        // A rotation of the recipient alone keeps the files of the online key under their older number.
        let number = (1..=in_force.number).rev().find(|number| dir.file(&online_names(*number).0).exists());
        let (key_name, signature_name) = number.map_or((key_name, signature_name), online_names);
        let online = key(dir, &key_name)?;
        let online_signature = read_text(&dir.file(&signature_name))?;
        if online.public().to_openssh() != in_force.online_key {
            return Err(IdentityError::Keys(None));
        }
        let root_public = root.public();
        sshsig::verify(
            &root_public,
            namespace::ROTATION,
            online.public().to_openssh().as_bytes(),
            &online_signature,
        )
        .map_err(IdentityError::Chain)?;
        let (number, recipient) = (in_force.number, in_force.recipient);
        Ok(Self { online, root_public, online_signature, recipient, number, keys, former_recipients })
    }

    /// Puts new keys in force, signed by the root key under the next number. Nobody may serve meanwhile. A stop before
    /// the last step leaves the old ones in force, and a second try makes others.
    ///
    /// # Errors
    /// When something cannot be written, or there is no identity yet.
    pub fn rotate(dir: &DataDir, what: Rotation) -> Result<Self, IdentityError> {
        let before = Self::read(dir)?;
        let root = key(dir, ROOT_KEY)?;
        let number = before.number.saturating_add(1);
        let (mut online_key, mut recipient) = (before.online.public().to_openssh(), before.recipient.clone());
        let mut former_recipients = before.former_recipients;
        let (key_name, signature_name) = online_names(number);
        if what.online {
            let online = SigningKey::generate()
                .map_err(|source| IdentityError::Key { name: key_name.clone(), source })?;
            online_key = online.public().to_openssh();
            let signature = sshsig::sign(&root, namespace::ROTATION, online_key.as_bytes());
            write_whole(&dir.file(&signature_name), signature.as_bytes(), SECRET)?;
            write_whole(&dir.file(&key_name), online.to_openssh("assay-portal online").as_bytes(), SECRET)?;
        } else {
            // What a try that was cut short left behind must not be taken for the key in force.
            for name in [&key_name, &signature_name] {
                let _ = std::fs::remove_file(dir.file(name));
            }
        }
        if what.recipient {
            use age::secrecy::ExposeSecret;
            let identity = age::x25519::Identity::generate();
            let old = Zeroizing::new(read_text(&dir.identity())?);
            recipient = identity.to_public().to_string();
            let text = Zeroizing::new(format!(
                "# public key: {recipient}\n{}\n{}",
                identity.to_string().expose_secret(),
                old.as_str()
            ));
            write_whole(&dir.identity(), text.as_bytes(), SECRET)?;
            former_recipients.insert(0, before.recipient);
        }
        let made_unix_s = clock::now_unix_s();
        let in_force = PortalKeys { format: STATEMENT_FORMAT, number, online_key, recipient, made_unix_s };
        put_in_force(dir, &root, &in_force, former_recipients)?;
        Self::read(dir)
    }

    fn create(dir: &DataDir) -> Result<(), IdentityError> {
        use age::secrecy::ExposeSecret;

        let make = |name: &str| {
            SigningKey::generate().map_err(|source| IdentityError::Key { name: name.to_owned(), source })
        };
        let (root, online) = (make(ROOT_KEY)?, make(ONLINE_KEY)?);
        let signature = sshsig::sign(&root, namespace::ROTATION, online.public().to_openssh().as_bytes());
        let identity = age::x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        write_whole(&dir.file(ROOT_KEY), root.to_openssh("assay-portal root").as_bytes(), SECRET)?;
        write_whole(&dir.file(ONLINE_KEY), online.to_openssh("assay-portal online").as_bytes(), SECRET)?;
        write_whole(&dir.file(ONLINE_SIGNATURE), signature.as_bytes(), SECRET)?;
        write_whole(&dir.file(RECIPIENT), format!("{recipient}\n").as_bytes(), SECRET)?;
        let text =
            Zeroizing::new(format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret()));
        write_whole(&dir.identity(), text.as_bytes(), SECRET)?;
        Ok(())
    }

    /// The card that devices and people see.
    pub fn card(&self, name: &str, url: &str, tls_key_pin: &str) -> PortalCard {
        PortalCard {
            name: name.to_owned(),
            url: url.to_owned(),
            root_key: self.root_public.to_openssh(),
            online_key: self.online.public().to_openssh(),
            online_key_signature: self.online_signature.clone(),
            recipient: self.recipient.clone(),
            tls_key_pin: tls_key_pin.to_owned(),
            keys: Some(self.keys.clone()),
        }
    }
}

/// Files of the online key that came with this number, and of the root key's signature over it.
fn online_names(number: u64) -> (String, String) {
    match number {
        0 | 1 => (ONLINE_KEY.to_owned(), ONLINE_SIGNATURE.to_owned()),
        number => (format!("online-{number}.key"), format!("online-{number}.key.sig")),
    }
}

/// Signs and writes what is in force: the step that counts.
fn put_in_force(
    dir: &DataDir,
    root: &SigningKey,
    in_force: &PortalKeys,
    former_recipients: Vec<String>,
) -> Result<Signed, IdentityError> {
    let keys = Signed::new(in_force, root).map_err(|error| IdentityError::Keys(Some(error)))?;
    let text = serde_json::to_vec_pretty(&InForce { keys: keys.clone(), former_recipients })?;
    write_whole(&dir.file(KEYS), &text, SECRET)?;
    Ok(keys)
}

fn key(dir: &DataDir, name: &str) -> Result<SigningKey, IdentityError> {
    let text = Zeroizing::new(read_text(&dir.file(name))?);
    SigningKey::from_openssh(&text).map_err(|source| IdentityError::Key { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(folder.path()).expect("opens");
        (folder, dir)
    }

    #[test]
    fn each_rotation_is_one_step_up() {
        let (_folder, dir) = folder();
        let first = Identity::open(&dir).expect("made");
        assert_eq!((first.number, first.former_recipients.len()), (1, 0));
        let mut before = first;
        for (online, recipient) in [(true, false), (false, true), (true, true), (false, true)] {
            let after = Identity::rotate(&dir, Rotation { online, recipient }).expect("rotates");
            assert_eq!(after.number, before.number + 1);
            assert_eq!(after.online.public() != before.online.public(), online);
            assert_eq!(after.recipient != before.recipient, recipient);
            assert_eq!(after.former_recipients.contains(&before.recipient), recipient);
            assert_eq!(after.root_public, before.root_public);
            let read = Identity::open(&dir).expect("reads again");
            assert_eq!((read.number, read.recipient.as_str()), (after.number, after.recipient.as_str()));
            assert_eq!(read.online.public(), after.online.public());
            before = after;
        }
        let text = std::fs::read_to_string(dir.identity()).expect("identities");
        assert_eq!(text.matches("AGE-SECRET-KEY-").count(), 4, "every one of before still opens");
    }

    #[test]
    fn a_rotation_that_was_cut_short_changes_nothing() {
        let (_folder, dir) = folder();
        let before = Identity::open(&dir).expect("made");
        // Everything but the last step.
        let stray = SigningKey::generate().expect("a key");
        write_whole(&dir.file("online-2.key"), stray.to_openssh("x").as_bytes(), SECRET).expect("written");
        write_whole(&dir.file("online-2.key.sig"), b"x", SECRET).expect("written");
        let read = Identity::open(&dir).expect("the old ones are in force");
        assert_eq!((read.number, read.online.public()), (1, before.online.public()));
        // The next number must not take the stray one for its own.
        let after = Identity::rotate(&dir, Rotation { online: false, recipient: true }).expect("rotates");
        assert_eq!((after.number, after.online.public()), (2, before.online.public()));
    }

    #[test]
    fn keys_that_do_not_fit_are_refused() {
        let (_folder, dir) = folder();
        Identity::open(&dir).expect("made");
        let text = std::fs::read_to_string(dir.file(KEYS)).expect("written");
        write_whole(&dir.file(KEYS), text.replace("\\\"number\\\":1", "\\\"number\\\":7").as_bytes(), SECRET)
            .expect("written");
        assert!(matches!(Identity::open(&dir), Err(IdentityError::Keys(Some(_)))));
        write_whole(&dir.file(KEYS), b"{", SECRET).expect("written");
        assert!(matches!(Identity::open(&dir), Err(IdentityError::Damaged(_))));
    }
}
