//! `cargo xtask demo`: the main job on this machine's real hardware with embedded defaults, then one recorded
//! defective device, marked as such. Stays up until Ctrl-C; `--once` checks through the portal's own pages that both
//! bundles arrived and verified, and ends.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::pair::{Pair, STEP};
use crate::{setup, sh};

/// How to run it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after checking that everything arrived and verified
    #[arg(long)]
    once: bool,
}

/// The recorded device that is shown beside this machine.
const RECORDED: &str = "tests/devices/ts-873a-drive-failing";
/// Engineer's name in the demo.
const ENGINEER: &str = "engineer";

/// Runs the demo.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(setup::FOR_DEMO)?;
    sh::say("building the agent and the portal (some minutes the first time)");
    sh::must(
        &mut sh::cargo(&["build", "--package", "assay-agent", "--package", "assay-portal", "--locked"]),
        Duration::from_secs(1500),
        true,
    )?;
    let demo = Pair::new("debug", "demo")?;

    let password = new_password()?;
    let file = demo.folder.join("password");
    std::fs::write(&file, &password).context("target/demo/password")?;
    let mut user = demo.portal(&["user", "add", ENGINEER, "--password-stdin"]);
    let text = std::fs::File::open(&file).context("target/demo/password")?;
    let status =
        user.stdin(text).stdout(std::process::Stdio::null()).status().context("assay-portal user add")?;
    if !status.success() {
        bail!("`assay-portal user add` failed");
    }
    let (portal, url) = demo.serve("Assay demo")?;
    sh::say(&format!("portal: {url}"));
    demo.enrol(&url)?;

    sh::say("\n== what this machine says");
    let check = sh::run(&mut demo.assay(&["check"]), STEP, true)?;
    if !matches!(check.code, Some(0..=2)) {
        bail!("`assay check` failed with {:?}", check.code);
    }
    sh::say("\n== its bundle: read again, sealed, signed, encrypted, sent");
    let live = sh::run(&mut demo.assay(&["collect"]), STEP, true)?;
    if !matches!(live.code, Some(0..=2)) {
        bail!("`assay collect` failed with {:?}", live.code);
    }
    sh::must(&mut demo.assay(&["upload"]), STEP, true)?;

    sh::say(&format!("\n== a recorded defective device ({RECORDED}): never evidence, marked as such"));
    let recorded = demo.folder.join("recorded.assay").display().to_string();
    let shown = sh::run(&mut demo.assay(&["collect", "--source", RECORDED, "-o", &recorded]), STEP, true)?;
    if !matches!(shown.code, Some(0..=2)) {
        bail!("`assay collect --source {RECORDED}` failed with {:?}", shown.code);
    }
    sh::must(&mut demo.assay(&["upload", &recorded]), STEP, true)?;

    let seen = look(&demo.folder, &url, &demo.ca())?;
    sh::say("\n== what the engineer sees");
    seen.iter().for_each(|line| sh::say(&format!("  {line}")));
    sh::say(&format!("\nqueue: {url}/\nlogin: {ENGINEER} / {password}"));
    sh::say(
        "the certificate is self-made: the browser will warn once; compare with target/demo/portal/ca.pem",
    );
    if args.once {
        drop(portal);
        sh::say("demo: both bundles arrived and verified");
        return Ok(());
    }
    sh::say("up until Ctrl-C");
    wait(portal)
}

fn wait(mut portal: sh::Running) -> Result<()> {
    let status = portal.child.wait().context("the portal")?;
    bail!("the portal ended by itself with {status}; see target/demo/portal.log")
}

/// A password from the system's randomness.
fn new_password() -> Result<String> {
    use std::io::Read;
    let mut bytes = [0_u8; 12];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).context("/dev/urandom")?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Looks at the portal's own pages as an engineer, through curl: logs in, reads the queue, opens each bundle.
fn look(folder: &Path, url: &str, ca: &Path) -> Result<Vec<String>> {
    let jar = folder.join("cookies");
    let curl = |args: &[&str]| -> Result<String> {
        let mut command = sh::command(
            "curl",
            &["--silent", "--show-error", "--fail-with-body", "--location", "--max-time", "30"],
        );
        command.arg("--cacert").arg(ca).arg("--cookie").arg(&jar).arg("--cookie-jar").arg(&jar).args(args);
        sh::must(&mut command, Duration::from_secs(60), false)
    };
    let login = curl(&[&format!("{url}/login")])?;
    let csrf = login
        .split("name=\"csrf\"")
        .nth(1)
        .and_then(|rest| rest.split("value=\"").nth(1))
        .and_then(|rest| rest.split('"').next())
        .context("the login page has no CSRF field")?
        .to_owned();
    let origin = format!("Origin: {url}");
    let password = format!("password@{}", folder.join("password").display());
    let name = format!("user={ENGINEER}");
    let csrf = format!("csrf={csrf}");
    curl(&[
        "--header",
        &origin,
        "--data-urlencode",
        &name,
        "--data-urlencode",
        &password,
        "--data-urlencode",
        &csrf,
        &format!("{url}/login"),
    ])?;
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let queue = curl(&[&format!("{url}/")])?;
        let mut bundles: Vec<&str> = queue
            .split("href=\"/bundles/")
            .skip(1)
            .filter_map(|rest| rest.split(['"', '/', '?', '#']).next())
            .collect();
        bundles.sort_unstable();
        bundles.dedup();
        if bundles.len() >= 2 {
            let pages: Vec<String> =
                bundles.iter().map(|id| curl(&[&format!("{url}/bundles/{id}")])).collect::<Result<_>>()?;
            let has = |page: &String, word: &str| page.to_lowercase().contains(word);
            let evidence =
                pages.iter().filter(|p| has(p, "<h2>verified</h2>") && !has(p, "not evidence")).count();
            let shown =
                pages.iter().filter(|p| has(p, "<h2>verified</h2>") && has(p, "not evidence")).count();
            if evidence != 1 || shown != 1 {
                bail!(
                    "expected one verified live bundle and one verified recorded one; the pages show {evidence} and \
                     {shown}"
                );
            }
            if !pages.iter().any(|p| has(p, "defect confirmed")) {
                bail!("the recorded device's confirmed defect is not on its page");
            }
            return Ok(bundles
                .iter()
                .zip(&pages)
                .map(|(id, page)| {
                    let kind = if has(page, "not evidence") {
                        "recorded, not evidence"
                    } else {
                        "live, signature verified"
                    };
                    format!("{url}/bundles/{id}  {kind}")
                })
                .collect());
        }
        if Instant::now() > end {
            bail!("only {} of 2 bundles are in the queue after 90 s", bundles.len());
        }
        std::thread::park_timeout(Duration::from_millis(300));
    }
}
