//! What the flight recorder follows, out of the facts of one run: each value under the identity of its thing.
//!
//! A drive counts by model *and* serial number; one that gave no serial number (asleep, dead, behind a bridge) is not
//! followed, because its device name belongs to another drive tomorrow. What md and the block layer count by device
//! name is put to the drive that has that name in the same run. A fan of 0 RPM is followed: stopping is the news.

use std::collections::{BTreeMap, BTreeSet};

use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::edac::{Dimm, MemoryController};
use assay_bundle::facts::history::{Metric, Subject};

use super::{Key, MOST_NAME_BYTES};

/// Attributes that are followed, by id.
const ATTRIBUTES: [(u8, Metric); 7] = [
    (5, Metric::Ata5),
    (187, Metric::Ata187),
    (188, Metric::Ata188),
    (196, Metric::Ata196),
    (197, Metric::Ata197),
    (198, Metric::Ata198),
    (199, Metric::Ata199),
];
/// Most things that are followed: a full record of them has to fit into one file.
const MOST_THINGS: usize = 500;

/// The values of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readings {
    pub(crate) values: BTreeMap<Key, i64>,
    /// Kinds of things of which this run has the whole list: what is not in it is gone.
    pub(crate) complete: BTreeSet<Subject>,
    /// Everything that was listed, with or without a value.
    pub(crate) listed: BTreeSet<(Subject, String, Option<String>)>,
    /// There were more things than are followed.
    too_many: bool,
}

impl Readings {
    /// The values of a run.
    pub(crate) fn of(facts: &Facts) -> Self {
        let mut readings = Self::default();
        readings.drives(facts);
        readings.sensors(facts);
        readings.memory(facts);
        readings.links_and_arrays(facts);
        if readings.too_many {
            // What was left out is not gone.
            readings.complete.clear();
        }
        readings
    }

    /// A thing that can be followed; `None` when its name cannot be one or there are too many.
    fn thing(&mut self, subject: Subject, name: &str, serial: Option<&str>) -> Option<Thing<'_>> {
        let thing = (subject, name.to_owned(), serial.map(str::to_owned));
        if !is_name(name) || serial.is_some_and(|serial| !is_name(serial)) {
            return None;
        }
        if self.listed.len() >= MOST_THINGS && !self.listed.contains(&thing) {
            self.too_many = true;
            return None;
        }
        self.listed.insert(thing.clone());
        Some(Thing { values: &mut self.values, thing })
    }

    fn drives(&mut self, facts: &Facts) {
        let Some(drives) = facts.drives.value() else { return };
        // A drive without an identity may be any that was known.
        if drives.iter().all(|drive| identity(drive).is_some()) {
            self.complete.insert(Subject::Drive);
        }
        for drive in drives {
            let Some((model, serial)) = identity(drive) else { continue };
            let io_errors = io_errors(facts, drive);
            let md_corrected = md_corrected(facts, drive);
            let Some(mut thing) = self.thing(Subject::Drive, model, Some(serial)) else { continue };
            drive_values(drive, &mut thing);
            thing.put(Metric::IoErrors, io_errors);
            thing.put(Metric::MdCorrected, md_corrected);
        }
    }

    fn sensors(&mut self, facts: &Facts) {
        if let Some(fans) = facts.fans.value() {
            self.complete.insert(Subject::Fan);
            for fan in fans {
                if let Some(mut thing) = self.thing(Subject::Fan, &fan.name, None) {
                    thing.put(Metric::SpeedRpm, fan.speed_rpm.value().map(|speed| speed.0));
                }
            }
        }
        if let Some(sensors) = facts.temperatures.value() {
            self.complete.insert(Subject::Sensor);
            for sensor in sensors {
                if let Some(mut thing) = self.thing(Subject::Sensor, &sensor.name, None) {
                    thing.put(Metric::TemperatureC, sensor.temperature_c.value().map(|t| t.0));
                }
            }
        }
    }

    fn memory(&mut self, facts: &Facts) {
        let Some(controllers) = facts.memory_controllers.value() else { return };
        self.complete.insert(Subject::MemoryController);
        for controller in controllers {
            if let Some(mut thing) = self.thing(Subject::MemoryController, &controller.name, None) {
                thing.put(Metric::MemoryCorrected, controller.corrected.value().copied());
                thing.put(Metric::MemoryUncorrected, controller.uncorrected.value().copied());
            }
            for dimm in controller.dimms.value().into_iter().flatten() {
                if let Some(mut thing) = self.thing(Subject::Dimm, &dimm_name(controller, dimm), None) {
                    thing.put(Metric::MemoryCorrected, dimm.corrected.value().copied());
                    thing.put(Metric::MemoryUncorrected, dimm.uncorrected.value().copied());
                }
            }
        }
        if controllers.iter().all(|controller| controller.dimms.is_seen()) {
            self.complete.insert(Subject::Dimm);
        }
    }

    fn links_and_arrays(&mut self, facts: &Facts) {
        if let Some(links) = facts.network_links.value() {
            self.complete.insert(Subject::Link);
            for link in links {
                if let Some(mut thing) = self.thing(Subject::Link, &link.name, None) {
                    thing.put(Metric::RxCrcErrors, link.rx_crc_errors.value().copied());
                    thing.put(Metric::CarrierChanges, link.carrier_changes.value().copied());
                }
            }
        }
        if let Some(arrays) = facts.md_arrays.value() {
            self.complete.insert(Subject::Array);
            for array in arrays {
                if let Some(mut thing) = self.thing(Subject::Array, &array.name, None) {
                    thing.put(Metric::MismatchSectors, array.mismatch_sectors.value().copied());
                }
            }
        }
    }
}

/// Model and serial number of a drive that gave both.
pub(crate) fn identity(drive: &Drive) -> Option<(&str, &str)> {
    let (model, serial) = (drive.model.value()?, drive.serial.value()?);
    (is_name(model) && is_name(serial)).then_some((model, serial))
}

/// Whether a text can be a name or serial number: not blank, short, printable.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MOST_NAME_BYTES && !text.chars().any(char::is_control)
}

/// A module's label as printed on the board, else where its controller has it.
pub(crate) fn dimm_name(controller: &MemoryController, dimm: &Dimm) -> String {
    match dimm.label.value() {
        Some(label) if !label.trim().is_empty() => label.clone(),
        _ => format!("{}/{}", controller.name, dimm.name),
    }
}

/// One thing with room for its values.
struct Thing<'r> {
    values: &'r mut BTreeMap<Key, i64>,
    thing: (Subject, String, Option<String>),
}

impl Thing<'_> {
    /// A value that was read; two things of one name (labels may repeat) count together.
    fn put(&mut self, metric: Metric, value: Option<impl TryInto<i64>>) {
        let Some(value) = value else { return };
        let value = value.try_into().unwrap_or(i64::MAX);
        let (subject, name, serial) = self.thing.clone();
        let counts = matches!(metric, Metric::MemoryCorrected | Metric::MemoryUncorrected);
        self.values
            .entry(Key { subject, name, serial, metric })
            .and_modify(|known| *known = if counts { known.saturating_add(value) } else { value })
            .or_insert(value);
    }
}

fn drive_values(drive: &Drive, thing: &mut Thing<'_>) {
    for attribute in drive.ata_attributes.value().into_iter().flatten() {
        if let Some((_, metric)) = ATTRIBUTES.iter().find(|(id, _)| *id == attribute.id) {
            thing.put(*metric, Some(attribute.raw));
        }
    }
    thing.put(Metric::PendingDefects, drive.pending_defects.value().copied());
    thing.put(Metric::AtaErrors, drive.ata_error_count.value().copied());
    thing.put(Metric::PowerOnHours, drive.power_on_hours.value().map(|hours| hours.0));
    thing.put(Metric::TemperatureC, drive.temperature_c.value().map(|t| t.0));
    if let Some(nvme) = drive.nvme.value() {
        thing.put(Metric::NvmeCriticalWarning, Some(nvme.critical_warning));
        thing.put(Metric::NvmeSparePercent, nvme.available_spare_percent.map(|p| p.0));
        thing.put(Metric::NvmeUsedPercent, nvme.percentage_used.map(|p| p.0));
        thing.put(Metric::NvmeMediaErrors, nvme.media_errors);
        thing.put(Metric::NvmeUnsafeShutdowns, nvme.unsafe_shutdowns);
        thing.put(Metric::NvmeWarningMinutes, nvme.warning_temperature_minutes);
    }
    if let Some(scsi) = drive.scsi.value() {
        thing.put(Metric::ScsiGrownDefects, scsi.grown_defects);
        thing.put(Metric::ScsiUncorrected, scsi.uncorrected_errors);
    }
}

/// The block layer's error count of a drive, when its device is listed.
fn io_errors(facts: &Facts, drive: &Drive) -> Option<u64> {
    let blocks = facts.block_devices.value()?;
    blocks.iter().find(|block| block.name == drive.device)?.io_error_count.value().copied()
}

/// Errors that md corrected on the partitions of a drive, over all arrays that counted.
fn md_corrected(facts: &Facts, drive: &Drive) -> Option<u64> {
    let members = facts.md_arrays.value()?.iter().filter_map(|array| array.members.value()).flatten();
    let counts = members.filter(|member| lies_on(&member.device, &drive.device));
    counts.filter_map(|member| member.corrected_errors).reduce(u64::saturating_add)
}

/// Whether a partition (`sda3`, `nvme0n1p2`) or a whole disk lies on a device (`sda`, `nvme0`).
fn lies_on(partition: &str, device: &str) -> bool {
    let Some(rest) = partition.strip_prefix(device).filter(|_| !device.is_empty()) else { return false };
    let parted =
        !device.ends_with(|c: char| c.is_ascii_digit()) || rest.is_empty() || rest.starts_with(['n', 'p']);
    parted && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, 'n' | 'p'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_lies_on_one_drive() {
        for (partition, device, expected) in [
            ("sda3", "sda", true),
            ("sda", "sda", true),
            ("sdaa3", "sda", false),
            ("sdb3", "sda", false),
            ("nvme0n1p3", "nvme0", true),
            ("nvme10n1p3", "nvme1", false),
            ("sda3", "", false),
        ] {
            assert_eq!(lies_on(partition, device), expected, "{partition} {device}");
        }
    }
}
