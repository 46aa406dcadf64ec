//! The verdict slip: one line of text that fits into a QR code, for a NAS that reaches nobody. For triage only.
//!
//! It is `ASSAY1.` + base64url of the JSON + `.` + base64url of the SSHSIG without its armour (namespace `assay-slip`),
//! below 1 KB. The signature says that this key said so; without the raw files nobody can read it again, so nothing
//! ships on it. A QR code holds it behind `#` of the portal's address, so that a telephone neither shows it to a search
//! engine nor sends it anywhere. Refused are blanks inside, a longer text, and every other prefix.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::{Deserialize, Serialize};

use crate::keys::{PublicKey, SigningKey};
use crate::manifest::{RunSource, Summary};
use crate::sshsig::{self, SignatureError, namespace};
use crate::statement::{self, Statement, StatementError, is_plain, require};

/// Longest slip, in bytes (a QR code of version 23 holds that at the lowest level; judgement: still scanned by hand).
pub const MOST_SLIP_BYTES: usize = 1_023;
/// Longest address that a slip may stand behind, in bytes: a code of version 25 holds both.
const MOST_ADDRESS_BYTES: usize = 240;
/// Path of the portal's page that reads slips.
pub const PAGE: &str = "/slip";
/// How a slip begins.
pub const PREFIX: &str = "ASSAY1.";

/// What a slip says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// What was read: only a live run says something of the machine that signs.
    pub source: RunSource,
    /// Serial number, where it was seen.
    pub serial: Option<String>,
    /// Model, where it was seen.
    pub model: Option<String>,
    /// Verdict, counts and top codes, as the device decided them.
    pub summary: Summary,
    /// Device time, seconds since 1970.
    pub made_unix_s: i64,
    /// Signing key, `SHA256:…`.
    pub key_id: String,
}

impl Statement for Slip {
    const NAMESPACE: &'static str = namespace::SLIP;
    const NOUN: &'static str = "verdict slip";
    const MOST_BYTES: usize = MOST_SLIP_BYTES;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        let plain = |text: &Option<String>| text.as_deref().is_none_or(|text| is_plain(text, 64, false));
        require(plain(&self.serial) && plain(&self.model), "serial or model is not plain text")?;
        let codes = &self.summary.top_codes;
        let short = codes.len() <= Summary::MOST_CODES && codes.iter().all(|code| is_plain(code, 32, false));
        require(short, "its codes are too many or not plain text")
    }
}

/// Why a slip was refused.
#[derive(Debug, thiserror::Error)]
pub enum SlipError {
    /// Not the text of a slip.
    #[error("this is no verdict slip: {0}")]
    Form(&'static str),
    /// Its statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

/// What a QR code of a slip holds: the address of the portal's page with the slip behind its `#`, or the slip alone
/// where there is no portal or its address is long.
pub fn code_text(slip: &str, portal: Option<&str>) -> String {
    let page = portal.map(|url| format!("{}{PAGE}", url.trim_end_matches('/')));
    match page.filter(|page| page.len() <= MOST_ADDRESS_BYTES) {
        Some(page) => format!("{page}#{slip}"),
        None => slip.to_owned(),
    }
}

/// A slip that was read, but by whom it is signed is still to be checked.
#[derive(Clone, Debug)]
pub struct ReadSlip {
    /// What it says; it proves nothing before [`ReadSlip::verify`].
    pub slip: Slip,
    document: String,
    signature: String,
}

impl Slip {
    /// The signed text.
    ///
    /// # Errors
    /// When it is not acceptable, or longer than [`MOST_SLIP_BYTES`].
    pub fn to_text(&self, key: &SigningKey) -> Result<String, StatementError> {
        let signed = statement::Signed::new(self, key)?;
        let base64: String = signed.signature.lines().filter(|line| !line.starts_with("-----")).collect();
        let blob = BASE64.decode(base64.as_bytes()).unwrap_or_default();
        let text = format!(
            "{PREFIX}{}.{}",
            BASE64URL_NOPAD.encode(signed.document.as_bytes()),
            BASE64URL_NOPAD.encode(&blob)
        );
        if text.len() > MOST_SLIP_BYTES {
            return Err(StatementError::TooLong { noun: Self::NOUN, most: MOST_SLIP_BYTES });
        }
        Ok(text)
    }

    /// Reads a slip; blanks around it do not matter, and neither does an address before its `#`.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> Result<ReadSlip, SlipError> {
        let text = text.trim();
        let text = match text.split_once('#') {
            Some((address, text)) if address.len() <= MOST_ADDRESS_BYTES => text,
            _ => text,
        };
        if text.len() > MOST_SLIP_BYTES {
            return Err(SlipError::Form("it is longer than 1 KB"));
        }
        let rest = text.strip_prefix(PREFIX).ok_or(SlipError::Form("it does not begin with ASSAY1."))?;
        let (document, blob) = rest.split_once('.').ok_or(SlipError::Form("it has no signature"))?;
        let decode = |part: &str| {
            BASE64URL_NOPAD
                .decode(part.as_bytes())
                .map_err(|_| SlipError::Form("it was typed or scanned wrong"))
        };
        let document = String::from_utf8(decode(document)?)
            .map_err(|_| SlipError::Form("it was typed or scanned wrong"))?;
        let signature = sshsig::armoured(&decode(blob)?);
        Ok(ReadSlip { slip: statement::read(&document)?, document, signature })
    }
}

impl ReadSlip {
    /// Whether it came whole: signed by the key that it names itself, whoever's that is.
    ///
    /// # Errors
    /// When it was changed on its way.
    pub fn is_whole(&self) -> Result<(), SignatureError> {
        self.verify(&sshsig::named_key(&self.signature)?)
    }

    /// Checks the signature by a key, which has to be the one that the slip names.
    ///
    /// # Errors
    /// When it is by another key or over other bytes.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        sshsig::verify(key, Slip::NAMESPACE, self.document.as_bytes(), &self.signature)?;
        if self.slip.key_id == key.fingerprint() {
            return Ok(());
        }
        Err(SignatureError::Key { found: self.slip.key_id.clone(), wanted: key.fingerprint() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Overall;
    use crate::support_request::tests::key;

    fn slip() -> Slip {
        Slip {
            format: 1,
            source: RunSource::Live,
            serial: Some("Q2345678901234567890".to_owned()),
            model: Some("TVS-h1288X".to_owned()),
            summary: Summary {
                overall: Overall::DefectConfirmed,
                confirmed: 12,
                suspected: 12,
                watch: 12,
                cannot_tell: 12,
                top_codes: (0..Summary::MOST_CODES).map(|n| format!("DRIVE-PENDING-{n}")).collect(),
            },
            made_unix_s: 1_700_000_000,
            key_id: key(2).public().fingerprint(),
        }
    }

    #[test]
    fn a_full_slip_is_short_and_comes_back() {
        let text = slip().to_text(&key(2)).expect("acceptable");
        assert!(text.len() <= MOST_SLIP_BYTES, "{}", text.len());
        let read = Slip::read(&format!(" {text}\n")).expect("a slip");
        assert_eq!(read.slip, slip());
        assert_eq!(read.verify(&key(2).public()), Ok(()));
        assert!(read.verify(&key(3).public()).is_err());
        assert_eq!(read.is_whole(), Ok(()));
        // As a QR code holds it.
        let code = code_text(&text, Some("https://portal.example:8443/"));
        assert!(code.starts_with("https://portal.example:8443/slip#ASSAY1."), "{code}");
        assert_eq!(Slip::read(&code).expect("a slip").slip, slip());
        assert_eq!(code_text(&text, None), text);
        assert_eq!(code_text(&text, Some(&"x".repeat(300))), text);
    }

    /// A slip whose key is its own, and not the one that is asked for.
    fn by_another() -> String {
        let key_id = key(3).public().fingerprint();
        Slip { key_id, ..slip() }.to_text(&key(3)).expect("acceptable")
    }

    #[test]
    fn what_was_changed_or_is_none_is_refused() {
        fn check(text: &str) {
            let verified = Slip::read(text).map(|read| read.verify(&key(2).public()));
            assert!(!matches!(verified, Ok(Ok(()))), "{text}");
            let whole = Slip::read(text).is_ok_and(|read| read.is_whole().is_ok());
            assert!(!whole || text == by_another(), "{text}");
        }
        let text = slip().to_text(&key(2)).expect("acceptable");
        check("");
        check("ASSAY1.");
        check(&text.replace(PREFIX, "ASSAY2."));
        check(&text[..text.len() - 1]);
        check(&text[..text.len() - 40]);
        check(&format!("{text}{text}"));
        check(&by_another());
        let forged = Slip { serial: Some("Q1".to_owned()), ..slip() }.to_text(&key(2)).expect("acceptable");
        let (_, signature) = text.rsplit_once('.').expect("two parts");
        let (document, _) = forged.rsplit_once('.').expect("two parts");
        check(&format!("{document}.{signature}"));
    }
}
