//! `GET /bundles/{id}/download`: the bundle byte for byte as received; still encrypted, still signed.

use std::io;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::channel::{Channel, Sender};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::app::Shared;
use crate::page::{PageError, Viewer};

/// Bytes on their way at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait for a slow reader.
const CHUNKS: usize = 4;

/// Sends the file. A refused bundle is sent from quarantine: its bytes may be what has to be looked at.
pub(super) async fn handle(
    State(app): State<Shared>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let row = app.store.of(&viewer.tenant).bundle(&id).await?.ok_or(PageError::NotFound)?;
    let mut opened = Err(io::Error::from(io::ErrorKind::NotFound));
    for folder in [app.dir.objects(), app.dir.quarantine()] {
        opened = match opened {
            Err(_) => File::open(folder.join(&row.id)).await,
            file => file,
        };
    }
    let file = opened.map_err(|error| {
        tracing::error!(bundle = %row.id, %error, "the bytes of a bundle cannot be opened");
        PageError::NotNow("The bytes of this bundle are not in their place.".to_owned())
    })?;
    tracing::info!(user = %viewer.user, bundle = %row.id, "downloads a bundle");
    let (sender, body) = Channel::<Bytes, io::Error>::new(CHUNKS);
    tokio::spawn(send(file, sender));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, row.size_bytes.to_string()),
        // Our own id and never a name of outside.
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.assay\"", row.id)),
    ];
    Ok((headers, Body::new(body)).into_response())
}

async fn send(mut file: File, mut sender: Sender<Bytes, io::Error>) {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        match file.read_buf(&mut chunk).await {
            Ok(0) => return,
            Ok(_) => {
                // The reader went away: nobody is left to tell.
                if sender.send_data(chunk.freeze()).await.is_err() {
                    return;
                }
            }
            Err(error) => return sender.abort(error),
        }
    }
}
