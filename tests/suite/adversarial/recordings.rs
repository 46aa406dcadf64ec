//! The recordings that show a case which no device of the folder has: a few files each.

use serde_json::{Value, json};

use super::Files;

pub(super) fn files(pairs: &[(&str, &str)]) -> Files {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// A SATA disk in sysfs.
pub(super) fn disk(device: &str, port: u32) -> Files {
    let path = format!(
        "../devices/pci0000:00/0000:00:17.0/ata{}/host{port}/target{port}:0:0/{port}:0:0:0/block/{device}",
        port + 1
    );
    let mut files = files(&[("proc/filesystems", "\text4\n")]);
    files.push((format!("sys/block/{device}.link"), path));
    for (file, text) in [("size", "7814037168"), ("removable", "0"), ("queue/rotational", "1")] {
        files.push((format!("sys/block/{device}/{file}"), text.to_owned()));
    }
    files
}

pub(super) fn answer(kind: &str, device: &str, protocol: &str, exit: u32, rest: Value) -> (String, String) {
    let mut json = json!({
        "smartctl": {"version": [7, 4], "exit_status": exit},
        "device": {"name": format!("/dev/{device}"), "type": kind, "protocol": protocol},
    });
    for (key, value) in rest.as_object().into_iter().flatten() {
        match (json.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
            (Some(known), Some(more)) => known.extend(more.clone()),
            _ => json[key] = value.clone(),
        }
    }
    (format!("cmd/smartctl.{kind}.{device}/stdout"), json.to_string())
}

/// One attribute: id, name, value, threshold, raw value, whether it predicts failure, `when_failed`.
pub(super) fn attribute(
    id: u8,
    name: &str,
    now: (u8, u8),
    raw: u64,
    prefailure: bool,
    failed: &str,
) -> Value {
    json!({
        "id": id, "name": name, "value": now.0, "worst": now.0, "thresh": now.1, "when_failed": failed,
        "flags": {"value": 50, "prefailure": prefailure}, "raw": {"value": raw, "string": raw.to_string()},
    })
}

pub(super) fn awake(device: &str, passed: bool, exit: u32, attributes: &[Value], more: Value) -> Files {
    let mut rest = json!({
        "model_name": "EXAMPLE HD4000", "serial_number": format!("EXADV-{device}"), "firmware_version": "A1",
        "smart_status": {"passed": passed}, "temperature": {"current": 31},
        "ata_smart_attributes": {"table": attributes},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        rest[key] = value.clone();
    }
    let mut files = disk(device, 0);
    files.push(answer("sat", device, "ATA", exit, rest));
    files
}

pub(super) fn typed_scsi() -> Files {
    let scsi = json!({"smart_support": {"available": false}, "temperature": {"current": 0}, "serial_number": "EXADV-1"});
    let as_scsi = |kind: &str, device: &str| {
        let (place, text) = answer("scsi", device, "SCSI", 4, scsi.clone());
        (place.replace(".scsi.", &format!(".{kind}.")), text)
    };
    let good = json!({
        "serial_number": "EXADV-2", "smart_status": {"passed": true}, "temperature": {"current": 31},
    });
    let mut files = [disk("sda", 0), disk("sdb", 1)].concat();
    files.extend(["sat", "sat12", "ata"].map(|kind| as_scsi(kind, "sda")));
    files.push(as_scsi("sat", "sdb"));
    let (place, text) = answer("sat", "sdb", "ATA", 0, good);
    files.push((place.replace(".sat.", ".sat12."), text));
    files
}

pub(super) fn asleep() -> Files {
    let says = |exit: u32| {
        let words = format!("Device is in STANDBY mode, exit({exit})");
        json!({"smartctl": {"messages": [{"string": words, "severity": "information"}]}})
    };
    let mut files = [disk("sda", 0), disk("sdb", 1)].concat();
    files.push(answer("sat", "sda", "ATA", 3, says(3)));
    files.push(answer("sat", "sdb", "ATA", 2, says(2)));
    files
}

pub(super) fn passes_with_pending() -> Files {
    let rows = [
        attribute(5, "Reallocated_Sector_Ct", (100, 5), 1040, true, ""),
        attribute(197, "Current_Pending_Sector", (100, 0), 878, false, ""),
    ];
    awake("sda", true, 0, &rows, json!({}))
}

pub(super) fn failed_by_heat() -> Files {
    let rows = [
        attribute(5, "Reallocated_Sector_Ct", (100, 10), 0, true, ""),
        attribute(190, "Airflow_Temperature_Cel", (42, 45), 58, false, "now"),
        attribute(197, "Current_Pending_Sector", (100, 0), 0, false, ""),
    ];
    awake("sda", false, 24, &rows, json!({"temperature": {"current": 58}}))
}

pub(super) fn packed_timeouts() -> Files {
    let rows = [
        attribute(188, "Command_Timeout", (100, 0), 94_490_722_326, false, ""),
        attribute(197, "Current_Pending_Sector", (100, 0), 0, false, ""),
    ];
    awake("sda", true, 0, &rows, json!({}))
}

pub(super) fn aborted_over_failed() -> Files {
    let tests = json!({"extended": {"count": 3, "table": [
        {"type": {"value": 2, "string": "Extended offline"}, "status": {"value": 25, "string": "Aborted by host"}, "lifetime_hours": 9100},
        {"type": {"value": 2, "string": "Extended offline"}, "status": {"value": 121, "string": "Completed: read failure", "passed": false}, "lifetime_hours": 9000, "lba": 987_654_321},
        {"type": {"value": 1, "string": "Short offline"}, "status": {"value": 0, "string": "Completed without error", "passed": true}, "lifetime_hours": 100},
    ]}});
    let rows = [attribute(197, "Current_Pending_Sector", (100, 0), 8, false, "")];
    awake(
        "sda",
        true,
        128,
        &rows,
        json!({"ata_smart_self_test_log": tests, "power_on_time": {"hours": 9150}}),
    )
}

/// QTS, as far as roles of arrays need it.
const QTS: (&str, &str) = ("etc/platform.conf", "[MISC]\nDISPLAY_NAME = TS-453D\n");

pub(super) fn md9_of_128() -> Files {
    let members: String = "abcdef".chars().rev().map(|c| format!(" sd{c}1[{}]", u32::from(c) - 97)).collect();
    let md9 = format!(
        "md9 : active raid1{members}\n      530048 blocks super 1.0 [128/6] [{}{}]\n\nunused devices: <none>\n",
        "U".repeat(6),
        "_".repeat(122)
    );
    files(&[QTS, ("proc/mdstat", &format!("Personalities : [raid1]\n{md9}"))])
}

pub(super) fn faulty_while_rebuilding() -> Files {
    files(&[
        QTS,
        (
            "proc/mdstat",
            "Personalities : [raid6] [raid5] [raid4]\n\
             md1 : active raid5 sdd3[3] sdc3[2] sdb3[1](F) sda3[0]\n      7794127232 blocks super 1.0 level 5, 512k chunk, algorithm 2 [3/2] [U_U]\n      \
             [==>..................]  recovery = 12.6% (491040640/3897063616) finish=412.0min speed=137000K/sec\n\nunused devices: <none>\n",
        ),
    ])
}

pub(super) fn hero_lines() -> Files {
    files(&[
        ("etc/platform.conf", "[MISC]\nDISPLAY_NAME = TS-h973AX\n"),
        ("proc/filesystems", "nodev\tzfs\n"),
        (
            "cmd/zpool-status/stdout",
            "  pool: zpool1\n state: DEGRADED\nstatus: One or more devices could not be used because the label is missing or\n    \
             invalid.  Sufficient replicas exist for the pool to continue\n    functioning in a degraded state.\n  \
             scan: scrub repaired 0 in 2 days 00:36:53 with 0 errors on Thu Sep  3 02:36:56 2026\n prune: last pruned 1166760 entries, \
             132089760 entries are pruned ever\n        total pruning count #176, avg. pruning rate = 6115507 (entry/sec)\nexpand: none requested\n \
             ztier: [reloc] none requested\n        [smart] none requested\nconfig:\n\n    NAME                                        STATE     READ WRITE CKSUM\n    \
             zpool1                                      DEGRADED     0     0     0\n      raidz1-0                                  DEGRADED     0     0     0\n        \
             qzfs/enc_0/disk_0x4_500005E00E6B4AE7_3  ONLINE       0     0     0\n        qzfs/enc_0/disk_0x5_500005E00E6B4AE8_3  UNAVAIL      0     0     0\n\n\
             errors: No known data errors\n",
        ),
    ])
}

pub(super) fn fan_of_65535() -> Files {
    files(&[
        QTS,
        ("sys/class/hwmon/hwmon0/name", "it8528\n"),
        ("sys/class/hwmon/hwmon0/fan1_input", "900\n"),
        ("sys/class/hwmon/hwmon0/fan2_input", "65535\n"),
        ("etc/hal.conf", "[Enclosure_0]\nmax_fan_num = 1\n"),
        (
            "cmd/hal_app.fan.0/stdout",
            "enc_sys_get_fan(2631):fan index = 0,ret = 0,fan = 65535 rpm,fan_fail = 0\n",
        ),
        ("cmd/getsysinfo.sysfan.1/stdout", "65535 RPM\n"),
    ])
}

pub(super) fn empty_fan_header() -> Files {
    files(&[
        ("proc/filesystems", "\text4\n"),
        ("sys/class/hwmon/hwmon0/name", "nct6775\n"),
        ("sys/class/hwmon/hwmon0/fan1_input", "1043\n"),
        ("sys/class/hwmon/hwmon0/fan2_input", "0\n"),
        ("sys/class/hwmon/hwmon0/fan2_alarm", "1\n"),
    ])
}

pub(super) fn thermal_machine_check() -> Files {
    files(&[(
        "dev/kmsg",
        "4,9,9100000,-;mce: CPU2: Core temperature above threshold, cpu clock throttled (total events = 9)\n\
         6,10,9101000,-;mce: CPU2: Core temperature/speed normal\n",
    )])
}

pub(super) fn two_resets() -> Files {
    files(&[(
        "dev/kmsg",
        "3,1,100000001,-;ata3.00: exception Emask 0x10 SAct 0x1 SErr 0x400100 action 0x6 frozen\n\
         3,2,100000002,-;ata4.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x0\n\
         3,3,100000003,-;ata3: SError: { UnrecovData Handshk }\n\
         3,4,100000004,-;ata3.00: failed command: WRITE FPDMA QUEUED\n\
         3,5,100000005,-;ata3.00: cmd 61/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 out\\x0a         res 40/00:01:00:00:00/00:00:00:00:00/00 Emask 0x10 (ATA bus error)\n\
         3,6,100000006,-;ata3.00: status: { DRDY }\n\
         3,7,100000007,-;ata4.00: failed command: READ FPDMA QUEUED\n\
         3,8,100000008,-;ata4.00: cmd 60/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 in\\x0a         res 41/40:01:00:00:00/00:00:00:00:00/00 Emask 0x409 (media error) <F>\n\
         3,9,100000009,-;ata4.00: status: { DRDY ERR }\n\
         3,10,100000010,-;ata4.00: error: { UNC }\n\
         6,11,100000011,-;ata3: hard resetting link\n\
         6,12,100000012,-;ata4: hard resetting link\n",
    )])
}
