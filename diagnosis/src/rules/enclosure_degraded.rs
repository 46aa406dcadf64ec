//! ENC-001: expansion enclosure is degraded.

use std::collections::BTreeMap;

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::chassis::{Enclosure, EnclosureKind};
use assay_bundle::facts::event_log::SystemEvent;

use crate::certainty::{ENCLOSURE_GROUP_DEGRADED, ENCLOSURE_REPORTS, Place};
use crate::evidence::{test, told};
use crate::rule::{Judgement, Rule, over};
use crate::view::View;

/// Enclosures from this number on are outside of the machine (QNAP's hardware layer: 1 to 31 are inside).
const OUTSIDE_FROM: u32 = 32;
/// Most lines that a finding shows.
const MOST_LINES: usize = 4;

/// The rule.
pub static RULE: Rule = Rule {
    code: "ENC-001",
    title: "Expansion enclosure is degraded",
    component: Component::Enclosure,
    checks: "Each expansion enclosure that QTS lists: whether QTS's event log says that the RAID group of one that makes RAID in hardware (TR series) is degraded or failed, whether the kernel passes on a complaint of an enclosure about its fans, temperature or supply; and whether an enclosure whose drives QTS remembers is no longer listed.",
    why: "The drives of an enclosure with RAID in hardware cannot be asked for their health, so that its own word is all there is; and fans and supplies of an enclosure are watched by itself alone.",
    what_to_do: "Back up what lies on the enclosure, look at its lamps and at its page in Storage & Snapshots, and replace the member or part that it names.",
    threshold_source: "The newest word of QTS about the group: degraded or failed and not rebuilt since. Its wording is known from samples, so it is never confirmed here. Kernel driver ses for complaints of enclosures.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.chassis.enclosures, "enclosures", false, |all| {
        let outside: Vec<&Enclosure> = all.iter().filter(|e| is_outside(e)).collect();
        let mut judgements: Vec<Judgement> =
            outside.iter().map(|enclosure| judge(view, enclosure, &outside)).collect();
        judgements.extend(missing(facts, all));
        if judgements.is_empty() {
            judgements.push(Judgement::not_applicable("enclosures"));
        }
        judgements
    })
}

/// An enclosure for drives outside of the machine; boot module and card reader are rows of the same list.
fn is_outside(enclosure: &Enclosure) -> bool {
    let kind = enclosure.kind.value();
    let for_drives = !matches!(kind, None | Some(EnclosureKind::Mmc | EnclosureKind::OpticalDrive));
    let bays = enclosure.disks.value().is_some_and(|n| *n > 0);
    enclosure.id >= OUTSIDE_FROM && for_drives && bays
}

fn raid_in_hardware(enclosure: &Enclosure) -> bool {
    matches!(enclosure.kind.value(), Some(EnclosureKind::UsbRaid | EnclosureKind::ThunderboltRaid))
}

fn name(enclosure: &Enclosure) -> String {
    match enclosure.model.value() {
        Some(model) => format!("enclosure {} ({model})", enclosure.id),
        None => format!("enclosure {}", enclosure.id),
    }
}

fn judge(view: &View<'_>, enclosure: &Enclosure, outside: &[&Enclosure]) -> Judgement {
    let facts = view.facts;
    if raid_in_hardware(enclosure) {
        return group(facts, enclosure, outside);
    }
    complaints(view, enclosure, outside)
}

/// The group of an enclosure that makes RAID in hardware, by the newest word of QTS.
fn group(facts: &Facts, enclosure: &Enclosure, outside: &[&Enclosure]) -> Judgement {
    let subject = name(enclosure);
    let hidden = "its drives cannot be asked: the only way to them writes to the volume, which is not done";
    let Observed::Seen { value: log, from } = &facts.event_log else {
        let why = format!("{hidden}; and QTS's event log was not read");
        return Judgement::cannot_tell(subject, why, false);
    };
    let own = |event: &&SystemEvent| -> bool {
        let named = event.subject.as_deref().and_then(|s| s.strip_prefix("enclosure "));
        named.zip(enclosure.model.value()).is_some_and(|(named, model)| {
            let of_group = !named.contains(" drive ");
            let same = model.to_ascii_uppercase().starts_with(&named.to_ascii_uppercase());
            of_group && same
        })
    };
    let word = |event: &&SystemEvent| {
        matches!(event.kind.as_str(), "raid-degraded" | "raid-failed" | "raid-rebuilt" | "raid-rebuilding")
    };
    let newest = log.events.iter().filter(own).filter(word).max_by_key(|e| (e.at_unix_s, e.id));
    let Some(event) = newest.filter(|e| matches!(e.kind.as_str(), "raid-degraded" | "raid-failed")) else {
        let why = format!("{hidden}; QTS's event log has no word that its group is degraded");
        return Judgement::cannot_tell(subject, why, false);
    };
    let at = event.at_unix_s.map(|at| format!(" since {}", crate::text::date(at))).unwrap_or_default();
    let state = if event.kind == "raid-failed" { "failed" } else { "degraded" };
    let title = format!("The RAID group of {subject} is {state}, by QTS's event log");
    let suspects = ENCLOSURE_GROUP_DEGRADED.suspects(|share| match share.component {
        Component::Drive => Place::at(format!("a member in {subject}; the enclosure's lamps show which")),
        _ => enclosure_place(enclosure),
    });
    let mut evidence =
        vec![told("event_log.events", format!("{}{at}", event.kind), &format!("{from}#L{}", event.line))];
    let of_drives = format!("enclosure {} drive ", event_name(event));
    let drives =
        log.events.iter().rev().filter(|e| e.subject.as_deref().is_some_and(|s| s.starts_with(&of_drives)));
    evidence.extend(drives.take(MOST_LINES).map(|e| {
        let value = format!("{} of {}", e.kind, e.subject.as_deref().unwrap_or_default());
        told("event_log.events", value, &format!("{from}#L{}", e.line))
    }));
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    finding.counter_evidence.push(told(
        "event_log.events",
        "the wording is known from samples only, and a later repair may not have been noted",
        "",
    ));
    let alike = outside.iter().filter(|e| raid_in_hardware(e) && e.model == enclosure.model).count();
    if alike > 1 {
        let words = format!("{alike} enclosures of this model are attached, and the log does not say which");
        finding.counter_evidence.push(told("chassis.enclosures", words, ""));
    }
    finding.test = test(
        "Look at the enclosure's lamps and at its page in Storage & Snapshots; pull nothing.",
        &[
            "A member is shown as failed: back up, then replace that member.",
            "A member is shown as missing and is in its bay: with a backup made, look at it when the enclosure is switched off.",
            "All is shown as well: it was repaired since; nothing is defective.",
        ],
    );
    Judgement::found(subject, finding)
}

/// `TR-004` of `enclosure TR-004`.
fn event_name(event: &SystemEvent) -> &str {
    let subject = event.subject.as_deref().unwrap_or_default();
    subject.strip_prefix("enclosure ").unwrap_or(subject)
}

fn enclosure_place(enclosure: &Enclosure) -> Place {
    Place { location: name(enclosure), serial: enclosure.serial.value().cloned(), firmware: None }
}

/// What an enclosure complains of by way of the kernel.
fn complaints(view: &View<'_>, enclosure: &Enclosure, outside: &[&Enclosure]) -> Judgement {
    let subject = name(enclosure);
    let lines: Vec<Evidence> = view
        .log
        .of_kind(&["enclosure-message"])
        .filter(|h| h.now)
        .take(MOST_LINES)
        .map(|h| h.evidence())
        .collect();
    let watched = outside.iter().filter(|e| !raid_in_hardware(e)).count();
    if lines.is_empty() {
        return unwatched(enclosure);
    }
    let title = format!("{} complains of its fans, temperature or supply", capital(&subject));
    let suspects = ENCLOSURE_REPORTS.suspects(|_| enclosure_place(enclosure));
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, lines);
    if watched > 1 {
        let words = format!("{watched} enclosures are attached, and the line names an address only");
        finding.counter_evidence.push(told("chassis.enclosures", words, ""));
    }
    finding.test = test(
        "Look at the enclosure's lamps, listen to its fans, and read its page in Storage & Snapshots.",
        &[
            "A fan or a supply is shown as failed: replace that part.",
            "All is shown as well: note the time and read the log again after a day.",
        ],
    );
    Judgement::found(subject, finding)
}

/// Nothing reads the fans and supplies of an enclosure, and nothing complained.
fn unwatched(enclosure: &Enclosure) -> Judgement {
    let counts = [(&enclosure.fans, "fans"), (&enclosure.power_units, "power units")];
    let parts: Vec<String> = counts
        .into_iter()
        .filter_map(|(count, what)| count.value().filter(|n| **n > 0).map(|n| format!("{n} {what}")))
        .collect();
    if parts.is_empty() {
        return Judgement::clear(name(enclosure));
    }
    let why = format!(
        "it has {} and no source reads them; it complained of nothing in the kernel log: look at its lamps",
        parts.join(" and ")
    );
    Judgement::cannot_tell(name(enclosure), why, false)
}

fn capital(text: &str) -> String {
    text.replacen("enclosure", "Enclosure", 1)
}

/// Enclosures whose drives QTS remembers to have left and that are not listed any more.
fn missing(facts: &Facts, listed: &[Enclosure]) -> Vec<Judgement> {
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    let rows = facts.departed_drives.value().into_iter().flatten();
    let back = |serial: &Option<String>| {
        serial.is_some()
            && facts.drives.value().into_iter().flatten().any(|d| d.serial.value() == serial.as_ref())
    };
    for row in rows.filter(|r| r.enclosure >= OUTSIDE_FROM && !back(&r.serial)) {
        *left.entry(row.enclosure).or_default() += 1;
    }
    left.retain(|number, _| !listed.iter().any(|e| e.id == *number));
    left.into_iter()
        .map(|(number, drives)| {
            let noun = if drives == 1 { "drive" } else { "drives" };
            let why = format!(
                "QTS remembers {drives} {noun} of it and no longer lists it: switched off, its cable, or taken away"
            );
            Judgement::cannot_tell(format!("enclosure {number}"), why, false)
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::log::event;
    use crate::fixture::{Four, nas, with_log};
    use assay_bundle::facts::drive::DepartedDrive;
    use assay_bundle::facts::event_log::EventLog;

    fn enclosure(id: u32, kind: EnclosureKind, model: &str) -> Enclosure {
        Enclosure {
            id,
            kind: Observed::seen(kind, "etc/hal.conf"),
            model: Observed::seen(model.to_owned(), "etc/hal.conf"),
            disks: Observed::seen(4, "etc/hal.conf"),
            ..Enclosure::default()
        }
    }

    fn with(enclosures: Vec<Enclosure>) -> Facts {
        let mut facts = nas();
        facts.chassis.enclosures = Observed::seen(enclosures, "etc/hal.conf");
        facts
    }

    fn said(facts: Facts, events: &[(&str, &str)]) -> Facts {
        let events = events.iter().zip(1..).map(|(&(kind, subject), at)| SystemEvent {
            id: at,
            kind: kind.to_owned(),
            subject: Some(subject.to_owned()),
            at_unix_s: Some(1_699_000_000 + at),
            line: 7,
            ..SystemEvent::default()
        });
        let log = EventLog { events: events.collect(), ..EventLog::default() };
        Facts { event_log: Observed::seen(log, "sample/event_log.jsonl"), ..facts }
    }

    fn tr() -> Facts {
        with(vec![enclosure(33, EnclosureKind::UsbRaid, "TR-004")])
    }

    fn shelf() -> Enclosure {
        enclosure(40, EnclosureKind::Sas, "REXP-1220U-RP")
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: said(tr(), &[("raid-degraded", "enclosure TR-004")]),
            clear: with_log(with(vec![shelf()]), Vec::new()),
            cannot_tell: tr(),
            not_applicable: Some(with(vec![enclosure(0, EnclosureKind::Internal, "TS-453D")])),
        }
    }

    fn check(facts: &Facts, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, facts, states, says);
    }

    #[test]
    fn a_group_that_is_made_in_hardware() {
        let after = |events: &[(&str, &str)]| said(tr(), events);
        let degraded = ("raid-degraded", "enclosure TR-004");
        check(
            &after(&[degraded]),
            &["found, suspected"],
            "The RAID group of enclosure 33 (TR-004) is degraded",
        );
        let drive = ("drive-unplugged", "enclosure TR-004 drive 2");
        check(
            &after(&[drive, degraded]),
            &["found, suspected"],
            "drive-unplugged of enclosure TR-004 drive 2",
        );
        check(&after(&[degraded, ("raid-rebuilt", "enclosure TR-004")]), &["cannot tell"], "no word");
        check(&after(&[("raid-degraded", "drive 2")]), &["cannot tell"], "cannot be asked");
        check(&after(&[("raid-degraded", "enclosure TR-002")]), &["cannot tell"], "");
        check(&tr(), &["cannot tell"], "event log was not read");
        let two = with(vec![
            enclosure(33, EnclosureKind::UsbRaid, "TR-004"),
            enclosure(34, EnclosureKind::UsbRaid, "TR-004"),
        ]);
        let states = ["found, suspected", "found, suspected"];
        check(&said(two, &[degraded]), &states, "does not say which");
    }

    #[test]
    fn a_shelf_that_complains() {
        let logged = |events| with_log(with(vec![shelf()]), events);
        check(
            &logged(vec![event("enclosure-message", "8:0:12:0", 500)]),
            &["found, suspected"],
            "Enclosure 40",
        );
        check(&logged(Vec::new()), &["clear"], "");
        let mut counted = shelf();
        counted.fans = Observed::seen(3, "x");
        check(&with(vec![counted]), &["cannot tell"], "it has 3 fans and no source reads them");
    }

    #[test]
    fn an_enclosure_that_is_not_listed_any_more() {
        let row = |serial: &str, enclosure| DepartedDrive {
            enclosure,
            bay: Some(1),
            serial: Some(serial.to_owned()),
            ..DepartedDrive::default()
        };
        let left = |rows| Facts {
            departed_drives: Observed::seen(rows, "etc/enclosure_33_del.conf"),
            ..with(vec![enclosure(0, EnclosureKind::Internal, "TS-453D")])
        };
        check(&left(vec![row("A", 33), row("B", 33)]), &["cannot tell"], "remembers 2 drives of it");
        check(&left(vec![row("A", 0), row("WD-WCC7K001", 33)]), &["not applicable"], "");
    }
}
