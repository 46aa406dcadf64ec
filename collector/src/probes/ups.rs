//! Uninterruptible power supplies that the NAS watches: its own UPS service (NUT), if it runs.
//!
//! No service on the loopback means that none is watched here: Absent. A unit that the service has lost is listed with
//! that reason. A UPS may still stand before the NAS without its cable; nobody can see that.

use assay_bundle::Observed;
use assay_bundle::facts::ups::Ups;

use crate::door::Door;
use crate::nut;
use crate::source::Request;

/// Asks the service.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<Ups>> {
    match door.ask(&Request::Nut).await {
        Ok(fetched) => door.noted(match nut::parse(&fetched.text(), &fetched.place) {
            Ok(units) if units.is_empty() => Observed::Absent,
            Ok(units) => Observed::seen(units, fetched.place),
            Err(why) => Observed::unreadable(why),
        }),
        Err(missing) => missing.observed(),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    #[test]
    fn a_service_a_failure_or_none() {
        fn check(files: &[(&str, &str)], state: &str) {
            let found = run(files, async |door| collect(door).await);
            assert!(format!("{found:?}").contains(state), "{found:?}");
        }
        check(&[], "Absent");
        check(&[("sample/nut.txt", "BEGIN LIST UPS\nEND LIST UPS\n")], "Absent");
        check(&[("sample/nut.txt", "HTTP/1.1 400\n")], "did not list its units");
        check(
            &[("sample/nut.txt.unreadable", r#"{"deadline":{"after_ms":2000}}"#)],
            "no answer within 2.0 s",
        );
        let one = "BEGIN LIST UPS\nUPS a\nEND LIST UPS\nBEGIN LIST VAR a\nVAR a ups.status \"OL CHRG\"\nEND LIST VAR a\n";
        check(&[("sample/nut.txt", one)], "CHRG");
    }
}
