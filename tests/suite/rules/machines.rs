//! Machines that proptest makes: what drives, arrays, pools, fans and power units say, and the facts of it under any
//! order and names.

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
use proptest::prelude::*;
use proptest::sample::subsequence;

/// One drive, without a name: what it says of itself.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) bay: Option<u32>,
    pub(super) health: Observed<bool>,
    pub(super) sleeps: bool,
    pub(super) temperature: Observed<i16>,
    pub(super) attributes: Observed<Vec<(u8, &'static str, u64, bool)>>,
    pub(super) tests: Vec<SelfTestOutcome>,
    pub(super) logged: bool,
    pub(super) stuck: bool,
}

/// One array, by the numbers of the drives in it.
#[derive(Clone, Debug)]
pub(super) struct Raid {
    pub(super) name: &'static str,
    pub(super) level: &'static str,
    pub(super) slots: u32,
    pub(super) members: Vec<(usize, MdMemberState)>,
    pub(super) state: &'static str,
    pub(super) action: &'static str,
}

/// One pool of one group, by the numbers of the drives in it, their states and wrong checksums.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) group: &'static str,
    pub(super) members: Vec<(usize, (&'static str, u64))>,
    pub(super) resilvers: bool,
    pub(super) data_errors: u64,
}

/// Speed, whether the model has it, whether it is reported as failed.
pub(super) type FanModel = (Observed<Rpm>, Observed<bool>, Observed<bool>);

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) platform: Observed<Platform>,
    pub(super) drives: Vec<Model>,
    pub(super) arrays: Observed<Vec<Raid>>,
    pub(super) pools: Observed<Vec<Pool>>,
    pub(super) fans: Observed<Vec<FanModel>>,
    pub(super) uncorrected: Observed<Observed<u64>>,
    pub(super) power: Observed<Vec<Observed<PowerStatus>>>,
}

pub(super) fn observed<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Observed<T>> {
    prop_oneof![
        6 => value.prop_map(|v| Observed::seen(v, "somewhere")),
        1 => Just(Observed::Absent),
        1 => Just(Observed::unreadable("denied")),
        1 => Just(Observed::NotCollected),
    ]
}

pub(super) fn model() -> impl Strategy<Value = Model> {
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

pub(super) fn raid(drives: usize) -> impl Strategy<Value = Raid> {
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

pub(super) fn zpool(drives: usize) -> impl Strategy<Value = Pool> {
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

pub(super) fn machine() -> impl Strategy<Value = Machine> {
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
    pub(super) fn facts(&self, names: &[&str], order: &[usize]) -> Facts {
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

    pub(super) fn plain(&self) -> Facts {
        self.facts(&NAMES[..self.drives.len()], &(0..self.drives.len()).collect::<Vec<_>>())
    }
}

pub(super) const NAMES: [&str; 6] = ["sda", "sdb", "sdc", "sdd", "sde", "sdf"];

pub(super) fn attribute((id, name, raw, now): (u8, &'static str, u64, bool)) -> AtaAttribute {
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

pub(super) fn self_test(outcome: SelfTestOutcome) -> SelfTest {
    SelfTest {
        kind: "Extended offline".to_owned(),
        outcome,
        text: "as printed".to_owned(),
        at_power_on_hours: None,
        first_error_lba: None,
    }
}

/// Members are listed in the order of the drives, so that a shuffle of the drives shuffles them too.
pub(super) fn array(raid: &Raid, names: &[&str], order: &[usize]) -> MdArray {
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
pub(super) fn pool((pool, number): (&Pool, u32)) -> ZfsPool {
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

pub(super) fn fan(((speed_rpm, expected, fault), number): (FanModel, u32)) -> Fan {
    Fan { name: format!("system fan {number}"), speed_rpm, expected, fault, ..Fan::default() }
}

pub(super) fn power_unit((status, number): (Observed<PowerStatus>, u32)) -> PowerUnit {
    PowerUnit { name: format!("power unit {number}"), status, ..PowerUnit::default() }
}
