//! The latest version, as a portal announces it: told once, remembered, and not believed when it goes back.

use assay_portal::store::notices::Notice;

use super::asked;
use crate::cli::portal::Portal;
use crate::cli::run::{Device, Ran, finish};
use crate::portal::server::Opened;

fn announce(portal: &Portal, version: &str, digest: &str) -> Ran {
    asked(portal, &["update-notice", "set", version, &digest.repeat(32)])
}

#[test]
fn a_version_is_told_once_and_never_backwards() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    // Nobody asks for anything (2): what is said besides is what counts.
    let poll = || device.run(&["support", "wait"]).ends(2).err;
    let status = || device.run(&["status"]).ends(0).out;
    assert!(!poll().contains("version"), "nothing was announced");
    assert!(!status().contains("is there, this is"));

    announce(&portal, "99.1.0", "ab").ends(0);
    let told = poll();
    assert!(
        told.contains("version 99.1.0 is there, this is 0.") && told.contains(&"ab".repeat(32)),
        "{told}"
    );
    assert!(!poll().contains("99.1.0"), "once is enough");
    for words in ["update     version 99.1.0", "nothing installs itself", "`sha256sum FILE` must print abab"]
    {
        assert!(status().contains(words), "{words}: {}", status());
    }
    let json = device.run(&["status", "--json"]).ends(0).json();
    assert_eq!(json["update"]["latest"]["version"], "99.1.0");
    assert!(json["update"]["refused"].is_null());
    assert!(device.state().join("memory/update.json").is_file(), "news outlive a boot");

    // Back, another digest, no version: not believed, in words, once; what was believed stays.
    announce(&portal, "99.0.0", "ab").ends(0);
    assert!(poll().contains("99.0.0 after it had announced 99.1.0"));
    assert!(!poll().contains("99.0.0"));
    assert!(status().contains("was not believed") && status().contains("version 99.1.0 is there"));
    announce(&portal, "99.1.0", "cd").ends(0);
    assert!(poll().contains("another digest for 99.1.0"));
    let refused = announce(&portal, "latest", "ab").ends(3).err;
    assert!(refused.contains("is no version"), "{refused}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let opened = Opened::of(portal.folder.path().join("data/portal.db")).await;
        let notice = Notice {
            version: "latest".to_owned(),
            sha256: "ab".repeat(32),
            url: "https://portal.example/".to_owned(),
        };
        opened.own().set_notice(&notice, 1).await.expect("set");
        opened.store.close().await;
    });
    assert!(poll().contains("\"latest\", which is no version"));
    // And forward again.
    announce(&portal, "99.2.0", "ef").ends(0);
    assert!(poll().contains("version 99.2.0 is there"));
    assert!(!status().contains("was not believed"));
}

#[test]
fn the_daily_report_asks_on_its_way() {
    let portal = Portal::start();
    let device = Device::new();
    portal.enrol(&device);
    announce(&portal, "99.1.0", "ab").ends(0);
    std::fs::write(device.state().join("assay.toml"), "[report]\nschedule = '0 3 * * *'\n").expect("a file");
    // As the daemon starts it: a child that is told its parent.
    let parent = std::process::id().to_string();
    let told = finish(device.command(&["__job", "report", &parent])).ends(0).json();
    let words = told["words"].as_str().expect("words");
    assert!(words.starts_with("sent; version 99.1.0 is there"), "{words}");
    let again = finish(device.command(&["__job", "report", &parent])).ends(0).json();
    assert_eq!(again["words"], "sent");
    assert!(device.run(&["status"]).ends(0).out.contains("version 99.1.0 is there"));
}
