//! What holds for both databases alike.

use std::collections::BTreeMap;

use super::testing::{KINDS, empty, opened};
use super::*;

mod isolation;
mod schema;
mod transactions;
mod transfer;
