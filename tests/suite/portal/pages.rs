//! What engineers see, and what keeps others from seeing it.

use std::io::Write;
use std::process::Stdio;

use assay_bundle::Overall;
use assay_bundle::keys::SigningKey;
use assay_bundle::manifest::{RunSource, Summary};
use assay_bundle::slip::Slip;
use reqwest::Method;

use super::bundles::{Recipe, sealed};
use super::server::{Answer, CEILING, Call, Device, Server};
use crate::support::Guarded;

pub(super) const PASSWORD: &str = "a long enough password";

/// A browser without a browser: cookies, the token of the last form, and where a form stands.
pub(super) struct Browser<'s> {
    server: &'s Server,
    cookies: Vec<(String, String)>,
    csrf: String,
}

impl<'s> Browser<'s> {
    pub(super) fn new(server: &'s Server) -> Self {
        Self { server, cookies: Vec::new(), csrf: String::new() }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.server.http.request(method, format!("{}{path}", self.server.url));
        request.header("cookie", cookies.join("; "))
    }

    async fn follow(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            for word in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
                assert!(cookie.contains(word), "{cookie}");
            }
            let (name, value) = cookie.split(';').next().and_then(|c| c.split_once('=')).expect("a cookie");
            assert!(name.starts_with("__Host-"), "{cookie}");
            self.cookies.retain(|(n, _)| n != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        if let Some((_, rest)) = answer.text().split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split('"').next().expect("a value").to_owned();
        }
        answer
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let request = self.request(Method::GET, path);
        self.follow(request).await
    }

    /// Sends a form as a browser does from our own page.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let spelled = |value: &str| -> String {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            value
                .bytes()
                .map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect()
        };
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", spelled(value))).collect();
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", "null")
            .header("sec-fetch-site", "same-origin")
            .body(body.join("&"));
        self.follow(request).await
    }

    pub(super) async fn log_in(&mut self, user: &str, password: &str) -> Answer {
        self.get("/login").await.ends(200);
        let csrf = self.csrf.clone();
        self.post("/login", &[("user", user), ("password", password), ("csrf", &csrf)]).await
    }

    fn is_logged_in(&self) -> bool {
        self.cookies.iter().any(|(name, value)| name == "__Host-assay" && !value.is_empty())
    }
}

pub(super) fn add_user(server: &Server, name: &str) {
    let mut command = server.command(&["user", "add", name, "--password-stdin"]);
    let mut child = Guarded(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts"));
    let mut stdin = child.0.stdin.take().expect("its input");
    writeln!(stdin, "{PASSWORD}").expect("it reads");
    drop(stdin);
    assert!(child.wait(CEILING).success());
}

#[tokio::test]
async fn nothing_is_shown_before_the_login() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    for path in
        ["/", "/judge", "/slip", "/devices/x", "/bundles/x", "/bundles/x/raw/0", "/bundles/x/download"]
    {
        let answer = browser.get(path).await.ends(303);
        assert_eq!(answer.header("location"), "/login", "{path}");
    }
    let page = browser.get("/login").await.ends(200);
    assert!(page.text().contains("assay-portal user add"), "the next step when nobody can log in");
    for (name, words) in [
        ("content-security-policy", "default-src 'none'; style-src 'self'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert!(page.header(name).contains(words), "{name}: {}", page.header(name));
    }
    assert!(!page.header("x-request-id").is_empty());
    assert!(!page.text().contains("<script") && !page.text().contains("style="), "the policy would stop it");
    let style = browser.get("/static/portal.css").await.ends(200);
    assert!(style.header("content-type").starts_with("text/css"));
    let missing = browser.get("/nowhere").await.ends(404);
    assert!(missing.text().contains("Go back to the queue"), "{}", missing.text());
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let server = Server::start();
    add_user(&server, "eva");
    let mut browser = Browser::new(&server);
    let wrong = browser.log_in("eva", "a wrong password").await.ends(401);
    let unknown = browser.log_in("nobody", PASSWORD).await.ends(401);
    let words = "Name or password is wrong";
    assert!(wrong.text().contains(words) && unknown.text().contains(words), "the same words for both");
    let answer = browser.log_in("EVA", PASSWORD).await.ends(303);
    assert_eq!(answer.header("location"), "/");
    let queue = browser.get("/").await.ends(200);
    assert!(queue.text().contains("No device is enrolled yet") && queue.text().contains("eva"));
    let old = browser.cookies.clone();
    browser.post("/logout", &[("csrf", "wrong")]).await.ends(403);
    browser.get("/").await.ends(200);
    let csrf = browser.csrf.clone();
    browser.post("/logout", &[("csrf", &csrf)]).await.ends(303);
    assert!(!browser.is_logged_in());
    browser.cookies = old;
    browser.get("/").await.ends(303);
}

#[tokio::test]
async fn a_form_counts_only_from_our_own_page() {
    let server = Server::start();
    add_user(&server, "eva");
    let mut browser = Browser::new(&server);
    browser.get("/login").await.ends(200);
    let csrf = browser.csrf.clone();
    let form = format!("user=eva&password={}&csrf={csrf}", PASSWORD.replace(' ', "+"));
    let post = |body: &str, headers: &[(&str, &str)]| {
        let request = browser.request(Method::POST, "/login").body(body.to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let forged = form.replace(&csrf, &"A".repeat(csrf.len()));
    let foreign: [(&str, &[(&str, &str)]); 5] = [
        (&forged, &[("sec-fetch-site", "same-origin")]),
        (&form, &[("sec-fetch-site", "cross-site"), ("origin", &server.url)]),
        (&form, &[("origin", "https://evil.example")]),
        (&form, &[("origin", "null")]),
        (&form, &[]),
    ];
    for (body, headers) in foreign {
        let answer = Answer::of(post(body, headers).send().await.expect("an answer")).await.ends(403);
        assert!(answer.text().contains("Open the portal by its own address"));
    }
    let own = post(&form, &[("origin", &server.url)]).send().await.expect("an answer");
    Answer::of(own).await.ends(303);
}

#[tokio::test]
async fn guessing_passwords_is_limited() {
    let server = Server::start();
    add_user(&server, "eva");
    add_user(&server, "bob");
    let mut browser = Browser::new(&server);
    for _ in 0..5 {
        browser.log_in("eva", "a wrong password").await.ends(401);
    }
    let answer = browser.log_in("eva", PASSWORD).await.ends(429);
    assert!(answer.text().contains("Wait 15 minutes"));
    browser.log_in("bob", PASSWORD).await.ends(303);
}

#[tokio::test]
async fn a_new_password_ends_open_sessions() {
    let server = Server::start();
    add_user(&server, "eva");
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    browser.get("/").await.ends(200);
    add_user(&server, "eva");
    browser.get("/").await.ends(303);
}

#[tokio::test]
async fn the_pages_of_a_bundle() {
    let server = Server::start();
    add_user(&server, "eva");
    let device = server.enrolled().await;
    let bundle = sealed(&device, &Recipe::new(&server.card().await.recipient));
    let receipt = device.send_accepted(&server, &bundle).await;
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    let queue = browser.get("/").await.ends(200).text();
    for words in ["TS-453D", "Q123", "evidence: live run", &receipt.bundle_id] {
        assert!(queue.contains(words), "{words}: {queue}");
    }
    let path = format!("/bundles/{}", receipt.bundle_id);
    let page = browser.get(&path).await.ends(200).text();
    let overall = receipt.overall.expect("a verdict").words();
    for words in [
        overall,
        "The device said the same",
        "ssh-keygen -Y verify",
        "What to do",
        "Redaction",
        &receipt.bundle_sha256,
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // A file of the bundle, by its place in the list.
    let link = page.split("href=\"").map(|rest| rest.split('"').next().unwrap_or_default()).find(|link| {
        link.contains("/raw/")
            && page.contains(&format!("{link}\"><code>raw/sys/class/hwmon/hwmon0/fan1_min"))
    });
    let raw = browser.get(link.expect("a link to the file")).await.ends(200).text();
    assert!(raw.contains("fan1_min") && raw.contains("<td>500</td>"), "{raw}");
    browser.get(&format!("{path}/raw/99999")).await.ends(404);
    let download = browser.get(&format!("{path}/download")).await.ends(200);
    assert_eq!(download.body, bundle, "byte for byte as received");
    let name = format!("attachment; filename=\"{}.assay\"", receipt.bundle_id);
    assert_eq!(download.header("content-disposition"), name);
    let device_id = page.split("/devices/").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let page = browser.get(&format!("/devices/{device_id}")).await.ends(200).text();
    assert!(
        page.contains(&device.key.public().fingerprint().replace('+', "&#43;"))
            || page.contains(&device.key.public().fingerprint())
    );
    assert!(page.contains(&receipt.bundle_id));
    browser.get("/bundles/0190-none").await.ends(404);
    browser.get("/devices/none").await.ends(404);
}

#[tokio::test]
async fn what_a_bundle_says_is_text_and_nothing_else() {
    const EVIL: &str = "<script>alert(1)</script>\u{202e}\"onmouseover='x'\u{1b}[31m";
    let server = Server::start();
    add_user(&server, "eva");
    let device = Device::new(EVIL);
    let code = server.code(&[]);
    device.enrol(&server, &device.request(&code, &server.card().await)).await.ends(200);
    let recipe = Recipe::new(&server.card().await.recipient)
        .with("sys/class/dmi/id/product_name", EVIL)
        .with("sys/class/dmi/id/product_serial", EVIL)
        .with("sys/class/hwmon/hwmon0/name", EVIL)
        .with("sys/class/hwmon/hwmon0/fan1_label", EVIL);
    let receipt = device.send_accepted(&server, &sealed(&device, &recipe)).await;
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    let path = format!("/bundles/{}", receipt.bundle_id);
    let page = browser.get(&path).await.ends(200).text();
    let device_path = page.split("href=\"").find(|rest| rest.starts_with("/devices/")).expect("a link");
    let device_path = device_path.split('"').next().expect("a link").to_owned();
    let mut pages = vec![page.clone(), browser.get("/").await.text(), browser.get(&device_path).await.text()];
    let files = page.matches(&format!("{path}/raw/")).count();
    assert!(files > 5, "{page}");
    for index in 0..files.min(30) {
        let file = browser.get(&format!("{path}/raw/{index}")).await;
        if file.status == 200 {
            pages.push(file.text());
        }
    }
    assert!(pages.iter().any(|page| page.contains("[U+202E]")), "it is shown, made visible");
    for page in pages {
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
        assert!(!page.contains("\"onmouseover"), "{page}");
    }
}

#[tokio::test]
async fn a_slip_is_explained_and_is_no_evidence() {
    let server = Server::start();
    let device = server.enrolled().await;
    add_user(&server, "eva");
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    browser.get("/slip").await.ends(200);
    let csrf = browser.csrf.clone();
    let slip = Slip {
        format: 1,
        source: RunSource::Live,
        serial: Some("Q1\"><b>".to_owned()),
        model: None,
        summary: Summary {
            overall: Overall::DefectConfirmed,
            confirmed: 1,
            suspected: 0,
            watch: 0,
            cannot_tell: 0,
            top_codes: vec!["MD-001".to_owned(), "NEW-999".to_owned()],
        },
        made_unix_s: 1_800_000_000,
        key_id: device.key.public().fingerprint(),
    };
    let text = slip.to_text(&device.key).expect("acceptable");
    let page =
        browser.post("/slip", &[("csrf", &csrf), ("slip", &format!("{}/slip#{text}", server.url))]).await;
    let page = page.ends(200).text();
    let title = assay_diagnosis::explain("MD-001").expect("a rule").title;
    for words in [
        "Triage only: not evidence",
        "signed by the enrolled key",
        "another serial number",
        title,
        "NEW-999: not known",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("<b>"), "{page}");
    let stranger = SigningKey::generate().expect("a key");
    let key_id = stranger.public().fingerprint();
    let unknown = Slip { key_id, ..slip.clone() }.to_text(&stranger).expect("acceptable");
    let page = browser.post("/slip", &[("csrf", &csrf), ("slip", &unknown)]).await.ends(200).text();
    assert!(page.contains("UNKNOWN KEY"), "{page}");
    for wrong in
        [slip.to_text(&stranger).expect("acceptable"), text[..text.len() - 9].to_owned(), "hello".to_owned()]
    {
        browser.post("/slip", &[("csrf", &csrf), ("slip", &wrong)]).await.ends(422);
    }
    browser.post("/slip", &[("csrf", "wrong"), ("slip", &text)]).await.ends(403);
}

#[tokio::test]
async fn pasted_outputs_are_judged_and_not_kept() {
    const MDSTAT: &str = "Personalities : [raid1]\n\
        md1 : active raid1 sdb3[1](F) sda3[0]\n      100 blocks super 1.0 [2/1] [U_]\n";
    let server = Server::start();
    add_user(&server, "eva");
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    browser.get("/judge").await.ends(200);
    let csrf = browser.csrf.clone();
    let judged = browser.post("/judge", &[("csrf", &csrf), ("text", MDSTAT)]).await.ends(200).text();
    for words in ["MD-001", "no evidence for a shipment", "pasted: mdstat, 3 lines", "not pasted"] {
        assert!(judged.contains(words), "{words}: {judged}");
    }
    let evil = "smartctl 7.2 <script>alert(1)</script>\u{202e}\n=== START OF INFORMATION SECTION ===\n";
    let page = browser.post("/judge", &[("csrf", &csrf), ("text", evil)]).await.text();
    assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
    let unknown = browser.post("/judge", &[("csrf", &csrf), ("text", "hello")]).await.ends(200).text();
    assert!(unknown.contains("No output was recognised") && unknown.contains("mdstat"), "{unknown}");
    browser.post("/judge", &[("csrf", &csrf), ("text", "  ")]).await.ends(422);
    browser.post("/judge", &[("csrf", "wrong"), ("text", MDSTAT)]).await.ends(403);
    assert!(browser.get("/").await.text().contains("No device is enrolled yet"), "nothing is kept");
}

/// A health report as a device writes it.
fn health_report(device: &Device, device_id: &str) -> serde_json::Value {
    serde_json::json!({
        "format": 1,
        "key_id": device.key.public().fingerprint(),
        "device_id": device_id,
        "model": "TS-453D",
        "serial": "Q123",
        "device_time": "2026-11-22T13:30:00Z",
        "versions": { "agent": "0.1.0", "firmware": "5.2.0", "parser_set": 1, "rule_pack": 1 },
        "last_check": {
            "age_s": 60,
            "overall": "defect_suspected",
            "findings": [{ "code": "ASSAY-TEST-1", "verdict": "suspected", "count": 2 }],
            "cannot_tell": 0
        },
        "recovery_copy_age_s": null,
        "spool": { "waiting": 1, "refused": 0, "size_bytes": 5 },
        "daemon": { "runs": 9, "failures": 1, "crash_loops": 0 }
    })
}

#[tokio::test]
async fn a_health_report_is_shown_and_is_no_evidence() {
    let server = Server::start();
    let (device, other) = (server.enrolled().await, Device::new("Q9"));
    let opened = server.store().await;
    let store = opened.own();
    let known = store.device_by_key(&device.key.public().fingerprint()).await.unwrap().expect("the device");
    let call = |body: &serde_json::Value| Call {
        method: Method::POST,
        path: "/api/v1/reports".into(),
        body: Some(serde_json::to_vec(body).expect("plain data")),
        ..Call::default()
    };
    let good = health_report(&device, &known.id);
    // What the list does not name is not kept; what does not fit is refused.
    let mut more = good.clone();
    more["log"] = "sda: I/O error of admin@nas".into();
    device.call(&server, call(&more)).await.ends(204);
    let kept = store.reports_of_device(&known.id, 9).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(!kept[0].report.contains("log") && !kept[0].report.contains("admin"), "{}", kept[0].report);
    other.call(&server, call(&good)).await.refused(401, "unknown-key");
    let refused = [("format", 2.into()), ("device_id", "another".into()), ("serial", "a b/c".into())];
    let long = ("model", "x".repeat(20_000).into());
    for (key, value) in refused.into_iter().chain([long]) {
        let mut wrong = good.clone();
        wrong[key] = value;
        assert_eq!(device.call(&server, call(&wrong)).await.status, 400, "{key}");
    }
    for _ in 0..assay_portal::store::reports::KEPT {
        device.call(&server, call(&good)).await.ends(204);
    }
    let kept = store.reports_of_device(&known.id, 99).await.unwrap();
    assert_eq!(i64::try_from(kept.len()).unwrap(), assay_portal::store::reports::KEPT, "the newest are kept");

    add_user(&server, "eva");
    let mut browser = Browser::new(&server);
    browser.log_in("eva", PASSWORD).await.ends(303);
    let page = browser.get(&format!("/devices/{}", known.id)).await.ends(200).text();
    let words = ["Reported by the device", "no evidence", "2 ASSAY-TEST-1", "1 waiting, 0 refused"];
    for word in words {
        assert!(page.contains(word), "{word}: {page}");
    }
    let queue = browser.get("/").await.ends(200).text();
    assert!(!queue.contains("ASSAY-TEST-1"), "no case and no bundle comes of it");
}
