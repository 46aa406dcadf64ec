//! Sheets to print, each of them also a document: what goes along with a service (service terms A7, A17, L2, O9-O14).
//!
//! A sheet repeats what was decided and decides nothing. What is not known is printed as a line to fill in by hand, never
//! left out: a sheet without a serial number would look complete.

mod drive;
mod loaner;
mod request;
mod return_sheet;
mod visit;

pub(crate) use drive::model as drive_model;
pub use drive::{DRIVE_HOLDS_SECRETS, DriveSheet};
pub use loaner::LoanerNote;
pub use request::page as request_page;
pub use return_sheet::{Label, ReturnSheet};
pub use visit::{SITE_READY, VisitSheet};

/// What stands where a value has to be written by hand.
const BY_HAND: &str = "________________ (write it from the label)";

/// The same for what stands on no label.
const LINE: &str = "________________";

/// A known value, or a line to write on from the label.
fn or_by_hand(value: Option<&str>) -> &str {
    or_else(value, BY_HAND)
}

/// A known value, or what stands in its place.
fn or_else<'v>(value: Option<&'v str>, other: &'v str) -> &'v str {
    value.map(str::trim).filter(|value| !value.is_empty()).unwrap_or(other)
}
