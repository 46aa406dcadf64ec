//! What the configuration looked like at one moment, so that what a session changed can be shown: accounts, keys that may
//! log in, ports that listen; and its files, where no recovery copy tells what became of them. Salted digests instead of
//! contents; it stays on this NAS, readable by the administrator alone, and is emptied when the session ended. Quirk:
//! what a system rewrites by itself (a lease, a cache) shows as changed too; the counts of accounts, keys and services do
//! not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use assay_bundle::digest::sha256_hex;
use assay_bundle::session::DifferenceSummary;
use serde::{Deserialize, Serialize};

/// Where configuration lives: on QTS `/etc/config`, elsewhere `/etc`; and the keys of root.
const PLACES: [&str; 3] = ["etc/config", "etc", "root/.ssh"];
/// Most files; a tree with more is looked at up to here, and the difference says so.
const MOST_FILES: usize = 20_000;
/// Larger files are told apart by size and times alone.
const MOST_DIGESTED_BYTES: u64 = 1 << 20;
/// State of a listening socket in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// One moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// What the digests of files are mixed with.
    #[serde(default)]
    salt: String,
    /// Each path and what tells one state of it from another.
    files: BTreeMap<String, String>,
    /// Names of accounts.
    accounts: BTreeSet<String>,
    /// Digests of keys that may log in.
    keys: BTreeSet<String>,
    /// Ports that listen, by protocol.
    services: BTreeSet<String>,
    /// Whether there were more files than are looked at.
    cut: bool,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// New paths.
    pub(crate) added: Vec<String>,
    /// Paths that are gone.
    pub(crate) removed: Vec<String>,
    /// Paths that changed.
    pub(crate) changed: Vec<String>,
    /// New accounts.
    pub(crate) accounts: Vec<String>,
    /// New keys that may log in, by digest.
    pub(crate) keys: Vec<String>,
    /// New ports that listen.
    pub(crate) services: Vec<String>,
    /// Whether there were more files than are looked at.
    pub(crate) cut: bool,
}

impl Snapshot {
    /// Looks at the system below `root`; its files with digests under `salt`. What cannot be read counts as not there.
    pub(crate) fn take(root: &Path, salt: &str) -> Self {
        let mut snapshot = Self { salt: salt.to_owned(), ..Self::default() };
        let mut seen = BTreeSet::new();
        // `/etc` is small on QTS and full of links into `/etc/config`; a folder is walked once.
        for place in PLACES {
            snapshot.walk(root, &root.join(place), &mut seen);
        }
        for name in ["etc/config/passwd", "etc/passwd"] {
            snapshot.accounts.extend(accounts(&text(&root.join(name))));
        }
        for (protocol, name) in [("tcp", "proc/net/tcp"), ("tcp6", "proc/net/tcp6")] {
            snapshot.services.extend(listening(protocol, &text(&root.join(name))));
        }
        snapshot
    }

    fn walk(&mut self, root: &Path, folder: &Path, seen: &mut BTreeSet<PathBuf>) {
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let whole = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
            if !seen.insert(whole) {
                continue;
            }
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(path);
                    continue;
                }
                if self.files.len() >= MOST_FILES {
                    self.cut = true;
                    return;
                }
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                let state = state(&path, &kind, &self.salt);
                if name.ends_with("/authorized_keys") || name.ends_with("/authorized_keys2") {
                    self.keys.extend(keys(&text(&path)));
                }
                self.files.insert(name, state);
            }
        }
    }

    /// The same without its files: a recovery copy tells of them.
    pub(crate) fn without_files(self) -> Self {
        Self { files: BTreeMap::new(), salt: String::new(), cut: false, ..self }
    }

    /// What differs from this moment to a later one.
    pub(crate) fn until(&self, later: &Self) -> Difference {
        let new =
            |before: &BTreeSet<String>, after: &BTreeSet<String>| after.difference(before).cloned().collect();
        let changed =
            |path: &&String| later.files.get(*path).is_some_and(|after| self.files.get(*path) != Some(after));
        Difference {
            added: later.files.keys().filter(|path| !self.files.contains_key(*path)).cloned().collect(),
            removed: self.files.keys().filter(|path| !later.files.contains_key(*path)).cloned().collect(),
            changed: self.files.keys().filter(changed).cloned().collect(),
            accounts: new(&self.accounts, &later.accounts),
            keys: new(&self.keys, &later.keys),
            services: new(&self.services, &later.services),
            cut: self.cut || later.cut,
        }
    }
}

impl Difference {
    /// What travels: counts.
    pub(crate) fn summary(&self) -> DifferenceSummary {
        let count = |list: &[String]| u64::try_from(list.len()).unwrap_or(u64::MAX);
        DifferenceSummary {
            paths_added: count(&self.added),
            paths_removed: count(&self.removed),
            paths_changed: count(&self.changed),
            new_accounts: count(&self.accounts),
            new_keys: count(&self.keys),
            new_services: count(&self.services),
        }
    }
}

/// What tells one state of a file from another.
fn state(path: &Path, kind: &fs::FileType, salt: &str) -> String {
    let Ok(meta) = path.symlink_metadata() else { return "unreadable".to_owned() };
    let head = format!("{:o} {}:{} {}", meta.mode(), meta.uid(), meta.gid(), meta.len());
    let content = if kind.is_symlink() {
        fs::read_link(path).map(|target| target.to_string_lossy().into_owned()).unwrap_or_default()
    } else if kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device() {
        String::new()
    } else if meta.len() > MOST_DIGESTED_BYTES {
        format!("{}.{}", meta.mtime(), meta.mtime_nsec())
    } else {
        bytes(path).map(|bytes| sha256_hex(&[salt.as_bytes(), &bytes].concat())).unwrap_or_default()
    };
    format!("{head} {content}")
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // A file that became a pipe meanwhile must not be waited for.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(MOST_DIGESTED_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(path: &Path) -> String {
    let bytes = fs::canonicalize(path).and_then(|path| bytes(&path)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn accounts(passwd: &str) -> impl Iterator<Item = String> + '_ {
    passwd
        .lines()
        .filter_map(|line| line.split(':').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
}

/// One digest for each key; comments and order do not matter to who may log in.
fn keys(text: &str) -> impl Iterator<Item = String> + '_ {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sha256_hex(line.as_bytes()))
}

/// Ports in `/proc/net/tcp` or `tcp6` that listen, and where.
fn listening<'t>(protocol: &'t str, text: &'t str) -> impl Iterator<Item = String> + 't {
    text.lines().skip(1).filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, state) = (words.next()?, words.nth(1)?);
        let (_, port) = local.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok().filter(|_| state == LISTENS)?;
        Some(format!("{protocol} port {port}"))
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    }

    #[test]
    fn what_a_session_leaves_behind_is_seen() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        let head = "  sl  local_address rem_address   st\n";
        write(root, "etc/passwd", "root:x:0:0\n");
        write(root, "etc/old.conf", "old");
        write(root, "etc/smb.conf", "a");
        write(root, "root/.ssh/authorized_keys", "# mine\nssh-ed25519 AAAA me\n");
        write(root, "proc/net/tcp", &format!("{head} 0: 00000000:0016 00000000:0000 0A 0\n"));
        let before = Snapshot::take(root, "s");
        assert_eq!(before.until(&Snapshot::take(root, "s")), Difference::default());
        assert_ne!(Snapshot::take(root, "t").files, before.files, "nobody can tell what a digest is of");

        write(root, "etc/passwd", "root:x:0:0\nguest:x:0:0\n");
        fs::remove_file(root.join("etc/old.conf")).expect("removed");
        write(root, "etc/new/x.conf", "new");
        write(root, "root/.ssh/authorized_keys", "ssh-ed25519 AAAA me\nssh-ed25519 BBBB other\n");
        let established = " 1: 0100007F:1F90 0100007F:0050 01 0\n 2: 00000000:1F90 00000000:0000 0A 0\n";
        write(root, "proc/net/tcp", &format!("{head} 0: 00000000:0016 00000000:0000 0A 0\n{established}"));
        let difference = before.until(&Snapshot::take(root, "s"));
        let bare = before.clone().without_files().until(&Snapshot::take(root, "s").without_files());
        assert_eq!((bare.added, bare.changed, bare.accounts), (vec![], vec![], vec!["guest".to_owned()]));
        assert_eq!(difference.added, ["etc/new/x.conf"]);
        assert_eq!(difference.removed, ["etc/old.conf"]);
        assert_eq!(difference.changed, ["etc/passwd", "root/.ssh/authorized_keys"]);
        assert_eq!(difference.accounts, ["guest"]);
        assert_eq!(difference.keys.len(), 1);
        assert_eq!(difference.services, ["tcp port 8080"]);
        let summary = difference.summary();
        assert_eq!((summary.paths_added, summary.paths_changed, summary.new_accounts), (1, 2, 1));
    }
}
