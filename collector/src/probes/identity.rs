//! Who the machine says it is.
//!
//! QTS: `/etc/platform.conf` (`[MISC] DISPLAY_NAME`, `Platform`; that the file exists is what makes it QTS),
//! `/etc/hal.conf` (`[Enclosure_0]` serial and model), the vendor's programs ([`programs`]), and ZFS among
//! `/proc/filesystems` or a version like `h5.2.4` for QuTS hero. PCs: `/sys/class/dmi/id`. ARM boards: the device tree.
//! All: os-release and the kernel's own names. QTS keeps more in `uLinux.conf`, which also holds secrets and is
//! therefore not read at all: `getcfg` prints the few keys that are wanted.
//!
//! The serial number is read in every place that has one ([`serial`]); which of them agree is a fact of its own.

mod programs;
mod serial;

use assay_bundle::Observed;
use assay_bundle::facts::identity::{Identity, Platform, SerialOrigin};

use self::programs::Programs;
use self::serial::named;
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

/// Whether this is QTS or QuTS hero, where alone the vendor's programs are asked.
pub(super) async fn is_qts(door: &Door<'_>) -> bool {
    let (conf, boot) = (door.text(PLATFORM_CONF).await, door.text(BOOT_CONF).await);
    is_vendors(&platform(&conf, &boot, &Observed::NotCollected))
}

/// A name that a maker gave, and no placeholder.
pub(super) fn given(reading: Observed<String>) -> Observed<String> {
    named(reading)
}

fn is_vendors(platform: &Observed<Platform>) -> bool {
    matches!(platform.value(), Some(Platform::Qts | Platform::QutsHero))
}

/// Reads every source; each reading keeps the place of the one that had it.
pub(crate) async fn collect(door: &Door<'_>) -> (Identity, Found) {
    let platform_conf = door.text(PLATFORM_CONF).await;
    let boot_conf = door.text(BOOT_CONF).await;
    let hal_conf = door.text(HAL_CONF).await;
    let platform = platform(&platform_conf, &boot_conf, &door.text(FILESYSTEMS).await);
    let qts = is_vendors(&platform);
    let dmi = async |name: &str| named(door.text(&format!("{DMI}/{name}")).await);
    let tree = async |name: &str| named(door.text(&format!("{DEVICE_TREE}/{name}")).await);
    let conf = |text: &Observed<String>, section, key| {
        named(inside(text.clone(), |text| ini::value(text, section, key)))
    };

    let told = if qts { programs::ask(door, !hal_conf.is_absent()).await } else { Programs::default() };
    let platform = refined(platform, &told.version);
    let qnap = if qts { platform.as_ref().map(|_| "QNAP".to_owned()) } else { Observed::NotCollected };
    let (sys_vendor, product_name) = (dmi("sys_vendor").await, dmi("product_name").await);
    let tree_model = tree("model").await;
    let hal_serial = serial::serial(conf(&hal_conf, "Enclosure_0", "serial"));
    let product_serial = serial::serial(dmi("product_serial").await);
    let chassis_serial = serial::serial(dmi("chassis_serial").await);
    let tree_serial = serial::serial(tree("serial-number").await);
    let board_serial = serial::serial(dmi("board_serial").await);
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
        // Other systems know one name only.
        internal_model: if qts { told.model } else { Observed::Absent },
        hardware_platform: conf(&platform_conf, "", "Platform"),
        // Keys are bound to it: on QTS nothing but the vendor's own places may give it, or a failed reading would let
        // another number take its place.
        serial: match qts {
            true => told.serial.clone().or(|| hal_serial.clone()),
            false => product_serial.clone().or(|| tree_serial.clone()),
        },
        serial_sources: serial::sources(vec![
            (SerialOrigin::Hwsn, told.serial),
            (SerialOrigin::HalConf, hal_serial),
            (SerialOrigin::DmiProduct, product_serial),
            (SerialOrigin::DmiChassis, chassis_serial),
            (SerialOrigin::DeviceTree, tree_serial),
            (SerialOrigin::DmiBoard, board_serial.clone()),
        ]),
        board_serial,
        board: dmi("board_name").await,
        board_part_number: told.board,
        backplane_part_number: told.backplane,
        manufactured: told.manufactured,
        bios_version: dmi("bios_version").await,
        bios_date: dmi("bios_date").await,
        ec_version: told.ec,
        mcu_version: told.mcu,
        firmware: firmware(platform.value(), &told.version, &told.number, &told.build).or(|| match release {
            // QTS need not have an os-release.
            Observed::Absent if qts => Observed::NotCollected,
            release => release,
        }),
        firmware_build_date: told.build,
        kernel: door.text(KERNEL).await,
        architecture: architecture(door).await,
        page_size_bytes: told.page_size,
        hostname: door.text(HOSTNAME).await,
        platform,
    };
    let found =
        Found::any([Found::of(&identity.kernel), Found::of(&identity.model), Found::of(&identity.platform)]);
    (identity, found)
}

/// A version that begins with `h` is QuTS hero's, also where the kernel's list did not tell.
fn refined(platform: Observed<Platform>, version: &Observed<String>) -> Observed<Platform> {
    match (&platform, version) {
        (Observed::Seen { value: Platform::Qts, .. }, Observed::Seen { value, from })
            if value.starts_with('h') =>
        {
            Observed::seen(Platform::QutsHero, &**from)
        }
        _ => platform,
    }
}

/// `QTS 5.2.4.3079 build 20250321` from its parts; those that were not seen are left out.
fn firmware(
    platform: Option<&Platform>,
    version: &Observed<String>,
    number: &Observed<String>,
    build: &Observed<String>,
) -> Observed<String> {
    let system = match platform {
        Some(Platform::QutsHero) => "QuTS hero",
        _ => "QTS",
    };
    let part = |before: &str, part: &Observed<String>| {
        part.value().map(|part| format!("{before}{part}")).unwrap_or_default()
    };
    let (number, build) = (part(".", number), part(" build ", build));
    version.as_ref().map(|version| format!("{system} {version}{number}{build}"))
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
}
