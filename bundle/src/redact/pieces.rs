//! A clean text that shares with the seen one what stayed the same: a log of which one line in ten changes is not in
//! memory twice.

use std::borrow::Cow;

/// A part that something else stands for.
#[derive(Debug)]
pub(super) struct Change {
    /// Its first byte.
    pub(super) start: usize,
    /// The byte behind it.
    pub(super) end: usize,
    /// What stands for it.
    pub(super) with: String,
}

/// A clean text in pieces. Only the door makes one.
#[derive(Debug)]
pub struct Pieces<'t> {
    text: Cow<'t, str>,
    /// In their order.
    changes: Vec<Change>,
}

impl<'t> Pieces<'t> {
    pub(super) fn new(text: Cow<'t, str>, changes: Vec<Change>) -> Self {
        Self { text, changes }
    }

    /// The pieces, which make the clean text one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let kept = |from: usize, to: usize| self.text.get(from..to).unwrap_or_default();
        let from = std::iter::once(0).chain(self.changes.iter().map(|change| change.end));
        let rest = kept(self.changes.last().map_or(0, |change| change.end), self.text.len());
        let changes = self.changes.iter().zip(from);
        changes
            .flat_map(move |(change, from)| [kept(from, change.start), change.with.as_str()])
            .chain(std::iter::once(rest))
    }

    /// The clean text as one.
    pub(super) fn whole(self) -> Cow<'t, str> {
        if self.changes.is_empty() {
            return self.text;
        }
        let mut whole = String::with_capacity(self.iter().map(str::len).sum());
        whole.extend(self.iter());
        Cow::Owned(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, changes: &[(usize, usize, &str)], expected: &str) {
        let change = |(start, end, with): &(usize, usize, &str)| Change {
            start: *start,
            end: *end,
            with: (*with).to_owned(),
        };
        let pieces = Pieces::new(Cow::Borrowed(text), changes.iter().map(change).collect());
        assert_eq!(pieces.iter().collect::<String>(), expected);
        assert_eq!(pieces.whole(), expected);
    }

    #[test]
    fn what_stays_stands_between_what_changed() {
        check("", &[], "");
        check("abc", &[], "abc");
        check("abc", &[(0, 1, "x"), (2, 3, "yz")], "xbyz");
        check("abc", &[(0, 3, "")], "");
        check("abc", &[(1, 2, "")], "ac");
    }
}
