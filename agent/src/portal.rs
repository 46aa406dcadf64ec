//! The way to the portal: address, certificates, proxy, pin, and how far this device's clock is believed.

use assay_uploader::{ClockTrust, Portal, PortalError, PortalOptions, Trust};

use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::board;
use crate::identity::{Enrolment, Identity};
use crate::trouble::refuse;

/// A portal that nothing is known of yet. Its certificate is judged by its dates, so the clock must be plausible.
pub(crate) fn unknown(url: &str, config: &Config) -> Result<Portal, PortalError> {
    Portal::new(options(url, config))
}

/// The portal that this device is enrolled at: its key is pinned, and when the clock cannot be right, the pin counts
/// alone (design section 6).
pub(crate) fn enrolled(
    enrolment: &Enrolment,
    config: &Config,
    identity: &Identity,
    clock: Clock,
) -> Result<Portal, PortalError> {
    Portal::new(options_enrolled(enrolment, config, identity, clock))
}

fn options_enrolled(
    enrolment: &Enrolment,
    config: &Config,
    identity: &Identity,
    clock: Clock,
) -> PortalOptions {
    let mut options = options(&enrolment.card.url, config);
    if options.ca_file.is_none() {
        options.ca_file = identity.portal_ca();
    }
    // A card that was damaged on the disk vouches for nobody; whoever needs it says so.
    options.trust = Trust::from_card(&enrolment.card).ok();
    options.boot_id = Some(board::boot_id()).filter(|id| !id.is_empty());
    options.seq = identity.sequence().highest();
    options.pin = Some(enrolment.card.tls_key_pin.clone()).filter(|pin| !pin.is_empty());
    if !clock.is_plausible() {
        options.clock_trust = ClockTrust::PinnedKeyOnly;
    }
    options
}

/// The same, with no more bytes in a second than the owner allows uploads that nobody waits for.
pub(crate) fn enrolled_slowly(
    enrolment: &Enrolment,
    config: &Config,
    identity: &Identity,
    clock: Clock,
) -> Result<Portal, PortalError> {
    let mut options = options_enrolled(enrolment, config, identity, clock);
    options.bytes_per_s = Some(config.upload_bytes_per_s).filter(|rate| *rate > 0);
    Portal::new(options)
}

fn options(url: &str, config: &Config) -> PortalOptions {
    PortalOptions {
        ca_file: config.portal_ca_file.clone(),
        proxy: config.portal_proxy.clone(),
        user_agent: concat!("assay/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..PortalOptions::new(url)
    }
}

/// Refuses a clock that cannot be right, before there is a pinned key that could stand in for it.
pub(crate) fn check_clock(clock: Clock) -> anyhow::Result<()> {
    if clock.is_plausible() {
        return Ok(());
    }
    Err(refuse(
        format!(
            "this device's clock says {}, which cannot be right (this program was built at {}), and before enrolment \
             nothing else proves whom it talks to",
            clock.words(),
            crate::clock::rfc3339(crate::clock::BUILT_UNIX_S),
        ),
        "set the clock, for example `date -u -s '2026-11-22 13:30:00'` with the time of now, and call again; a clock \
         that is wrong after every boot has an empty battery",
    ))
}
