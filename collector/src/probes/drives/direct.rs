//! One drive, asked by our own read-only commands: everything on a NAS with neither the SMART files of QTS nor smartctl;
//! on one that has the files only, whether the drive sleeps and what it says of itself, which are not in them. Without
//! the first nobody would know that reading a mirror may wake it.
//!
//! CHECK POWER MODE comes first, and a sleeping disk gets that one command and nothing else. It also tells what stands
//! between: a SAS disk does not know it and is asked the SCSI way (where REQUEST SENSE comes first for the same
//! reason). When the mode stays unknown:
//! - behind USB nothing more is sent. The bridge drops the registers, perhaps translates other commands into ones that
//!   spin the disk up, and the TR-00x of QNAP shows a volume of its own here, not a disk. Whether the disk behind it
//!   rotates cannot be told either: bridges claim it of everything.
//! - inside the NAS the questions go on. The kernel's own translation always returns the registers of a disk that
//!   knows the command, so this is a disk that does not: it has no standby mode that could be disturbed. IDENTIFY and
//!   the SMART structures are kept in memory and need no platter.
//!
//! A log is only asked for when the drive lists it: a refused command would stand in the drive's own error log. A
//! drive that hangs or is gone is not asked again. Commands that the drive does not know leave their readings Absent;
//! everything else that fails is Unreadable with the reason. Where a bridge drops the registers of SMART RETURN STATUS
//! the verdict is Unreadable, and the attributes still count.

mod ata;
mod nvme;
mod scsi;

use std::sync::{Mutex, PoisonError};

use assay_bundle::Observed;
use assay_bundle::facts::block::Transport;
use assay_bundle::facts::drive::{Drive, PowerMode};

use crate::command::DeviceNode;
use crate::direct::answer::Refusal;
use crate::direct::{DeviceAnswer, DeviceQuery};
use crate::door::{Door, Missing};
use crate::smartctl::{self, ASLEEP};
use crate::source::Request;

/// A drive that is being asked.
struct Asked<'a, 's> {
    door: &'a Door<'s>,
    node: &'a DeviceNode,
    /// Why nothing more is asked.
    gone: Mutex<Option<String>>,
}

/// A command that was carried out.
struct Reply {
    answer: DeviceAnswer,
    place: String,
}

/// A command that was not.
struct No {
    refusal: Refusal,
    why: String,
}

impl Reply {
    fn seen<T>(&self, value: T) -> Observed<T> {
        Observed::seen(value, self.place.as_str())
    }

    fn maybe<T>(&self, value: Option<T>) -> Observed<T> {
        value.map_or(Observed::Absent, |value| self.seen(value))
    }

    fn why(&self, why: &str) -> String {
        format!("{}: {why}", self.place)
    }
}

impl No {
    /// What the drive does not know it does not have.
    fn observed<T>(&self) -> Observed<T> {
        match self.refusal {
            Refusal::NotSupported => Observed::Absent,
            Refusal::Failed | Refusal::NotReached => Observed::unreadable(self.why.as_str()),
        }
    }
}

impl Asked<'_, '_> {
    fn gone(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, query: DeviceQuery) -> Result<Reply, No> {
        let gone = self.gone().clone();
        if let Some(why) = gone {
            return Err(No { refusal: Refusal::NotReached, why });
        }
        let request = Request::Device { device: self.node.clone(), query };
        let no = match self.door.ask(&request).await {
            Ok(fetched) => match DeviceAnswer::from_json(&fetched.bytes) {
                Some(answer) => match answer.check() {
                    Ok(()) => return Ok(Reply { answer, place: fetched.place }),
                    Err((refusal, why)) => No { refusal, why: format!("{}: {why}", fetched.place) },
                },
                None => No {
                    refusal: Refusal::Failed,
                    why: format!("{}: it is not a device's answer", fetched.place),
                },
            },
            Err(Missing::NotThere) => {
                No { refusal: Refusal::NotReached, why: format!("{}: it was not asked", request.noun()) }
            }
            Err(Missing::Failed(why) | Missing::NoTool(why)) => No { refusal: Refusal::NotReached, why },
        };
        if no.refusal == Refusal::NotReached {
            self.gone().get_or_insert_with(|| no.why.clone());
        }
        if no.refusal != Refusal::NotSupported {
            self.door.note(&no.why);
        }
        Err(no)
    }

    /// Asks, and reads the answer with `read`.
    async fn read<T>(
        &self,
        query: DeviceQuery,
        read: impl FnOnce(&DeviceAnswer) -> Result<T, String>,
    ) -> Observed<T> {
        match self.ask(query).await {
            Ok(reply) => match read(&reply.answer) {
                Ok(value) => reply.seen(value),
                Err(why) => self.door.noted(Observed::Unreadable { why: reply.why(&why) }),
            },
            Err(no) => no.observed(),
        }
    }
}

/// Asks one drive everything that the facts know.
pub(crate) async fn drive(door: &Door<'_>, node: &DeviceNode, transport: Transport) -> Drive {
    let asked = Asked { door, node, gone: Mutex::default() };
    let drive = match transport {
        Transport::Nvme => nvme::drive(&asked).await,
        _ => of_disk(&asked, transport).await,
    };
    Drive { device: node.name().to_owned(), ..drive }
}

/// A drive of which nothing but this is known.
fn nothing(why: &str, power_mode: Observed<PowerMode>) -> Drive {
    Drive { power_mode, ..smartctl::nothing(why.to_owned()).drive }
}

/// Asks one drive only what QTS's cache does not hold: whether it sleeps, and its own verdict. `why` is why nothing else
/// was asked. What hangs behind USB is left to the cache: a bridge may spin its disk up.
pub(crate) async fn verdict(door: &Door<'_>, node: &DeviceNode, transport: Transport, why: &str) -> Drive {
    let asked = Asked { door, node, gone: Mutex::default() };
    let drive = match transport {
        Transport::Nvme => nvme::verdict(&asked, why).await,
        Transport::Sata | Transport::Sas | Transport::Scsi => verdict_of_disk(&asked, why).await,
        Transport::Usb | Transport::Virtio | Transport::Mmc => nothing(why, Observed::NotCollected),
    };
    Drive { device: node.name().to_owned(), ..drive }
}

async fn verdict_of_disk(asked: &Asked<'_, '_>, why: &str) -> Drive {
    match mode(asked).await {
        Ok(mode) if is_asleep(&mode) => nothing(ASLEEP, mode),
        Ok(mode) if mode.is_seen() => {
            Drive { health_passed: ata::verdict(asked).await, ..nothing(why, mode) }
        }
        Ok(mode) => nothing(why, mode),
        Err(no) if no.refusal == Refusal::NotSupported => nothing(why, Observed::NotCollected),
        Err(no) => nothing(&format!("{why}; {}", no.why), Observed::Unreadable { why: no.why }),
    }
}

/// The power mode, or why it stays unknown.
async fn mode(asked: &Asked<'_, '_>) -> Result<Observed<PowerMode>, No> {
    let reply = asked.ask(DeviceQuery::AtaCheckPowerMode).await?;
    let why = match reply.answer.sense().and_then(|sense| sense.registers) {
        Some(registers) => match power_mode(registers.count) {
            Some(mode) => return Ok(reply.seen(mode)),
            None => format!("{:02X}h is no power mode", registers.count),
        },
        None => "what stands before the drive drops the registers of its answer".to_owned(),
    };
    Ok(Observed::Unreadable { why: reply.why(&why) })
}

fn is_asleep(mode: &Observed<PowerMode>) -> bool {
    matches!(mode.value(), Some(PowerMode::Standby | PowerMode::Sleep))
}

async fn of_disk(asked: &Asked<'_, '_>, transport: Transport) -> Drive {
    let (mode, why) = match mode(asked).await {
        Ok(mode) if is_asleep(&mode) => return nothing(ASLEEP, mode),
        Ok(Observed::Unreadable { why }) => (Observed::Unreadable { why: why.clone() }, why),
        Ok(mode) => (mode, String::new()),
        Err(no) if no.refusal == Refusal::NotSupported => {
            if matches!(transport, Transport::Sas | Transport::Scsi) {
                return scsi::drive(asked).await;
            }
            (Observed::Unreadable { why: no.why.clone() }, no.why)
        }
        Err(no) => return nothing(&no.why, Observed::Unreadable { why: no.why.clone() }),
    };
    if transport == Transport::Usb && !mode.is_seen() {
        let why = format!("{why}; whether the disk sleeps is not known, so it was not asked more");
        asked.door.note(&why);
        return nothing(&why, Observed::Unreadable { why: why.clone() });
    }
    ata::drive(asked, mode).await
}

/// The power mode in an answer to CHECK POWER MODE.
pub(crate) fn power_mode_of(answer: &DeviceAnswer) -> Option<PowerMode> {
    answer.sense().and_then(|sense| sense.registers).and_then(|registers| power_mode(registers.count))
}

/// Values of CHECK POWER MODE (ACS-4, 7.3). 40h is active by its cache, with the platters stopped.
fn power_mode(count: u8) -> Option<PowerMode> {
    match count {
        0x00 | 0x01 | 0x40 => Some(PowerMode::Standby),
        0x80..=0x83 => Some(PowerMode::Idle),
        0x41 | 0xff => Some(PowerMode::Active),
        _ => None,
    }
}

/// A reading that was there and said nothing is none.
fn some<T>(reading: Observed<Option<T>>) -> Observed<T> {
    match reading {
        Observed::Seen { value: Some(value), from } => Observed::Seen { value, from },
        Observed::Seen { value: None, .. } | Observed::Absent => Observed::Absent,
        Observed::Unreadable { why } => Observed::Unreadable { why },
        Observed::NotCollected => Observed::NotCollected,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
