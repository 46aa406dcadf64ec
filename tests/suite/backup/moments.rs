//! What happens while a copy is made: files that change, databases, a disk that fills, a child that hangs.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Owner;
use crate::cli::run::{CEILING, finish, names};
use crate::support::{Guarded, Rng, skip, wait_for};

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
