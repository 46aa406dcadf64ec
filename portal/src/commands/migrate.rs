//! `assay-portal migrate`: brings the database to this version, before `serve` would.

use crate::config::Settings;
use crate::files::DataDir;
use crate::store::Store;

/// Migrates.
///
/// # Errors
/// When the database cannot be opened or was made by a newer program.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    Store::open(&settings.database(&dir)).await?.close().await;
    super::print("the database is at this version\n")?;
    Ok(())
}
