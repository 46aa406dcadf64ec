//! Access lists and extended attributes come back, by our own restore and by stock tar.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};
use rustix::io::Errno;

use super::{Owner, assert_same, is_root, snapshot};
use crate::cli::run::finish;
use crate::support::skip;

/// A POSIX access list in the kernel's form: version 2, then tag, permissions and id of each entry, little-endian.
fn access_list(user: u32) -> Vec<u8> {
    const ANY: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [(1, 6, ANY), (2, 4, user), (4, 4, ANY), (16, 4, ANY), (32, 0, ANY)];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&permissions.to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
    }
    bytes
}

fn set(path: &Path, name: &str, value: &[u8]) -> rustix::io::Result<()> {
    lsetxattr(path, name, value, XattrFlags::empty())
}

/// All attributes of a path but labels of security modules.
fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut list = vec![0_u8; 65_536];
    let size = llistxattr(path, list.as_mut_slice()).unwrap();
    let names = list[..size].split(|b| *b == 0).map(|name| String::from_utf8(name.to_vec()).unwrap());
    let mut found = BTreeMap::new();
    for name in names.filter(|name| !name.is_empty() && !name.starts_with("security.")) {
        let mut value = vec![0_u8; 65_536];
        let size = lgetxattr(path, &*name, value.as_mut_slice()).unwrap();
        value.truncate(size);
        found.insert(name, value);
    }
    found
}

#[test]
fn access_lists_and_attributes_come_back() {
    if !is_root("backup::attributes::access_lists_and_attributes_come_back") {
        return;
    }
    let owner = Owner::new();
    let etc = owner.etc();
    fs::create_dir(etc.join("share")).unwrap();
    for name in ["plain", "listed", "share/file", "large"] {
        fs::write(etc.join(name), name).unwrap();
    }
    // Large enough to go the way of large files.
    fs::write(etc.join("large"), vec![7; 700_000]).unwrap();
    match set(&etc.join("plain"), "user.comment", b"two\nlines = \xff\0") {
        Err(Errno::OPNOTSUPP) => return skip("xattr", "the folder for temporary files takes no attributes"),
        result => result.unwrap(),
    }
    set(&etc.join("plain"), "trusted.mark", b"").unwrap();
    set(&etc.join("listed"), "system.posix_acl_access", &access_list(1000)).unwrap();
    set(&etc.join("large"), "user.large", &[b'x'; 3000]).unwrap();
    set(&etc.join("share"), "system.posix_acl_default", &access_list(2000)).unwrap();
    set(&etc.join("share"), "system.posix_acl_access", &access_list(2000)).unwrap();
    std::os::unix::fs::symlink("plain", etc.join("link")).unwrap();
    set(&etc.join("link"), "trusted.mark", b"of the link").unwrap();
    fs::hard_link(etc.join("plain"), etc.join("second")).unwrap();
    let paths = ["", "plain", "listed", "share", "share/file", "large", "link", "second"];
    let all = |top: &Path| paths.map(|path| attributes(&top.join(path)));
    let (want, trees) = (all(&etc), snapshot(&etc));
    assert_eq!(want.iter().map(BTreeMap::len).sum::<usize>(), 2 + 1 + 2 + 1 + 1 + 2, "{want:?}");

    let receipt =
        owner.create(&["--json", "--verify-with-key", &owner.device.text("key.txt")]).ends(0).json();
    assert_eq!(receipt["notes"].to_string(), "{}");
    let dst = owner.device.path("dst");
    fs::create_dir(&dst).unwrap();
    owner.restore("dst", &[]).ends(0);
    assert_eq!(all(&dst.join("etc")), want);
    assert_same(&snapshot(&dst.join("etc")), &trees);
    assert!(owner.restore("dst", &[]).ends(0).err.contains("nothing to do"));

    // What differs is shown, and what is more is taken away: an access list lets somebody in.
    set(&dst.join("etc/share/file"), "system.posix_acl_access", &access_list(4000)).unwrap();
    set(&dst.join("etc/listed"), "system.posix_acl_access", &access_list(3000)).unwrap();
    let shown = owner.restore("dst", &[]).ends(0).out;
    for path in ["~ etc/share/file", "~ etc/listed"] {
        assert!(shown.contains(path) && shown.contains("access list or attributes"), "{shown}");
    }
    assert_eq!(all(&dst.join("etc")), want);
    let folder = owner.device.state().join("recovery");
    let kept =
        crate::cli::run::names(&folder).into_iter().find(|name| name.starts_with("replaced-")).unwrap();
    let kept = attributes(&folder.join(kept).join("etc/listed"));
    assert_eq!(
        kept.get("system.posix_acl_access"),
        Some(&access_list(3000)),
        "what was replaced keeps its own"
    );

    // Stock tools: GNU tar takes the same records.
    let stock = owner.device.path("stock");
    fs::create_dir(&stock).unwrap();
    let line = format!(
        "age -d -i {} {} | zstd -dq | tar -xp --same-owner --xattrs --xattrs-include='*' -C {}",
        owner.device.text("key.txt"),
        owner.latest().display(),
        stock.display()
    );
    let mut shell = Command::new("bash");
    shell.args(["-o", "pipefail", "-c", &line]);
    finish(shell).ends(0);
    for path in ["plain", "listed", "share", "large"] {
        assert_eq!(attributes(&stock.join("etc").join(path)), attributes(&etc.join(path)), "{path}");
    }
    assert_eq!(fs::metadata(stock.join("etc/listed")).unwrap().permissions().mode() & 0o777, 0o640);
}
