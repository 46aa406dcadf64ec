//! SHA-256, the one digest of the format: of bytes, and of what passes through a writer or a reader.

use std::io::{self, Read, Write};

use ring::digest::{Context, SHA256};

/// SHA-256 of `bytes` as lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// Passes everything on, counting and digesting it.
pub struct Sha256<T> {
    inner: T,
    context: Context,
    size_bytes: u64,
}

impl<T> Sha256<T> {
    /// Digests what passes to or from `inner`.
    pub fn new(inner: T) -> Self {
        Self { inner, context: Context::new(&SHA256), size_bytes: 0 }
    }

    /// Bytes that passed so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The inner writer or reader, the number of bytes that passed, and their digest as lower-case hex.
    pub fn finish(self) -> (T, u64, String) {
        let hex = data_encoding::HEXLOWER.encode(self.context.finish().as_ref());
        (self.inner, self.size_bytes, hex)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }
}

impl<W: Write> Write for Sha256<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.passed(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Sha256<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// The source expression by which a page's content security policy allows this style sheet and no other: `sha256-` and
/// the digest in base64.
pub fn policy_source(sheet: &str) -> String {
    let digest = ring::digest::digest(&SHA256, sheet.as_bytes());
    format!("sha256-{}", data_encoding::BASE64.encode(digest.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4, B.1

    #[test]
    fn the_published_vectors() {
        assert_eq!(sha256_hex(b""), EMPTY);
        assert_eq!(sha256_hex(b"abc"), ABC);
        let mut writer = Sha256::new(Vec::new());
        writer.write_all(b"a").expect("a vector takes all");
        writer.write_all(b"bc").expect("a vector takes all");
        assert_eq!(writer.finish(), (b"abc".to_vec(), 3, ABC.to_owned()));
        let mut reader = Sha256::new(&b"abc"[..]);
        io::copy(&mut reader, &mut io::sink()).expect("a slice reads");
        assert_eq!(reader.finish().2, ABC);
    }

    #[test]
    fn a_policy_names_a_sheet_in_base64() {
        assert_eq!(policy_source(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
