//! `assay-portal bundle`: a bundle that somebody brought on a disk, and what became of one.
//!
//! What is brought goes the way of an upload from its limits on: signature, consent or code, worker, digests, the
//! portal's own reading. It is read by the portal that serves; without one it waits. Refused at once are a file that is
//! no bundle, one that is not encrypted, and one whose key was never enrolled here or is revoked.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use assay_bundle::archive::{Limits, PayloadForm, read_envelope};
use assay_bundle::digest::Sha256;
use clap::Subcommand;

use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::files::{DataDir, sync_folder};
use crate::store::TenantStore;
use crate::store::bundles::BundleRow;
use crate::store::by_hand::Brought;
use crate::uploads::MAX_BYTES;

/// Longest name of who brings it, in bytes.
const LONGEST_NAME: usize = 120;
/// How often is looked whether it was read.
const LOOK: Duration = Duration::from_millis(250);

/// What can be asked about bundles.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Take in a bundle that was brought on a disk. It is flagged as brought by hand.
    Import {
        /// The encrypted form, as assay collect --usb wrote it.
        file: PathBuf,
        /// Who brings it, for the records here.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Seconds to wait until the portal that serves has read it.
        #[arg(long, value_name = "N", default_value_t = 180, value_parser = clap::value_parser!(u64).range(0..=3600))]
        wait_s: u64,
    },
    /// What became of a bundle.
    Show {
        /// Portal's name for it.
        id: String,
    },
}

/// Does what was asked.
///
/// # Errors
/// When the file is no bundle of an enrolled device, was refused, or the database fails.
pub async fn run(settings: &Settings, command: BundleCommand) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let shown = match command {
        BundleCommand::Import { file, by, wait_s } => {
            let id = import(&dir, store, &file, &by).await?;
            wait(store, &id, Duration::from_secs(wait_s)).await?
        }
        BundleCommand::Show { id } => one(store, &id).await?,
    };
    opened.close().await;
    super::print(&words(&shown)?)?;
    if shown.state == "refused" {
        bail!("the bundle was refused: {}", visible(&shown.reason));
    }
    Ok(())
}

async fn one(store: TenantStore<'_>, id: &str) -> anyhow::Result<BundleRow> {
    store.bundle(id).await?.with_context(|| format!("there is no bundle {id:?}: see the portal's queue"))
}

async fn import(dir: &DataDir, store: TenantStore<'_>, file: &Path, by: &str) -> anyhow::Result<String> {
    if by.trim().is_empty() || by.len() > LONGEST_NAME || visible(by) != by {
        bail!("--by needs a name of at most {LONGEST_NAME} bytes in plain letters");
    }
    let shown = file.display();
    let size =
        File::open(file).and_then(|file| file.metadata()).with_context(|| format!("cannot read {shown}"))?;
    if !size.is_file() || size.len() > MAX_BYTES.unsigned_abs() {
        bail!("{shown} is no file, or larger than a bundle can be");
    }
    let id = uuid::Uuid::now_v7().to_string();
    let object = dir.objects().join(&id);
    // Copied first: what is checked is what is kept, also when the disk is pulled in between.
    let mut kept = Kept { path: object.clone(), stays: false };
    let (size_bytes, sha256) = copy(file, &object).with_context(|| format!("cannot copy {shown}"))?;
    let mut reader = BufReader::new(File::open(&object).context("cannot read the copy")?);
    let envelope = read_envelope(&mut reader, &Limits::default())
        .with_context(|| format!("{shown} is no bundle that can be taken in; nothing was kept"))?;
    if envelope.form != PayloadForm::Sealed {
        bail!(
            "{shown} is the form that is not encrypted, and nothing unencrypted is taken in: bring the file that \
             assay collect --usb wrote"
        );
    }
    let key_id = &envelope.manifest.device.key_id;
    let Some(device) = store.device_by_key(key_id).await? else {
        bail!(
            "key {} was never enrolled here, so nobody can say whose bundle this is: enrol the device, and collect \
             again",
            visible(key_id)
        );
    };
    if device.revoked_at.is_some() {
        bail!("key {} was revoked: nothing of it is taken in", visible(key_id));
    }
    let now = clock::now_unix_s();
    let brought = Brought { id: &id, device_id: &device.id, sha256: &sha256, size_bytes, by, now };
    let queued = store.queue_brought(&brought).await?;
    // The same bytes came before: they are kept once.
    kept.stays = queued == id;
    Ok(queued)
}

/// A copy that goes away with its value, unless it stays.
struct Kept {
    path: PathBuf,
    stays: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.stays {
            // There is nobody to tell here; nothing in the database names it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<(i64, String)> {
    let mut from = File::open(from)?.take(MAX_BYTES.unsigned_abs());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut to_file = Sha256::new(file);
    std::io::copy(&mut from, &mut to_file)?;
    to_file.flush()?;
    let (file, size_bytes, sha256) = to_file.finish();
    file.sync_all()?;
    if let Some(folder) = to.parent() {
        sync_folder(folder)?;
    }
    Ok((i64::try_from(size_bytes).map_err(std::io::Error::other)?, sha256))
}

async fn wait(store: TenantStore<'_>, id: &str, patience: Duration) -> anyhow::Result<BundleRow> {
    let begun = Instant::now();
    loop {
        let row = one(store, id).await?;
        if row.state != "pending" || begun.elapsed() >= patience {
            return Ok(row);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn words(row: &BundleRow) -> anyhow::Result<String> {
    let mut text = format!(
        "bundle       {}\nstate        {}\ndevice       {}\nsha256       {}\nreceived     {}\n",
        row.id,
        match row.state.as_str() {
            "pending" => "waits for the portal that serves; see assay-portal bundle show ID",
            state => state,
        },
        row.device_id,
        row.sha256,
        clock::for_people(row.received_at),
    );
    if let Some(by) = &row.brought_by {
        text.push_str(&format!("BROUGHT      by hand, by {}\n", visible(by)));
    }
    if let Some(overall) = &row.overall {
        text.push_str(&format!("verdict      {}\n", visible(overall)));
    }
    let flags: Vec<String> = serde_json::from_str(&row.flags).context("the bundle's flags are damaged")?;
    for flag in flags {
        text.push_str(&format!("flag         {}\n", visible(&flag)));
    }
    Ok(text)
}
