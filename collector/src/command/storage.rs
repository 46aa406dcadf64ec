//! State of pools and volumes. Only commands that neither repair, import nor print keys (`dmsetup table` does).

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageCommand {
    /// `zpool status`: pools, their vdevs and errors. Without `-v`: it would list the names of damaged files.
    ZpoolStatus,
}

impl StorageCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::ZpoolStatus => "zpool",
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::ZpoolStatus => &["status"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::ZpoolStatus => "zpool-status".to_owned(),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(StorageCommand, &'static str)> {
    vec![(StorageCommand::ZpoolStatus, "zpool status")]
}
