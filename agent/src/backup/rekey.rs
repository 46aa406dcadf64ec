//! Another recipient for a copy: opened with the old key and sealed to the new one in one stream. The tar inside is the
//! same, byte for byte. The old copy stays until the new one was read back; nothing in the clear touches a disk.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use assay_bundle::recovery::sealing::{self, Sealer};
use assay_bundle::recovery::{CopyLevel, CopyReceipt};

use super::{check, shelf};
use crate::output::PartialFile;
use crate::trouble::{NextStep, refuse};

const BUFFER_BYTES: usize = 64 << 10;

/// Seals a copy anew, in place; returns its new receipt.
pub(crate) fn rekey(path: &Path, key: &str, recipients: &[String]) -> anyhow::Result<CopyReceipt> {
    let named = path.display();
    let next = "see that there is room beside it; the copy is as it was";
    // All of it is proven before anything takes its place: a damaged copy must not get a fresh seal.
    let walked = check::verify(path, key, &mut |_| ())?;
    let before = shelf::receipt(path).ok();
    let mut file = check::open(path)?;
    let mut tar = sealing::open(&mut file, key).or_advise(format!("{named} cannot be opened"), next)?;
    let target = PartialFile::begin(path, 0o600)?;
    let temporary = target.temporary().to_owned();
    let sealer =
        Sealer::new(target, recipients).or_advise("nothing was changed", "name recipients as age1…")?;
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, sealer);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut pour = || -> std::io::Result<()> {
        loop {
            match tar.read(&mut buffer)? {
                0 => return out.flush(),
                read => out.write_all(buffer.get(..read).unwrap_or_default())?,
            }
        }
    };
    pour().or_advise(format!("{named} could not be sealed anew"), next)?;
    let sealer = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    let (target, size_bytes, sha256) =
        sealer.finish().or_advise(format!("{named} could not be sealed anew"), next)?;
    target.sync()?;
    let back = File::open(&temporary).and_then(|file| {
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        shelf::digest(&file, &mut || ())
    });
    if back.or_advise(format!("{named} could not be read back"), next)? != (size_bytes, sha256.clone()) {
        return Err(refuse(format!("{named} sealed anew is not what was written"), next));
    }
    let entries = u64::try_from(walked.digests.len()).unwrap_or(u64::MAX);
    let head = walked.head;
    let receipt = CopyReceipt {
        size_bytes,
        sha256,
        entries,
        recipients: recipients.to_vec(),
        level: CopyLevel::ReadBack,
        ..before.unwrap_or(CopyReceipt {
            format: head.format,
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            made_at: head.made_at,
            made_unix_s: 0,
            agent_version: head.agent_version,
            profile: head.profile,
            size_bytes,
            sha256: String::new(),
            entries,
            content_bytes: 0,
            recipients: Vec::new(),
            level: CopyLevel::ReadBack,
            volume_keys: head.volume_keys,
            notes: Default::default(),
            left_out: Default::default(),
            extra: serde_json::Map::new(),
        })
    };
    // Between the two steps the copy has no receipt rather than one of other bytes.
    let _ = fs::remove_file(shelf::receipt_path(path));
    target.finish()?;
    shelf::keep_receipt(path, &receipt)?;
    Ok(receipt)
}
