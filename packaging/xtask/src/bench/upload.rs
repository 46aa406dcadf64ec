//! Uploads to our portal beside `@tus/server` and nginx (WebDAV's PUT): the same bytes, by the same client, over TLS on
//! loopback, by turns in one run.
//!
//! The three do not do the same. Ours digests each part and the whole, and has both on the disk before it answers; the
//! others write to the page cache and digest nothing. The row says what that costs.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Limit;
use super::meter::median;
use crate::pair::{Pair, STEP};
use crate::{foreign, setup, sh};

/// What is uploaded, in bytes: random ones.
const BYTES: usize = 64 << 20;
/// Parts of an upload by tus, in bytes: the largest that our agent sends.
const PART: usize = 8 << 20;
/// Rounds that count.
const RUNS: usize = 5;
/// Our time as a part of `@tus/server`'s, at most: ahead of it.
const MOST_OF_TUS: f64 = 1.0;
/// Our time as a part of nginx's, at most: 60 % of its speed.
const MOST_OF_NGINX: f64 = 1.66;
/// What building the portal may take.
const BUILD: Duration = Duration::from_secs(1800);

/// Measures; returns the promises.
pub(super) fn run() -> Result<[Limit; 2]> {
    setup::ensure(setup::FOR_UPLOADS)?;
    let scripts = foreign::install()?;
    for name in ["bench.mjs", "sign.mjs"] {
        std::fs::copy(sh::root().join("tests/interop").join(name), scripts.join(name)).context(name)?;
    }
    let packages =
        ["build", "--release", "--locked", "--package", "assay-agent", "--package", "assay-portal"];
    sh::must(&mut sh::cargo(&packages), BUILD, true)?;
    let pair = Pair::new("release", "bench-upload")?;
    let (_portal, url) = pair.serve("Benchmark")?;
    pair.enrol(&url)?;
    let text = |name: &str| pair.folder.join(name).display().to_string();

    let (cert, key) = (text("cert.pem"), text("key.pem"));
    let own = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bench \
               -addext subjectAltName=IP:127.0.0.1 -keyout";
    let own: Vec<&str> = own.split_whitespace().chain([key.as_str(), "-out", cert.as_str()]).collect();
    sh::must(sh::command("openssl", &own).stderr(Stdio::null()), STEP, false)?;
    let trusted = [pair.ca(), pair.folder.join("cert.pem")].map(std::fs::read_to_string);
    let trusted = trusted.into_iter().collect::<std::io::Result<String>>().context("certificates")?;
    std::fs::write(pair.folder.join("trusted.pem"), trusted).context("trusted.pem")?;

    let node = |role: &str, task: &Value| {
        let mut command = sh::command("node", &["bench.mjs", role, &task.to_string()]);
        command.current_dir(&scripts).env("NODE_EXTRA_CA_CERTS", text("trusted.pem"));
        command
    };
    let theirs = json!({"folder": text("tus"), "key": key, "cert": cert});
    let (_tus, tus) = sh::serve(&mut node("serve", &theirs), "listening on ", STEP)?;
    let (_nginx, nginx) = nginx(&pair.folder)?;

    let identity = text("device/identity/device.key");
    let said = sh::must(&mut sh::command("ssh-keygen", &["-lf", &identity]), STEP, false)?;
    let task = json!({
        "bytes": BYTES, "part": PART, "runs": RUNS,
        "portal": url, "tus": tus, "nginx": nginx,
        "key": identity, "key_id": said.split(' ').nth(1).context("the device's key")?,
    });
    let said = sh::must(&mut node("send", &task), Duration::from_secs(600), false)?;
    let took: Value = serde_json::from_str(said.trim()).context("the client's numbers")?;
    let ms = |name: &str| -> Result<f64> {
        let runs = took[name].as_array().context("runs")?.iter().filter_map(Value::as_f64);
        Ok(median(runs.map(|ms| Duration::from_secs_f64(ms / 1e3)).collect()).as_secs_f64() * 1e3)
    };
    let (ours, tus, nginx) = (ms("portal")?, ms("tus")?, ms("nginx")?);
    sh::say(&format!(
        "\n{:<44} {:>9} {:>9}",
        format!("64 MiB over TLS, median of {RUNS}"),
        "wall ms",
        "MB/s"
    ));
    for (name, ms) in [("assay-portal", ours), ("@tus/server, file store", tus), ("nginx, PUT", nginx)] {
        sh::say(&format!("{name:<44} {ms:>9.0} {:>9.0}", BYTES as f64 / 1e3 / ms));
    }
    let _ = std::fs::remove_dir_all(&pair.folder);
    Ok([
        Limit("upload, our time / @tus/server's", ours / tus, MOST_OF_TUS),
        Limit("upload, our time / nginx's", ours / nginx, MOST_OF_NGINX),
    ])
}

/// Starts nginx with a folder that takes PUT; its address.
fn nginx(folder: &Path) -> Result<(sh::Running, String)> {
    // It takes no port 0: one that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("a free port")?.port();
    let here = folder.display();
    let text = format!(
        "daemon off; master_process off; pid {here}/nginx.pid; error_log {here}/nginx.log;\n\
         events {{}}\n\
         http {{ access_log off; client_max_body_size 0; client_body_temp_path {here}/nginx-parts;\n\
         proxy_temp_path {here}/t1; fastcgi_temp_path {here}/t2; uwsgi_temp_path {here}/t3; scgi_temp_path {here}/t4;\n\
         server {{ listen 127.0.0.1:{port} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;\n\
         root {here}/nginx-files; location / {{ dav_methods PUT; }} }} }}\n"
    );
    std::fs::create_dir_all(folder.join("nginx-files")).context("a folder for nginx")?;
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text).context("nginx.conf")?;
    let options = ["-p".to_owned(), here.to_string(), "-c".to_owned(), file.display().to_string()];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut running = sh::Running::start(&mut sh::command("nginx", &options))?;
    let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let begun = std::time::Instant::now();
    while !up() {
        let ended = running.child.try_wait().context("nginx")?;
        anyhow::ensure!(ended.is_none() && begun.elapsed() < STEP, "nginx did not start: {ended:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok((running, format!("https://127.0.0.1:{port}")))
}
