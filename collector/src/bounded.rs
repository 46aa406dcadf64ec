//! Deadlines around a live source, so that a collection always completes.
//!
//! Each request gets what is left of the whole run; one that touches a drive gets what is left of that drive's share,
//! which starts when the drive is first asked. What is late fails with a deadline, and because the recording stands
//! outside of this, the failure has its form in `raw/` like every other. Nothing new is started after the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_bundle::manifest::RunSource;

use crate::source::{Answer, Answers, Counters, Failure, Keep, Request, Source};

/// A source with a deadline for everything.
pub(crate) struct Bounded<'s> {
    inner: &'s dyn Source,
    started: Instant,
    end: Instant,
    per_drive: Duration,
    asked_first: Mutex<BTreeMap<String, Instant>>,
}

impl<'s> Bounded<'s> {
    /// Ends at `end`, and each drive `per_drive` after it was first asked.
    pub(crate) fn new(inner: &'s dyn Source, end: Instant, per_drive: Duration) -> Self {
        Self { inner, started: Instant::now(), end, per_drive, asked_first: Mutex::default() }
    }

    /// When the time for a request began and ends.
    fn share(&self, request: &Request, now: Instant) -> (Instant, Instant) {
        let whole = (self.started, self.end);
        let Some(device) = request.device() else { return whole };
        let mut asked_first = self.asked_first.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *asked_first.entry(device.to_owned()).or_insert(now);
        first.checked_add(self.per_drive).filter(|end| *end < self.end).map_or(whole, |end| (first, end))
    }
}

/// The failure says how long the whole share was, not how long this one request was waited for: what had no turn at
/// all failed for the same reason.
fn late(began: Instant) -> Failure {
    Failure::Deadline { after_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) }
}

impl Source for Bounded<'_> {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        Box::pin(async move {
            let now = Instant::now();
            let (began, end) = self.share(request, now);
            if now >= end {
                return Err(late(began));
            }
            match tokio::time::timeout_at(end.into(), self.inner.fetch(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(late(began)),
            }
        })
    }

    fn fetch_all<'a>(&'a self, requests: &'a [Request], keep: Keep<'a>) -> Answers<'a> {
        Box::pin(async move {
            let mut open = vec![true; requests.len()];
            // A drive has a share of its own; what touches none has what is left of the whole.
            if requests.iter().all(|request| request.device().is_none()) && Instant::now() < self.end {
                let mut kept = |at: usize, answer| {
                    if let Some(open) = open.get_mut(at) {
                        *open = false;
                    }
                    keep(at, answer);
                };
                let answered = self.inner.fetch_all(requests, &mut kept);
                // What is still open is late, and is told so below.
                let _ = tokio::time::timeout_at(self.end.into(), answered).await;
            }
            for (at, request) in requests.iter().enumerate().filter(|(at, _)| open.get(*at) == Some(&true)) {
                keep(at, self.fetch(request).await);
            }
        })
    }

    fn run_source(&self) -> RunSource {
        self.inner.run_source()
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }
}
