//! ZFS pools: which are in order, and which this version can only point at.
//!
//! No rule judges a pool yet, so nothing is found here. A pool that says of itself, and of each of its devices, that it
//! is well is clear. Everything else is an unknown that `healthy` needs: a degraded pool is never passed over. What
//! ZFS prints beside a state is no fault by itself ("Some supported features are not enabled").

use assay_bundle::Observed;
use assay_bundle::facts::Facts;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::zfs::{ZfsNumber, ZfsPool, ZfsRole, ZfsVdev, ZfsVdevKind};

use crate::evidence::listed;
use crate::rule::Judgement;

/// The name of the whole list.
const POOLS: &str = "ZFS pools";
/// How many of a pool's sentences are told; the others stand in the facts.
const MOST_TOLD: usize = 3;

/// Every pool. QuTS hero keeps its data on one, so there a list that is empty or was not read is an unknown too.
pub(crate) fn judge(facts: &Facts) -> Vec<Judgement> {
    let hero = facts.identity.platform.value() == Some(&Platform::QutsHero);
    let one = |why: String, required| vec![Judgement::cannot_tell(POOLS, why, required)];
    match &facts.zfs_pools {
        Observed::Seen { value: pools, .. } => {
            let mut said: Vec<Judgement> = pools.iter().map(pool).collect();
            if hero && !pools.iter().any(|pool| pool.role.value() == Some(&ZfsRole::Data)) {
                said.extend(one(
                    "QuTS hero keeps the data on a pool of its own, and none is there".to_owned(),
                    true,
                ));
            }
            said
        }
        Observed::Unreadable { why } => one(format!("could not be read: {why}"), hero),
        Observed::Absent | Observed::NotCollected if hero => {
            one("QuTS hero keeps the data on ZFS pools, and their state was not read".to_owned(), true)
        }
        Observed::Absent | Observed::NotCollected => Vec::new(),
    }
}

fn pool(pool: &ZfsPool) -> Judgement {
    let subject = format!("ZFS pool {}", pool.name);
    let mut wrong = Vec::new();
    match pool.state.value() {
        Some(state) if state == "ONLINE" => {}
        Some(state) => wrong.push(format!("it is {state}")),
        None => wrong.push("its state was not read".to_owned()),
    }
    match &pool.data_errors {
        Observed::Seen { value: 0, .. } => {}
        Observed::Seen { value, .. } => {
            wrong.push(format!("it has {value} data errors that nothing repaired"))
        }
        _ => wrong.push("the number of its data errors was not read".to_owned()),
    }
    let devices = pool.vdevs.iter().filter(|vdev| vdev.kind != ZfsVdevKind::Pool);
    let bad: Vec<String> = devices.filter_map(device).collect();
    if pool.vdevs.is_empty() {
        wrong.push("its devices were not read".to_owned());
    }
    let more = bad.len().saturating_sub(MOST_TOLD);
    wrong.extend(bad.into_iter().take(MOST_TOLD));
    if more > 0 {
        wrong.push(format!("{more} more of its devices are not in order"));
    }
    if wrong.is_empty() {
        return Judgement::clear(subject);
    }
    let why = format!(
        "{}; no rule of this version judges ZFS pools: look at Storage & Snapshots, or at what zpool status says",
        listed(&wrong)
    );
    Judgement::cannot_tell(subject, why, true)
}

/// What is wrong with a device or group; `None` when it works and never failed.
fn device(vdev: &ZfsVdev) -> Option<String> {
    let name = match (vdev.enclosure, vdev.bay) {
        (Some(0) | None, Some(bay)) => format!("the drive in bay {bay}"),
        (Some(enclosure), Some(bay)) => format!("the drive in bay {bay} of enclosure {enclosure}"),
        _ => vdev.name.clone(),
    };
    match vdev.state.value().map(String::as_str) {
        Some("ONLINE" | "AVAIL") => {}
        Some(state) => return Some(format!("{name} is {state}")),
        None => return Some(format!("the state of {name} was not read")),
    }
    let counters =
        [(&vdev.read_errors, "read"), (&vdev.write_errors, "write"), (&vdev.checksum_errors, "checksum")];
    let failed = |reading: &Observed<ZfsNumber>| reading.value().map(|n| n.value).filter(|n| *n > 0);
    let counted: Vec<String> = counters
        .iter()
        .filter_map(|(reading, kind)| Some(format!("{} {kind} errors", failed(reading)?)))
        .collect();
    (!counted.is_empty()).then(|| format!("{name} counts {}", listed(&counted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::nas;

    const PLACE: &str = "cmd/zpool-status/stdout";

    fn vdev(name: &str, state: &str, kind: ZfsVdevKind, checksum: u64) -> ZfsVdev {
        let number = |value| Observed::seen(ZfsNumber { value, rounded: false }, PLACE);
        ZfsVdev {
            name: name.to_owned(),
            kind,
            state: Observed::seen(state.to_owned(), PLACE),
            read_errors: number(0),
            write_errors: number(0),
            checksum_errors: number(checksum),
            ..ZfsVdev::default()
        }
    }

    fn named(name: &str, role: ZfsRole, state: &str, disk: (&str, u64)) -> ZfsPool {
        let bay = |vdev| ZfsVdev { enclosure: Some(0), bay: Some(4), ..vdev };
        ZfsPool {
            name: name.to_owned(),
            role: Observed::seen(role, PLACE),
            state: Observed::seen(state.to_owned(), PLACE),
            data_errors: Observed::seen(0, PLACE),
            vdevs: vec![
                vdev(name, state, ZfsVdevKind::Pool, 0),
                vdev("mirror-0", state, ZfsVdevKind::Group, 0),
                bay(vdev("disk", disk.0, ZfsVdevKind::Device, disk.1)),
            ],
            ..ZfsPool::default()
        }
    }

    fn check(platform: Platform, pools: Observed<Vec<ZfsPool>>, states: &[&str], says: &str) {
        let mut facts = Facts { zfs_pools: pools, ..nas() };
        facts.identity.platform = Observed::seen(platform, "x");
        crate::fixture::check(|view| judge(view.facts), &facts, states, says);
    }

    #[test]
    fn a_pool_is_clear_only_when_all_of_it_is() {
        let data = |state, disk| Observed::seen(vec![named("zpool1", ZfsRole::Data, state, disk)], PLACE);
        let required = &["cannot tell, required"];
        for platform in [Platform::QutsHero, Platform::Linux] {
            let check = |pools, states: &[&str], says| check(platform, pools, states, says);
            check(data("ONLINE", ("ONLINE", 0)), &["clear"], "zpool1");
            check(data("DEGRADED", ("FAULTED", 0)), required, "drive in bay 4 is FAULTED");
            check(data("SUSPENDED", ("ONLINE", 0)), required, "it is SUSPENDED");
            check(data("ONLINE", ("ONLINE", 3)), required, "drive in bay 4 counts 3 checksum errors");
        }
        let mut damaged = named("zpool1", ZfsRole::Data, "ONLINE", ("ONLINE", 0));
        damaged.data_errors = Observed::seen(7, PLACE);
        check(Platform::QutsHero, Observed::seen(vec![damaged.clone()], PLACE), required, "7 data errors");
        damaged.data_errors = Observed::unreadable("cut");
        damaged.vdevs.clear();
        check(Platform::QutsHero, Observed::seen(vec![damaged], PLACE), required, "devices were not read");
    }

    #[test]
    fn pools_that_were_not_read() {
        let hero = Platform::QutsHero;
        let required = &["cannot tell, required"];
        for pools in [Observed::Absent, Observed::NotCollected, Observed::unreadable("no answer")] {
            check(hero, pools, required, POOLS);
        }
        check(Platform::Linux, Observed::unreadable("no answer"), &["cannot tell"], "no answer");
        check(Platform::Linux, Observed::Absent, &[], "");
        let own = named("zpool256", ZfsRole::System, "ONLINE", ("ONLINE", 0));
        check(hero, Observed::seen(vec![own], PLACE), &["clear", "cannot tell, required"], "none is there");
    }
}
