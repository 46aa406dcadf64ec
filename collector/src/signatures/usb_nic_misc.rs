//! USB, eMMC, network, notes of QNAP's own drivers, and messages that the kernel kept back (hardware.md 3.5, rows 67
//! to 73). The watchdog of a transmit queue begins with the interface's name up to kernel 6.x and ends with it before.

use super::{About, Signature, row};

const DEVICE: About = About::Group("");

pub(super) const ROWS: &[Signature] = &[
    row("usb-disconnect", DEVICE, r"usb (?P<subject>[\d.-]+): USB disconnect, device number"),
    row("usb-reset", DEVICE, r"usb (?P<subject>[\d.-]+): reset [^\n]*USB device number"),
    row(
        "usb-enumeration-failed",
        DEVICE,
        r"usb (?P<subject>[\w.-]+): (?:device descriptor read/\S+ error -\d+|device not accepting address \d+, error -\d+|unable to enumerate USB device)",
    ),
    row("usb-over-current", DEVICE, r"usb (?P<subject>[\w.-]+-port\d+): over-current (?:change|condition)"),
    row("usb-over-current", DEVICE, r"hub (?P<subject>\S+): over-current (?:change|condition) on port"),
    row("usb-bridge-error", About::Scsi, r"uas_eh_(?:abort|device_reset)_handler"),
    row(
        "usb-controller-lost",
        DEVICE,
        r"xhci_hcd (?P<subject>\S+): (?:xHCI host controller not responding, assume dead|HC died)",
    ),
    row("usb-controller-error", DEVICE, r"xhci_hcd (?P<subject>\S+): WARN Event TRB"),
    row(
        "mmc-error",
        DEVICE,
        r"\b(?P<subject>mmc(?:blk)?\d+): (?:Card stuck being busy|running CQE recovery|tried to HW reset card, got error|error -110\b|error -\d+ (?:transferring|sending)|recovery failed)",
    ),
    row(
        "nic-transmit-timeout",
        DEVICE,
        r"NETDEV WATCHDOG: (?P<subject>[^\s:]+) \([^)]*\): transmit queue (?P<queue>\d+) timed out",
    ),
    row(
        "nic-transmit-timeout",
        DEVICE,
        r"(?:^|\s)(?P<subject>[^\s:]+): NETDEV WATCHDOG: CPU: \d+: transmit queue (?P<queue>\d+) timed out",
    ),
    row("nic-hang", DEVICE, r"(?:^|\s)(?P<subject>[^\s:]+): Detected (?:Tx|Hardware) Unit Hang"),
    row("nic-lost", DEVICE, r"(?:^|\s)(?P<subject>[^\s:]+): PCIe link lost, device now detached"),
    row("nic-link-down", DEVICE, r"(?P<subject>[^\s:]+):? NIC Link is Down"),
    row("nic-link-up", DEVICE, r"(?P<subject>[^\s:]+):? NIC Link is Up"),
    row("nic-link-down", DEVICE, r"(?:^|\s)(?P<subject>(?:eth|en)[\w.]+): [Ll]ink is [Dd]own"),
    row("nic-link-up", DEVICE, r"(?:^|\s)(?P<subject>(?:eth|en)[\w.]+): [Ll]ink is [Uu]p"),
    row(
        "nic-link-up",
        DEVICE,
        r"(?:^|\s)(?P<subject>(?:eth|en)[\w.]+): atlantic: link change old \d+ new [1-9]\d*$",
    ),
    row(
        "nic-link-down",
        DEVICE,
        r"(?:^|\s)(?P<subject>(?:eth|en)[\w.]+): atlantic: link change old \d+ new 0$",
    ),
    row("vendor-note", About::Machine, r"pic_handle_cmd: Server receive command = (?P<command>0x[0-9a-f]+)"),
    row("vendor-note", About::Machine, r"\[asustor\] remove disk dev"),
    row("vendor-note", About::Machine, r"^---- [A-Za-z]\w+"),
    row("messages-suppressed", DEVICE, r"(?:^|\s)(?P<subject>\S+): (?P<count>\d+) callbacks suppressed"),
    row(
        "messages-suppressed",
        DEVICE,
        r"(?:^|\s)(?P<subject>\S+): (?P<count>\d+) (?:output lines|messages) suppressed",
    ),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{check_family, none, some};

    #[test]
    fn usb_network_and_the_rest() {
        check_family(
            super::ROWS,
            &[
                some("usb 1-4: USB disconnect, device number 3", "usb-disconnect", "1-4"),
                some("usb 1-4: reset high-speed USB device number 2 using xhci_hcd", "usb-reset", "1-4"),
                some(
                    "usb 2-1: reset SuperSpeed Gen 1 USB device number 2 using xhci_hcd",
                    "usb-reset",
                    "2-1",
                ),
                some("usb 1-4: device descriptor read/64, error -71", "usb-enumeration-failed", "1-4"),
                some("usb 1-4: device not accepting address 5, error -71", "usb-enumeration-failed", "1-4"),
                some(
                    "usb usb1-port4: unable to enumerate USB device",
                    "usb-enumeration-failed",
                    "usb1-port4",
                ),
                some("usb usb1-port3: over-current change", "usb-over-current", "usb1-port3"),
                some("hub 1-0:1.0: over-current change on port 3", "usb-over-current", "1-0:1.0"),
                some("sd 6:0:0:0: [sdf] tag#9 uas_eh_abort_handler 0 uas-tag 1", "usb-bridge-error", "sdf"),
                some(
                    "xhci_hcd 0000:00:14.0: xHCI host controller not responding, assume dead",
                    "usb-controller-lost",
                    "0000:00:14.0",
                ),
                some(
                    "xhci_hcd 0000:00:14.0: WARN Event TRB for slot 1 ep 2 with no TDs queued?",
                    "usb-controller-error",
                    "0000:00:14.0",
                ),
                some("mmcblk0: error -110 transferring data, sector 8", "mmc-error", "mmcblk0"),
                some("mmc0: error -110 whilst initialising MMC card", "mmc-error", "mmc0"),
                some("mmc0: Card stuck being busy! __mmc_poll_for_busy", "mmc-error", "mmc0"),
                some("mmcblk0: recovery failed!", "mmc-error", "mmcblk0"),
                some(
                    "NETDEV WATCHDOG: eth0 (igb): transmit queue 2 timed out",
                    "nic-transmit-timeout",
                    "eth0",
                ),
                some(
                    "igc 0000:02:00.0 eth0: NETDEV WATCHDOG: CPU: 3: transmit queue 2 timed out 5003 ms",
                    "nic-transmit-timeout",
                    "eth0",
                ),
                some("igb 0000:01:00.0 eth1: igb: eth1 NIC Link is Down", "nic-link-down", "eth1"),
                some(
                    "igb 0000:01:00.0 eth1: igb: eth1 NIC Link is Up 1000 Mbps Full Duplex",
                    "nic-link-up",
                    "eth1",
                ),
                some("r8169 0000:02:00.0 eth0: Link is Down", "nic-link-down", "eth0"),
                some(
                    "r8169 0000:02:00.0 eth0: Link is Up - 1Gbps/Full - flow control rx/tx",
                    "nic-link-up",
                    "eth0",
                ),
                some(
                    "atlantic 0000:03:00.0 eth2: atlantic: link change old 1000 new 0",
                    "nic-link-down",
                    "eth2",
                ),
                some(
                    "atlantic 0000:03:00.0 eth2: atlantic: link change old 0 new 1000",
                    "nic-link-up",
                    "eth2",
                ),
                some("e1000e 0000:00:19.0 eth0: Detected Hardware Unit Hang:", "nic-hang", "eth0"),
                some("igb 0000:01:00.0 eth1: PCIe link lost, device now detached", "nic-lost", "eth1"),
                ("pic_handle_cmd: Server receive command = 0x41", Some(("vendor-note", None, 1))),
                ("[asustor] remove disk dev", Some(("vendor-note", None, 1))),
                ("---- Acquire", Some(("vendor-note", None, 1))),
                none("---- [ cut here ]----"),
                (
                    "blk_update_request: 58 callbacks suppressed",
                    Some(("messages-suppressed", Some("blk_update_request"), 58)),
                ),
                (
                    "printk: systemd: 38 output lines suppressed due to ratelimiting",
                    Some(("messages-suppressed", Some("systemd"), 38)),
                ),
            ],
        );
    }
}
