//! Across all rules: what must hold whatever the facts are, and that each rule is one file.
//!
//! What one rule makes of one reading is tested beside the rule. Here: no order and no kernel name decides, nothing
//! that was not read is ever taken for healthy, and no yes to "may I pull this drive" that an array or pool
//! would not survive.

mod machines;

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Diagnosis, Overall, Removable, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::md::MdMemberState;
use assay_bundle::observed::Observed;
use assay_diagnosis::report::{Layout, Material, Origin, View as Page, terminal};
use assay_diagnosis::{RULES, View, diagnose};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::machines::{Machine, NAMES, machine, raid, zpool};
use crate::support::{replay, root, seed};

/// Machines that each property is tried on.
const CASES: u32 = 256;

/// What must not hang on order or kernel names: each finding by what it is about, and each unknown by how much it
/// weighs. Sorted, because equal verdicts stand in the order of the drives.
fn essence(diagnosis: &Diagnosis) -> (Overall, Vec<String>, Vec<(String, bool)>) {
    let mut findings: Vec<String> = diagnosis
        .findings
        .iter()
        .map(|f| {
            let suspects: Vec<_> =
                f.suspects.iter().map(|s| (s.component, &s.serial, s.certainty_percent)).collect();
            let safe = f.safe_to_remove.as_ref().map(|s| s.answer);
            format!("{} {:?} {:?} {suspects:?} {safe:?} {}", f.code, f.component, f.verdict, f.evidence.len())
        })
        .collect();
    findings.sort();
    let mut unknowns: Vec<_> = diagnosis.unknowns.iter().map(|u| (u.code.clone(), u.required)).collect();
    unknowns.sort();
    (diagnosis.overall, findings, unknowns)
}

fn check<S: Strategy>(
    test: &str,
    cases: u32,
    strategy: S,
    holds: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(error) = runner.run(&strategy, holds) {
        panic!("{error}\n{}", replay(&format!("rules::{test}")));
    }
}

#[test]
fn order_and_kernel_names_decide_nothing() {
    let shuffled = machine().prop_flat_map(|machine| {
        let drives = machine.drives.len();
        let names = Just(NAMES[..drives].to_vec()).prop_shuffle();
        let order = Just((0..drives).collect::<Vec<_>>()).prop_shuffle();
        (Just(machine), names, order)
    });
    check("order_and_kernel_names_decide_nothing", CASES, shuffled, |(machine, names, order)| {
        let one = diagnose(&machine.plain());
        let other = diagnose(&machine.facts(&names, &order));
        prop_assert_eq!(essence(&one), essence(&other), "{:?} {:?}", names, order);
        Ok(())
    });
}

#[test]
fn the_same_facts_give_the_same_diagnosis_after_a_journey() {
    check("the_same_facts_give_the_same_diagnosis_after_a_journey", CASES, machine(), |machine| {
        let facts = machine.plain();
        let text = serde_json::to_string(&facts).expect("facts are plain data");
        let travelled: Facts = serde_json::from_str(&text).expect("own output");
        prop_assert_eq!(diagnose(&facts), diagnose(&travelled));
        Ok(())
    });
}

#[test]
fn every_finding_is_whole() {
    check("every_finding_is_whole", CASES, machine(), |machine| {
        let facts = machine.plain();
        let diagnosis = diagnose(&facts);
        for f in &diagnosis.findings {
            let sum: u32 = f.suspects.iter().map(|s| u32::from(s.certainty_percent)).sum();
            prop_assert_eq!(sum, 100, "{:?}", f);
            prop_assert!(f.suspects.iter().all(|s| !s.certainty_source.is_empty() && !s.location.is_empty()));
            prop_assert!(!f.evidence.is_empty() && !f.advice.is_empty() && !f.title.is_empty(), "{:?}", f);
            prop_assert!(f.verdict == Verdict::Confirmed || f.test.is_some(), "no test: {:?}", f);
            prop_assert!(f.evidence.iter().any(|e| !e.from.is_empty()), "no place: {:?}", f);
        }
        for rule in RULES {
            let judged = (rule.evaluate)(&View::new(&facts));
            prop_assert!(!judged.is_empty(), "{} is silent", rule.code);
            prop_assert!(judged.iter().all(|j| !j.subject.is_empty()), "{}", rule.code);
        }
        let entitlement = assay_warranty::entitlement(None, None, None);
        let advice = assay_warranty::recommend(&diagnosis, &entitlement);
        prop_assert!(!advice.steps.is_empty());
        let view = Page::of(&Material::new(&facts, &diagnosis, &advice, Origin::Live));
        let report = terminal(&view, Layout { width: 80, colour: false, all: true });
        let verdict = diagnosis.overall.words().to_uppercase();
        prop_assert!(report.starts_with(&verdict), "{}", report);
        prop_assert!(report.lines().all(|row| row.chars().count() <= 80), "{}", report);
        Ok(())
    });
}

#[test]
fn what_was_not_read_is_never_healthy() {
    check(
        "what_was_not_read_is_never_healthy",
        CASES,
        (machine(), any::<prop::sample::Index>()),
        |(machine, which)| {
            let mut blind = machine.clone();
            let drive = which.index(blind.drives.len());
            blind.drives[drive].health = Observed::NotCollected;
            blind.drives[drive].attributes = Observed::NotCollected;
            prop_assert_ne!(diagnose(&blind.plain()).overall, Overall::Healthy);

            let mut facts = machine.plain();
            for forget in [
                (|f| f.drives = Observed::NotCollected) as fn(&mut Facts),
                |f| f.md_arrays = Observed::unreadable("denied"),
                |f| f.fans = Observed::NotCollected,
                |f| f.power.units = Observed::NotCollected,
                |f| f.memory_controllers = Observed::unreadable("denied"),
            ] {
                let before = facts.clone();
                forget(&mut facts);
                prop_assert_ne!(diagnose(&facts).overall, Overall::Healthy);
                facts = before;
            }
            Ok(())
        },
    );
}

/// A machine on which most answers are not spoilt by something else: QTS with arrays that run, or QuTS hero with pools
/// and without arrays, and drives that are good but for the first, which says that it fails.
fn one_failing_drive() -> impl Strategy<Value = Machine> {
    let arrays = proptest::collection::vec(raid(4), 1..3);
    let pools = proptest::option::of(proptest::collection::vec(zpool(4), 1..3));
    (machine(), arrays, pools).prop_map(|(mut machine, mut arrays, pools)| {
        let mut good = machine.drives.swap_remove(0);
        good.health = Observed::seen(true, "somewhere");
        good.attributes = Observed::seen(Vec::new(), "somewhere");
        good.stuck = false;
        machine.drives = vec![good; 4];
        machine.drives[0].health = Observed::seen(false, "somewhere");
        machine.platform = Observed::seen(Platform::Qts, "somewhere");
        for raid in &mut arrays {
            raid.state = if raid.state == "broken" { "broken" } else { "clean" };
        }
        machine.arrays = Observed::seen(arrays, "somewhere");
        machine.pools = Observed::Absent;
        if let Some(pools) = pools {
            machine.platform = Observed::seen(Platform::QutsHero, "somewhere");
            machine.arrays = Observed::Absent;
            machine.pools = Observed::seen(pools, "somewhere");
        }
        machine
    })
}

#[test]
fn a_yes_to_pulling_a_drive_is_one_that_every_array_and_pool_survives() {
    let answers = std::cell::RefCell::new(BTreeMap::<String, u32>::new());
    check(
        "a_yes_to_pulling_a_drive_is_one_that_every_array_and_pool_survives",
        4_096,
        one_failing_drive(),
        |machine| {
            let diagnosis = diagnose(&machine.plain());
            let failing =
                diagnosis.findings.iter().find(|f| f.code == "DRV-001").expect("the first drive fails");
            let answer = failing.safe_to_remove.as_ref().expect("a drive finding answers").answer;
            let hero = machine.pools.is_seen();
            *answers.borrow_mut().entry(format!("{answer:?}, hero: {hero}")).or_default() += 1;
            if answer != Removable::Yes {
                return Ok(());
            }
            for pool in machine.pools.value().into_iter().flatten() {
                let Some((_, (state, _))) = pool.members.iter().find(|(drive, _)| *drive == 0) else {
                    continue;
                };
                prop_assert!(!pool.resilvers && pool.data_errors == 0, "{:?}", pool);
                if matches!(*state, "FAULTED" | "REMOVED") {
                    continue;
                }
                let good =
                    pool.members.iter().filter(|(drive, state)| *drive != 0 && *state == ("ONLINE", 0));
                let needed = match pool.group {
                    "mirror-0" => 1,
                    "raidz1-0" => pool.members.len() - 1,
                    "raidz2-0" => pool.members.len().saturating_sub(2),
                    other => panic!("a yes on {other}"),
                };
                prop_assert!(good.count() >= needed, "{:?}", pool);
            }
            for raid in machine.arrays.value().into_iter().flatten() {
                let Some((_, state)) = raid.members.iter().find(|(drive, _)| *drive == 0) else { continue };
                prop_assert_ne!(raid.action, "recovery");
                prop_assert_eq!(raid.state, "clean");
                prop_assert!(raid.members.iter().all(|(_, s)| *s != MdMemberState::Rebuilding));
                if *state != MdMemberState::InSync {
                    continue;
                }
                let good = raid.members.iter().filter(|(_, s)| *s == MdMemberState::InSync).count();
                let needed = match raid.level {
                    "raid1" => 2,
                    "raid6" => raid.slots as usize - 1,
                    "raid5" | "raid10" => raid.slots as usize,
                    other => panic!("a yes on {other}"),
                };
                prop_assert!(good >= needed, "{:?}", raid);
            }
            Ok(())
        },
    );
    let answers = answers.into_inner();
    assert!(answers.len() == 6 && answers.values().all(|n| *n >= 5), "every answer was tried: {answers:?}");
}

/// The texts of a rule stand in one place, its `RULE`; `explain`, the portal and the docs show them.
#[test]
fn every_rule_is_one_file_and_every_file_one_rule() {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("diagnosis/src/rules")).expect("rules") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            // A rule's tests may stand beside it.
            let inside: Vec<_> = std::fs::read_dir(&path).expect("a folder").flatten().collect();
            let names = inside.iter().map(|entry| entry.file_name()).collect::<Vec<_>>();
            assert!(names == ["tests.rs"] && path.with_extension("rs").is_file(), "{}", path.display());
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("UTF-8 source");
        let rule = RULES.iter().find(|r| source.contains(&format!("code: \"{}\"", r.code)));
        let rule = rule.unwrap_or_else(|| panic!("{} holds no listed rule", path.display()));
        assert!(
            source.starts_with(&format!("//! {}: ", rule.code)),
            "{} names its rule first",
            path.display()
        );
        assert!(files.insert(rule.code, path.clone()).is_none(), "{} is in two files", rule.code);
    }
    assert_eq!(files.len(), RULES.len());
}
