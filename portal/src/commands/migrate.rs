//! `assay-portal migrate`: brings the database to this version, before `serve` would; or copies everything into another,
//! empty database.

use anyhow::{Context, bail};

use crate::config::{Secret, Settings};
use crate::files::DataDir;
use crate::store::transfer::{Content, transfer};
use crate::store::{Place, Store};

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

/// Copies everything from one database into another, and says what each table has.
///
/// # Errors
/// When an address is none, the portal serves, the target is not empty, or a database fails; the target is left empty
/// then.
pub async fn copy(settings: &Settings, from: &Secret, to: &Secret) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    // What came in while it is copied would be missing.
    let _taken = dir.take().context("a database is copied while the portal does not serve")?;
    let (from, to) = (place(from, "--from")?, place(to, "--to")?);
    if from == to {
        bail!("--from and --to name the same database");
    }
    if let Place::Sqlite(path) = &from
        && !path.exists()
    {
        bail!("there is no database {}: check --from", path.display());
    }
    let (source, target) = (Store::open(&from).await?, Store::open(&to).await?);
    let told = &mut |table: &str, content: &Content| {
        // Progress is for a person; a closed pipe does not stop the copy.
        let _ = super::print(&format!("{table:<20} {:>12} rows\n", content.rows));
    };
    let copied = transfer(&source, &target, told).await;
    source.close().await;
    target.close().await;
    let copied = copied?;
    let mut text = "\nread back and compared:\n".to_owned();
    for (table, content) in &copied {
        text.push_str(&format!("{table:<20} {:>12} rows  {}\n", content.rows, content.digest()));
    }
    text.push_str(&format!(
        "\ncopied from {from} to {to}\nNext: set `database` in the configuration to the new one, and start the portal\n"
    ));
    super::print(&text)?;
    Ok(())
}

fn place(text: &Secret, option: &str) -> anyhow::Result<Place> {
    text.place().with_context(|| format!("{option} is neither sqlite:FILE nor postgres://…: correct it"))
}
