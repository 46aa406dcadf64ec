//! What the findings are about, part by part: several findings about one part are one line of service.
//!
//! Parts that only the whole unit can be returned for (mainboard, memory, processor …) are one subject once they are
//! confirmed, because the unit goes once. A confirmed finding whose likeliest suspect is no part (a cable, a setting, the
//! mains) is about the surroundings, whatever it was found on.

use assay_bundle::diagnosis::{Component, Diagnosis, Finding, Suspect, SuspectKind, Verdict};

/// What decides which lanes a part can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Surroundings, supply, settings, software, an outside cable.
    Surroundings,
    /// The state of the storage, not of a part.
    Storage,
    /// A drive.
    Drive,
    /// A component that ships by itself (A6): power unit, fan module.
    Module,
    /// A part for which the whole unit is served.
    Unit,
    /// The clock's battery: repaired, never a reason to replace a unit.
    Battery,
    /// An uninterruptible power supply, which is another maker's.
    Ups,
    /// An expansion enclosure, with a serial number and a purchase of its own.
    Enclosure,
}

/// One thing that service is decided about.
pub(crate) struct Subject<'d> {
    pub(crate) kind: Kind,
    /// Findings about it, surest first; never empty.
    pub(crate) findings: Vec<&'d Finding>,
    /// The surest verdict.
    pub(crate) verdict: Verdict,
    /// Serial number of the part, where it has one that was read.
    pub(crate) serial: Option<String>,
    /// What makes two findings findings about one thing.
    key: (Component, String),
}

/// The subjects in the order of the findings.
pub(crate) fn of(diagnosis: &Diagnosis) -> Vec<Subject<'_>> {
    let mut subjects: Vec<Subject<'_>> = Vec::new();
    for finding in &diagnosis.findings {
        let (kind, key) = (kind(finding), key(finding));
        let same = |subject: &&mut Subject<'_>| {
            subject.kind == kind
                && (subject.key == key
                    // One return serves all parts that are confirmed in the unit.
                    || kind == Kind::Unit
                        && subject.verdict == Verdict::Confirmed
                        && finding.verdict == Verdict::Confirmed)
        };
        match subjects.iter_mut().find(same) {
            Some(subject) => subject.findings.push(finding),
            None => subjects.push(Subject {
                kind,
                verdict: finding.verdict,
                serial: of_its_kind(finding).and_then(|suspect| suspect.serial.clone()),
                findings: vec![finding],
                key,
            }),
        }
    }
    subjects
}

fn kind(finding: &Finding) -> Kind {
    let led_by_a_part = finding
        .suspects
        .first()
        .is_none_or(|suspect| matches!(suspect.kind, SuspectKind::Part | SuspectKind::SharedPart));
    match finding.component {
        Component::Cooling
        | Component::Environment
        | Component::PowerInput
        | Component::Software
        | Component::Link => Kind::Surroundings,
        Component::StorageState => Kind::Storage,
        // Only a confirmed one: of what is suspected, the test finds out what it is.
        _ if !led_by_a_part && finding.verdict == Verdict::Confirmed => Kind::Surroundings,
        Component::Drive => Kind::Drive,
        Component::Fan | Component::Psu => Kind::Module,
        Component::RtcBattery => Kind::Battery,
        Component::Ups => Kind::Ups,
        Component::Enclosure => Kind::Enclosure,
        Component::Memory
        | Component::Cpu
        | Component::Mainboard
        | Component::Slot
        | Component::BootDevice
        | Component::Nic => Kind::Unit,
    }
}

/// A drive is one drive wherever it is; other parts are told apart by their place; what is no part by its finding.
fn key(finding: &Finding) -> (Component, String) {
    let suspect = of_its_kind(finding);
    let place = suspect.map(|s| s.location.clone()).unwrap_or_default();
    let key = match kind(finding) {
        Kind::Surroundings | Kind::Storage => format!("{} {}", finding.code, finding.title),
        Kind::Drive => suspect.and_then(|s| s.serial.clone()).unwrap_or(place),
        _ => place,
    };
    (finding.component, key)
}

/// The suspect that is the component itself, else the likeliest.
fn of_its_kind(finding: &Finding) -> Option<&Suspect> {
    finding
        .suspects
        .iter()
        .find(|s| s.component == finding.component)
        .or_else(|| finding.suspects.first().filter(|_| finding.component != Component::Drive))
}

impl<'d> Subject<'d> {
    /// The surest finding.
    pub(crate) fn first(&self) -> Option<&'d Finding> {
        self.findings.first().copied()
    }

    /// The suspect that the service is about, of the surest finding.
    pub(crate) fn suspect(&self) -> Option<&'d Suspect> {
        self.first().and_then(of_its_kind)
    }

    /// Codes of the findings, each once, surest first.
    pub(crate) fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> = Vec::new();
        for finding in &self.findings {
            if !codes.contains(&finding.code) {
                codes.push(finding.code.clone());
            }
        }
        codes
    }

    /// The part in words, each part of the unit once: `memory (DIMM 1), mainboard (the unit)`.
    pub(crate) fn words(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        for finding in self.findings.iter().filter(|finding| finding.verdict == self.verdict) {
            let part = of_its_kind(finding).map_or_else(
                || finding.component.word().to_owned(),
                |suspect| format!("{} ({})", suspect.component.word(), suspect.location),
            );
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{diagnosis, finding, finding_at};
    use Verdict::{Confirmed, Suspected, Watch};

    fn check(findings: Vec<Finding>, expected: &[(Kind, &str, &str)]) {
        let diagnosis = diagnosis(findings, &[]);
        let got: Vec<(Kind, String, String)> =
            of(&diagnosis).iter().map(|s| (s.kind, s.words(), s.codes().join(" "))).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(kind, words, codes)| (*kind, (*words).to_owned(), (*codes).to_owned()))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn several_findings_about_one_part_are_one_line() {
        let drive = |code, verdict| finding(code, Component::Drive, verdict);
        check(
            vec![drive("DRV-001", Confirmed), drive("DRV-002", Confirmed), drive("DRV-003", Watch)],
            &[(Kind::Drive, "drive (bay 3)", "DRV-001 DRV-002 DRV-003")],
        );
        let fan = |code, place| finding_at(code, Component::Fan, Confirmed, place);
        check(
            vec![fan("FAN-001", "fan 1"), fan("FAN-001", "fan 2"), fan("FAN-002", "fan 1")],
            &[(Kind::Module, "fan (fan 1)", "FAN-001 FAN-002"), (Kind::Module, "fan (fan 2)", "FAN-001")],
        );
    }

    #[test]
    fn a_unit_goes_once_and_only_for_what_is_confirmed() {
        let at = |code, component, verdict, place| finding_at(code, component, verdict, place);
        check(
            vec![
                at("MEM-001", Component::Memory, Confirmed, "DIMM 1"),
                at("BRD-001", Component::Mainboard, Confirmed, "the unit"),
                at("NIC-001", Component::Nic, Suspected, "port 2"),
            ],
            &[
                (Kind::Unit, "memory (DIMM 1), mainboard (the unit)", "MEM-001 BRD-001"),
                (Kind::Unit, "network adapter (port 2)", "NIC-001"),
            ],
        );
    }

    #[test]
    fn what_is_led_by_no_part_is_about_the_surroundings() {
        let mut psu = finding_at("PSU-001", Component::Psu, Confirmed, "power unit 2");
        psu.suspects[0].kind = SuspectKind::Configuration;
        check(vec![psu], &[(Kind::Surroundings, "power supply (power unit 2)", "PSU-001")]);
        let mut drive = finding("DRV-009", Component::Drive, Confirmed);
        drive.suspects[0].kind = SuspectKind::Cable;
        check(vec![drive], &[(Kind::Surroundings, "drive (bay 3)", "DRV-009")]);
        let mut fan = finding_at("FAN-001", Component::Fan, Suspected, "fan 2");
        fan.suspects[0].kind = SuspectKind::Cable;
        check(vec![fan], &[(Kind::Module, "fan (fan 2)", "FAN-001")]);
        let link = finding_at("NET-001", Component::Link, Confirmed, "port 1");
        check(vec![link], &[(Kind::Surroundings, "cable or link (port 1)", "NET-001")]);
        // An array that lost a drive names the drive, and ships none.
        let mut array = finding_at("MD-001", Component::StorageState, Confirmed, "bay 5");
        array.suspects[0].component = Component::Drive;
        check(vec![array], &[(Kind::Storage, "drive (bay 5)", "MD-001")]);
    }
}
