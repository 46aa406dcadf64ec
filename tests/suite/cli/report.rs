//! Where a report goes: pages and tickets into files or to standard output, whole or not at all.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::run::{Device, names, recorded};
use crate::support::devices;

/// A device with a finding.
fn failing() -> String {
    let devices = devices();
    let found = devices.iter().find(|(name, _)| name == "ts-453d-fan-stalled").expect("the device");
    found.1.to_str().expect("a plain path").to_owned()
}

#[test]
fn one_run_writes_every_form() {
    let device = Device::new();
    let (page, ticket) = (device.text("page.html"), device.text("ticket.md"));
    let markdown = format!("--markdown={ticket}");
    let ran = device.run(&["check", "--source", &failing(), "--html", &page, &markdown]).ends(1);
    assert!(ran.out.starts_with("DEFECT SUSPECTED\n") && ran.out.contains("FAN-001"), "{}", ran.out);
    assert!(ran.err.contains(&page) && ran.err.contains(&ticket), "{}", ran.err);
    let read = |path: &str| fs::read_to_string(path).expect("a report");
    assert!(read(&page).starts_with("<!doctype html>") && read(&page).contains("FAN-001"));
    assert!(read(&page).contains("A recording, not this machine."));
    assert!(read(&ticket).starts_with("# Defect suspected\n") && read(&ticket).contains("FAN-001"));
    for path in [&page, &ticket] {
        let mode = fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "serial numbers are the owner's to show");
    }
    assert!(names(&device.state()).is_empty(), "a report leaves nothing else");
    let json = device.run(&["check", "--source", &failing(), "--json", "--html", &page]).ends(1);
    assert_eq!(json.json()["diagnosis"]["overall"], "defect_suspected");
}

#[test]
fn standard_output_holds_one_form() {
    let device = Device::new();
    let source = failing();
    let page = device.run(&["check", "--source", &source, "--html", "-"]).ends(1).out;
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    let ticket = device.run(&["check", "--source", &source, "--markdown"]).ends(1).out;
    assert!(ticket.starts_with("# Defect suspected\n"), "{ticket}");
    for flags in [&["--html", "-", "--markdown"][..], &["--json", "--html", "-"], &["--json", "--markdown"]] {
        let line: Vec<&str> =
            ["check", "--source", &source].into_iter().chain(flags.iter().copied()).collect();
        let ran = device.run(&line).fails_with(&["want standard output", "--html FILE"]);
        assert!(ran.out.is_empty(), "{}", ran.out);
    }
    let file = device.text("both");
    let markdown = format!("--markdown={file}");
    device.run(&["check", "--source", &source, "--html", &file, &markdown]).fails_with(&["two forms", &file]);
    assert!(!device.path("both").exists());
    // A name after a blank would be an output that `judge` is to read.
    device.run(&["check", "--source", &source, "--markdown", &file]).ends(64);
}

#[test]
fn a_report_is_written_whole_or_not_at_all() {
    let device = Device::new();
    let folder = device.path("out");
    fs::create_dir(&folder).expect("a folder");
    let at = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    fs::write(at("old.html"), "old").expect("a file");
    device
        .run(&["check", "--source", "/nonexistent", "--html", &at("old.html")])
        .fails_with(&["/nonexistent", "next: "]);
    assert_eq!(fs::read_to_string(at("old.html")).expect("read"), "old");
    let source = recorded();
    for (path, words) in [
        (at(""), "is a folder"),
        ("/nonexistent/x".to_owned(), "/nonexistent/x"),
        ("/dev/null".to_owned(), "no plain file"),
    ] {
        let ran = device.run(&["check", "--source", &source, "--html", &path]).fails_with(&[words, "next: "]);
        assert!(ran.out.is_empty(), "it is said before anything is read: {}", ran.out);
    }
    symlink(at("old.html"), at("link.html")).expect("a link");
    device.run(&["check", "--source", &source, "--html", &at("link.html")]).ends(0);
    assert!(folder.join("link.html").is_symlink(), "a link keeps standing");
    assert!(fs::read_to_string(at("old.html")).expect("read").starts_with("<!doctype html>"));
    assert_eq!(names(&folder), ["link.html", "old.html"], "nothing partial is left");
}

#[test]
fn every_command_that_prints_a_diagnosis_writes_it() {
    let device = Device::new();
    let (bundle, page) = (device.bundle("b.assay"), device.text("page.html"));
    let read = || fs::read_to_string(&page).expect("a page");
    device.run(&["show", &bundle, "--html", &page]).ends(0);
    assert!(read().contains("Healthy</h1>"), "{}", read());
    assert!(device.run(&["show", &bundle, "--markdown"]).ends(0).out.starts_with("# Healthy\n"));
    device.run(&["show", &bundle, "--tree", "--html", &page]).ends(64);
    fs::remove_file(&page).expect("a page");
    device.run(&["replay", &bundle, "--html", &page]).ends(0);
    assert!(read().contains("A recording, not this machine."));
    let output = device.text("mdstat");
    fs::write(
        &output,
        "Personalities : [raid1]\nmd1 : active raid1 sdb3[1](F) sda3[0]\n      100 blocks [2/1] [U_]\n",
    )
    .expect("an output");
    device.run(&["judge", &output, "--html", &page]).ends(1);
    assert!(read().contains("no evidence for a shipment") && read().contains("mdstat, "), "{}", read());
    let text = device.run(&["judge", &output, "--all"]).ends(1).out;
    assert!(text.starts_with("DEFECT ") && text.contains("mdstat"), "{text}");
}
