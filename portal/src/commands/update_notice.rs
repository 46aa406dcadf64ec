//! `assay-portal update-notice`: the latest version that devices are told of. Nothing installs itself.

use anyhow::{Context, bail};
use assay_bundle::statement::is_sha256;
use assay_bundle::version::Version;
use clap::Subcommand;

use super::card::published;
use crate::clock;
use crate::config::Settings;
use crate::files::DataDir;
use crate::store::notices::Notice;

/// What can be asked about the notice.
#[derive(Debug, Subcommand)]
pub enum NoticeCommand {
    /// Tell devices, in each signed poll, of this version.
    Set {
        /// Version, such as 0.2.0.
        version: String,
        /// SHA-256 of the release, 64 lower-case hexadecimal digits.
        sha256: String,
        /// Where a person finds it [default: the portal's own address].
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Show what devices are told.
    Show,
}

/// Does what was asked.
///
/// # Errors
/// When a value is not acceptable, or the database fails.
pub async fn run(settings: &Settings, command: NoticeCommand) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    if let NoticeCommand::Set { version, sha256, url } = command {
        let url = match url {
            Some(url) => url,
            None => published(&dir).context("give --url")?.url,
        };
        if Version::parse(&version).is_none() {
            bail!("{version:?} is no version: give it as 0.2.0 or 0.2.0-rc.1; devices refuse every other");
        }
        if !is_sha256(&sha256) {
            bail!("{sha256:?} is no SHA-256: give the 64 digits that sha256sum prints");
        }
        let plain = url.bytes().all(|b| b.is_ascii_graphic());
        if !url.starts_with("https://") || url.len() > 256 || !plain {
            bail!("{url:?} is no https:// address");
        }
        store.set_notice(&Notice { version, sha256, url }, clock::now_unix_s()).await?;
    }
    let text = match store.notice().await? {
        Some(notice) => {
            format!(
                "version      {}\nsha256       {}\nurl          {}\n",
                notice.version, notice.sha256, notice.url
            )
        }
        None => "no notice; set one with: assay-portal update-notice set VERSION SHA256\n".to_owned(),
    };
    opened.close().await;
    super::print(&text)?;
    Ok(())
}
