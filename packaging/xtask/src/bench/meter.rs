//! What a command costs: its wall time, its processor time with that of its children, its peak memory and that of the
//! whole tree below it, and what it printed.
//!
//! Time and memory are taken in different runs: looking for memory costs time. A tree's memory is the sum of the
//! proportional shares (PSS), so that what processes share counts once; it is sampled, so a short peak may be missed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two looks at the memory.
const LOOK: Duration = Duration::from_micros(500);

/// The kernel counts children's time in ticks of 10 ms: `USER_HZ` is 100 on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// Wall time, processor time of the tree and bytes on standard output of one run.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    pub(super) bytes: u64,
}

/// Peak memory of the process itself, and of it with everything below it.
#[derive(Clone, Copy, Default)]
pub(super) struct Memory {
    pub(super) process_kib: u64,
    pub(super) tree_kib: u64,
}

/// Runs a command and looks at nothing meanwhile. Its output goes to a file.
pub(super) fn time(command: &mut Command, output: &Path) -> Result<Time> {
    let file = File::create(output).with_context(|| output.display().to_string())?;
    command.stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
    let (start, before) = (Instant::now(), children_cpu());
    command.status().context("a measured command does not start")?;
    let wall = start.elapsed();
    let bytes = std::fs::metadata(output).context("its output")?.len();
    Ok(Time { wall, cpu: children_cpu().saturating_sub(before), bytes })
}

/// The same for something that we do ourselves.
pub(super) fn time_of(work: impl FnOnce() -> Result<u64>) -> Result<Time> {
    let (start, before) = (Instant::now(), children_cpu());
    let bytes = work()?;
    Ok(Time { wall: start.elapsed(), cpu: children_cpu().saturating_sub(before), bytes })
}

/// Runs a command and looks at its memory all the time.
pub(super) fn memory(command: &mut Command) -> Result<Memory> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("a measured command does not start")?;
    let mut peak = Memory::default();
    while !is_zombie(child.id()) {
        peak = peak.with(now(child.id()));
        std::thread::park_timeout(LOOK);
    }
    child.wait().context("wait")?;
    Ok(peak)
}

/// The memory of a process that runs, and of everything below it.
pub(super) fn now(pid: u32) -> Memory {
    let mut below: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(other) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = stat(other).and_then(|fields| fields.get(1)?.parse().ok()) {
            below.entry(parent).or_default().push(other);
        }
    }
    let (mut tree_kib, mut waiting) = (0, vec![pid]);
    while let Some(pid) = waiting.pop() {
        tree_kib += field(pid, "smaps_rollup", "Pss:").unwrap_or(0);
        waiting.extend(below.get(&pid).into_iter().flatten());
    }
    Memory { process_kib: field(pid, "status", "VmHWM:").unwrap_or(0), tree_kib }
}

impl Memory {
    /// The larger of both, each.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            process_kib: self.process_kib.max(other.process_kib),
            tree_kib: self.tree_kib.max(other.tree_kib),
        }
    }
}

/// The middle one.
pub(super) fn median<T: Ord + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Processor time of our children that ended.
pub(super) fn children_cpu() -> Duration {
    let ticks =
        |at: usize| stat(std::process::id()).and_then(|fields| fields.get(at)?.parse().ok()).unwrap_or(0);
    TICK * (ticks(13) + ticks(14))
}

/// A number in kB of a file of `/proc/PID`.
pub(super) fn field(pid: u32, file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// The fields of `/proc/PID/stat` from the state on, which is the third.
pub(super) fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

/// Whether a child of ours has ended.
pub(super) fn is_zombie(pid: u32) -> bool {
    stat(pid).is_none_or(|fields| fields.first().is_some_and(|state| state == "Z"))
}
