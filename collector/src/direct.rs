//! What a disk can be asked without any tool: read-only ATA, SCSI and NVMe commands, and what their answers mean.
//!
//! QTS ships no smartctl, and a NAS without the SMART files of QTS has nothing else. [`DeviceQuery`] is the closed list
//! of questions. There is no way to hand in a command block: each question has its one [`Frame`], whose direction can
//! be nothing but "no data" or "from the device", and a test below writes every byte down. In particular nothing here
//! can start a self-test, switch SMART on or off, change a setting, or write a log.
//!
//! Everything in this module is pure, because the portal reads the recorded answers ([`DeviceAnswer`]) again. Only
//! `live::ioctl` submits frames. Read next: [`answer`], then one of the decoders.

pub mod answer;
pub mod identify;
mod names;
pub mod nvme;
pub mod scsi;
pub mod sense;
pub mod smart;
pub mod statistics;

pub use self::answer::{DeviceAnswer, Ending};

/// SMART commands carry this pattern in the middle and high LBA byte (ACS-4, 7.48).
const SMART_PATTERN: (u8, u8) = (0x4f, 0xc2);

/// Bytes of one sector of every ATA log and structure asked for here.
pub const SECTOR_BYTES: u32 = 512;

/// One page of the ATA Device Statistics log (ACS-4, 9.5). Page 2 (free fall) is not for a NAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatisticsPage {
    /// 00h: which pages there are.
    List,
    /// 01h: power-on resets, power-on hours, sectors written and read.
    General,
    /// 03h: reallocated sectors, of rotating media.
    RotatingMedia,
    /// 04h: reported uncorrectable errors.
    Errors,
    /// 05h: temperatures and their limits.
    Temperature,
    /// 06h: interface CRC errors.
    Transport,
    /// 07h: endurance used, of solid state devices.
    SolidState,
}

impl StatisticsPage {
    /// All pages.
    pub const ALL: [Self; 7] = [
        Self::List,
        Self::General,
        Self::RotatingMedia,
        Self::Errors,
        Self::Temperature,
        Self::Transport,
        Self::SolidState,
    ];

    /// The page's number.
    pub fn number(self) -> u8 {
        match self {
            Self::List => 0,
            Self::General => 1,
            Self::RotatingMedia => 3,
            Self::Errors => 4,
            Self::Temperature => 5,
            Self::Transport => 6,
            Self::SolidState => 7,
        }
    }
}

/// One log page of a SCSI drive (SPC-5, SBC-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogPage {
    /// 00h: which pages there are.
    Supported,
    /// 02h: errors while writing.
    WriteErrors,
    /// 03h: errors while reading.
    ReadErrors,
    /// 05h: errors while verifying.
    VerifyErrors,
    /// 0Dh: temperature.
    Temperature,
    /// 10h: results of self-tests.
    SelfTests,
    /// 15h: background scan, which holds the minutes under power.
    BackgroundScan,
    /// 2Fh: informational exceptions, which hold the drive's own verdict.
    InformationalExceptions,
}

impl LogPage {
    /// All pages.
    pub const ALL: [Self; 8] = [
        Self::Supported,
        Self::WriteErrors,
        Self::ReadErrors,
        Self::VerifyErrors,
        Self::Temperature,
        Self::SelfTests,
        Self::BackgroundScan,
        Self::InformationalExceptions,
    ];

    /// The page's code.
    pub fn code(self) -> u8 {
        match self {
            Self::Supported => 0x00,
            Self::WriteErrors => 0x02,
            Self::ReadErrors => 0x03,
            Self::VerifyErrors => 0x05,
            Self::Temperature => 0x0d,
            Self::SelfTests => 0x10,
            Self::BackgroundScan => 0x15,
            Self::InformationalExceptions => 0x2f,
        }
    }
}

/// One read-only question to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceQuery {
    /// ATA CHECK POWER MODE: the question that wakes nobody. It comes first.
    AtaCheckPowerMode,
    /// ATA IDENTIFY DEVICE.
    AtaIdentify,
    /// ATA SMART READ DATA.
    AtaSmartData,
    /// ATA SMART READ ATTRIBUTE THRESHOLDS.
    AtaSmartThresholds,
    /// ATA SMART RETURN STATUS.
    AtaSmartStatus,
    /// ATA SMART READ LOG 01h: the summary error log.
    AtaSmartErrorLogSummary,
    /// ATA SMART READ LOG 06h: the self-test log.
    AtaSmartSelfTestLog,
    /// ATA READ LOG EXT 00h: which general purpose logs there are. A log that is not there must not be asked for: the
    /// refusal would stand in the drive's own error log.
    AtaLogDirectory,
    /// ATA READ LOG EXT 04h.
    AtaDeviceStatistics(StatisticsPage),
    /// SCSI REQUEST SENSE: tells the power condition of a SAS drive and wakes nobody.
    ScsiRequestSense,
    /// SCSI INQUIRY: vendor, product and revision.
    ScsiInquiry,
    /// SCSI INQUIRY, vital product data page 80h: the serial number.
    ScsiInquirySerial,
    /// SCSI LOG SENSE, cumulative values.
    ScsiLogSense(LogPage),
    /// SCSI READ DEFECT DATA: only the head of the grown defect list, which holds its length.
    ScsiGrownDefects,
    /// NVMe Identify, controller.
    NvmeIdentifyController,
    /// NVMe Get Log Page 02h: SMART / health information.
    NvmeSmartLog,
    /// NVMe Get Log Page 06h: device self-test.
    NvmeSelfTestLog,
    /// NVMe Get Log Page 01h: the newest 16 errors. Evidence for people; no fact is made of it.
    NvmeErrorLog,
}

/// Which way data goes. There is no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// No data.
    Nothing,
    /// From the device.
    FromDevice,
}

/// One command as the kernel takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A SCSI command block for `SG_IO`.
    Scsi {
        /// 6, 10, 12 or 16 bytes.
        cdb: Vec<u8>,
        /// Which way data goes.
        direction: Direction,
        /// Most bytes that the device may return.
        length: u32,
    },
    /// An NVMe admin command for `NVME_IOCTL_ADMIN_CMD`; its data goes from the device.
    Nvme {
        /// 02h Get Log Page or 06h Identify.
        opcode: u8,
        /// Namespace; all ones means the whole controller.
        nsid: u32,
        /// Command dword 10.
        cdw10: u32,
        /// Bytes that the controller returns.
        length: u32,
    },
}

impl DeviceQuery {
    /// All questions.
    pub fn all() -> Vec<Self> {
        let plain = [
            Self::AtaCheckPowerMode,
            Self::AtaIdentify,
            Self::AtaSmartData,
            Self::AtaSmartThresholds,
            Self::AtaSmartStatus,
            Self::AtaSmartErrorLogSummary,
            Self::AtaSmartSelfTestLog,
            Self::AtaLogDirectory,
            Self::ScsiRequestSense,
            Self::ScsiInquiry,
            Self::ScsiInquirySerial,
            Self::ScsiGrownDefects,
            Self::NvmeIdentifyController,
            Self::NvmeSmartLog,
            Self::NvmeSelfTestLog,
            Self::NvmeErrorLog,
        ];
        let mut all = plain.to_vec();
        all.extend(StatisticsPage::ALL.map(Self::AtaDeviceStatistics));
        all.extend(LogPage::ALL.map(Self::ScsiLogSense));
        all
    }

    /// Its name below `raw/ioctl/<device>/`, without the ending: one safe path component, one per question.
    pub fn slug(self) -> String {
        match self {
            Self::AtaCheckPowerMode => "ata-power-mode".to_owned(),
            Self::AtaIdentify => "ata-identify".to_owned(),
            Self::AtaSmartData => "ata-smart-data".to_owned(),
            Self::AtaSmartThresholds => "ata-smart-thresholds".to_owned(),
            Self::AtaSmartStatus => "ata-smart-status".to_owned(),
            Self::AtaSmartErrorLogSummary => "ata-smart-errors".to_owned(),
            Self::AtaSmartSelfTestLog => "ata-smart-self-tests".to_owned(),
            Self::AtaLogDirectory => "ata-logs".to_owned(),
            Self::AtaDeviceStatistics(page) => format!("ata-statistics-{}", page.number()),
            Self::ScsiRequestSense => "scsi-sense".to_owned(),
            Self::ScsiInquiry => "scsi-inquiry".to_owned(),
            Self::ScsiInquirySerial => "scsi-serial".to_owned(),
            Self::ScsiLogSense(page) => format!("scsi-log-{:02x}", page.code()),
            Self::ScsiGrownDefects => "scsi-grown-defects".to_owned(),
            Self::NvmeIdentifyController => "nvme-identify".to_owned(),
            Self::NvmeSmartLog => "nvme-smart".to_owned(),
            Self::NvmeSelfTestLog => "nvme-self-tests".to_owned(),
            Self::NvmeErrorLog => "nvme-errors".to_owned(),
        }
    }

    /// The question of this name.
    pub fn of_slug(slug: &str) -> Option<Self> {
        Self::all().into_iter().find(|query| query.slug() == slug)
    }

    /// The command.
    pub fn frame(self) -> Frame {
        match self {
            Self::AtaCheckPowerMode => ata_without_data(0xe5, 0, (0, 0)),
            Self::AtaSmartStatus => ata_without_data(0xb0, 0xda, SMART_PATTERN),
            Self::AtaIdentify => ata_sector(0xec, 0, 0, (0, 0)),
            Self::AtaSmartData => ata_sector(0xb0, 0xd0, 0, SMART_PATTERN),
            // ATA-3 asks for 1 here; later standards ignore it.
            Self::AtaSmartThresholds => ata_sector(0xb0, 0xd1, 1, SMART_PATTERN),
            Self::AtaSmartErrorLogSummary => ata_sector(0xb0, 0xd5, 0x01, SMART_PATTERN),
            Self::AtaSmartSelfTestLog => ata_sector(0xb0, 0xd5, 0x06, SMART_PATTERN),
            Self::AtaLogDirectory => ata_log(0x00, 0),
            Self::AtaDeviceStatistics(page) => ata_log(0x04, page.number()),
            Self::ScsiRequestSense => scsi([0x03, 0, 0, 0, 252, 0].to_vec(), 252),
            Self::ScsiInquiry => scsi([0x12, 0, 0, 0, 36, 0].to_vec(), 36),
            Self::ScsiInquirySerial => scsi([0x12, 0x01, 0x80, 0, 252, 0].to_vec(), 252),
            Self::ScsiLogSense(page) => {
                scsi([0x4d, 0, 0x40 | page.code(), 0, 0, 0, 0, 0x02, 0x00, 0].to_vec(), 512)
            }
            // Grown list only, in the format of eight bytes a defect; eight bytes hold the head.
            Self::ScsiGrownDefects => scsi([0x37, 0, 0x0c, 0, 0, 0, 0, 0, 8, 0].to_vec(), 8),
            Self::NvmeIdentifyController => Frame::Nvme { opcode: 0x06, nsid: 0, cdw10: 1, length: 4096 },
            Self::NvmeSmartLog => nvme_log(0x02, 512),
            Self::NvmeSelfTestLog => nvme_log(0x06, 564),
            Self::NvmeErrorLog => nvme_log(0x01, 16 * 64),
        }
    }
}

/// ATA PASS-THROUGH (16) (SAT-4, 12.2.2) of a command without data. The check condition bit asks for the registers
/// back, which are the whole answer.
fn ata_without_data(command: u8, features: u8, (middle, high): (u8, u8)) -> Frame {
    const NON_DATA: u8 = 3 << 1;
    const CHECK_CONDITION: u8 = 1 << 5;
    let cdb = [0x85, NON_DATA, CHECK_CONDITION, 0, features, 0, 0, 0, 0, 0, middle, 0, high, 0, command, 0];
    Frame::Scsi { cdb: cdb.to_vec(), direction: Direction::Nothing, length: 0 }
}

/// Protocol "PIO data-in" in the second byte of the pass-through.
const PIO_IN: u8 = 4 << 1;
/// One sector from the device, its count in the count field.
const ONE_SECTOR_IN: u8 = 0x0e;

/// The same of a command that returns one sector.
fn ata_sector(command: u8, features: u8, low: u8, (middle, high): (u8, u8)) -> Frame {
    let cdb = [0x85, PIO_IN, ONE_SECTOR_IN, 0, features, 0, 1, 0, low, 0, middle, 0, high, 0, command, 0];
    scsi(cdb.to_vec(), SECTOR_BYTES)
}

/// READ LOG EXT: the log's address in the low byte, the page in the middle one.
fn ata_log(log: u8, page: u8) -> Frame {
    const EXTEND: u8 = 1;
    let cdb = [0x85, PIO_IN | EXTEND, ONE_SECTOR_IN, 0, 0, 0, 1, 0, log, 0, page, 0, 0, 0, 0x2f, 0];
    scsi(cdb.to_vec(), SECTOR_BYTES)
}

fn scsi(cdb: Vec<u8>, length: u32) -> Frame {
    Frame::Scsi { cdb, direction: Direction::FromDevice, length }
}

/// Get Log Page of the whole controller: dwords less one in the upper half.
fn nvme_log(log: u8, length: u32) -> Frame {
    let cdw10 = u32::from(log) | (length / 4).saturating_sub(1) << 16;
    Frame::Nvme { opcode: 0x02, nsid: u32::MAX, cdw10, length }
}

/// Little-endian numbers in a buffer that may be shorter than the standard says.
pub(crate) fn le<const BYTES: usize>(data: &[u8], at: usize) -> Option<u128> {
    let bytes = data.get(at..at.checked_add(BYTES)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

/// Big-endian numbers, as SCSI has them.
pub(crate) fn be<const BYTES: usize>(data: &[u8], at: usize) -> Option<u64> {
    let bytes = data.get(at..at.checked_add(BYTES)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    /// Every command, byte by byte.
    const WRITTEN: &[(&str, &str)] = &[
        ("ata-power-mode", "none 0: 85 06 20 00 00 00 00 00 00 00 00 00 00 00 e5 00"),
        ("ata-identify", "in 512: 85 08 0e 00 00 00 01 00 00 00 00 00 00 00 ec 00"),
        ("ata-smart-data", "in 512: 85 08 0e 00 d0 00 01 00 00 00 4f 00 c2 00 b0 00"),
        ("ata-smart-thresholds", "in 512: 85 08 0e 00 d1 00 01 00 01 00 4f 00 c2 00 b0 00"),
        ("ata-smart-status", "none 0: 85 06 20 00 da 00 00 00 00 00 4f 00 c2 00 b0 00"),
        ("ata-smart-errors", "in 512: 85 08 0e 00 d5 00 01 00 01 00 4f 00 c2 00 b0 00"),
        ("ata-smart-self-tests", "in 512: 85 08 0e 00 d5 00 01 00 06 00 4f 00 c2 00 b0 00"),
        ("ata-logs", "in 512: 85 09 0e 00 00 00 01 00 00 00 00 00 00 00 2f 00"),
        ("scsi-sense", "in 252: 03 00 00 00 fc 00"),
        ("scsi-inquiry", "in 36: 12 00 00 00 24 00"),
        ("scsi-serial", "in 252: 12 01 80 00 fc 00"),
        ("scsi-grown-defects", "in 8: 37 00 0c 00 00 00 00 00 08 00"),
        ("nvme-identify", "nvme 4096: 06 00000000 00000001"),
        ("nvme-smart", "nvme 512: 02 ffffffff 007f0002"),
        ("nvme-self-tests", "nvme 564: 02 ffffffff 008c0006"),
        ("nvme-errors", "nvme 1024: 02 ffffffff 00ff0001"),
        ("ata-statistics-0", "in 512: 85 09 0e 00 00 00 01 00 04 00 00 00 00 00 2f 00"),
        ("ata-statistics-1", "in 512: 85 09 0e 00 00 00 01 00 04 00 01 00 00 00 2f 00"),
        ("ata-statistics-3", "in 512: 85 09 0e 00 00 00 01 00 04 00 03 00 00 00 2f 00"),
        ("ata-statistics-4", "in 512: 85 09 0e 00 00 00 01 00 04 00 04 00 00 00 2f 00"),
        ("ata-statistics-5", "in 512: 85 09 0e 00 00 00 01 00 04 00 05 00 00 00 2f 00"),
        ("ata-statistics-6", "in 512: 85 09 0e 00 00 00 01 00 04 00 06 00 00 00 2f 00"),
        ("ata-statistics-7", "in 512: 85 09 0e 00 00 00 01 00 04 00 07 00 00 00 2f 00"),
        ("scsi-log-00", "in 512: 4d 00 40 00 00 00 00 02 00 00"),
        ("scsi-log-02", "in 512: 4d 00 42 00 00 00 00 02 00 00"),
        ("scsi-log-03", "in 512: 4d 00 43 00 00 00 00 02 00 00"),
        ("scsi-log-05", "in 512: 4d 00 45 00 00 00 00 02 00 00"),
        ("scsi-log-0d", "in 512: 4d 00 4d 00 00 00 00 02 00 00"),
        ("scsi-log-10", "in 512: 4d 00 50 00 00 00 00 02 00 00"),
        ("scsi-log-15", "in 512: 4d 00 55 00 00 00 00 02 00 00"),
        ("scsi-log-2f", "in 512: 4d 00 6f 00 00 00 00 02 00 00"),
    ];

    /// SCSI operation codes that may be sent: INQUIRY, REQUEST SENSE, LOG SENSE, READ DEFECT DATA, ATA PASS-THROUGH.
    const SCSI_OPCODES: &[u8] = &[0x12, 0x03, 0x4d, 0x37, 0x85];
    /// ATA commands behind the last, with the features that SMART has to have.
    const ATA_COMMANDS: &[(u8, &[u8])] =
        &[(0xe5, &[0]), (0xec, &[0]), (0x2f, &[0]), (0xb0, &[0xd0, 0xd1, 0xd5, 0xda])];
    /// NVMe admin commands: Get Log Page, Identify.
    const NVME_OPCODES: &[u8] = &[0x02, 0x06];

    fn spelled(frame: &Frame) -> String {
        match frame {
            Frame::Scsi { cdb, direction, length } => {
                let direction = match direction {
                    Direction::Nothing => "none",
                    Direction::FromDevice => "in",
                };
                let bytes: Vec<String> = cdb.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{direction} {length}: {}", bytes.join(" "))
            }
            Frame::Nvme { opcode, nsid, cdw10, length } => {
                format!("nvme {length}: {opcode:02x} {nsid:08x} {cdw10:08x}")
            }
        }
    }

    #[test]
    fn every_command_is_written_down() {
        let all: Vec<_> =
            DeviceQuery::all().iter().map(|query| (query.slug(), spelled(&query.frame()))).collect();
        let written: Vec<_> =
            WRITTEN.iter().map(|(slug, bytes)| ((*slug).to_owned(), (*bytes).to_owned())).collect();
        assert_eq!(all, written);
    }

    #[test]
    fn no_command_can_write() {
        for query in DeviceQuery::all() {
            match query.frame() {
                Frame::Scsi { cdb, direction, length } => {
                    assert!(SCSI_OPCODES.contains(&cdb[0]), "{query:?}");
                    assert_eq!(direction == Direction::Nothing, length == 0, "{query:?}");
                    assert!(matches!(cdb.len(), 6 | 10 | 16), "{query:?}");
                    if cdb[0] == 0x85 {
                        let known = ATA_COMMANDS.iter().find(|(command, _)| *command == cdb[14]);
                        assert!(known.is_some_and(|(_, features)| features.contains(&cdb[4])), "{query:?}");
                        // Protocol 3 has no data and 4 reads; the transfer bit of the third byte says "in".
                        match cdb[1] >> 1 {
                            3 => assert_eq!((cdb[2] & 0x0f, length), (0, 0), "{query:?}"),
                            4 => assert_eq!((cdb[2] & 0x08, length), (8, 512), "{query:?}"),
                            other => panic!("{query:?}: protocol {other}"),
                        }
                    }
                }
                Frame::Nvme { opcode, length, .. } => {
                    assert!(NVME_OPCODES.contains(&opcode), "{query:?}");
                    // The lowest two bits of an NVMe opcode tell the direction; 2 is "from the controller".
                    assert_eq!((opcode & 3, length % 4), (2, 0), "{query:?}");
                }
            }
        }
    }

    #[test]
    fn names_are_unique_and_lead_back() {
        let all = DeviceQuery::all();
        let mut slugs: Vec<_> = all.iter().map(|query| query.slug()).collect();
        for (query, slug) in all.iter().zip(&slugs) {
            assert_eq!(DeviceQuery::of_slug(slug), Some(*query));
            assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), all.len());
        assert_eq!(DeviceQuery::of_slug("ata-security-erase"), None);
    }
}
