//! `POST /api/v1/uploads`: announces a file. The same device and digest again is the same upload.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;

use super::upload_options::TUS;
use crate::app::Shared;
use crate::clock;
use crate::device_call::{self, single};
use crate::refusal::Refusal;
use crate::store::uploads::{Created, NewUpload};
use crate::uploads::{KEPT_S, MAX_BYTES, MOST_OPEN};

/// Creates.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let device = device_call::device(&parts)?;
    version(&parts.headers)?;
    let length_bytes: i64 = single(&parts.headers, "upload-length")?
        .and_then(|text| text.parse().ok())
        .filter(|length| *length > 0)
        .ok_or_else(|| Refusal::bad_call("Upload-Length has to name the size of the file."))?;
    if length_bytes > MAX_BYTES {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("A file of {length_bytes} bytes is over the limit of {MAX_BYTES}."),
            "Seal a smaller bundle.",
        )
        .with("tus-max-size", MAX_BYTES.to_string()));
    }
    let sha256 = announced(single(&parts.headers, "upload-metadata")?)?;
    let now = clock::now_unix_s();
    let new = NewUpload {
        id: &uuid::Uuid::now_v7().to_string(),
        device_id: &device.id,
        sha256: sha256.as_deref(),
        length_bytes,
        now,
        expires_at: now + KEPT_S,
        most_open: MOST_OPEN,
    };
    let (status, upload) = match app.store.of(&device.tenant).create_upload(&new).await? {
        Created::New(upload) => (StatusCode::CREATED, upload),
        Created::Same(upload) if upload.length_bytes == length_bytes => (StatusCode::OK, upload),
        Created::Same(_) => {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "length-differs",
                "The same digest was announced before with another length.",
                "Terminate that upload (DELETE), then announce the file again.",
            ));
        }
        Created::TooMany => {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-uploads",
                format!("This device has {MOST_OPEN} unfinished uploads."),
                "Finish or terminate one; unfinished ones run out by themselves.",
            )
            .with("retry-after", "600"));
        }
    };
    let headers = [
        ("location", format!("/api/v1/uploads/{}", upload.id)),
        ("upload-offset", upload.offset_bytes.to_string()),
        ("upload-expires", clock::http_date(upload.expires_at)),
    ];
    Ok((status, headers).into_response())
}

/// Refuses another version of the protocol.
///
/// # Errors
/// When `Tus-Resumable` is missing or names another one.
pub(super) fn version(headers: &axum::http::HeaderMap) -> Result<(), Refusal> {
    if single(headers, "tus-resumable")? == Some(TUS) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::PRECONDITION_FAILED,
        "tus-version",
        format!("Only version {TUS} of tus is spoken here."),
        "Update Assay on the device.",
    )
    .with("tus-version", TUS))
}

/// The digest in `Upload-Metadata`. Other keys are let through, and an empty header is one without keys.
fn announced(metadata: Option<&str>) -> Result<Option<String>, Refusal> {
    let refused = || Refusal::bad_call("Upload-Metadata has to name sha256 as base64 of 64 hex digits.");
    for pair in metadata.unwrap_or_default().split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if key == "sha256" {
            let digest = BASE64.decode(value.trim().as_bytes()).map_err(|_| refused())?;
            let digest = String::from_utf8(digest).map_err(|_| refused())?;
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if digest.len() != 64 || !digest.bytes().all(hex) {
                return Err(refused());
            }
            return Ok(Some(digest));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn check(metadata: Option<&str>, expected: Option<Option<&str>>) {
        let got = announced(metadata).ok();
        assert_eq!(got.as_ref().map(Option::as_deref), expected, "{metadata:?}");
    }

    #[test]
    fn metadata() {
        let digest = "ab".repeat(32);
        let encoded = BASE64.encode(digest.as_bytes());
        check(None, Some(None));
        check(Some(""), Some(None));
        check(Some("filename eA==,is_final"), Some(None));
        check(Some(&format!("sha256 {encoded}")), Some(Some(&digest)));
        check(Some(&format!("filename eA==, sha256 {encoded}")), Some(Some(&digest)));
        check(Some("sha256 ????"), None);
        check(Some("sha256 eA=="), None);
    }
}
