//! What is mounted from disks and pools, whether it is read-only, and how full it is.
//!
//! `/proc/mounts` is the kernel's own list. Mount points and devices are named only where they have a shape of the
//! machine's own; a disk that somebody plugged in, or a volume group that somebody named, is a kind and a file system.
//! Remote shares are left out. Size and free space come from `statvfs`, which answers from memory on a mounted
//! file system; it is asked by the reader child all the same, because a file system whose disk died may block it. QuTS
//! hero mounts each shared folder for itself, so the number that is asked is bounded.

use assay_bundle::Observed;
use assay_bundle::facts::mounts::{Mount, MountKind, known_device, known_point};
use assay_bundle::units::Bytes;
use serde_json::Value;

use crate::door::{Door, Missing};
use crate::lines;
use crate::source::Request;

const MOUNTS: &str = "/proc/mounts";
/// Ample for a thousand shared folders.
const MOUNTS_BYTES: u64 = 1024 * 1024;
/// Most mounts that are asked for their size; the others are NotCollected.
const MOST_ASKED: usize = 64;

/// Reads the list, and the size of what is the system's or holds data.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<Mount>> {
    let fetched = match door.ask(&Request::read(MOUNTS, MOUNTS_BYTES)).await {
        Ok(fetched) => fetched,
        // A recording of a version that did not ask: every Linux has it.
        Err(Missing::NotThere) => return Observed::NotCollected,
        Err(missing) => return missing.observed(),
    };
    let mut mounts = parse(&fetched.text());
    let asked = mounts.iter_mut().filter(|mount| {
        !matches!(mount.kind, MountKind::Other | MountKind::External) && mount.mount_point.is_some()
    });
    for mount in asked.take(MOST_ASKED) {
        let request = Request::space(mount.mount_point.clone().unwrap_or_default());
        let sample = match door.ask(&request).await {
            Ok(fetched) => Observed::seen(fetched.bytes, fetched.place),
            Err(missing) => missing.observed(),
        };
        let of = |key| door.noted(space(&sample, key));
        (mount.size_bytes, mount.free_bytes) = (of("size_bytes"), of("available_bytes"));
    }
    if mounts.is_empty() {
        return door.noted(Observed::unreadable(format!("{MOUNTS}: it names no disk and no root")));
    }
    Observed::seen(mounts, fetched.place)
}

/// Every mount from a disk or a pool, each once; and the root, whatever is behind it.
fn parse(text: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in lines::whole(text).lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [source, point, filesystem, options, ..] = *words.as_slice() else { continue };
        if !source.starts_with("/dev/") && filesystem != "zfs" && point != "/" {
            continue;
        }
        let kind = known_point(point);
        let mount = Mount {
            kind: kind.unwrap_or_default(),
            mount_point: kind.filter(|kind| *kind != MountKind::External).map(|_| point.to_owned()),
            device: known_device(source, filesystem),
            filesystem: filesystem.to_owned(),
            read_only: options.split(',').any(|option| option == "ro"),
            ..Mount::default()
        };
        // Later mounts hide earlier ones at the same point, as the root file system hides `rootfs`.
        mounts.retain(|known| known.mount_point.is_none() || known.mount_point != mount.mount_point);
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    mounts
}

/// A number of bytes of a sample.
fn space(sample: &Observed<Vec<u8>>, key: &str) -> Observed<Bytes> {
    match sample {
        Observed::Seen { value, from } => {
            let sample: Value = serde_json::from_slice(value).unwrap_or_default();
            match sample.get(key).and_then(Value::as_u64) {
                Some(bytes) => Observed::seen(Bytes(bytes), from.as_str()),
                None => Observed::unreadable(format!("{from}: it holds no {key}")),
            }
        }
        Observed::Unreadable { why } => Observed::unreadable(why.as_str()),
        // Unmounted since, or a recording without it.
        Observed::Absent | Observed::NotCollected => Observed::NotCollected,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{commutes, hostile};

    const WHOLE: &str = "rootfs / rootfs rw 0 0\nnone / tmpfs rw,relatime,size=400000k 0 0\n\
        /dev/md9 /mnt/HDA_ROOT ext4 rw,relatime,data=ordered 0 0\n/dev/md13 /mnt/ext ext4 ro,data=ordered 0 0\n\
        /dev/mapper/cachedev1 /share/CACHEDEV1_DATA ext4 rw,usrjquota=aquota.user 0 0\n\
        /dev/mapper/cachedev1 /home/alice ext4 rw 0 0\n/dev/sdq1 /share/external/DEV3301_1 vfat rw 0 0\n\
        zpool1/zfs18 /share/ZFS18_DATA zfs ro,xattr 0 0\n//pc/alice /mnt/alice cifs rw,username=alice 0 0\n";

    #[test]
    fn what_is_mounted() {
        fn check(text: &str, expected: &[&str]) {
            let line = |m: &Mount| {
                let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                let mode = if m.read_only { "ro" } else { "rw" };
                format!(
                    "{:?} {} {} {} {mode}",
                    m.kind,
                    or_none(&m.mount_point),
                    or_none(&m.device),
                    m.filesystem
                )
            };
            assert_eq!(parse(text).iter().map(line).collect::<Vec<_>>(), expected);
        }
        check(
            WHOLE,
            &[
                "Root / - tmpfs rw",
                "Configuration /mnt/HDA_ROOT md9 ext4 rw",
                "Applications /mnt/ext md13 ext4 ro",
                "DataVolume /share/CACHEDEV1_DATA mapper/cachedev1 ext4 rw",
                "Other - mapper/cachedev1 ext4 rw",
                "External - sdq1 vfat rw",
                "DataVolume /share/ZFS18_DATA zpool1 zfs ro",
            ],
        );
        check("proc /proc proc rw 0 0\n\n/dev/sda1\n/dev/sda1 /x ext4 rw", &[]);
    }

    #[test]
    fn sizes_and_redaction() {
        let mounts = commutes::check(
            &[
                ("proc/mounts", WHOLE),
                (
                    "sample/space/share.CACHEDEV1_DATA.json",
                    r#"{"size_bytes":1000,"free_bytes":600,"available_bytes":500,"read_only":false}"#,
                ),
                ("sample/space/@root.json", "{}"),
                ("sample/space/mnt.ext.json.unreadable", r#"{"deadline":{"after_ms":5000}}"#),
            ],
            collect,
        );
        let mounts = mounts.value().expect("mounts");
        let of = |kind| mounts.iter().find(|mount| mount.kind == kind).expect("one of each");
        let volume = of(MountKind::DataVolume);
        assert_eq!(
            (volume.size_bytes.value(), volume.free_bytes.value()),
            (Some(&Bytes(1000)), Some(&Bytes(500)))
        );
        assert_eq!(of(MountKind::Configuration).size_bytes, Observed::NotCollected);
        assert!(of(MountKind::Root).size_bytes.why_not().is_some_and(|why| why.contains("no size_bytes")));
        assert!(
            of(MountKind::Applications).free_bytes.why_not().is_some_and(|why| why.contains("no answer"))
        );
        assert_eq!(commutes::check(&[], collect), Observed::NotCollected);
    }

    #[test]
    fn a_cut_or_damaged_text_says_nothing_else() {
        let parse = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes));
        // The first root is hidden by a later line, so a text that ends between them says something else honestly.
        let (_, whole) = WHOLE.split_once('\n').unwrap();
        hostile::cut(whole.as_bytes(), parse);
        hostile::mutate(WHOLE.as_bytes(), 1000, parse, |mounts| {
            for mount in mounts {
                let kind = mount.mount_point.as_deref().and_then(known_point);
                assert!(kind.is_none_or(|kind| kind == mount.kind));
            }
        });
    }
}
