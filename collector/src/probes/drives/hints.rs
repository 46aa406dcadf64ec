//! Two further sources that tell a bay, for firmware whose `/etc/enclosure_N.conf` is missing or stale.
//!
//! `qcli_storage -d` prints a table whose columns change between releases and wrap in none that is known: the device
//! node is found by its shape, the port beside it by the header, or as the number next to it. QuTS hero names its
//! nodes `/dev/qzfs/enc_<enclosure>/disk_0x<port>_<WWN>_<partition>`. Neither knows a serial number. What asks for a
//! login, or prints nothing that names a disk, is said to.

use assay_bundle::Observed;

use crate::command::{Command, DeviceNode, QtsCommand};
use crate::door::{Door, Missing};
use crate::source::Request;

const QZFS: &str = "/dev/qzfs";
/// What `qcli_storage` calls the NAS itself.
const NAS: &str = "NAS_HOST";

/// A bay by another source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct Hint {
    /// Enclosure; `None` where the source gives a name that is not the NAS's own.
    pub(super) enclosure: Option<u32>,
    pub(super) bay: u32,
    /// Device node without `/dev/`.
    pub(super) device: Option<String>,
    pub(super) wwn: Option<String>,
    /// Where it stands below `raw/`.
    pub(super) place: String,
}

/// The nodes of QuTS hero.
pub(super) async fn qzfs(door: &Door<'_>) -> Vec<Hint> {
    let mut all: Vec<Hint> = Vec::new();
    for folder in door.names(QZFS).await.unwrap_or_default() {
        let Some(enclosure) = folder.strip_prefix("enc_").and_then(|number| number.parse().ok()) else {
            continue;
        };
        let request = Request::list(format!("{QZFS}/{folder}"));
        let Ok(fetched) = door.ask(&request).await else { continue };
        for name in fetched.names() {
            let hint = node(&name, enclosure, &fetched.place);
            all.extend(hint.filter(|hint| !all.contains(hint)));
        }
    }
    all
}

/// `disk_0x4_5000C500E6B4AE7B_3`.
fn node(name: &str, enclosure: u32, place: &str) -> Option<Hint> {
    let (port, rest) = name.strip_prefix("disk_0x")?.split_once('_')?;
    let (wwn, partition) = rest.rsplit_once('_')?;
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let plain = hex(wwn) && partition.bytes().all(|b| b.is_ascii_digit());
    Some(Hint {
        enclosure: Some(enclosure),
        bay: u32::from_str_radix(port, 16).ok().filter(|_| plain && hex(port))?,
        device: None,
        wwn: Some(wwn.to_owned()),
        place: place.to_owned(),
    })
}

/// The table of `qcli_storage -d`, where it is installed.
pub(super) async fn qcli(door: &Door<'_>) -> Vec<Hint> {
    let request = Request::Run(Command::Qts(QtsCommand::QcliDisks));
    match door.ask_if_installed(&request).await {
        Ok(fetched) => {
            let rows = table(&fetched.text(), &fetched.place);
            if rows.is_empty() {
                door.note(&format!("{}: no line of it names a disk and its port", fetched.place));
            }
            rows
        }
        Err(Missing::NotThere | Missing::Failed(_) | Missing::NoTool(_)) => Vec::new(),
    }
}

fn table(text: &str, place: &str) -> Vec<Hint> {
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let mut distance = None;
    let mut rows = Vec::new();
    for line in whole.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let column = |name: &str| words.iter().position(|word| word.eq_ignore_ascii_case(name));
        if let (Some(port), Some(device)) = (column("Port"), column("Sys_Name")) {
            distance = Some((port, device));
        } else if let Some(hint) = row(&words, distance, place) {
            rows.push(hint);
        }
    }
    rows
}

/// One line with a device node. Up to the node every column is one word, so the header's distance holds; without a
/// header the nearest number before the node counts.
fn row(words: &[&str], header: Option<(usize, usize)>, place: &str) -> Option<Hint> {
    let at = words.iter().position(|word| word.starts_with("/dev/"))?;
    let device = DeviceNode::parse(words.get(at)?)?;
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok()).filter(|port| *port > 0);
    let by_header = header.and_then(|(port, name)| number((at + port).checked_sub(name)?));
    let nearest =
        || words.get(..at)?.iter().rev().find_map(|word| word.parse().ok().filter(|port| *port > 0));
    Some(Hint {
        enclosure: words.contains(&NAS).then_some(0),
        bay: if header.is_some() { by_header } else { nearest() }?,
        device: Some(device.name().to_owned()),
        wwn: None,
        place: place.to_owned(),
    })
}

/// The same for every source that was asked: seen, or why not.
pub(super) fn bay(hint: &Hint, enclosure: u32) -> Observed<(u32, u32)> {
    Observed::seen((enclosure, hint.bay), &*hint.place)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::hostile;

    const TABLE: &str = "Enclosure  Port  Sys_Name      Type        Size       Alias              Model\nNAS_HOST   1     /dev/sdc      SSD:cache   931.51 GB  3.5\" SATA SSD 1    Example SSD 1000\nNAS_HOST   2     /dev/sdd      HDD:data    10.91 TB   3.5\" SATA HDD 2    Example HD12\nNAS_HOST   3     --            --          --         3.5\" SATA HDD 3    --\nREXP-410   2     /dev/sdk      HDD:free    3.64 TB    REXP HDD 2         Example HD4\n";

    fn check(text: &str, expected: &[(Option<u32>, u32, &str)]) {
        let rows = table(text, "x");
        let short: Vec<_> = rows
            .iter()
            .map(|row| (row.enclosure, row.bay, row.device.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(short, expected, "{text}");
    }

    #[test]
    fn the_table_is_read_by_its_header_or_its_content() {
        check(TABLE, &[(Some(0), 1, "sdc"), (Some(0), 2, "sdd"), (None, 2, "sdk")]);
        check("NAS_HOST 3 /dev/sda HDD:data 10.91 TB 3.5\" SATA HDD 3 Example\n", &[(Some(0), 3, "sda")]);
        check("Port Enclosure Sys_Name\n7 NAS_HOST /dev/nvme0n1 SSD 1 TB\n", &[(Some(0), 7, "nvme0n1")]);
        check("Sys_Name Port Type\n/dev/sda 4 HDD\n", &[(None, 4, "sda")]);
        check("Enclosure Port Sys_Name\nNAS_HOST - /dev/sda\n", &[]);
        check("Enclosure Port Sys_Name\nNAS_HOST 1 /dev/sda", &[]);
        check("NAS_HOST 1 /dev/mapper/cachedev1\n", &[]);
        check("Please use qcli -l login first!\n", &[]);
        check("", &[]);
    }

    #[test]
    fn a_node_of_hero_tells_bay_and_wwn() {
        fn check(name: &str, expected: Option<(u32, &str)>) {
            let hint = node(name, 0, "x");
            assert_eq!(
                hint.as_ref().map(|hint| (hint.bay, hint.wwn.as_deref().unwrap())),
                expected,
                "{name}"
            );
        }
        check("disk_0x4_5000C500A0B1C2D3_3", Some((4, "5000C500A0B1C2D3")));
        check("disk_0x1a_eui_3", None);
        check("disk_0x1A_5000C500A0B1C2D3_1", Some((26, "5000C500A0B1C2D3")));
        for other in
            ["disk_0x_5000_3", "disk_4_5000_3", "disk_0x4_5000", "disk_0x4__3", "disk_0x+4_5000_3", "by-id"]
        {
            check(other, None);
        }
    }

    #[test]
    fn damage_is_survived() {
        let parse = |bytes: &[u8]| table(&String::from_utf8_lossy(bytes), "x");
        hostile::cut(TABLE.as_bytes(), parse);
        hostile::mutate(TABLE.as_bytes(), 1000, parse, |rows| {
            assert!(rows.iter().all(|row| row.bay > 0));
        });
    }
}
