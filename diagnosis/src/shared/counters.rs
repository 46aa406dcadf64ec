//! Marks that drives count themselves: rises that the flight recorder saw on several at once, starts that the motor had
//! to try again, and drives that went on the same day.

use assay_bundle::Observed;
use assay_bundle::diagnosis::Evidence;
use assay_bundle::facts::drive::{Drive, Medium};
use assay_bundle::facts::history::Metric;
use assay_bundle::facts::inventory::RememberedDrive;

use super::marks::Map;
use super::{Ancestor, Mark, Member, Shared, When, same_day};
use crate::course::{self, WEEK_S};
use crate::evidence::told;
use crate::subject::{fact, location, sorted};

/// So many drives with a mark share a cause.
const SEVERAL: usize = 2;
/// So many power losses in a week are no single mains failure (judgement).
const LOSSES: u64 = 3;
/// A raw value from here on is a packed one and no count of starts.
const PACKED_FROM: u64 = 0xffff;

/// The shared cause that counters show for this mark.
pub(super) fn of(map: &Map<'_>, mark: Mark) -> Option<Shared> {
    match mark {
        Mark::LinkError => counted(map, mark, crc_rise),
        Mark::Power => counted(map, mark, spin_retries).or_else(|| counted(map, mark, power_losses)),
        Mark::Gone => gone_together(map),
        Mark::Timeout | Mark::Media => None,
    }
}

/// Drives for which `count` says how often, and by what.
fn counted(
    map: &Map<'_>,
    mark: Mark,
    count: fn(&Map<'_>, &Drive) -> Option<(u64, Evidence)>,
) -> Option<Shared> {
    let drives = sorted(map.drives());
    let found: Vec<(&Drive, (u64, Evidence))> =
        drives.into_iter().filter_map(|drive| Some((drive, count(map, drive)?))).collect();
    if found.len() < SEVERAL {
        return None;
    }
    let drives: Vec<&Drive> = found.iter().map(|(drive, _)| *drive).collect();
    let kind = match mark {
        Mark::Power => Ancestor::of_power(&drives),
        _ => Ancestor::of(map, &drives, false),
    };
    let members: Vec<Member> = found
        .iter()
        .map(|(drive, (count, _))| Member {
            place: location(drive),
            device: Some(drive.device.clone()),
            count: *count,
        })
        .collect();
    Some(Shared {
        mark,
        devices: drives.iter().map(|d| d.device.clone()).collect(),
        ancestor: kind.words(),
        kind,
        leader: super::leader(&members),
        members,
        evidence: found.into_iter().map(|(_, (_, evidence))| evidence).collect(),
        rate: None,
        when: When::Counters,
    })
}

/// Link errors that rose within a week.
fn crc_rise(map: &Map<'_>, drive: &Drive) -> Option<(u64, Evidence)> {
    let row = drive.ata_attributes.value()?.iter().find(|a| a.id == 199)?;
    let name = row.name.to_ascii_lowercase();
    if !name.contains("crc") {
        return None;
    }
    let course = course::of_drive(map.facts, drive, Metric::Ata199, Some(row.raw), WEEK_S);
    let rise = course.rise_within(WEEK_S)?;
    Some((rise.by, rise.evidence(fact(drive, &format!("ata_attributes[199 {}]", row.name)))))
}

/// Power losses without notice, rising together.
fn power_losses(map: &Map<'_>, drive: &Drive) -> Option<(u64, Evidence)> {
    let now = u64::try_from(drive.nvme.value()?.unsafe_shutdowns?).ok()?;
    let course = course::of_drive(map.facts, drive, Metric::NvmeUnsafeShutdowns, Some(now), WEEK_S);
    let rise = course.rise_within(WEEK_S).filter(|rise| rise.by >= LOSSES)?;
    Some((rise.by, rise.evidence(fact(drive, "nvme.unsafe_shutdowns"))))
}

/// Second starts of a motor: the 12 V supply sags when several drives start at once.
fn spin_retries(_: &Map<'_>, drive: &Drive) -> Option<(u64, Evidence)> {
    let Observed::Seen { value: rows, from } = &drive.ata_attributes else { return None };
    let named = |name: &str| name.to_ascii_lowercase().contains("spin_retry");
    let row = rows.iter().find(|a| a.id == 10 && named(&a.name))?;
    let retries = row.decoded.unwrap_or(row.raw);
    if drive.medium.value() == Some(&Medium::Ssd) || retries == 0 || retries >= PACKED_FROM {
        return None;
    }
    let path = fact(drive, &format!("ata_attributes[10 {}]", row.name));
    Some((retries, told(path, format!("{retries} second starts of the motor"), from)))
}

/// Drives that earlier runs saw, that are gone since the same day and that nothing replaced: perhaps a row of the
/// backplane without power, perhaps taken out. QTS notes a drive that is pulled while it runs, so a note of one
/// speaks for a hand.
fn gone_together(map: &Map<'_>) -> Option<Shared> {
    let memory = map.facts.inventory.value().filter(|m| m.same_unit.value() != Some(&false))?;
    let missed = |d: &&RememberedDrive| {
        d.present.value() == Some(&false) && d.bay_taken_by.is_none() && d.last_bay.is_some()
    };
    let mut gone: Vec<&RememberedDrive> = memory.remembered_drives.iter().filter(missed).collect();
    gone.sort_by_key(|d| (d.last_bay, d.serial.clone()));
    let first = gone.first()?.last_seen.unix_s?;
    let together = gone.iter().all(|d| d.last_seen.unix_s.is_some_and(|at| same_day(at, first)));
    let notes = map.facts.event_log.value().map(|log| log.events.as_slice()).unwrap_or_default();
    let pulled = notes.iter().any(|e| {
        e.kind == "drive-unplugged" && e.at_unix_s.is_some_and(|at| same_day(at, first) || at >= first)
    });
    if gone.len() < SEVERAL || !together || pulled {
        return None;
    }
    let from = map.facts.inventory.place().unwrap_or_default();
    let members = gone.iter().map(|d| Member {
        place: d.last_bay.map(|bay| format!("bay {bay}")).unwrap_or_default(),
        device: None,
        count: 1,
    });
    let evidence = gone.iter().map(|d| {
        let value = format!(
            "{} {} of bay {} was last seen {}",
            d.model,
            d.serial,
            d.last_bay.unwrap_or_default(),
            crate::text::date(d.last_seen.unix_s.unwrap_or(first))
        );
        told("inventory.remembered_drives", value, from)
    });
    Some(Shared {
        mark: Mark::Gone,
        devices: Vec::new(),
        ancestor: Ancestor::Unknown.words(),
        kind: Ancestor::Unknown,
        leader: None,
        members: members.collect(),
        evidence: evidence.collect(),
        rate: None,
        when: When::SameDay,
    })
}
