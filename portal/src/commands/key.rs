//! `assay-portal key`: the portal's own keys, and how they are replaced. Every device has pinned the root key, and takes
//! others only under its signature and a higher number.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::card::published;
use crate::config::Settings;
use crate::files::{DataDir, write_whole};
use crate::identity::{Identity, Rotation};

/// What can be asked about the portal's keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// The keys in force, and the recipients of before.
    Show,
    /// Put new keys in force, signed by the root key. Stop the portal first, and start it again after.
    Rotate(Rotate),
}

/// What is replaced.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The online key, which signs requests and receipts. Support requests that are open must be issued again.
    #[arg(long)]
    online: bool,
    /// The recipient that devices encrypt to. What was sealed for the old one is still opened; the card's fingerprint
    /// changes, and standing consents end with it.
    #[arg(long)]
    recipient: bool,
}

/// Does what was asked.
///
/// # Errors
/// When the portal serves, has no keys yet, or a file cannot be written.
pub fn run(settings: &Settings, command: &KeyCommand) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    if !dir.identity().exists() {
        bail!("this portal has no keys yet: start it once with assay-portal serve, with the same --data-dir");
    }
    let identity = match command {
        KeyCommand::Show => Identity::open(&dir)?,
        KeyCommand::Rotate(what) => {
            if !what.online && !what.recipient {
                bail!("say what is replaced: --online, --recipient or both");
            }
            let _taken = dir.take().context("keys are replaced while the portal does not serve")?;
            let identity =
                Identity::rotate(&dir, Rotation { online: what.online, recipient: what.recipient })?;
            // Commands that show the card before the next start show the one that it will have.
            if let Ok(card) = published(&dir) {
                let card = identity.card(&card.name, &card.url, &card.tls_key_pin);
                write_whole(&dir.card(), &serde_json::to_vec_pretty(&card)?, 0o644)?;
            }
            identity
        }
    };
    let mut text = format!(
        "number       {}\nroot key     {}\nonline key   {}\nrecipient    {}\n",
        identity.number,
        identity.root_public.to_openssh(),
        identity.online.public().to_openssh(),
        identity.recipient,
    );
    for former in &identity.former_recipients {
        text.push_str(&format!("former       {former}\n"));
    }
    if matches!(command, KeyCommand::Rotate(_)) {
        text.push_str("Start the portal again: devices take the new keys at their next call. Back up the data folder.\n");
    }
    super::print(&text)?;
    Ok(())
}
