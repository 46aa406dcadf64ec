//! Rows of QTS's event log as lines of JSON: a head, then one document a row. A support bundle has them in
//! `raw/sample/event_log.jsonl`.

use assay_bundle::Observed;

use super::{Begins, Format, Sign};
use crate::probes::event_log;

pub(super) const FORMAT: Format = Format {
    name: "event log rows",
    sign: Sign::First(b""),
    begins: |_| false,
    place: Begins::AmongOthers,
    is_json: |document| {
        document.get("rows_read").is_some_and(|rows| rows.is_u64())
            || (document.get("id").is_some_and(|id| id.is_i64())
                && document.get("time_unix_s").is_some()
                && document.get("text").is_some_and(|text| text.is_string()))
    },
    read: |gathered, output| {
        if let Observed::Seen { from, .. } = &gathered.facts.event_log {
            return Err(format!("{from} is an event log already; judge this one by itself"));
        }
        match event_log::parse(output.text.as_bytes(), output.place) {
            Observed::Unreadable { why } => Err(why),
            log => {
                gathered.facts.event_log = log;
                Ok(())
            }
        }
    },
};
