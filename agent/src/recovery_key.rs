//! What this device keeps of the owner's recovery key: its public half, and when the owner last showed that the words
//! still exist. The secret is never kept; it passes through memory once, when it is made or typed.
//!
//! One file in the identity folder, written when a key is made, proven or given up. A file that does not parse is
//! refused: copies sealed to a wrong recipient would be lost.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub(crate) mod ceremony;
pub(crate) mod secret;
pub(crate) mod sheet;
pub(crate) mod words;

use crate::clock::{self, Clock};
use crate::output;
use crate::trouble::{NextStep, refuse};

/// Name inside the identity folder.
const FILE: &str = "recovery.json";

/// Lists what is in a copy, with stock tools and the plain key in `key.txt`.
pub(crate) const LOOK: &str = "age -d -i key.txt COPY | zstd -d | tar tv";
/// Unpacks a copy into the current folder, with stock tools and the plain key in `key.txt`.
pub(crate) const UNPACK: &str = "age -d -i key.txt COPY | zstd -d | tar xp";
/// How long a proof is believed: judgement, the same year after which people lose track of a sheet of paper.
const PROVEN_FOR_DAYS: i64 = 365;
/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// The recovery key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecoveryKey {
    /// Its public half, an age recipient (`age1…`): what copies are encrypted to.
    pub(crate) recipient: String,
    /// Device's clock when it was made, seconds since 1970.
    pub(crate) made_unix_s: i64,
    /// Device's clock when the owner last gave words of it, seconds since 1970.
    pub(crate) proven_unix_s: Option<i64>,
    /// Earlier keys whose words the owner gave up: copies encrypted to them alone cannot be opened again.
    #[serde(default)]
    pub(crate) lost: Vec<LostKey>,
}

/// A key that its owner lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LostKey {
    /// Its public half (`age1…`).
    pub(crate) recipient: String,
    /// Device's clock when it was made, seconds since 1970.
    pub(crate) made_unix_s: i64,
    /// Device's clock when the owner said that it is lost, seconds since 1970.
    pub(crate) lost_unix_s: i64,
}

impl RecoveryKey {
    /// The key kept in the identity folder `dir`; `None` when none was made.
    pub(crate) fn load(dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = dir.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error)
                    .or_advise(format!("cannot read {}", path.display()), "run as administrator (root)");
            }
        };
        let damaged = || format!("{} is damaged", path.display());
        const NEXT: &str = "move it away and call `assay recovery-key new`; copies made so far still open with the words of their key";
        let key: Self = serde_json::from_slice(&bytes).or_advise(damaged(), NEXT)?;
        match is_recipient(&key.recipient) {
            true => Ok(Some(key)),
            false => Err(refuse(damaged(), NEXT)),
        }
    }

    /// Keeps this in the identity folder `dir`, in place of what was there.
    pub(crate) fn save(&self, dir: &Path) -> anyhow::Result<()> {
        output::replace_private(&dir.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// When the owner gave up the key with this recipient; `None` for every other.
    pub(crate) fn lost_unix_s(&self, recipient: &str) -> Option<i64> {
        self.lost.iter().find(|lost| lost.recipient == recipient).map(|lost| lost.lost_unix_s)
    }

    /// What the owner should be told about the proof, by this clock; `None` when it is fresh enough.
    pub(crate) fn warning(&self, clock: Clock) -> Option<String> {
        const PROVE: &str = "type the words once: `assay recovery-key prove`";
        let Some(proven) = self.proven_unix_s else {
            return Some(format!("never proven: nobody has shown yet that the words exist; {PROVE}"));
        };
        let day = clock::rfc3339(proven);
        if !clock.is_plausible() || !clock::plausible(proven) || proven > clock.now_unix_s {
            return Some(format!("proven at {day}, but a clock was wrong then or is now; {PROVE}"));
        }
        let days = (clock.now_unix_s - proven) / DAY_S;
        (days > PROVEN_FOR_DAYS).then(|| format!("last proven {days} days ago; {PROVE}"))
    }
}

/// Whether a text is an age recipient of the kind that this program encrypts to (X25519).
pub(crate) fn is_recipient(text: &str) -> bool {
    text.parse::<age::x25519::Recipient>().is_ok()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn recipient() -> String {
        age::x25519::Identity::generate().to_public().to_string()
    }

    #[test]
    fn kept_as_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("identity");
        assert_eq!(RecoveryKey::load(&dir).expect("looked"), None);
        let lost = LostKey { recipient: recipient(), made_unix_s: 1, lost_unix_s: 5 };
        let key = RecoveryKey {
            recipient: recipient(),
            made_unix_s: 5,
            proven_unix_s: Some(6),
            lost: vec![lost.clone()],
        };
        key.save(&dir).expect("kept");
        assert_eq!(RecoveryKey::load(&dir).expect("read"), Some(key.clone()));
        assert_eq!(key.lost_unix_s(&lost.recipient), Some(5));
        assert_eq!(key.lost_unix_s(&key.recipient), None);
    }

    #[test]
    fn a_proof_grows_old() {
        let start = clock::BUILT_UNIX_S;
        let check = |proven: Option<i64>, now_unix_s: i64, expected: Option<&str>| {
            let key = RecoveryKey {
                recipient: String::new(),
                made_unix_s: start,
                proven_unix_s: proven,
                lost: Vec::new(),
            };
            let warning = key.warning(Clock { now_unix_s });
            let begins = warning.as_deref().and_then(|text| text.split([',', ':', ';']).next());
            assert_eq!(begins.map(|text| text.split(" at ").next().unwrap_or(text)), expected);
        };
        check(None, start, Some("never proven"));
        check(Some(start), start, None);
        check(Some(start), start + 365 * DAY_S, None);
        check(Some(start), start + 366 * DAY_S, Some("last proven 366 days ago"));
        check(Some(start + 1), start, Some("proven"));
        check(Some(start), 0, Some("proven"));
        check(Some(0), start, Some("proven"));
    }

    #[test]
    fn a_wrong_recipient_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = recipient();
        let check = |text: String, good: bool| {
            std::fs::write(folder.path().join(FILE), text).expect("written");
            assert_eq!(RecoveryKey::load(folder.path()).is_ok(), good);
        };
        let file = |recipient: &str| format!(r#"{{"recipient":"{recipient}","made_unix_s":1}}"#);
        check(file(&good), true);
        check(file(&good.replace("age1", "age2")), false);
        check(file("age1"), false);
        check("{}".to_owned(), false);
        check(String::new(), false);
    }
}
