//! UPS-001: UPS or its battery is not well.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::ups::Ups;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

use crate::certainty::{MAINS_GONE, Place, UPS_BATTERY, UPS_OVERLOADED};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule, over};
use crate::view::View;

/// A battery older than this is at its end (hardware.md UPS1; makers give 3 to 5 years).
const OLD_FROM_MONTHS: i32 = 48;
/// A date before this is what makers of cheap units ship as a filler (`2001/09/25`): judgement.
const CREDIBLE_FROM_YEAR: i16 = 2008;
/// Charge on mains below which a battery that is not being charged has lost its strength, in hundredths of a percent:
/// judgement.
const WEAK_CHARGE: u16 = 5_000;

/// The rule.
pub static RULE: Rule = Rule {
    code: "UPS-001",
    title: "UPS or its battery is not well",
    component: Component::Ups,
    checks: "What each UPS says of itself: whether it wants its battery replaced, its last self-test, its charge while on mains, the age of its battery, overload, and whether it runs on battery now.",
    why: "A UPS with a worn battery drops the NAS at the first mains failure, and the stop then looks like a defect of the NAS.",
    what_to_do: "Replace the battery of the UPS, or the UPS, then let it test itself; the NAS is not the cause.",
    threshold_source: "The UPS's own word (NUT status RB) confirms; a failed self-test or a charge at its low limit while on mains suspects; a battery over 4 years is watched (makers give 3 to 5 years), as is a charge under 50 % that does not rise (judgement).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.ups, "UPS", false, |units| units.iter().flat_map(|ups| judge(facts, ups)).collect())
}

fn judge(facts: &Facts, ups: &Ups) -> Vec<Judgement> {
    let Some(status) = ups.status.value() else {
        let why = match &ups.status {
            Observed::Unreadable { why } => format!("its status could not be read: {why}"),
            _ => "it gave no status".to_owned(),
        };
        return vec![Judgement::cannot_tell(subject(ups), why, false)];
    };
    let says = |token: &str| status.iter().any(|have| have == token);
    let mut judgements = vec![battery(facts, ups, &says)];
    if says("OB") {
        judgements.push(on_battery(ups, status));
    }
    if says("OVER") {
        judgements.push(overloaded(ups, status));
    }
    judgements
}

fn subject(ups: &Ups) -> String {
    format!("UPS {}", ups.name)
}

fn place(ups: &Ups) -> Place {
    let model = ups.model.value().map(|model| format!(" ({model})")).unwrap_or_default();
    Place { serial: ups.serial.value().cloned(), ..Place::at(format!("UPS {}{model}", ups.name)) }
}

fn path(ups: &Ups, field: &str) -> String {
    format!("ups[{}].{field}", ups.name)
}

fn status_evidence(ups: &Ups, status: &[String]) -> Evidence {
    told(path(ups, "status"), status.join(" "), ups.status.place().unwrap_or_default())
}

fn percent(hundredths: u16) -> String {
    format!("{} %", hundredths / 100)
}

/// What is wrong with the battery, worst first.
fn battery(facts: &Facts, ups: &Ups, says: &impl Fn(&str) -> bool) -> Judgement {
    let mut verdict = None;
    let mut evidence = Vec::new();
    let mut add = |found: Verdict, words: Evidence| {
        verdict = verdict.max(Some(found));
        evidence.push(words);
    };
    if says("RB") {
        let from = ups.status.place().unwrap_or_default();
        add(Verdict::Confirmed, told(path(ups, "status"), "RB: the UPS wants its battery replaced", from));
    }
    if let Observed::Seen { value, from } = &ups.test_result
        && value.to_ascii_lowercase().contains("fail")
    {
        add(Verdict::Suspected, told(path(ups, "test_result"), value.clone(), from));
    }
    if let Observed::Seen { value: charge, from } = &ups.charge_hundredths_percent
        && says("OL")
    {
        let low = ups.charge_low_hundredths_percent.value().copied();
        let words = told(path(ups, "charge"), format!("{} while on mains", percent(*charge)), from);
        match (low.is_some_and(|low| *charge <= low), says("CHRG")) {
            (true, false) => add(Verdict::Suspected, words),
            // After a mains failure a good battery is empty as well, and is charged.
            (_, true) => {}
            (false, false) if *charge < WEAK_CHARGE => add(Verdict::Watch, words),
            (false, false) => {}
        }
    }
    if let Observed::Seen { value, from } = &ups.battery_date
        && age_months(facts, value).is_some_and(|months| months > OLD_FROM_MONTHS)
    {
        let years = OLD_FROM_MONTHS / 12;
        add(
            Verdict::Watch,
            told(path(ups, "battery_date"), format!("{value}: over {years} years old"), from),
        );
    }
    let subject = subject(ups);
    let Some(verdict) = verdict else { return Judgement::clear(subject) };
    let suspects = UPS_BATTERY.suspects(|_| place(ups));
    let title = match verdict {
        Verdict::Confirmed => format!("The {subject} wants its battery replaced"),
        Verdict::Suspected => format!("The battery of the {subject} seems worn"),
        Verdict::Watch => format!("The battery of the {subject} is old or weak"),
    };
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if verdict != Verdict::Confirmed
        && let Observed::Seen { value, from } = &ups.test_result
        && value.to_ascii_lowercase().contains("pass")
    {
        finding.counter_evidence.push(told(path(ups, "test_result"), value.clone(), from));
    }
    finding.test = test(
        "With the NAS backed up and idle, start the self-test of the UPS from its own panel or software, and run a check again.",
        &[
            "It passes and the charge returns to full: watch it.",
            "It fails, or the charge falls by half within minutes: replace the battery.",
        ],
    );
    Judgement::found(subject, finding)
}

/// Whole months between the battery's date and the device's clock. Makers write it in several ways.
fn age_months(facts: &Facts, text: &str) -> Option<i32> {
    let text = text.trim();
    let forms = ["%Y/%m/%d", "%Y-%m-%d", "%m/%d/%y", "%m/%d/%Y"];
    // A form that takes two digits for a whole year read another one.
    let parse = |form: &&str| Date::strptime(form, text).ok().filter(|day| day.year() >= 1900);
    let made = forms.iter().find_map(parse)?;
    let now = Timestamp::from_second(*facts.clock.unix_s.value()?).ok()?.to_zoned(TimeZone::UTC).date();
    let age = made.until((Unit::Month, now)).ok()?;
    (made.year() >= CREDIBLE_FROM_YEAR).then_some(age.get_months())
}

/// The mains are gone now.
fn on_battery(ups: &Ups, status: &[String]) -> Judgement {
    let suspects = MAINS_GONE.suspects(|share| match share.kind {
        SuspectKind::Environment => Place::at("mains, outlet and cable of the UPS"),
        _ => place(ups),
    });
    let mut evidence = vec![status_evidence(ups, status)];
    if let Observed::Seen { value, from } = &ups.input_mv {
        evidence.push(told(path(ups, "input_mv"), format!("{} V at its input", value / 1000), from));
    }
    if let Observed::Seen { value, from } = &ups.runtime_s {
        evidence.push(told(path(ups, "runtime_s"), format!("lasts {} more minutes", value.0 / 60), from));
    }
    let title = format!("The {} runs on its battery: its input is gone", subject(ups));
    let mut finding = RULE.finding(Verdict::Watch, title, suspects, evidence);
    finding.component = Component::PowerInput;
    finding.advice = "Restore the mains; shut the NAS down while the battery lasts.".to_owned();
    let doubt = "the mains fail now and then: this is no defect of the NAS";
    finding.counter_evidence.push(told(path(ups, "status"), doubt, ""));
    finding.test = test(
        "See whether other machines on the same circuit have power, and run a check again when the mains are back.",
        &[
            "The UPS is on line again: a mains failure.",
            "Others have power and the UPS stays on its battery: its cable, its fuse or its input.",
        ],
    );
    Judgement::found(format!("mains at {}", subject(ups)), finding)
}

/// More load than it can carry.
fn overloaded(ups: &Ups, status: &[String]) -> Judgement {
    let suspects = UPS_OVERLOADED.suspects(|share| match share.kind {
        SuspectKind::Configuration => Place::at(format!("load on UPS {}", ups.name)),
        _ => place(ups),
    });
    let mut evidence = vec![status_evidence(ups, status)];
    if let Observed::Seen { value, from } = &ups.load_hundredths_percent {
        evidence.push(told(path(ups, "load"), format!("{} % of what it can carry", value / 100), from));
    }
    let title = format!("The {} carries more load than it can", subject(ups));
    let mut finding = RULE.finding(Verdict::Watch, title, suspects, evidence);
    finding.advice = "Take other machines off this UPS, or use a larger one.".to_owned();
    finding.test = test(
        "Take one other machine off the UPS and run a check again.",
        &[
            "It is no longer overloaded: it carried too much.",
            "It is overloaded with the NAS alone: the UPS is too small, or measures wrong.",
        ],
    );
    Judgement::found(format!("load of {}", subject(ups)), finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::Four;
    use crate::fixture::nas;

    fn ups(status: &[&str]) -> Ups {
        Ups {
            name: "qnapups".to_owned(),
            status: Observed::seen(status.iter().map(|&s| s.to_owned()).collect(), "sample/nut.txt"),
            charge_hundredths_percent: Observed::seen(10_000, "sample/nut.txt"),
            charge_low_hundredths_percent: Observed::seen(2_000, "sample/nut.txt"),
            test_result: Observed::seen("No test initiated".to_owned(), "sample/nut.txt"),
            ..Ups::default()
        }
    }

    fn with(units: Vec<Ups>) -> Facts {
        Facts { ups: Observed::seen(units, "sample/nut.txt"), ..nas() }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with(vec![ups(&["OL", "RB"])]),
            clear: with(vec![ups(&["OL"])]),
            cannot_tell: Facts { ups: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(Facts { ups: Observed::Absent, ..nas() }),
        }
    }

    fn check(unit: Ups, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &with(vec![unit]), states, says);
    }

    #[test]
    fn what_the_ups_says() {
        check(ups(&["OL"]), &["clear"], "");
        check(ups(&["OL", "RB"]), &["found, confirmed"], "wants its battery replaced");
        check(ups(&["OB", "LB", "RB"]), &["found, confirmed", "found, watch"], "its input is gone");
        check(ups(&["OB", "DISCHRG"]), &["clear", "found, watch"], "PowerInput");
        check(ups(&["OL", "OVER"]), &["clear", "found, watch"], "more load");
        let failed =
            Ups { test_result: Observed::seen("Battery test failed".to_owned(), "x"), ..ups(&["OL"]) };
        check(failed, &["found, suspected"], "seems worn");
        check(Ups { status: Observed::Absent, ..ups(&[]) }, &["cannot tell"], "gave no status");
    }

    #[test]
    fn the_charge_on_mains() {
        let at = |charge, status: &[&str]| Ups {
            charge_hundredths_percent: Observed::seen(charge, "x"),
            ..ups(status)
        };
        check(at(2_000, &["OL"]), &["found, suspected"], "20 % while on mains");
        check(at(1_500, &["OL", "CHRG"]), &["clear"], "");
        check(at(4_900, &["OL"]), &["found, watch"], "");
        check(at(5_000, &["OL"]), &["clear"], "");
        check(at(1_000, &["OB"]), &["clear", "found, watch"], "");
    }

    #[test]
    fn the_age_of_the_battery() {
        let made = |text: &str| Ups { battery_date: Observed::seen(text.to_owned(), "x"), ..ups(&["OL"]) };
        // The clock of the fixture is 2023-11-14.
        check(made("2019/04/11"), &["found, watch"], "over 4 years old");
        check(made("2019-11-20"), &["clear"], "");
        check(made("04/11/19"), &["found, watch"], "");
        check(made("2001/09/25"), &["clear"], "");
        check(made("soon"), &["clear"], "");
    }
}
