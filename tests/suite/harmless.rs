//! Harmless: what a run writes, and where. The real program in a mount namespace in which everything is read-only but
//! its own places, so that a write anywhere else would fail and change how the run ends.
//!
//! Its places are the folder in RAM, the state folder (on a NAS identity on the configuration area, spool and memory on
//! the data volume) and the file that was asked for. `/tmp`, a small RAM disk on QTS, has 1 MB here and stays empty.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{binary, skip};

/// Runs `check`, then `collect -o FILE`, and lists what is there after each. `FOLDER` and `ASSAY` stand for paths.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o size=256m none /mnt
mkdir /mnt/state /mnt/out
cp ASSAY /mnt/assay
mount --bind FOLDER/state /mnt/state
mount --bind FOLDER/out /mnt/out
mount -n -t tmpfs -o size=1m none /tmp
mount -n -t tmpfs -o size=1m none /run
cut -d' ' -f5 /proc/self/mountinfo | sort -u | while read -r m; do
  case "$m" in
    /tmp | /run | /mnt/state | /mnt/out) ;;
    *) mount -n -o remount,bind,ro "$m" 2>/dev/null || true ;;
  esac
done
for place in / /mnt /etc /var /dev; do
  if touch "$place/assay-fence" 2>/dev/null; then echo "open $place"; exit 9; fi
done
cd /
listed() { find /tmp /run /mnt/state /mnt/out -mindepth 1 ! -type d ! -path '/run/mount*' | sed "s|^|$1 |"; }
rc=0; /mnt/assay check --json --state-dir /mnt/state >/dev/null || rc=$?
echo "check ended $rc"; listed check
rc=0; /mnt/assay collect -o /mnt/out/bundle.assay --state-dir /mnt/state >/dev/null || rc=$?
echo "collect ended $rc"; listed collect
/mnt/assay show /mnt/out/bundle.assay --raw cost.json --state-dir /mnt/state
"#;

/// Whether a run may leave this.
fn is_own(path: &str) -> bool {
    let parts = ["/run/assay/", "/mnt/state/identity/", "/mnt/state/memory/", "/mnt/state/spool/"];
    path == "/mnt/out/bundle.assay" || parts.iter().any(|part| path.starts_with(part))
}

#[test]
fn a_run_writes_to_its_own_places_only() {
    let probe = Command::new("unshare").args(["--mount", "true"]).output().expect("unshare runs");
    if !probe.status.success() {
        return skip("mount-namespace", &String::from_utf8_lossy(&probe.stderr));
    }
    let folder = tempfile::Builder::new().prefix("harmless").tempdir().expect("a temporary folder");
    for name in ["state", "out"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let script = SCRIPT.replace("FOLDER", &text(folder.path())).replace("ASSAY", &text(&binary("assay")));
    let out = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().expect("unshare runs");
    let (said, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}\n{errors}");
    assert!(!errors.contains("Read-only file system") && !errors.contains("No space left"), "{errors}");

    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.iter().any(|l| ["check ended 0", "check ended 1", "check ended 2"].contains(l)), "{said}");
    assert!(lines.contains(&"collect ended 0"), "{said}\n{errors}");
    let left = |after: &str| -> Vec<String> {
        lines
            .iter()
            .filter_map(|line| line.strip_prefix(&format!("{after} /")))
            .map(|p| format!("/{p}"))
            .collect()
    };
    // Looking leaves nothing but the list of stuck readers, in RAM, where there is one.
    let of_check = left("check");
    assert!(of_check.iter().all(|path| path.starts_with("/run/assay/")), "{of_check:?}");
    let of_collect = left("collect");
    assert!(of_collect.iter().all(|path| is_own(path)), "{of_collect:?}");
    assert!(of_collect.contains(&"/mnt/out/bundle.assay".to_owned()), "{of_collect:?}");

    let cost: serde_json::Value = serde_json::from_str(lines.last().copied().unwrap_or_default())
        .expect("the cost is one line of JSON");
    for number in ["cpu_ms", "children_cpu_ms", "peak_memory_bytes", "processes_started", "disks_asleep"] {
        assert!(cost[number].is_u64(), "{number}: {cost}");
    }
    assert_eq!(cost["disks_woken"], 0, "{cost}");
    assert!(cost["processes_started"].as_u64() > Some(0), "{cost}");
    assert_eq!(cost["io_class"], "idle", "as the kernel gave it back: {cost}");
}
