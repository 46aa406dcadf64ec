//! Which drive is in which bay. Never by letter: the kernel numbers disks as they answer, and QTS's own ports are in
//! another order.
//!
//! `/etc/enclosure_N.conf` decides, for every N that there is. A drive is found in it by serial number, then by WWN,
//! then by device node; the node only when the serial numbers do not contradict each other, because the map may be
//! older than the last hot swap (a USB bridge, which has a serial number of its own, is believed by its node). Where
//! the map does not hold a drive, QuTS hero's nodes and `qcli_storage -d` do ([`super::hints`]). Sources that disagree
//! are noted. A drive that the map has and the kernel does not list is a drive that does not answer.

use assay_bundle::Observed;
use assay_bundle::facts::block::{BlockDevice, Transport};
use assay_bundle::facts::drive::{DepartedDrive, Drive, Medium};
use assay_bundle::units::Rpm;

use super::hints::{self, Hint};
use crate::door::{ATTRIBUTE_BYTES, Door, Missing};
use crate::enclosure_conf::{self, MappedDrive};
use crate::source::Request;

const ETC: &str = "/etc";

/// Everything that tells a bay.
#[derive(Default)]
pub(super) struct Bays {
    mapped: Vec<MappedDrive>,
    /// Whether any map was read.
    has_map: bool,
    /// Why a map that is there could not be read.
    failed: Option<String>,
    qzfs: Vec<Hint>,
    qcli: Vec<Hint>,
}

/// Where a drive was found.
pub(super) struct Found {
    /// Enclosure and bay.
    pub(super) bay: Observed<(u32, u32)>,
    /// Number of the map's row.
    pub(super) row: Option<usize>,
    /// What the sources disagree about.
    pub(super) notes: Vec<String>,
}

impl Bays {
    /// Reads every source that is a file, and the drives that left.
    pub(super) async fn collect(door: &Door<'_>) -> (Self, Observed<Vec<DepartedDrive>>) {
        let mut bays = Self::default();
        let (names, mut departed) = match door.names(ETC).await {
            Ok(names) => (names, Observed::Absent),
            Err(Missing::NotThere) => (Vec::new(), Observed::NotCollected),
            Err(Missing::Failed(why) | Missing::NoTool(why)) => {
                bays.failed = Some(why.clone());
                (Vec::new(), Observed::Unreadable { why })
            }
        };
        for name in names {
            let Some((enclosure, left)) = enclosure_conf::file_of(&name) else { continue };
            let path = format!("{ETC}/{name}");
            match door.ask(&Request::read(&path, ATTRIBUTE_BYTES)).await {
                Ok(fetched) => {
                    let rows = enclosure_conf::parse(&fetched.text(), enclosure, &fetched.place);
                    if left {
                        departed = added(departed, rows, &fetched.place);
                    } else {
                        bays.has_map = true;
                        bays.mapped.extend(rows);
                    }
                }
                Err(Missing::NotThere) => {}
                Err(Missing::Failed(why) | Missing::NoTool(why)) if left => {
                    departed = departed.or(|| Observed::unreadable(why));
                }
                Err(Missing::Failed(why) | Missing::NoTool(why)) => bays.failed = Some(why),
            }
        }
        bays.qzfs = hints::qzfs(door).await;
        (bays, departed)
    }

    /// Asks the command that may take its time. Only firmware with one of the other sources has it.
    pub(super) async fn hints_of_qcli(&self, door: &Door<'_>) -> Vec<Hint> {
        if self.has_map || !self.qzfs.is_empty() { hints::qcli(door).await } else { Vec::new() }
    }

    /// The same bays with these hints.
    pub(super) fn with_hints(self, qcli: Vec<Hint>) -> Self {
        Self { qcli, ..self }
    }

    /// One row of the map.
    pub(super) fn row(&self, row: Option<usize>) -> Option<&MappedDrive> {
        self.mapped.get(row?)
    }

    /// Finds a drive by what is known of it and by its block device.
    pub(super) fn find(&self, drive: &Drive, block: &BlockDevice, transport: Transport) -> Found {
        let (node, is_usb) = (block.name.as_str(), transport == Transport::Usb);
        let mut notes = Vec::new();
        let row = self.row_of(drive, node, is_usb);
        let bay = match self.row(row) {
            Some(entry) => {
                if entry.device.as_deref().is_some_and(|device| !same_disk(device, node)) {
                    notes.push(format!("{}: it has the drive at {node} under another device node; its serial number or WWN counts", entry.place));
                }
                match entry.bay {
                    Some(bay) => Observed::seen((entry.enclosure, bay), &*entry.place),
                    None => Observed::unreadable(format!(
                        "{}: it gives no port for the drive at {node}",
                        entry.place
                    )),
                }
            }
            None => self.without_row(drive, node),
        };
        if let Some((enclosure, bay)) = bay.value() {
            let others = self.hints(drive, node);
            notes.extend(
                others
                    .filter(|hint| (hint.enclosure.unwrap_or(*enclosure), hint.bay) != (*enclosure, *bay))
                    .map(|hint| {
                        format!("{}: it has the drive at {node} in bay {}, not {bay}", hint.place, hint.bay)
                    }),
            );
        }
        Found { bay, row, notes }
    }

    fn row_of(&self, drive: &Drive, node: &str, is_usb: bool) -> Option<usize> {
        let at_node = |row: &MappedDrive| row.device.as_deref().is_some_and(|device| same_disk(device, node));
        // Two rows may have one serial number: a drive that is seen through two ports.
        let first = |is: &dyn Fn(&MappedDrive) -> bool| {
            let both = self.mapped.iter().position(|row| is(row) && at_node(row));
            both.or_else(|| self.mapped.iter().position(is))
        };
        let serial = drive.serial.value().map(|serial| serial.trim()).filter(|serial| !serial.is_empty());
        serial
            .and_then(|serial| first(&|row| row.serial.as_deref() == Some(serial)))
            .or_else(|| {
                let wwn = drive.wwn.value()?;
                first(&|row| row.wwn.as_deref().is_some_and(|other| same_wwn(other, wwn)))
            })
            .or_else(|| first(&|row| at_node(row) && (is_usb || !contradicts(row, serial))))
    }

    /// The bay of a drive that no row of the map is about.
    fn without_row(&self, drive: &Drive, node: &str) -> Observed<(u32, u32)> {
        if let Some((enclosure, hint)) =
            self.hints(drive, node).find_map(|hint| Some((hint.enclosure?, hint)))
        {
            return hints::bay(hint, enclosure);
        }
        let other = self
            .mapped
            .iter()
            .find(|row| row.device.as_deref().is_some_and(|device| same_disk(device, node)));
        match (other, &self.failed) {
            (Some(row), _) => Observed::unreadable(format!(
                "{}: it has a drive with another serial number at {node}, so it is older than this drive's being there",
                row.place
            )),
            (None, Some(why)) => Observed::unreadable(&**why),
            (None, None) if self.has_map => Observed::Absent,
            (None, None) => Observed::NotCollected,
        }
    }

    fn hints<'h>(&'h self, drive: &'h Drive, node: &'h str) -> impl Iterator<Item = &'h Hint> {
        let about = move |hint: &&Hint| {
            let by_node = hint.device.as_deref().is_some_and(|device| same_disk(device, node));
            let wwn = hint.wwn.as_deref().zip(drive.wwn.value());
            by_node || wwn.is_some_and(|(one, other)| same_wwn(one, other))
        };
        self.qzfs.iter().chain(&self.qcli).filter(about)
    }

    /// Rows about drives that are not among the found ones; `is_listed` says whether the kernel lists a disk that is
    /// no drive of its own (a USB stick, the boot medium).
    pub(super) fn unlisted(&self, found: &[usize], is_listed: impl Fn(&str) -> bool) -> Vec<&MappedDrive> {
        let serials: Vec<&str> =
            found.iter().filter_map(|row| self.mapped.get(*row)?.serial.as_deref()).collect();
        let rows = self.mapped.iter().enumerate().filter(|(at, row)| {
            let twice = row.serial.as_deref().is_some_and(|serial| serials.contains(&serial));
            let other_medium = row.device.as_deref().is_some_and(&is_listed);
            !found.contains(at) && !twice && !other_medium && !row.is_virtual() && row.bay.is_some()
        });
        rows.map(|(_, row)| row).collect()
    }
}

/// What the map itself says of a drive.
pub(super) fn by_map(row: &MappedDrive) -> Drive {
    fn seen<T>(value: Option<T>, row: &MappedDrive) -> Observed<T> {
        value.map_or(Observed::NotCollected, |value| Observed::seen(value, &*row.place))
    }
    let (medium, rotation_rpm) = match row.rotation {
        None => (Observed::NotCollected, Observed::NotCollected),
        Some(Rpm(0)) => (seen(Some(Medium::Ssd), row), Observed::Absent),
        Some(speed) => (seen(Some(Medium::Hdd), row), seen(Some(speed), row)),
    };
    Drive {
        medium,
        rotation_rpm,
        model: seen(row.full_model(), row),
        serial: seen(row.serial.clone(), row),
        wwn: seen(row.wwn.as_deref().map(hex).map(|wwn| wwn.to_ascii_lowercase()), row),
        firmware: seen(row.firmware.clone(), row),
        capacity_bytes: seen(row.capacity, row),
        listed_link_speed: seen(row.link_speed, row),
        listed_link_speed_max: seen(row.link_speed_max, row),
        ..Drive::default()
    }
}

fn added(
    list: Observed<Vec<DepartedDrive>>,
    rows: Vec<MappedDrive>,
    place: &str,
) -> Observed<Vec<DepartedDrive>> {
    let rows = rows.into_iter().map(|row| DepartedDrive {
        model: row.full_model(),
        enclosure: row.enclosure,
        bay: row.bay,
        serial: row.serial,
        wwn: row.wwn,
        from: row.place,
    });
    match list {
        Observed::Seen { mut value, from } => {
            value.extend(rows);
            Observed::Seen { value, from }
        }
        _ => Observed::seen(rows.collect(), place),
    }
}

/// `nvme0n1` and `nvme0` are one drive.
fn same_disk(one: &str, other: &str) -> bool {
    fn drive(name: &str) -> &str {
        super::controller(name).unwrap_or(name)
    }
    drive(one) == drive(other)
}

fn same_wwn(one: &str, other: &str) -> bool {
    hex(one).eq_ignore_ascii_case(hex(other))
}

fn hex(wwn: &str) -> &str {
    ["0x", "naa.", "eui."].iter().find_map(|mark| wwn.strip_prefix(mark)).unwrap_or(wwn)
}

/// Whether a row names another drive. SAS drives answer with long serial numbers, of which a map may hold a part.
fn contradicts(row: &MappedDrive, serial: Option<&str>) -> bool {
    let both = row.serial.as_deref().zip(serial);
    both.is_some_and(|(one, other)| !one.contains(other) && !other.contains(one))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
