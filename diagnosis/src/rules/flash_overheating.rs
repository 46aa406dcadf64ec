//! NVM-004: M.2 or NVMe drive overheats.

use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, Protocol};
use assay_bundle::facts::history::Metric;
use assay_bundle::units::Celsius;

use crate::certainty::{FLASH_TOO_HOT, Place};
use crate::course::{self, Course, WEEK_S};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule, over};
use crate::rules::fan_stalled;
use crate::subject::{asleep, fact, identity, location, name, sorted, why_missing};
use crate::view::View;

/// QNAP's default alarm for solid-state drives (QTS `SSDTempErrT`), for an M.2 drive that states no limit.
const SSD_ALARM: Celsius = Celsius(70);
/// A limit counts only in this range: makers state 60 C to 90 C, and 0 where they state nothing.
const PLAUSIBLE: std::ops::RangeInclusive<i16> = 45..=110;
/// So many minutes above the warning temperature in a week are more than one hot copy (judgement: an hour).
const MINUTES: u64 = 60;

/// The rule.
pub static RULE: Rule = Rule {
    code: "NVM-004",
    title: "M.2 or NVMe drive overheats",
    component: Component::Cooling,
    checks: "Each NVMe drive, and each SATA drive in a slot that the model names M.2: its temperature against the warning and critical temperature that it states, and whether its minutes above the warning temperature rise.",
    why: "A small drive without a heat sink reaches its limit under load, slows down to a fraction of its speed and at its critical temperature stops. Cooling mends it; a new drive does the same again.",
    what_to_do: "Fit the heat sink and thermal pad that belong to the slot, see that the fan of the slot or card turns, and let air through; replace no drive for heat.",
    threshold_source: "The drive's own WCTEMP and CCTEMP (NVMe base specification, identify controller), else QNAP's default of 70 C for solid-state drives; 60 minutes above the warning temperature within a week (judgement). Minutes of the past never count: the log keeps them for the drive's life.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.drives, "drives", false, |drives| {
        let still = fan_stalled::stalled(facts);
        sorted(drives).into_iter().map(|drive| judge(facts, drive, &still)).collect()
    })
}

/// The name of the slot, where the model has one for the drive's bay: `M.2 SSD 1`.
fn slot(facts: &Facts, drive: &Drive) -> Option<String> {
    let bay = drive.bay.value()?;
    if drive.enclosure.value().copied().unwrap_or(0) != 0 {
        return None;
    }
    let bays = facts.chassis.bays.value()?;
    bays.iter().find(|b| b.id == *bay)?.slot_name.value().cloned()
}

fn is_m2(slot: &str) -> bool {
    slot.to_ascii_uppercase().replace(' ', "").contains("M.2")
}

fn judge(facts: &Facts, drive: &Drive, still: &[String]) -> Judgement {
    let subject = name(drive);
    let slot = slot(facts, drive);
    let m2 = slot.as_deref().is_some_and(is_m2);
    let nvme = drive.protocol.value() == Some(&Protocol::Nvme);
    if !nvme && !m2 || asleep(drive) {
        return Judgement::not_applicable(subject);
    }
    let health = drive.nvme.value();
    if drive.temperature_c.value().is_none() && health.is_none() {
        let why = why_missing(drive, "its temperature", &drive.temperature_c);
        return Judgement::cannot_tell(subject, why, false);
    }
    let stated = |limit: Option<Celsius>| limit.filter(|l| PLAUSIBLE.contains(&l.0));
    let critical = stated(health.and_then(|h| h.critical_temperature_c));
    let warning = stated(health.and_then(|h| h.warning_temperature_c))
        .or(stated(drive.temperature_limit_c.value().copied()))
        .or(m2.then_some(SSD_ALARM));
    let now = drive.temperature_c.value().copied();
    let reached = |limit: Option<Celsius>| now.zip(limit).is_some_and(|(now, limit)| now >= limit);
    let minutes = health.and_then(|h| h.warning_temperature_minutes);
    let course = course::of_drive(facts, drive, Metric::NvmeWarningMinutes, minutes, WEEK_S);
    let rise = course.rise_within(WEEK_S).filter(|rise| rise.by >= MINUTES);
    let verdict = if reached(critical) {
        Verdict::Suspected
    } else if reached(warning) || rise.is_some() {
        Verdict::Watch
    } else {
        return cool(subject, minutes, &course);
    };
    let from = drive.nvme.place().unwrap_or_default();
    let mut evidence: Vec<Evidence> = identity(drive);
    evidence.extend(seen(fact(drive, "temperature_c"), &drive.temperature_c));
    let limit = |field: &str, value: Option<Celsius>| {
        value.map(|value| told(fact(drive, field), format!("{value} by the drive itself"), from))
    };
    evidence
        .extend(limit("nvme.warning_temperature_c", stated(health.and_then(|h| h.warning_temperature_c))));
    evidence.extend(limit("nvme.critical_temperature_c", critical));
    evidence.extend(rise.map(|rise| rise.evidence(fact(drive, "nvme.warning_temperature_minutes"))));
    evidence.extend(slot.as_ref().map(|slot| {
        let place = facts.chassis.bays.place().unwrap_or_default();
        told("chassis.bays.slot_name", slot.clone(), place)
    }));
    let title = match (reached(critical), reached(warning)) {
        (true, _) => format!("The {subject} is at its critical temperature"),
        (false, true) => format!("The {subject} is at its warning temperature"),
        (false, false) => format!("The {subject} spends more and more time above its warning temperature"),
    };
    let at = slot.filter(|_| m2).unwrap_or_else(|| location(drive));
    let suspects = FLASH_TOO_HOT.suspects(|share| match share.component {
        Component::Cooling => Place::at(format!("heat sink and air flow of {at}")),
        _ => Place::at("room or rack"),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.rate = rise.map(course::Rise::rate);
    finding.counter_evidence.push(told(
        "drives",
        "heat is no defect of a drive: replacing it mends nothing",
        "",
    ));
    if !still.is_empty() {
        let fans = crate::evidence::listed(still);
        finding.counter_evidence.push(told(
            "fans",
            format!("{fans} stands still, which explains heat (FAN-001)"),
            "",
        ));
    }
    finding.test = test(
        "Set the fan speed to high for an hour under the same load and read the temperature and the minutes again.",
        &[
            "It falls below the warning: air flow; keep the fan faster or clean the vents.",
            "It stays: heat sink or thermal pad missing or not touching; look when the unit is next switched off.",
        ],
    );
    Judgement::found(subject, finding)
}

/// Cool now; minutes of the past are told and latch nothing.
fn cool(subject: String, minutes: Option<u64>, course: &Course) -> Judgement {
    match (minutes.filter(|n| *n >= MINUTES), course) {
        (Some(n), Course::Still { .. }) => Judgement::exonerated(
            subject,
            format!("spent {n} minutes of its life above its warning temperature, and they do not rise"),
        ),
        (Some(n), _) => Judgement::exonerated(
            subject,
            format!("spent {n} minutes of its life above its warning temperature, and is not above it now"),
        ),
        _ => Judgement::clear(subject),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, hdd, nvme, nvme_health, recorded, with_drives};
    use assay_bundle::Observed;
    use assay_bundle::facts::chassis::Bay;
    use assay_bundle::facts::drive::NvmeHealth;

    const NOW: i64 = 1_700_000_100;

    fn at(now: i16, minutes: u64) -> Drive {
        let health = NvmeHealth {
            warning_temperature_c: Some(Celsius(77)),
            critical_temperature_c: Some(Celsius(85)),
            warning_temperature_minutes: Some(minutes),
            ..nvme_health(0, 3, 0)
        };
        Drive { temperature_c: Observed::seen(Celsius(now), "x"), ..nvme("nvme0", health) }
    }

    pub(crate) fn four() -> Four {
        let unread =
            Drive { temperature_c: Observed::NotCollected, nvme: Observed::NotCollected, ..at(40, 0) };
        Four {
            fires: with_drives(vec![at(79, 0)]),
            clear: with_drives(vec![at(45, 0)]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn by_its_own_limits() {
        check(&with_drives(vec![at(76, 0)]), "clear", "");
        check(&with_drives(vec![at(77, 0)]), "found, watch", "at its warning temperature");
        check(&with_drives(vec![at(85, 0)]), "found, suspected", "at its critical temperature");
        let mut silent = at(80, 0);
        silent.nvme = Observed::seen(nvme_health(0, 3, 0), "x");
        check(&with_drives(vec![silent]), "clear", "");
    }

    #[test]
    fn minutes_count_only_while_they_rise() {
        let since = |days: i64, before: i64| {
            recorded(
                with_drives(vec![at(50, 900)]),
                &at(50, 900),
                Metric::NvmeWarningMinutes,
                &[(NOW - days * 86_400, 0, Some(before))],
            )
        };
        check(&with_drives(vec![at(50, 900)]), "exonerated", "is not above it now");
        check(&since(60, 900), "exonerated", "do not rise");
        check(&since(3, 100), "found, watch", "rose from 100 to 900");
        check(&since(3, 880), "exonerated", "");
    }

    #[test]
    fn a_sata_drive_in_a_slot_named_m2() {
        let named = |slot: &str, now| {
            let drive = Drive { temperature_c: Observed::seen(Celsius(now), "x"), ..hdd("sda", 5) };
            let mut facts = with_drives(vec![drive]);
            let bay = Bay { id: 5, slot_name: Observed::seen(slot.to_owned(), "etc/model.conf") };
            facts.chassis.bays = Observed::seen(vec![bay], "etc/model.conf");
            facts
        };
        check(&named("M.2 SSD 1", 71), "found, watch", "air flow of M.2 SSD 1");
        check(&named("M.2 SSD 1", 50), "clear", "");
        check(&named("3.5\" SATA HDD 5", 71), "not applicable", "");
    }
}
