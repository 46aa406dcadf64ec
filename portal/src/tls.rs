//! TLS: our own certificate authority for a demo or a closed network, or files, or a proxy in front of us.
//!
//! A self-made leaf is signed anew at every start with the same key, so that the pin of enrolled devices holds, its
//! dates never run out and a changed public host is in it. Devices get `ca.pem`.

use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;
use crate::files::{DataDir, FileError, read_text, write_whole};

const CA_KEY: &str = "ca.key";
const LEAF_KEY: &str = "tls.key";
const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;
/// The CA's common name; part of what makes an old `ca.pem` fit a new leaf.
const CA_NAME: &str = "Assay portal's own certificate authority";

/// TLS as the server needs it.
pub struct Material {
    /// Server's configuration; `None` when TLS ends elsewhere.
    pub server: Option<Arc<ServerConfig>>,
    /// `sha256/…` of the leaf's public key; empty when TLS ends elsewhere.
    pub pin: String,
}

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not PEM of the right kind.
    #[error("{} holds no {wanted}: give a PEM file that does", path.display())]
    Pem {
        /// File.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// Why it does not.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The first certificate cannot be read.
    #[error(
        "the TLS certificate cannot be read: check that its file starts with the server's own certificate"
    )]
    Certificate(#[source] webpki::Error),
    /// Certificate and key do not work together.
    #[error("the TLS certificate and key do not work together: check that they belong to each other")]
    Together(#[source] rustls::Error),
    /// Making a certificate failed.
    #[error("a certificate could not be made")]
    Make(#[source] rcgen::Error),
}

/// Prepares TLS. `host` is the host of the public URL.
///
/// # Errors
/// When files cannot be read, written or used.
pub fn prepare(tls: &Tls, dir: &DataDir, host: Option<&str>) -> Result<Material, TlsError> {
    let (chain, key) = match tls {
        Tls::Elsewhere => return Ok(Material { server: None, pin: String::new() }),
        Tls::SelfSigned => self_made(dir, host)?,
        Tls::Files { cert, key } => {
            let chain = CertificateDer::pem_file_iter(cert)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|source| TlsError::Pem { path: cert.clone(), wanted: "certificate", source })?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Pem {
                path: key.clone(),
                wanted: "private key",
                source,
            })?;
            (chain, key)
        }
    };
    let pin = match chain.first() {
        Some(leaf) => pin(leaf)?,
        None => return Err(TlsError::Certificate(webpki::Error::BadDer)),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Together)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Material { server: Some(Arc::new(server)), pin })
}

/// `sha256/` and the base64 of the SHA-256 of the public key (its DER `SubjectPublicKeyInfo`), as browsers and curl
/// write pins.
fn pin(leaf: &CertificateDer<'_>) -> Result<String, TlsError> {
    let certificate = webpki::EndEntityCert::try_from(leaf).map_err(TlsError::Certificate)?;
    let key = certificate.subject_public_key_info();
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_ref());
    Ok(format!("sha256/{}", BASE64.encode(digest.as_ref())))
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn self_made(dir: &DataDir, host: Option<&str>) -> Result<ChainAndKey, TlsError> {
    let ca_key = kept_key(dir, CA_KEY)?;
    let leaf_key = kept_key(dir, LEAF_KEY)?;
    let ca = ca_params();
    if !dir.ca().exists() {
        let certificate = ca.self_signed(&ca_key).map_err(TlsError::Make)?;
        write_whole(&dir.ca(), certificate.pem().as_bytes(), PUBLIC)?;
    }
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if let Some(host) = host {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !names.contains(&host) {
            names.push(host);
        }
    }
    let mut leaf = CertificateParams::new(names).map_err(TlsError::Make)?;
    leaf.distinguished_name.push(DnType::CommonName, "Assay portal");
    let year = |add: i16| {
        let now =
            jiff::Timestamp::from_second(crate::clock::now_unix_s()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        i32::from(now.to_zoned(jiff::tz::TimeZone::UTC).year().saturating_add(add))
    };
    leaf.not_before = rcgen::date_time_ymd(year(-1), 1, 1);
    leaf.not_after = rcgen::date_time_ymd(year(2), 1, 1);
    let certificate =
        leaf.signed_by(&leaf_key, &Issuer::from_params(&ca, &ca_key)).map_err(TlsError::Make)?;
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).map_err(|_| {
        TlsError::Together(rustls::Error::General("our own key is not in a form that TLS takes".to_owned()))
    })?;
    Ok((vec![certificate.der().clone()], key))
}

/// The authority's certificate is a function of its key alone, so that it never has to be read back.
fn ca_params() -> CertificateParams {
    let mut ca = CertificateParams::default();
    ca.distinguished_name = rcgen::DistinguishedName::new();
    ca.distinguished_name.push(DnType::CommonName, CA_NAME);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.not_before = rcgen::date_time_ymd(2026, 1, 1);
    ca.not_after = rcgen::date_time_ymd(2056, 1, 1);
    ca
}

fn kept_key(dir: &DataDir, name: &'static str) -> Result<KeyPair, TlsError> {
    let path = dir.file(name);
    if !path.exists() {
        let key = KeyPair::generate().map_err(TlsError::Make)?;
        write_whole(&path, zeroize::Zeroizing::new(key.serialize_pem()).as_bytes(), SECRET)?;
    }
    KeyPair::from_pem(&zeroize::Zeroizing::new(read_text(&path)?)).map_err(TlsError::Make)
}
