//! BRD-001: clock of the board wears out.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;

use crate::certainty::{BOARD_CLOCK, Place};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::rules::boot_device_failing;
use crate::view::View;

/// Processors of the family (Bay Trail, LPC clock output).
const FAMILY: [&str; 2] = ["J1800", "J1900"];
/// Models that owners reported, by their names on the case.
const REPORTED: [&str; 8] =
    ["TS-251", "TS-251+", "TS-451", "TS-451+", "TS-453 Pro", "TS-653 Pro", "TS-851", "TS-853 Pro"];
/// So many readings of the board that make no sense are more than one command that failed: judgement.
const SEVERAL: usize = 2;

/// The rule.
pub static RULE: Rule = Rule {
    code: "BRD-001",
    title: "Clock of the board wears out",
    component: Component::Mainboard,
    checks: "On models with the processors Celeron J1800 and J1900: whether readings that pass through the processor's LPC bus (fans, case temperature, power) make no sense, and whether the boot device is reset or fails.",
    why: "In this family of processors the clock output of the LPC bus grows weak with age. One day the unit does not start any more, and its drives are well.",
    what_to_do: "Back up the data now and do not switch the unit off without need: it may not start again. The mainboard is the part to have looked at; the drives can move to another unit.",
    threshold_source: "Reports of owners and repairers of these models (a known weakness of the family). There is no measurement of it from inside, so it is never more than suspected: readings without sense and a boot device that fails together to suspect, several such readings alone to watch (judgement).",
    evaluate,
};

/// Whether the processor is one of the family.
pub(crate) fn is_of_family(facts: &Facts) -> bool {
    let brand = facts.host.cpu_brand.value().map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = brand.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    FAMILY.iter().any(|name| words.contains(name))
}

/// Whether readings of the board show the weakness.
pub(crate) fn shows(facts: &Facts) -> bool {
    is_of_family(facts) && !senseless(facts).is_empty()
}

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    vec![judge(view)]
}

fn judge(view: &View<'_>) -> Judgement {
    let facts = view.facts;
    let subject = "clock of the board";
    if !facts.host.cpu_brand.is_seen() {
        let affected = facts.identity.model.value().is_some_and(|model| REPORTED.contains(&model.as_str()));
        return match affected {
            true => Judgement::cannot_tell(
                subject,
                "the model is one of a family with a weak board clock, and its processor was not read",
                false,
            ),
            false => Judgement::not_applicable(subject),
        };
    }
    if !is_of_family(facts) {
        return Judgement::not_applicable(subject);
    }
    let senseless = senseless(facts);
    let boot = boot_device_failing::in_trouble(view);
    let verdict = match (senseless.len(), boot) {
        (0, _) => {
            let why =
                "the processor is of a family whose board clock can wear out; no reading here shows that";
            return Judgement::exonerated(subject, why);
        }
        (_, true) => Verdict::Suspected,
        (SEVERAL.., false) => Verdict::Watch,
        (_, false) => {
            let why = "the processor is of a family whose board clock can wear out; one reading that failed does not show that";
            return Judgement::exonerated(subject, why);
        }
    };
    let suspects = BOARD_CLOCK.suspects(|share| match share.component {
        Component::Mainboard => Place::at("mainboard, clock of its LPC bus"),
        Component::BootDevice => Place::at("boot device on the mainboard"),
        _ => Place::at("what reads the board"),
    });
    let mut evidence: Vec<Evidence> = Vec::new();
    evidence.extend(seen("host.cpu_brand", &facts.host.cpu_brand));
    evidence.extend(seen("identity.model", &facts.identity.model));
    evidence.extend(seen("identity.manufactured", &facts.identity.manufactured));
    evidence.extend(senseless);
    if boot {
        evidence.push(told("boot_device", "the boot device is reset or fails: see BOOT-001", ""));
    }
    let title = "The board's clock may be wearing out, as in other units with this processor".to_owned();
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    let doubt = "the clock itself cannot be measured from inside, and the unit runs now";
    finding.counter_evidence.push(told("host.cpu_brand", doubt, ""));
    if !facts.identity.model.value().is_some_and(|model| REPORTED.contains(&model.as_str())) {
        let doubt = "this model is not among those that owners reported";
        finding.counter_evidence.push(told("identity.model", doubt, ""));
    }
    finding.test = test(
        "With a backup made and the unit left running, run a check once an hour for a day and compare the readings of fans and case.",
        &[
            "They jump between sense and nonsense while the processor's own sensors are steady: the board's clock; plan the replacement of the mainboard.",
            "They fail always in the same way: a service of the system or the board's controller.",
            "All make sense: one bad moment; keep the backup.",
        ],
    );
    Judgement::found(subject, finding)
}

/// Readings that come over the LPC bus and could not be made sense of.
fn senseless(facts: &Facts) -> Vec<Evidence> {
    let refused =
        |path: String, why: &str| told(path, format!("gave no reading that makes sense: {why}"), "");
    let mut evidence = Vec::new();
    for fan in facts.fans.value().into_iter().flatten() {
        if let (Some(true), Observed::Unreadable { why }) = (fan.expected.value(), &fan.speed_rpm) {
            evidence.push(refused(format!("fans[{}].speed_rpm", fan.name), why));
        }
    }
    for sensor in facts.temperatures.value().into_iter().flatten() {
        if let ("CPU" | "system", Observed::Unreadable { why }) =
            (sensor.name.as_str(), &sensor.temperature_c)
        {
            evidence.push(refused(format!("temperatures[{}].temperature_c", sensor.name), why));
        }
    }
    for unit in facts.power.units.value().into_iter().flatten() {
        if let Observed::Unreadable { why } = &unit.status {
            evidence.push(refused(format!("power.units[{}].status", unit.name), why));
        }
    }
    evidence
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, fan, nas};
    use assay_bundle::facts::boot_device::BootDevice;
    use assay_bundle::facts::hwmon::{Fan, TemperatureSensor};
    use assay_bundle::facts::kernel_log::KernelEvent;

    /// The family with so many senseless readings, and a boot device that is reset so often.
    fn facts(brand: &str, senseless: usize, resets: usize) -> Facts {
        let mut facts = nas();
        facts.identity.model = Observed::seen("TS-451+".to_owned(), "etc/platform.conf");
        facts.host.cpu_brand = Observed::seen(brand.to_owned(), "sample/host.json");
        let bad = Fan { speed_rpm: Observed::unreadable("65535 RPM"), ..fan("system fan 1", 0) };
        let good = fan("system fan 1", 900);
        facts.fans = Observed::seen(vec![if senseless > 0 { bad } else { good }], "x");
        let system = TemperatureSensor {
            name: "system".to_owned(),
            temperature_c: if senseless > 1 {
                Observed::unreadable("128 C")
            } else {
                Observed::seen(assay_bundle::units::Celsius(30), "x")
            },
            ..TemperatureSensor::default()
        };
        facts.temperatures = Observed::seen(vec![system], "x");
        let event = KernelEvent {
            signature: "io-error".to_owned(),
            subject: Some("sde".to_owned()),
            ..KernelEvent::default()
        };
        let boot = BootDevice { device: Observed::seen("sde".to_owned(), "x"), ..BootDevice::default() };
        facts.boot_device = Observed::seen(boot, "x");
        crate::fixture::with_log(facts, vec![event; resets])
    }

    const J1900: &str = "Intel(R) Celeron(R) CPU  J1900  @ 1.99GHz";

    pub(crate) fn four() -> Four {
        let mut unknown = facts(J1900, 0, 0);
        unknown.host.cpu_brand = Observed::NotCollected;
        Four {
            fires: facts(J1900, 2, 1),
            clear: facts(J1900, 0, 0),
            cannot_tell: unknown,
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn the_family_and_its_signs() {
        check(&facts(J1900, 0, 0), "exonerated", "no reading here shows that");
        check(&facts(J1900, 1, 0), "exonerated", "one reading that failed");
        check(&facts(J1900, 2, 0), "found, watch", "128 C");
        check(&facts(J1900, 1, 1), "found, suspected", "see BOOT-001");
        check(&facts(J1900, 0, 3), "exonerated", "");
        check(&facts("Intel(R) Celeron(R) J4125 CPU @ 2.00GHz", 2, 3), "not applicable", "");
        let mut other = facts(J1900, 2, 1);
        other.identity.model = Observed::seen("TS-453mini".to_owned(), "x");
        check(&other, "found, suspected", "not among those that owners reported");
    }
}
