//! DRV-004: drive failed its self-test.
//!
//! The ATA log keeps the hours of a test in 16 bits, so they begin anew every 65,536 hours under power.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, Protocol, SelfTest, SelfTestOutcome};

use crate::certainty::{SELF_TEST_FAILED, SELF_TEST_FAILED_LONG_AGO};
use crate::counters::{Counted, EXTENDED_TEST, counted, each, finding, once};
use crate::evidence::{test, told};
use crate::health::says_failing;
use crate::rule::{Judgement, Rule};
use crate::rules::drive_pending_sectors::has_pending;
use crate::subject::{asleep, fact, name, test_evidence, why_missing};
use crate::view::View;

/// A failure that lies further back and has no second sign is asked for again: a year under power without a pending
/// or unreadable sector says that the place was rewritten since. Judgement.
const OLD_HOURS: u64 = 365 * 24;
/// The hours of the ATA self-test log are 16 bits wide (ATA8-ACS, self-test descriptor).
pub(crate) const ATA_HOURS_WRAP: u64 = 1 << 16;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-004",
    title: "Drive failed its self-test",
    component: Component::Drive,
    checks: "The newest completed self-test of each drive (ATA, SAS and NVMe). Aborted and running tests say nothing; a failure is outdated by a later test that passed and reads at least as much.",
    why: "The test runs inside the drive, without cable, controller or system: what fails there is the drive itself. Its maker accepts the log as proof, and most drives that fail it still call themselves healthy.",
    what_to_do: "Back up the data now, then have the drive replaced by its own maker and send the self-test log along. Pull it only when the answer to \"safe to remove\" is a fresh yes.",
    threshold_source: "Seagate's and Western Digital's return rules accept a failed drive self-test; smartctl(8) outdates a failure by a newer extended test that passed. That a lone failure counts in full for 8,760 hours is judgement.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    once(each(view, |drive| judge(view, drive)), "no self-test log of any drive was read")
}

/// What the log of a drive comes to.
enum Word<'a> {
    /// Nothing failed.
    Nothing,
    /// A test failed, and a later one that passed outdates it.
    Outdated { failed: &'a SelfTest, passed: &'a SelfTest },
    /// A test failed and nothing outdates it; whether it is the newest that was completed.
    Failed { failed: &'a SelfTest, newest: bool },
}

/// Whether the newest completed self-test failed.
pub(crate) fn failed(drive: &Drive) -> bool {
    match word(drive) {
        Word::Failed { failed, newest } => newest && !long_ago(drive, failed),
        Word::Nothing | Word::Outdated { .. } => false,
    }
}

/// How much of the drive a kind of test reads: all of it, a part, or only what someone chose.
fn reach(kind: &str) -> u8 {
    let kind = kind.to_ascii_lowercase();
    if kind.contains("extended") || kind.contains("long") {
        2
    } else if kind.contains("selective") || kind.contains("vendor") {
        0
    } else {
        1
    }
}

fn word(drive: &Drive) -> Word<'_> {
    let tests = drive.self_tests.value().into_iter().flatten();
    let (mut passed, mut outdated): (Option<&SelfTest>, Option<Word<'_>>) = (None, None);
    for done in tests {
        match done.outcome {
            SelfTestOutcome::Passed if passed.is_none_or(|p| reach(&done.kind) > reach(&p.kind)) => {
                passed = Some(done);
            }
            SelfTestOutcome::Failed => match passed {
                Some(passed) if reach(&passed.kind) >= reach(&done.kind).max(1) => {
                    outdated = outdated.or(Some(Word::Outdated { failed: done, passed }));
                }
                _ => return Word::Failed { failed: done, newest: passed.is_none() },
            },
            _ => {}
        }
    }
    outdated.unwrap_or(Word::Nothing)
}

/// Hours under power since the test; `None` when the two counters do not agree or one was not read.
fn age_h(drive: &Drive, test: &SelfTest) -> Option<u64> {
    let (now, at) = (drive.power_on_hours.value()?.0, test.at_power_on_hours?.0);
    let wraps = drive.protocol.value() == Some(&Protocol::Ata);
    now.checked_sub(at).map(|age| if wraps { age % ATA_HOURS_WRAP } else { age })
}

fn long_ago(drive: &Drive, test: &SelfTest) -> bool {
    age_h(drive, test).is_some_and(|age| age > OLD_HOURS)
}

/// What else speaks of an unreadable medium, so that an old failure is not history.
fn second_sign(drive: &Drive) -> Option<Evidence> {
    if says_failing(drive) {
        return Some(told(fact(drive, "health_passed"), "the drive says that it is failing", ""));
    }
    let rows = [
        (197, "current_pending_sector", "sectors"),
        (198, "offline_uncorrectable", "sectors"),
        (187, "reported_uncorrect", "errors"),
    ];
    let counter = rows.iter().find_map(|&(id, name, unit)| match counted(drive, id, &[name]) {
        Counted::Count(counter) if counter.count > 0 => Some(counter.evidence(drive, unit)),
        _ => None,
    });
    counter.or_else(|| {
        has_pending(drive).then(|| {
            told(fact(drive, "pending_defects"), "above 0", drive.pending_defects.place().unwrap_or_default())
        })
    })
}

fn judge(view: &View<'_>, drive: &Drive) -> Judgement {
    let subject = name(drive);
    match &drive.self_tests {
        Observed::Seen { .. } => {}
        Observed::Absent => return Judgement::not_applicable(subject),
        // A drive that gave no health answer either is told by DRV-001.
        _ if asleep(drive) || !drive.health_passed.is_seen() => return Judgement::not_applicable(subject),
        unread => {
            return Judgement::cannot_tell(subject, why_missing(drive, "the self-test log", unread), false);
        }
    }
    let (failed, newest) = match word(drive) {
        Word::Nothing => return Judgement::clear(subject),
        Word::Outdated { failed, passed } => {
            let at = |t: &SelfTest| t.at_power_on_hours.map(|h| format!(" at {h}")).unwrap_or_default();
            let why = format!(
                "its self-test failed{} and passed{} since: the place was rewritten or remapped",
                at(failed),
                at(passed)
            );
            return Judgement::exonerated(subject, why);
        }
        Word::Failed { failed, newest } => (failed, newest),
    };
    let old = long_ago(drive, failed);
    let sign = second_sign(drive);
    if !newest && old && sign.is_none() {
        let why = "a self-test failed over a year under power ago, a shorter one passed since, and no sector is pending";
        return Judgement::exonerated(subject, why);
    }
    let mut why = vec![test_evidence(drive, failed)];
    if let Some(age) = age_h(drive, failed) {
        why.push(told(fact(drive, "self_tests"), format!("{age} h under power ago"), ""));
    }
    let unsure = !newest || (old && sign.is_none());
    let lone = sign.is_none();
    why.extend(sign);
    let (row, verdict, title) = if unsure {
        let when = if newest { "long ago" } else { "and only a shorter one passed since" };
        let title = format!("The {subject} failed a self-test, {when}");
        (&SELF_TEST_FAILED_LONG_AGO, Verdict::Suspected, title)
    } else {
        let title = format!("The {subject} failed its own self-test");
        (&SELF_TEST_FAILED, Verdict::Confirmed, title)
    };
    let mut finding = finding(&RULE, view, drive, row, (verdict, title), why);
    if lone {
        let none = "no sector is pending or unreadable now, by what was read";
        finding.counter_evidence.push(told(fact(drive, "ata_attributes"), none, ""));
    }
    if unsure {
        finding.advice =
            "Back up the data, then run the drive's extended self-test again: a fresh result decides."
                .to_owned();
        finding.test = test(
            EXTENDED_TEST,
            &[
                "It fails: the drive is defective; its maker accepts the log as proof.",
                "It passes: the old failure is outdated; keep the drive and watch it.",
            ],
        );
    }
    Judgement::found(subject, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, nvme, nvme_health, sas, self_test, with_drives};
    use SelfTestOutcome::{Failed, NotCompleted, Passed, Running};
    use assay_bundle::facts::drive::PowerMode;
    use assay_bundle::units::Hours;

    pub(crate) fn four() -> Four {
        let unread = Drive { self_tests: Observed::NotCollected, ..hdd("sda", 1) };
        let none = Drive { self_tests: Observed::Absent, ..hdd("sda", 1) };
        Four {
            fires: with_drives(vec![with(&[("Extended offline", Failed, 19_990)])]),
            clear: with_drives(vec![hdd("sda", 1)]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![none])),
        }
    }

    fn with(tests: &[(&str, SelfTestOutcome, u64)]) -> Drive {
        let one = |&(kind, outcome, at): &(&str, SelfTestOutcome, u64)| SelfTest {
            at_power_on_hours: Some(Hours(at)),
            ..self_test(kind, outcome)
        };
        Drive { self_tests: Observed::seen(tests.iter().map(one).collect(), "x"), ..hdd("sda", 3) }
    }

    fn check(drive: Drive, state: &str, says: &str) {
        crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
    }

    const LONG: &str = "Extended offline";
    const SHORT: &str = "Short offline";

    #[test]
    fn the_newest_completed_test_decides() {
        check(with(&[]), "clear", "");
        check(with(&[(SHORT, Passed, 19_990)]), "clear", "");
        check(with(&[(LONG, NotCompleted, 19_990), (LONG, Running, 19_991)]), "clear", "");
        check(with(&[(SHORT, Failed, 19_990)]), "found, confirmed", "first failing sector 123456");
        check(
            with(&[(LONG, NotCompleted, 19_995), (SHORT, Failed, 19_990)]),
            "found, confirmed",
            "10 h under power",
        );
        check(
            with(&[(LONG, Passed, 19_995), (SHORT, Failed, 19_990)]),
            "exonerated",
            "passed at 19995 h since",
        );
        check(with(&[(SHORT, Passed, 19_995), (SHORT, Failed, 19_990)]), "exonerated", "rewritten");
        check(
            with(&[("Selective offline", Passed, 19_995), (SHORT, Failed, 19_990)]),
            "found, suspected",
            "",
        );
        check(
            with(&[(SHORT, Passed, 19_995), (LONG, Failed, 19_990)]),
            "found, suspected",
            "only a shorter one",
        );
        check(with(&[(SHORT, Passed, 19_995), (LONG, Failed, 100)]), "exonerated", "over a year");
    }

    #[test]
    fn an_old_failure_needs_a_second_sign() {
        check(with(&[(LONG, Failed, 100)]), "found, suspected", "19900 h under power ago");
        let pending = vec![attribute(197, "Current_Pending_Sector", 8)];
        let seen = Drive { ata_attributes: Observed::seen(pending, "x"), ..with(&[(LONG, Failed, 100)]) };
        check(seen, "found, confirmed", "8 sectors");
        let wrapped =
            Drive { power_on_hours: Observed::seen(Hours(86_906), "x"), ..with(&[(SHORT, Failed, 21_362)]) };
        check(wrapped, "found, confirmed", "8 h under power ago");
        let disagree =
            Drive { power_on_hours: Observed::seen(Hours(408), "x"), ..with(&[(SHORT, Failed, 10_873)]) };
        check(disagree, "found, confirmed", "");
    }

    #[test]
    fn every_command_set() {
        let tests = || with(&[("Extended", Failed, 19_990)]).self_tests;
        let flash = Drive { self_tests: tests(), ..nvme("nvme0", nvme_health(0, 3, 0)) };
        check(flash, "found, confirmed", "failed its own self-test");
        check(Drive { self_tests: tests(), ..sas("sda", 0, 0, true) }, "found, confirmed", "");
    }

    #[test]
    fn what_nobody_reads_is_said_once() {
        let unread = |device, bay| Drive { self_tests: Observed::NotCollected, ..hdd(device, bay) };
        let facts = with_drives(vec![unread("sda", 1), unread("sdb", 2)]);
        crate::fixture::check(evaluate, &facts, &["cannot tell"], "of any drive");
        let facts = with_drives(vec![unread("sda", 1), hdd("sdb", 2)]);
        crate::fixture::check(evaluate, &facts, &["cannot tell", "clear"], "");
        let asleep = Drive { power_mode: Observed::seen(PowerMode::Standby, "x"), ..unread("sda", 1) };
        check(asleep, "not applicable", "");
    }
}
