//! The daemon takes what others leave over. Niceness and the cap of memory are set by the program itself, wherever it
//! runs (`assay_collector::live::be_gentle`); with niceness 19 comes the lowest level of the kernel's ordinary I/O class.
//!
//! The idle I/O class below that has no safe call in this program. The system's own `ionice` sets it for our process, and
//! what is started later inherits it: the jobs, their readers and the tools that they ask. Where there is no `ionice` the
//! lowest ordinary level holds. The class counts with the schedulers that know it (BFQ, CFQ), as `ionice(1)` says.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where it may be: util-linux, or BusyBox as on QTS, or Entware.
const TOOLS: [&str; 4] = ["/usr/bin/ionice", "/bin/ionice", "/usr/sbin/ionice", "/opt/bin/ionice"];
/// A tool that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

/// Asks for the idle I/O class for this process. Without it everything works.
pub(super) fn idle_io() {
    let Some(tool) = TOOLS.iter().find(|tool| std::path::Path::new(tool).is_file()) else { return };
    let mut command = Command::new(tool);
    command.args(["-c", "3", "-p", &std::process::id().to_string()]).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
}
