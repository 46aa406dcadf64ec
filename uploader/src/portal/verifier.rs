//! Whether the other end of the TLS connection is the portal.
//!
//! | pin | clock | what must hold |
//! |---|---|---|
//! | none | believed | chain to a root, dates, name |
//! | pinned | believed | the pinned key, name, dates, and a chain; a chain that fails *only* for its root (a portal with a certificate of its own making) is forgiven |
//! | pinned | implausible | the pinned key and the name; dates and chain are not read |
//! | none | implausible | refused before a connection is opened |
//!
//! The handshake's signature is always verified, so the other end holds the key it shows. The pin is of the key, not
//! of the certificate: a renewed certificate with the same key passes. A TLS proxy on the way (its name is not the
//! portal's) is checked by chain alone.

use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{ClockTrust, PortalError};

const PIN_PREFIX: &str = "sha256/";

/// SHA-256 of a public key (SPKI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin([u8; 32]);

impl Pin {
    /// Reads `sha256/<base64>`.
    pub(super) fn parse(text: &str) -> Result<Self, PortalError> {
        let bytes = text.trim().strip_prefix(PIN_PREFIX).and_then(|b64| BASE64.decode(b64.as_bytes()).ok());
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| PortalError::Pin { pin: text.to_owned() })
    }

    /// The pin of a certificate's key.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let spki = parse(certificate)?.subject_public_key_info();
        let digest = ring::digest::digest(&ring::digest::SHA256, &spki);
        let bytes = <[u8; 32]>::try_from(digest.as_ref());
        bytes.map(Self).map_err(|_| Error::General("SHA-256 is not 32 bytes".to_owned()))
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PIN_PREFIX}{}", BASE64.encode(&self.0))
    }
}

/// The portal showed another key than the pinned one. Travels inside a TLS error to whoever explains it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the portal shows the TLS key {seen}, pinned is {pinned}")]
pub(super) struct PinMismatch {
    pub(super) seen: String,
    pub(super) pinned: String,
}

/// The verifier of one portal.
#[derive(Debug)]
pub(super) struct PortalVerifier {
    chain: Arc<WebPkiServerVerifier>,
    portal: ServerName<'static>,
    pin: Option<Pin>,
    clock: ClockTrust,
    seen: Mutex<Option<Pin>>,
}

impl PortalVerifier {
    pub(super) fn new(
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
        portal: ServerName<'static>,
        pin: Option<Pin>,
        clock: ClockTrust,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build()?;
        Ok(Self { chain, portal, pin, clock, seen: Mutex::new(None) })
    }

    pub(super) fn seen_pin(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).map(|pin| pin.to_string())
    }

    /// The pinned key and the portal's name. The name is looked at first: "this is another host" says more than
    /// "this is another key".
    fn check_pin(&self, certificate: &CertificateDer<'_>, pin: Pin) -> Result<(), Error> {
        parse(certificate)?
            .verify_is_valid_for_subject_name(&self.portal)
            .map_err(|_| Error::InvalidCertificate(CertificateError::NotValidForName))?;
        let seen = Pin::of(certificate)?;
        if seen == pin {
            return Ok(());
        }
        let mismatch = PinMismatch { seen: seen.to_string(), pinned: pin.to_string() };
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(mismatch)))))
    }
}

impl ServerCertVerifier for PortalVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain =
            || self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if *server_name != self.portal {
            return chain();
        }
        match (self.pin, self.clock) {
            (None, _) => {
                chain()?;
            }
            (Some(pin), ClockTrust::PinnedKeyOnly) => self.check_pin(end_entity, pin)?,
            (Some(pin), ClockTrust::Normal) => {
                self.check_pin(end_entity, pin)?;
                match chain() {
                    Ok(_) => {}
                    Err(Error::InvalidCertificate(why)) if only_the_root(&why) => {}
                    Err(why) => return Err(why),
                }
            }
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Pin::of(end_entity)?);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Whether a chain failed for want of a known root and for nothing else: webpki reads the dates of the portal's own
/// certificate before it looks for an issuer.
fn only_the_root(why: &CertificateError) -> bool {
    match why {
        CertificateError::UnknownIssuer => true,
        // A certificate of one's own making is often marked as an authority; webpki says so after the dates.
        CertificateError::Other(OtherError(other)) => other
            .downcast_ref::<webpki::Error>()
            .is_some_and(|error| *error == webpki::Error::CaUsedAsEndEntity),
        _ => false,
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<webpki::EndEntityCert<'a>, Error> {
    webpki::EndEntityCert::try_from(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic)]
mod tests;
