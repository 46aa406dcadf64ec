//! `assay-portal device`: a unit is replaced, or its key moves. A replacement under a case lets the new unit take the
//! portable part of the old one's recovery copy, which its owner alone can open.

use anyhow::bail;
use assay_bundle::replacement::is_case;
use assay_bundle::statement::Signed;
use clap::Subcommand;

use super::card::published;
use super::request::one_device;
use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::files::DataDir;
use crate::identity::Identity;
use crate::store::Store;
use crate::store::notices::Replacement;

/// What can be asked about devices.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Say that one unit replaces another: both are told, and the drives may move without alarm.
    ReplacementOf {
        /// Serial number of the unit that goes.
        old: String,
        /// The unit that comes: its serial number; once it is enrolled, also its name here or its key's fingerprint.
        new: String,
        /// The case: with it the new unit may take the portable part of the old one's recovery copy.
        #[arg(long, value_name = "CASE")]
        case: Option<String>,
    },
    /// Print the signed statement of a replacement, for a unit that is offline.
    ReplacementStatement {
        /// The unit that comes, enrolled: its name here, its key's fingerprint or its serial number.
        new: String,
    },
    /// Say that a replacement is over: nothing is told of it any more. Statements that were given out run out.
    ReplacementDone {
        /// Serial number of the unit that went.
        old: String,
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
    let dir = DataDir::open(&settings.data_dir)?;
    let store = Store::open(&dir.database()).await?;
    let text = match command {
        DeviceCommand::ReplacementOf { old, new, case } => replacement(&store, &old, &new, case).await?,
        DeviceCommand::ReplacementStatement { new } => statement(&dir, &store, &new).await?,
        DeviceCommand::ReplacementDone { old } => done(&store, old.trim()).await?,
        DeviceCommand::KeyMove { old, new } => key_move(&store, &old, &new).await?,
    };
    store.close().await;
    super::print(&text)?;
    Ok(())
}

async fn replacement(store: &Store, old: &str, new: &str, case: Option<String>) -> anyhow::Result<String> {
    let (old, new) = (old.trim(), new.trim());
    if case.as_deref().is_some_and(|case| !is_case(case)) {
        bail!("this is no name of a case: give 1 to 64 characters without blanks around them");
    }
    // A unit that is named by its key is kept under what does not change with the key.
    let known = store.devices_named(new).await?.pop();
    let named = known.map(|device| device.serial.unwrap_or(device.id));
    let new = named.as_deref().unwrap_or(new);
    if old.is_empty() || new.is_empty() || old == new {
        bail!("a replacement needs two different serial numbers");
    }
    if store.devices_named(old).await?.iter().all(|device| device.serial.as_deref() != Some(old)) {
        bail!("no device with serial number {old:?} was ever enrolled here");
    }
    let in_case = match &case {
        Some(case) => format!("case         {}\n", visible(case)),
        None => "case         none: the old unit's recovery copy stays closed to the new one (--case CASE)\n"
            .to_owned(),
    };
    let named = Replacement { old_serial: old.to_owned(), new_serial: new.to_owned(), case_id: case };
    store.name_replacement(&named, clock::now_unix_s()).await?;
    Ok(format!(
        "replacement  {} by {}\n{in_case}Next: enrol the new unit (assay-portal enroll-code --serial {}), then \
         assay-portal device key-move OLD-KEY NEW-KEY\n",
        visible(old),
        visible(new),
        visible(new)
    ))
}

async fn statement(dir: &DataDir, store: &Store, new: &str) -> anyhow::Result<String> {
    let device = one_device(store, new).await?;
    if device.revoked_at.is_some() {
        bail!("key {} was revoked: nothing is stated for it", device.key_id);
    }
    let named = store.replacement_by(&device).await?;
    let fingerprint = published(dir)?.fingerprint();
    let statement = named.and_then(|named| named.statement(&device, &fingerprint, clock::now_unix_s()));
    let Some(statement) = statement else {
        bail!(
            "no open case names this unit as a replacement: first run assay-portal device replacement-of OLD-SERIAL \
             NEW --case CASE"
        );
    };
    let signed = Signed::new(&statement, &Identity::open(dir)?.online)?;
    Ok(format!("{}\n", serde_json::to_string(&signed)?))
}

async fn done(store: &Store, old: &str) -> anyhow::Result<String> {
    if !store.end_replacement(old).await? {
        bail!("no open replacement names {old:?} as the unit that goes");
    }
    Ok(format!("replacement  of {} is over\n", visible(old)))
}

async fn key_move(store: &Store, old: &str, new: &str) -> anyhow::Result<String> {
    let (old, new) = (one_device(store, old).await?, one_device(store, new).await?);
    if old.id == new.id {
        bail!("both are the same key: name the old one and the new one by their fingerprints");
    }
    let same_unit = old.serial.is_some() && old.serial == new.serial;
    let replaced = match &old.serial {
        Some(serial) => store.replacement_of(serial).await?.is_some_and(|named| {
            Some(&named.old_serial) == old.serial.as_ref()
                && (Some(&named.new_serial) == new.serial.as_ref() || named.new_serial == new.id)
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
