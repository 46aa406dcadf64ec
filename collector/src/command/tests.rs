//! Every command, written down: its line, its options, and what none of them may be.

use super::*;

fn every_command() -> Vec<Command> {
    let nodes = ["sda", "sdzz", "nvme0", "nvme12n1", "sg3"]
        .map(|name| DeviceNode::parse(name).expect("a known shape"));
    let mut all = vec![Command::SmartctlVersion];
    for device in nodes {
        all.extend(SmartctlKind::ALL.map(|kind| Command::Smartctl { device: device.clone(), kind }));
        all.extend(SmartctlKind::ALL.map(|kind| Command::SmartctlText { device: device.clone(), kind }));
    }
    all.extend(qts::samples().into_iter().map(|(command, _)| Command::Qts(command)));
    all.extend(sensors::samples().into_iter().map(|(command, _)| Command::Sensors(command)));
    all.extend(storage::samples().into_iter().map(|(command, _)| Command::Storage(command)));
    all
}

/// The options that each command may use, and that only read. A new variant does not compile without its arm.
fn allowed(command: &Command) -> Option<(&'static [&'static str], usize)> {
    match command {
        Command::SmartctlVersion => Some((&["--version"], 0)),
        Command::Smartctl { .. } => {
            Some((&["--json=c", "-n", "standby,3", "-x", "-d", "sat", "sat,12", "ata", "scsi", "nvme"], 1))
        }
        Command::SmartctlText { .. } => {
            Some((&["-n", "standby", "-x", "-d", "sat", "sat,12", "ata", "scsi", "nvme"], 1))
        }
        // Their families write every line down.
        Command::Qts(_) | Command::Sensors(_) | Command::Storage(_) => None,
    }
}

/// The only programs there are, each with how its first argument may begin; none at all is written as nothing.
const READING: [(&str, &[&str]); 10] = [
    ("dmsetup", &["status"]),
    ("get_hwsn", &[""]),
    ("getcfg", &["System"]),
    ("getsysinfo", &["cputmp", "systmp", "sysfan", "sysvolnum", "vol_"]),
    ("hal_app", &["--get_", "--se_enum", "--se_sys_get_fan", "--vpd_get_field"]),
    ("ipmitool", &["sdr", "sel"]),
    ("mdadm", &["--detail"]),
    ("qcli_storage", &["-d"]),
    ("smartctl", &["--version", "--json=c", "-n"]),
    ("zpool", &["status"]),
];

/// Words of commands that write, load the disks, hang or ask for a login (qnap-platform.md 1.2, 1.5 and 1.8, and
/// the writing sides of the tools above): none is ever part of a line.
const WRITING: [&str; 76] = [
    // hal_app, hal_event, hal_tool: fans (a value of 10 stops one), LEDs, registers, power, error counters.
    "_set_",
    "set_ec",
    "--set",
    "quick_poweroff",
    "pd_inc",
    "iotest",
    "locate",
    "hal_event",
    "hal_tool",
    "statistic_data",
    // Configuration, packages, notices.
    "setcfg",
    "rmcfg",
    "config_util",
    "qpkg",
    "log_tool",
    "notify",
    // Storage: repair, benchmark, everything that changes an array, a map or a pool.
    "md_checker",
    "storage_util",
    "qm2_tool",
    "qcli_hdd",
    "qcli_volume",
    "get_hd_smartinfo",
    "force",
    "-T",
    "--add",
    "--remove",
    "--fail",
    "--create",
    "--stop",
    "--grow",
    "--assemble",
    "--zero-superblock",
    // Of mdadm only `--detail` asks the kernel; reading the members wakes disks.
    "--examine",
    "--manage",
    "pvs",
    "lvs",
    "vgs",
    "scrub",
    "trim",
    "clear",
    "import",
    "export",
    "destroy",
    "replace",
    "detach",
    "attach",
    "upgrade",
    "message",
    "suspend",
    "resume",
    "reload",
    "wipe",
    "table",
    // Disks: self-tests, settings, raw commands, firmware, spinning down, passwords.
    "-t ",
    "-s ",
    "--test",
    "--smart",
    "--offlineauto",
    "--saveauto",
    "--log=scterc",
    "jmb39x",
    "hdparm",
    "sg_",
    "sedutil",
    "nvme-",
    "format",
    "erase",
    "sanitize",
    // The board: power, watchdog, raw commands, clock, bus.
    "chassis",
    "mc ",
    "raw",
    "power",
    "hwclock",
    "setpci",
    "fru write",
    "lan set",
];

/// The variants of an enum, as its source names them.
fn variants(source: &str, name: &str) -> Vec<String> {
    let (_, rest) = source.split_once(&format!("pub enum {name} {{\n")).expect("the enum");
    let (body, _) = rest.split_once("\n}\n").expect("its end");
    let own = body.lines().filter_map(|line| line.strip_prefix("    "));
    let named = own.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    named.map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}

/// A command that nobody wrote down fails here, and so does one that only takes another word.
#[test]
fn every_variant_is_written_down() {
    let qts: Vec<String> = qts::samples().iter().map(|(command, _)| format!("{command:?}")).collect();
    let sensors: Vec<String> = sensors::samples().iter().map(|(command, _)| format!("{command:?}")).collect();
    let storage: Vec<String> = storage::samples().iter().map(|(command, _)| format!("{command:?}")).collect();
    let all: Vec<String> = every_command().iter().map(|command| format!("{command:?}")).collect();
    let check = |source: &str, name: &str, written: &[String], count: usize| {
        let variants = variants(source, name);
        assert!(variants.len() >= count, "{name}: only {variants:?} were found");
        for variant in variants {
            let is_word =
                |text: &&String| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == variant);
            assert!(written.iter().any(|text| is_word(&text)), "{name}::{variant} is written down nowhere");
        }
    };
    let (q, s) = (include_str!("qts.rs"), include_str!("storage.rs"));
    check(include_str!("../command.rs"), "Command", &all, 6);
    check(include_str!("../command.rs"), "SmartctlKind", &all, 6);
    check(q, "QtsCommand", &qts, 15);
    check(q, "ConfigFile", &qts, 2);
    check(q, "SystemKey", &qts, 4);
    check(q, "VpdField", &qts, 3);
    check(include_str!("sensors.rs"), "SensorsCommand", &sensors, 2);
    check(s, "StorageCommand", &storage, 4);
    check(s, "VolumeWord", &storage, 5);
}

#[test]
fn no_vendor_command_that_writes_can_be_issued() {
    for command in every_command() {
        let line = command.line();
        let argv = command.argv();
        let first = argv.first().map(String::as_str).unwrap_or_default();
        let (_, allowed) = READING.iter().find(|(tool, _)| *tool == command.tool()).expect("a known tool");
        assert!(allowed.iter().any(|begin| first.starts_with(begin)), "{line}");
        assert!(allowed.contains(&"") == argv.is_empty(), "{line}");
        assert!(!WRITING.iter().any(|word| line.contains(word)), "{line}");
        // Of mdadm one line, to the letter: its other modes change arrays or read the members.
        assert!(command.tool() != "mdadm" || line == "mdadm --detail --scan", "{line}");
        // Nothing starts a second command or a shell.
        assert!(!argv.iter().any(|word| word.contains([';', '|', '&', '$', '`', '>', '<', '\n'])), "{line}");
    }
}

#[test]
fn every_family_writes_its_lines_down() {
    let lines =
        |tool: &str, line: String| assert!(line.starts_with(&format!("{tool} ")) || line == tool, "{line}");
    for (command, line) in qts::samples() {
        assert_eq!(Command::Qts(command.clone()).line(), line);
        lines(command.tool(), line.to_owned());
    }
    for (command, line) in sensors::samples() {
        assert_eq!(Command::Sensors(command.clone()).line(), line);
        lines(command.tool(), line.to_owned());
    }
    for (command, line) in storage::samples() {
        assert_eq!(Command::Storage(command.clone()).line(), line);
        lines(command.tool(), line.to_owned());
    }
}

#[test]
fn no_command_can_write() {
    for command in every_command() {
        if let Some((options, devices)) = allowed(&command) {
            let argv = command.argv();
            let (plain, node) = argv.split_at(argv.len() - devices);
            assert!(plain.iter().all(|word| options.contains(&word.as_str())), "{}", command.line());
            assert!(node.iter().all(|word| Some(word.as_str()) == command.device()), "{}", command.line());
        }
        assert!(!command.line().contains("jmb39x") && !command.line().contains(" -t"), "{}", command.line());
        assert!(
            !command.slug().contains(['/', ' ']) && !command.slug().starts_with('.'),
            "{}",
            command.slug()
        );
    }
}

#[test]
fn slugs_are_unique() {
    let mut slugs: Vec<_> = every_command().iter().map(Command::slug).collect();
    let all = slugs.len();
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), all);
}

#[test]
fn a_command_line_reads_as_typed() {
    fn check(kind: SmartctlKind, line: &str) {
        let device = DeviceNode::parse("/dev/sda").expect("a known shape");
        assert_eq!(Command::Smartctl { device, kind }.line(), line);
    }
    check(SmartctlKind::Sat, "smartctl --json=c -n standby,3 -x -d sat /dev/sda");
    check(SmartctlKind::Auto, "smartctl --json=c -n standby,3 -x /dev/sda");
    assert_eq!(Command::SmartctlVersion.line(), "smartctl --version");
    let device = DeviceNode::parse("sda").expect("a known shape");
    let text = Command::SmartctlText { device, kind: SmartctlKind::Sat };
    assert_eq!(text.line(), "smartctl -n standby -x -d sat /dev/sda");
}

#[test]
fn a_node_has_a_known_shape() {
    fn check(name: &str, passes: bool) {
        assert_eq!(DeviceNode::parse(name).is_some(), passes, "{name:?}");
    }
    for good in ["sda", "sdaa", "/dev/sdb", "nvme0", "nvme10", "nvme0n1", "sg12"] {
        check(good, true);
    }
    for bad in [
        "",
        "sd",
        "sd1",
        "sda1",
        "SDA",
        "sdaaaa",
        "nvme",
        "nvmen1",
        "nvme0n",
        "nvme0n1p1",
        "sg",
        "sg1a",
        "md0",
        "-x",
        "sda -s",
        "sda\n",
        "../sda",
        "/dev/../sda",
        "/dev//dev/sda",
        "/dev/dev/sda",
        "//dev/sda",
        "sda/../sdb",
        "bus/0",
        "sd\u{e4}",
        "nvme٣",
        "/etc/passwd",
        "/dev/",
        "-d",
        "jmb39x-q,0",
    ] {
        check(bad, false);
    }
}
