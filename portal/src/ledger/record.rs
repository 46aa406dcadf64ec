//! What the ledger keeps of one unit, and the words for it.
//!
//! `sold_to` names an account (a customer number, a dealer), never a person's address: personal data has a place of its
//! own. A price keeps its currency; only one in US dollars caps a late fee, because the terms name that fee in dollars
//! (A10).

use std::fmt;
use std::str::FromStr;

use assay_bundle::entitlement::Purchase;
use assay_warranty::request::comparable;
use serde::{Deserialize, Serialize};

/// Fewest and most characters of a serial number. Judgement: units seen have 10 to 14.
const SERIAL_LENGTH: std::ops::RangeInclusive<usize> = 6..=24;

/// Where a unit is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Sold, or in stock.
    Active,
    /// A replacement took its coverage over (A13), and it has not come back.
    ReplacedBy,
    /// It came back to the vendor.
    Returned,
    /// It is no more.
    Scrapped,
    /// It was put right after its return and may be sold or shipped again.
    Refurbished,
    /// Somebody reported it stolen: nothing ships for it.
    ReportedStolen,
}

impl Status {
    /// Every status, in the order of a unit's life.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::ReplacedBy,
        Self::Returned,
        Self::Scrapped,
        Self::Refurbished,
        Self::ReportedStolen,
    ];

    /// The word in files and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ReplacedBy => "replaced-by",
            Self::Returned => "returned",
            Self::Scrapped => "scrapped",
            Self::Refurbished => "refurbished",
            Self::ReportedStolen => "reported-stolen",
        }
    }

    /// Why nothing ships for a unit of this status; `None` where something may.
    pub fn bars_shipping(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::ReplacedBy => Some("a replacement has its coverage: open the case for that unit (A13)"),
            Self::Returned => Some("the unit came back and is with the vendor: check its serial number"),
            Self::Scrapped => Some("the unit is recorded as scrapped: check its serial number"),
            Self::Refurbished => {
                Some("the unit is refurbished and not sold again: record its sale in the ledger first (L11)")
            }
            Self::ReportedStolen => {
                Some("the unit was reported stolen: nothing ships, and its holder is told nothing")
            }
        }
    }

    /// Whether a unit of this status may be enrolled. One that a replacement stands for may be only after it was
    /// refurbished; one that was reported stolen never.
    pub fn may_enrol(self) -> bool {
        matches!(self, Self::Active | Self::Refurbished)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|status| status.word() == text.trim()).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|status| status.word()).collect();
            format!("{text:?} is no status: write one of {}", words.join(", "))
        })
    }
}

/// A list price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Hundredths of the currency's unit.
    pub hundredths: u64,
    /// Three letters of ISO 4217, capitals.
    pub currency: String,
}

impl Price {
    /// Reads an amount such as `2999`, `2999.00` or `2999,00`. Marks between thousands are refused: `2,999` may mean
    /// either.
    ///
    /// # Errors
    /// It is no such amount, or the currency is none.
    pub fn read(amount: &str, currency: &str) -> Result<Self, String> {
        let (amount, currency) = (amount.trim(), currency.trim());
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(format!("{currency:?} is no currency: write three letters such as USD"));
        }
        let wrong =
            || format!("{amount:?} is no amount: write it without marks between thousands, as 2999.00");
        let (whole, part) = amount.split_once(['.', ',']).unwrap_or((amount, "00"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return Err(wrong());
        }
        let part = if part.len() == 1 { format!("{part}0") } else { part.to_owned() };
        let hundredths = format!("{whole}{part}").parse().map_err(|_| wrong())?;
        Ok(Self { hundredths, currency: currency.to_ascii_uppercase() })
    }

    /// The amount as [`Price::read`] takes it.
    pub fn amount(&self) -> String {
        format!("{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.amount())
    }
}

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Serial number of the unit, without blanks and in capitals.
    pub serial: String,
    /// Where it is in its life.
    pub status: Status,
    /// Unit that has its coverage now (A13).
    pub replaced_by: Option<String>,
    /// Unit whose coverage it has (A13).
    pub replaces: Option<String>,
    /// Account that it was sold to.
    pub sold_to: Option<String>,
    /// The vendor's list price.
    pub list_price: Option<Price>,
    /// What is recorded of the purchase. Ask [`Record::purchase`] for the whole of it.
    pub bought: Purchase,
}

impl Record {
    /// A unit of which nothing but its serial number is known.
    pub fn new(serial: &str) -> Self {
        Self {
            serial: serial.to_owned(),
            status: Status::Active,
            replaced_by: None,
            replaces: None,
            sold_to: None,
            list_price: None,
            bought: Purchase::default(),
        }
    }

    /// The purchase as the service terms are decided on it: with the serial number, the replacement that has the
    /// coverage, and the price where it can cap a fee.
    pub fn purchase(&self) -> Purchase {
        let price = self.list_price.as_ref().filter(|price| price.currency == "USD");
        Purchase {
            serial: Some(self.serial.clone()),
            moved_to: self.replaced_by.clone(),
            list_price_usd_cents: price.map(|price| price.hundredths),
            ..self.bought.clone()
        }
    }

    /// Takes over what a purchase says; what the ledger keeps elsewhere stays as it is.
    #[must_use]
    pub fn with(mut self, purchase: &Purchase) -> Self {
        self.bought =
            Purchase { serial: None, moved_to: None, list_price_usd_cents: None, ..purchase.clone() };
        self
    }

    /// Whether it is in stock: nobody bought it, and no other unit's coverage is on it.
    pub fn is_stock(&self) -> bool {
        let unsold = self.sold_to.is_none() && self.bought.invoice_date.is_none() && self.replaces.is_none();
        self.status == Status::Refurbished || (self.status == Status::Active && unsold)
    }
}

/// A serial number as the ledger keeps it.
///
/// # Errors
/// It does not look like one.
pub fn serial(typed: &str) -> Result<String, String> {
    let serial = comparable(typed);
    let fits = SERIAL_LENGTH.contains(&serial.len())
        && serial.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fits.then_some(serial).ok_or_else(|| {
        format!("{typed:?} is not what serial numbers look like: copy it from the label, as Q165B04307")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_in_one_way_only() {
        let check = |amount: &str, currency: &str, expected: Option<(u64, &str)>| {
            let got = Price::read(amount, currency).ok();
            let got = got.as_ref().map(|price| (price.hundredths, price.currency.as_str()));
            assert_eq!(got, expected, "{amount} {currency}");
        };
        check("2999", "USD", Some((299_900, "USD")));
        check(" 2999.5 ", "usd", Some((299_950, "USD")));
        check("2999,00", "EUR", Some((299_900, "EUR")));
        check("0.01", "CAD", Some((1, "CAD")));
        for (amount, currency) in [
            ("2,999", "USD"),
            ("2,999.00", "USD"),
            ("-1", "USD"),
            ("1e3", "USD"),
            ("", "USD"),
            ("5.", "USD"),
            ("2999", "US"),
            ("2999", "$"),
            ("99999999999999999999", "USD"),
        ] {
            check(amount, currency, None);
        }
        let price = Price::read("7.05", "USD").expect("a price");
        assert_eq!(price.to_string(), "USD 7.05");
    }

    #[test]
    fn the_purchase_has_what_stands_beside_it() {
        let mut record = Record::new("Q165B04307");
        record.replaced_by = Some("Q165B04308".to_owned());
        for (currency, cap) in [("USD", Some(299_900)), ("EUR", None)] {
            record.list_price = Price::read("2999", currency).ok();
            let purchase = record.purchase();
            assert_eq!(purchase.list_price_usd_cents, cap, "{currency}");
            assert_eq!(purchase.moved_to.as_deref(), Some("Q165B04308"));
            assert_eq!(purchase.serial.as_deref(), Some("Q165B04307"));
            let kept = Record::new("Q165B04307").with(&purchase).bought;
            assert_eq!((kept.serial, kept.moved_to, kept.list_price_usd_cents), (None, None, None));
        }
    }

    #[test]
    fn words_read_back() {
        for status in Status::ALL {
            assert_eq!(status.word().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).expect("a word"), status.word());
        }
        assert!("stolen".parse::<Status>().is_err());
        assert_eq!(serial(" q165 b04307 ").as_deref(), Ok("Q165B04307"));
        for wrong in ["", "abc", "Q165*B04307", "QÄ65B04307", &"Q".repeat(25)] {
            assert!(serial(wrong).is_err(), "{wrong}");
        }
    }
}
