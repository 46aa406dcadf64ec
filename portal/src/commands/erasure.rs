//! `assay-portal export` and `assay-portal delete`: hand out all of a device, and leave nothing of it but a receipt.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::card::published;
use crate::config::Settings;
use crate::erase::erase;
use crate::export::{self, Content};
use crate::files::{DataDir, write_whole};
use crate::identity::Identity;
use crate::store::TenantStore;
use crate::store::devices::Device;

/// A device by its portal's name or key, revoked ones too.
async fn device(store: TenantStore<'_>, text: &str) -> anyhow::Result<Device> {
    let mut named = store.devices_named(text).await?;
    match (named.pop(), named.is_empty()) {
        (Some(device), true) => Ok(device),
        (Some(_), false) => bail!("{text:?} means more than one key: name one by its fingerprint"),
        (None, _) => bail!("no device is called {text:?}: see the portal's queue for names"),
    }
}

/// Writes everything of a device into a new folder.
///
/// # Errors
/// When the device is not known, the folder is there, or something cannot be read or written.
pub async fn export(settings: &Settings, name: &str, out: &Path) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let device = device(store, name).await?;
    let make = |path: PathBuf| {
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make the folder {}: name one that is not there", path.display()))
    };
    make(out.to_path_buf())?;
    for folder in ["bundles", "documents", "readings", "reports"] {
        make(out.join(folder))?;
    }
    let items = export::items(&dir, store, &device).await?;
    let mut bundles = 0;
    for item in items {
        let to = out.join(&item.path);
        match item.content {
            Content::Bytes(bytes) => write_whole(&to, &bytes, 0o600)?,
            Content::File(from) => {
                std::fs::copy(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
                bundles += 1;
            }
        }
    }
    opened.close().await;
    super::print(&format!("exported     {bundles} bundles to {}\n", out.display()))?;
    Ok(())
}

/// Deletes a device and prints the signed receipt.
///
/// # Errors
/// When the portal serves, the device is not known or `--yes` is missing; or, with the files that are left, when one cannot be removed.
pub async fn delete(settings: &Settings, name: &str, yes: bool) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    // No upload and no worker may have a file of it in hand.
    let _taken = dir.take().context("a device is deleted while the portal does not serve")?;
    let card = published(&dir)?;
    let identity = Identity::open(&dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let device = device(store, name).await?;
    let bundles = store.bundle_files_of(&device.id).await?;
    if !yes {
        bail!(
            "this destroys {} bundles of key {} for good: export them first (assay-portal export), then give --yes",
            bundles.len(),
            device.key_id
        );
    }
    let signed = erase(&dir, store, &card, &identity.online, &device).await?;
    opened.close().await;
    super::print(&format!("{}\n", serde_json::to_string(&signed)?))?;
    Ok(())
}
