//! `dmsetup status`: one line a piece of a mapped device. It has no heading, so only lines with a kind that the kernel
//! knows count.

use assay_bundle::Observed;
use assay_bundle::facts::lvm::DmDevice;

use super::{Begins, Format, Sign, add, never};
use crate::dmsetup;

/// Kinds of pieces, by the kernel's documentation, and the cache of QTS.
const KINDS: [&str; 17] = [
    "cache",
    "crypt",
    "delay",
    "error",
    "flashcache",
    "integrity",
    "linear",
    "mirror",
    "multipath",
    "raid",
    "snapshot",
    "snapshot-origin",
    "striped",
    "thin",
    "thin-pool",
    "writecache",
    "zero",
];

pub(super) const FORMAT: Format = Format {
    name: "dmsetup status",
    sign: Sign::None,
    begins: |lines| lines.first().is_some_and(|line| is_piece(line)),
    place: Begins::Apart,
    is_json: never,
    read: |gathered, output| {
        let devices = dmsetup::parse(output.text).into_iter().map(|(name, targets)| DmDevice {
            name,
            targets: Observed::seen(targets, output.place),
            ..DmDevice::default()
        });
        add(&mut gathered.facts.dm_devices, devices.collect(), output.place);
        Ok(())
    },
};

fn is_piece(line: &str) -> bool {
    dmsetup::piece(line).is_some_and(|(_, target)| KINDS.contains(&target.kind.as_str()))
}
