//! What is new since the last check: a finding that was not there, or one that became surer. And how many bundles that
//! may make in a day.
//!
//! A finding is known by its code and by what it is about: component, and the likeliest suspect's serial number, or its
//! place where it has none. What went away and comes back is new again.

use assay_bundle::health_report::{CodeCount, MOST_CODES};
use assay_bundle::{Diagnosis, Finding, Overall, Verdict};
use serde::{Deserialize, Serialize};

/// A day, in which bundles are counted.
const DAY_S: u64 = 86_400;
/// Most findings that are remembered.
const MOST_KNOWN: usize = 256;

/// One finding, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The rule's code.
    pub(crate) code: String,
    /// What it is about.
    pub(crate) subject: String,
    /// How sure.
    pub(crate) verdict: Verdict,
}

/// What a check leaves for the next one and for the health report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// When, seconds since 1970 by the device's clock.
    pub(crate) at_unix_s: i64,
    /// Seconds since boot.
    pub(crate) at_boot_s: u64,
    /// Of which boot.
    pub(crate) boot_id: String,
    /// The verdict.
    pub(crate) overall: Overall,
    /// Required readings that are missing.
    pub(crate) cannot_tell: u32,
    /// Version of the rules.
    pub(crate) rule_pack: u32,
    /// Model, serial number and firmware, as far as they may leave.
    pub(crate) model: Option<String>,
    /// See `model`.
    pub(crate) serial: Option<String>,
    /// See `model`.
    pub(crate) firmware: Option<String>,
    /// The findings.
    pub(crate) findings: Vec<Known>,
    /// What the next check compares with: the findings, or those of before where this check could not settle them.
    #[serde(default)]
    pub(crate) known: Vec<Known>,
    /// When bundles were sealed for findings in the last day, seconds since 1970.
    pub(crate) sealed_unix_s: Vec<i64>,
}

fn known(finding: &Finding) -> Known {
    let suspect = finding.suspects.first();
    let place = suspect.map(|s| s.serial.clone().unwrap_or_else(|| s.location.clone())).unwrap_or_default();
    Known {
        code: finding.code.clone(),
        subject: format!("{} {place}", finding.component.word()),
        verdict: finding.verdict,
    }
}

/// The findings of a diagnosis, worst first.
pub(crate) fn findings(diagnosis: &Diagnosis) -> Vec<Known> {
    diagnosis.findings.iter().take(MOST_KNOWN).map(known).collect()
}

/// What of `now` is new or surer than `before`.
pub(crate) fn news<'n>(before: &[Known], now: &'n [Known]) -> Vec<&'n Known> {
    let was = |finding: &Known| {
        let same = before.iter().filter(|b| b.code == finding.code && b.subject == finding.subject);
        same.map(|b| b.verdict).max()
    };
    now.iter().filter(|finding| was(finding).is_none_or(|before| before < finding.verdict)).collect()
}

/// Forgets what is over a day old, and says whether one more bundle may be sealed. A time in the future was written by
/// a clock that has been set back: it counts as now.
pub(crate) fn may_seal(sealed_unix_s: &mut Vec<i64>, now_unix_s: i64, most: u64) -> bool {
    for at in sealed_unix_s.iter_mut() {
        *at = (*at).min(now_unix_s);
    }
    sealed_unix_s.retain(|at| now_unix_s.abs_diff(*at) < DAY_S);
    u64::try_from(sealed_unix_s.len()).is_ok_and(|count| count < most)
}

/// How often each code came with each verdict.
pub(crate) fn counts(findings: &[Known]) -> Vec<CodeCount> {
    let mut counts: Vec<CodeCount> = Vec::new();
    for finding in findings {
        match counts.iter_mut().find(|c| c.code == finding.code && c.verdict == finding.verdict) {
            Some(found) => found.count = found.count.saturating_add(1),
            None => {
                counts.push(CodeCount { code: finding.code.clone(), verdict: finding.verdict, count: 1 });
            }
        }
    }
    counts.truncate(MOST_CODES);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Confirmed, Suspected, Watch};

    fn list(findings: &[(&str, &str, Verdict)]) -> Vec<Known> {
        let known = |(code, subject, verdict): &(&str, &str, Verdict)| Known {
            code: (*code).to_owned(),
            subject: (*subject).to_owned(),
            verdict: *verdict,
        };
        findings.iter().map(known).collect()
    }

    fn check(before: &[(&str, &str, Verdict)], now: &[(&str, &str, Verdict)], expected: &[&str]) {
        let (before, now) = (list(before), list(now));
        let got: Vec<String> =
            news(&before, &now).iter().map(|k| format!("{} {}", k.code, k.subject)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn new_or_worse() {
        check(&[], &[("A", "x", Watch)], &["A x"]);
        check(&[("A", "x", Watch)], &[("A", "x", Watch)], &[]);
        check(&[("A", "x", Watch)], &[("A", "x", Suspected)], &["A x"]);
        check(&[("A", "x", Confirmed)], &[("A", "x", Suspected)], &[]);
        check(&[("A", "x", Confirmed)], &[("A", "y", Watch), ("B", "x", Watch)], &["A y", "B x"]);
        check(&[("A", "x", Watch), ("A", "x", Confirmed)], &[("A", "x", Suspected)], &[]);
        check(&[("A", "x", Watch)], &[], &[]);
    }

    #[test]
    fn a_storm_is_bounded() {
        fn check(sealed: &[i64], now: i64, most: u64, expected: bool) {
            assert_eq!(may_seal(&mut sealed.to_vec(), now, most), expected, "{sealed:?} at {now}");
        }
        check(&[], 100_000, 3, true);
        check(&[], 100_000, 0, false);
        check(&[99_000, 99_500], 100_000, 3, true);
        check(&[99_000, 99_500, 99_600], 100_000, 3, false);
        check(&[13_600, 99_500, 99_600], 100_000, 3, true);
        // Set back by a year: they count from now on, and run out a day later.
        check(&[99_000_000, 99_000_001, 99_000_002], 100_000, 3, false);
    }

    #[test]
    fn counted_by_code_and_verdict() {
        let got = counts(&list(&[("A", "x", Confirmed), ("A", "y", Watch), ("A", "z", Confirmed)]));
        let got: Vec<_> = got.iter().map(|c| (c.code.as_str(), c.verdict, c.count)).collect();
        assert_eq!(got, [("A", Confirmed, 2), ("A", Watch, 1)]);
    }
}
