//! What is in which bay and how it stands with it: the chassis of the unit and of every enclosure, from the model's plan.
//!
//! Nothing is worked out from a model's name, and nobody tells how bays lie on the front: they stand in the order of
//! their numbers. Refuses to call a bay empty when a drive that was read might be in it, and refuses to show what was not
//! read as well: "no finding" needs a part that was read.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Diagnosis, Suspect, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::chassis::{Enclosure, EnclosureKind};
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::hwmon::Fan;
use assay_bundle::facts::power::PowerStatus;
use assay_bundle::units::{Bytes, Rpm};

use super::words;
use crate::subject::{asleep, location, name, sorted};

/// Longest name of a bay that is drawn; a longer one stands in the table only.
const LONGEST_LABEL: usize = 10;
/// Most bays that are drawn for one enclosure: more is a number that no enclosure has.
const MOST_BAYS: u32 = 128;

/// How it stands with a part or a bay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// No drive is there.
    Empty,
    /// It was read, and no rule found anything.
    Clear,
    /// It was not read, or what is needed for a verdict was not.
    Unknown,
    /// To be watched, or a possible cause of a finding that is first about something else.
    Watch,
    /// A suspected defect.
    Suspected,
    /// A confirmed defect.
    Confirmed,
}

/// The unit, or one enclosure.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    /// What it is called.
    pub(super) name: String,
    /// How it is attached; nothing for the unit.
    pub(super) attached: Option<&'static str>,
    /// Its bays, in the order of their numbers.
    pub(super) bays: Vec<Cell>,
    /// Its fans and power units.
    pub(super) parts: Vec<Cell>,
}

/// One bay, fan or power unit.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Short name, as it is drawn.
    pub(super) label: String,
    /// Whole name.
    pub(super) place: String,
    /// How it stands with it.
    pub(super) state: State,
    /// What is there, or why it is not known.
    pub(super) what: String,
    /// The same in a few characters.
    pub(super) short: String,
    /// Codes of the findings that suspect it.
    pub(super) codes: Vec<String>,
}

impl Cell {
    /// Whether the same is to be said of two neighbours of one kind: nothing is there, or nothing of it was read.
    pub(super) fn is_like(&self, next: &Self) -> bool {
        let plain =
            |cell: &Self| cell.codes.is_empty() && cell.short.is_empty() && cell.state != State::Clear;
        let kind = |cell: &Self| cell.label.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let same = self.state == next.state && self.what == next.what && kind(self) == kind(next);
        same && plain(self) && plain(next)
    }
}

/// The unit first, then every enclosure that can hold drives. Empty when nothing of all this was read.
pub(super) fn shelves(facts: &Facts, diagnosis: &Diagnosis) -> Vec<Shelf> {
    let judge = Judge { facts, diagnosis };
    let drives = sorted(facts.drives.value().map(Vec::as_slice).unwrap_or_default());
    let enclosures = facts.chassis.enclosures.value().map(Vec::as_slice).unwrap_or_default();
    let mut numbers: Vec<u32> = drives.iter().filter_map(|d| d.enclosure.value().copied()).collect();
    numbers.extend(enclosures.iter().filter(|e| holds_drives(e)).map(|e| e.id));
    numbers.retain(|number| *number != 0);
    numbers.sort_unstable();
    numbers.dedup();
    let unit = judge.unit(&drives);
    let others = numbers.into_iter().map(|number| judge.enclosure(number, &drives, enclosures));
    std::iter::once(unit)
        .chain(others)
        .filter(|shelf| !(shelf.bays.is_empty() && shelf.parts.is_empty()))
        .collect()
}

/// Parts of the machine itself (boot module, card reader, USB ports) are listed as enclosures as well; they are drawn
/// only when a drive is in them.
fn holds_drives(enclosure: &Enclosure) -> bool {
    let kind = enclosure.kind.value().copied();
    let own =
        matches!(kind, None | Some(EnclosureKind::Mmc | EnclosureKind::Usb | EnclosureKind::OpticalDrive));
    !own && enclosure.disks.value().is_some_and(|bays| *bays > 0)
}

struct Judge<'f> {
    facts: &'f Facts,
    diagnosis: &'f Diagnosis,
}

impl Judge<'_> {
    fn unit(&self, drives: &[&Drive]) -> Shelf {
        let chassis = &self.facts.chassis;
        let plan = chassis.bays.value().filter(|bays| !bays.is_empty());
        let mut bays: Vec<(u32, Option<String>)> = match plan {
            Some(bays) => bays.iter().map(|bay| (bay.id, bay.slot_name.value().cloned())).collect(),
            None => numbered(chassis.disks.value().copied()),
        };
        // A TS-x53 without the plan of its bays still has those in which drives are.
        let own = |drive: &&&Drive| drive.enclosure.value().is_none_or(|number| *number == 0);
        let own: Vec<&Drive> = drives.iter().filter(own).copied().collect();
        let known = bays.clone();
        let unplanned = own.iter().filter_map(|drive| drive.bay.value().copied());
        bays.extend(unplanned.filter(|bay| known.iter().all(|(id, _)| id != bay)).map(|bay| (bay, None)));
        bays.sort_by_key(|(id, _)| *id);
        bays.dedup_by_key(|(id, _)| *id);
        let mut parts = self.fans();
        parts.extend(self.power());
        let name = self.facts.identity.model.value().cloned();
        Shelf {
            name: name.unwrap_or_else(|| words::THIS_UNIT.to_owned()),
            attached: None,
            bays: self.bays(&bays, 0, &own),
            parts,
        }
    }

    fn enclosure(&self, number: u32, drives: &[&Drive], enclosures: &[Enclosure]) -> Shelf {
        let plan = enclosures.iter().find(|enclosure| enclosure.id == number);
        let inside = |drive: &&&Drive| drive.enclosure.value() == Some(&number);
        let inside: Vec<&Drive> = drives.iter().filter(inside).copied().collect();
        let mut bays = numbered(plan.and_then(|plan| plan.disks.value().copied()));
        let last = bays.len();
        let unplanned = inside.iter().filter_map(|drive| drive.bay.value().copied());
        bays.extend(
            unplanned.filter(|bay| usize::try_from(*bay).is_ok_and(|bay| bay > last)).map(|bay| (bay, None)),
        );
        let count =
            |of: Option<u32>| usize::try_from(of.unwrap_or_default().min(MOST_BAYS)).unwrap_or_default();
        let fans = count(plan.and_then(|plan| plan.fans.value().copied()));
        let units = count(plan.and_then(|plan| plan.power_units.value().copied()));
        let unread = |label: String| cell(label, State::Unknown, words::NOT_ANSWERING, "");
        let parts = (1..=fans).map(words::fan).chain((1..=units).map(words::power_unit)).map(unread);
        let kind = plan.and_then(|plan| plan.kind.value().copied());
        Shelf {
            name: words::enclosure(plan.and_then(|plan| plan.model.value()).map(String::as_str), number),
            attached: kind.map(words::attached),
            bays: self.bays(&bays, number, &inside),
            parts: parts.collect(),
        }
    }

    /// The bays with their drives; then the drives of which nobody knows the bay.
    fn bays(&self, bays: &[(u32, Option<String>)], enclosure: u32, drives: &[&Drive]) -> Vec<Cell> {
        let lost = |drive: &&&Drive| drive.bay.value().is_none();
        let certain = self.facts.drives.is_seen() && !drives.iter().any(|drive| lost(&drive));
        let mut cells: Vec<Cell> = bays
            .iter()
            .map(|(id, slot)| {
                let number = words::bay(*id);
                let place = match slot {
                    Some(slot) => format!("{slot} ({number})"),
                    None => number.clone(),
                };
                let label =
                    slot.clone().filter(|slot| slot.chars().count() <= LONGEST_LABEL).unwrap_or(number);
                let mut cell = match drives.iter().find(|drive| drive.bay.value() == Some(id)) {
                    Some(drive) => self.drive(drive),
                    None => self.without_drive(*id, enclosure, certain),
                };
                (cell.label, cell.place) = (label, place);
                cell
            })
            .collect();
        cells.extend(drives.iter().filter(lost).map(|drive| self.drive(drive)));
        cells
    }

    fn drive(&self, drive: &Drive) -> Cell {
        let place = location(drive);
        let about = |suspect: &Suspect| {
            let serial = match (suspect.serial.as_deref(), drive.serial.value()) {
                (Some(suspect), Some(own)) => Some(suspect == own),
                _ => None,
            };
            let kind = matches!(suspect.component, Component::Drive | Component::Slot | Component::Link);
            kind && serial.unwrap_or(suspect.location == place)
        };
        let (mut state, codes) = self.found(about);
        let asked = drive.health_passed.is_seen();
        let subject = name(drive);
        if state == State::Clear && (!asked || self.is_missing(&subject)) {
            state = State::Unknown;
        }
        let temperature = drive.temperature_c.value().map(ToString::to_string);
        let size = drive.capacity_bytes.value().map(ToString::to_string);
        let sleeping = asleep(drive).then(|| words::ASLEEP.to_owned());
        let short = [drive.capacity_bytes.value().map(round), sleeping.clone().or(temperature.clone())];
        let serial = drive.serial.value().map(|serial| format!("{} {serial}", words::SERIAL.to_lowercase()));
        let what =
            [drive.model.value().cloned(), size, serial, temperature, sleeping, Some(drive.device.clone())];
        Cell {
            label: drive.device.clone(),
            place,
            state,
            what: what.into_iter().flatten().collect::<Vec<_>>().join(", "),
            short: short.into_iter().flatten().collect::<Vec<_>>().join(" "),
            codes,
        }
    }

    /// A bay in which no drive was listed: one may have died there, and a finding or an unknown may say so.
    fn without_drive(&self, bay: u32, enclosure: u32, certain: bool) -> Cell {
        let place = match enclosure {
            0 => words::bay(bay),
            enclosure => format!("{} of enclosure {enclosure}", words::bay(bay)),
        };
        let kinds = [Component::Drive, Component::Slot, Component::Link];
        let (state, codes) = self.found(|s| kinds.contains(&s.component) && s.location == place);
        let missed = self.diagnosis.unknowns.iter().find(|u| u.subject.ends_with(&format!(" of {place}")));
        let (state, what) = match (state, missed, certain) {
            (State::Clear, Some(missed), _) => {
                (State::Unknown, format!("{}: {}", missed.subject, missed.why))
            }
            (State::Clear, None, true) => (State::Empty, words::EMPTY_BAY.to_owned()),
            (State::Clear, None, false) => (State::Unknown, words::MAYBE_EMPTY.to_owned()),
            (found, ..) => (found, words::EMPTY_BAY.to_owned()),
        };
        Cell { codes, ..cell(place, state, &what, "") }
    }

    /// The fans that were read, then those of the plan that nothing reads.
    fn fans(&self) -> Vec<Cell> {
        let facts = self.facts;
        let read = facts.fans.value().map(Vec::as_slice).unwrap_or_default();
        let mut cells: Vec<Cell> = read.iter().filter_map(|fan| self.fan(fan)).collect();
        let planned =
            [&facts.chassis.fans, &facts.chassis.cpu_fans].map(|of| of.value().copied().unwrap_or_default());
        let planned = usize::try_from(planned.iter().copied().fold(0, u32::saturating_add).min(MOST_BAYS));
        for number in cells.len()..planned.unwrap_or_default() {
            cells.push(cell(words::fan(number + 1), State::Unknown, words::NOT_ANSWERING, ""));
        }
        cells
    }

    /// One fan; nothing for an input that no fan hangs on.
    fn fan(&self, fan: &Fan) -> Option<Cell> {
        let own = format!("({})", fan.name);
        let (mut state, codes) = self.found(|suspect| {
            suspect.component == Component::Fan
                && (suspect.location == fan.name || suspect.location.ends_with(&own))
        });
        let about = |subject: &str| subject == fan.name || subject.ends_with(&own);
        let cleared = self.diagnosis.exonerations.iter().find(|e| about(&e.subject));
        let missed = self.diagnosis.unknowns.iter().find(|u| about(&u.subject));
        let turns = fan.speed_rpm.value().is_some_and(|speed| *speed > Rpm(0));
        let belongs = turns || fan.expected.value() == Some(&true) || cleared.is_some() || missed.is_some();
        if state == State::Clear && (!belongs || fan.expected.value() == Some(&false)) {
            return None;
        }
        if state == State::Clear && !turns && cleared.is_none() {
            state = State::Unknown;
        }
        let speed = fan.speed_rpm.value().map(ToString::to_string);
        let label = fan.label.value().map(|label| label.trim()).filter(|label| !label.is_empty());
        let place = match label {
            Some(label) => format!("{label} ({})", fan.name),
            None => fan.name.clone(),
        };
        let why = cleared.map(|e| e.why.clone()).or_else(|| missed.map(|u| u.why.clone()));
        let what: Vec<String> = [speed.clone(), why].into_iter().flatten().collect();
        let what = if what.is_empty() { words::NOT_READ.to_owned() } else { what.join("; ") };
        let label = label.unwrap_or(&fan.name);
        let label = label.strip_prefix("system ").or_else(|| label.strip_prefix("System ")).unwrap_or(label);
        let cell = cell(place, state, &what, &speed.unwrap_or_default());
        Some(Cell { label: cut(label), codes, ..cell })
    }

    fn power(&self) -> Vec<Cell> {
        let power = &self.facts.power;
        let expected = power.expected_units.value().copied().unwrap_or_default();
        let Observed::Seen { value: units, .. } = &power.units else {
            let single = expected == 1 && power.units == Observed::Absent;
            let why = if single { words::UNMEASURED_SUPPLY } else { words::NOT_ANSWERING };
            let count = usize::try_from(expected.min(MOST_BAYS)).unwrap_or_default();
            return (1..=count).map(|n| cell(words::power_unit(n), State::Unknown, why, "")).collect();
        };
        let mut cells: Vec<Cell> = units
            .iter()
            .zip(1..)
            .map(|(unit, number)| {
                let about =
                    |suspect: &Suspect| suspect.component == Component::Psu && suspect.location == unit.name;
                let (mut state, codes) = self.found(about);
                if state == State::Clear && unit.status.value() != Some(&PowerStatus::Good) {
                    state = State::Unknown;
                }
                let temperature = unit.temperature_c.value().map(ToString::to_string);
                let fan = unit.fan_rpm.value().map(|speed| format!("{} {speed}", words::fan(1)));
                let what: Vec<String> = [temperature.clone(), fan].into_iter().flatten().collect();
                let cell = cell(unit.name.clone(), state, &what.join(", "), &temperature.unwrap_or_default());
                Cell { label: words::power_unit(number), codes, ..cell }
            })
            .collect();
        let expected = usize::try_from(expected.min(MOST_BAYS)).unwrap_or_default();
        for number in cells.len()..expected {
            cells.push(cell(words::power_unit(number + 1), State::Unknown, words::NOT_ANSWERING, ""));
        }
        cells
    }

    /// The worst that findings say of a part, and which findings. A finding's leading suspect stands as its verdict; the
    /// others are possible causes.
    fn found(&self, about: impl Fn(&Suspect) -> bool) -> (State, Vec<String>) {
        let (mut worst, mut codes) = (State::Clear, Vec::new());
        for finding in &self.diagnosis.findings {
            let most = finding.suspects.iter().map(|s| s.certainty_percent).max().unwrap_or_default();
            let state = finding.suspects.iter().filter(|suspect| about(suspect)).map(|suspect| {
                match (suspect.certainty_percent == most, finding.verdict) {
                    (true, Verdict::Confirmed) => State::Confirmed,
                    (true, Verdict::Suspected) => State::Suspected,
                    (true, Verdict::Watch) | (false, _) => State::Watch,
                }
            });
            if let Some(state) = state.max() {
                worst = worst.max(state);
                codes.push(finding.code.clone());
            }
        }
        (worst, codes)
    }

    fn is_missing(&self, subject: &str) -> bool {
        self.diagnosis.unknowns.iter().any(|u| u.required && u.subject == subject)
    }
}

fn numbered(count: Option<u32>) -> Vec<(u32, Option<String>)> {
    (1..=count.unwrap_or_default().min(MOST_BAYS)).map(|number| (number, None)).collect()
}

fn cell(place: String, state: State, what: &str, short: &str) -> Cell {
    Cell {
        label: cut(&place),
        place,
        state,
        what: what.to_owned(),
        short: short.to_owned(),
        codes: Vec::new(),
    }
}

/// A capacity in a few characters: `8 TB`, `1.92 TB`, `480 GB`.
fn round(capacity: &Bytes) -> String {
    let whole = capacity.to_string();
    match whole.split_once('.').zip(whole.split_once(' ')) {
        Some(((units, rest), (_, unit))) if rest.starts_with("00") || units.len() > 2 => {
            format!("{units} {unit}")
        }
        _ => whole,
    }
}

/// A name that fits into its drawing.
fn cut(label: &str) -> String {
    match label.char_indices().nth(LONGEST_LABEL) {
        None => label.to_owned(),
        Some(_) => label.chars().take(LONGEST_LABEL - 1).chain(['\u{2026}']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose;
    use crate::fixture::{fan, hdd, healthy_nas, nas_with_everything_wrong, power_unit};
    use assay_bundle::facts::chassis::Bay;

    /// Every bay and part as `label state`.
    fn check(facts: &Facts, expected: &[&[&str]]) {
        let shelves = shelves(facts, &diagnose(facts));
        let shown: Vec<Vec<String>> = shelves
            .iter()
            .map(|s| {
                s.bays
                    .iter()
                    .chain(&s.parts)
                    .map(|c| format!("{} {}", c.label, words::state(c.state).1))
                    .collect()
            })
            .collect();
        assert_eq!(shown, expected, "{shelves:#?}");
    }

    #[test]
    fn a_bay_is_empty_only_when_that_is_known() {
        let mut facts = healthy_nas();
        facts.fans = Observed::Absent;
        facts.power.units = Observed::Absent;
        facts.power.expected_units = Observed::Absent;
        facts.drives = Observed::seen(vec![hdd("sda", 1)], "x");
        let bay = |id: u32, name: &str| Bay {
            id,
            slot_name: if name.is_empty() {
                Observed::NotCollected
            } else {
                Observed::seen(name.to_owned(), "x")
            },
        };
        facts.chassis.bays = Observed::seen(vec![bay(1, ""), bay(2, ""), bay(3, "M.2 SSD 1")], "x");
        check(&facts, &[&["bay 1 no finding", "bay 2 empty", "M.2 SSD 1 empty"]]);
        let lost = Drive { bay: Observed::NotCollected, ..hdd("sdx", 9) };
        facts.drives = Observed::seen(vec![hdd("sda", 1), lost], "x");
        check(&facts, &[&["bay 1 no finding", "bay 2 not known", "M.2 SSD 1 not known", "sdx no finding"]]);
        facts.drives = Observed::NotCollected;
        check(&facts, &[&["bay 1 not known", "bay 2 not known", "M.2 SSD 1 not known"]]);
    }

    #[test]
    fn a_capacity_is_short() {
        for (bytes, shown) in [
            (8_001_563_222_016, "8 TB"),
            (1_920_383_410_176, "1.92 TB"),
            (480_103_981_056, "480 GB"),
            (999, "999 B"),
        ] {
            assert_eq!(round(&Bytes(bytes)), shown);
        }
    }

    #[test]
    fn what_was_not_read_shows_no_clean_bill() {
        let mut facts = healthy_nas();
        let mut blind = hdd("sda", 1);
        blind.health_passed = Observed::NotCollected;
        facts.drives = Observed::seen(vec![blind], "x");
        facts.chassis.fans = Observed::seen(2, "x");
        facts.fans = Observed::seen(vec![fan("system fan 1", 900)], "x");
        facts.power.expected_units = Observed::seen(2, "x");
        facts.power.units = Observed::seen(vec![power_unit(1, PowerStatus::Failed)], "x");
        check(
            &facts,
            &[&[
                "bay 1 not known",
                "fan 1 no finding",
                "fan 2 not known",
                "power 1 suspected",
                "power 2 not known",
            ]],
        );
    }

    #[test]
    fn an_enclosure_is_a_shelf_of_its_own() {
        let mut facts = healthy_nas();
        facts.fans = Observed::Absent;
        facts.power.units = Observed::Absent;
        facts.power.expected_units = Observed::Absent;
        let outside = Drive { enclosure: Observed::seen(32, "x"), ..hdd("sdb", 2) };
        facts.drives = Observed::seen(vec![hdd("sda", 1), outside], "x");
        let plan = Enclosure {
            id: 32,
            kind: Observed::seen(EnclosureKind::Sas, "x"),
            disks: Observed::seen(3, "x"),
            fans: Observed::seen(1, "x"),
            ..Enclosure::default()
        };
        let boot = Enclosure { id: 33, disks: Observed::seen(1, "x"), ..Enclosure::default() };
        facts.chassis.enclosures = Observed::seen(vec![plan, boot], "x");
        check(
            &facts,
            &[&["bay 1 no finding"], &["bay 1 empty", "bay 2 no finding", "bay 3 empty", "fan 1 not known"]],
        );
    }

    #[test]
    fn every_finding_about_a_part_marks_it() {
        let facts = nas_with_everything_wrong();
        let diagnosis = diagnose(&facts);
        let shelves = shelves(&facts, &diagnosis);
        let cells: Vec<&Cell> = shelves.iter().flat_map(|s| s.bays.iter().chain(&s.parts)).collect();
        let marked = |code: &str| {
            cells.iter().any(|c| c.codes.iter().any(|own| own == code) && c.state >= State::Watch)
        };
        for code in ["DRV-001", "DRV-002", "FAN-001"] {
            assert!(marked(code), "{code}: {cells:#?}");
        }
    }
}
