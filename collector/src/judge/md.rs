//! Arrays: `/proc/mdstat`, `mdadm --detail` and `mdadm --query`. One array in two outputs is one array: what the later
//! one does not say is known from the earlier one.

use assay_bundle::Observed;
use assay_bundle::facts::md::MdArray;

use super::{Begins, Format, Gathered, Output, Sign, add, never, some};
use crate::{mdadm, mdstat};

pub(super) const MDSTAT: Format = Format {
    name: "mdstat",
    sign: Sign::First(b"P"),
    begins: |lines| lines.first().is_some_and(|line| line.starts_with("Personalities :")),
    place: Begins::Anywhere,
    is_json: never,
    read: |gathered, output| {
        // A kernel without arrays prints the heading alone.
        join(gathered, mdstat::parse(output.text, output.place), output);
        Ok(())
    },
};

pub(super) const MDADM: Format = Format {
    name: "mdadm",
    sign: Sign::First(b"/"),
    begins: |lines| lines.first().is_some_and(|line| mdadm::begins(line)),
    place: Begins::AmongOthers,
    is_json: never,
    read: |gathered, output| {
        let arrays = some(mdadm::parse(output.text, output.place), "it describes no array")?;
        join(gathered, arrays, output);
        Ok(())
    },
};

fn join(gathered: &mut Gathered, arrays: Vec<MdArray>, output: &Output<'_>) {
    let list = &mut gathered.facts.md_arrays;
    for array in arrays {
        let known = match list {
            Observed::Seen { value, .. } => {
                value.iter().position(|known| known.name == array.name).map(|at| value.remove(at))
            }
            _ => None,
        };
        let array = known.map_or_else(|| array.clone(), |known| filled(array.clone(), known));
        add(list, vec![array], output.place);
    }
    add(list, Vec::new(), output.place);
}

fn filled(best: MdArray, other: MdArray) -> MdArray {
    MdArray {
        name: best.name,
        level: best.level.or(|| other.level),
        role: best.role.or(|| other.role),
        state: best.state.or(|| other.state),
        metadata_version: best.metadata_version.or(|| other.metadata_version),
        size_bytes: best.size_bytes.or(|| other.size_bytes),
        raid_disks: best.raid_disks.or(|| other.raid_disks),
        raid_disks_before: best.raid_disks_before.or(|| other.raid_disks_before),
        missing: best.missing.or(|| other.missing),
        members: best.members.or(|| other.members),
        sync_action: best.sync_action.or(|| other.sync_action),
        sync_hundredths_of_percent: best.sync_hundredths_of_percent.or(|| other.sync_hundredths_of_percent),
        sync_waits: best.sync_waits.or(|| other.sync_waits),
        last_sync_action: best.last_sync_action.or(|| other.last_sync_action),
        mismatch_sectors: best.mismatch_sectors.or(|| other.mismatch_sectors),
    }
}
