//! Whose word counts: the portal's root key, pinned at enrolment, and the online key that it signed.
//!
//! A receipt is believed only when that online key signed it under `assay-receipt` and it names exactly our bytes.
//! TLS is not enough for either: who ends TLS may be a proxy.

use assay_bundle::enrolment::PortalCard;
use assay_bundle::json;
use assay_bundle::key_life::PortalKeys;
use assay_bundle::keys::{KeyError, PublicKey};
use assay_bundle::receipt::{Receipt, SignedReceipt};
use assay_bundle::sshsig::{self, SignatureError, namespace};
use assay_bundle::statement::{Signed, Statement, StatementError};

/// The keys of one portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    root: PublicKey,
    online: PublicKey,
}

/// Why a card or a receipt is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A key on the card is no key.
    #[error("the portal's card has an unreadable {which} key: report this to the operator of the portal")]
    CardKey {
        /// `root` or `online`.
        which: &'static str,
        /// Why.
        source: KeyError,
    },
    /// The online key is not signed by the root key.
    #[error(
        "the portal's online key is not signed by its root key: do not enrol; report this to the operator of the portal"
    )]
    OnlineKey(#[source] SignatureError),
    /// The portal shows another root key than the pinned one.
    #[error(
        "the portal shows another root key than the one this NAS enrolled with: if its operator confirms the change, enrol again with `assay enroll`"
    )]
    Root,
    /// The numbered keys on a card are not the root key's word, or not those on the card.
    #[error(
        "the portal's card carries keys that its root key did not sign: nothing is taken from it; report this to the operator of the portal"
    )]
    Keys(#[source] Option<StatementError>),
    /// Keys of a lower number than those in force, or others under the same number.
    #[error(
        "the portal shows its keys number {found}, and this NAS has number {pinned}: older ones are not taken; report this to the operator of the portal, who may have restored an old backup"
    )]
    Rollback {
        /// On the card.
        found: u64,
        /// Pinned.
        pinned: u64,
    },
    /// The receipt is not signed by the portal.
    #[error(
        "the receipt is not signed by the portal this NAS enrolled with: the bundle stays in the spool; report this to the operator of the portal"
    )]
    Receipt(#[source] SignatureError),
    /// Something else that the portal has to sign is not signed by it, or is not acceptable.
    #[error(
        "what came is not the word of the portal this NAS enrolled with: nothing is done; report this to the operator of the portal"
    )]
    Statement(#[source] StatementError),
    /// An answer to another call.
    #[error("the portal's answer is to another call than this one: nothing is done; call again")]
    OtherCall,
    /// The receipt is signed but no receipt.
    #[error(
        "the receipt cannot be read: the bundle stays in the spool; update assay or report this to the operator of the portal"
    )]
    Unreadable(#[source] serde_json::Error),
    /// The receipt is for other bytes.
    #[error(
        "the receipt is for the bundle {found}, not for {wanted}: the bundle stays in the spool; report this to the operator of the portal"
    )]
    OtherBundle {
        /// SHA-256 in the receipt.
        found: String,
        /// SHA-256 of what was sent.
        wanted: String,
    },
}

impl Trust {
    /// What the portal's online key signed.
    ///
    /// # Errors
    /// Another signer, another purpose, or a statement that is not acceptable.
    pub fn open<T: Statement>(&self, signed: &Signed) -> Result<T, TrustError> {
        signed.open(&self.online).map_err(TrustError::Statement)
    }

    /// The keys on a card, when the root key vouches for the online key.
    ///
    /// # Errors
    /// Unreadable keys, or an online key that the root did not sign.
    pub fn from_card(card: &PortalCard) -> Result<Self, TrustError> {
        let root = PublicKey::from_openssh(&card.root_key)
            .map_err(|source| TrustError::CardKey { which: "root", source })?;
        let online = PublicKey::from_openssh(&card.online_key)
            .map_err(|source| TrustError::CardKey { which: "online", source })?;
        sshsig::verify(&root, namespace::ROTATION, card.online_key.as_bytes(), &card.online_key_signature)
            .map_err(TrustError::OnlineKey)?;
        let trust = Self { root, online };
        trust.keys(card)?;
        Ok(trust)
    }

    /// The numbered keys on a card, when it has some: signed by the root key, and the same as those beside them.
    fn keys(&self, card: &PortalCard) -> Result<Option<PortalKeys>, TrustError> {
        let Some(signed) = &card.keys else { return Ok(None) };
        let keys: PortalKeys = signed.open(&self.root).map_err(|error| TrustError::Keys(Some(error)))?;
        match keys.online_key == card.online_key && keys.recipient == card.recipient {
            true => Ok(Some(keys)),
            false => Err(TrustError::Keys(None)),
        }
    }

    /// Number of the keys on a card; 0 for one of before they were numbered.
    ///
    /// # Errors
    /// A card that is not believed.
    pub fn keys_number(card: &PortalCard) -> Result<u64, TrustError> {
        let trust = Self::from_card(card)?;
        Ok(trust.keys(card)?.map_or(0, |keys| keys.number))
    }

    /// What is pinned after a look at the card that the portal shows now: `None` while its keys are those of `pinned`.
    /// Online key and recipient come from the new card, under the root key's signature and a higher number; name,
    /// address and TLS key stay what the owner compared.
    ///
    /// # Errors
    /// Another root key, keys that it did not sign, or older ones.
    pub fn newer(pinned: &PortalCard, shown: &PortalCard) -> Result<Option<PortalCard>, TrustError> {
        let before = Self::from_card(pinned)?;
        let after = before.rotated(shown)?;
        let number = |keys: Option<PortalKeys>| keys.map_or(0, |keys| keys.number);
        let (had, has) = (number(before.keys(pinned)?), number(after.keys(shown)?));
        let same = pinned.online_key == shown.online_key && pinned.recipient == shown.recipient;
        match has.cmp(&had) {
            std::cmp::Ordering::Equal if same => Ok(None),
            std::cmp::Ordering::Greater => Ok(Some(PortalCard {
                online_key: shown.online_key.clone(),
                online_key_signature: shown.online_key_signature.clone(),
                recipient: shown.recipient.clone(),
                keys: shown.keys.clone(),
                ..pinned.clone()
            })),
            _ => Err(TrustError::Rollback { found: has, pinned: had }),
        }
    }

    /// The keys on a newer card of the same portal: the online key may change, the root key may not.
    ///
    /// # Errors
    /// As [`Trust::from_card`], or another root key.
    pub fn rotated(&self, card: &PortalCard) -> Result<Self, TrustError> {
        let newer = Self::from_card(card)?;
        if newer.root == self.root { Ok(newer) } else { Err(TrustError::Root) }
    }

    /// Reads a receipt for the bundle with `sha256` (lower-case hex).
    ///
    /// # Errors
    /// Signed by another key, under another namespace or over other bytes; unreadable; for another bundle.
    pub fn receipt(&self, signed: &SignedReceipt, sha256: &str) -> Result<Receipt, TrustError> {
        sshsig::verify(&self.online, namespace::RECEIPT, signed.receipt.as_bytes(), &signed.signature)
            .map_err(TrustError::Receipt)?;
        let receipt: Receipt = json::from_slice(signed.receipt.as_bytes()).map_err(TrustError::Unreadable)?;
        if receipt.bundle_sha256 == sha256 {
            Ok(receipt)
        } else {
            Err(TrustError::OtherBundle { found: receipt.bundle_sha256, wanted: sha256.to_owned() })
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use assay_bundle::keys::SigningKey;

    fn recipient(letter: char) -> String {
        format!("age1{}", letter.to_string().repeat(58))
    }

    /// A card with the keys of this number, or of before there were numbers.
    fn card(root: &SigningKey, online: &SigningKey, letter: char, number: Option<u64>) -> PortalCard {
        let online_key = online.public().to_openssh();
        let keys = number.map(|number| PortalKeys {
            format: 1,
            number,
            online_key: online_key.clone(),
            recipient: recipient(letter),
            made_unix_s: 1_800_000_000,
        });
        PortalCard {
            name: "P".to_owned(),
            url: "https://p.example".to_owned(),
            root_key: root.public().to_openssh(),
            online_key_signature: sshsig::sign(root, namespace::ROTATION, online_key.as_bytes()),
            online_key,
            recipient: recipient(letter),
            tls_key_pin: "sha256/x".to_owned(),
            keys: keys.map(|keys| Signed::new(&keys, root).expect("acceptable")),
        }
    }

    #[test]
    fn keys_change_only_upwards_and_by_the_root() {
        let key = || SigningKey::generate().expect("a key");
        let (root, other, one, two) = (key(), key(), key(), key());
        fn check(pinned: &PortalCard, shown: &PortalCard, expected: Result<Option<&str>, &str>) {
            let found = Trust::newer(pinned, shown);
            match (found, expected) {
                (Ok(None), Ok(None)) => {}
                (Ok(Some(card)), Ok(Some(recipient))) => {
                    assert_eq!(card.recipient, recipient);
                    assert_eq!(card.online_key, shown.online_key);
                    assert_eq!((&card.url, &card.tls_key_pin), (&pinned.url, &pinned.tls_key_pin));
                }
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
        let first = card(&root, &one, 'q', Some(1));
        let second = card(&root, &two, 'p', Some(2));
        check(&first, &first, Ok(None));
        check(&first, &second, Ok(Some(&recipient('p'))));
        check(&second, &first, Err("older ones are not taken"));
        check(&card(&root, &one, 'q', None), &first, Ok(Some(&recipient('q'))));
        check(&first, &card(&root, &one, 'q', None), Err("older ones are not taken"));
        // Others under the same number: two portals that both think to be the one.
        check(&second, &card(&root, &one, 'p', Some(2)), Err("older ones are not taken"));
        check(&first, &card(&other, &two, 'p', Some(2)), Err("another root key"));
        let mut forged = second.clone();
        forged.recipient = recipient('z');
        check(&first, &forged, Err("did not sign"));
        let mut forged = second.clone();
        forged.keys = card(&other, &two, 'p', Some(2)).keys;
        check(&first, &forged, Err("did not sign"));
        let moved = PortalCard { url: "https://elsewhere.example".into(), ..second.clone() };
        check(&first, &moved, Ok(Some(&recipient('p'))));
    }
}
