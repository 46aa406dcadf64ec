//! The report for a ticket: GitHub-flavoured Markdown, which other trackers read as well.
//!
//! A device can put no markup into the ticket: no link, no mention, no picture, no HTML, no end of a table. Signs that
//! mean something are escaped, and a word that a tracker would turn into a link by itself (an address, a mention, a
//! number of another ticket) stands as code. Nothing is left out: a ticket is read without the machine.

use super::readings::Group;
use super::view::{FindingView, Said, View};
use super::words;
use crate::text::escaped;

/// The report as Markdown.
pub fn markdown(view: &View) -> String {
    let mut page = Page::default();
    page.heading(1, &words::verdict(view.overall));
    page.paragraph(&view.headline);
    page.table(
        &[words::MODEL, words::SERIAL, words::FIRMWARE, words::READ_AT],
        &[[&view.device.model, &view.device.serial, &view.device.firmware, &view.device.read_at]
            .map(|value| inline(value.as_deref().unwrap_or(words::NOT_READ)))
            .to_vec()],
    );
    for line in view.counts.as_deref().into_iter().chain(view.origin) {
        page.paragraph(line);
    }
    if !view.inputs.is_empty() {
        page.list(&view.inputs);
    }
    page.heading(2, words::WHAT_TO_DO);
    for step in &view.steps {
        let cites =
            if step.cites.is_empty() { String::new() } else { format!(" [{}]", step.cites.join(", ")) };
        page.line(&format!("{}. {}", step.number, inline(&format!("{}{cites}", step.text))));
        for blocker in &step.blocked_by {
            page.line(&format!("   - **{}:** {}", words::sentence(words::FIRST), inline(blocker)));
        }
    }
    page.line("");
    if !view.findings.is_empty() {
        page.heading(2, words::FOUND);
    }
    for finding in &view.findings {
        page.finding(finding);
    }
    page.said(words::CLEARED, &view.cleared);
    page.said(&format!("{}: {}", words::UNKNOWN, words::NEEDED.to_lowercase()), &view.needed);
    page.said(&format!("{}: {}", words::UNKNOWN, words::OPTIONAL.to_lowercase()), &view.optional);
    if !view.trends.charts.is_empty() || !view.trends.flat.is_empty() {
        page.heading(2, words::HISTORY);
        let charts = view.trends.charts.iter().map(|chart| format!("{}: {}", chart.title, chart.sentence()));
        page.list(&charts.chain(view.trends.flat.iter().cloned()).collect::<Vec<_>>());
    }
    page.heading(2, words::ENTITLEMENT);
    match view.entitlement.is_empty() {
        true => page.paragraph(&words::sentence(words::NOT_LOOKED_UP)),
        false => page.list(&view.entitlement),
    }
    if !view.cost.is_empty() {
        page.heading(2, words::COST);
        page.list(&view.cost.iter().map(|(label, value)| format!("{label}: {value}")).collect::<Vec<_>>());
    }
    page.paragraph(&view.made_by);
    page.out.trim_end().to_owned() + "\n"
}

#[derive(Default)]
struct Page {
    out: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn heading(&mut self, level: usize, text: &str) {
        self.line(&format!("{} {}\n", "#".repeat(level), inline(text)));
    }

    fn paragraph(&mut self, text: &str) {
        self.line(&format!("{}\n", inline(text)));
    }

    fn list(&mut self, items: &[String]) {
        for item in items {
            self.line(&format!("- {}", inline(item)));
        }
        self.line("");
    }

    /// A table; its cells are escaped already.
    fn table(&mut self, columns: &[&str], rows: &[Vec<String>]) {
        self.line(&format!("| {} |", columns.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(columns.len())));
        for row in rows {
            self.line(&format!("| {} |", row.join(" | ")));
        }
        self.line("");
    }

    fn finding(&mut self, finding: &FindingView) {
        let title = format!("{}: {} ({})", words::certainty(finding.verdict), finding.title, finding.code);
        self.heading(3, &title);
        self.line(&format!("**{}:** {}\n", words::NEXT_STEP, inline(&finding.advice)));
        if let Some(safe) = &finding.safe {
            let (answer, why) = safe.in_a_file();
            let answer = words::answer(answer);
            let why = inline(&why);
            self.line(&format!("**{} {answer}:** {why}\n", words::REMOVE_NOW));
        }
        let suspects: Vec<Vec<String>> = finding
            .suspects
            .iter()
            .map(|suspect| {
                let id =
                    [&suspect.serial, &suspect.firmware].into_iter().flatten().cloned().collect::<Vec<_>>();
                vec![
                    format!("{} %", suspect.certainty_percent),
                    inline(suspect.component.word()),
                    inline(&suspect.location),
                    inline(&id.join(", ")),
                ]
            })
            .collect();
        self.table(&[words::CERTAIN, words::PART, words::WHERE, words::IDENTITY], &suspects);
        for source in &finding.certainty_from {
            self.paragraph(&format!("{}: {source}", words::CERTAIN));
        }
        self.evidence(words::SPEAKS_FOR, &finding.evidence);
        self.evidence(words::SPEAKS_AGAINST, &finding.against);
        if let Some(rate) = &finding.rate {
            self.paragraph(&format!("{}: {rate}", words::HOW_OFTEN));
        }
        if let Some(test) = &finding.test {
            self.line(&format!("**{}:** {}\n", words::NEXT_TEST, inline(&test.action)));
            self.list(&test.outcomes);
        }
    }

    fn evidence(&mut self, heading: &str, groups: &[Group]) {
        let rows: Vec<Vec<String>> = groups
            .iter()
            .flat_map(|group| group.readings.iter().map(move |reading| (group, reading)))
            .map(|(group, reading)| {
                let place = match reading.place.is_empty() {
                    true => String::new(),
                    false => code(&format!("raw/{}", reading.place)),
                };
                vec![code(&group.path(reading)), inline(&reading.value), place]
            })
            .collect();
        if !rows.is_empty() {
            self.table(&[heading, "", words::WHERE], &rows);
        }
    }

    fn said(&mut self, heading: &str, list: &[Said]) {
        if list.is_empty() {
            return;
        }
        self.heading(2, heading);
        self.list(&list.iter().map(|said| said.sentence(usize::MAX)).collect::<Vec<_>>());
    }
}

/// Text inside of a line or a cell: nothing in it means anything.
fn inline(text: &str) -> String {
    let mut words: Vec<String> = escaped(text).split_whitespace().map(word).collect();
    // At its beginning a line may be a list, a heading or a rule.
    if let Some(first) = words.first_mut()
        && begins_something(first)
    {
        *first = code(first);
    }
    words.join(" ")
}

fn word(word: &str) -> String {
    if links_itself(word) {
        return code(word);
    }
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '#' | '$' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A dash, a plus, an equals sign or a number with a dot or bracket in front, which would begin a list or underline a
/// heading.
fn begins_something(first: &str) -> bool {
    let rest = first.trim_start_matches(|c: char| c.is_ascii_digit());
    first.starts_with(['-', '+', '='])
        || (rest.len() < first.len() && (rest.starts_with('.') || rest.starts_with(')')) && rest.len() == 1)
}

/// Whether a tracker makes a link of a plain word: an address, a mention, another ticket, a commit.
fn links_itself(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let ticket = lower.find('#').is_some_and(|at| number(lower.get(at + 1..).unwrap_or_default()))
        || lower.find("gh-").is_some_and(|at| number(lower.get(at + 3..).unwrap_or_default()));
    let mut hex = word.split(|c: char| !c.is_ascii_hexdigit());
    // Trackers link commits by 7 hex digits and more; a serial number of digits alone is none.
    let commit = hex.any(|run| {
        run.len() >= 7
            && run.chars().any(|c| c.is_ascii_digit())
            && run.chars().any(|c| c.is_ascii_lowercase())
    });
    ticket
        || commit
        || word.contains('@')
        || lower.contains("://")
        || lower.contains("www.")
        || lower.contains("mailto:")
        || lower.contains("xmpp:")
}

/// Text as code, fenced so that no backtick in it ends it; a bar would end a cell even there.
fn code(text: &str) -> String {
    let text = escaped(text).replace('|', "\\|");
    let mut longest = 0;
    for run in text.split(|c| c != '`') {
        longest = longest.max(run.len());
    }
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_writes_no_markup() {
        for (text, shown) in [
            ("The drive in bay 5 (sdc) has 8", "The drive in bay 5 (sdc) has 8"),
            ("[click](http://evil.example)", "`[click](http://evil.example)`"),
            ("![x](y)", "\\!\\[x\\](y)"),
            ("<img src=x> & <b>", "\\<img src=x\\> \\& \\<b\\>"),
            ("a | b", "a \\| b"),
            ("cell|`code|", "cell\\|\\`code\\|"),
            ("@everyone see #12 or www.evil.example", "`@everyone` see `#12` or `www.evil.example`"),
            ("user/repo#4 GH-7 deadbeef1", "`user/repo#4` `GH-7` `deadbeef1`"),
            ("- item", "`-` item"),
            ("1. item", "`1.` item"),
            ("power_on_hours **x** ~~y~~", "power\\_on\\_hours \\*\\*x\\*\\* \\~\\~y\\~\\~"),
            ("two\nlines\u{202e}", "two\\\\u{a}lines\\\\u{202e}"),
            ("$x$ \\", "\\$x\\$ \\\\"),
        ] {
            assert_eq!(inline(text), shown);
        }
        for (text, shown) in
            [("a`b", "``a`b``"), ("`", "`` ` ``"), ("a|b", "`a\\|b`"), ("drives[sda].x", "`drives[sda].x`")]
        {
            assert_eq!(code(text), shown);
        }
    }
}
