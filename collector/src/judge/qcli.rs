//! The table of `qcli_storage -d`, by its headings.

use super::{Begins, Format, Sign, never, qts};
use crate::command::QtsCommand;

pub(super) const FORMAT: Format = Format {
    name: "qcli_storage -d",
    sign: Sign::Holds(b'_'),
    begins: |lines| {
        let Some(line) = lines.first() else { return false };
        // Rows of attributes are full of this byte.
        let named = |(at, _): (usize, &str)| {
            let around = at.checked_sub(3).and_then(|from| line.get(from..at + 5));
            around.is_some_and(|around| around.eq_ignore_ascii_case("Sys_Name"))
        };
        if !line.match_indices('_').any(named) {
            return false;
        }
        let has = |name: &str| line.split_whitespace().any(|word| word.eq_ignore_ascii_case(name));
        has("Sys_Name") && has("Port")
    },
    place: Begins::Anywhere,
    is_json: never,
    read: |gathered, output| {
        gathered.qts.put(qts::place(QtsCommand::QcliDisks), output.text, output.place);
        Ok(())
    },
};
