//! Real connections: what TLS, proxies and silence are called, and what a person is told to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use assay_bundle::keys::SigningKey;
use assay_bundle::sshsig::{self, namespace};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::verifier::Pin;
use super::*;

/// 2026-01-01, in the time of the certificates here.
const IN_TIME_S: i64 = 1_767_225_600;

/// A portal on TLS that answers every call with its card.
struct TlsPortal {
    address: SocketAddr,
    pin: String,
    dir: tempfile::TempDir,
}

impl TlsPortal {
    /// `card_pin` replaces the pin on the card, as a card that came through something else would have it.
    fn start(card_pin: Option<&str>) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2027, 1, 1));
        let certificate = params.self_signed(&key).expect("signed");
        let dir = tempfile::tempdir().expect("a temp folder");
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).expect("writable");
        let der: CertificateDer<'static> = certificate.der().clone();
        let pin = Pin::of(&der).expect("a key").to_string();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![der], private)
            .expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let card = serde_json::to_vec(&card(address, card_pin.unwrap_or(&pin))).expect("plain data");
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, card) = (Arc::clone(&config), card.clone());
                thread::spawn(move || serve_tls(stream, config, &card));
            }
        });
        Self { address, pin, dir }
    }

    fn options(&self) -> PortalOptions {
        let now: Now = Arc::new(|| IN_TIME_S);
        PortalOptions { now, ..PortalOptions::new(format!("https://{}", self.address)) }
    }

    fn ca(&self) -> Option<PathBuf> {
        Some(self.dir.path().join("ca.pem"))
    }
}

fn card(address: SocketAddr, pin: &str) -> PortalCard {
    let (root, online) = (SigningKey::generate().expect("random"), SigningKey::generate().expect("random"));
    let online_key = online.public().to_openssh();
    PortalCard {
        name: "TLS".to_owned(),
        url: format!("https://{address}"),
        root_key: root.public().to_openssh(),
        online_key_signature: sshsig::sign(&root, namespace::ROTATION, online_key.as_bytes()),
        online_key,
        recipient: "age1".to_owned(),
        tls_key_pin: pin.to_owned(),
        keys: None,
    }
}

fn serve_tls(stream: TcpStream, config: Arc<ServerConfig>, card: &[u8]) {
    let mut tls = StreamOwned::new(ServerConnection::new(config).expect("a configuration"), stream);
    let mut seen = Vec::new();
    let mut chunk = [0; 1024];
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
        match tls.read(&mut chunk) {
            Ok(read) if read > 0 => seen.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", card.len());
    let _ = tls.write_all(head.as_bytes()).and_then(|()| tls.write_all(card)).and_then(|()| tls.flush());
    tls.conn.send_close_notify();
    let _ = tls.flush();
}

fn fetch(options: PortalOptions) -> Result<PortalCard, PortalError> {
    let portal = Portal::new(options)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(portal.card())
}

/// The card must come, or the message must hold every one of the pieces.
fn check(options: PortalOptions, expected: Result<(), &[&str]>) {
    let what = format!("{options:?}");
    match (fetch(options), expected) {
        (Ok(_), Ok(())) => {}
        (Err(error), Err(pieces)) => {
            let message = chain(&error);
            assert!(pieces.iter().all(|piece| message.contains(piece)), "{what}: {message}");
        }
        (found, _) => panic!("{what}: {found:?}"),
    }
}

#[test]
fn whom_tls_believes() {
    let portal = TlsPortal::start(None);
    let (ca, pin) = (portal.ca(), Some(portal.pin.clone()));
    let wrong_pin = Some(format!("sha256/{}=", "A".repeat(43)));
    let at = |unix_s: i64| -> Now { Arc::new(move || unix_s) };
    check(portal.options(), Err(&["nobody known here vouches", "--ca-file"]));
    check(PortalOptions { ca_file: ca.clone(), ..portal.options() }, Ok(()));
    check(PortalOptions { pin: pin.clone(), ..portal.options() }, Ok(()));
    check(
        PortalOptions { pin: wrong_pin.clone(), ca_file: ca.clone(), ..portal.options() },
        Err(&["another TLS key", "enrol again"]),
    );
    for unix_s in [0, 946_684_800, 4_070_908_800, -5] {
        let dated = PortalOptions { now: at(unix_s), ca_file: ca.clone(), ..portal.options() };
        check(dated, Err(&["not valid at the time of this device", "date -u -s"]));
        let untrusted = |pin| PortalOptions {
            now: at(unix_s),
            clock_trust: ClockTrust::PinnedKeyOnly,
            pin,
            ..portal.options()
        };
        check(untrusted(pin.clone()), Ok(()));
        check(untrusted(wrong_pin.clone()), Err(&["another TLS key"]));
        check(untrusted(None), Err(&["which cannot be", "date -u -s"]));
    }
    let by_name = format!("https://localhost:{}", portal.address.port());
    check(
        PortalOptions { url: by_name.clone(), ca_file: ca, ..portal.options() },
        Err(&["for another name", "check the address"]),
    );
    check(PortalOptions { url: by_name, pin, ..portal.options() }, Err(&["for another name"]));
}

#[test]
fn a_card_that_came_through_something_else() {
    let other = format!("sha256/{}=", "A".repeat(43));
    let portal = TlsPortal::start(Some(&other));
    check(PortalOptions { ca_file: portal.ca(), ..portal.options() }, Err(&["opens TLS", "do not enrol"]));
    // TLS that ends elsewhere has no key to name.
    let portal = TlsPortal::start(Some(""));
    check(PortalOptions { ca_file: portal.ca(), ..portal.options() }, Ok(()));
}

#[test]
fn ca_files_and_pins_that_cannot_be_used() {
    let portal = TlsPortal::start(None);
    let file = |text: &str| {
        let path = portal.dir.path().join("other.pem");
        std::fs::write(&path, text).expect("writable");
        PortalOptions { ca_file: Some(path), ..portal.options() }
    };
    check(file("no PEM at all"), Err(&["no certificate in it", "PEM file"]));
    check(file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), Err(&["unusable"]));
    let missing = PortalOptions { ca_file: Some("/nonexistent".into()), ..portal.options() };
    check(missing, Err(&["/nonexistent", "No such file"]));
    check(
        PortalOptions { pin: Some("sha256/x".to_owned()), ..portal.options() },
        Err(&["key pin", "assay enroll"]),
    );
}

/// A listener that answers each connection's first bytes with `reply` and closes.
fn answering(reply: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    address
}

#[test]
fn proxies() {
    let portal = TlsPortal::start(None);
    let through =
        |proxy: String| PortalOptions { proxy: Some(proxy), ca_file: portal.ca(), ..portal.options() };
    let tunnel = tunnelling();
    check(through(format!("http://{tunnel}")), Ok(()));
    let denied = answering("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    check(through(format!("http://{denied}")), Err(&["name and a password"]));
    let forbidden = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    check(through(format!("http://{forbidden}")), Err(&["the proxy did not connect"]));
    let no_socks = answering("\x05\x7f");
    check(through(format!("socks5h://{no_socks}")), Err(&["proxy"]));
    check(through("ftp://proxy:1".to_owned()), Err(&["scheme is not"]));
    check(through("proxy:3128".to_owned()), Err(&["socks5h://host:port"]));
    let secret = chain(&fetch(through("ftp://user:hunter2@proxy:1".to_owned())).expect_err("no proxy"));
    assert!(!secret.contains("hunter2"), "{secret}");
    assert!(!format!("{:?}", through("http://user:hunter2@proxy:1".to_owned())).contains("hunter2"));
}

/// A proxy that does what it is asked.
fn tunnelling() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).expect("a request");
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let target = head.split(' ').nth(1).expect("CONNECT host:port").to_owned();
            let portal = TcpStream::connect(target).expect("the portal");
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("writable");
            let (mut up, mut down) =
                (stream.try_clone().expect("a clone"), portal.try_clone().expect("a clone"));
            let (mut from, mut to) = (stream, portal);
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            thread::spawn(move || std::io::copy(&mut down, &mut up));
        }
    });
    address
}

#[test]
fn what_is_no_portal() {
    let at = |address: SocketAddr| PortalOptions::new(format!("https://{address}"));
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    check(at(closed), Err(&["cannot talk to https://127.0.0.1", "nothing listens there"]));
    check(at(answering("HTTP/1.1 400 This is HTTP\r\n\r\n")), Err(&["TLS handshake failed"]));
    check(at(answering("")), Err(&["the connection broke"]));
    check(PortalOptions::new("http://127.0.0.1:1"), Err(&["plain HTTP is refused"]));
}
