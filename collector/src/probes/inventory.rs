//! The inventory memory of earlier runs: `state/inventory.json`, which the agent keeps on the data volume, compared
//! with what this run saw.
//!
//! What is read is the memory as it was *before* this run, so the comparison can be made again from `raw/`. It is
//! asked after the drives, like [`super::history`], and left alone while a hard drive sleeps. A unit in its first
//! run has no memory, which is Absent.

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::inventory::Inventory;

use super::Found;
use crate::door::Door;
use crate::inventory_memory;
use crate::remember::{ASLEEP, any_asleep};
use crate::source::Request;

/// Reads the memory, unless every hard drive among `drives` sleeps. Not compared yet: see [`compared`].
pub(crate) async fn collect(door: &Door<'_>, drives: &Observed<Vec<Drive>>) -> (Observed<Inventory>, Found) {
    if any_asleep(drives) {
        return (door.noted(Observed::unreadable(ASLEEP)), Found::Nothing);
    }
    let memory = match door.ask(&Request::Inventory).await {
        Ok(fetched) => door.noted(parse(&fetched.bytes, &fetched.place)),
        Err(missing) => missing.observed(),
    };
    let found = Found::of(&memory);
    (memory, found)
}

/// Reads a memory that stands at `place`.
pub fn parse(bytes: &[u8], place: &str) -> Observed<Inventory> {
    match inventory_memory::parse(bytes) {
        Ok(memory) => Observed::seen(memory, place),
        Err(why) => Observed::unreadable(format!("{place}: {why}")),
    }
}

/// The memory compared with the other facts of the run.
pub(crate) fn compared(memory: Observed<Inventory>, facts: &Facts) -> Observed<Inventory> {
    match memory {
        Observed::Seen { value, from } => {
            Observed::Seen { value: inventory_memory::compare(value, &from, facts), from }
        }
        other => other,
    }
}
