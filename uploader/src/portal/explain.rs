//! From a failed request to words: which of the dozen ways to have no connection this one is.

use std::error::Error;
use std::io;

use rustls::{CertificateError, OtherError};

use super::error::{Cause, PortalError, chain};
use super::verifier::PinMismatch;

/// A failed request, explained.
pub(super) fn failed(portal: &str, error: reqwest::Error) -> PortalError {
    let error = error.without_url();
    let cause = cause(&error);
    if cause == Cause::Proxy && says(&error, "authorization") {
        return PortalError::ProxyAuth;
    }
    PortalError::Connection { portal: portal.to_owned(), cause, source: Box::new(error) }
}

fn cause(error: &reqwest::Error) -> Cause {
    let mut below: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = below {
        if let Some(cause) = one(error) {
            return cause;
        }
        below = error.source();
    }
    // What the libraries below name only in words.
    match () {
        () if says(error, "dns error") => Cause::Name,
        () if says(error, "tunnel") || says(error, "socks") => Cause::Proxy,
        () if error.is_timeout() => Cause::Timeout,
        () if error.is_connect() => Cause::Tls,
        () => Cause::Broken,
    }
}

/// What one error of the chain says by its type. An I/O error answers `source` with what is *below* its content, so
/// its content, which may be another I/O error, is looked at here, and before its own kind.
fn one(error: &(dyn Error + 'static)) -> Option<Cause> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    let io = error.downcast_ref::<io::Error>()?;
    if let Some(cause) = io.get_ref().and_then(|inner| one(inner)) {
        return Some(cause);
    }
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Some(Cause::NoRoute),
        io::ErrorKind::TimedOut => Some(Cause::Timeout),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some(Cause::Broken),
        _ => None,
    }
}

pub(super) fn tls(error: &rustls::Error) -> Cause {
    let rustls::Error::InvalidCertificate(why) = error else {
        return Cause::Tls;
    };
    match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Cause::TlsDates,
        CertificateError::UnknownIssuer => Cause::TlsIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Cause::TlsName,
        CertificateError::Other(OtherError(other)) if other.downcast_ref::<PinMismatch>().is_some() => {
            Cause::TlsPin
        }
        CertificateError::Other(OtherError(other))
            if other.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            Cause::TlsIssuer
        }
        _ => Cause::Tls,
    }
}

fn says(error: &reqwest::Error, word: &str) -> bool {
    chain(error).to_ascii_lowercase().contains(word)
}
