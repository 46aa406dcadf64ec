//! What a machine check, an EDAC line or a firmware's error record in the kernel log is about: memory or the processor,
//! corrected or not, which bank or module.
//!
//! The low 16 bits of a machine check's status say what failed (Intel SDM volume 3B, 16.9); AMD's decoder writes "DRAM
//! ECC error" itself. Heat is no machine check: throttling lines have a signature of their own, and the kernel's own
//! banks from 128 on report heat and thresholds. Refuses to guess at a record without a status.

use assay_bundle::facts::kernel_log::KernelEvent;

/// Banks from here on are the kernel's own, for heat (Linux, mce.h `MCE_SOFTWARE_BANK`, `MCE_THERMAL_BANK`).
const SOFTWARE_BANKS_FROM: u32 = 128;

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Memory, or the way to it.
    Memory,
    /// A cache, a bus or something else inside the processor.
    Processor,
}

/// A record of failed hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// What failed.
    pub(crate) failed: Failed,
    /// Whether it was corrected.
    pub(crate) corrected: bool,
    /// The memory module that it names.
    pub(crate) module: Option<&'a str>,
    /// The bank of the processor that reported it.
    pub(crate) bank: Option<u32>,
}

/// The record of an event; `None` when it is none, or says too little.
pub(crate) fn record(event: &KernelEvent) -> Option<Record<'_>> {
    let detail = |name: &str| {
        let prefixed = |d: &'_ String| d.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
        event.details.iter().find(|d| prefixed(d)).and_then(|d| d.get(name.len() + 1..))
    };
    let bank: Option<u32> = detail("bank").and_then(|bank| bank.parse().ok());
    if bank.is_some_and(|bank| bank >= SOFTWARE_BANKS_FROM) {
        return None;
    }
    let module = detail("module");
    let told = |failed, corrected| Some(Record { failed, corrected, module, bank });
    let uncorrected = [
        "mce-uncorrected",
        "hardware-error-uncorrected",
        "firmware-error-fatal",
        "firmware-error-recoverable",
    ];
    let corrected =
        ["mce-corrected", "hardware-error-corrected", "hardware-error-deferred", "firmware-error-corrected"];
    let is_uncorrected = uncorrected.iter().any(|name| event.says(name));
    let is_corrected = corrected.iter().any(|name| event.says(name));
    if event.says("edac-uncorrected") || event.says("memory-page-failed") {
        return told(Failed::Memory, false);
    }
    if event.says("edac-corrected") {
        return told(Failed::Memory, true);
    }
    if event.says("dram-ecc") {
        return told(Failed::Memory, !is_uncorrected);
    }
    if !is_uncorrected && !is_corrected {
        return None;
    }
    if let Some(section) = detail("section") {
        let failed = match section {
            s if s.contains("memory") => Failed::Memory,
            s if s.contains("processor") => Failed::Processor,
            // A firmware also reports cards and buses.
            _ => return None,
        };
        return told(failed, !is_uncorrected);
    }
    let status = detail("status").and_then(status)?;
    told(failed(status), !is_uncorrected)
}

fn status(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// By the error code: memory controller (`0000 0000 1MMM CCCC`), or memory behind a cache (`0000 0010 1MMM CCCC`); bit
/// 12 filters repeats.
fn failed(status: u64) -> Failed {
    if matches!(status & 0xef80, 0x0080 | 0x0280) { Failed::Memory } else { Failed::Processor }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event of these signatures and details, `at_s` seconds after the start.
    pub(crate) fn event(signatures: &[&str], details: &[&str], at_s: u64) -> KernelEvent {
        KernelEvent {
            signature: signatures.first().copied().unwrap_or_default().to_owned(),
            also: signatures.iter().skip(1).map(|&s| s.to_owned()).collect(),
            details: details.iter().map(|&d| d.to_owned()).collect(),
            at_us: Some(at_s * 1_000_000),
            line: at_s,
            repeats: 1,
            ..KernelEvent::default()
        }
    }

    #[test]
    fn what_a_record_is_about() {
        use Failed::{Memory, Processor};
        fn check(signatures: &[&str], details: &[&str], expected: Option<(Failed, bool)>) {
            let event = event(signatures, details, 1);
            let got = record(&event).map(|r| (r.failed, r.corrected));
            assert_eq!(got, expected, "{signatures:?} {details:?}");
        }
        // A hypervisor's own: a corrected memory read.
        check(&["mce-corrected"], &["bank 8", "status 9c00000000010091"], Some((Memory, true)));
        check(&["mce-corrected"], &["bank 8", "status 9c00000000001091"], Some((Memory, true)));
        check(&["mce-corrected"], &["bank 0", "status 9c0000000001110a"], Some((Processor, true)));
        check(&["mce-uncorrected"], &["bank 4", "status be00000000800400"], Some((Processor, false)));
        check(&["mce-uncorrected"], &["bank 7", "status bd80000000100090"], Some((Memory, false)));
        check(&["mce-corrected"], &["bank 128", "status 8800000000000000"], None);
        check(&["mce-corrected"], &["bank 1"], None);
        check(
            &["dram-ecc", "hardware-error-corrected"],
            &["bank 18", "status 0xdc2040000000011b"],
            Some((Memory, true)),
        );
        check(&["hardware-error-uncorrected", "dram-ecc"], &[], Some((Memory, false)));
        check(
            &["firmware-error-corrected"],
            &["section memory error", "module DIMM_A1"],
            Some((Memory, true)),
        );
        check(&["firmware-error-fatal"], &["section processor error"], Some((Processor, false)));
        check(&["firmware-error-fatal"], &["section PCIe error"], None);
        check(&["edac-uncorrected"], &["module DIMM_A1"], Some((Memory, false)));
        check(&["cpu-throttled"], &[], None);
        check(&["hardware-error"], &[], None);
    }
}
