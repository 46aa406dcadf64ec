//! The table of `qcli_storage -d`, by its headings.

use super::{Begins, Format, never, qts};
use crate::command::QtsCommand;

pub(super) const FORMAT: Format = Format {
    name: "qcli_storage -d",
    begins: |lines| {
        let Some(line) = lines.first() else { return false };
        let has = |name: &str| line.split_whitespace().any(|word| word.eq_ignore_ascii_case(name));
        has("Port") && has("Sys_Name")
    },
    place: Begins::Anywhere,
    is_json: never,
    read: |gathered, output| {
        gathered.qts.put(qts::place(QtsCommand::QcliDisks), output.text, output.place);
        Ok(())
    },
};
