//! The dates of the lanes, from what people said: when something is due, when its clock starts, or why it cannot be told.

use crate::decision::{Deadline, Due};
use crate::situation::Situation;

pub(crate) fn advance(_said: &Situation) -> Vec<Deadline> {
    Vec::new()
}
pub(crate) fn extended(_said: &Situation) -> Vec<Deadline> {
    Vec::new()
}
pub(crate) fn on_site(_said: &Situation) -> Vec<Deadline> {
    let _ = Due::By;
    Vec::new()
}
