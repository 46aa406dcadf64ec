//! The portal's own keys: made once on the first start, read on every other, each file 0600.
//!
//! The root key signs the online key, and the online key signs receipts, so that the online key can be replaced
//! without enrolling every device again. The decryption identity is only written here; reading it is the worker's.

use assay_bundle::enrolment::PortalCard;
use assay_bundle::keys::{KeyError, PublicKey, SigningKey};
use assay_bundle::sshsig::{self, namespace};
use zeroize::Zeroizing;

use crate::files::{DataDir, FileError, read_text, write_whole};

const ROOT_KEY: &str = "root.key";
const ONLINE_KEY: &str = "online.key";
const ONLINE_SIGNATURE: &str = "online.key.sig";
const RECIPIENT: &str = "recipient.txt";
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
        name: &'static str,
        /// Why not.
        #[source]
        source: KeyError,
    },
    /// The online key is not signed by the root key.
    #[error("{ONLINE_SIGNATURE} does not fit {ONLINE_KEY}: restore both from a backup")]
    Chain(#[source] sshsig::SignatureError),
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
        let root = key(dir, ROOT_KEY)?;
        let online = key(dir, ONLINE_KEY)?;
        let online_signature = read_text(&dir.file(ONLINE_SIGNATURE))?;
        let root_public = root.public();
        sshsig::verify(
            &root_public,
            namespace::ROTATION,
            online.public().to_openssh().as_bytes(),
            &online_signature,
        )
        .map_err(IdentityError::Chain)?;
        let recipient = read_text(&dir.file(RECIPIENT))?.trim().to_owned();
        Ok(Self { online, root_public, online_signature, recipient })
    }

    fn create(dir: &DataDir) -> Result<(), IdentityError> {
        use age::secrecy::ExposeSecret;

        let make = |name| SigningKey::generate().map_err(|source| IdentityError::Key { name, source });
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
        }
    }
}

fn key(dir: &DataDir, name: &'static str) -> Result<SigningKey, IdentityError> {
    let text = Zeroizing::new(read_text(&dir.file(name))?);
    SigningKey::from_openssh(&text).map_err(|source| IdentityError::Key { name, source })
}
