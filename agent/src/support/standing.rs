//! A standing consent: bundles for support requests without asking each time. At most 30 days, one bundle a day, each use
//! in the audit log and in `assay status`.
//!
//! It covers requests that only read: never a self-test, never a session, and never a waiver of the recovery copy. It ends
//! with any change of key, recipient, portal or of who administers this machine, which is: the accounts with user id 0,
//! and the members of the groups of administrators. An end is noted once and cannot be undone but by giving it again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use assay_bundle::consent::{STANDING_LIFE_S, Safeguard};
use assay_bundle::digest::sha256_hex;
use serde::{Deserialize, Serialize};

use super::answer::{Ended, Whose};
use super::desk::Desk;
use super::questions::{self, Given};
use super::state::Around;
use super::store::Answers;
use crate::audit::What;
use crate::output;
use crate::trouble::{NextStep, refuse};

/// Most days.
pub(crate) const MOST_DAYS: u32 = 30;
/// One bundle in so many seconds: a day.
const BETWEEN_S: i64 = 86_400;
const DAY_S: i64 = 86_400;
const FILE: &str = "standing.json";
/// Groups whose members administer QTS, QuTS hero and common Linux systems.
const ADMINISTRATORS: [&str; 5] = ["administrators", "sudo", "wheel", "admin", "root"];

/// As it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// When it was given, seconds since 1970.
    pub(crate) given_unix_s: i64,
    /// When it ends at the latest.
    pub(crate) expires_unix_s: i64,
    /// The owner's answers, which count for each bundle.
    pub(crate) answers: Answers,
    /// What it is bound to.
    bound: Around,
    /// Digest of who administers this machine.
    administrators: String,
    /// When it was used last.
    pub(crate) last_used_unix_s: Option<i64>,
    /// How often it was used.
    pub(crate) uses: u32,
}

/// Why it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Over {
    /// Its time.
    #[error("its time is over")]
    Expired,
    /// A clock that went back behind its beginning.
    #[error("the clock says a time before it was given")]
    Clock,
    /// The device's key.
    #[error("this NAS has another key")]
    Key,
    /// Whom bundles are encrypted for.
    #[error("bundles are encrypted for another recipient")]
    Recipient,
    /// The portal.
    #[error("this NAS is enrolled at another portal")]
    Portal,
    /// Who administers.
    #[error("somebody else administers this NAS")]
    Administrator,
}

impl Standing {
    /// Whether it still counts.
    fn counts(&self, now_unix_s: i64, around: &Around, administrators: &str) -> Result<(), Over> {
        let or = |holds: bool, over| if holds { Ok(()) } else { Err(over) };
        or(now_unix_s < self.expires_unix_s, Over::Expired)?;
        or(now_unix_s >= self.given_unix_s.saturating_sub(300), Over::Clock)?;
        or(around.key_id == self.bound.key_id, Over::Key)?;
        or(around.recipient == self.bound.recipient, Over::Recipient)?;
        or(around.portal == self.bound.portal, Over::Portal)?;
        or(administrators == self.administrators, Over::Administrator)
    }

    /// Whether a bundle may go today. A last use in the future was another clock's, and counts.
    pub(crate) fn may_use(&self, now_unix_s: i64) -> bool {
        self.last_used_unix_s.is_none_or(|last| now_unix_s >= last.saturating_add(BETWEEN_S))
    }
}

/// Digest of who administers the system below `root`.
fn administrators(root: &Path) -> String {
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_default();
    names(&read("etc/passwd"), &read("etc/group"))
}

fn names(passwd: &str, group: &str) -> String {
    let field = |line: &str, n: usize| line.split(':').nth(n).unwrap_or_default().to_owned();
    let mut names: BTreeSet<String> =
        passwd.lines().filter(|line| field(line, 2) == "0").map(|line| field(line, 0)).collect();
    for line in group.lines().filter(|line| ADMINISTRATORS.contains(&field(line, 0).as_str())) {
        names.extend(field(line, 3).split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned));
    }
    sha256_hex(names.into_iter().collect::<Vec<_>>().join("\n").as_bytes())
}

impl Desk<'_> {
    fn standing_path(&self) -> std::path::PathBuf {
        self.store.dir().join(FILE)
    }

    /// The standing consent, when there is one that counts; one that does not is left to whoever acts on it.
    pub(crate) fn look_at_standing(&self) -> anyhow::Result<Option<Standing>> {
        let path = self.standing_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error)
                    .or_advise(format!("cannot read {}", path.display()), "run as administrator (root)");
            }
        };
        let Ok(standing) = serde_json::from_slice::<Standing>(&bytes) else { return Ok(None) };
        let moment = self.moment();
        let counts = standing.counts(moment.now_unix_s, &moment.around, &administrators(Path::new("/")));
        Ok(counts.is_ok().then_some(standing))
    }

    /// The standing consent, when there is one that counts. One that counts no longer is removed, and said once.
    pub(crate) fn standing(&self) -> anyhow::Result<Option<Standing>> {
        let path = self.standing_path();
        let Ok(bytes) = fs::read(&path) else { return Ok(None) };
        let moment = self.moment();
        let over = match serde_json::from_slice::<Standing>(&bytes) {
            Ok(standing) => {
                match standing.counts(moment.now_unix_s, &moment.around, &administrators(Path::new("/"))) {
                    Ok(()) => return Ok(Some(standing)),
                    Err(over) => over.to_string(),
                }
            }
            Err(_) => "its file is damaged".to_owned(),
        };
        self.end_standing(&over)?;
        Ok(None)
    }

    /// Gives one.
    pub(crate) fn give_standing(&self, days: u32, given: &Given) -> anyhow::Result<Standing> {
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(refuse(
                format!("a standing consent is for 1 to {MOST_DAYS} days, not {days}"),
                "give it again when it has ended",
            ));
        }
        let moment = self.moment();
        let now = moment.now_unix_s;
        let answers = questions::both(given, now)?;
        if !questions::agrees_to(
            given,
            &format!(
                "For {days} days, bundles for support requests would leave without asking you, one a day. Do you agree?"
            ),
        )? {
            return Err(refuse("no standing consent was given", "nothing changed"));
        }
        // The oldest answer must not be older than the portal takes.
        let life = (i64::from(days) * DAY_S).min(STANDING_LIFE_S);
        let standing = Standing {
            given_unix_s: now,
            expires_unix_s: now.saturating_add(life),
            answers,
            bound: moment.around,
            administrators: administrators(Path::new("/")),
            last_used_unix_s: None,
            uses: 0,
        };
        self.log.must_note(What::Standing, None, &format!("a standing consent for {days} days was given"))?;
        self.keep_standing(&standing)?;
        Ok(standing)
    }

    /// Ends it; whether there was one.
    pub(crate) fn end_standing(&self, why: &str) -> anyhow::Result<bool> {
        let path = self.standing_path();
        if !path.exists() {
            return Ok(false);
        }
        fs::remove_file(&path).or_advise(format!("cannot remove {}", path.display()), "remove it by hand")?;
        self.log.note(What::Standing, None, &format!("the standing consent ended: {why}"));
        output::say(&format!("The standing consent ended: {why}."));
        Ok(true)
    }

    /// Answers under the standing consent what it covers; the ids that were answered, and how that ended.
    pub(crate) async fn use_standing(&self) -> anyhow::Result<Vec<(String, anyhow::Result<Ended>)>> {
        let mut done = Vec::new();
        for (id, _) in self.store.all()? {
            let (record, asked) = self.load(&id)?;
            // An owner who has begun to answer goes on; the standing consent does not cut in.
            let waived = matches!(record.handling.safeguard, Some(Safeguard::Waiver(_)));
            if !record.handling.is_open() || !asked.only_reads() || record.handling.agreed.is_some() || waived
            {
                continue;
            }
            let Some(mut standing) = self.standing()? else { break };
            let now = self.now_unix_s();
            if !standing.may_use(now) {
                break;
            }
            // Noted and counted before anything leaves: a crash costs a day, never a second bundle.
            (standing.last_used_unix_s, standing.uses) = (Some(now), standing.uses.saturating_add(1));
            self.log.must_note(What::Standing, Some(&id), "the standing consent is used")?;
            self.keep_standing(&standing)?;
            let ended = self.approve(&id, Whose::Standing(standing.answers)).await;
            done.push((id, ended));
        }
        Ok(done)
    }

    fn keep_standing(&self, standing: &Standing) -> anyhow::Result<()> {
        output::replace_private(&self.standing_path(), &serde_json::to_vec_pretty(standing)?)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::consent::{BackupAnswer, ConfidentialAnswer, Dated};

    const NOW: i64 = 1_000_000;

    fn around() -> Around {
        let text = |text: &str| text.to_owned();
        Around { key_id: text("K"), portal: text("P"), recipient: text("R"), configuration: text("C") }
    }

    fn standing() -> Standing {
        Standing {
            given_unix_s: NOW,
            expires_unix_s: NOW + 30 * DAY_S,
            answers: Answers {
                backup: Dated { answer: BackupAnswer::BackedUp, at_unix_s: NOW },
                confidential: Dated { answer: ConfidentialAnswer::RemovedOrLocked, at_unix_s: NOW },
            },
            bound: around(),
            administrators: "A".to_owned(),
            last_used_unix_s: None,
            uses: 0,
        }
    }

    #[test]
    fn it_ends_with_what_it_is_bound_to() {
        let with = |change: fn(&mut Around)| {
            let mut changed = around();
            change(&mut changed);
            changed
        };
        for (now, around, who, expected) in [
            (NOW + 1, around(), "A", Ok(())),
            (NOW + 30 * DAY_S, around(), "A", Err(Over::Expired)),
            (NOW - 3_600, around(), "A", Err(Over::Clock)),
            (NOW, with(|a| a.key_id = "X".to_owned()), "A", Err(Over::Key)),
            (NOW, with(|a| a.recipient = "X".to_owned()), "A", Err(Over::Recipient)),
            (NOW, with(|a| a.portal = "X".to_owned()), "A", Err(Over::Portal)),
            (NOW, with(|a| a.configuration = "X".to_owned()), "A", Ok(())),
            (NOW, around(), "B", Err(Over::Administrator)),
        ] {
            assert_eq!(standing().counts(now, &around, who), expected);
        }
    }

    #[test]
    fn one_bundle_a_day() {
        for (last, now, expected) in [
            (None, NOW, true),
            (Some(NOW), NOW + BETWEEN_S - 1, false),
            (Some(NOW), NOW + BETWEEN_S, true),
            (Some(NOW + 500), NOW, false),
        ] {
            assert_eq!(Standing { last_used_unix_s: last, ..standing() }.may_use(now), expected);
        }
    }

    #[test]
    fn who_administers() {
        let passwd = "root:x:0:0::/:\nann:x:1000:100::/:\n";
        let group = "administrators:x:0:admin,ann\neveryone:x:100:bob\n";
        let before = names(passwd, group);
        assert_eq!(names(&format!("{passwd}bob:x:1001:100::/:\n"), group), before, "no administrator");
        assert_eq!(names(passwd, &group.replace("admin,ann", "ann,admin")), before, "the order says nothing");
        assert_ne!(names(&format!("{passwd}toor:x:0:0::/:\n"), group), before);
        assert_ne!(names(passwd, &group.replace("admin,ann", "admin,ann,bob")), before);
        assert_ne!(names(passwd, &group.replace(",ann", "")), before);
    }
}
