//! Kernel logs by themselves, pasted into `assay judge`: what several drives share, and what is no hardware at all.
//!
//! Each log is short and made up after the wording of the kernel. What must be found are the codes of the rules that
//! look at a log alone; the logs of software, of other systems and of people who only write about faults give none.

use assay_collector::judge::{Pasted, judge};

/// The codes of what the rules find in a pasted text, sorted.
fn found(text: &str) -> Vec<String> {
    let judged = judge(&[Pasted { name: "paste.txt".to_owned(), bytes: text.as_bytes().to_vec() }]);
    let diagnosis = assay_diagnosis::diagnose_pasted(&judged.collection.facts);
    let mut codes: Vec<String> = diagnosis.findings.iter().map(|finding| finding.code.clone()).collect();
    codes.sort();
    codes.dedup();
    codes
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(found(text), expected, "{text}");
}

/// Lines of one log with their times since boot.
fn log(lines: &[(&str, &str)]) -> String {
    lines.iter().map(|(at, line)| format!("[{at:>12}] {line}\n")).collect()
}

const TIMEOUT: [&str; 5] = [
    "exception Emask 0x0 SAct 0x10 SErr 0x0 action 0x6 frozen",
    "failed command: READ FPDMA QUEUED",
    "cmd 60/08:20:10:b1:31/00:00:e4:01:00/40 tag 4 ncq dma 4096 in",
    "status: { DRDY }",
    "hard resetting link",
];

/// A command that timed out on a port.
fn timeout(port: u32, at_s: u64) -> String {
    let mut text = String::new();
    for (line, number) in TIMEOUT.iter().zip(0..) {
        let unit = if *line == "hard resetting link" { "" } else { ".00" };
        text += &format!("[{at_s}.{number:06}] ata{port}{unit}: {line}\n");
        if line.starts_with("cmd") {
            let result = "res 40/00:00:00:00:00/00:00:00:00:00/00 Emask 0x4 (timeout)";
            text += &format!("[{at_s}.{number:06}]          {result}\n");
        }
    }
    text
}

#[test]
fn what_several_drives_share() {
    // Two disks that are reset in the same second, and three that stop within minutes.
    check(&(timeout(1, 5_000) + &timeout(2, 5_000)), &["SHR-001"]);
    check(&(timeout(1, 5_000) + &timeout(2, 5_200) + &timeout(5, 5_300)), &["SHR-001"]);
    // Hours apart, or one alone, however often.
    check(&(timeout(1, 5_000) + &timeout(2, 50_000)), &[]);
    check(&(timeout(1, 5_000) + &timeout(1, 5_200) + &timeout(1, 5_300)), &[]);
    // Several NVMe drives that drop behind one switch.
    let dropped = log(&[
        ("9000.000001", "nvme nvme2: I/O 12 QID 0 timeout, reset controller"),
        ("9020.000001", "nvme nvme9: I/O 3 QID 0 timeout, reset controller"),
        ("9031.000001", "nvme nvme3: I/O 7 QID 0 timeout, reset controller"),
        ("9060.000001", "nvme nvme2: Device not ready; aborting reset, CSTS=0x1"),
        ("9061.000001", "nvme nvme9: Device not ready; aborting reset, CSTS=0x1"),
    ]);
    check(&dropped, &["SHR-001"]);
}

#[test]
fn a_hand_and_a_boot_are_no_cause() {
    let pulled = |port: u32, at: u64| {
        format!(
            "[{at}.000001] ata{port}: exception Emask 0x10 SAct 0x0 SErr 0x4010000 action 0xe frozen\n\
             [{at}.000002] ata{port}: irq_stat 0x00400040, connection status changed\n\
             [{at}.000003] ata{port}: SError: {{ PHYRdyChg DevExch }}\n\
             [{at}.000004] ata{port}: hard resetting link\n\
             [{at}.700000] ata{port}: SATA link down (SStatus 0 SControl 300)\n\
             [{}.000000] ata{port}.00: disabled\n",
            at + 11
        )
    };
    check(&pulled(3, 8_000), &[]);
    check(&(pulled(3, 8_000) + &pulled(4, 8_040)), &[]);
    let boot = log(&[
        ("1.200000", "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300)"),
        ("1.300000", "ata2: SATA link down (SStatus 0 SControl 300)"),
        ("6.500000", "ata3: link is slow to respond, please be patient (ready=0)"),
        ("6.600000", "ata4: link is slow to respond, please be patient (ready=0)"),
        ("9.000000", "ata3: hard resetting link"),
        ("9.100000", "ata4: hard resetting link"),
        ("11.00000", "sd 2:0:0:0: Power-on or device reset occurred"),
        ("11.10000", "sd 3:0:0:0: Power-on or device reset occurred"),
    ]);
    check(&boot, &[]);
}

#[test]
fn software_alone_is_no_hardware() {
    let loops = log(&[
        ("100.100000", "blk_update_request: I/O error, dev loop0, sector 2048 op 0x0:(READ) flags 0x0"),
        ("100.100100", "blk_update_request: I/O error, dev loop1, sector 2048 op 0x0:(READ) flags 0x0"),
        ("100.200000", "md/raid1:md0: Disk failure on loop1, disabling device."),
        ("100.200100", "md/raid1:md0: Operation continuing on 1 devices."),
        ("100.300000", "Buffer I/O error on dev loop0, logical block 256, async page read"),
        ("100.400000", "md: recovery of RAID array md0"),
        ("101.400000", "md: md0: recovery done."),
    ]);
    check(&loops, &[]);
    let discards = log(&[
        (
            "700.100000",
            "blk_update_request: operation not supported error, dev sda, sector 8 op 0x3:(DISCARD)",
        ),
        ("700.100100", "critical target error, dev sdb, sector 8 op 0x9:(WRITE_ZEROES) flags 0x800"),
        ("700.200000", "INFO: task smbd:4711 blocked for more than 120 seconds."),
        ("700.300000", "EXT4-fs (dm-7): last error at time 1593093822: ext4_lookup:1590: inode 12"),
    ]);
    check(&discards, &[]);
    let stick = log(&[
        ("800.100000", "usb 1-4: USB disconnect, device number 3"),
        ("800.100100", "blk_update_request: I/O error, dev sdf, sector 128 op 0x0:(READ) flags 0x0"),
        ("800.200000", "sd 6:0:0:0: [sdf] Synchronizing SCSI cache"),
    ]);
    check(&stick, &[]);
}

#[test]
fn who_only_writes_of_faults_has_none() {
    check(
        "# How to read a kernel log\n\n\
         A line such as `ata3: hard resetting link` beside `ata4: hard resetting link` means that two links were\n\
         reset. `nvme nvme0: I/O 12 QID 0 timeout, reset controller` is a hang, and `critical medium error, dev sda,\n\
         sector 128` a bad sector. Look for `SError: { PHYRdyChg }` as well.\n",
        &[],
    );
    // A service that writes what it read into the system's log.
    check(
        "Nov 22 10:00:00 nas kernel: EXT4-fs (dm-7): mounted filesystem with ordered data mode.\n\
         Nov 22 10:00:01 nas logscan[812]: rule matched: ata3.00: exception Emask 0x0 SAct 0x10 SErr 0x0 action 0x6 frozen\n\
         Nov 22 10:00:01 nas logscan[812]: rule matched: ata3: hard resetting link\n\
         Nov 22 10:00:01 nas logscan[812]: rule matched: ata4: hard resetting link\n\
         Nov 22 10:00:02 nas logscan[812]: rule matched: critical medium error, dev sda, sector 128\n",
        &[],
    );
}

#[test]
fn other_systems_and_other_logs() {
    check(
        "ahcich0: Timeout on slot 3 port 0\n\
         ahcich0: is 00000000 cs 00000008 ss 00000000 rs 00000008 tfd c0 serr 00000000 cmd 0004c317\n\
         (ada0:ahcich0:0:0:0): READ_FPDMA_QUEUED. ACB: 60 08 10 b1 31 40 e4 01 00 00 00 00\n\
         (ada0:ahcich0:0:0:0): CAM status: Command timeout\n\
         (ada1:ahcich1:0:0:0): CAM status: Uncorrectable parity/CRC error\n\
         (ada1:ahcich1:0:0:0): Retrying command, 3 more tries remain\n",
        &[],
    );
    check(
        "Nov 22 10:00:00 web01 systemd[1]: Started nginx.service - A high performance web server.\n\
         Nov 22 10:00:03 web01 sshd[4711]: Failed password for invalid user admin from 192.0.2.7 port 4022 ssh2\n\
         Nov 22 10:00:05 web01 kernel: audit: type=1400 apparmor=\"DENIED\" operation=\"open\" name=\"/etc/hosts\"\n\
         Nov 22 10:00:09 web01 kernel: e1000e 0000:00:1f.6 eth0: NIC Link is Up 1000 Mbps Full Duplex\n\
         Nov 22 10:00:12 web01 kernel: perf: interrupt took too long (2501 > 2500), lowering the rate\n\
         Nov 22 10:00:15 web01 CRON[99]: (root) CMD (run-parts /etc/cron.hourly)\n",
        &[],
    );
}
