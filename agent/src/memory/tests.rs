//! The writer over real folders: appended, rotated, torn, in the way, two at once. What it writes is read back.

use assay_collector::recorded::RecordedSource;

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::*;

/// A child that another test starts holds copies of this process's lock files until it has become its program, so
/// nothing is locked while children are started. The product locks in a process that starts none.
static CHILDREN_START: RwLock<()> = RwLock::new(());

/// A folder for the data volume and one for RAM. One at a time in a test: two waits for one lock could wait for ever.
struct Machine {
    volume: tempfile::TempDir,
    ram: tempfile::TempDir,
    _no_child_starts: RwLockReadGuard<'static, ()>,
}

impl Machine {
    fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        let _no_child_starts = CHILDREN_START.read().unwrap_or_else(PoisonError::into_inner);
        Self { volume: folder(), ram: folder(), _no_child_starts }
    }

    fn folder(&self) -> PathBuf {
        self.volume.path().join("assay/memory")
    }

    fn errand(&self, begins: bool, what: ToRemember) -> Errand {
        let folder = self.folder();
        Errand { lock: lock_path(self.ram.path(), &folder), folder, begins, what }
    }

    fn write(&self, what: ToRemember) -> Done {
        perform(&self.errand(true, what))
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap_or_default()
    }

    /// The records as a run would read them.
    fn records(&self) -> Vec<String> {
        let both = format!("{}{}", self.text(ring::OLDER), self.text(ring::NEWER));
        let raw = String::from_utf8(ring::unframe(both.as_bytes())).expect("JSON");
        raw.lines().map(str::to_owned).collect()
    }
}

/// What a whole run over one drive leaves after the memory in `machine`.
fn run(machine: &Machine, pending: u64) -> ToRemember {
    let smart = format!(
        r#"{{"smartctl":{{"exit_status":0}},"device":{{"name":"/dev/sda","type":"sat","protocol":"ATA"}},"model_name":"M","serial_number":"S1","smart_status":{{"passed":true}},"temperature":{{"current":31}},"ata_smart_attributes":{{"table":[{{"id":197,"name":"Current_Pending_Sector","value":100,"worst":100,"thresh":0,"when_failed":"","flags":{{"value":50,"prefailure":false}},"raw":{{"value":{pending},"string":"{pending}"}}}}]}}}}"#
    );
    let mut files = std::collections::BTreeMap::from([
        (
            "sys/block/sda.link".to_owned(),
            b"../devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda".to_vec(),
        ),
        ("cmd/smartctl.sat.sda/stdout".to_owned(), smart.into_bytes()),
        ("sample/clock.json".to_owned(), br#"{"unix_s":1760000000}"#.to_vec()),
    ]);
    let records = machine.records().iter().map(|line| format!("{line}\n")).collect::<String>();
    for (name, text) in
        [(ring::NEWER, records), (inventory_memory::FILE, machine.text(inventory_memory::FILE))]
    {
        if !text.is_empty() {
            files.insert(format!("state/{name}"), text.into_bytes());
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let source = RecordedSource::from_files(files);
    let options = assay_collector::Options::default();
    let collection = runtime.block_on(assay_collector::collect(&source, &options));
    to_remember(&collection, "1.0.0").expect("nothing sleeps")
}

#[test]
fn runs_follow_each_other() {
    let machine = Machine::new();
    let first = run(&machine, 0);
    let sizes = first.full.as_ref().map(String::len).expect("new")
        + first.inventory.as_ref().map(String::len).expect("new");
    let done = machine.write(first);
    assert_eq!(done, Done { written_bytes: sizes as u64, why_not: None }, "what was written is counted");
    assert!(run(&machine, 0).is_empty(), "nothing changed");
    let second = run(&machine, 8);
    assert_eq!(second.inventory, None, "the drive is where it was");
    assert_eq!(machine.write(second).why_not, None);
    let records = machine.records();
    assert_eq!(records.len(), 2);
    assert!(records[0].contains("\"full\":true") && records[1].contains("\"ata197\":8"), "{records:?}");
    assert_eq!(size_bytes(&machine.folder()).map(|size| size > 0), Some(true));
}

fn changes(text: &str) -> ToRemember {
    ToRemember { changes: Some(text.into()), full: Some(format!("full {text}")), ..ToRemember::default() }
}

#[test]
fn a_full_file_makes_room() {
    let machine = Machine::new();
    let long = format!("{}\n", "x".repeat(100_000));
    for _ in 0..7 {
        assert_eq!(machine.write(changes(&long)).why_not, None);
        assert!(size_bytes(&machine.folder()).expect("files") <= 2 * ring::SEGMENT_BYTES);
    }
    // Two fit into each file: full, changes | full, changes | full, changes | full.
    assert_eq!(machine.text(ring::NEWER), format!("full {long}"));
    assert_eq!(machine.text(ring::OLDER), format!("full {long}{long}"));
}

#[test]
fn a_torn_end_is_closed_first() {
    let machine = Machine::new();
    machine.write(changes("one\n"));
    let path = machine.folder().join(ring::NEWER);
    fs::write(&path, "full one\ntorn rec").expect("a torn file");
    assert_eq!(machine.write(changes("two\n")), Done { written_bytes: 5, why_not: None });
    assert_eq!(machine.text(ring::NEWER), "full one\ntorn rec\ntwo\n");
    // A rename that was the last thing before a power loss: the next record holds all again.
    fs::rename(&path, machine.folder().join(ring::OLDER)).expect("renamed");
    machine.write(changes("three\n"));
    assert_eq!(machine.text(ring::NEWER), "full three\n");
}

/// Writes with something in the way; the words that say so, and nothing else changes.
fn check_refused(machine: &Machine, words: &str) {
    let what = ToRemember { inventory: Some("{}".into()), ..changes("two\n") };
    let done = machine.write(what);
    let why = done.why_not.expect("it cannot be written");
    assert!(why.contains(words), "{why}");
}

#[test]
fn what_is_in_the_way_costs_the_record_only() {
    // Permissions do not stop root, so files and folders stand in each other's place.
    let machine = Machine::new();
    fs::create_dir_all(machine.volume.path().join("assay")).expect("a folder");
    fs::write(machine.folder(), "a file").expect("a file");
    check_refused(&machine, "cannot make the folder");
    drop(machine);
    let machine = Machine::new();
    fs::create_dir_all(machine.folder().join(ring::NEWER)).expect("a folder");
    check_refused(&machine, "cannot write");
    drop(machine);
    let machine = Machine::new();
    fs::create_dir_all(machine.folder().join(inventory_memory::FILE)).expect("a folder");
    check_refused(&machine, "cannot read");
    assert_eq!(machine.text(ring::NEWER), "full two\n", "the record itself was written");
    // No memory was begun, and this run may not begin one.
    drop(machine);
    let machine = Machine::new();
    let done = perform(&machine.errand(false, changes("one\n")));
    assert!(done.why_not.is_some_and(|why| why.contains("cannot write")));
    assert!(!machine.folder().exists());
}

#[test]
fn a_full_disk_leaves_no_half_record() {
    // The device that is always full takes the open and refuses the write.
    let mut full = OpenOptions::new().write(true).open("/dev/full").expect("every Linux has it");
    assert_eq!(put(&mut full, 0, "x").expect_err("no room").kind(), ErrorKind::StorageFull);
}

#[test]
fn the_second_of_two_runs_leaves_it_to_the_first() {
    let machine = Machine::new();
    let errand = machine.errand(true, changes("one\n"));
    let held =
        OpenOptions::new().write(true).create(true).truncate(false).open(&errand.lock).expect("a lock");
    held.lock().expect("free");
    let done = perform(&errand);
    assert!(done.why_not.is_some_and(|why| why.contains("another run writes")));
    assert!(!machine.folder().exists(), "nothing on the volume was touched");
    drop(held);
    assert_eq!(perform(&errand).why_not, None);
}

#[test]
fn a_writer_that_hangs_or_dies_costs_its_deadline_at_most() {
    let _alone = CHILDREN_START.write().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let check = |line: &[&str], expected: Result<u64, &str>| {
        let mut writer = tokio::process::Command::new(line[0]);
        writer.args(&line[1..]);
        let errand = vec![b' '; 1024 * 1024];
        let done = runtime.block_on(hand_over(writer, &errand, Duration::from_secs(1)));
        match (done, expected) {
            (Ok(done), Ok(written)) => assert_eq!(done, Done { written_bytes: written, why_not: None }),
            (Err(error), Err(words)) => assert!(format!("{error:#}").contains(words), "{error:#}"),
            (done, _) => panic!("{line:?}: {done:?}"),
        }
    };
    check(&["sleep", "600"], Err("took nothing within 1 s"));
    check(&["true"], Err("broke off"));
    check(&["/nonexistent"], Err("does not start"));
    check(&["sh", "-c", "cat > /dev/null; echo '{\"written_bytes\":7,\"why_not\":null}'"], Ok(7));
}

#[test]
fn an_inventory_that_another_run_wrote_stays() {
    let machine = Machine::new();
    let (one, other) = (run(&machine, 0), run(&machine, 0));
    assert_eq!(machine.write(one).why_not, None);
    let before = machine.text(inventory_memory::FILE);
    let done = machine.write(ToRemember { inventory: Some("{\"mine\":1}".into()), ..other });
    assert!(done.why_not.is_some_and(|why| why.contains("another run wrote the inventory")));
    assert_eq!(machine.text(inventory_memory::FILE), before);
}

#[test]
fn many_writers_at_once_leave_whole_records() {
    let machine = Machine::new();
    machine.write(changes("begin\n"));
    let results: Vec<Done> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| machine.write(changes("record\n")))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let written = results.iter().filter(|done| done.why_not.is_none()).count();
    let text = machine.text(ring::NEWER);
    assert_eq!(text.lines().filter(|line| *line == "record").count(), written, "{text}");
    assert!(text.lines().all(|line| line == "record" || line == "full begin"), "{text}");
}

#[test]
fn a_failure_stands_in_the_step() {
    let step = |status| Step {
        probe: STEP.into(),
        status,
        duration_ms: assay_bundle::units::Milliseconds(1),
        bytes: assay_bundle::units::Bytes(0),
        errors: Vec::new(),
    };
    for (before, after) in [
        (StepStatus::Complete, StepStatus::Partial),
        (StepStatus::NothingHere, StepStatus::Partial),
        (StepStatus::Failed, StepStatus::Failed),
    ] {
        let mut step = step(before);
        note(&mut step, "why".to_owned());
        assert_eq!((step.status, step.errors), (after, vec!["why".to_owned()]));
    }
}
