//! Recovery copies by the real program: what comes back is what was there, whatever happens meanwhile, and nobody but the
//! owner learns anything from what lies around.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use assay_bundle::digest::sha256_hex;
use assay_bundle::recovery::sealing::Sealer;
use assay_bundle::recovery::tape::{self, Item};
use assay_bundle::recovery::{CopyHead, EntryKind, HEAD_NAME, LIST_NAME};

use crate::cli::run::{CEILING, Device, Ran, finish, names};
use crate::support::{Guarded, Rng, replay, skip, wait_for};

/// Most memory that copying may take, whatever the size: 12 MB less the pages of the program's own file, which a test
/// build has several times more of, so that they are not counted.
const MOST_MEMORY_KB: u64 = 7 * 1024 + 512;

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

/// A configuration of `count` files: owners, modes, times, links of both kinds, odd names, nothing that is protected.
fn grow(top: &Path, count: usize, rng: &mut Rng) {
    const MODES: [u32; 8] = [0o644, 0o600, 0o755, 0o4755, 0o2755, 0o400, 0o666, 0o000];
    let mut folders = vec![top.to_owned()];
    for number in 0..150 {
        let parent = folders[usize::try_from(rng.below(folders.len() as u64)).unwrap()].clone();
        let folder = parent.join(format!("folder {number}"));
        fs::create_dir(&folder).unwrap();
        folders.push(folder);
    }
    let mut last = None::<PathBuf>;
    for number in 0..count {
        let folder = &folders[usize::try_from(rng.below(folders.len() as u64)).unwrap()];
        let name = match number % 97 {
            0 => format!("{}{number}", "long-".repeat(45)).into_bytes(),
            1 => [&b"\xff\xfe\\"[..], number.to_string().as_bytes()].concat(),
            2 => format!("größe\n{number}").into_bytes(),
            _ => format!("file{number}.conf").into_bytes(),
        };
        let path = folder.join(OsStr::from_bytes(&name));
        match (number % 53, &last) {
            (7, _) => {
                symlink(if number % 2 == 0 { "/usr/share/zoneinfo/UTC" } else { "../nowhere" }, &path)
                    .unwrap();
                lchown(&path, Some(rng.below(70_000) as u32), Some(100)).unwrap();
                set_time(&path, rng);
            }
            (8, Some(first)) => fs::hard_link(first, &path).unwrap(),
            _ => {
                let size = if number % 4000 == 9 { 900_000 } else { rng.below(600) };
                fs::write(&path, rng.bytes(usize::try_from(size).unwrap())).unwrap();
                let owner = if number % 31 == 0 { 3_000_000_000 } else { rng.below(2000) as u32 };
                chown(&path, Some(owner), Some(rng.below(200) as u32)).unwrap();
                let mode = MODES[usize::try_from(rng.below(8)).unwrap()];
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                set_time(&path, rng);
                last = Some(path);
            }
        }
    }
    for folder in folders.iter().rev() {
        let mode = [0o755, 0o700, 0o1777, 0o2750][usize::try_from(rng.below(4)).unwrap()];
        chown(folder, Some(rng.below(50) as u32), Some(7)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    }
    for folder in folders.iter().rev() {
        set_time(folder, rng);
    }
}

#[test]
fn twenty_thousand_files_come_back_as_they_were() {
    if !is_root("backup::twenty_thousand_files_come_back_as_they_were") {
        return;
    }
    let owner = Owner::new();
    grow(&owner.etc(), 20_000, &mut Rng::new(0xB1));
    let want = snapshot(&owner.etc());
    owner.create(&["--verify-with-key", &owner.device.text("key.txt")]).ends(0);
    owner.unpack(&owner.device.path("stock"));
    assert_same(&snapshot(&owner.device.path("stock/etc")), &want);
    fs::create_dir(owner.device.path("dst")).unwrap();
    owner.restore("dst", &[]).ends(0);
    assert_same(&snapshot(&owner.device.path("dst/etc")), &want);
    let again = owner.restore("dst", &[]).ends(0);
    assert!(again.err.contains("nothing to do"), "{}", again.err);
    eprintln!("{}", replay("backup::twenty_thousand_files_come_back_as_they_were"));
}

#[test]
fn a_killed_restore_leaves_each_file_old_or_new() {
    const FILES: usize = 300;
    let owner = Owner::new();
    let mut rng = Rng::new(0xDEAD);
    let content = |kind: &str, number: usize| format!("{kind} {number}\n").repeat(400 + number);
    let file =
        |top: &str, number: usize| owner.device.path(top).join(format!("etc/d{}/f{number:03}", number % 7));
    let fill = |top: &str, kind: &str| {
        for number in 0..FILES {
            fs::create_dir_all(file(top, number).parent().unwrap()).unwrap();
            fs::write(file(top, number), content(kind, number)).unwrap();
        }
    };
    fill("src", "new");
    owner.create(&[]).ends(0);
    for point in 0..20 {
        let at = usize::try_from(rng.below(FILES as u64)).unwrap();
        let _ = fs::remove_dir_all(owner.device.path("dst"));
        fill("dst", "old");
        let key = owner.device.text("key.txt");
        let to = owner.device.text("dst");
        let line = ["backup", "restore", "latest", "--to", &to, "--identity", &key, "--yes"];
        let mut command = owner.device.command(&line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut restoring = Guarded(command.spawn().unwrap());
        // The program walks in the order of names: by folder, then by file.
        let is_new = |number| {
            fs::metadata(file("dst", number)).is_ok_and(|m| m.len() == content("new", number).len() as u64)
        };
        wait_for("the seeded file or the end", CEILING, || {
            (is_new(at) || restoring.0.try_wait().unwrap().is_some()).then_some(())
        });
        drop(restoring);
        let mut counts = [0, 0];
        for number in 0..FILES {
            let got = fs::read_to_string(file("dst", number)).unwrap();
            let new = got == content("new", number);
            assert!(
                new || got == content("old", number),
                "point {point}: file {number} is torn; {}",
                replay("backup::a_killed_restore_leaves_each_file_old_or_new")
            );
            counts[usize::from(new)] += 1;
        }
        println!("point {point}: killed at file {at}: {} old, {} new", counts[0], counts[1]);
    }
    owner.restore("dst", &[]).ends(0);
    for number in 0..FILES {
        assert_eq!(fs::read_to_string(file("dst", number)).unwrap(), content("new", number));
    }
    let left: Vec<_> = snapshot(&owner.device.path("dst")).into_keys().collect();
    assert!(left.iter().all(|path| !path.ends_with(b".part")), "what was left half done is removed");
    let kept =
        names(&owner.device.state().join("recovery")).into_iter().filter(|n| n.starts_with("replaced-"));
    assert!(kept.count() > 0, "what was replaced is kept");
}

#[test]
fn a_file_that_changes_is_noted_and_special_files_are_not_opened() {
    let owner = Owner::new();
    let etc = owner.etc();
    fs::write(etc.join("busy"), vec![b'x'; 3 << 20]).unwrap();
    let fifo =
        rustix::fs::mknodat(rustix::fs::CWD, etc.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0);
    fifo.unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(etc.join("socket")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (path, stopped) = (etc.join("busy"), stop.clone());
    let writer = std::thread::spawn(move || {
        let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
        while !stopped.load(Ordering::Relaxed) {
            file.write_all(b"y").unwrap();
        }
    });
    let ran = owner.create(&["--json"]);
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let receipt = ran.ends(0).json();
    assert_eq!(receipt["notes"]["changed-while-read"], 1, "{receipt}");
    assert_eq!(receipt["left_out"]["not-a-file"], 2, "{receipt}");
    owner.run(&["verify", "latest", "--identity", &owner.device.text("key.txt")]).ends(0);
}

#[test]
fn a_locked_database_is_copied_with_its_log() {
    let owner = Owner::new();
    let header = [&b"SQLite format 3\0"[..], &[7; 4000]].concat();
    for (name, content) in
        [("a.db", &header[..]), ("a.db-wal", b"log"), ("a.db-journal", b"journal"), ("a.db-x", b"x")]
    {
        fs::write(owner.etc().join(name), content).unwrap();
    }
    let receipt = owner.create(&["--json"]).ends(0).json();
    assert_eq!((receipt["entries"].as_u64(), receipt["notes"].to_string()), (Some(5), "{}".to_owned()));
    let held = fs::OpenOptions::new().read(true).write(true).open(owner.etc().join("a.db")).unwrap();
    rustix::fs::fcntl_lock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let receipt = owner.create(&["--json"]).ends(0).json();
    assert_eq!(receipt["notes"]["database-not-locked"], 1, "{receipt}");
    drop(held);
    fs::create_dir(owner.device.path("dst")).unwrap();
    owner.restore("dst", &[]).ends(0);
    assert_eq!(fs::read(owner.device.path("dst/etc/a.db-wal")).unwrap(), b"log");
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let owner = Owner::new();
    let disk = owner.device.path("disk");
    fs::create_dir(&disk).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=24m", "assay-test"]).arg(&disk);
    if finish(mount).code != 0 {
        return skip("tmpfs", "this machine lets us mount nothing");
    }
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let _mounted = Mounted(disk.clone());
    let mut rng = Rng::new(0xF0);
    for number in 0..16 {
        fs::write(owner.etc().join(format!("f{number}")), rng.bytes(1 << 20)).unwrap();
    }
    let file = disk.join("copy.tar.zst.age");
    let target = file.to_str().unwrap();
    // It fits when it begins, and somebody else takes the room.
    let root = owner.device.text("src");
    let mut command = owner.device.command(&owner.creating(&root, &["-o", target]));
    let err = owner.device.path("err");
    command.stdout(Stdio::null()).stderr(fs::File::create(&err).unwrap());
    let mut copying = Guarded(command.spawn().unwrap());
    wait_for("the copy to begin", CEILING, || {
        names(&disk).iter().any(|n| n.ends_with(".part")).then_some(())
    });
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    let code = copying.wait(CEILING).code();
    let said = fs::read_to_string(&err).unwrap();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("is full; what was begun is removed") && said.contains("next: "), "{said}");
    assert_eq!(names(&disk), ["filler"]);
    // It does not fit from the beginning.
    owner.create(&["-o", target]).fails_with(&["no copy was made", "are needed", "-o FILE"]);
    assert_eq!(names(&disk), ["filler"]);
}

/// Peak memory in kB of a process and its children, until it ends.
fn peak_kb(running: &mut Guarded) -> u64 {
    let own = running.0.id();
    let mut peak = 0;
    wait_for("the copy to end", CEILING, || {
        let ended = running.0.try_wait().unwrap().is_some();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().next()?.parse::<u64>().ok()
            };
            // Before it became the program it was a copy of this test.
            let is_ours = status.starts_with("Name:\tassay\n");
            if is_ours && (pid == own || field("PPid:") == Some(own.into())) {
                let own_file = field("RssFile:").unwrap_or_default();
                peak = peak.max(field("VmHWM:").unwrap_or_default().saturating_sub(own_file));
            }
        }
        ended.then_some(())
    });
    peak
}

#[test]
fn memory_stays_small_whatever_the_size() {
    let owner = Owner::new();
    let mut rng = Rng::new(0x300);
    let block = rng.bytes(1 << 20);
    for number in 0..3 {
        let mut file = fs::File::create(owner.etc().join(format!("large{number}"))).unwrap();
        for part in 0..80_usize {
            file.write_all(&block[part * 1000..]).unwrap();
        }
    }
    for number in 0..6000 {
        let at = usize::try_from(rng.below(1 << 19)).unwrap();
        fs::write(owner.etc().join(format!("f{number}")), &block[at..at + 10_000]).unwrap();
    }
    let root = owner.device.text("src");
    let mut command = owner.device.command(&owner.creating(&root, &[]));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut copying = Guarded(command.spawn().unwrap());
    let peak = peak_kb(&mut copying);
    println!("create: {peak} kB");
    assert!(copying.0.wait().unwrap().success());
    assert!((1..=MOST_MEMORY_KB).contains(&peak), "{peak} kB");
    fs::create_dir(owner.device.path("dst")).unwrap();
    let (key, to) = (owner.device.text("key.txt"), owner.device.text("dst"));
    let mut command =
        owner.device.command(&["backup", "restore", "latest", "--to", &to, "--identity", &key, "--yes"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut restoring = Guarded(command.spawn().unwrap());
    let peak = peak_kb(&mut restoring);
    println!("restore: {peak} kB");
    assert!(restoring.0.wait().unwrap().success());
    assert!((1..=MOST_MEMORY_KB).contains(&peak), "{peak} kB");
}

#[test]
fn a_copy_that_hangs_is_given_up() {
    let mut owner = Owner::new();
    owner.device.environment.push(("ASSAY_BACKUP_STALL_S".into(), "1".into()));
    let block = Rng::new(5).bytes(1 << 20);
    for number in 0..200 {
        fs::write(owner.etc().join(format!("f{number}")), &block).unwrap();
    }
    let root = owner.device.text("src");
    let mut command = owner.device.command(&owner.creating(&root, &[]));
    let err = owner.device.path("err");
    command.stdout(Stdio::null()).stderr(fs::File::create(&err).unwrap());
    let mut copying = Guarded(command.spawn().unwrap());
    let own = copying.0.id().to_string();
    let recovery = owner.device.state().join("recovery");
    wait_for("the copy to begin", CEILING, || {
        names(&recovery).iter().any(|name| name.ends_with(".part")).then_some(())
    });
    // Stopped, the child hears and says nothing, as one that sleeps in the kernel.
    let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().to_owned();
        (parent == own).then(|| entry.file_name().to_string_lossy().into_owned())
    });
    let mut stop = Command::new("kill");
    stop.arg("-STOP").args(children);
    finish(stop).ends(0);
    let code = copying.wait(CEILING).code();
    let said = fs::read_to_string(&err).unwrap();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nothing came for 1 s while reading") && said.contains("next: "), "{said}");
    wait_for("what was begun to go", CEILING, || names(&recovery).is_empty().then_some(()));
}

#[test]
fn nothing_of_the_content_is_said() {
    const CANARY: &str = "admin:$6$canarysalt$canaryhash:19000";
    let owner = Owner::new();
    fs::write(owner.etc().join("shadow"), CANARY).unwrap();
    fs::create_dir(owner.etc().join("luks-keys")).unwrap();
    fs::write(owner.etc().join("luks-keys/volume1"), CANARY).unwrap();
    let key = owner.device.text("key.txt");
    let secret = fs::read_to_string(&key).unwrap().lines().last().unwrap().to_owned();
    let mut said = String::new();
    let mut hear = |ran: Ran| said.push_str(&format!("{}\n{}\n", ran.out, ran.err));
    hear(owner.create(&["-vv", "--json", "--verify-with-key", &key]).ends(0));
    for line in [
        &["list"][..],
        &["show"],
        &["show", "--json"],
        &["show", "--identity", &key],
        &["verify", "--identity", &key],
    ] {
        hear(owner.run(&[line, &["-vv"]].concat()).ends(0));
    }
    fs::create_dir(owner.device.path("dst")).unwrap();
    hear(owner.restore("dst", &["-vv"]).ends(0));
    assert!(!owner.device.path("dst/etc/shadow").exists(), "protected");
    hear(owner.restore("dst", &["-vv", "/etc/shadow"]).ends(0));
    assert_eq!(fs::read_to_string(owner.device.path("dst/etc/shadow")).unwrap(), CANARY);
    for path in
        [&owner.latest(), &owner.latest().with_extension("").with_extension("").with_extension("json")]
    {
        said.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
    }
    for canary in ["canarysalt", "canaryhash", secret.as_str()] {
        assert!(!said.contains(canary), "{canary} was said");
    }
    owner.unpack(&owner.device.path("stock"));
    assert_eq!(fs::read_to_string(owner.device.path("stock/etc/shadow")).unwrap(), CANARY);
    assert!(!owner.device.path("stock/etc/luks-keys").exists(), "volume keys are in it only when asked for");
    owner.create(&["--with-volume-keys"]).ends(0);
    owner.unpack(&owner.device.path("with"));
    assert!(owner.device.path("with/etc/luks-keys/volume1").exists());
}

#[test]
fn copies_are_shown_carried_pruned_and_rekeyed() {
    let owner = Owner::new();
    fs::write(owner.etc().join("hosts"), "127.0.0.1 localhost\n").unwrap();
    owner
        .device
        .run(&["backup", "create", "--root", &owner.device.text("src")])
        .fails_with(&["recovery key", "next: "]);
    owner.run(&["show"]).fails_with(&["there is no recovery copy", "backup list"]);
    assert!(owner.run(&["list"]).ends(0).out.contains("assay backup create"));
    for _ in 0..3 {
        owner.create(&[]).ends(0);
    }
    assert_eq!(owner.run(&["list", "--json"]).ends(0).json().as_array().unwrap().len(), 3);
    let (key, usb) = (owner.device.text("key.txt"), owner.device.path("usb"));
    let shown = owner.run(&["show", "2", "--identity", &key]).ends(0).out;
    assert!(shown.contains("etc/hosts") && shown.contains("2 entries"), "{shown}");
    fs::create_dir(&usb).unwrap();
    owner.run(&["export", "latest", usb.to_str().unwrap()]).ends(0);
    owner.run(&["export", "latest", usb.to_str().unwrap()]).fails_with(&["is there already"]);
    let exported = usb.join(names(&usb).into_iter().find(|name| name.ends_with(".age")).unwrap());
    owner.run(&["verify", exported.to_str().unwrap(), "--identity", &key]).ends(0);
    owner.run(&["prune", "--keep", "1"]).ends(0);
    let copy = owner.latest();
    assert_eq!(owner.run(&["list", "--json"]).ends(0).json().as_array().unwrap().len(), 1);

    let other = Owner::new();
    let other_key = other.device.text("key.txt");
    owner
        .run(&["verify", "latest", "--identity", &other_key])
        .fails_with(&["cannot be opened with this key"]);
    owner
        .run(&["rekey", "latest", "--identity", &other_key, "--recipient", &other.recipient])
        .fails_with(&["this key"]);
    owner.run(&["rekey", "latest", "--identity", &key, "--recipient", &other.recipient]).ends(0);
    owner.run(&["verify", "latest", "--identity", &other_key]).ends(0);
    owner.run(&["verify", "latest", "--identity", &key]).fails_with(&["cannot be opened with this key"]);

    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copy, &bytes).unwrap();
    owner.run(&["verify"]).fails_with(&["changed or damaged", "next: "]);
    owner.restore("usb", &[]).fails_with(&["next: "]);
    // To a pipe, as the page downloads it.
    let root = owner.device.text("src");
    let piped = owner.device.path("piped.age");
    let mut command = owner.device.command(&owner.creating(&root, &["-o", "-"]));
    command.stdout(fs::File::create(&piped).unwrap()).stderr(Stdio::null());
    assert!(Guarded(command.spawn().unwrap()).wait(CEILING).success());
    owner.run(&["verify", piped.to_str().unwrap(), "--identity", &key]).ends(0);
}

#[test]
fn a_restore_stays_where_it_belongs() {
    let owner = Owner::new();
    fs::create_dir_all(owner.etc().join("sub")).unwrap();
    fs::write(owner.etc().join("sub/a"), "new").unwrap();
    fs::write(owner.etc().join("b"), "new").unwrap();
    owner.create(&[]).ends(0);
    let (dst, outside) = (owner.device.path("dst"), owner.device.path("outside"));
    fs::create_dir_all(dst.join("etc")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(dst.join("etc/mine"), "mine").unwrap();
    let dry = owner.device.text("key.txt");
    let to = owner.device.text("dst");
    let shown = owner.run(&["restore", "latest", "--to", &to, "--identity", &dry, "--dry-run"]).ends(0);
    assert!(
        shown.out.contains("+ etc/b") && shown.out.contains("etc/mine (only here; stays)"),
        "{}",
        shown.out
    );
    assert!(!dst.join("etc/b").exists(), "a dry run writes nothing");
    owner
        .run(&["restore", "latest", "--to", &to, "--identity", &dry])
        .fails_with(&["nobody is here", "--yes"]);
    symlink(&outside, dst.join("etc/sub")).unwrap();
    owner.restore("dst", &[]).fails_with(&["etc/sub", "next: "]);
    assert!(
        names(&outside).is_empty() && !dst.join("etc/b").exists(),
        "nothing is written when part is refused"
    );
    fs::remove_file(dst.join("etc/sub")).unwrap();
    owner.restore("dst", &["etc/sub"]).ends(0);
    assert!(dst.join("etc/sub/a").exists() && !dst.join("etc/b").exists(), "only what was asked for");
    assert_eq!(fs::read_to_string(dst.join("etc/mine")).unwrap(), "mine");
    owner.restore("dst", &["--portable"]).fails_with(&["--replacement-of"]);
    owner.restore("dst", &["../etc"]).fails_with(&["is no path of a copy"]);

    // A copy that somebody else made for the owner's key: a link, and then a file behind it.
    let evil = owner.device.path("evil.tar.zst.age");
    let mut out =
        Sealer::new(fs::File::create(&evil).unwrap(), std::slice::from_ref(&owner.recipient)).unwrap();
    let head =
        serde_json::to_vec(&CopyHead { format: 1, profile: "linux".into(), ..CopyHead::default() }).unwrap();
    let target = outside.as_os_str().as_bytes().to_vec();
    let plain = Item { mode: 0o644, ..Item::document("etc/l", 0, 0) };
    let items = [
        Item { kind: EntryKind::Link, mode: 0o777, target, ..plain.clone() },
        Item { path: b"etc/l/file".to_vec(), ..plain },
    ];
    let lines = items.iter().map(|item| {
        let file = item.kind == EntryKind::File;
        serde_json::to_string(&item.entry(file.then(|| sha256_hex(b"")))).unwrap()
    });
    let list = format!("{{\"entries\":[\n{}\n]}}\n", lines.collect::<Vec<_>>().join(",\n")).into_bytes();
    let document = |out: &mut dyn Write, name: &str, bytes: &[u8]| {
        tape::write_head(out, &Item::document(name, bytes.len() as u64, 0)).unwrap();
        out.write_all(bytes).unwrap();
        tape::pad(out, bytes.len() as u64).unwrap();
    };
    document(&mut out, HEAD_NAME, &head);
    for item in &items {
        tape::write_head(&mut out, item).unwrap();
    }
    document(&mut out, LIST_NAME, &list);
    tape::end(&mut out).unwrap();
    out.finish().unwrap();
    let evil = evil.to_str().unwrap();
    owner.run(&["verify", evil, "--identity", &dry]).ends(0);
    owner.run(&["restore", evil, "--to", &to, "--identity", &dry, "--yes"]).fails_with(&["is a link"]);
    assert!(names(&outside).is_empty(), "nothing is written through a link");

    // Another model, and newer firmware.
    let conf = |version: &str, model: &str| format!("[System]\nModel = {model}\nVersion = {version}\n");
    let qts = Owner::new();
    for (top, text) in [
        ("src", conf("5.2.0", "TS-X53B")),
        ("other", conf("5.2.0", "TS-X64")),
        ("older", conf("5.1.9", "TS-X53B")),
    ] {
        fs::create_dir_all(qts.device.path(top).join("etc/config")).unwrap();
        fs::write(qts.device.path(top).join("etc/config/uLinux.conf"), text).unwrap();
    }
    qts.create(&[]).ends(0);
    qts.restore("other", &[]).fails_with(&["another model", "--replacement-of"]);
    qts.restore("older", &[]).fails_with(&["newer firmware", "update the firmware"]);
    qts.restore("src", &[]).ends(0);
}
