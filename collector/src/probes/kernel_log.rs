//! The kernel log: `/dev/kmsg` records, or the text that `dmesg` makes of them, classified by signature.
//!
//! Every Linux has it. The ring is small: what happened before its first record is not here, which is why the fact
//! carries the times of the first and last record. One event may span several records (libata) and one record several
//! lines (md prints two with one call; kmsg writes the newline as `\x0a`). Plain text occurs in recorded devices,
//! since that is what an owner can paste. The lines themselves stay in `raw/`.
//!
//! A port or SCSI address is told together with the block device behind it at this moment (`/sys/block/*` links). That
//! holds for this boot and until the next reset that moves a letter, so it stands beside the subject, not instead.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::facts::kernel_log::KernelLog;

use crate::door::Door;
use crate::log_events::{Assembler, Line};
use crate::log_text::LogicalLines;
use crate::source::Request;

const BLOCK: &str = "/sys/block";

/// Reads the log.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<KernelLog> {
    let mut log = match door.ask(&Request::KernelLog).await {
        Ok(fetched) => door.noted(parse(&fetched.bytes, fetched.truncated, &fetched.place)),
        Err(missing) => return missing.required("the kernel log"),
    };
    if let Observed::Seen { value, .. } = &mut log
        && !value.events.is_empty()
    {
        let devices = devices(door).await;
        for event in &mut value.events {
            event.device = event.subject.as_ref().and_then(|port| devices.get(port).cloned().flatten());
        }
    }
    log
}

/// Port or SCSI address to the one block device that stands there; several behind one port are none.
async fn devices(door: &Door<'_>) -> BTreeMap<String, Option<String>> {
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    for name in door.names(BLOCK).await.unwrap_or_default() {
        // A loop or md device has no port: its link is not asked for.
        if !name.starts_with("sd") {
            continue;
        }
        let path = door.link(&format!("{BLOCK}/{name}")).await;
        for place in path.value().map(|path| places(path)).unwrap_or_default() {
            found.entry(place).and_modify(|several| *several = None).or_insert_with(|| Some(name.clone()));
        }
    }
    found
}

/// `ata3` and `2:0:0:0` of `../devices/…/ata3/host2/target2:0:0/2:0:0:0/block/sdc`.
fn places(path: &str) -> Vec<String> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = |part: &&str| part.strip_prefix("ata").is_some_and(number);
    let address = |part: &&str| part.split(':').count() == 4 && part.split(':').all(number);
    path.split('/').filter(|part| port(part) || address(part)).map(str::to_owned).collect()
}

/// Reads a log that stands at `place`; `cut` says that the reader left something out.
pub fn parse(bytes: &[u8], cut: bool, place: &str) -> Observed<KernelLog> {
    let mut events = match Assembler::new(KernelLog::MOST_EVENTS) {
        Ok(events) => events,
        Err(why) => return Observed::unreadable(format!("{place}: {why}")),
    };
    let text = crate::lines::text(bytes);
    let mut log = KernelLog { lost: cut, ..KernelLog::default() };
    let mut sequence: Option<u64> = None;
    for line in LogicalLines::new(&text, events.speaks()) {
        log.records += 1;
        log.first_us = log.first_us.or(line.at_us);
        log.last_us = line.at_us.or(log.last_us);
        if let (Some(before), Some(now)) = (sequence, line.sequence) {
            log.lost |= now > before.saturating_add(1);
        }
        sequence = line.sequence.or(sequence);
        events.line(Line { number: line.number, at_us: line.at_us, text: &line.text, whole: line.whole });
    }
    log.suppressed = events.suppressed;
    log.benign_lines = events.benign;
    log.events_left_out = events.left_out;
    log.events = events.events;
    Observed::seen(log, place)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use assay_bundle::facts::kernel_log::KernelEvent;

    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    type Found = (String, Option<String>, Option<u64>, u64, u64);
    type Expected<'a> = (&'a str, Option<&'a str>, Option<u64>, u64, u64);

    fn events(text: &str) -> Vec<Found> {
        let log = parse(text.as_bytes(), false, "dev/kmsg");
        let log = log.value().expect("a log always reads");
        let short = |e: &KernelEvent| (e.signature.clone(), e.subject.clone(), e.at_us, e.line, e.repeats);
        log.events.iter().map(short).collect()
    }

    fn check(text: &str, expected: &[Expected<'_>]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b, c, d, e)| ((*a).to_owned(), b.map(str::to_owned), *c, *d, *e))
            .collect();
        assert_eq!(events(text), expected, "{text}");
    }

    #[test]
    fn kmsg_dmesg_and_syslog_say_the_same() {
        let expected = |line| [("ata-link-reset", Some("ata3"), Some(12_345_678), line, 1)];
        check("6,7,12345678,-;ata3: hard resetting link\n", &expected(1));
        check("[   12.345678] ata3: hard resetting link\n", &expected(1));
        check("[   12.345678][    T9] ata3: hard resetting link\n", &expected(1));
        check("<3>[   12.345678] ata3: hard resetting link\n", &expected(1));
        check("May  4 03:02:01 nas kernel: [   12.345678] ata3: hard resetting link", &expected(1));
        check("ata3: hard resetting link", &[("ata-link-reset", Some("ata3"), None, 1, 1)]);
    }

    #[test]
    fn one_event_over_several_lines_keeps_its_port() {
        check(
            "[ 1.0] ata3.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen\n\
             [ 1.0] ata3.00: failed command: READ FPDMA QUEUED\n\
             [ 1.0] ata3.00: cmd 60/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 in\n\
             [ 1.0]          res 40/00:01:00:00:00/00:00:00:00:00/00 Emask 0x4 (timeout)\n",
            &[("ata-timeout", Some("ata3"), Some(1_000_000), 1, 1)],
        );
        check(
            "3,9,5,-;ata3.00: cmd 60/08:00\\x0a         res 40/00:01 Emask 0x4 (timeout)\n SUBSYSTEM=scsi\n DEVICE=+scsi:2\n",
            &[("ata-timeout", Some("ata3"), Some(5), 1, 1)],
        );
    }

    #[test]
    fn repeats_fold_within_a_second_and_no_longer() {
        let line = |at| format!("3,{at},{at},-;I/O error, dev sda, sector {at} op 0x0:(READ)\n");
        check(
            &format!("{}{}{}", line(1), line(2), line(900_000)),
            &[("io-error", Some("sda"), Some(1), 1, 3)],
        );
        check(
            &format!("{}{}", line(1), line(2_000_000)),
            &[("io-error", Some("sda"), Some(1), 1, 1), ("io-error", Some("sda"), Some(2_000_000), 2, 1)],
        );
    }

    #[test]
    fn lost_records_are_noticed() {
        fn check(text: &str, cut: bool, records: u64, lost: bool) {
            let log = parse(text.as_bytes(), cut, "dev/kmsg");
            let log = log.value().expect("a log always reads");
            assert_eq!((log.records, log.lost), (records, lost), "{text}");
        }
        check("", false, 0, false);
        check("6,1,1,-;a\n6,2,2,-;b\n", false, 2, false);
        check("6,1,1,-;a\n6,4,2,-;b\n", false, 2, true);
        check("6,1,1,-;a\n", true, 1, true);
        check("6,18446744073709551615,1,-;a\n6,0,2,-;b\n", false, 2, false);
    }

    #[test]
    fn more_events_than_are_kept_are_counted() {
        let text: String =
            (0..2_500_u64).map(|n| format!("3,{n},{n},-;ata{}: hard resetting link\n", n % 7)).collect();
        let log = parse(text.as_bytes(), false, "dev/kmsg");
        let log = log.value().expect("a log always reads");
        assert_eq!((log.events.len(), log.events_left_out), (KernelLog::MOST_EVENTS, 500));
    }

    const BLOCK_OF_TWO_DISKS: &str = "\
[  100.000001] ata3.00: exception Emask 0x10 SAct 0x1 SErr 0x400100 action 0x6 frozen
[  100.000002] ata4.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x0
[  100.000003] ata3: SError: { UnrecovData Handshk }
[  100.000004] ata3.00: failed command: WRITE FPDMA QUEUED
[  100.000005] ata3.00: cmd 61/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 out
[  100.000005]          res 40/00:01:00:00:00/00:00:00:00:00/00 Emask 0x10 (ATA bus error)
[  100.000006] ata3.00: status: { DRDY }
[  100.000007] ata4.00: failed command: READ FPDMA QUEUED
[  100.000008] ata4.00: cmd 60/08:00:00:00:00/00:00:00:00:00/40 tag 0 ncq dma 4096 in
[  100.000008]          res 41/40:01:00:00:00/00:00:00:00:00/00 Emask 0x409 (media error) <F>
[  100.000009] ata4.00: status: { DRDY ERR }
[  100.000010] ata4.00: error: { UNC }
[  100.000011] ata3: hard resetting link
[  100.000012] ata4: hard resetting link
";

    #[test]
    fn two_disks_in_the_same_second_stay_apart() {
        check(
            BLOCK_OF_TWO_DISKS,
            &[
                ("ata-link-error", Some("ata3"), Some(100_000_001), 1, 1),
                ("ata-uncorrectable", Some("ata4"), Some(100_000_002), 2, 1),
                ("ata-link-reset", Some("ata3"), Some(100_000_011), 13, 1),
                ("ata-link-reset", Some("ata4"), Some(100_000_012), 14, 1),
            ],
        );
        let log = parse(BLOCK_OF_TWO_DISKS.as_bytes(), false, "x");
        let events = &log.value().expect("a log always reads").events;
        assert_eq!(
            events[0].details,
            [
                "emask 0x10",
                "serror UnrecovData Handshk",
                "command WRITE FPDMA QUEUED",
                "result ATA bus error",
                "status DRDY",
            ]
        );
        assert!(events[0].says("ata-bus-error") && !events[0].says("ata-uncorrectable"));
        assert_eq!((events[0].last_line, events[1].last_line), (7, 12));
    }

    #[test]
    fn blocks_of_hardware_errors_are_one_event() {
        check(
            "[ 9.1] mce: [Hardware Error]: Machine check events logged\n\
             [ 9.1] [Hardware Error]: Corrected error, no action required.\n\
             [ 9.1] [Hardware Error]: CPU:0 (17:71:0) MC18_STATUS[Over|CE|MiscV|-]: 0xdc2040000000011b\n\
             [ 9.1] [Hardware Error]: Error Addr: 0x000000036e4f0400\n\
             [ 9.1] [Hardware Error]: Unified Memory Controller Ext. Error Code: 0, DRAM ECC error.\n\
             [ 9.1] EDAC MC0: 1 CE on mc#0csrow#1channel#0 (csrow:1 channel:0 page:0x1 offset:0x0 grain:64)\n",
            &[
                ("mce-logged", None, Some(9_100_000), 1, 1),
                ("dram-ecc", None, Some(9_100_000), 2, 1),
                ("edac-corrected", Some("mc0"), Some(9_100_000), 6, 1),
            ],
        );
        check(
            "[ 9.1] {1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 0\n\
             [ 9.1] {1}[Hardware Error]: event severity: corrected\n\
             [ 9.1] {1}[Hardware Error]:   section_type: memory error\n\
             [ 9.1] {1}[Hardware Error]:   fru_text: CPU0_DIMM_A1\n\
             [ 9.2] {2}[Hardware Error]: event severity: corrected\n",
            &[("firmware-error-corrected", None, Some(9_100_000), 1, 2)],
        );
        check(
            "[ 9.1] mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 8: 9c00000000010091\n\
             [ 9.1] mce: [Hardware Error]: TSC 0 ADDR 36e4f0400 MISC 86\n\
             [ 9.1] mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 8: 9c00000000010091\n",
            &[
                ("mce-corrected", Some("cpu1"), Some(9_100_000), 1, 1),
                ("mce-corrected", Some("cpu2"), Some(9_100_000), 3, 1),
            ],
        );
    }

    #[test]
    fn an_overheated_processor_is_no_machine_check() {
        check(
            "[ 9.1] mce: CPU2: Core temperature above threshold, cpu clock throttled (total events = 9)\n",
            &[("cpu-throttled", Some("cpu2"), Some(9_100_000), 1, 1)],
        );
    }

    #[test]
    fn a_bus_report_is_one_event_and_repeats() {
        let report = |at| {
            format!(
                "[ {at}] pcieport 0000:00:1c.0: AER: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)\n\
                 [ {at}] pcieport 0000:00:1c.0: AER:   device [8086:9d14] error status/mask=00000001/00002000\n\
                 [ {at}] pcieport 0000:00:1c.0: AER:    [ 0] RxErr                  (First)\n"
            )
        };
        check(
            &format!("{}{}{}", report("9.1"), report("9.2"), report("99.1")),
            &[
                ("pcie-corrected", Some("0000:00:1c.0"), Some(9_100_000), 1, 2),
                ("pcie-corrected", Some("0000:00:1c.0"), Some(99_100_000), 7, 1),
            ],
        );
    }

    #[test]
    fn a_link_that_goes_down_was_up() {
        check("[ 1.5] ata5: SATA link down (SStatus 0 SControl 300)\n", &[]);
        check(
            "[ 1.5] ata5: SATA link up 6.0 Gbps (SStatus 133 SControl 300)\n\
             [ 900.5] ata5: SATA link down (SStatus 0 SControl 300)\n",
            &[
                ("ata-link-up", Some("ata5"), Some(1_500_000), 1, 1),
                ("ata-link-down", Some("ata5"), Some(900_500_000), 2, 1),
            ],
        );
        check(
            "[ 900.5] ata5: SATA link down (SStatus 0 SControl 300)\n",
            &[("ata-link-down", Some("ata5"), Some(900_500_000), 1, 1)],
        );
    }

    #[test]
    fn what_was_kept_back_and_what_is_benign_are_counted() {
        let log = parse(
            b"[ 1.1] ata1: DUMMY\n[ 2.1] blk_update_request: 58 callbacks suppressed\n[ 2.2] ata2: DUMMY\n",
            false,
            "x",
        );
        let log = log.value().expect("a log always reads");
        assert_eq!((log.suppressed, log.benign_lines, log.events.len()), (58, 2, 1));
    }

    #[test]
    fn a_port_is_told_with_the_disk_behind_it() {
        let pci = "../devices/pci0000:00/0000:00:17.0";
        let found = run(
            &[
                ("sys/block/sda.link", &format!("{pci}/ata3/host2/target2:0:0/2:0:0:0/block/sda")),
                ("sys/block/sdb.link", &format!("{pci}/ata4/host3/target3:0:0/3:0:0:0/block/sdb")),
                ("sys/block/sdc.link", &format!("{pci}/ata4/host3/target3:1:0/3:1:0:0/block/sdc")),
                (
                    "dev/kmsg",
                    "3,1,5,-;ata3: hard resetting link\n3,2,6,-;ata4: hard resetting link\n\
                     3,3,7,-;sd 3:1:0:0: Power-on or device reset occurred\n3,4,8,-;ata9: hard resetting link\n",
                ),
            ],
            async |door| collect(door).await,
        );
        let events = &found.value().expect("a log").events;
        let devices: Vec<_> = events.iter().map(|event| event.device.as_deref()).collect();
        assert_eq!(devices, [Some("sda"), None, Some("sdc"), None]);
    }

    /// What a cut inside a block leaves: the lines that would have told more are missing.
    fn outline(bytes: &[u8]) -> Vec<(Option<String>, Option<u64>, u64)> {
        let log = parse(bytes, false, "x");
        let events = log.value().map(|log| log.events.clone()).unwrap_or_default();
        events.into_iter().map(|event| (event.subject, event.at_us, event.line)).collect()
    }

    #[test]
    fn cut_and_damaged_logs() {
        let calm = "[ 1.0] critical medium error, dev sdc, sector 128 op 0x0:(READ)\n\
                    [ 3.0] lost page write due to I/O error on dm-3\n\
                    [ 5.0] md: recovery of RAID array md1\n\
                    [ 7.0] EDAC MC0: 3 CE memory read error on DIMM_A1 (channel:1 slot:0)\n\
                    [ 9.0] ata3: hard resetting link\n[11.0] nvme nvme2: I/O 7 QID 0 timeout, aborting\n";
        hostile::cut(calm.as_bytes(), |bytes| {
            parse(bytes, false, "x").value().map(|log| log.events.clone()).unwrap_or_default()
        });
        hostile::cut(BLOCK_OF_TWO_DISKS.repeat(3).as_bytes(), outline);
        for whole in [calm, BLOCK_OF_TWO_DISKS, "3,9,5,-;ata3.00: cmd\\x0a res Emask 0x4 (timeout)\n"] {
            hostile::mutate(
                whole.as_bytes(),
                1000,
                |bytes| parse(bytes, false, "x"),
                |log| {
                    let log = log.value().expect("a log always reads");
                    assert!(log.events.len() <= KernelLog::MOST_EVENTS);
                    for event in &log.events {
                        assert!(event.details.len() <= KernelEvent::MOST_DETAILS);
                        assert!(
                            event.line >= 1
                                && event.last_line >= event.line
                                && event.line <= log.records + 99
                        );
                    }
                },
            );
        }
    }

    #[test]
    fn any_bytes_read() {
        for odd in
            [&b"\xff\xfe;,;,\n"[..], b"[99999999999999999999.1] x\n", b"[.] x", b"<>[1.0000000] x", b",,;"]
        {
            assert!(parse(odd, false, "x").is_seen());
        }
    }
}
