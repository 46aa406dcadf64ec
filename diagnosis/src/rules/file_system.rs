//! VOL-001: a volume or file system is damaged, read-only or not in order.

use std::collections::BTreeMap;

use assay_bundle::diagnosis::{Component, Evidence, Finding, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::lvm::{DmDevice, LvHealth, PoolMode};
use assay_bundle::facts::mounts::{Mount, MountKind};
use assay_bundle::facts::volumes::{Volume, VolumeStatus};

use crate::arrays::{is_system, lost};
use crate::certainty::{
    FILE_SYSTEM, FILE_SYSTEM_DEVICE, FILE_SYSTEM_DRIVE, Place, Row, Share, VOLUME_NOT_READY,
};
use crate::doubt::{self, Doubt};
use crate::evidence::{listed, seen, test, told};
use crate::happenings::Happening;
use crate::rule::{Judgement, Outcome, Rule};
use crate::subject::{drive_of, identity, name, suspects};
use crate::view::View;

/// Lines in which a file system or its journal says that data or metadata is damaged or was not written.
const DAMAGED: [&str; 8] = [
    "filesystem-error",
    "filesystem-read-only",
    "journal-aborted",
    "lost-write",
    "btrfs-device-error",
    "btrfs-checksum",
    "btrfs-not-repaired",
    "xfs-error",
];
/// Failed accesses below a file system.
const FAILED_ACCESS: [&str; 6] =
    ["medium-error", "io-error", "scsi-medium-error", "ata-uncorrectable", "md-read-lost", "scsi-offlined"];
/// Devices that stand on files, memory or another machine: their errors are no hardware's.
const SOFT: [&str; 7] = ["loop", "nbd", "ram", "zram", "rbd", "fd", "sr"];
/// Types of file systems that are never written.
const READ_ONLY_BY_NATURE: [&str; 4] = ["squashfs", "iso9660", "udf", "cramfs"];

/// The rule.
pub static RULE: Rule = Rule {
    code: "VOL-001",
    title: "Volume or file system is damaged or read-only",
    component: Component::StorageState,
    checks: "What the kernel logged since the start about errors of ext4, btrfs and XFS file systems, aborted journals and writes that were lost; data and system volumes that are mounted read-only; thin pools and logical volumes that failed; what QTS says of each volume. Old errors that ext4 repeats every day never count as new, and a full /mnt/ext is by design.",
    why: "A file system that found damage makes itself read-only to save what is left: nothing new can be stored, and something below it delivered wrong data or none.",
    what_to_do: "Back up what can be read, then find the cause below: drive, link, memory or a power loss. Check the file system only after that, and never on a degraded array.",
    threshold_source: "One line of the kernel's own (ext4, jbd2, btrfs and xfs of Linux 6.12), a mount that is read-only, or QTS's own status. How full a volume is has no published limit and is not judged.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements = logged(view);
    judgements.extend(mounted(facts));
    judgements.extend(mapped(facts));
    let volumes = facts.volumes.value().into_iter().flatten();
    judgements.extend(volumes.map(|volume| of_qts(facts, volume)));
    if !judgements.is_empty() {
        return judgements;
    }
    if !view.log.read && !facts.mounts.is_seen() && !facts.volumes.is_seen() {
        let why = "neither the kernel log nor mounts nor volumes were read";
        return vec![Judgement::cannot_tell("file systems", why, false)];
    }
    if facts.mounts.value().is_some_and(|mounts| !mounts.is_empty()) || view.log.read {
        return vec![Judgement::clear("file systems")];
    }
    vec![Judgement::not_applicable("file systems")]
}

/// The device that a line is about: a journal is called after its file system's device and an inode.
fn device<'a>(happening: &Happening<'a>) -> &'a str {
    let subject = happening.event.subject.as_deref().unwrap_or("an unnamed device");
    let subject = subject.strip_prefix("/dev/").unwrap_or(subject);
    if !happening.event.says("journal-aborted") {
        return subject;
    }
    match subject.rsplit_once('-') {
        Some((device, inode)) if device != "dm" && inode.chars().all(|c| c.is_ascii_digit()) => device,
        _ => subject,
    }
}

fn is_soft(device: &str) -> bool {
    SOFT.iter().any(|kind| {
        device.strip_prefix(kind).is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_digit()) && rest.chars().all(|c| c.is_ascii_alphanumeric())
        })
    })
}

/// By device, what the running kernel logged. Device names of earlier boots mean nothing now.
fn logged(view: &View<'_>) -> Vec<Judgement> {
    let mut by_device: BTreeMap<&str, Vec<&Happening<'_>>> = BTreeMap::new();
    for happening in view.log.of_kind(&DAMAGED).filter(|h| h.now) {
        by_device.entry(device(happening)).or_default().push(happening);
    }
    let soft: Vec<String> =
        by_device.keys().filter(|device| is_soft(device)).map(|device| (*device).to_owned()).collect();
    by_device.retain(|device, _| !is_soft(device));
    let mut judgements: Vec<Judgement> = by_device
        .iter()
        .map(|(device, happenings)| {
            Judgement::found(format!("file system on {device}"), damaged(view, device, happenings))
        })
        .collect();
    if !soft.is_empty() {
        let why = "it stands on a file, on memory or on another machine: its errors are not this machine's hardware";
        judgements.push(Judgement::exonerated(format!("file system on {}", listed(&soft)), why));
    }
    judgements
}

/// Drives below a device, as far as arrays and names tell.
fn below<'f>(facts: &'f Facts, device: &str) -> Vec<&'f Drive> {
    if let Some(drive) = drive_of(facts, device) {
        return vec![drive];
    }
    let arrays = facts.md_arrays.value().into_iter().flatten();
    // A mapped device lies on the data arrays; which one is not in the facts.
    let holds =
        arrays.filter(|a| if device.starts_with("md") { a.name == device } else { !is_system(facts, a) });
    let mut drives: Vec<&Drive> = holds
        .filter_map(|a| a.members.value())
        .flatten()
        .filter_map(|m| drive_of(facts, &m.device))
        .collect();
    drives.sort_by(|a, b| a.device.cmp(&b.device));
    drives.dedup_by(|a, b| a.device == b.device);
    drives
}

fn damaged(view: &View<'_>, device: &str, happenings: &[&Happening<'_>]) -> Finding {
    let facts = view.facts;
    let says = |signature: &str| happenings.iter().any(|h| h.event.says(signature));
    let times = happenings.iter().map(|h| h.times()).fold(0, u64::saturating_add);
    let what = match () {
        () if says("filesystem-read-only") => "was made read-only after an error",
        () if says("lost-write") || says("journal-aborted") => "lost writes",
        () if says("btrfs-checksum") || says("btrfs-not-repaired") => "met data with wrong checksums",
        () => "met damage",
    };
    let drives = below(facts, device);
    let failing = |drive: &&&Drive| {
        let logged = view.log.of_kind(&FAILED_ACCESS).any(|h| h.is_about(drive));
        logged || matches!(doubt::of_drive(facts, drive), Doubt::Doubted(_))
    };
    let bad: Vec<&Drive> = drives.iter().filter(failing).copied().collect();
    let title = format!("The file system on {device} {what}");
    let (suspects, mut evidence) = match (bad.as_slice(), drives.as_slice()) {
        ([drive], _) => (suspects(&FILE_SYSTEM_DRIVE, drive), identity(drive)),
        // The only device below it: what it delivered wrong came through it, and memory can be to blame too.
        ([], [drive]) => (suspects(&FILE_SYSTEM_DEVICE, drive), identity(drive)),
        _ => (FILE_SYSTEM.suspects(|share| unit_or(share, device)), Vec::new()),
    };
    let mut told_kinds: Vec<&str> = Vec::new();
    for happening in happenings {
        if !told_kinds.contains(&happening.event.signature.as_str()) {
            told_kinds.push(&happening.event.signature);
            evidence.push(happening.evidence());
        }
    }
    evidence.push(told("kernel_log.events", format!("{times} lines about it since the start"), ""));
    for drive in &bad {
        let witness = view.log.of_kind(&FAILED_ACCESS).find(|h| h.is_about(drive));
        evidence.extend(witness.map(Happening::evidence));
    }
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    if let ([], [_, ..]) = (bad.as_slice(), drives.as_slice()) {
        let well = listed(&drives.iter().map(|drive| name(drive)).collect::<Vec<_>>());
        let against = format!("no drive below it failed an access or is in doubt: {well}");
        finding.counter_evidence.push(told("drives", against, ""));
    }
    finding.test = test(
        "Read the health tables of the drives below it and the kernel log before its first error, and run a memory test; nothing is moved.",
        &[
            "One drive failed reads or writes just before: that drive, or its link.",
            "Several file systems or drives are hit at once: memory, controller or power supply.",
            "Nothing below failed, and the machine stopped uncleanly before: the power loss cut a write.",
        ],
    );
    finding
}

fn unit_or(share: &Share, device: &str) -> Place {
    match (share.kind, share.component) {
        (SuspectKind::Part, Component::Drive) | (_, Component::Link) => {
            Place::at(format!("the drives below {device}"))
        }
        _ => Place::at("the unit"),
    }
}

/// What is meant to be written and is mounted read-only.
fn mounted(facts: &Facts) -> Vec<Judgement> {
    let mounts = facts.mounts.value().into_iter().flatten();
    let written = |m: &&Mount| {
        matches!(m.kind, MountKind::DataVolume | MountKind::Configuration | MountKind::Applications)
            && !READ_ONLY_BY_NATURE.contains(&m.filesystem.as_str())
    };
    let from = facts.mounts.place().unwrap_or_default();
    let judge = |mount: &Mount| {
        let point = mount.mount_point.clone().unwrap_or_else(|| "a data volume".to_owned());
        if !mount.read_only {
            return Judgement::clear(point);
        }
        let device = mount.device.as_deref().unwrap_or("an unnamed device");
        let title = format!("{point} is mounted read-only");
        let value = format!("{} on {device}, read-only", mount.filesystem);
        let evidence = vec![told(format!("mounts[{point}]"), value, from)];
        let drives = below(facts, device);
        let row: &Row = if drives.len() == 1 { &FILE_SYSTEM_DEVICE } else { &FILE_SYSTEM };
        let suspects = match drives.as_slice() {
            [drive] => suspects(row, drive),
            _ => row.suspects(|share| unit_or(share, device)),
        };
        let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
        finding.test = test(
            "Read the kernel log around the moment it became read-only; nothing is moved.",
            &[
                "An error of the file system or of a drive stands there: follow that.",
                "Nothing: it was mounted so on purpose, or the log no longer reaches back.",
            ],
        );
        Judgement::found(point, finding)
    };
    mounts.filter(written).map(judge).collect()
}

/// Device mapper and LVM: what the kernel gave up.
fn mapped(facts: &Facts) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    let from = facts.dm_devices.place().unwrap_or_default();
    for device in facts.dm_devices.value().into_iter().flatten() {
        if let Some(why) = given_up(device) {
            let title = format!("The mapped device {} {why}", device.name);
            let evidence = vec![told(format!("dm_devices[{}].targets", device.name), why, from)];
            judgements.push(not_in_order(format!("mapped device {}", device.name), title, evidence));
        }
    }
    let from = facts.logical_volumes.place().unwrap_or_default();
    for volume in facts.logical_volumes.value().into_iter().flatten() {
        let why = match volume.health {
            Some(LvHealth::Partial) => "lacks some of its disks",
            Some(LvHealth::RefreshNeeded) => "had a disk that failed and came back",
            Some(LvHealth::Failed) => "failed",
            Some(LvHealth::OutOfDataSpace) => "has no room for data",
            Some(LvHealth::MetadataReadOnly) => "has metadata that cannot be written",
            _ => continue,
        };
        let subject = format!("logical volume {}/{}", volume.group, volume.name);
        let evidence = vec![told(
            format!("logical_volumes[{}].attributes", volume.name),
            volume.attributes.clone(),
            from,
        )];
        judgements.push(not_in_order(subject.clone(), format!("The {subject} {why}"), evidence));
    }
    judgements
}

fn given_up(device: &DmDevice) -> Option<&'static str> {
    device.targets.value().into_iter().flatten().find_map(|target| {
        let pool = target.thin_pool.as_ref();
        let cache = target.cache.as_ref();
        match () {
            () if target.failed => Some("was given up by the kernel"),
            () if pool.is_some_and(|p| p.mode == PoolMode::OutOfDataSpace) => Some("has no room for data"),
            () if pool.is_some_and(|p| p.mode == PoolMode::ReadOnly) => Some("can no longer be written"),
            () if pool.is_some_and(|p| p.needs_check) || cache.is_some_and(|c| c.needs_check) => {
                Some("must be checked before it is used again")
            }
            () if cache.is_some_and(|c| c.metadata_read_only) => {
                Some("has a cache that can no longer be written")
            }
            () => None,
        }
    })
}

fn not_in_order(subject: String, title: String, evidence: Vec<Evidence>) -> Judgement {
    let suspects = VOLUME_NOT_READY.suspects(|share| unit_or(share, &subject));
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    finding.test = test(
        "Look at the arrays or pools below it, at Storage & Snapshots, and at the kernel log of the last start; nothing is moved.",
        &[
            "An array or pool below is not whole: follow that finding.",
            "Everything below is whole: the file system or LVM needs a check; make a backup first.",
        ],
    );
    Judgement::found(subject, finding)
}

/// What QTS itself says. Only `Ready` was ever seen verbatim, so another word suspects and never more.
fn of_qts(facts: &Facts, volume: &Volume) -> Judgement {
    let subject = format!("volume {}", volume.number);
    let Some(status) = volume.status.value() else {
        let why = format!("its status was not read: {}", volume.status.why_not().unwrap_or_default());
        return Judgement::cannot_tell(subject, why, false);
    };
    let said = match status {
        VolumeStatus::Ready => return Judgement::clear(subject),
        VolumeStatus::Other => {
            let why = "QTS has a word for its status that is not known here; look at Storage & Snapshots";
            return Judgement::cannot_tell(subject, why, false);
        }
        VolumeStatus::Degraded => {
            let arrays = facts.md_arrays.value().into_iter().flatten();
            if arrays.filter(|a| !is_system(facts, a)).any(|a| lost(a).is_some_and(|n| n > 0)) {
                // MD-001 says which array and which drive.
                return Judgement::not_applicable(subject);
            }
            "degraded"
        }
        VolumeStatus::NotReady => "not ready",
        VolumeStatus::Error => "in error",
        VolumeStatus::NotActive => "not active",
    };
    let path = format!("volumes[{}].status", volume.number);
    let evidence = seen(path.clone(), &volume.status_text)
        .unwrap_or_else(|| told(path, said, volume.status.place().unwrap_or_default()));
    let title = format!("QTS calls volume {} {said}", volume.number);
    let mut judgement = not_in_order(subject, title, vec![evidence]);
    // A volume that is locked or unmounted on purpose is not active either.
    if let (VolumeStatus::NotReady | VolumeStatus::NotActive, Outcome::Found(finding)) =
        (status, &mut judgement.outcome)
    {
        finding.verdict = Verdict::Watch;
    }
    judgement
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, array, nas, with_arrays, with_log};
    use assay_bundle::Observed;
    use assay_bundle::facts::kernel_log::KernelEvent;
    use assay_bundle::facts::lvm::{DmTarget, ThinPool};
    use assay_bundle::facts::md::MdMemberState::{Faulty, InSync};

    fn event(signature: &str, subject: &str) -> KernelEvent {
        KernelEvent {
            signature: signature.to_owned(),
            subject: Some(subject.to_owned()),
            at_us: Some(9_000_000),
            repeats: 1,
            ..KernelEvent::default()
        }
    }

    fn logs(events: &[(&str, &str)]) -> Facts {
        let mirror = array("md1", "raid1", 2, &[("sda3", InSync), ("sdb3", InSync)]);
        with_log(with_arrays(vec![mirror]), events.iter().map(|(s, d)| event(s, d)).collect())
    }

    fn volume(status: VolumeStatus) -> Facts {
        let volume = Volume { status: Observed::seen(status, "x"), ..Volume::default() };
        Facts { volumes: Observed::seen(vec![volume], "cmd/getsysinfo"), ..nas() }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: logs(&[("filesystem-error", "dm-7")]),
            clear: volume(VolumeStatus::Ready),
            cannot_tell: nas(),
            not_applicable: Some(Facts { mounts: Observed::seen(Vec::new(), "x"), ..nas() }),
        }
    }

    fn check(facts: &Facts, states: &[&str], says: &str) {
        crate::fixture::check(evaluate, facts, states, says);
    }

    #[test]
    fn what_the_kernel_says() {
        let found = &["found, suspected"];
        check(&logs(&[]), &["clear"], "");
        check(&logs(&[("filesystem-error", "dm-7")]), found, "component: Memory");
        check(&logs(&[("filesystem-error", "dm-7")]), found, "no drive below it failed");
        let both =
            [("filesystem-error", "dm-7"), ("journal-aborted", "dm-7-8"), ("filesystem-read-only", "dm-7")];
        check(&logs(&both), found, "on dm-7 was made read-only");
        check(&logs(&[("btrfs-checksum", "sda3")]), found, "WD-WCC7K001");
        check(&logs(&[("filesystem-error", "md1"), ("medium-error", "sdb")]), found, "WD-WCC7K002");
        check(
            &logs(&[("lost-write", "dm-7"), ("xfs-error", "dm-8")]),
            &["found, suspected"; 2],
            "lost writes",
        );
        check(&logs(&[("filesystem-error", "loop0"), ("xfs-error", "nbd3")]), &["exonerated"], "on a file");
        check(&logs(&[("filesystem-recovered", "dm-7")]), &["clear"], "");
    }

    #[test]
    fn what_is_mounted_read_only() {
        let mount = |kind, read_only, filesystem: &str| {
            let mount = Mount {
                kind,
                mount_point: Some("/share/CACHEDEV1_DATA".to_owned()),
                device: Some("mapper/cachedev1".to_owned()),
                filesystem: filesystem.to_owned(),
                read_only,
                ..Mount::default()
            };
            Facts { mounts: Observed::seen(vec![mount], "proc/mounts"), ..nas() }
        };
        check(&mount(MountKind::DataVolume, true, "ext4"), &["found, suspected"], "is mounted read-only");
        check(&mount(MountKind::DataVolume, false, "ext4"), &["clear"], "");
        check(&mount(MountKind::Root, true, "ext4"), &["clear"], "");
        check(&mount(MountKind::External, true, "vfat"), &["clear"], "");
        check(&mount(MountKind::Applications, true, "squashfs"), &["clear"], "");
    }

    #[test]
    fn what_lvm_and_qts_say() {
        let mapped = |target: DmTarget| {
            let device = DmDevice {
                name: "vg1-tp1".to_owned(),
                targets: Observed::seen(vec![target], "x"),
                ..DmDevice::default()
            };
            Facts { dm_devices: Observed::seen(vec![device], "cmd/dmsetup"), ..volume(VolumeStatus::Ready) }
        };
        let pool = |mode| DmTarget {
            thin_pool: Some(ThinPool { mode, ..ThinPool::default() }),
            ..DmTarget::default()
        };
        check(&mapped(pool(PoolMode::ReadWrite)), &["clear"], "");
        check(&mapped(pool(PoolMode::ReadOnly)), &["found, suspected", "clear"], "no longer be written");
        check(
            &mapped(DmTarget { failed: true, ..DmTarget::default() }),
            &["found, suspected", "clear"],
            "given up",
        );
        check(&volume(VolumeStatus::Error), &["found, suspected"], "QTS calls volume 0 in error");
        check(&volume(VolumeStatus::NotActive), &["found, watch"], "not active");
        check(&volume(VolumeStatus::Other), &["cannot tell"], "Storage & Snapshots");
        let degraded = array("md1", "raid1", 2, &[("sda3", InSync), ("sdb3", Faulty)]);
        let told = Facts {
            md_arrays: Observed::seen(vec![degraded], "proc/mdstat"),
            ..volume(VolumeStatus::Degraded)
        };
        check(&told, &["not applicable"], "");
        check(&volume(VolumeStatus::Degraded), &["found, suspected"], "degraded");
    }
}
