//! NIC-001: network port has errors or a bad link.

use assay_bundle::diagnosis::{Component, Evidence, Rate, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::history::{Metric, Subject};
use assay_bundle::facts::network::NetworkLink;
use assay_bundle::units::MegabitsPerSecond;

use crate::certainty::{NIC_HANGS, NIC_LINK, Place};
use crate::course::{DAY_S, WEEK_S, of_named};
use crate::evidence::{seen, test, told};
use crate::happenings::{Happening, most_within};
use crate::rule::{Judgement, Rule, over};
use crate::view::View;

/// More losses of the link than this within an hour are no unplugging (hardware.md NET1).
const FLAPS_PER_HOUR: u64 = 10;
/// Seconds of the hour.
const HOUR_S: u64 = 3600;
/// So many hangs of the adapter are no accident: judgement.
const HANGS_FROM: u64 = 3;
/// So many bad checksums in a week are suspicious, fewer are watched: judgement.
const CRC_FROM: u64 = 100;
/// No port of a unit that this runs on is slower than this by design.
const SLOWEST_PORT: MegabitsPerSecond = MegabitsPerSecond(1_000);
/// Drivers whose adapters all reach 1 Gbit/s.
const GIGABIT: [&str; 9] =
    ["igb", "igc", "e1000e", "ixgbe", "atlantic", "tg3", "bnx2x", "mlx4_en", "mlx5_core"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "NIC-001",
    title: "Network port has errors or a bad link",
    component: Component::Nic,
    checks: "Each network port: hangs of its adapter and lost links that the kernel reports, bad checksums that rise, half duplex, and a link at 100 Mbit/s or less on a port that can do more.",
    why: "A bad cable or port slows backups down and breaks connections, and looks like a slow or failing NAS.",
    what_to_do: "Change the cable first, then the port of the switch, then use another port of the NAS.",
    threshold_source: "More than 10 lost links within an hour (field practice); bad checksums that rise within a week, from 100 to suspect (judgement); three hangs of the adapter to suspect (judgement). Old counts never fire. A link that is slower because the switch is, such as 1 Gbit/s on a port for 10, is no sign.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.network_links, "network ports", false, |links| {
        // Names of ports move from boot to boot: the running one only.
        let events: Vec<&Happening<'_>> = view.log.of_kind(&KINDS).filter(|h| h.now).collect();
        links.iter().map(|link| judge(facts, &events, link)).collect()
    })
}

/// What the kernel says of ports.
const KINDS: [&str; 4] = ["nic-hang", "nic-transmit-timeout", "nic-lost", "nic-link-down"];

fn judge(facts: &Facts, events: &[&Happening<'_>], link: &NetworkLink) -> Judgement {
    let subject = format!("network port {}", link.name);
    let own: Vec<&Happening<'_>> =
        events.iter().copied().filter(|h| h.event.subject.as_deref() == Some(link.name.as_str())).collect();
    adapter(&own, link).or_else(|| cable(facts, &own, link)).map_or_else(
        || Judgement::clear(subject.clone()),
        |finding| Judgement::found(subject.clone(), finding),
    )
}

/// The adapter itself: it hangs, or is gone.
fn adapter(own: &[&Happening<'_>], link: &NetworkLink) -> Option<assay_bundle::diagnosis::Finding> {
    let bad: Vec<&&Happening<'_>> = own.iter().filter(|h| !h.event.says("nic-link-down")).collect();
    let times = bad.iter().map(|h| h.times()).fold(0, u64::saturating_add);
    let gone = bad.iter().any(|h| h.event.says("nic-lost"));
    if times == 0 {
        return None;
    }
    let verdict = if gone || times >= HANGS_FROM { Verdict::Suspected } else { Verdict::Watch };
    let suspects = NIC_HANGS.suspects(|share| match share.kind {
        SuspectKind::Software => {
            Place::at(format!("driver {}", link.driver.value().map(String::as_str).unwrap_or("of the port")))
        }
        SuspectKind::SharedPart => Place::at("mainboard or slot of the card"),
        _ => Place::at(format!("network port {}", link.name)),
    });
    let evidence: Vec<Evidence> = bad.iter().rev().take(3).map(|h| h.evidence()).collect();
    let what = if gone { "fell off its bus" } else { "hung" };
    let title = format!("The adapter of network port {} {what}", link.name);
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.advice =
        "Update the firmware of the NAS, use another port, and have the card or the mainboard looked at when it goes on."
            .to_owned();
    finding.test = test(
        "Move the cable to another port of the NAS for a day and run a check again.",
        &[
            "The other port is well and this one hung alone: its adapter.",
            "Every port hangs under load: the driver; update the firmware.",
        ],
    );
    Some(finding)
}

/// What the port hangs on.
fn cable(
    facts: &Facts,
    own: &[&Happening<'_>],
    link: &NetworkLink,
) -> Option<assay_bundle::diagnosis::Finding> {
    let mut verdict = None;
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut rate = None;
    let path = |field: &str| format!("network_links[{}].{field}", link.name);
    let downs = own.iter().copied().filter(|h| h.event.says("nic-link-down"));
    if let Some((most, which)) = most_within(downs, HOUR_S)
        && most.count > FLAPS_PER_HOUR
    {
        verdict = verdict.max(Some(Verdict::Suspected));
        evidence.extend(which.last().map(|h| h.evidence()));
        rate = Some(most);
    }
    let name = link.name.as_str();
    let changes = link.carrier_changes.value().copied();
    let course = of_named(facts, Subject::Link, name, Metric::CarrierChanges, changes, DAY_S);
    if let Some(rise) = course.rise_within(DAY_S)
        // Each loss of a link is two changes.
        && rise.by.saturating_mul(HOUR_S) > rise.within_s.saturating_mul(FLAPS_PER_HOUR * 2)
    {
        verdict = verdict.max(Some(Verdict::Suspected));
        evidence.push(rise.evidence(path("carrier_changes")));
        rate = rate.or(Some(Rate { count: rise.by / 2, window_s: rise.within_s }));
    }
    let errors = link.rx_crc_errors.value().copied();
    let course = of_named(facts, Subject::Link, name, Metric::RxCrcErrors, errors, WEEK_S);
    if let Some(rise) = course.rise_within(WEEK_S) {
        let found = if rise.by >= CRC_FROM { Verdict::Suspected } else { Verdict::Watch };
        verdict = verdict.max(Some(found));
        evidence.push(rise.evidence(path("rx_crc_errors")));
        rate = rate.or(Some(rise.rate()));
    }
    let linked = link.carrier.value() == Some(&true);
    if linked && link.duplex.value().is_some_and(|duplex| duplex == "half") {
        verdict = verdict.max(Some(Verdict::Watch));
        evidence.extend(seen(path("duplex"), &link.duplex));
        evidence.extend(seen(path("collisions"), &link.collisions));
    }
    if let (true, Some(slow)) = (linked, too_slow(facts, link)) {
        verdict = verdict.max(Some(Verdict::Watch));
        evidence.extend(seen(path("speed_mbit_s"), &link.speed_mbit_s));
        evidence.push(slow);
    }
    let verdict = verdict?;
    let suspects = NIC_LINK.suspects(|share| match share.component {
        Component::Nic => Place::at(format!("network port {}", link.name)),
        Component::Link => Place::at(format!("cable of network port {}", link.name)),
        _ => Place::at(format!("switch, or its settings, at the other end of {}", link.name)),
    });
    let title = format!("The link of network port {} is bad", link.name);
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    finding.component = Component::Link;
    finding.rate = rate;
    let doubt = "a switch that restarts, or a cable that somebody moves, leaves the same marks";
    finding.counter_evidence.push(told(path("carrier_changes"), doubt, ""));
    finding.test = test(
        "Change the cable for a new one, then the port of the switch, each for a day, and run a check after each.",
        &[
            "The errors end with the cable or the port of the switch: that was it.",
            "They go on with both changed and end on another port of the NAS: the port of the NAS.",
        ],
    );
    Some(finding)
}

/// Whether the link is slower than the slowest that the port was built for.
fn too_slow(facts: &Facts, link: &NetworkLink) -> Option<Evidence> {
    let speed = *link.speed_mbit_s.value()?;
    if speed >= SLOWEST_PORT {
        return None;
    }
    let page = facts.management.system.value().and_then(|page| page.network_ports.value());
    let port = page.into_iter().flatten().find(|port| port.name == link.name);
    if let Some(port) = port.filter(|p| p.maximum_mbit_s.value().is_some_and(|most| *most > speed)) {
        return seen(format!("management.system.network_ports[{}].maximum", link.name), &port.maximum_mbit_s);
    }
    let driver = link.driver.value()?;
    GIGABIT.contains(&driver.as_str()).then(|| {
        let from = link.driver.place().unwrap_or_default();
        told(
            format!("network_links[{}].driver", link.name),
            format!("{driver}: its adapters reach {SLOWEST_PORT}"),
            from,
        )
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, recorded_name, with_log};
    use assay_bundle::Observed;
    use assay_bundle::facts::kernel_log::KernelEvent;

    const NOW: i64 = 1_700_000_100;

    fn port() -> NetworkLink {
        NetworkLink {
            name: "eth0".to_owned(),
            driver: Observed::seen("igc".to_owned(), "x"),
            carrier: Observed::seen(true, "x"),
            speed_mbit_s: Observed::seen(MegabitsPerSecond(1_000), "x"),
            duplex: Observed::seen("full".to_owned(), "x"),
            carrier_changes: Observed::seen(50, "x"),
            rx_crc_errors: Observed::seen(700, "x"),
            ..NetworkLink::default()
        }
    }

    fn with(port: NetworkLink, events: &[(&str, u64)]) -> Facts {
        let event = |&(signature, at_s): &(&str, u64)| KernelEvent {
            signature: signature.to_owned(),
            subject: Some("eth0".to_owned()),
            at_us: Some(at_s * 1_000_000),
            repeats: 1,
            ..KernelEvent::default()
        };
        let facts = with_log(nas(), events.iter().map(event).collect());
        Facts { network_links: Observed::seen(vec![port], "sys/class/net"), ..facts }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with(port(), &[("nic-hang", 9); 3]),
            clear: with(port(), &[]),
            cannot_tell: nas(),
            not_applicable: Some(Facts { network_links: Observed::Absent, ..nas() }),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn an_adapter_that_hangs() {
        check(&with(port(), &[("nic-hang", 9)]), "found, watch", "hung");
        check(&with(port(), &[("nic-transmit-timeout", 9); 3]), "found, suspected", "driver igc");
        check(&with(port(), &[("nic-lost", 9)]), "found, suspected", "fell off its bus");
        let other = NetworkLink { name: "eth1".to_owned(), ..port() };
        check(&with(other, &[("nic-lost", 9)]), "clear", "");
    }

    #[test]
    fn a_link_that_comes_and_goes() {
        let downs = |times: u64, every_s: u64| -> Vec<(&str, u64)> {
            (0..times).map(|n| ("nic-link-down", 1_000 + n * every_s)).collect()
        };
        check(&with(port(), &downs(11, 60)), "found, suspected", "count: 11");
        check(&with(port(), &downs(10, 60)), "clear", "");
        check(&with(port(), &downs(30, 900)), "clear", "");
        let past = |changes| {
            let facts = with(port(), &[]);
            // The boot of the fixture is the recorded one.
            let past = [(NOW - 3_600, 0, Some(changes))];
            let mut facts = recorded_name(facts, Subject::Link, "eth0", Metric::CarrierChanges, &past);
            facts.clock.boot_id = Observed::seen("earlier".to_owned(), "x");
            facts
        };
        check(&past(20), "found, suspected", "rose from 20 to 50");
        check(&past(40), "clear", "");
    }

    #[test]
    fn checksums_that_rise() {
        let past = |errors| {
            let past = [(NOW - 86_400, 0, Some(errors))];
            let facts = with(port(), &[]);
            let mut facts = recorded_name(facts, Subject::Link, "eth0", Metric::RxCrcErrors, &past);
            facts.clock.boot_id = Observed::seen("earlier".to_owned(), "x");
            facts
        };
        check(&past(700), "clear", "");
        check(&past(690), "found, watch", "rose from 690 to 700");
        check(&past(100), "found, suspected", "cable of network port eth0");
    }

    #[test]
    fn a_link_below_what_was_meant() {
        let at = |mbit, driver: &str| NetworkLink {
            speed_mbit_s: Observed::seen(MegabitsPerSecond(mbit), "x"),
            driver: Observed::seen(driver.to_owned(), "x"),
            ..port()
        };
        check(&with(at(100, "igc"), &[]), "found, watch", "its adapters reach");
        check(&with(at(100, "unknown"), &[]), "clear", "");
        check(&with(at(1_000, "atlantic"), &[]), "clear", "");
        let half = NetworkLink { duplex: Observed::seen("half".to_owned(), "x"), ..port() };
        check(&with(half.clone(), &[]), "found, watch", "half");
        check(&with(NetworkLink { carrier: Observed::seen(false, "x"), ..half }, &[]), "clear", "");
    }
}
