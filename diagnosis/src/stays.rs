//! Which drive was in which bay of the unit when, as earlier runs remember it.
//!
//! The memory counts bays without their enclosure, so with drives in external enclosures a bay number is told only
//! for drives whose enclosure is known by another source. Refuses to place a moment that no stay covers.

use assay_bundle::facts::Facts;
use assay_bundle::facts::inventory::RememberedDrive;

use crate::course::DAY_S;

/// One drive in one bay for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant<'f> {
    /// Who.
    pub(crate) drive: &'f RememberedDrive,
    /// Bay of the unit itself, from 1.
    pub(crate) bay: u32,
    from_unix_s: i64,
    /// When it was last known there.
    pub(crate) until_unix_s: i64,
}

/// Every stay in a bay of the unit itself, by bay and time. None when the memory is another chassis'.
pub(crate) fn tenants(facts: &Facts) -> Vec<Tenant<'_>> {
    let memory = facts.inventory.value().filter(|m| m.same_unit.value() != Some(&false));
    let mut all: Vec<Tenant<'_>> = memory
        .into_iter()
        .flat_map(|memory| &memory.remembered_drives)
        .filter(|drive| in_unit(facts, drive))
        .flat_map(|drive| {
            drive.seen_in.iter().filter_map(move |stay| {
                let from_unix_s = stay.from_unix_s?;
                let until_unix_s = stay.until_unix_s.unwrap_or(from_unix_s);
                Some(Tenant { drive, bay: stay.bay, from_unix_s, until_unix_s })
            })
        })
        .collect();
    all.sort_by(|a, b| (a.bay, a.from_unix_s, &a.drive.serial).cmp(&(b.bay, b.from_unix_s, &b.drive.serial)));
    all
}

/// Whether the bays of this drive are those of the unit itself.
fn in_unit(facts: &Facts, remembered: &RememberedDrive) -> bool {
    let drives = facts.drives.value().map(Vec::as_slice).unwrap_or_default();
    let inside = |number: Option<u32>| number.unwrap_or(0) == 0;
    if let Some(now) = drives.iter().find(|d| d.serial.value() == Some(&remembered.serial)) {
        return inside(now.enclosure.value().copied());
    }
    let departed = facts.departed_drives.value().into_iter().flatten();
    let left = departed.into_iter().find(|d| d.serial.as_deref() == Some(remembered.serial.as_str()));
    left.map_or_else(
        || drives.iter().all(|d| inside(d.enclosure.value().copied())),
        |left| inside(Some(left.enclosure)),
    )
}

/// The drive that was in this bay then. The memory writes daily, so a stay may have lasted a day longer; when that
/// makes two, nobody knows.
pub(crate) fn tenant<'t, 'f>(tenants: &'t [Tenant<'f>], bay: u32, at_unix_s: i64) -> Option<&'t Tenant<'f>> {
    let day = i64::try_from(DAY_S).unwrap_or(i64::MAX);
    let mut there = tenants.iter().filter(|t| {
        t.bay == bay && (t.from_unix_s..=t.until_unix_s.saturating_add(day)).contains(&at_unix_s)
    });
    let first = there.next()?;
    there.all(|other| other.drive.serial == first.drive.serial).then_some(first)
}

/// The bay that this drive was in then.
pub(crate) fn bay_of(tenants: &[Tenant<'_>], serial: &str, at_unix_s: i64) -> Option<u32> {
    let mut stays = tenants.iter().filter(|t| t.drive.serial == serial);
    stays.find(|t| (t.from_unix_s..=t.until_unix_s).contains(&at_unix_s)).map(|t| t.bay)
}

#[cfg(test)]
pub(crate) mod testing {
    use assay_bundle::Observed;
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::inventory::{Inventory, Moment, RememberedDrive, Stay};

    /// A drive that was in these bays from then until then; `present` in the last of them or gone.
    pub(crate) fn stayed(serial: &str, stays: &[(u32, i64, i64)], present: bool) -> RememberedDrive {
        let last = stays.last();
        RememberedDrive {
            serial: serial.to_owned(),
            model: "WDC WD40EFRX-68N32N0".to_owned(),
            last_bay: last.map(|stay| stay.0),
            last_seen: Moment { unix_s: last.map(|stay| stay.2), boot_id: None },
            seen_in: stays
                .iter()
                .map(|&(bay, from, until)| Stay { bay, from_unix_s: Some(from), until_unix_s: Some(until) })
                .collect(),
            present: Observed::seen(present, "sys/block"),
            ..RememberedDrive::default()
        }
    }

    pub(crate) fn remembering(facts: Facts, drives: Vec<RememberedDrive>) -> Facts {
        let memory = Inventory {
            remembered_drives: drives,
            same_unit: Observed::seen(true, "x"),
            ..Inventory::default()
        };
        Facts { inventory: Observed::seen(memory, "state/inventory.json"), ..facts }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{remembering, stayed};
    use super::*;
    use crate::fixture::{hdd, nas, with_drives};
    use assay_bundle::Observed;
    use assay_bundle::facts::drive::Drive;

    #[test]
    fn who_was_where_when() {
        let drives = vec![
            stayed("A", &[(3, 100, 200), (4, 90_000, 200_000)], true),
            stayed("B", &[(3, 95_000, 300_000)], true),
        ];
        let facts = remembering(nas(), drives);
        let all = tenants(&facts);
        let who = |bay, at| tenant(&all, bay, at).map(|t| t.drive.serial.as_str());
        for (bay, at, expected) in [
            (3, 150, Some("A")),
            (3, 50, None),
            (3, 80_000, Some("A")),
            (3, 100_000, Some("B")),
            (4, 100_000, Some("A")),
            (5, 100_000, None),
        ] {
            assert_eq!(who(bay, at), expected, "{bay} {at}");
        }
        assert_eq!(
            (bay_of(&all, "A", 150), bay_of(&all, "A", 95_000), bay_of(&all, "B", 1)),
            (Some(3), Some(4), None)
        );
    }

    #[test]
    fn bays_of_enclosures_are_not_mixed_in() {
        let outside = Drive { enclosure: Observed::seen(32, "x"), ..hdd("sdd", 1) };
        let serial = outside.serial.value().cloned().unwrap_or_default();
        let facts = remembering(
            with_drives(vec![outside]),
            vec![stayed(&serial, &[(1, 1, 2)], true), stayed("gone", &[(2, 1, 2)], false)],
        );
        assert!(tenants(&facts).is_empty());
    }
}
