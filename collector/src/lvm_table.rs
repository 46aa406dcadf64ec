//! What `lvs` and `pvs` print: for reports that a person pastes. The agent never runs them: they read the disks.
//!
//! A value belongs to the column whose heading it stands below, at least in part: LVM puts text flush with the heading's
//! left end and numbers with its right end, and leaves cells empty. `unknown device` in a column is a disk that is gone.
//! Without the line of headings nothing is read.

use assay_bundle::facts::lvm::{LogicalVolume, LvHealth, PhysicalVolume};

use crate::lines;

/// Logical volumes of a text, in order.
pub fn logical_volumes(text: &str) -> Vec<LogicalVolume> {
    rows(text, "LV").iter().filter_map(logical_volume).collect()
}

/// Physical volumes of a text, in order.
pub fn physical_volumes(text: &str) -> Vec<PhysicalVolume> {
    rows(text, "PV").iter().filter_map(physical_volume).collect()
}

/// The cells of a row by the heading of their column.
type Row<'a> = Vec<(&'a str, String)>;

/// The rows below a line of headings that begins with `first`, up to an empty line or other headings.
fn rows<'a>(text: &'a str, first: &str) -> Vec<Row<'a>> {
    let mut all = Vec::new();
    let mut headings: Option<Vec<(usize, &str)>> = None;
    for line in lines::whole(text).lines() {
        let found = words(line);
        match found.first() {
            None => headings = None,
            Some((_, word)) if matches!(*word, "LV" | "PV" | "VG") && found.len() > 2 => {
                headings = (*word == first).then_some(found);
            }
            Some(_) => {
                if let Some(headings) = &headings {
                    all.push(row(headings, &found));
                }
            }
        }
    }
    all
}

/// Whether this is the line of headings of one of the two tables.
pub(crate) fn is_heading(line: &str) -> bool {
    // Every line of every paste is asked.
    if !line.trim_start().starts_with(['L', 'P']) {
        return false;
    }
    let found = words(line.trim_end());
    let first = found.first().is_some_and(|(_, word)| matches!(*word, "LV" | "PV"));
    first && found.iter().any(|(_, word)| *word == "Attr")
}

fn row<'a>(headings: &[(usize, &'a str)], found: &[(usize, &str)]) -> Row<'a> {
    let mut row: Row<'a> = Vec::new();
    for (start, word) in found {
        let below = |(at, heading): &&(usize, &str)| *start < at + heading.len() && *at < start + word.len();
        let Some((_, heading)) = headings.iter().find(below) else { continue };
        match row.iter_mut().find(|(known, _)| known == heading) {
            Some((_, cell)) => {
                cell.push(' ');
                cell.push_str(word);
            }
            None => row.push((*heading, (*word).to_owned())),
        }
    }
    row
}

/// Words with the number of the byte that they start at.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in line.split([' ', '\t']) {
        if !word.is_empty() {
            found.push((at, word));
        }
        at += word.len() + 1;
    }
    found
}

fn cell<'r>(row: &'r Row<'_>, heading: &str) -> Option<&'r str> {
    row.iter().find(|(known, _)| *known == heading).map(|(_, cell)| cell.as_str())
}

fn logical_volume(row: &Row<'_>) -> Option<LogicalVolume> {
    let attributes = cell(row, "Attr")?;
    // Six signs in releases before 2.02.99, ten since.
    let signs: Vec<char> = attributes.chars().collect();
    if !matches!(signs.len(), 6..=10) {
        return None;
    }
    Some(LogicalVolume {
        name: cell(row, "LV")?.trim_matches(['[', ']']).to_owned(),
        group: cell(row, "VG")?.to_owned(),
        attributes: attributes.to_owned(),
        read_only: matches!(signs.get(1), Some('r' | 'R')),
        health: signs.get(8).map(|sign| health(*sign)),
        data_hundredths_of_percent: cell(row, "Data%").and_then(percent),
        metadata_hundredths_of_percent: cell(row, "Meta%").and_then(percent),
    })
}

/// The ninth sign, by `lvs(8)`.
fn health(sign: char) -> LvHealth {
    match sign {
        '-' => LvHealth::Fine,
        'p' => LvHealth::Partial,
        'r' => LvHealth::RefreshNeeded,
        'm' => LvHealth::Mismatches,
        'F' => LvHealth::Failed,
        'D' => LvHealth::OutOfDataSpace,
        'M' => LvHealth::MetadataReadOnly,
        _ => LvHealth::Other,
    }
}

fn physical_volume(row: &Row<'_>) -> Option<PhysicalVolume> {
    let name = cell(row, "PV")?;
    let attributes = cell(row, "Attr")?;
    let known = name.strip_prefix("/dev/");
    // `unknown device` in old releases, `[unknown]` in new ones.
    if known.is_none() && !name.contains("unknown") {
        return None;
    }
    Some(PhysicalVolume {
        device: known.map(str::to_owned),
        group: cell(row, "VG").filter(|group| !group.starts_with("lvm")).map(str::to_owned),
        missing: known.is_none() || attributes.chars().nth(2) == Some('m'),
        attributes: attributes.to_owned(),
    })
}

/// `12.34` as 1234.
fn percent(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.')?;
    let fraction = fraction.get(..2).filter(|_| fraction.len() == 2)?;
    let digits =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let hundredths = digits(whole)?.checked_mul(100)?.checked_add(digits(fraction)?)?;
    (hundredths <= 10_000).then_some(hundredths)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const LVS: &str = "  LV            VG   Attr       LSize   Pool Origin Data%  Meta%  Move Log Cpy%Sync Convert\n\
        \x20 lv1           vg1  Vwi-aotz--   5.00t tp1         81.25                                   \n\
        \x20 lv2           vg2  -ri-a-----  10.00g                                                    \n\
        \x20 [lvol0]       vg1  ewi-------  64.00m                                                    \n\
        \x20 tp1           vg1  twi-aotzM-   6.00t             100.00 12.50                           \n\
        \x20 lv3           vg3  -wi-----p-   1.00t                                                    \n";
    const PVS: &str = "  PV             VG   Fmt  Attr PSize PFree\n\
        \x20 /dev/drbd1     vg1  lvm2 a--  7.26t    0 \n  unknown device vg3  lvm2 a-m  1.00t    0 \n\
        \x20 [unknown]      vg4  lvm2 a-m  1.00t    0 \n  /dev/md5            lvm2 ---  1.00t 1.00t\n";

    #[test]
    fn logical() {
        let line = |lv: &LogicalVolume| {
            format!(
                "{}/{} {} {:?} {:?} {:?}",
                lv.group,
                lv.name,
                if lv.read_only { "ro" } else { "rw" },
                lv.health.unwrap_or_default(),
                lv.data_hundredths_of_percent,
                lv.metadata_hundredths_of_percent
            )
        };
        let found: Vec<_> = logical_volumes(LVS).iter().map(line).collect();
        assert_eq!(
            found,
            [
                "vg1/lv1 rw Fine Some(8125) None",
                "vg2/lv2 ro Fine None None",
                "vg1/lvol0 rw Fine None None",
                "vg1/tp1 rw MetadataReadOnly Some(10000) Some(1250)",
                "vg3/lv3 rw Partial None None",
            ]
        );
        assert!(
            logical_volumes(PVS).is_empty() && logical_volumes("  lv1 vg1 Vwi-aotz-- 5.00t\n").is_empty()
        );
    }

    #[test]
    fn physical() {
        let line = |pv: &PhysicalVolume| (pv.device.clone(), pv.group.clone(), pv.missing);
        let found: Vec<_> = physical_volumes(PVS).iter().map(line).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (some("drbd1"), some("vg1"), false),
                (None, some("vg3"), true),
                (None, some("vg4"), true),
                (some("md5"), None, false),
            ]
        );
        assert!(physical_volumes(LVS).is_empty());
    }

    #[test]
    fn percents() {
        for (text, expected) in [
            ("0.00", Some(0)),
            ("100.00", Some(10_000)),
            ("100.01", None),
            ("1", None),
            ("-1.00", None),
            ("1.5", None),
        ] {
            assert_eq!(percent(text), expected, "{text}");
        }
    }

    #[test]
    fn a_cut_or_damaged_text_says_nothing_else() {
        let parse = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            (logical_volumes(&text), physical_volumes(&text))
        };
        for whole in [LVS, PVS] {
            hostile::cut(whole.as_bytes(), parse);
            hostile::mutate(whole.as_bytes(), 1000, parse, |(volumes, _)| {
                for volume in volumes {
                    assert!(volume.data_hundredths_of_percent.is_none_or(|share| share <= 10_000));
                }
            });
        }
    }
}
