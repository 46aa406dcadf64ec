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
/// What is read of it.
const DMI_NAMES: [&str; 8] = [
    "sys_vendor",
    "product_name",
    "product_serial",
    "chassis_serial",
    "board_serial",
    "board_name",
    "bios_version",
    "bios_date",
];
const DEVICE_TREE: &str = "/proc/device-tree";
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
const KERNEL: &str = "/proc/sys/kernel/osrelease";
const ARCHITECTURE: &str = "/proc/sys/kernel/arch";
const HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// Whether this is QTS or QuTS hero, where alone the vendor's programs are asked; `None` when that could not be read.
pub(super) async fn is_qts(door: &Door<'_>) -> Option<bool> {
    let (conf, boot) = (door.text(PLATFORM_CONF).await, door.text(BOOT_CONF).await);
    match platform(&conf, &boot, &Observed::NotCollected) {
        Observed::Unreadable { .. } => None,
        platform => Some(is_vendors(&platform)),
    }
}

/// A name that a maker gave, and no filler.
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
    door.attributes_ahead(DMI, &DMI_NAMES).await;
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
        serial: match qts || matches!(platform_conf, Observed::Unreadable { .. }) {
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
pub(crate) fn firmware(
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
    use std::collections::BTreeMap;

    use assay_bundle::facts::identity::SerialAgreement;
    use assay_bundle::redact::{Door as Redaction, Level, PseudonymKey};

    use super::*;
    use crate::door::testing::run;
    use crate::recorded::RecordedSource;

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

    /// All that a QTS model may be asked.
    const QTS: &[(&str, &str)] = &[
        ("etc/platform.conf", "Platform = X86_GEMINILAKE\n[MISC]\nDISPLAY_NAME = TS-453D\n"),
        (
            "etc/hal.conf",
            "[Enclosure_0]\nenc_id = 0\nserial = Q204X00123\nvendor = QNAP\nmodel = TS-453D\ncapability = 0x10\n\
             [Enclosure_33]\nenc_id = 33\nenc_sys_id = sg9\nmodel = TL-D800C\nserial = 24:5e:be:12:34:56\n",
        ),
        (
            "etc/model.conf",
            "[System Enclosure]\nMODEL = TS-453D\nMAX_FAN_NUM = 1\n[System Disk 1]\nSLOT_NAME = keller\n",
        ),
        ("proc/filesystems", "nodev\tsysfs\n\text4\n"),
        ("proc/sys/kernel/hostname", "keller\n"),
        ("sys/class/dmi/id/product_serial", "Default string\n"),
        ("sys/class/dmi/id/chassis_serial", "q204x00123\n"),
        ("sys/class/dmi/id/board_serial", "BSN-77\n"),
        ("cmd/get_hwsn/stdout", "Q204X00123\n"),
        ("cmd/getcfg.system.model/stdout", "TS-X53D\n"),
        ("cmd/getcfg.factory.version/stdout", "5.2.4\n"),
        ("cmd/getcfg.factory.number/stdout", "30\n"),
        ("cmd/getcfg.factory.build_number/stdout", "20250321\n"),
        ("cmd/hal_app.vpd.board/stdout", "MB = 70-0QY472150\n"),
        ("cmd/hal_app.vpd.backplane/stdout", "cannot read 192.168.1.7 of keller\n"),
        ("cmd/hal_app.vpd.manufactured/stdout", "2023/05/22 14:14\n"),
        ("cmd/hal_app.get_ec_version/stdout", "1.2.3.4\n"),
        ("cmd/hal_app.get_mcu_version/stdout", "MCU version is 4.3.2.1\n"),
        ("cmd/hal_app.get_pagesize/stdout", "4096\n"),
        ("cmd/hal_app.se_enum.unreadable", r#"{"deadline":{"after_ms":70000}}"#),
    ];

    #[test]
    fn a_qnap_is_asked_and_its_serials_are_compared() {
        let found = identity(QTS);
        check(&found.serial, Some(("Q204X00123", "cmd/get_hwsn/stdout")));
        assert_eq!(found.serial_agreement(), SerialAgreement::Agreeing);
        let from: Vec<SerialOrigin> = found.unit_serials().map(|(source, _)| source).collect();
        assert_eq!(from, [SerialOrigin::Hwsn, SerialOrigin::HalConf, SerialOrigin::DmiChassis]);
        check(&found.board_serial, Some(("BSN-77", "sys/class/dmi/id/board_serial")));
        check(&found.internal_model, Some(("TS-X53D", "cmd/getcfg.system.model/stdout")));
        check(&found.hardware_platform, Some(("X86_GEMINILAKE", "etc/platform.conf")));
        let version = "cmd/getcfg.factory.version/stdout";
        check(&found.firmware, Some(("QTS 5.2.4.30 build 20250321", version)));
        check(&found.firmware_build_date, Some(("20250321", "cmd/getcfg.factory.build_number/stdout")));
        check(&found.board_part_number, Some(("70-0QY472150", "cmd/hal_app.vpd.board/stdout")));
        assert!(found.backplane_part_number.why_not().is_some_and(|why| why.ends_with("not a part number")));
        check(&found.mcu_version, Some(("4.3.2.1", "cmd/hal_app.get_mcu_version/stdout")));
    }

    #[test]
    fn another_system_is_not_asked() {
        let commands: Vec<_> = QTS.iter().copied().filter(|(path, _)| path.starts_with("cmd/")).collect();
        let found = identity(&[&commands[..], &[("proc/filesystems", "\text4\n")]].concat());
        assert_eq!(found.platform.value(), Some(&Platform::Linux));
        assert!(
            found.firmware.is_absent() && found.serial.is_absent() && found.ec_version.is_not_collected()
        );
    }

    #[test]
    fn dmi_never_names_a_qnap() {
        let found = identity(&[
            ("etc/platform.conf", "Platform = X86\n"),
            ("sys/class/dmi/id/product_serial", "ABC123\n"),
            ("cmd/get_hwsn.unreadable", r#"{"deadline":{"after_ms":70000}}"#),
        ]);
        assert!(found.serial.why_not().is_some_and(|why| why.contains("70.0 s")));
        assert_eq!(found.serial_agreement(), SerialAgreement::OnlyOne);
    }

    #[test]
    fn what_may_be_a_qnap_is_not_named_by_dmi() {
        let denied = ("etc/platform.conf.unreadable", r#"{"denied":{"what":"/etc/platform.conf"}}"#);
        let found = identity(&[denied, ("sys/class/dmi/id/product_serial", "ABC123\n")]);
        assert!(found.serial.is_absent() && found.serial_sources.is_seen());
        let layer = ("etc/hal.conf", "[Enclosure_0]\nserial = Q1\n");
        assert_eq!(run(&[denied, layer], async |door| is_qts(door).await), None);
        check(&identity(&[denied, layer]).serial, Some(("Q1", "etc/hal.conf")));
    }

    #[test]
    fn a_version_names_hero_too() {
        let found = identity(&[
            ("etc/platform.conf", "Platform = X86\n"),
            ("cmd/getcfg.system.version/stdout", "h5.2.4\n"),
            ("cmd/getcfg.system.number/stdout", "\n"),
            ("cmd/getcfg.system.build_number/stdout", "no such key\n"),
        ]);
        assert_eq!(found.platform.value(), Some(&Platform::QutsHero));
        check(&found.firmware, Some(("QuTS hero h5.2.4", "cmd/getcfg.system.version/stdout")));
        assert!(found.firmware_build_date.why_not().is_some_and(|why| why.contains("not a date")));
    }

    /// Every fact of these two probes, read from raw forms that went through the door, is the fact that went through.
    #[test]
    fn redaction_and_reading_commute() {
        let table = "enc_id enc_parent_sys_id enc_sys_id wwn vendor model status protocol disk_no fan_no\n\
                     0 root root QNAP TS-453D 0 0 4 1\n33 root keller 5000C50012345678 QNAP Memory Card 0 2 8 x\n\
                     34 root 10.0.0.7 WDC keller 0 4 1 1\n";
        let denied = r#"{"denied":{"what":"/share/keller/getcfg of 10.0.0.7"}}"#;
        let changed = [
            ("cmd/hal_app.se_enum/stdout", table),
            ("cmd/getcfg.factory.version.unreadable", denied),
            ("cmd/getcfg.factory.model.unreadable", r#"{"deadline":{"after_ms":70000}}"#),
            (
                "etc/hal.conf",
                "[Enclosure_0]\nserial = keller\nmodel = 10.0.0.8\n[BootDisk_0]\npd_sys_name = keller\n",
            ),
        ];
        check_commutes(&[]);
        check_commutes(&changed);
    }

    fn check_commutes(changed: &[(&str, &str)]) {
        let collect = |raw: BTreeMap<String, Vec<u8>>| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(crate::collect(&RecordedSource::from_files(raw), &crate::Options::default()))
        };
        let files =
            QTS.iter().chain(changed).map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        let mut files: BTreeMap<String, Vec<u8>> = files.collect();
        for (path, _) in changed {
            // What failed has no output, and the other way round.
            let other = match path.strip_suffix(".unreadable") {
                Some(command) => format!("{command}/stdout"),
                None => path.replace("/stdout", ".unreadable"),
            };
            if other != *path {
                files.remove(&other);
            }
        }
        let first = collect(files);
        let mut door = Redaction::open(&PseudonymKey([7; 32].into()), Level::Standard).expect("it opens");
        door.learn_host("keller");
        let clean = first
            .raw
            .iter()
            .filter_map(|(path, bytes)| Some((path.clone(), door.raw(path, bytes)?.bytes().to_vec())));
        let again = collect(clean.collect());
        let (_, redacted) = door.document("facts.json", first.facts).expect("facts are JSON");
        assert_eq!(again.facts.identity, redacted.identity);
        assert_eq!(again.facts.chassis, redacted.chassis);
        check(&redacted.identity.ec_version, Some(("1.2.3.4", "cmd/hal_app.get_ec_version/stdout")));
        check(&redacted.identity.serial, Some(("Q204X00123", "cmd/get_hwsn/stdout")));
        assert!(door.close().expect("no canary").left_out.is_empty());
    }
}
