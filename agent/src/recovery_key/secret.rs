//! The secret half of a recovery key, for the moments in which it is made, shown or typed. Nothing here is kept:
//! memory is wiped when it is dropped, and there is no way to print it by accident.

use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use super::words::{Words, WordsError};
use crate::trouble::refuse;

/// How age writes a secret key: this before the checksummed text.
const PREFIX: &str = "age-secret-key-";
/// Characters of a whole key, so that its text is never moved in memory.
const KEY_CHARS: usize = 74;

/// 256 bits, used as an X25519 key by age.
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A new one from the system's randomness.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut key = Zeroizing::new([0_u8; 32]);
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), key.as_mut_slice()).map_err(
            |_| {
                refuse("the system gave no randomness", "try again when the machine has been up for a minute")
            },
        )?;
        Ok(Self(key))
    }

    /// The one with these words.
    pub(crate) fn of_words(words: &Words) -> Result<Self, WordsError> {
        words.key().map(Self)
    }

    /// Its words.
    pub(crate) fn words(&self) -> Words {
        Words::of(&self.0)
    }

    /// Its plain form, `AGE-SECRET-KEY-1…`: the line that stock `age -d -i FILE` reads.
    pub(crate) fn plain(&self) -> anyhow::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::with_capacity(KEY_CHARS));
        let written = Hrp::parse(PREFIX).map_err(anyhow::Error::new).and_then(|hrp| {
            Ok(bech32::encode_upper_to_fmt::<Bech32, _>(&mut *text, hrp, self.0.as_slice())?)
        });
        // The cause would say nothing that a person could use, and might say too much.
        written.map_err(|_| refuse("the key could not be written as text", "call again"))?;
        Ok(text)
    }

    /// As age uses it.
    pub(crate) fn identity(&self) -> anyhow::Result<age::x25519::Identity> {
        self.plain()?.parse().map_err(|_| refuse("the key could not be used", "call again"))
    }

    /// Its public half, `age1…`.
    pub(crate) fn recipient(&self) -> anyhow::Result<String> {
        Ok(self.identity()?.to_public().to_string())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret as _;

    #[test]
    fn age_writes_it_the_same_way() {
        for secret in [Secret(Zeroizing::new([0x7f; 32])), Secret::generate().expect("randomness")] {
            let plain = secret.plain().expect("text");
            let identity = secret.identity().expect("a key");
            assert_eq!(identity.to_string().expose_secret(), plain.as_str());
            assert_eq!(plain.len(), KEY_CHARS);
            let again = Secret::of_words(&secret.words()).expect("its words");
            assert_eq!(again.recipient().expect("text"), identity.to_public().to_string());
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let one = || Secret::generate().expect("randomness").recipient().expect("text");
        assert_ne!(one(), one());
    }
}
