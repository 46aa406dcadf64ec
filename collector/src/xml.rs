//! A reader for the flat XML of QTS's management pages: elements, text, CDATA, entities. No attributes, no namespaces,
//! no document types; nothing is fetched and nothing expands.
//!
//! Pages of old firmware have elements that are never closed and text beside elements; both are tolerated. A page
//! whose root is not closed was cut and is refused as a whole.

/// Most elements of one page; a full 30-bay answer has a tenth.
const MOST_ELEMENTS: usize = 20_000;
/// Most elements inside each other; real pages have six.
const MOST_DEPTH: usize = 32;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// The text directly in it, without blanks around it.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first element of that name, anywhere below, in document order.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }

    /// The text of the first element of that name that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|found| found.text.as_str()).filter(|text| !text.is_empty())
    }

    /// Every element of that name below, in document order.
    pub(crate) fn all<'e>(&'e self, name: &str) -> Vec<&'e Self> {
        let mut found = Vec::new();
        self.collect(name, &mut found);
        found
    }

    fn collect<'e>(&'e self, name: &str, found: &mut Vec<&'e Self>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.collect(name, found);
        }
    }
}

/// The root element.
///
/// # Errors
/// In words, when the text is no whole page.
pub(crate) fn parse(text: &str) -> Result<Element, &'static str> {
    let mut open: Vec<Element> = Vec::new();
    let mut rest = text;
    let mut count = 0;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        if let Some(element) = open.last_mut() {
            add(element, &unescaped(before));
        }
        if let Some(data) = tag.strip_prefix("<![CDATA[") {
            let (content, after) = data.split_once("]]>").ok_or(CUT)?;
            if let Some(element) = open.last_mut() {
                add(element, content);
            }
            rest = after;
        } else if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.split_once("-->").ok_or(CUT)?.1;
        } else {
            let (inside, after) = tag.get(1..).and_then(|tag| tag.split_once('>')).ok_or(CUT)?;
            rest = after;
            if inside.starts_with(['?', '!']) {
                continue;
            }
            if let Some(name) = inside.strip_prefix('/') {
                if let Some(root) = close(&mut open, name.trim()) {
                    return Ok(root);
                }
                continue;
            }
            count += 1;
            if count > MOST_ELEMENTS || open.len() >= MOST_DEPTH {
                return Err("the page has more elements than any page of QTS");
            }
            let (name, empty) = inside.strip_suffix('/').map_or((inside, false), |name| (name, true));
            let name = name.split_whitespace().next().unwrap_or_default().to_owned();
            open.push(Element { name: name.clone(), ..Element::default() });
            if empty && let Some(root) = close(&mut open, &name) {
                return Ok(root);
            }
        }
    }
    Err(CUT)
}

const CUT: &str = "the page is cut, or no page of QTS";

/// Closes the innermost element of that name and everything unclosed in it; the root when it was that.
fn close(open: &mut Vec<Element>, name: &str) -> Option<Element> {
    let at = open.iter().rposition(|element| element.name == name)?;
    while open.len() > at {
        let mut done = open.pop()?;
        done.text = done.text.trim().to_owned();
        match open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => return Some(done),
        }
    }
    None
}

fn add(element: &mut Element, text: &str) {
    if !text.trim().is_empty() || !element.text.is_empty() {
        element.text.push_str(text);
    }
}

/// The five entities of XML and numbered characters; anything else stays as it is.
fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        out.push_str(before);
        let found = entity.get(1..).and_then(|entity| entity.split_once(';')).and_then(|(name, after)| {
            let number = match name.strip_prefix("#x") {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
                None => name.strip_prefix('#').and_then(|number| number.parse().ok()),
            };
            let c = match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => number.and_then(char::from_u32),
            };
            c.map(|c| (c, after))
        });
        match found {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push('&');
                rest = entity.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// Text as XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!-- c -->\n<QDocRoot version=\"1.0\">\n\
        <a><![CDATA[1 < 2]]></a><b>x &amp; y &#65;&#x42; &odd; &</b>\n<c><d>1</d><d/><br>2</c>\n</QDocRoot>\n";

    #[test]
    fn elements_text_and_data() {
        let root = parse(PAGE).expect("a page");
        assert_eq!(root.name, "QDocRoot");
        assert_eq!(root.text("a"), Some("1 < 2"));
        assert_eq!(root.text("b"), Some("x & y AB &odd; &"));
        assert_eq!(root.all("d").iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), ["1", ""]);
        assert_eq!(root.text("br"), Some("2"));
        assert_eq!(root.text("e"), None);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        fn check(text: &str) {
            assert!(parse(text).is_err(), "{text:.40}");
        }
        check("");
        check("no page");
        check("<a><b></b>");
        check("<a");
        check("<a><![CDATA[x");
        check("</a>");
        check(&"<a>".repeat(40));
        check(&format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS + 1)));
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_page() {
        let read = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes)).ok();
        let whole = PAGE.trim_end().len();
        for end in 0..whole {
            assert_eq!(read(&PAGE.as_bytes()[..end]), None, "{end}");
        }
        hostile::mutate(PAGE.as_bytes(), 1000, read, |_| ());
    }
}
