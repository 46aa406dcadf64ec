//! The two shapes that OpenSSH's key and signature formats are made of: a big-endian `uint32`, and a `string` that is
//! a `uint32` length and that many bytes (RFC 4251 section 5); and their armour. Refuses a length that passes the end.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// Columns of OpenSSH's armour.
const COLUMNS: usize = 70;

/// Longest armoured text that is read: a private key with a long comment is below 1 KiB.
const LONGEST_ARMOUR_BYTES: usize = 8 << 10;

/// Appends a `uint32`.
pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a `string`. What this crate writes is far below the 4 GiB that its length can say.
pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

/// Takes `N` bytes off the front.
pub(crate) fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

/// Takes a `uint32` off the front.
pub(crate) fn take_u32(input: &mut &[u8]) -> Option<u32> {
    take::<4>(input).map(u32::from_be_bytes)
}

/// Takes a `string` off the front.
pub(crate) fn take_string<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = *input;
    let length = usize::try_from(take_u32(&mut rest)?).ok()?;
    let (head, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some(head)
}

/// Armours `bytes` between `-----BEGIN label-----` and `-----END label-----`.
pub(crate) fn armour(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(BASE64.encode(bytes));
    // Room for all of it at once: a string that grows leaves copies of a secret behind.
    let mut out =
        Zeroizing::new(String::with_capacity(text.len() + text.len() / COLUMNS + 2 * label.len() + 40));
    out.push_str("-----BEGIN ");
    out.push_str(label);
    out.push_str("-----\n");
    for (i, letter) in text.chars().enumerate() {
        if i > 0 && i % COLUMNS == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out.push_str("\n-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// The bytes inside an armour. Nothing may stand before or after it but white space, and the base64 must be the
/// one that [`armour`] would write apart from line lengths and line ends.
pub(crate) fn unarmour(label: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if text.len() > LONGEST_ARMOUR_BYTES {
        return Err("it is too long");
    }
    let body = text
        .trim()
        .strip_prefix("-----BEGIN ")
        .and_then(|t| t.strip_prefix(label))
        .and_then(|t| t.strip_prefix("-----"))
        .ok_or("its first line is missing")?;
    let body = body
        .strip_suffix("-----")
        .and_then(|t| t.strip_suffix(label))
        .and_then(|t| t.strip_suffix("-----END "))
        .ok_or("its last line is missing")?;
    if !body.starts_with(['\r', '\n']) || !body.ends_with('\n') {
        return Err("its first and last lines must stand alone");
    }
    let mut letters = Zeroizing::new(String::with_capacity(body.len()));
    letters.extend(body.chars().filter(|c| !matches!(c, '\r' | '\n')));
    BASE64.decode(letters.as_bytes()).map(Zeroizing::new).map_err(|_| "its base64 is broken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_never_passes_the_end() {
        for (input, expected) in [
            (&b"\0\0\0\x02abc"[..], Some(&b"ab"[..])),
            (b"\0\0\0\0", Some(b"")),
            (b"\0\0\0\x04abc", None),
            (b"\xff\xff\xff\xffabc", None),
            (b"\0\0\0", None),
        ] {
            let mut rest = input;
            assert_eq!(take_string(&mut rest), expected, "{input:?}");
        }
    }

    #[test]
    fn armour_is_strict_about_everything_but_line_lengths() {
        let good = armour("X", &[7; 100]);
        assert!(good.lines().all(|l| l.len() <= COLUMNS));
        for (text, expected) in [
            (good.to_string(), None),
            (good.replace('\n', "\r\n"), None),
            (good.trim_end().to_owned(), None),
            (good.replace("BEGIN X", "BEGIN Y"), Some("its first line is missing")),
            (good.replace("END X", "END Y"), Some("its last line is missing")),
            (format!("{}junk", *good), Some("its last line is missing")),
            (good.replace("BwcH", "Bw H"), Some("its base64 is broken")),
            (
                "-----BEGIN X----------END X-----".to_owned(),
                Some("its first and last lines must stand alone"),
            ),
            ("A".repeat(9000), Some("it is too long")),
            (String::new(), Some("its first line is missing")),
        ] {
            assert_eq!(unarmour("X", &text).err(), expected, "{text}");
        }
        assert_eq!(unarmour("X", &good).expect("good").as_slice(), [7; 100]);
    }
}
