//! Why a portal could not be called, or said no: each with what to do next.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use assay_bundle::key_life::Revocation;
use assay_bundle::problem::Problem;

use crate::trust::TrustError;

/// What kept a connection from standing or lasting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The name is not known.
    Name,
    /// Nothing listens there.
    Refused,
    /// No answer within the time to connect.
    Timeout,
    /// Network or host unreachable.
    NoRoute,
    /// The proxy did not let us through.
    Proxy,
    /// The certificate is too old or too young by this device's clock.
    TlsDates,
    /// Nobody known vouches for the certificate.
    TlsIssuer,
    /// The certificate is for another name.
    TlsName,
    /// The key is not the pinned one.
    TlsPin,
    /// Anything else in TLS.
    Tls,
    /// It stood and broke.
    Broken,
}

impl Cause {
    /// Whether no upload at all can succeed now, so that trying the next one is pointless.
    pub fn concerns_every_call(&self) -> bool {
        *self != Self::Broken
    }

    /// Whether trying again soon may help.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Name | Self::Refused | Self::Timeout | Self::NoRoute | Self::Proxy | Self::Broken
        )
    }
}

impl std::fmt::Display for Cause {
    /// What is wrong, then what to do.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "its name is not known here; check the address, and the DNS server in the NAS's network settings",
            Self::Refused => "nothing listens there; check the address and the port, and that the portal is running",
            Self::Timeout => "no answer in time; check the NAS's network and default gateway, or set the proxy of your network",
            Self::NoRoute => "there is no way to it; check the NAS's network cable, address and default gateway",
            Self::Proxy => "the proxy did not connect; check the proxy's address and that it allows this portal",
            Self::TlsDates => "its certificate is not valid at the time of this device; check the clock with `date -u` and set it with `date -u -s 'YYYY-MM-DD hh:mm:ss'`; if the clock is right, tell the operator of the portal",
            Self::TlsIssuer => "nobody known here vouches for its certificate; if the portal or your network has an authority of its own, name its certificate with `--ca-file FILE`",
            Self::TlsName => "its certificate is for another name; check the address, and use the name the portal's certificate was made for",
            Self::TlsPin => "it shows another TLS key than the one this NAS enrolled with; something reads along, or the portal changed its key: ask its operator, then enrol again with `assay enroll`",
            Self::Tls => "the TLS handshake failed; check that this is the portal's address and that no firewall alters the connection",
            Self::Broken => "the connection broke; try again",
        })
    }
}

/// Why a call to the portal failed.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// The address cannot be a portal's.
    #[error(
        "the portal address {address:?} cannot be used: {why}; give it as https://host or https://host:port"
    )]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// The CA file cannot be used.
    #[error("the CA file {} cannot be used: {why}; give a PEM file with the certificate of the authority", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The pin cannot be read.
    #[error(
        "the key pin {pin:?} is not sha256/ and 44 characters of base64: enrol again with `assay enroll`"
    )]
    Pin {
        /// As it was given.
        pin: String,
    },
    /// The proxy cannot be used. Its address is not repeated: it may hold a password.
    #[error("the proxy address cannot be used: {why}; give it as http://host:port or socks5h://host:port")]
    Proxy {
        /// What is wrong.
        why: &'static str,
    },
    /// The proxy wants a name and a password.
    #[error(
        "the proxy asks for a name and a password: give them in the proxy's address, http://name:password@host:port"
    )]
    ProxyAuth,
    /// The clock is implausible and there is no pinned key to stand in for dates.
    #[error(
        "this device's clock says {now_unix_s} seconds since 1970, which cannot be, and without a pinned key nothing else proves whom we talk to: set it with `date -u -s 'YYYY-MM-DD hh:mm:ss'` and try again"
    )]
    ClockImplausible {
        /// What the clock says.
        now_unix_s: i64,
    },
    /// The TLS or HTTP client could not be made: our own bug.
    #[error("the HTTP client cannot be made ({what}): please report this as a defect of assay")]
    Setup {
        /// Why.
        what: String,
    },
    /// The system gave no randomness.
    #[error("the system gave no random bytes to sign a call with: try again, or restart the NAS")]
    Random,
    /// A request that cannot be written as JSON: our own bug.
    #[error("a request cannot be written as JSON: please report this as a defect of assay")]
    Encode(#[source] serde_json::Error),
    /// No connection, or a broken one.
    #[error("cannot talk to {portal}: {cause}")]
    Connection {
        /// Base address.
        portal: String,
        /// What kept it.
        cause: Cause,
        /// The chain below.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nothing moved for too long.
    #[error(
        "{portal} fell silent in the middle of a call: try again; if it stays so, a firewall or proxy on the way may hold the connection"
    )]
    Silent {
        /// Base address.
        portal: String,
    },
    /// The portal said no, and why.
    #[error("the portal refuses: {}; {}", problem.title.trim_end_matches('.'), problem.next_step)]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its reason.
        problem: Problem,
    },
    /// The portal's signed word that this key counts no more.
    #[error(
        "the portal has revoked this device's key: {}; nothing that waits is lost; ask its operator, and enrol again with a new code where they say so: `assay enroll`",
        .0.reason.trim_end_matches('.')
    )]
    Revoked(Box<Revocation>),
    /// The portal sends us elsewhere; signed calls do not follow.
    #[error(
        "the portal sends us to {to:?}, and signed calls do not follow: if that is right, enrol again with that address"
    )]
    Redirected {
        /// Where to.
        to: String,
    },
    /// An answer that nobody agreed on: probably not a portal, or something in between.
    #[error(
        "an answer that is no portal's (status {status}, {what}): check that the address is the portal's, and whether a proxy or a login page answers in its place"
    )]
    Answer {
        /// HTTP status.
        status: u16,
        /// What it was.
        what: String,
    },
    /// The card names another TLS key than the connection showed.
    #[error(
        "the portal's card names the TLS key {card}, but the connection shows {seen}: something between this NAS and the portal opens TLS; do not enrol through it"
    )]
    OtherTlsKey {
        /// On the card.
        card: String,
        /// In the handshake.
        seen: String,
    },
    /// Enrolment was answered for another key.
    #[error(
        "the portal enrolled the key {found}, not {wanted}: do not trust this enrolment; report it to the operator of the portal"
    )]
    OtherKey {
        /// In the answer.
        found: String,
        /// Ours.
        wanted: String,
    },
    /// The card changed between the owner's look and the enrolment.
    #[error(
        "the portal enrolled this NAS under another card than the one that was compared: do not trust this enrolment; report it to the operator of the portal"
    )]
    OtherCard,
    /// A card or receipt is not believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A file that was to be written.
    #[error("cannot write {}: name a file that is not there, on a volume with room", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file to send cannot be read.
    #[error("cannot read the bundle {}: see that the data volume is mounted and healthy", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PortalError {
    /// The portal's word for its reason, such as `code-expired`.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(&problem.kind),
            _ => None,
        }
    }

    /// The portal's signed word that this key counts no more, when it is that.
    pub fn revocation(&self) -> Option<&Revocation> {
        match self {
            Self::Revoked(revocation) => Some(revocation),
            _ => None,
        }
    }
}

/// An error and everything below it, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text.push_str(": ");
        text.push_str(&source.to_string());
        below = source.source();
    }
    text
}
