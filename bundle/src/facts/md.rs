//! Linux software RAID, by array and by member. `[n/m]` alone never means degraded: QNAP's system arrays have more
//! slots than the machine has bays (qnap-platform.md 1.5b).

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// One md array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MdArray {
    /// Kernel name such as `md1`.
    pub name: String,
    /// RAID level as md names it: `raid1`, `raid5`, `raid6`, `raid10`, `raid0`, `linear`.
    pub level: Observed<String>,
    /// `array_state` (`clean`, `active`, `inactive`, `readonly`…), or `active`/`inactive` from `/proc/mdstat`.
    pub state: Observed<String>,
    /// Slots the array is made for.
    pub raid_disks: Observed<u32>,
    /// Slots that lack a working member (`degraded`, or n - m of `[n/m]`).
    pub missing: Observed<u32>,
    /// Members.
    pub members: Observed<Vec<MdMember>>,
    /// What md is doing: `idle`, `resync`, `recovery`, `check`, `repair`, `reshape`.
    pub sync_action: Observed<String>,
    /// How far it is, in percent times 100.
    pub sync_hundredths_of_percent: Observed<u32>,
    /// Sectors that did not match at the last check.
    pub mismatch_sectors: Observed<u64>,
}

/// State of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MdMemberState {
    /// A working part of the array.
    InSync,
    /// Waiting to take over.
    Spare,
    /// Kicked out: `faulty`, `(F)`.
    Faulty,
    /// Being filled.
    Rebuilding,
    /// Some other word, kept in `state_text`.
    Other,
}

/// One member device of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MdMember {
    /// Kernel name of the member, such as `sda3`.
    pub device: String,
    /// Slot number, where it has one.
    pub slot: Option<u32>,
    /// State.
    pub state: MdMemberState,
    /// State as the kernel printed it.
    pub state_text: String,
    /// Read errors that md corrected by rewriting (`errors`).
    pub corrected_errors: Option<u64>,
}
