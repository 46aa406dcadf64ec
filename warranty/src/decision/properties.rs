//! What holds for every decision, over whole tables: every kind of part, verdict, coverage and channel.

use std::collections::BTreeSet;

use super::*;
use crate::fixture::{diagnosis, finding};
use assay_bundle::diagnosis::{Component, Finding};
use assay_bundle::entitlement::{Answer, Channel, Plan, PlanPurchase, Purchase, Region};
use jiff::civil::date;

const COMPONENTS: [Component; 18] = [
    Component::Drive,
    Component::Fan,
    Component::Psu,
    Component::Memory,
    Component::Cpu,
    Component::Mainboard,
    Component::Slot,
    Component::Link,
    Component::BootDevice,
    Component::RtcBattery,
    Component::Cooling,
    Component::Environment,
    Component::Nic,
    Component::Ups,
    Component::Enclosure,
    Component::StorageState,
    Component::PowerInput,
    Component::Software,
];
const VERDICTS: [Verdict; 3] = [Verdict::Watch, Verdict::Suspected, Verdict::Confirmed];
const CHANNELS: [Channel; 3] = [Channel::Unknown, Channel::Open, Channel::Gone];

fn coverages() -> [Coverage; 7] {
    [
        Coverage::NotBought,
        Coverage::Until { last_day: "2030-01-01".to_owned() },
        Coverage::Starts { first_day: "2027-01-01".to_owned(), last_day: "2030-01-01".to_owned() },
        Coverage::AppearsExpired { last_day: "2020-01-01".to_owned() },
        Coverage::Unknown { why: "coverage unknown: nobody says".to_owned() },
        Coverage::NotEligible { why: "outside the region".to_owned() },
        Coverage::Moved { serial: "Q2".to_owned() },
    ]
}

/// One part with this finding, this entitlement, in all situations of the channel.
fn each(granted: &Entitlement, finding: &Finding, mut see: impl FnMut(&PartDecision)) {
    for channel in CHANNELS {
        let said = Situation { channel, ..Situation::default() };
        let decision = decide(&diagnosis(vec![finding.clone()], &[]), granted, &said);
        assert_eq!(decision.parts.len(), 1);
        decision.parts.iter().for_each(&mut see);
    }
}

/// Every finding over every standard coverage, with all plans or only the extended warranty in every state.
fn everything(mut see: impl FnMut(&Finding, &Entitlement, &PartDecision)) {
    for (component, verdict) in COMPONENTS.into_iter().flat_map(|c| VERDICTS.map(|v| (c, v))) {
        let finding = finding("X-001", component, verdict);
        for standard in coverages() {
            for plan in coverages() {
                for only_extended in [false, true] {
                    let mut granted = crate::entitlement(None, None, None);
                    granted.standard = standard.clone();
                    granted.on_site_left = Some(1);
                    granted.extended = plan.clone();
                    if !only_extended {
                        granted.advanced_replacement = plan.clone();
                        granted.on_site = plan.clone();
                    }
                    each(&granted, &finding, |part| see(&finding, &granted, part));
                }
            }
        }
    }
}

#[test]
fn l12_no_lane_that_ships_without_a_confirmed_finding() {
    let mut shipping = 0_u32;
    everything(|finding, _, part| {
        for lane in part.lanes.iter().filter(|lane| lane.lane.ships()) {
            let never = matches!(
                finding.component,
                Component::Drive
                    | Component::StorageState
                    | Component::Ups
                    | Component::Link
                    | Component::Cooling
                    | Component::Environment
                    | Component::PowerInput
                    | Component::Software
            );
            if finding.verdict != Verdict::Confirmed || never {
                assert_eq!(lane.standing, Standing::NotOffered, "{finding:?} {lane:?}");
            } else if lane.is_possible() {
                shipping += 1;
            }
        }
        assert!(
            part.lane(Lane::DriveMaker)
                .is_some_and(|l| !l.is_possible() || finding.component == Component::Drive)
        );
    });
    assert!(shipping > 1_000, "the table has lanes that ship: {shipping}");
}

#[test]
fn every_part_has_a_next_step_and_every_lane_its_reason() {
    everything(|finding, granted, part| {
        assert_eq!(part.lanes.len(), LANES.len());
        let lanes: BTreeSet<Lane> = part.lanes.iter().map(|lane| lane.lane).collect();
        assert_eq!(lanes.len(), LANES.len(), "each lane once");
        assert!(part.lanes.windows(2).all(|w| w[0].standing <= w[1].standing), "best first");
        for lane in &part.lanes {
            assert!(!lane.why.is_empty() && !lane.rules.is_empty(), "{lane:?}");
            let refused = lane.standing == Standing::NotOffered;
            assert_eq!(lane.why.starts_with("not offered because "), refused, "{lane:?}");
            assert_eq!(lane.text.is_empty(), refused, "{lane:?}");
            assert!(lane.standing == Standing::Possible || lane.deadlines.is_empty(), "no date: {lane:?}");
        }
        // Only a unit whose coverage moved to a replacement has no lane: the replacement is the unit now.
        let moved = matches!(granted.standard, Coverage::Moved { .. });
        assert!(
            part.best().is_some() || moved && finding.verdict == Verdict::Confirmed,
            "{finding:?} {part:?}"
        );
    });
}

#[test]
fn no_lane_omits_its_gates() {
    let expected: [(Lane, &[&str]); 6] = [
        (Lane::OnSite, &["L8", "L9", "L12", "O5", "O9"]),
        (Lane::AdvanceReplacement, &["L8", "L9", "L12", "A2", "A7", "A16"]),
        (Lane::RepairRma, &["L8", "L9", "L12", "E4", "E6", "E9"]),
        (Lane::PurchaseChannel, &["L8", "L9"]),
        (Lane::InternationalRma, &["L7", "L8", "L9", "L12"]),
        (Lane::PaidRepair, &["L3", "L9", "L10"]),
    ];
    everything(|_, _, part| {
        for (lane, rules) in expected {
            let option = part.lane(lane).expect("every lane is there");
            let got: BTreeSet<&str> = option.gates.iter().map(|gate| gate.rule.as_str()).collect();
            assert_eq!(got, rules.iter().copied().collect(), "{option:?}");
        }
        let component = part.lane(Lane::Component).expect("every lane is there");
        let got: BTreeSet<&str> = component.gates.iter().map(|gate| gate.rule.as_str()).collect();
        let advanced = BTreeSet::from(["L8", "L9", "L12", "A2", "A7"]);
        let extended = BTreeSet::from(["L8", "L9", "L12", "E4", "E6", "L1"]);
        assert!(got == advanced || got == extended, "{component:?}");
        for gate in part.lanes.iter().flat_map(|lane| &lane.gates) {
            // Of what a situation can say, only the channel was said.
            assert!(!gate.closed || gate.text.contains("channel is recorded as gone"), "{gate:?}");
            assert!(!gate.text.is_empty());
        }
    });
}

#[test]
fn a_better_coverage_never_closes_a_lane() {
    let possible = |granted: &Entitlement, component| -> Vec<BTreeSet<Lane>> {
        let mut sets = Vec::new();
        each(granted, &finding("X-001", component, Verdict::Confirmed), |part| {
            sets.push(part.lanes.iter().filter(|l| l.is_possible()).map(|l| l.lane).collect());
        });
        sets
    };
    let until = coverages()[1].clone();
    // One of each kind that can ship anything.
    for component in [Component::Fan, Component::Mainboard, Component::RtcBattery, Component::Enclosure] {
        for standard in coverages() {
            // Each plan in the states that a record knows, alone and with the others.
            for states in 0..27_usize {
                let state = |plan: u32| coverages()[(states / 3_usize.pow(plan)) % 3].clone();
                let mut granted = crate::entitlement(None, None, None);
                granted.standard = standard.clone();
                granted.on_site_left = Some(4);
                (granted.extended, granted.advanced_replacement, granted.on_site) =
                    (state(0), state(1), state(2));
                let before = possible(&granted, component);
                let upgrades: [fn(&mut Entitlement) -> &mut Coverage; 3] =
                    [|e| &mut e.extended, |e| &mut e.advanced_replacement, |e| &mut e.on_site];
                for upgrade in upgrades {
                    let mut better = granted.clone();
                    *upgrade(&mut better) = until.clone();
                    let after = possible(&better, component);
                    let kept = before.iter().zip(&after).all(|(before, after)| before.is_subset(after));
                    assert!(kept, "{component:?} {granted:?}: {before:?} {after:?}");
                }
            }
        }
    }
}

#[test]
fn a_plan_more_never_shortens_a_coverage_nor_closes_a_lane() {
    let plan = |plan, years| PlanPurchase {
        plan,
        years,
        bought: "2025-03-20".to_owned(),
        certificate: Answer::Yes,
        direct_customer: Answer::Yes,
    };
    let shelf = [
        plan(Plan::Extended, 1),
        plan(Plan::Extended, 3),
        plan(Plan::AdvancedReplacement, 2),
        plan(Plan::AdvancedReplacement, 5),
        plan(Plan::OnSite, 5),
    ];
    let until = |coverage: &Coverage| match coverage {
        Coverage::Until { last_day } => last_day.clone(),
        _ => String::new(),
    };
    let mut longer = 0_u32;
    for model in ["TS-451", "TES-1885U", "TS-453D"] {
        for today in [date(2025, 4, 1), date(2027, 4, 1), date(2029, 4, 1), date(2031, 4, 1)] {
            for bought in 0..32_u32 {
                let record = |mask: u32| Purchase {
                    model: Some(model.to_owned()),
                    invoice_date: Some("2025-03-15".to_owned()),
                    region: Region::new(Some("US"), Some("CA")),
                    original_purchaser: Answer::Yes,
                    on_site_used: Some(0),
                    plans: Some(
                        shelf
                            .iter()
                            .enumerate()
                            .filter(|(i, _)| mask & (1 << i) != 0)
                            .map(|(_, p)| p.clone())
                            .collect(),
                    ),
                    ..Purchase::default()
                };
                let before = crate::entitlement_of(Some(today), &record(bought));
                for more in 0..5 {
                    let after = crate::entitlement_of(Some(today), &record(bought | 1 << more));
                    for (old, new) in [
                        (&before.standard, &after.standard),
                        (&before.extended, &after.extended),
                        (&before.advanced_replacement, &after.advanced_replacement),
                        (&before.on_site, &after.on_site),
                    ] {
                        assert!(
                            until(new) >= until(old),
                            "{model} {today} {bought:05b}+{more}: {old:?} {new:?}"
                        );
                        longer += u32::from(until(new) > until(old));
                    }
                    for component in [Component::Fan, Component::Mainboard] {
                        let lanes = |granted: &Entitlement| -> BTreeSet<Lane> {
                            let found = diagnosis(vec![finding("X-001", component, Verdict::Confirmed)], &[]);
                            let decision = decide(&found, granted, &Situation::default());
                            decision.parts[0]
                                .lanes
                                .iter()
                                .filter(|l| l.is_possible())
                                .map(|l| l.lane)
                                .collect()
                        };
                        assert!(
                            lanes(&before).is_subset(&lanes(&after)),
                            "{model} {today} {bought:05b}+{more}"
                        );
                    }
                }
            }
        }
    }
    assert!(longer > 100, "plans do something: {longer}");
}
