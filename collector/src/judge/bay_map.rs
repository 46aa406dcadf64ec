//! QTS's map of bays (`/etc/enclosure_N.conf`, and `_del.conf` of drives that left), by its sections. Which enclosure it
//! is about stands in the file's name only: the name that was typed or the name of the pasted file counts, else it is
//! taken for the unit's own.

use super::{Begins, Format, Sign, never};

pub(super) const FORMAT: Format = Format {
    name: "map of bays",
    sign: Sign::First(b"["),
    begins: |lines| match lines {
        [first, second, ..] if first.starts_with("[Index]") => second.starts_with("pd_"),
        [first, ..] => first.starts_with("[PhysicalDisk_"),
        [] => false,
    },
    place: Begins::AmongOthers,
    is_json: never,
    read: |gathered, output| {
        let name = [output.typed, output.file]
            .into_iter()
            .filter_map(|name| name.rsplit(['/', ' ']).next())
            .find(|name| crate::enclosure_conf::file_of(name).is_some())
            .unwrap_or("enclosure_0.conf");
        gathered.qts.put(format!("etc/{name}"), output.text, output.place);
        Ok(())
    },
};
