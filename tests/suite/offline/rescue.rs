//! The check that needs nothing, and the slip that it ends with.

use std::fs;

use super::{asked, in_namespace};
use crate::cli::portal::Portal;
use crate::cli::run::{Device, names, recorded};

#[test]
fn a_check_that_needs_nothing_and_writes_nothing() {
    let device = Device::new();
    // No place that can be written to, no home, no configuration, no identity: the layout of the machine itself.
    let script = r#"
cut -d' ' -f5 /proc/self/mountinfo | sort -u | while read -r m; do mount -n -o remount,bind,ro "$m" 2>/dev/null || true; done
for place in / /etc /var /tmp /run /dev/shm; do
  if touch "$place/assay-fence" 2>/dev/null; then echo "open $place"; exit 9; fi
done
cd /
exec env -i ASSAY check --rescue --qr ascii
"#;
    let Some(ran) = in_namespace(&device, "rescue", script) else { return };
    assert!((0..=2).contains(&ran.code), "{}\n{}", ran.out, ran.err);
    for words in ["VERDICT SLIP", "triage only", "\nASSAY1.", "with a key of this call", "##"] {
        assert!(ran.out.contains(words), "{words}: {}\n{}", ran.out, ran.err);
    }
    let slip = ran.out.lines().find(|line| line.starts_with("ASSAY1.")).expect("a slip");
    let read = assay_bundle::slip::Slip::read(slip).expect("it reads");
    assert_eq!(read.is_whole(), Ok(()));
    assert_eq!(read.slip.source, assay_bundle::manifest::RunSource::Live);
    assert!(slip.len() < 1024);
}

#[test]
fn neither_a_broken_configuration_nor_a_broken_key_holds_a_rescue() {
    let device = Device::new();
    fs::create_dir_all(device.state().join("identity")).expect("a folder");
    fs::write(device.state().join("assay.toml"), "[collect\n").expect("a file");
    fs::write(device.state().join("identity/device.key"), "no key").expect("a file");
    let before = names(&device.state());
    let source = recorded();
    device.run(&["check", "--source", &source]).fails_with(&["assay.toml"]);
    let ran = device.run(&["check", "--rescue", "--source", &source, "--json"]);
    let said = ran.json();
    assert!(said["slip"].as_str().is_some_and(|slip| slip.starts_with("ASSAY1.")), "{said}");
    let text = device.run(&["check", "--rescue", "--source", &source, "--qr", "none"]);
    assert!(text.out.contains("of a recording") && text.out.contains("VERDICT SLIP"), "{}", text.out);
    assert_eq!(names(&device.state()), before);
    assert!(names(&device.state().join("identity")) == ["device.key"]);
}

#[test]
fn the_portal_reads_the_slip_of_an_enrolled_device() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    let source = recorded();
    let picture = device.text("slip.svg");
    let ran = device.run(&["slip", "--source", &source, "--json", "--svg", &picture]);
    let said = ran.json();
    assert_eq!(said["own_key"], true);
    let page = said["page"].as_str().expect("the portal's page");
    assert!(page.starts_with("https://") && page.ends_with("/slip"), "{page}");
    assert!(fs::read_to_string(&picture).expect("a picture").starts_with("<svg "));
    let slip = said["slip"].as_str().expect("a slip");
    // As typed, and as the code's address holds it.
    for text in [slip.to_owned(), format!("{page}#{slip}")] {
        let file = device.text("slip.txt");
        fs::write(&file, text).expect("a file");
        let read = asked(&portal, &["slip", "check", &file]).ends(0).out;
        for words in ["TRIAGE ONLY", "signed by the enrolled key", "made of a recording"] {
            assert!(read.contains(words), "{words}: {read}");
        }
    }
    // The page of a device with a key carries it, and so can be photographed.
    let html = device.text("report.html");
    device.run(&["check", "--source", &source, "--html", &html]);
    let html = fs::read_to_string(html).expect("a page");
    assert!(html.contains("Verdict slip") && html.contains("QR code of the verdict slip"), "{html}");
}
