//! The kernel's last words: `/sys/fs/pstore/*`, and the copies that QTS makes of its console at every warm restart,
//! `/mnt/HDA_ROOT/.logs/pstore_1` to `pstore_3` (a file each, or a folder; both are read).
//!
//! Memory at a fixed place (`ramoops`) survives a restart and not a loss of power. An empty folder is told as an empty
//! list: after an unclean stop it says that the power went, on a machine that leaves dumps at all. EFI's compressed
//! dumps (`.enc.z`) are listed and not understood.

use assay_bundle::Observed;
use assay_bundle::facts::pstore::Dump;

use crate::door::{Door, Missing};
use crate::log_events::{Assembler, Line};
use crate::log_text::{LogicalLines, is_shutdown};
use crate::source::{Fetched, Request};

const PSTORE: &str = "/sys/fs/pstore";
const COPIES: &str = "/mnt/HDA_ROOT/.logs";
const COPY: &str = "pstore_";
/// QTS's console keeps 2 MB at most; what happened last stands at the end.
const MOST_DUMP_BYTES: u64 = 256 * 1024;
const MOST_DUMPS: usize = 16;
/// Lines at the end in which a shutdown is looked for.
const LAST_LINES: usize = 60;

/// Reads the dumps; the copies that QTS makes of them only where `copies` says so, because they lie on disks.
pub(crate) async fn collect(door: &Door<'_>, copies: bool) -> Observed<Vec<Dump>> {
    let mut dumps = Vec::new();
    let listed = door.names(PSTORE).await;
    for name in listed.iter().flatten().take(MOST_DUMPS) {
        if let Ok(fetched) = read(door, &format!("{PSTORE}/{name}")).await {
            dumps.push(parse(&fetched.bytes, fetched.truncated, name, &fetched.place, false));
        }
    }
    let copies = if copies { door.names(COPIES).await.unwrap_or_default() } else { Vec::new() };
    for copy in copies.iter().filter(|name| name.starts_with(COPY)).take(MOST_DUMPS) {
        let path = format!("{COPIES}/{copy}");
        let inside = door.names(&path).await.unwrap_or_default();
        let paths = if inside.is_empty() {
            vec![path]
        } else {
            inside.iter().map(|n| format!("{path}/{n}")).collect()
        };
        for path in paths.iter().take(MOST_DUMPS) {
            if let Ok(fetched) = read(door, path).await {
                let name = path.strip_prefix(COPIES).unwrap_or(path).trim_start_matches('/');
                dumps.push(parse(&fetched.bytes, fetched.truncated, name, &fetched.place, true));
            }
        }
    }
    match listed {
        Err(missing) if dumps.is_empty() => missing.observed(),
        _ => Observed::seen(dumps, format!("{}/.list", &PSTORE[1..])),
    }
}

async fn read(door: &Door<'_>, path: &str) -> Result<Fetched, Missing> {
    door.ask(&Request::read_end(path, MOST_DUMP_BYTES)).await
}

/// Reads one dump that stands at `place`.
pub fn parse(bytes: &[u8], cut: bool, name: &str, place: &str, copy: bool) -> Dump {
    let text = String::from_utf8_lossy(bytes);
    let mut dump = Dump {
        name: name.to_owned(),
        from: place.to_owned(),
        copy,
        lines: text.lines().count() as u64,
        cut,
        clean_end: text.lines().rev().take(LAST_LINES).any(is_shutdown),
        ..Dump::default()
    };
    // Without the table (our own bug, told by the kernel log's probe) a dump is listed all the same.
    let Ok(mut events) = Assembler::new(Dump::MOST_EVENTS) else { return dump };
    for line in LogicalLines::new(&text, events.speaks()) {
        dump.last_us = line.at_us.or(dump.last_us);
        let text = line.text.trim_matches('\0');
        events.line(Line { number: line.number, at_us: line.at_us, text, whole: line.whole });
        if events.events.len() >= Dump::MOST_EVENTS {
            // The last words matter most.
            events.forget(Dump::MOST_EVENTS / 2);
        }
    }
    dump.events = events.events;
    dump
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::door::testing::run;
    use crate::hostile;

    const CONSOLE: &str = "\
[  100.1] ata3: hard resetting link
[  101.1] BUG: unable to handle kernel paging request at 0000000000001234
[  102.1] Kernel panic - not syncing: Fatal exception
";

    #[test]
    fn dumps_and_copies() {
        let found = run(
            &[
                ("sys/fs/pstore/console-ramoops-0", CONSOLE),
                ("mnt/HDA_ROOT/.logs/pstore_1", "[ 5.0] reboot: Restarting system\n"),
                ("mnt/HDA_ROOT/.logs/pstore_2/console-ramoops-0", "[ 6.0] x\n"),
                ("mnt/HDA_ROOT/.logs/kmsg", "x"),
            ],
            async |door| collect(door, true).await,
        );
        let dumps = found.value().expect("dumps");
        let short: Vec<_> =
            dumps.iter().map(|d| (d.name.as_str(), d.copy, d.clean_end, d.last_us, d.events.len())).collect();
        assert_eq!(
            short,
            [
                ("console-ramoops-0", false, false, Some(102_100_000), 3),
                ("pstore_1", true, true, Some(5_000_000), 0),
                ("pstore_2/console-ramoops-0", true, false, Some(6_000_000), 0),
            ]
        );
        assert!(run(&[], async |door| collect(door, true).await).is_absent());
        let empty = run(&[("sys/fs/pstore/.list", "")], async |door| collect(door, true).await);
        assert_eq!(empty.value().map(Vec::len), Some(0));
    }

    #[test]
    fn cut_and_damaged_dumps() {
        hostile::cut(CONSOLE.as_bytes(), |bytes| parse(bytes, false, "x", "x", false).events);
        hostile::mutate(
            CONSOLE.as_bytes(),
            1000,
            |bytes| parse(bytes, false, "x", "x", false),
            |dump| assert!(dump.events.len() <= Dump::MOST_EVENTS),
        );
        let storm: String =
            (0..900).map(|n| format!("[ {n}.0] ata{}: hard resetting link\n", n % 7)).collect();
        let dump = parse(storm.as_bytes(), false, "x", "x", false);
        assert_eq!(dump.events.last().map(|event| event.line), Some(900));
    }
}
