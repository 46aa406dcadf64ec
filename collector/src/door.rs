//! What a probe holds: the source, with small readings made easy and every failure kept for the step's record.
//!
//! Nothing here decides what a missing file means for a fact beyond the rule that all sysfs probes share: not there is
//! Absent, everything else that failed is Unreadable with the noun and the chain, and a text that is not what it
//! should be is Unreadable and named by its path. Contents never stand in an error text: they may be personal.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use assay_bundle::Observed;

use crate::source::{Failure, Fetched, Request, Source};

/// Most bytes of one attribute file: sysfs gives at most one page, which is up to 64 KiB on ARM.
pub(crate) const ATTRIBUTE_BYTES: u64 = 64 * 1024;
/// Most errors kept for one step; the raw forms keep the rest.
const MOST_ERRORS: usize = 200;

/// Why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is not there.
    NotThere,
    /// It could not be read; the noun and the chain, and the next step where there is one.
    Failed(String),
    /// The program that reads it is not installed; in words with the next step.
    NoTool(String),
}

impl Missing {
    /// What it means for a reading of something that a machine may simply not have.
    pub(crate) fn observed<T>(self) -> Observed<T> {
        match self {
            Self::NotThere => Observed::Absent,
            Self::Failed(why) | Self::NoTool(why) => Observed::Unreadable { why },
        }
    }

    /// What it means for a reading of something that every machine has.
    pub(crate) fn required<T>(self, noun: &str) -> Observed<T> {
        match self {
            Self::NotThere => Observed::unreadable(format!("{noun}: it is not there")),
            Self::Failed(why) | Self::NoTool(why) => Observed::Unreadable { why },
        }
    }
}

#[derive(Default)]
struct Tally {
    bytes: u64,
    errors: Vec<String>,
    ran_out: bool,
}

/// The future of one reading. On the heap and behind one type, because a probe asks dozens of questions in a row: the
/// code that waits for an answer would else be in each of those places.
pub(crate) type Reading<'s, T> = Pin<Box<dyn Future<Output = T> + Send + 's>>;

/// One probe's way to the source.
pub(crate) struct Door<'a> {
    source: &'a dyn Source,
    tally: Mutex<Tally>,
}

impl<'a> Door<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self { source, tally: Mutex::default() }
    }

    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes read, every failed reading, and whether anything ran into a deadline.
    pub(crate) fn close(self) -> (u64, Vec<String>, bool) {
        let tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        (tally.bytes, tally.errors, tally.ran_out)
    }

    /// Keeps the words of a failed reading for the step.
    pub(crate) fn note(&self, why: &str) {
        let mut tally = self.tally();
        if tally.errors.len() < MOST_ERRORS && !tally.errors.iter().any(|known| known == why) {
            tally.errors.push(why.to_owned());
        }
    }

    /// Keeps the words of a failed reading for the step, and passes the reading on.
    pub(crate) fn noted<T>(&self, reading: Observed<T>) -> Observed<T> {
        if let Observed::Unreadable { why } = &reading {
            self.note(why);
        }
        reading
    }

    /// Asks for one thing.
    pub(crate) fn ask<'s>(&'s self, request: &'s Request) -> Reading<'s, Result<Fetched, Missing>> {
        Box::pin(async move { self.answered(request, self.source.fetch(request).await) })
    }

    /// Asks for small files and links of one folder together, because the questions that follow will want all of them.
    /// Those find the answers where everything that was answered is kept; nothing is told here.
    pub(crate) async fn ahead(&self, requests: &[Request]) {
        self.source.fetch_all(requests, &mut |_, _| {}).await;
    }

    /// The same for attribute files.
    pub(crate) async fn attributes_ahead(&self, folder: &str, names: &[&str]) {
        let request = |name: &&str| Request::read(format!("{folder}/{name}"), ATTRIBUTE_BYTES);
        self.ahead(&names.iter().map(request).collect::<Vec<_>>()).await;
    }

    fn answered(&self, request: &Request, answer: Result<Fetched, Failure>) -> Result<Fetched, Missing> {
        match answer {
            Ok(fetched) => {
                let size = fetched.bytes.len().saturating_add(fetched.stderr.len());
                let mut tally = self.tally();
                tally.bytes = tally.bytes.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
                drop(tally);
                Ok(fetched)
            }
            Err(Failure::NotFound) => Err(Missing::NotThere),
            Err(failure) => Err(self.failed(request, &failure)),
        }
    }

    /// Asks a command that only some machines have: where it is not installed, there is nothing.
    pub(crate) async fn ask_if_installed(&self, request: &Request) -> Result<Fetched, Missing> {
        match self.source.fetch(request).await {
            Err(Failure::NoTool { .. }) => Err(Missing::NotThere),
            answer => self.answered(request, answer),
        }
    }

    /// Asks for something that most machines refuse in good health (a service that is off, a page without a session):
    /// the failure is no error of the step.
    pub(crate) async fn try_ask(&self, request: &Request) -> Result<Fetched, Missing> {
        let known = self.tally().errors.clone();
        let answer = self.ask(request).await;
        self.tally().errors = known;
        answer
    }

    fn failed(&self, request: &Request, failure: &Failure) -> Missing {
        let why = match failure {
            // These name what they are about themselves.
            Failure::Io { why } => why.clone(),
            Failure::Denied { .. } | Failure::NoTool { .. } => failure.to_string(),
            _ => format!("{}: {failure}", request.noun()),
        };
        self.note(&why);
        match failure {
            Failure::NoTool { .. } => Missing::NoTool(why),
            Failure::Deadline { .. } => {
                self.tally().ran_out = true;
                Missing::Failed(why)
            }
            _ => Missing::Failed(why),
        }
    }

    /// The names in a folder, sorted.
    pub(crate) fn names<'s>(&'s self, path: &'s str) -> Reading<'s, Result<Vec<String>, Missing>> {
        Box::pin(async move { Ok(self.ask(&Request::list(path)).await?.names()) })
    }

    /// The target of a link; not there is Absent.
    pub(crate) fn link<'s>(&'s self, path: &'s str) -> Reading<'s, Observed<String>> {
        Box::pin(async move {
            match self.ask(&Request::link(path)).await {
                Ok(fetched) => Observed::seen(fetched.text().trim().to_owned(), fetched.place),
                Err(missing) => missing.observed(),
            }
        })
    }

    /// The text of a small file without the blanks and NULs around it; an empty one and one that is not there are
    /// Absent.
    pub(crate) fn text<'s>(&'s self, path: &'s str) -> Reading<'s, Observed<String>> {
        Box::pin(async move {
            match self.ask(&Request::read(path, ATTRIBUTE_BYTES)).await {
                Ok(fetched) => {
                    let text = fetched.text();
                    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
                    if text.is_empty() {
                        Observed::Absent
                    } else {
                        Observed::seen(text.to_owned(), fetched.place)
                    }
                }
                Err(missing) => missing.observed(),
            }
        })
    }

    /// A small file that `read` makes something of; what it does not understand is Unreadable and `noun` says what
    /// was expected.
    pub(crate) async fn value<T>(
        &self,
        path: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Observed<T> {
        let text = self.text(path).await;
        self.noted(understand(text, path, expected, read))
    }

    /// A whole number of any type.
    pub(crate) async fn number<T: std::str::FromStr>(&self, path: &str) -> Observed<T> {
        self.value(path, "a whole number of its range", |text| text.parse().ok()).await
    }

    /// A flag that is `0` or `1`.
    pub(crate) async fn flag(&self, path: &str) -> Observed<bool> {
        self.value(path, "0 or 1", flag).await
    }
}

/// `0` or `1`.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// Makes something of a text that was read at `path`.
pub(crate) fn understand<T>(
    text: Observed<String>,
    path: &str,
    expected: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Observed<T> {
    match text {
        Observed::Seen { value, from } => match read(&value) {
            Some(value) => Observed::Seen { value, from },
            None => Observed::unreadable(format!("{path}: its content is not {expected}")),
        },
        Observed::Absent => Observed::Absent,
        Observed::Unreadable { why } => Observed::Unreadable { why },
        Observed::NotCollected => Observed::NotCollected,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! For tests of probes: a door to a handful of recorded files.

    use super::Door;
    use crate::recorded::RecordedSource;

    /// Runs a probe over recorded files (path below `raw/`, content).
    #[allow(clippy::expect_used)]
    pub(crate) fn run<T>(files: &[(&str, &str)], probe: impl AsyncFnOnce(&Door<'_>) -> T) -> T {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let source = RecordedSource::from_files(files);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { probe(&Door::new(&source)).await })
    }
}
