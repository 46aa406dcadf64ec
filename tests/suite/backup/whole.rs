//! Whole trees: twenty thousand files come back as they were, and a restore that is killed tears none.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{Owner, assert_same, is_root, set_time, snapshot};
use crate::cli::run::{CEILING, names};
use crate::support::{Guarded, Rng, replay, wait_for};

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
    if !is_root("backup::whole::twenty_thousand_files_come_back_as_they_were") {
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
    eprintln!("{}", replay("backup::whole::twenty_thousand_files_come_back_as_they_were"));
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
    // How many kills fell between the first and the last file.
    let mut within = 0;
    fill("src", "new");
    owner.create(&[]).ends(0);
    for point in 0..20 {
        let at = usize::try_from(rng.below(FILES as u64)).unwrap();
        let _ = fs::remove_dir_all(owner.device.path("dst"));
        fill("dst", "older");
        let key = owner.device.text("key.txt");
        let to = owner.device.text("dst");
        let line = ["backup", "restore", "latest", "--to", &to, "--identity", &key, "--yes"];
        let mut command = owner.device.command(&line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut restoring = Guarded(command.spawn().unwrap());
        // The program walks in the order of names: by folder, then by file. An old file has another length than a new one.
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
                new || got == content("older", number),
                "point {point}: file {number} is torn; {}",
                replay("backup::whole::a_killed_restore_leaves_each_file_old_or_new")
            );
            counts[usize::from(new)] += 1;
        }
        within += usize::from(counts.iter().all(|count| *count > 0));
        println!("point {point}: killed at file {at}: {} old, {} new", counts[0], counts[1]);
    }
    assert!(within >= 10, "{within} of 20 kills fell into the work");
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
