//! Read-only commands of QTS and QuTS hero. Their writing relatives (`--se_sys_set_*`, `setcfg`, `hal_event`) have no
//! value here and cannot be spelled.

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QtsCommand {
    /// `get_hwsn`: the serial number of the unit.
    Hwsn,
    /// `hal_app --get_boot_pd port_id=0`: the node of the disk that the system starts from.
    BootDevice,
}

impl QtsCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Hwsn => "get_hwsn",
            Self::BootDevice => "hal_app",
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Hwsn => &[],
            Self::BootDevice => &["--get_boot_pd", "port_id=0"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::Hwsn => "get_hwsn".to_owned(),
            Self::BootDevice => "hal_app.get_boot_pd".to_owned(),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(QtsCommand, &'static str)> {
    vec![(QtsCommand::Hwsn, "get_hwsn"), (QtsCommand::BootDevice, "hal_app --get_boot_pd port_id=0")]
}
