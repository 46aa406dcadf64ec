//! Writing HTML and SVG: every element is opened and closed here, and every text passes the same gate.
//!
//! Names of elements and attributes are our own words by type (`&'static str`); whatever else is written is escaped,
//! invisible characters included. Refuses nothing and checks nothing: a string cannot become an element by any way.

use crate::text::escaped;

/// A document in the making.
#[derive(Debug, Default)]
pub(super) struct Markup {
    out: String,
    open: Vec<&'static str>,
}

/// Attributes: our own name, any value.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Markup {
    /// Opens an element.
    pub(super) fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.out.push('>');
        self.open.push(tag);
    }

    /// Closes the element that was opened last.
    pub(super) fn close(&mut self) {
        if let Some(tag) = self.open.pop() {
            self.end(tag);
        }
    }

    /// An element that holds a text and nothing else.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close();
    }

    /// An element without content that is closed at once: a shape of a drawing.
    pub(super) fn shape(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.out.push_str("/>");
    }

    /// An element that never has an end: `meta`.
    pub(super) fn void(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.out.push('>');
    }

    /// Text, whoever made it up.
    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.out);
    }

    /// A path as code, which may be broken behind its separators and nowhere else.
    pub(super) fn path(&mut self, path: &str) {
        self.open("code", &[]);
        for piece in path.split_inclusive(['/', '.', '_', '[', ']', '#']) {
            self.text(piece);
            if piece.ends_with(['/', '.', '_', '[', ']', '#']) {
                self.own("<wbr>");
            }
        }
        self.close();
    }

    /// Our own words, as they are.
    pub(super) fn own(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    /// The style sheet, which nothing of a device is in.
    pub(super) fn style(&mut self, sheet: &str) {
        self.out.push_str("<style>");
        self.out.push_str(sheet);
        self.out.push_str("</style>");
    }

    /// A line break in the file; it shows nowhere.
    pub(super) fn line(&mut self) {
        self.out.push('\n');
    }

    /// The whole, everything closed.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.line();
        self.out
    }

    fn start(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
    }

    fn end(&mut self, tag: &'static str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }
}

fn escape(text: &str, out: &mut String) {
    for c in escaped(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_element() {
        let mut page = Markup::default();
        page.open("p", &[("title", "\"><script>")]);
        page.text("a & <b> 'c'\u{202e}");
        page.shape("rect", &[("x", "1")]);
        page.path("a/<b>");
        assert_eq!(
            page.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">a &amp; &lt;b&gt; &#39;c&#39;\\u{202e}<rect x=\"1\"/><code>a/<wbr>&lt;b&gt;</code></p>\n"
        );
    }
}
