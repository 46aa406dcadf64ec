//! The whole agent on a machine that hangs: the real `assay collect`, in a mount namespace of its own where the
//! network folder of sysfs never answers and `smartctl` on the only drive ignores SIGTERM for ever.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::hangfs::HangFs;
use crate::support::{binary, skip, wait_for};

/// Seconds after which the run must end reading, complete or not.
const DEADLINE_S: u64 = 12;
/// What sealing, starting and a busy machine may add.
const SLACK: Duration = Duration::from_secs(90);
/// Runs against the stuck reader.
const RUNS: usize = 50;

/// A machine whose sysfs is partly ours.
struct Machine {
    /// First, so that it goes before the folder is removed: removing looks into it.
    hung: Option<HangFs>,
    folder: tempfile::TempDir,
}

impl Machine {
    /// `None`, with a loud skip, where the kernel gives no FUSE or no namespaces.
    fn new() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("hang-agent").tempdir().expect("a temporary folder");
        let hung = folder.path().join("net");
        fs::create_dir(&hung).expect("a folder");
        let hung = match HangFs::mount(&hung) {
            Ok(hung) => hung,
            Err(error) => {
                skip("fuse", &format!("cannot mount a FUSE file system: {error}"));
                return None;
            }
        };
        let machine = Self { hung: Some(hung), folder };
        fs::create_dir(machine.path("run")).expect("a folder");
        let probe = Command::new("unshare").args(["--mount", "true"]).output().expect("unshare runs");
        if !probe.status.success() {
            skip("mount-namespace", &String::from_utf8_lossy(&probe.stderr));
            return None;
        }
        machine.write("tools/smartctl", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n");
        fs::set_permissions(machine.path("tools/smartctl"), fs::Permissions::from_mode(0o755)).expect("ours");
        // The kernel's own shape: an entry of /sys/block is a link whose target names the port.
        let disk = "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda";
        for (name, text) in
            [("size", "7814037168\n"), ("queue/rotational", "1\n"), ("removable", "0\n"), ("ro", "0\n")]
        {
            machine.write(&format!("{disk}/{name}"), text);
        }
        machine.write(&format!("{disk}/device/model"), "MADE UP         \n");
        fs::create_dir(machine.path("block")).expect("a folder");
        std::os::unix::fs::symlink(machine.path(disk), machine.path("block/sda")).expect("a link");
        Some(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// `assay ARGUMENTS` where our folders stand over the machine's.
    fn assay(&self, arguments: &str) -> Output {
        let script = format!(
            "set -e\nmount --make-rprivate /\nmount -t tmpfs none /opt\nmkdir /opt/sbin\n\
             cp {0}/tools/smartctl /opt/sbin/smartctl\nmount --bind {0}/block /sys/block\n\
             mount --bind {0}/net /sys/class/net\nmount --bind {0}/run /run\nexec {1} {arguments} --state-dir {0}/state\n",
            self.path("").display(),
            binary("assay").display(),
        );
        Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().expect("unshare runs")
    }

    /// Processes of ours that live: our folder is in the command line of each, or it is `smartctl` of our drive.
    fn readers(&self) -> Vec<String> {
        let mark = self.path("state").display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("processes") {
            let folder = entry.expect("an entry").path();
            let environment = fs::read(folder.join("environ")).unwrap_or_default();
            let line = fs::read(folder.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let reader = line.contains("__reader") || line.contains("/opt/sbin/smartctl");
            let ours =
                reader && (line.contains(&mark) || environment.is_empty() || self.is_child_of_ours(&folder));
            if ours && !line.is_empty() {
                found.push(line);
            }
        }
        found
    }

    /// A reader's registry entry names it: process ids of the list of abandoned children.
    fn is_child_of_ours(&self, folder: &std::path::Path) -> bool {
        let pid = folder.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok());
        self.abandoned().iter().any(|entry| entry["pid"].as_u64() == pid)
    }

    fn abandoned(&self) -> Vec<Value> {
        let mut lists = Vec::new();
        let mut folders = vec![self.path("run")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.ends_with("abandoned.json") {
                    lists.push(path);
                }
            }
        }
        assert!(lists.len() <= 1, "one list of abandoned children, not {lists:?}");
        let text =
            lists.first().map_or_else(|| "[]".to_owned(), |p| fs::read_to_string(p).expect("the list"));
        serde_json::from_str(&text).expect("our own list")
    }

    /// One file of a bundle that `collect` wrote, as JSON.
    fn document(&self, bundle: &str, name: &str) -> Value {
        let out = Command::new(binary("assay"))
            .args(["show", &self.path(bundle).display().to_string(), "--raw", name, "--state-dir"])
            .arg(self.path("state"))
            .output()
            .expect("assay runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).expect("JSON")
    }
}

fn step<'a>(steps: &'a Value, probe: &str) -> &'a Value {
    let list = steps.as_array().or_else(|| steps["steps"].as_array()).expect("a list of steps");
    list.iter().find(|step| step["probe"] == probe).unwrap_or_else(|| panic!("no step {probe}"))
}

#[test]
fn a_bundle_is_whole_in_time_and_one_child_is_left() {
    binary("assay");
    let Some(mut machine) = Machine::new() else { return };
    let collect = |machine: &Machine, bundle: &str| {
        let start = Instant::now();
        let file = machine.path(bundle);
        let out = machine.assay(&format!("collect --deadline-s {DEADLINE_S} -o {}", file.display()));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(0), "{said}");
        assert!(start.elapsed() < Duration::from_secs(DEADLINE_S) + SLACK, "took {:?}", start.elapsed());
        let verify = machine.assay(&format!("verify {}", file.display()));
        assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
    };

    collect(&machine, "first.assay");
    let steps = machine.document("first.assay", "steps.json");
    for probe in ["network", "drives"] {
        let step = step(&steps, probe);
        assert_ne!(step["status"], "complete", "{step}");
        assert!(
            step["errors"].as_array().is_some_and(|e| !e.is_empty()) || step["status"] == "deadline_exceeded",
            "{step}"
        );
    }
    let host = step(&steps, "host");
    assert_eq!(host["status"], "complete", "the others are not held up: {host}");
    let facts = machine.document("first.assay", "facts.json");
    assert!(facts["network_links"]["unreadable"].is_object(), "{}", facts["network_links"]);
    let drive = &facts["drives"]["seen"]["value"][0];
    assert_eq!(drive["device"], "sda", "a drive that does not answer is still listed: {}", facts["drives"]);
    assert!(drive["health_passed"]["unreadable"].is_object(), "{}", drive["health_passed"]);

    // The drive answers no sooner later; the other runs look at the hung folder only.
    fs::remove_file(machine.path("block/sda")).expect("our own link");
    for run in 0..RUNS {
        let out = machine.assay("check --json --deadline-s 8");
        assert!(
            matches!(out.status.code(), Some(1 | 2)),
            "run {run}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        let facts: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        let why = facts["facts"]["network_links"]["unreadable"]["why"].to_string();
        assert!(why.contains("stuck in the kernel since"), "run {run}: {why}");
    }
    let left = machine.abandoned();
    assert_eq!(left.len(), 1, "one child is left behind a hung reader: {left:?}");
    let readers = machine.readers();
    assert_eq!(readers.len(), 1, "{readers:?}");

    drop(machine.hung.take());
    wait_for("the abandoned child to end", SLACK, || machine.readers().is_empty().then_some(()));
}
