//! BAY-001: bay harms the drives that are put into it.

use std::collections::{BTreeMap, BTreeSet};

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::history::{Metric, Subject};

use crate::certainty::{BAY_FOLLOWED, BAY_LOSES, DRIVE_FOLLOWED, Place};
use crate::course::DAY_S;
use crate::evidence::{listed, test, told};
use crate::rule::{Judgement, Rule};
use crate::shared::{Map, Mark, ticks};
use crate::stays::{Tenant, bay_of, tenant, tenants};
use crate::view::View;

/// So many different drives with one fate in one bay speak of the bay.
const SEVERAL: usize = 2;
/// Drives that left a bay within so long left it for one reason (judgement: half a year).
const WITHIN_S: u64 = 180 * DAY_S;
/// A note of trouble so close to the day on which a drive was last seen is about its leaving (the memory writes daily).
const CLOSE_S: u64 = 2 * DAY_S;

/// The rule.
pub static RULE: Rule = Rule {
    code: "BAY-001",
    title: "Bay harms the drives in it",
    component: Component::Slot,
    checks: "Which drive was in which bay when, as earlier runs remember it, against link errors and timeouts of the kernel log over all boots and rising counts of link errors: whether errors stay with the bay while the drives change, or move with the drive; and whether different drives left the same bay after trouble while other bays kept theirs.",
    why: "A bad slot looks like a bad drive, and every replacement fails in it again.",
    what_to_do: "Replace no drive for this. Back up the data, leave the bay empty if the arrays allow it, and have the slot or backplane repaired.",
    threshold_source: "Two different drives in one bay, none or one elsewhere; leaving counts within 180 days and with trouble noted within two days of it (judgement). Link errors tell of the path and not of the medium: SATA specification, phy event counters.",
    evaluate,
};

/// An error of the link or an answer that did not come: where, whose, when.
struct Incident<'f> {
    bay: u32,
    serial: &'f str,
    evidence: Evidence,
}

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    match &facts.inventory {
        // A memory that could not be read is DRV-003's word already.
        Observed::Absent | Observed::Unreadable { .. } => return vec![Judgement::not_applicable("bays")],
        Observed::Seen { .. } => {}
        other @ Observed::NotCollected => {
            let why =
                format!("which drive was in which bay is not known: {}", other.why_not().unwrap_or_default());
            return vec![Judgement::cannot_tell("bays", why, false)];
        }
    }
    let tenants = tenants(facts);
    if tenants.is_empty() {
        return vec![Judgement::not_applicable("bays")];
    }
    let incidents = incidents(view, &tenants);
    let mut judgements = followed(&incidents);
    let told: BTreeSet<String> = judgements.iter().map(|j| j.subject.clone()).collect();
    judgements.extend(losing(facts, &tenants).into_iter().filter(|j| !told.contains(&j.subject)));
    if judgements.is_empty() { vec![Judgement::clear("bays")] } else { judgements }
}

fn bay(number: u32) -> String {
    format!("bay {number}")
}

/// Every error whose bay and drive are both known. What several drives share is no bay's.
fn incidents<'f>(view: &View<'f>, tenants: &[Tenant<'f>]) -> Vec<Incident<'f>> {
    let facts = view.facts;
    let map = Map::of(facts);
    let mut incidents = Vec::new();
    for tick in ticks(&map, &view.log) {
        let of_link = matches!(tick.mark, Mark::LinkError | Mark::Timeout);
        let Some(drive) = map.single(&tick.who).filter(|_| of_link && !tick.by_hand) else { continue };
        let inside = drive.enclosure.value().copied().unwrap_or(0) == 0;
        let Some(bay) = drive.bay.value().copied().filter(|_| inside) else { continue };
        if view.shares(drive, tick.mark).is_some() {
            continue;
        }
        if let Some(there) = tenant(tenants, bay, tick.at_s) {
            let evidence = tick.happening.evidence();
            incidents.push(Incident { bay, serial: &there.drive.serial, evidence });
        }
    }
    let history = facts.history.value().into_iter().flat_map(|history| &history.series);
    for series in history.filter(|s| s.subject == Subject::Drive && s.metric == Metric::Ata199) {
        let Some(serial) = series.serial.as_deref() else { continue };
        let shared = facts
            .drives
            .value()
            .and_then(|all| all.iter().find(|d| d.serial.value().is_some_and(|s| s == serial)))
            .is_some_and(|drive| view.shares(drive, Mark::LinkError).is_some());
        for (before, after) in series.points.iter().zip(series.points.iter().skip(1)).filter(|_| !shared) {
            let rose = before.value.zip(after.value).filter(|(before, after)| after > before);
            let (Some((from, to)), Some(at)) = (rose, after.unix_s) else { continue };
            let Some(bay) = bay_of(tenants, serial, at) else { continue };
            let value = format!("rose from {from} to {to} in bay {bay}, seen {}", crate::text::date(at));
            let evidence =
                told(format!("drives[{serial}].ata_attributes[199]"), value, "state/recorder.jsonl");
            incidents.push(Incident { bay, serial, evidence });
        }
    }
    incidents
}

/// Errors that stay with a bay, and errors that move with a drive.
fn followed(incidents: &[Incident<'_>]) -> Vec<Judgement> {
    let (mut in_bay, mut of_serial) =
        (BTreeMap::<u32, BTreeSet<&str>>::new(), BTreeMap::<&str, BTreeSet<u32>>::new());
    for incident in incidents {
        in_bay.entry(incident.bay).or_default().insert(incident.serial);
        of_serial.entry(incident.serial).or_default().insert(incident.bay);
    }
    let moved: Vec<&str> =
        of_serial.iter().filter(|(_, bays)| bays.len() >= SEVERAL).map(|(serial, _)| *serial).collect();
    // The first of each pair proves it.
    let proof = |wanted: &dyn Fn(&Incident<'_>) -> bool| {
        let mut seen = BTreeSet::new();
        let first = |i: &&Incident<'_>| wanted(i) && seen.insert((i.bay, i.serial.to_owned()));
        incidents.iter().filter(first).map(in_words).collect::<Vec<Evidence>>()
    };
    let mut judgements = Vec::new();
    for (number, serials) in &in_bay {
        let own: Vec<String> =
            serials.iter().filter(|s| !moved.contains(s)).map(|s| (*s).to_owned()).collect();
        if own.len() < SEVERAL {
            continue;
        }
        let title = format!("Errors stay with bay {number} while the drives in it change");
        let suspects = BAY_FOLLOWED.suspects(|share| match share.component {
            Component::Drive => Place::at(format!("each of {}", listed(&own))),
            Component::Psu => Place::at("the unit"),
            _ => Place::at(bay(*number)),
        });
        let evidence = proof(&|i| i.bay == *number && own.iter().any(|s| s == i.serial));
        let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
        finding.counter_evidence.push(told(
            "inventory",
            "the drives may be of one batch with one fault; errors of the same model in other bays would say so",
            "",
        ));
        finding.test = stays_test(*number);
        judgements.push(Judgement::found(bay(*number), finding));
    }
    for serial in moved {
        let bays = of_serial.get(serial).into_iter().flatten();
        let places = listed(&bays.map(|number| bay(*number)).collect::<Vec<_>>());
        let title = format!("Link errors follow the drive {serial} through {places}");
        let suspects = DRIVE_FOLLOWED.suspects(|share| match share.component {
            Component::Drive => {
                Place { location: places.clone(), serial: Some(serial.to_owned()), firmware: None }
            }
            _ => Place::at(places.clone()),
        });
        let mut finding = RULE.finding(Verdict::Suspected, title, suspects, proof(&|i| i.serial == serial));
        finding.component = Component::Drive;
        finding.advice = "Back up the data and run the drive's extended self-test; its connector or electronics are more suspect than any bay.".to_owned();
        finding.counter_evidence.push(told(
            "inventory",
            "other drives in these bays show no such errors",
            "",
        ));
        finding.test = test(
            "Look at the drive's connector when the unit is next switched off for other reasons, and read the count of link errors again after a week.",
            &[
                "It rises in the bay that it is in now, too: the drive.",
                "It stays: dust or a loose seat that the move has mended.",
            ],
        );
        judgements.push(Judgement::found(format!("drive {serial}"), finding));
    }
    judgements
}

fn in_words(incident: &Incident<'_>) -> Evidence {
    let Evidence { fact, value, from } = &incident.evidence;
    Evidence {
        fact: fact.clone(),
        value: format!("{value}; bay {} held {}", incident.bay, incident.serial),
        from: from.clone(),
    }
}

fn stays_test(number: u32) -> Option<assay_bundle::diagnosis::DiscriminatingTest> {
    test(
        format!(
            "Move no drive. Note the serial number in bay {number}, clear nothing, and read link errors and the log again after a week with load; when the drive is replaced for another reason, read them again."
        ),
        &[
            "Errors go on in this bay with any drive: the slot or backplane.",
            "They end with another drive in it: the drive that was there.",
            "Other bays begin to show them: what the bays share (power, controller).",
        ],
    )
}

/// Bays that different drives left within a while, when no other bay lost more than one.
fn losing(facts: &Facts, tenants: &[Tenant<'_>]) -> Vec<Judgement> {
    let mut left: BTreeMap<u32, Vec<&Tenant<'_>>> = BTreeMap::new();
    for tenant in tenants {
        let gone = tenant.drive.present.value() == Some(&false);
        if gone && tenant.drive.last_bay == Some(tenant.bay) {
            let of_bay = left.entry(tenant.bay).or_default();
            of_bay.retain(|other| other.drive.serial != tenant.drive.serial);
            of_bay.push(tenant);
        }
    }
    let several: Vec<u32> =
        left.iter().filter(|(_, who)| who.len() >= SEVERAL).map(|(bay, _)| *bay).collect();
    // Several bays that lose drives again and again: drives are changed as a habit.
    let [number] = several.as_slice() else { return Vec::new() };
    let mut who = left.remove(number).unwrap_or_default();
    who.sort_by_key(|t| t.until_unix_s);
    let newest = who.last().map(|t| t.until_unix_s).unwrap_or_default();
    who.retain(|t| newest.abs_diff(t.until_unix_s) <= WITHIN_S);
    let kept = tenants.iter().any(|t| t.bay != *number && t.drive.present.value() == Some(&true));
    if who.len() < SEVERAL || !kept {
        return Vec::new();
    }
    let troubled: Vec<(&Tenant<'_>, Evidence)> =
        who.iter().filter_map(|t| Some((*t, trouble(facts, t)?))).collect();
    let taken = facts
        .drives
        .value()
        .into_iter()
        .flatten()
        .any(|d| d.bay.value() == Some(number) && d.enclosure.value().copied().unwrap_or(0) == 0);
    if troubled.is_empty() && taken {
        let why = format!(
            "{} drives left it in half a year and nothing was logged of trouble: changed or rotated by hand",
            who.len()
        );
        return vec![Judgement::exonerated(bay(*number), why)];
    }
    let verdict = if troubled.len() >= SEVERAL { Verdict::Suspected } else { Verdict::Watch };
    let title = format!("Bay {number} lost {} drives in half a year, and other bays kept theirs", who.len());
    let serials: Vec<String> = who.iter().map(|t| t.drive.serial.clone()).collect();
    let suspects = BAY_LOSES.suspects(|share| match share.component {
        Component::Drive => Place::at(format!("each of {}", listed(&serials))),
        Component::StorageState => Place::at("whoever changed them"),
        _ => Place::at(bay(*number)),
    });
    let from = facts.inventory.place().unwrap_or_default();
    let mut evidence: Vec<Evidence> = who
        .iter()
        .map(|t| {
            let value = format!(
                "{} {} was in bay {number} until {}",
                t.drive.model,
                t.drive.serial,
                crate::text::date(t.until_unix_s)
            );
            told("inventory.remembered_drives", value, from)
        })
        .collect();
    evidence.extend(troubled.into_iter().map(|(_, evidence)| evidence));
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.counter_evidence.push(told(
        "inventory",
        "drives that are taken out on purpose leave the same memory: ask whether they were",
        "",
    ));
    finding.test = stays_test(*number);
    vec![Judgement::found(bay(*number), finding)]
}

/// Trouble of the bay that QTS noted around the time at which this drive was last seen.
fn trouble(facts: &Facts, tenant: &Tenant<'_>) -> Option<Evidence> {
    let Observed::Seen { value: log, from } = &facts.event_log else { return None };
    let named = format!("drive {}", tenant.bay);
    let event = log.events.iter().find(|e| {
        matches!(e.kind.as_str(), "drive-error" | "raid-degraded" | "raid-failed" | "ncq-disabled")
            && e.subject.as_deref() == Some(named.as_str())
            && e.at_unix_s.is_some_and(|at| at.abs_diff(tenant.until_unix_s) <= CLOSE_S)
    })?;
    let at = event.at_unix_s.map(crate::text::date).unwrap_or_default();
    Some(told(
        "event_log.events",
        format!("{} of {named} at {at}", event.kind),
        &format!("{from}#L{}", event.line),
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::log::{attached, earlier, event};
    use crate::fixture::{Four, nas, recorded, with_log};
    use crate::stays::testing::{remembering, stayed};
    use assay_bundle::facts::drive::Drive;
    use assay_bundle::facts::event_log::{EventLog, SystemEvent};

    const NOW: i64 = 1_700_000_000;
    const DAY: i64 = 86_400;
    /// The drive of the fixture that is in bay 3 now.
    const HERE: &str = "WD-WCC7K003";

    fn unit(facts: Facts) -> Facts {
        attached(
            facts,
            &[("sda", "0000:00:17.0 ata1"), ("sdb", "0000:00:17.0 ata2"), ("sdc", "0000:00:17.0 ata3")],
        )
    }

    /// Bay 3 held A until twenty days ago, and holds the drive of the fixture since.
    fn changed() -> Facts {
        let before = (3, NOW - 200 * DAY, NOW - 20 * DAY);
        remembering(
            unit(nas()),
            vec![stayed("A", &[before], false), stayed(HERE, &[(3, NOW - 18 * DAY, NOW)], true)],
        )
    }

    /// The same, with a timeout of the port in an earlier boot and one now.
    fn both() -> Facts {
        let facts = with_log(changed(), vec![event("ata-interface-crc", "ata3", 400)]);
        earlier(facts, vec![("2023-10-01 10:00:00", event("ata-interface-crc", "ata3", 900))])
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: both(),
            clear: with_log(changed(), vec![event("ata-interface-crc", "ata3", 400)]),
            cannot_tell: nas(),
            not_applicable: Some(Facts { inventory: Observed::Absent, ..nas() }),
        }
    }

    fn check(facts: &Facts, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, facts, states, says);
    }

    #[test]
    fn errors_that_stay_with_the_bay() {
        check(&both(), &["found, suspected"], "Errors stay with bay 3");
        check(&both(), &["found, suspected"], "bay 3 held A");
        // The same drive twice is no proof against the bay.
        let facts =
            earlier(changed(), vec![("2023-11-10 10:00:00", event("ata-interface-crc", "ata3", 900))]);
        let facts = with_log(facts, vec![event("ata-interface-crc", "ata3", 400)]);
        check(&facts, &["clear"], "");
        let unread = Facts { inventory: Observed::unreadable("denied"), ..both() };
        check(&unread, &["not applicable"], "");
    }

    #[test]
    fn errors_that_move_with_the_drive() {
        let drive = Drive { serial: Observed::seen("M".to_owned(), "x"), ..crate::fixture::hdd("sdc", 3) };
        let stays = [(1, NOW - 90 * DAY, NOW - 50 * DAY), (3, NOW - 40 * DAY, NOW)];
        let others = stayed("B", &[(1, NOW - 45 * DAY, NOW)], true);
        let facts = remembering(unit(nas()), vec![stayed("M", &stays, true), others]);
        let points =
            [(NOW - 80 * DAY, 0, Some(1)), (NOW - 60 * DAY, 0, Some(9)), (NOW - 10 * DAY, 0, Some(30))];
        let facts = recorded(facts, &drive, Metric::Ata199, &points);
        check(&facts, &["found, suspected"], "follow the drive M through bay 1 and bay 3");
        let facts = recorded(
            remembering(unit(nas()), vec![stayed("M", &stays, true)]),
            &drive,
            Metric::Ata199,
            &[(NOW - 39 * DAY, 0, Some(9)), (NOW - 10 * DAY, 0, Some(30))],
        );
        check(&facts, &["clear"], "");
    }

    fn noted(facts: Facts, at: &[i64]) -> Facts {
        let events = at.iter().zip(1..).map(|(at, line)| SystemEvent {
            kind: "drive-error".to_owned(),
            subject: Some("drive 4".to_owned()),
            at_unix_s: Some(*at),
            line,
            ..SystemEvent::default()
        });
        let log = EventLog { events: events.collect(), ..EventLog::default() };
        Facts { event_log: Observed::seen(log, "etc/logs/event.log"), ..facts }
    }

    #[test]
    fn a_bay_that_loses_every_drive() {
        let lost = |second: u32, kept: bool| {
            remembering(
                nas(),
                vec![
                    stayed("A", &[(4, NOW - 300 * DAY, NOW - 100 * DAY)], false),
                    stayed("B", &[(second, NOW - 90 * DAY, NOW - 10 * DAY)], false),
                    stayed(HERE, &[(3, NOW - 300 * DAY, NOW)], kept),
                ],
            )
        };
        let trouble = [NOW - 100 * DAY, NOW - 9 * DAY];
        check(&noted(lost(4, true), &trouble), &["found, suspected"], "Bay 4 lost 2 drives");
        check(&noted(lost(4, true), &trouble[..1]), &["found, watch"], "ask whether they were");
        check(&lost(4, true), &["found, watch"], "");
        check(&noted(lost(5, true), &trouble), &["clear"], "");
        check(&noted(lost(4, false), &trouble), &["clear"], "");
        // The bay is in use and nothing was logged: drives are changed by hand.
        let mut facts = lost(4, true);
        if let Observed::Seen { value, .. } = &mut facts.drives {
            value.push(crate::fixture::hdd("sdd", 4));
        }
        check(&facts, &["exonerated"], "rotated by hand");
    }
}
