//! The service request as a page to print, with what is still wrong with it at the top.

use crate::page::Page;
use crate::request::{Problem, ServiceRequest, Weight};

/// The page. `problems` are those of [`ServiceRequest::problems`], so that an incomplete request shows itself as one.
pub fn page(request: &ServiceRequest, problems: &[Problem]) -> String {
    let mut page = Page::default();
    let of = |weight| problems.iter().filter(move |p| p.weight == weight).map(ToString::to_string);
    let refused: Vec<String> = of(Weight::Refused).collect();
    let asked: Vec<String> = of(Weight::Ask).collect();
    if !refused.is_empty() {
        page.warning("Not complete: it cannot be handed in like this.");
        page.items(refused.iter().map(String::as_str));
    }
    if !asked.is_empty() {
        page.heading("Please look at these again");
        page.items(asked.iter().map(String::as_str));
    }
    page.heading("Unit (A7, L8)");
    page.table(&[
        ("Model", &request.model),
        ("Serial number of the defective unit", &request.serial),
        ("Proof of purchase", &request.proof_of_purchase),
        ("Invoice date", &request.invoice_date),
    ]);
    page.heading("Delivery address and contact (A7, A8)");
    page.table(&[
        ("Address", &request.address.lines().join("\n")),
        ("Contact person", &request.contact),
        ("Telephone", &request.phone),
        ("E-mail", &request.email),
    ]);
    page.heading("Problem");
    page.table(&[("Description", &request.problem)]);
    page.heading("Answers before any service (L9)");
    let answer = |words: Option<(&str, &str)>| match words {
        Some((words, day)) => format!("{words} (answered {day})"),
        None => "not answered".to_owned(),
    };
    let backup = answer(request.backup.as_ref().map(|a| (a.answer.words(), a.day.as_str())));
    let private = answer(request.private_data.as_ref().map(|a| (a.answer.words(), a.day.as_str())));
    page.table(&[("Backup of the data", &backup), ("Confidential information", &private)]);
    page.finish("Service request")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::check_page;
    use crate::request::{Address, Against, BackupAnswer, Dated};

    #[test]
    fn a7_the_page_holds_every_field_and_what_is_wrong() {
        let request = ServiceRequest {
            model: "TS-453D".to_owned(),
            serial: "Q165B04307".to_owned(),
            address: Address {
                line1: "PO Box 12".to_owned(),
                city: "Palo Alto".to_owned(),
                state: "CA".to_owned(),
                postal_code: "94301".to_owned(),
                country: "US".to_owned(),
                ..Address::default()
            },
            contact: "Ada <Lovelace>".to_owned(),
            phone: "+16505550100".to_owned(),
            email: "ada@example.com".to_owned(),
            problem: "It beeps.\nFan 2 stands.".to_owned(),
            proof_of_purchase: "invoice 4711".to_owned(),
            invoice_date: "2025-03-31".to_owned(),
            backup: Some(Dated { answer: BackupAnswer::BackedUp, day: "2026-11-20".to_owned() }),
            private_data: None,
        };
        let page = page(&request, &request.problems(&Against::default()));
        let says = [
            "Not complete",
            "street and number names a P.O. box",
            "answer about confidential information is missing",
            "Q165B04307",
            "PO Box 12\nPalo Alto, CA, 94301\nUS",
            "Ada &lt;Lovelace&gt;",
            "+16505550100",
            "ada@example.com",
            "It beeps.\nFan 2 stands.",
            "invoice 4711",
            "2025-03-31",
            "the data is backed up (answered 2026-11-20)",
            "not answered",
        ];
        check_page(&page, &says);
    }
}
