//! Prompts of shells in a transcript: `[~] # getsysinfo cputmp`, `[admin@nas ~]$ …`, `admin@nas:~# …`, and a bare
//! `# cat /proc/mdstat` or `getsysinfo cputmp` where the word behind it is a program that prints what is known here.
//!
//! A prompt ends what stands above it and is no content itself. The stamp of a kernel log is no prompt.

use super::{Glance, Sign};

/// Programs whose outputs are known, and those that print a file.
const PROGRAMS: [&str; 19] = [
    "cat",
    "dmesg",
    "dmsetup",
    "get_hwsn",
    "getcfg",
    "getsysinfo",
    "hal_app",
    "ipmitool",
    "journalctl",
    "less",
    "lvs",
    "mdadm",
    "more",
    "pvs",
    "qcli_storage",
    "smartctl",
    "tail",
    "upsc",
    "zpool",
];

/// Whether a line may be a prompt or a command: of those that begin with a capital or a digit, as most do, only a user at
/// a host or a program with its path is one.
pub(super) fn may_be(glance: Glance) -> bool {
    let plain = glance.first.is_ascii_uppercase() || glance.first.is_ascii_digit();
    !plain || glance.shows(Sign::Holds(b'@')) || glance.shows(Sign::Holds(b'/'))
}

/// What was typed, without the path of its program and without `sudo`; empty for a prompt at which nothing was.
pub(super) fn typed(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(command) = below_brackets(line).or_else(|| below_host(line)) {
        return Some(program(command));
    }
    let (bare, marked) = match line.strip_prefix("# ").or_else(|| line.strip_prefix("$ ")) {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    let command = program(bare);
    let first = command.split_whitespace().next()?;
    // Without a mark only what cannot be anything but a command.
    let known = PROGRAMS.contains(&first) && (marked || super::qts::is_known(command));
    known.then_some(command)
}

/// A line that may stand before the root of an XML document: its declaration, a remark.
pub(super) fn is_prolog(line: &str) -> bool {
    let line = line.trim();
    (line.starts_with("<?xml") && line.ends_with("?>")) || (line.starts_with("<!--") && line.ends_with("-->"))
}

/// A line that is an XML comment as a whole.
pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("<!--") && line.find("-->").is_some_and(|at| at + 3 == line.len())
}

/// `[~] # …`, `[admin@nas ~]$ …`.
fn below_brackets(line: &str) -> Option<&str> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let is_stamp = inside.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b' '));
    if is_stamp || inside.len() > 256 {
        return None;
    }
    marked(rest.trim_start())
}

/// `admin@nas:~# …`.
fn below_host(line: &str) -> Option<&str> {
    // Every line of every paste is asked, and few name a user at a host.
    if !line.as_bytes().contains(&b'@') {
        return None;
    }
    let end = line.find(['#', '$', ' '])?;
    let (host, rest) = line.split_at_checked(end)?;
    let (user, place) = host.split_once('@')?;
    let plain = !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    (plain && place.contains(':')).then(|| marked(rest)).flatten()
}

/// What stands behind `#` or `$`.
fn marked(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(['#', '$'])?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
}

/// The command from its program's name on.
fn program(command: &str) -> &str {
    let command = command.trim();
    let command = command.strip_prefix("sudo ").map_or(command, str::trim_start);
    let end = command.find(char::is_whitespace).unwrap_or(command.len());
    let start = command.get(..end).and_then(|first| first.rfind('/')).map_or(0, |slash| slash + 1);
    command.get(start..).unwrap_or(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_and_what_is_none() {
        fn check(line: &str, expected: Option<&str>) {
            assert_eq!(typed(line), expected, "{line}");
            assert!(expected.is_none() || may_be(Glance::at(line)), "{line}");
        }
        check("[~] # getsysinfo cputmp", Some("getsysinfo cputmp"));
        check("[/share/Public] # /sbin/get_hwsn\n", Some("get_hwsn"));
        check("[admin@NAS ~]# ls", Some("ls"));
        check("[admin@NAS ~]$ sudo /usr/sbin/smartctl -x /dev/sda", Some("smartctl -x /dev/sda"));
        check("admin@nas:~# cat /proc/mdstat", Some("cat /proc/mdstat"));
        check("admin@nas:/share$", Some(""));
        check("[~] #", Some(""));
        check("# cat /proc/mdstat", Some("cat /proc/mdstat"));
        check("getsysinfo cputmp", Some("getsysinfo cputmp"));
        check("Apps/bin/getsysinfo cputmp", Some("getsysinfo cputmp"));
        check("Anna@nas:~# get_hwsn", Some("get_hwsn"));
        for other in [
            "[    1.000000] # x",
            "[PhysicalDisk_1]",
            "# a remark",
            "cat",
            "smartctl 7.2 2020-12-30 r5155",
            "[~] x",
            "anna@example.com: #1",
            "",
            "md1 : active raid1 sda3[0]",
        ] {
            check(other, None);
        }
    }
}
