//! One file for each command of `assay-portal`.

pub mod bundle;
pub mod card;
pub mod device;
pub mod enroll_code;
pub mod erasure;
pub mod key;
pub mod ledger;
pub mod migrate;
pub mod request;
pub mod serve;
pub mod session;
pub mod slip;
pub mod tenant;
pub mod update_notice;
pub mod user;

use std::io::Write;

use anyhow::Context;
use assay_bundle::enrolment::PortalCard;

use crate::config::Settings;
use crate::files::DataDir;
use crate::store::{Store, Tenant, TenantStore};

/// The database, opened for a command, and the tenant that the command is about.
struct Opened {
    store: Store,
    tenant: Tenant,
}

impl Opened {
    async fn of(settings: &Settings) -> anyhow::Result<Self> {
        let store = Store::open(&settings.database(&DataDir::open(&settings.data_dir)?)).await?;
        let tenant = store.tenant_named(&settings.tenant).await?;
        let tenant = tenant.with_context(|| {
            format!("there is no tenant {:?}: see assay-portal tenant list", settings.tenant)
        })?;
        Ok(Self { store, tenant })
    }

    /// What the tenant has.
    fn tenant(&self) -> TenantStore<'_> {
        self.store.of(&self.tenant)
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

/// The card in words, with the fingerprint that both sides compare.
fn card_lines(card: &PortalCard) -> String {
    format!(
        "portal       {}\naddress      {}\nfingerprint  {}\nroot key     {}\nrecipient    {}\nTLS key pin  {}\n",
        card.name,
        card.url,
        card.fingerprint(),
        card.root_key,
        card.recipient,
        if card.tls_key_pin.is_empty() { "(TLS ends elsewhere)" } else { &card.tls_key_pin },
    )
}

/// Writes to stdout; a closed pipe is an error like any other.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
