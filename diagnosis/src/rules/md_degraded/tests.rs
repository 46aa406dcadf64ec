//! Arrays as they are met, and what the rule says of each.

use super::*;
use crate::departed::tests::remembering;
use crate::fixture::{Four, array, nas, self_test, with_arrays};
use MdMemberState::{Faulty, InSync, Rebuilding, Spare};
use assay_bundle::facts::drive::SelfTestOutcome;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::kernel_log::KernelEvent;

pub(crate) fn four() -> Four {
    use MdMemberState::{Faulty, InSync};
    let two = |first| vec![array("md1", "raid1", 2, &[("sda3", first), ("sdb3", InSync)])];
    Four {
        fires: with_arrays(two(Faulty)),
        clear: with_arrays(two(InSync)),
        cannot_tell: Facts { md_arrays: Observed::unreadable("x"), ..nas() },
        not_applicable: Some(Facts { md_arrays: Observed::Absent, ..nas() }),
    }
}

fn check(arrays: Vec<MdArray>, states: &[&str], says: &str) {
    crate::fixture::check(evaluate, &with_arrays(arrays), states, says);
}

fn raid5(name: &str, third: Option<MdMemberState>) -> MdArray {
    let mut members = vec![("sda3", InSync), ("sdb3", InSync)];
    members.extend(third.map(|state| ("sdc3", state)));
    array(name, "raid5", 3, &members)
}

#[test]
fn data_arrays_by_their_members() {
    check(vec![raid5("md1", Some(InSync))], &["clear"], "");
    check(vec![raid5("md1", Some(Faulty))], &["found, suspected"], "md kicked sdc3 (bay 3)");
    check(vec![raid5("md1", Some(Faulty))], &["found, suspected"], "answer: Yes");
    check(vec![raid5("md1", None)], &["found, suspected"], "slot 2 has no working member");
    check(vec![raid5("md1", Some(Rebuilding))], &["found, watch"], "being rebuilt (recovery)");
    check(
        vec![array("md2", "raid5", 3, &[("sda3", InSync), ("sdb3", Faulty), ("sdc3", Faulty)])],
        &["found, suspected"],
        "point at what they share",
    );
    check(vec![raid5("md1", Some(InSync)), raid5("md2", None)], &["clear", "found, suspected"], "");
    let mut stripe = array("md3", "raid0", 2, &[("sda3", InSync), ("sdb3", InSync)]);
    stripe.raid_disks = Observed::Absent;
    stripe.missing = Observed::Absent;
    check(vec![stripe], &["clear"], "");
}

#[test]
fn a_drive_that_proves_its_defect_is_not_tested_again() {
    fn check(change: fn(&mut Drive), is_tested: bool) {
        let mut facts = with_arrays(vec![raid5("md1", Some(Faulty))]);
        let Observed::Seen { value: drives, .. } = &mut facts.drives else { panic!("drives") };
        change(drives.iter_mut().find(|drive| drive.device == "sdc").expect("a member"));
        let says = if is_tested { "run its extended self-test" } else { "Ask nothing more of this drive" };
        crate::fixture::check(evaluate, &facts, &["found, suspected"], says);
        let judged = evaluate(&View::new(&facts));
        let words = format!("{judged:?}");
        assert_eq!(words.contains("extended self-test"), is_tested, "{words}");
    }
    let failed = |drive: &mut Drive| {
        let tests = vec![self_test("Extended offline", SelfTestOutcome::Failed)];
        drive.self_tests = Observed::seen(tests, "x");
    };
    check(|_| (), true);
    check(failed, false);
    check(|drive| drive.health_passed = Observed::seen(false, "x"), false);
}

#[test]
fn system_arrays_look_degraded_by_design() {
    let four = [("sda1", InSync), ("sdb1", InSync), ("sdc1", InSync), ("sdd1", InSync)];
    for (name, slots) in [("md9", 24), ("md9", 128), ("md13", 32), ("md256", 2), ("md321", 2), ("md322", 2)] {
        let members = if slots == 2 { &four[..1] } else { &four[..] };
        check(vec![array(name, "raid1", slots, members)], &["exonerated"], "by design");
    }
    let swap = [("sda5", InSync), ("sdb5", InSync), ("sdc5", Spare)];
    check(vec![array("md322", "raid1", 2, &swap)], &["clear"], "");
    let mut one_out = four;
    one_out[2].1 = Faulty;
    check(vec![array("md9", "raid1", 32, &one_out)], &["found, suspected"], "md kicked sdc1");
    let mut linux = with_arrays(vec![array("md321", "raid1", 2, &four[..1])]);
    linux.identity.platform = Observed::seen(Platform::Linux, "etc/os-release");
    crate::fixture::check(evaluate, &linux, &["found, suspected"], "slot 1 has no working member");
}

#[test]
fn who_left_is_named() {
    let degraded = || with_arrays(vec![raid5("md1", None)]);
    let check = |facts: &Facts, says: &str| {
        crate::fixture::check(evaluate, facts, &["found, suspected"], says);
    };
    check(&remembering(degraded(), &[("Z9", 4, "sdd")]), "the drive ST4000VN006 Z9 of bay 4 left");
    check(&remembering(degraded(), &[("Z9", 4, "sdd")]), "serial: Some(\"Z9\")");
    let two = [("Z8", 5, "sde"), ("Z9", 4, "sdd")];
    check(&remembering(degraded(), &two), "among these that left: ST4000VN006 Z8 of bay 5 and");
    let failed = |subject: &str| KernelEvent {
        signature: "md-member-failed".to_owned(),
        subject: Some(subject.to_owned()),
        ..KernelEvent::default()
    };
    let logged = crate::fixture::with_log(remembering(degraded(), &two), vec![failed("sdd3")]);
    check(&logged, "the drive ST4000VN006 Z9 of bay 4 left");
    // The kicked member is still listed and its drive is not.
    let members = [("sda3", InSync), ("sdb3", InSync), ("sdz3", Faulty)];
    let kicked = with_arrays(vec![array("md1", "raid5", 3, &members)]);
    check(&remembering(kicked, &[("Z9", 4, "sdz")]), "md kicked sdz3 (ST4000VN006 Z9 of bay 4)");
}

#[test]
fn a_member_that_was_only_out_of_date_is_no_defect() {
    let members = [("sda1", InSync), ("sdb1", InSync), ("sdc1", InSync)];
    let arrays = || vec![raid5("md1", None), array("md9", "raid1", 32, &members)];
    let check = |facts: &Facts, says: &str| {
        crate::fixture::check(evaluate, facts, &["found, suspected", "exonerated"], says);
    };
    check(&with_arrays(arrays()), "it is there, answers well and is in no data array");
    let event = KernelEvent {
        signature: "md-unclean".to_owned(),
        subject: Some("md1".to_owned()),
        ..KernelEvent::default()
    };
    let unclean = crate::fixture::with_log(with_arrays(arrays()), vec![event]);
    check(&unclean, "the drive in bay 3 (sdc) is there and was left out");
    check(&unclean, "component: PowerInput");
    check(&remembering(unclean, &[("Z9", 4, "sdd")]), "Z9 of bay 4 left");
}

#[test]
fn what_was_not_read_is_not_whole() {
    let mut blind = raid5("md1", None);
    blind.members = Observed::unreadable("denied");
    check(vec![blind.clone()], &["found, suspected"], "1 of its slots");
    // As `/proc/mdstat` alone tells of them: their numbers there are no slots.
    let mut slotless = raid5("md1", None);
    if let Observed::Seen { value: members, .. } = &mut slotless.members {
        members.iter_mut().for_each(|member| member.slot = None);
    }
    check(vec![slotless], &["found, suspected"], "1 of its slots");
    blind.missing = Observed::NotCollected;
    check(vec![blind], &["cannot tell, required"], "denied");
    let lists = |arrays, state: &str| {
        crate::fixture::check(evaluate, &Facts { md_arrays: arrays, ..nas() }, &[state], "data arrays");
    };
    lists(Observed::NotCollected, "cannot tell, required");
    lists(Observed::unreadable("denied"), "cannot tell, required");
    lists(Observed::Absent, "not applicable");
}
