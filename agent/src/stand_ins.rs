//! What the stand-ins in this device's bundles stand for: the owner's way back, on the device and nowhere else.
//!
//! The table stands beside what runs remember, on the data volume, readable by the administrator alone. It holds names,
//! paths and addresses that the device itself knows anyway; it never holds a secret, and it never leaves. Without a data
//! volume there is no table, and a stand-in stays one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::output;
use crate::trouble::NextStep;

/// Name of the table.
const FILE: &str = "stand-ins.json";
/// Most entries. A device has some hundred names; a log of addresses must not grow it for ever.
const MOST: usize = 50_000;

/// Stand-in to original.
pub(crate) type StandIns = BTreeMap<String, String>;

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The table in this folder; empty when there is none yet.
pub(crate) fn load(folder: &Path) -> anyhow::Result<StandIns> {
    let path = path(folder);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(StandIns::new()),
        other => other.or_advise(
            format!("cannot read {}", path.display()),
            "run as administrator (root): the table is its alone",
        )?,
    };
    serde_json::from_slice(&bytes).or_advise(
        format!("{} is damaged", path.display()),
        "remove it: what earlier bundles' stand-ins stand for is lost, new bundles begin a new table",
    )
}

/// Adds what one bundle's stand-ins stand for. New ones win the room: they are what is asked for.
pub(crate) fn keep(folder: &Path, new: StandIns) -> anyhow::Result<()> {
    // A table that cannot be read any more is begun anew; the bundle matters more.
    let old = load(folder).unwrap_or_default();
    if new.iter().all(|(with, what)| old.get(with) == Some(what)) {
        return Ok(());
    }
    let room = MOST.saturating_sub(new.len());
    let mut all: StandIns = old.into_iter().filter(|(with, _)| !new.contains_key(with)).take(room).collect();
    all.extend(new.into_iter().take(MOST));
    output::private_folder(folder)?;
    output::replace_private(&path(folder), &serde_json::to_vec(&all)?)
}

/// A text with every stand-in in it turned back; `None` when it holds none.
pub(crate) fn turned_back(table: &StandIns, text: &str) -> Option<String> {
    let mut turned = text.to_owned();
    // A stand-in inside a longer one is turned back after it.
    let mut found: Vec<(&String, &String)> = table.iter().filter(|(with, _)| text.contains(*with)).collect();
    found.sort_by_key(|(with, _)| std::cmp::Reverse(with.len()));
    for (with, what) in &found {
        turned = turned.replace(*with, what);
    }
    (turned != text).then_some(turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> StandIns {
        rows.iter().map(|(with, what)| ((*with).to_owned(), (*what).to_owned())).collect()
    }

    #[test]
    fn a_line_is_turned_back() {
        let table =
            table(&[("host-2a3b4c5d", "office"), ("240.0.0.1", "10.0.0.1"), ("240.0.0.12", "10.0.0.12")]);
        fn check(table: &StandIns, text: &str, expected: Option<&str>) {
            assert_eq!(turned_back(table, text).as_deref(), expected, "{text}");
        }
        check(&table, "from host-2a3b4c5d at 240.0.0.12", Some("from office at 10.0.0.12"));
        check(&table, "password=[redacted:password]", None);
    }

    #[test]
    fn what_is_kept_is_read_again_and_only_by_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("assay-stand-ins-{}", std::process::id()));
        assert!(load(&folder).expect("none yet").is_empty());
        keep(&folder, table(&[("a", "1")])).expect("kept");
        keep(&folder, table(&[("b", "2"), ("a", "3")])).expect("kept");
        assert_eq!(load(&folder).expect("read"), table(&[("a", "3"), ("b", "2")]));
        let mode = path(&folder).metadata().expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(path(&folder), "x").expect("damaged");
        assert!(load(&folder).is_err());
        keep(&folder, table(&[("c", "4")])).expect("begun anew");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
