//! `assay-portal card`: what a person compares at enrolment.

use anyhow::Context;
use assay_bundle::enrolment::PortalCard;

use crate::config::Settings;
use crate::files::{DataDir, read_text};

/// Prints the card.
///
/// # Errors
/// When the portal has not been started yet.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    super::print(&super::card_lines(&published(&DataDir::open(&settings.data_dir)?)?))?;
    Ok(())
}

/// The card as the last start published it.
///
/// # Errors
/// When there was no start yet.
pub fn published(dir: &DataDir) -> anyhow::Result<PortalCard> {
    let text = read_text(&dir.card()).context(
        "this portal has no card yet: start it once with assay-portal serve, with the same --data-dir",
    )?;
    serde_json::from_str(&text).context("card.json is not a card: start the portal once to write it anew")
}
