//! Evidence: what must come through byte for byte. Losing one of these is as bad as a leak.

use super::{door, every_way};

const PROTECTED: &[&str] = &[
    "Serial Number:    WD-WCC7K3ABCDEF",
    "Serial number: Q211I009382",
    "Device Model:     WDC WD40EFRX-68N32N0",
    "Firmware Version: 82.00A82",
    "LU WWN Device Id: 5 0014ee 2b9a4b3c1",
    "wwn 0x50014ee2b9a4b3c1",
    "naa.50014ee2b9a4b3c1",
    "eui.0025385b71b00a1c",
    "t10.ATA     WDC WD40EFRX-68N32N0                         WD-WCC7K3ABCDEF",
    "SAS Address 50:01:4e:e2:b9:a4:b3:c1",
    "sas_addr 0x50014ee2b9a4b3c1 phy 3",
    "EUI-64 24:5e:be:ff:fe:12:34:56",
    "igb 0000:03:00.0 eth0: link is up",
    "pci 0000:00:1f.2: [8086:1c02] type 00 class 0x010601",
    "sd 0:0:0:0: [sda] 7814037168 512-byte logical blocks: (4.00 TB/3.64 TiB)",
    "sd 2:0:0:0: [sdc] tag#3 CDB: Read(10) 28 00 12 34 56 78 00 00 08 00",
    "sd 2:0:0:0: [sdc] Sense Key : Medium Error [current]",
    "sd 2:0:0:0: [sdc] Add. Sense: Unrecovered read error - auto reallocate failed",
    "ata3.00: failed command: READ FPDMA QUEUED",
    "ata3.00: cmd 60/08:00:08:57:0c/00:00:1d:00:00/40 tag 0 ncq dma 4096 in",
    "         res 41/40:00:08:57:0c/00:00:1d:00:00/00 Emask 0x409 (media error) <F>",
    "ata3: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
    "ata3.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen",
    "blk_update_request: I/O error, dev sda, sector 486539272 op 0x0:(READ) flags 0x0",
    "md1 : active raid5 sda3[0] sdb3[1](F) sdc3[2]",
    "      7804071616 blocks super 1.0 level 5, 512k chunk, algorithm 2 [3/2] [U_U]",
    "      [==>..................]  recovery = 12.6% (491520/3902035808) finish=127.5min speed=33440K/sec",
    "UUID : 3aaa0122:29827cfa:5331ad66:ca767371",
    "Array UUID : 6a7b1c2d-1111-2222-3333-444455556666",
    "EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0 (channel:1 slot:0 page:0x1a2b3c)",
    "mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: b600000000070f0f",
    "nvme nvme0: I/O 12 QID 3 timeout, aborting",
    "EXT4-fs error (device dm-9): ext4_lookup:1605: inode #2: comm smbd: deleted inode referenced: 1234",
    "12:34:56 up 24 days,  3:04, load average: 0.00, 0.21, 0.42",
    "Current Time: 2019-01-04 14:21:52",
    "fan_index = 0, status = 0, rpm = 1205",
    "SHUTDOWN TEMP CPU:SYS:DISK:PWR = 85:70:60:55",
    "pwr_index = 0, status = 0, rpm = -1, temp = -1",
    "pd_bus_name = 2:0:0:0",
    "wwn = 50014EE2B992FDC0",
    "serial_no = WD-WCC4J1ZHDJHN",
    "15,4,0,0,0,0,0,0,37,0x0000,-1,-1,0",
    "194,Temperature_Celsius,110,103,0,37,34",
    "SMART overall-health self-assessment test result: PASSED",
    "Pass 1: Checking inodes, blocks, and sizes",
    "ATA Security is:  Disabled, frozen [SEC2]",
    "User Capacity:    4,000,787,030,016 bytes [4.00 TB]",
    "BIOS Version: QY47AR54",
    "Firmware: TS-X53B_20181114-4.3.5.0760.img",
    "QTS version 4.5.2.15 and driver 5.10.60.1",
    "Linux version 5.10.60-qnap (gcc (crosstool-NG 1.24.0.212-d7da3a9) 9.4.0)",
    "Model Config: /etc/model.conf -> /etc/model_QY472_QY580_15_11.conf",
    "usb 1-1: New USB device found, idVendor=1005, idProduct=b155, bcdDevice= 1.10",
    "UDMA_CRC_Error_Count 0x003e 200 200 000 Old_age Always - 11",
    "SNMPv2-SMI::enterprises.24681.1.2.11.1.3.1 1.3.6.1.4.1.24681.1.2",
    "255.255.255.0 127.0.0.1 0.0.0.0 169.254.10.20 ::1 ff02::fb ff:ff:ff:ff:ff:ff",
    "Unhandled error code in sr_mod.c libata.force=3.0 md_mod.start_ro getty@tty1.service",
    "sd 6:0:3:0: Power-on or device reset occurred; device_block, handle(0x000b), end_device-6:0:3",
    "mpt2sas_cm0: log_info(0x31110d00): originator(PL), code(0x11), sub_code(0x0d00)",
    "key type dns_resolver registered; bypass=1; compass: 3; auto token",
];

#[test]
fn evidence_comes_through_byte_for_byte() {
    let mut door = door();
    door.learn_host("bobs-keller");
    for line in PROTECTED {
        for (way, clean) in every_way(&mut door, line) {
            assert_eq!(&clean, line, "{way}");
        }
    }
    println!("{} lines of evidence, four ways each", PROTECTED.len());
}

#[test]
fn what_others_gave_us_keeps_its_evidence() {
    let mut door = door();
    let (mut files, mut lines) = (0, 0);
    for name in ["smartctl-text", "smartctl-json", "mdadm-text"] {
        let Some(folder) = crate::support::shared_data(name) else { return };
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let raw = if path.extension().is_some_and(|e| e == "json") {
                "cmd/smartctl.auto.sda/stdout"
            } else {
                "dev/kmsg"
            };
            let clean = door.raw(raw, text.as_bytes()).expect("text");
            let clean = std::str::from_utf8(clean.bytes()).expect("text");
            files += 1;
            for (before, after) in text.lines().zip(clean.lines()) {
                // Links in comments are the only thing in them that is not about hardware.
                assert!(
                    before == after || before.contains("http"),
                    "{}: {before}\n-> {after}",
                    path.display()
                );
                lines += 1;
            }
        }
    }
    println!("{lines} lines of {files} files");
}
