//! NVMe (hardware.md 3.2, rows 30 to 39). Kernel 4.2 names a controller by its PCI address, later ones by `nvmeN`.

use super::{About, Signature, row};

const DEVICE: About = About::Group("");

pub(super) const ROWS: &[Signature] = &[
    row(
        "nvme-media-error",
        DEVICE,
        r"\b(?P<subject>nvme\d+(?:c\d+)?n\d+): [^\n]*\(sct 0x2 / (?P<status>sc 0x8[0-4])\)",
    ),
    row(
        "nvme-command-error",
        DEVICE,
        r"\b(?P<subject>nvme\d+(?:c\d+)?n\d+): [^\n]*\((?P<status>sct 0x[0-9a-f]+ / sc 0x[0-9a-f]+)\)",
    ),
    row(
        "nvme-lost-interrupt",
        DEVICE,
        r"nvme (?P<subject>nvme\d+|[0-9a-f:]+\.\d): I/O [^\n]*completion polled",
    ),
    row("nvme-timeout", DEVICE, r"nvme (?P<subject>nvme\d+|[0-9a-f:]+\.\d): I/O (?:tag )?\d+ [^\n]*timeout"),
    row(
        "nvme-fatal-status",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): controller is down; will reset: CSTS=0x3\b",
    ),
    row("nvme-controller-down", DEVICE, r"nvme (?P<subject>[^\s:]+|\S+\.\d): controller is down; will reset"),
    row(
        "nvme-controller-down",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): Failed status: 0x[0-9a-f]+, reset controller",
    ),
    row(
        "nvme-device-lost",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): (?:Device not ready; aborting|Removing after probe failure|Disabling device after reset failure)",
    ),
    row(
        "nvme-power-state",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): (?:failed to set APST feature|Does your device have a faulty power saving mode enabled)",
    ),
    row(
        "nvme-slot-error",
        DEVICE,
        r"nvme (?P<subject>[^\s:]+|\S+\.\d): frozen state error detected, reset controller",
    ),
    row(
        "capacity-lost",
        DEVICE,
        r"\b(?P<subject>nvme\d+n\d+|sd[a-z]+|mmcblk\d+): detected capacity change from \d+ to 0$",
    ),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{check_family, none, some};

    #[test]
    fn nvme() {
        check_family(
            super::ROWS,
            &[
                some(
                    "nvme0n1: Read(0x2) @ LBA 2048, 8 blocks, Unrecovered Read Error (sct 0x2 / sc 0x81) DNR ",
                    "nvme-media-error",
                    "nvme0n1",
                ),
                some(
                    "nvme0c0n1: Write(0x1) @ LBA 2048, 8 blocks, Host Aborted Command (sct 0x3 / sc 0x71) ",
                    "nvme-command-error",
                    "nvme0c0n1",
                ),
                some("nvme nvme2: I/O 7 QID 0 timeout, reset controller", "nvme-timeout", "nvme2"),
                some("nvme 0000:03:00.0: I/O 7 QID 3 timeout, aborting", "nvme-timeout", "0000:03:00.0"),
                some(
                    "nvme nvme0: I/O tag 22 (1016) opcode 0x2 (Read) QID 3 timeout, aborting",
                    "nvme-timeout",
                    "nvme0",
                ),
                some(
                    "nvme nvme2: I/O tag 22 (1016) QID 3 timeout, completion polled",
                    "nvme-lost-interrupt",
                    "nvme2",
                ),
                some(
                    "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0xffff",
                    "nvme-controller-down",
                    "nvme0",
                ),
                some(
                    "nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS read failed (134)",
                    "nvme-controller-down",
                    "nvme0",
                ),
                some(
                    "nvme nvme0: controller is down; will reset: CSTS=0x3, PCI_STATUS=0x10",
                    "nvme-fatal-status",
                    "nvme0",
                ),
                some(
                    "nvme 0000:03:00.0: Failed status: 0xffffffff, reset controller.",
                    "nvme-controller-down",
                    "0000:03:00.0",
                ),
                some("nvme nvme9: Device not ready; aborting reset, CSTS=0x1", "nvme-device-lost", "nvme9"),
                some("nvme nvme9: Removing after probe failure status: -19", "nvme-device-lost", "nvme9"),
                some("nvme nvme9: failed to set APST feature (-19)", "nvme-power-state", "nvme9"),
                some(
                    "nvme nvme9: Does your device have a faulty power saving mode enabled?",
                    "nvme-power-state",
                    "nvme9",
                ),
                some("nvme nvme1: frozen state error detected, reset controller", "nvme-slot-error", "nvme1"),
                some("nvme0n1: detected capacity change from 1953525168 to 0", "capacity-lost", "nvme0n1"),
                none("sda: detected capacity change from 0 to 1953525168"),
            ],
        );
    }
}
