//! MEM-002: memory needed correction more often than it should.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Finding, Rate, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::edac::{Dimm, MemoryController};
use assay_bundle::facts::history::{Metric, Subject};

use super::memory_uncorrected::module;
use crate::certainty::{MEMORY_CE, Place};
use crate::course::{self, DAY_S, WEEK_S};
use crate::evidence::{test, told};
use crate::happenings::{Happening, most_within};
use crate::machine_check::{Failed, record};
use crate::rule::{Judgement, Rule};
use crate::view::View;

/// Corrected errors of one module in a day from which it is suspected (mcelog.conf, `ce-error-threshold` 10 / 24h).
const SUSPECT_A_DAY: u64 = 10;
/// Corrected errors of one module in an hour that no chance explains (judgement: a hard fault that is read all the time).
const FLOOD_AN_HOUR: u64 = 1_000;
/// Seconds of an hour.
const HOUR_S: u64 = 3_600;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MEM-002",
    title: "Memory needs correction often",
    component: Component::Memory,
    checks: "Errors that memory corrected by itself, by module where it is known: the controllers' counters against earlier runs and against their own time, and the kernel log of this and earlier starts.",
    why: "Correction works, so no data is lost yet; a module that needs it every day mostly has a fault that grows.",
    what_to_do: "Keep the backup current and watch the count. From ten a day on one module plan its replacement: power off, seat it anew, and replace it when the errors stay with it.",
    threshold_source: "Ten corrected errors of one module in 24 hours (mcelog.conf, ce-error-threshold); one to nine a day are watched. A count that does not rise says nothing: one error in months is normal (Schroeder et al. 2009).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements: Vec<Judgement> = facts
        .memory_controllers
        .value()
        .into_iter()
        .flatten()
        .flat_map(|controller| counted(facts, controller))
        .collect();
    let found = |j: &Judgement| matches!(j.outcome, crate::rule::Outcome::Found(_));
    if !judgements.iter().any(found) {
        judgements.extend(logged(view));
    }
    if judgements.is_empty() {
        judgements.push(match &facts.memory_controllers {
            Observed::Seen { .. } | Observed::Absent => Judgement::not_applicable("memory"),
            _ if view.log.read => Judgement::clear("memory"),
            // MEM-001 asks for the counters.
            _ => Judgement::cannot_tell("memory", "neither counters nor a kernel log were read", false),
        });
    }
    judgements
}

/// How often a module was corrected, as far as one can tell.
struct Often {
    count: u64,
    within_s: u64,
    evidence: Evidence,
}

fn counted(facts: &Facts, controller: &MemoryController) -> Vec<Judgement> {
    let dimms = controller.dimms.value().into_iter().flatten();
    let by_module: Vec<Judgement> = dimms
        .filter(|dimm| dimm.corrected.is_seen())
        .map(|dimm| {
            let name = match dimm.label.value() {
                Some(label) if !label.trim().is_empty() => label.clone(),
                _ => format!("{}/{}", controller.name, dimm.name),
            };
            let path = format!("memory_controllers[{}].{}.corrected", controller.name, dimm.name);
            judge(facts, controller, (Subject::Dimm, &name), &dimm.corrected, &path, &module(dimm))
        })
        .collect();
    let placed: u64 = controller
        .dimms
        .value()
        .into_iter()
        .flatten()
        .filter_map(|d: &Dimm| d.corrected.value())
        .fold(0, |sum, n| sum.saturating_add(*n));
    // The controller's count and its modules' are the same errors.
    if by_module.is_empty() || controller.corrected.value().is_some_and(|n| *n > 0) && placed == 0 {
        if !controller.corrected.is_seen() {
            return by_module;
        }
        let path = format!("memory_controllers[{}].corrected", controller.name);
        let place = format!("a module of {}", controller.name);
        let series = (Subject::MemoryController, controller.name.as_str());
        return vec![judge(facts, controller, series, &controller.corrected, &path, &place)];
    }
    by_module
}

fn judge(
    facts: &Facts,
    controller: &MemoryController,
    (subject, series): (Subject, &str),
    reading: &Observed<u64>,
    path: &str,
    place: &str,
) -> Judgement {
    let (Some(count), from) = (reading.value().copied(), reading.place().unwrap_or_default()) else {
        return Judgement::not_applicable(place);
    };
    if count == 0 {
        return Judgement::clear(place);
    }
    let course = course::of_named(facts, subject, series, Metric::MemoryCorrected, Some(count), WEEK_S);
    let rose = course.rise_within(WEEK_S).map(|rise| Often {
        count: rise.by,
        within_s: rise.within_s,
        evidence: rise.evidence(path),
    });
    // Without a course the count's own time tells an average.
    let uptime = facts.clock.uptime_s.value().map(|s| s.0);
    let since = controller.since_reset_s.value().copied().or(uptime);
    let followed = matches!(course, course::Course::Still { .. } | course::Course::Rose(_));
    let average = since.filter(|_| !followed).map(|within_s| Often {
        count,
        within_s: within_s.max(1),
        evidence: told(path, format!("{count} corrected errors in {within_s} s"), from),
    });
    let Some(often) = rose.or(average).filter(|often| daily(often) >= 1) else {
        let why = format!("{count} corrected errors, and not one a day: that is normal");
        return Judgement::exonerated(place, why);
    };
    let total = told(path, format!("{count} corrected errors"), from);
    Judgement::found(place, finding(place, &often, vec![total]))
}

/// Errors a day; in less than a day those that were.
fn daily(often: &Often) -> u64 {
    if often.within_s <= DAY_S { often.count } else { often.count.saturating_mul(DAY_S) / often.within_s }
}

fn finding(place: &str, often: &Often, mut evidence: Vec<Evidence>) -> Finding {
    let suspect = daily(often) >= SUSPECT_A_DAY;
    let verdict = if suspect { Verdict::Suspected } else { Verdict::Watch };
    let flood = often.count >= FLOOD_AN_HOUR && often.within_s <= HOUR_S;
    let how = if flood { ", so many that it is a hard fault" } else { "" };
    let title = format!("The memory at {place} needed correction {} times{how}", often.count);
    evidence.push(often.evidence.clone());
    let suspects = MEMORY_CE.suspects(|share| match share.component {
        Component::Memory => Place::at(place),
        Component::Cpu => Place::at("memory controller in the processor"),
        _ => Place::at(format!("socket of {place}")),
    });
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.rate = Some(Rate { count: often.count, window_s: often.within_s });
    finding.test = test(
        "Watch the count for a day under load; then, with a backup made and the power off, seat the modules anew and watch again.",
        &[
            "It rises on with the same module: that module.",
            "It stays with the socket when modules change places: the socket or the processor.",
            "It stops: a contact was bad.",
        ],
    );
    finding
}

/// What the log says, by module; without one, by what reported it.
fn logged(view: &View<'_>) -> Vec<Judgement> {
    let corrected =
        |h: &&Happening<'_>| record(h.event).is_some_and(|r| r.failed == Failed::Memory && r.corrected);
    let mut by_place: BTreeMap<String, Vec<&Happening<'_>>> = BTreeMap::new();
    for happening in view.log.iter().filter(corrected) {
        let module = record(happening.event).and_then(|r| r.module);
        let reporter = happening.event.subject.as_deref().filter(|s| s.starts_with("mc"));
        let place = module.map(str::to_owned);
        let place = place.or(reporter.map(|mc| format!("a module of {mc}")));
        by_place.entry(place.unwrap_or_else(|| "one of the modules".to_owned())).or_default().push(happening);
    }
    let judge = |(place, happenings): (String, Vec<&Happening<'_>>)| {
        let Some((rate, first)) = most_within(happenings.iter().copied(), DAY_S) else {
            let why = "corrected errors stand in the log, and none has a time: how often it was is not known";
            return Judgement::cannot_tell(place, why, false);
        };
        let evidence = first.first().map(|h| h.evidence()).into_iter().collect();
        let told_rate = format!("{} corrected errors in {} s", rate.count, rate.window_s);
        let often = Often {
            count: rate.count,
            within_s: rate.window_s,
            evidence: told("kernel_log.events", told_rate, ""),
        };
        Judgement::found(place.clone(), finding(&place, &often, evidence))
    };
    by_place.into_iter().map(judge).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, controller, nas, with_log};
    use crate::machine_check::tests::event;
    use assay_bundle::facts::history::{History, Point, Series};

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;

    /// One module with this count, after so many seconds.
    fn counting(count: u64, since_s: u64) -> Facts {
        let mut controller = controller(&[("DIMM1", 0)]);
        controller.since_reset_s = Observed::seen(since_s, "x");
        controller.corrected = Observed::seen(count, "x");
        if let Observed::Seen { value, .. } = &mut controller.dimms {
            value[0].corrected = Observed::seen(count, "x");
        }
        Facts { memory_controllers: Observed::seen(vec![controller], "x"), ..nas() }
    }

    /// The same, with what an earlier run counted so many days ago in this boot.
    fn after(facts: Facts, was: i64, days: i64) -> Facts {
        let point = |boot| Point {
            unix_s: Some(NOW - days * DAY),
            boot: Some(boot),
            uptime_s: None,
            value: Some(was),
        };
        let series = Series {
            subject: Subject::Dimm,
            name: "DIMM1".to_owned(),
            serial: None,
            metric: Metric::MemoryCorrected,
            first: point(0),
            points: vec![point(0)],
            points_left_out: 0,
        };
        let history = History { boots: vec!["0b00".to_owned()], series: vec![series], ..History::default() };
        Facts { history: Observed::seen(history, "state/recorder.jsonl"), ..facts }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: counting(10, 3_600),
            clear: counting(0, 3_600),
            cannot_tell: nas(),
            not_applicable: Some(Facts { memory_controllers: Observed::Absent, ..nas() }),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn by_the_counters_own_time() {
        check(&counting(0, 9), "clear", "");
        check(&counting(10, 3_600), "found, suspected", "needed correction 10 times");
        check(&counting(9, 3_600), "found, watch", "9 times");
        check(&counting(2_000, 3_600), "found, suspected", "hard fault");
        check(&counting(30, 86_400 * 365), "exonerated", "not one a day");
        check(&counting(100, 86_400 * 5), "found, suspected", "100 times");
    }

    #[test]
    fn by_earlier_runs() {
        check(&after(counting(5_000, 3_600), 5_000, 3), "exonerated", "5000 corrected errors");
        check(&after(counting(5_020, 3_600), 5_000, 1), "found, suspected", "20 times");
        check(&after(counting(5_003, 3_600), 5_000, 1), "found, watch", "3 times");
    }

    #[test]
    fn by_the_log() {
        let with = |events| with_log(Facts { memory_controllers: Observed::Absent, ..nas() }, events);
        let mce = |at| event(&["mce-corrected"], &["bank 8", "status 9c00000000010091"], at);
        check(&with(vec![mce(1)]), "found, watch", "one of the modules");
        check(&with((1..=10).map(mce).collect()), "found, suspected", "10 times");
        check(&with(vec![event(&["edac-corrected"], &["module A1"], 1)]), "found, watch", "at A1");
        check(
            &with(vec![event(&["mce-corrected"], &["bank 0", "status 9c0000000001110a"], 1)]),
            "not applicable",
            "",
        );
        let untimed = assay_bundle::facts::kernel_log::KernelEvent { at_us: None, ..mce(1) };
        check(&with(vec![untimed]), "cannot tell", "none has a time");
    }
}
