//! `GET /api/v1/export`: all that is kept of a device, for its owner, as a tar.
//!
//! It is written to a file without a name first, so that its length is known before its first byte leaves and one that
//! breaks off is noticed. One at a time: an export is as large as everything that a device sent.

use std::io::{Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::io::AsyncReadExt;

use crate::app::Shared;
use crate::device_call;
use crate::export;
use crate::files::FileError;
use crate::refusal::Refusal;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Sends it.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let device = device_call::device(&parts)?;
    let Ok(_one) = app.exporting.try_lock() else {
        return Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Another export is being made.",
            "Ask again in a minute.",
        )
        .with("retry-after", "30"));
    };
    let items = export::items(&app.dir, app.store.of(&device.tenant), &device)
        .await
        .map_err(|error| Refusal::internal(&error))?;
    let path = app.dir.uploads().join(format!("{}.export", uuid::Uuid::new_v4()));
    let written = tokio::task::spawn_blocking(move || {
        let failed = |source| FileError { what: "write", path: path.clone(), source };
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        // Nameless from here on: whatever happens, nothing of it stays.
        std::fs::remove_file(&path).map_err(failed)?;
        export::write_tar(items, &mut file).map_err(failed)?;
        let size_bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.rewind().map_err(failed)?;
        Ok::<_, FileError>((file, size_bytes))
    });
    let (file, size_bytes) = written.await.map_err(|error| Refusal::internal(&error))??;
    let (mut sender, body) = http_body_util::channel::Channel::<bytes::Bytes, std::io::Error>::new(2);
    tokio::spawn(async move {
        let mut file = tokio::fs::File::from_std(file);
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            match file.read(&mut chunk).await {
                Ok(0) => return,
                Ok(read) => {
                    chunk.truncate(read);
                    if sender.send_data(chunk.into()).await.is_err() {
                        return;
                    }
                }
                Err(error) => return sender.abort(error),
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_LENGTH, size_bytes.to_string()),
    ];
    Ok((headers, Body::new(body)).into_response())
}
