//! Ed25519 keys in OpenSSH's formats, so that stock `ssh-keygen` reads what we write.

use zeroize::Zeroizing;

/// A private key. Zeroized on drop, never printed.
pub struct SigningKey {
    _seed: Zeroizing<[u8; 32]>,
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PublicKey(pub [u8; 32]);

/// Why a key was refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a key.
    #[error("not an OpenSSH Ed25519 key: {0}")]
    Format(&'static str),
    /// The system gave no randomness.
    #[error("the system gave no randomness for a new key")]
    Random,
}

impl SigningKey {
    /// A new key.
    pub fn generate() -> Result<Self, KeyError> {
        todo!()
    }
    /// Reads an unencrypted OpenSSH private key.
    pub fn from_openssh(_text: &str) -> Result<Self, KeyError> {
        todo!()
    }
    /// The key as an unencrypted OpenSSH private key file.
    pub fn to_openssh(&self, _comment: &str) -> Zeroizing<String> {
        todo!()
    }
    /// Its public half.
    pub fn public(&self) -> PublicKey {
        todo!()
    }
    /// Raw Ed25519 signature over `message`. Use `sshsig` or `httpsig`, never this, outside this crate.
    pub(crate) fn sign(&self, _message: &[u8]) -> [u8; 64] {
        todo!()
    }
}

impl PublicKey {
    /// Reads `ssh-ed25519 AAAA… [comment]`.
    pub fn from_openssh(_line: &str) -> Result<Self, KeyError> {
        todo!()
    }
    /// `ssh-ed25519 AAAA…`, without a comment.
    pub fn to_openssh(&self) -> String {
        todo!()
    }
    /// `SHA256:…` as `ssh-keygen -l` prints it: the key's name everywhere in Assay.
    pub fn fingerprint(&self) -> String {
        todo!()
    }
    /// Whether `signature` is this key's over `message`.
    pub(crate) fn verify(&self, _message: &[u8], _signature: &[u8]) -> bool {
        todo!()
    }
}

/// Crockford base32 (no I, L, O, U), upper case, without padding.
pub fn crockford(_bytes: &[u8]) -> String {
    todo!()
}
