//! `zpool status`, as text or as the JSON of `-j`.

use super::{Begins, Format, Sign, add, some};
use crate::zpool;

pub(super) const FORMAT: Format = Format {
    name: "zpool status",
    sign: Sign::First(b"p"),
    begins: |lines| lines.first().is_some_and(|line| zpool::begins(line)),
    place: Begins::Anywhere,
    is_json: |document| {
        let command = document.pointer("/output_version/command").and_then(|command| command.as_str());
        command == Some("zpool status")
    },
    read: |gathered, output| {
        let pools = some(zpool::parse(output.text, output.place), "it describes no pool")?;
        add(&mut gathered.facts.zfs_pools, pools, output.place);
        Ok(())
    },
};
