//! The serial ledger from the command line to the pages and to devices.

use std::path::PathBuf;
use std::process::Stdio;

use super::pages::{Browser, PASSWORD, add_user};
use super::server::{CEILING, Device, Server, field};
use crate::support::Guarded;

/// What a command says on stderr when it fails, as it must.
fn refuses(server: &Server, arguments: &[&str]) -> String {
    let mut command = server.command(arguments);
    let mut child = Guarded(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts"));
    let out = child.0.stderr.take().expect("its talk");
    let text = std::io::read_to_string(out).expect("text");
    assert_eq!(child.wait(CEILING).code(), Some(3), "{arguments:?}: {text}");
    text
}

fn table(server: &Server, text: &str) -> String {
    let path: PathBuf = server.data("units.csv");
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_table_is_taken_whole_shown_and_written_again() {
    let server = Server::start();
    add_user(&server, "eva");
    let good = "\u{feff}serial;model;invoice_date;plans;list_price;currency\r\n\
                Q165B04307;TS-451;2026-01-02;none;499,00;USD\r\nQ165B04308;TS-453D;;;;\r\n";
    let import = |text: &str, more: &[&str]| {
        let file = table(&server, text);
        let arguments: Vec<String> =
            ["ledger", "import", &file].iter().chain(more).map(|word| (*word).to_owned()).collect();
        arguments
    };
    let run = |arguments: &[String]| server.says(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let dry = run(&import(good, &["--dry-run"]));
    assert!(dry.contains("2 units: 2 new") && dry.contains("line 3, column model: TS-453D"), "{dry}");
    refuses(&server, &["ledger", "show", "Q165B04307"]);
    let wrong = import(&good.replace("2026-01-02", "02.01.2026"), &["--by", "eva"]);
    let why = refuses(&server, &wrong.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(why.contains("line 2, column invoice_date") && why.contains("nothing was taken"), "{why}");
    refuses(&server, &["ledger", "show", "Q165B04308"]);
    let nobody = import(good, &["--by", "mallory"]);
    let why = refuses(&server, &nobody.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(why.contains("assay-portal user add mallory"), "{why}");
    run(&import(good, &["--by", "EVA", "--reason", "first books"]));
    let shown = server.says(&["ledger", "show", "q165 b04307"]);
    assert_eq!(field(&shown, "standard"), "Covered through 2028-01-02.", "{shown}");
    assert!(shown.contains("import by eva: first books"), "{shown}");
    let exported = server.says(&["ledger", "export"]);
    let again = run(&import(&exported, &["--by", "eva"]));
    assert!(again.contains("0 new, 0 changed, 2 as they were"), "{again}");
}

#[tokio::test]
async fn a_stolen_unit_does_not_enrol_and_the_pages_say_why() {
    let server = Server::start();
    add_user(&server, "eva");
    let set = |values: &[&str]| {
        let words = ["ledger", "set", "Q165B04307"];
        server.says(&[&words[..], values, &["--by", "eva"]].concat());
    };
    set(&["model=TS-451", "invoice_date=2026-01-02"]);
    let device = Device::new("Q165B04307");
    let card = server.card().await;
    let request = device.request(&server.code(&["--by", "eva"]), &card);
    device.enrol(&server, &request).await.ends(200);
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    let opened = server.store().await;
    let store = opened.own();
    let named = store.devices_named("Q165B04307").await.expect("reads");
    assert_eq!(store.code_issuers(&named[0].key_id).await.expect("reads"), [Some("eva".to_owned())]);
    let path = format!("/devices/{}", named[0].id);
    let page = browser.get(&path).await.ends(200).text();
    assert!(page.contains("Covered through 2028-01-02.") && !page.contains("Nothing ships"), "{page}");
    server.says(&["ledger", "report-stolen", "Q165B04307", "--by", "eva", "--reason", "police report"]);
    let page = browser.get(&path).await.ends(200).text();
    assert!(page.contains("Nothing ships: the unit was reported stolen"), "{page}");
    let second = Device::new("Q165B04307");
    let request = second.request(&server.code(&[]), &card);
    let answer = second.enrol(&server, &request).await.refused(409, "not-in-service");
    assert!(!answer.text().contains("stolen"), "the holder learns nothing: {}", answer.text());
    set(&["status=returned"]);
    let request = second.request(&server.code(&[]), &card);
    second.enrol(&server, &request).await.refused(409, "not-in-service");
    server.says(&["ledger", "refurbished", "Q165B04307", "--by", "eva"]);
    let request = second.request(&server.code(&[]), &card);
    second.enrol(&server, &request).await.ends(200);
}
