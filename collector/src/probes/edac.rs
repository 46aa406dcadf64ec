//! Memory error counters: `/sys/devices/system/edac/mc/mcN` and its `dimmN` or `rankN` folders.
//!
//! A machine without ECC, or whose kernel has no driver for it, has no `mc0`: that is Absent, never "no errors". QTS
//! on most models is such a machine. A controller's counts include its modules'; the legacy `csrow` folders count the
//! same errors a third time and are not read. Counters start anew at every boot.

use assay_bundle::Observed;
use assay_bundle::facts::edac::{Dimm, MemoryController};

use crate::door::Door;

const CONTROLLERS: &str = "/sys/devices/system/edac/mc";

/// Reads every controller.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<MemoryController>> {
    let names = match door.names(CONTROLLERS).await {
        Ok(names) => names,
        Err(missing) => return missing.observed(),
    };
    let mut controllers = Vec::new();
    for name in names.iter().filter(|name| numbered(name, "mc")) {
        controllers.push(controller(door, name).await);
    }
    // `mc` exists with the subsystem; controllers only with a driver that found one.
    if controllers.is_empty() { Observed::Absent } else { Observed::seen(controllers, place(CONTROLLERS)) }
}

async fn controller(door: &Door<'_>, name: &str) -> MemoryController {
    let folder = format!("{CONTROLLERS}/{name}");
    MemoryController {
        name: name.to_owned(),
        kind: door.text(&format!("{folder}/mc_name")).await,
        corrected: door.number(&format!("{folder}/ce_count")).await,
        uncorrected: door.number(&format!("{folder}/ue_count")).await,
        uncorrected_without_place: door.number(&format!("{folder}/ue_noinfo_count")).await,
        since_reset_s: door.number(&format!("{folder}/seconds_since_reset")).await,
        dimms: dimms(door, &folder).await,
    }
}

async fn dimms(door: &Door<'_>, folder: &str) -> Observed<Vec<Dimm>> {
    let names = match door.names(folder).await {
        Ok(names) => names,
        Err(missing) => return missing.observed(),
    };
    let mut dimms = Vec::new();
    for name in names.iter().filter(|name| numbered(name, "dimm") || numbered(name, "rank")) {
        let file = |suffix: &str| format!("{folder}/{name}/{suffix}");
        dimms.push(Dimm {
            name: name.clone(),
            label: door.text(&file("dimm_label")).await,
            location: door.text(&file("dimm_location")).await,
            corrected: door.number(&file("dimm_ce_count")).await,
            uncorrected: door.number(&file("dimm_ue_count")).await,
        });
    }
    if dimms.is_empty() { Observed::Absent } else { Observed::seen(dimms, place(folder)) }
}

fn place(path: &str) -> String {
    format!("{}/.list", path.trim_start_matches('/'))
}

fn numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    type Counts<'a> = (&'a str, Option<u64>, Option<u64>);

    fn check(files: &[(&str, &str)], expected: Option<&[Counts<'_>]>) {
        let found = run(files, async |door| collect(door).await);
        let short: Option<Vec<_>> = found.value().map(|all| {
            all.iter()
                .map(|mc| (mc.name.as_str(), mc.corrected.value().copied(), mc.uncorrected.value().copied()))
                .collect()
        });
        assert_eq!(short.as_deref(), expected);
    }

    #[test]
    fn controllers_and_their_counts() {
        const MC0: &str = "sys/devices/system/edac/mc/mc0";
        check(&[], None);
        check(&[("sys/devices/system/edac/mc/uevent", "")], None);
        check(
            &[(&format!("{MC0}/ce_count"), "3\n"), (&format!("{MC0}/ue_count"), "0\n")],
            Some(&[("mc0", Some(3), Some(0))]),
        );
        check(
            &[
                (&format!("{MC0}/ce_count"), "many"),
                (&format!("{MC0}/ue_count.unreadable"), r#"{"io":{"why":"EIO"}}"#),
            ],
            Some(&[("mc0", None, None)]),
        );
    }

    #[test]
    fn modules_have_labels() {
        let found = run(
            &[
                ("sys/devices/system/edac/mc/mc0/dimm3/dimm_label", "DIMM_A1\n"),
                ("sys/devices/system/edac/mc/mc0/dimm3/dimm_ce_count", "7\n"),
                ("sys/devices/system/edac/mc/mc0/csrow0/ce_count", "7\n"),
            ],
            async |door| collect(door).await,
        );
        let dimms = found.value().and_then(|all| all[0].dimms.value()).expect("one module");
        assert_eq!((dimms.len(), dimms[0].label.value().map(String::as_str)), (1, Some("DIMM_A1")));
        assert_eq!(dimms[0].corrected.value(), Some(&7));
    }
}
