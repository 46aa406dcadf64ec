//! Which drive left: serial number, model and bay of drives that were in the unit and are not there now.
//!
//! Three witnesses: what earlier runs remember, QTS's own list of drives that left, and the kernel's name of a member
//! that it failed, which earlier runs knew by its serial number. Refuses to choose: several that left are all named,
//! and a kernel name alone names nobody.

use assay_bundle::diagnosis::Evidence;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::DepartedDrive;

use crate::certainty::Place;
use crate::evidence::{listed, told};
use crate::subject::disk;

/// Where earlier runs keep what they saw.
const MEMORY: &str = "state/inventory.json";

/// A drive that left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Departed {
    /// Serial number.
    pub(crate) serial: String,
    /// Model.
    pub(crate) model: Option<String>,
    /// Bay that it was last in, from 1, and the enclosure that counts it.
    pub(crate) bay: Option<(u32, u32)>,
    /// Kernel name under which it was last seen: a name of an earlier moment.
    pub(crate) last_device: Option<String>,
    /// Below `raw/`: who says so.
    from: String,
}

impl Departed {
    /// In a sentence.
    pub(crate) fn name(&self) -> String {
        let words = [self.model.as_deref(), Some(self.serial.as_str())];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        format!("{words} of {}", self.location())
    }

    fn location(&self) -> String {
        match self.bay {
            Some((bay, 0)) => format!("bay {bay}"),
            Some((bay, enclosure)) => format!("bay {bay} of enclosure {enclosure}"),
            None => "an unknown bay".to_owned(),
        }
    }

    /// As the place of a suspect.
    pub(crate) fn place(&self) -> Place {
        Place { location: self.location(), serial: Some(self.serial.clone()), firmware: None }
    }

    /// As evidence.
    pub(crate) fn evidence(&self) -> Evidence {
        let fact = if self.from == MEMORY { "inventory.remembered_drives" } else { "departed_drives" };
        told(fact, format!("{} was there before and is not there now", self.name()), &self.from)
    }
}

/// Drives that left this unit, those that earlier runs remember first.
pub(crate) fn departed(facts: &Facts) -> Vec<Departed> {
    let mut all = Vec::new();
    if let Some(memory) = facts.inventory.value().filter(|m| m.same_unit.value() != Some(&false)) {
        let gone = memory.remembered_drives.iter().filter(|d| d.present.value() == Some(&false));
        all.extend(gone.map(|d| Departed {
            serial: d.serial.clone(),
            model: Some(d.model.clone()),
            bay: d.last_bay.map(|bay| (bay, 0)),
            last_device: Some(d.last_device.clone()).filter(|name| !name.is_empty()),
            from: MEMORY.to_owned(),
        }));
    }
    let from = facts.departed_drives.place().unwrap_or_default();
    for row in facts.departed_drives.value().into_iter().flatten() {
        let Some(serial) = told_serial(row) else { continue };
        let known = all.iter().any(|d: &Departed| d.serial == serial);
        let drives = facts.drives.value().into_iter().flatten();
        let back = drives.into_iter().any(|d| d.serial.value().is_some_and(|now| now.trim() == serial));
        if known || back || !facts.drives.is_seen() {
            continue;
        }
        all.push(Departed {
            serial: serial.to_owned(),
            model: row.model.clone(),
            bay: row.bay.map(|bay| (bay, row.enclosure)),
            last_device: None,
            from: from.to_owned(),
        });
    }
    all
}

fn told_serial(row: &DepartedDrive) -> Option<&str> {
    row.serial.as_deref().map(str::trim).filter(|serial| !serial.is_empty())
}

/// The one drive that left a place in an array: the one that had this kernel name, else the only one.
pub(crate) fn the_one<'a>(departed: &'a [Departed], kernel_name: Option<&str>) -> Option<&'a Departed> {
    let named = kernel_name.and_then(|name| {
        let had = |d: &&Departed| d.last_device.as_deref().is_some_and(|last| disk(last) == disk(name));
        let mut had = departed.iter().filter(had);
        had.next().filter(|_| had.next().is_none())
    });
    named.or(match departed {
        [one] => Some(one),
        _ => None,
    })
}

/// Several in a sentence.
pub(crate) fn names(departed: &[Departed]) -> String {
    listed(&departed.iter().map(Departed::name).collect::<Vec<_>>())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::nas;
    use assay_bundle::Observed;
    use assay_bundle::facts::inventory::{Inventory, RememberedDrive};

    /// The same with drives that earlier runs saw: serial, bay, kernel name.
    pub(crate) fn remembering(facts: Facts, gone: &[(&str, u32, &str)]) -> Facts {
        let drive = |&(serial, bay, device): &(&str, u32, &str)| RememberedDrive {
            serial: serial.to_owned(),
            model: "ST4000VN006".to_owned(),
            last_bay: Some(bay),
            last_device: device.to_owned(),
            present: Observed::seen(false, "sys/block"),
            ..RememberedDrive::default()
        };
        let memory =
            Inventory { remembered_drives: gone.iter().map(drive).collect(), ..Inventory::default() };
        Facts { inventory: Observed::seen(memory, MEMORY), ..facts }
    }

    #[test]
    fn who_left() {
        let row = |serial: &str| DepartedDrive {
            serial: Some(serial.to_owned()),
            bay: Some(4),
            ..DepartedDrive::default()
        };
        let listed = |facts: Facts, rows: Vec<DepartedDrive>| Facts {
            departed_drives: Observed::seen(rows, "etc/enclosure_0_del.conf"),
            ..facts
        };
        let check = |facts: &Facts, kernel_name: Option<&str>, all: &str, one: Option<&str>| {
            let departed = departed(facts);
            assert_eq!(names(&departed), all);
            assert_eq!(the_one(&departed, kernel_name).map(|d| d.serial.as_str()), one);
        };
        check(&nas(), None, "none", None);
        check(&listed(nas(), vec![row("Z9"), row(" ")]), None, "Z9 of bay 4", Some("Z9"));
        check(&listed(nas(), vec![row("WD-WCC7K001")]), None, "none", None);
        let both = remembering(listed(nas(), vec![row("Z9"), row("Z8")]), &[("Z9", 4, "sdd")]);
        check(&both, None, "ST4000VN006 Z9 of bay 4 and Z8 of bay 4", None);
        check(&both, Some("sdd3"), "ST4000VN006 Z9 of bay 4 and Z8 of bay 4", Some("Z9"));
    }
}
