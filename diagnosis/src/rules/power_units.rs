//! # Checks
//! Each power unit of a model that has redundant ones: what QTS says of it. No unit is judged in this version: one that
//! QTS does not call good is told as an unknown, so that the machine is not called healthy.
//!
//! # Why it matters
//! With one power unit left, the next fault or a pulled cord stops the machine at once, with every write in flight.
//!
//! # What to do
//! Look at the lamp and the cord of the unit that is named, and try the cord on another socket before a unit is
//! replaced. The machine runs on the other one.
//!
//! # Source of the threshold
//! QNAP's own status of a power unit: 0 good, -1 failed, -2 removed, -3 not watched (hal.h). A family shares one plan
//! with and without a second unit, so "removed" may also mean that it was never there.

use assay_bundle::Observed;
use assay_bundle::diagnosis::Component;
use assay_bundle::facts::Facts;
use assay_bundle::facts::power::{Power, PowerStatus, PowerUnit};

use crate::rule::{Judgement, Rule, over};

/// The rule.
pub static RULE: Rule = Rule {
    code: "PSU-001",
    title: "Power unit is not well",
    component: Component::Psu,
    checks: "Each power unit of a model that has redundant ones: what QTS says of it. No unit is judged in this version: one that QTS does not call good is told as an unknown, so that the machine is not called healthy.",
    why: "With one power unit left, the next fault or a pulled cord stops the machine at once, with every write in flight.",
    what_to_do: "Look at the lamp and the cord of the unit that is named, and try the cord on another socket before a unit is replaced. The machine runs on the other one.",
    threshold_source: "QNAP's own status of a power unit: 0 good, -1 failed, -2 removed, -3 not watched (hal.h). A family shares one plan with and without a second unit, so \"removed\" may also mean that it was never there.",
    evaluate,
};

fn evaluate(facts: &Facts) -> Vec<Judgement> {
    let power = &facts.power;
    let redundant = power.redundant.value() == Some(&true);
    // Elsewhere than on QTS nothing is known of power units, and nothing was asked.
    if power.units.is_not_collected() && !redundant {
        return vec![Judgement::not_applicable("power units")];
    }
    over(&power.units, "power units", redundant, |units| {
        units.iter().map(judge).chain(untold(power, units)).collect()
    })
}

fn judge(unit: &PowerUnit) -> Judgement {
    let (status, look) = match &unit.status {
        Observed::Seen { value: PowerStatus::Good, .. } => return Judgement::clear(&unit.name),
        Observed::Seen { value: PowerStatus::Failed, .. } => {
            ("QTS reports it as failed, or without input", "look at its lamp and its cord")
        }
        Observed::Seen { value: PowerStatus::Removed, .. } => {
            ("QTS reports it as removed", "look whether a unit belongs there and is pushed in")
        }
        Observed::Seen { value: PowerStatus::DetectionDisabled, .. } => {
            ("QTS does not watch it", "look at its lamp")
        }
        Observed::Seen { value: PowerStatus::Other, .. } => {
            ("QTS reports a state that is not known here", "look at its lamp")
        }
        other => {
            let why = format!("its state was not read: {}", other.why_not().unwrap_or_default());
            return Judgement::cannot_tell(&unit.name, why, true);
        }
    };
    let place = unit.status.place().unwrap_or_default();
    let line = unit.line.map(|line| format!(", line {line}")).unwrap_or_default();
    let why = format!("{status} (raw/{place}{line}); no rule of this version judges power units: {look}");
    Judgement::cannot_tell(&unit.name, why, true)
}

/// Units that should be there and that nothing named.
fn untold(power: &Power, units: &[PowerUnit]) -> Option<Judgement> {
    let expected = usize::try_from(*power.expected_units.value()?).ok()?;
    let missing = expected.checked_sub(units.len()).filter(|missing| *missing > 0)?;
    let why = format!("{missing} of the {expected} that the model should have was not named by any source");
    Some(Judgement::cannot_tell("power units", why, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::nas;

    fn unit(number: u32, status: Observed<PowerStatus>) -> PowerUnit {
        PowerUnit { name: format!("power unit {number}"), status, line: Some(12), ..PowerUnit::default() }
    }

    fn check(redundant: Option<bool>, units: Observed<Vec<PowerUnit>>, states: &[&str], says: &str) {
        let seen = |yes| Observed::seen(yes, "etc/model.conf");
        let redundant = redundant.map_or(Observed::NotCollected, seen);
        let expected_units = redundant.as_ref().map(|yes| if *yes { 2 } else { 1 });
        let power = Power { redundant, expected_units, units };
        crate::fixture::check(evaluate, &Facts { power, ..nas() }, states, says);
    }

    #[test]
    fn a_unit_that_is_not_good_is_never_passed_over() {
        use PowerStatus::{DetectionDisabled, Failed, Good, Removed};
        let two = |second: Observed<PowerStatus>| {
            Observed::seen(vec![unit(1, Observed::seen(Good, "log")), unit(2, second)], "log")
        };
        let seen = |status| two(Observed::seen(status, "var/log/hal_daemon.log"));
        let required = &["clear", "cannot tell, required"];
        check(Some(true), seen(Good), &["clear", "clear"], "");
        check(
            Some(true),
            seen(Failed),
            required,
            "failed, or without input (raw/var/log/hal_daemon.log, line 12)",
        );
        check(Some(true), seen(Removed), required, "whether a unit belongs there");
        check(Some(true), seen(DetectionDisabled), required, "does not watch");
        check(Some(true), two(Observed::unreadable("no status")), required, "no status");
        let one = Observed::seen(vec![unit(1, Observed::seen(Good, "log"))], "log");
        check(Some(true), one.clone(), required, "1 of the 2");
        check(Some(false), one, &["clear"], "");
        let failed = Observed::seen(vec![unit(1, Observed::seen(Failed, "log"))], "log");
        check(Some(false), failed, &["cannot tell, required"], "failed");
    }

    #[test]
    fn units_that_were_not_read() {
        let unread = || Observed::unreadable("nothing told");
        check(Some(true), unread(), &["cannot tell, required"], "nothing told");
        check(Some(true), Observed::NotCollected, &["cannot tell, required"], "");
        check(None, unread(), &["cannot tell"], "nothing told");
        check(None, Observed::NotCollected, &["not applicable"], "");
        check(Some(false), Observed::Absent, &["not applicable"], "");
    }
}
