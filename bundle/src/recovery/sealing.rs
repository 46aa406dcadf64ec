//! Around the tar of a recovery copy: zstd, then age, as one stream in either direction.
//!
//! `age -d -i KEY COPY | zstd -d | tar x` opens what is written here. Nothing is buffered beyond a window of 2 MiB and
//! a few chunks. Every byte that comes out of [`open`] was authenticated by age before; that the stream is whole is
//! known at its end and not before.

use std::cell::RefCell;
use std::io::{self, BufReader, Read, Write};

use super::stream::{self, Listening};
use crate::archive::{ArchiveError, payload};
use crate::digest::Sha256;

/// zstd's level: the fastest of the ordinary ones. On a stream without end its default takes half as long again for a
/// twentieth fewer bytes, and everything else waits for it.
const ZSTD_LEVEL: i32 = 1;
/// zstd's window as a power of two: 2 MiB to hold in memory.
const ZSTD_WINDOW_LOG: u32 = 21;
/// Largest window that is opened: 8 MiB, so that opening has a bound as well.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Most recipients: their lines in the header stay below what a reader takes.
const MOST_RECIPIENTS: usize = 32;
/// Buffer between the stages.
const BUFFER_BYTES: usize = 64 << 10;

/// Why a copy was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// A recipient is not an age recipient.
    #[error("{0:?} is not an age recipient (age1…)")]
    Recipient(String),
    /// None, or more than the format allows.
    #[error("a recovery copy has 1 to {MOST_RECIPIENTS} recipients, not {0}")]
    Recipients(usize),
    /// The text is no age identity, or not one of this copy's.
    #[error("this key does not open it")]
    Key,
    /// Not an age file, or not whole.
    #[error("it is no recovery copy, or it is damaged ({0})")]
    Damaged(String),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Checks recipients and brings them into age's own spelling, each once.
pub fn recipients(texts: &[String]) -> Result<Vec<String>, SealingError> {
    Ok(parse(texts)?.iter().map(ToString::to_string).collect())
}

fn parse(texts: &[String]) -> Result<Vec<age::x25519::Recipient>, SealingError> {
    let mut found: Vec<age::x25519::Recipient> = Vec::new();
    for text in texts {
        let recipient = text.trim().parse().map_err(|_| SealingError::Recipient(text.clone()))?;
        if !found.contains(&recipient) {
            found.push(recipient);
        }
    }
    match found.len() {
        1..=MOST_RECIPIENTS => Ok(found),
        count => Err(SealingError::Recipients(count)),
    }
}

/// The recipient that belongs to an identity; `None` when the text is no identity.
pub fn recipient_of(identity: &str) -> Option<String> {
    let identities = payload::identities(identity).ok()?;
    identities.first().map(|identity| identity.to_public().to_string())
}

/// A writer that compresses and encrypts.
pub struct Sealer<W: Write> {
    encoder: zstd::Encoder<'static, stream::Writer<Sha256<W>>>,
}

impl<W: Write> Sealer<W> {
    /// Begins a copy to these recipients.
    pub fn new(out: W, recipients: &[String]) -> Result<Self, SealingError> {
        let sealed = stream::Writer::new(Sha256::new(out), &parse(recipients)?)?;
        let mut encoder = zstd::Encoder::new(sealed, ZSTD_LEVEL)?;
        encoder.window_log(ZSTD_WINDOW_LOG)?;
        encoder.include_checksum(true)?;
        Ok(Self { encoder })
    }

    /// Ends it: the writer, size and SHA-256 of what was written.
    pub fn finish(self) -> io::Result<(W, u64, String)> {
        let (mut out, size_bytes, sha256) = self.encoder.finish()?.finish()?.finish();
        out.flush()?;
        Ok((out, size_bytes, sha256))
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a copy with an identity (`AGE-SECRET-KEY-…`): the tar inside.
pub fn open<'a>(sealed: &'a mut dyn Read, identity: &str) -> Result<Box<dyn Read + 'a>, SealingError> {
    let identities = payload::identities(identity).map_err(|_| SealingError::Key)?;
    let mut sealed = BufReader::with_capacity(BUFFER_BYTES, sealed);
    let header = payload::age_header(&mut sealed).map_err(|error| match error {
        ArchiveError::Io(error) => SealingError::Io(error),
        other => SealingError::Damaged(other.to_string()),
    })?;
    let heard = RefCell::new(None);
    let listening: Vec<_> = identities.iter().map(|one| Listening::new(one, &heard)).collect();
    // The crate wants a nonce after the header; what it would decrypt with is dropped again.
    let head = io::Cursor::new(header).chain(&[0; stream::NONCE_BYTES][..]);
    age::Decryptor::new_buffered(head)
        .and_then(|file| file.decrypt(listening.iter().map(|one| one as &dyn age::Identity)).map(drop))
        .map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => SealingError::Key,
            other => SealingError::Damaged(other.to_string()),
        })?;
    let secret = heard.borrow_mut().take().ok_or(SealingError::Key)?;
    let compressed = stream::Reader::new(sealed, &secret)?;
    let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER_BYTES, compressed))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(Box::new(decoder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_and_opened() {
        let key = age::x25519::Identity::generate();
        let secret = age::secrecy::ExposeSecret::expose_secret(&key.to_string()).to_owned();
        let to = [key.to_public().to_string()];
        assert_eq!(recipient_of(&secret).as_deref(), Some(to[0].as_str()));
        let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut sealer = Sealer::new(Vec::new(), &to).expect("begun");
        sealer.write_all(&content).expect("memory");
        let (sealed, size, sha256) = sealer.finish().expect("memory");
        assert_eq!((size, sha256), (sealed.len() as u64, crate::digest::sha256_hex(&sealed)));
        let mut back = Vec::new();
        open(&mut &sealed[..], &secret).expect("opens").read_to_end(&mut back).expect("reads");
        assert_eq!(back, content);
        let cut = &sealed[..sealed.len() - 1];
        let cut = open(&mut &*cut, &secret).map(|mut r| r.read_to_end(&mut Vec::new()).is_err());
        assert!(cut.unwrap_or(true), "a copy that was cut does not end well");
        let other = age::x25519::Identity::generate().to_string();
        let other = age::secrecy::ExposeSecret::expose_secret(&other).to_owned();
        assert!(matches!(open(&mut &sealed[..], &other), Err(SealingError::Key)));
        assert!(matches!(open(&mut &b"nonsense"[..], &secret), Err(SealingError::Damaged(_))));
    }

    /// What we write the age crate opens, and the other way round, at every border of a chunk; what was changed, cut,
    /// swapped or lengthened opens for neither.
    #[test]
    fn the_payload_is_the_age_crates() {
        const CHUNK: usize = 64 << 10;
        let key = age::x25519::Identity::generate();
        let read = |sealed: &[u8], ours: bool| -> io::Result<Vec<u8>> {
            let mut back = Vec::new();
            if ours {
                let mut rest = sealed;
                let header = payload::age_header(&mut rest).map_err(io::Error::other)?;
                let heard = RefCell::new(None);
                let file = age::Decryptor::new_buffered(io::Cursor::new([&header[..], &[0; 16]].concat()))
                    .expect("a header");
                file.decrypt([&Listening::new(&key, &heard) as &dyn age::Identity].into_iter())
                    .expect("its key");
                let secret = heard.borrow_mut().take().expect("heard");
                stream::Reader::new(rest, &secret)?.read_to_end(&mut back)?;
            } else {
                let file = age::Decryptor::new_buffered(sealed).map_err(io::Error::other)?;
                let mut file =
                    file.decrypt([&key as &dyn age::Identity].into_iter()).map_err(io::Error::other)?;
                file.read_to_end(&mut back)?;
            }
            Ok(back)
        };
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7] {
            let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 253).expect("small")).collect();
            let mut ours = stream::Writer::new(Vec::new(), &[key.to_public()]).expect("begun");
            ours.write_all(&content).expect("memory");
            let ours = ours.finish().expect("memory");
            let to = key.to_public();
            let theirs =
                age::Encryptor::with_recipients([&to as &dyn age::Recipient].into_iter()).expect("one");
            let mut theirs = theirs.wrap_output(Vec::new()).expect("memory");
            theirs.write_all(&content).expect("memory");
            let theirs = theirs.finish().expect("memory");
            assert_eq!(read(&theirs, true).expect("opens"), content, "{size}");
            assert_eq!(read(&ours, true).expect("opens"), content, "{size}");
            assert_eq!(read(&ours, false).expect("opens"), content, "{size}");
            let sealed = CHUNK + 16;
            let begins = ours.len() - (size + 16 * size.div_ceil(CHUNK).max(1));
            let mut wrong = vec![ours[..ours.len() - 1].to_vec(), [&ours[..], b"x"].concat()];
            wrong.push({
                let mut changed = ours.clone();
                changed[begins] ^= 1;
                changed
            });
            if size > 2 * CHUNK {
                let (first, second) =
                    (&ours[begins..begins + sealed], &ours[begins + sealed..begins + 2 * sealed]);
                let rest = &ours[begins + 2 * sealed..];
                wrong.push([&ours[..begins], second, first, rest].concat());
                wrong.push([&ours[..begins], first, rest].concat());
                wrong.push(ours[..begins + sealed].to_vec());
            }
            for (number, wrong) in wrong.iter().enumerate() {
                assert!(read(wrong, true).is_err() && read(wrong, false).is_err(), "{size}, {number}");
            }
        }
    }

    #[test]
    fn recipients_are_checked() {
        fn check(texts: &[&str], expected: &str) {
            let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
            assert!(recipients(&texts).expect_err("refused").to_string().contains(expected));
        }
        check(&[], "1 to 32");
        check(&["age1nonsense"], "is not an age recipient");
    }
}
