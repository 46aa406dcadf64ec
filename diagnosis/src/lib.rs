//! Facts to diagnosis: every rule looks at one immutable value and says what it makes of it.
//!
//! There is no clock, file, process, network, environment or log here (`clippy.toml` is the fence): the same facts
//! give the same answer on the device today and on the portal next year. This crate refuses to guess: a rule that
//! lacks its input says so ([`Outcome::CannotTell`]), and what only looks like a defect is cleared in words.
//! Read [`rule`] for the shape of a rule, [`rules`] for the list, [`report`] for what a person sees.

pub mod certainty;
pub mod report;
pub mod rule;
pub mod rules;
pub mod self_test;
pub mod text;

mod arrays;
mod controller;
mod counters;
mod course;
mod departed;
mod doubt;
mod earlier;
mod evidence;
#[cfg(test)]
mod fixture;
mod gone;
mod happenings;
mod health;
mod machine_check;
mod pools;
mod removal;
mod shared;
mod stays;
mod stops;
mod subject;
mod supply;
mod vdev;
mod view;

use assay_bundle::diagnosis::{Diagnosis, Exoneration, Unknown};
use assay_bundle::facts::Facts;
use assay_bundle::observed::{NOBODY_ANSWERED, NOBODY_READ, NOBODY_READ_THEM, NOT_PASTED};

pub use rule::{Judgement, Outcome, Rule};
pub use rules::RULES;
pub use view::View;

/// Version of the rules, written into every diagnosis. It rises when any rule can answer differently than before, so
/// that the portal knows which stored bundles to judge again.
pub const RULE_PACK: u32 = 3;

/// Judges the facts by every rule, in the order of [`RULES`].
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let (mut findings, mut exonerations, mut unknowns) = (Vec::new(), Vec::new(), Vec::new());
    let view = View::new(facts);
    for rule in RULES {
        let code = || rule.code.to_owned();
        for Judgement { subject, outcome } in (rule.evaluate)(&view) {
            match outcome {
                Outcome::Found(finding) => findings.push(*finding),
                Outcome::Clear(Some(why)) => exonerations.push(Exoneration { code: code(), subject, why }),
                Outcome::CannotTell { why, required } => {
                    unknowns.push(Unknown { code: code(), subject, why, required });
                }
                Outcome::Clear(None) | Outcome::NotApplicable => {}
            }
        }
    }
    Diagnosis::new(RULE_PACK, findings, exonerations, unknowns)
}

/// Judges what a person pasted: as [`diagnose`], and with other words for readings that nobody took, because the one who
/// reads them can paste more and cannot mend the machine. Optional ones are left out: a paste is never everything.
pub fn diagnose_pasted(facts: &Facts) -> Diagnosis {
    let mut diagnosis = diagnose(facts);
    diagnosis.unknowns.retain_mut(|unknown| {
        let nobody = [NOBODY_READ, NOBODY_READ_THEM, NOBODY_ANSWERED];
        let Some(words) = nobody.into_iter().find(|words| unknown.why.contains(words)) else { return true };
        unknown.why = unknown.why.replace(words, NOT_PASTED);
        unknown.required
    });
    diagnosis
}

/// The rule with this code, in any case of letters; `None` when no rule has it.
pub fn explain(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_bundle::Overall;

    #[test]
    fn a_code_is_found_in_any_case() {
        for rule in RULES {
            let found = explain(&format!(" {} ", rule.code.to_lowercase())).expect("every code explains");
            assert_eq!(found.code, rule.code);
        }
        assert!(explain("NONE-999").is_none());
    }

    #[test]
    fn nothing_read_is_not_healthy() {
        let diagnosis = diagnose(&Facts::default());
        assert_eq!(diagnosis.overall, Overall::CannotTell);
        assert!(diagnosis.findings.is_empty(), "{:?}", diagnosis.findings);
    }

    #[test]
    fn what_was_not_pasted_is_called_so_and_changes_no_verdict() {
        for facts in [Facts::default(), fixture::healthy_nas(), fixture::nas_with_everything_wrong()] {
            let (pasted, live) = (diagnose_pasted(&facts), diagnose(&facts));
            assert_eq!((pasted.overall, &pasted.findings), (live.overall, &live.findings));
            let required = |d: &Diagnosis| d.unknowns.iter().filter(|u| u.required).count();
            assert_eq!(required(&pasted), required(&live));
            assert!(pasted.unknowns.iter().all(|u| !u.why.contains("answered")), "{:?}", pasted.unknowns);
        }
        let nothing = diagnose_pasted(&Facts::default());
        assert!(nothing.unknowns.iter().any(|u| u.subject == "fans" && u.why == "were not read: not pasted"));
    }

    #[test]
    fn the_same_facts_give_the_same_diagnosis() {
        let facts = fixture::nas_with_everything_wrong();
        assert_eq!(diagnose(&facts), diagnose(&facts));
        assert_eq!(diagnose(&facts).overall, Overall::DefectConfirmed);
    }

    #[test]
    fn a_healthy_nas_is_healthy() {
        let diagnosis = diagnose(&fixture::healthy_nas());
        assert_eq!(diagnosis.overall, Overall::Healthy, "{diagnosis:#?}");
        assert!(diagnosis.exonerations.iter().any(|e| e.subject == "md9"), "{diagnosis:#?}");
    }
}
