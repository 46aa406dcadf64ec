//! The calls about a device's key: a new one, and a device that leaves, with what it may take with it.
//!
//! A change of the key is signed by the old key and its call by the new one, so that both were there. A farewell is
//! answered with a statement of the portal, which is believed only under its online key.

use std::path::Path;

use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::key_life::{KeyChanged, Revocation};
use assay_bundle::keys::SigningKey;
use assay_bundle::problem::Problem;
use assay_bundle::statement::Signed;
use tokio::io::AsyncWriteExt;

use super::call::{self, Body, Call};
use super::{Portal, PortalError};
use crate::trust::{Trust, TrustError};

/// The portal's word for a key that it has revoked.
const REVOKED: &str = "key-revoked";

/// The revocation in a refusal, when it is one: signed by the portal and about this very call. The same without a
/// signature is an ordinary refusal, because somebody on the way must not silence a device.
///
/// # Errors
/// A signature that is not the portal's, or a word about another call.
pub(super) fn revocation(
    problem: Option<Problem>,
    trust: &Trust,
    key_id: &str,
    nonce: &str,
) -> Result<Option<Revocation>, TrustError> {
    let told = problem.filter(|problem| problem.kind == REVOKED).and_then(|problem| problem.signed);
    let Some(signed) = told else { return Ok(None) };
    let revocation: Revocation = trust.open(&signed)?;
    if revocation.answers(key_id, nonce) { Ok(Some(revocation)) } else { Err(TrustError::OtherCall) }
}

impl Portal {
    /// Hands over a device's new key: `change` is signed by the old one, the call by `new`. The same change again gets
    /// the same answer.
    ///
    /// # Errors
    /// Not reachable, [`PortalError::Refused`] with the portal's reason, or an answer for another key.
    pub async fn change_key(&self, new: &SigningKey, change: &Signed) -> Result<KeyChanged, PortalError> {
        let body = serde_json::to_vec(change).map_err(PortalError::Encode)?;
        let changed: KeyChanged =
            self.read("POST", "/api/v1/device-key", Some(new), Body::Json(&body), &[200]).await?;
        let wanted = new.public().fingerprint();
        if changed.key_id == wanted {
            Ok(changed)
        } else {
            Err(PortalError::OtherKey { found: changed.key_id, wanted })
        }
    }

    /// Says goodbye: the portal's signed word that the key counts no more.
    ///
    /// # Errors
    /// Not reachable, refused, or an answer that is not the portal's. A key that was revoked before is told so by
    /// [`PortalError::Revoked`].
    pub async fn goodbye(
        &self,
        key: &SigningKey,
        trust: &Trust,
        farewell: &Signed,
    ) -> Result<Revocation, PortalError> {
        Ok(trust.open(&self.leave(key, farewell).await?)?)
    }

    /// Asks for the deletion of everything: the portal's signed receipt, and the same one again to who asks again.
    ///
    /// # Errors
    /// As [`Portal::goodbye`]; and a receipt that names another key.
    pub async fn forget(
        &self,
        key: &SigningKey,
        trust: &Trust,
        farewell: &Signed,
    ) -> Result<(Signed, DeletionReceipt), PortalError> {
        let signed = self.leave(key, farewell).await?;
        let receipt: DeletionReceipt = trust.open(&signed)?;
        let wanted = key.public().fingerprint();
        if receipt.key_id == wanted {
            Ok((signed, receipt))
        } else {
            Err(PortalError::OtherKey { found: receipt.key_id, wanted })
        }
    }

    async fn leave(&self, key: &SigningKey, farewell: &Signed) -> Result<Signed, PortalError> {
        let body = serde_json::to_vec(farewell).map_err(PortalError::Encode)?;
        self.read("POST", "/api/v1/farewell", Some(key), Body::Json(&body), &[200]).await
    }

    /// Writes everything that the portal has of this device into a file (a tar), which must not be there; its size.
    ///
    /// # Errors
    /// Not reachable, refused, broken off, or the file cannot be written. What was written then is no export.
    pub async fn export(&self, key: &SigningKey, to: &Path) -> Result<u64, PortalError> {
        let call = Call { method: "GET", path: "/api/v1/export", ..Call::default() };
        let mut response = match self.begin(key, &call).await? {
            Ok(response) => response,
            Err(answer) => return Err(answer.refusal()),
        };
        let announced = response.content_length();
        let unwritable = |source| PortalError::Unwritable { path: to.to_owned(), source };
        let mut file = tokio::fs::OpenOptions::new();
        let mut file = file.write(true).create_new(true).mode(0o600).open(to).await.map_err(unwritable)?;
        let mut size_bytes: u64 = 0;
        loop {
            let chunk = tokio::time::timeout(self.idle_timeout, response.chunk())
                .await
                .map_err(|_| PortalError::Silent { portal: self.url().to_owned() })?
                .map_err(|why| super::explain::failed(self.url(), why))?;
            let Some(chunk) = chunk else { break };
            size_bytes = size_bytes.saturating_add(chunk.len() as u64);
            file.write_all(&chunk).await.map_err(unwritable)?;
        }
        if announced.is_some_and(|announced| announced != size_bytes) {
            return Err(PortalError::Answer { status: 200, what: "the export broke off".to_owned() });
        }
        file.sync_all().await.map_err(unwritable)?;
        Ok(size_bytes)
    }

    /// A call whose answer is too large to be read at once: its response, or the refusal.
    async fn begin(
        &self,
        key: &SigningKey,
        wanted: &Call<'_>,
    ) -> Result<Result<reqwest::Response, super::answer::Answer>, PortalError> {
        let nonce = call::nonce_of_a_call()?;
        let wanted = &Call { nonce: Some(&nonce), ..*wanted };
        let response = call::open(self, Some(key), wanted).await?;
        if response.status().as_u16() == 200 {
            return Ok(Ok(response));
        }
        let answer = super::answer::read(self, response).await?;
        Ok(Err(self.unless_revoked(Some(key), wanted, answer)?))
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::enrolment::PortalCard;
    use assay_bundle::sshsig::{self, namespace};

    #[test]
    fn only_the_portals_word_about_this_call_silences() {
        let key = || SigningKey::generate().expect("a key");
        let (root, online, stranger, device) = (key(), key(), key(), key().public().fingerprint());
        let online_key = online.public().to_openssh();
        let card = PortalCard {
            name: "P".to_owned(),
            url: "https://p.example".to_owned(),
            root_key: root.public().to_openssh(),
            online_key_signature: sshsig::sign(&root, namespace::ROTATION, online_key.as_bytes()),
            online_key,
            recipient: "age1".to_owned(),
            tls_key_pin: String::new(),
            keys: None,
        };
        let trust = Trust::from_card(&card).expect("a card");
        let word = |nonce: &str, key_id: &str, by: &SigningKey| {
            let revocation = Revocation {
                format: 1,
                device_id: "d-1".to_owned(),
                key_id: key_id.to_owned(),
                call_nonce: nonce.to_owned(),
                made_unix_s: 2,
                revoked_unix_s: 1,
                reason: "stolen".to_owned(),
            };
            Signed::new(&revocation, by).expect("acceptable")
        };
        let check = |kind: &str, signed: Option<Signed>, expected: Result<bool, ()>| {
            let signed = signed.map(Box::new);
            let problem = Problem { kind: kind.into(), title: "t".into(), next_step: "n".into(), signed };
            let found = revocation(Some(problem), &trust, &device, "this-call");
            assert_eq!(found.map(|word| word.is_some()).map_err(drop), expected, "{kind}");
        };
        check(REVOKED, Some(word("this-call", &device, &online)), Ok(true));
        check(REVOKED, None, Ok(false));
        check("unknown-key", Some(word("this-call", &device, &online)), Ok(false));
        check(REVOKED, Some(word("earlier-call", &device, &online)), Err(()));
        check(REVOKED, Some(word("this-call", &stranger.public().fingerprint(), &online)), Err(()));
        check(REVOKED, Some(word("this-call", &device, &stranger)), Err(()));
        check(REVOKED, Some(word("this-call", &device, &root)), Err(()));
        assert!(revocation(None, &trust, &device, "this-call").expect("nothing").is_none());
    }
}
