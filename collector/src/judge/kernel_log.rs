//! A kernel log: `dmesg`, `/dev/kmsg` records, or a syslog's kernel lines.

use assay_bundle::Observed;

use super::{Begins, Format, Gathered, Output, Sign, never};
use crate::probes::kernel_log;

pub(super) const FORMAT: Format =
    Format { name: "kernel log", sign: Sign::None, begins, place: Begins::Apart, is_json: never, read };

/// A line that starts with a time since boot, a priority or a kmsg head, or that a syslog marks as the kernel's.
fn begins(lines: &[&str]) -> bool {
    let Some(line) = lines.first() else { return false };
    let unmarked =
        line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map_or(*line, |(_, rest)| rest);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let stamp = unmarked.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let dmesg = stamp
        .is_some_and(|(time, _)| time.trim().split_once('.').is_some_and(|(s, f)| digits(s) && digits(f)));
    let mut head = line.split_once(';').map_or("", |(head, _)| head).split(',');
    let kmsg = head.by_ref().take(3).filter(|field| digits(field)).count() == 3;
    dmesg || kmsg || line.contains(" kernel: ")
}

/// Events carry the line of one text, so only one log can be read at a time.
fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    if let Observed::Seen { from, .. } = &gathered.facts.kernel_log {
        return Err(format!("{from} is a kernel log already; judge this one by itself"));
    }
    match kernel_log::parse(output.text.as_bytes(), false, output.place) {
        Observed::Unreadable { why } => Err(why),
        log => {
            gathered.facts.kernel_log = log;
            Ok(())
        }
    }
}
