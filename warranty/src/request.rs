//! The service request: what a person hands in to get a unit served (service terms A7, L8, L9), and what is wrong with
//! it, in words that the person can act on.
//!
//! Every problem names the field, what is wrong and what to type. Nothing is corrected silently: an address or a number
//! that a program "improved" is one that nobody confirmed. Refuses payment-card numbers in any field, P.O. boxes where a
//! courier has to deliver (A8) and invisible characters. Whether the service is granted is decided elsewhere.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

mod address;
mod card;
mod email;
mod field;
mod phone;
mod po_box;
mod region;
mod serial;
mod text;

pub use address::Address;
pub use field::{Field, Problem, Weight};
pub use serial::comparable;

/// What the customer types or confirms. Every text is kept as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceRequest {
    /// Model, as on the label.
    pub model: String,
    /// Serial number of the defective unit, as on the label.
    pub serial: String,
    /// Where the replacement, the part or the technician goes.
    pub address: Address,
    /// Person to ask for.
    pub contact: String,
    /// Telephone number, E.164.
    pub phone: String,
    /// E-mail address.
    pub email: String,
    /// What is wrong, in the customer's words.
    pub problem: String,
    /// What proves the purchase: invoice number and seller, or the name of the file that was handed in (L8).
    pub proof_of_purchase: String,
    /// Day of the initial invoice, `YYYY-MM-DD`.
    pub invoice_date: String,
    /// Whether the data is backed up (L9).
    pub backup: Option<Dated<BackupAnswer>>,
    /// Whether confidential information is removed or locked (L9).
    pub private_data: Option<Dated<PrivateDataAnswer>>,
}

/// An answer and the day on which it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated<T> {
    /// The answer.
    pub answer: T,
    /// Day, `YYYY-MM-DD`.
    pub day: String,
}

/// The owner's first answer (L9). A recovery copy of the configuration is no backup of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupAnswer {
    /// The data is backed up.
    BackedUp,
    /// There is no backup, and the owner accepts the risk.
    NoBackupRiskAccepted,
}

impl BackupAnswer {
    /// The words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::BackedUp => "the data is backed up",
            Self::NoBackupRiskAccepted => "there is no backup, and the owner accepts the risk",
        }
    }
}

/// The owner's second answer (L9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivateDataAnswer {
    /// Confidential, proprietary and personal information is removed or locked.
    RemovedOrLocked,
    /// It is not, and the owner accepts that.
    NotRemovedAccepted,
}

impl PrivateDataAnswer {
    /// The words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::RemovedOrLocked => "confidential information is removed or locked",
            Self::NotRemovedAccepted => "confidential information is not removed, and the owner accepts that",
        }
    }
}

/// What the request is checked against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Against<'a> {
    /// Serial number that the unit reports, where it reports one.
    pub reported_serial: Option<&'a str>,
    /// Whether the service is one of a plan (A, E, O): then the address lies in the USA or Canada.
    pub plan_service: bool,
    /// The day of the check; `None` when no clock is trusted.
    pub today: Option<Date>,
}

impl ServiceRequest {
    /// Everything that is wrong, in the order of the form. Empty: it may be handed in.
    pub fn problems(&self, against: &Against<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (field, typed) in self.texts() {
            text::check(field, typed, &mut problems);
            // A number that the unit itself reports is its serial number, whatever it looks like.
            let is_the_units = field == Field::Serial
                && against.reported_serial.is_some_and(|reported| comparable(reported) == comparable(typed));
            if !is_the_units && card::found(typed) {
                problems.push(Problem::refused(
                    field,
                    "holds what looks like a payment-card number",
                    "remove it, or the last digits of another number; a card is authorised only on the form that support sends",
                ));
            }
        }
        serial::check(&self.serial, against.reported_serial, &mut problems);
        self.address.check(against.plan_service, &mut problems);
        let country = region::country(&self.address.country);
        phone::check(&self.phone, country.is_some(), &mut problems);
        email::check(&self.email, &mut problems);
        self.check_days(against.today, &mut problems);
        problems.sort_by_key(|problem| problem.field);
        problems.dedup();
        problems
    }

    /// Whether nothing stands against handing it in.
    pub fn is_complete(&self, against: &Against<'_>) -> bool {
        self.problems(against).iter().all(|problem| problem.weight != Weight::Refused)
    }

    /// Every text that a person typed.
    fn texts(&self) -> [(Field, &str); 15] {
        [
            (Field::Model, &self.model),
            (Field::Serial, &self.serial),
            (Field::Company, &self.address.company),
            (Field::AddressLine1, &self.address.line1),
            (Field::AddressLine2, &self.address.line2),
            (Field::City, &self.address.city),
            (Field::State, &self.address.state),
            (Field::PostalCode, &self.address.postal_code),
            (Field::Country, &self.address.country),
            (Field::Contact, &self.contact),
            (Field::Phone, &self.phone),
            (Field::Email, &self.email),
            (Field::ProblemText, &self.problem),
            (Field::ProofOfPurchase, &self.proof_of_purchase),
            (Field::InvoiceDate, &self.invoice_date),
        ]
    }

    fn check_days(&self, today: Option<Date>, problems: &mut Vec<Problem>) {
        let answers = [
            (Field::Backup, self.backup.as_ref().map(|a| a.day.as_str())),
            (Field::PrivateData, self.private_data.as_ref().map(|a| a.day.as_str())),
        ];
        for (field, day) in answers {
            match day {
                None => problems.push(Problem::refused(field, "is missing", field.fix())),
                Some(day) => check_day(field, day, today, problems),
            }
        }
        if !self.invoice_date.trim().is_empty() {
            check_day(Field::InvoiceDate, &self.invoice_date, today, problems);
        }
    }
}

fn check_day(field: Field, day: &str, today: Option<Date>, problems: &mut Vec<Problem>) {
    let shape = |day: &str| day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    match day.trim().parse::<Date>() {
        Ok(date) if shape(day.trim()) => {
            if today.is_some_and(|today| date > today) {
                problems.push(Problem::refused(
                    field,
                    format!("has the day {date}, which is still to come"),
                    "type the day on which it was, as YYYY-MM-DD",
                ));
            }
        }
        _ => problems.push(Problem::refused(
            field,
            "has no day",
            "type the day as YYYY-MM-DD, such as 2026-03-31",
        )),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::good;
