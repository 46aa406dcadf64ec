//! The temperature limits that QTS itself works with. They differ between models (a processor's warning is 62 C on a
//! TS-639 and 80 C on a TS-451) and an owner may change them, so they are read and never assumed.
//!
//! From `/var/log/hal_daemon.log` (written at every start of the daemon), `/etc/hal_util.conf`, the owner's own in
//! `/etc/config/hal_setting.conf`, and the management page. Where two differ both are listed, each with its place.

use assay_bundle::Observed;
use assay_bundle::facts::limits::TemperatureLimit;
use assay_bundle::facts::management::ManagementReport;

use super::power::{HAL_LOG, HAL_LOG_BYTES};
use super::qts_cooling::is_qts;
use crate::door::{ATTRIBUTE_BYTES, Door, Missing};
use crate::hal_log;
use crate::source::Request;

const UTIL: &str = "/etc/hal_util.conf";
const SETTING: &str = "/etc/config/hal_setting.conf";

/// Reads the limits of one source, with its place.
type Parse = fn(&str, &str) -> Vec<TemperatureLimit>;

/// Reads every source; `management` was read before.
pub(crate) async fn collect(
    door: &Door<'_>,
    management: &ManagementReport,
) -> Observed<Vec<TemperatureLimit>> {
    if !is_qts(door).await {
        return Observed::NotCollected;
    }
    let mut all = Vec::new();
    let mut failed = None;
    let mut first = None;
    let sources: [(&str, u64, Parse); 3] = [
        (HAL_LOG, HAL_LOG_BYTES, |text, place| hal_log::parse(text, place).limits),
        (UTIL, ATTRIBUTE_BYTES, hal_log::util_limits),
        (SETTING, ATTRIBUTE_BYTES, hal_log::setting_limits),
    ];
    for (path, limit_bytes, read) in sources {
        match door.ask(&Request::read(path, limit_bytes)).await {
            Ok(fetched) => {
                let found = read(&fetched.text(), &fetched.place);
                if !found.is_empty() {
                    first.get_or_insert(fetched.place);
                }
                all.extend(found);
            }
            Err(Missing::NotThere) => {}
            Err(missing) => failed = failed.or(Some(missing)),
        }
    }
    if let Some(Observed::Seen { value, from }) = management.system.value().map(|page| &page.limits) {
        first.get_or_insert_with(|| from.clone());
        all.extend(value.iter().cloned());
    }
    match (first, failed) {
        (Some(place), _) => Observed::seen(all, place),
        (None, Some(missing)) => missing.observed(),
        // Every model has limits; none of the places had them.
        (None, None) => Observed::NotCollected,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    fn places(files: &[(&str, &str)]) -> Vec<String> {
        let found = run(files, async |door| collect(door, &ManagementReport::default()).await);
        found
            .value()
            .into_iter()
            .flatten()
            .filter_map(|l| l.temperature_c.place().map(str::to_owned))
            .collect()
    }

    #[test]
    fn every_source_is_listed_with_its_place() {
        let qts = ("etc/platform.conf", "Platform = X86\n");
        let files = [
            qts,
            ("var/log/hal_daemon.log", "CPU CRIT:WARN = 80:72\n"),
            ("etc/hal_util.conf", "[SHUTDOWN TEMP]\nCPU_TEMP = 85\n"),
            ("etc/config/hal_setting.conf", "[Temp]\nSYS_WARNING_TEMP = 58\n"),
        ];
        assert_eq!(
            places(&files),
            [
                "var/log/hal_daemon.log",
                "var/log/hal_daemon.log",
                "etc/hal_util.conf",
                "etc/config/hal_setting.conf"
            ]
        );
        assert!(places(&files[1..]).is_empty());
        assert!(places(&[qts]).is_empty());
    }
}
