//! Diagnosis, entitlement and what people said so far, joined into one decision: for each part the lanes of service, the
//! best one first, each with its rules, its gates and its dates.
//!
//! Every lane is always there, the impossible ones with "not offered because …", and every lane shows all its gates,
//! closed or open: a gate that is left out would look passed. This module issues no RMA number, refuses no claim, states
//! no void reason and charges nothing. What is not confirmed ships nothing; a drive always goes to its own maker.

use assay_bundle::diagnosis::{Diagnosis, Verdict};
use assay_bundle::entitlement::{Coverage, Entitlement};
use serde::{Deserialize, Serialize};

use crate::lanes::LANES;
use crate::situation::Situation;

mod case;
mod subject;
mod unread;

pub(crate) use case::{Case, Draft};
pub(crate) use subject::{Kind, Subject};

/// A way to serve a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// One more test before anything is replaced (L12).
    TestFirst,
    /// Surroundings, supply, a setting or software first (L5, O10).
    EnvironmentFirst,
    /// A drive goes to its own maker (L2).
    DriveMaker,
    /// Another maker's device goes to its own maker (L2).
    OtherMaker,
    /// Only the component ships (A6, L1).
    Component,
    /// A visit, or a part for the next business day (O1-O15).
    OnSite,
    /// A replacement unit ships first (A1-A17).
    AdvanceReplacement,
    /// Direct repair under the extended warranty (E1-E9).
    RepairRma,
    /// Back through the original purchase channel (L7).
    PurchaseChannel,
    /// Direct repair from abroad, when that channel is gone (L7).
    InternationalRma,
    /// Repair at the customer's cost (L10).
    PaidRepair,
    /// A lane of a later version.
    #[serde(other)]
    Other,
}

impl Lane {
    /// The name that a person reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::TestFirst => "one more test first",
            Self::EnvironmentFirst => "surroundings, supply or software first",
            Self::DriveMaker => "drive maker",
            Self::OtherMaker => "its own maker",
            Self::Component => "component",
            Self::OnSite => "on-site service",
            Self::AdvanceReplacement => "advance replacement",
            Self::RepairRma => "repair RMA",
            Self::PurchaseChannel => "purchase channel",
            Self::InternationalRma => "international RMA",
            Self::PaidRepair => "paid repair",
            Self::Other => "a lane that this version does not know",
        }
    }

    /// Whether the vendor moves hardware or a person in it.
    pub fn ships(self) -> bool {
        match self {
            Self::TestFirst | Self::EnvironmentFirst | Self::DriveMaker | Self::OtherMaker => false,
            Self::Component
            | Self::OnSite
            | Self::AdvanceReplacement
            | Self::RepairRma
            | Self::PurchaseChannel
            | Self::InternationalRma
            | Self::PaidRepair
            | Self::Other => true,
        }
    }
}

/// Where a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It can be taken once its gates are closed.
    Possible,
    /// It depends on something that has to be looked up first.
    LookUp,
    /// It is not offered.
    NotOffered,
}

/// Who can close a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A support engineer.
    Engineer,
    /// The customer, in person.
    Customer,
    /// The system, from what was handed in.
    System,
}

/// What an open gate holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldsUp {
    /// Any service, a remote look included.
    Service,
    /// That something is sent to the customer.
    Shipping,
    /// The return label, or the customer's sending it in.
    Return,
    /// The visit.
    Visit,
}

/// Something that has to be done or said before the lane goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Rule ID of the service terms.
    pub rule: String,
    /// What has to be there, for a person.
    pub text: String,
    /// Who can close it.
    pub closed_by: Who,
    /// What it holds up.
    pub holds_up: HoldsUp,
    /// Whether it is closed.
    pub closed: bool,
}

/// A date that the terms set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Rule ID of the service terms.
    pub rule: String,
    /// What is due.
    pub what: String,
    /// When.
    pub due: Due,
}

/// When something is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// By then: a day, or an instant with its zone.
    By(String),
    /// The clock has not started: it starts with this.
    StartsWith(String),
    /// It cannot be told, and why: past a table's end, not a date.
    CannotTell(String),
}

/// Two places of the terms that contradict each other, shown and not hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Rule ID of the service terms.
    pub rule: String,
    /// What contradicts what, and which one is followed.
    pub text: String,
}

/// One lane for one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneOption {
    /// Which lane.
    pub lane: Lane,
    /// Where it stands.
    pub standing: Standing,
    /// Why it stands there; for a lane that is not offered "not offered because …".
    pub why: String,
    /// What to do in it, for a person; empty when it is not offered.
    pub text: String,
    /// Rule IDs that it rests on.
    pub rules: Vec<String>,
    /// Every gate, closed or open.
    pub gates: Vec<Gate>,
    /// Dates that the terms set, when the lane is not out of the question.
    pub deadlines: Vec<Deadline>,
    /// Contradictions of the terms that bear on it.
    pub conflicts: Vec<Conflict>,
}

impl LaneOption {
    /// Whether it can be taken once its gates are closed.
    pub fn is_possible(&self) -> bool {
        self.standing == Standing::Possible
    }

    /// The gates that are still open.
    pub fn open_gates(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| !gate.closed)
    }
}

/// What is decided about one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDecision {
    /// The part in words: `fan (fan 2)`.
    pub part: String,
    /// The surest verdict about it.
    pub verdict: Verdict,
    /// Codes of the findings about it, surest first.
    pub findings: Vec<String>,
    /// Serial number of the part, where it has one that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Every lane, best first.
    pub lanes: Vec<LaneOption>,
}

impl PartDecision {
    /// The lane to take: the first possible one.
    pub fn best(&self) -> Option<&LaneOption> {
        self.lanes.iter().find(|lane| lane.is_possible())
    }

    /// One lane.
    pub fn lane(&self, lane: Lane) -> Option<&LaneOption> {
        self.lanes.iter().find(|option| option.lane == lane)
    }
}

/// The decision about one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDecision {
    /// Parts with findings, in the order of the findings.
    pub parts: Vec<PartDecision>,
    /// What could not be read and is needed, and what to do about it, one text for each reason.
    #[serde(default)]
    pub read_again: Vec<String>,
    /// What has to be looked up before every lane is decided.
    pub look_up: Vec<String>,
    /// What stands instead of a lane when nothing was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_service: Option<String>,
}

/// Nothing found, and everything needed was read (L12).
const NOTHING_FOUND: &str = "No defect was found, and every reading that was needed is there: no service is proposed. A unit that is sent in without a defect is inspected and comes back as \"no fault found\" (L12).";
/// Nothing found, and something needed was not read.
const CANNOT_TELL: &str = "No defect was found, and not every reading that was needed is there: read again first. No service is proposed on what was not read (L12).";

/// Decides.
pub fn decide(diagnosis: &Diagnosis, entitlement: &Entitlement, situation: &Situation) -> ServiceDecision {
    let subjects = subject::of(diagnosis);
    let own_record = unknown_record();
    let parts: Vec<PartDecision> = subjects
        .iter()
        .map(|subject| {
            // An enclosure is a product of its own: what the unit's record grants says nothing about it.
            let entitlement = if subject.kind == Kind::Enclosure { &own_record } else { entitlement };
            part(&Case { subject, entitlement, situation })
        })
        .collect();
    let read_again = unread::texts(diagnosis);
    let no_service =
        parts.is_empty().then(|| if read_again.is_empty() { NOTHING_FOUND } else { CANNOT_TELL }.to_owned());
    let look_up = if parts.iter().any(|part| part.lanes.iter().any(|lane| lane.standing == Standing::LookUp))
    {
        look_up(entitlement, situation, &subjects)
    } else {
        Vec::new()
    };
    ServiceDecision { parts, read_again, look_up, no_service }
}

fn part(case: &Case<'_>) -> PartDecision {
    let mut lanes: Vec<LaneOption> = LANES.iter().map(|judge| judge(case)).collect();
    // Stable: lanes of equal standing stay in the order of the list, which is the order of preference.
    lanes.sort_by_key(|lane| lane.standing);
    PartDecision {
        part: case.subject.words(),
        verdict: case.subject.verdict,
        findings: case.subject.codes(),
        serial: case.subject.serial.clone(),
        lanes,
    }
}

/// What a person or the ledger has to answer, named so that it can be looked up.
fn look_up(entitlement: &Entitlement, situation: &Situation, subjects: &[Subject<'_>]) -> Vec<String> {
    let plans = [
        ("standard warranty", &entitlement.standard),
        ("extended warranty", &entitlement.extended),
        ("advanced replacement", &entitlement.advanced_replacement),
        ("on-site service", &entitlement.on_site),
    ];
    let mut ask: Vec<String> = plans
        .into_iter()
        .filter_map(|(name, coverage)| match coverage {
            Coverage::Unknown { why } => Some(format!("{name}: {why}")),
            _ => None,
        })
        .collect();
    if situation.channel == assay_bundle::entitlement::Channel::Unknown {
        ask.push("purchase channel: whether it still exists (L7)".to_owned());
    }
    if subjects.iter().any(|subject| subject.kind == Kind::Enclosure) {
        ask.push("enclosure: warranty and plans of its own serial number".to_owned());
    }
    ask
}

/// The entitlement of a product whose record nobody looked up.
fn unknown_record() -> Entitlement {
    let why = "coverage unknown: it has a serial number and a purchase of its own".to_owned();
    let unknown = || Coverage::Unknown { why: why.clone() };
    let mut entitlement = crate::entitlement(None, None, None);
    entitlement.standard = unknown();
    entitlement.extended = unknown();
    entitlement.advanced_replacement = unknown();
    entitlement.on_site = unknown();
    entitlement.global = unknown();
    entitlement
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
