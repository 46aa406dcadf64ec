//! From the payload as transported to the inner tar: bounded, decrypted, decompressed, each under its limit.
//!
//! Errors that are ours travel through the readers of other crates inside an `io::Error` ([`carry`], [`carried`]), so
//! that a limit that was passed is told apart from bytes that do not decompress.

use std::io::{self, BufRead, BufReader, Read};

use super::{ArchiveError, Limits};
use crate::digest::Sha256;

/// Buffer of each stage.
const BUFFER_BYTES: usize = 64 << 10;

/// Largest window that a frame may ask for, as a power of two: 128 MiB, what stock `zstd -d` takes as well.
const WINDOW_LOG_MAX: u32 = 27;

/// Largest age header. Ours has about 110 bytes for each recipient; the parser is quadratic in this size.
const AGE_HEADER_BYTES: u64 = 16 << 10;

/// Puts an error of ours into an `io::Error`.
pub(super) fn carry(error: ArchiveError) -> io::Error {
    io::Error::other(error)
}

/// Takes it out again; an error of another crate becomes "does not open".
pub(super) fn carried(error: io::Error) -> ArchiveError {
    error
        .downcast::<ArchiveError>()
        .unwrap_or_else(|e| ArchiveError::Shape(format!("its payload does not open ({e})")))
}

/// The payload's bytes inside the outer tar: exactly as many as the header says, or an error.
pub(super) struct Part<'a> {
    reader: &'a mut dyn Read,
    left_bytes: u64,
}

impl<'a> Part<'a> {
    pub(super) fn new(reader: &'a mut dyn Read, size_bytes: u64) -> Self {
        Self { reader, left_bytes: size_bytes }
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.reader.read(buffer) {
                Ok(0) => return Err(carry(ArchiveError::Truncated("the payload"))),
                Ok(read) => {
                    self.left_bytes = self.left_bytes.saturating_sub(read as u64);
                    return Ok(read);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(carry(ArchiveError::Io(e))),
            }
        }
    }
}

/// The x25519 identities in the text of an identity file, or in one bare `AGE-SECRET-KEY-…`.
pub(crate) fn identities(text: &str) -> Result<Vec<age::x25519::Identity>, ArchiveError> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let identities: Result<Vec<_>, _> = lines.map(|l| l.parse().map_err(|_| ArchiveError::Decrypt)).collect();
    identities.and_then(|i| if i.is_empty() { Err(ArchiveError::Decrypt) } else { Ok(i) })
}

/// Decrypts an age file.
pub(crate) fn decrypt<'a>(
    sealed: &'a mut dyn Read,
    identities: &[age::x25519::Identity],
) -> Result<Box<dyn Read + 'a>, ArchiveError> {
    let mut sealed = BufReader::with_capacity(BUFFER_BYTES, sealed);
    let header = age_header(&mut sealed)?;
    let file = io::Cursor::new(header).chain(sealed);
    let opened = age::Decryptor::new_buffered(file)
        .and_then(|d| d.decrypt(identities.iter().map(|i| i as &dyn age::Identity)));
    match opened {
        Ok(reader) => Ok(Box::new(reader)),
        Err(age::DecryptError::Io(e)) => Err(carried(e)),
        Err(age::DecryptError::NoMatchingKeys) => Err(ArchiveError::Decrypt),
        Err(e) => Err(ArchiveError::Shape(format!("its payload does not open ({e})"))),
    }
}

/// Reads an age header up to its last line, under a limit that the age crate does not have.
pub(crate) fn age_header(sealed: &mut impl BufRead) -> Result<Vec<u8>, ArchiveError> {
    let mut header = Vec::new();
    let mut limited = sealed.take(AGE_HEADER_BYTES);
    loop {
        let line = header.len();
        let read = limited.read_until(b'\n', &mut header).map_err(carried)?;
        if header.get(line..).is_some_and(|l| l.starts_with(b"---")) {
            return Ok(header);
        }
        if read == 0 {
            return Err(ArchiveError::Shape("its payload does not open (no age header)".to_owned()));
        }
    }
}

/// Decompresses, and counts and digests what goes in.
pub(super) struct Inflate<R: Read> {
    decoder: zstd::Decoder<'static, BufReader<Sha256<R>>>,
    out_bytes: u64,
    most_bytes: u64,
    ratio: u64,
    ratio_free_bytes: u64,
}

impl<R: Read> Inflate<R> {
    /// Decompresses `compressed` to at most `declared_bytes`, which itself must be within the limits.
    pub(super) fn new(compressed: R, declared_bytes: u64, limits: &Limits) -> Result<Self, ArchiveError> {
        if declared_bytes > limits.inner_bytes {
            return Err(ArchiveError::Limit { what: "the unpacked size", limit: limits.inner_bytes });
        }
        let buffered = BufReader::with_capacity(BUFFER_BYTES, Sha256::new(compressed));
        let mut decoder = zstd::Decoder::with_buffer(buffered).map_err(carried)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(carried)?;
        Ok(Self {
            decoder,
            out_bytes: 0,
            most_bytes: declared_bytes,
            ratio: limits.ratio,
            ratio_free_bytes: limits.ratio_free_bytes,
        })
    }

    /// Number of compressed bytes, and their digest.
    pub(super) fn finish(self) -> (u64, String) {
        let (_, size_bytes, sha256) = self.decoder.finish().into_inner().finish();
        (size_bytes, sha256)
    }

    fn refused(&self) -> Option<ArchiveError> {
        if self.out_bytes > self.most_bytes {
            return Some(ArchiveError::Digest("the size of the inner tar".to_owned()));
        }
        // What stands in the buffer has not been looked at yet and has made no output.
        let input = self.decoder.get_ref();
        let in_bytes = input.get_ref().size_bytes().saturating_sub(input.buffer().len() as u64);
        let allowed = in_bytes.saturating_mul(self.ratio).saturating_add(self.ratio_free_bytes);
        (self.out_bytes > allowed)
            .then_some(ArchiveError::Limit { what: "the compression ratio", limit: self.ratio })
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(BUFFER_BYTES);
        let read = self.decoder.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.out_bytes = self.out_bytes.saturating_add(read as u64);
        self.refused().map_or(Ok(read), |e| Err(carry(e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflate(bytes: &[u8], declared: u64, limits: &Limits) -> Result<usize, ArchiveError> {
        let mut out = Vec::new();
        let mut inflate = Inflate::new(bytes, declared, limits)?;
        inflate.read_to_end(&mut out).map_err(carried)
    }

    #[test]
    fn limits_hold_while_decompressing() {
        let limits =
            Limits { ratio: 200, ratio_free_bytes: 1 << 20, inner_bytes: 8 << 20, ..Limits::default() };
        let zeros = |n: usize| zstd::encode_all(io::repeat(0).take(n as u64), 3).expect("compresses");
        let check = |bytes: &[u8], declared: u64, expected: &str| {
            let found = inflate(bytes, declared, &limits).map_or_else(|e| e.to_string(), |n| n.to_string());
            assert!(found.contains(expected), "{found:?}, not {expected:?}");
        };
        check(&zeros(1 << 20), 1 << 20, "1048576");
        check(&zeros(2 << 20), 2 << 20, "ratio is over the limit of 200");
        check(&zeros(1000), 999, "the size of the inner tar does not match");
        check(&zeros(1000), 9 << 20, "unpacked size is over the limit");
        check(&zeros(1000)[..12], 1000, "does not open");
        check(&[zeros(10), b"junk".to_vec()].concat(), 1000, "does not open");
        check(b"", 1000, "does not open");
        // A frame that asks for a window of 2 GiB: magic, descriptor without a size, window log 31.
        check(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 1, 0, 0], 1000, "does not open");
    }

    #[test]
    fn an_age_header_has_an_end() {
        let check = |bytes: &[u8], ok: bool| {
            let found = age_header(&mut &bytes[..]);
            assert_eq!(found.is_ok(), ok, "{found:?}");
        };
        check(b"age-encryption.org/v1\n-> x\n--- mac\nrest", true);
        check(b"age-encryption.org/v1\n-> x\n", false);
        check(b"", false);
        check(&b"-> x\n".repeat(10_000), false);
        check(&[b'x'; 100_000], false);
    }

    #[test]
    fn identity_files_are_read() {
        use age::secrecy::ExposeSecret as _;
        let secret = age::x25519::Identity::generate().to_string();
        let secret = secret.expose_secret();
        for (text, count) in [
            (secret.to_owned(), Some(1)),
            (format!("# created: today\n# public key: age1x\n{secret}\n\n{secret}\n"), Some(2)),
            ("# nothing".to_owned(), None),
            (format!("{secret}X"), None),
            (String::new(), None),
        ] {
            assert_eq!(identities(&text).map(|i| i.len()).ok(), count, "{text:?}");
        }
    }
}
