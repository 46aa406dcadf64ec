//! Who the machine says it is.
//!
//! QTS: `/etc/platform.conf` (`[MISC] DISPLAY_NAME`; that the file exists is what makes it QTS), `/etc/hal.conf`
//! (`[Enclosure_0]` serial and model), and ZFS among `/proc/filesystems` for QuTS hero. PCs: `/sys/class/dmi/id`.
//! ARM boards: the device tree. All: os-release and the kernel's own names. QTS keeps more in `uLinux.conf`, which
//! also holds secrets and is therefore not read at all. Board makers leave fillers where a name should be
//! ("To Be Filled By O.E.M."); those are Absent, not values.

use assay_bundle::Observed;
use assay_bundle::facts::identity::{Identity, Platform};

use super::Found;
use crate::door::Door;
use crate::ini;
use crate::source::Request;

const PLATFORM_CONF: &str = "/etc/platform.conf";
const HAL_CONF: &str = "/etc/hal.conf";
const BOOT_CONF: &str = "/etc/default_config/BOOT.conf";
const FILESYSTEMS: &str = "/proc/filesystems";
const DMI: &str = "/sys/class/dmi/id";
const DEVICE_TREE: &str = "/proc/device-tree";
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
const KERNEL: &str = "/proc/sys/kernel/osrelease";
const ARCHITECTURE: &str = "/proc/sys/kernel/arch";
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// What board makers leave in place of a value, in lower case. Seen in DMI tables of retail boards.
const FILLERS: [&str; 20] = [
    "to be filled by o.e.m.",
    "to be filled by oem",
    "default string",
    "none",
    "n/a",
    "unknown",
    "oem",
    "o.e.m.",
    "invalid",
    "not specified",
    "not applicable",
    "not available",
    "system manufacturer",
    "system product name",
    "system serial number",
    "base board serial number",
    "0123456789",
    "123456789",
    "1234567890",
    "q---",
];

/// Reads every source; each reading keeps the place of the one that had it.
pub(crate) async fn collect(door: &Door<'_>) -> (Identity, Found) {
    let platform_conf = door.text(PLATFORM_CONF).await;
    let boot_conf = door.text(BOOT_CONF).await;
    let hal_conf = door.text(HAL_CONF).await;
    let platform = platform(&platform_conf, &boot_conf, &door.text(FILESYSTEMS).await);
    let dmi = async |name: &str| named(door.text(&format!("{DMI}/{name}")).await);
    let tree = async |name: &str| named(door.text(&format!("{DEVICE_TREE}/{name}")).await);
    let conf = |text: &Observed<String>, section, key| {
        named(inside(text.clone(), |text| ini::value(text, section, key)))
    };

    let qnap = match &platform {
        Observed::Seen { value: Platform::Qts | Platform::QutsHero, from } => {
            Observed::seen("QNAP".to_owned(), &**from)
        }
        _ => Observed::NotCollected,
    };
    let (sys_vendor, product_name, product_serial) =
        (dmi("sys_vendor").await, dmi("product_name").await, dmi("product_serial").await);
    let (tree_model, tree_serial) = (tree("model").await, tree("serial-number").await);
    let mut release = Observed::Absent;
    for path in OS_RELEASE {
        let next = inside(door.text(path).await, pretty_name);
        release = release.or(|| next);
    }
    let identity = Identity {
        vendor: qnap.or(|| conf(&hal_conf, "Enclosure_0", "vendor")).or(|| sys_vendor),
        model: conf(&platform_conf, "MISC", "DISPLAY_NAME")
            .or(|| conf(&hal_conf, "Enclosure_0", "model"))
            .or(|| product_name)
            .or(|| tree_model),
        // QTS keeps it in `uLinux.conf` only; other systems have none.
        internal_model: match platform.value() {
            Some(Platform::Qts | Platform::QutsHero) => Observed::NotCollected,
            _ => Observed::Absent,
        },
        serial: conf(&hal_conf, "Enclosure_0", "serial").or(|| product_serial).or(|| tree_serial),
        board_serial: dmi("board_serial").await,
        board: dmi("board_name").await,
        bios_version: dmi("bios_version").await,
        bios_date: dmi("bios_date").await,
        firmware: match platform.value() {
            // QTS names its version in `uLinux.conf` and may have no os-release.
            Some(Platform::Qts | Platform::QutsHero) if release.is_absent() => Observed::NotCollected,
            _ => release,
        },
        kernel: door.text(KERNEL).await,
        architecture: architecture(door).await,
        hostname: door.text(HOSTNAME).await,
        platform,
    };
    let found =
        Found::any([Found::of(&identity.kernel), Found::of(&identity.model), Found::of(&identity.platform)]);
    (identity, found)
}

/// `/proc/sys/kernel/arch` exists since Linux 6.1; before, the host sample carries what `uname` says.
async fn architecture(door: &Door<'_>) -> Observed<String> {
    let by_kernel = door.text(ARCHITECTURE).await;
    if by_kernel.is_seen() {
        return by_kernel;
    }
    match door.ask(&Request::HostSample).await {
        Ok(fetched) => by_kernel.or(|| sampled_architecture(&fetched.bytes, &fetched.place)),
        Err(missing) => by_kernel.or(|| missing.observed()),
    }
}

fn sampled_architecture(bytes: &[u8], place: &str) -> Observed<String> {
    let sample: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    match sample.get("architecture").and_then(serde_json::Value::as_str) {
        Some(name) if !name.is_empty() => Observed::seen(name.to_owned(), place),
        // A sample of a source that did not ask for it.
        _ => Observed::NotCollected,
    }
}

fn platform(
    conf: &Observed<String>,
    boot: &Observed<String>,
    filesystems: &Observed<String>,
) -> Observed<Platform> {
    let qts = match (conf, boot) {
        (Observed::Seen { from, .. }, _) => from,
        (_, Observed::Seen { value, from }) if value.contains("TS-NAS") => from,
        (Observed::Unreadable { why }, _) => return Observed::unreadable(why),
        _ => {
            // No file of QTS: another Linux. The kernel's own list of file systems is where that was looked up.
            return filesystems.as_ref().map(|_| Platform::Linux);
        }
    };
    let hero = filesystems
        .value()
        .is_some_and(|list| list.lines().any(|line| line.split_whitespace().last() == Some("zfs")));
    Observed::seen(if hero { Platform::QutsHero } else { Platform::Qts }, &**qts)
}

/// Part of a text that was read; Absent when it has none.
fn inside(text: Observed<String>, part: impl FnOnce(&str) -> Option<String>) -> Observed<String> {
    match text {
        Observed::Seen { value, from } => {
            part(&value).map_or(Observed::Absent, |value| Observed::Seen { value, from })
        }
        other => other,
    }
}

/// A name that is no filler.
fn named(reading: Observed<String>) -> Observed<String> {
    match reading {
        Observed::Seen { value, .. } if is_filler(&value) => Observed::Absent,
        other => other,
    }
}

fn is_filler(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    FILLERS.contains(&value.as_str()) || value.bytes().all(|b| matches!(b, b'0' | b'.' | b'-' | b' ' | b'x'))
}

/// `PRETTY_NAME="…"`, or name and version where a small system leaves it out.
fn pretty_name(text: &str) -> Option<String> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    value("PRETTY_NAME").or_else(|| match (value("NAME"), value("VERSION_ID")) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (name, _) => name,
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::door::testing::run;

    fn identity(files: &[(&str, &str)]) -> Identity {
        run(files, async |door| collect(door).await.0)
    }

    fn check(reading: &Observed<String>, expected: Option<(&str, &str)>) {
        let found = reading.value().map(|value| (value.as_str(), reading.place().unwrap_or_default()));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_qnap_names_itself_in_its_own_files() {
        let found = identity(&[
            ("etc/platform.conf", "Platform = X86_GEMINILAKE\n[MISC]\nDISPLAY_NAME = TS-453D\n"),
            (
                "etc/hal.conf",
                "[Enclosure_0]\nserial = Q2040000000\nmodel = TS-453D\n[Enclosure_1]\nserial = no\n",
            ),
            ("sys/class/dmi/id/product_name", "Default string\n"),
            ("sys/class/dmi/id/product_serial", "0000000000\n"),
            ("proc/filesystems", "nodev\tsysfs\n\text4\n"),
        ]);
        assert_eq!(found.platform, Observed::seen(Platform::Qts, "etc/platform.conf"));
        check(&found.vendor, Some(("QNAP", "etc/platform.conf")));
        check(&found.model, Some(("TS-453D", "etc/platform.conf")));
        assert_eq!(found.internal_model, Observed::NotCollected);
        check(&found.serial, Some(("Q2040000000", "etc/hal.conf")));
    }

    #[test]
    fn zfs_makes_it_hero_only_on_a_qnap() {
        let zfs = ("proc/filesystems", "nodev\tsysfs\n\tzfs\n");
        assert_eq!(identity(&[zfs]).platform.value(), Some(&Platform::Linux));
        let hero = identity(&[zfs, ("etc/default_config/BOOT.conf", "TS-NASX86\n")]);
        assert_eq!(hero.platform.value(), Some(&Platform::QutsHero));
        assert!(identity(&[]).platform.is_absent());
    }

    #[test]
    fn a_pc_and_a_board() {
        let found = identity(&[
            ("sys/class/dmi/id/sys_vendor", "Example Computers\n"),
            ("sys/class/dmi/id/product_name", "Tower 5\n"),
            ("sys/class/dmi/id/product_serial.unreadable", r#"{"denied":{"what":"product_serial"}}"#),
            ("sys/class/dmi/id/board_name", "To Be Filled By O.E.M.\n"),
            ("usr/lib/os-release", "NAME=\"Example\"\nVERSION_ID=12\n"),
            ("proc/sys/kernel/arch", "x86_64\n"),
        ]);
        check(&found.model, Some(("Tower 5", "sys/class/dmi/id/product_name")));
        check(&found.firmware, Some(("Example 12", "usr/lib/os-release")));
        assert!(found.serial.why_not().is_some_and(|why| why.contains("as root")), "{:?}", found.serial);
        assert!(found.board.is_absent() && found.internal_model.is_absent());
        let board = identity(&[
            ("proc/device-tree/model", "Example Board 4\0"),
            ("sample/host.json", r#"{"architecture":"armv7l"}"#),
        ]);
        check(&board.model, Some(("Example Board 4", "proc/device-tree/model")));
        check(&board.architecture, Some(("armv7l", "sample/host.json")));
    }

    #[test]
    fn fillers_are_no_names() {
        fn check(value: &str, expected: bool) {
            assert_eq!(is_filler(value), expected, "{value:?}");
        }
        for value in [
            "To Be Filled By O.E.M.",
            "Default string",
            "None",
            "System Serial Number",
            "0123456789",
            "0000",
            "--",
            "Q---",
            "xxxxxxxx",
        ] {
            check(value, true);
        }
        for value in ["Q211I009382", "TS-453D", "00001A", "Nonesuch", "X1"] {
            check(value, false);
        }
    }
}
