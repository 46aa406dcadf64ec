//! Linux software RAID, by array and by member. `[n/m]` alone never means degraded: QNAP's system arrays have more
//! slots than the machine has bays (qnap-platform.md 1.5b).

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// What QTS and QuTS hero use an array for, by the number that they give it. A name and no judgement: on another
/// Linux the same numbers mean nothing, and there it is Absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MdRole {
    /// `md9`: the configuration of the system (`/mnt/HDA_ROOT`), mirrored over all drives.
    Configuration,
    /// `md13`: the applications of the system (`/mnt/ext`), mirrored over all drives.
    Applications,
    /// `md256` and `md320` to `md329`: swap, mirrored over two drives with the others as spares.
    Swap,
    /// Every other number: the owner's data.
    Data,
}

impl MdRole {
    /// Whether the array is the system's own.
    pub fn is_system(self) -> bool {
        self != Self::Data
    }
}

/// A mark that md sets on a member beside its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MdMemberFlag {
    /// Read only when nothing else can be (`write_mostly`, `(W)`).
    WriteMostly,
    /// The array's journal (`journal`, `(J)`).
    Journal,
    /// Replaces another member while that one still works (`replacement`, `(R)`).
    Replacement,
    /// Should be replaced as soon as a spare is there (`want_replacement`).
    WantReplacement,
    /// A write to it failed (`write_error`).
    WriteError,
    /// Writes wait until somebody acknowledges an error (`blocked`).
    Blocked,
    /// Fails fast, without retries (`failfast`).
    Failfast,
    /// `(E)`: some vendors' kernels mark a member with errors that is still used.
    Error,
}

/// One md array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MdArray {
    /// Kernel name such as `md1`.
    pub name: String,
    /// RAID level as md names it: `raid1`, `raid5`, `raid6`, `raid10`, `raid0`, `linear`.
    pub level: Observed<String>,
    /// What the system uses it for. Absent where the numbers of arrays have no fixed meaning.
    pub role: Observed<MdRole>,
    /// `array_state` (`clean`, `active`, `inactive`, `readonly`, `read-auto`…), or as much of it as `/proc/mdstat`
    /// (`active`, `inactive`, `readonly`, `read-auto`) or `mdadm --detail` (`clean`, `active`) say.
    pub state: Observed<String>,
    /// Format of its superblocks: `1.0`, `0.90`, `ddf`, `external:imsm`.
    pub metadata_version: Observed<String>,
    /// Usable size.
    pub size_bytes: Observed<Bytes>,
    /// Slots the array is made for; while it is reshaped, the number to come.
    pub raid_disks: Observed<u32>,
    /// Slots before the reshape that runs. Absent when none runs.
    pub raid_disks_before: Observed<u32>,
    /// Slots that lack a working member (`degraded`, or n - m of `[n/m]`).
    pub missing: Observed<u32>,
    /// Members.
    pub members: Observed<Vec<MdMember>>,
    /// What md is doing: `idle`, `resync`, `recovery`, `check`, `repair`, `reshape`.
    pub sync_action: Observed<String>,
    /// How far it is, in percent times 100, 0 to 10,000. Absent when nothing runs.
    pub sync_hundredths_of_percent: Observed<u32>,
    /// Whether it waits for another array, a reader or another node (`delayed`, `DELAYED`, `PENDING`, `REMOTE`).
    pub sync_waits: Observed<bool>,
    /// What it did last (`last_sync_action`): `check`, `resync`, `recovery`…, `none`.
    pub last_sync_action: Observed<String>,
    /// Sectors that did not match at the last check.
    pub mismatch_sectors: Observed<u64>,
}

/// State of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MdMemberState {
    /// A working part of the array.
    InSync,
    /// Waiting to take over.
    Spare,
    /// Kicked out: `faulty`, `(F)`.
    Faulty,
    /// Being filled, or about to be: it has a slot and does not hold its data yet.
    Rebuilding,
    /// Some other word, kept in `state_text`.
    #[default]
    Other,
}

/// One member device of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Marks beside the state, in the order of this type, each once.
    #[serde(default)]
    pub flags: Vec<MdMemberFlag>,
    /// Sectors on the member's list of bad blocks (`bad_blocks`; the kernel shows the first page of the list, so a
    /// long list is counted short).
    #[serde(default)]
    pub bad_block_sectors: Observed<u64>,
}
