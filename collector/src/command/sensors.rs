//! Sensors that the kernel does not show: a board management controller.

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SensorsCommand {
    /// `ipmitool sdr elist full`: every analogue sensor of the board management controller.
    IpmiSdr,
    /// `ipmitool sel elist`: the event log of the board management controller.
    IpmiSel,
}

impl SensorsCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::IpmiSdr | Self::IpmiSel => "ipmitool",
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::IpmiSdr => &["sdr", "elist", "full"],
            Self::IpmiSel => &["sel", "elist"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::IpmiSdr => "ipmitool.sdr".to_owned(),
            Self::IpmiSel => "ipmitool.sel".to_owned(),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(SensorsCommand, &'static str)> {
    vec![
        (SensorsCommand::IpmiSdr, "ipmitool sdr elist full"),
        (SensorsCommand::IpmiSel, "ipmitool sel elist"),
    ]
}
