//! FAN-002: fan turns slower or unsteadily.

use assay_bundle::diagnosis::{Component, Evidence, SuspectKind, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::history::{Metric, Series, Subject};
use assay_bundle::facts::hwmon::Fan;

use crate::certainty::{FAN_HUNTS, FAN_SLOWER, Place};
use crate::course::{DAY_S, series_of};
use crate::earlier::{OVER_TIME, RECORDER, points, usual, value_at, why_not};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule, over};
use crate::view::View;

/// A fall of more than this share of the usual speed counts (hardware.md F2).
const FALLS_PERCENT: i64 = 20;
/// Over so many days (hardware.md F2).
const OVER_DAYS: u64 = 30;
/// A fan hunts when its speed swings by more than this share (hardware.md F2).
const HUNTS_PERCENT: i64 = 30;
/// So many turns up and down within a day are hunting and no change of load: judgement.
const HUNTS_TURNS: usize = 4;
/// Fans that are driven together stay within this share of their usual speed: what the recorder calls no change.
const STEADY_PERCENT: i64 = 10;

/// The rule.
pub static RULE: Rule = Rule {
    code: "FAN-002",
    title: "Fan turns slower or unsteadily",
    component: Component::Fan,
    checks: "Each fan's recorded speed: whether it fell against its usual speed of 30 days ago while the other fans kept theirs, and whether it swings up and down while the others are steady.",
    why: "A bearing that runs dry turns slower at the same drive, then unsteadily, and then not at all.",
    what_to_do: "Listen to the fan for grinding, clean it, and plan its replacement.",
    threshold_source: "More than 20 % slower than 30 days ago, or swings of more than 30 % within a day (common practice for bearings; judgement for the number of swings). The drive level is not recorded, so the other fans of the unit, which are driven together with it, stand for it.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let facts = view.facts;
    over(&facts.fans, "fans", false, |fans| {
        let followed: Vec<Followed<'_>> = fans.iter().filter_map(|fan| Followed::of(facts, fan)).collect();
        if followed.is_empty() {
            let turning = fans.iter().any(|fan| fan.speed_rpm.is_seen());
            return vec![match turning {
                true => Judgement::cannot_tell(OVER_TIME, why_not(&facts.history), false),
                false => Judgement::not_applicable("fans"),
            }];
        }
        followed.iter().map(|fan| judge(&followed, fan)).collect()
    })
}

/// A fan that turns now and that earlier runs followed.
struct Followed<'a> {
    fan: &'a Fan,
    /// Speed now.
    speed: i64,
    /// Speed that the newest earlier run recorded.
    last: i64,
    /// Usual speed of the week that ended 30 days ago; `None` when the record does not reach back so far.
    usual: Option<i64>,
    /// Speeds of the last day, this run's last.
    day: Vec<i64>,
}

impl<'a> Followed<'a> {
    fn of(facts: &Facts, fan: &'a Fan) -> Option<Self> {
        let now = *facts.clock.unix_s.value()?;
        let speed = i64::from(fan.speed_rpm.value()?.0);
        let series: &Series = series_of(facts, Subject::Fan, &fan.name, Metric::SpeedRpm)?;
        let last = value_at(series, now)?;
        let days = |days: u64| i64::try_from(days.saturating_mul(DAY_S)).unwrap_or(i64::MAX);
        let before = now.saturating_sub(days(OVER_DAYS));
        let usual = usual(series, before.saturating_sub(days(7)), before).or(value_at(series, before));
        let recent = points(series).filter(|(at, _)| *at > now.saturating_sub(days(1)) && *at < now);
        let mut day: Vec<i64> = recent.filter_map(|(_, value)| value).collect();
        day.push(speed);
        (speed > 0).then_some(Self { fan, speed, last, usual, day })
    }

    /// Whether it turns as it did 30 days ago.
    fn kept_its_speed(&self) -> bool {
        self.usual.is_some_and(|usual| {
            usual.abs_diff(self.speed).saturating_mul(100)
                <= usual.unsigned_abs().saturating_mul(STEADY_PERCENT.unsigned_abs())
        })
    }

    /// Whether it fell, now and in the run before.
    fn fell(&self) -> bool {
        let below =
            |speed: i64, usual: i64| speed.saturating_mul(100) < usual.saturating_mul(100 - FALLS_PERCENT);
        self.usual.is_some_and(|usual| below(self.speed, usual) && below(self.last, usual))
    }

    /// Turns between up and down within the last day, each by more than the share of the mean.
    fn turns(&self, percent: i64) -> usize {
        let count = i64::try_from(self.day.len()).unwrap_or(i64::MAX).max(1);
        let mean = self.day.iter().fold(0_i64, |sum, v| sum.saturating_add(*v)) / count;
        let step = mean.saturating_mul(percent) / 100;
        let steps = self.day.iter().zip(self.day.iter().skip(1)).map(|(a, b)| b.saturating_sub(*a));
        let swings: Vec<bool> = steps.filter(|by| by.saturating_abs() > step).map(|by| by > 0).collect();
        swings.iter().zip(swings.iter().skip(1)).filter(|(a, b)| a != b).count()
    }

    fn hunts(&self) -> bool {
        self.turns(HUNTS_PERCENT) >= HUNTS_TURNS
    }
}

fn judge(all: &[Followed<'_>], fan: &Followed<'_>) -> Judgement {
    let subject = fan.fan.name.clone();
    let others = || all.iter().filter(|other| other.fan.name != fan.fan.name);
    let alone = others().next().is_none();
    if fan.hunts() {
        let steady = !alone && others().all(|other| other.turns(STEADY_PERCENT) < HUNTS_TURNS);
        let verdict = if steady { Verdict::Suspected } else { Verdict::Watch };
        if !alone && !steady {
            return Judgement::exonerated(
                subject,
                "its speed swings as that of the other fans does: control",
            );
        }
        let lowest = fan.day.iter().min().copied().unwrap_or_default();
        let highest = fan.day.iter().max().copied().unwrap_or_default();
        let words = format!("swung between {lowest} and {highest} RPM within a day");
        let title = format!("The speed of {subject} swings up and down");
        return found(all, fan, verdict, title, words);
    }
    if !fan.fell() {
        return Judgement::clear(subject);
    }
    let usual = fan.usual.unwrap_or_default();
    if alone {
        let why = format!(
            "turns at {} RPM instead of {usual} RPM 30 days ago; how it was driven then is not recorded, and no other fan tells",
            fan.speed
        );
        return Judgement::cannot_tell(subject, why, false);
    }
    if !others().all(Followed::kept_its_speed) {
        return Judgement::exonerated(
            subject,
            "turns slower than 30 days ago, and so do other fans: control",
        );
    }
    let words = format!("fell from {usual} to {} RPM in {OVER_DAYS} days", fan.speed);
    let title = format!("The {subject} turns slower than it did, and the other fans do not");
    found(all, fan, Verdict::Suspected, title, words)
}

fn found(
    all: &[Followed<'_>],
    fan: &Followed<'_>,
    verdict: Verdict,
    title: String,
    words: String,
) -> Judgement {
    let name = fan.fan.name.clone();
    let row = if fan.hunts() { &FAN_HUNTS } else { &FAN_SLOWER };
    let suspects = row.suspects(|share| match share.kind {
        SuspectKind::Part => Place::at(name.clone()),
        SuspectKind::Configuration => Place::at("fan control"),
        _ => Place::at(format!("dust on {name}")),
    });
    let mut evidence: Vec<Evidence> = vec![told(format!("history[{name}].speed_rpm"), words, RECORDER)];
    evidence.extend(seen(format!("fans[{name}].speed_rpm"), &fan.fan.speed_rpm));
    for other in all.iter().filter(|other| other.fan.name != name) {
        evidence.extend(seen(format!("fans[{}].speed_rpm", other.fan.name), &other.fan.speed_rpm));
    }
    let mut finding = RULE.finding(verdict, title, suspects, evidence);
    let doubt = "the drive level of earlier runs is not recorded";
    finding.counter_evidence.push(told("history", doubt, ""));
    finding.test = test(
        "Set the fan speed to high in the system settings for ten minutes, listen at the fan, and run a check again.",
        &[
            "It stays slower or swings, or it grinds: replace the fan.",
            "It reaches the speed of the others and keeps it: dust, or fan control.",
        ],
    );
    Judgement::found(name, finding)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, fan, nas, recorded_name, with_fans};
    use assay_bundle::Observed;

    const NOW: i64 = 1_700_000_100;
    const DAY: i64 = 86_400;

    /// A fan's recorded speeds and its speed now.
    type Story<'a> = (&'a [(i64, i64)], u32);

    fn facts(stories: &[Story<'_>]) -> Facts {
        let fans = stories.iter().zip(1..).map(|((_, now), n)| fan(&format!("system fan {n}"), *now));
        let mut facts = with_fans(fans.collect());
        for ((past, _), n) in stories.iter().zip(1..) {
            let points: Vec<_> = past.iter().map(|&(ago, rpm)| (NOW - ago, 0, Some(rpm))).collect();
            facts = recorded_name(facts, Subject::Fan, &format!("system fan {n}"), Metric::SpeedRpm, &points);
        }
        facts
    }

    pub(crate) fn four() -> Four {
        let steady: Story<'_> = (&[(90 * DAY, 900)], 900);
        Four {
            fires: facts(&[(&[(90 * DAY, 900), (2 * DAY, 680)], 670), steady]),
            clear: facts(&[steady, steady]),
            cannot_tell: with_fans(vec![fan("system fan 1", 900)]),
            not_applicable: Some(Facts { fans: Observed::Absent, ..nas() }),
        }
    }

    fn check(stories: &[Story<'_>], states: &[&str], says: &str) {
        crate::fixture::check(evaluate, &facts(stories), states, says);
    }

    const STEADY: Story<'_> = (&[(90 * DAY, 900)], 910);

    #[test]
    fn a_fan_that_falls_behind_the_others() {
        let fell: Story<'_> = (&[(90 * DAY, 900), (2 * DAY, 680)], 670);
        check(&[fell, STEADY], &["found, suspected", "clear"], "fell from 900 to 670 RPM in 30 days");
        check(&[fell, fell], &["exonerated", "exonerated"], "so do other fans");
        check(&[fell], &["cannot tell"], "no other fan tells");
        // One moment, a fall of less, and a record that is too short.
        check(&[(&[(90 * DAY, 900)], 670), STEADY], &["clear", "clear"], "");
        check(&[(&[(90 * DAY, 900), (DAY, 740)], 730), STEADY], &["clear", "clear"], "");
        check(&[(&[(20 * DAY, 900), (DAY, 600)], 600), STEADY], &["clear", "clear"], "");
    }

    #[test]
    fn a_fan_that_hunts() {
        let swings = |times: i64| -> Vec<(i64, i64)> {
            (1..=times).rev().map(|n| (n * 600, if n % 2 == 0 { 600 } else { 1_000 })).collect()
        };
        let eight = swings(8);
        check(&[(&eight, 620), STEADY], &["found, suspected", "clear"], "between 600 and 1000 RPM");
        check(&[(&eight, 620), (&eight, 620)], &["exonerated", "exonerated"], "control");
        check(&[(&eight, 620)], &["found, watch"], "not recorded");
        let three = swings(3);
        check(&[(&three, 1_000), STEADY], &["clear", "clear"], "");
        let yesterday: Vec<(i64, i64)> = eight.iter().map(|(ago, rpm)| (ago + DAY, *rpm)).collect();
        check(&[(&yesterday, 620), STEADY], &["clear", "clear"], "");
    }

    #[test]
    fn what_nobody_followed() {
        let bare = with_fans(vec![fan("system fan 1", 900)]);
        let unread = Facts { history: Observed::unreadable("torn"), ..bare };
        crate::fixture::check(evaluate, &unread, &["cannot tell"], "torn");
        let blind = Fan { speed_rpm: Observed::unreadable("65535"), ..fan("system fan 1", 0) };
        crate::fixture::check(evaluate, &with_fans(vec![blind]), &["not applicable"], "");
    }
}
