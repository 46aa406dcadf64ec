//! One HTML page to print, in one string: no script, no network, no file beside it.
//!
//! Every text goes through [`escape`]; there is no way to put markup into a page from outside. It reads in black on
//! white, on A4 and on Letter, by ear and by eye: headings, tables with row headers, lists.

/// A page in the making.
#[derive(Default)]
pub(crate) struct Page {
    body: String,
}

/// The one style. Nothing is told by colour alone; a box has a border, a warning has the word.
const STYLE: &str = "
@page{margin:18mm}
body{font:11pt/1.4 sans-serif;color:#000;background:#fff;max-width:180mm;margin:0 auto;padding:8mm}
h1{font-size:18pt;margin:0 0 4mm}
h2{font-size:13pt;margin:6mm 0 2mm;break-after:avoid}
table{border-collapse:collapse;width:100%}
th,td{border:1px solid #666;padding:1.5mm 2mm;text-align:left;vertical-align:top;overflow-wrap:anywhere;white-space:pre-line}
th{width:35%;font-weight:600}
tr,li{break-inside:avoid}
.warning{border:2px solid #000;padding:3mm;margin:4mm 0;font-weight:600;break-inside:avoid}
.ticks{list-style:none;padding:0}
.ticks li{padding:1mm 0 1mm 8mm;text-indent:-8mm}
.sign{margin-top:10mm;break-inside:avoid;border-top:1px solid #000;width:80mm;padding-top:1mm}
@media print{body{padding:0;font-size:10pt}}
";

impl Page {
    /// A heading below the title.
    pub(crate) fn heading(&mut self, text: &str) {
        self.element("h2", text);
    }

    /// A paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.element("p", text);
    }

    /// A paragraph in a frame.
    pub(crate) fn warning(&mut self, text: &str) {
        self.body.push_str("<p class=\"warning\" role=\"note\">");
        self.body.push_str(&escape(text));
        self.body.push_str("</p>\n");
    }

    /// A table of labels and values.
    pub(crate) fn table(&mut self, rows: &[(&str, &str)]) {
        self.body.push_str("<table>\n");
        for (label, value) in rows {
            let row =
                format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(label), escape(value));
            self.body.push_str(&row);
        }
        self.body.push_str("</table>\n");
    }

    /// Steps in order.
    pub(crate) fn steps<'t>(&mut self, items: impl IntoIterator<Item = &'t str>) {
        self.list("<ol>", "", items, "</ol>");
    }

    /// A list without order.
    pub(crate) fn items<'t>(&mut self, items: impl IntoIterator<Item = &'t str>) {
        self.list("<ul>", "", items, "</ul>");
    }

    /// A list with a square before each item, to tick on paper.
    pub(crate) fn ticks<'t>(&mut self, items: impl IntoIterator<Item = &'t str>) {
        self.list("<ul class=\"ticks\">", "<span aria-hidden=\"true\">\u{2610}</span> ", items, "</ul>");
    }

    /// A line to sign on.
    pub(crate) fn signature(&mut self, whose: &str) {
        self.body.push_str(&format!("<p class=\"sign\">{}</p>\n", escape(whose)));
    }

    /// The whole page.
    pub(crate) fn finish(self, title: &str) -> String {
        let title = escape(title);
        let policy = assay_bundle::digest::policy_source(STYLE);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{policy}'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{}</main>\n</body>\n</html>\n",
            self.body
        )
    }

    fn element(&mut self, name: &str, text: &str) {
        self.body.push_str(&format!("<{name}>{}</{name}>\n", escape(text)));
    }

    fn list<'t>(&mut self, open: &str, before: &str, items: impl IntoIterator<Item = &'t str>, close: &str) {
        self.body.push_str(open);
        for item in items {
            self.body.push_str(&format!("<li>{before}{}</li>\n", escape(item)));
        }
        self.body.push_str(close);
        self.body.push('\n');
    }
}

/// Text that a page shows as it is. What would print nothing, or turn the direction of the rest, is shown as a mark.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

/// What every printed page has to be; for the tests of all sheets.
#[cfg(test)]
pub(crate) fn check_page(page: &str, says: &[&str]) {
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    for never in ["<script", "http://", "https://", "<link", "<img", "src=", "@import", "url("] {
        assert!(!page.contains(never), "{never} in {page}");
    }
    assert_eq!(page.matches("<h1>").count(), 1);
    for say in says {
        assert!(page.contains(say), "{say:?} is not in {page}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "<b onload=\"x\">'&\u{7}\u{202e}\r\n";
        let mut page = Page::default();
        page.heading(evil);
        page.paragraph(evil);
        page.warning(evil);
        page.table(&[(evil, evil)]);
        page.steps([evil]);
        page.items([evil]);
        page.ticks([evil]);
        page.signature(evil);
        let page = page.finish(evil);
        let shown = "&lt;b onload=&quot;x&quot;&gt;&#39;&amp;\u{fffd}\u{fffd}\n";
        assert!(!page.contains("<b "), "{page}");
        // Eight parts, the row counts twice, and the title stands twice.
        assert_eq!(page.matches(shown).count(), 11, "{page}");
        check_page(&page, &[shown]);
    }
}
