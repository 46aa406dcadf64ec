//! What stays shut until somebody said it, gate by gate: everything was said but one thing.

use super::*;

/// The one open gate of each plan's lane and of the standard one.
fn check_any_service(said: &Situation, rule: &str) {
    for (granted, lane) in
        [(none(), PurchaseChannel), (plan_a(), AdvanceReplacement), (plan_e(), RepairRma), (plan_o(), OnSite)]
    {
        let part = decide_one(board(), &granted, said);
        let gates: Vec<&Gate> = part.lane(lane).expect("there").open_gates().collect();
        assert!(
            gates.len() == 1 && gates[0].rule == rule && gates[0].closed_by == Who::Customer,
            "{gates:?}"
        );
    }
}

#[test]
fn l8_proof_of_purchase_before_any_service() {
    check_any_service(&Situation { proof_of_purchase: false, ..said_everything() }, "L8");
}

#[test]
fn l9_both_dated_answers_before_any_service() {
    check_any_service(&Situation { private_data: None, ..said_everything() }, "L9");
    let undated = Some(Dated { answer: BackupAnswer::NoBackupRiskAccepted, day: String::new() });
    let mut said = Situation { backup: undated, ..said_everything() };
    assert_eq!(open(&decide_one(board(), &none(), &said), PurchaseChannel).len(), 1);
    // An accepted risk is an answer.
    said.backup = Some(Dated { answer: BackupAnswer::NoBackupRiskAccepted, day: "2026-11-20".to_owned() });
    assert_eq!(open(&decide_one(board(), &none(), &said), PurchaseChannel), [""; 0]);
}

#[test]
fn l12_evidence_of_this_case_before_anything_ships() {
    let said = Situation { evidence: EvidenceHeld::Nothing, ..said_everything() };
    for (granted, lane) in [(plan_a(), AdvanceReplacement), (plan_e(), RepairRma), (plan_o(), OnSite)] {
        let open = open(&decide_one(board(), &granted, &said), lane);
        assert!(open.len() == 1 && open[0].contains("evidence of this case"), "{open:?}");
    }
}

#[test]
fn a2_three_conditions_before_anything_ships() {
    let three: [fn(&mut Situation); 4] = [
        |s| s.identified_by = None,
        |s| s.rma_number = None,
        |s| s.card_authorised = false,
        |s| s.address_confirmed_by_customer = false,
    ];
    let words = [
        "identified it as defective",
        "an RMA number",
        "card authorisation form",
        "has confirmed the delivery",
    ];
    for (forget, word) in three.into_iter().zip(words) {
        let mut said = said_everything();
        forget(&mut said);
        for (finding, lane) in [(board(), AdvanceReplacement), (fan(), ComponentLane)] {
            let open = open(&decide_one(finding, &plan_a(), &said), lane);
            assert_eq!(open.len(), 1, "{open:?}");
            assert!(open[0].contains(word), "{open:?}");
        }
    }
    let part = decide_one(board(), &plan_a(), &said_everything());
    assert_eq!(open(&part, AdvanceReplacement), [""; 0]);
    let lane = part.lane(AdvanceReplacement).expect("there");
    let address = lane.gates.iter().find(|gate| gate.text.contains("delivery address")).expect("there");
    assert_eq!(address.closed_by, Who::Customer, "only the customer confirms the address");
}

#[test]
fn a7_the_complete_request_is_a_gate_of_the_system() {
    let said = Situation { request_complete: false, ..said_everything() };
    let part = decide_one(board(), &plan_a(), &said);
    let gates: Vec<&Gate> = part.lane(AdvanceReplacement).expect("there").open_gates().collect();
    assert_eq!(gates.len(), 1);
    assert!(gates[0].text.contains("no P.O. box (A7, A8)") && gates[0].closed_by == Who::System);
}

/// What is missing when the drives are in, or when the risk of no backup was only accepted.
fn check_before_return(granted: &Entitlement, lane: Lane, rule: &str) {
    let accepted = Dated { answer: BackupAnswer::NoBackupRiskAccepted, day: "2026-11-20".to_owned() };
    for said in [
        Situation { drives_removed: false, ..said_everything() },
        Situation { backup: Some(accepted), ..said_everything() },
    ] {
        let part = decide_one(board(), granted, &said);
        let gates: Vec<&Gate> = part.lane(lane).expect("there").open_gates().collect();
        assert_eq!(gates.len(), 1, "{gates:?}");
        assert_eq!((gates[0].rule.as_str(), gates[0].holds_up), (rule, HoldsUp::Return));
    }
}

#[test]
fn a16_backed_up_and_drives_removed_before_a_return() {
    check_before_return(&plan_a(), AdvanceReplacement, "A16");
}

#[test]
fn e9_backed_up_and_drives_removed_before_a_return() {
    check_before_return(&plan_e(), RepairRma, "E9");
    // O9 alone applies to a visit.
    let visit = decide_one(board(), &plan_o(), &Situation { drives_removed: false, ..said_everything() });
    assert_eq!(open(&visit, OnSite), [""; 0]);
}

#[test]
fn e4_a_copy_of_the_certificate() {
    let said = Situation { certificate_handed_in: false, ..said_everything() };
    let open = open(&decide_one(board(), &plan_e(), &said), RepairRma);
    assert!(open.len() == 1 && open[0].contains("certificate"), "{open:?}");
}

#[test]
fn e6_no_return_without_a_number() {
    let said = Situation { rma_number: None, ..said_everything() };
    let open = open(&decide_one(board(), &plan_e(), &said), RepairRma);
    assert_eq!(open, ["an RMA number, issued by a support engineer; no return without one (E6)"]);
}

#[test]
fn o5_remote_trouble_shooting_and_an_engineers_yes_before_a_visit() {
    let part = check(board(), &plan_o(), &said_everything(), &[OnSite, AdvanceReplacement, PurchaseChannel]);
    assert_eq!(open(&part, OnSite), [""; 0]);
    let said = Situation { remote_troubleshooting_failed: false, visit_agreed_by: None, ..said_everything() };
    let texts = open(&decide_one(board(), &plan_o(), &said), OnSite);
    assert!(
        texts.len() == 2
            && texts[0].contains("cannot be solved remotely")
            && texts[1].contains("an engineer agrees")
    );
}

#[test]
fn o9_six_things_that_the_customer_confirms() {
    let said = Situation { site: SiteReady::default(), ..said_everything() };
    assert_eq!(open(&decide_one(board(), &plan_o(), &said), OnSite).len(), 6);
}
