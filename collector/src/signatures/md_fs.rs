//! Linux software RAID, file systems and ZFS (hardware.md 3.3, rows 40 to 49).
//!
//! md prints a failed member with one call that holds a line break, so the second line often has no prefix of its own.

use super::{About, Signature, row};

const DEVICE: About = About::Group("");

pub(super) const ROWS: &[Signature] = &[
    row(
        "md-member-failed",
        DEVICE,
        r"md/raid\w*:md\w+: Disk failure on (?P<subject>[^\s,]+), disabling device",
    ),
    row("md-read-corrected", DEVICE, r"read error corrected \(\d+ sectors at \d+ on (?P<subject>[^\s)]+)\)"),
    row(
        "md-read-lost",
        DEVICE,
        r"read error (?:not correctable|NOT corrected!!) \(sector \d+ on (?P<subject>[^\s)]+)\)",
    ),
    row(
        "md-read-lost",
        DEVICE,
        r"md/raid\w*:\w+: (?P<subject>[^\s:]+): unrecoverable I/O read error for block",
    ),
    row("md-read-lost", DEVICE, r"Too many read errors, failing device (?P<subject>[^\s.]+)\."),
    row("md-read-lost", DEVICE, r"\b(?P<subject>md\w+): \d+ read_errors > \d+ stripes"),
    row(
        "md-array-offline",
        DEVICE,
        r"\b(?P<subject>md\w+): (?:cannot start dirty degraded array|not enough operational (?:devices|mirrors)|failed to run raid set)",
    ),
    row(
        "md-array-offline",
        About::Machine,
        r"raid[456]: (?:failed to run raid set|cannot start dirty degraded)",
    ),
    row("md-unclean", DEVICE, r"\b(?P<subject>md\w+): not clean -- starting background reconstruction"),
    row(
        "md-sync-started",
        DEVICE,
        r"md: (?:requested-resync|recovery|resync|check|data-check|reshape) of RAID array (?P<subject>md\w+)",
    ),
    row("md-sync-done", DEVICE, r"md: (?P<subject>md\w+): [\w-]+ done\."),
    row("md-sync-interrupted", DEVICE, r"md: (?P<subject>md\w+): [\w-]+ interrupted\."),
    row("filesystem-error", DEVICE, r"EXT[34]-fs error \(device (?P<subject>[^\s)]+)\)"),
    row(
        "filesystem-read-only",
        DEVICE,
        r"EXT[34]-fs \((?P<subject>[^\s)]+)\): Remounting filesystem read-only",
    ),
    row(
        "filesystem-recovered",
        DEVICE,
        r"EXT[34]-fs \((?P<subject>[^\s)]+)\): (?:recovery complete|INFO: recovery required|orphan cleanup on readonly fs)",
    ),
    row("journal-aborted", DEVICE, r"Aborting journal on device (?P<subject>[^\s.]+)\."),
    row(
        "journal-aborted",
        DEVICE,
        r"JBD2: (?:I/O error|Detected IO errors)[^\n]*?(?: on | for | updating journal superblock for )?(?P<subject>[a-z]+[0-9a-z-]*)?\.?$",
    ),
    row("btrfs-device-error", DEVICE, r"BTRFS[^\n]*bdev (?P<subject>\S+) errs: wr "),
    row(
        "btrfs-checksum",
        DEVICE,
        r"BTRFS (?:warning|error|info) \(device (?P<subject>[^\s):]+)[^)]*\): (?:csum failed|checksum verify failed)",
    ),
    row(
        "btrfs-not-repaired",
        DEVICE,
        r"BTRFS (?:warning|error|info) \(device (?P<subject>[^\s):]+)[^)]*\): unable to fixup",
    ),
    row(
        "btrfs-repaired",
        DEVICE,
        r"BTRFS (?:warning|error|info) \(device (?P<subject>[^\s):]+)[^)]*\): fixed up error",
    ),
    row("xfs-error", DEVICE, r"XFS \((?P<subject>[^\s)]+)\): (?:Metadata (?:CRC|corruption)|log I/O error)"),
    row(
        "zfs-pool-suspended",
        DEVICE,
        r"Pool '(?P<subject>[^']+)' has encountered an uncorrectable I/O failure",
    ),
    row("zfs-io-error", DEVICE, r"zio pool=\S+ vdev=(?P<subject>\S+) error=(?P<errno>\d+) type="),
];

#[cfg(test)]
mod tests {
    use super::super::testing::{check_family, none, some};

    #[test]
    fn arrays_and_file_systems() {
        check_family(
            super::ROWS,
            &[
                some("md/raid:md1: Disk failure on sdc3, disabling device.", "md-member-failed", "sdc3"),
                some(
                    "md/raid1:md9: Disk failure on sdc1, disabling device.\nmd/raid1:md9: Operation continuing on 3 devices.",
                    "md-member-failed",
                    "sdc1",
                ),
                some(
                    "md/raid:md1: read error corrected (8 sectors at 128 on sdc3)",
                    "md-read-corrected",
                    "sdc3",
                ),
                some("md/raid:md1: read error not correctable (sector 128 on sdc3).", "md-read-lost", "sdc3"),
                some("md/raid:md1: read error NOT corrected!! (sector 128 on sdc3).", "md-read-lost", "sdc3"),
                some(
                    "md/raid1:md1: sdc3: unrecoverable I/O read error for block 128",
                    "md-read-lost",
                    "sdc3",
                ),
                some("md/raid:md1: Too many read errors, failing device sdc3.", "md-read-lost", "sdc3"),
                some("md/raid:md1: 257 read_errors > 256 stripes", "md-read-lost", "md1"),
                some("md/raid:md1: cannot start dirty degraded array.", "md-array-offline", "md1"),
                some("md/raid:md1: not enough operational devices (2/4 failed)", "md-array-offline", "md1"),
                ("raid5: failed to run raid set md0", Some(("md-array-offline", None, 1))),
                some("md/raid1:md1: not clean -- starting background reconstruction", "md-unclean", "md1"),
                some("md: recovery of RAID array md1", "md-sync-started", "md1"),
                some("md: md1: recovery done.", "md-sync-done", "md1"),
                some("md: md1: data-check interrupted.", "md-sync-interrupted", "md1"),
                some(
                    "EXT4-fs error (device dm-7): ext4_find_entry:1455: inode #2: comm ls: reading directory",
                    "filesystem-error",
                    "dm-7",
                ),
                some("EXT4-fs (dm-7): Remounting filesystem read-only", "filesystem-read-only", "dm-7"),
                some("EXT4-fs (dm-7): recovery complete", "filesystem-recovered", "dm-7"),
                none("EXT4-fs (dm-7): mounted filesystem with ordered data mode. Opts: (null)"),
                some("Aborting journal on device dm-7-8.", "journal-aborted", "dm-7-8"),
                some(
                    "JBD2: I/O error when updating journal superblock for dm-7-8.",
                    "journal-aborted",
                    "dm-7-8",
                ),
                some(
                    "BTRFS error (device sda1: state EA): bdev /dev/sda1 errs: wr 0, rd 3, flush 0, corrupt 0, gen 0",
                    "btrfs-device-error",
                    "/dev/sda1",
                ),
                some(
                    "BTRFS warning (device sda1): csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2 mirror 1",
                    "btrfs-checksum",
                    "sda1",
                ),
                some(
                    "BTRFS error (device sda1): unable to fixup (regular) error at logical 1104150528 on dev /dev/sda1",
                    "btrfs-not-repaired",
                    "sda1",
                ),
                some(
                    "BTRFS info (device sda1): fixed up error at logical 1104150528 on dev /dev/sda1",
                    "btrfs-repaired",
                    "sda1",
                ),
                some(
                    "XFS (dm-2): Metadata CRC error detected at xfs_agf_read_verify+0x9a/0xf0",
                    "xfs-error",
                    "dm-2",
                ),
                some("XFS (dm-2): log I/O error -5", "xfs-error", "dm-2"),
                some(
                    "WARNING: Pool 'zpool1' has encountered an uncorrectable I/O failure and has been suspended.",
                    "zfs-pool-suspended",
                    "zpool1",
                ),
                some(
                    "zio pool=zpool1 vdev=/dev/sdc3 error=5 type=1 offset=270336 size=8192 flags=b08c1",
                    "zfs-io-error",
                    "/dev/sdc3",
                ),
            ],
        );
    }
}
