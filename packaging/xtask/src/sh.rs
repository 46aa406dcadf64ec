//! Child processes with a time limit, and the one place that prints.
#![expect(clippy::print_stdout, reason = "this is the edge that talks to a person")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Prints one line.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// `cargo` of the toolchain that runs us, in the project's folder.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// A program with arguments.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// The command as a person would type it.
fn words(command: &Command) -> String {
    let mut text =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// A child, ended when dropped, with its whole process group where it leads one.
pub(crate) struct Running {
    /// The child.
    pub(crate) child: Child,
    leads_group: bool,
}

impl Running {
    /// Starts the command in a group of its own, so that its children end with it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child =
            command.process_group(0).spawn().with_context(|| format!("cannot start `{}`", words(command)))?;
        Ok(Self { child, leads_group: true })
    }

    /// Starts the command in our own group: Ctrl-C on the terminal then reaches it as well.
    pub(crate) fn start_beside(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start `{}`", words(command)))?;
        Ok(Self { child, leads_group: false })
    }

    fn signal(&self, name: &str) {
        let target = format!("{}{}", if self.leads_group { "-" } else { "" }, self.child.id());
        let _ = Command::new("kill").args([name, "--", &target]).stderr(Stdio::null()).status();
    }

    /// Asks the group to end, then makes it.
    pub(crate) fn stop(&mut self) {
        self.signal("-TERM");
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(6) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a child printed and how it ended.
pub(crate) struct Output {
    /// Standard output (and standard error when they were joined).
    pub(crate) stdout: String,
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
}

/// Runs a command at most `limit`, showing its output line by line as it comes when `show`.
pub(crate) fn run(command: &mut Command, limit: Duration, show: bool) -> Result<Output> {
    let line = words(command);
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let stdout = running.child.stdout.take().context("the child has no output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(|l| l.ok()) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    let end = Instant::now() + limit;
    let mut text = String::new();
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if show {
                    say(&line);
                }
                text.push_str(&line);
                text.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("`{line}` ran over its limit of {} s", limit.as_secs())
            }
        }
    }
    let status = running.child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
    Ok(Output { stdout: text, code: status.code() })
}

/// Runs a command that must succeed.
pub(crate) fn must(command: &mut Command, limit: Duration, show: bool) -> Result<String> {
    let output = run(command, limit, show)?;
    if output.code != Some(0) {
        if !show {
            say(&output.stdout);
        }
        bail!(
            "`{}` failed with {}",
            words(command),
            output.code.map_or("a signal".to_owned(), |c| format!("exit {c}"))
        );
    }
    Ok(output.stdout)
}

/// Starts a server and waits for the line on its standard output that begins with `prefix`; the rest is returned.
pub(crate) fn serve(command: &mut Command, prefix: &str, limit: Duration) -> Result<(Running, String)> {
    let line = words(command);
    let mut running = Running::start_beside(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let stdout = running.child.stdout.take().context("the child has no output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
            let _ = sender.send(line.trim_end().to_owned());
            line.clear();
        }
        let _ = std::io::copy(&mut reader.take(u64::MAX), &mut std::io::sink());
    });
    let end = Instant::now() + limit;
    loop {
        match receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(text) => {
                if let Some(rest) = text.strip_prefix(prefix) {
                    return Ok((running, rest.trim().to_owned()));
                }
            }
            Err(_) => bail!("`{line}` did not say `{prefix}` within {} s", limit.as_secs()),
        }
    }
}

/// Whether a program is on the path.
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .any(|folder| folder.join(program).is_file())
}
