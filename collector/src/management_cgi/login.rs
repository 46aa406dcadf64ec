//! The answer to a login (`authLogin.cgi`): of all that stands there, only what tells which machine answered.
//!
//! Never read: the session and its tokens (`authSid`, `qtoken`, `SUID`, `cuid`), users, groups, and the texts and looks
//! of the login page. It also answers those who are not logged in, so it need not have passed. QTS 4.2 says nothing of
//! the machine; 4.5 has `hero_model`; model and firmware are read where they stand.

use assay_bundle::Observed;

use super::Reader;
use crate::xml::Element;

/// Elements that are kept in the raw form, beside those of every page.
pub(super) const KEPT: [&str; 2] = [MARK, "hero_model"];
/// Only a login has it, whatever the version.
const MARK: &str = "mediaReady";

/// Which machine answered a login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// Name on the case (`displayModelName`).
    pub model: Observed<String>,
    /// Name of the family (`internalModelName`).
    pub internal_model: Observed<String>,
    /// Serial number; `--` and `Q---` are Absent.
    pub serial: Observed<String>,
    /// Whether it is QuTS hero (`is_zfs`).
    pub hero: Observed<bool>,
    /// Whether the model is one of QuTS hero's (`hero_model`). Such a model may run QTS.
    pub hero_model: Observed<bool>,
    /// Firmware version such as `4.5.2`.
    pub firmware: Observed<String>,
    /// Four-digit number of the firmware.
    pub firmware_number: Observed<String>,
    /// Build day of the firmware, `yyyymmdd`.
    pub firmware_build: Observed<String>,
}

/// Whether the page answers a login.
pub(super) fn is_login(root: &Element) -> bool {
    root.children.iter().any(|child| child.name == MARK)
}

impl Reader<'_> {
    pub(super) fn login(&self) -> Login {
        Login {
            model: self.text(self.root, "displayModelName"),
            internal_model: self.text(self.root, "internalModelName"),
            serial: self.serial(),
            hero: self.flag(self.root, "is_zfs"),
            hero_model: self.flag(self.root, "hero_model"),
            firmware: self.below("firmware", "version"),
            firmware_number: self.below("firmware", "number"),
            firmware_build: self.below("firmware", "build"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::{essentials, parse};
    use super::*;
    use crate::hostile;

    /// Of our own invention, with more than any version was seen to say.
    const LOGIN: &str = "<?xml version=\"1.0\"?><QDocRoot version=\"1.0\"><is_booting>0</is_booting><mediaReady>1</mediaReady>
<hero_model><![CDATA[1]]></hero_model><authPassed><![CDATA[1]]></authPassed><authSid><![CDATA[q7x8y9z0]]></authSid>
<qtoken>t0k3n9</qtoken><username>anna</username><SUID>5u1d5u1d</SUID><cuid>c0ffee</cuid>
<model><internalModelName>TS-X00</internalModelName><displayModelName>TS-h900X</displayModelName></model>
<firmware><version>h5.1.2</version><number>2534</number><build>20230927</build></firmware><hostname>cellar</hostname></QDocRoot>";
    const SECRETS: [&str; 6] = ["q7x8y9z0", "t0k3n9", "anna", "5u1d5u1d", "c0ffee", "cellar"];

    fn login(text: &str) -> Login {
        parse(text, "x").expect("a page").login.expect("this page")
    }

    #[test]
    fn the_machine_and_nothing_else() {
        let found = login(LOGIN);
        assert_eq!(found.model.value().map(String::as_str), Some("TS-h900X"));
        assert_eq!(found.firmware_build.value().map(String::as_str), Some("20230927"));
        assert_eq!((found.hero_model.value(), found.hero.is_absent()), (Some(&true), true));
        let kept = essentials(LOGIN, 7).expect("a page");
        assert_eq!(login(&kept), found);
        for secret in SECRETS {
            assert!(!kept.contains(secret) && !format!("{found:?}").contains(secret), "{secret}");
        }
    }

    #[test]
    fn a_login_need_not_have_passed_to_name_the_machine() {
        let refused = LOGIN.replace("<authPassed><![CDATA[1]]>", "<authPassed><![CDATA[0]]>");
        assert_eq!(login(&refused), login(LOGIN));
        // As the answer to a question it is still none.
        assert!(essentials(&refused, 7).expect_err("refused").contains("as an administrator again"));
        let old = "<QDocRoot><mediaReady>1</mediaReady><authPassed>1</authPassed></QDocRoot>";
        let nothing = login(old);
        assert!(nothing.model.is_absent() && nothing.hero_model.is_absent() && nothing.serial.is_absent());
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let read = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), "x").ok().and_then(|p| p.login);
        for end in (0..LOGIN.len()).step_by(LOGIN.len() / 20) {
            assert_eq!(read(&LOGIN.as_bytes()[..end]), None, "{end}");
        }
        hostile::mutate(LOGIN.as_bytes(), 1000, read, |found| {
            let texts = found.iter().flat_map(|f| [&f.model, &f.internal_model, &f.serial, &f.firmware]);
            assert!(texts.filter_map(Observed::value).all(|text| !text.is_empty()));
        });
    }
}
