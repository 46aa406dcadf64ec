//! # Checks
//! Each drive's own health answer (ATA SMART status and pre-failure attributes, the NVMe critical warning and spare,
//! the SCSI informational exception) and the reason behind it.
//!
//! # Why it matters
//! The drive predicts its own failure from counters that it keeps inside, often within a day, and its data goes with
//! it. Heat raises the same flag and is no defect, so the reason decides.
//!
//! # What to do
//! Back up the data now, then have the drive replaced by its own maker. Pull it only when the answer to "safe to
//! remove" is a fresh yes.
//!
//! # Source of the threshold
//! The makers' own thresholds inside the drive; smartctl(8) for the ATA status; NVMe base specification for warning
//! bits, spare and wear; SCSI SPC for 5Dh, of which 5D/FF is a test.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Finding, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{AtaAttribute, Drive, NvmeHealth, Protocol, ScsiHealth, WhenFailed};
use assay_bundle::units::Percent;

use crate::certainty::{DRIVE_FAILS_WITHOUT_REASON, DRIVE_PREDICTS_FAILURE, DRIVE_WORN, Row};
use crate::evidence::{test, told};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Outcome, Rule, over};
use crate::subject::{asleep, fact, identity, is_heat, name, sorted, suspects, why_missing};

/// NVMe critical warning: spare capacity below its threshold (NVMe base specification, log page 02h).
const WARNS_SPARE: u8 = 0x01;
/// NVMe critical warning: temperature. Heat, not a defect.
const WARNS_TEMPERATURE: u8 = 0x02;
/// NVMe critical warning: reliability degraded. Some makers set it on wear alone.
const WARNS_RELIABILITY: u8 = 0x04;
/// NVMe critical warning: media read-only.
const WARNS_READ_ONLY: u8 = 0x08;
/// Rated writes used up (NVMe "percentage used"); the drive may go on far beyond.
const WORN_FROM: Percent = Percent(100);
/// A spare threshold of 0 means "not reported"; one of 100 would warn from the first day and was seen on a healthy
/// drive, so both say nothing.
const SPARE_THRESHOLDS: std::ops::Range<u8> = 1..100;
/// SCSI additional sense code "failure prediction threshold exceeded".
const ASC_FAILURE_PREDICTED: u8 = 0x5d;
/// Its qualifier for a test of the mechanism: printed as "(FALSE)", no failure.
const ASCQ_TEST: u8 = 0xff;
/// SCSI additional sense code "warning": 0B/01 is temperature.
const ASC_WARNING: u8 = 0x0b;
/// So many failing drives at once make a shared cause worth a look; each drive's own prediction stands.
const SEVERAL: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-001",
    title: "Drive says that it is failing",
    component: Component::Drive,
    checks: "Each drive's own health answer (ATA SMART status and pre-failure attributes, the NVMe critical warning and spare, the SCSI informational exception) and the reason behind it.",
    why: "The drive predicts its own failure from counters that it keeps inside, often within a day, and its data goes with it. Heat raises the same flag and is no defect, so the reason decides.",
    what_to_do: "Back up the data now, then have the drive replaced by its own maker. Pull it only when the answer to \"safe to remove\" is a fresh yes.",
    threshold_source: "The makers' own thresholds inside the drive; smartctl(8) for the ATA status; NVMe base specification for warning bits, spare and wear; SCSI SPC for 5Dh, of which 5D/FF is a test.",
    evaluate,
};

/// What the drive's answer and its reason come to.
enum Reason {
    /// The drive predicts its failure, for this reason.
    Predicts(Vec<Evidence>),
    /// It says that it fails and the reason was not read, or is none that is known.
    Unexplained(Vec<Evidence>),
    /// Its rated writes are used up and nothing is lost.
    Worn(Vec<Evidence>),
    /// It looks like a failure and is none.
    NotADefect(String),
    /// It says that it is well.
    Well,
    /// It said nothing.
    NoAnswer,
}

fn evaluate(facts: &Facts) -> Vec<Judgement> {
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

/// Whether the drive says that it fails and heat is not the reason.
pub(crate) fn says_failing(drive: &Drive) -> bool {
    matches!(reason(drive), Reason::Predicts(_) | Reason::Unexplained(_))
}

fn judge(facts: &Facts, drive: &Drive) -> Judgement {
    let subject = name(drive);
    let health = &drive.health_passed;
    match reason(drive) {
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
            finding.test = test(
                "Read the drive's full health table once more with the drive awake, and run its extended self-test; both leave it in its bay.",
                &[
                    "A pre-failure attribute at its threshold, or a failed self-test: the drive is defective.",
                    "Only temperature at its limit, and the self-test passes: mend the cooling, keep the drive.",
                ],
            );
            Judgement::found(subject, finding)
        }
        Reason::Worn(why) => {
            let title = format!("The {subject} has used up its rated writes");
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
        Reason::NotADefect(why) => Judgement::exonerated(subject, why),
        Reason::Well => Judgement::clear(subject),
        Reason::NoAnswer if health.is_absent() && !asleep(drive) => Judgement::not_applicable(subject),
        Reason::NoAnswer => {
            Judgement::cannot_tell(subject, why_missing(drive, "its own health answer", health), true)
        }
    }
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

fn reason(drive: &Drive) -> Reason {
    let by_log = match (drive.protocol.value(), &drive.nvme, &drive.scsi) {
        (Some(Protocol::Nvme) | None, Observed::Seen { value, from }, _) => nvme(drive, value, from),
        (Some(Protocol::Scsi) | None, _, Observed::Seen { value, from }) => scsi(drive, value, from),
        _ => None,
    };
    by_log.or_else(|| ata(drive)).unwrap_or(match drive.health_passed.value() {
        Some(true) => Reason::Well,
        Some(false) => Reason::Unexplained(Vec::new()),
        None => Reason::NoAnswer,
    })
}

/// ATA: the status, and which attributes are at their threshold now.
fn ata(drive: &Drive) -> Option<Reason> {
    let Observed::Seen { value: attributes, from } = &drive.ata_attributes else { return None };
    let (heat, other): (Vec<&AtaAttribute>, _) =
        attributes.iter().filter(|a| fails_now(a)).partition(|a| is_heat(a));
    let rows =
        |rows: &[&AtaAttribute]| -> Vec<Evidence> { rows.iter().map(|a| row(drive, a, from)).collect() };
    let predicts: Vec<&AtaAttribute> = other.iter().copied().filter(|a| a.prefailure).collect();
    if !predicts.is_empty() {
        return Some(Reason::Predicts(rows(&predicts)));
    }
    if drive.health_passed.value() != Some(&false) {
        return None;
    }
    match (other.is_empty(), heat.is_empty()) {
        (false, _) => Some(Reason::Predicts(rows(&other))),
        (true, false) => Some(Reason::NotADefect(
            "it says FAILED only because its temperature is at the limit: that is heat, not a defect (see TMP-001)"
                .to_owned(),
        )),
        // Computed from attributes of which none fails is a contradiction; the drive's own bare word is not.
        (true, true) if drive.health_from_attributes => Some(Reason::Unexplained(Vec::new())),
        (true, true) => Some(Reason::Predicts(Vec::new())),
    }
}

/// At its threshold now, and the numbers agree where they are given.
fn fails_now(attribute: &AtaAttribute) -> bool {
    attribute.when_failed == WhenFailed::Now
        && attribute.value.zip(attribute.threshold).is_none_or(|(value, threshold)| value <= threshold)
}

fn row(drive: &Drive, a: &AtaAttribute, from: &str) -> Evidence {
    let number = |n: Option<u8>| n.map_or("?".to_owned(), |n| n.to_string());
    let kind = if a.prefailure { "predicts failure" } else { "old age" };
    told(
        fact(drive, &format!("ata_attributes[{} {}]", a.id, a.name)),
        format!(
            "value {} at threshold {} now ({kind}), raw {}",
            number(a.value),
            number(a.threshold),
            a.raw_text
        ),
        from,
    )
}

/// NVMe: every warning bit by itself, and the spare computed here because drives do not always raise their own bit.
fn nvme(drive: &Drive, health: &NvmeHealth, from: &str) -> Option<Reason> {
    let bits = health.critical_warning;
    let mut why = Vec::new();
    let mut say =
        |field: &str, value: String| why.push(told(fact(drive, &format!("nvme.{field}")), value, from));
    say("critical_warning", format!("0x{bits:02x}"));
    let spare = health.available_spare_percent.zip(health.available_spare_threshold_percent);
    let spare = spare.filter(|(_, threshold)| SPARE_THRESHOLDS.contains(&threshold.0));
    let spare_low = spare.is_some_and(|(left, threshold)| left <= threshold);
    if let Some((left, threshold)) = spare {
        say("available_spare_percent", format!("{left} left, threshold {threshold}"));
    }
    if let Some(used) = health.percentage_used {
        say("percentage_used", used.to_string());
    }
    if let Some(errors) = health.media_errors {
        say("media_errors", errors.to_string());
    }
    let worn = health.percentage_used.is_some_and(|used| used >= WORN_FROM);
    if bits & (WARNS_READ_ONLY | WARNS_SPARE) != 0 || spare_low {
        return Some(Reason::Predicts(why));
    }
    if bits & WARNS_RELIABILITY != 0 {
        return Some(match health.media_errors {
            Some(0) if worn => Reason::Worn(why),
            None if worn => Reason::Unexplained(why),
            _ => Reason::Predicts(why),
        });
    }
    if bits & !WARNS_TEMPERATURE != 0 {
        return Some(Reason::Unexplained(why));
    }
    if bits == WARNS_TEMPERATURE {
        return Some(Reason::NotADefect(
            "its only warning is temperature: that is heat, not a defect (see TMP-001)".to_owned(),
        ));
    }
    if worn && health.media_errors == Some(0) { Some(Reason::Worn(why)) } else { None }
}

/// SCSI: the informational exception by its code.
fn scsi(drive: &Drive, health: &ScsiHealth, from: &str) -> Option<Reason> {
    let (asc, ascq) = (health.asc?, health.ascq.unwrap_or(0));
    let why = || vec![told(fact(drive, "scsi.asc"), format!("{asc:02X}h/{ascq:02X}h"), from)];
    match (asc, ascq) {
        (ASC_FAILURE_PREDICTED, ASCQ_TEST) => Some(Reason::NotADefect(
            "its failure prediction is the test of the mechanism (5D/FF), not a failure".to_owned(),
        )),
        (ASC_FAILURE_PREDICTED, _) => Some(Reason::Predicts(why())),
        (ASC_WARNING, 0x01) => Some(Reason::NotADefect(
            "its only warning is temperature (0B/01): that is heat, not a defect (see TMP-001)".to_owned(),
        )),
        _ if drive.health_passed.value() == Some(&false) => Some(Reason::Unexplained(why())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{attribute, failing, hdd, nas, nvme, nvme_health, sas, with_drives};
    use assay_bundle::facts::drive::PowerMode;

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
        check(nvme("nvme0", nvme_health(0x04, 110, 0)), "found, watch", "Worn, not defective");
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
}
