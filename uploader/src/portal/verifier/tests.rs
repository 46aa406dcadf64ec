//! Every line of the table: pin, clock, chain, name.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};

use super::*;
use crate::portal::Cause;
use crate::portal::explain;

/// In the certificate's time, long before, long after.
const IN_TIME_S: u64 = 1_767_225_600; // 2026-01-01
const IN_1970_S: u64 = 0;
const IN_2099_S: u64 = 4_070_908_800;

/// The portal's certificate: by an authority that we know, by one of its own making, or that marked as an authority.
#[derive(Clone, Copy, Debug)]
enum Made {
    KnownAuthority,
    OwnHands,
    OwnAuthority,
}

#[derive(Clone, Copy, Debug)]
enum Pinned {
    None,
    Right,
    Wrong,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2027, 1, 1));
    params
}

fn check(made: Made, pinned: Pinned, clock: ClockTrust, name: &str, at_s: u64, expected: Result<(), Cause>) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.distinguished_name.push(DnType::CommonName, "a known authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (authority.not_before, authority.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2090, 1, 1));
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let mut portal = params("portal.example");
    let certificate = match made {
        Made::KnownAuthority => portal.signed_by(&key, &authority),
        Made::OwnHands => portal.self_signed(&key),
        Made::OwnAuthority => {
            portal.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            portal.self_signed(&key)
        }
    };
    let certificate = certificate.expect("signed").der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a root");
    let pin = match pinned {
        Pinned::None => None,
        Pinned::Right => Some(Pin::of(&certificate).expect("a key")),
        Pinned::Wrong => Some(Pin([7; 32])),
    };
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = PortalVerifier::new(roots, &provider, name.clone(), pin, clock).expect("a verifier");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(at_s));
    let result = verifier.verify_server_cert(&certificate, &[], &name, &[], now);
    let what = format!("{made:?} {pinned:?} {clock:?} {name:?} {at_s}");
    assert_eq!(result.map(|_| ()).map_err(|error| explain::tls(&error)), expected, "{what}");
    assert_eq!(verifier.seen_pin().is_some(), expected.is_ok(), "{what}");
}

#[test]
fn the_table() {
    use ClockTrust::{Normal, PinnedKeyOnly};
    use Made::{KnownAuthority, OwnAuthority, OwnHands};
    let own = "portal.example";
    // No pin: chain, dates and name.
    check(KnownAuthority, Pinned::None, Normal, own, IN_TIME_S, Ok(()));
    check(OwnHands, Pinned::None, Normal, own, IN_TIME_S, Err(Cause::TlsIssuer));
    check(OwnAuthority, Pinned::None, Normal, own, IN_TIME_S, Err(Cause::TlsIssuer));
    check(KnownAuthority, Pinned::None, Normal, "other.example", IN_TIME_S, Err(Cause::TlsName));
    check(KnownAuthority, Pinned::None, Normal, own, IN_1970_S, Err(Cause::TlsDates));
    check(KnownAuthority, Pinned::None, Normal, own, IN_2099_S, Err(Cause::TlsDates));
    // Pinned: the root may be unknown, nothing else is forgiven.
    for made in [KnownAuthority, OwnHands, OwnAuthority] {
        check(made, Pinned::Right, Normal, own, IN_TIME_S, Ok(()));
        check(made, Pinned::Wrong, Normal, own, IN_TIME_S, Err(Cause::TlsPin));
        check(made, Pinned::Right, Normal, "other.example", IN_TIME_S, Err(Cause::TlsName));
        check(made, Pinned::Right, Normal, own, IN_1970_S, Err(Cause::TlsDates));
        check(made, Pinned::Right, Normal, own, IN_2099_S, Err(Cause::TlsDates));
        // The clock is not believed: key and name.
        for at_s in [IN_1970_S, 946_684_800, IN_TIME_S, IN_2099_S] {
            check(made, Pinned::Right, PinnedKeyOnly, own, at_s, Ok(()));
            check(made, Pinned::Wrong, PinnedKeyOnly, own, at_s, Err(Cause::TlsPin));
            check(made, Pinned::Right, PinnedKeyOnly, "other.example", at_s, Err(Cause::TlsName));
        }
    }
}

#[test]
fn a_proxy_is_checked_by_its_chain() {
    let key = KeyPair::generate().expect("a key");
    let certificate = params("proxy.example").self_signed(&key).expect("signed").der().clone();
    let name = |name: &str| ServerName::try_from(name.to_owned()).expect("a name");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(IN_TIME_S));
    for (roots, accepted) in [(vec![certificate.clone()], true), (Vec::new(), false)] {
        let mut store = RootCertStore::empty();
        // A store must not be empty.
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().take(1).cloned());
        store.add_parsable_certificates(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = PortalVerifier::new(
            store,
            &provider,
            name("portal.example"),
            Some(Pin([7; 32])),
            ClockTrust::Normal,
        )
        .expect("a verifier");
        let result = verifier.verify_server_cert(&certificate, &[], &name("proxy.example"), &[], now);
        assert_eq!(result.is_ok(), accepted);
        assert_eq!(verifier.seen_pin(), None, "a proxy's key is not the portal's");
    }
}

#[test]
fn pins_are_read_as_they_are_written() {
    let pin = Pin([0; 32]);
    assert_eq!(Pin::parse(&format!(" {pin}\n")).expect("a pin"), pin);
    for text in ["", "sha256/", "sha256/AAAA", "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAA"] {
        let message = Pin::parse(text).expect_err("no pin").to_string();
        assert!(message.contains("assay enroll"), "{message}");
    }
}
