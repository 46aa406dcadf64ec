//! How a portal is reached, and the HTTP client that follows from it.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Client, Proxy, redirect};
use rustls::ClientConfig;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

use super::address::Address;
use super::verifier::{Pin, PortalVerifier};
use super::{PortalError, roots};
use crate::trust::Trust;

/// Seconds since 1970 by this device's clock, right or wrong.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The system's clock.
pub fn system_now() -> Now {
    Arc::new(|| match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    })
}

/// How far the device's clock is believed when a certificate's dates are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockTrust {
    /// Certificates are checked with their dates.
    #[default]
    Normal,
    /// The clock is implausible: only the pinned key counts, together with the name; dates are not read.
    PinnedKeyOnly,
}

/// How a portal is reached.
#[derive(Clone)]
pub struct PortalOptions {
    /// `https://host[:port]`.
    pub url: String,
    /// A PEM file of certificates to trust in addition to the system's and the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// `http://`, `https://`, `socks5://` or `socks5h://` address; nothing means the environment's, if any.
    pub proxy: Option<String>,
    /// `sha256/…` of the portal's public key (SPKI), base64.
    pub pin: Option<String>,
    /// How far the clock is believed.
    pub clock_trust: ClockTrust,
    /// `assay/<version>`.
    pub user_agent: String,
    /// Until TCP (and the proxy) stand.
    pub connect_timeout: Duration,
    /// Without a byte in either direction.
    pub idle_timeout: Duration,
    /// Most bytes in a second that parts of a file are fed with; nothing means as fast as the line is.
    pub bytes_per_s: Option<u64>,
    /// The device's clock.
    pub now: Now,
    /// Whose word a signed refusal is: the card that was pinned. Without it no refusal is believed to be signed.
    pub trust: Option<Trust>,
    /// Kernel's id of the running boot, told with a poll: by this and `seq` the portal sees two units with one key.
    pub boot_id: Option<String>,
    /// Highest number of a bundle that may have been given out, told with it.
    pub seq: Option<u64>,
}

impl PortalOptions {
    /// A portal at `url`, everything else as it comes: no pin, system clock, 15 s to connect, 60 s idle.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca_file: None,
            proxy: None,
            pin: None,
            clock_trust: ClockTrust::Normal,
            user_agent: concat!("assay/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            bytes_per_s: None,
            now: system_now(),
            trust: None,
            boot_id: None,
            seq: None,
        }
    }
}

impl fmt::Debug for PortalOptions {
    /// Leaves out the proxy's address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalOptions")
            .field("url", &self.url)
            .field("ca_file", &self.ca_file)
            .field("proxy", &self.proxy.as_ref().map(|_| "…"))
            .field("pin", &self.pin)
            .field("clock_trust", &self.clock_trust)
            .finish_non_exhaustive()
    }
}

/// The device's clock, for rustls.
struct Clock(Now);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        // A clock before 1970 reads as 1970: too early for every certificate, as it should be.
        Some(UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from((self.0)()).unwrap_or(0))))
    }
}

/// The client and its verifier. No process-wide crypto provider is installed: the configuration names its own. Only tests of what is above TLS
/// ask for `https_only` to be off.
pub(super) fn client(
    options: &PortalOptions,
    address: &Address,
    https_only: bool,
) -> Result<(Client, Arc<PortalVerifier>), PortalError> {
    let pin = options.pin.as_deref().map(Pin::parse).transpose()?;
    if options.clock_trust == ClockTrust::PinnedKeyOnly && pin.is_none() {
        return Err(PortalError::ClockImplausible { now_unix_s: (options.now)() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = roots::load(options.ca_file.as_deref())?;
    let verifier = Arc::new(
        PortalVerifier::new(roots, &provider, address.server_name()?, pin, options.clock_trust)
            .map_err(|why| PortalError::Setup { what: why.to_string() })?,
    );
    let mut tls = ClientConfig::builder_with_details(provider, Arc::new(Clock(options.now.clone())))
        .with_safe_default_protocol_versions()
        .map_err(|why| PortalError::Setup { what: why.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];

    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(https_only)
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(&options.user_agent)
        .connect_timeout(options.connect_timeout)
        .tcp_nodelay(true);
    builder = match (&options.proxy, env::var_os("REQUEST_METHOD")) {
        (Some(proxy), _) => builder.proxy(explicit_proxy(proxy)?),
        // A CGI program finds the visitor's `Proxy:` header in HTTP_PROXY (known as httpoxy).
        (None, Some(_)) => builder.no_proxy(),
        (None, None) => builder,
    };
    let client = builder.build().map_err(|why| PortalError::Setup { what: super::error::chain(&why) })?;
    Ok((client, verifier))
}

fn explicit_proxy(text: &str) -> Result<Proxy, PortalError> {
    // The address itself stays out of the message: it may hold a password.
    const KNOWN: [&str; 4] = ["http", "https", "socks5", "socks5h"];
    let refused = |why| PortalError::Proxy { why };
    let url = reqwest::Url::parse(text).map_err(|_| refused("it is no address"))?;
    if !KNOWN.contains(&url.scheme()) {
        return Err(refused("its scheme is not http, https, socks5 or socks5h"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refused("it has no host"));
    }
    Proxy::all(url).map_err(|_| refused("it cannot be used as a proxy"))
}
