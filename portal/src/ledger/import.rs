//! A table of units, line by line: every line is right, or nothing of the table is taken.
//!
//! The header names columns in any order; `serial` is needed. An empty cell says nothing and leaves what is there; a
//! single `-` clears it. A column that is not known is an error: a typed-wrong `invoice_dat` would lose a warranty.
//! A model in no listed series is a warning, because a dealer's record may grant what the terms do not list (L3).

use std::collections::HashMap;
use std::fmt;

use assay_bundle::entitlement::{Answer, Channel, Place, PlanPurchase, Region, StandardPeriod};
use assay_warranty::series::{Lookup, STANDARD, look_up_recorded};
use assay_warranty::standard_period;
use jiff::civil::Date;

use super::csv::{self, Limits};
use super::plans;
use super::record::{Price, Record, Status, serial};
use super::rules::{RuleError, change_status};

/// Largest table in bytes. Judgement: a million units with half of their cells filled.
pub const MOST_BYTES: usize = 128 << 20;
/// Problems that are told in words; of the rest only the number.
pub const MOST_TOLD: usize = 100;
/// First year of an invoice. QNAP was founded in 2004.
const FIRST_YEAR: i16 = 2004;
/// Longest account name and model.
const LONGEST_TEXT: usize = 120;
/// Longest warranty in years that a dealer may grant. Judgement: twice that of the terms.
const LONGEST_YEARS: u8 = 10;

/// The columns, with what is written into them.
pub const COLUMNS: &[(&str, &str)] = &[
    ("serial", "serial number from the label"),
    ("model", "model, as TS-853BU-RP"),
    ("sold_to", "account it was sold to; no person's address"),
    ("invoice_date", "day of the first invoice, YYYY-MM-DD"),
    ("country", "country, two letters"),
    ("us_state", "state, two letters"),
    ("plans", "none, or PLAN:YEARS:DAY with | between"),
    ("list_price", "list price, as 2999.00"),
    ("currency", "its currency, three letters"),
    ("status", "active, returned, scrapped, refurbished or reported-stolen"),
    ("series", "series of the terms that the unit belongs to, as TS-x53"),
    ("standard_years", "years of standard warranty that the dealer grants"),
    ("global_years", "years of global coverage that are granted"),
    ("original_purchaser", "yes or no"),
    ("channel", "purchase channel: open or gone"),
    ("on_site_used", "visits used, 0 to 4"),
    ("replaced_by", "written by shipments, not taken"),
    ("replaces", "written by shipments, not taken"),
];

/// One thing to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Model.
    Model(Option<String>),
    /// Account.
    SoldTo(Option<String>),
    /// Day of the first invoice.
    InvoiceDate(Option<String>),
    /// Country.
    Country(Option<String>),
    /// State.
    UsState(Option<String>),
    /// Plans.
    Plans(Option<Vec<PlanPurchase>>),
    /// List price.
    Price(Option<Price>),
    /// Status.
    Status(Status),
    /// Series by the record.
    Series(Option<String>),
    /// Standard warranty by the record.
    StandardYears(Option<u8>),
    /// Global coverage by the record.
    GlobalYears(Option<u8>),
    /// Original purchaser.
    OriginalPurchaser(Answer),
    /// Purchase channel.
    Channel(Channel),
    /// Visits used.
    OnSiteUsed(Option<u8>),
    /// What a shipment wrote; only the same again is taken.
    Link(&'static str, String),
}

/// The record with everything set.
///
/// # Errors
/// The status cannot follow, or a shipment's column was changed.
pub fn apply(record: &Record, edits: &[Edit]) -> Result<Record, RuleError> {
    // The status first: a refurbished unit starts anew, and what the line says of it then stands.
    let status =
        edits.iter().find_map(|edit| if let Edit::Status(status) = edit { Some(*status) } else { None });
    let mut record = match status {
        Some(status) => change_status(record, status)?,
        None => record.clone(),
    };
    for edit in edits.iter().cloned() {
        let bought = &mut record.bought;
        match edit {
            Edit::Model(model) => bought.model = model,
            Edit::SoldTo(account) => record.sold_to = account,
            Edit::InvoiceDate(day) => bought.invoice_date = day,
            Edit::Country(country) => bought.region.country = country,
            Edit::UsState(state) => bought.region.us_state = state,
            Edit::Plans(plans) => bought.plans = plans,
            Edit::Price(price) => record.list_price = price,
            Edit::Status(_) => {}
            Edit::Series(series) => bought.series = series,
            Edit::StandardYears(years) => bought.standard_years = years,
            Edit::GlobalYears(years) => bought.global_years = years,
            Edit::OriginalPurchaser(answer) => bought.original_purchaser = answer,
            Edit::Channel(channel) => bought.channel = channel,
            Edit::OnSiteUsed(used) => bought.on_site_used = used,
            Edit::Link(column, value) => {
                let kept = if column == "replaces" { &record.replaces } else { &record.replaced_by };
                if kept.as_deref() != Some(value.as_str()) {
                    return Err(RuleError::Link { column });
                }
            }
        }
    }
    Ok(record)
}

/// The record of a unit that the ledger did not have.
///
/// # Errors
/// As [`apply`].
pub fn make(serial: &str, edits: &[Edit]) -> Result<Record, RuleError> {
    let mut record = Record::new(serial);
    for edit in edits {
        match edit {
            Edit::Status(Status::ReplacedBy) => return Err(RuleError::Link { column: "replaced_by" }),
            Edit::Status(status) => record.status = *status,
            _ => {}
        }
    }
    apply(&record, edits)
}

/// A line that is right by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// Unit.
    pub serial: String,
    /// What it sets.
    pub edits: Vec<Edit>,
}

/// What is wrong with a line, or worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// Column, where it is about one.
    pub column: Option<&'static str>,
    /// What and what to do.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.text)
    }
}

/// A table that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Lines, in the order of the file.
    pub lines: Vec<Line>,
    /// What is wrong. Nothing is taken while anything stands here.
    pub errors: Vec<Remark>,
    /// What is worth a look.
    pub warnings: Vec<Remark>,
}

/// Reads a table. `today` is the day after which no invoice can be.
pub fn read(bytes: &[u8], today: Date, limits: Limits) -> Table {
    let mut table = Table::default();
    let whole = |text: String| Remark { line: 1, column: None, text };
    if bytes.len() > MOST_BYTES {
        table.errors.push(whole(format!("the table is larger than {} MiB: split it", MOST_BYTES >> 20)));
        return table;
    }
    let rows = match csv::read(bytes, limits) {
        Ok(rows) => rows,
        Err(csv::CsvError { line, why }) => {
            table.errors.push(Remark { line, column: None, text: why });
            return table;
        }
    };
    let Some((header, rows)) = rows.split_first() else {
        table.errors.push(whole(
            "the table is empty: its first line names the columns, such as serial,model".to_owned(),
        ));
        return table;
    };
    let columns = match columns(&header.fields) {
        Ok(columns) => columns,
        Err(texts) => {
            table.errors.extend(texts.into_iter().map(|text| Remark {
                line: header.line,
                column: None,
                text,
            }));
            return table;
        }
    };
    let mut seen: HashMap<String, usize> = HashMap::new();
    for row in rows {
        if row.fields.len() > columns.len() {
            let text = format!("has {} fields, and the header names {}", row.fields.len(), columns.len());
            table.errors.push(Remark { line: row.line, column: None, text });
            continue;
        }
        let cells: Vec<_> = columns.iter().copied().zip(row.fields.iter().map(String::as_str)).collect();
        let told = table.errors.len();
        let found = cells.iter().find(|(column, _)| *column == "serial").map_or("", |(_, cell)| cell);
        let serial = match serial(found) {
            Ok(serial) => Some(serial),
            Err(text) => {
                table.errors.push(Remark { line: row.line, column: Some("serial"), text });
                None
            }
        };
        let (edits, errors) = edits(&cells, today);
        let remark = |(column, text)| Remark { line: row.line, column: Some(column), text };
        table.errors.extend(errors.into_iter().map(remark));
        let Some(serial) = serial else { continue };
        if let Some(first) = seen.insert(serial.clone(), row.line) {
            let text = format!("{serial} stands in line {first} already: keep one of them");
            table.errors.push(Remark { line: row.line, column: Some("serial"), text });
        }
        if table.errors.len() == told {
            table.warnings.extend(worth_a_look(&edits).map(|(column, text)| remark((column, text))));
            table.lines.push(Line { line: row.line, serial, edits });
        }
    }
    table
}

/// The names of the header, each known and once.
fn columns(header: &[String]) -> Result<Vec<&'static str>, Vec<String>> {
    let mut columns: Vec<&'static str> = Vec::new();
    let mut errors = Vec::new();
    for name in header {
        let plain = name.to_ascii_lowercase().replace([' ', '-'], "_");
        match COLUMNS.iter().find(|(column, _)| *column == plain) {
            None => {
                let known: Vec<_> = COLUMNS.iter().map(|(column, _)| *column).collect();
                errors.push(format!("{name:?} is no column: use {}", known.join(", ")));
            }
            Some((column, _)) if columns.contains(column) => errors.push(format!("{column} stands twice")),
            Some((column, _)) => columns.push(column),
        }
    }
    if errors.is_empty() && !columns.contains(&"serial") {
        errors.push("there is no column serial".to_owned());
    }
    if errors.is_empty() { Ok(columns) } else { Err(errors) }
}

/// Everything that cells set, and what is wrong with them, each with its column.
pub fn edits(cells: &[(&'static str, &str)], today: Date) -> (Vec<Edit>, Vec<(&'static str, String)>) {
    let (mut edits, mut errors) = (Vec::new(), Vec::new());
    for (column, cell) in cells.iter().filter(|(_, cell)| !cell.is_empty()) {
        match edit(column, cell, cells, today) {
            Ok(Some(edit)) => edits.push(edit),
            Ok(None) => {}
            Err(why) => errors.push((*column, why)),
        }
    }
    (edits, errors)
}

fn edit(
    column: &'static str,
    cell: &str,
    cells: &[(&'static str, &str)],
    today: Date,
) -> Result<Option<Edit>, String> {
    let cleared = cell == "-";
    let set = |read: fn(&str) -> Result<String, String>| {
        if cleared { Ok(None) } else { read(cell).map(Some) }
    };
    let number = |most: u8| {
        let wrong = || format!("{cell:?} is no number from 0 to {most}");
        if cleared { Ok(None) } else { cell.parse().ok().filter(|n| *n <= most).map(Some).ok_or_else(wrong) }
    };
    Ok(Some(match column {
        "model" => Edit::Model(set(model)?),
        "sold_to" => Edit::SoldTo(set(text)?),
        "invoice_date" => {
            let day = set(date)?;
            if day.as_deref().and_then(|day| day.parse::<Date>().ok()).is_some_and(|day| day > today) {
                return Err(format!("{cell} lies after today, {today}"));
            }
            Edit::InvoiceDate(day)
        }
        "country" => Edit::Country(set(country)?),
        "us_state" => Edit::UsState(set(state)?),
        "plans" => {
            let plans = if cleared { None } else { plans::read(cell)? };
            let late = |plan: &&PlanPurchase| plan.bought.parse::<Date>().is_ok_and(|day| day > today);
            if let Some(plan) = plans.iter().flatten().find(late) {
                return Err(format!("a plan was bought on {}, which lies after today, {today}", plan.bought));
            }
            Edit::Plans(plans)
        }
        "list_price" if cleared => Edit::Price(None),
        "list_price" => {
            let currency =
                cells.iter().find(|(column, _)| *column == "currency").map_or("", |(_, cell)| *cell);
            Edit::Price(Some(Price::read(cell, currency)?))
        }
        "currency" => {
            if cells.iter().all(|(column, cell)| *column != "list_price" || cell.is_empty()) {
                return Err("names a currency, and there is no list_price".to_owned());
            }
            return Ok(None);
        }
        "status" => Edit::Status(cell.parse()?),
        "series" => Edit::Series(set(series)?),
        "standard_years" => Edit::StandardYears(number(LONGEST_YEARS)?),
        "global_years" => Edit::GlobalYears(number(LONGEST_YEARS)?),
        "original_purchaser" => Edit::OriginalPurchaser(match cell {
            "yes" => Answer::Yes,
            "no" => Answer::No,
            "-" => Answer::Unknown,
            _ => return Err(format!("{cell:?} is neither yes nor no")),
        }),
        "channel" => Edit::Channel(match cell {
            "open" => Channel::Open,
            "gone" => Channel::Gone,
            "-" => Channel::Unknown,
            _ => return Err(format!("{cell:?} is neither open nor gone")),
        }),
        "on_site_used" => Edit::OnSiteUsed(number(assay_warranty::plans::OCCURRENCES)?),
        "replaced_by" | "replaces" => Edit::Link(column, serial(cell)?),
        _ => return Ok(None),
    }))
}

/// What is allowed and may still be a mistake.
fn worth_a_look(edits: &[Edit]) -> impl Iterator<Item = (&'static str, String)> {
    let granted =
        edits.iter().any(|edit| matches!(edit, Edit::Series(Some(_)) | Edit::StandardYears(Some(_))));
    let unlisted = edits.iter().find_map(|edit| match edit {
        Edit::Model(Some(model)) if !granted => match standard_period(Some(model)) {
            StandardPeriod::Unknown { why } => Some(why),
            StandardPeriod::Years { .. } => None,
        },
        _ => None,
    });
    unlisted
        .map(|why| {
            (
                "model",
                format!("{why}: the standard warranty stays unknown without series or standard_years (L3)"),
            )
        })
        .into_iter()
}

/// A day, as it is written in files.
///
/// # Errors
/// It is none, or before the first that can be.
pub fn date(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no date: write YYYY-MM-DD");
    if text.len() != 10 {
        return Err(wrong());
    }
    let day: Date = text.parse().map_err(|_| wrong())?;
    if day.year() < FIRST_YEAR {
        return Err(format!("{text} lies before {FIRST_YEAR}, when no such unit was sold"));
    }
    Ok(day.to_string())
}

fn text(cell: &str) -> Result<String, String> {
    if cell.len() > LONGEST_TEXT || cell.chars().any(char::is_control) {
        return Err(format!("is longer than {LONGEST_TEXT} bytes, or has characters that cannot be printed"));
    }
    Ok(cell.to_owned())
}

fn model(cell: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ' ' | '+');
    let right = cell.len() <= 40
        && cell.starts_with(|c: char| c.is_ascii_alphabetic())
        && cell.contains(|c: char| c.is_ascii_digit())
        && cell.chars().all(fits);
    right
        .then(|| cell.to_owned())
        .ok_or_else(|| format!("{cell:?} is not what models look like: write it as TS-853BU-RP"))
}

fn country(cell: &str) -> Result<String, String> {
    let letters = cell.to_ascii_uppercase();
    match Region::new(Some(&letters), None).place() {
        Place::Unknown => Err(format!("{cell:?} is no country: write two letters such as US")),
        _ => Ok(letters),
    }
}

fn state(cell: &str) -> Result<String, String> {
    let letters = cell.to_ascii_uppercase();
    match Region::new(Some("US"), Some(&letters)).place() {
        Place::UsStateUnknown => Err(format!("{cell:?} is no state: write two letters such as CA")),
        _ => Ok(letters),
    }
}

fn series(cell: &str) -> Result<String, String> {
    match look_up_recorded(STANDARD, cell) {
        Lookup::Listed { series, .. } => Ok(series.to_owned()),
        Lookup::NotListed { .. } | Lookup::CannotTell { .. } => {
            Err(format!("{cell:?} is no series of the terms: leave it empty, or write standard_years"))
        }
    }
}

#[cfg(test)]
mod tests;
