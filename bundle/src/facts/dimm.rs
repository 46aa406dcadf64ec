//! Memory slots and what stands in them, as the firmware describes them (SMBIOS types 16 and 17).

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::Bytes;

/// One slot. In an empty one every reading of the module is Absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemorySlot {
    /// Label as printed on the board (`Device Locator`), such as `DIMM_A1`.
    pub label: Observed<String>,
    /// Label of the bank (`Bank Locator`).
    pub bank: Observed<String>,
    /// Whether a module stands in it; Unreadable where the firmware does not know.
    pub filled: Observed<bool>,
    /// Size of the module.
    pub size_bytes: Observed<Bytes>,
    /// Kind, such as `DDR4`.
    pub kind: Observed<String>,
    /// Speed that the module can do, in mega-transfers per second.
    pub speed_mt_s: Observed<u32>,
    /// Speed that it is run at, in mega-transfers per second.
    pub configured_speed_mt_s: Observed<u32>,
    /// Maker, as the firmware writes it (a name, or its JEDEC number).
    pub manufacturer: Observed<String>,
    /// Part number.
    pub part_number: Observed<String>,
    /// Serial number.
    pub serial: Observed<String>,
    /// Bits that hold data.
    pub data_width_bits: Observed<u16>,
    /// Bits with those of the correction: 72 for 64 where the module has ECC.
    pub total_width_bits: Observed<u16>,
    /// Correction that the board's memory controller is said to do: `none`, `single-bit`, `multi-bit`, `parity`, `crc`.
    pub correction: Observed<String>,
}
