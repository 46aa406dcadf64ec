//! Writes and lists plain ustar archives: owner 0, one fixed time, no extended headers, because the NAS' own tar is
//! old. Refuses a path over 100 bytes and, when reading, a header whose sum does not hold.

use anyhow::{Context, Result, bail, ensure};

const BLOCK: usize = 512;

/// One regular file of an archive.
pub(super) struct Entry {
    /// Path inside the archive, `/` between its parts.
    pub(super) path: String,
    /// Permission bits.
    pub(super) mode: u32,
    /// Content.
    pub(super) bytes: Vec<u8>,
}

/// The archive of `entries` in the order of their paths, each dated `seconds` after 1970.
pub(super) fn write(mut entries: Vec<Entry>, seconds: u64) -> Result<Vec<u8>> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut out = Vec::new();
    for entry in &entries {
        ensure!(entry.path.len() <= 100, "{}: a path in a package has at most 100 bytes", entry.path);
        let before = format!(
            "{:\0<100}{:07o}\0{:07o}\0{:07o}\0{:011o}\0{:011o}\0",
            entry.path,
            entry.mode,
            0,
            0,
            entry.bytes.len(),
            seconds
        );
        let after = format!(
            "0{:\0<100}ustar\x0000{:\0<32}{:\0<32}{:07o}\0{:07o}\0{:\0<167}",
            "", "admin", "admin", 0, 0, ""
        );
        let sum: u64 = before.bytes().chain(after.bytes()).map(u64::from).sum::<u64>() + 8 * u64::from(b' ');
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(after.as_bytes());
        out.extend_from_slice(&entry.bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize((out.len() + 2 * BLOCK).next_multiple_of(20 * BLOCK), 0);
    Ok(out)
}

/// The entries of an archive that `write` could have made.
pub(super) fn read(mut rest: &[u8]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    loop {
        let (header, body) = rest.split_at_checked(BLOCK).context("the tar ends without its end mark")?;
        if header.iter().all(|byte| *byte == 0) {
            ensure!(body.iter().all(|byte| *byte == 0), "bytes follow the end mark of the tar");
            return Ok(entries);
        }
        let told = number(header, 148, 8)?;
        let sum: u64 = header
            .iter()
            .enumerate()
            .map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }))
            .sum();
        ensure!(told == sum, "a tar header's sum is {sum}, it says {told}");
        let path = text(header, 0, 100)?;
        if header.get(156) != Some(&b'0') || header.get(257..263) != Some(b"ustar\0") {
            bail!("{path}: not a plain ustar file");
        }
        let size = usize::try_from(number(header, 124, 12)?)?;
        let bytes = body.get(..size).with_context(|| format!("{path}: cut short"))?.to_vec();
        rest = body.get(size.next_multiple_of(BLOCK)..).with_context(|| format!("{path}: cut short"))?;
        entries.push(Entry { path, mode: u32::try_from(number(header, 100, 8)?)?, bytes });
    }
}

fn text(header: &[u8], at: usize, width: usize) -> Result<String> {
    let field = header.get(at..at + width).context("a short header")?;
    let end = field.iter().position(|byte| *byte == 0 || *byte == b' ').unwrap_or(width);
    Ok(String::from_utf8(field.get(..end).unwrap_or_default().to_vec())?)
}

fn number(header: &[u8], at: usize, width: usize) -> Result<u64> {
    let digits = text(header, at, width)?;
    u64::from_str_radix(&digits, 8).with_context(|| format!("`{digits}` is no octal number"))
}
