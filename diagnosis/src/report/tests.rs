//! What holds for every writer: nothing is lost, the verdict leads, and a device writes no markup.

use assay_bundle::Observed;
use assay_bundle::cost::Cost;
use assay_bundle::diagnosis::{Diagnosis, Overall, Removable, SafeToRemove};
use assay_bundle::entitlement::{Coverage, Entitlement, StandardPeriod};
use assay_bundle::facts::Facts;
use assay_bundle::facts::chassis::{Bay, Enclosure, EnclosureKind};
use assay_bundle::facts::history::{Metric, Subject};
use assay_bundle::recommendation::{Action, Recommendation, Step};
use assay_bundle::units::{Bytes, Milliseconds};

use super::trends::tests::{point, series, with_history};
use super::{Layout, Material, Origin, View, html, markdown, terminal, words};
use crate::diagnose;
use crate::fixture::{hdd, healthy_nas, nas_with_everything_wrong};
use crate::text::is_harmless;

fn advice() -> Recommendation {
    let step = Step {
        action: Action::Backup,
        text: "Back up the data of this unit before anything else is done to it, on another machine."
            .to_owned(),
        finding: Some("DRV-001".to_owned()),
        component: None,
        rules: vec!["L9".to_owned()],
        blocked_by: vec!["the owner's answer".to_owned()],
    };
    Recommendation { steps: vec![step] }
}

fn uncovered() -> Entitlement {
    Entitlement {
        model: Some("TS-453D".to_owned()),
        standard_period: StandardPeriod::Years {
            years: 3,
            series: "TS-x53".to_owned(),
            global_years: Some(1),
        },
        standard: Coverage::Unknown { why: "no invoice date".to_owned() },
        rules: vec!["L3".to_owned()],
        extended: Coverage::default(),
        advanced_replacement: Coverage::default(),
        on_site: Coverage::default(),
        on_site_left: None,
        global: Coverage::default(),
        moved_to: None,
        reasons: Vec::new(),
    }
}

fn measured() -> Cost {
    Cost {
        wall_ms: Milliseconds(12_345),
        cpu_ms: Milliseconds(678),
        peak_memory_bytes: Bytes(9_000_000),
        written_bytes: Some(Bytes(0)),
        processes_started: 21,
        disks_asleep: 2,
        ..Cost::default()
    }
}

fn view(facts: &Facts, diagnosis: &Diagnosis, origin: Origin) -> View {
    let (recommendation, entitlement, cost) = (advice(), uncovered(), measured());
    let material = Material {
        entitlement: Some(&entitlement),
        cost: Some(&cost),
        ..Material::new(facts, diagnosis, &recommendation, origin)
    };
    View::of(&material)
}

const WIDE: Layout = Layout { width: 100_000, colour: false, all: true };
const USUAL: Layout = Layout { width: 80, colour: false, all: false };

/// What a page says, without its markup.
fn told(page: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in page.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    let quotes = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    quotes.iter().fold(out, |text, (from, to)| text.replace(from, to))
}

/// Markdown as it is read: without the signs that only escape.
fn read(markdown: &str) -> String {
    markdown.replace(['\\', '`'], "")
}

/// A machine of which everything is said that a report can say.
fn full() -> Facts {
    let mut facts = nas_with_everything_wrong();
    let bay = |id: u32, name: Observed<String>| Bay { id, slot_name: name };
    let mut bays: Vec<Bay> = (1..=8).map(|id| bay(id, Observed::NotCollected)).collect();
    bays.push(bay(9, Observed::seen("M.2 SSD 1".to_owned(), "x")));
    facts.chassis.bays = Observed::seen(bays, "x");
    let shelf = Enclosure {
        id: 40,
        kind: Observed::seen(EnclosureKind::Sas, "x"),
        model: Observed::seen("REXP-1220U".to_owned(), "x"),
        disks: Observed::seen(12, "x"),
        fans: Observed::seen(3, "x"),
        power_units: Observed::seen(2, "x"),
        ..Enclosure::default()
    };
    facts.chassis.enclosures = Observed::seen(vec![shelf], "x");
    let moving = vec![point(0, 0, 30), point(9, 0, 41), point(20, 1, 38)];
    with_history(facts, vec![series(Subject::Fan, "system fan 9", Metric::SpeedRpm, moving)])
}

/// Every word of a diagnosis that a reader has to find.
fn wanted(diagnosis: &Diagnosis) -> Vec<String> {
    let mut wanted = Vec::new();
    for f in &diagnosis.findings {
        wanted.extend([f.code.clone(), f.title.clone(), f.advice.clone()]);
        let evidence = f.evidence.iter().chain(&f.counter_evidence);
        wanted.extend(evidence.map(|e| e.value.clone()));
        wanted.extend(f.suspects.iter().flat_map(|s| [s.location.clone(), s.certainty_source.clone()]));
        wanted.extend(f.suspects.iter().filter_map(|s| s.serial.clone()));
        wanted.extend(f.test.iter().flat_map(|t| t.outcomes.iter().chain([&t.action]).cloned()));
    }
    for e in &diagnosis.exonerations {
        wanted.extend([e.code.clone(), e.subject.clone(), e.why.clone()]);
    }
    for u in &diagnosis.unknowns {
        wanted.extend([u.code.clone(), u.subject.clone(), u.why.clone()]);
    }
    wanted
}

#[test]
fn nothing_is_lost_in_any_form() {
    for facts in [Facts::default(), healthy_nas(), nas_with_everything_wrong(), full()] {
        let diagnosis = diagnose(&facts);
        let view = view(&facts, &diagnosis, Origin::Live);
        let page = html(&view);
        let forms = [terminal(&view, WIDE), told(&page), read(&markdown(&view))];
        for words in wanted(&diagnosis) {
            // Sentences of a page begin with a capital.
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            for form in &forms {
                assert!(
                    form.contains(&words) || form.contains(&words::sentence(&words)),
                    "{words:?} is not in\n{form}"
                );
            }
        }
        for f in &diagnosis.findings {
            for e in f.evidence.iter().filter(|e| !e.from.is_empty()) {
                assert!(forms[1].contains(&e.from) && forms[2].contains(&e.from), "{e:?}");
            }
        }
        for form in &forms {
            for words in [
                "overage unknown: no invoice date",
                "3 years standard warranty",
                "12.3 s",
                "2, all left asleep",
            ] {
                assert!(form.contains(words), "{words:?} is not in\n{form}");
            }
        }
    }
}

#[test]
fn the_verdict_comes_first_and_every_row_fits() {
    let facts = nas_with_everything_wrong();
    let diagnosis = diagnose(&facts);
    let view = view(&facts, &diagnosis, Origin::Live);
    for width in [0, 40, 60, 80, 132] {
        let text = terminal(&view, Layout { width, ..USUAL });
        assert!(text.starts_with("DEFECT CONFIRMED\n"), "{text}");
        for row in text.lines() {
            assert!(row.chars().count() <= width.max(40), "{width}: {row:?}");
            assert_eq!(row, row.trim_end());
        }
    }
    let text = terminal(&view, USUAL);
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words:?} is not in\n{text}"));
    assert!(at(&diagnosis.findings[0].code) < at("What to do") && at("What to do") < at("\nFound"));
    for words in
        ["  1. Back up", "[L9, DRV-001]", "first: the owner's", "100 % drive: bay 1", "safe to remove now?"]
    {
        at(words);
    }
    assert!(html(&view).contains("</span> Defect confirmed</h1>"));
    assert!(markdown(&view).starts_with("# Defect confirmed\n"));
}

#[test]
fn a_headline_names_the_worst_and_its_place() {
    for (facts, overall, words) in [
        (healthy_nas(), Overall::Healthy, "Every reading that was needed is there"),
        (Facts::default(), Overall::CannotTell, "needed readings are missing"),
        (nas_with_everything_wrong(), Overall::DefectConfirmed, "bay 1"),
    ] {
        let diagnosis = diagnose(&facts);
        let view = view(&facts, &diagnosis, Origin::Live);
        assert_eq!(view.overall, overall);
        assert!(view.headline.contains(words), "{}", view.headline);
    }
}

#[test]
fn what_is_cleared_is_said_once() {
    let facts = healthy_nas();
    let text = terminal(&view(&facts, &diagnose(&facts), Origin::Live), WIDE);
    assert!(text.starts_with("HEALTHY\n"), "{text}");
    assert!(text.contains("md9: a system array of QNAP, [32/3] by design"), "{text}");
    assert_eq!(text.matches("a system array of QNAP").count(), 1, "{text}");
}

#[test]
fn one_reason_is_one_line_and_many_optional_ones_are_counted() {
    let mut facts = healthy_nas();
    facts.drives = Observed::NotCollected;
    let mut diagnosis = diagnose(&facts);
    let text = terminal(&view(&facts, &diagnosis, Origin::Live), WIDE);
    assert_eq!(text.matches("drives: were not read").count(), 1, "{text}");
    assert!(text.contains("(DRV-001, DRV-002,"), "{text}");
    let unknown = |number: u32, why: u32| assay_bundle::diagnosis::Unknown {
        code: format!("X-{number:03}"),
        subject: format!("thing {number}"),
        why: format!("reason {why}"),
        required: false,
    };
    diagnosis.unknowns = (0..40)
        .map(|number| unknown(number, number / 10))
        .chain([unknown(99, 98), unknown(98, 99)])
        .collect();
    let view = view(&facts, &diagnosis, Origin::Live);
    let short = terminal(&view, USUAL);
    let rows: Vec<&str> = short.lines().skip_while(|row| *row != words::UNKNOWN).collect();
    assert!(short.contains("thing 5 and 4 more") && !short.contains("thing 99"), "{short}");
    assert!(short.contains("optional: 2 more readings for 2 other reasons: --all lists them"), "{short}");
    assert!(rows.len() < 24, "{rows:?}");
    let all = terminal(&view, Layout { all: true, ..USUAL });
    assert!(all.contains("thing 99") && !all.contains("--all"), "{all}");
}

#[test]
fn what_an_earlier_finding_showed_is_only_named() {
    let facts = nas_with_everything_wrong();
    let mut diagnosis = diagnose(&facts);
    let safe = SafeToRemove {
        answer: Removable::No,
        why: "no redundancy is left".to_owned(),
        as_of_unix_s: Some(0),
        boot_id: None,
    };
    let first = diagnosis.findings.iter().find(|f| f.safe_to_remove.is_some()).cloned().expect("a drive");
    let mut again = first.clone();
    again.code = "DRV-999".to_owned();
    diagnosis.findings = vec![first, again];
    diagnosis.findings.iter_mut().for_each(|f| f.safe_to_remove = Some(safe.clone()));
    let text = terminal(&view(&facts, &diagnosis, Origin::Live), WIDE);
    assert_eq!(text.matches("no redundancy is left").count(), 1, "{text}");
    assert!(text.contains("safe to remove now? NO, as under DRV-001"), "{text}");
    assert!(text.contains("model, serial") && text.matches(" model WDC").count() <= 1, "{text}");
}

#[test]
fn only_a_live_answer_is_shown_as_it_is() {
    let facts = nas_with_everything_wrong();
    let mut diagnosis = diagnose(&facts);
    for finding in &mut diagnosis.findings {
        if let Some(safe) = &mut finding.safe_to_remove {
            (safe.answer, safe.why) = (Removable::Yes, "fresh from the arrays".to_owned());
        }
    }
    for (origin, shown) in
        [(Origin::Live, true), (Origin::Recorded, false), (Origin::Bundle, false), (Origin::Judged, false)]
    {
        let view = view(&facts, &diagnosis, origin);
        for (form, kept) in
            [(terminal(&view, WIDE), false), (told(&html(&view)), true), (read(&markdown(&view)), true)]
        {
            let lower = form.to_lowercase();
            assert_eq!(lower.contains("fresh from the arrays"), shown, "{origin:?}: {form}");
            // A file is read whenever: it says that it was a yes, and never that it is one.
            assert_eq!(lower.contains("remove now? yes"), shown && !kept, "{origin:?}: {form}");
            assert_eq!(
                lower.contains("it was a yes when this was written"),
                shown && kept,
                "{origin:?}: {form}"
            );
        }
        assert_eq!(view.origin.is_none(), origin == Origin::Live);
    }
}

#[test]
fn colour_only_repeats_words() {
    let facts = nas_with_everything_wrong();
    let view = view(&facts, &diagnose(&facts), Origin::Live);
    let plain = terminal(&view, USUAL);
    assert!(!plain.contains('\x1b'));
    let mut painted = terminal(&view, Layout { colour: true, ..USUAL });
    for sgr in ["31", "33", "32", "1", "0"] {
        painted = painted.replace(&format!("\x1b[{sgr}m"), "");
    }
    assert_eq!(painted, plain);
}

#[test]
fn a_device_cannot_rewrite_the_report() {
    const TRICK: &str =
        "\"><script>x</script>\x1b[2J\u{202e}\r\nHEALTHY\u{200b}|[a](http://evil.example)@all ``` <!--";
    let mut facts = full();
    facts.identity.model = Observed::seen(TRICK.to_owned(), "x");
    facts.identity.serial = Observed::seen(TRICK.to_owned(), TRICK);
    if let Observed::Seen { value, .. } = &mut facts.drives {
        value.push(hdd(TRICK, 7));
        for drive in value {
            drive.model = Observed::seen(TRICK.to_owned(), TRICK);
            drive.serial = Observed::seen(format!("{}{TRICK}", drive.device), TRICK);
        }
    }
    if let Observed::Seen { value, .. } = &mut facts.fans {
        value.iter_mut().for_each(|fan| fan.label = Observed::seen(TRICK.to_owned(), "x"));
    }
    if let Observed::Seen { value, .. } = &mut facts.history {
        value.series.iter_mut().for_each(|series| series.name = TRICK.to_owned());
    }
    let mut diagnosis = diagnose(&facts);
    for finding in &mut diagnosis.findings {
        (finding.title, finding.advice) = (TRICK.to_owned(), TRICK.to_owned());
    }
    let view = view(&facts, &diagnosis, Origin::Live);
    let (text, page, ticket) = (terminal(&view, USUAL), html(&view), markdown(&view));
    for form in [&text, &page, &ticket] {
        assert!(form.contains("\\u{202e}") && form.contains("\\u{1b}"), "{form}");
        assert!(form.chars().all(|c| c == '\n' || is_harmless(c)));
    }
    assert_eq!(text.lines().next(), Some("DEFECT CONFIRMED"));
    assert!(!page.to_lowercase().contains("<script") && !page.contains("<!--"), "{page}");
    balanced(&page);
    for line in ticket.lines() {
        let bare = bare(line);
        for sign in ["http:", "@", "<", "[a]", "www."] {
            assert!(!bare.contains(sign), "{sign} in {bare:?} of {line}");
        }
    }
}

/// What of a line of Markdown may mean something: neither code nor escaped.
fn bare(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(c) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches('`').len();
        if run > 0 {
            let fence = &rest[..run];
            let ends = |at: &usize| !rest[at + run..].starts_with('`') && !rest[..*at].ends_with('`');
            let end = rest.match_indices(fence).map(|(at, _)| at).filter(|at| *at >= run).find(ends);
            rest = &rest[end.expect("code ends in its line") + run..];
        } else if c == '\\' {
            rest = rest.get(2..).unwrap_or_default();
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[test]
fn a_page_is_complete_in_itself() {
    for facts in [Facts::default(), healthy_nas(), full()] {
        let diagnosis = diagnose(&facts);
        let page = html(&view(&facts, &diagnosis, Origin::Recorded));
        balanced(&page);
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
        assert!(page.contains("content=\"default-src &#39;none&#39;;"), "{page}");
        for word in
            ["<script", "http:", "https:", "src=", "href=", "<link", "<iframe", "<object", " on", "url("]
        {
            let tags: String =
                page.split('<').skip(1).filter_map(|tag| tag.split('>').next()).collect::<Vec<_>>().join("<");
            let found = if word == " on" {
                tags.contains(" onload") || tags.contains(" onclick")
            } else {
                page.contains(word)
            };
            assert!(!found, "{word} is in the page");
        }
        // One first heading, and no level is jumped.
        let levels: Vec<u32> =
            page.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{levels:?}");
        assert_eq!(levels.first(), Some(&1));
        assert!(levels.windows(2).all(|two| two[1] <= two[0] + 1), "{levels:?}");
        let drawings = page.matches("<svg ").count();
        assert_eq!(page.matches("role=\"img\"").count(), drawings);
        for drawing in page.split("<svg ").skip(1) {
            let inside = drawing.split("</svg>").next().expect("a drawing ends");
            assert!(inside.contains("<title id=") && inside.contains("<desc id="), "{inside}");
        }
        assert!(facts == Facts::default() || drawings >= 1, "a bay map");
        assert_eq!(page.matches("<table").count(), page.matches("<thead><tr><th scope=\"col\"").count());
        assert!(page.len() < 150_000, "{} bytes", page.len());
    }
}

/// A small reader of our own pages: every element that opens closes, in order, and each id stands once.
fn balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    let (_, after) = page.split_once("<!doctype html>").expect("a page");
    for piece in after.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') || tag == "style", "a bare > in {text:?}");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in <{tag}>");
        ids.extend(tag.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next()));
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {text:?}");
        } else if !tag.ends_with('/') {
            let name = tag.split(' ').next().expect("a name");
            if name != "meta" && name != "wbr" {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?} stays open");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
    for labelled in after.split("aria-labelledby=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        for id in labelled.split(' ') {
            assert!(ids.binary_search(&id).is_ok(), "nothing has the id {id}");
        }
    }
}

#[test]
fn the_largest_machine_stays_small() {
    let mut facts = full();
    let drives: Vec<_> = (1..=24).map(|bay| hdd(&format!("sd{bay}"), bay)).collect();
    let long = || (0..200).map(|n| point(n, u32::from(n > 100), 30 + n % 20)).collect::<Vec<_>>();
    let serials: Vec<String> = drives.iter().filter_map(|d| d.serial.value().cloned()).collect();
    facts.drives = Observed::seen(drives, "x");
    let courses = serials.iter().flat_map(|serial| {
        [Metric::TemperatureC, Metric::Ata199].map(|metric| series(Subject::Drive, serial, metric, long()))
    });
    let facts = with_history(facts, courses.collect());
    let page = html(&view(&facts, &diagnose(&facts), Origin::Live));
    assert!(page.len() < 150_000, "{} bytes", page.len());
    assert!(page.contains("more series are kept besides"), "what is not drawn is counted");
}
