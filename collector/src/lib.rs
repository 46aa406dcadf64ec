//! Machine to facts, through one door.
//!
//! [`collect`] asks a [`source::Source`] everything that the [`probes`] want to know and returns what was seen, what
//! each probe did, the raw form of every answer and what it cost. It always completes. It holds no threshold, no
//! severity and no advice, writes nothing, wakes no disk and runs nothing outside a closed list of commands. Every
//! fact has a form in `raw/`: collecting from the raw forms gives the same facts again.
//!
//! Read next: [`source`], then [`probes`], then one probe.

mod bounded;
pub mod command;
#[cfg(test)]
mod commutes;
pub mod direct;
pub mod dmsetup;
mod door;
mod enclosure_conf;
pub mod hal_log;
#[cfg(test)]
mod hostile;
mod ini;
pub mod inventory_memory;
mod join;
pub mod judge;
mod lines;
#[cfg(feature = "live")]
pub mod live;
mod log_events;
mod log_text;
pub mod lvm_table;
pub mod management_cgi;
pub mod mdadm;
pub mod mdstat;
pub mod nut;
mod own_cost;
pub mod probes;
pub mod recorded;
pub mod recording;
pub mod remember;
pub mod ring;
pub mod self_test;
mod signatures;
pub mod smartctl;
pub mod snmp;
pub mod source;
mod woken;
mod xml;
pub mod zpool;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_bundle::Facts;
use assay_bundle::cost::Cost;
use assay_bundle::manifest::RunSource;
use assay_bundle::steps::Step;

use bounded::Bounded;
use own_cost::Meter;
use recording::Recording;
use source::Source;
use woken::Sleepers;

/// Version of the parsers, in every manifest. It changes whenever the same raw forms give other facts.
pub const PARSER_SET: u32 = 2;

/// How to collect.
#[derive(Clone)]
pub struct Options {
    /// Time for everything together.
    pub deadline: Duration,
    /// Time for one drive, all attempts together. A drive in error recovery answers a command after up to a minute.
    pub per_drive_deadline: Duration,
    /// Told what happens while it happens.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(150),
            per_drive_deadline: Duration::from_secs(75),
            progress: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("deadline", &self.deadline)
            .field("per_drive_deadline", &self.per_drive_deadline)
            .finish_non_exhaustive()
    }
}

/// One thing that began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The probe's name, one of [`probes::NAMES`].
    pub probe: &'static str,
    /// Began or ended.
    pub state: ProgressState,
    /// Which drive, where it is about one.
    pub detail: Option<String>,
}

/// Began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressState {
    /// It began.
    Started,
    /// It ended, however it ended.
    Finished,
}

/// What a collection brought.
#[derive(Clone, Debug)]
pub struct Collection {
    /// What was seen.
    pub facts: Facts,
    /// What each probe did, one per probe, in the order of [`probes::NAMES`].
    pub steps: Vec<Step>,
    /// The raw form of every answer: path below `raw/` to content.
    pub raw: BTreeMap<String, Vec<u8>>,
    /// What it cost this process.
    pub cost: Cost,
}

/// Runs every probe over `source`. Always completes: at the deadline, what has not answered is Unreadable with that
/// reason and everything else is kept.
///
/// A live source needs a tokio runtime with time enabled; a recording has no deadlines and needs none.
pub async fn collect(source: &dyn Source, options: &Options) -> Collection {
    let meter = Meter::start();
    let live = source.run_source() == RunSource::Live;
    let end = Instant::now().checked_add(options.deadline).filter(|_| live);
    let bounded = end.map(|end| Bounded::new(source, end, options.per_drive_deadline));
    let asked: &dyn Source = match &bounded {
        Some(bounded) => bounded,
        None => source,
    };
    let before = if live { woken::requests(asked).await } else { woken::Requests::new() };
    let recording = Recording::new(asked);
    let run = probes::Run { source: &recording, end, progress: options.progress.as_deref() };
    let (facts, steps) = probes::run_all(run).await;
    let sleepers = if live { woken::look_again(asked, &before, &facts).await } else { Sleepers::default() };
    let cost = meter.stop(source.counters(), sleepers);
    Collection { facts, steps, raw: recording.into_raw(), cost }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic)]
mod tests {
    //! It completes, it keeps what it got, and its raw form gives the same facts again.

    use std::sync::Mutex;

    use assay_bundle::steps::StepStatus;

    use super::*;
    use crate::recorded::RecordedSource;
    use crate::source::{Answer, Counters, Fetched, Request};

    /// A live machine that answers from files and never answers what its predicate names.
    struct Hanging {
        files: RecordedSource,
        hangs: fn(&Request) -> bool,
    }

    impl Source for Hanging {
        fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
            if (self.hangs)(request) {
                return Box::pin(std::future::pending::<Result<Fetched, source::Failure>>());
            }
            self.files.fetch(request)
        }

        fn run_source(&self) -> RunSource {
            RunSource::Live
        }

        fn counters(&self) -> Counters {
            Counters { processes_started: 3, readers_abandoned: 1 }
        }
    }

    fn files() -> BTreeMap<String, Vec<u8>> {
        let answer = r#"{"smartctl":{"exit_status":0},"device":{"name":"/dev/sda","type":"sat","protocol":"ATA"},"serial_number":"S1","smart_status":{"passed":true},"temperature":{"current":31}}"#;
        [
            ("sys/block/sda.link", "../devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda"),
            ("sys/block/sdb.link", "../devices/pci0000:00/ata2/host1/target1:0:0/1:0:0:0/block/sdb"),
            ("cmd/smartctl.sat.sda/stdout", answer),
            ("proc/uptime", "12.5 3.0\n"),
            ("proc/sys/kernel/osrelease", "5.10.60-qnap\n"),
            ("dev/kmsg", "3,1,5,-;ata2: hard resetting link\n"),
            ("sample/clock.json", r#"{"unix_s":1760000000}"#),
            ("sample/stuck.json", "[]"),
        ]
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .collect()
    }

    fn run(source: &dyn Source, options: &Options) -> Collection {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(collect(source, options))
    }

    fn step(collection: &Collection, name: &str) -> StepStatus {
        collection.steps.iter().find(|step| step.probe == name).expect("every probe has a step").status
    }

    fn check_replay(collection: &Collection) {
        let replayed = run(&RecordedSource::from_files(collection.raw.clone()), &Options::default());
        assert_eq!(replayed.facts, collection.facts);
    }

    #[test]
    fn a_recording_needs_no_clock_and_gives_the_same_facts_again() {
        let collection = run(&RecordedSource::from_files(files()), &Options::default());
        assert_eq!(
            collection.steps.iter().map(|step| step.probe.as_str()).collect::<Vec<_>>(),
            probes::NAMES
        );
        assert_eq!(step(&collection, "kernel_log"), StepStatus::Complete);
        assert_eq!(step(&collection, "edac"), StepStatus::NothingHere);
        assert_eq!(step(&collection, "host"), StepStatus::Failed);
        check_replay(&collection);
    }

    #[test]
    fn a_hanging_drive_costs_its_own_share_only() {
        let hangs: fn(&Request) -> bool =
            |request| request.place().starts_with("cmd/smartctl") && request.place().contains("sdb");
        let source = Hanging { files: RecordedSource::from_files(files()), hangs };
        let options = Options { per_drive_deadline: Duration::from_millis(40), ..Options::default() };
        let collection = run(&source, &options);
        let drives = collection.facts.drives.value().expect("both");
        assert_eq!(drives[0].health_passed.value(), Some(&true));
        assert!(drives[1].health_passed.why_not().is_some_and(|why| why.contains("no answer within")));
        assert_eq!(step(&collection, "drives"), StepStatus::Partial);
        assert_eq!(collection.cost.processes_started, 3);
        check_replay(&collection);
    }

    #[test]
    fn at_the_deadline_the_rest_is_kept() {
        let source = Hanging {
            files: RecordedSource::from_files(files()),
            hangs: |request| *request == Request::KernelLog,
        };
        let options = Options { deadline: Duration::from_millis(60), ..Options::default() };
        let collection = run(&source, &options);
        assert!(collection.facts.kernel_log.why_not().is_some_and(|why| why.contains("no answer within")));
        assert_eq!(step(&collection, "kernel_log"), StepStatus::DeadlineExceeded);
        assert_eq!(step(&collection, "clock"), StepStatus::Complete);
        assert!(collection.facts.drives.is_seen());
        check_replay(&collection);
    }

    #[test]
    fn of_questions_asked_together_those_answered_in_time_count() {
        let files = ["proc/uptime", "proc/mdstat"].map(|path| (path.to_owned(), b"said".to_vec()));
        let files = RecordedSource::from_files(files.into());
        let source = Hanging { files, hangs: |request| request.place() == "proc/version" };
        let paths = ["/proc/uptime", "/proc/none", "/proc/version", "/proc/mdstat"];
        let requests = paths.map(|path| Request::read(path, 9));
        let end = Instant::now() + Duration::from_millis(40);
        let bounded = Bounded::new(&source, end, Duration::from_secs(9));
        let mut answers = BTreeMap::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(bounded.fetch_all(&requests, &mut |at, answer| {
            assert!(answers.insert(at, answer).is_none(), "one answer each");
        }));
        let [Ok(said), Err(none), Err(late), Err(after)] =
            [&answers[&0], &answers[&1], &answers[&2], &answers[&3]]
        else {
            panic!("{answers:?}");
        };
        assert_eq!((said.text().as_str(), none), ("said", &source::Failure::NotFound));
        for failure in [late, after] {
            assert!(matches!(failure, source::Failure::Deadline { .. }), "{failure:?}");
        }
    }

    #[test]
    fn a_machine_that_never_answers_still_gives_a_collection() {
        let source = Hanging { files: RecordedSource::default(), hangs: |_| true };
        let options = Options { deadline: Duration::from_millis(30), ..Options::default() };
        let collection = run(&source, &options);
        assert_eq!(collection.steps.len(), probes::NAMES.len());
        for step in &collection.steps {
            let late = StepStatus::DeadlineExceeded;
            assert_eq!((step.status, step.errors.is_empty()), (late, false), "{}", step.probe);
        }
        check_replay(&collection);
    }

    #[test]
    fn progress_is_told_for_probes_and_drives() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let progress: Arc<dyn Fn(Progress) + Send + Sync> =
            Arc::new(move |progress| sink.lock().expect("one thread").push(progress));
        run(
            &RecordedSource::from_files(files()),
            &Options { progress: Some(progress), ..Options::default() },
        );
        let told = told.lock().expect("one thread");
        let count = |state, drive: Option<&str>| {
            told.iter().filter(|p| p.state == state && p.detail.as_deref() == drive).count()
        };
        for state in [ProgressState::Started, ProgressState::Finished] {
            assert_eq!((count(state, None), count(state, Some("sda"))), (probes::NAMES.len(), 1));
        }
    }

    #[test]
    fn what_leaves_reads_as_what_was_seen() {
        use assay_bundle::redact::{Door, Level, PseudonymKey};
        let mut files = files();
        let logs = "mnt/HDA_ROOT/.logs";
        let more = [
            (
                format!("{logs}/kmsg"),
                "2022-05-04 03:02:01  [    0.000000] Linux version 5.10.60-qnap (root@build) (gcc 7) #1 SMP\n\
                 2022-05-04 03:02:02  [    1.000000] Memory: 3855492K/3981688K available (1K)\n\
                 2022-05-04 03:05:01  [   95.1]  ====== 2022-05-04 03:05:01 TS-453D (5.0.0.1986-20220324) boot finished.\n\
                 2022-05-04 03:06:01  [  195.1] critical medium error, dev sdc, sector 81985529216486895 op 0x0:(READ)\n\
                 \0\0\x002022-05-05 03:02:01  [    0.000000] Linux version 5.10.60-qnap (root@build) (gcc 7) #1 SMP\n\
                 2022-05-05 03:02:09  [    9.0] mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 8: 9c00000000010091\n\
                 2022-05-05 03:02:19  [   19.0] EDAC MC0: 3 CE x on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1)\n",
            ),
            (format!("{logs}/pstore_1"), "[ 5.0] ata3: hard resetting link\n"),
            (
                "sample/event_log.jsonl".to_owned(),
                "{\"rows_read\":2}\n{\"id\":1,\"type\":2,\"time_unix_s\":1777900000,\"time_text\":null,\"text\":\"[RAID5 Disk Volume: Drive 1 2] Error occurred while accessing Drive 2. anna@example.com\"}\n\
                 {\"id\":2,\"type\":2,\"time_unix_s\":null,\"time_text\":\"2026-05-04 03:02:01\",\"text\":\"[Power] The system was not shutdown properly last time.\"}\n",
            ),
            (
                "sample/dimms.json".to_owned(),
                r#"{"slots":[{"label":"DIMM_A1","bank":"BANK 0","size_kib":8388608,"type_code":26,"manufacturer":"Samsung","part_number":"M391A1K43BB2-CTD","serial":"0A1B2C3D"}]}"#,
            ),
            ("sys/class/rtc/rtc0/since_epoch".to_owned(), "1760000003\n"),
        ];
        files.extend(more.map(|(path, text)| (path, text.as_bytes().to_vec())));
        let seen = run(&RecordedSource::from_files(files), &Options::default());
        let mut door = Door::open(&PseudonymKey([7; 32].into()), Level::default()).expect("a door");
        let raw = seen.raw.iter().filter_map(|(path, bytes)| {
            Some((path.clone(), door.raw(path, bytes).map(|clean| clean.bytes().to_vec())?))
        });
        let left: BTreeMap<_, _> = raw.collect();
        assert_eq!(left.len(), seen.raw.len(), "every raw form may leave");
        assert!(!String::from_utf8_lossy(&left["sample/event_log.jsonl"]).contains("anna"));
        let (_, told) = door.document("facts.json", seen.facts.clone()).expect("facts");
        let again = run(&RecordedSource::from_files(left), &Options::default()).facts;
        let json = |facts: &Facts, key: &str| serde_json::to_value(facts).expect("plain data")[key].clone();
        for key in ["kernel_log", "persisted_log", "pstore", "event_log", "memory_slots", "rtc"] {
            assert_eq!(json(&again, key), json(&told, key), "{key}");
        }
        assert_eq!(json(&again, "persisted_log"), json(&seen.facts, "persisted_log"));
        assert_eq!(again.persisted_log.value().map(|log| (log.boots.len(), log.events.len())), Some((2, 3)));
    }

    #[test]
    fn a_collection_can_move_between_threads() {
        fn is_send<T: Send>(_: &T) {}
        let source = RecordedSource::default();
        let options = Options::default();
        is_send(&collect(&source, &options));
    }
}
