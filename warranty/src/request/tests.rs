//! The whole form: a good one passes, and every single mistake names its field and what to type.

use super::*;
use jiff::civil::date;

pub(crate) fn good() -> ServiceRequest {
    ServiceRequest {
        model: "TS-453D".to_owned(),
        serial: "Q165B04307".to_owned(),
        address: Address {
            company: String::new(),
            line1: "168 University Ave".to_owned(),
            line2: "Suite 2".to_owned(),
            city: "Palo Alto".to_owned(),
            state: "CA".to_owned(),
            postal_code: "94301".to_owned(),
            country: "US".to_owned(),
        },
        contact: "Ada Lovelace".to_owned(),
        phone: "+16505550100".to_owned(),
        email: "ada@example.com".to_owned(),
        problem: "Fan 2 stands still.\nIt beeps.".to_owned(),
        proof_of_purchase: "Example Store, invoice 4711".to_owned(),
        invoice_date: "2025-03-31".to_owned(),
        backup: Some(Dated { answer: BackupAnswer::BackedUp, day: "2026-11-20".to_owned() }),
        private_data: Some(Dated {
            answer: PrivateDataAnswer::RemovedOrLocked,
            day: "2026-11-20".to_owned(),
        }),
    }
}

/// One change to a good request for a plan's service; the problems, joined.
fn check(change: impl FnOnce(&mut ServiceRequest), says: &str) {
    let mut request = good();
    change(&mut request);
    let against =
        Against { reported_serial: Some("Q165B04307"), plan_service: true, today: Some(date(2026, 11, 22)) };
    let problems = request.problems(&against);
    let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    assert!(if says.is_empty() { words.is_empty() } else { words.contains(says) }, "{says:?}: {words}");
    let refused = problems.iter().any(|p| p.weight == Weight::Refused);
    assert_eq!(request.is_complete(&against), !refused);
    assert!(problems.iter().all(|p| !p.wrong.is_empty() && !p.fix.is_empty()));
}

#[test]
fn a7_a_good_request_passes() {
    check(|_| {}, "");
    check(|r| r.address.country = "United States".to_owned(), "");
    check(|r| r.address.company = "Box Hill Storage".to_owned(), "");
    let canada = |r: &mut ServiceRequest| {
        (r.address.country, r.address.state) = ("CA".to_owned(), "Ontario".to_owned());
        r.address.postal_code = "K1A 0B1".to_owned();
    };
    check(canada, "");
}

#[test]
fn a7_every_field_is_needed() {
    check(|r| r.model.clear(), "model is empty: type the model from the label");
    check(|r| r.serial.clear(), "serial number is empty: type the letters");
    check(|r| r.address.line1.clear(), "street and number is empty");
    check(|r| r.address.city.clear(), "city is empty");
    check(|r| r.address.state.clear(), "state or province is empty");
    check(|r| r.address.postal_code.clear(), "postal code is empty");
    check(|r| r.address.country.clear(), "country is empty");
    check(|r| r.contact.clear(), "contact person is empty");
    check(|r| r.phone.clear(), "telephone number is empty");
    check(|r| r.email.clear(), "e-mail address is empty");
    check(|r| r.problem.clear(), "problem description is empty: say what the NAS does");
    check(|r| r.address.line2.clear(), "");
}

#[test]
fn l8_proof_of_purchase_and_serial_number() {
    check(|r| r.proof_of_purchase.clear(), "proof of purchase is empty: type seller and number");
    check(|r| r.invoice_date = "31.3.2025".to_owned(), "invoice date has no day: type the day as YYYY-MM-DD");
    check(|r| r.invoice_date = "2025-02-30".to_owned(), "invoice date has no day");
    check(|r| r.invoice_date = "2027-01-01".to_owned(), "2027-01-01, which is still to come");
    check(|r| r.serial = "q165 b04307".to_owned(), "");
    check(|r| r.serial = "Q165BO4307".to_owned(), "has O where the unit reports 0");
}

#[test]
fn l9_both_answers_are_dated() {
    check(|r| r.backup = None, "answer about the backup is missing: answer: backed up, or no backup");
    check(|r| r.private_data = None, "answer about confidential information is missing");
    let undated = || Some(Dated { answer: BackupAnswer::NoBackupRiskAccepted, day: String::new() });
    check(|r| r.backup = undated(), "answer about the backup has no day");
    let accepted =
        || Some(Dated { answer: BackupAnswer::NoBackupRiskAccepted, day: "2026-11-01".to_owned() });
    check(|r| r.backup = accepted(), "");
}

#[test]
fn a8_no_post_office_box() {
    check(|r| r.address.line1 = "P 0 Box 12".to_owned(), "street and number names a P.O. box (\"P 0 Box\")");
    check(|r| r.address.line2 = "POB 12".to_owned(), "second line of the address names a P.O. box");
    check(|r| r.address.city = "Postfach 12".to_owned(), "city names a P.O. box");
    check(|r| r.address.line2 = "PMB 12".to_owned(), "");
    check(|r| r.address.state = "AP".to_owned(), "post of the forces");
}

#[test]
fn a1_plans_serve_the_usa_and_canada() {
    let abroad = |r: &mut ServiceRequest| {
        (r.address.country, r.address.state, r.address.postal_code) =
            ("DE".to_owned(), String::new(), "10115".to_owned());
    };
    check(abroad, "country is neither the USA nor Canada: type an address in the USA or Canada");
    check(|r| r.address.state = "Bavaria".to_owned(), "is no state of the USA");
    check(|r| r.address.postal_code = "9430".to_owned(), "five digits");
    check(|r| r.address.postal_code = "10115".to_owned(), "not usual in California");
    let island = |r: &mut ServiceRequest| {
        (r.address.country, r.address.state, r.address.postal_code) =
            ("Puerto Rico".to_owned(), String::new(), "00901".to_owned());
    };
    check(island, "the terms do not say whether the plans' services go there");
    // The standard service exists anywhere.
    let mut request = good();
    abroad(&mut request);
    assert_eq!(request.problems(&Against::default()), []);
}

#[test]
fn a2_no_card_number_in_any_text() {
    let card = "4111 1111 1111 1111";
    let fields: [fn(&mut ServiceRequest) -> &mut String; 15] = [
        |r| &mut r.model,
        |r| &mut r.serial,
        |r| &mut r.address.company,
        |r| &mut r.address.line1,
        |r| &mut r.address.line2,
        |r| &mut r.address.city,
        |r| &mut r.address.state,
        |r| &mut r.address.postal_code,
        |r| &mut r.address.country,
        |r| &mut r.contact,
        |r| &mut r.phone,
        |r| &mut r.email,
        |r| &mut r.problem,
        |r| &mut r.proof_of_purchase,
        |r| &mut r.invoice_date,
    ];
    for (field, (name, _)) in fields.into_iter().zip(good().texts()) {
        let expected = format!("{} holds what looks like a payment-card number: remove it", name.words());
        check(|r| *field(r) = card.to_owned(), &expected);
    }
    let mut request = good();
    request.problem = card.to_owned();
    assert!(!format!("{:?}", request.problems(&Against::default())).contains("4111"), "never repeated");
    // What the unit itself reports is its serial number.
    let digits = "4111111111111111";
    request = ServiceRequest { serial: digits.to_owned(), ..good() };
    let against = Against { reported_serial: Some(digits), ..Against::default() };
    assert_eq!(request.problems(&against), []);
}

#[test]
fn json_reads_back() {
    let request = good();
    let json = serde_json::to_string(&request).expect("plain data");
    assert!(json.contains(r#""backup":{"answer":"backed_up","day":"2026-11-20"}"#), "{json}");
    assert_eq!(serde_json::from_str::<ServiceRequest>(&json).expect("own output"), request);
    let empty: ServiceRequest = serde_json::from_str("{}").expect("every field may be missing");
    assert_eq!(empty, ServiceRequest::default());
}
