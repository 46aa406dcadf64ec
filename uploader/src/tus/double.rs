//! A portal for tests: plain HTTP/1.1 on loopback, by hand, so that it can misbehave to the byte. It verifies what a
//! portal verifies (signature, clock, nonce, digest, offset) and keeps a log of what it was asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_bundle::digest::sha256_hex;
use assay_bundle::enrolment::PortalCard;
use assay_bundle::httpsig;
use assay_bundle::keys::SigningKey;
use assay_bundle::problem::Problem;
use assay_bundle::receipt::{Receipt, ReceiptStatus, SignedReceipt};
use assay_bundle::sshsig::{self, namespace};
use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::portal::{Now, Portal};

/// The device's time in all these tests.
pub(crate) const DEVICE_NOW_S: i64 = 1_800_000_000;

/// What goes wrong with the next call of a method.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The call is done and its answer never sent.
    LoseAnswer,
    /// Nothing is read or answered for so long.
    Silence(Duration),
    /// Answered with a status, headers and a problem of this kind (none: an empty body), before the body is read.
    Answer(u16, &'static str, Option<&'static str>),
    /// The upload is forgotten, then the call is judged.
    Forget,
    /// The body arrives with one byte changed.
    Damage,
}

/// One upload.
#[derive(Default)]
pub(crate) struct Stored {
    sha256: String,
    length: usize,
    pub(crate) data: Vec<u8>,
}

/// What the double knows.
pub(crate) struct Inner {
    device: assay_bundle::keys::PublicKey,
    pub(crate) root: SigningKey,
    /// Signs receipts.
    pub(crate) online: SigningKey,
    /// Signs what the card shows; differs from `online` only in tests of forgeries.
    pub(crate) card_online: Option<String>,
    pub(crate) uploads: BTreeMap<String, Stored>,
    created: u32,
    pub(crate) faults: VecDeque<(&'static str, Fault)>,
    pub(crate) log: Vec<String>,
    nonces: BTreeSet<String>,
    /// The portal's clock minus the device's.
    pub(crate) ahead_s: i64,
    /// How often a receipt is answered with 202 first.
    pub(crate) pending: u32,
    pub(crate) status: ReceiptStatus,
    /// Stands for the digest in receipts.
    pub(crate) receipt_sha256: Option<String>,
    pub(crate) receipt_namespace: &'static str,
    /// Every connection ends after so many bytes of bodies.
    pub(crate) cut_each_connection: Option<usize>,
    /// Every connection ends after one part that was committed.
    pub(crate) one_part_each: bool,
    /// Bytes of bodies that arrived, committed or not.
    pub(crate) body_bytes: usize,
}

/// A running double; it ends with the runtime.
#[derive(Clone)]
pub(crate) struct Double {
    pub(crate) address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

struct Asked {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Double {
    pub(crate) async fn start(device: &SigningKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let inner = Inner {
            device: device.public(),
            root: SigningKey::generate().expect("random"),
            online: SigningKey::generate().expect("random"),
            card_online: None,
            uploads: BTreeMap::new(),
            created: 0,
            faults: VecDeque::new(),
            log: Vec::new(),
            nonces: BTreeSet::new(),
            ahead_s: 0,
            pending: 0,
            status: ReceiptStatus::Accepted,
            receipt_sha256: None,
            receipt_namespace: namespace::RECEIPT,
            cut_each_connection: None,
            one_part_each: false,
            body_bytes: 0,
        };
        let double = Self { address, inner: Arc::new(Mutex::new(inner)) };
        let serving = double.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let double = serving.clone();
                tokio::spawn(async move { double.serve(stream).await });
            }
        });
        double
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client whose device's clock stands still.
    pub(crate) fn portal(&self) -> Portal {
        let now: Now = Arc::new(|| DEVICE_NOW_S);
        Portal::plain_for_tests(self.address, now)
    }

    pub(crate) fn card(&self) -> PortalCard {
        self.inner().card(self.address)
    }

    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().log)
    }

    /// Requests of one connection, one after the other, until either side ends it.
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut ahead = Vec::new();
        let mut budget = self.inner().cut_each_connection.unwrap_or(usize::MAX);
        loop {
            let asked = read_head(&mut stream, &mut ahead).await?;
            let length = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap_or(0));
            let fault = self.fault_for(&asked, length);
            let (stop_after, damage) = match fault {
                Some(Fault::Cut(after)) => (Some(after), false),
                Some(Fault::Silence(long)) => {
                    tokio::time::sleep(long).await;
                    return None;
                }
                Some(Fault::Answer(status, headers, kind)) => {
                    // Before the body was read: the connection cannot serve another request.
                    let reply = Reply {
                        status,
                        headers: format!("{headers}connection: close\r\n"),
                        body: kind.map_or_else(Vec::new, problem),
                    };
                    self.answer(&mut stream, &asked, reply).await?;
                    // Reading on lets the other side read the answer before it meets a closed connection.
                    let mut rest = [0; 4096];
                    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                    return None;
                }
                Some(Fault::Forget) => {
                    self.inner().uploads.clear();
                    (None, false)
                }
                Some(Fault::Damage) => (None, true),
                Some(Fault::LoseAnswer) | None => (None, false),
            };
            let stop_after = stop_after.or((length > budget).then_some(budget));
            budget = budget.saturating_sub(length);
            let mut body = self.read_body(&mut stream, &mut ahead, stop_after.unwrap_or(length)).await?;
            if stop_after.is_some() {
                return None;
            }
            if let Some(first) = body.first_mut().filter(|_| damage) {
                *first ^= 1;
            }
            let reply = self.judge(&asked, body);
            if matches!(fault, Some(Fault::LoseAnswer)) {
                return None;
            }
            self.answer(&mut stream, &asked, reply).await?;
            if asked.method == "PATCH" && self.inner().one_part_each {
                return None;
            }
        }
    }

    /// Logs the call and takes the fault that is set for it, if any.
    fn fault_for(&self, asked: &Asked, length: usize) -> Option<Fault> {
        let mut inner = self.inner();
        let line = match asked.headers.get("upload-offset") {
            Some(offset) if asked.method == "PATCH" => {
                let offset: usize = offset.parse().expect("a number");
                format!("PATCH {}+{}", offset.div_ceil(1024), length.div_ceil(1024))
            }
            _ => asked.method.clone(),
        };
        inner.log.push(line);
        assert!(!asked.headers.contains_key("transfer-encoding"), "a part must say its length");
        let is_next = inner.faults.front().is_some_and(|(method, _)| *method == asked.method);
        is_next.then(|| inner.faults.pop_front().map(|(_, fault)| fault)).flatten()
    }

    async fn read_body(&self, stream: &mut TcpStream, ahead: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
        while ahead.len() < length {
            let mut chunk = vec![0; 16 * 1024];
            let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
            ahead.extend_from_slice(&chunk[..read]);
        }
        let rest = ahead.split_off(length);
        let body = std::mem::replace(ahead, rest);
        self.inner().body_bytes += body.len();
        Some(body)
    }

    fn judge(&self, asked: &Asked, body: Vec<u8>) -> Reply {
        let card = self.card();
        let mut inner = self.inner();
        if asked.path == "/api/v1/card" {
            return Reply { status: 200, headers: String::new(), body: json(&card) };
        }
        if let Err(kind) = inner.verify(asked, &body, &self.address.to_string()) {
            return refused(401, kind);
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/api/v1/uploads") => inner.create(asked),
            ("GET", path) => inner.receipt(path.trim_end_matches("/receipt")),
            ("HEAD", path) => match inner.uploads.get(path) {
                None => refused(404, "unknown-upload"),
                Some(upload) => {
                    let headers = format!(
                        "upload-offset: {}\r\nupload-length: {}\r\n",
                        upload.data.len(),
                        upload.length
                    );
                    Reply { status: 200, headers, body: Vec::new() }
                }
            },
            ("PATCH", path) => inner.append(asked, path, body),
            _ => refused(405, "method"),
        }
    }

    async fn answer(&self, stream: &mut TcpStream, asked: &Asked, reply: Reply) -> Option<()> {
        let date = http_date(DEVICE_NOW_S + self.inner().ahead_s);
        // Lengths without a body: an answer to HEAD has none, and 204 must not name one.
        let length = if reply.status == 204 {
            String::new()
        } else {
            format!("content-length: {}\r\n", reply.body.len())
        };
        let head = format!("HTTP/1.1 {} x\r\ndate: {date}\r\n{length}{}\r\n", reply.status, reply.headers);
        stream.write_all(head.as_bytes()).await.ok()?;
        if asked.method != "HEAD" {
            stream.write_all(&reply.body).await.ok()?;
        }
        stream.flush().await.ok()
    }
}

impl Inner {
    fn card(&self, address: SocketAddr) -> PortalCard {
        let online_key = self.card_online.clone().unwrap_or_else(|| self.online.public().to_openssh());
        PortalCard {
            name: "Double".to_owned(),
            url: format!("https://{address}"),
            root_key: self.root.public().to_openssh(),
            online_key_signature: sshsig::sign(&self.root, namespace::ROTATION, online_key.as_bytes()),
            online_key,
            recipient: "age1".to_owned(),
            tls_key_pin: String::new(),
            keys: None,
        }
    }

    fn verify(&mut self, asked: &Asked, body: &[u8], authority: &str) -> Result<(), &'static str> {
        let header = |name: &str| asked.headers.get(name).map(String::as_str);
        let call = httpsig::Call {
            method: &asked.method,
            authority,
            path: &asked.path,
            query: "?",
            content_digest: header("content-digest"),
            upload_offset: header("upload-offset"),
            upload_length: header("upload-length"),
            tus_resumable: header("tus-resumable"),
        };
        let headers = httpsig::Headers {
            signature_input: header("signature-input").ok_or("unsigned")?.to_owned(),
            signature: header("signature").ok_or("unsigned")?.to_owned(),
        };
        let now = DEVICE_NOW_S + self.ahead_s;
        let parameters = match httpsig::verify(&self.device, &call, &headers, now) {
            Ok(parameters) => parameters,
            Err(httpsig::HttpSigError::Clock { .. }) => return Err("clock-skew"),
            Err(_) => return Err("signature"),
        };
        assert!(self.nonces.insert(parameters.nonce), "a nonce twice");
        assert_eq!(body.is_empty(), call.content_digest.is_none(), "every body has a digest");
        Ok(())
    }

    fn create(&mut self, asked: &Asked) -> Reply {
        let metadata = asked.headers.get("upload-metadata").expect("metadata");
        let value = metadata.strip_prefix("sha256 ").expect("one key");
        let sha256 = String::from_utf8(BASE64.decode(value.as_bytes()).expect("base64")).expect("hex");
        let length = asked.headers["upload-length"].parse().expect("a number");
        let known =
            self.uploads.iter().find(|(_, upload)| upload.sha256 == sha256).map(|(path, _)| path.clone());
        let path = known.unwrap_or_else(|| {
            self.created += 1;
            let path = format!("/api/v1/uploads/{}", self.created);
            self.uploads.insert(path.clone(), Stored { sha256, length, data: Vec::new() });
            path
        });
        Reply { status: 201, headers: format!("location: {path}\r\n"), body: Vec::new() }
    }

    fn append(&mut self, asked: &Asked, path: &str, body: Vec<u8>) -> Reply {
        let Some(upload) = self.uploads.get_mut(path) else { return refused(404, "unknown-upload") };
        if asked.headers["upload-offset"] != upload.data.len().to_string() {
            return refused(409, "offset");
        }
        if asked.headers["content-digest"] != httpsig::content_digest(&body) {
            return refused(400, "digest");
        }
        upload.data.extend_from_slice(&body);
        Reply { status: 204, headers: format!("upload-offset: {}\r\n", upload.data.len()), body: Vec::new() }
    }

    fn receipt(&mut self, path: &str) -> Reply {
        let Some(upload) = self.uploads.get(path) else { return refused(404, "unknown-upload") };
        if self.pending > 0 || upload.data.len() < upload.length {
            self.pending = self.pending.saturating_sub(1);
            return Reply { status: 202, headers: "retry-after: 0\r\n".to_owned(), body: Vec::new() };
        }
        let receipt = Receipt {
            bundle_sha256: self.receipt_sha256.clone().unwrap_or_else(|| sha256_hex(&upload.data)),
            bundle_id: path.to_owned(),
            status: self.status,
            reason: if self.status == ReceiptStatus::Refused {
                "no bundle of ours".to_owned()
            } else {
                String::new()
            },
            received_at: "2027-01-15T08:00:00Z".to_owned(),
            evidence: true,
            overall: None,
            last_seq: 7,
            request_id: None,
            ready: false,
        };
        let text = serde_json::to_string(&receipt).expect("plain data");
        let signature = sshsig::sign(&self.online, self.receipt_namespace, text.as_bytes());
        Reply { status: 200, headers: String::new(), body: json(&SignedReceipt { receipt: text, signature }) }
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data")
}

fn problem(kind: &'static str) -> Vec<u8> {
    json(&Problem {
        kind: kind.to_owned(),
        title: format!("problem {kind}"),
        next_step: "do this".to_owned(),
        signed: None,
    })
}

fn refused(status: u16, kind: &'static str) -> Reply {
    Reply { status, headers: "content-type: application/problem+json\r\n".to_owned(), body: problem(kind) }
}

async fn read_head(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(at) = ahead.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let mut chunk = vec![0; 16 * 1024];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        ahead.extend_from_slice(&chunk[..read]);
    };
    let rest = ahead.split_off(end);
    let head = String::from_utf8(std::mem::replace(ahead, rest)).expect("ASCII");
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Asked { method, path, headers: headers.collect() })
}

/// Good for the years these tests live in: 2027-01-15 08:00:00 is `DEVICE_NOW_S`; others are whole days from it.
fn http_date(unix_s: i64) -> String {
    let (days, seconds) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let mut year = 1970;
    let mut left = days;
    let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut month = 0;
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("Thu, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", left + 1, names[month])
}
