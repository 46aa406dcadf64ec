//! `assay-portal device`: what is known of a key, and what an engineer decides about it: revoked, moved, replaced, in doubt.
//!
//! A replacement under a case lets the new unit take the portable part of the old one's recovery copy, which its owner
//! alone can open.

use anyhow::bail;
use assay_bundle::key_life::Revocation;
use assay_bundle::replacement::is_case;
use assay_bundle::statement::{STATEMENT_FORMAT, Signed, Statement};
use clap::Subcommand;

use super::card::published;
use super::request::one_device;
use crate::boots;
use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::files::DataDir;
use crate::identity::Identity;
use crate::store::TenantStore;
use crate::store::devices::Device;
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
    /// One device: its keys, what is in doubt about it, what happened to it.
    Show {
        /// The device: its name here, its key's fingerprint or its serial number.
        device: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a key count no more. The device is told so with the reason, keeps what waits, and stops calling.
    Revoke {
        /// The device: its name here, its key's fingerprint or its serial number.
        device: String,
        /// Why, as the owner will read it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take a revocation back: the key counts again.
    Unrevoke {
        /// The device: its name here or its key's fingerprint.
        device: String,
        /// Why, for the records here.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End the doubt about a unit that lost its state: what its earlier boots said counts no more.
    AcceptStateLost {
        /// The device: its name here, its key's fingerprint or its serial number.
        device: String,
        /// It looked like a cloned key, and I made sure that only one unit has it.
        #[arg(long)]
        one_unit: bool,
    },
}

/// Does what was asked.
///
/// # Errors
/// When something is not known or not allowed, or the database fails.
pub async fn run(settings: &Settings, command: DeviceCommand) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let text = match command {
        DeviceCommand::ReplacementOf { old, new, case } => replacement(store, &old, &new, case).await?,
        DeviceCommand::ReplacementStatement { new } => statement(&dir, store, &new).await?,
        DeviceCommand::ReplacementDone { old } => done(store, old.trim()).await?,
        DeviceCommand::KeyMove { old, new } => key_move(store, &old, &new).await?,
        DeviceCommand::Show { device, json } => show(store, &device, json).await?,
        DeviceCommand::Revoke { device, reason } => revoke(store, &device, &reason).await?,
        DeviceCommand::Unrevoke { device, reason } => unrevoke(store, &device, &reason).await?,
        DeviceCommand::AcceptStateLost { device, one_unit } => accept(store, &device, one_unit).await?,
    };
    opened.close().await;
    super::print(&text)?;
    Ok(())
}

async fn replacement(
    store: TenantStore<'_>,
    old: &str,
    new: &str,
    case: Option<String>,
) -> anyhow::Result<String> {
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

async fn statement(dir: &DataDir, store: TenantStore<'_>, new: &str) -> anyhow::Result<String> {
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

async fn done(store: TenantStore<'_>, old: &str) -> anyhow::Result<String> {
    if !store.end_replacement(old).await? {
        bail!("no open replacement names {old:?} as the unit that goes");
    }
    Ok(format!("replacement  of {} is over\n", visible(old)))
}

async fn key_move(store: TenantStore<'_>, old: &str, new: &str) -> anyhow::Result<String> {
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
    if !store.move_key(&old, &new, same_unit, clock::now_unix_s()).await? {
        bail!("key {} was revoked before", old.key_id);
    }
    Ok(format!(
        "revoked      {}\nstays        {}\nOpen requests and sessions of the old key are closed; the device is told at \
         its next call.\n{}",
        old.key_id,
        new.key_id,
        if same_unit {
            "Bundles that were sealed under the old key are taken from the new one.\n"
        } else {
            ""
        },
    ))
}

/// The one key that a person means, revoked or not: a serial number means its living key.
async fn any_device(store: TenantStore<'_>, text: &str) -> anyhow::Result<Device> {
    let mut named = store.devices_named(text).await?;
    if named.len() == 1
        && let Some(only) = named.pop()
    {
        return Ok(only);
    }
    one_device(store, text).await
}

async fn revoke(store: TenantStore<'_>, device: &str, reason: &str) -> anyhow::Result<String> {
    let device = one_device(store, device).await?;
    // What no device would take is not kept.
    let word = Revocation {
        format: STATEMENT_FORMAT,
        device_id: device.id.clone(),
        key_id: device.key_id.clone(),
        call_nonce: "-".to_owned(),
        made_unix_s: 0,
        revoked_unix_s: 0,
        reason: reason.to_owned(),
    };
    Statement::check(&word).map_err(anyhow::Error::msg)?;
    if !store.revoke_device(&device.id, reason, clock::now_unix_s()).await? {
        bail!("key {} was revoked before", device.key_id);
    }
    Ok(format!(
        "revoked      {}\nreason       {}\nThe device is told at its next call and keeps what waits. To take it back: \
         assay-portal device unrevoke {} --reason TEXT\n",
        device.key_id,
        visible(reason),
        device.id
    ))
}

async fn unrevoke(store: TenantStore<'_>, device: &str, reason: &str) -> anyhow::Result<String> {
    let device = any_device(store, device).await?;
    if let Some(heir) = &device.moved_to {
        bail!("the key of this device moved to device {heir}: that one speaks for the unit now");
    }
    if !store.unrevoke_device(&device.id, reason, clock::now_unix_s()).await? {
        bail!("key {} is not revoked", device.key_id);
    }
    Ok(format!(
        "counts again {}\nThe device looks once a day by itself; at once with: assay upload\n",
        device.key_id
    ))
}

async fn accept(store: TenantStore<'_>, device: &str, one_unit: bool) -> anyhow::Result<String> {
    let device = any_device(store, device).await?;
    let words = match device.doubt.as_deref() {
        None => bail!("there is no doubt about key {}", device.key_id),
        Some("cloned") if !one_unit => bail!(
            "key {} looks cloned, not lost: revoke it and enrol each unit with a code of its own. If you made sure that \
             only one unit has it, give --one-unit",
            device.key_id
        ),
        Some("cloned") => "an engineer made sure that only one unit has this key",
        Some(_) => "an engineer accepted that the unit lost its state",
    };
    store.end_doubt(&device.id, words, clock::now_unix_s()).await?;
    Ok(format!(
        "accepted     {}\nIts numbers go on above {}; the device learns this at its next call.\n",
        device.key_id, device.last_seq
    ))
}

async fn show(store: TenantStore<'_>, device: &str, json: bool) -> anyhow::Result<String> {
    let device = any_device(store, device).await?;
    let (keys, events) = (store.keys_of(&device.id).await?, store.events_of(&device.id).await?);
    let others = store.same_serial(&device).await?;
    if json {
        let keys = keys.iter().map(|key| {
            serde_json::json!({ "key_id": key.key_id, "public_key": key.public_key,
                "valid_from": clock::rfc3339(key.valid_from), "valid_to": key.valid_to.map(clock::rfc3339) })
        });
        let events = events.iter().map(|event| {
            serde_json::json!({ "at": clock::rfc3339(event.at), "what": event.what, "words": event.words })
        });
        let document = serde_json::json!({
            "device_id": device.id, "key_id": device.key_id, "model": device.model, "serial": device.serial,
            "enrolled_at": clock::rfc3339(device.enrolled_at), "last_seq": device.last_seq,
            "revoked_at": device.revoked_at.map(clock::rfc3339), "revoked_reason": device.revoked_reason,
            "moved_to": device.moved_to, "doubt": device.doubt, "doubt_words": device.doubt_words,
            "keys": keys.collect::<Vec<_>>(), "events": events.collect::<Vec<_>>(),
            "same_serial": others.iter().map(|other| &other.key_id).collect::<Vec<_>>(),
        });
        return Ok(format!("{}\n", serde_json::to_string_pretty(&document)?));
    }
    let known = |text: Option<&str>| visible(text.unwrap_or("not known"));
    let mut text = format!(
        "device       {}\nunit         {}, serial {}\nkey          {}\nenrolled     {}\nlast number  {}\n",
        device.id,
        known(device.model.as_deref()),
        known(device.serial.as_deref()),
        device.key_id,
        clock::for_people(device.enrolled_at),
        device.last_seq,
    );
    if let Some(at) = device.revoked_at {
        text.push_str(&format!(
            "REVOKED      {}: {}\n",
            clock::for_people(at),
            visible(device.revoked_words())
        ));
    }
    if let Some(heir) = &device.moved_to {
        text.push_str(&format!("moved to     device {heir}\n"));
    }
    if let (Some(doubt), Some(at)) = (&device.doubt, device.doubt_at) {
        let name = boots::name_of(doubt).to_uppercase();
        text.push_str(&format!("{name}   since {}: {}\n", clock::for_people(at), device.doubt_words));
    }
    for key in keys.iter().filter(|key| key.valid_to.is_some()) {
        let until = key.valid_to.map(clock::for_people).unwrap_or_default();
        text.push_str(&format!(
            "earlier key  {} from {} until {until}\n",
            key.key_id,
            clock::for_people(key.valid_from)
        ));
    }
    for other in &others {
        let state = if other.revoked_at.is_some() { "revoked" } else { "COUNTS TOO" };
        text.push_str(&format!("same serial  key {} (device {}), {state}\n", other.key_id, other.id));
    }
    for event in &events {
        text.push_str(&format!(
            "{}  {}: {}\n",
            clock::for_people(event.at),
            event.what,
            visible(&event.words)
        ));
    }
    Ok(text)
}
