//! How often the unit stopped without being shut down, and what speaks of the reason.
//!
//! Four sources, none of which is enough alone: QTS's event log counts such stops, the kept kernel log breaks off in
//! the middle of a line when power goes while it is written, memory keeps a dump over a restart and none over a loss of
//! power, and drives count power-offs without notice. Refuses to blame a part: a hard reset by hand, a failing supply
//! and a dead outlet look alike from here.

use assay_bundle::Observed;
use assay_bundle::diagnosis::Evidence;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, Medium};
use assay_bundle::facts::history::Metric;
use assay_bundle::facts::persisted_log::BootEnd;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::course::{DAY_S, of_drive};
use crate::evidence::told;
use crate::subject::fact;

/// The span that is looked at, in days.
const YEAR_DAYS: u64 = 365;
/// A UPS that spoke so long before an unclean stop saw its input go (QTS shuts down minutes after the mains failed).
const UPS_BEFORE_S: i64 = 3600;
/// Power-offs without notice in a drive's life from which their share tells something: judgement.
const LIFETIME_FROM: u64 = 50;

/// Unclean stops of the last twelve months.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    /// By QTS's own count; `None` when its log was not read.
    pub(crate) counted: Option<u64>,
    /// Boots whose log breaks off in the middle of a line; `None` when the kept log was not read.
    pub(crate) broken_off: Option<u64>,
    /// Of the listed unclean stops, those shortly after the UPS spoke.
    pub(crate) after_ups: u64,
    /// Unclean stops that are listed with their time.
    pub(crate) listed: u64,
    /// A dump of a kernel that crashed.
    pub(crate) crashed: Option<Evidence>,
    /// What was counted, as evidence.
    pub(crate) evidence: Vec<Evidence>,
}

impl Stops {
    /// How many there were, by the source that counts more.
    pub(crate) fn count(&self) -> Option<u64> {
        self.counted.max(self.broken_off)
    }
}

/// Collects what is known about unclean stops.
pub(crate) fn of(facts: &Facts) -> Stops {
    let mut stops = Stops::default();
    let now = facts.clock.unix_s.value().copied();
    let year_ago = now.map(|now| now.saturating_sub(i64::try_from(YEAR_DAYS * DAY_S).unwrap_or(i64::MAX)));
    event_log(facts, year_ago, &mut stops);
    kept_log(facts, year_ago, &mut stops);
    memory(facts, &mut stops);
    rises(facts, &mut stops);
    stops
}

fn month_of(unix_s: i64) -> Option<String> {
    let time = Timestamp::from_second(unix_s).ok()?.to_zoned(TimeZone::UTC);
    Some(format!("{:04}-{:02}", time.year(), time.month()))
}

fn event_log(facts: &Facts, year_ago: Option<i64>, stops: &mut Stops) {
    let Observed::Seen { value: log, from } = &facts.event_log else { return };
    // A log of many rows in which no wording is known was written in another language.
    if log.rows_read.is_none_or(|rows| rows > 0)
        && log.events.is_empty()
        && log.unclean_shutdowns_per_month.is_empty()
    {
        return;
    }
    // Without a clock every month counts as one of the last twelve.
    let first = year_ago.and_then(month_of).unwrap_or_default();
    let months = log.unclean_shutdowns_per_month.iter().filter(|m| m.month > first);
    let count = months.clone().map(|m| m.count).fold(0, u64::saturating_add);
    stops.counted = Some(count);
    if count > 0 {
        let by_month: Vec<String> = months.map(|m| format!("{} in {}", m.count, m.month)).collect();
        let words = format!("{count} unclean stops in twelve months: {}", by_month.join(", "));
        stops.evidence.push(told("event_log.unclean_shutdowns_per_month", words, from));
    }
    let at = |kind: &'static str| {
        let of_kind = log.events.iter().filter(move |event| event.kind == kind);
        of_kind.filter_map(|event| event.at_unix_s).filter(move |at| year_ago.is_none_or(|from| *at >= from))
    };
    let ups: Vec<i64> = at("ups").collect();
    for stop in at("unclean-shutdown") {
        stops.listed += 1;
        let before = ups.iter().any(|ups| stop >= *ups && stop.saturating_sub(*ups) <= UPS_BEFORE_S);
        stops.after_ups += u64::from(before);
    }
    if stops.after_ups > 0 {
        let words = format!("the UPS spoke shortly before {} of {} of them", stops.after_ups, stops.listed);
        stops.evidence.push(told("event_log.events", words, from));
    }
}

fn kept_log(facts: &Facts, year_ago: Option<i64>, stops: &mut Stops) {
    let Observed::Seen { value: log, from } = &facts.persisted_log else { return };
    let first = year_ago.and_then(|at| Timestamp::from_second(at).ok());
    let first = first.map(|at| at.to_zoned(TimeZone::UTC).date().to_string());
    let recent = |at: &Option<String>| match (at, &first) {
        (Some(at), Some(first)) => at.as_str() >= first.as_str(),
        _ => true,
    };
    let mut broken = log.boots.iter().filter(|b| b.end == BootEnd::MidSentence && recent(&b.last_at));
    let count = u64::try_from(broken.clone().count()).unwrap_or(u64::MAX);
    stops.broken_off = Some(count);
    if let Some(last) = broken.next_back() {
        let at = last.last_at.as_deref().map(|at| format!(", the last one at {at}")).unwrap_or_default();
        let from = if last.from.is_empty() { from.as_str() } else { last.from.as_str() };
        let boots = if count == 1 {
            "the log of 1 boot breaks off".to_owned()
        } else {
            format!("the logs of {count} boots break off")
        };
        let words = format!("{boots} in the middle of a line{at}");
        stops.evidence.push(told("persisted_log.boots", words, from));
    }
}

/// A dump says that the kernel crashed and that power stayed; none, where others are kept, that power went.
fn memory(facts: &Facts, stops: &mut Stops) {
    let Observed::Seen { value: dumps, from } = &facts.pstore else { return };
    match dumps.iter().find(|dump| !dump.copy && !dump.clean_end && !dump.events.is_empty()) {
        Some(dump) => {
            let words = "the kernel's last words before a restart: power stayed then";
            stops.crashed = Some(told(format!("pstore[{}]", dump.name), words, &dump.from));
        }
        None if dumps.iter().all(|dump| dump.copy) && stops.count() > Some(0) => {
            let words = "memory keeps no dump of a crash: it is lost when power goes";
            stops.evidence.push(told("pstore", words, from));
        }
        None => {}
    }
}

/// Every NVMe drive counted power-offs without notice that it had not counted a year ago.
fn rises(facts: &Facts, stops: &mut Stops) {
    let drives = facts.drives.value().map(Vec::as_slice).unwrap_or_default();
    let counting = drives.iter().filter_map(|drive| {
        let now = u64::try_from(drive.nvme.value()?.unsafe_shutdowns?).ok()?;
        let window = YEAR_DAYS * DAY_S;
        Some((drive, of_drive(facts, drive, Metric::NvmeUnsafeShutdowns, Some(now), window)))
    });
    let counting: Vec<_> = counting.collect();
    let rose: Vec<Evidence> = counting
        .iter()
        .filter_map(|(drive, course)| {
            let rise = course.rise_within(YEAR_DAYS * DAY_S)?;
            Some(rise.evidence(fact(drive, "nvme.unsafe_shutdowns")))
        })
        .collect();
    if counting.len() > 1 && rose.len() == counting.len() {
        stops.evidence.extend(rose);
    }
}

/// Every drive that counts both ended most of its power cycles without notice, over its whole life.
///
/// Hard disks of some makers count every unloading of the heads here, so only flash, which counts nothing else, makes
/// it credible, and no disk may count more than it has cycles.
pub(crate) fn most_of_their_lives(facts: &Facts) -> Option<Vec<Evidence>> {
    let drives = facts.drives.value()?;
    let counts: Vec<(&Drive, u64, u64)> = drives.iter().filter_map(power_offs).collect();
    let many = |&&(_, offs, cycles): &&(&Drive, u64, u64)| {
        offs >= LIFETIME_FROM && offs.saturating_mul(2) >= cycles && offs <= cycles
    };
    let flash = counts.iter().any(|(drive, ..)| drive.medium.value() == Some(&Medium::Ssd));
    (counts.len() > 1 && flash && counts.iter().all(|c| many(&c))).then(|| {
        let evidence = counts.iter().map(|(drive, offs, cycles)| {
            let from = drive.power_cycles.place().unwrap_or_default();
            let words = format!("{offs} power-offs without notice in {cycles} power cycles");
            told(fact(drive, "power_cycles"), words, from)
        });
        evidence.collect()
    })
}

/// Power-offs without notice and power cycles, by the id *and* the name, because makers reuse ids.
fn power_offs(drive: &Drive) -> Option<(&Drive, u64, u64)> {
    let cycles = *drive.power_cycles.value()?;
    if let Some(offs) = drive.nvme.value().and_then(|nvme| nvme.unsafe_shutdowns) {
        return Some((drive, u64::try_from(offs).ok()?, cycles));
    }
    let attribute = drive.ata_attributes.value()?.iter().find(|a| {
        let name = a.name.to_ascii_lowercase();
        match a.id {
            174 => name.contains("power_loss") || name.contains("unexpect") || name.contains("unsafe"),
            192 => name.contains("power-off") || name.contains("unsafe") || name.contains("power_off"),
            _ => false,
        }
    })?;
    Some((drive, attribute.decoded?, cycles))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{attribute, hdd, with_drives};

    fn drive(device: &str, medium: Medium, id: u8, name: &str, offs: u64, cycles: u64) -> Drive {
        Drive {
            medium: Observed::seen(medium, "x"),
            power_cycles: Observed::seen(cycles, "x"),
            ata_attributes: Observed::seen(vec![attribute(id, name, offs)], "x"),
            ..hdd(device, 1)
        }
    }

    #[test]
    fn lives_of_hard_stops() {
        fn check(drives: Vec<Drive>, expected: bool) {
            let found = most_of_their_lives(&with_drives(drives));
            assert_eq!(found.is_some(), expected, "{found:?}");
        }
        let disk = |offs| drive("sda", Medium::Hdd, 192, "Power-Off_Retract_Count", offs, 214);
        let flash = |offs| drive("sdb", Medium::Ssd, 174, "Unexpect_Power_Loss_Ct", offs, 201);
        check(vec![disk(178), flash(169)], true);
        check(vec![disk(178), disk(179)], false);
        check(vec![flash(169)], false);
        check(vec![disk(20), flash(169)], false);
        check(vec![disk(900), flash(169)], false);
        check(vec![disk(178), flash(30)], false);
        check(vec![disk(178), drive("sdb", Medium::Ssd, 174, "Host_Writes", 169, 201)], false);
    }
}
