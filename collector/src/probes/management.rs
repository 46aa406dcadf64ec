//! QTS's own management pages: model, memory slots, network errors, fans, limits, power units, health of each bay.
//!
//! They need an administrator's session, which a run has only when Assay's page in QTS lends one; without it they are
//! Unreadable with that next step, and this step is no failure. Only QTS and QuTS hero are asked.

use assay_bundle::Observed;
use assay_bundle::facts::management::ManagementReport;

use super::Found;
use super::qts_cooling::is_qts;
use crate::door::{Door, Missing};
use crate::management_cgi::{self, Page};
use crate::source::{CgiPage, Request};

/// Asks for every page.
pub(crate) async fn collect(door: &Door<'_>) -> (ManagementReport, Found) {
    if !is_qts(door).await {
        return (ManagementReport::default(), Found::Nothing);
    }
    let report = ManagementReport {
        system: page(door, CgiPage::SysInfo, |page| page.system).await,
        health: page(door, CgiPage::SysHealth, |page| page.health).await,
        bays: page(door, CgiPage::DiskHealth, |page| page.bays).await,
    };
    let seen = report.system.is_seen() || report.health.is_seen() || report.bays.is_seen();
    (report, if seen { Found::Something } else { Found::Nothing })
}

async fn page<T>(door: &Door<'_>, page: CgiPage, part: impl FnOnce(Page) -> Option<T>) -> Observed<T> {
    let request = Request::ManagementCgi(page);
    match door.try_ask(&request).await {
        Ok(fetched) => {
            let noun = request.noun();
            door.noted(match management_cgi::parse(&fetched.text(), &fetched.place).map(part) {
                Ok(Some(part)) => Observed::seen(part, fetched.place),
                Ok(None) => Observed::unreadable(format!("{noun}: it is another page")),
                Err(why) => Observed::unreadable(format!("{noun}: {why}")),
            })
        }
        Err(Missing::NotThere) => Observed::NotCollected,
        Err(missing) => missing.observed(),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    fn report(files: &[(&str, &str)]) -> ManagementReport {
        let mut all = vec![("etc/platform.conf", "Platform = X86\n")];
        all.extend(files);
        run(&all, async |door| collect(door).await.0)
    }

    #[test]
    fn a_page_is_read_refused_or_missing() {
        let health =
            "<QDocRoot><authPassed>1</authPassed><sysHealth><status>good</status></sysHealth></QDocRoot>";
        let found = report(&[
            ("sample/management-syshealth.xml", health),
            ("sample/management-sysinfo.xml", health),
            ("sample/management-diskhealth.xml.unreadable", r#"{"io":{"why":"no session"}}"#),
        ]);
        assert_eq!(found.health.value().map(String::as_str), Some("good"));
        assert!(found.system.why_not().is_some_and(|why| why.contains("another page")));
        assert!(found.bays.why_not().is_some_and(|why| why.contains("no session")));
        assert_eq!(report(&[]), ManagementReport::default());
        assert_eq!(
            run(&[("sample/management-syshealth.xml", health)], async |door| collect(door).await.0),
            ManagementReport::default()
        );
    }
}
