//! A portal of its own for each test, and the two kinds of callers.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assay_bundle::digest::sha256_hex;
use assay_bundle::enrolment::{EnrolmentRequest, PortalCard};
use assay_bundle::httpsig;
use assay_bundle::keys::SigningKey;
use assay_bundle::receipt::{Receipt, ReceiptStatus, SignedReceipt};
use assay_bundle::sshsig::{self, namespace};
use assay_portal::store::{Place, Store, Tenant, TenantStore, tenants};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::support::{Guarded, binary, wait_for};

/// Longer than anything may take on a busy machine; nothing waits for it.
pub(crate) const CEILING: Duration = Duration::from_secs(60);

/// A portal with its own data folder; killed when dropped.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    child: Option<Guarded>,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        // Another test may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("assay-portal").tempdir().expect("a folder");
        let mut server = Self { folder, child: None, url: String::new(), http: reqwest::Client::new() };
        server.serve("127.0.0.1:0", options);
        let ca = reqwest::Certificate::from_pem(&std::fs::read(server.data("ca.pem")).expect("its CA"));
        server.http = reqwest::Client::builder()
            .tls_certs_only([ca.expect("a certificate")])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CEILING)
            // A connection of before a restart must not be tried.
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client");
        server
    }

    fn serve(&mut self, listen: &str, options: &[&str]) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log"));
        let mut command = self.command(&["serve", "--listen", listen, "--self-signed"]);
        command.args(options).stdout(Stdio::piped()).stderr(log.expect("a log"));
        let mut child = Guarded(command.spawn().expect("the portal starts"));
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().expect("its output")).read_line(&mut line).expect("its output");
        let url = line.trim().strip_prefix("listening on ");
        self.url = url.unwrap_or_else(|| panic!("the portal did not start: {}", self.log())).to_owned();
        self.child = Some(child);
    }

    /// Asks the portal to stop.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let pid = rustix::process::Pid::from_child(&child.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be asked");
        let status = child.wait(CEILING);
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Starts it again at the same address.
    pub(crate) fn start_again(&mut self, options: &[&str]) {
        let address = self.url.strip_prefix("https://").expect("https").to_owned();
        self.serve(&address, options);
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("assay-portal"));
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command.arg("--data-dir").arg(self.data("")).args(arguments);
        command
    }

    /// What a command prints; it must succeed.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        let mut child = Guarded(command.stdout(Stdio::piped()).spawn().expect("it starts"));
        let out = child.0.stdout.take().expect("its output");
        let text = std::io::read_to_string(out).expect("text");
        assert!(child.wait(CEILING).success(), "{arguments:?}");
        text
    }

    pub(crate) fn code(&self, options: &[&str]) -> String {
        field(&self.says(&[&["enroll-code"], options].concat()), "code")
    }

    pub(crate) async fn card(&self) -> PortalCard {
        let answer = self.http.get(format!("{}/api/v1/card", self.url)).send().await.expect("an answer");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("a card")
    }

    /// Database, for what time alone would bring.
    pub(crate) async fn store(&self) -> Opened {
        Opened::of(self.data("portal.db")).await
    }

    /// A device with its key enrolled.
    pub(crate) async fn enrolled(&self) -> Device {
        self.enrolled_as("Q123").await
    }

    /// A device of this serial number with its key enrolled.
    pub(crate) async fn enrolled_as(&self, serial: &str) -> Device {
        let device = Device::new(serial);
        let code = self.code(&[]);
        let request = device.request(&code, &self.card().await);
        device.enrol(self, &request).await.ends(200);
        device
    }
}

/// A line `name   value` of a command's answer.
pub(crate) fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

pub(crate) fn now_unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("fits")
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.expect("a body").to_vec() }
    }

    #[track_caller]
    pub(crate) fn ends(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A refusal of this kind, with words for a person and a next step.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, kind: &str) -> Self {
        let answer = self.ends(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_slice(&answer.body).expect("a problem");
        assert_eq!(problem["type"], kind, "{problem}");
        for part in ["title", "next_step"] {
            assert!(problem[part].as_str().is_some_and(|text| text.len() > 10), "{problem}");
        }
        answer
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One signed call; the defaults are right, and tests make one thing wrong.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// With its query, where it has one.
    pub(crate) path: String,
    /// Headers that are covered by the signature when the profile names them.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Vec<u8>>,
    /// Added to the time of signing.
    pub(crate) clock_s: i64,
    pub(crate) nonce: Option<String>,
    pub(crate) authority: Option<String>,
    /// Another digest than the body's.
    pub(crate) digest: Option<String>,
}

/// A device: a key and a serial number.
pub(crate) struct Device {
    pub(crate) key: SigningKey,
    pub(crate) serial: String,
}

impl Device {
    pub(crate) fn new(serial: &str) -> Self {
        Self { key: SigningKey::generate().expect("a key"), serial: serial.to_owned() }
    }

    pub(crate) fn request(&self, code: &str, card: &PortalCard) -> EnrolmentRequest {
        EnrolmentRequest {
            code: code.to_owned(),
            public_key: self.key.public().to_openssh(),
            model: Some("TS-453D".to_owned()),
            serial: Some(self.serial.clone()),
            chassis: vec![sha256_hex(b"a board")],
            card_fingerprint: card.fingerprint(),
        }
    }

    pub(crate) async fn enrol(&self, server: &Server, request: &EnrolmentRequest) -> Answer {
        let body = serde_json::to_vec(request).expect("plain data");
        let call =
            Call { method: Method::POST, path: "/api/v1/enrol".into(), body: Some(body), ..Call::default() };
        self.call(server, call).await
    }

    /// The request as it goes out.
    pub(crate) fn signed(&self, server: &Server, call: &Call) -> reqwest::RequestBuilder {
        let digest =
            call.digest.clone().or_else(|| call.body.as_ref().map(|body| httpsig::content_digest(body)));
        let header =
            |name: &str| call.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        let authority = call.authority.clone().unwrap_or_else(|| server.url.replace("https://", ""));
        let nonce = call.nonce.clone().unwrap_or_else(|| {
            let mut bytes = [0; 16];
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).expect("randomness");
            BASE64URL_NOPAD.encode(&bytes)
        });
        let signature = httpsig::sign(
            &self.key,
            &httpsig::Call {
                method: call.method.as_str(),
                authority: &authority,
                path: call.path.split('?').next().unwrap_or_default(),
                query: &format!("?{}", call.path.split_once('?').map_or("", |(_, query)| query)),
                content_digest: digest.as_deref(),
                upload_offset: header("upload-offset"),
                upload_length: header("upload-length"),
                tus_resumable: header("tus-resumable"),
            },
            now_unix_s() + call.clock_s,
            &nonce,
        );
        let mut request = server
            .http
            .request(call.method.clone(), format!("{}{}", server.url, call.path))
            .header("signature-input", signature.signature_input)
            .header("signature", signature.signature);
        if let Some(digest) = digest {
            request = request.header("content-digest", digest);
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        request
    }

    pub(crate) async fn call(&self, server: &Server, call: Call) -> Answer {
        let mut request = self.signed(server, &call);
        if let Some(body) = call.body {
            request = request.body(body);
        }
        Answer::of(request.send().await.expect("an answer")).await
    }

    fn tus(method: Method, path: &str, more: &[(&'static str, String)]) -> Call {
        let mut headers = vec![("tus-resumable", "1.0.0".to_owned())];
        headers.extend_from_slice(more);
        Call { method, path: path.to_owned(), headers, ..Call::default() }
    }

    pub(crate) fn create_call(length: usize, sha256: Option<&str>) -> Call {
        let mut headers = vec![("upload-length", length.to_string())];
        if let Some(sha256) = sha256 {
            headers.push(("upload-metadata", format!("sha256 {}", BASE64.encode(sha256.as_bytes()))));
        }
        Self::tus(Method::POST, "/api/v1/uploads", &headers)
    }

    pub(crate) async fn create(&self, server: &Server, bytes: &[u8]) -> String {
        let answer = self.call(server, Self::create_call(bytes.len(), Some(&sha256_hex(bytes)))).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
        answer.header("location").to_owned()
    }

    pub(crate) fn part_call(location: &str, offset: usize, body: &[u8]) -> Call {
        let headers = [
            ("upload-offset", offset.to_string()),
            ("content-type", "application/offset+octet-stream".to_owned()),
        ];
        Call { body: Some(body.to_vec()), ..Self::tus(Method::PATCH, location, &headers) }
    }

    pub(crate) async fn offset(&self, server: &Server, location: &str) -> String {
        let answer = self.call(server, Self::tus(Method::HEAD, location, &[])).await.ends(200);
        answer.header("upload-offset").to_owned()
    }

    pub(crate) async fn drop_upload(&self, server: &Server, location: &str) -> Answer {
        self.call(server, Self::tus(Method::DELETE, location, &[])).await
    }

    /// Sends a whole bundle in one part and answers where it went.
    pub(crate) async fn send(&self, server: &Server, bytes: &[u8]) -> String {
        let location = self.create(server, bytes).await;
        self.call(server, Self::part_call(&location, 0, bytes)).await.ends(204);
        location
    }

    pub(crate) async fn receipt_answer(&self, server: &Server, location: &str) -> Answer {
        let call = Call { path: format!("{location}/receipt"), ..Call::default() };
        self.call(server, call).await
    }

    /// Waits for the receipt, checks its signature, and answers it.
    pub(crate) async fn receipt(&self, server: &Server, location: &str) -> Receipt {
        let started = std::time::Instant::now();
        let signed: SignedReceipt = loop {
            let answer = self.receipt_answer(server, location).await;
            if answer.status == 200 {
                break serde_json::from_slice(&answer.body).expect("a receipt");
            }
            let answer = answer.ends(202);
            assert_eq!(answer.header("retry-after"), "1");
            assert!(started.elapsed() < CEILING, "no receipt: {}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let card = server.card().await;
        let key = assay_bundle::keys::PublicKey::from_openssh(&card.online_key).expect("a key");
        sshsig::verify(&key, namespace::RECEIPT, signed.receipt.as_bytes(), &signed.signature)
            .expect("signed");
        serde_json::from_str(&signed.receipt).expect("a receipt")
    }

    /// Sends a bundle that must be accepted.
    pub(crate) async fn send_accepted(&self, server: &Server, bytes: &[u8]) -> Receipt {
        let location = self.send(server, bytes).await;
        let receipt = self.receipt(server, &location).await;
        assert_eq!(receipt.status, ReceiptStatus::Accepted, "{}", receipt.reason);
        assert_eq!(receipt.bundle_sha256, sha256_hex(bytes));
        receipt
    }
}

/// Waits until the log holds these words.
pub(crate) fn wait_for_log(server: &Server, words: &str) {
    wait_for(words, CEILING, || server.log().contains(words).then_some(()));
}

/// A portal's database, opened beside it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    tenant: Tenant,
}

impl Opened {
    pub(crate) async fn of(path: PathBuf) -> Self {
        let store = Store::open(&Place::Sqlite(path)).await.expect("the database");
        let tenant = store.tenant_named(tenants::DEFAULT).await.expect("asked").expect("the first tenant");
        Self { store, tenant }
    }

    /// What the first tenant has.
    pub(crate) fn own(&self) -> TenantStore<'_> {
        self.store.of(&self.tenant)
    }
}
