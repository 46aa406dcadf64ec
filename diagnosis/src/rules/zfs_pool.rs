//! ZFS-001: a ZFS pool or one of its devices is not in order.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Finding, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::zfs::{ZfsClass, ZfsPool, ZfsRole, ZfsVdev, ZfsVdevKind};

use crate::certainty::{
    Place, Row, VDEV_CHECKSUMS, VDEV_FAULTED, VDEV_GONE, VDEV_OFFLINE, VDEV_READS_AND_WRITES,
    VDEVS_CHECKSUMS, VDEVS_SEVERAL, ZPOOL_NOT_RUNNING, ZPOOL_REBUILT,
};
use crate::doubt::{self, Doubt};
use crate::evidence::{listed, seen, test, told};
use crate::happenings::most_within;
use crate::pools::resilvering;
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule};
use crate::subject::{identity, name, suspects};
use crate::vdev::{OUT, count, counts, device_name, drive_behind, last};
use crate::view::View;

/// From so many errors ZFS itself gives a device up, when they come within [`GIVEN_UP_WITHIN_S`] (OpenZFS zed,
/// `DEFAULT_IO_N` and `DEFAULT_CHECKSUM_N`).
const GIVEN_UP_FROM: u64 = 10;
/// The window of that count in seconds (OpenZFS zed, `DEFAULT_IO_T`).
const GIVEN_UP_WITHIN_S: u64 = 600;
/// From so many devices of one pool the fault is looked for in what they share.
const SEVERAL_FROM: usize = 2;
/// The whole list.
const POOLS: &str = "ZFS pools";
/// The kernel's line about one failed access.
const FAILED_ACCESS: [&str; 1] = ["zfs-io-error"];
/// The kernel's line about a pool that it stopped.
const STOPPED: [&str; 1] = ["zfs-pool-suspended"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "ZFS-001",
    title: "ZFS pool or device not in order",
    component: Component::StorageState,
    checks: "Each ZFS pool: its state, the state of each of its devices, and what each device counts of failed reads, failed writes and wrong checksums. What ZFS prints beside a state is no fault by itself (features that are not enabled).",
    why: "A pool without one of its devices has lost part or all of its redundancy; wrong checksums are data that came back other than it was written.",
    what_to_do: "Back up the data first. Pull no working drive until the pool is whole; find out why the device failed before a new drive goes in.",
    threshold_source: "Any state but ONLINE (zpoolconcepts(7)). Errors of a device that is still ONLINE: watch from 1, suspected from 10, the count at which ZFS gives a device up within 600 seconds (OpenZFS zed); a pool does not say when they came.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let hero = facts.identity.platform.value() == Some(&Platform::QutsHero);
    let one = |why: &str, required| vec![Judgement::cannot_tell(POOLS, why, required)];
    match &facts.zfs_pools {
        Observed::Seen { value: pools, .. } => {
            let mut said: Vec<Judgement> = pools.iter().flat_map(|pool| judge(view, pool)).collect();
            if hero && !pools.iter().any(|pool| pool.role.value() == Some(&ZfsRole::Data)) {
                said.extend(one("QuTS hero keeps the data on a pool of its own, and none is there", true));
            }
            if said.is_empty() {
                said.push(Judgement::not_applicable(POOLS));
            }
            said
        }
        Observed::Unreadable { why } => one(&format!("could not be read: {why}"), hero),
        Observed::Absent | Observed::NotCollected if hero => {
            one("QuTS hero keeps the data on ZFS pools, and their state was not read", true)
        }
        Observed::Absent | Observed::NotCollected => vec![Judgement::not_applicable(POOLS)],
    }
}

/// A pool in a sentence and as a subject.
pub(crate) fn subject(pool: &ZfsPool) -> String {
    format!("ZFS pool {}", pool.name)
}

/// A device that is not in order, and the drive behind it.
struct Bad<'a> {
    vdev: &'a ZfsVdev,
    drive: Option<&'a Drive>,
    state: &'a str,
}

impl Bad<'_> {
    fn online(&self) -> bool {
        matches!(self.state, "ONLINE" | "AVAIL" | "INUSE")
    }

    fn only_checksums(&self) -> bool {
        count(&self.vdev.checksum_errors) > 0
            && count(&self.vdev.read_errors) == 0
            && count(&self.vdev.write_errors) == 0
    }

    fn errors(&self) -> u64 {
        [&self.vdev.read_errors, &self.vdev.write_errors, &self.vdev.checksum_errors]
            .into_iter()
            .map(count)
            .fold(0, u64::saturating_add)
    }

    /// The drive, else the device.
    fn name(&self) -> String {
        self.drive.map_or_else(|| device_name(self.vdev), |drive| format!("the {}", name(drive)))
    }

    fn what(&self) -> String {
        let state = (!self.online()).then(|| format!("is {}", self.state));
        let note = self.vdev.note.as_ref().map(|note| format!("says \"{note}\""));
        let counted = counts(self.vdev).map(|counted| format!("counts {counted}"));
        listed(&[state, note, counted].into_iter().flatten().collect::<Vec<_>>())
    }

    fn evidence(&self, pool: &ZfsPool) -> Evidence {
        let path = format!("zfs_pools[{}].vdevs[{}]", pool.name, self.vdev.name);
        told(path, self.what(), self.vdev.state.place().unwrap_or_default())
    }
}

fn judge(view: &View<'_>, pool: &ZfsPool) -> Vec<Judgement> {
    let facts = view.facts;
    let subject = subject(pool);
    let Some(state) = pool.state.value().map(String::as_str) else {
        return vec![Judgement::cannot_tell(subject, "its state was not read", true)];
    };
    let devices: Vec<&ZfsVdev> = pool.vdevs.iter().filter(|v| v.kind == ZfsVdevKind::Device).collect();
    if !matches!(state, "ONLINE" | "DEGRADED") {
        return vec![Judgement::found(subject, stopped(view, pool, state, &devices))];
    }
    if devices.is_empty() {
        return vec![Judgement::cannot_tell(subject, "its devices were not read", true)];
    }
    if let Some(unread) = devices.iter().find(|v| !v.state.is_seen()) {
        let why = format!("the state of {} was not read", device_name(unread));
        return vec![Judgement::cannot_tell(subject, why, true)];
    }
    let bad: Vec<Bad<'_>> = devices.iter().filter_map(|vdev| bad(facts, vdev)).collect();
    let busy = resilvering(pool);
    if let Some(busy) = busy.as_deref()
        && bad.iter().all(|b| b.errors() == 0)
    {
        return vec![Judgement::found(subject, rebuilt(pool, busy, &bad))];
    }
    match bad.as_slice() {
        [] if state == "ONLINE" => vec![once_stopped(view, pool, subject)],
        [] => {
            let title = format!("ZFS pool {} is {state}, and no device of it says why", pool.name);
            let mut finding = whole(pool, Verdict::Suspected, title, &ZPOOL_NOT_RUNNING);
            finding.test = test(
                "Ask for the pool's state again (zpool status -v), and compare the drives that the machine lists with its bays; nothing is moved.",
                &[
                    "It is ONLINE now: a device was away for a moment; read the kernel log of that time.",
                    "A device shows errors now: that drive, or what it hangs on.",
                    "A bay has no drive in the list: that drive, or its link.",
                ],
            );
            vec![Judgement::found(subject, finding)]
        }
        [one] => vec![Judgement::found(subject, single(view, pool, one, busy))],
        several => {
            let mut judgements = vec![Judgement::found(subject, shared(pool, several, busy))];
            judgements.extend(several.iter().filter_map(|b| exonerate(facts, pool, b)));
            judgements
        }
    }
}

fn bad<'a>(facts: &'a Facts, vdev: &'a ZfsVdev) -> Option<Bad<'a>> {
    let state = vdev.state.value()?.as_str();
    let bad = Bad { vdev, drive: drive_behind(facts, vdev), state };
    (!bad.online() || bad.errors() > 0).then_some(bad)
}

/// One device: the drive, or what it hangs on.
fn single(view: &View<'_>, pool: &ZfsPool, bad: &Bad<'_>, busy: Option<String>) -> Finding {
    let row = match bad.state {
        "OFFLINE" => &VDEV_OFFLINE,
        "UNAVAIL" | "REMOVED" => &VDEV_GONE,
        "FAULTED" | "DEGRADED" if !bad.only_checksums() => &VDEV_FAULTED,
        _ if bad.only_checksums() => &VDEV_CHECKSUMS,
        _ => &VDEV_READS_AND_WRITES,
    };
    let logged = view.log.of_kind(&FAILED_ACCESS).filter(|h| {
        h.now && h.event.subject.as_deref().is_some_and(|at| last(at) == last(&bad.vdev.name))
            || bad.drive.is_some_and(|drive| h.is_about(drive))
    });
    let rate = most_within(logged, GIVEN_UP_WITHIN_S);
    let many = bad.errors() >= GIVEN_UP_FROM || rate.as_ref().is_some_and(|(r, _)| r.count >= GIVEN_UP_FROM);
    // A spare that is gone costs nothing yet; errors below ZFS's own limit were repaired.
    let waits = bad.vdev.class == ZfsClass::Spare;
    let verdict = if bad.online() && !many || bad.state == "OFFLINE" || waits {
        Verdict::Watch
    } else {
        Verdict::Suspected
    };
    let title = format!("In ZFS pool {} {} {}", pool.name, bad.name(), bad.what());
    let suspects = match bad.drive {
        Some(drive) => suspects(row, drive),
        None => row.suspects(|share| match share.component {
            Component::Psu | Component::Memory => Place::at("the unit"),
            _ => Place::at(device_name(bad.vdev)),
        }),
    };
    let mut evidence = bad.drive.map(identity).unwrap_or_default();
    evidence.extend(about(pool));
    evidence.push(bad.evidence(pool));
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    if let Some((rate, happenings)) = rate {
        finding.evidence.extend(happenings.first().map(|h| h.evidence()));
        finding.rate = Some(rate);
    }
    if let Some(drive) = bad.drive {
        finding.safe_to_remove = Some(safe_to_remove(view.facts, drive));
        if doubt::of_drive(view.facts, drive) == Doubt::Sound {
            let counter = told(
                format!("drives[{}]", drive.device),
                "the drive itself says that it is well",
                drive.health_passed.place().unwrap_or_default(),
            );
            finding.counter_evidence.push(counter);
        }
    }
    finding.counter_evidence.extend(busy.map(|busy| told(fact(pool, "scan"), busy, place(pool))));
    finding.test = test(
        "Read the drive's health table and the kernel log around the errors, run its extended self-test, then scrub the pool; nothing is moved.",
        &[
            "The drive reports media errors or fails its self-test: the drive is defective.",
            "Only link errors or resets: cable, slot or backplane; the drive may be good.",
            "The scrub ends without new errors: it was one event; keep watching the counters.",
            "The errors come back on other drives too: memory, controller or power supply.",
        ],
    );
    finding
}

/// Several devices: what they share.
fn shared(pool: &ZfsPool, bad: &[Bad<'_>], busy: Option<String>) -> Finding {
    let checksums = bad.iter().filter(|b| count(&b.vdev.checksum_errors) > 0).count() >= SEVERAL_FROM;
    let row = if checksums { &VDEVS_CHECKSUMS } else { &VDEVS_SEVERAL };
    let names: Vec<String> = bad.iter().map(Bad::name).collect();
    let at = listed(&names);
    let what = if checksums { "deliver data with wrong checksums" } else { "are not in order" };
    let title = format!("In ZFS pool {} {} devices {what}: {at}", pool.name, bad.len());
    let suspects = row.suspects(|share| match (share.kind, share.component) {
        (SuspectKind::Part, Component::Drive) | (_, Component::Slot | Component::Link) => {
            Place::at(at.clone())
        }
        _ => Place::at("the unit"),
    });
    let many = bad.iter().any(|b| !b.online() || b.errors() >= GIVEN_UP_FROM);
    let verdict = if many { Verdict::Suspected } else { Verdict::Watch };
    let mut finding = RULE.finding(verdict, title, suspects, about(pool));
    finding.evidence.extend(bad.iter().map(|b| b.evidence(pool)));
    finding.counter_evidence.extend(busy.map(|busy| told(fact(pool, "scan"), busy, place(pool))));
    finding.advice = "Back up the data first and pull no drive: several drives with the same errors point at what they share. Test memory, then power supply and backplane.".to_owned();
    finding.test = test(
        "Run a memory test and compare which rows, cables or controllers the drives share; then scrub the pool again. Nothing is moved.",
        &[
            "The memory test finds errors: memory; the drives are good.",
            "All of them hang on one controller or row: that part or its cable.",
            "The errors stay with one drive: that drive.",
        ],
    );
    finding
}

/// A drive that shows the errors of its pool and is itself well.
fn exonerate(facts: &Facts, pool: &ZfsPool, bad: &Bad<'_>) -> Option<Judgement> {
    let drive = bad.drive?;
    let well = bad.online() && doubt::of_drive(facts, drive) == Doubt::Sound;
    well.then(|| {
        let why = format!(
            "it counts errors in ZFS pool {} together with other drives and is itself well: what they share is suspected, not the drive",
            pool.name
        );
        Judgement::exonerated(name(drive), why)
    })
}

/// A device is being filled and none counts errors.
fn rebuilt(pool: &ZfsPool, busy: &str, bad: &[Bad<'_>]) -> Finding {
    let title = format!("ZFS pool {} is busy with {busy}; its redundancy is not back yet", pool.name);
    let mut finding = whole(pool, Verdict::Watch, title, &ZPOOL_REBUILT);
    finding.evidence.extend(bad.iter().map(|b| b.evidence(pool)));
    finding.advice = "Leave every drive in place until it ends, and keep the backup current.".to_owned();
    finding.test = test(
        "Check again when it has ended.",
        &["Whole: the device is back.", "Not whole: its drive, or the link to it, is at fault."],
    );
    finding
}

/// The pool itself stopped.
fn stopped(view: &View<'_>, pool: &ZfsPool, state: &str, devices: &[&ZfsVdev]) -> Finding {
    let title = format!("ZFS pool {} does not work: it is {state}", pool.name);
    let mut finding = whole(pool, Verdict::Suspected, title, &ZPOOL_NOT_RUNNING);
    let bad = devices.iter().filter_map(|vdev| bad(view.facts, vdev));
    finding.evidence.extend(bad.map(|b| b.evidence(pool)));
    finding.evidence.extend(logged_stop(view, pool));
    finding.advice = "Do not create, clear, force or destroy anything: that can end what is still readable. Ask support first."
        .to_owned();
    finding.test = test(
        "Compare the drives that the machine lists with its bays, and read the kernel log of the moment it stopped; nothing is moved.",
        &[
            "Several drives left at once: power supply, backplane or controller.",
            "One drive left and the pool had no redundancy: that drive or its link.",
            "Every drive is there: the pool was not imported, or waits for somebody to clear the errors.",
        ],
    );
    finding
}

/// A pool that works now: clear, unless the kernel had stopped it in this boot.
fn once_stopped(view: &View<'_>, pool: &ZfsPool, subject: String) -> Judgement {
    let Some(witness) = logged_stop(view, pool) else { return Judgement::clear(subject) };
    let title = format!("ZFS pool {} works, and the kernel had stopped it since the start", pool.name);
    let mut finding = whole(pool, Verdict::Watch, title, &ZPOOL_NOT_RUNNING);
    finding.evidence.push(witness);
    finding.test = test(
        "Read the kernel log around the stop, and scrub the pool; nothing is moved.",
        &[
            "Drives or links reported errors before it: those.",
            "Nothing before it and the scrub ends without errors: it was one event; watch the pool.",
        ],
    );
    Judgement::found(subject, finding)
}

fn logged_stop(view: &View<'_>, pool: &ZfsPool) -> Option<Evidence> {
    let mut stops = view.log.of_kind(&STOPPED);
    let stop = stops.find(|h| h.now && h.event.subject.as_deref() == Some(pool.name.as_str()))?;
    Some(stop.evidence())
}

/// A finding about the pool as a whole.
fn whole(pool: &ZfsPool, verdict: Verdict, title: String, row: &Row) -> Finding {
    let place = |_: &_| Place::at(format!("the devices of {}", pool.name));
    RULE.finding(verdict, title, row.suspects(place), about(pool))
}

fn fact(pool: &ZfsPool, field: &str) -> String {
    format!("zfs_pools[{}].{field}", pool.name)
}

fn place(pool: &ZfsPool) -> &str {
    pool.state.place().unwrap_or_default()
}

/// What the pool says of itself.
pub(crate) fn about(pool: &ZfsPool) -> Vec<Evidence> {
    let groups = pool.vdevs.iter().filter(|v| v.kind == ZfsVdevKind::Group);
    let out =
        groups.filter(|v| v.state.value().is_some_and(|s| OUT.contains(&s.as_str()) || s == "DEGRADED"));
    let out = out.map(|v| {
        let state = v.state.value().cloned().unwrap_or_default();
        told(fact(pool, &format!("vdevs[{}].state", v.name)), state, place(pool))
    });
    let mut evidence: Vec<Evidence> =
        [seen(fact(pool, "state"), &pool.state), seen(fact(pool, "message_id"), &pool.message_id)]
            .into_iter()
            .flatten()
            .collect();
    evidence.extend(out);
    evidence
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, with_log};
    use crate::pools::tests::{hero, line, pool, three};
    use assay_bundle::facts::kernel_log::KernelEvent;
    use assay_bundle::facts::zfs::{ZfsScan, ZfsScanKind, ZfsScanState};

    const WELL: [(&str, u64); 3] = [("ONLINE", 0); 3];

    pub(crate) fn four() -> Four {
        let faulted = [("ONLINE", 0), ("ONLINE", 0), ("FAULTED", 0)];
        Four {
            fires: hero(vec![three("raidz1-0", faulted)]),
            clear: hero(vec![three("raidz1-0", WELL)]),
            cannot_tell: Facts { zfs_pools: Observed::NotCollected, ..hero(vec![]) },
            not_applicable: Some(Facts { zfs_pools: Observed::Absent, ..nas() }),
        }
    }

    fn check(pools: Vec<ZfsPool>, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &hero(pools), states, says);
    }

    fn third(state: &'static str, checksums: u64) -> Vec<ZfsPool> {
        vec![three("raidz1-0", [("ONLINE", 0), ("ONLINE", 0), (state, checksums)])]
    }

    #[test]
    fn one_device() {
        check(vec![three("raidz1-0", WELL)], &["clear"], "zpool1");
        check(third("FAULTED", 0), &["found, suspected"], "the drive in bay 3 (sdc) is FAULTED");
        check(third("FAULTED", 0), &["found, suspected"], "answer: Yes");
        check(third("FAULTED", 0), &["found, suspected"], "the drive itself says that it is well");
        check(third("DEGRADED", 40), &["found, suspected"], "counts 40 checksum errors");
        check(third("REMOVED", 0), &["found, suspected"], "is REMOVED");
        check(third("OFFLINE", 0), &["found, watch"], "is OFFLINE");
        check(third("ONLINE", 3), &["found, watch"], "counts 3 checksum errors");
        check(third("ONLINE", 10), &["found, suspected"], "counts 10 checksum errors");
        let mut noted = third("FAULTED", 0);
        noted[0].vdevs[4].note = Some("too many errors".to_owned());
        check(noted, &["found, suspected"], "too many errors");
        let unknown = pool("zpool1", "DEGRADED", vec![line(1, "8123", "UNAVAIL", 0)]);
        check(vec![unknown], &["found, suspected"], "8123 is UNAVAIL");
    }

    #[test]
    fn several_devices_point_at_what_they_share() {
        let counting = [("ONLINE", 12), ("ONLINE", 9), ("ONLINE", 14)];
        let states = ["found, suspected", "exonerated", "exonerated", "exonerated"];
        check(vec![three("raidz1-0", counting)], &states, "wrong checksums");
        check(vec![three("raidz1-0", counting)], &states, "component: Memory");
        let few = [("ONLINE", 1), ("ONLINE", 2), ("ONLINE", 0)];
        check(vec![three("raidz1-0", few)], &["found, watch", "exonerated", "exonerated"], "2 devices");
        let gone = [("ONLINE", 0), ("REMOVED", 0), ("REMOVED", 0)];
        check(vec![three("raidz2-0", gone)], &["found, suspected"], "are not in order");
    }

    #[test]
    fn pools_that_stopped_or_fill_a_device() {
        let suspended = pool("zpool1", "SUSPENDED", vec![line(1, "bay 1", "ONLINE", 0)]);
        check(vec![suspended], &["found, suspected"], "does not work: it is SUSPENDED");
        let mut filling = third("ONLINE", 0);
        let scan =
            ZfsScan { kind: ZfsScanKind::Resilver, state: ZfsScanState::InProgress, ..ZfsScan::default() };
        filling[0].scan = Observed::seen(scan, "x");
        check(filling, &["found, watch"], "busy with a resilver");
        check(
            vec![pool("zpool1", "DEGRADED", vec![line(1, "bay 1", "ONLINE", 0)])],
            &["found, suspected"],
            "says why",
        );
        let event = |signature: &str, subject: &str, repeats| KernelEvent {
            signature: signature.to_owned(),
            subject: Some(subject.to_owned()),
            at_us: Some(5_000_000),
            repeats,
            ..KernelEvent::default()
        };
        let stop =
            with_log(hero(vec![three("raidz1-0", WELL)]), vec![event("zfs-pool-suspended", "zpool1", 1)]);
        crate::fixture::check(evaluate, &stop, &["found, watch"], "had stopped it");
        let failing = with_log(hero(third("ONLINE", 1)), vec![event("zfs-io-error", "/dev/sdc3", 12)]);
        crate::fixture::check(evaluate, &failing, &["found, suspected"], "Rate { count: 12");
    }

    #[test]
    fn what_was_not_read() {
        let required = &["cannot tell, required"];
        for pools in [Observed::Absent, Observed::NotCollected, Observed::unreadable("no answer")] {
            crate::fixture::check(evaluate, &Facts { zfs_pools: pools, ..hero(vec![]) }, required, POOLS);
        }
        let linux = |pools| Facts { zfs_pools: pools, ..nas() };
        crate::fixture::check(evaluate, &linux(Observed::unreadable("no")), &["cannot tell"], "no");
        crate::fixture::check(evaluate, &linux(Observed::Absent), &["not applicable"], "");
        let mut blind = three("raidz1-0", WELL);
        blind.vdevs[3].state = Observed::NotCollected;
        check(vec![blind.clone()], required, "bay 2 was not read");
        blind.vdevs.clear();
        check(vec![blind.clone()], required, "devices were not read");
        blind.state = Observed::NotCollected;
        check(vec![blind], required, "its state was not read");
        let mut own = three("mirror-0", WELL);
        own.role = Observed::seen(ZfsRole::System, "x");
        check(vec![own], &["clear", "cannot tell, required"], "none is there");
    }
}
