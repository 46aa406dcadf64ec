//! What QTS's own event log says about hardware. The texts stay in `raw/`.

use serde::{Deserialize, Serialize};

/// The log, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventLog {
    /// Rows in the database, of any kind. Many rows of which none is about hardware: QTS writes in another language.
    pub rows_read: Option<u64>,
    /// Older rows about hardware that were left out.
    pub rows_left_out: u64,
    /// Pages and records that made no sense (the database was written while it was copied, or is damaged).
    pub unreadable: u64,
    /// Newer rows may stand in a journal or write-ahead log that was not read.
    pub newest_may_be_missing: bool,
    /// Events about hardware, oldest first, at most [`EventLog::MOST_EVENTS`], the newest.
    pub events: Vec<SystemEvent>,
    /// Older events beyond that number.
    pub events_left_out: u64,
    /// How often a month the system found at its start that it was not shut down; months without are not listed. Over
    /// all rows that were read.
    pub unclean_shutdowns_per_month: Vec<MonthCount>,
}

impl EventLog {
    /// How many events are kept.
    pub const MOST_EVENTS: usize = 2_000;
}

/// One row that is about hardware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SystemEvent {
    /// Number of the row in the database.
    pub id: i64,
    /// What it is about, an open string: `unclean-shutdown`, `power-unit`, `ups`, `fan`, `temperature`, `drive-plugged`,
    /// `drive-unplugged`, `drive-error`, `smart-change`, `ncq-disabled`, `raid-degraded`, `raid-failed`,
    /// `raid-rebuilding`, `raid-rebuilt`, `pool-error`, `firmware-updated`, `started`, `shutdown`, `other`.
    pub kind: String,
    /// Whether the wording was seen verbatim on a device; else it was inferred from similar ones.
    pub known_wording: bool,
    /// Level that QTS gave it: 0 information, 1 warning, 2 error.
    pub level: Option<i64>,
    /// Time, in seconds since 1970.
    pub at_unix_s: Option<i64>,
    /// Time of day as written, where only that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_text: Option<String>,
    /// What it names: `drive 3`, `fan 2`, `power supply 1`; `enclosure TR-004` and `enclosure TR-004 drive 2` of one that
    /// makes RAID in hardware.
    pub subject: Option<String>,
    /// The change of a SMART attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<AttributeChange>,
    /// Number of its line in the raw form, from 1.
    pub line: u64,
}

/// `S.M.A.R.T.[5] 0 -> 8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttributeChange {
    /// Attribute's number, 1 to 255.
    pub id: u8,
    /// Raw value before.
    pub before: u64,
    /// Raw value after.
    pub after: u64,
}

/// Events of one month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MonthCount {
    /// Month as `2026-05`, in UTC where the row has a time, else as written.
    pub month: String,
    /// How many.
    pub count: u64,
}
