//! The table of `qcli_storage -d`, by its headings.

use super::{Begins, Format, never, qts};
use crate::command::QtsCommand;

pub(super) const FORMAT: Format = Format {
    name: "qcli_storage -d",
    begins: |lines| {
        let Some(line) = lines.first() else { return false };
        // Every line of every paste is asked, and few have the line's rarest sign.
        let has = |name: &str| line.split_whitespace().any(|word| word.eq_ignore_ascii_case(name));
        line.as_bytes().contains(&b'_') && has("Sys_Name") && has("Port")
    },
    place: Begins::Anywhere,
    is_json: never,
    read: |gathered, output| {
        gathered.qts.put(qts::place(QtsCommand::QcliDisks), output.text, output.place);
        Ok(())
    },
};
