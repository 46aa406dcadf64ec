//! Services of the NAS itself, asked over the loopback: SNMP (power units) and the UPS service.
//!
//! Both are off by default. Nothing listens there: not there. Each has a deadline of its own for the whole exchange, a
//! bound on what is taken, and asks nothing but what its protocol module spells.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::pool::milliseconds;
use crate::source::{Failure, Fetched};
use crate::{nut, snmp};

/// Whole walk of the power table.
const SNMP_DEADLINE: Duration = Duration::from_secs(1);
const SNMP_PORT: u16 = 161;
/// Whole conversation with the UPS service.
const NUT_DEADLINE: Duration = Duration::from_secs(2);
const NUT_PORT: u16 = 3493;

/// The power units from SNMP.
pub(super) async fn snmp_power() -> Result<Fetched, Failure> {
    snmp_power_at(SNMP_PORT).await
}

async fn snmp_power_at(port: u16) -> Result<Fetched, Failure> {
    match timeout(SNMP_DEADLINE, walk(port)).await {
        Ok(Ok(text)) => Ok(Fetched { bytes: text.into_bytes(), ..Fetched::default() }),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err(Failure::NotFound),
        Ok(Err(error)) => Err(Failure::Io { why: format!("the SNMP service of this NAS: {error}") }),
        Err(_) => Err(Failure::Io {
            why: "the SNMP service of this NAS does not answer to the community `public` within 1 s; allow it for SNMP v2c in the control panel of QTS, or leave it".to_owned(),
        }),
    }
}

async fn walk(port: u16) -> std::io::Result<String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect((Ipv4Addr::LOCALHOST, port)).await?;
    let mut text = String::new();
    let mut request = 0;
    let mut buffer = [0; snmp::MOST_ANSWER];
    for subtree in [snmp::POWER_TABLE, snmp::HERO_POWER] {
        let mut walk = snmp::Walk::new(subtree);
        loop {
            request += 1;
            socket.send(&walk.question(request)).await?;
            // An answer to another question, or no answer at all, is waited out.
            let found = loop {
                let size = socket.recv(&mut buffer).await?;
                if let Some(found) = buffer.get(..size).and_then(|bytes| snmp::answer(bytes, request)) {
                    break found;
                }
            };
            if !walk.take(found, &mut text) {
                break;
            }
        }
    }
    Ok(text)
}

/// What the UPS service says.
pub(super) async fn nut() -> Result<Fetched, Failure> {
    nut_at(NUT_PORT).await
}

async fn nut_at(port: u16) -> Result<Fetched, Failure> {
    match timeout(NUT_DEADLINE, conversation(port)).await {
        Ok(Ok(text)) => Ok(Fetched { bytes: text.into_bytes(), ..Fetched::default() }),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err(Failure::NotFound),
        Ok(Err(error)) => Err(Failure::Io { why: format!("the UPS service of this NAS: {error}") }),
        Err(_) => Err(Failure::Deadline { after_ms: milliseconds(NUT_DEADLINE) }),
    }
}

async fn conversation(port: u16) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let listed = ask(&mut stream, nut::LIST_UPS).await?;
    let mut text = listed.clone();
    for name in nut::names(&listed) {
        if let Some(question) = nut::list_variables(&name) {
            text.push_str(&ask(&mut stream, &question).await?);
        }
    }
    Ok(text)
}

/// One question and the kept lines of its answer.
async fn ask(stream: &mut BufReader<TcpStream>, question: &str) -> std::io::Result<String> {
    stream.write_all(question.as_bytes()).await?;
    let mut text = String::new();
    for _ in 0..nut::MOST_LINES {
        let mut line = Vec::new();
        let most = u64::try_from(nut::MOST_LINE).unwrap_or(u64::MAX);
        (&mut *stream).take(most).read_until(b'\n', &mut line).await?;
        let line = String::from_utf8_lossy(&line);
        let Some(line) = line.strip_suffix('\n') else { break };
        if let Some(kept) = nut::kept(line.trim_end()) {
            text.push_str(&kept);
            text.push('\n');
        }
        if line.starts_with("END LIST ") || line.starts_with("ERR ") {
            break;
        }
    }
    Ok(text)
}
