//! One run of one upload: where it is, the next step, and what a failure does to it.

use std::fs::File;
use std::time::{Duration, Instant};

use assay_bundle::keys::SigningKey;
use assay_bundle::receipt::SignedReceipt;
use data_encoding::BASE64;
use tokio::time::sleep;

use super::judge::{self, Asked, Meaning};
use super::{Phase, Progress, Resume, Sent, Upload, UploadError};
use crate::part::PartSize;
use crate::portal::answer::Answer;
use crate::portal::call::{Body, Call, part_digest};
use crate::portal::{Portal, PortalError};
use crate::retry::{self, Next, RetryPolicy};
use crate::spool::{SpoolError, disk};
use crate::trust::{Trust, TrustError};

/// Between two questions for the receipt, when the portal names no time.
const RECEIPT_POLL: Duration = Duration::from_secs(2);
/// Never asks more often than this, whatever the portal names.
const RECEIPT_POLL_FLOOR: Duration = Duration::from_millis(200);
/// How often an upload that vanished is begun again in one run.
const RECREATIONS: u32 = 3;

pub(super) struct Session<'a> {
    portal: &'a Portal,
    key: &'a SigningKey,
    policy: &'a RetryPolicy,
    upload: &'a Upload<'a>,
    remember: &'a mut dyn FnMut(&Resume) -> Result<(), SpoolError>,
    progress: &'a dyn Fn(Progress),
    size: PartSize,
    /// Path of the upload; none before creation and after it vanished.
    url: Option<String>,
    /// Bytes the portal has; none when that must be asked.
    offset: Option<u64>,
    /// The highest offset the portal has told for this upload: what a failure is measured against.
    best_bytes: u64,
    remembered: Option<Resume>,
    /// Failures since the last byte of progress.
    failures: u32,
    recreations: u32,
}

/// Why a step did not succeed.
enum Setback {
    Met { meaning: Meaning, asked: Asked, error: PortalError, retry_after: Option<Duration> },
    Fatal(UploadError),
}

impl<'a> Session<'a> {
    pub(super) fn new(
        portal: &'a Portal,
        key: &'a SigningKey,
        policy: &'a RetryPolicy,
        upload: &'a Upload<'a>,
        remember: &'a mut dyn FnMut(&Resume) -> Result<(), SpoolError>,
        progress: &'a dyn Fn(Progress),
    ) -> Self {
        let resume = upload.resume.clone();
        Self {
            portal,
            key,
            policy,
            upload,
            remember,
            progress,
            size: PartSize::new(resume.as_ref().map(|resume| resume.part_bytes)),
            url: resume.as_ref().map(|resume| resume.url.clone()),
            offset: None,
            best_bytes: 0,
            remembered: resume,
            failures: 0,
            recreations: 0,
        }
    }

    /// Sends what is missing, then waits for the receipt. An upload that vanishes in between is begun again.
    pub(super) async fn run(mut self, trust: &Trust) -> Result<Sent, UploadError> {
        self.check_file()?;
        let asking_since = loop {
            match self.step().await {
                Ok(false) => {}
                Ok(true) => break Instant::now(),
                Err(setback) => self.after(setback).await?,
            }
        };
        loop {
            match self.ask_receipt().await {
                Ok(Some(signed)) => return self.believe(trust, signed).await,
                Ok(None) if asking_since.elapsed() >= self.policy.receipt_wait => {
                    return Ok(Sent::StillReading { wait: RECEIPT_POLL });
                }
                Ok(None) => {}
                Err(setback) => {
                    self.after(setback).await?;
                    // Gone after the last byte: everything again, and then the receipt again.
                    while self.url.is_none() || self.offset != Some(self.upload.size_bytes) {
                        if let Err(setback) = self.step().await {
                            self.after(setback).await?;
                        }
                    }
                }
            }
        }
    }

    /// A file that changed on disk would be refused by the portal after the last byte; here it costs nothing.
    fn check_file(&self) -> Result<(), UploadError> {
        self.tell(Phase::Checking, 0);
        let path = self.upload.path;
        let unreadable = |source| UploadError::Stopped(PortalError::File { path: path.to_owned(), source });
        let (found, _size) = File::open(path).and_then(disk::digest).map_err(unreadable)?;
        if found == self.upload.sha256 {
            return Ok(());
        }
        Err(UploadError::Changed { path: path.to_owned(), found, wanted: self.upload.sha256.clone() })
    }

    /// One call forward; true when the portal has every byte.
    async fn step(&mut self) -> Result<bool, Setback> {
        let Some(url) = self.url.clone() else {
            self.create().await?;
            return Ok(false);
        };
        match self.offset {
            None => self.ask_how_far(&url).await?,
            Some(offset) if offset < self.upload.size_bytes => self.send_part(&url, offset).await?,
            Some(_) => return Ok(true),
        }
        Ok(self.offset == Some(self.upload.size_bytes))
    }

    async fn create(&mut self) -> Result<(), Setback> {
        self.tell(Phase::Asking, 0);
        let metadata = format!("sha256 {}", BASE64.encode(self.upload.sha256.as_bytes()));
        let call = Call {
            method: "POST",
            path: "/api/v1/uploads",
            tus: true,
            upload_length: Some(self.upload.size_bytes),
            upload_metadata: Some(&metadata),
            ..Call::default()
        };
        let answer = self.call(Asked::Create, &call, &[200, 201]).await?;
        let path = answer.location().and_then(|location| self.portal.own_path(location));
        let Some(path) = path else {
            return Err(unagreed(Asked::Create, &answer, "without the path of an upload"));
        };
        self.url = Some(path);
        self.offset = None;
        self.best_bytes = 0;
        self.save();
        Ok(())
    }

    async fn ask_how_far(&mut self, url: &str) -> Result<(), Setback> {
        self.tell(Phase::Asking, self.best_bytes);
        let call = Call { method: "HEAD", path: url, tus: true, ..Call::default() };
        let answer = self.call(Asked::HowFar, &call, &[200, 204]).await?;
        let offset = answer.number("upload-offset").filter(|offset| *offset <= self.upload.size_bytes);
        let length = answer.number("upload-length").unwrap_or(self.upload.size_bytes);
        match offset {
            Some(offset) if length == self.upload.size_bytes => {
                self.committed(offset);
                Ok(())
            }
            _ => {
                Err(unagreed(Asked::HowFar, &answer, "with an offset or a length that is not this bundle's"))
            }
        }
    }

    async fn send_part(&mut self, url: &str, offset: u64) -> Result<(), Setback> {
        let length = self.size.bytes().min(self.upload.size_bytes - offset);
        self.save();
        self.tell(Phase::Sending, offset);
        let path = self.upload.path;
        let unreadable = |source| {
            Setback::Fatal(UploadError::Stopped(PortalError::File { path: path.to_owned(), source }))
        };
        let digest = part_digest(path, offset, length).await.map_err(unreadable)?;
        let call = Call {
            method: "PATCH",
            path: url,
            body: Body::Part { file: path, offset, length, digest: &digest },
            tus: true,
            upload_offset: Some(offset),
            ..Call::default()
        };
        let begun = Instant::now();
        // Until the answer is there nobody knows how far the portal is.
        self.offset = None;
        let answer = self.call(Asked::Part, &call, &[200, 204]).await?;
        let Some(reached) = answer.number("upload-offset").filter(|reached| *reached == offset + length)
        else {
            return Err(unagreed(Asked::Part, &answer, "with an offset that is not the end of the part"));
        };
        self.committed(reached);
        self.size.survived(begun.elapsed());
        self.tell(Phase::Sending, reached);
        Ok(())
    }

    /// Asks for the receipt; while the portal reads, waits as long as it asks for.
    async fn ask_receipt(&mut self) -> Result<Option<SignedReceipt>, Setback> {
        self.tell(Phase::Reading, self.upload.size_bytes);
        let path = format!("{}/receipt", self.url.as_deref().unwrap_or_default());
        let call = Call { method: "GET", path: &path, ..Call::default() };
        let answer = self.call(Asked::Receipt, &call, &[200, 202]).await?;
        self.failures = 0;
        if answer.status == 202 {
            let asked = answer.retry_after(self.portal.now_unix_s()).unwrap_or(RECEIPT_POLL);
            sleep(asked.clamp(RECEIPT_POLL_FLOOR, self.policy.receipt_wait.max(RECEIPT_POLL_FLOOR))).await;
            return Ok(None);
        }
        answer.json().map(Some).map_err(|error| Setback::Fatal(UploadError::Stopped(error)))
    }

    /// A receipt by a newer online key is believed when the pinned root vouches for that key.
    async fn believe(&self, trust: &Trust, signed: SignedReceipt) -> Result<Sent, UploadError> {
        let stopped = |error| UploadError::Stopped(PortalError::Trust(error));
        let receipt = match trust.receipt(&signed, &self.upload.sha256) {
            Err(TrustError::Receipt(_)) => {
                let card = self.portal.card().await.map_err(UploadError::Stopped)?;
                let newer = trust.rotated(&card).map_err(stopped)?;
                newer.receipt(&signed, &self.upload.sha256)
            }
            believed => believed,
        };
        let receipt = receipt.map_err(stopped)?;
        self.tell(Phase::Done, self.upload.size_bytes);
        Ok(Sent::Receipt { signed, receipt })
    }

    /// Makes a call; an answer with another status than `wanted` is a setback.
    async fn call(&self, asked: Asked, call: &Call<'_>, wanted: &[u16]) -> Result<Answer, Setback> {
        let at = call.upload_offset.unwrap_or(0);
        let mut sent = |bytes: u64| self.tell(Phase::Sending, at + bytes);
        let answer = self.portal.call(Some(self.key), call, &mut sent).await.map_err(|error| {
            Setback::Met { meaning: judge::error(asked, &error), asked, error, retry_after: None }
        })?;
        if wanted.contains(&answer.status) {
            return Ok(answer);
        }
        Err(Setback::Met {
            meaning: judge::answer(asked, &answer),
            asked,
            error: answer.refusal(),
            retry_after: answer.retry_after(self.portal.now_unix_s()),
        })
    }

    fn committed(&mut self, offset: u64) {
        self.offset = Some(offset);
        if offset > self.best_bytes {
            self.best_bytes = offset;
            self.failures = 0;
        }
    }

    /// Draws the consequence of a setback: an error ends the run, otherwise the next step may be taken.
    async fn after(&mut self, setback: Setback) -> Result<(), UploadError> {
        let (meaning, asked, error, retry_after) = match setback {
            Setback::Fatal(error) => return Err(error),
            Setback::Met { meaning, asked, error, retry_after } => (meaning, asked, error, retry_after),
        };
        tracing::debug!(
            id = self.upload.id,
            ?asked,
            ?meaning,
            error = crate::portal::chain(&error),
            "setback"
        );
        self.failures += 1;
        let mut at_once = asked == Asked::Part && self.failures == 1 && retry_after.is_none();
        match meaning {
            Meaning::Refused => return Err(UploadError::Refused(error)),
            Meaning::Stop => return Err(UploadError::Stopped(error)),
            Meaning::Resync => self.offset = None,
            Meaning::Gone => {
                self.recreations += 1;
                (self.url, self.offset) = (None, None);
                at_once = false;
                if self.recreations > RECREATIONS {
                    return Err(self.gave_up(Duration::ZERO, error));
                }
            }
            Meaning::Again { smaller } => {
                at_once &= smaller;
                if smaller {
                    self.size.broke();
                }
            }
        }
        // The first break after progress is the line's nature, not a portal in distress: no wait.
        if at_once {
            return Ok(());
        }
        match self.policy.next(self.failures, retry_after, retry::random()) {
            Next::After(wait) => {
                self.tell(Phase::Waiting, self.best_bytes);
                sleep(wait).await;
                Ok(())
            }
            Next::GiveUp(wait) => Err(self.gave_up(wait, error)),
        }
    }

    fn gave_up(&self, wait: Duration, source: PortalError) -> UploadError {
        UploadError::GaveUp {
            committed_bytes: self.best_bytes,
            total_bytes: self.upload.size_bytes,
            failures: self.failures,
            wait,
            source,
        }
    }

    /// Remembers where the upload is and what a process that dies now should begin with. At a steady part size this
    /// writes nothing. A volume that takes no more is a reason to get the bundle off it, not to stop: what is forgotten
    /// costs the next run a question, because the portal knows the bundle by its digest.
    fn save(&mut self) {
        let Some(url) = self.url.clone() else { return };
        let resume = Resume { url, part_bytes: self.size.after_a_kill() };
        if self.remembered.as_ref() == Some(&resume) {
            return;
        }
        if let Err(error) = (self.remember)(&resume) {
            tracing::warn!(
                id = self.upload.id,
                error = crate::portal::chain(&error),
                "the upload cannot be remembered"
            );
        }
        self.remembered = Some(resume);
    }

    fn tell(&self, phase: Phase, sent_bytes: u64) {
        (self.progress)(Progress {
            id: self.upload.id.to_owned(),
            sent_bytes,
            total_bytes: self.upload.size_bytes,
            part_bytes: self.size.bytes(),
            phase,
        });
    }
}

/// A success that does not fit the protocol.
fn unagreed(asked: Asked, answer: &Answer, what: &str) -> Setback {
    let error = PortalError::Answer { status: answer.status, what: what.to_owned() };
    Setback::Met { meaning: Meaning::Stop, asked, error, retry_after: None }
}
