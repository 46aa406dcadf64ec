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

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::snmp::POWER_TABLE;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(future)
    }

    #[test]
    fn nothing_listens_there() {
        run(async {
            let (tcp, udp) = (
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port"),
                UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port"),
            );
            let ports = (tcp.local_addr().expect("bound").port(), udp.local_addr().expect("bound").port());
            drop((tcp, udp));
            assert_eq!(nut_at(ports.0).await, Err(Failure::NotFound));
            assert_eq!(snmp_power_at(ports.1).await, Err(Failure::NotFound));
        });
    }

    #[test]
    fn a_service_that_is_silent_costs_its_deadline() {
        run(async {
            let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let port = silent.local_addr().expect("bound").port();
            let failed = snmp_power_at(port).await.expect_err("nobody answers");
            assert!(failed.to_string().contains("community `public`"), "{failed}");
        });
    }

    #[test]
    fn a_ups_service_is_asked_for_its_units_and_their_variables() {
        run(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let port = listener.local_addr().expect("bound").port();
            let service = async {
                let (stream, _) = listener.accept().await.expect("a caller");
                let mut stream = BufReader::new(stream);
                let mut asked = Vec::new();
                let mut line = String::new();
                while stream.read_line(&mut line).await.expect("text") > 0 {
                    let answer = match line.as_str() {
                        "LIST UPS\n" => "BEGIN LIST UPS\nUPS a \"Ann's desk\"\nEND LIST UPS\n",
                        _ => {
                            "BEGIN LIST VAR a\nVAR a ups.id \"Ann\"\nVAR a ups.status \"OL\"\nEND LIST VAR a\n"
                        }
                    };
                    stream.write_all(answer.as_bytes()).await.expect("a reader");
                    asked.push(std::mem::take(&mut line));
                }
                asked
            };
            let (found, asked) = tokio::join!(nut_at(port), service);
            assert_eq!(asked, ["LIST UPS\n", "LIST VAR a\n"]);
            let text = "BEGIN LIST UPS\nUPS a\nEND LIST UPS\nBEGIN LIST VAR a\nVAR a ups.status \"OL\"\nEND LIST VAR a\n";
            assert_eq!(found.expect("answered").text(), text);
        });
    }

    #[test]
    fn a_walk_ignores_what_is_no_answer_and_ends() {
        run(async {
            let service = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let port = service.local_addr().expect("bound").port();
            let answering = async {
                let mut buffer = [0; 512];
                for turn in 0..3_u8 {
                    let (size, caller) = service.recv_from(&mut buffer).await.expect("a question");
                    service.send_to(b"noise", caller).await.expect("sent");
                    let mut oid = POWER_TABLE.to_vec();
                    oid.extend([4, u32::from(turn) + 1]);
                    let value: &[u8] = if turn == 0 { &[2, 1, 0] } else { &[0x82, 0] };
                    let id = u16::from_be_bytes([buffer[18], buffer[19]]);
                    assert!(size > 20);
                    service.send_to(&snmp::testing::response(id, &oid, value), caller).await.expect("sent");
                }
            };
            let (found, ()) = tokio::join!(snmp_power_at(port), answering);
            let text = found.expect("answered").text();
            assert_eq!(text, "1.3.6.1.4.1.24681.1.4.1.1.1.1.3.2.1.4.1 = INTEGER: 0\n");
        });
    }
}
