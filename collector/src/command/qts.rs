//! Read-only commands of QTS and QuTS hero. Their writing relatives (`--se_sys_set_*`, `setcfg`, `hal_event`) have no
//! value here and cannot be spelled.
//!
//! `getcfg` prints one key of an INI file. Its file holds secrets beside the keys that are asked, which is why the keys
//! are a closed list too ([`SystemKey`]) and the file itself is never read.

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QtsCommand {
    /// `get_hwsn`: the serial number of the unit.
    Hwsn,
    /// `hal_app --get_boot_pd port_id=0`: the node of the disk that the system starts from.
    BootDevice,
    /// `qcli_storage -d`: one line a disk, with its enclosure, port and device node.
    QcliDisks,
    /// `getcfg System …`: one key of the system's own section.
    Config {
        /// Which of the two files.
        file: ConfigFile,
        /// Which key.
        key: SystemKey,
    },
    /// `hal_app --vpd_get_field`: one field of the vital product data.
    Vpd(VpdField),
    /// `hal_app --get_ec_version`: firmware of the embedded controller.
    EcVersion,
    /// `hal_app --get_mcu_version mode=0`: firmware of the front microcontroller.
    McuVersion,
    /// `hal_app --get_pagesize`: size of a memory page.
    PageSize,
    /// `hal_app --se_enum`: every enclosure, cards and expansion units included.
    Enclosures,
    /// `getsysinfo cputmp`: the processor's temperature as QTS calibrates it.
    CpuTemperature,
    /// `getsysinfo systmp`: the temperature inside the case.
    SystemTemperature,
    /// `getsysinfo sysfannum`: how many fans QTS reads.
    FanCount,
    /// `getsysinfo sysfan N`: the speed of one fan.
    FanSpeed(FanNumber),
    /// `hal_app --se_sys_get_fan`: speed and QNAP's own verdict on one fan.
    FanState(FanNumber),
    /// `hal_app --se_sys_get_fan_pwm`: how hard one fan is driven.
    FanDrive(FanNumber),
}

/// Which `uLinux.conf` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigFile {
    /// The one in use.
    Current,
    /// The copy that came with the running firmware.
    Factory,
}

/// A key of section `System` that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemKey {
    /// `Model`: the internal model.
    Model,
    /// `Version`: `5.2.4`, `h5.2.4`.
    Version,
    /// `Number`: `3079`.
    Number,
    /// `Build Number`: `20250321`.
    BuildNumber,
}

impl SystemKey {
    /// The key and its word in the command's slug.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Model => ("Model", "model"),
            Self::Version => ("Version", "version"),
            Self::Number => ("Number", "number"),
            Self::BuildNumber => ("Build Number", "build_number"),
        }
    }
}

/// A field of the vital product data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VpdField {
    /// Table 0, field 4: part number of the mainboard.
    Board,
    /// Table 1, field 7: part number of the backplane.
    Backplane,
    /// Table 0, field 0: when it was made.
    Manufactured,
}

impl VpdField {
    /// The argument and its word in the command's slug.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Board => ("obj_index=0:4", "board"),
            Self::Backplane => ("obj_index=1:7", "backplane"),
            Self::Manufactured => ("enc_sys_id=root,obj_index=0:0", "manufactured"),
        }
    }
}

/// One of the fans that QTS counts from 1: 1 to [`FanNumber::MOST`]. `getsysinfo` takes this number, `hal_app` one
/// less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FanNumber(u8);

impl FanNumber {
    /// No known model has more than six; more than this is not asked for, whatever a configuration says.
    pub const MOST: u8 = 16;

    /// The fan of this number; `None` outside of 1 to [`Self::MOST`].
    pub fn new(number: u8) -> Option<Self> {
        (1..=Self::MOST).contains(&number).then_some(Self(number))
    }

    /// The number from 1.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The number from 0.
    pub fn index(self) -> u8 {
        self.0.saturating_sub(1)
    }
}

impl QtsCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Hwsn => "get_hwsn",
            Self::BootDevice => "hal_app",
            Self::Config { .. } => "getcfg",
            Self::Vpd(_) | Self::EcVersion | Self::McuVersion | Self::PageSize | Self::Enclosures => {
                "hal_app"
            }
            Self::QcliDisks => "qcli_storage",
            Self::CpuTemperature | Self::SystemTemperature | Self::FanCount | Self::FanSpeed(_) => {
                "getsysinfo"
            }
            Self::FanState(_) | Self::FanDrive(_) => "hal_app",
        }
    }

    /// Whether it reads fans or temperatures: who the machine is can be told without.
    pub fn reads_cooling(&self) -> bool {
        matches!(
            self,
            Self::CpuTemperature
                | Self::SystemTemperature
                | Self::FanCount
                | Self::FanSpeed(_)
                | Self::FanState(_)
                | Self::FanDrive(_)
        )
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Hwsn => &[],
            Self::BootDevice => &["--get_boot_pd", "port_id=0"],
            Self::Config { file: ConfigFile::Current, key } => &["System", key.words().0],
            Self::Config { file: ConfigFile::Factory, key } => {
                &["System", key.words().0, "-f", "/etc/default_config/uLinux.conf"]
            }
            Self::Vpd(field) => &["--vpd_get_field", field.words().0],
            Self::EcVersion => &["--get_ec_version"],
            Self::McuVersion => &["--get_mcu_version", "mode=0"],
            Self::PageSize => &["--get_pagesize"],
            Self::Enclosures => &["--se_enum"],
            Self::QcliDisks => &["-d"],
            Self::CpuTemperature => &["cputmp"],
            Self::SystemTemperature => &["systmp"],
            Self::FanCount => &["sysfannum"],
            Self::FanSpeed(fan) => return vec!["sysfan".to_owned(), fan.number().to_string()],
            Self::FanState(fan) => {
                return vec![
                    "--se_sys_get_fan".to_owned(),
                    format!("enc_sys_id=root,obj_index={}", fan.index()),
                ];
            }
            Self::FanDrive(fan) => {
                return vec![
                    "--se_sys_get_fan_pwm".to_owned(),
                    format!("enc_sys_id=root,obj_index={}", fan.index()),
                ];
            }
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::Hwsn => "get_hwsn".to_owned(),
            Self::BootDevice => "hal_app.get_boot_pd".to_owned(),
            Self::Config { file: ConfigFile::Current, key } => format!("getcfg.system.{}", key.words().1),
            Self::Config { file: ConfigFile::Factory, key } => format!("getcfg.factory.{}", key.words().1),
            Self::Vpd(field) => format!("hal_app.vpd.{}", field.words().1),
            Self::EcVersion => "hal_app.get_ec_version".to_owned(),
            Self::McuVersion => "hal_app.get_mcu_version".to_owned(),
            Self::PageSize => "hal_app.get_pagesize".to_owned(),
            Self::Enclosures => "hal_app.se_enum".to_owned(),
            Self::QcliDisks => "qcli_storage.d".to_owned(),
            Self::CpuTemperature => "getsysinfo.cputmp".to_owned(),
            Self::SystemTemperature => "getsysinfo.systmp".to_owned(),
            Self::FanCount => "getsysinfo.sysfannum".to_owned(),
            Self::FanSpeed(fan) => format!("getsysinfo.sysfan.{}", fan.number()),
            Self::FanState(fan) => format!("hal_app.fan.{}", fan.index()),
            Self::FanDrive(fan) => format!("hal_app.fan_pwm.{}", fan.index()),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(QtsCommand, &'static str)> {
    let current = |key| QtsCommand::Config { file: ConfigFile::Current, key };
    let factory = |key| QtsCommand::Config { file: ConfigFile::Factory, key };
    let mut all = vec![
        (QtsCommand::Hwsn, "get_hwsn"),
        (QtsCommand::BootDevice, "hal_app --get_boot_pd port_id=0"),
        (current(SystemKey::Model), "getcfg System Model"),
        (current(SystemKey::Version), "getcfg System Version"),
        (current(SystemKey::Number), "getcfg System Number"),
        (current(SystemKey::BuildNumber), "getcfg System Build Number"),
        (factory(SystemKey::Model), "getcfg System Model -f /etc/default_config/uLinux.conf"),
        (factory(SystemKey::Version), "getcfg System Version -f /etc/default_config/uLinux.conf"),
        (factory(SystemKey::Number), "getcfg System Number -f /etc/default_config/uLinux.conf"),
        (factory(SystemKey::BuildNumber), "getcfg System Build Number -f /etc/default_config/uLinux.conf"),
        (QtsCommand::Vpd(VpdField::Board), "hal_app --vpd_get_field obj_index=0:4"),
        (QtsCommand::Vpd(VpdField::Backplane), "hal_app --vpd_get_field obj_index=1:7"),
        (QtsCommand::Vpd(VpdField::Manufactured), "hal_app --vpd_get_field enc_sys_id=root,obj_index=0:0"),
        (QtsCommand::EcVersion, "hal_app --get_ec_version"),
        (QtsCommand::McuVersion, "hal_app --get_mcu_version mode=0"),
        (QtsCommand::PageSize, "hal_app --get_pagesize"),
        (QtsCommand::Enclosures, "hal_app --se_enum"),
        (QtsCommand::QcliDisks, "qcli_storage -d"),
        (QtsCommand::CpuTemperature, "getsysinfo cputmp"),
        (QtsCommand::SystemTemperature, "getsysinfo systmp"),
        (QtsCommand::FanCount, "getsysinfo sysfannum"),
    ];
    for (number, speed, state, drive) in [
        (
            1,
            "getsysinfo sysfan 1",
            "hal_app --se_sys_get_fan enc_sys_id=root,obj_index=0",
            "hal_app --se_sys_get_fan_pwm enc_sys_id=root,obj_index=0",
        ),
        (
            FanNumber::MOST,
            "getsysinfo sysfan 16",
            "hal_app --se_sys_get_fan enc_sys_id=root,obj_index=15",
            "hal_app --se_sys_get_fan_pwm enc_sys_id=root,obj_index=15",
        ),
    ] {
        if let Some(fan) = FanNumber::new(number) {
            all.push((QtsCommand::FanSpeed(fan), speed));
            all.push((QtsCommand::FanState(fan), state));
            all.push((QtsCommand::FanDrive(fan), drive));
        }
    }
    all
}
