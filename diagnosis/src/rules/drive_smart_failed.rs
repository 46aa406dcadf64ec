//! DRV-001: drive says that it is failing.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, DiscriminatingTest, Evidence, Finding, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, QtsHealth};

use crate::certainty::{
    ATTRIBUTE_AT_LIMIT, DRIVE_FAILS_WITHOUT_REASON, DRIVE_PREDICTS_FAILURE, DRIVE_WORN, Row,
};
use crate::evidence::{test, told};
use crate::health::{Reason, is_copy, reason, says_failing, word_of_qts};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Outcome, Rule, over};
use crate::subject::{asleep, fact, identity, name, sorted, suspects, why_missing};
use crate::view::View;

/// So many failing drives at once make a shared cause worth a look; each drive's own prediction stands.
const SEVERAL: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-001",
    title: "Drive says that it is failing",
    component: Component::Drive,
    checks: "Each drive's own health answer (ATA SMART status and pre-failure attributes, the NVMe critical warning and spare, the SCSI informational exception) and the reason behind it; where nobody asked the drive, QTS's copy of its table.",
    why: "The drive predicts its own failure from counters that it keeps inside, often within a day, and its data goes with it. Heat raises the same flag and is no defect, so the reason decides.",
    what_to_do: "Back up the data now, then have the drive replaced by its own maker. Pull it only when the answer to \"safe to remove\" is a fresh yes.",
    threshold_source: "The makers' own thresholds inside the drive; smartctl(8) for the ATA status; NVMe base specification for warning bits, spare and wear; SCSI SPC for 5Dh, of which 5D/FF is a test.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.drives, "drives", true, |drives| {
        let failing = drives.iter().filter(|d| says_failing(d)).count();
        let mut judgements: Vec<Judgement> = sorted(drives).into_iter().map(|d| judge(facts, d)).collect();
        for judgement in &mut judgements {
            if let Outcome::Found(finding) = &mut judgement.outcome
                && failing >= SEVERAL
            {
                let value = format!(
                    "{failing} drives say so at once: look also at what they share (heat, supply, firmware)"
                );
                finding.counter_evidence.push(told("drives", value, ""));
            }
        }
        judgements
    })
}

fn judge(facts: &Facts, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let health = &drive.health_passed;
    match reason(drive) {
        // A prediction that stands in a copy of unwritten format alone is no proof.
        Reason::Predicts(why) if !why.is_empty() && why.iter().all(|e| is_copy(&e.from)) => {
            let title = format!("The {subject} says that it is failing, by QTS's copy of its health log");
            let row = &DRIVE_PREDICTS_FAILURE;
            Judgement::found(subject, by_copy(finding(facts, drive, Verdict::Suspected, title, row, why)))
        }
        Reason::Predicts(why) => {
            let title = format!("The {subject} says that it is failing");
            Judgement::found(
                subject,
                finding(facts, drive, Verdict::Confirmed, title, &DRIVE_PREDICTS_FAILURE, why),
            )
        }
        Reason::Unexplained(why) => {
            let title = format!("The {subject} says that it is failing, and its reason is not known");
            let row = &DRIVE_FAILS_WITHOUT_REASON;
            let mut finding = finding(facts, drive, Verdict::Suspected, title, row, why);
            finding.test = read_again();
            Judgement::found(subject, finding)
        }
        Reason::AtLimit(why) => {
            let title =
                format!("The {subject} has an attribute at its threshold, by QTS's copy of its table");
            let row = &ATTRIBUTE_AT_LIMIT;
            Judgement::found(subject, by_copy(finding(facts, drive, Verdict::Suspected, title, row, why)))
        }
        Reason::Worn(why) => {
            let title = format!("The {subject} has used up its rated writes");
            // A drive that calls itself unreliable is to be replaced whatever the reason; the words say that it is wear.
            if drive.health_passed.value() == Some(&false) {
                let title = format!("{title} and calls itself unreliable");
                let mut finding = finding(facts, drive, Verdict::Confirmed, title, &DRIVE_WORN, why);
                finding.advice = "Worn out, not defective: back up the data and replace the drive soon. Wear is not covered by a warranty; its maker decides by the rated writes.".to_owned();
                return Judgement::found(subject, finding);
            }
            let mut finding = finding(facts, drive, Verdict::Watch, title, &DRIVE_WORN, why);
            finding.advice = "Worn, not defective: it lost no data. Plan its replacement and keep backups; wear is not covered by a warranty.".to_owned();
            finding.test = test(
                "Read it again in 30 days and compare media errors and spare capacity.",
                &[
                    "Media errors above 0 or spare falling: replace it now.",
                    "Both unchanged: it still works; replace it when planned.",
                ],
            );
            Judgement::found(subject, finding)
        }
        Reason::NotADefect(why) => match word_of_qts(drive) {
            Some((word, _)) => Judgement::exonerated(subject, format!("{why}; {word}")),
            None => Judgement::exonerated(subject, why),
        },
        Reason::Well => match word_of_qts(drive) {
            Some((word, certain)) => {
                let why = format!(
                    "nothing that it says itself is wrong, but {word}: look at the drive in QTS's Storage & Snapshots"
                );
                Judgement::cannot_tell(subject, why, certain)
            }
            None => Judgement::clear(subject),
        },
        Reason::NoAnswer if health.is_absent() && !asleep(drive) => Judgement::not_applicable(subject),
        Reason::NoAnswer => {
            let why = why_missing(drive, "its own health answer", health);
            let why = match word_of_qts(drive) {
                Some((word, _)) => format!("{why}; {word}"),
                None => why,
            };
            Judgement::cannot_tell(subject, why, true)
        }
    }
}

/// A finding that rests on QTS's copy alone, with its doubt.
fn by_copy(mut finding: Finding) -> Finding {
    let from = finding.evidence.iter().find(|e| is_copy(&e.from)).map(|e| e.from.clone()).unwrap_or_default();
    let doubt = "only QTS's copy says so; its format is known from samples, so this is no proof";
    finding.counter_evidence.push(told("drives", doubt, &from));
    finding.test = read_again();
    finding
}

fn read_again() -> Option<DiscriminatingTest> {
    test(
        "Read the drive's full health table once more with the drive awake, and run its extended self-test; both leave it in its bay.",
        &[
            "A pre-failure attribute at its threshold, or a failed self-test: the drive is defective.",
            "Only temperature at its limit, and the self-test passes: mend the cooling, keep the drive.",
        ],
    )
}

fn finding(
    facts: &Facts,
    drive: &Drive,
    verdict: Verdict,
    title: String,
    row: &Row,
    why: Vec<Evidence>,
) -> Finding {
    let mut evidence = identity(drive);
    evidence.extend(answer(drive));
    evidence.extend(why);
    let mut finding = RULE.finding(verdict, title, suspects(row, drive), evidence);
    if drive.health_from_attributes {
        finding.counter_evidence.push(told(
            fact(drive, "health_from_attributes"),
            "the drive's own status did not come through; the answer was computed from its attributes",
            drive.health_passed.place().unwrap_or_default(),
        ));
    }
    if drive.health_passed.value() == Some(&true) {
        finding.counter_evidence.extend(answer(drive));
        finding.evidence.retain(|e| e.fact != fact(drive, "health_passed"));
    }
    let by_qts =
        |value: &str| told(fact(drive, "qts_health"), value, drive.qts_health.place().unwrap_or_default());
    match drive.qts_health.value() {
        Some(QtsHealth::Abnormal) => finding.evidence.push(by_qts("QTS calls it abnormal too")),
        Some(QtsHealth::Good) => {
            finding.counter_evidence.push(by_qts("QTS has the code for it that probably means good"))
        }
        _ => {}
    }
    finding.safe_to_remove = Some(safe_to_remove(facts, drive));
    finding
}

/// The drive's overall answer in words.
fn answer(drive: &Drive) -> Option<Evidence> {
    match &drive.health_passed {
        Observed::Seen { value, from } => {
            Some(told(fact(drive, "health_passed"), if *value { "passed" } else { "FAILED" }, from))
        }
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, failing, hdd, nas, nvme, nvme_health, sas, with_drives};
    use assay_bundle::facts::drive::{AtaAttribute, NvmeHealth, PowerMode, WhenFailed};
    use assay_bundle::units::Percent;

    pub(crate) fn four() -> Four {
        let mut failed = hdd("sda", 1);
        failed.health_passed = Observed::seen(false, "x");
        let asleep = Drive {
            health_passed: Observed::NotCollected,
            ata_attributes: Observed::NotCollected,
            ..hdd("sda", 1)
        };
        Four {
            fires: with_drives(vec![failed]),
            clear: with_drives(vec![hdd("sda", 1)]),
            cannot_tell: with_drives(vec![asleep]),
            not_applicable: Some(with_drives(Vec::new())),
        }
    }

    fn check(drive: Drive, state: &str, says: &str) {
        crate::fixture::check(evaluate, &with_drives(vec![drive]), &[state], says);
    }

    fn ata(passed: bool, attributes: Vec<AtaAttribute>) -> Drive {
        let mut drive = hdd("sda", 3);
        drive.health_passed = Observed::seen(passed, "cmd/smartctl.sat.sda/stdout");
        drive.ata_attributes = Observed::seen(attributes, "cmd/smartctl.sat.sda/stdout");
        drive
    }

    #[test]
    fn ata_by_the_reason() {
        use WhenFailed::{Now, Past};
        check(hdd("sda", 3), "clear", "");
        check(ata(false, vec![failing(5, "Reallocated_Sector_Ct", true, Now)]), "found, confirmed", "bay 3");
        check(
            ata(true, vec![failing(184, "End-to-End_Error", true, Now)]),
            "found, confirmed",
            "value 1 at threshold 10",
        );
        check(
            ata(false, vec![failing(190, "Airflow_Temperature_Cel", false, Now)]),
            "exonerated",
            "heat, not a defect",
        );
        check(ata(true, vec![failing(190, "Airflow_Temperature_Cel", false, Past)]), "clear", "");
        check(ata(true, vec![failing(5, "Reallocated_Sector_Ct", true, Past)]), "clear", "");
        check(ata(true, vec![failing(9, "Power_On_Hours", false, Now)]), "clear", "");
        check(ata(false, vec![attribute(5, "Reallocated_Sector_Ct", 0)]), "found, confirmed", "FAILED");
        // 190 under another name is not heat: the name decides with the id.
        check(
            ata(false, vec![failing(190, "Unknown_Attribute", true, Now)]),
            "found, confirmed",
            "Unknown_Attribute",
        );
        let mut doubtful = failing(7, "Seek_Error_Rate", true, Now);
        doubtful.value = Some(83);
        check(ata(true, vec![doubtful]), "clear", "");

        let mut bare = ata(false, vec![]);
        bare.ata_attributes = Observed::unreadable("checksum error");
        check(bare, "found, suspected", "reason is not known");
        let mut computed = ata(false, vec![attribute(5, "Reallocated_Sector_Ct", 0)]);
        computed.health_from_attributes = true;
        check(computed, "found, suspected", "computed from its attributes");
    }

    #[test]
    fn nvme_by_the_bit() {
        check(nvme("nvme0", nvme_health(0, 3, 0)), "clear", "");
        check(nvme("nvme0", nvme_health(0x08, 3, 0)), "found, confirmed", "0x08");
        check(nvme("nvme0", nvme_health(0x01, 3, 0)), "found, confirmed", "0x01");
        check(nvme("nvme0", nvme_health(0x02, 3, 0)), "exonerated", "heat, not a defect");
        check(nvme("nvme0", nvme_health(0x04, 110, 0)), "found, confirmed", "Worn out, not defective");
        check(nvme("nvme0", nvme_health(0x04, 110, 7)), "found, confirmed", "media_errors");
        check(nvme("nvme0", nvme_health(0x04, 20, 0)), "found, confirmed", "0x04");
        check(nvme("nvme0", nvme_health(0, 104, 0)), "found, watch", "Worn, not defective");
        check(nvme("nvme0", nvme_health(0x10, 3, 0)), "found, suspected", "0x10");

        let spare = |left, threshold| {
            let mut health = nvme_health(0, 3, 0);
            health.available_spare_percent = Some(Percent(left));
            health.available_spare_threshold_percent = Some(Percent(threshold));
            nvme("nvme0", health)
        };
        check(spare(5, 10), "found, confirmed", "5 % left, threshold 10 %");
        check(spare(0, 0), "clear", "");
        check(spare(100, 100), "clear", "");
    }

    #[test]
    fn scsi_by_the_sense_code() {
        check(sas("sda", 0, 0, true), "clear", "");
        check(sas("sda", 0x5d, 0x10, false), "found, confirmed", "5Dh/10h");
        check(sas("sda", 0x5d, 0xff, false), "exonerated", "test of the mechanism");
        check(sas("sda", 0x0b, 0x01, false), "exonerated", "heat");
        check(sas("sda", 0x0b, 0x03, false), "found, suspected", "0Bh/03h");
    }

    #[test]
    fn no_answer_is_not_a_pass() {
        let without = |health: Observed<bool>, mode| Drive {
            health_passed: health,
            power_mode: Observed::seen(mode, "x"),
            ata_attributes: Observed::NotCollected,
            ..hdd("sda", 3)
        };
        check(
            without(Observed::NotCollected, PowerMode::Standby),
            "cannot tell, required",
            "asleep; was not woken",
        );
        check(without(Observed::Absent, PowerMode::Sleep), "cannot tell, required", "asleep; was not woken");
        check(
            without(Observed::unreadable("timed out"), PowerMode::Active),
            "cannot tell, required",
            "timed out",
        );
        check(without(Observed::NotCollected, PowerMode::Active), "cannot tell, required", "was not read");
        check(without(Observed::Absent, PowerMode::Active), "not applicable", "");

        let lists = |drives, state: &str| {
            crate::fixture::check(evaluate, &Facts { drives, ..nas() }, &[state], "drives");
        };
        lists(Observed::NotCollected, "cannot tell, required");
        lists(Observed::unreadable("denied"), "cannot tell, required");
        lists(Observed::Absent, "not applicable");
    }

    const COPY: &str = "tmp/smart/smart_0_3.info";

    /// A drive that only QTS's copy tells of.
    fn copied(attributes: Vec<AtaAttribute>, qts: QtsHealth) -> Drive {
        Drive {
            health_passed: Observed::NotCollected,
            ata_attributes: Observed::seen(attributes, COPY),
            qts_health: Observed::seen(qts, COPY),
            ..hdd("sda", 3)
        }
    }

    #[test]
    fn the_copy_of_qts_suspects_and_never_confirms() {
        use QtsHealth::{Abnormal, Good, Unknown, Warning};
        use WhenFailed::{Never, Now};
        let row = |when| match when {
            Now => failing(5, "Reallocated_Sectors_Count", false, Now),
            _ => AtaAttribute { threshold: Some(10), ..attribute(5, "Reallocated_Sectors_Count", 0) },
        };
        check(copied(vec![row(Never)], Good), "clear", "");
        check(copied(vec![row(Now)], Good), "found, suspected", "probably means good");
        check(copied(vec![row(Now)], Abnormal), "found, suspected", "abnormal too");
        check(copied(vec![row(Never)], Abnormal), "cannot tell, required", "calls it abnormal");
        check(copied(vec![row(Never)], Unknown(7)), "cannot tell, required", "code 7");
        // Without a single threshold the copy says nothing; heat at its limit is no defect and no health either.
        check(copied(vec![attribute(5, "Reallocated_Sectors_Count", 0)], Good), "cannot tell, required", "");
        let hot = failing(194, "Temperature_Celsius", false, Now);
        check(copied(vec![hot, row(Never)], Good), "cannot tell, required", "");
        let asleep =
            Drive { power_mode: Observed::seen(PowerMode::Standby, "x"), ..copied(vec![row(Never)], Good) };
        check(asleep, "cannot tell, required", "asleep");
        // The drive itself says that it is well.
        let passed = |qts| Drive { qts_health: Observed::seen(qts, COPY), ..hdd("sda", 3) };
        check(passed(Good), "clear", "");
        check(passed(Abnormal), "cannot tell, required", "calls it abnormal");
        check(passed(Warning), "cannot tell", "probably means a warning");
    }

    #[test]
    fn the_copy_of_an_nvme_log() {
        let copied = |health: NvmeHealth, qts| {
            let drive = nvme("nvme0", health.clone());
            Drive {
                health_passed: Observed::NotCollected,
                nvme: Observed::seen(health, COPY),
                qts_health: Observed::seen(qts, COPY),
                ..drive
            }
        };
        check(copied(nvme_health(0, 3, 0), QtsHealth::Good), "clear", "");
        check(copied(nvme_health(0, 3, 0), QtsHealth::Unknown(-1)), "cannot tell, required", "code -1");
        check(copied(nvme_health(0x08, 3, 0), QtsHealth::Abnormal), "found, suspected", "no proof");
    }
}
