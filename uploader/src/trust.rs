//! Whose word counts: the portal's root key, pinned at enrolment, and the online key that it signed.
//!
//! A receipt is believed only when that online key signed it under `assay-receipt` and it names exactly our bytes.
//! TLS is not enough for either: who ends TLS may be a proxy.

use assay_bundle::enrolment::PortalCard;
use assay_bundle::json;
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
        Ok(Self { root, online })
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
