//! Which certificate authorities count: the system's store where there is one, the built-in ones, and a file of the
//! owner's. A NAS may have no store or one from its year of manufacture, so none of the three may be missing.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::PortalError;

/// Where distributions keep their store as one PEM file: Debian and QTS, Fedora and Red Hat (two), openSUSE, Alpine,
/// Entware. The first that exists is read.
const SYSTEM_STORES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
];

/// Far above any store seen (the largest are below 1 MiB).
const STORE_LIMIT_BYTES: u64 = 8 << 20;

/// All roots. The system's are taken as far as they can be read; the owner's file must be right.
pub(super) fn load(ca_file: Option<&Path>) -> Result<RootCertStore, PortalError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(pem) = SYSTEM_STORES.iter().find_map(|path| read(Path::new(path)).ok()) {
        let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        let (added, ignored) = roots.add_parsable_certificates(certificates);
        tracing::debug!(added, ignored, "system roots");
    }
    if let Some(path) = ca_file {
        let unusable = |why: String| PortalError::CaFile { path: path.to_owned(), why };
        let pem = read(path).map_err(|why| unusable(why.to_string()))?;
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|why| unusable(format!("it is no PEM: {why}")))?;
            roots
                .add(certificate)
                .map_err(|why| unusable(format!("a certificate in it is unusable: {why}")))?;
            added += 1;
        }
        if added == 0 {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
    }
    Ok(roots)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > STORE_LIMIT_BYTES {
        return Err(std::io::Error::other("it is larger than 8 MiB"));
    }
    fs::read(path)
}
