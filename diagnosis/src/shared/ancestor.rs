//! The smallest thing that several drives hang on, from their paths in sysfs and their enclosures.

use std::collections::BTreeSet;

use assay_bundle::facts::drive::{Drive, Protocol};

use super::marks::Map;

/// What drives share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ancestor {
    /// One SATA port with several drives behind it.
    PortMultiplier(String),
    /// A SAS expander.
    Expander(String),
    /// A controller that other drives of the machine do not hang on.
    Controller(String),
    /// A PCI bridge or switch above several controllers or NVMe drives.
    Bridge(String),
    /// An enclosure, by the vendor's number.
    Enclosure(u32),
    /// Everything: all drives hang on the same controller, so that it is no more suspect than power and backplane.
    Unit,
    /// Nothing but power: they hang on different controllers.
    Power,
    /// Not known: paths were not read.
    Unknown,
}

impl Ancestor {
    /// What these drives share. `nameless`: some members have no drive behind them whose path could be read.
    pub(super) fn of(map: &Map<'_>, drives: &[&Drive], nameless: bool) -> Self {
        let outside = enclosure_of(drives).filter(|_| !nameless);
        let paths: Vec<Option<&[String]>> = drives.iter().map(|d| map.path(d)).collect();
        let unread = nameless || paths.is_empty() || paths.iter().any(Option::is_none);
        if unread {
            return outside.map_or(Self::Unknown, Self::Enclosure);
        }
        let paths: Vec<&[String]> = paths.into_iter().flatten().collect();
        let common = common(&paths);
        // A host is its PCI function's child and says nothing that the function does not.
        let last = common.iter().rev().find(|node| !node.starts_with("host"));
        let kind = match last {
            None => return outside.map_or(Self::Power, Self::Enclosure),
            Some(node) if node.starts_with("ata") => Self::PortMultiplier(node.clone()),
            Some(node) if node.starts_with("expander-") => Self::Expander(node.clone()),
            Some(node) if !is_pci(node) => return outside.map_or(Self::Unknown, Self::Enclosure),
            Some(node) => {
                let nvme = drives.iter().all(|d| d.protocol.value() == Some(&Protocol::Nvme));
                let own = paths.iter().all(|p| p.iter().rfind(|n| is_pci(n)) == Some(node));
                if own && !nvme { Self::Controller(node.clone()) } else { Self::Bridge(node.clone()) }
            }
        };
        match kind {
            Self::PortMultiplier(_) | Self::Expander(_) => kind,
            // An enclosure is smaller than the controller that it hangs on.
            _ if outside.is_some() => outside.map_or(kind, Self::Enclosure),
            _ if last.is_some_and(|node| everything(map, node)) => Self::Unit,
            _ => kind,
        }
    }

    /// What gives these drives their power.
    pub(super) fn of_power(drives: &[&Drive]) -> Self {
        enclosure_of(drives).map_or(Self::Power, Self::Enclosure)
    }

    /// It in words.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::PortMultiplier(port) => format!("the port multiplier on {port}"),
            Self::Expander(name) => format!("the SAS expander {name}"),
            Self::Controller(function) => format!("the controller {function}"),
            Self::Bridge(function) => format!("the PCI bridge {function}"),
            Self::Enclosure(number) => format!("enclosure {number}"),
            Self::Unit => "the power, the backplane and the one controller of the unit".to_owned(),
            Self::Power => "the power of the unit and nothing else that is known".to_owned(),
            Self::Unknown => "something that was not read (power, backplane, controller)".to_owned(),
        }
    }
}

/// The one enclosure outside of the machine that holds all these drives.
fn enclosure_of(drives: &[&Drive]) -> Option<u32> {
    let numbers: BTreeSet<u32> = drives.iter().map(|d| d.enclosure.value().copied().unwrap_or(0)).collect();
    numbers.first().copied().filter(|number| *number > 0 && numbers.len() == 1)
}

/// Whether every drive whose path is known hangs on this node.
fn everything(map: &Map<'_>, node: &str) -> bool {
    map.drives().iter().filter_map(|d| map.path(d)).all(|path| path.iter().any(|n| n == node))
}

fn common<'p>(paths: &[&'p [String]]) -> &'p [String] {
    let Some((first, rest)) = paths.split_first() else { return &[] };
    let shared = |path: &&[String]| first.iter().zip(path.iter()).take_while(|(a, b)| a == b).count();
    let length = rest.iter().map(shared).min().unwrap_or(first.len());
    first.get(..length).unwrap_or_default()
}

/// `0000:00:17.0`.
fn is_pci(node: &str) -> bool {
    node.split(':').count() == 3 && node.contains('.')
}
