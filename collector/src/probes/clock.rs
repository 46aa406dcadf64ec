//! The clock: system time and whether it is disciplined (`sample/clock.json`), time since boot, identity of this boot.
//!
//! The time is a fact about the device, not about the world: a NAS with an empty RTC battery starts in 1970 or 2000,
//! and nothing here corrects it.

use assay_bundle::Observed;
use assay_bundle::facts::clock::Clock;
use assay_bundle::units::Seconds;
use serde_json::Value;

use super::Found;
use crate::door::Door;
use crate::source::Request;

const UPTIME: &str = "/proc/uptime";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Reads the clock.
pub(crate) async fn collect(door: &Door<'_>) -> (Clock, Found) {
    let (unix_s, synchronised) = match door.ask(&Request::ClockSample).await {
        Ok(fetched) => sample(&fetched.bytes, &fetched.place),
        Err(missing) => (missing.clone().required("the clock"), missing.required("the clock")),
    };
    let uptime_s = door.value(UPTIME, "a time since boot", uptime).await;
    let boot_id = door.text(BOOT_ID).await;
    let found = Found::any([Found::of(&unix_s), Found::of(&uptime_s)]);
    (Clock { unix_s: door.noted(unix_s), uptime_s, synchronised, boot_id }, found)
}

/// System time and whether it is disciplined, of a sample that stands at `place`. A kernel that cannot tell leaves
/// `synchronised` out.
pub fn sample(bytes: &[u8], place: &str) -> (Observed<i64>, Observed<bool>) {
    let sample = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let unix_s = sample.get("unix_s").and_then(Value::as_i64);
    let synchronised = sample.get("synchronised").and_then(Value::as_bool);
    (
        unix_s.map_or_else(
            || Observed::unreadable(format!("{place}: it holds no time")),
            |s| Observed::seen(s, place),
        ),
        synchronised.map_or_else(
            || Observed::unreadable(format!("{place}: it does not say whether the clock is synchronised")),
            |yes| Observed::seen(yes, place),
        ),
    )
}

/// The first number of `/proc/uptime`, in whole seconds.
fn uptime(text: &str) -> Option<Seconds> {
    let first = text.split_whitespace().next()?;
    first.split('.').next()?.parse().ok().map(Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_in_whole_seconds() {
        fn check(text: &str, expected: Option<u64>) {
            assert_eq!(uptime(text).map(|s| s.0), expected, "{text}");
        }
        check("350735.47 234388.90", Some(350_735));
        check("0.01 0.00", Some(0));
        check("12", Some(12));
        check("", None);
        check("-1.0 2", None);
        check("x", None);
    }

    #[test]
    fn a_sample() {
        fn check(text: &str, unix_s: Option<i64>, synchronised: Option<bool>) {
            let (s, yes) = sample(text.as_bytes(), "sample/clock.json");
            assert_eq!((s.value().copied(), yes.value().copied()), (unix_s, synchronised), "{text}");
        }
        check(r#"{"unix_s":1760000000,"synchronised":true}"#, Some(1_760_000_000), Some(true));
        check(r#"{"unix_s":-5}"#, Some(-5), None);
        check(r#"{"unix_s":"5","synchronised":0}"#, None, None);
        check("", None, None);
        check("[", None, None);
    }
}
