//! What is said, worked out once for every writer: which finding leads, what stands together, what is said only once.
//!
//! Nothing here is escaped and nothing is laid out: that is each writer's. Refuses to show a stored answer to "may I
//! pull it?" as if it were fresh, whoever asks: only a live run keeps it.

use assay_bundle::cost::Cost;
use assay_bundle::diagnosis::{
    Diagnosis, Exoneration, Finding, Overall, Removable, SafeToRemove, Suspect, Unknown, Verdict,
};
use assay_bundle::entitlement::{Coverage, Entitlement, StandardPeriod};
use assay_bundle::facts::Facts;
use assay_bundle::units::Milliseconds;

use super::bays::{self, Shelf};
use super::readings::{Group, grouped};
use super::trends::{self, Trends};
use super::{Material, Origin, SlipDrawing, words};
use crate::text::moment;

/// A report before it is written.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) overall: Overall,
    /// The worst finding with its place, or why there is none.
    pub(super) headline: String,
    /// Where the facts come from, when not from this machine just now.
    pub(super) origin: Option<&'static str>,
    pub(super) inputs: Vec<String>,
    pub(super) device: Device,
    /// Findings by verdict and needed readings; `None` when the headline says it all.
    pub(super) counts: Option<String>,
    pub(super) steps: Vec<StepView>,
    pub(super) findings: Vec<FindingView>,
    pub(super) cleared: Vec<Said>,
    /// Unknowns that `healthy` needs.
    pub(super) needed: Vec<Said>,
    /// Unknowns that change no verdict.
    pub(super) optional: Vec<Said>,
    /// Label and sentence; the first is whether it is covered. Empty when nothing was looked up.
    pub(super) entitlement: Vec<String>,
    /// Label and value; empty when nothing was measured.
    pub(super) cost: Vec<(&'static str, String)>,
    pub(super) shelves: Vec<Shelf>,
    pub(super) trends: Trends,
    pub(super) made_by: String,
    /// The signed slip, where the caller made one.
    pub(super) slip: Option<SlipDrawing>,
}

/// Who the machine says it is.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) firmware: Option<String>,
    /// Moment of the run by the device's clock, and how far that is trusted.
    pub(super) read_at: Option<String>,
}

/// One step of the recommendation.
#[derive(Clone, Debug)]
pub(super) struct StepView {
    pub(super) number: usize,
    pub(super) text: String,
    /// Rule IDs of the service terms and the finding that it answers.
    pub(super) cites: Vec<String>,
    pub(super) blocked_by: Vec<String>,
}

/// One finding.
#[derive(Clone, Debug)]
pub(super) struct FindingView {
    pub(super) verdict: Verdict,
    pub(super) code: String,
    pub(super) title: String,
    pub(super) evidence: Vec<Group>,
    pub(super) against: Vec<Group>,
    pub(super) rate: Option<String>,
    pub(super) suspects: Vec<Suspect>,
    /// Where the certainties come from, each source once.
    pub(super) certainty_from: Vec<String>,
    pub(super) test: Option<TestView>,
    pub(super) safe: Option<SafeView>,
    pub(super) advice: String,
}

/// The discriminating test of a finding.
#[derive(Clone, Debug)]
pub(super) struct TestView {
    pub(super) action: String,
    pub(super) outcomes: Vec<String>,
    /// Number of the step that says the same.
    pub(super) step: Option<usize>,
}

/// May the drive be pulled?
#[derive(Clone, Debug)]
pub(super) struct SafeView {
    pub(super) answer: Removable,
    pub(super) why: String,
    /// How long that is worth something; nothing where the reason says it.
    pub(super) as_of: Option<String>,
    /// Code of an earlier finding with the same answer about the same drive.
    pub(super) same_as: Option<String>,
}

/// One sentence about one or several subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) subjects: Vec<String>,
    pub(super) why: String,
    pub(super) codes: Vec<String>,
}

impl View {
    /// Works out what is said.
    pub fn of(material: &Material<'_>) -> Self {
        let stored;
        let diagnosis = match material.origin {
            Origin::Live => material.diagnosis,
            Origin::Recorded | Origin::Bundle | Origin::Judged => {
                stored = material.diagnosis.as_stored();
                &stored
            }
        };
        let facts = material.facts;
        let steps = steps(material);
        let (needed, optional) = unknowns(&diagnosis.unknowns);
        let device = device(facts);
        Self {
            overall: diagnosis.overall,
            headline: headline(diagnosis),
            origin: match material.origin {
                Origin::Live => None,
                Origin::Recorded => Some(words::RECORDED),
                Origin::Bundle => Some(words::BUNDLED),
                Origin::Judged => Some(words::JUDGED),
            },
            inputs: material.inputs.to_vec(),
            counts: counts(diagnosis),
            findings: findings(&diagnosis.findings, &steps),
            steps,
            cleared: cleared(&diagnosis.exonerations),
            needed,
            optional,
            entitlement: material.entitlement.map(entitlement).unwrap_or_default(),
            cost: material.cost.map(cost).unwrap_or_default(),
            shelves: bays::shelves(facts, diagnosis),
            trends: trends::of(facts, diagnosis),
            made_by: words::made_by(diagnosis.rule_pack, device.read_at.clone()),
            slip: None,
            device,
        }
    }

    /// The same, with a verdict slip on the page.
    #[must_use]
    pub fn with_slip(self, slip: Option<SlipDrawing>) -> Self {
        Self { slip, ..self }
    }

    /// Model and serial as a title, such as `TS-453D Q204I53D11`.
    pub(super) fn unit(&self) -> String {
        let model = self.device.model.as_deref().unwrap_or(words::MODEL_NOT_READ);
        let serial = self.device.serial.as_deref().unwrap_or(words::SERIAL_NOT_READ);
        format!("{model} {serial}")
    }
}

impl SafeView {
    /// Why, and as of when.
    pub(super) fn sentence(&self) -> String {
        match &self.as_of {
            Some(as_of) => format!("{} ({as_of})", self.why),
            None => self.why.clone(),
        }
    }

    /// The answer for a file, which is read whenever: a yes is worth ten minutes, so a file never gives one.
    pub(super) fn in_a_file(&self) -> (Removable, String) {
        match self.answer {
            Removable::Yes => (Removable::Unknown, words::was_a_yes(&self.sentence())),
            answer => (answer, self.sentence()),
        }
    }
}

impl Said {
    /// `md9 and md13: why (codes)`, with at most so many subjects and codes.
    pub(super) fn sentence(&self, most: usize) -> String {
        format!("{}: {} ({})", self.named(most), self.why, shortened(&self.codes, most, false))
    }

    /// The subjects as words, at most so many.
    pub(super) fn named(&self, most: usize) -> String {
        shortened(&self.subjects, most, true)
    }
}

/// Names in a row, at most so many of them; the last one after an "and" where it is a sentence.
fn shortened(names: &[String], most: usize, sentence: bool) -> String {
    let shown = names.get(..most.max(1)).unwrap_or(names);
    match names.len() - shown.len() {
        0 if sentence && names.len() > 1 => crate::evidence::listed(names),
        0 => names.join(", "),
        hidden => format!("{} {}", shown.join(", "), words::and_more(hidden)),
    }
}

fn device(facts: &Facts) -> Device {
    let identity = &facts.identity;
    let read_at = facts.clock.unix_s.value().map(|now| {
        let trust = match facts.clock.synchronised.value() {
            Some(true) => "",
            Some(false) => words::CLOCK_UNSYNCHRONISED,
            None => words::CLOCK_ALONE,
        };
        format!("{}{trust}", moment(*now))
    });
    Device {
        model: identity.model.value().cloned(),
        serial: identity.serial.value().cloned(),
        firmware: identity.firmware.value().cloned(),
        read_at,
    }
}

fn headline(diagnosis: &Diagnosis) -> String {
    if let Some(worst) = diagnosis.findings.first() {
        // Most titles name the place; a title that does not is completed by the first suspect.
        let place = worst
            .suspects
            .first()
            .map(|s| s.location.as_str())
            .filter(|place| !place.is_empty() && !worst.title.contains(place));
        return words::headline(&worst.title, &worst.code, place, diagnosis.findings.len() - 1);
    }
    let (needed, _) = unknowns(&diagnosis.unknowns);
    let count = needed.iter().map(|said| said.subjects.len()).sum();
    match needed.as_slice() {
        [] => words::HEALTHY.to_owned(),
        [one] => words::missing_for_one_reason(count, &one.why),
        [first, ..] => words::missing(count, &first.named(1)),
    }
}

fn counts(diagnosis: &Diagnosis) -> Option<String> {
    let of = |verdict| diagnosis.findings.iter().filter(|f| f.verdict == verdict).count();
    let needed = diagnosis.unknowns.iter().filter(|u| u.required).count();
    // The headline alone says a single one.
    (diagnosis.findings.len() + needed > 1)
        .then(|| words::counts(of(Verdict::Confirmed), of(Verdict::Suspected), of(Verdict::Watch), needed))
}

fn steps(material: &Material<'_>) -> Vec<StepView> {
    let steps = material.recommendation.steps.iter().zip(1..);
    steps
        .map(|(step, number)| StepView {
            number,
            text: step.text.clone(),
            cites: step.rules.iter().chain(&step.finding).cloned().collect(),
            blocked_by: step.blocked_by.clone(),
        })
        .collect()
}

fn findings(findings: &[Finding], steps: &[StepView]) -> Vec<FindingView> {
    let mut views = Vec::new();
    let mut answered: Vec<(&Finding, &SafeToRemove)> = Vec::new();
    for finding in findings {
        let safe = finding.safe_to_remove.as_ref();
        let same_as = safe.and_then(|safe| {
            let same = |(earlier, answer): &&(&Finding, &SafeToRemove)| {
                *answer == safe && drive_of(earlier) == drive_of(finding) && drive_of(finding).is_some()
            };
            answered.iter().find(same).map(|(earlier, _)| earlier.code.clone())
        });
        answered.extend(safe.filter(|_| same_as.is_none()).map(|safe| (finding, safe)));
        let mut certainty_from: Vec<String> = Vec::new();
        for suspect in &finding.suspects {
            if !certainty_from.contains(&suspect.certainty_source) {
                certainty_from.push(suspect.certainty_source.clone());
            }
        }
        views.push(FindingView {
            verdict: finding.verdict,
            code: finding.code.clone(),
            title: finding.title.clone(),
            evidence: grouped(&finding.evidence),
            against: grouped(&finding.counter_evidence),
            rate: finding.rate.map(|rate| words::rate(rate.count, &words::window(rate.window_s))),
            suspects: finding.suspects.clone(),
            certainty_from,
            test: finding.test.as_ref().map(|test| TestView {
                action: test.action.clone(),
                outcomes: test.outcomes.clone(),
                step: steps.iter().find(|step| step.text == test.action).map(|step| step.number),
            }),
            safe: safe.map(|safe| SafeView {
                answer: safe.answer,
                why: safe.why.clone(),
                as_of: match (safe.answer, safe.as_of_unix_s) {
                    (Removable::Unknown, None) => None,
                    (_, at) => Some(words::as_of(at.map(moment))),
                },
                same_as,
            }),
            advice: finding.advice.clone(),
        });
    }
    views
}

/// The place and serial number that an answer to "may I pull it?" is about.
fn drive_of(finding: &Finding) -> Option<(&str, &str)> {
    let first = finding.suspects.iter().find(|suspect| suspect.serial.is_some())?;
    Some((&first.location, first.serial.as_deref()?))
}

/// Several subjects that one rule clears for one reason are one sentence.
fn cleared(exonerations: &[Exoneration]) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for one in exonerations {
        match said.iter_mut().find(|s| s.why == one.why && s.codes.contains(&one.code)) {
            Some(same) if same.subjects.contains(&one.subject) => {}
            Some(same) => same.subjects.push(one.subject.clone()),
            None => said.push(Said {
                subjects: vec![one.subject.clone()],
                why: one.why.clone(),
                codes: vec![one.code.clone()],
            }),
        }
    }
    said
}

/// Unknowns with one reason are one sentence, whoever asked: first those that `healthy` needs, then the others. A
/// subject that one rule needs and another only would like is a needed one.
fn unknowns(unknowns: &[Unknown]) -> (Vec<Said>, Vec<Said>) {
    let needs =
        |one: &Unknown| unknowns.iter().any(|u| u.required && u.subject == one.subject && u.why == one.why);
    let (mut needed, mut optional): (Vec<Said>, Vec<Said>) = (Vec::new(), Vec::new());
    for one in unknowns {
        let list = if needs(one) { &mut needed } else { &mut optional };
        match list.iter_mut().find(|said| said.why == one.why) {
            Some(same) => {
                for (names, name) in [(&mut same.subjects, &one.subject), (&mut same.codes, &one.code)] {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
            }
            None => list.push(Said {
                subjects: vec![one.subject.clone()],
                why: one.why.clone(),
                codes: vec![one.code.clone()],
            }),
        }
    }
    (needed, optional)
}

fn entitlement(entitlement: &Entitlement) -> Vec<String> {
    let standard = coverage(&entitlement.standard);
    let period = match &entitlement.standard_period {
        StandardPeriod::Years { years, series, global_years } => words::period(*years, series, *global_years),
        StandardPeriod::Unknown { why } => words::period_unknown(why),
    };
    let mut sentences = vec![words::sentence(&standard)];
    // A series that nobody knows is one reason for both.
    let told = match (&entitlement.standard, &entitlement.standard_period) {
        (Coverage::Unknown { why }, StandardPeriod::Unknown { why: same }) => why.contains(same.as_str()),
        _ => false,
    };
    if !told {
        sentences.push(words::sentence(&period));
    }
    // What no record speaks of is the portal's to look up, and no line on the device.
    for (plan, covered) in [
        (words::EXTENDED, &entitlement.extended),
        (words::ADVANCED_REPLACEMENT, &entitlement.advanced_replacement),
        (words::ON_SITE, &entitlement.on_site),
    ] {
        if !matches!(covered, Coverage::Unknown { .. } | Coverage::NotBought) {
            sentences.push(format!("{plan}: {}.", coverage(covered)));
        }
    }
    if let Some(last) = sentences.last_mut().filter(|_| !entitlement.rules.is_empty()) {
        last.push_str(&format!(" [{}]", entitlement.rules.join(", ")));
    }
    sentences
}

fn coverage(coverage: &Coverage) -> String {
    match coverage {
        Coverage::Until { last_day } => words::covered(last_day),
        Coverage::Starts { first_day, last_day } => words::covered_from(first_day, last_day),
        Coverage::AppearsExpired { last_day } => words::appears_expired(last_day),
        Coverage::Unknown { why } => words::coverage_unknown(why),
        Coverage::NotBought => words::NOT_BOUGHT.to_owned(),
        Coverage::NotEligible { why } => words::not_eligible(why),
        Coverage::Moved { serial } => words::moved(serial),
    }
}

fn cost(cost: &Cost) -> Vec<(&'static str, String)> {
    use words::cost as say;
    let written = cost.written_bytes.map_or_else(|| say::NOT_MEASURED.to_owned(), |bytes| bytes.to_string());
    vec![
        (say::TIME, time(cost.wall_ms)),
        (say::PROCESSOR, say::processor(&time(cost.cpu_ms), &time(cost.children_cpu_ms))),
        (say::MEMORY, cost.peak_memory_bytes.to_string()),
        (say::WRITTEN, written),
        (say::PROGRAMS, say::programs(cost.processes_started, cost.readers_abandoned)),
        (say::SLEEPING, say::sleeping(cost.disks_asleep, cost.disks_woken, cost.disks_unchecked)),
    ]
}

/// Milliseconds below a second, then tenths of seconds.
fn time(ms: Milliseconds) -> String {
    match ms.0 {
        short if short < 1000 => format!("{short} ms"),
        long => format!("{}.{} s", long / 1000, long % 1000 / 100),
    }
}
