//! What an idle daemon is: a process that reads no flags and no configuration any more, and sleeps.

use super::*;

/// A field of `/proc/PID/status`.
fn field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel counts it");
    line.trim_start_matches(':').trim().to_owned()
}

#[test]
fn it_becomes_a_process_of_its_own_and_sleeps() {
    let device = Device::new();
    prepare(&device, "[run]\ncheck = ''\nrecorder_minutes = 0\n", &json!({}));
    let _swept = Swept(ram(&device));
    let daemon = Daemon::start(&device);
    let line = fs::read(format!("/proc/{}/cmdline", daemon.pid())).expect("a living process");
    assert!(String::from_utf8_lossy(&line).contains("__daemon"), "the first image is gone");
    assert_eq!(field(daemon.pid(), "Threads"), "1");
    // Gentle wherever it runs: niceness is the field 19 of the whole line, 17 after the name.
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("a living process");
    let nice = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(16)).expect("a niceness");
    assert_eq!(nice, "19");
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).expect("a living process");
    let data = limits.lines().find(|line| line.starts_with("Max data size")).expect("a limit");
    assert!(data.contains(&(512_u64 << 20).to_string()), "{data}");
    let io = Command::new("ionice").arg("-p").arg(daemon.pid().to_string()).env_clear().output();
    match io {
        Ok(io) => assert!(String::from_utf8_lossy(&io.stdout).starts_with("idle"), "{io:?}"),
        // What the kernel gives back is asked beside the call too.
        Err(error) => println!("ionice: {error}"),
    }
    // Asleep in poll(2): it wakes for an event or after its own sleep, and for nothing else.
    wait_for("it to sleep", CEILING, || field(daemon.pid(), "State").starts_with('S').then_some(()));
    daemon.stop();
}
