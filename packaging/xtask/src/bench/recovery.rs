//! The rows about recovery copies: our agent beside `tar | zstd -3 | age` over the same trees, by turns in one run.
//!
//! A pipe ends when the last byte was handed over; a copy of ours ends when it lies on the disk and was read back from
//! there. So there are two pairs: both to a pipe, and both flushed and read back. What our whole copy takes beside the
//! bare pipe is shown as well, and is no limit. Memory is what the processes asked for: pages of files, which the kernel
//! shares and takes back as it likes, stand beside it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::meter::{self, Time, median};
use super::{Limit, judge};
use crate::sh;

/// Runs of each row.
const RUNS: usize = 7;
/// Least speed of ours, as a part of the stock pipeline's; kept as the time that ours may take at most.
const LEAST_SPEED: f64 = 0.70;
/// Most memory, in MB (10^6 bytes).
const MOST_PEAK_MB: f64 = 12.0;
/// How long making a key may take.
const KEY_LIMIT: Duration = Duration::from_secs(60);

/// The same bytes on every machine (SplitMix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or_default()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(count).collect()
    }

    /// Lines as configurations have them.
    fn text(&mut self, count: usize) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "enable",
            "=",
            "TRUE",
            "FALSE",
            "[System]",
            "Version",
            "5.2.0",
            "path",
            "/share/Public",
            "volume",
            "network",
            "192.168.1.10",
            "user",
            "admin",
            "#",
            "service",
        ];
        let mut text = Vec::with_capacity(count + 16);
        while text.len() < count {
            for _ in 0..8 {
                text.extend_from_slice(WORDS.get(self.below(WORDS.len())).unwrap_or(&"=").as_bytes());
                text.push(b' ');
            }
            text.extend_from_slice(format!("{}\n", self.next() % 1_000_000).as_bytes());
        }
        text.truncate(count);
        text
    }
}

/// 20,000 small files of a configuration, 60 MB of logs and 40 MB that do not compress.
fn mixed(top: &Path, noise: &mut Noise) -> Result<()> {
    let text = noise.text(4 << 20);
    for number in 0..20_000_usize {
        let folder = top.join(format!("d{}", number % 150));
        if number < 150 {
            fs::create_dir_all(&folder)?;
        }
        let (at, size) = (noise.below(3 << 20), 200 + noise.below(7_800));
        fs::write(folder.join(format!("f{number}.conf")), text.get(at..at + size).unwrap_or_default())?;
    }
    for number in 0..6 {
        fs::write(top.join(format!("log{number}")), noise.text(10 << 20))?;
    }
    for number in 0..4 {
        fs::write(top.join(format!("store{number}")), noise.bytes(10 << 20))?;
    }
    Ok(())
}

/// 300 MB that do not compress.
fn dense(top: &Path, noise: &mut Noise) -> Result<()> {
    for number in 0..3 {
        let mut file = File::create(top.join(format!("large{number}")))?;
        for _ in 0..100 {
            file.write_all(&noise.bytes(1_000_000))?;
        }
    }
    Ok(())
}

/// One tree with everything that is run over it.
struct Bench<'a> {
    folder: &'a Path,
    assay: &'a Path,
    tree: PathBuf,
    recipient: &'a str,
}

impl Bench<'_> {
    fn shell(&self, line: &str) -> Command {
        let mut command = sh::command(Path::new("bash"), &["-o", "pipefail", "-c", line]);
        command.current_dir(self.folder);
        command
    }

    fn pipe(&self) -> String {
        format!("tar -C {} -cf - etc | zstd -q -3 | age -r {}", self.tree.display(), self.recipient)
    }

    fn ours(&self, to: &str) -> Command {
        let (tree, state) =
            (self.tree.display().to_string(), self.folder.join("state").display().to_string());
        let line = [
            "backup",
            "create",
            "--root",
            &tree,
            "--recipient",
            self.recipient,
            "-o",
            to,
            "--state-dir",
            &state,
        ];
        let mut command = sh::command(self.assay, &line);
        command.current_dir(self.folder);
        command
    }

    /// Time of one run, which has to end well; what it made is removed before.
    fn time(&self, command: &mut Command) -> Result<Time> {
        for name in ["copy.tar.zst.age", "copy.json", "out"] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        let time = meter::time(command, &self.folder.join("out"))?;
        let made = fs::metadata(self.folder.join("copy.tar.zst.age")).map_or(0, |meta| meta.len());
        if time.bytes.max(made) < 1_000_000 {
            bail!("a measured copy holds next to nothing: it failed");
        }
        Ok(time)
    }

    fn rows(&self) -> Result<[Time; 4]> {
        let flushed = format!(
            "{} > copy.tar.zst.age && sync copy.tar.zst.age \
             && dd if=copy.tar.zst.age iflag=nocache count=0 status=none && sha256sum copy.tar.zst.age",
            self.pipe()
        );
        let mut times: [Vec<Time>; 4] = Default::default();
        for _ in 0..RUNS {
            // By turns, so that a machine that is busy for a while is so for all.
            let runs = [
                self.time(&mut self.shell(&self.pipe()))?,
                self.time(&mut self.ours("-"))?,
                self.time(&mut self.shell(&flushed))?,
                self.time(&mut self.ours("copy.tar.zst.age"))?,
            ];
            for (all, one) in times.iter_mut().zip(runs) {
                all.push(one);
            }
        }
        Ok(times.map(|all| Time {
            wall: median(all.iter().map(|time| time.wall).collect()),
            cpu: median(all.iter().map(|time| time.cpu).collect()),
            bytes: median(all.iter().map(|time| time.bytes).collect()),
        }))
    }

    /// Peaks in kB of all processes of ours together: without the pages of files, and with them.
    fn peak(&self) -> Result<(u64, u64)> {
        let _ = fs::remove_file(self.folder.join("copy.tar.zst.age"));
        let mut child = self
            .ours("copy.tar.zst.age")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("assay does not start")?;
        let mut peaks = std::collections::BTreeMap::<u32, (u64, u64)>::new();
        while !meter::is_zombie(child.id()) {
            let below =
                fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
            let below = below.split_whitespace().filter_map(|pid| pid.parse().ok());
            for pid in below.chain([child.id()]) {
                let field = |key| meter::field(pid, "status", key).unwrap_or(0);
                let (high, files) = (field("VmHWM:"), field("RssFile:"));
                let one = peaks.entry(pid).or_default();
                *one = (one.0.max(high.saturating_sub(files)), one.1.max(high));
            }
            std::thread::park_timeout(Duration::from_micros(500));
        }
        child.wait().context("wait")?;
        Ok(peaks.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)))
    }
}

/// Measures and prints; which promises were missed.
pub(super) fn run(folder: &Path, assay: &Path) -> Result<Vec<&'static str>> {
    fs::create_dir_all(folder).context("the folder of the benchmark")?;
    let key = folder.join("key.txt").display().to_string();
    sh::must(&mut sh::command(Path::new("age-keygen"), &["-o", &key]), KEY_LIMIT, false)?;
    let made = fs::read_to_string(&key).context("the key")?;
    let recipient = made.lines().find_map(|line| line.strip_prefix("# public key: ")).context("the key")?;
    let mut limits = Vec::new();
    for (name, speed, proven, peak, make) in [
        (
            "20,000 small files and 100 MB of large ones",
            "mixed tree, stock's speed / ours, pipe",
            "mixed tree, the same, read back",
            "mixed tree, peak MB without pages of files",
            mixed as fn(&Path, &mut Noise) -> Result<()>,
        ),
        (
            "300 MB that do not compress",
            "dense tree, stock's speed / ours, pipe",
            "dense tree, the same, read back",
            "dense tree, peak MB without pages of files",
            dense,
        ),
    ] {
        let tree = folder.join(if limits.is_empty() { "mixed" } else { "dense" });
        fs::create_dir_all(tree.join("etc")).context("a tree")?;
        make(&tree.join("etc"), &mut Noise(7)).context("a tree")?;
        let bench = Bench { folder, assay, tree, recipient };
        let rows = bench.rows()?;
        sh::say("");
        sh::say(&format!("{:<60} {:>10} {:>10}", format!("{name}, median of {RUNS}"), "wall ms", "CPU ms"));
        let names = [
            "tar | zstd -3 | age",
            "assay backup create -o -",
            "tar | zstd -3 | age, flushed and read back",
            "assay backup create -o FILE, flushed and read back",
        ];
        for (name, row) in names.iter().zip(&rows) {
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            sh::say(&format!("{name:<60} {:>10.0} {:>10.0}", ms(row.wall), ms(row.cpu)));
        }
        let [pipe, ours, flushed, whole] = rows.map(|row| row.wall.as_secs_f64().max(1e-6));
        sh::say(&format!("our whole copy / the bare pipe, speed: {:.2}", pipe / whole));
        sh::say(&format!(
            "speed of ours as a part of stock's: pipe {:.2}, read back {:.2}",
            pipe / ours,
            flushed / whole
        ));
        let (own_kib, all_kib) = bench.peak()?;
        sh::say(&format!("peak with pages of files: {:.1} MB", all_kib as f64 * 1.024e-3));
        limits.push(Limit(speed, ours / pipe, 1.0 / LEAST_SPEED));
        limits.push(Limit(proven, whole / flushed, 1.0 / LEAST_SPEED));
        limits.push(Limit(peak, own_kib as f64 * 1.024e-3, MOST_PEAK_MB));
        let _ = fs::remove_dir_all(&bench.tree);
    }
    Ok(judge(&limits))
}
