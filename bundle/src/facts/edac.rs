//! Memory error counters of the EDAC subsystem. No controller listed means no ECC or no driver, not "no errors".

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// One memory controller (`/sys/devices/system/edac/mc/mcN`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryController {
    /// Kernel name such as `mc0`.
    pub name: String,
    /// Driver's name for it (`mc_name`).
    pub kind: Observed<String>,
    /// Corrected errors since boot or reset (`ce_count`).
    pub corrected: Observed<u64>,
    /// Uncorrected errors since boot or reset (`ue_count`).
    pub uncorrected: Observed<u64>,
    /// Uncorrected errors that could not be told to a DIMM (`ue_noinfo_count`).
    pub uncorrected_without_place: Observed<u64>,
    /// Seconds since the counters were reset (`seconds_since_reset`).
    pub since_reset_s: Observed<u64>,
    /// Modules. Do not add these to the controller's counts: they are the same errors.
    pub dimms: Observed<Vec<Dimm>>,
}

/// One memory module (`dimmN` or `rankN`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dimm {
    /// Kernel name such as `dimm0`.
    pub name: String,
    /// Label as printed on the board, where the driver knows it (`dimm_label`).
    pub label: Observed<String>,
    /// Controller's coordinates (`dimm_location`).
    pub location: Observed<String>,
    /// Corrected errors (`dimm_ce_count`).
    pub corrected: Observed<u64>,
    /// Uncorrected errors (`dimm_ue_count`).
    pub uncorrected: Observed<u64>,
}
