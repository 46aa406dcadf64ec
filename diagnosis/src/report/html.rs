//! The report as one page that is complete in itself: to read on any screen, to print, to attach.
//!
//! It loads nothing and runs nothing, and says so to the browser (`default-src 'none'`): no script, no font, no picture
//! that is not drawn in it. Headings in order, tables with headers, drawings with a text beside them; every state is a
//! word. All that a device said passes [`Markup`], so it cannot become an element.

use assay_bundle::diagnosis::{Overall, Removable, Verdict};
use assay_bundle::digest::policy_source;

use super::bays::{Cell, Shelf, State};
use super::markup::Markup;
use super::readings::Group;
use super::view::{FindingView, SafeView, Said, StepView, View};
use super::{bay_map, slip, sparkline, style, words};

/// The report as a page.
pub fn html(view: &View) -> String {
    let sheet = style::sheet();
    // What the browser may do with the page: show it, with this one style sheet.
    let policy = format!(
        "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'",
        policy_source(&sheet)
    );
    let mut page = Markup::default();
    page.own("<!doctype html>\n");
    page.open("html", &[("lang", "en")]);
    page.open("head", &[]);
    page.void("meta", &[("charset", "utf-8")]);
    page.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    page.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    page.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    page.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    page.leaf("title", &[], &format!("{}: {}", words::verdict(view.overall), view.unit()));
    page.style(&sheet);
    page.close();
    page.line();
    page.open("body", &[]);
    page.open("div", &[("class", "sheet")]);
    head(&mut page, view);
    page.open("main", &[]);
    steps(&mut page, &view.steps);
    findings(&mut page, &view.findings);
    chassis(&mut page, &view.shelves);
    history(&mut page, view);
    cleared(&mut page, &view.cleared);
    unknowns(&mut page, view);
    entitlement(&mut page, &view.entitlement);
    cost(&mut page, view);
    if let Some(drawing) = &view.slip {
        slip::draw(&mut page, drawing);
    }
    page.close();
    page.open("footer", &[]);
    page.leaf("p", &[], &view.made_by);
    page.leaf("p", &[], words::PAGE_FOOT);
    page.finish()
}

fn head(page: &mut Markup, view: &View) {
    let (class, mark) = tone(view.overall);
    page.open("header", &[]);
    page.leaf("p", &[("class", "brand")], words::REPORT);
    page.open("div", &[("class", &format!("banner {class}"))]);
    page.open("h1", &[]);
    page.leaf("span", &[("aria-hidden", "true")], mark);
    page.text(&format!(" {}", words::verdict(view.overall)));
    page.close();
    page.leaf("p", &[("class", "headline")], &view.headline);
    if let Some(counts) = &view.counts {
        page.leaf("p", &[("class", "counts")], counts);
    }
    page.close();
    if let Some(origin) = view.origin {
        page.open("div", &[("class", "origin"), ("role", "note")]);
        page.leaf("p", &[], origin);
        if !view.inputs.is_empty() {
            page.leaf("p", &[("class", "soft")], words::INPUTS);
            list(page, &view.inputs);
        }
        page.close();
    }
    page.open("dl", &[("class", "device"), ("aria-label", words::DEVICE)]);
    let device = &view.device;
    for (label, value) in [
        (words::MODEL, &device.model),
        (words::SERIAL, &device.serial),
        (words::FIRMWARE, &device.firmware),
        (words::READ_AT, &device.read_at),
    ] {
        page.open("div", &[]);
        page.leaf("dt", &[], label);
        page.leaf("dd", &[], value.as_deref().unwrap_or(words::NOT_READ));
        page.close();
    }
    page.close();
    page.close();
    page.line();
}

/// Class and mark of the banner.
fn tone(overall: Overall) -> (&'static str, &'static str) {
    let state = match overall {
        Overall::DefectConfirmed => State::Confirmed,
        Overall::DefectSuspected => State::Suspected,
        Overall::Attention => State::Watch,
        Overall::CannotTell => State::Unknown,
        Overall::Healthy => State::Clear,
    };
    (bay_map::class(state), words::state(state).0)
}

fn verdict_class(verdict: Verdict) -> &'static str {
    bay_map::class(match verdict {
        Verdict::Confirmed => State::Confirmed,
        Verdict::Suspected => State::Suspected,
        Verdict::Watch => State::Watch,
    })
}

/// A part of the page with its heading.
fn section(page: &mut Markup, id: &'static str, heading: &'static str) {
    page.line();
    page.open("section", &[("aria-labelledby", id)]);
    page.leaf("h2", &[("id", id)], heading);
}

fn list(page: &mut Markup, items: &[String]) {
    page.open("ul", &[]);
    for item in items {
        page.leaf("li", &[], item);
    }
    page.close();
}

fn steps(page: &mut Markup, steps: &[StepView]) {
    section(page, "do", words::WHAT_TO_DO);
    page.open("div", &[("class", "card")]);
    page.open("ol", &[("class", "steps")]);
    for step in steps {
        page.open("li", &[]);
        page.leaf("span", &[("class", "n"), ("aria-hidden", "true")], &step.number.to_string());
        page.open("p", &[]);
        page.text(&step.text);
        if !step.cites.is_empty() {
            page.text(" ");
            page.leaf("span", &[("class", "cite")], &format!("[{}]", step.cites.join(", ")));
        }
        page.close();
        for blocker in &step.blocked_by {
            page.open("p", &[("class", "blocked")]);
            page.leaf("strong", &[], &format!("{}:", words::sentence(words::FIRST)));
            page.text(&format!(" {blocker}"));
            page.close();
        }
        page.close();
    }
    page.close();
    page.close();
    page.close();
}

fn findings(page: &mut Markup, findings: &[FindingView]) {
    if findings.is_empty() {
        return;
    }
    section(page, "found", words::FOUND);
    for (finding, number) in findings.iter().zip(1..) {
        let class = verdict_class(finding.verdict);
        let id = format!("finding{number}");
        page.line();
        page.open("article", &[("class", &format!("card finding {class}")), ("aria-labelledby", &id)]);
        page.open("div", &[("class", "lead")]);
        page.leaf("span", &[("class", &format!("badge {class}"))], &words::certainty(finding.verdict));
        page.open("h3", &[("id", &id)]);
        page.text(&finding.title);
        page.text(" ");
        page.leaf("span", &[("class", "code")], &finding.code);
        page.close();
        page.close();
        page.open("p", &[("class", "next")]);
        page.leaf("strong", &[], &format!("{}:", words::NEXT_STEP));
        page.text(&format!(" {}", finding.advice));
        page.close();
        if let Some(safe) = &finding.safe {
            removable(page, safe);
        }
        suspects(page, finding);
        evidence(page, words::SPEAKS_FOR, &finding.evidence);
        evidence(page, words::SPEAKS_AGAINST, &finding.against);
        if let Some(rate) = &finding.rate {
            page.leaf("h4", &[], words::HOW_OFTEN);
            page.leaf("p", &[], rate);
        }
        if let Some(test) = &finding.test {
            page.open("div", &[("class", "brief")]);
            page.leaf("h4", &[], words::NEXT_TEST);
            page.leaf("p", &[], &test.action);
            list(page, &test.outcomes);
            page.close();
        }
        page.close();
    }
    page.close();
}

fn removable(page: &mut Markup, safe: &SafeView) {
    let (answer, why) = safe.in_a_file();
    let class = bay_map::class(match answer {
        Removable::Yes => State::Clear,
        Removable::No => State::Confirmed,
        Removable::Unknown => State::Unknown,
    });
    page.open("div", &[("class", &format!("answer {class}"))]);
    page.open("p", &[]);
    page.leaf("strong", &[], &format!("{} {}", words::REMOVE_NOW, words::answer(answer)));
    page.text(&format!(" {}", words::sentence(&why)));
    page.close();
    page.close();
}

fn suspects(page: &mut Markup, finding: &FindingView) {
    page.leaf("h4", &[], words::SUSPECTS);
    page.open("table", &[("class", "quiet")]);
    header(page, &[words::CERTAIN, words::PART, words::WHERE]);
    page.open("tbody", &[]);
    for suspect in &finding.suspects {
        page.open("tr", &[]);
        page.leaf("td", &[("class", "narrow")], &format!("{} %", suspect.certainty_percent));
        page.leaf("th", &[("scope", "row")], suspect.component.word());
        page.open("td", &[("class", "long")]);
        page.text(&suspect.location);
        let id = [(words::SERIAL, &suspect.serial), (words::FIRMWARE, &suspect.firmware)];
        let id: Vec<String> = id
            .into_iter()
            .filter_map(|(word, value)| Some(format!("{} {}", word.to_lowercase(), value.as_ref()?)))
            .collect();
        if !id.is_empty() {
            page.leaf("span", &[("class", "at")], &words::sentence(&id.join(", ")));
        }
        page.close();
        page.close();
    }
    page.close();
    page.close();
    for source in &finding.certainty_from {
        page.leaf("p", &[("class", "cite")], &format!("{}: {source}", words::CERTAIN));
    }
}

fn evidence(page: &mut Markup, heading: &'static str, groups: &[Group]) {
    if groups.is_empty() {
        return;
    }
    page.leaf("h4", &[], heading);
    page.open("table", &[("class", "evidence quiet")]);
    header(page, &[words::READING, words::VALUE]);
    for group in groups {
        page.open("tbody", &[]);
        // A thing with one reading is named in full in its row.
        let single = group.readings.len() == 1;
        if !single {
            page.open("tr", &[]);
            page.open("th", &[("class", "thing"), ("colspan", "2"), ("scope", "rowgroup")]);
            page.path(&group.thing);
            page.close();
            page.close();
        }
        for (reading, number) in group.readings.iter().zip(1..) {
            page.open("tr", &[]);
            page.open("th", &[("scope", "row")]);
            page.path(&if single { group.path(reading) } else { reading.field.clone() });
            page.close();
            page.open("td", &[("class", "long")]);
            page.text(&reading.value);
            // Readings in a row from one place cite it once, below the last of them.
            let next = group.readings.get(number).map(|next| next.place.as_str());
            if !reading.place.is_empty() && next != Some(reading.place.as_str()) {
                page.open("span", &[("class", "at")]);
                page.text(&format!("{} ", words::IN));
                page.path(&format!("raw/{}", reading.place));
                page.close();
            }
            page.close();
            page.close();
        }
        page.close();
    }
    page.close();
}

fn header(page: &mut Markup, columns: &[&str]) {
    page.open("thead", &[]);
    page.open("tr", &[]);
    for column in columns {
        page.leaf("th", &[("scope", "col")], column);
    }
    page.close();
    page.close();
}

fn chassis(page: &mut Markup, shelves: &[Shelf]) {
    section(page, "chassis", words::CHASSIS);
    page.open("div", &[("class", "card")]);
    if shelves.is_empty() {
        page.leaf("p", &[], words::NO_MAP);
    } else {
        page.leaf("p", &[("class", "soft")], words::MAP_NOTE);
    }
    for (shelf, number) in shelves.iter().zip(1..) {
        page.line();
        page.open("div", &[("class", "maps")]);
        page.open("figure", &[("class", "map")]);
        page.open("figcaption", &[]);
        page.text(&shelf.name);
        if let Some(attached) = shelf.attached {
            page.leaf("span", &[("class", "soft")], attached);
        }
        page.close();
        bay_map::draw(page, shelf, number);
        page.close();
        page.open("table", &[("class", "parts")]);
        page.leaf("caption", &[], &format!("{}: {}", words::CHASSIS, shelf.name));
        header(page, &[words::PLACE, words::STATE, words::WHAT_IS_THERE]);
        page.open("tbody", &[]);
        // Empty bays in a row are one line: a shelf of 24 with two drives is read at a glance.
        for alike in shelf.bays.chunk_by(Cell::is_like).chain(shelf.parts.chunk_by(Cell::is_like)) {
            let Some((first, rest)) = alike.split_first() else { continue };
            let (mark, word) = words::state(first.state);
            let place = match rest.last() {
                Some(last) => words::through(&first.place, &last.place),
                None => first.place.clone(),
            };
            page.open("tr", &[]);
            page.leaf("th", &[("scope", "row")], &place);
            page.open("td", &[]);
            page.leaf("span", &[("class", "whole")], &format!("{mark} {word}"));
            if !first.codes.is_empty() {
                page.open("span", &[("class", "at")]);
                codes(page, &first.codes);
                page.close();
            }
            page.close();
            page.leaf("td", &[("class", "long")], &first.what);
            page.close();
        }
        page.close();
        page.close();
        page.close();
    }
    page.close();
    page.close();
}

fn history(page: &mut Markup, view: &View) {
    let trends = &view.trends;
    section(page, "history", words::HISTORY);
    if let Some(why) = &trends.why_none {
        page.leaf("p", &[("class", "soft")], why);
        page.close();
        return;
    }
    if !trends.charts.is_empty() {
        page.leaf("p", &[("class", "soft intro")], words::HISTORY_NOTE);
        page.open("div", &[("class", "charts")]);
    }
    for (chart, number) in trends.charts.iter().zip(1..) {
        page.line();
        page.open("figure", &[("class", "card chart")]);
        page.leaf("figcaption", &[], &chart.title);
        sparkline::draw(page, chart, number);
        page.leaf(
            "p",
            &[],
            &format!("{}. {}.", words::sentence(&chart.sentence()), words::sentence(&chart.extent())),
        );
        page.close();
    }
    if !trends.charts.is_empty() {
        page.close();
    }
    if !trends.flat.is_empty() {
        page.leaf("h3", &[], words::SINCE_CHANGED);
        list(page, &trends.flat);
    }
    if trends.left_out > 0 {
        page.leaf("p", &[("class", "soft")], &words::more_charts(trends.left_out));
    }
    page.close();
}

fn cleared(page: &mut Markup, cleared: &[Said]) {
    if cleared.is_empty() {
        return;
    }
    section(page, "cleared", words::CLEARED);
    page.open("div", &[("class", "card")]);
    said(page, cleared);
    page.close();
    page.close();
}

/// Subjects, why, who says so.
fn said(page: &mut Markup, list: &[Said]) {
    page.open("table", &[("class", "parts")]);
    header(page, &[words::SUBJECT, words::REASON, words::RULES]);
    page.open("tbody", &[]);
    for said in list {
        page.open("tr", &[]);
        page.leaf("th", &[("scope", "row"), ("class", "long")], &said.named(usize::MAX));
        page.leaf("td", &[("class", "long")], &said.why);
        page.open("td", &[]);
        codes(page, &said.codes);
        page.close();
        page.close();
    }
    page.close();
    page.close();
}

/// Codes in a row, none of them broken.
fn codes(page: &mut Markup, codes: &[String]) {
    for (code, number) in codes.iter().zip(1..) {
        let comma = if number < codes.len() { "," } else { "" };
        page.leaf("span", &[("class", "whole")], &format!("{code}{comma}"));
        page.text(" ");
    }
}

fn unknowns(page: &mut Markup, view: &View) {
    if view.needed.is_empty() && view.optional.is_empty() {
        return;
    }
    section(page, "unknown", words::UNKNOWN);
    for (heading, list) in [(words::NEEDED, &view.needed), (words::OPTIONAL, &view.optional)] {
        if list.is_empty() {
            continue;
        }
        page.open("div", &[("class", "card")]);
        page.leaf("h3", &[], heading);
        said(page, list);
        page.close();
    }
    page.close();
}

fn entitlement(page: &mut Markup, sentences: &[String]) {
    section(page, "entitlement", words::ENTITLEMENT);
    page.open("div", &[("class", "card")]);
    for sentence in sentences {
        page.leaf("p", &[], sentence);
    }
    if sentences.is_empty() {
        page.leaf("p", &[], &words::sentence(words::NOT_LOOKED_UP));
    }
    page.close();
    page.close();
}

fn cost(page: &mut Markup, view: &View) {
    if view.cost.is_empty() {
        return;
    }
    section(page, "cost", words::COST);
    page.open("div", &[("class", "card brief")]);
    page.open("dl", &[("class", "device"), ("aria-label", words::COST)]);
    for (label, value) in &view.cost {
        page.open("div", &[]);
        page.leaf("dt", &[], label);
        page.leaf("dd", &[], value);
        page.close();
    }
    page.close();
    page.close();
    page.close();
}
