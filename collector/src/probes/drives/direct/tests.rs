//! Tests of whole drives: what is asked in which order, what is never asked, and what redaction leaves.

use std::collections::BTreeMap;
use std::sync::Mutex;

use assay_bundle::Facts;
use assay_bundle::facts::drive::{Medium, Protocol};
use assay_bundle::manifest::RunSource;
use assay_bundle::redact;
use assay_bundle::units::{Celsius, Hours};

use super::*;
use crate::direct::answer::tests::good;
use crate::direct::{Ending, LogPage, StatisticsPage};
use crate::direct::{identify, nvme as nvme_answers, scsi as scsi_answers, smart, statistics};
use crate::recorded::RecordedSource;
use crate::recording::Recording;
use crate::source::{Answer, Failure, Fetched, Source};

/// A machine with one disk, which keeps what it was asked.
#[derive(Default)]
struct Machine {
    answers: BTreeMap<String, Result<Vec<u8>, Failure>>,
    asked: Mutex<Vec<String>>,
}

impl Source for Machine {
    fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
        let Request::Device { query, .. } = request else { panic!("only the device is asked: {request:?}") };
        self.asked.lock().unwrap().push(query.slug());
        let refused = || {
            let sense = vec![0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0];
            DeviceAnswer::new(*query, Ending::Scsi { status: 2, host: 0, driver: 8, sense }, &[]).to_json()
        };
        let answer = self.answers.get(&query.slug()).cloned().unwrap_or_else(|| Ok(refused()));
        let place = request.place();
        Box::pin(std::future::ready(answer.map(|bytes| Fetched { bytes, place, ..Fetched::default() })))
    }

    fn run_source(&self) -> RunSource {
        RunSource::Live
    }
}

impl Machine {
    fn with(mut self, query: DeviceQuery, end: Ending, data: &[u8]) -> Self {
        self.answers.insert(query.slug(), Ok(DeviceAnswer::new(query, end, data).to_json()));
        self
    }

    fn failing(mut self, query: DeviceQuery, failure: Failure) -> Self {
        self.answers.insert(query.slug(), Err(failure));
        self
    }

    /// The drive, what was asked, and the raw forms, of which the same drive must come again.
    fn drive(&self, transport: Transport) -> (Drive, Vec<String>, BTreeMap<String, Vec<u8>>) {
        self.answer(transport, ask)
    }

    fn answer(
        &self,
        transport: Transport,
        ask: impl Fn(&dyn Source, Transport) -> Drive,
    ) -> (Drive, Vec<String>, BTreeMap<String, Vec<u8>>) {
        let recording = Recording::new(self);
        let found = ask(&recording, transport);
        let raw = recording.into_raw();
        assert_eq!(ask(&RecordedSource::from_files(raw.clone()), transport), found);
        (found, self.asked.lock().unwrap().clone(), raw)
    }
}

fn node(transport: Transport) -> DeviceNode {
    let name = if transport == Transport::Nvme { "nvme0" } else { "sda" };
    DeviceNode::parse(name).expect("a known shape")
}

fn ask(source: &dyn Source, transport: Transport) -> Drive {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { drive(&Door::new(source), &node(transport), transport).await })
}

/// What QTS's cache does not hold.
fn ask_verdict(source: &dyn Source, transport: Transport) -> Drive {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { verdict(&Door::new(source), &node(transport), transport, "no smartctl").await })
}

/// The registers of an ATA command that came back.
fn registers(count: u8, middle: u8, high: u8) -> Ending {
    let mut sense = vec![0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12];
    sense.extend([0, 0, 0, count, 0, 0, 0, middle, 0, high, 0, 0x50]);
    Ending::Scsi { status: 2, host: 0, driver: 8, sense }
}

/// A healthy SATA disk that is awake.
fn disk() -> Machine {
    use DeviceQuery as Q;
    let mut directory = vec![0; 512];
    directory[0] = 1;
    directory[8] = 8;
    let mut list = statistics::tests::page_of(0, &[]);
    list[8..12].copy_from_slice(&[3, 0, 1, 5]);
    let page = |page, data: &[(usize, u8, u64)]| (Q::AtaDeviceStatistics(page), data.to_vec());
    let (general, general_data) = page(StatisticsPage::General, &[(0x10, 0xc0, 41000)]);
    let (heat, heat_data) = page(StatisticsPage::Temperature, &[(0x08, 0xc0, 35), (0x58, 0xc0, 60)]);
    Machine::default()
        .with(Q::AtaCheckPowerMode, registers(0xff, 0, 0), &[])
        .with(Q::AtaIdentify, good(), &identify::tests::sector(&[]))
        .with(Q::AtaSmartData, good(), &smart::tests::table(smart::tests::DISK, 0))
        .with(Q::AtaSmartThresholds, good(), &smart::tests::limits(&[(5, 10)]))
        .with(Q::AtaSmartStatus, registers(0, 0x4f, 0xc2), &[])
        .with(Q::AtaSmartErrorLogSummary, good(), &identify::tests::seal(vec![0; 512]))
        .with(Q::AtaSmartSelfTestLog, good(), &smart::tests::log(&[(1, 0, 5, 0), (2, 0x79, 7, 99)]))
        .with(Q::AtaLogDirectory, good(), &directory)
        .with(Q::AtaDeviceStatistics(StatisticsPage::List), good(), &list)
        .with(general, good(), &statistics::tests::page_of(1, &general_data))
        .with(heat, good(), &statistics::tests::page_of(5, &heat_data))
}

fn nvme_drive() -> Machine {
    use DeviceQuery as Q;
    let end = Ending::Nvme { status: 0 };
    let health = nvme_answers::tests::health_log(&[(176, &[3])]);
    Machine::default()
        .with(Q::NvmeIdentifyController, end.clone(), &nvme_answers::tests::identify())
        .with(Q::NvmeSmartLog, end.clone(), &health)
        .with(Q::NvmeSelfTestLog, end.clone(), &nvme_answers::tests::test_log(0, &[(0x27, 2, 99)]))
        .with(Q::NvmeErrorLog, end, &[0; 1024])
}

fn sas_drive() -> Machine {
    use DeviceQuery as Q;
    let page = scsi_answers::tests::page_of;
    let supported = [0x00, 0, 0, 6, 0x00, 0x03, 0x0d, 0x10, 0x15, 0x2f];
    Machine::default()
        .with(Q::ScsiRequestSense, good(), &[0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .with(Q::ScsiInquiry, good(), b"\0\0\x05\x02\x1f\0\0\0EXAMPLE SAS4000         A1  ")
        .with(Q::ScsiInquirySerial, good(), b"\0\x80\0\x04S1  ")
        .with(Q::ScsiLogSense(LogPage::Supported), good(), &supported)
        .with(Q::ScsiLogSense(LogPage::ReadErrors), good(), &page(0x03, &[(6, &[2])]))
        .with(Q::ScsiLogSense(LogPage::Temperature), good(), &page(0x0d, &[(0, &[0, 33]), (1, &[0, 65])]))
        .with(Q::ScsiLogSense(LogPage::SelfTests), good(), &page(0x10, &[(1, &[0; 16])]))
        .with(Q::ScsiLogSense(LogPage::BackgroundScan), good(), &page(0x15, &[(0, &[0, 0, 0x10, 0])]))
        .with(
            Q::ScsiLogSense(LogPage::InformationalExceptions),
            good(),
            &page(0x2f, &[(0, &[0x5d, 0x10, 33])]),
        )
        .with(Q::ScsiGrownDefects, good(), &[0, 0x0c, 0x08, 0x20])
}

#[test]
fn a_sata_disk() {
    let (drive, asked, _) = disk().drive(Transport::Sata);
    assert_eq!(asked.first().map(String::as_str), Some("ata-power-mode"));
    assert_eq!(drive.device, "sda");
    assert_eq!(drive.serial, Observed::seen("EX0001".to_owned(), "ioctl/sda/ata-identify.json"));
    assert_eq!((drive.protocol.value(), drive.medium.value()), (Some(&Protocol::Ata), Some(&Medium::Hdd)));
    assert_eq!(drive.power_mode.value(), Some(&PowerMode::Active));
    assert_eq!(drive.health_passed, Observed::seen(true, "ioctl/sda/ata-smart-status.json"));
    // The statistics are believed before the attributes, and know the limit.
    assert_eq!(drive.temperature_c, Observed::seen(Celsius(35), "ioctl/sda/ata-statistics-5.json"));
    assert_eq!(drive.power_on_hours, Observed::seen(Hours(41000), "ioctl/sda/ata-statistics-1.json"));
    assert_eq!(drive.temperature_limit_c, Observed::seen(Celsius(60), "ioctl/sda/ata-statistics-5.json"));
    assert_eq!((drive.power_cycles.value(), drive.ata_error_count.value()), (Some(&77), Some(&0)));
    assert_eq!(drive.ata_attributes.value().map(Vec::len), Some(5));
    assert_eq!(drive.self_tests.value().map(Vec::len), Some(2));
    assert!(drive.nvme.is_absent() && drive.scsi.is_absent());
}

#[test]
fn what_sleeps_gets_one_question() {
    fn check(count: u8, transport: Transport, mode: PowerMode, questions: usize) {
        let machine = disk().with(DeviceQuery::AtaCheckPowerMode, registers(count, 0, 0), &[]);
        let (drive, asked, _) = machine.drive(transport);
        assert_eq!(drive.power_mode.value(), Some(&mode));
        assert_eq!(asked.len(), questions, "{count:02x}: {asked:?}");
        assert_eq!(drive.health_passed == Observed::unreadable(ASLEEP), questions == 1);
    }
    for transport in [Transport::Sata, Transport::Usb, Transport::Sas, Transport::Scsi] {
        for count in [0x00, 0x01, 0x40] {
            check(count, transport, PowerMode::Standby, 1);
        }
        check(0x81, transport, PowerMode::Idle, 11);
        check(0xff, transport, PowerMode::Active, 11);
    }
    let asleep = [0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x5e, 0x04, 0, 0, 0, 0];
    let (drive, asked, _) =
        sas_drive().with(DeviceQuery::ScsiRequestSense, good(), &asleep).drive(Transport::Sas);
    assert_eq!(asked, ["ata-power-mode", "scsi-sense"]);
    assert_eq!(drive.power_mode.value(), Some(&PowerMode::Standby));
}

#[test]
fn beside_the_cache_only_sleep_and_verdict_are_asked() {
    fn check(machine: &Machine, transport: Transport, health: Result<bool, &str>, questions: &[&str]) {
        let (drive, asked, _) = machine.answer(transport, ask_verdict);
        assert_eq!(asked, questions, "{transport:?}");
        match (health, &drive.health_passed) {
            (Ok(passed), Observed::Seen { value, .. }) => assert_eq!(*value, passed),
            (Err(words), other) => {
                assert!(other.why_not().is_some_and(|why| why.contains(words)), "{other:?}")
            }
            (Ok(_), other) => panic!("{other:?}"),
        }
        let slept = is_asleep(&drive.power_mode);
        assert_eq!(slept, health == Err(ASLEEP), "{:?}", drive.power_mode);
        assert!(drive.ata_attributes.value().is_none() && drive.temperature_c.value().is_none());
    }
    const MODE: &str = "ata-power-mode";
    for transport in [Transport::Sata, Transport::Sas, Transport::Scsi] {
        check(&disk(), transport, Ok(true), &[MODE, "ata-smart-status"]);
        let asleep = disk().with(DeviceQuery::AtaCheckPowerMode, registers(0, 0, 0), &[]);
        check(&asleep, transport, Err(ASLEEP), &[MODE]);
        let silent = disk().with(DeviceQuery::AtaCheckPowerMode, good(), &[]);
        check(&silent, transport, Err("no smartctl"), &[MODE]);
    }
    let hangs = || Failure::Deadline { after_ms: 30_000 };
    check(
        &disk().failing(DeviceQuery::AtaCheckPowerMode, hangs()),
        Transport::Sata,
        Err("no answer within"),
        &[MODE],
    );
    check(&sas_drive(), Transport::Sas, Err("no smartctl"), &[MODE]);
    check(&disk(), Transport::Usb, Err("no smartctl"), &[]);
    check(&nvme_drive(), Transport::Nvme, Ok(true), &["nvme-smart"]);
}

#[test]
fn an_unknown_power_mode_ends_it_behind_usb_only() {
    fn check(end: Ending, transport: Transport, questions: usize) {
        let machine = disk().with(DeviceQuery::AtaCheckPowerMode, end, &[]);
        let (drive, asked, _) = machine.drive(transport);
        assert_eq!(asked.len(), questions, "{transport:?}: {asked:?}");
        assert_eq!(drive.serial.is_seen(), questions > 1);
        assert!(drive.power_mode.why_not().is_some());
    }
    let refused = || Ending::Scsi {
        status: 2,
        host: 0,
        driver: 8,
        sense: vec![0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0],
    };
    for end in [refused(), good(), registers(0x55, 0, 0)] {
        check(end.clone(), Transport::Usb, 1);
        check(end, Transport::Sata, 11);
    }
}

#[test]
fn what_hangs_is_not_asked_again() {
    fn check(query: DeviceQuery, failure: Failure, questions: usize) {
        let (drive, asked, _) = disk().failing(query, failure).drive(Transport::Sata);
        assert_eq!(asked.len(), questions, "{asked:?}");
        assert!(drive.health_passed.why_not().is_some());
    }
    let late = || Failure::Deadline { after_ms: 30_000 };
    check(DeviceQuery::AtaCheckPowerMode, late(), 1);
    check(DeviceQuery::AtaIdentify, late(), 2);
    check(DeviceQuery::AtaSmartStatus, Failure::Stuck { since_unix_s: 1, target: "/dev/sda".into() }, 9);
    check(DeviceQuery::AtaCheckPowerMode, Failure::NotFound, 1);
    let gone = Ending::Scsi { status: 0, host: 1, driver: 0, sense: Vec::new() };
    let (drive, asked, _) = disk().with(DeviceQuery::AtaIdentify, gone, &[]).drive(Transport::Sata);
    assert_eq!((asked.len(), drive.serial.is_seen()), (2, false));
}

#[test]
fn a_bridge_that_drops_registers_leaves_the_attributes() {
    let (drive, _, _) = disk().with(DeviceQuery::AtaSmartStatus, good(), &[]).drive(Transport::Sata);
    assert!(drive.health_passed.why_not().is_some_and(|why| why.contains("drops the registers")));
    assert!(drive.ata_attributes.is_seen() && drive.temperature_c.is_seen());
}

#[test]
fn without_statistics_attributes_count() {
    let machine = disk().with(DeviceQuery::AtaLogDirectory, good(), &[0; 512]);
    let (drive, _, _) = machine.drive(Transport::Sata);
    assert_eq!(drive.temperature_c, Observed::seen(Celsius(34), "ioctl/sda/ata-smart-data.json"));
    assert_eq!(drive.power_on_hours, Observed::seen(Hours(0x8000), "ioctl/sda/ata-smart-data.json"));
    assert!(drive.temperature_limit_c.is_not_collected());
}

#[test]
fn smart_that_is_off_or_not_there() {
    let of = |words: &[(usize, u16)]| {
        let machine = disk().with(DeviceQuery::AtaIdentify, good(), &identify::tests::sector(words));
        machine.drive(Transport::Sata)
    };
    let (off, asked, _) = of(&[(85, 0)]);
    assert!(off.health_passed.why_not().is_some_and(|why| why.contains("switched off")));
    assert!(!asked.iter().any(|slug| slug.contains("smart")));
    let (none, _, _) = of(&[(82, 0)]);
    assert!(none.health_passed.is_absent() && none.ata_attributes.is_absent());
    let (bare, asked, _) = of(&[(84, 0x4000), (87, 0x4000)]);
    assert!(bare.self_tests.is_absent() && bare.ata_error_count.is_absent() && bare.wwn.is_absent());
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[test]
fn an_nvme_drive() {
    let (drive, asked, _) = nvme_drive().drive(Transport::Nvme);
    assert_eq!(asked, ["nvme-identify", "nvme-smart", "nvme-self-tests", "nvme-errors"]);
    assert_eq!(drive.serial, Observed::seen("N1".to_owned(), "ioctl/nvme0/nvme-identify.json"));
    assert_eq!(drive.health_passed.value(), Some(&true));
    assert_eq!(drive.nvme.value().and_then(|log| log.error_log_entries), Some(3));
    assert_eq!(
        (drive.temperature_c.value(), drive.power_on_hours.value()),
        (Some(&Celsius(35)), Some(&Hours(4711)))
    );
    assert_eq!(drive.self_tests.value().map(Vec::len), Some(1));
    let (dead, asked, _) = nvme_drive()
        .failing(DeviceQuery::NvmeIdentifyController, Failure::Deadline { after_ms: 30_000 })
        .drive(Transport::Nvme);
    assert_eq!(asked.len(), 1);
    assert!(dead.nvme.why_not().is_some() && dead.serial.why_not().is_some());
}

#[test]
fn a_sas_drive() {
    let (drive, asked, _) = sas_drive().drive(Transport::Sas);
    assert_eq!(asked[..3], ["ata-power-mode", "scsi-sense", "scsi-inquiry"]);
    assert_eq!(drive.protocol.value(), Some(&Protocol::Scsi));
    assert_eq!(drive.model.value().map(String::as_str), Some("EXAMPLE SAS4000"));
    assert_eq!(drive.serial.value().map(String::as_str), Some("S1"));
    assert_eq!(
        (drive.health_passed.value(), drive.temperature_c.value()),
        (Some(&false), Some(&Celsius(33)))
    );
    assert_eq!(
        (drive.temperature_limit_c.value(), drive.power_on_hours.value()),
        (Some(&Celsius(65)), Some(&Hours(68)))
    );
    let health = drive.scsi.value().expect("pages");
    assert_eq!(
        (health.asc, health.ascq, health.grown_defects, health.uncorrected_errors),
        (Some(0x5d), Some(0x10), Some(260), Some(2))
    );
    assert_eq!(drive.self_tests.value().map(Vec::len), Some(0));
    // A volume of a RAID controller.
    let volume = sas_drive().with(DeviceQuery::ScsiInquiry, good(), b"\x0c\0");
    assert!(volume.drive(Transport::Scsi).0.serial.why_not().is_some_and(|why| why.contains("not a disk")));
}

#[test]
fn redaction_and_reading_do_not_care_who_is_first() {
    let key = redact::PseudonymKey([7; 32].into());
    for (machine, transport) in
        [(disk(), Transport::Sata), (nvme_drive(), Transport::Nvme), (sas_drive(), Transport::Sas)]
    {
        let (drive, _, raw) = machine.drive(transport);
        let mut door = redact::Door::open(&key, redact::Level::Standard).expect("the rules compile");
        // Names that stand in texts of drives, and that hexadecimal bytes would hold.
        ["EX0001", "HD4000", "S1", "N1", "cafe", "00", "255"].iter().for_each(|name| door.learn_host(name));
        let cleaned: BTreeMap<_, _> = raw
            .iter()
            .map(|(path, bytes)| (path.clone(), door.raw(path, bytes).expect("a class").bytes().to_vec()))
            .collect();
        let of_clean = ask(&RecordedSource::from_files(cleaned), transport);
        let facts = Facts { drives: Observed::seen(vec![drive], "x"), ..Facts::default() };
        let (_, clean) = door.document("facts.json", facts).expect("plain data");
        assert_eq!(clean.drives.value(), Some(&vec![of_clean]));
    }
}

#[test]
fn cut_and_damaged_answers_say_nothing_else() {
    for (machine, transport) in
        [(disk(), Transport::Sata), (nvme_drive(), Transport::Nvme), (sas_drive(), Transport::Sas)]
    {
        let (_, _, raw) = machine.drive(transport);
        for (path, whole) in &raw {
            let read = |bytes: &[u8]| {
                let mut files = raw.clone();
                files.insert(path.clone(), bytes.to_vec());
                ask(&RecordedSource::from_files(files), transport)
            };
            crate::hostile::mutate(whole, 100, read, |drive| {
                assert!(drive.temperature_c.value().is_none_or(|t| (1..128).contains(&t.0)));
            });
            if path.ends_with("identify.json") || path.ends_with("smart-data.json") {
                crate::hostile::cut(whole, read);
            }
        }
    }
}

/// Answers of emulated disks (QEMU 7.2: AHCI, USB storage, SCSI, NVMe) to a Debian kernel 6.1, through the two ioctls:
/// one a line, the path below `raw/` and the JSON.
const EMULATED: &str = include_str!("emulated.txt");

#[test]
fn emulated_disks() {
    fn check(name: &str, transport: Transport) -> Drive {
        let files = EMULATED.lines().filter_map(|line| {
            let (path, json) = line.split_once(' ')?;
            Some((path.to_owned(), json.as_bytes().to_vec()))
        });
        let node = DeviceNode::parse(name).expect("a known shape");
        let source = RecordedSource::from_files(files.collect());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { drive(&Door::new(&source), &node, transport).await })
    }
    let sata = check("sda", Transport::Sata);
    let text = |reading: &Observed<String>| reading.value().cloned().unwrap_or_default();
    assert_eq!((text(&sata.model), text(&sata.serial)), ("EXAMPLE HD4000".into(), "EXA0001".into()));
    assert_eq!(text(&sata.wwn), "5000c50000003039");
    assert_eq!(sata.rotation_rpm.value().map(|rpm| rpm.0), Some(5400));
    assert_eq!(sata.capacity_bytes.value().map(|bytes| bytes.0), Some(64 * 1024 * 1024));
    assert_eq!(
        (sata.power_mode.value(), sata.health_passed.value()),
        (Some(&PowerMode::Active), Some(&true))
    );
    assert_eq!(
        (sata.temperature_c.value(), sata.power_on_hours.value()),
        (Some(&Celsius(31)), Some(&Hours(1)))
    );
    assert_eq!(sata.ata_attributes.value().map(Vec::len), Some(7));
    // This disk keeps the logs and does not announce them, so they are not asked for.
    assert!(sata.ata_error_count.is_absent() && sata.self_tests.is_absent());
    let usb = check("sdb", Transport::Usb);
    assert!(usb.power_mode.why_not().is_some_and(|why| why.contains("not asked more")));
    // A disk of a virtual machine has no log pages.
    let scsi = check("sdc", Transport::Scsi);
    assert_eq!((text(&scsi.model), text(&scsi.serial)), ("EXAMPLE SAS4000".into(), "EXS0001".into()));
    assert!(scsi.health_passed.is_absent() && scsi.scsi.is_absent());
    let nvme = check("nvme0", Transport::Nvme);
    assert_eq!((text(&nvme.model), text(&nvme.serial)), ("QEMU NVMe Ctrl".into(), "EXN0001".into()));
    assert_eq!((nvme.temperature_c.value(), nvme.health_passed.value()), (Some(&Celsius(50)), Some(&true)));
    assert_eq!((nvme.power_on_hours.value(), nvme.self_tests.is_absent()), (Some(&Hours(0)), true));
}
