//! Findings, what could not be told, and the one overall verdict.
//!
//! These types hold what `diagnosis` decided; they decide one thing themselves, the precedence of the overall
//! verdict ([`Overall::decide`]), because every reader of a bundle must agree on it. Rule codes are open strings.

use serde::{Deserialize, Serialize};

/// A kind of part (or of circumstance) that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// Hard disk or solid-state drive.
    Drive,
    /// Fan.
    Fan,
    /// Power supply unit.
    Psu,
    /// Memory module.
    Memory,
    /// Processor.
    Cpu,
    /// Mainboard.
    Mainboard,
    /// Drive slot or backplane.
    Slot,
    /// Cable or link.
    Link,
    /// Boot device (USB DOM, eMMC).
    BootDevice,
    /// Battery of the real-time clock.
    RtcBattery,
    /// Cooling as a whole.
    Cooling,
    /// Surroundings: room temperature, dust.
    Environment,
    /// Network adapter.
    Nic,
    /// Uninterruptible power supply.
    Ups,
    /// Expansion enclosure.
    Enclosure,
    /// State of the storage, not of a part: array degraded, file system read-only.
    StorageState,
    /// Mains input.
    PowerInput,
    /// Software or configuration.
    Software,
}

impl Component {
    /// The word for a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::Drive => "drive",
            Self::Fan => "fan",
            Self::Psu => "power supply",
            Self::Memory => "memory",
            Self::Cpu => "processor",
            Self::Mainboard => "mainboard",
            Self::Slot => "slot or backplane",
            Self::Link => "cable or link",
            Self::BootDevice => "boot device",
            Self::RtcBattery => "clock battery",
            Self::Cooling => "cooling",
            Self::Environment => "environment",
            Self::Nic => "network adapter",
            Self::Ups => "UPS",
            Self::Enclosure => "enclosure",
            Self::StorageState => "storage state",
            Self::PowerInput => "power input",
            Self::Software => "software",
        }
    }
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worth following, not a defect.
    Watch,
    /// Probably a defect; the discriminating test decides.
    Suspected,
    /// Replacement-grade evidence.
    Confirmed,
}

impl Verdict {
    /// The word for a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
        }
    }
}

/// What kind of thing a suspect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspectKind {
    /// One replaceable part.
    Part,
    /// A part that several others hang on (controller, backplane row, power supply).
    SharedPart,
    /// A cable or connector.
    Cable,
    /// A setting.
    Configuration,
    /// Heat, dust, mains.
    Environment,
    /// A program or firmware.
    Software,
}

/// One possible cause of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// What kind of thing.
    pub kind: SuspectKind,
    /// Which component.
    pub component: Component,
    /// Where it is, as printed on the chassis: `bay 3`, `fan 2`, `DIMM 1`; or the kernel's name, said as such.
    pub location: String,
    /// Serial number, where it has one that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Firmware revision, where it has one that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Certainty, 0 to 100; the suspects of a finding add to 100.
    pub certainty_percent: u8,
    /// Where the certainty comes from: a source, or the word "judgement".
    pub certainty_source: String,
}

/// One reading that speaks for or against a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Path of the fact, such as `drives[sda].health_passed`.
    pub fact: String,
    /// Its value in words, with the unit.
    pub value: String,
    /// Where it stands below `raw/`; empty when it is the absence of a reading.
    pub from: String,
}

/// How often something happened, for findings about a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many times.
    pub count: u64,
    /// In how many seconds.
    pub window_s: u64,
}

/// What to do next to tell the suspects apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscriminatingTest {
    /// What to do.
    pub action: String,
    /// What each outcome would mean.
    pub outcomes: Vec<String>,
}

/// Whether a drive may be pulled. A stored yes ages: see `as_of_unix_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removable {
    /// Every array that it belongs to keeps all data without it.
    Yes,
    /// Data would be lost or a rebuild broken.
    No,
    /// Redundancy could not be read, or the answer is too old.
    Unknown,
}

/// The answer to "may I pull this drive now?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafeToRemove {
    /// The answer.
    pub answer: Removable,
    /// Why.
    pub why: String,
    /// Device's clock when the arrays were read; older than 10 minutes means unknown.
    pub as_of_unix_s: Option<i64>,
    /// Boot in which they were read.
    pub boot_id: Option<String>,
}

/// One rule that fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code that a person can cite.
    pub code: String,
    /// What is wrong, in one line.
    pub title: String,
    /// What it is about.
    pub component: Component,
    /// How sure.
    pub verdict: Verdict,
    /// Possible causes, likeliest first; certainties add to 100.
    pub suspects: Vec<Suspect>,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// What speaks against it.
    #[serde(default)]
    pub counter_evidence: Vec<Evidence>,
    /// How often, where it is about a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// What would settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<DiscriminatingTest>,
    /// For a drive: may it be pulled now?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_to_remove: Option<SafeToRemove>,
    /// What the owner should do, in one or two sentences.
    pub advice: String,
}

/// Something that looks like a defect and is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exoneration {
    /// Rule that looked.
    pub code: String,
    /// What was cleared: `md9`.
    pub subject: String,
    /// Why.
    pub why: String,
}

/// Something that a rule could not tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Rule that asked.
    pub code: String,
    /// About what: `fan 2`.
    pub subject: String,
    /// Why it could not tell.
    pub why: String,
    /// Whether `healthy` needs this reading. Optional unknowns are listed and change nothing.
    pub required: bool,
}

/// The overall verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// Every required reading was there and nothing was found.
    Healthy,
    /// A required reading is missing and nothing worse was found.
    CannotTell,
    /// Something to watch.
    Attention,
    /// A defect is suspected.
    DefectSuspected,
    /// A defect is confirmed.
    DefectConfirmed,
}

impl Overall {
    /// The one precedence: `defect confirmed` > `defect suspected` > `attention` > `cannot tell` > `healthy`.
    pub fn decide(findings: &[Finding], unknowns: &[Unknown]) -> Self {
        match findings.iter().map(|f| f.verdict).max() {
            Some(Verdict::Confirmed) => Self::DefectConfirmed,
            Some(Verdict::Suspected) => Self::DefectSuspected,
            Some(Verdict::Watch) => Self::Attention,
            None if unknowns.iter().any(|u| u.required) => Self::CannotTell,
            None => Self::Healthy,
        }
    }

    /// The words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::CannotTell => "cannot tell",
            Self::Attention => "attention",
            Self::DefectSuspected => "defect suspected",
            Self::DefectConfirmed => "defect confirmed",
        }
    }

    /// Exit code of `assay check`: 0 healthy, 1 any defect or attention, 2 cannot tell.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::CannotTell => 2,
            Self::Attention | Self::DefectSuspected | Self::DefectConfirmed => 1,
        }
    }
}

/// Everything that was decided from one set of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The overall verdict.
    pub overall: Overall,
    /// Version of the rules that decided.
    pub rule_pack: u32,
    /// Rules that fired, worst first.
    pub findings: Vec<Finding>,
    /// What looks like a defect and is none.
    pub exonerations: Vec<Exoneration>,
    /// What could not be told.
    pub unknowns: Vec<Unknown>,
}

impl Diagnosis {
    /// A diagnosis whose overall verdict follows from its parts.
    pub fn new(
        rule_pack: u32,
        mut findings: Vec<Finding>,
        exonerations: Vec<Exoneration>,
        unknowns: Vec<Unknown>,
    ) -> Self {
        // Stable: rules of equal verdict stay in the reporting order of the rule list.
        findings.sort_by_key(|f| std::cmp::Reverse(f.verdict));
        Self { overall: Overall::decide(&findings, &unknowns), rule_pack, findings, exonerations, unknowns }
    }

    /// This diagnosis as it may be shown from a file or a recording: arrays may have changed since, so a stored "yes,
    /// pull it" is not known any more. A "no" stays.
    #[must_use]
    pub fn as_stored(&self) -> Self {
        let mut stored = self.clone();
        for answer in stored.findings.iter_mut().filter_map(|f| f.safe_to_remove.as_mut()) {
            if answer.answer != Removable::No {
                answer.answer = Removable::Unknown;
                answer.why = STORED_ANSWER.to_owned();
                (answer.as_of_unix_s, answer.boot_id) = (None, None);
            }
        }
        stored
    }
}

/// What stands in the place of a stored answer to "may I pull it?".
const STORED_ANSWER: &str =
    "not known from a recording: ask the NAS again (assay check) right before anything is pulled";

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(verdict: Verdict) -> Finding {
        Finding {
            code: "T-1".to_owned(),
            title: String::new(),
            component: Component::Fan,
            verdict,
            suspects: Vec::new(),
            evidence: Vec::new(),
            counter_evidence: Vec::new(),
            rate: None,
            test: None,
            safe_to_remove: None,
            advice: String::new(),
        }
    }

    fn unknown(required: bool) -> Unknown {
        Unknown { code: "T-1".to_owned(), subject: String::new(), why: String::new(), required }
    }

    fn check(verdicts: &[Verdict], required: &[bool], overall: Overall, exit_code: u8) {
        let findings: Vec<_> = verdicts.iter().copied().map(finding).collect();
        let unknowns: Vec<_> = required.iter().copied().map(unknown).collect();
        let got = Diagnosis::new(1, findings, Vec::new(), unknowns);
        assert_eq!(got.overall, overall, "{verdicts:?} {required:?}");
        assert_eq!(got.overall.exit_code(), exit_code);
        assert!(got.findings.windows(2).all(|w| w[0].verdict >= w[1].verdict), "worst first");
    }

    #[test]
    fn a_stored_yes_is_never_shown() {
        for (given, shown) in [
            (Removable::Yes, Removable::Unknown),
            (Removable::Unknown, Removable::Unknown),
            (Removable::No, Removable::No),
        ] {
            let mut finding = finding(Verdict::Confirmed);
            finding.safe_to_remove = Some(SafeToRemove {
                answer: given,
                why: "fresh".to_owned(),
                as_of_unix_s: Some(1),
                boot_id: None,
            });
            let stored = Diagnosis::new(1, vec![finding], Vec::new(), Vec::new()).as_stored();
            let answer = stored.findings[0].safe_to_remove.clone().expect("kept");
            assert_eq!((answer.answer, answer.why == "fresh"), (shown, shown == Removable::No));
        }
    }

    #[test]
    fn precedence() {
        use Verdict::{Confirmed, Suspected, Watch};
        check(&[], &[], Overall::Healthy, 0);
        check(&[], &[false, false], Overall::Healthy, 0);
        check(&[], &[false, true], Overall::CannotTell, 2);
        check(&[Watch], &[true], Overall::Attention, 1);
        check(&[Watch, Suspected], &[true], Overall::DefectSuspected, 1);
        check(&[Suspected, Confirmed, Watch], &[true], Overall::DefectConfirmed, 1);
    }
}
