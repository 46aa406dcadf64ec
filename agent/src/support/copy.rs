//! The recovery copy as a support request sees it: take one, or say why there can be none.
//!
//! The copy is taken by this program's own command in a child, so that a configuration area that hangs costs the copy
//! and not the answer. Nothing of the copy is read here but its receipt. The digest of the configuration is one of
//! names, sizes and times, never of contents: it leaves the device inside a waiver.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use assay_bundle::consent::{CopyTaken, WaiverReason};
use assay_bundle::digest::sha256_hex;
use assay_bundle::recovery::CopyReceipt;

use crate::context::Context;

/// How long a copy may take (judgement: a configuration of a gigabyte on a slow array).
const DEADLINE: Duration = Duration::from_secs(20 * 60);
/// What a login, a share, the network and storage depend on. On QTS `/etc/config` is where `/etc` points to; on any
/// Linux the ones that are not there count as not there. Files that the system rewrites by itself are not among them.
const CONFIGURATION: [&str; 22] = [
    "etc/config/passwd",
    "etc/config/shadow",
    "etc/config/group",
    "etc/config/smb.conf",
    "etc/config/raid.conf",
    "etc/config/storage_lvm.conf",
    "etc/config/qpkg.conf",
    "etc/config/def_share.info",
    "etc/config/crontab",
    "etc/config/ssh/sshd_config",
    "etc/config/ssh/authorized_keys",
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/sudoers",
    "etc/fstab",
    "etc/exports",
    "etc/crontab",
    "etc/mdadm.conf",
    "etc/mdadm/mdadm.conf",
    "etc/samba/smb.conf",
    "etc/ssh/sshd_config",
];

/// A copy that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taken {
    /// What a consent says of it.
    pub(crate) copy: CopyTaken,
    /// Its whole receipt, for the manifest.
    pub(crate) receipt: CopyReceipt,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WhyNot {
    /// The one word that a waiver carries.
    pub(crate) reason: WaiverReason,
    /// In the probe's words, for the owner.
    pub(crate) words: String,
}

/// Whoever can take a copy.
pub(crate) trait RecoveryCopy {
    /// Takes one and reads it back.
    async fn create(&self) -> Result<Taken, WhyNot>;
    /// What a waiver is bound to, SHA-256 in lower-case hex.
    fn configuration_digest(&self) -> String;
}

/// This program's own `backup create`.
pub(crate) struct OwnCommand<'a> {
    /// The call that asks.
    pub(crate) context: &'a Context,
    /// A list to fill beside it, for the comparison with another copy.
    pub(crate) digests: Option<&'a Path>,
}

impl<'a> OwnCommand<'a> {
    /// A copy, and nothing beside it.
    pub(crate) fn of(context: &'a Context) -> Self {
        Self { context, digests: None }
    }
}

impl RecoveryCopy for OwnCommand<'_> {
    async fn create(&self) -> Result<Taken, WhyNot> {
        let failed = |words: String| WhyNot { reason: WaiverReason::CopyFailed, words };
        let paths = &self.context.paths;
        if let Some(volume) = &paths.memory_dir {
            writable(volume)?;
        }
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = tokio::process::Command::new(program);
        command.args(["backup", "create", "--json"]);
        if let Some(list) = self.digests {
            command.arg("--digests").arg(list);
        }
        if let Some(dir) = &self.context.globals.state_dir {
            command.arg("--state-dir").arg(dir);
        }
        if let Some(file) = &self.context.globals.config {
            command.arg("--config").arg(file);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let ended = match tokio::time::timeout(DEADLINE, command.output()).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("it took longer than {} s", DEADLINE.as_secs()))),
        };
        if ended.status.success() {
            return read_receipt(&ended.stdout)
                .ok_or_else(|| failed("its receipt cannot be read".to_owned()));
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let words = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
        match &paths.memory_dir {
            // The command may still have tried a USB disk; that there is no volume is the deeper reason.
            None => Err(WhyNot { reason: WaiverReason::NoVolume, words: words.to_owned() }),
            Some(_) => Err(WhyNot { reason: reason_of(&said), words: words.to_owned() }),
        }
    }

    fn configuration_digest(&self) -> String {
        digest_below(Path::new("/"))
    }
}

/// Looks at the volume before anything is copied.
fn writable(volume: &Path) -> Result<(), WhyNot> {
    let there = volume.ancestors().find(|folder| folder.is_dir()).unwrap_or(volume);
    match rustix::fs::statvfs(there) {
        Ok(stat) if stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) => Err(WhyNot {
            reason: WaiverReason::ReadOnly,
            words: format!("the data volume at {} is mounted read-only", there.display()),
        }),
        _ => Ok(()),
    }
}

/// The word for what the command said; what is not told apart is a copy that failed.
fn reason_of(said: &str) -> WaiverReason {
    let said = said.to_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match () {
        () if holds(&["read-only file system", "read-only"]) => WaiverReason::ReadOnly,
        () if holds(&["no space left", "not enough room", "not enough space", "disk quota"]) => {
            WaiverReason::NoRoom
        }
        () if holds(&["no data volume"]) => WaiverReason::NoVolume,
        () => WaiverReason::CopyFailed,
    }
}

/// The receipt that the command printed.
fn read_receipt(printed: &[u8]) -> Option<Taken> {
    let receipt: CopyReceipt = assay_bundle::json::from_slice(printed).ok()?;
    let copy =
        CopyTaken { level: receipt.level, sha256: receipt.sha256.clone(), made_unix_s: receipt.made_unix_s };
    Some(Taken { copy, receipt })
}

fn digest_below(root: &Path) -> String {
    let mut text = String::new();
    for path in CONFIGURATION {
        if let Ok(meta) = root.join(path).metadata() {
            let (size, mode, owner) = (meta.len(), meta.mode(), meta.uid());
            text.push_str(&format!("{path} {size} {mode} {owner} {}.{}\n", meta.mtime(), meta.mtime_nsec()));
        }
    }
    sha256_hex(text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::consent::CopyLevel;

    #[test]
    fn a_receipt_and_nothing_else_is_a_copy() {
        let receipt = r#"{"format":1,"name":"x","made_at":"","made_unix_s":7,"agent_version":"","profile":"linux",
            "size_bytes":1,"sha256":"ab","entries":1,"content_bytes":1,"recipients":[],"level":"read_back",
            "volume_keys":false,"notes":{},"left_out":{}}"#;
        let taken = read_receipt(receipt.as_bytes()).expect("a receipt");
        assert_eq!((taken.copy.level, taken.copy.made_unix_s), (CopyLevel::ReadBack, 7));
        assert_eq!(read_receipt(b"{}"), None);
        assert_eq!(read_receipt(b"done"), None);
    }

    #[test]
    fn reasons() {
        for (said, expected) in [
            ("assay: cannot write x: Read-only file system (os error 30)", WaiverReason::ReadOnly),
            ("assay: No space left on device", WaiverReason::NoRoom),
            ("error: unrecognized subcommand 'backup'", WaiverReason::CopyFailed),
        ] {
            assert_eq!(reason_of(said), expected, "{said}");
        }
    }

    #[test]
    fn a_changed_account_changes_the_digest_and_a_touched_log_does_not() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, text).expect("a file");
        };
        let empty = digest_below(root.path());
        write("etc/passwd", "root");
        let before = digest_below(root.path());
        assert_ne!(empty, before);
        write("etc/log", "noise");
        assert_eq!(digest_below(root.path()), before);
        write("etc/passwd", "root and one more");
        assert_ne!(digest_below(root.path()), before);
    }
}
