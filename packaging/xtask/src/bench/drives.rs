//! The rows about drives: our agent, a plain loop of smartctl, sosreport and node_exporter over the same 24 drives, one
//! after the other in one run. What cannot be measured here has a row that says why.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::machine::{Machine, names};
use super::meter::{self, Memory, Time};
use super::{Limit, MIB_OF_KIB};
use crate::sh;

/// Collection and diagnosis of 24 drives that answer at once, beyond what their smartctl takes alone.
const MOST_BEYOND_SMARTCTL_MS: f64 = 60.0;
/// Peak memory of our process meanwhile, in MB.
const MOST_CHECK_PEAK_MB: f64 = 10.0;
/// 24 drives of two seconds each on one controller.
const MOST_SLOW_DRIVES_S: f64 = 5.0;

/// Drives that the agent asks at once on one controller; the loop that it is compared with does the same.
const AT_ONCE: usize = 12;
/// Runs that look at memory.
const MEMORY_RUNS: usize = 3;
/// How long the slowest of them may take.
const LIMIT: Duration = Duration::from_secs(300);

/// sosreport's plugins that read hardware.
const SOS_PLUGINS: &str = "ata,block,devices,hardware,md,memory,nvme,pci,processor,scsi,udev,usb";

/// One row of the table.
struct Row {
    name: &'static str,
    time: Time,
    memory: Option<Memory>,
}

/// Measures inside of the machine's name space and prints the table and the limits.
pub(super) fn run(machine: &Machine, assay: &Path, runs: usize) -> Result<Vec<&'static str>> {
    let bench = Bench { machine, assay };
    sh::say("");
    sh::say(&format!(
        "{:<44} {:>10} {:>10} {:>9} {:>9} {:>10}",
        "24 drives that answer at once, median", "wall ms", "CPU ms", "peak MiB", "tree MiB", "bytes"
    ));
    // By turns, so that a machine that is busy for a while is so for both.
    let (mut alone, mut checks) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        alone.push(meter::time_of(|| bench.smartctl_alone())?);
        checks.push(bench.time(&mut bench.check())?);
    }
    let alone = Row { name: "smartctl alone, 12 at once", time: middle(&alone), memory: None };
    let check = Row {
        name: "assay check --json",
        time: middle(&checks),
        memory: Some(most(MEMORY_RUNS, || meter::memory(&mut bench.check()))?),
    };
    let (wall, peak) = (check.time.wall, check.memory.unwrap_or_default().process_kib);
    let beyond = wall.saturating_sub(alone.time.wall);
    show(&alone);
    show(&check);
    for (name, row) in [
        ("assay collect -o FILE", bench.collect(runs)),
        ("smartctl -x --json, one by one", bench.plain_loop(runs)),
        ("node_exporter, start and one scrape", bench.node_exporter()),
        ("sosreport, hardware plugins", bench.sosreport()),
    ] {
        match row {
            Ok(row) => show(&row),
            Err(error) => sh::say(&format!("{name:<44} not measured: {error:#}")),
        }
    }
    machine.set_slow(true)?;
    let slow = bench.time(&mut bench.check())?;
    let plain = bench.time(&mut bench.one_by_one());
    machine.set_slow(false)?;
    show(&Row { name: "assay check --json, drives of 2 s", time: slow, memory: None });
    show(&Row { name: "smartctl, one by one, drives of 2 s", time: plain?, memory: None });
    sh::say("");
    Ok(super::judge(&[
        Limit("check of 24 drives, ms beyond smartctl", beyond.as_secs_f64() * 1e3, MOST_BEYOND_SMARTCTL_MS),
        Limit("check of 24 drives, peak MB", peak as f64 * 1.024e-3, MOST_CHECK_PEAK_MB),
        Limit("check of 24 drives of 2 s, s", slow.wall.as_secs_f64(), MOST_SLOW_DRIVES_S),
    ]))
}

fn middle(times: &[Time]) -> Time {
    let of = |pick: fn(&Time) -> Duration| meter::median(times.iter().map(pick).collect());
    // The kernel counts children's time in steps of 10 ms: the mean of many is finer than any of them.
    let cpu =
        times.iter().map(|time| time.cpu).sum::<Duration>() / u32::try_from(times.len().max(1)).unwrap_or(1);
    Time {
        wall: of(|time| time.wall),
        cpu,
        bytes: meter::median(times.iter().map(|time| time.bytes).collect()),
    }
}

fn most(runs: usize, mut look: impl FnMut() -> Result<Memory>) -> Result<Memory> {
    (0..runs).try_fold(Memory::default(), |peak, _| Ok(peak.with(look()?)))
}

fn show(row: &Row) {
    let mib = |kib: Option<u64>| {
        kib.map_or_else(|| "-".to_owned(), |kib| format!("{:.1}", kib as f64 / MIB_OF_KIB))
    };
    sh::say(&format!(
        "{:<44} {:>10.1} {:>10.1} {:>9} {:>9} {:>10}",
        row.name,
        row.time.wall.as_secs_f64() * 1e3,
        row.time.cpu.as_secs_f64() * 1e3,
        mib(row.memory.map(|memory| memory.process_kib)),
        mib(row.memory.map(|memory| memory.tree_kib)),
        row.time.bytes
    ));
}

struct Bench<'a> {
    machine: &'a Machine,
    assay: &'a Path,
}

impl Bench<'_> {
    fn time(&self, command: &mut Command) -> Result<Time> {
        meter::time(command, &self.machine.path("output"))
    }

    fn state(&self) -> String {
        self.machine.text("state")
    }

    fn check(&self) -> Command {
        sh::command(self.assay, &["check", "--json", "--state-dir", &self.state()])
    }

    /// What the agent asks of smartctl, without the agent: its version, then the drives.
    fn smartctl_alone(&self) -> Result<u64> {
        let program = self.machine.path("smartctl");
        let mut bytes = sh::command(&program, &["--version"]).output().context("smartctl")?.stdout.len();
        let drives = Mutex::new(names());
        let next = || drives.lock().ok().and_then(|mut drives| drives.next());
        let asks = || {
            let mut bytes = 0;
            while let Some(name) = next() {
                let asked = sh::command(&program, &["-x", "--json", &format!("/dev/{name}")]).output();
                bytes += asked.map_or(0, |said| said.stdout.len());
            }
            bytes
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(asks)).collect();
            bytes += threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum::<usize>();
        });
        Ok(bytes as u64)
    }

    fn collect(&self, runs: usize) -> Result<Row> {
        // A memory of its own: the runs of `check` keep none.
        let (state, bundle) = (self.machine.text("state-of-collect"), self.machine.text("bundle.assay"));
        let command = || sh::command(self.assay, &["collect", "--state-dir", &state, "-o", &bundle]);
        let mut time = self.repeated(runs, command)?;
        time.bytes = std::fs::metadata(&bundle).context("the bundle")?.len();
        let memory = most(MEMORY_RUNS, || meter::memory(&mut command()))?;
        Ok(Row { name: "assay collect -o FILE", time, memory: Some(memory) })
    }

    fn one_by_one(&self) -> Command {
        let script = "for disk in /sys/block/sd*; do \"$0\" -x --json /dev/${disk##*/}; done";
        sh::command("sh", &["-c", script, &self.machine.text("smartctl")])
    }

    fn plain_loop(&self, runs: usize) -> Result<Row> {
        let memory = most(MEMORY_RUNS, || meter::memory(&mut self.one_by_one()))?;
        let time = self.repeated(runs, || self.one_by_one())?;
        Ok(Row { name: "smartctl -x --json, one by one", time, memory: Some(memory) })
    }

    fn repeated(&self, runs: usize, command: impl Fn() -> Command) -> Result<Time> {
        let times: Result<Vec<Time>> = (0..runs.max(1)).map(|_| self.time(&mut command())).collect();
        Ok(middle(&times?))
    }

    /// Once for the time and once for the memory: it takes seconds.
    fn sosreport(&self) -> Result<Row> {
        available("sosreport")?;
        let folder = self.machine.path("sosreport");
        let text = self.machine.text("sosreport");
        let command = || {
            sh::command(
                "sosreport",
                &["--batch", "--quiet", "--tmp-dir", &text, "--only-plugins", SOS_PLUGINS],
            )
        };
        std::fs::create_dir_all(&folder).context("a folder for sosreport")?;
        let mut time = self.time(&mut command())?;
        time.bytes = 0;
        for entry in std::fs::read_dir(&folder).context("sosreport's folder")? {
            time.bytes += entry.and_then(|entry| entry.metadata()).context("sosreport's archive")?.len();
        }
        if time.bytes == 0 {
            bail!("it wrote no archive; run `sosreport --batch` to see why");
        }
        let memory = meter::memory(&mut command())?;
        Ok(Row { name: "sosreport, hardware plugins", time, memory: Some(memory) })
    }

    fn node_exporter(&self) -> Result<Row> {
        const PROGRAM: &str = "prometheus-node-exporter";
        available(PROGRAM)?;
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).context("a port")?.port();
        let start = Instant::now();
        let mut server = sh::Running::start(
            sh::command(PROGRAM, &[&format!("--web.listen-address=127.0.0.1:{port}")])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null()),
        )?;
        let before = meter::children_cpu();
        let bytes = scrape(port)?;
        let wall = start.elapsed();
        let memory = meter::now(server.child.id());
        server.stop();
        let cpu = meter::children_cpu().saturating_sub(before);
        let time = Time { wall, cpu, bytes };
        Ok(Row { name: "node_exporter, start and one scrape", time, memory: Some(memory) })
    }
}

fn available(program: &str) -> Result<()> {
    if sh::exists(program) { Ok(()) } else { bail!("{program} is not installed here and could not be") }
}

/// Waits for the server and reads its metrics once.
fn scrape(port: u16) -> Result<u64> {
    let end = Instant::now() + LIMIT;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(mut stream) => {
                stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").context("asking for metrics")?;
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).context("reading metrics")?;
                if !answer.starts_with(b"HTTP/1.0 200") {
                    bail!("it did not answer with metrics");
                }
                return Ok(answer.len() as u64);
            }
            Err(error) if Instant::now() > end => return Err(error).context("it does not listen"),
            Err(_) => std::thread::park_timeout(Duration::from_millis(2)),
        }
    }
}
