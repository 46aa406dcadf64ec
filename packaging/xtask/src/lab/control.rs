//! How a guest asks for something that only its hardware can do: it writes a line to its second serial port, and this
//! side passes it to QEMU and answers with a line.
//!
//! `QMP {…}` is a command of QEMU's machine protocol; `CUT` is a power cut, which has no answer.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// QEMU's machine protocol.
pub(crate) struct Monitor {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Monitor {
    /// Connects and leaves the negotiation.
    pub(crate) fn connect(socket: &Path, end: Instant) -> Result<Self> {
        let writer = wait_for(socket, end)?;
        let reader = BufReader::new(writer.try_clone().context("QEMU's monitor")?);
        let mut monitor = Self { reader, writer };
        monitor.line()?;
        monitor.ask(r#"{"execute":"qmp_capabilities"}"#)?;
        Ok(monitor)
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).context("QEMU's monitor")? == 0 {
            bail!("QEMU closed its monitor");
        }
        serde_json::from_str(&line).context("an answer of QEMU's monitor")
    }

    /// Asks one thing; events in between are of no interest.
    pub(crate) fn ask(&mut self, command: &str) -> Result<Value> {
        writeln!(self.writer, "{command}").context("QEMU's monitor")?;
        loop {
            let answer = self.line()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
            if let Some(done) = answer.get("return") {
                return Ok(done.clone());
            }
        }
    }
}

/// Connects to a socket that QEMU is about to make.
fn wait_for(socket: &Path, end: Instant) -> Result<UnixStream> {
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
                stream.set_read_timeout(Some(left)).context("a time limit")?;
                return Ok(stream);
            }
            Err(error) if Instant::now() >= end => {
                return Err(error).context("QEMU did not open its sockets");
            }
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

/// Answers a guest until its port closes. `cut` is set when it asked for a power cut.
pub(crate) fn serve(folder: &Path, end: Instant, cut: &Arc<AtomicBool>) -> Result<()> {
    let mut monitor = Monitor::connect(&folder.join("qmp"), end)?;
    let mut port = wait_for(&folder.join("port"), end)?;
    let lines = BufReader::new(port.try_clone().context("the guest's port")?);
    for line in lines.lines() {
        // A port that closes, or the end of the time: the machine's own end tells which it was.
        let Ok(line) = line else { return Ok(()) };
        let line = line.trim();
        if line == "CUT" {
            cut.store(true, Ordering::SeqCst);
            return Ok(());
        }
        let answer = match line.strip_prefix("QMP ") {
            Some(command) => match monitor.ask(command) {
                Ok(value) => format!("OK {value}"),
                Err(error) => format!("ERR {error:#}"),
            },
            None => format!("ERR `{line}` is nothing that can be asked here"),
        };
        if writeln!(port, "{answer}").is_err() {
            return Ok(());
        }
    }
    Ok(())
}
