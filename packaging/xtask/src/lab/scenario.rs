//! What a scenario's folder says, and the list of them: every folder of `tests/lab/` with a `scenario.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::sh;

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its folder's name.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What `scenario.toml` says.
    pub(crate) about: About,
}

/// `scenario.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    /// What is wrong with the machine, in one sentence.
    pub(crate) about: String,
    /// The component that the fault is in, as a finding names it; `none` when nothing is wrong.
    pub(crate) component: String,
    /// Whether it belongs to the ordinary test run.
    #[serde(default)]
    pub(crate) short: bool,
    /// Seconds after which the machine is taken to hang.
    #[serde(default = "limit_s")]
    pub(crate) limit_s: u64,
    /// Memory of the guest.
    #[serde(default = "memory_mib")]
    pub(crate) memory_mib: u32,
    /// Kernel modules besides those that every guest loads.
    #[serde(default)]
    pub(crate) modules: Vec<String>,
    /// Words for the kernel's command line.
    #[serde(default)]
    pub(crate) kernel: String,
    /// Hardware clock at power-on, `YYYY-MM-DDThh:mm:ss`; the host's without one.
    pub(crate) clock: Option<String>,
    /// Further arguments of QEMU, for hardware that has no word here.
    #[serde(default)]
    pub(crate) qemu: Vec<String>,
    /// Whether the guest has QTS's commands and files.
    #[serde(default = "yes")]
    pub(crate) qts: bool,
    /// Answers of QTS's commands that differ from a healthy unit's: command line to output.
    #[serde(default)]
    pub(crate) commands: BTreeMap<String, String>,
    /// Drives.
    #[serde(default)]
    pub(crate) drive: Vec<Drive>,
    /// One entry for each time that the machine is switched on.
    #[serde(default = "one_boot")]
    pub(crate) boot: Vec<Boot>,
    /// What must be found.
    pub(crate) expect: Vec<Expect>,
}

/// A drive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drive {
    /// Its name in QEMU and in `boot.without`.
    pub(crate) name: String,
    /// What it hangs on.
    pub(crate) bus: Bus,
    /// Port on that bus, from 1; bay N of the unit is SATA port N.
    #[serde(default)]
    pub(crate) port: u32,
    /// Serial number.
    pub(crate) serial: String,
    /// Size.
    #[serde(default = "size_mib")]
    pub(crate) size_mib: u64,
    /// Sectors that cannot be read, through QEMU's blkdebug.
    #[serde(default)]
    pub(crate) unreadable_sectors: Vec<u64>,
    /// Every write fails, through blkdebug.
    #[serde(default)]
    pub(crate) fails_writes: bool,
    /// More properties of the QEMU device.
    #[serde(default)]
    pub(crate) properties: String,
}

/// What a drive hangs on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bus {
    /// The board's AHCI controller.
    Sata,
    /// A second AHCI controller behind a PCIe port that can be pulled.
    SataCard,
    /// An NVMe drive behind a PCIe port that can be pulled.
    Nvme,
    /// The USB module that QTS starts from.
    UsbDom,
}

/// One time that the machine is switched on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Boot {
    /// Drives that are not there this time.
    #[serde(default)]
    pub(crate) without: Vec<String>,
    /// Drives that are at another port this time.
    #[serde(default)]
    pub(crate) ports: BTreeMap<String, u32>,
}

/// What one run of the agent must have found. The guest script names its runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// The run's name in the guest script.
    pub(crate) run: String,
    /// The overall verdict, where only one is right.
    pub(crate) overall: Option<String>,
    /// Findings that must be there.
    #[serde(default)]
    pub(crate) finding: Vec<Wanted>,
    /// Codes that must not be there.
    #[serde(default)]
    pub(crate) absent: Vec<String>,
    /// Codes that may be there besides; any other is wrong.
    #[serde(default)]
    pub(crate) may: Vec<String>,
    /// Whether any finding may say `confirmed`.
    #[serde(default = "yes")]
    pub(crate) may_confirm: bool,
    /// Texts that the report must hold.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// Exit code of the run, where it is not a verdict's.
    pub(crate) exit: Option<i32>,
}

/// A finding that must be there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Its code; one of several with `|` between.
    pub(crate) code: String,
    /// The least that it must say: `watch`, `suspected` or `confirmed`.
    pub(crate) at_least: String,
    /// The most that it may say.
    pub(crate) at_most: Option<String>,
    /// What its first suspect must name: a serial number or a part of its location.
    pub(crate) names: Option<String>,
}

fn limit_s() -> u64 {
    90
}

fn memory_mib() -> u32 {
    384
}

fn size_mib() -> u64 {
    64
}

fn yes() -> bool {
    true
}

fn one_boot() -> Vec<Boot> {
    vec![Boot::default()]
}

/// The folder of the scenarios.
pub(crate) fn folder() -> PathBuf {
    sh::root().join("tests/lab")
}

/// Every scenario, by name.
pub(crate) fn all() -> Result<Vec<Scenario>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).context("tests/lab")? {
        let folder = entry.context("tests/lab")?.path();
        let file = folder.join("scenario.toml");
        if !file.is_file() {
            continue;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("tests/lab/{name}/scenario.toml"))?;
        let about: About =
            toml::from_str(&text).with_context(|| format!("tests/lab/{name}/scenario.toml"))?;
        if about.expect.is_empty() || about.boot.is_empty() {
            bail!("tests/lab/{name}/scenario.toml expects nothing, or never switches the machine on");
        }
        if !folder.join("guest.sh").is_file() {
            bail!("tests/lab/{name} has no guest.sh");
        }
        found.push(Scenario { name, folder, about });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
