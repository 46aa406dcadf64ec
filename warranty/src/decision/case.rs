//! What a lane is judged from, and how it answers: one way to say possible, look up, or not offered.

use assay_bundle::diagnosis::Verdict;
use assay_bundle::entitlement::{Coverage, Entitlement};

use super::{Conflict, Deadline, Gate, Kind, Lane, LaneOption, Standing, Subject};
use crate::situation::Situation;

/// One part, what it is granted, and what people said.
pub(crate) struct Case<'a> {
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) entitlement: &'a Entitlement,
    pub(crate) situation: &'a Situation,
}

impl Case<'_> {
    /// Why no lane that ships anything is open for this part; `None` when one may be.
    pub(crate) fn barred(&self) -> Option<&'static str> {
        match self.subject.kind {
            Kind::Surroundings => {
                Some("surroundings, supply, cables and software are put right first (L5, O10)")
            }
            Kind::Storage => Some(
                "the state of the storage is no part: the parts behind it are judged by findings of their own (L12)",
            ),
            Kind::Drive => Some("the unit is sold without drives: a drive goes to its own maker (L2)"),
            Kind::Ups => Some("the UPS is another maker's product (L2)"),
            Kind::Module | Kind::Unit | Kind::Battery | Kind::Enclosure => (self.subject.verdict
                != Verdict::Confirmed)
                .then_some("the finding is not confirmed: one more test first (L12)"),
        }
    }
}

/// A lane with its gates, before it is said where it stands.
pub(crate) struct Draft {
    pub(crate) lane: Lane,
    pub(crate) rules: &'static [&'static str],
    pub(crate) gates: Vec<Gate>,
    pub(crate) conflicts: Vec<Conflict>,
}

impl Draft {
    /// The lane is open once its gates are closed.
    pub(crate) fn possible(
        self,
        why: impl Into<String>,
        text: String,
        deadlines: Vec<Deadline>,
    ) -> LaneOption {
        self.standing(Standing::Possible, why.into(), text, deadlines)
    }

    /// The lane depends on something that nobody looked up yet. It names no date.
    pub(crate) fn look_up(self, why: &str, text: String) -> LaneOption {
        self.standing(Standing::LookUp, format!("has to be looked up: {why}"), text, Vec::new())
    }

    /// The lane is not offered.
    pub(crate) fn not_offered(self, why: impl AsRef<str>) -> LaneOption {
        let why = format!("not offered because {}", why.as_ref());
        self.standing(Standing::NotOffered, why, String::new(), Vec::new())
    }

    /// The lane of a plan, by what the plan does today.
    pub(crate) fn by_plan(
        self,
        plan: &str,
        coverage: &Coverage,
        text: String,
        deadlines: impl FnOnce() -> Vec<Deadline>,
    ) -> LaneOption {
        match coverage {
            Coverage::Until { last_day } => {
                let why = format!("the {plan} covers the unit through {last_day}");
                self.possible(why, text, deadlines())
            }
            Coverage::Unknown { why } => self.look_up(&format!("{plan}: {why}"), text),
            Coverage::NotBought => self.not_offered(format!("no {plan} is recorded for the unit")),
            Coverage::NotEligible { why } => self.not_offered(format!("{plan}: {why}; an engineer decides")),
            Coverage::Starts { first_day, .. } => self.not_offered(format!("the {plan} begins on {first_day}")),
            Coverage::AppearsExpired { last_day } => self.not_offered(format!(
                "the {plan} appears expired, its last day was {last_day}: check the plan's record; an engineer decides"
            )),
            Coverage::Moved { serial } => {
                self.not_offered(format!("the coverage moved to the replacement {serial} (A13)"))
            }
        }
    }

    fn standing(self, standing: Standing, why: String, text: String, deadlines: Vec<Deadline>) -> LaneOption {
        LaneOption {
            lane: self.lane,
            standing,
            why,
            text,
            rules: self.rules.iter().map(|&rule| rule.to_owned()).collect(),
            gates: self.gates,
            deadlines,
            conflicts: self.conflicts,
        }
    }
}
