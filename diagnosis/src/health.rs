//! What a drive's own health answer and the reason behind it come to, whatever command set it speaks.
//!
//! Three witnesses: the drive's bare answer, the rows of its table that are at their thresholds, and QTS's copy of that
//! table. The copy does not say which rows predict failure, so it never does more than raise a suspicion; and what QTS
//! itself makes of a drive is passed on in words, because only one of its codes is certain.

use assay_bundle::Observed;
use assay_bundle::diagnosis::Evidence;
use assay_bundle::facts::drive::{
    AtaAttribute, Drive, NvmeHealth, Protocol, QtsHealth, ScsiHealth, WhenFailed,
};
use assay_bundle::units::Percent;

use crate::evidence::told;
use crate::subject::{asleep, fact, is_heat};

/// Where QTS keeps its copies of the drives' health tables, below `raw/`.
const QTS_CACHE: &str = "tmp/smart/";
/// NVMe critical warning: spare capacity below its threshold (NVMe base specification, log page 02h).
const WARNS_SPARE: u8 = 0x01;
/// NVMe critical warning: temperature. Heat, not a defect.
const WARNS_TEMPERATURE: u8 = 0x02;
/// NVMe critical warning: reliability degraded. Some makers set it on wear alone.
const WARNS_RELIABILITY: u8 = 0x04;
/// NVMe critical warning: media read-only.
const WARNS_READ_ONLY: u8 = 0x08;
/// Rated writes used up (NVMe "percentage used"); the drive may go on far beyond.
const WORN_FROM: Percent = Percent(100);
/// A spare threshold of 0 means "not reported"; one of 100 would warn from the first day and was seen on a healthy
/// drive, so both say nothing.
const SPARE_THRESHOLDS: std::ops::Range<u8> = 1..100;
/// SCSI additional sense code "failure prediction threshold exceeded".
const ASC_FAILURE_PREDICTED: u8 = 0x5d;
/// Its qualifier for a test of the mechanism: printed as "(FALSE)", no failure.
const ASCQ_TEST: u8 = 0xff;
/// SCSI additional sense code "warning": 0B/01 is temperature.
const ASC_WARNING: u8 = 0x0b;

/// What the drive's answer and its reason come to.
pub(crate) enum Reason {
    /// The drive predicts its failure, for this reason.
    Predicts(Vec<Evidence>),
    /// It says that it fails and the reason was not read, or is none that is known.
    Unexplained(Vec<Evidence>),
    /// Its rated writes are used up and nothing is lost.
    Worn(Vec<Evidence>),
    /// A row of QTS's copy of its table is at its threshold; whether that row predicts failure is not in the copy.
    AtLimit(Vec<Evidence>),
    /// It looks like a failure and is none.
    NotADefect(String),
    /// It says that it is well, or QTS's copy of its table has nothing at a threshold.
    Well,
    /// It said nothing.
    NoAnswer,
}

/// Whether the drive says that it fails and heat is not the reason.
pub(crate) fn says_failing(drive: &Drive) -> bool {
    matches!(reason(drive), Reason::Predicts(_) | Reason::Unexplained(_) | Reason::AtLimit(_))
}

/// Whether a reading stands in QTS's copy of a drive's table: its format is known from samples and from the vendor's
/// library, not from the vendor's word.
pub(crate) fn is_copy(from: &str) -> bool {
    from.starts_with(QTS_CACHE)
}

/// What QTS itself makes of the drive, unless it calls it good, and whether the code's meaning is certain.
pub(crate) fn word_of_qts(drive: &Drive) -> Option<(String, bool)> {
    match drive.qts_health.value()? {
        QtsHealth::Good => None,
        QtsHealth::Abnormal => Some(("QTS itself calls it abnormal".to_owned(), true)),
        QtsHealth::Warning => {
            Some(("QTS itself has a code for it that probably means a warning".to_owned(), false))
        }
        QtsHealth::Unknown(code) => {
            Some((format!("QTS itself has code {code} for it, which is not known"), false))
        }
    }
}

/// The better witness counts: the log of the drive's own command set, its table, its bare answer, QTS's copy.
pub(crate) fn reason(drive: &Drive) -> Reason {
    let by_log = match (drive.protocol.value(), &drive.nvme, &drive.scsi) {
        (Some(Protocol::Nvme) | None, Observed::Seen { value, from }, _) => nvme(drive, value, from),
        (Some(Protocol::Scsi) | None, _, Observed::Seen { value, from }) => scsi(drive, value, from),
        _ => None,
    };
    by_log.or_else(|| ata(drive)).unwrap_or(match drive.health_passed.value() {
        Some(true) => Reason::Well,
        Some(false) => Reason::Unexplained(Vec::new()),
        None if well_by_copy(drive) => Reason::Well,
        None => Reason::NoAnswer,
    })
}

/// Whether QTS's copy stands for the answer that nobody asked the drive for: it has thresholds and nothing is at one
/// (smartctl computes a missing answer alike), or it is an NVMe log without a warning; and QTS calls the drive good. A
/// sleeping drive may have changed since.
fn well_by_copy(drive: &Drive) -> bool {
    let table = match &drive.ata_attributes {
        Observed::Seen { value, from } if is_copy(from) => {
            value.iter().any(|a| a.threshold.is_some_and(|t| t > 0)) && !value.iter().any(fails_now)
        }
        _ => false,
    };
    let log =
        matches!(&drive.nvme, Observed::Seen { value, from } if is_copy(from) && value.critical_warning == 0);
    (table || log) && drive.qts_health.value() == Some(&QtsHealth::Good) && !asleep(drive)
}

/// ATA: the status, and which attributes are at their threshold now.
fn ata(drive: &Drive) -> Option<Reason> {
    let Observed::Seen { value: attributes, from } = &drive.ata_attributes else { return None };
    let (heat, other): (Vec<&AtaAttribute>, _) =
        attributes.iter().filter(|a| fails_now(a)).partition(|a| is_heat(a));
    let rows =
        |rows: &[&AtaAttribute]| -> Vec<Evidence> { rows.iter().map(|a| row(drive, a, from)).collect() };
    let predicts: Vec<&AtaAttribute> = other.iter().copied().filter(|a| a.prefailure).collect();
    if !predicts.is_empty() {
        return Some(Reason::Predicts(rows(&predicts)));
    }
    if is_copy(from) && drive.health_passed.value().is_none() && !other.is_empty() {
        return Some(Reason::AtLimit(rows(&other)));
    }
    if drive.health_passed.value() != Some(&false) {
        return None;
    }
    match (other.is_empty(), heat.is_empty()) {
        (false, _) => Some(Reason::Predicts(rows(&other))),
        (true, false) => Some(Reason::NotADefect(
            "it says FAILED only because its temperature is at the limit: that is heat, not a defect (see TMP-001)"
                .to_owned(),
        )),
        // Computed from attributes of which none fails is a contradiction; the drive's own bare word is not.
        (true, true) if drive.health_from_attributes => Some(Reason::Unexplained(Vec::new())),
        (true, true) => Some(Reason::Predicts(Vec::new())),
    }
}

/// At its threshold now, and the numbers agree where they are given.
pub(crate) fn fails_now(attribute: &AtaAttribute) -> bool {
    attribute.when_failed == WhenFailed::Now
        && attribute.value.zip(attribute.threshold).is_none_or(|(value, threshold)| value <= threshold)
}

fn row(drive: &Drive, a: &AtaAttribute, from: &str) -> Evidence {
    let number = |n: Option<u8>| n.map_or("?".to_owned(), |n| n.to_string());
    let kind = match (a.prefailure, is_copy(from)) {
        (true, _) => "predicts failure",
        (false, false) => "old age",
        (false, true) => "what kind is not in the copy",
    };
    told(
        fact(drive, &format!("ata_attributes[{} {}]", a.id, a.name)),
        format!(
            "value {} at threshold {} now ({kind}), raw {}",
            number(a.value),
            number(a.threshold),
            a.raw_text
        ),
        from,
    )
}

/// The warning bits in words (NVMe base specification, log page 02h).
fn warnings(bits: u8) -> String {
    let table = [
        (WARNS_SPARE, "spare below its threshold"),
        (WARNS_TEMPERATURE, "temperature"),
        (WARNS_RELIABILITY, "reliability degraded"),
        (WARNS_READ_ONLY, "read-only"),
        (0x10, "its backup of volatile memory failed"),
        (0x20, "its persistent memory is read-only or unreliable"),
    ];
    let set: Vec<&str> = table.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, words)| *words).collect();
    if set.is_empty() { String::new() } else { format!(" ({})", set.join(", ")) }
}

/// NVMe: every warning bit by itself, and the spare computed here because drives do not always raise their own bit.
fn nvme(drive: &Drive, health: &NvmeHealth, from: &str) -> Option<Reason> {
    let bits = health.critical_warning;
    let mut why = Vec::new();
    let mut say =
        |field: &str, value: String| why.push(told(fact(drive, &format!("nvme.{field}")), value, from));
    say("critical_warning", format!("0x{bits:02x}{}", warnings(bits)));
    let spare = health.available_spare_percent.zip(health.available_spare_threshold_percent);
    let spare = spare.filter(|(_, threshold)| SPARE_THRESHOLDS.contains(&threshold.0));
    let spare_low = spare.is_some_and(|(left, threshold)| left <= threshold);
    if let Some((left, threshold)) = spare {
        say("available_spare_percent", format!("{left} left, threshold {threshold}"));
    }
    if let Some(used) = health.percentage_used {
        say("percentage_used", used.to_string());
    }
    if let Some(errors) = health.media_errors {
        say("media_errors", errors.to_string());
    }
    let worn = health.percentage_used.is_some_and(|used| used >= WORN_FROM);
    if bits & (WARNS_READ_ONLY | WARNS_SPARE) != 0 || spare_low {
        return Some(Reason::Predicts(why));
    }
    if bits & WARNS_RELIABILITY != 0 {
        return Some(match health.media_errors {
            Some(0) if worn => Reason::Worn(why),
            None if worn => Reason::Unexplained(why),
            _ => Reason::Predicts(why),
        });
    }
    if bits & !WARNS_TEMPERATURE != 0 {
        return Some(Reason::Unexplained(why));
    }
    if bits == WARNS_TEMPERATURE {
        return Some(Reason::NotADefect(
            "its only warning is temperature: that is heat, not a defect (see TMP-001)".to_owned(),
        ));
    }
    if worn && health.media_errors == Some(0) { Some(Reason::Worn(why)) } else { None }
}

/// SCSI: the informational exception by its code.
fn scsi(drive: &Drive, health: &ScsiHealth, from: &str) -> Option<Reason> {
    let (asc, ascq) = (health.asc?, health.ascq.unwrap_or(0));
    let why = || vec![told(fact(drive, "scsi.asc"), format!("{asc:02X}h/{ascq:02X}h"), from)];
    match (asc, ascq) {
        (ASC_FAILURE_PREDICTED, ASCQ_TEST) => Some(Reason::NotADefect(
            "its failure prediction is the test of the mechanism (5D/FF), not a failure".to_owned(),
        )),
        (ASC_FAILURE_PREDICTED, _) => Some(Reason::Predicts(why())),
        (ASC_WARNING, 0x01) => Some(Reason::NotADefect(
            "its only warning is temperature (0B/01): that is heat, not a defect (see TMP-001)".to_owned(),
        )),
        _ if drive.health_passed.value() == Some(&false) => Some(Reason::Unexplained(why())),
        _ => None,
    }
}
