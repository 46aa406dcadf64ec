//! Every word of the report that is its own: headings, labels, whole sentences with their blanks.
//!
//! One place, so that a translation is one file. What a rule says stands in that rule, what a step says in `warranty`.
//! Sentences that join a number with a noun are functions, because other languages bend them differently. Refuses
//! nothing and decides nothing: what is said about what is decided in [`super::view`].

use assay_bundle::diagnosis::{Overall, Removable, Verdict};
use assay_bundle::facts::chassis::EnclosureKind;
use assay_bundle::facts::history::{Metric, Subject};

use super::bays::State;

/// Name of the report, before the verdict.
pub(super) const REPORT: &str = "Assay hardware report";
pub(super) const WHAT_TO_DO: &str = "What to do";
pub(super) const FOUND: &str = "Found";
pub(super) const CHASSIS: &str = "Bays, fans and power";
pub(super) const HISTORY: &str = "History";
pub(super) const CLEARED: &str = "Looks wrong and is not";
pub(super) const UNKNOWN: &str = "Could not be told";
pub(super) const ENTITLEMENT: &str = "Entitlement";
pub(super) const COST: &str = "Cost of this run";
pub(super) const SLIP: &str = "Verdict slip";
pub(super) const SLIP_NOTE: &str = "For triage only: a support engineer reads it on the portal's page for slips. It is no \
     evidence, and nothing ships on it.";
pub(super) const SLIP_CODE: &str = "QR code of the verdict slip, whose text stands below";
pub(super) const INPUTS: &str = "Judged from";
pub(super) const DEVICE: &str = "Device";

/// Headings of `explain`.
pub(super) const ABOUT: &str = "About";
pub(super) const CHECKS: &str = "Checks";
pub(super) const WHY: &str = "Why it matters";
pub(super) const SOURCE: &str = "Source of the threshold";

/// Leads of a finding's parts. Columns of the terminal follow from the longest of the first six.
pub(super) const FOR: &str = "for";
pub(super) const AGAINST: &str = "against";
pub(super) const RATE: &str = "rate";
pub(super) const SUSPECT: &str = "suspect";
pub(super) const TEST: &str = "test";
pub(super) const DO: &str = "do";
pub(super) const CERTAINTY: &str = "certainty";
pub(super) const SAFE_TO_REMOVE: &str = "safe to remove now?";
pub(super) const FIRST: &str = "first";
pub(super) const IN: &str = "in";

/// The same parts where there is room for a heading.
pub(super) const SPEAKS_FOR: &str = "What speaks for it";
pub(super) const SPEAKS_AGAINST: &str = "What speaks against it";
pub(super) const HOW_OFTEN: &str = "How often";
pub(super) const SUSPECTS: &str = "Suspects";
pub(super) const NEXT_TEST: &str = "The test that settles it";
pub(super) const NEXT_STEP: &str = "Next step";
pub(super) const REMOVE_NOW: &str = "Safe to remove now?";

/// Columns.
pub(super) const READING: &str = "Reading";
pub(super) const VALUE: &str = "Value and where it stands";
pub(super) const CERTAIN: &str = "Certainty";
pub(super) const PART: &str = "Part";
pub(super) const WHERE: &str = "Where";
pub(super) const IDENTITY: &str = "Serial, firmware";
pub(super) const PLACE: &str = "Place";
pub(super) const STATE: &str = "State";
pub(super) const WHAT_IS_THERE: &str = "What is there";
pub(super) const SUBJECT: &str = "About";
pub(super) const REASON: &str = "Why";
pub(super) const RULES: &str = "Rules";

/// Labels of the device.
pub(super) const MODEL: &str = "Model";
pub(super) const SERIAL: &str = "Serial";
pub(super) const FIRMWARE: &str = "Firmware";
pub(super) const READ_AT: &str = "Read at";
pub(super) const MODEL_NOT_READ: &str = "model not read";
pub(super) const SERIAL_NOT_READ: &str = "serial not read";
pub(super) const NOT_READ: &str = "not read";
pub(super) const CLOCK_UNSYNCHRONISED: &str = " (clock not synchronised)";
pub(super) const CLOCK_ALONE: &str = " by its own clock";

/// Where the facts came from, when it was not this machine just now.
pub(super) const RECORDED: &str = "A recording, not this machine.";
pub(super) const BUNDLED: &str = "From a bundle: what the device said when it was made.";
pub(super) const JUDGED: &str = "Outputs that somebody gave, not read by Assay: no evidence for a shipment.";

pub(super) const HEALTHY: &str = "Every reading that was needed is there, and none of them shows a defect.";
pub(super) const NEEDED: &str = "Needed for a verdict";
pub(super) const OPTIONAL: &str = "Optional, changes no verdict";
pub(super) const OPTIONAL_SHORT: &str = "optional";
pub(super) const COVERAGE_UNKNOWN: &str = "coverage unknown";
pub(super) const NOT_LOOKED_UP: &str = "coverage unknown: nothing was looked up";

pub(super) const MAP_NOTE: &str =
    "Drawn from the model's own plan, in the order of its numbers; not a picture of the front.";
pub(super) const NO_MAP: &str = "Neither bays nor drives, fans or power units were read.";
pub(super) const THIS_UNIT: &str = "This unit";
pub(super) const FANS_AND_POWER: &str = "Fans and power";
pub(super) const EMPTY_BAY: &str = "no drive is listed here";
pub(super) const MAYBE_EMPTY: &str = "nobody knows whether a drive is here";
pub(super) const NOT_ANSWERING: &str = "nothing reads it";
pub(super) const UNMEASURED_SUPPLY: &str = "a single supply that nothing measures";
pub(super) const ASLEEP: &str = "asleep";
pub(super) const NO_HISTORY: &str = "No history: earlier runs of this machine were not kept, or not read.";
pub(super) const SINCE_CHANGED: &str = "Unchanged";
pub(super) const HISTORY_NOTE: &str = "Only changes were recorded: between two points the earlier value stands. A dashed \
     line and a gap mark a restart of the NAS.";

pub(super) const PAGE_FOOT: &str = "This file is complete in itself: it loads nothing and runs nothing.";

/// The verdict as a title.
pub(super) fn verdict(overall: Overall) -> String {
    sentence(overall.words())
}

/// A text with its first letter as a capital.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `1 finding`, `2 findings`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What stands below the verdict when something was found.
pub(super) fn headline(title: &str, code: &str, place: Option<&str>, others: usize) -> String {
    let place = place.map(|place| format!("; first suspect: {place}")).unwrap_or_default();
    let others = match others {
        0 => String::new(),
        others => format!("; {}", counted(others, "more finding", "more findings")),
    };
    format!("{title}{place} ({code}{others})")
}

/// What stands below the verdict when nothing was found and something is missing.
pub(super) fn missing(count: usize, first: &str) -> String {
    format!("{}; the first is about {first}", missing_readings(count))
}

/// The same when all are missing for one reason.
pub(super) fn missing_for_one_reason(count: usize, why: &str) -> String {
    format!("{}: {why}", missing_readings(count))
}

fn missing_readings(count: usize) -> String {
    counted(count, "needed reading is missing", "needed readings are missing")
}

/// How many there are of what; what there is none of is not said.
pub(super) fn counts(confirmed: usize, suspected: usize, watch: usize, needed: usize) -> String {
    let all = [
        (confirmed, "confirmed"),
        (suspected, "suspected"),
        (watch, "to watch"),
        (needed, "needed but not readable"),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

/// The word beside a finding.
pub(super) fn certainty(verdict: Verdict) -> String {
    sentence(verdict.word())
}

pub(super) fn answer(answer: Removable) -> &'static str {
    match answer {
        Removable::Yes => "YES",
        Removable::No => "NO",
        Removable::Unknown => "UNKNOWN",
    }
}

pub(super) fn as_of(moment: Option<String>) -> String {
    match moment {
        Some(moment) => format!("as of {moment}; after 10 minutes ask again"),
        None => "ask again before touching it".to_owned(),
    }
}

/// A yes in a file that may be read days later.
pub(super) fn was_a_yes(sentence: &str) -> String {
    format!("it was a yes when this was written: {sentence}. Run assay check right before anything is pulled")
}

/// In a later finding about the same drive.
pub(super) fn as_under(code: &str) -> String {
    format!("as under {code}")
}

/// The test of a finding that is a step already.
pub(super) fn as_step(number: usize) -> String {
    format!("step {number} above tells the suspects apart:")
}

pub(super) fn rate(count: u64, window: &str) -> String {
    format!("{count} times in {window}")
}

/// A stretch of time in the largest unit that divides it.
pub(super) fn window(seconds: u64) -> String {
    for (size, unit) in [(86_400, "days"), (3_600, "h"), (60, "min")] {
        if seconds >= size && seconds.is_multiple_of(size) {
            return format!("{} {unit}", seconds / size);
        }
    }
    format!("{seconds} s")
}

pub(super) fn and_more(count: usize) -> String {
    format!("and {count} more")
}

/// Instead of optional unknowns that would flood the page.
pub(super) fn more_optional(readings: usize, reasons: usize) -> String {
    format!(
        "{OPTIONAL_SHORT}: {} for {}: --all lists them",
        counted(readings, "more reading", "more readings"),
        counted(reasons, "other reason", "other reasons")
    )
}

pub(super) fn covered(last_day: &str) -> String {
    format!("covered through {last_day}")
}

pub(super) fn appears_expired(last_day: &str) -> String {
    format!("appears expired (last day {last_day}): check dealer and plans, which may give more")
}

/// Names of the plans (service terms E, A and O).
pub(super) const EXTENDED: &str = "Extended warranty";
/// As above.
pub(super) const ADVANCED_REPLACEMENT: &str = "Advanced replacement";
/// As above.
pub(super) const ON_SITE: &str = "On-site service";
/// The purchase record is there and names no such plan.
pub(super) const NOT_BOUGHT: &str = "not bought";

/// A plan whose own period begins later.
pub(super) fn covered_from(first_day: &str, last_day: &str) -> String {
    format!("covered from {first_day} through {last_day}")
}

/// The terms do not grant it, as recorded.
pub(super) fn not_eligible(why: &str) -> String {
    format!("not eligible as recorded: {why}")
}

/// A replacement has it now (A13).
pub(super) fn moved(serial: &str) -> String {
    format!("moved to the replacement with serial number {serial}")
}

pub(super) fn coverage_unknown(why: &str) -> String {
    let why = bare(why);
    format!("{COVERAGE_UNKNOWN}: {why}")
}

/// A reason without the words that are said anyway.
fn bare(why: &str) -> &str {
    why.strip_prefix(COVERAGE_UNKNOWN).map_or(why, |rest| rest.trim_start_matches([':', ' ']))
}

pub(super) fn period(years: u8, series: &str, global_years: Option<u8>) -> String {
    let global = global_years.map(|years| format!(", {years} of them worldwide")).unwrap_or_default();
    format!("{} standard warranty{global} (series {series})", counted(usize::from(years), "year", "years"))
}

pub(super) fn period_unknown(why: &str) -> String {
    let why = bare(why);
    format!("length of the standard warranty not known: {why}")
}

/// Labels of the cost of a run.
pub(super) mod cost {
    pub(in super::super) const TIME: &str = "Time";
    pub(in super::super) const PROCESSOR: &str = "Processor time";
    pub(in super::super) const MEMORY: &str = "Most memory";
    pub(in super::super) const WRITTEN: &str = "Written to storage";
    pub(in super::super) const PROGRAMS: &str = "Programs run";
    pub(in super::super) const SLEEPING: &str = "Sleeping drives";
    pub(in super::super) const NOT_MEASURED: &str = "not measured";

    /// Own time and that of the programs that were run.
    pub(in super::super) fn processor(own: &str, children: &str) -> String {
        format!("{own} of its own, {children} of the programs that it ran")
    }

    pub(in super::super) fn programs(started: u64, abandoned: u64) -> String {
        match abandoned {
            0 => format!("{started}, all ended"),
            abandoned => format!("{started}; {abandoned} abandoned because they could not be stopped"),
        }
    }

    pub(in super::super) fn sleeping(asleep: u64, woken: u64, unchecked: u64) -> String {
        match (asleep, woken, unchecked) {
            (0, ..) => "none was found asleep".to_owned(),
            (asleep, 0, 0) => format!("{asleep}, all left asleep"),
            (asleep, woken, unchecked) => {
                format!("{asleep}; {woken} did not stay asleep, {unchecked} could not be checked")
            }
        }
    }
}

/// The word and the mark of a bay's, fan's or power unit's state. The mark is for paper and for eyes that tell no
/// colours apart.
pub(super) fn state(state: State) -> (&'static str, &'static str) {
    match state {
        State::Confirmed => ("\u{2715}", "defect"),
        State::Suspected => ("!", "suspected"),
        State::Watch => ("\u{25b2}", "watch"),
        State::Clear => ("\u{2713}", "no finding"),
        State::Unknown => ("?", "not known"),
        State::Empty => ("\u{2013}", "empty"),
    }
}

pub(super) fn bay(number: u32) -> String {
    format!("bay {number}")
}

/// Neighbours of which the same is said.
pub(super) fn through(first: &str, last: &str) -> String {
    format!("{first} to {last}")
}

pub(super) fn fan(number: usize) -> String {
    format!("fan {number}")
}

pub(super) fn power_unit(number: usize) -> String {
    format!("power {number}")
}

pub(super) fn enclosure(model: Option<&str>, number: u32) -> String {
    match model {
        Some(model) => format!("{model}, enclosure {number}"),
        None => format!("Enclosure {number}"),
    }
}

pub(super) fn attached(kind: EnclosureKind) -> &'static str {
    match kind {
        EnclosureKind::Internal => "inside the unit",
        EnclosureKind::SataPortMultiplier => "by a SATA port multiplier",
        EnclosureKind::Usb => "by USB",
        EnclosureKind::Sas => "by SAS",
        EnclosureKind::Iscsi => "by iSCSI",
        EnclosureKind::Pcie => "by PCI Express",
        EnclosureKind::Thunderbolt => "by Thunderbolt",
        EnclosureKind::Mmc => "as a memory card",
        EnclosureKind::OpticalDrive => "as an optical drive",
        EnclosureKind::Qm2 => "on a QM2 card",
        EnclosureKind::UsbRaid => "by USB, with a RAID of its own",
        EnclosureKind::ThunderboltRaid => "by Thunderbolt, with a RAID of its own",
        EnclosureKind::Qxp => "by a QXP adapter",
        EnclosureKind::TlSata => "by SATA",
    }
}

/// The bay map in one sentence, for those who do not see it.
pub(super) fn map(name: &str, states: &[(State, usize)]) -> String {
    let states: Vec<String> = states.iter().map(|(of, count)| format!("{count} {}", state(*of).1)).collect();
    format!("{name}: {}.", states.join(", "))
}

/// What a series of the history shows.
pub(super) fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::Ata5 => "reallocated sectors",
        Metric::Ata187 => "reported uncorrectable errors",
        Metric::Ata188 => "command timeouts (raw value)",
        Metric::Ata196 => "reallocation events",
        Metric::Ata197 => "pending sectors",
        Metric::Ata198 => "offline uncorrectable sectors",
        Metric::Ata199 => "link CRC errors",
        Metric::PendingDefects => "pending defects",
        Metric::AtaErrors => "error log entries",
        Metric::NvmeCriticalWarning => "critical warning bits",
        Metric::NvmeSparePercent => "spare capacity, %",
        Metric::NvmeUsedPercent => "endurance used, %",
        Metric::NvmeMediaErrors => "media errors",
        Metric::NvmeUnsafeShutdowns => "power losses without notice",
        Metric::NvmeWarningMinutes => "minutes above the warning temperature",
        Metric::ScsiGrownDefects => "grown defects",
        Metric::ScsiUncorrected => "uncorrected errors",
        Metric::PowerOnHours => "hours under power",
        Metric::IoErrors => "commands that ended in an error, since boot",
        Metric::MdCorrected => "read errors corrected by md",
        Metric::TemperatureC => "temperature, C",
        Metric::SpeedRpm => "speed, RPM",
        Metric::MemoryCorrected => "corrected memory errors, since boot",
        Metric::MemoryUncorrected => "uncorrected memory errors, since boot",
        Metric::RxCrcErrors => "frames with a bad checksum, since boot",
        Metric::CarrierChanges => "times the link came or went, since boot",
        Metric::MismatchSectors => "mismatched sectors at the last check",
    }
}

pub(super) fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Drive => "drive",
        Subject::Fan => "fan",
        Subject::Sensor => "sensor",
        Subject::MemoryController => "memory controller",
        Subject::Dimm => "memory module",
        Subject::Link => "network link",
        Subject::Array => "array",
    }
}

/// A series in one sentence, for those who do not see its line.
pub(super) fn course(first: i64, since: &str, last: i64, until: &str, low: i64, high: i64) -> String {
    format!("{first} on {since}, {last} on {until}; lowest {low}, highest {high}")
}

pub(super) fn changes(points: usize, restarts: usize, left_out: u64) -> String {
    let restarts = match restarts {
        0 => String::new(),
        restarts => format!(", {}", counted(restarts, "restart", "restarts")),
    };
    let left_out =
        if left_out == 0 { String::new() } else { format!(", {left_out} older or without a time left out") };
    format!("{}{restarts}{left_out}", counted(points, "recorded value", "recorded values"))
}

pub(super) fn unchanged(what: &str, value: i64, since: &str) -> String {
    format!("{what}: {value} since {since}")
}

pub(super) fn more_charts(count: usize) -> String {
    format!("{} kept besides; `--json` has them.", counted(count, "more series is", "more series are"))
}

/// Who made the page.
pub(super) fn made_by(rule_pack: u32, at: Option<String>) -> String {
    let at = at.map(|at| format!(", facts read at {at}")).unwrap_or_default();
    format!("Judged by rule pack {rule_pack}{at}.")
}
