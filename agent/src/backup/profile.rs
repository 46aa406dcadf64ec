//! What a recovery copy takes from which system: the one list of places.
//!
//! A root may itself be a link of the system (`/etc/config` on QTS leads to the system partition); below it no link is
//! followed. A pattern with a slash names a place and all below it, with `*` within a part; one without a slash is any
//! part of a path with that name. Saved volume keys are read only when the owner asks for them; the keys by which this
//! device signs are in no copy: two units with one identity are what the portal calls a clone.

use std::collections::BTreeMap;
use std::io::BufRead;

/// One system's list.
#[derive(Debug)]
pub(crate) struct Profile {
    /// Its name in a copy.
    pub(crate) name: &'static str,
    /// Files and folders that are taken, where they are there.
    pub(crate) roots: &'static [&'static str],
    /// Never read.
    never: &'static [(&'static str, &'static str)],
    /// Read only when the owner asks.
    volume_keys: &'static [&'static str],
    /// What restores into another unit: users, groups, shares, network, schedule. Of packages the list is shown and
    /// nothing is restored: a registry that names programs which are not there stops the others from starting.
    portable: &'static [&'static str],
    /// Where packages are registered.
    pub(crate) packages: &'static str,
}

/// QTS and QuTS hero.
static QTS: Profile = Profile {
    name: "qts",
    roots: &[
        "etc/config",
        "etc/enclosure_0.conf",
        "etc/hal.conf",
        "etc/hal_util.conf",
        "etc/lvm/backup",
        "etc/model.conf",
        "etc/platform.conf",
        "etc/volume.conf",
        "mnt/HDA_ROOT/.conf",
        // The boot partition, where QTS or the owner has it mounted; it is never mounted for a copy.
        "tmp/config/autorun.sh",
        "tmp/nasconfig_tmp/autorun.sh",
    ],
    never: &[
        ("etc/config/assay/device.key", "key-of-this-device"),
        ("etc/config/assay/pseudonym.key", "key-of-this-device"),
    ],
    volume_keys: &["etc/config/.externalkey"],
    portable: &[
        "etc/config/crontab",
        "etc/config/def_share.info",
        "etc/config/dhcpcd*",
        "etc/config/group",
        "etc/config/ifcfg*",
        "etc/config/network",
        "etc/config/nfssetting",
        "etc/config/nm.conf",
        "etc/config/passwd",
        "etc/config/resolv.conf",
        "etc/config/route*",
        "etc/config/smb*.conf",
    ],
    packages: "etc/config/qpkg.conf",
};

/// Any other Linux.
static LINUX: Profile = Profile {
    name: "linux",
    roots: &["boot/config.txt", "boot/grub/grub.cfg", "boot/loader", "etc", "var/spool/cron"],
    never: &[],
    volume_keys: &["etc/cryptsetup-keys.d", "etc/luks-keys", "etc/zfs/keys", "*.keyfile"],
    portable: &[
        "etc/exports*",
        "etc/group",
        "etc/hosts",
        "etc/netplan",
        "etc/network",
        "etc/NetworkManager",
        "etc/passwd",
        "etc/samba",
        "etc/systemd/network",
    ],
    packages: "var/lib/dpkg/status",
};

/// Restored only when named: password hashes, keys and certificates with them, and this program's identity. Old hashes
/// lock their owner out, an old host key makes every client warn, and an identity belongs to one unit.
const PROTECTED: [&str; 16] = [
    "*.key",
    "*.keyfile",
    "*.pem",
    "authorized_keys",
    "etc/config/.externalkey",
    "etc/config/assay",
    "etc/cryptsetup-keys.d",
    "etc/luks-keys",
    "etc/ssl/private",
    "etc/zfs/keys",
    "gshadow*",
    "id_*",
    "opasswd",
    "shadow*",
    "smbpasswd*",
    "ssh_host_*",
];

impl Profile {
    /// The list of a system.
    pub(crate) fn of(qts: bool) -> &'static Self {
        if qts { &QTS } else { &LINUX }
    }

    /// The list by its name in a copy.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        [&QTS, &LINUX].into_iter().find(|profile| profile.name == name)
    }

    /// Why a path is not taken.
    pub(crate) fn left_out(&self, path: &[u8], volume_keys: bool) -> Option<&'static str> {
        let never = self.never.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, why)| *why);
        let is_volume_key = self.volume_keys.iter().any(|pattern| matches(pattern, path));
        never.or_else(|| (is_volume_key && !volume_keys).then_some("volume-key-not-asked-for"))
    }

    /// Whether a path belongs to what another unit can take.
    pub(crate) fn is_portable(&self, path: &[u8]) -> bool {
        self.portable.iter().any(|pattern| matches(pattern, path))
    }
}

/// Whether a path is restored only when it is named.
pub(crate) fn is_protected(path: &[u8]) -> bool {
    PROTECTED.iter().any(|pattern| matches(pattern, path))
}

/// Whether `path` is `place` or below it.
pub(crate) fn is_below(path: &[u8], place: &[u8]) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

fn matches(pattern: &str, path: &[u8]) -> bool {
    let mut parts = path.split(|byte| *byte == b'/');
    match pattern.contains('/') {
        false => parts.any(|part| part_matches(pattern.as_bytes(), part)),
        true => pattern.split('/').all(|one| parts.next().is_some_and(|p| part_matches(one.as_bytes(), p))),
    }
}

/// A part with at most a few `*`.
fn part_matches(pattern: &[u8], part: &[u8]) -> bool {
    match pattern.split_first() {
        None => part.is_empty(),
        Some((b'*', rest)) => {
            (0..=part.len()).any(|at| part.get(at..).is_some_and(|p| part_matches(rest, p)))
        }
        Some((byte, rest)) => part.split_first().is_some_and(|(b, p)| b == byte && part_matches(rest, p)),
    }
}

/// Names and versions in QTS's registry of packages, or in dpkg's.
pub(crate) fn packages(qts: bool, registry: &mut dyn BufRead) -> BTreeMap<String, String> {
    /// More than any system has; a registry that is something else must not fill the memory.
    const MOST: usize = 20_000;
    let (mut found, mut name, mut line) = (BTreeMap::new(), None::<String>, Vec::new());
    while found.len() < MOST {
        line.clear();
        if !matches!(registry.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let (begins, version) = match qts {
            true => {
                let begins = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
                let value = text.split_once('=').filter(|(key, _)| key.trim() == "Version");
                (begins, value.map(|(_, value)| value.trim().trim_matches('"')))
            }
            false => (text.strip_prefix("Package: "), text.strip_prefix("Version: ")),
        };
        if let Some(begins) = begins {
            name = Some(begins.trim().to_owned());
        } else if let (Some(version), Some(name)) = (version, name.take_if(|_| version.is_some())) {
            found.insert(name, version.to_owned());
        }
    }
    found
}

/// A value of an INI file of QTS.
pub(crate) fn ini_value(text: &str, section: &str, key: &str) -> Option<String> {
    let mut here = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            here = name == section;
        } else if let (true, Some((name, value))) = (here, line.split_once('='))
            && name.trim() == key
        {
            return Some(value.trim().trim_matches('"').to_owned()).filter(|value| !value.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_and_protected() {
        fn check(path: &str, left_out: Option<&str>, protected: bool) {
            assert_eq!(QTS.left_out(path.as_bytes(), false), left_out, "{path}");
            assert_eq!(is_protected(path.as_bytes()), protected, "{path}");
        }
        check("etc/config/uLinux.conf", None, false);
        check("etc/config/shadow", None, true);
        check("etc/config/shadow-", None, true);
        check("etc/config/ssh/ssh_host_rsa_key", None, true);
        check("etc/config/apache/ssl/key.pem", None, true);
        check("etc/config/assay/device.key", Some("key-of-this-device"), true);
        check("etc/config/assay/assay.toml", None, true);
        check("etc/config/.externalkey/1.key", Some("volume-key-not-asked-for"), true);
        check("etc/config/.externalkey", Some("volume-key-not-asked-for"), true);
        check("etc/config/.externalkeys", None, false);
        check("etc/config/keyboard", None, false);
        assert_eq!(QTS.left_out(b"etc/config/.externalkey/1.key", true), None);
        assert!(QTS.is_portable(b"etc/config/smb.conf") && !QTS.is_portable(b"etc/config/raid.conf"));
        assert!(is_below(b"a/b", b"a") && is_below(b"a", b"a") && !is_below(b"ab", b"a"));
    }

    #[test]
    fn packages_of_both_registries() {
        fn check(qts: bool, text: &str, expected: &[(&str, &str)]) {
            let found = packages(qts, &mut text.as_bytes());
            let found: Vec<_> =
                found.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
            assert_eq!(found, expected);
        }
        check(true, "[A]\nName = A\nVersion = 1.2\n[B]\nVersion = \"3\"\n", &[("A", "1.2"), ("B", "3")]);
        check(
            false,
            "Package: a\nStatus: x\nVersion: 1-2\n\nPackage: b\nVersion: 3\n",
            &[("a", "1-2"), ("b", "3")],
        );
        check(true, "\u{0}\n=\n[", &[]);
        assert_eq!(ini_value("[S]\nVersion = 5.1\n", "S", "Version").as_deref(), Some("5.1"));
    }
}
