//! The latest version, as the portal tells it in its signed answers. Nothing is fetched and nothing installs itself: the
//! owner is told once, and `assay status` goes on saying it.
//!
//! Refused with words, and told once too: a version that is none, one that is older than what runs here or than what was
//! announced before (somebody may want an old fault back), and another digest for a version that was announced before.
//! Kept in RAM; the data volume is written only when there is news, and read only after a boot.

use std::path::PathBuf;

use assay_bundle::poll::VersionNotice;
use assay_bundle::version::Version;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::daemon::board;
use crate::{daemon, output};

/// Its file, in RAM and on the data volume.
const FILE: &str = "update.json";
/// What runs here.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Heard {
    /// The latest version that was believed; it stays for comparison when it runs here at last.
    pub(crate) latest: Option<VersionNotice>,
    /// Why the newest announcement was not believed.
    pub(crate) refused: Option<String>,
}

impl Heard {
    /// What the owner can have that does not run here yet.
    pub(crate) fn news(&self) -> Option<&VersionNotice> {
        self.latest.as_ref().filter(|latest| Version::parse(&latest.version) > Version::parse(OWN))
    }

    /// For a person: what is there, and how it is had and verified.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(latest) = self.news() {
            lines.extend(words(latest));
        }
        if let Some(why) = &self.refused {
            lines.push(format!("an announcement was not believed: {why}"));
        }
        lines
    }
}

/// A version in words: what, where, how it is verified.
fn words(latest: &VersionNotice) -> [String; 3] {
    [
        format!("version {} is there, this is {OWN}; nothing installs itself", latest.version),
        format!("get it from {} and check before you install it:", latest.url),
        format!("`sha256sum FILE` must print {}", latest.sha256),
    ]
}

/// What is known; nothing where nothing was heard.
pub(crate) fn heard(context: &Context) -> Heard {
    let [ram, volume] = places(context);
    let read = |path: Option<PathBuf>| board::read::<Heard>(&path?);
    if let Some(heard) = read(ram) {
        return heard;
    }
    read(volume).unwrap_or_default()
}

fn places(context: &Context) -> [Option<PathBuf>; 2] {
    let ram = board::folder(&context.paths).join(FILE);
    [Some(ram), context.paths.memory_dir.as_ref().map(|folder| folder.join(FILE))]
}

/// Takes in what a signed answer of the portal says. The words are for the owner, and only when they are new; they went
/// to the system's log already.
pub(crate) fn hear(context: &Context, latest: Option<&VersionNotice>) -> Option<String> {
    let before = heard(context);
    let now = judge(OWN, &before, latest?);
    let [ram, volume] = places(context);
    let is_new = now != before;
    // Without news RAM is filled after a boot at most, and the data volume rests.
    for path in ram.filter(|ram| is_new || !ram.exists()).into_iter().chain(volume.filter(|_| is_new)) {
        let kept =
            serde_json::to_vec(&now).map_err(Into::into).and_then(|b| output::replace_private(&path, &b));
        if let Err(error) = kept {
            tracing::warn!("{error:#}; the announcement of a version is told again");
        }
    }
    let told = match (is_new, &now.refused) {
        (false, _) => return None,
        (true, Some(why)) if before.refused.as_ref() != Some(why) => {
            format!("an announcement was not believed: {why}")
        }
        (true, _) if now.latest != before.latest => words(now.news()?).join(" "),
        (true, _) => return None,
    };
    daemon::to_syslog(&format!("{told}; `assay status` says it again"));
    Some(told)
}

/// What is believed after an announcement.
fn judge(own: &str, before: &Heard, announced: &VersionNotice) -> Heard {
    let refuse = |why: String| Heard { latest: before.latest.clone(), refused: Some(why) };
    let shown = assay_diagnosis::text::escaped(&announced.version);
    let Some(version) = Version::parse(&announced.version) else {
        return refuse(format!("the portal announced {shown:?}, which is no version"));
    };
    if Version::parse(own).is_some_and(|own| version < own) {
        return refuse(format!("the portal announced {shown}, which is older than {own} that runs here"));
    }
    if let Some(known) = &before.latest
        && let Some(known_version) = Version::parse(&known.version)
    {
        if version < known_version {
            return refuse(format!("the portal announced {shown} after it had announced {}", known.version));
        }
        if version == known_version && known.sha256 != announced.sha256 {
            return refuse(format!(
                "the portal announced another digest for {shown} than before; ask your support engineer which is right"
            ));
        }
    }
    Heard { latest: Some(announced.clone()), refused: None }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn notice(version: &str, digest: &str) -> VersionNotice {
        VersionNotice {
            version: version.to_owned(),
            sha256: digest.repeat(32),
            url: "https://portal.example/assay".to_owned(),
        }
    }

    /// Announcements one after the other; what is believed at last, and what is said against the last one.
    fn check(own: &str, announced: &[(&str, &str)], latest: Option<&str>, refused: Option<&str>) {
        let heard = announced
            .iter()
            .fold(Heard::default(), |heard, (version, digest)| judge(own, &heard, &notice(version, digest)));
        assert_eq!(heard.latest.as_ref().map(|l| l.version.as_str()), latest, "{announced:?}");
        match (heard.refused, refused) {
            (None, None) => {}
            (Some(why), Some(words)) => assert!(why.contains(words), "{why}"),
            (why, words) => panic!("{why:?} and not {words:?}"),
        }
    }

    #[test]
    fn what_is_believed() {
        check("0.1.0", &[("0.2.0", "ab")], Some("0.2.0"), None);
        check("0.1.0", &[("0.1.0", "ab")], Some("0.1.0"), None);
        check("0.1.0", &[("0.2.0", "ab"), ("0.10.0", "cd")], Some("0.10.0"), None);
        check("0.2.0", &[("0.1.0", "ab")], None, Some("0.1.0, which is older than 0.2.0"));
        check(
            "0.1.0",
            &[("0.3.0", "ab"), ("0.2.0", "cd")],
            Some("0.3.0"),
            Some("after it had announced 0.3.0"),
        );
        check("0.1.0", &[("0.2.0", "ab"), ("0.2.0", "cd")], Some("0.2.0"), Some("another digest"));
        check(
            "0.1.0",
            &[("0.2.0", "ab"), ("latest", "cd")],
            Some("0.2.0"),
            Some("\"latest\", which is no version"),
        );
        check("0.1.0", &[("latest", "cd"), ("0.2.0", "ab")], Some("0.2.0"), None);
        check("0.1.0", &[("0.2.0-rc.1", "ab"), ("0.2.0", "cd")], Some("0.2.0"), None);
    }

    #[test]
    fn what_runs_already_is_no_news() {
        let heard = |version: &str| Heard { latest: Some(notice(version, "ab")), refused: None };
        assert!(heard(OWN).lines().is_empty());
        let lines = heard("99.0.0").lines().join("\n");
        for words in ["version 99.0.0 is there", OWN, "https://portal.example/assay", &"ab".repeat(32)] {
            assert!(lines.contains(words), "{lines}");
        }
    }
}
