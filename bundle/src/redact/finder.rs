//! Words that the caller knows, found in a line by one automaton: the longest of those that begin at one place.
//!
//! The automaton is named here and not chosen by its library, which would bring all kinds that there are.

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Input, Match, MatchKind, StartKind};

/// Words in any case; of two that begin at one place the earlier in the list counts.
pub(super) struct Finder(DFA);

impl Finder {
    /// For these words, of which the caller gives the longest first.
    pub(super) fn new<'w>(words: impl Iterator<Item = &'w str>) -> Option<Self> {
        DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostFirst)
            .start_kind(StartKind::Unanchored)
            .build(words)
            .map(Self)
            .ok()
    }

    /// Where the words stand.
    pub(super) fn all<'f>(&'f self, line: &'f str) -> impl Iterator<Item = Match> + 'f {
        // Refused is only a search from a fixed place, which this is not.
        self.0.try_find_iter(Input::new(line)).into_iter().flatten()
    }
}
