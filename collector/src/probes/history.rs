//! The flight recorder's records of earlier runs: `state/recorder.jsonl`, which the agent keeps on the data volume.
//!
//! It is asked after the drives: while a hard drive sleeps the recorder is left alone, because reading it could
//! wake them. A unit in its first run has no recorder, which is Absent. Damaged places are counted and cost only
//! themselves; a recorder of which nothing could be understood is Unreadable.

use assay_bundle::Observed;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::history::History;

use super::Found;
use crate::door::Door;
use crate::remember::{ASLEEP, any_asleep};
use crate::ring;
use crate::source::Request;

/// Reads what was recorded, unless every hard drive among `drives` sleeps.
pub(crate) async fn collect(door: &Door<'_>, drives: &Observed<Vec<Drive>>) -> (Observed<History>, Found) {
    if any_asleep(drives) {
        return (door.noted(Observed::unreadable(ASLEEP)), Found::Nothing);
    }
    let history = match door.ask(&Request::Recorder).await {
        Ok(fetched) => door.noted(parse(&fetched.text(), fetched.truncated, &fetched.place)),
        Err(missing) => missing.observed(),
    };
    let found = Found::of(&history);
    (history, found)
}

/// Reads records that stand at `place`.
pub fn parse(text: &str, truncated: bool, place: &str) -> Observed<History> {
    let history = ring::parse(text, truncated).history;
    if history.records == 0 && history.segments_damaged > 0 {
        return Observed::unreadable(format!("{place}: no record in it is whole"));
    }
    Observed::seen(history, place)
}
