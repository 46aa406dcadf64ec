//! What a ZFS pool is worth: whether it fills a device, and whether it keeps its data without one drive.
//!
//! A mirror, spare or replacing group
//! lives on one child, raidzN and draidN lose N. Refuses to say that a pool survives while it fills a device, has
//! data errors, or would lean on a device that counts errors.

use assay_bundle::Observed;
use assay_bundle::diagnosis::Removable;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::zfs::{ZfsClass, ZfsPool, ZfsRole, ZfsScanKind, ZfsScanState, ZfsVdev, ZfsVdevKind};

use crate::doubt::{self, Doubt};
use crate::evidence::listed;
use crate::removal::Refusal;
use crate::vdev::{Whose, counts, device_name, drive_behind, is_out, is_part, whose};

/// What the pools say about taking one drive away.
#[derive(Debug, Default)]
pub(crate) struct Without {
    /// Pools that it is part of and that keep all data.
    pub(crate) keeping: Vec<String>,
    /// Reasons against, and doubts.
    pub(crate) refusals: Vec<Refusal>,
    /// Whether one of its devices is a part of it and not the whole drive.
    pub(crate) partitioned: bool,
}

/// What the pool is filling, in words; `None` when it fills nothing.
pub(crate) fn resilvering(pool: &ZfsPool) -> Option<String> {
    let runs = |scan: &ZfsScanState| matches!(scan, ZfsScanState::InProgress | ZfsScanState::Paused);
    if pool.scan.value().is_some_and(|scan| scan.kind == ZfsScanKind::Resilver && runs(&scan.state)) {
        return Some("a resilver".to_owned());
    }
    let filled = |v: &&ZfsVdev| v.note.as_deref().is_some_and(|note| note.contains("resilvering"));
    if pool.vdevs.iter().any(|v| filled(&v)) {
        return Some("a resilver".to_owned());
    }
    let replaced = |v: &&ZfsVdev| v.kind == ZfsVdevKind::Group && v.name.starts_with("replacing-");
    pool.vdevs.iter().any(|v| replaced(&v)).then(|| "the replacement of a device".to_owned())
}

/// Whether the pools keep their data without this drive.
pub(crate) fn without(facts: &Facts, drive: &Drive) -> Without {
    let hero = facts.identity.platform.value() == Some(&Platform::QutsHero);
    let mut said = Without::default();
    let mut unknown = |why: String| said.refusals.push((Removable::Unknown, why));
    let pools = match &facts.zfs_pools {
        Observed::Seen { value, .. } => value.as_slice(),
        Observed::Unreadable { why } => {
            unknown(format!("the ZFS pools could not be read: {why}"));
            return said;
        }
        Observed::Absent | Observed::NotCollected => &[],
    };
    if hero && !pools.iter().any(|pool| pool.role.value() == Some(&ZfsRole::Data)) {
        unknown("QuTS hero keeps the data on ZFS pools, and none with data was read".to_owned());
    }
    for pool in pools {
        match one_pool(facts, pool, drive) {
            Ok(None) => {}
            Ok(Some(partitioned)) => {
                said.keeping.push(pool.name.clone());
                said.partitioned |= partitioned;
            }
            Err(refusal) => said.refusals.push(refusal),
        }
    }
    said
}

/// `None` when the drive is not in the pool; else whether only a part of it is.
fn one_pool(facts: &Facts, pool: &ZfsPool, drive: &Drive) -> Result<Option<bool>, Refusal> {
    let unknown = |why: String| Err((Removable::Unknown, why));
    let no = |why: String| Err((Removable::No, why));
    let name = &pool.name;
    if pool.vdevs.is_empty() {
        return unknown(format!("the devices of {name} were not read"));
    }
    let mut own = Vec::new();
    for (at, vdev) in pool.vdevs.iter().enumerate().filter(|(_, v)| v.kind == ZfsVdevKind::Device) {
        match whose(facts, vdev, drive) {
            Whose::Its => own.push(at),
            // One that is out may be needed to bring back a pool that does not work.
            Whose::Unclear if takes_data(vdev) && (!is_out(vdev) || !works(pool)) => {
                return unknown(format!("whether {} of {name} is this drive is not known", vdev.name));
            }
            Whose::Unclear | Whose::Anothers => {}
        }
    }
    if own.is_empty() {
        return Ok(None);
    }
    let partitioned = own.iter().filter_map(|at| pool.vdevs.get(*at)).any(|vdev| is_part(&vdev.name));
    if let Some(busy) = resilvering(pool) {
        return no(format!("{name} is busy with {busy}; pulling a drive now breaks it"));
    }
    match &pool.data_errors {
        Observed::Seen { value: 0, .. } => {}
        Observed::Seen { value, .. } => {
            return no(format!(
                "{name} has {value} data errors: what is left on this drive may be the only good copy"
            ));
        }
        _ => return unknown(format!("the number of data errors of {name} was not read")),
    }
    match pool.state.value().map(String::as_str) {
        Some("ONLINE" | "DEGRADED") => {}
        Some(state) => return unknown(format!("{name} is {state}")),
        None => return unknown(format!("the state of {name} was not read")),
    }
    match &pool.scan {
        Observed::Seen { value, .. } if value.kind != ZfsScanKind::Other => {}
        Observed::Absent => {}
        _ => return unknown(format!("whether {name} is filling a device was not read")),
    }
    let in_use = |at: &usize| pool.vdevs.get(*at).is_some_and(|v| !is_out(v) && takes_data(v));
    if own.iter().any(in_use) {
        let tree = Tree { facts, pool, own: &own };
        for top in tree.tops().filter(|top| tree.holds_own(*top)) {
            let group = pool.vdevs.get(top).map(|v| v.name.as_str()).unwrap_or_default();
            match tree.node(top)? {
                Node::Sound => {}
                Node::Lost => return no(format!("{name} has no redundancy left without it ({group})")),
                Node::Doubted(who) => return no(format!("{name} would lean on {}", listed(&who))),
                Node::Unread(who) => return unknown(format!("{name} would lean on {}", listed(&who))),
            }
        }
    }
    Ok(Some(partitioned))
}

fn works(pool: &ZfsPool) -> bool {
    pool.state.value().is_some_and(|state| matches!(state.as_str(), "ONLINE" | "DEGRADED"))
}

/// Whether data would be lost with a device: a read cache and a waiting spare hold none.
fn takes_data(vdev: &ZfsVdev) -> bool {
    !matches!(vdev.class, ZfsClass::Cache | ZfsClass::Spare)
}

/// What is left of a line of the tree once the drive is gone.
enum Node {
    Sound,
    /// It works by these, which are in doubt.
    Doubted(Vec<String>),
    /// It works by these, of which nobody knows how they are.
    Unread(Vec<String>),
    Lost,
}

struct Tree<'a> {
    facts: &'a Facts,
    pool: &'a ZfsPool,
    /// Places of the drive's own devices.
    own: &'a [usize],
}

impl<'a> Tree<'a> {
    fn at(&self, at: usize) -> Option<&'a ZfsVdev> {
        self.pool.vdevs.get(at)
    }

    /// Groups and devices right below the pool.
    fn tops(&self) -> impl Iterator<Item = usize> {
        let vdevs = self.pool.vdevs.iter().enumerate();
        vdevs.filter(|(_, v)| v.depth == 1 && takes_data(v)).map(|(at, _)| at)
    }

    /// Every line below one.
    fn below(&self, at: usize) -> impl Iterator<Item = (usize, &'a ZfsVdev)> {
        let depth = self.at(at).map_or(u32::MAX, |v| v.depth);
        let rest = self.pool.vdevs.iter().enumerate().skip(at.saturating_add(1));
        rest.take_while(move |(_, v)| v.depth > depth)
    }

    fn holds_own(&self, at: usize) -> bool {
        self.own.contains(&at) || self.below(at).any(|(below, _)| self.own.contains(&below))
    }

    fn node(&self, at: usize) -> Result<Node, Refusal> {
        let Some(vdev) = self.at(at) else { return Ok(Node::Lost) };
        if vdev.kind == ZfsVdevKind::Device {
            return Ok(self.device(at, vdev));
        }
        let depth = vdev.depth.saturating_add(1);
        let children: Vec<usize> =
            self.below(at).filter(|(_, v)| v.depth == depth).map(|(below, _)| below).collect();
        let can_lose = can_lose(&vdev.name, children.len()).ok_or_else(|| {
            let why = format!("{} of {} is of a kind that is not known here", vdev.name, self.pool.name);
            (Removable::Unknown, why)
        })?;
        let (mut lost, mut doubted, mut unread) = (0_usize, Vec::new(), Vec::new());
        for child in children {
            match self.node(child)? {
                Node::Sound => {}
                Node::Lost => lost += 1,
                Node::Doubted(who) => doubted.push(who),
                Node::Unread(who) => unread.push(who),
            }
        }
        let worse = lost + doubted.len();
        Ok(if lost > can_lose {
            Node::Lost
        } else if worse > can_lose {
            Node::Doubted(doubted.concat())
        } else if worse + unread.len() > can_lose {
            doubted.append(&mut unread);
            Node::Unread(doubted.concat())
        } else {
            Node::Sound
        })
    }

    fn device(&self, at: usize, vdev: &ZfsVdev) -> Node {
        if self.own.contains(&at) || is_out(vdev) {
            return Node::Lost;
        }
        let name = device_name(vdev);
        let why = |why: &str| vec![format!("{name} ({why})")];
        match vdev.state.value().map(String::as_str) {
            Some("ONLINE") => {}
            Some(state) => return Node::Doubted(why(&format!("it is {state}"))),
            None => return Node::Unread(why("its state was not read")),
        }
        if let Some(counted) = counts(vdev) {
            return Node::Doubted(why(&format!("it counts {counted}")));
        }
        let counters = [&vdev.read_errors, &vdev.write_errors, &vdev.checksum_errors];
        if !counters.iter().all(|c| c.is_seen()) {
            return Node::Unread(why("its counters were not read"));
        }
        match drive_behind(self.facts, vdev).map(|drive| doubt::of_drive(self.facts, drive)) {
            Some(Doubt::Sound) => Node::Sound,
            Some(Doubt::Doubted(reason)) => Node::Doubted(why(&reason)),
            Some(Doubt::NotRead(reason)) => Node::Unread(why(&reason)),
            None => Node::Unread(why("its drive was not read")),
        }
    }
}

/// How many of its children a group can lose (zpoolconcepts(7)); `None` for a kind that is not known, and for a group
/// that is smaller than its kind can be.
pub(crate) fn can_lose(group: &str, children: usize) -> Option<usize> {
    let kind = group.split(['-', ':']).next().unwrap_or_default();
    let can_lose = match kind {
        "mirror" | "spare" | "replacing" => children.checked_sub(1)?,
        "raidz" | "raidz1" | "draid" | "draid1" => 1,
        "raidz2" | "draid2" => 2,
        "raidz3" | "draid3" => 3,
        _ => return None,
    };
    (children > can_lose).then_some(can_lose)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::nas;
    use crate::removal::safe_to_remove;
    use crate::vdev::OUT;
    use assay_bundle::facts::zfs::{ZfsNumber, ZfsScan};

    const PLACE: &str = "cmd/zpool-status/stdout";

    /// A line of a tree: depth, name, state, checksum errors. `bay 3` is the device of QuTS hero in bay 3.
    pub(crate) fn line(depth: u32, name: &str, state: &str, checksum: u64) -> ZfsVdev {
        let number = |value| Observed::seen(ZfsNumber { value, rounded: false }, PLACE);
        let bay = name.strip_prefix("bay ").and_then(|bay| bay.parse::<u32>().ok());
        let group = can_lose(name, 9).is_some();
        ZfsVdev {
            name: bay.map_or(name.to_owned(), |bay| format!("qzfs/enc_0/disk_0x{bay}_WDWCC7K00{bay}_3")),
            depth,
            kind: match depth {
                0 => ZfsVdevKind::Pool,
                _ if group => ZfsVdevKind::Group,
                _ => ZfsVdevKind::Device,
            },
            state: Observed::seen(state.to_owned(), PLACE),
            read_errors: number(0),
            write_errors: number(0),
            checksum_errors: number(checksum),
            enclosure: bay.map(|_| 0),
            bay,
            drive_id: bay.map(|bay| format!("WDWCC7K00{bay}")),
            ..ZfsVdev::default()
        }
    }

    /// A pool with the owner's data and nothing else to say.
    pub(crate) fn pool(name: &str, state: &str, lines: Vec<ZfsVdev>) -> ZfsPool {
        let mut vdevs = vec![line(0, name, state, 0)];
        vdevs.extend(lines);
        ZfsPool {
            name: name.to_owned(),
            role: Observed::seen(ZfsRole::Data, "etc/platform.conf"),
            state: Observed::seen(state.to_owned(), PLACE),
            status: Observed::Absent,
            action: Observed::Absent,
            message_id: Observed::Absent,
            scan: Observed::seen(
                ZfsScan { kind: ZfsScanKind::None, state: ZfsScanState::None, ..ZfsScan::default() },
                PLACE,
            ),
            data_errors: Observed::seen(0, PLACE),
            errors_text: Observed::seen("No known data errors".to_owned(), PLACE),
            vdevs,
        }
    }

    /// QuTS hero with three drives and these pools.
    pub(crate) fn hero(pools: Vec<ZfsPool>) -> Facts {
        let mut facts =
            Facts { zfs_pools: Observed::seen(pools, PLACE), md_arrays: Observed::Absent, ..nas() };
        facts.identity.platform = Observed::seen(Platform::QutsHero, "x");
        facts
    }

    /// Three drives in one group.
    pub(crate) fn three(group: &str, states: [(&str, u64); 3]) -> ZfsPool {
        let devices =
            (1..).zip(states).map(|(bay, (state, checksum))| line(2, &format!("bay {bay}"), state, checksum));
        let degraded = states.iter().any(|(state, _)| *state != "ONLINE");
        let state = if degraded { "DEGRADED" } else { "ONLINE" };
        pool("zpool1", state, std::iter::once(line(1, group, state, 0)).chain(devices).collect())
    }

    const WELL: [(&str, u64); 3] = [("ONLINE", 0); 3];

    fn check(pools: Vec<ZfsPool>, device: &str, answer: Removable, why: &str) {
        asked(&hero(pools), device, answer, why);
    }

    fn asked(facts: &Facts, device: &str, answer: Removable, why: &str) {
        let drive = crate::subject::drive_of(facts, device).expect("there");
        let got = safe_to_remove(facts, drive);
        assert_eq!(got.answer, answer, "{got:?}");
        assert!(got.why.contains(why), "{got:?}");
    }

    #[test]
    fn what_a_pool_survives() {
        use Removable::{No, Yes};
        check(vec![three("mirror-0", WELL)], "sda", Yes, "zpool1");
        check(vec![three("raidz1-0", WELL)], "sda", Yes, "zpool1");
        check(vec![three("raidz2-0", WELL)], "sda", Yes, "zpool1");
        let stripe = pool("zpool1", "ONLINE", vec![line(1, "bay 1", "ONLINE", 0)]);
        check(vec![stripe], "sda", No, "no redundancy left");
        let out = |state| [("ONLINE", 0), ("ONLINE", 0), (state, 0)];
        for state in OUT {
            check(vec![three("raidz1-0", out(state))], "sda", No, "no redundancy left without it (raidz1-0)");
            check(vec![three("raidz1-0", out(state))], "sdc", Yes, "zpool1");
            check(vec![three("raidz2-0", out(state))], "sda", Yes, "zpool1");
        }
        check(vec![three("raidz9-0", WELL)], "sda", Removable::Unknown, "");
    }

    #[test]
    fn a_pool_does_not_lean_on_a_device_in_doubt() {
        use Removable::{No, Unknown, Yes};
        let counting = [("ONLINE", 0), ("ONLINE", 3), ("ONLINE", 0)];
        check(vec![three("raidz1-0", counting)], "sda", No, "bay 2 (it counts 3 checksum errors)");
        check(vec![three("raidz1-0", counting)], "sdb", Yes, "zpool1");
        check(vec![three("raidz2-0", counting)], "sda", Yes, "zpool1");
        check(vec![three("mirror-0", counting)], "sda", Yes, "zpool1");
        let degraded = [("ONLINE", 0), ("DEGRADED", 0), ("ONLINE", 0)];
        check(vec![three("raidz1-0", degraded)], "sda", No, "it is DEGRADED");
        let mut facts = hero(vec![three("raidz1-0", WELL)]);
        if let Observed::Seen { value, .. } = &mut facts.drives {
            value[1].pending_defects = Observed::seen(8, "x");
        }
        asked(&facts, "sda", No, "bay 2 (it has sectors");
        let mut blind = three("raidz1-0", WELL);
        blind.vdevs[3].checksum_errors = Observed::NotCollected;
        check(vec![blind.clone()], "sda", Unknown, "its counters were not read");
        blind.vdevs[3].state = Observed::NotCollected;
        check(vec![blind], "sda", Unknown, "its state was not read");
    }

    #[test]
    fn a_pool_that_is_busy_or_damaged() {
        use Removable::{No, Unknown};
        let with = |change: &dyn Fn(&mut ZfsPool)| {
            let mut pool = three("mirror-0", WELL);
            change(&mut pool);
            vec![pool]
        };
        let scan = |kind, state| Observed::seen(ZfsScan { kind, state, ..ZfsScan::default() }, PLACE);
        let resilver = scan(ZfsScanKind::Resilver, ZfsScanState::InProgress);
        check(with(&|p| p.scan = resilver.clone()), "sda", No, "busy with a resilver");
        let scrub = scan(ZfsScanKind::Scrub, ZfsScanState::InProgress);
        check(with(&|p| p.scan = scrub.clone()), "sda", Removable::Yes, "zpool1");
        check(with(&|p| p.vdevs[2].note = Some("(resilvering)".to_owned())), "sda", No, "busy");
        check(with(&|p| p.vdevs[1].name = "replacing-0".to_owned()), "sda", No, "replacement");
        check(with(&|p| p.data_errors = Observed::seen(7, PLACE)), "sda", No, "7 data errors");
        check(with(&|p| p.data_errors = Observed::NotCollected), "sda", Unknown, "data errors");
        check(
            with(&|p| p.state = Observed::seen("SUSPENDED".to_owned(), PLACE)),
            "sda",
            Unknown,
            "SUSPENDED",
        );
        check(with(&|p| p.state = Observed::NotCollected), "sda", Unknown, "state");
        check(with(&|p| p.scan = Observed::NotCollected), "sda", Unknown, "filling");
        check(with(&|p| p.vdevs.clear()), "sda", Unknown, "devices");
        check(vec![], "sda", Unknown, "none with data");
        let mut unread = hero(vec![]);
        unread.zfs_pools = Observed::unreadable("no answer");
        asked(&unread, "sda", Unknown, "no answer");
    }

    #[test]
    fn caches_logs_and_spares() {
        use Removable::{No, Yes};
        let data = |extra: ZfsVdev| {
            let mut pool = pool(
                "zpool1",
                "ONLINE",
                vec![
                    line(1, "mirror-0", "ONLINE", 0),
                    line(2, "bay 1", "ONLINE", 0),
                    line(2, "bay 2", "ONLINE", 0),
                ],
            );
            pool.vdevs.push(extra);
            vec![pool]
        };
        let as_class = |class, state| ZfsVdev { class, ..line(1, "bay 3", state, 0) };
        check(data(as_class(ZfsClass::Cache, "ONLINE")), "sdc", Yes, "zpool1");
        check(data(as_class(ZfsClass::Spare, "AVAIL")), "sdc", Yes, "zpool1");
        check(data(as_class(ZfsClass::Log, "ONLINE")), "sdc", No, "no redundancy");
        check(data(as_class(ZfsClass::Special, "ONLINE")), "sdc", No, "no redundancy");
        check(data(as_class(ZfsClass::Special, "ONLINE")), "sda", Yes, "zpool1");
        // A device that is out and could be anybody's matters where the pool does not work.
        let nameless =
            |state| pool("zpool2", state, vec![line(1, "8123", "UNAVAIL", 0), line(1, "bay 2", "ONLINE", 0)]);
        let both = |state| vec![three("mirror-0", WELL), nameless(state)];
        check(both("DEGRADED"), "sda", Yes, "zpool1");
        check(both("UNAVAIL"), "sda", Removable::Unknown, "8123");
    }
}
