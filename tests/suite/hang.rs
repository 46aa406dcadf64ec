//! Cannot hang, by construction: the live source against commands, readers and file systems that misbehave.
//!
//! Real processes and a real file system that puts its readers into uninterruptible sleep ([`hangfs`]); no recording.
//! Every test ends with nothing of its own left in `/proc`.

mod agent;
mod hangfs;
mod stuck;

use std::ffi::OsString;
use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use assay_bundle::facts::stuck::StuckReader;
use assay_collector::command::{Command, DeviceNode, SmartctlKind};
use assay_collector::direct::DeviceQuery;
use assay_collector::live::{LiveOptions, LiveSource};
use assay_collector::source::{Exit, Failure, Fetched, Request, Source};

use self::hangfs::HangFs;
use crate::support::{Guarded, Rng, skip, wait_for};

/// Long enough for anything healthy on a busy machine; no test waits for it.
const AMPLE: Duration = Duration::from_secs(180);

/// The deadline that tests wait for.
const SHORT: Duration = Duration::from_millis(400);

/// The deadline of tests in which something must have begun, and hang, before it: a busy machine starts slowly.
const PATIENT: Duration = Duration::from_secs(4);

/// What a test may take beyond the deadlines it waits for; less than [`AMPLE`], so that waiting for that is seen.
const SLACK: Duration = Duration::from_secs(60);

/// A machine of one test: a folder whose path is in the command line of every process that the test starts.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine =
            Self { folder: tempfile::Builder::new().prefix("hang").tempdir().expect("a temporary folder") };
        fs::create_dir(machine.path("tools")).expect("a folder");
        fs::write(machine.path("forever"), "").expect("a file");
        machine
    }

    /// The same with a smartctl that is this shell script; `FOREVER` in it never ends and can be found in `/proc`.
    fn with_smartctl(script: &str) -> Self {
        let machine = Self::new();
        let forever = format!("tail -f {}", machine.path("forever").display());
        let script =
            script.replace("FOREVER", &forever).replace("FOLDER", &machine.path("").display().to_string());
        machine.write_smartctl(&format!("#!/bin/sh\n{script}\n"), 0o755);
        machine
    }

    fn write_smartctl(&self, text: &str, mode: u32) {
        let path = self.path("tools/smartctl");
        fs::write(&path, text).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    fn options(&self) -> LiveOptions {
        let reader = vec![OsString::from(env!("CARGO_BIN_EXE_assay-test-reader")), self.folder.path().into()];
        LiveOptions {
            tool_dirs: vec![self.path("tools")],
            read_deadline: AMPLE,
            command_deadline: AMPLE,
            kill_grace: SHORT,
            ..LiveOptions::new(self.path("run"), reader)
        }
    }

    fn source(&self) -> LiveSource {
        LiveSource::new(self.options())
    }

    /// A source that gives up soon.
    fn impatient(&self) -> LiveSource {
        LiveSource::new(LiveOptions { read_deadline: SHORT, command_deadline: SHORT, ..self.options() })
    }

    /// A source that gives up once whatever was asked has surely begun.
    fn patient(&self) -> LiveSource {
        LiveSource::new(LiveOptions { read_deadline: PATIENT, command_deadline: PATIENT, ..self.options() })
    }

    /// The living processes that were started for this machine: process id and command line.
    fn processes(&self) -> Vec<(u32, String)> {
        let mark = self.text("");
        let mark = mark.trim_end_matches('/');
        let pids = fs::read_dir("/proc").expect("processes").filter_map(|entry| {
            entry.expect("an entry").file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        });
        let lines = pids.filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        });
        lines.filter(|(_, line)| line.contains(mark)).collect()
    }

    /// Waits until nothing of this machine is left, under a runtime that collects dead children.
    async fn is_left_clean(&self) {
        let start = Instant::now();
        loop {
            // A child that ends gives up its command line some time before it is dead.
            let dying = self.stuck().into_iter().filter(|entry| lives(entry.pid)).map(|e| (e.pid, e.command));
            let left: Vec<_> = self.processes().into_iter().chain(dying).collect();
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < SLACK, "left behind: {left:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn stuck(&self) -> Vec<StuckReader> {
        let list = fs::read(self.path("run/abandoned.json")).unwrap_or_else(|_| b"[]".to_vec());
        serde_json::from_slice(&list).expect("our own list")
    }
}

/// Whether a process is there and not dead.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X', 'x']))
}

fn smartctl() -> Request {
    let device = DeviceNode::parse("sda").expect("a known shape");
    Request::Run(Command::Smartctl { device, kind: SmartctlKind::Sat })
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
}

/// Runs one smartctl script to its end with a short or an ample deadline, and leaves nothing behind.
fn check_command(
    script: &str,
    source: fn(&Machine) -> LiveSource,
    check: impl FnOnce(Result<Fetched, Failure>),
) {
    let machine = Machine::with_smartctl(script);
    run(async {
        let start = Instant::now();
        let source = source(&machine);
        let answer = source.fetch(&smartctl()).await;
        assert!(start.elapsed() < SLACK, "it took {:?}", start.elapsed());
        check(answer);
        assert_eq!(source.counters().readers_abandoned, 0);
        machine.is_left_clean().await;
    });
}

fn check_deadline(answer: Result<Fetched, Failure>) {
    assert_eq!(answer, Err(Failure::Deadline { after_ms: 400 }));
}

fn exit(fetched: &Fetched) -> (Option<i32>, Option<i32>) {
    let Exit { exit_code, signal, .. } = fetched.exit.expect("a command has an exit");
    (exit_code, signal)
}

#[test]
fn a_command_that_ignores_sigterm_is_killed() {
    check_command("trap '' TERM\necho begun\nFOREVER\nFOREVER", Machine::impatient, check_deadline);
}

#[test]
fn a_command_that_closes_its_output_and_lives_is_killed() {
    check_command("exec >/dev/null 2>&1\nFOREVER", Machine::impatient, check_deadline);
}

#[test]
fn a_grandchild_that_holds_the_output_does_not_hold_us() {
    check_command("FOREVER &\necho done", Machine::source, |answer| {
        let fetched = answer.expect("the command itself ended well");
        assert_eq!((fetched.text().as_str(), exit(&fetched)), ("done\n", (Some(0), None)));
    });
}

#[test]
fn a_flood_is_cut_and_drained() {
    check_command("head -c 100000000 /dev/zero\nhead -c 1000000 /dev/zero >&2", Machine::source, |answer| {
        let fetched = answer.expect("a flood is output");
        assert_eq!((fetched.bytes.len(), fetched.stderr.len()), (8 * 1024 * 1024, 256 * 1024));
        assert_eq!((fetched.truncated, exit(&fetched)), (true, (Some(0), None)));
    });
}

#[test]
fn the_exit_status_never_discards_output() {
    check_command("echo '{\"smartctl\":{}}'\necho oh >&2\nexit 216", Machine::source, |answer| {
        let fetched = answer.expect("the disk is bad, the output is not");
        assert_eq!(fetched.text(), "{\"smartctl\":{}}\n");
        assert_eq!((fetched.stderr.as_slice(), exit(&fetched)), (&b"oh\n"[..], (Some(216), None)));
        assert_eq!((fetched.truncated, fetched.place.as_str()), (false, "cmd/smartctl.sat.sda/stdout"));
    });
    check_command("echo half\nkill -9 $$", Machine::source, |answer| {
        let fetched = answer.expect("what was written counts");
        assert_eq!((fetched.text().as_str(), exit(&fetched)), ("half\n", (None, Some(9))));
    });
}

#[test]
fn a_command_that_goes_wild_gets_no_memory() {
    // `tail -c` keeps what it may have to print.
    let script = "ulimit -d\nulimit -v\nhead -c 700000000 /dev/zero | tail -c 600000000 >FOLDER/kept || echo no\nwc -c <FOLDER/kept";
    check_command(script, Machine::source, |answer| {
        let fetched = answer.expect("it ended by itself");
        assert_eq!(fetched.text(), "262144\n1048576\nno\n0\n");
        assert!(String::from_utf8_lossy(&fetched.stderr).contains("memory"), "it says why");
    });
}

#[test]
fn a_command_gets_a_bare_environment_and_no_input() {
    check_command("echo \"$@\"\ncat\npwd\nenv | sort", Machine::source, |answer| {
        let text = answer.expect("it ran").text();
        let lines: Vec<_> =
            text.lines().filter(|line| !line.starts_with("_=") && !line.starts_with("OLDPWD=")).collect();
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        assert_eq!(
            lines,
            ["--json=c -n standby,3 -x -d sat /dev/sda", "/", "LC_ALL=C", path, "PWD=/", "TZ=UTC"]
        );
    });
}

#[test]
fn a_missing_or_forbidden_tool_is_named() {
    let machine = Machine::new();
    run(async {
        // Another root, so that no smartctl of this machine answers.
        let source = LiveSource::new(LiveOptions { root: machine.path(""), ..machine.options() });
        assert_eq!(source.fetch(&smartctl()).await, Err(Failure::NoTool { name: "smartctl".into() }));
        machine.write_smartctl("#!/bin/sh\n", 0o644);
        let denied = source.fetch(&smartctl()).await.expect_err("it is not executable");
        assert_eq!(denied, Failure::Denied { what: machine.text("tools/smartctl") });
        fs::remove_file(machine.path("tools/smartctl")).expect("our own file");
        std::os::unix::fs::symlink("smartctl", machine.path("tools/smartctl")).expect("a link to itself");
        let looping = source.fetch(&smartctl()).await.expect_err("a link to itself");
        assert!(matches!(&looping, Failure::Io { why } if why.contains("smartctl")), "{looping}");
        machine.is_left_clean().await;
    });
}

#[test]
fn a_question_goes_to_a_device_and_to_nothing_else() {
    let machine = Machine::new();
    run(async {
        let source = LiveSource::new(LiveOptions { root: machine.path(""), ..machine.options() });
        for query in DeviceQuery::all() {
            let device = DeviceNode::parse("sda").expect("a known shape");
            let request = Request::Device { device, query };
            let _ = fs::remove_dir_all(machine.path("dev"));
            assert_eq!(source.fetch(&request).await, Err(Failure::NotFound));
            fs::create_dir(machine.path("dev")).expect("our own folder");
            fs::write(machine.path("dev/sda"), "no disk").expect("our own file");
            let failure = source.fetch(&request).await.expect_err("it is a file");
            assert!(matches!(&failure, Failure::Io { why } if why.contains("not a device")), "{failure}");
        }
        drop(source);
        machine.is_left_clean().await;
    });
}

#[test]
fn dropping_a_request_leaves_nothing_behind() {
    let machine = Machine::with_smartctl("trap '' TERM\nFOREVER &\nFOREVER");
    run(async {
        let source = machine.source();
        let request = smartctl();
        let mut answer = source.fetch(&request);
        let begun = async {
            while machine.processes().len() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            answer = &mut answer => panic!("it never ends, yet: {answer:?}"),
            () = begun => {}
        }
        drop(answer);
        machine.is_left_clean().await;
        assert_eq!(machine.stuck(), []);
    });
}

#[test]
fn thousands_of_reads_need_one_reader() {
    let machine = Machine::new();
    run(async {
        let source = machine.source();
        let start = Instant::now();
        for _ in 0..2000 {
            let fetched = source.fetch(&Request::read("/proc/uptime", 1000)).await.expect("always there");
            assert!(!fetched.bytes.is_empty() && !fetched.truncated);
        }
        println!("2000 reads in {} ms", start.elapsed().as_millis());
        assert_eq!(source.counters().processes_started, 1);
        let many = [
            "/proc/uptime",
            "/proc/stat",
            "/proc/meminfo",
            "/proc/version",
            "/proc/loadavg",
            "/proc/cmdline",
        ];
        let many = many.map(|path| Request::read(path, 1 << 20));
        let answers = many.each_ref().map(|request| source.fetch(request));
        for answer in answers {
            answer.await.expect("always there");
        }
        let mut together = vec![None; many.len()];
        source.fetch_all(&many, &mut |at, answer| together[at] = Some(answer)).await;
        for (request, answer) in many.iter().zip(together) {
            let answer = answer.expect("an answer").expect("always there");
            assert_eq!((answer.place, answer.bytes.is_empty()), (request.place(), false));
        }
        assert_eq!(source.counters().processes_started, 1);
        let [a, b, c, d, e, f] = many.each_ref().map(|request| source.fetch(request));
        assert!(tokio::try_join!(a, b, c, d, e, f).is_ok());
        assert!(source.counters().processes_started <= 4);
        drop(source);
        machine.is_left_clean().await;
    });
}

#[test]
fn any_bytes_come_back_as_they_are() {
    let machine = Machine::new();
    let mut rng = Rng::new(31);
    let bytes: Vec<u8> = (0..300_000).map(|_| rng.next() as u8).collect();
    fs::write(machine.path("bytes"), &bytes).expect("a file");
    fs::create_dir(machine.path("folder")).expect("a folder");
    fs::write(machine.path("folder/b"), "").expect("a file");
    std::os::unix::fs::symlink("../x", machine.path("folder/a")).expect("a link");
    run(async {
        let source = machine.source();
        let whole = source.fetch(&Request::read(machine.text("bytes"), 300_000)).await.expect("a file");
        assert!(whole.bytes == bytes && !whole.truncated);
        assert_eq!(whole.place, machine.text("bytes").trim_start_matches('/'));
        let head = source.fetch(&Request::read(machine.text("bytes"), 70_000)).await.expect("a file");
        assert!(head.bytes == bytes[..70_000] && head.truncated);
        let list = source.fetch(&Request::list(machine.text("folder"))).await.expect("a folder");
        assert_eq!(list.names(), ["a", "b"]);
        let link = source.fetch(&Request::link(machine.text("folder/a"))).await.expect("a link");
        assert_eq!(link.text(), "../x");
        // More than a pipe holds, in both directions, and of every kind of answer.
        let kinds = [
            Request::read(machine.text("bytes"), 300_000),
            Request::read(machine.text("none"), 9),
            Request::link(machine.text("folder/a")),
            Request::list(machine.text("folder")),
            Request::read("/proc/../etc/hosts", 9),
            Request::read("/dev/zero", 9),
        ];
        let many: Vec<Request> = kinds.iter().cycle().take(600).cloned().collect();
        let mut count = 0;
        let mut alone = Vec::new();
        for request in &kinds {
            alone.push(source.fetch(request).await);
        }
        source
            .fetch_all(&many, &mut |at, answer| {
                assert!(answer == alone[at % alone.len()], "{:?}", many[at]);
                count += 1;
            })
            .await;
        assert_eq!((count, source.counters().processes_started), (600, 1));
        assert_eq!(source.fetch(&Request::read(machine.text("none"), 9)).await, Err(Failure::NotFound));
        assert!(matches!(source.fetch(&Request::read("/dev/zero", 9)).await, Err(Failure::Io { .. })));
        assert!(matches!(
            source.fetch(&Request::read("/proc/../etc/hosts", 9)).await,
            Err(Failure::Io { .. })
        ));
    });
}

#[test]
fn samples_and_the_kernel_log_need_no_child() {
    let machine = Machine::new();
    run(async {
        let source = machine.source();
        for (request, key) in [(Request::HostSample, "memory_total_bytes"), (Request::ClockSample, "unix_s")]
        {
            let sample: serde_json::Value =
                serde_json::from_slice(&source.fetch(&request).await.expect("a sample").bytes).expect("JSON");
            assert!(sample[key].is_number(), "{sample}");
        }
        assert_eq!(source.fetch(&Request::StuckReaders).await.expect("a list").text(), "[]");
        match source.fetch(&Request::KernelLog).await {
            Ok(log) => {
                assert!(log.text().lines().next().is_none_or(|line| line.contains(';')), "{}", log.text())
            }
            Err(failure) => {
                assert!(matches!(failure, Failure::Denied { .. } | Failure::NotFound), "{failure}")
            }
        }
        assert_eq!(source.counters().processes_started, 0);
    });
}

#[test]
fn a_reader_that_talks_nonsense_is_replaced_and_reported() {
    let machine = Machine::new();
    let mut rng = Rng::new(32);
    let forever = format!("tail -f {}", machine.text("forever"));
    let head = |status: u8, length: u64| [b"ASY1", &[status, 0][..], &length.to_le_bytes()].concat();
    let mut answers: Vec<Vec<u8>> = vec![
        Vec::new(),
        head(0, 1 << 40),
        head(0, 9),
        head(1, 5),
        head(7, 0),
        [head(1, 5), b"nope!".to_vec()].concat(),
    ];
    answers.extend((0..4).map(|_| (0..rng.next() % 60).map(|_| rng.next() as u8).collect::<Vec<u8>>()));
    run(async {
        for (answer, stays) in answers.iter().flat_map(|answer| [(answer, false), (answer, true)]) {
            fs::write(machine.path("answer"), answer).expect("a file");
            let stay = if stays { &forever } else { ":" };
            let script = format!("head -c 1 >/dev/null; cat {}; {stay}", machine.text("answer"));
            let reader = ["/bin/sh", "-c", &script].map(OsString::from).to_vec();
            let options =
                LiveOptions { reader, read_deadline: SHORT, command_deadline: SHORT, ..machine.options() };
            let source = LiveSource::new(options);
            for request in [Request::read("/proc/uptime", 100), Request::list("/proc")] {
                let failure = source.fetch(&request).await.expect_err("no answer makes sense");
                assert!(matches!(failure, Failure::Io { .. } | Failure::Deadline { .. }), "{failure}");
            }
            let _ = source.fetch(&smartctl()).await;
            machine.is_left_clean().await;
        }
        let options = LiveOptions { reader: vec!["/nonexistent".into()], ..machine.options() };
        let failure = LiveSource::new(options).fetch(&Request::list("/proc")).await.expect_err("no reader");
        assert!(failure.to_string().contains("/nonexistent"), "{failure}");
    });
}

#[test]
fn a_reader_that_hears_nonsense_ends() {
    use std::io::Write;
    let mut rng = Rng::new(33);
    for round in 0..40 {
        let mut bytes: Vec<u8> = (0..rng.next() % 200).map(|_| rng.next() as u8).collect();
        if round % 2 == 0 {
            bytes.splice(0..0, *b"ASY1");
        }
        let mut reader = Process::new(env!("CARGO_BIN_EXE_assay-test-reader"));
        reader.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut reader = Guarded(reader.spawn().expect("our own binary"));
        // It may end before it has read everything.
        let _ = reader.0.stdin.take().expect("a pipe").write_all(&bytes);
        let status = reader.wait(AMPLE);
        assert!(matches!(status.code(), Some(0 | 3 | 125)), "{status} for {bytes:?}");
    }
}

#[test]
fn garbage_in_the_list_of_stuck_readers_is_no_obstacle() {
    let machine = Machine::new();
    let mut rng = Rng::new(34);
    fs::create_dir(machine.path("run")).expect("a folder");
    fs::set_permissions(machine.path("run"), fs::Permissions::from_mode(0o700)).expect("our folder");
    run(async {
        for round in 0..20 {
            let mut garbage: Vec<u8> = (0..rng.next() % 300).map(|_| rng.next() as u8).collect();
            if round % 2 == 0 {
                garbage.splice(
                    0..0,
                    *br#"[{"pid":2,"started_ticks":0,"target":"/","command":"x","since_unix_s":"#,
                );
            }
            fs::write(machine.path("run/abandoned.json"), garbage).expect("a file");
            let source = machine.source();
            source.fetch(&Request::read("/proc/uptime", 100)).await.expect("always there");
            assert_eq!(machine.stuck(), []);
        }
    });
}

#[test]
fn nothing_leaks_a_handle() {
    const INNER: &str = "ASSAY_TEST_OF_HANDLES";
    if std::env::var_os(INNER).is_none() {
        // Alone in a process of its own: other tests open files too.
        let mut alone = Process::new(std::env::current_exe().expect("own path"));
        alone.args(["--exact", "hang::nothing_leaks_a_handle"]).env(INNER, "1").stdout(Stdio::null());
        let status = Guarded(alone.spawn().expect("own binary")).wait(Duration::from_secs(120));
        assert!(status.success(), "{status}");
        return;
    }
    let handles = || fs::read_dir(Path::new("/proc/self/fd")).expect("own handles").count();
    let slow = Machine::with_smartctl("FOREVER &\nFOREVER");
    let fast = Machine::with_smartctl("echo well");
    run(async {
        let mut before = None;
        for _ in 0..6 {
            let source = fast.source();
            source.fetch(&smartctl()).await.expect("it ends well");
            source.fetch(&Request::read("/proc/uptime", 100)).await.expect("always there");
            let _ = source.fetch(&Request::KernelLog).await;
            drop(source);
            check_deadline(slow.impatient().fetch(&smartctl()).await);
            slow.is_left_clean().await;
            fast.is_left_clean().await;
            // The first round opens what stays open: the runtime's own.
            let before = *before.get_or_insert_with(handles);
            assert_eq!(handles(), before);
        }
    });
    wait_for("no dead child to be left", SLACK, || {
        let zombie = |pid: u32| {
            let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<_> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields.first() == Some(&"Z") && fields.get(1) == Some(&std::process::id().to_string().as_str())
        };
        let entries = fs::read_dir("/proc").expect("processes");
        let pids = entries.filter_map(|entry| entry.expect("an entry").file_name().to_str()?.parse().ok());
        (!pids.into_iter().any(zombie)).then_some(())
    });
}
