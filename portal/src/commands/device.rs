//! `assay-portal device`: a unit is replaced, or its key moves.

use anyhow::bail;
use clap::Subcommand;

use super::request::one_device;
use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::files::DataDir;
use crate::store::Store;
use crate::store::notices::Replacement;

/// What can be asked about devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Say that one unit replaces another: both are told, and the drives may move without alarm.
    ReplacementOf {
        /// Serial number of the unit that goes.
        old: String,
        /// Serial number of the unit that comes.
        new: String,
    },
    /// Revoke the old key of a unit that was enrolled again, or was replaced as named before.
    KeyMove {
        /// The key that goes: its fingerprint, or the device's name here.
        old: String,
        /// The key that stays: its fingerprint, or the device's name here.
        new: String,
    },
}

/// Does what was asked.
///
/// # Errors
/// When something is not known or not allowed, or the database fails.
pub async fn run(settings: &Settings, command: DeviceCommand) -> anyhow::Result<()> {
    let store = Store::open(&DataDir::open(&settings.data_dir)?.database()).await?;
    let text = match command {
        DeviceCommand::ReplacementOf { old, new } => replacement(&store, &old, &new).await?,
        DeviceCommand::KeyMove { old, new } => key_move(&store, &old, &new).await?,
    };
    store.close().await;
    super::print(&text)?;
    Ok(())
}

async fn replacement(store: &Store, old: &str, new: &str) -> anyhow::Result<String> {
    let (old, new) = (old.trim(), new.trim());
    if old.is_empty() || new.is_empty() || old == new {
        bail!("a replacement needs two different serial numbers");
    }
    if store.devices_named(old).await?.iter().all(|device| device.serial.as_deref() != Some(old)) {
        bail!("no device with serial number {old:?} was ever enrolled here");
    }
    let named = Replacement { old_serial: old.to_owned(), new_serial: new.to_owned() };
    store.name_replacement(&named, clock::now_unix_s()).await?;
    Ok(format!(
        "replacement  {} by {}\nNext: enrol the new unit (assay-portal enroll-code --serial {}), then \
         assay-portal device key-move OLD-KEY NEW-KEY\n",
        visible(old),
        visible(new),
        visible(new)
    ))
}

async fn key_move(store: &Store, old: &str, new: &str) -> anyhow::Result<String> {
    let (old, new) = (one_device(store, old).await?, one_device(store, new).await?);
    if old.id == new.id {
        bail!("both are the same key: name the old one and the new one by their fingerprints");
    }
    let same_unit = old.serial.is_some() && old.serial == new.serial;
    let replaced = match &old.serial {
        Some(serial) => store.replacement_of(serial).await?.is_some_and(|named| {
            Some(&named.old_serial) == old.serial.as_ref() && Some(&named.new_serial) == new.serial.as_ref()
        }),
        None => false,
    };
    if !same_unit && !replaced {
        bail!(
            "these keys are of different units, and no replacement names them: first run assay-portal device \
             replacement-of OLD-SERIAL NEW-SERIAL"
        );
    }
    let words = format!("the key moved to {}", new.key_id);
    if !store.revoke_device(&old.id, &words, clock::now_unix_s()).await? {
        bail!("key {} was revoked before", old.key_id);
    }
    Ok(format!(
        "revoked      {}\nstays        {}\nOpen requests and sessions of the old key are closed; the device is told at \
         its next poll.\n",
        old.key_id, new.key_id
    ))
}
