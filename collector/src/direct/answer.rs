//! The recorded form of one device's answer: how the command ended, and its data.
//!
//! It is JSON, so that it passes the redaction door like everything else. Bytes stand in it as numbers, which that
//! door keeps as they are: hexadecimal text would look like addresses and keys, and a host called `cafe` would tear
//! holes into it. What is text inside the bytes (model, serial, firmware; in ATA with swapped bytes, where no rule
//! could see it) is taken out of them and stands as text, under the names that the facts have, and the door treats
//! both alike. The checksum of a sector is therefore computed before: [`DeviceAnswer::sum`].
//!
//! Refused: an answer that claims more than [`MAX_DATA_BYTES`], and JSON of any other shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DeviceQuery;
use super::sense::{self, Sense};

/// Most bytes of data that are looked at in one answer: the largest structure is NVMe's Identify.
pub const MAX_DATA_BYTES: usize = 4096;

/// Most bytes of one recorded answer: four characters a byte, and the words around them.
pub const MAX_ANSWER_BYTES: u64 = 32 * 1024;

/// Of NVMe's Identify, what comes later is vendor-specific, or repeats the serial in a name of the subsystem.
const IDENTIFY_CONTROLLER_KEPT: usize = 768;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// What `SG_IO` reported.
    Scsi {
        /// SCSI status: 0 good, 2 check condition.
        status: u8,
        /// The host adapter's word (`DID_*` of the kernel); not 0: the command did not reach the device.
        host: u16,
        /// The driver's word; its low nibble not 0: as above.
        driver: u16,
        /// Sense data.
        sense: Vec<u8>,
    },
    /// What `NVME_IOCTL_ADMIN_CMD` reported.
    Nvme {
        /// Status code type and code, 0 for success.
        status: u16,
    },
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAnswer {
    /// How the command ended.
    pub end: Ending,
    /// Sum of all bytes of the data as received, modulo 256. ATA structures with a checksum byte sum up to 0.
    pub sum: u8,
    /// What is text in the data, by its name among the facts; trimmed.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
    /// The data, with zeros in the place of the texts.
    #[serde(default)]
    pub data: Vec<u8>,
}

/// Why an answer holds no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device, or what stands before it, does not know the command.
    NotSupported,
    /// The device reports an error.
    Failed,
    /// The command did not get through: the device hangs or is gone.
    NotReached,
}

/// How a piece of text lies in the data.
#[derive(Clone, Copy)]
enum Spelling {
    /// As it reads.
    Plain,
    /// The two bytes of each word are swapped (ATA).
    Swapped,
    /// Two padded fields side by side; blanks inside are folded (SCSI vendor and product).
    Folded,
}

/// Name, first byte, length, spelling.
type Field = (&'static str, usize, usize, Spelling);

fn fields(query: DeviceQuery) -> &'static [Field] {
    use Spelling::{Folded, Plain, Swapped};
    match query {
        DeviceQuery::AtaIdentify => {
            &[("serial", 20, 20, Swapped), ("firmware", 46, 8, Swapped), ("model", 54, 40, Swapped)]
        }
        DeviceQuery::ScsiInquiry => &[("model", 8, 24, Folded), ("firmware", 32, 4, Plain)],
        DeviceQuery::ScsiInquirySerial => &[("serial", 4, 248, Plain)],
        DeviceQuery::NvmeIdentifyController => {
            &[("serial", 4, 20, Plain), ("model", 24, 40, Plain), ("firmware", 64, 8, Plain)]
        }
        _ => &[],
    }
}

fn text(bytes: &[u8], spelling: Spelling) -> Option<String> {
    let swapped: Vec<u8>;
    let bytes = match spelling {
        Spelling::Swapped => {
            swapped = bytes.chunks(2).flat_map(|word| word.iter().rev().copied()).collect();
            &swapped
        }
        Spelling::Plain | Spelling::Folded => bytes,
    };
    let text = String::from_utf8_lossy(bytes).replace(char::is_control, " ");
    let text = match spelling {
        Spelling::Folded => text.split_whitespace().collect::<Vec<_>>().join(" "),
        _ => text.trim().to_owned(),
    };
    // Bytes that are all ones or punctuation are no name of anything.
    text.chars().any(|c| c.is_ascii_alphanumeric()).then_some(text)
}

impl DeviceAnswer {
    /// The form of an answer just received.
    pub fn new(query: DeviceQuery, end: Ending, received: &[u8]) -> Self {
        let received = received.get(..MAX_DATA_BYTES).unwrap_or(received);
        let sum = received.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let mut data = received.to_vec();
        let mut texts = BTreeMap::new();
        for (name, start, length, spelling) in fields(query) {
            let end = start.saturating_add(*length).min(data.len());
            let Some(piece) = data.get_mut(*start..end) else { continue };
            if let Some(text) = text(piece, *spelling) {
                texts.insert((*name).to_owned(), text);
            }
            piece.fill(0);
        }
        if query == DeviceQuery::NvmeIdentifyController {
            data.truncate(IDENTIFY_CONTROLLER_KEPT);
        }
        let answer = Self { end, sum, texts, data };
        if answer.check().is_ok() {
            return answer;
        }
        // The buffer of a refused command is what it was before: the kernel need not say that nothing came.
        Self { sum: 0, texts: BTreeMap::new(), data: Vec::new(), ..answer }
    }

    /// As it stands below `raw/`. Plain data always serialises.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a recorded answer; `None` for everything that is none.
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        let answer: Self = assay_bundle::json::from_slice(bytes).ok()?;
        (answer.data.len() <= MAX_DATA_BYTES).then_some(answer)
    }

    /// A text of the answer.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The sense data, decoded.
    pub fn sense(&self) -> Option<Sense> {
        match &self.end {
            Ending::Scsi { sense, .. } => sense::parse(sense),
            Ending::Nvme { .. } => None,
        }
    }

    /// Whether the command was carried out.
    ///
    /// # Errors
    /// The kind of refusal, and the reason in words.
    pub fn check(&self) -> Result<(), (Refusal, String)> {
        match &self.end {
            Ending::Nvme { status: 0 } => Ok(()),
            Ending::Nvme { status } => {
                // Generic status: 01h invalid opcode, 02h invalid field; command specific: 09h invalid log page.
                let kind = match status & 0x7ff {
                    0x001 | 0x002 | 0x109 => Refusal::NotSupported,
                    _ => Refusal::Failed,
                };
                Err((kind, format!("the controller answers with status {:03X}h", status & 0x7ff)))
            }
            Ending::Scsi { status, host, driver, .. } => self.check_scsi(*status, *host, *driver),
        }
    }

    fn check_scsi(&self, status: u8, host: u16, driver: u16) -> Result<(), (Refusal, String)> {
        /// "There is sense data", which is no failure.
        const DRIVER_SENSE: u16 = 0x08;
        if host != 0 {
            return Err((
                Refusal::NotReached,
                format!("the command did not reach the device (host status {host:02X}h)"),
            ));
        }
        if !matches!(driver & 0x0f, 0 | DRIVER_SENSE) {
            return Err((
                Refusal::NotReached,
                format!("the driver gave the command up (status {driver:02X}h)"),
            ));
        }
        let sense = self.sense();
        match (status, sense) {
            // Good, condition met.
            (0x00 | 0x04, _) => Ok(()),
            (0x02, Some(sense)) => match sense.key {
                // No sense, recovered error: how the registers of an ATA command come back.
                0 | 1 => match sense.registers {
                    Some(registers) if registers.is_error() => {
                        Err((Refusal::NotSupported, registers.words()))
                    }
                    _ => Ok(()),
                },
                5 => Err((Refusal::NotSupported, sense.words())),
                // An ATA device that does not know a command aborts it. Linux says so with the registers, or (up to
                // 6.9, where the registers stand in the wrong bytes) by no additional sense code; ICRC has one.
                0xb if (sense.asc, sense.ascq) == (0, 0)
                    || sense.registers.is_some_and(|registers| registers.is_abort()) =>
                {
                    Err((Refusal::NotSupported, sense.words()))
                }
                _ => Err((Refusal::Failed, sense.words())),
            },
            (0x02, None) => {
                Err((Refusal::Failed, "the device reports an error without saying which".to_owned()))
            }
            (status, _) => Err((Refusal::Failed, format!("the device answers with status {status:02X}h"))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
pub(crate) mod tests {
    use super::*;

    /// A command that went well.
    pub(crate) fn good() -> Ending {
        Ending::Scsi { status: 0, host: 0, driver: 0, sense: Vec::new() }
    }

    /// ASCII as ATA has it.
    pub(crate) fn swapped(text: &str, length: usize) -> Vec<u8> {
        let padded = format!("{text:<length$}");
        padded.as_bytes().chunks(2).flat_map(|word| [word[1], word[0]]).collect()
    }

    #[test]
    fn text_stands_as_text_and_the_rest_as_numbers() {
        let mut sector = vec![7_u8; 512];
        sector[20..40].copy_from_slice(&swapped("   EX-0001", 20));
        sector[46..54].copy_from_slice(&swapped("80.00A80", 8));
        sector[54..94].copy_from_slice(&swapped("EXAMPLE HD4000  X", 40));
        let answer = DeviceAnswer::new(DeviceQuery::AtaIdentify, good(), &sector);
        assert_eq!(answer.text("serial"), Some("EX-0001"));
        assert_eq!(answer.text("firmware"), Some("80.00A80"));
        assert_eq!(answer.text("model"), Some("EXAMPLE HD4000  X"));
        assert!(answer.data[20..40].iter().all(|byte| *byte == 0));
        assert_eq!((answer.data[0], answer.data[511], answer.data.len()), (7, 7, 512));
        let json = answer.to_json();
        assert!((json.len() as u64) < MAX_ANSWER_BYTES);
        assert_eq!(DeviceAnswer::from_json(&json), Some(answer));
    }

    #[test]
    fn odd_texts() {
        fn check(query: DeviceQuery, data: &[u8], name: &str, expected: Option<&str>) {
            assert_eq!(DeviceAnswer::new(query, good(), data).text(name), expected);
        }
        let inquiry = b"\0\0\x05\x02\x1f\0\0\0ATA     EXAMPLE HD4000  A1  ";
        check(DeviceQuery::ScsiInquiry, inquiry, "model", Some("ATA EXAMPLE HD4000"));
        check(DeviceQuery::ScsiInquiry, inquiry, "firmware", Some("A1"));
        check(DeviceQuery::ScsiInquiry, b"\0\0\x05\x02\x1f\0\0\0EX", "model", Some("EX"));
        check(DeviceQuery::ScsiInquiry, b"", "model", None);
        check(DeviceQuery::ScsiInquirySerial, b"\0\x80\0\x04S\xff1\0", "serial", Some("S\u{fffd}1"));
        check(DeviceQuery::NvmeIdentifyController, &[0xff; 4096], "serial", None);
        check(DeviceQuery::AtaSmartData, b"\x41\x41", "model", None);
        let long = DeviceAnswer::new(DeviceQuery::NvmeIdentifyController, good(), &[1; 5000]);
        assert_eq!(long.data.len(), IDENTIFY_CONTROLLER_KEPT);
    }

    #[test]
    fn how_a_command_ended() {
        fn check(end: Ending, expected: Result<(), Refusal>) {
            let answer = DeviceAnswer::new(DeviceQuery::AtaSmartStatus, end, &[]);
            assert_eq!(answer.check().map_err(|(kind, _)| kind), expected);
        }
        let scsi =
            |status, host, driver, sense: &[u8]| Ending::Scsi { status, host, driver, sense: sense.to_vec() };
        let registers = |error: u8, status: u8| {
            let mut sense = vec![0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12];
            sense.extend([0, error, 0, 0, 0, 0, 0, 0x4f, 0, 0xc2, 0, status]);
            sense
        };
        check(scsi(0, 0, 0, &[]), Ok(()));
        check(scsi(2, 0, 8, &registers(0, 0x50)), Ok(()));
        check(scsi(2, 0, 8, &registers(4, 0x51)), Err(Refusal::NotSupported));
        check(scsi(2, 0, 8, &[0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0]), Err(Refusal::NotSupported));
        check(
            scsi(2, 0, 8, &[0x70, 0, 11, 0, 0, 0, 0, 10, 4, 65, 0, 1, 0, 0, 0, 0]),
            Err(Refusal::NotSupported),
        );
        check(scsi(2, 0, 8, &[0x70, 0, 11, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x47, 0]), Err(Refusal::Failed));
        check(scsi(2, 0, 8, &[0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11, 0]), Err(Refusal::Failed));
        check(scsi(2, 0, 0, &[]), Err(Refusal::Failed));
        check(scsi(0, 1, 0, &[]), Err(Refusal::NotReached));
        check(scsi(0, 0, 6, &[]), Err(Refusal::NotReached));
        check(scsi(8, 0, 0, &[]), Err(Refusal::Failed));
        check(Ending::Nvme { status: 0 }, Ok(()));
        check(Ending::Nvme { status: 0x4002 }, Err(Refusal::NotSupported));
        check(Ending::Nvme { status: 0x0006 }, Err(Refusal::Failed));
    }

    #[test]
    fn other_json_is_no_answer() {
        for odd in ["", "{}", "[]", "null", r#"{"end":{"nvme":{"status":0}},"sum":256,"data":[]}"#] {
            assert_eq!(DeviceAnswer::from_json(odd.as_bytes()), None, "{odd}");
        }
        let long = format!(r#"{{"end":{{"nvme":{{"status":0}}}},"sum":0,"data":[{}0]}}"#, "0,".repeat(4096));
        assert_eq!(DeviceAnswer::from_json(long.as_bytes()), None);
    }

    #[test]
    fn damage_never_panics() {
        let answer = DeviceAnswer::new(
            DeviceQuery::AtaSmartStatus,
            Ending::Scsi { status: 2, host: 0, driver: 8, sense: vec![0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12] },
            &[1, 2, 3],
        );
        crate::hostile::mutate(&answer.to_json(), 1000, DeviceAnswer::from_json, |answer| {
            let _ = answer.as_ref().map(DeviceAnswer::check);
        });
    }
}
