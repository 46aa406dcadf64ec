//! What this unit remembers of its parts: which drive was in which bay when, and what is no longer there.
//!
//! A dead drive disappears: the system no longer lists it, so only a memory can say that it was there. Identity is
//! serial number and model, never a device name or a bay. The memory lies on the data volume and moves with the
//! drives, so it also says which unit it was made in. Nothing of the present run is remembered in it: it is what
//! earlier runs knew, compared with what this one saw.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// The memory, compared with this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Serial number of the unit that the memory was last kept in.
    pub unit_serial: Option<String>,
    /// Whether that is this unit. When it is not, bays, fans and modules in it are another chassis'.
    #[serde(skip_serializing_if = "Observed::is_not_collected")]
    pub same_unit: Observed<bool>,
    /// Drives that earlier runs saw, in the order in which they were first seen; 256 at most.
    pub remembered_drives: Vec<RememberedDrive>,
    /// Drives that the limit dropped so far, those unseen for longest first.
    pub drives_dropped: u64,
    /// Fans and memory modules that earlier runs saw; 256 at most.
    pub remembered_parts: Vec<RememberedPart>,
    /// Drives of this run that gave no serial number (asleep, failing, behind a bridge): each may be one of those
    /// that are remembered.
    pub drives_without_serial: u64,
}

/// A moment, by the device's own clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moment {
    /// Seconds since 1970; `None` when no clock was readable.
    pub unix_s: Option<i64>,
    /// Identifier of the boot.
    pub boot_id: Option<String>,
}

/// A drive that an earlier run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RememberedDrive {
    /// Serial number.
    pub serial: String,
    /// Maker's model when first seen: kept when it changes, because a changed model is evidence.
    pub model: String,
    /// World wide name.
    pub wwn: Option<String>,
    /// Firmware revision when last seen.
    pub firmware: Option<String>,
    /// Capacity when first seen, for the same reason.
    pub capacity_bytes: Option<Bytes>,
    /// Bay in which it was last seen, from 1.
    pub last_bay: Option<u32>,
    /// Device node under which it was last seen.
    pub last_device: String,
    /// When it was first seen.
    pub first_seen: Moment,
    /// When the memory last wrote that it was there: at most a day before it was really last seen.
    pub last_seen: Moment,
    /// Bays that it was seen in, oldest first; the newest 16. An error that stays with the bay while the drives
    /// change is the bay's; one that moves with the drive is the drive's.
    pub seen_in: Vec<Stay>,
    /// Whether this run saw it. Unreadable when the drives could not be listed, or when one that gave no serial
    /// number may be it: not seen is then no proof of absence.
    #[serde(skip_serializing_if = "Observed::is_not_collected")]
    pub present: Observed<bool>,
    /// Bay in which this run saw it, when that is another than the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bay_now: Option<u32>,
    /// Model that it now gives under the same serial number, when that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_now: Option<String>,
    /// Firmware that it now gives, when that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_now: Option<String>,
    /// Capacity that it now gives, when that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_now_bytes: Option<Bytes>,
    /// Serial number of the drive that this run saw in its last bay, when it is another one: it was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bay_taken_by: Option<String>,
}

/// How long a drive was in one bay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stay {
    /// Bay, from 1.
    pub bay: u32,
    /// When it was first seen there, seconds since 1970.
    pub from_unix_s: Option<i64>,
    /// When it was last known there, seconds since 1970.
    pub until_unix_s: Option<i64>,
}

/// The kind of a part that is known by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// A fan that turned when it was seen; an input that never counted is an empty header.
    Fan,
    /// A memory module that the memory controller counts for.
    Dimm,
}

/// A part that an earlier run saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedPart {
    /// What it is.
    pub kind: PartKind,
    /// Fan's name, or the module's label (else controller and place).
    pub name: String,
    /// When it was first seen.
    pub first_seen: Moment,
    /// Whether this run lists it; Unreadable when parts of its kind could not be listed.
    #[serde(default, skip_serializing_if = "Observed::is_not_collected")]
    pub present: Observed<bool>,
}
