//! `assay-portal slip check`: what a verdict slip says, and whether an enrolled key signed it. The page `/slip` says the
//! same.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use assay_bundle::slip::MOST_SLIP_BYTES;

use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::slip::examine;

/// Checks a slip in a file, or on stdin where it is `-`.
///
/// # Errors
/// When it is no slip, not signed by the key that it names, or by one that was never enrolled.
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
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let examined = examine(store, &text).await;
    opened.close().await;
    let examined = examined?;
    let slip = &examined.slip;
    let known = |text: &Option<String>| visible(text.as_deref().unwrap_or("not known"));
    let mut out = format!(
        "TRIAGE ONLY  {}; nothing ships on a slip, ask for a bundle\n\
         serial       {}\nmodel        {}\nverdict      {}\ncounts       {}\ncodes        {}\n\
         made         {} by the device's clock\nkey          {}\n",
        visible(&examined.whose()),
        known(&slip.serial),
        known(&slip.model),
        slip.summary.overall.words(),
        examined.counts(),
        visible(&slip.summary.top_codes.join(", ")),
        clock::for_people(slip.made_unix_s),
        visible(&slip.key_id),
    );
    for warning in examined.warnings() {
        out.push_str(&format!("WARNING      {warning}\n"));
    }
    super::print(&out)?;
    if examined.device.is_none() {
        bail!("the slip's key was never enrolled here, so nobody can say whose it is: ask for a bundle");
    }
    Ok(())
}
