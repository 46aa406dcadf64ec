//! Bytes of uploads: a part goes to a file of its own while it is digested, and is appended only when it is whole and
//! fits its digest. The offset in the database is the truth; the file is cut to it before anything is appended.
//!
//! Refused are: a part for another offset, one that is longer than what is missing, one that stops for too long, one
//! that does not fit its digest, and a file that is not what was announced.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_bundle::digest::Sha256;
use axum::body::Body;
use axum::http::StatusCode;
use data_encoding::BASE64;
use http_body_util::BodyExt;
use ring::digest::{Context, SHA256};
use tokio::io::AsyncWriteExt;

use crate::app::{App, Shared};
use crate::clock;
use crate::device_call::digest_refused;
use crate::files::FileError;
use crate::refusal::Refusal;
use crate::store::uploads::Upload;
use crate::store::{Kind, Tenant};

/// Largest upload: the largest bundle that the reader takes, and its envelope.
pub const MAX_BYTES: i64 = 256 << 20;
/// Uploads of one device that may be unfinished.
pub const MOST_OPEN: i64 = 16;
/// How long an unfinished upload is kept after its last part, in seconds.
pub const KEPT_S: i64 = 7 * 86_400;
/// How old a file has to be before it is swept away where other portals write too (judgement: no part takes as long).
const LEFT_ALONE: Duration = Duration::from_secs(24 * 3_600);
/// A part that brings nothing for so long is given up.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// One lock for each upload that is being committed to.
#[derive(Default)]
pub struct Locks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    fn of(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id.to_owned()).or_default().clone()
    }
}

/// A file that goes away with its value, unless it went away before.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // A leftover is removed at the next start; there is nobody to tell here.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A part that arrived whole and fits its digest.
struct Part {
    file: Temporary,
    size_bytes: i64,
}

/// Takes one part and commits it. Answers the new offset.
///
/// # Errors
/// When the part is refused; nothing of it is kept then.
pub async fn receive(
    app: &Shared,
    upload: Upload,
    offset: i64,
    digest: &str,
    body: Body,
) -> Result<i64, Refusal> {
    if offset != upload.offset_bytes {
        return Err(wrong_offset(&upload));
    }
    if upload.is_whole() {
        // The answer to the last part was lost. Its bytes may already be the worker's: nothing is touched.
        return Ok(offset);
    }
    let part = gather(app, &upload, digest, body).await?;
    let (app, id) = (app.clone(), upload.id.clone());
    // A task of its own: when the caller goes away in the middle, the commit still ends before its lock is free.
    let commit = tokio::spawn(async move {
        let _guard = app.locks.of(&id).lock_owned().await;
        let _working = app.busy.enter(&upload.device_id).ok_or_else(unknown_upload)?;
        commit(&app, &upload, part).await
    });
    commit.await.map_err(|error| Refusal::internal(&error))?
}

async fn gather(app: &App, upload: &Upload, digest: &str, mut body: Body) -> Result<Part, Refusal> {
    let path = app.dir.uploads().join(format!("{}.{}.part", upload.id, uuid::Uuid::new_v4()));
    let failed = |source| FileError { what: "write", path: path.clone(), source };
    let file = tokio::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .await
        .map_err(failed)?;
    let temporary = Temporary(path.clone());
    let mut file = tokio::io::BufWriter::with_capacity(BUFFER_BYTES, file);
    let mut context = Context::new(&SHA256);
    let missing = upload.length_bytes - upload.offset_bytes;
    let mut size_bytes: i64 = 0;
    loop {
        let frame = match tokio::time::timeout(IDLE, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) | Err(_) => {
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "part-broken",
                    "The part broke off.",
                    "Nothing was kept of it; the device sends it again by itself.",
                ));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        size_bytes = size_bytes.saturating_add(i64::try_from(data.len()).unwrap_or(i64::MAX));
        if size_bytes > missing {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "part-too-long",
                "The part is longer than what is missing.",
                "Ask for the offset and send the rest; the announced length cannot change.",
            ));
        }
        context.update(&data);
        file.write_all(&data).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    if digest != format!("sha-256=:{}:", BASE64.encode(context.finish().as_ref())) {
        return Err(digest_refused());
    }
    Ok(Part { file: temporary, size_bytes })
}

async fn commit(app: &Shared, upload: &Upload, part: Part) -> Result<i64, Refusal> {
    // Where other portals write to this folder as well, one of them at a time.
    let _alone = app.store.alone_with_upload(&upload.id).await?;
    // Another part may have been committed while this one arrived.
    let current = app
        .store
        .of(&upload.tenant)
        .upload(&upload.device_id, &upload.id)
        .await?
        .ok_or_else(unknown_upload)?;
    if current.offset_bytes != upload.offset_bytes {
        return Err(wrong_offset(&current));
    }
    let offset = current.offset_bytes + part.size_bytes;
    let path = app.dir.uploads().join(&upload.id);
    let whole = offset == current.length_bytes;
    let (at, target) = (current.offset_bytes, path.clone());
    let appended = tokio::task::spawn_blocking(move || {
        append(&target, at, &part.file.0)?;
        if whole { sha256_of(&target).map(Some) } else { Ok(None) }
    });
    let sha256 = appended.await.map_err(|error| Refusal::internal(&error))?.map_err(|source| FileError {
        what: "append to",
        path: path.clone(),
        source,
    })?;
    let now = clock::now_unix_s();
    let Some(sha256) = sha256 else {
        if !app.store.of(&upload.tenant).advance_upload(&upload.id, at, offset, now + KEPT_S).await? {
            return Err(wrong_offset(&current));
        }
        return Ok(offset);
    };
    if current.announced_sha256.as_ref().is_some_and(|announced| *announced != sha256) {
        app.store.of(&upload.tenant).drop_upload(&upload.id).await?;
        drop(Temporary(path));
        return Err(Refusal::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "digest-mismatch",
            "The file is not the one that was announced: it changed on the device.",
            "Nothing was kept of it. Collect a new bundle: assay collect, then assay upload.",
        ));
    }
    let bundle_id = uuid::Uuid::now_v7().to_string();
    match app.store.of(&upload.tenant).finish_upload(&current, &bundle_id, &sha256, now).await? {
        None => Err(wrong_offset(&current)),
        Some(id) if id == bundle_id => {
            app.bell.notify_one();
            Ok(offset)
        }
        // The same bytes came before under another announcement; they are kept once.
        Some(_) => {
            drop(Temporary(path));
            Ok(offset)
        }
    }
}

fn append(target: &Path, offset: i64, part: &Path) -> io::Result<()> {
    let offset = u64::try_from(offset).map_err(io::Error::other)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(target)?;
    if file.metadata()?.len() < offset {
        return Err(io::Error::other("the file is shorter than what was committed to it"));
    }
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    io::copy(&mut File::open(part)?, &mut file)?;
    file.flush()?;
    file.sync_data()
}

/// Digest of a file, lower-case hex.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut reader = Sha256::new(File::open(path)?);
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.finish().2)
}

/// Gives up an upload: its row first, then its bytes. `false` when it is whole or gone.
///
/// # Errors
/// When the database fails.
pub async fn drop_upload(app: &App, tenant: &Tenant, id: &str) -> Result<bool, Refusal> {
    let _guard = app.locks.of(id).lock_owned().await;
    let dropped = app.store.of(tenant).drop_upload(id).await?;
    if dropped {
        drop(Temporary(app.dir.uploads().join(id)));
    }
    Ok(dropped)
}

/// At a start: removes parts that broke off and files that no row knows.
///
/// # Errors
/// When the folder or the database cannot be read.
pub async fn sweep(app: &App) -> anyhow::Result<()> {
    let mut known = app.store.open_uploads().await?;
    known.extend(app.store.pending_bundles().await?.into_iter().map(|bundle| bundle.upload_id));
    for entry in std::fs::read_dir(app.dir.uploads())? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !known.contains(&name) && !may_be_anothers(app, &path) {
            tracing::info!(file = %name, "removing what is left of a broken upload");
            drop(Temporary(path));
        }
    }
    Ok(())
}

/// Whether another portal that shares our folder may be writing this file.
fn may_be_anothers(app: &App, path: &Path) -> bool {
    let age =
        std::fs::metadata(path).and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
    app.store.kind() == Kind::Postgres && age.is_none_or(|age| age < LEFT_ALONE)
}

fn wrong_offset(upload: &Upload) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "wrong-offset",
        "The part is for another offset than the upload is at.",
        "Ask for the offset (HEAD) and go on from there.",
    )
    .with("upload-offset", upload.offset_bytes.to_string())
}

/// The answer when a device has no such upload.
pub fn unknown_upload() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown-upload",
        "There is no such upload: it was never created, was terminated or ran out.",
        "Create it again and send the file from its start.",
    )
}
