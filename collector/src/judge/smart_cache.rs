//! The file in which QTS keeps a drive's SMART values (`/tmp/smart/smart_E_P.info`): a line of numbers, then one line an
//! attribute. It names no drive; its bay stands in its name, as typed or of the pasted file.

use assay_bundle::facts::drive::Drive;

use super::{Begins, Format, Gathered, Output, Sign, add, never};
use crate::probes::drives;

/// Numbers in the first line, at least.
const HEADER_FIELDS: usize = 9;
/// Commas in the line of an attribute, at least.
const ROW_COMMAS: usize = 6;

pub(super) const FORMAT: Format = Format {
    name: "QTS SMART cache",
    sign: Sign::Holds(b','),
    begins,
    place: Begins::Apart,
    is_json: never,
    read,
};

fn begins(lines: &[&str]) -> bool {
    let [header, row, ..] = lines else { return false };
    let number = |field: &str| {
        let field = field.trim();
        let digits = field.strip_prefix("0x").unwrap_or(field.trim_start_matches('-'));
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let is_header = header.split(',').count() >= HEADER_FIELDS && header.split(',').all(number);
    let id = row.split(',').next().unwrap_or_default();
    is_header && row.matches(',').count() >= ROW_COMMAS && id.parse::<u8>().is_ok()
}

fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    let names = [output.typed, output.file].into_iter().filter_map(|name| name.rsplit(['/', ' ']).next());
    let mut named = names.filter(|name| drives::is_cache(name));
    match named.next() {
        Some(name) => gathered.qts.put(format!("tmp/smart/{name}"), output.text, output.place),
        None => {
            let drive = drives::cached(output.text.as_bytes(), output.place);
            if let Some(why) = drive.qts_cache.why_not() {
                return Err(why);
            }
            let drive = Drive { device: output.place.to_owned(), ..drive };
            add(&mut gathered.facts.drives, vec![drive], output.place);
        }
    }
    Ok(())
}
