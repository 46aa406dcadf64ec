//! What a rule is, and the four things it can say about a subject.
//!
//! A rule is data and one function. It judges several subjects (each drive, each fan) and answers for each one, so
//! that "bay 2 is fine, bay 3 was asleep" survives to the report. A rule refuses to be silent: a subject it looked at
//! has an outcome, and a list that could not be read is a subject too.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Finding, Suspect, Verdict};
use assay_bundle::observed::NOBODY_READ_THEM;

use crate::view::View;

/// One suspicion, with everything that is needed to cite, explain and contest it.
#[derive(Debug)]
pub struct Rule {
    /// Stable code that a person can cite, such as `DRV-001`. Never reused.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// The component that a finding of this rule is usually about.
    pub component: Component,
    /// What it looks at.
    pub checks: &'static str,
    /// Why that matters to the owner.
    pub why: &'static str,
    /// What to do when it fires.
    pub what_to_do: &'static str,
    /// Where its thresholds come from.
    pub threshold_source: &'static str,
    /// The judgement. Pure: facts in, one outcome per subject out.
    pub evaluate: fn(&View<'_>) -> Vec<Judgement>,
}

/// What a rule says about one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What was judged, in words for a person: `bay 3 (sda)`, `md1`, `system fan 2`.
    pub subject: String,
    /// What it says.
    pub outcome: Outcome,
}

/// The four things a rule can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong. With words when something looks like a defect and is none.
    Clear(Option<String>),
    /// It fired.
    Found(Box<Finding>),
    /// It lacks its input.
    CannotTell {
        /// Which input, and why it is not there.
        why: String,
        /// Whether `healthy` needs it.
        required: bool,
    },
    /// This machine, or this subject, has nothing for the rule to look at.
    NotApplicable,
}

impl Judgement {
    /// Nothing is wrong with the subject.
    pub fn clear(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), outcome: Outcome::Clear(None) }
    }

    /// The subject looks wrong and is not, and why.
    pub fn exonerated(subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self { subject: subject.into(), outcome: Outcome::Clear(Some(why.into())) }
    }

    /// The rule fired for the subject.
    pub fn found(subject: impl Into<String>, finding: Finding) -> Self {
        Self { subject: subject.into(), outcome: Outcome::Found(Box::new(finding)) }
    }

    /// The rule lacks its input; `required` when `healthy` needs it.
    pub fn cannot_tell(subject: impl Into<String>, why: impl Into<String>, required: bool) -> Self {
        Self { subject: subject.into(), outcome: Outcome::CannotTell { why: why.into(), required } }
    }

    /// The rule does not apply to the subject.
    pub fn not_applicable(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), outcome: Outcome::NotApplicable }
    }
}

impl Rule {
    /// A finding of this rule. Counter-evidence, rate, test and the answer to "may I pull it" are added by the caller.
    pub(crate) fn finding(
        &self,
        verdict: Verdict,
        title: String,
        suspects: Vec<Suspect>,
        evidence: Vec<Evidence>,
    ) -> Finding {
        Finding {
            code: self.code.to_owned(),
            title,
            component: self.component,
            verdict,
            suspects,
            evidence,
            counter_evidence: Vec::new(),
            rate: None,
            test: None,
            safe_to_remove: None,
            advice: self.what_to_do.to_owned(),
        }
    }
}

/// Judges the items of a list that was itself observed. A machine without the list has nothing to judge; a list that
/// could not be read is one unknown, because nobody knows how many subjects hide behind it.
pub(crate) fn over<T>(
    list: &Observed<Vec<T>>,
    subject: &str,
    required: bool,
    judge: impl FnOnce(&[T]) -> Vec<Judgement>,
) -> Vec<Judgement> {
    match list {
        Observed::Seen { value, .. } if value.is_empty() => vec![Judgement::not_applicable(subject)],
        Observed::Seen { value, .. } => judge(value),
        Observed::Absent => vec![Judgement::not_applicable(subject)],
        Observed::Unreadable { why } => {
            vec![Judgement::cannot_tell(subject, format!("could not be read: {why}"), required)]
        }
        Observed::NotCollected => {
            let why = format!("were not read: {NOBODY_READ_THEM}");
            vec![Judgement::cannot_tell(subject, why, required)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &Observed<Vec<u8>>, outcomes: &[&str]) {
        let got = over(list, "things", true, |items| {
            items.iter().map(|i| Judgement::clear(i.to_string())).collect()
        });
        let got: Vec<String> = got.iter().map(|j| crate::fixture::state(&j.outcome)).collect();
        assert_eq!(got, outcomes, "{list:?}");
    }

    #[test]
    fn a_list_that_was_not_read_is_one_unknown() {
        check(&Observed::seen(vec![1, 2], "x"), &["clear", "clear"]);
        check(&Observed::seen(vec![], "x"), &["not applicable"]);
        check(&Observed::Absent, &["not applicable"]);
        check(&Observed::unreadable("denied"), &["cannot tell, required"]);
        check(&Observed::NotCollected, &["cannot tell, required"]);
    }
}
