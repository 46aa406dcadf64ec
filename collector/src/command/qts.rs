//! Read-only commands of QTS and QuTS hero. Their writing relatives (`--se_sys_set_*`, `setcfg`, `hal_event`) have no
//! value here and cannot be spelled.

/// One command of this family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QtsCommand {
    /// `get_hwsn`: the serial number of the unit.
    Hwsn,
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
            Self::CpuTemperature | Self::SystemTemperature | Self::FanCount | Self::FanSpeed(_) => {
                "getsysinfo"
            }
            Self::FanState(_) | Self::FanDrive(_) => "hal_app",
        }
    }

    /// Whether it reads fans or temperatures: who the machine is can be told without.
    pub fn reads_cooling(&self) -> bool {
        match self {
            Self::Hwsn => false,
            Self::CpuTemperature
            | Self::SystemTemperature
            | Self::FanCount
            | Self::FanSpeed(_)
            | Self::FanState(_)
            | Self::FanDrive(_) => true,
        }
    }

    /// The arguments after the program's name.
    pub fn argv(&self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Hwsn => &[],
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
    let mut all = vec![
        (QtsCommand::Hwsn, "get_hwsn"),
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
