//! What may become of a unit: its status, and where coverage goes when a replacement ships (A13), is lost on its way
//! (A14), or when the customer caused the damage (A12). Records in, records out; the caller writes all of them or none.
//!
//! Coverage is never in two places: the unit that it left says who has it, the unit that has it says whose it was.
//! `replaced-by` is the one status that nobody sets by hand: it comes with a shipment and goes with A12 or a refurbishing.

use assay_bundle::entitlement::Purchase;
use assay_warranty::transfer::{self, AlreadyMoved, Moved, NotInspected};
use jiff::civil::Date;

use super::record::{Record, Status};

/// Why the ledger does not take a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The unit is not in the ledger.
    #[error("{0} is not in the ledger: import it, or add it with assay-portal ledger set")]
    Unknown(String),
    /// A status that cannot follow.
    #[error("{serial} is {from} and cannot become {to}: {next}")]
    Status {
        /// Unit.
        serial: String,
        /// What it is.
        from: Status,
        /// What it was to become.
        to: Status,
        /// What can be done.
        next: &'static str,
    },
    /// Nothing ships for the unit.
    #[error("nothing ships for {serial}: {why}")]
    Barred {
        /// Unit.
        serial: String,
        /// Why.
        why: &'static str,
    },
    /// The unit that was to be shipped is not in stock.
    #[error("{0} is not in stock: ship a new unit, or a refurbished one that nobody bought")]
    NotInStock(String),
    /// A unit cannot replace itself.
    #[error("{0} cannot replace itself: name the unit that ships")]
    Itself(String),
    /// The two units do not belong together.
    #[error(
        "{replacement} does not have the coverage of {original}: see assay-portal ledger show {original}"
    )]
    NotItsReplacement {
        /// Unit that was replaced.
        original: String,
        /// Unit that was named as its replacement.
        replacement: String,
    },
    /// Coverage moved before (A13).
    #[error(transparent)]
    Moved(#[from] AlreadyMoved),
    /// Nobody inspected (A12).
    #[error(transparent)]
    NotInspected(#[from] NotInspected),
    /// An open shipping case of somebody else has the serial number.
    #[error("{0} is taken by another open shipping case")]
    Taken(String),
    /// A column that only a shipment writes.
    #[error("{column} is written by a shipment and cannot be set: leave the cell empty")]
    Link {
        /// Column.
        column: &'static str,
    },
}

/// What may follow what by hand.
const FOLLOWS: &[(Status, Status)] = &[
    (Status::Active, Status::Returned),
    (Status::Active, Status::Scrapped),
    (Status::Active, Status::ReportedStolen),
    (Status::ReplacedBy, Status::Returned),
    (Status::ReplacedBy, Status::Scrapped),
    (Status::ReplacedBy, Status::ReportedStolen),
    (Status::Returned, Status::Active),
    (Status::Returned, Status::Refurbished),
    (Status::Returned, Status::Scrapped),
    (Status::Returned, Status::ReportedStolen),
    (Status::Scrapped, Status::Returned),
    (Status::Refurbished, Status::Active),
    (Status::Refurbished, Status::Scrapped),
    (Status::Refurbished, Status::ReportedStolen),
    (Status::ReportedStolen, Status::Active),
    (Status::ReportedStolen, Status::ReplacedBy),
    (Status::ReportedStolen, Status::Returned),
];

/// The record with another status, by hand. The same status again changes nothing.
///
/// # Errors
/// It cannot follow.
pub fn change_status(record: &Record, to: Status) -> Result<Record, RuleError> {
    let from = record.status;
    if from == to {
        return Ok(record.clone());
    }
    let refuse = |next| Err(RuleError::Status { serial: record.serial.clone(), from, to, next });
    if !FOLLOWS.contains(&(from, to)) {
        return refuse(match to {
            Status::ReplacedBy => "the shipment of its replacement writes that",
            Status::Refurbished => "record its return first",
            _ => "see what became of it with assay-portal ledger show",
        });
    }
    match (to, &record.replaced_by) {
        (Status::Active, Some(_)) => {
            return refuse("a replacement has its coverage; only an inspection gives it back (A12)");
        }
        (Status::ReplacedBy, None) => return refuse("no replacement has its coverage"),
        _ => {}
    }
    let record = Record { status: to, ..record.clone() };
    Ok(if to == Status::Refurbished { refurbished(record) } else { record })
}

/// A refurbished unit starts anew: no buyer, no plans, no coverage, no tie to the unit that has what it had.
fn refurbished(record: Record) -> Record {
    let bought =
        Purchase { model: record.bought.model.clone(), plans: Some(Vec::new()), ..Purchase::default() };
    Record { replaced_by: None, replaces: None, sold_to: None, bought, ..record }
}

/// The records of a unit and of the one that ships for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Defective unit: its coverage is gone.
    pub original: Record,
    /// Unit that has it.
    pub replacement: Record,
}

/// A replacement ships: it has the rest of the coverage from now on (A13). `stock` is what the ledger has of it, if
/// anything.
///
/// # Errors
/// Nothing ships for the original, or the other unit is not in stock.
pub fn ship(
    original: &Record,
    serial: &str,
    model: Option<&str>,
    stock: Option<&Record>,
) -> Result<Swap, RuleError> {
    if let Some(serial) = original.replaced_by.clone() {
        return Err(AlreadyMoved { serial }.into());
    }
    if let Some(why) = original.status.bars_shipping() {
        return Err(RuleError::Barred { serial: original.serial.clone(), why });
    }
    let Moved { replacement, .. } = moved(original, serial, model, stock)?;
    Ok(Swap {
        original: Record {
            status: Status::ReplacedBy,
            replaced_by: Some(serial.to_owned()),
            ..original.clone()
        },
        replacement: receives(original, serial, stock, &replacement, &original.serial),
    })
}

/// A replacement was lost on its way, and the next one ships: the coverage moves on to it (A14). The original and the
/// lost unit both name the next one.
///
/// # Errors
/// The lost unit does not have the original's coverage, somebody reported one of them stolen, or the next is not in
/// stock.
pub fn lost_outbound(
    original: &Record,
    lost: &Record,
    serial: &str,
    model: Option<&str>,
    stock: Option<&Record>,
) -> Result<(Record, Swap), RuleError> {
    together(original, lost)?;
    for unit in [original, lost] {
        if unit.status == Status::ReportedStolen
            && let Some(why) = unit.status.bars_shipping()
        {
            return Err(RuleError::Barred { serial: unit.serial.clone(), why });
        }
    }
    if serial == original.serial {
        return Err(RuleError::Itself(serial.to_owned()));
    }
    let Moved { replacement, .. } = moved(lost, serial, model, stock)?;
    let next = Some(serial.to_owned());
    Ok((
        Record { replaced_by: next.clone(), ..original.clone() },
        Swap {
            original: Record {
                status: Status::ReplacedBy,
                replaced_by: next,
                replaces: None,
                ..lost.clone()
            },
            replacement: receives(lost, serial, stock, &replacement, &original.serial),
        },
    ))
}

/// What follows from damage by the customer (A12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reinstated {
    /// Both records.
    pub units: Swap,
    /// List price that a person may charge, in US cents; `None` where no price in dollars is recorded.
    pub proposed_charge_usd_cents: Option<u64>,
    /// Why, for a person.
    pub why: String,
}

/// The inspection found damage by the customer: the original has its original warranty again, the replacement has none
/// of it (A12). Visits that were used meanwhile stay used (O3).
///
/// # Errors
/// Nobody inspected, or the two do not belong together.
pub fn reinstate(
    original: &Record,
    replacement: &Record,
    inspected: Option<Date>,
) -> Result<Reinstated, RuleError> {
    together(original, replacement)?;
    let both = Moved { original: original.purchase(), replacement: replacement.purchase() };
    let transfer::Reinstated { original: back, replacement: without, proposed_charge_usd_cents, why } =
        transfer::customer_damage(&both, inspected)?;
    let used = original.bought.on_site_used.max(replacement.bought.on_site_used);
    // A unit that was scrapped or stolen meanwhile stays that: a warranty makes it no less so.
    let status = match original.status {
        Status::ReplacedBy | Status::Returned => Status::Active,
        other => other,
    };
    Ok(Reinstated {
        units: Swap {
            original: Record { status, replaced_by: None, ..original.clone() }
                .with(&Purchase { on_site_used: used, ..back }),
            replacement: Record { replaces: None, ..replacement.clone() }.with(&without),
        },
        proposed_charge_usd_cents,
        why,
    })
}

fn together(original: &Record, replacement: &Record) -> Result<(), RuleError> {
    let belongs = original.replaced_by.as_ref() == Some(&replacement.serial)
        && replacement.replaces.as_ref() == Some(&original.serial)
        && replacement.replaced_by.is_none();
    if belongs {
        return Ok(());
    }
    Err(RuleError::NotItsReplacement {
        original: original.serial.clone(),
        replacement: replacement.serial.clone(),
    })
}

fn moved(
    from: &Record,
    serial: &str,
    model: Option<&str>,
    stock: Option<&Record>,
) -> Result<Moved, RuleError> {
    if serial == from.serial {
        return Err(RuleError::Itself(serial.to_owned()));
    }
    if stock.is_some_and(|unit| !unit.is_stock()) {
        return Err(RuleError::NotInStock(serial.to_owned()));
    }
    let model = model.or_else(|| stock.and_then(|unit| unit.bought.model.as_deref()));
    let mut purchase = from.purchase();
    purchase.moved_to = None;
    Ok(transfer::replace(&purchase, serial, model)?)
}

/// The unit from stock with what it takes over.
fn receives(from: &Record, serial: &str, stock: Option<&Record>, purchase: &Purchase, whose: &str) -> Record {
    let own_price = stock.and_then(|unit| unit.list_price.clone());
    Record {
        serial: serial.to_owned(),
        status: Status::Active,
        replaced_by: None,
        replaces: Some(whose.to_owned()),
        sold_to: from.sold_to.clone(),
        list_price: own_price.or_else(|| from.list_price.clone()),
        bought: Purchase::default(),
    }
    .with(purchase)
}

#[cfg(test)]
mod tests;
