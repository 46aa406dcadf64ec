//! Which courses of values are worth a drawing, and where their lines break.
//!
//! First what a finding names, then every counter that moved, then temperatures and fan speeds. A value that never
//! changed needs no drawing: it is one line of text, and only where a finding names the part. The recorder keeps
//! changes, so between two points the earlier value stands; over a restart nobody looked, and the line breaks. Refuses
//! to place a point without a time, or one from before its predecessor (a clock that was set back): they are counted.

use assay_bundle::Observed;
use assay_bundle::diagnosis::Diagnosis;
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::Drive;
use assay_bundle::facts::history::{History, Metric, Point, Series, Subject};

use super::words;
use crate::subject::location;
use crate::text::day;

/// Most drawings on one page: a page of 24 bays stays readable, and the data has the rest.
const MOST_CHARTS: usize = 12;
/// Most lines about values that never changed.
const MOST_FLAT: usize = 24;

/// The history as it is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Trends {
    pub(super) charts: Vec<Chart>,
    /// What never changed, of parts that a finding names.
    pub(super) flat: Vec<String>,
    /// Courses that are neither drawn nor named.
    pub(super) left_out: usize,
    /// Why there is no history; `None` when there is one.
    pub(super) why_none: Option<String>,
}

/// One course of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chart {
    /// Whose value, and which.
    pub(super) title: String,
    /// Points as seconds since 1970 and value; within a run of points the earlier value stands until the next one.
    pub(super) runs: Vec<Vec<(i64, i64)>>,
    /// When a restart of the NAS was seen, seconds since 1970.
    pub(super) restarts: Vec<i64>,
    /// Points that could not be placed, and older ones that the recorder dropped.
    pub(super) left_out: u64,
}

impl Chart {
    fn points(&self) -> impl Iterator<Item = (i64, i64)> {
        self.runs.iter().flatten().copied()
    }

    /// First and last moment.
    pub(super) fn span(&self) -> (i64, i64) {
        let times = self.points().map(|(at, _)| at).chain(self.restarts.iter().copied());
        times.fold((i64::MAX, i64::MIN), |(from, to), at| (from.min(at), to.max(at)))
    }

    /// Lowest and highest value.
    pub(super) fn range(&self) -> (i64, i64) {
        self.points().fold((i64::MAX, i64::MIN), |(low, high), (_, value)| (low.min(value), high.max(value)))
    }

    /// The course in words.
    pub(super) fn sentence(&self) -> String {
        let ((from, to), (low, high)) = (self.span(), self.range());
        let first = self.points().next().map(|(_, value)| value).unwrap_or_default();
        let last = self.points().last().map(|(_, value)| value).unwrap_or_default();
        words::course(first, &day(from), last, &day(to), low, high)
    }

    /// How much of it there is, in words.
    pub(super) fn extent(&self) -> String {
        words::changes(self.points().count(), self.restarts.len(), self.left_out)
    }
}

/// What the history of this machine shows beside its diagnosis.
pub(super) fn of(facts: &Facts, diagnosis: &Diagnosis) -> Trends {
    let history = match &facts.history {
        Observed::Seen { value, .. } if !value.series.is_empty() => value,
        Observed::Unreadable { why } => {
            return Trends { why_none: Some(format!("{} ({why})", words::NO_HISTORY)), ..Trends::default() };
        }
        _ => return Trends { why_none: Some(words::NO_HISTORY.to_owned()), ..Trends::default() },
    };
    let mut trends = Trends::default();
    let mut ranked: Vec<(u8, Chart)> = Vec::new();
    for series in &history.series {
        let named = is_named(series, diagnosis);
        let chart = chart(facts, history, series);
        let (low, high) = chart.range();
        let drawn = match series.metric {
            Metric::PowerOnHours => None,
            _ if low >= high => None,
            _ if named => Some(0),
            Metric::TemperatureC | Metric::SpeedRpm => Some(2),
            _ => Some(1),
        };
        match drawn {
            Some(rank) => ranked.push((rank, chart)),
            None if named
                && low == high
                && trends.flat.len() < MOST_FLAT
                && series.metric != Metric::PowerOnHours =>
            {
                trends.flat.push(words::unchanged(&chart.title, low, &day(chart.span().0)));
            }
            None => trends.left_out += 1,
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    trends.left_out += ranked.len().saturating_sub(MOST_CHARTS);
    trends.charts = ranked.into_iter().take(MOST_CHARTS).map(|(_, chart)| chart).collect();
    trends
}

/// Whether a finding is about the thing: by its serial number, or by its name in a fact's path.
fn is_named(series: &Series, diagnosis: &Diagnosis) -> bool {
    let path = format!("[{}]", series.name);
    diagnosis.findings.iter().any(|finding| match &series.serial {
        Some(serial) => finding.suspects.iter().any(|suspect| suspect.serial.as_ref() == Some(serial)),
        None => finding.evidence.iter().any(|evidence| evidence.fact.contains(&path)),
    })
}

fn chart(facts: &Facts, history: &History, series: &Series) -> Chart {
    let first = Some(&series.first).filter(|first| series.points.first() != Some(first));
    let now = now(facts, history, series);
    let mut chart = Chart {
        title: title(facts, series),
        runs: Vec::new(),
        restarts: Vec::new(),
        left_out: series.points_left_out,
    };
    let mut before: Option<(i64, Option<u32>)> = None;
    let mut open = false;
    for point in first.into_iter().chain(&series.points).chain(&now) {
        let at = point.unix_s.filter(|at| before.is_none_or(|(earlier, _)| *at >= earlier));
        let Some(at) = at else {
            chart.left_out = chart.left_out.saturating_add(1);
            continue;
        };
        if before.is_some_and(|(_, boot)| boot != point.boot) {
            chart.restarts.push(at);
            open = false;
        }
        before = Some((at, point.boot));
        match (point.value, chart.runs.last_mut().filter(|_| open)) {
            (Some(value), Some(run)) => run.push((at, value)),
            (Some(value), None) => {
                chart.runs.push(vec![(at, value)]);
                open = true;
            }
            // The thing was gone: what it had stands until then.
            (None, run) => {
                if let Some(run) = run
                    && let Some((_, value)) = run.last().copied()
                {
                    run.push((at, value));
                }
                open = false;
            }
        }
    }
    chart
}

fn title(facts: &Facts, series: &Series) -> String {
    let metric = words::metric(series.metric);
    if series.subject == Subject::Drive {
        let serial = series.serial.as_deref().unwrap_or_default();
        let place = drive(facts, series).map_or_else(|| words::subject(series.subject).to_owned(), location);
        return format!("{}, {metric} ({} {serial})", words::sentence(&place), series.name);
    }
    let kind = words::subject(series.subject);
    // QTS numbers its fans as `system fan 1`; a chip's input says nothing of a fan.
    let known =
        [kind.to_owned(), format!("system {kind}")].iter().any(|own| series.name.starts_with(own.as_str()));
    match known {
        true => format!("{}, {metric}", words::sentence(&series.name)),
        false => format!("{} {}, {metric}", words::sentence(kind), series.name),
    }
}

fn drive<'f>(facts: &'f Facts, series: &Series) -> Option<&'f Drive> {
    let serial = series.serial.as_ref()?;
    facts.drives.value()?.iter().find(|drive| drive.serial.value() == Some(serial))
}

/// The value of this run, which is in no record yet.
fn now(facts: &Facts, history: &History, series: &Series) -> Option<Point> {
    let unix_s = facts.clock.unix_s.value().copied();
    // A boot that recorded nothing yet has a number of its own.
    let boot = facts.clock.boot_id.value().map(|id| {
        let known = history.boots.iter().position(|known| known == id);
        u32::try_from(known.unwrap_or(history.boots.len())).unwrap_or(u32::MAX)
    });
    let value = value_now(facts, series)?;
    Some(Point { unix_s: Some(unix_s?), boot, uptime_s: None, value: Some(value) })
}

fn value_now(facts: &Facts, series: &Series) -> Option<i64> {
    let whole = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
    let attribute = |id: u8| {
        let attributes = drive(facts, series)?.ata_attributes.value()?;
        whole(attributes.iter().find(|attribute| attribute.id == id)?.raw)
    };
    match (series.subject, series.metric) {
        (Subject::Drive, Metric::TemperatureC) => {
            Some(i64::from(drive(facts, series)?.temperature_c.value()?.0))
        }
        (Subject::Drive, Metric::PendingDefects) => whole(*drive(facts, series)?.pending_defects.value()?),
        (Subject::Drive, Metric::AtaErrors) => whole(*drive(facts, series)?.ata_error_count.value()?),
        (_, Metric::Ata5) => attribute(5),
        (_, Metric::Ata187) => attribute(187),
        (_, Metric::Ata188) => attribute(188),
        (_, Metric::Ata196) => attribute(196),
        (_, Metric::Ata197) => attribute(197),
        (_, Metric::Ata198) => attribute(198),
        (_, Metric::Ata199) => attribute(199),
        (Subject::Fan, Metric::SpeedRpm) => {
            let fan = facts.fans.value()?.iter().find(|fan| fan.name == series.name)?;
            Some(i64::from(fan.speed_rpm.value()?.0))
        }
        (Subject::Sensor, Metric::TemperatureC) => {
            let sensor = facts.temperatures.value()?.iter().find(|sensor| sensor.name == series.name)?;
            Some(i64::from(sensor.temperature_c.value()?.0))
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::diagnose;
    use crate::fixture::{hdd, healthy_nas, nas_with_everything_wrong};

    const DAY: i64 = 86_400;

    /// A point of boot `boot`, so many days after the beginning of 2026.
    pub(in super::super) fn point(days: i64, boot: u32, value: impl Into<Option<i64>>) -> Point {
        Point {
            unix_s: Some(1_767_225_600 + days * DAY),
            boot: Some(boot),
            uptime_s: None,
            value: value.into(),
        }
    }

    pub(in super::super) fn series(
        subject: Subject,
        name: &str,
        metric: Metric,
        points: Vec<Point>,
    ) -> Series {
        let serial = (subject == Subject::Drive).then(|| name.to_owned());
        let first = points.first().cloned().expect("a point");
        Series { subject, name: name.to_owned(), serial, metric, first, points, points_left_out: 0 }
    }

    pub(in super::super) fn with_history(mut facts: Facts, series: Vec<Series>) -> Facts {
        let boots = vec!["a".to_owned(), "b".to_owned()];
        facts.history = Observed::seen(History { boots, series, ..History::default() }, "history");
        facts
    }

    #[test]
    fn a_line_breaks_where_nobody_looked() {
        let points = vec![
            point(0, 0, 1),
            point(1, 0, 2),
            point(2, 1, 2),
            point(3, 1, None),
            point(4, 1, 5),
            point(3, 1, 9),
            Point { unix_s: None, ..point(5, 1, 9) },
        ];
        let facts =
            with_history(healthy_nas(), vec![series(Subject::Link, "eth0", Metric::RxCrcErrors, points)]);
        let trends = of(&facts, &diagnose(&facts));
        let at = |days: i64, value: i64| (1_767_225_600 + days * DAY, value);
        let expected = Chart {
            title: "Network link eth0, frames with a bad checksum, since boot".to_owned(),
            runs: vec![vec![at(0, 1), at(1, 2)], vec![at(2, 2), at(3, 2)], vec![at(4, 5)]],
            restarts: vec![at(2, 0).0],
            left_out: 2,
        };
        assert_eq!(trends.charts, std::slice::from_ref(&expected));
        assert_eq!(expected.sentence(), "1 on 2026-01-01, 5 on 2026-01-05; lowest 1, highest 5");
        assert_eq!(expected.extent(), "5 recorded values, 1 restart, 2 older or without a time left out");
    }

    #[test]
    fn what_a_finding_names_comes_first_and_what_never_moved_is_a_line() {
        let bad = nas_with_everything_wrong();
        let diagnosis = diagnose(&bad);
        let serial = diagnosis.findings.iter().find_map(|f| f.suspects.iter().find_map(|s| s.serial.clone()));
        let serial = serial.expect("a finding about a drive");
        let drive = |metric, values: [i64; 2]| {
            series(Subject::Drive, &serial, metric, vec![point(0, 0, values[0]), point(1, 0, values[1])])
        };
        let other = hdd("sdz", 9).serial.value().cloned().expect("a serial");
        let history = vec![
            series(Subject::Drive, &other, Metric::TemperatureC, vec![point(0, 0, 30), point(1, 0, 40)]),
            series(Subject::Link, "eth0", Metric::RxCrcErrors, vec![point(0, 0, 0), point(1, 0, 4)]),
            drive(Metric::Ata199, [0, 0]),
            drive(Metric::NvmeSparePercent, [90, 80]),
            drive(Metric::PowerOnHours, [1, 2]),
        ];
        let trends = of(&with_history(bad, history), &diagnosis);
        let titles: Vec<&str> = trends.charts.iter().map(|chart| chart.title.as_str()).collect();
        assert!(titles[0].contains("spare capacity") && titles[1].contains("eth0"), "{titles:?}");
        assert!(titles[2].starts_with("Drive, temperature"), "{titles:?}");
        assert_eq!((trends.flat.len(), trends.left_out), (1, 1), "{trends:?}");
        assert!(trends.flat[0].contains("CRC errors") && trends.flat[0].ends_with(": 0 since 2026-01-01"));
    }

    #[test]
    fn no_history_is_said() {
        for history in [Observed::NotCollected, Observed::Absent, Observed::unreadable("damaged")] {
            let facts = Facts { history, ..healthy_nas() };
            assert!(of(&facts, &diagnose(&facts)).why_none.is_some());
        }
    }
}
