//! Across all rules: what must hold whatever the facts are, and that each rule is one file.
//!
//! What one rule makes of one reading is tested beside the rule. Here: no order and no kernel name decides, nothing
//! that was not read is ever taken for healthy, and no yes to "may I pull this drive" that an array or pool
//! would not survive.

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Diagnosis, Overall, Removable, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::block::BlockDevice;
use assay_bundle::facts::clock::Clock;
use assay_bundle::facts::drive::{
    AtaAttribute, Drive, Medium, PowerMode, Protocol, SelfTest, SelfTestOutcome, WhenFailed,
};
use assay_bundle::facts::edac::MemoryController;
use assay_bundle::facts::hwmon::Fan;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::kernel_log::{KernelEvent, KernelLog};
use assay_bundle::facts::md::{MdArray, MdMember, MdMemberState};
use assay_bundle::facts::power::{Power, PowerStatus, PowerUnit};
use assay_bundle::facts::stuck::StuckReader;
use assay_bundle::facts::zfs::{
    ZfsNumber, ZfsPool, ZfsRole, ZfsScan, ZfsScanKind, ZfsScanState, ZfsVdev, ZfsVdevKind,
};
use assay_bundle::observed::Observed;
use assay_bundle::units::{Celsius, Hours, Rpm};
use assay_diagnosis::report::{Layout, Material, Origin, View as Page, terminal};
use assay_diagnosis::{RULES, View, diagnose};
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::{replay, root, seed};

/// One drive, without a name: what it says of itself.
#[derive(Clone, Debug)]
struct Model {
    bay: Option<u32>,
    health: Observed<bool>,
    sleeps: bool,
    temperature: Observed<i16>,
    attributes: Observed<Vec<(u8, &'static str, u64, bool)>>,
    tests: Vec<SelfTestOutcome>,
    logged: bool,
    stuck: bool,
}

/// One array, by the numbers of the drives in it.
#[derive(Clone, Debug)]
struct Raid {
    name: &'static str,
    level: &'static str,
    slots: u32,
    members: Vec<(usize, MdMemberState)>,
    state: &'static str,
    action: &'static str,
}

/// One pool of one group, by the numbers of the drives in it, their states and wrong checksums.
#[derive(Clone, Debug)]
struct Pool {
    group: &'static str,
    members: Vec<(usize, (&'static str, u64))>,
    resilvers: bool,
    data_errors: u64,
}

/// Speed, whether the model has it, whether it is reported as failed.
type FanModel = (Observed<Rpm>, Observed<bool>, Observed<bool>);

#[derive(Clone, Debug)]
struct Machine {
    platform: Observed<Platform>,
    drives: Vec<Model>,
    arrays: Observed<Vec<Raid>>,
    pools: Observed<Vec<Pool>>,
    fans: Observed<Vec<FanModel>>,
    uncorrected: Observed<Observed<u64>>,
    power: Observed<Vec<Observed<PowerStatus>>>,
}

fn observed<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Observed<T>> {
    prop_oneof![
        6 => value.prop_map(|v| Observed::seen(v, "somewhere")),
        1 => Just(Observed::Absent),
        1 => Just(Observed::unreadable("denied")),
        1 => Just(Observed::NotCollected),
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let attribute = prop_oneof![
        (0_u64..3).prop_map(|raw| (197, "Current_Pending_Sector", raw, false)),
        (0_u64..3).prop_map(|raw| (198, "Offline_Uncorrectable", raw, false)),
        any::<bool>().prop_map(|now| (5, "Reallocated_Sector_Ct", 12, now)),
        any::<bool>().prop_map(|now| (190, "Airflow_Temperature_Cel", 40, now)),
        Just((197, "Bogus_Current_Pend_Sect", 9, false)),
    ];
    let outcome = prop_oneof![
        Just(SelfTestOutcome::Passed),
        Just(SelfTestOutcome::Failed),
        Just(SelfTestOutcome::NotCompleted),
    ];
    (
        proptest::option::of(1_u32..25),
        observed(prop::bool::weighted(0.8)),
        prop::bool::weighted(0.1),
        observed(20_i16..75),
        observed(proptest::collection::vec(attribute, 0..4)),
        proptest::collection::vec(outcome, 0..3),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(bay, health, sleeps, temperature, attributes, tests, logged, stuck)| Model {
            bay,
            health,
            sleeps,
            temperature,
            attributes,
            tests,
            logged,
            stuck,
        })
}

fn raid(drives: usize) -> impl Strategy<Value = Raid> {
    let state = prop_oneof![
        8 => Just(MdMemberState::InSync),
        1 => Just(MdMemberState::Faulty),
        1 => Just(MdMemberState::Rebuilding),
        1 => Just(MdMemberState::Spare),
    ];
    (
        prop::sample::select(vec!["md1", "md2", "md9", "md13", "md322"]),
        prop::sample::select(vec!["raid0", "raid1", "raid5", "raid6", "raid10", "linear"]),
        subsequence((0..drives).collect::<Vec<_>>(), 0..=drives),
        proptest::collection::vec(state, drives),
        0_u32..2,
        prop::sample::select(vec!["clean", "active", "inactive", "clean", "broken"]),
        prop::sample::select(vec!["idle", "idle", "idle", "recovery", "check"]),
    )
        .prop_map(|(name, level, members, states, more, state, action)| Raid {
            name,
            level,
            slots: u32::try_from(members.len()).expect("few") + more,
            members: members.into_iter().zip(states).collect(),
            state,
            action,
        })
}

fn zpool(drives: usize) -> impl Strategy<Value = Pool> {
    let state = prop_oneof![
        12 => Just(("ONLINE", 0)),
        1 => Just(("ONLINE", 3)),
        1 => Just(("DEGRADED", 12)),
        1 => Just(("FAULTED", 0)),
        1 => Just(("REMOVED", 0)),
    ];
    (
        prop::sample::select(vec!["mirror-0", "raidz1-0", "raidz2-0", "raidz9-0", ""]),
        subsequence((0..drives).collect::<Vec<_>>(), 0..=drives),
        proptest::collection::vec(state, drives),
        prop::bool::weighted(0.1),
        prop_oneof![9 => Just(0_u64), 1 => Just(4)],
    )
        .prop_map(|(group, members, states, resilvers, data_errors)| Pool {
            group,
            members: members.into_iter().zip(states).collect(),
            resilvers,
            data_errors,
        })
}

fn machine() -> impl Strategy<Value = Machine> {
    proptest::collection::vec(model(), 1..6).prop_flat_map(|drives| {
        let fan = (
            observed((0_u32..3).prop_map(|n| Rpm(n * 700))),
            observed(any::<bool>()),
            observed(any::<bool>()),
        );
        let status = prop::sample::select(vec![PowerStatus::Good, PowerStatus::Failed, PowerStatus::Removed]);
        (
            observed(prop::sample::select(vec![Platform::Qts, Platform::QutsHero, Platform::Linux])),
            observed(proptest::collection::vec(raid(drives.len()), 0..3)),
            observed(proptest::collection::vec(zpool(drives.len()), 0..2)),
            observed(proptest::collection::vec(fan, 0..4)),
            observed(observed(0_u64..2)),
            observed(proptest::collection::vec(observed(status), 1..3)),
            Just(drives),
        )
            .prop_map(|(platform, arrays, pools, fans, uncorrected, power, drives)| Machine {
                platform,
                drives,
                arrays,
                pools,
                fans,
                uncorrected,
                power,
            })
    })
}

impl Machine {
    /// The facts when drive `i` is called `names[i]` and the drives are listed in the order `order`.
    fn facts(&self, names: &[&str], order: &[usize]) -> Facts {
        let from = "somewhere";
        let drive = |i: usize| {
            let m = &self.drives[i];
            Drive {
                device: names[i].to_owned(),
                bay: m.bay.map_or(Observed::Absent, |bay| Observed::seen(bay, from)),
                protocol: Observed::seen(Protocol::Ata, from),
                medium: Observed::seen(Medium::Hdd, from),
                serial: Observed::seen(format!("SERIAL-{i}"), from),
                power_mode: Observed::seen(
                    if m.sleeps { PowerMode::Standby } else { PowerMode::Active },
                    from,
                ),
                health_passed: m.health.clone(),
                temperature_c: m.temperature.clone().map(Celsius),
                power_on_hours: Observed::seen(Hours(1_000), from),
                ata_attributes: m.attributes.clone().map(|rows| rows.into_iter().map(attribute).collect()),
                self_tests: Observed::seen(m.tests.iter().map(|o| self_test(*o)).collect(), from),
                ..Drive::default()
            }
        };
        let block = |i: usize| BlockDevice {
            name: names[i].to_owned(),
            ata_port: Observed::seen(format!("ata{}", i + 1), from),
            ..BlockDevice::default()
        };
        let events = self.drives.iter().zip(0..).filter(|(m, _)| m.logged).map(|(_, i)| KernelEvent {
            signature: "medium-error".to_owned(),
            subject: Some(names[i].to_owned()),
            at_us: None,
            line: 1,
            repeats: 1,
            ..KernelEvent::default()
        });
        let stuck =
            self.drives.iter().zip(0..).filter(|(m, _)| m.stuck).map(|(_, i): (_, usize)| StuckReader {
                pid: 1,
                started_ticks: 1,
                target: format!("/dev/{}", names[i]),
                command: "smartctl".to_owned(),
                since_unix_s: 0,
            });
        let mut facts = Facts {
            clock: Clock { unix_s: Observed::seen(1_700_000_000, from), ..Clock::default() },
            block_devices: Observed::seen(order.iter().map(|i| block(*i)).collect(), from),
            drives: Observed::seen(order.iter().map(|i| drive(*i)).collect(), from),
            md_arrays: self.arrays.clone().map(|all| all.iter().map(|a| array(a, names, order)).collect()),
            zfs_pools: self.pools.clone().map(|all| all.iter().zip(1..).map(pool).collect()),
            fans: self.fans.clone().map(|all| all.into_iter().zip(1..).map(fan).collect()),
            memory_controllers: self.uncorrected.clone().map(|uncorrected| {
                vec![MemoryController { name: "mc0".to_owned(), uncorrected, ..MemoryController::default() }]
            }),
            power: Power {
                redundant: Observed::seen(true, from),
                expected_units: Observed::seen(2, from),
                units: self.power.clone().map(|all| all.into_iter().zip(1..).map(power_unit).collect()),
            },
            kernel_log: Observed::seen(KernelLog { events: events.collect(), ..KernelLog::default() }, from),
            stuck_readers: Observed::seen(stuck.collect(), from),
            ..Facts::default()
        };
        facts.identity.platform = self.platform.clone();
        facts
    }

    fn plain(&self) -> Facts {
        self.facts(&NAMES[..self.drives.len()], &(0..self.drives.len()).collect::<Vec<_>>())
    }
}

/// Machines that each property is tried on.
const CASES: u32 = 256;

const NAMES: [&str; 6] = ["sda", "sdb", "sdc", "sdd", "sde", "sdf"];

fn attribute((id, name, raw, now): (u8, &'static str, u64, bool)) -> AtaAttribute {
    AtaAttribute {
        id,
        name: name.to_owned(),
        value: Some(if now { 1 } else { 100 }),
        worst: Some(1),
        threshold: Some(10),
        prefailure: id == 5,
        when_failed: if now { WhenFailed::Now } else { WhenFailed::Never },
        raw,
        raw_text: raw.to_string(),
        decoded: Some(raw),
    }
}

fn self_test(outcome: SelfTestOutcome) -> SelfTest {
    SelfTest {
        kind: "Extended offline".to_owned(),
        outcome,
        text: "as printed".to_owned(),
        at_power_on_hours: None,
        first_error_lba: None,
    }
}

/// Members are listed in the order of the drives, so that a shuffle of the drives shuffles them too.
fn array(raid: &Raid, names: &[&str], order: &[usize]) -> MdArray {
    let from = "somewhere";
    let mut members: Vec<&(usize, MdMemberState)> = raid.members.iter().collect();
    members.sort_by_key(|(drive, _)| order.iter().position(|o| o == drive));
    let slot =
        |drive: usize| raid.members.iter().position(|(d, _)| *d == drive).and_then(|n| u32::try_from(n).ok());
    MdArray {
        name: raid.name.to_owned(),
        level: Observed::seen(raid.level.to_owned(), from),
        state: Observed::seen(raid.state.to_owned(), from),
        raid_disks: Observed::seen(raid.slots, from),
        members: Observed::seen(
            members
                .into_iter()
                .map(|&(drive, state)| MdMember {
                    device: format!("{}3", names[drive]),
                    slot: slot(drive),
                    state,
                    state_text: format!("{state:?}"),
                    corrected_errors: None,
                    ..MdMember::default()
                })
                .collect(),
            from,
        ),
        sync_action: Observed::seen(raid.action.to_owned(), from),
        ..MdArray::default()
    }
}

/// Devices are known by the serial numbers in their names, as on QuTS hero.
fn pool((pool, number): (&Pool, u32)) -> ZfsPool {
    let from = "somewhere";
    let vdev = |name: String, depth, kind, state: &str, checksums| ZfsVdev {
        name,
        depth,
        kind,
        state: Observed::seen(state.to_owned(), from),
        read_errors: Observed::seen(ZfsNumber::default(), from),
        write_errors: Observed::seen(ZfsNumber::default(), from),
        checksum_errors: Observed::seen(ZfsNumber { value: checksums, rounded: false }, from),
        ..ZfsVdev::default()
    };
    let degraded = pool.members.iter().any(|(_, (state, _))| *state != "ONLINE");
    let state = if degraded { "DEGRADED" } else { "ONLINE" };
    let name = format!("zpool{number}");
    let mut vdevs = vec![vdev(name.clone(), 0, ZfsVdevKind::Pool, state, 0)];
    if !pool.group.is_empty() {
        vdevs.push(vdev(pool.group.to_owned(), 1, ZfsVdevKind::Group, state, 0));
    }
    vdevs.extend(pool.members.iter().map(|&(drive, (state, checksums))| ZfsVdev {
        drive_id: Some(format!("SERIAL{drive}")),
        ..vdev(
            format!("qzfs/enc_0/disk_0x{drive}_SERIAL{drive}_3"),
            if pool.group.is_empty() { 1 } else { 2 },
            ZfsVdevKind::Device,
            state,
            checksums,
        )
    }));
    let scan = if pool.resilvers {
        (ZfsScanKind::Resilver, ZfsScanState::InProgress)
    } else {
        (ZfsScanKind::None, ZfsScanState::None)
    };
    ZfsPool {
        name,
        role: Observed::seen(ZfsRole::Data, from),
        state: Observed::seen(state.to_owned(), from),
        scan: Observed::seen(ZfsScan { kind: scan.0, state: scan.1, ..ZfsScan::default() }, from),
        data_errors: Observed::seen(pool.data_errors, from),
        vdevs,
        ..ZfsPool::default()
    }
}

fn fan(((speed_rpm, expected, fault), number): (FanModel, u32)) -> Fan {
    Fan { name: format!("system fan {number}"), speed_rpm, expected, fault, ..Fan::default() }
}

fn power_unit((status, number): (Observed<PowerStatus>, u32)) -> PowerUnit {
    PowerUnit { name: format!("power unit {number}"), status, ..PowerUnit::default() }
}

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
