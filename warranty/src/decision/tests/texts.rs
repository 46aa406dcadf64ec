//! What the texts of the lanes promise and what they do not, rule by rule.

use super::*;

/// What the text of an offered lane says.
fn says(finding: Finding, granted: &Entitlement, lane: Lane, words: &[&str]) {
    let part = decide_one(finding, granted, &Situation::default());
    let option = part.lane(lane).expect("every lane is there");
    assert!(option.is_possible(), "{option:#?}");
    for word in words {
        assert!(option.text.contains(word), "{word:?} is not in {}", option.text);
    }
}

#[test]
fn l1_repair_or_replacement_at_the_vendors_option_shipping_excepted() {
    let words = ["Repair or replacement, shipping paid by the customer, is the vendor's choice."];
    says(board(), &none(), PurchaseChannel, &words);
}

#[test]
fn a4_identical_or_better_new_or_reconditioned_by_express() {
    let words = ["identical unit, or a better one", "new or reconditioned", "3-day express (A4)"];
    says(board(), &plan_a(), AdvanceReplacement, &words);
}

#[test]
fn a5_cables_and_accessories_are_normally_not_included() {
    says(
        board(),
        &plan_a(),
        AdvanceReplacement,
        &["cables, rail kits and accessories are normally not included (A5)"],
    );
    // A cable is put right first, whatever the plan.
    let cable = finding_at("NET-001", Component::Link, Confirmed, "port 1");
    check(cable, &plan_a(), &said_everything(), &[EnvironmentFirst]);
}

#[test]
fn a11_everything_goes_back() {
    says(board(), &plan_a(), AdvanceReplacement, &["all components and accessories (A11)"]);
    says(fan(), &plan_a(), ComponentLane, &["everything that came with it"]);
}

#[test]
fn a15_prepaid_with_the_vendors_label_only() {
    says(
        board(),
        &plan_a(),
        AdvanceReplacement,
        &["Both ways are prepaid, with the vendor's label only (A15)"],
    );
}

#[test]
fn a17_back_in_the_replacements_packaging() {
    says(
        board(),
        &plan_a(),
        AdvanceReplacement,
        &["in the replacement's packaging", "old labels removed (A16, A17)"],
    );
}

#[test]
fn o7_a_visit_or_the_part_for_the_next_business_day() {
    let words =
        ["is repaired on site, or its part is sent for the next business day and the customer fits it (O7)"];
    says(board(), &plan_o(), OnSite, &words);
    says(board(), &plan_o(), OnSite, &["3 of 4 visits are left"]);
}

#[test]
fn o10_what_is_not_part_of_a_visit() {
    says(
        board(),
        &plan_o(),
        OnSite,
        &["Software, data, cabling and the site's network are not part of a visit (O10)"],
    );
}

#[test]
fn o11_a_signed_acceptance_form_ends_it() {
    says(board(), &plan_o(), OnSite, &["a signed acceptance form ends it (O11)"]);
}

#[test]
fn o12_a_visit_to_a_site_that_is_not_ready_counts() {
    let words = ["the visit counts as completed (O12)", "remind the customer at booking and the day before"];
    says(board(), &plan_o(), OnSite, &words);
}

#[test]
fn o13_nobody_is_told_a_password() {
    says(board(), &plan_o(), OnSite, &["The customer types passwords, nobody is told one (O13)"]);
}

#[test]
fn o15_re_scheduling_uses_no_visit() {
    says(board(), &plan_o(), OnSite, &["re-schedule by phone or e-mail uses none (O15)"]);
}
