//! `assay-portal slip check`: what a verdict slip says, and whether an enrolled key signed it.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use assay_bundle::keys::PublicKey;
use assay_bundle::slip::{MOST_SLIP_BYTES, Slip};

use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::files::DataDir;
use crate::store::Store;

/// Checks a slip in a file, or on stdin where it is `-`.
///
/// # Errors
/// When it is no slip, or not signed by the enrolled key that it names.
pub async fn check(settings: &Settings, file: &Path) -> anyhow::Result<()> {
    let mut text = String::new();
    // A little more than a slip, so that a longer text is seen to be longer.
    let most = u64::try_from(MOST_SLIP_BYTES).unwrap_or_default() * 2;
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file);
        opened.and_then(|file| file.take(most).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read the slip from {}", file.display()))?;
    let read = Slip::read(&text)?;
    let slip = &read.slip;
    let store = Store::open(&DataDir::open(&settings.data_dir)?.database()).await?;
    let device = store.device_by_key(&slip.key_id).await?;
    store.close().await;
    let Some(device) = device else {
        bail!(
            "key {} was never enrolled here, so nobody can say whose slip this is: ask for a bundle",
            visible(&slip.key_id)
        );
    };
    let key = PublicKey::from_openssh(&device.public_key)?;
    read.verify(&key).context("the slip is forged or was typed wrong: scan it again, or ask for a bundle")?;
    let known = |text: &Option<String>| visible(text.as_deref().unwrap_or("not known"));
    let mut out = format!(
        "TRIAGE ONLY  signed by an enrolled key{}; nothing ships on a slip, ask for a bundle\n\
         serial       {}\nmodel        {}\nverdict      {}\ncounts       {} confirmed, {} suspected, {} to watch, \
         {} cannot tell\ncodes        {}\nmade         {} by the device's clock\nkey          {}\n",
        if device.revoked_at.is_some() { " THAT WAS REVOKED" } else { "" },
        known(&slip.serial),
        known(&slip.model),
        slip.summary.overall.words(),
        slip.summary.confirmed,
        slip.summary.suspected,
        slip.summary.watch,
        slip.summary.cannot_tell,
        visible(&slip.summary.top_codes.join(", ")),
        clock::for_people(slip.made_unix_s),
        visible(&slip.key_id),
    );
    if device.serial.is_some() && slip.serial.is_some() && device.serial != slip.serial {
        out.push_str("WARNING      the key is enrolled for another serial number\n");
    }
    super::print(&out)?;
    Ok(())
}
