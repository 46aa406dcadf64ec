//! `zpool status -j` (OpenZFS 2.3 and later): numbers are strings unless `--json-int` was given, and devices of the log,
//! the cache and the spares stand beside the tree of the pool.

use assay_bundle::Observed;
use assay_bundle::facts::zfs::{ZfsClass, ZfsNumber, ZfsPool, ZfsScan, ZfsScanKind, ZfsScanState, ZfsVdev};
use serde_json::{Map, Value};

use super::{class, errors, kind, named, number};

/// Trees nested deeper are no pools.
const DEEPEST: u32 = 8;

pub(super) fn parse(text: &str, place: &str) -> Vec<ZfsPool> {
    let whole: Value = serde_json::from_str(text).unwrap_or_default();
    let pools = whole.get("pools").and_then(Value::as_object).into_iter().flatten();
    pools.filter_map(|(name, pool)| Some(self::pool(name, pool.as_object()?, place))).collect()
}

fn pool(name: &str, json: &Map<String, Value>, place: &str) -> ZfsPool {
    let text = |key: &str| match json.get(key).and_then(Value::as_str) {
        Some(text) => Observed::seen(text.split_whitespace().collect::<Vec<_>>().join(" "), place),
        None => Observed::Absent,
    };
    let mut vdevs = Vec::new();
    branch(json.get("vdevs"), 0, ZfsClass::Data, place, &mut vdevs);
    for (key, part) in json {
        if let Some(class) = class(key) {
            branch(Some(part), 1, class, place, &mut vdevs);
        }
    }
    let mut pool = ZfsPool {
        name: name.to_owned(),
        state: text("state"),
        status: text("status"),
        action: text("action"),
        message_id: text("msgid"),
        scan: match json.get("scan_stats").and_then(Value::as_object) {
            Some(stats) => Observed::seen(scan(stats), place),
            None => Observed::Absent,
        },
        vdevs,
        ..ZfsPool::default()
    };
    match json.get("error_count").and_then(count) {
        Some(ZfsNumber { value: 0, .. }) => errors(&mut pool, "No known data errors", place),
        Some(exact) => errors(&mut pool, &format!("{} data errors", exact.value), place),
        None => pool.data_errors = Observed::unreadable(format!("{place}: \"error_count\" is no number")),
    }
    pool
}

/// A number, or the text of one.
fn count(value: &Value) -> Option<ZfsNumber> {
    match value {
        Value::Number(exact) => Some(ZfsNumber { value: exact.as_u64()?, rounded: false }),
        Value::String(text) => number(text),
        _ => None,
    }
}

fn branch(json: Option<&Value>, depth: u32, class: ZfsClass, place: &str, into: &mut Vec<ZfsVdev>) {
    if depth > DEEPEST {
        return;
    }
    for (name, vdev) in json.and_then(Value::as_object).into_iter().flatten() {
        let Some(vdev) = vdev.as_object() else { continue };
        let counter = |key: &str| match vdev.get(key) {
            None => Observed::Absent,
            Some(value) => count(value).map_or_else(
                || Observed::unreadable(format!("{place}: {key:?} is no number")),
                |count| Observed::seen(count, place),
            ),
        };
        let state = vdev.get("state").and_then(Value::as_str);
        into.push(ZfsVdev {
            depth,
            class,
            kind: kind(name, depth, class),
            state: state.map_or(Observed::Absent, |state| Observed::seen(state.to_owned(), place)),
            read_errors: counter("read_errors"),
            write_errors: counter("write_errors"),
            checksum_errors: counter("checksum_errors"),
            ..named(name)
        });
        branch(vdev.get("vdevs"), depth + 1, class, place, into);
    }
}

fn scan(stats: &Map<String, Value>) -> ZfsScan {
    let text = |key: &str| stats.get(key).and_then(Value::as_str).unwrap_or_default();
    let state = match text("state") {
        "NONE" => ZfsScanState::None,
        "SCANNING" => ZfsScanState::InProgress,
        "FINISHED" => ZfsScanState::Finished,
        "CANCELED" => ZfsScanState::Canceled,
        _ => ZfsScanState::Other,
    };
    let number = |key: &str| stats.get(key).and_then(count);
    let share = number("issued").zip(number("to_examine")).and_then(|(done, all)| {
        let hundredths = u128::from(done.value).checked_mul(10_000)?.checked_div(u128::from(all.value))?;
        u32::try_from(hundredths.min(10_000)).ok()
    });
    ZfsScan {
        kind: match text("function") {
            "NONE" => ZfsScanKind::None,
            "SCRUB" => ZfsScanKind::Scrub,
            "RESILVER" => ZfsScanKind::Resilver,
            _ => ZfsScanKind::Other,
        },
        state,
        done_hundredths_of_percent: share.filter(|_| state == ZfsScanState::InProgress),
        repaired_bytes: number("processed"),
        errors: number("errors").map(|errors| errors.value),
        ended: Some(text("end_time").to_owned()).filter(|end| !matches!(end.as_str(), "" | "-")),
        text: [text("function"), text("state")].join(" "),
    }
}
