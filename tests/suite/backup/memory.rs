//! What the size of a tree costs in memory: next to nothing, and all of it stays below the promise.
//!
//! A test build's own file is mapped several times larger than what ships, so pages of files are not counted; what is
//! left is what the program asked for. That a tree is larger must not show: a small tree and one of 300 MB are copied
//! and put back by the same build, and the difference is held as well.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use super::Owner;
use crate::cli::run::CEILING;
use crate::support::{Guarded, Rng, wait_for};

/// Most memory that copying may take, all its processes together, whatever the size: the 12 MB that are promised.
const MOST_KB: u64 = 12_000_000 / 1024;
/// Most that a tree of 300 MB may take beyond a small one: the list of its entries waits in a file once it passes
/// 512 KiB, the rest are buffers that grow to their size once, and the allocator's rounding (judgement).
const MOST_GROWTH_KB: u64 = 3 * 1024;

/// Peaks in kB, of a command with its children.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    /// High-water mark less the pages of files, each process's largest, added up.
    resident: u64,
    /// Memory that no file stands behind, where the kernel tells it apart, likewise; sampled, so a short one is missed.
    anonymous: u64,
}

/// Runs a command to its end and looks at it all the time.
fn peak(mut command: Command) -> Peak {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Guarded(command.spawn().unwrap());
    let own = running.0.id();
    let mut seen: BTreeMap<u32, Peak> = BTreeMap::new();
    wait_for("the copy to end", CEILING, || {
        let ended = running.0.try_wait().unwrap();
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
                let files = field("RssFile:").unwrap_or_default();
                let one = seen.entry(pid).or_default();
                one.resident = one.resident.max(field("VmHWM:").unwrap_or_default().saturating_sub(files));
                one.anonymous = one.anonymous.max(field("RssAnon:").unwrap_or_default());
            }
        }
        ended.map(|status| assert!(status.success(), "{status}"))
    });
    seen.into_values().fold(Peak::default(), |sum, one| Peak {
        resident: sum.resident + one.resident,
        anonymous: sum.anonymous + one.anonymous,
    })
}

/// Copies the tree and puts it back.
fn peaks(owner: &Owner) -> [Peak; 2] {
    let root = owner.device.text("src");
    let created = peak(owner.device.command(&owner.creating(&root, &[])));
    fs::create_dir(owner.device.path("dst")).unwrap();
    let (key, to) = (owner.device.text("key.txt"), owner.device.text("dst"));
    let line = ["backup", "restore", "latest", "--to", &to, "--identity", &key, "--yes"];
    [created, peak(owner.device.command(&line))]
}

#[test]
fn memory_stays_small_whatever_the_size() {
    let mut rng = Rng::new(0x300);
    let block = rng.bytes(1 << 20);
    let small = Owner::new();
    // Small, but it goes through every stage: enough that compression has its whole window.
    for number in 0..40 {
        fs::write(small.etc().join(format!("f{number}")), &block[number * 1000..]).unwrap();
    }
    let large = Owner::new();
    for number in 0..3 {
        let mut file = fs::File::create(large.etc().join(format!("large{number}"))).unwrap();
        for part in 0..80_usize {
            file.write_all(&block[part * 1000..]).unwrap();
        }
    }
    for number in 0..6000 {
        let at = usize::try_from(rng.below(1 << 19)).unwrap();
        fs::write(large.etc().join(format!("f{number}")), &block[at..at + 10_000]).unwrap();
    }
    let (small, large) = (peaks(&small), peaks(&large));
    for (what, small, large) in [("create", small[0], large[0]), ("restore", small[1], large[1])] {
        println!("{what}: a small tree {small:?} kB, 300 MB {large:?} kB");
        assert!((1..=MOST_KB).contains(&large.resident), "{what}: {large:?} kB");
        for (small, large) in [(small.resident, large.resident), (small.anonymous, large.anonymous)] {
            assert!(
                large <= small + MOST_GROWTH_KB,
                "{what}: {small} kB for a small tree, {large} kB for a large"
            );
        }
    }
}
