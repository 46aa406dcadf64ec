//! The commands that may run on the machine: a closed list that only reads.
//!
//! There is no way to hand in a string: a command is an enum value, its device is a [`DeviceNode`] that accepts block
//! and character node *names* of known shapes and nothing else, and its options are constants below. In particular
//! nothing here can start a self-test, change a setting, or use smartctl's device types for JMicron RAID enclosures,
//! which write to a sector of the volume to talk to the disks behind it.
//!
//! Commands come in families, one file each ([`qts`], [`sensors`], [`storage`]). A new command is one variant of its
//! family with an arm in each method, and its row in the family's test, which writes the whole line down.

pub mod qts;
pub mod sensors;
pub mod storage;

use std::fmt;

pub use self::qts::QtsCommand;
pub use self::sensors::SensorsCommand;
pub use self::storage::{StorageCommand, VolumeWord};

/// Where tools are looked for, in this order, after the directories that the owner configured: Entware first, because
/// QTS ships none of these tools itself.
pub const TOOL_DIRS: [&str; 6] = ["/opt/sbin", "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// One command that only reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `smartctl --version`: text in every release, so that a release too old for JSON is recognised.
    SmartctlVersion,
    /// Everything that smartctl can tell about one disk, as JSON, unless the disk sleeps (then exit status 3).
    Smartctl {
        /// The disk.
        device: DeviceNode,
        /// How to talk to it.
        kind: SmartctlKind,
    },
    /// The same as text, for smartctl before 7.0: it has no JSON, and takes no exit status for a sleeping disk.
    SmartctlText {
        /// The disk.
        device: DeviceNode,
        /// How to talk to it.
        kind: SmartctlKind,
    },
    /// A read-only command of QTS and QuTS hero.
    Qts(QtsCommand),
    /// A command that reads sensors by other means than the kernel's.
    Sensors(SensorsCommand),
    /// A command that tells the state of volumes and pools.
    Storage(StorageCommand),
}

/// How smartctl talks to a disk. On QNAP the automatic choice takes SATA disks for SCSI, hence the explicit ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SmartctlKind {
    /// smartctl's own choice.
    Auto,
    /// ATA commands through SCSI, 16-byte form.
    Sat,
    /// ATA commands through SCSI, 12-byte form: some bridges know only this one.
    Sat12,
    /// ATA commands.
    Ata,
    /// SCSI commands (SAS).
    Scsi,
    /// NVMe admin commands.
    Nvme,
}

impl SmartctlKind {
    /// All kinds, in the order of this list.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Sat, Self::Sat12, Self::Ata, Self::Scsi, Self::Nvme];

    /// The value of `-d`; `None` leaves the option out.
    pub(crate) fn device_type(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Sat => Some("sat"),
            Self::Sat12 => Some("sat,12"),
            Self::Ata => Some("ata"),
            Self::Scsi => Some("scsi"),
            Self::Nvme => Some("nvme"),
        }
    }

    /// Its word in the command's slug.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sat => "sat",
            Self::Sat12 => "sat12",
            Self::Ata => "ata",
            Self::Scsi => "scsi",
            Self::Nvme => "nvme",
        }
    }
}

impl Command {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::SmartctlVersion | Self::Smartctl { .. } | Self::SmartctlText { .. } => "smartctl",
            Self::Qts(command) => command.tool(),
            Self::Sensors(command) => command.tool(),
            Self::Storage(command) => command.tool(),
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let argv = match self {
            Self::SmartctlVersion => vec!["--version"],
            Self::Smartctl { device, kind } | Self::SmartctlText { device, kind } => {
                let mut argv = match self {
                    Self::Smartctl { .. } => vec!["--json=c", "-n", "standby,3", "-x"],
                    _ => vec!["-n", "standby", "-x"],
                };
                if let Some(device_type) = kind.device_type() {
                    argv.extend(["-d", device_type]);
                }
                argv.push(device.path());
                argv
            }
            Self::Qts(command) => return command.argv(),
            Self::Sensors(command) => return command.argv(),
            Self::Storage(command) => return command.argv(),
        };
        argv.into_iter().map(str::to_owned).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::SmartctlVersion => "smartctl.version".to_owned(),
            Self::Smartctl { device, kind } => format!("smartctl.{}.{}", kind.slug(), device.name()),
            Self::SmartctlText { device, kind } => {
                format!("smartctl.text.{}.{}", kind.slug(), device.name())
            }
            Self::Qts(command) => command.slug(),
            Self::Sensors(command) => command.slug(),
            Self::Storage(command) => command.slug(),
        }
    }

    /// The device node it touches: while a reader of that node is stuck, the command is not started.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::SmartctlVersion => None,
            Self::Smartctl { device, .. } | Self::SmartctlText { device, .. } => Some(device.path()),
            // They ask a daemon, a controller or the kernel; the tool's own name stands for them.
            Self::Qts(_) | Self::Sensors(_) | Self::Storage(_) => None,
        }
    }

    /// The command line in words, without the directory.
    pub fn line(&self) -> String {
        let words: Vec<String> = std::iter::once(self.tool().to_owned()).chain(self.argv()).collect();
        words.join(" ")
    }
}

/// A disk's node directly below `/dev`: `sda` … `sdzzz`, `nvme0`, `nvme0n1`, `sg0`. Nothing else can be built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNode {
    path: String,
}

impl DeviceNode {
    /// A node by its name (`sda`) or path (`/dev/sda`); `None` for every other shape.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        Self::is_known_shape(name).then(|| Self { path: format!("/dev/{name}") })
    }

    /// The name: `sda`.
    pub fn name(&self) -> &str {
        self.path.strip_prefix("/dev/").unwrap_or(&self.path)
    }

    /// The path: `/dev/sda`.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn is_known_shape(name: &str) -> bool {
        let letters =
            |text: &str| matches!(text.len(), 1..=3) && text.bytes().all(|b| b.is_ascii_lowercase());
        let number = |text: &str| matches!(text.len(), 1..=4) && text.bytes().all(|b| b.is_ascii_digit());
        if let Some(rest) = name.strip_prefix("nvme") {
            return match rest.split_once('n') {
                Some((controller, namespace)) => number(controller) && number(namespace),
                None => number(rest),
            };
        }
        name.strip_prefix("sd").is_some_and(letters) || name.strip_prefix("sg").is_some_and(number)
    }
}

impl fmt::Display for DeviceNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests;
