//! Pages of QTS's management, saved from a browser or by a client: XML with the root `QDocRoot`. Pages that say nothing
//! of the hardware (login, volumes, bandwidth) are recognised and say so; what else stands in them is not read.

use assay_bundle::Observed;

use super::{Begins, Format, Gathered, Output, never};
use crate::management_cgi;

const ROOT: &str = "<QDocRoot";
const END: &str = "</QDocRoot>";
/// A declaration may stand before the root.
const MOST_BEFORE: usize = 200;

pub(super) const FORMAT: Format = Format {
    name: "QTS management page",
    begins: |lines| {
        lines.first().is_some_and(|line| {
            line.starts_with(ROOT)
                || (line.starts_with("<?xml") && line.find(ROOT).is_some_and(|at| at <= MOST_BEFORE))
        })
    },
    place: Begins::Anywhere,
    is_json: never,
    read,
};

fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    let end = output.text.find(END).map_or(output.text.len(), |at| at + END.len());
    let page = management_cgi::parse(output.text.get(..end).unwrap_or_default(), output.place)?;
    let report = &mut gathered.facts.management;
    if page.system.is_none() && page.health.is_none() && page.bays.is_none() {
        return Err(
            "this page says nothing of the hardware; paste those of the system and of the disks".to_owned()
        );
    }
    if let Some(system) = page.system {
        report.system = Observed::seen(system, output.place);
    }
    if let Some(health) = page.health {
        report.health = Observed::seen(health, output.place);
    }
    if let Some(bays) = page.bays {
        report.bays = Observed::seen(bays, output.place);
    }
    Ok(())
}
