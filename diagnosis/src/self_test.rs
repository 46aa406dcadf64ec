//! What speaks against an extended self-test of a drive now.
//!
//! It reads the whole surface for hours: while an array or pool has no redundancy to spare that load can cost the data,
//! and a drive that shows signs of failing is worth more as a source of the data than as a proven defect. Each reason
//! names the fact that it comes from. What was not read counts as a reason too: nobody knows then. A short test of a few
//! minutes is never refused here.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Diagnosis, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, Protocol, SelfTestOutcome, WhenFailed};
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::md::MdMemberState;
use assay_bundle::facts::zfs::ZfsRole;

use crate::arrays::{does_not_run, is_system, lost, members_in, names, rebuilding, without_redundancy};
use crate::pools::resilvering;
use crate::rules::drive_pending_sectors;
use crate::subject::{last_completed_test, name};

/// Additional sense code of a predicted failure (SPC-4, informational exceptions).
const PREDICTED_FAILURE: u8 = 0x5d;
/// Its qualifier when the prediction is a test of the reporting and no failure.
const PREDICTION_TEST: u8 = 0xff;

/// Every reason against an extended self-test of `drive`, which is one of `facts`; none when nothing speaks against it.
pub fn against_extended(facts: &Facts, diagnosis: &Diagnosis, drive: &Drive) -> Vec<String> {
    let mut why = of_arrays(facts);
    why.extend(of_pools(facts));
    why.extend(of_drive(drive));
    why.extend(of_findings(diagnosis, drive));
    why
}

fn of_arrays(facts: &Facts) -> Vec<String> {
    let arrays = match &facts.md_arrays {
        Observed::Seen { value, .. } => value,
        Observed::Absent => return Vec::new(),
        other => {
            let why = other.why_not().unwrap_or_default();
            return vec![format!("whether an array is degraded is not known (md_arrays): {why}")];
        }
    };
    let mut reasons = Vec::new();
    for array in arrays {
        let name = &array.name;
        if let Some(action) = rebuilding(array) {
            reasons.push(format!("{name} is being rebuilt (md_arrays, sync_action): {action}"));
        }
        let faulty = members_in(array, MdMemberState::Faulty);
        if !faulty.is_empty() {
            reasons.push(format!("{name} has faulty members (md_arrays, members): {}", names(&faulty)));
        }
        // The system's own arrays have more slots than the machine has bays: their members alone count.
        if is_system(facts, array) {
            continue;
        }
        if does_not_run(array) {
            reasons.push(format!("{name} does not run (md_arrays, state)"));
        } else if !without_redundancy(array) {
            match lost(array) {
                Some(0) => {}
                Some(count) => {
                    reasons.push(format!(
                        "{name} is degraded (md_arrays, missing): it lacks {count} of its members"
                    ));
                }
                None => reasons.push(format!("whether {name} is degraded was not read (md_arrays, missing)")),
            }
            if !array.sync_action.is_seen() && rebuilding(array).is_none() {
                reasons
                    .push(format!("whether {name} is being rebuilt was not read (md_arrays, sync_action)"));
            }
        }
    }
    reasons
}

fn of_pools(facts: &Facts) -> Vec<String> {
    let hero = facts.identity.platform.value() == Some(&Platform::QutsHero);
    let pools = match &facts.zfs_pools {
        Observed::Seen { value, .. } => value.as_slice(),
        Observed::Unreadable { why } => {
            return vec![format!("whether a pool is degraded is not known (zfs_pools): {why}")];
        }
        Observed::Absent | Observed::NotCollected => &[],
    };
    let mut reasons = Vec::new();
    if hero && !pools.iter().any(|pool| pool.role.value() == Some(&ZfsRole::Data)) {
        reasons.push("QuTS hero keeps the data on pools, and none with data was read (zfs_pools)".to_owned());
    }
    for pool in pools {
        let name = &pool.name;
        match pool.state.value().map(String::as_str) {
            Some("ONLINE") => {}
            Some(state) => reasons.push(format!("{name} is degraded (zfs_pools, state): {state}")),
            None => reasons.push(format!("whether {name} is degraded was not read (zfs_pools, state)")),
        }
        if let Some(busy) = resilvering(pool) {
            reasons.push(format!("{name} is being rebuilt (zfs_pools, scan): {busy}"));
        }
    }
    reasons
}

fn of_drive(drive: &Drive) -> Vec<String> {
    let (mut reasons, who) = (Vec::new(), name(drive));
    match &drive.health_passed {
        Observed::Seen { value: true, .. } | Observed::Absent => {}
        Observed::Seen { value: false, .. } => {
            reasons.push(format!("the {who} says itself that it fails (health_passed)"));
        }
        other => {
            let why = other.why_not().unwrap_or_default();
            reasons.push(format!("the health of the {who} was not read (health_passed): {why}"));
        }
    }
    if drive_pending_sectors::has_pending(drive) {
        reasons.push(format!("the {who} has sectors that it cannot read (pending_defects, attribute 197)"));
    }
    let attributes = drive.ata_attributes.value().into_iter().flatten();
    for attribute in attributes.filter(|a| a.prefailure && a.when_failed == WhenFailed::Now) {
        let (id, label) = (attribute.id, &attribute.name);
        reasons.push(format!("attribute {id} {label} of the {who} is at its threshold (ata_attributes)"));
    }
    if let Some(health) = drive.nvme.value().filter(|health| health.critical_warning != 0) {
        let bits = health.critical_warning;
        reasons.push(format!("the {who} warns by itself (nvme, critical_warning): bits 0x{bits:02x}"));
    }
    let predicts =
        |asc: Option<u8>, ascq: Option<u8>| asc == Some(PREDICTED_FAILURE) && ascq != Some(PREDICTION_TEST);
    if drive.protocol.value() == Some(&Protocol::Scsi)
        && drive.scsi.value().is_some_and(|health| predicts(health.asc, health.ascq))
    {
        reasons.push(format!("the {who} predicts its failure (scsi, asc)"));
    }
    if let Some(test) = last_completed_test(drive).filter(|test| test.outcome == SelfTestOutcome::Failed) {
        reasons.push(format!("the last self-test of the {who} failed (self_tests): {}", test.text));
    }
    reasons
}

/// Findings about this very drive, from `suspected` on. One about a cable or what several drives share is none.
fn of_findings(diagnosis: &Diagnosis, drive: &Drive) -> Vec<String> {
    let Some(serial) = drive.serial.value() else { return Vec::new() };
    let about = |suspects: &[assay_bundle::diagnosis::Suspect]| {
        suspects.iter().any(|s| s.component == Component::Drive && s.serial.as_ref() == Some(serial))
    };
    let findings = diagnosis.findings.iter();
    let findings = findings.filter(|f| f.component == Component::Drive && f.verdict >= Verdict::Suspected);
    findings.filter(|f| about(&f.suspects)).map(|f| format!("{} (finding {})", f.title, f.code)).collect()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use assay_bundle::facts::zfs::{ZfsPool, ZfsScan, ZfsScanKind, ZfsScanState};

    use super::*;
    use crate::diagnose;
    use crate::fixture::{
        array, attribute, failing, hdd, healthy_nas, nas, nvme, nvme_health, sas, self_test,
    };

    fn seen<T>(value: T) -> Observed<T> {
        Observed::seen(value, "test")
    }

    /// The reasons for the first drive of `facts` hold each of `expected`, and are none when that is empty.
    fn check(facts: &Facts, expected: &[&str]) {
        let drive = facts.drives.value().and_then(|drives| drives.first()).expect("a drive");
        let reasons = against_extended(facts, &diagnose(facts), drive);
        assert_eq!(reasons.is_empty(), expected.is_empty(), "{reasons:?}");
        for words in expected {
            assert!(reasons.iter().any(|reason| reason.contains(words)), "{words}: {reasons:?}");
        }
    }

    fn with(change: impl FnOnce(&mut Drive)) -> Facts {
        let mut drive = hdd("sda", 1);
        change(&mut drive);
        Facts { drives: seen(vec![drive, hdd("sdb", 2)]), md_arrays: Observed::Absent, ..nas() }
    }

    #[test]
    fn a_good_drive_beside_good_arrays() {
        check(&healthy_nas(), &[]);
        check(&with(|_| ()), &[]);
    }

    #[test]
    fn each_state_of_an_array() {
        use MdMemberState::{Faulty, InSync, Rebuilding};
        let check_array = |name: &str, slots, members: &[(&str, MdMemberState)], expected: &[&str]| {
            let facts = Facts { md_arrays: seen(vec![array(name, "raid1", slots, members)]), ..with(|_| ()) };
            check(&facts, expected);
        };
        check_array("md1", 2, &[("sda3", InSync), ("sdb3", InSync)], &[]);
        check_array("md1", 2, &[("sda3", InSync)], &["md1 is degraded (md_arrays, missing)"]);
        check_array("md1", 2, &[("sda3", InSync), ("sdb3", Faulty)], &["md1 has faulty members"]);
        check_array("md1", 2, &[("sda3", InSync), ("sdb3", Rebuilding)], &["md1 is being rebuilt"]);
        // QNAP's own have more slots than bays.
        check_array("md9", 32, &[("sda1", InSync), ("sdb1", InSync)], &[]);
        check_array("md9", 32, &[("sda1", InSync), ("sdb1", Faulty)], &["md9 has faulty members"]);
        let unread = Observed::Unreadable { why: "no answer".to_owned() };
        check(&Facts { md_arrays: unread, ..with(|_| ()) }, &["whether an array is degraded is not known"]);
        check(&Facts { md_arrays: Observed::NotCollected, ..with(|_| ()) }, &["(md_arrays)"]);
        let mut silent = array("md1", "raid1", 2, &[("sda3", InSync), ("sdb3", InSync)]);
        silent.sync_action = Observed::NotCollected;
        check(&Facts { md_arrays: seen(vec![silent]), ..with(|_| ()) }, &["whether md1 is being rebuilt"]);
    }

    #[test]
    fn each_state_of_a_pool() {
        let check_pool = |state: &str, scan: ZfsScan, expected: &[&str]| {
            let pool = ZfsPool {
                name: "zpool1".to_owned(),
                role: seen(ZfsRole::Data),
                state: seen(state.to_owned()),
                scan: seen(scan),
                ..ZfsPool::default()
            };
            check(&Facts { zfs_pools: seen(vec![pool]), ..with(|_| ()) }, expected);
        };
        let scan = |kind, state| ZfsScan { kind, state, ..ZfsScan::default() };
        let scrub = scan(ZfsScanKind::Scrub, ZfsScanState::Finished);
        check_pool("ONLINE", scrub.clone(), &[]);
        check_pool("DEGRADED", scrub, &["zpool1 is degraded (zfs_pools, state): DEGRADED"]);
        check_pool(
            "ONLINE",
            scan(ZfsScanKind::Resilver, ZfsScanState::InProgress),
            &["zpool1 is being rebuilt"],
        );
        let unread = Observed::Unreadable { why: "no answer".to_owned() };
        check(&Facts { zfs_pools: unread, ..with(|_| ()) }, &["whether a pool is degraded is not known"]);
    }

    #[test]
    fn each_sign_of_a_drive() {
        check(&with(|d| d.health_passed = seen(false)), &["says itself that it fails (health_passed)"]);
        check(&with(|d| d.health_passed = Observed::NotCollected), &["was not read (health_passed)"]);
        check(&with(|d| d.pending_defects = seen(3)), &["pending_defects", "finding DRV-002"]);
        let pending = || seen(vec![attribute(197, "Current_Pending_Sector", 8)]);
        check(&with(|d| d.ata_attributes = pending()), &["attribute 197"]);
        let at_threshold = || seen(vec![failing(5, "Reallocated_Sector_Ct", true, WhenFailed::Now)]);
        check(&with(|d| d.ata_attributes = at_threshold()), &["is at its threshold (ata_attributes)"]);
        let failed = || seen(vec![self_test("Extended offline", SelfTestOutcome::Failed)]);
        check(&with(|d| d.self_tests = failed()), &["failed (self_tests)"]);
        let passed = || seen(vec![self_test("Extended offline", SelfTestOutcome::Passed)]);
        check(&with(|d| d.self_tests = passed()), &[]);
        let drives = |drive| Facts { drives: seen(vec![drive]), md_arrays: Observed::Absent, ..nas() };
        check(&drives(nvme("nvme0", nvme_health(4, 10, 0))), &["(nvme, critical_warning): bits 0x04"]);
        check(&drives(sas("sda", 0x5d, 0x10, true)), &["predicts its failure (scsi, asc)"]);
    }

    #[test]
    fn a_finding_about_another_drive_is_no_reason() {
        let mut facts = with(|_| ());
        let mut other = hdd("sdb", 2);
        other.pending_defects = seen(3);
        facts.drives = seen(vec![hdd("sda", 1), other]);
        check(&facts, &[]);
    }
}
