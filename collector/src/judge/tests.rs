//! Outputs in every form, alone, together and damaged.

use assay_bundle::facts::drive::Protocol;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::persisted_log::BootEnd;

use super::*;

fn pasted(text: &str) -> Pasted {
    Pasted { name: "p.txt".into(), bytes: text.as_bytes().to_vec() }
}

fn facts(text: &str) -> Facts {
    judge(&[pasted(text)]).collection.facts
}

/// The parts of one file: place, format, lines.
fn check(text: &str, expected: &[(&str, &str, usize)]) {
    let judged = judge(&[pasted(text)]);
    let parts: Vec<(&str, &str, usize)> =
        judged.parts.iter().map(|p| (p.place.as_str(), p.format.unwrap_or("-"), p.lines)).collect();
    assert_eq!(parts, expected, "{text}");
}

const SMART: &str = r#"{"smartctl":{"version":[7,4],"exit_status":0},"device":{"name":"/dev/sda","type":"sat","protocol":"ATA"},"serial_number":"S1","smart_status":{"passed":true}}"#;
const MDSTAT: &str =
    "Personalities : [raid1]\nmd1 : active raid1 sdb3[1](F) sda3[0]\n      100 blocks [2/1] [U_]\n";
const DETAIL: &str = "/dev/md1:\n           Version : 1.0\n        Raid Level : raid1\n      Raid Devices : 2\n\n    Number   Major   Minor   RaidDevice State\n       0       8        3        0      active sync   /dev/sda3\n";
const POOL: &str = "  pool: tank\n state: DEGRADED\nconfig:\n\n\tNAME  STATE  READ WRITE CKSUM\n\ttank  DEGRADED  0  0  0\n\nerrors: No known data errors\n";
const MAP: &str = "[Index]\npd_bitmap = 0x6\n[PhysicalDisk_1]\nport_id = 3\npd_sys_name = /dev/sdx\nserial_no = S1\nmodel = HD1\n[PhysicalDisk_2]\nport_id = 4\npd_sys_name = /dev/sdb\nserial_no = S2\nmodel = HD2\n";
const PAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<QDocRoot version=\"1.0\">\n<authPassed>1</authPassed><model><displayModelName>TS-1283XU-RP</displayModelName></model>\n<func><ownContent><root><nic_cnt>1</nic_cnt><sysfan_count>1</sysfan_count><sysfan1>1489</sysfan1><sysfan_fail1>1</sysfan_fail1></root></ownContent></func></QDocRoot>\n";
const CACHE: &str = "2,0,0,0,0,0,0,0,34,0x0000,0,0,0\n5,Reallocated_Sectors_Count,100,100,10,0,0\n197,Current_Pending_Sector_Count,200,200,0,3,0\n";
const SDR: &str =
    "CPU Temp         | 01h | ok  |  3.1 | 45 degrees C\nFAN1             | 41h | lcr | 29.1 | 300 RPM\n";
const KEPT: &str = "2022-05-04 03:02:01  [    0.000000] Linux version 5.10.60-qnap (root@build) (gcc 7) #1 SMP\n2022-05-04 03:06:01  [  195.1] critical medium error, dev sdc, sector 8 op 0x0:(READ)\n";
const ROWS: &str = "{\"rows_read\":2}\n{\"id\":1,\"type\":2,\"time_unix_s\":1777900000,\"time_text\":null,\"text\":\"[Power] The system was not shutdown properly last time.\"}\n{\"id\":2,\"type\":2,\"time_unix_s\":null,\"time_text\":\"2026-05-04 03:02:01\",\"text\":\"Disk 2 unplugged.\"}\n";
const QCLI: &str = "Enclosure  Port  Sys_Name      Type        Size       Alias              Model\nNAS_HOST   7     /dev/sda      HDD:data    10.91 TB   3.5\" SATA HDD 7    HD12\n";
const SESSION: &str = "[~] # getsysinfo cputmp\n45 C/113 F\n[~] # getsysinfo sysfan 2\n970 RPM\n[~] # get_hwsn\nQ204X00123\n[~] # getcfg System \"Build Number\" -f /etc/default_config/uLinux.conf\n20250321\n[~] # getcfg System Version -f /etc/default_config/uLinux.conf\n5.2.4\n[~] # hal_app --get_ec_version\n1.2.3.4\n[~] # ls\nPublic\n[~] # getsysinfo sysvolnum\n1\n[~] # getsysinfo vol_status 0\n-5\n[~] # \n";

#[test]
fn outputs_are_found_by_content() {
    check("", &[]);
    check("hello\nworld\n", &[("p.txt", "-", 2)]);
    check(SMART, &[("p.txt", "smartctl", 1)]);
    check(&format!("{SMART}\n{SMART}\n"), &[("p.txt", "smartctl", 1), ("p.txt#L2", "smartctl", 1)]);
    check("{\"other\": 1}", &[("p.txt", "-", 1)]);
    check("{\"smartctl\": {\n", &[("p.txt", "-", 1)]);
    check(MDSTAT, &[("p.txt", "mdstat", 3)]);
    check(&format!("# cat /proc/mdstat\r\n{MDSTAT}"), &[("p.txt#L2", "mdstat", 3)]);
    check(
        &format!("[    1.000000] ata1: hard resetting link\n[    2.0] x\n{MDSTAT}"),
        &[("p.txt", "kernel log", 2), ("p.txt#L3", "mdstat", 3)],
    );
    check(&format!("{DETAIL}{DETAIL}"), &[("p.txt", "mdadm", 14)]);
    check(
        "/dev/md127: 99.00MiB raid1 2 devices, 1 spare. Use mdadm --detail for more detail.\n",
        &[("p.txt", "mdadm", 1)],
    );
    check(&format!("[~] # zpool status\n{POOL}"), &[("p.txt#L2", "zpool status", 8)]);
    check(
        "{\"output_version\":{\"command\":\"zpool status\"},\"pools\":{\"a\":{\"state\":\"ONLINE\"}}}",
        &[("p.txt", "zpool status", 1)],
    );
    check(
        "  LV   VG  Attr       LSize  Pool Origin Data%  Meta%\n  lv1  vg1 -wi-a-----  1.00g\n",
        &[("p.txt", "lvs or pvs", 2)],
    );
    check("vg1-lv2: 0 8192 linear \nvg1-lv2: 8192 8192 linear \n", &[("p.txt", "dmsetup status", 2)]);
    check("anna: 1 2 hello\n", &[("p.txt", "-", 1)]);
    check(
        &format!("{PAGE}{PAGE}"),
        &[("p.txt#L2", "QTS management page", 3), ("p.txt#L6", "QTS management page", 3)],
    );
    check(MAP, &[("p.txt", "map of bays", 12)]);
    check(CACHE, &[("p.txt", "QTS SMART cache", 3)]);
    check(QCLI, &[("p.txt", "qcli_storage -d", 2)]);
    check(
        "enc_sys_get_fan(2631):fan index = 0,ret = 0,fan = 5212 rpm,fan_fail = 0",
        &[("p.txt", "hal_app fans", 1)],
    );
    check("SHUTDOWN TEMP CPU:SYS:DISK:PWR = 85:70:60:55\n", &[("p.txt", "hal_daemon.log", 1)]);
    check(SDR, &[("p.txt", "ipmitool sdr", 2)]);
    check(
        "   1 | 05/04/2026 | 12:34:56 | Power Supply PS1 Status | Power Supply AC lost | Asserted\n",
        &[("p.txt", "ipmitool sel", 1)],
    );
    check("battery.charge: 62\nups.status: OB\n", &[("p.txt", "NUT", 2)]);
    check("BEGIN LIST UPS\nUPS q \"d\"\nEND LIST UPS\n", &[("p.txt", "NUT", 3)]);
    check(KEPT, &[("p.txt", "kept kernel log", 2)]);
    check(ROWS, &[("p.txt", "event log rows", 3)]);
    for line in [
        "6,7,12345678,-;ata3: x",
        "<3>[   12.345678] x",
        "[   12.3][    T9] x",
        "May  4 03:02:01 nas kernel: x",
    ] {
        check(line, &[("p.txt", "kernel log", 1)]);
    }
}

#[test]
fn a_session_is_read_by_its_prompts() {
    let judged = judge(&[pasted(SESSION)]);
    let found: Vec<_> = judged.parts.iter().map(|part| part.format.unwrap_or("-")).collect();
    assert_eq!(
        found.iter().filter(|format| **format == "QTS command or file").count(),
        8,
        "{:?}",
        judged.parts
    );
    assert_eq!(found.iter().filter(|format| **format == "-").count(), 1, "the list of files is nobody's");
    let facts = &judged.collection.facts;
    let cpu = &facts.temperatures.value().expect("two")[0];
    assert_eq!(cpu.temperature_c.value().map(|c| c.0), Some(45));
    assert_eq!(cpu.temperature_c.place(), Some("p.txt#L2"));
    let fans = facts.fans.value().expect("two fans");
    assert_eq!(fans[1].speed_rpm.value().map(|rpm| rpm.0), Some(970));
    assert!(fans[0].speed_rpm.is_not_collected() && fans[1].expected.is_not_collected());
    assert_eq!(facts.identity.serial.value().map(String::as_str), Some("Q204X00123"));
    assert_eq!(facts.identity.firmware.value().map(String::as_str), Some("QTS 5.2.4 build 20250321"));
    assert_eq!(facts.identity.ec_version.place(), Some("p.txt#L12"));
    assert_eq!(facts.identity.platform.value(), Some(&Platform::Qts));
    assert!(facts.identity.board.is_not_collected() && facts.identity.vendor.is_seen());
    let volume = &facts.volumes.value().expect("one")[0];
    assert!(volume.status.is_seen() && volume.size.is_not_collected());
    let chassis = serde_json::to_string(&facts.chassis).expect("plain data");
    assert!(!chassis.contains("absent"), "{chassis}");
    assert!(facts.power.units.is_not_collected() && facts.drives.is_not_collected());
    check(
        "getsysinfo cputmp\n[~] # getsysinfo systmp\n",
        &[("p.txt#L2", "QTS command or file", 0), ("p.txt#L3", "QTS command or file", 0)],
    );
}

#[test]
fn a_map_and_a_report_join_by_the_serial_number() {
    for text in [format!("{MAP}{SMART}\n"), format!("{SMART}\n{MAP}")] {
        let found = facts(&text);
        let drives = found.drives.value().expect("two drives");
        let bays: Vec<_> =
            drives.iter().map(|d| (d.serial.value().map(String::as_str), d.bay.value().copied())).collect();
        assert_eq!(bays, [(Some("S1"), Some(3)), (Some("S2"), Some(4))], "{text}");
        assert_eq!(drives[0].health_passed.value(), Some(&true));
        assert!(drives[1].health_passed.is_not_collected(), "its report was not pasted");
    }
    let session = format!(
        "[~] # cat /etc/enclosure_2.conf\n{MAP}[~] # cat /tmp/smart/smart_2_4.info\n{CACHE}[~] # smartctl -j -x /dev/sda\n{SMART}\n"
    );
    let found = facts(&session);
    let drives = found.drives.value().expect("two drives");
    assert_eq!((drives[0].enclosure.value(), drives[0].bay.value()), (Some(&2), Some(&3)));
    assert_eq!((drives[1].bay.value(), drives[1].ata_attributes.value().map(Vec::len)), (Some(&4), Some(2)));
    assert_eq!(drives[1].bay.place(), Some("p.txt#L2"));
    let by_node = facts(&format!("{QCLI}\n{SMART}"));
    assert_eq!(by_node.drives.value().expect("one")[0].bay.value(), Some(&7));
    let cache = facts(CACHE);
    let alone = &cache.drives.value().expect("one")[0];
    assert_eq!((alone.protocol.value(), alone.bay.is_seen()), (Some(&Protocol::Ata), false));
    let gone = Pasted { name: "enclosure_0_del.conf".into(), bytes: MAP.into() };
    let gone = judge(&[gone]).collection.facts;
    assert_eq!(gone.departed_drives.value().map(Vec::len), Some(2));
    assert!(gone.drives.is_not_collected());
}

#[test]
fn one_array_in_two_outputs_is_one_array() {
    let found = facts(&format!("{MDSTAT}{DETAIL}"));
    let arrays = found.md_arrays.value().expect("one");
    assert_eq!(arrays.len(), 1);
    assert_eq!(arrays[0].metadata_version.value().map(String::as_str), Some("1.0"));
    assert!(arrays[0].missing.is_seen(), "mdstat's own number is kept");
    assert_eq!(arrays[0].level.place(), Some("p.txt#L4"));
}

#[test]
fn what_the_other_outputs_say() {
    let page = facts(PAGE);
    assert_eq!(page.identity.model.value().map(String::as_str), Some("TS-1283XU-RP"));
    assert_eq!(page.fans.value().expect("one")[0].fault.value(), Some(&true));
    let bmc = facts(SDR);
    assert_eq!(bmc.bmc.value().and_then(|bmc| bmc.sensors.value()).map(Vec::len), Some(2));
    assert!(bmc.bmc.value().is_some_and(|bmc| bmc.events.is_not_collected()));
    let ups =
        facts("[~] # upsc qnapups@localhost\nbattery.charge: 62\nups.mfr: A \"B\" \\C\nups.status: OB LB\n");
    let ups = &ups.ups.value().expect("one")[0];
    assert_eq!((ups.name.as_str(), ups.charge_hundredths_percent.value()), ("qnapups", Some(&6200)));
    assert_eq!(ups.maker.value().map(String::as_str), Some("A \"B\" \\C"));
    let hal = facts(
        "pwr_index = 0, status = 0, rpm = 5120, temp = 38\npwr_index = 1, status = -1, rpm = -1, temp = -1\nCPU CRIT:WARN = 80:72\n",
    );
    assert_eq!(hal.power.units.value().map(Vec::len), Some(2));
    assert_eq!(hal.temperature_limits.value().map(Vec::len), Some(2));
    let typed = "[~] # hal_app --se_sys_get_fan enc_sys_id=root,obj_index=0\nenc_sys_get_fan(2631):fan index = 0,ret = 0,fan = 5212 rpm,fan_fail = 0\n";
    check(typed, &[("p.txt#L2", "QTS command or file", 1)]);
    assert_eq!(facts(typed).fans.value().expect("one")[0].fault.value(), Some(&false));
    check(&format!("[~] # qcli_storage -d\n{QCLI}"), &[("p.txt#L2", "QTS command or file", 2)]);
    let rows = facts(ROWS);
    assert_eq!(rows.event_log.value().map(|log| log.events.len()), Some(2));
    let fan = facts(
        "x enc_sys_get_fan(2631):fan index = 1,ret = 0,fan = 5212 rpm,fan_fail = 1\nx enc_sys_get_fan_pwm(2689):fan index = 1,ret = 0,fan_pwm = 159",
    );
    let fan = &fan.fans.value().expect("two")[1];
    assert_eq!((fan.fault.value(), fan.pwm.value()), (Some(&true), Some(&159)));
}

#[test]
fn kept_logs_are_one_history() {
    let file = |name: &str, text: &str| Pasted { name: name.into(), bytes: text.as_bytes().to_vec() };
    let later = KEPT.replace("2022-05-04", "2022-05-05");
    for files in [[file("kmsg", &later), file("kmsg.1", KEPT)], [file("a", KEPT), file("b", &later)]] {
        let facts = judge(&files).collection.facts;
        let log = facts.persisted_log.value().expect("a log");
        assert_eq!((log.boots.len(), log.events.len()), (2, 2));
        assert_eq!(log.boots[0].first_at.as_deref(), Some("2022-05-04 03:02:01"));
        assert_eq!(log.boots[1].end, BootEnd::Open);
    }
}

#[test]
fn a_paste_may_have_been_through_anything() {
    for text in [SESSION, MDSTAT, DETAIL, POOL, MAP, PAGE, CACHE, SDR, KEPT, ROWS, QCLI, SMART] {
        let plain = judge(&[pasted(text)]);
        let forms = [
            text.trim_end().as_bytes().to_vec(),
            text.replace('\n', "\r\n").into_bytes(),
            format!("\u{feff}{text}").into_bytes(),
            [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
        ];
        for bytes in forms {
            let judged = judge(&[Pasted { name: "p.txt".into(), bytes }]);
            assert_eq!(judged.collection.facts, plain.collection.facts, "{text}");
        }
    }
}

#[test]
fn facts_name_the_file_and_several_files_add_up() {
    let other = Pasted { name: "second.json".into(), bytes: SMART.replace("S1", "S2").into_bytes() };
    let judged = judge(&[pasted(SMART), other, pasted(MDSTAT)]);
    let drives = judged.collection.facts.drives.value().expect("two drives");
    assert_eq!(drives.iter().filter_map(|d| d.serial.place()).collect::<Vec<_>>(), ["p.txt", "second.json"]);
    assert_eq!(judged.collection.facts.md_arrays.value().map(Vec::len), Some(1));
    assert!(judged.collection.facts.fans.is_not_collected());
    assert!(judged.found_anything());
    assert!(!judge(&[pasted("nothing\n")]).found_anything());
}

/// Each would take minutes if any line were looked at more than a few times.
#[test]
fn a_big_paste_takes_time_by_its_size() {
    const SIZE: usize = 512 << 10;
    let repeated = |piece: &str| piece.repeat(SIZE / piece.len());
    for (text, most_parts) in [
        (repeated("[    1.000000] ata1: hard resetting link\n"), 1),
        (repeated("garbage | garbage, = : ; [x] # \n"), 1),
        (repeated("\n"), 0),
        ("x".repeat(SIZE), 1),
        (repeated("{\n"), 1),
        (repeated("{\"a\":[\n"), 1),
        (repeated("{\"id\":1,\"time_unix_s\":1,\"text\":\"x\"}\n"), 1),
        (repeated("{}\n"), 2001),
        (repeated("[~] # x\ny\n"), 2001),
        (repeated("smartctl 7.2\nSerial Number: 1\n"), 2001),
        (repeated("Personalities :\n\n"), 2001),
        (repeated("pwr_index = 0, status = 0\n"), 1),
        (repeated("fan index = 0\nups.status: OL\n"), 2001),
    ] {
        let judged = judge(&[pasted(&text)]);
        let start: String = text.chars().take(20).collect();
        assert!(judged.parts.len() <= most_parts, "{start:?}: {} parts", judged.parts.len());
    }
}

#[test]
fn any_bytes_are_survived() {
    let all =
        [SESSION, MDSTAT, DETAIL, POOL, MAP, PAGE, CACHE, SDR, KEPT, ROWS, QCLI, "[1.0] ata1: x\n"].concat();
    for text in [&*all, SESSION, MAP] {
        crate::hostile::mutate(
            text.as_bytes(),
            1000,
            |bytes| judge(&[Pasted { name: "p".into(), bytes: bytes.to_vec() }]),
            |judged| assert!(judged.parts.len() < 100),
        );
    }
}
