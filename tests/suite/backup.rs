//! Recovery copies by the real program: what comes back is what was there, whatever happens meanwhile, and nobody but the
//! owner learns anything from what lies around. Here is what its parts share; each part is a theme.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use assay_bundle::digest::sha256_hex;
use assay_bundle::recovery::sealing::Sealer;
use assay_bundle::recovery::tape::{self, Item};
use assay_bundle::recovery::{CopyHead, EntryKind, HEAD_NAME, LIST_NAME};

use crate::cli::run::{Device, Ran, finish, names};
use crate::support::{Rng, skip};

mod attributes;
mod bounds;
mod memory;
mod moments;
mod privacy;
mod replacement;
mod shelf;
mod whole;

/// A device with a recovery key, and a tree to copy, both gone with it.
struct Owner {
    device: Device,
    recipient: String,
}

impl Owner {
    fn new() -> Self {
        let device = Device::new();
        let key = device.text("key.txt");
        let mut keygen = Command::new("age-keygen");
        keygen.args(["-o", &key]);
        finish(keygen).ends(0);
        let mut public = Command::new("age-keygen");
        public.args(["-y", &key]);
        let recipient = finish(public).ends(0).out.trim().to_owned();
        fs::create_dir_all(device.path("src/etc")).unwrap();
        Self { device, recipient }
    }

    fn etc(&self) -> PathBuf {
        self.device.path("src/etc")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.device.run(&[&["backup"], arguments].concat())
    }

    fn creating<'a>(&'a self, root: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["backup", "create", "--root", root, "--recipient", &self.recipient], more].concat()
    }

    fn create(&self, more: &[&str]) -> Ran {
        self.device.run(&self.creating(&self.device.text("src"), more))
    }

    fn restore(&self, to: &str, more: &[&str]) -> Ran {
        let key = self.device.text("key.txt");
        let to = self.device.text(to);
        self.run(&[&["restore", "latest", "--to", &to, "--identity", &key, "--yes"], more].concat())
    }

    fn latest(&self) -> PathBuf {
        let folder = self.device.state().join("recovery");
        let found = names(&folder).into_iter().rfind(|name| name.ends_with(".age"));
        folder.join(found.expect("a copy"))
    }

    /// Unpacks the newest copy with stock tools.
    fn unpack(&self, to: &Path) {
        fs::create_dir_all(to).unwrap();
        let line = format!(
            "age -d -i {} {} | zstd -dq | tar -xp --same-owner -C {}",
            self.device.text("key.txt"),
            self.latest().display(),
            to.display()
        );
        let mut shell = Command::new("bash");
        shell.args(["-o", "pipefail", "-c", &line]);
        finish(shell).ends(0);
    }
}

fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("not-root", &format!("{test} gives files to other owners"));
    }
    root
}

/// What is at each path: kind, mode, owner, time, and content or target, with the first name of files that have several.
fn snapshot(top: &Path) -> BTreeMap<Vec<u8>, String> {
    let (mut found, mut inodes) = (BTreeMap::new(), BTreeMap::new());
    let mut folders = vec![top.to_owned()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        paths.push(folder.clone());
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => paths.push(entry.path()),
            }
        }
    }
    paths.sort();
    for path in paths {
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes().to_vec();
        let what = if meta.is_symlink() {
            format!("-> {:?}", fs::read_link(&path).unwrap())
        } else if meta.is_dir() {
            "folder".to_owned()
        } else {
            let first = inodes.entry(meta.ino()).or_insert_with(|| name.clone());
            format!("{} {first:?}", sha256_hex(&fs::read(&path).unwrap()))
        };
        let (mode, uid, gid) = (meta.mode(), meta.uid(), meta.gid());
        found.insert(name, format!("{mode:o} {uid}:{gid} {}.{} {what}", meta.mtime(), meta.mtime_nsec()));
    }
    found
}

fn assert_same(got: &BTreeMap<Vec<u8>, String>, want: &BTreeMap<Vec<u8>, String>) {
    let differs = want.iter().find(|(path, what)| got.get(*path) != Some(*what));
    if let Some((path, what)) = differs {
        panic!("{:?}\nwas: {what}\nis:  {:?}", String::from_utf8_lossy(path), got.get(path));
    }
    assert_eq!(got.len(), want.len(), "nothing else is there");
}

fn set_time(path: &Path, rng: &mut Rng) {
    let time = SystemTime::UNIX_EPOCH
        + Duration::new(rng.below(2_000_000_000), u32::try_from(rng.below(1_000_000_000)).unwrap());
    let spec = |t: SystemTime| {
        let since = t.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        rustix::fs::Timespec {
            tv_sec: since.as_secs().try_into().unwrap(),
            tv_nsec: since.subsec_nanos().into(),
        }
    };
    let times = rustix::fs::Timestamps { last_access: spec(time), last_modification: spec(time) };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A copy made by hand, with whatever head and entries.
fn seal(to: &Path, recipient: &str, head: &CopyHead, entries: &[(Item, &[u8])]) {
    let mut out = Sealer::new(fs::File::create(to).unwrap(), &[recipient.to_owned()]).unwrap();
    let document = |out: &mut dyn Write, name: &str, bytes: &[u8]| {
        tape::write_head(out, &Item::document(name, bytes.len() as u64, 0)).unwrap();
        out.write_all(bytes).unwrap();
        tape::pad(out, bytes.len() as u64).unwrap();
    };
    document(&mut out, HEAD_NAME, &serde_json::to_vec(head).unwrap());
    let mut lines = Vec::new();
    for (item, content) in entries {
        tape::write_head(&mut out, item).unwrap();
        out.write_all(content).unwrap();
        tape::pad(&mut out, item.size_bytes).unwrap();
        let file = item.kind == EntryKind::File;
        lines.push(serde_json::to_string(&item.entry(file.then(|| sha256_hex(content)))).unwrap());
    }
    let list = format!("{{\"entries\":[\n{}\n]}}\n", lines.join(",\n")).into_bytes();
    document(&mut out, LIST_NAME, &list);
    tape::end(&mut out).unwrap();
    out.finish().unwrap();
}
