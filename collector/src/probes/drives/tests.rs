//! Every decision about who is asked for a drive, in which order, and what counts.

use super::*;
use crate::door::testing::run;
use crate::probes::block_devices;

const SATA: &str = "../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
const USB: &str = "../devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/block/sda";
const SAS: &str =
    "../devices/pci0000:00/0000:01:00.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0/block/sda";

fn drives(files: &[(&str, &str)]) -> Observed<Vec<Drive>> {
    run(files, async |door| {
        let source = crate::recorded::RecordedSource::default();
        let run = Run { source: &source, end: None, progress: None };
        collect(door, run, &block_devices::collect(door).await).await.0.drives
    })
}

fn answer(kind: &str, protocol: &str, rest: &str) -> String {
    format!(
        r#"{{"smartctl":{{"version":[7,4],"exit_status":0}},"device":{{"name":"/dev/sda","type":"{kind}","protocol":"{protocol}"}},"serial_number":"S1"{rest}}}"#
    )
}

fn good() -> String {
    answer("sat", "ATA", r#","smart_status":{"passed":true},"temperature":{"current":31}"#)
}

/// One SATA disk with these answers; which one counted, by its place.
fn check_chain(path: &str, answers: &[(&str, String)], counted: Option<&str>) {
    let places: Vec<String> = answers.iter().map(|(slug, _)| format!("cmd/smartctl.{slug}/stdout")).collect();
    let mut files = vec![("sys/block/sda.link", path), ("sys/block/sda/size", "8")];
    files.extend(places.iter().zip(answers).map(|(place, (_, text))| (place.as_str(), text.as_str())));
    let found = drives(&files);
    let drive = &found.value().expect("one drive")[0];
    assert_eq!(drive.serial.place(), counted.map(|slug| format!("cmd/smartctl.{slug}/stdout")).as_deref());
}

#[test]
fn a_poor_answer_is_asked_again_another_way() {
    let wrong =
        || answer("scsi", "SCSI", r#","smart_support":{"available":false},"temperature":{"current":0}"#);
    let cold = || answer("sat", "ATA", r#","smart_status":{"passed":true},"temperature":{"current":0}"#);
    check_chain(SATA, &[("sat.sda", good()), ("ata.sda", good())], Some("sat.sda"));
    check_chain(SATA, &[("sat.sda", wrong()), ("sat12.sda", good())], Some("sat12.sda"));
    check_chain(
        SATA,
        &[("sat.sda", cold()), ("sat12.sda", "{".into()), ("ata.sda", good())],
        Some("ata.sda"),
    );
    check_chain(SATA, &[("sat.sda", cold()), ("ata.sda", wrong())], Some("sat.sda"));
    check_chain(SATA, &[], None);
    check_chain(SAS, &[("scsi.sda", wrong()), ("sat.sda", good())], Some("sat.sda"));
    check_chain(USB, &[("auto.sda", good())], Some("auto.sda"));
}

#[test]
fn a_sleeping_drive_is_left_alone() {
    let asleep = r#"{"smartctl":{"exit_status":3,"messages":[{"string":"Device is in STANDBY mode, exit(3)","severity":"information"}]},"device":{"name":"/dev/sda","protocol":"ATA"}}"#;
    let found = drives(&[
        ("sys/block/sda.link", SATA),
        ("sys/block/sda/device/model", "ST4000VN008-2DR1"),
        ("sys/block/sda/queue/rotational", "1"),
        ("cmd/smartctl.sat.sda/stdout", asleep),
    ]);
    let drive = &found.value().expect("one drive")[0];
    assert_eq!(drive.power_mode.value(), Some(&assay_bundle::facts::drive::PowerMode::Standby));
    assert_eq!(drive.health_passed, Observed::unreadable(smartctl::ASLEEP));
    assert_eq!(drive.model.place(), Some("sys/block/sda/device/model"));
    assert_eq!(drive.medium.value(), Some(&Medium::Hdd));
}

#[test]
fn without_smartctl_every_drive_is_still_listed() {
    let found = drives(&[
        ("sys/block/sda.link", SATA),
        ("sys/block/sda/size", "7814037168"),
        ("sys/block/nvme0n1.link", "../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1"),
        ("sys/block/nvme0n2.link", "../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n2"),
        ("sys/block/nvme0n1/device/serial", "N1"),
        ("cmd/smartctl.sat.sda.unreadable", r#"{"no_tool":{"name":"smartctl"}}"#),
        ("cmd/smartctl.nvme.nvme0.unreadable", r#"{"no_tool":{"name":"smartctl"}}"#),
    ]);
    let all = found.value().expect("two drives");
    assert_eq!(all.iter().map(|drive| drive.device.as_str()).collect::<Vec<_>>(), ["nvme0", "sda"]);
    assert_eq!(all[0].serial, Observed::seen("N1".to_owned(), "sys/block/nvme0n1/device/serial"));
    assert_eq!(all[1].capacity_bytes.value().map(|bytes| bytes.0), Some(4_000_787_030_016));
    for drive in all {
        assert!(drive.health_passed.why_not().is_some_and(|why| why.contains("smartctl is not installed")));
    }
}

#[test]
fn only_drives_are_drives() {
    let targets_of = |files: &[(&str, &str)]| drives(files).value().map_or(0, Vec::len);
    assert_eq!(targets_of(&[("sys/block/sda.link", USB), ("sys/block/sda/removable", "1")]), 0);
    let module = [("sys/block/sda.link", USB), ("sys/block/sda/removable", "0")];
    assert_eq!(targets_of(&module), 1);
    let conf = |text| ("etc/hal.conf", text);
    assert_eq!(targets_of(&[module[0], module[1], conf("[BootDisk_0]\npd_sys_name = /dev/sda\n")]), 0);
    assert_eq!(targets_of(&[module[0], module[1], conf("[BootDisk_0]\npd_sys_name = /dev/sdb\n")]), 1);
    // A SATA disk has a health to ask for, whatever it is for.
    assert_eq!(
        targets_of(&[("sys/block/sda.link", SATA), conf("[BootDisk_0]\npd_sys_name = /dev/sda\n")]),
        1
    );
    assert_eq!(targets_of(&[("sys/block/vda.link", "../devices/pci0000:00/virtio1/block/vda")]), 0);
    assert_eq!(drives(&[]), Observed::Absent);
    let denied = drives(&[("sys/block/.list.unreadable", r#"{"denied":{"what":"/sys/block"}}"#)]);
    assert!(denied.why_not().is_some_and(|why| why.contains("/sys/block")));
}

#[test]
fn a_drive_on_two_paths_is_one_drive() {
    let named = |device: &str, serial: &str, wwn: &str| Drive {
        device: device.to_owned(),
        serial: Observed::seen(serial.to_owned(), "x"),
        wwn: Observed::seen(wwn.to_owned(), "x"),
        ..Drive::default()
    };
    let nameless = || Drive::default();
    let kept = without_doubles(vec![
        named("sda", "1", "a"),
        named("sdb", "1", "a"),
        named("sdc", "1", "b"),
        nameless(),
        nameless(),
    ]);
    assert_eq!(kept.iter().map(|drive| drive.device.as_str()).collect::<Vec<_>>(), ["sda", "sdc", "", ""]);
}

/// A map of the NAS's own bays: bay, device, serial number.
fn map(rows: &[(u32, &str, &str)]) -> String {
    let row = |(bay, device, serial): &(u32, &str, &str)| {
        format!(
            "[PhysicalDisk_{bay}]\nport_id = {bay}\npd_sys_name = {device}\nvendor = EXA\nmodel = HD4\nserial_no = {serial}\nlink_speed = 8\nmax_link_speed = 9\n"
        )
    };
    rows.iter().map(row).collect()
}

const CACHE: &str = "2,0,0,0,2,0,0,0,29,0x0000,0,0,0\n5,Reallocated_Sectors_Count,90,90,10,17,0\n9,Power-On_Hours,90,90,0,1000,0\n";
const NO_TOOL: &str = r#"{"no_tool":{"name":"smartctl"}}"#;

/// Where temperature, health answer, attributes and QTS's judgement of the one drive come from: `smartctl`, `cache`,
/// or nothing.
fn check_sources(files: &[(&str, &str)], expected: [&str; 4]) -> Drive {
    let map = map(&[(3, "/dev/sda", "S1")]);
    let mut all = vec![("sys/block/sda.link", SATA), ("etc/enclosure_0.conf", map.as_str())];
    all.extend(files);
    let found = drives(&all);
    let drive = found.value().expect("one drive")[0].clone();
    let word = |place: Option<&str>| match place {
        Some(place) if place.starts_with("cmd/smartctl") => "smartctl",
        Some("tmp/smart/smart_0_3.info") => "cache",
        Some(_) => "another",
        None => "",
    };
    let places = [
        word(drive.temperature_c.place()),
        word(drive.health_passed.place()),
        word(drive.ata_attributes.place()),
        word(drive.qts_health.place()),
    ];
    assert_eq!(places, expected, "{drive:?}");
    assert_eq!((drive.bay.value(), drive.enclosure.value()), (Some(&3), Some(&0)));
    drive
}

#[test]
fn smartctl_is_richer_and_the_cache_fills_up() {
    use assay_bundle::facts::drive::QtsHealth;
    let good = good();
    let asleep = r#"{"smartctl":{"exit_status":3,"messages":[{"string":"Device is in STANDBY mode, exit(3)","severity":"information"}]},"device":{"name":"/dev/sda","protocol":"ATA"}}"#;
    let asked = ("cmd/smartctl.sat.sda/stdout", good.as_str());
    let slept = ("cmd/smartctl.sat.sda/stdout", asleep);
    let cached = ("tmp/smart/smart_0_3.info", CACHE);
    let missing = ("cmd/smartctl.version.unreadable", NO_TOOL);
    let hung = ("cmd/smartctl.sat.sda.unreadable", r#"{"deadline":{"after_ms":75000}}"#);
    let drive = check_sources(&[asked, cached], ["smartctl", "smartctl", "cache", "cache"]);
    assert_eq!(drive.qts_health.value(), Some(&QtsHealth::Abnormal));
    assert_eq!(drive.health_passed.value(), Some(&true), "QTS's judgement is a fact of its own");
    let listed =
        [&drive.listed_link_speed, &drive.listed_link_speed_max].map(|speed| speed.value().map(|s| s.code));
    assert_eq!(listed, [Some(8), Some(9)], "the map's own words stay beside the drive's");
    assert_eq!(drive.listed_link_speed.place(), Some("etc/enclosure_0.conf"));
    check_sources(&[asked], ["smartctl", "smartctl", "", ""]);
    let drive = check_sources(&[missing, cached], ["cache", "", "cache", "cache"]);
    assert_eq!(drive.serial.place(), Some("etc/enclosure_0.conf"));
    assert!(drive.health_passed.why_not().is_some_and(|why| why.contains("smartctl is not installed")));
    let drive = check_sources(&[hung, cached], ["cache", "", "cache", "cache"]);
    assert!(drive.health_passed.why_not().is_some_and(|why| why.contains("no answer within 75.0 s")));
    // A sleeping drive keeps what QTS knew, and the sleeping is said.
    let drive = check_sources(&[slept, cached], ["cache", "", "cache", "cache"]);
    assert_eq!(drive.power_mode.value(), Some(&assay_bundle::facts::drive::PowerMode::Standby));
    assert_eq!(drive.health_passed, Observed::unreadable(smartctl::ASLEEP));
    let old = ("tmp/smart/smart_0_3.info.read", r#"{"locked":true,"age_s":7200}"#);
    let drive = check_sources(&[missing, cached, old], ["", "", "", ""]);
    assert!(drive.qts_health.why_not().is_some_and(|why| why.contains("7200 s ago")));
    // The file of another bay is about another drive.
    check_sources(&[missing, ("tmp/smart/smart_0_4.info", CACHE)], ["", "", "", ""]);
}

#[test]
fn an_old_smartctl_is_asked_for_text() {
    let version = ("cmd/smartctl.version/stdout", "smartctl 6.6 2017-11-05 r4594\n");
    let good = good();
    let found = drives(&[
        ("sys/block/sda.link", SATA),
        version,
        ("cmd/smartctl.text.sat.sda/stdout", good.as_str()),
        ("cmd/smartctl.sat.sda/stdout", "{}"),
    ]);
    let drive = &found.value().expect("one drive")[0];
    assert_eq!(drive.serial.place(), Some("cmd/smartctl.text.sat.sda/stdout"));
}

/// What a source was asked for: the slugs of its commands, in order.
struct Asked {
    files: crate::recorded::RecordedSource,
    commands: std::sync::Mutex<Vec<String>>,
}

impl crate::source::Source for Asked {
    fn fetch<'a>(&'a self, request: &'a crate::source::Request) -> crate::source::Answer<'a> {
        if let crate::source::Request::Run(command) = request {
            self.commands.lock().expect("one thread").push(command.slug());
        }
        self.files.fetch(request)
    }

    fn run_source(&self) -> assay_bundle::manifest::RunSource {
        assay_bundle::manifest::RunSource::Live
    }
}

fn check_asked(files: &[(&str, &str)], expected: &[&str]) {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let source = Asked {
        files: crate::recorded::RecordedSource::from_files(files),
        commands: std::sync::Mutex::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let door = Door::new(&source);
        let run = Run { source: &source, end: None, progress: None };
        collect(&door, run, &block_devices::collect(&door).await).await;
    });
    assert_eq!(*source.commands.lock().expect("one thread"), expected);
}

#[test]
fn no_drive_is_asked_more_than_it_should_be() {
    let link = ("sys/block/sda.link", SATA);
    let version = ("cmd/smartctl.version/stdout", "smartctl 7.4\n");
    let old = ("cmd/smartctl.version/stdout", "smartctl 6.6\n");
    let asleep = r#"{"smartctl":{"exit_status":3,"messages":[{"string":"Device is in STANDBY mode, exit(3)","severity":"information"}]},"device":{"name":"/dev/sda","protocol":"ATA"}}"#;
    let sat = "cmd/smartctl.sat.sda/stdout";
    let good = good();
    check_asked(&[link, version, (sat, &good)], &["smartctl.version", "smartctl.sat.sda"]);
    check_asked(&[link, version, (sat, asleep)], &["smartctl.version", "smartctl.sat.sda"]);
    check_asked(
        &[link, version],
        &["smartctl.version", "smartctl.sat.sda", "smartctl.sat12.sda", "smartctl.ata.sda"],
    );
    check_asked(
        &[link, old],
        &["smartctl.version", "smartctl.text.sat.sda", "smartctl.text.sat12.sda", "smartctl.text.ata.sda"],
    );
    let hung = ("cmd/smartctl.sat.sda.unreadable", r#"{"deadline":{"after_ms":75000}}"#);
    check_asked(&[link, version, hung], &["smartctl.version", "smartctl.sat.sda"]);
    check_asked(&[link, ("cmd/smartctl.version.unreadable", NO_TOOL)], &["smartctl.version"]);
    check_asked(&[], &[]);
    // QTS's own command is asked where there is QTS, once; a drive that only the map knows is not asked.
    let map = map(&[(1, "/dev/sdb", "S2")]);
    check_asked(&[("etc/enclosure_0.conf", &map)], &["qcli_storage.d"]);
}

#[test]
fn the_volume_of_a_tr_enclosure_is_not_asked() {
    fn check(files: &[(&str, &str)], is_tr: bool) {
        let good = good();
        let mut all =
            vec![("cmd/smartctl.auto.sda/stdout", good.as_str()), ("cmd/smartctl.sat.sda/stdout", &good)];
        all.extend(files);
        let found = drives(&all);
        let drive = &found.value().expect("one drive")[0];
        assert_eq!(drive.serial.value().is_none(), is_tr, "{files:?}");
        let why = drive.health_passed.why_not();
        assert_eq!(why.as_deref() == Some(order::TR_VOLUME), is_tr, "{files:?}: {why:?}");
        assert!(!drive.bay.is_seen() && !drive.qts_health.is_seen(), "{files:?}: {drive:?}");
    }
    let usb = ("sys/block/sda.link", USB);
    let vendor = "sys/devices/pci0000:00/0000:00:14.0/usb1/1-4/idVendor";
    check(&[usb], false);
    check(&[usb, (vendor, "1c04\n")], true);
    check(&[usb, (vendor, "0bda\n")], false);
    check(&[usb, ("sys/block/sda/device/model", "TR-004 DISK00\n")], true);
    check(&[usb, ("sys/block/sda/device/model", "H/W RAID5\n")], true);
    check(&[("sys/block/sda.link", SATA), ("sys/block/sda/device/model", "TR-004 DISK00\n")], false);
    let virtual_row =
        "[PhysicalDisk_1]\nport_id = 1\npd_sys_name = /dev/sda\nmodel = X\ncapabilities = 524288\n";
    // A volume over four bays is in none of them, and the cache of bay 1 is about the drive there.
    let cached = ("tmp/smart/smart_33_1.info", CACHE);
    check(&[usb, ("etc/enclosure_33.conf", virtual_row), cached], true);
}

#[test]
fn a_drive_that_the_kernel_lost_is_a_drive() {
    let two = map(&[(1, "/dev/sda", "S1"), (2, "/dev/sdb", "S2")]);
    let good = good();
    let files = [
        ("etc/enclosure_0.conf", two.as_str()),
        ("sys/block/sda.link", SATA),
        ("cmd/smartctl.sat.sda/stdout", &good),
        ("tmp/smart/smart_0_2.info", CACHE),
    ];
    let found = drives(&files);
    let all = found.value().expect("two drives");
    assert_eq!(found.place(), Some("sys/block/.list"));
    let lost = &all[1];
    assert_eq!((lost.device.as_str(), lost.bay.value()), ("sdb", Some(&2)));
    assert_eq!(lost.serial, Observed::seen("S2".to_owned(), "etc/enclosure_0.conf"));
    assert_eq!(lost.model.value().map(String::as_str), Some("EXA HD4"));
    assert!(lost.health_passed.why_not().is_some_and(|why| why.contains("the kernel lists none for it")));
    assert_eq!(lost.temperature_c.place(), Some("tmp/smart/smart_0_2.info"));
    // Nobody is listed at all: the map still tells what should be there.
    let found = drives(&files[..1]);
    assert_eq!((found.value().map(Vec::len), found.place()), (Some(2), Some("etc/enclosure_0.conf")));
    let denied = ("sys/block/.list.unreadable", r#"{"denied":{"what":"/sys/block"}}"#);
    let found = drives(&[files[0], denied]);
    let why = found.value().expect("two drives")[0].health_passed.why_not();
    assert!(why.is_some_and(|why| why.contains("could not be listed") && why.contains("/sys/block")));
    // A stick, the boot medium and a second namespace are listed and are no lost drives.
    let other = map(&[(1, "/dev/sdc", "S7"), (2, "/dev/mmcblk0", "S8")]);
    let found = drives(&[
        ("etc/enclosure_33.conf", other.as_str()),
        ("sys/block/sdc.link", USB),
        ("sys/block/sdc/removable", "1"),
        ("sys/block/mmcblk0.link", "../devices/platform/soc/mmc_host/mmc0/mmc0:0001/block/mmcblk0"),
    ]);
    assert_eq!(found, Observed::Absent);
}

#[test]
fn the_wait_names_the_bay() {
    use std::sync::Mutex;
    let map = map(&[(3, "/dev/sda", "S1")]);
    let said = Mutex::new(Vec::new());
    let progress = |progress: crate::Progress| said.lock().expect("one thread").push(progress.detail);
    run(
        &[
            ("etc/enclosure_0.conf", map.as_str()),
            ("etc/enclosure_32.conf", &map.replace("sda", "sdb").replace("S1", "S2")),
            ("sys/block/sda.link", SATA),
            ("sys/block/sdb.link", SAS),
            ("sys/block/sdc.link", USB),
        ],
        async |door| {
            let source = crate::recorded::RecordedSource::default();
            let run = Run { source: &source, end: None, progress: Some(&progress) };
            collect(door, run, &block_devices::collect(door).await).await;
        },
    );
    let said: std::collections::BTreeSet<_> =
        said.into_inner().expect("one thread").into_iter().flatten().collect();
    assert_eq!(said.into_iter().collect::<Vec<_>>(), ["sda in bay 3", "sdb in bay 3 of enclosure 32", "sdc"]);
}

#[test]
fn redaction_leaves_the_sources_readable() {
    use assay_bundle::redact::{Door as Redaction, Level, PseudonymKey};
    let mut redaction = Redaction::open(&PseudonymKey([7; 32].into()), Level::Standard).expect("it opens");
    let map = map(&[(1, "/dev/sda", "S1"), (2, "/dev/sdb", "WD-WX00A0000001")])
        + "wwn = 5000A0B1C2D3E4F5\npd_bus_name = 2:0:0:0\nrevision = 82.00A82\n";
    for (path, text) in [
        ("etc/enclosure_0.conf", map.as_str()),
        ("etc/enclosure_0_del.conf", &map),
        ("etc/.list", "enclosure_0.conf\nenclosure_0_del.conf\n"),
        ("tmp/smart/smart_0_1.info", CACHE),
        ("tmp/smart/smart_0_1.info.read", r#"{"locked":true,"age_s":60}"#),
        ("dev/qzfs/.list", "enc_0\n"),
        ("dev/qzfs/enc_0/.list", "disk_0x4_5000A0B1C2D3E4F5_3\n"),
        ("cmd/qcli_storage.d/stdout", "NAS_HOST 1 /dev/sdc SSD:cache 931.51 GB 3.5\" SATA SSD 1 EXA 1\n"),
        ("cmd/smartctl.text.sat.sda/stdout", "smartctl 6.6\n"),
    ] {
        let clean = redaction.raw(path, text.as_bytes()).map(|clean| clean.bytes().to_vec());
        assert_eq!(
            clean.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).as_deref(),
            Some(text),
            "{path}"
        );
    }
}
