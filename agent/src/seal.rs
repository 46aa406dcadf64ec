//! The end of the pipeline: a manifest, a signature, and the forms of the bundle in the spool or in files.
//!
//! Only a live run is signed as evidence (`Manifest::namespace` decides by the source). Sealing runs on a thread of
//! its own and sees signals at every write; a form that is not complete never appears under its name.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use assay_bundle::keys::SigningKey;
use assay_bundle::manifest::{
    FORMAT_VERSION, Manifest, ManifestAgent, ManifestClock, ManifestDevice, ManifestRedaction, Payload,
    Reason, RunSource, Summary,
};
use assay_bundle::redact::Level;
use assay_bundle::seal::{Content, SealError};
use assay_uploader::{Entry, Slot, SpoolEntry};

use crate::backup::shelf;
use crate::clock::Clock;
use crate::output::{PartialFile, Scratch};
use crate::pipeline::Run;
use crate::runtime::StopFlag;
use crate::trouble::{NextStep, refuse};

/// Everything that becomes one bundle.
pub(crate) struct Sealing {
    /// The manifest, without what sealing fills in.
    pub(crate) draft: Manifest,
    /// What passed the door.
    pub(crate) content: Content,
    /// The device's key.
    pub(crate) key: SigningKey,
    /// Who can read the encrypted form; nobody before enrolment.
    pub(crate) recipients: Vec<String>,
}

/// Where the forms go. A form that nobody asked for is computed (its digest is signed) and not kept.
#[derive(Default)]
pub(crate) struct Places {
    /// The form that the owner browses; `-` is standard output.
    pub(crate) plain: Option<PathBuf>,
    /// The encrypted form.
    pub(crate) sealed: Option<PathBuf>,
}

/// The manifest of a run, without what sealing fills in.
pub(crate) fn draft(run: &Run, clock: Clock, seq: u64, reason: Reason) -> Manifest {
    let identity = &run.facts.identity;
    let live = run.source == RunSource::Live;
    // The clock and boot of a recording are facts of another time; the manifest says when *it* was made.
    let here = live.then_some(&run.facts.clock);
    Manifest {
        format: FORMAT_VERSION,
        source: run.source,
        device: ManifestDevice {
            key_id: String::new(),
            model: identity.model.value().cloned(),
            // At a level that masks serial numbers the facts hold a stand-in, which names no device.
            serial: match run.level {
                Level::Standard => identity.serial.value().cloned(),
                Level::Strict => None,
            },
            serial_digest: run.serial_digest.clone(),
            firmware: identity.firmware.value().cloned(),
        },
        agent: agent(),
        reason,
        request_id: None,
        nonce: None,
        seq,
        boot_id: here.and_then(|clock| clock.boot_id.value().cloned()),
        clock: manifest_clock(clock, here),
        payload: Payload::default(),
        parser_set: assay_collector::PARSER_SET,
        rule_pack: run.diagnosis.rule_pack,
        redaction: ManifestRedaction::default(),
        recipients: Vec::new(),
        recovery_copy: None,
        summary: Summary::of(&run.diagnosis),
        extra: serde_json::Map::new(),
    }
}

/// The clock at sealing; `here` is what this machine's kernel said of it.
pub(crate) fn manifest_clock(
    clock: Clock,
    here: Option<&assay_bundle::facts::clock::Clock>,
) -> ManifestClock {
    ManifestClock {
        device_time: clock.words(),
        uptime_s: here.and_then(|clock| clock.uptime_s.value().map(|seconds| seconds.0)),
        synchronised: here.and_then(|clock| clock.synchronised.value().copied()),
        plausible: clock.is_plausible(),
    }
}

/// This program: version and digest of its own file, empty when that cannot be read.
pub(crate) fn agent() -> ManifestAgent {
    let digest = || -> io::Result<String> {
        let mut digest = assay_bundle::digest::Sha256::new(io::sink());
        io::copy(&mut File::open("/proc/self/exe")?, &mut digest)?;
        Ok(digest.finish().2)
    };
    let binary_sha256 = digest().unwrap_or_else(|error| {
        tracing::warn!(%error, "the program cannot read its own file; the manifest names no digest of it");
        String::new()
    });
    ManifestAgent { version: env!("CARGO_PKG_VERSION").to_owned(), binary_sha256 }
}

impl Sealing {
    /// Seals into a slot of the spool: the plain form always, the encrypted one when there is a recipient.
    pub(crate) fn into_spool(
        self,
        slot: Slot,
        clock: Clock,
        stop: &StopFlag,
    ) -> anyhow::Result<(Manifest, Entry)> {
        let create = |path: &Path| {
            File::create_new(path).or_advise(
                format!("cannot write {}", path.display()),
                "see that the data volume is mounted and has space, and call again",
            )
        };
        let plain = create(slot.plain_path())?;
        let sealed = match self.recipients.is_empty() {
            true => None,
            false => Some(create(slot.sealed_path())?),
        };
        let scratch = [Scratch::in_folder(slot.scratch_dir())?, Scratch::in_folder(slot.scratch_dir())?];
        let manifest = self.write(scratch, Some(plain), sealed, stop, "the spool")?;
        let entry = slot.commit(spool_entry(&manifest, clock))?;
        Ok((manifest, entry))
    }

    /// Seals into files; each appears whole or not at all.
    pub(crate) fn into_files(self, places: &Places, stop: &StopFlag) -> anyhow::Result<Manifest> {
        let standard_output = places.plain.as_deref() == Some(Path::new("-"));
        let plain_file = match (&places.plain, standard_output) {
            (Some(path), false) => Some(PartialFile::begin(path, 0o600)?),
            _ => None,
        };
        let sealed_file = places.sealed.as_deref().map(|path| PartialFile::begin(path, 0o600)).transpose()?;
        let beside = places.plain.iter().filter(|_| !standard_output).chain(&places.sealed).next();
        let make = || match beside {
            Some(path) => Scratch::beside(path),
            None => Scratch::in_folder(&std::env::temp_dir()),
        };
        let scratch = [make()?, make()?];
        let named = beside.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
        let mut finished = (plain_file, sealed_file);
        let manifest = match standard_output {
            true => self.write(scratch, Some(io::stdout()), finished.1.as_mut(), stop, &named)?,
            false => self.write(scratch, finished.0.as_mut(), finished.1.as_mut(), stop, &named)?,
        };
        for file in [finished.0.take(), finished.1.take()].into_iter().flatten() {
            file.finish()?;
        }
        Ok(manifest)
    }

    /// Seals the encrypted form onto a removable disk, and the plain one into a file where one is named. It appears under
    /// its name only after it was flushed, read back from the disk and found the same. Gives its size and SHA-256 too.
    pub(crate) fn onto_disk(
        self,
        target: &Path,
        plain: Option<&Path>,
        stop: &StopFlag,
    ) -> anyhow::Result<(Manifest, u64, String)> {
        let mut file = PartialFile::begin(target, 0o600)?;
        let mut plain = plain.map(|path| PartialFile::begin(path, 0o600)).transpose()?;
        let scratch = [Scratch::beside(target)?, Scratch::beside(target)?];
        let mut written = assay_bundle::digest::Sha256::new(&mut file);
        let named = target.display().to_string();
        let manifest = self.write(scratch, plain.as_mut(), Some(&mut written), stop, &named)?;
        let (_, size_bytes, sha256) = written.finish();
        file.sync()?;
        let (there_bytes, there_sha256) = read_back(file.temporary())
            .or_advise(format!("{named} cannot be read back"), "take another disk and call again")?;
        if (there_bytes, &there_sha256) != (size_bytes, &sha256) {
            return Err(refuse(
                format!("the disk gives back other bytes than were written to {named}"),
                "it is defective or not of the size it claims: take another disk and call again",
            ));
        }
        for file in std::iter::once(file).chain(plain) {
            file.finish()?;
        }
        Ok((manifest, size_bytes, sha256))
    }

    fn write(
        self,
        scratch: [Scratch; 2],
        plain: Option<impl Write>,
        sealed: Option<impl Write>,
        stop: &StopFlag,
        place: &str,
    ) -> anyhow::Result<Manifest> {
        let [mut first, mut second] = scratch;
        let mut plain = stop.guard(Maybe(plain));
        let mut sealed = stop.guard(Maybe(sealed));
        let result = assay_bundle::seal::seal(
            self.draft,
            self.content,
            &self.key,
            &self.recipients,
            [&mut first, &mut second],
            &mut plain,
            &mut sealed,
        )
        .and_then(|manifest| {
            plain.flush().and_then(|()| sealed.flush()).map_err(SealError::Io)?;
            Ok(manifest)
        });
        match result {
            Ok(manifest) => Ok(manifest),
            Err(error @ SealError::Io(_)) => Err(error).or_advise(
                format!("the bundle could not be written to {place}"),
                "free some space or name another folder, and call again; the unfinished file was removed",
            ),
            Err(error @ SealError::Recipient(_)) => Err(error).or_advise(
                "the bundle could not be encrypted",
                "enrol again (`assay enroll`): the portal's key that is kept here is damaged; or name a file with a key of \
                 age (`--recipient`)",
            ),
            Err(error) => Err(error).context("the bundle could not be sealed; please report this"),
        }
    }
}

/// Size and SHA-256 of what lies on the disk, and not of what the kernel still holds of it.
fn read_back(path: &Path) -> io::Result<(u64, String)> {
    let file = File::open(path)?;
    // Some file systems do not know the question; the comparison then still finds what did not arrive.
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    shelf::digest(&file, &mut || ())
}

/// A form that may not be kept.
struct Maybe<W>(Option<W>);

impl<W: Write> Write for Maybe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(bytes.len()), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// What the spool remembers of a bundle besides its files.
pub(crate) fn spool_entry(manifest: &Manifest, clock: Clock) -> SpoolEntry {
    let reason = serde_json::to_value(manifest.reason).ok();
    SpoolEntry {
        seq: manifest.seq,
        reason: reason.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
        created_unix_s: clock.now_unix_s,
        held_for: manifest.request_id.clone(),
    }
}
