//! What a hardware fault looks like in the kernel log: the table of signatures.
//!
//! A signature is a name (an open string that rules refer to), a pattern and what it is about. The literals are those
//! of the Linux sources from 4.2 to 6.12; where the wording changed, a name has a row for each. The first row that
//! matches a line wins; the benign lines stand first, because they are what naive matchers stumble over. Patterns say
//! what was printed, never what it means: no row knows a severity. Groups with other names than `subject` and `count`
//! are details of the event (`command`, `bank`, `sector`).

mod benign;
mod cpu_mem_pcie;
mod gate;
mod md_fs;
mod nvme;
mod sata_scsi;
mod usb_nic_misc;

use std::sync::{LazyLock, OnceLock};

use regex::bytes::{Captures, Regex, RegexBuilder};

use self::gate::Gate;

/// How the device that a line is about is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The group `subject`, with this put before it; nothing when the group took no part.
    Group(&'static str),
    /// The group `subject` in lower case: EDAC writes `MC0` for what sysfs calls `mc0`.
    Lower,
    /// `ataN` anywhere in the line, or that of the line before it (one event spans several lines).
    Ata,
    /// `[sdX]` in the line, else the SCSI address.
    Scsi,
    /// Nothing in particular.
    Machine,
}

/// What a line joins with: lines of one block about one subject are one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Block {
    /// One failed command, or several that failed at once, on an ATA port.
    Ata,
    /// Consecutive `[Hardware Error]:` lines, whatever processor they name.
    HardwareError,
    /// One report of one device on the PCIe bus.
    Pcie,
}

/// One row of the table.
pub(crate) struct Signature {
    /// The name under which an event is reported.
    pub(crate) name: &'static str,
    pub(crate) about: About,
    pub(crate) block: Option<Block>,
    pattern: &'static str,
}

const fn row(name: &'static str, about: About, pattern: &'static str) -> Signature {
    Signature { name, about, block: None, pattern }
}

const fn joined(block: Block, name: &'static str, about: About, pattern: &'static str) -> Signature {
    Signature { name, about, block: Some(block), pattern }
}

/// The families in order; the first matching row wins, so a row's place is its rank.
const FAMILIES: [&[Signature]; 6] =
    [benign::ROWS, sata_scsi::ROWS, nvme::ROWS, md_fs::ROWS, cpu_mem_pcie::ROWS, usb_nic_misc::ROWS];

fn rows() -> impl Iterator<Item = &'static Signature> {
    FAMILIES.into_iter().flatten()
}

/// Most bytes of one detail.
const MOST_DETAIL_BYTES: usize = 64;

/// The table ready for use. Compiled once; a pattern that does not compile is our bug, and a test finds it.
pub(crate) struct Matcher {
    gate: Gate,
    ata: Regex,
    scsi: Regex,
    compiled: Vec<OnceLock<Option<Regex>>>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Known, and no fault.
    Benign,
    /// Something that a row names.
    Event(Match),
}

/// What a row found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) name: &'static str,
    /// The row's place in the table: the lower, the more it tells.
    pub(crate) rank: usize,
    /// The device in the line itself.
    pub(crate) subject: Option<String>,
    /// The line belongs to an ATA port that a line before it may name.
    pub(crate) wants_ata: bool,
    pub(crate) block: Option<Block>,
    /// Events that the line itself counts.
    pub(crate) count: u64,
    /// Details as `name value`, such as `command READ FPDMA QUEUED`.
    pub(crate) details: Vec<String>,
}

static MATCHER: LazyLock<Result<Matcher, String>> = LazyLock::new(|| {
    Matcher::compile().map_err(|error| format!("a kernel log signature is malformed: {error}"))
});

/// A pattern without Unicode tables: the kernel writes ASCII, and the tables would cost more than the rest.
fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).build()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Matcher {
    /// The one matcher.
    ///
    /// # Errors
    /// A malformed pattern in the table, in words.
    pub(crate) fn get() -> Result<&'static Self, &'static str> {
        MATCHER.as_ref().map_err(String::as_str)
    }

    fn compile() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            gate: Gate::new(rows().map(|row| row.pattern))?,
            ata: regex(r"\b(ata\d+)(?:\.\d+)?: ")?,
            scsi: regex(r"\[(sd[a-z]+)\]|\bsd (\d+:\d+:\d+:\d+):")?,
            compiled: rows().map(|_| OnceLock::new()).collect(),
        })
    }

    /// The ATA port that a line names.
    pub(crate) fn ata_port(&self, line: &str) -> Option<String> {
        // Most lines are about something else, and looking for three letters is cheaper.
        let line = Some(line).filter(|line| line.contains("ata"))?;
        self.ata.captures(line.as_bytes())?.get(1).map(|found| text(found.as_bytes()))
    }

    fn scsi_device(&self, line: &str) -> Option<String> {
        let group = |number| self.scsi.captures_iter(line.as_bytes()).find_map(|groups| groups.get(number));
        group(1).or_else(|| group(2)).map(|found| text(found.as_bytes()))
    }

    /// A row's pattern, compiled when it is first needed.
    fn pattern(&self, rank: usize) -> Option<&Regex> {
        let row = rows().nth(rank)?;
        self.compiled.get(rank)?.get_or_init(|| regex(row.pattern).ok()).as_ref()
    }

    /// What the first row that matches a line makes of it. Of a line that is not `whole`, a name or detail that
    /// reaches its end may be cut short, so such a match says nothing.
    pub(crate) fn line(&self, line: &str, whole: bool) -> Option<Said> {
        let mut candidates = self.gate.candidates(line).into_iter();
        let (rank, pattern, groups) = candidates.find_map(|rank| {
            let pattern = self.pattern(rank)?;
            Some((rank, pattern, pattern.captures(line.as_bytes())?))
        })?;
        let row = rows().nth(rank)?;
        if rank < benign::ROWS.len() {
            return Some(Said::Benign);
        }
        let mut named = pattern.capture_names().flatten().filter_map(|name| groups.name(name));
        if !whole && named.any(|group| group.end() == line.len()) {
            return None;
        }
        let group = |name| groups.name(name).map(|group| text(group.as_bytes()));
        let subject = match row.about {
            About::Ata => self.ata_port(line),
            About::Scsi => self.scsi_device(line),
            About::Machine => None,
            About::Group(prefix) => group("subject").map(|subject| format!("{prefix}{subject}")),
            About::Lower => group("subject").map(|subject| subject.to_ascii_lowercase()),
        };
        Some(Said::Event(Match {
            name: row.name,
            rank,
            subject,
            wants_ata: row.about == About::Ata,
            block: row.block,
            count: group("count").and_then(|count| count.parse().ok()).unwrap_or(1),
            details: details(pattern, &groups),
        }))
    }
}

fn details(pattern: &Regex, groups: &Captures<'_>) -> Vec<String> {
    let named = pattern.capture_names().flatten().filter(|name| !matches!(*name, "subject" | "count"));
    named
        .filter_map(|name| Some((name, groups.name(name)?.as_bytes())))
        .filter(|(_, value)| value.len() <= MOST_DETAIL_BYTES)
        .map(|(name, value)| format!("{name} {}", text(value)))
        .collect()
}

#[cfg(test)]
mod testing {
    //! One table per family: lines and what they say.

    use std::sync::LazyLock;

    use regex::bytes::Regex;

    use super::{About, Matcher, Said, Signature, benign, regex, rows};

    /// Every row without the gate before it.
    static PATTERNS: LazyLock<Vec<Regex>> =
        LazyLock::new(|| rows().filter_map(|row| regex(row.pattern).ok()).collect());

    /// Checks that the gate hides no row that matches.
    fn check_gate(line: &str, said: Option<&Said>) {
        let first = PATTERNS.iter().position(|pattern| pattern.is_match(line.as_bytes()));
        match said {
            Some(Said::Event(found)) => assert_eq!(Some(found.rank), first, "{line}"),
            Some(Said::Benign) => assert!(first.is_some_and(|rank| rank < benign::ROWS.len()), "{line}"),
            None => assert_eq!(first, None, "{line}"),
        }
    }

    /// A line, and the name, subject and count of what it says; `None` for nothing.
    pub(super) type Line = (&'static str, Option<(&'static str, Option<&'static str>, u64)>);

    pub(super) fn some(line: &'static str, name: &'static str, subject: &'static str) -> Line {
        (line, Some((name, Some(subject), 1)))
    }

    pub(super) fn none(line: &'static str) -> Line {
        (line, None)
    }

    /// Checks every line, and that every row has a line that it alone explains.
    #[allow(clippy::expect_used)]
    pub(super) fn check_family(rows: &[Signature], lines: &[Line]) {
        let matcher = Matcher::get().expect("every pattern compiles");
        for (line, expected) in lines {
            let said = matcher.line(line, true);
            check_gate(line, said.as_ref());
            let found = match &said {
                Some(Said::Event(found)) => Some((found.name, found.subject.as_deref(), found.count)),
                Some(Said::Benign) | None => None,
            };
            assert_eq!(found, *expected, "{line}");
        }
        for row in rows {
            let pattern = regex(row.pattern).expect(row.name);
            let named = pattern.capture_names().flatten().any(|name| name == "subject");
            assert_eq!(matches!(row.about, About::Group(_) | About::Lower), named, "{}", row.name);
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", row.name);
            let shown = lines.iter().any(|(line, expected)| {
                let same = row.name == "benign" || expected.is_some_and(|(name, _, _)| name == row.name);
                same && pattern.is_match(line.as_bytes())
            });
            assert!(shown, "{}: no line shows {}", row.name, row.pattern);
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn details_are_named() {
        fn check(line: &str, expected: &[&str]) {
            let said = Matcher::get().expect("every pattern compiles").line(line, true);
            let Some(Said::Event(found)) = said else { return assert!(expected.is_empty(), "{line}") };
            assert_eq!(found.details, expected, "{line}");
        }
        check("ata3.00: failed command: READ FPDMA QUEUED", &["command READ FPDMA QUEUED"]);
        check("ata3.00: error: { ICRC ABRT }", &["error ICRC ABRT"]);
        check("critical medium error, dev sdc, sector 128 op 0x0:(READ)", &["sector 128"]);
        check(
            "mce: [Hardware Error]: CPU 1: Machine Check: 0 Bank 8: 9c00000000010091",
            &["bank 8", "status 9c00000000010091"],
        );
        check(
            "EDAC MC0: 1 CE memory read error on DIMM_A1 (channel:0 slot:0 page:0x1 offset:0x0 grain:32)",
            &["module DIMM_A1"],
        );
        check("mce: CPU0 supports MCE banks", &[]);
    }

    #[test]
    fn a_benign_line_is_known() {
        let matcher = Matcher::get().expect("every pattern compiles");
        assert_eq!(matcher.line("ata1: DUMMY", true), Some(Said::Benign));
        assert_eq!(matcher.line("hello", true), None);
    }
}
