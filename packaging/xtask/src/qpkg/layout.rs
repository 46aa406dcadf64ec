//! The bytes of a `.qpkg`: script, control tar, data, an optional QDK area with the code signature, and a tail of
//! 100 bytes. Offsets and the checksum are those of QDK 2.5.3. What was not seen on a NAS: whether the end mark of
//! the QDK area carries a size; here it does, of 0, as every other record.

use anyhow::{Context, Result, bail, ensure};

/// Length of the tail.
pub(super) const TAIL: usize = 100;
const MARK: &[u8; 10] = b"QNAPQPKG  ";
const AREA: &[u8; 3] = b"QDK";
const SIGNATURE: u8 = 254;
const END: u8 = 255;

/// A package, taken apart.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The shell script that the NAS runs.
    pub(super) script: &'a [u8],
    /// Uncompressed tar whose only member is `control.tar.gz`.
    pub(super) control: &'a [u8],
    /// `data.tar.gz`.
    pub(super) data: &'a [u8],
    /// Vendor's code signature (CMS), when there is one.
    pub(super) signature: Option<&'a [u8]>,
    /// Package name in the tail.
    pub(super) name: String,
    /// Version in the tail.
    pub(super) version: String,
}

/// The script with its three lengths filled in. Its own length is in it, so it is sought until it holds.
pub(super) fn script(template: &str, control: usize, data: usize) -> Result<String> {
    for key in ["SCRIPT_LEN", "CTRL_LEN", "DATA_LEN"] {
        ensure!(
            template.matches(&format!("@{key}@")).count() == 1,
            "the header script needs @{key}@ exactly once"
        );
    }
    let filled =
        template.replace("@CTRL_LEN@", &control.to_string()).replace("@DATA_LEN@", &data.to_string());
    let mut length = filled.len();
    for _ in 0..8 {
        let whole = filled.replace("@SCRIPT_LEN@", &length.to_string());
        if whole.len() == length {
            return Ok(whole);
        }
        length = whole.len();
    }
    bail!("no length of the header script agrees with itself; add a character to it")
}

/// The area that carries a code signature.
pub(super) fn area(signature: &[u8]) -> Result<Vec<u8>> {
    let mut out = AREA.to_vec();
    out.push(SIGNATURE);
    out.extend(u32::try_from(signature.len())?.to_be_bytes());
    out.extend(signature);
    out.push(END);
    out.extend(0_u32.to_be_bytes());
    Ok(out)
}

/// The tail of a package that has `before` bytes without it.
pub(super) fn tail(before: usize, name: &str, version: &str) -> Result<Vec<u8>> {
    for (what, value, most) in [("name", name, 20), ("version", version, 10)] {
        let plain = value.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(
            plain && (1..=most).contains(&value.len()),
            "the {what} `{value}` needs 1 to {most} plain characters"
        );
    }
    let sum = checksum(before + TAIL)?;
    let mut out = format!("{:40}{sum}{:10}{name:20}{version:10}", "", "").into_bytes();
    out.extend(MARK);
    Ok(out)
}

/// First ten digits of the checksum over the length of the whole file.
fn checksum(size: usize) -> Result<String> {
    let number = u64::try_from(size)?.checked_mul(3589).and_then(|n| n.checked_add(1_000_000_000));
    Ok(number.context("too big")?.to_string().chars().take(10).collect())
}

/// Takes a package apart. Refuses one that [`script`], [`area`] and [`tail`] could not have made.
pub(super) fn parse(file: &[u8]) -> Result<Parts<'_>> {
    let before = file.len().checked_sub(TAIL).context("shorter than a tail")?;
    let (body, end) = file.split_at(before);
    ensure!(end.ends_with(MARK), "the tail does not end with QNAPQPKG");
    let end = std::str::from_utf8(end).context("the tail is no text")?;
    let field = |from: usize, to: usize| end.get(from..to).unwrap_or_default().trim_end().to_owned();
    let (name, version) = (field(60, 80), field(80, 90));
    ensure!(
        end.as_bytes() == tail(before, &name, &version)?,
        "the tail is not the one for {} bytes",
        file.len()
    );
    ensure!(body.starts_with(b"#!/bin/sh\n"), "it does not start with #!/bin/sh");
    let (script, rest) = body.split_at_checked(length(body, "script_len=")?).context("the script is cut")?;
    ensure!(script.ends_with(b"\n"), "script_len does not end at the end of a line");
    ensure!(std::str::from_utf8(script).is_ok(), "script_len reaches beyond the script");
    let (control, rest) =
        rest.split_at_checked(length(script, "ctrl_len=")?).context("the control part is cut")?;
    let (data, rest) = rest.split_at_checked(length(script, "data_len=")?).context("the data part is cut")?;
    let signature = if rest.is_empty() {
        None
    } else {
        let size = rest
            .get(4..8)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_be_bytes)
            .context("a cut QDK area")?;
        let signature =
            rest.get(8..).and_then(|b| b.get(..usize::try_from(size).ok()?)).context("a cut signature")?;
        ensure!(
            !signature.is_empty() && area(signature)? == rest,
            "the QDK area is not one signature and its end"
        );
        Some(signature)
    };
    Ok(Parts { script, control, data, signature, name, version })
}

/// The number behind `key` at the start of the first line that has it.
fn length(script: &[u8], key: &str) -> Result<usize> {
    let line = script.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()));
    let digits = std::str::from_utf8(line.with_context(|| format!("the script has no line {key}"))?)?;
    digits.parse().with_context(|| format!("{key}{digits}"))
}
