//! Ed25519 keys in OpenSSH's formats, so that stock `ssh-keygen` reads what we write.
//!
//! Refuses every other algorithm, and private keys under a passphrase: a NAS signs while nobody is there to type one.

use data_encoding::{BASE64, BASE64_NOPAD};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

pub(crate) mod wire;

/// The algorithm's name in OpenSSH's formats.
pub(crate) const ALGORITHM: &[u8] = b"ssh-ed25519";

/// Label of the armour of a private key.
const PRIVATE_LABEL: &str = "OPENSSH PRIVATE KEY";
/// First bytes of an OpenSSH private key (PROTOCOL.key), with their end mark.
const PRIVATE_MAGIC: &[u8] = b"openssh-key-v1\0";
/// Block size of "no cipher": the private part is padded to it with 1, 2, 3, …
const PRIVATE_BLOCK: usize = 8;

/// A private key, never printed. Its seed is zeroized on drop; the expanded form inside `ring` is not, because `ring`
/// has no way to do so.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PublicKey(pub [u8; 32]);

/// Why a key was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
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
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *seed).map_err(|_| KeyError::Random)?;
        Self::from_seed(seed)
    }

    /// The key of a seed.
    pub(crate) fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed)
            .map_err(|_| KeyError::Format("its seed is refused"))?;
        Ok(Self { seed, pair })
    }

    /// Reads an unencrypted OpenSSH private key.
    pub fn from_openssh(text: &str) -> Result<Self, KeyError> {
        let bytes = wire::unarmour(PRIVATE_LABEL, text).map_err(KeyError::Format)?;
        let (public, private) = private_parts(&bytes).map_err(KeyError::Format)?;
        let (seed, told) = private_key(private, &public).map_err(KeyError::Format)?;
        let key = Self::from_seed(seed)?;
        if key.public() != public || told != public {
            return Err(KeyError::Format("its public half is not its own"));
        }
        Ok(key)
    }

    /// The key as an unencrypted OpenSSH private key file.
    pub fn to_openssh(&self, comment: &str) -> Zeroizing<String> {
        let public = self.public();
        let mut private = Zeroizing::new(Vec::with_capacity(160 + comment.len()));
        // Two equal numbers tell a decryptor that its key was right. Nothing is encrypted, so any pair does; taken
        // from the public key, the file is the same each time.
        let check = u32::from_be_bytes(wire::take::<4>(&mut &public.0[..]).unwrap_or_default());
        wire::put_u32(&mut private, check);
        wire::put_u32(&mut private, check);
        wire::put_string(&mut private, ALGORITHM);
        wire::put_string(&mut private, &public.0);
        wire::put_u32(&mut private, 64);
        private.extend_from_slice(&*self.seed);
        private.extend_from_slice(&public.0);
        wire::put_string(&mut private, comment.as_bytes());
        for pad in 1_u8.. {
            if private.len().is_multiple_of(PRIVATE_BLOCK) {
                break;
            }
            private.push(pad);
        }
        let mut file = Zeroizing::new(Vec::with_capacity(private.len() + 160));
        file.extend_from_slice(PRIVATE_MAGIC);
        wire::put_string(&mut file, b"none"); // cipher
        wire::put_string(&mut file, b"none"); // key derivation
        wire::put_string(&mut file, b""); // and its options
        wire::put_u32(&mut file, 1); // one key
        wire::put_string(&mut file, &public.blob());
        wire::put_string(&mut file, &private);
        wire::armour(PRIVATE_LABEL, &file)
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        fill(&mut key, self.pair.public_key().as_ref());
        PublicKey(key)
    }

    /// Raw Ed25519 signature over `message`. Use `sshsig` or `httpsig`, never this, outside this crate.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        fill(&mut signature, self.pair.sign(message).as_ref());
        signature
    }
}

impl PublicKey {
    /// Reads `ssh-ed25519 AAAA… [comment]`.
    pub fn from_openssh(line: &str) -> Result<Self, KeyError> {
        let line = line.trim();
        if line.contains(['\n', '\r']) {
            return Err(KeyError::Format("a public key is one line"));
        }
        let mut words = line.split([' ', '\t']).filter(|w| !w.is_empty());
        if words.next().map(str::as_bytes) != Some(ALGORITHM) {
            return Err(KeyError::Format("a public key starts with ssh-ed25519"));
        }
        let blob = words.next().ok_or(KeyError::Format("the key itself is missing"))?;
        let blob = BASE64.decode(blob.as_bytes()).map_err(|_| KeyError::Format("its base64 is broken"))?;
        Self::from_blob(&blob).ok_or(KeyError::Format("it is of another kind or length"))
    }

    /// `ssh-ed25519 AAAA…`, without a comment.
    pub fn to_openssh(&self) -> String {
        format!("ssh-ed25519 {}", BASE64.encode(&self.blob()))
    }

    /// `SHA256:…` as `ssh-keygen -l` prints it: the key's name everywhere in Assay.
    pub fn fingerprint(&self) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.blob());
        format!("SHA256:{}", BASE64_NOPAD.encode(digest.as_ref()))
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// OpenSSH's wire form.
    pub(crate) fn blob(&self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(51);
        wire::put_string(&mut blob, ALGORITHM);
        wire::put_string(&mut blob, &self.0);
        blob
    }

    /// Reads OpenSSH's wire form, exactly.
    pub(crate) fn from_blob(mut blob: &[u8]) -> Option<Self> {
        let algorithm = wire::take_string(&mut blob)?;
        let key = wire::take_string(&mut blob)?;
        if algorithm != ALGORITHM || !blob.is_empty() {
            return None;
        }
        <[u8; 32]>::try_from(key).ok().map(Self)
    }
}

/// The public key and the private part of an `openssh-key-v1` file.
fn private_parts(mut file: &[u8]) -> Result<(PublicKey, &[u8]), &'static str> {
    const SHORT: &str = "it ends too early";
    file = file.strip_prefix(PRIVATE_MAGIC).ok_or("it is not an openssh-key-v1 file")?;
    let cipher = wire::take_string(&mut file).ok_or(SHORT)?;
    let derivation = wire::take_string(&mut file).ok_or(SHORT)?;
    let options = wire::take_string(&mut file).ok_or(SHORT)?;
    if cipher != b"none" || derivation != b"none" || !options.is_empty() {
        return Err("it is under a passphrase; give a key without one");
    }
    if wire::take_u32(&mut file).ok_or(SHORT)? != 1 {
        return Err("it holds more than one key");
    }
    let public = wire::take_string(&mut file).ok_or(SHORT)?;
    let public = PublicKey::from_blob(public).ok_or("it is of another kind than Ed25519")?;
    let private = wire::take_string(&mut file).ok_or(SHORT)?;
    if file.is_empty() { Ok((public, private)) } else { Err("something follows the key") }
}

/// The seed, and the public key that stands behind it, of the private part.
fn private_key(
    mut part: &[u8],
    public: &PublicKey,
) -> Result<(Zeroizing<[u8; 32]>, PublicKey), &'static str> {
    const SHORT: &str = "its private part ends too early";
    if !part.len().is_multiple_of(PRIVATE_BLOCK) {
        return Err("its private part is not padded");
    }
    if wire::take_u32(&mut part).ok_or(SHORT)? != wire::take_u32(&mut part).ok_or(SHORT)? {
        return Err("its check numbers differ");
    }
    let algorithm = wire::take_string(&mut part).ok_or(SHORT)?;
    if algorithm != ALGORITHM || wire::take_string(&mut part).ok_or(SHORT)? != public.0 {
        return Err("its two halves are of different keys");
    }
    let mut pair = wire::take_string(&mut part).ok_or(SHORT)?;
    let _comment = wire::take_string(&mut part).ok_or(SHORT)?;
    if part.len() >= PRIVATE_BLOCK || part.iter().zip(1_u8..).any(|(pad, wanted)| *pad != wanted) {
        return Err("its padding is wrong");
    }
    let seed = Zeroizing::new(wire::take::<32>(&mut pair).ok_or(SHORT)?);
    let told = PublicKey(wire::take::<32>(&mut pair).ok_or(SHORT)?);
    if pair.is_empty() { Ok((seed, told)) } else { Err("its key is too long") }
}

/// Copies what fits; the lengths of Ed25519 are fixed, so that all of it does.
fn fill(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Crockford base32 (no I, L, O, U), upper case, without padding.
pub fn crockford(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let letter = |bits: u32| LETTERS.get((bits & 31) as usize).map_or('0', |l| char::from(*l));
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(letter(bits >> count));
        }
    }
    if count > 0 {
        text.push(letter(bits << (5 - count)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 section 7.1, test 2: seed, public key, message 0x72, signature.
    const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex")
    }

    fn key() -> SigningKey {
        let seed = <[u8; 32]>::try_from(hex(SEED)).expect("32 bytes");
        SigningKey::from_seed(Zeroizing::new(seed)).expect("a seed")
    }

    #[test]
    fn the_published_vector() {
        assert_eq!(key().public().0.to_vec(), hex(PUBLIC));
        assert_eq!(key().sign(&[0x72]).to_vec(), hex(SIGNATURE));
        assert!(key().public().verify(&[0x72], &hex(SIGNATURE)));
        assert!(!key().public().verify(&[0x73], &hex(SIGNATURE)));
        assert!(!key().public().verify(&[0x72], &[0; 3]));
    }

    #[test]
    fn a_private_key_survives_its_file() {
        for comment in ["", "a", "assay device key", "ä comment of another length"] {
            let text = key().to_openssh(comment);
            let back = SigningKey::from_openssh(&text).expect("our own file");
            assert_eq!(back.public(), key().public());
            assert_eq!(*back.seed, *key().seed);
            assert_eq!(*text, *key().to_openssh(comment), "the same file each time");
        }
        let (one, two) = (SigningKey::generate().expect("random"), SigningKey::generate().expect("random"));
        assert_ne!(one.public(), two.public());
    }

    #[test]
    fn broken_private_keys_are_refused() {
        let good = wire::unarmour(PRIVATE_LABEL, &key().to_openssh("c")).expect("good");
        let check = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
            let mut bytes = good.to_vec();
            change(&mut bytes);
            let Err(KeyError::Format(found)) = SigningKey::from_openssh(&wire::armour(PRIVATE_LABEL, &bytes))
            else {
                panic!("accepted; wanted {expected:?}");
            };
            assert_eq!(found, expected);
        };
        let end = good.len() - 1;
        check(&|b| b[0] = b'x', "it is not an openssh-key-v1 file");
        check(&|b| b[19] = b'a', "it is under a passphrase; give a key without one");
        check(&|b| b[38] = 2, "it holds more than one key");
        check(&|b| b.push(0), "something follows the key");
        check(&|b| b.truncate(60), "it ends too early");
        check(&|b| b[end] ^= 1, "its padding is wrong");
        check(&|b| b[70] ^= 1, "its two halves are of different keys");
        let seed_at = good.windows(32).position(|w| w == *key().seed).expect("the seed stands in it");
        check(&|b| b[seed_at] ^= 1, "its public half is not its own");
        check(&|b| b[seed_at + 40] ^= 1, "its public half is not its own");
        for length in 0..good.len() {
            assert!(SigningKey::from_openssh(&wire::armour(PRIVATE_LABEL, &good[..length])).is_err());
        }
    }

    #[test]
    fn public_keys_are_lines() {
        let line = key().public().to_openssh();
        for (text, ok) in [
            (line.clone(), true),
            (format!("{line} comment of several words\n"), true),
            (format!("no-pty {line}"), false),
            (format!("{line}\n{line}"), false),
            (line.replace("ssh-ed25519", "ssh-rsa"), false),
            (line.replace("AAAAC3", "AAAAC2"), false),
            ("ssh-ed25519".to_owned(), false),
            (line[..line.len() - 4].to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(PublicKey::from_openssh(&text).is_ok(), ok, "{text:?}");
        }
        assert_eq!(PublicKey::from_openssh(&line), Ok(key().public()));
    }

    #[test]
    fn crockford_takes_five_bits_at_a_time() {
        for (bytes, text) in [
            (&b""[..], ""),
            (&[0], "00"),
            (&[0xff], "ZW"),
            (&[0, 1, 2, 3, 4], "000G40R4"),
            (&[0xff; 5], "ZZZZZZZZ"),
            (b"foobar", "CSQPYRK1E8"),
        ] {
            assert_eq!(crockford(bytes), text, "{bytes:?}");
        }
    }
}
