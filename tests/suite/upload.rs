//! The upload between the real binaries: kills, a line that is always cut, a portal that is restarted. What a single
//! answer or a single failure does is tested beside the code (`uploader/src/tus/tests.rs`).

mod big_bundle;
pub(crate) mod cutting_proxy;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assay_bundle::digest::sha256_hex;
use assay_bundle::keys::SigningKey;
use assay_uploader::{Entry, Spool, SpoolEntry, SpoolLimits, State};
use serde_json::Value;

use self::cutting_proxy::CuttingProxy;
use crate::support::{Guarded, Rng, binary, replay, skip, wait_for};

/// Longer than anything here may take on a busy machine; nothing waits for it.
const CEILING: Duration = Duration::from_secs(120);

/// A portal and a device enrolled at it, each with a folder of its own.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) portal: Option<Guarded>,
    pub(crate) url: String,
}

impl Bench {
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("assay-upload").tempdir().expect("a folder");
        let mut bench = Self { folder, portal: None, url: String::new() };
        bench.serve("127.0.0.1:0");
        bench.enrol();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn portal_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("assay-portal"));
        command.env_clear().env("PATH", "/usr/bin:/bin").arg("--data-dir").arg(self.path("portal"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    fn serve(&mut self, listen: &str) {
        let log = File::options().create(true).append(true).open(self.path("portal.log")).expect("a log");
        let mut command = self.portal_command(&["serve", "--listen", listen, "--self-signed"]);
        let mut child =
            Guarded(command.stdout(Stdio::piped()).stderr(log).spawn().expect("the portal starts"));
        let out = BufReader::new(child.0.stdout.take().expect("its output"));
        let line = out.lines().map_while(Result::ok).find(|line| line.contains("listening on "));
        let line = line.unwrap_or_else(|| panic!("no portal: {}", self.log()));
        self.url = line.rsplit("listening on ").next().expect("an address").trim().to_owned();
        self.portal = Some(child);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("portal.log")).unwrap_or_default()
    }

    fn assay(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("assay"));
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .args(arguments)
            .arg("--state-dir")
            .arg(self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end; what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        finish(self.assay(arguments))
    }

    fn enrol(&self) {
        let told = finish(self.portal_command(&["enroll-code"]));
        let field = |name: &str| -> String {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {told}")).trim().to_owned()
        };
        let (code, fingerprint) = (field("code "), field("fingerprint "));
        let ca = self.path("portal/ca.pem");
        let ca = ca.to_str().expect("a plain path");
        let url = &self.url;
        self.run(&[
            "enroll",
            "--portal",
            url,
            "--code",
            &code,
            "--fingerprint",
            &fingerprint,
            "--ca-file",
            ca,
        ]);
    }

    fn spool(&self) -> Spool {
        Spool::open(&self.path("state/spool"), SpoolLimits::default()).expect("the device's spool")
    }

    pub(crate) fn only_entry(&self) -> Entry {
        let mut entries = self.spool().entries().expect("a readable spool");
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }

    pub(crate) fn device_key(&self) -> SigningKey {
        let text = fs::read_to_string(self.path("state/identity/device.key")).expect("the device's key");
        SigningKey::from_openssh(&text).expect("the device's key")
    }

    /// Puts a bundle of this machine with so many random bytes into the spool; its digest and size.
    pub(crate) fn spool_noise(&self, noise: usize) -> (String, u64) {
        let plain = self.path("live.assay");
        let _ = fs::remove_file(&plain);
        self.run(&["collect", "-o", plain.to_str().expect("a plain path")]);
        let read =
            |name: &str| fs::read_to_string(self.path("state/identity").join(name)).expect("the identity");
        let key = self.device_key();
        let enrolment: Value = serde_json::from_str(&read("enrolment.json")).expect("the enrolment");
        let recipient = enrolment["card"]["recipient"].as_str().expect("a recipient");
        let slot = self.spool().begin().expect("room");
        big_bundle::make(&plain, slot.sealed_path(), &key, recipient, noise);
        let entry = slot.commit(SpoolEntry { seq: 1, ..SpoolEntry::default() }).expect("committed");
        let size_bytes = entry.meta.size_sealed_bytes.expect("a size");
        (entry.meta.sha256_sealed.expect("a digest"), size_bytes)
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("portal").join(folder)];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(&folder).expect("a folder of the portal").flatten() {
                if item.path().is_dir() { folders.push(item.path()) } else { found.push(item.path()) }
            }
        }
        found
    }

    /// Parts that the portal is receiving now.
    fn parts(&self) -> Vec<PathBuf> {
        let is_part = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "part");
        self.files("uploads").into_iter().filter(is_part).collect()
    }

    /// Bytes that the portal has committed of the one upload.
    fn committed_bytes(&self) -> u64 {
        let uploads = self.files("uploads");
        let whole = uploads.iter().filter(|path| path.extension().is_none());
        whole.map(|path| fs::metadata(path).map_or(0, |data| data.len())).sum()
    }

    /// Nothing lost, nothing doubled: one object, of exactly these bytes, and a receipt that says so.
    fn arrived_once(&self, sha256: &str) {
        let State::Done { receipt } = self.only_entry().meta.state else {
            panic!("not accepted: {:?}\n{}", self.only_entry(), self.log())
        };
        let receipt: Value = serde_json::from_str(&receipt.receipt).expect("a receipt");
        assert_eq!(
            (receipt["bundle_sha256"].as_str(), receipt["status"].as_str()),
            (Some(sha256), Some("accepted"))
        );
        let objects = self.files("objects");
        assert_eq!(objects.len(), 1, "{objects:?}");
        assert_eq!(sha256_hex(&fs::read(&objects[0]).expect("the object")), sha256);
        for folder in ["uploads", "quarantine"] {
            assert_eq!(self.files(folder), Vec::<PathBuf>::new(), "left behind in {folder}");
        }
    }
}

/// Runs a command to its end, which must be a success.
fn finish(mut command: Command) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
    let status = Guarded(command.spawn().expect("the program starts")).wait(CEILING);
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    // `collect` tells its verdict by 0, 1 and 2; everything else here ends with 0 or fails with 3 or 64.
    assert!(status.code().is_some_and(|code| code < 3), "{status}: {}{}", read(&out), read(&err));
    read(&out)
}

/// The most memory that a process has had so far.
fn peak_memory_kib(process: &Guarded) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).expect("a living process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The promise of the uploader, whole: 64 MiB of noise through a proxy that ends every connection after 300 KB, while
/// the uploading process is killed twenty times, at least fifteen of them with half a part on the portal's disk.
#[test]
fn sixty_four_mebibytes_survive_twenty_kills_and_a_cutting_proxy() {
    const NOISE: usize = 64 << 20;
    const KILLS: u32 = 20;
    const INSIDE_A_PART: u32 = 15;
    const CUT_AFTER: u64 = 300_000;
    /// An unoptimised agent needs about half of it; the bundle is twice as large.
    const MOST_MEMORY_KIB: u64 = 32 << 10;

    let name = "upload::sixty_four_mebibytes_survive_twenty_kills_and_a_cutting_proxy";
    println!("{}", replay(name));
    let bench = Bench::start();
    let (sha256, size_bytes) = bench.spool_noise(NOISE);
    assert!(size_bytes > NOISE as u64, "the noise was compressed: {size_bytes}");
    let proxy = CuttingProxy::start(CUT_AFTER);
    let proxy_url = format!("http://{}", proxy.address);
    let mut random = Rng::new(0x20);
    let begun = Instant::now();

    let (mut inside, mut urls, mut peak_kib) = (0, Vec::new(), 0);
    for kill in 0..KILLS {
        // Anywhere in a connection but its beginning, which is the handshake and the questions.
        proxy.hold_at(20_000 + random.below(CUT_AFTER - 40_000));
        let mut uploading = Guarded(
            bench
                .assay(&["upload", "--proxy", &proxy_url])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the program starts"),
        );
        wait_for("a connection in the middle of its bytes", CEILING, || {
            let ended = uploading.0.try_wait().expect("our child");
            assert!(
                ended.is_none(),
                "kill {kill}: it ended before it was killed: {ended:?}\n{}",
                bench.log()
            );
            proxy.is_holding().then_some(())
        });
        // Nothing moves now. The portal is inside a part when a part of it lies on its disk.
        // A busy one needs a moment for it; a hold between two parts costs the whole of it.
        let settled = Instant::now() + Duration::from_secs(3);
        let in_part = wait_for("the portal to see what was forwarded", CEILING, || {
            let seen = !bench.parts().is_empty();
            (seen || Instant::now() > settled).then_some(seen)
        });
        let committed = bench.committed_bytes();
        peak_kib = peak_kib.max(peak_memory_kib(&uploading));
        uploading.0.kill().expect("our child");
        assert_eq!(uploading.wait(CEILING).signal(), Some(9));
        proxy.release();
        wait_for("the portal to give the part up", CEILING, || bench.parts().is_empty().then_some(()));
        if in_part {
            inside += 1;
            assert_eq!(bench.committed_bytes(), committed, "a part that broke was committed");
        }
        let State::Uploading { url, .. } = bench.only_entry().meta.state else {
            panic!("kill {kill}: {:?}", bench.only_entry())
        };
        urls.push(url);
    }
    urls.dedup();
    assert_eq!(urls.len(), 1, "the upload was begun again: {urls:?}");
    assert!(inside >= INSIDE_A_PART, "only {inside} of {KILLS} kills were inside a part");

    let killed = begun.elapsed();
    let told = bench.run(&["upload", "--proxy", &proxy_url]);
    assert!(told.contains("accepted"), "{told}");
    bench.arrived_once(&sha256);
    let sent = proxy.up_bytes();
    println!(
        "{inside} of {KILLS} kills inside a part, {} cuts, {sent} bytes sent for {size_bytes} ({:.2}x), peak {peak_kib} KiB, {:.1} s of which {:.1} s with kills",
        proxy.cuts(),
        sent as f64 / size_bytes as f64,
        begun.elapsed().as_secs_f64(),
        killed.as_secs_f64(),
    );
    assert!(peak_kib <= MOST_MEMORY_KIB, "{peak_kib} KiB: the bundle went through memory");
    assert!(proxy.cuts() > 50, "the proxy cut only {} times", proxy.cuts());
    assert!(sent <= 2 * size_bytes, "{sent} bytes were sent for {size_bytes}");
}

/// A portal that is killed in the middle of a part, and again while it reads, comes back to the same upload.
#[test]
fn a_killed_portal_costs_a_part_and_no_bundle() {
    let mut bench = Bench::start();
    let (sha256, size_bytes) = bench.spool_noise(4 << 20);
    let proxy = CuttingProxy::start(u64::MAX);
    let proxy_url = format!("http://{}", proxy.address);
    let listen = bench.url.trim_start_matches("https://").to_owned();
    proxy.hold_at(1_500_000);
    let mut uploading = Guarded(
        bench
            .assay(&["upload", "--proxy", &proxy_url])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts"),
    );
    wait_for("a connection in the middle of its bytes", CEILING, || proxy.is_holding().then_some(()));
    bench.portal = None;
    proxy.release();
    bench.serve(&listen);
    assert_eq!(uploading.wait(CEILING).code(), Some(0), "{}", bench.log());
    bench.arrived_once(&sha256);
    assert!(proxy.up_bytes() <= 2 * size_bytes);
}

/// What waits on a volume without room, and then on one that went read-only, still reaches the portal.
#[test]
fn a_full_or_read_only_volume_does_not_keep_a_bundle() {
    let name = "upload::a_full_or_read_only_volume_does_not_keep_a_bundle";
    let bench = Bench::start();
    let spool = bench.path("state/spool");
    fs::create_dir_all(&spool).expect("a folder");
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "assay-test"]).arg(&spool).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    };
    if !mount("size=1m") {
        return skip(name, "this machine lets us mount nothing");
    }
    let _mounted = Mounted(&spool);
    let (sha256, _) = bench.spool_noise(200 << 10);
    let filler = spool.join(".filler");
    let full = fs::write(&filler, vec![0; 2 << 20]).expect_err("a full volume");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    bench.run(&["upload"]);
    bench.arrived_once(&sha256);

    fs::remove_file(&filler).expect("removable");
    bench.spool_noise(10);
    assert!(mount("remount,ro"), "the volume turns read-only");
    for _ in 0..2 {
        let told = bench.run(&["upload"]);
        assert!(told.contains("accepted"), "{told}");
    }
    assert_eq!(bench.files("objects").len(), 2, "the second run only asked");
}

/// A file system of this test, gone with it.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// The proxy of the environment is used, but not by a CGI program: there a visitor's header would be the proxy.
#[test]
fn a_visitor_sets_no_proxy() {
    let bench = Bench::start();
    let proxy = CuttingProxy::start(u64::MAX);
    for (request_method, through_proxy) in [(Some("GET"), false), (None, true)] {
        bench.spool_noise(10);
        let before = proxy.up_bytes();
        let mut command = bench.assay(&["upload"]);
        command.env("HTTPS_PROXY", format!("http://{}", proxy.address));
        command.envs(request_method.map(|method| ("REQUEST_METHOD", method)));
        assert!(finish(command).contains("accepted"));
        assert_eq!(proxy.up_bytes() > before, through_proxy, "{request_method:?}");
    }
}
