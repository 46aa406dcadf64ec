//! Compressing and encrypting beside reading: a thread that takes buffers, so that a NAS with two cores uses both.
//!
//! A few buffers go round and nothing more waits. When the thread fails (a full disk), the next write fails with its
//! error and not with that of a broken pipe.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use assay_bundle::recovery::sealing::Sealer;

/// Size of a buffer.
const BUFFER_BYTES: usize = 64 << 10;
/// Buffers under way.
const BUFFERS: usize = 2;

/// What the thread ends with: where it wrote to, size and SHA-256 of what it wrote.
type Ended<W> = io::Result<(W, u64, String)>;

/// A [`Sealer`] in a thread of its own.
pub(super) struct Pipe<W: Write + Send + 'static> {
    buffer: Vec<u8>,
    full: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    worker: Option<JoinHandle<Ended<W>>>,
}

impl<W: Write + Send + 'static> Pipe<W> {
    /// Starts the thread.
    pub(super) fn new(mut sealer: Sealer<W>) -> io::Result<Self> {
        let (full, take) = sync_channel::<Vec<u8>>(BUFFERS);
        let (give, empty) = sync_channel::<Vec<u8>>(BUFFERS);
        let worker = std::thread::Builder::new().name("seal".to_owned()).spawn(move || {
            for mut buffer in take {
                sealer.write_all(&buffer)?;
                buffer.clear();
                // Nobody wants it back once all is read.
                let _ = give.try_send(buffer);
            }
            sealer.finish()
        })?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        Ok(Self { buffer, full: Some(full), empty, worker: Some(worker) })
    }

    fn send(&mut self) -> io::Result<()> {
        let next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(BUFFER_BYTES));
        let full = std::mem::replace(&mut self.buffer, next);
        let sent = self.full.as_ref().map(|to| to.send(full));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => self.join().and_then(|_| Err(io::Error::other("the sealing thread ended too early"))),
        }
    }

    fn join(&mut self) -> Ended<W> {
        self.full = None;
        let worker = self.worker.take().ok_or_else(|| io::Error::other("the sealing thread has ended"))?;
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the sealing thread did not end well")))
    }

    /// Hands over what is left and waits for the end.
    pub(super) fn finish(mut self) -> Ended<W> {
        self.send()?;
        self.join()
    }
}

impl<W: Write + Send + 'static> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BUFFER_BYTES.saturating_sub(self.buffer.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= BUFFER_BYTES {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_said_as_that() {
        // The public half of a key that nobody has.
        let to = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".to_owned()];
        let pipe = |room| Pipe::new(Sealer::new(Full(room), &to).expect("begun")).expect("a thread");
        let mut whole = pipe(1 << 20);
        whole.write_all(b"abc").expect("taken");
        let (out, size, _) = whole.finish().expect("finished");
        assert_eq!(out.0 as u64 + size, 1 << 20);
        let mut full = pipe(1 << 20);
        let mut noise = 1_u64;
        let error = loop {
            let bytes: Vec<u8> = (0..4096)
                .flat_map(|_| {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    noise.rotate_left(29).to_le_bytes()
                })
                .collect();
            if let Err(error) = full.write_all(&bytes) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
