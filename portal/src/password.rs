//! Passwords: argon2id, a few at a time on threads that may block, and the same work for a person who does not exist.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

/// Memory of one check in KiB, passes and lanes: the floor of the OWASP password storage cheat sheet for argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Checks at once: each takes [`MEMORY_KIB`] and a processor.
const AT_ONCE: usize = 2;
/// Shortest password that `user add` takes (NIST SP 800-63B asks for 8 at least, 15 where it is the only factor; we
/// take 12 and limit the tries).
pub const SHORTEST: usize = 12;
/// Longest password that is looked at, so that a login cannot be made to hash megabytes.
pub const LONGEST: usize = 1_024;

/// Checks passwords.
pub struct Passwords {
    at_once: Semaphore,
    /// Hash of a password that nobody knows: what an unknown person is checked against.
    decoy: String,
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The hash failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The thread failed.
    #[error("the password check did not end")]
    Thread(#[source] tokio::task::JoinError),
    /// We are stopping.
    #[error("the portal is stopping")]
    Stopping,
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| PasswordError::Hash(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password into the PHC string that is stored.
///
/// # Errors
/// When there is no randomness.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let salt =
        random::<16>().ok_or_else(|| PasswordError::Hash("the system gave no randomness".to_owned()))?;
    let hash = argon2()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|e| PasswordError::Hash(e.to_string()))?;
    Ok(hash.to_string())
}

/// Random bytes from the system.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A random text of `N` bytes in base64url without padding: tokens and generated passwords.
pub fn random_text<const N: usize>() -> Option<String> {
    random::<N>().map(|bytes| data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

impl Passwords {
    /// Ready to check.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Result<Self, PasswordError> {
        let nobody = random_text::<32>().ok_or(PasswordError::Stopping)?;
        Ok(Self { at_once: Semaphore::new(AT_ONCE), decoy: hash(&nobody)? })
    }

    /// Whether `password` is the one of `stored`. Without a stored one the same work is done and the answer is no.
    ///
    /// # Errors
    /// When the check itself failed.
    pub async fn check(&self, stored: Option<&str>, password: String) -> Result<bool, PasswordError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let _turn = self.at_once.acquire().await.map_err(|_| PasswordError::Stopping)?;
        let fits = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&stored).map_err(|e| PasswordError::Hash(e.to_string()))?;
            Ok(argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(PasswordError::Thread)??;
        Ok(fits && known)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let stored = hash("correct horse battery").expect("hashes");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let passwords = Passwords::new().expect("ready");
        let check = |stored: Option<&str>, password: &str| {
            let (stored, password) = (stored.map(str::to_owned), password.to_owned());
            let passwords = &passwords;
            async move { passwords.check(stored.as_deref(), password).await.expect("checks") }
        };
        assert!(check(Some(&stored), "correct horse battery").await);
        assert!(!check(Some(&stored), "correct horse batterz").await);
        assert!(!check(None, "correct horse battery").await);
    }
}
