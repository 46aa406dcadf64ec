//! Evidence as it is shown: readings of one thing stand together, and say once where they come from.
//!
//! Refuses to drop anything: what is joined keeps the path of each fact, its value and its place.

use assay_bundle::diagnosis::Evidence;

/// Readings of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The thing, as a path in the facts: `drives[sda]`.
    pub(super) thing: String,
    /// Its readings, in the order in which the rule gave them.
    pub(super) readings: Vec<Reading>,
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Path below the thing; empty when the thing itself was read.
    pub(super) field: String,
    /// Value in words.
    pub(super) value: String,
    /// Place below `raw/`; empty when it is the absence of a reading.
    pub(super) place: String,
}

impl Group {
    /// Path of the fact.
    pub(super) fn path(&self, reading: &Reading) -> String {
        match reading.field.is_empty() {
            true => self.thing.clone(),
            false => format!("{}.{}", self.thing, reading.field),
        }
    }

    /// Where the readings stand, each place once; files of one folder as `folder/{a,b}`, which a shell reads as well.
    pub(super) fn places(&self) -> Vec<String> {
        let mut folders: Vec<(&str, Vec<&str>)> = Vec::new();
        for reading in self.readings.iter().filter(|r| !r.place.is_empty()) {
            let (folder, file) = reading.place.rsplit_once('/').unwrap_or(("", &reading.place));
            match folders.iter_mut().find(|(known, _)| *known == folder) {
                Some((_, files)) if files.contains(&file) => {}
                Some((_, files)) => files.push(file),
                None => folders.push((folder, vec![file])),
            }
        }
        folders
            .into_iter()
            .map(|(folder, files)| {
                let below = if folder.is_empty() { "raw".to_owned() } else { format!("raw/{folder}") };
                match files.as_slice() {
                    [file] => format!("{below}/{file}"),
                    files => format!("{below}/{{{}}}", files.join(",")),
                }
            })
            .collect()
    }
}

/// Readings in a row about one thing as one group.
pub(super) fn grouped(evidence: &[Evidence]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for one in evidence {
        let (thing, field) = split(&one.fact);
        let reading = Reading { field: field.to_owned(), value: one.value.clone(), place: one.from.clone() };
        match groups.last_mut().filter(|group| group.thing == thing) {
            Some(group) => group.readings.push(reading),
            None => groups.push(Group { thing: thing.to_owned(), readings: vec![reading] }),
        }
    }
    groups
}

/// A path behind the thing that it names in brackets, which have dots of their own; without one at its last dot.
fn split(path: &str) -> (&str, &str) {
    let mut depth = 0_u32;
    let mut last = None;
    for (at, c) in path.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => {
                last = Some(at);
                if path.get(..at).is_some_and(|thing| thing.ends_with(']')) {
                    break;
                }
            }
            _ => {}
        }
    }
    match last.and_then(|at| Some((path.get(..at)?, path.get(at + 1..)?))) {
        Some(parts) => parts,
        None => (path, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::told;

    fn check(evidence: &[(&str, &str)], expected: &[(&str, &[&str], &[&str])]) {
        let evidence: Vec<Evidence> = evidence.iter().map(|(fact, from)| told(*fact, "1", from)).collect();
        let groups = grouped(&evidence);
        let got: Vec<(String, Vec<String>, Vec<String>)> = groups
            .iter()
            .map(|g| (g.thing.clone(), g.readings.iter().map(|r| r.field.clone()).collect(), g.places()))
            .collect();
        let owned = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
        let expected: Vec<_> =
            expected.iter().map(|(t, f, p)| ((*t).to_owned(), owned(f), owned(p))).collect();
        assert_eq!(got, expected);
        let paths = groups.iter().flat_map(|g| g.readings.iter().map(|r| g.path(r)));
        assert_eq!(paths.collect::<Vec<_>>(), evidence.iter().map(|e| e.fact.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn one_thing_is_named_once_and_no_place_is_lost() {
        check(
            &[
                ("drives[sda].model", "cmd/a/stdout"),
                ("drives[sda].ata_attributes[5 x.y]", "cmd/a/stdout"),
                ("drives[sda].scsi.asc", "cmd/a/stdout"),
                ("kernel_log.events", "dev/kmsg#L58"),
                ("fans[a/b.c].speed_rpm", "sys/x/fan1_input"),
                ("fans[a/b.c].pwm", "sys/x/pwm1"),
                ("fans", ""),
                ("fans[a/b.c].alarm", "other"),
            ],
            &[
                ("drives[sda]", &["model", "ata_attributes[5 x.y]", "scsi.asc"], &["raw/cmd/a/stdout"]),
                ("kernel_log", &["events"], &["raw/dev/kmsg#L58"]),
                ("fans[a/b.c]", &["speed_rpm", "pwm"], &["raw/sys/x/{fan1_input,pwm1}"]),
                ("fans", &[""], &[]),
                ("fans[a/b.c]", &["alarm"], &["raw/other"]),
            ],
        );
    }
}
