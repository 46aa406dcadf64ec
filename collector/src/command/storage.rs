//! State of pools and volumes. Only commands that neither repair, import nor print keys (`dmsetup table` does).

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageCommand {
    /// `zpool status`: pools, their vdevs and errors. Without `-v`: it would list the names of damaged files.
    ZpoolStatus,
    /// `dmsetup status --noflush`: state of mapped devices. Without the option the kernel commits the metadata of thin
    /// pools first.
    DmsetupStatus,
}

impl StorageCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::ZpoolStatus => "zpool",
            Self::DmsetupStatus => "dmsetup",
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::ZpoolStatus => &["status"],
            Self::DmsetupStatus => &["status", "--noflush"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::ZpoolStatus => "zpool-status".to_owned(),
            Self::DmsetupStatus => "dmsetup.status".to_owned(),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(StorageCommand, &'static str)> {
    vec![
        (StorageCommand::ZpoolStatus, "zpool status"),
        (StorageCommand::DmsetupStatus, "dmsetup status --noflush"),
    ]
}
