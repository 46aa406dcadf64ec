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
    fn device_type(self) -> Option<&'static str> {
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
mod tests {
    use super::*;

    fn every_command() -> Vec<Command> {
        let nodes = ["sda", "sdzz", "nvme0", "nvme12n1", "sg3"]
            .map(|name| DeviceNode::parse(name).expect("a known shape"));
        let mut all = vec![Command::SmartctlVersion];
        for device in nodes {
            all.extend(SmartctlKind::ALL.map(|kind| Command::Smartctl { device: device.clone(), kind }));
            all.extend(SmartctlKind::ALL.map(|kind| Command::SmartctlText { device: device.clone(), kind }));
        }
        all.extend(qts::samples().into_iter().map(|(command, _)| Command::Qts(command)));
        all.extend(sensors::samples().into_iter().map(|(command, _)| Command::Sensors(command)));
        all.extend(storage::samples().into_iter().map(|(command, _)| Command::Storage(command)));
        all
    }

    /// The options that each command may use, and that only read. A new variant does not compile without its arm.
    fn allowed(command: &Command) -> Option<(&'static [&'static str], usize)> {
        match command {
            Command::SmartctlVersion => Some((&["--version"], 0)),
            Command::Smartctl { .. } => Some((
                &["--json=c", "-n", "standby,3", "-x", "-d", "sat", "sat,12", "ata", "scsi", "nvme"],
                1,
            )),
            Command::SmartctlText { .. } => {
                Some((&["-n", "standby", "-x", "-d", "sat", "sat,12", "ata", "scsi", "nvme"], 1))
            }
            // Their families write every line down.
            Command::Qts(_) | Command::Sensors(_) | Command::Storage(_) => None,
        }
    }

    /// Words of vendor commands that write (qnap-platform.md 1.2 and 1.5): none is ever part of a line.
    const WRITING: [&str; 25] = [
        "_set_",
        "set_ec",
        "--set",
        "quick_poweroff",
        "pd_inc",
        "iotest",
        "locate",
        "hal_event",
        "setcfg",
        "rmcfg",
        "md_checker",
        "storage_util",
        "config_util",
        "force",
        "-T",
        "--add",
        "--remove",
        "--fail",
        "--create",
        "--stop",
        "scrub",
        "clear",
        "import",
        "export",
        "jmb39x",
    ];

    #[test]
    fn every_family_writes_its_lines_down() {
        let lines = |tool: &str, line: String| {
            assert!(line.starts_with(&format!("{tool} ")) || line == tool, "{line}")
        };
        for (command, line) in qts::samples() {
            assert_eq!(Command::Qts(command.clone()).line(), line);
            lines(command.tool(), line.to_owned());
        }
        for (command, line) in sensors::samples() {
            assert_eq!(Command::Sensors(command.clone()).line(), line);
            lines(command.tool(), line.to_owned());
        }
        for (command, line) in storage::samples() {
            assert_eq!(Command::Storage(command.clone()).line(), line);
            lines(command.tool(), line.to_owned());
        }
        for command in every_command() {
            let line = command.line();
            assert!(!WRITING.iter().any(|word| line.contains(word)), "{line}");
        }
    }

    #[test]
    fn no_command_can_write() {
        for command in every_command() {
            if let Some((options, devices)) = allowed(&command) {
                let argv = command.argv();
                let (plain, node) = argv.split_at(argv.len() - devices);
                assert!(plain.iter().all(|word| options.contains(&word.as_str())), "{}", command.line());
                assert!(
                    node.iter().all(|word| Some(word.as_str()) == command.device()),
                    "{}",
                    command.line()
                );
            }
            assert!(
                !command.line().contains("jmb39x") && !command.line().contains(" -t"),
                "{}",
                command.line()
            );
            assert!(
                !command.slug().contains(['/', ' ']) && !command.slug().starts_with('.'),
                "{}",
                command.slug()
            );
        }
    }

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<_> = every_command().iter().map(Command::slug).collect();
        let all = slugs.len();
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), all);
    }

    #[test]
    fn a_command_line_reads_as_typed() {
        fn check(kind: SmartctlKind, line: &str) {
            let device = DeviceNode::parse("/dev/sda").expect("a known shape");
            assert_eq!(Command::Smartctl { device, kind }.line(), line);
        }
        check(SmartctlKind::Sat, "smartctl --json=c -n standby,3 -x -d sat /dev/sda");
        check(SmartctlKind::Auto, "smartctl --json=c -n standby,3 -x /dev/sda");
        assert_eq!(Command::SmartctlVersion.line(), "smartctl --version");
        let device = DeviceNode::parse("sda").expect("a known shape");
        let text = Command::SmartctlText { device, kind: SmartctlKind::Sat };
        assert_eq!(text.line(), "smartctl -n standby -x -d sat /dev/sda");
    }

    #[test]
    fn a_node_has_a_known_shape() {
        fn check(name: &str, passes: bool) {
            assert_eq!(DeviceNode::parse(name).is_some(), passes, "{name:?}");
        }
        for good in ["sda", "sdaa", "/dev/sdb", "nvme0", "nvme10", "nvme0n1", "sg12"] {
            check(good, true);
        }
        for bad in [
            "",
            "sd",
            "sd1",
            "sda1",
            "SDA",
            "sdaaaa",
            "nvme",
            "nvmen1",
            "nvme0n",
            "nvme0n1p1",
            "sg",
            "sg1a",
            "md0",
            "-x",
            "sda -s",
            "sda\n",
            "../sda",
            "/dev/../sda",
            "/dev//dev/sda",
            "/dev/dev/sda",
            "//dev/sda",
            "sda/../sdb",
            "bus/0",
            "sd\u{e4}",
            "nvme٣",
            "/etc/passwd",
            "/dev/",
            "-d",
            "jmb39x-q,0",
        ] {
            check(bad, false);
        }
    }
}
