//! A device of a ZFS pool: which drive stands behind it, how a person calls it, what it counts.
//!
//! A drive is known by the WWN or serial number in the device's name, else by bay, else by kernel name. Refuses to
//! choose where the name and the bay disagree, and where a device could be anybody's.

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::zfs::{ZfsNumber, ZfsVdev};

use crate::evidence::listed;
use crate::subject::disk;

/// A serial number shorter than this could stand in any name by chance.
const SERIAL_FROM: usize = 6;
/// States of a device that ZFS no longer uses (zpoolconcepts(7)).
pub(crate) const OUT: [&str; 4] = ["FAULTED", "UNAVAIL", "REMOVED", "OFFLINE"];

/// Whether a device of a pool is a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It is.
    Its,
    /// It is another drive.
    Anothers,
    /// Nobody can tell.
    Unclear,
}

/// The drive behind a device of a pool, where its name tells.
pub(crate) fn drive_behind<'f>(facts: &'f Facts, vdev: &ZfsVdev) -> Option<&'f Drive> {
    let mut drives = facts.drives.value().into_iter().flatten();
    drives.find(|drive| whose(facts, vdev, drive) == Whose::Its)
}

/// The device in a sentence: by bay where its name says it.
pub(crate) fn device_name(vdev: &ZfsVdev) -> String {
    match (vdev.enclosure, vdev.bay) {
        (Some(0) | None, Some(bay)) => format!("the drive in bay {bay}"),
        (Some(enclosure), Some(bay)) => format!("the drive in bay {bay} of enclosure {enclosure}"),
        _ => vdev.name.clone(),
    }
}

/// Whether ZFS no longer uses the device.
pub(crate) fn is_out(vdev: &ZfsVdev) -> bool {
    vdev.state.value().is_some_and(|state| OUT.contains(&state.as_str()))
}

/// What a device counts, in words; `None` when it counts nothing.
pub(crate) fn counts(vdev: &ZfsVdev) -> Option<String> {
    let counters =
        [(&vdev.read_errors, "read"), (&vdev.write_errors, "write"), (&vdev.checksum_errors, "checksum")];
    let counted: Vec<String> = counters
        .iter()
        .filter(|(reading, _)| count(reading) > 0)
        .map(|(reading, kind)| {
            let (n, about) = (count(reading), if rounded(reading) { "about " } else { "" });
            format!("{about}{n} {kind} error{}", if n == 1 { "" } else { "s" })
        })
        .collect();
    (!counted.is_empty()).then(|| listed(&counted))
}

/// The number that a device counts; 0 where it was not read.
pub(crate) fn count(reading: &Observed<ZfsNumber>) -> u64 {
    reading.value().map_or(0, |n| n.value)
}

fn rounded(reading: &Observed<ZfsNumber>) -> bool {
    reading.value().is_some_and(|n| n.rounded)
}

/// Letters and digits in lower case: names replace what does not fit into a path.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The last part of a path.
pub(crate) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether a name is of a partition. QuTS hero's partitions of its own layout are the drive's only use there.
pub(crate) fn is_part(name: &str) -> bool {
    let name = last(name);
    name.contains("-part") || is_kernel_name(name) && disk(name) != name && !is_namespace(name)
}

/// `nvme0n1` is all of a drive that is called `nvme0`.
fn is_namespace(name: &str) -> bool {
    name.starts_with("nvme") && !name.contains('p')
}

fn is_kernel_name(name: &str) -> bool {
    let rest = ["sd", "hd", "vd", "nvme"].iter().find_map(|kind| name.strip_prefix(kind));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

/// Whether the device is this drive.
pub(crate) fn whose(facts: &Facts, vdev: &ZfsVdev, drive: &Drive) -> Whose {
    let by_bay = by_bay(vdev, drive);
    if let Some(id) = vdev.drive_id.as_deref().map(plain).filter(|id| !id.is_empty()) {
        let (wwn, serial) = identities(drive);
        if [&wwn, &serial].into_iter().flatten().any(|own| *own == id) {
            return Whose::Its;
        }
        let is_wwn = id.len() == 16 && id.chars().all(|c| c.is_ascii_hexdigit());
        let told = if is_wwn { wwn.is_some() } else { serial.is_some() };
        return match (told, by_bay) {
            // The bay has another drive than the name says.
            (true, Some(true)) => Whose::Unclear,
            (true, _) | (false, Some(false)) => Whose::Anothers,
            (false, Some(true)) => Whose::Its,
            (false, None) => Whose::Unclear,
        };
    }
    if let Some(same) = by_bay {
        return if same { Whose::Its } else { Whose::Anothers };
    }
    let name = last(&vdev.name);
    if is_kernel_name(name) {
        return if disk(name) == disk(&drive.device) { Whose::Its } else { Whose::Anothers };
    }
    let name = plain(name);
    let named = |drive: &Drive| {
        let (wwn, serial) = identities(drive);
        [wwn, serial].into_iter().flatten().any(|id| id.len() >= SERIAL_FROM && name.contains(&id))
    };
    if named(drive) {
        return Whose::Its;
    }
    let another = facts.drives.value().into_iter().flatten().any(named);
    if another { Whose::Anothers } else { Whose::Unclear }
}

fn by_bay(vdev: &ZfsVdev, drive: &Drive) -> Option<bool> {
    let (bay, own) = (vdev.bay?, drive.bay.value()?);
    let enclosure = drive.enclosure.value().copied().unwrap_or_default();
    Some(bay == *own && vdev.enclosure.unwrap_or_default() == enclosure)
}

/// World wide name and serial number, each where it was read.
fn identities(drive: &Drive) -> (Option<String>, Option<String>) {
    let told = |reading: &Observed<String>| reading.value().map(|id| plain(id)).filter(|id| !id.is_empty());
    (told(&drive.wwn), told(&drive.serial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{hdd, nas};

    #[test]
    fn whose_a_device_is() {
        fn check(vdev: &ZfsVdev, drive: &Drive, expected: Whose) {
            let facts = Facts { drives: Observed::seen(vec![drive.clone(), hdd("sdq", 9)], "x"), ..nas() };
            assert_eq!(whose(&facts, vdev, drive), expected, "{vdev:?}");
        }
        let drive = Drive {
            wwn: Observed::seen("5000c500e6b4ae7b".to_owned(), "x"),
            serial: Observed::seen("ZX-41 Y".to_owned(), "x"),
            ..hdd("sda", 4)
        };
        let hero = |bay, id: &str| ZfsVdev {
            name: format!("qzfs/enc_0/disk_0x{bay}_{id}_3"),
            enclosure: Some(0),
            bay: Some(bay),
            drive_id: Some(id.to_owned()),
            ..ZfsVdev::default()
        };
        check(&hero(4, "5000C500E6B4AE7B"), &drive, Whose::Its);
        // The name is kept from an earlier bay: the drive is what counts.
        check(&hero(2, "5000C500E6B4AE7B"), &drive, Whose::Its);
        check(&hero(4, "5000C500E6B4AE00"), &drive, Whose::Unclear);
        check(&hero(2, "5000C500E6B4AE00"), &drive, Whose::Anothers);
        check(&hero(4, "ZX41Y"), &drive, Whose::Its);
        let unread = Drive { wwn: Observed::NotCollected, ..drive.clone() };
        check(&hero(4, "5000C500E6B4AE7B"), &unread, Whose::Its);
        check(&hero(2, "5000C500E6B4AE7B"), &unread, Whose::Anothers);
        let nowhere = Drive { bay: Observed::Absent, ..unread };
        check(&hero(4, "5000C500E6B4AE7B"), &nowhere, Whose::Unclear);
        let named = |name: &str| ZfsVdev { name: name.to_owned(), ..ZfsVdev::default() };
        for (name, expected) in [
            ("sda", Whose::Its),
            ("/dev/sda3", Whose::Its),
            ("sdb", Whose::Anothers),
            ("wwn-0x5000c500e6b4ae7b-part3", Whose::Its),
            ("ata-WDC_WD40EFRX_WD-WCC7K009", Whose::Anothers),
            ("10923847109238471", Whose::Unclear),
            ("tank-1", Whose::Unclear),
        ] {
            check(&named(name), &drive, expected);
        }
        for (name, part) in
            [("sda", false), ("sda3", true), ("nvme0n1", false), ("nvme0n1p2", true), ("ata-X-part1", true)]
        {
            assert_eq!(is_part(name), part, "{name}");
        }
    }
}
