//! `assay-portal tenant`: who shares this portal without seeing one another.

use anyhow::bail;
use clap::Subcommand;

use crate::config::Settings;
use crate::display::visible;
use crate::files::DataDir;
use crate::store::{Store, tenants};

/// Longest name for people, in bytes.
const LONGEST_NAME: usize = 120;

/// What can be asked about tenants.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant, or give one another name.
    Add {
        /// Its name in commands: lower-case letters, digits and dashes.
        id: String,
        /// Its name for people.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// List the tenants.
    List,
}

/// Does what was asked.
///
/// # Errors
/// When a name is not acceptable, or the database fails.
pub async fn run(settings: &Settings, command: TenantCommand) -> anyhow::Result<()> {
    let store = Store::open(&settings.database(&DataDir::open(&settings.data_dir)?)).await?;
    let text = match command {
        TenantCommand::Add { id, name } => add(&store, &id, name.as_deref().unwrap_or(&id)).await?,
        TenantCommand::List => {
            let tenants = store.tenants().await?;
            tenants.iter().map(|tenant| format!("{:<40}  {}\n", tenant.id, visible(&tenant.name))).collect()
        }
    };
    store.close().await;
    super::print(&text)?;
    Ok(())
}

async fn add(store: &Store, id: &str, name: &str) -> anyhow::Result<String> {
    if !tenants::is_id(id) {
        bail!("{id:?} cannot name a tenant: use at most 40 lower-case letters, digits and dashes");
    }
    if name.trim().is_empty() || name.len() > LONGEST_NAME || visible(name) != name {
        bail!("--name needs at most {LONGEST_NAME} bytes in plain letters");
    }
    let what = if store.set_tenant(id, name).await? { "added" } else { "there before; it has this name now" };
    Ok(format!(
        "tenant       {id} ({what})\nNext: assay-portal user add NAME --tenant {id}, and give --tenant {id} with every \
         command about it\n"
    ))
}
