//! Where things live on this machine. Looks, never creates.
//!
//! On QTS only the configuration area and the data volumes survive a boot; the first holds identity and nothing
//! else, the second holds the spool. Without a data volume there is no spool, and a bundle goes to a file.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file whose presence says QTS or QuTS hero.
const QTS_MARK: &str = "etc/config/uLinux.conf";
/// Where QTS names its default data volume: `[SHARE_DEF] defVolMP`.
const QTS_SHARES: &str = "etc/config/def_share.info";

/// Which layout applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Everything below one folder that the caller named.
    StateDir,
    /// QTS or QuTS hero.
    Qts,
    /// Any other Linux.
    Linux,
}

/// Where things live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    /// Which layout this is.
    pub(crate) layout: Layout,
    /// Configuration file, whether or not it exists.
    pub(crate) config_file: PathBuf,
    /// Key, pins, reservation of numbers, pseudonym key.
    pub(crate) identity_dir: PathBuf,
    /// Bundles that wait; none when no data volume is mounted.
    pub(crate) spool_dir: Option<PathBuf>,
    /// What runs remember for the next ones, beside the spool: written at every run, so never on the configuration
    /// area. None when no data volume is mounted.
    pub(crate) memory_dir: Option<PathBuf>,
    /// Recovery copies of the configuration, beside the spool. None when no data volume is mounted.
    pub(crate) recovery_dir: Option<PathBuf>,
    /// State that dies with the boot, in RAM.
    pub(crate) runtime_dir: PathBuf,
}

impl Paths {
    /// Finds the places of the running system, or below `state_dir`.
    pub(crate) fn find(state_dir: Option<&Path>) -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self::find_below(Path::new("/"), state_dir, user, is_mounted)
    }

    fn find_below(root: &Path, state_dir: Option<&Path>, user: u32, mounted: fn(&Path) -> bool) -> Self {
        let qts = root.join(QTS_MARK).is_file();
        // QTS keeps /var on its RAM disk and has no /run.
        let runtime_dir = match (user, qts) {
            (0, true) => root.join("var/run/assay"),
            (0, false) => root.join("run/assay"),
            (user, _) => root.join(format!("dev/shm/assay-{user}")),
        };
        if let Some(dir) = state_dir {
            return Self {
                layout: Layout::StateDir,
                config_file: dir.join("assay.toml"),
                identity_dir: dir.join("identity"),
                spool_dir: Some(dir.join("spool")),
                memory_dir: Some(dir.join("memory")),
                recovery_dir: Some(dir.join("recovery")),
                runtime_dir,
            };
        }
        if qts {
            let volume = data_volume(root, mounted);
            return Self {
                layout: Layout::Qts,
                config_file: root.join("etc/config/assay/assay.toml"),
                identity_dir: root.join("etc/config/assay"),
                spool_dir: volume.as_ref().map(|volume| volume.join(".assay/spool")),
                memory_dir: volume.as_ref().map(|volume| volume.join(".assay/memory")),
                recovery_dir: volume.map(|volume| volume.join(".assay/recovery")),
                runtime_dir,
            };
        }
        Self {
            layout: Layout::Linux,
            config_file: root.join("etc/assay/assay.toml"),
            identity_dir: root.join("var/lib/assay/identity"),
            spool_dir: Some(root.join("var/lib/assay/spool")),
            memory_dir: Some(root.join("var/lib/assay/memory")),
            recovery_dir: Some(root.join("var/lib/assay/recovery")),
            runtime_dir,
        }
    }
}

/// The default data volume that QTS names, else the first mounted one by name.
fn data_volume(root: &Path, mounted: fn(&Path) -> bool) -> Option<PathBuf> {
    let named = std::fs::read_to_string(root.join(QTS_SHARES)).ok().and_then(|text| default_volume(&text));
    let named = named.map(|path| root.join(path.trim_start_matches('/')));
    if let Some(volume) = named.filter(|volume| mounted(volume)) {
        return Some(volume);
    }
    let mut volumes: Vec<PathBuf> = std::fs::read_dir(root.join("share"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| is_volume_name(&name.to_string_lossy())))
        .filter(|path| mounted(path))
        .collect();
    volumes.sort();
    volumes.into_iter().next()
}

/// Removable disks that are mounted, by path: QTS mounts them below `/share/external`, desktops below `/media`.
pub(crate) fn removable() -> Vec<PathBuf> {
    removable_below(Path::new("/"), is_mounted)
}

fn removable_below(root: &Path, mounted: fn(&Path) -> bool) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        // A link of QTS (USBDisk1) names a disk that is mounted under its own name beside it.
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect()
    };
    let mut found = inside(&root.join("share/external"));
    for path in inside(&root.join("media")) {
        found.extend(inside(&path));
        found.push(path);
    }
    found.retain(|path| mounted(path));
    found.sort();
    found
}

/// `[SHARE_DEF] defVolMP` of QTS's INI file.
fn default_volume(text: &str) -> Option<String> {
    let mut here = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            here = section == "SHARE_DEF";
        } else if let (true, Some((key, value))) = (here, line.split_once('='))
            && key.trim() == "defVolMP"
        {
            return Some(value.trim().trim_matches('"').to_owned()).filter(|v| v.starts_with('/'));
        }
    }
    None
}

/// Names under which QTS and QuTS hero mount data volumes; everything else in `/share` is a link or external.
fn is_volume_name(name: &str) -> bool {
    let stem = name.strip_prefix("CE_").unwrap_or(name).strip_suffix("_DATA").unwrap_or_default();
    let numbered =
        |prefix: &str| stem.strip_prefix(prefix).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    ["CACHEDEV", "ZFS", "MD", "HD"].into_iter().any(numbered) || stem.len() == 3 && stem.starts_with("HD")
}

/// Whether a file system of its own is mounted there: `/share` itself is a RAM disk full of empty folders.
fn is_mounted(path: &Path) -> bool {
    let device = |path: &Path| path.metadata().ok().map(|meta| meta.dev());
    match (device(path), path.parent().and_then(device)) {
        (Some(own), Some(parent)) => own != parent,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// A root with these files (`path=text`) and folders (`path/`), and what is found in it.
    fn check(have: &[&str], state_dir: Option<&str>, identity: &str, spool: Option<&str>, runtime: &str) {
        let root = tempfile::tempdir().expect("a folder");
        for entry in have {
            let (path, text) = entry.split_once('=').map_or((*entry, None), |(p, t)| (p, Some(t)));
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("folders");
            match text {
                Some(text) => std::fs::write(path, text).expect("a file"),
                None => std::fs::create_dir_all(path).expect("a folder"),
            }
        }
        let found = Paths::find_below(root.path(), state_dir.map(Path::new), 0, Path::is_dir);
        let below = |path: &Path| {
            path.strip_prefix(root.path())
                .map_or_else(|_| path.display().to_string(), |p| p.display().to_string())
        };
        assert_eq!(below(&found.identity_dir), identity);
        assert_eq!(found.spool_dir.as_deref().map(below).as_deref(), spool);
        let beside = spool.map(|spool| spool.replace("spool", "memory"));
        assert_eq!(found.memory_dir.as_deref().map(below), beside);
        let beside = spool.map(|spool| spool.replace("spool", "recovery"));
        assert_eq!(found.recovery_dir.as_deref().map(below), beside);
        assert_eq!(below(&found.runtime_dir), runtime);
    }

    #[test]
    fn each_layout() {
        check(&[], None, "var/lib/assay/identity", Some("var/lib/assay/spool"), "run/assay");
        check(&[], Some("/x"), "/x/identity", Some("/x/spool"), "run/assay");
        let qts = "etc/config/uLinux.conf=";
        check(&[qts], None, "etc/config/assay", None, "var/run/assay");
        check(
            &[qts, "share/ZFS530_DATA/x/", "share/CACHEDEV1_DATA_old/x/", "share/Public/x/"],
            None,
            "etc/config/assay",
            Some("share/ZFS530_DATA/.assay/spool"),
            "var/run/assay",
        );
        check(
            &[
                qts,
                "share/CACHEDEV1_DATA/x/",
                "share/CE_CACHEDEV2_DATA/x/",
                "etc/config/def_share.info=[SHARE_DEF]\ndefWeb = Web\ndefVolMP = /share/CE_CACHEDEV2_DATA\n",
            ],
            None,
            "etc/config/assay",
            Some("share/CE_CACHEDEV2_DATA/.assay/spool"),
            "var/run/assay",
        );
    }

    #[test]
    fn removable_disks() {
        let root = tempfile::tempdir().expect("a folder");
        for path in ["share/external/DEV3301_1", "share/CACHEDEV1_DATA", "media/admin/STICK"] {
            std::fs::create_dir_all(root.path().join(path)).expect("folders");
        }
        let link = root.path().join("share/external/USBDisk1");
        std::os::unix::fs::symlink("DEV3301_1", link).expect("a link");
        let found = removable_below(root.path(), |path| !path.ends_with("admin"));
        let names: Vec<_> = found.iter().filter_map(|p| p.strip_prefix(root.path()).ok()).collect();
        assert_eq!(names, [Path::new("media/admin/STICK"), Path::new("share/external/DEV3301_1")]);
    }

    #[test]
    fn names_of_volumes() {
        for (name, expected) in [
            ("CACHEDEV1_DATA", true),
            ("CE_CACHEDEV12_DATA", true),
            ("ZFS530_DATA", true),
            ("MD0_DATA", true),
            ("HDA_DATA", true),
            ("Public", false),
            ("CACHEDEVx_DATA", false),
            ("external", false),
        ] {
            assert_eq!(is_volume_name(name), expected, "{name}");
        }
    }
}
