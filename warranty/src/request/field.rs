//! The fields of a service request, and what can be wrong with one.
//!
//! The one place with the words for a person: a form, a message and a printed page call a field by the same name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A field that a person fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// [`super::ServiceRequest::model`].
    Model,
    /// [`super::ServiceRequest::serial`].
    Serial,
    /// [`super::Address::company`].
    Company,
    /// [`super::Address::line1`].
    AddressLine1,
    /// [`super::Address::line2`].
    AddressLine2,
    /// [`super::Address::city`].
    City,
    /// [`super::Address::state`].
    State,
    /// [`super::Address::postal_code`].
    PostalCode,
    /// [`super::Address::country`].
    Country,
    /// [`super::ServiceRequest::contact`].
    Contact,
    /// [`super::ServiceRequest::phone`].
    Phone,
    /// [`super::ServiceRequest::email`].
    Email,
    /// [`super::ServiceRequest::problem`].
    ProblemText,
    /// [`super::ServiceRequest::proof_of_purchase`].
    ProofOfPurchase,
    /// [`super::ServiceRequest::invoice_date`].
    InvoiceDate,
    /// [`super::ServiceRequest::backup`].
    Backup,
    /// [`super::ServiceRequest::private_data`].
    PrivateData,
}

/// How much of a field there may be.
pub(super) struct Limits {
    pub(super) needed: bool,
    pub(super) most_chars: usize,
    pub(super) several_lines: bool,
}

impl Field {
    /// The words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Serial => "serial number",
            Self::Company => "company",
            Self::AddressLine1 => "street and number",
            Self::AddressLine2 => "second line of the address",
            Self::City => "city",
            Self::State => "state or province",
            Self::PostalCode => "postal code",
            Self::Country => "country",
            Self::Contact => "contact person",
            Self::Phone => "telephone number",
            Self::Email => "e-mail address",
            Self::ProblemText => "problem description",
            Self::ProofOfPurchase => "proof of purchase",
            Self::InvoiceDate => "invoice date",
            Self::Backup => "answer about the backup",
            Self::PrivateData => "answer about confidential information",
        }
    }

    /// What to type when it is empty.
    pub(super) fn fix(self) -> &'static str {
        match self {
            Self::Model => "type the model from the label, such as TS-453D",
            Self::Serial => "type the letters and digits of the label with the bar code, such as Q165B04307",
            Self::Company | Self::AddressLine2 => "leave it empty or type the name on the door",
            Self::AddressLine1 => "type street and number, where a courier meets a person",
            Self::City => "type the city",
            Self::State => "type the two letters of the state or province, such as CA or ON",
            Self::PostalCode => "type the postal code",
            Self::Country => "type the country, such as US or Canada",
            Self::Contact => "type the name of the person who receives the parcel or the technician",
            Self::Phone => "type the number with + and the country's code, such as +14155550100",
            Self::Email => "type it as name@example.com",
            Self::ProblemText => "say what the NAS does or does not do, and since when",
            Self::ProofOfPurchase => "type seller and number of the invoice, or attach it",
            Self::InvoiceDate => "type the day of the invoice as YYYY-MM-DD",
            Self::Backup => "answer: backed up, or no backup and the risk is accepted",
            Self::PrivateData => "answer: removed or locked, or not removed and accepted",
        }
    }

    /// Lengths are judgement: what fits on a courier's label, and a problem of two pages.
    pub(super) fn limits(self) -> Limits {
        let (needed, most_chars) = match self {
            Self::Model => (true, 40),
            Self::Serial => (true, 40),
            Self::Company | Self::AddressLine2 => (false, 100),
            Self::AddressLine1 | Self::City | Self::Contact => (true, 100),
            Self::State => (false, 50),
            Self::PostalCode => (false, 12),
            Self::Country => (true, 60),
            Self::Phone => (true, 40),
            Self::Email => (true, 254),
            Self::ProblemText => (true, 4_000),
            Self::ProofOfPurchase => (true, 300),
            Self::InvoiceDate => (true, 10),
            Self::Backup | Self::PrivateData => (true, 10),
        };
        Limits { needed, most_chars, several_lines: self == Self::ProblemText }
    }
}

/// How much a problem weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The request cannot be handed in like this.
    Refused,
    /// It may be right; the person looks again and confirms.
    Ask,
}

/// Something wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which field.
    pub field: Field,
    /// How much it weighs.
    pub weight: Weight,
    /// What is wrong; goes on after the field's words.
    pub wrong: String,
    /// What to type.
    pub fix: String,
}

impl Problem {
    pub(super) fn refused(field: Field, wrong: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field, weight: Weight::Refused, wrong: wrong.into(), fix: fix.into() }
    }

    pub(super) fn ask(field: Field, wrong: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { field, weight: Weight::Ask, wrong: wrong.into(), fix: fix.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.field.words(), self.wrong, self.fix)
    }
}
