//! PSU-002: power goes without a shutdown.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Rate, SuspectKind, Verdict};
use assay_bundle::facts::Facts;

use crate::certainty::{POWER_GOES, POWER_GOES_AFTER_UPS, Place};
use crate::course::DAY_S;
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule};
use crate::stops::{self, Stops};
use crate::view::View;

/// From so many unclean stops in twelve months something is wrong.
const UNCLEAN_FROM: u64 = 4;
/// So many boots whose log breaks off in the middle of a line say that power went, and no program hung.
const BROKEN_OFF_FROM: u64 = 2;
/// Seconds of the twelve months.
const YEAR_S: u64 = 365 * DAY_S;

/// The rule.
pub static RULE: Rule = Rule {
    code: "PSU-002",
    title: "Power goes without a shutdown",
    component: Component::Psu,
    checks: "How often the unit stopped without a shutdown in the last twelve months, by QTS's event log and by kernel logs that break off in the middle of a line; with crash dumps in memory, the drives' counts of power-offs without notice, and what the UPS said before.",
    why: "A power supply that ages gives way under load and stops the unit without warning, and so do a bad outlet and a worn UPS battery. Each such stop can damage data that was being written.",
    what_to_do: "Measure or swap what feeds the unit, the outlet and the UPS first, then the power supply; keep a backup until the stops have ended.",
    threshold_source: "Four unclean stops in twelve months: a published case of an ageing supply had one or two a year while it was well, then four and seven (one case; judgement). Two logs that break off in the middle of a line tell a loss of power from a program that hung (judgement).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    vec![judge(view.facts)]
}

fn judge(facts: &Facts) -> Judgement {
    let subject = "power of the unit";
    let stops = stops::of(facts);
    let lifetime = stops::most_of_their_lives(facts);
    match stops.count() {
        Some(count) if count >= UNCLEAN_FROM => found(facts, &stops, count),
        // Counts of a whole life are old perhaps: never more than a hint.
        _ if lifetime.is_some() => hint(facts, stops, lifetime.unwrap_or_default()),
        Some(0) => Judgement::clear(subject),
        Some(1) => Judgement::exonerated(subject, "stopped once without a shutdown in a year: it happens"),
        Some(count) => {
            let why =
                format!("stopped {count} times without a shutdown in a year: a mains failure does that");
            Judgement::exonerated(subject, why)
        }
        None => match (&facts.event_log, &facts.persisted_log) {
            (Observed::Unreadable { why }, _) | (_, Observed::Unreadable { why }) => {
                let why = format!("what was logged of unclean stops could not be read: {why}");
                Judgement::cannot_tell(subject, why, false)
            }
            (Observed::Seen { .. }, _) => {
                let why = "no line of QTS's event log is understood: it may be in another language";
                Judgement::cannot_tell(subject, why, false)
            }
            _ => Judgement::not_applicable(subject),
        },
    }
}

fn found(facts: &Facts, stops: &Stops, count: u64) -> Judgement {
    let after_ups = stops.after_ups > 0 && stops.after_ups.saturating_mul(2) >= stops.listed;
    let power_went = stops.broken_off.is_some_and(|broken| broken >= BROKEN_OFF_FROM);
    let verdict = match (after_ups, power_went && stops.crashed.is_none()) {
        (false, true) => Verdict::Suspected,
        _ => Verdict::Watch,
    };
    let title = match after_ups {
        true => format!("The unit lost its power {count} times in a year, after its UPS had reported"),
        false => format!("The unit stopped {count} times in a year without being shut down"),
    };
    let mut finding = finding(facts, stops, verdict, after_ups, title);
    finding.rate = Some(Rate { count, window_s: YEAR_S });
    Judgement::found("power of the unit", finding)
}

/// What the drives count over their lives.
fn hint(facts: &Facts, mut stops: Stops, lifetime: Vec<assay_bundle::diagnosis::Evidence>) -> Judgement {
    stops.evidence.extend(lifetime);
    let title = "Most power cycles of this unit ended without a shutdown".to_owned();
    let mut finding = finding(facts, &stops, Verdict::Watch, false, title);
    let doubt = "counts of the drives' whole lives: when it happened, and in which unit, is not known";
    finding.counter_evidence.push(told("drives", doubt, ""));
    Judgement::found("power of the unit", finding)
}

fn finding(
    facts: &Facts,
    stops: &Stops,
    verdict: Verdict,
    after_ups: bool,
    title: String,
) -> assay_bundle::diagnosis::Finding {
    let row = if after_ups { &POWER_GOES_AFTER_UPS } else { &POWER_GOES };
    let suspects = row.suspects(|share| match (share.kind, share.component) {
        (SuspectKind::Environment, _) => Place::at("mains, outlet and cable"),
        (_, Component::Ups) => Place::at("UPS and its battery"),
        (_, Component::Psu) => Place::at("power supply of the unit"),
        _ => Place::at("mainboard"),
    });
    let mut finding = RULE.finding(verdict, title, suspects, stops.evidence.clone());
    if after_ups {
        finding.component = Component::PowerInput;
    }
    finding.counter_evidence.extend(stops.crashed.clone());
    if facts.power.redundant.value() == Some(&true) {
        let from = facts.power.redundant.place().unwrap_or_default();
        let words = "two power units stand in for each other: one that ages alone does not stop the unit";
        finding.counter_evidence.push(told("power.redundant", words, from));
    }
    let doubt = "a long press of the power button, a pulled cable and a hung system leave the same line";
    finding.counter_evidence.push(told("event_log", doubt, ""));
    finding.test = test(
        "Put the unit on another outlet, and on a UPS that passed its own test, and count the unclean stops of the next month.",
        &[
            "They end: the mains, the outlet or the UPS.",
            "They go on while other machines on the same outlet run: the power supply of the unit; have it replaced.",
            "They go on and a dump of the kernel appears: a crash, not the power.",
        ],
    );
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::nas;
    use crate::fixture::{Four, nvme, nvme_health, recorded, with_drives};
    use assay_bundle::facts::drive::{Drive, NvmeHealth};
    use assay_bundle::facts::event_log::{EventLog, MonthCount, SystemEvent};
    use assay_bundle::facts::history::Metric;
    use assay_bundle::facts::persisted_log::{Boot, BootEnd, PersistedLog};
    use assay_bundle::facts::pstore::Dump;

    /// The clock of the fixture is 2023-11-14.
    fn logged(months: &[(&str, u64)]) -> Facts {
        let count = |&(month, count): &(&str, u64)| MonthCount { month: month.to_owned(), count };
        let started = SystemEvent { kind: "started".to_owned(), ..SystemEvent::default() };
        let log = EventLog {
            rows_read: Some(100),
            events: vec![started],
            unclean_shutdowns_per_month: months.iter().map(count).collect(),
            ..EventLog::default()
        };
        Facts { event_log: Observed::seen(log, "sample/event_log.jsonl"), ..nas() }
    }

    fn kept(facts: Facts, ends: &[BootEnd]) -> Facts {
        let boot = |end: &BootEnd| Boot {
            last_at: Some("2023-10-01 04:00:00".to_owned()),
            end: *end,
            ..Boot::default()
        };
        let log = PersistedLog { boots: ends.iter().map(boot).collect(), ..PersistedLog::default() };
        Facts { persisted_log: Observed::seen(log, "mnt/HDA_ROOT/.logs/kmsg"), ..facts }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: kept(logged(&[("2023-10", 4)]), &[BootEnd::MidSentence; 3]),
            clear: logged(&[]),
            cannot_tell: Facts { event_log: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn stops_of_a_year() {
        check(&logged(&[("2023-10", 1)]), "exonerated", "once");
        check(&logged(&[("2023-10", 3)]), "exonerated", "3 times");
        check(&logged(&[("2023-03", 2), ("2023-10", 2)]), "found, watch", "2 in 2023-03, 2 in 2023-10");
        check(&logged(&[("2022-10", 9), ("2023-10", 1)]), "exonerated", "once");
        let broken = |n: usize| kept(logged(&[("2023-10", 4)]), &vec![BootEnd::MidSentence; n]);
        check(&broken(1), "found, watch", "the log of 1 boot breaks off");
        check(&broken(3), "found, suspected", "power supply of the unit");
        check(&kept(nas(), &[BootEnd::MidSentence; 4]), "found, suspected", "");
        check(&kept(nas(), &[BootEnd::Clean, BootEnd::Unknown, BootEnd::Open]), "clear", "");
    }

    #[test]
    fn what_speaks_for_another_cause() {
        let base = || kept(logged(&[("2023-10", 4)]), &[BootEnd::MidSentence; 4]);
        let mut ups = base();
        if let Observed::Seen { value: log, .. } = &mut ups.event_log {
            let event = |kind: &str, at| SystemEvent {
                kind: kind.to_owned(),
                at_unix_s: Some(at),
                ..SystemEvent::default()
            };
            log.events = vec![
                event("ups", 1_696_000_000),
                event("unclean-shutdown", 1_696_000_800),
                event("unclean-shutdown", 1_697_000_800),
            ];
        }
        check(&ups, "found, watch", "the UPS spoke shortly before 1 of 2");
        let mut crashed = base();
        let dump = Dump {
            name: "console-ramoops-0".to_owned(),
            events: vec![assay_bundle::facts::kernel_log::KernelEvent::default()],
            ..Dump::default()
        };
        crashed.pstore = Observed::seen(vec![dump], "sys/fs/pstore");
        check(&crashed, "found, watch", "power stayed then");
        let mut none = base();
        none.pstore = Observed::seen(Vec::new(), "sys/fs/pstore");
        check(&none, "found, suspected", "no dump of a crash");
        let mut two = base();
        two.power.redundant = Observed::seen(true, "etc/model.conf");
        check(&two, "found, suspected", "stand in for each other");
    }

    #[test]
    fn drives_that_count_the_same() {
        let flash = |device: &str, serial: &str| Drive {
            serial: Observed::seen(serial.to_owned(), "x"),
            ..nvme(device, NvmeHealth { unsafe_shutdowns: Some(9), ..nvme_health(0, 0, 0) })
        };
        let drives = vec![flash("nvme0", "A"), flash("nvme1", "B")];
        let stops = kept(logged(&[("2023-10", 4)]), &[BootEnd::MidSentence; 4]);
        let mut facts = Facts { drives: with_drives(drives.clone()).drives, ..stops };
        for drive in &drives {
            let past = [(1_690_000_000, 0, Some(4))];
            facts = recorded(facts, drive, Metric::NvmeUnsafeShutdowns, &past);
        }
        check(&facts, "found, suspected", "rose from 4 to 9");
    }

    #[test]
    fn a_log_that_nobody_understands() {
        let mut facts = logged(&[]);
        if let Observed::Seen { value: log, .. } = &mut facts.event_log {
            log.events.clear();
        }
        check(&facts, "cannot tell", "another language");
    }
}
