//! The payload of an age file, in either direction: chunks of 64 KiB under ChaCha20-Poly1305, by ring.
//!
//! Who can open a file is said in its header, and that is the age crate's work. Here is only what every byte passes:
//! that crate does it in portable code, built for size, and is then what a copy waits for. ring has assembly for every
//! processor of a NAS and is linked for TLS anyway. The file key is taken where that crate hands it to a recipient or
//! gets it from an identity; a test holds that either side opens what the other one wrote.
//!
//! Nothing is handed out before its chunk was authenticated. Refused are: a chunk that was changed, moved or left out,
//! an end that is none, and an empty last chunk where others came before.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Read, Write};

use age::secrecy::ExposeSecret;
use age_core::format::{FileKey, Stanza};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// Plaintext of a chunk.
const CHUNK_BYTES: usize = 64 << 10;
/// What authentication adds to it.
const TAG_BYTES: usize = 16;
/// The nonce between header and chunks.
pub(super) const NONCE_BYTES: usize = 16;

/// The key of one file, as its header wraps it.
type Secret = Zeroizing<[u8; 16]>;

/// A recipient or an identity of age's that remembers the key it was given.
pub(super) struct Listening<'a, T> {
    inner: &'a T,
    heard: &'a RefCell<Option<Secret>>,
}

impl<'a, T> Listening<'a, T> {
    /// Remembers in `heard`.
    pub(super) fn new(inner: &'a T, heard: &'a RefCell<Option<Secret>>) -> Self {
        Self { inner, heard }
    }

    fn hear(&self, key: &FileKey) {
        *self.heard.borrow_mut() = Some(Zeroizing::new(*key.expose_secret()));
    }
}

impl age::Recipient for Listening<'_, age::x25519::Recipient> {
    fn wrap_file_key(&self, key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        self.hear(key);
        self.inner.wrap_file_key(key)
    }
}

impl age::Identity for Listening<'_, age::x25519::Identity> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        let opened = self.inner.unwrap_stanza(stanza);
        if let Some(Ok(key)) = &opened {
            self.hear(key);
        }
        opened
    }
}

/// Key and position in the chunks of one file.
struct Chunks {
    key: LessSafeKey,
    counter: u64,
}

impl Chunks {
    fn new(secret: &Secret, nonce: &[u8; NONCE_BYTES]) -> io::Result<Self> {
        let broken = |_| io::Error::other("no key can be derived");
        let key = Salt::new(HKDF_SHA256, nonce).extract(secret.as_slice());
        let key = UnboundKey::from(key.expand(&[b"payload"], &CHACHA20_POLY1305).map_err(broken)?);
        Ok(Self { key: LessSafeKey::new(key), counter: 0 })
    }

    /// The nonce of the next chunk: eleven bytes of a counter and one that marks the last.
    fn nonce(&mut self, last: bool) -> io::Result<Nonce> {
        let mut nonce = [0; 12];
        let [_, _, _, counter @ .., flag] = &mut nonce;
        *counter = self.counter.to_be_bytes();
        *flag = u8::from(last);
        self.counter = self.counter.checked_add(1).ok_or_else(|| io::Error::other("the copy is too long"))?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Encrypts; [`Writer::finish`] has to be called, or what was written opens for nobody.
pub(super) struct Writer<W> {
    inner: W,
    chunks: Chunks,
    chunk: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the header to these recipients, and begins.
    pub(super) fn new(mut inner: W, recipients: &[age::x25519::Recipient]) -> io::Result<Self> {
        let heard = RefCell::new(None);
        let listening: Vec<_> = recipients.iter().map(|one| Listening::new(one, &heard)).collect();
        let encryptor = age::Encryptor::with_recipients(listening.iter().map(|r| r as &dyn age::Recipient))
            .map_err(io::Error::other)?;
        // What the crate would encrypt with is dropped again: of its output header and nonce are taken.
        let mut head = Vec::new();
        drop(encryptor.wrap_output(&mut head)?);
        let nonce = head.last_chunk().ok_or_else(|| io::Error::other("the age header is too short"))?;
        let secret = heard.borrow_mut().take().ok_or_else(|| io::Error::other("no key was made"))?;
        let chunks = Chunks::new(&secret, nonce)?;
        inner.write_all(&head)?;
        Ok(Self { inner, chunks, chunk: Vec::with_capacity(CHUNK_BYTES + TAG_BYTES) })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.chunks.nonce(last)?;
        let sealed = self.chunks.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk);
        sealed.map_err(|_| io::Error::other("a chunk could not be encrypted"))?;
        self.inner.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    /// Writes the last chunk.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until more comes: the last one is another.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(false)?;
        }
        let room = CHUNK_BYTES.saturating_sub(self.chunk.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts.
pub(super) struct Reader<R> {
    inner: R,
    chunks: Chunks,
    /// A chunk, and the first byte of the next one: whether there is one is what tells the last.
    sealed: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Goes,
    Ended,
    Failed,
}

impl<R: Read> Reader<R> {
    /// Goes on after a header, whose key is `secret`: `inner` begins with the nonce.
    pub(super) fn new(mut inner: R, secret: &Secret) -> io::Result<Self> {
        let mut nonce = [0; NONCE_BYTES];
        inner.read_exact(&mut nonce)?;
        Ok(Self {
            inner,
            chunks: Chunks::new(secret, &nonce)?,
            sealed: Vec::with_capacity(CHUNK_BYTES + TAG_BYTES + 1),
            plain: Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES)),
            at: 0,
            state: State::Goes,
        })
    }

    fn open(&mut self) -> io::Result<()> {
        let refused = || io::Error::new(io::ErrorKind::InvalidData, "a part of it was changed or is missing");
        const SEALED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
        let wanted = (SEALED_BYTES + 1).saturating_sub(self.sealed.len());
        (&mut self.inner).take(wanted as u64).read_to_end(&mut self.sealed)?;
        let last = self.sealed.len() <= SEALED_BYTES;
        let is_first = self.chunks.counter == 0;
        let next = if last { None } else { self.sealed.pop() };
        let nonce = self.chunks.nonce(last)?;
        self.plain.clear();
        self.plain.extend_from_slice(&self.sealed);
        self.sealed.clear();
        self.sealed.extend(next);
        let opened = self.chunks.key.open_in_place(nonce, Aad::empty(), &mut self.plain);
        let size = opened.map_err(|_| refused())?.len();
        if last && size == 0 && !is_first {
            return Err(refused());
        }
        self.plain.truncate(size);
        self.at = 0;
        if last {
            self.state = State::Ended;
        }
        Ok(())
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.plain.len() {
            match self.state {
                State::Ended => return Ok(0),
                State::Failed => return Err(io::Error::other("it could not be read before")),
                State::Goes => {}
            }
            // A failed chunk leaves nothing to hand out, whoever asks again.
            if let Err(error) = self.open() {
                self.plain.clear();
                self.at = 0;
                self.state = State::Failed;
                return Err(error);
            }
        }
        let rest = self.plain.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
