//! One line of `/proc/PID/stat`: enough to recognise a process again and to see whether it still runs.
//!
//! Process ids are reused; id and start time together are not. The name in the line may hold any byte, brackets
//! included, so fields are counted from the last `)`.

use std::fs;

/// What the line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcStat {
    /// Process id (field 1).
    pub(super) pid: u32,
    /// State letter (field 3): `D` is an uninterruptible sleep, `Z` and `X` are dead.
    pub(super) state: u8,
    /// Process group (field 5).
    pub(super) group: u32,
    /// Start in clock ticks since boot (field 22).
    pub(super) started_ticks: u64,
}

impl ProcStat {
    /// The process, if there is one.
    pub(super) fn of(pid: u32) -> Option<Self> {
        parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it is in an uninterruptible sleep, in which no signal reaches it.
    pub(super) fn is_stuck(&self) -> bool {
        self.state == b'D'
    }

    /// Whether it still runs or sleeps: a dead one that its parent has not collected holds nothing any more.
    pub(super) fn lives(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// The living members of a process group, by looking at every process.
pub(super) fn living_members(group: u32) -> Vec<ProcStat> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(ProcStat::of).filter(|process| process.group == group && process.lives()).collect()
}

fn parse(line: &[u8]) -> Option<ProcStat> {
    let close = line.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?.parse().ok()?;
    let mut fields = std::str::from_utf8(line.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let group = fields.nth(1)?.parse().ok()?;
    let started_ticks = fields.nth(16)?.parse().ok()?;
    Some(ProcStat { pid, state, group, started_ticks })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: Option<(u32, u8, u32, u64)>) {
        let parsed = parse(line).map(|stat| (stat.pid, stat.state, stat.group, stat.started_ticks));
        assert_eq!(parsed, expected, "{}", String::from_utf8_lossy(line));
    }

    #[test]
    fn fields_are_counted_from_the_last_bracket() {
        let rest = "7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11";
        check(format!("42 (sh) S {rest}").as_bytes(), Some((42, b'S', 42, 987_654)));
        check(format!("42 (a) b) D {rest}").as_bytes(), Some((42, b'D', 42, 987_654)));
        check(&[&b"42 (\xff) "[..], b"Z ", rest.as_bytes()].concat(), Some((42, b'Z', 42, 987_654)));
        check(b"", None);
        check(b"42 (sh", None);
        check(b"42 (sh) S 7", None);
        check(b"x (sh) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 1", None);
    }

    #[test]
    fn this_process_is_alive() {
        let own = ProcStat::of(std::process::id()).expect("it runs");
        assert!(own.lives() && own.started_ticks > 0);
        assert!(
            living_members(own.group).contains(&own)
                || living_members(own.group).iter().any(|p| p.pid == own.pid)
        );
    }
}
