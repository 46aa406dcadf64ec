//! Self-tests of drives, end to end: the real program in a mount namespace with two made-up drives and a `smartctl` that
//! keeps its state in a folder. What single looks mean is tested beside the code (`agent/src/selftest/queue/tests.rs`),
//! and so is what an array or a drive says against a test (`diagnosis/src/self_test.rs`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{binary, skip};

/// Serial numbers of the two drives.
pub(crate) const FIRST: &str = "EX0001";
pub(crate) const SECOND: &str = "EX0002";

/// `smartctl` as far as this program uses it. Its drives are folders below `STATE`: `running`, `left`, `asleep`,
/// `pending` and `log` (newest first) in them are files; every call is written to `calls`.
const SMARTCTL: &str = r#"#!/bin/sh
state=STATE
echo "$*" >>"$state/calls"
for last; do :; done
case "$*" in
*--version*) echo "smartctl $(cat "$state/version") 2023-08-01 r5530 [x86_64-linux] (local build)"; exit 0 ;;
esac
drive="$state/${last#/dev/}"
head='"json_format_version":[1,0],"device":{"name":"'$last'","type":"sat","protocol":"ATA"}'
if [ ! -d "$drive" ]; then
  case "$*" in
  *--json*) echo "{\"smartctl\":{\"version\":[7,4],\"exit_status\":2,\"messages\":[{\"string\":\"Smartctl open device: $last failed: No such device\",\"severity\":\"error\"}]},$head}" ;;
  *) echo "Smartctl open device: $last failed: No such device" ;;
  esac
  exit 2
fi
if [ -f "$drive/asleep" ]; then
  case "$*" in
  *--json*) echo "{\"smartctl\":{\"version\":[7,4],\"exit_status\":3,\"messages\":[{\"string\":\"Device is in STANDBY mode, exit(3)\",\"severity\":\"information\"}]},$head}" ;;
  *) echo "Device is in STANDBY mode, exit(3)" ;;
  esac
  exit 3
fi
logged() {
  { echo "$(cat "$drive/running")|$1|$2|$(cat "$drive/hours")"; cat "$drive/log"; } >"$drive/log.new"
  mv "$drive/log.new" "$drive/log"
  rm "$drive/running"
}
case "$*" in
*"-t short"* | *"-t long"*)
  echo "=== START OF OFFLINE IMMEDIATE AND SELF-TEST SECTION ==="
  if [ -f "$drive/running" ]; then
    echo "Can't start self-test without aborting current test (90% remaining),"
    echo "add '-t force' option to override, or run 'smartctl -X' to abort test."
    exit 4
  fi
  case "$*" in
  *"-t short"*) echo "Short offline" >"$drive/running" ;;
  *) echo "Extended offline" >"$drive/running" ;;
  esac
  echo 9 >"$drive/left"
  echo "Testing has begun."
  ;;
*-X*)
  echo "=== START OF OFFLINE IMMEDIATE AND SELF-TEST SECTION ==="
  [ -f "$drive/running" ] && logged 25 "Aborted by host"
  echo "Self-testing aborted!"
  ;;
*--json*)
  status=0
  [ -f "$drive/running" ] && status=$((240 + $(cat "$drive/left")))
  rows=$(while IFS='|' read -r kind value words hours; do
    printf '%s{"type":{"string":"%s"},"status":{"value":%s,"string":"%s"},"lifetime_hours":%s}' "$comma" "$kind" "$value" "$words" "$hours"
    comma=,
  done <"$drive/log")
  cat <<END
{"smartctl":{"version":[7,4],"exit_status":0},$head,"model_name":"EXAMPLE HD4000","serial_number":"$(cat "$drive/serial")",
"firmware_version":"1.0","user_capacity":{"blocks":7814037168,"bytes":4000787030016},"rotation_rate":5400,
"smart_status":{"passed":true},"temperature":{"current":34},"power_on_time":{"hours":$(cat "$drive/hours")},
"ata_smart_data":{"self_test":{"status":{"value":$status,"string":"x"},"polling_minutes":{"short":2,"extended":500}}},
"ata_smart_attributes":{"table":[{"id":197,"name":"Current_Pending_Sector","value":100,"worst":100,"thresh":0,
"when_failed":"","flags":{"prefailure":false},"raw":{"value":$(cat "$drive/pending"),"string":"$(cat "$drive/pending")"}}]},
"ata_smart_error_log":{"extended":{"count":0}},
"ata_smart_self_test_log":{"extended":{"count":$(wc -l <"$drive/log"),"table":[$rows]}}}
END
  ;;
esac
exit 0
"#;

/// A machine whose drives and `smartctl` are ours.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// `None`, with a loud skip, where the kernel gives no namespaces.
    pub(crate) fn new() -> Option<Self> {
        let probe = Command::new("unshare").args(["--mount", "true"]).output().expect("unshare runs");
        if !probe.status.success() {
            skip("mount-namespace", &String::from_utf8_lossy(&probe.stderr));
            return None;
        }
        let folder = tempfile::Builder::new().prefix("selftest").tempdir().expect("a temporary folder");
        let machine = Self { folder };
        let state = machine.path("drives").display().to_string();
        machine.write("tools/smartctl", &SMARTCTL.replace("STATE", &state));
        fs::set_permissions(machine.path("tools/smartctl"), fs::Permissions::from_mode(0o755)).expect("ours");
        for name in ["run", "block"] {
            fs::create_dir(machine.path(name)).expect("a folder");
        }
        machine.write("drives/version", "7.4");
        for (device, port, serial) in [("sda", 1, FIRST), ("sdb", 2, SECOND)] {
            let disk = format!("devices/pci0000:00/ata{port}/host{port}/target0:0:0/0:0:0:0/block/{device}");
            for (name, text) in
                [("size", "7814037168\n"), ("queue/rotational", "1\n"), ("removable", "0\n"), ("ro", "0\n")]
            {
                machine.write(&format!("{disk}/{name}"), text);
            }
            machine.write(&format!("{disk}/device/model"), "MADE UP         \n");
            let link = machine.path("block").join(device);
            std::os::unix::fs::symlink(machine.path(&disk), link).expect("a link");
            for (name, text) in [("serial", serial), ("hours", "100"), ("pending", "0"), ("log", "")] {
                machine.write(&format!("drives/{device}/{name}"), text);
            }
        }
        Some(machine)
    }

    /// A file or folder of this machine's; one below `etc` makes that its configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// A command that runs on this machine: what is given to it runs where our folders stand over the real ones.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let script = format!(
            "set -e\nmount --make-rprivate /\nexport ASSAY_COLLECT_TOOL_DIRS={0}/tools\n\
             mount --bind {0}/block /sys/block\nmount --bind {0}/run /run\n\
             if [ -d {0}/etc ]; then mount --bind {0}/etc /etc; fi\nexec \"$0\" \"$@\"\n",
            self.folder.path().display()
        );
        let mut command = Command::new("unshare");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["--mount", "sh", "-c", &script]).arg(program).stdin(Stdio::null());
        command
    }

    fn assay(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&binary("assay"));
        command.args(arguments).arg("--state-dir").arg(self.path("state"));
        command.output().expect("unshare runs")
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let done = self.assay(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {out}{err}");
        out.into_owned()
    }

    fn bad(&self, arguments: &[&str], expected: &[&str]) {
        let done = self.assay(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(done.status.code(), Some(3), "{arguments:?}: {out}{err}");
        for words in expected {
            assert!(err.contains(words), "{arguments:?} does not say {words:?}: {out}{err}");
        }
    }

    /// State of the tests in the queue, oldest first: serial number and word.
    fn queue(&self) -> Vec<(String, String)> {
        let told: Value = serde_json::from_str(&self.ok(&["selftest", "status", "--json"])).expect("JSON");
        let tests = told["self_tests"].as_array().expect("a list").iter().map(|row| &row["test"]);
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        tests.map(|test| (text(&test["serial"]), text(&test["state"]["is"]))).collect()
    }

    fn holds(&self, expected: &[(&str, &str)]) {
        let queue = self.queue();
        let queue: Vec<_> = queue.iter().map(|(serial, is)| (serial.as_str(), is.as_str())).collect();
        assert_eq!(queue, expected, "{}", self.ok(&["selftest", "status"]));
    }

    /// The drive ends the test that runs, with this status of its log.
    pub(crate) fn ends(&self, device: &str, status: u8, words: &str) {
        let read =
            |name: &str| fs::read_to_string(self.path(&format!("drives/{device}/{name}"))).expect("a file");
        let row = format!("{}|{status}|{words}|{}\n", read("running").trim(), read("hours").trim());
        self.write(&format!("drives/{device}/log"), &(row + &read("log")));
        fs::remove_file(self.path(&format!("drives/{device}/running"))).expect("it runs");
    }

    pub(crate) fn runs(&self, device: &str) -> bool {
        self.path(&format!("drives/{device}/running")).exists()
    }

    /// What RAM held is gone, and the two drives have each other's name.
    fn boots(&self) {
        fs::remove_dir_all(self.path("run")).expect("ours");
        fs::create_dir(self.path("run")).expect("ours");
        for (from, to) in [("sda", "other"), ("sdb", "sda"), ("other", "sdb")] {
            fs::rename(self.path(&format!("drives/{from}")), self.path(&format!("drives/{to}")))
                .expect("ours");
        }
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("drives/calls")).expect("it was called");
        calls.lines().map(str::to_owned).collect()
    }
}

#[test]
fn queued_run_restarted_finished_and_aborted() {
    let Some(machine) = Machine::new() else { return };
    let listed = machine.ok(&["selftest", "list"]);
    assert!(listed.contains(FIRST) && listed.contains(SECOND), "{listed}");
    assert!(machine.ok(&["selftest", "status"]).contains("no self-test was started here"));
    machine.bad(&["selftest", "start", "nothing"], &["there is no drive", "selftest list"]);
    machine.bad(&["selftest", "abort", FIRST], &["waits or runs here"]);

    // Two are queued; one runs.
    let told = machine.ok(&["selftest", "start", FIRST]);
    assert!(told.contains("runs since") && told.contains("2 min by the drive's estimate"), "{told}");
    let told = machine.ok(&["selftest", "start", SECOND]);
    assert!(told.contains("waits for its turn"), "{told}");
    machine.bad(&["selftest", "start", FIRST], &["queued or runs already"]);
    assert!(machine.runs("sda") && !machine.runs("sdb"));
    machine.write("drives/sda/left", "4");
    assert!(machine.ok(&["selftest", "status"]).contains("40 % left"));

    // The NAS restarts; the test goes on in the drive, which has another name now.
    machine.boots();
    machine.holds(&[(FIRST, "running"), (SECOND, "waiting")]);
    assert!(machine.ok(&["selftest", "status"]).contains("40 % left"));
    // One that sleeps is neither woken nor given up.
    machine.write("drives/sdb/asleep", "");
    assert!(machine.ok(&["selftest", "status"]).contains("the drive sleeps and was not woken"));
    fs::remove_file(machine.path("drives/sdb/asleep")).expect("ours");
    // It ends while nobody looks; its log tells, and the next one begins.
    machine.ends("sdb", 0, "Completed without error");
    machine.boots();
    machine.holds(&[(FIRST, "ended"), (SECOND, "running")]);
    assert!(machine.ok(&["selftest", "status"]).contains("passed: Completed without error"));
    assert!(machine.runs("sdb"));

    let told = machine.ok(&["selftest", "abort", SECOND]);
    assert!(told.contains("stopped: by the owner"), "{told}");
    assert!(!machine.runs("sdb"), "the drive was told");
    let log = machine.ok(&["log"]);
    for words in
        ["was asked for by the owner", "begins", "passed: Completed without error", "stopped: by the owner"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
    // No question and no order was ever sent that could have woken a drive.
    for call in machine.calls() {
        assert!(call == "--version" || call.contains("-n standby,3"), "{call}");
    }
    let started = machine.calls().iter().filter(|call| call.contains("-t ")).count();
    assert_eq!(started, 2, "each was started once: {:?}", machine.calls());
}

#[test]
fn refused_with_the_fact_that_speaks_against_it() {
    let Some(machine) = Machine::new() else { return };
    // A short one only looks at what can be asked.
    machine.write("drives/version", "of-somebody");
    machine.bad(&["selftest", "start", FIRST], &["does not say its version", "7.0 or newer"]);
    machine.write("drives/version", "7.4");
    machine.write("drives/sdb/pending", "8");
    let extended = ["selftest", "start", SECOND, "--extended", "--yes"];
    machine.bad(&extended, &["attribute 197", "finding DRV-002", "start a short one"]);
    machine.ok(&["selftest", "start", SECOND]);
    machine.ends("sdb", 0x79, "Completed: read failure");
    machine.holds(&[(SECOND, "ended")]);
    assert!(machine.ok(&["selftest", "status"]).contains("FAILED: Completed: read failure"));
    // A drive that failed is not read to its end.
    machine.write("drives/sdb/pending", "0");
    machine.bad(&extended, &["the last self-test", "(self_tests): Completed: read failure"]);

    machine.bad(&["selftest", "start", FIRST, "--extended"], &["nobody is here to answer", "--yes"]);
    machine.write("drives/sda/running", "Short offline");
    machine.write("drives/sda/left", "9");
    let told = machine.ok(&["selftest", "start", FIRST, "--extended", "--yes"]);
    assert!(told.contains("runs a self-test that was not begun here"), "{told}");
    assert!(machine.ok(&["selftest", "abort", FIRST]).contains("stopped: by the owner"));
    assert!(machine.runs("sda"), "what something else began goes on");
    machine.ends("sda", 0, "Completed without error");
    let told = machine.ok(&["selftest", "start", FIRST, "--extended", "--yes"]);
    assert!(told.contains("500 min by the drive's estimate"), "{told}");
    machine.ok(&["pause"]);
    machine.bad(&["selftest", "start", SECOND], &["everything is paused"]);
}

#[test]
fn an_array_without_redundancy_to_spare_refuses_an_extended_one() {
    let Some(machine) = Machine::new() else { return };
    // `sda` works in the array, and `sdb` is out, being filled, or in again.
    let array = |degraded: &str, action: &str, second: Option<&str>| {
        let _ = fs::remove_dir_all(machine.path("block/md1/md"));
        let files =
            [("level", "raid1"), ("array_state", "clean"), ("raid_disks", "2"), ("degraded", degraded)];
        let members = [("sda3", "0", Some("in_sync")), ("sdb3", "1", second)];
        for (name, text) in files.into_iter().chain([("sync_action", action)]) {
            machine.write(&format!("block/md1/md/{name}"), &format!("{text}\n"));
        }
        for (device, slot, state) in members.into_iter().filter_map(|(d, s, state)| Some((d, s, state?))) {
            machine.write(&format!("block/md1/md/dev-{device}/slot"), &format!("{slot}\n"));
            machine.write(&format!("block/md1/md/dev-{device}/state"), &format!("{state}\n"));
        }
        machine.write("block/md1/size", "7814037168\n");
    };
    let extended = |serial: &'static str| ["selftest", "start", serial, "--extended", "--yes"];
    let orders = || machine.calls().iter().filter(|call| call.contains("-t ")).count();
    array("1", "idle", None);
    for serial in [FIRST, SECOND] {
        machine.bad(&extended(serial), &["md1 is degraded", "lacks 1 of its members", "start a short one"]);
    }
    array("1", "recover", Some("spare"));
    machine.bad(&extended(FIRST), &["md1 is being rebuilt (md_arrays, sync_action)", "start a short one"]);
    assert_eq!(orders(), 0, "no drive was told anything");
    // A short one takes minutes.
    machine.ok(&["selftest", "start", FIRST]);
    machine.ends("sda", 0, "Completed without error");
    machine.holds(&[(FIRST, "ended")]);
    // Whole again: one runs and one waits; the array breaks before its turn comes.
    array("0", "idle", Some("in_sync"));
    machine.ok(&extended(FIRST));
    assert!(machine.ok(&extended(SECOND)).contains("waits for its turn"));
    array("1", "idle", None);
    machine.ends("sda", 0, "Completed without error");
    let told = machine.ok(&["selftest", "status"]);
    assert!(told.contains("md1 is degraded"), "{told}");
    assert_eq!(orders(), 2, "a short one and one extended: {:?}", machine.calls());
    assert!(!machine.runs("sdb"));
}

#[test]
fn the_daemon_looks_when_the_drive_may_be_done_and_writes_to_ram() {
    let Some(machine) = Machine::new() else { return };
    let me = std::process::id().to_string();
    let job = |name: &str| -> Value {
        serde_json::from_str(&machine.ok(&["__job", name, &me])).expect("what it told")
    };
    assert_eq!(job("selftest")["words"], "no self-test waits or runs");
    machine.ok(&["selftest", "start", FIRST, "--extended", "--yes"]);
    let before = machine.calls().len();
    let told = job("selftest");
    assert_eq!(told["words"], "1 self-tests run, 0 wait");
    let again = told["again_after_s"].as_u64().expect("it comes again");
    assert!((29_000..=30_060).contains(&again), "{told}: after the drive's own 500 minutes");
    assert_eq!(machine.calls().len(), before, "no drive was asked before that");
    // What the daemon learns by itself reaches the data volume with the rest of what it remembers.
    let volume = machine.path("state/memory/selftest.json");
    let kept = fs::read(&volume).expect("the owner's order is on the data volume");
    machine.ends("sda", 0, "Completed without error");
    machine.holds(&[(FIRST, "ended")]);
    assert_ne!(fs::read(&volume).expect("there"), kept);
    fs::write(&volume, &kept).expect("ours");
    job("keep");
    assert_ne!(fs::read(&volume).expect("there"), kept, "`keep` brings it there");
    machine.boots();
    job("recall");
    machine.holds(&[(FIRST, "ended")]);
}
