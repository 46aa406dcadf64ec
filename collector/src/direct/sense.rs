//! Sense data: what a SCSI device, or the kernel's or a bridge's translation for an ATA one, says of a command.
//!
//! Two formats (SPC-5, 4.4), each with its own way to carry the registers of an ATA command (SAT-4, 12.2). Bridges drop
//! the registers, or return all zeros: a status register without "device ready" is no answer of a device.

/// Status register: the device is ready.
const READY: u8 = 0x40;
/// Status register: error, and device fault.
const ERRORS: u8 = 0x21;
/// Error register: the command was aborted.
const ABORTED: u8 = 0x04;
/// Descriptor with the registers.
const ATA_DESCRIPTOR: u8 = 0x09;
/// Additional sense code and qualifier "ATA pass-through information available".
const ATA_INFORMATION: (u8, u8) = (0x00, 0x1d);

/// Sense data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sense {
    /// Sense key, 0 to 15.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// The registers of an ATA command, where they came back.
    pub registers: Option<Registers>,
}

/// The registers of an ATA device after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Error.
    pub error: u8,
    /// Status.
    pub status: u8,
    /// Count, lower byte.
    pub count: u8,
    /// LBA, bits 8 to 15.
    pub lba_middle: u8,
    /// LBA, bits 16 to 23.
    pub lba_high: u8,
}

impl Registers {
    /// Whether the device reports an error.
    pub fn is_error(&self) -> bool {
        self.status & ERRORS != 0
    }

    /// Whether the device refused the command.
    pub fn is_abort(&self) -> bool {
        self.is_error() && self.error & ABORTED != 0
    }

    /// For people.
    pub fn words(&self) -> String {
        format!("the drive refuses the command (status {:02X}h, error {:02X}h)", self.status, self.error)
    }
}

impl Sense {
    /// For people.
    pub fn words(&self) -> String {
        format!("the device answers with sense {:X}h/{:02X}h/{:02X}h", self.key, self.asc, self.ascq)
    }
}

/// Reads sense data; `None` where there is none.
pub fn parse(sense: &[u8]) -> Option<Sense> {
    match sense.first()? & 0x7f {
        0x70 | 0x71 => Some(fixed(sense)),
        0x72 | 0x73 => Some(descriptors(sense)),
        _ => None,
    }
}

fn fixed(sense: &[u8]) -> Sense {
    let byte = |at: usize| sense.get(at).copied().unwrap_or(0);
    let (key, asc, ascq) = (byte(2) & 0x0f, byte(12), byte(13));
    let registers = ((asc, ascq) == ATA_INFORMATION && sense.len() > 13).then(|| Registers {
        error: byte(3),
        status: byte(4),
        count: byte(6),
        lba_middle: byte(10),
        lba_high: byte(11),
    });
    Sense { key, asc, ascq, registers: registers.filter(says_something) }
}

fn descriptors(sense: &[u8]) -> Sense {
    let byte = |at: usize| sense.get(at).copied().unwrap_or(0);
    let mut rest = sense.get(8..).unwrap_or_default();
    let mut registers = None;
    while let [kind, length, ..] = rest {
        let end = usize::from(*length) + 2;
        if *kind == ATA_DESCRIPTOR
            && let Some([_, _, _, error, _, count, _, _, _, lba_middle, _, lba_high, _, status]) =
                rest.first_chunk::<14>()
        {
            registers = Some(Registers {
                error: *error,
                status: *status,
                count: *count,
                lba_middle: *lba_middle,
                lba_high: *lba_high,
            });
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    Sense { key: byte(1) & 0x0f, asc: byte(2), ascq: byte(3), registers: registers.filter(says_something) }
}

fn says_something(registers: &Registers) -> bool {
    registers.status & READY != 0 || registers.is_error()
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn registers_come_back_in_two_ways_or_not() {
        fn check(sense: &[u8], code: (u8, u8, u8), registers: Option<(u8, u8, u8)>) {
            let found = parse(sense).expect("sense data");
            assert_eq!((found.key, found.asc, found.ascq), code);
            assert_eq!(found.registers.map(|r| (r.count, r.lba_middle, r.lba_high)), registers);
        }
        let descriptor: &[u8] =
            &[0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12, 0, 0, 0, 0xff, 0, 0, 0, 0x4f, 0, 0xc2, 0, 0x50];
        check(descriptor, (1, 0, 0x1d), Some((0xff, 0x4f, 0xc2)));
        check(&descriptor[..20], (1, 0, 0x1d), None);
        let second = [&descriptor[..8], &[0, 10], &[0; 10], &descriptor[8..]].concat();
        check(&second, (1, 0, 0x1d), Some((0xff, 0x4f, 0xc2)));
        let fixed = [0xf0, 0, 1, 0, 0x50, 0, 0x80, 10, 0, 0, 0xf4, 0x2c, 0, 0x1d, 0, 0, 0, 0];
        check(&fixed, (1, 0, 0x1d), Some((0x80, 0xf4, 0x2c)));
        check(&[0x70, 0, 1, 0, 0x50, 0, 0x80, 10, 0, 0, 0xf4, 0x2c, 0, 0], (1, 0, 0), None);
        // A bridge that returns zeros.
        check(&[0x70, 0, 1, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0x1d], (1, 0, 0x1d), None);
        check(&[0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0], (5, 0x20, 0), None);
        check(&[0x70], (0, 0, 0), None);
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0; 32]), None);
    }

    #[test]
    fn damage_never_panics() {
        let sense = [0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12, 0, 0, 0, 0xff, 0, 0, 0, 0x4f, 0, 0xc2, 0, 0x50];
        crate::hostile::mutate(&sense, 1000, parse, |sense| {
            assert!(sense.is_none_or(|sense| sense.key < 16));
        });
    }
}
