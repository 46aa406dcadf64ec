//! The daemon `assay run` with the real binary: one at a time, ended in time, reloaded, never taken down by a job, silent
//! until the owner chose otherwise, and nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use assay_bundle::digest::sha256_hex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::cli::portal::Portal;
use crate::cli::run::{CEILING, Device};
use crate::support::{Guarded, root, skip, wait_for};

mod idle;
mod limits;
mod polling;
mod revoked;

/// A daemon of a device; stopped when dropped.
struct Daemon<'d> {
    device: &'d Device,
    child: Guarded,
}

impl<'d> Daemon<'d> {
    fn start(device: &'d Device) -> Self {
        let log = fs::File::create(device.path("daemon.err")).expect("a file");
        let child = device.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn();
        let daemon = Self { device, child: Guarded(child.expect("it starts")) };
        wait_for("the daemon", CEILING, || daemon.said("begins").then_some(()));
        daemon
    }

    fn said(&self, words: &str) -> bool {
        fs::read_to_string(self.device.path("daemon.err")).is_ok_and(|text| text.contains(words))
    }

    fn waits_for(&self, words: &str) {
        let all = || fs::read_to_string(self.device.path("daemon.err")).unwrap_or_default();
        let begun = Instant::now();
        while !self.said(words) {
            assert!(begun.elapsed() < CEILING, "{words:?} was not said:\n{}", all());
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.0.id()).expect("a number")
    }

    fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Ends it as a service manager does; nothing of it is left. That it keeps to five seconds is the sum of its waits,
    /// which is tested beside them: a busy machine proves nothing.
    fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait(CEILING);
        assert!(status.success(), "{status}");
        let state = self.device.text("state");
        wait_for("its children's end", CEILING, || processes_of(&state).is_empty().then_some(()));
    }
}

fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a process"), signal).expect("it can be told");
}

/// Processes of this test's state folder other than the test.
fn processes_of(state: &str) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environ).split('\0').any(|pair| pair == format!("ASSAY_STATE_DIR={state}"))
    };
    pids.filter(is_ours).collect()
}

/// The process of this job, once there is one.
fn job_of(daemon: &Daemon<'_>, name: &str) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    wait_for("a job", CEILING, || {
        let text = fs::read_to_string(&children).ok()?;
        let pids = text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok());
        let is_it = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).collect();
            words.windows(2).any(|two| two == [b"__job".as_slice(), name.as_bytes()])
        };
        pids.into_iter().find(is_it)
    })
}

/// Waits until a process is dead, whether or not somebody has collected it.
fn is_gone(pid: i32) {
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    wait_for("the job's end", CEILING, || (!lives()).then_some(()));
}

/// Makes each job that reads the machine wait for ever at its first step: the key of the stand-ins is a pipe into which
/// nobody writes. So it cannot end before a test has looked at it.
fn stall_jobs(device: &Device) {
    let identity = device.state().join("identity");
    fs::create_dir_all(&identity).expect("a folder");
    let status = Command::new("mkfifo").args(["-m", "600"]).arg(identity.join("pseudonym.key")).status();
    assert!(status.expect("mkfifo").success());
}

/// What the daemon logged, wherever it is: the last lines stay in RAM when the data volume took too long.
fn whole_log(device: &Device) -> String {
    let (volume, ram) = (device.state().join("memory"), ram(device));
    let files = [volume.join("daemon.log"), ram.join("taken.log"), ram.join("pending.log")];
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect()
}

/// What the daemon remembers in RAM.
fn ram(device: &Device) -> PathBuf {
    let runtime = device.run(&["status", "--json"]).ends(0).json()["runtime_dir"].clone();
    let identity = sha256_hex(device.state().join("identity").as_os_str().as_encoded_bytes());
    Path::new(runtime.as_str().expect("a path")).join(format!("daemon-{}", &identity[..16]))
}

/// Settings, and what an earlier daemon left on the data volume: jobs that are late.
fn prepare(device: &Device, settings: &str, past: &Value) {
    fs::create_dir_all(device.state().join("memory")).expect("a folder");
    fs::write(device.state().join("assay.toml"), settings).expect("a file");
    let board = serde_json::to_vec(&json!({ "past": past })).expect("plain data");
    fs::write(device.state().join("memory/daemon.json"), board).expect("a file");
}

/// Removes what is in RAM when the test ends.
struct Swept(PathBuf);

impl Drop for Swept {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn job<'j>(status: &'j Value, name: &str) -> &'j Value {
    let jobs = status["daemon"]["jobs"].as_array().expect("jobs");
    jobs.iter().find(|job| job["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn one_daemon_that_takes_its_configuration_anew_and_goes_in_time() {
    let device = Device::new();
    prepare(&device, "[run]\ncheck = ''\nrecorder_minutes = 0\n", &json!({}));
    let _swept = Swept(ram(&device));
    assert!(device.run(&["status"]).ends(0).out.contains("does not run; `assay run` starts it"));
    let daemon = Daemon::start(&device);
    let pid = daemon.pid().to_string();
    device.run(&["run"]).fails_with(&["another daemon runs already", &pid, "assay status"]);

    fs::write(device.state().join("assay.toml"), "[run]\ncheck = 'soon'\n").expect("a file");
    daemon.signal(Signal::HUP);
    daemon.waits_for("goes on with the old configuration");
    fs::write(device.state().join("assay.toml"), "[run]\ncheck = '0 3 * * *'\nrecorder_minutes = 0\n")
        .expect("a file");
    daemon.signal(Signal::HUP);
    daemon.waits_for("takes the configuration anew");
    let status = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!(status["daemon"]["running"], true);
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    assert!(job(&status, "check")["next"].is_string(), "{status}");

    daemon.stop();
    let log = whole_log(&device);
    assert!(log.contains("goes on with the old configuration") && log.contains("stops"), "{log}");
    // A daemon that was killed leaves a lock file that is in nobody's way.
    let mut killed = Daemon::start(&device);
    killed.child.0.kill().expect("killed");
    killed.child.wait(CEILING);
    Daemon::start(&device).stop();
}

#[test]
fn a_job_that_hangs_does_not_hold_the_daemon() {
    let device = Device::new();
    let late = json!({ "recorder": { "started_unix_s": 1_700_000_000 } });
    prepare(&device, "[run]\ncheck = ''\n", &late);
    stall_jobs(&device);
    let _swept = Swept(ram(&device));
    let daemon = Daemon::start(&device);
    // A stopped process takes no signal but the one that kills.
    let hanging = job_of(&daemon, "recorder");
    send(hanging, Signal::STOP);
    // The process is there a moment before it is written down.
    wait_for("its place in the status", CEILING, || {
        let status = device.run(&["status", "--json"]).ends(0).json();
        (status["daemon"]["now_running"] == "recorder").then_some(())
    });
    daemon.stop();
    is_gone(hanging);
    // Killed by somebody: it is tried again, and the daemon goes on.
    let daemon = Daemon::start(&device);
    send(job_of(&daemon, "recorder"), Signal::KILL);
    daemon.waits_for("recorder failed: it died by signal 9");
    // A daemon that dies takes its job with it.
    let job = job_of(&daemon, "recorder");
    drop(daemon);
    is_gone(job);
}

#[test]
fn a_crash_loop_is_said_and_backs_off() {
    let device = Device::new();
    // A damaged key makes each check fail; four failures of the last minutes are remembered.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
    let now = fs::read_to_string("/proc/uptime").expect("an uptime");
    let now: u64 = now.split('.').next().expect("seconds").parse().expect("a number");
    // A machine that has just booted has not been up for as long.
    let ago = |seconds: u64| now.saturating_sub(seconds);
    let past = json!({ "check": {
        "boot_id": boot.trim(), "failures_in_a_row": 4, "failures": 4, "retry_boot_s": 0, "started_boot_s": ago(60),
        "failed_boot_s": [ago(200), ago(150), ago(100), ago(60)]
    } });
    prepare(&device, "[run]\nrecorder_minutes = 0\n", &past);
    let _swept = Swept(ram(&device));
    let identity = device.state().join("identity");
    fs::create_dir_all(&identity).expect("a folder");
    fs::write(identity.join("pseudonym.key"), "damaged").expect("a file");
    assert!(
        Command::new("chmod")
            .args(["600"])
            .arg(identity.join("pseudonym.key"))
            .status()
            .expect("it runs")
            .success()
    );
    let daemon = Daemon::start(&device);
    daemon.waits_for("check failed: ");
    daemon.waits_for("check fails again and again");
    let status = device.run(&["status", "--json"]).ends(0).json();
    let check = job(&status, "check");
    assert_eq!((&check["crash_loop"], &check["failures"]), (&json!(true), &json!(5)), "{check}");
    let words = device.run(&["status"]).ends(0).out;
    assert!(words.contains("is damaged") && words.contains("tried once an hour"), "{words}");
    daemon.stop();
}

#[test]
fn a_new_finding_is_held_and_a_report_is_sent_only_where_it_was_chosen() {
    let device = Device::new();
    let portal = Portal::start();
    portal.enrol(&device);
    let late = json!({ "done_until_unix_s": 1_700_000_000 });
    let past = json!({ "check": late, "report": late });
    prepare(&device, "", &past);
    let _swept = Swept(ram(&device));
    let asked = || {
        let log = fs::read_to_string(portal.folder.path().join("log")).expect("the portal's log");
        log.lines().filter(|line| line.contains("/api/v1/reports")).count()
    };
    let daemon = Daemon::start(&device);
    daemon.waits_for("check: ");
    daemon.waits_for("keep: ");
    daemon.stop();
    assert_eq!(asked(), 0, "nothing leaves by itself");
    let status = device.run(&["status", "--json"]).ends(0).json();
    for bundle in status["bundles"].as_array().expect("bundles") {
        assert_eq!(bundle["encrypted"], false, "a bundle for a finding is held: {bundle}");
    }
    assert!(job(&status, "report").is_null() || job(&status, "report")["runs"] == 0);

    // The owner's choice.
    let kept = fs::read(device.state().join("memory/daemon.json")).expect("it was kept");
    let mut kept: Value = serde_json::from_slice(&kept).expect("a document");
    kept["past"]["report"] = late;
    let _ = fs::remove_dir_all(ram(&device));
    prepare(&device, "[report]\nschedule = '0 0 * * *'\n[run]\nrecorder_minutes = 0\n", &kept["past"]);
    let daemon = Daemon::start(&device);
    daemon.waits_for("report: sent");
    daemon.stop();
    // The portal writes its log in its own time.
    wait_for("the report in the portal's log", CEILING, || (asked() > 0).then_some(()));
    assert_eq!(asked(), 1);
}

#[test]
fn the_unit_is_what_the_daemon_needs() {
    let path = root().join("packaging/systemd/assay.service");
    let text = fs::read_to_string(&path).expect("the unit");
    let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line}");
    has("ExecStart=/usr/bin/assay run");
    has("ExecReload=/bin/kill -HUP $MAINPID");
    has("ProtectSystem=strict");
    has("StateDirectory=assay");
    has("RuntimeDirectory=assay");
    // What would take the drives, the kernel log or the portal away.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for key in
            ["PrivateDevices", "DevicePolicy", "ProtectKernelLogs", "PrivateNetwork", "DynamicUser", "User="]
        {
            assert!(!line.starts_with(key), "{line}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().join("assay.service");
    // The program need not be installed where this is tested.
    fs::write(&here, text.replace("/usr/bin/assay", "/bin/true")).expect("a file");
    let mut verify = Command::new("systemd-analyze");
    match verify.arg("verify").arg(&here).output() {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => skip("systemd-analyze", "there is no systemd here"),
    }
}
