//! The allow-list of what may leave as raw text, by its path below `raw/`, and the deny list that wins over it.
//!
//! It refuses by default: a path that no line here names stays on the device. A new source of text is one line.

/// How the text of a class is treated. Every treatment passes the secret rules; none is verbatim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Lines of text, `key = value` files included.
    Text,
    /// Text whose dotted quads are version numbers, not addresses.
    Version,
    /// JSON: every string and key is cleaned, structure and numbers stay byte for byte. Text when it does not parse.
    Json,
    /// Lines of JSON, each treated as [`Treatment::Json`] is.
    JsonLines,
    /// The whole file is a host name.
    HostName,
    /// Text with zero bytes in it, which end a string or stand where nothing was written.
    DeviceTree,
    /// The table of mounts: only lines about disks, only names of the machine's own.
    Mounts,
}

use Treatment::{DeviceTree, HostName, Json, JsonLines, Mounts, Text, Version};

/// First match wins. `*` stands for any run of characters within one segment, a final `**` for one or more segments.
const ALLOWED: &[(&str, Treatment)] = &[
    // The machine's own clock, load and identity.
    ("proc/mdstat", Text),
    ("proc/mounts", Mounts),
    ("proc/uptime", Text),
    ("proc/filesystems", Text),
    ("proc/sys/kernel/arch", Text),
    ("proc/sys/kernel/osrelease", Version),
    ("proc/sys/kernel/random/boot_id", Text),
    ("proc/sys/kernel/hostname", HostName),
    ("proc/device-tree/**", DeviceTree),
    ("etc/os-release", Version),
    ("dev/kmsg", Text),
    ("sample/host.json", Json),
    ("sample/space/*.json", Json),
    ("sample/clock.json", Json),
    ("sample/dimms.json", Json),
    ("sample/event_log.jsonl", JsonLines),
    ("sample/stuck.json", Json),
    // What the agent itself remembers of earlier runs.
    ("state/recorder.jsonl", JsonLines),
    ("state/inventory.json", Json),
    // sysfs: one value a file.
    ("sys/firmware/devicetree/**", DeviceTree),
    ("sys/class/dmi/id/bios_version", Version),
    ("sys/class/dmi/id/bios_release", Version),
    ("sys/class/dmi/id/ec_firmware_release", Version),
    ("sys/class/nvme/*/firmware_rev", Version),
    ("sys/block/*/device/rev", Version),
    ("sys/block/*/device/firmware_rev", Version),
    ("sys/module/*/version", Version),
    // What memory kept may hold zero bytes, as the log of a system that lost its power does.
    ("sys/fs/pstore/*", DeviceTree),
    ("sys/**", Text),
    // Services of the NAS itself. Object identifiers are dotted numbers and no addresses.
    ("sample/snmp-power.txt", Version),
    ("sample/nut.txt", Text),
    ("sample/management-*.xml", Version),
    // Answers of devices: numbers, and the texts in them under the names that facts have.
    ("ioctl/*/*.json", Json),
    // Tools that only read.
    ("cmd/ipmitool.*/stdout", Text),
    ("cmd/ipmitool.*/stderr", Text),
    ("cmd/ipmitool.*/status.json", Json),
    ("cmd/smartctl.*/stdout", Json),
    ("cmd/smartctl.*/stderr", Text),
    ("cmd/smartctl.*/status.json", Json),
    // QTS and QuTS hero.
    ("etc/default_config/BOOT.conf", Version),
    ("etc/platform.conf", Text),
    ("etc/model.conf", Text),
    ("etc/hal.conf", Text),
    ("etc/.list", Text),
    ("etc/enclosure_*.conf", Text),
    ("etc/volume.conf", Text),
    ("etc/hal_util.conf", Text),
    ("etc/config/hal_setting.conf", Text),
    ("tmp/smart/.list", Text),
    ("tmp/smart/smart_*_*.info", Text),
    ("tmp/smart/smart_*_*.info.read", Json),
    ("dev/qzfs/.list", Text),
    ("dev/qzfs/*/.list", Text),
    ("var/log/hal_daemon.log", Text),
    ("mnt/HDA_ROOT/.logs/.list", Text),
    ("mnt/HDA_ROOT/.logs/kmsg*", DeviceTree),
    ("mnt/HDA_ROOT/.logs/pstore_*", DeviceTree),
    ("mnt/HDA_ROOT/.logs/pstore_*/*", DeviceTree),
    ("cmd/getsysinfo.*/stdout", Text),
    ("cmd/getsysinfo.*/stderr", Text),
    ("cmd/getsysinfo.*/status.json", Json),
    ("cmd/hal_app.get_*_version/stdout", Version),
    ("cmd/hal_app.*/stdout", Text),
    ("cmd/hal_app.*/stderr", Text),
    ("cmd/hal_app.*/status.json", Json),
    ("cmd/get_hwsn/stdout", Text),
    ("cmd/get_hwsn/stderr", Text),
    ("cmd/get_hwsn/status.json", Json),
    ("cmd/qcli_storage*/stdout", Text),
    ("cmd/qcli_storage*/stderr", Text),
    ("cmd/qcli_storage*/status.json", Json),
    ("cmd/zpool-status*/stdout", Text),
    ("cmd/zpool-status*/stderr", Text),
    ("cmd/zpool-status*/status.json", Json),
    ("cmd/dmsetup.status/stdout", Text),
    ("cmd/dmsetup.status/stderr", Text),
    ("cmd/dmsetup.status/status.json", Json),
    ("cmd/getcfg.*/stdout", Version),
    ("cmd/getcfg.*/stderr", Text),
    ("cmd/getcfg.*/status.json", Json),
];

/// A segment with one of these in it (any case) never leaves, whatever the allow-list says. Kernel attributes are
/// meant too: iSCSI sessions, iBFT and LIO targets keep CHAP secrets in sysfs, device trees keep random seeds.
const DENIED_PARTS: &[&str] = &[
    "shadow",
    "passwd",
    "password",
    "passphrase",
    "secret",
    "cookie",
    "credential",
    "keyring",
    "keytab",
    "externalkey",
    "private",
    "authorized_keys",
    "known_hosts",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "efivars",
    "rng-seed",
    "kaslr-seed",
    "token",
    "wpa_supplicant",
    "ulinux.conf",
];

/// A segment that is one of these, as a whole, never leaves.
const DENIED_SEGMENTS: &[&str] =
    &[".ssh", ".gnupg", "key", "keys", "environ", "cmdline", "username", "username_in", "psk", "auth"];

/// A segment that ends so never leaves.
const DENIED_ENDS: &[&str] = &[
    ".key",
    ".pem",
    ".p12",
    ".pfx",
    ".jks",
    ".kdbx",
    ".kdb",
    ".crt.key",
    ".age",
    ".gpg",
    ".ovpn",
    ".netrc",
    ".pgpass",
    ".tdb",
    ".keystore",
    "_key",
    "-key",
];

/// Why a path may not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It holds secrets by its name.
    Denied,
    /// Nothing names it.
    NotListed,
    /// It is no plain relative path.
    Malformed,
}

impl Refusal {
    /// The reason, for the receipt.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Denied => "on the deny list: it can hold keys or passwords",
            Self::NotListed => "not on the allow list",
            Self::Malformed => "not a plain path below raw/",
        }
    }
}

/// Whether a file holds a device's answer as bytes, in which a serial number cannot be masked safely.
pub(crate) fn holds_binary(path: &str) -> bool {
    path.starts_with("ioctl/") && !path.ends_with(".unreadable")
}

/// The treatment of a path below `raw/`, or why it stays.
pub(crate) fn of(path: &str) -> Result<Treatment, Refusal> {
    let plain = !path.is_empty()
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && path.split('/').all(|s| !s.is_empty() && s != "." && s != "..");
    if !plain {
        return Err(Refusal::Malformed);
    }
    if path.split('/').any(denied) {
        return Err(Refusal::Denied);
    }
    // What stands in for a file that could not be read is ours: the JSON of a failure.
    if path.ends_with(".unreadable") {
        return Ok(Json);
    }
    let listed = |path: &str| ALLOWED.iter().find(|(pattern, _)| matches(pattern, path)).map(|(_, t)| *t);
    // The target of a link is a path, whatever the thing at its end is.
    if let Some(link) = path.strip_suffix(".link")
        && listed(link).is_some()
    {
        return Ok(Text);
    }
    // The empty file that says that a reading was cut.
    if let Some(cut) = path.strip_suffix(".truncated")
        && listed(cut).is_some()
    {
        return Ok(Text);
    }
    listed(path).ok_or(Refusal::NotListed)
}

fn denied(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    // The suffixes of our own recording must not hide a name.
    let marks = [".unreadable", ".link", ".truncated"];
    let name = marks.iter().find_map(|mark| lower.strip_suffix(mark)).unwrap_or(&lower);
    DENIED_PARTS.iter().any(|part| name.contains(part))
        || DENIED_SEGMENTS.contains(&name)
        || DENIED_ENDS.iter().any(|end| name.ends_with(end))
}

fn matches(pattern: &str, path: &str) -> bool {
    // Most lines of the list are about another folder: no need to cut the path for them.
    let begins = |text: &str| text.as_bytes().first().copied();
    if begins(pattern) != begins(path) && begins(pattern) != Some(b'*') {
        return false;
    }
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match segments.next() {
            Some(_) if wanted == "**" => return true,
            Some(segment) if segment_matches(wanted, segment) => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

fn segment_matches(pattern: &str, segment: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return segment.is_empty() };
    let Some(mut rest) = segment.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<Treatment, Refusal>) {
        assert_eq!(of(path), expected, "{path}");
    }

    #[test]
    fn what_is_listed_may_leave() {
        check("proc/mdstat", Ok(Text));
        check("proc/sys/kernel/hostname", Ok(HostName));
        check("sys/class/hwmon/hwmon1/fan1_input", Ok(Text));
        check("sys/class/hwmon/.list", Ok(Text));
        check("sys/class/net/eth0/device/driver.link", Ok(Text));
        check("sys/class/dmi/id/bios_version", Ok(Version));
        check("proc/device-tree/model", Ok(DeviceTree));
        check("cmd/smartctl.auto.sda/stdout", Ok(Json));
        check("cmd/smartctl.auto.sda/stderr", Ok(Text));
        check("ioctl/sda/ata-identify.json", Ok(Json));
        check("ioctl/nvme0/nvme-smart.json.unreadable", Ok(Json));
        check("cmd/smartctl.auto.sda.unreadable", Ok(Json));
        check("dev/kmsg.unreadable", Ok(Json));
        check("dev/kmsg.truncated", Ok(Text));
        check("var/log/hal_daemon.log.truncated", Ok(Text));
        check("state/recorder.jsonl", Ok(JsonLines));
        check("state/inventory.json.unreadable", Ok(Json));
        check("etc/enclosure_0_del.conf", Ok(Text));
        check("tmp/smart/smart_0_12.info", Ok(Text));
        check("mnt/HDA_ROOT/.logs/kmsg.1", Ok(DeviceTree));
        check("mnt/HDA_ROOT/.logs/pstore_1/console-ramoops-0", Ok(DeviceTree));
        check("mnt/HDA_ROOT/.logs/event.log", Err(Refusal::NotListed));
        check("sample/event_log.jsonl", Ok(JsonLines));
        check("cmd/get_hwsn/stdout", Ok(Text));
        check("cmd/hal_app.get_ec_version/stdout", Ok(Version));
        check("cmd/hal_app.se_enum/stdout", Ok(Text));
        check("cmd/getcfg.factory.version.unreadable", Ok(Json));
        check("cmd/qcli_storage.d/stdout", Ok(Text));
    }

    #[test]
    fn everything_else_stays() {
        for path in
            ["etc/hosts", "etc/config/smb.conf", "var/log/messages", "cmd/dmesg/stdout", "sys", "tmp/smart/x"]
        {
            check(path, Err(Refusal::NotListed));
        }
        for path in ["", "/etc/os-release", "sys/../etc/shadow", "sys//x", "sys/a\0b", "sys/./x", "sys\\x"] {
            check(path, Err(Refusal::Malformed));
        }
    }

    #[test]
    fn the_deny_list_wins() {
        for path in [
            "etc/shadow",
            "etc/shadow.unreadable",
            "sys/class/x/host_key.truncated",
            "sys/class/iscsi_session/session1/password",
            "sys/class/iscsi_session/session1/username_in",
            "sys/firmware/ibft/target0/chap-secret",
            "sys/firmware/efi/efivars/Setup",
            "sys/kernel/x/server.KEY",
            "sys/keys/a",
            "proc/device-tree/chosen/rng-seed",
            "proc/1/environ",
            "mnt/HDA_ROOT/.externalkey",
            "mnt/HDA_ROOT/.logs/kmsg.key",
            "cmd/smartctl.cookies/stdout",
            "etc/config/uLinux.conf",
            "root/.ssh/id_rsa.link",
        ] {
            check(path, Err(Refusal::Denied));
        }
    }
}
