//! Opening a bundle file: both forms, checked as far as was asked. Nothing is unpacked to a file system.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use assay_bundle::archive::{
    ArchiveError, EntryDigest, Envelope, Limits, PayloadForm, Visitor, read_envelope,
};
use assay_bundle::keys::PublicKey;
use zeroize::Zeroizing;

use crate::trouble::{NextStep, refuse};

/// What to do with a file that is refused.
const NEXT: &str = "copy the bundle again from where it was made, or collect anew; do not act on this one";

/// A bundle of which the envelope has been read.
pub(crate) struct Opened {
    /// Manifest and signature.
    pub(crate) envelope: Envelope,
    reader: BufReader<File>,
    named: String,
}

/// The payload of a bundle, every entry checked against its digest.
pub(crate) struct Entries {
    /// All entries with size and digest.
    pub(crate) list: Vec<EntryDigest>,
    /// Bytes of those that were wanted.
    pub(crate) bytes: BTreeMap<String, Vec<u8>>,
}

impl Opened {
    /// Reads the envelope of a file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let named = path.display().to_string();
        let file =
            File::open(path).or_advise(format!("cannot read {named}"), "name a bundle file (.assay)")?;
        if file.metadata().is_ok_and(|meta| meta.is_dir()) {
            return Err(refuse(format!("{named} is a folder"), "name a bundle file (.assay)"));
        }
        let mut reader = BufReader::new(file);
        let envelope =
            read_envelope(&mut reader, &Limits::default()).or_advise(format!("{named} is refused"), NEXT)?;
        Ok(Self { envelope, reader, named })
    }

    /// Checks the signature by `key`.
    pub(crate) fn verify_signature(&self, key: &PublicKey) -> anyhow::Result<()> {
        self.envelope.verify_signature(key).or_advise(format!("{} is refused", self.named), NEXT)
    }

    /// The key that the signature names, which proves nothing yet.
    pub(crate) fn named_key(&self) -> anyhow::Result<PublicKey> {
        self.envelope.named_key().or_advise(format!("{} is refused", self.named), NEXT)
    }

    /// Whether the payload is encrypted.
    pub(crate) fn is_sealed(&self) -> bool {
        self.envelope.form == PayloadForm::Sealed
    }

    /// Checks the payload as transported, without opening it.
    pub(crate) fn check_payload(&mut self) -> anyhow::Result<()> {
        let checked = self.envelope.check_payload(&mut self.reader, &Limits::default());
        checked.or_advise(format!("{} is refused", self.named), NEXT)
    }

    /// Opens the payload and keeps the entries that `wanted` names.
    pub(crate) fn entries(
        mut self,
        identity: Option<&Path>,
        wanted: &dyn Fn(&str) -> bool,
    ) -> anyhow::Result<(Envelope, Entries)> {
        let secret = identity.map(read_identity).transpose()?;
        let mut keep = Keep { wanted, bytes: BTreeMap::new() };
        let secret = secret.as_ref().map(|secret| secret.as_str());
        let walked = self.envelope.walk_payload(&mut self.reader, secret, &Limits::default(), &mut keep);
        let list = match walked {
            Ok(list) => list,
            Err(error @ (ArchiveError::NeedsIdentity { .. } | ArchiveError::Decrypt)) => {
                return Err(error).or_advise(
                    format!("{} cannot be opened", self.named),
                    "open the plain form on the NAS that made it, or give the reader's key with --identity FILE",
                );
            }
            Err(error) => return Err(error).or_advise(format!("{} is refused", self.named), NEXT),
        };
        Ok((self.envelope, Entries { list, bytes: keep.bytes }))
    }
}

struct Keep<'w> {
    wanted: &'w dyn Fn(&str) -> bool,
    bytes: BTreeMap<String, Vec<u8>>,
}

impl Visitor for Keep<'_> {
    fn wants(&mut self, name: &str, _size_bytes: u64) -> bool {
        (self.wanted)(name)
    }

    fn entry(&mut self, name: &str, bytes: Vec<u8>) {
        self.bytes.insert(name.to_owned(), bytes);
    }
}

impl Entries {
    /// A document of the bundle.
    pub(crate) fn document<T: serde::de::DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        let Some(bytes) = self.bytes.get(name) else {
            return Err(refuse(format!("the bundle has no {name}"), NEXT));
        };
        assay_bundle::json::from_slice(bytes).or_advise(format!("{name} in the bundle cannot be read"), NEXT)
    }

    /// The recorded outputs, with their names below `raw/`.
    pub(crate) fn into_raw(self) -> BTreeMap<String, Vec<u8>> {
        let raw = |(name, bytes): (String, Vec<u8>)| Some((name.strip_prefix("raw/")?.to_owned(), bytes));
        self.bytes.into_iter().filter_map(raw).collect()
    }
}

/// The secret line of an age identity file.
fn read_identity(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let named = path.display();
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .or_advise(format!("cannot read {named}"), "name the file that `age-keygen` wrote")?;
    match text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-")) {
        Some(line) => Ok(Zeroizing::new(line.to_owned())),
        None => Err(refuse(
            format!("{named} holds no AGE-SECRET-KEY-… line"),
            "name the file that `age-keygen` wrote",
        )),
    }
}
