//! BOOT-001: boot device is failing.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::boot_device::{BootDevice, BootDeviceKind, EmmcReserve};
use assay_bundle::facts::mounts::MountKind;
use assay_bundle::units::Percent;

use crate::certainty::{
    BOOT_DEVICE_FAILS, BOOT_DEVICE_GONE, BOOT_DEVICE_OR_CLOCK, BOOT_DEVICE_WORN, BOOT_WRITES_FAIL, Place, Row,
};
use crate::evidence::{seen, test, told};
use crate::happenings::Happening;
use crate::rule::{Judgement, Rule};
use crate::rules::board_clock;
use crate::subject::disk;
use crate::view::View;

/// A write that was lost, or a file system that the kernel made read-only because of errors.
const WRITES_FAIL: [&str; 2] = ["lost-write", "filesystem-read-only"];
/// A read, or a command of any kind, that failed.
const READS_FAIL: [&str; 5] = ["io-error", "buffer-io-error", "medium-error", "timeout-error", "mmc-error"];
/// The device left its bus or could not be reached there.
const LEFT: [&str; 3] = ["usb-disconnect", "usb-enumeration-failed", "scsi-offlined"];
/// Resets of a device on the board from which they are no accident of starting up: judgement.
const RESETS_FROM: u64 = 3;
/// An eMMC beyond its life (JEDEC JESD84-B51: value 0Bh, which facts hold as 110 percent).
const BEYOND_LIFE: Percent = Percent(110);
/// An eMMC in the last tenth of its life (value 0Ah).
const LAST_TENTH: Percent = Percent(100);
/// A file system for applications is told of from so much use on, in percent (QTS fills it to 92 by design).
const FULL_PERCENT: u64 = 90;

/// The rule.
pub static RULE: Rule = Rule {
    code: "BOOT-001",
    title: "Boot device is failing",
    component: Component::BootDevice,
    checks: "The USB disk module or eMMC chip that the system starts from: whether it is there and can be written, resets, disconnections and failed reads or writes that the kernel reports of it, and the wear that an eMMC tells of itself.",
    why: "The unit runs on when its boot device dies, and does not start again after the next restart or firmware update.",
    what_to_do: "Back up the configuration now, do not restart and do not update the firmware, and have the boot device looked at.",
    threshold_source: "Any failed read of the boot device, or three resets while running (judgement), to suspect; a write that was lost or a file system on it that the kernel made read-only is proof. Wear by JEDEC JESD84-B51. QTS's file system for applications, about 92 % full, is so by design.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    let mut judgements = vec![match &facts.boot_device {
        Observed::Seen { value, .. } => judge(view, value),
        Observed::Unreadable { why } => {
            Judgement::cannot_tell("boot device", format!("could not be told: {why}"), false)
        }
        Observed::Absent | Observed::NotCollected => Judgement::not_applicable("boot device"),
    }];
    judgements.extend(full_by_design(facts));
    judgements
}

/// Whether the boot device shows trouble on its bus, for the rule about the clock that drives it.
pub(crate) fn in_trouble(view: &View<'_>) -> bool {
    view.facts.boot_device.value().is_some_and(|device| {
        let events = Events::of(view, device);
        events.resets >= RESETS_FROM || !events.left.is_empty() || !events.reads.is_empty()
    })
}

/// What the kernel reports of the boot device.
#[derive(Default)]
struct Events<'v, 'a> {
    writes: Vec<&'v Happening<'a>>,
    reads: Vec<&'v Happening<'a>>,
    left: Vec<&'v Happening<'a>>,
    reset: Vec<&'v Happening<'a>>,
    resets: u64,
}

impl<'v, 'a> Events<'v, 'a> {
    fn of(view: &'v View<'a>, device: &BootDevice) -> Self {
        let mut events = Self::default();
        let Some(name) = device.device.value().map(String::as_str) else { return events };
        let soldered = device.kind.value() == Some(&BootDeviceKind::Emmc) || name.starts_with("mmcblk");
        let blocks = view.facts.block_devices.value().into_iter().flatten();
        let ports: Vec<&String> = blocks
            .filter(|block| block.name == name)
            .filter_map(|block| block.attached_through.value())
            .flatten()
            .collect();
        for happening in view.log.iter() {
            // Letters and ports of an earlier boot may be another device's; an eMMC is soldered and keeps its name.
            if !happening.now && !soldered {
                continue;
            }
            let names = [happening.event.device.as_deref(), happening.event.subject.as_deref()];
            let about = names.into_iter().flatten().any(|subject| {
                disk(subject) == disk(name)
                    || (soldered && Some(subject) == host(name).as_deref())
                    || ports.iter().any(|port| *port == subject)
            });
            if !about {
                continue;
            }
            let says = |signatures: &[&str]| signatures.iter().any(|s| happening.event.says(s));
            if says(&WRITES_FAIL) {
                events.writes.push(happening);
            } else if says(&READS_FAIL) {
                events.reads.push(happening);
            } else if says(&LEFT) {
                events.left.push(happening);
            } else if says(&["usb-reset"]) {
                events.reset.push(happening);
                events.resets = events.resets.saturating_add(happening.times());
            }
        }
        events
    }

    /// The newest of each kind.
    fn evidence(&self) -> Vec<Evidence> {
        let kinds = [&self.writes, &self.reads, &self.left, &self.reset];
        kinds.into_iter().flat_map(|kind| kind.iter().rev().take(2)).map(|event| event.evidence()).collect()
    }
}

/// The controller of an eMMC: `mmc0` of `mmcblk0`.
fn host(name: &str) -> Option<String> {
    let number: String = name.strip_prefix("mmcblk")?.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("mmc{number}"))
}

/// What is wrong, worst first.
struct Trouble {
    verdict: Verdict,
    row: &'static Row,
    title: &'static str,
    evidence: Vec<Evidence>,
}

fn judge(view: &View<'_>, device: &BootDevice) -> Judgement {
    let facts = view.facts;
    let Some(name) = device.device.value() else {
        let why = match &device.device {
            Observed::Unreadable { why } => format!("which one it is could not be read: {why}"),
            _ => "which one it is was not read".to_owned(),
        };
        return Judgement::cannot_tell("boot device", why, false);
    };
    let subject = format!("boot device ({name})");
    let events = Events::of(view, device);
    let Some(trouble) = trouble(view, device, &events) else {
        return match events.resets {
            0 => Judgement::clear(subject),
            1 => Judgement::exonerated(subject, "was reset once; nothing failed on it"),
            times => Judgement::exonerated(subject, format!("was reset {times} times; nothing failed on it")),
        };
    };
    let model = device.model.value().map(|model| format!(", {model}")).unwrap_or_default();
    let suspects = trouble.row.suspects(|share| match share.component {
        Component::BootDevice => Place {
            serial: device.emmc.value().and_then(|emmc| emmc.serial.value().cloned()),
            firmware: device.emmc.value().and_then(|emmc| emmc.firmware.value().cloned()),
            ..Place::at(format!("{name} (kernel name) on the mainboard{model}"))
        },
        Component::Software => Place::at("what names the boot device"),
        _ => Place::at("mainboard"),
    });
    let mut evidence = trouble.evidence;
    evidence.extend(seen("boot_device.model", &device.model));
    let mut finding = RULE.finding(trouble.verdict, trouble.title.to_owned(), suspects, evidence);
    if device.present.value() == Some(&true) && !events.left.is_empty() {
        let from = device.present.place().unwrap_or_default();
        finding.counter_evidence.push(told("boot_device.present", "it is listed now", from));
    }
    if board_clock::is_of_family(facts) {
        let words =
            "the processor's clock for this board is known to wear out, and takes the boot device along";
        finding.counter_evidence.push(told(
            "host.cpu_brand",
            words,
            facts.host.cpu_brand.place().unwrap_or(""),
        ));
    }
    finding.test = test(
        "Without restarting the unit, save its configuration in the system settings, then run a check again after a day.",
        &[
            "The errors go on or the device is gone: have the boot device replaced before any restart.",
            "No new error: a bad contact or an accident; still keep the saved configuration.",
        ],
    );
    Judgement::found(subject, finding)
}

fn trouble(view: &View<'_>, device: &BootDevice, events: &Events<'_, '_>) -> Option<Trouble> {
    let fails = if board_clock::shows(view.facts) { &BOOT_DEVICE_OR_CLOCK } else { &BOOT_DEVICE_FAILS };
    let suspected =
        |row, title, evidence| Some(Trouble { verdict: Verdict::Suspected, row, title, evidence });
    if !events.writes.is_empty() {
        let (verdict, row) = (Verdict::Confirmed, &BOOT_WRITES_FAIL);
        let title = "Writes to the boot device fail";
        return Some(Trouble { verdict, row, title, evidence: events.evidence() });
    }
    if device.present.value() == Some(&false) {
        let from = device.present.place().unwrap_or_default();
        let mut evidence = vec![told("boot_device.present", "named, and not listed by the kernel", from)];
        evidence.extend(events.evidence());
        // One list alone may be cut, or name another device.
        let witnessed = evidence.len() > 1;
        let verdict = if witnessed { Verdict::Suspected } else { Verdict::Watch };
        let title = "The boot device is not listed by the kernel";
        return Some(Trouble { verdict, row: &BOOT_DEVICE_GONE, title, evidence });
    }
    if !events.reads.is_empty() || !events.left.is_empty() {
        return suspected(fails, "The boot device fails now and then", events.evidence());
    }
    if device.read_only.value() == Some(&true) {
        let from = device.read_only.place().unwrap_or_default();
        let evidence = vec![told("boot_device.read_only", "the kernel made it read-only", from)];
        return suspected(fails, "The boot device can only be read", evidence);
    }
    if events.resets >= RESETS_FROM {
        return suspected(fails, "The boot device is reset again and again", events.evidence());
    }
    worn(device)
}

/// What an eMMC tells of its own wear.
fn worn(device: &BootDevice) -> Option<Trouble> {
    let emmc = device.emmc.value()?;
    let life = [&emmc.life_used_a_percent, &emmc.life_used_b_percent];
    let worst = life.into_iter().filter_map(|used| used.value().copied()).max();
    let reserve = emmc.reserve.value().copied();
    let verdict = match (worst, reserve) {
        (Some(used), _) if used >= BEYOND_LIFE => Verdict::Suspected,
        (_, Some(EmmcReserve::Used90Percent)) => Verdict::Suspected,
        (Some(used), _) if used >= LAST_TENTH => Verdict::Watch,
        (_, Some(EmmcReserve::Used80Percent)) => Verdict::Watch,
        _ => return None,
    };
    let mut evidence = Vec::new();
    evidence.extend(seen("boot_device.emmc.life_used_a_percent", &emmc.life_used_a_percent));
    evidence.extend(seen("boot_device.emmc.life_used_b_percent", &emmc.life_used_b_percent));
    let words = match reserve {
        Some(EmmcReserve::Used90Percent) => Some("90 % of the reserved blocks are used"),
        Some(EmmcReserve::Used80Percent) => Some("80 % of the reserved blocks are used"),
        Some(EmmcReserve::Normal) | None => None,
    };
    let from = emmc.reserve.place().unwrap_or_default();
    evidence.extend(words.map(|words| told("boot_device.emmc.reserve", words, from)));
    Some(Trouble { verdict, row: &BOOT_DEVICE_WORN, title: "The boot device is worn out", evidence })
}

/// The file system for applications, which people take for a full boot device.
fn full_by_design(facts: &Facts) -> Option<Judgement> {
    let mounts = facts.mounts.value()?;
    let mount = mounts.iter().find(|mount| mount.kind == MountKind::Applications)?;
    let (size, free) = (mount.size_bytes.value()?.0, mount.free_bytes.value()?.0);
    let used = size.checked_sub(free)?.checked_mul(100)?.checked_div(size)?;
    let place = mount.mount_point.as_deref().unwrap_or("the applications' file system");
    let why = format!("is {used} % full, by design of the system: it holds no data of the owner");
    (used >= FULL_PERCENT).then(|| Judgement::exonerated(place, why))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas, with_log};
    use assay_bundle::facts::block::BlockDevice;
    use assay_bundle::facts::boot_device::Emmc;
    use assay_bundle::facts::kernel_log::KernelEvent;
    use assay_bundle::facts::mounts::Mount;
    use assay_bundle::units::Bytes;

    fn usb() -> BootDevice {
        BootDevice {
            device: Observed::seen("sde".to_owned(), "etc/hal.conf"),
            present: Observed::seen(true, "sys/block/.list"),
            kind: Observed::seen(BootDeviceKind::Usb, "sys/block/sde.link"),
            read_only: Observed::seen(false, "sys/block/sde/ro"),
            emmc: Observed::Absent,
            ..BootDevice::default()
        }
    }

    fn emmc(used: u8, reserve: EmmcReserve) -> BootDevice {
        let emmc = Emmc {
            life_used_a_percent: Observed::seen(Percent(used), "x"),
            life_used_b_percent: Observed::seen(Percent(10), "x"),
            reserve: Observed::seen(reserve, "x"),
            ..Emmc::default()
        };
        BootDevice {
            device: Observed::seen("mmcblk0".to_owned(), "etc/hal.conf"),
            kind: Observed::seen(BootDeviceKind::Emmc, "x"),
            emmc: Observed::seen(emmc, "x"),
            ..usb()
        }
    }

    fn with(device: BootDevice, events: &[(&str, &str)]) -> Facts {
        let event = |&(signature, subject): &(&str, &str)| KernelEvent {
            signature: signature.to_owned(),
            subject: Some(subject.to_owned()),
            at_us: Some(900_000_000),
            line: 7,
            repeats: 1,
            ..KernelEvent::default()
        };
        let block = BlockDevice {
            name: "sde".to_owned(),
            attached_through: Observed::seen(vec!["0000:00:14.0".to_owned(), "1-3".to_owned()], "x"),
            ..BlockDevice::default()
        };
        let facts = with_log(nas(), events.iter().map(event).collect());
        Facts {
            boot_device: Observed::seen(device, "etc/hal.conf"),
            block_devices: Observed::seen(vec![block], "sys/block"),
            ..facts
        }
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with(usb(), &[("lost-write", "sde6")]),
            clear: with(usb(), &[]),
            cannot_tell: Facts { boot_device: Observed::unreadable("x"), ..nas() },
            not_applicable: Some(nas()),
        }
    }

    fn check(facts: &Facts, state: &str, says: &str) {
        crate::fixture::check(evaluate, facts, &[state], says);
    }

    #[test]
    fn what_the_kernel_reports() {
        check(&with(usb(), &[("lost-write", "sde6")]), "found, confirmed", "Writes to the boot device fail");
        check(&with(usb(), &[("filesystem-read-only", "sde5")]), "found, confirmed", "");
        check(&with(usb(), &[("io-error", "sde")]), "found, suspected", "kernel_log.events");
        check(&with(usb(), &[("usb-disconnect", "1-3")]), "found, suspected", "it is listed now");
        check(&with(usb(), &[("usb-reset", "1-3")]), "exonerated", "was reset once");
        check(&with(usb(), &[("usb-reset", "1-3"); 2]), "exonerated", "was reset 2 times");
        check(&with(usb(), &[("usb-reset", "1-3"); 3]), "found, suspected", "again and again");
        // Another port, another disk.
        check(
            &with(usb(), &[("usb-disconnect", "1-4"), ("io-error", "sda"), ("lost-write", "sdea")]),
            "clear",
            "",
        );
        check(&with(emmc(10, EmmcReserve::Normal), &[("mmc-error", "mmc0")]), "found, suspected", "");
        check(&with(emmc(10, EmmcReserve::Normal), &[("mmc-error", "mmc1")]), "clear", "");
    }

    #[test]
    fn what_the_device_says() {
        let gone = BootDevice { present: Observed::seen(false, "sys/block/.list"), ..usb() };
        check(&with(gone.clone(), &[]), "found, watch", "not listed by the kernel");
        check(&with(gone, &[("usb-disconnect", "1-3")]), "found, suspected", "");
        let fixed = BootDevice { read_only: Observed::seen(true, "sys/block/sde/ro"), ..usb() };
        check(&with(fixed, &[]), "found, suspected", "read-only");
        let unknown = BootDevice { device: Observed::unreadable("no node"), ..usb() };
        check(&with(unknown, &[]), "cannot tell", "no node");
        use EmmcReserve::{Normal, Used80Percent, Used90Percent};
        check(&with(emmc(90, Normal), &[]), "clear", "");
        check(&with(emmc(100, Normal), &[]), "found, watch", "100 %");
        check(&with(emmc(110, Normal), &[]), "found, suspected", "worn out");
        check(&with(emmc(20, Used80Percent), &[]), "found, watch", "80 % of the reserved blocks");
        check(&with(emmc(20, Used90Percent), &[]), "found, suspected", "");
    }

    #[test]
    fn an_earlier_boot_names_an_emmc_only() {
        use assay_bundle::facts::persisted_log::{PastEvent, PersistedLog};
        let past = |device: BootDevice, subject: &str| {
            let event = KernelEvent {
                signature: "io-error".to_owned(),
                subject: Some(subject.to_owned()),
                ..KernelEvent::default()
            };
            let log = PersistedLog {
                events: vec![PastEvent {
                    event,
                    from: "mnt/HDA_ROOT/.logs/kmsg".to_owned(),
                    ..PastEvent::default()
                }],
                ..PersistedLog::default()
            };
            Facts { persisted_log: Observed::seen(log, "x"), ..with(device, &[]) }
        };
        check(&past(usb(), "sde"), "clear", "");
        check(&past(emmc(10, EmmcReserve::Normal), "mmcblk0"), "found, suspected", "persisted_log.events");
    }

    #[test]
    fn a_full_file_system_of_applications() {
        let mount = Mount {
            kind: MountKind::Applications,
            mount_point: Some("/mnt/ext".to_owned()),
            size_bytes: Observed::seen(Bytes(400), "x"),
            free_bytes: Observed::seen(Bytes(32), "x"),
            ..Mount::default()
        };
        let facts = Facts { mounts: Observed::seen(vec![mount], "x"), ..with(usb(), &[]) };
        crate::fixture::check(evaluate, &facts, &["clear", "exonerated"], "is 92 % full, by design");
    }
}
