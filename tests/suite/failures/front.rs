//! What stands between a device and its portal and goes wrong: a proxy (`CONNECT`) that holds the portal's own TLS key,
//! so that it can answer in the portal's place and keeps every byte that was said inside TLS.
//!
//! One request for each connection: what is sent again comes on a new one. It refuses nothing and understands only what
//! the uploader says: requests with `content-length` or without a body.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub(crate) enum Fault {
    /// Nothing: what is said goes through.
    #[default]
    None,
    /// The connection goes to another address.
    Elsewhere(SocketAddr),
    /// Nothing is ever answered, not even by TLS.
    BlackHole,
    /// The portal shows a certificate of its own key and authority whose time is over.
    Expired,
    /// Requests whose head begins so are answered with this and never reach the portal.
    Answer(&'static str, String),
    /// Requests whose head begins so are broken off after half of the body.
    ResetInPart(&'static str),
    /// Requests whose head begins so reach the portal whole, and its answer is lost.
    LoseAnswer(&'static str),
    /// In answers to requests whose head begins so this text becomes that.
    Replace(&'static str, &'static str, &'static str),
    /// The answer to a request whose head begins so has this body instead.
    Body(&'static str, String),
}

#[derive(Default)]
struct State {
    fault: Fault,
    /// Everything that devices said inside TLS.
    wire: Vec<u8>,
    /// How often something was made to go wrong.
    faults: u64,
    /// The last whole answer to a question for a receipt.
    receipt: String,
}

/// A running front; its threads end with the process.
pub(crate) struct Front {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Keys {
    server: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    portal: SocketAddr,
}

impl Front {
    /// Stands before the portal that serves from `data` at `https://IP:PORT`.
    pub(crate) fn start(data: &Path, url: &str) -> Self {
        let portal: SocketAddr = url.trim_start_matches("https://").parse().expect("an address");
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(data.join("ca.pem")).expect("the authority"))
            .expect("trusted");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Arc::new(client);
        // Its certificate is made at every start; the portal itself shows it.
        let mut look = tls(&client, portal);
        look.conn.complete_io(&mut look.sock).expect("a handshake");
        let chain = look.conn.peer_certificates().expect("a certificate").to_vec();
        let chain = chain.into_iter().map(CertificateDer::into_owned).collect();
        let shows = |chain: Vec<CertificateDer<'static>>| {
            let key = PrivateKeyDer::from_pem_file(data.join("tls.key")).expect("the portal's key");
            let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_no_client_auth()
                .with_single_cert(chain, key);
            Arc::new(server.expect("the portal's certificate"))
        };
        let keys = Arc::new(Keys { server: shows(chain), expired: shows(expired(data)), client, portal });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State::default()));
        let theirs = Arc::clone(&state);
        thread::spawn(move || {
            for device in listener.incoming().flatten() {
                let (state, keys) = (Arc::clone(&theirs), Arc::clone(&keys));
                thread::spawn(move || relay(device, &state, &keys));
            }
        });
        Self { address, state }
    }

    /// The proxy's address, as `--proxy` takes it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this goes wrong.
    pub(crate) fn set(&self, fault: Fault) {
        let mut state = self.state();
        (state.fault, state.faults) = (fault, 0);
    }

    /// How often it did.
    pub(crate) fn faults(&self) -> u64 {
        self.state().faults
    }

    /// Everything that devices said inside TLS so far.
    pub(crate) fn wire(&self) -> Vec<u8> {
        self.state().wire.clone()
    }

    /// The body of the last signed receipt that went through.
    pub(crate) fn receipt(&self) -> String {
        self.state().receipt.clone()
    }
}

/// What the portal would show if nobody had renewed it since 2020.
fn expired(data: &Path) -> Vec<CertificateDer<'static>> {
    let key = |name: &str| {
        let text = std::fs::read_to_string(data.join(name)).expect("a key of the portal");
        KeyPair::from_pem(&text).expect("a key")
    };
    let mut authority = CertificateParams::default();
    authority.distinguished_name = DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, "Assay portal's own certificate authority");
    let mut leaf = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names");
    (leaf.not_before, leaf.not_after) = (rcgen::date_time_ymd(2019, 1, 1), rcgen::date_time_ymd(2020, 1, 1));
    let leaf = leaf.signed_by(&key("tls.key"), &Issuer::from_params(&authority, key("ca.key")));
    vec![leaf.expect("a certificate").der().clone()]
}

fn tls(client: &Arc<ClientConfig>, to: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::IpAddress(to.ip().into());
    let connection = ClientConnection::new(Arc::clone(client), name).expect("a client");
    StreamOwned::new(connection, TcpStream::connect(to).expect("the portal listens"))
}

/// One connection of a device.
fn relay(mut device: TcpStream, state: &Mutex<State>, keys: &Keys) -> Option<()> {
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let connect = head(&mut device)?;
    if !connect.starts_with("CONNECT ") {
        return None;
    }
    device.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let fault = lock().fault.clone();
    match fault {
        Fault::BlackHole => {
            lock().faults += 1;
            let mut sink = [0; 4096];
            while device.read(&mut sink).ok()? > 0 {}
            return None;
        }
        Fault::Elsewhere(to) => {
            lock().faults += 1;
            return tunnel(device, to);
        }
        _ => {}
    }
    let shown = match fault {
        Fault::Expired => {
            lock().faults += 1;
            &keys.expired
        }
        _ => &keys.server,
    };
    let connection = ServerConnection::new(Arc::clone(shown)).ok()?;
    let mut device = StreamOwned::new(connection, device);
    let asked = head(&mut device)?;
    lock().wire.extend_from_slice(asked.as_bytes());
    let length = content_length(&asked).unwrap_or(0);
    let concerns = |begins: &str| asked.starts_with(begins);
    if let Fault::ResetInPart(begins) = &fault
        && concerns(begins)
    {
        let mut half = vec![0; length / 2];
        device.read_exact(&mut half).ok()?;
        let mut state = lock();
        state.wire.extend_from_slice(&half);
        state.faults += 1;
        return device.sock.shutdown(Shutdown::Both).ok();
    }
    let mut body = vec![0; length];
    device.read_exact(&mut body).ok()?;
    lock().wire.extend_from_slice(&body);
    let answer = match &fault {
        Fault::Answer(begins, answer) if concerns(begins) => {
            lock().faults += 1;
            answer.clone().into_bytes()
        }
        _ => forward(keys, &asked, &body)?,
    };
    let answer = match &fault {
        Fault::LoseAnswer(begins) if concerns(begins) => {
            lock().faults += 1;
            return device.sock.shutdown(Shutdown::Both).ok();
        }
        Fault::Replace(begins, from, to) if concerns(begins) => {
            let text = String::from_utf8_lossy(&answer).into_owned();
            lock().faults += u64::from(text.contains(from));
            let (_, body) = text.split_once("\r\n\r\n")?;
            with_body(&text, &body.replace(from, to))
        }
        Fault::Body(begins, body) if concerns(begins) => {
            lock().faults += 1;
            with_body(&String::from_utf8_lossy(&answer), body)
        }
        _ => answer,
    };
    let text = String::from_utf8_lossy(&answer);
    if let Some((_, body)) = text.split_once("\r\n\r\n").filter(|(_, body)| body.contains("\"signature\"")) {
        lock().receipt = body.to_owned();
    }
    device.write_all(&answer).ok()?;
    device.conn.send_close_notify();
    device.flush().ok()?;
    device.sock.shutdown(Shutdown::Write).ok()
}

/// The same answer about another body.
fn with_body(answer: &str, body: &str) -> Vec<u8> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let kept = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("content-length"));
    let head: Vec<&str> = kept.collect();
    format!("{}\r\ncontent-length: {}\r\n\r\n{body}", head.join("\r\n"), body.len()).into_bytes()
}

/// Asks the portal and gives its whole answer, which says that the connection ends.
fn forward(keys: &Keys, asked: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut portal = tls(&keys.client, keys.portal);
    portal.write_all(asked.as_bytes()).ok()?;
    portal.write_all(body).ok()?;
    portal.flush().ok()?;
    let head = head(&mut portal)?;
    let none = asked.starts_with("HEAD ");
    let mut answered = vec![0; if none { 0 } else { content_length(&head).unwrap_or(0) }];
    portal.read_exact(&mut answered).ok()?;
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    Some([head.as_bytes(), &answered].concat())
}

/// A head with its empty line, byte by byte so that nothing behind it is taken.
fn head(from: &mut impl Read) -> Option<String> {
    /// Longer heads are none.
    const LONGEST: usize = 64 << 10;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST {
        from.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).ok()
}

fn content_length(head: &str) -> Option<usize> {
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next()?.1.trim().parse().ok()
}

/// Bytes both ways, not understood.
fn tunnel(mut device: TcpStream, to: SocketAddr) -> Option<()> {
    let mut other = TcpStream::connect(to).ok()?;
    let (mut from_other, mut to_device) = (other.try_clone().ok()?, device.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_other, &mut to_device);
        let _ = to_device.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut device, &mut other);
    other.shutdown(Shutdown::Both).ok()
}
