//! The portal's word that one unit replaces another in an open case (SSHSIG by its online key, namespace
//! `assay-replacement`): by it a unit takes over what every unit can take of the other one's recovery copy.
//!
//! It is for one enrolled key, for a few days, and names the serial number whose copy may be taken. It opens no copy:
//! that takes the owner's recovery key. Because it grants something, a field that is not known is refused.

use serde::{Deserialize, Serialize};

use crate::sshsig::namespace;
use crate::statement::{Statement, is_id, is_plain, require};

/// How long a statement counts, in seconds (judgement: a unit is set up on the days after it arrived, also offline).
pub const LIFETIME_S: i64 = 7 * 86_400;
/// Longest that a device believes one (judgement: twice that).
pub const LONGEST_LIFETIME_S: i64 = 2 * LIFETIME_S;

/// One unit replaces another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// Version; see [`crate::statement::STATEMENT_FORMAT`].
    pub format: u32,
    /// The case, as the support engineer calls it.
    pub case_id: String,
    /// Serial number of the unit that goes.
    pub old_serial: String,
    /// Serial number of the unit that comes, where the portal knows it.
    pub new_serial: Option<String>,
    /// Portal's name for the unit that comes.
    pub device_id: String,
    /// Key of the unit that comes, `SHA256:…`.
    pub key_id: String,
    /// When it was made, seconds since 1970.
    pub issued_unix_s: i64,
    /// Until when it counts, seconds since 1970.
    pub expires_unix_s: i64,
    /// Fingerprint of the portal's card.
    pub portal_fingerprint: String,
}

/// Whether a text is acceptable as the name of a case.
pub fn is_case(text: &str) -> bool {
    is_plain(text, 64, false) && text.trim() == text
}

impl Statement for Replacement {
    const NAMESPACE: &'static str = namespace::REPLACEMENT;
    const NOUN: &'static str = "statement of replacement";
    const MOST_BYTES: usize = 4 << 10;

    fn format(&self) -> u32 {
        self.format
    }

    fn check(&self) -> Result<(), String> {
        let serial = |text: &str| is_plain(text, 64, false);
        require(is_case(&self.case_id), "case_id is no name of a case")?;
        require(serial(&self.old_serial), "old_serial is no serial number")?;
        require(self.new_serial.as_deref().is_none_or(serial), "new_serial is no serial number")?;
        require(self.new_serial.as_ref() != Some(&self.old_serial), "a unit does not replace itself")?;
        require(is_id(&self.device_id), "device_id is no id")?;
        require(is_plain(&self.key_id, 64, false), "key_id is no fingerprint")?;
        require(is_plain(&self.portal_fingerprint, 64, false), "portal_fingerprint is no fingerprint")?;
        let lifetime = self.expires_unix_s.saturating_sub(self.issued_unix_s);
        require((1..=LONGEST_LIFETIME_S).contains(&lifetime), "it does not expire within two weeks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::PollAnswer;
    use crate::statement::Signed;
    use crate::support_request::tests::key;

    fn replacement() -> Replacement {
        Replacement {
            format: 1,
            case_id: "C-17".to_owned(),
            old_serial: "Q123".to_owned(),
            new_serial: Some("Q124".to_owned()),
            device_id: "d-2".to_owned(),
            key_id: key(2).public().fingerprint(),
            issued_unix_s: 1_000_000,
            expires_unix_s: 1_000_000 + LIFETIME_S,
            portal_fingerprint: "ABCD-EFGH".to_owned(),
        }
    }

    #[test]
    fn it_is_the_portals_word_and_nothing_else() {
        let signed = Signed::new(&replacement(), &key(1)).expect("acceptable");
        assert_eq!(signed.open::<Replacement>(&key(1).public()).expect("opens"), replacement());
        assert!(signed.open::<Replacement>(&key(2).public()).is_err(), "another key");
        assert!(signed.open::<PollAnswer>(&key(1).public()).is_err(), "another purpose");
        let later = signed.document.replace("\"case_id\"", "\"only_for\":\"shares\",\"case_id\"");
        assert!(crate::statement::read::<Replacement>(&later).is_err(), "what narrows it is not passed over");
    }

    #[test]
    fn what_is_not_acceptable() {
        fn check(change: fn(&mut Replacement), expected: &str) {
            let mut one = replacement();
            change(&mut one);
            let error = Signed::new(&one, &key(1)).expect_err("refused").to_string();
            assert!(error.contains(expected), "{error}");
        }
        check(|r| r.case_id = String::new(), "case_id");
        check(|r| r.case_id = " C".to_owned(), "case_id");
        check(|r| r.old_serial = "a\nb".to_owned(), "old_serial");
        check(|r| r.new_serial = Some("Q123".to_owned()), "does not replace itself");
        check(|r| r.device_id = "../x".to_owned(), "device_id");
        check(|r| r.expires_unix_s = r.issued_unix_s, "does not expire");
        check(|r| r.expires_unix_s += 30 * 86_400, "does not expire");
        check(|r| r.format = 2, "version 2");
    }
}
