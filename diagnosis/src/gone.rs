//! Drives that were in the unit and are not there now: what earlier runs remember, and QTS's own list of drives that
//! left.
//!
//! A drive that died disappears from every list, so without these an empty bay looks like a healthy one. Nobody can
//! tell from here whether a drive was taken out on purpose; so this refuses to call anything a defect: it says what is
//! not known, and only what this unit itself remembers and did not replace keeps it from being healthy. A drive of
//! which the kernel log says how it went is DRV-013's.

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::DepartedDrive;
use assay_bundle::facts::inventory::{Inventory, RememberedDrive};

use crate::rule::Judgement;

/// What is not known about drives that are gone.
pub(crate) fn judge(facts: &Facts, told: &[String]) -> Vec<Judgement> {
    let mut judgements = match &facts.inventory {
        Observed::Seen { value, .. } => remembered(value, told),
        Observed::Unreadable { why } => {
            let why = format!("what earlier runs remembered could not be read: {why}");
            vec![Judgement::cannot_tell("drives of earlier runs", why, false)]
        }
        Observed::Absent | Observed::NotCollected => Vec::new(),
    };
    judgements.extend(
        departed(facts).filter(|d| !d.serial.as_ref().is_some_and(|s| told.contains(s))).map(departed_drive),
    );
    judgements
}

/// Rows of QTS's list that nothing explains.
fn departed(facts: &Facts) -> impl Iterator<Item = &DepartedDrive> {
    let rows = facts.departed_drives.value().into_iter().flatten();
    rows.filter(|drive| is_missed(facts, drive))
}

/// A drive that was there and is not.
#[derive(Clone, Debug)]
pub(crate) struct Missed {
    /// Serial number.
    pub(crate) serial: String,
    /// Maker's model, where it is known.
    pub(crate) model: String,
    /// Bay of its enclosure.
    pub(crate) bay: Option<u32>,
    /// Kernel name in this boot, when it was seen in this boot.
    pub(crate) device: Option<String>,
    /// The list of facts that remembers it.
    pub(crate) fact: &'static str,
    /// Below `raw/`: who remembers it.
    pub(crate) from: String,
}

impl Missed {
    /// It as a subject.
    pub(crate) fn name(&self) -> String {
        match self.bay {
            Some(bay) => format!("drive {} {} of bay {bay}", self.model, self.serial),
            None => format!("drive {} {}", self.model, self.serial),
        }
    }
}

/// Every drive that this unit had, that is not there and that no other one replaced.
pub(crate) fn missed_drives(facts: &Facts) -> Vec<Missed> {
    let boot = facts.clock.boot_id.value();
    let memory = facts.inventory.value().filter(|m| m.same_unit.value() != Some(&false));
    let gone = memory.into_iter().flat_map(|m| &m.remembered_drives);
    let gone = gone.filter(|d| d.present.value() == Some(&false) && d.bay_taken_by.is_none());
    let remembered = gone.map(|d| Missed {
        serial: d.serial.clone(),
        model: d.model.clone(),
        bay: d.last_bay,
        device: (boot.is_some() && d.last_seen.boot_id.as_ref() == boot).then(|| d.last_device.clone()),
        fact: "inventory.remembered_drives",
        from: facts.inventory.place().unwrap_or_default().to_owned(),
    });
    let listed = departed(facts).map(|d| Missed {
        serial: d.serial.clone().unwrap_or_default(),
        model: d.model.clone().unwrap_or_default(),
        bay: d.bay,
        device: None,
        fact: "departed_drives",
        from: d.from.clone(),
    });
    remembered.chain(listed).collect()
}

fn remembered(inventory: &Inventory, told: &[String]) -> Vec<Judgement> {
    let same_unit = inventory.same_unit.value() != Some(&false);
    let gone = inventory.remembered_drives.iter().filter(|d| d.present.value() == Some(&false));
    let mut judgements: Vec<Judgement> = gone
        .filter(|drive| drive.bay_taken_by.is_none() && !told.contains(&drive.serial))
        .map(|drive| Judgement::cannot_tell(subject(drive), missed(drive, same_unit), same_unit))
        .collect();
    let unsure: Vec<&RememberedDrive> = inventory
        .remembered_drives
        .iter()
        .filter(|d| matches!(d.present, Observed::Unreadable { .. }))
        .collect();
    if let Some(first) = unsure.first() {
        let why = first.present.as_ref().map(|_| ()).why_not().unwrap_or_default();
        let why = format!("whether {} of them are still there is not known: {why}", unsure.len());
        judgements.push(Judgement::cannot_tell("drives of earlier runs", why, false));
    }
    judgements
}

fn subject(drive: &RememberedDrive) -> String {
    match drive.last_bay {
        Some(bay) => format!("drive {} {} of bay {bay}", drive.model, drive.serial),
        None => format!("drive {} {}", drive.model, drive.serial),
    }
}

fn missed(drive: &RememberedDrive, same_unit: bool) -> String {
    let until = match drive.last_seen.unix_s {
        Some(at) => format!(" (last {} by the device's clock)", crate::text::date(at)),
        None => String::new(),
    };
    let unit = if same_unit { "" } else { ", in another unit" };
    format!(
        "earlier runs saw it{until}{unit} and it is not there now: it died, lost its link, or was taken out; look at its bay"
    )
}

/// A row of QTS's list that no drive of this run, no drive in its bay and no memory of ours explains.
fn is_missed(facts: &Facts, row: &DepartedDrive) -> bool {
    let Some(drives) = facts.drives.value() else { return false };
    let Some(serial) = row.serial.as_deref().map(str::trim).filter(|serial| !serial.is_empty()) else {
        return false;
    };
    let back = drives.iter().any(|d| d.serial.value().is_some_and(|now| now.trim() == serial));
    let taken = drives.iter().any(|d| {
        let enclosure = d.enclosure.value().copied().unwrap_or_default();
        row.bay.is_some_and(|bay| d.bay.value() == Some(&bay) && enclosure == row.enclosure)
    });
    let known = facts.inventory.value().into_iter().flat_map(|memory| &memory.remembered_drives);
    let known = known.into_iter().any(|d| d.serial == serial);
    row.bay.is_some() && !back && !taken && !known
}

fn departed_drive(row: &DepartedDrive) -> Judgement {
    let bay = row.bay.map(|bay| format!(" of bay {bay}")).unwrap_or_default();
    let enclosure =
        if row.enclosure == 0 { String::new() } else { format!(" of enclosure {}", row.enclosure) };
    let name =
        [row.model.as_deref(), row.serial.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let why = "QTS remembers that it left, and its bay is empty: taken out, or no longer found";
    Judgement::cannot_tell(format!("drive {name}{bay}{enclosure}"), why, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{nas, state};
    use assay_bundle::facts::inventory::Moment;

    fn check(facts: &Facts, expected: &[(&str, &str)]) {
        let judgements = judge(facts, &[]);
        let said: Vec<(String, String)> = judgements
            .iter()
            .map(|j| (state(&j.outcome), format!("{} {:?}", j.subject, j.outcome)))
            .collect();
        assert_eq!(said.len(), expected.len(), "{judgements:#?}");
        for ((state, words), (wanted, says)) in said.iter().zip(expected) {
            assert!(state == wanted && words.contains(says), "{wanted} {says} is not {words}");
        }
    }

    fn drive(serial: &str, bay: Option<u32>, present: Observed<bool>) -> RememberedDrive {
        RememberedDrive {
            serial: serial.to_owned(),
            model: "ST4000VN006".to_owned(),
            last_bay: bay,
            last_seen: Moment { unix_s: Some(1_700_000_000), boot_id: None },
            present,
            ..RememberedDrive::default()
        }
    }

    fn with(drives: Vec<RememberedDrive>, same_unit: Observed<bool>) -> Facts {
        let memory = Inventory { remembered_drives: drives, same_unit, ..Inventory::default() };
        Facts { inventory: Observed::seen(memory, "state/inventory.json"), ..nas() }
    }

    fn seen(yes: bool) -> Observed<bool> {
        Observed::seen(yes, "sys/block")
    }

    #[test]
    fn what_earlier_runs_saw() {
        check(&nas(), &[]);
        check(&with(vec![drive("Z1", Some(4), seen(true))], seen(true)), &[]);
        let gone = || drive("Z1", Some(4), seen(false));
        check(&with(vec![gone()], seen(true)), &[("cannot tell, required", "ST4000VN006 Z1 of bay 4")]);
        check(&with(vec![gone()], seen(true)), &[("cannot tell, required", "2023-11-14T22:13:20Z")]);
        check(&with(vec![gone()], Observed::NotCollected), &[("cannot tell, required", "Z1")]);
        check(&with(vec![gone()], seen(false)), &[("cannot tell", "in another unit")]);
        let replaced = RememberedDrive { bay_taken_by: Some("Z2".to_owned()), ..gone() };
        check(&with(vec![replaced], seen(true)), &[]);
        let unsure = || drive("Z3", None, Observed::unreadable("one that gave no serial number may be it"));
        check(&with(vec![unsure(), unsure()], seen(true)), &[("cannot tell", "whether 2 of them")]);
        let unread = Facts { inventory: Observed::unreadable("denied"), ..nas() };
        check(&unread, &[("cannot tell", "denied")]);
    }

    #[test]
    fn what_qts_remembers() {
        let row = |serial: &str, bay| DepartedDrive {
            bay,
            model: Some("WD10EFRX".to_owned()),
            serial: Some(serial.to_owned()),
            ..DepartedDrive::default()
        };
        let listed = |rows, facts| Facts {
            departed_drives: Observed::seen(rows, "etc/enclosure_0_del.conf"),
            ..facts
        };
        check(&listed(vec![row("W9", Some(4))], nas()), &[("cannot tell", "WD10EFRX W9 of bay 4")]);
        // The bay has another drive, or nobody knows which bay it was.
        check(&listed(vec![row("W9", Some(1)), row("W9", None), row(" ", Some(4))], nas()), &[]);
        let back =
            nas().drives.value().and_then(|all| all.first()?.serial.value().cloned()).unwrap_or_default();
        check(&listed(vec![row(&back, Some(4))], nas()), &[]);
        let both = with(vec![drive("W9", Some(4), seen(false))], seen(true));
        check(&listed(vec![row("W9", Some(4))], both), &[("cannot tell, required", "W9")]);
    }
}
