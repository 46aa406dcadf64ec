//! Decisions as an engineer would read them: one part, one entitlement, what was said, and where every lane stands.

use super::*;
use crate::fixture::{diagnosis, finding, finding_at};
use crate::request::{BackupAnswer, Dated, PrivateDataAnswer};
use crate::situation::{EvidenceHeld, SiteReady};
use Lane::{
    AdvanceReplacement, Component as ComponentLane, DriveMaker, EnvironmentFirst, InternationalRma, OnSite,
    OtherMaker, PaidRepair, PurchaseChannel, RepairRma, TestFirst,
};
use Verdict::{Confirmed, Suspected, Watch};
use assay_bundle::diagnosis::{Component, Finding, SuspectKind};
use assay_bundle::entitlement::Channel;

mod gates;
mod texts;

fn until() -> Coverage {
    Coverage::Until { last_day: "2030-01-01".to_owned() }
}

fn expired() -> Coverage {
    Coverage::AppearsExpired { last_day: "2020-01-01".to_owned() }
}

/// What a ledger that knows everything says: standard warranty, then plans E, A and O.
fn granted(standard: Coverage, plans: [Coverage; 3]) -> Entitlement {
    let [extended, advanced_replacement, on_site] = plans;
    let mut granted = crate::entitlement(None, Some("TS-453D"), None);
    granted.on_site_left = matches!(on_site, Coverage::Until { .. }).then_some(3);
    (granted.standard, granted.global) = (standard, Coverage::NotBought);
    (granted.extended, granted.advanced_replacement, granted.on_site) =
        (extended, advanced_replacement, on_site);
    granted
}

fn none() -> Entitlement {
    granted(until(), [Coverage::NotBought, Coverage::NotBought, Coverage::NotBought])
}

fn plan_e() -> Entitlement {
    granted(expired(), [until(), Coverage::NotBought, Coverage::NotBought])
}

fn plan_a() -> Entitlement {
    granted(until(), [Coverage::NotBought, until(), Coverage::NotBought])
}

fn plan_o() -> Entitlement {
    granted(until(), [Coverage::NotBought, until(), until()])
}

fn device() -> Entitlement {
    crate::entitlement(None, Some("TS-453D"), None)
}

fn board() -> Finding {
    finding_at("BRD-001", Component::Mainboard, Confirmed, "the unit")
}

fn fan() -> Finding {
    finding_at("FAN-001", Component::Fan, Confirmed, "fan 2")
}

fn decide_one(finding: Finding, granted: &Entitlement, said: &Situation) -> PartDecision {
    let decision = decide(&diagnosis(vec![finding], &[]), granted, said);
    assert_eq!(decision.no_service, None);
    let [part] = <[PartDecision; 1]>::try_from(decision.parts).expect("one part");
    part
}

/// The possible lanes in order.
fn check(finding: Finding, granted: &Entitlement, said: &Situation, possible: &[Lane]) -> PartDecision {
    let part = decide_one(finding, granted, said);
    let got: Vec<Lane> = part.lanes.iter().filter(|l| l.is_possible()).map(|l| l.lane).collect();
    assert_eq!(got, possible, "{part:#?}");
    assert_eq!(part.best().map(|l| l.lane), possible.first().copied());
    part
}

/// Why one lane stands where it stands.
fn why(part: &PartDecision, lane: Lane, standing: Standing, says: &str) {
    let option = part.lane(lane).expect("every lane is there");
    assert_eq!(option.standing, standing, "{option:#?}");
    assert!(option.why.contains(says), "{says:?} is not in {option:#?}");
}

/// The texts of the open gates of one lane.
fn open(part: &PartDecision, lane: Lane) -> Vec<String> {
    part.lane(lane).expect("every lane is there").open_gates().map(|gate| gate.text.clone()).collect()
}

fn said_everything() -> Situation {
    Situation {
        evidence: EvidenceHeld::FreshLive,
        identified_by: Some("Ada".to_owned()),
        rma_number: Some("RMA-1".to_owned()),
        card_authorised: true,
        address_confirmed_by_customer: true,
        request_complete: true,
        proof_of_purchase: true,
        backup: Some(Dated { answer: BackupAnswer::BackedUp, day: "2026-11-20".to_owned() }),
        private_data: Some(Dated {
            answer: PrivateDataAnswer::RemovedOrLocked,
            day: "2026-11-20".to_owned(),
        }),
        drives_removed: true,
        certificate_handed_in: true,
        documents_validated_at: Some("2026-11-20T18:00:00Z".to_owned()),
        international_costs_accepted: true,
        part_alone_agreed_by: Some("Ada".to_owned()),
        dealer_and_plans_checked: true,
        price_accepted: true,
        remote_troubleshooting_failed: true,
        visit_agreed_by: Some("Ada".to_owned()),
        site: SiteReady { backup: true, address: true, parts: true, adult: true, space: true, network: true },
        ..Situation::default()
    }
}

#[test]
fn l7_the_standard_lane_is_the_purchase_channel() {
    let part = check(board(), &none(), &Situation::default(), &[PurchaseChannel]);
    why(
        &part,
        AdvanceReplacement,
        Standing::NotOffered,
        "not offered because no advanced replacement is recorded",
    );
    why(&part, RepairRma, Standing::NotOffered, "no extended warranty is recorded");
    why(&part, InternationalRma, Standing::NotOffered, "not recorded as gone");
    why(&part, PaidRepair, Standing::NotOffered, "runs through 2030-01-01");
    let lane = part.best().expect("one");
    assert_eq!(lane.rules, ["L1", "L7", "L8", "L9"]);
    assert!(lane.gates.iter().all(|gate| !gate.text.contains("RMA number")), "no vendor number");
    // A fan too, when no plan covers it (A6 belongs to plan A).
    check(fan(), &none(), &Situation::default(), &[PurchaseChannel]);
}

#[test]
fn l7_international_rma_only_when_the_channel_is_gone() {
    let gone = Situation { channel: Channel::Gone, ..Situation::default() };
    let part = check(board(), &none(), &gone, &[InternationalRma]);
    why(&part, PurchaseChannel, Standing::NotOffered, "recorded as gone");
    let open = open(&part, InternationalRma);
    assert!(
        open.iter().any(|text| text.contains("USD 50") && text.contains("freight both ways")),
        "{open:?}"
    );
    assert!(open.iter().any(|text| text.contains("RMA number")));
    let there = Situation { channel: Channel::Open, ..Situation::default() };
    why(
        &check(board(), &none(), &there, &[PurchaseChannel]),
        InternationalRma,
        Standing::NotOffered,
        "is there (L7)",
    );
}

#[test]
fn l6_global_coverage_opens_the_nearest_retailer() {
    let global = Entitlement { global: until(), ..none() };
    let gone = Situation { channel: Channel::Gone, ..Situation::default() };
    let part = check(board(), &global, &gone, &[PurchaseChannel, InternationalRma]);
    assert!(part.best().expect("one").text.contains("nearest retailer"));
}

#[test]
fn a6_only_the_component_ships() {
    let said = Situation::default();
    let part = check(fan(), &plan_a(), &said, &[ComponentLane, PurchaseChannel]);
    why(&part, AdvanceReplacement, Standing::NotOffered, "only a component failed, so only that ships (A6)");
    assert!(part.best().expect("one").text.contains("Only the fan (fan 2) ships"));
    let psu = finding_at("PSU-001", Component::Psu, Confirmed, "power unit 2");
    let part = check(psu, &plan_e(), &said, &[ComponentLane, RepairRma, PurchaseChannel, PaidRepair]);
    let open = open(&part, ComponentLane);
    assert!(open.iter().any(|text| text.contains("vendor's option (L1)")), "{open:?}");
    // A mainboard is no component that ships.
    let part = check(board(), &plan_a(), &said, &[AdvanceReplacement, PurchaseChannel]);
    why(&part, ComponentLane, Standing::NotOffered, "does not ship by itself");
}

#[test]
fn e7_the_contradiction_is_shown() {
    let part = decide_one(board(), &plan_e(), &Situation::default());
    let lane = part.lane(RepairRma).expect("there");
    assert!(lane.text.contains("customer pays the way there, the vendor the way back (E7)"));
    assert_eq!(lane.conflicts.len(), 1);
    assert!(lane.conflicts[0].rule == "E7" && lane.conflicts[0].text.contains("also that handling"));
}

#[test]
fn l2_a_drive_goes_to_its_own_maker_whatever_the_plan() {
    for granted in [none(), plan_e(), plan_a(), plan_o(), device()] {
        let drive = finding("DRV-001", Component::Drive, Confirmed);
        let part = check(drive, &granted, &said_everything(), &[DriveMaker]);
        assert!(part.best().expect("one").text.contains("keep-your-drive"));
        assert_eq!(open(&part, DriveMaker), ["not safe to remove now: md1 has no redundancy left"]);
    }
}

#[test]
fn l2_a_ups_goes_to_its_own_maker() {
    let ups = finding_at("UPS-001", Component::Ups, Confirmed, "the UPS");
    let part = check(ups, &plan_o(), &said_everything(), &[OtherMaker]);
    why(&part, PurchaseChannel, Standing::NotOffered, "another maker's product (L2)");
    assert!(part.best().expect("one").text.contains("compatibility with it is not covered"));
}

#[test]
fn l5_surroundings_and_software_come_first_and_void_nothing() {
    for component in [
        Component::Cooling,
        Component::Environment,
        Component::PowerInput,
        Component::Software,
        Component::Link,
    ] {
        for verdict in [Watch, Suspected, Confirmed] {
            let part = check(
                finding("X-001", component, verdict),
                &plan_o(),
                &said_everything(),
                &[EnvironmentFirst],
            );
            why(&part, EnvironmentFirst, Standing::Possible, "no reason to void a warranty");
        }
    }
    // A power unit whose likeliest cause is its outlet.
    let mut psu = finding("PSU-001", Component::Psu, Confirmed);
    psu.suspects[0].kind = SuspectKind::Environment;
    check(psu, &plan_a(), &said_everything(), &[EnvironmentFirst]);
}

#[test]
fn l10_paid_repair_when_it_appears_expired() {
    let nothing = granted(expired(), [Coverage::NotBought, Coverage::NotBought, Coverage::NotBought]);
    let part = check(board(), &nothing, &Situation::default(), &[PurchaseChannel, PaidRepair]);
    why(&part, PaidRepair, Standing::Possible, "appears expired, its last day was 2020-01-01");
    assert!(open(&part, PaidRepair).iter().any(|text| text.contains("quoted price (L10)")));
    // Ranked last beside a plan.
    check(board(), &plan_e(), &Situation::default(), &[RepairRma, PurchaseChannel, PaidRepair]);
}

#[test]
fn l12_what_is_not_confirmed_ships_nothing() {
    for verdict in [Suspected, Watch] {
        for component in
            [Component::Fan, Component::Mainboard, Component::Drive, Component::Ups, Component::RtcBattery]
        {
            let part =
                check(finding("X-001", component, verdict), &plan_o(), &said_everything(), &[TestFirst]);
            assert_eq!(part.best().expect("one").text, "run the self-test");
        }
    }
    // The state of the storage, confirmed or not.
    check(finding("MD-001", Component::StorageState, Confirmed), &plan_o(), &said_everything(), &[TestFirst]);
}

#[test]
fn l12_nothing_found_is_no_service() {
    let check = |unknowns: &[(&str, &str, bool)], says: &str| {
        let decision = decide(&diagnosis(vec![], unknowns), &plan_o(), &said_everything());
        assert!(decision.parts.is_empty() && decision.look_up.is_empty());
        assert!(decision.no_service.as_deref().is_some_and(|text| text.contains(says)), "{decision:?}");
    };
    check(&[], "no service is proposed");
    check(&[], "no fault found");
    check(&[("fan 2", "nothing answered", false)], "no service is proposed");
    check(&[("fan 2", "nothing answered", true)], "read again first");
    let unread = decide(
        &diagnosis(vec![board()], &[("fan 2", "nothing answered", true)]),
        &none(),
        &said_everything(),
    );
    assert_eq!(
        unread.read_again,
        ["Fan 2 could not be told (nothing answered): mend that and run a check again."]
    );
}

#[test]
fn o3_used_up_visits_are_no_refusal() {
    let granted = Entitlement { on_site_left: Some(0), ..plan_o() };
    let part = check(board(), &granted, &said_everything(), &[AdvanceReplacement, PurchaseChannel]);
    why(&part, OnSite, Standing::NotOffered, "an engineer decides");
}

#[test]
fn on_the_device_the_portal_has_to_look_up_and_no_date_is_named() {
    let decision = decide(&diagnosis(vec![board()], &[]), &device(), &Situation::default());
    let part = &decision.parts[0];
    assert_eq!(part.best().map(|l| l.lane), Some(PurchaseChannel));
    for lane in [RepairRma, AdvanceReplacement, OnSite, PaidRepair] {
        why(part, lane, Standing::LookUp, "coverage unknown");
    }
    for word in [
        "standard warranty",
        "extended warranty",
        "advanced replacement",
        "on-site service",
        "purchase channel",
    ] {
        assert!(decision.look_up.iter().any(|line| line.starts_with(word)), "{word}: {:?}", decision.look_up);
    }
    assert!(part.lanes.iter().all(|lane| lane.deadlines.is_empty()), "no date on the device");
}

#[test]
fn a3_an_offered_lane_shows_its_dates() {
    let said = Situation { order_received_at: Some("2026-11-25T22:00:00Z".to_owned()), ..said_everything() };
    let part = decide_one(board(), &plan_a(), &said);
    let lane = part.lane(AdvanceReplacement).expect("there");
    let rules: Vec<&str> = lane.deadlines.iter().map(|d| d.rule.as_str()).collect();
    assert_eq!(rules, ["A3", "A3", "A9", "A11"]);
    assert_eq!(lane.deadlines[0].due, Due::By("2026-11-27".to_owned()));
    assert!(lane.deadlines[2].what.contains("a person may charge USD 100 per calendar day"));
    assert!(
        matches!(&lane.deadlines[2].due, Due::CannotTell(why) if why.contains("country is not recorded"))
    );
}

#[test]
fn a13_the_old_serial_has_no_coverage() {
    let moved = || Coverage::Moved { serial: "Q2".to_owned() };
    let part = decide_one(board(), &granted(moved(), [moved(), moved(), moved()]), &Situation::default());
    for lane in [PurchaseChannel, RepairRma, AdvanceReplacement, OnSite] {
        why(&part, lane, Standing::NotOffered, "moved to the replacement Q2 (A13)");
    }
}

#[test]
fn e2_a_plan_that_has_not_begun_says_when_it_does() {
    let starts =
        || Coverage::Starts { first_day: "2031-01-01".to_owned(), last_day: "2033-01-01".to_owned() };
    let part = decide_one(
        board(),
        &granted(until(), [starts(), Coverage::NotBought, Coverage::NotBought]),
        &Situation::default(),
    );
    why(&part, RepairRma, Standing::NotOffered, "begins on 2031-01-01");
}

#[test]
fn an_enclosure_has_a_record_of_its_own() {
    let shelf = finding_at("ENC-001", Component::Enclosure, Confirmed, "enclosure 32");
    let decision = decide(&diagnosis(vec![shelf], &[]), &plan_o(), &said_everything());
    let part = &decision.parts[0];
    why(part, AdvanceReplacement, Standing::LookUp, "a serial number and a purchase of its own");
    assert!(part.best().is_some_and(|lane| lane.text.contains("under its own serial number")));
    assert!(decision.look_up.iter().any(|line| line.starts_with("enclosure: warranty and plans of its own")));
}

#[test]
fn a_clock_battery_replaces_no_unit() {
    let battery = finding_at("RTC-001", Component::RtcBattery, Confirmed, "the mainboard");
    let part = check(battery, &plan_a(), &said_everything(), &[PurchaseChannel]);
    why(&part, AdvanceReplacement, Standing::NotOffered, "replaces no unit");
}

#[test]
fn json_reads_back() {
    let decision = decide(&diagnosis(vec![board(), fan()], &[]), &plan_o(), &said_everything());
    let json = serde_json::to_string(&decision).expect("plain data");
    assert_eq!(serde_json::from_str::<ServiceDecision>(&json).expect("own output"), decision);
    assert_eq!(serde_json::from_str::<Lane>(r#""teleport""#).expect("a later word"), Lane::Other);
    let said = serde_json::to_string(&said_everything()).expect("plain data");
    assert_eq!(serde_json::from_str::<Situation>(&said).expect("own output"), said_everything());
}
