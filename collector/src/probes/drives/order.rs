//! Which source is asked for one drive's readings, and in which order.
//!
//! smartctl first, where it is installed: its version decides once whether it speaks JSON (7.0) or only text. On QNAP its
//! automatic choice takes SATA disks for SCSI and then answers "no SMART" and 0 C, so each transport has its own chain
//! of device types; the next is tried when an answer is poor, and the richest answer counts, whatever the exit status
//! was. A sleeping drive is not woken (`-n standby`), and nothing else is sent to it. A drive that hangs is asked
//! once. The volume of a TR enclosure is not asked at all: what would reach the drives behind it writes to a sector.
//! What QTS has cached fills up afterwards whatever is missing (`super::cache`). Where smartctl cannot be used, our own
//! read-only commands ask the drive (`super::direct`): for everything where QTS has cached nothing, else only whether it
//! sleeps and what it says of itself.

use assay_bundle::facts::block::Transport;
use assay_bundle::facts::drive::Drive;

use super::{Target, direct};
use crate::command::{Command, SmartctlKind};
use crate::door::{Door, Missing};
use crate::smartctl::{self, ParsedDrive};
use crate::source::Request;

/// Why nothing is known of the drives of a TR enclosure.
pub(super) const TR_VOLUME: &str = "this is the RAID volume of a QNAP TR enclosure: the drives inside it can only be asked by writing to the volume, which is not done; look at the enclosure's lamps and at its page in QTS's Storage & Snapshots for the state of each";

/// First version of smartctl with JSON.
const FIRST_WITH_JSON: u32 = 7;

/// What smartctl is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// It prints JSON.
    Json,
    /// It prints text only.
    Text,
    /// It cannot be used, for this reason.
    Missing(String),
}

/// Finds out what smartctl is here. One that does not say its version is taken for a recent one.
pub(super) async fn tool(door: &Door<'_>) -> Tool {
    match door.ask(&Request::Run(Command::SmartctlVersion)).await {
        Ok(fetched) if speaks_json(&fetched.text()) == Some(false) => Tool::Text,
        Ok(_) | Err(Missing::NotThere) => Tool::Json,
        Err(Missing::Failed(why) | Missing::NoTool(why)) => Tool::Missing(why),
    }
}

/// By the first line: `smartctl 7.4 2023-08-01 r5530 …`, before 6.0 `smartctl version 5.38 …`.
fn speaks_json(text: &str) -> Option<bool> {
    let rest = text.lines().find_map(|line| line.strip_prefix("smartctl "))?;
    let word = rest.strip_prefix("version ").unwrap_or(rest).split_whitespace().next()?;
    let number = word.strip_prefix("pre-").unwrap_or(word);
    let major: u32 = number.split_once('.')?.0.parse().ok()?;
    // What led to 7.0 had JSON in part and under other names.
    Some(major >= FIRST_WITH_JSON && word != "pre-7.0")
}

/// Device types to try, best first.
fn kinds(target: &Target<'_>) -> &'static [SmartctlKind] {
    use SmartctlKind::{Ata, Auto, Nvme, Sat, Sat12, Scsi};
    let speaks_ata = target.block.model.value().is_some_and(|model| model.starts_with("ATA "));
    match target.transport {
        Transport::Nvme => &[Nvme],
        Transport::Sata => &[Sat, Sat12, Ata],
        // A SAS host serves SATA drives too; each kind of drive refuses the other's question at once.
        Transport::Sas if !speaks_ata => &[Scsi, Sat],
        Transport::Sas => &[Sat, Scsi],
        // smartctl knows most bridges by their USB ids, and `sat` suits the rest.
        Transport::Usb => &[Auto, Sat, Sat12],
        Transport::Scsi | Transport::Virtio | Transport::Mmc => &[Auto, Sat, Scsi],
    }
}

/// Asks one drive.
pub(super) async fn ask(door: &Door<'_>, target: &Target<'_>, tool: &Tool, is_cached: bool) -> Drive {
    if target.is_tr_volume {
        door.note(TR_VOLUME);
        return smartctl::nothing(TR_VOLUME.to_owned()).drive;
    }
    let parsed = match tool {
        Tool::Json => by_smartctl(door, target, false).await,
        Tool::Text => by_smartctl(door, target, true).await,
        // That smartctl is not here has been noted once, for all drives.
        Tool::Missing(why) if is_cached => {
            return Box::pin(direct::verdict(door, &target.node, target.transport, why)).await;
        }
        Tool::Missing(_) => return Box::pin(direct::drive(door, &target.node, target.transport)).await,
    };
    if let smartctl::Answer::NoSmart(why) | smartctl::Answer::Unreadable(why) = &parsed.answer {
        door.note(why);
    }
    parsed.drive
}

async fn by_smartctl(door: &Door<'_>, target: &Target<'_>, text: bool) -> ParsedDrive {
    let mut best: Option<Box<ParsedDrive>> = None;
    for kind in kinds(target) {
        let (device, kind) = (target.node.clone(), *kind);
        let request = Request::Run(if text {
            Command::SmartctlText { device, kind }
        } else {
            Command::Smartctl { device, kind }
        });
        let (parsed, go_on) = match door.ask(&request).await {
            Ok(fetched) => (smartctl::parse(&fetched.bytes, &fetched.place), true),
            Err(Missing::NotThere) => {
                (smartctl::nothing(format!("{}: it was not asked", request.noun())), true)
            }
            // A drive that hangs, or a missing program, does not answer another question either.
            Err(Missing::Failed(why) | Missing::NoTool(why)) => (smartctl::nothing(why), false),
        };
        let good = !parsed.is_poor();
        if best.as_ref().is_none_or(|best| parsed.richness() > best.richness()) {
            best = Some(Box::new(parsed));
        }
        if good || !go_on {
            break;
        }
    }
    best.map_or_else(|| smartctl::nothing("no way to ask this drive is known".to_owned()), |best| *best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    #[test]
    fn the_version_decides() {
        fn check(text: &str, expected: Option<bool>) {
            assert_eq!(speaks_json(text), expected, "{text}");
        }
        check(
            "smartctl 7.4 2023-08-01 r5530 [x86_64-linux-5.10.60-qnap] (local build)\nCopyright",
            Some(true),
        );
        check("smartctl 10.0 2033-08-01", Some(true));
        check("smartctl 6.6 2017-11-05 r4594 [armv7l-linux-4.2.8]\n", Some(false));
        check("smartctl version 5.38 [x86_64] Copyright (C) 2002-8 Bruce Allen\n", Some(false));
        check("smartctl pre-7.4 2023-06-13 r5481", Some(true));
        check("smartctl pre-7.0 2018-08-01", Some(false));
        check("smartctl pre-6.6 2017-01-01", Some(false));
        check("", None);
        check("smartctl: error while loading shared libraries", None);
        check("smartctl seven", None);
    }

    #[test]
    fn what_smartctl_is_here() {
        fn check(file: (&str, &str), expected: &Tool) {
            let found = run(&[file], async |door| tool(door).await);
            match (&found, expected) {
                (Tool::Missing(why), Tool::Missing(words)) => assert!(why.contains(words.as_str()), "{why}"),
                _ => assert_eq!(&found, expected),
            }
        }
        check(("cmd/smartctl.version/stdout", "smartctl 7.5 2025-04-30\n"), &Tool::Json);
        check(("cmd/smartctl.version/stdout", "smartctl 6.5 2016-05-07\n"), &Tool::Text);
        check(("cmd/smartctl.version/stdout", "garbage"), &Tool::Json);
        check(("x", ""), &Tool::Json);
        let missing = |words: &str| Tool::Missing(words.to_owned());
        let place = "cmd/smartctl.version.unreadable";
        check((place, r#"{"no_tool":{"name":"smartctl"}}"#), &missing("smartctl is not installed"));
        check((place, r#"{"deadline":{"after_ms":70000}}"#), &missing("no answer within 70.0 s"));
    }
}
