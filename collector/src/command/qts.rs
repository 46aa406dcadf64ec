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

impl QtsCommand {
    /// The program's file name.
    pub fn tool(&self) -> &'static str {
        match self {
            Self::Hwsn => "get_hwsn",
            Self::Config { .. } => "getcfg",
            Self::Vpd(_) | Self::EcVersion | Self::McuVersion | Self::PageSize | Self::Enclosures => {
                "hal_app"
            }
            Self::QcliDisks => "qcli_storage",
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Hwsn => &[],
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
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Its name below `raw/cmd/`: one safe path component, one per command.
    pub fn slug(&self) -> String {
        match self {
            Self::Hwsn => "get_hwsn".to_owned(),
            Self::Config { file: ConfigFile::Current, key } => format!("getcfg.system.{}", key.words().1),
            Self::Config { file: ConfigFile::Factory, key } => format!("getcfg.factory.{}", key.words().1),
            Self::Vpd(field) => format!("hal_app.vpd.{}", field.words().1),
            Self::EcVersion => "hal_app.get_ec_version".to_owned(),
            Self::McuVersion => "hal_app.get_mcu_version".to_owned(),
            Self::PageSize => "hal_app.get_pagesize".to_owned(),
            Self::Enclosures => "hal_app.se_enum".to_owned(),
            Self::QcliDisks => "qcli_storage.d".to_owned(),
        }
    }
}

/// Every command (one of each shape where it takes a number) with its whole line.
#[cfg(test)]
pub(super) fn samples() -> Vec<(QtsCommand, &'static str)> {
    let current = |key| QtsCommand::Config { file: ConfigFile::Current, key };
    let factory = |key| QtsCommand::Config { file: ConfigFile::Factory, key };
    vec![
        (QtsCommand::Hwsn, "get_hwsn"),
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
    ]
}
