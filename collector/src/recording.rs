//! A source that keeps the raw form of everything that it was asked: what goes below `raw/` in the bundle.
//!
//! Each thing is asked for once. A second request for it gets the first answer, so that one run sees one state of the
//! machine, and a failure is not provoked twice. Every answer is read back out of the recorded form: a probe never
//! sees anything that the recording does not say, so a replay of the recording gives the same facts.
//!
//! What does not fit into [`MAX_RECORDING_BYTES`] is an unreadable reading with that reason, for the probe as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use assay_bundle::manifest::RunSource;

use crate::recorded::{self, MANNER, Status, TRUNCATED};
use crate::source::{Answer, Answers, Counters, Failure, Fetched, Keep, Request, Source};

/// Most bytes that one run keeps in memory. A NAS has little of everything; the largest known honest run is a tenth.
pub const MAX_RECORDING_BYTES: usize = 64 * 1024 * 1024;

/// A source around another one that keeps what was answered.
pub struct Recording<'s> {
    inner: &'s dyn Source,
    room_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    asked: BTreeSet<String>,
    files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

impl<'s> Recording<'s> {
    /// Records what `inner` answers.
    pub fn new(inner: &'s dyn Source) -> Self {
        Self::with_room(inner, MAX_RECORDING_BYTES)
    }

    /// The same with another limit, in bytes of content.
    pub fn with_room(inner: &'s dyn Source, room_bytes: usize) -> Self {
        Self { inner, room_bytes, kept: Mutex::default() }
    }

    /// What was recorded: path below `raw/` to content.
    pub fn into_raw(self) -> BTreeMap<String, Vec<u8>> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner).files
    }

    /// What is recorded so far.
    pub fn raw(&self) -> BTreeMap<String, Vec<u8>> {
        self.kept().files.clone()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recorded(&self, request: &Request) -> Option<Result<Fetched, Failure>> {
        let kept = self.kept();
        kept.asked.contains(&request.place()).then(|| recorded::answer(&kept.files, request))
    }

    fn record(&self, request: &Request, answer: Result<Fetched, Failure>) -> Result<Fetched, Failure> {
        let mut kept = self.kept();
        if kept.asked.insert(request.place()) {
            let files = answer
                .map_or_else(|failure| failure_files(request, &failure), |read| read_files(request, read));
            let size = files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
            let files = if kept.bytes.saturating_add(size) > self.room_bytes {
                let limit_mib = self.room_bytes / (1024 * 1024);
                let why = format!("{}: left out, one run keeps at most {limit_mib} MiB", request.noun());
                failure_files(request, &Failure::Io { why })
            } else {
                files
            };
            kept.bytes = kept.bytes.saturating_add(files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
            kept.files.extend(files);
        }
        recorded::answer(&kept.files, request)
    }
}

impl Source for Recording<'_> {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        Box::pin(async move {
            request.check()?;
            if let Some(answer) = self.recorded(request) {
                return answer;
            }
            let answer = self.inner.fetch(request).await;
            self.record(request, answer)
        })
    }

    fn fetch_all<'a>(&'a self, requests: &'a [Request], keep: Keep<'a>) -> Answers<'a> {
        Box::pin(async move {
            let mut new = Vec::new();
            for (at, request) in requests.iter().enumerate() {
                match request.check() {
                    Err(failure) => keep(at, Err(failure)),
                    Ok(()) => match self.recorded(request) {
                        Some(answer) => keep(at, answer),
                        None => new.push((at, request.clone())),
                    },
                }
            }
            let (places, wanted): (Vec<usize>, Vec<Request>) = new.into_iter().unzip();
            self.inner
                .fetch_all(&wanted, &mut |at, answer| {
                    if let (Some(place), Some(request)) = (places.get(at), wanted.get(at)) {
                        keep(*place, self.record(request, answer));
                    }
                })
                .await;
        })
    }

    fn run_source(&self) -> RunSource {
        self.inner.run_source()
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }
}

fn failure_files(request: &Request, failure: &Failure) -> Vec<(String, Vec<u8>)> {
    match failure {
        Failure::NotFound => Vec::new(),
        failure => vec![(request.failure_place(), json(failure))],
    }
}

fn read_files(request: &Request, read: Fetched) -> Vec<(String, Vec<u8>)> {
    let place = request.place();
    if let Request::Run(command) = request {
        let folder = format!("cmd/{}", command.slug());
        let mut files = vec![(place, read.bytes)];
        if !read.stderr.is_empty() {
            files.push((format!("{folder}/stderr"), read.stderr));
        }
        if let Some(exit) = read.exit {
            files.push((format!("{folder}/status.json"), json(&Status { exit, truncated: read.truncated })));
        }
        return files;
    }
    let mut files = Vec::new();
    if read.truncated {
        files.push((format!("{place}{TRUNCATED}"), Vec::new()));
    }
    if let Some(manner) = &read.manner {
        files.push((format!("{place}{MANNER}"), json(manner)));
    }
    files.push((place, read.bytes));
    files
}

/// Plain data of our own always serialises; an empty file would read back as "a failure this version cannot read".
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::command::Command;
    use crate::recorded::RecordedSource;
    use crate::source::Exit;

    /// Answers from a list, once each.
    struct Script(Mutex<VecDeque<Result<Fetched, Failure>>>);

    impl Source for Script {
        fn fetch<'a>(&'a self, _: &'a Request) -> Answer<'a> {
            let next = self.0.lock().expect("one thread").pop_front();
            Box::pin(std::future::ready(next.expect("a scripted answer")))
        }

        fn run_source(&self) -> RunSource {
            RunSource::Live
        }
    }

    fn read(text: &str) -> Result<Fetched, Failure> {
        Ok(Fetched { bytes: text.as_bytes().to_vec(), ..Fetched::default() })
    }

    /// Asks once with a scripted answer; the recording alone must then answer the same, and hold `files`.
    fn check(request: &Request, scripted: Result<Fetched, Failure>, files: &[&str]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let script = Script(Mutex::new([scripted].into()));
        let recording = Recording::new(&script);
        let first = runtime.block_on(recording.fetch(request));
        let again = runtime.block_on(recording.fetch(request));
        assert_eq!(first, again);
        let raw = recording.into_raw();
        assert_eq!(raw.keys().map(String::as_str).collect::<Vec<_>>(), files);
        let replayed = RecordedSource::from_files(raw);
        assert_eq!(runtime.block_on(replayed.fetch(request)), first);
    }

    #[test]
    fn a_recording_answers_like_the_machine() {
        let file = Request::read("/a/b", 9);
        check(&file, read("x"), &["a/b"]);
        check(
            &file,
            read("x").map(|fetched| Fetched { truncated: true, ..fetched }),
            &["a/b", "a/b.truncated"],
        );
        check(&file, Err(Failure::NotFound), &[]);
        check(&file, Err(Failure::Deadline { after_ms: 5000 }), &["a/b.unreadable"]);
        let manner = crate::source::Manner { locked: false, age_s: Some(-3) };
        check(
            &Request::read_locked("/a/b", 9, "/l"),
            read("x").map(|fetched| Fetched { manner: Some(manner), ..fetched }),
            &["a/b", "a/b.read"],
        );
        check(&Request::list("/a"), read(""), &["a/.list"]);
        check(&Request::list("/a"), Err(Failure::TooManyStuck), &["a/.list.unreadable"]);
        check(&Request::link("/a/b"), read("../c"), &["a/b.link"]);
        check(
            &Request::KernelLog,
            Err(Failure::Denied { what: "/dev/kmsg".into() }),
            &["dev/kmsg.unreadable"],
        );
        check(&Request::ClockSample, read("{}"), &["sample/clock.json"]);
    }

    #[test]
    fn a_command_is_recorded_with_its_status() {
        let exit = Some(Exit { exit_code: None, signal: Some(9), duration_ms: 3 });
        let fetched = Fetched {
            bytes: b"out".into(),
            stderr: b"err".into(),
            exit,
            truncated: true,
            ..Fetched::default()
        };
        let folder = "cmd/smartctl.version";
        let files = ["status.json", "stderr", "stdout"].map(|name| format!("{folder}/{name}"));
        check(&Request::Run(Command::SmartctlVersion), Ok(fetched), &files.each_ref().map(String::as_str));
        check(
            &Request::Run(Command::SmartctlVersion),
            Err(Failure::NoTool { name: "smartctl".into() }),
            &["cmd/smartctl.version.unreadable"],
        );
    }

    #[test]
    fn what_does_not_fit_is_unreadable_for_the_probe_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let script = Script(Mutex::new([read("12345"), read("678"), read("9")].into()));
        let recording = Recording::with_room(&script, 6);
        let ask = |path: &str| runtime.block_on(recording.fetch(&Request::read(path, 9)));
        assert!(ask("/a").is_ok());
        assert!(matches!(ask("/b"), Err(Failure::Io { why }) if why.contains("/b: left out")));
        assert!(ask("/c").is_err());
        assert_eq!(recording.into_raw().keys().collect::<Vec<_>>(), ["a", "b.unreadable", "c.unreadable"]);
    }

    #[test]
    fn what_is_asked_together_is_recorded_as_if_asked_alone() {
        let files =
            [("a/b", "text"), ("a/c.unreadable", r#"{"denied":{"what":"/a/c"}}"#), ("a/d.link", "../e")];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let machine = RecordedSource::from_files(files.into());
        let requests = [
            Request::read("/a/b", 9),
            Request::read("/a/none", 9),
            Request::read("/a/../b", 9),
            Request::read("/a/c", 9),
            Request::link("/a/d"),
            Request::read("/a/b", 9),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (alone, together) = (Recording::new(&machine), Recording::new(&machine));
        // One of them was asked before.
        let known = runtime.block_on(together.fetch(&requests[4]));
        assert!(known.is_ok());
        let mut answers = vec![None; requests.len()];
        runtime.block_on(together.fetch_all(&requests, &mut |at, answer| answers[at] = Some(answer)));
        for (request, answer) in requests.iter().zip(answers) {
            assert_eq!(answer, Some(runtime.block_on(alone.fetch(request))), "{request:?}");
        }
        assert_eq!(together.into_raw(), alone.into_raw());
    }
}
