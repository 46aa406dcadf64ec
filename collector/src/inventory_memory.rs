//! The inventory memory: which parts this unit had, kept over runs in one small JSON file, and compared with a run.
//!
//! The stored form is the fact itself ([`Inventory`]) without what a comparison adds. A drive is known by serial
//! number *and* model. Four things that look alike are kept apart: a drive that is gone (every listed drive gave a
//! serial number, and none is it), one that may be there (a listed drive gave none: asleep, failing, or behind a
//! bridge), one that was replaced (another serial number in its bay), and a run that could not list drives, which
//! says nothing. Sleeping drives give no serial number, so a sleeping unit never looks empty.
//!
//! Model and capacity stay as first seen: a solid-state drive whose firmware panicked comes back with a few megabytes
//! or another name under its old serial number, and that must not be forgotten by seeing it once. Serial numbers
//! repeat (some USB bridges give all drives one): an entry is taken by the drive with its model first.
//!
//! The file lies on the data volume and moves with the drives. In another chassis the drives stay known, but bays,
//! fans and modules were the other one's and are forgotten at the first run there.

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::inventory::{Inventory, Moment, PartKind, RememberedDrive, RememberedPart, Stay};

use crate::ring::readings::{dimm_name, identity, is_name};

/// Name of the file.
pub const FILE: &str = "inventory.json";
/// Most bytes of the file: 256 drives and 256 parts of ordinary names take a third of it.
pub const MOST_BYTES: u64 = 512 * 1024;
/// Most drives that are remembered.
const MOST_DRIVES: usize = 256;
/// Most fans and modules that are remembered.
const MOST_PARTS: usize = 256;
/// Most bays that are remembered of one drive.
const MOST_STAYS: usize = 16;
/// A drive that is still where it was is written again when that was last written so long ago.
const WRITTEN_EVERY_S: u64 = 24 * 3600;

/// Reads the stored form; what only a comparison can know is not taken from it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Inventory, String> {
    // A list would be taken for the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err("not an inventory memory".to_owned());
    }
    let memory: Inventory = assay_bundle::json::from_slice(bytes).map_err(|error| {
        format!("not an inventory memory (line {}, column {})", error.line(), error.column())
    })?;
    let mut memory = stored(memory);
    memory.remembered_drives.retain(|drive| is_name(&drive.serial) && is_name(&drive.model));
    memory.remembered_drives.truncate(MOST_DRIVES);
    memory.remembered_parts.truncate(MOST_PARTS);
    Ok(memory)
}

/// The stored form of a memory: without what a comparison added.
fn stored(memory: Inventory) -> Inventory {
    let drive = |drive: RememberedDrive| RememberedDrive {
        present: Observed::NotCollected,
        bay_now: None,
        model_now: None,
        firmware_now: None,
        capacity_now_bytes: None,
        bay_taken_by: None,
        ..drive
    };
    let part = |part: RememberedPart| RememberedPart { present: Observed::NotCollected, ..part };
    Inventory {
        same_unit: Observed::NotCollected,
        drives_without_serial: 0,
        remembered_drives: memory.remembered_drives.into_iter().map(drive).collect(),
        remembered_parts: memory.remembered_parts.into_iter().map(part).collect(),
        ..memory
    }
}

/// Compares a memory that stands at `place` with what a run saw.
pub(crate) fn compare(memory: Inventory, place: &str, facts: &Facts) -> Inventory {
    let mut memory = stored(memory);
    memory.same_unit = match (&memory.unit_serial, &facts.identity.serial) {
        (None, _) => Observed::NotCollected,
        (Some(then), Observed::Seen { value: now, from }) => Observed::seen(then == now, &**from),
        (Some(_), other) => unknown("the unit's serial number", other),
    };
    let taken = taken(&memory, facts);
    let listed = drives(facts);
    let nameless: Vec<&Drive> = listed.iter().copied().filter(|drive| identity(drive).is_none()).collect();
    memory.drives_without_serial = u64::try_from(nameless.len()).unwrap_or(u64::MAX);
    for (remembered, now) in memory.remembered_drives.iter_mut().zip(&taken) {
        match now {
            Some(drive) => {
                remembered.present = Observed::seen(true, drive.serial.place().unwrap_or(place));
                describe(remembered, drive);
            }
            None => {
                remembered.present = absence(remembered, facts, &nameless, place);
                remembered.bay_taken_by = bay_taken_by(remembered, &listed);
            }
        }
    }
    for part in &mut memory.remembered_parts {
        part.present = part_present(part, facts);
    }
    memory
}

/// The listed drives; none when they could not be listed.
fn drives(facts: &Facts) -> Vec<&Drive> {
    facts.drives.value().into_iter().flatten().collect()
}

/// For each remembered drive the one of this run that is it: by serial number and model, else by serial number alone
/// among those that are nobody else.
fn taken<'f>(memory: &Inventory, facts: &'f Facts) -> Vec<Option<&'f Drive>> {
    let listed = drives(facts);
    let exact = |remembered: &RememberedDrive, drive: &Drive| {
        identity(drive) == Some((remembered.model.as_str(), remembered.serial.as_str()))
    };
    let mut left: Vec<&Drive> = listed.clone();
    let mut taken: Vec<Option<&Drive>> = memory
        .remembered_drives
        .iter()
        .map(|remembered| {
            let at = left.iter().position(|drive| exact(remembered, drive))?;
            Some(left.swap_remove(at))
        })
        .collect();
    for (remembered, place) in memory.remembered_drives.iter().zip(&mut taken) {
        if place.is_none() {
            let same =
                |drive: &&Drive| identity(drive).is_some_and(|(_, serial)| serial == remembered.serial);
            *place = left.iter().position(same).map(|at| left.swap_remove(at));
        }
    }
    taken
}

/// What the drive now says differently.
fn describe(remembered: &mut RememberedDrive, drive: &Drive) {
    let changed = |then: Option<&String>, now: &Observed<String>| {
        now.value().filter(|now| then.is_some_and(|then| then != *now)).cloned()
    };
    remembered.bay_now = drive.bay.value().copied().filter(|now| remembered.last_bay != Some(*now));
    remembered.model_now = changed(Some(&remembered.model), &drive.model);
    remembered.firmware_now = changed(remembered.firmware.as_ref(), &drive.firmware);
    remembered.capacity_now_bytes = drive
        .capacity_bytes
        .value()
        .copied()
        .filter(|now| remembered.capacity_bytes.is_some_and(|then| then != *now));
}

/// Whether a drive that no listed one is, is gone.
fn absence(remembered: &RememberedDrive, facts: &Facts, nameless: &[&Drive], place: &str) -> Observed<bool> {
    let from = match &facts.drives {
        Observed::Seen { from, .. } => from.as_str(),
        // The system was asked for block devices and lists no drive at all.
        Observed::Absent => facts.block_devices.place().unwrap_or(place),
        other => return unknown("the list of drives", other),
    };
    let maybe = nameless.iter().filter(|drive| may_be(&remembered.model, drive)).count();
    match maybe {
        0 => Observed::seen(false, from),
        1 => Observed::unreadable("a drive that is listed gave no serial number, and may be it"),
        many => Observed::unreadable(format!(
            "{many} drives that are listed gave no serial number, and each may be it"
        )),
    }
}

/// Whether a drive without a serial number may be of a model. The system's own name is shorter than the drive's (16
/// characters, sometimes without the maker).
fn may_be(model: &str, drive: &Drive) -> bool {
    drive.model.value().map(|now| now.trim()).is_none_or(|now| {
        let then = model.trim();
        now.is_empty() || then.contains(now) || now.contains(then)
    })
}

fn bay_taken_by(remembered: &RememberedDrive, listed: &[&Drive]) -> Option<String> {
    let bay = remembered.last_bay?;
    let other = listed.iter().find(|drive| drive.bay.value() == Some(&bay))?;
    identity(other).map(|(_, serial)| serial.to_owned()).filter(|serial| *serial != remembered.serial)
}

fn part_present(part: &RememberedPart, facts: &Facts) -> Observed<bool> {
    let find = |names: Observed<Vec<String>>, what: &str| match names {
        Observed::Seen { value, from } => Observed::Seen { value: value.contains(&part.name), from },
        // A driver that did not load looks the same.
        Observed::Absent => Observed::unreadable(format!("{what}: none at all is listed")),
        other => unknown(what, &other),
    };
    match part.kind {
        PartKind::Fan => {
            let fans = facts.fans.as_ref();
            find(fans.map(|fans| fans.iter().map(|fan| fan.name.clone()).collect()), "the list of fans")
        }
        PartKind::Dimm => find(dimms(facts), "the list of memory modules"),
    }
}

fn dimms(facts: &Facts) -> Observed<Vec<String>> {
    facts.memory_controllers.as_ref().map(|controllers| {
        controllers
            .iter()
            .flat_map(|controller| {
                controller.dimms.value().into_iter().flatten().map(|dimm| dimm_name(controller, dimm))
            })
            .collect()
    })
}

/// A reading that has no value, as the reason for another one.
fn unknown<T, U>(what: &str, reading: &Observed<T>) -> Observed<U> {
    let why = reading.why_not().unwrap_or_else(|| "it was not understood".to_owned());
    Observed::unreadable(format!("{what}: {why}"))
}

/// What is to be stored after a run; `None` when that is what is stored.
pub(crate) fn updated(before: Option<&Inventory>, facts: &Facts) -> Option<Inventory> {
    let mut memory = before.cloned().map(stored).unwrap_or_default();
    let now =
        Moment { unix_s: facts.clock.unix_s.value().copied(), boot_id: facts.clock.boot_id.value().cloned() };
    if let Some(serial) = facts.identity.serial.value().filter(|serial| is_name(serial))
        && memory.unit_serial.as_ref() != Some(serial)
    {
        if memory.unit_serial.is_some() {
            forget_chassis(&mut memory);
        }
        memory.unit_serial = Some(serial.clone());
    }
    let taken = taken(&memory, facts);
    for (remembered, drive) in memory.remembered_drives.iter_mut().zip(&taken) {
        if let Some(drive) = drive {
            see(remembered, drive, &now);
        }
    }
    let is_taken = |drive: &Drive| taken.iter().flatten().any(|other| std::ptr::eq(*other, drive));
    for drive in drives(facts).into_iter().filter(|drive| !is_taken(drive)) {
        let Some((model, serial)) = identity(drive) else { continue };
        let mut new = RememberedDrive {
            serial: serial.to_owned(),
            model: model.to_owned(),
            first_seen: now.clone(),
            ..RememberedDrive::default()
        };
        see(&mut new, drive, &now);
        memory.remembered_drives.push(new);
    }
    while memory.remembered_drives.len() > MOST_DRIVES {
        let seen = |drive: &RememberedDrive| drive.last_seen.unix_s.unwrap_or(i64::MIN);
        let oldest = (0..memory.remembered_drives.len())
            .min_by_key(|at| memory.remembered_drives.get(*at).map(seen))
            .unwrap_or_default();
        memory.remembered_drives.remove(oldest);
        memory.drives_dropped = memory.drives_dropped.saturating_add(1);
    }
    see_parts(&mut memory, facts, &now);
    let before = before.map(|before| stored(before.clone())).unwrap_or_default();
    (before != memory).then_some(memory)
}

fn forget_chassis(memory: &mut Inventory) {
    memory.remembered_parts.clear();
    for drive in &mut memory.remembered_drives {
        drive.last_bay = None;
        drive.seen_in.clear();
    }
}

/// Brings one drive up to date.
fn see(remembered: &mut RememberedDrive, drive: &Drive, now: &Moment) {
    let before = remembered.clone();
    let fresh = |reading: &Observed<String>, then: &Option<String>| match reading.value() {
        Some(text) if is_name(text) => Some(text.clone()),
        _ => then.clone(),
    };
    remembered.wwn = fresh(&drive.wwn, &before.wwn);
    remembered.firmware = fresh(&drive.firmware, &before.firmware);
    remembered.capacity_bytes = before.capacity_bytes.or(drive.capacity_bytes.value().copied());
    remembered.last_device.clone_from(&drive.device);
    if let Some(bay) = drive.bay.value().copied() {
        remembered.last_bay = Some(bay);
        if remembered.seen_in.last().is_none_or(|stay| stay.bay != bay) {
            remembered.seen_in.push(Stay { bay, from_unix_s: now.unix_s, until_unix_s: now.unix_s });
            let too_many = remembered.seen_in.len().saturating_sub(MOST_STAYS);
            remembered.seen_in.drain(..too_many);
        }
    }
    let age = now.unix_s.zip(before.last_seen.unix_s).map(|(now, then)| now.abs_diff(then));
    if *remembered != before || age.is_none_or(|age| age >= WRITTEN_EVERY_S) {
        remembered.last_seen = now.clone();
        let bay = remembered.last_bay;
        if let Some(stay) = remembered.seen_in.last_mut().filter(|stay| Some(stay.bay) == bay) {
            stay.until_unix_s = now.unix_s.or(stay.until_unix_s);
        }
    }
}

fn see_parts(memory: &mut Inventory, facts: &Facts, now: &Moment) {
    let turning = facts.fans.value().into_iter().flatten();
    let turning = turning.filter(|fan| fan.speed_rpm.value().is_some_and(|speed| speed.0 > 0));
    let fans = turning.map(|fan| (PartKind::Fan, fan.name.clone()));
    let modules = dimms(facts).value().cloned().unwrap_or_default();
    for (kind, name) in fans.chain(modules.into_iter().map(|name| (PartKind::Dimm, name))) {
        let known = memory.remembered_parts.iter().any(|part| part.kind == kind && part.name == name);
        if !known && is_name(&name) && memory.remembered_parts.len() < MOST_PARTS {
            let first_seen = now.clone();
            memory.remembered_parts.push(RememberedPart {
                kind,
                name,
                first_seen,
                present: Observed::NotCollected,
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
