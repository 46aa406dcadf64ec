//! A proxy (`CONNECT`) that ruins uploads on purpose: it ends every connection after so many bytes towards the portal,
//! and can hold one in the middle so that a test can look at both sides while nothing moves.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Read and forwarded at once.
const CHUNK: usize = 8 * 1024;

#[derive(Default)]
struct State {
    /// Bytes that went towards the portal, TLS and headers included.
    up_bytes: u64,
    /// Connections that were cut.
    cuts: u64,
    /// The next connection that has carried so many bytes stops there.
    hold_at: Option<u64>,
    /// A connection stands still; which try of the test it belongs to.
    holding: bool,
    /// The connection that stands still is to be ended.
    released: bool,
}

/// A running proxy; its threads end with the process.
pub(crate) struct CuttingProxy {
    pub(crate) address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl CuttingProxy {
    pub(crate) fn start(cut_after: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&theirs);
                thread::spawn(move || relay(client, &shared, cut_after));
            }
        });
        Self { address, shared }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn up_bytes(&self) -> u64 {
        self.state().up_bytes
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.state().cuts
    }

    /// Asks to hold the next connection that has carried `bytes`.
    pub(crate) fn hold_at(&self, bytes: u64) {
        let mut state = self.state();
        (state.hold_at, state.holding, state.released) = (Some(bytes), false, false);
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.state().holding
    }

    /// Ends the connection that is held, and holds no other.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        (state.hold_at, state.holding, state.released) = (None, false, true);
        self.shared.1.notify_all();
    }
}

/// One connection: the answer to `CONNECT`, then bytes both ways until it is cut.
fn relay(mut client: TcpStream, shared: &(Mutex<State>, Condvar), cut_after: u64) -> Option<()> {
    let target = connect_request(&mut client)?;
    let mut portal = TcpStream::connect(target).ok()?;
    for end in [&client, &portal] {
        end.set_nodelay(true).ok()?;
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_portal, mut to_client) = (portal.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_portal, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    forward(&mut client, &mut portal, shared, cut_after);
    for end in [&client, &portal] {
        let _ = end.shutdown(Shutdown::Both);
    }
    Some(())
}

fn forward(
    client: &mut TcpStream,
    portal: &mut TcpStream,
    (state, moved): &(Mutex<State>, Condvar),
    cut_after: u64,
) -> Option<()> {
    let mut buffer = [0; CHUNK];
    let mut carried = 0;
    loop {
        let most = usize::try_from(cut_after - carried).unwrap_or(CHUNK).min(CHUNK);
        let read = client.read(&mut buffer[..most]).ok().filter(|read| *read > 0)?;
        portal.write_all(&buffer[..read]).ok()?;
        carried += read as u64;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.up_bytes += read as u64;
        if state.hold_at.is_some_and(|at| carried >= at) {
            (state.hold_at, state.holding) = (None, true);
            while !state.released {
                state = moved.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            return None;
        }
        if carried >= cut_after {
            state.cuts += 1;
            return None;
        }
    }
}

/// Reads `CONNECT host:port …` with its headers, byte by byte so that nothing of what follows is taken.
fn connect_request(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    Some(target.to_owned())
}
