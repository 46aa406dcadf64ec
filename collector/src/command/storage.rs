//! State of pools and volumes. Only commands that neither repair, import nor print keys (`dmsetup table` does), and none
//! that reads the disks to find out (`lvs`, `pvs`).

/// What QTS can be asked about one volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VolumeWord {
    /// `vol_desc`.
    Description,
    /// `vol_status`.
    Status,
    /// `vol_fs`.
    FileSystem,
    /// `vol_totalsize`.
    Size,
    /// `vol_freesize`.
    Free,
}

impl VolumeWord {
    fn word(self) -> &'static str {
        match self {
            Self::Description => "vol_desc",
            Self::Status => "vol_status",
            Self::FileSystem => "vol_fs",
            Self::Size => "vol_totalsize",
            Self::Free => "vol_freesize",
        }
    }
}

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageCommand {
    /// `zpool status`: pools, their vdevs and errors. Without `-v`: it would list the names of damaged files.
    ZpoolStatus,
    /// `dmsetup status --noflush`: state of mapped devices. Without the option the kernel commits the metadata of thin
    /// pools first.
    DmsetupStatus,
    /// `mdadm --detail --scan`: the arrays that run, as the lines of a configuration. Asks the kernel; no disk is read.
    MdadmScan,
    /// `getsysinfo sysvolnum`: how many volumes QTS has.
    VolumeCount,
    /// `getsysinfo vol_… N`: one thing about one volume.
    Volume {
        /// What is asked.
        word: VolumeWord,
        /// The volume's number, from 0.
        number: u8,
    },
}

impl StorageCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::ZpoolStatus => "zpool",
            Self::DmsetupStatus => "dmsetup",
            Self::MdadmScan => "mdadm",
            Self::VolumeCount | Self::Volume { .. } => "getsysinfo",
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::ZpoolStatus => &["status"],
            Self::DmsetupStatus => &["status", "--noflush"],
            Self::MdadmScan => &["--detail", "--scan"],
            Self::VolumeCount => &["sysvolnum"],
            Self::Volume { word, number } => return vec![word.word().to_owned(), number.to_string()],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::ZpoolStatus => "zpool-status".to_owned(),
            Self::DmsetupStatus => "dmsetup.status".to_owned(),
            Self::MdadmScan => "mdadm-scan".to_owned(),
            Self::VolumeCount => "getsysinfo.sysvolnum".to_owned(),
            Self::Volume { word, number } => format!("getsysinfo.{}.{number}", word.word()),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(StorageCommand, &'static str)> {
    let volume = |word| StorageCommand::Volume { word, number: 0 };
    vec![
        (StorageCommand::ZpoolStatus, "zpool status"),
        (StorageCommand::DmsetupStatus, "dmsetup status --noflush"),
        (StorageCommand::MdadmScan, "mdadm --detail --scan"),
        (StorageCommand::VolumeCount, "getsysinfo sysvolnum"),
        (volume(VolumeWord::Description), "getsysinfo vol_desc 0"),
        (volume(VolumeWord::Status), "getsysinfo vol_status 0"),
        (volume(VolumeWord::FileSystem), "getsysinfo vol_fs 0"),
        (volume(VolumeWord::Size), "getsysinfo vol_totalsize 0"),
        (volume(VolumeWord::Free), "getsysinfo vol_freesize 0"),
    ]
}
