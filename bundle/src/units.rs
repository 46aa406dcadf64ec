//! A number knows its unit: in the type where it is computed with, in the field's name where it is stored.
//!
//! Each type documents its range; `plausible` refuses what no sensor of the kind can mean (sentinels such as 65535
//! RPM or 0 C from a drive that did not answer), so that a parser has to say Unreadable instead.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! unit {
    ($(#[$meta:meta])* $name:ident($inner:ty), $suffix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{}", $suffix), self.0)
            }
        }
    };
}

unit!(
    /// Degrees Celsius, -55 to 150 for electronics (see [`Celsius::plausible`]).
    Celsius(i16), " C"
);
unit!(
    /// Revolutions per minute of a fan or a platter, 0 to 30,000 (see [`Rpm::plausible`]).
    Rpm(u32), " RPM"
);
unit!(
    /// Whole hours, such as a drive's power-on hours.
    Hours(u64), " h"
);
unit!(
    /// Whole seconds.
    Seconds(u64), " s"
);
unit!(
    /// Whole milliseconds.
    Milliseconds(u64), " ms"
);
unit!(
    /// Millivolts, as hwmon's `inN_input` gives them.
    Millivolts(i32), " mV"
);
unit!(
    /// Percent; may exceed 100 where its source does (NVMe "percentage used" goes to 255).
    Percent(u8), " %"
);
unit!(
    /// Megabits per second of a network or storage link.
    MegabitsPerSecond(u64), " Mbit/s"
);

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Celsius {
    /// The lowest temperature taken for a reading: below the range of any NAS part (JEDEC industrial is -40).
    pub const LOWEST: i64 = -55;
    /// The highest temperature taken for a reading; silicon shuts itself down before (Intel Tjmax is 105-110).
    pub const HIGHEST: i64 = 150;

    /// A temperature in the range that a sensor can mean, else `None`.
    pub fn plausible(value: i64) -> Option<Self> {
        (Self::LOWEST..=Self::HIGHEST).contains(&value).then(|| i16::try_from(value).map(Self).ok()).flatten()
    }

    /// A drive's temperature: 0 and below and 128 and above are what drives and bridges print when they do not
    /// know (hardware.md 1.1), so they are not a reading.
    pub fn of_drive(value: i64) -> Option<Self> {
        (1..128).contains(&value).then(|| i16::try_from(value).map(Self).ok()).flatten()
    }
}

impl Rpm {
    /// The highest speed taken for a reading: 40 mm server fans reach 25,000; 65535 is an unconnected input.
    pub const HIGHEST: u64 = 30_000;

    /// A speed in the range that a tachometer can mean, else `None`.
    pub fn plausible(value: u64) -> Option<Self> {
        (value <= Self::HIGHEST).then(|| u32::try_from(value).map(Self).ok()).flatten()
    }
}

impl fmt::Display for Bytes {
    /// Decimal units, as drive makers and QTS print them: `4.00 TB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 4] =
            [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
        for (name, size) in UNITS {
            if self.0 >= size {
                let hundredths = u128::from(self.0) * 100 / u128::from(size);
                return write!(f, "{}.{:02} {name}", hundredths / 100, hundredths % 100);
            }
        }
        write!(f, "{} B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_like_a_drive_label() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (4_000_787_030_016, "4.00 TB"),
            (u64::MAX, "18446744.07 TB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn sentinels_are_not_readings() {
        assert_eq!(Celsius::plausible(3_892_314), None);
        assert_eq!(Celsius::plausible(-128), None);
        assert_eq!(Celsius::plausible(34), Some(Celsius(34)));
        assert_eq!(Celsius::of_drive(0), None);
        assert_eq!(Celsius::of_drive(128), None);
        assert_eq!(Rpm::plausible(65_535), None);
        assert_eq!(Rpm::plausible(0), Some(Rpm(0)));
    }
}
