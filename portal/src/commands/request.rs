//! `assay-portal request`: ask a device for something built in, see what became of it, take it back.

use anyhow::{Context, bail};
use assay_bundle::consent::Safeguard;
use assay_bundle::poll::MOST_REQUESTS;
use assay_bundle::redact::Level;
use assay_bundle::statement::{STATEMENT_FORMAT, Signed};
use assay_bundle::support_request::{
    RemoteSession, Scope, SelfTestKind, SelfTests, SessionMethod, SupportRequest,
};
use assay_bundle::typed_nonce::TypedNonce;
use clap::{Args, Subcommand, ValueEnum};

use super::card::published;
use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::files::DataDir;
use crate::identity::Identity;
use crate::password::random;
use crate::store::TenantStore;
use crate::store::devices::Device;
use crate::store::requests::RequestRow;

/// Requests and sessions that a list shows.
pub(super) const MOST_LISTED: i64 = 100;

/// What can be asked about requests.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// Requests, newest first.
    List {
        /// Only of this device: its name here, its key's fingerprint or its serial number.
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
    /// One request: what was asked, what the owner answered.
    Show {
        /// Id of the request.
        id: String,
        /// Print the signed request itself, to be carried to a device that is offline.
        #[arg(long)]
        signed: bool,
    },
    /// Ask a device for a bundle and what else is named. The device sees it at its next poll.
    Issue(Issue),
    /// Take a request back, as long as no bundle has answered it.
    Cancel {
        /// Id of the request.
        id: String,
        /// Why, for the records here.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// A request to be issued.
#[derive(Debug, Args)]
pub struct Issue {
    /// The device: its name here, its key's fingerprint or its serial number.
    device: String,
    /// Who asks, as the owner will read it.
    #[arg(long, value_name = "NAME")]
    engineer: String,
    /// Why, as the owner will read it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Hours until it expires, at most 14 days.
    #[arg(long, value_name = "N", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=336))]
    hours: u32,
    /// For a device that reaches nobody: print a code to read to its owner, who types it on the device.
    #[arg(long, conflicts_with_all = ["short_test", "extended_test", "session"])]
    typed: bool,
    /// Ask for serial numbers to be masked too.
    #[arg(long)]
    strict: bool,
    /// Short self-test of the drive with this serial number; may be given again.
    #[arg(long, value_name = "SERIAL", conflicts_with = "extended_test")]
    short_test: Vec<String>,
    /// Extended self-test of the drive with this serial number; may be given again.
    #[arg(long, value_name = "SERIAL")]
    extended_test: Vec<String>,
    /// A remote session after the request reads "ready".
    #[arg(long, value_enum, value_name = "HOW")]
    session: Option<Method>,
    /// Hours that the session may last from the owner's start.
    #[arg(long, value_name = "N", default_value_t = 2, requires = "session", value_parser = clap::value_parser!(u32).range(1..=12))]
    session_hours: u32,
}

/// How an engineer wants to look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Method {
    /// QNAP's helpdesk, opened by the owner.
    Helpdesk,
    /// The owner's shared screen.
    ScreenShare,
    /// A way that the owner opens, such as a VPN.
    OwnersWay,
}

impl From<Method> for SessionMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Helpdesk => Self::Helpdesk,
            Method::ScreenShare => Self::ScreenShare,
            Method::OwnersWay => Self::OwnersWay,
        }
    }
}

/// Does what was asked.
///
/// # Errors
/// When the portal has not been started yet, something is not known, or the database fails.
pub async fn run(settings: &Settings, command: RequestCommand) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let text = match command {
        RequestCommand::List { device } => list(store, device.as_deref()).await?,
        RequestCommand::Show { id, signed } => show(store, &id, signed).await?,
        RequestCommand::Issue(issue) => self::issue(&dir, store, issue).await?,
        RequestCommand::Cancel { id, reason } => cancel(store, &id, &reason).await?,
    };
    opened.close().await;
    super::print(&text)?;
    Ok(())
}

/// The one unrevoked key that a person means.
///
/// # Errors
/// When there is none, or more than one.
pub(super) async fn one_device(store: TenantStore<'_>, text: &str) -> anyhow::Result<Device> {
    let named = store.devices_named(text).await?;
    let mut living = named.iter().filter(|device| device.revoked_at.is_none());
    match (living.next(), living.next()) {
        (Some(device), None) => Ok(device.clone()),
        (Some(_), Some(_)) => {
            let keys: Vec<_> = named.iter().map(|device| device.key_id.as_str()).collect();
            bail!("{text:?} means more than one key: name one of {}", keys.join(", "))
        }
        (None, _) if named.is_empty() => {
            bail!("no device is called {text:?}: see the portal's queue for names")
        }
        (None, _) => bail!("every key of {text:?} is revoked: enrol the device again"),
    }
}

async fn one_request(store: TenantStore<'_>, id: &str) -> anyhow::Result<RequestRow> {
    store
        .request(id)
        .await?
        .with_context(|| format!("there is no request {id:?}: see assay-portal request list"))
}

async fn list(store: TenantStore<'_>, device: Option<&str>) -> anyhow::Result<String> {
    let device = match device {
        Some(text) => Some(one_device(store, text).await?.id),
        None => None,
    };
    let now = clock::now_unix_s();
    let mut text = String::new();
    for row in store.newest_requests(device.as_deref(), MOST_LISTED).await? {
        text.push_str(&format!(
            "{}  {}  {:<24}  device {}  by {}\n",
            row.id,
            clock::for_people(row.issued_at),
            row.state_words(now),
            row.device_id,
            visible(&row.engineer)
        ));
    }
    if text.is_empty() {
        text.push_str(
            "no requests; issue one with: assay-portal request issue DEVICE --engineer NAME --reason TEXT\n",
        );
    }
    Ok(text)
}

async fn show(store: TenantStore<'_>, id: &str, signed: bool) -> anyhow::Result<String> {
    let row = one_request(store, id).await?;
    if signed {
        return Ok(format!("{}\n", serde_json::to_string(&row.signed())?));
    }
    let asked = row.request()?;
    let mut text = format!(
        "request      {}\nstate        {}\ndevice       {} (serial {})\nengineer     {}\nissued       {}\n\
         expires      {}\nredaction    at least {}\nreason       {}\n",
        row.id,
        row.state_words(clock::now_unix_s()),
        row.device_id,
        visible(asked.serial.as_deref().unwrap_or("not known")),
        visible(&row.engineer),
        clock::for_people(row.issued_at),
        clock::for_people(row.expires_at),
        asked.redaction.word(),
        visible(&asked.reason),
    );
    for scope in &asked.scope {
        text.push_str(&format!("asks for     {}\n", scope_words(scope)));
    }
    if !row.words.is_empty() {
        text.push_str(&format!("words        {}\n", visible(&row.words)));
    }
    if let Some(bundle) = &row.bundle_id {
        text.push_str(&format!("bundle       {bundle}\n"));
    }
    if let Some(kept) = store.consent(&row.id).await? {
        let consent = kept.consent()?;
        text.push_str(&format!(
            "consent      {}{}\nmanifest     {}\nquestion 1   {} ({})\nquestion 2   {} ({})\n",
            clock::for_people(kept.received_at),
            if consent.standing { ", standing" } else { "" },
            kept.manifest_sha256,
            consent.backup.answer.words(),
            clock::for_people(consent.backup.at_unix_s),
            consent.confidential.answer.words(),
            clock::for_people(consent.confidential.at_unix_s),
        ));
        text.push_str(&safeguard_line(&consent.safeguard));
    }
    Ok(text)
}

fn safeguard_line(safeguard: &Safeguard) -> String {
    match safeguard {
        Safeguard::Copy(copy) => {
            format!("copy         {}, {}\n", copy.level.words(), clock::for_people(copy.made_unix_s))
        }
        Safeguard::Waiver(waiver) => format!(
            "NO COPY      waived: {}; lapses {} or when the configuration changes\n",
            waiver.reason.words(),
            clock::for_people(waiver.expires_unix_s)
        ),
    }
}

fn scope_words(scope: &Scope) -> String {
    match scope {
        Scope::Bundle => "a bundle".to_owned(),
        Scope::RecoveryCopy => "a recovery copy before it, kept by the owner".to_owned(),
        Scope::SelfTests(tests) => {
            let kind = match tests.kind {
                SelfTestKind::Short => "short",
                SelfTestKind::Extended => "extended",
            };
            format!("{kind} self-tests of {}", visible(&tests.serials.join(", ")))
        }
        Scope::RemoteSession(session) => {
            format!("a session by {}, at most {} h", session.method.words(), session.most_hours)
        }
    }
}

async fn issue(dir: &DataDir, store: TenantStore<'_>, issue: Issue) -> anyhow::Result<String> {
    let card = published(dir)?;
    let identity = Identity::open(dir)?;
    let device = one_device(store, &issue.device).await?;
    let mut scope = vec![Scope::RecoveryCopy, Scope::Bundle];
    for (kind, serials) in
        [(SelfTestKind::Short, issue.short_test), (SelfTestKind::Extended, issue.extended_test)]
    {
        if !serials.is_empty() {
            scope.push(Scope::SelfTests(SelfTests { kind, serials }));
        }
    }
    if let Some(method) = issue.session {
        scope.push(Scope::RemoteSession(RemoteSession {
            method: method.into(),
            most_hours: issue.session_hours,
        }));
    }
    let random = random::<16>().context("the system gave no randomness for a nonce: try again")?;
    let code = issue.typed.then(|| TypedNonce::of_random(random));
    let nonce = code.map_or_else(|| data_encoding::HEXLOWER.encode(&random), |code| code.nonce());
    let now = clock::now_unix_s();
    let request = SupportRequest {
        format: STATEMENT_FORMAT,
        id: uuid::Uuid::now_v7().to_string(),
        device_id: device.id.clone(),
        key_id: device.key_id.clone(),
        serial: device.serial.clone(),
        scope,
        reason: issue.reason,
        engineer: issue.engineer,
        issued_unix_s: now,
        expires_unix_s: now + i64::from(issue.hours) * 3_600,
        nonce,
        redaction: if issue.strict { Level::Strict } else { Level::Standard },
        portal_fingerprint: card.fingerprint(),
    };
    let signed = Signed::new(&request, &identity.online)?;
    if !store.add_request(&request, &signed, MOST_REQUESTS as i64).await? {
        bail!("the device has {MOST_REQUESTS} open requests: cancel one with assay-portal request cancel ID");
    }
    if let Some(code) = code {
        store.mark_typed(&request.id).await?;
        let strict = if issue.strict { " --redaction strict" } else { "" };
        return Ok(format!(
            "request      {}\nexpires      {}\ncode         {code}\n\
             Read it to the owner, group by group. On the device, with a USB disk in it:\n  \
             assay collect --usb --nonce {code}{strict}\n\
             What is brought back on the disk: assay-portal bundle import FILE --by NAME\n",
            request.id,
            clock::for_people(request.expires_unix_s),
        ));
    }
    Ok(format!(
        "request      {}\nexpires      {}\nThe device sees it at its next poll; at once with: assay support wait\n\
         Offline: assay-portal request show {} --signed > request.json, then on the device: assay support fetch \
         request.json\n",
        request.id,
        clock::for_people(request.expires_unix_s),
        request.id,
    ))
}

async fn cancel(store: TenantStore<'_>, id: &str, reason: &str) -> anyhow::Result<String> {
    let row = one_request(store, id).await?;
    let now = clock::now_unix_s();
    if !store.close_request(&row.id, "cancelled", reason, now).await? {
        bail!("request {} is {} and cannot be cancelled any more", row.id, row.state_words(now));
    }
    Ok(format!("request      {} cancelled; the device is told at its next poll\n", row.id))
}
