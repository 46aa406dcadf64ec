//! Drives: every disk that may be a physical drive and every drive that QTS's map of bays knows, with what is known of
//! its health.
//!
//! Three sources make one drive: what it answers itself ([`order`]: smartctl), what QTS keeps in RAM without asking it
//! ([`cache`], [`bays`]), and what the kernel keeps (sysfs). The richer answer counts and the others fill up what is
//! missing, so a NAS without smartctl, and a sleeping drive, which is not woken, still have readings. What nobody
//! could read is Unreadable with the reason; a drive is listed in any case, also one that is in its bay and that the
//! kernel does not list any more. NVMe drives are asked through the controller. Removable USB media, eMMC, virtual
//! disks and the USB module that QTS starts from (which need not say that it is removable) are no drives. A drive that
//! two paths lead to is one drive. How many are asked at once: [`slots`].

mod bays;
mod cache;
mod hints;
mod order;
mod slots;

use std::collections::BTreeMap;

mod direct;

use assay_bundle::Observed;
use assay_bundle::facts::block::{BlockDevice, Transport};
use assay_bundle::facts::drive::{DepartedDrive, Drive, Medium, Protocol};

use self::bays::Bays;
pub(crate) use self::direct::power_mode_of;
use self::slots::Slots;
use super::{Found, Run};
use crate::ProgressState;
use crate::command::DeviceNode;
use crate::door::Door;
use crate::enclosure_conf::MappedDrive;
use crate::ini;
use crate::join::join_all;
use crate::smartctl;

/// Where QTS names what it starts from.
const HAL_CONF: &str = "/etc/hal.conf";
/// QNAP's vendor number on USB.
const QNAP_USB_VENDOR: &str = "1c04";

/// What the probe found.
pub(crate) struct Drives {
    pub(crate) drives: Observed<Vec<Drive>>,
    pub(crate) departed: Observed<Vec<DepartedDrive>>,
}

/// One drive to ask.
struct Target<'b> {
    node: DeviceNode,
    transport: Transport,
    block: &'b BlockDevice,
    /// Its path in sysfs, from `/sys`; empty where it is not known.
    path: String,
    /// It is what a TR enclosure shows of the drives inside it.
    is_tr_volume: bool,
}

/// Asks every drive among the block devices. What may be slow runs beside the drives, not before them.
pub(crate) async fn collect(
    door: &Door<'_>,
    run: Run<'_>,
    blocks: &Observed<Vec<BlockDevice>>,
) -> (Drives, Found) {
    let (bays, departed) = Bays::collect(door).await;
    let listed = blocks.value().map(Vec::as_slice).unwrap_or_default();
    let targets = targets(door, &bays, listed).await;
    // What is cached needs no question to a drive.
    let caches = cache::collect(door).await;
    let (answers, qcli) =
        tokio::join!(answers(door, run, &bays, &caches, &targets), bays.hints_of_qcli(door));
    let known = Known { bays: bays.with_hints(qcli), caches };
    let mut found = Vec::new();
    let mut all = Vec::new();
    for (target, (answer, system)) in targets.iter().zip(answers) {
        let (drive, row) = known.drive(door, target, *answer, *system);
        all.push(drive);
        found.extend(row);
    }
    all.extend(known.unlisted(door, blocks, &targets, &found));
    let drives = match (blocks, all.first()) {
        (Observed::Seen { from, .. }, Some(_)) if !targets.is_empty() => {
            Observed::seen(without_doubles(all), &**from)
        }
        (_, Some(first)) => {
            let place = first.bay.place().unwrap_or_default().to_owned();
            Observed::seen(without_doubles(all), place)
        }
        (Observed::Seen { .. }, None) => Observed::Absent,
        (other, None) => door.noted(other.as_ref().map(|_| Vec::new())),
    };
    let found = Found::of(&drives);
    (Drives { drives, departed }, found)
}

/// What pasted outputs say of drives, with what pasted files of QTS say of them and of their bays. A drive that only a
/// map or a cache knows is listed too: its other readings are not collected.
pub(crate) async fn pasted(door: &Door<'_>, drives: Vec<Drive>) -> Drives {
    let (bays, departed) = Bays::collect(door).await;
    let known = Known { bays: bays.with_hints(hints::qcli(door).await), caches: cache::collect(door).await };
    let (mut found, mut all) = (Vec::new(), Vec::new());
    for drive in drives {
        let nvme = drive.protocol.value() == Some(&Protocol::Nvme);
        let block = BlockDevice { name: drive.device.clone(), ..BlockDevice::default() };
        let at = known.bays.find(&drive, &block, if nvme { Transport::Nvme } else { Transport::Scsi });
        found.extend(at.row);
        let by_map = known.bays.row(at.row).map(bays::by_map).unwrap_or_default();
        let drive = if at.bay.is_seen() { placed(drive, &at.bay) } else { drive };
        all.push(filled(filled(drive, by_map), known.cached(&at.bay)));
    }
    for row in known.bays.unlisted(&found, |_| false) {
        let bay = row.bay.map_or(Observed::Absent, |bay| Observed::seen((row.enclosure, bay), &*row.place));
        let device = row.device.as_deref().unwrap_or_default();
        let device = controller(device).unwrap_or(device);
        let is_taken = all.iter().any(|other: &Drive| other.device == device);
        let device = if is_taken { String::new() } else { device.to_owned() };
        let drive = filled(placed(Drive { device, ..Drive::default() }, &bay), bays::by_map(row));
        all.push(filled(drive, known.cached(&bay)));
    }
    let taken: Vec<(u32, u32)> =
        all.iter().filter_map(|drive| Some((*drive.enclosure.value()?, *drive.bay.value()?))).collect();
    for (bay, cached) in known.caches.iter().filter(|(bay, _)| !taken.contains(bay)) {
        let place = cached.qts_cache.place().unwrap_or_default().to_owned();
        all.push(placed(cached.clone(), &Observed::seen(*bay, place)));
    }
    let place = all.first().and_then(|drive| {
        [drive.serial.place(), drive.model.place(), drive.bay.place()].into_iter().flatten().next()
    });
    let place = place.unwrap_or_default().to_owned();
    let drives =
        if all.is_empty() { Observed::NotCollected } else { Observed::seen(without_doubles(all), place) };
    Drives { drives, departed }
}

/// Whether this is the name of a file of QTS's SMART cache.
pub(crate) fn is_cache(name: &str) -> bool {
    cache::bay_of(name).is_some()
}

/// What such a file says, whichever drive it is about.
pub(crate) fn cached(bytes: &[u8], place: &str) -> Drive {
    cache::parse(bytes, place, Observed::NotCollected)
}

/// What each drive answers and what sysfs says of it.
async fn answers(
    door: &Door<'_>,
    run: Run<'_>,
    bays: &Bays,
    caches: &BTreeMap<(u32, u32), Drive>,
    targets: &[Target<'_>],
) -> Vec<(Box<Drive>, Box<Drive>)> {
    if targets.is_empty() {
        return Vec::new();
    }
    let tool = &order::tool(door).await;
    let names = targets.iter().filter(|target| target.transport != Transport::Nvme);
    let names: Vec<String> = names.map(|target| format!("{}/device/wwid", target.block.name)).collect();
    door.attributes_ahead("/sys/block", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let slots = &Slots::new(targets.iter().map(|target| target.path.as_str()));
    let asked = targets.iter().map(|target| async move {
        // All drives' futures are there at once: what is large in them is elsewhere, and what is rare only where it is.
        let system = Box::new(by_system(door, target).await);
        let bay = bays.find(&system, target.block, target.transport).bay;
        let is_cached = bay.value().is_some_and(|bay| caches.contains_key(bay));
        let label = label(&bay, target.node.name());
        let _slots = slots.enter(&target.path).await;
        run.say("drives", ProgressState::Started, Some(label.clone()));
        let answer = Box::new(order::ask(door, target, tool, is_cached).await);
        run.say("drives", ProgressState::Finished, Some(label));
        (answer, system)
    });
    join_all(asked).await
}

/// What is known without asking a drive.
struct Known {
    bays: Bays,
    caches: BTreeMap<(u32, u32), Drive>,
}

impl Known {
    /// One drive by all sources, and the row of the map that is about it.
    fn drive(
        &self,
        door: &Door<'_>,
        target: &Target<'_>,
        answer: Drive,
        system: Drive,
    ) -> (Drive, Option<usize>) {
        let identity = Drive {
            serial: answer.serial.clone().or(|| system.serial.clone()),
            wwn: answer.wwn.clone().or(|| system.wwn.clone()),
            ..Drive::default()
        };
        let found = self.bays.find(&identity, target.block, target.transport);
        found.notes.iter().for_each(|note| door.note(note));
        let by_map = self.bays.row(found.row).map(bays::by_map).unwrap_or_default();
        let drive = filled(placed(answer, &found.bay), by_map);
        let device = target.node.name().to_owned();
        if target.is_tr_volume {
            // It lies on the drives of all bays, and what QTS has cached for one of these is about one drive.
            let drive = Drive { device, bay: Observed::Absent, ..filled(drive, system) };
            return (drive, found.row);
        }
        let cached = self.cached(&found.bay);
        if let Observed::Unreadable { why } = &cached.qts_health {
            door.note(why);
        }
        let drive = filled(filled(drive, cached), system);
        (Drive { device, ..drive }, found.row)
    }

    fn cached(&self, bay: &Observed<(u32, u32)>) -> Drive {
        bay.value().and_then(|bay| self.caches.get(bay)).cloned().unwrap_or_default()
    }

    /// The drives that the map has in a bay and the kernel does not list.
    fn unlisted(
        &self,
        door: &Door<'_>,
        blocks: &Observed<Vec<BlockDevice>>,
        targets: &[Target<'_>],
        found: &[usize],
    ) -> Vec<Drive> {
        let listed = blocks.value().map(Vec::as_slice).unwrap_or_default();
        let why = blocks.as_ref().map(|_| ()).why_not().filter(|_| !blocks.is_absent());
        let is_target = |name: &str| {
            let node = controller(name).unwrap_or(name);
            targets.iter().any(|target| target.node.name() == node)
        };
        let other_medium = |name: &str| listed.iter().any(|block| block.name == name) && !is_target(name);
        let rows = self.bays.unlisted(found, other_medium).into_iter();
        rows.map(|row| {
            let free = row.device.as_deref().filter(|device| !is_target(device));
            self.silent(door, row, free, why.as_deref())
        })
        .collect()
    }

    fn silent(&self, door: &Door<'_>, row: &MappedDrive, device: Option<&str>, why: Option<&str>) -> Drive {
        let bay = row.bay.map_or(Observed::Absent, |bay| Observed::seen((row.enclosure, bay), &*row.place));
        let name = label(&bay, "a drive");
        let why = why.map_or_else(
            || {
                format!(
                    "{}: it has {name}, and the kernel lists none for it: it does not answer, or was just taken out",
                    row.place
                )
            },
            |why| format!("{}: it has {name}, and the disks could not be listed: {why}", row.place),
        );
        door.note(&why);
        let drive = filled(placed(smartctl::nothing(why).drive, &bay), bays::by_map(row));
        let device = device.unwrap_or_default();
        Drive { device: controller(device).unwrap_or(device).to_owned(), ..filled(drive, self.cached(&bay)) }
    }
}

/// `sda in bay 3`, `sdk in bay 1 of enclosure 32`, or the device alone.
fn label(bay: &Observed<(u32, u32)>, device: &str) -> String {
    match bay.value() {
        Some((0, bay)) => format!("{device} in bay {bay}"),
        Some((enclosure, bay)) => format!("{device} in bay {bay} of enclosure {enclosure}"),
        None => device.to_owned(),
    }
}

fn placed(drive: Drive, bay: &Observed<(u32, u32)>) -> Drive {
    Drive {
        enclosure: bay.clone().map(|(enclosure, _)| enclosure),
        bay: bay.clone().map(|(_, bay)| bay),
        ..drive
    }
}

/// A drive that two paths lead to (multipath SAS) answers twice with one serial number and one name.
fn without_doubles(drives: Vec<Drive>) -> Vec<Drive> {
    let mut kept: Vec<Drive> = Vec::new();
    for drive in drives {
        let same = |other: &Drive| {
            let equal = |a: &Observed<String>, b: &Observed<String>| a.is_seen() && a.value() == b.value();
            equal(&drive.serial, &other.serial) && equal(&drive.wwn, &other.wwn)
        };
        if !kept.iter().any(same) {
            kept.push(drive);
        }
    }
    kept
}

async fn targets<'b>(door: &Door<'_>, bays: &Bays, blocks: &'b [BlockDevice]) -> Vec<Target<'b>> {
    let boot = boot_disk(door).await;
    let mut targets: Vec<Target<'b>> = Vec::new();
    for block in blocks {
        // A path of unknown kind may still lead to a drive: asking is harmless.
        let transport = block.transport.value().copied().unwrap_or(Transport::Scsi);
        let stays = block.removable.value() != Some(&true) && boot.as_deref() != Some(block.name.as_str());
        let media = transport == Transport::Usb && !stays;
        if media || matches!(transport, Transport::Virtio | Transport::Mmc) {
            continue;
        }
        let name =
            if transport == Transport::Nvme { controller(&block.name) } else { Some(block.name.as_str()) };
        let Some(node) = name.and_then(DeviceNode::parse) else { continue };
        if !targets.iter().any(|known| known.node == node) {
            let link = door.link(&format!("/sys/block/{}", block.name)).await;
            let path = link.value().and_then(|link| Some(link.split_once("devices/")?.1));
            let path = path.map_or_else(String::new, |path| format!("/sys/devices/{path}"));
            let is_tr_volume = is_tr_volume(door, bays, block, transport, &path).await;
            targets.push(Target { node, transport, block, path, is_tr_volume });
        }
    }
    targets
}

/// What QTS starts from, by its name. It has a fact of its own and no health to ask for.
async fn boot_disk(door: &Door<'_>) -> Option<String> {
    let node = ini::value(door.text(HAL_CONF).await.value()?, "BootDisk_0", "pd_sys_name")?;
    node.strip_prefix("/dev/").map(str::to_owned)
}

/// By QTS's map, by the model that JMicron's RAID chip or QNAP's enclosure gives itself, or by the maker of the USB
/// device.
async fn is_tr_volume(
    door: &Door<'_>,
    bays: &Bays,
    block: &BlockDevice,
    transport: Transport,
    path: &str,
) -> bool {
    let model = block.model.value().map(String::as_str).unwrap_or_default();
    let is_usb = transport == Transport::Usb;
    if model.contains("H/W RAID") || model.contains("QNAP TR-00") || (is_usb && model.starts_with("TR-00")) {
        return true;
    }
    if bays.row(bays.find(&Drive::default(), block, transport).row).is_some_and(MappedDrive::is_tr_volume) {
        return true;
    }
    let Some(device) = usb_device(path).filter(|_| is_usb) else { return false };
    door.text(&format!("{device}/idVendor")).await.value().is_some_and(|vendor| vendor == QNAP_USB_VENDOR)
}

/// The USB device of a disk's path: what stands before its interface, `…/1-4` of `…/1-4/1-4:1.0/host6/…`.
fn usb_device(path: &str) -> Option<&str> {
    let interface = path.split('/').find(|part| {
        part.split_once(':').is_some_and(|(device, _)| path.contains(&format!("/{device}/{part}/")))
    })?;
    path.split_once(&format!("/{interface}/")).map(|(device, _)| device)
}

/// `nvme0` of `nvme0n1`.
fn controller(namespace: &str) -> Option<&str> {
    let digits = namespace.strip_prefix("nvme")?;
    let end = digits.find('n')?;
    namespace.get(.."nvme".len() + end)
}

/// What sysfs says of the drive; with the kernel's names where the drive did not answer.
async fn by_system(door: &Door<'_>, target: &Target<'_>) -> Drive {
    let block = target.block;
    let nvme = target.transport == Transport::Nvme;
    let file = |name: &str| format!("/sys/block/{}/device/{name}", block.name);
    let medium = block.rotational.clone().map(|rotating| if rotating { Medium::Hdd } else { Medium::Ssd });
    // The transport tells the protocol only where no bridge stands between.
    let protocol = match (target.transport, &block.transport) {
        (Transport::Nvme, Observed::Seen { from, .. }) => Observed::seen(Protocol::Nvme, &**from),
        (Transport::Sata, Observed::Seen { from, .. }) => Observed::seen(Protocol::Ata, &**from),
        _ => Observed::NotCollected,
    };
    Drive {
        protocol,
        medium,
        model: block.model.clone(),
        serial: if nvme { door.text(&file("serial")).await } else { Observed::NotCollected },
        wwn: if nvme { Observed::NotCollected } else { world_wide_name(door.text(&file("wwid")).await) },
        firmware: if nvme { door.text(&file("firmware_rev")).await } else { Observed::NotCollected },
        capacity_bytes: block.size_bytes.clone(),
        ..Drive::default()
    }
}

/// `naa.5000…`. The other forms (`t10.ATA …`) are made of model and serial number.
fn world_wide_name(id: Observed<String>) -> Observed<String> {
    match id {
        Observed::Seen { value, from } => value
            .strip_prefix("naa.")
            .filter(|name| !name.is_empty())
            .map_or(Observed::NotCollected, |name| Observed::Seen { value: name.to_ascii_lowercase(), from }),
        _ => Observed::NotCollected,
    }
}

/// The better source, filled up by the other. What a reading is missing for stays the better one's reason.
fn filled(best: Drive, other: Drive) -> Drive {
    Drive {
        protocol: best.protocol.or(|| other.protocol),
        medium: best.medium.or(|| other.medium),
        model: best.model.or(|| other.model),
        serial: best.serial.or(|| other.serial),
        wwn: best.wwn.or(|| other.wwn),
        firmware: best.firmware.or(|| other.firmware),
        capacity_bytes: best.capacity_bytes.or(|| other.capacity_bytes),
        rotation_rpm: best.rotation_rpm.or(|| other.rotation_rpm),
        temperature_c: best.temperature_c.or(|| other.temperature_c),
        power_on_hours: best.power_on_hours.or(|| other.power_on_hours),
        power_cycles: best.power_cycles.or(|| other.power_cycles),
        ata_attributes: best.ata_attributes.or(|| other.ata_attributes),
        nvme: best.nvme.or(|| other.nvme),
        link_speed: best.link_speed.or(|| other.link_speed),
        link_speed_max: best.link_speed_max.or(|| other.link_speed_max),
        listed_link_speed: best.listed_link_speed.or(|| other.listed_link_speed),
        listed_link_speed_max: best.listed_link_speed_max.or(|| other.listed_link_speed_max),
        qts_health: best.qts_health.or(|| other.qts_health),
        qts_cache: best.qts_cache.or(|| other.qts_cache),
        ..best
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;
