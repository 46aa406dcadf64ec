//! One signed call: what is covered, how a part of a file is streamed, and when silence has lasted too long.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use assay_bundle::httpsig;
use assay_bundle::keys::SigningKey;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http_body_util::channel::{Channel, Sender};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use reqwest::{Method, RequestBuilder};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::error::PortalError;
use super::{Portal, explain};

const TUS_VERSION: &str = "1.0.0";
/// Read from the file and handed to TLS at once; several records of 16 KiB.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks between the file and the socket.
const CHUNKS_AHEAD: usize = 2;

/// What a call is about. `Default` is a call without anything.
#[derive(Clone, Copy, Default)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) body: Body<'a>,
    /// A call of the tus protocol.
    pub(crate) tus: bool,
    pub(crate) upload_offset: Option<u64>,
    pub(crate) upload_length: Option<u64>,
    pub(crate) upload_metadata: Option<&'a str>,
    /// What stands behind the question mark.
    pub(crate) query: &'a str,
    /// Nonce of the signature, where the answer has to name it; otherwise one is made for each call.
    pub(crate) nonce: Option<&'a str>,
    /// How much longer than usual the portal may be silent: it holds some calls until there is news.
    pub(crate) patience: Duration,
}

/// What it carries.
#[derive(Clone, Copy, Default)]
pub(crate) enum Body<'a> {
    #[default]
    Empty,
    Json(&'a [u8]),
    /// `length` bytes of a file from `offset`, whose `Content-Digest` is known.
    Part {
        file: &'a Path,
        offset: u64,
        length: u64,
        digest: &'a str,
    },
}

/// Sends a call and reads its answer, whatever its status.
pub(super) async fn send(
    portal: &Portal,
    key: Option<&SigningKey>,
    call: &Call<'_>,
    sent: &mut dyn FnMut(u64),
) -> Result<Answer, PortalError> {
    let request = request(portal, key, call)?;
    let request = match call.body {
        Body::Empty => request,
        Body::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes.to_vec()),
        Body::Part { file, offset, length, .. } => {
            return stream(portal, request, (file, offset, length), sent).await;
        }
    };
    match timeout(portal.idle_timeout.saturating_add(call.patience), request.send()).await {
        Ok(Ok(response)) => answer::read(portal, response).await,
        Ok(Err(why)) => Err(explain::failed(portal.address.base(), why)),
        Err(_) => Err(PortalError::Silent { portal: portal.address.base().to_owned() }),
    }
}

/// Sends a call without a body and gives the response as it begins, for an answer that is read as it comes.
pub(super) async fn open(
    portal: &Portal,
    key: Option<&SigningKey>,
    call: &Call<'_>,
) -> Result<reqwest::Response, PortalError> {
    let request = request(portal, key, call)?;
    match timeout(portal.idle_timeout.saturating_add(call.patience), request.send()).await {
        Ok(answer) => answer.map_err(|why| explain::failed(portal.address.base(), why)),
        Err(_) => Err(PortalError::Silent { portal: portal.address.base().to_owned() }),
    }
}

fn request(
    portal: &Portal,
    key: Option<&SigningKey>,
    call: &Call<'_>,
) -> Result<RequestBuilder, PortalError> {
    let json_digest;
    let content_digest = match call.body {
        Body::Empty => None,
        Body::Json(bytes) => {
            json_digest = httpsig::content_digest(bytes);
            Some(json_digest.as_str())
        }
        Body::Part { digest, .. } => Some(digest),
    };
    let offset = call.upload_offset.map(|offset| offset.to_string());
    let length = call.upload_length.map(|length| length.to_string());
    let tus = call.tus.then_some(TUS_VERSION);
    let method = Method::from_bytes(call.method.as_bytes())
        .map_err(|why| PortalError::Setup { what: why.to_string() })?;
    let query = format!("?{}", call.query);
    let behind = if call.query.is_empty() { "" } else { query.as_str() };
    let mut request =
        portal.client.request(method, format!("{}{}{behind}", portal.address.base(), call.path));
    for (name, value) in [
        ("content-digest", content_digest),
        ("upload-offset", offset.as_deref()),
        ("upload-length", length.as_deref()),
        ("tus-resumable", tus),
        // Left out when there is none: some servers refuse an empty one.
        ("upload-metadata", call.upload_metadata),
    ] {
        if let Some(value) = value {
            request = request.header(HeaderName::from_static(name), value);
        }
    }
    let Some(key) = key else { return Ok(request) };
    let covered = httpsig::Call {
        method: call.method,
        authority: portal.address.authority(),
        path: call.path,
        query: &query,
        content_digest,
        upload_offset: offset.as_deref(),
        upload_length: length.as_deref(),
        tus_resumable: tus,
    };
    let nonce = match call.nonce {
        Some(nonce) => nonce.to_owned(),
        None => nonce_of_a_call()?,
    };
    let headers = httpsig::sign(key, &covered, portal.portal_now_unix_s(), &nonce);
    Ok(request.header("signature-input", headers.signature_input).header("signature", headers.signature))
}

/// 16 random bytes: the portal takes each once.
pub(super) fn nonce_of_a_call() -> Result<String, PortalError> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PortalError::Random)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// Streams a part while waiting for the answer, which may come first (a refusal). The idle limit is for one chunk to
/// be taken by the socket; after the last one the answer gets the idle limit and, because the kernel still holds part
/// of it on a slow line, as long again as the feeding took.
async fn stream(
    portal: &Portal,
    request: RequestBuilder,
    part: (&Path, u64, u64),
    sent: &mut dyn FnMut(u64),
) -> Result<Answer, PortalError> {
    let explained = |why| explain::failed(portal.address.base(), why);
    // The sending half lives until the answer is read: a body that ends early would end the connection, and with it
    // the rest of a refusal.
    let (mut feed, body) = Channel::<Bytes, io::Error>::new(CHUNKS_AHEAD);
    let begun = Instant::now();
    let sending = request
        .header(CONTENT_TYPE, "application/offset+octet-stream")
        .header(CONTENT_LENGTH, part.2)
        .body(reqwest::Body::wrap(body))
        .send();
    tokio::pin!(sending);
    tokio::select! {
        biased;
        answer = &mut sending => return answer::read(portal, answer.map_err(explained)?).await,
        fed = feed_part(portal, &mut feed, part, sent) => fed?,
    }
    match timeout(portal.idle_timeout + begun.elapsed(), &mut sending).await {
        Ok(answer) => answer::read(portal, answer.map_err(explained)?).await,
        Err(_) => Err(PortalError::Silent { portal: portal.address.base().to_owned() }),
    }
}

/// Feeds a part, or as much of it as the connection takes: when it takes no more, the answer says why.
async fn feed_part(
    portal: &Portal,
    feed: &mut Sender<Bytes, io::Error>,
    (path, offset, length): (&Path, u64, u64),
    sent: &mut dyn FnMut(u64),
) -> Result<(), PortalError> {
    let unreadable = |source| PortalError::File { path: path.to_owned(), source };
    let mut file = open_at(path, offset).await.map_err(unreadable)?;
    let mut left = length;
    while left > 0 {
        // An unreadable file drops the request: the portal sees a part that broke, never a short one.
        let chunk = read_chunk(&mut file, left).await.map_err(unreadable)?;
        let bytes = chunk.len() as u64;
        // Before they go: paid for afterwards, every part would be one chunk ahead of what the owner allows.
        let pause = portal.pause(bytes);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        match timeout(portal.idle_timeout, feed.send_data(chunk)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(PortalError::Silent { portal: portal.address.base().to_owned() }),
        }
        left = left.saturating_sub(bytes);
        sent(length - left);
    }
    Ok(())
}

async fn open_at(path: &Path, offset: u64) -> io::Result<File> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(offset)).await?;
    Ok(file)
}

/// Up to [`CHUNK_BYTES`], at most `left`; the end of the file before that is an error.
async fn read_chunk(file: &mut File, left: u64) -> io::Result<Bytes> {
    let wanted = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let mut chunk = vec![0; wanted];
    file.read_exact(&mut chunk).await?;
    Ok(Bytes::from(chunk))
}

/// `Content-Digest` of a part, in one pass over the file that keeps one chunk in memory.
pub(crate) async fn part_digest(path: &Path, offset: u64, length: u64) -> io::Result<String> {
    let mut file = open_at(path, offset).await?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut left = length;
    while left > 0 {
        let chunk = read_chunk(&mut file, left).await?;
        context.update(&chunk);
        left = left.saturating_sub(chunk.len() as u64);
    }
    Ok(format!("sha-256=:{}:", data_encoding::BASE64.encode(context.finish().as_ref())))
}
