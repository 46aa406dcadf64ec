//! The hardware clock: `/sys/class/rtc/rtc0`, against the system clock's sample of this run.
//!
//! A clock whose battery is empty starts in 1970 or 2000 after a power cut, or refuses to be read (EINVAL). QTS sets the
//! system clock from the network and writes it back, so a healthy difference proves nothing about the battery until the
//! power was off. A machine that keeps local time in it is hours off by design.

use assay_bundle::Observed;
use assay_bundle::facts::rtc::Rtc;

use super::{Found, clock};
use crate::door::Door;
use crate::source::Request;

const RTC: &str = "/sys/class/rtc/rtc0";

/// Reads the clock.
pub(crate) async fn collect(door: &Door<'_>) -> (Rtc, Found) {
    let unix_s: Observed<i64> = door.number(&format!("{RTC}/since_epoch")).await;
    let ahead_of_system_s = match (&unix_s, door.ask(&Request::ClockSample).await) {
        (Observed::Seen { value, from }, Ok(fetched)) => {
            match clock::sample(&fetched.bytes, &fetched.place).0 {
                Observed::Seen { value: system, .. } => {
                    Observed::seen(value.saturating_sub(system), from.clone())
                }
                other => other,
            }
        }
        (Observed::Seen { .. }, Err(missing)) => missing.required("the clock"),
        (other, _) => other.clone(),
    };
    let found = Found::of(&unix_s);
    (Rtc { name: door.text(&format!("{RTC}/name")).await, unix_s, ahead_of_system_s }, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    fn check(files: &[(&str, &str)], unix_s: Option<i64>, ahead: Option<i64>) {
        let (rtc, _) = run(files, async |door| collect(door).await);
        assert_eq!((rtc.unix_s.value().copied(), rtc.ahead_of_system_s.value().copied()), (unix_s, ahead));
    }

    #[test]
    fn a_clock_against_the_other() {
        let system = ("sample/clock.json", r#"{"unix_s":1760000000,"synchronised":true}"#);
        let rtc = |text| ("sys/class/rtc/rtc0/since_epoch", text);
        check(&[rtc("1760000003\n"), system], Some(1_760_000_003), Some(3));
        check(&[rtc("946684800\n"), system], Some(946_684_800), Some(-813_315_200));
        check(&[rtc("soon"), system], None, None);
        check(&[rtc("5"), ("sample/clock.json", "{}")], Some(5), None);
        check(&[rtc("-9223372036854775808"), system], Some(i64::MIN), Some(i64::MIN));
        check(&[system], None, None);
        let refused = ("sys/class/rtc/rtc0/since_epoch.unreadable", r#"{"io":{"why":"EINVAL"}}"#);
        check(&[refused, system], None, None);
    }
}
