//! What smartctl printed, text or JSON, of any version. One output is one drive.

use assay_bundle::Observed;
use assay_bundle::facts::drive::Drive;
use serde_json::Value;

use super::{Begins, Format, Gathered, Output, Sign, add};
use crate::smartctl::{self, Answer};

pub(super) const FORMAT: Format =
    Format { name: "smartctl", sign: Sign::First(b"s"), begins, place: Begins::Anywhere, is_json, read };

/// `smartctl 7.2 2020-12-30 r5155 [x86_64-linux-5.10] (local build)`, or `smartctl version 5.38 [x86_64…]`.
fn begins(lines: &[&str]) -> bool {
    let rest = lines.first().and_then(|line| line.strip_prefix("smartctl "));
    let version =
        rest.map(|rest| rest.strip_prefix("version ").or(rest.strip_prefix("pre-")).unwrap_or(rest));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn is_json(document: &Value) -> bool {
    document.get("smartctl").is_some_and(Value::is_object)
}

fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    let parsed = match output.document {
        Some(document) => smartctl::of_json(document, output.place),
        None => smartctl::parse(output.text.as_bytes(), output.place),
    };
    let why = match parsed.answer {
        Answer::Answered | Answer::Asleep(_) => None,
        Answer::NoSmart(why) | Answer::Unreadable(why) => Some(why),
    };
    let mut drive = parsed.drive;
    let is_someone = drive.serial.is_seen() || drive.model.is_seen() || !drive.device.is_empty();
    match why {
        Some(why) if !is_someone => return Err(why),
        _ => {}
    }
    if drive.device.is_empty() {
        drive.device = output.place.to_owned();
    }
    if let Observed::Seen { value: known, .. } = &mut gathered.facts.drives {
        known.retain(|other| !is_same(other, &drive));
    }
    add(&mut gathered.facts.drives, vec![drive], output.place);
    Ok(())
}

/// The same drive pasted twice: the later output counts.
fn is_same(a: &Drive, b: &Drive) -> bool {
    a.serial.is_seen() && a.serial.value() == b.serial.value() && a.model.value() == b.model.value()
}
