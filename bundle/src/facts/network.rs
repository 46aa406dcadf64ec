//! Network interfaces with hardware behind them. Addresses are not collected: no finding needs them.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;
use crate::units::MegabitsPerSecond;

/// One interface (`/sys/class/net/*` with a `device`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkLink {
    /// Kernel name such as `eth0`.
    pub name: String,
    /// MAC address; its first half names the maker, the second is replaced before it leaves.
    pub mac: Observed<String>,
    /// Driver's name, from the `device/driver` link.
    pub driver: Observed<String>,
    /// `operstate`: `up`, `down`, `dormant`…
    pub state: Observed<String>,
    /// Whether a carrier is seen (`carrier`; not readable while the interface is down).
    pub carrier: Observed<bool>,
    /// Negotiated speed; Absent where the driver does not know (virtual or down: -1).
    pub speed_mbit_s: Observed<MegabitsPerSecond>,
    /// Times that the carrier came or went since boot (`carrier_changes`).
    pub carrier_changes: Observed<u64>,
    /// Frames received with an error (`statistics/rx_errors`).
    pub rx_errors: Observed<u64>,
    /// Frames received with a bad checksum (`statistics/rx_crc_errors`): cable, connector or port.
    pub rx_crc_errors: Observed<u64>,
    /// Frames received with an odd length (`statistics/rx_frame_errors`): as bad checksums.
    pub rx_frame_errors: Observed<u64>,
    /// Frames lost because the interface had no room for them (`statistics/rx_over_errors`): load, not damage.
    pub rx_over_errors: Observed<u64>,
    /// Frames lost because the machine did not take them (`statistics/rx_missed_errors`): load, not damage.
    pub rx_missed_errors: Observed<u64>,
    /// Frames that could not be sent (`statistics/tx_errors`).
    pub tx_errors: Observed<u64>,
    /// Frames not sent because the carrier was lost (`statistics/tx_carrier_errors`): cable or port.
    pub tx_carrier_errors: Observed<u64>,
    /// Frames that collided (`statistics/collisions`): one side runs at half duplex.
    pub collisions: Observed<u64>,
    /// Duplex that was negotiated (`duplex`): `full` or `half`; Absent where the driver does not know, or without a
    /// carrier.
    pub duplex: Observed<String>,
}
