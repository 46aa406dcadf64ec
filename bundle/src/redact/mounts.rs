//! The table of mounts: lines about disks stay, with mount points and devices of known shapes; others become
//! `/dev/other` on `/other`. Lines about anything else (remote shares, containers) go.

use crate::facts::mounts::{EXTERNAL, MountKind, known_device, known_point};

/// What stays of `/proc/mounts`.
pub(super) fn kept(text: &str) -> String {
    text.split_inclusive('\n').filter_map(line).collect()
}

fn line(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    let (source, point, filesystem, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if !source.starts_with("/dev/") && filesystem != "zfs" && point != "/" {
        return None;
    }
    let mode = if options.split(',').any(|option| option == "ro") { "ro" } else { "rw" };
    let source = match known_device(source, filesystem) {
        Some(device) if filesystem == "zfs" => device,
        Some(device) => format!("/dev/{device}"),
        None => "/dev/other".to_owned(),
    };
    let point = match known_point(point) {
        // The door takes what follows for the name of a share.
        Some(MountKind::External) => EXTERNAL,
        Some(_) => point,
        None => "/other",
    };
    let end = if line.ends_with('\n') { "\n" } else { "" };
    Some(format!("{source} {point} {filesystem} {mode} 0 0{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_go() {
        fn check(text: &str, expected: &str) {
            assert_eq!(kept(text), expected);
            assert_eq!(kept(expected), expected);
        }
        check(
            "rootfs / rootfs rw 0 0\n/dev/mapper/cachedev1 /share/CACHEDEV1_DATA ext4 rw,relatime,user=alice 0 0\n\
             //nas/alice /mnt/alice cifs rw,username=alice 0 0\n/dev/sdq1 /share/external/DEV3301_1/Alice vfat ro,uid=0 0 0\n/dev/sdr1 /share/external/DEV3302_1 vfat ro 0 0\n\
             zpool1/alice /share/ZFS18_DATA zfs rw 0 0\nproc /proc proc rw 0 0\n/dev/mapper/alice-home /home ext4 rw 0 0",
            "/dev/other / rootfs rw 0 0\n/dev/mapper/cachedev1 /share/CACHEDEV1_DATA ext4 rw 0 0\n\
             /dev/sdq1 /other vfat ro 0 0\n/dev/sdr1 /share/external vfat ro 0 0\nzpool1 /share/ZFS18_DATA zfs rw 0 0\n/dev/other /other ext4 rw 0 0",
        );
        check("", "");
        check("short line\n", "");
    }
}
