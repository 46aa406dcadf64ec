//! Tar headers, written and read in the one form that the format allows: GNU, plain files, and a long name (`L`)
//! before a file whose name passes 100 bytes.
//!
//! The reader takes name and size from a header, writes the header again from these two, and refuses any difference.
//! Links, devices, PAX records, sparse files, odd owners, times in the future and numbers in other bases have no
//! place to stand in, whatever some other reader of tar would make of them.

use std::io::{self, Read, Write};

use super::name;

/// Tar's unit.
pub(crate) const BLOCK: usize = 512;

/// Name field of a header.
const NAME_BYTES: usize = 100;
/// Where the checksum stands.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// Where the type stands.
const KIND: usize = 156;
/// A plain file.
const FILE: u8 = b'0';
/// A GNU long name, which the next header's file bears.
const LONG_NAME: u8 = b'L';
/// What GNU tar calls the entry of a long name.
const LONG_NAME_NAME: &[u8] = b"././@LongLink";
/// Most zero bytes that may follow the two blocks that end an archive: stock tar fills up to 20 blocks.
const MOST_PADDING_BYTES: usize = 20 * BLOCK;

/// Name and size of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its name, checked.
    pub(crate) name: String,
    /// Its size.
    pub(crate) size_bytes: u64,
}

/// Why a header was refused.
#[derive(Debug)]
pub(crate) enum HeadError {
    /// Reading failed.
    Io(io::Error),
    /// The bytes end here.
    End,
    /// Not a header that the format allows.
    Refused(String),
}

/// Bytes of zeros that fill an entry of `size_bytes` up to whole blocks.
pub(crate) fn padding(size_bytes: u64) -> usize {
    // Below 512, so that it fits.
    usize::try_from(size_bytes.wrapping_neg() % BLOCK as u64).unwrap_or_default()
}

/// Writes the header (or two) of a file.
pub(crate) fn write(out: &mut dyn Write, name: &str, size_bytes: u64) -> io::Result<()> {
    let name = name.as_bytes();
    if name.len() > NAME_BYTES {
        let size = name.len() as u64 + 1;
        out.write_all(&block(LONG_NAME_NAME, size, LONG_NAME))?;
        out.write_all(name)?;
        write_zeros(out, 1 + padding(size))?;
    }
    out.write_all(&block(name, size_bytes, FILE))
}

/// Writes zeros: an entry's padding, or the two blocks that end an archive.
pub(crate) fn write_zeros(out: &mut dyn Write, bytes: usize) -> io::Result<()> {
    const ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
    ZEROS.get(..bytes).map_or(Ok(()), |zeros| out.write_all(zeros))
}

/// Reads the header (or two) of the next file; `None` at the first of the blocks that end an archive.
pub(crate) fn read(reader: &mut dyn Read) -> Result<Option<Head>, HeadError> {
    let first = read_block(reader)?;
    if first.iter().all(|b| *b == 0) {
        return Ok(None);
    }
    let (name, header) = match kind(&first) {
        LONG_NAME => {
            let size = size(&first)?;
            verify(&first, LONG_NAME_NAME, size, LONG_NAME)?;
            let name = read_long_name(reader, size)?;
            (name, read_block(reader)?)
        }
        _ => (short_name(&first).to_vec(), first),
    };
    if kind(&header) != FILE {
        return Err(refused(kind_word(kind(&header))));
    }
    let size_bytes = size(&header)?;
    verify(&header, &name, size_bytes, FILE)?;
    let name = String::from_utf8(name).map_err(|_| refused("a name that is not UTF-8"))?;
    name::check(&name).map_err(|why| HeadError::Refused(format!("entry name {name:?}: {why}")))?;
    Ok(Some(Head { name, size_bytes }))
}

/// Reads what must follow the first block that ends an archive: another one, a little zero padding, and nothing.
pub(crate) fn read_end(reader: &mut dyn Read) -> Result<(), HeadError> {
    if read_block(reader)?.iter().any(|b| *b != 0) {
        return Err(refused("something behind the end of the archive"));
    }
    let mut rest = Vec::new();
    reader.take(MOST_PADDING_BYTES as u64 + 1).read_to_end(&mut rest).map_err(HeadError::Io)?;
    if rest.len() > MOST_PADDING_BYTES || rest.iter().any(|b| *b != 0) {
        return Err(refused("something behind the end of the archive"));
    }
    Ok(())
}

/// Reads the zeros that fill an entry of `size_bytes` up to whole blocks.
pub(crate) fn read_padding(reader: &mut dyn Read, size_bytes: u64) -> Result<(), HeadError> {
    let mut bytes = [0; BLOCK];
    let padding = bytes.get_mut(..padding(size_bytes)).unwrap_or_default();
    read_exact(reader, padding)?;
    if padding.iter().any(|b| *b != 0) {
        return Err(refused("padding that is not zero"));
    }
    Ok(())
}

/// The header of a file or of a long name: everything but name, size and kind is fixed.
fn block(name: &[u8], size_bytes: u64, kind: u8) -> [u8; BLOCK] {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size_bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    // The crate's own way to set a name normalises it; here it is bytes, cut where the field ends.
    for (to, from) in header.as_old_mut().name.iter_mut().zip(name) {
        *to = *from;
    }
    header.set_cksum();
    *header.as_bytes()
}

/// Refuses a header that is not, byte for byte, the one of this name, size and kind. Only the checksum has two
/// spellings, because tar programs differ: seven digits and a NUL, or six, a NUL and a space.
fn verify(header: &[u8; BLOCK], name: &[u8], size_bytes: u64, kind: u8) -> Result<(), HeadError> {
    let mut wanted = block(name, size_bytes, kind);
    let (Some(to), Some(from)) = (wanted.get_mut(CHECKSUM), header.get(CHECKSUM)) else {
        return Err(refused("a header without a checksum"));
    };
    let sum = octal(to).unwrap_or_default();
    let right = [format!("{sum:07o}\0"), format!("{sum:06o}\0 ")].iter().any(|s| s.as_bytes() == from);
    to.copy_from_slice(from);
    if wanted != *header {
        return Err(refused("a header with an owner, a time, a mode or a link, or not of plain GNU tar"));
    }
    if right { Ok(()) } else { Err(refused("a header whose checksum is wrong")) }
}

fn kind(header: &[u8; BLOCK]) -> u8 {
    header.get(KIND).copied().unwrap_or_default()
}

/// What to call a kind of entry that is refused.
fn kind_word(kind: u8) -> &'static str {
    match kind {
        b'1' | b'2' => "a link",
        b'3' | b'4' | b'6' => "a device or a pipe",
        b'5' => "a folder",
        b'S' => "a sparse file",
        b'x' | b'g' => "a PAX record",
        b'K' => "a long link",
        LONG_NAME => "two long names in a row",
        _ => "an entry that is not a plain file",
    }
}

fn short_name(header: &[u8; BLOCK]) -> &[u8] {
    let field = header.get(..NAME_BYTES).unwrap_or_default();
    field.split(|b| *b == 0).next().unwrap_or_default()
}

fn read_long_name(reader: &mut dyn Read, size: u64) -> Result<Vec<u8>, HeadError> {
    // Judged before a byte is read or room is made for it.
    let long = NAME_BYTES as u64 + 1..=name::LONGEST_NAME_BYTES as u64;
    if !long.contains(&size.saturating_sub(1)) {
        return Err(refused("a long name that is not 101 to 255 bytes long"));
    }
    let mut name = vec![0; usize::try_from(size).unwrap_or_default()];
    read_exact(reader, &mut name)?;
    read_padding(reader, size)?;
    if name.pop() != Some(0) {
        return Err(refused("a long name without its end"));
    }
    Ok(name)
}

/// Size field: octal digits. What else may stand there is caught when the header is written again.
fn size(header: &[u8; BLOCK]) -> Result<u64, HeadError> {
    octal(header.get(124..136).unwrap_or_default()).ok_or_else(|| refused("a size that is not octal digits"))
}

/// Octal digits up to the first NUL or space, and nothing but these behind.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.iter().take_while(|b| matches!(b, b'0'..=b'7')).count();
    let (digits, rest) = field.split_at_checked(digits)?;
    if digits.is_empty() || rest.iter().any(|b| !matches!(b, 0 | b' ')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

fn refused(what: &str) -> HeadError {
    HeadError::Refused(what.to_owned())
}

fn read_block(reader: &mut dyn Read) -> Result<[u8; BLOCK], HeadError> {
    let mut block = [0; BLOCK];
    read_exact(reader, &mut block)?;
    Ok(block)
}

fn read_exact(reader: &mut dyn Read, bytes: &mut [u8]) -> Result<(), HeadError> {
    reader.read_exact(bytes).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => HeadError::End,
        _ => HeadError::Io(e),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, name, bytes.len() as u64).expect("a vector takes all");
        out.extend_from_slice(bytes);
        write_zeros(&mut out, padding(bytes.len() as u64)).expect("a vector takes all");
        out
    }

    #[test]
    fn names_of_every_length_survive() {
        for length in [1, 99, 100, 101, 155, 254, 255] {
            let name = "n".repeat(length);
            let bytes = entry(&name, b"hello");
            assert_eq!(bytes.len() % BLOCK, 0);
            let head = read(&mut bytes.as_slice()).expect("ours").expect("an entry");
            assert_eq!(head, Head { name: name.clone(), size_bytes: 5 });
            // Another program of tar reads the same.
            let mut archive = tar::Archive::new(bytes.as_slice());
            let entry = archive.entries().expect("tar").next().expect("one").expect("an entry");
            assert_eq!(entry.path_bytes(), name.as_bytes());
            assert_eq!((entry.header().mtime().ok(), entry.size()), (Some(0), 5));
        }
    }

    #[test]
    fn the_end_is_two_blocks_and_a_little_padding() {
        for (bytes, ok) in [
            (vec![0; 511], false),
            (vec![0; 512], true),
            (vec![0; 1024], true),
            (vec![0; 512 + MOST_PADDING_BYTES], true),
            (vec![0; 513 + MOST_PADDING_BYTES], false),
            ([vec![0; 512], vec![1]].concat(), false),
            (vec![1; 512], false),
        ] {
            assert_eq!(read_end(&mut bytes.as_slice()).is_ok(), ok, "{}", bytes.len());
        }
    }

    #[test]
    fn any_other_header_is_refused() {
        let good = entry("raw/a", b"");
        let change = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            let mut header = tar::Header::from_byte_slice(&bytes[..BLOCK]).clone();
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let check = |bytes: &[u8], expected: &str| match read(&mut &bytes[..]) {
            Err(HeadError::Refused(found)) => {
                assert!(found.contains(expected), "{found:?}, not {expected:?}")
            }
            other => panic!("{other:?}, not {expected:?}"),
        };
        for at in 0..BLOCK {
            let mut bytes = good.clone();
            bytes[at] ^= 0x20;
            assert!(read(&mut bytes.as_slice()).is_err(), "byte {at} may be anything");
        }
        let other = "with an owner, a time, a mode or a link";
        check(&change(103, b'7'), other); // mode
        check(&change(114, b'1'), other); // owner
        check(&change(146, b'1'), other); // time
        check(&change(160, b'x'), other); // link name
        check(&change(270, b'x'), other); // owner's name
        check(&change(350, b'x'), other); // what ustar calls prefix
        check(&change(50, b'x'), other); // hidden behind the name's end
        check(&change(124, 0x80), "octal");
        check(&change(157, b'x'), other);
        check(&change(257 + 6, b'0'), other); // ustar
        for (kind, word) in
            [(b'1', "link"), (b'2', "link"), (b'3', "device"), (b'5', "folder"), (b'x', "PAX")]
        {
            check(&change(KIND, kind), word);
        }
        check(&change(KIND, 0), "not a plain file");
        check(&change(KIND, b'S'), "sparse");
        check(&change(0, b'/'), "absolute");
        check(&change(0, 0xff), "UTF-8");
        let long = entry(&"n".repeat(101), b"");
        check(&[&long[..1024], &long[..]].concat(), "two long names");
        check(&[&block(LONG_NAME_NAME, 1 << 30, LONG_NAME)[..], &good].concat(), "101 to 255");
        let mut split = long.clone();
        split[512 + 50] = 0;
        check(&split, other);
    }
}
