//! Mounted file systems on disks, and the shapes of mount points and devices that are the machine's own.
//!
//! Only these shapes are named in facts and in the raw form: anything else may be called after a person, so it is
//! kept as a kind, a file system and whether it is read-only.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// What a mount point is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    /// `/`.
    Root,
    /// `/mnt/HDA_ROOT`: the configuration of QTS and QuTS hero.
    Configuration,
    /// `/mnt/ext`: the applications of QTS and QuTS hero. It is full by design.
    Applications,
    /// Another mount point of the system: `/mnt/ext2`, `/mnt/sync`, `/boot`.
    System,
    /// `/share/CACHEDEV1_DATA`, `/share/MD0_DATA`, `/share/HDA_DATA`, `/share/ZFS18_DATA`: the owner's data.
    DataVolume,
    /// `/share/external/DEV3301_1`: a disk that somebody plugged in.
    External,
    /// Something else.
    #[default]
    Other,
}

/// One mounted file system with a disk or a pool behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// What the mount point is for.
    pub kind: MountKind,
    /// Mount point, where it has one of the known shapes. None for what somebody plugged in.
    pub mount_point: Option<String>,
    /// Kernel node below `/dev` (`md9`, `mapper/cachedev1`) or pool, where it has one of the known shapes.
    pub device: Option<String>,
    /// Type of the file system: `ext4`, `zfs`, `vfat`.
    pub filesystem: String,
    /// Whether it is mounted read-only. A file system that found an error often makes itself so.
    pub read_only: bool,
    /// Size. Only asked for what is the system's or a data volume.
    pub size_bytes: Observed<Bytes>,
    /// Free for ordinary users.
    pub free_bytes: Observed<Bytes>,
}

/// Where QTS mounts what somebody plugs in.
pub const EXTERNAL: &str = "/share/external";

/// What a mount point of a known shape is for; `None` for every other shape.
pub fn known_point(path: &str) -> Option<MountKind> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match path {
        "/" => Some(MountKind::Root),
        "/mnt/HDA_ROOT" => Some(MountKind::Configuration),
        "/mnt/ext" => Some(MountKind::Applications),
        EXTERNAL => Some(MountKind::External),
        "/mnt/ext2" | "/mnt/sync" | "/mnt/boot_config" | "/mnt/update" | "/boot" | "/boot/efi" => {
            Some(MountKind::System)
        }
        _ => {
            let share = path.strip_prefix("/share/")?;
            if let Some(device) = share.strip_prefix("external/DEV") {
                let (port, partition) = device.split_once('_')?;
                return (digits(port) && digits(partition)).then_some(MountKind::External);
            }
            let volume = share.strip_suffix("_DATA")?;
            let volume = volume.strip_prefix("CE_").unwrap_or(volume);
            let numbered =
                ["CACHEDEV", "MD", "ZFS"].iter().any(|kind| volume.strip_prefix(kind).is_some_and(digits));
            let by_letter = volume
                .strip_prefix("HD")
                .is_some_and(|letter| letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_uppercase()));
            (numbered || by_letter).then_some(MountKind::DataVolume)
        }
    }
}

/// A device (its node below `/dev`, or its pool) whose name is the machine's own; `None` for every other shape, such as
/// volume groups that somebody named.
pub fn known_device(source: &str, filesystem: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if filesystem == "zfs" {
        let pool = source.split('/').next()?;
        let number = pool.strip_prefix("zpool")?;
        return digits(number.strip_prefix("Ext").unwrap_or(number)).then(|| pool.to_owned());
    }
    let node = source.strip_prefix("/dev/")?;
    let plain =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let kernel = ["sd", "hd", "nvme", "mmcblk", "md", "dm-", "vd", "ram"]
        .iter()
        .any(|kind| node.strip_prefix(kind).is_some_and(plain));
    let mapper = node.strip_prefix("mapper/").is_some_and(|name| {
        ["cachedev", "ce_cachedev"].iter().any(|kind| name.strip_prefix(kind).is_some_and(digits))
    });
    (kernel || mapper).then(|| node.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_mount_points() {
        fn check(path: &str, expected: Option<MountKind>) {
            assert_eq!(known_point(path), expected, "{path}");
        }
        check("/", Some(MountKind::Root));
        check("/mnt/HDA_ROOT", Some(MountKind::Configuration));
        check("/mnt/ext", Some(MountKind::Applications));
        for volume in ["CACHEDEV1", "CE_CACHEDEV12", "MD0", "HDA", "ZFS530"] {
            check(&format!("/share/{volume}_DATA"), Some(MountKind::DataVolume));
        }
        check("/share/external/DEV3301_1", Some(MountKind::External));
        for other in [
            "",
            "/share/Alice",
            "/share/ALICE_DATA",
            "/share/CACHEDEV1_DATA/Alice",
            "/share/external/DEVa_1",
            "/mnt/alice",
            "/home",
            "/share/HDAB_DATA",
            "/share/_DATA",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn shapes_of_devices() {
        fn check(source: &str, filesystem: &str, expected: Option<&str>) {
            assert_eq!(known_device(source, filesystem).as_deref(), expected, "{source}");
        }
        check("/dev/md9", "ext4", Some("md9"));
        check("/dev/nvme0n1p2", "ext4", Some("nvme0n1p2"));
        check("/dev/mapper/cachedev1", "ext4", Some("mapper/cachedev1"));
        check("/dev/mapper/ce_cachedev1", "ext4", Some("mapper/ce_cachedev1"));
        check("/dev/dm-3", "ext4", Some("dm-3"));
        check("zpool1/zfs18", "zfs", Some("zpool1"));
        check("zpoolExt2/ext2", "zfs", Some("zpoolExt2"));
        for (source, filesystem) in [
            ("/dev/mapper/alice-home", "ext4"),
            ("tank/alice", "zfs"),
            ("alice", "zfs"),
            ("/dev/mdalice/x", "ext4"),
            ("//nas/alice", "cifs"),
            ("/dev/md", "ext4"),
        ] {
            check(source, filesystem, None);
        }
    }
}
