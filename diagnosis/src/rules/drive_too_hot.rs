//! TMP-001: drives are too hot.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, Medium, Protocol, WhenFailed};
use assay_bundle::facts::limits::{LimitKind, LimitOf};
use assay_bundle::units::Celsius;

use crate::certainty::{Place, TOO_HOT, TOO_HOT_FAN};
use crate::evidence::{listed, seen, test, told};
use crate::rule::{Judgement, Rule, over};
use crate::rules::fan_stalled;
use crate::subject::{fact, is_heat, location, name, sorted, why_missing};
use crate::view::View;

/// QNAP's default warning for hard disks (QTS `HDTempWarnT`).
const HDD_WARNING: Celsius = Celsius(55);
/// QNAP's default error for hard disks (QTS `HDTempErrT`).
const HDD_ERROR: Celsius = Celsius(60);
/// QNAP's default warning and error for solid-state drives (QTS `SSDTempWarnT`, `SSDTempErrT`).
const SSD_ERROR: Celsius = Celsius(70);
/// How far below a hard disk's own limit a warning starts: the distance of QNAP's two defaults.
const HDD_MARGIN: i16 = HDD_ERROR.0 - HDD_WARNING.0;
/// A drive's own limit counts only in this range: makers state 50 C to 85 C, and 0 or 255 where they state nothing.
const PLAUSIBLE_LIMIT: std::ops::RangeInclusive<i16> = 45..=110;
/// NVMe critical warning: temperature (NVMe base specification, log page 02h).
const WARNS_TEMPERATURE: u8 = 0x02;

/// The rule.
pub static RULE: Rule = Rule {
    code: "TMP-001",
    title: "Drives are too hot",
    component: Component::Cooling,
    checks: "Each drive's temperature against the limit that the drive states itself, else against the limit that this NAS works with, else against QNAP's defaults for its kind; and whether the drive has its temperature attribute or warning at the limit now.",
    why: "Heat shortens the life of drives and slows flash down. It is caused by cooling or by the room, so replacing the drive mends nothing.",
    what_to_do: "Check that the fans turn and the vents are free of dust, leave room around the unit and lower the room temperature.",
    threshold_source: "The drive's own highest operating temperature where it states one; else the alarms that the NAS is set to, the lowest where its sources differ; else QNAP's default alarms: hard disks 55 C warning and 60 C error, solid-state drives 70 C.",
    evaluate,
};

/// A drive that is too hot.
struct Hot {
    location: String,
    verdict: Verdict,
    evidence: Vec<Evidence>,
}

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.drives, "drives", false, |drives| {
        let mut judgements = Vec::new();
        let mut hot = Vec::new();
        for drive in sorted(drives) {
            match heat(facts, drive) {
                Ok(Some(found)) => hot.push(found),
                Ok(None) => judgements.push(cool(drive)),
                Err(judgement) => judgements.push(judgement),
            }
        }
        if let Some(finding) = finding(facts, &hot) {
            judgements.insert(0, finding);
        }
        judgements
    })
}

fn cool(drive: &Drive) -> Judgement {
    let attributes = drive.ata_attributes.value().into_iter().flatten();
    match attributes.into_iter().find(|a| is_heat(a) && a.when_failed == WhenFailed::Past) {
        Some(_) => Judgement::exonerated(name(drive), "was at its temperature limit once, and is not now"),
        None => Judgement::clear(name(drive)),
    }
}

/// The limits of a drive: where a warning starts, where an error starts, and whose they are.
fn limits(facts: &Facts, drive: &Drive) -> (Celsius, Celsius, Evidence) {
    let flash = drive.medium.value() == Some(&Medium::Ssd) || drive.protocol.value() == Some(&Protocol::Nvme);
    let path = fact(drive, "temperature_limit_c");
    // A drive of unknown kind gets the lower limits: a warning too many is cheaper than one too few.
    let defaults = if flash { (SSD_ERROR, SSD_ERROR) } else { (HDD_WARNING, HDD_ERROR) };
    if let Observed::Seen { value, from } = &drive.temperature_limit_c
        && PLAUSIBLE_LIMIT.contains(&value.0)
    {
        let warning = if flash { *value } else { Celsius(value.0 - HDD_MARGIN) };
        return (warning, *value, told(path, format!("{value} by the drive itself"), from));
    }
    let own = if flash { LimitOf::SolidState } else { LimitOf::HardDisk };
    let warning = set_to(facts, own, &[LimitKind::Warning]);
    let error = set_to(facts, own, &[LimitKind::Critical]);
    let stops = set_to(facts, own, &[LimitKind::Shutdown]).filter(|(limit, _)| *limit < defaults.1);
    let Some((_, from)) = warning.or(error).or(stops) else {
        let value = match flash {
            true => format!("not stated; QNAP's default {SSD_ERROR}"),
            false => format!("not stated; QNAP's defaults {HDD_WARNING} and {HDD_ERROR}"),
        };
        return (defaults.0, defaults.1, told(path, value, ""));
    };
    // A NAS that stops at a limit calls it critical, whatever its alarms are.
    let error = [error, stops].into_iter().flatten().map(|(limit, _)| limit).min().unwrap_or(defaults.1);
    let warning = warning.map_or(defaults.0, |(limit, _)| limit).min(error);
    let value = format!("not stated by the drive; this NAS warns at {warning} and calls {error} critical");
    (warning, error, told("temperature_limits", value, from))
}

/// The lowest limit of this kind that the NAS is set to, for these drives or for all, and where it stands.
fn set_to<'f>(facts: &'f Facts, own: LimitOf, kinds: &[LimitKind]) -> Option<(Celsius, &'f str)> {
    let all = facts.temperature_limits.value().into_iter().flatten();
    let wanted = all.filter(|l| (l.of == own || l.of == LimitOf::Drive) && kinds.contains(&l.kind));
    let read = wanted.filter_map(|l| match &l.temperature_c {
        Observed::Seen { value, from } if PLAUSIBLE_LIMIT.contains(&value.0) => Some((*value, from.as_str())),
        _ => None,
    });
    read.min_by_key(|(limit, _)| *limit)
}

fn heat(facts: &Facts, drive: &Drive) -> Result<Option<Hot>, Judgement> {
    let flags = flags(drive);
    let mut evidence = Vec::new();
    let mut verdict = (!flags.is_empty()).then_some(Verdict::Suspected);
    match drive.temperature_c.value() {
        Some(now) => {
            let (warning, error, limit) = limits(facts, drive);
            evidence.extend(seen(fact(drive, "temperature_c"), &drive.temperature_c));
            evidence.push(limit);
            let by_number = match *now {
                now if now >= error => Some(Verdict::Suspected),
                now if now >= warning => Some(Verdict::Watch),
                _ => None,
            };
            verdict = verdict.max(by_number);
        }
        None if flags.is_empty() => {
            return Err(match &drive.temperature_c {
                Observed::Absent if !crate::subject::asleep(drive) => Judgement::not_applicable(name(drive)),
                other => {
                    Judgement::cannot_tell(name(drive), why_missing(drive, "its temperature", other), false)
                }
            });
        }
        None => {}
    }
    evidence.extend(flags);
    Ok(verdict.map(|verdict| Hot { location: location(drive), verdict, evidence }))
}

/// What the drive itself says about heat now.
fn flags(drive: &Drive) -> Vec<Evidence> {
    let mut said = Vec::new();
    if let Observed::Seen { value, from } = &drive.ata_attributes {
        for a in value.iter().filter(|a| is_heat(a) && a.when_failed == WhenFailed::Now) {
            let path = fact(drive, &format!("ata_attributes[{} {}]", a.id, a.name));
            said.push(told(path, format!("at its limit now ({})", a.raw_text), from));
        }
    }
    if let Observed::Seen { value, from } = &drive.nvme
        && value.critical_warning & WARNS_TEMPERATURE != 0
    {
        said.push(told(fact(drive, "nvme.critical_warning"), "warns of its temperature", from));
    }
    said
}

/// One finding for all hot drives: what they share is the air.
fn finding(facts: &Facts, hot: &[Hot]) -> Option<Judgement> {
    let verdict = hot.iter().map(|h| h.verdict).max()?;
    let places = listed(&hot.iter().map(|h| h.location.clone()).collect::<Vec<_>>());
    let still = fan_stalled::stalled(facts);
    let row = if still.is_empty() { &TOO_HOT } else { &TOO_HOT_FAN };
    let suspects = row.suspects(|share| match share.component {
        Component::Fan => Place::at(listed(&still)),
        Component::Cooling => Place::at("dust, vents and air flow of the unit"),
        _ => Place::at("room or rack"),
    });
    let (noun, verb) = if hot.len() == 1 { ("drive", "is") } else { ("drives", "are") };
    let title = format!("The {noun} in {places} {verb} too hot");
    let evidence = hot.iter().flat_map(|h| h.evidence.clone()).collect();
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.counter_evidence.push(told(
        "drives",
        "heat is no defect of a drive: replacing it mends nothing",
        "",
    ));
    finding.test = test(
        "Clean the vents, set the fan speed to high for an hour and read the temperatures again.",
        &[
            "They fall: fan control or dust; keep the unit clean.",
            "They stay, and the fans turn: the room or the rack is too warm.",
            "They stay, and a fan does not turn: that fan.",
        ],
    );
    Some(Judgement::found(places, finding))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, failing, fan, hdd, nas, nvme, nvme_health, with_drives};
    use assay_bundle::facts::drive::PowerMode;

    pub(crate) fn four() -> Four {
        let at = |temperature| with_drives(vec![Drive { temperature_c: temperature, ..hdd("sda", 1) }]);
        Four {
            fires: at(Observed::seen(Celsius(66), "x")),
            clear: at(Observed::seen(Celsius(34), "x")),
            cannot_tell: at(Observed::NotCollected),
            not_applicable: Some(with_drives(Vec::new())),
        }
    }

    fn check(drives: Vec<Drive>, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &with_drives(drives), states, says);
    }

    fn at(celsius: i16, limit: Option<i16>) -> Drive {
        Drive {
            temperature_c: Observed::seen(Celsius(celsius), "x"),
            temperature_limit_c: limit.map_or(Observed::Absent, |l| Observed::seen(Celsius(l), "x")),
            ..hdd("sda", 1)
        }
    }

    #[test]
    fn hard_disks() {
        check(vec![at(54, None)], &["clear"], "");
        check(vec![at(55, None)], &["found, watch"], "55 C");
        check(vec![at(60, None)], &["found, suspected"], "bay 1 is too hot");
        check(vec![at(59, Some(65))], &["clear"], "");
        check(vec![at(60, Some(65))], &["found, watch"], "65 C by the drive itself");
        check(vec![at(65, Some(65))], &["found, suspected"], "");
        check(vec![at(56, Some(0))], &["found, watch"], "QNAP's defaults");
        check(
            vec![at(61, None), Drive { device: "sdb".to_owned(), ..at(34, None) }],
            &["found, suspected", "clear"],
            "",
        );
        let two =
            vec![at(61, None), Drive { temperature_c: Observed::seen(Celsius(57), "x"), ..hdd("sdb", 2) }];
        check(two, &["found, suspected"], "drives in bay 1 and bay 2 are too hot");
    }

    #[test]
    fn flash() {
        let flash = |celsius, bits| Drive {
            temperature_c: Observed::seen(Celsius(celsius), "x"),
            ..nvme("nvme0", nvme_health(bits, 0, 0))
        };
        check(vec![flash(69, 0)], &["clear"], "");
        check(vec![flash(70, 0)], &["found, suspected"], "70 C");
        check(vec![flash(50, 0x02)], &["found, suspected"], "warns of its temperature");
    }

    #[test]
    fn what_the_drive_says_itself() {
        let with = |when| Drive {
            ata_attributes: Observed::seen(vec![failing(190, "Airflow_Temperature_Cel", false, when)], "x"),
            ..at(44, None)
        };
        check(vec![with(WhenFailed::Now)], &["found, suspected"], "at its limit now");
        check(vec![with(WhenFailed::Past)], &["exonerated"], "once");
    }

    #[test]
    fn a_fan_that_stands_still_explains_the_heat() {
        let mut facts = with_drives(vec![at(61, None)]);
        facts.fans = Observed::seen(vec![fan("system fan 1", 900), fan("system fan 2", 0)], "x");
        crate::fixture::check(evaluate, &facts, &["found, suspected"], "system fan 2");
    }

    #[test]
    fn unknown_is_not_cool() {
        let unread = |reading, mode| Drive {
            temperature_c: reading,
            power_mode: Observed::seen(mode, "x"),
            ..hdd("sda", 1)
        };
        check(
            vec![unread(Observed::NotCollected, PowerMode::Standby)],
            &["cannot tell"],
            "asleep; was not woken",
        );
        check(vec![unread(Observed::unreadable("0 C"), PowerMode::Active)], &["cannot tell"], "0 C");
        check(vec![unread(Observed::Absent, PowerMode::Active)], &["not applicable"], "");
        crate::fixture::check(
            evaluate,
            &Facts { drives: Observed::NotCollected, ..nas() },
            &["cannot tell"],
            "drives",
        );
    }

    #[test]
    fn what_the_nas_is_set_to() {
        use LimitKind::{Critical, Shutdown, Warning};
        use LimitOf::{Cpu, HardDisk, SolidState, System};
        use assay_bundle::facts::limits::TemperatureLimit;
        let check = |drive: Drive, limits: &[(LimitOf, LimitKind, i16)], state: &str, says: &str| {
            let limit = |&(of, kind, celsius): &(LimitOf, LimitKind, i16)| TemperatureLimit {
                of,
                kind,
                temperature_c: Observed::seen(Celsius(celsius), "etc/hal_util.conf"),
                line: None,
            };
            let mut facts = with_drives(vec![drive]);
            facts.temperature_limits =
                Observed::seen(limits.iter().map(limit).collect(), "etc/hal_util.conf");
            crate::fixture::check(evaluate, &facts, &[state], says);
        };
        let set = [
            (HardDisk, Warning, 50),
            (HardDisk, Critical, 58),
            (LimitOf::Drive, Shutdown, 65),
            (Cpu, Warning, 45),
        ];
        check(at(49, None), &set, "clear", "");
        check(at(50, None), &set, "found, watch", "warns at 50 C and calls 58 C critical");
        check(at(58, None), &set, "found, suspected", "");
        check(at(52, Some(65)), &set, "clear", "");
        check(at(60, None), &[(LimitOf::Drive, Shutdown, 65)], "found, suspected", "QNAP's defaults");
        check(at(57, None), &[(LimitOf::Drive, Shutdown, 57)], "found, suspected", "calls 57 C critical");
        // What no alarm is set to: 0, and limits of other things.
        check(
            at(55, None),
            &[(LimitOf::Drive, Shutdown, 0), (System, Critical, 50)],
            "found, watch",
            "QNAP's defaults",
        );
        let flash =
            Drive { temperature_c: Observed::seen(Celsius(66), "x"), ..nvme("nvme0", nvme_health(0, 0, 0)) };
        check(flash, &[(SolidState, Critical, 65), (HardDisk, Critical, 50)], "found, suspected", "65 C");
    }
}
