//! Reading a copy back while it is written: a thread that follows some way behind.
//!
//! What it reads it first has the kernel write to the disk and drop from the cache, so that the bytes come from where
//! they lie and not from memory; each byte is read once, and the digest over all of them has to be the writer's. That
//! proves the same as reading it all at the end, and the disk works while the processor does. What a disk's own cache
//! still holds nobody can tell, one way or the other.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use assay_bundle::digest::Sha256;
use rustix::fs::{Advice, fadvise};

/// After so many bytes more it reads again: few enough flushes, and not much left at the end.
const STEP_BYTES: u64 = 32 << 20;
/// Buffer for reading.
const BUFFER_BYTES: usize = 64 << 10;
/// Somebody is told after so many bytes that there is progress.
const BEAT_BYTES: u64 = 4 << 20;

/// What was read: size and SHA-256.
type Read = io::Result<(u64, String)>;

/// A file that is read back while it grows.
pub(super) struct Proof {
    written: Option<Sender<u64>>,
    beats: Receiver<()>,
    reader: Option<JoinHandle<Read>>,
    announced: u64,
}

impl Proof {
    /// Follows the file at `path`, which is empty yet.
    pub(super) fn follow(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let (written, grown) = channel();
        let (beat, beats) = channel();
        let reader = std::thread::Builder::new().name("prove".to_owned()).spawn(move || {
            let mut to = Sha256::new(io::sink());
            for until in grown {
                one(&file, until, &mut to, &beat)?;
            }
            let (_, size_bytes, sha256) = to.finish();
            Ok((size_bytes, sha256))
        })?;
        Ok(Self { written: Some(written), beats, reader: Some(reader), announced: 0 })
    }

    /// So many bytes stand in the file now.
    pub(super) fn grown(&mut self, size_bytes: u64) {
        if size_bytes.saturating_sub(self.announced) >= STEP_BYTES {
            self.announced = size_bytes;
            self.announce(size_bytes);
        }
    }

    fn announce(&self, size_bytes: u64) {
        // A reader that failed says so at the end.
        let _ = self.written.as_ref().map(|to| to.send(size_bytes));
    }

    /// Reads the rest of a file that is finished; what was read of all of it.
    pub(super) fn finish(mut self, size_bytes: u64, beat: &mut dyn FnMut()) -> Read {
        self.announce(size_bytes);
        self.written = None;
        while self.beats.recv().is_ok() {
            beat();
        }
        let ended = self.reader.take().map(JoinHandle::join);
        match ended {
            Some(Ok(read)) => read,
            _ => Err(io::Error::other("the reading thread did not end well")),
        }
    }
}

fn one(file: &File, until: u64, to: &mut Sha256<io::Sink>, beat: &Sender<()>) -> io::Result<()> {
    let from = to.size_bytes();
    file.sync_data()?;
    // Where the kernel does not agree, what is read proves less; nothing else would prove more.
    let _ = fadvise(file, from, NonZeroU64::new(until.saturating_sub(from)), Advice::DontNeed);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut since_beat = 0;
    while to.size_bytes() < until {
        let most = usize::try_from(until.saturating_sub(to.size_bytes())).unwrap_or(usize::MAX);
        let wanted = buffer.get_mut(..most.min(BUFFER_BYTES)).unwrap_or_default();
        let read = match file.read_at(wanted, to.size_bytes()) {
            // Shorter than what was written: the digests will differ.
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        since_beat += read as u64;
        if since_beat >= BEAT_BYTES {
            since_beat = 0;
            let _ = beat.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::digest::sha256_hex;

    #[test]
    fn what_lies_there_is_read() {
        for (written, changed) in [(0, false), (1000, false), (70 << 20, false), (70 << 20, true)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("f");
            let mut file = File::create(&path).expect("a file");
            let mut proof = Proof::follow(&path).expect("followed");
            let block: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
            let (mut size, mut to) = (0_u64, Sha256::new(io::sink()));
            while size < written {
                let count = usize::try_from(written - size).expect("small").min(block.len());
                file.write_all(&block[..count]).expect("written");
                to.write_all(&block[..count]).expect("a sink");
                size += count as u64;
                if !changed {
                    proof.grown(size);
                }
            }
            if changed {
                file.write_all_at(b"?", size - 5).expect("written");
            }
            let mut beats = 0;
            let read = proof.finish(size, &mut || beats += 1).expect("read");
            let (_, _, sha256) = to.finish();
            assert_eq!(read.0, size);
            assert_eq!(read.1 == sha256, !changed, "{written}");
            assert_eq!(beats > 0, written > BEAT_BYTES);
            assert!(size > 0 || read.1 == sha256_hex(b""));
        }
        assert!(Proof::follow(Path::new("/nonexistent/file")).is_err());
    }
}
