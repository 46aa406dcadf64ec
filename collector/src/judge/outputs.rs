//! A pasted text, cut into outputs.
//!
//! An output begins where a format says so, at a JSON document, or below a prompt, and goes on to the next one. Every
//! line is looked at once and each JSON document is parsed once, so that the time grows with the text and not with its
//! square; what could not be cut within the limits below is left as one stretch that nobody claims.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Begins, FORMATS, Format, Glance, Sign, prompt, qts};

/// Lines that a format may look at to know its beginning.
const LOOK_AHEAD: usize = 3;
/// Most outputs of one file; what is below stays with the last one, unclaimed.
const MOST_OUTPUTS: usize = 2000;
/// Most bytes of the documents of one file that are kept as trees: a larger one is read once more when its turn comes,
/// because trees are many times as large as their texts.
const MOST_KEPT_BYTES: usize = 1024 * 1024;
/// Most lines that look like the beginning of a JSON document and are none.
const MOST_FALSE_DOCUMENTS: usize = 64;

/// A run of lines of one format, or of none.
pub(super) struct Stretch<'a> {
    pub(super) format: Option<&'static Format>,
    pub(super) text: &'a str,
    pub(super) first_line: usize,
    pub(super) lines: usize,
    /// The command at the prompt before it.
    pub(super) typed: &'a str,
    /// Its JSON, where it is one document and nothing else.
    pub(super) document: Option<Value>,
}

/// A byte, and the number of its line.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    line: usize,
}

/// Where a stretch begins.
struct Start<'a> {
    format: Option<&'static Format>,
    /// The byte and the line of its first line.
    at: usize,
    line: usize,
    typed: &'a str,
    /// Where the one before it ends: a prompt between the two belongs to neither.
    before: Place,
    /// The JSON document that it is, and the byte behind it.
    document: Option<(Value, usize)>,
}

/// Cuts a text into outputs. Stretches of blank lines that belong to nothing are left out, and so are prompts.
pub(super) fn stretches(text: &str) -> Vec<Stretch<'_>> {
    let mut cutter = Cutter { text, at: 0, line: 1, found: Vec::new(), open: None, blank: true, kept: 0 };
    cutter.run();
    let found = cutter.found;
    let last = Place { at: text.len(), line: cutter.line };
    let ends: Vec<Place> = found.iter().skip(1).map(|next| next.before).chain([last]).collect();
    let cut = found.into_iter().zip(ends).filter_map(|(start, end)| {
        let lines = end.line.saturating_sub(start.line);
        let end = end.at.max(start.at);
        let alone = |behind: usize| text.get(behind..end).is_some_and(|rest| rest.trim().is_empty());
        Some(Stretch {
            format: start.format,
            text: text.get(start.at..end)?,
            first_line: start.line,
            lines,
            typed: start.typed,
            document: start.document.and_then(|(value, behind)| alone(behind).then_some(value)),
        })
    });
    cut.filter(|stretch| stretch.format.is_some() || !stretch.text.trim().is_empty()).collect()
}

struct Cutter<'a> {
    text: &'a str,
    /// The byte and the number of the line that is looked at.
    at: usize,
    line: usize,
    found: Vec<Start<'a>>,
    /// The output that goes on; `None` in front of the first and below a JSON document.
    open: Option<Option<&'static Format>>,
    /// Whether the line before was blank.
    blank: bool,
    /// Bytes of the documents that are kept.
    kept: usize,
}

impl<'a> Cutter<'a> {
    fn run(&mut self) {
        let mut lines = self.text.split_inclusive('\n');
        let mut ahead: VecDeque<&'a str> = lines.by_ref().take(LOOK_AHEAD).collect();
        let mut false_documents = 0;
        while let Some(line) = ahead.front().copied() {
            let mut consumed = 1;
            let glance = Glance::at(line);
            if self.found.len() < MOST_OUTPUTS {
                let brace = glance.shows(Sign::First(b"{")) && line.trim_start().starts_with('{');
                if brace && false_documents < MOST_FALSE_DOCUMENTS {
                    match document(self.text.get(self.at..).unwrap_or_default()) {
                        Some((value, bytes, lines)) => {
                            self.document(value, bytes);
                            consumed = lines;
                        }
                        None => {
                            false_documents += 1;
                            self.plain(line, glance, ahead.make_contiguous());
                        }
                    }
                } else {
                    self.plain(line, glance, ahead.make_contiguous());
                }
            } else if self.found.len() == MOST_OUTPUTS {
                self.begin(None, "");
            }
            self.blank = glance.is_blank(line);
            for _ in 0..consumed {
                let Some(line) = ahead.pop_front() else { break };
                self.at += line.len();
                self.line += 1;
                ahead.extend(lines.next());
            }
        }
    }

    fn begin(&mut self, format: Option<&'static Format>, typed: &'a str) {
        let before = Place { at: self.at, line: self.line };
        self.found.push(Start { format, at: self.at, line: self.line, typed, before, document: None });
        self.open = Some(format);
    }

    /// The command of a prompt that stands directly above.
    fn typed(&self) -> &'a str {
        self.found.last().filter(|last| last.at == self.at).map_or("", |last| last.typed)
    }

    fn document(&mut self, value: Value, bytes: usize) {
        let format = FORMATS.iter().copied().find(|format| (format.is_json)(&value));
        // Rows of one export stand in a document each; only the first format below says so.
        let goes_on = format.is_some_and(|format| format.place == Begins::AmongOthers)
            && self.found.last().and_then(|last| last.format).map(|last| last.name)
                == format.map(|format| format.name);
        if !goes_on {
            self.begin(format, self.typed());
        }
        self.kept += bytes;
        let (behind, keep) = (self.at + bytes, !goes_on && self.kept <= MOST_KEPT_BYTES);
        if let Some(last) = self.found.last_mut() {
            // Of several in one stretch none is the whole of it.
            last.document = keep.then_some((value, behind));
        }
        self.open = None;
    }

    fn plain(&mut self, line: &'a str, glance: Glance, ahead: &[&'a str]) {
        let tag = glance.shows(Sign::First(b"<"));
        if tag && prompt::is_prolog(line) {
            // It belongs to the document below it.
            self.begin(None, "");
            self.skip(line, "");
            return;
        }
        let unclaimed = self.found.last().is_some_and(|last| last.format.is_none() && last.at == self.at);
        if unclaimed && tag && prompt::is_comment(line) {
            // Between the prolog and its document.
            self.skip(line, self.typed());
            return;
        }
        if prompt::may_be(glance)
            && let Some(typed) = prompt::typed(line)
        {
            self.begin(qts::is_known(typed).then_some(&qts::FORMAT), typed);
            self.skip(line, typed);
            return;
        }
        if glance.is_blank(line) {
            return;
        }
        // What a known command printed is that command's, whatever else it looks like.
        let below = |last: &Start<'_>| last.at == self.at && last.format.is_some() && !last.typed.is_empty();
        if self.found.last().is_some_and(below) {
            return;
        }
        let current = self.open.flatten();
        let apart = current.is_none() || self.blank;
        let fits = |format: &&'static Format| {
            let own = current.is_some_and(|current| current.name == format.name);
            let may = match format.place {
                Begins::Anywhere => true,
                Begins::AmongOthers => !own,
                Begins::Apart => !own && apart,
            };
            may && (format.begins)(ahead)
        };
        let mut left = glance.formats();
        let signed = std::iter::from_fn(|| {
            let format = FORMATS.get(usize::try_from(left.trailing_zeros()).ok()?).copied()?;
            left &= left - 1;
            Some(format)
        });
        match { signed }.find(fits) {
            Some(format) => self.begin(Some(format), self.typed()),
            None if self.open.is_none() => self.begin(None, ""),
            None => {}
        }
    }

    /// The stretch that was just begun has its first line below this one.
    fn skip(&mut self, line: &str, typed: &'a str) {
        if let Some(last) = self.found.last_mut() {
            last.at += line.len();
            last.line += 1;
            last.typed = typed;
        }
    }
}

/// The JSON object that a text begins with, when nothing else stands in its last line, its bytes and its lines.
fn document(text: &str) -> Option<(Value, usize, usize)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = stream.next()?.ok()?;
    let (document, rest) = text.split_at_checked(stream.byte_offset())?;
    let rest = rest.split('\n').next().unwrap_or_default();
    rest.trim().is_empty().then(|| (value, document.len(), document.matches('\n').count() + 1))
}
