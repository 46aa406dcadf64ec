//! `assay-portal enroll-code`: a one-time code for one device, and the card to compare on both sides.

use anyhow::Context;
use assay_bundle::keys::crockford;

use super::card::published;
use crate::clock;
use crate::config::Settings;
use crate::files::DataDir;
use crate::handlers::code_digest;
use crate::password::random;

/// Length of a code in characters of Crockford's base32: 50 bits.
const CODE_CHARACTERS: usize = 10;

/// Makes and prints a code.
///
/// # Errors
/// When the portal has not been started yet or the database fails.
pub async fn run(
    settings: &Settings,
    serial: Option<&str>,
    minutes: u32,
    by: Option<&str>,
) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let card = published(&dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let bytes = random::<7>().context("the system gave no randomness for a code: try again")?;
    let text = crockford(&bytes);
    let code = text.get(..CODE_CHARACTERS).context("a code is shorter than it has to be")?;
    let now = clock::now_unix_s();
    let expires_at = now + i64::from(minutes) * 60;
    let who = match by {
        Some(name) => Some(super::ledger::person(store, Some(name)).await?),
        None => None,
    };
    store.add_code(&code_digest(code), serial, now, expires_at).await?;
    if let Some(who) = &who {
        store.sign_code(&code_digest(code), who).await?;
    }
    opened.close().await;
    let (first, second) = code.split_at(CODE_CHARACTERS / 2);
    super::print(&format!(
        "code         {first}-{second}\nexpires      {}\n{}{}\nOn the device: assay enroll --portal {} --code {first}-{second}\n\
         Enrol only when the device shows the same fingerprint.\n",
        clock::for_people(expires_at),
        serial.map(|serial| format!("for serial   {serial}\n")).unwrap_or_default(),
        super::card_lines(&card),
        card.url,
    ))?;
    Ok(())
}
