//! SSHSIG (OpenSSH's PROTOCOL.sshsig), armoured, one namespace for each kind of statement.
//!
//! Refuses every key type but Ed25519, every version but 1, anything in the reserved field and anything that follows:
//! a statement has one signature with one reading.

use ring::digest::{Algorithm, SHA256, SHA512};

use crate::keys::{ALGORITHM, PublicKey, SigningKey, wire};

/// Label of the armour.
const LABEL: &str = "SSH SIGNATURE";
/// First bytes of a signature, and of what it signs.
const MAGIC: &[u8] = b"SSHSIG";
/// The only version there is.
const VERSION: u32 = 1;

/// The namespaces. A signature under one is refused under every other.
pub mod namespace {
    /// A live run's manifest.
    pub const BUNDLE: &str = "assay-bundle";
    /// A recorded or judged run's manifest: never evidence.
    pub const REPLAY: &str = "assay-replay";
    /// A support request.
    pub const REQUEST: &str = "assay-request";
    /// The owner's consent.
    pub const CONSENT: &str = "assay-consent";
    /// The portal's receipt.
    pub const RECEIPT: &str = "assay-receipt";
    /// The portal's online key, signed by its root key.
    pub const ROTATION: &str = "assay-rotation";
    /// The portal's answer to a poll.
    pub const POLL: &str = "assay-poll";
    /// The record of a remote session.
    pub const SESSION: &str = "assay-session";
    /// A verdict slip: for triage only.
    pub const SLIP: &str = "assay-slip";
    /// The portal's word that one unit replaces another.
    pub const REPLACEMENT: &str = "assay-replacement";
    /// The portal's receipt of a deletion.
    pub const DELETION: &str = "assay-deletion";
    /// A device's new key, signed by the one it takes the place of.
    pub const DEVICE_KEY: &str = "assay-device-key";
    /// The portal's keys, signed by its root key.
    pub const PORTAL_KEYS: &str = "assay-portal-keys";
    /// That a device's key counts no more.
    pub const REVOCATION: &str = "assay-revocation";
    /// A device leaves.
    pub const FAREWELL: &str = "assay-farewell";
}

/// Why a signature was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not an armoured SSHSIG.
    #[error("not an SSH signature: {0}")]
    Format(&'static str),
    /// For something else.
    #[error(
        "signed under namespace {found:?}, not {wanted:?}: a signature for one purpose is refused for every other"
    )]
    Namespace {
        /// Namespace inside the signature.
        found: String,
        /// Namespace that was asked for.
        wanted: String,
    },
    /// By somebody else.
    #[error("signed by key {found}, not by {wanted}")]
    Key {
        /// Fingerprint inside the signature.
        found: String,
        /// Fingerprint that was asked for.
        wanted: String,
    },
    /// Over other bytes.
    #[error("the signature does not fit the bytes: they were changed after signing")]
    Mismatch,
}

/// Signs `message` under `namespace`; the result is the armoured text that `ssh-keygen -Y verify -s` reads.
pub fn sign(key: &SigningKey, namespace: &str, message: &[u8]) -> String {
    let hash = b"sha512";
    let signature = key.sign(&signed_bytes(namespace.as_bytes(), hash, &SHA512, message));
    let mut inner = Vec::with_capacity(83);
    wire::put_string(&mut inner, ALGORITHM);
    wire::put_string(&mut inner, &signature);
    let mut blob = MAGIC.to_vec();
    wire::put_u32(&mut blob, VERSION);
    wire::put_string(&mut blob, &key.public().blob());
    wire::put_string(&mut blob, namespace.as_bytes());
    wire::put_string(&mut blob, b""); // reserved
    wire::put_string(&mut blob, hash);
    wire::put_string(&mut blob, &inner);
    wire::armour(LABEL, &blob).to_string()
}

/// Checks an armoured signature.
pub fn verify(
    key: &PublicKey,
    namespace: &str,
    message: &[u8],
    armoured: &str,
) -> Result<(), SignatureError> {
    let parsed = Parsed::read(armoured)?;
    if parsed.namespace != namespace {
        return Err(SignatureError::Namespace { found: parsed.namespace, wanted: namespace.to_owned() });
    }
    if parsed.key != *key {
        return Err(SignatureError::Key { found: parsed.key.fingerprint(), wanted: key.fingerprint() });
    }
    let (name, algorithm) = parsed.hash;
    let bytes = signed_bytes(namespace.as_bytes(), name, algorithm, message);
    if key.verify(&bytes, &parsed.signature) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// The armoured text of a signature that was carried without its armour.
pub fn armoured(blob: &[u8]) -> String {
    wire::armour(LABEL, blob).to_string()
}

/// The key that a signature names. It proves nothing before [`verify`].
pub fn named_key(armoured: &str) -> Result<PublicKey, SignatureError> {
    Parsed::read(armoured).map(|p| p.key)
}

/// What the Ed25519 signature is over.
fn signed_bytes(namespace: &[u8], hash: &[u8], algorithm: &'static Algorithm, message: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    wire::put_string(&mut bytes, namespace);
    wire::put_string(&mut bytes, b""); // reserved
    wire::put_string(&mut bytes, hash);
    wire::put_string(&mut bytes, ring::digest::digest(algorithm, message).as_ref());
    bytes
}

/// A signature taken apart.
struct Parsed {
    key: PublicKey,
    namespace: String,
    hash: (&'static [u8], &'static Algorithm),
    signature: [u8; 64],
}

impl Parsed {
    fn read(armoured: &str) -> Result<Self, SignatureError> {
        let blob = wire::unarmour(LABEL, armoured).map_err(SignatureError::Format)?;
        Self::of_blob(&blob).map_err(SignatureError::Format)
    }

    fn of_blob(blob: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "it ends too early";
        let mut rest = blob.strip_prefix(MAGIC).ok_or("it does not start with SSHSIG")?;
        if wire::take_u32(&mut rest).ok_or(SHORT)? != VERSION {
            return Err("it is of another version than 1");
        }
        let key = wire::take_string(&mut rest).ok_or(SHORT)?;
        let key = PublicKey::from_blob(key).ok_or("its key is not an Ed25519 key")?;
        let namespace = wire::take_string(&mut rest).ok_or(SHORT)?;
        let namespace = String::from_utf8(namespace.to_vec()).map_err(|_| "its namespace is not text")?;
        if !wire::take_string(&mut rest).ok_or(SHORT)?.is_empty() {
            return Err("its reserved field is not empty");
        }
        let hash = match wire::take_string(&mut rest).ok_or(SHORT)? {
            b"sha512" => (&b"sha512"[..], &SHA512),
            b"sha256" => (&b"sha256"[..], &SHA256),
            _ => return Err("its hash is neither sha512 nor sha256"),
        };
        let mut inner = wire::take_string(&mut rest).ok_or(SHORT)?;
        if !rest.is_empty() {
            return Err("something follows it");
        }
        if wire::take_string(&mut inner).ok_or(SHORT)? != ALGORITHM {
            return Err("its signature is not an Ed25519 signature");
        }
        let signature = wire::take_string(&mut inner).ok_or(SHORT)?;
        let signature = <[u8; 64]>::try_from(signature).map_err(|_| "its signature is not 64 bytes long")?;
        if !inner.is_empty() {
            return Err("something follows its signature");
        }
        Ok(Self { key, namespace, hash, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(Zeroizing::new([seed; 32])).expect("a seed")
    }

    #[test]
    fn a_signature_fits_one_key_one_purpose_and_one_message() {
        let key = key(1);
        let text = sign(&key, namespace::BUNDLE, b"hello");
        let (mine, other) = (key.public(), self::key(2).public());
        let named = |found: &str, wanted: &str| SignatureError::Namespace {
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        };
        assert_eq!(named_key(&text), Ok(mine));
        for (key, space, message, expected) in [
            (&mine, namespace::BUNDLE, &b"hello"[..], Ok(())),
            (&mine, namespace::BUNDLE, b"hellp", Err(SignatureError::Mismatch)),
            (&mine, namespace::BUNDLE, b"", Err(SignatureError::Mismatch)),
            (&mine, namespace::REPLAY, b"hello", Err(named("assay-bundle", "assay-replay"))),
            (
                &other,
                namespace::BUNDLE,
                b"hello",
                Err(SignatureError::Key { found: mine.fingerprint(), wanted: other.fingerprint() }),
            ),
        ] {
            assert_eq!(verify(key, space, message, &text), expected);
        }
    }

    #[test]
    fn sha256_is_read_too() {
        let key = key(1);
        let mut blob = wire::unarmour(LABEL, &sign(&key, "n", b"m")).expect("ours").to_vec();
        let at = blob.windows(6).position(|w| w == b"sha512").expect("it stands there");
        blob[at..at + 6].copy_from_slice(b"sha256");
        let end = blob.len();
        let signature = key.sign(&signed_bytes(b"n", b"sha256", &SHA256, b"m"));
        blob[end - 64..].copy_from_slice(&signature);
        assert_eq!(verify(&key.public(), "n", b"m", &wire::armour(LABEL, &blob)), Ok(()));
    }

    #[test]
    fn odd_signatures_are_refused() {
        let good = wire::unarmour(LABEL, &sign(&key(1), "n", b"m")).expect("ours").to_vec();
        let check = |change: &dyn Fn(&mut Vec<u8>), expected: &'static str| {
            let mut blob = good.clone();
            change(&mut blob);
            let found = named_key(&wire::armour(LABEL, &blob));
            assert_eq!(found, Err(SignatureError::Format(expected)));
        };
        let find = |what: &[u8]| good.windows(what.len()).position(|w| w == what).expect("it stands there");
        let hash = find(b"sha512");
        check(&|b| b[0] = b'X', "it does not start with SSHSIG");
        check(&|b| b[9] = 2, "it is of another version than 1");
        check(&|b| b[18] = b'x', "its key is not an Ed25519 key");
        check(&|b| b[hash - 9] = 0xff, "its namespace is not text");
        check(&|b| b[hash + 4] = b'3', "its hash is neither sha512 nor sha256");
        check(&|b| b[hash + 14] = b'x', "its signature is not an Ed25519 signature");
        check(&|b| b.push(0), "something follows it");
        check(
            &|b| {
                b.splice(hash - 8..hash - 4, [0, 0, 0, 1, b'r']);
            },
            "its reserved field is not empty",
        );
        for length in 0..good.len() {
            assert!(named_key(&wire::armour(LABEL, &good[..length])).is_err(), "{length}");
        }
    }
}
